"""Reach of a place as tables of a page: people by time, and hexes by their last bus; and the section of a run's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.report.section_page import Table
from owlbus.report.table_rows import place_text
from owlbus.timetable.reach_times import LIMITS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations


def reach_section(content: Content, words: Translations) -> dict[str, Any] | None:
    """
    Section of a report on the reach of its busiest stop.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    dict or None
        ``title``, ``text`` and ``tables``; people a night as they are printed. None without a timetable.
    """
    document = content.reach
    if document is None:
        return None
    first, last = (clock_text(text) for text in document["window"])
    return {
        "title": words("reach.report.title", place=place_text(content, words, document["stop"])),
        "text": words("reach.report.text", first=first, last=last),
        "tables": [people_table(document, words), last_table(document, words)],
    }


def people_table(document: Mapping[str, Any], words: Translations) -> Table:
    """
    People within each limit, for half of the departures and for nine in ten.

    Parameters
    ----------
    document
        As for `reach_page`; people a night as they are printed.
    words
        The reader's language.

    Returns
    -------
    Table
        Minutes, people, and shares in percent.
    """
    base, none = document["min_count"], words("absent.none")
    rows = []
    for row in document["within"]:
        cells = [words("reach.min", min=row["limit_min"])]
        for kind in ("median", "bad_luck"):
            part = row[kind]
            share = part["people_share"]
            cells += [words.count(part["people"], base), none if share is None else words.percent(share)]
        rows.append(tuple(cells))
    head = (
        words("reach.within"),
        *(words(f"reach.{name}") for name in ("median.people", "median.share", "bad_luck.people", "bad_luck.share")),
    )
    return Table(words("reach.people"), head, tuple(rows), note=words("reach.people.note"))


def last_table(document: Mapping[str, Any], words: Translations) -> Table:
    """
    Hexes by the hour of their last bus.

    Parameters
    ----------
    document
        As for `reach_page`.
    words
        The reader's language.

    Returns
    -------
    Table
        Hours of the clock, and numbers of hexes.
    """
    rows = tuple((words.hour(row["hour"]), words.number(row["hexes"])) for row in document["last_buses"])
    way = document["direction"]
    return Table(words(f"reach.last.{way}"), (words("reach.hour"), words("reach.hexes")), rows, note=words("reach.last.note"))


def time_classes(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Class of each time.

    Parameters
    ----------
    seconds
        Shape (H,), -1 for none.

    Returns
    -------
    ndarray of int64
        Indices of `limit_texts`, shape (H,): most for the shortest, 1 for one above all limits, 0 for none.

    Examples
    --------
    >>> time_classes(np.array([-1, 1800, 1801, 9000])).tolist()
    [0, 5, 4, 1]
    """
    within = (seconds[:, None] <= np.array(LIMITS_S)).sum(axis=1) + 1
    return np.where(seconds < 0, 0, within)


def limit_texts(words: Translations) -> list[str]:
    """
    What the classes of times are called.

    Parameters
    ----------
    words
        The reader's language.

    Returns
    -------
    list of str
        Minutes, from none to the shortest.
    """
    return [words("reach.class.none"), words("reach.class.more"), *(words("reach.class.up_to", min=s // 60) for s in LIMITS_S[::-1])]


def clock_text(text: str) -> str:
    """
    Hours and minutes of the clock.

    Parameters
    ----------
    text
        Time of the service night as HH:MM:SS, past 24:00:00.

    Returns
    -------
    str
        HH:MM.

    Examples
    --------
    >>> clock_text("26:30:00")
    '02:30'
    """
    hour, minute, _ = text.split(":")
    return f"{int(hour) % 24:02d}:{minute}"
