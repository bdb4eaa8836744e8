"""`owlbus score`: measure a given plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import limits_of, require_language, require_no_files, require_snap, rule_of
from owlbus.cli.options import (
    LANG,
    MIN_PRESENCE,
    MIN_SERVED,
    OUT,
    REFERENCE,
    SNAP,
    FeedPlanOptions,
    LimitOptions,
    OutputOptions,
    RuleOptions,
)
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import feed_of_plan, plan_name, read_any_plan, run_beside
from owlbus.cli.session import (
    SYNTHETIC,
    gate,
    reference_of,
    require_thresholds,
    score_reference,
    settings_of_run,
    sources_or_run,
    study_of,
    warn,
)
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.cli.tables import plan_document, plans_table, routes_table, study_document
from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import FindingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.cli.output import Output
    from owlbus.pipeline import ScoredPlan, Study
    from owlbus.plan import Plan


def score(
    *,
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="Run directory, any GIS file, CSV of way-points (route, sequence, lon, lat), or GTFS.")
    ],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILES…", help="Records of calls or taxi rides.")] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Use demand and network of an earlier run instead of FILES.")
    ] = None,
    feed: FeedPlanOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP, Gives("max_snap_m")] = MAX_SNAP_M,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    check: Annotated[
        bool, typer.Option("--check", metavar="", help="Exit with code 1 if the plan breaks a limit.", rich_help_panel="Output")
    ] = False,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="FILE", help="Write the plan on the network's stops, .geojson or .gpkg.", rich_help_panel="Output"),
    ] = None,
    min_presence: Annotated[float | None, MIN_PRESENCE] = None,
    min_served: Annotated[float | None, MIN_SERVED] = None,
    output_options: OutputOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus score routes.geojson calls.parquet --area city.geojson[/bold], or [bold]owlbus score routes.geojson --run run[/bold]

    Measure a plan: people near a stop, trips served, buses and kilometres. A GTFS feed is its own network if no
    other is named. Without FILES and --run, it uses the run directory that holds the plan, or else the sample city.
    """
    from owlbus.pipeline import score_study
    from owlbus.plan import check_plan
    from owlbus.score import CITY_SHARE

    require_snap(max_snap)
    require_language(lang)
    require_thresholds(min_presence, min_served)
    require_no_files(from_run, files)
    bounds, service_rule = limits_of(limits), rule_of(rule)
    sources, from_run = sources_or_run(from_run, run_beside([plan]), files, (area, demand, network), feed_of_plan(plan))
    with open_output(output_options) as output:
        output.say(f"measured on {'the run ' + from_run if from_run else ', '.join(files or ['the sample city'])}")
        study = study_of(sources, from_run, None)
        warn(output, study)
        routes, named_reference = read_any_plan(plan, study, max_snap, output.say, feed), reference_of(study, reference, max_snap)
        scored = score_study(study, routes, plan_name(plan), rule=service_rule, headway_s=bounds.headway_s)
        is_other = named_reference is not None and not named_reference[1].equals(routes)
        scored_reference = score_reference(study, named_reference if is_other else None, service_rule, bounds.headway_s)
        broken = check_plan(study.network, routes, bounds, simple=False)
        _save(save, study, routes, bounds.headway_s)
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=from_run, is_synthetic=study.is_synthetic)
            _write(out, study, scored, scored_reference, settings, lang)
    title = f"{len(routes)} routes of {Path(plan).name}"
    city_share = CITY_SHARE if study.city is not None and reference is None else None
    _show(output, study, [scored, *([scored_reference] if scored_reference else [])], broken, title, city_share)
    if check:
        _require_no_broken(plan, broken)
    for line in broken:
        output.detail(f"note: {line}")
    gate(scored.card, min_presence, min_served)


def _save(file: str | None, study: Study, routes: Plan, headway_s: int) -> None:
    """Write the plan as it lies on the network, if a file is named."""
    from owlbus.plan import write_plan

    if file is not None:
        write_plan(file, study.network, routes, headway_s)


def _require_no_broken(plan: str, broken: Sequence[str]) -> None:
    """Raise a finding if a limit is broken."""
    if broken:
        msg = f"{plan}: breaks {len(broken)} limit{'s' * (len(broken) > 1)}, first: {broken[0]}; change the plan, or the limit"
        raise FindingError(msg)


def _show(output: Output, study: Study, plans: list[ScoredPlan], broken: Sequence[str], title: str, city_share: float | None) -> None:
    """Print the scores of the plan and, if there is a second one, of the reference."""
    document = {
        "command": "score",
        "study": study_document(study),
        "plan": plan_document(plans[0]),
        "reference": plan_document(plans[1]) if len(plans) > 1 else None,
        "broken_limits": list(broken),
    }
    output.show(document, plans_table(study, plans, title=title, city_share=city_share), routes_table(plans[0].card))
    if study.is_synthetic:
        output.say(SYNTHETIC)


def _write(out: str, study: Study, scored: ScoredPlan, reference: ScoredPlan | None, settings: dict[str, Any], language: str) -> None:
    """Write the plan, its scorecard and the reference to a run directory."""
    from owlbus.pipeline import write_run
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    settings = {**settings, "reference_name": None if reference is None else reference.name}
    record = RunRecord("score", settings, None, study.inputs, None, study.timings_s, notes=study.notes)
    with open_run_dir(out) as run:
        write_run(run, study, scored, reference, title=scored.name, record=record, language=language)
        run.publish(record)
