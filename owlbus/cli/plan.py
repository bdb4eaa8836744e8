"""`owlbus plan`: the main job."""

from __future__ import annotations

from typing import Annotated

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
    request_of,
    rule_of,
    sources_of,
)
from owlbus.cli.talk import talking
from owlbus.errors import UsageError


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
    request = request_of(search, limits_of(limits), rule_of(rule))
    sources = None if from_run else sources_of(files, area, demand, network)
    with talking(talk) as voice, open_run_dir(out) as run:
        announce_compilation(voice)
        study = study_of(sources, from_run, run)
        warn(voice, study)
        given = reference_of(study, reference, max_snap)
        ran = best_plan(study, request)
        held = None if given is None else score_study(study, given[1], given[0], rule=request.rule, headway_s=request.limits.headway_s)
        title = f"{len(ran.best.plan)} night routes"
        publish(
            run, ran, held, settings_of_run(sources, request, run=from_run, reference=reference, is_synthetic=study.is_synthetic), title
        )
    show_run(voice, ran, held, out, title, CITY_SHARE if held is not None and reference is None else None)
    leave_if_interrupted(ran)
    gate(ran.best.card, min_presence, min_served)
