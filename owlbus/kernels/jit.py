"""
How kernels compile: kept on disk, without the GIL, and without what nobody needs of them.

A kernel that only other kernels call needs no way in from Python: with arguments that are tuples of a dozen arrays, that way in is most
of what there is to compile. A kernel that makes no arrays needs no count of who holds them: that count, kept for each array of a tuple at
each call, takes most of the time of a move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from owlbus.common.kernel_cache import KernelCache, choose_processor

F = TypeVar("F", bound=Callable[..., Any])

int64 = cast("type[int]", np.int64)
"""`numpy.int64`; type checkers take what it makes for an int, as kernels' signatures do. uint64, int32 and float32 are alike."""

uint64 = cast("type[int]", np.uint64)
int32 = cast("type[int]", np.int32)
float32 = cast("type[float]", np.float32)

ZERO = int64(0)
"""Nothing, as a value: a kernel called with the literal 0 and with a count would compile twice."""

_COUNTED: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True, "_nrt": True}
_LEAN: dict[str, Any] = {**_COUNTED, "_nrt": False}
_INNER: dict[str, Any] = {**_LEAN, "no_cpython_wrapper": True}

PROCESSOR = choose_processor()
"""Processor that kernels are compiled for."""


def _compiled(function: F, **options: Any) -> F:  # noqa: ANN401 - numba's own options
    """Return a kernel that compiles when it is called, unless compiled kernels on disk have it; without numba's compiler, `function`."""
    dispatcher: Any = njit(**options)(function)
    if dispatcher is not function:
        dispatcher._cache = KernelCache(function)  # noqa: SLF001 - numba has no other way to bring one's own
    return cast("F", dispatcher)


def kernel(function: F) -> F:
    """
    Compile a kernel that Python calls, or that makes arrays.

    Parameters
    ----------
    function
        The kernel; type checkers see its signature unchanged.

    Returns
    -------
    callable
        The compiled kernel.
    """
    return _compiled(function, **_COUNTED)


def lean_kernel(function: F) -> F:
    """
    Compile a kernel that Python and other kernels call, and that makes no arrays.

    Parameters
    ----------
    function
        The kernel; type checkers see its signature unchanged.

    Returns
    -------
    callable
        The compiled kernel.
    """
    return _compiled(function, **_LEAN)


def inner_kernel(function: F) -> F:
    """
    Compile a kernel that only other kernels call, and that makes no arrays.

    Parameters
    ----------
    function
        The kernel; type checkers see its signature unchanged.

    Returns
    -------
    callable
        The compiled kernel.
    """
    return _compiled(function, **_INNER)


def inlined(function: F) -> F:
    """
    Compile a lean kernel that replaces each call to it: passing tuples of arrays would take longer than its work.

    Parameters
    ----------
    function
        The kernel; type checkers see its signature unchanged.

    Returns
    -------
    callable
        The compiled kernel.
    """
    return _compiled(function, **_LEAN, forceinline=True)
