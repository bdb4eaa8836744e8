"""Geometries of GIS files in any format: shapefile, GeoPackage, GeoParquet, FlatGeobuf, KML, GML, MapInfo, GeoJSON, geodatabase."""

from __future__ import annotations

import re
import warnings
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.grid.geometry_metadata import geometry_systems
from owlbus.grid.reference_systems import to_degrees

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

_MAGIC = (b"\x00\x00\x27\x0a", b"SQLite format 3\x00", b"fgb\x03", b"PAR1", b"PK\x03\x04")
"""First bytes of shapefiles, GeoPackages, FlatGeobuf, Parquet, and ZIP archives of them."""

_LAYER = re.compile(r"(?i)^(.+?\.(?:gdb(?=/)|(?:shp|gpkg|geojson|fgb|kml|gml|gpx|tab|mif)$))")
"""Members of ZIP archives that are GIS files; a file geodatabase is a folder."""

_WHOLE = {".kmz", ".shz"}
"""Endings of archives that GDAL reads as one file."""

_MARKUP = (b"<kml", b"<?xml", b"<gml", b"<wfs", b"<gpx")

_MAPINFO = re.compile(rb"(?i)!table\s|version\s+\d+\s+charset\s")
"""First words of MapInfo tables and of MapInfo interchange files."""


def is_gis_file(path: Path) -> bool:
    """
    Return whether a file is of a GIS format other than GeoJSON or plain text, by its first bytes.

    Parameters
    ----------
    path
        File, or folder of a file geodatabase.

    Returns
    -------
    bool
        True for shapefile, GeoPackage, FlatGeobuf, Parquet, ZIP, KML, GML, GPX and MapInfo.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if path.is_dir() and path.suffix.lower() == ".gdb":
        return True
    with path.open("rb") as stream:
        head = stream.read(64)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(_MAGIC) or text.lower().startswith(_MARKUP) or _MAPINFO.match(text) is not None


def gdal_path(path: Path) -> Path | str:
    """
    Return the path by which GDAL reads a GIS file: of a ZIP archive that holds one in a folder, its member.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Path or str
        The file itself, or the member.

    Raises
    ------
    DataError
        If an archive holds several GIS files.
    """
    layers = [] if path.suffix.lower() in _WHOLE else zip_layers(path)
    if len(layers) > 1:
        msg = f"{path}: is a ZIP archive with {len(layers)} GIS files, such as {layers[0]} and {layers[1]}; unpack it and name one"
        raise DataError(msg)
    return f"/vsizip/{{{path.resolve()}}}/{layers[0]}" if layers else path


def zip_layers(path: Path) -> list[str]:
    """
    Return the GIS files of a ZIP archive.

    Parameters
    ----------
    path
        Any file or folder.

    Returns
    -------
    list of str
        Names of the members, sorted; a file geodatabase counts once. Empty for what is no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
    except (OSError, zipfile.BadZipFile, NotImplementedError):  # GDAL says what it is
        return []
    return sorted({match[1] for name in names if (match := _LAYER.match(name))})


def read_gis_points(path: Path, name: str | None = None, layer: str | None = None) -> tuple[pa.Table, str, str | None]:
    """
    Read the first layer of a GIS file with all its columns.

    Parameters
    ----------
    path
        File of any vector format that GDAL reads, or GeoParquet.
    name
        File name in messages; the path by default.
    layer
        Name of the layer; the first by default.

    Returns
    -------
    table, geometry, crs
        Rows with geometries as WKB, the name of that column, and its reference system; None if the file states none.

    Raises
    ------
    DataError
        If the file cannot be read or has no geometries.
    """
    name = name or str(path)
    with path.open("rb") if path.is_file() else _nothing() as stream:
        is_parquet = stream is not None and stream.read(4) == b"PAR1"
    with _reading(name):
        table, geometry, crs = _read_parquet(path) if is_parquet else _read_layer(path, layer)
    if geometry is None:
        msg = f"{name}: has no geometries; write it with points or polygons"
        raise DataError(msg)
    return table, geometry, crs or None


@contextmanager
def _nothing() -> Iterator[None]:
    """Stand for the stream of a folder."""
    yield None


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Convert errors of GDAL and Arrow into a `DataError` without content of the file."""
    import pyarrow as pa
    import pyogrio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.CRSError) as error:
        msg = f"{name}: cannot be read as a GIS file ({type(error).__name__}); give it with all its parts, as GeoPackage or GeoJSON"
        raise DataError(msg) from None
    except (pa.ArrowException, LookupError, OSError, RuntimeError, ValueError) as error:
        msg = f"{name}: is damaged or no GIS file ({type(error).__name__}); write it again as GeoPackage or GeoJSON"
        raise DataError(msg) from None


def _read_parquet(path: Path) -> tuple[Any, str | None, str]:
    """Return the table of a GeoParquet file, its main geometry column and its reference system."""
    import pyarrow.parquet as pq

    systems = geometry_systems(path)
    geometry = next(iter(systems), None)
    return pq.read_table(path), geometry, systems.get(geometry or "", "")


def _read_layer(path: Path, layer: str | None = None) -> tuple[Any, str | None, str]:
    """Return the table of a layer, the first by default, its geometry column and its reference system."""
    import pyogrio

    meta, table = pyogrio.read_arrow(gdal_path(path), layer=layer)
    geometry = meta["geometry_name"] or "wkb_geometry"
    return table, geometry if geometry in table.column_names else None, meta["crs"] or ""


def gis_layers(path: Path, name: str | None = None) -> list[str | None]:
    """
    Return the names of the layers of a GIS file that have geometries.

    Parameters
    ----------
    path
        File of any vector format that GDAL reads, or GeoParquet.
    name
        File name in messages; the path by default.

    Returns
    -------
    list of str or None
        In the file's order; None stands for the only layer of GeoParquet.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    import pyogrio

    with path.open("rb") if path.is_file() else _nothing() as stream:
        if stream is not None and stream.read(4) == b"PAR1":
            return [None]
    with _reading(name or str(path)):
        return [str(layer) for layer, kind in pyogrio.list_layers(gdal_path(path)).tolist() if kind is not None]


def lonlat_table(path: Path, name: str | None = None, layer: str | None = None) -> pa.Table:
    """
    Read the first layer of a GIS file with all its columns, its geometries in degrees.

    Parameters
    ----------
    path
        File of any vector format that GDAL reads, or GeoParquet with geometries as WKB.
    name
        File name in messages; the path by default.
    layer
        Name of the layer; the first by default.

    Returns
    -------
    table
        Rows with the column ``geometry`` as WKB in lon/lat degrees, in the system that the file states; as they are if it states none.

    Raises
    ------
    DataError
        If the file cannot be read or has no geometries.
    """
    import numpy as np
    import pyarrow as pa
    import shapely

    table, column, crs = read_gis_points(path, name, layer)
    shapes = _shapes(table, column)
    points = shapely.get_coordinates(shapes)
    lonlat = np.column_stack(to_degrees(points[:, 0], points[:, 1], crs))
    wkb = pa.array(shapely.to_wkb(shapely.set_coordinates(shapely.force_2d(shapes), lonlat)), pa.binary())
    return table.drop_columns([column]).append_column("geometry", wkb)


def _shapes(table: pa.Table, column: str) -> Any:  # noqa: ANN401 - shapely ships no types
    """Return the geometries of a column of WKB, None where missing or damaged."""
    import numpy as np
    import shapely

    values = np.array([value if isinstance(value, bytes) else None for value in table.column(column).to_pylist()], dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return shapely.from_wkb(values, on_invalid="ignore")


def read_geometries(path: Path, name: str | None = None) -> tuple[Any, str | None]:
    """
    Read the geometries of the first layer of a GIS file.

    Parameters
    ----------
    path
        File of any vector format that GDAL reads, or GeoParquet with geometries as WKB.
    name
        File name in messages; the path by default.

    Returns
    -------
    geometries, crs
        Array of shapely geometries, shape (n,), None where missing; and their reference system, None if the file states none.

    Raises
    ------
    DataError
        If the file cannot be read or has no geometries.
    """
    table, column, crs = read_gis_points(path, name)
    return _shapes(table, column), crs
