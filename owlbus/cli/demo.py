"""`owlbus demo`: the sample city with the budget of 2013."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from owlbus.cli.options import LANG, OUT, OutputOptions, require_language
from owlbus.cli.output import output_of
from owlbus.cli.session import (
    announce_compilation,
    leave_if_interrupted,
    publish,
    reference_of,
    settings_of_run,
    show_run,
    study_of,
    warn,
)
from owlbus.common.defaults import DEFAULT_STEPS

FLEET = 45
HEADWAY_S = 2_700


def demo(
    talk: OutputOptions,
    out: Annotated[str, OUT] = "owlbus-demo",
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Moves to try.", rich_help_panel="Search")] = DEFAULT_STEPS,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the search.", rich_help_panel="Search")] = 0,
    lang: Annotated[str, LANG] = "en",
) -> None:
    """
    [bold]owlbus demo --out demo[/bold]

    Plan nine night routes for the sample city with the budget of 2013, 45 buses every 45 minutes and no more route-kilometres, and hold
    them against the nine routes of 2013. Needs no network; the demand is synthetic.
    """
    from owlbus.pipeline import (
        Request,
        Sources,
        best_plan,
        budget_of,
        score_study,
    )
    from owlbus.pipeline.rundir import open_run_dir
    from owlbus.plan.limits import RouteLimits
    from owlbus.score import CITY_SHARE

    require_language(lang)
    sources, asked = Sources(city="seoul"), Request(steps=steps, seed=seed)
    with output_of(talk) as voice, open_run_dir(out) as run:
        announce_compilation(voice)
        study = study_of(sources, None, run)
        warn(voice, study)
        given = reference_of(study, None, 1500.0)
        assert given is not None, "the sample city has the routes of 2013"  # noqa: S101 - shipped with the package
        limits = budget_of(study, given[1], RouteLimits(max_buses=FLEET, headway_s=HEADWAY_S))
        request = replace(asked, n_routes=len(given[1]), limits=limits)
        ran = best_plan(study, request)
        held = score_study(study, given[1], given[0], rule=request.rule, headway_s=HEADWAY_S)
        title = "Nine night routes for Seoul, with the budget of 2013"
        publish(run, ran, held, settings_of_run(sources, request), title, lang)
    show_run(voice, ran, held, out, title, CITY_SHARE)
    leave_if_interrupted(ran)
