"""Results as people read them: tables of plans side by side, of routes, and of what became of records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from owlbus.cli.talk import empty_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.demand import Demand, DemandReport
    from owlbus.pipeline import Scored, Study
    from owlbus.score import Scorecard

_PARTS = re.compile(r"parts of the hex by (\w+)")


def plans_table(study: Study, plans: Sequence[Scored], *, title: str, city_share: float | None = None) -> Table:
    """
    Lay plans side by side, best first.

    Parameters
    ----------
    study
        What they are measured on.
    plans
        Plans with their scorecards; one column each.
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
    _share_rows(table, f"people within {first.walk_m:g} m of a stop", [document["presence"] for document in shown], "people")
    if city_share is not None:
        table.add_row("  as the city states it", *("" for _ in plans[1:]), f"{city_share:.0%}", style="dim")
    counted = _PARTS.search(first.walk_rule)
    what = f"parts of hexagons, by {counted[1]}" if counted else "hexagons"
    table.add_row(f"  {what}, of {study.grid.n_hexes:,}", *(f"{card.hexes_share:.1%}" for card in cards), style="dim")
    _share_rows(table, "trips served", [document["served"] for document in shown], "trips")
    _share_rows(table, "trips served without a transfer", [document["direct"] for document in shown])
    table.add_row("mean ride of a served trip", *(f"{card.mean_ride_s / 60:.0f} min" for card in cards))
    without = f"mean journey, {first.rule.unserved_s / 60:g} min if none"
    table.add_row(without, *(f"{card.mean_travel_s / 60:.0f} min" for card in cards))
    table.add_row(f"buses, one every {first.headway_s / 60:g} minutes", *(f"{card.total_buses}" for card in cards))
    table.add_row("routes", *(f"{len(plan.plan)}" for plan in plans))
    table.add_row("all routes, one way", *(f"{card.total_length_m / 1000:.1f} km" for card in cards))
    if first.n_nights > 1:
        table.caption = f"Small: what of, and the 90 % interval over {first.n_nights} nights."
    return table


def _share_rows(table: Table, label: str, measures: Sequence[Mapping[str, Any]], unit: str = "") -> None:
    """Add a share, and below it what it is a share of with the interval over nights; hidden figures stay hidden."""
    shares = [measure["share"] for measure in measures]
    ratio = [f"{shares[0] / shares[1]:.2f}"] if len(shares) > 1 and shares[0] is not None and shares[1] else []
    table.add_row(label, *("hidden" if share is None else f"{share:.1%}" for share in shares), *ratio, style="bold")
    if unit:
        table.add_row(
            f"  of {_count(measures[0]['denominator'])} {unit} a night", *(_interval(measure) for measure in measures), style="dim"
        )


def _interval(measure: Mapping[str, Any]) -> str:
    """Return the interval over nights in percent, or nothing."""
    low, high = measure["low_share"], measure["high_share"]
    return "" if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}%"


def _count(value: float | None) -> str:
    """Return a count of trips or people, hidden ones as a word."""
    return "hidden" if value is None else f"{value:,.0f}"


def routes_table(card: Scorecard) -> Table:
    """Lay out the routes of `card`, one a row: km, minutes, buses and riders a night."""
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
            *(_count(row[name]) for name in ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips")),
        )
    table.caption = (
        "km and minutes one way, the longer direction. Riders a night: who board first here, who change onto it, on its "
        f"fullest link, and whom no other route would serve. Counts below {document['hidden']['min_count']:g} are hidden, and those "
        "that would give one away."
    )
    return table


def records_table(report: DemandReport) -> Table:
    """Lay out what became of the records of `report`: rows by file, then rows by rule."""
    table = empty_table("Records")
    for name in ("file", "kind", "rows", "counted", "as trips too", "rejected"):
        table.add_column(name, justify="left" if name in {"file", "kind"} else "right", overflow="fold")
    for file in report.files:
        numbers = (file.rows_in, file.rows_counted, file.rows_trip, file.rows_rejected)
        table.add_row(file.file.rpartition("/")[2], file.kind, *(f"{number:,}" for number in numbers))
    return table


def rules_table(report: DemandReport) -> Table:
    """Lay out the rules of `report` that rows broke, with the first place and the way out."""
    table = empty_table("What rows broke")
    for name in ("rows", "share", "which", "effect", "first", "what to do"):
        table.add_column(name, justify="right" if name in {"rows", "share"} else "left", overflow="fold")
    for rule in report.rules:
        place = rule.first.rpartition("/")[2]
        table.add_row(f"{rule.rows:,}", f"{rule.rows_share:.1%}", rule.sentence, rule.effect, place, rule.way_out)
    return table


def demand_table(demand: Demand) -> Table:
    """Lay out trips and people of `demand` by hour, mean per night."""
    from owlbus.units import hour_label

    table = empty_table("Demand of a mean night")
    for name in ("hour", "trips", "people"):
        table.add_column(name, justify="right")
    trips, people = demand.trips_by_hour(), demand.presence_by_hour().sum(axis=1)
    for place, hour in enumerate(demand.hours):
        table.add_row(hour_label(hour), f"{float(trips[place].sum()):,.0f}", f"{people[place]:,.0f}")
    table.add_section()
    table.add_row("all", f"{demand.total_trips:,.0f}", f"{demand.total_presence:,.0f}", style="bold")
    return table


def study_document(study: Study) -> dict[str, Any]:
    """Return a study as JSON holds it: hexes, nights, trips and people a night, and what became of records."""
    return {
        "hexes": study.grid.n_hexes,
        "nights": study.demand.n_nights,
        "trips_per_night": round(study.demand.total_trips, 1),
        "presence_per_night": round(study.demand.total_presence, 1),
        "unreachable_trips_share": round(study.unreachable_share, 6),
        "is_synthetic": study.is_synthetic,
        "records": None if study.report is None else study.report.to_json(),
        "network": None if study.network.report is None else study.network.report.to_json(),
    }


def plan_document(plan: Scored) -> dict[str, Any]:
    """Return a plan as JSON holds it: its name and its scorecard, with small counts hidden."""
    return {"name": plan.name, "routes": len(plan.plan), "scorecard": plan.card.to_dict()}
