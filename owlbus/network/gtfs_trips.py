"""Runs of a GTFS feed: link times, and metres along the shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, setting
from owlbus.network.feed_distances import UNITS_M, distance_unit
from owlbus.network.gtfs_tables import headway_departures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.gtfs_tables import Feed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Points = NDArray[np.float64]


OFF_SHAPE_M = 300.0
"""Largest distance in metres from a stop to the shape of its trip; a trip with a farther stop is measured in straight lines."""

_DAY_H = 24

_APART_M = 1e-3


class Pattern(NamedTuple):
    """
    Stop pattern: a sequence of stops along one shape.

    Attributes
    ----------
    metres
        Metres from the start of the shape to each stop, never falling, shape (k,).
    shape, lonlat
        Points of the shape in metres and in degrees, each of shape (n, 2); None for lines straight from stop to stop, whose metres are
        the feed's own where it has them.
    stops
        Row of each stop in the feed's stops, shape (k,).
    """

    metres: Floats
    shape: Floats | None
    lonlat: Floats | None
    stops: Ints


class Hops(NamedTuple):
    """
    Links between consecutive stops of runs, sorted by start and end.

    Attributes
    ----------
    start, end
        Merged stops, shape (n,).
    seconds
        Median seconds from departure to departure, shape (n,), float64.
    in_hours
        Whether a run departs in the selected hours, shape (n,).
    pattern, begin_m, end_m
        Pattern of most runs, and the metres along its shape at both ends, shape (n,).
    """

    start: Ints
    end: Ints
    seconds: Floats
    in_hours: NDArray[np.bool_]
    pattern: Ints
    begin_m: Floats
    end_m: Floats


def read_patterns(feed: Feed, grid: HexGrid, counts: list[tuple[str, int]]) -> tuple[list[Pattern], Ints]:
    """
    Stop patterns of a feed in metres, and the pattern of each run.

    Parameters
    ----------
    feed
        The feed.
    grid
        Projects degrees to metres.
    counts
        List to which counts are added.

    Returns
    -------
    tuple
        Patterns, and the index of the pattern of each run, shape (n_runs,), -1 for runs without stop times.
    """
    import polars as pl

    stop_x, stop_y = grid.project(feed.stops["lon"].to_numpy(), feed.stops["lat"].to_numpy())
    stop_xy = np.stack([stop_x, stop_y], axis=1)
    row_of_stop = dict(zip(feed.stops["stop_id"].to_list(), range(feed.stops.height), strict=True))
    shapes = _shape_points(feed, grid)
    order = feed.stop_times.group_by("trip", maintain_order=True).agg(pl.col("stop_id"), pl.col("dist"))
    unit = distance_unit(feed)
    shape_of = feed.trips["shape_id"].to_list()
    number_of: dict[tuple[str | None, tuple[str, ...]], int] = {}
    patterns: list[Pattern] = []
    of_trip = np.full(feed.trips.height, -1, dtype=np.int64)
    straight = measured = 0
    for trip, stops, dist in order.iter_rows():
        key = (shape_of[trip], tuple(stops))
        if key not in number_of:
            number_of[key] = len(patterns)
            pattern = _pattern(shapes.get(key[0] or ""), stop_xy, np.array([row_of_stop[stop] for stop in stops]))
            given_m = None if unit is None or pattern.shape is not None else _given_metres(dist, UNITS_M[unit])
            patterns.append(pattern if given_m is None else pattern._replace(metres=given_m))
            straight += pattern.shape is None and given_m is None
            measured += given_m is not None
        of_trip[trip] = number_of[key]
    counts += [("stop patterns", len(patterns)), ("stop patterns without a shape they follow, measured in straight lines", straight)]
    if measured:
        counts.append((f"stop patterns without a shape they follow, measured by shape_dist_traveled, which is in {unit}", measured))
    return patterns, of_trip


def _given_metres(dist: Sequence[float | None], unit_m: float) -> Floats | None:
    """Metres from the first stop by the feed's own distances; None where one is missing or they do not rise."""
    column = np.array(dist, dtype=np.float64)
    if np.isnan(column).any() or (np.diff(column) < 0).any() or not column[-1] > column[0]:
        return None
    metres: Floats = (column - column[0]) * unit_m
    return metres


def _shape_points(feed: Feed, grid: HexGrid) -> dict[str, tuple[Floats, Floats]]:
    """Points of each shape in metres and in degrees, without repeated points."""
    points = {}
    for (name,), rows in feed.shapes.group_by("shape_id", maintain_order=True):
        lonlat = rows.select("shape_pt_lon", "shape_pt_lat").to_numpy()
        moves = np.concatenate([[True], (np.diff(lonlat, axis=0) != 0).any(axis=1)])
        if int(moves.sum()) > 1:
            lonlat = lonlat[moves]
            points[str(name)] = np.stack(grid.project(lonlat[:, 0], lonlat[:, 1]), axis=1), lonlat
    return points


def _pattern(shape: tuple[Floats, Floats] | None, stop_xy: Floats, rows: Ints) -> Pattern:
    """Pattern of stops along their shape, or along straight lines if they do not follow one."""
    stops = stop_xy[rows]
    if shape is not None:
        metres, distance = along_shape(shape[0], stops)
        if distance.max() <= OFF_SHAPE_M:
            return Pattern(metres, *shape, rows)
    return Pattern(np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stops, axis=0).T))]), None, None, rows)


def runs_within(feed: Feed, hours: Sequence[int], counts: list[tuple[str, int]]) -> Feed:
    """
    Feed with the stop times of runs that depart somewhere within some hours.

    Parameters
    ----------
    feed
        The feed.
    hours
        Hours of the day, modulo 24.
    counts
        List to which a count is added.

    Returns
    -------
    Feed
        The same feed with fewer stop times; a run by headways counts by the hours in which it may start.

    Raises
    ------
    DataError
        If no run is left.
    """
    import polars as pl

    wanted = sorted({hour % _DAY_H for hour in hours})
    departs = pl.coalesce("dep", "arr") // 3600 % _DAY_H
    rows = feed.trips.select("trip_id").with_row_index("trip")
    spans = feed.frequencies.join(rows, on="trip_id", how="inner").select(
        "trip", hour=pl.int_ranges(pl.col("start") // 3600, (pl.col("end") - 1) // 3600 + 1)
    )
    headways = spans.explode("hour").filter((pl.col("hour") % _DAY_H).is_in(wanted))["trip"]
    timed = feed.stop_times.filter(departs.is_in(wanted) & ~pl.col("trip").is_in(spans["trip"].implode()))["trip"]
    times = feed.stop_times.filter(pl.col("trip").is_in(pl.concat([headways, timed]).unique().implode()))
    counts.append(("runs outside the hours of service asked for", feed.stop_times["trip"].n_unique() - times["trip"].n_unique()))
    if not times.height:
        msg = f"{feed.name}: no run departs in the hours {wanted[0]} to {wanted[-1]} of the day; widen {setting('service_hours')}"
        raise DataError(msg, setting="service_hours", value=tuple(hours))
    return feed._replace(stop_times=times)


def read_lines(feed: Feed, patterns: tuple[Sequence[Pattern], Ints], place_of: Ints) -> list[list[Ints]]:
    """
    Sequences of places that each line serves; a run that passes a stop left out counts in pieces.

    Parameters
    ----------
    feed
        The feed.
    patterns
        Result of `read_patterns`.
    place_of
        Place of each stop of the feed, -1 for stops left out, shape (n_stops,).

    Returns
    -------
    list of list of ndarray
        For each route its sequences of two places or more, those of most runs first; no place follows itself.
    """
    runs: dict[str, dict[int, int]] = {}
    for route, pattern in zip(feed.trips["route_id"].to_list(), patterns[1].tolist(), strict=True):
        if pattern >= 0:
            number = runs.setdefault(route, {})
            number[pattern] = number.get(pattern, 0) + 1
    lines = []
    for number in runs.values():
        sequences: dict[tuple[int, ...], Ints] = {}
        for pattern in sorted(number, key=lambda k: (-number[k], k)):
            for sequence in _sequences(place_of[patterns[0][pattern].stops]):
                sequences.setdefault(tuple(sequence.tolist()), sequence)
        lines.append(list(sequences.values()))
    return lines


def _sequences(places: Ints) -> list[Ints]:
    """Pieces without -1, each place once in a row, of two places or more."""
    places = places[np.concatenate([[True], places[1:] != places[:-1]])]
    pieces = np.split(places, np.flatnonzero(places < 0))
    pieces = [piece[piece >= 0] for piece in pieces]
    return [piece for piece in pieces if piece.size > 1]


def read_hops(
    feed: Feed,
    stop_of: Ints,
    patterns: tuple[Sequence[Pattern], Ints],
    hours: Sequence[int] | None,
    counts: list[tuple[str, int]],
) -> Hops:
    """
    Links between consecutive stops of runs, with median seconds.

    Times are departures, and the arrival at the last stop. A stop without a time, or with the same time as the stop before it, gets
    a time by interpolation along the metres. Trips whose times run backwards are left out.

    Parameters
    ----------
    feed
        The feed.
    stop_of
        Merged stop of each stop, -1 for stops left out, shape (n_stops,).
    patterns
        Result of `read_patterns`.
    hours
        Hours of departure that count, modulo 24; None for all.
    counts
        List to which counts are added.

    Returns
    -------
    Hops
        Medians over the selected hours, or over the whole day for links without a run in them.
    """
    import polars as pl

    stop_numbers = pl.DataFrame({"stop_id": feed.stops["stop_id"], "at": stop_of})
    calls = feed.stop_times.select("stop_id").join(stop_numbers, on="stop_id", how="left", maintain_order="left")
    return _grouped(run_hops(feed, calls["at"].to_numpy(), patterns, counts), hours)


def run_hops(feed: Feed, stop_number: Ints, patterns: tuple[Sequence[Pattern], Ints], counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """
    Hops of all runs from stop to stop, with times as `read_hops` describes them; one row for each run and pair of stops in a row.

    Parameters
    ----------
    feed
        The feed.
    stop_number
        Stop of each stop time, -1 for those left out, shape (n_stop_times,).
    patterns
        Result of `read_patterns`.
    counts
        List to which a count is added.

    Returns
    -------
    polars.DataFrame
        Columns ``trip``, ``start``, ``end``, ``leaves`` (seconds of the service day), ``seconds``, ``pattern``, ``begin_m`` and ``end_m``.
    """
    import polars as pl

    times = feed.stop_times
    trip = times["trip"].to_numpy().astype(np.int64)
    metres = metres_of_calls(trip, patterns)
    seconds, is_valid = _seconds(trip, times, metres)
    invalid = np.unique(trip[~is_valid])
    counts.append(("trips whose times run backwards or are missing", invalid.size))
    leaves_stop = np.concatenate([(trip[1:] != trip[:-1]) | (stop_number[1:] != stop_number[:-1]), [True]])
    row = np.flatnonzero(~np.isin(trip, invalid) & leaves_stop)
    from_row, to_row = row[:-1], row[1:]
    hop = (trip[from_row] == trip[to_row]) & (stop_number[from_row] >= 0) & (stop_number[to_row] >= 0)
    from_row, to_row = from_row[hop], to_row[hop]
    frame = pl.DataFrame(
        {
            "trip": trip[from_row],
            "start": stop_number[from_row],
            "end": stop_number[to_row],
            "leaves": seconds[from_row],
            "seconds": seconds[to_row] - seconds[from_row],
            "pattern": patterns[1][trip[from_row]],
            "begin_m": metres[from_row],
            "end_m": metres[to_row],
        }
    )
    return _with_headways(feed, frame, trip, seconds)


def metres_of_calls(trip: Ints, patterns: tuple[Sequence[Pattern], Ints]) -> Floats:
    """
    Metres of each stop time along the pattern of its run.

    Parameters
    ----------
    trip
        Row of the run of each stop time, ascending, shape (n,).
    patterns
        Result of `read_patterns`.

    Returns
    -------
    ndarray of float64
        Shape (n,).
    """
    first = np.flatnonzero(np.concatenate([[True], trip[1:] != trip[:-1]]))
    return np.concatenate([patterns[0][number].metres for number in patterns[1][trip[first]].tolist()])


def _seconds(trip: Ints, times: Any, metres: Floats) -> tuple[Floats, NDArray[np.bool_]]:  # noqa: ANN401  # polars
    """Departure of each row in seconds, and whether it is in order within its trip and between two known times."""
    arrives, leaves = (times[name].cast(float).fill_null(float("nan")).to_numpy() for name in ("arr", "dep"))
    is_last = np.concatenate([trip[1:] != trip[:-1], [True]])
    is_first = np.concatenate([[True], is_last[:-1]])
    scheduled = np.where(is_last, np.where(np.isnan(arrives), leaves, arrives), np.where(np.isnan(leaves), arrives, leaves))
    repeats = ~is_first & ~is_last & (scheduled == np.concatenate([[-1.0], scheduled[:-1]]))
    known = ~np.isnan(scheduled) & ~repeats
    if not known.any():
        return scheduled, known
    position = np.cumsum(np.where(is_first, 1.0, np.diff(metres, prepend=0.0) + _APART_M))  # strictly ascending, also from trip to trip
    filled = np.interp(position, position[known], scheduled[known])
    filled = np.where(known, scheduled, filled)
    ordered = is_first | (np.diff(filled, prepend=filled[0]) >= 0)
    outside = (is_first | is_last) & np.isnan(scheduled)
    return filled, ordered & ~outside


def _with_headways(feed: Feed, hops: Any, trip: Ints, seconds: Floats) -> Any:  # noqa: ANN401  # polars
    """Hops of all runs; trips in the table of frequencies count once for each of their runs."""
    import polars as pl

    hops = hops.with_columns(pl.col("trip").cast(pl.Int64))
    if not feed.frequencies.height:
        return hops
    first = np.flatnonzero(np.concatenate([[True], trip[1:] != trip[:-1]]))
    first_starts = pl.DataFrame({"trip": trip[first], "began": seconds[first]})
    rows = headway_departures(feed.frequencies).join(feed.trips.select("trip_id").with_row_index("trip"), on="trip_id", how="inner")
    rows = rows.with_columns(pl.col("trip").cast(pl.Int64)).join(first_starts, on="trip", how="inner")
    runs = rows.select("trip", late=pl.col("start") - pl.col("began"))
    joined = hops.join(runs, on="trip", how="left", maintain_order="left")
    return joined.with_columns(leaves=pl.col("leaves") + pl.col("late").fill_null(0.0)).drop("late")


def _grouped(hops: Any, hours: Sequence[int] | None) -> Hops:  # noqa: ANN401  # polars
    """One row a link: median seconds, and the piece of shape of most runs."""
    import polars as pl

    hours_of_day = sorted({hour % _DAY_H for hour in hours}) if hours is not None else list(range(_DAY_H))
    link = ["start", "end"]
    hops = hops.with_columns(is_selected=((pl.col("leaves") // 3600).cast(pl.Int64) % _DAY_H).is_in(hours_of_day))
    selected = pl.col("seconds").filter(pl.col("is_selected"))
    times = hops.group_by(link).agg(selected.median().alias("night"), pl.col("seconds").median().alias("day"))
    pieces = hops.group_by([*link, "pattern", "begin_m", "end_m"]).agg(pl.len().alias("runs"))
    pieces = pieces.with_columns(length=pl.col("end_m") - pl.col("begin_m")).sort(
        [*link, "runs", "length", "pattern", "begin_m"], descending=[False, False, True, False, False, False]
    )
    rows = pieces.unique(link, keep="first", maintain_order=True).join(times, on=link, how="left", maintain_order="left")
    night, day = (rows[name].fill_null(float("nan")).to_numpy() for name in ("night", "day"))
    return Hops(
        rows["start"].to_numpy().astype(np.int64),
        rows["end"].to_numpy().astype(np.int64),
        np.where(np.isnan(night), day, night),
        ~np.isnan(night),
        rows["pattern"].to_numpy(),
        rows["begin_m"].to_numpy(),
        rows["end_m"].to_numpy(),
    )


def along_shape(shape: Points, stops: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Metres along a shape to each stop, never falling, and metres from each stop to the shape.

    The positions in order of service minimise the sum of squared distances and of squared metres backwards on a segment (dynamic
    programming). So a shape may pass a stop twice. Ties go to the earlier segment.

    Parameters
    ----------
    shape
        Points in metres, shape (n, 2), n >= 2.
    stops
        Stops in order of service in metres, shape (k, 2).

    Returns
    -------
    tuple of ndarray
        Metres along the shape and metres from it, each of shape (k,).

    Examples
    --------
    >>> there_and_back = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 0.0]])
    >>> along_shape(there_and_back, np.array([[10.0, 0.0], [100.0, 5.0], [10.0, 0.0]]))[0].tolist()
    [10.0, 100.0, 190.0]
    """
    vectors = np.diff(shape, axis=0)
    length = np.hypot(*vectors.T)
    begin_m = np.concatenate([[0.0], np.cumsum(length)])
    squared_length = np.maximum(length**2, 1e-12)
    share = np.clip(((stops[:, None] - shape[None, :-1]) * vectors[None]).sum(axis=2) / squared_length, 0.0, 1.0)
    distance = np.hypot(*(shape[None, :-1] + share[..., None] * vectors[None] - stops[:, None]).transpose(2, 0, 1))
    cost = distance**2
    segments = np.arange(length.size)
    previous = np.empty(distance.shape, dtype=np.int64)
    previous[0] = segments
    for k in range(1, len(stops)):
        cost_before = cost[k - 1]
        best = np.minimum.accumulate(cost_before)
        falls = np.concatenate([[True], best[1:] < best[:-1]])
        lower = np.concatenate([[0], np.maximum.accumulate(np.where(falls, segments, 0))[:-1]])
        from_lower = np.concatenate([[np.inf], best[:-1]])
        backwards = np.maximum(share[k - 1] - share[k], 0.0) * length
        from_same = cost_before + backwards**2
        previous[k] = np.where(from_lower <= from_same, lower, segments)
        cost[k] += np.minimum(from_lower, from_same)
    segment = np.empty(len(stops), dtype=np.int64)
    segment[-1] = int(np.argmin(cost[-1]))
    for k in range(len(stops) - 1, 0, -1):
        segment[k - 1] = previous[k][segment[k]]
    rows = np.arange(len(stops))
    metres = np.maximum.accumulate(begin_m[segment] + share[rows, segment] * length[segment])
    return metres, distance[rows, segment]


def piece(shape: Points, lonlat: Points, begin_m: float, end_m: float) -> Points:
    """
    Piece of a shape between two distances along it, in degrees.

    Parameters
    ----------
    shape
        Points in metres, shape (n, 2).
    lonlat
        The same points in degrees, shape (n, 2).
    begin_m, end_m
        Metres along the shape, ``begin_m <= end_m``.

    Returns
    -------
    ndarray of float64
        lon and lat in degrees, shape (k, 2), k >= 2.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(shape, axis=0).T))])
    low, high = np.searchsorted(along, begin_m, side="right"), np.searchsorted(along, end_m, side="left")
    ends = np.array([[np.interp(along_m, along, lonlat[:, axis]) for axis in (0, 1)] for along_m in (begin_m, end_m)])
    return np.concatenate([ends[:1], lonlat[low:high], ends[1:]])
