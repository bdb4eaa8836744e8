"""Scorecards as tables of exact figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.plan.plan_frames import plan_to_geodataframe

if TYPE_CHECKING:
    from collections.abc import Iterable

    import geopandas as gpd
    import pandas as pd

    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.score.card import Coverage, Measure, Scorecard

KINDS = ("presence", "served", "direct")
PLAIN = {
    "hexes_share": "share",
    "transfer_share": "share",
    "mean_ride_s": "s",
    "mean_walk_m": "m",
    "mean_travel_s": "s",
    "mean_circuity": "ratio",
    "overlap_share": "share",
    "total_length_m": "m",
    "total_buses": "buses",
}
"""Measures that are no share of trips or people, and their units."""

PARTS = ("hour", "weekday", "group", "source")
BY = ("measure", *PARTS, "route", "segment")


def card_to_frame(card: Scorecard, by: str = "measure") -> pd.DataFrame:
    """
    Measures of a plan, as `Scorecard.to_frame` describes them.

    Parameters
    ----------
    card
        The scorecard.
    by
        One of `BY`.

    Returns
    -------
    DataFrame
        Exact values, in the units of their names.

    Raises
    ------
    UsageError
        If `by` is unknown.
    """
    import pandas as pd

    if by not in BY:
        msg = f"by must be one of {', '.join(BY)}, got {by!r}"
        raise UsageError(msg, setting="by", value=by, allowed=BY)
    if by == "measure":
        return pd.DataFrame(measure_rows(card))
    if by in PARTS:
        parts = getattr(card, f"by_{by}").items()
        frame = pd.DataFrame([{by: label, **row} for label, coverage in parts for row in _shares(coverage)])
        return frame.astype(dict.fromkeys({"value", "low_share", "high_share"} & set(frame.columns), float))
    return pd.DataFrame([asdict(row) for row in getattr(card, f"{by}s")])


def measure_rows(card: Scorecard) -> list[dict[str, Any]]:
    """
    Measures of the whole demand.

    Parameters
    ----------
    card
        The scorecard.

    Returns
    -------
    list of dict
        ``measure``, ``value`` and ``unit``; shares of trips and people with numerator, denominator and interval.
    """
    return [*_shares(card.coverage), *({"measure": name, "value": getattr(card, name), "unit": unit} for name, unit in PLAIN.items())]


def _shares(coverage: Coverage) -> Iterable[dict[str, Any]]:
    """Yield a row for each share; it has no value where there is nothing to serve."""
    for kind in KINDS:
        measure: Measure | None = getattr(coverage, kind)
        if measure is not None:
            value = measure.share if measure.denominator > 0 else None
            yield {"measure": f"{kind}_share", "value": value, "unit": "share", **asdict(measure)}


def card_to_geodataframe(card: Scorecard, network: Network, plan: Plan) -> gpd.GeoDataFrame:
    """
    Routes of a plan with their figures, as `Scorecard.to_geodataframe` describes them.

    Parameters
    ----------
    card
        The scorecard.
    network
        Network of the plan.
    plan
        The plan that was scored.

    Returns
    -------
    GeoDataFrame
        One row a route, in lon/lat (EPSG:4326).

    Raises
    ------
    UsageError
        If the scorecard is of other routes.
    """
    if tuple(route.name for route in card.routes) != plan.names:
        msg = f"plan must be the one of the scorecard, got {len(plan)} routes where {len(card.routes)} were scored, or other names"
        raise UsageError(msg, setting="plan")
    lines = plan_to_geodataframe(network, plan, card.headway_s)[["name", "geometry"]]
    return lines.merge(card_to_frame(card, "route"), on="name") if len(plan) else lines
