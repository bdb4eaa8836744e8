"""Convert run starts to rows of ``frequencies.txt``; each row stands for runs at one headway."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.units import HOUR_S
from owlbus.timetable.schedule import hour_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.timetable import Timetable

_CLOSING_S = 60


class Period(NamedTuple):
    """
    Period in which the runs of one direction have one headway.

    Attributes
    ----------
    first_s
        Start of the first run, in seconds.
    end_s
        End of the period in seconds: after the start of the last run, and before the start of a further run at this headway.
    headway_s
        Headway in seconds.
    """

    first_s: int
    end_s: int
    headway_s: int


def periods_of(starts_s: NDArray[np.int32]) -> list[Period]:
    """
    Periods of constant headway, in seconds, with exactly these starts; a period lasts as long as the gap stays the same.

    Parameters
    ----------
    starts_s
        Starts in seconds, strictly ascending, shape (n,).

    Returns
    -------
    list of Period
        In order of time, without overlap. A single run takes the gap before it as headway, or an hour if there is none.

    Examples
    --------
    >>> periods_of(np.array([0, 1800, 3600, 6000, 8400]))
    [Period(first_s=0, end_s=3660, headway_s=1800), Period(first_s=6000, end_s=8460, headway_s=2400)]
    """
    times = [int(start) for start in starts_s]
    periods, first = [], 0
    while first < len(times):
        is_last = first == len(times) - 1
        gap = (times[first] - times[first - 1] if first else HOUR_S) if is_last else times[first + 1] - times[first]
        last = first
        while last + 1 < len(times) and times[last + 1] - times[last] == gap:
            last += 1
        longest = min([gap - 1, *(start - times[last] for start in times[last + 1 : last + 2])])
        periods.append(Period(times[first], times[last] + max(1, min(_CLOSING_S, longest)), gap))
        first = last + 1
    return periods


def direction_periods(timetable: Timetable) -> Iterator[tuple[int, list[Period]]]:
    """
    Periods of every direction with runs, in seconds; runs of a direction at the same second, or of different times, go to separate lists.

    Parameters
    ----------
    timetable
        Runs of one night, in seconds.

    Yields
    ------
    tuple
        Index of the direction, and its periods.
    """
    for row in np.unique(timetable.run_direction).tolist():
        all_starts = timetable.starts_s(row)
        of_hour = hour_rows(timetable.directions[row].hours, all_starts)
        for hour in np.unique(of_hour).tolist():
            starts, counts = np.unique(all_starts[of_hour == hour], return_counts=True)
            for nth in range(int(counts.max())):
                yield row, periods_of(starts[counts > nth])
