"""Read tables of zones: polygons in any GIS format, or centroids in a table, from files and frames."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.frames import as_polars, is_column_of_geometry, is_table
from owlbus.grid.axes import MAX_LAT, MAX_LON
from owlbus.grid.gis_files import gdal_path
from owlbus.grid.reference_systems import is_in_degrees, to_degrees
from owlbus.records.file_forms import prepared_file
from owlbus.records.text_lines import is_parquet
from owlbus.records.zone_ids import id_texts
from owlbus.records.zones import ZoneFeatures

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

_TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".csv.zst")
_LONS = ("lon", "longitude", "lng", "long", "x", "centroid_lon", "centroid_x", "lon_centroid", "intptlon", "intptlong", "경도")
_LATS = ("lat", "latitude", "y", "centroid_lat", "centroid_y", "lat_centroid", "intptlat", "위도")
_GEOMETRIES = ("geometry", "geom", "the_geom", "wkt", "wkb", "polygon", "multipolygon", "shape", "location", "centroid")


def read_zones(zones: Any, zone_id: str | None = None, zone_weights: str | None = None, crs: str | None = None) -> ZoneFeatures:  # noqa: ANN401 - a path or any frame
    """
    Read a table of zones.

    Parameters
    ----------
    zones
        Polygons in any GIS format, or a table of centroids with an id, ``lon`` and ``lat``, or a geometry as WKT or WKB; a path or a
        frame of geopandas, pandas, polars or pyarrow.
    zone_id
        Column of ids; any column may hold them by default.
    zone_weights
        Column of weights of the parts of a zone; by area by default.
    crs
        Coordinate reference system of zones that are not in degrees and do not say theirs.

    Returns
    -------
    ZoneFeatures
        Rows in lon/lat; polygons are valid, rows without a geometry are left out.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a column, or has no zones.
    UsageError
        If `zones` is neither a path nor a frame.
    """
    import shapely

    name, frame, shapes, own_crs = _opened(zones)
    present = ~_is_empty(shapes)
    if not present.any():
        msg = f"{name}: must have zones with a polygon or a point, all {shapes.size} rows have none"
        raise DataError(msg, setting="zones")
    rows = np.flatnonzero(present)
    try:
        frame, shapes = frame[rows.tolist()], _valid(name, _in_degrees(name, shapes[rows], own_crs, crs))
    except shapely.errors.ShapelyError as error:
        msg = f"{name}: has polygons that cannot be repaired; drop corners that are no numbers and rings that cross themselves"
        raise DataError(msg, setting="zones") from error
    columns = _id_columns(name, frame, zone_id)
    weights = None if zone_weights is None else _weights(name, frame, zone_weights)
    return ZoneFeatures(name, shapes, columns, weights, zone_id, int(present.size - rows.size))


def _opened(zones: Any) -> tuple[str, pl.DataFrame, NDArray[np.object_], str | None]:  # noqa: ANN401 - a path or any frame
    """Return name, attributes, geometries and coordinate reference system of a table, in whatever form it is."""
    if isinstance(zones, str | Path) or hasattr(zones, "__fspath__"):
        return _opened_file(Path(zones))
    if is_column_of_geometry(zones) and is_table(zones):
        return "zones", *_of_geodataframe("zones", zones)
    if is_table(zones):
        return "zones", *_of_table("zones", as_polars(zones, "zones"))
    msg = f"{setting('zones')} must be a path or a frame of geopandas, pandas, polars or pyarrow, got {type(zones).__name__}"
    raise UsageError(msg, setting="zones")


def _opened_file(file: Path) -> tuple[str, pl.DataFrame, NDArray[np.object_], str | None]:
    """Return name, attributes, geometries and coordinate reference system of a file."""
    import polars as pl
    from shapely.errors import ShapelyError

    name = str(file)
    if not file.exists():
        msg = f"{name}: no such file; check the name of the table of zones"
        raise DataError(msg, setting="zones")
    try:
        with warnings.catch_warnings():  # GDAL warns of what does not matter to ids and shapes
            warnings.simplefilter("ignore")
            return name, *_read_file(name, file)
    except DataError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ShapelyError, pl.exceptions.PolarsError) as error:
        msg = f"{name}: cannot be read as zones; give polygons in a GIS format such as GeoJSON, or a table with an id, lon and lat"
        raise DataError(msg, setting="zones") from error


def _read_file(name: str, file: Path) -> tuple[pl.DataFrame, NDArray[np.object_], str | None]:
    """Return attributes, geometries and coordinate reference system of a file, by whichever library knows its form."""
    import geopandas as gpd
    import polars as pl

    if file.is_file() and is_parquet(file):
        try:
            return _of_geodataframe(name, gpd.read_parquet(file))
        except ValueError:  # it says nothing about geometries
            return _of_table(name, pl.read_parquet(file))
    if file.name.lower().endswith(_TABLES):
        about = file.stat()
        text = prepared_file(name, file, None, (about.st_size, about.st_mtime_ns))
        if text.form == "parquet":  # it holds JSON, for instance
            return _of_table(name, pl.read_parquet(text.path))
        return _of_table(name, pl.read_csv(text.path, infer_schema=False, encoding="utf8-lossy", separator=text.separator))
    return _of_geodataframe(name, gpd.read_file(gdal_path(file), on_invalid="ignore"))  # broken rings are rows without geometry


def _of_geodataframe(name: str, frame: Any) -> tuple[pl.DataFrame, NDArray[np.object_], str | None]:  # noqa: ANN401 - geopandas has no types
    """Return attributes, geometries and coordinate reference system of a GeoDataFrame."""
    if not hasattr(frame, "geometry"):  # pyogrio returns plain tables where there is no geometry
        return _of_table(name, as_polars(frame, name))
    crs = None if frame.crs is None else frame.crs.to_wkt()
    attributes = as_polars(frame.drop(columns=[column for column, kind in frame.dtypes.items() if str(kind) == "geometry"]), name)
    return attributes, np.array(frame.geometry.to_numpy(), dtype=object), crs


def _of_table(name: str, table: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.object_], str | None]:
    """Return attributes and geometries of a table: WKT or WKB, else points at lon and lat."""
    import polars as pl
    import shapely

    column_of = {column.strip().strip("\ufeff").lower(): column for column in table.columns}
    for known in (name for name in _GEOMETRIES if name in column_of):
        written = table[column_of[known]]
        if written.dtype in {pl.String, pl.Binary}:
            read = shapely.from_wkt if written.dtype == pl.String else shapely.from_wkb
            shapes = read(np.array(written.to_list(), dtype=object), on_invalid="ignore")
            if (~_is_empty(shapes)).any():
                return table.drop(column_of[known]), np.array(shapes, dtype=object), None
    chosen = [next((column_of[known] for known in names if known in column_of), None) for names in (_LONS, _LATS)]
    if None in chosen:
        listed = ", ".join(table.columns)
        msg = f"{name}: a table of zones needs an id, lon and lat, or a geometry, got {listed}; rename its columns"
        raise DataError(msg, setting="zones")
    lon, lat = (_numbers(table[str(column)]) for column in chosen)
    points: NDArray[np.object_] = np.array(shapely.points(lon, lat), dtype=object)
    points[~(np.isfinite(lon) & np.isfinite(lat))] = None
    return table.drop([str(column) for column in chosen]), points, None


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where it has none; a comma may be the decimal mark."""
    import polars as pl

    if column.dtype == pl.String:
        column = column.str.strip_chars().str.replace(",", ".", literal=True)
    numbers: NDArray[np.float64] = column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return numbers


def _is_empty(shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return whether each geometry is missing or empty."""
    import shapely

    result: NDArray[np.bool_] = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    return result


def _in_degrees(name: str, shapes: NDArray[np.object_], own_crs: str | None, crs: str | None) -> NDArray[np.object_]:
    """Return geometries in lon/lat; refuse those that are not on Earth."""
    import shapely

    west, south, east, north = shapely.total_bounds(shapes)
    looks_like_degrees = west >= -MAX_LON and east <= MAX_LON and south >= -MAX_LAT and north <= MAX_LAT
    if own_crs is not None and is_in_degrees(own_crs):  # GeoJSON that does not say its system is taken for this one
        own_crs = None
    source = own_crs or (None if looks_like_degrees else crs)
    if source is None and not looks_like_degrees:
        extent = f"x {west:g} to {east:g} and y {south:g} to {north:g}"
        msg = f"{name}: zones must be in degrees, got {extent}; name their coordinate system with {setting('crs', 'EPSG:25833')}"
        raise DataError(msg, setting="crs")
    if source is not None:
        shapes = _reprojected(name, shapes, source)
    return np.array(shapely.force_2d(shapes), dtype=object)


def _reprojected(name: str, shapes: NDArray[np.object_], crs: str) -> NDArray[np.object_]:
    """Return geometries in lon/lat, from another coordinate reference system."""
    import shapely

    try:
        moved = shapely.transform(shapes, lambda points: np.column_stack(to_degrees(points[:, 0], points[:, 1], crs)))
    except UsageError as error:
        msg = f"{name}: has a coordinate system that is not known; write the zones in degrees (EPSG:4326)"
        raise DataError(msg, setting="crs") from error
    bounds = shapely.total_bounds(moved)
    if not np.isfinite(bounds).all() or max(abs(bounds[[0, 2]])) > MAX_LON or max(abs(bounds[[1, 3]])) > MAX_LAT:
        msg = f"{name}: zones do not lie on Earth by their coordinate system; name the right one with {setting('crs', 'EPSG:25833')}"
        raise DataError(msg, setting="crs")
    return np.array(moved, dtype=object)


def _valid(name: str, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return polygons repaired, and points; refuse other geometries."""
    import shapely

    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes = shapes.copy()
        shapes[broken] = [_polygons_of(shape) for shape in shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)]
    kinds = np.array([shape.geom_type for shape in shapes])
    wrong = ~np.isin(kinds, ("Polygon", "MultiPolygon", "Point")) | shapely.is_empty(shapes)
    if wrong.any():
        kind = "without an area" if kinds[wrong][0].endswith("Polygon") else f"a {kinds[wrong][0]}"
        extent = f"{int(wrong.sum())} of {shapes.size} rows are none, the first is {kind}"
        msg = f"{name}: zones must be polygons or points, {extent}; write the areas as polygons"
        raise DataError(msg, setting="zones")
    return shapes


def _polygons_of(shape: Any) -> Any:  # noqa: ANN401 - geometries of shapely
    """Return the polygons of a repaired geometry as one."""
    import shapely

    parts = shapely.get_parts(shape)
    return shapely.union_all([part for part in parts if part.geom_type in {"Polygon", "MultiPolygon"}])


def _id_columns(name: str, frame: pl.DataFrame, zone_id: str | None) -> dict[str, tuple[str | None, ...]]:
    """Return the columns that may hold ids as plain text: the one named, or those of text and whole numbers."""
    import polars as pl

    column_of = {column.strip().strip("\ufeff"): column for column in frame.columns}
    if zone_id is not None:
        texts = id_texts(frame[_column(name, column_of, "zone_id", zone_id)])
        if texts.null_count() == len(texts):
            msg = f"{name}: column {zone_id} has no ids; name another with {setting('zone_id', 'COLUMN')}"
            raise DataError(msg, setting="zone_id", value=zone_id)
        return {zone_id: tuple(texts.to_list())}
    columns = {}
    for label, column in column_of.items():
        values = frame[column]
        is_whole = values.dtype.is_float() and bool((values.drop_nulls().fill_nan(0).round() == values.drop_nulls().fill_nan(0)).all())
        if values.dtype.is_integer() or values.dtype in {pl.String, pl.Categorical} or is_whole or values.dtype.is_decimal():
            columns[label] = tuple(id_texts(values).to_list())
    return {label: texts for label, texts in columns.items() if any(text is not None for text in texts)}


def _weights(name: str, frame: pl.DataFrame, zone_weights: str) -> NDArray[np.float64]:
    """Return the column of weights; refuse weights that are missing or negative."""
    column_of = {column.strip().strip("\ufeff"): column for column in frame.columns}
    weights = _numbers(frame[_column(name, column_of, "zone_weights", zone_weights)])
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        extent = f"{int(wrong.sum())} of {wrong.size} rows have none, first row {int(np.argmax(wrong)) + 1}"
        msg = f"{name}: weights in column {zone_weights} must be numbers of 0 or more, {extent}; complete the column"
        raise DataError(msg, setting="zone_weights", value=zone_weights)
    return weights


def _column(name: str, column_of: dict[str, str], which: str, column: str) -> str:
    """Return the table's own name of a column that the user names."""
    if column not in column_of:
        msg = f"{name}: has no column {column}, only {', '.join(column_of) or 'none'}; name one of them with {setting(which)}"
        raise DataError(msg, setting=which, value=column, allowed=tuple(column_of))
    return column_of[column]
