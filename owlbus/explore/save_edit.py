"""Save an edited plan as a run directory like any other: never over the opened one, and with no count but printed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.explore.help_words import help_text
from owlbus.explore.typed_path import shown_path, typed_path
from owlbus.pipeline import score_study, write_run
from owlbus.pipeline.outputs import feed_of
from owlbus.pipeline.run_json import RUN_FILE, read_run
from owlbus.pipeline.rundir import RunRecord, open_run_dir

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from owlbus.explore.opened_run import OpenedRun
    from owlbus.pipeline import ScoredPlan
    from owlbus.plan import Plan

COMMAND = "explore"
"""What ``run.json`` of a saved run names as its command."""

EDITS_FILE = "edits.json"
"""The edits in words, in a saved run: without their effects, since figures of many plans tell more than those of one."""

_SEARCH = ("n_routes", "steps", "time_s", "seed", "n_starts", "n_seeds", "bound_steps", "target_gap_share", "weights", "base", "begin")
"""Settings of the search of the opened run, which did not make the edited plan."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """
    What is saved.

    Attributes
    ----------
    plan
        The edited plan.
    edits
        What was done, one line each, in the language of the report.
    """

    plan: Plan
    edits: Sequence[str]


def folder_to_save(run: OpenedRun, out: object) -> Path:
    """
    Folder that an edited plan is saved to.

    Parameters
    ----------
    run
        The opened run.
    out
        What the user typed, or None for a new folder beside the opened run, such as ``RUN-edited-2``.

    Returns
    -------
    Path
        A folder that is absent, empty, or was saved from the page before.

    Raises
    ------
    UsageError
        If it is no path, is the opened run or lies in it, or holds anything else.
    """
    opened = run.path.resolve()
    if out is None:
        names = (opened.with_name(f"{opened.name}-edited-{k}") for k in range(1, 100_000))
        return next(path for path in names if not path.exists() and not path.is_symlink())
    target = typed_path(out, "a folder to save to")
    where = target.resolve()
    if where == opened or opened in where.parents or where in opened.parents:
        msg = f"{shown_path(out)}: is the opened run, lies in it or holds it, and that stays as it is; name another folder"
        raise UsageError(msg)
    if where.exists() and (not where.is_dir() or (any(where.iterdir()) and not _is_saved(where))):
        msg = f"{shown_path(out)}: holds something else than an edited plan that was saved from here; name a new folder"
        raise UsageError(msg)
    return where


def save_edited(run: OpenedRun, saved: SavedPlan, out: Path, language: str = "en") -> ScoredPlan:
    """
    Write an edited plan as a run directory: study, plan, scorecard, feed, map, tables, report, reference and the edits in words.

    The reference of the opened run stays that of the saved one; where there is none it is the opened plan, if that differs.

    Parameters
    ----------
    run
        The opened run.
    saved
        The plan.
    out
        As `folder_to_save` returns it.
    language
        Of the report, ``en`` or ``ko``.

    Returns
    -------
    ScoredPlan
        The plan with its scorecard.

    Raises
    ------
    DataError
        If the opened run has changed since it was opened.
    UsageError
        If the folder cannot be written.
    """
    if run.changed_file is not None:
        msg = f"{run.changed_file} of the run has changed since it was opened; open it again before you save"
        raise DataError(msg)
    study, rule, name = run.study, run.evaluator.problem.rule, out.name
    score: dict[str, Any] = {"rule": rule, "headway_s": run.headway_s}
    best = score_study(study, saved.plan, name, **score)
    other = _reference(run, saved.plan)
    reference = None if other is None else score_study(study, other[1], other[0], **score)
    settings = _settings(run, saved, reference, language)
    record = RunRecord(COMMAND, settings, None, study.inputs, min_count=study.min_count, notes=_notes(run))
    feed = feed_of(study, record.settings.get("agency_timezone")) if saved.plan.routes else None
    title = help_text(language, "save.title", name=run.path.resolve().name)
    with open_run_dir(out) as made:
        write_run(made, study, best, reference, title=title, record=record, feed=feed, language=language)
        made.write_json(EDITS_FILE, {"schema_version": 1, "opened": run.path.resolve().name, "edits": list(saved.edits)})
        made.publish(record)
    return best


def _is_saved(folder: Path) -> bool:
    """Whether a folder holds a plan that was saved from the page."""
    if not (folder / RUN_FILE).is_file():
        return False
    try:
        return bool(read_run(folder)["command"] == COMMAND)
    except DataError:
        return False


def _reference(run: OpenedRun, plan: Plan) -> tuple[str, Plan] | None:
    """Return name and plan that the saved one is compared with."""
    if run.reference is not None and run.reference_name is not None:
        return run.reference_name, run.reference
    return None if plan.equals(run.plan) else (run.path.resolve().name, run.plan)


def _settings(run: OpenedRun, saved: SavedPlan, reference: ScoredPlan | None, language: str) -> dict[str, Any]:
    """Return the settings of the opened run that hold for the edited plan too, and what was done."""
    kept = {name: value for name, value in run.about["settings"].items() if name not in _SEARCH}
    return {
        **kept,
        "is_synthetic": run.study.is_synthetic,
        "opened": run.path.resolve().name,
        "question": [help_text(language, "save.question", n=len(saved.edits))],
        "reference_name": None if reference is None else reference.name,
    }


def _notes(run: OpenedRun) -> tuple[str, ...]:
    """Return what the opened run says of its records."""
    return tuple(str(note) for note in run.about.get("notes", ()))
