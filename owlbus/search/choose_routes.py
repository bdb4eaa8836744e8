"""The best choice of K routes among candidates, and no others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.defaults import N_ROUTES, N_STARTS
from owlbus.common.ending import Ending
from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.common.units import require_number
from owlbus.plan.limits import RouteLimits
from owlbus.search.annealing_run import AnnealingRun
from owlbus.search.candidates import candidate_routes, exchange_for_candidates, take_candidate
from owlbus.search.constraints import PlanConstraints, require_possible
from owlbus.search.exact import best_of_listing, listing_of
from owlbus.search.exact_constraints import has_exact_rows, plan_of_choice
from owlbus.search.fixed_part import without_transfers
from owlbus.search.objective import Objective
from owlbus.search.pair_objective import PairObjective, valued_demand
from owlbus.search.problem import Problem
from owlbus.search.result import Result
from owlbus.search.spread import with_spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand, DemandWeights
    from owlbus.network import Network
    from owlbus.plan import Plan, Route
    from owlbus.plan.limits import ServiceRule

_MOST_ROUTES = 64
_FIRST_NODES = 200


def choose_routes(
    network: Network,
    demand: Demand,
    candidates: Iterable[Route | Plan],
    n_routes: int = N_ROUTES,
    *,
    limits: RouteLimits | None = None,
    constraints: PlanConstraints | None = None,
    rule: ServiceRule | None = None,
    objective: Objective | PairObjective | str = "served",
    weights: ArrayLike | DemandWeights | None = None,
    seed: int = 0,
    n_starts: int = N_STARTS,
    seconds: float = 60.0,
) -> Result:
    """
    Plan of at most K routes, all of them candidates or fixed.

    Where no transfer can count, the choice is solved as a mixed-integer programme (`owlbus.search.exact`) and is the best one. Else it is
    searched for: every start exchanges whole routes for candidates, each with a chance that grows with what it adds, and ends where no
    exchange of one route makes the plan better. All constraints are kept.

    Parameters
    ----------
    network
        Stop network of S stops over H hexes.
    demand
        Trips between the hexes of the network's grid.
    candidates
        Routes, or plans of them, at most 800; each keeps the limits of a route.
    n_routes
        Routes K, fixed ones included, in [1, 64].
    limits
        What the plan must keep; the defaults of `RouteLimits` if None.
    constraints
        What else it must keep; nothing if None.
    rule
        When a trip counts as served; the defaults of `ServiceRule` if None.
    objective
        What to maximise, but for travel time.
    weights
        Dimensionless weights of hexes, shape (H,), or of trips too, as of `owlbus.plan_routes`.
    seed
        Seed of all random numbers, >= 0.
    n_starts
        Independent searches where transfers count, in [1, 64].
    seconds
        Seconds after which the solver ends with the best choice so far; where transfers count, it is ended by its nodes too.

    Returns
    -------
    Result
        The plan as the search counts it. `bound_quanta` is of all choices among these candidates, not of all plans; None where transfers
        count.

    Raises
    ------
    UsageError
        If there is no candidate or one cannot be taken, or a number lies outside its range.
    InfeasibleError
        If no choice keeps limits and constraints, or none was found that does.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Route
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> lines = [Route(network.shortest_path(a, b), f"{a} to {b}") for a, b in ((0, 19), (3, 16), (1, 2))]
    >>> result = choose_routes(network, demand, lines, 2, objective="direct")
    >>> result.share, result.bound_share, str(result.ended_by)
    (0.9, 0.9, 'the best choice is proven')
    """
    for name, value, low, high in (
        ("n_routes", n_routes, 1, _MOST_ROUTES),
        ("n_starts", n_starts, 1, _MOST_ROUTES),
        ("seed", seed, 0, 2**63),
    ):
        require_number(name, value, low, high)
    limits, constraints = limits or RouteLimits(), (constraints or PlanConstraints()).counted(demand)
    counted_objective = objective.objective if isinstance(objective, PairObjective) else Objective.of_counted(objective, demand)
    is_weighted = weights is not None or isinstance(objective, PairObjective)
    counted = valued_demand(demand, objective, weights) if is_weighted else demand
    problem = constraints.problem(Problem.build(network, counted, rule))
    require_possible(problem, constraints, n_routes, limits)
    routes = candidate_routes(network, candidates, limits, constraints, counted_objective)
    _require_usable(routes, constraints)
    choice = _Choice(problem, counted_objective, limits, constraints, n_routes, routes)
    is_exact = without_transfers(problem, counted_objective, n_routes)
    result = choice.exact(seconds, seed) if is_exact else choice.searched(seconds, seed, n_starts)
    if is_weighted:
        problem = Problem.build(network, demand, rule)
        result = result.without_weights(problem)
    return with_spread(result, problem, demand)


def _require_usable(routes: tuple[NDArray[np.int32], ...], constraints: PlanConstraints) -> None:
    """Refuse no candidates, and constraints that a choice cannot be solved under."""
    if not routes:
        msg = f"{setting('candidates')} must hold at least one route, got none"
        raise UsageError(msg, setting="candidates")
    if not has_exact_rows(constraints):
        msg = f"a choice among candidates takes at most 6 routes with given terminals, got {len(constraints.terminals)}; give fewer"
        raise UsageError(msg)


class _Choice:
    """A choice among candidate routes."""

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        limits: RouteLimits,
        constraints: PlanConstraints,
        n_routes: int,
        routes: tuple[NDArray[np.int32], ...],
    ) -> None:
        self.problem, self.objective, self.limits, self.constraints = problem, objective, limits, constraints
        self.n_routes, self.routes = n_routes, routes
        self.began_s = time.perf_counter()

    def exact(self, seconds: float, seed: int) -> Result:
        """Solve the choice where no transfer counts, within some `seconds`; the seed is that of the result."""
        plan, bound_quanta = self._solved(seconds, None)
        value = self.problem.value(plan, self.objective)
        ending = Ending("other", text="the best choice is proven") if bound_quanta <= value else Ending("seconds", {"limit_s": seconds})
        return self._result(plan, ending, seed, len(self.routes), bound_quanta)

    def searched(self, seconds: float, seed: int, n_starts: int) -> Result:
        """Search for the choice from a solved one that sees no transfers, and from constructed ones."""
        first, _ = self._solved(seconds, _FIRST_NODES)
        streams = np.random.default_rng(seed).spawn(n_starts)
        with ThreadPoolExecutor(n_starts) as pool:
            runs = list(pool.map(partial(self._run, first), streams, range(n_starts)))
        best = max(runs, key=lambda run: run.rank)
        ending = Ending("other", text="no exchange of one route for a candidate makes the plan better")
        plans = tuple(run.best_plan() for run in runs)
        return self._result(best.best_plan(), ending, seed, sum(run.evaluations for run in runs), None, plans)

    def _run(self, first: Plan, stream: np.random.Generator, start: int) -> AnnealingRun:
        """Exchange routes from the `first` plan, or from one constructed of candidates where every choice keeps the constraints."""
        run = AnnealingRun(self.problem, self.objective, self.limits, self.n_routes, stream, self.constraints)
        is_free = not (self.constraints.binds_stops or self.constraints.groups)
        if start == 0 or not is_free:
            run.load(first, np.arange(self.n_routes) < self.constraints.n_fixed)
        else:
            for k in range(self.constraints.n_fixed, self.n_routes):
                take_candidate(run, k, self.routes)
        exchange_for_candidates(run, self.routes)
        return run

    def _solved(self, seconds: float, most_nodes: int | None) -> tuple[Plan, int]:
        """Choice that serves most without transfers and keeps the constraints, and no choice's more than that, in 1/1024."""
        listing = listing_of(self.problem, self.objective, self.limits, self.routes, self.constraints)
        best = best_of_listing(listing, self.n_routes, self.limits, seconds, most_nodes=most_nodes)
        plan = plan_of_choice(self.problem.network, best.routes, self.constraints)
        broken = next(iter(self.constraints.broken(self.problem.network, plan)), None)
        if best.is_impossible or broken is not None:
            how = "keeps" if best.is_impossible else "was found that keeps"
            why = "" if broken is None else f", such as: {broken}"
            msg = f"no choice of {self.n_routes} of {len(self.routes)} candidates {how} limits and constraints{why}; name more of them"
            raise InfeasibleError(msg, setting="candidates")
        return plan, best.bound_quanta

    def _result(
        self, plan: Plan, ended_by: Ending, seed: int, n_valued: int, bound_quanta: int | None, plans: tuple[Plan, ...] = ()
    ) -> Result:
        """Result with the plan's value."""
        return Result(
            plan=plan,
            objective=self.objective,
            value_quanta=self.problem.value(plan, self.objective),
            total_quanta=self.problem.total_value(self.objective),
            ended_by=ended_by,
            seed=seed,
            steps=n_valued,
            evaluations=n_valued,
            elapsed_s=time.perf_counter() - self.began_s,
            bound_quanta=bound_quanta,
            plans=plans,
        )
