"""From demand to plan: greedy construction, then annealing from several starts, the best of which is returned."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from owlbus.common.defaults import AUTO, DEFAULT_STEPS, N_ROUTES
from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.common.text import how_many
from owlbus.network.walk_sheds import COUNT_BY
from owlbus.plan.limits import RouteLimits
from owlbus.search.begin_plan import plan_to_begin
from owlbus.search.both_ways import search_both_ways
from owlbus.search.bound import BoundProver
from owlbus.search.callbacks import Callbacks
from owlbus.search.candidates import candidate_routes
from owlbus.search.carried_run import carried_limits
from owlbus.search.constraints import PlanConstraints, require_possible
from owlbus.search.driver import Search, new_annealing_run
from owlbus.search.memory_need import require_room
from owlbus.search.objective import Objective
from owlbus.search.pair_objective import PairObjective, valued_demand
from owlbus.search.parallel import SearchTask, search_in_parallel
from owlbus.search.polish import PublishedValue
from owlbus.search.problem import Problem
from owlbus.search.published_bound import with_published_bound
from owlbus.search.seeds import GainsOnly, search_seeds
from owlbus.search.spread import with_spread
from owlbus.search.starts import chosen_starts, racers
from owlbus.search.stopping import MaxSeconds, MaxSteps, has_gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

    from owlbus.demand import Demand, DemandWeights
    from owlbus.network import Network
    from owlbus.plan import Plan, Route
    from owlbus.plan.limits import ServiceRule
    from owlbus.search.parallel import Executor
    from owlbus.search.result import Result
    from owlbus.search.stopping import SearchLimit, Snapshot


MOST_ROUTES = 64


def plan_routes(
    network: Network,
    demand: Demand,
    n_routes: int = N_ROUTES,
    *,
    limits: RouteLimits | None = None,
    constraints: PlanConstraints | None = None,
    rule: ServiceRule | None = None,
    objective: Objective | PairObjective | str = "served",
    stop_when: Iterable[SearchLimit] = (MaxSteps(DEFAULT_STEPS),),
    seed: int = 0,
    n_starts: int | Literal["auto"] = AUTO,
    n_seeds: int = 1,
    bound_steps: int = 0,
    executor: Executor | None = None,
    begin: Plan | None = None,
    on_gain: Callable[[Plan], object] | None = None,
    on_progress: Callable[[Snapshot], object] | None = None,
    weights: ArrayLike | DemandWeights | None = None,
    candidates: Iterable[Route | Plan] = (),
    count_by: Literal["area", "centre"] = "area",
) -> Result:
    """
    Plan of K routes that serves as much demand as the search finds.

    Routes are constructed one after the other by what each adds, then changed by simulated annealing [1]_ over
    insertions, removals, detours and new tails, whose gain is exact given the other routes. The starts
    differ only in their random numbers and share the steps; the best plan wins, the first one on a tie. While the search counts a hex
    whole, by its centre, the best of the starts is chosen by area, as figures are published, and single stops of it are changed as long as
    that makes it better by area; a search that its seconds end has no time for such changes.

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
        What to maximise: an `Objective` or its name, or a `PairObjective` with values of the user's own.
    stop_when
        The search ends with the first of these; with `MaxSteps` alone the seed fixes the result.
    seed
        Seed of all random numbers, >= 0.
    n_starts
        Searches side by side, in threads or by the executor; they share the steps. ``auto`` takes 1 to 8: under a limit of steps by steps
        and routes alone, so that the result does not depend on the machine, else one for each processor and at least two, of which those
        that share a processor end soon if they have few moves.
    n_seeds
        Whole searches, from `seed`, `seed` + 1 and so on, each with all starts, steps and seconds. The best plan by area is kept, the first
        one on a tie. They run one after the other, or side by side in the executor. The bound is proven once.
    bound_steps
        Iterations of the proven upper bound (`owlbus.search.upper_bound`), beside the search and after it but not past `MaxSeconds`;
        0 for no bound. With `TargetGap` it runs as long as the search. A bound comes with the pool bound of the routes that the best seed
        met (`owlbus.search.pool_bound`). For the objective ``presence`` a second bound with as many iterations follows the search: on the
        people reached by area, which is the figure that is published (`owlbus.search.published_bound`).
    executor
        Where the starts run, independent of each other: an executor of `concurrent.futures` or a Dask client. If None, they run in
        threads and share a pool of routes, which gives another plan.
    begin
        Plan that every start continues from, with at most K routes; more are constructed beside them up to K. It must keep limits and
        constraints; fixed routes come first, whether it has them or not, and may break the limits of a route. None for no such plan.
    on_gain
        Called with the best plan after each turn, or start of an executor, that found a better one. The search ends if it returns True.
    on_progress
        Called with the state of the search after each turn, or start of an executor. The search ends if it returns True.
    weights
        Dimensionless weight of each hex, shape (H,), in [0, 1000], or `DemandWeights` of trips too; None counts everything once. By hex,
        the search weighs a trip by the mean of its two ends and people by their hex (`owlbus.demand.weight_demand`), while value and
        total of the result are without weights.
    candidates
        Routes, or plans of them, which the search takes as they are where they add most: a route that is constructed and routes of the best
        plan give way to them. They keep the limits of a route. For a choice among them alone, see `owlbus.choose_routes`.
    count_by
        How the best of the starts is chosen: by ``area``, as figures are published, or whole by the ``centre`` of each hex, as the search
        counts; then nothing is changed after it.

    Returns
    -------
    Result
        The best plan, its value, the bound, why the search ended and its trace, and the spread of the objective over the seeds, or over
        the starts of one seed (`owlbus.search.spread`). After Ctrl-C, the best plan so far. With weights or a `PairObjective`,
        `weighted_share`, trace and `bound_quanta` of None are as `Result` describes.

    Raises
    ------
    UsageError
        If `n_routes`, `n_starts`, `n_seeds`, `seed` or a weight lies outside its range, `stop_when` holds no limit of steps or seconds,
        `begin` or a candidate breaks a limit or a constraint, `count_by` is neither, or trips are to be served and the demand has none.
    InfeasibleError
        If no route keeps the limits, or a constraint cannot be kept.
    DataError
        If the search does not fit into the memory at hand (`owlbus.search.memory_need`); nothing is allocated then.

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
    stop_when = tuple(stop_when)
    counts = {"n_routes": n_routes, "n_starts": chosen_starts(n_starts, stop_when, n_routes), "n_seeds": n_seeds}
    ranges = [(name, count, 1, MOST_ROUTES) for name, count in counts.items()]
    if count_by not in COUNT_BY:
        msg = f"count_by must be {' or '.join(COUNT_BY)}, got {count_by!r}"
        raise UsageError(msg, setting="count_by", value=count_by, allowed=COUNT_BY)
    for name, value, low, high in (*ranges, ("seed", seed, 0, 2**63 - n_seeds), ("bound_steps", bound_steps, 0, 2**31 - 1)):
        _check_range(name, value, low, high)
    limits, constraints = limits or RouteLimits(), (constraints or PlanConstraints()).counted(demand)
    _require_end(stop_when)
    _require_buses(limits, n_routes)
    settings: dict[str, Any] = {"stop_when": stop_when, "seed": seed, "n_starts": n_starts, "n_seeds": n_seeds, "begin": begin}
    settings |= {"limits": limits, "rule": rule, "executor": executor, "on_gain": on_gain, "on_progress": on_progress}
    settings |= {"bound_steps": bound_steps, "candidates": tuple(candidates), "count_by": count_by}
    chosen = objective.objective if isinstance(objective, PairObjective) else Objective.of_counted(objective, demand)
    if chosen.carried is not None:
        settings["limits"] = carried_limits(chosen.carried, limits, constraints, n_routes, is_bounded=bound_steps > 0 or has_gap(stop_when))
    if constraints.fixed is not None and not constraints.fixed.is_reversible:
        return search_both_ways(plan_routes, network, demand, n_routes, constraints, weights=weights, objective=objective, **settings)
    if weights is not None or isinstance(objective, PairObjective):
        valued = valued_demand(demand, objective, weights)
        result = plan_routes(network, valued, n_routes, constraints=constraints, objective=chosen, **settings)
        problem = Problem.build(network, demand, rule, by_hour=chosen.carried is not None)
        return with_spread(result.without_weights(problem), problem, demand)
    return _search(network, demand, n_routes, constraints, chosen, settings)


def _search(
    network: Network, demand: Demand, n_routes: int, constraints: PlanConstraints, objective: Objective, settings: dict[str, Any]
) -> Result:
    """Search with checked settings, those of `plan_routes`, for a plan that is worth most on a demand."""
    limits, seed, n_seeds = (settings[name] for name in ("limits", "seed", "n_seeds"))
    can_race = settings["executor"] is None and not objective.counts_journeys
    n_starts = chosen_starts(settings["n_starts"], settings["stop_when"], n_routes, racers(network.n_stops, n_routes) if can_race else 2)
    n_threads = n_starts if settings["executor"] is None else 1
    require_room(network, n_routes, n_threads)
    problem = constraints.problem(Problem.build(network, demand, settings["rule"], by_hour=objective.carried is not None))
    require_possible(problem, constraints, n_routes, limits)
    published = None if settings["count_by"] == "centre" else PublishedValue.build(problem, demand, objective)
    begin = None if settings["begin"] is None else plan_to_begin(network, settings["begin"], n_routes, limits, constraints)
    candidates = candidate_routes(network, settings["candidates"], limits, constraints, objective)
    task = SearchTask(
        objective, limits, constraints, n_routes, settings["stop_when"], seed, begin, candidates, drops_starts=settings["n_starts"] == AUTO
    )
    seeds, on_gain = range(seed, seed + n_seeds), settings["on_gain"]
    on_gain = GainsOnly(problem, objective, on_gain) if on_gain is not None and n_seeds > 1 else on_gain
    callbacks = Callbacks(on_gain, settings["on_progress"])
    if settings["executor"] is not None:
        streams = [_streams(s, n_starts) for s in seeds]
        with BoundProver(problem, objective, limits, n_routes, settings["bound_steps"], constraints) as prover:
            result = search_in_parallel(settings["executor"], problem, demand, task, streams, prover, callbacks, published)
    else:
        search = partial(_search_in_threads, problem, task, n_starts, settings["bound_steps"], published, callbacks)
        result = search_seeds(search, seeds, published, constraints.is_kept_on(network), callbacks)
    result = with_published_bound(constraints.require_met(network, result), problem, demand, task, settings["bound_steps"], published)
    return with_spread(result, problem, demand, published)


def _streams(seed: int, n_starts: int) -> list[np.random.Generator]:
    """Random numbers of each start."""
    return np.random.default_rng(seed).spawn(n_starts)


def _search_in_threads(
    problem: Problem,
    task: SearchTask,
    n_starts: int,
    bound_steps: int,
    published: PublishedValue | None,
    callbacks: Callbacks,
    seed: int,
) -> Result:
    """Search from one seed, its starts in threads; the first seed proves the bound."""
    objective, limits, constraints, n_routes = task.objective, task.limits, task.constraints, task.n_routes
    runs = [new_annealing_run(problem, objective, limits, n_routes, stream, constraints) for stream in _streams(seed, n_starts)]
    is_to_gap = has_gap(task.stop_when)
    n_iterations = None if is_to_gap else bound_steps if seed == task.seed else 0
    if task.begin is not None:
        for run in runs:
            run.load(task.begin)
    with BoundProver(problem, objective, limits, n_routes, n_iterations, constraints) as prover:
        search = Search(
            problem,
            objective,
            runs,
            (*task.stop_when, callbacks),
            seed,
            constraints,
            prover,
            callbacks.gain,
            published,
            candidates=task.candidates,
            bounds_pool=is_to_gap or bound_steps > 0,
            drops_starts=task.drops_starts,
        )
        return search.run(len(task.begin or ()))


def _require_end(stop_when: tuple[SearchLimit, ...]) -> None:
    """Refuse limits of a search that would not end."""
    if not any(isinstance(limit, MaxSteps | MaxSeconds) for limit in stop_when):
        msg = "stop_when must hold MaxSteps or MaxSeconds, or the search would not end"
        raise UsageError(msg, setting="stop_when", value=stop_when)
    if len({limit.of_processor for limit in stop_when if isinstance(limit, MaxSeconds)}) > 1:
        msg = "stop_when must count all its seconds by the clock, or all by the processor, got some of each"
        raise UsageError(msg, setting="stop_when", value=stop_when)


def _require_buses(limits: RouteLimits, n_routes: int) -> None:
    """Refuse fewer buses than routes."""
    if limits.max_buses < n_routes:
        need = "needs" if n_routes == 1 else "need"
        least = f"{how_many(n_routes, 'route')} {need} at least {how_many(n_routes, 'bus')}"
        msg = f"{least}, got {limits.max_buses:g}; ask for fewer routes or more buses"
        raise InfeasibleError(msg, setting="max_buses", value=limits.max_buses, allowed=(n_routes, math.inf))


def _check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse `value` outside [low, high]."""
    if not low <= value <= high:
        msg = f"{setting(name)} must lie in [{low}, {high}], got {value}"
        raise UsageError(msg, setting=name, value=value, allowed=(low, high))
