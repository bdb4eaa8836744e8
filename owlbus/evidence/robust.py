"""How far the figures can be trusted: coverage by weekday and hour, ranks of routes over resampled nights, one source scored on another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.errors import DataError, UsageError
from owlbus.evidence.ledger import Ledger, part_of
from owlbus.plan import Plan, Route
from owlbus.privacy import MIN_COUNT
from owlbus.progress import current_progress
from owlbus.search.objective import Objective
from owlbus.units import quantise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Agreement, Demand
    from owlbus.limits import RouteLimits, ServiceRule
    from owlbus.network import Network

_RESAMPLES = 2_000
_SEED = 20_130_912
_TAIL = 0.05
_SHARPNESS = 8.0


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
    How steady a route's place among the routes is.

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
    A plan made from one source of demand, held against another.

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


def hour_matrix(ledger: Ledger, plan: Plan, min_count: float = MIN_COUNT) -> HourMatrix:
    """
    Coverage by weekday and hour.

    Parameters
    ----------
    ledger
        The demand; its nights must carry dates.
    plan
        The plan.
    min_count
        Trips or people a night below which a share is left out.

    Returns
    -------
    HourMatrix
        Means over the nights of each weekday.

    Raises
    ------
    DataError
        If nights carry no date.
    """
    if not ledger.weekdays:
        msg = "weekdays need records with dates; this demand has none"
        raise DataError(msg)
    account = ledger.enter(plan)
    shares = np.full((2, len(ledger.weekdays), len(ledger.hours)), np.nan)
    for i, day in enumerate(ledger.weekdays):
        for j, hour in enumerate(ledger.demand.hours):
            part = part_of(ledger.case, ledger.demand.slice(hours=[hour], weekdays=[day]))
            served = part.trips.trips[part.trips.among(account.is_served)].sum()
            pairs = (served, part.trips.trips.sum()), (part.people[account.reached].sum(), part.people.sum())
            for k, (inside, whole) in enumerate(pairs):
                if inside >= min_count and whole - inside >= min_count:
                    shares[k, i, j] = inside / whole
    return HourMatrix(tuple(ledger.weekdays), tuple(ledger.hours), shares[0], shares[1])


def rank_stability(ledger: Ledger, plan: Plan) -> tuple[RouteRank, ...]:
    """
    Whether nights drawn anew would rank the routes alike, by the trips that only each serves.

    Parameters
    ----------
    ledger
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
    n = ledger.demand.n_nights
    if n < 2:  # noqa: PLR2004 - one night cannot be resampled
        msg = f"ranks over resampled nights need at least 2 nights, got {n}"
        raise DataError(msg)
    if not plan.routes:
        return ()
    whole = ledger.served_by_night(ledger.enter(plan))
    alone = np.stack([whole - ledger.served_by_night(ledger.enter(_without(plan, k))) for k in range(len(plan))])
    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    ranks = 1 + (-(alone @ draws.T)).argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    means = alone.mean(axis=1)
    own = 1 + (-means).argsort(kind="stable").argsort(kind="stable")
    rows = [
        RouteRank(
            name,
            float(means[k]),
            int(own[k]),
            int(np.floor(np.quantile(ranks[k], _TAIL))),
            int(np.ceil(np.quantile(ranks[k], 1 - _TAIL))),
            float(np.mean(ranks[k] == own[k])),
        )
        for k, name in enumerate(plan.names)
    ]
    return tuple(sorted(rows, key=lambda row: row.rank))


def robust_plan(
    network: Network,
    demand: Demand,
    start: Plan,
    limits: RouteLimits,
    *,
    rule: ServiceRule | None = None,
    objective: Objective | None = None,
    quantile: float = 0.1,
    n_rounds: int = 6,
    n_steps: int = 60_000,
    seed: int = 0,
) -> tuple[Plan, NDArray[np.float64]]:
    """
    Plan whose served share is high on bad nights too.

    The nights that the plan so far serves worst count for more in the next search, which begins from it [1]_; of all plans met the one
    with the highest quantile over nights is kept, so that it is never below that of `start`.

    Parameters
    ----------
    network, demand, rule
        As in `Ledger.build`.
    start
        Plan to begin from.
    limits
        What plans must keep, in metres and seconds.
    objective
        What counts; trips served by default.
    quantile
        Quantile over nights to maximise, 0 (the worst night) to 1.
    n_rounds, n_steps
        Searches, and moves in each; with the seed they fix the result.
    seed
        Seed of all random numbers, >= 0.

    Returns
    -------
    plan
        The plan.
    shares
        Its served share in each night, 0 to 1, shape (n_nights,).

    Raises
    ------
    UsageError
        If the quantile lies outside [0, 1].
    DataError
        If there are fewer than two nights.

    References
    ----------
    .. [1] Arora, Hazan and Kale (2012), The multiplicative weights update method, Theory of Computing 8, 121-164.
    """
    from owlbus.search.warm import search_from

    if not 0 <= quantile <= 1:
        msg = f"quantile must lie in [0, 1], got {quantile:g}"
        raise UsageError(msg)
    if demand.n_nights < 2:  # noqa: PLR2004 - one night has no worst one
        msg = f"a plan that is good on bad nights too needs at least 2 nights, got {demand.n_nights}"
        raise DataError(msg)
    goal = objective or Objective()
    ledger = Ledger.build(network, demand, rule)
    rng = np.random.default_rng(seed)
    best, shares = start, _by_night(ledger, start)
    weights, now = np.full(demand.n_nights, 1.0), start
    step = current_progress().step("Search for bad nights", n_rounds)
    for done in range(n_rounds):
        nightly = _by_night(ledger, now)
        weights *= np.exp(-_SHARPNESS * (nightly - nightly.mean()) / max(nightly.std(), 1e-9) / n_rounds)
        weights /= weights.mean()
        case = Ledger.build(network, _weighted(demand, weights), rule).case
        now = _renamed(search_from(case, goal, limits, max(1, len(now)), now, n_steps, rng.spawn(1)[0])[0], start)
        found = _by_night(ledger, now)
        if np.quantile(found, quantile) > np.quantile(shares, quantile):
            best, shares = now, found
        step.reach(done + 1, f"{np.quantile(shares, quantile):.1%}")
    return best, shares


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
        ledger = Ledger.build(network, demand, rule)
        shares = {name: _shares(ledger, plan) for name, plan in plans.items()}
        for made_on, (served, presence) in shares.items():
            rows.append(CrossCheck(made_on, scored_on, served, presence, shares[scored_on][0] - served))
    return tuple(rows)


def source_agreement(sources: Mapping[str, Demand]) -> Agreement | None:
    """Return how far calls and taxi agree in their patterns, shares 0 to 1, or None if one of them is absent."""
    from owlbus.demand import agreement

    return agreement(sources["calls"], sources["taxi"]) if {"calls", "taxi"} <= sources.keys() else None


def _shares(ledger: Ledger, plan: Plan) -> tuple[float, float]:
    """Served and presence share of a plan."""
    account, whole = ledger.enter(plan), ledger.whole
    served = whole.trips.trips[whole.trips.among(account.is_served)].sum() / max(whole.trips.trips.sum(), 1e-9)
    return float(served), float(whole.people[account.reached].sum() / max(whole.people.sum(), 1e-9))


def _by_night(ledger: Ledger, plan: Plan) -> NDArray[np.float64]:
    """Served share of each night, shape (n_nights,)."""
    trips = ledger.all_by_night()[0]
    return np.divide(ledger.served_by_night(ledger.enter(plan)), trips, out=np.zeros(trips.size), where=trips > 0)


def _weighted(demand: Demand, weights: Sequence[float] | NDArray[np.float64]) -> Demand:
    """Demand with the trips of each night multiplied by its weight."""
    trips = quantise(demand.trips * np.asarray(weights)[demand.night])
    return replace(demand, trips=np.maximum(trips, 1 / 1024))


def _without(plan: Plan, k: int) -> Plan:
    """Plan without one route."""
    return Plan(plan.routes[:k] + plan.routes[k + 1 :], plan.network_fingerprint)


def _renamed(plan: Plan, like: Plan) -> Plan:
    """Plan with the names of another one, where it has as many routes."""
    if len(plan) != len(like):
        return plan
    return Plan(tuple(Route(route.stops, name) for route, name in zip(plan.routes, like.names, strict=True)), plan.network_fingerprint)
