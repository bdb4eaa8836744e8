"""Plans over a range of routes, buses, kilometres or headways, each searched from the one before it."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from owlbus.cluster import executor
from owlbus.common.defaults import N_ROUTES, N_STARTS, SWEEP_STEPS
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import InfeasibleError
from owlbus.common.progress import current_progress
from owlbus.evidence.knee import bend_of
from owlbus.evidence.sweep_search import SettingSearch, with_shared_bounds
from owlbus.evidence.sweep_settings import UNITS, limits_at, require_least, require_settings
from owlbus.plan import plan_measures
from owlbus.score import coverage_of, printed_coverage
from owlbus.search.bound import upper_bound
from owlbus.search.constraints import PlanConstraints
from owlbus.search.fixed_part import FreeRoutes
from owlbus.search.objective import Objective
from owlbus.search.parallel import continue_search, problem_to_bytes, search_from
from owlbus.search.spread import counted_by, hidden_by, printed_objective, within_words
from owlbus.search.travel_time_objective import refuse_journeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    import pandas as pd

    from owlbus.evidence.difference import Interval
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.sweep_search import SettingPlan
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.score import Coverage
    from owlbus.search.spread import Spread


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
    "searched_share",
    "is_knee",
    "kept_from",
    "spread_over",
    "spread_n_searches",
    "spread_lowest_share",
    "spread_median_share",
    "spread_highest_share",
    "within_spread",
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
        What was maximised, by area, 0 to 1; never below that of the setting before.
    served_share, direct_share, presence_share
        Measures of the plan, 0 to 1; those of trips None where none were counted.
    served_interval, presence_interval
        Their 90 % intervals over nights.
    served_trips
        Trips served a night; None where no trips were counted.
    length_m, buses
        One-way metres and buses of all routes.
    bound_share
        Proven upper bound of the objective as the search counts it, 0 to 1; None if none was computed.
    coverage
        Presence and trips that the plan covers, with the counts of each night.
    counted
        Trips and people a night that the objective is a share of, the heavier of both with weight 1.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    searched_share
        Objective as the search counts, hexes whole, 0 to 1; the bound is of it.
    kept_from
        The tighter setting that the plan is kept from; None where the search of this setting found it.
    spread
        Objective over the seeds, or over the starts of one seed; None where one search ran.
    """

    setting: float
    plan: Plan
    objective_share: float | None
    served_share: float | None
    direct_share: float | None
    presence_share: float | None
    served_interval: Interval
    presence_interval: Interval
    served_trips: float | None
    length_m: int
    buses: int
    bound_share: float | None
    coverage: Coverage
    counted: float
    min_count: float = MIN_COUNT
    searched_share: float | None = None
    kept_from: float | None = None
    spread: Spread | None = None

    @property
    def shown(self) -> SweepPoint:
        """The point as people may read it: shares of printed counts, None of too few."""
        publisher, trips_counted = Publisher(self.min_count), self.served_share is not None
        printed = printed_coverage(self.coverage, publisher, trips_counted=trips_counted, is_whole=True)
        share = partial(printed_objective, counted=self.counted, publisher=publisher)
        bound = self.bound_share
        figures: dict[str, Any] = {f"{kind}_share": measure["share"] for kind, measure in printed.items()}
        for kind in ("served", "presence"):
            figures[f"{kind}_interval"] = printed[kind]["low_share"], printed[kind]["high_share"]
        if bound is not None:
            figures["bound_share"] = publisher.share_at_most(bound * self.counted, self.counted)
        for name in ("objective_share", "searched_share"):
            exact = getattr(self, name)
            figures[name] = None if exact is None else share(exact)
        spread = None if self.spread is None else self.spread.shown(share)
        return replace(self, served_trips=printed["served"]["numerator"], spread=spread, **figures)

    @property
    def rounding_share(self) -> float:
        """Difference of two objectives below which none can be told from rounding, a share; 0 for open data."""
        publisher = Publisher(self.min_count)
        return publisher.least_change / max(publisher.count(self.counted), 1.0)


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
    >>> evaluator = PlanEvaluator.build(network, demand, min_count=-1)  # open data
    >>> swept = sweep_plans(evaluator, "routes", (1, 2, 3), RouteLimits(max_length_m=5_000), n_steps=300)
    >>> [(row["routes"], row["served_share"]) for row in swept.rows()], swept.points[swept.knee].setting
    ([(1, 0.6), (2, 0.9), (3, 1.0)], 2)
    """

    kind: str
    points: tuple[SweepPoint, ...]

    @property
    def shown(self) -> Sweep:
        """The sweep as people may read it: every point as it is printed."""
        return replace(self, points=tuple(point.shown for point in self.points))

    @property
    def knee(self) -> int | None:
        """Index of the printed point farthest above the straight line from the first to the last; None within spread or rounding."""
        position, height_share = self._bend
        return None if self.knee_hidden_by is not None or height_share < self.points[0].rounding_share else position

    @property
    def knee_hidden_by(self) -> Spread | None:
        """Spread that the bend of the printed curve does not exceed; None where it does, or there is no bend."""
        position, height_share = self._bend
        return None if position is None else hidden_by(height_share, [point.spread for point in self.shown.points])

    @property
    def _bend(self) -> tuple[int | None, float]:
        """The printed point farthest above the straight line from the first to the last, and how far above it lies, a share."""
        shares = [point.objective_share for point in self.shown.points]
        known = [share for share in shares if share is not None]
        return bend_of([point.setting for point in self.points], known) if len(known) == len(shares) else (None, 0.0)

    @property
    def within_spread(self) -> tuple[Spread | None, ...]:
        """For each point the spread that the printed gain over the point before does not exceed; None where it does, and for the first."""
        found: list[Spread | None] = [None]
        for before, after in pairwise(self.shown.points):
            was, now = before.objective_share, after.objective_share
            found.append(None if was is None or now is None else hidden_by(now - was, [before.spread, after.spread]))
        return tuple(found)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on gains within the spread, and on plans that are kept from a tighter setting."""
        unit, points = UNITS[self.kind][1], self.shown.points
        kept = [f"{p.setting:g} {unit}: kept from the setting with {p.kept_from:g} {unit}." for p in points if p.kept_from is not None]
        hidden = [(point, spread) for point, spread in zip(points, self.within_spread, strict=True) if spread is not None]
        where = ", ".join(f"{point.setting:g} {unit} ({100 * spread.width_share:.1f} points)" for point, spread in hidden)
        within = [f"Within the spread over {hidden[0][1].over} is the gain over the setting before at {where}."] if hidden else []
        return (*kept, *within)

    @property
    def knee_text(self) -> str:
        """One sentence on the knee, shares in points and settings in their unit."""
        hidden, knee = self.knee_hidden_by, self.knee
        if hidden is not None:
            return f"No knee can be told: the bend of the curve is {within_words(hidden)}."
        if knee is None and any(point.objective_share is None for point in self.shown.points):
            return "No knee can be told of so few people."
        if knee is None:
            return "The curve has no knee: each further setting brings about as much as the one before."
        x, y = ([getattr(point, name) for point in self.shown.points] for name in ("setting", "objective_share"))
        before, after = (y[knee] - y[0]) / abs(x[knee] - x[0]), (y[-1] - y[knee]) / abs(x[-1] - x[knee])
        return (
            f"Knee at {x[knee]:g}, where the curve lies highest above the straight line between its ends: "
            f"up to there a further {UNITS[self.kind][0]} brings {100 * before:.2f} points, beyond it {100 * after:.2f}."
        )

    def to_frame(self) -> pd.DataFrame:
        """
        Return one row per setting with exact figures.

        Returns
        -------
        DataFrame
            The setting under the name of the kind, ``routes_run``, shares 0 to 1 with both ends of their intervals, ``served_trips`` a
            night, ``length_m``, ``buses``, ``bound_share``, ``searched_share``, ``kept_from``, lowest, median and highest share of the
            spread, and ``is_knee``.
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
        Points as CSV, one line each, by the publishing rule.

        Returns
        -------
        str
            Shares in [0, 1], kilometres, trips a night.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((self.kind, *_CSV_COLUMNS))
        for row in self.rows():
            flat = row | {f"spread_{name}": value for name, value in (row["spread"] or {}).items()}
            flat["within_spread"] = None if row["spread"] is None else int(row["within_spread"] is not None)
            writer.writerow(["" if flat.get(name) is None else flat[name] for name in (self.kind, *_CSV_COLUMNS)])
        return out.getvalue()

    def rows(self) -> list[dict[str, Any]]:
        """Return the points as people may read them, as plain values for JSON: shares 0 to 1, kilometres, trips a night."""
        rows = []
        before: SweepPoint | None = None
        knee = self.knee
        for position, (point, hidden) in enumerate(zip(self.shown.points, self.within_spread, strict=True)):
            gain, points = _gain(before, point)
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
                    "marginal_points": points,
                    "bound_share": _rounded(point.bound_share),
                    "searched_share": None if point.bound_share is None else _rounded(point.searched_share),
                    "is_knee": int(position == knee),
                    **_search_row(point, hidden),
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
    n_seeds: int = 1,
    seed: int = 0,
    bound_steps: int = 0,
    scheduler: str | None = None,
    fixed: Plan | None = None,
) -> Sweep:
    """
    Best plans over a range of settings, each searched from the plan of the previous setting.

    A plan that keeps the tighter setting keeps the looser one too (with one more route it may leave that empty). It is kept where the
    search of the looser one finds no better plan by area, so what is maximised never falls.

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
    n_seeds
        Whole sweeps, from `seed`, `seed` + 1 and so on, each with all steps; the best plan of each setting by area is kept.
    seed
        Seed of all random numbers, >= 0.
    bound_steps
        Iterations of the proven bound at each setting (`owlbus.search.upper_bound`); 0 for no bound.
    scheduler
        Where they search: ``local:N``, ``processes:N`` or the address of a Dask cluster, with equal results; None takes threads.
    fixed
        Routes of every plan, which count towards its routes, kilometres and buses and may break the limits of a route; None for none.

    Returns
    -------
    Sweep
        One point per setting.

    Raises
    ------
    UsageError
        If `kind` is none, there is no setting or one out of range, or the scheduler is none or does not answer.
    InfeasibleError
        If no plan keeps the tightest limits, or the fixed routes need more than the tightest setting has.
    """
    require_settings(kind, settings)
    ranges = (("n_routes", n_routes, 1), ("n_steps", n_steps, 0), ("n_starts", n_starts, 1), ("n_seeds", n_seeds, 1), ("seed", seed, 0))
    require_least(ranges)
    objective = Objective.of_counted(objective or Objective(), evaluator.demand)
    refuse_journeys(objective, "a sweep")
    constraints = PlanConstraints(fixed=fixed)
    FreeRoutes.beside(constraints, evaluator.problem.network, *limits_at(kind, min(settings), limits, n_routes))
    points, measurer = list[SweepPoint](), _Measurer(evaluator, objective, bound_steps, constraints)
    with executor(scheduler, max(n_starts, min(n_starts * n_seeds, os.cpu_count() or 1))) as pool:
        problem_bytes = None if scheduler is None else problem_to_bytes(evaluator.problem, evaluator.demand)
        search = partial(search_from, evaluator.problem) if problem_bytes is None else partial(continue_search, problem_bytes)
        settings_search = SettingSearch(
            evaluator, objective, range(seed, seed + n_seeds), n_steps, n_starts, partial(pool.map, search), fixed
        )
        step = current_progress().step(f"Sweep {kind}", len(settings))
        for level in sorted(settings):
            count, bounds = limits_at(kind, level, limits, n_routes)
            points.append(measurer.point(level, settings_search.run(level, count, bounds), count, bounds))
            step.reach(len(points), f"{kind} {level:g}: {points[-1].objective_share:.1%}")
    if not points[-1].plan.routes:
        msg = f"no route keeps the limits at any of {len(settings)} settings of {kind}; allow more kilometres, minutes or buses"
        raise InfeasibleError(msg)
    return Sweep(kind, with_shared_bounds(points))


class _Measurer:
    """Measures the plan of one setting after another; keeps the multipliers of the bound."""

    def __init__(self, evaluator: PlanEvaluator, objective: Objective, bound_steps: int, constraints: PlanConstraints) -> None:
        self.evaluator, self.objective, self.bound_steps, self.constraints = evaluator, objective, bound_steps, constraints
        self._multipliers: Any = None

    def point(self, setting: float, found: SettingPlan, n_routes: int, limits: RouteLimits) -> SweepPoint:
        """Measures of the plan of one setting."""
        evaluator, plan = self.evaluator, found.plan
        evaluation = evaluator.evaluate(plan)
        measures = plan_measures(evaluator.problem.network, plan, limits.headway_s)
        covered = coverage_of(evaluator.counter, evaluation, evaluator.demand)
        served, presence, counts_trips = covered.served, covered.presence, evaluator.demand.counts_trips
        return SweepPoint(
            setting=setting,
            plan=plan,
            objective_share=found.objective_share,
            served_share=served.share if counts_trips else None,
            direct_share=covered.direct.share if counts_trips else None,
            presence_share=presence.share,
            served_interval=(served.low_share, served.high_share),
            presence_interval=(presence.low_share, presence.high_share),
            served_trips=served.numerator if counts_trips else None,
            length_m=measures.total_length_m,
            buses=measures.total_buses,
            bound_share=self._bound(n_routes, limits),
            coverage=covered,
            counted=counted_by(self.objective, served.denominator, presence.denominator),
            min_count=evaluator.min_count,
            searched_share=evaluator.problem.value(plan, self.objective) / evaluator.problem.total_value(self.objective),
            kept_from=found.kept_from,
            spread=found.spread,
        )

    def _bound(self, n_routes: int, limits: RouteLimits) -> float | None:
        """Proven bound, from the multipliers of the previous setting."""
        if self.bound_steps <= 0:
            return None
        task = {
            "limits": limits,
            "constraints": self.constraints,
            "objective": self.objective,
            "steps": self.bound_steps,
            "start": self._multipliers,
        }
        result = upper_bound(self.evaluator.problem, n_routes, seconds=math.inf, listed_s=60.0, **task)
        self._multipliers = result.multipliers
        return min(1.0, float(result.share))


def _search_row(point: SweepPoint, hidden: Spread | None) -> dict[str, Any]:
    """Return what is said of the searches at one setting, for JSON: where the plan was found, and their spread."""
    return {
        "kept_from": point.kept_from,
        "spread": None if point.spread is None else point.spread.to_dict(),
        "within_spread": None if hidden is None else hidden.width_dict(),
    }


def _gain(before: SweepPoint | None, point: SweepPoint) -> tuple[float | None, float | None]:
    """Return trips and points that a printed setting has more than the one before, the first more than nothing; None where not told."""
    if point.served_trips is None or point.served_share is None:
        return None, None
    if before is None or before.served_trips is None or before.served_share is None:
        return round(point.served_trips), round(100 * point.served_share, 2)
    trips = Publisher(point.min_count).change_of_printed(before.served_trips, point.served_trips)
    return (None, None) if trips is None else (round(trips), round(100 * (point.served_share - before.served_share), 2))


def _rounded(value: float | None) -> float | None:
    """Return a share to four decimals."""
    return None if value is None else round(value, 4)
