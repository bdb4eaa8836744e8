"""`owlbus explain PLAN why PLACE`: why a stop is gone, who decided, and what it would cost to have it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.cli.plan_files import plan_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SEARCHES = ("plan", "demo", "sweep")
_GIVEN = ("score", "compare", "timetable")
_RESULTS = ("plan", "gtfs")
"""What the names of files begin with that hold the plan that a run made; others, such as the reference, were given to it."""


def settings_beside(plan: str) -> dict[str, Any]:
    """
    Limits that the search of a plan kept, as the run directory that the plan lies in holds them.

    Parameters
    ----------
    plan
        A run directory or a file.

    Returns
    -------
    dict
        Metres, seconds and ratios; empty for a plan that no search made.
    """
    file = plan_file(plan)
    about = _about(file.parent) if file.name.startswith(_RESULTS) else {}
    limits: dict[str, Any] | None = about.get("settings", {}).get("limits")
    return limits or {}


def decided_by(plan: str, language: str) -> dict[str, Any]:
    """
    Who chose the stops of a plan, as far as the files beside it tell.

    Parameters
    ----------
    plan
        A run directory or a file.
    language
        ``en`` or ``ko``.

    Returns
    -------
    dict
        ``by``: ``search``, with ``objective`` in words and ``seed``; ``command``, with ``command`` and ``question``; ``edit`` or ``hand``.
    """
    from owlbus.pipeline.rundir import check_run

    file = plan_file(plan)
    about = _about(file.parent)
    command = about.get("command")
    if command is None or command in _GIVEN or not file.name.startswith(_RESULTS):
        return {"by": "hand"}
    if any(line.startswith(file.name) for line in check_run(file.parent)):
        return {"by": "edit"}
    settings: Mapping[str, Any] = about["settings"]
    if command in _SEARCHES:
        return {"by": "search", "objective": _objective(str(settings.get("objective", "served")), language), "seed": about.get("seed")}
    question = " ".join(str(part) for part in settings.get("question", []) if part) or f"--change {settings.get('change')}"
    return {"by": "command", "command": command, "question": question}


def _about(folder: Path) -> dict[str, Any]:
    """Content of the ``run.json`` of a folder; nothing where there is none."""
    from owlbus.pipeline.run_json import RUN_FILE, read_run

    return read_run(folder) if (folder / RUN_FILE).is_file() else {}


def _objective(name: str, language: str) -> str:
    """Return an objective in words."""
    from owlbus.evidence.answer_sentences import sentence

    known = name in {"served", "direct", "presence", "travel_time"}
    return sentence(language, f"objective.{name}" if known else "objective.mix", **({} if known else {"objective": name}))
