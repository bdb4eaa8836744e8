"""Stability of the figures: coverage by weekday and hour, ranks of routes over resampled nights, and plans scored on another source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError
from owlbus.evidence.evaluator import PlanEvaluator, part_of
from owlbus.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import ServiceRule

_RESAMPLES = 2_000
_SEED = 20_130_912
_TAIL = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class HourMatrix:
    """
    Shares by weekday of the night's evening and hour.

    Attributes
    ----------
    weekdays, hours
        Labels of rows and columns.
    served, presence
        Shares 0 to 1, shape (n_weekdays, n_hours), NaN where there is nothing, or too little to show.
    """

    weekdays: tuple[str, ...]
    hours: tuple[str, ...]
    served: NDArray[np.float64]
    presence: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return the matrix for JSON: shares 0 to 1 by weekday and hour, None where there is none."""
        return {
            name: {
                day: {hour: None if np.isnan(row[k]) else round(float(row[k]), 4) for k, hour in enumerate(self.hours)}
                for day, row in zip(self.weekdays, table, strict=True)
            }
            for name, table in (("served", self.served), ("presence", self.presence))
        }


@dataclass(frozen=True, slots=True)
class RouteRank:
    """
    Rank of a route, and its spread over resampled nights.

    Attributes
    ----------
    name
        Route name.
    only_served_trips
        Trips a night that only it serves.
    rank
        Place by them, from 1.
    low_rank, high_rank
        90 % of the resampled weeks put it in between, both included.
    same_share
        Share of them that put it in the same place, 0 to 1.
    """

    name: str
    only_served_trips: float
    rank: int
    low_rank: int
    high_rank: int
    same_share: float


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """
    Score of a plan made from one source of demand on another source.

    Attributes
    ----------
    made_on, scored_on
        Names of the sources.
    served_share, presence_share
        Shares of the second source, 0 to 1.
    regret_share
        Served share that a plan made on the second source reaches more, -1 to 1.
    """

    made_on: str
    scored_on: str
    served_share: float
    presence_share: float
    regret_share: float


def hour_matrix(evaluator: PlanEvaluator, plan: Plan, min_count: float | None = None) -> HourMatrix:
    """
    Coverage by weekday and hour.

    Parameters
    ----------
    evaluator
        The demand; its nights must carry dates.
    plan
        The plan.
    min_count
        Trips or people a night below which a share is left out; that of the evaluator by default.

    Returns
    -------
    HourMatrix
        Means over the nights of each weekday.

    Raises
    ------
    DataError
        If nights carry no date.
    """
    if not evaluator.weekdays:
        msg = "weekdays need records with dates; this demand has none"
        raise DataError(msg)
    min_count = evaluator.min_count if min_count is None else min_count
    evaluation = evaluator.evaluate(plan)
    shares = np.full((2, len(evaluator.weekdays), len(evaluator.hours)), np.nan)
    for i, day in enumerate(evaluator.weekdays):
        for j, hour in enumerate(evaluator.demand.known_hours):
            part = part_of(evaluator.problem, evaluator.demand.slice(hours=[hour], weekdays=[day]))
            served = part.trips.trips[part.trips.among(evaluation.is_served)].sum()
            pairs = (served, part.trips.trips.sum()), (part.people[evaluation.reached].sum(), part.people.sum())
            for k, (inside, whole) in enumerate(pairs):
                if whole > 0 and inside >= min_count and whole - inside >= min_count:
                    shares[k, i, j] = inside / whole
    return HourMatrix(tuple(evaluator.weekdays), tuple(evaluator.hours), shares[0], shares[1])


def rank_stability(evaluator: PlanEvaluator, plan: Plan) -> tuple[RouteRank, ...]:
    """
    Ranks of routes by the trips that only each serves, with their spread over resampled nights.

    Parameters
    ----------
    evaluator
        The demand, over two nights or more.
    plan
        The plan.

    Returns
    -------
    tuple of RouteRank
        Best route first; ranks in numbers from 1.

    Raises
    ------
    DataError
        If there are fewer than two nights.
    """
    n = evaluator.demand.n_nights
    if n < 2:  # noqa: PLR2004 - one night cannot be resampled
        msg = f"ranks over resampled nights need at least 2 nights, got {n}"
        raise DataError(msg)
    if not plan.routes:
        return ()
    whole = evaluator.served_by_night(evaluator.evaluate(plan))
    only_served = np.stack([whole - evaluator.served_by_night(evaluator.evaluate(_without(plan, k))) for k in range(len(plan))])
    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    ranks = 1 + (-(only_served @ draws.T)).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    means = only_served.mean(axis=1)
    rank_of = 1 + (-means).argsort(kind="stable").argsort(kind="stable")
    rows = [
        RouteRank(
            name,
            float(means[k]),
            int(rank_of[k]),
            int(np.floor(np.quantile(ranks[k], _TAIL))),
            int(np.ceil(np.quantile(ranks[k], 1 - _TAIL))),
            float(np.mean(ranks[k] == rank_of[k])),
        )
        for k, name in enumerate(plan.names)
    ]
    return tuple(sorted(rows, key=lambda row: row.rank))


def cross_checks(
    network: Network, sources: Mapping[str, Demand], plans: Mapping[str, Plan], rule: ServiceRule | None = None
) -> tuple[CrossCheck, ...]:
    """
    Score each source's plan on every source.

    Parameters
    ----------
    network
        Stop network.
    sources
        Demand by name, such as calls and taxi.
    plans
        Plan made on each of them, by the same names.
    rule
        When a trip counts as served.

    Returns
    -------
    tuple of CrossCheck
        Shares 0 to 1; a plan on its own source has no regret.
    """
    rows = []
    for scored_on, demand in sources.items():
        evaluator = PlanEvaluator.build(network, demand, rule)
        shares = {name: _shares(evaluator, plan) for name, plan in plans.items()}
        for made_on, (served, presence) in shares.items():
            rows.append(CrossCheck(made_on, scored_on, served, presence, shares[scored_on][0] - served))
    return tuple(rows)


def _shares(evaluator: PlanEvaluator, plan: Plan) -> tuple[float, float]:
    """Served and presence share of a plan."""
    evaluation, whole = evaluator.evaluate(plan), evaluator.whole
    served = whole.trips.trips[whole.trips.among(evaluation.is_served)].sum() / max(whole.trips.trips.sum(), 1e-9)
    return float(served), float(whole.people[evaluation.reached].sum() / max(whole.people.sum(), 1e-9))


def _without(plan: Plan, k: int) -> Plan:
    """Plan without one route."""
    return Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)
