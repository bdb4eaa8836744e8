"""Differences as people may read them: a count below the least one is left out, and with it what would give it away."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import EXACT, MIN_COUNT, hidden_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.evidence.difference import Difference, GainLoss, Interval


SIDES = ("gained_trips", "lost_trips", "gained_presence", "lost_presence")

_FAMILIES = ("by_hour", "by_district", "by_weekday")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """
    A difference with small counts left out.

    Attributes
    ----------
    values
        What JSON holds; a hidden count reads None.
    n_hidden
        Counts hidden.
    """

    values: dict[str, Any]
    n_hidden: int


def shown_difference(change: Difference, min_count: float | None = None) -> Shown:
    """
    Difference without what points at fewer than `min_count` people.

    Hours and districts add up to the whole and weekdays average to it, so a hidden part takes others with it until those hidden hold
    `min_count` together. A net count, a difference of shares and its interval go where a count they are made of is hidden.

    Parameters
    ----------
    change
        The difference.
    min_count
        Trips or people a night below which a count is hidden; that of the difference by default.

    Returns
    -------
    Shown
        Values for JSON.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.
    """
    min_count = change.min_count if min_count is None else min_count
    whole: dict[str, float | None] = {}
    families: dict[str, dict[str, dict[str, float | None]]] = {name: {} for name in _FAMILIES}
    n_hidden = 0
    for side in SIDES:
        n_hidden += _show_side(change, side, min_count, whole, families)
    _add_net(whole)
    for parts in families.values():
        for part in parts.values():
            _add_net(part)
    values: dict[str, Any] = {"whole": whole, **families}
    for name, label in (("served", "trips"), ("presence", "presence")):
        secret = whole[f"net_{label}"] is None
        share, interval = getattr(change, f"{name}_share"), getattr(change, f"{name}_interval")
        values[f"{name}_share_change"] = None if secret else round(share, 6)
        values[f"{name}_share_interval"] = None if secret else shown_interval(interval)
    direct = [shown_count(count, min_count) for count in (change.gained_direct_trips, change.lost_direct_trips)]
    values["direct_share_change"] = None if None in direct else round(change.direct_share, 6)
    values["direct_share_interval"] = None if None in direct else shown_interval(change.direct_interval)
    n_hidden += direct.count(None)
    values["is_sure"] = change.is_sure
    values["burden"], hidden = _shown_burden(asdict(change.burden), min_count)
    values["cost"] = {**asdict(change.cost), "cycle_min": round(change.cost.cycle_min, 1)}
    values["hidden"] = {"min_count": max(min_count, 0), "counts": n_hidden + hidden}
    if not change.trips_counted:
        _leave_out_trips(values)
    return Shown(values, n_hidden + hidden)


def _leave_out_trips(values: dict[str, Any]) -> None:
    """Enter None for everything that counts trips, since none were counted, and say so."""
    parts = [values["whole"], values["burden"], *(part for name in _FAMILIES for part in values[name].values())]
    for part in parts:
        part.update(dict.fromkeys(name for name in part if not name.endswith("presence")))
    names = ("served_share_change", "served_share_interval", "direct_share_change", "direct_share_interval")
    values.update(dict.fromkeys(names), trips_counted=False)


def shown_hexes(change: Difference, districts: NDArray[np.str_] | None, min_count: float | None = None) -> dict[str, NDArray[np.float64]]:
    """
    Gains and losses by hex, NaN where a count is hidden.

    Everybody can see from the plans which hexes cannot change, so only the others can hide anything: hexes that one of both plans
    reaches for trips, hexes that the one reaches and the other does not for people.

    Parameters
    ----------
    change
        The difference, over H hexes.
    districts
        Name of each hex's district, whose sums of people are published, or None.
    min_count
        Trips or people a night below which a count is hidden; that of the difference by default.

    Returns
    -------
    dict
        By name of `SIDES`, shape (H,) each.
    """
    min_count = change.min_count if min_count is None else min_count
    near, was_near = change.reached_after, change.reached_before
    places = {
        "gained_trips": near | was_near,
        "lost_trips": near | was_near,
        "gained_presence": near & ~was_near,
        "lost_presence": was_near & ~near,
    }
    margins = [] if districts is None else [districts == name for name in np.unique(districts)]
    shown = {}
    for name, inside in places.items():
        counts: NDArray[np.float64] = getattr(change, f"{name}_by_hex")
        sums = [mask[inside] for mask in margins if name.endswith("presence") and counts[mask].sum() >= min_count]
        column = np.round(counts, 1)
        column[np.flatnonzero(inside)[hidden_cells(counts[inside], sums, min_count)]] = np.nan
        shown[name] = column
    return shown


def shown_interval(interval: Interval) -> list[float] | None:
    """Return both ends rounded, or None where there is no interval."""
    low, high = interval
    return None if low is None or high is None else [round(low, 6), round(high, 6)]


def shown_count(value: float, min_count: float = MIN_COUNT) -> float | None:
    """Return a lone count, None where it is small but not nothing."""
    return None if 0 < value < min_count else round(value, 1)


def count_text(value: float | None, min_count: float = MIN_COUNT) -> str:
    """
    Count as people read it.

    Parameters
    ----------
    value
        Trips or people, None where hidden.
    min_count
        What stands for a hidden one.

    Returns
    -------
    str
        Whole number.

    Examples
    --------
    >>> count_text(1234.4), count_text(None)
    ('1,234', '<15')
    """
    return f"<{min_count:g}" if value is None else f"{value:,.0f}"


def _show_side(
    change: Difference,
    side: str,
    min_count: float,
    whole: dict[str, float | None],
    families: Mapping[str, dict[str, dict[str, float | None]]],
) -> int:
    """Enter one of `SIDES` for the whole and its parts; return how many counts are hidden."""
    value = getattr(change.whole, side)
    whole[side] = shown_count(value, min_count)
    n_hidden = int(whole[side] is None)
    for family in _FAMILIES:
        parts: Mapping[str, GainLoss] = getattr(change, family)
        counts = np.array([getattr(part, side) for part in parts.values()])
        hidden = hidden_cells(counts, min_count=min_count)
        n_hidden += int(hidden.sum())
        for label, count, secret in zip(parts, counts.tolist(), hidden.tolist(), strict=True):
            families[family].setdefault(label, {})[side] = None if secret else round(count, 1)
    return n_hidden


def _add_net(part: dict[str, float | None]) -> None:
    """Enter what is gained less what is lost, None where either is hidden."""
    for what in ("trips", "presence"):
        gained, lost = part[f"gained_{what}"], part[f"lost_{what}"]
        part[f"net_{what}"] = None if gained is None or lost is None else round(gained - lost, 1)


def _shown_burden(burden: dict[str, float], min_count: float) -> tuple[dict[str, float | None], int]:
    """Return the burden with small counts, and the means made of them, left out."""
    shown: dict[str, float | None] = {}
    for name, value in burden.items():
        if name.endswith(("_trips", "_presence")):
            shown[name] = shown_count(value, min_count)
    for side, count in (("slower", "trips"), ("faster", "trips"), ("further", "presence"), ("nearer", "presence")):
        unit = "s" if count == "trips" else "m"
        shown[f"{side}_mean_{unit}"] = None if shown[f"{side}_{count}"] is None else round(burden[f"{side}_mean_{unit}"], 1)
    return shown, sum(value is None for name, value in shown.items() if not name.endswith(("_s", "_m")))


_EXACT = 1e-9


def coarse_counts(values: Any, min_count: float = MIN_COUNT) -> Any:  # noqa: ANN401 - whatever JSON holds
    """
    Document with every count of people rounded down, and every share and net count made of what is left.

    Two plans that each differ from a third by many may differ from one another by few. Counts that are multiples of `min_count` cannot
    tell: the difference of two of them is zero, or `min_count` at least.

    Parameters
    ----------
    values
        What JSON holds: measures with numerator and denominator, and counts named ``…_trips`` and ``…_presence``, a night.
        Denominators are those of the demand and stay.
    min_count
        Trips or people a night of which counts become multiples.

    Returns
    -------
    Any
        The same shape; hidden counts stay None.

    Examples
    --------
    >>> coarse_counts({"gained_trips": 47.0, "lost_trips": 16.0, "net_trips": 31.0})
    {'gained_trips': 45, 'lost_trips': 15, 'net_trips': 30}
    >>> coarse_counts({"share": 0.44, "numerator": 44.0, "denominator": 100.0})
    {'share': 0.3, 'numerator': 30, 'denominator': 100.0}
    """
    if isinstance(values, list):
        return [coarse_counts(value, min_count) for value in values]
    if not isinstance(values, dict):
        return values
    if "numerator" in values:
        return _coarse_measure(values, min_count)
    shown = {name: _coarse_value(name, value, min_count) for name, value in values.items()}
    for what in ("trips", "presence"):
        if shown.get(f"net_{what}") is not None:
            shown[f"net_{what}"] = shown[f"gained_{what}"] - shown[f"lost_{what}"]
    return shown


def coarse_interval(interval: list[float] | None, min_count: float, denominator: float) -> list[float] | None:
    """Round both ends of an interval of shares down to whole multiples of `min_count` in `denominator` trips or people a night."""
    if interval is None or denominator <= 0:
        return None
    return [round(rounded_down(end * denominator, min_count) / denominator, 6) for end in interval]


def rounded_down(count: float, min_count: float) -> float:
    """Return the largest multiple of `min_count` that is no more than `count` trips or people a night."""
    return count if min_count == EXACT else math.floor(count / min_count + _EXACT) * min_count


def transfer_share(served: float | None, direct: float | None) -> float | None:
    """
    Share of the served trips that change, as far as two shown counts tell it.

    Parameters
    ----------
    served, direct
        Trips a night served at all and without a change, as shown; None where hidden.

    Returns
    -------
    float or None
        0 to 1; None where a count is hidden.

    Examples
    --------
    >>> transfer_share(60, 45), transfer_share(None, 45)
    (0.25, None)
    """
    if served is None or direct is None:
        return None
    return round(max(0.0, 1 - direct / served), 6) if served > 0 else 0.0


def _coarse_value(name: str, value: Any, min_count: float) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Value of a field, rounded down if its name is that of a count."""
    if value is None or not name.endswith(("_trips", "_presence")):
        return coarse_counts(value, min_count)
    return rounded_down(value, min_count)


def _coarse_measure(measure: dict[str, Any], min_count: float) -> dict[str, Any]:
    """Measure with its numerator rounded down, and with it what is made of it."""
    shown = dict(measure)
    above, below = measure["numerator"], measure["denominator"]
    if above is not None:
        shown["numerator"] = rounded_down(above, min_count)
    if measure["share"] is not None and below:
        shown["share"] = round(shown["numerator"] / below, 6)
    if below is None:
        return shown
    if "interval" in measure:
        shown["interval"] = coarse_interval(measure["interval"], min_count, below)
    for name in ("low_share", "high_share"):
        end = measure.get(name)
        if end is not None:
            shown[name] = round(rounded_down(end * below, min_count) / below, 6) if below > 0 else 0.0
    return shown
