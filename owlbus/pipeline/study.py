"""From files to a study: the grid, the demand and the network that plans are made and measured on."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError, UsageError
from owlbus.common.progress import current_progress
from owlbus.common.units import NightWindow, require_number
from owlbus.pipeline.rundir import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.demand import Demand, DemandReport
    from owlbus.demand.counting import CountedFiles, Terms
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.subdivide import HexParts
    from owlbus.network import Network, WalkGraph
    from owlbus.pipeline.checkpoint import Checkpoint
    from owlbus.pipeline.rundir import RunDir
    from owlbus.records import Source
    from owlbus.sample import City

_REACHES = ("centre", "area", "records")
_RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("radius_m", "radius_m", 1, 100_000),
    ("n_hexes", "n_hexes", 1, 5_000_000),
    ("h3_resolution", "resolution", 0, 15),
    ("merge_m", "merge_m", 0, 10_000),
    ("night_factor", "night_factor", 0.1, 10),
    ("walk_m", "walk_m", 0, 100_000),
    ("walk_area_share", "walk_area_share", 1e-6, 1),
    ("speed_kmh", "speed_kmh", 1, 200),
    ("stretch", "stretch", 1, 3),
    ("taxi_weight", "taxi_weight", 0, 1),
    ("n_nights", "n_nights", 1, 36_500),
    ("max_rejected_share", "max_rejected_share", 0, 1),
)
"""Each number of `Sources`, what messages call it, and its least and largest value."""


@dataclass(frozen=True, slots=True)
class Sources:
    """
    What a study is made from: files and how to read them.

    Attributes
    ----------
    files
        Records of calls and taxi rides; those of the city if empty.
    city
        A sample city, or a folder of one: outline, river, bridges, mountains and districts; None for none.
    area
        Outline of the study area, GeoJSON or CSV; None takes the city's, or one drawn around the records.
    radius_m
        Circumradius of a hex in metres.
    n_hexes
        Hexes of the grid; None takes all that touch the area, or the city's number at the city's radius.
    h3_resolution
        H3 resolution of the grid instead of planar hexes, 5 to 11; None for planar.
    nodes, links, stops
        Road tables, and perhaps stops; None takes a feed, an extract, or else the hex lattice.
    gtfs
        GTFS feed, zip or folder, whose stops and links are the network.
    osm
        OpenStreetMap extract whose streets are the network; beside tables or a feed only people walk along it.
    modes
        Modes of the feed.
    merge_m
        Metres within which stops of a feed or an extract are one place.
    night_factor
        On the seconds of an extract, and of links of a feed without a run in the window; dimensionless.
    walk_m
        Walk to a stop in metres, boundary included.
    walk_network
        Whether people walk along the footways of the extract instead of the straight line.
    walk_area_share
        Least share of a hex's area within the walk, in (0, 1]; None asks for its centre.
    reach
        How a hex counts: ``centre`` as a whole; ``area`` in nine equal parts (seven of H3), people and trips spread evenly over them;
        ``records`` in the same parts, each with the records that lie in it, for positions finer than a part. Time and memory of a search
        grow with the square of the parts within reach, 8 bytes a pair.
    speed_kmh
        Commercial speed in km/h, layovers included.
    stretch
        Round trip over other links taken for a link of its own on streets, dimensionless, 1 to 3; 1 is exact, with
        three to ten times the links.
    window
        Hours of the night that count.
    taxi_weight
        Share of taxi where calls and taxi are blended, 0 to 1.
    n_nights
        Nights that records without a date come from; None for one.
    columns
        The files' column by owlbus' name, where they differ.
    timezone
        Zone that times with a zone are shown in.
    max_rejected_share
        Largest share of a file's rows that may be rejected, 0 to 1.
    masts
        Table of antennas, for calls that name one instead of a position; None for none.
    market_share
        Table of the operator's market share by district; None where the records are everyone's.
    scheduler
        Where records are counted: ``local:N``, ``processes:N`` or the address of a Dask cluster; None counts in this process.

    Raises
    ------
    UsageError
        If the parts do not fit together, or a number lies outside its range.
    """

    files: tuple[str, ...] = ()
    city: str | None = None
    area: str | None = None
    radius_m: float = 500.0
    n_hexes: int | None = None
    h3_resolution: int | None = None
    nodes: str | None = None
    links: str | None = None
    stops: str | None = None
    gtfs: str | None = None
    osm: str | None = None
    modes: tuple[str, ...] = ("bus", "trolleybus")
    merge_m: float = 100.0
    night_factor: float = 1.0
    walk_m: float = 500.0
    walk_network: bool = False
    walk_area_share: float | None = None
    reach: str = "centre"
    speed_kmh: float = 19.0
    stretch: float = 1.25
    window: NightWindow = field(default_factory=NightWindow)
    taxi_weight: float = 0.2
    n_nights: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    max_rejected_share: float = 1.0
    masts: str | None = None
    market_share: str | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and parts that contradict each other, before any file is read."""
        for field_name, name, low, high in _RANGES:
            value = getattr(self, field_name)
            if value is not None:
                require_number(name, value, low, high)
        problem = None
        if (self.nodes is None) != (self.links is None):
            problem = "--nodes and --links belong together, got only one of them; give both road tables, or none for the hex lattice"
        elif self.stops is not None and self.nodes is None:
            problem = "--stops needs the roads that join them; add --nodes and --links"
        elif self.gtfs is not None and self.nodes is not None:
            problem = "--gtfs and --nodes are two networks; give one of them"
        elif self.osm is not None and (self.gtfs or self.nodes) and not self.walk_network:
            problem = "--osm beside another network is walked along only; add --walk network, or leave one of them out"
        elif self.walk_network and self.osm is None:
            problem = "--walk network needs footways; add --osm extract.osm.pbf"
        elif self.h3_resolution is not None and self.n_hexes is not None:
            problem = "--hexes counts planar hexagons and --h3 makes no planar ones; give one of them"
        else:
            problem = _reach_problem(self)
        if problem:
            raise UsageError(problem)

    @property
    def is_synthetic(self) -> bool:
        """Whether the records are the synthetic ones of a city."""
        return not self.files

    @property
    def network_files(self) -> tuple[str, ...]:
        """Files that the network is made from; of a feed in a folder its tables."""
        given = [name for name in (self.nodes, self.links, self.stops, self.gtfs, self.osm) if name]
        return tuple(str(file) for name in given for file in (sorted(Path(name).rglob("*.txt")) if Path(name).is_dir() else [name]))


def _reach_problem(sources: Sources) -> str | None:
    """Return why hexes cannot count as asked for, or None."""
    if sources.reach not in _REACHES:
        return f"--reach must be one of {', '.join(_REACHES)}, got {sources.reach!r}"
    if sources.reach != "centre" and sources.walk_area_share is not None:
        return "--walk-share asks of whole hexagons and --reach counts them in parts; give one of them"
    if sources.reach == "records" and sources.masts is not None:
        return "--reach records needs positions of records and --masts gives only those of antennas; take --reach area"
    return None


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
        What became of every record; None for a study that was read back.
    inputs
        Files that were read.
    timings_s
        Seconds of each stage.
    """

    grid: HexGrid
    demand: Demand
    network: Network
    is_synthetic: bool = False
    city: City | None = None
    report: DemandReport | None = None
    inputs: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def unreachable_share(self) -> float:
        """Share of trips with an end in a hex that no stop reaches, 0 to 1; no plan can serve them."""
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
        What became of every record.
    city
        Facts of the city, or None.
    inputs
        Files that were read.
    timings_s
        Seconds of each stage.
    whole
        The hexes that were laid.
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
        Keeps what each file comes to, for a run that may be stopped; none by default.

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
    from owlbus.grid.subdivide import cut_hexes
    from owlbus.records.sources import find_files

    timings: dict[str, float] = {}
    city = read_named_city(sources.city)
    files = _records_of(sources, city)
    current_progress().step("Lay the hexagons")
    with _timed(timings, "grid"):
        whole = build_grid(sources, city)
        parts = cut_hexes(whole) if sources.reach != "centre" else None
        grid = parts.grid if parts is not None and sources.reach == "records" else whole
    with _timed(timings, "demand"):
        demand, report = estimate_demand(
            files,
            grid,
            sources.window,
            taxi_weight=sources.taxi_weight,
            n_nights=sources.n_nights,
            columns=sources.columns,
            timezone=sources.timezone,
            max_rejected_share=sources.max_rejected_share,
            rejected=rejected,
            masts=sources.masts,
            market_share=_market_share(sources, grid, city),
            run=_runner(sources) if checkpoint is None else checkpoint.counting(_runner(sources)),
        )
        if parts is not None:
            demand, report = _in_parts(sources.reach, parts, demand, report)
    inputs = (*(one.name for one in find_files(files)), sources.area, sources.masts, sources.market_share)
    named = tuple(name for name in inputs if name)
    return Reading(whole if parts is None else parts.grid, demand, report, city, named, timings, whole)


def _in_parts(reach: str, parts: HexParts, demand: Demand, report: DemandReport) -> tuple[Demand, DemandReport]:
    """Return the demand on parts of hexes, with a note: spread evenly, or as counted there without trips within one whole hex."""
    from owlbus.demand import leaving_their_hex, spread_over_parts

    size = f"{parts.n_parts} equal parts of {parts.grid.radius_m:.0f} m"
    if reach == "area":
        note = f"people and trips of each hexagon are spread evenly over {size}"
        demand = spread_over_parts(demand, parts)
    else:
        demand, dropped = leaving_their_hex(demand, parts)
        told = f"{dropped:,.0f}" if dropped >= MIN_COUNT else f"fewer than {MIN_COUNT:g}"
        note = f"records are counted in {size} of each hexagon; {told} trips a night between parts of one hexagon are left out"
    return demand, replace(report, notes=(*report.notes, note))


def check_records(sources: Sources) -> tuple[DemandReport, list[str]]:
    """
    Read records and only say what becomes of every row.

    Parameters
    ----------
    sources
        Files and how to read them.

    Returns
    -------
    report
        Rows by rule and file, counts of rows.
    refusals
        Why files would be refused, one sentence each.

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
        columns=sources.columns,
        timezone=sources.timezone,
        max_rejected_share=sources.max_rejected_share,
        masts=sources.masts,
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


def _runner(sources: Sources) -> Callable[[Terms, Sequence[Source]], CountedFiles] | None:
    """Return what counts records in other processes, if a scheduler is named."""
    from owlbus.cluster import runner

    return None if sources.scheduler is None else runner(sources.scheduler)


def _records_of(sources: Sources, city: City | None) -> tuple[str, ...]:
    """Return the files of records: those named, else the city's."""
    if sources.files:
        return sources.files
    if city is None:
        msg = "no records are named; give files of calls or taxi rides, or --city seoul for the sample city"
        raise UsageError(msg)
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
        Keeps what each file comes to, for a run that may be stopped; none by default.

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
    named = [Path(name).name for name in (sources.nodes, sources.gtfs, sources.osm) if name]
    current_progress().step(f"Build the network from {' and '.join(named) or 'the hexagons'}")
    with _timed(timings, "network"):
        network = build_network(sources, read.whole, read.city)
    inputs = (*read.inputs, *sources.network_files)
    return Study(read.grid, read.demand, network, sources.is_synthetic, read.city, read.report, inputs, timings)


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
    Hexes over the study area: the one named, else the city's, else one drawn around the records.

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
    from owlbus.grid.outline import read_area
    from owlbus.records.infer_outline import outline_of_records

    n_hexes = sources.n_hexes
    if sources.area is not None:
        outline = read_area(sources.area)
    elif city is not None:
        outline = city.outline
        is_preset = n_hexes is None and sources.radius_m == city.radius_m
        n_hexes = city.n_hexes if is_preset else n_hexes
    else:
        outline = outline_of_records(sources.files, sources.columns, timezone=sources.timezone, masts=sources.masts)
    if sources.h3_resolution is not None:
        return HexGrid.from_h3(outline, sources.h3_resolution)
    return HexGrid.cover(outline, sources.radius_m, n_hexes)


def build_network(sources: Sources, grid: HexGrid | None, city: City | None = None) -> Network:
    """
    Place stops and links: from road tables, a feed or an extract, else the hex lattice minus the city's water and mountains.

    Parameters
    ----------
    sources
        Files of the network, walk in metres and speed in km/h.
    grid
        The whole hexes; None lays some around the stops of a feed or the main roads of an extract.
    city
        Facts of the city, if there is one.

    Returns
    -------
    Network
        The stop network.
    """
    from owlbus.grid.subdivide import cut_hexes
    from owlbus.network import on_parts, read_paths

    beside = sources.osm is not None and (sources.gtfs is not None or sources.nodes is not None)
    needed = sources.walk_network and (beside or sources.reach != "centre")
    paths = read_paths(sources.osm) if needed and sources.osm is not None else None
    network = _on_whole_hexes(sources, grid, city, paths if beside else None)
    return network if sources.reach == "centre" else on_parts(network, cut_hexes(network.grid), sources.reach, paths)


def _on_whole_hexes(sources: Sources, grid: HexGrid | None, city: City | None, paths: WalkGraph | None) -> Network:
    """Return the network of the best source named, with walks along `paths` beside a feed or tables."""
    from owlbus.network import Network

    walk: dict[str, Any] = {"walk_m": sources.walk_m, "walk_area_share": sources.walk_area_share}
    merged: dict[str, Any] = {"merge_m": sources.merge_m, "night_factor": sources.night_factor, "radius_m": sources.radius_m}
    speed: dict[str, Any] = {"speed_kmh": sources.speed_kmh}
    streets: dict[str, Any] = speed | {"stretch": sources.stretch}
    if sources.gtfs is not None:
        return Network.from_gtfs(sources.gtfs, grid, modes=sources.modes, hours=sources.window.hours, paths=paths, **walk, **merged)
    if sources.osm is not None and sources.nodes is None:
        return Network.from_osm(sources.osm, grid, walk_network=sources.walk_network, **walk, **merged, **streets)
    if grid is None:
        msg = "road tables and the hex lattice need a study area; add --area outline.geojson, or --city seoul"
        raise UsageError(msg)
    if sources.nodes is not None:
        return Network.from_tables(sources.nodes, sources.links, grid, sources.stops, paths=paths, **walk, **streets)
    facts: dict[str, Any] = {} if city is None else {"rivers": (city.river,), "bridges": city.bridges, "mountains": city.mountains}
    return Network.from_lattice(grid, **facts, **walk, **speed)


def write_study(run: RunDir, study: Study) -> None:
    """
    Add grid, demand and network to a run directory.

    Parameters
    ----------
    run
        Where files gather.
    study
        The study; lengths in metres, times in seconds.
    """
    study.grid.write(run.stage("grid.parquet"))
    study.demand.write(run.stage("demand.parquet"))
    study.network.write(run.stage("network.parquet"))


def read_study(path: str | PathLike[str]) -> Study:
    """
    Read the study that an earlier run was made on.

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
            msg = f"{folder}: must hold {file.name}, as runs of `owlbus plan` do; make one with: owlbus plan FILES --out DIR"
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
    return Study(network.grid, demand, network, bool(settings.get("is_synthetic")), city, None, tuple(str(file) for file in files))


@contextmanager
def _timed(timings_s: dict[str, float], name: str) -> Iterator[None]:
    """Enter the seconds that a block takes."""
    began = time.perf_counter()
    yield
    timings_s[name] = time.perf_counter() - began
