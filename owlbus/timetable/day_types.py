"""Day types: days of the week that share a timetable, with the longest headway of each."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterable

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Days of the week in order; a day is that of a night's evening."""

SHORT_WEEKDAYS = tuple(day[:3] for day in WEEKDAYS)
_HANGUL = "월화수목금토일"
_RANGE = re.compile(r"\s*[-\u2013~]\s*")
_LEAST_MIN, _MOST_MIN = 1, 6 * HOUR_S // 60
_MINUTES = re.compile(r"\d{1,9}(\.\d{1,9})?")
_ROUTES = re.compile(r"\d{1,3}")
_EXAMPLE = "sun-thu=45,fri-sat=20"


@dataclass(frozen=True, slots=True)
class DayType:
    """
    Days of the week with one timetable.

    Attributes
    ----------
    days
        Indices of the days of the evening, Monday 0 to Sunday 6, ascending, one at least.
    max_headway_s
        Policy headway of these nights: the longest time between two buses, in seconds.
    n_routes
        Routes that run on these nights, those of the plan that serve most; None for all.

    Raises
    ------
    UsageError
        If a day is none of the week or there is none, the headway is no number from a minute to 6 hours, or no route is to run.

    Examples
    --------
    >>> friday = DayType((4, 5), 1200)
    >>> friday.name, friday.runs_on
    ('fri-sat', (False, False, False, False, True, True, False))
    """

    days: tuple[int, ...]
    max_headway_s: int
    n_routes: int | None = None

    def __post_init__(self) -> None:
        """Sort the days and check both values."""
        object.__setattr__(self, "days", tuple(sorted({int(day) for day in self.days})))
        if not self.days or not set(self.days) <= set(range(len(WEEKDAYS))):
            msg = f"a day type needs days from 0 (Monday) to 6 (Sunday), got {self.days}"
            raise UsageError(msg, setting="days", value=self.days)
        if not _LEAST_MIN * 60 <= self.max_headway_s <= _MOST_MIN * 60:
            minutes = f"{self.max_headway_s / 60:g}"
            msg = (
                f"{setting('days')} must give headways from {_LEAST_MIN} to {_MOST_MIN} minutes, got {minutes} for {self.name}; "
                "leave out a day without service"
            )
            raise UsageError(msg, setting="days", value=self.max_headway_s, allowed=(_LEAST_MIN * 60, _MOST_MIN * 60))
        if self.n_routes is not None and self.n_routes < 1:
            msg = f"{setting('days')} must give 1 route or more, got {self.n_routes} for {self.name}; leave out a day without service"
            raise UsageError(msg, setting="days", value=self.n_routes)

    @property
    def name(self) -> str:
        """Spans of days in order of the week, such as ``fri-sat`` or ``sun-thu``, joined by ``+``."""
        n = len(WEEKDAYS)
        if len(self.days) == n:
            return f"{SHORT_WEEKDAYS[0]}-{SHORT_WEEKDAYS[-1]}"
        spans = []
        for first in (day for day in self.days if (day - 1) % n not in self.days):
            last = next(day for day in range(first, first + n) if (day + 1) % n not in self.days)
            names = SHORT_WEEKDAYS[first], SHORT_WEEKDAYS[last % n]
            spans.append(names[0] if last == first else "-".join(names))
        return "+".join(spans)

    @property
    def runs_on(self) -> tuple[bool, ...]:
        """Whether there is service on the evening of each day, Monday first; 7 values."""
        return tuple(day in self.days for day in range(len(WEEKDAYS)))


def parse_day_types(text: str) -> tuple[DayType, ...]:
    """
    Day types of a text such as ``sun-thu=45,fri-sat=20``, headways in minutes.

    A day is that of the evening: 01:10 on Saturday belongs to ``fri``. It is written in English, in full or by its first three letters
    or more, or in Korean. A span may pass Sunday (``fri-mon``), and ``+`` joins days (``mon+wed=30``). With ``sun-thu=45/6`` only 6 routes
    of the plan run on these days.

    Parameters
    ----------
    text
        Days, headway and perhaps number of routes of each type, separated by commas.

    Returns
    -------
    tuple of DayType
        In the order of the text, with headways in seconds. A day that is not named has no service.

    Raises
    ------
    UsageError
        If the text reads otherwise, a day is unknown or named twice, or a headway lies outside a minute to 6 hours.

    Examples
    --------
    >>> [(day_type.name, day_type.max_headway_s) for day_type in parse_day_types("Sunday-Thursday=45, fri+sat=20")]
    [('sun-thu', 2700), ('fri-sat', 1200)]
    """
    types: list[DayType] = []
    named: list[int] = []
    for part in text.split(","):
        names, _, rest = part.partition("=")
        minutes, slash, routes = (word.strip() for word in rest.partition("/"))
        if not _MINUTES.fullmatch(minutes) or bool(slash) != bool(_ROUTES.fullmatch(routes)):
            msg = f"{setting('days')} must read DAYS=MINUTES or DAYS=MINUTES/ROUTES, such as {_EXAMPLE}, got {part.strip()!r}"
            raise UsageError(msg, setting="days", value=text)
        days = _days_of(names, text)
        named += days
        types.append(DayType(tuple(days), round(float(minutes) * 60), int(routes) if slash else None))
    require_days_once(named)
    return tuple(types)


def require_route_counts(types: Iterable[DayType], n_routes: int) -> None:
    """
    Refuse day types on which more routes are to run than there are.

    Parameters
    ----------
    types
        Day types.
    n_routes
        Routes of the plan.

    Raises
    ------
    UsageError
        If a day type names more routes than that.
    """
    for each in types:
        if each.n_routes is not None and each.n_routes > n_routes:
            msg = (
                f"{setting('days')} must let at most {how_many(n_routes, 'route')} run, as many as the plan has, "
                f"got {each.n_routes} for {each.name}; write {each.name}={each.max_headway_s / 60:g} to let all of them run"
            )
            raise UsageError(msg, setting="days", value=each.n_routes, allowed=(1, n_routes))


def require_days_once(days: Iterable[int]) -> None:
    """
    Refuse days of the week that are named twice.

    Parameters
    ----------
    days
        Monday 0 to Sunday 6.

    Raises
    ------
    UsageError
        If a day stands there twice.
    """
    twice = sorted(day for day, n in Counter(days).items() if n > 1)
    if twice:
        names = ", ".join(SHORT_WEEKDAYS[day] for day in twice)
        msg = f"{setting('days')} must name a day once, got {names} twice; such as {setting('days', _EXAMPLE)}"
        raise UsageError(msg, setting="days")


def days_without_service(types: Iterable[DayType]) -> tuple[str, ...]:
    """
    Days of the week that no day type has.

    Parameters
    ----------
    types
        Day types, headways in seconds.

    Returns
    -------
    tuple of str
        Three letters each, Monday first.
    """
    served = {day for one in types for day in one.days}
    return tuple(name for day, name in enumerate(SHORT_WEEKDAYS) if day not in served)


def weekday_of(text: str) -> int | None:
    """
    Day of the week that a word names.

    Parameters
    ----------
    text
        English, three letters at least, or Korean.

    Returns
    -------
    int or None
        Monday 0 to Sunday 6; None for another word.
    """
    word = text.strip().lower()
    for day, name in enumerate(WEEKDAYS):
        if (len(word) >= len(SHORT_WEEKDAYS[day]) and name.startswith(word)) or word in {_HANGUL[day], f"{_HANGUL[day]}요일"}:
            return day
    return None


def _days_of(names: str, text: str) -> list[int]:
    """Days of spans joined by plus signs; a day in two spans stands twice."""
    found: list[int] = []
    for span in names.split("+"):
        ends = [weekday_of(word) for word in _RANGE.split(span.strip())]
        first, last = ends[0], ends[-1]
        if first is None or last is None or len(ends) not in {1, 2}:
            msg = f"{setting('days')} must name days such as {', '.join(SHORT_WEEKDAYS)}, got {span.strip()!r} in {text!r}"
            raise UsageError(msg, setting="days", value=text, allowed=WEEKDAYS)
        found += [(first + k) % len(WEEKDAYS) for k in range((last - first) % len(WEEKDAYS) + 1)]
    return found
