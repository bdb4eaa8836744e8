"""Read-only arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


def read_only_copy(values: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """
    Copy values to a C-contiguous, read-only array.

    Parameters
    ----------
    values
        Values to copy, any shape.
    dtype
        Type of the copy; that of the values if None.

    Returns
    -------
    ndarray
        Same shape.

    Examples
    --------
    >>> stops = read_only_copy([4, 2, 7], np.int32)
    >>> stops.flags.writeable, stops.dtype.name
    (False, 'int32')
    """
    return read_only(np.array(values, dtype=dtype, order="C"))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Mark `array` read-only and return it; the caller keeps no writable view."""
    array.setflags(write=False)
    return array


def read_only_view(array: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous read-only view of `array`; kernels then compile for one array type."""
    return read_only(np.ascontiguousarray(array).view())
