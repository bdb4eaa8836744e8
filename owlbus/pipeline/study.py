"""From files to a study: the grid, the demand and the network that plans are made and measured on."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import STRETCH
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError, UsageError, setting, step
from owlbus.common.progress import current_progress
from owlbus.pipeline.hour_times import with_hour_times
from owlbus.pipeline.run_json import min_count_of, read_run
from owlbus.pipeline.study_places import PLACES_FILE, fitted_lattice, hour_notes, market_share_of, named_points, places_of, weighted_base

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
    from owlbus.records.places import Places
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
        Trips or people a night of which printed counts are multiples; -1 for open data.
    places
        Named places that were given, or None.
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
    places: Places | None = None

    def __repr__(self) -> str:
        """Size of grid, network and demand."""
        synthetic = ", synthetic" if self.is_synthetic else ""
        nights = f"{self.demand.n_nights} night{'s' * (self.demand.n_nights > 1)}"
        return f"Study({self.grid.n_hexes:,} hexes, {self.network.n_stops:,} stops, {nights} of {self.demand.source}{synthetic})"

    def _repr_html_(self) -> str:
        """Return grid, demand and network as HTML for notebooks, counts as they are printed."""
        from owlbus.common import notebook_html

        source = "synthetic" if self.is_synthetic else self.demand.source
        rows = [("hexes", f"{self.grid.n_hexes:,}"), ("stops", f"{self.network.n_stops:,}"), ("records", source)]
        if self.report is not None:
            rows += [("rows read", f"{self.report.printed_rows(self.publisher):,}"), ("rows rejected", f"{self.report.rows_rejected:,}")]
        rows.append(("counts", self.publisher.words))
        return notebook_html.page("Study", notebook_html.table(rows), self.demand.to_html(self.min_count), self.network._repr_html_())

    @property
    def publisher(self) -> Publisher:
        """How counts of people and trips of the study are printed."""
        return Publisher(self.min_count)

    @property
    def city_share(self) -> float | None:
        """Share of late-night demand that the city states to serve, 0 to 1; None where it states none."""
        from owlbus.score.card import stated_share

        return None if self.city is None else stated_share(self.city.name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions about records and link times, one sentence each, files without folders; of link times alone if read from a run."""
        notes = () if self.report is None else self.report.notes
        for name in sorted(self.inputs, key=len, reverse=True):
            notes = tuple(note.replace(name, Path(name).name) for note in notes)
        return (*notes, *hour_notes(self.network))

    @property
    def unreachable_share(self) -> float | None:
        """Share of trips with an end in a hex that no stop reaches, 0 to 1; no plan can serve them. None where no trips were counted."""
        if not self.demand.counts_trips:
            return None
        lost, total = self._unreachable_trips
        return lost / total if total > 0 else 0.0

    @property
    def printed_unreachable_share(self) -> float | None:
        """The same as it is printed; None also where trips are too few."""
        return self.publisher.share(*self._unreachable_trips) if self.demand.counts_trips else None

    @property
    def _unreachable_trips(self) -> tuple[float, float]:
        """Trips a night with an end in a hex that no stop reaches, and all trips."""
        pairs, lost = self.demand.od(), self.network.hex_stop < 0
        return float(pairs.trips[lost[pairs.origin] | lost[pairs.destination]].sum()), pairs.total_trips

    @property
    def known_places(self) -> Places | None:
        """Named places, lon/lat degrees: those that were given, else those of the city that are busy at night; None for none."""
        return self.places if self.places is not None or self.city is None else named_points(self.city.night_spots)

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
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    """

    grid: HexGrid
    demand: Demand
    report: DemandReport
    city: City | None
    inputs: tuple[str, ...]
    timings_s: Mapping[str, float]
    whole: HexGrid
    min_count: float = MIN_COUNT

    @property
    def publisher(self) -> Publisher:
        """How counts of people and trips are printed."""
        return Publisher(self.min_count)


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
        share, base = market_share_of(sources, grid, city)
        demand, report = estimate_demand(
            files,
            grid,
            sources.window,
            taxi_weight=sources.taxi_weight,
            n_nights=sources.n_nights,
            max_rejected_share=sources.max_rejected_share,
            rejected=rejected,
            market_share=share,
            people=sources.presence,
            run=_runner(sources) if checkpoint is None else checkpoint.counting(_runner(sources)),
            min_count=base,
            **sources.reading,
        )
        base, report = weighted_base(sources, base, report)
        if parts is not None:
            demand, report = _in_parts(sources, parts, demand, report, Publisher(base))
    return Reading(whole if parts is None else parts.grid, demand, report, city, _inputs(sources, files), timings, whole, base)


def _inputs(sources: Sources, files: Any) -> tuple[str, ...]:  # noqa: ANN401 - paths or tables
    """Return the names of all files that a demand is made from."""
    from owlbus.records.record_files import find_files, is_given

    found = [file for paths in (files, sources.presence) if is_given(paths) for file in find_files(paths) if file.table is None]
    named = dict.fromkeys(file.name if file.part is None else str(file.path) for file in found)
    tables = (sources.area, sources.masts, sources.zones, sources.market_share, sources.hour_profile)
    return (*named, *(name for name in tables if isinstance(name, str) and name not in {"flat", "unknown"}))


def _in_parts(sources: Sources, parts: HexParts, demand: Demand, report: DemandReport, publisher: Publisher) -> tuple[Demand, DemandReport]:
    """Return the demand on parts of hexes, with a note: spread evenly, or as counted there without trips within one whole hex."""
    from owlbus.demand import disaggregate_demand, drop_trips_within_hexes

    size = f"{parts.n_parts} equal parts of {parts.grid.radius_m:.0f} m"
    if sources.reach == "area":
        note = f"people and trips of each hexagon are spread evenly over {size}"
        demand = disaggregate_demand(demand, parts)
    else:
        demand, dropped = drop_trips_within_hexes(demand, parts)
        left_out = f"{publisher.text(dropped)} trips a night between parts of one hexagon are left out"
        note = f"records are counted in {size} of each hexagon; {left_out}"
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
    named = sources.network_names
    streets = None if named or read.city is None else read.city.streets
    fallback = "the hexagons" if streets is None else "the city's streets"
    current_progress().step(f"Build the network from {' and '.join(named) or fallback}")
    with _timed(timings, "network"):
        places = places_of(sources)
        network = build_network(sources, read.whole, read.city, places, read.demand, read.min_count)
    inputs = (*read.inputs, *sources.network_files)
    if streets is not None:
        inputs += (str(streets.stops_path), str(streets.links_path))
    facts = sources.is_synthetic, read.city, read.report, inputs, timings
    return Study(read.grid, read.demand, network, *facts, min_count=read.min_count, places=places)


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
        outline = outline_of_records(sources.named_records, min_count=sources.published_min_count, **sources.reading)
    else:
        outline = outline_of_records(sources.presence, kinds=(PRESENCE,), min_count=sources.published_min_count, **sources.reading)
    if sources.h3_resolution is not None:
        return HexGrid.from_h3(outline, sources.h3_resolution)
    return HexGrid.cover(outline, sources.radius_m, n_hexes)


def build_network(
    sources: Sources,
    grid: HexGrid | None,
    city: City | None = None,
    places: Places | None = None,
    demand: Demand | None = None,
    min_count: float | None = None,
) -> Network:
    """
    Network from road tables, a GTFS feed or an OSM file, else from the city's streets, else from the hex lattice; with speeds by hour.

    Parameters
    ----------
    sources
        Files of the network, walk in metres and speed in km/h.
    grid
        The whole hexes; None covers the stops of a feed or the main roads of an OSM file.
    city
        Facts of the city, if there is one.
    places
        Places that name the stops of the lattice; None for those of the city.
    demand
        Trips and people on the hexes or their parts; without a city a lattice has no stops where it has none. None keeps every stop.
    min_count
        Trips or people a night of which printed counts are multiples; that of the sources by default.

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
    if network.source == "lattice":
        network = fitted_lattice(network, city, places, demand, sources.published_min_count if min_count is None else min_count)
    network = network if sources.reach == "centre" else on_parts(network, subdivide_hexes(network.grid), sources.reach, paths)
    return with_hour_times(network, sources)


def _on_whole_hexes(sources: Sources, grid: HexGrid | None, city: City | None, paths: WalkGraph | None) -> Network:
    """Return the network of the best source named, with walks along `paths` beside a feed or tables."""
    from owlbus.network import Network
    from owlbus.sample import sample_network

    walk: dict[str, Any] = {"walk_m": sources.walk_m, "walk_area_share": sources.walk_area_share}
    merged: dict[str, Any] = {"merge_m": sources.merge_m, "night_factor": sources.night_factor, "radius_m": sources.radius_m}
    speed: dict[str, Any] = {"speed_kmh": sources.speed_kmh}
    streets: dict[str, Any] = speed | {"stretch": STRETCH if sources.stretch is None else sources.stretch}
    at_night: dict[str, Any] = {"hours": sources.window.hours, "walk_network": sources.walk_network}
    if sources.gtfs is not None and sources.osm is not None:
        from owlbus.network.from_gtfs import GtfsImportSettings, feed_places

        settings = GtfsImportSettings(sources.modes, sources.merge_m, service_hours=sources.service_hours)
        around, stops = feed_places(sources.gtfs, grid, settings, sources.radius_m)
        return Network.from_osm(sources.osm, around, stops=stops, **at_night, **walk, **merged, **streets)
    if sources.gtfs is not None:
        hours: dict[str, Any] = {"hours": sources.window.hours, "service_hours": sources.service_hours, "whole_lines": sources.whole_lines}
        return Network.from_gtfs(sources.gtfs, grid, modes=sources.modes, paths=paths, **hours, **walk, **merged)
    if sources.osm is not None and sources.nodes is None:
        return Network.from_osm(sources.osm, grid, **at_night, **walk, **merged, **streets)
    if grid is None:
        outline, city_name = setting("area", "outline.geojson"), setting("city", "seoul")
        msg = f"road tables and the hex lattice need a study area; add {outline}, or {city_name}"
        raise UsageError(msg, setting="area")
    if sources.nodes is not None:
        streets["road_factor"] = 1.0 if sources.road_factor is None else sources.road_factor
        return Network.from_tables(sources.nodes, sources.links, grid, sources.stops, paths=paths, **walk, **streets)
    if city is None:
        return Network.from_lattice(grid, **walk, **speed)
    return sample_network(city, grid, road_factor=sources.road_factor, stretch=sources.stretch, **walk, **speed)


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
    if study.places is not None:
        from owlbus.records.places import write_places

        write_places(run.stage(PLACES_FILE), study.places)


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
    from owlbus.records.places import stored_places

    places = stored_places(folder / PLACES_FILE) if (folder / PLACES_FILE).is_file() else None
    facts = bool(settings.get("is_synthetic")), city, None, tuple(str(file) for file in files)
    return Study(network.grid, demand, network, *facts, min_count=min_count_of(folder, about), places=places)


@contextmanager
def _timed(timings_s: dict[str, float], name: str) -> Iterator[None]:
    """Record the seconds that a block takes."""
    began = time.perf_counter()
    yield
    timings_s[name] = time.perf_counter() - began
