"""Read the tables of a GTFS feed as typed columns; leave out and count missing values and dangling ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.grid.axes import swapped_axes
from owlbus.network.gtfs_files import open_feed, text_table
from owlbus.network.gtfs_translations import with_latin_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

MODES = {
    "bus": (3, *range(200, 210), *range(700, 717)),
    "trolleybus": (11, 800),
    "tram": (0, 5, *range(900, 907)),
    "metro": (1, 12, *range(400, 406), 500, 600),
    "rail": (2, *range(100, 118), 300),
    "ferry": (4, 1000, 1200),
    "cable": (6, 7, *range(1300, 1308), 1400),
}
"""Values of ``route_type``, extended ones too, by mode; coaches count as buses."""

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Columns of ``calendar.txt`` for the days of the week."""

DEFAULT_MODES = ("bus", "trolleybus")

STATION_M = 500.0
"""Stops of one parent station that is not in the feed are one station if they lie within this distance in metres."""

_ROWS = "rows of "
_TWICE = "departures that another row of frequencies.txt states too"
_NOBODY = "stop times at which nobody may board or alight"
_NONE_ALLOWED = 1
_HALF_DAY_S = 12 * 3600
_DAY_S = 24 * 3600

PAST_MIDNIGHT = "rows of stop times that fall back to 00:00 within their trip, read as 24:00 and up"
"""Label of the count of times that a feed writes of the next day."""

_DEGREE_M = 111_320.0
_LARGEST = 1e15

_TABLES = {
    "stops": ("stop_id", "stop_lat", "stop_lon"),
    "routes": ("route_id", "route_type"),
    "trips": ("route_id", "trip_id"),
    "stop_times": ("trip_id", "stop_id", "stop_sequence"),
    "shapes": ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"),
    "frequencies": ("trip_id", "start_time", "end_time", "headway_secs"),
    "calendar": ("service_id", *DAYS, "start_date", "end_date"),
    "calendar_dates": ("service_id", "date", "exception_type"),
    "agency": ("agency_timezone",),
    "feed_info": (),
    "translations": (),
}
_OPTIONAL = {
    "stops": ("stop_name", "parent_station", "location_type"),
    "routes": ("route_short_name", "route_long_name", "agency_id", "route_desc"),
    "trips": ("service_id", "direction_id", "block_id", "trip_headsign", "shape_id"),
    "stop_times": ("arrival_time", "departure_time", "shape_dist_traveled", "pickup_type", "drop_off_type"),
    "agency": ("agency_id", "agency_name"),
    "feed_info": ("feed_version", "feed_publisher_name"),
    "translations": ("table_name", "field_name", "language", "translation", "record_id", "field_value", "trans_id", "lang"),
}
_TIME = r"^(\d{1,3}):([0-5]\d)(?::([0-5]\d)(?:\.0*)?)?$"


class Feed(NamedTuple):
    """
    Tables of a feed as polars frames: ids as text, times as seconds, other columns as numbers.

    Attributes
    ----------
    name
        Name of the feed.
    stops
        ``stop_id``, ``stop_name``, ``latin`` (its name in Latin letters, empty where unknown), ``parent``, ``lon`` and ``lat`` in
        degrees; stops without a position have that of their parent.
    routes
        ``route_id``, names, ``agency_id`` and ``mode`` of all routes, in order.
    trips
        Runs of the selected modes: ``trip_id``, ``route_id``, ``mode``, ``service_id``, ``direction_id`` (0, 1 or null), ``block_id``,
        ``trip_headsign`` and ``shape_id``.
    stop_times
        Calls at which riders may board or alight, in order of service: ``trip`` (row of `trips`), ``stop_id``, ``sequence``, ``arr`` and
        ``dep`` in seconds or null, ``dist`` in the feed's own unit or null.
    shapes
        Points of shapes in order, empty if the feed has none.
    frequencies
        ``trip_id``, ``start``, ``end`` and ``headway_secs`` in seconds; rows of a trip may overlap.
    calendar, calendar_dates, agency, feed_info
        Text of these tables, empty if the feed has none.
    counts
        Label and number of each count of the reader.
    """

    name: str
    stops: Any
    routes: Any
    trips: Any
    stop_times: Any
    shapes: Any
    frequencies: Any
    calendar: Any
    calendar_dates: Any
    agency: Any
    feed_info: Any
    counts: tuple[tuple[str, int], ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the reader left out or could not use: one phrase each with its extent, such as ``3 stop times without a stop``."""
        return tuple(f"{number:,} {what}" for what, number in self.counts if number and not what.startswith(_ROWS))


def require_modes(modes: Iterable[str]) -> tuple[str, ...]:
    """
    Names of modes, each once; unknown names are refused.

    Parameters
    ----------
    modes
        Names of `MODES`, or ``all``.

    Returns
    -------
    tuple of str
        The names, each once.

    Raises
    ------
    UsageError
        If a name is unknown, or `modes` is empty.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in modes))
    if names == ("all",):
        return tuple(MODES)
    unknown = [name for name in names if name not in MODES]
    if unknown or not names:
        msg = f"{setting('modes')} must be among {', '.join(MODES)}, or all, got {unknown[0] if unknown else 'none'!r}"
        raise UsageError(msg, setting="modes", value=names, allowed=tuple(MODES))
    return names


def read_feed(path: str | PathLike[str], modes: Iterable[str] | None = DEFAULT_MODES) -> Feed:
    """
    Read the tables of a feed, with times in seconds.

    Everything that `text_table` tolerates is read. Rows that cannot be used are left out and counted. All tables but those of stops,
    routes, trips and stop times are optional.

    Parameters
    ----------
    path
        Zip, folder, or zip with the files in a folder or in a zip.
    modes
        Names of `MODES`; None for all runs, of unknown modes too.

    Returns
    -------
    Feed
        Rows of the selected modes; times in seconds since noon minus 12 h, which may pass 24:00.

    Raises
    ------
    DataError
        If the feed, a table or a column is missing, or no row is left.
    UsageError
        If a mode is unknown.
    """
    import polars as pl

    known_modes, source = None if modes is None else require_modes(modes), Path(path)
    files = open_feed(source)
    frames = {name: text_table(files, name, columns, _OPTIONAL.get(name, ())) for name, columns in _TABLES.items()}
    counts: list[tuple[str, int]] = []
    stops = with_latin_names(_stops(source, frames["stops"], counts), frames["translations"])
    routes = _routes(frames["routes"])
    trips = _trips(source, routes, frames["trips"], known_modes, counts)
    frequencies = _frequencies(frames["frequencies"], counts)
    trips = _with_headways_left(trips, frames["frequencies"], frequencies, counts)
    counts.append((_TWICE, _n_twice(frequencies.filter(pl.col("trip_id").is_in(trips["trip_id"].implode())))))
    times = _stop_times(source, frames["stop_times"], trips, stops, counts)
    shapes = _shapes(frames["shapes"], counts)
    others = {name: frames[name] for name in ("calendar", "calendar_dates", "agency", "feed_info")}
    return Feed(source.name, stops, routes, trips, times, shapes, frequencies, **others, counts=tuple(counts))


def _whole(column: str) -> Any:  # noqa: ANN401  # a polars expression
    """Whole number of a text such as 3 or 3.0; null for any other."""
    import polars as pl

    number = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite() & (number == number.round()) & (number.abs() < _LARGEST)).then(number).cast(pl.Int64, strict=False)


def _degrees(column: str) -> Any:  # noqa: ANN401  # a polars expression
    """Degrees of a text with a decimal point or comma; null for any other."""
    import polars as pl

    return pl.col(column).str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _cut(frame: Any, keep: Any, what: str, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Rows to keep; the number of the others is added to the counts."""
    kept = frame.filter(keep)
    counts.append((what, frame.height - kept.height))
    return kept


def _stops(source: Path, frame: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Stops with a position, or that of their parent; a parent that does not exist joins its stops if they lie within `STATION_M`."""
    import polars as pl

    counts.append(("rows of stops", frame.height))
    frame = frame.with_columns(lon=_degrees("stop_lon"), lat=_degrees("stop_lat"))
    ids = frame["stop_id"].drop_nulls()
    counts.append(("stops with the id of one before", ids.len() - ids.n_unique()))
    everywhere = frame
    has_position = pl.col("lon").is_between(-180, 180) & pl.col("lat").is_between(-90, 90) & ~((pl.col("lon") == 0) & (pl.col("lat") == 0))
    frame = frame.with_columns(has_position=has_position.fill_null(value=False)).unique("stop_id", keep="first", maintain_order=True)
    parents = frame.filter("has_position").select(pl.col("stop_id").alias("parent_station"), x="lon", y="lat")
    frame = frame.join(parents, on="parent_station", how="left", maintain_order="left")
    frame = frame.with_columns(
        pl.when("has_position").then(pl.col("lon")).otherwise(pl.col("x")).alias("lon"),
        pl.when("has_position").then(pl.col("lat")).otherwise(pl.col("y")).alias("lat"),
    )
    frame = _cut(frame, pl.col("stop_id").is_not_null() & pl.col("lon").is_not_null(), "stops without id or position", counts)
    if not frame.height:
        found = swapped_axes(everywhere["lon"].to_numpy(), everywhere["lat"].to_numpy())
        reason = f"{found}, so the two columns look swapped" if found else "stop_lon and stop_lat must be degrees"
        msg = f"{source}: none of the {everywhere.height} rows of stops.txt has a position; {reason}"
        raise DataError(msg)
    dangling = pl.col("parent_station").is_not_null() & ~pl.col("parent_station").is_in(frame["stop_id"].implode())
    counts.append(("parent stations that do not exist", int(frame.select(dangling.sum()).item())))
    position = pl.col("lon", "lat")
    extent = pl.max_horizontal(((position.max() - position.min()) * _DEGREE_M).over("parent_station"))
    return frame.with_columns(parent=pl.when(~dangling | (extent <= STATION_M)).then(pl.col("parent_station"))).select(
        "stop_id", "stop_name", "parent", "lon", "lat"
    )


def _routes(routes: Any) -> Any:  # noqa: ANN401  # polars
    """Routes with the mode of each."""
    import polars as pl

    name_of = {kind: mode for mode, kinds in MODES.items() for kind in kinds}
    routes = routes.filter(pl.col("route_id").is_not_null()).unique("route_id", keep="first", maintain_order=True)
    kinds = routes.select(_whole("route_type"))["route_type"].to_list()
    mode = pl.Series("mode", [name_of.get(-1 if kind is None else kind, "other") for kind in kinds], dtype=pl.String)
    return routes.with_columns(mode).drop("route_type")


def _trips(source: Path, routes: Any, trips: Any, modes: tuple[str, ...] | None, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Runs of the routes of the selected modes."""
    import polars as pl

    counts.append(("rows of trips", trips.height))
    has_route = pl.col("route_id").is_in(routes["route_id"].implode()) & pl.col("trip_id").is_not_null()
    trips = _cut(trips, has_route, "trips of a route that is not in the feed", counts)
    counts.append(("trips with the id of one before", trips.height - trips["trip_id"].n_unique()))
    trips = trips.unique("trip_id", keep="first", maintain_order=True)
    counts.append(("routes without a trip", int((~routes["route_id"].is_in(trips["route_id"].implode())).sum())))
    trips = trips.join(routes.select("route_id", "mode"), on="route_id", how="left", maintain_order="left")
    direction = _whole("direction_id")
    trips = trips.with_columns(direction_id=pl.when(direction.is_between(0, 1)).then(direction))
    if modes is None:
        return trips
    trips_by_mode = trips["mode"].value_counts(sort=True)
    trips = _cut(trips, pl.col("mode").is_in(list(modes)), "trips of other modes", counts)
    if not trips.height:
        modes_text = ", ".join(
            f"{row['mode']} ({row['count']} trips)" for row in trips_by_mode.sort(["count", "mode"], descending=[True, False]).to_dicts()
        )
        msg = f"{source}: no trip runs as {' or '.join(modes)}, modes there: {modes_text or 'none'}; name one with {setting('modes')}"
        raise DataError(msg, setting="modes", value=tuple(modes))
    return trips


def _with_headways_left(trips: Any, rows: Any, usable: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Trips without those that run by headways alone, none of which can be used: they have no time of their own."""
    import polars as pl

    lost = pl.col("trip_id").is_in(rows["trip_id"].drop_nulls().implode()) & ~pl.col("trip_id").is_in(usable["trip_id"].implode())
    return _cut(trips, ~lost, "trips without a headway that can be used", counts)


def _stop_times(source: Path, frame: Any, trips: Any, stops: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Stop times of these runs in order of service, in seconds or null."""
    import polars as pl

    other = frame.filter(~pl.col("trip_id").is_in(trips["trip_id"].implode()).fill_null(value=False))
    counts.append(("rows of stop times", frame.height))
    counts.append(("stop times of other modes, or of a trip that is not in the feed", other.height))
    frame = frame.join(trips.select("trip_id").with_row_index("trip"), on="trip_id", how="inner", maintain_order="left")
    frame = _cut(frame, pl.col("stop_id").is_not_null(), "stop times at no stop but in an area, for rides on demand", counts)
    has_stop = pl.col("stop_id").is_in(stops["stop_id"].implode())
    frame = _cut(frame, has_stop, "stop times at a stop that is not in the feed", counts)
    frame = frame.with_columns(sequence=_whole("stop_sequence"))
    frame = _cut(frame, pl.col("sequence").is_not_null(), "stop times without a whole stop_sequence", counts)
    is_for_riders = ~pl.all_horizontal(_whole(column) == _NONE_ALLOWED for column in ("pickup_type", "drop_off_type"))
    frame = _cut(frame, is_for_riders.fill_null(value=True), _NOBODY, counts)
    n_times = pl.sum_horizontal(pl.col(column).is_not_null() for column in ("arrival_time", "departure_time"))
    frame = frame.with_columns(seconds_of("arrival_time").alias("arr"), seconds_of("departure_time").alias("dep"), n_times=n_times)
    n_valid = pl.col("arr").is_not_null().cast(pl.Int32) + pl.col("dep").is_not_null().cast(pl.Int32)
    counts.append(("times that do not read HH:MM:SS", int(frame.select((pl.col("n_times") - n_valid).sum()).item() or 0)))
    if not trips.height:
        msg = f"{source}: a feed needs a run, got none; give trips a route, and frequencies an end after their start"
        raise DataError(msg)
    if not frame.height:
        msg = f"{source}: stop_times.txt has no row of the {trips.height} trips asked for; check its ids, pickup_type and drop_off_type"
        raise DataError(msg)
    dist = pl.col("shape_dist_traveled").cast(pl.Float64, strict=False)
    frame = (
        frame.with_columns(dist=pl.when(dist.is_finite()).then(dist))
        .select("trip", "stop_id", "sequence", "arr", "dep", "dist")
        .unique(["trip", "sequence"], keep="first", maintain_order=True)
        .sort("trip", "sequence")
    )
    return _past_midnight(frame, counts)


def _past_midnight(frame: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Stop times in which a trip goes on after 23:59 at 24:00; a fall by more than half a day is a midnight."""
    import polars as pl

    first, last = pl.coalesce("arr", "dep"), pl.coalesce("dep", "arr")
    falls = (first < last.forward_fill().shift(1).over("trip") - _HALF_DAY_S).fill_null(value=False)
    falls_here = (pl.col("dep") < pl.col("arr") - _HALF_DAY_S).fill_null(value=False)
    frame = frame.with_columns(midnights=falls.cast(pl.Int64), here=falls_here.cast(pl.Int64))
    before = (pl.col("midnights").cum_sum() + pl.col("here").cum_sum() - pl.col("here")).over("trip")
    frame = frame.with_columns(arr=pl.col("arr") + _DAY_S * before, dep=pl.col("dep") + _DAY_S * (before + pl.col("here")), later=before)
    counts.append((PAST_MIDNIGHT, int(frame.select((pl.col("later") + pl.col("here") > 0).sum()).item())))
    return frame.drop("midnights", "here", "later")


def seconds_of(column: str) -> Any:  # noqa: ANN401  # a polars expression
    """
    Seconds of a time of day, which may pass 24:00; null for an invalid text.

    Parameters
    ----------
    column
        Name of the column of text.

    Returns
    -------
    polars.Expr
        Seconds, int64.
    """
    import polars as pl

    hours, minutes, seconds = (pl.col(column).str.extract(_TIME, group).cast(pl.Int64) for group in (1, 2, 3))
    return hours * 3600 + minutes * 60 + seconds.fill_null(0)


def _shapes(frame: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Points of shapes in order."""
    import polars as pl

    types = {"shape_pt_lon": pl.Float64, "shape_pt_lat": pl.Float64, "shape_pt_sequence": pl.Float64}
    frame = frame.with_columns(pl.col(column).cast(kind, strict=False) for column, kind in types.items())
    is_point = pl.col("shape_pt_lon").is_between(-180, 180) & pl.col("shape_pt_lat").is_between(-90, 90)
    is_point &= pl.col("shape_pt_sequence").is_finite()
    frame = _cut(frame, is_point.fill_null(value=False) & pl.col("shape_id").is_not_null(), "points of shapes that are none", counts)
    return frame.sort("shape_id", "shape_pt_sequence", maintain_order=True)


def _frequencies(frame: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Trip, start, end and headway of each row of frequencies, in seconds."""
    import polars as pl

    frame = frame.select(
        "trip_id",
        seconds_of("start_time").alias("start"),
        seconds_of("end_time").alias("end"),
        _whole("headway_secs"),
    )
    is_valid = pl.col("trip_id").is_not_null() & (pl.col("end") > pl.col("start")) & (pl.col("headway_secs") > 0)
    return _cut(frame, is_valid.fill_null(value=False), "headways that are none", counts)


def headway_departures(frequencies: Any) -> Any:  # noqa: ANN401  # polars
    """
    Departures that rows of headways stand for; one that several rows of a trip state counts once.

    Parameters
    ----------
    frequencies
        Rows as `Feed.frequencies` has them, in seconds.

    Returns
    -------
    polars.DataFrame
        ``trip_id`` and ``start`` in seconds, by row and time.
    """
    return _all_departures(frequencies).unique(maintain_order=True)


def _all_departures(frequencies: Any) -> Any:  # noqa: ANN401  # polars
    """Departures of each row, from its start to before its end."""
    import polars as pl

    return frequencies.select("trip_id", start=pl.int_ranges("start", "end", "headway_secs")).explode("start")


def _n_twice(frequencies: Any) -> int:  # noqa: ANN401  # polars
    """Number of departures that an earlier row of the same trip states."""
    every = _all_departures(frequencies)
    return int(every.height - every.n_unique())
