"""Read drawn routes from files: GeoJSON, any GIS format, and tables of way-points."""

from __future__ import annotations

import csv
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.files import decompress_gzip
from owlbus.grid.geojson_features import geojson_features, parse_geojson
from owlbus.grid.geometry_metadata import geometry_systems
from owlbus.grid.gis_files import gis_layers, is_gis_file, lonlat_table
from owlbus.plan.route_features import Feature, routes_of_features
from owlbus.plan.route_tables import routes_of_table, rows_of_text
from owlbus.records.file_forms import form_of_file, prepared_file, reading_errors
from owlbus.records.text_heads import narrow_encoding, wide_encoding
from owlbus.records.text_lines import is_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from owlbus.plan.drawn_route import DrawnRoute

_SHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_BEFORE_JSON = "\x1e \t\r\n"
_HEAD_BYTES = 1 << 12
_GPX_POINTS = frozenset({"waypoints", "route_points", "track_points"})


class RouteFile(NamedTuple):
    """
    Routes of a file.

    Attributes
    ----------
    fingerprint
        Fingerprint of the network that the routes were written with; empty if the file has none.
    routes
        Routes in the file's order.
    notes
        Sentences on what was left out.
    """

    fingerprint: str
    routes: list[DrawnRoute]
    notes: tuple[str, ...] = ()


def read_route_file(source: Path) -> RouteFile:
    """
    Read the routes of a plan file.

    Parameters
    ----------
    source
        GeoJSON, any vector format that GDAL reads, Parquet, a spreadsheet, or CSV (gzip or not), detected by content.

    Returns
    -------
    RouteFile
        Routes in lon/lat degrees.

    Raises
    ------
    DataError
        If the file is absent, broken or empty; its message does not name the file.
    """
    try:
        if source.is_file() and (_is_sheet(source) or (is_parquet(source) and not geometry_systems(source))):
            return _read_frame(source)
        if is_gis_file(source):
            return _read_gis(source)
        text = _text(source)
        if text.lstrip(_BEFORE_JSON)[:1] in {"{", "["}:
            return _read_json(source, text.lstrip(_BEFORE_JSON))
        routes, notes = routes_of_table(*rows_of_text(text))
        return RouteFile("", routes, notes)
    except csv.Error as error:
        msg = f"is no readable table of way-points ({error}); write the file again"
        raise DataError(msg) from None


def _is_sheet(source: Path) -> bool:
    """Whether a file is a spreadsheet."""
    with source.open("rb") as stream:
        return stream.read(4) in _SHEETS and form_of_file(source.name, source) == "sheet"


def _text(source: Path) -> str:
    """Text of a file, decompressed if it is gzip; UTF-8, UTF-16, or as Korean and Western European programs write it."""
    data = source.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = decompress_gzip(data, source.name)
    except (EOFError, OSError, zlib.error) as error:
        msg = f"a plan must be UTF-8 text, plain or as whole gzip, got {type(error).__name__}; write the file again"
        raise DataError(msg) from None
    try:
        wide = wide_encoding(data[:_HEAD_BYTES])
        if wide is None and b"\0" in data:
            msg = "a plan must be text, a table or a GIS file, and this file is none of them; write it again as GeoJSON or CSV"
            raise DataError(msg)
        text = data.decode(wide or "utf-8-sig").lstrip("\ufeff")
    except UnicodeDecodeError:
        lines = [line for line in data.splitlines() if not line.isascii()]
        text = data.decode(narrow_encoding(lines), errors="replace")
    return text if "\n" in text else text.replace("\r", "\n")


def _read_frame(source: Path) -> RouteFile:
    """Routes of a spreadsheet, or of Parquet without geometries."""
    import polars as pl

    about = source.stat()
    file = prepared_file(source.name, source, None, (about.st_size, about.st_mtime_ns))
    if file.form != "parquet":
        routes, notes = routes_of_table(*rows_of_text(_text(file.path)))
        return RouteFile("", routes, (*file.notes, *notes))
    with reading_errors(source.name):
        frame = pl.read_parquet(file.path)
    routes, notes = routes_of_table(*_rows(frame.columns, frame.iter_rows(named=True)))
    return RouteFile("", routes, notes)


def _rows(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Rows of any values as rows of text, nothing as empty text; the header counts as line 1."""
    texts = ({name: "" if row.get(name) is None else str(row[name]) for name in names} for row in rows)
    return list(names), list(enumerate(texts, start=2))


def _read_gis(source: Path) -> RouteFile:
    """Routes of all layers of a GIS file."""
    import shapely

    layers = gis_layers(source, source.name)
    drawn = [layer for layer in layers if layer not in _GPX_POINTS] if len(layers) > 1 else layers
    features: list[Feature] = []
    for layer in [*drawn, *(layer for layer in layers if layer not in drawn)]:
        if features and layer not in drawn:
            break
        table = lonlat_table(source, source.name, layer)
        shapes = shapely.from_wkb(np.array(table.column("geometry").to_pylist(), dtype=object), on_invalid="ignore")
        rows = [{key.removeprefix("ogr_"): value for key, value in row.items()} for row in table.drop_columns(["geometry"]).to_pylist()]
        features += [Feature(len(features) + k, row, shape) for k, (row, shape) in enumerate(zip(rows, shapes, strict=True), start=1)]
    if not features:
        msg = "holds no features; a plan needs at least one line"
        raise DataError(msg)
    fingerprints = {str(row.properties.get("network")) for row in features if row.properties.get("network")}
    routes, notes = routes_of_features(features)
    return RouteFile(fingerprints.pop() if len(fingerprints) == 1 else "", routes, notes)


def _read_json(source: Path, text: str) -> RouteFile:
    """Routes of GeoJSON of any nesting, of one feature a line, of TopoJSON or Esri JSON, or of an array of rows."""
    document = parse_geojson(text)
    if isinstance(document, list) and all(isinstance(row, dict) and not {"type", "geometry"} & row.keys() for row in document):
        names = list(dict.fromkeys(name for row in document for name in row))
        routes, notes = routes_of_table(*_rows(names, document))
        return RouteFile("", routes, notes)
    content: dict[str, Any] = document if isinstance(document, dict) else {}
    if content.get("type") == "Topology" or "geometryType" in content:
        return _read_gis(source)
    features = [Feature(number, *row) for number, row in enumerate(geojson_features(document), start=1)]
    routes, notes = routes_of_features(features)
    return RouteFile(str(content.get("network", "")), routes, notes)
