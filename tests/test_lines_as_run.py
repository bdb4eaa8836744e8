"""Lines of a feed that are no simple way there and back: circles, eights, lollipops, single directions, other streets on the way back."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from cities import ANY_SHAPE
from rich.console import Console

from owlbus import Demand, Network, Plan, Route, build_timetable
from owlbus.cli.app import run
from owlbus.cli.tables import routes_table
from owlbus.common.errors import UsageError
from owlbus.evidence.changes import remove_stop
from owlbus.grid.hexgrid import HexGrid
from owlbus.gtfs import read_gtfs, write_gtfs
from owlbus.gtfs.settings import FeedInfo
from owlbus.network.feed_distances import distance_unit
from owlbus.network.gtfs_tables import read_feed
from owlbus.plan import plan_measures, read_plan, write_plan
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.score import score_plan
from owlbus.search import Objective, PlanConstraints, Problem, plan_routes
from owlbus.search.stopping import MaxSteps, TargetGap

if TYPE_CHECKING:
    from pathlib import Path

GRID = HexGrid.cover([(10.0, 50.0), (10.14, 50.0), (10.14, 50.08), (10.0, 50.08)])
WINDOW = range(24, 29)
_EASTINGS = (0, 2000, 2000, 0, -1500, -3000, -3000, -1500, 0, 0, 1500, 1500, 3500, 3500)
_NORTHINGS = (0, 0, 2000, 2000, 0, 0, -1500, -1500, -1500, -3000, -1500, -3000, 0, 2000)
PLACES = dict(zip("ABCDEFGHIJKLMN", zip(_EASTINGS, _NORTHINGS, strict=True), strict=True))
LINES = {  # stops of both directions
    "circle": ("ABCDA", ""),
    "eight": ("AEHIAKIA", ""),
    "lollipop": ("FEABCDAEF", ""),
    "single": ("AIJL", ""),
    "streets": ("ABMN", "NCDA"),
    "plain": ("GFEA", "AEFG"),
}


def straight_km(stops: str) -> float:
    points = np.array([PLACES[stop] for stop in stops])
    return float(np.hypot(*np.diff(points, axis=0).T).sum()) / 1000


def feed_tables(lines: dict[str, tuple[str, str]], every: int = 1800, unit: float | None = None) -> dict[str, pd.DataFrame]:
    """One run of each direction every `every` seconds from 24:10, 30 km/h; distances in a unit of metres if one is given."""
    middle = GRID.project(10.07, 50.04)
    lonlat = {stop: GRID.unproject(np.array([middle[0] + x]), np.array([middle[1] + y])) for stop, (x, y) in PLACES.items()}
    stops = [(stop, f"Place {stop}", f"{lat[0]:.7f}", f"{lon[0]:.7f}") for stop, (lon, lat) in lonlat.items()]
    trips, times = [], []
    for line, ways in lines.items():
        for direction, way in enumerate(ways):
            for start in range(24 * 3600 + 600, 28 * 3600, every) if way else ():
                trip = f"{line}-{direction}-{start}"
                trips.append((line, "night", trip, direction))
                for k, stop in enumerate(way):
                    at_m = 1000 * straight_km(way[: k + 1])
                    seconds = start + round(at_m * 3.6 / 30)
                    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
                    times.append((trip, clock, clock, stop, k, "" if unit is None else f"{1.2 * at_m / unit:.4f}"))
    columns = ["trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence", "shape_dist_traveled"]
    return {
        "stops.txt": pd.DataFrame(stops, columns=["stop_id", "stop_name", "stop_lat", "stop_lon"]),
        "routes.txt": pd.DataFrame([(line, line, 3) for line in lines], columns=["route_id", "route_short_name", "route_type"]),
        "trips.txt": pd.DataFrame(trips, columns=["route_id", "service_id", "trip_id", "direction_id"]),
        "stop_times.txt": pd.DataFrame(times, columns=columns),
        "calendar_dates.txt": pd.DataFrame([("night", "20240308", 1)], columns=["service_id", "date", "exception_type"]),
    }


def written(path: Path, frames: dict[str, pd.DataFrame]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, frame in frames.items():
            archive.writestr(name, frame.to_csv(index=False))
    return path


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("feed") / "today.zip", feed_tables(LINES))


@pytest.fixture(scope="module")
def network(feed: Path) -> Network:
    return Network.from_gtfs(feed, hours=WINDOW)


def test_each_line_has_the_kilometres_and_cycle_of_one_run_of_each_direction(feed, network):
    plan = read_gtfs(feed, network, hours=WINDOW).plan
    measures = plan_measures(network, plan, 1800)
    for k, (line, (there, back)) in enumerate(LINES.items()):
        route = plan.routes[k]
        assert (route.name, route.is_one_way) == (line, not back)
        assert measures.length_m[k] == pytest.approx(1000 * straight_km(there), abs=8)
        assert measures.length_back_m[k] == pytest.approx(1000 * straight_km(back) if back else 0, abs=8)
        ride_s = (straight_km(there) + (straight_km(back) if back else 0)) * 120
        empty_s = straight_km("LJIA") * 120 if line == "single" else 0
        assert measures.cycle_s[k] == pytest.approx(ride_s + empty_s, abs=10)
    assert plan.routes[4].back is not None
    assert plan.routes[5].back is None


def test_the_timetable_has_the_runs_and_vehicle_kilometres_of_the_feed(feed, network):
    table = read_gtfs(feed, network, hours=WINDOW)
    n = len(range(24 * 3600 + 600, 28 * 3600, 1800))
    assert table.n_runs == n * sum(bool(way) for ways in LINES.values() for way in ways)
    km = n * sum(straight_km(way) for ways in LINES.values() for way in ways if way)
    assert table.vehicle_m / 1000 == pytest.approx(km, rel=0.002)
    assert table.buses_of(0) == 1  # a circle of 16 minutes every 30


def test_riders_go_with_the_direction_of_a_circle_and_not_through_a_terminal():
    lattice = Network.from_lattice(HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20))
    path = lattice.shortest_path(0, 19)
    demand = Demand(20, origin=[0, 19], destination=[19, 0], trips=[40.0, 20.0])
    problem = Problem.build(lattice, demand)
    ways = [(path, None), (path, []), (path[::-1], [])]
    both, one, other = (Plan((Route(stops, "N1", back),), lattice.fingerprint) for stops, back in ways)
    for plan, served in ((both, 60.0), (one, 40.0), (other, 20.0)):
        assert problem.value(plan, Objective()) / 1024 == served
        assert score_plan(lattice, demand, plan).coverage.served.numerator == served
    half = len(path) // 2
    short = Plan((Route(path[: half + 1], "N1", path[: half - 1 : -1]),), lattice.fingerprint)  # out to the middle, back from the far end
    assert problem.value(short, Objective()) == 0


@pytest.mark.parametrize("count_by", ["area", "centre"])
@pytest.mark.parametrize(("line", "served"), [("ABCDA", "BD AB BA"), ("ADCBA", "DB AB BA")])
def test_a_circle_serves_the_rides_in_its_direction_by_area_and_by_centre(tmp_path, line, served, count_by):
    """From D to B on ABCDA riders would have to change at A from the end of a run to the start of the next one."""
    path = written(tmp_path / "a.zip", feed_tables({"circle": (line, "")}))
    made = Network.from_gtfs(path, hours=WINDOW)
    plan = read_gtfs(path, made, hours=WINDOW).plan
    hexes = {name[-1]: int(made.stop_hex[stop]) for stop, name in enumerate(made.stop_names)}
    assert len(set(hexes.values())) == 4
    for start, end in ("BD", "DB", "AB", "BA"):
        trips = Demand(made.grid.n_hexes, origin=[hexes[start]], destination=[hexes[end]], trips=[64.0])
        one, two, changing = (
            score_plan(made, trips, each, rule=ServiceRule(max_transfers=n), count_by=count_by).coverage.served.numerator
            for each, n in ((plan, 0), (both(plan), 0), (plan, 1))
        )
        assert two > 0
        assert one == (two if start + end in served.split() else 0)
        assert changing == two, "with a change at A every ride is served"


def both(plan: Plan) -> Plan:
    """Return a plan with its one line in both directions."""
    (route,) = plan.routes
    return Plan((Route(route.stops, route.name, route.stops[::-1]),), plan.network_fingerprint)


def test_a_timetable_of_a_one_way_route_runs_it_one_way(feed, network):
    plan = read_gtfs(feed, network, hours=WINDOW).plan
    demand = Demand(network.grid.n_hexes, origin=[int(network.stop_hex[0])], destination=[int(network.stop_hex[1])], trips=[50.0])
    table, _ = build_timetable(network, demand, plan)
    for k, route in enumerate(plan.routes):
        assert bool(table.starts_s(2 * k).size)
        assert bool(table.starts_s(2 * k + 1).size) == (not route.is_one_way)


@pytest.mark.parametrize("name", ["plan.geojson", "plan.gpkg"])
def test_a_plan_file_keeps_how_a_line_runs(feed, network, tmp_path, name):
    plan = read_gtfs(feed, network, hours=WINDOW).plan
    write_plan(tmp_path / name, network, plan)
    assert read_plan(tmp_path / name, network).equals(plan)


def test_a_feed_of_such_lines_comes_back_equal(feed, network, tmp_path):
    table = read_gtfs(feed, network, hours=WINDOW)
    write_gtfs(tmp_path / "own.zip", network, table, FeedInfo())
    again = read_gtfs(tmp_path / "own.zip", network, hours=WINDOW)
    assert again.plan.equals(table.plan)
    assert again.vehicle_m == pytest.approx(table.vehicle_m, abs=table.n_runs)


@pytest.mark.parametrize(("unit", "metres"), [("metres", 1.0), ("kilometres", 1000.0), ("miles", 1609.344), ("feet", 0.3048), (None, None)])
def test_distances_are_read_in_the_unit_of_the_feed(tmp_path, unit, metres):
    path = written(tmp_path / "a.zip", feed_tables({"plain": LINES["plain"]}, unit=metres))
    assert distance_unit(read_feed(path)) == unit
    made = Network.from_gtfs(path, hours=WINDOW)
    plan = read_gtfs(path, made, hours=WINDOW).plan
    assert plan_measures(made, plan).length_m[0] == pytest.approx(1000 * straight_km("GFEA") * (1.0 if unit is None else 1.2), abs=8)


@pytest.mark.parametrize(("pattern", "stops"), [("commonest", 4), ("longest", 5)])
def test_the_pattern_is_that_of_most_departures_or_the_longest(tmp_path, pattern, stops):
    lines = {"plain": LINES["plain"]}
    frames, longer = feed_tables(lines), feed_tables({"plain": ("GFEAB", "BAEFG")}, every=7200)
    for name in ("trips.txt", "stop_times.txt"):
        more = longer[name].assign(trip_id=lambda frame: "more" + frame["trip_id"])
        frames[name] = pd.concat([frames[name], more])
    path = written(tmp_path / "a.zip", frames)
    notes: list[str] = []
    plan = read_gtfs(path, Network.from_gtfs(path, hours=WINDOW), hours=WINDOW, pattern=pattern, notes=notes).plan
    assert plan.routes[0].n_stops == stops
    assert "2 other patterns, which would add" in " ".join(notes)
    with pytest.raises(UsageError, match="pattern must be commonest or longest, got 'x'"):
        read_gtfs(path, Network.from_gtfs(path), pattern="x")


def test_a_stop_of_a_one_way_route_stays(feed, network):
    plan = read_gtfs(feed, network, hours=WINDOW).plan
    demand = Demand(network.grid.n_hexes, origin=[int(network.stop_hex[0])], destination=[int(network.stop_hex[1])], trips=[50.0])
    with pytest.raises(UsageError, match="route circle runs in one direction only, so its stops stay as they are"):
        remove_stop(Problem.build(network, demand), Objective(), plan, int(plan.routes[0].stops[1]), route=0)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Records of 900 calls at the places, in the window."""
    stops = feed_tables({})["stops.txt"][["stop_lon", "stop_lat"]].astype(float).to_numpy()
    rng = np.random.default_rng(4)
    ends = rng.integers(0, len(stops), (900, 2))
    rows = [(f"2024-03-{4 + k % 5:02d} {k % 5:02d}:{k % 60:02d}:00", *stops[a], *stops[b]) for k, (a, b) in enumerate(ends.tolist())]
    path = tmp_path_factory.mktemp("calls") / "calls.csv"
    pd.DataFrame(rows, columns=["time", "lon", "lat", "home_lon", "home_lat"]).to_csv(path, index=False)
    return str(path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and messages of one command."""
    code = run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


def test_every_command_measures_such_lines_as_they_run_and_records_the_night(feed, calls, tmp_path, capsys):
    source = [str(feed), "--day", "fri", "--json"]
    night = {"date": "2024-03-08", "day": "friday", "lines": list(LINES), "pattern": "commonest"}
    code, out, err = printed(capsys, "score", str(feed), calls, *source[1:], "--public", "--out", str(tmp_path / "run"))
    assert code == 0
    assert json.loads(out)["feeds"] == {str(feed): night}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["feeds"] == {str(feed): night}
    assert "line 'circle' runs in one direction only, and is measured so" in err
    on = ["--run", str(tmp_path / "run")]
    for words in (["compare", *source, str(feed)], ["explain", *source], ["improve", *source, "--steps", "200"], ["timetable", *source]):
        code, out, err = printed(capsys, *words, *on)
        assert code == 0, err
        document = json.loads(out)
        assert document["feeds"] == {str(feed): night}
        assert "is read for the service day Friday 2024-03-08" in err
    plan = ["plan", *on, "--fixed", str(feed), "--routes", "7", "--steps", "500", "--day", "fri", "--json"]
    code, out, err = printed(capsys, *plan, "--reference", str(feed), "--out", str(tmp_path / "planned"))
    assert code == 0, err
    runs = [json.loads((tmp_path / name / "plan.geojson").read_text())["features"] for name in ("run", "planned")]
    scored_routes, planned_routes = ({each["properties"]["name"]: each["properties"] for each in features} for features in runs)
    assert {name: planned_routes[name] for name in LINES} == scored_routes
    assert len(planned_routes) == 7


def test_a_feed_as_its_own_network_keeps_lines_that_leave_the_area(feed, calls, tmp_path, capsys):
    near = pd.read_csv(calls).query("lon > 10.06 and home_lon > 10.06")
    near.to_csv(tmp_path / "near.csv", index=False)
    code, out, err = printed(capsys, "score", str(feed), str(tmp_path / "near.csv"), "--json", "--public")
    assert code == 0, err
    assert json.loads(out)["plan"]["routes"] == len(LINES)
    code, _, err = printed(capsys, "compare", str(feed), str(feed))
    assert code == 2
    assert "a feed is measured on records; add --records FILE, or --run DIR" in err


@pytest.mark.parametrize("asked", [{"bound_steps": 5}, {"stop_when": [MaxSteps(50), TargetGap(0.1)]}], ids=["bound", "gap"])
def test_a_bound_is_proven_beside_one_way_routes_and_refused_beside_other_streets_on_the_way_back(feed, network, asked):
    """The search counts a one-way route both ways, which bounds it; the stops of another way back it does not count at all."""
    plan = read_gtfs(feed, network, hours=WINDOW).plan
    n = network.grid.n_hexes
    ends = np.sort(network.stop_hex[[0, 3, 5]])
    demand = Demand(n, origin=ends[[0, 1, 2]], destination=ends[[1, 2, 0]], trips=[9.0, 5.0, 3.0])
    search = {"limits": RouteLimits(**ANY_SHAPE), "stop_when": [MaxSteps(50)], **asked}
    one_way = PlanConstraints(fixed=Plan(tuple(route for route in plan.routes if route.is_one_way), network.fingerprint))
    result = plan_routes(network, demand, 5, constraints=one_way, **search)
    assert result.bound_share is not None
    assert 0 < result.share <= result.bound_share
    with pytest.raises(UsageError, match="no bound is known beside a fixed route with other stops on its way back, such as streets"):
        plan_routes(network, demand, 7, constraints=PlanConstraints(fixed=plan), **search)


def test_a_route_has_the_stops_of_its_direction_with_more(feed, network):
    """In a real feed a night line returns without riders: two stops one way, forty-nine the other."""
    streets = read_gtfs(feed, network, hours=WINDOW).plan.routes[4]
    plan = Plan((Route(streets.stops[:2], "short there", back=streets.back),), network.fingerprint)
    assert plan_measures(network, plan, 1800).n_stops.tolist() == [4]


def test_a_long_name_of_a_line_leaves_room_for_its_numbers(feed, network, capsys):
    n = network.grid.n_hexes
    demand = Demand(n, origin=network.stop_hex[:1], destination=network.stop_hex[1:2], trips=[9.0])
    route = Route(
        read_gtfs(feed, network, hours=WINDOW).plan.routes[5].stops, "815-Messejana/Papicu/Cj Tancredo Neves/Terminal Antônio Bezerra"
    )
    card = score_plan(network, demand, Plan((route,), network.fingerprint), min_count=-1)
    Console(width=80).print(routes_table(card))
    shown = capsys.readouterr().out
    assert f"{card.routes[0].length_m / 1000:.1f}" in shown
    assert "…" not in shown
