"""Figures by the points of hexes, against a slow twin that tries every pair of points."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st
from test_coverage import cases

from owlbus.common.errors import DataError, UsageError
from owlbus.demand import Demand
from owlbus.evidence import PlanEvaluator, difference
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.network.walk_sheds import WalkPoints, sample_points
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.score import score_plan
from owlbus.search import Objective, PointCounter, Problem

MAX_EXAMPLES = 60
PER_HEX = 4


@st.composite
def directed_cases(draw):
    """A tiny city, and a plan whose routes run there and back, one way, around, or back over the stops of another one."""
    problem, plan = draw(cases())
    routes = []
    for route in plan.routes:
        first, last = int(route.stops[0]), int(route.stops[-1])
        row = slice(*problem.network.link_indptr[last : last + 2].tolist())
        closes = route.n_stops > 2 and first in problem.network.link_to[row]
        stops = [*route.stops, route.stops[0]] if closes and draw(st.booleans()) else route.stops
        back = draw(st.sampled_from([None, [], draw(st.sampled_from(plan.routes)).stops])) if len(stops) == route.n_stops else []
        routes.append(Route(stops, route.name, back))
    return problem, Plan(tuple(routes), plan.network_fingerprint)


@st.composite
def cut_cases(draw):
    """A tiny city whose hexes have four points, and two plans on it."""
    problem, plan = draw(directed_cases())
    network, n = problem.network, problem.network.grid.n_hexes
    rows = [sorted(draw(st.sets(st.integers(0, PER_HEX * n - 1), max_size=6))) for _ in range(n)]
    metres = [draw(st.integers(0, 500)) for row in rows for _ in row]
    points = WalkPoints(np.cumsum([0, *map(len, rows)]), np.concatenate(rows), metres, PER_HEX, "share of four points")
    cut = replace(network, points=points)
    origin, destination, quanta = problem.trips
    demand = Demand(n, origin=problem.hexes[origin], destination=problem.hexes[destination], trips=quanta / 1024)
    kept = [route for route in plan.routes if draw(st.booleans())]
    return cut, demand, problem.rule, plan, Plan(tuple(kept), network.fingerprint)


def slow_journeys(network, plan, rule):
    """Seconds of every ride between two stops, without and with at most one transfer; riders change where two calls are at one stop."""
    seconds = []
    for way in (way.tolist() for route in plan.routes for way in route.ways):
        along = np.cumsum([0, *(network.link(a, b)[0] for a, b in pairwise(way))])
        rides = {}
        for p, q in combinations_with_replacement(range(len(way)), 2):
            rides[way[p], way[q]] = min(rides.get((way[p], way[q]), np.inf), along[q] - along[p])
        seconds.append(rides)
    direct, best = {}, {}
    for rides in seconds:
        for pair, ride in rides.items():
            direct[pair] = min(direct.get(pair, np.inf), ride)
    best |= direct
    for first, second in product(seconds, repeat=2) if rule.max_transfers else ():
        for (u, t), (s, v) in product(first, second):
            if t == s:
                best[u, v] = min(best.get((u, v), np.inf), first[u, t] + rule.transfer_s + second[s, v])
    return direct, best


def slow_rides(network, plan, rule, which):
    """Fastest ride between all pairs of points, infinite where there is none."""
    journeys = slow_journeys(network, plan, rule)[which]
    near = [set() for _ in range(network.grid.n_hexes * PER_HEX)]
    for stop in range(network.n_stops):
        for i in network.points.point[network.points.indptr[stop] : network.points.indptr[stop + 1]]:
            near[i].add(stop)
    ride = np.full((len(near), len(near)), np.inf)
    for i, j in product(range(len(near)), repeat=2):
        ride[i, j] = min((journeys.get((u, v), np.inf) for u in near[i] for v in near[j]), default=np.inf)
    n = network.grid.n_hexes
    return ride.reshape(n, PER_HEX, n, PER_HEX).transpose(0, 2, 1, 3)


@given(cut_cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_classes_of_points_count_what_all_pairs_of_points_count(drawn):
    network, demand, rule, plan, _ = drawn
    counter = PointCounter.build(Problem.build(network, demand, rule), demand)
    counts = counter.count(plan)
    limit = counter.bands[0].pairs.limit_s[:, None, None]
    for which, share in enumerate((counts.direct_share, counts.served_share)):
        ride = slow_rides(network, plan, rule, which)[demand.origin, demand.destination]
        assert share.tolist() == (ride <= limit).mean(axis=(1, 2)).tolist()
        assert counter.served_share(plan, which).tolist() == share.tolist()


@given(cut_cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_hexes_of_more_points_than_a_word_has_bits_count_alike(drawn):
    network, demand, rule, plan, _ = drawn
    coarse, n = network.points, 32
    point = (coarse.point[:, None].astype(np.int64) * n + np.arange(n)).reshape(-1)
    points = WalkPoints(coarse.indptr * n, point, np.repeat(coarse.walk_m, n), PER_HEX * n, coarse.rule)
    shares = [
        PointCounter.build(Problem.build(cut, demand, rule), demand).served_shares(plan)
        for cut in (network, replace(network, points=points))
    ]
    assert np.array_equal(shares[0], shares[1])


@given(cut_cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_changes_between_two_plans_are_those_of_every_pair_of_points(drawn):
    network, demand, rule, plan, other = drawn
    counter = PointCounter.build(Problem.build(network, demand, rule), demand)
    changes = counter.changes(plan, other)
    limit = counter.bands[0].pairs.limit_s[:, None, None]
    pairs = demand.origin, demand.destination
    had, has = (slow_rides(network, each, rule, 1)[pairs] for each in (plan, other))
    direct_had, direct_has = (slow_rides(network, each, rule, 0)[pairs] <= limit for each in (plan, other))
    served_had, served_has = had <= limit, has <= limit
    both = served_had & served_has
    with np.errstate(invalid="ignore"):
        later = np.where(both, has - had, 0.0)
    expected = {
        "gained": served_has & ~served_had,
        "lost": served_had & ~served_has,
        "gained_direct": direct_has & ~direct_had,
        "lost_direct": direct_had & ~direct_has,
        "now_transfer": both & direct_had & ~direct_has,
        "now_direct": both & direct_has & ~direct_had,
        "slower": later > 0,
        "faster": later < 0,
        "slower_s": np.maximum(later, 0),
        "faster_s": np.maximum(-later, 0),
    }
    for name, points in expected.items():
        assert getattr(changes, name).tolist() == points.mean(axis=(1, 2)).tolist(), name


@given(cut_cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_all_served_trips_ride_and_a_route_is_credited_with_what_only_it_serves(drawn):
    network, demand, rule, plan, _ = drawn
    counter = PointCounter.build(Problem.build(network, demand, rule), demand)
    served = float(demand.trips @ counter.count(plan).served_share)
    flows = counter.flows(plan, [(np.arange(demand.trips.size), demand.trips)], by_route=True)
    assert flows.riders_trips[0] == served
    assert flows.boardings_trips[0, :, 0].sum() == served
    assert flows.boardings_trips[0, :, 1].sum() == flows.transfers_trips[0]
    for k in range(len(plan)):
        others = Plan(plan.routes[:k] + plan.routes[k + 1 :], network.fingerprint)
        assert flows.only_served_trips[k] == served - demand.trips @ counter.count(others).served_share


@given(directed_cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_by_the_centre_the_scorecard_counts_what_the_search_counts(drawn):
    problem, plan = drawn
    origin, destination, quanta = problem.trips
    demand = Demand(problem.network.grid.n_hexes, origin=problem.hexes[origin], destination=problem.hexes[destination], trips=quanta / 1024)
    card = score_plan(problem.network, demand, plan, rule=problem.rule, count_by="centre")
    assert card.coverage.served.numerator == problem.value(plan, Objective()) / 1024
    assert card.coverage.direct.numerator == problem.value(plan, Objective(max_transfers=0)) / 1024


@given(cut_cases())
@settings(max_examples=MAX_EXAMPLES, deadline=None)
def test_a_difference_by_area_equals_two_scorecards_to_the_last_bit(drawn):
    network, demand, rule, plan, other = drawn
    evaluator = PlanEvaluator.build(network, demand, rule)
    change = difference(evaluator, evaluator.evaluate(plan), evaluator.evaluate(other))
    before, after = (score_plan(network, demand, each, rule=rule).coverage for each in (plan, other))
    assert change.whole.net_trips == after.served.numerator - before.served.numerator
    assert change.whole.net_presence == after.presence.numerator - before.presence.numerator
    assert change.gained_direct_trips - change.lost_direct_trips == after.direct.numerator - before.direct.numerator


def test_the_points_of_a_hex_lie_in_it_around_its_centre():
    grid = HexGrid.cover([(126.9, 37.5), (127.0, 37.5), (127.0, 37.6), (126.9, 37.6)])
    points = sample_points(grid)
    lon, lat = grid.unproject(points[:, 0], points[:, 1])
    assert (grid.lonlat_to_hex(lon, lat) == np.repeat(np.arange(grid.n_hexes), 64)).all()
    assert np.allclose(points.reshape(-1, 64, 2).mean(axis=1), np.stack([grid.x_m, grid.y_m], axis=1), atol=15)


def test_the_points_of_all_hexes_are_one_lattice():
    from scipy.spatial import cKDTree

    grid = HexGrid.cover([(126.9, 37.5), (127.0, 37.5), (127.0, 37.6), (126.9, 37.6)])
    points = sample_points(grid)
    nearest, _ = cKDTree(points).query(points, k=2)
    assert np.allclose(nearest[:, 1], 500 * np.sqrt(3) / 8, atol=1e-6)


def test_the_points_of_an_h3_cell_lie_in_it():
    grid = HexGrid.from_h3([(126.9, 37.5), (126.95, 37.5), (126.95, 37.55), (126.9, 37.55)])
    points = sample_points(grid)
    lon, lat = grid.unproject(points[:, 0], points[:, 1])
    assert (grid.lonlat_to_hex(lon, lat) == np.repeat(np.arange(grid.n_hexes), 64)).all()


def _one_stop(walk_m):
    """A street of 20 hexes, each with a stop at its centre."""
    grid = HexGrid.cover([(126.9, 37.5), (127.0, 37.5), (127.0, 37.51), (126.9, 37.51)], n_hexes=20)
    return Network.from_lattice(grid, walk_m=walk_m)


@pytest.mark.parametrize("walk_m", [150, 300, 433])
def test_a_stop_within_a_hex_reaches_the_share_of_a_circle(walk_m):
    network = _one_stop(walk_m)
    demand = Demand(20, origin=[0], destination=[1], trips=[1.0])
    counter = PointCounter.build(Problem.build(network, demand), demand)
    exact = np.pi * walk_m**2 / (1.5 * np.sqrt(3) * 500**2)
    assert counter.reached_by_stop(0).sum() == pytest.approx(exact, abs=0.03)


def test_people_count_by_the_share_of_their_hex_and_by_the_centre_whole():
    network, demand = (
        _one_stop(300),
        Demand.from_rows(
            20,
            {"night": [0], "hour": [24], "origin": [0], "destination": [1], "trips": [8.0]},
            {"night": [0, 0], "hour": [24, 24], "hex": [0, 1], "presence": [64.0, 64.0]},
        ),
    )
    plan = Plan((Route(network.shortest_path(0, 1), "N1"),), network.fingerprint)
    area, centre = (score_plan(network, demand, plan, count_by=by) for by in ("area", "centre"))
    near = PointCounter.build(Problem.build(network, demand), demand).count(plan).reached_share
    assert centre.presence_share == 1.0
    assert centre.served_share == 1.0
    assert area.presence_share == (near[0] + near[1]) / 2
    assert area.served_share == near[0] * near[1]
    assert area.walk_rule == "share of the hex's area within 300 m, straight line"
    assert centre.walk_rule == "centre of the hex within 300 m, straight line"


def test_a_hex_whose_centre_no_stop_reaches_counts_by_its_rim():
    grid = HexGrid.cover([(0, 0), (0.03, 0), (0.03, 0.03), (0, 0.03)], n_hexes=12)
    network = Network.from_lattice(grid, walk_m=600)
    plan = Plan((Route(network.shortest_path(1, 11), "N1"),), network.fingerprint)
    demand = Demand(12, origin=[0], destination=[11], trips=[1024.0])
    share = PointCounter.build(Problem.build(network, demand), demand).count(plan).reached_share
    assert 0 < share[0] < 0.5
    assert 0 < score_plan(network, demand, plan).served_share <= share[0]
    assert score_plan(network, demand, plan, count_by="centre").served_share == 0


def test_a_network_made_by_hand_counts_hexes_whole():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 20.0})
    plan = Plan((Route([0, 1, 2], "N1"),), network.fingerprint)
    card = score_plan(network, demand, plan)
    assert card.served_share == 1.0
    assert card.walk_rule == network.walk_rule


def test_points_survive_a_file(tmp_path):
    network = _one_stop(400)
    network.write(tmp_path / "network.parquet")
    again = Network.read(tmp_path / "network.parquet")
    assert again.fingerprint == network.fingerprint
    assert (again.points.n_points, again.points.rule) == (64, network.points.rule)
    for name in ("indptr", "point", "walk_m"):
        assert (getattr(again.points, name) == getattr(network.points, name)).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_points": 3}, "n_points must be a power of 2, got 3"),
        ({"point": [0, 99_999], "walk_m": [1, 1]}, "points must lie in"),
        ({"point": [5, 5], "walk_m": [1, 1]}, "unique and ascending"),
        ({"point": [4, 5], "walk_m": [1, -1]}, "walks must be 0 m or more"),
        ({"point": [4, 5], "walk_m": [1]}, "need as many metres"),
    ],
)
def test_points_that_mean_nothing_are_refused(changed, message):
    network, _ = city(3, [(0, 1), (1, 2)], {(0, 2): 20.0})
    points = WalkPoints([0, 2, 2, 2], [0, 1], [10, 20], 4, "share of four points")._replace(**changed)
    with pytest.raises(DataError, match=message):
        replace(network, points=points)


def test_counting_by_anything_else_is_refused():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 20.0})
    with pytest.raises(UsageError, match="count_by must be area or centre, got 'parts'"):
        score_plan(network, demand, Plan((), network.fingerprint), rule=ServiceRule(), count_by="parts")
