"""Networks from GTFS: the stops and links in service today, with scheduled seconds and metres along the shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import MERGE_M, RADIUS_M
from owlbus.network.assemble import (
    Links,
    NetworkReport,
    Stops,
    components,
    keep_stops,
    paired_links,
    require_stops,
    rounded,
    sorted_links,
    stop_and_link_fields,
    unreached,
)
from owlbus.network.check import MAX_KMH
from owlbus.network.gtfs_tables import DEFAULT_MODES, read_feed
from owlbus.network.gtfs_trips import piece, read_hops, read_patterns
from owlbus.network.merge_stops import grid_around, merge_to_limit
from owlbus.network.network import MAX_STOPS
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
"""A link in service in one direction only gets its fastest detour as reverse, up to this factor times its seconds plus these seconds."""

_KMH = 3.6


class GtfsImportSettings(NamedTuple):
    """
    Settings for making a network from a feed.

    Attributes
    ----------
    modes
        Names of modes, such as ``bus``.
    merge_m
        Metres within which stops are merged.
    max_stops
        Largest number of stops; more are merged over longer distances.
    hours
        Hours of departure that count, modulo 24; None for all.
    night_factor
        Factor on the seconds of links without a run in these hours, dimensionless.
    rule
        When a hex counts as within the walk.
    """

    modes: Sequence[str] = DEFAULT_MODES
    merge_m: float = MERGE_M
    max_stops: int = MAX_STOPS
    hours: Sequence[int] | None = None
    night_factor: float = 1.0
    rule: WalkRule = WalkRule()


def gtfs_parts(path: str | PathLike[str], grid: HexGrid | None, settings: GtfsImportSettings, radius_m: float = RADIUS_M) -> dict[str, Any]:
    """
    Fields of a network made from a feed.

    Parameters
    ----------
    path
        Zip or folder.
    grid
        The grid, or None for a grid around the stops in use.
    settings
        Import settings.
    radius_m
        Circumradius in metres of the hexes of a new grid.

    Returns
    -------
    dict
        Arguments of `Network`, with the grid.

    Raises
    ------
    DataError
        If the feed breaks a rule, or fewer than two stops are connected.
    UsageError
        If a mode is unknown.
    """
    feed = read_feed(path, settings.modes)
    counts: Counts = list(feed.counts)
    n_calls = _stop_calls(feed)
    if grid is None:
        used = n_calls > 0
        grid = grid_around(feed.stops["lon"].to_numpy()[used], feed.stops["lat"].to_numpy()[used], radius_m)
    stops, stop_of = _merged_stops(feed, grid, n_calls, settings, counts)
    patterns = read_patterns(feed, grid, counts)
    hops = read_hops(feed, stop_of, patterns, settings.hours, counts)
    links, lines = _links(grid, stops, hops, patterns[0], settings, counts)
    kept = components(links.start, links.end, stops.lon.size) == 0
    require_stops(int(kept.sum()) * bool(links.start.size), "feed")
    stops, links = keep_stops(stops, links, kept)
    counts += [
        ("places cut off and dropped", int((~kept).sum())),
        ("stops kept", len(stops.names)),
        ("links kept, each direction counted", links.start.size),
    ]
    sheds = walk_sheds(grid, stops, settings.rule)
    notes = (f"the median link runs at {np.median(links.metres / links.seconds) * _KMH:.1f} km/h; every service day counts alike",)
    report = NetworkReport(f"the feed {feed.name}", tuple(counts), unreached(grid, sheds["shed_hex"]), notes)
    geometry = line_rows([lines[k] for k in links.line])
    return {"grid": grid, "source": "gtfs", "report": report} | stop_and_link_fields(stops, links) | sheds | geometry


def line_rows(lines: Sequence[Floats]) -> dict[str, NDArray[Any]]:
    """
    Fields of a network for its street geometry.

    Parameters
    ----------
    lines
        lon and lat in degrees of each link, each of shape (k, 2).

    Returns
    -------
    dict of ndarray
        ``line_indptr``, ``line_lon`` and ``line_lat``.
    """
    points = np.concatenate([np.empty((0, 2)), *lines])
    return {"line_indptr": np.cumsum([0, *map(len, lines)]), "line_lon": points[:, 0], "line_lat": points[:, 1]}


def _stop_calls(feed: Feed) -> Ints:
    """Number of stop times at each stop of the feed."""
    import polars as pl

    calls = feed.stop_times.group_by("stop_id").agg(pl.len().alias("halts"))
    joined = feed.stops.select("stop_id").join(calls, on="stop_id", how="left", maintain_order="left")
    return np.asarray(joined["halts"].fill_null(0).to_numpy(), dtype=np.int64)


def _merged_stops(feed: Feed, grid: HexGrid, n_calls: Ints, settings: GtfsImportSettings, counts: Counts) -> tuple[Stops, Ints]:
    """Merged stops inside the grid, and the merged stop of each stop of the feed, -1 for none."""
    lon, lat = feed.stops["lon"].to_numpy(), feed.stops["lat"].to_numpy()
    ids = feed.stops["stop_id"].to_list()
    stations = [parent or stop for parent, stop in zip(feed.stops["parent"].to_list(), ids, strict=True)]
    _, station_of = np.unique(np.array(stations), return_inverse=True)
    station_calls = np.bincount(station_of, n_calls).astype(np.int64)
    order = np.lexsort((np.arange(n_calls.size), -n_calls))
    busiest = np.full(station_calls.size, -1, dtype=np.int64)
    busiest[station_of[order[::-1]]] = order[::-1]  # the busiest stop represents its station
    in_use = np.flatnonzero(station_calls > 0)
    hexes = grid.lonlat_to_hex(lon[busiest], lat[busiest])
    inside = in_use[hexes[in_use] >= 0]
    x, y = grid.project(lon[busiest[inside]], lat[busiest[inside]])
    merged_into, metres = merge_to_limit(np.asarray(x), np.asarray(y), station_calls[inside], settings.merge_m, settings.max_stops)
    merged = np.unique(merged_into)
    stop_of_station = np.full(station_calls.size, -1, dtype=np.int64)
    stop_of_station[inside] = np.searchsorted(merged, merged_into)
    counts += [
        ("stops in use", int((n_calls > 0).sum())),
        ("stations and single stops in use", in_use.size),
        ("of these outside the grid", in_use.size - inside.size),
        (f"of these merged with another within {metres:.0f} m", inside.size - merged.size),
    ]
    rows = busiest[inside[merged]] if merged.size else np.empty(0, dtype=np.int64)
    names = feed.stops["stop_name"].fill_null("").to_list()
    stops = Stops(
        lon[rows], lat[rows], hexes[inside[merged]] if merged.size else np.empty(0, np.int32), [names[k] or ids[k] for k in rows.tolist()]
    )
    return stops, stop_of_station[station_of]


def _links(
    grid: HexGrid, stops: Stops, hops: Hops, patterns: Sequence[Pattern], settings: GtfsImportSettings, counts: Counts
) -> tuple[Links, list[Floats]]:
    """Links in both directions and their geometry: links in service, and detours as reverses of those in service in one direction."""
    x, y = grid.project(stops.lon, stops.lat)
    straight = np.hypot(x[hops.start] - x[hops.end], y[hops.start] - y[hops.end])
    metres = rounded(np.maximum(hops.end_m - hops.begin_m, straight))
    scheduled = rounded(hops.seconds * np.where(hops.in_hours, 1.0, settings.night_factor))
    fastest = np.ceil(metres * _KMH / MAX_KMH).astype(np.int64)
    served = Links(hops.start, hops.end, np.maximum(scheduled, fastest), metres, np.arange(hops.start.size))
    lines = [_line(stops, hops, patterns, k) for k in range(hops.start.size)]
    counts += [
        ("links that vehicles serve", hops.start.size),
        (
            "of these without a vehicle in the hours asked for, given the whole day's seconds times the night factor",
            int((~hops.in_hours).sum()),
        ),
        (f"of these timed faster than {MAX_KMH:g} km/h, slowed down to it", int((scheduled < fastest).sum())),
    ]
    reverse, chains = _detours(served, stops.lon.size)
    counts += [
        ("links served in one direction only", _one_way(served, stops.lon.size)),
        ("of these given a way round that vehicles serve", reverse.start.size),
    ]
    lines += [np.concatenate([lines[k] for k in chain]) for chain in chains]
    links = Links(*(np.concatenate(pair) for pair in zip(served, reverse._replace(line=reverse.line + hops.start.size), strict=True)))
    return paired_links(sorted_links(links), stops.lon.size), lines


def _line(stops: Stops, hops: Hops, patterns: Sequence[Pattern], k: int) -> Floats:
    """Geometry of one link in lon and lat: the piece of its shape, or a straight line."""
    pattern = patterns[int(hops.pattern[k])]
    if pattern.shape is None or pattern.lonlat is None:
        ends = [int(hops.start[k]), int(hops.end[k])]
        return np.stack([stops.lon[ends], stops.lat[ends]], axis=1)
    return piece(pattern.shape, pattern.lonlat, float(hops.begin_m[k]), float(hops.end_m[k]))


def _one_way(links: Links, n_stops: int) -> int:
    """Number of links without their reverse."""
    return links.start.size - paired_links(links, n_stops).start.size


def _detours(links: Links, n_stops: int) -> tuple[Links, list[Ints]]:
    """Missing reverse links, each along the fastest path of links; and the links of each path."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    key = links.start * n_stops + links.end
    one_way = np.flatnonzero(~np.isin(links.end * n_stops + links.start, key))
    graph = csr_array((links.seconds.astype(np.float64), (links.start, links.end)), shape=(n_stops, n_stops))
    limit = float(links.seconds.max(initial=0)) * ROUND_FACTOR + ROUND_S
    reverse: list[tuple[int, int, int, int, int]] = []
    chains: list[Ints] = []
    for source in np.unique(links.end[one_way]).tolist():
        rows = one_way[links.end[one_way] == source]
        seconds, predecessors = dijkstra(graph, indices=source, limit=limit, return_predecessors=True)
        for k in rows[seconds[links.start[rows]] <= links.seconds[rows] * ROUND_FACTOR + ROUND_S].tolist():
            path = [int(links.start[k])]
            while path[-1] != source:
                path.append(int(predecessors[path[-1]]))
            path.reverse()
            chain_links = np.searchsorted(key, np.array(path[:-1]) * n_stops + np.array(path[1:]))
            reverse.append((source, path[-1], int(links.seconds[chain_links].sum()), int(links.metres[chain_links].sum()), len(chains)))
            chains.append(chain_links)
    return Links(*np.array(reverse, dtype=np.int64).reshape(-1, 5).T), chains
