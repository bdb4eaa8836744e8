"""Exchange between routes, recombination of those met, and the bound beside a search."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import highspy
import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city

from owlbus.cli.app import run
from owlbus.common.errors import UsageError
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import (
    Objective,
    PlanConstraints,
    Problem,
    plan_routes,
    upper_bound,
)
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.bound import BoundProver
from owlbus.search.exact import best_of_listing, list_problem, listing_of
from owlbus.search.recombine import Pool, best_choice, exchange_tails, take_best_of
from owlbus.search.stopping import MaxSeconds, MaxSteps, TargetGap

if TYPE_CHECKING:
    from pathlib import Path

CROSS = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 2), (2, 7), (7, 8)]
"""Two lines of five stops that cross at stop 2: 0-1-2-3-4 and 5-6-2-7-8."""


def lattice(n=60, seed=3):
    """A city with demand everywhere."""
    rng = np.random.default_rng(seed)
    network, _ = city(n, [(0, 1)], {})
    near = [(a, int(b)) for a in range(n) for b in network.grid.neighbours[a] if b > a]
    pairs = {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in rng.integers(n, size=(500, 2)) if a != b}
    return city(n, near, pairs, presence={h: float(rng.integers(1, 9)) for h in range(n)})


def chain_of(network, demand, routes, limits, objective="served", n_routes=None):
    """A search that starts from routes."""
    problem = Problem.build(network, demand)
    chain = AnnealingRun(problem, Objective.parse(objective), limits, n_routes or len(routes), np.random.default_rng(1))
    chain.load(Plan(tuple(Route(stops, f"N{k}") for k, stops in enumerate(routes)), network.fingerprint))
    return chain


def test_two_routes_that_must_exchange_tails_do():
    network, demand = city(9, CROSS, {(0, 7): 5.0, (1, 8): 5.0, (5, 3): 5.0, (6, 4): 5.0})
    limits = RouteLimits(max_length_m=4 * LINK_M, **ANY_SHAPE)
    chain = chain_of(network, demand, [[0, 1, 2, 3, 4], [5, 6, 2, 7, 8]], limits, "direct")
    assert chain.value == 0
    assert sum(exchange_tails(chain, 1e-9) for _ in range(200))
    assert chain.best_value == chain.problem.total_value(chain.objective)
    ends = {frozenset((chain.route(k)[0], chain.route(k)[-1])) for k in range(2)}
    assert ends == {frozenset((0, 8)), frozenset((5, 4))}


def test_two_routes_merge_and_one_splits_where_that_serves_more():
    line = [(0, 1), (1, 2), (2, 3), (3, 4)]
    network, demand = city(5, line, {(0, 4): 9.0})
    merged = chain_of(network, demand, [[0, 1, 2], [2, 3, 4]], RouteLimits(), "direct")
    assert sum(exchange_tails(merged, 1e-9) for _ in range(200))
    assert max(merged.route(k).size for k in range(2)) == 5
    assert min(merged.route(k).size for k in range(2)) > 1, "the other is drawn anew"
    assert merged.best_value == merged.problem.total_value(merged.objective)
    split = chain_of(network, demand, [[0, 1, 2, 3, 4]], RouteLimits(), n_routes=2)
    assert any(exchange_tails(split, 1e9) for _ in range(200)), "hot enough to take any"
    a, b = sorted((split.route(k).tolist() for k in range(2)), key=lambda stops: stops[0])
    assert a[-1] == b[0]
    assert a + b[1:] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("objective", ["served", "direct", "presence", "served=3,presence=1"])
def test_what_exchanges_count_is_what_the_plan_is_worth_and_limits_hold(objective):
    network, demand = lattice()
    limits = RouteLimits(max_length_m=9_000, max_buses=9, headway_s=1_800, max_circuity=3.0, max_pair_circuity=99.0, allow_spurs=True)
    problem = Problem.build(network, demand)
    chain = AnnealingRun(problem, Objective.parse(objective), limits, 5, np.random.default_rng(2))
    for k in range(4):
        chain.construct(k)
    changes = sum(exchange_tails(chain, 1e9) for _ in range(150))
    assert changes > 3
    routes = tuple(Route(chain.route(k), f"N{k}") for k in range(5) if chain.route(k).size)
    plan = Plan(routes, network.fingerprint)
    assert chain.value == problem.value(plan, chain.objective)
    assert chain.best_value == problem.value(chain.best_plan(), chain.objective)
    assert check_plan(network, plan, limits) == ()
    assert check_plan(network, chain.best_plan(), limits) == ()


def test_fixed_routes_are_not_exchanged():
    network, demand = city(9, CROSS, {(0, 7): 5.0})
    chain = chain_of(network, demand, [[0, 1, 2, 3, 4], [5, 6, 2, 7, 8]], RouteLimits(**ANY_SHAPE))
    chain.frozen[0] = True
    assert not any(exchange_tails(chain, 1e9) for _ in range(100))


def test_a_route_of_the_pool_takes_the_place_of_a_worse_one_only_within_the_limits():
    network, demand = city(9, CROSS, {(0, 4): 5.0, (5, 8): 3.0})
    better = np.array([0, 1, 2, 3, 4], np.int32)
    pool = Pool()
    pool.add([better])
    free = chain_of(network, demand, [[0, 1]], RouteLimits(**ANY_SHAPE))
    take_best_of(free, pool.routes, most=0)
    assert free.route(0).tolist() == [0, 1], "no route may be valued"
    take_best_of(free, pool.routes)
    assert free.route(0).tolist() == better.tolist()
    assert free.best_value == free.problem.value(free.best_plan(), free.objective) > 0
    tight = chain_of(network, demand, [[0, 1]], RouteLimits(max_length_m=3_999, **ANY_SHAPE))
    take_best_of(tight, pool.routes)
    assert tight.route(0).tolist() == [0, 1]


def test_a_pool_keeps_each_route_once_and_drops_the_oldest():
    pool = Pool(2)
    pool.add(np.array(stops, np.int32) for stops in ([0, 1], [1, 2], [2, 1], [3, 4]))
    assert [stops.tolist() for stops in pool.routes] == [[2, 1], [3, 4]]


@pytest.mark.parametrize("objective", ["direct", "presence", "direct=2,presence=1"])
def test_the_best_choice_of_a_pool_is_the_best_of_all_choices(objective):
    from itertools import combinations

    network, demand = lattice(40, seed=8)
    problem, goal, limits = Problem.build(network, demand), Objective.parse(objective), RouteLimits(**ANY_SHAPE, max_buses=4)
    rng = np.random.default_rng(4)
    routes = []
    while len(routes) < 9:
        stops = [int(rng.integers(40))]
        while len(stops) < 7:
            near = [int(b) for b in network.grid.neighbours[stops[-1]] if b >= 0 and b not in stops]
            if not near:
                break
            stops.append(int(rng.choice(near)))
        routes.append(np.array(stops, np.int32))
    pool = Pool()
    pool.add(routes)
    plans = [
        Plan(tuple(Route(stops, f"N{k}") for k, stops in enumerate(chosen)), network.fingerprint) for chosen in combinations(pool.routes, 3)
    ]
    plans = [plan for plan in plans if not check_plan(network, plan, limits)]
    found = best_choice(problem, goal, limits, 3, pool, plans[0])
    assert problem.value(found, goal) == max(problem.value(plan, goal) for plan in plans)
    listing = listing_of(problem, goal, limits, pool.routes)
    assert best_of_listing(listing, 3, limits).bound_quanta == problem.value(found, goal)


def test_without_transfers_a_small_city_is_solved_and_proven():
    network, demand = city(9, CROSS, {(0, 7): 5.0, (1, 8): 5.0, (5, 3): 5.0, (6, 4): 5.0, (0, 4): 1.0})
    limits = RouteLimits(max_length_m=4 * LINK_M, **ANY_SHAPE)
    found = plan_routes(network, demand, 2, limits=limits, objective="direct", stop_when=[MaxSteps(2_000)], bound_steps=1)
    assert found.gap == 0
    assert found.value_quanta == 20 * 1024


def test_another_use_of_the_solver_in_the_process_changes_nothing():
    """A notebook may have run it on two threads; the solver keeps their number and refuses another."""
    highspy.Highs.resetGlobalScheduler(True)  # noqa: FBT003 -- the solver takes no names
    other = highspy.Highs()
    for option, value in {"output_flag": False, "threads": 2}.items():
        other.setOptionValue(option, value)
    other.addCol(-1.0, 0.0, 1.5, 0, [], [])
    other.changeColIntegrality(0, highspy.HighsVarType.kInteger)
    assert other.run() == highspy.HighsStatus.kOk
    network, demand = city(9, CROSS, {(0, 7): 5.0, (1, 8): 5.0})
    problem, objective, limits = Problem.build(network, demand), Objective.parse("direct"), RouteLimits(**ANY_SHAPE)
    best = best_of_listing(list_problem(problem, objective, limits), 2, limits)
    assert best.bound_quanta == 10 * 1024
    assert len(best.routes) in {1, 2}


def test_the_solver_prints_nothing(capfd):
    network, demand = city(9, CROSS, {(0, 7): 5.0, (1, 8): 5.0})
    plan_routes(network, demand, 2, objective="direct", stop_when=[MaxSteps(2_000)], bound_steps=1)
    assert capfd.readouterr() == ("", "")


def test_a_result_has_its_bound_and_gap_and_no_plan_above_it():
    network, demand = lattice()
    limits = RouteLimits(max_buses=6, headway_s=1_800)
    runs = [plan_routes(network, demand, 2, limits=limits, stop_when=[MaxSteps(4_000)], bound_steps=steps) for steps in (0, 25, 25)]
    without, found, again = runs
    assert (without.bound_share, without.gap) == (None, None)
    assert without.plan.equals(found.plan), "the bound leaves the search alone"
    assert found.bound_quanta == again.bound_quanta
    assert found.bound_quanta == upper_bound(Problem.build(network, demand), 2, limits=limits, steps=25, seconds=1e9).bound_quanta
    assert found.share <= found.bound_share < 1
    assert found.gap == found.bound_quanta / found.value_quanta - 1
    assert all(later.bound_share <= earlier.bound_share for earlier, later in pairwise(found.trace))
    assert found.trace[-1].bound_share == found.bound_share


def test_the_bound_holds_for_fixed_routes_that_break_the_limits_of_a_route():
    line = [(i, i + 1) for i in range(5)]
    network, demand = city(6, line, {(0, 5): 9.0, (1, 2): 1.0})
    whole = Plan((Route([0, 1, 2, 3, 4, 5], "old"),), network.fingerprint)
    limits = RouteLimits(max_length_m=1_000, max_ride_s=200, max_stops=2)
    found = plan_routes(
        network, demand, 1, limits=limits, constraints=PlanConstraints(fixed=whole), stop_when=[MaxSteps(100)], bound_steps=3
    )
    assert found.share == 1.0
    assert found.bound_quanta >= found.value_quanta


def test_a_search_ends_at_its_target_gap():
    network, demand = lattice()
    ends = [MaxSeconds(60), TargetGap(3.0)]
    found = plan_routes(network, demand, 2, limits=RouteLimits(max_buses=6, headway_s=1_800), stop_when=ends)
    assert str(found.ended_by).endswith("% above the plan, and 300% was asked for")
    assert found.gap <= 3.0
    assert found.elapsed_s < 60


def test_a_search_does_not_end_at_a_gap_to_a_bound_that_is_not_known_yet(monkeypatch: pytest.MonkeyPatch):
    prove = BoundProver._prove

    def prove_late(*arguments: object) -> None:
        time.sleep(1.0)
        prove(*arguments)

    monkeypatch.setattr(BoundProver, "_prove", prove_late)
    network, demand = lattice()
    ends = [MaxSeconds(60), TargetGap(3.0)]
    found = plan_routes(network, demand, 2, limits=RouteLimits(max_buses=6, headway_s=1_800), stop_when=ends)
    assert found.bound_quanta is not None
    assert found.gap <= 3.0
    assert found.trace[-1].bound_share == found.bound_share


def test_a_bound_of_less_than_no_price_is_refused():
    network, demand = lattice()
    with pytest.raises(UsageError, match=r"bound_steps must lie in \[0, 2147483647\], got -1"):
        plan_routes(network, demand, 2, bound_steps=-1)


def test_the_command_line_proves_a_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    times = [f"2024-03-0{1 + k % 5}T00:{k % 60:02d}:00" for k in range(400)]
    places = rng.uniform(0, 0.05, (400, 4)).round(5).tolist()
    rows = [",".join(map(str, [time, time.replace("T00", "T01"), *place])) for time, place in zip(times, places, strict=True)]
    (tmp_path / "taxi.csv").write_text("\n".join(["pickup_time,dropoff_time,origin_lon,origin_lat,destination_lon,destination_lat", *rows]))
    out = tmp_path / "run"
    words = ["plan", str(tmp_path / "taxi.csv"), "--routes", "2", "--fleet", "4", "--steps", "2000", "--bound", "10", "--out", str(out)]
    words += ["--agency-timezone", "Africa/Accra"]  # the places lie at sea
    assert run([*words, "--json", "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["objective_share"] <= told["bound_share"] <= 1
    assert told["gap"] == pytest.approx(told["bound_share"] / told["objective_share"] - 1, abs=1e-3)
    assert json.loads((out / "run.json").read_text())["bound_share"] == told["bound_share"]
    assert run([*words, "--target-gap", "-1"]) == 2
    assert "--target-gap must lie in [0, 1e+09], got -1" in capsys.readouterr().err
