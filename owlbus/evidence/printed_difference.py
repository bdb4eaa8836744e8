"""Differences of plans as people may read them: counts by the publishing rule, and everything else computed from those."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import Publisher
from owlbus.score import printed_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.evidence.difference import Difference, GainLoss


SIDES = ("gained_trips", "lost_trips", "gained_presence", "lost_presence")

_FAMILIES = ("by_hour", "by_district", "by_weekday")
_KINDS = ("served", "presence", "direct")
_UNIT = {"slower_mean_s": 3600.0, "faster_mean_s": 3600.0, "further_mean_m": 500.0, "nearer_mean_m": 500.0}
"""About the most that one trip or person adds to the sum of which each mean is made."""


def printed_difference(change: Difference, min_count: float | None = None) -> dict[str, Any]:
    """
    Difference as it is printed.

    Net counts and changes of shares of the whole are differences of what the two plans print, so that the same two figures stand in every
    command; where they are too small to be told from rounding they are absent.

    Parameters
    ----------
    change
        The difference.
    min_count
        Trips or people a night of which printed counts are multiples; that of the difference by default.

    Returns
    -------
    dict
        Values for JSON.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.
    """
    publisher = Publisher(change.min_count if min_count is None else min_count)
    values: dict[str, Any] = {"whole": _printed_side(change.whole, publisher)}
    for kind, net in (("served", "net_trips"), ("presence", "net_presence")):
        values["whole"][net] = publisher.change(getattr(change.before, kind).numerator, getattr(change.after, kind).numerator)
    for family in _FAMILIES:
        values[family] = {label: _printed_part(part, publisher) for label, part in getattr(change, family).items()}
    for kind in _KINDS:
        values[f"{kind}_share_change"], values[f"{kind}_share_interval"] = _printed_share_change(change, kind, publisher)
    interval = values["served_share_interval"]
    values["is_sure"] = interval is not None and (interval[0] > 0 or interval[1] < 0)
    values["burden"] = _printed_burden(change, publisher)
    values["cost"] = {**asdict(change.cost), "cycle_min": round(change.cost.cycle_min, 1)}
    if not change.trips_counted:
        _leave_out_trips(values)
    return values | publisher.facts


def printed_hexes(change: Difference, min_count: float | None = None) -> dict[str, NDArray[np.float64]]:
    """
    Gains and losses by hex as they are printed.

    Parameters
    ----------
    change
        The difference, over H hexes.
    min_count
        Trips or people a night of which printed counts are multiples; that of the difference by default.

    Returns
    -------
    dict
        By name of `SIDES`, shape (H,) each.
    """
    publisher = Publisher(change.min_count if min_count is None else min_count)
    return {name: publisher.counts(getattr(change, f"{name}_by_hex")) for name in SIDES}


def _printed_side(part: GainLoss, publisher: Publisher) -> dict[str, float | None]:
    """Gains and losses of a part, and what remains of them."""
    printed: dict[str, float | None] = {name: publisher.count(getattr(part, name)) for name in SIDES}
    for what in ("trips", "presence"):
        printed[f"net_{what}"] = publisher.change_of_printed(printed[f"lost_{what}"], printed[f"gained_{what}"])
    return printed


def _printed_part(part: GainLoss, publisher: Publisher) -> dict[str, float | None]:
    """Gains and losses of an hour, weekday or district; None for the trips or people of one with few."""
    printed = _printed_side(part, publisher)
    for what, whole in (("trips", part.all_trips), ("presence", part.all_presence)):
        if not publisher.is_enough(whole):
            printed |= dict.fromkeys(name for name in printed if name.endswith(what))
    return printed


def _printed_share_change(change: Difference, kind: str, publisher: Publisher) -> tuple[float | None, list[float] | None]:
    """Change of a share of the whole and its interval over nights; None where it cannot be told from rounding."""
    before, after = getattr(change.before, kind), getattr(change.after, kind)
    was, now = (publisher.headline(measure.numerator, measure.denominator) for measure in (before, after))
    if was is None or now is None or publisher.change(before.numerator, after.numerator) is None:
        return None, None
    low, high = printed_interval(after, publisher, before)
    return round(now - was, 6), None if low is None or high is None else [low, high]


def _printed_burden(change: Difference, publisher: Publisher) -> dict[str, float | None]:
    """Changes for riders whom both plans serve."""
    burden = asdict(change.burden)
    printed: dict[str, float | None] = {}
    for name, value in burden.items():
        if name not in _UNIT:
            printed[name] = publisher.count(value)
            continue
        people = burden[name.partition("_mean_")[0] + ("_trips" if name.endswith("_s") else "_presence")]
        mean = publisher.mean(value * people, people, _UNIT[name])
        printed[name] = None if mean is None else round(mean, 1)
    return printed


def _leave_out_trips(values: dict[str, Any]) -> None:
    """Enter None for everything that counts trips, since none were counted, and say so."""
    parts = [values["whole"], values["burden"], *(part for name in _FAMILIES for part in values[name].values())]
    for part in parts:
        part.update(dict.fromkeys(name for name in part if not name.endswith("presence")))
    names = ("served_share_change", "served_share_interval", "direct_share_change", "direct_share_interval")
    values.update(dict.fromkeys(names), trips_counted=False)
