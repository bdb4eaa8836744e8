"""A search of a few seconds around locked routes: incumbents as they get better, and the result as one edit."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import OwlbusError, UsageError
from owlbus.explore.help_words import help_text
from owlbus.plan import Plan, plan_measures
from owlbus.plan.check import ALL_ROUTES, broken_limits
from owlbus.search import Objective, PlanConstraints, plan_routes
from owlbus.search.polish import PublishedValue, polish
from owlbus.search.stopping import MaxSeconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from owlbus.explore.edited_plan import EditedPlan, EditedRoute
    from owlbus.explore.opened_run import OpenedRun
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.stopping import Snapshot

MOST_SECONDS = 120
"""Seconds of a search at most."""

_SEARCH_PART = 0.5
"""Part of the seconds for routes as a whole; the rest goes to single stops, by the figures as they are published."""

_TRIALS = 100_000
_TELL_S = 0.5
_KEPT_RULES = ("required", "hubs", "forbidden", "forbidden_links", "depots")


@dataclass(frozen=True, slots=True, eq=False)
class SearchAround:
    """
    What a search may change and what stays.

    Attributes
    ----------
    held
        Routes that stay as they are: locked ones, those with a way back of their own, and those that break a limit.
    free
        All other routes.
    limits
        What free routes keep, in metres and seconds; all routes together get no more kilometres and buses than they have.
    constraints
        What the plan keeps beside.
    objective
        What counts.
    broken
        Names of the routes that stay because they break a limit.
    """

    held: tuple[EditedRoute, ...]
    free: tuple[EditedRoute, ...]
    limits: RouteLimits
    constraints: PlanConstraints
    objective: Objective
    broken: tuple[str, ...]

    @classmethod
    def of(cls, run: OpenedRun, plan: EditedPlan, language: str = "en") -> SearchAround:
        """
        Set up a search.

        Parameters
        ----------
        run
            The opened run, whose limits, objective and constraints hold; metres and seconds.
        plan
            The plan in hand.
        language
            Of the message where nothing can change, ``en`` or ``ko``.

        Returns
        -------
        SearchAround
            Its routes in two parts.

        Raises
        ------
        UsageError
            If no route can change.
        """
        measures = plan_measures(run.study.network, plan.to_plan(), run.headway_s)
        broken = {row.name for row in broken_limits(measures, run.limits) if row.name != ALL_ROUTES}
        free = tuple(row for row in plan.routes if not _is_held(row) and row.name not in broken)
        if not free:
            raise UsageError(help_text(language, "improve.locked"))
        held = tuple(row for row in plan.routes if row not in free)
        limits = replace(run.limits, max_total_length_m=max(1, measures.total_length_m), max_buses=max(1, measures.total_buses))
        fixed = Plan(tuple(row.to_route() for row in held), plan.network_fingerprint)
        names = tuple(row.name for row in held if not _is_held(row))
        return cls(held, free, limits, constraints_of_run(run.about, fixed), objective_of_run(run), names)

    @property
    def begin(self) -> Plan:
        """The plan in hand, routes that stay first."""
        routes = tuple(row.to_route() for row in (*self.held, *self.free))
        return Plan(routes, self.constraints.fixed.network_fingerprint if self.constraints.fixed is not None else "")

    def changes_to(self, plan: Plan) -> dict[str, list[int] | None]:
        """
        Return the stops of each route that differs in another `plan`, by its key; None for a route that it lacks.

        Which route became which is told by the stops that both share.
        """
        from scipy.optimize import linear_sum_assignment

        rows = [route.stops.tolist() for route in plan.routes[len(self.held) :]]
        shared = np.array([[len(set(row.stops) & set(stops)) for stops in rows] for row in self.free]).reshape(len(self.free), len(rows))
        first, second = linear_sum_assignment(-shared)
        found: dict[str, list[int] | None] = {self.free[a].key: rows[b] for a, b in zip(first.tolist(), second.tolist(), strict=True)}
        changes = {row.key: found.get(row.key) for row in self.free}
        return {row.key: changes[row.key] for row in self.free if changes[row.key] not in ([*row.stops], [*row.stops[::-1]])}


def search_around(
    run: OpenedRun, around: SearchAround, seconds: float, on_better: Callable[[Plan], object], is_stopped: Callable[[], bool], seed: int = 0
) -> Plan:
    """
    Search for a better plan by the figures as they are published.

    The first half of the time changes routes as a whole by the search's own rule, the second half single stops by area; a plan is better
    only if it is worth more by area.

    Parameters
    ----------
    run
        The opened run.
    around
        What may change.
    seconds
        Seconds of the whole search.
    on_better
        Called with each better plan, the routes that stay first.
    is_stopped
        Asked often; the search ends once it returns True.
    seed
        Seed of the random numbers, so that a second search tries other changes.

    Returns
    -------
    Plan
        The best plan, which is the given one if none is better.
    """
    ends_s = time.perf_counter() + seconds
    best = _Best(run, around, on_better)
    search: dict[str, Any] = {"limits": around.limits, "constraints": around.constraints, "rule": run.evaluator.problem.rule}
    search |= {"objective": around.objective, "begin": around.begin, "stop_when": [MaxSeconds(seconds * _SEARCH_PART)]}
    search |= {"n_starts": 1, "seed": seed}

    def on_progress(now: Snapshot) -> bool:
        del now
        return is_stopped() or time.perf_counter() >= ends_s

    result = plan_routes(run.study.network, run.study.demand, len(around.begin), on_gain=best.offer, on_progress=on_progress, **search)
    best.offer(result.plan)
    if best.value is None or is_stopped() or not around.begin.is_reversible:
        return best.plan

    def on_polished(plan: Plan) -> bool:
        best.offer(plan)
        return is_stopped()

    polish(best.value, best.plan, around.limits, around.constraints, _TRIALS, ends_s, on_polished)
    return best.plan


class _Best:
    """The best plan so far, by area."""

    def __init__(self, run: OpenedRun, around: SearchAround, on_better: Callable[[Plan], object]) -> None:
        problem = run.evaluator.problem
        self._problem, self._objective, self._on_better = problem, around.objective, on_better
        self.value = PublishedValue.build(problem, run.study.demand, around.objective)
        self.plan = around.begin
        self._worth = self._of(around.begin)

    def offer(self, plan: Plan) -> None:
        """Take up a plan that is worth more."""
        worth = self._of(plan)
        if worth > self._worth:
            self.plan, self._worth = plan, worth
            self._on_better(plan)

    def _of(self, plan: Plan) -> float:
        """Return what a plan is worth as figures are published, or as the search counts where both are one."""
        return float(self._problem.value(plan, self._objective)) if self.value is None else self.value.of(plan)


def _is_held(route: EditedRoute) -> bool:
    """Whether a route stays whatever the limits are."""
    return route.is_locked or route.back is not None or len(set(route.stops)) < len(route.stops)


def objective_of_run(run: OpenedRun) -> Objective:
    """Return the objective of the run's search; trips served, or people, where that is none that a plan in hand is improved for."""
    own = Objective() if run.study.demand.counts_trips else Objective(trips=0, presence=1)
    name = run.about["settings"].get("objective")
    if not isinstance(name, str):
        return own
    try:
        chosen = Objective.of_counted(name, run.study.demand)
    except OwlbusError:
        return own
    return own if chosen.counts_journeys else chosen


def constraints_of_run(about: Mapping[str, Any], fixed: Plan | None) -> PlanConstraints:
    """
    Constraints that the search of a run kept, as far as they are about stops and links.

    Parameters
    ----------
    about
        Content of its ``run.json``; stops by index.
    fixed
        Routes that stay, or None.

    Returns
    -------
    PlanConstraints
        Without groups and terminals.
    """
    given: Mapping[str, Any] = about["settings"].get("constraints") or {}
    rules = {name: _rows(given[name]) for name in _KEPT_RULES if given.get(name)}
    return PlanConstraints(fixed=fixed, **rules)


def _rows(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return a list of indices, or of pairs, as `PlanConstraints` takes it."""
    return tuple(tuple(map(int, value)) if isinstance(value, list) else int(value) for value in values)


class RunningSearch:
    """
    One search in a thread of its own.

    Parameters
    ----------
    run
        The opened run.
    around
        What may change.
    seconds
        Seconds of the search, in [1, `MOST_SECONDS`].
    tell
        Called in that thread with the changes so far, and by name with the seconds ``left_s``, whether it ``is_done``, and an ``error`` or
        None; twice a second at most.
    seed
        Seed of the random numbers.

    Attributes
    ----------
    seconds
        Seconds of the search.
    changes
        Stop indices of each route that differs in the best plan so far, by its key; None for one that it lacks.
    is_done
        Whether it has ended.
    """

    def __init__(self, run: OpenedRun, around: SearchAround, seconds: float, tell: Callable[..., object], seed: int = 0) -> None:
        self._run, self._around, self._tell, self._seed = run, around, tell, seed
        self._told_s = -math.inf
        self.seconds, self._ends_s = seconds, time.monotonic() + seconds
        self._stop = threading.Event()
        self.changes: dict[str, list[int] | None] = {}
        self.is_done = False
        self._thread = threading.Thread(target=self._search, daemon=True, name="owlbus-improve")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon, with the best plan so far."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most some `seconds`; return whether it is done."""
        self._thread.join(seconds)
        return self.is_done

    def _search(self) -> None:
        """Search, and tell the end whatever it is."""
        error: str | None = None
        try:
            search_around(self._run, self._around, self.seconds, self._better, self._stop.is_set, self._seed)
        except OwlbusError as refused:
            error = str(refused)
        except Exception as bug:  # noqa: BLE001 - the page waits for the end of every search
            error = f"this is a bug in owlbus ({type(bug).__name__})"
        self.is_done = True
        self._tell(self.changes, left_s=0.0, is_done=True, error=error)

    def _better(self, plan: Plan) -> None:
        """Tell a better plan, unless one was told just before: telling takes time from the search."""
        self.changes, now_s = self._around.changes_to(plan), time.monotonic()
        if now_s - self._told_s < _TELL_S:
            return
        self._told_s = now_s
        self._tell(self.changes, left_s=max(0.0, self._ends_s - time.monotonic()), is_done=False, error=None)
