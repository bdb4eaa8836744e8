"""Results as tables for the terminal: plans, routes and records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from owlbus.cli.messages import in_flags
from owlbus.cli.output import empty_table
from owlbus.common.disclosure import count_text
from owlbus.common.text import file_name, how_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.common.disclosure import Publisher
    from owlbus.demand import Demand
    from owlbus.pipeline import ScoredPlan, Study
    from owlbus.records.recognised import RecognisedFile
    from owlbus.score import Scorecard


_KINDS = {"taxi": "taxi rides", "calls": "calls", "presence": "counts of people"}

_WIDE_RANGE = 0.1
"""Width of the range that the printed counts leave open from which it stands beside a share."""

_PARTS = re.compile(r"parts of it by (\w+)")


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
    _share_rows(table, f"people within {first.walk_m:g} m of a stop", [document["presence"] for document in shown], people, shown[0])
    if city_share is not None:
        table.add_row("  as the city states it", *("" for _ in plans[1:]), f"{city_share:.0%}", style="dim")
    counted = _PARTS.search(first.walk_rule)
    what = f"parts of hexagons, by {counted[1]}" if counted else "area of hexagons" if " area " in first.walk_rule else "hexagons"
    table.add_row(f"  {what}, of {study.grid.n_hexes:,}", *(f"{card.hexes_share:.1%}" for card in cards), style="dim")
    if first.trips_counted:
        _share_rows(table, "trips served", [document["served"] for document in shown], "trips", shown[0])
        _share_rows(table, "trips served without a transfer", [document["direct"] for document in shown])
    else:
        table.add_row("trips served, none counted", *("\u2013" for _ in cards), style="bold")
    table.add_row("mean ride of a served trip", *(_minutes(document["mean_ride_s"]) for document in shown))
    without = f"mean journey, {first.rule.unserved_s / 60:g} min if none"
    table.add_row(without, *(_minutes(document["mean_travel_s"]) for document in shown))
    _service_rows(table, cards, [document.get("carried") for document in shown])
    table.add_row("routes", *(f"{len(plan.plan)}" for plan in plans))
    table.add_row("all routes, one way", *(f"{card.total_length_m / 1000:.1f} km" for card in cards))
    intervals = f" Small: denominators, and 90 % intervals over {first.n_nights} nights." if first.n_nights > 1 else ""
    table.caption = f"{counts_caption(shown[0])}{intervals}"
    return table


def _service_rows(table: Table, cards: Sequence[Scorecard], carried: Sequence[Mapping[str, Any] | None]) -> None:
    """Add rows of trips carried and of waits, a dash for a plan that the fleet cannot run; of buses if the first plan has none of them."""
    first = carried[0]
    if first is None:
        table.add_row(f"buses, one every {cards[0].headway_s / 60:g} minutes", *(f"{card.total_buses}" for card in cards))
        return
    fleet = first["service"]["fleet"]
    shares = [None if each is None else each["share"] for each in carried]
    ratio = [f"{shares[0] / shares[1]:.2f}"] if len(shares) > 1 and shares[0] is not None and shares[1] else []
    table.add_row(
        f"trips carried by {how_many(fleet, 'bus')}",
        *("\u2013" if each is None else _share_text(each) for each in carried),
        *ratio,
        style="bold",
    )
    for label, key in (("mean wait of those carried", "mean_wait_s"), ("nine of ten wait at most", "p90_wait_s")):
        table.add_row(f"  {label}", *(_minutes(None if each is None else each[key]) for each in carried), style="dim")


def counts_caption(document: Mapping[str, Any]) -> str:
    """Return a sentence on how the counts of a document are printed, from its ``counts``."""
    return f"Counts are {document['counts']}."


def _share_rows(
    table: Table, label: str, measures: Sequence[Mapping[str, Any]], unit: str = "", facts: Mapping[str, Any] | None = None
) -> None:
    """Add a row of shares, and one of denominators and intervals over nights as they are printed."""
    shares = [measure["share"] for measure in measures]
    ratio = [f"{shares[0] / shares[1]:.2f}"] if len(shares) > 1 and shares[0] is not None and shares[1] else []
    table.add_row(label, *map(_share_text, measures), *ratio, style="bold")
    if unit:
        table.add_row(
            f"  of {count_text(measures[0]['denominator'], (facts or {}).get('min_count', 0))} {unit} a night",
            *(_interval(measure) for measure in measures),
            style="dim",
        )


def _share_text(measure: Mapping[str, Any]) -> str:
    """Return a share in percent, of a small town with the range that the printed counts leave open; else `too few`."""
    share, between = measure["share"], measure.get("range_share")
    if share is None:
        return "too few"
    if between is None or between[1] - between[0] < _WIDE_RANGE:
        return f"{share:.1%}"
    return f"{share:.0%} ({100 * between[0]:.0f} to {between[1]:.0%})"


def _minutes(time_s: float | None) -> str:
    """Return a time in minutes, or a dash where it is unknown."""
    return "\u2013" if time_s is None else f"{time_s / 60:.0f} min"


def _interval(measure: Mapping[str, Any]) -> str:
    """Return the interval over nights in percent, or an empty text."""
    low, high = measure["low_share"], measure["high_share"]
    return "" if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}%"


def without_stop(card: Scorecard) -> list[str]:
    """
    Line on the districts of which nobody is within the walk of a stop.

    Parameters
    ----------
    card
        Scorecard of the plan; shares 0 to 1.

    Returns
    -------
    list of str
        Empty if there is none.
    """
    from owlbus.score.fairness import without_stop_text

    document = card.to_dict()
    text = without_stop_text(document.get("fairness", {}).get("unserved", []), document["min_count"])
    return [text] if text else []


def routes_table(card: Scorecard) -> Table:
    """Return a table of the routes of `card`: km, minutes, buses and riders a night."""
    table = empty_table("Routes")
    for name in ("route", "stops", "km", "min", "buses", "boardings", "changes", "fullest", "alone"):
        is_name = name == "route"  # long names wrap, numbers never
        table.add_column(name, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    document = card.to_dict()
    for row in document["routes"]:
        table.add_row(
            row["name"],
            f"{row['n_stops']}",
            f"{row['length_m'] / 1000:.1f}",
            f"{row['ride_s'] / 60:.0f}",
            f"{row['buses']}",
            *(
                count_text(row[name], document["min_count"]) if card.trips_counted else "\u2013"
                for name in ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips")
            ),
        )
    table.caption = (
        "km and minutes one way, the longer direction. Riders a night: first boardings, transfers to it, riders on its "
        f"fullest link, and trips that no other route serves. {counts_caption(document)}"
    )
    return table


def records_table(report: Mapping[str, Any]) -> Table:
    """Return a table of the records of a printed `report`: rows counted and rejected, by file."""
    table = empty_table("Records")
    for name in ("file", "kind", "rows", "counted", "as trips too", "rejected"):
        table.add_column(name, justify="left" if name in {"file", "kind"} else "right", overflow="fold")
    for file in report["files"]:
        counts = [count_text(file[name], report["min_count"]) for name in ("rows_counted", "rows_trip")]
        table.add_row(file_name(file["file"]), file["kind"], f"{file['rows_in']:,}", *counts, f"{file['rows_rejected']:,}")
    table.caption = f"{counts_caption(report)} Rows rejected are exact."
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


def rules_table(report: Mapping[str, Any]) -> Table:
    """Return a table of the rules of a printed `report` that rows broke, with the first such row and the remedy."""
    from owlbus.records.validation import RULES

    table = empty_table("Rules that rows broke")
    for name in ("rows", "share", "which", "effect", "first", "what to do"):
        table.add_column(name, justify="right" if name in {"rows", "share"} else "left", overflow="fold")
    way_out = {rule.name: rule.way_out for rule in RULES}
    for rule in report["rules"]:
        place, rows = file_name(rule["first"] or ""), count_text(rule["rows"], report["min_count"])
        table.add_row(rows, f"{rule['rows_share']:.1%}", rule["sentence"], rule["effect"], place, in_flags(way_out[rule["name"]]))
    return table


def demand_table(demand: Demand, publisher: Publisher) -> Table:
    """Return a table of trips and people of `demand` by hour, means per night, as the `publisher` prints them."""
    from owlbus.common.units import hour_label

    table = empty_table("Demand of a mean night")
    for name in ("hour", "trips", "people"):
        table.add_column(name, justify="right")
    trips = demand.trips_by_hour().tolist() if demand.counts_trips and demand.hours_known else [None] * len(demand.hours)
    has_people = demand.people_counted or demand.hours_known
    people = demand.presence_by_hour().sum(axis=1).tolist() if has_people else [None] * len(demand.hours)
    for hour, n_trips, n_people in zip(demand.hours, trips, people, strict=True):
        cells = (_figure(value, publisher) if value is None or publisher.is_enough(value) else "too few" for value in (n_trips, n_people))
        table.add_row(hour_label(hour), *cells)
    table.add_section()
    total_trips = _figure(demand.total_trips if demand.counts_trips else None, publisher)
    if demand.people_counted:
        table.add_row("all", total_trips, f"{publisher.text(demand.person_hours)} person-hours", style="bold")
        table.add_row("mean hour", "", _figure(demand.total_presence, publisher), style="bold")
    else:
        table.add_row("all", total_trips, _figure(demand.total_presence, publisher), style="bold")
    table.caption = counts_caption(publisher.facts)
    return table


def _figure(value: float | None, publisher: Publisher) -> str:
    """Return a count as it is printed, or a dash where it is unknown."""
    return "\u2013" if value is None else publisher.text(value)


def demand_document(demand: Demand, publisher: Publisher) -> dict[str, Any]:
    """Return printed totals of `demand` as JSON values, means per night: trips, None if none were counted, and people."""
    document: dict[str, Any] = {
        **publisher.facts,
        "trips_per_night": publisher.count(demand.total_trips) if demand.counts_trips else None,
        "presence_per_night": publisher.count(demand.total_presence),
    }
    if demand.people_counted:
        document["person_hours_per_night"] = publisher.count(demand.person_hours)
    return document if demand.hours_known else document | {"hours_known": False}


def study_document(study: Study) -> dict[str, Any]:
    """Return a study as JSON values: hexes, nights, trips and people a night, records and network."""
    return {
        "hexes": study.grid.n_hexes,
        "nights": study.demand.n_nights,
        **demand_document(study.demand, study.publisher),
        "unreachable_trips_share": study.printed_unreachable_share,
        "is_synthetic": study.is_synthetic,
        "records": None if study.report is None else study.report.to_json(study.publisher),
        "network": None if study.network.report is None else study.network.report.to_json(),
    }


def plan_document(plan: ScoredPlan) -> dict[str, Any]:
    """Return a plan as JSON values: name and scorecard, counts as they are printed."""
    return {"name": plan.name, "routes": len(plan.plan), "scorecard": plan.card.to_dict()}
