"""The road side of a city as the search sees it: stops, links with seconds and metres, and walk sheds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only, read_only_copy
from owlbus.common.errors import DataError
from owlbus.common.text import visible
from owlbus.common.units import require_number
from owlbus.network.check import require_links, require_sheds, require_stops
from owlbus.network.walk_sheds import WalkRule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.assemble import NetworkReport
    from owlbus.network.export import NetworkFrames
    from owlbus.network.walk_sheds import WalkGraph

ROAD_FACTOR = 1.25
"""Road metres over straight metres on the lattice: with it the nine routes of 2013 have their known mean length."""
RIVER_HALF_WIDTH_M = 450.0
"""Half the width of the Han, within which no stop lies."""
SPEED_KMH = 19.0
"""Commercial speed of Seoul's night buses, layover included."""
WALK_M = 500.0
"""Walk to a stop, boundary included."""
MERGE_M = 100.0
"""Metres within which stops are one place: both sides of a wide street."""
MAX_STOPS = 3_000
"""Stops that a search takes; more are merged over longer distances."""
OPPOSITE_M = 100.0
"""Metres within which the other carriageway of a one-way road belongs to the same stop."""
SNAP_M = 200.0
"""Metres that a given stop may lie from the nearest road node."""
MAX_LINK_S = 1_800.0
"""Longest link in seconds between stops on roads, at free flow, unless the stretch is 1: then links are of any length."""
STRETCH = 1.25
"""Round trip over other links that is taken for a link of its own."""
UNREACHABLE = np.int32(2**30)
"""Seconds or metres between stops that no path joins."""

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
_MATRIX_STOPS = 4_096
_ANY_LINK_S = 100_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """
    Stops, directed links between them, and the hexes each stop serves on foot.

    Rows of links and of walk sheds are kept one stop after the other: those of stop ``s`` stand at
    ``indptr[s]:indptr[s + 1]``.

    Attributes
    ----------
    grid
        The hexes.
    stop_lon, stop_lat
        Degrees, shape (n_stops,), float64.
    stop_hex
        Hex that holds each stop, -1 outside the grid, shape (n_stops,), int32.
    stop_names
        Names, one a stop, as `visible` shows them; they need not be unique.
    link_indptr, link_to
        Links by row of their start: shapes (n_stops + 1,), int64, and (n_links,), int32, targets ascending. Every link
        has its reverse, whose seconds may differ.
    link_s, link_m
        Seconds and metres of each link, shape (n_links,), int32, > 0.
    shed_indptr, shed_hex
        Hexes within the walk of each stop by `walk_rule`, boundary included: shapes (n_stops + 1,), int64, and
        (n_rows,), int32, ascending in each row. A stop's own hex is always among them.
    shed_walk_m
        Metres to each of these hexes: to its centre, or the mean over its part within the walk; shape (n_rows,), int32.
    walk_m
        The walk in metres.
    source
        ``lattice``, ``tables``, ``gtfs`` or ``osm``.
    line_indptr, line_lon, line_lat
        Street geometry of each link, for drawing: shapes (n_links + 1,), int64, and (n_points,), degrees, float64. All
        three may be empty: links are then straight.
    walk_rule
        When a hex is in a walk shed, in words, as the scorecard states it; where none is given, that of the centre and a straight line.
    report
        What the making of the network left out; not part of the fingerprint.

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
    _cache: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Own every array, then check every rule."""
        for name, kind in _TYPES.items():
            object.__setattr__(self, name, read_only_copy(getattr(self, name), kind).reshape(-1))
        object.__setattr__(self, "stop_names", tuple(visible(str(name)) for name in self.stop_names))
        require_number("walk_m", self.walk_m, 0.0, 100_000.0)
        object.__setattr__(self, "walk_m", float(self.walk_m))
        object.__setattr__(self, "walk_rule", str(self.walk_rule) or str(WalkRule(self.walk_m)))
        object.__setattr__(self, "_cache", {})
        require_stops(self)
        require_links(self)
        require_sheds(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return Network, tuple(getattr(self, spec.name) for spec in fields(self) if spec.init)

    def __repr__(self) -> str:
        """Name source and size."""
        return f"Network({self.source}, {self.n_stops} stops, {self.link_to.size} links)"

    def _repr_html_(self) -> str:
        """Size and a small map of stops and links, for notebooks."""
        from owlbus.common import notebook_html

        x, y = self.grid.project(self.stop_lon, self.stop_lat)
        starts = np.repeat(np.arange(self.n_stops), np.diff(self.link_indptr))
        links = [(a, b) for a, b in zip(starts.tolist(), self.link_to.tolist(), strict=True) if a < b]
        rows = [("stops", f"{self.n_stops:,}"), ("links", f"{self.n_links:,}"), ("walk", f"{self.walk_m:g} m"), ("source", self.source)]
        drawing = notebook_html.dots(x.tolist(), y.tolist(), 0.25 * self.grid.radius_m, links, name="map of stops and links")
        return notebook_html.page("Network", notebook_html.table(rows), drawing)

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
        Place stops at hex centres and link neighbouring hexes, minus water and mountains.

        A link is as long as the straight line times `road_factor`, and takes its metres at `speed_kmh`, both rounded to
        whole numbers. No link crosses the centreline of a river, except one at each bridge, between the nearest stops on
        either side; no link touches the inside of a mountain. Only the largest connected part is kept. With the default
        road factor the nine routes of Seoul in 2013, way-points joined by shortest paths, are as long as they were:
        36.5 km one way on average (36.56 on the lattice).

        Parameters
        ----------
        grid
            The hexes.
        rivers
            Centrelines of lon/lat, each of shape (n, 2). One that ends at the grid's rim runs on straight.
        bridges
            lon/lat of the places where a bus can cross, shape (k, 2); without them nothing crosses a river.
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
            Least share of a hex's area within the walk, in (0, 1]; None asks for its centre.

        Returns
        -------
        Network
            With what was left out in `report`.

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
        places = () if bridges is None else bridges
        rule = WalkRule(walk_m, walk_area_share)
        return cls(grid, **lattice_parts(grid, blocks, places, speed_kmh, road_factor, rule))

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
    ) -> Network:
        """
        Place stops on a road graph and link those that follow each other along it.

        Roads are the largest strongly connected part of the tables. Without `stops` each hex gets one, on its most important
        road (by ``road_type``, motorways last), at the node nearest its centre; hexes without a node get none. Two
        stops are linked in both directions if the fastest way between them, in one direction at least, passes no third
        stop, and if no shorter links join them at `stretch` times the round trip or less (a greedy spanner). Each direction
        has the metres and seconds of its own fastest way. Buses in either direction pass a stop on their own carriageway,
        and may turn round there.

        Ways are fastest at free speed. Buses halt and are slower: one factor on all free-flow seconds, at least 1, lets the
        median link run at `speed_kmh`, so that fast roads stay faster than slow ones. Memory is a few arrays of the tables'
        length beside the answer.

        Parameters
        ----------
        nodes
            Table, or CSV (gzip or not) or Parquet file, with ``node_id``, ``lon`` and ``lat``.
        links
            The same with ``from_node``, ``to_node``, ``length_m``, ``freespeed_m_per_s`` and perhaps ``road_type``.
        grid
            The hexes.
        stops
            The same with ``lon``, ``lat`` and perhaps ``name``; each is moved to the nearest road node.
        speed_kmh
            Commercial speed of the median link in km/h, layover included.
        walk_m
            Walk to a stop in metres, boundary included.
        snap_m
            Metres that a given stop may be moved; stops farther from a road are dropped and counted.
        max_link_s
            Longest link in seconds at free flow, boundary included; None takes half an hour, and any length where `stretch` is 1,
            so that all rides are exact.
        stretch
            Round trip over other links allowed instead of a link of its own, dimensionless, 1 to 3: the higher, the fewer
            links.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None asks for its centre.
        paths
            Ways that people walk along, as `read_paths` gives them; None takes the straight line.
        opposite_m
            Metres within which the other carriageway of a one-way road belongs to the same stop; 0 keeps stops on one only.

        Returns
        -------
        Network
            With street geometry, and with what was left out in `report`.

        Raises
        ------
        DataError
            If a table breaks a rule, misses the grid, or connects fewer than two stops.
        UsageError
            If a number is out of range.
        """
        from owlbus.network.carriageways import on_both_carriageways
        from owlbus.network.from_tables import read_roads, read_stops
        from owlbus.network.stop_links import RoadSettings, hex_stops, road_parts, snapped_stops

        longest_s = _longest_link_s(max_link_s, stretch)
        for name, value in (("speed_kmh", speed_kmh), ("snap_m", snap_m), ("max_link_s", longest_s)):
            require_number(name, value, 1.0, 200.0 if name == "speed_kmh" else 100_000.0)
        require_number("stretch", stretch, 1.0, 3.0)
        require_number("opposite_m", opposite_m, 0.0, 1_000.0)
        roads = read_roads(nodes, links)
        placed = hex_stops(grid, roads) if stops is None else snapped_stops(grid, roads, read_stops(stops), snap_m)
        rule = WalkRule(walk_m, walk_area_share, paths)
        roads, placed = on_both_carriageways(grid, roads, placed, opposite_m)
        return cls(grid, **road_parts(grid, roads, placed, RoadSettings(speed_kmh, 1.0, longest_s, stretch, rule)))

    @classmethod
    def from_gtfs(
        cls,
        feed: str | PathLike[str],
        grid: HexGrid | None = None,
        *,
        modes: Sequence[str] = ("bus", "trolleybus"),
        merge_m: float = MERGE_M,
        hours: Sequence[int] | None = None,
        night_factor: float = 1.0,
        walk_m: float = WALK_M,
        walk_area_share: float | None = None,
        paths: WalkGraph | None = None,
        max_stops: int = MAX_STOPS,
        radius_m: float = 500.0,
    ) -> Network:
        """
        Take the stops of a GTFS feed, and link those that some vehicle serves one after the other.

        Platforms of a station, and stops within `merge_m` of a busier one, are one place. A link takes the median of the
        scheduled seconds, from departure to departure, of the runs that leave in the hours asked for; where none does, that
        of the whole day times `night_factor`. It has the metres along the shape of most of its runs, and their geometry.
        Links that vehicles serve in one direction only get the quickest chain of served links as their reverse, unless
        that takes more than three times as long plus 300 s; then they are left out. The largest connected part is kept.

        Parameters
        ----------
        feed
            Zip, folder, or zip with the files in a folder.
        grid
            The hexes; None lays hexes over the stops in use. Stops outside the grid are left out and counted.
        modes
            Names among ``bus``, ``trolleybus``, ``tram``, ``metro``, ``rail``, ``ferry``, ``cable``; or ``all``.
        merge_m
            Metres within which stops are one place, boundary included.
        hours
            Hours of departure that count, such as 24 to 28 for 00:00 to 04:59; taken modulo 24; None for all.
        night_factor
            On the seconds of links without a run in these hours, dimensionless, in [0.1, 10].
        walk_m
            Walk to a stop in metres, boundary included.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None asks for its centre.
        paths
            Ways that people walk along, as `read_paths` gives them; None takes the straight line.
        max_stops
            Number of places allowed; where there are more, they are merged over longer distances.
        radius_m
            Circumradius in metres of the hexes that are laid where no grid is given.

        Returns
        -------
        Network
            With street geometry, and with what was left out in `report`.

        Raises
        ------
        DataError
            If the feed breaks a rule, runs no such mode, misses the grid, or connects fewer than two stops.
        UsageError
            If a number is out of range or a mode unknown.
        """
        from owlbus.network.from_gtfs import GtfsImportSettings, gtfs_parts

        require_number("merge_m", merge_m, 0.0, 10_000.0)
        require_number("night_factor", night_factor, 0.1, 10.0)
        require_number("max_stops", max_stops, 2, 100_000)
        settings = GtfsImportSettings(tuple(modes), merge_m, max_stops, hours, night_factor, WalkRule(walk_m, walk_area_share, paths))
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
        spacing_m: float = 500.0,
        walk_m: float = WALK_M,
        walk_area_share: float | None = None,
        walk_network: bool = False,
        max_stops: int = MAX_STOPS,
        max_link_s: float | None = None,
        stretch: float = STRETCH,
        radius_m: float = 500.0,
    ) -> Network:
        """
        Place stops on the streets of an OpenStreetMap extract that buses may use, and link those that follow each other.

        Streets: by type, by access (the tag most specific to buses decides), wide, high and strong enough where tagged, one
        way with the exceptions for buses, without forbidden turns. Turns that are forbidden by way of a further street are left
        out too, and no stop lies on such a street; limits that hold at some hours only are not read. The largest strongly
        connected part is kept. Stops: those that are mapped, moved to the nearest street; further ones along main roads that are
        farther than `spacing_m` from any stop; and one in each hex that is then still out of reach and has a street. The other
        carriageway of a street belongs to the same stop, at which a bus may turn round.

        Links, their thinning and speeds are those of `from_tables`. Free speeds are the tagged limits, else usual ones by
        type of road.

        Parameters
        ----------
        file
            ``.osm.pbf`` or another form that osmium reads.
        grid
            The hexes; None lays hexes over the main roads. Stops lie inside the grid, streets may lie outside.
        speed_kmh
            Commercial speed of the median link in km/h, layover included; None keeps free speeds.
        night_factor
            On all ride seconds, dimensionless, in [0.1, 10].
        merge_m
            Metres within which mapped stops are one place, boundary included.
        spacing_m
            Metres between stops that are placed where none is mapped; 0 places none.
        walk_m
            Walk to a stop in metres, boundary included.
        walk_area_share
            Least share of a hex's area within the walk, in (0, 1]; None asks for its centre.
        walk_network
            Whether people walk along the footways and streets of the extract instead of the straight line.
        max_stops
            Number of stops allowed; where there are more, they are merged over longer distances.
        max_link_s
            Longest link in seconds at free flow, boundary included; None takes half an hour, and any length where `stretch` is 1,
            so that all rides are exact.
        stretch
            Round trip over other links allowed instead of a link of its own, dimensionless, 1 to 3.
        radius_m
            Circumradius in metres of the hexes that are laid where no grid is given.

        Returns
        -------
        Network
            With street geometry, and with what was left out in `report`.

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
        rule = WalkRule(walk_m, walk_area_share)
        settings = RoadSettings(speed_kmh, night_factor, longest_s, stretch, rule, "osm", "OpenStreetMap streets")
        halts = StopSettings(merge_m, spacing_m=spacing_m, max_stops=max_stops)
        return cls(**osm_parts(file, grid, halts, settings, walk=walk_network, radius_m=radius_m))

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
        """First 16 hex digits of the SHA-256 of the grid's fingerprint, walk, source, names and all arrays but street geometry."""
        if "fingerprint" not in self._cache:
            sha = hashlib.sha256(f"{self.grid.fingerprint}|{self.walk_m!r}|{self.source}|{chr(31).join(self.stop_names)}".encode())
            for name, kind in _TYPES.items():
                if not name.startswith("line_"):
                    sha.update(getattr(self, name).astype(np.dtype(kind).newbyteorder("<")).tobytes())
            self._cache["fingerprint"] = sha.hexdigest()[:16]
        return str(self._cache["fingerprint"])

    @property
    def drive_s(self) -> NDArray[np.int32]:
        """
        Shortest seconds between all stops, shape (n_stops, n_stops), int32, 2**30 where no path leads.

        Computed once and kept: 4 bytes a pair, 36 MB for 3,000 stops.
        """
        return self._all_pairs("drive_s", self.link_s)

    @property
    def drive_m(self) -> NDArray[np.int32]:
        """
        Metres of the path with the fewest metres between all stops, shape (n_stops, n_stops), int32, 2**30 for none.

        Computed once and kept: 4 bytes a pair, 36 MB for 3,000 stops.
        """
        return self._all_pairs("drive_m", self.link_m)

    def shortest_m(self, start: ArrayLike, end: ArrayLike) -> NDArray[np.int32]:
        """
        Metres of the path with the fewest metres between pairs of stops, without the full matrix where it would be large.

        Parameters
        ----------
        start, end
            Stop indices, shape (P,).

        Returns
        -------
        ndarray of int32
            Metres, shape (P,), 2**30 for none.

        Examples
        --------
        >>> from owlbus import HexGrid, Network
        >>> network = Network.from_lattice(HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20))
        >>> bool(network.shortest_m([0], [1])[0] == network.drive_m[0, 1])
        True
        """
        from owlbus.network.drive_times import from_stops

        start, end = np.asarray(start), np.asarray(end)
        if "drive_m" in self._cache or self.n_stops <= _MATRIX_STOPS:
            found: NDArray[np.int32] = self.drive_m[start, end]
            return found
        begins, row = np.unique(start, return_inverse=True)
        rows: NDArray[np.int32] = from_stops(self.link_indptr, self.link_to, self.link_m, int(UNREACHABLE), begins)[row, end]
        return rows

    @property
    def hex_stop(self) -> NDArray[np.int32]:
        """
        Nearest stop of each hex among those whose walk shed holds it, shape (n_hexes,), int32, -1 where there is none.

        Distances are compared in whole metres; ties go to the lower stop.
        """
        if "hex_stop" not in self._cache:
            stop = np.repeat(np.arange(self.n_stops, dtype=np.int32), np.diff(self.shed_indptr))
            order = np.lexsort((stop, self.shed_walk_m, self.shed_hex))
            hexes, first = np.unique(self.shed_hex[order], return_index=True)
            nearest = np.full(self.grid.n_hexes, -1, dtype=np.int32)
            nearest[hexes] = stop[order[first]]
            self._keep("hex_stop", nearest)
        found: NDArray[np.int32] = self._cache["hex_stop"]
        return found

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
            If no link leads from `u` to `v`, or one lies outside the network.
        """
        at = self._link_at(u, v)
        return int(self.link_s[at]), int(self.link_m[at])

    def link_line(self, u: int, v: int) -> NDArray[np.float64]:
        """
        Street geometry of the link from one stop to another.

        Parameters
        ----------
        u, v
            Stop indices.

        Returns
        -------
        ndarray of float64
            lon and lat in degrees, shape (n, 2), n >= 2; straight where the source has no streets.

        Raises
        ------
        DataError
            If no link leads from `u` to `v`, or one lies outside the network.
        """
        at = self._link_at(u, v)
        if self.line_indptr.size:
            row = slice(int(self.line_indptr[at]), int(self.line_indptr[at + 1]))
            return np.stack([self.line_lon[row], self.line_lat[row]], axis=1)
        return np.array([[self.stop_lon[u], self.stop_lat[u]], [self.stop_lon[v], self.stop_lat[v]]])

    def shortest_path(self, u: int, v: int) -> NDArray[np.int32]:
        """
        Find the stops of the fastest path; among equally fast ones always the lowest next stop.

        Parameters
        ----------
        u, v
            Stop indices.

        Returns
        -------
        ndarray of int32
            From `u` to `v`, both included, shape (n,); empty if no path leads there.

        Raises
        ------
        DataError
            If an index lies outside the network.
        """
        from owlbus.kernels.paths import walk_down

        self._require_stops(u, v)
        left = np.ascontiguousarray(self.drive_s[:, v])
        path: NDArray[np.int32] = walk_down(self.link_indptr, self.link_to, self.link_s, left, u, v)
        return path if left[u] < UNREACHABLE else path[:0]

    def nearest_stops(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """
        Nearest stop of each point and how far it is, straight line.

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

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        """Keep a derived array, read-only."""
        self._cache[name] = read_only(array)

    def _all_pairs(self, name: str, cost: NDArray[np.int32]) -> NDArray[np.int32]:
        """Shortest cost between all stops, kept under `name`."""
        if name not in self._cache:
            from owlbus.network.drive_times import all_pairs

            self._keep(name, all_pairs(self.link_indptr, self.link_to, cost, int(UNREACHABLE)))
        found: NDArray[np.int32] = self._cache[name]
        return found

    def _stop_tree(self) -> Any:  # noqa: ANN401  # scipy ships no types
        """Search tree of stop positions in metres."""
        if "tree" not in self._cache:
            from scipy.spatial import cKDTree

            self._cache["tree"] = cKDTree(np.stack(self.grid.project(self.stop_lon, self.stop_lat), axis=1))
        return self._cache["tree"]

    def _require_stops(self, *stops: int) -> None:
        """Refuse stop indices outside the network."""
        for stop in stops:
            if not 0 <= stop < self.n_stops:
                msg = f"stops must lie in [0, {self.n_stops}), got {stop}"
                raise DataError(msg)

    def _link_at(self, u: int, v: int) -> int:
        """Row of the link from `u` to `v`."""
        self._require_stops(u, v)
        low, high = int(self.link_indptr[u]), int(self.link_indptr[u + 1])
        at = low + int(np.searchsorted(self.link_to[low:high], v))
        if at == high or self.link_to[at] != v:
            msg = f"no link leads from stop {u} to stop {v}"
            raise DataError(msg)
        return at


def _longest_link_s(max_link_s: float | None, stretch: float) -> float:
    """Seconds of the longest link: as asked for, else half an hour, else any length where no link is left to others."""
    if max_link_s is not None:
        return max_link_s
    return _ANY_LINK_S if stretch == 1.0 else MAX_LINK_S
