"""A better plan near a given one: at most a share of its stops changed, as a list of single steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import IMPROVE_STEPS
from owlbus.common.errors import DataError, UsageError, step
from owlbus.common.progress import current_progress
from owlbus.plan import Plan, Route
from owlbus.plan.check import newly_broken
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.both_ways import limits_both_ways, run_as_given, run_both_ways
from owlbus.search.constraints import PlanConstraints
from owlbus.search.group_presence import is_worse
from owlbus.search.neighbourhood import Neighbourhood
from owlbus.search.objective import Objective
from owlbus.search.travel_time_objective import refuse_journeys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from owlbus.plan.limits import RouteLimits
    from owlbus.search.group_presence import GroupPresence
    from owlbus.search.problem import Problem


CURVE = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Shares of the stops that may change, for the curve."""

_TURN, _TURNS = 2_000, 20
_HOT_SHARE, _COLD_SHARE = 4e-4, 1e-5
"""First and last temperature, as shares of all that the objective counts."""

_MULTIPLIER_SHARE, _MULTIPLIER_STEP = 1e-3, 1.2
"""First multiplier of a changed stop, as a share of all that the objective counts, and the most by which it is scaled after a turn."""

_RELAXED_PART, _REACH = 0.9, 4
"""Part of the search in which changed stops have a multiplier, and how many times the allowance may change at its beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class ImprovementStep:
    """
    One change on the way from the given plan to the better one.

    Attributes
    ----------
    route
        Name of the route.
    out, into
        Stop indices removed and inserted, in riding order, int32.
    position
        Position of the first removed stop on the given route.
    n_changed
        Stops changed, by the longer of both.
    gain_quanta
        Gain in the objective, in 1/1024; may be negative where a later step makes up for it.
    plan
        The plan after this step; it keeps the limits.
    """

    route: str
    out: NDArray[np.int32]
    into: NDArray[np.int32]
    position: int
    n_changed: int
    gain_quanta: int
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
    n_steps: int = IMPROVE_STEPS,
    seed: int = 0,
    groups: Sequence[GroupPresence] = (),
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
        The given plan. Routes that pass a stop twice or run in one direction only stay as they are; one that serves other stops on its
        way back runs back over its own once it is changed.
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
    groups
        Groups of hexes with people, each with the least share to reach: none below it loses people, and the search works towards it.

    Returns
    -------
    tuple of Improvement
        In the order of `shares`.

    Raises
    ------
    UsageError
        If a share lies outside [0, 1] or they do not ascend.
    DataError
        If the plan is empty, or no route of it can change.
    """
    if not shares or list(shares) != sorted(shares) or not 0 <= shares[0] <= shares[-1] <= 1:
        msg = f"shares of stops to change must ascend in [0, 1], got {', '.join(f'{share:g}' for share in shares) or 'none'}"
        raise UsageError(msg, setting="shares", value=tuple(shares), allowed=(0, 1))
    if not plan.routes:
        way = step("owlbus.plan_routes", "plan", files="FILES", out="DIR")
        msg = f"the plan has no routes, so there is nothing to improve; make one with: {way}"
        raise DataError(msg)
    fixed = frozenset(route.name for route in plan.routes if route.is_one_way or not route.is_simple)
    if len(fixed) == len(plan):
        msg = f"every route passes a stop twice or runs in one direction only, such as {plan.names[0]}; draw one that runs there and back"
        raise DataError(msg)
    objective = objective or Objective()
    refuse_journeys(objective, "a plan near a given one")
    near = Neighbourhood(run_both_ways(plan), frozenset(keep), keep_terminals, fixed)
    at_most = limits_both_ways(problem.network, plan, limits)
    run = AnnealingRun(problem, objective, at_most, len(plan), np.random.default_rng(seed), PlanConstraints(groups=tuple(groups)), near)
    total = sum(route.n_stops for route in plan.routes)
    progress = current_progress().step("Improve the plan", len(shares))
    improvements = []
    for done, share in enumerate(shares, start=1):
        n_allowed = math.floor(share * total + 1e-9)
        better = run_as_given(best_near(run, n_allowed, n_steps), plan)
        steps = ordered_steps(problem, objective, plan, better, limits, groups)
        last = steps[-1].plan if steps else plan
        n_changed = sum(step.n_changed for step in steps)
        improvements.append(Improvement(share, n_allowed, n_changed, steps, last, problem.value(last, objective), run.evaluations))
        progress.reach(done, f"{share:.0%} of the stops")
    return tuple(improvements)


def refuse_new_routes(constraints: PlanConstraints | None) -> None:
    """
    Refuse constraints that a plan near a given one does not look at.

    Parameters
    ----------
    constraints
        Constraints of a plan; required stops and groups are kept. None for none.

    Raises
    ------
    UsageError
        If there are hubs, depots, terminals, fixed routes, or forbidden stops or links.
    """
    for name in ("fixed", "hubs", "forbidden", "forbidden_links", "depots", "terminals"):
        if constraints is not None and getattr(constraints, name):
            msg = f"a plan near a base keeps its routes and terminals, and {name} constrains new routes; leave one of them out"
            raise UsageError(msg)


def best_near(run: AnnealingRun, n_allowed: int, n_steps: int) -> Plan:
    """
    Anneal within an allowance, from the best plan so far.

    Once all allowed stops are changed, hardly a move is feasible. So the allowance is relaxed at first: each changed stop costs a
    Lagrange multiplier, which is scaled until about as many stops change as are allowed. The relaxation tightens during the search,
    and the plan keeps the allowance at the end.

    Parameters
    ----------
    run
        A run near a given plan; changed in place.
    n_allowed
        Stops that may change.
    n_steps
        Moves to try.

    Returns
    -------
    Plan
        The best one met that keeps the allowance.
    """
    run.restore_best()
    total_value = run.problem.total_value(run.objective)
    multiplier = total_value * _MULTIPLIER_SHARE
    turn = max(1, min(_TURN, n_steps // _TURNS))
    for done in range(0, n_steps if n_allowed else 0, turn):
        moves = min(turn, n_steps - done)
        hot, cold = (total_value * _HOT_SHARE * (_COLD_SHARE / _HOT_SHARE) ** (tried / n_steps) for tried in (done, done + moves))
        reach = int(n_allowed * max(1.0, _REACH - (_REACH - 1) * done / (_RELAXED_PART * n_steps)))
        if run.n_changed() > reach:
            run.restore_best()
        run.set_allowance(n_allowed, reach, multiplier if reach > n_allowed else 0.0)
        run.anneal(moves, hot, cold)
        multiplier *= float(np.clip(run.n_changed() / n_allowed, 1 / _MULTIPLIER_STEP, _MULTIPLIER_STEP))
    return run.best_plan()


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Section of one route that differs: positions ``low:high`` become the stops `into`."""

    route: int
    low: int
    high: int
    into: tuple[int, ...]

    @property
    def size(self) -> int:
        """Stops changed."""
        return max(self.high - self.low, len(self.into))


def ordered_steps(
    problem: Problem, objective: Objective, before: Plan, after: Plan, limits: RouteLimits, groups: Sequence[GroupPresence] = ()
) -> tuple[ImprovementStep, ...]:
    """
    Single steps from one plan to another of the same routes, each leaving a plan that keeps the limits.

    The step that gains most per changed stop comes first, the lower route and place on a tie; steps that gain nothing at the end are
    left out. Where no single step keeps the limits or passes every stop once, those of one route are taken together.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth.
    before, after
        Plans with the same route names in the same order.
    limits
        What every plan on the way keeps, in metres and seconds.
    groups
        Groups of hexes, of which none below its least share loses people on the way.

    Returns
    -------
    tuple of ImprovementStep
        Empty if nothing is gained.
    """
    hunks = _without_idle(problem, objective, before, _hunks(before, after), limits, groups)
    way = _StepList(problem, objective, before, limits, groups)
    while hunks:
        chosen = way.next_step(hunks)
        if not chosen:
            break
        hunks = [hunk for hunk in hunks if hunk not in chosen]
    return tuple(way.steps)


class _StepList:
    """Steps made so far, and the gain of each hunk when it was last tried."""

    def __init__(
        self, problem: Problem, objective: Objective, before: Plan, limits: RouteLimits, groups: Sequence[GroupPresence] = ()
    ) -> None:
        self.problem, self.objective, self.before, self.limits, self.groups = problem, objective, before, limits, groups
        self.steps: list[ImprovementStep] = []
        self._made: list[_Hunk] = []
        self._value = problem.value(before, objective)
        self._last: dict[_Hunk, float] = {}

    def next_step(self, left: list[_Hunk]) -> list[_Hunk]:
        """Make the most useful hunk; if none is possible alone, those of one route, then all that are left."""
        tries = [[hunk] for hunk in sorted(left, key=lambda hunk: (-self._last.get(hunk, math.inf), hunk.route, hunk.low))]
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
            if plan is None or not _breaks_nothing_new(self.problem, self.before, plan, self.limits):
                continue
            if is_worse(self.groups, self.problem.network, self.before, plan):
                continue
            value = self.problem.value(plan, self.objective)
            rate = (value - self._value) / max(1, sum(hunk.size for hunk in chosen))
            if len(chosen) == 1:
                self._last[chosen[0]] = rate
            if best is None or rate > best[0]:
                best = rate, chosen, plan, value
        return None if best is None else best[1:]


def _hunks(before: Plan, after: Plan) -> list[_Hunk]:
    """Sections that differ, in the order of routes; their sizes add up to the stops changed."""
    hunks = []
    for k, (old, new) in enumerate(zip(before.routes, after.routes, strict=True)):
        a, b = old.stops.tolist(), new.stops.tolist()
        pairs = [(-1, -1), *_kept_positions(a, b), (len(a), len(b))]
        for (p, q), (u, v) in pairwise(pairs):
            if u - p > 1 or v - q > 1:
                hunks.append(_Hunk(k, p + 1, u, tuple(b[q + 1 : v])))
    return hunks


def _kept_positions(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """Positions of the stops that an alignment of fewest changes keeps, ascending."""
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
        for hunk in sorted((hunk for hunk in hunks if hunk.route == k), key=lambda hunk: -hunk.low):
            stops[hunk.low : hunk.high] = hunk.into
        if len(stops) < 2 or len(set(stops)) < len(stops):  # noqa: PLR2004 - a route needs two stops
            return None
        routes[k] = Route(stops, routes[k].name)
    return Plan(tuple(routes), before.network_fingerprint)


def _breaks_nothing_new(problem: Problem, before: Plan, plan: Plan, limits: RouteLimits) -> bool:
    """Whether a plan breaks no limit that the given one keeps, and none by more."""
    return not newly_broken(problem.network, before, plan, limits)


def _without_idle(
    problem: Problem, objective: Objective, before: Plan, hunks: list[_Hunk], limits: RouteLimits, groups: Sequence[GroupPresence]
) -> list[_Hunk]:
    """Hunks without those whose removal lowers neither the objective nor what the groups must have."""
    kept = list(hunks)
    whole = _applied(before, kept) or before
    value = problem.value(whole, objective)
    for hunk in sorted(hunks, key=lambda hunk: (-hunk.size, hunk.route, hunk.low)):
        others = [other for other in kept if other is not hunk]
        plan = _applied(before, others)
        if plan is None or not _breaks_nothing_new(problem, before, plan, limits) or is_worse(groups, problem.network, whole, plan):
            continue
        if (without := problem.value(plan, objective)) >= value:
            kept, value = others, without
    return kept


def _as_step(before: Plan, chosen: Sequence[_Hunk], gain: int, plan: Plan) -> ImprovementStep:
    """One step of hunks that are made together."""
    first = min(chosen, key=lambda hunk: (hunk.route, hunk.low))
    out = np.concatenate([before.routes[hunk.route].stops[hunk.low : hunk.high] for hunk in chosen]).astype(np.int32)
    into = np.array([stop for hunk in chosen for stop in hunk.into], np.int32)
    names = " and ".join(dict.fromkeys(before.names[hunk.route] for hunk in chosen))
    return ImprovementStep(names, out, into, first.low, sum(hunk.size for hunk in chosen), gain, plan)


def step_document(step: ImprovementStep) -> dict[str, Any]:
    """
    Step as plain values for JSON, without counts of trips.

    Parameters
    ----------
    step
        The step.

    Returns
    -------
    dict
        Stops out and in, and how many change.
    """
    return {"stops_out": step.out.tolist(), "stops_in": step.into.tolist(), "n_changed": step.n_changed}
