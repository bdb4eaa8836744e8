"""Points in one column as two coordinates: WKT, WKB, GeoJSON, pairs, structures and lists."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.records.angles import angles

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray
    from polars.datatypes import DataTypeClass

_NUM = r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)"
_WKT_POINT = rf"(?i)^\s*(?:SRID=\d+\s*;)?\s*POINT\s*(?:Z|M|ZM)?\s*\(\s*{_NUM}\s+{_NUM}(?:\s+{_NUM}){{0,2}}\s*\)\s*$"
_WKT_LINE = r"(?i)^\s*(?:SRID=\d+\s*;)?\s*LINESTRING\s*(?:Z|M|ZM)?\s*\("
_WKT_FIRST, _WKT_LAST = rf"{_WKT_LINE}\s*{_NUM}\s+{_NUM}[^,()]*[,)]", rf"[,(]\s*{_NUM}\s+{_NUM}(?:\s+{_NUM}){{0,2}}\s*\)\s*$"
_SRID = r"(?i)^\s*SRID=(\d+)\s*;"
_JSON_PAIR = rf"\[\s*{_NUM}\s*,\s*{_NUM}\s*(?:,\s*{_NUM}\s*)?\]"
_GEOJSON_POINT = rf'(?s)^\s*\{{.*"coordinates"\s*:\s*{_JSON_PAIR}.*\}}\s*$'
_JSON_LIST = rf"^\s*{_JSON_PAIR}\s*$"
_PAIR = rf"^\s*[(\[]?\s*{_NUM}\s*(?:[,;|/]\s*|\s+){_NUM}\s*[)\]]?\s*$"
_LETTERED = r"(?i)^\s*([^NSEW]+[NSEW])\s*[,;/]?\s*([^NSEW]+[NSEW])\s*$"
_HEX = r"^\s*0[01](?:[0-9A-Fa-f]{2}){20,}\s*$"
_JSON_FIRST = rf"^\s*\[\s*{_JSON_PAIR}"
_JSON_LAST = rf"{_JSON_PAIR}\s*\]\s*$"
_GEOJSON_FIRST, _GEOJSON_LAST = rf'(?s)"coordinates"\s*:\s*\[\s*{_JSON_PAIR}', rf"(?s){_JSON_PAIR}\s*\][^\[\]]*\}}\s*$"

_X_NAMES, _Y_NAMES = ("lon", "lng", "long", "longitude", "x"), ("lat", "latitude", "y")

Points = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""Two coordinates in the order of a column, each of shape (n,), NaN where missing."""


class PointReader(NamedTuple):
    """
    How a form of points is read.

    Attributes
    ----------
    read
        Function of a column and of which point of a path: 0 for the first, -1 for the last.
    order
        Order of the coordinates where ranges do not settle it: ``lonlat``, or ``ask``.
    says
        What the form is called in messages.
    """

    read: Callable[[pl.Series, int], Points]
    order: str
    says: str


def _numbers_of(texts: pl.Series, pattern: str) -> Points:
    """Return the first two groups of a pattern as numbers."""
    import polars as pl

    first, second = (
        texts.str.extract(pattern, group).cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(np.float64) for group in (1, 2)
    )
    missing = np.isnan(first) | np.isnan(second)
    return np.where(missing, np.nan, first), np.where(missing, np.nan, second)


def _none(column: pl.Series) -> Points:
    """Return no coordinates."""
    return np.full(len(column), np.nan), np.full(len(column), np.nan)


def _wkt(column: pl.Series, end: int) -> Points:
    """Return points, or one end of lines, written as WKT."""
    import polars as pl

    is_line = column.str.contains(_WKT_LINE)
    if not is_line.any():
        return _numbers_of(column, _WKT_POINT)
    lines = pl.select(pl.when(is_line).then(column)).to_series()
    return _numbers_of(lines, _WKT_FIRST if end == 0 else _WKT_LAST)


def _wkb(column: pl.Series, end: int) -> Points:
    """Return points, or one end of lines, written as WKB: bytes, or their hexadecimal digits."""
    import polars as pl
    import shapely

    if column.dtype == pl.String:
        column = pl.select(pl.when(column.str.contains(_HEX)).then(column.str.strip_chars())).to_series().str.decode("hex", strict=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = shapely.from_wkb(np.array(column.to_list(), dtype=object), on_invalid="ignore")
    kind = shapely.get_type_id(shapes)
    is_single = (kind == shapely.GeometryType.MULTIPOINT) & (shapely.get_num_geometries(shapes) == 1)
    points = np.where(is_single, shapely.get_geometry(shapes, 0), shapes)
    points = np.where(kind == shapely.GeometryType.LINESTRING, shapely.get_point(shapes, end), points)
    return shapely.get_x(points), shapely.get_y(points)


def srids(column: pl.Series) -> set[int]:
    """
    Return the numbers of the reference systems in a column of EWKB or EWKT.

    Parameters
    ----------
    column
        Texts or bytes.

    Returns
    -------
    set of int
        EPSG codes; 0 stands for none.
    """
    import polars as pl
    import shapely

    column = column.drop_nulls()
    if column.dtype == pl.String and not column.str.contains(_HEX).any():
        return {int(code) for code in column.str.extract(_SRID, 1).fill_null("0").unique().to_list() if len(code) < 7}  # noqa: PLR2004
    if column.dtype == pl.String:
        column = column.str.strip_chars().str.decode("hex", strict=False).drop_nulls()
    if column.dtype != pl.Binary:
        return {0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = shapely.from_wkb(np.array(column.to_list(), dtype=object), on_invalid="ignore")
    return {int(code) for code in np.unique(shapely.get_srid(shapes)) if code >= 0}


def _geojson(column: pl.Series, end: int) -> Points:
    """Return points, or one end of lines, written as GeoJSON or as JSON lists."""
    import polars as pl

    points = _numbers_of(column, _GEOJSON_POINT)
    is_point = ~np.isnan(points[0]) & column.str.contains('"Point"', literal=True).fill_null(value=False).to_numpy()
    is_line = column.str.contains('"LineString"', literal=True)
    lines = _numbers_of(pl.select(pl.when(is_line).then(column)).to_series(), _GEOJSON_FIRST if end == 0 else _GEOJSON_LAST)
    return np.where(is_point, points[0], lines[0]), np.where(is_point, points[1], lines[1])


def _json_list(column: pl.Series, end: int) -> Points:
    """Return points as JSON lists, or one end of lists of them."""
    first, second = _numbers_of(column, _JSON_LIST)
    paths = _numbers_of(column, _JSON_FIRST if end == 0 else _JSON_LAST)
    return np.where(np.isnan(first), paths[0], first), np.where(np.isnan(first), paths[1], second)


def _pair(column: pl.Series, end: int) -> Points:
    """Return two numbers of a text with a comma, semicolon, bar or blank between them."""
    del end
    return _numbers_of(column, _PAIR)


def _lettered(column: pl.Series, end: int) -> Points:
    """Return two angles of a text, longitude first, by the letters of their hemispheres."""
    del end

    parts = [column.str.extract(_LETTERED, group) for group in (1, 2)]
    is_lat = [part.str.contains(r"(?i)[NS]\s*$").fill_null(value=False) for part in parts]
    values = [angles(part) for part in parts]
    lat_first = (is_lat[0] & ~is_lat[1]).to_numpy()
    fits = (is_lat[0] != is_lat[1]).to_numpy() & ~np.isnan(values[0]) & ~np.isnan(values[1])
    return (
        np.where(fits, np.where(lat_first, values[1], values[0]), np.nan),
        np.where(fits, np.where(lat_first, values[0], values[1]), np.nan),
    )


def _nested(column: pl.Series, end: int) -> Points:
    """Return points of a structure or a list, or one end of lists of them."""
    import polars as pl

    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List) and (column.dtype.inner.is_nested()):
        return _nested(column.list.first() if end == 0 else column.list.last(), end)
    if isinstance(column.dtype, pl.List) and column.dtype.inner.is_numeric():
        n_numbers = column.list.len()
        column = pl.select(pl.when(n_numbers.is_between(2, 4)).then(column)).to_series()
        parts = [column.list.get(place, null_on_oob=True) for place in (0, 1)]
    elif isinstance(column.dtype, pl.Struct) and (fields := _fields(column.dtype)):
        parts = [column.struct.field(name) for name in fields]
    else:
        return _none(column)
    x, y = (part.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(np.float64) for part in parts)
    missing = np.isnan(x) | np.isnan(y)
    return np.where(missing, np.nan, x), np.where(missing, np.nan, y)


def _fields(struct: pl.Struct) -> tuple[str, str] | None:
    """Return the fields of longitude and latitude of a structure, or None."""
    names = {field.name.strip().lower(): field.name for field in struct.fields if field.dtype.is_numeric() or str(field.dtype) == "String"}
    found = [next((names[name] for name in known if name in names), None) for known in (_X_NAMES, _Y_NAMES)]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def holds_points(dtype: pl.DataType | DataTypeClass) -> bool:
    """
    Return whether a nested column can hold points: a structure of two coordinates, or lists of numbers.

    Parameters
    ----------
    dtype
        Type of the column.

    Returns
    -------
    bool
        False for any other structure or list.
    """
    import polars as pl

    if isinstance(dtype, pl.List | pl.Array):
        return dtype.inner.is_numeric() or holds_points(dtype.inner)
    return isinstance(dtype, pl.Struct) and _fields(dtype) is not None


POINT_READERS = {
    "wkt": PointReader(_wkt, "lonlat", "WKT"),
    "wkb": PointReader(_wkb, "lonlat", "WKB"),
    "geojson": PointReader(_geojson, "lonlat", "GeoJSON"),
    "json list": PointReader(_json_list, "lonlat", "lists [lon, lat]"),
    "lettered": PointReader(_lettered, "fixed", "pairs of angles with N, S, E, W"),
    "pair": PointReader(_pair, "ask", "pairs of numbers"),
    "struct": PointReader(_nested, "fixed", "structures with lon and lat"),
    "list": PointReader(_nested, "lonlat", "lists [lon, lat]"),
}
"""Readers by form, the strictest first."""


def reader_of(column: pl.Series) -> str | None:
    """
    Return the form of a column of points or paths, told by its values.

    Parameters
    ----------
    column
        Some values, none missing.

    Returns
    -------
    str or None
        Key of `POINT_READERS` whose form most values have; None if there is none.
    """
    import polars as pl

    if not len(column):
        return None
    if isinstance(column.dtype, pl.Struct):
        forms = ["struct"]
    elif isinstance(column.dtype, pl.List | pl.Array):
        forms = ["list"]
    elif column.dtype == pl.Binary:
        forms = ["wkb"]
    elif column.dtype == pl.String:
        forms = ["wkt", "wkb", "geojson", "json list", "lettered", "pair"]
    else:
        return None
    if forms == ["list"] and isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        while isinstance(inner, pl.List | pl.Array):
            inner = inner.inner
        forms = ["struct"] if isinstance(inner, pl.Struct) else forms
    return next((form for form in forms if np.isfinite(POINT_READERS[form].read(column, 0)[0]).mean() > 0.5), None)  # noqa: PLR2004
