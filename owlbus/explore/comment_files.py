"""Comments as GeoJSON and CSV: read from a public consultation, and written for a GIS program or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.common.files import parse_json
from owlbus.common.text import escape_formula, escape_json
from owlbus.explore.comments import place_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from owlbus.explore.comments import Comment
    from owlbus.network import Network

FORMATS = ("geojson", "csv")
"""Forms of files of comments."""

MOST_BYTES, MOST_ROWS = 4 << 20, 5_000
"""Bytes and rows of a file of comments."""

SCHEMA_VERSION = 1

_COLUMNS: tuple[str, ...] = ("id", "lon", "lat", "stop", "stop_name", "route", "hex", "name", "time", "text")
_NAMES = {
    "text": ("text", "comment", "comments", "note", "message", "description", "body", "내용", "의견"),
    "lon": ("lon", "lng", "long", "longitude", "x", "경도"),
    "lat": ("lat", "latitude", "y", "위도"),
    "stop": ("stop", "stop_index"),
    "route": ("route", "line", "노선"),
    "hex": ("hex",),
    "name": ("name", "author", "by", "이름"),
    "time": ("time", "date", "created", "created_at", "timestamp", "날짜"),
}
"""What files call the parts of a comment, the first name first."""


def comment_rows(text: str, form: str) -> list[dict[str, Any]]:
    """
    Rows of a file of comments, by owlbus' own names.

    Parameters
    ----------
    text
        The file; GeoJSON features are points in lon/lat degrees, a CSV has a head with names such as ``lon``, ``lat`` and ``text``.
    form
        One of `FORMATS`.

    Returns
    -------
    list of dict
        Values as they stand in the file, one row a comment; `owlbus.explore.comments.pinned_comment` checks them.

    Raises
    ------
    DataError
        If the file is too large, of another form, or has no text of comments.
    """
    if form not in FORMATS:
        msg = f"a file of comments must be {' or '.join(FORMATS)}, got {form[:40]!r}; choose one of them"
        raise DataError(msg)
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        msg = f"a file of comments must have at most {MOST_BYTES >> 20} MB, and has more; divide it"
        raise DataError(msg)
    rows = _geojson_rows(text) if form == "geojson" else _csv_rows(text)
    if len(rows) > MOST_ROWS:
        msg = f"a file of comments must have at most {MOST_ROWS:,} rows, got {len(rows):,}; divide it"
        raise DataError(msg)
    return rows


def comments_geojson(network: Network, comments: Iterable[Comment]) -> bytes:
    """
    Comments as a GeoJSON FeatureCollection of points.

    Parameters
    ----------
    network
        Stops and hexes that they are pinned to, lon/lat degrees.
    comments
        The comments.

    Returns
    -------
    bytes
        UTF-8, one feature per line; `comment_rows` reads it.
    """
    lines = []
    for one in comments:
        properties = {name: value for name, value in _values(network, one).items() if name not in {"lon", "lat"} and value != ""}
        feature = {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Point", "coordinates": [one.lon, one.lat]},
        }
        lines.append(escape_json(json.dumps(feature, ensure_ascii=False, allow_nan=False)))
    head = json.dumps({"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, "network": network.fingerprint})
    body = ",\n".join(lines)
    return f'{head[:-1]}, "features": [\n{body}\n]}}\n'.encode()


def comments_csv(network: Network, comments: Iterable[Comment]) -> bytes:
    """
    Comments as CSV, with no cell that a spreadsheet takes for a formula.

    Parameters
    ----------
    network
        Stops and hexes that they are pinned to, lon/lat degrees.
    comments
        The comments.

    Returns
    -------
    bytes
        UTF-8 with a head; `comment_rows` reads it.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(_COLUMNS), lineterminator="\n")
    writer.writeheader()
    for one in comments:
        writer.writerow({name: _safe(value) for name, value in _values(network, one).items()})
    return out.getvalue().encode()


def _values(network: Network, one: Comment) -> dict[str, Any]:
    """Return a comment by the names of the columns; what it is not pinned to is empty."""
    pins: dict[str, Any] = {"stop": "", "stop_name": "", "route": "", "hex": ""}
    pins |= {one.pin: place_text(network, one) if one.pin == "hex" else one.target}
    pins |= {"stop_name": place_text(network, one)} if one.pin == "stop" else {}
    return {"id": one.key, "lon": one.lon, "lat": one.lat, **pins, "name": one.name, "time": one.time, "text": one.text}


def _geojson_rows(text: str) -> list[dict[str, Any]]:
    """Return properties and position of each point."""
    try:
        document = parse_json(text)
    except ValueError:
        document = None
    features = document.get("features") if isinstance(document, dict) and document.get("type") == "FeatureCollection" else None
    if not isinstance(features, list):
        msg = "a file of comments must be a GeoJSON FeatureCollection, and is none; export points as GeoJSON"
        raise DataError(msg)
    rows = []
    for number, feature in enumerate(features, start=1):
        properties, point = (feature.get(name) for name in ("properties", "geometry")) if isinstance(feature, dict) else (None, None)
        at = point.get("coordinates") if isinstance(point, dict) and point.get("type") == "Point" else None
        if not isinstance(properties, dict) or not isinstance(at, list) or len(at) < 2:  # noqa: PLR2004 - longitude and latitude
            msg = f"every comment must be a Point with properties, feature {number} is none; export points as GeoJSON"
            raise DataError(msg)
        rows.append(_named(properties) | {"lon": at[0], "lat": at[1]})
    return _with_text(rows)


def _csv_rows(text: str) -> list[dict[str, Any]]:
    """Return the rows of a table, positions as numbers."""
    if "\0" in text:
        msg = "a file of comments must be text, and holds zero bytes; export it as CSV in UTF-8"
        raise DataError(msg)
    head = text.lstrip("\ufeff").partition("\n")[0]
    try:
        reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=max(",;\t", key=head.count), strict=True)
        table = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        msg = f"a file of comments must be CSV, and is not ({error}); export it as CSV in UTF-8"
        raise DataError(msg) from None
    names, rows = table[0] if table else [], []
    for number, cells in enumerate(table[1:], start=2):
        if len(cells) != len(names):
            msg = f"every row of comments must have the {len(names)} cells of the head, row {number} has {len(cells)}; export it again"
            raise DataError(msg)
        rows.append({key: _number(value) if key in {"lon", "lat"} else _plain(value) for key, value in _cells(names, cells).items()})
    return _with_text(rows)


def _cells(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Return the cells of a row that hold something, by owlbus' own names."""
    return {key: value for key, value in _named(dict(zip(names, cells, strict=True))).items() if value != ""}


def _named(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are parts of a comment, by owlbus' own names."""
    folded = {str(name).strip().casefold(): value for name, value in properties.items()}
    return {key: folded[name] for key, names in _NAMES.items() if (name := next((n for n in names if n in folded), None)) is not None}


def _with_text(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse rows of which none has a text, since the column has another name then."""
    if not any(row.get("text") for row in rows):
        msg = f"a file of comments must have a column of text, and has none; call it {_NAMES['text'][0]} or {_NAMES['text'][1]}"
        raise DataError(msg)
    return rows


def _number(text: str) -> float | str:
    """Return a position as a number; what is none stays text, which is refused later."""
    try:
        return float(text)
    except ValueError:
        return text


def _safe(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def _plain(text: str) -> str:
    """Return the text of a cell that `_safe` made."""
    return text[1:] if text[:1] == "'" and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet takes a text for a formula, or would without the apostrophes before it."""
    bare = text.lstrip("'")
    return escape_formula(bare) != bare
