"""The sample city: its facts, the synthetic week drawn over them, and that both can be made again."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import pickle
import shutil
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.spatial import cKDTree

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import OutputError
from owlbus.demand import estimate_demand
from owlbus.grid.subdivide import subdivide_hexes
from owlbus.network import on_parts
from owlbus.network.check import check_network
from owlbus.pipeline import Study
from owlbus.plan import plan_measures, read_plan
from owlbus.plan.read import match_plan
from owlbus.sample import (
    CALL_COLUMNS,
    CALL_ERRORS,
    ERROR_SHARE,
    HOUR_SHARES,
    TAXI_COLUMNS,
    TAXI_ERRORS,
    City,
    CityPlaces,
    CityStreets,
    SynthSettings,
    build_city,
    read_city,
    sample_city,
    sample_grid,
    sample_network,
    synthesise,
    write_partitions,
    write_synthesis,
)
from owlbus.sample.partitions import BLOCK_SUBSCRIBERS, MAX_ROWS, call_partitions, taxi_partitions
from owlbus.sample.street_places import read_places, stops_to_plan_with
from owlbus.sample.terrain import LAND, MOUNTAIN, WATER
from owlbus.sample.world import make_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan

SMALL = SynthSettings(n_calls=3_000, n_taxi=700, seed=5)


@cache
def seoul() -> City:
    """Return the sample city."""
    return sample_city("seoul")


@cache
def grid() -> HexGrid:
    """Return its grid."""
    return sample_grid(seoul())


@cache
def network() -> Network:
    """Return its streets."""
    return sample_network(seoul(), grid())


@cache
def committed(name: str) -> pa.Table:
    """Return one of the committed tables of records."""
    return pq.read_table(seoul().calls_path.with_name(name))


def clean_times(table: pa.Table, column: str) -> NDArray[np.datetime64]:
    """Times that fall in the night."""
    times = table[column].to_numpy().astype("datetime64[s]")
    return times[(times - times.astype("datetime64[D]")).astype(int) < 5 * 3600]


# Facts


def test_the_sample_city_has_its_facts() -> None:
    city = seoul()
    assert (city.name, city.n_hexes, city.radius_m) == ("seoul", 1252, 500.0)
    assert (len(city.outline), len(city.bridges), len(city.mountains), len(city.river)) == (88, 18, 11, 16)
    assert city.outline[0].tolist() == city.outline[-1].tolist()
    assert (len(city.districts), city.districts.weight.sum()) == (25, 10_150_000)
    assert len(city.night_spots) == 48
    assert {"Jangan", "Boramae", "Kkachisan"} < set(city.night_spots.names)
    assert city.streets is not None
    assert city.streets.road_factor == 1.2
    places = read_places(city.streets)
    assert (places.height, int(places["trunk"].sum())) == (4_654, 2_330)
    assert places["name", "name_en"].null_count().row(0) == (2, 2)


def test_the_preset_grid_has_1252_hexes() -> None:
    assert grid().n_hexes == 1252


@pytest.mark.parametrize("city", [seoul(), replace(seoul(), streets=None)], ids=["streets", "lattice"])
def test_the_nine_routes_of_2013_are_read_on_streets_and_on_the_lattice(city: City) -> None:
    plan = read_plan(city.routes_path, sample_network(city, grid()))
    assert plan.names == ("N10", "N13", "N16", "N26", "N30", "N37", "N40", "N61", "N62")


def test_the_routes_of_2013_are_matched_to_streets_as_a_sequence() -> None:
    match = match_plan(seoul().routes_path, network())
    assert 303_000 <= plan_measures(network(), match.plan).total_length_m <= 309_000
    assert max(route.ratio or 9 for route in match.routes) < 1.4
    assert all(route.back_ratio == 1 for route in match.routes)


def test_every_street_stop_reaches_every_other_along_links_no_shorter_than_the_line() -> None:
    assert check_network(network()).passed


def test_fewer_stops_reach_every_hex_that_all_places_reach() -> None:
    assert seoul().streets is not None
    places = read_places(seoul().streets)
    kept = stops_to_plan_with(places, grid(), 500)
    assert kept.height == network().n_stops < 0.55 * places.height
    assert set(kept["stop_id"]) >= set(places.filter(pl.col("trunk") == 1)["stop_id"])
    x, y = grid().project(places["lon"].to_numpy(), places["lat"].to_numpy())
    nearest_m = np.hypot(grid().x_m[:, None] - x, grid().y_m[:, None] - y).min(axis=1)
    assert np.array_equal(network().hex_stop >= 0, nearest_m <= 500)


def test_places_without_a_trunk_column_are_all_stops_and_without_trunk_places_hexes_keep_their_nearest() -> None:
    assert seoul().streets is not None
    places = read_places(seoul().streets)
    assert stops_to_plan_with(places.drop("trunk"), grid(), 500).height == places.height
    none = stops_to_plan_with(places.with_columns(trunk=pl.lit(0)), grid(), 500)
    assert 0 < none.height <= int((network().hex_stop >= 0).sum())


def test_links_run_through_places_that_are_no_stops(tmp_path: Path) -> None:
    places = [(number, 126.97 + 0.01 * number, 37.56, trunk) for number, trunk in ((1, 1), (2, 0), (3, 1))]
    write_table(tmp_path / "street_stops.csv", "stop_id,lon,lat,trunk", places)
    write_table(tmp_path / "street_links.csv", "from_stop,to_stop,metres", [(1, 2, 900), (2, 3, 1_100)])
    streets = CityStreets(tmp_path / "street_stops.csv", tmp_path / "street_links.csv", 1.2)
    built = sample_network(replace(seoul(), streets=streets), grid(), walk_m=0)
    assert (built.n_stops, built.link_m.tolist()) == (2, [2_400, 2_400])
    assert sample_network(replace(seoul(), streets=streets), grid(), walk_m=0, road_factor=1).link_m.tolist() == [2_000, 2_000]


def test_a_street_network_needs_both_tables_and_places(tmp_path: Path) -> None:
    shutil.copytree(seoul().routes_path.parent, tmp_path / "city", ignore=shutil.ignore_patterns("*.parquet"))
    (tmp_path / "city" / "street_stops.csv").write_text("stop_id,lon,lat\n1,here,37.5\n")
    city = read_city(tmp_path / "city")
    with pytest.raises(DataError, match=r"street_stops.csv: no places can be read from it \(.*\); it needs lon, lat and stop_id"):
        sample_network(city, grid())
    (tmp_path / "city" / "street_links.csv").unlink()
    with pytest.raises(DataError, match=r"a street network needs both street_stops.csv and street_links.csv, street_links.csv is missing"):
        read_city(tmp_path / "city")
    (tmp_path / "city" / "street_stops.csv").unlink()
    assert read_city(tmp_path / "city").streets is None


def test_a_city_stays_read_only_in_copies() -> None:
    copy = pickle.loads(pickle.dumps(seoul()))  # noqa: S301 - written in the same line
    assert copy.outline.tolist() == seoul().outline.tolist()
    assert not copy.outline.flags.writeable
    assert not copy.night_spots.weight.flags.writeable


def test_only_known_cities_are_found() -> None:
    with pytest.raises(UsageError, match="sample city must be one of seoul, got 'busan'"):
        sample_city("busan")


def test_a_folder_without_city_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no city can be read from it \(FileNotFoundError"):
        read_city(tmp_path)


def test_places_need_positive_weights_and_equal_columns() -> None:
    with pytest.raises(DataError, match=r"weight must be above 0, got nan for 'b' \(1 such\)"):
        CityPlaces(("a", "b"), [1, 2], [1, 2], [1, float("nan")])
    with pytest.raises(DataError, match="one position and weight each, got 2 names and 1 positions"):
        CityPlaces(("a", "b"), [1], [1], [1])


def write_tables(city: City, folder: Path) -> None:
    """Write a city's facts as the plain tables that `build_city` reads."""
    plan = [(route, number, *at) for route, way in waypoints(city).items() for number, at in enumerate(way)]
    tables = {
        "outline": ("lon,lat", city.outline.tolist()),
        "districts": ("district,lon,lat,residents_thousand", rows(city.districts, 1e-3)),
        "night_spots": ("place,lon,lat,weight", rows(city.night_spots, 1)),
        "river": ("lon,lat", city.river.tolist()),
        "bridges": ("lon,lat", city.bridges.tolist()),
        "mountains": ("name,lon,lat,radius_m", [(f"m{number}", *disc) for number, disc in enumerate(city.mountains.tolist())]),
        "routes": ("route,sequence,lon,lat", plan),
    }
    for name, (head, lines) in tables.items():
        write_table(folder / f"{name}.csv", head, lines)
    assert city.streets is not None
    for path in (city.streets.stops_path, city.streets.links_path):
        shutil.copy(path, folder)


def write_table(path: Path, head: str, lines: Sequence[Sequence[object]]) -> None:
    """Write rows as CSV."""
    path.write_text("\n".join([head, *(",".join(map(str, line)) for line in lines)]) + "\n")


def rows(places: CityPlaces, scale: float) -> list[tuple[str, float, float, float]]:
    """Return places as rows."""
    return list(zip(places.names, places.lon.tolist(), places.lat.tolist(), (places.weight * scale).tolist(), strict=True))


def waypoints(city: City) -> dict[str, list[list[float]]]:
    """Return the routes that ran by name."""
    features = json.loads(city.routes_path.read_text())["features"]
    return {feature["properties"]["name"]: feature["geometry"]["coordinates"] for feature in features}


def test_city_files_are_built_from_plain_tables_and_give_the_same_city(tmp_path: Path) -> None:
    write_tables(seoul(), tmp_path)
    built = read_city(build_city(tmp_path, tmp_path / "city"))
    for name in ("outline", "river", "bridges", "mountains"):
        assert getattr(built, name).tolist() == getattr(seoul(), name).tolist()
    assert rows(built.districts, 1) == rows(seoul().districts, 1)
    assert waypoints(built) == waypoints(seoul())
    for name in ("outline", "districts", "night_spots", "river", "bridges", "routes_2013"):
        assert (tmp_path / "city" / f"{name}.geojson").read_bytes() == seoul().routes_path.with_name(f"{name}.geojson").read_bytes()
    for name in ("city.json", "street_stops.csv", "street_links.csv"):
        assert (tmp_path / "city" / name).read_bytes() == seoul().routes_path.with_name(name).read_bytes()


def test_a_city_without_street_tables_has_the_lattice(tmp_path: Path) -> None:
    write_tables(seoul(), tmp_path)
    (tmp_path / "street_links.csv").unlink()
    with pytest.raises(DataError, match=r"needs both street_stops.csv and street_links.csv, got street_stops.csv alone"):
        build_city(tmp_path, tmp_path / "city")
    (tmp_path / "street_stops.csv").unlink()
    built = read_city(build_city(tmp_path, tmp_path / "city"))
    assert built.streets is None
    assert sample_network(built, grid()).source == "lattice"


def test_a_missing_or_broken_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a city needs the table outline.csv"):
        build_city(tmp_path, tmp_path / "city")
    write_tables(seoul(), tmp_path)
    (tmp_path / "bridges.csv").write_text("lon,lat\n126.8,here\n")
    with pytest.raises(DataError, match="lat must be a number, got 'here'"):
        build_city(tmp_path, tmp_path / "city")
    assert not (tmp_path / "city").exists()


# The synthetic world


def test_nobody_lives_or_phones_in_the_river_or_lives_on_a_mountain() -> None:
    world = make_world(seoul(), SMALL)
    homes = world.plane.to_xy(world.home_lon, world.home_lat)
    masts = world.plane.to_xy(world.mast_lon, world.mast_lat)
    for points, codes in ((homes, (WATER, MOUNTAIN)), (masts, (WATER,))):
        around = [(points[0] + east, points[1] + north) for east in (-1, 1) for north in (-1, 1)]  # rounding may cross the edge of a cell
        assert not np.all([np.isin(world.terrain.code_at(*at), codes) for at in around], axis=0).any()
    assert (world.terrain.code_at(*homes) == LAND).mean() > 0.97


def test_most_homes_lie_near_a_place_where_buses_halt_and_a_few_do_not() -> None:
    assert seoul().streets is not None
    places = read_places(seoul().streets)
    at = np.stack(grid().project(places["lon"].to_numpy(), places["lat"].to_numpy()), axis=1)
    shares = {}
    for name, city in (("streets", seoul()), ("lattice", replace(seoul(), streets=None))):
        world = make_world(city, SMALL)
        metres, _ = cKDTree(at).query(np.stack(grid().project(world.home_lon, world.home_lat), axis=1))
        shares[name] = (metres <= 300).mean()
    assert 0.9 < shares["streets"] < 0.97
    assert shares["lattice"] < 0.87
    assert len(np.unique(metres)) > 0.9 * len(metres)  # homes are not moved onto places


def test_the_mast_of_a_point_is_the_nearest_to_within_a_raster_cell() -> None:
    world = make_world(seoul(), SMALL)
    mast_x, mast_y = world.plane.to_xy(world.mast_lon, world.mast_lat)
    x, y = world.plane.to_xy(world.home_lon[:200], world.home_lat[:200])
    metres = np.hypot(mast_x[None] - x[:, None], mast_y[None] - y[:, None])
    assert (metres[np.arange(200), world.terrain.mast_at(x, y)] <= metres.min(axis=1) + 2 * np.hypot(50, 50) + 3).all()


def test_settings_outside_their_range_are_refused() -> None:
    with pytest.raises(UsageError, match=r"n_calls must lie in \[1, 1e\+11\], got 0"):
        SynthSettings(n_calls=0)
    with pytest.raises(UsageError, match=r"out_share must lie in \[0, 1\], got nan"):
        SynthSettings(out_share=float("nan"))


# Drawing


def test_the_same_seed_gives_the_same_records_and_another_seed_others() -> None:
    once, again, other = (synthesise(seoul(), settings) for settings in (SMALL, SMALL, replace(SMALL, seed=6)))
    assert once[0].equals(again[0])
    assert once[1].equals(again[1])
    assert not once[0].equals(other[0])
    assert (once[0].num_rows, once[1].num_rows) == (3_000, 700)


def test_partitions_add_up_and_stay_within_their_bounds() -> None:
    huge = SynthSettings(n_calls=3_000_000_000, n_taxi=5_000_001)
    for parts, n_rows in ((call_partitions(huge), huge.n_calls), (taxi_partitions(huge), huge.n_taxi)):
        assert sum(part.rows for part in parts) == n_rows
        assert max(part.rows for part in parts) <= MAX_ROWS
        assert len({(part.night, part.block, part.chunk) for part in parts}) == len(parts)
    assert max(part.block for part in call_partitions(huge)) == -(-huge.subscribers // BLOCK_SUBSCRIBERS) - 1


def test_subscribers_keep_their_home_through_the_week_and_their_pseudonym_is_theirs_alone() -> None:
    calls, _ = synthesise(seoul(), replace(SMALL, n_subscribers=400))
    ids, lon, lat = (calls[name].to_numpy() for name in ("subscriber", "home_lon", "home_lat"))
    homes = {(i, x, y) for i, x, y in zip(ids.tolist(), lon.tolist(), lat.tolist(), strict=True)}
    assert len(homes) == len(set(ids.tolist())) <= 400
    assert len(set(calls["time"].to_numpy().astype("datetime64[D]").tolist())) >= 7


def test_files_are_written_whole_with_a_twin_of_evenly_taken_rows(tmp_path: Path) -> None:
    files = write_synthesis(seoul(), tmp_path, SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.parquet", "calls_few.csv", "taxi.parquet", "taxi_few.csv"]
    calls = pq.read_table(files.calls_path)
    assert calls.equals(synthesise(seoul(), SMALL)[0])
    with files.calls_excerpt_path.open(newline="") as lines:
        twin = list(csv.DictReader(lines))
    taken = calls.take(np.arange(0, 3_000, 10)).to_pylist()
    assert [row["time"] for row in twin] == [str(row["time"]) for row in taken]
    assert [row["lon"] for row in twin] == ["" if row["lon"] is None else f"{row['lon']:.5f}" for row in taken]


def test_partitions_are_the_same_bytes_whoever_draws_them(tmp_path: Path) -> None:
    settings = replace(SMALL, n_nights=5)
    for workers in (1, 2):
        made = write_partitions(seoul(), tmp_path / str(workers), settings, 3, workers)
        assert (made.n_rows, made.n_files) == (3_700, 4)
    files = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.parquet"))
    assert [str(file) for file in files] == [*(f"calls/part-0000{i}.parquet" for i in range(3)), "taxi/part-00000.parquet"]
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()
    drawn = [pq.read_table(tmp_path / "1" / file) for file in files]
    assert pa.concat_tables(drawn[:3]).equals(synthesise(seoul(), settings)[0])
    assert drawn[3].equals(synthesise(seoul(), settings)[1])


def test_partitions_may_leave_ids_out_and_need_a_number_of_files(tmp_path: Path) -> None:
    made = write_partitions(seoul(), tmp_path, SMALL, 1, 1, has_ids=False)
    assert pq.read_schema(made.folders[0] / "part-00000.parquet").names == ["time", "lon", "lat", "home_lon", "home_lat"]
    with pytest.raises(UsageError, match=r"^n_files must lie in \[1, 10000\], got 0$"):
        write_partitions(seoul(), tmp_path, SMALL, 0)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_synthesis(seoul(), tmp_path / "file" / "out", SMALL)


# The committed week


def test_the_committed_records_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    made = write_synthesis(seoul(), tmp_path)
    for path in (made.calls_path, made.taxi_path, made.calls_excerpt_path, made.taxi_excerpt_path):
        kept = seoul().calls_path.with_name(path.name)
        if path.suffix == ".parquet" and pq.read_metadata(path).created_by != pq.read_metadata(kept).created_by:
            assert pq.read_table(path).equals(pq.read_table(kept))  # another pyarrow packs the same rows otherwise
        else:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == hashlib.sha256(kept.read_bytes()).hexdigest()


def test_the_committed_records_are_large_enough_and_small_enough() -> None:
    calls, taxi = committed("calls.parquet"), committed("taxi.parquet")
    assert tuple(calls.schema.names) == CALL_COLUMNS
    assert tuple(taxi.schema.names) == TAXI_COLUMNS
    assert calls.num_rows >= 300_000
    assert taxi.num_rows >= 60_000
    assert seoul().calls_path.stat().st_size + seoul().taxi_path.stat().st_size <= 8_000_000


@pytest.mark.parametrize(("name", "columns"), [("calls.parquet", CALL_COLUMNS[1:5]), ("taxi.parquet", TAXI_COLUMNS[2:])])
def test_positions_have_5_decimals(name: str, columns: tuple[str, ...]) -> None:
    for column in columns:
        values = committed(name)[column].drop_null().to_numpy()
        assert (values == np.round(values, 5)).all()


@pytest.mark.parametrize(("name", "column"), [("calls.parquet", "time"), ("taxi.parquet", "pickup_time")])
def test_hours_follow_the_boardings_profile(name: str, column: str) -> None:
    times = clean_times(committed(name), column)
    hours = np.bincount((times - times.astype("datetime64[D]")).astype(int) // 3600, minlength=5) / len(times)
    assert np.abs(hours - HOUR_SHARES).max() < 0.006


@pytest.mark.parametrize(("name", "column"), [("calls.parquet", "time"), ("taxi.parquet", "pickup_time")])
def test_saturday_is_the_busiest_of_seven_nights(name: str, column: str) -> None:
    days, count = np.unique(clean_times(committed(name), column).astype("datetime64[D]"), return_counts=True)
    nights = [day.item() - dt.timedelta(days=1) for day in days]
    assert nights == [dt.date(2013, 3, 11) + dt.timedelta(days=number) for number in range(7)]
    assert nights[int(count.argmax())].strftime("%A") == "Saturday"
    assert count.max() / count.mean() == pytest.approx(1.206, abs=0.01)


def test_the_stated_share_of_rows_is_spoilt_in_each_way_and_the_reader_finds_all_of_them() -> None:
    for path, kinds in ((seoul().calls_path, CALL_ERRORS), (seoul().taxi_path, TAXI_ERRORS)):
        _, report = estimate_demand([path], grid())
        found = {rule.name: rule.rows for rule in report.rules if rule.effect == "reject"}
        spoilt = ["position missing", "outside the area", "outside the window", "ends before it begins"][: len(kinds)]
        assert report.rows_in == committed(path.name).num_rows
        for rule in spoilt:
            assert found.pop(rule) / report.rows_in == pytest.approx(ERROR_SHARE, abs=0.001)
        assert sum(found.values()) / report.rows_in < 0.001


def test_calls_and_taxi_follow_the_same_desire_lines_but_not_row_by_row() -> None:
    _, report = estimate_demand([seoul().calls_path, seoul().taxi_path], grid())
    assert report.agreement is not None
    assert 0.8 < report.agreement.origin_rank < 0.99
    assert 0.8 < report.agreement.destination_rank < 0.99


@pytest.mark.parametrize("sources", [("calls_path",), ("calls_path", "taxi_path")])
def test_the_routes_of_2013_have_the_presence_by_area_that_the_generator_is_calibrated_to(sources: tuple[str, ...]) -> None:
    demand, _ = estimate_demand([getattr(seoul(), source) for source in sources], grid())
    by_area = presence_by_parts(demand, routes_2013())
    assert by_area == pytest.approx(0.42, abs=0.01)
    assert presence_by_points(demand, routes_2013()) == pytest.approx(by_area, abs=0.003)


@cache
def routes_2013() -> Plan:
    """Return the routes of 2013 on streets."""
    return read_plan(seoul().routes_path, network())


def presence_by_parts(demand: Demand, plan: Plan) -> float:
    """Share of people near a stop of the plan, each hex by its share of parts within the walk, as `--reach area` counts."""
    parts = subdivide_hexes(grid())
    is_near = np.zeros(parts.grid.n_hexes)
    is_near[sheds_of(on_parts(network(), parts, "area"), plan)] = 1
    people = demand.presence_by_hex()
    return float(people @ is_near[parts.part_of].mean(axis=1) / people.sum())


def presence_by_points(demand: Demand, plan: Plan) -> float:
    """Share of people near a stop of the plan, each hex by its share of points 100 m apart within the walk."""
    edges = [np.arange(axis.min() - 500, axis.max() + 500, 100) for axis in (grid().x_m, grid().y_m)]
    x, y = (axis.ravel() for axis in np.meshgrid(*edges))
    hexes = grid().lonlat_to_hex(*grid().unproject(x, y))
    stops = np.stack(grid().project(network().stop_lon[plan.used_stops], network().stop_lat[plan.used_stops]), axis=1)
    near = cKDTree(stops).query(np.stack([x, y], axis=1))[0] <= 500
    share = np.bincount(hexes[hexes >= 0], near[hexes >= 0], grid().n_hexes) / np.bincount(hexes[hexes >= 0], minlength=grid().n_hexes)
    people = demand.presence_by_hex()
    return float(people @ share / people.sum())


def test_stops_reach_both_ends_of_95_of_100_trips() -> None:
    demand, _ = estimate_demand([seoul().calls_path, seoul().taxi_path], grid())
    assert 0.02 < Study(grid(), demand, network()).unreachable_share < 0.05


def test_demand_is_heavy_tailed_and_busy_places_lie_off_the_routes_of_2013() -> None:
    demand, _ = estimate_demand([seoul().calls_path], grid())
    people = demand.presence_by_hex()
    assert np.sort(people)[::-1][:125].sum() / people.sum() > 0.4
    served = set(sheds_of(network(), routes_2013()).tolist())
    spots = seoul().night_spots
    busy = dict(zip(spots.names, grid().lonlat_to_hex(spots.lon, spots.lat).tolist(), strict=True))
    for place in ("Boramae", "Kkachisan", "Jangan"):  # as the city found
        assert busy[place] not in served
        assert (people > people[busy[place]]).sum() < 313  # busier than three hexes in four


def sheds_of(streets: Network, plan: Plan) -> NDArray[np.int32]:
    """Hexes whose centre lies within the walk of a stop of the plan."""
    shed = streets.shed_indptr
    return np.concatenate([streets.shed_hex[shed[stop] : shed[stop + 1]] for stop in plan.used_stops.tolist()])
