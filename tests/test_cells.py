"""Cells too wide for one position: each is a zone that is spread over its hexes, held against geopandas, pandas and h3."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import polars as pl
import pytest
import shapely

from owlbus.cli.app import run as main
from owlbus.cluster import count_in_processes
from owlbus.common.errors import DataError
from owlbus.demand import estimate_demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.pipeline.study import demand_from_sources
from owlbus.pipeline.study_sources import Sources
from owlbus.records import outline_of_records
from owlbus.records.cell_zones import table_of_cells
from owlbus.records.cells import cell_polygons
from owlbus.records.read_options import ReadOptions
from owlbus.records.sources import open_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Cell = Callable[[float, float], Any]

BOX = (13.29, 52.455, 13.43, 52.525)
GRID = HexGrid.cover(shapely.box(*BOX))
BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"


def geohash(lon: float, lat: float, n_characters: int) -> str:
    """Geohash by halving intervals, one bit after the other."""
    ranges, bits = [[-180.0, 180.0], [-90.0, 90.0]], ""
    for place in range(5 * n_characters):
        span, value = ranges[place % 2], (lon, lat)[place % 2]
        middle = sum(span) / 2
        bits += str(int(value >= middle))
        span[int(value < middle)] = middle
    return "".join(BASE32[int(bits[place : place + 5], 2)] for place in range(0, len(bits), 5))


def h3_cell(resolution: int) -> Cell:
    return lambda lon, lat: h3.latlng_to_cell(lat, lon, resolution)


def spots(n: int, seed: int = 4, reach: float = 0.0) -> list[tuple[float, float]]:
    """Positions in the area, or up to `reach` degrees around it."""
    rng = np.random.default_rng(seed)
    west, south, east, north = BOX
    return list(zip(rng.uniform(west - reach, east + reach, n), rng.uniform(south - reach, north + reach, n), strict=True))


def rides(cell: Cell, n: int = 80, names: str = "{}_cell", reach: float = 0.0) -> pd.DataFrame:
    """Rides between cells in one night, all within the window."""
    start = pd.Timestamp("2024-03-06") + pd.to_timedelta(np.random.default_rng(3).permutation(5 * 3600)[:n], "s")
    ends = {names.format(end): [cell(*spot) for spot in spots(n, seed, reach)] for end, seed in (("origin", 4), ("destination", 5))}
    return pd.DataFrame({"pickup_time": start, "dropoff_time": start + pd.Timedelta("11min 7s"), **ends})


def written(folder: Path, frame: pd.DataFrame, name: str = "rides.csv") -> Path:
    file = folder / name
    if file.suffix == ".parquet":
        frame.to_parquet(file)
    else:
        frame.to_csv(file, index=False)
    return file


def outline_of(cell: str) -> shapely.Polygon:
    """Polygon of a cell, by h3 itself or by all bits of a geohash."""
    if len(cell) == 15:
        return shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(cell)])
    bits = "".join(f"{BASE32.index(sign):05b}" for sign in cell)
    spans = []
    for axis, low, width in ((0, -180.0, 360.0), (1, -90.0, 180.0)):
        own = bits[axis::2]
        size = width / 2 ** len(own)
        spans.append((low + int(own, 2) * size, low + (int(own, 2) + 1) * size))
    return shapely.box(spans[0][0], spans[1][0], spans[0][1], spans[1][1])


def overlay_of_zones(zones: gpd.GeoDataFrame, column: str, grid: HexGrid) -> pd.DataFrame:
    """Share of each zone in each hex, by geopandas."""
    shapes = grid.to_geodataframe().geometry.to_numpy()
    hexes = gpd.GeoDataFrame({"hex": np.arange(grid.n_hexes)}, geometry=shapes, crs=4326).to_crs(grid.crs)
    flat = zones.to_crs(grid.crs)
    met = gpd.overlay(flat, hexes, how="intersection", keep_geom_type=True)
    area = flat.set_index(column).area
    return pd.DataFrame({column: met[column], "hex": met["hex"], "share": met.area.to_numpy() / met[column].map(area).to_numpy()})


def overlay(cells: Any, grid: HexGrid = GRID) -> pd.DataFrame:  # noqa: ANN401 - any iterable of text
    """Share of each cell in each hex, by geopandas."""
    distinct = sorted(set(cells))
    return overlay_of_zones(gpd.GeoDataFrame({"cell": distinct}, geometry=[outline_of(cell) for cell in distinct], crs=4326), "cell", grid)


def pairs_of(frame: pd.DataFrame, here: str, there: str, grid: HexGrid = GRID) -> pd.Series:
    """Trips by pair of hexes: a join of rows with the shares of both ends."""
    shares = overlay([*frame[here], *frame[there]], grid)
    both = frame[[here, there]].merge(shares, left_on=here, right_on="cell").merge(shares, left_on=there, right_on="cell")
    by_pair = (both["share_x"] * both["share_y"]).groupby([both["hex_x"], both["hex_y"]]).sum()
    return by_pair[by_pair.index.get_level_values(0) != by_pair.index.get_level_values(1)]


def people_of(cells: pd.Series, people: Any = 1.0, grid: HexGrid = GRID) -> pd.Series:  # noqa: ANN401 - one number or many
    """People by hex: a join of cells with their shares."""
    table = pd.DataFrame({"cell": cells, "people": people}).merge(overlay(cells, grid), on="cell")
    return (table["people"] * table["share"]).groupby(table["hex"]).sum()


def trips(demand: Any) -> pd.Series:  # noqa: ANN401 - a Demand
    pairs = pd.DataFrame({"hex_x": demand.origin, "hex_y": demand.destination, "trips": demand.trips / demand.n_nights})
    return pairs.groupby(["hex_x", "hex_y"])["trips"].sum()


def people(demand: Any) -> pd.Series:  # noqa: ANN401 - a Demand
    return pd.Series(demand.presence / demand.n_nights).groupby(demand.presence_hex).sum()


def assert_same(ours: pd.Series, theirs: pd.Series, places: float = 0.01) -> None:
    assert not theirs.empty
    assert ours.sub(theirs, fill_value=0).abs().max() < places


@pytest.mark.parametrize(
    ("cell", "name", "words"),
    [
        (h3_cell(8), "rides.csv", "H3 cells of resolution 8"),
        (h3_cell(7), "rides.parquet", "H3 cells of resolution 7"),
        (lambda x, y: h3_cell(8)(x, y).upper(), "rides.csv", "H3 cells of resolution 8"),
        (lambda x, y: int(h3_cell(8)(x, y), 16), "rides.parquet", "H3 cells of resolution 8"),
        (lambda x, y: int(h3_cell(8)(x, y), 16), "rides.csv", "H3 cells of resolution 8"),
        (lambda x, y: "0x" + h3_cell(8)(x, y), "rides.csv", "H3 cells of resolution 8"),
        (lambda x, y: geohash(x, y, 6), "rides.csv", "geohashes of 6 characters"),
        (lambda x, y: geohash(x, y, 5).upper(), "rides.parquet", "geohashes of 5 characters"),
    ],
)
def test_rides_between_wide_cells_are_spread_by_area(cell: Cell, name: str, words: str, tmp_path: Path) -> None:
    frame = rides(cell)
    demand, report = estimate_demand(written(tmp_path, frame, name), GRID)
    plain = frame.assign(**{column: frame[column].map(as_text) for column in ("origin_cell", "destination_cell")})
    assert report.files[0].rows_trip == report.files[0].rows_counted == 80
    assert_same(trips(demand), pairs_of(plain, "origin_cell", "destination_cell"))
    assert_same(people(demand), people_of(plain["origin_cell"]))
    assert f"are {words}: what lies in a cell is spread over its hexes by area" in report.notes[0]
    assert any("is not checked, since cells do not tell how far they go" in note for note in report.notes)


def as_text(cell: Any) -> str:  # noqa: ANN401 - a cell in any form
    return f"{cell:x}" if isinstance(cell, int) else cell.lower().removeprefix("0x")


@pytest.mark.parametrize("kind", ["category", "string[pyarrow]", object])
def test_frames_of_python_with_wide_cells_are_read_as_files_are(kind: Any, tmp_path: Path) -> None:  # noqa: ANN401 - a type of pandas
    frame = rides(h3_cell(8))
    here = estimate_demand(frame.astype({"origin_cell": kind, "destination_cell": kind}), GRID)[0]
    file = frame.astype({"origin_cell": kind, "destination_cell": kind})
    there = estimate_demand(written(tmp_path, file, "rides.parquet"), GRID)[0]
    assert_same(trips(here), pairs_of(frame, "origin_cell", "destination_cell"))
    assert (trips(here) == trips(there)).all()


def test_cells_on_an_h3_grid_of_their_resolution_are_counted_exactly(tmp_path: Path) -> None:
    frame, grid = rides(h3_cell(8), 600), HexGrid.from_h3(shapely.box(*BOX), 8)
    number_of = {cell: number for number, cell in enumerate(grid.h3_index().tolist())}
    frame["a"], frame["b"] = frame["origin_cell"].map(number_of), frame["destination_cell"].map(number_of)
    assert frame[["a", "b"]].notna().all().all()
    demand, report = estimate_demand(written(tmp_path, frame[["pickup_time", "dropoff_time", "origin_cell", "destination_cell"]]), grid)
    wanted = frame[frame["a"] != frame["b"]].groupby(["a", "b"]).size()
    assert trips(demand).to_dict() == wanted.astype(float).to_dict()
    assert people(demand).to_dict() == frame.groupby("a").size().astype(float).to_dict()
    assert demand.total_trips == wanted.sum()
    assert report.files[0].rows_counted == 600


def test_cells_outside_the_area_are_outside_and_cells_on_its_edge_in_part(tmp_path: Path) -> None:
    frame = rides(h3_cell(8), 300, reach=0.05)
    demand, report = estimate_demand(written(tmp_path, frame), GRID)
    wanted = people_of(frame["origin_cell"])
    assert 50 < wanted.sum() < 250
    assert_same(people(demand), wanted)
    assert_same(trips(demand), pairs_of(frame, "origin_cell", "destination_cell"))
    assert "outside the area" in report.notes[0]


def calls(cell: Cell, n: int = 80) -> pd.DataFrame:
    """Calls of people at home in some cell, in one night, all within the window."""
    start = pd.Timestamp("2024-03-06") + pd.to_timedelta(np.random.default_rng(8).integers(0, 5 * 3600, n), "s")
    here, home = ([cell(*spot) for spot in spots(n, seed)] for seed in (6, 7))
    return pd.DataFrame({"time": start, "cell": here, "home_cell": home})


def test_calls_lead_from_their_cell_to_the_cell_of_the_home(tmp_path: Path) -> None:
    frame = calls(h3_cell(7))
    demand, report = estimate_demand(written(tmp_path, frame), GRID)
    away = frame[frame["cell"] != frame["home_cell"]]
    assert 0 < len(away) < 80
    assert report.files[0].rows_trip == len(away)
    assert_same(trips(demand), pairs_of(away, "cell", "home_cell"))
    assert any("from the cell of the subscriber's home are no trips" in note for note in report.notes)


@pytest.mark.parametrize("form", ["text", "number", "any case"])
def test_the_home_of_a_subscriber_is_the_cell_of_most_calls(form: str, tmp_path: Path) -> None:
    frame = calls(h3_cell(7), 120).drop(columns="home_cell").assign(subscriber=[f"s{k % 8}" for k in range(120)])
    ranked = frame.groupby(["subscriber", "cell"]).size().rename("n").reset_index()
    homes = ranked.sort_values(["subscriber", "n", "cell"], ascending=[True, False, True]).groupby("subscriber")["cell"].first()
    away = frame.assign(home_cell=frame["subscriber"].map(homes))
    away = away[away["cell"] != away["home_cell"]].drop_duplicates(["subscriber", "cell"])
    if form == "number":
        frame["cell"] = frame["cell"].map(lambda cell: int(cell, 16))
    elif form == "any case":
        frame["cell"] = [cell.upper() if k % 2 else cell for k, cell in enumerate(frame["cell"])]
    demand, _ = estimate_demand(written(tmp_path, frame, "calls.csv"), GRID)
    assert_same(trips(demand), pairs_of(away, "cell", "home_cell"))


def test_one_end_may_be_a_wide_cell_and_the_other_a_position_or_a_fine_cell(tmp_path: Path) -> None:
    frame = rides(h3_cell(8))
    ends = spots(80, 9)
    hexes = np.asarray(GRID.lonlat_to_hex(*(np.array(axis) for axis in zip(*ends, strict=True))))
    both = frame.assign(hex_y=hexes).merge(overlay(frame["origin_cell"]), left_on="origin_cell", right_on="cell")
    both = both[both["hex"] != both["hex_y"]]
    wanted = both.groupby([both["hex"].rename("hex_x"), "hex_y"])["share"].sum()
    base = frame.drop(columns="destination_cell")
    lon, lat = zip(*ends, strict=True)
    positions = base.assign(destination_lon=lon, destination_lat=lat)
    fine = base.assign(destination_cell=[h3_cell(14)(*spot) for spot in ends])
    for table in (positions, fine):
        assert_same(trips(estimate_demand(written(tmp_path, table), GRID)[0]), wanted)


def test_an_h3_cell_may_lead_to_a_geohash_and_one_column_may_mix_resolutions(tmp_path: Path) -> None:
    frame = rides(h3_cell(8))
    frame["destination_cell"] = [geohash(*spot, 6) for spot in spots(80, 5)]
    frame.loc[::3, "origin_cell"] = [h3_cell(7)(*spot) for spot in spots(80)[::3]]
    frame.loc[1::3, "origin_cell"] = [h3_cell(11)(*spot) for spot in spots(80)[1::3]]
    demand, report = estimate_demand(written(tmp_path, frame), GRID)
    assert_same(trips(demand), pairs_of(frame, "origin_cell", "destination_cell"))
    assert "are H3 cells of resolutions 7, 8 and 11 and geohashes of 6 characters:" in report.notes[0]


def test_missing_and_damaged_cells_are_missing_positions(tmp_path: Path) -> None:
    frame = rides(h3_cell(8))
    frame.loc[:3, "origin_cell"] = [None, "881f1d4", "no cell", "8" + "f" * 14]
    frame.loc[4:5, "destination_cell"] = ["", "881f1d4887ffffe"]
    demand, report = estimate_demand(written(tmp_path, frame), GRID)
    assert {(rule.name, rule.rows) for rule in report.rules} == {("position missing", 4), ("no goal", 2)}
    assert_same(trips(demand), pairs_of(frame[6:], "origin_cell", "destination_cell"))


def test_a_matrix_between_cells_has_no_times(tmp_path: Path) -> None:
    frame = rides(h3_cell(8)).drop(columns=["pickup_time", "dropoff_time"]).drop_duplicates().assign(trips=lambda rows: 1 + rows.index % 3)
    demand, _ = estimate_demand(written(tmp_path, frame), GRID, hour_profile="flat")
    repeated = frame.loc[frame.index.repeat(frame["trips"])]
    assert_same(trips(demand), pairs_of(repeated, "origin_cell", "destination_cell"))


def kontur(cell: Cell, n_hours: int = 5) -> pd.DataFrame:
    """People by cell and hour, with cells around the area too."""
    cells = sorted({cell(*spot) for spot in spots(400, 11, 0.03)})
    rng = np.random.default_rng(12)
    table = pd.DataFrame([(c, hour) for c in cells for hour in range(n_hours)], columns=["h3", "hour"])
    return table.assign(population=rng.integers(1, 900, len(table)))


@pytest.mark.parametrize("name", ["population.csv", "population.parquet"])
@pytest.mark.parametrize("column", ["h3", "hex", "cell"])
def test_population_by_h3_cell_and_hour_is_presence(name: str, column: str, tmp_path: Path) -> None:
    table = kontur(h3_cell(8))
    file = written(tmp_path, table.rename(columns={"h3": column}), name)
    reading = demand_from_sources(Sources(presence=str(file), area=shapely.box(*BOX)))
    wanted = people_of(table["h3"], table["population"], reading.grid)
    assert_same(people(reading.demand), wanted, 0.05)
    assert any("are H3 cells of resolution 8: what lies in a cell is spread" in note for note in reading.report.notes)


def test_population_by_h3_cell_is_exact_on_the_h3_grid(tmp_path: Path) -> None:
    table, grid = kontur(h3_cell(8)), HexGrid.from_h3(shapely.box(*BOX), 8)
    demand, _ = estimate_demand((), grid, people=written(tmp_path, table, "population.parquet"))
    index = {cell: number for number, cell in enumerate(grid.h3_index().tolist())}
    wanted = table.assign(hex=table["h3"].map(index)).dropna().groupby("hex")["population"].sum()
    assert people(demand).to_dict() == wanted.astype(float).to_dict()
    assert 0 < wanted.sum() < table["population"].sum()


def test_columns_of_hours_by_geohash_are_presence(tmp_path: Path) -> None:
    table = kontur(lambda x, y: geohash(x, y, 6)).rename(columns={"h3": "geohash"})
    wide = table.pivot_table(index="geohash", columns="hour", values="population").add_prefix("hour_").reset_index()
    demand, _ = estimate_demand((), GRID, people=written(tmp_path, wide, "population.csv"))
    assert_same(people(demand), people_of(table["geohash"], table["population"]), 0.05)


def test_the_outline_of_wide_cells_is_drawn_around_them(tmp_path: Path) -> None:
    frame = rides(h3_cell(7))
    used = shapely.union_all([outline_of(cell) for cell in {*frame["origin_cell"], *frame["destination_cell"]}])
    area = shapely.Polygon(outline_of_records(written(tmp_path, frame), central_share=1.0))
    flat = gpd.GeoSeries([area, used.convex_hull], crs=4326).to_crs(GRID.crs)
    assert area.covers(used)
    assert flat[0].hausdorff_distance(flat[1]) == pytest.approx(500, rel=0.05)


def test_presence_by_wide_cells_needs_no_area_and_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, kontur(h3_cell(8)), "population.csv")
    assert main(["demand", "--presence", str(file), "-o", str(tmp_path / "demand.parquet")]) == 0
    said = capsys.readouterr()
    assert "H3 cells of resolution 8" in said.out + said.err


def test_the_command_that_is_printed_names_cells_and_not_zones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, rides(h3_cell(8), names="{}_h3"))
    assert main(["demand", str(file), "--check", "--public"]) == 0
    said = capsys.readouterr()
    read_with = said.err + said.out
    assert "--map origin_cell=origin_h3 --map destination_cell=destination_h3" in read_with
    assert "zone" not in read_with
    assert "H3 cells of resolution 8" in said.out


def test_processes_count_wide_cells_as_threads_do(tmp_path: Path) -> None:
    files = [written(tmp_path, rides(h3_cell(8), 40 + k), f"rides{k}.parquet") for k in range(3)]
    here, report = estimate_demand(files, GRID)
    there, other = estimate_demand(files, GRID, run=functools.partial(count_in_processes, n_workers=2))
    assert (trips(here) == trips(there)).all()
    assert report.files == other.files
    assert report.notes == other.notes


def test_files_with_other_cells_and_with_positions_count_together(tmp_path: Path) -> None:
    positions = rides(h3_cell(8), 30).drop(columns=["origin_cell", "destination_cell"])
    for end, seed in (("origin", 21), ("destination", 22)):
        positions[f"{end}_lon"], positions[f"{end}_lat"] = zip(*spots(30, seed), strict=True)
    positions["dropoff_time"] += pd.Timedelta("1h")
    tables = (positions, rides(h3_cell(8)), rides(lambda x, y: geohash(x, y, 6), 50), rides(h3_cell(12), 20))
    files = [written(tmp_path, table, f"{k}.csv") for k, table in enumerate(tables)]
    both, _ = estimate_demand(files, GRID)
    apart = [trips(estimate_demand(file, GRID)[0]) for file in files]
    assert_same(trips(both), functools.reduce(lambda a, b: a.add(b, fill_value=0), apart))


def test_zones_beside_wide_cells_are_refused_with_the_way_out(tmp_path: Path) -> None:
    frame = rides(h3_cell(8)).drop(columns="destination_cell").assign(destination_zone=[f"z{k % 5}" for k in range(80)])
    zones = gpd.GeoDataFrame({"zone_id": [f"z{k}" for k in range(5)]}, geometry=[shapely.box(*BOX)] * 5, crs=4326)
    file = written(tmp_path, frame)
    with pytest.raises(DataError, match=r"names zones, and .* cells too wide for one position; read the cells as zones with"):
        estimate_demand(file, GRID, zones=zones)
    cells = sorted(set(frame["origin_cell"]))
    more = gpd.GeoDataFrame({"zone_id": cells}, geometry=[outline_of(cell) for cell in cells], crs=4326)
    _, report = estimate_demand(file, GRID, zones=pd.concat([zones, more]), columns={"origin_zone": "origin_cell"})
    assert report.files[0].rows_trip == 80


def test_more_distinct_cells_than_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("owlbus.records.cell_zones._MOST_CELLS", 20)
    with pytest.raises(DataError, match=r"has \d+ distinct cells, at most 20 are read; keep those of the study area"):
        estimate_demand(written(tmp_path, rides(h3_cell(8))), GRID)


def test_each_distinct_cell_is_one_zone_with_its_polygon(tmp_path: Path) -> None:
    frame = rides(h3_cell(8), 500)
    with open_sources(written(tmp_path, frame), ReadOptions()) as sources:
        table = table_of_cells(sources)
        assert sources[0].zones is not None
        assert sources[0].zones.ids == table.ids
    assert sorted(table.ids) == sorted({*frame["origin_cell"], *frame["destination_cell"]})
    for cell, shape in zip(table.ids, table.parts, strict=True):
        assert shape.equals_exact(outline_of(cell), 1e-9)
        assert shape.contains(shapely.Point(h3.cell_to_latlng(cell)[::-1]))


def test_polygons_across_the_180th_meridian_are_no_wider_than_others() -> None:
    cells = [h3.latlng_to_cell(-17.0, 179.999, 7), geohash(179.999, -17.0, 5), h3.latlng_to_cell(-17.0, -179.999, 6)]
    for cell, kind in zip(cells, ("h3", "geohash", "h3"), strict=True):
        west, _, east, _ = cell_polygons([cell], kind)[0].bounds
        assert east - west < 0.2
    assert cell_polygons([], "h3").size == 0


def test_a_cell_of_any_type_in_a_column_of_polars_is_read() -> None:
    frame = pl.from_pandas(rides(h3_cell(8)))
    numbers = frame.with_columns(pl.col("origin_cell", "destination_cell").str.to_integer(base=16, dtype=pl.Int64).cast(pl.UInt64))
    assert (trips(estimate_demand(frame, GRID)[0]) == trips(estimate_demand(numbers, GRID)[0])).all()


BOX_OF_MILAN = (9.10, 45.44, 9.22, 45.50)


def squares(box: tuple[float, ...], width: float, height: float) -> list[shapely.Polygon]:
    """Squares in rows from the south-west corner of a box."""
    west, south, east, north = box
    corners = [(x, y) for y in np.arange(south, north - 1e-9, height) for x in np.arange(west, east - 1e-9, width)]
    return [shapely.box(x, y, x + width, y + height) for x, y in corners]


def milan(folder: Path) -> tuple[Path, gpd.GeoDataFrame, pd.DataFrame]:
    """A file of the grid of Milan as published, its squares, and its rows: five hours in steps of ten minutes."""
    shapes = squares(BOX_OF_MILAN, 0.02, 0.015)
    zones = gpd.GeoDataFrame({"cellId": np.arange(1, len(shapes) + 1)}, geometry=shapes, crs=4326)
    start = pd.Timestamp("2013-11-05 23:00", tz="UTC").value // 10**6  # 00:00 in Milan
    rng = np.random.default_rng(13)
    places = [(k, start + 600_000 * step, 39) for k in zones["cellId"] for step in range(30)]
    rows = pd.DataFrame(places, columns=["Square id", "Time Interval", "Country code"])
    rows["Internet traffic activity"] = rng.gamma(2.0, 20.0, len(rows)).round(4)
    rows["SMS-in activity"] = rng.gamma(2.0, 2.0, len(rows)).round(4)
    zones.to_file(folder / "milano-grid.geojson")
    return written(folder, rows, "sms-call-internet-mi-2013-11-06.csv"), zones, rows


def test_the_grid_of_milan_is_presence_by_square(tmp_path: Path) -> None:
    file, zones, rows = milan(tmp_path)
    grid = HexGrid.cover(shapely.box(*BOX_OF_MILAN))
    columns = {"people": "Internet traffic activity"}
    demand, report = estimate_demand((), grid, people=file, zones=tmp_path / "milano-grid.geojson", columns=columns)
    joined = rows.merge(overlay_of_zones(zones, "cellId", grid), left_on="Square id", right_on="cellId")
    wanted = (joined["Internet traffic activity"] * joined["share"]).groupby(joined["hex"]).sum()
    by_hour = rows.groupby((rows["Time Interval"] - rows["Time Interval"].min()) // 3_600_000)["Internet traffic activity"].sum()
    assert report.files[0].rows_counted == len(rows)
    assert any("is read as the grid of telecommunication activity of Milan" in note for note in report.notes)
    assert any("as a clock in Europe/Rome" in note for note in report.notes)
    assert [str(night) for night in demand.nights] == ["2013-11-05"]
    assert_same(people(demand), wanted, 0.1)
    assert demand.presence_by_hour().sum(axis=1) == pytest.approx(by_hour.to_numpy(), abs=0.2)


def test_the_activity_of_milan_that_counts_is_asked_for(tmp_path: Path) -> None:
    file, _, _ = milan(tmp_path)
    with pytest.raises(DataError, match="column people of presence missing; name what holds them"):
        estimate_demand((), GRID, people=file, zones=tmp_path / "milano-grid.geojson")


@pytest.mark.parametrize("form", ["portal", "API"])
def test_rides_of_chicago_are_read_by_community_area(form: str, tmp_path: Path) -> None:
    numbers = np.arange(1, 50).astype(str)
    shapes = squares(BOX, 0.02, 0.01)
    areas = gpd.GeoDataFrame({"area": "0", "area_numbe": numbers, "area_num_1": numbers}, geometry=shapes, crs=4326)
    areas.to_file(tmp_path / "areas.geojson")
    rng = np.random.default_rng(14)
    start = pd.Timestamp("2024-03-06") + pd.to_timedelta(900 * rng.integers(0, 20, 90), "s")
    frame = pd.DataFrame(
        {
            "Trip ID": [f"t{k}" for k in range(90)],
            "Trip Start Timestamp": start.strftime("%m/%d/%Y %I:%M:%S %p" if form == "portal" else "%Y-%m-%dT%H:%M:%S.000"),
            "Trip Seconds": rng.integers(200, 2000, 90),
            "Pickup Community Area": rng.integers(1, 50, 90).astype(float),
            "Dropoff Community Area": rng.integers(1, 50, 90).astype(float),
        }
    )
    ends = frame.filter(like="Community").astype(int).set_axis(["a", "b"], axis=1)
    if form == "API":
        frame.columns = [column.lower().replace(" ", "_") for column in frame.columns]
    how = {"date_order": "MDY"} if form == "portal" else {}
    demand, report = estimate_demand(written(tmp_path, frame), GRID, zones=tmp_path / "areas.geojson", **how)
    assert report.files[0].rows_trip == 90
    assert any("Chicago taxi trips by community area" in note for note in report.notes)
    shares = overlay_of_zones(areas, "area_numbe", GRID)
    shares["number"] = shares["area_numbe"].astype(int)
    both = ends.merge(shares, left_on="a", right_on="number").merge(shares, left_on="b", right_on="number")
    wanted = (both["share_x"] * both["share_y"]).groupby([both["hex_x"], both["hex_y"]]).sum()
    assert_same(trips(demand), wanted[wanted.index.get_level_values(0) != wanted.index.get_level_values(1)])
