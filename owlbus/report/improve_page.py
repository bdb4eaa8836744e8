"""The part of a report on an improved plan: what each step gains, and the gain by the share of stops that may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.section_page import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations


def improve_tables(content: Content, words: Translations) -> tuple[Table, ...]:
    """
    Tables of the steps to an improved plan and of the gain.

    Parameters
    ----------
    content
        Parts of the report.
    words
        The reader's language.

    Returns
    -------
    tuple of Table
        Trips and people a night as they are printed, and percent; none where no plan was improved.
    """
    document = content.improvement
    if document is None:
        return ()
    base = document["min_count"]
    steps = tuple(
        (
            f"{row['step']}",
            row["route"],
            row["change"],
            words.count(row["gained_trips"], base, "+"),
            words.count(row["lost_trips"], base, "\N{MINUS SIGN}"),
            _net(row["so_far"]["net_trips"], words),
        )
        for row in document["steps"]
    )
    curve = tuple(_curve_row(row, words) for row in document["curve"])
    tables = (
        Table(
            words("improve.steps"),
            _head(("step", "route", "change", "gained", "lost", "far"), words),
            steps,
            (1, 2),
            words("improve.steps.note"),
        ),
        Table(words("improve.curve"), _head(("allowed", "stops", "trips", "gain", "interval", "people", "km", "buses"), words), curve),
    )
    return tuple(table for table in tables if table.rows)


def _head(names: tuple[str, ...], words: Translations) -> tuple[str, ...]:
    """Names of columns."""
    return tuple(words(f"improve.{name}") for name in names)


def _net(value: float | None, words: Translations) -> str:
    """Return net trips or people, or that no difference is told."""
    return words("compare.none_told") if value is None else words.signed(value)


def _curve_row(row: Mapping[str, Any], words: Translations) -> tuple[str, ...]:
    """One share of stops that may change as text."""
    interval, counted = row["gain_interval"], row.get("trips_counted", True)
    ratio: Any = row["gain_ratio"]
    absent = words("absent.none") if not counted else words("compare.none_told")
    return (
        words.percent(row["allowed_share"], 0),
        f"{row['stops_changed']}",
        _net(row["net_trips"], words) if counted else absent,
        absent if ratio is None else f"{words.signed(100 * ratio, 1)} %",
        "" if interval is None else words("improve.range", low=words.signed(100 * interval[0], 1), high=words.signed(100 * interval[1], 1)),
        _net(row["net_presence"], words),
        words.signed(row["length_m"] / 1000, 1),
        words.signed(row["buses"]),
    )
