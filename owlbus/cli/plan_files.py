"""Plans named on the command line: files in any format, and run directories."""

from __future__ import annotations

import shlex
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from owlbus.cli.options import FeedPlanOptions
from owlbus.cli.output import tell_match
from owlbus.common.defaults import MAX_SNAP_M, MODES
from owlbus.common.errors import DataError, UsageError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable

    from owlbus.pipeline import Sources, Study
    from owlbus.plan import Plan
    from owlbus.timetable import DayType, Timetable

_ZIP = b"PK\x03\x04"
_FEED_TABLES = {"stops.txt", "trips.txt", "stop_times.txt"}
_GIS_ARCHIVES = {".kmz", ".shz"}
_PLAN_FILE = "plan.geojson"
_STUDY_FILES = ("run.json", "demand.parquet", "network.parquet")


def plan_file(path_text: str) -> Path:
    """
    File of a plan.

    Parameters
    ----------
    path_text
        The file itself, a run directory with a ``plan.geojson``, or a feed or geodatabase as a folder.

    Returns
    -------
    Path
        An existing file, or the folder of a feed or geodatabase.

    Raises
    ------
    DataError
        If there is no such file.
    """
    path = Path(path_text)
    is_plan = not path.is_dir() or path.suffix.lower() == ".gdb" or is_feed(path)
    file = path if is_plan else path / _PLAN_FILE
    if not is_plan and not file.exists():
        require_one_plan(path)
    if not file.exists():
        msg = f"{file}: no such file; name a run directory, or a plan as .geojson, .csv, .csv.gz or .zip (GTFS)"
        raise DataError(msg)
    return file


def require_one_plan(folder: Path) -> None:
    """
    Refuse a run directory that holds several plans, such as those of phases.

    Parameters
    ----------
    folder
        A folder without a plan of its own.

    Raises
    ------
    DataError
        If it holds several plans.
    """
    from owlbus.pipeline.decided import about_run_of

    plans, about = sorted(folder.glob("plan_*.geojson")), about_run_of(folder / _PLAN_FILE)
    if plans and about:
        settings = about["settings"]
        run = settings.get("run") or settings.get("plan") or "RUN"
        way = f"name one of them: {shlex.quote(str(plans[0]))} --run {shlex.quote(str(run))}"
        msg = f"{folder}: is a run of owlbus {about['command']}, which holds {how_many(len(plans), 'plan')} and not one alone; {way}"
        raise DataError(msg)


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


def day_types_beside(plans: Iterable[str]) -> tuple[DayType, ...]:
    """
    Day types that any of the plans was planned for, as their run directories tell.

    Parameters
    ----------
    plans
        Files or run directories.

    Returns
    -------
    tuple of DayType
        Each once, in the order of the plans; headways in seconds.

    Raises
    ------
    DataError
        If a plan does not exist.
    """
    from owlbus.pipeline.day_services import day_types_of
    from owlbus.pipeline.decided import RESULTS, about_run_of

    files = [file for file in map(plan_file, plans) if file.name.startswith(RESULTS)]
    return tuple(dict.fromkeys(day_type for file in files for day_type in day_types_of(about_run_of(file).get("settings", {}))))


@dataclass(frozen=True, slots=True, eq=False)
class PlanReader:
    """
    Reads the plans of one command: run directories, GIS files, tables of way-points, and GTFS feeds.

    Attributes
    ----------
    study
        Study with the network of the plans, and the hours.
    max_snap_m
        Largest distance from a way-point, or a stop of a feed, to the nearest stop, metres.
    say
        Takes a sentence on the service day of a feed, and on what was left out.
    options
        Service day, lines and pattern of feeds.
    modes
        Modes of the lines that are read from feeds.
    feeds
        What was read of each feed, by its path, for JSON documents and settings.
    """

    study: Study
    max_snap_m: float = MAX_SNAP_M
    say: Callable[[str], None] = field(default=lambda _: None)
    options: FeedPlanOptions = field(default_factory=FeedPlanOptions)
    modes: tuple[str, ...] = MODES
    feeds: dict[str, dict[str, Any]] = field(default_factory=dict)
    _tables: dict[str, Timetable] = field(default_factory=dict, init=False, repr=False)

    def read(self, path_text: str) -> Plan:
        """
        Read a plan.

        Parameters
        ----------
        path_text
            A folder, or a file in any format.

        Returns
        -------
        Plan
            Routes on the study's network.

        Raises
        ------
        DataError
            If it does not exist, cannot be read, or does not lie on the network.
        UsageError
            If the options do not fit the feed.
        """
        file = plan_file(path_text)
        return self.read_feed(file).plan if is_feed(file) else read_drawn_plan(file, self.study, self.max_snap_m)

    def read_feed(self, file: Path) -> Timetable:
        """
        Read the timetable of a feed for one night, in the hours of the demand; a feed named twice is read once.

        Parameters
        ----------
        file
            The feed.

        Returns
        -------
        Timetable
            Times in seconds.

        Raises
        ------
        DataError
            If it cannot be read, has no run in these hours, or does not lie on the network.
        UsageError
            If the date is none, the pattern is unknown, or the feed has no such line.
        """
        from owlbus.gtfs.patterns import COMMONEST
        from owlbus.gtfs.read import read_service_day

        if str(file) in self._tables:
            return self._tables[str(file)]
        lines, pattern = self.options.lines, self.options.pattern or COMMONEST
        more: dict[str, Any] = {"hours": self.study.demand.hours, "day": self.options.day, "date": self._date(), "pattern": pattern}
        more["modes"] = self.modes
        more["lines"] = None if lines is None else lines.split(",")
        reading = read_service_day(file, self.study.network, max_snap_m=self.max_snap_m, **more)
        for sentence in reading.notes:
            self.say(f"note: {sentence}")
        self.feeds[str(file)] = reading.facts | {"pattern": pattern}
        self._tables[str(file)] = reading.timetable
        return reading.timetable

    def _date(self) -> dt.date | None:
        """Return the date that the options name."""
        import datetime as dt

        try:
            return None if self.options.date is None else dt.date.fromisoformat(self.options.date)
        except ValueError:
            msg = f"--date must read YYYY-MM-DD, got {self.options.date!r}"
            raise UsageError(msg, setting="date", value=self.options.date) from None

    @property
    def facts(self) -> dict[str, Any]:
        """Member ``feeds`` of documents and settings; empty if no feed was read."""
        return {"feeds": self.feeds} if self.feeds else {}


def feed_modes(sources: Sources | None, from_run: str | None) -> tuple[str, ...]:
    """
    Modes of the lines that are read from feeds which are plans.

    Parameters
    ----------
    sources
        Sources of the study, or None.
    from_run
        Run directory of the study, or None.

    Returns
    -------
    tuple of str
        Those of the sources, or those that the network of the run was read with.
    """
    from owlbus.pipeline.run_json import read_run

    if sources is not None:
        return sources.modes
    recorded = None if from_run is None else read_run(from_run)["settings"].get("modes")
    return tuple(map(str, recorded)) if isinstance(recorded, list) and recorded else MODES


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


def require_feed(options: FeedPlanOptions, plans: Iterable[str | None]) -> None:
    """
    Refuse a service day, lines or a pattern where no plan is a feed, before anything is read.

    Parameters
    ----------
    options
        Options of feeds.
    plans
        Plans of the command; None for those that are not named.

    Raises
    ------
    UsageError
        If an option is set and none of the plans is a feed.
    DataError
        If a plan does not exist.
    """
    named = [plan for plan in plans if plan is not None]
    if not options.is_empty and not any(is_feed(plan_file(plan)) for plan in named):
        other = f"{named[0]} is none" if named else "no plan is named"
        msg = f"--day, --date, --lines and --pattern choose from a GTFS feed, and {other}; leave them out"
        raise UsageError(msg)


def is_feed(file: Path) -> bool:
    """
    Tell whether a file or folder is a GTFS feed, by its members.

    Parameters
    ----------
    file
        The file or folder.

    Returns
    -------
    bool
        True for a folder or archive with tables of a feed, and for any other archive that holds neither GIS files nor a spreadsheet.
    """
    from owlbus.grid.gis_files import zip_layers
    from owlbus.records.table_files import is_spreadsheet

    if file.is_dir():
        return any(path.name.lower() in _FEED_TABLES for path in file.iterdir())
    with file.open("rb") as stream:
        is_zip = stream.read(len(_ZIP)) == _ZIP
    if not is_zip or file.suffix.lower() in _GIS_ARCHIVES:
        return file.suffix.lower() == ".zip"
    try:
        with zipfile.ZipFile(file) as archive:
            names = {PurePosixPath(name).name.lower() for name in archive.namelist() if not name.startswith("__MACOSX")}
    except zipfile.BadZipFile:
        return True
    return bool(_FEED_TABLES & names) or not (zip_layers(file) or is_spreadsheet(file))


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
