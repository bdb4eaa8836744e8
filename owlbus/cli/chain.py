"""What `demo`, `plan` and `score` share: the study, the plan held against, the run directory, the gates and the exit."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from owlbus.cli.fixed import require_none_fixed
from owlbus.cli.given import plan_name, read_any_plan
from owlbus.cli.show import plan_document, plans_table, routes_table, study_document
from owlbus.cli.stopping import StoppedError
from owlbus.errors import FindingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.cli.talk import Talk
    from owlbus.pipeline import PlanRun, Request, Scored, Sources, Study
    from owlbus.pipeline.keeping import Keeper
    from owlbus.plan import Plan
    from owlbus.rundir import RunDir

SYNTHETIC = "Synthetic demand, drawn so that the routes of 2013 reach about the 42 % that the city states: it cannot confirm that figure."


def study_of(sources: Sources | None, from_run: str | None, run: RunDir | None, keeper: Keeper | None = None) -> Study:
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
    keeper
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
        require_none_fixed(from_run)
        return read_study(from_run)
    if sources is None:
        msg = "no records are named; give files of calls or taxi rides, --city seoul, or --run DIR"
        raise UsageError(msg)
    return build_study(sources, rejected=None if run is None else run.stage("rejected.parquet"), keeper=keeper)


def announce_compilation(voice: Talk) -> None:
    """Say through `voice` that the first run on a machine takes longer, where nothing is compiled yet."""
    from owlbus import kernels

    if not any(Path(kernels.__path__[0]).glob("__pycache__/*.nbi")):
        voice.say("first run: the kernels are compiled on the way, which takes up to a minute")


def warn(voice: Talk, study: Study) -> None:
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
    from owlbus.pipeline.runs import settings_of

    values: dict[str, Any] = {}
    run = more.get("run")
    if sources is None and isinstance(run, str):
        from owlbus.rundir import read_run

        values["city"] = read_run(run)["settings"].get("city")
    if sources is not None:
        values |= asdict(sources) | {"is_synthetic": sources.is_synthetic}
        values["files"] = list(values["files"])
    if request is not None:
        values |= settings_of(request)
    return values | more


def publish(run: RunDir, ran: PlanRun, held: Scored | None, settings: Mapping[str, Any], title: str, language: str = "en") -> None:
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
    from owlbus.rundir import RunRecord

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
    voice: Talk,
    ran: PlanRun,
    held: Scored | None,
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
        "ended_by": ran.result.ended_by,
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
