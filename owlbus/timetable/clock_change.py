"""Runs of the nights in which the clocks change: the hours that the timetable states by the clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import HOUR_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.timetable.clock import ClockChange
    from owlbus.timetable.schedule import Timetable


def changed_night(timetable: Timetable, change: ClockChange) -> Timetable | None:
    """
    Timetable of a night in which the clocks change.

    The night begins and ends at the same hours by the clock as any other. Buses keep their headways in elapsed time, so none runs faster
    or waits for the clock: a night that is shorter lacks the last runs of each direction, and a longer one goes on at the last headway.

    Parameters
    ----------
    timetable
        Runs of an ordinary night, in seconds.
    change
        The change.

    Returns
    -------
    Timetable or None
        Runs in elapsed seconds since noon minus 12 h, each with a bus of its own; None if the change leaves the runs as they are.
    """
    begin_s, end_s = timetable.hours[0] * HOUR_S, (timetable.hours[-1] + 1) * HOUR_S
    new_begin_s, new_end_s = change.at_label(begin_s), change.at_label(end_s)
    if (new_begin_s, new_end_s) == (begin_s, end_s):
        return None
    length_s = new_end_s - new_begin_s
    kept = [_starts(timetable.starts_s(row).astype(np.int64), length_s, end_s - begin_s) for row in range(len(timetable.directions))]
    direction = np.repeat(np.arange(len(kept)), [starts.size for starts in kept])
    start_s = np.concatenate(kept) + (new_begin_s - begin_s)
    order = np.lexsort((direction, start_s))
    runs = {"run_direction": direction[order], "run_start_s": start_s[order], "run_block": np.arange(order.size)}
    columns: dict[str, Any] = {name: column.astype(np.int32) for name, column in runs.items()}
    return replace(timetable, **columns)


def _starts(starts_s: NDArray[np.int64], length_s: int, usual_s: int) -> NDArray[np.int64]:
    """Starts of a direction in a night of another length: the first ones, or all with more at the last headway."""
    if not starts_s.size or length_s == usual_s:
        return starts_s
    first_s, last_s = int(starts_s[0]), int(starts_s[-1])
    if length_s < usual_s:
        return starts_s[starts_s < first_s + length_s]
    # The last bus of the usual night would be followed when that night has ended, however short the gap before it.
    gap_s = max([first_s + usual_s - last_s, *np.diff(np.unique(starts_s))[-1:].tolist()])
    return np.concatenate([starts_s, np.arange(last_s + gap_s, first_s + length_s, gap_s)])
