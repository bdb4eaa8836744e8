"""Hexes that count in part: cut without gaps, demand spread without loss, and shares held against polygons."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import h3
import numpy as np
import pytest
import shapely
from hypothesis import given as drawn_from
from hypothesis import strategies as st

from owlbus.cli.app import run
from owlbus.common.errors import DataError, UsageError
from owlbus.demand import Demand, disaggregate_demand, drop_trips_within_hexes
from owlbus.grid.hexgrid import HexGrid
from owlbus.grid.subdivide import HexParts, subdivide_hexes
from owlbus.network import Network, WalkGraph, check_network, on_parts
from owlbus.pipeline import Sources
from owlbus.plan import Plan, Route
from owlbus.score import score_plan
from owlbus.search import plan_routes
from owlbus.search.problem import Problem, reached_hexes
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

AREA = [(10.0, 50.0), (10.08, 50.0), (10.08, 50.05), (10.0, 50.05)]
GRID = HexGrid.cover(AREA)
NIGHTS = tuple(dt.date(2013, 3, day) for day in (12, 13, 14))
BY_AREA = "share of the hex's area within 500 m, straight line"
PARTS = subdivide_hexes(GRID)
H3 = subdivide_hexes(HexGrid.from_h3(AREA))
BOTH = pytest.mark.parametrize("parts", [PARTS, H3], ids=["planar", "h3"])


def polygons(grid: HexGrid, frame: HexGrid) -> NDArray[np.object_]:
    """Hexes as polygons in the metres of `frame`."""
    ring = grid.hex_to_boundary(np.arange(grid.n_hexes))
    found: NDArray[np.object_] = shapely.polygons(np.stack(frame.project(ring[..., 0], ring[..., 1]), axis=-1))
    return found


def drawn(rows: int, seed: int = 3) -> Demand:
    """Demand of random rows over three nights of two hours."""
    rng = np.random.default_rng(seed)
    origin = rng.integers(0, GRID.n_hexes, rows)
    when = {"night": rng.integers(0, 3, rows), "hour": rng.integers(24, 26, rows)}
    trips = when | {"origin": origin, "destination": (origin + rng.integers(1, GRID.n_hexes, rows)) % GRID.n_hexes}
    people = when | {"hex": origin, "presence": rng.integers(1, 40_000, rows) / 1024}
    return Demand.from_rows(
        GRID.n_hexes,
        trips | {"trips": rng.integers(1, 9_000, rows) / 1024},
        people,
        hours=(24, 25),
        nights=NIGHTS,
        grid=GRID.fingerprint,
    )


def streets(seed: int = 5, n_stops: int = 60) -> Network:
    """Stops at random places, linked in a ring and across, so that none stands where the lattice would put it."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(10.0, 10.08, n_stops), rng.uniform(50.0, 50.05, n_stops)
    pairs = {(i, (i + step) % n_stops) for i in range(n_stops) for step in (1, 7)}
    pairs |= {(v, u) for u, v in pairs}
    start, end = np.array(sorted(pairs)).T
    x, y = GRID.project(lon, lat)
    metres = np.maximum(1, np.ceil(np.hypot(x[start] - x[end], y[start] - y[end]))).astype(np.int32)
    home = GRID.lonlat_to_hex(lon, lat)
    return Network(
        GRID, lon, lat, home, tuple(f"s{i}" for i in range(n_stops)), np.searchsorted(start, np.arange(n_stops + 1)), end,
        np.maximum(1, metres // 8), metres, np.arange(n_stops + 1), home, np.zeros(n_stops),
    )  # fmt: skip


# cutting ------------------------------------------------------------------------------------------------------------------


@BOTH
def test_every_part_belongs_to_one_hex_and_parts_have_the_area_of_their_hexes(parts: HexParts) -> None:
    assert sorted(parts.part_of.reshape(-1).tolist()) == list(range(parts.grid.n_hexes))
    assert (parts.whole_of[parts.part_of] == np.arange(parts.whole.n_hexes)[:, None]).all()
    whole, cut = (shapely.area(polygons(grid, parts.whole)).sum() for grid in (parts.whole, parts.grid))
    assert cut == pytest.approx(whole, rel=1e-3)


def test_seven_of_nine_parts_lie_within_their_hex_and_the_nine_are_centred_on_it() -> None:
    whole, cut = polygons(GRID, GRID), polygons(PARTS.grid, GRID)
    inside = shapely.area(shapely.intersection(whole[:, None], cut[PARTS.part_of])) / shapely.area(cut[PARTS.part_of])
    assert np.sort(inside, axis=1) == pytest.approx(np.tile([1 / 3, 1 / 3, *[1.0] * 7], (GRID.n_hexes, 1)), abs=1e-6)
    for axis in ("x_m", "y_m"):
        assert getattr(PARTS.grid, axis)[PARTS.part_of].mean(axis=1) == pytest.approx(getattr(GRID, axis), abs=1e-6)


def test_parts_of_an_h3_cell_are_its_children() -> None:
    cells = H3.grid.h3_index()[H3.part_of]
    for cell, children in zip(H3.whole.h3_index().tolist(), cells.tolist(), strict=True):
        assert {h3.cell_to_parent(child, 8) for child in children} == {cell}


def test_hexes_west_and_south_of_the_first_are_cut_alike() -> None:
    moved = HexGrid(GRID.crs, GRID.radius_m, "planar", GRID.q - 40, GRID.r - 40)
    assert np.array_equal(subdivide_hexes(moved).part_of, PARTS.part_of)


# demand -------------------------------------------------------------------------------------------------------------------


@drawn_from(rows=st.integers(1, 60), seed=st.integers(0, 99))
def test_spreading_keeps_all_sums_by_night_hour_and_whole_hex(rows: int, seed: int) -> None:
    before = drawn(rows, seed)
    after = disaggregate_demand(before, PARTS)
    whole, when = PARTS.whole_of, {"night": after.night, "hour": after.hour}
    back = Demand.from_rows(
        GRID.n_hexes,
        when | {"origin": whole[after.origin], "destination": whole[after.destination], "trips": after.trips},
        {"night": after.presence_night, "hour": after.presence_hour, "hex": whole[after.presence_hex], "presence": after.presence},
        hours=before.hours,
        nights=before.nights,
        grid=GRID.fingerprint,
    )
    for name in ("night", "hour", "origin", "destination", "trips", "presence_night", "presence_hour", "presence_hex", "presence"):
        assert np.array_equal(getattr(back, name), getattr(before, name))
    assert after.grid == PARTS.grid.fingerprint


def test_each_part_of_a_hex_gets_an_equal_share_up_to_the_unit_of_trips() -> None:
    after = disaggregate_demand(Demand(GRID.n_hexes, origin=[3], destination=[60], trips=[7.0], presence_hex=[3], presence=[5.0]), PARTS)
    assert sorted(after.origin.tolist()) == sorted(PARTS.part_of[3].tolist())
    assert sorted(after.destination.tolist()) == sorted(PARTS.part_of[60].tolist())
    for values, total in ((after.trips, 7.0), (after.presence, 5.0)):
        assert values.sum() == total
        assert np.ptp(values) <= 1 / 1024


def test_over_nine_hours_every_part_of_one_hex_meets_every_part_of_the_other_alike() -> None:
    hours = tuple(range(22, 31))
    after = disaggregate_demand(Demand(GRID.n_hexes, hours, hour=hours, origin=[3] * 9, destination=[60] * 9, trips=[9.0] * 9), PARTS)
    pairs = after.od()
    assert (len(pairs), set(pairs.trips.tolist())) == (81, {1.0})


def test_trips_between_parts_of_one_hex_are_left_out_and_counted() -> None:
    a, b, c = PARTS.part_of[3, 0], PARTS.part_of[3, 8], PARTS.part_of[4, 0]
    demand = Demand.from_rows(
        PARTS.grid.n_hexes, {"night": [0, 0], "hour": [24, 24], "origin": [a, a], "destination": [b, c], "trips": [20, 30]}
    )
    kept, dropped = drop_trips_within_hexes(demand, PARTS)
    assert (kept.total_trips, dropped) == (30.0, 20.0)
    within = Demand(PARTS.grid.n_hexes, origin=[min(a, b)], destination=[max(a, b)], trips=[1.0])
    with pytest.raises(DataError, match="trips must lead from one hex to another, all 1 stay within one; take a smaller radius_m"):
        drop_trips_within_hexes(within, PARTS)


def test_demand_and_network_of_another_grid_are_refused() -> None:
    other = HexGrid.cover(AREA, radius_m=400)
    with pytest.raises(DataError, match=r"demand must lie on the grid that is cut, got \d+ and \d+ hexes .* cut the grid that the demand"):
        disaggregate_demand(Demand(other.n_hexes, origin=[0], destination=[1], trips=[1.0]), PARTS)
    with pytest.raises(DataError, match=r"network must lie on the grid that is cut, got \d+ and \d+ hexes .* cut the grid of the network"):
        on_parts(Network.from_lattice(other), PARTS)


# reach --------------------------------------------------------------------------------------------------------------------


def test_parts_keep_stops_and_links_and_say_how_they_count() -> None:
    whole = streets()
    cut = on_parts(whole, PARTS)
    for name in ("stop_lon", "stop_lat", "link_to", "link_s", "link_m"):
        assert np.array_equal(getattr(cut, name), getattr(whole, name))
    assert cut.walk_rule == "9 parts of the hex by area, the centre of each within 500 m, straight line"
    report = on_parts(Network.from_lattice(GRID), PARTS, "records").report
    assert report is not None
    assert report.notes[-1] == "each hex counts in 9 parts of 167 m, by records"
    assert report.unreachable_hexes.max(initial=0) < PARTS.grid.n_hexes
    assert not any(finding.count for finding in check_network(cut).findings if "hex" in finding.rule)
    for stop in range(cut.n_stops):
        x, y = GRID.project(cut.stop_lon[stop], cut.stop_lat[stop])
        near = np.hypot(PARTS.grid.x_m - x, PARTS.grid.y_m - y) <= 500
        assert set(np.flatnonzero(near).tolist()) == set(cut.shed_hex[cut.shed_indptr[stop] : cut.shed_indptr[stop + 1]].tolist())


def test_parts_are_walked_to_along_footways_where_these_are_given() -> None:
    whole = streets()
    nowhere = WalkGraph(*(np.zeros(0) for _ in range(2)), *(np.zeros(0, np.int64) for _ in range(2)), np.zeros(0))
    cut = on_parts(whole, PARTS, paths=nowhere)
    assert cut.walk_rule.endswith("the centre of each within 500 m, along footways")
    assert np.array_equal(cut.shed_hex, PARTS.grid.lonlat_to_hex(whole.stop_lon, whole.stop_lat)), "only the part that holds the stop"


def test_shares_of_hexes_are_those_of_polygons_within_four_parts_and_of_plans_within_a_fortieth() -> None:
    """Random sets of stops against shapely: area of each hex that circles around stops cover."""
    whole = streets(n_stops=200)
    cut = on_parts(whole, PARTS)
    hexes = polygons(GRID, GRID)
    people = np.random.default_rng(1).integers(1, 1000, GRID.n_hexes)
    x, y = GRID.project(whole.stop_lon, whole.stop_lat)
    rng = np.random.default_rng(2)
    errors, by_centre = [], []
    for n_stops in (3, 10, 20, 40) * 5:
        stops = rng.choice(whole.n_stops, n_stops, replace=False)
        circles = shapely.union_all(shapely.buffer(shapely.points(x[stops], y[stops]), 500, quad_segs=64))
        exact = shapely.area(shapely.intersection(hexes, circles)) / shapely.area(hexes)
        reached = np.zeros(PARTS.grid.n_hexes, np.bool_)
        reached[np.concatenate([cut.shed_hex[cut.shed_indptr[s] : cut.shed_indptr[s + 1]] for s in stops])] = True
        share = reached[PARTS.part_of].mean(axis=1)
        assert np.abs(share - exact).max() < 4 / 9
        errors.append((people * (share - exact)).sum() / people.sum())
        centre = (np.hypot(GRID.x_m[:, None] - x[stops], GRID.y_m[:, None] - y[stops]) <= 500).any(axis=1)
        by_centre.append((people * (centre - exact)).sum() / people.sum())
    assert np.abs(errors).max() < 0.025, "of people in 67 hexes"
    assert np.abs(np.mean(errors)) < 0.003
    assert np.std(errors) < 0.6 * np.std(by_centre), "whole hexes by their centre are off by more"


@pytest.mark.parametrize("objective", ["served", "presence"])
def test_the_search_is_worth_what_the_scorecard_says(objective: str) -> None:
    network, demand = on_parts(streets(), PARTS), disaggregate_demand(drawn(400), PARTS)
    found = plan_routes(network, demand, 2, seed=1, objective=objective, stop_when=[MaxSteps(300)])
    card = score_plan(network, demand, found.plan, count_by="centre")
    share = card.served_share if objective == "served" else card.presence_share
    assert found.share == pytest.approx(share, abs=1e-12)
    assert share > 0
    reached = reached_hexes(network, found.plan)
    assert card.presence_share == pytest.approx(demand.presence_by_hex()[reached].sum() / demand.total_presence, abs=1e-12)
    counted = reached[PARTS.part_of].mean(axis=1)
    assert ((counted > 0) & (counted < 1)).any(), "some hexes count in part"


def test_trips_served_are_those_of_all_pairs_of_parts_within_a_hundredth() -> None:
    """Every part of one hex with every part of the other, 81 of equal weight, against the nine that the demand holds."""
    network, before = on_parts(streets(), PARTS), drawn(2_000)
    demand = disaggregate_demand(before, PARTS)
    stops = np.arange(30)
    plan = Plan((Route(stops, "A"), Route([58, 5, 12, 19, 26, 33, 40, 47, 54], "B")), network.fingerprint)
    problem = Problem.build(network, demand)
    rides = problem.rides(plan)[1] <= problem.limit_s
    served = np.zeros((PARTS.grid.n_hexes,) * 2, np.bool_)
    served[np.ix_(problem.hexes, problem.hexes)] = rides
    pairs = before.od()
    of_pair = served[PARTS.part_of[pairs.origin][:, :, None], PARTS.part_of[pairs.destination][:, None, :]].mean(axis=(1, 2))
    exact = float((pairs.trips * of_pair).sum() / pairs.total_trips)
    assert exact > 0.05
    assert score_plan(network, demand, plan).served_share == pytest.approx(exact, abs=0.01)


# the command line ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An area, two stops joined by roads, and 600 rides that all begin and end in the eastern half of their hexes."""
    folder = tmp_path_factory.mktemp("town")
    ring = [*AREA, AREA[0]]
    (folder / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    rng = np.random.default_rng(9)
    rides = ["pickup_time,dropoff_time,origin_lon,origin_lat,destination_lon,destination_lat"]
    at = {k: GRID.unproject(GRID.x_m[k] + 250 + rng.uniform(-60, 60, 600), GRID.y_m[k] + rng.uniform(-60, 60, 600)) for k in ENDS}
    for i in range(600):
        day = f"2013-03-{12 + i % 3}"
        a, b = ENDS if i % 2 else ENDS[::-1]
        places = ",".join(f"{axis[i]:.6f}" for axis in (*at[a], *at[b]))
        rides.append(f"{day} 01:10:00,{day} 01:40:00,{places}")
    (folder / "taxi.csv").write_text("\n".join(rides) + "\n")
    stop = [GRID.unproject(GRID.x_m[k] + 600, GRID.y_m[k]) for k in ENDS]
    (folder / "nodes.csv").write_text("node_id,lon,lat\n" + "\n".join(f"n{i},{lon:.6f},{lat:.6f}" for i, (lon, lat) in enumerate(stop)))
    (folder / "links.csv").write_text("from_node,to_node,length_m,freespeed_m_per_s\nn0,n1,6000,10\nn1,n0,6000,10\n")
    (folder / "stops.csv").write_text("lon,lat,name\n" + "\n".join(f"{lon:.6f},{lat:.6f},s{i}" for i, (lon, lat) in enumerate(stop)))
    return folder


ENDS = (int(GRID.lonlat_to_hex(10.01, 50.02)), int(GRID.lonlat_to_hex(10.06, 50.03)))


def near_share(grid: HexGrid, hexes: NDArray[np.int32]) -> float:
    """Share of the area of some hexes within 500 m of the stop 600 m east of the centre of the first end."""
    shapes = polygons(grid, GRID)[hexes]
    circle = shapely.Point(GRID.x_m[ENDS[0]] + 600, GRID.y_m[ENDS[0]]).buffer(500, 256)
    return float(shapely.area(shapely.intersection(shapes, circle)).sum() / shapely.area(shapes).sum())


def words(town: Path, *more: str) -> list[str]:
    """Command line of a plan on the town."""
    files = [f"--{name}={town / name}.csv" for name in ("nodes", "links", "stops")]
    return [
        "plan",
        str(town / "taxi.csv"),
        "--area",
        str(town / "area.geojson"),
        *files,
        "--routes",
        "1",
        "--steps",
        "200",
        "-q",
        *more,
    ]


@pytest.mark.parametrize(
    ("reach", "share", "rule", "told"),
    [
        (
            "centre",
            near_share(GRID, np.array(ENDS[:1])),
            "share of the hex's area within 500 m, straight line",
            "counts by the share of its area",
        ),
        (
            "area",
            near_share(PARTS.grid, PARTS.part_of[ENDS[0]]),
            "share of the hex's area within 500 m, straight line, of 9 parts of it by area",
            "spread evenly over them",
        ),
        (
            "records",
            1.0,
            "share of the hex's area within 500 m, straight line, of 9 parts of it by records",
            "night, hour and part of a hexagon",
        ),
    ],
)
def test_a_hex_counts_by_its_area_near_the_stop_and_its_parts_by_area_or_by_records(
    town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], reach: str, share: float, rule: str, told: str
) -> None:
    out = tmp_path / "out"
    status = run(words(town, "--reach", reach, "--public", "--out", str(out)))
    shown = capsys.readouterr()
    assert status == 0, shown.err
    card = json.loads((out / "scorecard.json").read_text())
    assert card["walk_rule"] == rule
    assert card["presence"]["share"] == pytest.approx(share, abs=0.02)
    assert told in (out / "report.html").read_text()
    assert json.loads((out / "run.json").read_text())["settings"]["reach"] == reach
    assert ("area of hexagons, of" if reach == "centre" else f"parts of hexagons, by {reach}, of") in shown.out
    assert run(["score", str(out / "plan.geojson"), "--run", str(out), "--json", "-q"]) == 0
    again = json.loads(capsys.readouterr().out)["plan"]
    assert (again["scorecard"]["presence"], again["scorecard"]["walk_rule"]) == (card["presence"], rule), "as in the run"


@pytest.mark.parametrize(("reach", "shown"), [("centre", 2), ("area", 0), ("records", 2)])
def test_parts_with_fewer_people_than_may_be_shown_are_blank_on_the_map(town: Path, tmp_path: Path, reach: str, shown: int) -> None:
    """A hundred people a night in each of two hexes: eleven in each of nine parts, or all in one part."""
    out = tmp_path / "out"
    assert run(words(town, "--reach", reach, "--out", str(out))) == 0
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', (out / "report.html").read_text(), flags=re.DOTALL)
    assert found is not None
    night, *_ = json.loads(found[1])["hexes"]["classes"]
    assert sum(digit != "0" for digit in night) == shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reach": "corner"}, "reach must be one of centre, area, records, got 'corner'"),
        (
            {"reach": "area", "walk_area_share": 0.5},
            "walk_area_share asks of whole hexagons and reach counts them in parts; give one of them",
        ),
        ({"reach": "records", "masts": "a.csv"}, "reach='records' needs positions of records and masts gives only those of antennas"),
    ],
)
def test_reaches_that_do_not_fit_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sources(**given)
