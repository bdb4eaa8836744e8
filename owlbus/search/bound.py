"""
Upper bound on the objective of all plans within the limits, by Lagrangian relaxation.

A trip counts only if both ends lie in walk sheds of stops of the plan. So its weight is split between its ends, and each hex has a
multiplier. A plan is worth at most the weight of each hex above its multiplier, plus the multipliers of the hexes that its routes cover.
The K routes that cover the most are found on a relaxation that contains every simple route within the limits
(`owlbus.kernels.bound_routes`). Splits and multipliers descend on the routes known so far (`owlbus.kernels.bound_multipliers`). Each
iteration proves a bound of its own.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import N_ROUTES
from owlbus.common.errors import UsageError, setting
from owlbus.common.progress import current_progress
from owlbus.kernels.bound_multipliers import descend, hexes_worth, least_drive
from owlbus.kernels.bound_structs import PairWeights
from owlbus.plan.limits import RouteLimits
from owlbus.search.exact import best_of_listing, list_problem
from owlbus.search.objective import Objective
from owlbus.search.problem import Problem
from owlbus.search.route_pricing import RoutePricer
from owlbus.search.stopping import MaxSeconds
from owlbus.search.travel_time_objective import most_saved, stop_trips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

    from owlbus.kernels.structs import Graph
    from owlbus.search.problem import Problem
    from owlbus.search.stopping import SearchLimit


_MARGIN = 1e-9
"""Relative error that float64 sums of a bound may have; sums of 1e7 terms stay far below it."""

_FIRST_MULTIPLIER = 0.7

_INNER_STEPS = 300

_LEVEL, _LEAST_LEVEL = 0.01, 1e-4

_LONGER, _SHORTER, _LEAST_STEP_SHARE = 1.5, 0.6, 0.1

_FINER = 0.8

_LEARN_GAP = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class BoundProblem:
    """
    Input of a bound.

    Attributes
    ----------
    graph
        Links and sheds: ``link_indptr, link_to, link_s, link_m, shed_indptr, shed_hex`` over S stops and H hexes; every link has
        its reverse.
    first, second
        Ends of the unordered pairs of hexes between which a ride can serve trips, shape (P,), int32.
    weight
        What a pair brings if both ends are covered and joined, in 1/1024, shape (P,), float64, > 0.
    bonus
        What each hex brings if it is covered, in 1/1024, shape (H,), float64, >= 0.
    total_quanta
        What a plan that served everything would be worth, in 1/1024.
    """

    graph: Graph
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float64]
    bonus: NDArray[np.float64]
    total_quanta: int

    @classmethod
    def of_problem(cls, problem: Problem, objective: Objective) -> BoundProblem:
        """
        Input of the bound for a problem; pairs that no ride can serve are left out.

        Parameters
        ----------
        problem
            Network, demand and rule.
        objective
            What a plan is worth.

        Returns
        -------
        BoundProblem
            Arrays in the rows of the problem.
        """
        if objective.is_travel_time:
            return cls.of_travel_time(problem)
        network = problem.network
        first = np.repeat(np.arange(problem.n_rows, dtype=np.int32), np.diff(problem.indptr))
        once = first < problem.partner
        first, second = first[once], problem.partner[once]
        weight = np.zeros(first.size)
        ends = [(first, second), (second, first)]
        for quanta, limit_s, (begin, end) in zip(problem.pair_quanta, problem.pair_limit_s, ends, strict=False):
            drive = least_drive(network.shed_indptr, problem.graph.shed_hex, problem.n_rows, network.drive_s, begin, end)
            weight += np.where(drive <= limit_s[once], quanta[once], 0) * float(objective.trips)
        bonus = problem.presence.astype(np.float64) * objective.presence
        return cls(
            graph=problem.graph,
            first=first[weight > 0].astype(np.int32),
            second=second[weight > 0].astype(np.int32),
            weight=weight[weight > 0],
            bonus=bonus,
            total_quanta=problem.total_value(objective),
        )

    @classmethod
    def of_travel_time(cls, problem: Problem) -> BoundProblem:
        """
        Input of the bound where travel time counts: a trip saves at most what the fastest path between its stops saves.

        Parameters
        ----------
        problem
            Network, demand and rule.

        Returns
        -------
        BoundProblem
            Arrays with a row for each stop, which covers itself alone; in 1/1024 of trip-seconds.
        """
        n_stops, trips = problem.network.n_stops, stop_trips(problem)
        saved = np.maximum(problem.rule.unserved_s - problem.fastest_s.astype(np.int64), 0) * trips
        first, second = np.nonzero(np.triu(saved + saved.T, 1))
        return cls(
            graph=problem.graph._replace(shed_indptr=np.arange(n_stops + 1, dtype=np.int64), shed_hex=np.arange(n_stops, dtype=np.int32)),
            first=first.astype(np.int32),
            second=second.astype(np.int32),
            weight=(saved + saved.T)[first, second].astype(np.float64),
            bonus=np.zeros(n_stops),
            total_quanta=most_saved(problem),
        )


@dataclass(frozen=True, slots=True, eq=False)
class BoundPoint:
    """
    Bound after an iteration.

    Attributes
    ----------
    steps
        Iterations so far.
    elapsed_s
        Seconds of work so far.
    bound_quanta
        Proven bound in 1/1024.
    """

    steps: int
    elapsed_s: float
    bound_quanta: int


@dataclass(frozen=True, slots=True, eq=False)
class Multipliers:
    """
    Multipliers that prove a bound, from which a later run can continue.

    Attributes
    ----------
    split
        Part of each pair's weight at its first hex, in 1/1024, shape (P,), float64.
    hex_multiplier
        Multiplier of each hex, in 1/1024, shape (H,), float64, >= 0.
    """

    split: NDArray[np.float64]
    hex_multiplier: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BoundResult:
    """
    A proven upper bound.

    Attributes
    ----------
    bound_quanta, total_quanta
        Upper bound on the objective of all plans within the limits, and objective of a plan that served everything, in 1/1024.
    multipliers
        Multipliers that prove it; None where a listing of all routes does.
    steps
        Iterations.
    elapsed_s
        Seconds of work.
    trace
        Bound after each iteration, in time order.
    routes
        Stops of each route of the best plan, int32, each of shape (n,), where a listing of all routes found one; else empty.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Problem, RouteLimits, upper_bound
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> bound = upper_bound(Problem.build(network, demand), 1, limits=RouteLimits(max_length_m=5_000), steps=10)
    >>> bound.share, bound.bound_quanta / 1024
    (0.6, 60.0)
    """

    bound_quanta: int
    total_quanta: int
    multipliers: Multipliers | None
    steps: int
    elapsed_s: float
    trace: tuple[BoundPoint, ...] = field(default=(), repr=False)
    routes: tuple[NDArray[np.int32], ...] = field(default=(), repr=False)

    @property
    def share(self) -> float:
        """Bound over the objective of a plan that served everything, 0 to 1."""
        return self.bound_quanta / self.total_quanta


def upper_bound(
    problem: Problem,
    n_routes: int = N_ROUTES,
    *,
    limits: RouteLimits | None = None,
    objective: Objective | str = "served",
    seconds: float = 60.0,
    listed_s: float | None = None,
    steps: int | None = None,
    start: Multipliers | None = None,
    on_step: Callable[[BoundPoint], bool] | None = None,
) -> BoundResult:
    """
    Upper bound on the objective of every plan of K routes within the limits.

    The bound ignores the ride time if some path is fast enough, transfers, circuity and the least length, and lets routes return to
    stops outside their memory. It keeps length, ride time, stops, fleet and total length, rounded in favour of the plans.

    Where no transfer can count and all routes of the network can be listed, nothing is relaxed, and the best plan comes with the
    bound (`owlbus.search.exact`).

    Parameters
    ----------
    problem
        Network, demand and rule.
    n_routes
        Routes K, >= 1.
    limits
        What a plan must keep; the defaults of `RouteLimits` if None.
    objective
        What a plan is worth.
    seconds
        Seconds of work after which the bound is returned, after at least one iteration.
    listed_s
        Seconds for the exact choice where all routes can be listed; `seconds` if None.
    steps
        Iterations at most; no limit if None.
    start
        Multipliers of an earlier run on the same problem and objective.
    on_step
        Called after each iteration; the bound is returned once it returns True.

    Returns
    -------
    BoundResult
        The bound; the same for the same `steps` unless the seconds end the run.

    Raises
    ------
    UsageError
        If `n_routes` is below 1.
    """
    objective = Objective.parse(objective) if isinstance(objective, str) else objective
    limits = limits or RouteLimits()
    _require_routes(n_routes)
    if _without_transfers(problem, objective, n_routes):
        exact = _listed_bound(problem, objective, n_routes, limits, seconds if listed_s is None else listed_s)
        if exact is not None:
            return exact
    bounder = Bounder(BoundProblem.of_problem(problem, objective), n_routes, limits, start)
    while True:
        now = bounder.step()
        ended = now.elapsed_s >= seconds or (steps is not None and now.steps >= steps)
        if ended or (on_step is not None and on_step(now)) or bounder.is_done:
            return bounder.result()


def _require_routes(n_routes: int) -> None:
    """Refuse fewer than one route."""
    if n_routes < 1:
        msg = f"{setting('n_routes')} must be at least 1, got {n_routes}"
        raise UsageError(msg, setting="n_routes", value=n_routes, allowed=(1, math.inf))


def _without_transfers(problem: Problem, objective: Objective, n_routes: int) -> bool:
    """Whether no transfer can count."""
    return not objective.is_travel_time and (
        n_routes == 1 or not (objective.trips and objective.max_transfers and problem.rule.max_transfers)
    )


def _listed_bound(problem: Problem, objective: Objective, n_routes: int, limits: RouteLimits, seconds: float) -> BoundResult | None:
    """Bound by the best of all routes, or None if they are too many to list."""
    began_s = time.perf_counter()
    listing = list_problem(problem, objective, limits)
    if listing is None:
        return None
    best = best_of_listing(listing, n_routes, limits, seconds)
    point = BoundPoint(1, time.perf_counter() - began_s, best.bound_quanta)
    return BoundResult(best.bound_quanta, problem.total_value(objective), None, 1, point.elapsed_s, (point,), best.routes)


class Bounder:
    """
    State of a bound; each step proves a bound at some multipliers and adds the most valuable routes under them to the pool.

    Compiled code releases the interpreter's lock, so that a thread can step beside a search.

    Parameters
    ----------
    bound_problem
        Network and demand.
    n_routes
        Routes K, >= 1.
    limits
        What a plan must keep.
    start
        Multipliers of an earlier run on the same problem.

    Raises
    ------
    UsageError
        If `n_routes` is below 1, or `start` belongs to another problem.
    """

    def __init__(self, bound_problem: BoundProblem, n_routes: int, limits: RouteLimits, start: Multipliers | None = None) -> None:
        """Choose the scarcest resource and allocate walks and known routes."""
        _require_routes(n_routes)
        sizes = bound_problem.weight.size, bound_problem.bonus.size
        if start is not None and (start.split.size, start.hex_multiplier.size) != sizes:
            msg = (
                f"a start must have {sizes[0]} splits and {sizes[1]} multipliers, got {start.split.size} and "
                f"{start.hex_multiplier.size}; take one from the same problem and objective"
            )
            raise UsageError(msg)
        self.bound_problem = bound_problem
        self.steps, self.elapsed_s = 0, 0.0
        self._demand = PairWeights(bound_problem.first, bound_problem.second, bound_problem.weight, bound_problem.bonus)
        ends = np.concatenate([bound_problem.first, bound_problem.second])
        self._top = bound_problem.bonus + np.bincount(ends, weights=np.tile(bound_problem.weight, 2), minlength=bound_problem.bonus.size)
        if start is None:
            start = Multipliers(bound_problem.weight / 2, (self._top + bound_problem.bonus) * _FIRST_MULTIPLIER / 2)
        self._point = Multipliers(np.clip(start.split, 0, bound_problem.weight), np.clip(start.hex_multiplier, 0, self._top))
        self._pricer = RoutePricer(bound_problem.graph, bound_problem.bonus.size, n_routes, limits, self._point.hex_multiplier)
        self._best = float(bound_problem.weight.sum() + bound_problem.bonus.sum())
        self._lowest, self._model = math.inf, 0.0
        self._level, self._step_share = _LEVEL, 1.0
        self._trace: list[BoundPoint] = []

    @property
    def bound_quanta(self) -> int:
        """Proven bound in 1/1024, rounded down since objectives are whole numbers, after a margin for float sums."""
        return math.floor(self._best * (1 + _MARGIN) + _MARGIN)

    @property
    def is_done(self) -> bool:
        """Whether further steps can hardly lower the bound."""
        return self._level < _LEAST_LEVEL

    def step(self) -> BoundPoint:
        """
        Do one iteration.

        Returns
        -------
        BoundPoint
            Bound after it.
        """
        began_s = time.perf_counter()
        if self.steps == 0:
            self._try(self._point)
        else:
            self._descend()
        self.steps += 1
        self.elapsed_s += time.perf_counter() - began_s
        self._trace.append(BoundPoint(self.steps, self.elapsed_s, self.bound_quanta))
        return self._trace[-1]

    def result(self) -> BoundResult:
        """
        Best bound so far.

        Returns
        -------
        BoundResult
            The bound and the multipliers that prove it.
        """
        return BoundResult(self.bound_quanta, self.bound_problem.total_quanta, self._point, self.steps, self.elapsed_s, tuple(self._trace))

    def _descend(self) -> None:
        """Descend on the known routes, and step a part of the way there: a longer part after a success, a shorter one after a failure."""
        split, hex_multiplier = self._point.split.copy(), self._point.hex_multiplier.copy()
        target = Multipliers(np.empty_like(split), np.empty_like(hex_multiplier))
        pricer = self._pricer
        self._model = descend(
            self._demand,
            pricer.mixes,
            pricer.pool,
            pricer.n_known,
            self._top,
            split,
            hex_multiplier,
            target.split,
            target.hex_multiplier,
            _INNER_STEPS,
            self._level,
        )
        step_share = self._step_share
        trial = Multipliers(
            self._point.split + step_share * (target.split - self._point.split),
            self._point.hex_multiplier + step_share * (target.hex_multiplier - self._point.hex_multiplier),
        )
        is_lower = self._try(trial)
        self._step_share = min(step_share * (_LONGER if is_lower else _SHORTER), 1.0)
        if self._step_share < _LEAST_STEP_SHARE:
            self._level, self._step_share = self._level * _FINER, 1.0

    def _try(self, point: Multipliers) -> bool:
        """Prove the bound at a point and learn its most valuable routes; return whether the bound is the lowest so far."""
        profit = np.empty_like(point.hex_multiplier)
        value = hexes_worth(self._demand, point.split, point.hex_multiplier, profit) + self._pricer.most_valuable(point.hex_multiplier)
        self._pricer.learn(repeats=value <= self._model * (1 + _LEARN_GAP))
        is_lower = bool(value < self._lowest)
        if is_lower:
            self._lowest, self._point = value, point
            self._best = min(self._best, value)
        return is_lower


_FOREVER_S = 1e9

_LISTED_S = 60.0

_LOOK_S = 0.2


class BoundProver:
    """
    Lowers a bound in a thread; as a context manager it stops after the current iteration on exit.

    Users call `owlbus.search.plan_routes` and `owlbus.search.upper_bound`. Where all routes can be listed, the bound comes at once and
    is exact.

    Parameters
    ----------
    problem
        Network, demand and rule.
    objective
        What a plan is worth.
    limits
        What a plan must keep.
    n_routes
        Routes K.
    steps
        Iterations; 0 for no bound, None for no limit.
    """

    def __init__(self, problem: Problem, objective: Objective, limits: RouteLimits, n_routes: int, steps: int | None) -> None:
        """Start the thread."""
        self.bound_quanta: int | None = None
        self.n_tried, self.steps = 0, steps
        self._end = Event()
        self._pool = ThreadPoolExecutor(1)
        self._work = None if steps == 0 else self._pool.submit(self._prove, problem, objective, limits, n_routes)

    def __enter__(self) -> Self:
        """Return the prover."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop after the current iteration."""
        self._end.set()
        self._pool.shutdown()

    @property
    def is_done(self) -> bool:
        """Whether all iterations are done; an error in the thread is raised here."""
        if self._work is None:
            return True
        return self._work.done() and self._work.result() is None

    def wait(self, seconds: float) -> bool:
        """
        Wait for the proof.

        Parameters
        ----------
        seconds
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it is done.
        """
        from concurrent.futures import wait

        if self._work is not None:
            wait([self._work], timeout=max(0.0, seconds))
        return self.is_done

    def finish(self, stop_when: Iterable[SearchLimit], began_s: float, note: Callable[[], str] = str) -> bool:
        """
        Do the remaining iterations, if the time allows.

        Parameters
        ----------
        stop_when
            Limits of the search; its seconds are kept.
        began_s
            When the search began, of `time.perf_counter`.
        note
            Describes the state of the search.

        Returns
        -------
        bool
            Whether any remained.
        """
        if self.steps is None or self.is_done:
            return False
        ends_s = began_s + min([math.inf, *(limit.seconds for limit in stop_when if isinstance(limit, MaxSeconds))])
        step = current_progress().step("Prove the bound", self.steps)
        while not self.wait(min(_LOOK_S, ends_s - time.perf_counter())) and time.perf_counter() < ends_s:
            step.reach(self.n_tried, note())
        return True

    def _prove(self, problem: Problem, objective: Objective, limits: RouteLimits, n_routes: int) -> None:
        """Iterate until `steps` or until the context ends."""
        result = upper_bound(
            problem,
            n_routes,
            limits=limits,
            objective=objective,
            seconds=_FOREVER_S,
            listed_s=_LISTED_S,
            steps=self.steps,
            on_step=self._note,
        )
        self.bound_quanta = result.bound_quanta

    def _note(self, now: BoundPoint) -> bool:
        """Keep the bound; return whether to end."""
        self.bound_quanta, self.n_tried = now.bound_quanta, now.steps
        return self._end.is_set()
