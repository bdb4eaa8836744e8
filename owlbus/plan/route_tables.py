"""Routes of tables: way-points by position or name of their stop, or lines as WKT, with usual column names and decimal marks."""

from __future__ import annotations

import csv
import difflib
import math
import re
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.text import how_many
from owlbus.plan.drawn_route import DrawnRoute
from owlbus.plan.route_columns import FIRST_DIRECTIONS, column_of, require_order, require_position
from owlbus.plan.route_features import Feature, routes_of_features
from owlbus.records.text_lines import split_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_NEEDED = ("route", "sequence", "lon", "lat")
_SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d{1,3},\d+\s*")


def rows_of_text(text: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """
    Rows of a table of text.

    Parameters
    ----------
    text
        Rows of CSV with a header; the separator that its header has most of.

    Returns
    -------
    names, rows
        Columns, and the number of the line of each row with its fields by column.
    """
    head = text.lstrip("\r\n").partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.DictReader(split_lines(text), restval="", delimiter=separator)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    return names, [(number, {name: row[name] or "" for name in names}) for number, row in enumerate(reader, start=2)]


def routes_of_table(names: Sequence[str], rows: Sequence[tuple[int, Mapping[str, str]]]) -> tuple[list[DrawnRoute], tuple[str, ...]]:
    """
    Routes of a table: way-points by position or by the name of their stop, or lines as WKT.

    Parameters
    ----------
    names
        Columns of the table.
    rows
        Number of the line of each row, and its fields by column.

    Returns
    -------
    tuple
        Routes in order of first appearance, of the first direction by sequence; and notes on rows that were left out.

    Raises
    ------
    DataError
        If a column is missing or ambiguous, or a number or position is out of range.
    """
    drawn = _lines_of_wkt(names, rows)
    if drawn is not None:
        return drawn
    has_positions = column_of(names, "lon") is not None or column_of(names, "stop") is None
    route, sequence, *place = _columns(names, ("route", "sequence", *(("lon", "lat") if has_positions else ("stop",))))
    forth, notes = _first_direction(names, route, rows)
    if not forth:
        msg = "a plan needs at least one route; the table holds no way-point of direction 0"
        raise DataError(msg)
    orders = [_number(row[sequence], sequence, number) for number, row in forth]
    points = _positions(forth, place) if has_positions else np.empty((0, 2))
    waypoints: dict[str, list[int]] = {}
    for k in np.argsort(orders, kind="stable").tolist():
        waypoints.setdefault(forth[k][1][route].strip(), []).append(k)
    routes = []
    for name in dict.fromkeys(row[route].strip() for _, row in forth):
        if has_positions:
            routes.append(DrawnRoute(name, points[waypoints[name]]))
        else:
            routes.append(DrawnRoute(name, points, stop_names=tuple(forth[k][1][place[0]].strip() for k in waypoints[name])))
    return routes, notes


def _lines_of_wkt(names: Sequence[str], rows: Sequence[tuple[int, Mapping[str, str]]]) -> tuple[list[DrawnRoute], tuple[str, ...]] | None:
    """Return routes of a column of lines or points as WKT; None if there is none."""
    import shapely

    column = column_of(names, "geometry")
    if column is None:
        return None
    texts = [re.sub(r"(?i)^\s*SRID=4326\s*;", "", row[column]) for _, row in rows]
    shapes = shapely.from_wkt(np.array(texts, dtype=object), on_invalid="ignore")
    if not any(shape is not None for shape in shapes):
        return None
    broken = next((number for (number, _), text, shape in zip(rows, texts, shapes, strict=True) if shape is None and text.strip()), None)
    if broken is not None:
        msg = f"{column} must be a geometry as WKT in degrees WGS 84, and is none on line {broken}; mend the line"
        raise DataError(msg)
    features = [Feature(number - 1, row, shapely.force_2d(shape)) for (number, row), shape in zip(rows, shapes, strict=True)]
    return routes_of_features(features)


def _first_direction(
    names: Sequence[str], route: str, rows: Sequence[tuple[int, Mapping[str, str]]]
) -> tuple[list[tuple[int, Mapping[str, str]]], tuple[str, ...]]:
    """Return the rows of the first direction: 0 or none, else the one that each route begins with; and a note on the others."""
    column = column_of(names, "direction")
    if column is None:
        return list(rows), ()
    values = [row[column].strip() for _, row in rows]
    if any(value in FIRST_DIRECTIONS for value in values):
        return [row for row, value in zip(rows, values, strict=True) if value in FIRST_DIRECTIONS], ()
    first: dict[str, str] = {}
    for (_, row), value in zip(rows, values, strict=True):
        first.setdefault(row[route], value)
    kept = [row for row, value in zip(rows, values, strict=True) if first[row[1][route]] == value]
    if len(kept) == len(rows):
        return kept, ()
    known = ", ".join(repr(value) for value in dict.fromkeys(first.values()))
    return kept, (
        f"left out: {how_many(len(rows) - len(kept), 'row')} whose {column} is not {known}; a route is run back over the same stops",
    )


def _positions(rows: Sequence[tuple[int, Mapping[str, str]]], place: Sequence[str]) -> NDArray[np.float64]:
    """Positions of rows, shape (n, 2); refuse those that are out of range, look swapped or projected."""
    points = np.array([[_number(row[column], column, number) for column in place] for number, row in rows], dtype=np.float64)
    require_order(points, "way-points")
    for (number, _), (lon, lat) in zip(rows, points.tolist(), strict=True):
        require_position(lon, lat, f"line {number}")
    return points


def _columns(names: Sequence[str], roles: Sequence[str]) -> list[str]:
    """Columns of some roles; refuse a table without one."""
    if not names:
        msg = f"the file is empty; a way-point table needs the columns {', '.join(_NEEDED)}"
        raise DataError(msg)
    found = {role: column_of(names, role) for role in roles}
    missing = [role for role, column in found.items() if column is None]
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"the table has {', '.join(names)}"
        msg = f"a way-point table needs the column {missing[0]!r} ({len(missing)} missing); {hint}"
        raise DataError(msg)
    return [column for column in found.values() if column is not None]


def _number(text: str, column: str, line: int) -> float:
    """Finite number of a field, with a decimal point or comma."""
    try:
        value = float(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = f"{column} must be a finite number, got {text!r} on line {line}; mend the line"
        raise DataError(msg)
    return value
