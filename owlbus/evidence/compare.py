"""Plans side by side on one demand: every measure, what differs, and who gains and loses."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.errors import UsageError
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.ledger import Ledger
from owlbus.evidence.shown import shown_difference, shown_hexes, shown_interval
from owlbus.privacy import MIN_COUNT
from owlbus.progress import current_progress
from owlbus.score import CITY_SHARE, Scorecard, score_plan, trips_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.evidence.difference import Interval
    from owlbus.limits import ServiceRule
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.score import Measure

SCHEMA_VERSION = 1
_FEWEST = 2
_PLAIN = (
    "hexes_share",
    "transfer_share",
    "mean_ride_s",
    "mean_walk_m",
    "mean_circuity",
    "overlap_share",
    "total_length_m",
    "total_buses",
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """
    Plans on one demand, the first of which the others are held against.

    Attributes
    ----------
    ledger
        The demand.
    plans
        Plans by name, in the order given.
    cards
        Their scorecards.
    changes
        What differs from the first plan, by the name of each other one.
    """

    ledger: Ledger
    plans: Mapping[str, Plan]
    cards: Mapping[str, Scorecard]
    changes: Mapping[str, Difference]

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """
        Comparison as plain values for JSON, small counts left out.

        Where a plan differs from the first by fewer than `min_count` trips or people its own counts are rounded to multiples of
        that, so that the difference of two shown numbers tells no more than the difference itself.

        Parameters
        ----------
        min_count
            Trips or people a night below which a count is hidden.

        Returns
        -------
        dict
            The city's share, the plans' measures, and the differences.
        """
        first = next(iter(self.plans))
        shown = {name: shown_difference(change, min_count).values for name, change in self.changes.items()}
        for name, values in shown.items():
            values["measures"] = {key: round(getattr(self.cards[name], key) - getattr(self.cards[first], key), 6) for key in _PLAIN}
        return {
            "schema_version": SCHEMA_VERSION,
            "city_share": CITY_SHARE,
            "n_nights": self.ledger.demand.n_nights,
            "interval_over": "nights" if self.ledger.demand.n_nights > 1 else "trips of one night, as if drawn one by one",
            "baseline": first,
            "plans": {name: _measures(card, shown.get(name), min_count) for name, card in self.cards.items()},
            "differences": shown,
        }

    def to_geojson(self, name: str, min_count: float = MIN_COUNT) -> bytes:
        """
        Hexes that a plan changes against the first, as GeoJSON polygons.

        Parameters
        ----------
        name
            One of the other plans.
        min_count
            Trips or people a night below which a count reads null.

        Returns
        -------
        bytes
            UTF-8, one feature per line.
        """
        return difference_geojson(self.ledger, self.changes[name], min_count)


def compare_plans(
    network: Network,
    demand: Demand,
    plans: Mapping[str, Plan],
    *,
    rule: ServiceRule | None = None,
    headway_s: int = 2700,
    districts: NDArray[np.str_] | None = None,
) -> Comparison:
    """
    Hold plans against the first of them.

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
    ledger = Ledger.build(network, demand, rule, districts)
    step = current_progress().step("Compare plans", len(plans))
    first = ledger.enter(next(iter(plans.values())))
    cards: dict[str, Scorecard] = {}
    changes: dict[str, Difference] = {}
    for name, plan in plans.items():
        if cards:
            changes[name] = difference(ledger, first, ledger.enter(plan), headway_s)
        cards[name] = score_plan(network, demand, plan, rule=rule, headway_s=headway_s, groups=districts)
        step.advance(note=name)
    return Comparison(ledger, dict(plans), cards, changes)


def difference_geojson(ledger: Ledger, change: Difference, min_count: float = MIN_COUNT) -> bytes:
    """
    Hexes that a change touches, as GeoJSON polygons.

    Parameters
    ----------
    ledger
        Holds the grid.
    change
        Gains and losses over its H hexes.
    min_count
        Trips or people a night below which a count reads null.

    Returns
    -------
    bytes
        UTF-8, one feature per line; properties `hex`, `district`, and trips and people gained and lost.
    """
    grid = ledger.case.network.grid
    columns = shown_hexes(change, ledger.districts, min_count)
    touched = np.flatnonzero(np.any([~(column == 0) for column in columns.values()], axis=0))
    labels = grid.labels
    lines = []
    for hexagon, ring in zip(touched.tolist(), grid.hex_to_boundary(touched).tolist(), strict=True):
        properties: dict[str, Any] = {"hex": str(labels[hexagon])}
        if ledger.districts is not None:
            properties["district"] = str(ledger.districts[hexagon])
        properties |= {name: None if np.isnan(column[hexagon]) else float(column[hexagon]) for name, column in columns.items()}
        corners = [[round(lon, 6), round(lat, 6)] for lon, lat in [*ring, ring[0]]]
        lines.append(
            json.dumps(
                {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [corners]}},
                ensure_ascii=False,
                allow_nan=False,
            )
        )
    head = json.dumps({"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, "min_count": min_count})
    body = ",\n".join(lines)
    return f'{head[:-1]}, "features": [\n{body}\n]}}\n'.encode()


def _interval(measure: Measure, n_nights: int) -> Interval:
    """90 % interval of a share, over nights, or over the trips of the only one."""
    if n_nights > 1:
        return measure.low_share, measure.high_share
    return trips_interval(measure.numerator, 0.0, measure.denominator)


def _measures(card: Scorecard, change: Mapping[str, Any] | None, min_count: float) -> dict[str, Any]:
    """Every measure of a plan; counts are coarse where a small difference to the first plan would show."""
    values: dict[str, Any] = {}
    for name in ("presence", "served", "direct"):
        measure = getattr(card.coverage, name)
        coarse = change is not None and change[f"{name}_share_change"] is None
        small = 0 < measure.numerator < min_count or 0 < measure.denominator - measure.numerator < min_count
        count = round(measure.numerator / min_count) * min_count if coarse else round(measure.numerator, 1)
        share = count / measure.denominator if measure.denominator > 0 else 0.0
        values[name] = {
            "share": None if small else round(share, 6),
            "interval": None if small or coarse else shown_interval(_interval(measure, card.n_nights)),
            "numerator": None if small else count,
            "denominator": round(measure.denominator, 1),
        }
    values |= {name: round(getattr(card, name), 6) for name in _PLAIN}
    values["routes"] = len(card.routes)
    values["rule"] = asdict(card.rule)
    values["headway_s"] = card.headway_s
    return values
