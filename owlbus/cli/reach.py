"""`owlbus reach`: where one gets from a place by the timetable of a plan, and the last bus home."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language
from owlbus.cli.options import LANG, OUT, FeedPlanOptions, OutputOptions, option
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import is_feed, plan_file, plan_name
from owlbus.cli.session import SYNTHETIC, plans_from_options, settings_of_run, stop_names_of
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.common.disclosure import count_text
from owlbus.common.errors import UsageError
from owlbus.common.units import HOUR_S, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from owlbus.cli.plan_files import PlanReader
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import Study
    from owlbus.timetable import Timetable
    from owlbus.timetable.reach_times import Reach, ReachQuery

_PANEL = "Question"
_NOON = 12


@dataclass(frozen=True, slots=True)
class ReachOptions:
    """The place, and when to leave it or to be there."""

    from_place: Annotated[
        str | None,
        option(_PANEL, "--from", unit="PLACE", text="Leave there: a stop's name or index, a known place, a hexagon's label, or LON,LAT."),
    ] = None
    to_place: Annotated[str | None, option(_PANEL, "--to", unit="PLACE", text="Be there, instead of --from.")] = None
    at: Annotated[
        str | None,
        option(_PANEL, "--at", unit="HH:MM", text="First departure, or with --to the last arrival. Default: the middle of the night."),
    ] = None
    over: Annotated[
        float,
        option(_PANEL, "--over", unit="MINUTES", text="Follow one departure a minute for so long; with --to, one arrival."),
        Gives("window_s", 60, "minutes"),
    ] = 60.0
    max_transfers: Annotated[int, option(_PANEL, "--max-transfers", unit="N", text="Largest number of transfers.")] = 3
    feed: Annotated[
        list[str] | None,
        typer.Option("--feed", metavar="FILE", help="GTFS feed of another operator to ride too; can be repeated.", rich_help_panel=_PANEL),
    ] = None


def reach(
    *,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Run directory, or a GTFS feed; of other plans the timetable is built.")],
    options: ReachOptions,
    feed: FeedPlanOptions,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
    study_options: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus reach run --from Gangnam --at 02:30 --out reach[/bold], or [bold]owlbus reach run --to 127.0276,37.4979 --at 05:00[/bold]

    Find where one gets within 30, 45, 60 and 90 minutes by the timetable, with walks, waits and transfers, in half of the departures of an
    hour and in nine of ten; how many people are there; and the last bus for every hexagon. --out writes a page with a map (reach.html),
    the hexagons as GeoJSON, and the figures as JSON.
    """
    place, query = _place_of(options), _query_of(options)
    require_language(lang)
    named = [_timetable_file(plan), *(options.feed or [])]
    with open_output(output_options) as output:
        reader, sources, run = plans_from_options(output, study_options, named, feed, (area, demand, network))
        study = reader.study
        tables = [_timetable(reader, file) for file in named]
        reached, found = _reached(study, tables, place, query, (stop_names_of(study, lang), stop_names_of(study)))
        document = {"command": "reach", "plan": plan_name(plan), "is_synthetic": study.is_synthetic, **found, **reader.facts}
        if out is not None:
            asked = {"from": options.from_place, "to": options.to_place, "at": document["at"], "over_min": options.over}
            values = settings_of_run(sources, None, plan=plan, run=run, is_synthetic=study.is_synthetic, **asked, **reader.facts)
            _write(out, study, tables[0], reached, document, values, lang)
    output.show(document, *_pages(document))
    for warning in _without_buses(tables, reached.query):
        output.say(f"warning: {warning}")
    if out is not None:
        output.say(f"Written to {out}: reach.html, reach.geojson, reach.json.")
    if study.is_synthetic:
        output.say(SYNTHETIC)


def _place_of(options: ReachOptions) -> str:
    """Return the place of the question; refuse none, and two."""
    given = [place for place in (options.from_place, options.to_place) if place is not None]
    if len(given) != 1:
        msg = f"name one place, with --from or with --to, got {len(given) or 'none'}; such as --from Gangnam --at 02:30"
        raise UsageError(msg)
    return given[0]


def _at_of(text: str) -> int:
    """Return a time of the clock in seconds of the service night; hours before noon come after midnight."""
    try:
        time_s = parse_time(text)
    except UsageError:
        msg = f"--at must read HH:MM, such as 02:30, got {text!r}"
        raise UsageError(msg) from None
    return time_s + 24 * HOUR_S * (time_s < _NOON * HOUR_S)


def _timetable_file(plan: str) -> str:
    """Return the feed of a run directory, or else the plan itself."""
    from owlbus.pipeline.run_json import GTFS_FILE

    file = plan_file(plan)
    feed = file.parent / GTFS_FILE
    return str(feed) if Path(plan).is_dir() and not is_feed(file) and feed.is_file() else plan


def _timetable(reader: PlanReader, plan: str) -> Timetable:
    """Read the timetable of a feed, or build that of a plan."""
    from owlbus.common.defaults import HEADWAY_S
    from owlbus.pipeline.outputs import timetable_of_plan
    from owlbus.plan import plan_measures

    file = plan_file(plan)
    if is_feed(file):
        return reader.read_feed(file)
    study, given = reader.study, reader.read(plan)
    n_buses = plan_measures(study.network, given, HEADWAY_S).total_buses
    return timetable_of_plan(study, given, n_buses, HEADWAY_S)[0]


def _query_of(options: ReachOptions) -> ReachQuery:
    """Return the question without its place, at 0 s if it names no time: numbers are refused before anything is read."""
    from owlbus.timetable.reach_times import ReachQuery

    return ReachQuery(
        0.0,
        0.0,
        0 if options.at is None else _at_of(options.at),
        is_arrival=options.to_place is not None,
        window_s=round(options.over * 60),
        max_transfers=options.max_transfers,
    )


def _reached(
    study: Study, tables: Sequence[Timetable], place: str, query: ReachQuery, names: Sequence[StopNames]
) -> tuple[Reach, dict[str, Any]]:
    """Find the place by its name in either language, and the times between it and all hexagons; return them, and as a document."""
    from owlbus.evidence.reached_people import reach_document
    from owlbus.timetable.reach_times import default_time_s, find_reach

    local, english = names
    name, lon, lat = (local if place.strip() in local.names else english).find_position(study.network, place)
    at_s = query.at_s or default_time_s(study.demand.hours)
    reached = find_reach(study.network, tables, replace(query, lon=lon, lat=lat, at_s=at_s))
    return reached, reach_document(study.network, study.demand, reached, name, study.publisher)


def _without_buses(tables: Sequence[Timetable], query: ReachQuery) -> list[str]:
    """Return a sentence if the question is of hours in which no bus runs: only walks are in reach then."""
    from owlbus.timetable.reach_times import LIMITS_S

    runs = [table for table in tables if table.n_runs]
    first_s = min((int(table.run_start_s.min()) for table in runs), default=0)
    last_s = max((int(table.run_end_s.max()) for table in runs), default=0)
    early_s, late_s = query.at_s, query.at_s + query.window_s
    if query.is_arrival:
        early_s, late_s = query.at_s - query.window_s - LIMITS_S[-1], query.at_s
    else:
        late_s += LIMITS_S[-1]
    if early_s <= last_s and late_s >= first_s:
        return []
    first, last = (f"{time_s // HOUR_S % 24:02d}:{time_s % HOUR_S // 60:02d}" for time_s in (first_s, last_s))
    return [f"no bus runs at that time, so only walks count; buses run from {first} to {last}: choose another --at"]


def _pages(document: Mapping[str, Any]) -> list[Table | str]:
    """Return tables of the people within reach, and of hexagons by the hour of their last bus."""
    name, way = document["place"]["name"], document["direction"]
    first, last = (f"{int(text[:2]) % 24:02d}:{text[3:5]}" for text in document["window"])
    verb = "leaving" if way == "from" else "arriving by a time"
    people = empty_table(f"People within reach {way} {name}, {verb} {first} to {last}")
    for column in ("within", "half of departures", "share", "nine in ten", "share"):
        people.add_column(column, justify="right")
    for row in document["within"]:
        parts = (row["median"], row["bad_luck"])
        cells = [text for part in parts for text in (count_text(part["people"], document["min_count"]), _percent(part["people_share"]))]
        people.add_row(f"{row['limit_min']} min", *cells)
    buses = empty_table(f"Last bus {way} {name}, by hexagon")
    for column in ("leaves in the hour", "hexagons"):
        buses.add_column(column, justify="right")
    for row in document["last_buses"]:
        buses.add_row(f"{row['hour']} h", f"{row['hexes']:,}")
    return [people, buses, f"Counts are {document['counts']}."]


def _percent(share: float | None) -> str:
    """Return a share as a percent; a dash for none."""
    return "-" if share is None else f"{share:.1%}"


def _write(
    out: str, study: Study, table: Timetable, reached: Reach, document: dict[str, Any], settings: Mapping[str, Any], language: str
) -> None:
    """Write figures, hexagons and page to a run directory."""
    from owlbus.evidence.reached_people import reach_geojson
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.report import PlanContent
    from owlbus.report.content import Content
    from owlbus.report.reach_page import reach_page
    from owlbus.report.translations import read_translations

    best = PlanContent(str(document["plan"]), table.plan, {})
    more: dict[str, Any] = {"min_count": study.min_count, "places": study.places, "is_synthetic": study.is_synthetic}
    content = Content(study.network, study.demand, best, None, study.city, study.districts, **more)
    with open_run_dir(out) as run:
        run.write_json("reach.json", document)
        run.write_bytes("reach.geojson", reach_geojson(study.network, reached))
        run.write_bytes("reach.html", reach_page(document, reached, content, read_translations(language)).encode())
        run.publish(RunRecord("reach", settings, None, study.inputs, None, study.timings_s, min_count=study.min_count))
