"""Plans over a range of routes, buses, kilometres or headways, each searched from the one before it."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.cluster import executor
from owlbus.common.defaults import N_ROUTES, N_STARTS, SWEEP_STEPS
from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.common.progress import current_progress
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.plan import Plan, plan_measures
from owlbus.score import share_interval
from owlbus.search.bound import upper_bound
from owlbus.search.objective import Objective
from owlbus.search.parallel import continue_search, problem_to_bytes, search_from
from owlbus.search.travel_time_objective import refuse_travel_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import geopandas as gpd
    import pandas as pd

    from owlbus.evidence.difference import Interval
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.network import Network
    from owlbus.plan.limits import RouteLimits

KINDS = ("routes", "fleet", "km", "headway")
"""What can be swept: routes, buses of all routes, one-way kilometres of all routes, minutes between buses."""


_MOST_SETTINGS = 200
_LONGEST_MIN = 360
_LOWEST = {"routes": 1, "fleet": 1, "km": 0.001, "headway": 1}
_MOST_ROUTES = 64
_FEWEST_FOR_A_KNEE = 3
_EXACT = 1e-9
_CSV_COLUMNS = (
    "routes_run",
    "objective_share",
    "served_share",
    "served_low",
    "served_high",
    "direct_share",
    "presence_share",
    "presence_low",
    "presence_high",
    "total_km",
    "buses",
    "marginal_trips",
    "marginal_points",
    "bound_share",
    "is_knee",
)


@dataclass(frozen=True, slots=True, eq=False)
class SweepPoint:
    """
    One setting of a sweep.

    Attributes
    ----------
    setting
        Routes, buses, kilometres or minutes.
    plan
        The best plan found.
    objective_share
        What was maximised, 0 to 1; never below that of the setting before.
    served_share, direct_share, presence_share
        Measures of the plan, 0 to 1; those of trips None where none were counted.
    served_interval, presence_interval
        Their 90 % intervals over nights.
    served_trips
        Trips served a night; None where no trips were counted.
    length_m, buses
        One-way metres and buses of all routes.
    bound_share
        Proven upper bound of the objective, 0 to 1; None if none was computed.
    least_shares
        What the least count that may be shown is as a share of the objective, of all trips and of all people.
    least_trips
        The least count of trips that may be shown, a night; 0 for open data.
    """

    setting: float
    plan: Plan
    objective_share: float
    served_share: float | None
    direct_share: float | None
    presence_share: float
    served_interval: Interval
    presence_interval: Interval
    served_trips: float | None
    length_m: int
    buses: int
    bound_share: float | None
    least_shares: tuple[float, float, float]
    least_trips: float = MIN_COUNT

    @property
    def shown(self) -> SweepPoint:
        """The point as people may read it: shares and counts rounded down to multiples of the least count, so that no two tell less."""
        value, trips, people = self.least_shares
        return replace(
            self,
            objective_share=_down(self.objective_share, value),
            served_share=_known_down(self.served_share, trips),
            direct_share=_known_down(self.direct_share, trips),
            presence_share=_down(self.presence_share, people),
            served_interval=_interval_down(self.served_interval, trips),
            presence_interval=_interval_down(self.presence_interval, people),
            served_trips=_known_down(self.served_trips, self.least_trips),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """
    Plans over a range of settings, the tightest first.

    Attributes
    ----------
    kind
        One of `KINDS`.
    points
        One per setting.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, RouteLimits
    >>> from owlbus.evidence import PlanEvaluator
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> swept = sweep_plans(PlanEvaluator.build(network, demand), "routes", (1, 2, 3), RouteLimits(max_length_m=5_000), n_steps=300)
    >>> [(row["routes"], row["served_share"]) for row in swept.rows()], swept.points[swept.knee].setting
    ([(1, 0.6), (2, 0.9), (3, 0.9)], 2)
    """

    kind: str
    points: tuple[SweepPoint, ...]

    @property
    def shown(self) -> Sweep:
        """The sweep as people may read it: every share and count rounded down to multiples of the least count that may be shown."""
        return replace(self, points=tuple(point.shown for point in self.points))

    @property
    def knee(self) -> int | None:
        """Index of the point farthest above the straight line from the first to the last; None with fewer than three, or no bend."""
        x = np.array([point.setting for point in self.points])
        y = np.array([point.objective_share for point in self.points])
        if x.size < _FEWEST_FOR_A_KNEE or x[0] == x[-1] or y[-1] <= y[0]:
            return None
        above = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
        best = int(np.argmax(above))
        return best if above[best] > 0 else None

    @property
    def knee_text(self) -> str:
        """One sentence on the knee, shares in points and settings in their unit."""
        knee = self.knee
        if knee is None:
            return "The curve has no knee: each further setting brings about as much as the one before."
        x, y = ([getattr(point, name) for point in self.shown.points] for name in ("setting", "objective_share"))
        before, after = (y[knee] - y[0]) / abs(x[knee] - x[0]), (y[-1] - y[knee]) / abs(x[-1] - x[knee])
        unit = {"routes": "route", "fleet": "bus", "km": "km", "headway": "minute of headway"}[self.kind]
        return (
            f"Knee at {x[knee]:g}, where the curve lies highest above the straight line between its ends: "
            f"up to there a further {unit} brings {100 * before:.2f} points, beyond it {100 * after:.2f}."
        )

    def to_frame(self) -> pd.DataFrame:
        """
        Return one row per setting with exact figures.

        Returns
        -------
        DataFrame
            The setting under the name of the kind, ``routes_run``, shares 0 to 1 with both ends of their intervals, ``served_trips`` a
            night, ``length_m``, ``buses``, ``bound_share`` and ``is_knee``.
        """
        from owlbus.evidence.sweep_frames import sweep_to_frame

        return sweep_to_frame(self)

    def to_geodataframe(self, network: Network) -> gpd.GeoDataFrame:
        """
        Return the routes of every setting as lines.

        Parameters
        ----------
        network
            Network of the plans.

        Returns
        -------
        GeoDataFrame
            The setting under the name of the kind, and the columns of `Plan.to_geodataframe`, metres and seconds, in lon/lat (EPSG:4326).
        """
        from owlbus.evidence.sweep_frames import sweep_to_geodataframe

        return sweep_to_geodataframe(network, self)

    def to_csv(self) -> str:
        """
        Points as CSV, one line each; trips and people are rounded down to multiples of 15 a night.

        Returns
        -------
        str
            Shares in [0, 1], kilometres, trips a night.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((self.kind, *_CSV_COLUMNS))
        for row in self.rows():
            writer.writerow([row[self.kind], *("" if row[name] is None else row[name] for name in _CSV_COLUMNS)])
        return out.getvalue()

    def rows(self) -> list[dict[str, Any]]:
        """Return the points as people may read them, as plain values for JSON: shares 0 to 1, kilometres, trips a night."""
        rows = []
        before: SweepPoint | None = None
        for position, point in enumerate(self.shown.points):
            gain = _more(point.served_trips, None if before is None else before.served_trips)
            points = _more(point.served_share, None if before is None else before.served_share)
            rows.append(
                {
                    self.kind: point.setting,
                    "routes_run": len(point.plan),
                    "objective_share": _rounded(point.objective_share),
                    "served_share": _rounded(point.served_share),
                    "served_low": _rounded(point.served_interval[0]),
                    "served_high": _rounded(point.served_interval[1]),
                    "direct_share": _rounded(point.direct_share),
                    "presence_share": _rounded(point.presence_share),
                    "presence_low": _rounded(point.presence_interval[0]),
                    "presence_high": _rounded(point.presence_interval[1]),
                    "total_km": round(point.length_m / 1000, 1),
                    "buses": point.buses,
                    "marginal_trips": None if gain is None else round(gain),
                    "marginal_points": None if points is None else round(100 * points, 2),
                    "bound_share": _rounded(point.bound_share),
                    "is_knee": int(position == self.knee),
                }
            )
            before = point
        return rows


def sweep_plans(
    evaluator: PlanEvaluator,
    kind: str,
    settings: Sequence[float],
    limits: RouteLimits,
    *,
    n_routes: int = N_ROUTES,
    objective: Objective | None = None,
    n_steps: int = SWEEP_STEPS,
    n_starts: int = N_STARTS,
    seed: int = 0,
    bound_steps: int = 0,
    scheduler: str | None = None,
) -> Sweep:
    """
    Best plans over a range of settings, each searched from the plan of the previous setting.

    A plan that keeps the tighter setting keeps the looser one too (with one more route it may leave that empty), so what is maximised
    never falls.

    Parameters
    ----------
    evaluator
        The demand.
    kind
        Setting to sweep, one of `KINDS`: routes, buses, one-way kilometres of all routes, or minutes between buses.
    settings
        Values to try; put in order, the tightest first.
    limits
        All other limits, in metres and seconds.
    n_routes
        Routes where something else is swept.
    objective
        What to maximise; trips served by default.
    n_steps
        Moves to try at each setting and start; with the seed they fix the result.
    n_starts
        Searches side by side; the next setting starts from the best one.
    seed
        Seed of all random numbers, >= 0.
    bound_steps
        Iterations of the proven bound at each setting (`owlbus.search.upper_bound`); 0 for no bound.
    scheduler
        Where they search: ``local:N``, ``processes:N`` or the address of a Dask cluster, with equal results; None takes threads.

    Returns
    -------
    Sweep
        One point per setting.

    Raises
    ------
    UsageError
        If `kind` is none, there is no setting or one out of range, or the scheduler is none or does not answer.
    InfeasibleError
        If no plan keeps the tightest limits.
    """
    require_settings(kind, settings)
    for name, value, least in (("n_routes", n_routes, 1), ("n_steps", n_steps, 0), ("n_starts", n_starts, 1), ("seed", seed, 0)):
        if value < least:
            msg = f"{setting(name)} of a sweep must be at least {least}, got {value}"
            raise UsageError(msg, setting=name, value=value, allowed=(least, math.inf))
    objective = Objective.of_counted(objective or Objective(), evaluator.demand)
    refuse_travel_time(objective, "a sweep")
    points: list[SweepPoint] = []
    with executor(scheduler, n_starts) as pool:
        problem_bytes = None if scheduler is None else problem_to_bytes(evaluator.problem, evaluator.demand)
        search = partial(search_from, evaluator.problem) if problem_bytes is None else partial(continue_search, problem_bytes)
        runner = _Runner(evaluator, objective, np.random.default_rng(seed), n_steps, n_starts, bound_steps, partial(pool.map, search))
        step = current_progress().step(f"Sweep {kind}", len(settings))
        for level in sorted(settings):
            count, bounds = _limits_at(kind, level, limits, n_routes)
            points.append(runner.run(level, count, bounds))
            step.reach(len(points), f"{kind} {level:g}: {points[-1].objective_share:.1%}")
    if not points[-1].plan.routes:
        msg = f"no route keeps the limits at any of {len(settings)} settings of {kind}; allow more kilometres, minutes or buses"
        raise InfeasibleError(msg)
    return Sweep(kind, _with_shared_bounds(points))


def _with_shared_bounds(points: Sequence[SweepPoint]) -> tuple[SweepPoint, ...]:
    """Give every point the lowest bound of its own and of looser settings, which include its plans."""
    lowest = 1.0
    tight: list[SweepPoint] = []
    for point in reversed(points):
        if point.bound_share is not None:
            lowest = min(lowest, point.bound_share)
        tight.append(point if point.bound_share is None else replace(point, bound_share=lowest))
    return tuple(reversed(tight))


class _Runner:
    """Search at one setting after another; keeps the last plan and the multipliers of the bound."""

    def __init__(
        self,
        evaluator: PlanEvaluator,
        objective: Objective,
        rng: np.random.Generator,
        n_steps: int,
        n_starts: int,
        bound_steps: int,
        search: Callable[..., Iterable[tuple[Plan, int]]],
    ) -> None:
        self.evaluator, self.objective, self.rng, self.search = evaluator, objective, rng, search
        self.n_steps, self.n_starts, self.bound_steps = n_steps, n_starts, bound_steps
        self.plan = Plan((), evaluator.problem.network.fingerprint)
        self._multipliers: Any = None

    def run(self, setting: float, n_routes: int, limits: RouteLimits) -> SweepPoint:
        """Search at one setting from the plan so far."""
        task = (self.objective, limits, n_routes, self.plan, self.n_steps)
        results = self.search(*([part] * self.n_starts for part in task), self.rng.spawn(self.n_starts))
        plan, value = max(results, key=itemgetter(1))
        if value >= self.evaluator.problem.value(self.plan, self.objective):
            self.plan = plan
        return self._point(setting, n_routes, limits)

    def _point(self, setting: float, n_routes: int, limits: RouteLimits) -> SweepPoint:
        """Measures of the current plan."""
        evaluator, plan = self.evaluator, self.plan
        evaluation = evaluator.evaluate(plan)
        measures = plan_measures(evaluator.problem.network, plan, limits.headway_s)
        whole, (trips, people) = evaluator.whole, evaluator.all_by_night()
        counts = [float(whole.trips.trips[whole.trips.among(mask)].sum()) for mask in (evaluation.is_served, evaluation.is_direct)]
        all_trips, all_people = max(whole.trips.trips.sum(), 1e-9), max(whole.people.sum(), 1e-9)
        counts_trips, least = evaluator.demand.counts_trips, max(evaluator.min_count, 0)
        return SweepPoint(
            setting=setting,
            plan=plan,
            objective_share=evaluator.problem.value(plan, self.objective) / evaluator.problem.total_value(self.objective),
            served_share=float(counts[0] / all_trips) if counts_trips else None,
            direct_share=float(counts[1] / all_trips) if counts_trips else None,
            presence_share=float(whole.people[evaluation.reached].sum() / all_people),
            served_interval=share_interval(evaluator.served_by_night(evaluation), trips),
            presence_interval=share_interval(evaluator.reached_by_night(evaluation), people),
            served_trips=counts[0] if counts_trips else None,
            length_m=measures.total_length_m,
            buses=measures.total_buses,
            bound_share=self._bound(n_routes, limits),
            least_shares=(
                least
                * QUANTA_PER_TRIP
                * max(self.objective.trips, self.objective.presence)
                / evaluator.problem.total_value(self.objective),
                float(least / all_trips),
                float(least / all_people),
            ),
            least_trips=least,
        )

    def _bound(self, n_routes: int, limits: RouteLimits) -> float | None:
        """Proven bound, from the multipliers of the previous setting."""
        if self.bound_steps <= 0:
            return None
        task = {"limits": limits, "objective": self.objective, "steps": self.bound_steps, "start": self._multipliers}
        result = upper_bound(self.evaluator.problem, n_routes, seconds=math.inf, listed_s=60.0, **task)
        self._multipliers = result.multipliers
        return min(1.0, float(result.share))


def settings_of_text(text: str) -> list[float]:
    """
    Settings of ``FIRST:LAST``, ``FIRST:LAST:STEP`` or a list with commas, ends included.

    Parameters
    ----------
    text
        Such as ``1:20`` or ``20,30,45``; numbers of routes, buses, kilometres or minutes.

    Returns
    -------
    list of float
        Ascending.

    Raises
    ------
    UsageError
        If the text is none of these.

    Examples
    --------
    >>> settings_of_text("30:60:15"), settings_of_text("5,3")
    ([30.0, 45.0, 60.0], [3.0, 5.0])
    """
    try:
        numbers = [float(part) for part in text.replace(":", ",").split(",")]
    except ValueError:
        numbers = []
    numbers = numbers if all(map(math.isfinite, numbers)) else []
    if ":" not in text and numbers:
        return sorted(set(numbers))
    first, last, step = (*numbers, 1.0)[:3] if len(numbers) in {2, 3} else (0.0, 0.0, 0.0)
    n_steps = (last - first) / step if step > 0 else -1.0
    if not 0 <= n_steps <= _MOST_SETTINGS:
        msg = f"a range must read FIRST:LAST, FIRST:LAST:STEP or A,B,C, such as 1:20, got {text!r}"
        raise UsageError(msg)
    return [round(first + k * step, 9) for k in range(int(n_steps + 1e-9) + 1)]


def require_settings(kind: str, settings: Sequence[float]) -> None:
    """
    Refuse what cannot be swept.

    Parameters
    ----------
    kind
        What is swept, one of `KINDS`.
    settings
        Routes, buses, kilometres or minutes.

    Raises
    ------
    UsageError
        If `kind` is none, or there is no setting or one out of range.
    """
    if kind not in KINDS:
        msg = f"a sweep goes over one of {', '.join(KINDS)}, got {kind!r}"
        raise UsageError(msg, setting="kind", value=kind, allowed=tuple(KINDS))
    whole = kind in {"routes", "fleet"}
    highest = {"routes": _MOST_ROUTES, "headway": _LONGEST_MIN}.get(kind, 1e6)
    bad = [s for s in settings if not _LOWEST[kind] <= s <= highest or (whole and s != int(s))]
    if bad or not settings:
        number = "whole numbers" if whole else "numbers"
        msg = f"{setting(kind)} to sweep must be {number} in [{_LOWEST[kind]:g}, {highest:g}], got {f'{bad[0]:g}' if bad else 'none'}"
        raise UsageError(msg, setting=kind, value=tuple(settings), allowed=(_LOWEST[kind], highest))


def _limits_at(kind: str, setting: float, limits: RouteLimits, n_routes: int) -> tuple[int, RouteLimits]:
    """Routes and limits at one setting."""
    if kind == "routes":
        return int(setting), limits
    if kind == "fleet":
        return n_routes, replace(limits, max_buses=int(setting))
    if kind == "km":
        return n_routes, replace(limits, max_total_length_m=setting * 1000)
    return n_routes, replace(limits, headway_s=round(setting * 60))


def _down(value: float, least: float) -> float:
    """Round a share or count down to a multiple of the least one that may be shown."""
    return value if least == 0 else math.floor(value / least + _EXACT) * least


def _known_down(value: float | None, least: float) -> float | None:
    """Round a share or count down as `_down` does; None stays None."""
    return None if value is None else _down(value, least)


def _more(value: float | None, before: float | None) -> float | None:
    """Return what a setting has more than the one before, the first more than nothing; None where it is unknown."""
    return None if value is None else value - (before or 0.0)


def _interval_down(interval: Interval, least: float) -> Interval:
    """Round both ends down, none where there is no interval."""
    low, high = interval
    return None if low is None else _down(low, least), None if high is None else _down(high, least)


def _rounded(value: float | None) -> float | None:
    """Return a share to four decimals."""
    return None if value is None else round(value, 4)
