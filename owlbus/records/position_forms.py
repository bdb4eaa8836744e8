"""Forms of positions in a file, decided once from its values: how they are read, in which order and reference system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, setting
from owlbus.grid.axes import MAX_LAT, MAX_LON, MOST, is_in_metres, is_on_earth, is_placeholder, looks_projected, swapped_axes
from owlbus.grid.reference_systems import check_region, to_degrees
from owlbus.records.angles import ANGLE, COMMA, NUMBER, coordinates, hemispheres, is_comma
from owlbus.records.cells import FINEST_COARSE, cell_kind, cell_resolutions, cell_texts
from owlbus.records.point_columns import POINT_READERS, reader_of, srids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.read_options import ReadOptions
    from owlbus.records.schema import Layout

_SAMPLE_ROWS = 4096
_THOUSANDS = r"^\s*[+-]?\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d+)?\s*$"
_SCALES = ("1e-6 degrees", "1e-7 degrees")
_GULF_OF_GUINEA = (
    (-18.0, 9.1),
    (-13.3, 8.6),
    (-11.6, 6.7),
    (-9.2, 4.9),
    (-7.6, 4.2),
    (-5.8, 4.9),
    (-3.2, 5.0),
    (-2.1, 4.65),
    (-0.9, 5.1),
    (1.2, 5.9),
    (4.4, 6.2),
    (6.0, 4.1),
    (8.2, 4.3),
    (8.3, 3.1),
    (9.6, 3.1),
    (9.6, 2.2),
    (9.2, 0.9),
    (8.6, -0.8),
    (10.9, -4.0),
    (12.1, -6.1),
    (13.1, -9.1),
)
"""Coast of Africa from 9° north to 9° south, degrees, drawn a little out to sea; islands are left out."""


@dataclass(frozen=True, slots=True)
class PositionForm:
    """
    How a position is read.

    Attributes
    ----------
    readers
        Form of the longitude and of the latitude column, or of the one column with a point, path or cell.
    crs
        Reference system, or scaled degrees such as ``1e-6 degrees``; None for degrees WGS 84.
    is_lat_first
        Whether a point has its latitude first.
    is_wide
        Whether cells are too wide to stand for their centre, so that each is a zone.
    """

    readers: tuple[str, ...]
    crs: str | None = None
    is_lat_first: bool = False
    is_wide: bool = False


def position_forms(
    name: str,
    frame: pl.LazyFrame,
    layout: Layout,
    options: ReadOptions,
    geometry_crs: Mapping[str, str] | None = None,
    head: pl.LazyFrame | None = None,
) -> dict[str, PositionForm]:
    """
    Return the form of each position of a file, decided once for the whole file.

    Parameters
    ----------
    name
        File name, for messages.
    frame
        Its rows under owlbus' names.
    layout
        Kind and columns.
    options
        How records are to be read.
    geometry_crs
        Reference system by file column, as the file itself states it.
    head
        Its first rows; those of `frame` by default.

    Returns
    -------
    dict
        Form by owlbus' name of the point, cell or path, or of the longitude; plain degrees and columns without values have none.

    Raises
    ------
    DataError
        If a column can be read in several ways, or in none.
    UsageError
        If the reference system is unknown.
    """
    forms: dict[str, PositionForm] = {}
    swapped: dict[tuple[str, ...], tuple[str, str]] = {}
    rows = Rows(frame, frame.head(_SAMPLE_ROWS) if head is None else head)
    ends: list[tuple[str, ...]] = [end for end in (layout.kind.position, layout.kind.destination) if end]
    for columns in ends:
        role = layout.stand_in_of(columns[0])
        form = None
        if role is None and set(columns) <= layout.names.keys():
            place, role = f"{name}: {layout.names[columns[0]]}, {layout.names[columns[1]]}", columns[0]
            try:
                form = _pair_form(place, rows, columns, options)
            except _SwappedError as error:
                swapped[columns] = place, str(error)
        elif role is not None and role.endswith("cell"):
            form = _cell_form(name, rows, role, layout)
        elif role is not None and role.endswith(("position", "path")) and role not in forms:
            form = _point_form(name, rows, role, layout, options, (geometry_crs or {}).get(layout.names[role]))
        if form is not None and role is not None:
            forms[role] = form
    if swapped:
        raise swapped_columns(*next(iter(swapped.values())), tuple(swapped), layout)
    return forms


class _SwappedError(ValueError):
    """Two columns that look swapped; its text is what shows it."""


class Rows(NamedTuple):
    """
    Rows of a file under owlbus' names.

    Attributes
    ----------
    whole, first
        All rows, and the first of them.
    """

    whole: pl.LazyFrame
    first: pl.LazyFrame


def sample_of(rows: Rows, columns: tuple[str, ...]) -> pl.DataFrame:
    """
    Return the first rows of a file that have values in all columns.

    Parameters
    ----------
    rows
        The rows.
    columns
        Columns; blank text is no value.

    Returns
    -------
    DataFrame
        At most 4,096 rows of the columns; from the whole file if its first rows have no values.
    """
    import polars as pl

    first = rows.first.select(columns).collect()
    has_value = [pl.col(column).is_not_null() for column in columns]
    has_value += [pl.col(column).str.strip_chars() != "" for column in columns if first.schema[column] == pl.String]
    sample = first.filter(has_value)
    return sample if sample.height else rows.whole.select(columns).filter(has_value).head(_SAMPLE_ROWS).collect()


def _pair_form(place: str, rows: Rows, columns: tuple[str, ...], options: ReadOptions) -> PositionForm | None:
    """Return the form of two columns, None for plain degrees."""
    sample = sample_of(rows, columns)
    if not sample.height:
        return None
    readers = tuple(_reader_of_numbers(place, sample[column]) for column in columns)
    x, y = (coordinates(sample[column], reader) for column, reader in zip(columns, readers, strict=True))
    if ANGLE in readers:
        _check_hemispheres(sample, columns, readers)
    crs = _system(place, x, y, options.crs)
    if crs is not None:
        found = swapped_axes(*to_degrees(x, y, crs))
        if found:
            raise _SwappedError(found)
    return None if set(readers) == {NUMBER} and crs is None else PositionForm(readers, crs)


def _reader_of_numbers(place: str, column: pl.Series) -> str:
    """Return the form of a column of one coordinate, told by values without blanks."""
    import polars as pl

    if column.dtype != pl.String:
        return NUMBER
    if is_comma(column):
        return COMMA
    if np.isfinite(coordinates(column, NUMBER)).mean() > MOST:
        return NUMBER
    if np.isfinite(coordinates(column, ANGLE)).mean() > MOST:
        return ANGLE
    if column.str.contains(_THOUSANDS).mean() > MOST:  # type: ignore[operator]
        msg = f"{place}: numbers look like 999.999,99 with separators of thousands; write them without, and with a decimal point"
        raise DataError(msg)
    return NUMBER


def _check_hemispheres(sample: pl.DataFrame, columns: tuple[str, ...], readers: tuple[str, ...]) -> None:
    """Reject angles whose letters say that the other coordinate is meant."""
    letters = [hemispheres(sample[column]) if reader == ANGLE else set() for column, reader in zip(columns, readers, strict=True)]
    if letters[0] & {"N", "S"} or letters[1] & {"E", "W"}:
        msg = "the longitude has N or S, or the latitude E or W"
        raise _SwappedError(msg)


def swapped_columns(place: str, found: str, pairs: Sequence[tuple[str, ...]], layout: Layout) -> DataError:
    """
    Return the error for pairs of columns that look swapped.

    Parameters
    ----------
    place
        File, for the message.
    found
        What shows it.
    pairs
        Owlbus' names of longitude and latitude of each pair.
    layout
        Kind and columns.

    Returns
    -------
    DataError
        With the mapping that swaps the columns.
    """
    mapping = {name: layout.names[other] for lon, lat in pairs for name, other in ((lon, lat), (lat, lon))}
    msg = f"{place}: {found}, so the two columns look swapped; swap them with {setting('columns', mapping)}"
    return DataError(msg, setting="columns")


def _system(place: str, x: NDArray[np.float64], y: NDArray[np.float64], crs: str | None) -> str | None:
    """Return the reference system of coordinates, None for degrees; reject those that have none that is certain."""
    if crs is not None:
        check_region(place, x, y, crs)
        return crs
    use = np.isfinite(x) & np.isfinite(y) & ~is_placeholder(x, y)
    x, y = x[use], y[use]
    if not x.size or (is_on_earth(x, y) | is_on_earth(y, x)).mean() > MOST:
        return None
    is_whole = ((x == np.floor(x)) & (y == np.floor(y))).mean() > MOST
    scales = _scales(x, y) if is_whole else []
    if scales and is_in_metres(x, y).mean() > MOST:
        scales.append("EPSG:25833")
    if len(scales) > 1 or (scales and scales != [_SCALES[0]] and scales != [_SCALES[1]]):
        ways = " or ".join(setting("crs", scale) for scale in scales)
        msg = f"{place}: whole numbers beyond 180 may be parts of a degree or metres; name which they are, such as {ways}"
        raise DataError(msg, setting="crs")
    if scales:
        return scales[0]
    if looks_projected(x, y):
        msg = f"{place}: positions look like metres of a projected system; name it with {setting('crs', 'EPSG:25833')} or whichever it is"
        raise DataError(msg, setting="crs")
    return None


def _scales(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[str]:
    """Return the scaled degrees that whole numbers can be: 1e-7 is left out where 1e-6 fits and 1e-7 would lead into the sea."""
    import shapely

    fits = [scale for scale in _SCALES if _on_earth_by(x, y, scale).mean() > 1 - MOST / 10]
    if fits != list(_SCALES):
        return fits
    land = shapely.Polygon([*_GULF_OF_GUINEA, (18.1, -9.1), (18.1, 9.1)])
    islands = shapely.union_all([shapely.box(6.3, -0.1, 7.6, 1.8), shapely.box(5.5, -1.6, 5.8, -1.3)])
    corners = [land.union(islands).contains(shapely.Point(a / 1e7, b / 1e7)) for a, b in _middles(x, y)]
    return fits if any(corners) else fits[:1]


def _middles(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the median position and the quartiles, in either order of the axes."""
    spots = [(float(np.quantile(x, q)), float(np.quantile(y, r))) for q in (0.05, 0.5, 0.95) for r in (0.05, 0.5, 0.95)]
    return spots + [(b, a) for a, b in spots]


def _on_earth_by(x: NDArray[np.float64], y: NDArray[np.float64], scale: str) -> NDArray[np.bool_]:
    """Return which positions lie on Earth by a scale, in either order of the axes."""
    lon, lat = to_degrees(x, y, scale)
    return is_on_earth(lon, lat) | is_on_earth(lat, lon)


def _cell_form(name: str, rows: Rows, role: str, layout: Layout) -> PositionForm | None:
    """Return the form of a column of cells."""
    column = layout.names[role]
    cells = cell_texts(sample_of(rows, (role,))[role])
    if not len(cells):
        return None
    kind = cell_kind(cells)
    if kind is None:
        antenna = role.replace("cell", "antenna")
        ways = f"{setting('columns', {antenna: column})} or {setting('columns', {role.replace('cell', 'zone'): column})}"
        msg = f"{name}: {column} holds neither H3 cells nor geohashes; if it names antennas or zones, say so with {ways}"
        raise DataError(msg, setting="columns")
    return PositionForm((kind,), is_wide=bool(_wide(cells, kind)))


def check_resolution(place: str, cells: pl.Series, kind: str) -> None:
    """
    Reject cells that are too coarse to stand for their centre, in a column whose first cells are finer.

    Parameters
    ----------
    place
        File name and column, for the message.
    cells
        Cells as text.
    kind
        ``h3`` or ``geohash``.

    Raises
    ------
    DataError
        If one is as wide as a hex, or wider.
    """
    coarse = _wide(cells, kind)
    if not coarse:
        return
    what = f"H3 cells of resolution {min(coarse)}" if kind == "h3" else f"geohashes of {min(coarse)} characters"
    least = f"{FINEST_COARSE[kind] + 1} {'or finer' if kind == 'h3' else 'or more'}"
    msg = f"{place} holds {what} after finer ones, which are too wide for one position; give all cells of {least}, or all of one width"
    raise DataError(msg)


def _wide(cells: pl.Series, kind: str) -> list[int]:
    """Return the resolutions of the cells that are too coarse to stand for their centre."""
    return [resolution for resolution in cell_resolutions(cells, kind) if resolution <= FINEST_COARSE[kind]]


def _point_form(name: str, rows: Rows, role: str, layout: Layout, options: ReadOptions, stated: str | None) -> PositionForm | None:
    """Return the form of a column with a point or a path."""
    column = layout.names[role]
    place = f"{name}: {column}"
    values = sample_of(rows, (role,))[role]
    if not len(values):
        return None
    reader = reader_of(values)
    if reader is None:
        forms = ", ".join(dict.fromkeys(form.says for form in POINT_READERS.values()))
        msg = f"{place} holds no {'paths' if role == 'path' else 'points'} that can be read; known are {forms}"
        raise DataError(msg)
    x, y = POINT_READERS[reader].read(values, 0)
    if reader in {"wkb", "wkt"}:
        stated = stated or _stated_system(place, values)
    crs = _system(place, x, y, stated or options.crs)
    lon, lat = to_degrees(x, y, crs)
    if POINT_READERS[reader].order == "fixed":
        return PositionForm((reader,), crs)
    is_lat_first = bool(swapped_axes(lon, lat))
    if POINT_READERS[reader].order == "ask" and not is_lat_first:
        is_lat_first = _asked_order(place, rows, role, reader, crs, column)
    return PositionForm((reader,), crs, is_lat_first)


def _stated_system(place: str, values: pl.Series) -> str | None:
    """Return the reference system that EWKB or EWKT states, None if it states none."""
    codes = srids(values)
    if len(codes) > 1:
        msg = f"{place} states {len(codes)} reference systems; write all points in one"
        raise DataError(msg)
    code = next(iter(codes), 0)
    return f"EPSG:{code}" if code else None


def _asked_order(place: str, rows: Rows, role: str, reader: str, crs: str | None, column: str) -> bool:
    """Return whether pairs have their latitude first: by the name of the column, or by ranges over the whole file; else reject them."""
    if crs is not None and "degrees" not in crs:
        return False
    letters = "".join(filter(str.isalpha, column.lower()))
    named = [letters.find("lat"), max(letters.find("lon"), letters.find("lng"))]
    if min(named) >= 0:
        return named[0] < named[1]
    n_first, n_second = 0, 0
    for batch in rows.whole.select(role).collect_batches(maintain_order=True):
        x, y = to_degrees(*POINT_READERS[reader].read(batch[role], 0), crs)
        lon_first, lat_first = is_on_earth(x, y), is_on_earth(y, x)
        n_first, n_second = n_first + int((lon_first & ~lat_first).sum()), n_second + int((lat_first & ~lon_first).sum())
    if not n_first and not n_second:
        msg = (
            f"{place} holds pairs of numbers within {MAX_LAT:g}, so longitude may be first or second (up to {MAX_LON:g}); "
            "call the column lat_lon or lon_lat, or split it into two"
        )
        raise DataError(msg)
    return n_second > n_first
