"""Steps that commands share: study, reference plan, evaluator, checkpoints, run directory, thresholds and exit."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from owlbus.cli.bound_sentences import bound_sentences
from owlbus.cli.option_values import limits_of_given, require_no_conflicts, require_no_files, require_snap, sources_of
from owlbus.cli.options import FeedPlanOptions, LimitOptions
from owlbus.cli.output import empty_table
from owlbus.cli.plan_files import PlanReader, feed_modes, feed_of_plan, plan_name, require_feed, run_beside
from owlbus.cli.process import StoppedError
from owlbus.cli.shares import require_share
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.cli.tables import plan_document, plans_table, routes_table, study_document, without_stop
from owlbus.common.disclosure import count_text
from owlbus.common.errors import FindingError, UsageError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

    from owlbus.cli.output import Output
    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.gtfs import FeedInfo
    from owlbus.pipeline import (
        PlanRun,
        Request,
        ScoredPlan,
        Sources,
        Study,
    )
    from owlbus.pipeline.checkpoint import Checkpoint
    from owlbus.pipeline.outputs import WrittenTimetable
    from owlbus.pipeline.rundir import RunDir
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits, ServiceRule


SYNTHETIC = (
    "Synthetic demand, calibrated so that the routes of 2013 reach about the 42 % that the city states; it cannot confirm that figure."
)


def study_of(sources: Sources | None, from_run: str | None, run: RunDir | None, checkpoint: Checkpoint | None = None) -> Study:
    """
    Build a study from its sources, or read it from an earlier run.

    Parameters
    ----------
    sources
        Sources of the study; used without `from_run`.
    from_run
        Run directory with the study, or None.
    run
        Run directory for rejected rows, or None.
    checkpoint
        Checkpoint of the rows counted in each file, or None.

    Returns
    -------
    Study
        Lengths in metres, times in seconds.

    Raises
    ------
    UsageError
        If neither records nor a run are given, or flags conflict with the run.
    """
    from owlbus.pipeline import build_study, read_study

    if from_run is not None:
        require_no_conflicts(from_run)
        return read_study(from_run)
    if sources is None:
        msg = "no records are given; name files of calls or taxi rides, --city seoul, or --run DIR"
        raise UsageError(msg)
    return build_study(sources, rejected=None if run is None else run.stage("rejected.parquet"), checkpoint=checkpoint)


def warn(output: Output, study: Study) -> None:
    """
    Print what a reader of the numbers should know: rejected rows, notes on records, trips out of reach.

    Parameters
    ----------
    output
        Output of the command.
    study
        Grid, demand and network; shares are 0 to 1.
    """
    if study.report is not None:
        if study.report.rows_rejected:
            extent = f"{study.report.rows_rejected:,} of {study.report.rows_in:,} rows ({study.report.rejected_share:.1%})"
            output.say(f"note: {extent} are rejected; owlbus demand shows why")
        for note in study.report.notes:
            output.say(f"note: {note}")
    report = study.network.report
    for note in () if report is None else report.notes:
        if note.startswith("warning: "):
            output.say(note)
    unreachable_share = study.printed_unreachable_share
    if unreachable_share:
        extent = f"{int((study.network.hex_stop < 0).sum())} of {study.grid.n_hexes} hexes"
        output.say(f"note: {extent} have no stop within the walk; their {unreachable_share:.1%} of trips count as not served")


def reference_of(reader: PlanReader, file: str | None) -> tuple[str, Plan] | None:
    """
    Read the reference plan.

    Parameters
    ----------
    reader
        Reads plans on a study; snaps way-points over metres.
    file
        A plan in any format, or None for the routes that run in the city, if there is one.

    Returns
    -------
    tuple or None
        Name and plan.
    """
    study = reader.study
    if file is None:
        if study.city is None or not study.city.routes_path.is_file():
            return None
        file = str(study.city.routes_path)
    return plan_name(file), reader.read(file)


def settings_of_run(sources: Sources | None, request: Request | None, **more: object) -> dict[str, Any]:
    """
    Settings of a run as JSON values; a run on an earlier run keeps its city.

    Parameters
    ----------
    sources
        Sources of the study, or None.
    request
        Request of the search, or None.
    **more
        Further settings; lengths in metres, times in seconds.

    Returns
    -------
    dict
        Settings by name.
    """
    from owlbus.pipeline.request import settings_of

    values: dict[str, Any] = {}
    run = more.get("run")
    if sources is None and isinstance(run, str):
        from owlbus.pipeline.run_json import read_run

        earlier = read_run(run)["settings"]
        values |= {"city": earlier.get("city"), **{name: earlier[name] for name in ("public", "min_count", "modes") if name in earlier}}
    if sources is not None:
        values |= sources.settings | {"is_synthetic": sources.is_synthetic}
    if request is not None:
        values |= settings_of(request)
    return values | more


def publish(
    run: RunDir,
    plan_run: PlanRun,
    reference: ScoredPlan | None,
    settings: Mapping[str, Any],
    title: str,
    feed: FeedInfo,
    language: str = "en",
) -> WrittenTimetable | None:
    """
    Write the result of a search to its run directory.

    Parameters
    ----------
    run
        The directory.
    plan_run
        Study, plan and scorecard.
    reference
        Reference plan, or None.
    settings
        As `settings_of_run` gathers them; lengths in metres, times in seconds.
    title
        Line above the map.
    feed
        Dates and time zone of the feed.
    language
        Of the report, ``en`` or ``ko``.

    Returns
    -------
    WrittenTimetable or None
        None for a plan without routes.
    """
    from owlbus.pipeline import write_run
    from owlbus.pipeline.save_run import plan_record

    record = plan_record(plan_run, reference, settings)
    written = write_run(run, plan_run.study, plan_run.best, reference, title=title, record=record, feed=feed, language=language)
    run.publish(record)
    return written


class Trial(Protocol):
    """Result of a trial of a plan; its text says it in words."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, shares 0 to 1."""
        ...


def show_run(
    output: Output,
    plan_run: PlanRun,
    reference: ScoredPlan | None,
    out: str,
    title: str,
    city_share: float | None,
    trials: Mapping[str, Trial] | None = None,
    written: WrittenTimetable | None = None,
) -> None:
    """
    Print the result of a search.

    Parameters
    ----------
    output
        Output of the command.
    plan_run
        Study, plan and scorecard.
    reference
        Reference plan, or None.
    out
        The run directory.
    title
        Line above the table.
    city_share
        Share of presence that the city states, 0 to 1, or None.
    trials
        Trials of the plan by name.
    written
        The timetable in the run directory; None without routes.
    """
    document = _run_document(plan_run, reference, out, trials or {})
    plans = [plan_run.best, *([reference] if reference else [])]
    output.show(
        document,
        plans_table(plan_run.study, plans, title=title, city_share=city_share),
        *([routes_table(plan_run.best.card)] if output.is_verbose else []),
        *without_stop(plan_run.best.card),
    )
    for trial in (trials or {}).values():
        output.say(str(trial))
    if plan_run.study.is_synthetic:
        output.say(SYNTHETIC)
    for sentence in bound_sentences(plan_run):
        output.say(sentence)
    if plan_run.shown_spread is not None:
        text = str(plan_run.shown_spread)
        output.say(f"{text[0].upper()}{text[1:]}, by area. This is neither an interval over nights nor an optimality gap.")
    ending = "was interrupted" if plan_run.result.was_interrupted else f"ended because {plan_run.ended_by}"
    output.say(f"The search {ending}; {_seeds_text(plan_run)}. Written to {out}: map.png, plan.geojson and more.")
    for line in _headway_line(written, plan_run.request.limits.headway_s, out):
        output.say(line)


def _headway_line(written: WrittenTimetable | None, headway_s: int, out: str) -> list[str]:
    """Return a sentence on headways of the feed above that of the buses, with the command that keeps it; none where day types set them."""
    longest_s = 0 if written is None or written.night is None else int(written.night.headway_s.max(initial=0))
    if longest_s <= headway_s:
        return []
    minutes = f"{headway_s / 60:g}"
    keeping = f"owlbus timetable {shlex.quote(out)} --max-headway {minutes} --out DIR"
    return [f"The feed has up to {longest_s / 60:.0f} minutes between buses where few ride; for {minutes} at most: {keeping}"]


def _seeds_text(plan_run: PlanRun) -> str:
    """Return the seed of a search, or its seeds and that of the best plan."""
    first, n_seeds = plan_run.request.seed, plan_run.request.n_seeds
    return f"seed {first}" if n_seeds == 1 else f"seeds {first} to {first + n_seeds - 1}, the plan is that of seed {plan_run.result.seed}"


def _run_document(plan_run: PlanRun, reference: ScoredPlan | None, out: str, trials: Mapping[str, Trial]) -> dict[str, Any]:
    """Return the result of a search as JSON values; shares 0 to 1."""
    result = plan_run.result
    return {
        "command": "plan",
        "out": out,
        "seed": plan_run.request.seed,
        "ended_by": plan_run.ended_by.to_dict(),
        "best_seed": result.seed,
        "steps": result.steps,
        "objective_share": plan_run.objective_share,
        "objective_rule": plan_run.study.network.walk_rule,
        "bound_share": plan_run.bound_share,
        "gap": None if plan_run.gap is None else round(plan_run.gap, 6),
        "unseen_by_bound": plan_run.unseen_by_bound,
        "pool_bound": plan_run.pool_bound,
        "published_bound": plan_run.published_bound,
        "spread": None if plan_run.shown_spread is None else plan_run.shown_spread.to_dict(),
        "study": study_document(plan_run.study),
        "plan": plan_document(plan_run.best),
        "reference": plan_document(reference) if reference else None,
        **{name: trial.to_dict() for name, trial in trials.items()},
    }


def require_thresholds(min_presence: float | None, min_served: float | None) -> None:
    """Refuse thresholds `min_presence` and `min_served` that are no shares, 0 to 1, before anything is read."""
    require_share("--min-presence", min_presence)
    require_share("--min-served", min_served)


def gate(card: Any, min_presence: float | None, min_served: float | None) -> None:  # noqa: ANN401 - a Scorecard; its type would load numba
    """
    Refuse a plan whose share as it is printed lies below a threshold.

    Parameters
    ----------
    card
        Its scorecard.
    min_presence, min_served
        Least shares, 0 to 1; None for no threshold.

    Raises
    ------
    FindingError
        If a share lies below its threshold.
    """
    printed = card.to_dict()
    asked = (("presence", min_presence), ("served", min_served))
    missed = []
    for name, least in asked:
        share = printed[name]["share"]
        if least is not None and (share is None or share < least):
            absent = "too few were counted" if name == "presence" or card.trips_counted else "no trips were counted"
            missed.append(f"{name} share must be at least {least:g}, got {f'none: {absent}' if share is None else f'{share:.4f}'}")
    if missed:
        msg = f"{'; '.join(missed)}; allow more routes, buses or kilometres, or lower the threshold"
        raise FindingError(msg)


def leave_if_interrupted(plan_run: PlanRun) -> None:
    """Exit with the code of the signal if the search was interrupted; its plan is written already."""
    if plan_run.result.was_interrupted:
        msg = "interrupted; the best plan so far is written"
        raise StoppedError(msg)


def study_from_options(
    study_options: StudyOptions, plans: list[str], area: AreaOptions, demand: DemandOptions, network: NetworkOptions
) -> tuple[Study, Sources | None, str | None]:
    """
    Read or build the study that plans are measured on.

    Parameters
    ----------
    study_options
        An earlier run, records, or neither.
    plans
        Plans; the first one in a run directory gives the study.
    area, demand, network
        Options for records, lengths in metres.

    Returns
    -------
    study, sources, run
        The study, and its sources or its run.

    Raises
    ------
    UsageError
        If both a run and records are given.
    DataError
        If a plan does not exist.
    """
    require_snap(study_options.max_snap)
    beside = run_beside(plans)
    require_no_files(study_options.from_run, study_options.records, "--records")
    feed = next(filter(None, map(feed_of_plan, plans)), None)
    sources, run = sources_or_run(study_options.from_run, beside, study_options.records, (area, demand, network), feed, "--records FILE")
    return study_of(sources, run, None), sources, run


def plans_from_options(
    output: Output,
    study_options: StudyOptions,
    plans: list[str],
    feed: FeedPlanOptions,
    areas: tuple[AreaOptions, DemandOptions, NetworkOptions],
) -> tuple[PlanReader, Sources | None, str | None]:
    """
    Read or build the study that plans are measured on, and say on the output what its reader should know.

    Parameters
    ----------
    output
        Output of the command.
    study_options, plans, areas
        As for `study_from_options`, lengths in metres.
    feed
        Service day, lines and pattern of feeds.

    Returns
    -------
    reader, sources, run
        The reader of plans on the study, and its sources or its run.

    Raises
    ------
    UsageError
        If options of feeds are given and no plan is one.
    """
    require_feed(feed, plans)
    study, sources, run = study_from_options(study_options, plans, *areas)
    warn(output, study)
    reader = PlanReader(study, study_options.max_snap, output.say, feed, feed_modes(sources, run))
    return reader, sources, run


def sources_or_run(
    from_run: str | None,
    beside: str | None,
    files: list[str] | None,
    options: tuple[AreaOptions, DemandOptions, NetworkOptions],
    feed: str | None = None,
    records: str = "files of calls or taxi rides",
) -> tuple[Sources | None, str | None]:
    """
    Choose the sources of a study, or the run that has it.

    Parameters
    ----------
    from_run
        Run directory that the user names, or None.
    beside
        Run directory that holds the plan, or None; used if neither a run, records nor a city are named.
    files
        Records, or None.
    options
        Options of study area, demand and network, lengths in metres.
    feed
        A feed that is the plan, and its own network if no other is named; None for other plans.
    records
        How the command takes records, for messages.

    Returns
    -------
    sources, run
        One of them is None. Without any choice the sources are those of the sample city.

    Raises
    ------
    UsageError
        If the plan is a feed, and neither records nor a run are named.
    """
    area, demand, network = options
    if feed is not None and from_run is None and area.city is None:
        if not files and demand.presence is None and beside is None:
            msg = f"{feed}: a feed is measured on records; add {records}, or --run DIR"
            raise UsageError(msg)
        if (network.gtfs, network.osm, network.nodes) == (None, None, None):
            network = replace(network, gtfs=feed)
    if from_run is None and not files and area.city is None and demand.presence is None:
        from_run, area = (beside, area) if beside else (None, replace(area, city="seoul"))
    if from_run is not None:
        return None, from_run
    is_own = feed is not None and network.gtfs == feed and network.osm is None
    return replace(sources_of(files, area, demand, network), whole_lines=is_own), None


def limits_near(study: Study, plan: Plan, options: LimitOptions) -> RouteLimits:
    """
    Limits for a plan near a given one.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        The given plan.
    options
        Limits that the options set.

    Returns
    -------
    RouteLimits
        In metres and seconds; where no option is set, kilometres and buses of the plan, and routes of any shape.
    """
    from owlbus.plan import plan_measures

    bounds = limits_of_given(options)
    measures = plan_measures(study.network, plan, bounds.headway_s)
    if options.fleet is None:
        bounds = replace(bounds, max_buses=max(1, measures.total_buses))
    if options.total_km is None:
        bounds = replace(bounds, max_total_length_m=max(1, measures.total_length_m))
    return bounds


def evaluator_of(study: Study, rule: ServiceRule) -> PlanEvaluator:
    """Return the evaluator of plans on a `study` under a `rule`, trips and people a night."""
    from owlbus.evidence import PlanEvaluator

    return PlanEvaluator.build(study.network, study.demand, rule, study.districts, study.min_count)


def stop_names_of(study: Study, language: str = "en") -> StopNames:
    """Return the named places of a `study`, lon/lat, in a `language`: those that were given, else the night spots of its city, if any."""
    from owlbus.evidence.stop_names import StopNames
    from owlbus.report.translations import read_translations

    return StopNames.of(study.known_places, language, read_translations(language).place)


def say_reversed(output: Output, before: Plan, after: Plan | None) -> None:
    """Print on `output` which routes of a changed plan run back over their own stops, and did not do so `before` the change."""
    back = {route.name for route in before if route.back is not None}
    changed = [route.name for route in after or () if route.back is None and route.name in back]
    if changed:
        output.say(f"note: once changed, {', '.join(changed)} run back over the stops of the way there, and no longer over others")


def moved_table(title: str, rows: Mapping[str, Mapping[str, Any]], min_count: float, *, trips_counted: bool = True) -> Table:
    """
    Table of gains and losses, one part of the demand a row.

    Parameters
    ----------
    title
        Line above the table.
    rows
        Trips and people a night by label, as `owlbus.evidence.printed_difference` gives them.
    min_count
        Trips or people a night of which printed counts are multiples; 0 for open data.
    trips_counted
        Whether trips were counted; they are left out otherwise.

    Returns
    -------
    Table
        Gained, lost and net trips, then people.
    """
    table = empty_table(title)
    table.add_column("", no_wrap=True)
    for name in ("trips +", "trips -", "net", "people +", "people -", "net")[0 if trips_counted else 3 :]:
        table.add_column(name, justify="right", no_wrap=True)
    for label, row in rows.items():
        cells = []
        for what in ("trips", "presence")[0 if trips_counted else 1 :]:
            cells += [count_text(row[f"{side}_{what}"], min_count) for side in ("gained", "lost")]
            net = row[f"net_{what}"]
            cells.append("" if net is None else f"{net:+,.0f}")
        table.add_row(label, *cells)
    return table


def checkpoint_of(run: RunDir, *, resume: bool) -> Checkpoint | None:
    """
    Checkpoint of the records counted so far, if the command resumes.

    Parameters
    ----------
    run
        The run directory.
    resume
        Whether ``--resume`` is set.

    Returns
    -------
    Checkpoint or None
        Counts of each file, in whole rows.
    """
    from owlbus.pipeline.checkpoint import Checkpoint

    return Checkpoint(run.checkpoint_dir()) if resume else None


@contextmanager
def announce_resumption(output: Output, checkpoint: Checkpoint | None) -> Iterator[None]:
    """
    Print how much was counted before an interruption, or how to resume after one.

    Parameters
    ----------
    output
        Output of the command.
    checkpoint
        Checkpoint of the parts counted so far, or None.

    Raises
    ------
    KeyboardInterrupt
        After an interruption, with a message on what is kept.
    """
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None:
            raise
        msg = f"{checkpoint.n_parts} parts of the records are counted and kept; run the same command again to resume"
        raise KeyboardInterrupt(msg) from None
    if checkpoint is not None and checkpoint.n_reused:
        output.say(f"{checkpoint.n_reused} of {checkpoint.n_parts} parts of the records were counted before the interruption")


def plan_to_resume(study: Study, run: RunDir, output: Output) -> Plan | None:
    """
    Plan of an earlier run in the same directory: its checkpoint, or else its result.

    Parameters
    ----------
    study
        Study with the network of the plan.
    run
        The run directory; its plan names stops by index.
    output
        Output of the command, which says how many routes there are.

    Returns
    -------
    Plan or None
        The plan, or None if there is none yet.
    """
    from owlbus.pipeline.checkpoint import read_plan_checkpoint
    from owlbus.plan import read_plan

    kept, written = read_plan_checkpoint(run.checkpoint_dir(), study.network), run.path / "plan.geojson"
    plan = read_plan(written, study.network) if kept is None and written.is_file() else kept
    output.say("no earlier plan to resume from" if plan is None else f"resuming from a plan of {how_many(len(plan), 'route')}")
    return plan


def require_resumable(*, resume: bool, base: str | None) -> None:
    """
    Refuse to resume a search near a base, which has no checkpoints.

    Parameters
    ----------
    resume
        Whether ``--resume`` is set.
    base
        Base plan, or None.

    Raises
    ------
    UsageError
        If both are given.
    """
    if resume and base is not None:
        msg = f"--resume continues a search for new routes, not a change of --base {base}; leave one of them out"
        raise UsageError(msg)
