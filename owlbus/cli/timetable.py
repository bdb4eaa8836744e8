"""`owlbus timetable`: build the timetable of a plan."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_no_files, require_snap, rule_of
from owlbus.cli.options import OUT, REFERENCE, SNAP, FeedPlanOptions, OutputOptions, RuleOptions, option
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import feed_of_plan, is_feed, plan_file, plan_name, read_drawn_plan, read_feed_plan, require_feed, run_beside
from owlbus.cli.session import SYNTHETIC, reference_of, settings_of_run, sources_or_run, study_of, warn
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.cli.tables import Night, night_pages, side_by_side_page
from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from owlbus.cli.output import Output
    from owlbus.gtfs import FeedCheck, FeedInfo
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable import Operation, Timetable, TimetableReport, UnitCosts

_RUN, _COST, _FEED = "Operation", "Cost", "GTFS feed"


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """Fleet, headways, vehicles and layovers."""

    fleet: Annotated[
        int | None, option(_RUN, "--fleet", unit="BUSES", text="Number of buses. Default: the fewest that keep --max-headway.")
    ] = None
    max_headway: Annotated[
        float,
        option(_RUN, "--max-headway", unit="MINUTES", text="Policy headway: the longest one allowed."),
        Gives("max_headway_s", 60, "minutes"),
    ] = 60.0
    min_headway: Annotated[
        float, option(_RUN, "--min-headway", unit="MINUTES", text="Shortest headway allowed."), Gives("min_headway_s", 60, "minutes")
    ] = 10.0
    capacity: Annotated[int, option(_RUN, "--capacity", unit="RIDERS", text="Riders per bus.")] = 45
    dwell: Annotated[
        int, option(_RUN, "--dwell", unit="SECONDS", text="Dwell time at intermediate stops, included in ride times."), Gives("dwell_s")
    ] = 15
    layover: Annotated[
        float,
        option(_RUN, "--layover", unit="SHARE", text="Layover after a run, as a share of its ride time; at least 5 minutes."),
        Gives("layover_share"),
    ] = 0.1
    rest_on_top: Annotated[
        bool,
        option(_RUN, "--rest-on-top", text="Add layover to link times. Default: link times include it (commercial speed)."),
    ] = False
    interline: Annotated[bool, option(_RUN, "--interline", text="Let a bus continue on another route from the same terminal.")] = False
    uptake: Annotated[
        float, option(_RUN, "--uptake", unit="SHARE", text="Share of the trips served that take the bus, 0 to 1."), Gives("uptake_share")
    ] = 1.0
    equal_headways: Annotated[
        bool, option(_RUN, "--equal-headways", text="Use one headway for all routes and hours: the shortest that the fleet can run.")
    ] = False


@dataclass(frozen=True, slots=True)
class CostOptions:
    """Unit costs. The defaults are assumptions; every cost shown says so."""

    cost_km: Annotated[
        float | None, option(_COST, "--cost-km", unit="MONEY", text="Cost per vehicle-km. Default: 1, assumed."), Gives("per_km")
    ] = None
    cost_hour: Annotated[
        float | None, option(_COST, "--cost-hour", unit="MONEY", text="Cost per vehicle-hour. Default: 40, assumed."), Gives("per_hour")
    ] = None
    cost_bus: Annotated[
        float | None, option(_COST, "--cost-bus", unit="MONEY", text="Cost per bus and night. Default: 45, assumed."), Gives("per_bus")
    ] = None
    currency: Annotated[
        str, option(_COST, "--currency", unit="CODE", text="Currency of the costs; another one than EUR needs all three costs.")
    ] = "EUR"


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Metadata and form of the GTFS feed."""

    agency: Annotated[str, option(_FEED, "--agency", unit="NAME", text="Name of the agency.")] = "Night bus plan"
    agency_url: Annotated[str, option(_FEED, "--agency-url", unit="URL", text="Website of the agency.")] = "https://example.org/night-bus"
    zone: Annotated[
        str | None,
        option(_FEED, "--zone", unit="ZONE", text="Time zone, such as Asia/Seoul. Default: the city's, or by longitude."),
        Gives("FeedInfo.timezone"),
    ] = None
    start_date: Annotated[
        str | None, option(_FEED, "--start-date", unit="DATE", text="First night. Default: the Monday after the demand's last night.")
    ] = None
    frequencies: Annotated[
        bool, option(_FEED, "--frequencies", text="Write runs at even headways to frequencies.txt: a shorter feed, without vehicle blocks.")
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
    costs: CostOptions,
    feed: FeedOptions,
    given_feed: FeedPlanOptions,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP, Gives("max_snap_m")] = MAX_SNAP_M,
    output_options: OutputOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus timetable run --fleet 45 --out tonight[/bold], or [bold]owlbus timetable routes.geojson --run run[/bold]

    Build the timetable of a plan: headways by route and hour, buses, waits, crowding, last buses, and a GTFS feed. The reference plan gets
    the same number of buses and one headway.
    """
    require_no_files(from_run, files)
    require_snap(max_snap)
    settings, served, unit_costs, start = _operation_of(operation), rule_of(rule), _costs_of(costs), _start_of(feed)
    file, beside = plan_file(plan), run_beside([plan])
    sources, from_run = sources_or_run(from_run, beside, files, (area, demand, network), feed_of_plan(plan))
    with open_output(output_options) as output:
        study = study_of(sources, from_run, None)
        warn(output, study)
        feed_info = _feed_of(study, feed, start)
        read = _timetable(study, (file, given_feed), settings, served, max_snap, output)
        night = _night(study, plan_name(plan), read, settings, served, unit_costs)
        other = _reference_night(study, night, reference_of(study, reference, max_snap), settings, served)
        document = night.to_dict() | {"reference": None if other is None else {"name": other.name, **other.to_dict()}}
        check = None
        if out is not None:
            more = {"operation": asdict(settings), "costs": asdict(unit_costs), "reference": reference, "frequencies": feed.frequencies}
            values = settings_of_run(sources, None, plan=plan, run=from_run, **more, is_synthetic=study.is_synthetic)
            check = _write(out, study, night.table, document, (feed_info, feed.frequencies), values)
    output.show({"command": "timetable", **document, "gtfs": None if check is None else asdict(check)}, *_pages(night, other))
    if check is not None:
        output.say(f"Feed: {check}. Written to {out}: gtfs.zip, timetable.json, night_safety.csv.")
        for line in check.lines:
            output.say(line)
    if study.is_synthetic:
        output.say(SYNTHETIC)


def _pages(night: Night, reference: Night | None) -> list[Table]:
    """Return tables of a night, and those of the reference beside it."""
    if reference is None:
        return night_pages(night)
    return [*night_pages(night), *night_pages(reference), side_by_side_page((night, reference))]


def _operation_of(options: OperationOptions) -> Operation:
    """Return the operation that the options set, in seconds."""
    from owlbus.timetable import Operation

    return Operation(
        fleet=options.fleet,
        capacity=options.capacity,
        max_headway_s=round(options.max_headway * 60),
        min_headway_s=round(options.min_headway * 60),
        dwell_s=options.dwell,
        layover_share=options.layover,
        layover_in_links=not options.rest_on_top,
        interline=options.interline,
        uptake_share=options.uptake,
        equal_headways=options.equal_headways,
    )


def _costs_of(options: CostOptions) -> UnitCosts:
    """Return the costs that the options set, and the assumed ones for the others."""
    from owlbus.timetable import UnitCosts

    given = {"per_km": options.cost_km, "per_hour": options.cost_hour, "per_bus": options.cost_bus}
    return UnitCosts(**{name: cost for name, cost in given.items() if cost is not None}, currency=options.currency.upper())


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

    settings = feed_of(study)
    if start is not None:
        settings = replace(settings, start_date=start, end_date=start + (settings.end_date - settings.start_date))
    return replace(settings, agency=options.agency, agency_url=options.agency_url, timezone=options.zone or settings.timezone)


def _timetable(
    study: Study, plan: tuple[Path, FeedPlanOptions], settings: Operation, rule: ServiceRule, max_snap_m: float, output: Output
) -> tuple[Timetable, TimetableReport | None]:
    """Read the timetable of a feed, or build that of a plan."""
    from owlbus.timetable import build_timetable

    file, options = plan
    if is_feed(file):
        return read_feed_plan(file, study, max_snap_m, output.say, options), None
    require_feed(options)
    given = read_drawn_plan(file, study, max_snap_m)
    return build_timetable(study.network, study.demand, given, settings, rule)


def _night(
    study: Study, name: str, made: tuple[Timetable, TimetableReport | None], settings: Operation, rule: ServiceRule, costs: UnitCosts
) -> Night:
    """Return a timetable with the journeys of its riders."""
    from owlbus.timetable import rider_service

    return Night(name, *made, rider_service(study.network, study.demand, made[0], settings, rule), costs, study.min_count)


def _reference_night(
    study: Study, night: Night, reference: tuple[str, Plan] | None, settings: Operation, rule: ServiceRule
) -> Night | None:
    """Build the timetable of the reference with one headway and as many buses as the plan, or as the longest headway needs."""
    from owlbus.common.errors import InfeasibleError
    from owlbus.timetable import build_timetable

    if reference is None:
        return None
    equal = replace(settings, fleet=settings.fleet or night.table.fleet, equal_headways=True)
    try:
        made = build_timetable(study.network, study.demand, reference[1], equal, rule)
    except InfeasibleError:
        made = build_timetable(study.network, study.demand, reference[1], replace(equal, fleet=None), rule)
    return _night(study, f"{reference[0]}, one headway", made, equal, rule, night.costs)


def _write(
    out: str, study: Study, table: Timetable, document: dict[str, Any], feed: tuple[FeedInfo, bool], settings: dict[str, Any]
) -> FeedCheck:
    """Write feed, figures and night-safety sheet to a run directory; return the validation of the feed."""
    from owlbus.common.text import escape_formula
    from owlbus.gtfs import check_gtfs, write_gtfs
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.timetable import safety_sheet

    with open_run_dir(out) as run:
        path = run.stage("gtfs.zip")
        write_gtfs(path, study.network, table, feed[0], frequencies=feed[1])
        check = check_gtfs(path, feed[0].start_date)
        run.write_bytes("plan.geojson", plan_geojson(study.network, table.plan))
        run.write_json("timetable.json", document | {"gtfs": asdict(check)})
        text = io.StringIO()
        rows = safety_sheet(study.network, table).rows()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["hex"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: escape_formula(value) for name, value in row.items()} for row in rows)
        run.write_bytes("night_safety.csv", text.getvalue().encode())
        run.publish(RunRecord("timetable", settings, None, study.inputs, None, study.timings_s))
    return check
