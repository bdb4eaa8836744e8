"""Plans that are given on the command line: files of any kind, and the run directories that hold them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from owlbus.pipeline import Study
    from owlbus.plan import Plan

_ZIP = b"PK\x03\x04"
_PLAN_FILE = "plan.geojson"
_STUDY_FILES = ("run.json", "demand.parquet", "network.parquet")


def plan_file(given: str) -> Path:
    """
    File that holds a given plan.

    Parameters
    ----------
    given
        The file itself, or a run directory with a ``plan.geojson``.

    Returns
    -------
    Path
        A file that is there.

    Raises
    ------
    DataError
        If there is none.
    """
    path = Path(given)
    file = path / _PLAN_FILE if path.is_dir() else path
    if not file.is_file():
        msg = f"{file}: no such file; name a run directory, or a plan as .geojson, .csv, .csv.gz or .zip (GTFS)"
        raise DataError(msg)
    return file


def run_beside(plans: Iterable[str]) -> str | None:
    """
    Run directory that given plans lie in.

    Parameters
    ----------
    plans
        Files or run directories.

    Returns
    -------
    str or None
        Folder of the first plan that has a demand and a network beside it.

    Raises
    ------
    DataError
        If any of the plans is not there.
    """
    folders = [plan_file(plan).parent for plan in plans]
    return next((str(folder) for folder in folders if all((folder / name).is_file() for name in _STUDY_FILES)), None)


def read_any_plan(given: str, study: Study, max_snap_m: float) -> Plan:
    """
    Read a plan from a run directory, GeoJSON, a table of way-points, or a GTFS feed.

    Parameters
    ----------
    given
        A folder, ``.geojson``, ``.csv``, ``.csv.gz`` or ``.zip``.
    study
        Whose network it is to run on.
    max_snap_m
        Metres that a way-point may lie from the nearest stop.

    Returns
    -------
    Plan
        Routes on the study's network.

    Raises
    ------
    DataError
        If it is not there, cannot be read, or does not lie on the network.
    """
    from owlbus.plan import read_plan

    file = plan_file(given)
    if is_feed(file):
        from owlbus.gtfs import read_gtfs

        return read_gtfs(file, study.network, max_snap_m=max_snap_m).plan
    return read_plan(file, study.network, max_snap_m=max_snap_m)


def is_feed(file: Path) -> bool:
    """Tell whether `file` is a GTFS feed, by its ending or by what it begins with."""
    with file.open("rb") as stream:
        return file.suffix == ".zip" or stream.read(len(_ZIP)) == _ZIP


def plan_name(given: str) -> str:
    """Return what people call the plan `given`: the name of its folder or file, without endings, as words."""
    path = Path(given)
    return path.resolve().name if path.is_dir() else path.name.partition(".")[0].replace("_", " ")


def plan_names(plans: list[str]) -> list[str]:
    """Return a short name for each of `plans`, with its folder's where two files share theirs."""
    names = [plan_name(plan) for plan in plans]
    if len(set(names)) == len(names):
        return names
    names = [f"{Path(plan).resolve().parent.name}/{name}" for plan, name in zip(plans, names, strict=True)]
    return [name if names.count(name) == 1 else f"{name} {place + 1}" for place, name in enumerate(names)]
