"""Whether all times of a file fall into one hour, one minute or midnight, as they do where a publisher lost them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from owlbus.common.units import DAY_S, HOUR_S
from owlbus.records.times import UNDATED_S

if TYPE_CHECKING:
    from owlbus.records.reading import Batch

_FIRST_ROWS = 512

_LEAST_ROWS = {"minute": 10, "hour": 50}


class ClockRange(NamedTuple):
    """
    Times of day of dated rows.

    Attributes
    ----------
    n_rows
        Rows with a date and a time.
    first_s, last_s
        First and last second of the day; 0 and 86399 once they are not in one hour of the clock.
    """

    n_rows: int
    first_s: int
    last_s: int


_WIDE = (0, DAY_S - 1)


def clock_range(batch: Batch) -> ClockRange | None:
    """
    Return the range of the times of day of a batch.

    Parameters
    ----------
    batch
        Rows of a file.

    Returns
    -------
    ClockRange or None
        None if no row has a date; rows after the first ones are looked at only if those are in one hour.
    """
    first = _range_of(batch, _FIRST_ROWS)
    return ClockRange(batch.n_rows, *_WIDE) if first is not None and _is_wide(first) else _range_of(batch, batch.n_rows)


def _range_of(batch: Batch, n_rows: int) -> ClockRange | None:
    """Return the range of times of day of the first rows with a date and a time."""
    ticks, per_s = batch.ticks[:n_rows], batch.per_s
    ticks = ticks[ticks >= (0 if batch.is_dated else UNDATED_S * per_s)]
    if not ticks.size:
        return None
    second = ticks // per_s % DAY_S
    return ClockRange(ticks.size, int(second.min()), int(second.max()))


def _is_wide(times: ClockRange) -> bool:
    """Return whether times are not in one hour of the clock."""
    return times.first_s // HOUR_S != times.last_s // HOUR_S


def joined_clocks(one: ClockRange | None, other: ClockRange | None) -> ClockRange | None:
    """
    Return the range of the times of day of two sets of rows.

    Parameters
    ----------
    one, other
        Their ranges.

    Returns
    -------
    ClockRange or None
        None if both are None.
    """
    if one is None or other is None:
        return one or other
    joined = ClockRange(one.n_rows + other.n_rows, min(one.first_s, other.first_s), max(one.last_s, other.last_s))
    return ClockRange(joined.n_rows, *_WIDE) if _is_wide(joined) else joined


def clock_note(file: str, times: ClockRange | None) -> str | None:
    """
    Return a note on a file whose dated rows all fall into one minute or one hour.

    Parameters
    ----------
    file
        File name.
    times
        Range of its times of day.

    Returns
    -------
    str or None
        One sentence; None if times are spread, or rows are few.

    Examples
    --------
    >>> clock_note("calls.csv", ClockRange(5000, 0, 0))
    'calls.csv: all rows fall at 00:00; the times of day may have been lost'
    """
    if times is None or _is_wide(times):
        return None
    hour, minute = divmod(times.first_s // 60, 60)
    if times.first_s // 60 == times.last_s // 60:
        unit, when = "minute", f"at {hour:02d}:{minute:02d}"
    else:
        unit, when = "hour", f"between {hour:02d}:00 and {hour:02d}:59"
    way = "the times of day may have been lost" if unit == "minute" else "if this is no extract of that hour, the times of day are wrong"
    return f"{file}: all rows fall {when}; {way}" if times.n_rows >= _LEAST_ROWS[unit] else None
