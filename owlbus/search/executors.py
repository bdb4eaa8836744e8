"""What runs searches side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Executor(Protocol):
    """What runs searches side by side: an executor of `concurrent.futures`, or a Dask client."""

    def submit(self, fn: Callable[..., T], /, *args: object) -> Pending[T]:
        """Begin a search: `fn`, called with `args`, finds what the pending one brings."""
        ...


class Pending(Protocol[T_co]):
    """A search under way."""

    def result(self) -> T_co:
        """Wait for it."""
        ...

    def cancel(self) -> object:
        """Drop it if it has not begun."""
        ...
