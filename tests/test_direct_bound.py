"""The bound on trips without a transfer holds against every plan of tiny towns, and walks that it learns earn what they are said to."""

from __future__ import annotations

import numpy as np
import pytest
from cities import city

from owlbus.kernels.arm_multipliers import open_worth
from owlbus.kernels.bound_multipliers import dearest_mix
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search import Objective, Problem, arms_problem, bound, upper_bound
from owlbus.search.arms_problem import ArmsProblem
from owlbus.search.bound import Bounder
from owlbus.search.bound_problem import BoundProblem
from owlbus.search.direct_bound import ArmsBound, first_multipliers
from owlbus.search.exact import best_of_listing, list_problem
from owlbus.search.route_pricing import budgets

STEPS = 6


def town(seed):
    """A town of 6 to 10 stops with its limits, routes and objective; links may differ by direction and sheds may hold several hexes."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 11))
    x = rng.random((n, 2))
    near = np.argsort(((x[:, None] - x) ** 2).sum(2), axis=1)[:, 1:3]
    links = {(min(a, int(b)), max(a, int(b))) for a in range(n) for b in near[a]} | {(i, i + 1) for i in range(n - 1) if rng.random() < 0.4}
    is_same = rng.random() < 0.5
    seconds = {}
    for a, b in links:
        seconds[a, b] = int(rng.choice([100, 200, 200, 430]))
        seconds[b, a] = seconds[a, b] if is_same else int(rng.choice([100, 200, 200, 430]))
    sheds = {s: tuple(rng.integers(n, size=rng.integers(0, 3)).tolist()) for s in range(n)} if rng.random() < 0.6 else None
    pairs = {(int(a), int(b)): int(rng.integers(1, 9)) for a, b in rng.integers(n, size=(40, 2)) if a != b}
    network, demand = city(n, links, pairs, seconds=seconds, sheds=sheds, presence={h: int(rng.integers(1, 20)) for h in range(n)})
    rule = ServiceRule(float(rng.choice([1.0, 1.3, 2.0])), int(rng.choice([0, 150, 600])), 300, 0)
    limits = RouteLimits(
        max_length_m=float(rng.choice([3000, 5000, 45_000])),
        max_ride_s=float(rng.choice([500, 900, 14_400])),
        max_circuity=float(rng.choice([1.6, 100])),
        max_pair_circuity=float(rng.choice([1.0, 1.22, np.inf])),
        allow_spurs=bool(rng.random() < 0.8),
        max_stops=int(rng.choice([3, 5, 200])),
        max_total_length_m=float(rng.choice([6000, np.inf, np.inf])),
        max_buses=float(rng.choice([2, 4, 6, np.inf])),
        headway_s=int(rng.choice([300, 700])),
    )
    objective = Objective(int(rng.integers(1, 3)), int(rng.choice([0, 0, 1])), 0)
    return Problem.build(network, demand, rule), limits, int(rng.integers(1, 4)), objective


def gaps(seed, steps=STEPS):
    """Bounds of all iterations less the best plan, in 1/1024, for each resource; None where routes are too many to list."""
    problem, limits, n_routes, objective = town(seed)
    listing = list_problem(problem, objective, limits)
    if listing is None:
        return None
    best = best_of_listing(listing, n_routes, limits).bound_quanta
    ends = Bounder(BoundProblem.of_problem(problem, objective), n_routes, limits)
    for _ in range(5):
        ends.step()
    found = []
    for budget in budgets(problem.graph, n_routes, limits):
        arms = ArmsProblem.build(problem, objective, limits, budget)
        bound = ArmsBound(arms, first_multipliers(arms, ends._demand, ends._point.split, ends._point.hex_multiplier))
        found += [np.floor(bound.step() * (1 + 1e-9) + 1e-9) - best for _ in range(steps)]
    return best, found


@pytest.mark.parametrize("seed", [*range(13), 88])  # town 12 needs directions apart, 88 a longer ride to a hex of several stops
def test_no_plan_of_a_small_town_is_worth_more(seed):
    found = gaps(seed)
    assert found is None or min(found[1]) >= 0


@pytest.mark.parametrize("seed", range(12))
def test_what_a_learnt_walk_earns_is_what_it_was_worth(seed):
    problem, limits, n_routes, objective = town(seed)
    arms = ArmsProblem.build(problem, objective, limits, next(budgets(problem.graph, n_routes, limits)))
    multiplier = np.zeros(arms.n_entries)
    rng = np.random.default_rng(seed)
    for entries in (arms.groups.first, arms.groups.second):
        multiplier[entries] = rng.random(entries.size) * arms.groups.weight / 2
    multiplier[-1] = 0
    bound = ArmsBound(arms, multiplier)
    value = bound.step()
    worth = np.zeros(arms.mixes.cost.size)
    for kind, cost in enumerate(arms.mixes.cost):
        worth[kind] = max([0.0, *(multiplier[walk.entry] @ walk.times for walk in bound._known if walk.cost <= cost)])
    mix = dearest_mix(worth, arms.mixes, np.zeros(worth.size, np.int64))
    assert value == pytest.approx(open_worth(arms.groups, multiplier) + mix, rel=1e-5)


def larger_town():
    """A town whose routes are too many to list."""
    rng = np.random.default_rng(3)
    network, _ = city(40, [(0, 1)], {})
    near = [(a, int(b)) for a in range(40) for b in network.grid.neighbours[a] if b > a]
    pairs = {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in rng.integers(40, size=(400, 2)) if a != b}
    return Problem.build(*city(40, near, pairs, presence={h: float(rng.integers(1, 9)) for h in range(40)}))


def test_rides_lower_the_bound_by_ends_and_the_same_steps_prove_the_same(monkeypatch):
    problem, limits = larger_town(), RouteLimits(max_buses=4, headway_s=1200)
    monkeypatch.setattr(bound, "_BY_ENDS", 5)
    runs = [upper_bound(problem, 2, limits=limits, objective="direct=2,presence=1", steps=12) for _ in range(2)]
    traces = [[point.bound_quanta for point in run.trace] for run in runs]
    assert traces[0] == traces[1] == sorted(traces[0], reverse=True)
    monkeypatch.setattr(arms_problem, "MOST_STEPS", 0)
    by_ends = upper_bound(problem, 2, limits=limits, objective="direct=2,presence=1", steps=12)
    assert runs[0].bound_quanta < 0.9 * by_ends.bound_quanta
    assert by_ends.trace[4].bound_quanta == runs[0].trace[4].bound_quanta


def test_one_route_for_served_trips_is_bounded_by_rides_too(monkeypatch):
    problem, limits = larger_town(), RouteLimits(max_buses=2, headway_s=1200)
    monkeypatch.setattr(bound, "_BY_ENDS", 2)
    served, direct = (upper_bound(problem, 1, limits=limits, objective=name, steps=6) for name in ("served", "direct"))
    assert served.bound_quanta == direct.bound_quanta
