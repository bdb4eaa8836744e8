"""A scorecard as people may read it: its counts by the publishing rule, and everything else computed from those."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from owlbus.score.intervals import difference_interval, share_interval

if TYPE_CHECKING:
    from owlbus.common.disclosure import Publisher
    from owlbus.score.card import (
        Coverage,
        Measure,
        RouteScore,
        Scorecard,
        Segment,
    )

FAMILIES = ("by_hour", "by_weekday", "by_group", "by_source")
"""Breakdowns of the whole."""

KINDS = ("presence", "served", "direct")

_RIDE_S = 1800
"""Least of the ride that one trip is taken to add to the sum of rides, seconds."""

_ROW_COUNTS = ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips", "only_presence", "ahead_trips", "back_trips")

NO_FIGURES = dict.fromkeys(("share", "low_share", "high_share", "numerator", "denominator"))
"""A measure of a part of few, or of trips where none were counted; ``no_share`` says which."""

NO_TRIPS = {**NO_FIGURES, "no_share": "no trips counted"}


def printed_card(card: Scorecard, publisher: Publisher) -> dict[str, Any]:
    """
    Shares, means, breakdowns, routes and segments of a scorecard as they are printed.

    Parameters
    ----------
    card
        The scorecard.
    publisher
        The publishing rule.

    Returns
    -------
    dict
        The parts of `Scorecard.to_dict` that hold counts or are made of them; what may not be told reads None.
    """
    trips_counted = card.trips_counted
    values: dict[str, Any] = printed_coverage(card.coverage, publisher, trips_counted=trips_counted, is_whole=True)
    values |= _printed_means(card, publisher)
    for name in FAMILIES:
        values[name] = {
            label: printed_coverage(part, publisher, trips_counted=trips_counted) for label, part in getattr(card, name).items()
        }
    for name in ("routes", "segments"):
        values[name] = [_printed_row(row, publisher, trips_counted=trips_counted) for row in getattr(card, name)]
    return values


def printed_coverage(
    part: Coverage, publisher: Publisher, *, trips_counted: bool = True, is_whole: bool = False
) -> dict[str, dict[str, Any]]:
    """
    Measures of one part of the demand as they are printed.

    Parameters
    ----------
    part
        Presence and trips that a plan covers.
    publisher
        The publishing rule.
    trips_counted
        Whether the demand has trips.
    is_whole
        Whether it is all of the demand: then small towns get figures too, with the range that the printed counts leave open.

    Returns
    -------
    dict
        By name of `KINDS`.
    """
    return {
        kind: printed_measure(getattr(part, kind), publisher, is_whole=is_whole) if kind == "presence" or trips_counted else dict(NO_TRIPS)
        for kind in KINDS
    }


def printed_measure(measure: Measure, publisher: Publisher, *, is_whole: bool = False) -> dict[str, Any]:
    """
    Share, counts and interval of a measure as they are printed.

    Parameters
    ----------
    measure
        Trips or people a night, and those of each night.
    publisher
        The publishing rule.
    is_whole
        Whether it is one of all people or trips of the night.

    Returns
    -------
    dict
        ``share``, ``low_share``, ``high_share``, 0 to 1, ``numerator`` and ``denominator``, trips or people a night, and for the whole
        ``range_share``: what the printed counts leave open. All None of a part of few. ``no_share`` says why there is no share.
    """
    if not (is_whole or publisher.is_enough(measure.denominator)):
        return NO_FIGURES | {"no_share": why_absent(publisher)}
    ends = measure.numerator, measure.denominator
    share = publisher.headline(*ends) if is_whole else publisher.share(*ends)
    low, high = printed_interval(measure, publisher) if share is not None else (None, None)
    printed: dict[str, Any] = {
        "share": share,
        "low_share": low,
        "high_share": high,
        "numerator": publisher.count(measure.numerator),
        "denominator": publisher.count(measure.denominator),
    }
    if is_whole and not publisher.is_exact:
        between = publisher.range_share(*ends)
        printed["range_share"] = None if between is None else list(between)
    return printed | ({"no_share": why_absent(publisher)} if share is None else {})


def why_absent(publisher: Publisher) -> str:
    """
    Why a part of the demand has no share.

    Parameters
    ----------
    publisher
        The publishing rule.

    Returns
    -------
    str
        That nothing was counted, where counts are exact; else that there are too few, of which there may be none.
    """
    return "no demand" if publisher.is_exact else "too few to tell"


def printed_interval(measure: Measure, publisher: Publisher, before: Measure | None = None) -> tuple[float | None, float | None]:
    """
    90 % interval over nights of a share, or of what it exceeds another by, from the printed counts of each night.

    Parameters
    ----------
    measure
        With its counts by night.
    publisher
        The publishing rule.
    before
        The measure of another plan on the same demand, or None.

    Returns
    -------
    tuple of float or None
        Lower and upper end; None without enough nights, or where a night prints less than a share takes.
    """
    nights = measure.nights
    if nights is None or any(publisher.share(0.0, float(all_of)) is None for all_of in nights[1]):
        return None, None
    part, all_of = (publisher.nights(values) for values in nights)
    if before is None:
        low, high = share_interval(part, all_of)
    elif before.nights is None:
        return None, None
    else:
        low, high = difference_interval(part - publisher.nights(before.nights[0]), all_of)
    return (None, None) if low is None or high is None else (round(low, 6), round(high, 6))


def printed_transfer_share(served: Measure, direct: Measure, publisher: Publisher) -> float | None:
    """
    Share of the served trips that need a transfer, from printed counts.

    Parameters
    ----------
    served, direct
        Trips a night served at all, and without a transfer.
    publisher
        The publishing rule.

    Returns
    -------
    float or None
        0 to 1; None where too few are served.
    """
    without = publisher.share(direct.numerator, served.numerator)
    return None if without is None else round(1 - without, 6)


def longest_ride_s(card: Scorecard) -> float:
    """
    About the longest ride of one trip: what it adds to the sum of rides at most.

    Parameters
    ----------
    card
        The scorecard.

    Returns
    -------
    float
        Seconds: the ride of the longest route, half an hour at least.
    """
    return float(max(_RIDE_S, *(row.ride_s for row in card.routes), 0))


def _printed_means(card: Scorecard, publisher: Publisher) -> dict[str, float | None]:
    """Means over trips by name; None where none are counted or too few."""
    if card.mean_ride_s is None or card.mean_walk_m is None or card.mean_travel_s is None:
        return dict.fromkeys(("transfer_share", "mean_ride_s", "mean_walk_m", "mean_travel_s"))
    served, trips = card.coverage.served.numerator, card.coverage.served.denominator
    means = {
        "mean_ride_s": publisher.mean(card.mean_ride_s * served, served, longest_ride_s(card)),
        "mean_walk_m": publisher.mean(card.mean_walk_m * served, served, 2 * card.walk_m),
        "mean_travel_s": publisher.mean(card.mean_travel_s * trips, trips, card.rule.unserved_s),
    }
    return {
        "transfer_share": printed_transfer_share(card.coverage.served, card.coverage.direct, publisher),
        **{name: None if mean is None else round(mean, 1) for name, mean in means.items()},
    }


def _printed_row(row: RouteScore | Segment, publisher: Publisher, *, trips_counted: bool) -> dict[str, Any]:
    """Return a route or segment with its counts as they are printed."""
    shown: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name in _ROW_COUNTS:
            shown[name] = publisher.count(value) if trips_counted or name == "only_presence" else None
        else:
            shown[name] = round(value, 6) if isinstance(value, float) else value
    return shown
