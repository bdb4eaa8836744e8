"""Service by day type: the demand of its nights, the routes that run, their headways and fleet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import Publisher
from owlbus.common.errors import UsageError, setting
from owlbus.common.text import how_many
from owlbus.demand.hour_profile import with_even_hours
from owlbus.score import coverage_of
from owlbus.score.publish import NO_TRIPS, printed_measure
from owlbus.search.point_counts import PointCounter
from owlbus.search.problem import Problem
from owlbus.timetable import Operation, timetable_document
from owlbus.timetable.day_routes import demand_on, has_too_few, nights_on, routes_on, timetable_on, with_idle_routes
from owlbus.timetable.day_types import SHORT_WEEKDAYS, DayType, days_without_service, parse_day_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from owlbus.demand import Demand
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.score import Coverage
    from owlbus.timetable import Timetable, TimetableReport

DAYS_FILE = "days.json"
"""File of a run directory with the service of each day type."""

SCHEMA_VERSION = 1
_SHORTEST_S = 600


@dataclass(frozen=True, slots=True, eq=False)
class DayService:
    """
    Service of one day type.

    Attributes
    ----------
    day_type
        Its days and policy headway, seconds.
    demand
        Trips and people of its nights, or of all nights where none falls on its days.
    n_nights
        Nights of the records on its days.
    coverage
        Trips served and people near a stop, by the routes that run.
    timetable, report
        Runs of the routes that run, in seconds, and how they were chosen.
    operation
        Settings of the timetable.
    has_too_few
        Whether so few trips or people are counted on its nights that the demand is that of all nights.
    """

    day_type: DayType
    demand: Demand
    n_nights: int
    coverage: Coverage
    timetable: Timetable
    report: TimetableReport
    operation: Operation
    has_too_few: bool = False

    def to_dict(self, publisher: Publisher) -> dict[str, Any]:
        """
        Return what people may read of it.

        Parameters
        ----------
        publisher
            The publishing rule.

        Returns
        -------
        dict
            Days, nights of the records, routes that run, shares 0 to 1, trips a night as they are printed, and the timetable in seconds.
        """
        return {
            "name": self.day_type.name,
            "days": [SHORT_WEEKDAYS[day] for day in self.day_type.days],
            "max_headway_s": self.day_type.max_headway_s,
            "n_nights": self.n_nights,
            **({"is_mean_night": True} if self.has_too_few else {}),
            "uncrowded_fleet": self.report.uncrowded_fleet,
            "routes": list(self.timetable.plan.names),
            "presence": printed_measure(self.coverage.presence, publisher),
            "served": printed_measure(self.coverage.served, publisher) if self.demand.counts_trips else dict(NO_TRIPS),
            "timetable": timetable_document(self.timetable, self.report),
        }


def day_types_of(settings: Mapping[str, Any]) -> tuple[DayType, ...]:
    """
    Day types that a run was planned for.

    Parameters
    ----------
    settings
        Those of ``run.json``.

    Returns
    -------
    tuple of DayType
        With headways in seconds; none for a run for every night alike.
    """
    text = settings.get("days")
    return parse_day_types(text) if isinstance(text, str) else ()


def on_service_days(study: Study, day_types: Sequence[DayType]) -> Study:
    """
    Study of the nights on which buses run.

    Parameters
    ----------
    study
        Grid, demand and network.
    day_types
        Days with service, headways in seconds.

    Returns
    -------
    Study
        With the demand of these nights alone, each night alike; the study itself where nights carry no date.

    Raises
    ------
    UsageError
        If no night of the records falls on any of these days.
    """
    demand = study.demand
    if not day_types or any(night is None for night in demand.nights):
        return study
    nights = sorted({night for day_type in day_types for night in nights_on(demand, day_type)})
    if not nights:
        days = ", ".join(day_type.name for day_type in day_types)
        recorded = ", ".join(sorted({SHORT_WEEKDAYS[night.weekday()] for night in demand.nights if night is not None}))
        msg = f"{setting('days')} names {days}, and the records hold only nights of {recorded}; name days of the records"
        raise UsageError(msg, setting="days")
    return study if len(nights) == demand.n_nights else replace(study, demand=demand.slice(nights=nights))


def day_services(study: Study, plan: Plan, day_types: Sequence[DayType], rule: ServiceRule) -> tuple[DayService, ...]:
    """
    Service of each day type: its routes, headways and runs for the demand of its nights.

    The fleet is that of `owlbus.timetable.day_routes.timetable_on`.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        Routes on the study's network, one at least.
    day_types
        Days and policy headways, seconds.
    rule
        When a trip counts as served.

    Returns
    -------
    tuple of DayService
        In the order of the day types.
    """
    services = []
    for day_type in day_types:
        demand = demand_on(study.demand, day_type, min_count=study.min_count)
        running = routes_on(study.network, demand, plan, day_type, rule, min_count=study.min_count)
        settings = Operation(max_headway_s=day_type.max_headway_s, min_headway_s=min(_SHORTEST_S, day_type.max_headway_s))
        made = (study.network, with_even_hours(demand), running)
        timetable, report, operation = timetable_on(*made, settings, rule, min_count=study.min_count)
        counter = PointCounter.build(Problem.build(study.network, demand, rule), demand)
        coverage = coverage_of(counter, counter.count(running), demand)
        counted = len(nights_on(study.demand, day_type)), coverage, timetable, report, operation
        services.append(DayService(day_type, demand, *counted, has_too_few(study.demand, day_type, min_count=study.min_count)))
    return tuple(services)


def feed_timetables(study: Study, plan: Plan, services: Sequence[DayService]) -> dict[DayType, Timetable]:
    """
    Timetable of each day type on all routes, as a feed takes them.

    Parameters
    ----------
    study
        With the plan's network.
    plan
        All routes.
    services
        Service of each day type.

    Returns
    -------
    dict
        Runs in seconds, by day type.
    """
    return {each.day_type: with_idle_routes(study.network, plan, each.timetable, each.operation) for each in services}


def days_document(study: Study, plan: Plan, services: Sequence[DayService]) -> dict[str, Any]:
    """
    Service by day type as ``days.json`` holds it.

    Parameters
    ----------
    study
        Whose demand is counted.
    plan
        All routes.
    services
        Service of each day type.

    Returns
    -------
    dict
        The fleet in buses, the most of any day type; days without service; routes that run on some days only; and each day type, its
        counts as they are printed.
    """
    publisher = Publisher(study.min_count)
    running = {name: [each.day_type.name for each in services if name in each.timetable.plan.names] for name in plan.names}
    return {
        "schema_version": SCHEMA_VERSION,
        **publisher.facts,
        "fleet": max(each.timetable.fleet for each in services),
        "days_without_service": list(days_without_service(each.day_type for each in services)),
        "some_days_only": {name: days for name, days in running.items() if len(days) < len(services)},
        "day_types": [each.to_dict(publisher) for each in services],
    }


def day_bus_lines(fleets: Mapping[str, tuple[int, int | None]], *, all_ride: bool = True) -> list[str]:
    """
    Sentences on the buses of the day types.

    Parameters
    ----------
    fleets
        Buses of each day type by name, and those with which full buses leave the fewest riders behind, None if unknown.
    all_ride
        Whether riders are all trips served; False where a share of them or a model of choice says who rides.

    Returns
    -------
    list of str
        The most of any day type, and what would leave fewer riders behind.
    """
    named = ", ".join(f"{name} {fleet}" for name, (fleet, _) in fleets.items())
    lines = [f"Buses: {max(fleet for fleet, _ in fleets.values())}, the most of any day type ({named})."]
    more = [f"{how_many(uncrowded, 'bus')} on {name}" for name, (fleet, uncrowded) in fleets.items() if uncrowded and uncrowded > fleet]
    who = "If all trips served ride" if all_ride else "With the riders expected"
    return [*lines, f"{who}, {' and '.join(more)} leave the fewest riders behind full buses."] if more else lines


def too_few_lines(names: Iterable[str]) -> list[str]:
    """
    Sentence on day types with too few trips or people for a demand of their own.

    Parameters
    ----------
    names
        Names of these day types.

    Returns
    -------
    list of str
        One sentence; none without names.
    """
    few = list(names)
    why = f"Too few trips or people are counted on {' or '.join(few)} to have figures of their own"
    return [f"{why}: those of the mean night stand there."] if few else []


class DaySummary:
    """
    Service by day type in words.

    Parameters
    ----------
    document
        As `days_document` returns it.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def to_dict(self) -> dict[str, Any]:
        """
        Return the document.

        Returns
        -------
        dict
            As `days_document` returns it.
        """
        return dict(self._document)

    def __str__(self) -> str:
        """Buses of each day type, routes that run on some days only, days without service, and what each was chosen for."""
        types, idle = self._document["day_types"], self._document["days_without_service"]
        fleets = {each["name"]: (each["timetable"]["fleet"], each["uncrowded_fleet"]) for each in types}
        lines = day_bus_lines(fleets)
        lines += [f"Route {name} runs on {' and '.join(days) or 'no day'} only." for name, days in self._document["some_days_only"].items()]
        if idle:
            lines.append(f"No service on {', '.join(idle)}.")
        unknown = [each["name"] for each in types if not each["n_nights"]]
        if unknown:
            lines.append(f"No night of the records falls on {' or '.join(unknown)}: headways there are those for the mean night.")
        lines += too_few_lines(each["name"] for each in types if each.get("is_mean_night"))
        return "\n".join(lines)
