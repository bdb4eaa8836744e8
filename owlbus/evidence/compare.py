"""Comparison of plans on one demand: their measures, and who gains and loses."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import HEADWAY_S
from owlbus.common.disclosure import MIN_COUNT, nearest_multiple
from owlbus.common.errors import UsageError
from owlbus.common.progress import current_progress
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.redact import coarse_counts, coarse_interval, shown_difference, shown_hexes, shown_interval, transfer_share
from owlbus.score import CITY_SHARE, Scorecard, score_plan, trips_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.evidence.difference import Interval
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.score import Measure

SCHEMA_VERSION = 1
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

    def to_dict(self, min_count: float | None = None) -> dict[str, Any]:
        """
        Comparison as plain values for JSON, small counts left out.

        Where the second of two plans differs from the first by fewer than `min_count` trips or people its own counts are rounded to
        multiples of that, so that the difference of two shown numbers tells no more than the difference itself. With three plans or
        more all counts of all of them are rounded down to such multiples: no two plans tell fewer, the first among them or not.

        Parameters
        ----------
        min_count
            Trips or people a night below which a count is hidden.

        Returns
        -------
        dict
            The city's share, the plans' measures, and the differences.
        """
        min_count = self.evaluator.min_count if min_count is None else min_count
        first = next(iter(self.plans))
        differences = {name: shown_difference(change, min_count).values for name, change in self.changes.items()}  # noqa: PD011 - of our own type
        scarce = [kind for kind in _KINDS if any(_is_small(card, kind, min_count) for card in self.cards.values())]
        plans = {name: _measures(card, differences.get(name), scarce, min_count) for name, card in self.cards.items()}
        if self.is_coarse:
            plans, differences = coarse_counts(plans, min_count), coarse_counts(differences, min_count)
            for name, values in differences.items():
                _coarse_changes(values, plans[first], plans[name], min_count)
        for measures in plans.values():
            measures["transfer_share"] = transfer_share(measures["served"]["numerator"], measures["direct"]["numerator"])
        for name, values in differences.items():
            values["measures"] = {key: _less(plans[name][key], plans[first][key]) for key in _PLAIN}
        return {
            "schema_version": SCHEMA_VERSION,
            "city_share": CITY_SHARE,
            "n_nights": self.evaluator.demand.n_nights,
            "interval_over": "nights" if self.evaluator.demand.n_nights > 1 else "trips of one night, as if drawn one by one",
            "baseline": first,
            "plans": plans,
            "differences": differences,
            **({} if self.evaluator.demand.counts_trips else {"trips_counted": False}),
        }

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

    @property
    def is_coarse(self) -> bool:
        """Whether counts are rounded down for people to read, since two plans besides the first could be told apart by few."""
        return len(self.plans) > _FEWEST

    def to_geojson(self, name: str, min_count: float | None = None) -> bytes:
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
        return difference_geojson(self.evaluator, self.changes[name], min_count, is_coarse=self.is_coarse)


def compare_plans(
    network: Network,
    demand: Demand,
    plans: Mapping[str, Plan],
    *,
    rule: ServiceRule | None = None,
    headway_s: int = HEADWAY_S,
    districts: NDArray[np.str_] | None = None,
    min_count: float = MIN_COUNT,
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
        Trips or people a night below which a count is not published; -1 for open data.

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
    return Comparison(evaluator, dict(plans), cards, changes)


def difference_geojson(evaluator: PlanEvaluator, change: Difference, min_count: float | None = None, *, is_coarse: bool = False) -> bytes:
    """
    Hexes that a change touches, as GeoJSON polygons.

    Parameters
    ----------
    evaluator
        Holds the grid.
    change
        Gains and losses over its H hexes.
    min_count
        Trips or people a night below which a count reads null.
    is_coarse
        Whether counts are rounded down to multiples of `min_count`, as where further plans are published beside these two.

    Returns
    -------
    bytes
        UTF-8, one feature per line; properties `hex`, `district`, and trips and people gained and lost.
    """
    grid = evaluator.problem.network.grid
    min_count = evaluator.min_count if min_count is None else min_count
    columns = shown_hexes(change, evaluator.districts, min_count)
    touched = np.flatnonzero(np.any([~(column == 0) for column in columns.values()], axis=0))
    labels = grid.labels
    lines = []
    for hexagon, ring in zip(touched.tolist(), grid.hex_to_boundary(touched).tolist(), strict=True):
        properties: dict[str, Any] = {"hex": str(labels[hexagon])}
        if evaluator.districts is not None:
            properties["district"] = str(evaluator.districts[hexagon])
        counts = {name: None if np.isnan(column[hexagon]) else float(column[hexagon]) for name, column in columns.items()}
        properties |= coarse_counts(counts, min_count) if is_coarse else counts
        corners = [[round(lon, 6), round(lat, 6)] for lon, lat in [*ring, ring[0]]]
        lines.append(
            json.dumps(
                {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [corners]}},
                ensure_ascii=False,
                allow_nan=False,
            )
        )
    head = json.dumps({"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, "min_count": max(min_count, 0)})
    body = ",\n".join(lines)
    return f'{head[:-1]}, "features": [\n{body}\n]}}\n'.encode()


def _interval(measure: Measure, n_nights: int) -> Interval:
    """90 % interval of a share, over nights, or over the trips of the only one."""
    if n_nights > 1:
        return measure.low_share, measure.high_share
    return trips_interval(measure.numerator, 0.0, measure.denominator)


def _coarse_changes(values: dict[str, Any], before: Mapping[str, Any], after: Mapping[str, Any], min_count: float) -> None:
    """Make the changes of shares those of the shares shown, and round their intervals down likewise."""
    for kind in _KINDS:
        change, interval = f"{kind}_share_change", f"{kind}_share_interval"
        if values[change] is not None:
            values[change] = _less(after[kind]["share"], before[kind]["share"])
        if values[change] is None:
            values[interval] = None
        else:
            values[interval] = coarse_interval(values[interval], min_count, before[kind]["denominator"])


def _less(after: float | None, before: float | None) -> float | None:
    """Difference of two shown measures, None if either is hidden."""
    return None if after is None or before is None else round(after - before, 6)


def _is_small(card: Scorecard, kind: str, min_count: float) -> bool:
    """Whether a measure counts few, or leaves few out: of all, or of the trips served those that change."""
    measure: Measure = getattr(card.coverage, kind)
    left_out = [measure.denominator - measure.numerator]
    if kind == "direct":
        left_out.append(card.coverage.served.numerator - measure.numerator)
    return any(0 < count < min_count for count in (measure.numerator, *left_out))


def _measures(card: Scorecard, change: Mapping[str, Any] | None, scarce: list[str], min_count: float) -> dict[str, Any]:
    """
    Every measure of a plan.

    Counts are coarse where a small difference to the first plan would show, or beside another plan's that is hidden, since the
    difference of the two is told.
    """
    values: dict[str, Any] = {}
    for name in _KINDS:
        measure = getattr(card.coverage, name)
        coarse = name in scarce or (change is not None and change[f"{name}_share_change"] is None)
        count = nearest_multiple(measure.numerator, min_count) if coarse else round(measure.numerator, 1)
        small = _is_small(card, name, min_count)
        share = count / measure.denominator if measure.denominator > 0 else 0.0
        values[name] = {
            "share": None if small else round(share, 6),
            "interval": None if small or coarse else shown_interval(_interval(measure, card.n_nights)),
            "numerator": None if small else count,
            "denominator": round(measure.denominator, 1),
        }
        if name != "presence" and not card.trips_counted:
            values[name] = dict.fromkeys(values[name])
    plain = {name: getattr(card, name) for name in _PLAIN}
    values |= {name: None if value is None else round(value, 6) for name, value in plain.items()}
    values["routes"] = len(card.routes)
    values["rule"] = asdict(card.rule)
    values["headway_s"] = card.headway_s
    return values
