"""Hex grids: no holes, no overlaps, the hexes that were asked for, and the same grid after every journey."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING

import geopandas as gpd
import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.grid import projection
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from pathlib import Path

BOX = ((10.0, 50.0), (10.06, 50.0), (10.06, 50.04), (10.0, 50.04))
GRID = HexGrid.cover(BOX)
CELLS = HexGrid.from_h3(BOX)


def polygons(grid: HexGrid) -> np.ndarray:
    """Hexes as shapely polygons in metres, from the lattice's own arithmetic."""
    return shapely.polygons(projection.corners_m(grid.x_m, grid.y_m, grid.radius_m))


@given(st.floats(10.0, 10.06), st.floats(50.0, 50.04))
def test_every_point_of_the_area_lies_in_exactly_one_hex_and_its_polygon_holds_it(lon: float, lat: float) -> None:
    found = int(GRID.lonlat_to_hex(lon, lat))
    assert found >= 0
    off = shapely.distance(polygons(GRID), shapely.Point(*GRID.project(lon, lat)))
    assert off[found] <= 1e-5
    assert (off == 0).sum() <= 3


def test_points_on_edges_and_vertices_go_to_a_hex_that_touches_them() -> None:
    shape = polygons(GRID)
    rings = shapely.get_coordinates(shapely.get_exterior_ring(shape)).reshape(GRID.n_hexes, 7, 2)
    marks = np.concatenate([rings[:, :6].reshape(-1, 2), (rings[:, :6] + rings[:, 1:]).reshape(-1, 2) / 2])
    found = GRID.lonlat_to_hex(*GRID.unproject(marks[:, 0], marks[:, 1]))
    area = shapely.transform(shapely.Polygon(BOX), lambda at: np.stack(GRID.project(at[:, 0], at[:, 1]), axis=1))
    assert (found[shapely.contains(area, shapely.points(marks))] >= 0).all()
    inside = found >= 0
    assert shapely.distance(shape[found[inside]], shapely.points(marks[inside])).max() < 1e-5


def test_hexes_neither_overlap_nor_leave_holes() -> None:
    whole = shapely.union_all(polygons(GRID), grid_size=1e-6)
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0
    assert whole.area == pytest.approx(shapely.area(polygons(GRID)).sum(), rel=1e-9)


def test_a_hex_has_six_corners_at_its_radius_and_the_area_of_a_regular_hexagon() -> None:
    ring = GRID.hex_to_boundary([0])[0]
    x, y = GRID.project(ring[:, 0], ring[:, 1])
    assert np.allclose(np.hypot(x - GRID.x_m[0], y - GRID.y_m[0]), 500.0, atol=1e-6)
    assert shapely.Polygon(np.stack([x, y], axis=1)).area == pytest.approx(1.5 * 3**0.5 * 500**2)
    assert shapely.Polygon(ring).exterior.is_ccw


def test_the_fitted_projection_is_exact_to_a_micrometre_and_says_so() -> None:
    assert GRID.fit_error_m <= 1e-6
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(10.0, 10.06, 20_000), rng.uniform(50.0, 50.04, 20_000)
    x, y = GRID.project(lon, lat)
    off = np.hypot(GRID.x_m[:, None] - x[:2_000], GRID.y_m[:, None] - y[:2_000])
    assert (GRID.lonlat_to_hex(lon[:2_000], lat[:2_000]) == off.argmin(axis=0)).all()


def test_an_area_of_two_degrees_takes_a_higher_degree_and_one_of_a_continent_is_refused() -> None:
    wide = HexGrid.cover([(29.2, 59.5), (31.2, 59.5), (31.2, 60.5), (29.2, 60.5)], radius_m=2_000)
    assert wide.point_tables is not None
    assert wide.point_tables.degree == 6
    assert wide.fit_error_m <= 1e-6
    with pytest.raises(DataError, match=r"the fitted projection must be exact to 0\.001 m, is off by .* m over .* degrees; split the area"):
        HexGrid.cover([(0, 40), (30, 40), (30, 60), (0, 60)], radius_m=50_000)


def test_the_sample_city_has_1252_hexes(seoul: Path) -> None:
    outline = seoul / "outline.geojson"
    if not outline.exists():
        pytest.skip("needs the sample city")
    area = shapely.geometry.shape(json.loads(outline.read_text(encoding="utf-8"))["features"][0]["geometry"])
    grid = HexGrid.cover(area, radius_m=500, n_hexes=1252)
    assert grid.n_hexes == 1252
    flat = shapely.transform(area, lambda at: np.stack(grid.project(at[:, 0], at[:, 1]), axis=1))
    assert shapely.distance(polygons(grid), flat).max() < 900
    assert set(zip(HexGrid.cover(area).q, HexGrid.cover(area).r, strict=True)) < set(zip(grid.q, grid.r, strict=True))


def test_without_a_number_the_cover_is_every_hex_that_touches_the_outline() -> None:
    area = shapely.transform(shapely.Polygon(BOX), lambda at: np.stack(GRID.project(at[:, 0], at[:, 1]), axis=1))
    assert shapely.intersects(polygons(GRID), area).all()
    more = HexGrid.cover(BOX, n_hexes=GRID.n_hexes + 40)
    touching = shapely.intersects(polygons(more), area)
    assert touching.sum() == GRID.n_hexes


@pytest.mark.parametrize("n", [1, 2, 7, 30, 60, 200])
def test_the_nearest_hexes_are_those_a_full_sort_gives(n: int) -> None:
    grid = HexGrid.cover(BOX, n_hexes=n)
    pool = HexGrid.cover(BOX, n_hexes=400)
    area = shapely.transform(shapely.Polygon(BOX), lambda at: np.stack(pool.project(at[:, 0], at[:, 1]), axis=1))
    shape = polygons(pool)
    off = [round(float(shapely.distance(one, area)), 6) for one in shape]
    overlap = [round(float(shapely.intersection(one, area).area), 3) for one in shape]
    best = sorted(range(pool.n_hexes), key=lambda i: (off[i], -overlap[i], i))[:n]
    assert sorted(zip(grid.r.tolist(), grid.q.tolist(), strict=True)) == sorted((int(pool.r[i]), int(pool.q[i])) for i in best)


def test_hexes_are_numbered_row_by_row_northwards() -> None:
    order = np.lexsort((GRID.q, GRID.r))
    assert (order == np.arange(GRID.n_hexes)).all()
    assert (np.diff(GRID.y_m) >= -1e-9).all()


def test_neighbours_lie_one_spacing_away_and_know_each_other() -> None:
    near = GRID.neighbours
    for home, row in enumerate(near):
        for other in row[row >= 0]:
            assert np.hypot(GRID.x_m[home] - GRID.x_m[other], GRID.y_m[home] - GRID.y_m[other]) == pytest.approx(500 * 3**0.5)
            assert home in near[other]
    spacing = np.hypot(GRID.x_m[:, None] - GRID.x_m, GRID.y_m[:, None] - GRID.y_m)
    assert ((spacing > 1) & (spacing < 900)).sum() == (near >= 0).sum()


def test_axial_coordinates_outside_the_grid_give_no_hex() -> None:
    assert GRID.axial_to_hex(GRID.q, GRID.r).tolist() == list(range(GRID.n_hexes))
    assert GRID.axial_to_hex([10**9, -(10**9), int(GRID.q.max()) + 1], [0, 0, int(GRID.r[0])]).tolist() == [-1, -1, -1]


def test_centres_come_back_to_their_hex_through_scalars_and_arrays() -> None:
    for grid in (GRID, CELLS):
        every = np.arange(grid.n_hexes)
        assert (grid.lonlat_to_hex(*grid.hex_to_lonlat(every)) == every).all()
        assert grid.lonlat_to_hex(grid.lon.reshape(1, -1), grid.lat.reshape(1, -1)).shape == (1, grid.n_hexes)
        assert grid.lonlat_to_hex(float(grid.lon[2]), float(grid.lat[2])).shape == ()
        x, y = grid.project(grid.lon, grid.lat)
        assert np.allclose(grid.unproject(x, y), (grid.lon, grid.lat), atol=1e-12)


def test_an_h3_grid_answers_as_h3_does() -> None:
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(9.98, 10.08, 5_000), rng.uniform(49.98, 50.06, 5_000)
    assert CELLS.point_tables is not None
    cells = CELLS.h3_index()
    index = {cell: i for i, cell in enumerate(cells.tolist())}
    assert CELLS.lonlat_to_hex(lon, lat).tolist() == [
        index.get(h3.latlng_to_cell(y, x, 8), -1) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)
    ]
    assert set(cells.tolist()) >= set(h3.polygon_to_cells(h3.LatLngPoly([(y, x) for x, y in BOX]), 8))


def test_an_h3_grid_over_an_icosahedron_edge_falls_back_to_h3_and_agrees_with_it() -> None:
    here = next(
        (lon, 48.0)
        for lon in np.arange(-10.0, 40.0, 0.05)
        if len(h3.get_icosahedron_faces(h3.latlng_to_cell(48.0, lon, 5))) > 1 or _faces(lon, 48.0) > 1
    )
    lon0, lat0 = here
    grid = HexGrid.from_h3([(lon0 - 0.3, lat0 - 0.2), (lon0 + 0.3, lat0 - 0.2), (lon0 + 0.3, lat0 + 0.2), (lon0 - 0.3, lat0 + 0.2)], 7)
    assert grid.point_tables is None
    assert grid.fit_error_m == float("inf")
    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(lon0 - 0.35, lon0 + 0.35, 500), rng.uniform(lat0 - 0.25, lat0 + 0.25, 500)
    index = {cell: i for i, cell in enumerate(grid.h3_index().tolist())}
    expected = [index.get(h3.latlng_to_cell(y, x, 7), -1) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]
    assert grid.lonlat_to_hex(lon, lat).tolist() == expected
    assert grid.lonlat_to_hex([np.nan, np.inf, 1e9], [48.0, 48.0, 48.0]).tolist() == [-1, -1, -1]
    assert grid.hex_to_boundary(np.arange(grid.n_hexes)).shape == (grid.n_hexes, 6, 2)


def _faces(lon: float, lat: float) -> int:
    """Icosahedron faces that cells around a point lie on."""
    return len({face for cell in h3.grid_disk(h3.latlng_to_cell(lat, lon, 5), 1) for face in h3.get_icosahedron_faces(cell)})


def test_h3_neighbours_are_those_of_h3() -> None:
    cells = CELLS.h3_index()
    for home, row in enumerate(CELLS.neighbours):
        assert set(cells[row[row >= 0]].tolist()) == (set(h3.grid_ring(str(cells[home]), 1)) & set(cells.tolist()))


def test_planar_hexes_name_the_h3_cell_of_their_centre() -> None:
    assert GRID.h3_index()[5] == h3.latlng_to_cell(GRID.lat[5], GRID.lon[5], 8)
    assert GRID.h3_index(7)[5] == h3.latlng_to_cell(GRID.lat[5], GRID.lon[5], 7)
    assert GRID.labels[0] == f"q{GRID.q[0]}r{GRID.r[0]}"
    assert len(set(GRID.labels.tolist())) == GRID.n_hexes
    assert CELLS.labels.tolist() == CELLS.h3_index().tolist()


@pytest.mark.parametrize("grid", [GRID, CELLS], ids=["planar", "h3"])
def test_a_grid_survives_writing_pickling_and_copying(grid: HexGrid, tmp_path: Path) -> None:
    grid.write(tmp_path / "a.parquet")
    grid.write(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    for twin in (HexGrid.read(tmp_path / "a.parquet"), pickle.loads(pickle.dumps(grid)), copy.deepcopy(grid)):  # noqa: S301  # own bytes
        assert twin.fingerprint == grid.fingerprint
        assert not twin.q.flags.writeable
        assert not twin.lon.flags.writeable
        assert (twin.lonlat_to_hex(grid.lon, grid.lat) == np.arange(grid.n_hexes)).all()
    frame = gpd.read_parquet(tmp_path / "a.parquet")
    assert frame.geometry.iloc[3].equals(grid.to_geodataframe().geometry.iloc[3])
    assert len(list(tmp_path.iterdir())) == 2


def test_different_grids_have_different_fingerprints() -> None:
    assert len({GRID.fingerprint, CELLS.fingerprint, HexGrid.cover(BOX, 501).fingerprint, HexGrid.cover(BOX, n_hexes=9).fingerprint}) == 4


def test_a_grid_owns_its_arrays() -> None:
    q, r = GRID.q.copy(), GRID.r.copy()
    grid = HexGrid(GRID.crs, 500, "planar", q, r)
    q[0] += 1
    assert grid.q[0] == GRID.q[0]
    with pytest.raises(ValueError, match="read-only"):
        grid.q[0] = 3


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        ([(0, 0), (1, 1)], r"an outline must have shape \(n, 2\) with n >= 3, got \(2, 2\)"),
        ([(0, 0), (1, np.nan), (1, 1), (0, 1)], r"an outline must be finite, broken in row 1 \(1 such rows\)"),
        ([(37.5, 126.9), (37.6, 126.9), (37.6, 127.0)], r"lat 126\.9 to 127; lon comes before lat"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], r"an outline must be a valid area, got: Self-intersection.*; repair it first"),
        ([(0, 0), (1, 1), (2, 2)], r"an outline must be a valid area"),
        (shapely.Point(0, 0), r"an outline must be a polygon or multipolygon, got Point"),
        (shapely.Polygon(), r"an outline must be a polygon or multipolygon, got an empty Polygon"),
    ],
)
def test_an_outline_that_is_no_area_is_refused(outline: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        HexGrid.cover(outline)


def test_a_multipolygon_is_covered_part_by_part() -> None:
    parts = [shapely.box(10.0, 50.0, 10.01, 50.01), shapely.box(10.1, 50.0, 10.11, 50.01)]
    grid = HexGrid.cover(shapely.MultiPolygon(parts))
    assert (grid.lonlat_to_hex([10.005, 10.105, 10.055], [50.005] * 3) >= 0).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HexGrid.cover(BOX, 0), r"radius_m must lie in \[1, 100000\], got 0"),
        (lambda: HexGrid.cover(BOX, float("nan")), r"radius_m must lie in \[1, 100000\], got nan"),
        (lambda: HexGrid.cover(BOX, n_hexes=0), r"n_hexes must lie in \[1, 5000000\], got 0"),
        (lambda: HexGrid.cover([(0, 0), (9, 0), (9, 9)], 10), r"radius_m must leave at most 2000000 hexes .* choose larger hexes"),
        (lambda: HexGrid.from_h3(BOX, 12), r"resolution must lie in \[5, 11\], got 12"),
        (lambda: GRID.h3_index(16), r"resolution must lie in \[0, 15\], got 16"),
        (lambda: HexGrid(GRID.crs, 500, "square", GRID.q, GRID.r), r"layout must be one of planar, h3, got 'square'"),
    ],
)
def test_an_argument_out_of_range_is_refused(call: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HexGrid(GRID.crs, 500, "planar", [], []), r"q and r must hold one hex or more and be equally long, got 0 and 0"),
        (lambda: HexGrid(GRID.crs, 500, "planar", [1, 2], [0]), r"equally long, got 2 and 1"),
        (lambda: HexGrid(GRID.crs, 500, "planar", [1, 1], [0, 0]), r"hexes must be unique and sorted by \(r, q\), broken at row 1"),
        (lambda: HexGrid(GRID.crs, 500, "planar", [0, 5], [1, 0]), r"sorted by \(r, q\), broken at row 1"),
        (
            lambda: HexGrid(CELLS.crs, 500, "h3", [0], [0], "zzz"),
            r"an H3 grid needs an anchor cell and coordinates around it, got anchor 'zzz'",
        ),
        (lambda: HexGrid.cover([(-179.99, 0), (179.99, 0), (179.99, 0.1)], 50_000), r"must not cross the 180th meridian|must be exact"),
        (lambda: HexGrid.cover([(0, 0), (170, 0), (170, 80), (0, 80)]), r"an outline must fit one local projection, got lon 0 to 170"),
        (lambda: GRID.hex_to_lonlat([0, -1]), r"hexes must lie in \[0, \d+\), got -1 \(1 such\)"),
        (lambda: GRID.hex_to_boundary([10**6]), r"hexes must lie in .*, got 1000000"),
        (lambda: GRID.lonlat_to_hex([1.0], [1.0, 2.0]), r"lon and lat must have one shape, got \(1,\) and \(2,\)"),
        (lambda: HexGrid.read("no/such.parquet"), r"no such file; name a grid file that owlbus wrote"),
    ],
)
def test_data_that_breaks_a_rule_is_refused(call: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()  # type: ignore[operator]


def test_an_h3_pentagon_is_refused() -> None:
    lat, lon = h3.cell_to_latlng(min(h3.get_pentagons(8)))
    with pytest.raises(DataError, match=r"an H3 grid must hold no pentagon, got 88"):
        HexGrid.from_h3(shapely.Point(lon, lat).buffer(0.01))


def test_a_file_of_another_kind_and_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"holds 'no owlbus table' where 'grid' is wanted"):
        HexGrid.read(tmp_path / "x.parquet")
    (tmp_path / "y.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"is no readable Parquet file"):
        HexGrid.read(tmp_path / "y.parquet")
    with pytest.raises(DataError, match=r"cannot be written .* name a folder that exists"):
        GRID.write(tmp_path / "no" / "grid.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.parquet", "y.parquet"]
