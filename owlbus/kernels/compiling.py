"""
How kernels compile: cached, without the GIL, and without the wrappers that nobody calls.

A kernel that only other kernels call needs no way in from Python. With arguments that are tuples of a dozen arrays, that way in is
most of what there is to compile.
"""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, nogil=True, no_cfunc_wrapper=True)
"""Decorator of a kernel that Python calls."""

inner_kernel = njit(cache=True, nogil=True, no_cfunc_wrapper=True, no_cpython_wrapper=True)
"""Decorator of a kernel that only other kernels call."""
