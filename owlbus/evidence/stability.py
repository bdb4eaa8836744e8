"""Stability of the figures: coverage by weekday and hour, ranks of routes over resampled nights, and plans scored on another source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError
from owlbus.evidence.evaluator import PlanEvaluator, part_of
from owlbus.plan import Plan
from owlbus.score import LEAST_NIGHTS

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
        Shares 0 to 1 as they are printed, shape (n_weekdays, n_hours), NaN where there is nothing, or too little to tell.
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
        Trips a night that only it serves, as they are printed.
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
        Shares of the second source as they are printed, 0 to 1; None of too few.
    regret_share
        Served share that a plan made on the second source reaches more, -1 to 1; None where it cannot be told from rounding.
    """

    made_on: str
    scored_on: str
    served_share: float | None
    presence_share: float | None
    regret_share: float | None


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
        Trips or people a night of which printed counts are multiples; that of the evaluator by default.

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
    publisher = Publisher(evaluator.min_count if min_count is None else min_count)
    evaluation = evaluator.evaluate(plan)
    reached = evaluation.reached_share
    shares = np.full((2, len(evaluator.weekdays), len(evaluator.hours)), np.nan)
    for i, day in enumerate(evaluator.weekdays):
        for j, hour in enumerate(evaluator.demand.known_hours):
            part = part_of(evaluator.counter, evaluator.demand.slice(hours=[hour], weekdays=[day]))
            served = part.trips.sum(evaluation.served_share)
            pairs = (served, part.trips.total), (float(part.people @ reached), part.people.sum())
            for k, (inside, whole) in enumerate(pairs):
                share = publisher.share(inside, whole)
                shares[k, i, j] = np.nan if share is None else share
    return HourMatrix(tuple(evaluator.weekdays), tuple(evaluator.hours), shares[0], shares[1])


def rank_stability(evaluator: PlanEvaluator, plan: Plan, min_count: float | None = None) -> tuple[RouteRank, ...]:
    """
    Ranks of routes by the printed trips that only each serves, with their spread over resampled nights.

    Parameters
    ----------
    evaluator
        The demand, over `LEAST_NIGHTS` nights or more.
    plan
        The plan.
    min_count
        Trips or people a night of which printed counts are multiples; that of the evaluator by default.

    Returns
    -------
    tuple of RouteRank
        Best route first; ranks in numbers from 1. Empty where a night has too few trips to tell.

    Raises
    ------
    DataError
        If there are fewer nights.
    """
    n, publisher = evaluator.demand.n_nights, Publisher(evaluator.min_count if min_count is None else min_count)
    if n < LEAST_NIGHTS:
        msg = f"ranks over resampled nights need at least {LEAST_NIGHTS} nights, got {n}"
        raise DataError(msg)
    if not plan.routes or not all(map(publisher.is_enough, evaluator.all_by_night()[0].tolist())):
        return ()
    whole = evaluator.served_by_night(evaluator.evaluate(plan))
    only_served = np.stack(
        [publisher.counts(whole - evaluator.served_by_night(evaluator.evaluate(_without(plan, k)))) for k in range(len(plan))]
    )
    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    ranks = 1 + (-(only_served @ draws.T)).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    means = only_served.mean(axis=1)
    rank_of = 1 + (-means).argsort(kind="stable").argsort(kind="stable")
    rows = [
        RouteRank(
            name,
            publisher.count(float(means[k])),
            int(rank_of[k]),
            int(np.floor(np.quantile(ranks[k], _TAIL))),
            int(np.ceil(np.quantile(ranks[k], 1 - _TAIL))),
            float(np.mean(ranks[k] == rank_of[k])),
        )
        for k, name in enumerate(plan.names)
    ]
    return tuple(sorted(rows, key=lambda row: row.rank))


def cross_checks(
    network: Network,
    sources: Mapping[str, Demand],
    plans: Mapping[str, Plan],
    rule: ServiceRule | None = None,
    min_count: float = MIN_COUNT,
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
    min_count
        Trips or people a night of which printed counts are multiples.

    Returns
    -------
    tuple of CrossCheck
        Shares 0 to 1; a plan on its own source has no regret.
    """
    rows = []
    for scored_on, demand in sources.items():
        evaluator, publisher = PlanEvaluator.build(network, demand, rule), Publisher(min_count)
        trips, people = evaluator.whole.trips, evaluator.whole.people
        counts = {name: evaluator.evaluate(plan) for name, plan in plans.items()}
        served = {name: trips.sum(count.served_share) for name, count in counts.items()}
        for made_on, count in counts.items():
            share, best = (publisher.headline(served[name], trips.total) for name in (made_on, scored_on))
            is_told = made_on == scored_on or publisher.change(served[made_on], served[scored_on]) is not None
            regret = None if share is None or best is None or not is_told else best - share
            presence = publisher.headline(float(people @ count.reached_share), float(people.sum()))
            rows.append(CrossCheck(made_on, scored_on, share, presence, regret))
    return tuple(rows)


def _without(plan: Plan, k: int) -> Plan:
    """Plan without one route."""
    return Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)
