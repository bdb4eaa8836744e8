"""`owlbus score`: measure a given plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import limits_of, require_language, require_no_files, require_snap, require_timezone, rule_of
from owlbus.cli.options import (
    AGENCY_TIMEZONE,
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
from owlbus.cli.plan_files import PlanReader, feed_modes, feed_of_plan, plan_name, require_feed, run_beside
from owlbus.cli.service_options import ServiceOptions, score_reference, service_of
from owlbus.cli.session import (
    SYNTHETIC,
    gate,
    reference_of,
    require_thresholds,
    settings_of_run,
    sources_or_run,
    study_of,
    warn,
)
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.cli.tables import plan_document, plans_table, routes_table, study_document, without_stop
from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import FindingError
from owlbus.common.text import how_many

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
    service: ServiceOptions,
    out: Annotated[str | None, OUT] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP, Gives("max_snap_m")] = MAX_SNAP_M,
    agency_timezone: Annotated[str | None, AGENCY_TIMEZONE] = None,
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

    require_thresholds(min_presence, min_served)
    _require_consistent(from_run, files, max_snap, lang, (feed, (plan, reference)))
    require_timezone(agency_timezone)
    bounds, service_rule = limits_of(limits), rule_of(rule)
    ride_service = service_of(service, bounds)
    sources, from_run = sources_or_run(from_run, run_beside([plan]), files, (area, demand, network), feed_of_plan(plan))
    with open_output(output_options) as output:
        output.say(f"measured on {'the run ' + from_run if from_run else ', '.join(files or ['the sample city'])}")
        study = study_of(sources, from_run, None)
        warn(output, study)
        reader = PlanReader(study, max_snap, output.say, feed, feed_modes(sources, from_run))
        routes, named_reference = reader.read(plan), reference_of(reader, reference)
        scored = score_study(study, routes, plan_name(plan), rule=service_rule, headway_s=bounds.headway_s, service=ride_service)
        is_other = named_reference is not None and not named_reference[1].equals(routes)
        scored_reference = score_reference(study, named_reference if is_other else None, service_rule, bounds.headway_s, ride_service)
        broken = check_plan(study.network, routes, bounds, simple=False)
        _save(save, study, routes, bounds.headway_s)
        if out is not None:
            settings = settings_of_run(sources, None, plan=plan, run=from_run, is_synthetic=study.is_synthetic, **reader.facts)
            _write(out, study, scored, scored_reference, settings, agency_timezone, lang)
    title = f"{how_many(len(routes), 'route')} of {Path(plan).name}"
    city_share = study.city_share if reference is None else None
    _show(output, study, [scored, *([scored_reference] if scored_reference else [])], (broken, reader.facts), title, city_share)
    if check:
        _require_no_broken(plan, broken)
    for line in broken:
        output.detail(f"note: {line}")
    gate(scored.card, min_presence, min_served)


def _require_consistent(
    from_run: str | None,
    files: list[str] | None,
    max_snap_m: float,
    language: str,
    feed: tuple[FeedPlanOptions, tuple[str | None, ...]],
) -> None:
    """Refuse options that exclude each other or are out of range, before anything is read."""
    require_snap(max_snap_m)
    require_language(language)
    require_no_files(from_run, files)
    require_feed(*feed)


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


def _show(
    output: Output,
    study: Study,
    plans: list[ScoredPlan],
    facts: tuple[Sequence[str], dict[str, Any]],
    title: str,
    city_share: float | None,
) -> None:
    """Print the scores of the plan and, if there is a second one, of the reference; `facts` are broken limits, and what feeds gave."""
    document = {
        "command": "score",
        "study": study_document(study),
        "plan": plan_document(plans[0]),
        "reference": plan_document(plans[1]) if len(plans) > 1 else None,
        "broken_limits": list(facts[0]),
        **facts[1],
    }
    output.show(
        document, plans_table(study, plans, title=title, city_share=city_share), routes_table(plans[0].card), *without_stop(plans[0].card)
    )
    if study.is_synthetic:
        output.say(SYNTHETIC)


def _write(
    out: str,
    study: Study,
    scored: ScoredPlan,
    reference: ScoredPlan | None,
    settings: dict[str, Any],
    agency_timezone: str | None,
    language: str,
) -> None:
    """Write the plan, its scorecard and the reference to a run directory."""
    from owlbus.pipeline import write_run
    from owlbus.pipeline.outputs import feed_of
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    settings |= {"agency_timezone": agency_timezone, "reference_name": None if reference is None else reference.name}
    record = RunRecord("score", settings, None, study.inputs, None, study.timings_s, notes=study.notes, min_count=study.min_count)
    feed = feed_of(study, agency_timezone) if scored.plan.routes else None
    with open_run_dir(out) as run:
        write_run(run, study, scored, reference, title=scored.name, record=record, feed=feed, language=language)
        run.publish(record)
