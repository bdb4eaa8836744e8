"""From files to a study: the grid, the demand and the network that plans are made and measured on."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import EXACT, LOWEST_MIN_COUNT, MIN_COUNT
from owlbus.common.errors import DataError, UsageError, setting, step
from owlbus.common.progress import current_progress
from owlbus.pipeline.run_json import read_run
from owlbus.pipeline.study_sources import is_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.demand import Demand, DemandReport
    from owlbus.demand.counting import CountedFiles, CountSettings
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.subdivide import HexParts
    from owlbus.network import Network, WalkGraph
    from owlbus.pipeline.checkpoint import Checkpoint
    from owlbus.pipeline.rundir import RunDir
    from owlbus.pipeline.study_sources import Sources
    from owlbus.records import Source
    from owlbus.records.recognised import RecognisedFile
    from owlbus.sample import City


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """
    A grid, its demand and its network, ready for plans.

    Attributes
    ----------
    grid
        The hexes.
    demand
        Trips and people.
    network
        Stops and links.
    is_synthetic
        Whether the records are synthetic.
    city
        Facts of the city, or None.
    report
        Row counts of the records; None for a study that was read from a run.
    inputs
        Files that were read.
    timings_s
        Seconds of each stage.
    min_count
        Trips or people a night below which a count is not published; -1 for open data.
    """

    grid: HexGrid
    demand: Demand
    network: Network
    is_synthetic: bool = False
    city: City | None = None
    report: DemandReport | None = None
    inputs: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    min_count: float = MIN_COUNT

    def __repr__(self) -> str:
        """Size of grid, network and demand."""
        synthetic = ", synthetic" if self.is_synthetic else ""
        nights = f"{self.demand.n_nights} night{'s' * (self.demand.n_nights > 1)}"
        return f"Study({self.grid.n_hexes:,} hexes, {self.network.n_stops:,} stops, {nights} of {self.demand.source}{synthetic})"

    def _repr_html_(self) -> str:
        """Return grid, demand and network as HTML for notebooks; small counts are hidden."""
        from owlbus.common import notebook_html

        rows = [
            ("hexes", f"{self.grid.n_hexes:,}"),
            ("stops", f"{self.network.n_stops:,}"),
            ("records", "synthetic" if self.is_synthetic else self.demand.source),
        ]
        if self.report is not None:
            rows += [("rows read", f"{self.report.rows_in:,}"), ("rows rejected", f"{self.report.rows_rejected:,}")]
        return notebook_html.page("Study", notebook_html.table(rows), self.demand._repr_html_(), self.network._repr_html_())

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions about the records, one sentence each, files without their folders; none for a study that was read from a run."""
        notes = () if self.report is None else self.report.notes
        for name in sorted(self.inputs, key=len, reverse=True):
            notes = tuple(note.replace(name, Path(name).name) for note in notes)
        return notes

    @property
    def unreachable_share(self) -> float | None:
        """Share of trips with an end in a hex that no stop reaches, 0 to 1; no plan can serve them. None where no trips were counted."""
        if not self.demand.counts_trips:
            return None
        pairs = self.demand.od()
        lost = self.network.hex_stop < 0
        total = pairs.total_trips
        return float(pairs.trips[lost[pairs.origin] | lost[pairs.destination]].sum()) / total if total > 0 else 0.0

    @property
    def districts(self) -> NDArray[np.str_] | None:
        """Name of the district whose centre is nearest to each hex, shape (H,); None without a city."""
        if self.city is None or not len(self.city.districts):
            return None
        x, y = self.grid.project(self.city.districts.lon, self.city.districts.lat)
        apart = np.hypot(self.grid.x_m[:, None] - x, self.grid.y_m[:, None] - y)
        names: NDArray[np.str_] = np.array(self.city.districts.names)[apart.argmin(axis=1)]
        return names


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """
    Demand read from records, on its grid.

    Attributes
    ----------
    grid
        The hexes, or their parts if these count.
    demand
        Trips and people.
    report
        Row counts of the records.
    city
        Facts of the city, or None.
    inputs
        Files that were read.
    timings_s
        Seconds of each stage.
    whole
        The whole hexes.
    """

    grid: HexGrid
    demand: Demand
    report: DemandReport
    city: City | None
    inputs: tuple[str, ...]
    timings_s: Mapping[str, float]
    whole: HexGrid


def demand_from_sources(sources: Sources, *, rejected: str | PathLike[str] | None = None, checkpoint: Checkpoint | None = None) -> Reading:
    """
    Lay the grid, read records and estimate the demand.

    Parameters
    ----------
    sources
        Files and how to read them.
    rejected
        Parquet file for rejected rows, mode 0600; none by default.
    checkpoint
        Writes the counts of each file, so that an interrupted run can resume; none by default.

    Returns
    -------
    Reading
        Demand in trips and people a night.

    Raises
    ------
    DataError
        If a file breaks a rule.
    UsageError
        If an option lies outside its range.
    """
    from owlbus.demand import estimate_demand
    from owlbus.grid.subdivide import subdivide_hexes

    timings: dict[str, float] = {}
    city = read_named_city(sources.city)
    files = _records_of(sources, city)
    current_progress().step("Lay the hexagons")
    with _timed(timings, "grid"):
        whole = build_grid(sources, city)
        parts = subdivide_hexes(whole) if sources.reach != "centre" else None
        grid = parts.grid if parts is not None and sources.reach == "records" else whole
    with _timed(timings, "demand"):
        demand, report = estimate_demand(
            files,
            grid,
            sources.window,
            taxi_weight=sources.taxi_weight,
            n_nights=sources.n_nights,
            max_rejected_share=sources.max_rejected_share,
            rejected=rejected,
            market_share=_market_share(sources, grid, city),
            people=sources.presence,
            run=_runner(sources) if checkpoint is None else checkpoint.counting(_runner(sources)),
            **sources.reading,
        )
        if parts is not None:
            demand, report = _in_parts(sources, parts, demand, report)
    return Reading(whole if parts is None else parts.grid, demand, report, city, _inputs(sources, files), timings, whole)


def _inputs(sources: Sources, files: Any) -> tuple[str, ...]:  # noqa: ANN401 - paths or tables
    """Return the names of all files that a demand is made from."""
    from owlbus.records.record_files import find_files, is_given

    found = [file for paths in (files, sources.presence) if is_given(paths) for file in find_files(paths) if file.table is None]
    named = dict.fromkeys(file.name if file.part is None else str(file.path) for file in found)
    tables = (sources.area, sources.masts, sources.zones, sources.market_share, sources.hour_profile)
    return (*named, *(name for name in tables if isinstance(name, str) and name not in {"flat", "unknown"}))


def _in_parts(sources: Sources, parts: HexParts, demand: Demand, report: DemandReport) -> tuple[Demand, DemandReport]:
    """Return the demand on parts of hexes, with a note: spread evenly, or as counted there without trips within one whole hex."""
    from owlbus.demand import disaggregate_demand, drop_trips_within_hexes

    size = f"{parts.n_parts} equal parts of {parts.grid.radius_m:.0f} m"
    if sources.reach == "area":
        note = f"people and trips of each hexagon are spread evenly over {size}"
        demand = disaggregate_demand(demand, parts)
    else:
        demand, dropped = drop_trips_within_hexes(demand, parts)
        least = sources.published_min_count
        dropped_text = f"{dropped:,.0f}" if dropped >= least else f"fewer than {least:g}"
        note = f"records are counted in {size} of each hexagon; {dropped_text} trips a night between parts of one hexagon are left out"
    return demand, replace(report, notes=(*report.notes, note))


def check_records(sources: Sources) -> tuple[DemandReport, list[DataError], list[RecognisedFile]]:
    """
    Row counts of records by rule and file, without a demand.

    Parameters
    ----------
    sources
        Files and how to read them.

    Returns
    -------
    report
        Rows by rule and file, counts of rows.
    refusals
        Errors of the files that would be refused.
    recognised
        How each file is read, with a few rows as shapes.

    Raises
    ------
    DataError
        If a file cannot be read at all.
    """
    from owlbus.demand.estimate import check_files

    city = read_named_city(sources.city)
    return check_files(
        _records_of(sources, city),
        build_grid(sources, city),
        sources.window,
        max_rejected_share=sources.max_rejected_share,
        people=sources.presence,
        **sources.reading,
    )


def _market_share(sources: Sources, grid: HexGrid, city: City | None) -> NDArray[np.float64] | None:
    """Return the operator's market share by hex, if a table of it is named."""
    from owlbus.demand.market_share import read_market_share

    if sources.market_share is None:
        return None
    districts = None
    if city is not None and len(city.districts):
        places = zip(city.districts.lon.tolist(), city.districts.lat.tolist(), strict=True)
        districts = dict(zip(city.districts.names, places, strict=True))
    return read_market_share(sources.market_share, grid, districts)


def _runner(sources: Sources) -> Callable[[CountSettings, Sequence[Source]], CountedFiles] | None:
    """Return what counts records in other processes, if a scheduler is named."""
    from owlbus.cluster import runner

    return None if sources.scheduler is None else runner(sources.scheduler)


def _records_of(sources: Sources, city: City | None) -> Any:  # noqa: ANN401 - paths or tables
    """Return the files or tables of records: those named, else the city's."""
    if sources.named_records or sources.presence is not None:
        return sources.named_records
    if city is None:
        ways = f"{setting('presence', 'people.csv')} for counts of people, or {setting('city', 'seoul')} for the sample city"
        msg = f"no records are named; give files of calls or taxi rides, {ways}"
        raise UsageError(msg, setting="files")
    return str(city.calls_path), str(city.taxi_path)


def build_study(sources: Sources, *, rejected: str | PathLike[str] | None = None, checkpoint: Checkpoint | None = None) -> Study:
    """
    Read records, lay the grid, estimate the demand and build the network.

    Parameters
    ----------
    sources
        Files and how to read them.
    rejected
        Parquet file for rejected rows, mode 0600; none by default.
    checkpoint
        Writes the counts of each file, so that an interrupted run can resume; none by default.

    Returns
    -------
    Study
        Ready for plans; lengths in metres, times in seconds.

    Raises
    ------
    DataError
        If a file breaks a rule.
    UsageError
        If an option lies outside its range.
    """
    read = demand_from_sources(sources, rejected=rejected, checkpoint=checkpoint)
    timings = dict(read.timings_s)
    named = [Path(name).name if is_path(name) else "tables" for name in (sources.nodes, sources.gtfs, sources.osm) if name is not None]
    current_progress().step(f"Build the network from {' and '.join(named) or 'the hexagons'}")
    with _timed(timings, "network"):
        network = build_network(sources, read.whole, read.city)
    inputs = (*read.inputs, *sources.network_files)
    facts = sources.is_synthetic, read.city, read.report, inputs, timings
    return Study(read.grid, read.demand, network, *facts, min_count=sources.published_min_count)


def read_named_city(name: str | None) -> City | None:
    """
    Facts of a sample city, or of a folder that holds one.

    Parameters
    ----------
    name
        Name of a sample city, path of a folder, or None.

    Returns
    -------
    City or None
        The city; distances in metres.
    """
    from owlbus.sample import SAMPLE_CITIES, read_city, sample_city

    if name is None:
        return None
    return read_city(name) if name not in SAMPLE_CITIES and Path(name).is_dir() else sample_city(name)


def build_grid(sources: Sources, city: City | None = None) -> HexGrid:
    """
    Hexes over the study area: that of the sources, else the city's, else one inferred from the records.

    Parameters
    ----------
    sources
        Area, radius in metres, and number of hexes.
    city
        Facts of the city, if there is one.

    Returns
    -------
    HexGrid
        The hexes.
    """
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.outline import outline_of
    from owlbus.records.infer_outline import outline_of_records
    from owlbus.records.schema import PRESENCE

    n_hexes = sources.n_hexes
    if sources.area is not None:
        outline = outline_of(sources.area, sources.crs)
    elif city is not None:
        outline = city.outline
        is_preset = n_hexes is None and sources.radius_m == city.radius_m
        n_hexes = city.n_hexes if is_preset else n_hexes
    elif sources.named_records:
        outline = outline_of_records(sources.named_records, **sources.reading)
    else:
        outline = outline_of_records(sources.presence, kinds=(PRESENCE,), **sources.reading)
    if sources.h3_resolution is not None:
        return HexGrid.from_h3(outline, sources.h3_resolution)
    return HexGrid.cover(outline, sources.radius_m, n_hexes)


def build_network(sources: Sources, grid: HexGrid | None, city: City | None = None) -> Network:
    """
    Network from road tables, a GTFS feed or an OSM file, else from the hex lattice without the city's water and mountains.

    Parameters
    ----------
    sources
        Files of the network, walk in metres and speed in km/h.
    grid
        The whole hexes; None covers the stops of a feed or the main roads of an OSM file.
    city
        Facts of the city, if there is one.

    Returns
    -------
    Network
        The stop network.
    """
    from owlbus.grid.subdivide import subdivide_hexes
    from owlbus.network import on_parts, read_paths

    beside = sources.osm is not None and sources.nodes is not None
    needed = sources.walk_network and (beside or sources.reach != "centre")
    paths = read_paths(sources.osm, sources.window.hours) if needed and sources.osm is not None else None
    network = _on_whole_hexes(sources, grid, city, paths if beside else None)
    return network if sources.reach == "centre" else on_parts(network, subdivide_hexes(network.grid), sources.reach, paths)


def _on_whole_hexes(sources: Sources, grid: HexGrid | None, city: City | None, paths: WalkGraph | None) -> Network:
    """Return the network of the best source named, with walks along `paths` beside a feed or tables."""
    from owlbus.network import Network

    walk: dict[str, Any] = {"walk_m": sources.walk_m, "walk_area_share": sources.walk_area_share}
    merged: dict[str, Any] = {"merge_m": sources.merge_m, "night_factor": sources.night_factor, "radius_m": sources.radius_m}
    speed: dict[str, Any] = {"speed_kmh": sources.speed_kmh}
    streets: dict[str, Any] = speed | {"stretch": sources.stretch}
    at_night: dict[str, Any] = {"hours": sources.window.hours, "walk_network": sources.walk_network}
    if sources.gtfs is not None and sources.osm is not None:
        from owlbus.network.from_gtfs import GtfsImportSettings, feed_places

        settings = GtfsImportSettings(sources.modes, sources.merge_m, service_hours=sources.service_hours)
        around, stops = feed_places(sources.gtfs, grid, settings, sources.radius_m)
        return Network.from_osm(sources.osm, around, stops=stops, **at_night, **walk, **merged, **streets)
    if sources.gtfs is not None:
        hours: dict[str, Any] = {"hours": sources.window.hours, "service_hours": sources.service_hours}
        return Network.from_gtfs(sources.gtfs, grid, modes=sources.modes, paths=paths, **hours, **walk, **merged)
    if sources.osm is not None and sources.nodes is None:
        return Network.from_osm(sources.osm, grid, **at_night, **walk, **merged, **streets)
    if grid is None:
        outline, city_name = setting("area", "outline.geojson"), setting("city", "seoul")
        msg = f"road tables and the hex lattice need a study area; add {outline}, or {city_name}"
        raise UsageError(msg, setting="area")
    if sources.nodes is not None:
        streets["road_factor"] = sources.road_factor
        return Network.from_tables(sources.nodes, sources.links, grid, sources.stops, paths=paths, **walk, **streets)
    facts: dict[str, Any] = {} if city is None else {"rivers": (city.river,), "bridges": city.bridges, "mountains": city.mountains}
    return Network.from_lattice(grid, **facts, **walk, **speed)


def write_study(run: RunDir, study: Study) -> None:
    """
    Add grid, demand and network to a run directory.

    Parameters
    ----------
    run
        The run directory.
    study
        The study; lengths in metres, times in seconds.
    """
    study.grid.write(run.stage("grid.parquet"))
    study.demand.write(run.stage("demand.parquet"))
    study.network.write(run.stage("network.parquet"))


def read_study(path: str | PathLike[str]) -> Study:
    """
    Read the study of an earlier run.

    Parameters
    ----------
    path
        A run directory with ``demand.parquet`` and ``network.parquet``.

    Returns
    -------
    Study
        Without the report on records; lengths in metres, times in seconds.

    Raises
    ------
    DataError
        If a file is missing or they do not belong together.
    """
    from owlbus.demand import Demand
    from owlbus.network import Network

    folder = Path(path)
    about = read_run(folder)
    files = [folder / name for name in ("demand.parquet", "network.parquet")]
    for file in files:
        if not file.is_file():
            way = step("owlbus.pipeline.write_run", "plan", files="FILES", out="DIR")
            msg = f"{folder}: must hold {file.name}, as runs that plan routes do; make one with: {way}"
            raise DataError(msg)
    demand, network = Demand.read(files[0]), Network.read(files[1])
    if demand.n_hexes != network.grid.n_hexes:
        msg = f"{folder}: demand has {demand.n_hexes} hexes and network {network.grid.n_hexes}; write the run again"
        raise DataError(msg)
    settings = about["settings"]
    name = settings.get("city")
    if not isinstance(name, str | None):
        msg = f"{folder}: city must be a name or null in the settings of run.json, got {type(name).__name__}; write the run again"
        raise DataError(msg)
    try:
        city = read_named_city(name)
    except UsageError as error:
        msg = f"{folder}: {error}"
        raise DataError(msg) from None
    facts = bool(settings.get("is_synthetic")), city, None, tuple(str(file) for file in files)
    return Study(network.grid, demand, network, *facts, min_count=_min_count_of(folder, settings))


def _min_count_of(folder: Path, settings: Mapping[str, Any]) -> float:
    """Return the smallest count that may be published of a run, by its settings."""
    if settings.get("public") is True:
        return EXACT
    value = settings.get("min_count", MIN_COUNT)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= LOWEST_MIN_COUNT:
        msg = f"{folder}: min_count must be at least {LOWEST_MIN_COUNT} in the settings of run.json; write the run again"
        raise DataError(msg)
    return int(value) if value == int(value) else value


@contextmanager
def _timed(timings_s: dict[str, float], name: str) -> Iterator[None]:
    """Record the seconds that a block takes."""
    began = time.perf_counter()
    yield
    timings_s[name] = time.perf_counter() - began
