"""The scorecard: every measure on cities that a hand can check."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cities import LINK_M, city, slow_rides
from hypothesis import given, settings
from test_coverage import cases

from owlbus.common.errors import DataError
from owlbus.demand import Demand
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.score import Measure, score_plan, share_interval

if TYPE_CHECKING:
    from owlbus.search import Problem

CROSS = [(0, 1), (1, 2), (3, 1), (1, 4)]


def crossing():
    """Two lines that cross at stop 1: 0-1-2 and 3-1-4."""
    network, demand = city(6, CROSS, {(0, 2): 20.0, (0, 4): 40.0, (5, 0): 60.0}, presence={0: 30.0, 4: 50.0, 5: 20.0})
    return network, demand, Plan((Route([0, 1, 2], "A"), Route([3, 1, 4], "B")), network.fingerprint)


def test_shares_have_all_trips_and_all_people_below_the_line():
    network, demand, plan = crossing()
    card = score_plan(network, demand, plan)
    assert (card.coverage.served.numerator, card.coverage.served.denominator) == (60.0, 120.0)
    assert (card.coverage.direct.numerator, card.coverage.direct.denominator) == (20.0, 120.0)
    assert (card.coverage.presence.numerator, card.coverage.presence.denominator) == (80.0, 100.0)
    assert (card.served_share, card.direct_share, card.presence_share) == (0.5, 1 / 6, 0.8)


def test_hexes_within_the_walk_are_counted_unweighted_too():
    network, demand, plan = crossing()
    assert score_plan(network, demand, plan).hexes_share == 5 / 6


def test_a_transfer_that_is_not_allowed_serves_nothing():
    network, demand, plan = crossing()
    card = score_plan(network, demand, plan, rule=ServiceRule(max_transfers=0))
    assert (card.coverage.served.numerator, card.transfer_share) == (20.0, 0.0)


def test_riders_load_each_segment_they_ride():
    network, demand, plan = crossing()
    card = score_plan(network, demand, plan)
    loads = {(s.route, s.place): (s.ahead_trips, s.back_trips) for s in card.segments}
    assert loads == {("A", 0): (60.0, 0.0), ("A", 1): (20.0, 0.0), ("B", 0): (0.0, 0.0), ("B", 1): (40.0, 0.0)}
    assert [(r.boardings_trips, r.transfers_trips, r.max_load_trips) for r in card.routes] == [(60.0, 0.0, 60.0), (0.0, 40.0, 40.0)]
    assert (card.mean_ride_s, card.transfer_share) == (400.0, 40 / 60)


def test_a_route_is_credited_with_what_the_plan_would_lose_without_it():
    network, demand, plan = crossing()
    only = [(r.only_served_trips, r.only_presence) for r in score_plan(network, demand, plan).routes]
    assert only == [(60.0, 30.0), (40.0, 50.0)]


def test_two_routes_on_one_street_overlap_there():
    network, demand, _ = crossing()
    plan = Plan((Route([0, 1, 2], "A"), Route([2, 1, 4], "B")), network.fingerprint)
    card = score_plan(network, demand, plan)
    assert card.overlap_share == 0.5
    assert card.total_length_m == 4 * LINK_M


def test_an_empty_plan_scores_nothing():
    network, demand, _ = crossing()
    card = score_plan(network, demand, Plan((), network.fingerprint))
    assert (card.served_share, card.presence_share, card.total_buses, card.overlap_share) == (0.0, 0.0, 0, 0.0)


def test_hours_and_weekdays_and_groups_add_up_to_the_whole():
    network, demand, plan = crossing()
    nights = (dt.date(2013, 3, 8), dt.date(2013, 3, 9))
    rows = {
        "night": [0, 0, 1],
        "hour": [24, 25, 25],
        "origin": [0, 0, 5],
        "destination": [2, 4, 0],
        "trips": [32.0, 64.0, 128.0],
    }
    demand = Demand.from_rows(6, rows, nights=nights, grid=network.grid.fingerprint)
    card = score_plan(network, demand, plan, groups=["west", "west", "east", "east", "east", "far"])
    assert (card.by_hour["00"].served.numerator, card.by_hour["01"].served.numerator) == (16.0, 32.0)
    assert (card.by_weekday["fri"].served.numerator, card.by_weekday["sat"].served.denominator) == (96.0, 128.0)
    assert sum(part.served.denominator for part in card.by_group.values()) == card.coverage.served.denominator
    assert card.by_group["far"].served.share == 0.0


@given(cases())
@settings(max_examples=40, deadline=None)
def test_riders_take_their_fastest_ride_and_all_served_trips_are_carried(problem):
    problem, plan = problem
    best = slow_rides(problem, plan)
    network = problem.network
    trips = {(o, d): w for o, d, w in zip(*_pairs(problem), strict=True) if best.get((o, d), np.inf) <= _limit(problem, o, d)}
    rows = {"night": [0], "hour": [24], "origin": [0], "destination": [1], "trips": [0.0]}
    if trips:
        rows = {
            "night": [0] * len(trips),
            "hour": [24] * len(trips),
            "origin": [o for o, _ in trips],
            "destination": [d for _, d in trips],
            "trips": list(trips.values()),
        }
    demand = Demand.from_rows(network.grid.n_hexes, rows, grid=network.grid.fingerprint)
    card = score_plan(network, demand, plan, rule=problem.rule)
    total = sum(trips.values())
    assert card.coverage.served.numerator == total
    assert sum(route.boardings_trips for route in card.routes) == total
    seconds = sum(w * best[pair] for pair, w in trips.items())
    penalties = sum(route.transfers_trips for route in card.routes) * problem.rule.transfer_s
    assert card.mean_ride_s * total == pytest.approx(seconds - penalties)


def _pairs(problem: Problem):
    rows, columns = np.nonzero(problem.weight)
    return problem.hexes[rows], problem.hexes[columns], problem.weight[rows, columns] / 1024


def _limit(problem: Problem, o: int, d: int) -> float:
    return float(problem.limit_s[problem.row_of[o], problem.row_of[d]])


def test_small_counts_print_nothing():
    network, demand = city(3, [(0, 1)], {(0, 1): 14.0, (0, 2): 100.0}, presence={0: 15.0, 2: 100.0})
    card = score_plan(network, demand, Plan((Route([0, 1], "A"),), network.fingerprint)).to_dict()
    assert (card["served"]["share"], card["served"]["numerator"], card["served"]["denominator"]) == (0.0, 0, 105)
    assert card["presence"]["numerator"] == 15
    assert not re.search(r"(?<!\d)14\.0", json.dumps(card))


def test_the_json_is_the_same_for_the_same_plan():
    network, demand, plan = crossing()
    assert score_plan(network, demand, plan).to_json() == score_plan(network, demand, plan).to_json()
    assert json.loads(score_plan(network, demand, plan).to_json())["schema_version"] == 3


def test_groups_that_do_not_name_every_hex_are_refused():
    network, demand, plan = crossing()
    with pytest.raises(DataError, match=r"groups must name each of 6 hexes once, got shape \(2,\)"):
        score_plan(network, demand, plan, groups=["a", "b"])


@pytest.mark.parametrize("n_nights", [1, 2, 4])
def test_an_interval_needs_five_nights(n_nights):
    assert share_interval(np.arange(n_nights) + 1.0, np.full(n_nights, 8.0)) == (None, None)


def test_an_interval_widens_with_the_spread_between_nights():
    calm = share_interval(np.array([40.0, 41.0, 39.0, 40.0, 40.0]), np.full(5, 100.0))
    wild = share_interval(np.array([10.0, 70.0, 20.0, 60.0, 40.0]), np.full(5, 100.0))
    assert calm[0] < 0.4 < calm[1]
    assert wild[1] - wild[0] > 10 * (calm[1] - calm[0])


def test_a_measure_of_nothing_is_no_share():
    assert Measure(0.0, 0.0).share is None
