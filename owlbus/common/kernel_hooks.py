"""Who is told before a kernel is compiled; a module of its own, which loads without numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

before_compiling: list[Callable[[str, Sequence[Any]], None]] = []
"""Called with the name of a kernel and its argument types before this process compiles it; it may wait until another process did."""

looked_for: list[Callable[[str, Sequence[Any]], None]] = []
"""Called with the name of every kernel that this process looks for on disk, and its argument types."""
