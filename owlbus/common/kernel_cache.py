"""
Compiled kernels on disk: one file for each kernel, signature and processor, so that processes never wait for or overwrite one another.

A kernel is known by its source and by the sources of all kernels and structs that its module imports: after a change of any of them it is
compiled again. Files that come with the package are read where it is installed; new ones are written beside them, or to a folder of the
user where that is refused, or not at all. They are code: the folder of a user is read only if nobody else can have written to it.

Kernels are compiled for x86-64-v3, which machines since 2013 share, so that compiled kernels can come with the package and the same inputs
give the same bytes on two machines; code for one processor alone is no faster (`benchmarks/processors.py`). Other machines, and other
versions of numba, compile for themselves.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import re
import stat
import sys
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numba.core.config
import numba.core.serialize
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.misc import appdirs

from owlbus.common.kernel_hooks import before_compiling, looked_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

config: Any = numba.core.config
_serialize: Any = numba.core.serialize
_appdirs: Any = appdirs
_results: Any = CompileResult

COMMON_CPU = "x86-64-v3"
"""Processor that kernels are compiled for where the machine has what it names."""

FOLDER = "compiled"
"""Folder beside the sources that holds compiled kernels."""

_BEGUN_S = time.time()
_DAMAGED = (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, LookupError, TypeError, ValueError)
_COMMON_FEATURES = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sse4.2")
_IMPORT = re.compile(r"^\s*from owlbus\.kernels\.(\w+) import", re.MULTILINE)


def choose_processor() -> str:
    """
    Compile for `COMMON_CPU` if the machine has it, and nobody chose another processor or compiled anything before.

    Returns
    -------
    str
        Name of the processor that kernels are compiled for.
    """
    if config.CPU_NAME is None and "_toplevel_target_context" not in vars(cpu_target) and has_common_cpu():
        config.CPU_NAME, config.CPU_FEATURES = COMMON_CPU, ""
    return str(config.CPU_NAME or llvm.get_host_cpu_name())


def has_common_cpu() -> bool:
    """Return whether this machine runs code for `COMMON_CPU`."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return False
    features = llvm.get_host_cpu_features()
    return all(features.get(name, False) for name in _COMMON_FEATURES)


class KernelCache(_Cache):
    """
    Compiled forms of one kernel on disk.

    Parameters
    ----------
    function
        The Python function of the kernel.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._source = Path(function.__code__.co_filename)
        self.name = f"{self._source.stem}.{function.__qualname__}"
        self._enabled = True

    @property
    def cache_path(self) -> Any:  # noqa: ANN401 - numba's own gives None
        """Folder that new compiled kernels are written to."""
        return str(writable_folder(self._source.parent / FOLDER) or "")

    def enable(self) -> None:
        """Read and write files."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor write files."""
        self._enabled = False

    def flush(self) -> None:
        """Remove what was written."""
        for file in Path(self.cache_path or os.devnull).glob(f"{self._family()}.*.nbc"):
            file.unlink(missing_ok=True)

    def load_overload(self, sig: Sequence[Any], target_context: Any) -> Any:  # noqa: ANN401 - numba's own types
        """Return the compiled kernel for the argument types `sig`, or None."""
        target_context.refresh()
        if not self._enabled:
            return None
        for told in looked_for:
            told(self.name, sig)
        found = self.read(sig, target_context)
        if found is None and before_compiling:
            for wait in before_compiling:
                wait(self.name, sig)
            found = self.read(sig, target_context)
        return None if found is None else _results._rebuild(target_context, *found)  # noqa: SLF001 - as numba's own cache does

    def save_overload(self, sig: Sequence[Any], data: Any) -> None:  # noqa: ANN401 - numba's own types
        """Write the compiled kernel `data` for the argument types `sig`, if any folder takes it."""
        folder = writable_folder(self._source.parent / FOLDER) if self._enabled and not is_edited(self._source) else None
        if folder is None or data.lifted or data.library.has_dynamic_globals:
            return
        name = self.file_name(sig, data.codegen)
        with suppress(OSError):
            for old in folder.glob(f"{self._family()}.*.nbc"):
                if old.name.split(".")[-3] != name.split(".")[-3]:
                    old.unlink(missing_ok=True)
            part = folder / f"{name}.{uuid.uuid4().hex[:8]}.part"
            part.write_bytes(_serialize.dumps(data._reduce()))  # noqa: SLF001 - as numba's own cache does
            part.replace(folder / name)

    def find(self, sig: Sequence[Any], codegen: Any) -> Path | None:  # noqa: ANN401 - numba's own types
        """Return the file of the compiled kernel for the argument types `sig`, or None."""
        name = self.file_name(sig, codegen)
        beside = self._source.parent / FOLDER
        held = (folder for folder in folders(beside) if (folder / name).is_file())
        return next((folder / name for folder in held if folder == beside or is_private(folder)), None)

    def read(self, sig: Sequence[Any], target_context: Any) -> tuple[Any, ...] | None:  # noqa: ANN401 - numba's own types
        """Return the parts of the compiled kernel for the argument types `sig`, or None."""
        file = self.find(sig, target_context.codegen())
        if file is None:
            return None
        try:
            parts: tuple[Any, ...] = pickle.loads(file.read_bytes())  # noqa: S301 - written by this package, as numba's own cache
        except _DAMAGED:
            return None
        return parts

    def file_name(self, sig: Sequence[Any], codegen: Any) -> str:  # noqa: ANN401 - numba's own types
        """Return the name of the file for the argument types `sig`; it tells Python, sources, argument types and processor."""
        stamp = source_stamp(self._source)
        key = hashlib.sha256(repr((stamp, [str(kind) for kind in sig], codegen.magic_tuple())).encode()).hexdigest()
        return f"{self._family()}.{stamp[:10]}.{key[:20]}.nbc"

    def _family(self) -> str:
        """Return the beginning of the names of all files of this kernel that this Python can read."""
        return f"{self.name}.{sys.implementation.cache_tag}{getattr(sys, 'abiflags', '')}"


@cache
def source_stamp(source: Path) -> str:
    """Return the SHA-256 of a module of kernels with all that it imports of others, and of numba's version."""
    seen = _sources(source)
    digest = hashlib.sha256(f"numba {numba.__version__}".encode())
    for file in sorted(seen):
        digest.update(hashlib.sha256(seen[file]).digest())
    return digest.hexdigest()


@cache
def is_edited(source: Path) -> bool:
    """Return whether a module of kernels or one that it imports changed since this process began: what runs may be what it was before."""
    return any(file.stat().st_mtime > _BEGUN_S for file in _sources(source))


def _sources(source: Path) -> dict[Path, bytes]:
    """Return a module of kernels and all that it imports of others, with their bytes."""
    seen: dict[Path, bytes] = {}
    left = [source]
    while left:
        file = left.pop()
        if file not in seen:
            seen[file] = file.read_bytes()
            left += [source.with_name(f"{name}.py") for name in _IMPORT.findall(seen[file].decode())]
    return seen


def is_private(folder: Path) -> bool:
    """Return whether a folder is this user's or root's, and others cannot write to it."""
    if not hasattr(os, "getuid"):
        return True
    facts = folder.stat()
    return facts.st_uid in {0, os.getuid()} and not facts.st_mode & stat.S_IWOTH


@cache
def folders(beside: Path) -> tuple[Path, ...]:
    """Return the folders that may hold compiled kernels: those that came with the package first."""
    own = Path(config.CACHE_DIR) / "owlbus" if config.CACHE_DIR else None
    return (beside, own or Path(_appdirs.user_cache_dir("owlbus", appauthor=False)) / "kernels")


@cache
def writable_folder(beside: Path) -> Path | None:
    """Return the folder that new compiled kernels are written to, or None if none can be written."""
    for folder in folders(beside)[bool(config.CACHE_DIR) :]:
        probe = folder / f".{uuid.uuid4().hex[:8]}.part"
        with suppress(OSError):
            folder.mkdir(0o777 if folder == beside else 0o700, parents=True, exist_ok=True)
            if folder != beside and not is_private(folder):
                continue
            probe.touch()
            probe.unlink()
            return folder
    return None
