"""Tables of a plan to take along: one CSV file each, and all of them as one workbook."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.text import escape_formula
from owlbus.score.publish import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.network import Network
    from owlbus.plan import Plan

WORKBOOK_FILE = "tables.xlsx"
_ON_A_DAY = dt.datetime(2013, 4, 19, tzinfo=dt.UTC)
"""Date that a workbook says it was made, so that the same tables give the same bytes."""

_HEAD_ROWS = 1
_WIDEST = 60
_LONGEST = 32_767
"""Characters that a cell of a workbook holds."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    One table.

    Attributes
    ----------
    name
        What the file or sheet is called.
    columns
        Names of the columns, units in the names.
    rows
        Text, numbers, or None where nothing is known.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def to_csv(self) -> bytes:
        """Return the table as CSV in UTF-8 with a byte order mark, so that spreadsheets show every script; formulas are text."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows(["" if value is None else escape_formula(value) for value in row] for row in self.rows)
        return out.getvalue().encode("utf-8-sig")


def plan_sheets(
    network: Network,
    plan: Plan,
    card: Mapping[str, Any],
    missing: Sequence[Mapping[str, Any]],
    timetable: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Sheet, ...]:
    """
    Tables of a plan: routes, stops, hours, districts, missing places, and the timetable by route and hour; those that have rows.

    Parameters
    ----------
    network
        Network of the plan.
    plan
        The routes.
    card
        Its scorecard as ``scorecard.json`` holds it: shares 0 to 1, trips and people a night by the publishing rule.
    missing
        Busy places without a stop, as `MissingPlace.to_dict` gives them.
    timetable
        What `owlbus.timetable.timetable_document` gives by day type, or None; that of every night has no name.

    Returns
    -------
    tuple of Sheet
        The tables.
    """
    sheets = [
        _routes(network, plan, card),
        _stops(network, plan),
        _shares("hours", "hour", card["by_hour"]),
        _shares("districts", "district", card["by_group"]),
        _missing(missing),
        *([timetable_sheet(timetable)] if timetable else []),
    ]
    return tuple(sheet for sheet in sheets if sheet.rows)


def notes_sheet(notes: Sequence[str]) -> Sheet:
    """
    What holds for all tables.

    Parameters
    ----------
    notes
        Sentences, such as how counts of people are printed.

    Returns
    -------
    Sheet
        One row a sentence.
    """
    return Sheet("notes", ("note",), tuple((note,) for note in notes))


def rows_sheet(name: str, rows: Sequence[Mapping[str, Any]]) -> Sheet:
    """
    Rows of a document as a table.

    Parameters
    ----------
    name
        What the table is called.
    rows
        Values by column, units in the names; all with the columns of the first.

    Returns
    -------
    Sheet
        The table; empty without rows.
    """
    return Sheet(name, tuple(rows[0]) if rows else (), tuple(tuple(row.values()) for row in rows))


def timetable_sheet(documents: Mapping[str, Mapping[str, Any]]) -> Sheet:
    """
    Headways by route and hour.

    Parameters
    ----------
    documents
        What `owlbus.timetable.timetable_document` gives, by day type; the only one may have no name.

    Returns
    -------
    Sheet
        One row a day type and route; headways in minutes, one column an hour, nothing where no bus runs.
    """
    hours = tuple(dict.fromkeys(hour for document in documents.values() for hour in document["hours"]))
    days = ("day_type",) if any(documents) else ()
    types = ("bus_type",) if any("bus_types" in document for document in documents.values()) else ()
    rows = []
    for day, document in documents.items():
        for row in document["routes"]:
            headway_s = dict(zip(document["hours"], row["headway_s"], strict=True))
            headways = (round(headway_s[hour] / 60, 1) if headway_s.get(hour) else None for hour in hours)
            kind = [row.get("bus_type")] if types else []
            rows.append((*([day] if days else []), row["name"], *kind, row["buses"], row["runs"], *headways))
    return Sheet("timetable", (*days, "route", *types, "buses", "runs", *(f"headway_min_{hour}" for hour in hours)), tuple(rows))


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """
    Tables as one workbook, the same bytes for the same tables.

    Parameters
    ----------
    sheets
        The tables, one page each.

    Returns
    -------
    bytes
        XLSX; text stays text, whatever it begins with.
    """
    import xlsxwriter

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": _ON_A_DAY, "author": "owlbus"})
        bold = book.add_format({"bold": True})
        for sheet in sheets:
            page = book.add_worksheet(sheet.name)
            page.freeze_panes(_HEAD_ROWS, 1)
            page.write_row(0, 0, sheet.columns, bold)
            for k, row in enumerate(sheet.rows, start=_HEAD_ROWS):
                for j, value in enumerate(row):
                    _write_cell(page, k, j, value)
            for j, column in enumerate(sheet.columns):
                widest = max(len(str(value)) for value in (column, *(row[j] for row in sheet.rows)))
                page.set_column(j, j, min(widest + 2, _WIDEST))
    return out.getvalue()


def _write_cell(page: Any, row: int, column: int, value: object) -> None:  # noqa: ANN401 - a sheet of the library
    """Write a number as a number, anything else that is known as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        page.write_number(row, column, value)
    elif value is not None:
        page.write_string(row, column, str(value)[:_LONGEST])


def _routes(network: Network, plan: Plan, card: Mapping[str, Any]) -> Sheet:
    """One row a route, with the names of its ends."""
    figures = ("n_stops", "length_m", "ride_s", "cycle_s", "circuity", "buses")
    riders = ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips", "only_presence")
    ends = {route.name: tuple(network.stop_names[int(stop)] for stop in route.stops[[0, -1]]) for route in plan.routes}
    rows = tuple((row["name"], *ends[row["name"]], *(row[name] for name in (*figures, *riders))) for row in card["routes"])
    return Sheet("routes", ("route", "from", "to", *figures, *riders), rows)


def _stops(network: Network, plan: Plan) -> Sheet:
    """One row a route and stop, in order."""
    is_latin = any(network.stop_names_latin)
    rows = tuple(
        (
            route.name,
            place + 1,
            stop,
            network.stop_names[stop],
            *([network.stop_names_latin[stop]] if is_latin else []),
            round(float(network.stop_lon[stop]), 6),
            round(float(network.stop_lat[stop]), 6),
        )
        for route in plan.routes
        for place, stop in enumerate(np.asarray(route.stops).tolist())
    )
    return Sheet("stops", ("route", "sequence", "stop", "name", *(["name_latin"] if is_latin else []), "lon", "lat"), rows)


def _shares(name: str, label: str, parts: Mapping[str, Mapping[str, Any]]) -> Sheet:
    """One row a part of the demand: shares, and what they are shares of."""
    ends = ("share", "numerator", "denominator")
    columns = (label, *(f"{kind}_{end}" for kind in KINDS for end in ends))
    rows = tuple((part, *(figures[kind][end] for kind in KINDS for end in ends)) for part, figures in parts.items())
    return Sheet(name, columns, rows)


def _missing(places: Sequence[Mapping[str, Any]]) -> Sheet:
    """One row a busy place without a stop, with the cheapest change that serves it."""
    moved = ("gained_trips", "lost_trips", "gained_presence", "lost_presence")
    cost = ("length_m", "cycle_min", "buses")
    columns = ("rank", "place", "district", "stop", "presence", "unserved_trips", "route", "breaks_limits", *cost, *moved)
    rows = []
    for place in places:
        change = place["difference"]
        figures = [None] * len((*cost, *moved))
        if change is not None:
            figures = [*(change["cost"][name] for name in cost), *(change["whole"][name] for name in moved)]
        head = (place["rank"], place["name"], place["district"], place["stop"], place["presence"], place["unserved_trips"])
        rows.append((*head, ", ".join(place["routes"]), "; ".join(place["broken_limits"]), *figures))
    return Sheet("missing_places", columns, tuple(rows))
