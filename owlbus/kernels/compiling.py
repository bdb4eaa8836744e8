"""
How kernels compile: cached, without the GIL, and without the wrappers that nobody calls.

A kernel that only other kernels call needs no way in from Python. With arguments that are tuples of a dozen arrays, that way in is
most of what there is to compile.
"""

from __future__ import annotations

from typing import Any

from numba import njit

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "no_cfunc_wrapper": True}
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True}

kernel: Any = njit(**_OPTIONS)
"""Decorator of a kernel that Python calls."""

inner_kernel: Any = njit(**_INNER)
"""Decorator of a kernel that only other kernels call."""
