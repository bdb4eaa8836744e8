"""What commands share: the study, the reference, the evaluator, checkpoints, the run directory, gates and the exit."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from owlbus.cli.options import (
    AreaOptions,
    DemandOptions,
    LimitOptions,
    NetworkOptions,
    limits_of,
    option,
    require_snap,
    sources_of,
)
from owlbus.cli.output import empty_table
from owlbus.cli.plan_files import plan_name, read_any_plan, run_beside
from owlbus.cli.process import StoppedError
from owlbus.cli.run_conflicts import require_no_conflicts
from owlbus.cli.tables import plan_document, plans_table, routes_table, study_document
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

    from owlbus.cli.output import Output
    from owlbus.evidence import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.pipeline import (
        PlanRun,
        Request,
        ScoredPlan,
        Sources,
        Study,
    )
    from owlbus.pipeline.checkpoint import Checkpoint
    from owlbus.pipeline.rundir import RunDir
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits, ServiceRule


SYNTHETIC = "Synthetic demand, drawn so that the routes of 2013 reach about the 42 % that the city states: it cannot confirm that figure."


def study_of(sources: Sources | None, from_run: str | None, run: RunDir | None, checkpoint: Checkpoint | None = None) -> Study:
    """
    Build the study that the options name, or read it from an earlier run.

    Parameters
    ----------
    sources
        What to build it from; used without `from_run`.
    from_run
        Run directory to read it from, or None.
    run
        Where rejected rows are kept, or None.
    checkpoint
        Keeps what each file comes to in rows, or None.

    Returns
    -------
    Study
        Lengths in metres, times in seconds.

    Raises
    ------
    UsageError
        If nothing is named, or flags say how to build what comes from an earlier run.
    """
    from owlbus.pipeline import build_study, read_study

    if from_run is not None:
        require_no_conflicts(from_run)
        return read_study(from_run)
    if sources is None:
        msg = "no records are named; give files of calls or taxi rides, --city seoul, or --run DIR"
        raise UsageError(msg)
    return build_study(sources, rejected=None if run is None else run.stage("rejected.parquet"), checkpoint=checkpoint)


def announce_compilation(voice: Output) -> None:
    """Say through `voice` that the first run on a machine takes longer, where nothing is compiled yet."""
    from owlbus import kernels

    if not any(Path(kernels.__path__[0]).glob("__pycache__/*.nbi")):
        voice.say("first run: the kernels are compiled on the way, which takes up to a minute")


def warn(voice: Output, study: Study) -> None:
    """
    Say what a reader of the numbers should know: rejected rows, thin nights, trips out of reach.

    Parameters
    ----------
    voice
        What it is said with.
    study
        Grid, demand and network; shares are 0 to 1.
    """
    if study.report is not None:
        if study.report.rows_rejected:
            extent = f"{study.report.rows_rejected:,} of {study.report.rows_in:,} rows ({study.report.rejected_share:.1%})"
            voice.say(f"note: {extent} are rejected; owlbus demand shows why")
        for note in study.report.notes:
            voice.say(f"note: {note}")
    if study.unreachable_share > 0:
        extent = f"{int((study.network.hex_stop < 0).sum())} of {study.grid.n_hexes} hexes"
        voice.say(f"note: no stop reaches {extent}, with {study.unreachable_share:.1%} of trips; these count as not served")


def reference_of(study: Study, file: str | None, max_snap_m: float) -> tuple[str, Plan] | None:
    """
    Read the plan to hold a result against.

    Parameters
    ----------
    study
        Grid, demand and network.
    file
        A plan of any kind, or None for the routes that ran in the city, if there is one.
    max_snap_m
        Metres that way-points may lie from the nearest stop.

    Returns
    -------
    tuple or None
        What people call it, and the plan.
    """
    if file is None:
        if study.city is None or not study.city.routes_path.is_file():
            return None
        file = str(study.city.routes_path)
    return plan_name(file), read_any_plan(file, study, max_snap_m)


def settings_of_run(sources: Sources | None, request: Request | None, **more: object) -> dict[str, Any]:
    """
    Gather the settings that shape a run, as JSON can hold them; the city of an earlier run that it is made on is its own.

    Parameters
    ----------
    sources
        What the study was built from, or None.
    request
        What was searched for, or None.
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
        from owlbus.pipeline.rundir import read_run

        values["city"] = read_run(run)["settings"].get("city")
    if sources is not None:
        values |= asdict(sources) | {"is_synthetic": sources.is_synthetic}
        values["files"] = list(values["files"])
    if request is not None:
        values |= settings_of(request)
    return values | more


def publish(run: RunDir, ran: PlanRun, held: ScoredPlan | None, settings: Mapping[str, Any], title: str, language: str = "en") -> None:
    """
    Write a search to its run directory.

    Parameters
    ----------
    run
        The directory.
    ran
        Study, plan and scorecard.
    held
        Plan held against it, or None.
    settings
        As `settings_of_run` gathers them; lengths in metres, times in seconds.
    title
        Line above the map.
    language
        Of the report, ``en`` or ``ko``.
    """
    from owlbus.pipeline import write_run
    from owlbus.pipeline.rundir import RunRecord

    told = {**settings, "reference_name": None if held is None else held.name}
    result = ran.result
    bound_share = result.bound_share
    record = RunRecord(
        "plan",
        told,
        ran.request.seed,
        ran.study.inputs,
        result.ended_by,
        ran.timings_s,
        round(result.share, 6),
        None if bound_share is None else round(bound_share, 6),
    )
    write_run(run, ran.study, ran.best, held, title=title, record=record, language=language)
    run.publish(record)


class Trial(Protocol):
    """What a plan came to when it was put to the test; in words as text."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, shares 0 to 1."""
        ...


def show_run(
    voice: Output,
    ran: PlanRun,
    held: ScoredPlan | None,
    out: str,
    title: str,
    city_share: float | None,
    tried: Mapping[str, Trial] | None = None,
) -> None:
    """
    Print a search and what it found.

    Parameters
    ----------
    voice
        What it is printed with.
    ran
        Study, plan and scorecard.
    held
        Plan held against it, or None.
    out
        The run directory.
    title
        Line above the table.
    city_share
        Share of presence that the city states, 0 to 1, or None.
    tried
        Trials of the plan by name.
    """
    plans = [ran.best, *([held] if held else [])]
    document = {
        "command": "plan",
        "out": out,
        "seed": ran.request.seed,
        "ended_by": ran.result.ended_by.to_dict(),
        "steps": ran.result.steps,
        "objective_share": round(ran.result.share, 6),
        "bound_share": None if ran.result.bound_share is None else round(ran.result.bound_share, 6),
        "gap": None if ran.result.gap is None or math.isinf(ran.result.gap) else round(ran.result.gap, 6),
        "study": study_document(ran.study),
        "plan": plan_document(ran.best),
        "reference": plan_document(held) if held else None,
        **{name: trial.to_dict() for name, trial in (tried or {}).items()},
    }
    voice.show(
        document,
        plans_table(ran.study, plans, title=title, city_share=city_share),
        *([routes_table(ran.best.card)] if voice.is_verbose else []),
    )
    for trial in (tried or {}).values():
        voice.say(str(trial))
    if ran.study.is_synthetic:
        voice.say(SYNTHETIC)
    if ran.result.bound_share is not None:
        voice.say(
            f"Proven: no plan within the limits exceeds {ran.result.bound_share:.1%} of the objective, this one has "
            f"{ran.result.share:.1%}, a gap of {ran.result.gap:.1%}."
        )
    ending = "was interrupted" if ran.result.was_interrupted else f"ended because {ran.result.ended_by}"
    voice.say(f"The search {ending}; seed {ran.request.seed}. Written to {out}: map.png, plan.geojson and more.")


def gate(card: Any, min_presence: float | None, min_served: float | None) -> None:  # noqa: ANN401 - a Scorecard; its type would load numba
    """
    Refuse a plan that misses a gate.

    Parameters
    ----------
    card
        Its scorecard.
    min_presence, min_served
        Least shares, 0 to 1; None for no gate.

    Raises
    ------
    FindingError
        If a share lies below its gate.
    """
    missed = [
        f"{name} share must be at least {least:g}, got {share:.4f}"
        for name, least, share in (("presence", min_presence, card.presence_share), ("served", min_served, card.served_share))
        if least is not None and not share >= least
    ]
    if missed:
        msg = f"{'; '.join(missed)}; allow more routes, buses or kilometres, or lower the gate"
        raise FindingError(msg)


def leave_if_interrupted(ran: PlanRun) -> None:
    """Leave with the code of the signal if the search of `ran` was cut short; its plan is written by now."""
    if ran.result.was_interrupted:
        msg = "interrupted; the best plan so far is written"
        raise StoppedError(msg)


ANY_CIRCUITY = 1e6
"""Circuity that no given route exceeds."""

_PANEL = "What it is measured on"


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """What plans are measured on."""

    from_run: Annotated[
        str | None,
        option(
            _PANEL, "--run", unit="DIR", text="Demand and network of an earlier run. Default: the run a plan lies in, or the sample city."
        ),
    ] = None
    records: Annotated[
        list[str] | None, option(_PANEL, "--records", unit="FILE", text="Records of calls or taxi rides instead; may be repeated.")
    ] = None
    max_snap: Annotated[float, option(_PANEL, "--max-snap", unit="METRES", text="How far a way-point may lie from the nearest stop.")] = (
        1500.0
    )


def study_options_of(
    ground: StudyOptions, files: list[str], area: AreaOptions, demand: DemandOptions, network: NetworkOptions
) -> tuple[Study, Sources | None, str | None]:
    """
    Read or build what plans are measured on.

    Parameters
    ----------
    ground
        A run, records, or neither.
    files
        Plans; the first that lies in a run brings its study.
    area, demand, network
        Options for records, lengths in metres.

    Returns
    -------
    study, sources, run
        The study, and what it comes from.

    Raises
    ------
    UsageError
        If both a run and records are named.
    DataError
        If a plan is not there.
    """
    require_snap(ground.max_snap)
    beside = run_beside(files)
    run = ground.from_run
    if run is not None and ground.records:
        msg = f"--run takes demand and network from {run}, so --records would not be read; leave one of them out"
        raise UsageError(msg)
    if run is None and not ground.records and area.city is None:
        run = beside
        area = area if run is not None else AreaOptions("seoul", area.area, area.radius, area.hexes, area.h3)
    sources = None if run is not None else sources_of(ground.records, area, demand, network)
    return study_of(sources, run, None), sources, run


def no_more_than(study: Study, plan: Plan, options: LimitOptions) -> RouteLimits:
    """
    Limits of a plan near a given one.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        The given plan.
    options
        Limits as they are named.

    Returns
    -------
    RouteLimits
        In metres and seconds; where the options say nothing, kilometres and buses of the plan, and any circuity.
    """
    from owlbus.plan import plan_measures

    bounds = limits_of(options)
    measures = plan_measures(study.network, plan, bounds.headway_s)
    if options.max_circuity is None:
        bounds = replace(bounds, max_circuity=ANY_CIRCUITY)
    if options.fleet is None:
        bounds = replace(bounds, max_buses=max(1, measures.total_buses))
    if options.total_km is None:
        bounds = replace(bounds, max_total_length_m=max(1, measures.total_length_m))
    return bounds


def ledger_of(study: Study, rule: ServiceRule) -> PlanEvaluator:
    """Return the demand of a `study` under a `rule`, laid out for evidence, trips and people a night."""
    from owlbus.evidence import PlanEvaluator

    return PlanEvaluator.build(study.network, study.demand, rule, study.districts)


def places_of(study: Study) -> StopNames:
    """Return the known places of a `study`, lon/lat: night spots of its city, if it has one."""
    from owlbus.evidence.stop_names import StopNames

    if study.city is None:
        return StopNames()
    spots = study.city.night_spots
    return StopNames(spots.names, spots.lon, spots.lat)


def moved_table(title: str, rows: Mapping[str, Mapping[str, Any]], min_count: float) -> Table:
    """
    Lay out who gains and who loses, one part of the demand a row.

    Parameters
    ----------
    title
        Line above the table.
    rows
        Trips and people a night by label, as `owlbus.evidence.redact` leaves them.
    min_count
        What stands for a hidden count.

    Returns
    -------
    Table
        Gained, lost and net trips, then people.
    """
    from owlbus.evidence.redact import count_text

    table = empty_table(title)
    table.add_column("", no_wrap=True)
    for name in ("trips +", "trips -", "net", "people +", "people -", "net"):
        table.add_column(name, justify="right", no_wrap=True)
    for label, row in rows.items():
        cells = []
        for what in ("trips", "presence"):
            cells += [count_text(row[f"{side}_{what}"], min_count) for side in ("gained", "lost")]
            net = row[f"net_{what}"]
            cells.append("" if net is None else f"{net:+,.0f}")
        table.add_row(label, *cells)
    return table


def checkpoint_of(run: RunDir, *, resume: bool) -> Checkpoint | None:
    """
    What keeps the records that were counted, if the user asks for it.

    Parameters
    ----------
    run
        The run directory.
    resume
        Whether the user does.

    Returns
    -------
    Checkpoint or None
        Keeps what each file came to, in whole rows.
    """
    from owlbus.pipeline.checkpoint import Checkpoint

    return Checkpoint(run.keep()) if resume else None


@contextmanager
def going_on(voice: Output, checkpoint: Checkpoint | None) -> Iterator[None]:
    """
    Say how much had been counted before, or how to go on after a stop.

    Parameters
    ----------
    voice
        What it is said with.
    checkpoint
        What keeps the number of parts, or None.

    Raises
    ------
    KeyboardInterrupt
        After a stop, with what is kept.
    """
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None:
            raise
        msg = f"{checkpoint.n_parts} parts of the records are counted and kept; run the same again to go on"
        raise KeyboardInterrupt(msg) from None
    if checkpoint is not None and checkpoint.n_found:
        voice.say(f"{checkpoint.n_found} of {checkpoint.n_parts} parts of the records had been counted before the stop")


def plan_to_go_on_from(study: Study, run: RunDir) -> Plan | None:
    """
    Plan that an earlier run into the same folder had come to: kept by one that was killed, else written by one that ended.

    Parameters
    ----------
    study
        Whose network it has to run on.
    run
        The run directory; a plan of it names stops by index.

    Returns
    -------
    Plan or None
        The plan; None where there is none yet.
    """
    from owlbus.pipeline.checkpoint import read_kept_plan
    from owlbus.plan import read_plan

    kept, written = read_kept_plan(run.keep(), study.network), run.path / "plan.geojson"
    if kept is not None or not written.is_file():
        return kept
    return read_plan(written, study.network)


def require_whole(*, resume: bool, base: str | None) -> None:
    """
    Refuse to go on where there is no search that could.

    Parameters
    ----------
    resume
        Whether the user asks for it.
    base
        Plan that is changed a little, whose stops are counted against it, or None.

    Raises
    ------
    UsageError
        If both are given.
    """
    if resume and base is not None:
        msg = f"--resume goes on with a search for new routes, and --base {base} is changed a little at once; leave one of them out"
        raise UsageError(msg)
