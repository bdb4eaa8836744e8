"""Memory that this process may still use."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from owlbus.common.errors import DataError

GB = 1e9
"""Bytes of a gigabyte, as messages count."""

_MEMINFO, _OWN, _CGROUPS, _MOUNT = (Path(name) for name in ("/proc/meminfo", "/proc/self/statm", "/proc/self/cgroup", "/sys/fs/cgroup"))
_KILOBYTE = 1024


def memory_at_hand() -> int | None:
    """
    Memory that this process may still use, before the machine, a control group or a resource limit refuses more.

    Returns
    -------
    int or None
        Bytes; None where the system does not say.

    Examples
    --------
    >>> at_hand = memory_at_hand()
    >>> at_hand is None or at_hand > 0
    True
    """
    known = [n_bytes for n_bytes in (_of_machine(), _of_group(), _of_limits()) if n_bytes is not None]
    return max(0, min(known)) if known else None


def memory_in_use() -> int:
    """
    Memory that this process holds.

    Returns
    -------
    int
        Bytes; 0 where the system does not say.

    Examples
    --------
    >>> memory_in_use() >= 0
    True
    """
    with suppress(OSError, ValueError, IndexError, ImportError):
        import resource

        return int(_OWN.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return 0


def require_at_hand(n_bytes: float, what: str, way_out: str) -> None:
    """
    Refuse work that does not fit into the memory at hand, before it begins.

    Parameters
    ----------
    n_bytes
        Memory of the work in bytes.
    what
        What the memory is for, the subject of the message.
    way_out
        What to do instead.

    Raises
    ------
    DataError
        If the work needs more bytes than are at hand; where the system does not say how many are, nothing is refused.

    Examples
    --------
    >>> require_at_hand(1_000, "a small table", "use a smaller one")
    """
    at_hand = memory_at_hand()
    if at_hand is not None and n_bytes > at_hand:
        msg = f"{what} must fit into memory, {n_bytes / GB:.1f} GB, got {at_hand / GB:.1f} GB at hand; {way_out}"
        raise DataError(msg)


def _of_machine() -> int | None:
    """Bytes that the machine can give without swapping."""
    with suppress(OSError, ValueError, IndexError):
        return int(_MEMINFO.read_text(encoding="ascii").partition("MemAvailable:")[2].split()[0]) * _KILOBYTE
    return None


def _of_group() -> int | None:
    """Bytes that the control groups of this process leave; None without a limit. Files in the page cache give way, and do not count."""
    with suppress(OSError, ValueError, StopIteration):
        lines = _CGROUPS.read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 2)[2] for line in lines if line.startswith("0::"))
        folder = _MOUNT / name.strip("/")
        left = [_left_of_group(group) for group in (folder, *folder.parents) if group == _MOUNT or _MOUNT in group.parents]
        return min((n_bytes for n_bytes in left if n_bytes is not None), default=None)
    return None


def _left_of_group(folder: Path) -> int | None:
    """Bytes that one control group of version 2 leaves; None without a limit."""
    most = folder / "memory.max"
    if not most.exists() or most.read_text(encoding="ascii").strip() == "max":
        return None
    used = int((folder / "memory.current").read_text(encoding="ascii"))
    cached = (folder / "memory.stat").read_text(encoding="ascii").partition("inactive_file ")[2].split()[:1]
    return int(most.read_text(encoding="ascii")) - used + sum(map(int, cached))


def _of_limits() -> int | None:
    """Bytes that resource limits of this process leave; None without a limit."""
    try:
        import resource
    except ImportError:  # no such limits outside POSIX
        return None
    left = []
    with suppress(OSError, ValueError, IndexError):
        pages = [int(number) for number in _OWN.read_text(encoding="ascii").split()]
        for name, column in (("RLIMIT_AS", 0), ("RLIMIT_DATA", 5)):
            most, _ = resource.getrlimit(getattr(resource, name))
            if most != resource.RLIM_INFINITY:
                left.append(most - pages[column] * resource.getpagesize())
    return min(left) if left else None
