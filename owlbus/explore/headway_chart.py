"""Headways of a plan by route and hour, waits, and the runs of each route as a string-line diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.explore.help_words import help_text
from owlbus.network.latin_names import display_name
from owlbus.pipeline.day_services import day_services, feed_timetables
from owlbus.pipeline.outputs import timetable_of_plan
from owlbus.report.translations import read_translations
from owlbus.timetable import rider_service, timetable_document
from owlbus.timetable.day_types import SHORT_WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.network import Network
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable import DayType, Timetable


def headway_chart(
    study: Study,
    plan: Plan,
    n_buses: int,
    headway_s: int,
    rule: ServiceRule,
    keys: Sequence[str],
    language: str = "en",
    day_types: Sequence[DayType] = (),
) -> dict[str, Any]:
    """
    Timetable of a plan as the page draws it: the one that is written with the plan when it is saved.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        The plan, of one route at least.
    n_buses
        Fleet of the scorecard.
    headway_s
        Headway in seconds that it is counted for.
    rule
        When a trip counts as served.
    keys
        What the page calls each route.
    language
        Of the names of stops, ``en`` or ``ko``.
    day_types
        Days of the week with headways of their own, seconds; none for every night alike.

    Returns
    -------
    dict
        With day types, the figures of the first one, and ``days`` of each route with the headways of each; a ``note`` says so.
        ``hours``; ``routes`` with headways and mean waits by hour in minutes, None over too few riders; ``string_line`` by route:
        ``stops`` with metres from the first one, and ``runs`` with the seconds of the service night at which each leaves the stops, those
        ``back`` in reverse order; and totals of the night.
    """
    if day_types:
        services = day_services(study, plan, day_types, rule)
        day, timetables = services[0], feed_timetables(study, plan, services)
        timetable, report, operation = timetables[day.day_type], day.report, day.operation
        riders = rider_service(study.network, day.demand, day.timetable, operation, rule).to_dict(study.min_count)
        more = {"note": help_text(language, "headways.days", days=day_names(day.day_type, language))}
    else:
        timetables = {}
        timetable, report, operation = timetable_of_plan(study, plan, n_buses, headway_s)
        riders = rider_service(study.network, study.demand, timetable, operation, rule).to_dict(study.min_count)
        more = {}
    figures = timetable_document(timetable, report)
    waits = {row["name"]: row for row in riders["routes"]}
    idle = {"wait_s": [None] * len(timetable.hours), "crowding_share": [None] * len(timetable.hours)}
    rows = enumerate(zip(keys, figures.pop("routes"), strict=True))
    routes = [_route_row(key, row, waits.get(row["name"], idle)) | _day_rows(timetables, k, language) for k, (key, row) in rows]
    means = {name: riders[name] for name in ("wait_mean_s", "wait_p90_s", "ride_mean_s", "total_mean_s", "min_count", "counts")}
    lines = {key: _string_line(study.network, timetable, k, language) for k, key in enumerate(keys)}
    return {**figures, **means, **more, "routes": routes, "string_line": lines}


def _route_row(key: str, row: Mapping[str, Any], waits: Mapping[str, Any]) -> dict[str, Any]:
    """Return headways and waits of a route, minutes."""
    return {
        "id": key,
        **row,
        "headways": [_minutes(seconds) for seconds in row["headway_s"]],
        "waits": [_minutes(seconds) for seconds in waits["wait_s"]],
        "wait_s": waits["wait_s"],
        "crowding_share": waits["crowding_share"],
    }


def _day_rows(timetables: Mapping[DayType, Timetable], k: int, language: str) -> dict[str, Any]:
    """Return headways of a route by day type, minutes, under ``days``; nothing where every night is alike."""
    if not timetables:
        return {}
    rows = [(day_names(day_type, language), table.headway_s[2 * k].tolist()) for day_type, table in timetables.items()]
    return {"days": [{"name": name, "headways": [_minutes(seconds) for seconds in headways]} for name, headways in rows]}


def day_names(day_type: DayType, language: str) -> str:
    """
    Days of a day type in words.

    Parameters
    ----------
    day_type
        Days of the week.
    language
        ``en`` or ``ko``.

    Returns
    -------
    str
        Joined by commas.
    """
    words = read_translations(language)
    return ", ".join(words.day(SHORT_WEEKDAYS[day]) for day in day_type.days)


def _minutes(seconds: float | None) -> float | None:
    """Return minutes to a tenth; None for a headway or wait that there is none of."""
    return None if not seconds else round(seconds / 60, 1)


def _string_line(network: Network, timetable: Timetable, k: int, language: str) -> dict[str, Any]:
    """Return the stops of a route by distance, and the times of its runs at them; none of a way back by other stops."""
    ahead, back = (timetable.directions[2 * k + way] for way in (0, 1))
    is_reverse = back.stops.tolist() == ahead.stops.tolist()[::-1]
    runs = [{"back": False, "times": (start + ahead.times_s(start)[1]).tolist()} for start in timetable.starts_s(2 * k).tolist()]
    if is_reverse:
        runs += [{"back": True, "times": (start + back.times_s(start)[1]).tolist()} for start in timetable.starts_s(2 * k + 1).tolist()]
    return {
        "name": timetable.plan.names[k],
        "stops": [
            {"name": display_name(network, stop, language, short=True), "at_m": metres}
            for stop, metres in zip(ahead.stops.tolist(), ahead.at_m.tolist(), strict=True)
        ],
        "runs": runs,
    }
