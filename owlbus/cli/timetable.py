"""`owlbus timetable`: build the timetable of a plan."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.cost_options import CostOptions, costs_of
from owlbus.cli.day_nights import DayNight, day_type_lines, nights_document, nights_pages, reference_lines
from owlbus.cli.driver_options import DriverOptions, driver_rules, duties_csv, with_duties
from owlbus.cli.messages import Gives
from owlbus.cli.night_tables import Night
from owlbus.cli.operation_options import RUN, OperationOptions, operation_settings, operations_of
from owlbus.cli.option_values import is_flag, require_language, require_no_files, require_snap, require_timezone, rule_of
from owlbus.cli.options import AGENCY_TIMEZONE, FEED, LANG, OUT, REFERENCE, SNAP, FeedPlanOptions, OutputOptions, RuleOptions, option
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import PlanReader, feed_modes, feed_of_plan, is_feed, plan_file, plan_name, require_feed, run_beside
from owlbus.cli.safety_files import group_csv, groups_of, safety_csv, safety_of
from owlbus.cli.session import SYNTHETIC, reference_of, settings_of_run, sources_or_run, study_of, warn
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.cli.vehicle_files import vehicles_csv
from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.gtfs import FeedCheck, FeedInfo
    from owlbus.gtfs.services import Timetables
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable import Operation, Timetable, TimetableReport, UnitCosts
    from owlbus.timetable.day_types import DayType


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Metadata and form of the GTFS feed."""

    agency: Annotated[str, option(FEED, "--agency", unit="NAME", text="Name of the agency.")] = "Night bus plan"
    agency_url: Annotated[str, option(FEED, "--agency-url", unit="URL", text="Website of the agency.")] = "https://example.org/night-bus"
    agency_timezone: Annotated[str | None, AGENCY_TIMEZONE] = None
    start_date: Annotated[
        str | None, option(FEED, "--start-date", unit="DATE", text="First night. Default: the Monday after the demand's last night.")
    ] = None
    frequencies: Annotated[
        bool, option(FEED, "--frequencies", text="Write runs at even headways to frequencies.txt: a shorter feed, without vehicle blocks.")
    ] = False


def timetable(
    *,
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or a GTFS feed, whose timetable is measured.")
    ],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records of calls or taxi rides.")] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Use demand and network of an earlier run instead of FILES.")
    ] = None,
    operation: OperationOptions,
    choice: Annotated[
        str | None,
        option(RUN, "--choice", unit="FILE", text="Who rides, as owlbus calibrate writes it (choice.json), in place of --uptake."),
    ] = None,
    drivers: DriverOptions,
    costs: CostOptions,
    feed: FeedOptions,
    given_feed: FeedPlanOptions,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP, Gives("max_snap_m")] = MAX_SNAP_M,
    output_options: OutputOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus timetable run --fleet 45 --out tonight[/bold], or [bold]owlbus timetable routes.geojson --run run[/bold]

    Build the timetable of a plan: headways by route and hour, buses, waits, crowding, last buses, a GTFS feed, and timetable.html to print.
    The reference plan gets one headway, the shortest that as many buses can run; where they are too few for any, it gets more.
    """
    require_no_files(from_run, files)
    _require_read(max_snap, given_feed, (plan, reference), feed.agency_timezone, lang)
    of_drivers, file, beside = driver_rules(drivers), plan_file(plan), run_beside([plan])
    operation = _with_days_of_run(operation, file, beside)
    operations, served, start = operations_of(operation, choice), rule_of(rule), _start_of(feed)
    unit_costs = costs_of(costs, next(iter(operations.values())).bus_types)
    sources, from_run = sources_or_run(from_run, beside, files, (area, demand, network), feed_of_plan(plan))
    with open_output(output_options) as output:
        study = study_of(sources, from_run, None)
        warn(output, study)
        feed_info = None if out is None else _feed_of(study, feed, start)
        reader = PlanReader(study, max_snap, output.say, given_feed, feed_modes(sources, from_run))
        given = reader.read_feed(file) if is_feed(file) else reader.read(plan)
        rules = operations, groups_of(study, operation.by)
        nights = with_duties(_nights(study, plan_name(plan), given, rules, served, unit_costs, reference_of(reader, reference)), of_drivers)
        document, check = nights_document(nights) | reader.facts, None
        if out is not None and feed_info is not None:
            more: dict[str, Any] = {"operation": operation_settings(operations), "costs": asdict(unit_costs), "reference": reference}
            more |= {"frequencies": feed.frequencies, "agency_timezone": feed.agency_timezone, "is_synthetic": study.is_synthetic}
            more |= {} if of_drivers is None else {"drivers": asdict(of_drivers)}
            values = settings_of_run(sources, None, plan=plan, run=from_run, **more, **reader.facts)
            check = _write(out, study, nights, document, (feed_info, feed.frequencies), values, (plan_name(plan), lang))
    pages = nights_pages(nights, with_safety=operation.asks_for_groups or output.is_verbose)
    output.show({"command": "timetable", **document, "gtfs": None if check is None else asdict(check)}, *pages)
    said = [*day_type_lines(nights), *reference_lines(nights)]
    if check is not None and feed_info is not None:
        said += _written_lines(nights, check, feed_info, str(out))
    for line in (*said, *([SYNTHETIC] if study.is_synthetic else [])):
        output.say(line)


def _require_read(max_snap: float, given: FeedPlanOptions, plans: tuple[str | None, ...], timezone: str | None, lang: str) -> None:
    """Refuse what can be refused before anything is read."""
    require_snap(max_snap)
    require_feed(given, plans)
    require_timezone(timezone)
    require_language(lang)


def _with_days_of_run(options: OperationOptions, file: Path, beside: str | None) -> OperationOptions:
    """Return the options with the day types of the run that holds the plan, unless others are given; refuse them for a feed."""
    from owlbus.pipeline.run_json import RUN_FILE, read_run

    if is_feed(file):
        for name, flag, way in (("days", "--days", ", or choose a night with --day"), ("bus_types", "--bus-types", "")):
            if getattr(options, name) is not None:
                msg = f"{file}: is a feed, whose timetable is read as it is, and {flag} builds one; leave {flag} out{way}"
                raise UsageError(msg, setting=name, value=getattr(options, name))
        return options
    if options.days is not None or options.max_headway is not None or beside is None or not (Path(beside) / RUN_FILE).is_file():
        return options
    return replace(options, days=read_run(beside)["settings"].get("days"))


def _start_of(options: FeedOptions) -> dt.date | None:
    """Return the first night, or None if the option is not set."""
    try:
        return None if options.start_date is None else dt.date.fromisoformat(options.start_date)
    except ValueError:
        msg = f"--start-date must read YYYY-MM-DD, got {options.start_date!r}"
        raise UsageError(msg) from None


def _feed_of(study: Study, options: FeedOptions, start: dt.date | None) -> FeedInfo:
    """Return the metadata of the feed; dates and time zone are the study's if the options do not set them."""
    from owlbus.pipeline.outputs import feed_of

    settings = feed_of(study, options.agency_timezone)
    if start is not None:
        settings = replace(settings, start_date=start, end_date=start + (settings.end_date - settings.start_date))
    return replace(settings, agency=options.agency, agency_url=options.agency_url)


def _nights(
    study: Study,
    name: str,
    given: Timetable | Plan,
    settings: tuple[Mapping[DayType | None, Operation], NDArray[np.str_] | None],
    rule: ServiceRule,
    costs: UnitCosts,
    reference: tuple[str, Plan] | None,
) -> list[DayNight]:
    """Return the night of each day type on the demand of its nights, and that of the reference beside it."""
    from owlbus.timetable.day_routes import demand_on, has_too_few, nights_on

    nights, (operations, groups) = [], settings
    for day_type, asked in operations.items():
        on_days = study if day_type is None else replace(study, demand=demand_on(study.demand, day_type, min_count=study.min_count))
        table, operation, for_feed = _made(on_days, given, day_type, (asked, groups), rule, costs)
        label = "" if day_type is None else f", {day_type.name}"
        night = _night(on_days, name + label, table, operation, rule, costs)
        other = None if reference is None else (f"{reference[0]}, one headway{label}", reference[1])
        n_nights = 0 if day_type is None else len(nights_on(study.demand, day_type))
        reference_night = _reference_night(on_days, night, other, operation, rule)
        is_mean = day_type is not None and has_too_few(study.demand, day_type, min_count=study.min_count)
        nights.append(DayNight(day_type, night, reference_night, n_nights, for_feed, safety_of(on_days, night, groups), is_mean))
    return nights


def _made(
    study: Study,
    given: Timetable | Plan,
    day_type: DayType | None,
    settings: tuple[Operation, NDArray[np.str_] | None],
    rule: ServiceRule,
    costs: UnitCosts,
) -> tuple[tuple[Timetable, TimetableReport | None], Operation, Timetable | None]:
    """Return the timetable of the routes that run, its settings, and the one on all routes if that is another."""
    from owlbus.timetable import Timetable, build_timetable
    from owlbus.timetable.day_routes import routes_on, timetable_on, with_idle_routes
    from owlbus.timetable.day_types import require_route_counts

    operation, groups = settings
    if isinstance(given, Timetable):
        return (given, None), operation, None
    network, demand = study.network, study.demand
    more: dict[str, Any] = {"min_count": study.min_count, "groups": groups, "costs": costs}
    if day_type is None:
        return build_timetable(network, demand, given, operation, rule, **more), operation, None
    if is_flag("days"):
        require_route_counts([day_type], len(given))
    running = routes_on(network, demand, given, day_type, rule, min_count=study.min_count)
    table, report, operation = timetable_on(network, demand, running, operation, rule, **more)
    idle = None if running is given else with_idle_routes(network, given, table, operation)
    return (table, report), operation, idle


def _night(
    study: Study, name: str, made: tuple[Timetable, TimetableReport | None], settings: Operation, rule: ServiceRule, costs: UnitCosts
) -> Night:
    """Return a timetable with the journeys of its riders."""
    from owlbus.timetable import rider_service

    riders = rider_service(study.network, study.demand, made[0], settings, rule)
    return Night(name, *made, riders, costs, settings.published_base(study.min_count))


def _reference_night(
    study: Study, night: Night, reference: tuple[str, Plan] | None, settings: Operation, rule: ServiceRule
) -> Night | None:
    """Build the timetable of the reference with one headway and as many buses as the plan, or as the longest headway needs."""
    from owlbus.common.errors import InfeasibleError
    from owlbus.timetable import build_timetable

    if reference is None:
        return None
    equal = replace(
        settings, fleet=settings.fleet or night.table.fleet, equal_headways=True, max_wait_s=None, min_departures=0, budget=None
    )
    build = partial(build_timetable, study.network, study.demand, min_count=study.min_count, costs=night.costs)
    try:
        made = build(reference[1], equal, rule)
    except InfeasibleError:
        equal = equal.with_free_fleet()
        made = build(reference[1], equal, rule)
    return _night(study, reference[0], made, equal, rule, night.costs)


def _timetables(nights: Sequence[DayNight]) -> Timetables:
    """Return the timetable of every night, or those of the day types."""
    by_type = {day.day_type: day.for_feed or day.night.table for day in nights if day.day_type is not None}
    return by_type or nights[0].night.table


def _written_lines(nights: Sequence[DayNight], check: FeedCheck, feed: FeedInfo, out: str) -> list[str]:
    """Return sentences on what was written, on the nights in which the clocks change, and of the validator."""
    from owlbus.gtfs.services import clock_notes

    more = ", duties.csv" * (nights[0].night.duties is not None) + ", vehicles.csv" * bool(nights[0].night.table.bus_types)
    written = f"gtfs.zip, timetable.html, timetable.json, night_safety.csv, tables.xlsx{more}"
    notes = [f"note: {line}" for line in clock_notes(_timetables(nights), feed)]
    return [f"Feed: {check}. Written to {out}: {written}.", *notes, *check.lines]


def _write(
    out: str,
    study: Study,
    nights: Sequence[DayNight],
    document: dict[str, Any],
    feed: tuple[FeedInfo, bool],
    settings: dict[str, Any],
    page: tuple[str, str],
) -> FeedCheck:
    """Write feed, figures, tables, night-safety sheet and page, plan's name and language, to a run directory; return the validation."""
    from owlbus.gtfs import check_gtfs, write_gtfs
    from owlbus.gtfs.services import first_full_night
    from owlbus.pipeline.run_tables import write_tables
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.report.sheets import timetable_sheet
    from owlbus.report.timetable_page import timetable_page
    from owlbus.report.translations import read_translations
    from owlbus.timetable import timetable_document

    with open_run_dir(out) as run:
        path = run.stage("gtfs.zip")
        tables = _timetables(nights)
        write_gtfs(path, study.network, tables, feed[0], frequencies=feed[1])
        check = check_gtfs(path, first_full_night(tables, feed[0]))
        run.write_bytes("plan.geojson", plan_geojson(study.network, nights[0].night.table.plan))
        run.write_json("timetable.json", document | {"gtfs": asdict(check)})
        html = timetable_page(document, read_translations(page[1]), plan=page[0], is_synthetic=study.is_synthetic)
        run.write_bytes("timetable.html", html.encode())
        run.write_bytes("night_safety.csv", safety_csv(study, nights))
        if nights[0].safety:
            run.write_bytes("night_safety_groups.csv", group_csv(nights))
        if nights[0].night.duties is not None:
            run.write_bytes("duties.csv", duties_csv(nights, study.network.stop_names))
        if nights[0].night.table.bus_types:
            run.write_bytes("vehicles.csv", vehicles_csv(nights))
        by_day = {"" if day.day_type is None else day.day_type.name: timetable_document(day.night.table) for day in nights}
        write_tables(run, study, [timetable_sheet(by_day)])
        run.publish(RunRecord("timetable", settings, None, study.inputs, None, study.timings_s, min_count=study.min_count))
    return check
