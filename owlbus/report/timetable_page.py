"""A timetable as one HTML page to print: headways by route and hour, first and last buses, and waits, for each day type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.section_page import Section, Table, privacy_text, section_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.translations import Translations

_NONE = "\N{EN DASH}"


def timetable_page(document: Mapping[str, Any], words: Translations, *, plan: str, is_synthetic: bool) -> str:
    """
    Page on a timetable.

    Parameters
    ----------
    document
        As ``timetable.json`` holds it: seconds, and shares 0 to 1 as they are printed.
    words
        The reader's language.
    plan
        What people call the plan.
    is_synthetic
        Whether the demand is.

    Returns
    -------
    str
        HTML; names from files stand in it as text.
    """
    nights = document.get("day_types", [document])
    sections = [_night_section(night, words) for night in nights]
    if document.get("days_without_service"):
        idle = ", ".join(words.day(day) for day in document["days_without_service"])
        sections.append(Section(words("timetable.idle.title"), lines=(words("timetable.idle", days=idle),)))
    sections.append(_summary_section(nights, words))
    if all("drivers" in night for night in nights):
        sections.append(_driver_section(nights, words))
    few = words("timetable.few")
    sections.append(Section(words("answer.counts"), lines=(few, privacy_text(nights[0]["riders"]["min_count"], words))))
    synthetic = words("synthetic.text") if is_synthetic else ""
    title = words("timetable.title", plan=words.name(plan))
    return section_page(
        title, words("timetable.lede", buses=_fleet(nights)), sections, words, kicker=words("timetable.kicker"), synthetic=synthetic
    )


def _fleet(nights: list[Mapping[str, Any]]) -> int:
    """Buses of the night that needs most."""
    return max(int(night["timetable"]["fleet"]) for night in nights)


def _night_name(night: Mapping[str, Any], words: Translations) -> str:
    """Days of a night in words."""
    return ", ".join(words.day(day) for day in night["days"]) if "days" in night else words("timetable.every")


def _night_section(night: Mapping[str, Any], words: Translations) -> Section:
    """Tables of one night, minutes and percent."""
    figures, riders = night["timetable"], night["riders"]
    hours = tuple(words.hour(hour) for hour in figures["hours"])
    route = words("routes.route")
    is_mixed = "bus_types" in figures
    spans = (*["type"] * is_mixed, "buses", "runs")
    headways = tuple(
        (
            row["name"],
            *[row.get("bus_type", _NONE)] * is_mixed,
            f"{row['buses']}",
            f"{row['runs']}",
            *(_minutes(headway) for headway in row["headway_s"]),
        )
        for row in figures["routes"]
    )
    ends = tuple((row["name"], *(_clock(time) for time in (*row["first"], *row["last"]))) for row in figures["routes"])
    waits = tuple((row["name"], *(_minutes(wait) for wait in row["wait_s"])) for row in riders["routes"])
    full = tuple((row["name"], *(_percent(share, words) for share in row["crowding_share"])) for row in riders["routes"])
    tables = (
        Table(words("timetable.headways"), (route, *(words(f"timetable.{name}") for name in spans), *hours), headways),
        Table(
            words("timetable.ends"),
            (route, *(words(f"timetable.{name}") for name in ("first.ahead", "first.back", "last.ahead", "last.back"))),
            ends,
            note=words("timetable.ends.note"),
        ),
        Table(words("timetable.waits"), (route, *hours), waits),
        Table(words("timetable.crowding"), (route, *hours), full),
    )
    return Section(_night_name(night, words), tables=(*tables, *_type_tables(figures, words), *_safety_tables(night, words)))


def _type_tables(figures: Mapping[str, Any], words: Translations) -> tuple[Table, ...]:
    """Bus types in kilometres, hours and money; nothing where all buses are alike."""
    if "bus_types" not in figures:
        return ()
    cost, left = figures["cost"], None if figures["choice"] is None else figures["choice"]["left_behind_trips"]
    names = ("type", "capacity", "buses", "available", "routes", "km", "hours")
    head = (*(words(f"timetable.{name}") for name in names), words("timetable.types.cost", currency=cost["currency"]))
    columns = ("capacity", "buses", "available", "routes", "vehicle_km", "vehicle_hours", "cost")
    rows = tuple((row["type"], *(words.number(row[name]) for name in columns)) for row in figures["bus_types"])
    notes = [] if left is None else [words("timetable.types.left", n=words.number(left))]
    if "budget" in cost:
        notes.append(words("timetable.types.budget", cost=words.number(cost["budget"]), currency=cost["currency"]))
    return (Table(words("timetable.types"), head, rows, note=" ".join(notes)),)


def _safety_tables(night: Mapping[str, Any], words: Translations) -> tuple[Table, ...]:
    """The night-safety sheet by group, in minutes, metres and percent; nothing where there are no groups."""
    rows = night.get("safety_by_group", ())
    if not rows:
        return ()
    names = ("group", "hexes", "people", "walk", "first", "last", "home", "wait", "within")
    cells = tuple(
        (
            row["group"],
            words("timetable.safety.hexes.of", n=row["n_hexes_reached"], all=row["n_hexes"]),
            _percent(row["presence_share"], words),
            _NONE if row["walk_m"] is None else words.number(row["walk_m"]),
            *(_clock(row[what]) for what in ("first", "last_from", "last_home")),
            _minutes(row["longest_wait_s"]),
            _percent(row["within_30_min_share"], words),
        )
        for row in rows
    )
    head = tuple(words(f"timetable.safety.{name}") for name in names)
    return (Table(words("timetable.safety"), head, cells, note=words("timetable.safety.note")),)


def _summary_section(nights: list[Mapping[str, Any]], words: Translations) -> Section:
    """The nights side by side, each with the reference, in minutes, kilometres and percent."""
    columns: list[tuple[str, Mapping[str, Any]]] = []
    for night in nights:
        columns.append((_night_name(night, words), night))
        if night["reference"] is not None:
            columns.append((words("timetable.reference"), night["reference"]))
    cells = [_figures(night, words) for _, night in columns]
    rows = tuple((label, *(cell[label] for cell in cells)) for label in cells[0])
    return Section(words("timetable.summary"), tables=(Table(words("timetable.summary"), ("", *(name for name, _ in columns)), rows),))


def _driver_section(nights: list[Mapping[str, Any]], words: Translations) -> Section:
    """Drivers and hours of each night, and the rules that their duties keep."""
    names = ("drivers", "paid_hours", "driving_hours", "longest_duty_hours")
    rows = tuple(
        (_night_name(night, words), *(words.number(night["drivers"][name], 0 if name == "drivers" else 1) for name in names))
        for night in nights
    )
    rules = nights[0]["drivers"]["rules"]
    hours = {name: f"{rules[f'max_{name}_s'] / 3600:g}" for name in ("duty", "driving", "stretch")}
    note = words(
        "timetable.drivers.rules", **hours, pause=f"{rules['break_s'] / 60:g}", relief=words(f"timetable.relief.{rules['relief']}")
    )
    if not all(night["drivers"]["is_optimal"] for night in nights):
        note = f"{note} {words('timetable.drivers.unproven')}"
    head = (words("timetable.night"), *(words(f"timetable.{name}") for name in names))
    return Section(words("timetable.drivers.title"), tables=(Table(words("timetable.drivers.title"), head, rows, note=note),))


def _figures(night: Mapping[str, Any], words: Translations) -> dict[str, str]:
    """Return figures of a night by name."""
    figures, riders = night["timetable"], night["riders"]
    cost = figures["cost"]
    return {
        words("compare.routes"): words.number(len(figures["routes"])),
        words("compare.total_buses"): words.number(figures["fleet"]),
        words("timetable.runs"): words.number(figures["runs"]),
        words("timetable.km"): words.number(figures["vehicle_km"]),
        words("timetable.hours"): words.number(figures["vehicle_hours"]),
        _cost_label(cost, words): words.number(cost["total"]),
        **{words(f"timetable.{name}"): _spread(riders, name, words) for name in ("wait", "ride", "total")},
        **{words("timetable.within", min=int(limit) // 60): _percent(share, words) for limit, share in riders["within_share"].items()},
    }


def _cost_label(cost: Mapping[str, Any], words: Translations) -> str:
    """Name of the cost of a night, with its unit costs where all buses have the same."""
    if "per_km" not in cost:
        return words("timetable.types.cost", currency=cost["currency"])
    units = {name: f"{cost[f'per_{name}']:g}" for name in ("km", "hour", "bus")}
    return words("timetable.cost", currency=cost["currency"], **units)


def _spread(riders: Mapping[str, Any], name: str, words: Translations) -> str:
    """Mean and 90th percentile in minutes."""
    mean, p90 = riders[f"{name}_mean_s"], riders[f"{name}_p90_s"]
    return _NONE if mean is None or p90 is None else words("timetable.spread", mean=_minutes(mean), p90=_minutes(p90))


def _minutes(seconds: float | None) -> str:
    """Return whole minutes; a dash for none."""
    return f"{seconds / 60:.0f}" if seconds else _NONE


def _clock(time: str | None) -> str:
    """Return hours and minutes of the service night; a dash for none."""
    return _NONE if time is None else time[:5]


def _percent(share: float | None, words: Translations) -> str:
    """Return a share as a percent; a dash for none."""
    return _NONE if share is None else words.percent(share, 0)
