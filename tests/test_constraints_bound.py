"""The bound with constraints lies above every plan that keeps them, by brute force, whatever limits fixed routes break."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement, permutations

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city

from owlbus.plan import Plan, Route, check_plan, plan_measures
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search import GroupPresence, Objective, PlanConstraints, Problem
from owlbus.search.bound import upper_bound
from owlbus.search.exact import best_of_listing, list_problem

OBJECTIVES = {
    "served": Objective(),
    "direct": Objective(1, 0, 0),
    "presence": Objective(0, 1),
    "mix": Objective(2, 1, 0),
    "travel_time": Objective.parse("travel_time"),
}


def random_town(rng: np.random.Generator):
    """Return a ring of six to eight stops with a few more links, some of them slower in one direction, and its demand."""
    n = int(rng.integers(6, 9))
    links = [(i, i + 1) for i in range(n - 1)] + [(0, n - 1)] * int(rng.integers(2))
    links += [(int(a), int(b)) for a, b in rng.integers(0, n, (2, 2)) if abs(a - b) > 1]
    seconds = {way: int(rng.choice([100, 200, 350])) for a, b in links for way in ((a, b), (b, a))}
    if rng.random() < 0.5:
        seconds |= {(b, a): seconds[a, b] for a, b in links}
    ends = rng.integers(0, n, (14, 2))
    trips = {(int(a), int(b)): float(rng.integers(1, 9)) for a, b in ends if a != b}
    sheds = {s: tuple(rng.integers(0, n, 1).tolist()) for s in range(n)} if rng.random() < 0.3 else None
    people = {h: float(rng.integers(1, 9)) for h in range(n)}
    return city(n, links, trips, seconds=seconds, sheds=sheds, presence=people)


def random_walk(network, rng: np.random.Generator) -> list[int]:
    """Return a route of two to six stops that may pass a stop twice and ends elsewhere than it begins."""
    while True:
        stops = [int(rng.integers(network.n_stops))]
        for _ in range(int(rng.integers(1, 6))):
            stops.append(int(rng.choice(network.link_to[slice(*network.link_indptr[stops[-1] : stops[-1] + 2])])))
        if stops[0] != stops[-1]:
            return stops


def random_constraints(network, rng: np.random.Generator) -> PlanConstraints:
    """Return one or two constraints of each kind now and then; fixed routes keep the forbidden ones."""
    n = network.n_stops
    some = rng.random(7) < 0.4
    order = rng.permutation(n).tolist()
    forbidden = (order[0],) if some[0] else ()
    links = ((order[1], int(network.link_to[network.link_indptr[order[1]]])),) if some[1] else ()
    walks = [random_walk(network, rng) for _ in range(int(rng.integers(1, 3)))] if rng.random() < 0.7 else []
    bare = PlanConstraints(forbidden=forbidden, forbidden_links=links)
    fixed = [Route(stops, f"F{k}") for k, stops in enumerate(walks)]
    fixed = [route for route in fixed if not list(bare.forbidden_uses(network, route))]
    depots = tuple(order[2:6]) if some[2] else ()
    labels = np.array([f"d{h % 2}" for h in range(network.grid.n_hexes)])
    return replace(
        bare,
        fixed=Plan(tuple(fixed), network.fingerprint) if fixed else None,
        required=(order[6 % n],) if some[3] else (),
        hubs=((order[3], 2),) if some[4] else (),
        depots=depots,
        terminals=(("T1", order[2], -1), ("T2", order[3], order[4]))[: int(rng.integers(1, 3))] if some[5] else (),
        groups=(GroupPresence(labels, 0.4, "district"),) if some[6] else (),
    )


def routes_of(network) -> list[Route]:
    """Return every simple route once."""
    found, paths = [], [[stop] for stop in range(network.n_stops)]
    while paths:
        path = paths.pop()
        if len(path) > 1 and path[0] < path[-1]:
            found.append(Route(path, "A"))
        paths += [[*path, int(to)] for to in network.link_to[slice(*network.link_indptr[path[-1] : path[-1] + 2])] if to not in path]
    return found


def kept_plans(network, constraints, n_routes, limits):
    """Yield every plan of at most so many routes that keeps limits and constraints, whatever its fixed routes break."""
    alone = replace(limits, max_total_length_m=np.inf, max_buses=np.inf)
    fixed = () if constraints.fixed is None else constraints.fixed.routes
    free = [route for route in routes_of(network) if not check_plan(network, Plan((route,), network.fingerprint), alone)]
    free = [route for route in free if not list(constraints.forbidden_uses(network, route))]
    free = [route for route in free if not constraints.depots or set(route.stops[[0, -1]].tolist()) <= set(constraints.depots)]
    for size in range(n_routes - len(fixed) + 1):
        for chosen in combinations_with_replacement(free, size):
            names = [name for name, _, _ in constraints.terminals] + [f"X{k}" for k in range(size)]
            orders = permutations(chosen) if constraints.terminals else [chosen]
            plans = (
                Plan((*fixed, *(Route(route.stops, name) for route, name in zip(order, names, strict=False))), network.fingerprint)
                for order in orders
            )
            plan = next((plan for plan in plans if not constraints.broken(network, plan)), None)
            if plan is None:
                continue
            measures = plan_measures(network, plan, limits.headway_s)
            if measures.total_length_m <= limits.max_total_length_m and measures.total_buses <= limits.max_buses:
                yield plan


def check_town(seed: int, steps: int = 4) -> int:
    """Compare bounds of one town with its best plan; return how many were exact, or -1 where no plan keeps the constraints."""
    rng = np.random.default_rng(seed)
    network, demand = random_town(rng)
    constraints = random_constraints(network, rng).counted(demand)
    problem = Problem.build(network, demand, ServiceRule(2.0, int(rng.choice([0, 600])), int(rng.choice([0, 300]))))
    shape = {} if rng.random() < 0.3 else ANY_SHAPE
    lengths = {
        "max_length_m": float(rng.integers(2, 5) * LINK_M),
        "max_stops": int(rng.integers(3, 6)),
        "min_stops": int(rng.integers(2, 4)),
    }
    limits = RouteLimits(
        **lengths,
        **shape,
        headway_s=600,
        max_buses=float(rng.choice([np.inf, 6, 9])),
        max_total_length_m=float(rng.choice([np.inf, 9_000, 14_000])),
    )
    n_routes = 2 if constraints.n_fixed < 2 else 3
    plans = list(kept_plans(network, constraints, n_routes, limits))
    if not plans:
        return -1
    n_exact = 0
    for objective in OBJECTIVES.values():
        best = max(problem.value(plan, objective) for plan in plans)
        bound = upper_bound(problem, n_routes, limits=limits, constraints=constraints, objective=objective, steps=steps, seconds=60)
        assert bound.bound_quanta >= best, (seed, objective)
        if bound.multipliers is None and constraints.n_fixed < n_routes:
            assert bound.bound_quanta == best, (seed, objective)
            n_exact += 1
    return n_exact


@pytest.mark.parametrize("block", range(3))
def test_no_plan_that_keeps_the_constraints_is_worth_more_than_the_bound(block):
    found = [check_town(seed) for seed in range(6 * block, 6 * block + 6)]
    assert max(found) > 0, "without transfers the listing is exact"


def test_the_bound_holds_where_routes_are_too_many_to_list(monkeypatch):
    monkeypatch.setattr("owlbus.search.bound.list_problem", lambda *_: None)
    assert max(check_town(seed, steps=28) for seed in range(4)) >= 0


def test_the_exact_choice_keeps_every_constraint():
    checked = 0
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        network, demand = random_town(rng)
        constraints = replace(random_constraints(network, rng), groups=()).counted(demand)
        limits = RouteLimits(**ANY_SHAPE, max_length_m=4 * LINK_M, headway_s=600)
        problem = constraints.problem(Problem.build(network, demand))
        listing = list_problem(problem, OBJECTIVES["mix"], limits, constraints)
        best = best_of_listing(listing, 4, limits)
        if best.is_impossible:
            assert next(kept_plans(network, constraints, min(2 + constraints.n_fixed, 4), limits), None) is None
            continue
        from owlbus.search.exact_constraints import plan_of_choice

        plan = plan_of_choice(network, best.routes, constraints)
        assert constraints.broken(network, plan) == ()
        assert problem.value(plan, OBJECTIVES["mix"]) == best.bound_quanta
        checked += 1
    assert checked > 20
