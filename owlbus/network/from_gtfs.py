"""Networks from GTFS: the stops and links that vehicles serve today, with scheduled seconds and metres along the shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.network.assemble import (
    Links,
    NetworkReport,
    Stops,
    components,
    keep_stops,
    link_rows,
    paired_links,
    require_stops,
    sorted_links,
    unreached,
    whole,
)
from owlbus.network.check import MAX_KMH
from owlbus.network.gtfs_tables import DEFAULT_MODES, read_feed
from owlbus.network.gtfs_trips import piece, read_hops, read_patterns
from owlbus.network.merge_stops import few_places, grid_around
from owlbus.network.network import MAX_STOPS, MERGE_M
from owlbus.network.walk_sheds import WalkRule, walk_sheds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.gtfs_tables import Feed
    from owlbus.network.gtfs_trips import Hops, Pattern

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Counts = list[tuple[str, int]]

ROUND_FACTOR, ROUND_S = 3.0, 300.0
"""A link that no vehicle serves backwards takes the way round that vehicles serve, up to this times its seconds plus these seconds."""

_KMH = 3.6


class GtfsImportSettings(NamedTuple):
    """
    How a feed becomes a network.

    Attributes
    ----------
    modes
        Names of modes, such as ``bus``.
    merge_m
        Metres within which stops are one place.
    max_stops
        Places allowed; more are merged over longer distances.
    hours
        Hours of departure that count, modulo 24; None for all.
    night_factor
        On the seconds of links that no vehicle serves in these hours, dimensionless.
    rule
        When a hex counts as within the walk.
    """

    modes: Sequence[str] = DEFAULT_MODES
    merge_m: float = MERGE_M
    max_stops: int = MAX_STOPS
    hours: Sequence[int] | None = None
    night_factor: float = 1.0
    rule: WalkRule = WalkRule()


def gtfs_parts(path: str | PathLike[str], grid: HexGrid | None, settings: GtfsImportSettings, radius_m: float = 500.0) -> dict[str, Any]:
    """
    Fields of a network on a feed.

    Parameters
    ----------
    path
        Zip or folder.
    grid
        The grid, or None for one around the stops in use.
    settings
        How the feed is read.
    radius_m
        Circumradius in metres of the hexes of such a grid.

    Returns
    -------
    dict
        Arguments of `Network`, the grid among them.

    Raises
    ------
    DataError
        If the feed breaks a rule, or fewer than two stops are connected.
    UsageError
        If a mode is unknown.
    """
    feed = read_feed(path, settings.modes)
    counts: Counts = list(feed.counts)
    halts = _halts(feed)
    if grid is None:
        used = halts > 0
        grid = grid_around(feed.stops["lon"].to_numpy()[used], feed.stops["lat"].to_numpy()[used], radius_m)
    stops, place = _places(feed, grid, halts, settings, counts)
    patterns = read_patterns(feed, grid, counts)
    hops = read_hops(feed, place, patterns, settings.hours, counts)
    links, lines = _links(grid, stops, hops, patterns[0], settings, counts)
    keep = components(links, stops.lon.size) == 0
    require_stops(int(keep.sum()) * bool(links.start.size), "feed")
    stops, links = keep_stops(stops, links, keep)
    counts += [
        ("places cut off and dropped", int((~keep).sum())),
        ("stops kept", len(stops.names)),
        ("links kept, each direction counted", links.start.size),
    ]
    sheds = walk_sheds(grid, stops, settings.rule)
    notes = (f"the median link runs at {np.median(links.metres / links.seconds) * _KMH:.1f} km/h; every service day counts alike",)
    report = NetworkReport(f"the feed {feed.name}", tuple(counts), unreached(grid, sheds["shed_hex"]), notes)
    shape = {"grid": grid, "stop_lon": stops.lon, "stop_lat": stops.lat, "stop_hex": stops.hexes, "stop_names": stops.names}
    return (
        shape
        | link_rows(links, len(stops.names))
        | sheds
        | line_rows([lines[k] for k in links.line])
        | {"source": "gtfs", "report": report}
    )


def line_rows(lines: Sequence[Floats]) -> dict[str, NDArray[Any]]:
    """
    Street geometry as a network keeps it.

    Parameters
    ----------
    lines
        lon and lat in degrees of each link, each of shape (k, 2).

    Returns
    -------
    dict of ndarray
        ``line_indptr``, ``line_lon`` and ``line_lat``.
    """
    every = np.concatenate([np.empty((0, 2)), *lines])
    return {"line_indptr": np.cumsum([0, *map(len, lines)]), "line_lon": every[:, 0], "line_lat": every[:, 1]}


def _halts(feed: Feed) -> Ints:
    """How often vehicles halt at each stop of the feed."""
    import polars as pl

    count = feed.stop_times.group_by("stop_id").agg(pl.len().alias("halts"))
    joined = feed.stops.select("stop_id").join(count, on="stop_id", how="left", maintain_order="left")
    return np.asarray(joined["halts"].fill_null(0).to_numpy(), dtype=np.int64)


def _places(feed: Feed, grid: HexGrid, halts: Ints, settings: GtfsImportSettings, counts: Counts) -> tuple[Stops, Ints]:
    """Places inside the grid, and the place of each stop of the feed, -1 for none."""
    lon, lat = feed.stops["lon"].to_numpy(), feed.stops["lat"].to_numpy()
    own = feed.stops["stop_id"].to_list()
    station = [parent or stop for parent, stop in zip(feed.stops["parent"].to_list(), own, strict=True)]
    _, group = np.unique(np.array(station), return_inverse=True)
    weight = np.bincount(group, halts).astype(np.int64)
    order = np.lexsort((np.arange(halts.size), -halts))
    head = np.full(weight.size, -1, dtype=np.int64)
    head[group[order[::-1]]] = order[::-1]  # the busiest stop of each station stands for it
    used = np.flatnonzero(weight > 0)
    hexes = grid.lonlat_to_hex(lon[head], lat[head])
    inside = used[hexes[used] >= 0]
    x, y = grid.project(lon[head[inside]], lat[head[inside]])
    named, metres = few_places(np.asarray(x), np.asarray(y), weight[inside], settings.merge_m, settings.max_stops)
    places = np.unique(named)
    place = np.full(weight.size, -1, dtype=np.int64)
    place[inside] = np.searchsorted(places, named)
    counts += [
        ("stops in use", int((halts > 0).sum())),
        ("stations and single stops in use", used.size),
        ("of these outside the grid", used.size - inside.size),
        (f"of these merged with another within {metres:.0f} m", inside.size - places.size),
    ]
    at = head[inside[places]] if places.size else np.empty(0, dtype=np.int64)
    names = feed.stops["stop_name"].fill_null("").to_list()
    stops = Stops(
        lon[at], lat[at], hexes[inside[places]] if places.size else np.empty(0, np.int32), [names[k] or own[k] for k in at.tolist()]
    )
    return stops, place[group]


def _links(
    grid: HexGrid, stops: Stops, hops: Hops, patterns: Sequence[Pattern], settings: GtfsImportSettings, counts: Counts
) -> tuple[Links, list[Floats]]:
    """Links in both directions and their geometry: those served, and the ways round for those served in one direction."""
    x, y = grid.project(stops.lon, stops.lat)
    straight = np.hypot(x[hops.start] - x[hops.end], y[hops.start] - y[hops.end])
    metres = whole(np.maximum(hops.end_m - hops.begin_m, straight))
    scheduled = whole(hops.seconds * np.where(hops.in_hours, 1.0, settings.night_factor))
    fastest = np.ceil(metres * _KMH / MAX_KMH).astype(np.int64)
    there = Links(hops.start, hops.end, np.maximum(scheduled, fastest), metres, np.arange(hops.start.size))
    lines = [_line(stops, hops, patterns, k) for k in range(hops.start.size)]
    counts += [
        ("links that vehicles serve", hops.start.size),
        (
            "of these without a vehicle in the hours asked for, given the whole day's seconds times the night factor",
            int((~hops.in_hours).sum()),
        ),
        (f"of these timed faster than {MAX_KMH:g} km/h, slowed down to it", int((scheduled < fastest).sum())),
    ]
    back, ways = _ways_round(there, stops.lon.size)
    counts += [
        ("links served in one direction only", _one_way(there, stops.lon.size)),
        ("of these given a way round that vehicles serve", back.start.size),
    ]
    lines += [np.concatenate([lines[k] for k in way]) for way in ways]
    both = Links(*(np.concatenate(pair) for pair in zip(there, back._replace(line=back.line + hops.start.size), strict=True)))
    return paired_links(sorted_links(both), stops.lon.size), lines


def _line(stops: Stops, hops: Hops, patterns: Sequence[Pattern], k: int) -> Floats:
    """Geometry of one link: the piece of its shape, or a straight line."""
    pattern = patterns[int(hops.pattern[k])]
    if pattern.shape is None or pattern.lonlat is None:
        ends = [int(hops.start[k]), int(hops.end[k])]
        return np.stack([stops.lon[ends], stops.lat[ends]], axis=1)
    return piece(pattern.shape, pattern.lonlat, float(hops.begin_m[k]), float(hops.end_m[k]))


def _one_way(links: Links, n_stops: int) -> int:
    """Number of links without their reverse."""
    return links.start.size - paired_links(links, n_stops).start.size


def _ways_round(links: Links, n_stops: int) -> tuple[Links, list[Ints]]:
    """Reverse links for those that have none, each along the quickest chain of links; and the links of each chain."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    key = links.start * n_stops + links.end
    alone = np.flatnonzero(~np.isin(links.end * n_stops + links.start, key))
    graph = csr_array((links.seconds.astype(np.float64), (links.start, links.end)), shape=(n_stops, n_stops))
    limit = float(links.seconds.max(initial=0)) * ROUND_FACTOR + ROUND_S
    rows: list[tuple[int, int, int, int, int]] = []
    ways: list[Ints] = []
    for source in np.unique(links.end[alone]).tolist():
        mine = alone[links.end[alone] == source]
        seconds, before = dijkstra(graph, indices=source, limit=limit, return_predecessors=True)
        for k in mine[seconds[links.start[mine]] <= links.seconds[mine] * ROUND_FACTOR + ROUND_S].tolist():
            chain = [int(links.start[k])]
            while chain[-1] != source:
                chain.append(int(before[chain[-1]]))
            chain.reverse()
            way = np.searchsorted(key, np.array(chain[:-1]) * n_stops + np.array(chain[1:]))
            rows.append((source, chain[-1], int(links.seconds[way].sum()), int(links.metres[way].sum()), len(ways)))
            ways.append(way)
    return Links(*np.array(rows, dtype=np.int64).reshape(-1, 5).T), ways
