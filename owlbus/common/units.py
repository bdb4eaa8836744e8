"""Units: seconds of the service night, service hours past 24, and trips in multiples of 1/1024."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError, number_of, setting, span_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

HOUR_S = 3600
DAY_S = 86_400
QUANTA_PER_TRIP = 1024
"""Trips are whole multiples of ``1 / QUANTA_PER_TRIP``, so that float64 sums are exact in any order."""

_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d))?")
_NOON_HOUR = 12
_HOURS_A_DAY = 24
_LAST_HOUR = 36


def parse_time(text: str) -> int:
    """
    Parse a time as seconds since the midnight at the start of the service date.

    Hours may pass 24: ``25:10:00`` is 01:10 on the next calendar day.

    Parameters
    ----------
    text
        ``H:MM``, ``HH:MM`` or ``HH:MM:SS``.

    Returns
    -------
    int
        Seconds, >= 0.

    Raises
    ------
    UsageError
        If `text` is not such a time.

    Examples
    --------
    >>> parse_time("25:10:00")
    90600
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        msg = f"a time must read HH:MM or HH:MM:SS, got {text!r}"
        raise UsageError(msg)
    hours, minutes, seconds = match.groups(default="0")
    return int(hours) * HOUR_S + int(minutes) * 60 + int(seconds)


def format_time(time_s: int) -> str:
    """
    Format seconds since the start of the service date as ``HH:MM:SS``; hours may pass 24.

    Parameters
    ----------
    time_s
        Seconds, >= 0.

    Returns
    -------
    str
        Time in GTFS format.

    Examples
    --------
    >>> format_time(90600)
    '25:10:00'
    """
    hours, remainder = divmod(int(time_s), HOUR_S)
    minutes, seconds = divmod(remainder, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def require_number(name: str, value: float, low: float, high: float = math.inf) -> None:
    """
    Reject a value outside [low, high], or NaN.

    Parameters
    ----------
    name
        Name of the argument, with its unit.
    value, low, high
        Value and range, in that unit.

    Raises
    ------
    UsageError
        If it is outside.

    Examples
    --------
    >>> require_number("walk_m", -1.0, 0, 100_000)
    Traceback (most recent call last):
    owlbus.common.errors.UsageError: walk_m must lie in [0, 100000], got -1
    """
    if not low <= value <= high:
        msg = f"{setting(name)} must lie in {span_of(name, low, high)}, got {number_of(name, value)}"
        raise UsageError(msg, setting=name, value=value, allowed=(low, high))


def quantise(trips: ArrayLike) -> NDArray[np.float64]:
    """
    Round trips to the nearest multiple of 1/1024, halves to even.

    Parameters
    ----------
    trips
        Trips, any shape.

    Returns
    -------
    ndarray of float64
        Same shape; sums are exact in any order.

    Examples
    --------
    >>> float(quantise(0.1)) * 1024
    102.0
    """
    return np.rint(np.asarray(trips, dtype=np.float64) * QUANTA_PER_TRIP) / QUANTA_PER_TRIP


@dataclass(frozen=True, slots=True)
class NightWindow:
    """
    Hours of a service night.

    A service night carries the date of its evening: 01:10 on Sunday belongs to Saturday's night as 25:10:00.

    Attributes
    ----------
    start_hour, end_hour
        Whole hours since the service date's midnight, the end excluded; 24 is midnight. The default is 24 to 29,
        which people read as 00:00-05:00.

    Raises
    ------
    UsageError
        If the hours are not ``12 <= start < end <= 36``.

    Examples
    --------
    >>> NightWindow().hours
    (24, 25, 26, 27, 28)
    >>> NightWindow().labels
    ('00', '01', '02', '03', '04')
    >>> NightWindow.parse("22-07")
    NightWindow(start_hour=22, end_hour=31)
    """

    start_hour: int = 24
    end_hour: int = 29

    def __post_init__(self) -> None:
        """Reject windows that are empty, too early or too long."""
        if not _NOON_HOUR <= self.start_hour < self.end_hour <= _LAST_HOUR:
            msg = f"a night window must keep 12 <= start < end <= 36 (24 is midnight), got {self.start_hour}-{self.end_hour}"
            raise UsageError(msg, setting="window", value=(self.start_hour, self.end_hour))

    @classmethod
    def parse(cls, text: str) -> NightWindow:
        """
        Parse ``HH-HH`` in clock hours; hours before noon are after midnight.

        Parameters
        ----------
        text
            For example ``00-05`` or ``22-07``; the end is excluded.

        Returns
        -------
        NightWindow
            The window in service hours.

        Raises
        ------
        UsageError
            If `text` is not such a window.
        """
        match = re.fullmatch(r"(\d{1,2})\s*-\s*(\d{1,2})", text.strip())
        if match is None:
            msg = f"a night window must read HH-HH, such as 00-05 or 22-07, got {text!r}"
            raise UsageError(msg, setting="window", value=text)
        start, end = (int(hour) + _HOURS_A_DAY * (int(hour) < _NOON_HOUR) for hour in match.groups())
        end += _HOURS_A_DAY * (end <= start)
        try:
            return cls(start, end)
        except UsageError as error:
            msg = f"{error.template} from {text!r}; such as 22-07, which reads 22-31"
            raise UsageError(msg, setting="window", value=text) from None

    @property
    def hours(self) -> tuple[int, ...]:
        """Service hours, ascending."""
        return tuple(range(self.start_hour, self.end_hour))

    @property
    def labels(self) -> tuple[str, ...]:
        """Clock hours as two digits, such as ``00``."""
        return tuple(hour_label(hour) for hour in self.hours)


def hour_label(hour: int) -> str:
    """
    Two-digit clock hour of a service hour.

    Parameters
    ----------
    hour
        Service hour; 24 is midnight.

    Returns
    -------
    str
        ``00`` to ``23``.

    Examples
    --------
    >>> hour_label(25)
    '01'
    """
    return f"{hour % _HOURS_A_DAY:02d}"
