"""Outlines: what files may hold, and what is said of those that hold something else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from owlbus.common.errors import DataError
from owlbus.grid.outline import read_area

if TYPE_CHECKING:
    from pathlib import Path

RING = [[127.0, 37.5], [127.1, 37.5], [127.1, 37.6], [127.0, 37.5]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
AREA = 0.005


def written(folder: Path, content: str | dict[str, Any]) -> Path:
    file = folder / "area.geojson"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize(
    "content",
    [
        POLYGON,
        {"type": "MultiPolygon", "coordinates": [[RING]]},
        {"type": "Feature", "geometry": POLYGON, "properties": {}},
        {"type": "GeometryCollection", "geometries": [POLYGON, {"type": "Point", "coordinates": [0, 0]}]},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": POLYGON, "properties": {}}] * 2},
    ],
    ids=lambda content: content["type"],
)
def test_every_way_to_write_a_polygon_is_read(content: dict[str, Any], tmp_path: Path) -> None:
    assert shapely.area(read_area(written(tmp_path, content))) == pytest.approx(AREA)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_table_of_corners_is_a_ring(newline: str, tmp_path: Path) -> None:
    lines = ["\ufeffname,Lat,Lon", *(f"x,{lat},{lon}" for lon, lat in RING)]
    assert np.array_equal(read_area(written(tmp_path, newline.join(lines))), RING)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON in line 1, column 2: Expecting property name enclosed in double quotes"),
        ('{"type": "Polygon"}', "is no valid GeoJSON (KeyError)"),
        ('{"type": "Polygon", "coordinates": 3}', "is no valid GeoJSON (TypeError)"),
        ('{"type": "Point", "coordinates": [0, 0]}', "must hold a Polygon or MultiPolygon, found Point"),
        ('{"type": "FeatureCollection", "features": []}', "must hold a Polygon or MultiPolygon, found nothing"),
        ("east,north\n1,2\n", "must have the columns lon and lat, found east, north"),
        ("", "must have the columns lon and lat, found none"),
        ("lon,lat\n1,2\n1,\n", "lon and lat must be numbers, and are not on line 3"),
        ("lon,lat\n1,2\n1,east\n", "lon and lat must be numbers, and are not on line 3"),
        ("lon,lat\n1,2\n1,3\n1,2\n", "needs at least 3 different corners, found 2"),
    ],
)
def test_what_is_no_area_is_refused_with_the_reason(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read_area(written(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothere.geojson: cannot be read \(No such file or directory\)"):
        read_area(tmp_path / "nothere.geojson")


def test_a_damaged_gis_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "area.shp").write_bytes(b"\x00\x00\x27\x0a\xff\xfe")
    with pytest.raises(DataError, match="cannot be read as a GIS file"):
        read_area(tmp_path / "area.shp")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "area.bin").write_bytes(b"\x00\x01\x27\x0a\xff\xfe")
    with pytest.raises(DataError, match="is no text and no GIS file"):
        read_area(tmp_path / "area.bin")
