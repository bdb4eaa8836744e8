"""`owlbus score`: measure a given plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.options import (
    LANG,
    MIN_PRESENCE,
    MIN_SERVED,
    OUT,
    REFERENCE,
    SNAP,
    AreaOptions,
    DemandOptions,
    LimitOptions,
    NetworkOptions,
    OutputOptions,
    RuleOptions,
    limits_of,
    require_language,
    require_snap,
    rule_of,
    sources_of,
)
from owlbus.cli.output import output_of
from owlbus.cli.plan_files import plan_name, read_any_plan, run_beside
from owlbus.cli.run_conflicts import require_no_files
from owlbus.cli.session import (
    SYNTHETIC,
    gate,
    reference_of,
    settings_of_run,
    study_of,
    warn,
)
from owlbus.cli.shares import require_share
from owlbus.cli.tables import plan_document, plans_table, routes_table, study_document
from owlbus.common.errors import FindingError

if TYPE_CHECKING:
    from owlbus.pipeline import ScoredPlan, Study


def score(
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    talk: OutputOptions,
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="Run directory, GeoJSON, CSV of way-points (route, sequence, lon, lat), or GTFS.")
    ],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records to measure it on.")] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Measure it on demand and network of an earlier run.")
    ] = None,
    out: Annotated[str | None, OUT] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP] = 1500.0,
    lang: Annotated[str, LANG] = "en",
    check: Annotated[
        bool, typer.Option("--check", metavar="", help="End with code 1 if the plan breaks a limit.", rich_help_panel="Output")
    ] = False,
    min_presence: Annotated[float | None, MIN_PRESENCE] = None,
    min_served: Annotated[float | None, MIN_SERVED] = None,
) -> None:
    """
    [bold]owlbus score routes.geojson calls.parquet --area city.geojson[/bold], or [bold]owlbus score routes.geojson --run run[/bold]

    Measure a plan: whom it reaches, what it serves, what it needs. Without FILES and --run it is measured on the run whose folder it lies
    in, else on the sample city.
    """
    from owlbus.pipeline import score_study
    from owlbus.plan import check_plan
    from owlbus.score import CITY_SHARE

    require_snap(max_snap)
    require_language(lang)
    require_share("--min-presence", min_presence)
    require_share("--min-served", min_served)
    require_no_files(from_run, files)
    bounds, served = limits_of(limits), rule_of(rule)
    beside = run_beside([plan])
    if from_run is None and not files and area.city is None:
        from_run, area = (beside, area) if beside else (None, replace(area, city="seoul"))
    sources = None if from_run else sources_of(files, area, demand, network)
    with output_of(talk) as voice:
        voice.say(f"measured on {'the run ' + from_run if from_run else ', '.join(files or ['the sample city'])}")
        study = study_of(sources, from_run, None)
        warn(voice, study)
        given = read_any_plan(plan, study, max_snap)
        held = reference_of(study, reference, max_snap)
        plans: list[ScoredPlan] = [score_study(study, given, plan_name(plan), rule=served, headway_s=bounds.headway_s)]
        if held is not None and not held[1].equals(given):
            plans.append(score_study(study, held[1], held[0], rule=served, headway_s=bounds.headway_s))
        broken = check_plan(study.network, given, bounds, simple=False)
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=from_run, is_synthetic=study.is_synthetic)
            _write(out, study, plans, settings, lang)
    document = {
        "command": "score",
        "study": study_document(study),
        "plan": plan_document(plans[0]),
        "reference": plan_document(plans[1]) if len(plans) > 1 else None,
        "broken_limits": list(broken),
    }
    title = f"{len(given)} routes of {Path(plan).name}"
    city_share = CITY_SHARE if study.city is not None and reference is None else None
    voice.show(document, plans_table(study, plans, title=title, city_share=city_share), routes_table(plans[0].card))
    if study.is_synthetic:
        voice.say(SYNTHETIC)
    if check and broken:
        msg = f"{plan}: breaks {len(broken)} limit{'s' * (len(broken) > 1)}, first: {broken[0]}; change the plan, or the limit"
        raise FindingError(msg)
    for line in broken:
        voice.detail(f"note: {line}")
    gate(plans[0].card, min_presence, min_served)


def _write(out: str, study: Study, plans: list[ScoredPlan], settings: dict[str, Any], language: str) -> None:
    """Write the plan and its scorecard to a run directory."""
    from owlbus.pipeline import write_run
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    held = plans[1] if len(plans) > 1 else None
    told = {**settings, "reference_name": None if held is None else held.name}
    record = RunRecord("score", told, None, study.inputs, None, study.timings_s)
    with open_run_dir(out) as run:
        write_run(run, study, plans[0], held, title=plans[0].name, record=record, language=language)
        run.publish(record)
