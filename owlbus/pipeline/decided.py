"""Who chose the stops of a plan, as far as its run directory tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.evidence.answer_sentences import sentence
from owlbus.pipeline.run_json import RUN_FILE, read_run
from owlbus.pipeline.rundir import check_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

RESULTS = ("plan", "gtfs")
"""What the names of files begin with that hold the plan that a run made; others, such as the reference, were given to it."""

_SEARCHES = ("plan", "demo", "sweep")
_GIVEN = ("score", "compare", "timetable")
_EDITED = "explore"
_OBJECTIVES = ("served", "direct", "presence", "travel_time")


def decided_by_run(file: str | PathLike[str], language: str) -> dict[str, Any]:
    """
    Who chose the stops of a plan, by the run directory that its file lies in.

    Parameters
    ----------
    file
        File of the plan.
    language
        ``en`` or ``ko``.

    Returns
    -------
    dict
        ``by``: ``search``, with ``objective`` in words and ``seed``; ``command``, with ``command`` and ``question``; ``edit`` or ``hand``.
    """
    path = Path(file)
    about = about_run_of(path)
    command = about.get("command")
    if command is None or command in _GIVEN or not path.name.startswith(RESULTS):
        return {"by": "hand"}
    if command == _EDITED or any(line.startswith(path.name) for line in check_run(path.parent)):
        return {"by": "edit"}
    settings: Mapping[str, Any] = about["settings"]
    if command in _SEARCHES:
        return {"by": "search", "objective": _objective(str(settings.get("objective", "served")), language), "seed": about.get("seed")}
    question = " ".join(str(part) for part in settings.get("question", []) if part) or f"change {settings.get('change')}"
    return {"by": "command", "command": command, "question": question}


def about_run_of(file: Path) -> dict[str, Any]:
    """
    Content of the ``run.json`` beside a file.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    dict
        Durations in seconds; nothing where there is none.
    """
    return read_run(file.parent) if (file.parent / RUN_FILE).is_file() else {}


def _objective(name: str, language: str) -> str:
    """Return an objective in words."""
    known = name in _OBJECTIVES
    return sentence(language, f"objective.{name}" if known else "objective.mix", **({} if known else {"objective": name}))
