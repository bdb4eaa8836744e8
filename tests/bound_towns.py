"""
Small random towns whose best plan is found by trying every one, to hold bounds against.

Links differ in metres and seconds by direction, those of one-way streets by much, sheds overlap, fleets are mixed, the limits bind, and
some plans have a fixed route that breaks them. Run ``python tests/bound_towns.py 500`` for more towns than the test looks at; it prints how
many bounds lie below the best plan, which none may, and how far they lie above it.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from cities import city

from owlbus.network.walk_sheds import WalkPoints, points_of, reached_share
from owlbus.plan import Plan, Route, plan_measures
from owlbus.plan.check import broken_limits
from owlbus.plan.limits import RouteLimits
from owlbus.search import Objective, PlanConstraints, Problem, upper_bound
from owlbus.search.bound import Bounder
from owlbus.search.bound_problem import BoundProblem
from owlbus.search.fixed_part import FreeRoutes, beside_fixed

if TYPE_CHECKING:
    from owlbus.demand import Demand
    from owlbus.network import Network

RULES = ("presence", "area", "served", "direct")
N_POINTS = 4
MOST_PLANS = 800


@dataclass(frozen=True)
class Town:
    """A problem, its demand, and what a plan must keep."""

    problem: Problem
    demand: Demand
    limits: RouteLimits
    n_routes: int
    fixed: tuple[int, ...] = ()

    @property
    def constraints(self) -> PlanConstraints:
        """The fixed route, if there is one."""
        return PlanConstraints(fixed=self._plan(self.fixed)) if self.fixed else PlanConstraints()

    def _plan(self, *routes: tuple[int, ...]) -> Plan:
        """A plan of some routes."""
        return Plan(tuple(Route(stops, f"R{k}") for k, stops in enumerate(routes)), self.problem.network.fingerprint)

    @cached_property
    def routes(self) -> list[tuple[int, ...]]:
        """Every simple route that keeps the limits by itself, once."""
        every = simple_routes(self.problem.network)
        measures = plan_measures(self.problem.network, self._plan(*every), self.limits.headway_s)
        of_route = replace(self.limits, max_buses=math.inf, max_total_length_m=math.inf)
        broken = {one.name for one in broken_limits(measures, of_route)}
        return [stops for k, stops in enumerate(every) if f"R{k}" not in broken]

    @cached_property
    def plans(self) -> list[Plan]:
        """Every plan of these routes, and the fixed one, within the limits of a whole plan."""
        fixed, network = (self.fixed,) if self.fixed else (), self.problem.network
        chosen = (free for n in range(self.n_routes - len(fixed) + 1) for free in combinations(self.routes, n))
        found = [self._plan(*fixed, *free) for free in chosen if fixed or free]
        measures = [plan_measures(network, plan, self.limits.headway_s) for plan in found]
        limits = self.limits
        kept = [m.total_buses <= limits.max_buses and m.total_length_m <= limits.max_total_length_m for m in measures]
        return [plan for plan, is_kept in zip(found, kept, strict=True) if is_kept]

    def best(self, rule: str) -> float:
        """Most that a plan is worth, in 1/1024."""
        if rule == "area":
            people, points = self.demand.presence_by_hex() * 1024, points_of(self.problem.network)
            return max((float(reached_share(self.problem.network, p.used_stops, points) @ people) for p in self.plans), default=0.0)
        return max((self.problem.value(plan, Objective.parse(rule)) for plan in self.plans), default=0)

    def bounder(self, rule: str, limits: RouteLimits | None = None) -> Bounder:
        """A bound by one rule, before its first step, on the free routes; a listing of them is not used."""
        objective = Objective.parse("presence" if rule == "area" else rule)
        free = FreeRoutes.beside(self.constraints, self.problem.network, self.n_routes, limits or self.limits)

        def compiled(problem: Problem, objective: Objective) -> BoundProblem:
            return BoundProblem.of_area(problem, self.demand) if rule == "area" else BoundProblem.of_problem(problem, objective)

        left, given = beside_fixed(compiled, self.problem, objective, self.constraints, is_direct=rule == "direct")
        bounder = Bounder(given, free.n_routes, free.limits)
        if rule == "direct" and given.weight.size:
            bounder.use_arms(left, objective, free.limits)
        return bounder

    def listed(self) -> int:
        """Bound on direct trips by a listing of all routes, in 1/1024."""
        return upper_bound(self.problem, self.n_routes, limits=self.limits, constraints=self.constraints, objective="direct").bound_quanta


def simple_routes(network: Network) -> list[tuple[int, ...]]:
    """Every simple route once."""
    found = [(stop,) for stop in range(network.n_stops)]
    for stops in found:  # grows on the way
        following = network.link_to[network.link_indptr[stops[-1]] : network.link_indptr[stops[-1] + 1]].tolist()
        found += [(*stops, stop) for stop in following if stop not in stops]
    return [stops for stops in found if stops[0] < stops[-1]]


def town(seed: int) -> Town:
    """A town of 6 to 10 stops with few enough plans to try each; there is room for another route beside a fixed one."""
    rng = np.random.default_rng(seed)
    while True:
        found = _draw(rng)
        n_plans = sum(math.comb(len(found.routes), k + 1) for k in range(found.n_routes - bool(found.fixed)))
        if 0 < n_plans <= MOST_PLANS and (not found.fixed or any(len(plan) > 1 for plan in found.plans)):
            return found


def _draw(rng: np.random.Generator) -> Town:
    """A town with any number of plans."""
    n = int(rng.integers(6, 11))
    places = rng.random((n, 2))
    far = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    links = sorted({(min(a, b), max(a, b)) for a in range(n) for b in np.argsort(far[a])[1 : 1 + int(rng.integers(2, 4))].tolist()})
    sheds = {s: tuple(rng.integers(n, size=rng.integers(0, 3)).tolist()) for s in range(n)}
    pairs = rng.integers(n, size=(int(rng.integers(4, 20)), 2)).tolist()
    trips = {(o, d): float(rng.integers(1, 9)) for o, d in pairs if o != d}
    people = {h: float(rng.integers(1, 50)) for h in range(n) if rng.random() < 0.8} or {0: 1.0}
    seconds = {way: int(rng.choice([120, 200, 310])) for a, b in links for way in ((a, b), (b, a))}
    network, demand = city(n, links, trips, seconds=seconds, sheds=sheds, presence=people)
    metres = np.where(rng.random(network.n_links) < rng.choice([0.0, 0.5]), rng.integers(300, 2500, network.n_links), 1000)
    is_way_round = (rng.random(network.n_links) < rng.choice([0.0, 0.2])).astype(int)  # of a one-way street: its reverse takes another way
    network = replace(network, link_s=network.link_s * (1 + 2 * is_way_round), link_m=metres * (1 + 2 * is_way_round))
    problem = Problem.build(replace(network, points=_points(n, rng)), demand)
    limits = RouteLimits(
        max_length_m=float(rng.choice([2500, 4000, 9000])),
        max_circuity=float(rng.choice([1.0, 1.2, 1.6])),
        max_pair_circuity=float(rng.choice([1.0, 1.22, math.inf])),
        allow_spurs=bool(rng.random() < 0.7),
        max_total_length_m=float(rng.choice([4000, 9000, math.inf])),
        max_buses=float(rng.choice([2, 4, 6, math.inf])),
        headway_s=int(rng.choice([400, 700])),
    )
    n_routes, routes = int(rng.integers(1, 4)), simple_routes(network)
    fixed = routes[int(rng.integers(len(routes)))] if n_routes > 1 and rng.random() < 0.3 else ()
    return Town(problem, demand, limits, n_routes, fixed)


def _points(n: int, rng: np.random.Generator) -> WalkPoints:
    """Points of area within the walk of each stop, one of its own hex at least."""
    points = [np.unique(np.r_[rng.integers(n * N_POINTS, size=5), s * N_POINTS + rng.integers(N_POINTS)]) for s in range(n)]
    rows = np.concatenate(points).astype(np.int32)
    return WalkPoints(np.cumsum([0, *map(len, points)]), rows, np.zeros(rows.size, np.int32), N_POINTS, "by parts")


def proven(bounder: Bounder, steps: int = 24) -> list[int]:
    """Bound after each step, in 1/1024; routes are looked at more closely from a third of the steps on, and again from two thirds on."""
    found = []
    for step in range(steps):
        if step in {steps // 3, 2 * steps // 3}:
            bounder.look_closer()
        found.append(bounder.step().bound_quanta)
    return found


def main() -> None:
    """Hold the bounds of many towns against their best plans."""
    n_towns, began_s = int(sys.argv[1]) if len(sys.argv) > 1 else 100, time.process_time()
    towns = [town(seed) for seed in range(n_towns)]
    for rule in (*RULES, "direct, by listing"):
        gaps, wrong = [], []
        for seed, one in enumerate(towns):
            bound = one.listed() if rule not in RULES else proven(one.bounder(rule))[-1]
            best = one.best(rule if rule in RULES else "direct")
            wrong += [seed] * (bound < best - 1e-6)
            gaps += [bound / best - 1] if best else []
        print(  # noqa: T201 -- a program
            f"{rule}: {n_towns} towns, below the best plan: {len(wrong)} {wrong[:9]}; above it: median {np.median(gaps):.1%}, most "
            f"{max(gaps):.1%}; exact in {sum(gap <= 0 for gap in gaps)} of {len(gaps)}; {time.process_time() - began_s:.0f} CPU s so far",
            flush=True,
        )


if __name__ == "__main__":
    main()
