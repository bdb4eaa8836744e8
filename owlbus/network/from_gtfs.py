"""Networks from GTFS: the stops and links in service today, with scheduled seconds and metres along the shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.defaults import MERGE_M, RADIUS_M
from owlbus.common.units import require_number
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
from owlbus.network.check import MAX_KMH, MIN_KMH
from owlbus.network.gtfs_tables import DEFAULT_MODES, read_feed
from owlbus.network.gtfs_trips import piece, read_hops, read_lines, read_patterns, runs_within
from owlbus.network.merge_stops import grid_around, merge_to_limit
from owlbus.network.network import MAX_STOPS
from owlbus.network.opposite_stops import PAIR_FACTOR, pair_opposite_stops
from owlbus.network.walk_sheds import WalkRule, walk_sheds
from owlbus.network.ways_back import joins_of, turns_of, ways_back

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

LOST_SHARE = 0.05
"""Share of the stops in use, or of the links, above which the report warns, dimensionless."""

_NAMED = 20
_SERVED = "links that vehicles serve"
_JOINED = "groups of lines that share no place with the others, joined by a drive between their nearest places"
_NO_LINKS = Links(*np.empty((5, 0), dtype=np.int64))
_LONG = "of these more than three times as long as the way there plus 300 s"
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
    service_hours
        Hours of departure, modulo 24, of the runs whose stops and links are taken; None for the whole day.
    whole_lines
        Whether lines that serve the grid keep their stops outside of it.
    """

    modes: Sequence[str] = DEFAULT_MODES
    merge_m: float = MERGE_M
    max_stops: int = MAX_STOPS
    hours: Sequence[int] | None = None
    night_factor: float = 1.0
    rule: WalkRule = WalkRule()
    service_hours: Sequence[int] | None = None
    whole_lines: bool = False


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
        If a mode is unknown, or a number is out of range.
    """
    counts: Counts = []
    feed, n_calls, grid = _feed_on_grid(path, grid, settings, radius_m, counts)
    patterns = read_patterns(feed, grid, counts)
    stops, stop_of = _places(feed, grid, n_calls, patterns, settings, counts)
    hops = read_hops(feed, stop_of, patterns, settings.hours, counts)
    links, lines, drives = _links(grid, stops, hops, (patterns[0], read_lines(feed, patterns, stop_of)), settings, counts)
    kept = components(links.start, links.end, stops.lon.size) == 0
    require_stops(int(kept.sum()) * bool(links.start.size), "feed")
    is_used = (n_calls > 0) & (stop_of >= 0)
    n_kept = int((is_used & kept[stop_of]).sum())
    counts += [("places cut off and dropped", int((~kept).sum())), ("stops in use whose place is kept", n_kept)]
    dropped = _dropped(feed, stops, kept, n_calls > 0, stop_of)
    notes = _notes(stops.names, kept, n_kept, int(is_used.sum()), counts)
    stops, links = keep_stops(stops, links, kept)
    counts += [("stops kept", len(stops.names)), ("links kept, each direction counted", links.start.size)]
    sheds = walk_sheds(grid, stops, settings.rule)
    speed = f"the median link runs at {np.median(links.metres / links.seconds) * _KMH:.1f} km/h; every service day counts alike"
    report = NetworkReport(f"the feed {feed.name}", tuple(counts), unreached(grid, sheds["shed_hex"]), (speed, *drives, *notes), dropped)
    geometry = line_rows([lines[k] for k in links.line])
    return {"grid": grid, "source": "gtfs", "report": report} | stop_and_link_fields(stops, links) | sheds | geometry


def _dropped(
    feed: Feed, stops: Stops, kept: NDArray[np.bool_], is_used: NDArray[np.bool_], stop_of: Ints
) -> tuple[tuple[str, float, float, str], ...]:
    """Places that are cut off, and stops in use outside the grid: name, lon, lat and reason."""
    rows = zip(stops.names, stops.lon.tolist(), stops.lat.tolist(), kept.tolist(), strict=True)
    cut_off = [(name, lon, lat, "no line joins it to the others") for name, lon, lat, is_kept in rows if not is_kept]
    outside = feed.stops.filter(is_used & (stop_of < 0)).select("stop_name", "stop_id", "lon", "lat").iter_rows()
    return (*cut_off, *((name or stop, lon, lat, "outside the study area") for name, stop, lon, lat in outside))


def feed_places(
    path: str | PathLike[str], grid: HexGrid | None, settings: GtfsImportSettings, radius_m: float = RADIUS_M
) -> tuple[HexGrid, Stops]:
    """
    Places of a feed, merged and paired, for a network whose links come from streets.

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
    tuple
        The grid and the places in it.

    Raises
    ------
    DataError
        If the feed breaks a rule.
    UsageError
        If a mode is unknown, or a number is out of range.
    """
    feed, n_calls, grid = _feed_on_grid(path, grid, settings, radius_m, [])
    return grid, _places(feed, grid, n_calls, read_patterns(feed, grid, []), settings, [])[0]


def _feed_on_grid(
    path: str | PathLike[str], grid: HexGrid | None, settings: GtfsImportSettings, radius_m: float, counts: Counts
) -> tuple[Feed, Ints, HexGrid]:
    """Feed within the hours of service, calls at each stop, and the grid, if none is given around the stops in use."""
    _require_ranges(settings)
    feed = read_feed(path, settings.modes)
    counts += feed.counts
    if settings.service_hours is not None:
        feed = runs_within(feed, settings.service_hours, counts)
    n_calls = _stop_calls(feed)
    used = n_calls > 0
    return feed, n_calls, grid or grid_around(feed.stops["lon"].to_numpy()[used], feed.stops["lat"].to_numpy()[used], radius_m)


def _require_ranges(settings: GtfsImportSettings) -> None:
    """Refuse numbers out of range."""
    require_number("merge_m", settings.merge_m, 0.0, 10_000.0)
    require_number("night_factor", settings.night_factor, 0.1, 10.0)
    require_number("max_stops", settings.max_stops, 2, 100_000)


def _notes(names: Sequence[str], kept: NDArray[np.bool_], n_kept: int, n_used: int, counts: Counts) -> list[str]:
    """Sentences on places that are dropped, and on ways back that are long."""
    notes = []
    dropped = [name for name, is_kept in zip(names, kept.tolist(), strict=True) if not is_kept]
    if dropped:
        shown = ", ".join(dropped[:_NAMED]) + (f" and {len(dropped) - _NAMED} more" if len(dropped) > _NAMED else "")
        notes.append(f"dropped places, which no line joins to the others: {shown}")
    if n_used - n_kept > LOST_SHARE * n_used:
        notes.append(
            f"warning: {n_used - n_kept} of {n_used} stops in use are dropped ({(n_used - n_kept) / n_used:.0%}), since their lines share "
            f"no place with the largest group; "
            f"merge stops over longer distances, add a mode that joins them, or give an OSM file "
            "beside the feed, whose streets are the links then"
        )
    n_long, n_served = dict(counts)[_LONG], dict(counts)[_SERVED]
    if n_long > LOST_SHARE * n_served:
        notes.append(
            f"warning: {n_long} of {n_served} served links have a long way back, since the feed has no vehicle the other way; routes there "
            f"are long in one direction; give an OSM file beside the feed, whose streets are the links then"
        )
    return notes


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


def _places(
    feed: Feed, grid: HexGrid, n_calls: Ints, patterns: tuple[Sequence[Pattern], Ints], settings: GtfsImportSettings, counts: Counts
) -> tuple[Stops, Ints]:
    """Places inside the grid: stations and stops merged by distance, then paired; and the place of each stop, -1 for none."""
    lon, lat = feed.stops["lon"].to_numpy(), feed.stops["lat"].to_numpy()
    ids = feed.stops["stop_id"].to_list()
    names = [name or stop for name, stop in zip(feed.stops["stop_name"].to_list(), ids, strict=True)]
    rows, stop_of, metres = _merged_stops(feed, grid, n_calls, settings, counts)
    calls = np.bincount(stop_of[stop_of >= 0], n_calls[stop_of >= 0], rows.size).astype(np.int64)
    xy = np.stack(grid.project(lon[rows], lat[rows]), axis=1)
    pairs = pair_opposite_stops(
        (xy[:, 0], xy[:, 1]), calls, [names[row] for row in rows.tolist()], read_lines(feed, patterns, stop_of), PAIR_FACTOR * metres
    )
    places = np.unique(pairs.place)
    counts += [
        (f"of these paired with a place of the same name within {PAIR_FACTOR * metres:.0f} m", pairs.n_by_name),
        (f"of these paired with the opposite stop of their line within {PAIR_FACTOR * metres:.0f} m", pairs.n_by_line),
    ]
    number = np.append(np.searchsorted(places, pairs.place), -1)
    rows = rows[places]
    hexes = grid.lonlat_to_hex(lon[rows], lat[rows]) if rows.size else np.empty(0, np.int32)
    latin = feed.stops["latin"].to_list()
    kept_names = ([column[row] for row in rows.tolist()] for column in (names, latin))
    return Stops(lon[rows], lat[rows], hexes, *kept_names), number[stop_of]


def _merged_stops(feed: Feed, grid: HexGrid, n_calls: Ints, settings: GtfsImportSettings, counts: Counts) -> tuple[Ints, Ints, float]:
    """Stop that represents each merged place inside the grid, the place of each stop of the feed, -1 for none, and metres merged over."""
    lon, lat = feed.stops["lon"].to_numpy(), feed.stops["lat"].to_numpy()
    ids = feed.stops["stop_id"].to_list()
    stations = [parent or stop for parent, stop in zip(feed.stops["parent"].to_list(), ids, strict=True)]
    _, station_of = np.unique(np.array(stations), return_inverse=True)
    station_calls = np.bincount(station_of, n_calls).astype(np.int64)
    order = np.lexsort((np.arange(n_calls.size), -n_calls))
    busiest = np.full(station_calls.size, -1, dtype=np.int64)
    busiest[station_of[order[::-1]]] = order[::-1]  # the busiest stop represents its station
    in_use = np.flatnonzero(station_calls > 0)
    is_inside = grid.lonlat_to_hex(lon[busiest[in_use]], lat[busiest[in_use]]) >= 0
    is_kept = is_inside | (np.isin(in_use, _on_lines(feed, station_of, in_use[is_inside])) if settings.whole_lines else False)
    inside = in_use[is_kept]
    x, y = grid.project(lon[busiest[inside]], lat[busiest[inside]])
    merged_into, metres = merge_to_limit(np.asarray(x), np.asarray(y), station_calls[inside], settings.merge_m, settings.max_stops)
    merged = np.unique(merged_into)
    place_of_station = np.full(station_calls.size, -1, dtype=np.int64)
    place_of_station[inside] = np.searchsorted(merged, merged_into)
    counts += [
        ("stops in use", int((n_calls > 0).sum())),
        ("stations and single stops in use", in_use.size),
        ("of these outside the grid", in_use.size - inside.size),
        *([("of these outside the grid, and kept for the lines that serve it", int((~is_inside & is_kept).sum()))] * settings.whole_lines),
        (f"of these merged with another within {metres:.0f} m", inside.size - merged.size),
    ]
    rows = busiest[inside[merged]] if merged.size else np.empty(0, dtype=np.int64)
    return rows, place_of_station[station_of], metres


def _on_lines(feed: Feed, station_of: Ints, stations: Ints) -> Ints:
    """Stations of the lines that call at any of some stations."""
    import polars as pl

    station = pl.DataFrame({"stop_id": feed.stops["stop_id"], "station": station_of})
    calls = feed.stop_times.select("trip", "stop_id").join(station, on="stop_id", how="inner")
    calls = calls.join(feed.trips.select("route_id").with_row_index("trip"), on="trip", how="inner").select("route_id", "station").unique()
    lines = calls.filter(pl.col("station").is_in(stations.tolist()))["route_id"]
    return np.asarray(calls.filter(pl.col("route_id").is_in(lines.implode()))["station"].unique().to_numpy(), dtype=np.int64)


def _links(
    grid: HexGrid, stops: Stops, hops: Hops, lines: tuple[Sequence[Pattern], list[list[Ints]]], settings: GtfsImportSettings, counts: Counts
) -> tuple[Links, list[Floats], list[str]]:
    """Links in both directions, their geometry, and notes: links in service, turns, and ways back of those served in one direction."""
    xy = grid.project(stops.lon, stops.lat)
    served = _served(hops, xy, settings, counts)
    pieces = [_line(stops, hops, lines[0], k) for k in range(hops.start.size)]
    turns = turns_of(served, lines[1], xy)
    for k, chain in enumerate(turns.chains):
        reverse = [pieces[link][::-1] for link in chain.tolist()]
        pieces.append(np.concatenate(reverse) if chain.size else _straight(stops, turns.links, k))
    driven = sorted_links(_joined(served, turns.links))
    joins = joins_of(driven, xy) if set(settings.modes) <= set(DEFAULT_MODES) else _NO_LINKS
    driven = sorted_links(_joined(driven, joins, len(pieces)))
    pieces += [_straight(stops, joins, k) for k in range(joins.start.size)]
    back = ways_back(driven, stops.lon.size)
    pieces += [np.concatenate([pieces[driven.line[k]] for k in chain.tolist()]) for chain in back.chains]
    counts += [
        ("links served in one direction only", _one_way(served, stops.lon.size)),
        ("turns at the end of a line, straight metres times 1.3", turns.n_turns),
        ("lines without a way back in the feed, taken back along their own streets", turns.n_returns),
        (_JOINED, joins.start.size // 2),
        ("links given a way back that vehicles drive", back.links.start.size),
        (_LONG, back.n_long),
    ]
    return (
        paired_links(sorted_links(_joined(driven, back.links, len(pieces) - back.links.start.size)), stops.lon.size),
        pieces,
        _drives(stops.names, joins),
    )


def _drives(names: Sequence[str], joins: Links) -> list[str]:
    """Sentence on the drives that join groups of lines, with the places at their ends."""
    ends = [f"{names[a]} and {names[b]}" for a, b in zip(joins.start[::2].tolist(), joins.end[::2].tolist(), strict=True)]
    if not ends:
        return []
    shown = "; ".join(ends[:_NAMED]) + (f"; and {len(ends) - _NAMED} more" if len(ends) > _NAMED else "")
    return [f"lines that share no place are joined by drives of 1.3 straight metres; check that a bus can drive between {shown}"]


def _straight(stops: Stops, links: Links, k: int) -> Floats:
    """Straight geometry of one link in lon and lat."""
    ends = [int(links.start[k]), int(links.end[k])]
    return np.stack([stops.lon[ends], stops.lat[ends]], axis=1)


def _joined(first: Links, second: Links, line: int | None = None) -> Links:
    """Links of both, the second with geometry from `line` on, which is the number of the first by default."""
    second = second._replace(line=second.line + (first.start.size if line is None else line))
    return Links(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def _served(hops: Hops, xy: tuple[Floats, Floats], settings: GtfsImportSettings, counts: Counts) -> Links:
    """Links that vehicles serve, sorted by start and end, in whole seconds and metres."""
    straight = np.hypot(*(axis[hops.start] - axis[hops.end] for axis in xy))
    metres = rounded(np.maximum(hops.end_m - hops.begin_m, straight))
    slowest = np.floor(metres * _KMH / MIN_KMH)
    scheduled = rounded(np.minimum(hops.seconds, slowest) * np.where(hops.in_hours, 1.0, settings.night_factor))
    fastest = np.ceil(metres * _KMH / MAX_KMH).astype(np.int64)
    counts += [
        (_SERVED, hops.start.size),
        (
            "of these without a vehicle in the hours asked for, given the whole day's seconds times the night factor",
            int((~hops.in_hours).sum()),
        ),
        (f"of these timed faster than {MAX_KMH:g} km/h, slowed down to it", int((scheduled < fastest).sum())),
        (f"of these timed slower than {MIN_KMH:g} km/h, which is a stand, sped up to it", int((hops.seconds > slowest).sum())),
    ]
    return Links(hops.start, hops.end, np.maximum(scheduled, fastest), metres, np.arange(hops.start.size))


def _line(stops: Stops, hops: Hops, patterns: Sequence[Pattern], k: int) -> Floats:
    """Geometry of one link in lon and lat: the piece of its shape, or a straight line."""
    pattern = patterns[int(hops.pattern[k])]
    if pattern.shape is None or pattern.lonlat is None:
        return np.stack([stops.lon[[hops.start[k], hops.end[k]]], stops.lat[[hops.start[k], hops.end[k]]]], axis=1)
    return piece(pattern.shape, pattern.lonlat, float(hops.begin_m[k]), float(hops.end_m[k]))


def _one_way(links: Links, n_stops: int) -> int:
    """Number of links without their reverse."""
    return links.start.size - paired_links(links, n_stops).start.size
