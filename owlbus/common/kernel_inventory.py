"""What compiled kernels there are: those that came with the package, and those that were compiled on this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numba

from owlbus.common import kernel_cache
from owlbus.common.kernel_list import LIST, read_list

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED_FILE = "shipped.json"
"""File beside the compiled kernels of a wheel: what they were compiled for, and their names."""


@dataclass(frozen=True, slots=True)
class ShippedKernels:
    """
    Compiled kernels that came with the package.

    Attributes
    ----------
    processor
        Name of the processor that they were compiled for.
    numba
        Version of numba that reads them.
    python
        Python that reads them, such as ``cpython-311``.
    names
        Names of their files.
    """

    processor: str
    numba: str
    python: str
    names: frozenset[str]

    def misfit(self, processor: str) -> str:
        """
        Say why these kernels are compiled again.

        Parameters
        ----------
        processor
            Name of the processor that kernels are compiled for in this process.

        Returns
        -------
        str
            A sentence; empty if the kernels are used.

        Examples
        --------
        >>> python = sys.implementation.cache_tag
        >>> ShippedKernels("x86-64-v3", numba.__version__, python, frozenset()).misfit("ivybridge")
        'Those that came with owlbus are for processor x86-64-v3, and this one is taken as ivybridge.'
        """
        if self.python != sys.implementation.cache_tag:
            return f"Those that came with owlbus are for {self.python}, and this is {sys.implementation.cache_tag}."
        if self.numba != numba.__version__:
            return f"Those that came with owlbus are for numba {self.numba}, and this is {numba.__version__}."
        if self.processor != processor:
            return f"Those that came with owlbus are for processor {self.processor}, and this one is taken as {processor}."
        return ""


@dataclass(frozen=True, slots=True)
class KernelInventory:
    """
    Compiled kernels of all commands, as this process finds them.

    Attributes
    ----------
    processor
        Name of the processor that kernels are compiled for.
    machine_processor
        Name of the processor of this machine.
    n_kernels
        Kernels of all commands, each with its argument types; 0 where numba does not compile.
    n_shipped, n_compiled_here
        Kernels that came ready with the package, and kernels that were compiled on this machine.
    folder
        Folder that new kernels are written to; None if none can be written.
    misfit
        Why kernels that came with the package are not used, as a sentence; empty if they are, or none came.
    """

    processor: str
    machine_processor: str
    n_kernels: int
    n_shipped: int
    n_compiled_here: int
    folder: Path | None
    misfit: str


def kernel_folder() -> Path:
    """
    Return the folder of compiled kernels beside their sources.

    Returns
    -------
    Path
        The folder, which may be absent.
    """
    return LIST.parent / kernel_cache.FOLDER


def describe_shipped(processor: str, folder: Path) -> None:
    """
    Write down that the kernels of a folder come with the package.

    Parameters
    ----------
    processor
        Name of the processor that they were compiled for.
    folder
        Folder of compiled kernels.
    """
    about = {
        "processor": processor,
        "numba": numba.__version__,
        "python": sys.implementation.cache_tag,
        "files": sorted(file.name for file in folder.glob("*.nbc")),
    }
    (folder / SHIPPED_FILE).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8", newline="\n")


def shipped_kernels(folder: Path | None = None) -> ShippedKernels | None:
    """
    Read which compiled kernels came with the package.

    Parameters
    ----------
    folder
        Folder of compiled kernels; that beside the sources by default.

    Returns
    -------
    ShippedKernels or None
        None if the package came without, as a checkout does.
    """
    try:
        about = json.loads(((folder or kernel_folder()) / SHIPPED_FILE).read_text(encoding="utf-8"))
        processor, version, python = (str(about[name]) for name in ("processor", "numba", "python"))
        return ShippedKernels(processor, version, python, frozenset(map(str, about["files"])))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def why_compiled(processor: str) -> str:
    """
    Say why kernels are compiled although the package came with them.

    Parameters
    ----------
    processor
        Name of the processor that kernels are compiled for in this process.

    Returns
    -------
    str
        A sentence; empty if none came, or they are used.
    """
    shipped = shipped_kernels()
    return "" if shipped is None else shipped.misfit(processor)


def take_inventory(processor: str) -> KernelInventory:
    """
    Count the compiled kernels of all commands.

    Parameters
    ----------
    processor
        Name of the processor that kernels are compiled for in this process.

    Returns
    -------
    KernelInventory
        The counts, and where new kernels are written.
    """
    from numba.core import registry

    target: Any = registry.cpu_target
    kernels = [(entry.kernel(), entry.signature()) for entry in read_list() if entry.commands]
    caches = [(kernel._cache, signature) for kernel, signature in kernels if hasattr(kernel, "_cache")]  # noqa: SLF001 - our own
    found = [cache.find(signature, target.target_context.codegen()) for cache, signature in caches]
    shipped = shipped_kernels()
    names = frozenset() if shipped is None else shipped.names
    n_shipped = sum(file is not None and file.parent == kernel_folder() and file.name in names for file in found)
    return KernelInventory(
        processor,
        str(llvm.get_host_cpu_name()),
        len(caches),
        n_shipped,
        sum(file is not None for file in found) - n_shipped,
        kernel_cache.writable_folder(kernel_folder()),
        "" if shipped is None else shipped.misfit(processor),
    )
