"""`owlbus timetable`: run a plan through the night."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.chain import SYNTHETIC, settings_of_run, study_of, warn
from owlbus.cli.options import (
    OUT,
    SNAP,
    AreaOptions,
    DemandOptions,
    NetworkOptions,
    RuleOptions,
    TalkOptions,
    option,
    rule_of,
    sources_of,
)
from owlbus.cli.talk import talking
from owlbus.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from owlbus.gtfs import FeedCheck, FeedSettings
    from owlbus.limits import ServiceRule
    from owlbus.pipeline import Study
    from owlbus.timetable import Operation, RiderService, Timetable, TimetableReport

_RUN, _FEED = "How it is run", "GTFS feed"


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


def timetable(
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    rule: RuleOptions,
    operation: OperationOptions,
    feed: FeedOptions,
    talk: TalkOptions,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points, or GTFS feed to measure.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records to serve.")] = None,
    from_run: Annotated[str | None, typer.Option("--run", metavar="DIR", help="Take demand and network from an earlier run.")] = None,
    out: Annotated[str | None, OUT] = None,
    max_snap: Annotated[float, SNAP] = 1500.0,
) -> None:
    """
    [bold]owlbus timetable run --fleet 45 --out tonight[/bold], or [bold]owlbus timetable routes.geojson --run run[/bold]

    Run a plan through the night: headways by route and hour, buses, waits, crowding, last buses home, and a GTFS feed.
    """
    from owlbus.timetable import rider_service

    if from_run is not None and files:
        msg = f"--run takes demand and network from {from_run}, so FILES would not be read; leave one of them out"
        raise UsageError(msg)
    file = _plan_file(plan)
    if from_run is None and not files and area.city is None:
        at_hand = all((file.parent / name).is_file() for name in ("run.json", "demand.parquet", "network.parquet"))
        from_run, area = (str(file.parent), area) if at_hand else (None, replace(area, city="seoul"))
    settings, start = _operation_of(operation), _start_of(feed)
    sources = None if from_run else sources_of(files, area, demand, network)
    with talking(talk) as voice:
        study = study_of(sources, from_run, None)
        warn(voice, study)
        about = _feed_of(study, feed, start)
        table, report = _timetable(study, file, settings, rule_of(rule), max_snap)
        service = rider_service(study.network, table, study.demand, settings, rule_of(rule))
        check = None
        if out is not None:
            more = {"plan": plan, "run": from_run, "operation": asdict(settings), "is_synthetic": study.is_synthetic}
            check = _write(out, study, table, report, service, about, settings_of_run(sources, None, **more))
    document = _document(table, report, service) | {"gtfs": None if check is None else asdict(check)}
    voice.show({"command": "timetable", **document}, *_tables(table, report, service, plan))
    if check is not None:
        voice.say(f"Feed: {check}. Written to {out}: gtfs.zip, timetable.json, night_safety.csv.")
        for line in check.lines:
            voice.say(line)
    if study.is_synthetic:
        voice.say(SYNTHETIC)


def _plan_file(plan: str) -> Path:
    """Return the file that holds the plan; in a run directory, its plan.geojson."""
    path = Path(plan)
    file = path / "plan.geojson" if path.is_dir() else path
    if not file.is_file():
        msg = f"{file}: no such file; name a run directory, or a plan as .geojson, .csv or .csv.gz, or a feed as .zip"
        raise DataError(msg)
    return file


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
    )


def _start_of(options: FeedOptions) -> dt.date | None:
    """Return the first night, or None where none is given."""
    try:
        return None if options.start_date is None else dt.date.fromisoformat(options.start_date)
    except ValueError:
        msg = f"--start-date must read YYYY-MM-DD, got {options.start_date!r}"
        raise UsageError(msg) from None


def _feed_of(study: Study, options: FeedOptions, start: dt.date | None) -> FeedSettings:
    """Return what the feed says, the study's own dates and zone where none are given."""
    from owlbus.pipeline.timetables import feed_of

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

    if file.suffix == ".zip":
        return read_gtfs(file, study.network, max_snap_m=max_snap_m), None
    given = read_plan(file, study.network, max_snap_m=max_snap_m)
    return build_timetable(study.network, given, study.demand, settings, rule)


def _document(table: Timetable, report: TimetableReport | None, service: RiderService) -> dict[str, Any]:
    """Return timetable and service as JSON holds them, with small counts hidden."""
    from owlbus.timetable import timetable_document

    return {"timetable": timetable_document(table, report), "riders": service.to_dict()}


def _write(
    out: str,
    study: Study,
    table: Timetable,
    report: TimetableReport | None,
    service: RiderService,
    about: FeedSettings,
    settings: dict[str, Any],
) -> FeedCheck:
    """Write feed, figures and night-safety sheet to a run directory, and validate the feed."""
    from owlbus.gtfs import check_gtfs, write_gtfs
    from owlbus.plan import plan_geojson
    from owlbus.rundir import RunRecord, open_run_dir
    from owlbus.timetable import safety_sheet

    with open_run_dir(out) as run:
        path = run.stage("gtfs.zip")
        write_gtfs(path, study.network, table, about)
        check = check_gtfs(path, about.start_date)
        run.write_bytes("plan.geojson", plan_geojson(study.network, table.plan))
        run.write_json("timetable.json", _document(table, report, service) | {"gtfs": asdict(check)})
        text = io.StringIO()
        rows = safety_sheet(study.network, table).rows()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["hex"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        run.write_bytes("night_safety.csv", text.getvalue().encode())
        run.publish(RunRecord("timetable", settings, None, study.inputs, None, study.timings_s))
    return check


def _tables(table: Timetable, report: TimetableReport | None, service: RiderService, plan: str) -> list[Table]:
    """Lay out headways and waits in minutes and crowding in percent, by route and hour."""
    from owlbus.timetable import timetable_document

    figures, shown = timetable_document(table, report), service.to_dict()
    pages = [
        _page(f"Headways in minutes, {Path(plan).name}", ("route", "buses", "runs", *figures["hours"]), _totals(figures)),
        _page("Mean wait for the first bus in minutes", ("route", *figures["hours"]), ""),
        _page("Crowding: riders on the fullest link, % of the room", ("route", *figures["hours"]), _service(shown)),
    ]
    for row, riders in zip(figures["routes"], shown["routes"], strict=True):
        pages[0].add_row(row["name"], f"{row['buses']}", f"{row['runs']}", *(f"{headway / 60:.0f}" for headway in row["headway_s"]))
        pages[1].add_row(riders["name"], *(_cell(wait, 1 / 60) for wait in riders["wait_s"]))
        pages[2].add_row(riders["name"], *(_cell(share, 100) for share in riders["crowding_share"]))
    return pages


def _page(title: str, columns: tuple[str, ...], caption: str) -> Table:
    """Return an empty table, names to the left and numbers to the right."""
    from rich import box
    from rich.table import Table

    page = Table(title=title, title_justify="left", title_style="bold", caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    page.caption = caption or None
    for name in columns:
        page.add_column(name, justify="left" if name == "route" else "right", no_wrap=True)
    return page


def _totals(figures: dict[str, Any]) -> str:
    """Sum up a night: buses, kilometres, hours, cost, and what the choice of headways and meets brings."""
    cost, choice = figures["cost"], figures["choice"]
    total = (
        f"{figures['fleet']} buses, {figures['runs']} runs, {figures['vehicle_km']:,.0f} vehicle-km, {figures['vehicle_hours']:.0f} "
        f"vehicle-hours; {cost['total']:,.0f} {cost['currency']} a night at {cost['per_km']:g} a km, {cost['per_hour']:g} an hour, "
        f"{cost['per_bus']:g} a bus."
    )
    lines = [total]
    if choice is not None and choice["equal_wait_s"] is not None:
        lines.append(
            f"Wait planned for, over all boardings: {choice['planned_wait_s'] / 60:.1f} min; with equal headways of "
            f"{choice['equal_headway_s'] / 60:.0f} min on as many buses {choice['equal_wait_s'] / 60:.1f}."
        )
    if choice is not None:
        lines.append(
            f"Wait at a change {choice['transfer_wait_before_s'] / 60:.1f} min before timed meets, "
            f"{choice['transfer_wait_after_s'] / 60:.1f} after."
        )
    return "\n".join(lines)


def _service(shown: dict[str, Any]) -> str:
    """Sum up what riders get."""
    hidden = f"- where fewer than {shown['hidden']['min_count']} ride or nobody does."
    if shown["wait_mean_s"] is None:
        return hidden
    parts = (f"{name} {shown[f'{name}_mean_s'] / 60:.0f} ({shown[f'{name}_p90_s'] / 60:.0f})" for name in ("wait", "ride", "total"))
    return f"Minutes on average, and for nine in ten at most: {', '.join(parts)}.\n{hidden}"


def _cell(value: float | None, factor: float) -> str:
    """Return a cell of a table."""
    return "-" if value is None else f"{value * factor:.0f}"
