"""Whether there is room to work in: libraries that are refused memory end the process or wait for ever, so it is asked for before."""

from __future__ import annotations

from owlbus.errors import DataError

_LEAST_MB = {"RLIMIT_DATA": ("-d", 2_000), "RLIMIT_AS": ("-v", 4_000)}
_NO_THREAD, _NO_MAPPING = "can't start new thread", "failed to map segment"


def require_memory() -> None:
    """
    Refuse to work under a limit of memory that the libraries do not survive; what they reserve is several times what they use.

    Raises
    ------
    DataError
        If the process may take less than is needed in any case, in MB.
    """
    try:
        import resource
    except ImportError:  # no such limits outside POSIX
        return
    for name, (flag, least_mb) in _LEAST_MB.items():
        most, _ = resource.getrlimit(getattr(resource, name))
        if most != resource.RLIM_INFINITY and most < least_mb * 1_000_000:
            msg = (
                f"there is not enough memory: ulimit {flag} must be at least {least_mb} MB, got {most // 1_000_000} MB; raise it, "
                f"such as with ulimit {flag} unlimited, and limit what is used by a control group instead"
            )
            raise DataError(msg)


def is_out_of_memory(error: BaseException) -> bool:
    """
    Whether an error says that the machine has no room left, in whatever words a library has for it.

    Parameters
    ----------
    error
        The error.

    Returns
    -------
    bool
        Whether more bytes of memory, or fewer or smaller files, would help.
    """
    words = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and (_NO_THREAD in words or _NO_MAPPING in words)
    )
