"""`owlbus plan`: the main job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from owlbus.cli.chain import (
    announce_compilation,
    gate,
    leave_if_interrupted,
    publish,
    reference_of,
    require_share,
    settings_of_run,
    show_run,
    study_of,
    warn,
)
from owlbus.cli.options import (
    MIN_PRESENCE,
    MIN_SERVED,
    OUT,
    REFERENCE,
    SNAP,
    AreaOptions,
    DemandOptions,
    LimitOptions,
    NetworkOptions,
    RuleOptions,
    SearchOptions,
    TalkOptions,
    limits_of,
    option,
    request_of,
    rule_of,
    sources_of,
)
from owlbus.cli.talk import talking
from owlbus.errors import UsageError

if TYPE_CHECKING:
    from owlbus.pipeline import PlanRun


def plan(
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    search: SearchOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    talk: TalkOptions,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILES…", help="Records: Parquet or CSV, compressed or not; - is standard input.")
    ] = None,
    out: Annotated[str | None, OUT] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Take demand and network from an earlier run instead.")
    ] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP] = 1500.0,
    robust: Annotated[
        str | None,
        option(
            "Search",
            "--robust",
            unit="mean|QUANTILE",
            text="Maximise over nights: their mean (the default), or a low quantile such as 0.1.",
        ),
    ] = None,
    min_presence: Annotated[float | None, MIN_PRESENCE] = None,
    min_served: Annotated[float | None, MIN_SERVED] = None,
) -> None:
    """
    [bold]owlbus plan calls.parquet taxi.csv.gz --area city.geojson --routes 9 --fleet 45 --headway 45 --out run[/bold]

    Plan night routes on records of calls and taxi rides, and measure them: map, routes and scorecard in one folder.
    """
    from owlbus.pipeline import best_plan, score_study
    from owlbus.rundir import open_run_dir
    from owlbus.score import CITY_SHARE

    if out is None:
        msg = "plan needs a folder to write to; add --out DIR"
        raise UsageError(msg)
    if from_run is not None and files:
        msg = f"--run takes demand and network from {from_run}, so FILES would not be read; leave one of them out"
        raise UsageError(msg)
    require_share("--min-presence", min_presence)
    require_share("--min-served", min_served)
    quantile = _quantile(robust)
    request = request_of(search, limits_of(limits), rule_of(rule))
    sources = None if from_run else sources_of(files, area, demand, network)
    with talking(talk) as voice, open_run_dir(out) as run:
        announce_compilation(voice)
        study = study_of(sources, from_run, run)
        warn(voice, study)
        given = reference_of(study, reference, max_snap)
        ran = best_plan(study, request)
        if quantile is not None:
            ran = _good_on_bad_nights(ran, quantile)
        held = None if given is None else score_study(study, given[1], given[0], rule=request.rule, headway_s=request.limits.headway_s)
        title = f"{len(ran.best.plan)} night routes"
        publish(
            run, ran, held, settings_of_run(sources, request, run=from_run, reference=reference, is_synthetic=study.is_synthetic), title
        )
    show_run(voice, ran, held, out, title, CITY_SHARE if held is not None and reference is None else None)
    leave_if_interrupted(ran)
    gate(ran.best.card, min_presence, min_served)


def _quantile(robust: str | None) -> float | None:
    """Return the quantile over nights to maximise, None for their mean."""
    if robust in {None, "mean"}:
        return None
    try:
        quantile = float(robust or "")
    except ValueError:
        quantile = -1.0
    if not 0 <= quantile <= 1:
        msg = f"--robust must be mean or a quantile in [0, 1], got {robust!r}"
        raise UsageError(msg)
    return quantile


def _good_on_bad_nights(ran: PlanRun, quantile: float) -> PlanRun:
    """Go on from the plan of a search to one whose served share is high on bad nights too."""
    from owlbus.evidence.robust import robust_plan
    from owlbus.pipeline import score_study
    from owlbus.search import Objective

    study, request = ran.study, ran.request
    goal = Objective.parse(request.objective)
    plan, _ = robust_plan(
        study.network,
        study.demand,
        ran.result.plan,
        request.limits,
        rule=request.rule,
        objective=goal,
        quantile=quantile,
        seed=request.seed,
    )
    best = score_study(study, plan, ran.best.name, rule=request.rule, headway_s=request.limits.headway_s)
    return replace(ran, best=best, result=replace(ran.result, plan=plan))
