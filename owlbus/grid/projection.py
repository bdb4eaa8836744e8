"""Local metric projection of a study area, and its polynomial approximation for the kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.kernels.hexing import DEGREES, PointTables, design_matrix, exponents

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pyproj import Transformer

    Floats = NDArray[np.float64]
    SkewOf = Callable[[Floats, Floats], tuple[Floats, Floats]]

GOOD_ERROR_M = 1e-6
"""Largest error in metres at which the fit stops raising the degree."""
MAX_ERROR_M = 1e-3
"""Largest error in metres of an accepted fit."""

SQRT3 = 3.0**0.5
_CORNER_ANGLES = np.radians([-30.0, 30.0, 90.0, 150.0, 210.0, 270.0])
_FIT_NODES = 13
_CHECK_NODES = 24


def local_crs(lon: float, lat: float) -> str:
    """
    Return the PROJ text of the transverse Mercator projection centred on a point.

    Parameters
    ----------
    lon, lat
        Centre in degrees; rounded to 0.001 degree.

    Returns
    -------
    str
        Scale 1 at the centre, WGS84, metres.

    Examples
    --------
    >>> local_crs(126.98765, 37.5)
    '+proj=tmerc +lat_0=37.5 +lon_0=126.988 +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m +no_defs'
    """
    return f"+proj=tmerc +lat_0={round(lat, 3):g} +lon_0={round(lon, 3):.6g} +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m +no_defs"


@lru_cache(maxsize=64)
def _transformer(crs: str) -> Transformer:
    """Return the cached exact transformation from lon/lat to `crs`."""
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def project(crs: str, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """
    Project points: metres east and north of the projection's centre.

    Parameters
    ----------
    crs
        PROJ text of the projection.
    lon, lat
        Degrees, shape (n,).

    Returns
    -------
    tuple of ndarray of float64
        x and y in metres, each of shape (n,).
    """
    x, y = _transformer(crs).transform(lon, lat)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def unproject(crs: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """
    Return longitude and latitude of projected points, degrees.

    Parameters
    ----------
    crs
        PROJ text of the projection.
    x, y
        Metres, shape (n,).

    Returns
    -------
    tuple of ndarray of float64
        lon and lat in degrees, each of shape (n,).
    """
    lon, lat = _transformer(crs).transform(x, y, direction="INVERSE")
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def planar_skew(crs: str, radius_m: float) -> SkewOf:
    """
    Return the function from lon/lat to exact skew coordinates (u, w) of pointy-top hexes.

    Parameters
    ----------
    crs
        PROJ text of the projection.
    radius_m
        Circumradius in metres.

    Returns
    -------
    callable
        Function of lon and lat in degrees; returns u and w, dimensionless.
    """

    def skew(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        x, y = project(crs, lon, lat)
        return x * (2.0 / SQRT3 / radius_m), (y - x / SQRT3) / radius_m

    return skew


def frame_of(lon: Floats, lat: Floats) -> Floats:
    """
    Return the box around points in the form of `PointTables.frame`, widened by a millionth.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,).

    Returns
    -------
    ndarray of float64
        Centre longitude, centre latitude, reciprocal half widths (1/degree), shape (4,).
    """
    mid = [(float(a.max()) + float(a.min())) / 2 for a in (lon, lat)]
    half = [max((float(a.max()) - float(a.min())) / 2, 1e-6) * (1 + 1e-6) for a in (lon, lat)]
    return np.array([mid[0], mid[1], 1 / half[0], 1 / half[1]])


def box_samples(frame: Floats, skew: SkewOf) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """
    Return scaled positions and skew coordinates to fit a polynomial over a box and check it.

    Parameters
    ----------
    frame
        Box from `frame_of`.
    skew
        Function from `planar_skew`.

    Returns
    -------
    tuple of ndarray
        Positions (n, 2) in [-1, 1], skew coordinates (n, 2), and whether each row is fitted (n,).
    """
    nodes = np.cos(np.pi * np.arange(_FIT_NODES) / (_FIT_NODES - 1))
    grids = [np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2) for axis in (nodes, np.linspace(-1, 1, _CHECK_NODES))]
    scaled = np.concatenate(grids)
    u, w = skew(frame[0] + scaled[:, 0] / frame[2], frame[1] + scaled[:, 1] / frame[3])
    return scaled, np.stack([u, w], axis=1), np.arange(len(scaled)) < len(grids[0])


def fit_poly(scaled: Floats, skew: Floats, is_fitted: NDArray[np.bool_], radius_m: float) -> tuple[Floats, int, float]:
    """
    Fit polynomials of u and w of the lowest sufficient degree, and return their error in metres.

    Parameters
    ----------
    scaled
        Scaled positions, dimensionless, shape (n, 2).
    skew
        Exact u and w, shape (n, 2).
    is_fitted
        Rows to fit, shape (n,); the error is taken over all rows.
    radius_m
        Circumradius in metres.

    Returns
    -------
    tuple
        Coefficients (2, n_terms), degree, and the largest error in metres.
    """
    best: tuple[Floats, int, float] | None = None
    for degree in DEGREES:
        matrix = design_matrix(scaled[:, 0], scaled[:, 1], degree)
        poly = np.linalg.lstsq(matrix[is_fitted], skew[is_fitted], rcond=None)[0]
        residual = matrix @ poly - skew
        error_m = float(radius_m * np.hypot(residual[:, 0] * (SQRT3 / 2), residual[:, 1] + residual[:, 0] / 2).max())
        if best is None or error_m < best[2]:
            best = np.ascontiguousarray(poly.T, dtype=np.float64), degree, error_m
        if error_m <= GOOD_ERROR_M:
            break
    assert best is not None  # noqa: S101  # DEGREES is not empty
    return best


def require_exact_fit(error_m: float, frame: Floats) -> None:
    """
    Reject a fitted projection with an error above a millimetre.

    Parameters
    ----------
    error_m
        Largest error in metres.
    frame
        Box from `frame_of`, for the message.

    Raises
    ------
    DataError
        If the error is above `MAX_ERROR_M`.
    """
    if not error_m <= MAX_ERROR_M:
        msg = (
            f"the fitted projection must be exact to {MAX_ERROR_M} m, is off by {error_m:.3g} m over "
            f"{2 / frame[2]:.2f} x {2 / frame[3]:.2f} degrees; split the area"
        )
        raise DataError(msg)


def point_tables(frame: Floats, poly: Floats, degree: int, q: NDArray[np.int32], r: NDArray[np.int32]) -> PointTables:
    """
    Return lookup tables that cover every point of the box, so that the kernel needs no bounds check.

    Parameters
    ----------
    frame
        Box from `frame_of`.
    poly
        Coefficients of u and w, shape (2, n_terms).
    degree
        Degree of the polynomials.
    q, r
        Axial coordinates of the hexes in index order, shape (n_hexes,).

    Returns
    -------
    PointTables
        Tables for the kernels; 4 bytes per entry of the box's axial bounding parallelogram.
    """
    power = exponents(degree)
    constant = (power == 0).all(axis=1)
    axial = np.stack([(poly[0] - poly[1]) / 3, (poly[0] + 2 * poly[1]) / 3])
    radius = np.abs(axial[:, ~constant]).sum(axis=1)
    low = np.floor(axial[:, constant][:, 0] - radius).astype(np.int64) - 1
    high = np.ceil(axial[:, constant][:, 0] + radius).astype(np.int64) + 1
    low = np.minimum(low, [int(q.min()), int(r.min())])
    high = np.maximum(high, [int(q.max()), int(r.max())])
    lookup = np.full((high[1] - low[1] + 1, high[0] - low[0] + 1), -1, dtype=np.int32)
    lookup[r - low[1], q - low[0]] = np.arange(q.size, dtype=np.int32)
    shifted = poly.copy()
    shifted[0, constant] -= 2 * low[0] + low[1]
    shifted[1, constant] -= low[1] - low[0]
    return PointTables(np.append(frame, lookup.shape[1]), shifted.reshape(-1), lookup.reshape(-1), degree)


def corners_m(x: Floats, y: Floats, radius_m: float) -> Floats:
    """
    Return the corners of pointy-top hexes in metres, anticlockwise.

    Parameters
    ----------
    x, y
        Centres in metres, shape (n,).
    radius_m
        Circumradius in metres.

    Returns
    -------
    ndarray of float64
        Metres, shape (n, 6, 2).
    """
    return np.stack([x[:, None] + radius_m * np.cos(_CORNER_ANGLES), y[:, None] + radius_m * np.sin(_CORNER_ANGLES)], axis=-1)


def centres_m(q: NDArray[np.int32], r: NDArray[np.int32], radius_m: float) -> tuple[Floats, Floats]:
    """
    Return the centres of pointy-top hexes in metres.

    Parameters
    ----------
    q, r
        Axial coordinates, shape (n,).
    radius_m
        Circumradius in metres.

    Returns
    -------
    tuple of ndarray of float64
        x and y in metres, each of shape (n,).
    """
    x, y = q.astype(np.float64), r.astype(np.float64)
    return radius_m * SQRT3 * (x + y * 0.5), radius_m * 1.5 * y
