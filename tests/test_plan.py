"""Routes and plans: their rules, what they measure, what limits they break, and that files bring them back."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import OutputError
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import (
    Plan,
    Route,
    check_plan,
    plan_geojson,
    plan_measures,
    plan_of_waypoints,
    read_plan,
    route_links,
    stops_geojson,
    write_plan,
    write_stops,
)
from owlbus.plan.limits import RouteLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

LINKS = {  # (from, to): (seconds, metres); the way back differs on purpose
    (0, 1): (100, 900),
    (1, 0): (110, 1000),
    (1, 2): (200, 1000),
    (2, 1): (200, 1000),
    (2, 3): (300, 1100),
    (3, 2): (290, 1100),
    (0, 3): (700, 1500),
    (3, 0): (650, 1600),
}
"""Four stops in a ring: 0 - 1 - 2 - 3 - 0, the last link slow but short."""


def ring() -> Network:
    """Return the ring of four stops at hex centres."""
    grid = HexGrid.cover([(127.0, 37.5), (127.02, 37.5), (127.02, 37.52), (127.0, 37.52)], n_hexes=9)
    pairs = sorted(LINKS)
    return Network(
        grid=grid,
        stop_lon=grid.lon[:4],
        stop_lat=grid.lat[:4],
        stop_hex=[0, 1, 2, 3],
        stop_names=("Aa", "Bb", "Cc", "Dd"),
        link_indptr=np.searchsorted([a for a, _ in pairs], np.arange(5)),
        link_to=[b for _, b in pairs],
        link_s=[LINKS[pair][0] for pair in pairs],
        link_m=[LINKS[pair][1] for pair in pairs],
        shed_indptr=np.arange(5),
        shed_hex=[0, 1, 2, 3],
        shed_walk_m=[0, 0, 0, 0],
    )


RING = ring()
LATTICE = Network.from_lattice(HexGrid.cover([(127.0, 37.5), (127.06, 37.5), (127.06, 37.55), (127.0, 37.55)]))


def plan_on_ring(*routes: Sequence[int]) -> Plan:
    """Return a plan on the ring, routes named R1, R2, ..."""
    return Plan(tuple(Route(stops, f"R{number}") for number, stops in enumerate(routes, start=1)), RING.fingerprint)


@st.composite
def walks(draw: st.DrawFn) -> list[int]:
    """Draw rows of linked stops on the lattice, some of which pass a stop twice."""
    stops = [draw(st.integers(0, LATTICE.n_stops - 1))]
    for _ in range(draw(st.integers(1, 12))):
        row = LATTICE.link_to[LATTICE.link_indptr[stops[-1]] : LATTICE.link_indptr[stops[-1] + 1]]
        stops.append(int(draw(st.sampled_from(row.tolist()))))
    return stops


# Routes and plans


@pytest.mark.parametrize(
    ("stops", "name", "message"),
    [
        ([3], "N1", r"route 'N1' must be a row of at least 2 whole stop indices, got int64 of shape \(1,\)"),
        ([0.5, 1.0], "N1", "whole stop indices, got float64"),
        ([[0, 1]], "N1", r"got int64 of shape \(1, 2\)"),
        ([0, -1], "N1", r"stop indices must lie in \[0, 2147483647\], got -1 to 0"),
        ([0, 2**31], "N1", "got 0 to 2147483648"),
        ([4, 4, 5], "N1", r"route 'N1' stays at stop 4 in position 1; name a stop once \(1 such\)"),
        ([0, 1], "  ", "a route needs a name of one line, got '  '"),
        ([0, 1], "a\nb", "a route needs a name of one line"),
    ],
)
def test_a_route_that_breaks_a_rule_is_refused(stops: list[float], name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Route(stops, name)


def test_a_route_owns_its_stops_and_stays_read_only_in_copies() -> None:
    given_stops = np.array([0, 1, 2], np.int32)
    route = Route(given_stops, "N1")
    given_stops[0] = 9
    copy = pickle.loads(pickle.dumps(Plan((route,), "x"))).routes[0]  # noqa: S301 - written one line above
    assert route.stops.tolist() == copy.stops.tolist() == [0, 1, 2]
    assert not route.stops.flags.writeable
    assert not copy.stops.flags.writeable


def test_routes_of_a_plan_have_different_names() -> None:
    with pytest.raises(DataError, match="route names must differ, got 'N1' 2 times; rename all but one"):
        Plan((Route([0, 1], "N1"), Route([1, 2], "N1")), "x")


def test_a_plan_may_hold_no_route() -> None:
    empty = plan_on_ring()
    measures = plan_measures(RING, empty)
    assert (empty.n_routes, empty.used_stops.tolist(), measures.total_buses, measures.total_length_m) == (0, [], 0, 0)
    assert check_plan(RING, empty, RouteLimits()) == ()


def test_plans_are_equal_only_if_nothing_differs() -> None:
    plan = plan_on_ring([0, 1, 2])
    assert plan.equals(plan_on_ring([0, 1, 2]))
    assert not plan.equals(plan_on_ring([0, 1, 2, 3]))
    assert not plan.equals(plan_on_ring([0, 3, 2]))
    assert not plan.equals(replace(plan, network_fingerprint="other"))
    assert not plan.equals(Plan((Route([0, 1, 2], "other"),), RING.fingerprint))


# Measures


def test_measures_of_a_route_are_counted_by_hand_in_both_directions() -> None:
    measures = plan_measures(RING, plan_on_ring([0, 1, 2, 3]), headway_s=1000)
    assert (measures.length_m[0], measures.length_back_m[0]) == (3000, 3100)
    assert (measures.ride_s[0], measures.ride_back_s[0]) == (600, 600)
    assert measures.cycle_s[0] == 1200
    assert measures.buses[0] == 2
    assert measures.circuity[0] == max(3000 / 1500, 3100 / 1600)
    assert (measures.longer_length_m[0], measures.shorter_length_m[0], measures.longer_ride_s[0]) == (3100, 3000, 600)


@pytest.mark.parametrize(("headway_s", "buses"), [(1200, 1), (1199, 2), (600, 2), (599, 3), (60, 20)])
def test_buses_are_the_cycle_over_the_headway_rounded_up(headway_s: int, buses: int) -> None:
    assert plan_measures(RING, plan_on_ring([0, 1, 2, 3]), headway_s).buses.tolist() == [buses]


def test_a_route_that_ends_where_it_begins_has_infinite_circuity() -> None:
    assert math.isinf(plan_measures(RING, plan_on_ring([0, 1, 2, 3, 0])).circuity[0])


def test_a_headway_below_a_minute_is_refused() -> None:
    with pytest.raises(UsageError, match=r"headway_s must lie in \[60, inf\], got 59"):
        plan_measures(RING, plan_on_ring([0, 1]), 59)


def test_a_route_must_ride_on_links() -> None:
    with pytest.raises(DataError, match=r"route 'R1': no link leads from stop 1 to stop 3 \(1 such gaps\); ride on links"):
        plan_measures(RING, plan_on_ring([0, 1, 3]))
    with pytest.raises(DataError, match=r"route 'R1': no link leads from stop 3 to stop 1 \(1 such gaps\)"):
        plan_measures(RING, plan_on_ring([2, 3, 1]))
    with pytest.raises(DataError, match=r"route 'R1': stop indices must lie in \[0, 4\), got 4 \(1 such\)"):
        plan_measures(RING, plan_on_ring([0, 4]))


def test_a_plan_of_another_network_is_refused() -> None:
    plan = Plan((Route([0, 1], "R1"),), "beef")
    with pytest.raises(DataError, match="the plan was made for network 'beef', this one is"):
        plan_measures(RING, plan)
    with pytest.raises(DataError, match="the plan was made for network 'beef'"):
        stops_geojson(RING, plan)


@given(walks())
def test_measures_equal_a_walk_from_link_to_link(stops: list[int]) -> None:
    measures = plan_measures(LATTICE, Plan((Route(stops, "R"),), LATTICE.fingerprint))
    there = [LATTICE.link(a, b) for a, b in itertools.pairwise(stops)]
    back = [LATTICE.link(b, a) for a, b in itertools.pairwise(stops)]
    assert measures.ride_s[0] == sum(seconds for seconds, _ in there)
    assert measures.length_back_m[0] == sum(metres for _, metres in back)
    assert measures.cycle_s[0] == sum(seconds for seconds, _ in there + back)
    assert measures.circuity[0] >= 1
    seconds, metres = route_links(LATTICE, stops)
    assert list(zip(seconds.tolist(), metres.tolist(), strict=True)) == there


# Limits

AT_THE_LIMIT = RouteLimits(
    max_length_m=3100,
    min_length_m=3000,
    max_ride_s=600,
    max_circuity=2.0,
    max_stops=4,
    min_stops=4,
    max_total_length_m=3100,
    max_buses=2,
    headway_s=1000,
    max_pair_circuity=4 / 3,
)
BROKEN = {
    "max_length_m": (3099, "route 'R1': length 3100 m is above 3099 m"),
    "min_length_m": (3001, "route 'R1': length 3000 m is below 3001 m"),
    "max_ride_s": (599, "route 'R1': ride 600 s is above 599 s"),
    "max_circuity": (1.999, "route 'R1': circuity 2 is above 1.999"),
    "max_pair_circuity": (1.333, "route 'R1': circuity between stops 1.33333333 (from Aa to Dd) is above 1.333"),
    "max_stops": (3, "route 'R1': stops 4 is above 3"),
    "min_stops": (5, "route 'R1': stops 4 is below 5"),
    "max_total_length_m": (3099, "all routes: length 3100 m is above 3099 m"),
    "max_buses": (1, "all routes: buses 2 is above 1 at a headway of 1000 s"),
}


def test_a_plan_exactly_at_every_limit_keeps_them_all() -> None:
    assert check_plan(RING, plan_on_ring([0, 1, 2, 3]), AT_THE_LIMIT) == ()


@pytest.mark.parametrize("limit", BROKEN)
def test_a_broken_limit_is_named_with_route_value_and_bound(limit: str) -> None:
    bound, line = BROKEN[limit]
    wider = {"max_stops": {"min_stops": 2}, "min_stops": {"max_stops": 9}}.get(limit, {})
    assert check_plan(RING, plan_on_ring([0, 1, 2, 3]), replace(AT_THE_LIMIT, **wider, **{limit: bound})) == (line,)


def test_limits_on_all_routes_add_the_longer_direction_of_each() -> None:
    plan = plan_on_ring([0, 1, 2], [2, 3])
    assert check_plan(RING, plan, RouteLimits(max_total_length_m=3100)) == ()
    assert check_plan(RING, plan, RouteLimits(max_total_length_m=3099)) == ("all routes: length 3100 m is above 3099 m",)


def test_a_planned_route_passes_each_stop_once() -> None:
    plan = plan_on_ring([1, 2, 3, 2])
    limits = RouteLimits(max_circuity=9, max_pair_circuity=9, allow_spurs=True)
    assert check_plan(RING, plan, limits) == ("route 'R1': stop 2 is passed 2 times, a planned route passes each stop once",)
    assert check_plan(RING, plan, limits, simple=False) == ()


def test_a_loop_breaks_any_limit_on_circuity() -> None:
    assert check_plan(RING, plan_on_ring([0, 1, 2, 3, 0]), RouteLimits(max_circuity=1e9, max_pair_circuity=9), simple=False) == (
        "route 'R1': circuity inf is above 1000000000",
    )


# Files


def test_a_plan_comes_back_equal_from_its_file(tmp_path: Path) -> None:
    plan = plan_on_ring([0, 1, 2, 3], [3, 0, 1, 2, 1])
    write_plan(tmp_path / "plan.geojson", RING, plan)
    assert read_plan(tmp_path / "plan.geojson", RING).equals(plan)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.geojson"]


@given(st.lists(walks(), min_size=1, max_size=3))
def test_any_plan_comes_back_equal_even_on_a_network_that_counts_its_stops_otherwise(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]]
) -> None:
    plan = Plan(tuple(Route(stops, f"R{number}") for number, stops in enumerate(rows)), LATTICE.fingerprint)
    path = tmp_path_factory.getbasetemp() / "any.geojson"
    write_plan(path, LATTICE, plan)
    assert read_plan(path, LATTICE).equals(plan)
    path.write_text(path.read_text().replace(LATTICE.fingerprint, "another network"))
    assert read_plan(path, LATTICE).equals(plan)


def test_the_file_of_a_plan_has_fixed_members_in_a_fixed_order() -> None:
    data = plan_geojson(RING, plan_on_ring([0, 1, 2, 3]), headway_s=1000)
    assert data == plan_geojson(ring(), plan_on_ring([0, 1, 2, 3]), headway_s=1000)
    found = json.loads(data)
    assert list(found) == ["type", "schema_version", "generator", "network", "features"]
    assert found["network"] == RING.fingerprint
    (feature,) = found["features"]
    assert list(feature["properties"].items()) == [
        ("name", "R1"),
        ("stops", [0, 1, 2, 3]),
        ("length_m", 3000),
        ("length_back_m", 3100),
        ("ride_s", 600),
        ("ride_back_s", 600),
        ("cycle_s", 1200),
        ("circuity", 2.0),
        ("buses", 2),
        ("headway_s", 1000),
    ]
    assert feature["geometry"]["coordinates"][1] == [round(RING.stop_lon[1], 6), round(RING.stop_lat[1], 6)]


def test_infinite_circuity_is_null_in_json() -> None:
    (feature,) = json.loads(plan_geojson(RING, plan_on_ring([0, 1, 2, 3, 0])))["features"]
    assert feature["properties"]["circuity"] is None


def test_stops_are_written_with_the_routes_that_halt_there(tmp_path: Path) -> None:
    write_stops(tmp_path / "stops.geojson", RING, plan_on_ring([0, 1], [2, 1]))
    found = json.loads((tmp_path / "stops.geojson").read_text())["features"]
    assert [feature["properties"] for feature in found] == [
        {"stop": 0, "name": "Aa", "hex": 0, "routes": ["R1"]},
        {"stop": 1, "name": "Bb", "hex": 1, "routes": ["R1", "R2"]},
        {"stop": 2, "name": "Cc", "hex": 2, "routes": ["R2"]},
    ]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_plan(tmp_path / "absent" / "plan.geojson", RING, plan_on_ring([0, 1]))
    assert list(tmp_path.iterdir()) == []


def test_waypoints_on_linked_stops_take_that_link_and_neighbours_on_one_stop_become_one() -> None:
    at = list(zip(RING.stop_lon.tolist(), RING.stop_lat.tolist(), strict=True))
    plan = plan_of_waypoints(RING, {"N1": [at[0], at[0], at[3]]})
    assert plan.routes[0].stops.tolist() == [0, 3]


def test_a_waypoint_exactly_at_the_allowed_distance_is_taken_and_beyond_it_refused() -> None:
    start = (float(RING.stop_lon[0]), float(RING.stop_lat[0]))
    away = (float(RING.stop_lon[1]), float(RING.stop_lat[1]) - 0.004)
    stop, metres = RING.nearest_stops(*(np.array([value]) for value in away))
    assert plan_of_waypoints(RING, {"N1": [start, away]}, max_snap_m=float(metres[0])).routes[0].stops[-1] == stop[0]
    with pytest.raises(
        DataError, match=r"route 'N1': way-point 2 \(.*\) lies \d+ m from the nearest stop, allowed are .* \(1 of 2 way-points\)"
    ):
        plan_of_waypoints(RING, {"N1": [start, away]}, max_snap_m=math.nextafter(float(metres[0]), 0))


def test_waypoints_that_share_one_stop_make_no_route() -> None:
    at = (float(RING.stop_lon[0]), float(RING.stop_lat[0]))
    with pytest.raises(DataError, match="all 2 way-points share the stop 0; a route needs at least two stops"):
        plan_of_waypoints(RING, {"N1": [at, at]})


def table(tmp_path: Path, head: str, *rows: str, name: str = "lines.csv") -> Path:
    """Write a way-point table, gzip where the name says so; {0} to {3} are positions of the ring's stops."""
    at = [f"{lon:.6f},{lat:.6f}" for lon, lat in zip(RING.stop_lon, RING.stop_lat, strict=True)]
    data = "\n".join([head, *(row.format(*at) for row in rows), ""]).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return tmp_path / name


@pytest.mark.parametrize("name", ["lines.csv", "lines.csv.gz"])
def test_a_table_is_read_by_sequence_in_direction_0_with_further_columns_ignored(tmp_path: Path, name: str) -> None:
    rows = ["L1,1,{1},0,x", "L1,0,{0},0,x", "L1,0,{3},1,x", "L2,10,{3},0,x", "L2,9,{2},0,x"]
    plan = read_plan(table(tmp_path, "line,sequence,lon,lat,direction,stop_id", *rows, name=name), RING)
    assert plan.names == ("L1", "L2")
    assert [route.stops.tolist() for route in plan] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("head", "rows", "message"),
    [
        ("", [], "lines.csv: the file is empty; a way-point table needs the columns route, sequence, lon, lat"),
        ("rout,sequence,lon,lat", ["a,0,{0}"], r"needs the column 'route' \(1 missing\); did you mean 'rout'\?"),
        ("route,x,y", ["a,0,1"], r"needs the column 'sequence' \(1 missing\); the table has route, x, y"),
        ("route,seq,x,long,lat", ["a,0,1,1,1"], "columns long, x may all be the lon; rename the right one to lon"),
        ("route,sequence,lon,lat", [], "the table holds no way-point of direction 0"),
        ("route,sequence,lon,lat", ["a,0,{0}", "a,one,{1}"], "sequence must be a finite number, got 'one' on line 3; mend the line"),
        ("route,sequence,lon,lat", ["a,0,nan,37.5"], "lon must be a finite number, got 'nan' on line 2; mend the line"),
        ("route,sequence,lon,lat", ["a,0"], "lon must be a finite number, got '' on line 2; mend the line"),
        ("route,sequence,lon,lat", ["a,0,37.5,127.0"], "way-points: latitude reaches 127 .* look swapped; put longitude first"),
        ("route,sequence,lon,lat", ["a,0,{0}", "a,1,126,37"], "lines.csv: route 'a': way-point 2 .* m from the nearest stop"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(tmp_path: Path, head: str, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_plan(table(tmp_path, head, *rows), RING)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "plan.geojson: not valid JSON in line 1, column 2"),
        ('{"type": "FeatureCollection", "features": []}', "with at least one LineString, .*; this file holds none"),
        ('{"type": "Feature"}', "route 'route 1' must be a LineString of .* got no geometry in feature 1"),
        (
            '{"type": "Feature", "properties": {"name": "N1"}, "geometry": {"type": "Point", "coordinates": [127, 37]}}',
            "route 'N1' must be a LineString of .* got Point in feature 1",
        ),
        (
            '{"type": "FeatureCollection", "features": [{"geometry": {"type": "LineString", "coordinates": [[37, 127], [37, 127]]}}]}',
            "route 'route 1': latitude reaches 127 and longitude 37, so the two axes look swapped; put longitude first",
        ),
    ],
)
def test_a_broken_geojson_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plan.geojson").write_text(text)
    with pytest.raises(DataError, match=message):
        read_plan(tmp_path / "plan.geojson", RING)


def test_a_file_with_a_link_the_network_lacks_is_refused(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.geojson", RING, plan_on_ring([0, 1, 2]))
    text = (tmp_path / "plan.geojson").read_text().replace("[0, 1, 2]", "[1, 3, 2]")
    (tmp_path / "plan.geojson").write_text(text)
    with pytest.raises(DataError, match=r"plan.geojson: route 'R1': no link leads from stop 1 to stop 3"):
        read_plan(tmp_path / "plan.geojson", RING)


def test_lines_that_share_a_name_are_refused_not_merged(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.geojson", RING, plan_on_ring([0, 1], [2, 3]))
    text = (tmp_path / "plan.geojson").read_text().replace("R2", "R1").replace(RING.fingerprint, "another")
    (tmp_path / "plan.geojson").write_text(text)
    with pytest.raises(DataError, match=r"route 'R1' has 2 lines, .*give each line a feature and a name of its own"):
        read_plan(tmp_path / "plan.geojson", RING)


def test_a_missing_or_cut_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.csv: no such file; name a plan as .geojson, .csv or .csv.gz"):
        read_plan(tmp_path / "absent.csv", RING)
    whole = table(tmp_path, "route,sequence,lon,lat", "a,0,{0}", "a,1,{1}", name="lines.csv.gz")
    whole.write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"lines.csv.gz: a plan must be UTF-8 text, plain or as whole gzip, got EOFError"):
        read_plan(whole, RING)


@pytest.mark.real
def test_the_published_night_lines_of_st_petersburg_are_read_whole() -> None:
    path = Path(__file__).parents[2] / "shared" / "cases" / "stpetersburg" / "night_lines.csv.gz"
    if not path.is_file():
        pytest.skip("needs ../shared/cases/stpetersburg/night_lines.csv.gz")
    rows = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=(4, 5))
    low, high = rows.min(axis=0), rows.max(axis=0)
    network = Network.from_lattice(HexGrid.cover([low, (high[0], low[1]), high, (low[0], high[1])], radius_m=1000), walk_m=1000)
    plan = read_plan(path, network)
    assert plan.n_routes == 21
    assert plan.names[0] == "L01"
    assert 300_000 < plan_measures(network, plan).total_length_m < 700_000
