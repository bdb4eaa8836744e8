"""`owlbus timetable`: run a plan through the night."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.options import (
    OUT,
    REFERENCE,
    SNAP,
    AreaOptions,
    DemandOptions,
    NetworkOptions,
    OutputOptions,
    RuleOptions,
    option,
    require_snap,
    rule_of,
    sources_of,
)
from owlbus.cli.output import output_of
from owlbus.cli.plan_files import is_feed, plan_file, plan_name, run_beside
from owlbus.cli.run_conflicts import require_no_files
from owlbus.cli.session import (
    SYNTHETIC,
    reference_of,
    settings_of_run,
    study_of,
    warn,
)
from owlbus.cli.tables import Night, beside_page, night_pages
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from owlbus.gtfs import FeedCheck, FeedInfo
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable import Operation, Timetable, TimetableReport, UnitCosts

_RUN, _COST, _FEED = "How it is run", "Cost", "GTFS feed"


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """Fleet, headways, buses and rests."""

    fleet: Annotated[
        int | None, option(_RUN, "--fleet", unit="BUSES", text="Buses there are. Default: the fewest that hold the policy headway.")
    ] = None
    max_headway: Annotated[float, option(_RUN, "--max-headway", unit="MINUTES", text="Policy headway: the longest between buses.")] = 60.0
    min_headway: Annotated[float, option(_RUN, "--min-headway", unit="MINUTES", text="Shortest headway.")] = 10.0
    capacity: Annotated[int, option(_RUN, "--capacity", unit="RIDERS", text="Riders that a bus holds.")] = 45
    dwell: Annotated[int, option(_RUN, "--dwell", unit="SECONDS", text="Stand at a stop on the way, part of the ride.")] = 15
    layover: Annotated[float, option(_RUN, "--layover", unit="SHARE", text="Rest after a run, of its ride; 5 minutes at least.")] = 0.1
    rest_on_top: Annotated[
        bool,
        option(_RUN, "--rest-on-top", text="The network's speed is without rests. Default: it has them in it, as commercial speeds do."),
    ] = False
    interline: Annotated[bool, option(_RUN, "--interline", text="A bus may go on as another route from where it stands.")] = False
    uptake: Annotated[float, option(_RUN, "--uptake", unit="SHARE", text="Riders of the trips that could ride, 0 to 1.")] = 1.0
    equal_headways: Annotated[
        bool, option(_RUN, "--equal-headways", text="One headway for all routes and hours: the shortest that the fleet can run.")
    ] = False


@dataclass(frozen=True, slots=True)
class CostOptions:
    """What a night costs; by default an assumption, named as such wherever a cost is shown."""

    cost_km: Annotated[float | None, option(_COST, "--cost-km", unit="MONEY", text="A vehicle-km. Default: 1, assumed.")] = None
    cost_hour: Annotated[float | None, option(_COST, "--cost-hour", unit="MONEY", text="A vehicle-hour. Default: 40, assumed.")] = None
    cost_bus: Annotated[float | None, option(_COST, "--cost-bus", unit="MONEY", text="A bus for one night. Default: 45, assumed.")] = None
    currency: Annotated[str, option(_COST, "--currency", unit="CODE", text="Currency of the costs; another one needs all three.")] = "EUR"


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What the feed says beside the timetable."""

    agency: Annotated[str, option(_FEED, "--agency", unit="NAME", text="Who runs the buses.")] = "Night bus plan"
    agency_url: Annotated[str, option(_FEED, "--agency-url", unit="URL", text="A page about it.")] = "https://example.org/night-bus"
    zone: Annotated[
        str | None,
        option(_FEED, "--zone", unit="ZONE", text="Zone of the times, such as Asia/Seoul. Default: the city's, or by longitude."),
    ] = None
    start_date: Annotated[
        str | None, option(_FEED, "--start-date", unit="DATE", text="First night. Default: the Monday after the demand's last night.")
    ] = None
    frequencies: Annotated[
        bool, option(_FEED, "--frequencies", text="Write runs at even headways as frequencies.txt: a short feed that names no bus.")
    ] = False


def timetable(
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    rule: RuleOptions,
    operation: OperationOptions,
    costs: CostOptions,
    feed: FeedOptions,
    talk: OutputOptions,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS feed to measure.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records to serve.")] = None,
    from_run: Annotated[str | None, typer.Option("--run", metavar="DIR", help="Take demand and network from an earlier run.")] = None,
    out: Annotated[str | None, OUT] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP] = 1500.0,
) -> None:
    """
    [bold]owlbus timetable run --fleet 45 --out tonight[/bold], or [bold]owlbus timetable routes.geojson --run run[/bold]

    Run a plan through the night: headways by route and hour, buses, waits, crowding, last buses home, and a GTFS feed. A reference is
    run beside it, with as many buses at one headway.
    """
    require_no_files(from_run, files)
    require_snap(max_snap)
    settings, served, money, start = _operation_of(operation), rule_of(rule), _costs_of(costs), _start_of(feed)
    file, beside = plan_file(plan), run_beside([plan])
    if from_run is None and not files and area.city is None:
        from_run, area = (beside, area) if beside else (None, replace(area, city="seoul"))
    sources = None if from_run else sources_of(files, area, demand, network)
    with output_of(talk) as voice:
        study = study_of(sources, from_run, None)
        warn(voice, study)
        about = _feed_of(study, feed, start)
        night = _night(study, plan_name(plan), _timetable(study, file, settings, served, max_snap), settings, served, money)
        held = _held(study, night, reference_of(study, reference, max_snap), settings, served)
        document = night.to_dict() | {"reference": None if held is None else {"name": held.name, **held.to_dict()}}
        check = None
        if out is not None:
            more: dict[str, Any] = {
                "plan": plan,
                "run": from_run,
                "operation": asdict(settings),
                "costs": asdict(money),
                "reference": reference,
            }
            more |= {"reference": reference, "frequencies": feed.frequencies, "is_synthetic": study.is_synthetic}
            check = _write(out, study, night.table, document, (about, feed.frequencies), settings_of_run(sources, None, **more))
    pages = night_pages(night) if held is None else [*night_pages(night), *night_pages(held), beside_page((night, held))]
    voice.show({"command": "timetable", **document, "gtfs": None if check is None else asdict(check)}, *pages)
    if check is not None:
        voice.say(f"Feed: {check}. Written to {out}: gtfs.zip, timetable.json, night_safety.csv.")
        for line in check.lines:
            voice.say(line)
    if study.is_synthetic:
        voice.say(SYNTHETIC)


def _operation_of(options: OperationOptions) -> Operation:
    """Return how the plan is run, in seconds."""
    from owlbus.timetable import Operation

    return Operation(
        fleet=options.fleet,
        capacity=options.capacity,
        max_headway_s=round(options.max_headway * 60),
        min_headway_s=round(options.min_headway * 60),
        dwell_s=options.dwell,
        layover_share=options.layover,
        rest_in_links=not options.rest_on_top,
        interline=options.interline,
        uptake_share=options.uptake,
        equal_headways=options.equal_headways,
    )


def _costs_of(options: CostOptions) -> UnitCosts:
    """Return what was given, and the assumption for the rest."""
    from owlbus.timetable import UnitCosts

    given = {"per_km": options.cost_km, "per_hour": options.cost_hour, "per_bus": options.cost_bus}
    return UnitCosts(**{name: cost for name, cost in given.items() if cost is not None}, currency=options.currency.upper())


def _start_of(options: FeedOptions) -> dt.date | None:
    """Return the first night, or None where none is given."""
    try:
        return None if options.start_date is None else dt.date.fromisoformat(options.start_date)
    except ValueError:
        msg = f"--start-date must read YYYY-MM-DD, got {options.start_date!r}"
        raise UsageError(msg) from None


def _feed_of(study: Study, options: FeedOptions, start: dt.date | None) -> FeedInfo:
    """Return what the feed says, the study's own dates and zone where none are given."""
    from owlbus.pipeline.outputs import feed_of

    settings = feed_of(study)
    if start is not None:
        settings = replace(settings, start_date=start, end_date=start + (settings.end_date - settings.start_date))
    return replace(settings, agency=options.agency, agency_url=options.agency_url, timezone=options.zone or settings.timezone)


def _timetable(
    study: Study, file: Path, settings: Operation, rule: ServiceRule, max_snap_m: float
) -> tuple[Timetable, TimetableReport | None]:
    """Read the timetable of a feed, or build one of a plan."""
    from owlbus.gtfs import read_gtfs
    from owlbus.plan import read_plan
    from owlbus.timetable import build_timetable

    if is_feed(file):
        return read_gtfs(file, study.network, max_snap_m=max_snap_m), None
    given = read_plan(file, study.network, max_snap_m=max_snap_m)
    return build_timetable(study.network, study.demand, given, settings, rule)


def _night(
    study: Study, name: str, made: tuple[Timetable, TimetableReport | None], settings: Operation, rule: ServiceRule, costs: UnitCosts
) -> Night:
    """Follow the riders of a timetable."""
    from owlbus.timetable import rider_service

    return Night(name, *made, rider_service(study.network, study.demand, made[0], settings, rule), costs)


def _held(study: Study, night: Night, reference: tuple[str, Plan] | None, settings: Operation, rule: ServiceRule) -> Night | None:
    """Run the reference with as many buses at one headway for all routes and hours, or with as many as the longest headway takes."""
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
    """Write feed, figures and night-safety sheet to a run directory, and validate the feed."""
    from owlbus.common.files import plain_cell
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
        writer.writerows({name: plain_cell(value) for name, value in row.items()} for row in rows)
        run.write_bytes("night_safety.csv", text.getvalue().encode())
        run.publish(RunRecord("timetable", settings, None, study.inputs, None, study.timings_s))
    return check
