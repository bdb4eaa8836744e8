"""The night-safety sheet by group of hexes, such as districts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import format_time

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.common.disclosure import Publisher
    from owlbus.timetable.rider_service import SafetySheet

WAIT_S = 1800
"""Longest wait in seconds of which the share of people is told."""


def safety_by_group(sheet: SafetySheet, labels: ArrayLike, people: NDArray[np.float64], publisher: Publisher) -> list[dict[str, Any]]:
    """
    Worst walks, waits and last buses of each group of hexes, and how many of its people they are for.

    Parameters
    ----------
    sheet
        Walks, waits and buses by hex.
    labels
        Group of each hex, shape (H,).
    people
        People a night by hex, shape (H,).
    publisher
        The publishing rule.

    Returns
    -------
    list of dict
        One row a group, names ascending: hexes, and those with a bus; share of people near a stop, 0 to 1; mean walk in metres over the
        area near a stop; the latest first bus, and the earliest last bus and last way home, of any hex as HH:MM:SS past 24:00:00; the
        longest wait in seconds; and of the people near a stop the share whose longest wait is 30 minutes or less. None where no hex has
        a bus, or too few people to tell.
    """
    names, group = np.unique(np.asarray(labels), return_inverse=True)
    near = np.zeros(group.size)
    near[sheet.hexes] = sheet.area_share
    within = np.zeros(group.size)
    within[sheet.hexes] = np.where(sheet.longest_wait_s <= WAIT_S, sheet.area_share, 0.0)
    all_people, near_people, within_people = (np.bincount(group, people * part, names.size) for part in (1.0, near, within))
    n_hexes, of_row = np.bincount(group, minlength=names.size), group[sheet.hexes]
    rows = []
    for k, name in enumerate(names.tolist()):
        mine = np.flatnonzero(of_row == k)
        rows.append(
            {
                "group": str(name),
                "n_hexes": int(n_hexes[k]),
                "n_hexes_reached": int(mine.size),
                "presence_share": publisher.share(float(near_people[k]), float(all_people[k])),
                **_worst(sheet, mine),
                f"within_{WAIT_S // 60}_min_share": publisher.share(float(within_people[k]), float(near_people[k])) if mine.size else None,
            }
        )
    return rows


def _worst(sheet: SafetySheet, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Mean walk, and the worst of first bus, last buses and longest wait; None without rows."""
    if not rows.size:
        return dict.fromkeys(("walk_m", "first", "last_from", "last_home", "longest_wait_s"))
    area = sheet.area_share[rows]
    first_s = int(sheet.first_s[rows].max()) if (sheet.first_s[rows] >= 0).all() else -1
    times = {"first": first_s, "last_from": int(sheet.last_from_s[rows].min()), "last_home": int(sheet.last_home_s[rows].min())}
    return {
        "walk_m": round(float(sheet.walk_m[rows] @ area / area.sum())),
        **{name: format_time(seconds) if seconds >= 0 else None for name, seconds in times.items()},
        "longest_wait_s": int(sheet.longest_wait_s[rows].max()),
    }
