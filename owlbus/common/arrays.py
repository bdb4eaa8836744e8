"""Arrays that nobody writes to: owned by what holds them, and read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


def owned(values: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """
    Copy values to an array that nobody else holds; C-contiguous and read-only.

    Parameters
    ----------
    values
        What is copied, any shape.
    dtype
        Type of the copy; that of the values if None.

    Returns
    -------
    ndarray
        Of that shape.

    Examples
    --------
    >>> stops = owned([4, 2, 7], np.int32)
    >>> stops.flags.writeable, stops.dtype.name
    (False, 'int32')
    """
    return read_only(np.array(values, dtype=dtype, order="C"))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array` itself, marked read-only; the caller hands over one that nobody else holds."""
    array.setflags(write=False)
    return array


def read_only_view(array: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous read-only view of `array`, so that a kernel is compiled for one kind of array only."""
    return read_only(np.ascontiguousarray(array).view())
