"""
How kernels compile: cached, without the GIL, and without what nobody needs of them.

A kernel that only other kernels call needs no way in from Python: with arguments that are tuples of a dozen arrays, that way in is most
of what there is to compile. A kernel that makes no arrays needs no count of who holds them: that count, kept for each array of a tuple at
each call, takes most of the time of a move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

int64 = cast("type[int]", np.int64)
"""`numpy.int64`; type checkers take what it makes for an int, as kernels' signatures do. uint64, int32 and float32 are alike."""

uint64 = cast("type[int]", np.uint64)
int32 = cast("type[int]", np.int32)
float32 = cast("type[float]", np.float32)

ZERO = int64(0)
"""Nothing, as a value: a kernel called with the literal 0 and with a count would compile twice."""

_COUNTED: dict[str, Any] = {"cache": True, "nogil": True, "no_cfunc_wrapper": True, "_nrt": True}
_LEAN: dict[str, Any] = {**_COUNTED, "_nrt": False}
_INNER: dict[str, Any] = {**_LEAN, "no_cpython_wrapper": True}


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
    return cast("F", njit(**_COUNTED)(function))


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
    return cast("F", njit(**_LEAN)(function))


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
    return cast("F", njit(**_INNER)(function))


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
    return cast("F", njit(**_LEAN, forceinline=True)(function))
