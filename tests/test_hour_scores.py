"""Where link times differ by hour, every figure counts a trip by the times of the hour in which it begins."""

from __future__ import annotations

import numpy as np
import pytest

from owlbus import Demand, HexGrid, Network, Plan, Route, score_plan
from owlbus.evidence.difference import difference
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.network import with_hour_speeds
from owlbus.plan.limits import ServiceRule
from owlbus.search import Objective, Problem
from owlbus.search.polish import PublishedValue
from owlbus.timetable.rider_flows import find_riders

HOURS = (24, 25, 26)
RULE = ServiceRule(detour_factor=1.0, detour_s=400, transfer_s=300)
"""So tight that slow hours lose trips."""


@pytest.fixture(scope="module")
def network() -> Network:
    base = Network.from_lattice(HexGrid.cover([(0, 0), (0.08, 0), (0.08, 0.08), (0, 0.08)], n_hexes=60))
    rng = np.random.default_rng(5)
    start = np.repeat(np.arange(base.n_stops), np.diff(base.link_indptr))
    slow = rng.random(base.n_links) < 0.3
    rows = [(hour, start[k], base.link_to[k], base.link_s[k] * (4 if hour == 2 else 1)) for hour in (0, 2) for k in np.flatnonzero(slow)]
    hour, begin, end, seconds = (np.array(column) for column in zip(*rows, strict=True))
    table = {"hour": hour, "from_stop": begin.astype(str), "to_stop": end.astype(str), "seconds": seconds}
    return with_hour_speeds(base, table, HOURS)


@pytest.fixture(scope="module")
def demand() -> Demand:
    rng = np.random.default_rng(7)
    n = 600
    rows = {name: rng.integers(0, 60, n) for name in ("origin", "destination")}
    rows |= {"night": np.zeros(n, int), "hour": rng.choice(HOURS, n), "trips": rng.integers(1, 40, n) / 4}
    rows = {name: column[rows["origin"] != rows["destination"]] for name, column in rows.items()}
    people = {"night": np.zeros(60, int), "hour": rng.choice(HOURS, 60), "hex": np.arange(60), "presence": np.full(60, 3.0)}
    return Demand.from_rows(60, rows, people, hours=HOURS)


@pytest.fixture(scope="module")
def plan(network: Network) -> Plan:
    ends = ((0, 55), (7, 50), (20, 40))
    return Plan(tuple(Route(network.shortest_path(*pair), f"N{k}") for k, pair in enumerate(ends)), network.fingerprint)


def by_hour(network, demand, plan):
    """Scorecard of each hour on the network as it is then, which knows nothing of hours."""
    return [score_plan(network.at_hour(hour), demand.slice(hours=[hour]), plan, rule=RULE) for hour in HOURS]


def test_a_scorecard_is_the_sum_of_those_of_its_hours(network, demand, plan):
    card, parts = score_plan(network, demand, plan, rule=RULE), by_hour(network, demand, plan)
    for kind in ("served", "direct"):
        sums = [getattr(part.coverage, kind) for part in parts]
        whole = getattr(card.coverage, kind)
        assert whole.numerator == sum(measure.numerator for measure in sums)
        assert whole.denominator == sum(measure.denominator for measure in sums)
        hourly = [getattr(part, kind).numerator for part in card.by_hour.values()]
        assert hourly == [measure.numerator for measure in sums]
    served = [part.coverage.served.numerator for part in parts]
    assert card.mean_ride_s == pytest.approx(sum(part.mean_ride_s * n for part, n in zip(parts, served, strict=True)) / sum(served))
    for k, row in enumerate(card.routes):
        assert row.boardings_trips == pytest.approx(sum(part.routes[k].boardings_trips for part in parts))
        assert row.only_served_trips == pytest.approx(sum(part.routes[k].only_served_trips for part in parts))
    trips = [part.coverage.served.denominator for part in parts]
    assert card.mean_travel_s == pytest.approx(
        sum(part.mean_travel_s * n for part, n in zip(parts, trips, strict=True)) / sum(trips), rel=0.02
    )


def test_slow_hours_lose_trips_and_the_slowest_times_alone_tell_another_story(network, demand, plan):
    card = score_plan(network, demand, plan, rule=RULE)
    one_time = Network(
        **{name: getattr(network, name) for name in Network.__dataclass_fields__ if name not in {"_cache", "hours", "hour_link_s"}}
    )
    slowest = score_plan(one_time, demand, Plan(plan.routes, one_time.fingerprint), rule=RULE)
    assert card.coverage.served.numerator != slowest.coverage.served.numerator
    assert card.total_buses == slowest.total_buses, "the fleet is that of the slowest hour"


def test_all_that_counts_trips_counts_the_same(network, demand, plan):
    card = score_plan(network, demand, plan, rule=RULE)
    evaluator = PlanEvaluator.build(network, demand, RULE)
    counts = evaluator.evaluate(plan)
    assert evaluator.whole.trips.sum(counts.served_share) == card.coverage.served.numerator
    assert evaluator.served_by_night(counts).sum() == card.coverage.served.numerator
    for label, part in evaluator.hours.items():
        assert part.trips.sum(counts.served_share) == card.by_hour[label].served.numerator
    published = PublishedValue.build(Problem.build(network, demand, RULE), demand, Objective())
    assert published is not None
    assert published.of(plan) == card.coverage.served.numerator
    riders = find_riders(network, demand, plan, RULE)
    walked = card.coverage.served.numerator * 1024 - int(riders.trip_quanta.sum())
    assert 0 <= walked < len(HOURS) * 10
    for row, label in enumerate(card.by_hour):
        assert riders.trip_quanta[row].sum() / 1024 == pytest.approx(card.by_hour[label].served.numerator, abs=0.01)


def test_a_difference_of_plans_is_that_of_their_scorecards(network, demand, plan):
    fewer = Plan(plan.routes[:2], plan.network_fingerprint)
    evaluator = PlanEvaluator.build(network, demand, RULE)
    change = difference(evaluator, evaluator.evaluate(fewer), evaluator.evaluate(plan))
    cards = [score_plan(network, demand, each, rule=RULE).coverage.served.numerator for each in (fewer, plan)]
    assert change.whole.gained_trips - change.whole.lost_trips == pytest.approx(cards[1] - cards[0])


def test_threads_count_the_same_in_every_band(network, demand, plan):
    counter = PlanEvaluator.build(network, demand, RULE).counter
    assert [band.hours for band in counter.bands] == [(24, 25), (26,)], "hours 24 and 25 take as long"
    for alone, shared in zip(counter.served_shares(plan), counter.served_shares(plan, 2), strict=True):
        assert np.array_equal(alone, shared)


def test_trips_of_unknown_hours_take_the_longest_times(network, demand, plan):
    from dataclasses import replace

    unknown = replace(demand.slice(hours=[24]), hours=HOURS, hours_known=False)
    assert [band.hours for band in PlanEvaluator.build(network, unknown, RULE).counter.bands] == [()]
    assert score_plan(network, unknown, plan, rule=RULE).coverage.served.numerator > 0
