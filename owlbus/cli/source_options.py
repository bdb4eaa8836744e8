"""Options of what a study is built from: study area, demand, network, or an earlier run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from owlbus.cli.messages import Gives
from owlbus.cli.options import option
from owlbus.common.defaults import MAX_SNAP_M, MERGE_M, MODES, RADIUS_M, SPEED_KMH, TAXI_WEIGHT, WALK_M

_AREA, _DEMAND, _NETWORK, _STUDY = "Study area", "Demand", "Network", "Study that plans are measured on"


@dataclass(frozen=True, slots=True)
class AreaOptions:
    """Study area and hexagons."""

    city: Annotated[
        str | None,
        option(
            _AREA, "--city", unit="NAME", text="Sample city, or a folder with one: outline, water, mountains and, without FILES, records."
        ),
    ] = None
    area: Annotated[
        str | None,
        option(
            _AREA,
            "--area",
            "--outline",
            unit="FILE",
            text="Outline: GeoJSON polygon, or CSV with lon, lat. Default: the city's, or one drawn around the records.",
        ),
    ] = None
    radius: Annotated[float, option(_AREA, "--radius", unit="METRES", text="Circumradius of a hexagon."), Gives("radius_m")] = RADIUS_M
    hexes: Annotated[
        int | None, option(_AREA, "--hexes", unit="N", text="Number of hexagons. Default: all that touch the area."), Gives("n_hexes")
    ] = None
    h3: Annotated[
        int | None,
        option(_AREA, "--h3", unit="RESOLUTION", text="Use H3 hexagons of this resolution instead."),
        Gives("h3_resolution"),
        Gives("resolution"),
    ] = None


@dataclass(frozen=True, slots=True)
class DemandOptions:
    """How demand is estimated from records."""

    window: Annotated[str, option(_DEMAND, "--window", unit="HH-HH", text="Hours of the night that count; the end is excluded.")] = "00-05"
    taxi_weight: Annotated[
        float, option(_DEMAND, "--taxi-weight", unit="SHARE", text="Weight of taxi rides in the blend of calls and taxi rides, 0 to 1.")
    ] = TAXI_WEIGHT
    nights: Annotated[
        int | None,
        option(_DEMAND, "--nights", unit="N", text="Number of nights that records without a date cover. Default: 1."),
        Gives("n_nights"),
    ] = None
    map: Annotated[
        list[str] | None,
        option(_DEMAND, "--map", unit="NAME=COLUMN", text="Column in the files that holds the owlbus column NAME; repeatable."),
        Gives("columns"),
    ] = None
    timezone: Annotated[
        str | None,
        option(
            _DEMAND, "--timezone", unit="ZONE", text="Local time zone, such as Asia/Seoul; times that carry a zone are converted to it."
        ),
    ] = None
    time_format: Annotated[
        str | None,
        option(
            _DEMAND,
            "--time-format",
            unit="FORMAT",
            text="Format of times: strptime text such as '%d.%m.%Y %H:%M', or hour, minute, HHMM, HHMMSS, excel, epoch-ms and the like.",
        ),
    ] = None
    date_order: Annotated[
        str | None, option(_DEMAND, "--date-order", unit="DMY|MDY", text="Order of day and month in dates such as 03/06/2024.")
    ] = None
    crs: Annotated[
        str | None, option(_DEMAND, "--crs", unit="EPSG:CODE", text="Coordinate system of positions that are not in degrees.")
    ] = None
    zones: Annotated[
        str | None,
        option(_DEMAND, "--zones", unit="FILE", text="Zones that records name instead of positions: polygons, or a table of centroids."),
    ] = None
    zone_id: Annotated[
        str | None, option(_DEMAND, "--zone-id", unit="COLUMN", text="Column of --zones with the ids. Default: the one that fits.")
    ] = None
    zone_weights: Annotated[
        str | None,
        option(_DEMAND, "--zone-weights", unit="COLUMN", text="Column of --zones with weights of the parts of a zone. Default: area."),
    ] = None
    presence: Annotated[
        str | None,
        option(_DEMAND, "--presence", unit="FILE", text="Counts of people by place and hour; they replace those of the records."),
    ] = None
    hour_profile: Annotated[
        str | None,
        option(
            _DEMAND,
            "--hour-profile",
            unit="FILE",
            text="Hours of trips without a time: a table (hour, share), flat, or unknown, which leaves out figures by hour.",
        ),
    ] = None
    public: Annotated[bool, option(_DEMAND, "--public", text="The records are open data: print exact counts.")] = False
    min_count: Annotated[
        float | None,
        option(_DEMAND, "--min-count", unit="N", text="Round printed counts down to multiples of N. Default: 15; the sample city: exact."),
    ] = None
    masts: Annotated[
        str | None,
        option(
            _DEMAND, "--masts", unit="FILE", text="Antennas (antenna_id, lon, lat), for calls that name an antenna instead of a position."
        ),
    ] = None
    market_share: Annotated[
        str | None,
        option(
            _DEMAND,
            "--market-share",
            unit="FILE",
            text="Market share of the operator, 0 to 1, by district (district, share) or position (lon, lat, share).",
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        option(
            _DEMAND,
            "--scheduler",
            unit="WHERE",
            text="Count records and search in other processes: local:N, processes:N, or tcp://HOST:PORT (Dask).",
        ),
    ] = None
    max_rejected: Annotated[
        float,
        option(_DEMAND, "--max-rejected", unit="SHARE", text="Refuse a file if more than this share of its rows is rejected, 0 to 1."),
        Gives("max_rejected_share"),
    ] = 1.0


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Where buses can run, and how far people walk."""

    nodes: Annotated[
        str | None,
        option(
            _NETWORK,
            "--nodes",
            unit="FILE",
            text="Road nodes: node_id, lon, lat; or stops: stop_id, lon, lat. Default: streets of the city, else the lattice of hexagons.",
        ),
    ] = None
    links: Annotated[
        str | None,
        option(
            _NETWORK,
            "--links",
            unit="FILE",
            text="Links: from_node, to_node, length_m and perhaps freespeed_m_per_s; or from_stop, to_stop, metres.",
        ),
    ] = None
    stops: Annotated[
        str | None,
        option(
            _NETWORK, "--stops", unit="FILE", text="Stops: lon, lat, name. Default: one per hexagon, at the road node nearest its centre."
        ),
    ] = None
    gtfs: Annotated[
        str | None, option(_NETWORK, "--gtfs", unit="FEED", text="GTFS feed, zip or folder; buses can use its stops and links.")
    ] = None
    osm: Annotated[
        str | None,
        option(
            _NETWORK,
            "--osm",
            unit="FILE",
            text="OpenStreetMap file (.osm.pbf); buses can use its streets, with the stops of --gtfs if given. Needs owlbus\\[osm].",
        ),
    ] = None
    places: Annotated[
        str | None,
        option(
            _NETWORK,
            "--places",
            unit="FILE",
            text="Named places: lon, lat, name, or a GIS file of points. They name the stops of the lattice, and maps show them.",
        ),
    ] = None
    modes: Annotated[
        str,
        option(
            _NETWORK, "--modes", unit="NAMES", text="Modes to read from --gtfs: bus, trolleybus, tram, metro, rail, ferry, cable, or all."
        ),
    ] = ",".join(MODES)
    merge_stops: Annotated[
        float,
        option(
            _NETWORK, "--merge-stops", unit="METRES", text="Merge stops of --gtfs or --osm that are within this distance of each other."
        ),
        Gives("merge_m"),
    ] = MERGE_M
    hours: Annotated[
        str | None,
        option(
            _NETWORK,
            "--hours",
            unit="HH-HH",
            text="Hours of the runs of --gtfs to take stops and links from, such as 22-06. Default: all.",
        ),
        Gives("service_hours"),
    ] = None
    night_factor: Annotated[
        float,
        option(
            _NETWORK,
            "--night-factor",
            unit="RATIO",
            text="Night over daytime travel time, such as 0.8; multiplies link times of GTFS or OSM.",
        ),
    ] = 1.0
    walk: Annotated[
        str,
        option(
            _NETWORK,
            "--walk",
            unit="METRES",
            text="Longest walk to a stop, inclusive, in a straight line; network or network:METRES follows the footways of --osm.",
        ),
        Gives("walk_m"),
        Gives("walk_network", word="network"),
    ] = f"{WALK_M:g}"
    walk_share: Annotated[
        float | None,
        option(
            _NETWORK,
            "--walk-share",
            unit="SHARE",
            text="Share of a hexagon's area that must lie within the walk, in the search. Default: its centre must.",
        ),
        Gives("walk_area_share"),
    ] = None
    reach: Annotated[
        str,
        option(
            _NETWORK,
            "--reach",
            unit="RULE",
            text="How the search counts hexagons: whole, by centre; or in nine sub-hexagons weighted by area or records (much slower).",
        ),
    ] = "centre"
    stretch: Annotated[
        float | None,
        option(
            _NETWORK,
            "--stretch",
            unit="RATIO",
            text="On streets, drop a link if the round trip over others is at most this many times as long; 1 keeps all. Default: 1.25.",
        ),
    ] = None
    road_factor: Annotated[
        float | None,
        option(
            _NETWORK,
            "--road-factor",
            unit="RATIO",
            text="Street metres over metres of --links, such as 1.2 for straight lines; 1 if absent.",
        ),
    ] = None
    speeds: Annotated[
        str | None,
        option(
            _NETWORK,
            "--speeds",
            unit="FILE",
            text="Link times by hour: hour and factor or speed_kmh; hour, from_stop, to_stop and seconds or speed_kmh; or a GTFS feed.",
        ),
    ] = None
    speed: Annotated[
        float, option(_NETWORK, "--speed", unit="KM/H", text="Commercial speed of buses, including layovers."), Gives("speed_kmh")
    ] = SPEED_KMH


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """Study that plans are measured on: an earlier run, or records."""

    from_run: Annotated[
        str | None,
        option(
            _STUDY,
            "--run",
            unit="DIR",
            text="Earlier run with demand and network. Default: the run directory that holds a plan, or else the sample city.",
        ),
    ] = None
    records: Annotated[
        list[str] | None, option(_STUDY, "--records", unit="FILE", text="Records of calls or taxi rides instead of a run; repeatable.")
    ] = None
    max_snap: Annotated[
        float,
        option(_STUDY, "--max-snap", unit="METRES", text="Largest distance from a way-point of a given plan to the nearest stop."),
        Gives("max_snap_m"),
    ] = MAX_SNAP_M
