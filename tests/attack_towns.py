"""Small random towns whose records are known, and what every published figure weighs each record with."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from owlbus.demand import Demand
from owlbus.evidence import compare_plans
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import Plan, Route
from owlbus.score import score_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.evidence.difference import Difference
    from owlbus.score import Scorecard

HOURS = (24, 25, 26)
N_GEOMETRIES = 12
_NO_TRIPS: dict[str, list[float]] = {name: [] for name in ("night", "hour", "origin", "destination", "trips")}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Public facts of a town: network, plans, groups of hexes, and by figure the weight of each pair of hexes or of each hex."""

    network: Network
    plans: Mapping[str, Plan]
    groups: Mapping[str, NDArray[np.str_]]
    pairs: tuple[tuple[int, int], ...]
    pair_weights: Mapping[str, NDArray[np.float64]]
    hex_weights: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Town:
    """
    Records of a town: trips by source, night, hour and pair of hexes, and people without a trip by night, hour and hex.

    People present are those of the first source's trips, where they start, and those without a trip.
    """

    geometry: Geometry
    trips: NDArray[np.float64]
    others: NDArray[np.float64]

    @property
    def atoms(self) -> NDArray[np.float64]:
        """True numbers of records, one after another."""
        return np.concatenate([self.trips.ravel(), self.others.ravel()])

    def weights(self, trips: NDArray[np.float64] | float = 0.0, others: NDArray[np.float64] | float = 0.0) -> NDArray[np.float64]:
        """Weights of all atoms from what broadcasts to the shapes of `trips` and `others`."""
        parts = (np.broadcast_to(trips, self.trips.shape), np.broadcast_to(others, self.others.shape))
        return np.concatenate([part.ravel() for part in parts]).astype(np.float64)


def _unit(card: Scorecard) -> dict[str, float]:
    """Figures of one trip: those that count it, and sums of seconds and metres."""
    served = card.coverage.served.numerator
    values = {
        "served": served,
        "direct": card.coverage.direct.numerator,
        "ride_s": served * (card.mean_ride_s or 0.0),
        "walk_m": served * (card.mean_walk_m or 0.0),
        "travel_s": card.mean_travel_s or 0.0,
    }
    for k, row in enumerate(card.routes):
        values |= {f"routes/{k}/{name}": getattr(row, name) for name in ("boardings_trips", "transfers_trips", "only_served_trips")}
    for k, row in enumerate(card.segments):
        values |= {f"segments/{k}/{name}": getattr(row, name) for name in ("ahead_trips", "back_trips")}
    return values


def _change(change: Difference) -> dict[str, float]:
    """Figures of one trip in a comparison of two plans."""
    burden, whole = change.burden, change.whole
    values = {name: getattr(whole, name) for name in ("gained_trips", "lost_trips")}
    values |= {name: getattr(change, name) for name in ("gained_direct_trips", "lost_direct_trips")}
    values |= {name: getattr(burden, name) for name in ("now_transfer_trips", "now_direct_trips", "slower_trips", "faster_trips")}
    return values | {"slower_s": burden.slower_trips * burden.slower_mean_s, "faster_s": burden.faster_trips * burden.faster_mean_s}


def _transposed(rows: list[dict[str, float]], prefix: str) -> dict[str, NDArray[np.float64]]:
    return {f"{prefix}/{name}": np.array([row[name] for row in rows]) for name in rows[0]}


@lru_cache(maxsize=N_GEOMETRIES * 2)
def geometry(number: int, count_by: str = "area") -> Geometry:
    """One of `N_GEOMETRIES` small lattices with three plans; the weights are what the code says of one record alone."""
    rng = np.random.default_rng([number, 19])
    grid = HexGrid.cover([(0, 0), (0.03, 0), (0.03, 0.03), (0, 0.03)], n_hexes=int(rng.integers(6, 11)))
    network, n = Network.from_lattice(grid), grid.n_hexes
    plans: dict[str, Plan] = {}
    while len(plans) < 3:
        ends = [rng.choice(network.n_stops, 2, replace=False) for _ in range(2)]
        paths = [network.shortest_path(int(a), int(b)) for a, b in ends]
        if all(len(path) > 2 for path in paths):
            plans["ABC"[len(plans)]] = Plan(tuple(Route(path, f"N{k}") for k, path in enumerate(paths)), network.fingerprint)
    fine = rng.integers(4, size=n)
    groups = {
        "district": np.array([f"d{label}" for label in fine]),
        "side": np.array([f"s{label // 2}" for label in fine]),
        "ring": np.array([f"r{label}" for label in rng.integers(2, size=n)]),
    }
    pairs = tuple((o, d) for o in range(n) for d in range(n) if o != d)
    pair_weights: dict[str, NDArray[np.float64]] = {}
    hex_weights: dict[str, NDArray[np.float64]] = {}
    units = [Demand(n, origin=[o], destination=[d], trips=[1.0]) for o, d in pairs]
    people = [Demand.from_rows(n, _NO_TRIPS, {"night": [0], "hour": [24], "hex": [h], "presence": [1.0]}, hours=(24,)) for h in range(n)]
    for name, plan in plans.items():
        pair_weights |= _transposed([_unit(score_plan(network, unit, plan, count_by=count_by)) for unit in units], name)
        cards = [score_plan(network, unit, plan, count_by=count_by) for unit in people]
        rows = [
            {"presence": c.coverage.presence.numerator} | {f"routes/{k}/only_presence": r.only_presence for k, r in enumerate(c.routes)}
            for c in cards
        ]
        hex_weights |= _transposed(rows, name)
    for before, after in (("A", "B"), ("A", "C"), ("B", "C")):
        two = {name: plans[name] for name in (before, after)}
        changes = [compare_plans(network, unit, two).changes[after] for unit in units] if count_by == "area" else []
        if changes:
            pair_weights |= _transposed([_change(change) for change in changes], f"{before}{after}")
            changes = [compare_plans(network, unit, two).changes[after] for unit in people]
            rows = [{name: getattr(change.whole, name) for name in ("gained_presence", "lost_presence")} for change in changes]
            hex_weights |= _transposed(rows, f"{before}{after}")
    return Geometry(network, plans, groups, pairs, pair_weights, hex_weights)


def random_town(
    seed: int, *, count_by: str = "area", n_nights: int | None = None, n_sources: int | None = None, n_people: tuple[int, int] = (20, 150)
) -> Town:
    """Town of `n_people` people, most of them on few relations, in one night or two, of one source or two."""
    rng = np.random.default_rng([seed, 1919])
    public = geometry(seed % N_GEOMETRIES, count_by)
    nights = n_nights or int(rng.integers(1, 3))
    sources = n_sources or int(rng.integers(1, 3))
    people, share = int(rng.integers(n_people[0], n_people[1] + 1)), rng.uniform(0.3, 0.9)
    n_trips = round(people * share)
    shape, others = (sources, nights, len(HOURS), len(public.pairs)), (nights, len(HOURS), public.network.grid.n_hexes)

    def drawn(total: int, size: tuple[int, ...]) -> NDArray[np.float64]:
        pull = rng.dirichlet(np.full(int(np.prod(size)), rng.uniform(0.02, 0.5)))
        return rng.multinomial(total, pull).reshape(size).astype(np.float64)

    return Town(public, drawn(n_trips * sources, shape), drawn(people - n_trips, others))


def town_demand(town: Town, source: int | None = None) -> Demand:
    """Demand of a town, of all sources summed or of one of them, and its people."""
    trips = town.trips.sum(axis=0) if source is None else town.trips[source]
    public, n_nights = town.geometry, town.others.shape[0]
    night, hour, pair = np.nonzero(trips)
    ends = np.array(public.pairs)[pair]
    people = town.others.copy()
    np.add.at(people, (slice(None), slice(None), [o for o, _ in public.pairs]), town.trips[0])
    at = np.nonzero(people)
    return Demand.from_rows(
        public.network.grid.n_hexes,
        {"night": night, "hour": np.array(HOURS)[hour], "origin": ends[:, 0], "destination": ends[:, 1], "trips": trips[night, hour, pair]},
        {"night": at[0], "hour": np.array(HOURS)[at[1]], "hex": at[2], "presence": people[at]},
        hours=HOURS,
        nights=tuple(dt.date(2013, 3, 14) + dt.timedelta(days=k) for k in range(n_nights)),
        grid=public.network.grid.fingerprint,
    )
