"""From demand to plan: greedy construction, then annealing from several starts, the best of which is returned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import DEFAULT_STEPS, N_ROUTES, N_STARTS
from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.demand.hex_weights import weight_demand
from owlbus.plan import check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search.bound import BoundProver
from owlbus.search.constraints import PlanConstraints, require_possible
from owlbus.search.driver import Search, new_annealing_run
from owlbus.search.objective import Objective
from owlbus.search.parallel import SearchTask, search_in_parallel
from owlbus.search.problem import Problem
from owlbus.search.stopping import MaxSeconds, MaxSteps, TargetGap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.search.parallel import Executor
    from owlbus.search.result import Result
    from owlbus.search.stopping import SearchLimit


MOST_ROUTES = 64


def plan_routes(
    network: Network,
    demand: Demand,
    n_routes: int = N_ROUTES,
    *,
    limits: RouteLimits | None = None,
    constraints: PlanConstraints | None = None,
    rule: ServiceRule | None = None,
    objective: Objective | str = "served",
    stop_when: Iterable[SearchLimit] = (MaxSteps(DEFAULT_STEPS),),
    seed: int = 0,
    n_starts: int = N_STARTS,
    bound_steps: int = 0,
    executor: Executor | None = None,
    begin: Plan | None = None,
    on_gain: Callable[[Plan], object] | None = None,
    weights: ArrayLike | None = None,
) -> Result:
    """
    Plan of K routes that serves as much demand as the search finds.

    Routes are constructed one after the other by what each adds, then changed by simulated annealing [1]_ over
    insertions, removals, detours and new tails, whose gain is exact given the other routes. The starts
    differ only in their random numbers and share the steps; the best plan wins, the first one on a tie.

    Parameters
    ----------
    network
        Stop network of S stops over H hexes.
    demand
        Trips between the hexes of the network's grid.
    n_routes
        Routes K, in [1, 64]; fewer come back where another would serve nothing.
    limits
        What the plan must keep; the defaults of `RouteLimits` if None.
    constraints
        What else it must be; nothing if None.
    rule
        When a trip counts as served; the defaults of `ServiceRule` if None.
    objective
        What to maximise: an `Objective` or its name.
    stop_when
        The search ends with the first of these; with `MaxSteps` alone the seed fixes the result.
    seed
        Seed of all random numbers, >= 0.
    n_starts
        Independent searches, run in threads or by the executor; they share the steps.
    bound_steps
        Iterations of the proven upper bound (`owlbus.search.upper_bound`), beside the search and after it but not past `MaxSeconds`;
        0 for no bound. With `TargetGap` it runs as long as the search.
    executor
        Where the starts run, independent of each other: an executor of `concurrent.futures` or a Dask client. If None, they run in
        threads and share a pool of routes, which gives another plan.
    begin
        Plan that every start continues from, with at most K routes; it must keep limits and constraints. None for no such plan.
    on_gain
        Called with the best plan after each turn, or start of an executor, that found a better one.
    weights
        Dimensionless weight of each hex, shape (H,), in [0, 1000]; None counts every hex once. The search weighs a trip by the mean of its
        two ends and people by their hex (`owlbus.demand.weight_demand`), while value and total of the result are without weights.

    Returns
    -------
    Result
        The best plan, its value, the bound, why the search ended and its trace. After Ctrl-C, the best plan so far. With weights,
        `weighted_share`, trace and `bound_quanta` of None are as `Result` describes.

    Raises
    ------
    UsageError
        If `n_routes`, `n_starts`, `seed` or a weight lies outside its range, `stop_when` holds no limit of steps or seconds, `begin`
        breaks a limit or a constraint, or trips are to be served and the demand has none.
    InfeasibleError
        If no route keeps the limits, or a constraint cannot be kept.

    References
    ----------
    .. [1] Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing, Science 220, 671-680.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> result = plan_routes(network, demand, 2, limits=RouteLimits(max_length_m=5_000), stop_when=[MaxSteps(1_000)])
    >>> len(result.plan), result.share
    (2, 0.9)
    """
    ranges = (("n_routes", n_routes, 1, MOST_ROUTES), ("n_starts", n_starts, 1, MOST_ROUTES), ("seed", seed, 0, 2**63 - 1))
    for name, value, low, high in (*ranges, ("bound_steps", bound_steps, 0, 2**31 - 1)):
        _check_range(name, value, low, high)
    stop_when, limits = tuple(stop_when), limits or RouteLimits()
    _require_end(stop_when)
    _require_buses(limits, n_routes)
    objective = Objective.of_counted(objective, demand)
    constraints = constraints or PlanConstraints()
    if weights is not None:
        weighted, unweighted = weight_demand(demand, weights), Problem.build(network, demand, rule)
        settings: dict[str, Any] = {"stop_when": stop_when, "seed": seed, "n_starts": n_starts, "bound_steps": bound_steps, "begin": begin}
        settings |= {"limits": limits, "constraints": constraints, "rule": rule, "executor": executor, "on_gain": on_gain}
        return plan_routes(network, weighted, n_routes, objective=objective, **settings).without_weights(unweighted)
    problem = constraints.problem(Problem.build(network, demand, rule))
    require_possible(problem, constraints, n_routes, limits)
    streams = np.random.default_rng(seed).spawn(n_starts)
    if begin is not None:
        _require_kept(network, begin, n_routes, limits, constraints)
    if executor is not None:
        task = SearchTask(objective, limits, constraints, n_routes, stop_when, seed, begin)
        with BoundProver(problem, objective, constraints.widened_limits(limits, network), n_routes, bound_steps) as prover:
            return search_in_parallel(executor, problem, demand, task, streams, prover, on_gain)
    runs = [new_annealing_run(problem, objective, limits, n_routes, stream, constraints) for stream in streams]
    n_iterations = None if any(isinstance(limit, TargetGap) for limit in stop_when) else bound_steps
    if begin is not None:
        for run in runs:
            run.load(begin)
    with BoundProver(problem, objective, constraints.widened_limits(limits, network), n_routes, n_iterations) as prover:
        return Search(problem, objective, runs, stop_when, seed, constraints, prover, on_gain).run(0 if begin is None else len(begin))


def _require_end(stop_when: tuple[SearchLimit, ...]) -> None:
    """Refuse limits of a search that would not end."""
    if not any(isinstance(limit, MaxSteps | MaxSeconds) for limit in stop_when):
        msg = "stop_when must hold MaxSteps or MaxSeconds, or the search would not end"
        raise UsageError(msg, setting="stop_when", value=stop_when)


def _require_buses(limits: RouteLimits, n_routes: int) -> None:
    """Refuse fewer buses than routes."""
    if limits.max_buses < n_routes:
        msg = f"{n_routes} routes need at least {n_routes} buses, got {limits.max_buses:g}; ask for fewer routes or more buses"
        raise InfeasibleError(msg, setting="max_buses", value=limits.max_buses, allowed=(n_routes, math.inf))


def _require_kept(network: Network, begin: Plan, n_routes: int, limits: RouteLimits, constraints: PlanConstraints) -> None:
    """Refuse a plan to begin from that breaks a limit or a constraint, or has more than `n_routes` routes."""
    fixed = () if constraints.fixed is None else constraints.fixed.routes
    broken = [*check_plan(network, begin, limits), *constraints.broken(network, begin)]
    if len(begin) > n_routes:
        broken.insert(0, f"it has {len(begin)} routes, and {n_routes} are asked for")
    if any(route.stops.tolist() != fixed_route.stops.tolist() for route, fixed_route in zip(begin.routes, fixed, strict=False)):
        broken.insert(0, "its first routes are not the fixed ones")
    if broken:
        msg = f"a search must go on from a plan that keeps limits and constraints, got one where {broken[0]}; begin anew"
        raise UsageError(msg)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse `value` outside [low, high]."""
    if not low <= value <= high:
        msg = f"{setting(name)} must lie in [{low}, {high}], got {value}"
        raise UsageError(msg, setting=name, value=value, allowed=(low, high))
