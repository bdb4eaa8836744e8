"""Routes of GIS features: lines of any nesting, or points with a route and a sequence."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.text import how_many
from owlbus.plan.drawn_route import DrawnRoute
from owlbus.plan.route_columns import FIRST_DIRECTIONS, column_of, require_order, require_position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_JOIN_DEGREES = 1e-3
"""Parts of a line that end and begin within about 100 m of each other are one line."""

_SIMILAR = 1.3
_TRUE = {"true", "1", "1.0", "yes"}
_ARRAY = re.compile(r"\s*\[[\d\s]*\]\s*")
"""Text of an array of whole numbers, as geopandas writes it."""

_OGR_LIST = re.compile(r"\((\d+):([\d,\s-]*)\)")


class Feature(NamedTuple):
    """
    A geometry with its properties.

    Attributes
    ----------
    number
        Number of the feature in the file, from 1.
    properties
        Values by name.
    geometry
        shapely geometry in lon/lat degrees; None for none.
    """

    number: int
    properties: Mapping[str, Any]
    geometry: BaseGeometry | None


_Line = tuple[Feature, "list[NDArray[np.float64]]"]


def routes_of_features(features: Sequence[Feature]) -> tuple[list[DrawnRoute], tuple[str, ...]]:
    """
    Routes of lines; of points with a route and a sequence if there is no line.

    Parameters
    ----------
    features
        All features of a file.

    Returns
    -------
    tuple
        Routes in the file's order, and notes on features that were left out.

    Raises
    ------
    DataError
        If no feature is a route, parts of a line do not meet, or a position is out of range.
    """
    lines = [(feature, parts) for feature in features if (parts := _lines(feature.geometry))]
    n_points = sum(bool(_points(feature.geometry)) for feature in features)
    if not lines:
        points = _routes_of_points(features)
        if not points:
            msg = "a plan must be a FeatureCollection with at least one LineString, or points with route and sequence; this file holds none"
            for feature in features[:1]:
                kind = "no geometry" if feature.geometry is None else feature.geometry.geom_type
                kind = f"an empty {kind}" if feature.geometry is not None and feature.geometry.is_empty else kind
                msg = f"route {_name(feature)!r} must be a LineString of [lon, lat] positions, got {kind} in feature 1; draw it as a line"
            raise DataError(msg)
        return points, ()
    forth = _first_direction(lines)
    notes = []
    if n_points:
        notes.append(f"left out: {how_many(n_points, 'point')} beside the lines; the lines are the routes")
    if len(forth) < len(lines):
        known = ", ".join(dict.fromkeys(_direction(feature.properties) for feature, _ in lines if feature not in [row for row, _ in forth]))
        notes.append(f"left out: {how_many(len(lines) - len(forth), 'line')} of direction {known}; a route is run back over the same stops")
    return [_route(feature, parts) for feature, parts in _by_name(forth, notes)], tuple(notes)


def _first_direction(lines: Sequence[_Line]) -> list[_Line]:
    """Lines of direction 0 or of none; if there are none, those of the direction that each route begins with."""
    forth = [line for line in lines if _is_forth(line[0].properties)]
    first: dict[str, str] = {}
    for feature, _ in lines:
        first.setdefault(_name(feature), _direction(feature.properties))
    return forth or [line for line in lines if first[_name(line[0])] == _direction(line[0].properties)]


def _by_name(lines: Sequence[_Line], notes: list[str]) -> Iterator[_Line]:
    """Yield a feature for each name with the lines of all features of that name; the way back of two is left out with a note."""
    found: dict[str, _Line] = {}
    for feature, parts in lines:
        name = _name(feature)
        before = found.setdefault(name, (feature, []))[1]
        if len(before) == len(parts) == 1 and _is_there_and_back(before[0], parts[0]):
            notes.append(f"feature {feature.number} is left out, since it is the way back of route {name!r}")
        else:
            before += parts
    for feature, parts in found.values():
        is_split = sum(_name(other) == _name(feature) for other, _ in lines) > 1
        yield feature, _in_order(parts, may_turn=False) if is_split else _in_order(parts)


def _is_forth(properties: Mapping[str, Any]) -> bool:
    """Whether a feature is of the first direction, or of none."""
    return _direction(properties) in FIRST_DIRECTIONS


def _direction(properties: Mapping[str, Any]) -> str:
    """Direction of a feature as text, empty for none."""
    key = column_of(properties, "direction")
    return "" if key is None else _text(properties[key])


def _text(value: Any) -> str:  # noqa: ANN401 - any value of a file
    """Return a value as text, a whole number without decimals, and nothing as empty text."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _flat(geometry: BaseGeometry | None) -> Iterator[BaseGeometry]:
    """Yield the single geometries of one of any nesting."""
    if geometry is None or geometry.is_empty:
        return
    parts = getattr(geometry, "geoms", None)
    if parts is None:
        yield geometry
        return
    for part in parts:
        yield from _flat(part)


def _lines(geometry: BaseGeometry | None) -> list[NDArray[np.float64]]:
    """Positions of each line of a geometry, shape (n, 2)."""
    return [np.asarray(part.coords)[:, :2] for part in _flat(geometry) if part.geom_type in {"LineString", "LinearRing"}]


def _points(geometry: BaseGeometry | None) -> list[tuple[float, float]]:
    """Positions of the points of a geometry."""
    return [
        (float(part.coords[0][0]), float(part.coords[0][1])) for part in _flat(geometry) if part.geom_type == "Point" and not part.is_empty
    ]


def _name(feature: Feature) -> str:
    """Name of a route; its number if it has none."""
    for key in _keys(feature.properties, "name"):
        if name := _text(feature.properties[key]):
            return name
    return f"route {feature.number}"


def _keys(properties: Mapping[str, Any], role: str) -> list[str]:
    """Keys of a role in the order of preference."""
    from owlbus.plan.route_columns import NAME_KEYS

    by_lower = {key.lower(): key for key in reversed(list(properties))}
    return [by_lower[key] for key in NAME_KEYS if key in by_lower] if role == "name" else []


def _route(feature: Feature, parts: list[NDArray[np.float64]]) -> DrawnRoute:
    """Route of the lines of one feature."""
    name = _name(feature)
    points = _joined(name, parts)
    _check(points, f"route {name!r}")
    listed = _positions(feature.properties.get("stop_lonlat", feature.properties.get("stop_lonla")))
    if listed is not None:
        _check(listed, f"route {name!r}")
    stops, back = (_stops(feature.properties.get(key)) for key in ("stops", "back_stops"))
    back = () if str(feature.properties.get("one_way")).strip().lower() in _TRUE else back
    written = _written_m(feature.properties)
    back_points = _positions(feature.properties.get("back_lonlat"))
    return DrawnRoute(name, points, stops, listed, is_line=True, written_m=written, back=back, back_points=back_points)


def _written_m(properties: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the lengths forth and back that a plan was written with, in metres; None without both."""
    values = [
        next((properties[key] for key in keys if key in properties), None) for keys in (("length_m",), ("length_back_m", "length_bac"))
    ]
    try:
        forth, back = (int(value) for value in values)  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError, OverflowError):
        return None
    return forth, back


def _check(points: NDArray[np.float64], source: str) -> None:
    """Refuse positions that look swapped or projected, or are out of range."""
    require_order(points, source)
    for number, (lon, lat) in enumerate(points.tolist(), start=1):
        require_position(lon, lat, f"{source}, position {number}")


def _joined(name: str, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return one line of parts that meet end to end, in their order."""
    if len(parts) == 2 and _is_there_and_back(*parts):  # noqa: PLR2004 - both directions
        msg = f"route {name!r} has two lines that look like both directions; keep the line of the first direction, it is run back as well"
        raise DataError(msg)
    line = parts[0]
    for number, part in enumerate(parts[1:], start=2):
        if np.hypot(*(part[0] - line[-1])) > _JOIN_DEGREES:
            msg = (
                f"route {name!r} has {len(parts)} lines, and line {number} does not begin where the one before it ends; "
                "join them into one LineString in the direction of travel, or give each line a feature and a name of its own"
            )
            raise DataError(msg)
        line = np.concatenate([line, part[1:] if (part[0] == line[-1]).all() else part])
    return line


def _in_order(parts: list[NDArray[np.float64]], *, may_turn: bool = True) -> list[NDArray[np.float64]]:
    """Parts end to end, turned where need be and allowed, if they make one line without a branch; else as they are."""
    ends = np.array([part[[0, -1]] for part in parts]).reshape(-1, 2)
    near = np.hypot(*(ends[:, None] - ends[None]).transpose(2, 0, 1)) <= _JOIN_DEGREES
    near[np.arange(len(ends)), np.arange(len(ends))] = False
    if all(near[2 * k + 1, 2 * k + 2] for k in range(len(parts) - 1)) or near.sum(axis=1).max() > 1:
        return parts
    free = np.flatnonzero(~near.any(axis=1))
    if len(free) != 2:  # noqa: PLR2004 - two ends
        return parts
    chains = [_chain(near, end) for end in free.tolist()]
    if len(chains[0]) < len(parts):
        return parts
    if not may_turn:
        chains = [chain for chain in chains if not any(end % 2 for end in chain)]
        return [parts[end // 2] for end in chains[0]] if chains else parts
    n_kept = [sum(len(parts[end // 2]) for end in chain if end % 2 == 0) for chain in chains]
    return [parts[end // 2] if end % 2 == 0 else parts[end // 2][::-1] for end in chains[int(np.argmax(n_kept))]]


def _chain(near: NDArray[np.bool_], end: int) -> list[int]:
    """Return the ends at which each part begins, along parts that meet at `near` ends; those of part k are 2k and 2k + 1."""
    chain = [end]
    while (following := np.flatnonzero(near[end ^ 1])).size:
        end = int(following[0])
        chain.append(end)
    return chain


def _is_there_and_back(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether the second line leads from the end of the first to its start, about as long."""
    length, length_back = (sum(float(np.hypot(*(b - a))) for a, b in pairwise(line)) for line in (one, other))
    closes = max(np.hypot(*(other[0] - one[-1])), np.hypot(*(other[-1] - one[0]))) <= _JOIN_DEGREES
    return bool(closes and max(length, length_back) <= _SIMILAR * min(length, length_back))


def _stops(value: Any) -> tuple[int, ...] | None:  # noqa: ANN401 - any value of a file
    """Return stop indices of a list, or of its text as GIS programs write it; None for anything else."""
    found = _OGR_LIST.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        numbers = [part for part in found[2].split(",") if part.strip()]
        return _stops([int(part) for part in numbers]) if len(numbers) == int(found[1]) else None
    if isinstance(value, str) and _ARRAY.fullmatch(value):
        return tuple(int(part) for part in value.strip().strip("[]").split()) or None
    values = _listed(value)
    if values is None or not all(isinstance(stop, int) and not isinstance(stop, bool) for stop in values):
        return None
    return tuple(values) or None


def _listed(value: Any) -> list[Any] | None:  # noqa: ANN401 - any value of a file
    """Return a list, or the list that a text holds; None for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None


def _positions(value: Any) -> NDArray[np.float64] | None:  # noqa: ANN401 - any value of a file
    """Return positions of a list of [lon, lat], shape (n, 2), or of its text; None for anything else."""
    values = _listed(value)
    try:
        return None if not values else np.array([[float(position[0]), float(position[1])] for position in values], dtype=np.float64)
    except (LookupError, TypeError, ValueError, OverflowError):
        return None


def _routes_of_points(features: Sequence[Feature]) -> list[DrawnRoute]:
    """Routes of points with a route and a sequence, in order of first appearance; none if a column is missing."""
    rows: dict[str, list[tuple[float, tuple[float, float]]]] = {}
    for feature in features:
        points = _points(feature.geometry)
        route, order = column_of(feature.properties, "route"), column_of(feature.properties, "sequence")
        if len(points) != 1 or route is None or order is None or not _is_forth(feature.properties):
            continue
        try:
            number = float(feature.properties[order])
        except (TypeError, ValueError):
            msg = f"{order} must be a number, got none in feature {feature.number}; mend the feature"
            raise DataError(msg) from None
        rows.setdefault(_text(feature.properties[route]), []).append((number, points[0]))
    routes = [DrawnRoute(name, np.array([point for _, point in sorted(row)], dtype=np.float64)) for name, row in rows.items()]
    for route_ in routes:
        _check(route_.points, f"route {route_.name!r}")
    return routes
