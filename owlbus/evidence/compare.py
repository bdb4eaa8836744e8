"""Comparison of plans on one demand: their measures, and who gains and loses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import UsageError
from owlbus.common.progress import current_progress
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.printed_difference import printed_difference, printed_hexes
from owlbus.plan import plan_measures
from owlbus.score import LEAST_NIGHTS, Scorecard, score_plan
from owlbus.score.publish import longest_ride_s
from owlbus.timetable.day_routes import demand_on, routes_on
from owlbus.timetable.day_types import SHORT_WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable.day_types import DayType

SCHEMA_VERSION = 2
_FEWEST = 2
_KINDS = ("presence", "served", "direct")
_PLAIN = (
    "hexes_share",
    "transfer_share",
    "mean_ride_s",
    "mean_walk_m",
    "mean_travel_s",
    "mean_circuity",
    "overlap_share",
    "total_length_m",
    "total_buses",
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """
    Comparison of plans with the first of them, on one demand.

    Attributes
    ----------
    evaluator
        The demand.
    plans
        Plans by name, in the order given.
    cards
        Their scorecards.
    changes
        What differs from the first plan, by the name of each other one.
    day_buses
        Routes that run and buses of each plan by name, for each day type in which buses are counted besides.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Plan, Route
    >>> from owlbus.evidence import compare_plans
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> ends = {"old": (3, 16), "new": (0, 19)}
    >>> plans = {name: Plan((Route(network.shortest_path(*pair), "N1"),), network.fingerprint) for name, pair in ends.items()}
    >>> change = compare_plans(network, demand, plans).changes["new"]
    >>> change.whole.gained_trips, change.whole.lost_trips, round(change.served_share, 4)
    (60.0, 30.0, 0.3)
    """

    evaluator: PlanEvaluator
    plans: Mapping[str, Plan]
    cards: Mapping[str, Scorecard]
    changes: Mapping[str, Difference]
    day_buses: Mapping[DayType, Mapping[str, tuple[int, int]]] = field(default_factory=dict)

    def to_dict(self, min_count: float | None = None) -> dict[str, Any]:
        """
        Comparison as plain values for JSON, by the publishing rule: each plan has the figures of its own scorecard.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples; that of the evaluator by default.

        Returns
        -------
        dict
            The plans' measures, and the differences.
        """
        publisher = Publisher(self.evaluator.min_count if min_count is None else min_count)
        first = next(iter(self.plans))
        plans = {name: _measures(card.to_dict(publisher.min_count)) for name, card in self.cards.items()}
        differences = {name: printed_difference(change, publisher.min_count) for name, change in self.changes.items()}
        if self.day_buses:
            plans = {name: values | {"days": self._days_of(name)} for name, values in plans.items()}
        for name, values in differences.items():
            values["measures"] = _changes(plans[first], plans[name], (self.cards[first], self.cards[name]), publisher)
        return {
            "schema_version": SCHEMA_VERSION,
            **publisher.facts,
            "n_nights": self.evaluator.demand.n_nights,
            "interval_over": "nights" if self.evaluator.demand.n_nights >= LEAST_NIGHTS else None,
            "baseline": first,
            "plans": plans,
            "differences": differences,
            **({} if self.evaluator.demand.counts_trips else {"trips_counted": False}),
        }

    def _days_of(self, name: str) -> list[dict[str, Any]]:
        """Days, longest headway, routes that run and buses of a plan, for each day type."""
        return [
            {
                "name": day_type.name,
                "days": [SHORT_WEEKDAYS[day] for day in day_type.days],
                "max_headway_s": day_type.max_headway_s,
                "routes": plans[name][0],
                "buses": plans[name][1],
            }
            for day_type, plans in self.day_buses.items()
        ]

    def to_frame(self) -> pd.DataFrame:
        """
        Return one row per plan and measure with exact figures.

        Returns
        -------
        DataFrame
            ``plan`` and the columns of `Scorecard.to_frame`, and ``change`` against the first plan.
        """
        import pandas as pd

        from owlbus.score.card_frames import measure_rows

        frame = pd.DataFrame([{"plan": name, **row} for name, card in self.cards.items() for row in measure_rows(card)])
        first = frame[frame["plan"] == next(iter(self.plans))].set_index("measure")["value"]
        return frame.assign(change=frame["value"] - frame["measure"].map(first))

    def to_geodataframe(self, name: str) -> gpd.GeoDataFrame:
        """
        Return one row per hex with exact trips and people that a plan gains and loses against the first.

        Parameters
        ----------
        name
            One of the other plans.

        Returns
        -------
        GeoDataFrame
            The columns of `HexGrid.to_geodataframe`, and ``gained_trips``, ``lost_trips``, ``gained_presence`` and ``lost_presence`` a
            night, in lon/lat (EPSG:4326).

        Raises
        ------
        UsageError
            If no other plan has that name.
        """
        if name not in self.changes:
            msg = f"name must be one of {', '.join(self.changes)}, got {name!r}"
            raise UsageError(msg, setting="name", value=name, allowed=tuple(self.changes))
        sides = [f"{way}_{what}" for way in ("gained", "lost") for what in ("trips", "presence")]
        frame = self.evaluator.problem.network.grid.to_geodataframe()
        return frame.assign(**{side: getattr(self.changes[name], f"{side}_by_hex") for side in sides})

    def to_geojson(self, name: str, min_count: float | None = None) -> bytes:
        """
        Hexes that a plan changes against the first, as GeoJSON polygons.

        Parameters
        ----------
        name
            One of the other plans.
        min_count
            Trips or people a night of which printed counts are multiples.

        Returns
        -------
        bytes
            UTF-8, one feature per line.
        """
        return difference_geojson(self.evaluator, self.changes[name], min_count)


def compare_plans(
    network: Network,
    demand: Demand,
    plans: Mapping[str, Plan],
    *,
    rule: ServiceRule | None = None,
    headway_s: int = HEADWAY_S,
    districts: NDArray[np.str_] | None = None,
    min_count: float = MIN_COUNT,
    day_types: Sequence[DayType] = (),
) -> Comparison:
    """
    Compare plans with the first of them.

    Parameters
    ----------
    network
        Stop network that all plans belong to.
    demand
        Trips and people on its grid.
    plans
        Two plans or more by name.
    rule
        When a trip counts as served.
    headway_s
        Seconds between buses, for the fleet.
    districts
        Name of each hex's district, shape (H,).
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    day_types
        Days of the week whose buses are counted besides, by the same day types for every plan; headways in seconds.

    Returns
    -------
    Comparison
        Scorecards and differences.

    Raises
    ------
    UsageError
        If there are fewer than two plans.
    DataError
        If a plan belongs to another network.
    """
    if len(plans) < _FEWEST:
        msg = f"a comparison needs at least two plans, got {len(plans)}; name another one"
        raise UsageError(msg)
    evaluator = PlanEvaluator.build(network, demand, rule, districts, min_count)
    step = current_progress().step("Compare plans", len(plans))
    first = evaluator.evaluate(next(iter(plans.values())))
    cards: dict[str, Scorecard] = {}
    changes: dict[str, Difference] = {}
    for name, plan in plans.items():
        if cards:
            changes[name] = difference(evaluator, first, evaluator.evaluate(plan), headway_s)
        cards[name] = score_plan(network, demand, plan, rule=rule, headway_s=headway_s, groups=districts, min_count=min_count)
        step.advance(note=name)
    return Comparison(evaluator, dict(plans), cards, changes, _day_buses(evaluator, plans, day_types))


def difference_geojson(evaluator: PlanEvaluator, change: Difference, min_count: float | None = None) -> bytes:
    """
    Hexes that a change touches, as GeoJSON polygons: those of which it reaches other parts, and those whose printed counts differ from 0.

    Parameters
    ----------
    evaluator
        Holds the grid.
    change
        Gains and losses over its H hexes.
    min_count
        Trips or people a night of which printed counts are multiples; that of the evaluator by default.

    Returns
    -------
    bytes
        UTF-8, one feature per line; properties `hex`, `district`, and trips and people gained and lost.
    """
    grid = evaluator.problem.network.grid
    publisher = Publisher(evaluator.min_count if min_count is None else min_count)
    columns = printed_hexes(change, publisher.min_count)
    touched = np.flatnonzero(np.any([change.gained_reach, change.lost_reach, *columns.values()], axis=0))
    labels = grid.labels
    lines = []
    for hexagon, ring in zip(touched.tolist(), grid.hex_to_boundary(touched).tolist(), strict=True):
        properties: dict[str, Any] = {"hex": str(labels[hexagon])}
        if evaluator.districts is not None:
            properties["district"] = str(evaluator.districts[hexagon])
        properties |= {name: float(column[hexagon]) for name, column in columns.items()}
        corners = [[round(lon, 6), round(lat, 6)] for lon, lat in [*ring, ring[0]]]
        lines.append(
            json.dumps(
                {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [corners]}},
                ensure_ascii=False,
                allow_nan=False,
            )
        )
    head = json.dumps({"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, "min_count": publisher.base})
    body = ",\n".join(lines)
    return f'{head[:-1]}, "features": [\n{body}\n]}}\n'.encode()


def _day_buses(
    evaluator: PlanEvaluator, plans: Mapping[str, Plan], day_types: Sequence[DayType]
) -> dict[DayType, dict[str, tuple[int, int]]]:
    """Routes that run on each day type, and their buses at its headway, by plan."""
    counted: dict[DayType, dict[str, tuple[int, int]]] = {}
    network, rule = evaluator.problem.network, evaluator.problem.rule
    for day_type in day_types:
        demand, counted[day_type] = demand_on(evaluator.demand, day_type, min_count=evaluator.min_count), {}
        for name, plan in plans.items():
            running = routes_on(network, demand, plan, day_type, rule, min_count=evaluator.min_count)
            counted[day_type][name] = len(running), plan_measures(network, running, day_type.max_headway_s).total_buses
    return counted


def _measures(card: Mapping[str, Any]) -> dict[str, Any]:
    """Every measure of a plan, as its scorecard prints it."""
    values: dict[str, Any] = {}
    for name in _KINDS:
        measure = dict(card[name])
        ends = [measure.pop("low_share"), measure.pop("high_share")]
        values[name] = measure | {"interval": None if None in ends else ends}
    values |= {name: card[name] for name in _PLAIN}
    return values | {"routes": len(card["routes"]), "rule": card["rule"], "headway_s": card["headway_s"]}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], cards: Sequence[Scorecard], publisher: Publisher) -> dict[str, Any]:
    """Differences of the measures that are no share of people or trips; None where they cannot be told from rounding."""
    values: dict[str, Any] = {
        name: None if None in (before[name], after[name]) else round(after[name] - before[name], 6) for name in _PLAIN
    }
    served = min(card.coverage.served.numerator for card in cards)
    card = cards[0]
    spans = {
        "transfer_share": (served, 1.0),
        "mean_ride_s": (served, max(map(longest_ride_s, cards))),
        "mean_walk_m": (served, 2 * card.walk_m),
        "mean_travel_s": (card.coverage.served.denominator, float(card.rule.unserved_s)),
    }
    for name, (people, unit) in spans.items():
        change = publisher.change_of_means(before[name], after[name], people, unit)
        values[name] = None if change is None else round(change, 6)
    return values
