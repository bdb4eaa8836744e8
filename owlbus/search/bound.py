"""
Upper bound on the objective of all plans within the limits, by Lagrangian relaxation.

A trip counts only if both ends lie in walk sheds of stops of the plan. So its weight is split between its ends, and each hex has a
multiplier. A plan is worth at most the weight of each hex above its multiplier, plus the multipliers of the hexes that its routes cover.
The K routes that cover the most are found on a relaxation that contains every simple route within the limits
(`owlbus.kernels.bound_routes`). Splits and multipliers descend on the routes known so far (`owlbus.kernels.bound_multipliers`). Each
iteration proves a bound of its own.

Where no transfer can count, iterations that keep rides follow (`owlbus.search.direct_bound`), from the multipliers found so far.
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
from owlbus.kernels.bound_multipliers import descend, hexes_worth
from owlbus.kernels.bound_structs import PairWeights
from owlbus.plan.limits import RouteLimits
from owlbus.search.area_bound import require_presence
from owlbus.search.arms_problem import ArmsProblem, fits
from owlbus.search.bound_problem import BoundProblem
from owlbus.search.constraints import PlanConstraints
from owlbus.search.cover_master import CoverMaster
from owlbus.search.direct_bound import ArmsBound, first_multipliers
from owlbus.search.exact import best_of_listing, list_problem
from owlbus.search.fixed_part import FreeRoutes, beside_fixed, without_transfers
from owlbus.search.objective import Objective
from owlbus.search.problem import Problem
from owlbus.search.route_pricing import RoutePricer
from owlbus.search.stopping import MaxSeconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

    from owlbus.demand import Demand
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

_BY_ENDS = 15
"""Iterations by ends before those by arms, which take ten times as long."""
_MET = 1e-5


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
        Multipliers of the bound by ends from which a later run can continue; None where a listing of all routes proves the bound.
    steps
        Iterations.
    elapsed_s
        Seconds of work.
    trace
        Bound after each iteration, in time order.
    routes
        Stops of each route of the best plan, int32, each of shape (n,), where a listing of all routes found one; else empty.
    has_converged
        Whether further iterations cannot lower it, since the routes met are worth as much; never told where pairs count.

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
    has_converged: bool = False

    @property
    def share(self) -> float:
        """Bound over the objective of a plan that served everything, 0 to 1."""
        return self.bound_quanta / self.total_quanta


def upper_bound(
    problem: Problem,
    n_routes: int = N_ROUTES,
    *,
    limits: RouteLimits | None = None,
    constraints: PlanConstraints | None = None,
    objective: Objective | str = "served",
    seconds: float = 60.0,
    listed_s: float | None = None,
    steps: int | None = None,
    start: Multipliers | None = None,
    on_step: Callable[[BoundPoint], bool] | None = None,
    by_area: Demand | None = None,
) -> BoundResult:
    """
    Upper bound on the objective of every plan of K routes within the limits that keeps the constraints.

    The bound ignores the ride time if some path is fast enough, transfers, spurs and the least length, and lets routes return to stops
    outside their memory. It keeps length, ride time, stops, fleet and total length, rounded in favour of the plans, and the circuity
    between terminals by zones of them. On networks of more than 6,000 stops it ignores circuity.

    Of the constraints it keeps fixed routes, whose coverage is given whatever limits they break, and forbidden stops and links. It ignores
    required stops, hubs, depots, terminals and groups.

    Where no transfer can count, later iterations also ask that each trip's ride along its route is short enough. They take ten times as
    long, on two threads, and are left out on networks too large for them (`owlbus.search.arms_problem.fits`): about 2,500 stops on links
    of equal length, fewer where links differ much.

    Where no transfer can count and all routes of the network can be listed, nothing is relaxed, and the best plan comes with the
    bound (`owlbus.search.exact`).

    Parameters
    ----------
    problem
        Network, demand and rule.
    n_routes
        Routes K, >= 1.
    limits
        What a plan must keep; the defaults of `RouteLimits` if None. Fixed routes keep those of all routes together alone.
    constraints
        What else a plan must keep; nothing if None.
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
    by_area
        Demand of the problem, for a bound on the people reached by area, as figures are published, rather than by the rule of the search:
        each hex counts by the share of its area within the walk of any stop. Only with the objective ``presence``; None for the rule of
        the search.

    Returns
    -------
    BoundResult
        The bound; the same for the same `steps` unless the seconds end the run.

    Raises
    ------
    UsageError
        If `n_routes` is below 1, or trips are to be counted by area.
    InfeasibleError
        If fixed routes take more than a whole plan may have.
    """
    objective = Objective.parse(objective) if isinstance(objective, str) else objective
    limits, constraints = limits or RouteLimits(), constraints or PlanConstraints()
    _require_routes(n_routes)
    if by_area is not None:
        require_presence(objective)
    problem, free = constraints.problem(problem), FreeRoutes.beside(constraints, problem.network, n_routes, limits)
    if free.n_routes < 1 and constraints.fixed is not None and by_area is None:
        return BoundResult(problem.value(constraints.fixed, objective), problem.total_value(objective), None, 0, 0.0)
    is_direct = by_area is None and without_transfers(problem, objective, n_routes)
    if is_direct:
        exact = _listed_bound(problem, objective, n_routes, limits, constraints, seconds if listed_s is None else listed_s)
        if exact is not None:
            return exact
    compiled = BoundProblem.of_problem if by_area is None else lambda whole, _: BoundProblem.of_area(whole, by_area)
    left, bound_problem = beside_fixed(compiled, problem, objective, constraints, is_direct=is_direct)
    if free.n_routes < 1:
        return BoundResult(bound_problem.given_quanta, bound_problem.total_quanta, None, 0, 0.0)
    bounder = Bounder(bound_problem, free.n_routes, free.limits, start)
    if is_direct and bound_problem.weight.size:
        bounder.use_arms(left, objective, free.limits)
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


def _listed_bound(
    problem: Problem, objective: Objective, n_routes: int, limits: RouteLimits, constraints: PlanConstraints, seconds: float
) -> BoundResult | None:
    """Bound by the best of all routes, or None if they are too many to list."""
    began_s = time.perf_counter()
    listing = list_problem(problem, objective, limits, constraints)
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
        is_whole = all(np.array_equal(column, np.rint(column)) for column in (bound_problem.weight, bound_problem.bonus))
        self._round = math.floor if is_whole else math.ceil
        self._level, self._step_share, self._is_finest = _LEVEL, 1.0, False
        self._trace: list[BoundPoint] = []
        self._arms_problem: ArmsProblem | None = None
        self._arms: ArmsBound | None = None
        self._master = None if bound_problem.weight.size else CoverMaster(bound_problem.bonus, self._pricer.mixes)

    def use_arms(self, problem: Problem, objective: Objective, limits: RouteLimits) -> None:
        """
        Let iterations that keep rides follow the first ones, unless the network is too large.

        Parameters
        ----------
        problem
            Network, demand and rule that the bound is for.
        objective
            What a plan is worth; a trip counts without a transfer.
        limits
            What a plan must keep.
        """
        if fits(problem.graph, self._pricer.budget):
            self._arms_problem = ArmsProblem.build(problem, objective, limits, self._pricer.budget)

    @property
    def bound_quanta(self) -> int:
        """Proven bound in 1/1024 after a margin for float sums, rounded down where objectives are whole numbers, else up."""
        return self.bound_problem.given_quanta + self._round(self._best * (1 + _MARGIN) + _MARGIN)

    @property
    def is_done(self) -> bool:
        """Whether further steps can hardly lower the bound."""
        if self._arms_problem is not None:
            return self._arms is not None and self._arms.is_done
        return self._level < _LEAST_LEVEL or self.has_converged

    @property
    def has_converged(self) -> bool:
        """Whether the known routes are worth the bound, so that only a closer look at routes could lower it; never told for pairs."""
        return self._is_finest and self._master is not None and self._lowest <= self._model * (1 + _MET)

    def step(self) -> BoundPoint:
        """
        Do one iteration.

        Returns
        -------
        BoundPoint
            Bound after it.
        """
        began_s = time.perf_counter()
        if self._arms_problem is not None and self.steps >= _BY_ENDS:
            self._step_arms(self._arms_problem)
        elif self.steps == 0:
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
        proof = self.bound_quanta, self.bound_problem.total_quanta, self._point, self.steps, self.elapsed_s
        return BoundResult(*proof, tuple(self._trace), has_converged=self.has_converged)

    def _step_arms(self, arms_problem: ArmsProblem) -> None:
        """Prove a bound that keeps rides."""
        if self._arms is None:
            point = self._point
            self._arms = ArmsBound(arms_problem, first_multipliers(arms_problem, self._demand, point.split, point.hex_multiplier))
        self._best = min(self._best, self._arms.step())

    def _descend(self) -> None:
        """Step towards the multipliers that are best for the known routes, and look more closely once little is left to gain there."""
        if self._master is None or self._pricer.is_coarse:  # duals of few routes lead astray: steps are better to begin with
            self._descend_by_steps()
            return
        self._master.note(self._lowest)
        if not self._is_finest and self._master.is_nearly_met:
            self.look_closer()
        self._model = self._master.solve(self._pricer.pool, self._pricer.version)
        self._try(Multipliers(self._point.split, self._master.towards_duals(self._point.hex_multiplier)))

    def look_closer(self) -> None:
        """Look more closely at routes from now on, for longer a step; what the known ones are worth is found anew."""
        self._is_finest = not self._pricer.refine()

    def _descend_by_steps(self) -> None:
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
            if not self._is_finest:
                self.look_closer()

    def _try(self, point: Multipliers) -> bool:
        """Prove the bound at a point and learn its most valuable routes; return whether the bound is the lowest so far."""
        profit = np.empty_like(point.hex_multiplier)
        value = hexes_worth(self._demand, point.split, point.hex_multiplier, profit) + self._pricer.most_valuable(point.hex_multiplier)
        self._pricer.learn(point.hex_multiplier, repeats=value <= self._model * (1 + _LEARN_GAP))
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
    constraints
        What else a plan must keep; nothing if None.
    """

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        limits: RouteLimits,
        n_routes: int,
        steps: int | None,
        constraints: PlanConstraints | None = None,
    ) -> None:
        """Start the thread."""
        self._constraints = constraints
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
            constraints=self._constraints,
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
