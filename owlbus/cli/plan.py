"""`owlbus plan`: the main job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from owlbus.cli.constraint_options import ConstraintOptions, constraints_of
from owlbus.cli.options import (
    LANG,
    MIN_PRESENCE,
    MIN_SERVED,
    OUT,
    REFERENCE,
    RESUME,
    SNAP,
    AreaOptions,
    DemandOptions,
    LimitOptions,
    NetworkOptions,
    OutputOptions,
    RuleOptions,
    SearchOptions,
    limits_of,
    option,
    request_of,
    require_language,
    require_snap,
    rule_of,
    sources_of,
)
from owlbus.cli.output import output_of
from owlbus.cli.run_conflicts import require_no_files
from owlbus.cli.session import (
    announce_compilation,
    checkpoint_of,
    gate,
    going_on,
    leave_if_interrupted,
    plan_to_go_on_from,
    publish,
    reference_of,
    require_whole,
    settings_of_run,
    show_run,
    study_of,
    warn,
)
from owlbus.cli.shares import require_share
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from owlbus.cli.session import Trial
    from owlbus.pipeline import PlanRun, Sources
    from owlbus.pipeline.rundir import RunDir

_TRIALS = "How the plan is put to the test"


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How the plan is put to the test."""

    robust: Annotated[
        str | None,
        option(
            _TRIALS, "--robust", unit="mean|QUANTILE", text="Maximise over nights: their mean (the default), or a low quantile such as 0.1."
        ),
    ] = None
    cross_check: Annotated[
        bool, option(_TRIALS, "--cross-check", text="Also plan on calls alone and on taxi alone, and score each plan on the other.")
    ] = False

    @property
    def quantile(self) -> float | None:
        """Quantile over nights to maximise, 0 to 1; None for their mean."""
        return None if self.robust in {None, "mean"} else float(self.robust or 0)

    def require(self, from_run: str | None, constraints: ConstraintOptions) -> None:
        """
        Refuse what cannot be tried.

        Parameters
        ----------
        from_run
            Run directory that demand is taken from, or None.
        constraints
            What the plan is wished to be.

        Raises
        ------
        UsageError
            If the quantile is none, a plan near another one is to go on from it, or sources are to be told apart that a run has blended.
        """
        try:
            bad = self.quantile is not None and not 0 <= self.quantile <= 1
        except ValueError:
            bad = True
        if bad:
            msg = f"--robust must be mean or a quantile in [0, 1], got {self.robust!r}"
            raise UsageError(msg)
        if constraints.base is not None and self.robust not in {None, "mean"}:
            msg = f"--robust {self.robust} changes routes as it likes, and --base says that few stops may change; leave one of them out"
            raise UsageError(msg)
        if from_run is not None and self.cross_check:
            msg = f"--cross-check needs the records, and {from_run} holds only the demand made of them; name FILES instead of --run"
            raise UsageError(msg)


def plan(
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    search: SearchOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    constraints: ConstraintOptions,
    trials: TrialOptions,
    talk: OutputOptions,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES…", help="Records: Parquet or CSV, compressed or not, folders or patterns; - is standard input."),
    ] = None,
    out: Annotated[str | None, OUT] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Take demand and network from an earlier run instead.")
    ] = None,
    resume: Annotated[bool, RESUME] = False,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP] = 1500.0,
    lang: Annotated[str, LANG] = "en",
    min_presence: Annotated[float | None, MIN_PRESENCE] = None,
    min_served: Annotated[float | None, MIN_SERVED] = None,
) -> None:
    """
    [bold]owlbus plan calls.parquet taxi.csv.gz --area city.geojson --routes 9 --fleet 45 --headway 45 --out run[/bold]

    Plan night routes on records of calls and taxi rides, and measure them: map, routes and scorecard in one folder.
    """
    from owlbus.pipeline import best_plan, score_study
    from owlbus.pipeline.checkpoint import PlanCheckpoint
    from owlbus.pipeline.rundir import open_run_dir
    from owlbus.score import CITY_SHARE

    if out is None:
        msg = "plan needs a folder to write to; add --out DIR"
        raise UsageError(msg)
    require_no_files(from_run, files)
    require_share("--min-presence", min_presence)
    require_share("--min-served", min_served)
    require_snap(max_snap)
    require_language(lang)
    trials.require(from_run, constraints)
    constraints.require_whole()
    require_whole(resume=resume, base=constraints.base)
    request = replace(request_of(search, limits_of(limits), rule_of(rule)), scheduler=demand.scheduler)
    sources = None if from_run else sources_of(files, area, demand, network)
    with output_of(talk) as voice, open_run_dir(out) as run:
        announce_compilation(voice)
        checkpoint = checkpoint_of(run, resume=resume)
        with going_on(voice, checkpoint):
            study = study_of(sources, from_run, run, checkpoint)
        warn(voice, study)
        given = reference_of(study, reference, max_snap)
        request = constraints_of(request, constraints, limits, study, max_snap)
        if resume:
            request = replace(request, begin=plan_to_go_on_from(study, run))
            voice.say("no earlier plan to go on from" if request.begin is None else f"going on from a plan of {len(request.begin)} routes")
        ran = best_plan(study, request, on_gain=PlanCheckpoint(run.keep()) if resume else None)
        ran, tried = _put_to_test(ran, trials, sources, run)
        held = None if given is None else score_study(study, given[1], given[0], rule=request.rule, headway_s=request.limits.headway_s)
        title = f"{len(ran.best.plan)} night routes"
        settings = settings_of_run(
            sources,
            request,
            run=from_run,
            reference=reference,
            is_synthetic=study.is_synthetic,
            robust=trials.robust,
            **({"resumed": request.begin is not None} if resume else {}),
        )
        publish(run, ran, held, settings, title, lang)
    show_run(voice, ran, held, out, title, CITY_SHARE if held is not None and reference is None else None, tried)
    leave_if_interrupted(ran)
    gate(ran.best.card, min_presence, min_served)


def _put_to_test(ran: PlanRun, trials: TrialOptions, sources: Sources | None, run: RunDir) -> tuple[PlanRun, dict[str, Trial]]:
    """Make the plan good on bad nights, and plan on each source alone, where that is asked for."""
    from owlbus.pipeline.trials import check_sources, good_on_bad_nights

    tried: dict[str, Trial] = {}
    if trials.quantile is not None and not ran.result.was_interrupted:
        ran, tried["robust"] = good_on_bad_nights(ran, trials.quantile)
    if trials.cross_check and sources is not None and not ran.result.was_interrupted:
        tried["cross_check"] = check_sources(sources, ran.study, ran.request)
    for name, trial in tried.items():
        run.write_json(f"{name}.json", trial.to_dict())
    return ran, tried
