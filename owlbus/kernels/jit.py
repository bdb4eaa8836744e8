"""
How kernels compile: cached, without the GIL, and without what nobody needs of them.

A kernel that only other kernels call needs no way in from Python: with arguments that are tuples of a dozen arrays, that way in is most
of what there is to compile. A kernel that makes no arrays needs no count of who holds them: that count, kept for each array of a tuple at
each call, takes most of the time of a move.
"""

from __future__ import annotations

from typing import Any

from numba import njit

_COUNTED: dict[str, Any] = {"cache": True, "nogil": True, "no_cfunc_wrapper": True, "_nrt": True}
_LEAN: dict[str, Any] = {**_COUNTED, "_nrt": False}
_INNER: dict[str, Any] = {**_LEAN, "no_cpython_wrapper": True}

kernel: Any = njit(**_COUNTED)
"""Decorator of a kernel that Python calls, or that makes arrays."""

lean_kernel: Any = njit(**_LEAN)
"""Decorator of a kernel that Python and other kernels call, and that makes no arrays."""

inner_kernel: Any = njit(**_INNER)
"""Decorator of a kernel that only other kernels call, and that makes no arrays."""

inlined: Any = njit(**_LEAN, forceinline=True)
"""Decorator of a lean kernel that is put in place of each call to it: handing over tuples of arrays would take longer than its work."""
