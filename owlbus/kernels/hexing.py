"""
Point to hex in one pass: polynomial projection, axial rounding and a dense lookup table, compiled.

The lattice is described by two skew coordinates of a point, both dimensionless: ``u = 2 q + r`` and ``w = r - q`` of its
fractional axial coordinates (q, r). A bivariate polynomial of the scaled position gives them directly, so projection and
scaling cost nothing extra.

Tie rule: a hex owns the points with ``u - U``, ``w - W`` and ``(u + w) - (U + W)`` all in [-1, 1), where U, W belong to its
centre. So an edge or a vertex that hexes share belongs to the one that comes last in (r, q) order.

numba keeps compiled callers of `hex_of_point` in their own cache files: touch those callers when this file changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEGREES = (4, 5, 6)
"""Polynomial degrees that the kernels know, lowest first."""

_THIRD = 1.0 / 3.0


class PointTables(NamedTuple):
    """
    What `hex_of_point` needs to know of a grid, as flat arrays.

    Attributes
    ----------
    frame
        Centre longitude, centre latitude (degrees) and the reciprocals of the half widths (1/degree), shape (4,), float64.
        Points outside this frame lie in no hex.
    poly
        Coefficients of u and w in the order of evaluation, shape (2, n_terms), float64, relative to the lookup table's corner.
    lookup
        Hex index by axial (r, q), shape (n_r, n_q), int32, -1 where there is no hex. Every point in the frame falls in it.
    degree
        Degree of both polynomials, 4 to 6.
    """

    frame: NDArray[np.float64]
    poly: NDArray[np.float64]
    lookup: NDArray[np.int32]
    degree: int


def exponents(degree: int) -> NDArray[np.int64]:
    """
    Powers of the scaled longitude and latitude of each coefficient, in the order of evaluation.

    Parameters
    ----------
    degree
        Total degree, dimensionless.

    Returns
    -------
    ndarray of int64
        Shape (n_terms, 2).

    Examples
    --------
    >>> exponents(1).tolist()
    [[1, 0], [0, 1], [0, 0]]
    """
    return np.array([(i, j) for i in range(degree, -1, -1) for j in range(degree - i, -1, -1)], dtype=np.int64)


def design_matrix(s: NDArray[np.float64], t: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """
    Monomials of scaled positions, one column per coefficient in the order of evaluation.

    Parameters
    ----------
    s, t
        Scaled longitude and latitude, dimensionless in [-1, 1], shape (n,).
    degree
        Total degree, dimensionless.

    Returns
    -------
    ndarray of float64
        Shape (n, n_terms).
    """
    power = exponents(degree)
    return np.asarray(s[:, None] ** power[:, 0] * t[:, None] ** power[:, 1], dtype=np.float64)


@njit(cache=True, nogil=True)
def round_axial(u: float, w: float) -> tuple[float, float]:
    """
    Axial (q, r) of the hex that owns skew coordinates (u, w), as whole float64 numbers.

    Parameters
    ----------
    u, w
        Skew coordinates, dimensionless: ``2 q + r`` and ``r - q``.

    Returns
    -------
    tuple of float
        q and r; on an edge or vertex the hex that comes last in (r, q) order.
    """
    floor_w = np.floor(w)
    q = np.floor((np.floor(u) - floor_w + 1.5) * _THIRD)
    r = np.floor((np.floor(u + w) + floor_w + 2.5) * _THIRD)
    return q, r


@njit(cache=True, nogil=True)
def hex_of_point(
    lon: float,
    lat: float,
    frame: NDArray[np.float64],
    poly: NDArray[np.float64],
    lookup: NDArray[np.int32],
    degree: int,
) -> np.int32:
    """
    Hex index of one point, -1 outside the grid; made to be inlined into streaming kernels.

    Call it with a literal degree inside a loop (``if degree == 4: for ...: hex_of_point(..., 4)``): the compiler then
    unrolls the polynomial and vectorises the loop. NaN and infinite positions give -1.

    Parameters
    ----------
    lon, lat
        Position in degrees, WGS84.
    frame, poly, lookup, degree
        The fields of `PointTables`.

    Returns
    -------
    int32
        Hex index in [0, n_hexes), or -1.
    """
    s = (lon - frame[0]) * frame[2]
    t = (lat - frame[1]) * frame[3]
    inside = (abs(s) <= 1.0) & (abs(t) <= 1.0)
    s = s if inside else 0.0
    t = t if inside else 0.0
    u = 0.0
    w = 0.0
    term = 0
    for i in range(degree, -1, -1):
        a = 0.0
        b = 0.0
        for _ in range(degree - i + 1):
            a = a * t + poly[0, term]
            b = b * t + poly[1, term]
            term += 1
        u = u * s + a
        w = w * s + b
    q, r = round_axial(u, w)
    found = lookup[np.uint32(r), np.uint32(q)]
    return found if inside else np.int32(-1)


@njit(cache=True, nogil=True)
def hexes_of_points(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    frame: NDArray[np.float64],
    poly: NDArray[np.float64],
    lookup: NDArray[np.int32],
    degree: int,
) -> NDArray[np.int32]:
    """
    Hex index of each point, -1 outside the grid.

    Parameters
    ----------
    lon, lat
        Positions in degrees, shape (n,), float64.
    frame, poly, lookup, degree
        The fields of `PointTables`.

    Returns
    -------
    ndarray of int32
        Shape (n,), in [0, n_hexes) or -1; NaN and infinite positions give -1.
    """
    found = np.empty(lon.size, dtype=np.int32)
    if degree == 4:  # noqa: PLR2004  # a literal lets the compiler unroll
        for i in range(lon.size):
            found[i] = hex_of_point(lon[i], lat[i], frame, poly, lookup, 4)
    elif degree == 5:  # noqa: PLR2004
        for i in range(lon.size):
            found[i] = hex_of_point(lon[i], lat[i], frame, poly, lookup, 5)
    else:
        for i in range(lon.size):
            found[i] = hex_of_point(lon[i], lat[i], frame, poly, lookup, 6)
    return found
