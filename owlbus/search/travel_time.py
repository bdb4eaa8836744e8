"""
Routes that keep passengers' mean travel time low: the classic route network design problem.

Every route is simple, runs both ways and has between `min_stops` and `max_stops` stops; passengers take the fastest journey and a transfer
costs `transfer_s`. The search is simulated annealing. Its schedule comes from the instance: after a short descent, moves that make the plan
worse are sampled, and heat falls geometrically from half of their median rise (a fifth for every other chain) to a thirtieth of it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.limits import INTERRUPTED, Ending
from owlbus.search.travel_time_graph import (
    TravelTimes,
    build_graph,
    check_inputs,
    lay_out,
    pad_routes,
    travel_times,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.kernels.travel_time_anneal import TravelTimeState
    from owlbus.kernels.travel_time_cost import StopGraph, Workspace
    from owlbus.search.parallel import Executor

_HOTTEST, COLDEST = (0.5, 0.2), 0.03
"""First and last heat, in medians of what a worsening move adds to the cost; chains take the first heats in turn."""

DESCENT_SHARE = 0.05
"""Share of the search without heat, before the schedule is set."""

_PIECES = 200
_PIECE_S = 0.02


class StartResult(NamedTuple):
    """
    What one chain found.

    Attributes
    ----------
    stops, sizes
        Stop indices of the best plan met, shape (K, M + 1), int32, and stops of each route, shape (K,), int64.
    cost
        Trips times ticks of that plan.
    steps, evaluations
        Moves proposed, and plans judged.
    ended_by
        Why the chain ended.
    elapsed_s
        Seconds that it took.
    trace
        Rows of (moves, elapsed seconds, best cost so far), in time order.
    """

    stops: NDArray[np.int32]
    sizes: NDArray[np.int64]
    cost: int
    steps: int
    evaluations: int
    ended_by: Ending
    elapsed_s: float
    trace: list[tuple[int, float, int]]


@dataclass(frozen=True, slots=True, eq=False)
class TravelTimeResult(TravelTimes):
    """
    A plan of low travel time, and how the search came to it.

    Attributes
    ----------
    routes
        Stop indices of each route, int32.
    bound_s
        Mean seconds if everyone had a direct route along the fastest way; no plan is faster.
    seed
        Seed that gives the same plan again under a step limit.
    steps, evaluations
        Moves proposed, and plans judged, over all chains.
    ended_by
        Why the search ended; as text, words that "because" can stand before.
    elapsed_s
        Seconds of the search, without compilation.
    trace
        Rows of (moves, elapsed seconds, best mean seconds so far) of the best chain, in time order; the mean is infinite until a plan
        reaches every stop.
    """

    routes: tuple[NDArray[np.int32], ...] = field(repr=False)
    bound_s: float
    seed: int
    steps: int
    evaluations: int
    ended_by: Ending
    elapsed_s: float
    trace: tuple[tuple[int, float, float], ...] = field(repr=False)


def search_travel_time(
    link_s: ArrayLike,
    demand: ArrayLike,
    n_routes: int,
    min_stops: int,
    max_stops: int,
    transfer_s: int = 300,
    *,
    seed: int = 0,
    steps: int | None = None,
    seconds: float | None = None,
    start: Sequence[ArrayLike] = (),
    unserved_s: int | None = None,
    n_chains: int = 1,
    executor: Executor | None = None,
) -> TravelTimeResult:
    """
    Search the routes with the lowest mean travel time, in seconds.

    Parameters
    ----------
    link_s
        Whole seconds from stop to stop, shape (S, S); -1 where there is no link. Every link has its reverse.
    demand
        Trips from stop to stop, shape (S, S); the diagonal is left out.
    n_routes
        Routes of the plan, >= 1.
    min_stops, max_stops
        Fewest and most stops of a route, ``2 <= min_stops <= max_stops``.
    transfer_s
        Seconds that a transfer costs.
    seed
        Of all random draws; with `steps` alone it fixes the plan.
    steps
        Moves to propose in each chain, rounded up to whole blocks.
    seconds
        Seconds to search; with both limits the first one met ends the search.
    start
        Routes to begin with, at most `n_routes`; the rest is drawn.
    unserved_s
        Seconds that a trip without a journey counts; a slower journey counts as none. None asks that every stop is on a route and the
        plan is connected.
    n_chains
        Searches from different draws, of which the best plan is returned; ties go to the earlier chain.
    executor
        Runs the chains; a Dask client works. By default each has a thread.

    Returns
    -------
    TravelTimeResult
        The best plan met, exactly measured.

    Raises
    ------
    DataError
        If links or demand break a rule above.
    UsageError
        If a number is out of range, no limit is given, or `start` holds a route that is none.
    InfeasibleError
        If no plan can keep the rules, or none was found.

    Examples
    --------
    >>> link_s = [[-1, 60, -1], [60, -1, 120], [-1, 120, -1]]
    >>> found = search_travel_time(link_s, [[0, 1, 1], [0, 0, 2], [0, 0, 0]], 1, 2, 3, steps=200)
    >>> found.mean_s == found.bound_s == 120.0
    True
    """
    links, weight, tick_s = check_inputs(link_s, demand, transfer_s, unserved_s)
    _check_numbers(len(links), n_routes, min_stops, max_stops, n_chains, len(start), connected=unserved_s is None)
    _check_limits(steps, seconds)
    most = min(max_stops, len(links))
    unserved = None if unserved_s is None else unserved_s // tick_s
    graph = build_graph(links, weight, transfer_s // tick_s, (min_stops, most), unserved)
    first = pad_routes(start, links, most, min_stops)
    rng_state = np.random.default_rng(seed).integers(0, 2**64, size=n_chains, dtype=np.uint64)
    _run_chain(graph, first, n_routes, int(rng_state[0]), 0.0, 0, None)  # compiles before any clock starts
    done = _run_chains(graph, first, n_routes, [int(die) for die in rng_state], steps, seconds, executor)
    best = min(done, key=lambda chain: chain.cost)
    total = int(weight.sum())
    routes = tuple(best.stops[k, : best.sizes[k]].copy() for k in range(n_routes))
    measures = travel_times(link_s, demand, routes, transfer_s, unserved_s=unserved_s)
    direct = np.minimum(graph.drive.astype(np.int64), graph.worst - graph.transfer)
    return TravelTimeResult(
        **{name: getattr(measures, name) for name in TravelTimes.__slots__},
        routes=routes,
        bound_s=int((weight * direct).sum()) * tick_s / total,
        seed=seed,
        steps=sum(chain.steps for chain in done),
        evaluations=sum(chain.evaluations for chain in done),
        ended_by=best.ended_by,
        elapsed_s=max(chain.elapsed_s for chain in done),
        trace=tuple((at, at_s, _mean_s(graph, cost, total, tick_s)) for at, at_s, cost in best.trace),
    )


def _mean_s(graph: StopGraph, cost: int, total: int, tick_s: int) -> float:
    """Mean seconds of a cost, which counts one transfer too many for everyone; infinite while stops are stranded."""
    if graph.stranded and cost >= graph.stranded:
        return float("inf")
    return (cost - int(graph.transfer) * total) * tick_s / total


def _check_numbers(n_stops: int, n_routes: int, min_stops: int, max_stops: int, n_chains: int, n_start: int, *, connected: bool) -> None:
    """Refuse numbers that no plan can have."""
    for name, value in (("n_routes", n_routes), ("n_chains", n_chains)):
        if value < 1:
            msg = f"{name} must be >= 1, got {value}"
            raise UsageError(msg)
    if not 2 <= min_stops <= max_stops:  # noqa: PLR2004 - a route has two ends
        msg = f"routes must keep 2 <= min_stops <= max_stops, got {min_stops} and {max_stops}"
        raise UsageError(msg)
    if n_start > n_routes:
        msg = f"start must hold at most n_routes = {n_routes} routes, got {n_start}"
        raise UsageError(msg)
    if min_stops > n_stops:
        msg = f"no simple route has min_stops = {min_stops} stops where there are {n_stops}; lower min_stops"
        raise InfeasibleError(msg)
    room = n_routes * (max_stops - 1) + 1
    if connected and room < n_stops:
        msg = (
            f"{n_routes} connected routes of at most {max_stops} stops pass at most {room} of {n_stops} stops; "
            "allow more routes or stops, or give unserved_s"
        )
        raise InfeasibleError(msg)


def _check_limits(steps: int | None, seconds: float | None) -> None:
    """Refuse a search without an end."""
    if steps is None and seconds is None:
        msg = "a search must have a limit, got neither steps nor seconds"
        raise UsageError(msg)
    for name, value in (("steps", steps), ("seconds", seconds)):
        if value is not None and not 0 < value < float("inf"):
            msg = f"{name} must be finite and > 0, got {value}"
            raise UsageError(msg)


def _run_chains(
    graph: StopGraph,
    first: tuple[NDArray[np.int32], NDArray[np.int64]],
    n_routes: int,
    seeds: list[int],
    steps: int | None,
    seconds: float | None,
    executor: Executor | None,
) -> list[StartResult]:
    """Run a chain for each seed, side by side."""
    jobs = [(graph, first, n_routes, seed, _HOTTEST[k % len(_HOTTEST)], steps, seconds) for k, seed in enumerate(seeds)]
    if executor is not None:
        return [chain.result() for chain in [executor.submit(_run_chain, *job) for job in jobs]]
    stop = Event()
    with ThreadPoolExecutor(len(jobs)) as threads:
        under_way = [threads.submit(_run_chain, *job, stop) for job in jobs]
        try:
            wait(under_way)
        except KeyboardInterrupt:
            stop.set()
        return [chain.result() for chain in under_way]


def _run_chain(
    graph: StopGraph,
    first: tuple[NDArray[np.int32], NDArray[np.int64]],
    n_routes: int,
    seed: int,
    hottest: float,
    steps: int | None,
    seconds: float | None,
    stop: Event | None = None,
) -> StartResult:
    """Draft a plan, descend, set the schedule and anneal; `stop` ends that early."""
    from owlbus.kernels.travel_time_anneal import BLOCK, anneal_blocks, draft_routes
    from owlbus.kernels.travel_time_cost import settle

    chain, workspace = lay_out(graph, graph.most, n_routes, seed)
    begin = len(first[1])
    chain.routes[:begin], chain.sizes[:begin] = first
    drafted = draft_routes(graph, chain, workspace, begin, 2 * len(graph.link))
    if drafted < n_routes:
        msg = f"found no simple route of {graph.least} to {graph.most} stops for route {drafted}; lower min_stops"
        raise InfeasibleError(msg)
    chain.best_routes[:], chain.best_sizes[:] = chain.routes, chain.sizes
    chain.best[0] = settle(graph, chain.routes, chain.sizes, -1, -1, chain.spare, workspace)
    anneal_blocks(graph, chain, workspace, 0, 0.0, None)
    clock = _Clock(None if steps is None else -(-steps // BLOCK), seconds, stop)
    _descend(graph, chain, workspace, clock)
    _anneal(graph, chain, workspace, clock, hottest)
    if steps != 0 and graph.stranded and chain.best[0] >= graph.stranded:
        raise InfeasibleError(_stranded_text(graph, chain, workspace))
    return StartResult(
        stops=chain.best_routes,
        sizes=chain.best_sizes,
        cost=int(chain.best[0]),
        steps=clock.blocks * BLOCK,
        evaluations=int(chain.tried[0]),
        ended_by=clock.reason,
        elapsed_s=clock.elapsed_s,
        trace=clock.trace,
    )


def _stranded_text(graph: StopGraph, chain: TravelTimeState, workspace: Workspace) -> str:
    """Say which stop the best plan leaves out."""
    from owlbus.kernels.travel_time_cost import settle

    settle(graph, chain.best_routes, chain.best_sizes, -1, -1, chain.spare, workspace)
    lost = np.flatnonzero(chain.spare.times[0, : len(graph.link)] >= graph.worst)
    return (
        f"found no connected plan that passes every stop: {len(lost)} of {len(graph.link)} stops are left out, first stop {lost[0]}; "
        "allow more routes, more stops or a longer search, or give unserved_s"
    )


class _Clock:
    """How far a search has come, by blocks of moves and by seconds, whichever is further."""

    def __init__(self, limit_blocks: int | None, limit_s: float | None, stop: Event | None) -> None:
        self.limit_blocks, self.limit_s = limit_blocks, limit_s
        self.stop = Event() if stop is None else stop
        self.began_s = time.perf_counter()
        self.blocks = 0
        self.elapsed_s = 0.0
        self.piece = 1 if limit_blocks is None else max(1, limit_blocks // _PIECES)
        self.trace: list[tuple[int, float, int]] = []

    @property
    def progress_share(self) -> float:
        """Share of the search that is done, 0 to 1."""
        by_blocks = 0.0 if self.limit_blocks is None else self.blocks / max(1, self.limit_blocks)
        by_time = 0.0 if self.limit_s is None else self.elapsed_s / self.limit_s
        return min(1.0, max(by_blocks, by_time, float(self.limit_blocks == 0)))

    @property
    def reason(self) -> Ending:
        """Why the search ended."""
        from owlbus.kernels.travel_time_anneal import BLOCK

        if self.stop.is_set():
            return INTERRUPTED
        if self.limit_blocks is not None and self.blocks >= self.limit_blocks:
            return Ending("steps", {"steps": self.limit_blocks * BLOCK})
        return Ending("seconds", {"limit_s": 0.0 if self.limit_s is None else self.limit_s})

    def next_piece(self, until_share: float) -> int:
        """Blocks to run before looking again; 0 at the given progress."""
        if self.stop.is_set() or self.progress_share >= until_share:
            return 0
        return self.piece if self.limit_blocks is None else min(self.piece, self.limit_blocks - self.blocks)

    def note(self, blocks: int, best: int) -> None:
        """Count blocks done; without a step limit, pieces are kept to a small part of a second."""
        from owlbus.kernels.travel_time_anneal import BLOCK

        before_s, self.elapsed_s = self.elapsed_s, time.perf_counter() - self.began_s
        self.blocks += blocks
        if self.limit_blocks is None:
            self.piece = max(1, self.piece // 2) if self.elapsed_s - before_s > _PIECE_S else self.piece + 1
        if not self.trace or best < self.trace[-1][2]:
            self.trace.append((self.blocks * BLOCK, self.elapsed_s, best))


def _descend(graph: StopGraph, chain: TravelTimeState, workspace: Workspace, clock: _Clock) -> None:
    """Take only moves that make the plan no worse."""
    from owlbus.kernels.travel_time_anneal import anneal_blocks

    while blocks := clock.next_piece(DESCENT_SHARE):
        anneal_blocks(graph, chain, workspace, blocks, 0.0, None)
        clock.note(blocks, int(chain.best[0]))


def _anneal(graph: StopGraph, chain: TravelTimeState, workspace: Workspace, clock: _Clock, hottest: float) -> None:
    """Set the schedule from the plan at hand and follow it."""
    from owlbus.kernels.travel_time_anneal import anneal_blocks

    rises = chain.rises[chain.rises >= 0]
    median = float(np.median(rises)) if len(rises) else 0.0
    hot, cold = hottest * median, COLDEST * median
    while blocks := clock.next_piece(1.0):
        share = (clock.progress_share - DESCENT_SHARE) / (1 - DESCENT_SHARE)
        anneal_blocks(graph, chain, workspace, blocks, hot * (cold / hot) ** share if hot else 0.0, None)
        clock.note(blocks, int(chain.best[0]))
