"""`owlbus plan`: plan routes from records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from owlbus.cli.begin_options import BEGIN, begin_from, require_begin
from owlbus.cli.constraint_options import ConstraintOptions, constraints_of
from owlbus.cli.day_nights import DAYS_TEXT, planned_days, planned_for
from owlbus.cli.messages import Gives
from owlbus.cli.option_values import (
    limits_of,
    request_of,
    require_language,
    require_no_files,
    require_snap,
    require_timezone,
    rule_of,
    sources_of,
)
from owlbus.cli.options import (
    AGENCY_TIMEZONE,
    LANG,
    MIN_PRESENCE,
    MIN_SERVED,
    OUT,
    REFERENCE,
    RESUME,
    SNAP,
    FeedPlanOptions,
    LimitOptions,
    OutputOptions,
    RuleOptions,
    SearchOptions,
    option,
)
from owlbus.cli.output import open_output
from owlbus.cli.plan_files import PlanReader, feed_modes, require_feed
from owlbus.cli.service_options import ServiceOptions, score_reference
from owlbus.cli.session import (
    announce_resumption,
    checkpoint_of,
    gate,
    leave_if_interrupted,
    plan_to_resume,
    publish,
    reference_of,
    require_resumable,
    require_thresholds,
    settings_of_run,
    show_run,
    study_of,
    warn,
)
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.cli.output import Output
    from owlbus.cli.session import Trial
    from owlbus.gtfs import FeedInfo
    from owlbus.pipeline import PlanRun, Sources, Study
    from owlbus.pipeline.outputs import WrittenTimetable
    from owlbus.pipeline.rundir import RunDir
    from owlbus.timetable import DayType

_TRIALS = "Trials of the plan"
_DAYS = "Days of the week"


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """Trials of the plan: on bad nights, and by source of records."""

    robust: Annotated[
        str | None,
        option(
            _TRIALS, "--robust", unit="mean|QUANTILE", text="Maximise the mean over nights (the default), or a low quantile such as 0.1."
        ),
    ] = None
    cross_check: Annotated[
        bool,
        option(
            _TRIALS, "--cross-check", text="Also plan from calls alone and from taxi rides alone, and score each plan on the other source."
        ),
    ] = False

    @property
    def quantile(self) -> float | None:
        """Quantile over nights to maximise, 0 to 1; None for their mean."""
        return None if self.robust in {None, "mean"} else float(self.robust or 0)

    def require_consistent(self, from_run: str | None, constraints: ConstraintOptions) -> None:
        """
        Refuse trials that are not possible.

        Parameters
        ----------
        from_run
            Run directory with the demand, or None.
        constraints
            Hard constraints on the plan.

        Raises
        ------
        UsageError
            If the quantile lies outside [0, 1], if it stands with ``--base``, or if ``--cross-check`` stands with ``--run``.
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
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES…", help="Records: Parquet or CSV, compressed or not, folders or patterns; - is standard input."),
    ] = None,
    from_run: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Use demand and network of an earlier run instead of FILES.")
    ] = None,
    search: SearchOptions,
    begin: Annotated[str | None, BEGIN] = None,
    limits: LimitOptions,
    days: Annotated[str | None, option(_DAYS, "--days", unit="DAYS=MINUTES,…", text=DAYS_TEXT)] = None,
    constraints: ConstraintOptions,
    trials: TrialOptions,
    feed: FeedPlanOptions,
    rule: RuleOptions,
    service: ServiceOptions,
    out: Annotated[str | None, OUT] = None,
    resume: Annotated[bool, RESUME] = False,
    agency_timezone: Annotated[str | None, AGENCY_TIMEZONE] = None,
    reference: Annotated[str | None, REFERENCE] = None,
    max_snap: Annotated[float, SNAP, Gives("max_snap_m")] = MAX_SNAP_M,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    min_presence: Annotated[float | None, MIN_PRESENCE] = None,
    min_served: Annotated[float | None, MIN_SERVED] = None,
    output_options: OutputOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus plan calls.parquet taxi.csv.gz --area city.geojson --routes 9 --fleet 45 --headway 45 --out run[/bold]

    Plan night routes from records of calls and taxi rides, and measure them. Writes report, map, routes and scorecard to one folder.
    """
    from owlbus.pipeline import best_plan
    from owlbus.pipeline.checkpoint import PlanCheckpoint
    from owlbus.pipeline.rundir import open_run_dir

    out = _require_out(out)
    require_no_files(from_run, files)
    require_thresholds(min_presence, min_served)
    _require_consistent(from_run, trials, constraints, max_snap, agency_timezone, begin, resume=resume)
    _require_read(lang, feed, (reference, constraints.fixed, constraints.base, begin))
    day_types = planned_days(days, search.routes)
    request = planned_for(replace(request_of(search, limits_of(limits), rule_of(rule), service), scheduler=demand.scheduler), day_types)
    sources = None if from_run else sources_of(files, area, demand, network)
    with open_output(output_options) as output, open_run_dir(out) as run:
        study, feed_info = _read_study(output, sources, from_run, run, (agency_timezone, day_types), resume=resume)
        reader = PlanReader(study, max_snap, output.say, feed, feed_modes(sources, from_run))
        named_reference = reference_of(reader, reference)
        request = begin_from(output, constraints_of(request, constraints, limits, reader), begin, reader)
        if resume:
            request = replace(request, begin=plan_to_resume(study, run, output))
        plan_run = best_plan(study, request, on_gain=PlanCheckpoint(run.checkpoint_dir()) if resume else None)
        plan_run, results = _try_plan(plan_run, trials, sources, run)
        scored_reference = score_reference(study, named_reference, request.rule, request.limits.headway_s, request.service)
        told = {"run": from_run, "reference": reference, **({} if begin is None else {"begin": begin}), **({"days": days} if days else {})}
        settings = settings_of_run(sources, request, **told, is_synthetic=study.is_synthetic, robust=trials.robust)
        settings |= {"agency_timezone": agency_timezone, **({"resumed": request.begin is not None} if resume else {}), **reader.facts}
        title = f"{len(plan_run.best.plan)} night routes"
        results |= _told_days(written := publish(run, plan_run, scored_reference, settings, title, feed_info, lang))
    show_run(output, plan_run, scored_reference, out, title, study.city_share if reference is None else None, results, written)
    leave_if_interrupted(plan_run)
    gate(plan_run.best.card, min_presence, min_served)


def _require_out(out: str | None) -> str:
    """Return the run directory to write, or refuse to plan without one."""
    if out is None:
        msg = "plan needs a folder to write to; add --out DIR"
        raise UsageError(msg)
    return out


def _require_read(language: str, feed: FeedPlanOptions, plans: tuple[str | None, ...]) -> None:
    """Refuse an unknown language, and options of feeds without one among the given plans."""
    require_language(language)
    require_feed(feed, plans)


def _require_consistent(
    from_run: str | None,
    trials: TrialOptions,
    constraints: ConstraintOptions,
    max_snap_m: float,
    agency_timezone: str | None,
    begin: str | None,
    *,
    resume: bool,
) -> None:
    """Refuse options that exclude each other or are out of range, before anything is read."""
    require_snap(max_snap_m)
    require_timezone(agency_timezone)
    trials.require_consistent(from_run, constraints)
    constraints.require_consistent()
    require_resumable(resume=resume, base=constraints.base)
    require_begin(begin, base=constraints.base, resume=resume)


def _read_study(
    output: Output,
    sources: Sources | None,
    from_run: str | None,
    run: RunDir,
    service: tuple[str | None, Sequence[DayType]],
    *,
    resume: bool,
) -> tuple[Study, FeedInfo]:
    """
    Build the study, with checkpoints in the run directory if `resume` is set, or read it; return it with the metadata of its feed.

    `service` is the time zone of the feed, and the day types on whose nights demand counts.
    """
    from owlbus.pipeline.day_services import on_service_days
    from owlbus.pipeline.outputs import feed_of

    checkpoint = checkpoint_of(run, resume=resume)
    with announce_resumption(output, checkpoint):
        study = study_of(sources, from_run, run, checkpoint)
    warn(output, study)
    study = on_service_days(study, service[1])
    return study, feed_of(study, service[0])


def _told_days(written: WrittenTimetable | None) -> dict[str, Trial]:
    """Return what is said of the day types, under ``days``; nothing where every night is alike."""
    from owlbus.pipeline.day_services import DaySummary

    return {} if written is None or written.days is None else {"days": DaySummary(written.days)}


def _try_plan(plan_run: PlanRun, trials: TrialOptions, sources: Sources | None, run: RunDir) -> tuple[PlanRun, dict[str, Trial]]:
    """Improve the plan for bad nights, and plan from each source alone, as `trials` say; return the plan and the results."""
    from owlbus.pipeline.trials import check_sources, robust_run

    results: dict[str, Trial] = {}
    if trials.quantile is not None and not plan_run.result.was_interrupted:
        plan_run, results["robust"] = robust_run(plan_run, trials.quantile)
    if trials.cross_check and sources is not None and not plan_run.result.was_interrupted:
        results["cross_check"] = check_sources(sources, plan_run.study, plan_run.request)
    for name, trial in results.items():
        run.write_json(f"{name}.json", trial.to_dict())
    return plan_run, results
