"""A scorecard as people may read it: every count that is small, or that would give a small one away, is left out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import Counts, nearest_multiple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.score.card import (
        Coverage,
        Measure,
        RouteScore,
        Scorecard,
        Segment,
    )

FAMILIES = {"by_hour": False, "by_weekday": True, "by_group": False, "by_source": True}
"""Breakdowns of the whole, and whether the whole is a mean of the parts rather than their sum."""

_HEADLINE_COUNTS = 4
"""Least numerator of a rounded headline, in multiples of the least count."""

_PEOPLE = ("near", "away", "people")
"""Counts of a part that are of people rather than of trips."""

_ROW_COUNTS = {
    "routes": ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips", "only_presence"),
    "segments": ("ahead_trips", "back_trips"),
}


@dataclass(frozen=True, slots=True)
class _Part:
    """Indices of the counts of one part of the demand, shown or only known from differences."""

    near: int
    away: int
    people: int
    direct: int
    change: int
    served: int
    unserved: int
    slower: int
    trips: int


def shown_counts(card: Scorecard, min_count: float) -> tuple[dict[str, Any], int]:
    """
    Coverage, routes and segments of a scorecard with small counts left out, and those that would give them away.

    The sums that a reader can form are taken into account: the rest of every total, the parts of each breakdown and the whole, boardings
    and transfers by route, and the people whom only one route reaches.

    Parameters
    ----------
    card
        The scorecard.
    min_count
        Trips or people a night below which a count is hidden.

    Returns
    -------
    values
        The parts of `Scorecard.to_dict` that hold counts; a hidden count, and a share made of it, reads None.
    n_hidden
        Counts hidden.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.
    """
    values, n_hidden = _judged(card, min_count)
    values = deepcopy(values)
    return values if card.trips_counted else _without_trips(values), n_hidden


def _without_trips(values: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a scorecard with everything that counts trips as None, since none were counted."""
    parts = [values, *(part for name in FAMILIES for part in values[name].values())]
    for part in parts:
        part |= {name: dict.fromkeys(part[name]) for name in ("served", "direct")}
    for name, columns in _ROW_COUNTS.items():
        for row in values[name]:
            row.update(dict.fromkeys(column for column in columns if column.endswith("_trips")))
    return values


@lru_cache(maxsize=4)  # a run asks several times for the card of its plan and of the reference
def _judged(card: Scorecard, min_count: float) -> tuple[dict[str, Any], int]:
    """What `shown_counts` says of a card, which never changes."""
    counts = Counts(min_count)
    whole = _add_part(counts, card.coverage)
    families = {name: {label: _add_part(counts, part) for label, part in getattr(card, name).items()} for name in FAMILIES}
    for name, parts in families.items():
        _tie_family(counts, whole, list(parts.values()), is_mean=FAMILIES[name], people_are_mean=name == "by_hour" and card.people_counted)
    rows = {name: [_add_row(counts, row, columns) for row in getattr(card, name)] for name, columns in _ROW_COUNTS.items()}
    _tie_routes(counts, card, whole, rows["routes"])
    hidden = counts.hidden()
    shown = _shown_part(card.coverage, whole, hidden)
    values: dict[str, Any] = {name: _headline(getattr(card.coverage, name), measure, min_count) for name, measure in shown.items()}
    transfer_share = None if hidden[whole.change] or hidden[whole.served] else card.transfer_share
    values["transfer_share"] = None if transfer_share is None else round(transfer_share, 6)
    for name, parts in families.items():
        values[name] = {label: _shown_part(getattr(card, name)[label], part, hidden) for label, part in parts.items()}
    for name in _ROW_COUNTS:
        values[name] = [_shown_row(row, cells, hidden) for row, cells in zip(getattr(card, name), rows[name], strict=True)]
    return values, sum(bool(secret) and shown for secret, shown in zip(hidden, counts.is_shown, strict=True))


def _add_part(counts: Counts, part: Coverage) -> _Part:
    """Add the counts of a part of the demand and the sums among them."""
    near, people = part.presence.numerator, part.presence.denominator
    direct, served, trips = part.direct.numerator, part.served.numerator, part.served.denominator
    told = {"near": near, "people": people, "direct": direct, "served": served, "trips": trips}
    known = {"away": people - near, "change": served - direct, "unserved": trips - served, "slower": trips - direct}
    indices = {name: counts.add(value) for name, value in told.items()}
    indices |= {name: counts.add(value, is_shown=False) for name, value in known.items()}
    cells = _Part(**indices)
    counts.tie(cells.people, (cells.near, cells.away))
    counts.tie(cells.served, (cells.direct, cells.change))
    counts.tie(cells.trips, (cells.served, cells.unserved))
    counts.tie(cells.slower, (cells.change, cells.unserved))
    return cells


def _tie_family(counts: Counts, whole: _Part, parts: Sequence[_Part], *, is_mean: bool, people_are_mean: bool) -> None:
    """Tie the parts of a breakdown to the whole; nights of a weekday, sources, and hours of counted people weigh about alike in a mean."""
    if not parts:
        return
    for field in fields(_Part):
        weighs_alike = is_mean or (people_are_mean and field.name in _PEOPLE)
        weights = [1 / len(parts) if weighs_alike else 1.0] * len(parts)
        counts.tie(getattr(whole, field.name), [getattr(part, field.name) for part in parts], weights)


def _add_row(counts: Counts, row: RouteScore | Segment, columns: tuple[str, ...]) -> dict[str, int]:
    """Add the counts of a route or segment."""
    return {name: counts.add(getattr(row, name)) for name in columns}


def _tie_routes(counts: Counts, card: Scorecard, whole: _Part, routes: Sequence[dict[str, int]]) -> None:
    """Tie what routes carry to the whole; people whom several routes reach, and trips several serve, are known as a rest."""
    if not routes:
        return
    counts.tie(whole.served, [row["boardings_trips"] for row in routes])
    counts.tie(whole.change, [row["transfers_trips"] for row in routes])
    alone = {"only_presence": (whole.near, card.coverage.presence.numerator)}
    if card.rule.max_transfers == 0:
        alone["only_served_trips"] = (whole.served, card.coverage.served.numerator)
    for name, (total, value) in alone.items():
        shared = counts.add(max(0.0, value - sum(getattr(row, name) for row in card.routes)), is_shown=False)
        counts.tie(total, [*(row[name] for row in routes), shared])


def _shown_part(part: Coverage, cells: _Part, hidden: NDArray[np.bool_]) -> dict[str, Any]:
    """Measures of a coverage; a share goes where its numerator or its denominator is hidden, or where nothing was counted."""
    below = {"presence": cells.people, "served": cells.trips, "direct": cells.trips}
    above = {"presence": cells.near, "served": cells.served, "direct": cells.direct}
    return {name: _shown_measure(getattr(part, name), bool(hidden[above[name]]), bool(hidden[below[name]])) for name in above}


def _headline(measure: Measure, shown: dict[str, float | None], min_count: float) -> dict[str, float | None]:
    """
    Return a measure of the whole as `shown`; where only a large numerator is hidden, with a share of it rounded to `min_count`.

    A total of many people is not hidden to protect the few whom it leaves out: rounded to a multiple, it leaves their number open.
    """
    if shown["numerator"] is not None or shown["denominator"] is None or measure.numerator < _HEADLINE_COUNTS * min_count:
        return shown
    numerator = min(nearest_multiple(measure.numerator, min_count), measure.denominator)
    return {**shown, "rounded_share": round(numerator / measure.denominator, 6), "rounded_numerator": round(numerator, 1)}


def _shown_measure(measure: Measure, above: bool, below: bool) -> dict[str, float | None]:  # noqa: FBT001 - whether each end is hidden
    """Return a measure without what is hidden `above` or `below` the line."""
    secret = above or below

    def share(value: float | None) -> float | None:
        return None if secret or value is None else round(value, 6)

    return {
        "share": share(measure.share),
        "low_share": share(measure.low_share),
        "high_share": share(measure.high_share),
        "numerator": None if above else round(measure.numerator, 1),
        "denominator": None if below else round(measure.denominator, 1),
    }


def _shown_row(row: RouteScore | Segment, cells: dict[str, int], hidden: NDArray[np.bool_]) -> dict[str, Any]:
    """Return a route or segment with its hidden counts as None."""
    shown: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name in cells:
            shown[name] = None if hidden[cells[name]] else round(value, 1)
        else:
            shown[name] = round(value, 6) if isinstance(value, float) else value
    return shown
