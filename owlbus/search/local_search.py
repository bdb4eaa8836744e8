"""From demand to plan: greedy construction, then annealing from several starts, the best of which is returned."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from owlbus.errors import InfeasibleError, UsageError
from owlbus.limits import DEFAULT_STEPS, MaxSeconds, MaxSteps, RouteLimits, Snapshot, TargetGap
from owlbus.plan import check_plan
from owlbus.progress import current_progress
from owlbus.search.apart import Asked, search_apart
from owlbus.search.chain import Chain
from owlbus.search.exchange import exchange_tails, take_best_of
from owlbus.search.feasible import require_possible
from owlbus.search.objective import Case, Objective
from owlbus.search.proving import Prover
from owlbus.search.recombine import Pool, best_choice
from owlbus.search.result import INTERRUPTED, Result, TracePoint
from owlbus.search.seeding import with_wanted
from owlbus.search.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from owlbus.demand import Demand
    from owlbus.limits import SearchLimit, ServiceRule
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.search.executors import Executor

MOST_ROUTES = 64
_PAIRS = 4
_RECOMBINE_AT = 0.85


def plan_routes(
    network: Network,
    demand: Demand,
    n_routes: int = 9,
    *,
    limits: RouteLimits | None = None,
    wishes: Wishes | None = None,
    rule: ServiceRule | None = None,
    objective: Objective | str = "served",
    stop_when: Iterable[SearchLimit] = (MaxSteps(DEFAULT_STEPS),),
    seed: int = 0,
    n_starts: int = 2,
    bound_steps: int = 0,
    executor: Executor | None = None,
    begin: Plan | None = None,
    on_gain: Callable[[Plan], object] | None = None,
) -> Result:
    """
    Plan of K routes that serves as much demand as the search finds.

    Routes are constructed one after the other by what each adds, then changed by simulated annealing [1]_ over
    insertions, removals, detours and new tails, whose gain is counted exactly against the rest of the plan. The starts
    differ in their random numbers alone and share the steps; the best plan wins, the first one on a tie.

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
    wishes
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
        Prices to try for a proven upper bound (`owlbus.search.upper_bound`), beside the search and after it but not past `MaxSeconds`;
        0 for no bound. `TargetGap` asks for one as long as the search runs.
    executor
        Where the starts run, each on its own: an executor of `concurrent.futures` or a Dask client. With None they run in threads and
        learn from each other's routes, so that their plan is another one.
    begin
        Plan that every start goes on from, with at most K routes; it has to keep limits and wishes. None for none.
    on_gain
        Told the best plan after every turn, or start of an executor, that found a better one.

    Returns
    -------
    Result
        The best plan, its value, the bound, why the search ended and its course. After Ctrl-C it is the best plan so far.

    Raises
    ------
    UsageError
        If `n_routes`, `n_starts` or `seed` lies outside its range, `stop_when` holds no limit of steps or seconds, or `begin` breaks a
        limit or a wish.
    InfeasibleError
        If no route keeps the limits, or a wish cannot be kept.

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
    _check_range("n_routes", n_routes, 1, MOST_ROUTES)
    _check_range("n_starts", n_starts, 1, MOST_ROUTES)
    _check_range("seed", seed, 0, 2**63 - 1)
    _check_range("bound_steps", bound_steps, 0, 2**31 - 1)
    stop_when = tuple(stop_when)
    if not any(isinstance(limit, MaxSteps | MaxSeconds) for limit in stop_when):
        msg = "stop_when must hold MaxSteps or MaxSeconds, or the search would not end"
        raise UsageError(msg)
    limits = limits or RouteLimits()
    if limits.max_buses < n_routes:
        msg = f"{n_routes} routes need at least {n_routes} buses, got {limits.max_buses:g}; ask for fewer routes or more buses"
        raise InfeasibleError(msg)
    goal = Objective.parse(objective) if isinstance(objective, str) else objective
    asked = wishes or Wishes()
    case = asked.case(Case.build(network, demand, rule))
    require_possible(case, asked, n_routes, limits)
    streams = np.random.default_rng(seed).spawn(n_starts)
    if begin is not None:
        _require_kept(network, begin, n_routes, limits, asked)
    if executor is not None:
        apart = Asked(goal, limits, asked, n_routes, stop_when, seed, begin)
        with Prover(case, goal, asked.loosened(limits, network), n_routes, bound_steps) as prover:
            return search_apart(executor, case, demand, apart, streams, prover, on_gain)
    chains = [new_chain(case, goal, limits, n_routes, stream, asked) for stream in streams]
    prices = None if any(isinstance(limit, TargetGap) for limit in stop_when) else bound_steps
    if begin is not None:
        for chain in chains:
            chain.load(begin)
    with Prover(case, goal, asked.loosened(limits, network), n_routes, prices) as prover:
        return Search(case, goal, chains, stop_when, seed, asked, prover, on_gain).run(0 if begin is None else len(begin))


def new_chain(case: Case, objective: Objective, limits: RouteLimits, n_routes: int, rng: np.random.Generator, wishes: Wishes) -> Chain:
    """
    A start of a search, as its objective needs it.

    Parameters
    ----------
    case, objective, limits, n_routes, rng, wishes
        As of `owlbus.search.chain.Chain`.

    Returns
    -------
    Chain
        Before anything is constructed.
    """
    from owlbus.search.timed import TimedChain

    kind = TimedChain if objective.is_travel_time else Chain
    return kind(case, objective, limits, n_routes, rng, wishes)


class Search:
    """Chains side by side, in turns of equal length so that a step limit fixes the result."""

    def __init__(
        self,
        case: Case,
        objective: Objective,
        chains: Sequence[Chain],
        stop_when: tuple[SearchLimit, ...],
        seed: int,
        wishes: Wishes,
        prover: Prover,
        on_gain: Callable[[Plan], object] | None = None,
    ) -> None:
        self.case = case
        self.prover = prover
        self.objective = objective
        self.chains = chains
        self.stop_when = stop_when
        self.seed = seed
        self.wishes = wishes
        self.total = case.total_value(objective)
        self.chains[0].compile()
        self.began = time.perf_counter()
        self.steps, self.scale = 0, 1
        self.trace: list[TracePoint] = []
        self.pool = Pool()
        self.pooled = [0] * len(chains)
        self.on_gain = on_gain
        self.told = 0

    def run(self, n_begun: int = 0) -> Result:
        """Construct all routes but the first `n_begun`, anneal, and keep the best plan at any interruption."""
        progress = current_progress()
        ended_by = INTERRUPTED
        try:
            with ThreadPoolExecutor(len(self.chains)) as pool:
                step = progress.step("Construct routes", self.chains[0].frozen.size)
                self._construct(pool, step.reach, n_begun)
                step = progress.step("Improve routes", 1.0)
                ended_by = self._improve(pool, step.reach)
            if self.prover.finish(self.stop_when, self.began, self._note):
                self._record()
        except KeyboardInterrupt:
            if self._best().best_value == 0 or self.wishes.broken(self.case.network, self._best().best_plan()):
                raise
        best = self._best()
        return Result(
            plan=best.best_plan(),
            objective=self.objective,
            value_units=best.best_value,
            total_units=self.total,
            ended_by=ended_by,
            seed=self.seed,
            steps=self.steps,
            evaluations=sum(chain.evaluations for chain in self.chains),
            elapsed_s=self._elapsed_s(),
            trace=tuple(self.trace),
            bound_units=self.prover.bound_units,
        )

    def _construct(self, pool: ThreadPoolExecutor, reach: object, n_begun: int) -> None:
        """Fill every chain's routes; a start that finds none at all means that none keeps the limits."""
        first = self.wishes.n_fixed
        for k in range(max(first, n_begun), self.chains[0].frozen.size):
            built = list(pool.map(lambda chain: chain.construct(k), self.chains))  # noqa: B023 -- used up before k changes
            if k == first and not any(built):
                raise InfeasibleError(_why_none_fits(self.chains[0]))
            reach(k + 1, self._note())  # type: ignore[operator]
        self.chains = with_wanted(self.chains, self.wishes)
        self.scale = max(1, self._best().best_value)
        self._record()

    def _improve(self, pool: ThreadPoolExecutor, reach: object) -> str:
        """Anneal in turns until a limit ends the search."""
        while True:
            now = self._snapshot()
            for limit in self.stop_when:
                if reason := limit.reason_to_end(now):
                    return reason
            done = self._done(now)
            turn = self._turn(now)
            ahead = min(1.0, done + self._turn_share(turn, now))
            tried = list(pool.map(lambda chain: self._turn_of(chain, turn, done, ahead), self.chains))  # noqa: B023 -- as above
            if not any(tried):
                return "every route is fixed"
            self.steps += sum(tried)
            self._remember()
            self._tell()
            if done < _RECOMBINE_AT <= self._done(self._snapshot()) and self._exchanges:
                self._recombine(pool)
            self._record()
            reach(self._done(self._snapshot()), self._note())  # type: ignore[operator]

    def _turn_of(self, chain: Chain, moves: int, done: float, ahead: float) -> int:
        """Moves of one chain in a turn between two shares of the search, and exchanges of its routes; how many moves were tried."""
        tried = chain.turn(moves, done, ahead, self.scale)
        if tried and self._exchanges:
            for _ in range(_PAIRS):
                exchange_tails(chain, chain.heat(ahead, self.scale))
        return tried

    @property
    def _exchanges(self) -> bool:
        """Whether routes may take each other's places, or others theirs."""
        return self.chains[0].exchanges and not self.wishes.binds_places

    def _remember(self) -> None:
        """Put the routes of best plans that got better into the pool, if it is ever drawn from."""
        if not self._exchanges:
            return
        for k, chain in enumerate(self.chains):
            if chain.best_value > self.pooled[k]:
                self.pooled[k] = chain.best_value
                stops, counts = chain.best
                self.pool.add(stops[row, :count] for row, count in enumerate(counts.tolist()) if count > 1)

    def _tell(self) -> None:
        """Hand the best plan over if it got better since it was handed over last, and keeps all wishes."""
        best = self._best()
        if self.on_gain is None or best.best_value <= self.told:
            return
        plan = best.best_plan()
        if not self.wishes.broken(self.case.network, plan):
            self.told = best.best_value
            self.on_gain(plan)

    def _recombine(self, threads: ThreadPoolExecutor) -> None:
        """Go on from the best choice among all routes met, exact where no transfer counts."""
        if self.objective.trips and self.objective.max_transfers and self.case.rule.max_transfers:
            list(threads.map(lambda chain: take_best_of(chain, self.pool), self.chains))
            return
        best = self._best()
        if best.frozen.any() or not best.best_value:
            return
        plan = best.best_plan()
        left_s = min([math.inf, *(limit.seconds - self._elapsed_s() for limit in self.stop_when if isinstance(limit, MaxSeconds))])
        if left_s <= 0:
            return
        chosen = best_choice(self.case, self.objective, best.limits, best.frozen.size, self.pool, plan, left_s)
        if chosen is not plan:
            best.load(chosen)

    def _turn(self, now: Snapshot) -> int:
        """Moves of each chain in the next turn, so that a step limit is met exactly or passed by less than one per chain."""
        left = [limit.steps - now.steps for limit in self.stop_when if isinstance(limit, MaxSteps)]
        return max(1, min([self.chains[0].moves_a_turn(self._done(now)), *(-(-steps // len(self.chains)) for steps in left)]))

    def _turn_share(self, turn: int, now: Snapshot) -> float:
        """Share of the search that the next turn is."""
        steps = [limit.steps for limit in self.stop_when if isinstance(limit, MaxSteps)]
        if steps:
            return turn * len(self.chains) / min(steps)
        return self._done(now) * turn * len(self.chains) / max(1, now.steps)

    def _done(self, now: Snapshot) -> float:
        """Share of the search that is over, by steps if they are limited and by seconds otherwise."""
        steps = [limit.steps for limit in self.stop_when if isinstance(limit, MaxSteps)]
        if steps:
            return min(1.0, now.steps / min(steps))
        return min(1.0, now.elapsed_s / min(limit.seconds for limit in self.stop_when if isinstance(limit, MaxSeconds)))

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            steps=self.steps,
            steps_since_gain=min(chain.steps_since_gain for chain in self.chains),
            elapsed_s=self._elapsed_s(),
            best_share=self._best().best_value / self.total,
            bound_share=self._bound_share(),
        )

    def _best(self) -> Chain:
        """Chain with the best plan, the first one on a tie."""
        return max(self.chains, key=lambda chain: chain.best_value)

    def _elapsed_s(self) -> float:
        return time.perf_counter() - self.began

    def _bound_share(self) -> float:
        """Proven bound so far, 1 until one is known."""
        units = self.prover.bound_units
        return 1.0 if units is None else min(1.0, units / self.total)

    def _note(self) -> str:
        """Best share so far, with the bound and the gap once a bound is known."""
        best, bound = self._best().best_value / self.total, self._bound_share()
        if bound >= 1 or best <= 0:
            return f"best {best:.1%}"
        return f"best {best:.1%}, bound {bound:.1%}, gap {bound / best - 1:.0%}"

    def _record(self) -> None:
        """Add a point to the trace."""
        best = self._best()
        shares = (best.best_value / self.total, best.value / self.total, self._bound_share())
        self.trace.append(TracePoint(self.steps, self._elapsed_s(), *shares))


def _why_none_fits(chain: Chain) -> str:
    """Name the bound that stands in the way of any route."""
    at, network = chain.limits, chain.case.network
    if network.link_m.size == 0:
        return "no route keeps the limits: the network has no links; check its reports"
    bounds = [f"{at.max_length_m / 1000:g} km", f"{at.max_ride_s / 60:g} minutes", f"{at.min_stops} to {at.max_stops} stops"]
    if math.isfinite(at.max_buses):
        bounds.append(f"{at.max_buses:g} buses every {at.headway_s / 60:g} minutes for all routes together")
    if math.isfinite(at.max_total_length_m):
        bounds.append(f"{at.max_total_length_m / 1000:g} km for all routes together")
    shortest_m, shortest_s = int(network.link_m.min()), int(network.link_s.min())
    return f"no route keeps the limits: {', '.join(bounds)}; the shortest link has {shortest_m} m and {shortest_s} s; allow more"


def _require_kept(network: Network, begin: Plan, n_routes: int, limits: RouteLimits, wishes: Wishes) -> None:
    """Refuse a plan to begin from that breaks a limit or a wish, or has more routes than are asked for."""
    fixed = () if wishes.fixed is None else wishes.fixed.routes
    broken = [*check_plan(network, begin, limits), *wishes.broken(network, begin)]
    if len(begin) > n_routes:
        broken.insert(0, f"it has {len(begin)} routes, and {n_routes} are asked for")
    if any(mine.stops.tolist() != theirs.stops.tolist() for mine, theirs in zip(begin.routes, fixed, strict=False)):
        broken.insert(0, "its first routes are not the fixed ones")
    if broken:
        msg = f"a search must go on from a plan that keeps limits and wishes, got one where {broken[0]}; begin anew"
        raise UsageError(msg)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse `value` outside [low, high]."""
    if not low <= value <= high:
        msg = f"{name} must lie in [{low}, {high}], got {value}"
        raise UsageError(msg)
