"""Build the GeoJSON files of a sample city from CSV tables."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.sample.city import STREET_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

    Row = dict[str, str]
    Feature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CityFacts:
    """
    Attributes of a city that are not in its tables.

    Attributes
    ----------
    name
        Short name, also of the folder.
    title
        Display name.
    routes
        File name of the historical routes.
    n_hexes
        Hexes of the preset grid.
    radius_m
        Circumradius of its hexes in metres.
    road_factor
        Street metres over the straight metres of the street links, dimensionless; without effect on a city without them.
    """

    name: str = "seoul"
    title: str = "Seoul, 2013"
    routes: str = "routes_2013.geojson"
    n_hexes: int = 1252
    radius_m: float = 500.0
    road_factor: float = 1.2


def build_city(source: str | PathLike[str], out: str | PathLike[str], facts: CityFacts | None = None) -> Path:
    """
    Write a city's GeoJSON files from its tables.

    Tables (CSV, lon before lat, degrees): ``outline`` (closed ring), ``districts`` (district, residents_thousand),
    ``night_spots`` (place, weight), ``han_river`` or ``river`` (centreline), ``bridges``, ``mountains`` (name, radius_m) and
    ``routes_2013`` or ``routes`` (route, sequence). The tables of a street network, ``street_stops`` and ``street_links``, are copied
    as they are; without them the city has the hex lattice.

    Parameters
    ----------
    source
        Folder of the tables.
    out
        Output folder; created if missing.
    facts
        Name and preset of the city; Seoul's by default.

    Returns
    -------
    Path
        The folder written, which `read_city` reads.

    Raises
    ------
    DataError
        If a table is missing or a field is not a number.
    """
    about = facts or CityFacts()
    tables, root = Path(source), Path(out)
    files = {f"{name}.geojson": _collection(note, features) for name, note, features in _layers(tables)}
    files[about.routes] = _collection(
        "Way-points of the routes that ran, one direction, approximate.", _routes(_rows(tables, "routes_2013", "routes"))
    )
    streets = _street_tables(tables)
    preset = {"name": about.name, "title": about.title, "n_hexes": about.n_hexes, "radius_m": about.radius_m, "routes": about.routes}
    files["city.json"] = json.dumps(preset | ({"road_factor": about.road_factor} if streets else {}), indent=2)
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name).write_text(text + "\n", encoding="utf-8", newline="\n")
    for name, content in streets.items():
        (root / name).write_bytes(content)
    return root


def _street_tables(tables: Path) -> dict[str, bytes]:
    """Return the street tables by file name; none or both must exist."""
    found = [tables / name for name in STREET_FILES if (tables / name).is_file()]
    if len(found) == 1:
        msg = f"{tables}: a street network needs both {' and '.join(STREET_FILES)}, got {found[0].name} alone"
        raise DataError(msg)
    return {path.name: path.read_bytes() for path in found}


def _layers(tables: Path) -> Iterator[tuple[str, str, list[Feature]]]:
    """Yield file name, note and features of every layer except the routes."""
    outline = [_lonlat(row) for row in _rows(tables, "outline")]
    yield "outline", "Generalised outline, rounded to about 300 m.", [_feature("Polygon", [outline], {})]
    yield "districts", "District centroids with residents, rounded.", _points(tables, "districts", _district)
    yield "night_spots", "Places busy between 00:00 and 05:00 with relative activity.", _points(tables, "night_spots", _spot)
    river = [_lonlat(row) for row in _rows(tables, "river", "han_river")]
    yield "river", "Centreline of the river.", [_feature("LineString", river, {})]
    yield "bridges", "Points where a bus can cross the river.", _points(tables, "bridges", lambda _: {})
    yield "mountains", "Centres of discs that hold almost nobody and no through road.", _points(tables, "mountains", _mountain)


def _points(tables: Path, name: str, properties: Any) -> list[Feature]:  # noqa: ANN401 - a function of a row
    """Return the point features of a table."""
    return [_feature("Point", _lonlat(row), properties(row)) for row in _rows(tables, name)]


def _district(row: Row) -> dict[str, Any]:
    """Return name and residents of a district."""
    return {"district": row["district"], "residents": round(_number(row, "residents_thousand") * 1000)}


def _spot(row: Row) -> dict[str, Any]:
    """Return name and relative activity of a night spot."""
    return {"place": row["place"], "weight": _number(row, "weight")}


def _mountain(row: Row) -> dict[str, Any]:
    """Return name and radius in metres of a mountain."""
    return {"name": row["name"], "radius_m": _number(row, "radius_m")}


def _routes(rows: Iterable[Row]) -> list[Feature]:
    """Return one LineString per route, points by sequence, routes in table order."""
    routes: dict[str, list[tuple[float, list[float]]]] = {}
    for row in rows:
        routes.setdefault(row["route"], []).append((_number(row, "sequence"), _lonlat(row)))
    return [_feature("LineString", [point for _, point in sorted(points)], {"name": name}) for name, points in routes.items()]


def _rows(tables: Path, *names: str) -> list[Row]:
    """Return the rows of the first table that exists under one of the names."""
    path = next((file for name in names if (file := tables / f"{name}.csv").is_file()), None)
    if path is None:
        msg = f"{tables}: a city needs the table {names[0]}.csv"
        raise DataError(msg)
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _lonlat(row: Row) -> list[float]:
    """Return lon and lat of a row, degrees."""
    return [_number(row, "lon"), _number(row, "lat")]


def _number(row: Row, column: str) -> float:
    """Return a field as a number."""
    try:
        return float(row[column])
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{column} must be a number, got {row.get(column)!r} in {dict(row)}"
        raise DataError(msg) from error


def _feature(kind: str, coordinates: Any, properties: dict[str, Any]) -> Feature:  # noqa: ANN401 - nesting differs by kind
    """Return a GeoJSON feature."""
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def _collection(note: str, features: list[Feature]) -> str:
    """Return GeoJSON text, one feature per line."""
    head = json.dumps({"type": "FeatureCollection", "note": note}, ensure_ascii=False)
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{head[:-1]}, "features": [\n{lines}\n]}}'
