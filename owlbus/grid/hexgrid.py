"""Hexagonal grid of a study area."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only, read_only_copy
from owlbus.common.defaults import RADIUS_M
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import read_parquet, rebuild_errors, write_parquet
from owlbus.common.units import require_number
from owlbus.grid import cover, projection

if TYPE_CHECKING:
    from os import PathLike

    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

    from owlbus.kernels.hexing import PointTables

_STEPS = np.array([(1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)], dtype=np.int64)
_MAX_HEXES = 5_000_000
_RADII_M = 1.0, 100_000.0
"""Radii of sensible hexes, metres: from a room to a county."""
_H3_RESOLUTION, _FINEST_H3 = 8, 15
_LAYOUTS = ("planar", "h3")


@dataclass(frozen=True, slots=True, eq=False)
class HexGrid:
    """
    Grid of regular hexagons; every point of the area is in exactly one.

    Planar hexes are pointy-top in the grid's local projection: r counts rows northwards, q runs east, and the hex (0, 0) is
    centred on the projection's centre. A shared edge or vertex belongs to the hex that comes last in (r, q) order. Hexes
    are numbered in that order; "hex index" means this number.

    Attributes
    ----------
    crs
        PROJ text of the local transverse Mercator projection, metres.
    radius_m
        Circumradius in metres; for H3 the mean over the grid.
    layout
        ``planar`` or ``h3``.
    q, r
        Axial coordinates, shape (n_hexes,), int32, unique, sorted by (r, q); for H3 its local i and -j.
    anchor
        H3 cell that the local coordinates are counted from; empty for a planar grid.
    x_m, y_m
        Centres in metres, shape (n_hexes,), float64.
    lon, lat
        Centres in degrees, shape (n_hexes,), float64.
    fit_error_m
        Largest measured error of the fitted projection in metres; infinite where the fit is not used.

    Raises
    ------
    DataError
        If the hexes are none, not sorted or not unique, or if the area is too wide for an exact fit.
    UsageError
        If the layout or the radius is out of range.

    Examples
    --------
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)])
    >>> int(grid.lonlat_to_hex(grid.lon[3], grid.lat[3]))
    3
    """

    crs: str
    radius_m: float
    layout: str
    q: NDArray[np.int32]
    r: NDArray[np.int32]
    anchor: str = ""
    x_m: NDArray[np.float64] = field(init=False, repr=False)
    y_m: NDArray[np.float64] = field(init=False, repr=False)
    lon: NDArray[np.float64] = field(init=False, repr=False)
    lat: NDArray[np.float64] = field(init=False, repr=False)
    fit_error_m: float = field(init=False, repr=False)
    _tables: PointTables | None = field(init=False, repr=False)
    _cells: NDArray[np.str_] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the axial coordinates and derive centres and kernel tables."""
        if self.layout not in _LAYOUTS:
            msg = f"{setting('layout')} must be one of {', '.join(_LAYOUTS)}, got {self.layout!r}"
            raise UsageError(msg, setting="layout", value=self.layout, allowed=tuple(_LAYOUTS))
        require_number("radius_m", self.radius_m, *_RADII_M)
        q, r = (read_only_copy(values, np.int32).reshape(-1) for values in (self.q, self.r))
        _require_axial(q, r)
        _set_fields(self, q=q, r=r, radius_m=float(self.radius_m), _cells=None)
        (_set_planar_fields if self.layout == "planar" else _set_h3_fields)(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return HexGrid, (self.crs, self.radius_m, self.layout, self.q, self.r, self.anchor)

    def __repr__(self) -> str:
        """Return layout, number of hexes and radius."""
        return f"HexGrid({self.layout}, {self.n_hexes} hexes of {self.radius_m:g} m)"

    def _repr_html_(self) -> str:
        """Size and a small map, for notebooks."""
        from owlbus.common import notebook_html

        rows = [("hexes", f"{self.n_hexes:,}"), ("radius", f"{self.radius_m:g} m"), ("layout", self.layout)]
        return notebook_html.page(
            "HexGrid", notebook_html.table(rows), notebook_html.dots(self.x_m.tolist(), self.y_m.tolist(), 0.8 * self.radius_m)
        )

    @classmethod
    def cover(
        cls, outline: ArrayLike | BaseGeometry | gpd.GeoDataFrame | gpd.GeoSeries, radius_m: float = RADIUS_M, n_hexes: int | None = None
    ) -> HexGrid:
        """
        Planar hexes over an outline.

        Parameters
        ----------
        outline
            Ring of lon/lat in degrees, of shape (n, 2), a shapely polygon or multipolygon in lon/lat, or the polygons of a GeoDataFrame
            or GeoSeries, joined, in any coordinate reference system. Its edges are straight in the local projection.
        radius_m
            Circumradius in metres.
        n_hexes
            Number of hexes; None: all hexes that touch the outline, boundary included. Else the hexes nearest to
            the outline by distance of their polygon; ties go to the larger overlap, then to the lower (r, q).

        Returns
        -------
        HexGrid
            Planar grid.

        Raises
        ------
        DataError
            If the outline is not a valid area.
        UsageError
            If `radius_m` or `n_hexes` is out of range.

        Examples
        --------
        >>> HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], radius_m=500, n_hexes=12)
        HexGrid(planar, 12 hexes of 500 m)
        """
        require_number("radius_m", radius_m, *_RADII_M)
        if n_hexes is not None and not 1 <= n_hexes <= _MAX_HEXES:
            msg = f"{setting('n_hexes')} must lie in [1, {_MAX_HEXES}], got {n_hexes}"
            raise UsageError(msg, setting="n_hexes", value=n_hexes, allowed=(1, _MAX_HEXES))
        area = cover.outline_polygon(outline)
        crs = projection.local_crs(area.centroid.x, area.centroid.y)
        flat = cover.projected(area, crs)
        q, r = cover.touching_hexes(flat, radius_m) if n_hexes is None else cover.nearest_hexes(flat, radius_m, n_hexes)
        return cls(crs, radius_m, "planar", q, r)

    @classmethod
    def from_h3(cls, outline: ArrayLike | BaseGeometry, resolution: int = _H3_RESOLUTION) -> HexGrid:
        """
        Grid of the H3 cells that touch an outline.

        Parameters
        ----------
        outline
            Ring of lon/lat in degrees, shape (n, 2), or a shapely polygon, as for `cover`.
        resolution
            H3 resolution, 5 to 11; hexes of resolution 8 measure 530 m on average, 440 m in Seoul.

        Returns
        -------
        HexGrid
            H3 grid; points are assigned as by `h3.latlng_to_cell`.

        Raises
        ------
        DataError
            If the outline is not a valid area, or contains an H3 pentagon.
        UsageError
            If `resolution` is out of range.

        Examples
        --------
        >>> grid = HexGrid.from_h3([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)])
        >>> grid.layout, str(grid.h3_index()[0])[:4]
        ('h3', '8875')
        """
        area = cover.outline_polygon(outline)
        cells = cover.h3_cells(area, resolution)
        anchor, q, r = cover.h3_axial(cells)
        return cls(projection.local_crs(area.centroid.x, area.centroid.y), cover.h3_radius_m(cells), "h3", q, r, anchor)

    @property
    def n_hexes(self) -> int:
        """Number of hexes."""
        return self.q.size

    @property
    def point_tables(self) -> PointTables | None:
        """
        Lookup tables for the kernels of `owlbus.kernels.hexing`.

        None for an H3 grid across an icosahedron edge, where no polynomial is exact; `lonlat_to_hex` still works.
        """
        return self._tables

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 of layout, projection, radius and axial coordinates."""
        text = json.dumps([self.layout, self.crs, self.radius_m, self.anchor])
        return hashlib.sha256(text.encode() + self.q.astype("<i4").tobytes() + self.r.astype("<i4").tobytes()).hexdigest()[:16]

    @property
    def labels(self) -> NDArray[np.str_]:
        """Label of each hex, such as ``q12r-3``, or its H3 index; shape (n_hexes,)."""
        if self.layout == "h3":
            return self.h3_index()
        return np.array([f"q{q}r{r}" for q, r in zip(self.q.tolist(), self.r.tolist(), strict=True)])

    @property
    def neighbours(self) -> NDArray[np.int32]:
        """Hex indices of the six neighbours of each hex, shape (n_hexes, 6), int32, -1 where there is none."""
        return self.axial_to_hex(self.q[:, None] + _STEPS[:, 0], self.r[:, None] + _STEPS[:, 1])

    def axial_to_hex(self, q: ArrayLike, r: ArrayLike) -> NDArray[np.int32]:
        """
        Return the hex index of axial coordinates, -1 outside the grid.

        Parameters
        ----------
        q, r
            Axial coordinates, integers of one shape.

        Returns
        -------
        ndarray of int32
            Same shape.
        """
        width = int(self.q.max()) - int(self.q.min()) + 1
        key = (self.r.astype(np.int64) - int(self.r.min())) * width + (self.q.astype(np.int64) - int(self.q.min()))
        dq, dr = (np.asarray(a, dtype=np.int64) - int(axis.min()) for a, axis in ((q, self.q), (r, self.r)))
        wanted_key = dr * width + dq
        row = np.minimum(np.searchsorted(key, wanted_key), key.size - 1)
        is_inside = (key[row] == wanted_key) & (dq >= 0) & (dq < width)
        return np.where(is_inside, row, -1).astype(np.int32)

    def lonlat_to_hex(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.int32]:
        """
        Return the hex index of points, -1 outside the grid and for non-finite positions.

        Parameters
        ----------
        lon, lat
            Degrees, scalars or arrays of one shape.

        Returns
        -------
        ndarray of int32
            Same shape, in [0, n_hexes) or -1.

        Raises
        ------
        DataError
            If the shapes differ.
        """
        from owlbus.kernels.hexing import hexes_of_points

        lon, lat = (np.asarray(values, dtype=np.float64) for values in (lon, lat))
        if lon.shape != lat.shape:
            msg = f"lon and lat must have one shape, got {lon.shape} and {lat.shape}"
            raise DataError(msg)
        x, y = np.ascontiguousarray(lon.reshape(-1)), np.ascontiguousarray(lat.reshape(-1))
        tables = self._tables
        hexes = cover.h3_lookup(self.h3_index(), x, y) if tables is None else hexes_of_points(x, y, tables)
        return hexes.reshape(lon.shape)

    def hex_to_lonlat(self, hexes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Return the centres of hexes in degrees.

        Parameters
        ----------
        hexes
            Hex indices in [0, n_hexes), any shape.

        Returns
        -------
        tuple of ndarray of float64
            lon and lat in degrees, of that shape.

        Raises
        ------
        DataError
            If an index lies outside the grid.
        """
        rows = self._require_hexes(hexes)
        return self.lon[rows], self.lat[rows]

    def hex_to_boundary(self, hexes: ArrayLike) -> NDArray[np.float64]:
        """
        Return the corners of hexes in degrees, anticlockwise.

        Parameters
        ----------
        hexes
            Hex indices in [0, n_hexes), of shape (n,).

        Returns
        -------
        ndarray of float64
            lon and lat in degrees, shape (n, 6, 2).

        Raises
        ------
        DataError
            If an index lies outside the grid.
        """
        rows = np.atleast_1d(self._require_hexes(hexes))
        if self.layout == "h3":
            return cover.h3_boundaries(self.h3_index()[rows])
        corners = projection.corners_m(self.x_m[rows], self.y_m[rows], self.radius_m)
        lon, lat = projection.unproject(self.crs, corners[..., 0].reshape(-1), corners[..., 1].reshape(-1))
        return np.stack([lon, lat], axis=-1).reshape(-1, 6, 2)

    def project(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Project points: metres east and north of the projection's centre.

        Parameters
        ----------
        lon, lat
            Degrees, any shape.

        Returns
        -------
        tuple of ndarray of float64
            x and y in metres, of that shape.
        """
        return projection.project(self.crs, np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))

    def unproject(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Return longitude and latitude of projected points, degrees.

        Parameters
        ----------
        x, y
            Metres, any shape.

        Returns
        -------
        tuple of ndarray of float64
            lon and lat in degrees, of that shape.
        """
        return projection.unproject(self.crs, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))

    def h3_index(self, resolution: int = _H3_RESOLUTION) -> NDArray[np.str_]:
        """
        Return the H3 index of each hex, for joining other data: the cell at its centre, or the hex itself on an H3 grid.

        Parameters
        ----------
        resolution
            H3 resolution for a planar grid, 0 to 15; ignored on an H3 grid.

        Returns
        -------
        ndarray of str
            Shape (n_hexes,).

        Raises
        ------
        UsageError
            If `resolution` is out of range.
        """
        import h3

        if self._cells is not None:
            return self._cells
        require_number("resolution", resolution, 0, _FINEST_H3)
        return np.array([h3.latlng_to_cell(lat, lon, resolution) for lon, lat in zip(self.lon.tolist(), self.lat.tolist(), strict=True)])

    def to_geodataframe(self) -> gpd.GeoDataFrame:
        """
        Return one row per hex: label, axial coordinates, centre, H3 index and polygon.

        Returns
        -------
        GeoDataFrame
            In lon/lat (EPSG:4326), indexed by hex index.
        """
        import geopandas as gpd
        import shapely

        columns = self._columns()
        polygons = shapely.polygons(self.hex_to_boundary(np.arange(self.n_hexes)))
        frame: gpd.GeoDataFrame = gpd.GeoDataFrame(columns, geometry=polygons, crs="EPSG:4326")
        return frame

    def write(self, path: str | PathLike[str]) -> None:
        """
        Write the grid as GeoParquet; the same grid gives the same bytes.

        Parameters
        ----------
        path
            File to write.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        import shapely

        polygons = shapely.polygons(self.hex_to_boundary(np.arange(self.n_hexes)))
        geo = {
            "version": "1.0.0",
            "primary_column": "geometry",
            "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"]}},
        }
        settings = {"crs": self.crs, "radius_m": self.radius_m, "layout": self.layout, "anchor": self.anchor}
        columns = self._columns() | {"geometry": np.asarray(shapely.to_wkb(polygons)).tolist()}
        write_parquet(path, columns, "grid", settings, geo=json.dumps(geo, sort_keys=True))

    @classmethod
    def read(cls, path: str | PathLike[str]) -> HexGrid:
        """
        Read a grid that `write` wrote.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        HexGrid
            Grid with the same fingerprint.

        Raises
        ------
        DataError
            If the file is missing or not a grid.
        """
        table, settings = read_parquet(path, "grid")
        with rebuild_errors(path, "grid"):
            q, r = (table[name].to_numpy() for name in ("q", "r"))
            return cls(settings["crs"], settings["radius_m"], settings["layout"], q, r, settings["anchor"])

    def _columns(self) -> dict[str, Any]:
        """Return the exported columns."""
        return {
            "hex": np.arange(self.n_hexes, dtype=np.int32),
            "label": self.labels,
            "q": self.q,
            "r": self.r,
            "lon": self.lon,
            "lat": self.lat,
            "h3": self.h3_index(),
        }

    def _require_hexes(self, hexes: ArrayLike) -> NDArray[np.int64]:
        """Return hex indices as integers; reject those outside the grid."""
        rows = np.asarray(hexes, dtype=np.int64)
        bad = (rows < 0) | (rows >= self.n_hexes)
        if bad.any():
            msg = f"hexes must lie in [0, {self.n_hexes}), got {rows[bad].flat[0]} ({int(bad.sum())} such)"
            raise DataError(msg)
        return rows


def _set_fields(grid: HexGrid, **values: object) -> None:
    """Set fields of a frozen grid in its constructor; arrays become read-only."""
    for name, value in values.items():
        object.__setattr__(grid, name, read_only(value) if isinstance(value, np.ndarray) else value)


def _require_axial(q: NDArray[np.int32], r: NDArray[np.int32]) -> None:
    """Reject axial coordinates that are empty, unequal in length, unsorted or repeated."""
    if q.size != r.size or not q.size:
        msg = f"q and r must hold one hex or more and be equally long, got {q.size} and {r.size}"
        raise DataError(msg)
    step = np.diff(r.astype(np.int64)) * (1 << 33) + np.diff(q.astype(np.int64))
    if (step <= 0).any():
        msg = f"hexes must be unique and sorted by (r, q), broken at row {int(np.argmax(step <= 0)) + 1}"
        raise DataError(msg)


def _require_frame(boundary: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the box around the corners of all hexes; reject one across the date line."""
    frame = projection.frame_of(boundary[..., 0], boundary[..., 1])
    if 1 / frame[2] > 90:  # noqa: PLR2004  # degrees: half the globe
        msg = "the area must not cross the 180th meridian; split it there"
        raise DataError(msg)
    return frame


def _set_planar_fields(grid: HexGrid) -> None:
    """Set centres and kernel tables of a planar grid."""
    x, y = projection.centres_m(grid.q, grid.r, grid.radius_m)
    lon, lat = projection.unproject(grid.crs, x, y)
    _set_fields(grid, x_m=x, y_m=y, lon=lon, lat=lat)
    frame = _require_frame(grid.hex_to_boundary(np.arange(grid.n_hexes)))
    samples = projection.box_samples(frame, projection.planar_skew(grid.crs, grid.radius_m))
    poly, degree, error_m = projection.fit_poly(*samples, grid.radius_m)
    projection.require_exact_fit(error_m, frame)
    _set_fields(grid, fit_error_m=error_m, _tables=projection.point_tables(frame, poly, degree, grid.q, grid.r))


def _set_h3_fields(grid: HexGrid) -> None:
    """Set centres of H3 cells, and kernel tables if a polynomial is exact."""
    cells = cover.cells_of_axial(grid.anchor, grid.q, grid.r)
    lon, lat = cover.h3_centres(cells)
    x, y = projection.project(grid.crs, lon, lat)
    _set_fields(grid, x_m=x, y_m=y, lon=lon, lat=lat, _cells=cells)
    frame = _require_frame(cover.h3_boundaries(cells))
    scaled, skew = cover.h3_samples(grid.anchor, cells, frame)
    poly, degree, error_m = projection.fit_poly(scaled, skew, np.ones(len(scaled), dtype=np.bool_), grid.radius_m)
    exact = error_m <= projection.GOOD_ERROR_M
    tables = projection.point_tables(frame, poly, degree, grid.q, grid.r) if exact else None
    _set_fields(grid, fit_error_m=error_m if exact else float("inf"), _tables=tables)
