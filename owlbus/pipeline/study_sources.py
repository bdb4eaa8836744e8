"""What a study is made from: files, and how to read them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.defaults import MERGE_M, MODES, RADIUS_M, SPEED_KMH, TAXI_WEIGHT, WALK_M
from owlbus.common.disclosure import EXACT, MIN_COUNT, check_min_count
from owlbus.common.errors import UsageError, setting
from owlbus.common.units import NightWindow, require_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.records.read_options import ReadKeywords

_PLAIN = (str, int, float, bool, type(None))

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
    ("road_factor", "road_factor", 1, 10),
    ("taxi_weight", "taxi_weight", 0, 1),
    ("n_nights", "n_nights", 1, 36_500),
    ("max_rejected_share", "max_rejected_share", 0, 1),
    ("min_count", "min_count", 1, 1_000_000),
)
"""Each number of `Sources`, what messages call it, and its least and largest value."""


@dataclass(frozen=True, slots=True)
class Sources:
    """
    What a study is made from: files and how to read them.

    Attributes
    ----------
    files
        Records of calls and taxi rides; those of the city if empty and no `presence` is given.
    records
        The same as a table of pandas, polars or pyarrow, a GeoDataFrame, or a list or iterator of tables or batches, instead of files.
    city
        A sample city, or a folder of one: outline, streets or else river, bridges and mountains, and districts; None for none.
    area
        Outline of the study area, GeoJSON, CSV, polygons of a GeoDataFrame or shapely, or a ring of lon/lat degrees, shape (n, 2); None
        takes the city's, or one drawn around the records.
    radius_m
        Circumradius of a hex in metres.
    n_hexes
        Hexes of the grid; None takes all that touch the area, or the city's number at the city's radius.
    h3_resolution
        H3 resolution of the grid instead of planar hexes, 5 to 11; None for planar.
    nodes, links, stops
        Road tables, and perhaps stops, as files or tables; None takes a feed, an OSM file, the city's streets, or else the hex lattice.
    gtfs
        GTFS feed, zip or folder, whose stops and links are the network.
    whole_lines
        Whether lines of the feed that serve the grid keep their stops outside of it.
    places
        Named points, a GIS file, CSV or table with a name and lon/lat degrees: they name the stops of the lattice, and maps show them.
        None takes those of the city, if there is one.
    osm
        OpenStreetMap file whose streets are the network; the stops are those of a feed beside it. Beside tables it gives the footways.
    modes
        Modes of the feed.
    merge_m
        Metres within which stops of a feed or an OSM file are merged.
    service_hours
        Hours of departure of the runs of a feed whose stops and links are taken, modulo 24; None for the whole day.
    night_factor
        Ratio of night to daytime travel times; multiplies OSM link times, and GTFS link times without a run in the window; dimensionless.
    walk_m
        Walk to a stop in metres, boundary included.
    walk_network
        Whether walks follow the footways of the OSM file instead of straight lines.
    walk_area_share
        Least share of a hex's area within the walk, in (0, 1]; None asks for its centre.
    reach
        How a hex counts: ``centre`` as a whole; ``area`` in nine equal parts (seven of H3), people and trips spread evenly over them;
        ``records`` in the same parts, each with the records that lie in it, for positions finer than a part. Time and memory of a search
        grow with the square of the parts within reach, 8 bytes a pair.
    speed_kmh
        Commercial speed in km/h, layovers included.
    stretch
        A direct street link is left out if the round trip over other links is at most this many times as long, dimensionless, 1 to 3;
        1 keeps all links, three to ten times as many. None takes 1.25, and 1.1 on the streets of a city.
    road_factor
        Street metres over the metres of the links of road tables or of the city, dimensionless, 1 to 10; such as 1.2 where links are
        straight lines. None takes 1 for road tables, and the city's own.
    speeds
        Link times by hour, a table as `owlbus.network.hour_speeds.with_hour_speeds` takes it, or a GTFS feed whose runs
        give them; None where links take as long in every hour.
    window
        Hours of the night that count.
    taxi_weight
        Weight of taxi in the blend with calls, 0 to 1.
    n_nights
        Nights that records without a date come from; None for one.
    columns
        The files' column by owlbus' name, where they differ.
    timezone
        Time zone that times with a zone are converted to.
    time_format
        Format of times, strptime text or a name of `owlbus.records.time_forms.FORMS`; None where the data tell.
    date_order
        Order of day and month in dates such as 03/06/2024, ``DMY`` or ``MDY``; None where the data tell.
    crs
        Coordinate reference system of projected positions in records, such as ``EPSG:25833``; None for degrees.
    zones
        Polygons or centroids of the zones that records name instead of positions; None for none.
    zone_id, zone_weights
        Columns of `zones` with ids, and with weights of the parts of a zone; None for the one that fits, and for weights by area.
    presence
        Counts of people by place and hour, which replace those of the records; without records a study is of people alone, and has no
        trips. None for none.
    hour_profile
        Hours of trips without a time: a table of hour and share, ``flat``, or ``unknown``; None asks for one of them.
    max_rejected_share
        Largest share of a file's rows that may be rejected, 0 to 1.
    masts
        Table of antennas, for calls that name one instead of a position; None for none.
    public
        Whether the records are open data, so that exact counts may be published.
    min_count
        Trips or people a night of which printed counts are multiples; None takes 15, and exact counts for the synthetic records of a city.
    market_share
        Table of the operator's market share by district; None where the records are everyone's.
    scheduler
        Where records are counted: ``local:N``, ``processes:N`` or the address of a Dask cluster; None counts in this process.

    Raises
    ------
    UsageError
        If the parts do not fit together.
    PrivacyError
        If `min_count` protects nobody.
    """

    files: tuple[str, ...] = ()
    city: str | None = None
    area: Any = None
    radius_m: float = RADIUS_M
    n_hexes: int | None = None
    h3_resolution: int | None = None
    nodes: Any = None
    links: Any = None
    stops: Any = None
    gtfs: str | None = None
    whole_lines: bool = False
    osm: str | None = None
    modes: tuple[str, ...] = MODES
    merge_m: float = MERGE_M
    service_hours: tuple[int, ...] | None = None
    night_factor: float = 1.0
    walk_m: float = WALK_M
    walk_network: bool = False
    walk_area_share: float | None = None
    reach: str = "centre"
    speed_kmh: float = SPEED_KMH
    stretch: float | None = None
    road_factor: float | None = None
    window: NightWindow = field(default_factory=NightWindow)
    taxi_weight: float = TAXI_WEIGHT
    n_nights: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    max_rejected_share: float = 1.0
    masts: Any = None
    time_format: str | None = None
    date_order: str | None = None
    crs: str | None = None
    zones: Any = None
    zone_id: str | None = None
    zone_weights: str | None = None
    presence: Any = None
    hour_profile: str | None = None
    public: bool = False
    min_count: float | None = None
    market_share: str | None = None
    scheduler: str | None = None
    records: Any = None
    places: Any = None
    speeds: Any = None

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and parts that contradict each other, before any file is read; convert `records` once."""
        for field_name, name, low, high in _RANGES:
            value = getattr(self, field_name)
            if value is not None:
                require_number(name, value, low, high)
        _require_one_source(self)
        check_min_count(self.published_min_count)
        _require_compatible(self)
        _require_feed(self)
        _require_grid(self)
        _require_reach(self)

    @property
    def reading(self) -> ReadKeywords:
        """How records are to be read."""
        return {
            "columns": self.columns,
            "timezone": self.timezone,
            "time_format": self.time_format,
            "date_order": self.date_order,
            "crs": self.crs,
            "masts": self.masts,
            "zones": self.zones,
            "zone_id": self.zone_id,
            "zone_weights": self.zone_weights,
            "zones_elsewhere": self.presence is not None and not self.is_synthetic,
            "hour_profile": self.hour_profile,
        }

    @property
    def published_min_count(self) -> float:
        """Trips or people a night of which printed counts are multiples; -1 for open data, which synthetic records are by default."""
        if self.public or (self.min_count is None and self.is_synthetic):
            return EXACT
        base = MIN_COUNT if self.min_count is None else self.min_count
        return int(base) if base == int(base) else base

    @property
    def named_records(self) -> Any:  # noqa: ANN401 - paths or tables
        """Paths or tables of the records; empty for those of the city."""
        return self.files if self.records is None else self.records

    @property
    def is_synthetic(self) -> bool:
        """Whether the records are the synthetic ones of a city."""
        return not self.named_records and self.presence is None

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by name as ``run.json`` holds it: tables by their size alone, those of people without it."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        without = {"records": None, "places": None, "speeds": None, "whole_lines": False}
        values = {name: value for name, value in values.items() if name not in without or value is not without[name]}
        values = {name: value if isinstance(value, _PLAIN) else _described(value) for name, value in values.items()}
        for name in ("records", "presence"):  # their rows are counts of people
            if name in values and not is_path(getattr(self, name)):
                texts = values[name]
                several = [str(text).partition(" of ")[0] for text in texts] if isinstance(texts, list) else None
                values[name] = several if several is not None else texts and str(texts).partition(" of ")[0]
        return values | {"files": list(self.files), "window": asdict(self.window), "columns": dict(self.columns)}

    @property
    def network_names(self) -> list[str]:
        """Names of the sources of the network, without their folders."""
        return [Path(name).name if is_path(name) else "tables" for name in (self.nodes, self.gtfs, self.osm) if name is not None]

    @property
    def network_files(self) -> tuple[str, ...]:
        """Files that the network and its names are made from; of a feed in a folder its tables."""
        tables = (self.nodes, self.links, self.stops, self.gtfs, self.osm, self.places, self.speeds)
        names = [str(name) for name in tables if is_path(name)]
        return tuple(str(file) for name in names for file in (sorted(Path(name).rglob("*.txt")) if Path(name).is_dir() else [name]))


def is_path(thing: object) -> bool:
    """
    Whether a source is a file and no table.

    Parameters
    ----------
    thing
        Value of a field of `Sources`.

    Returns
    -------
    bool
        False for None, an empty text, and tables.
    """
    return isinstance(thing, str | PathLike) and bool(str(thing))


def _described(thing: Any) -> Any:  # noqa: ANN401 - any setting
    """Return a setting as ``run.json`` holds it: a table, ring or geometry by type and size."""
    from owlbus.common.frames import is_table

    if isinstance(thing, PathLike):
        return str(thing)
    if isinstance(thing, list | tuple):
        values = [value if isinstance(value, _PLAIN) else _described(value) for value in thing]
        return values[0] if len(values) == 1 and is_table(thing[0]) else values
    if not is_table(thing):
        return type(thing).__name__
    n_rows = getattr(thing, "n_rows", None)  # a lazy frame does not know
    n_rows = len(thing) if n_rows is None and hasattr(thing, "__len__") else n_rows
    return "frame" if n_rows is None else f"frame of {n_rows} row{'s' * (n_rows != 1)}"


def _require_one_source(sources: Sources) -> None:
    """Convert tables of records and of people once, as iterators end; and refuse files beside tables of records."""
    from owlbus.common.frames import as_tables

    if isinstance(sources.files, str | PathLike):
        object.__setattr__(sources, "files", (str(sources.files),))
    if sources.presence is not None and not isinstance(sources.presence, str | PathLike):
        object.__setattr__(sources, "presence", tuple(as_tables(sources.presence, "presence")))
    if sources.records is None:
        return
    if sources.files:
        msg = f"{setting('records')} and {setting('files')} are two sources of records, got both; give one of them"
        raise UsageError(msg, setting="records")
    object.__setattr__(sources, "records", tuple(as_tables(sources.records)))


def _require_compatible(sources: Sources) -> None:
    """Refuse network files that contradict each other."""
    nodes, links, osm, on_foot = setting("nodes"), setting("links"), setting("osm"), setting("walk_network", True)  # noqa: FBT003
    _refuse(
        (
            "nodes",
            (sources.nodes is None) != (sources.links is None),
            f"{nodes} and {links} belong together, got only one of them; give both road tables, or none for the hex lattice",
        ),
        (
            "stops",
            sources.stops is not None and sources.nodes is None,
            f"{setting('stops')} needs the roads that join them; add {nodes} and {links}",
        ),
        (
            "gtfs",
            sources.gtfs is not None and sources.nodes is not None,
            f"{setting('gtfs')} and {nodes} are two networks; give one of them",
        ),
        (
            "osm",
            sources.osm is not None and sources.nodes is not None and not sources.walk_network,
            f"{osm} beside road tables is walked along only; add {on_foot}, or leave one of them out",
        ),
        (
            "walk_network",
            sources.walk_network and sources.osm is None,
            f"{on_foot} needs footways; add {setting('osm', 'extract.osm.pbf')}",
        ),
    )


def _require_feed(sources: Sources) -> None:
    """Refuse settings of a feed without one."""
    _refuse(
        (
            "service_hours",
            sources.service_hours is not None and sources.gtfs is None,
            f"{setting('service_hours')} are those of a feed's runs; add {setting('gtfs', 'feed.zip')}, or leave them out",
        ),
    )


def _require_grid(sources: Sources) -> None:
    """Refuse settings of planar hexes for an H3 grid."""
    _refuse(
        (
            "n_hexes",
            sources.h3_resolution is not None and sources.n_hexes is not None,
            f"{setting('n_hexes')} counts planar hexagons and {setting('h3_resolution')} makes no planar ones; give one of them",
        ),
    )


def _require_reach(sources: Sources) -> None:
    """Refuse an unknown rule of reach, or one that contradicts other settings."""
    if sources.reach not in _REACHES:
        msg = f"{setting('reach')} must be one of {', '.join(_REACHES)}, got {sources.reach!r}"
        raise UsageError(msg, setting="reach", value=sources.reach, allowed=_REACHES)
    by_records, by_area, masts = setting("reach", "records"), setting("reach", "area"), setting("masts")
    _refuse(
        (
            "walk_area_share",
            sources.reach != "centre" and sources.walk_area_share is not None,
            f"{setting('walk_area_share')} asks of whole hexagons and {setting('reach')} counts them in parts; give one of them",
        ),
        (
            "reach",
            sources.reach == "records" and sources.masts is not None,
            f"{by_records} needs positions of records and {masts} gives only those of antennas; take {by_area}",
        ),
    )


def _refuse(*rules: tuple[str, bool, str]) -> None:
    """Refuse the first setting that breaks a rule, given as its name, whether it breaks it, and the message."""
    for name, is_broken, why in rules:
        if is_broken:
            raise UsageError(why, setting=name)
