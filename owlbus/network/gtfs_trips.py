"""What vehicles do in a feed: link times, and metres along the shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.gtfs_tables import Feed

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Points = NDArray[np.float64]


OFF_SHAPE_M = 300.0
"""Metres beyond which a stop does not lie on the shape of its trip; such a trip is measured in straight lines."""

_DAY_H = 24

_APART_M = 1e-3


class Pattern(NamedTuple):
    """
    Stops that runs serve in this order along one shape.

    Attributes
    ----------
    metres
        Metres from the start of the shape at which each stop lies, never falling; shape (k,).
    shape, lonlat
        Points of the shape in metres and in degrees, each of shape (n, 2); None where straight lines stand for it.
    """

    metres: Floats
    shape: Floats | None
    lonlat: Floats | None


class Hops(NamedTuple):
    """
    Links between places that vehicles serve one after the other, sorted by start and end.

    Attributes
    ----------
    start, end
        Places, shape (n,).
    seconds
        Median seconds from departure to departure, shape (n,), float64.
    in_hours
        Whether some vehicle runs in the hours asked for, shape (n,).
    pattern, begin_m, end_m
        Pattern that most vehicles follow, and where on its shape; shape (n,).
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
    Patterns of a feed, and the one that each of its runs follows.

    Parameters
    ----------
    feed
        The feed.
    grid
        Projects degrees to metres.
    counts
        Takes what was counted.

    Returns
    -------
    tuple
        Patterns, and their number by run, shape (n_runs,), -1 for runs without stop times.
    """
    import polars as pl

    stop_x, stop_y = grid.project(feed.stops["lon"].to_numpy(), feed.stops["lat"].to_numpy())
    stop_at = np.stack([stop_x, stop_y], axis=1)
    number = dict(zip(feed.stops["stop_id"].to_list(), range(feed.stops.height), strict=True))
    shapes = _shape_points(feed, grid)
    order = feed.stop_times.group_by("trip", maintain_order=True).agg(pl.col("stop_id"))
    shape_of = feed.trips["shape_id"].to_list()
    known: dict[tuple[str | None, tuple[str, ...]], int] = {}
    found: list[Pattern] = []
    of_trip = np.full(feed.trips.height, -1, dtype=np.int64)
    straight = 0
    for trip, stops in order.iter_rows():
        key = (shape_of[trip], tuple(stops))
        if key not in known:
            known[key] = len(found)
            found.append(_pattern(shapes.get(key[0] or ""), stop_at[[number[stop] for stop in stops]]))
            straight += found[-1].shape is None
        of_trip[trip] = known[key]
    counts += [("stop patterns", len(found)), ("stop patterns without a shape they follow, measured in straight lines", straight)]
    return found, of_trip


def _shape_points(feed: Feed, grid: HexGrid) -> dict[str, tuple[Floats, Floats]]:
    """Points of each shape in metres and in degrees, repeated points dropped."""
    found = {}
    for (name,), rows in feed.shapes.group_by("shape_id", maintain_order=True):
        lonlat = rows.select("shape_pt_lon", "shape_pt_lat").to_numpy()
        new = np.concatenate([[True], (np.diff(lonlat, axis=0) != 0).any(axis=1)])
        if int(new.sum()) > 1:
            lonlat = lonlat[new]
            found[str(name)] = np.stack(grid.project(lonlat[:, 0], lonlat[:, 1]), axis=1), lonlat
    return found


def _pattern(shape: tuple[Floats, Floats] | None, stops: Floats) -> Pattern:
    """Stops along their shape, or along straight lines where there is none that they follow."""
    if shape is not None:
        metres, off = along_shape(shape[0], stops)
        if off.max() <= OFF_SHAPE_M:
            return Pattern(metres, *shape)
    return Pattern(np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stops, axis=0).T))]), None, None)


def read_hops(
    feed: Feed,
    place: Ints,
    patterns: tuple[Sequence[Pattern], Ints],
    hours: Sequence[int] | None,
    counts: list[tuple[str, int]],
) -> Hops:
    """
    Links between places that vehicles serve one after the other.

    Times are those of departure, at the last stop of arrival. Stops without a time, and those that leave in the same
    second as the stop before them, take theirs from the metres between the stops beside them. Trips whose times run
    backwards are left out.

    Parameters
    ----------
    feed
        The feed.
    place
        Place of each stop, -1 for stops left out; shape (n_stops,).
    patterns
        As `read_patterns` gives them.
    hours
        Hours of departure that count, modulo 24; None for all.
    counts
        Takes what was counted.

    Returns
    -------
    Hops
        The median of the hours asked for where a vehicle runs then, else that of the whole day.
    """
    import polars as pl

    times = feed.stop_times
    trip = times["trip"].to_numpy().astype(np.int64)
    number = pl.DataFrame({"stop_id": feed.stops["stop_id"], "at": place})
    at = times.select("stop_id").join(number, on="stop_id", how="left", maintain_order="left")["at"].to_numpy()
    metres = _metres(trip, patterns)
    seconds, sound = _seconds(trip, times, metres)
    backwards = np.unique(trip[~sound])
    counts.append(("trips whose times run backwards or are missing", backwards.size))
    use = ~np.isin(trip, backwards)
    last_here = np.concatenate([(trip[1:] != trip[:-1]) | (at[1:] != at[:-1]), [True]])
    row = np.flatnonzero(use & last_here)
    here, there = row[:-1], row[1:]
    hop = (trip[here] == trip[there]) & (at[here] >= 0) & (at[there] >= 0)
    here, there = here[hop], there[hop]
    frame = pl.DataFrame(
        {
            "trip": trip[here],
            "start": at[here],
            "end": at[there],
            "leaves": seconds[here],
            "seconds": seconds[there] - seconds[here],
            "pattern": patterns[1][trip[here]],
            "begin_m": metres[here],
            "end_m": metres[there],
        }
    )
    return _grouped(_with_headways(feed, frame, trip, seconds), hours)


def _metres(trip: Ints, patterns: tuple[Sequence[Pattern], Ints]) -> Floats:
    """Metres of each row along the pattern of its run."""
    first = np.flatnonzero(np.concatenate([[True], trip[1:] != trip[:-1]]))
    return np.concatenate([patterns[0][number].metres for number in patterns[1][trip[first]].tolist()])


def _seconds(trip: Ints, times: Any, metres: Floats) -> tuple[Floats, NDArray[np.bool_]]:  # noqa: ANN401  # polars
    """Seconds of each row, and whether it stands in order in its trip and between two known times."""
    arrives, leaves = (times[name].cast(float).fill_null(float("nan")).to_numpy() for name in ("arr", "dep"))
    ends = np.concatenate([trip[1:] != trip[:-1], [True]])
    begins = np.concatenate([[True], ends[:-1]])
    given = np.where(ends, np.where(np.isnan(arrives), leaves, arrives), np.where(np.isnan(leaves), arrives, leaves))
    again = ~begins & ~ends & (given == np.concatenate([[-1.0], given[:-1]]))
    known = ~np.isnan(given) & ~again
    if not known.any():
        return given, known
    along = np.cumsum(np.where(begins, 1.0, np.diff(metres, prepend=0.0) + _APART_M))  # rises strictly, also from trip to trip
    filled = np.interp(along, along[known], given[known])
    filled = np.where(known, given, filled)
    ordered = begins | (np.diff(filled, prepend=filled[0]) >= 0)
    outside = (begins | ends) & np.isnan(given)
    return filled, ordered & ~outside


def _with_headways(feed: Feed, hops: Any, trip: Ints, seconds: Floats) -> Any:  # noqa: ANN401  # polars
    """Hops of trips that run at headways, once for every run; the others once."""
    import polars as pl

    hops = hops.with_columns(pl.col("trip").cast(pl.Int64))
    if not feed.frequencies.height:
        return hops
    first = np.flatnonzero(np.concatenate([[True], trip[1:] != trip[:-1]]))
    began = pl.DataFrame({"trip": trip[first], "began": seconds[first]})
    rows = feed.frequencies.join(feed.trips.select("trip_id").with_row_index("trip"), on="trip_id", how="inner")
    rows = rows.with_columns(pl.col("trip").cast(pl.Int64)).join(began, on="trip", how="inner")
    runs = rows.select("trip", late=pl.int_ranges("start", "end", "headway_secs"), began="began").explode("late")
    runs = runs.select("trip", late=pl.col("late") - pl.col("began"))
    joined = hops.join(runs, on="trip", how="left", maintain_order="left")
    return joined.with_columns(leaves=pl.col("leaves") + pl.col("late").fill_null(0.0)).drop("late")


def _grouped(hops: Any, hours: Sequence[int] | None) -> Hops:  # noqa: ANN401  # polars
    """One row a link: median seconds, and the piece of shape that most vehicles follow."""
    import polars as pl

    wanted = sorted({hour % _DAY_H for hour in hours}) if hours is not None else list(range(_DAY_H))
    link = ["start", "end"]
    hops = hops.with_columns(asked=((pl.col("leaves") // 3600).cast(pl.Int64) % _DAY_H).is_in(wanted))
    asked = pl.col("seconds").filter(pl.col("asked"))
    times = hops.group_by(link).agg(asked.median().alias("night"), pl.col("seconds").median().alias("day"))
    ways = hops.group_by([*link, "pattern", "begin_m", "end_m"]).agg(pl.len().alias("runs"))
    ways = ways.with_columns(length=pl.col("end_m") - pl.col("begin_m")).sort(
        [*link, "runs", "length", "pattern", "begin_m"], descending=[False, False, True, False, False, False]
    )
    rows = ways.unique(link, keep="first", maintain_order=True).join(times, on=link, how="left", maintain_order="left")
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
    Metres along a shape at which stops lie, never falling, and how far each stop lies from it.

    Of all ways to place the stops in riding order the one with the least sum of squared distances is taken, metres ridden
    backwards on one segment among them, so a shape may pass a stop twice; ties go to the earlier segment.

    Parameters
    ----------
    shape
        Points in metres, shape (n, 2), n >= 2.
    stops
        Stops in riding order in metres, shape (k, 2).

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
    step = np.diff(shape, axis=0)
    length = np.hypot(*step.T)
    begin = np.concatenate([[0.0], np.cumsum(length)])
    square = np.maximum(length**2, 1e-12)
    part = np.clip(((stops[:, None] - shape[None, :-1]) * step[None]).sum(axis=2) / square, 0.0, 1.0)
    off = np.hypot(*(shape[None, :-1] + part[..., None] * step[None] - stops[:, None]).transpose(2, 0, 1))
    least = off**2
    segments = np.arange(length.size)
    came = np.empty(off.shape, dtype=np.int64)
    came[0] = segments
    for k in range(1, len(stops)):
        before = least[k - 1]
        best = np.minimum.accumulate(before)
        falls = np.concatenate([[True], best[1:] < best[:-1]])
        lower = np.concatenate([[0], np.maximum.accumulate(np.where(falls, segments, 0))[:-1]])
        from_lower = np.concatenate([[np.inf], best[:-1]])
        backwards = np.maximum(part[k - 1] - part[k], 0.0) * length
        from_same = before + backwards**2
        came[k] = np.where(from_lower <= from_same, lower, segments)
        least[k] += np.minimum(from_lower, from_same)
    at = np.empty(len(stops), dtype=np.int64)
    at[-1] = int(np.argmin(least[-1]))
    for k in range(len(stops) - 1, 0, -1):
        at[k - 1] = came[k][at[k]]
    rows = np.arange(len(stops))
    metres = np.maximum.accumulate(begin[at] + part[rows, at] * length[at])
    return metres, off[rows, at]


def piece(shape: Points, lonlat: Points, begin_m: float, end_m: float) -> Points:
    """
    Piece of a shape between two distances along it.

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
    ends = np.array([[np.interp(at, along, lonlat[:, axis]) for axis in (0, 1)] for at in (begin_m, end_m)])
    return np.concatenate([ends[:1], lonlat[low:high], ends[1:]])
