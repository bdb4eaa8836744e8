"""Evaluate conditional tags of OpenStreetMap, such as ``motor_vehicle:conditional``, for the hours in which night buses run."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import UsageError, setting
from owlbus.common.text import one_line
from owlbus.network.osm_tags import CONDITIONAL_KEYS, is_value, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network.osm_tags import Tags

    Moments = NDArray[np.bool_]
    """Whether a condition holds at each moment of each night, shape (n_nights, n_moments)."""

SUFFIX = ":conditional"
LEAST_NIGHTS = 14
"""What holds on fewer nights of a year, such as a market day or a carnival, does not count."""

_FIRST_DAY = datetime(2018, 1, 1)  # noqa: DTZ001  # local time; a year that begins on a Monday
_N_NIGHTS = 364
_STEP_MIN, _HOUR_MIN, _DAY_MIN = 5, 60, 1440
_PLAIN = '(?:[^;()"]|"[^"]*"|")'
_CLAUSE = re.compile(rf"(?:{_PLAIN}|\((?:{_PLAIN}|;)*\)?|\))+")
_AND = re.compile(r"\s+and\s+|\s*&&\s*", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b(?!\s*:)")
_COMPARISON = re.compile(r"([a-z_ ]+?)\s*(<=|>=|<|>|==?)\s*([\d.,]+\s*[a-z\"']*)", re.IGNORECASE)
_COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
}
BUS_SIZES = {
    "weight": (12.0, 28.0),
    "length": (12.0, 18.75),
    "width": (2.5, 2.75),
    "height": (2.9, 3.2),
    "axles": (2.0, 3.0),
}
"""Smallest and largest buses, in tonnes, metres and axles: a condition on a size holds only if it holds for both."""
_SIZES = {"grossweight": "weight", "maxweightrating": "weight", "weightrating": "weight", "gvw": "weight", "gcw": "weight"}
_BUSES = frozenset({"bus", "buses", "psv", "public_transport"})
_NOT_FOR_BUSES = frozenset(
    [
        "wet",
        "snow",
        "ice",
        "fog",
        "rain",
        "winter_conditions",
        "destination",
        "delivery",
        "deliveries",
        "loading",
        "residents",
        "resident",
        "customers",
        "permit",
        "private",
        "permit_holder",
        "disabled",
        "emergency",
        "forestry",
        "agricultural",
        "hgv",
        "goods",
        "taxi",
        "trailer",
        "caravan",
        "bicycle",
        "motorcycle",
        "motorcar",
        "hazmat",
        "hov",
        "electric",
        "load",
        "unloading",
        "staff",
        "employees",
        "students",
        "visitors",
        "guests",
        "authorized",
        "authorised",
        "ticket",
        "maintenance",
    ]
)
"""Conditions without a time that do not hold for a bus in service."""


def has_conditions(tags: Tags) -> bool:
    """
    Whether an element has conditional tags that this module reads.

    Parameters
    ----------
    tags
        All tags of the element.

    Returns
    -------
    bool
        True for ``motor_vehicle:conditional`` and its like, False for those of parking or lorries.
    """
    return any(SUFFIX in key and key.removesuffix(SUFFIX) in CONDITIONAL_KEYS for key in tags)


class TagsAtNight(NamedTuple):
    """
    What the conditional tags of an element come to.

    Attributes
    ----------
    tags
        Tags at the different moments of the hours, those that hold in place of the plain ones; at least one.
    misread
        Conditional values that are not understood.
    n_rare
        Number of values that hold on fewer than `LEAST_NIGHTS` nights, or in given years, and are left out.
    """

    tags: tuple[dict[str, str], ...]
    misread: tuple[str, ...] = ()
    n_rare: int = 0


class NightConditions:
    """
    Conditional tags, evaluated every five minutes of given hours on each night of a year.

    A conditional value takes the place of the plain one at the moments at which its condition holds; of several the last counts.
    Times are read by the library opening_hours; without a country, no night is a public or school holiday. Conditions on size hold if
    they hold for short and for long buses, and other conditions (wet, destination, permit) do not hold for a bus. What is not
    understood never holds, and is reported.

    Parameters
    ----------
    hours
        Clock hours in which buses run; hours of 24 and above are those of the next day.

    Raises
    ------
    UsageError
        If there is no hour.
    """

    def __init__(self, hours: Sequence[int]) -> None:
        self.hours = tuple(sorted({int(hour) % 24 for hour in hours}))
        if not self.hours:
            msg = f"conditions of streets need the hours in which buses run, got none in {setting('hours')}; name one or more"
            raise UsageError(msg, setting="hours")
        minutes = np.concatenate([np.arange(_HOUR_MIN * hour, _HOUR_MIN * (hour + 1), _STEP_MIN) for hour in self.hours])
        self._moments = np.arange(_N_NIGHTS)[:, None] * _DAY_MIN + minutes
        self._place: tuple[float, float] | None = None
        self._changes: dict[tuple[tuple[str, str], ...], tuple[tuple[dict[str, str], ...], tuple[str, ...], int]] = {}

    @property
    def label(self) -> str:
        """The hours as clock times, such as ``00:00-05:00``."""
        begins = [hour for hour in self.hours if (hour - 1) % 24 not in self.hours] or [0]
        spans = []
        for begin in begins:
            end = begin + 1
            while end % 24 in self.hours and end - begin < 24:  # noqa: PLR2004  # hours
                end += 1
            spans.append(f"{begin:02d}:00-{(end - 1) % 24 + 1:02d}:00")
        return ", ".join(spans)

    def at_night(self, tags: Tags, lonlat: tuple[float, float] | None = None) -> TagsAtNight:
        """
        Tags of an element at the different moments of the hours.

        Parameters
        ----------
        tags
            All tags of the element.
        lonlat
            Degrees of the element; the first of them say when the sun rises and sets.

        Returns
        -------
        TagsAtNight
            The tags, and what was left out.
        """
        items = tuple(
            (key.removesuffix(SUFFIX), value)
            for key, value in tags.items()
            if SUFFIX in key and key.removesuffix(SUFFIX) in CONDITIONAL_KEYS
        )
        if self._place is None and lonlat is not None:
            self._place = round(lonlat[1], 1), round(lonlat[0], 1)
        if items not in self._changes:
            self._changes[items] = self._changes_of(items)
        changes, misread, n_rare = self._changes[items]
        return TagsAtNight(tuple({**tags, **change} for change in changes), misread, n_rare)

    def _changes_of(self, items: Sequence[tuple[str, str]]) -> tuple[tuple[dict[str, str], ...], tuple[str, ...], int]:
        """Different sets of tags that hold together on enough nights; values not understood; and the number of rare ones."""
        values: list[tuple[str, str]] = []
        held: list[Moments] = []
        misread: list[str] = []
        n_rare = 0
        for key, text in items:
            for value, condition in split_conditional(text):
                moments = self._holds(condition) if is_value(key, value) else None
                if moments is None:
                    misread.append(one_line(f"{key}{SUFFIX}={value} @ ({condition})"))
                elif moments.any(axis=1).sum() >= LEAST_NIGHTS:
                    values.append((key, value))
                    held.append(moments)
                else:
                    n_rare += bool(moments.any() or _YEAR.search(condition))
        changes = [{key: value for (key, value), holds in zip(values, row, strict=True) if holds} for row in _frequent(held)]
        return tuple({tuple(change.items()): change for change in changes}.values()), tuple(misread), n_rare

    def _holds(self, condition: str) -> Moments | None:
        """Whether a condition holds at each moment; None if it is not understood."""
        parts = [self._part_holds(part.strip(" ()")) for part in _AND.split(condition)]
        understood = [part for part in parts if part is not None]
        never = any(not part.any() for part in understood)
        return np.asarray(np.logical_and.reduce(understood), dtype=np.bool_) if never or len(understood) == len(parts) else None

    def _part_holds(self, text: str) -> Moments | None:
        """Whether a condition without AND holds at each moment; None if it is not understood."""
        holds = _holds_for_buses(text)
        if holds is not None:
            return np.full(self._moments.shape, holds)
        return np.zeros(self._moments.shape, np.bool_) if _YEAR.search(text) else self._opens(text)

    def _opens(self, text: str) -> Moments | None:
        """Whether opening hours are open at each moment; None if they are none."""
        try:
            from opening_hours import OpeningHours, State, validate
        except ImportError:
            msg = "conditional tags of OpenStreetMap need the extra library opening-hours-py; install it with: pip install 'owlbus[osm]'"
            raise UsageError(msg) from None
        if text.startswith('"') or not validate(text):  # a comment alone says no time
            return None
        place = self._place if re.search("sun|dawn|dusk", text) else None
        opening = OpeningHours(text, coords=place, auto_country=False)
        rows = list(opening.intervals(_FIRST_DAY, _FIRST_DAY + timedelta(days=_N_NIGHTS)))
        if any(state == State.UNKNOWN for _, _, state, _ in rows):
            return None
        begins = [(begin.replace(tzinfo=None) - _FIRST_DAY) // timedelta(minutes=1) for begin, _, _, _ in rows]
        is_open = np.array([state == State.OPEN for _, _, state, _ in rows])
        return np.asarray(is_open[np.searchsorted(begins, self._moments, side="right") - 1], dtype=np.bool_)


def _frequent(held: Sequence[Moments]) -> NDArray[np.bool_]:
    """Different combinations of conditions, shape (n, n_conditions), that hold on at least `LEAST_NIGHTS` nights, or on most."""
    if not held:
        return np.empty((1, 0), dtype=np.bool_)
    first, kind = np.zeros(1, dtype=np.int64), np.zeros(held[0].size, dtype=np.int64)
    for moments in held:
        _, first, kind = np.unique(2 * kind + moments.ravel(), return_index=True, return_inverse=True)
    by_night = kind.reshape(held[0].shape)
    nights = np.array([(by_night == k).any(axis=1).sum() for k in range(first.size)])
    rows = np.stack([moments.ravel()[first] for moments in held], axis=1)
    return np.asarray(rows[nights >= min(LEAST_NIGHTS, nights.max())], dtype=np.bool_)


def split_conditional(text: str) -> list[tuple[str, str]]:
    """
    Values and conditions of a conditional tag.

    Parameters
    ----------
    text
        ``value @ (condition); value @ (condition)``; parentheses may lack, then what has no ``@`` belongs to the condition before it.

    Returns
    -------
    list
        Value and condition of each; the value is empty if there is none.

    Examples
    --------
    >>> split_conditional("no @ (Mo-Fr 07:00-09:00; Sa 08:00-12:00); 30 @ 22:00-06:00")
    [('no', 'Mo-Fr 07:00-09:00; Sa 08:00-12:00'), ('30', '22:00-06:00')]
    """
    found: list[tuple[str, str]] = []
    for clause in _CLAUSE.findall(text):
        value, at, condition = clause.partition("@")
        if at or not found:
            found.append((value.strip() if at else "", (condition if at else clause).strip()))
        elif clause.strip():
            found[-1] = (found[-1][0], f"{found[-1][1]}; {clause.strip()}")
    return [(value, _without_parentheses(condition)) for value, condition in found]


def _without_parentheses(condition: str) -> str:
    """Condition without a pair of parentheses around the whole of it, or without one that has no partner."""
    if condition.startswith("(") and ")" not in condition[1:-1]:
        condition = condition[1:].removesuffix(")")
    return condition.removesuffix(")").strip() if condition.count(")") > condition.count("(") else condition.strip()


def _holds_for_buses(text: str) -> bool | None:
    """Whether a condition without a time holds for a bus; None if it is another one."""
    word = text.strip().lower()
    if word in _BUSES:
        return True
    if word in _NOT_FOR_BUSES:
        return False
    comparison = _COMPARISON.fullmatch(word)
    if comparison is None:
        return None
    quantity = comparison[1].strip()
    sizes = BUS_SIZES.get(_SIZES.get(quantity, quantity))
    limit = size_of(comparison[3].strip())
    return sizes is not None and limit is not None and all(_COMPARE[comparison[2]](size, limit) for size in sizes)
