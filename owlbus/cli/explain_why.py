"""`owlbus explain PLAN why PLACE`: why a stop is gone, who decided, and what it would cost to have it back."""

from __future__ import annotations

from typing import Any

from owlbus.cli.plan_files import plan_file


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
    from owlbus.pipeline.decided import RESULTS, about_run_of

    file = plan_file(plan)
    about = about_run_of(file) if file.name.startswith(RESULTS) else {}
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
        As `owlbus.pipeline.decided.decided_by_run` gives it.
    """
    from owlbus.pipeline.decided import decided_by_run

    return decided_by_run(plan_file(plan), language)
