"""Searches that users shape: weights of trips, values of pairs, candidate routes, callbacks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city

from owlbus.common.errors import UsageError
from owlbus.demand import DemandWeights, weight_demand
from owlbus.plan import Route
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PairObjective, PlanConstraints, Problem, plan_routes
from owlbus.search.stopping import MaxSteps

SIDE = 6
N = SIDE * SIDE
LINKS = [(s, s + 1) for s in range(N) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(N - SIDE)]
ENDS = np.random.default_rng(5).integers(0, N, (2, 300))
TRIPS = {(int(a), int(b)): float(1 + (a + b) % 7) for a, b in ENDS.T if a != b}
NETWORK, DEMAND = city(N, LINKS, TRIPS, presence=dict.fromkeys(range(N), 5.0))
LIMITS = RouteLimits(**ANY_SHAPE, max_length_m=6 * LINK_M)
PROBLEM = Problem.build(NETWORK, DEMAND)
STEPS = [MaxSteps(3000)]


def search(n_routes=2, limits=LIMITS, **more: object):
    return plan_routes(NETWORK, DEMAND, n_routes, limits=limits, **({"stop_when": STEPS} | more))


# ---------------------------------------------------------------- weights
def test_weights_of_trips_multiply_and_people_keep_those_of_hexes():
    rng = np.random.default_rng(2)
    by_hex, by_origin, by_destination = rng.integers(0, 4, (3, N))
    by_pair = dict.fromkeys(list(TRIPS)[::5], 3.0)
    weighted = weight_demand(DEMAND, DemandWeights(by_hex, by_origin, by_destination, by_pair))
    pairs = weighted.od()
    found = dict(zip(zip(pairs.origin.tolist(), pairs.destination.tolist(), strict=True), pairs.trips.tolist(), strict=True))
    for (o, d), trips in TRIPS.items():
        weight = (by_hex[o] + by_hex[d]) / 2 * by_origin[o] * by_destination[d] * by_pair.get((o, d), 1.0)
        assert found.get((o, d), 0.0) == trips * weight
    assert weighted.presence_by_hex().tolist() == (5.0 * by_hex).tolist()
    assert weight_demand(DEMAND, by_hex).od().trips.tolist() == weight_demand(DEMAND, DemandWeights(by_hex)).od().trips.tolist()


def test_a_search_follows_weights_of_pairs_and_publishes_counts_of_trips():
    pair = max((pair for pair in TRIPS if TRIPS[pair] == 1.0), key=lambda pair: NETWORK.drive_s[pair[0], pair[1]])
    result = search(1, weights=DemandWeights(by_pair={pair: 1000.0}), limits=replace(LIMITS, max_length_m=10 * LINK_M))
    assert {pair[0], pair[1]} <= set(result.plan.routes[0].stops.tolist())
    assert result.value_quanta == PROBLEM.value(result.plan, result.objective), "without weights"
    assert result.weighted_share > result.share


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by_origin": [1.0] * 3}, "weights must hold one number a hex, got shape (3,) for 36 hexes"),
        ({"by_pair": {(0, 99): 2.0}}, "weights of pairs must name hexes in [0, 36), got (0, 99)"),
        ({"by_pair": {(0, 1): -2.0}}, "weights must lie in [0, 1000], got -2 for the pair (0, 1)"),
        ({"by_pair": {(0, 1): np.nan}}, "weights must lie in [0, 1000], got nan for the pair (0, 1)"),
        ({"by_hex": [1.0] * 36, "by_origin": [1.0] * 35}, "weights must be of as many hexes each, got 36 by_hex, 35 by_origin"),
    ],
)
def test_weights_that_are_none_are_refused(settings, message):
    with pytest.raises(UsageError) as error:
        search(weights=DemandWeights(**settings))
    assert message in str(error.value)


# ---------------------------------------------------------------- values of pairs
def test_trips_as_values_give_the_plan_that_serves_most_trips():
    plain = search()
    valued = search(objective=PairObjective(lambda _origin, _destination, trips: trips))
    assert valued.plan.equals(plain.plan)
    assert (valued.value_quanta, valued.weighted_share) == (plain.value_quanta, plain.share)


@pytest.mark.parametrize(("max_transfers", "name"), [(0, "direct"), (1, "served")])
def test_values_are_those_of_served_pairs(max_transfers, name):
    rng = np.random.default_rng(8)
    matrix = rng.random((N, N))
    result = search(3, objective=PairObjective(matrix, max_transfers), n_starts=1, bound_steps=3)
    pairs = DEMAND.od()
    values = matrix[pairs.origin, pairs.destination]
    served = 0.0
    for o, d, value in zip(pairs.origin.tolist(), pairs.destination.tolist(), values.tolist(), strict=True):
        one = Problem.build(NETWORK, city(N, LINKS, {(o, d): 1.0})[1])
        served += value * (one.value(result.plan, Objective.parse(name)) > 0)
    assert result.weighted_share == pytest.approx(served / values.sum(), abs=1e-6)
    assert result.weighted_bound_share >= result.weighted_share
    assert result.value_quanta == PROBLEM.value(result.plan, Objective.parse(name)), "counts of trips"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda _o, _d, t: -t, "values of an objective must be finite and >= 0, got -"),
        (lambda _o, _d, t: t.max(), "an objective must be a sum over served pairs, with one value for each of"),
        (lambda _o, _d, t: t * np.nan, "values of an objective must be finite and >= 0, got nan"),
        (lambda _o, _d, t: t * 0, "values of an objective must be above 0 for some pair"),
        (lambda _o, _d, _t: "much", "values of an objective must be numbers"),
        ([1.0, 2.0], "with one value for each of"),
    ],
)
def test_an_objective_that_is_no_sum_over_pairs_is_refused(values, message):
    with pytest.raises(UsageError) as error:
        search(objective=PairObjective(values))
    assert message in str(error.value)


def test_values_stand_alone():
    with pytest.raises(UsageError, match="values of pairs are the whole objective, so weights would not count"):
        search(objective=PairObjective(lambda _o, _d, t: t), weights=[1.0] * N)
    with pytest.raises(UsageError, match="max_transfers must be 0 or 1, got 2"):
        PairObjective([1.0], max_transfers=2)


@pytest.mark.parametrize("scale", [5e-324, 1e-9, 1.0, 1e12, 1e300])
def test_the_scale_of_values_changes_nothing(scale):
    one = search(1, objective=PairObjective(lambda _o, _d, t: (t > 3) * 1.0))
    other = search(1, objective=PairObjective(lambda _o, _d, t: (t > 3) * scale))
    assert one.plan.equals(other.plan)


# ---------------------------------------------------------------- candidates
GOOD = search(3, stop_when=[MaxSteps(20_000)], seed=7).plan


def test_a_search_takes_candidates_where_they_add_most():
    result = search(3, candidates=[GOOD, Route([0, 1], "short")], stop_when=[MaxSteps(3)], n_starts=1)
    assert result.value_quanta >= PROBLEM.value(GOOD, result.objective)
    without = search(3, stop_when=[MaxSteps(3)], n_starts=1)
    assert result.value_quanta > without.value_quanta, "else the test says nothing"


def test_candidates_are_taken_in_processes_as_in_threads():
    with ThreadPoolExecutor(2) as executor:
        result = search(3, candidates=GOOD.routes, stop_when=[MaxSteps(4)], n_starts=2, executor=executor)
    assert result.value_quanta >= PROBLEM.value(GOOD, result.objective)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ([Route([0, 1, 2, 3, 4, 5, 11, 17, 23], "long")], "got 1 that do not, first route 'long': length 8000 m is above 6000 m"),
        ([Route([0, 1, 0, 6], "twice")], "first route 'twice': stop 0 is passed 2 times"),
        ([Route([0, 1], "ahead", back=())], "first route 'ahead': it does not run back over its own stops"),
        ([Route([7, 8], "A"), Route([7, 13], "B")], "got 2 that do not, first route A passes stop 7, which is forbidden"),
        ([[0, 1, 2]], "candidates must be routes or plans, got list"),
    ],
)
def test_candidates_that_no_plan_can_have_are_refused(candidates, message):
    with pytest.raises(UsageError) as error:
        search(candidates=candidates, constraints=PlanConstraints(forbidden=(7,)))
    assert message in str(error.value)


def test_travel_time_takes_no_candidates():
    with pytest.raises(UsageError, match="a choice among candidate routes"):
        search(candidates=GOOD.routes, objective="travel_time")


# ---------------------------------------------------------------- callbacks
def test_callbacks_are_told_and_end_the_search_by_returning_true():
    seen, plans = [], []
    result = search(
        stop_when=[MaxSteps(10**7)],
        on_progress=lambda now: seen.append(now) or now.steps >= 16_000,
        on_gain=plans.append,
    )
    assert 16_000 <= result.steps < 60_000
    assert str(result.ended_by) == "a callback asked it to end"
    assert [now.steps for now in seen] == sorted({now.steps for now in seen})
    assert seen[-1].best_share == result.trace[-1].best_share
    assert PROBLEM.value(plans[-1], result.objective) >= PROBLEM.value(plans[0], result.objective)
    first = search(stop_when=[MaxSteps(10**7)], on_gain=lambda plan: len(plan) == 2, n_seeds=3)
    assert first.n_seeds == 1, "no further seed is searched"


@pytest.mark.parametrize("name", ["on_progress", "on_gain"])
def test_only_true_ends_a_search(name):
    assert search(**{name: lambda _: 1}).steps >= 3000


@pytest.mark.parametrize("name", ["on_progress", "on_gain"])
@pytest.mark.parametrize("threads", [0, 2])
def test_a_callback_that_raises_leaves_nothing_broken(name, threads):
    before = threading.active_count()

    def fail(_: object) -> None:
        msg = "of the user's own"
        raise RuntimeError(msg)

    with ThreadPoolExecutor(threads or 1) as executor, pytest.raises(RuntimeError, match="of the user's own"):
        search(**{name: fail}, executor=executor if threads else None, bound_steps=1000, n_starts=3)
    assert threading.active_count() == before
    assert search().plan.equals(search().plan)


def test_an_executor_tells_of_each_start():
    seen = []
    with ThreadPoolExecutor(1) as executor:
        result = search(executor=executor, n_starts=4, on_progress=lambda now: seen.append(now) or len(seen) == 2)
    assert len(seen) == 2
    assert result.steps == seen[-1].steps
    assert str(result.ended_by) == "a callback asked it to end"
