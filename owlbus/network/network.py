"""Type `Network`: stops, links with seconds and metres, and walk sheds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only, read_only_copy
from owlbus.common.defaults import MERGE_M, MODES, NIGHT_HOURS, RADIUS_M, SPACING_M, SPEED_KMH, STRETCH, WALK_M
from owlbus.common.errors import DataError
from owlbus.common.text import visible
from owlbus.common.units import require_number
from owlbus.network.check import require_hours, require_links, require_sheds, require_stops
from owlbus.network.fingerprint import fingerprint_of
from owlbus.network.walk_sheds import WalkPoints, WalkRule, nearest_of_hexes, owned_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.assemble import NetworkReport, Stops
    from owlbus.network.export import NetworkFrames
    from owlbus.network.walk_sheds import WalkGraph

ROAD_FACTOR = 1.25
"""Road metres over straight metres on the lattice; it gives the nine routes of 2013 their known mean length."""
RIVER_HALF_WIDTH_M = 450.0
"""Half the width of the Han in metres."""
MAX_STOPS = 3_000
"""Largest number of stops for a search; more are merged over longer distances."""
OPPOSITE_M = 100.0
"""Largest distance in metres from a stop to the other carriageway of its one-way road."""
SNAP_M = 200.0
"""Largest distance in metres from a stop to the nearest road node."""
MAX_LINK_S = 1_800.0
"""Longest link on roads in seconds at free flow; with a stretch of 1 links have any length."""
UNREACHABLE = np.int32(2**30)
"""Seconds or metres between stops without a path."""

_TYPES = {
    "stop_lon": np.float64,
    "stop_lat": np.float64,
    "stop_hex": np.int32,
    "link_indptr": np.int64,
    "link_to": np.int32,
    "link_s": np.int32,
    "link_m": np.int32,
    "shed_indptr": np.int64,
    "shed_hex": np.int32,
    "shed_walk_m": np.int32,
    "line_indptr": np.int64,
    "line_lon": np.float64,
    "line_lat": np.float64,
}
_TIE_NEIGHBOURS = 8
_ANY_LINK_S = 100_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """
    Stops, directed links between them, and the walk shed of each stop.

    Links and walk sheds are rows grouped by stop: those of stop ``s`` are ``indptr[s]:indptr[s + 1]``.

    Attributes
    ----------
    grid
        The hexes.
    stop_lon, stop_lat
        Degrees, shape (n_stops,), float64.
    stop_hex
        Hex of each stop, -1 outside the grid, shape (n_stops,), int32.
    stop_names
        Names, one a stop, without control characters; they need not be unique.
    link_indptr, link_to
        Links by start: shapes (n_stops + 1,), int64, and (n_links,), int32, ends ascending. Every link has its reverse, whose
        seconds may differ.
    link_s, link_m
        Seconds and metres of each link, shape (n_links,), int32, > 0. Where link times differ by hour, the longest of any hour: ride
        limits and buses then hold through the night.
    shed_indptr, shed_hex
        Hexes within the walk of each stop by `walk_rule`, boundary included: shapes (n_stops + 1,), int64, and
        (n_rows,), int32, ascending for each stop. They include the stop's own hex.
    shed_walk_m
        Metres to each of these hexes: to its centre, or the mean over its part within the walk; shape (n_rows,), int32.
    walk_m
        The walk in metres.
    source
        ``lattice``, ``tables``, ``gtfs`` or ``osm``.
    line_indptr, line_lon, line_lat
        Street geometry of each link, for maps: shapes (n_links + 1,), int64, and (n_points,), degrees, float64. All three may be
        empty: links are then straight.
    walk_rule
        When a hex is in a walk shed, in words, for the scorecard; by default its centre within the walk, straight line.
    report
        Counts of what was left out of the network; not part of the fingerprint.
    stop_names_latin
        Names in Latin letters beside the local ones, one a stop, empty where unknown; none at all by default. They are not part of
        the fingerprint: a plan fits a network whatever its names are called abroad.
    points
        Points of hexes within the walk of each stop, by which figures are published; not part of the fingerprint. None of a network made
        by hand: hexes then count whole in all figures, by their walk sheds.
    hours, hour_link_s
        Service hours with link times of their own, ascending, 24 is midnight; and the seconds of each link in these, shape
        (n_hours, n_links), int32, > 0. Both are empty where links take as long in every hour.

    Raises
    ------
    DataError
        If a rule above does not hold.

    Examples
    --------
    >>> from owlbus.grid.hexgrid import HexGrid
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> Network.from_lattice(grid)
    Network(lattice, 7 stops, 24 links)
    """

    grid: HexGrid
    stop_lon: NDArray[np.float64]
    stop_lat: NDArray[np.float64]
    stop_hex: NDArray[np.int32]
    stop_names: tuple[str, ...]
    link_indptr: NDArray[np.int64]
    link_to: NDArray[np.int32]
    link_s: NDArray[np.int32]
    link_m: NDArray[np.int32]
    shed_indptr: NDArray[np.int64]
    shed_hex: NDArray[np.int32]
    shed_walk_m: NDArray[np.int32]
    walk_m: float = WALK_M
    source: str = "lattice"
    line_indptr: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    line_lon: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)
    line_lat: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)
    walk_rule: str = field(default="", repr=False)
    report: NetworkReport | None = field(default=None, repr=False)
    stop_names_latin: tuple[str, ...] = field(default=(), repr=False)
    points: WalkPoints | None = field(default=None, repr=False)
    hours: tuple[int, ...] = field(default=(), repr=False)
    hour_link_s: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 0), np.int32), repr=False)
    _cache: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Copy every array, then check every rule."""
        for name, kind in _TYPES.items():
            object.__setattr__(self, name, read_only_copy(getattr(self, name), kind).reshape(-1))
        object.__setattr__(self, "stop_names", tuple(visible(str(name)) for name in self.stop_names))
        latin = tuple(visible(str(name)) for name in self.stop_names_latin)
        object.__setattr__(self, "stop_names_latin", latin or ("",) * len(self.stop_names))
        object.__setattr__(self, "hours", tuple(int(hour) for hour in self.hours))
        object.__setattr__(self, "hour_link_s", read_only_copy(self.hour_link_s, np.int32))
        require_number("walk_m", self.walk_m, 0.0, 100_000.0)
        object.__setattr__(self, "walk_m", float(self.walk_m))
        object.__setattr__(self, "walk_rule", str(self.walk_rule) or str(WalkRule(self.walk_m)))
        object.__setattr__(self, "_cache", {})
        require_stops(self)
        require_links(self)
        require_hours(self)
        require_sheds(self)
        object.__setattr__(self, "points", owned_points(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return Network, tuple(getattr(self, spec.name) for spec in fields(self) if spec.init)

    def __repr__(self) -> str:
        """Return source and size."""
        return f"Network({self.source}, {self.n_stops} stops, {self.link_to.size} links)"

    def _repr_html_(self) -> str:
        """Return size and a small map of stops and links, for notebooks."""
        from owlbus.network.export import to_html

        return to_html(self)

    @classmethod
    def from_lattice(
        cls,
        grid: HexGrid,
        rivers: Sequence[ArrayLike] = (),
        bridges: ArrayLike | None = None,
        mountains: ArrayLike = (),
        speed_kmh: float = SPEED_KMH,
        road_factor: float = ROAD_FACTOR,
        walk_m: float = WALK_M,
        river_half_width_m: float | Sequence[float] = RIVER_HALF_WIDTH_M,
        walk_area_share: float | None = None,
    ) -> Network:
        """
        Network with stops at hex centres and links between neighbouring hexes, without water and mountains.

        The metres of a link are the straight line times `road_factor`, its seconds those metres at `speed_kmh`, both rounded to whole
        numbers. No link crosses the centreline of a river, except one at each bridge, between the nearest stops on either side. No
        link touches the inside of a mountain. Only the largest component is kept. With the default road factor the nine routes of
        Seoul in 2013, way-points joined by shortest paths, have their known length: 36.5 km one way on average (36.56 on the
        lattice).

        Parameters
        ----------
        grid
            The hexes.
        rivers
            Centrelines of lon/lat, each of shape (n, 2). A river that ends at the grid's edge is extended straight.
        bridges
            lon/lat of bridges open to buses, shape (k, 2); without them no link crosses a river.
        mountains
            lon, lat in degrees and radius in metres, shape (k, 3).
        speed_kmh
            Commercial speed in km/h, layover included.
        road_factor
            Road metres over straight metres, dimensionless, >= 1.
        walk_m
            Walk to a stop in metres, boundary included.
        river_half_width_m
            Half width in metres, one number or one a river; hexes whose centre is nearer to the centreline are water.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None requires its centre.

        Returns
        -------
        Network
            With counts of what was left out in `report`.

        Raises
        ------
        DataError
            If a shape is wrong, or fewer than two stops are connected.
        UsageError
            If a number is out of range.
        """
        from owlbus.network.from_lattice import barriers, lattice_parts

        require_number("speed_kmh", speed_kmh, 1.0, 200.0)
        require_number("road_factor", road_factor, 1.0, 10.0)
        blocks = barriers(grid, rivers, river_half_width_m, mountains)
        rule = WalkRule(walk_m, walk_area_share)
        return cls(grid, **lattice_parts(grid, blocks, () if bridges is None else bridges, speed_kmh, road_factor, rule))

    @classmethod
    def from_tables(
        cls,
        nodes: Any,  # noqa: ANN401  # any table
        links: Any,  # noqa: ANN401  # any table
        grid: HexGrid,
        stops: Any = None,  # noqa: ANN401  # any table
        *,
        speed_kmh: float = SPEED_KMH,
        walk_m: float = WALK_M,
        snap_m: float = SNAP_M,
        max_link_s: float | None = None,
        stretch: float = STRETCH,
        walk_area_share: float | None = None,
        paths: WalkGraph | None = None,
        opposite_m: float = OPPOSITE_M,
        road_factor: float = 1.0,
    ) -> Network:
        """
        Network with stops on a road graph and links between consecutive stops along it.

        Roads are the largest strongly connected component of the tables. Without `stops` each hex gets one, on its most important
        road (by ``road_type``, motorways last), at the node nearest its centre; hexes without a node get none. Two stops are
        linked in both directions if the fastest path between them, in one direction at least, passes no third stop, and if no
        shorter links join them at `stretch` times the round trip or less (a greedy spanner). Each direction has the metres and
        seconds of its own fastest path. Buses in both directions pass a stop on their own carriageway, and may turn round there.

        Where the nodes are a table of stops, with ``stop_id``, each is a stop, and the links are those of the table; both sides of a
        street are then one stop, so that a link listed in one direction only is driven back at the same length, unless its ``oneway``
        is 1. `max_link_s`, `stretch` and `opposite_m` have no effect on them.

        Paths are fastest at free flow. One factor on all free-flow seconds, at least 1, makes the median link run at `speed_kmh`, so
        that fast roads stay faster than slow ones. The computation needs a few arrays of the tables' length.

        Parameters
        ----------
        nodes
            Table, or CSV (gzip or not) or Parquet file, with ``node_id`` or ``stop_id``, ``lon`` and ``lat``, and perhaps ``name``
            and ``name_latin`` (or ``name_en`` and the like).
        links
            The same with ``from_node``, ``to_node`` and ``length_m`` (or ``from_stop``, ``to_stop`` and ``metres``), and perhaps
            ``freespeed_m_per_s``, ``road_type`` and ``oneway``. Without speeds all links run at `speed_kmh`.
        grid
            The hexes.
        stops
            The same with ``lon``, ``lat`` and perhaps ``name`` and ``name_latin``; each is moved to the nearest road node.
        speed_kmh
            Commercial speed of the median link in km/h, layover included.
        walk_m
            Walk to a stop in metres, boundary included.
        snap_m
            Largest distance in metres from a stop to its road node; stops farther from a road are dropped and counted.
        max_link_s
            Longest link in seconds at free flow, boundary included; None takes half an hour, or any length if `stretch` is 1, so
            that all rides are exact.
        stretch
            A direct link is left out if the round trip over other links is at most this many times as long, dimensionless, 1 to 3;
            1 keeps all links.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None requires its centre.
        paths
            Walkable ways from `read_paths`; None takes the straight line.
        opposite_m
            Largest distance in metres from a stop to the other carriageway of its one-way road; 0 keeps stops on one carriageway.
        road_factor
            Street metres over the metres of the links, dimensionless, >= 1; such as 1.2 where links are straight lines.

        Returns
        -------
        Network
            With street geometry, and with counts of what was left out in `report`.

        Raises
        ------
        DataError
            If a table breaks a rule, misses the grid, or connects fewer than two stops.
        UsageError
            If a number is out of range.
        """
        from owlbus.network.stop_links import RoadSettings
        from owlbus.network.table_parts import table_parts

        longest_s = _longest_link_s(max_link_s, stretch)
        require_number("speed_kmh", speed_kmh, 1.0, 200.0)
        require_number("max_link_s", longest_s, 1.0, 100_000.0)
        require_number("stretch", stretch, 1.0, 3.0)
        settings = RoadSettings(speed_kmh, 1.0, longest_s, stretch, WalkRule(walk_m, walk_area_share, paths))
        return cls(grid, **table_parts(grid, (nodes, links, stops), settings, snap_m, opposite_m, road_factor))

    @classmethod
    def from_gtfs(
        cls,
        feed: str | PathLike[str],
        grid: HexGrid | None = None,
        *,
        modes: Sequence[str] = MODES,
        merge_m: float = MERGE_M,
        hours: Sequence[int] | None = None,
        service_hours: Sequence[int] | None = None,
        night_factor: float = 1.0,
        walk_m: float = WALK_M,
        walk_area_share: float | None = None,
        paths: WalkGraph | None = None,
        max_stops: int = MAX_STOPS,
        radius_m: float = RADIUS_M,
        whole_lines: bool = False,
    ) -> Network:
        """
        Network with the stops of a GTFS feed and links between consecutive stops of its runs.

        Platforms of a station, and stops within `merge_m` of a busier one, are merged. The two sides of a street are paired up to
        three times as far apart, by their name or by the order in which a line serves them out and back. Buses turn at the ends of
        lines; a line without a way back in the feed returns along its own streets. Groups of bus lines without a common stop are
        joined by a drive of 1.3 times the straight metres, which the report names. The seconds of a link are the median from
        departure to departure of the runs in the selected hours. For a link without such a run they are the median of the whole day
        times `night_factor`. The metres and geometry are those along the shape of most runs. A link in service in one direction only
        gets the fastest path of links that vehicles drive as its reverse, however long. The largest component is kept.

        Parameters
        ----------
        feed
            Zip, folder, or zip with the files in a folder.
        grid
            The hexes; None makes a grid over the stops in use. Stops outside the grid are left out and counted.
        modes
            Names among ``bus``, ``trolleybus``, ``tram``, ``metro``, ``rail``, ``ferry``, ``cable``; or ``all``.
        merge_m
            Metres within which stops are merged, boundary included.
        hours
            Hours of departure that count, modulo 24, such as 24 to 28 for 00:00 to 04:59; None for all.
        service_hours
            Hours of departure, modulo 24, of the runs whose stops and links are taken; None for the whole day.
        night_factor
            Factor on the seconds of links without a run in these hours, dimensionless, in [0.1, 10].
        walk_m
            Walk to a stop in metres, boundary included.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None requires its centre.
        paths
            Walkable ways from `read_paths`; None takes the straight line.
        max_stops
            Stops at most; more are merged over longer distances.
        radius_m
            Circumradius in metres of the hexes of a new grid.
        whole_lines
            Whether lines that serve the grid keep their stops outside of it, which lie in no hex.

        Returns
        -------
        Network
            With street geometry, and with counts of what was left out in `report`.

        Raises
        ------
        DataError
            If the feed breaks a rule, runs no such mode, misses the grid, or connects fewer than two stops.
        UsageError
            If a number is out of range or a mode unknown.
        """
        from owlbus.network.from_gtfs import GtfsImportSettings, gtfs_parts

        rule = WalkRule(walk_m, walk_area_share, paths)
        settings = GtfsImportSettings(tuple(modes), merge_m, max_stops, hours, night_factor, rule, service_hours, whole_lines)
        return cls(**gtfs_parts(feed, grid, settings, radius_m))

    @classmethod
    def from_osm(
        cls,
        file: str | PathLike[str],
        grid: HexGrid | None = None,
        *,
        speed_kmh: float | None = SPEED_KMH,
        night_factor: float = 1.0,
        merge_m: float = MERGE_M,
        spacing_m: float = SPACING_M,
        walk_m: float = WALK_M,
        walk_area_share: float | None = None,
        walk_network: bool = False,
        max_stops: int = MAX_STOPS,
        max_link_s: float | None = None,
        stretch: float = STRETCH,
        radius_m: float = RADIUS_M,
        hours: Sequence[int] = NIGHT_HOURS,
        stops: Stops | None = None,
    ) -> Network:
        """
        Network with stops on the streets of an OpenStreetMap file that are open to buses, and links between consecutive stops.

        Streets are selected by type, access (the tag most specific to buses decides) and tagged width, height and weight. One-way
        rules with their exceptions for buses and turn restrictions apply, also those with a street as via, on which no stop lies.
        The largest strongly connected component is kept. Stops are the mapped ones, moved to the nearest street; further ones along
        main roads and where buses halt on demand (``hail_and_ride``), farther than `spacing_m` from any stop; and one in each hex with
        a street that is still unreached. The other carriageway of a street belongs to the same stop, where a bus may turn round.

        Conditional tags (``motor_vehicle:conditional`` and its like) are judged for `hours` on all nights of a year: a street is open
        where it is open throughout, at its lowest speed. What holds on fewer than 14 nights, or in given years, does not count, nor
        do conditions on other things than the time, unless they hold for buses of every size. Paths and barriers are judged alike.

        Links and commercial speeds are those of `from_tables`. Free-flow speeds are the tagged limits, or else defaults by type of
        road.

        Parameters
        ----------
        file
            ``.osm.pbf`` or another form that osmium reads.
        grid
            The hexes; None makes a grid over the main roads. Stops lie inside the grid, streets may lie outside.
        speed_kmh
            Commercial speed of the median link in km/h, layover included; None keeps free-flow speeds.
        night_factor
            Factor on all ride seconds, dimensionless, in [0.1, 10].
        merge_m
            Metres within which mapped stops are merged, boundary included.
        spacing_m
            Metres between further stops along main roads; 0 places no stops beside the mapped ones.
        walk_m
            Walk to a stop in metres, boundary included.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None requires its centre.
        walk_network
            Whether people walk along the footways and streets of the file instead of the straight line.
        max_stops
            Stops at most; more are merged over longer distances.
        max_link_s
            Longest link in seconds at free flow, boundary included; None takes half an hour, or any length if `stretch` is 1, so
            that all rides are exact.
        stretch
            A direct link is left out if the round trip over other links is at most this many times as long, dimensionless, 1 to 3.
        radius_m
            Circumradius in metres of the hexes of a new grid.
        hours
            Clock hours in which buses run, for conditional tags; hours of 24 and above are those of the next day.
        stops
            Places of a feed from `feed_places` instead of the mapped stops; no stop is added to them.

        Returns
        -------
        Network
            With street geometry, and with counts of what was left out in `report`.

        Raises
        ------
        DataError
            If the file is missing or broken, has no streets for buses, or connects fewer than two stops.
        UsageError
            If a number is out of range, or the extra ``owlbus[osm]`` is not installed.
        """
        from owlbus.network.from_osm import StopSettings, osm_parts
        from owlbus.network.stop_links import RoadSettings

        longest_s = _longest_link_s(max_link_s, stretch)
        for name, value, low, high in (
            ("speed_kmh", 1.0 if speed_kmh is None else speed_kmh, 1.0, 200.0),
            ("night_factor", night_factor, 0.1, 10.0),
            ("merge_m", merge_m, 0.0, 10_000.0),
            ("spacing_m", spacing_m, 0.0, 10_000.0),
            ("max_stops", max_stops, 2, 100_000),
            ("max_link_s", longest_s, 1.0, 100_000.0),
            ("stretch", stretch, 1.0, 3.0),
        ):
            require_number(name, value, low, high)
        rule, stop_settings = WalkRule(walk_m, walk_area_share), StopSettings(merge_m, spacing_m=spacing_m, max_stops=max_stops)
        settings = RoadSettings(speed_kmh, night_factor, longest_s, stretch, rule, "osm", "OpenStreetMap streets")
        return cls(**osm_parts(file, grid, stop_settings, settings, walk=walk_network, radius_m=radius_m, hours=hours, stops=stops))

    @property
    def n_stops(self) -> int:
        """Number of stops."""
        return self.stop_lon.size

    @property
    def n_links(self) -> int:
        """Number of links, each direction counted."""
        return self.link_to.size

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 of grid, walk, source, names, hours and all arrays but street geometry and points."""
        return str(self._cached("fingerprint", lambda: fingerprint_of(self, _TYPES)))

    @property
    def drive_s(self) -> NDArray[np.int32]:
        """
        Drive time in seconds between all stops, shape (n_stops, n_stops), int32, 2**30 without a path.

        Computed once and cached: 4 bytes a pair, 36 MB for 3,000 stops. Above 8,192 stops it is uint16, 2 bytes a pair and 800 MB for
        20,000 stops, unless a pair has no path or takes more than 65,535 s.

        Raises
        ------
        DataError
            If it does not fit into the memory at hand; nothing is allocated then.
        """
        return self._all_pairs("drive_s", self.link_s)

    @property
    def drive_m(self) -> NDArray[np.int32]:
        """
        Metres of the shortest path between all stops, shape (n_stops, n_stops), int32, 2**30 without a path.

        Computed once and cached: 4 bytes a pair, 36 MB for 3,000 stops.
        """
        return self._all_pairs("drive_m", self.link_m)

    def hour_seconds(self, hour: int) -> NDArray[np.int32]:
        """
        Seconds of each link in an hour of the night.

        Parameters
        ----------
        hour
            Service hour; 24 is midnight.

        Returns
        -------
        ndarray of int32
            Shape (n_links,): `link_s` where links take as long in every hour, and in an hour without times of its own.

        Examples
        --------
        >>> from owlbus import HexGrid, Network
        >>> network = Network.from_lattice(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7))
        >>> bool((network.hour_seconds(25) == network.link_s).all())
        True
        """
        return self.hour_link_s[self.hours.index(hour)] if hour in self.hours else self.link_s

    def at_hour(self, hour: int) -> Network:
        """
        Network as it is in one hour, for plans of this network.

        Parameters
        ----------
        hour
            Service hour; 24 is midnight.

        Returns
        -------
        Network
            The same stops and links with the seconds of that hour and with this network's fingerprint; this network itself where links take
            as long in every hour.
        """
        from owlbus.network.hour_speeds import network_at

        return network_at(self, hour) if hour in self.hours else self

    def fastest_s(self, start: ArrayLike, end: ArrayLike) -> NDArray[np.int32]:
        """
        Seconds of the fastest drive between pairs of stops; a large network needs no full matrix.

        Parameters
        ----------
        start, end
            Stop indices, of shapes that broadcast.

        Returns
        -------
        ndarray of int32
            Seconds, in the shape that both broadcast to, 2**30 without a path.
        """
        from owlbus.network.drive_times import least_between

        return least_between(self, "drive_s", self.link_s, start, end)

    def shortest_m(self, start: ArrayLike, end: ArrayLike) -> NDArray[np.int32]:
        """
        Metres of the shortest path between pairs of stops; a large network needs no full matrix.

        Parameters
        ----------
        start, end
            Stop indices, shape (P,).

        Returns
        -------
        ndarray of int32
            Metres, shape (P,), 2**30 without a path.

        Examples
        --------
        >>> from owlbus import HexGrid, Network
        >>> network = Network.from_lattice(HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20))
        >>> bool(network.shortest_m([0], [1])[0] == network.drive_m[0, 1])
        True
        """
        from owlbus.network.drive_times import least_between

        return least_between(self, "drive_m", self.link_m, start, end)

    @property
    def hex_stop(self) -> NDArray[np.int32]:
        """
        Nearest stop of each hex whose walk shed includes the hex, shape (n_hexes,), int32, -1 for none.

        Distances are compared in whole metres; ties go to the lower stop.
        """
        nearest: NDArray[np.int32] = self._cached("hex_stop", lambda: read_only(nearest_of_hexes(self)))
        return nearest

    def link(self, u: int, v: int) -> tuple[int, int]:
        """
        Seconds and metres of the link from one stop to another.

        Parameters
        ----------
        u, v
            Stop indices.

        Returns
        -------
        tuple of int
            Seconds and metres.

        Raises
        ------
        DataError
            If no link leads from `u` to `v`, or a stop is not in the network.
        """
        row = self._link_row(u, v)
        return int(self.link_s[row]), int(self.link_m[row])

    def link_line(self, u: int, v: int) -> NDArray[np.float64]:
        """
        Street geometry of the link from one stop to another, in degrees.

        Parameters
        ----------
        u, v
            Stop indices.

        Returns
        -------
        ndarray of float64
            lon and lat, shape (n, 2), n >= 2; straight if the source has no street geometry.

        Raises
        ------
        DataError
            If no link leads from `u` to `v`, or a stop is not in the network.
        """
        row = self._link_row(u, v)
        if self.line_indptr.size:
            points = slice(int(self.line_indptr[row]), int(self.line_indptr[row + 1]))
            return np.stack([self.line_lon[points], self.line_lat[points]], axis=1)
        return np.array([[self.stop_lon[u], self.stop_lat[u]], [self.stop_lon[v], self.stop_lat[v]]])

    def shortest_path(self, u: int, v: int) -> NDArray[np.int32]:
        """
        Stops of the fastest path; ties go to the lowest next stop.

        Parameters
        ----------
        u, v
            Stop indices.

        Returns
        -------
        ndarray of int32
            From `u` to `v`, both included, shape (n,); empty if there is no path.

        Raises
        ------
        DataError
            If a stop is not in the network.
        """
        from owlbus.kernels.paths import walk_down

        self._require_stops(u, v)
        to_end_s = np.ascontiguousarray(self.drive_s[:, v])
        path: NDArray[np.int32] = walk_down(self.link_indptr, self.link_to, self.link_s, to_end_s, u, v)
        return path if to_end_s[u] < UNREACHABLE else path[:0]

    def nearest_stops(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """
        Nearest stop of each point, and the straight-line distance in metres.

        Parameters
        ----------
        lon, lat
            Degrees, finite, scalars or arrays of one shape.

        Returns
        -------
        tuple of ndarray
            Stop indices, int32, and metres, float64, of that shape; ties within a micrometre go to the lower stop.

        Raises
        ------
        DataError
            If a position is not finite.
        """
        x, y = self.grid.project(lon, lat)
        points = np.stack([np.asarray(x), np.asarray(y)], axis=-1)
        if not np.isfinite(points).all():
            msg = f"points must be finite lon/lat, got {int((~np.isfinite(points).all(axis=-1)).sum())} that are not"
            raise DataError(msg)
        metres, stop = self._stop_tree().query(points, k=np.arange(1, min(_TIE_NEIGHBOURS, self.n_stops) + 1))
        tied = metres <= metres[..., :1] + 1e-6
        return np.where(tied, stop, self.n_stops).min(axis=-1).astype(np.int32), metres[..., 0]

    def to_networkx(self) -> Any:  # noqa: ANN401  # networkx ships no types
        """
        Network as a networkx graph of stops and links.

        Returns
        -------
        networkx.DiGraph
            Nodes are stop indices with ``name``, ``lon``, ``lat`` and ``hex``; edges have ``seconds`` and ``metres``.

        Raises
        ------
        UsageError
            If the extra ``owlbus[geo]`` is not installed.

        Examples
        --------
        >>> from owlbus.grid.hexgrid import HexGrid
        >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
        >>> print(Network.from_lattice(grid).to_networkx())
        DiGraph with 7 nodes and 24 edges
        """
        from owlbus.network.export import to_networkx

        return to_networkx(self)

    def to_geodataframes(self) -> NetworkFrames:
        """
        Network as geopandas frames in lon and lat: stops, links along their streets, and walk sheds.

        Returns
        -------
        NetworkFrames
            ``stops``, ``links`` with ``seconds`` and ``metres``, ``sheds`` with ``walk_m``.

        Raises
        ------
        UsageError
            If the extra ``owlbus[geo]`` is not installed.
        """
        from owlbus.network.export import to_geodataframes

        return to_geodataframes(self)

    def to_geodataframe(self, what: str = "stops") -> gpd.GeoDataFrame:
        """
        One of the frames of `to_geodataframes`.

        Parameters
        ----------
        what
            ``stops`` as points, ``links`` as lines with ``seconds`` and ``metres``, or ``sheds``, hexagons with ``walk_m``.

        Returns
        -------
        GeoDataFrame
            In lon/lat (EPSG:4326).

        Raises
        ------
        UsageError
            If `what` is none of these.
        """
        return self.to_geodataframes().chosen(what)

    def to_frame(self, what: str = "stops") -> pd.DataFrame:
        """
        One of the frames of `to_geodataframe` without geometry, stops with ``lon`` and ``lat``.

        Parameters
        ----------
        what
            ``stops`` with degrees, ``links`` with ``seconds`` and ``metres``, or ``sheds`` with ``walk_m``.

        Returns
        -------
        DataFrame
            Rows of pandas.

        Raises
        ------
        UsageError
            If `what` is none of these.

        Examples
        --------
        >>> from owlbus.grid.hexgrid import HexGrid
        >>> network = Network.from_lattice(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7))
        >>> len(network.to_frame()), list(network.to_frame("links"))
        (7, ['start', 'end', 'seconds', 'metres'])
        """
        return self.to_geodataframes().plain(what)

    def write(self, path: str | PathLike[str]) -> None:
        """
        Write the network and its grid as one Parquet file, one row a stop; the same network gives the same bytes.

        Parameters
        ----------
        path
            File to write.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        from owlbus.network.export import write_network

        write_network(path, self)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Network:
        """
        Read a network that `write` wrote.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        Network
            With the same fingerprint as the one written.

        Raises
        ------
        DataError
            If the file is missing or is no network.
        """
        from owlbus.common.files import rebuild_errors
        from owlbus.network.export import network_fields

        fields = network_fields(path)
        with rebuild_errors(path, "network"):
            return cls(**fields)

    def _cached(self, name: str, compute: Callable[[], Any]) -> Any:  # noqa: ANN401  # any derived value
        """Derived value, computed once."""
        if name not in self._cache:
            self._cache[name] = compute()
        return self._cache[name]

    def _all_pairs(self, name: str, cost: NDArray[np.int32]) -> NDArray[np.int32]:
        """Least cost between all stops, cached under `name`."""
        from owlbus.network.drive_times import all_pairs, drive_matrix

        matrix = drive_matrix if name == "drive_s" else all_pairs
        return np.asarray(self._cached(name, lambda: read_only(matrix(self.link_indptr, self.link_to, cost, int(UNREACHABLE)))))

    def _stop_tree(self) -> Any:  # noqa: ANN401  # scipy ships no types
        """Search tree of stop positions in metres."""
        from scipy.spatial import cKDTree

        return self._cached("tree", lambda: cKDTree(np.stack(self.grid.project(self.stop_lon, self.stop_lat), axis=1)))

    def _require_stops(self, *stops: int) -> None:
        """Refuse stop indices outside the network."""
        for stop in stops:
            if not 0 <= stop < self.n_stops:
                msg = f"stops must lie in [0, {self.n_stops}), got {stop}"
                raise DataError(msg)

    def _link_row(self, u: int, v: int) -> int:
        """Row of the link from `u` to `v`."""
        self._require_stops(u, v)
        low, high = int(self.link_indptr[u]), int(self.link_indptr[u + 1])
        row = low + int(np.searchsorted(self.link_to[low:high], v))
        if row == high or self.link_to[row] != v:
            msg = f"no link leads from stop {u} to stop {v}"
            raise DataError(msg)
        return row


def _longest_link_s(max_link_s: float | None, stretch: float) -> float:
    """Seconds of the longest link: the setting, or half an hour, or any length if the stretch is 1."""
    usual_s = _ANY_LINK_S if stretch == 1.0 else MAX_LINK_S
    return usual_s if max_link_s is None else max_link_s
