"""The night-safety sheet of a timetable as CSV, by hex and by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.cli.day_nights import nights_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.cli.day_nights import DayNight
    from owlbus.cli.night_tables import Night
    from owlbus.pipeline import Study


def groups_of(study: Study, by: str | None) -> NDArray[np.str_] | None:
    """
    Group of each hex.

    Parameters
    ----------
    study
        With the districts of its city, if it has any.
    by
        File and column as ``--by`` gives them; None for the districts.

    Returns
    -------
    ndarray of str or None
        Shape (H,); None where there are no districts.

    Raises
    ------
    DataError
        If the file cannot be read.
    UsageError
        If `by` names no column.
    """
    from owlbus.evidence.groups import read_groups

    return study.districts if by is None else read_groups(by, study.grid)


def safety_of(study: Study, night: Night, groups: NDArray[np.str_] | None) -> list[dict[str, Any]]:
    """
    Night-safety sheet by group.

    Parameters
    ----------
    study
        Network and people.
    night
        With the timetable, times in seconds.
    groups
        Group of each hex, shape (H,), or None.

    Returns
    -------
    list of dict
        As `owlbus.timetable.safety_groups.safety_by_group` returns it; empty without groups.
    """
    from owlbus.timetable import safety_sheet
    from owlbus.timetable.safety_groups import safety_by_group

    if groups is None:
        return []
    return safety_by_group(safety_sheet(study.network, night.table), groups, study.demand.presence_by_hex(), study.publisher)


def safety_csv(study: Study, nights: Sequence[DayNight]) -> bytes:
    """
    Night-safety sheet by hex, with a column for the day type if there are any.

    Parameters
    ----------
    study
        Whose network the timetables are on.
    nights
        Nights of the day types, times in seconds.

    Returns
    -------
    bytes
        CSV in UTF-8.
    """
    from owlbus.timetable import safety_sheet

    return nights_csv(nights, lambda day: safety_sheet(study.network, day.night.table).rows(), "hex")


def group_csv(nights: Sequence[DayNight]) -> bytes:
    """
    Night-safety sheet by group of hexes, with a column for the day type if there are any.

    Parameters
    ----------
    nights
        Nights of the day types with their groups.

    Returns
    -------
    bytes
        CSV in UTF-8; shares 0 to 1, metres and seconds.
    """
    return nights_csv(nights, lambda day: day.safety, "group")
