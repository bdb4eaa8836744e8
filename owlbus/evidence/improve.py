"""A better plan near a given one: at most a share of its stops changed, as a list of single steps to stop at anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.common.progress import current_progress
from owlbus.evidence.changes import newly_broken
from owlbus.plan import Plan, Route, plan_measures
from owlbus.search.objective import Objective
from owlbus.search.problem import plan_of
from owlbus.search.travel_time_objective import refuse_travel_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from owlbus.plan.limits import RouteLimits
    from owlbus.search.problem import Problem

DEFAULT_STEPS = 240_000
"""Moves to try for each allowed change."""

CURVE = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Shares of the stops that may change, for the curve."""

_BLOCK = 300
_HOT_SHARE = 2e-4
_COLD_SHARE = 4e-6
_SPARE = 24
_WORD_STOPS = 4


@dataclass(frozen=True, slots=True, eq=False)
class ImprovementStep:
    """
    One change on the way from the given plan to the better one.

    Attributes
    ----------
    route
        Name of the route.
    out, into
        Stop indices that go, and that come, in riding order, int32.
    place
        Place of the first stop that goes, in the given route.
    n_changed
        Stops changed, by the longer of both.
    gain_units
        What the objective gains with it, in 1/1024; may be below 0 where a later step makes up for it.
    plan
        The plan after this step; it keeps the limits.
    """

    route: str
    out: NDArray[np.int32]
    into: NDArray[np.int32]
    place: int
    n_changed: int
    gain_units: int
    plan: Plan


@dataclass(frozen=True, slots=True, eq=False)
class Improvement:
    """
    A plan near a given one.

    Attributes
    ----------
    allowed_share
        Share of the stops that may change, 0 to 1.
    n_allowed, n_changed
        Stops that may change, and that do.
    steps
        From the given plan to this one, the most useful first.
    plan
        The plan after all steps.
    value_quanta
        Its objective, in 1/1024.
    evaluations
        Plans that were valued.
    """

    allowed_share: float
    n_allowed: int
    n_changed: int
    steps: tuple[ImprovementStep, ...]
    plan: Plan
    value_quanta: int
    evaluations: int


def improve_plan(
    problem: Problem,
    plan: Plan,
    limits: RouteLimits,
    shares: Sequence[float] = (0.1,),
    *,
    objective: Objective | None = None,
    keep: Iterable[int] = (),
    keep_terminals: bool = True,
    n_steps: int = DEFAULT_STEPS,
    seed: int = 0,
) -> tuple[Improvement, ...]:
    """
    Better plans near a given one, one for each share of its stops that may change.

    Changed stops are counted by the fewest single stops to insert, leave out or replace. Each share starts from the plan of the share
    before it, so that more change never serves less. Changes that gain nothing are undone.

    Parameters
    ----------
    problem
        Network, demand and rule.
    plan
        The given plan; its routes must not pass a stop twice.
    limits
        What every plan keeps, in metres and seconds; a limit that the given plan breaks may stay broken as it is.
    shares
        Shares of the stops, 0 to 1, ascending.
    objective
        What counts; trips served by default.
    keep
        Stop indices that stay on every route that passes them.
    keep_terminals
        Whether terminals stay.
    n_steps
        Moves to try for each share; with the seed they fix the result.
    seed
        Seed of all random numbers, >= 0.

    Returns
    -------
    tuple of Improvement
        In the order of `shares`.

    Raises
    ------
    UsageError
        If a share lies outside [0, 1] or they do not ascend.
    DataError
        If the plan is empty, or a route passes a stop twice.
    """
    if not shares or list(shares) != sorted(shares) or not 0 <= shares[0] <= shares[-1] <= 1:
        msg = f"shares of stops to change must ascend in [0, 1], got {', '.join(f'{share:g}' for share in shares) or 'none'}"
        raise UsageError(msg)
    if not plan.routes:
        msg = "the plan has no routes, so there is nothing to improve; make one with: owlbus plan FILES --out DIR"
        raise DataError(msg)
    twice = [route.name for route in plan.routes if not route.is_simple]
    if twice:
        msg = f"route {twice[0]} passes a stop twice ({len(twice)} such); cut the loop before it is improved"
        raise DataError(msg)
    goal = objective or Objective()
    refuse_travel_time(goal, "a plan near a given one")
    search = _Search(problem, goal, plan, limits, frozenset(keep), seed, keep_terminals=keep_terminals)
    total = sum(route.n_stops for route in plan.routes)
    progress = current_progress().step("Improve the plan", len(shares))
    found = []
    for done, share in enumerate(shares, start=1):
        n_allowed = math.floor(share * total + 1e-9)
        better = search.run(n_allowed, n_steps if n_allowed else 0)
        steps = ordered_steps(problem, goal, plan, better, limits)
        last = steps[-1].plan if steps else plan
        n_changed = sum(step.n_changed for step in steps)
        found.append(Improvement(share, n_allowed, n_changed, steps, last, problem.value(last, goal), search.evaluations))
        progress.reach(done, f"{share:.0%} of the stops")
    return tuple(found)


class _Search:
    """Annealing near a plan, from one allowance to the next larger one."""

    def __init__(
        self, problem: Problem, goal: Objective, plan: Plan, limits: RouteLimits, keep: frozenset[int], seed: int, *, keep_terminals: bool
    ) -> None:
        from owlbus.kernels.coverage import new_other_routes, new_scratch

        self.problem, self.goal, self.plan, self.limits = problem, goal, plan, limits
        self.keep_terminals = keep_terminals
        network, n_routes = problem.network, len(plan.routes)
        width = 2 * max(route.n_stops for route in plan.routes) + _SPARE
        self.routes = problem.pad(plan, width=width)
        kept = np.zeros((n_routes, network.n_stops), np.uint8)
        kept[:, sorted(keep)] = 1
        self.base = self.routes[0].copy(), self.routes[1].copy(), kept
        self.best = self.routes[0].copy(), self.routes[1].copy()
        entries = width * int(np.diff(network.shed_indptr).max(initial=1))
        self._other_routes = new_other_routes(network.n_stops, problem.n_rows, n_routes, entries, problem.pair_quanta.shape)
        found = new_scratch(problem.n_rows, entries, width)
        running = np.zeros(width, np.float32), np.zeros(width, np.float32)
        self._scratch = np.zeros(width, np.int32), *running, found, np.zeros(network.n_stops, np.uint8)
        self._rng_state = np.random.default_rng(seed).integers(0, 2**63, size=1, dtype=np.uint64)
        self._attraction = _attraction(problem, goal)
        self._drive = problem.drive()
        value = problem.value(plan, goal)
        self._values = np.array([value, value, 0], np.int64)
        self._bounds = _bounds(problem, plan, limits, width)

    @property
    def evaluations(self) -> int:
        """Plans that were valued."""
        return int(self._values[2])

    def run(self, n_allowed: int, n_steps: int) -> Plan:
        """Best plan within an allowance, from the best one so far."""
        from owlbus.kernels.anneal_near import anneal_near
        from owlbus.kernels.coverage import measure_route

        self.routes[0][:], self.routes[1][:] = self.best
        for k, count in enumerate(self.best[1].tolist()):
            measure_route(self.problem.graph, self.routes[0][k], count, self.routes[2][k], self.routes[3][k])
        self._values[0] = self._values[1]
        total = self.problem.total_value(self.goal)
        if n_steps:
            anneal_near(
                self.problem.graph,
                self.problem.demand_rows,
                self._drive,
                self._bounds,
                self._attraction,
                self.routes,
                self.base,
                n_allowed,
                int(self.keep_terminals),
                *self.best,
                self._values,
                self._other_routes,
                self._scratch,
                self._rng_state,
                n_steps,
                _BLOCK,
                total * _HOT_SHARE,
                total * _COLD_SHARE,
                np.array([self.goal.trips, self.goal.presence], np.int64),
                float(self.problem.rule.transfer_s),
                min(self.goal.max_transfers, self.problem.rule.max_transfers),
            )
        return plan_of(self.problem.network, *self.best, names=dict(enumerate(self.plan.names)))


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Stretch of one route that differs: ``base[low:high]`` becomes `into`."""

    route: int
    low: int
    high: int
    into: tuple[int, ...]

    @property
    def size(self) -> int:
        """Stops changed."""
        return max(self.high - self.low, len(self.into))


def ordered_steps(problem: Problem, goal: Objective, before: Plan, after: Plan, limits: RouteLimits) -> tuple[ImprovementStep, ...]:
    """
    Single steps from one plan to another of the same routes, each leaving a plan that keeps the limits.

    The step that gains most per changed stop comes first, the lower route and place on a tie; steps that gain nothing at the end are
    left out. Where no single step keeps the limits or passes every stop once, those of one route are taken together.

    Parameters
    ----------
    problem
        Network, demand and rule.
    goal
        What a plan is worth.
    before, after
        Plans with the same route names in the same order.
    limits
        What every plan on the way keeps, in metres and seconds.

    Returns
    -------
    tuple of ImprovementStep
        Empty if nothing is gained.
    """
    hunks = _without_idle(problem, goal, before, _hunks(before, after), limits)
    way = _Way(problem, goal, before, limits)
    while hunks:
        chosen = way.next_step(hunks)
        if not chosen:
            break
        hunks = [hunk for hunk in hunks if hunk not in chosen]
    return tuple(way.steps)


class _Way:
    """Steps made so far, and what each hunk gained when it was last tried."""

    def __init__(self, problem: Problem, goal: Objective, before: Plan, limits: RouteLimits) -> None:
        self.problem, self.goal, self.before, self.limits = problem, goal, before, limits
        self.steps: list[ImprovementStep] = []
        self._made: list[_Hunk] = []
        self._value = problem.value(before, goal)
        self._last: dict[_Hunk, float] = {}

    def next_step(self, left: list[_Hunk]) -> list[_Hunk]:
        """Make the most useful hunk; where none can stand alone those of one route, then all that are left."""
        tries = [[hunk] for hunk in sorted(left, key=lambda one: (-self._last.get(one, math.inf), one.route, one.low))]
        best = self._best_of(tries)
        if best is None:
            best = self._best_of([[hunk for hunk in left if hunk.route == k] for k in sorted({hunk.route for hunk in left})])
        if best is None:
            best = self._best_of([left])
        if best is None:
            return []
        chosen, plan, value = best
        self.steps.append(_as_step(self.before, chosen, value - self._value, plan))
        self._made += chosen
        self._value = value
        return chosen

    def _best_of(self, tries: list[list[_Hunk]]) -> tuple[list[_Hunk], Plan, int] | None:
        """Best try by gain per changed stop; those that gained less when last tried than the best does now are not tried again."""
        best: tuple[float, list[_Hunk], Plan, int] | None = None
        for chosen in tries:
            if best is not None and best[0] >= self._last.get(chosen[0], math.inf):
                break
            plan = _applied(self.before, [*self._made, *chosen])
            if plan is None or not _may_stand(self.problem, self.before, plan, self.limits):
                continue
            value = self.problem.value(plan, self.goal)
            rate = (value - self._value) / max(1, sum(hunk.size for hunk in chosen))
            if len(chosen) == 1:
                self._last[chosen[0]] = rate
            if best is None or rate > best[0]:
                best = rate, chosen, plan, value
        return None if best is None else best[1:]


def _hunks(before: Plan, after: Plan) -> list[_Hunk]:
    """Stretches that differ, routes in order; their sizes add up to the stops changed."""
    found = []
    for k, (old, new) in enumerate(zip(before.routes, after.routes, strict=True)):
        a, b = old.stops.tolist(), new.stops.tolist()
        pairs = [(-1, -1), *_kept_places(a, b), (len(a), len(b))]
        for (p, q), (u, v) in pairwise(pairs):
            if u - p > 1 or v - q > 1:
                found.append(_Hunk(k, p + 1, u, tuple(b[q + 1 : v])))
    return found


def _kept_places(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """Places of the stops that an alignment of fewest changes keeps, ascending."""
    n, m = len(a), len(b)
    cost = np.zeros((n + 1, m + 1), np.int32)
    cost[:, 0], cost[0] = np.arange(n + 1), np.arange(m + 1)
    for p in range(n):
        for q in range(m):
            cost[p + 1, q + 1] = min(cost[p, q] + (a[p] != b[q]), cost[p, q + 1] + 1, cost[p + 1, q] + 1)
    kept = []
    p, q = n, m
    while p and q:
        if a[p - 1] == b[q - 1] and cost[p, q] == cost[p - 1, q - 1]:
            p, q = p - 1, q - 1
            kept.append((p, q))
        elif cost[p, q] == cost[p - 1, q - 1] + 1:
            p, q = p - 1, q - 1
        elif cost[p, q] == cost[p - 1, q] + 1:
            p -= 1
        else:
            q -= 1
    return kept[::-1]


def _applied(before: Plan, hunks: Sequence[_Hunk]) -> Plan | None:
    """Plan with some hunks made, None if a route then passes a stop twice or has fewer than two."""
    routes = list(before.routes)
    for k in {hunk.route for hunk in hunks}:
        stops = routes[k].stops.tolist()
        for hunk in sorted((one for one in hunks if one.route == k), key=lambda one: -one.low):
            stops[hunk.low : hunk.high] = hunk.into
        if len(stops) < 2 or len(set(stops)) < len(stops):  # noqa: PLR2004 - a route needs two stops
            return None
        routes[k] = Route(stops, routes[k].name)
    return Plan(tuple(routes), before.network_fingerprint)


def _may_stand(problem: Problem, before: Plan, plan: Plan, limits: RouteLimits) -> bool:
    """Whether a plan breaks no limit that the given one keeps, and none further."""
    return not newly_broken(problem.network, before, plan, limits)


def _without_idle(problem: Problem, goal: Objective, before: Plan, hunks: list[_Hunk], limits: RouteLimits) -> list[_Hunk]:
    """Hunks without those that the whole is not worth less without."""
    kept = list(hunks)
    whole = _applied(before, kept)
    value = problem.value(before if whole is None else whole, goal)
    for hunk in sorted(hunks, key=lambda one: (-one.size, one.route, one.low)):
        other_routes = [one for one in kept if one is not hunk]
        plan = _applied(before, other_routes)
        if plan is not None and _may_stand(problem, before, plan, limits) and (without := problem.value(plan, goal)) >= value:
            kept, value = other_routes, without
    return kept


def _as_step(before: Plan, chosen: Sequence[_Hunk], gain: int, plan: Plan) -> ImprovementStep:
    """One step of hunks that are made together."""
    first = min(chosen, key=lambda hunk: (hunk.route, hunk.low))
    out = np.concatenate([before.routes[hunk.route].stops[hunk.low : hunk.high] for hunk in chosen]).astype(np.int32)
    into = np.array([stop for hunk in chosen for stop in hunk.into], np.int32)
    names = " and ".join(dict.fromkeys(before.names[hunk.route] for hunk in chosen))
    return ImprovementStep(names, out, into, first.low, sum(hunk.size for hunk in chosen), gain, plan)


def _bounds(problem: Problem, plan: Plan, limits: RouteLimits, width: int) -> NDArray[np.float64]:
    """Limits of each route as the kernel takes them, widened to what the given plan has."""
    now = plan_measures(problem.network, plan, limits.headway_s)
    rows = np.empty((len(plan.routes), 9), np.float64)
    rows[:, 0] = np.maximum(limits.max_length_m, now.longer_length_m)
    rows[:, 1] = np.minimum(limits.min_length_m, now.shorter_length_m)
    rows[:, 2] = np.maximum(limits.max_ride_s, now.longer_ride_s)
    rows[:, 3] = np.maximum(limits.max_circuity, now.circuity * (1 + 1e-12))
    rows[:, 4] = np.maximum(min(limits.max_stops, width), now.n_stops)
    rows[:, 5] = np.minimum(limits.min_stops, now.n_stops)
    rows[:, 6] = max(limits.max_total_length_m, now.total_length_m)
    rows[:, 7] = max(limits.max_buses, now.total_buses)
    rows[:, 8] = limits.headway_s
    return rows


def _attraction(problem: Problem, goal: Objective) -> NDArray[np.float64]:
    """Running sum, shape (S,), of what stands to be gained in each stop's walk shed, and a little everywhere."""
    wanted = goal.trips * problem.row_quanta
    wanted = wanted + goal.presence * problem.presence
    network = problem.network
    owner = np.repeat(np.arange(network.n_stops), np.diff(network.shed_indptr))
    by_stop = np.bincount(owner, wanted[problem.graph[5]].astype(np.float64), network.n_stops)
    running: NDArray[np.float64] = np.cumsum(by_stop + 0.1 * max(by_stop.mean(), 1e-9))
    return running


def step_document(step: ImprovementStep, name_of: Any) -> dict[str, Any]:  # noqa: ANN401 - a callable that names a stop
    """
    Step as plain values for JSON, without counts of trips.

    Parameters
    ----------
    step
        The step.
    name_of
        Called with a stop index; gives its name.

    Returns
    -------
    dict
        Route, stops out and in, and words.
    """
    out, into = ([name_of(stop) for stop in stops.tolist()] for stops in (step.out, step.into))
    words = f"{_words(into) or 'nothing'} in place of {_words(out)}" if out else f"{_words(into)} added"
    return {
        "route": step.route,
        "change": words if into else f"{_words(out)} left out",
        "stops_out": step.out.tolist(),
        "stops_in": step.into.tolist(),
        "n_changed": step.n_changed,
    }


def _words(names: list[str]) -> str:
    """First few of some names."""
    more = len(names) - _WORD_STOPS
    return ", ".join(names[:_WORD_STOPS]) + (f" and {more} more" if more > 0 else "")
