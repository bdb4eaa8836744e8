"""Cells of H3 and geohashes: their centres, widths and polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

_BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"
_GEOHASH = f"^[{_BASE32}]{{3,12}}$"
_H3 = r"^(?:0x)?0?8[0-9a-f]{14}$"
FINEST_COARSE = {"h3": 8, "geohash": 6}
"""Resolution of the finest cells that are too coarse to stand for their centre: H3 of 530 m edges, geohashes of 1.2 km."""


def cell_texts(column: pl.Series) -> pl.Series:
    """
    Return cells as text in lower case; H3 indices of any type as 15 hexadecimal digits.

    Parameters
    ----------
    column
        Cells as text or as whole numbers.

    Returns
    -------
    Series
        Text, missing where there is none.
    """
    import polars as pl

    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_integer():
        numbers = column.cast(pl.UInt64, strict=False)
        found = numbers.unique().drop_nulls()
        texts = pl.Series(found.map_elements(lambda number: f"{number:x}", return_dtype=pl.String), dtype=pl.String)
        return numbers.replace_strict(found, texts, default=None, return_dtype=pl.String)
    if column.dtype != pl.String:
        return pl.repeat(None, len(column), dtype=pl.String, eager=True)
    text = column.str.strip_chars().str.to_lowercase()
    is_number = text.str.contains(r"^\d{18,19}$")
    if is_number.any():
        numbers = pl.select(pl.when(is_number).then(text)).to_series().cast(pl.UInt64, strict=False)
        return pl.select(pl.coalesce(cell_texts(numbers), text)).to_series()
    is_h3 = text.str.contains(_H3)
    return pl.select(pl.when(is_h3).then(text.str.strip_prefix("0x").str.strip_chars_start("0")).otherwise(text)).to_series()


def cell_kind(texts: pl.Series) -> str | None:
    """
    Return what most cells of a column are.

    Parameters
    ----------
    texts
        Cells as `cell_texts` returns them.

    Returns
    -------
    str or None
        ``h3``, ``geohash`` or None.
    """
    import h3

    texts = texts.drop_nulls()
    texts = texts.filter(texts != "")
    if not len(texts):
        return None
    if texts.str.contains(_H3).mean() > 0.5:  # type: ignore[operator]  # noqa: PLR2004
        valid = [bool(h3.is_valid_cell(cell)) for cell in texts.unique().to_list() if len(cell) == 15]  # noqa: PLR2004 - digits of H3
        return "h3" if valid and np.mean(valid) > 0.5 else None  # noqa: PLR2004
    has_letter = texts.str.contains("[a-z]").any()
    return "geohash" if texts.str.contains(_GEOHASH).mean() > 0.5 and has_letter else None  # type: ignore[operator]  # noqa: PLR2004


def cell_resolutions(texts: pl.Series, kind: str) -> set[int]:
    """
    Return the resolutions of cells.

    Parameters
    ----------
    texts
        Cells as `cell_texts` returns them.
    kind
        ``h3`` or ``geohash``.

    Returns
    -------
    set of int
        H3 resolutions, or characters of geohashes; invalid cells have none.
    """
    import h3

    cells = texts.unique().drop_nulls().to_list()
    if kind == "h3":
        return {h3.get_resolution(cell) for cell in cells if _is_h3(cell)}
    return {len(cell) for cell in cells if _is_geohash(cell)}


def cell_centres(texts: pl.Series, kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the centres of cells.

    Parameters
    ----------
    texts
        Cells as `cell_texts` returns them, length n.
    kind
        ``h3`` or ``geohash``.

    Returns
    -------
    lon, lat
        Degrees, shape (n,), NaN where a cell is missing or invalid.
    """
    import h3
    import polars as pl

    cells = texts.unique().drop_nulls()
    if kind == "h3":
        centres = [h3.cell_to_latlng(cell)[::-1] if _is_h3(cell) else (None, None) for cell in cells.to_list()]
    else:
        centres = [_geohash_centre(cell) if _is_geohash(cell) else (None, None) for cell in cells.to_list()]
    known = [pl.Series([centre[axis] for centre in centres], dtype=pl.Float64) for axis in (0, 1)]
    lon, lat = (
        texts.replace_strict(cells, values, default=None, return_dtype=pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        for values in known
    )
    return lon, lat


def cell_polygons(cells: Sequence[str], kind: str) -> NDArray[np.object_]:
    """
    Return the polygons of cells.

    Parameters
    ----------
    cells
        Cells as text.
    kind
        ``h3`` or ``geohash``.

    Returns
    -------
    ndarray of object
        Polygons in lon/lat degrees, beyond 180 where a cell crosses that meridian, shape (n,); None where a cell is invalid.
    """
    import h3
    import shapely

    polygons = np.full(len(cells), None, dtype=object)
    is_valid, ring_of = (_is_h3, h3.cell_to_boundary) if kind == "h3" else (_is_geohash, _geohash_ring)
    valid = [place for place, cell in enumerate(cells) if is_valid(cell)]
    if not valid:
        return polygons
    rings = [ring_of(cells[place]) for place in valid]
    ring = np.repeat(np.arange(len(rings)), [len(corners) for corners in rings])
    lat, lon = np.array([corner for corners in rings for corner in corners]).T
    first = lon[np.searchsorted(ring, np.arange(len(rings)))][ring]
    lon = lon - np.round((lon - first) / 360) * 360  # a cell across the 180th meridian goes on beyond it
    polygons[valid] = shapely.polygons(shapely.linearrings(np.column_stack([lon, lat]), indices=ring))
    return polygons


def _is_h3(cell: str) -> bool:
    """Return whether a text is an H3 cell."""
    import h3

    return len(cell) == 15 and cell.isascii() and bool(h3.is_valid_cell(cell))  # noqa: PLR2004 - digits of H3


def _is_geohash(cell: str) -> bool:
    """Return whether a text is a geohash of three or more characters."""
    return 3 <= len(cell) <= 12 and all(sign in _BASE32 for sign in cell)  # noqa: PLR2004 - characters


def _geohash_ring(cell: str) -> tuple[tuple[float, float], ...]:
    """Return latitude and longitude of the corners of a geohash, degrees."""
    lon, lat = _geohash_centre(cell)
    half_lon, half_lat = _geohash_half(len(cell))
    return tuple((lat + north * half_lat, lon + east * half_lon) for east, north in ((-1, -1), (1, -1), (1, 1), (-1, 1)))


def _geohash_half(n_characters: int) -> tuple[float, float]:
    """Return half the width and height of geohashes, degrees: five bits a character, longitude first."""
    n_bits = 5 * n_characters
    return 180.0 / 2 ** ((n_bits + 1) // 2), 90.0 / 2 ** (n_bits // 2)


def _geohash_centre(cell: str) -> tuple[float, float]:
    """Return longitude and latitude of the centre of a geohash, degrees."""
    steps, n_bits = [0, 0], 0
    for sign in cell:
        number = _BASE32.index(sign)
        for shift in range(4, -1, -1):
            steps[n_bits % 2] = steps[n_bits % 2] * 2 + (number >> shift & 1)
            n_bits += 1
    half_lon, half_lat = _geohash_half(len(cell))
    return (2 * steps[0] + 1) * half_lon - 180.0, (2 * steps[1] + 1) * half_lat - 90.0
