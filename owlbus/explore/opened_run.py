"""A run directory as `explore` opens it: study, plan, reference, limits, and whether it stays as it was."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, step
from owlbus.common.files import parse_json, read_regular, rebuild_errors
from owlbus.evidence import PlanEvaluator
from owlbus.network.drive_times import takes_matrix
from owlbus.pipeline.day_services import day_types_of
from owlbus.pipeline.run_json import RUN_FILE, read_run
from owlbus.pipeline.rundir import require_unchanged
from owlbus.pipeline.study import read_study
from owlbus.plan import read_plan
from owlbus.plan.limits import RouteLimits, ServiceRule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.timetable import DayType

PLAN_FILE = "plan.geojson"


@dataclass(frozen=True, slots=True, eq=False)
class OpenedRun:
    """
    A run directory.

    Attributes
    ----------
    path
        The directory.
    about
        Content of its ``run.json``; times in seconds.
    study
        Grid, demand and network.
    plan
        The plan of the run.
    reference, reference_name
        The plan that it is compared with and what people call it, or None.
    limits
        What the search of the run kept, metres and seconds; routes of any shape for a given plan.
    evaluator
        Evaluates plans by the service rule of the run's scorecard.
    headway_s
        Seconds between buses that the scorecard counts the fleet for.
    marks
        What tells whether ``run.json`` and the plan were written again, by file name.
    """

    path: Path
    about: Mapping[str, Any]
    study: Study
    plan: Plan
    reference: Plan | None
    reference_name: str | None
    limits: RouteLimits
    evaluator: PlanEvaluator
    headway_s: int
    marks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def day_types(self) -> tuple[DayType, ...]:
        """Day types that the run was planned for, with headways in seconds; none where every night is alike."""
        return day_types_of(self.about["settings"])

    @property
    def changed_file(self) -> str | None:
        """Name of a file of the run that was written, changed or removed since it was opened; None if all are as they were."""
        return next((name for name, mark in self.marks.items() if _mark(self.path / name) != mark), None)


def open_run(path: str | PathLike[str]) -> OpenedRun:
    """
    Open a run directory for exploring.

    Parameters
    ----------
    path
        Run directory of ``owlbus plan``, ``demo``, ``score`` or another command that writes one plan.

    Returns
    -------
    OpenedRun
        Lengths in metres, times in seconds.

    Raises
    ------
    DataError
        If a file is missing, damaged or changed, or they do not belong together.
    """
    folder = Path(path)
    marks = {name: _mark(folder / name) for name in (RUN_FILE, PLAN_FILE)}
    about = read_run(folder)
    if not (folder / PLAN_FILE).is_file():
        way = step("owlbus.pipeline.write_run", "plan", files="FILES", out="DIR")
        msg = f"{folder}: must hold {PLAN_FILE}, as runs of one plan do; make one with: {way}"
        raise DataError(msg)
    study = read_study(folder)
    metres = threading.Thread(target=lambda: takes_matrix(study.network) and study.network.drive_m)  # beside the seconds: no lock is held
    metres.start()
    with rebuild_errors(folder, "run"):
        plan = read_plan(folder / PLAN_FILE, study.network)
        reference, name = _reference(folder, study, about)
        rule, headway_s = _rule(folder, about)
        limits = _limits(about, headway_s)
        evaluator = PlanEvaluator.build(study.network, study.demand, rule, study.districts, study.min_count)
        metres.join()
    return OpenedRun(folder, about, study, plan, reference, name, limits, evaluator, headway_s, marks)


def _reference(folder: Path, study: Study, about: Mapping[str, Any]) -> tuple[Plan | None, str | None]:
    """Plan that the run is compared with, and its name."""
    name, file = about["settings"].get("reference_name"), folder / "reference.geojson"
    if not isinstance(name, str) or not file.is_file():
        return None, None
    return read_plan(file, study.network), name


def _rule(folder: Path, about: Mapping[str, Any]) -> tuple[ServiceRule, int]:
    """Service rule and headway of the scorecard; those of the settings where there is none."""
    file, settings = folder / "scorecard.json", about["settings"]
    if file.is_file():
        require_unchanged(file)
        card = parse_json(read_regular(file))
        return ServiceRule(**card["rule"]), int(card["headway_s"])
    limits = settings.get("limits") or {}
    return ServiceRule(**(settings.get("rule") or {})), int(limits.get("headway_s", RouteLimits().headway_s))


def _limits(about: Mapping[str, Any], headway_s: int) -> RouteLimits:
    """Limits of the search with its budgets; routes of any shape where nobody searched."""
    settings = about["settings"].get("limits") or {}
    if not settings:
        return RouteLimits.of_routes({}, headway_s)
    infinite = float("inf")
    known = RouteLimits.__dataclass_fields__.keys() & settings.keys()
    values: dict[str, Any] = {name: infinite if settings[name] is None else settings[name] for name in known}
    values["headway_s"] = headway_s
    return RouteLimits(**values)


def _mark(file: Path) -> tuple[int, ...]:
    """Inode, size and time of change of a file; empty where there is none."""
    try:
        about = file.stat()
    except OSError:
        return ()
    return about.st_ino, about.st_size, about.st_mtime_ns
