"""What ``owlbus --version -v`` prints: versions, the processor, and which kernels are ready."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.common.kernel_inventory import KernelInventory


def version_text(*, is_verbose: bool) -> str:
    """
    Return the version, in one line or with all that a report of a fault needs.

    Parameters
    ----------
    is_verbose
        Whether versions of Python and libraries, the processor and the kernels are told too.

    Returns
    -------
    str
        One line, or one line for each fact.
    """
    from owlbus import __version__

    if not is_verbose:
        return __version__
    from owlbus.common.kernel_inventory import take_inventory
    from owlbus.common.machine import n_processors
    from owlbus.kernels.jit import PROCESSOR

    inventory = take_inventory(PROCESSOR)
    rows = [
        ("owlbus", __version__),
        ("Python", f"{platform.python_version()} ({sys.implementation.cache_tag}) on {platform.system()} {platform.machine()}"),
        ("numpy", version("numpy")),
        ("numba", version("numba")),
        ("processor", f"{inventory.processor} is what kernels are compiled for; this machine has {inventory.machine_processor}"),
        *(("kernels" if not row else "", text) for row, text in enumerate(kernel_sentences(inventory))),
        ("threads", f"yes: searches run side by side without the GIL, on {n_processors()} processors that this process may use"),
    ]
    return "\n".join(f"{name:10}{text}" for name, text in rows)


def kernel_sentences(inventory: KernelInventory) -> list[str]:
    """
    Say how many kernels are ready, and where they are.

    Parameters
    ----------
    inventory
        The kernels, counted.

    Returns
    -------
    list of str
        Lines.
    """
    if not inventory.n_kernels:
        return ["not compiled: numba's compiler is switched off (NUMBA_DISABLE_JIT)"]
    n_left = inventory.n_kernels - inventory.n_shipped - inventory.n_compiled_here
    ready = (
        f"{inventory.n_shipped} came ready with the package, {inventory.n_compiled_here} were compiled on this machine, "
        f"{n_left} are compiled when a command needs them"
    )
    place = (
        f"new ones are written to {inventory.folder}" if inventory.folder else "no folder for new ones can be written: they are not kept"
    )
    return [ready, place, *([inventory.misfit] if inventory.misfit else [])]
