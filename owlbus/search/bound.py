"""
Upper bounds that hold for all plans within the limits, not only for the routes that a search has met.

A trip counts only if both ends lie in walk sheds of stops of the plan. So its weight may be split between its ends, and with
prices on hexes the plan is worth at most what hexes bring in beyond their price plus what the dearest routes earn in prices.
The dearest routes are found on a relaxation that holds every simple route within the limits (`owlbus.kernels.bound_routes`); splits
and prices descend on the routes known so far (`owlbus.kernels.bound_multipliers`), and each price tried yields a proven bound of its own.
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
from owlbus.kernels.bound_structs import PairWeights
from owlbus.plan.limits import RouteLimits
from owlbus.search.objective import Objective
from owlbus.search.problem import Problem
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

_FIRST_PRICE = 0.7

_INNER_STEPS = 300

_LEVEL, _LEAST_LEVEL = 0.01, 1e-4

_FARTHER, _NEARER, _LEAST_PART = 1.5, 0.6, 0.1

_FINER = 0.8

_LEARN_GAP = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class BoundProblem:
    """
    What a bound is computed from.

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
    def of_case(cls, problem: Problem, objective: Objective) -> BoundProblem:
        """
        Problem of a case: pairs that no ride can serve are left out.

        Parameters
        ----------
        problem
            Network, demand and rule.
        objective
            What a plan is worth.

        Returns
        -------
        BoundProblem
            Arrays in the rows of the case.
        """
        from owlbus.kernels.bound_multipliers import least_drive

        if objective.is_travel_time:
            return cls.of_travel_time(problem)
        network = problem.network
        first = np.repeat(np.arange(problem.n_rows, dtype=np.int32), np.diff(problem.indptr))
        once = first < problem.partner
        first, second = first[once], problem.partner[once]
        weight = np.zeros(first.size)
        ends = [(first, second), (second, first)]
        for units, limit_s, (begin, end) in zip(problem.pair_quanta, problem.pair_limit_s, ends, strict=False):
            drive = least_drive(network.shed_indptr, problem.graph.shed_hex, problem.n_rows, network.drive_s, begin, end)
            weight += np.where(drive <= limit_s[once], units[once], 0) * float(objective.trips)
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
        Problem of a case where travel time counts: a trip saves no more than on the fastest way between its stops.

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
    Where a bound stood.

    Attributes
    ----------
    steps
        Prices tried so far.
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
    What proves a bound, and where a later run can go on from.

    Attributes
    ----------
    split
        Part of each pair's weight that its first hex gets, in 1/1024, shape (P,), float64.
    price
        Price of covering each hex, in 1/1024, shape (H,), float64, >= 0.
    """

    split: NDArray[np.float64]
    price: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BoundResult:
    """
    A proven upper bound.

    Attributes
    ----------
    bound_quanta, total_quanta
        No plan within the limits is worth more than the first; a plan that served everything is worth the second; in 1/1024.
    multipliers
        Splits and prices that prove it; None where a listing of all routes does.
    steps
        Prices tried.
    elapsed_s
        Seconds of work.
    trace
        Course of the bound, in time order.
    routes
        Stops of each route of the best plan, int32, each of shape (n,), where a listing of all routes found one; else empty.

    Examples
    --------
    >>> from owlbus import Case, Demand, HexGrid, Network, RouteLimits, upper_bound
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> bound = upper_bound(Case.build(network, demand), 1, limits=RouteLimits(max_length_m=5_000), steps=10)
    >>> bound.share, bound.bound_units / 1024
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
        """Bound over what a plan that served everything is worth, 0 to 1."""
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
    Bound that no plan of K routes within the limits exceeds, whatever its routes.

    Relaxed are: the ride, as soon as some path is fast enough; transfers; circuity and the least length; and routes may come back
    to places outside their memory. Kept are length, ride time, stops, fleet and total length, rounded in the plans' favour.

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
        Seconds of work after which the bound is returned; one step is always done.
    listed_s
        Seconds for the exact choice where all routes can be listed; `seconds` if None.
    steps
        Prices to try at most; no such end if None.
    start
        Where an earlier run on the same case and objective ended.
    on_step
        Called after each price tried; the bound is returned once it returns True.

    Returns
    -------
    BoundResult
        The bound; the same for the same `steps` if the seconds do not end the run.

    Raises
    ------
    UsageError
        If `n_routes` is below 1.
    """
    value = Objective.parse(objective) if isinstance(objective, str) else objective
    within = limits or RouteLimits()
    if n_routes < 1:
        msg = f"{setting('n_routes')} must be at least 1, got {n_routes}"
        raise UsageError(msg, setting="n_routes", value=n_routes, allowed=(1, math.inf))
    if _without_transfers(problem, value, n_routes):
        exact = _listed_bound(problem, value, n_routes, within, seconds if listed_s is None else listed_s)
        if exact is not None:
            return exact
    bounder = Bounder(BoundProblem.of_case(problem, value), n_routes, within, start)
    while True:
        now = bounder.step()
        ended = now.elapsed_s >= seconds or (steps is not None and now.steps >= steps)
        if ended or (on_step is not None and on_step(now)) or bounder.is_done:
            return bounder.result()


def _without_transfers(problem: Problem, objective: Objective, n_routes: int) -> bool:
    """Whether no transfer can count."""
    return not objective.is_travel_time and (
        n_routes == 1 or not (objective.trips and objective.max_transfers and problem.rule.max_transfers)
    )


def _listed_bound(problem: Problem, objective: Objective, n_routes: int, limits: RouteLimits, seconds: float) -> BoundResult | None:
    """Bound by the best of all routes, or None if they are too many to list."""
    from owlbus.search.exact import best_of_listing, list_problem

    began = time.perf_counter()
    listing = list_problem(problem, objective, limits)
    if listing is None:
        return None
    best = best_of_listing(listing, n_routes, limits, seconds)
    point = BoundPoint(1, time.perf_counter() - began, best.bound_quanta)
    return BoundResult(best.bound_quanta, problem.total_value(objective), None, 1, point.elapsed_s, (point,), best.routes)


class Bounder:
    """
    A bound under way: each step tries prices, which proves a bound, and learns the routes that are dearest under them.

    Compiled code runs without the interpreter's lock, so that a thread can step beside a search.

    Parameters
    ----------
    bound_problem
        Network and demand.
    n_routes
        Routes K, >= 1.
    limits
        What a plan must keep.
    start
        Where an earlier run on the same problem ended.

    Raises
    ------
    UsageError
        If `n_routes` is below 1, or `start` belongs to another problem.
    """

    def __init__(self, bound_problem: BoundProblem, n_routes: int, limits: RouteLimits, start: Multipliers | None = None) -> None:
        """Choose the scarcest resource and make room for walks and known routes."""
        from owlbus.search.route_pricing import RoutePricer

        if n_routes < 1:
            msg = f"{setting('n_routes')} must be at least 1, got {n_routes}"
            raise UsageError(msg, setting="n_routes", value=n_routes, allowed=(1, math.inf))
        if start is not None and (start.split.shape, start.price.shape) != (bound_problem.weight.shape, bound_problem.bonus.shape):
            msg = (
                f"a start must have {bound_problem.weight.size} splits and {bound_problem.bonus.size} prices, got {start.split.size} and "
                f"{start.price.size}; take one from the same case and objective"
            )
            raise UsageError(msg)
        self.bound_problem = bound_problem
        self.steps, self.elapsed_s = 0, 0.0
        self._demand = PairWeights(bound_problem.first, bound_problem.second, bound_problem.weight, bound_problem.bonus)
        ends = np.concatenate([bound_problem.first, bound_problem.second])
        self._top = bound_problem.bonus + np.bincount(ends, weights=np.tile(bound_problem.weight, 2), minlength=bound_problem.bonus.size)
        if start is None:
            start = Multipliers(bound_problem.weight / 2, (self._top + bound_problem.bonus) * _FIRST_PRICE / 2)
        self._at = Multipliers(np.clip(start.split, 0, bound_problem.weight), np.clip(start.price, 0, self._top))
        self._pricer = RoutePricer(bound_problem.graph, bound_problem.bonus.size, n_routes, limits, self._at.price)
        self._best = float(bound_problem.weight.sum() + bound_problem.bonus.sum())
        self._reached, self._model = math.inf, 0.0
        self._level, self._part = _LEVEL, 1.0
        self._trace: list[BoundPoint] = []

    @property
    def bound_quanta(self) -> int:
        """Proven bound in 1/1024; plans are worth whole units, so it is rounded down after a margin for float sums."""
        return math.floor(self._best * (1 + _MARGIN) + _MARGIN)

    @property
    def is_done(self) -> bool:
        """Whether further steps can hardly lower the bound."""
        return self._level < _LEAST_LEVEL

    def step(self) -> BoundPoint:
        """
        Try prices.

        Returns
        -------
        BoundPoint
            Where the bound stands now.
        """
        began = time.perf_counter()
        if self.steps == 0:
            self._try(self._at)
        else:
            self._descend()
        self.steps += 1
        self.elapsed_s += time.perf_counter() - began
        self._trace.append(BoundPoint(self.steps, self.elapsed_s, self.bound_quanta))
        return self._trace[-1]

    def result(self) -> BoundResult:
        """
        What is proven so far.

        Returns
        -------
        BoundResult
            The bound and what proves it.
        """
        return BoundResult(self.bound_quanta, self.bound_problem.total_quanta, self._at, self.steps, self.elapsed_s, tuple(self._trace))

    def _descend(self) -> None:
        """Go downhill on the known routes, and part of the way there: farther after a success, less far after a failure."""
        from owlbus.kernels.bound_multipliers import descend

        split, price = self._at.split.copy(), self._at.price.copy()
        aim = Multipliers(np.empty_like(split), np.empty_like(price))
        pricer = self._pricer
        self._model = descend(
            self._demand,
            pricer.mixes,
            pricer.pool,
            pricer.n_known,
            self._top,
            split,
            price,
            aim.split,
            aim.price,
            _INNER_STEPS,
            self._level,
        )
        part = self._part
        between = Multipliers(self._at.split + part * (aim.split - self._at.split), self._at.price + part * (aim.price - self._at.price))
        lower = self._try(between)
        self._part = min(part * (_FARTHER if lower else _NEARER), 1.0)
        if self._part < _LEAST_PART:
            self._level, self._part = self._level * _FINER, 1.0

    def _try(self, point: Multipliers) -> bool:
        """Prove the bound at a point and learn its dearest routes; whether it is the lowest so far."""
        from owlbus.kernels.bound_multipliers import hexes_worth

        profit = np.empty_like(point.price)
        value = hexes_worth(self._demand, point.split, point.price, profit) + self._pricer.dearest(point.price)
        self._pricer.learn(repeats=value <= self._model * (1 + _LEARN_GAP))
        lower = bool(value < self._reached)
        if lower:
            self._reached, self._at = value, point
            self._best = min(self._best, value)
        return lower


_FOREVER_S = 1e9

_LISTED_S = 60.0

_LOOK_S = 0.2


class BoundProver:
    """
    Lowers a bound in the background, as a context: on the way out it ends after the price under way.

    Not for users: `owlbus.search.plan_routes` and `owlbus.search.upper_bound` are. Where all routes can be listed, the bound comes at
    once and is exact.

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
        Prices to try; 0 for no bound at all, None for as many as there is time for.
    """

    def __init__(self, problem: Problem, objective: Objective, limits: RouteLimits, n_routes: int, steps: int | None) -> None:
        """Begin."""
        self.bound_quanta: int | None = None
        self.tried, self.steps = 0, steps
        self._end = Event()
        self._pool = ThreadPoolExecutor(1)
        self._work = None if steps == 0 else self._pool.submit(self._prove, problem, objective, limits, n_routes)

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End after the price under way."""
        self._end.set()
        self._pool.shutdown()

    @property
    def is_done(self) -> bool:
        """Whether all prices were tried; an error in the thread is raised here."""
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
        Try the prices that are left, if the time allows.

        Parameters
        ----------
        stop_when
            Limits of the search; its seconds are kept.
        began_s
            When the search began, of `time.perf_counter`.
        note
            Says how the search stands.

        Returns
        -------
        bool
            Whether any were left.
        """
        if self.steps is None or self.is_done:
            return False
        ends_s = began_s + min([math.inf, *(limit.seconds for limit in stop_when if isinstance(limit, MaxSeconds))])
        step = current_progress().step("Prove the bound", self.steps)
        while not self.wait(min(_LOOK_S, ends_s - time.perf_counter())) and time.perf_counter() < ends_s:
            step.reach(self.tried, note())
        return True

    def _prove(self, problem: Problem, objective: Objective, limits: RouteLimits, n_routes: int) -> None:
        """Try prices until there were enough of them, or until told to end."""
        found = upper_bound(
            problem,
            n_routes,
            limits=limits,
            objective=objective,
            seconds=_FOREVER_S,
            listed_s=_LISTED_S,
            steps=self.steps,
            on_step=self._note,
        )
        self.bound_quanta = found.bound_quanta

    def _note(self, now: BoundPoint) -> bool:
        """Remember the bound; whether to end."""
        self.bound_quanta, self.tried = now.bound_quanta, now.steps
        return self._end.is_set()
