"""Values of plans and of changes for heuristics of one's own: those of the scorecard, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus import (
    DataError,
    Evaluator,
    InfeasibleError,
    MaxSteps,
    Objective,
    Plan,
    RideService,
    Route,
    RouteLimits,
    ServiceRule,
    UsageError,
    check_plan,
    plan_measures,
    plan_routes,
    score_plan,
)
from owlbus.search.problem import Problem
from owlbus.search.route_evaluator import RouteEvaluator

if TYPE_CHECKING:
    from owlbus import Demand, Network, Scorecard

    Town = tuple[Network, Demand, ServiceRule, np.random.Generator]

WIDE = RouteLimits(max_circuity=99.0, max_pair_circuity=99.0, allow_spurs=True)


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Random small city with overlapping walk sheds; some links take longer in one direction."""
    n = draw(st.integers(4, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    links = {(i, (i + 1) % n) for i in range(n)} | {tuple(rng.choice(n, 2, replace=False).tolist()) for _ in range(4)}
    both = sorted(links | {(b, a) for a, b in links})
    is_even = draw(st.booleans())
    times = {(a, b): int(rng.choice([60, 200, 350, 700])) for a, b in both}
    seconds = {(a, b): times[(min(a, b), max(a, b)) if is_even else (a, b)] for a, b in both}
    sheds = {stop: tuple(rng.integers(0, n, 2).tolist()) for stop in range(n)} if draw(st.booleans()) else None
    trips = {(int(o), int(d)): int(rng.integers(1, 9)) for o, d in rng.integers(0, n, (20, 2)) if o != d}
    people = {h: int(rng.integers(1, 9)) for h in range(n)}
    network, demand = city(n, links, trips or {(0, 1): 1}, seconds=seconds, sheds=sheds, presence=people)
    rule = ServiceRule(draw(st.sampled_from([1.0, 1.5, 2.0])), draw(st.sampled_from([0, 300])), 300, draw(st.integers(0, 1)))
    return network, demand, rule, rng


def walk(network: Network, rng: np.random.Generator, *, passes_twice: bool = False) -> list[int]:
    """Stops of a random walk over links, two at least."""
    stops = [int(rng.integers(network.n_stops))]
    for _ in range(rng.integers(1, 7)):
        onward = network.link_to[network.link_indptr[stops[-1]] : network.link_indptr[stops[-1] + 1]].tolist()
        onward = onward if passes_twice else [stop for stop in onward if stop not in stops]
        if not onward:
            break
        stops.append(int(rng.choice(onward)))
    return stops if len(stops) > 1 else walk(network, rng)


def any_route(network: Network, rng: np.random.Generator, name: str) -> Route:
    """Route that runs back over its own stops, or another way, or not at all."""
    stops = walk(network, rng, passes_twice=rng.random() < 0.3)
    kind = rng.random()
    return Route(stops, name, back=None if kind < 0.7 else () if kind < 0.85 else walk(network, rng))


def any_plan(network: Network, rng: np.random.Generator) -> Plan:
    return Plan(tuple(any_route(network, rng, f"R{k}") for k in range(rng.integers(1, 4))), network.fingerprint)


def counted(card: Scorecard, objective: str) -> float:
    """What a scorecard says of an objective."""
    values: dict[str, float] = {name: getattr(card.coverage, name).numerator for name in ("served", "direct", "presence")}
    if "=" in objective:
        return sum(int(weight) * values[name] for name, weight in (part.split("=") for part in objective.split(",")))
    return values[objective]


OBJECTIVES = ("served", "direct", "presence", "served=3,presence=2", "direct=1,presence=5")


@given(towns(), st.sampled_from(OBJECTIVES))
@settings(max_examples=80, deadline=None)
def test_values_are_those_of_scorecards_by_the_centre_to_the_last_bit(town: Town, objective: str) -> None:
    network, demand, rule, rng = town
    evaluator = Evaluator(network, demand, objective=objective, rule=rule)
    plans = [any_plan(network, rng) for _ in range(3)]
    expected = [counted(score_plan(network, demand, plan, rule=rule, count_by="centre"), objective) for plan in plans]
    assert [evaluator.value(plan) for plan in plans] == expected
    assert evaluator.values(plans, n_threads=2).tolist() == expected
    assert evaluator.share(plans[0]) * evaluator.total == pytest.approx(expected[0], rel=1e-12)
    assert all(evaluator.begin(plan).value == value for plan, value in zip(plans, expected, strict=True))


@given(towns(), st.sampled_from(OBJECTIVES))
@settings(max_examples=80, deadline=None)
def test_a_change_is_valued_as_the_changed_plan_counted_anew_whatever_was_accepted_before(town: Town, objective: str) -> None:
    network, demand, rule, rng = town
    evaluator = Evaluator(network, demand, objective=objective, rule=rule)
    working = evaluator.begin(any_plan(network, rng))
    for _ in range(6):
        k = int(rng.integers(working.n_routes + 1))
        courses = [walk(network, rng, passes_twice=rng.random() < 0.3) for _ in range(2)] + ([[]] if k < working.n_routes else [])
        before = working.plan
        for stops, trial in zip(courses, working.try_routes(k, courses), strict=True):
            routes = list(before.routes)
            routes[k : k + 1] = [Route(stops, routes[k].name if k < len(routes) else "new")] if stops else []
            plan = Plan(tuple(routes), network.fingerprint)
            card = score_plan(network, demand, plan, rule=rule, count_by="centre")
            assert trial.value == counted(card, objective)
            assert trial.gain == trial.value - working.value
            if stops:
                measures = plan_measures(network, plan)
                assert (trial.length_m, trial.cycle_s) == (measures.longer_length_m[k], measures.cycle_s[k])
        assert working.plan is before
        working.accept(trial)
        assert working.value == trial.value == evaluator.value(working.plan)


@given(towns())
@settings(max_examples=60, deadline=None)
def test_a_change_keeps_the_limits_where_the_checker_finds_none_broken_on_it_or_on_all_routes(town: Town) -> None:
    network, demand, rule, rng = town
    limits = RouteLimits(
        max_length_m=int(rng.integers(1, 6)) * 1000,
        max_circuity=float(rng.choice([1.0, 1.5, 99])),
        max_pair_circuity=float(rng.choice([1.0, 99])),
        allow_spurs=bool(rng.integers(2)),
        max_total_length_m=int(rng.integers(3, 9)) * 1000,
        max_buses=int(rng.integers(1, 5)),
        headway_s=600,
    )
    evaluator = Evaluator(network, demand, rule=rule, limits=limits)
    working = evaluator.begin(any_plan(network, rng))
    for _ in range(8):
        k = int(rng.integers(working.n_routes))
        stops = walk(network, rng, passes_twice=rng.random() < 0.3)
        trial = working.try_route(k, stops)
        name = working.plan.names[k]
        working.accept(trial)
        lines = evaluator.broken_limits(working.plan)
        assert lines == check_plan(network, working.plan, limits)
        assert trial.keeps_limits == (not any(line.startswith((f"route {name!r}:", "all routes:")) for line in lines)), lines


def small_town() -> tuple[Network, Demand]:
    return city(5, [(0, 1), (1, 2), (2, 3), (3, 4)], {(0, 4): 3, (1, 2): 2, (4, 0): 1}, presence={0: 2, 3: 5})


def line_of(network: Network, *stops: int) -> Plan:
    return Plan((Route(stops, "A"),), network.fingerprint)


def test_a_plan_grows_from_nothing_route_by_route() -> None:
    network, demand = small_town()
    working = Evaluator(network, demand).begin()
    assert (working.value, working.n_routes, len(working.plan)) == (0.0, 0, 0)
    for stops, value in (([1, 2], 2.0), ([2, 3, 4], 2.0), ([0, 1, 2], 6.0)):
        working.accept(working.try_route(working.n_routes, stops))
        assert working.value == value
    assert ",".join(working.plan.names) == "R1,R2,R3"
    working.accept(working.try_route(1, ()))
    assert (",".join(working.plan.names), working.value) == ("R1,R3", 2.0)


def test_a_course_longer_than_all_before_finds_room() -> None:
    n = 90
    network, demand = city(n, [(i, i + 1) for i in range(n - 1)], {(0, n - 1): 7, (3, 4): 1})
    working = Evaluator(network, demand).begin(line_of(network, 3, 4))
    assert working.try_route(0, range(n)).value == 8.0
    working.accept(working.try_route(0, range(n)))
    assert working.value == 8.0


def test_a_trial_from_before_a_change_is_refused() -> None:
    network, demand = small_town()
    working = Evaluator(network, demand).begin(line_of(network, 0, 1))
    old, new = working.try_routes(0, [[1, 2], [0, 1, 2]])
    working.accept(new)
    again = Evaluator(network, demand).begin(line_of(network, 0, 1))
    for plan in (working, again):
        with pytest.raises(UsageError, match=r"^a trial must be of the plan as it is now, got one of an earlier or another plan; try "):
            plan.accept(old)


@pytest.mark.parametrize(
    ("stops", "message"),
    [
        ([0, 2], r"^route 'tried': no link leads from stop 0 to stop 2 \(1 such gaps\); ride on links$"),
        ([0, 9], r"^route 'tried': stop indices must lie in \[0, 5\), got 9 \(1 such\); take stops of this network$"),
        ([0], r"^a route must be a row of at least 2 whole stop indices, or of none to leave it out, got int64 of shape \(1,\)$"),
        ([0.0, 1.0], r"^a route must be a row of at least 2 whole stop indices, or of none to leave it out, got float64 of shape \(2,\)$"),
    ],
)
def test_a_course_that_no_bus_can_run_is_refused(stops: list[int], message: str) -> None:
    network, demand = small_town()
    working = Evaluator(network, demand).begin(line_of(network, 0, 1))
    with pytest.raises(DataError, match=message):
        working.try_route(0, np.array(stops))
    assert working.try_route(0, [1, 2]).value == 2.0


def test_a_plan_of_another_network_and_a_row_that_is_none_are_refused() -> None:
    network, demand = small_town()
    evaluator = Evaluator(network, demand)
    with pytest.raises(DataError, match=r"^the plan was made for network 'other', this one is "):
        evaluator.value(Plan((Route([0, 1], "A"),), "other"))
    with pytest.raises(DataError, match=r"^route 'A': stop indices must lie in \[0, 5\), got 7 \(1 such\)"):
        evaluator.value(line_of(network, 0, 7))
    with pytest.raises(UsageError, match=r"^route_index must lie in \[0, 1\], got 2$"):
        evaluator.begin(line_of(network, 0, 1)).try_route(2, [0, 1])


def test_trips_carried_and_travel_time_are_counted_as_scorecards_do() -> None:
    network, demand = small_town()
    service, plan = RideService(fleet=2), line_of(network, 0, 1, 2, 3, 4)
    carried = Evaluator(network, demand, objective=Objective(carried=service))
    card = score_plan(network, demand, plan, service=service)
    assert card.carried is not None
    assert carried.value(plan) == card.carried.carried.numerator > 0
    assert carried.begin(line_of(network, 0, 1)).try_route(0, range(5)).value == carried.value(plan)
    timed = Evaluator(network, demand, objective="travel_time")
    saved_s = timed.value(plan)
    assert card.mean_travel_s == pytest.approx((timed.total - saved_s) / demand.total_trips)
    assert timed.begin(line_of(network, 0, 1)).try_route(0, range(5)).gain == saved_s - timed.value(line_of(network, 0, 1))


def test_a_fleet_that_cannot_run_a_plan_is_refused() -> None:
    network, demand = small_town()
    evaluator = Evaluator(network, demand, objective=Objective(carried=RideService(fleet=1, min_headway_s=60, max_headway_s=120)))
    with pytest.raises(InfeasibleError, match="takes 14 buses, got a fleet of 1"):
        evaluator.value(line_of(network, 0, 1, 2, 3, 4))


def test_without_limits_all_routes_keep_them() -> None:
    network, demand = small_town()
    evaluator = Evaluator(network, demand)
    trial = evaluator.begin(line_of(network, 0, 1)).try_route(0, [0, 1, 0, 1])
    assert trial.keeps_limits
    assert evaluator.broken_limits(line_of(network, 0, 1, 0, 1)) == ()
    assert not Evaluator(network, demand, limits=WIDE).begin(line_of(network, 0, 1)).try_route(0, [0, 1, 0, 1]).keeps_limits


@given(towns(), st.sampled_from(("served", "direct", "presence")))
@settings(max_examples=80, deadline=None)
def test_changes_that_commands_suggest_are_valued_beside_routes_that_run_one_way_too(town: Town, objective: str) -> None:
    network, demand, rule, rng = town
    problem, wanted = Problem.build(network, demand, rule), Objective.parse(objective)
    plan = any_plan(network, rng)
    evaluator = RouteEvaluator(problem, wanted, plan)
    for _ in range(4):
        k, stops = int(rng.integers(len(plan.routes))), walk(network, rng)
        routes = [*plan.routes[:k], Route(stops, plan.routes[k].name), *plan.routes[k + 1 :]]
        change = evaluator.candidate(k, np.array(stops, np.int32))
        assert change is not None
        assert change.value == problem.value(Plan(tuple(routes), network.fingerprint), wanted)


@given(towns())
@settings(max_examples=10, deadline=None)
def test_a_search_that_counts_by_the_centre_keeps_the_best_plan_of_its_trace(town: Town) -> None:
    network, demand, rule, _ = town
    more: dict[str, Any] = {"limits": WIDE, "rule": rule, "stop_when": [MaxSteps(400)], "n_starts": 3}
    found = plan_routes(network, demand, 2, count_by="centre", **more)
    assert found.share == max(point.best_share for point in found.trace)
    with pytest.raises(UsageError, match="count_by must be area or centre, got 'middle'"):
        plan_routes(network, demand, 2, count_by="middle", **more)  # type: ignore[arg-type]
