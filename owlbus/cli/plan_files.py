"""Plans named on the command line: files in any format, and run directories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.cli.output import tell_match
from owlbus.common.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from owlbus.cli.options import FeedPlanOptions
    from owlbus.pipeline import Study
    from owlbus.plan import Plan
    from owlbus.timetable import Timetable

_ZIP = b"PK\x03\x04"
_PLAN_FILE = "plan.geojson"
_STUDY_FILES = ("run.json", "demand.parquet", "network.parquet")


def plan_file(path_text: str) -> Path:
    """
    File of a plan.

    Parameters
    ----------
    path_text
        The file itself, or a run directory with a ``plan.geojson``.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    DataError
        If there is no such file.
    """
    path = Path(path_text)
    file = path / _PLAN_FILE if path.is_dir() else path
    if not file.is_file():
        msg = f"{file}: no such file; name a run directory, or a plan as .geojson, .csv, .csv.gz or .zip (GTFS)"
        raise DataError(msg)
    return file


def run_beside(plans: Iterable[str]) -> str | None:
    """
    Run directory that holds one of the plans.

    Parameters
    ----------
    plans
        Files or run directories.

    Returns
    -------
    str or None
        Folder of the first plan with demand and network in the same folder.

    Raises
    ------
    DataError
        If a plan does not exist.
    """
    folders = [plan_file(plan).parent for plan in plans]
    return next((str(folder) for folder in folders if all((folder / name).is_file() for name in _STUDY_FILES)), None)


def read_any_plan(
    path_text: str, study: Study, max_snap_m: float, say: Callable[[str], None] | None = None, options: FeedPlanOptions | None = None
) -> Plan:
    """
    Read a plan from a run directory, GeoJSON, a table of way-points, or a GTFS feed.

    Parameters
    ----------
    path_text
        A folder, ``.geojson``, ``.csv``, ``.csv.gz`` or ``.zip``.
    study
        Study with the network of the plan.
    max_snap_m
        Largest distance from a way-point to the nearest stop, metres.
    say
        Function that takes a sentence on the service day of a feed, and on what was left out; None says nothing.
    options
        Service day and lines of a feed; None takes the busiest day and all lines.

    Returns
    -------
    Plan
        Routes on the study's network.

    Raises
    ------
    DataError
        If it does not exist, cannot be read, or does not lie on the network.
    UsageError
        If a service day or lines are named and the plan is no feed.
    """
    file = plan_file(path_text)
    if is_feed(file):
        return read_feed_plan(file, study, max_snap_m, say, options).plan
    require_feed(options)
    return read_drawn_plan(file, study, max_snap_m)


def read_drawn_plan(file: Path, study: Study, max_snap_m: float) -> Plan:
    """
    Read a plan from a GIS file or a table, and tell on the command's output what matching it to the network did.

    Parameters
    ----------
    file
        The file, no GTFS feed.
    study
        Study with the network of the plan.
    max_snap_m
        Largest distance from a way-point to its stop, metres.

    Returns
    -------
    Plan
        Routes on the study's network.

    Raises
    ------
    DataError
        If it cannot be read, or does not lie on the network.
    """
    from owlbus.plan import match_plan

    match = match_plan(file, study.network, max_snap_m=max_snap_m)
    if not all(route.is_own for route in match.routes):
        tell_match(file.name, match.to_dict(), match.messages)
    return match.plan


def read_feed_plan(
    file: Path, study: Study, max_snap_m: float, say: Callable[[str], None] | None, options: FeedPlanOptions | None
) -> Timetable:
    """
    Read the timetable of a feed for one night, in the hours of the demand.

    Parameters
    ----------
    file
        The feed.
    study
        Study with the network and the hours.
    max_snap_m
        Largest distance from a stop of the feed to the nearest stop, metres.
    say
        Function that takes a sentence on the service day, and on what was left out; None says nothing.
    options
        Service day and lines; None takes the busiest day and all lines.

    Returns
    -------
    Timetable
        Times in seconds.

    Raises
    ------
    DataError
        If it cannot be read, has no run in these hours, or does not lie on the network.
    UsageError
        If the date is none, or the feed has no such line.
    """
    import datetime as dt

    from owlbus.gtfs import read_gtfs

    chosen: dict[str, Any] = {}
    if options is not None:
        try:
            date = None if options.date is None else dt.date.fromisoformat(options.date)
        except ValueError:
            msg = f"--date must read YYYY-MM-DD, got {options.date!r}"
            raise UsageError(msg, setting="date", value=options.date) from None
        chosen = {"day": options.day, "date": date, "lines": None if options.lines is None else options.lines.split(",")}
    notes: list[str] = []
    read = read_gtfs(file, study.network, max_snap_m=max_snap_m, hours=study.demand.hours, notes=notes, **chosen)
    if say is not None:
        for sentence in notes:
            say(f"note: {sentence}")
    return read


def require_feed(options: FeedPlanOptions | None) -> None:
    """Refuse a service day or lines for a plan that is no feed; `options` has them, or is None."""
    if options is not None and (options.day, options.date, options.lines) != (None, None, None):
        msg = "--day, --date and --lines choose from a GTFS feed, and PLAN is none; leave them out"
        raise UsageError(msg)


def is_feed(file: Path) -> bool:
    """Tell whether `file` is a GTFS feed, by its ending or its first bytes."""
    with file.open("rb") as stream:
        return file.suffix == ".zip" or stream.read(len(_ZIP)) == _ZIP


def feed_of_plan(path_text: str) -> str | None:
    """Return the file of the plan in `path_text` if it is a GTFS feed, else None."""
    file = plan_file(path_text)
    return str(file) if is_feed(file) else None


def plan_name(path_text: str) -> str:
    """Return a name of the plan in `path_text`: that of its folder or file, without endings, as words."""
    path = Path(path_text)
    return path.resolve().name if path.is_dir() else path.name.partition(".")[0].replace("_", " ")


def plan_names(plans: list[str]) -> list[str]:
    """Return a short name for each of `plans`; names that two plans share get their folder in front."""
    names = [plan_name(plan) for plan in plans]
    if len(set(names)) == len(names):
        return names
    names = [f"{Path(plan).resolve().parent.name}/{name}" for plan, name in zip(plans, names, strict=True)]
    return [name if names.count(name) == 1 else f"{name} {index + 1}" for index, name in enumerate(names)]
