"""Results as tables for the terminal: plans, routes, records and timetables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.cli.messages import in_flags
from owlbus.cli.output import empty_table
from owlbus.common.disclosure import MIN_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.demand import Demand, DemandReport
    from owlbus.pipeline import ScoredPlan, Study
    from owlbus.records.recognised import RecognisedFile
    from owlbus.score import Scorecard
    from owlbus.timetable import RiderService, Timetable, TimetableReport, UnitCosts


_KINDS = {"taxi": "taxi rides", "calls": "calls", "presence": "counts of people"}

_PARTS = re.compile(r"parts of the hex by (\w+)")


def plans_table(study: Study, plans: Sequence[ScoredPlan], *, title: str, city_share: float | None = None) -> Table:
    """
    Table of plans, one a column.

    Parameters
    ----------
    study
        Study that the plans are measured on.
    plans
        Plans with scorecards; the first is compared with the second.
    title
        Line above the table.
    city_share
        Share of presence that the city states, 0 to 1, or None.

    Returns
    -------
    Table
        Shares in percent, lengths in km, times in minutes.
    """
    table = empty_table(title)
    table.add_column("", no_wrap=True)
    for plan in plans:
        table.add_column(plan.name, justify="right", no_wrap=True)
    if len(plans) > 1:
        table.add_column("ratio", justify="right", style="dim", no_wrap=True)
    cards = [plan.card for plan in plans]
    first, shown = cards[0], [card.to_dict() for card in cards]
    people = "people in a mean hour of" if first.people_counted else "people"
    _share_rows(table, f"people within {first.walk_m:g} m of a stop", [document["presence"] for document in shown], people)
    if city_share is not None:
        table.add_row("  as the city states it", *("" for _ in plans[1:]), f"{city_share:.0%}", style="dim")
    counted = _PARTS.search(first.walk_rule)
    what = f"parts of hexagons, by {counted[1]}" if counted else "hexagons"
    table.add_row(f"  {what}, of {study.grid.n_hexes:,}", *(f"{card.hexes_share:.1%}" for card in cards), style="dim")
    if first.trips_counted:
        _share_rows(table, "trips served", [document["served"] for document in shown], "trips")
        _share_rows(table, "trips served without a transfer", [document["direct"] for document in shown])
    else:
        table.add_row("trips served, none counted", *("\u2013" for _ in cards), style="bold")
    table.add_row("mean ride of a served trip", *(_minutes(card.mean_ride_s) for card in cards))
    without = f"mean journey, {first.rule.unserved_s / 60:g} min if none"
    table.add_row(without, *(_minutes(card.mean_travel_s) for card in cards))
    table.add_row(f"buses, one every {first.headway_s / 60:g} minutes", *(f"{card.total_buses}" for card in cards))
    table.add_row("routes", *(f"{len(plan.plan)}" for plan in plans))
    table.add_row("all routes, one way", *(f"{card.total_length_m / 1000:.1f} km" for card in cards))
    if first.n_nights > 1:
        table.caption = f"Small: denominators, and 90 % intervals over {first.n_nights} nights."
    return table


def _share_rows(table: Table, label: str, measures: Sequence[Mapping[str, Any]], unit: str = "") -> None:
    """Add a row of shares, and one of denominators and intervals over nights; hidden figures stay hidden."""
    shares = [measure["share"] for measure in measures]
    ratio = [f"{shares[0] / shares[1]:.2f}"] if len(shares) > 1 and shares[0] is not None and shares[1] else []
    table.add_row(label, *map(_share_text, measures), *ratio, style="bold")
    if unit:
        table.add_row(
            f"  of {_count(measures[0]['denominator'])} {unit} a night", *(_interval(measure) for measure in measures), style="dim"
        )


def _share_text(measure: Mapping[str, Any]) -> str:
    """Return a share in percent; where the few that it leaves out are hidden the share of rounded counts, and else `hidden`."""
    if measure["share"] is not None:
        return f"{measure['share']:.1%}"
    return f"about {measure['rounded_share']:.0%}" if "rounded_share" in measure else "hidden"


def _minutes(time_s: float | None) -> str:
    """Return a time in minutes, or a dash where it is unknown."""
    return "\u2013" if time_s is None else f"{time_s / 60:.0f} min"


def _interval(measure: Mapping[str, Any]) -> str:
    """Return the interval over nights in percent, or an empty text."""
    low, high = measure["low_share"], measure["high_share"]
    return "" if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}%"


def _count(value: float | None) -> str:
    """Return a count of trips or people, or `hidden`."""
    return "hidden" if value is None else f"{value:,.0f}"


def routes_table(card: Scorecard) -> Table:
    """Return a table of the routes of `card`: km, minutes, buses and riders a night."""
    table = empty_table("Routes")
    for name in ("route", "stops", "km", "min", "buses", "boardings", "changes", "fullest", "alone"):
        table.add_column(name, justify="left" if name == "route" else "right", no_wrap=True)
    document = card.to_dict()
    for row in document["routes"]:
        table.add_row(
            row["name"],
            f"{row['n_stops']}",
            f"{row['length_m'] / 1000:.1f}",
            f"{row['ride_s'] / 60:.0f}",
            f"{row['buses']}",
            *(
                _count(row[name]) if card.trips_counted else "\u2013"
                for name in ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips")
            ),
        )
    least = document["hidden"]["min_count"]
    table.caption = (
        "km and minutes one way, the longer direction. Riders a night: first boardings, transfers to it, riders on its "
        "fullest link, and trips that no other route serves. "
        + ("Counts are exact." if least == 0 else f"Counts below {least:g} are hidden, and those that would reveal one.")
    )
    return table


def records_table(report: DemandReport) -> Table:
    """Return a table of the records of `report`: rows counted and rejected, by file."""
    table = empty_table("Records")
    for name in ("file", "kind", "rows", "counted", "as trips too", "rejected"):
        table.add_column(name, justify="left" if name in {"file", "kind"} else "right", overflow="fold")
    for file in report.files:
        numbers = (file.rows_in, file.rows_counted, file.rows_trip, file.rows_rejected)
        table.add_row(file.file.rpartition("/")[2], file.kind, *(f"{number:,}" for number in numbers))
    return table


def recognised_table(file: RecognisedFile) -> Table:
    """Return a table of what was recognised in `file`: its columns, how each is read, and the first rows as shapes."""
    table = empty_table(f"{file.file.rpartition('/')[2]}, read as {_KINDS.get(file.kind, file.kind)}")
    for name in ("owlbus", "column", "read as", "first rows, 9 a digit, a a letter"):
        table.add_column(name, overflow="fold")
    for column in file.columns:
        table.add_row(column.name, column.column, column.reading, "\n".join(column.shapes))
    if file.notes:
        table.caption = "; ".join(file.notes)
    return table


def rules_table(report: DemandReport) -> Table:
    """Return a table of the rules of `report` that rows broke, with the first such row and the remedy."""
    from owlbus.records.validation import RULES

    table = empty_table("Rules that rows broke")
    for name in ("rows", "share", "which", "effect", "first", "what to do"):
        table.add_column(name, justify="right" if name in {"rows", "share"} else "left", overflow="fold")
    way_out = {rule.name: rule.way_out for rule in RULES}
    for rule in report.rules:
        place = rule.first.rpartition("/")[2]
        table.add_row(f"{rule.rows:,}", f"{rule.rows_share:.1%}", rule.sentence, rule.effect, place, in_flags(way_out[rule.name]))
    return table


def demand_table(demand: Demand) -> Table:
    """Return a table of trips and people of `demand` by hour, means per night."""
    from owlbus.common.units import hour_label

    table = empty_table("Demand of a mean night")
    for name in ("hour", "trips", "people"):
        table.add_column(name, justify="right")
    trips = demand.trips_by_hour().tolist() if demand.counts_trips and demand.hours_known else [None] * len(demand.hours)
    has_people = demand.people_counted or demand.hours_known
    people = demand.presence_by_hour().sum(axis=1).tolist() if has_people else [None] * len(demand.hours)
    for hour, n_trips, n_people in zip(demand.hours, trips, people, strict=True):
        table.add_row(hour_label(hour), _figure(n_trips), _figure(n_people))
    table.add_section()
    total_trips = _figure(demand.total_trips if demand.counts_trips else None)
    if demand.people_counted:
        table.add_row("all", total_trips, f"{demand.person_hours:,.0f} person-hours", style="bold")
        table.add_row("mean hour", "", _figure(demand.total_presence), style="bold")
    else:
        table.add_row("all", total_trips, _figure(demand.total_presence), style="bold")
    return table


def _figure(value: float | None) -> str:
    """Return a count, or a dash where it is unknown."""
    return "\u2013" if value is None else f"{value:,.0f}"


def demand_document(demand: Demand) -> dict[str, Any]:
    """Return totals of `demand` as JSON values, means per night: trips, None if none were counted, and people."""
    document: dict[str, Any] = {
        "trips_per_night": round(demand.total_trips, 1) if demand.counts_trips else None,
        "presence_per_night": round(demand.total_presence, 1),
    }
    if demand.people_counted:
        document["person_hours_per_night"] = round(demand.person_hours, 1)
    return document if demand.hours_known else document | {"hours_known": False}


def study_document(study: Study) -> dict[str, Any]:
    """Return a study as JSON values: hexes, nights, trips and people a night, records and network."""
    return {
        "hexes": study.grid.n_hexes,
        "nights": study.demand.n_nights,
        **demand_document(study.demand),
        "unreachable_trips_share": None if study.unreachable_share is None else round(study.unreachable_share, 6),
        "is_synthetic": study.is_synthetic,
        "records": None if study.report is None else study.report.to_json(),
        "network": None if study.network.report is None else study.network.report.to_json(),
    }


def plan_document(plan: ScoredPlan) -> dict[str, Any]:
    """Return a plan as JSON values: name and scorecard, with small counts hidden."""
    return {"name": plan.name, "routes": len(plan.plan), "scorecard": plan.card.to_dict()}


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """
    Timetable of one night with the service of its riders.

    Attributes
    ----------
    name
        Name of the plan.
    table
        Runs and vehicle blocks, times in seconds.
    report
        Report of its construction; None for a timetable that was read.
    service
        Waits, rides and crowding.
    costs
        Cost of a vehicle-km, a vehicle-hour and a bus.
    min_count
        Riders a night below which a figure is not shown; -1 for open data.
    """

    name: str
    table: Timetable
    report: TimetableReport | None
    service: RiderService
    costs: UnitCosts
    min_count: float = MIN_COUNT

    def to_dict(self) -> dict[str, Any]:
        """Return timetable and service as JSON values, with small counts hidden."""
        from owlbus.timetable import timetable_document

        return {"timetable": timetable_document(self.table, self.report, self.costs), "riders": self.service.to_dict(self.min_count)}


def night_pages(night: Night) -> list[Table]:
    """
    Tables of headways and waits in minutes and of crowding in percent, by route and hour.

    Parameters
    ----------
    night
        Timetable and service.

    Returns
    -------
    list of Table
        Headways, waits, crowding.
    """
    document = night.to_dict()
    figures, shown = document["timetable"], document["riders"]
    pages = [
        _page(f"Headways in minutes, {night.name}", ("route", "buses", "runs", *figures["hours"]), _totals(figures)),
        _page(f"Mean wait for the first bus in minutes, {night.name}", ("route", *figures["hours"]), ""),
        _page(f"Crowding, {night.name}: riders on the fullest link, % of capacity", ("route", *figures["hours"]), _service(shown)),
    ]
    for row, riders in zip(figures["routes"], shown["routes"], strict=True):
        pages[0].add_row(row["name"], f"{row['buses']}", f"{row['runs']}", *(f"{headway / 60:.0f}" for headway in row["headway_s"]))
        pages[1].add_row(riders["name"], *(_cell(wait, 1 / 60) for wait in riders["wait_s"]))
        pages[2].add_row(riders["name"], *(_cell(share, 100) for share in riders["crowding_share"]))
    return pages


def side_by_side_page(nights: tuple[Night, Night]) -> Table:
    """
    Table of two nights side by side.

    Parameters
    ----------
    nights
        The plan, and the reference.

    Returns
    -------
    Table
        One row per figure; minutes, kilometres and percent.
    """
    page = _page(
        "Side by side", ("", *(night.name for night in nights)), "Wait, ride and total are means of the trips that each plan serves."
    )
    columns = [_figures(night) for night in nights]
    for row in zip(*columns, strict=True):
        page.add_row(row[0][0], *(value for _, value in row))
    return page


def _figures(night: Night) -> list[tuple[str, str]]:
    """Return the figures of a night, name and value."""
    document = night.to_dict()
    figures, shown = document["timetable"], document["riders"]
    headways = [headway for row in figures["routes"] for headway in row["headway_s"] if headway]
    full = [share for row in shown["routes"] for share in row["crowding_share"] if share is not None]
    span = sorted({f"{headway / 60:.0f}" for headway in (min(headways, default=0), max(headways, default=0))}, key=int)
    return [
        ("routes", f"{len(figures['routes'])}"),
        ("buses", f"{figures['fleet']}"),
        ("headways, minutes", " to ".join(span)),
        ("runs", f"{figures['runs']}"),
        ("vehicle-km", f"{figures['vehicle_km']:,.0f}"),
        ("vehicle-hours", f"{figures['vehicle_hours']:.0f}"),
        (f"cost a night, {figures['cost']['currency']}{' (assumed)' if night.costs.assumed else ''}", f"{figures['cost']['total']:,.0f}"),
        *((f"{name}, minutes (90th percentile)", _spread(shown, name)) for name in ("wait", "ride", "total")),
        ("fullest link of any hour, % of capacity", f"{100 * max(full):.0f}" if full else "-"),
        *((f"arrived within {limit // 60} min, % of all trips", _cell(shown["within_share"][str(limit)], 100)) for limit in (3600, 5400)),
    ]


def _spread(shown: dict[str, Any], name: str) -> str:
    """Mean and 90th percentile in minutes."""
    mean, p90 = shown[f"{name}_mean_s"], shown[f"{name}_p90_s"]
    return "-" if mean is None else f"{mean / 60:.0f} ({p90 / 60:.0f})"


def _page(title: str, columns: tuple[str, ...], caption: str) -> Table:
    """Return an empty table, names left-aligned and numbers right-aligned."""
    page = empty_table(title)
    page.caption = caption or None
    for name in columns:
        page.add_column(name, justify="left" if name in {"route", ""} else "right", no_wrap=bool(name))
    return page


def _totals(figures: dict[str, Any]) -> str:
    """Return a summary of a night: buses, kilometres, hours, cost, and waits."""
    cost, choice = figures["cost"], figures["choice"]
    total = (
        f"{figures['fleet']} buses, {figures['runs']} runs, {figures['vehicle_km']:,.0f} vehicle-km, {figures['vehicle_hours']:.0f} "
        f"vehicle-hours; {cost['total']:,.0f} {cost['currency']} a night at {cost['per_km']:g} a km, {cost['per_hour']:g} an hour, "
        f"{cost['per_bus']:g} a bus ({cost['basis']})."
    )
    lines = [total]
    if choice is not None and choice["equal_wait_s"] is not None:
        lines.append(
            f"Planned wait, mean of all boardings: {choice['planned_wait_s'] / 60:.1f} min; with equal headways of "
            f"{choice['equal_headway_s'] / 60:.0f} min on as many buses {choice['equal_wait_s'] / 60:.1f}."
        )
    if choice is not None:
        lines.append(
            f"Wait at a transfer: {choice['transfer_wait_before_s'] / 60:.1f} min before timed transfers, "
            f"{choice['transfer_wait_after_s'] / 60:.1f} after."
        )
    return "\n".join(lines)


def _service(shown: dict[str, Any]) -> str:
    """Return a summary of waits and rides."""
    least = shown["hidden"]["min_count"]
    hidden = "-: no riders." if least == 0 else f"-: fewer than {least:g} riders, or none."
    if shown["wait_mean_s"] is None:
        return hidden
    parts = (f"{name} {shown[f'{name}_mean_s'] / 60:.0f} ({shown[f'{name}_p90_s'] / 60:.0f})" for name in ("wait", "ride", "total"))
    return f"Mean and 90th percentile in minutes: {', '.join(parts)}.\n{hidden}"


def _cell(value: float | None, factor: float) -> str:
    """Return a number times `factor`, or a dash."""
    return "-" if value is None else f"{value * factor:.0f}"
