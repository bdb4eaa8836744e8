"""Read tables of way-points: CSV with usual column names, separators and decimal marks."""

from __future__ import annotations

import csv
import difflib
import math
import re
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.plan.match_route import DrawnRoute
from owlbus.plan.route_columns import FIRST_DIRECTIONS, column_of, require_order, require_position
from owlbus.records.text_lines import split_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = ("route", "sequence", "lon", "lat")
_SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


def routes_of_table(text: str) -> list[DrawnRoute]:
    """
    Routes of a way-point table, in order of first appearance.

    Parameters
    ----------
    text
        Rows of CSV with a header; the separator that its header has most of.

    Returns
    -------
    list of DrawnRoute
        Way-points of direction 0, by sequence.

    Raises
    ------
    DataError
        If a column is missing or ambiguous, or a number or position is out of range.
    """
    head = text.lstrip("\r\n").partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    rows = csv.DictReader(split_lines(text), restval="", delimiter=separator)
    names = [name.strip() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    route, *numbers = _columns(names)
    direction = column_of(names, "direction")
    is_comma = separator != ","
    waypoints: dict[str, list[tuple[float, tuple[float, float]]]] = {}
    kept = []
    for number, row in enumerate(rows, start=2):
        if direction is None or (row[direction] or "").strip() in FIRST_DIRECTIONS:
            sequence, lon, lat = (_number(row[column], column, number, is_comma=is_comma) for column in numbers)
            kept.append((number, lon, lat))
            waypoints.setdefault((row[route] or "").strip(), []).append((sequence, (lon, lat)))
    require_order([(lon, lat) for _, lon, lat in kept], "way-points")
    for number, lon, lat in kept:
        require_position(lon, lat, f"line {number}")
    if not waypoints:
        msg = "a plan needs at least one route; the table holds no way-point of direction 0"
        raise DataError(msg)
    return [
        DrawnRoute(name, np.array([point for _, point in sorted(points, key=itemgetter(0))], dtype=np.float64))
        for name, points in waypoints.items()
    ]


def _columns(names: Sequence[str]) -> list[str]:
    """Columns of route, sequence, lon and lat; refuse a table without one."""
    if not names:
        msg = f"the file is empty; a way-point table needs the columns {', '.join(_NEEDED)}"
        raise DataError(msg)
    found = {role: column_of(names, role) for role in _NEEDED}
    missing = [role for role, column in found.items() if column is None]
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"the table has {', '.join(names)}"
        msg = f"a way-point table needs the column {missing[0]!r} ({len(missing)} missing); {hint}"
        raise DataError(msg)
    return [column for column in found.values() if column is not None]


def _number(text: str | None, column: str, line: int, *, is_comma: bool) -> float:
    """Finite number of a field, with a decimal comma where the separator is another."""
    try:
        value = float(text.replace(",", ".") if text and is_comma and _DECIMAL_COMMA.fullmatch(text) else text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = f"{column} must be a finite number, got {text!r} on line {line}; mend the line"
        raise DataError(msg)
    return value
