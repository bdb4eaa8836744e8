"""The report of a run, from what is at hand while it is made, or from its directory afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.errors import DataError
from owlbus.pipeline.study import read_study
from owlbus.plan import read_plan
from owlbus.report.content import Content, Told
from owlbus.rundir import read_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.network import Network
    from owlbus.pipeline.study import Study

OWN_NAME = "this plan"
"""What a report calls the plan that it is about."""

_ABOUT = ("command", "seed", "ended_by", "objective_share", "bound_share", "settings", "inputs", "versions")


def report_content(study: Study, best: Told, reference: Told | None, about: Mapping[str, Any]) -> Content:
    """
    Gather what a report is made of.

    Parameters
    ----------
    study
        Grid, demand and network.
    best
        The plan that the report is about; its scorecard as JSON holds it, trips and people a night.
    reference
        A plan that it is held against, or None.
    about
        What the run says about itself, as `owlbus.rundir.describe_run` returns it.

    Returns
    -------
    Content
        For `owlbus.report.report_html`.
    """
    told = {name: about[name] for name in _ABOUT if name in about}
    return Content(study.network, study.demand, best, reference, study.city, study.districts, study.is_synthetic, told)


def read_content(path: str | PathLike[str]) -> Content:
    """
    Gather what the report of a run is made of from its directory.

    Parameters
    ----------
    path
        A run directory of ``owlbus plan``, ``demo`` or ``score``.

    Returns
    -------
    Content
        The same as when the run was made; lengths in metres, trips and people a night.

    Raises
    ------
    DataError
        If a file is missing or they do not belong together.
    """
    folder = Path(path)
    study = read_study(folder)
    about = read_run(folder)
    best = _read_told(folder, study.network, OWN_NAME, "plan.geojson", "scorecard.json")
    name = about["settings"].get("reference_name")
    reference = None
    if name is not None:
        reference = _read_told(folder, study.network, str(name), "reference.geojson", "reference_scorecard.json")
    return report_content(study, best, reference, about)


def _read_told(folder: Path, network: Network, name: str, plan: str, card: str) -> Told:
    """Read a plan with its scorecard."""
    for file in (folder / plan, folder / card):
        if not file.is_file():
            msg = f"{folder}: must hold {file.name}, as runs of `owlbus plan` do; make one with: owlbus plan FILES --out DIR"
            raise DataError(msg)
    try:
        values = json.loads((folder / card).read_bytes())
    except ValueError:
        values = None
    routes = read_plan(folder / plan, network)
    if not isinstance(values, dict) or [row["name"] for row in values.get("routes", ())] != list(routes.names):
        msg = f"{folder / card}: must be the scorecard of the {len(routes)} routes in {plan}; write the run again"
        raise DataError(msg)
    return Told(name, routes, values)
