"""`owlbus demo`: plan for the sample city with the budget of 2013."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Annotated

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language, require_timezone
from owlbus.cli.options import AGENCY_TIMEZONE, LANG, OUT, OutputOptions
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import PlanReader
from owlbus.cli.service_options import score_reference
from owlbus.cli.session import (
    leave_if_interrupted,
    publish,
    reference_of,
    settings_of_run,
    show_run,
    study_of,
    warn,
)
from owlbus.common.defaults import DEFAULT_STEPS, HEADWAY_S

FLEET = 45


def demo(
    *,
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Moves to try.", rich_help_panel="Search")] = DEFAULT_STEPS,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel="Search")] = 0,
    out: Annotated[str, OUT] = "owlbus-demo",
    agency_timezone: Annotated[str | None, AGENCY_TIMEZONE] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus demo --out demo[/bold]

    Plan nine night routes for the sample city and compare them with the nine routes of 2013. The budget is that of 2013: 45 buses, a
    headway of 45 minutes, and the same route-kilometres. Works offline; the demand is synthetic.
    """
    from owlbus.pipeline import (
        Request,
        Sources,
        best_plan,
        budget_of,
    )
    from owlbus.pipeline.outputs import feed_of
    from owlbus.pipeline.rundir import open_run_dir
    from owlbus.plan.limits import RouteLimits

    require_language(lang)
    require_timezone(agency_timezone)
    sources, asked = Sources(city="seoul"), Request(steps=steps, seed=seed)
    with open_output(output_options) as output, open_run_dir(out) as run:
        study = study_of(sources, None, run)
        warn(output, study)
        reference = reference_of(PlanReader(study), None)
        assert reference is not None, "the sample city has the routes of 2013"  # noqa: S101 - shipped with the package
        limits = budget_of(study, reference[1], RouteLimits(max_buses=FLEET, headway_s=HEADWAY_S))
        request = replace(asked, n_routes=len(reference[1]), limits=limits)
        plan_run = best_plan(study, request)
        scored_reference = score_reference(study, reference, request.rule, HEADWAY_S)
        title = "Nine night routes for Seoul, with the budget of 2013"
        settings = settings_of_run(sources, request, agency_timezone=agency_timezone)
        written = publish(run, plan_run, scored_reference, settings, title, feed_of(study, agency_timezone), lang)
    show_run(output, plan_run, scored_reference, out, title, study.city_share, written=written)
    output.say(f"Edit the plan in the browser, and see its numbers change: owlbus explore {shlex.quote(out)}")
    leave_if_interrupted(plan_run)
