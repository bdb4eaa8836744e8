"""Counts of several plans in one document, rounded down to one grain: whichever two a reader subtracts differ by none or by many."""

from __future__ import annotations

import math
from typing import Any

from owlbus.privacy import MIN_COUNT

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
    return math.floor(count / min_count + _EXACT) * min_count


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
