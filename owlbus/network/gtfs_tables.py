"""Read GTFS tables from a zip, a folder, or a folder inside a zip; count missing values and dangling ids."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import read_member
from owlbus.records.text_lines import check_lines, form_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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

DEFAULT_MODES = ("bus", "trolleybus")

STATION_M = 500.0
"""Stops of one parent station that is not in the feed are one station if they lie within this distance in metres."""

_DEGREE_M = 111_320.0

_TABLES = {
    "stops": ("stop_id", "stop_lat", "stop_lon"),
    "routes": ("route_id", "route_type"),
    "trips": ("route_id", "trip_id"),
    "stop_times": ("trip_id", "stop_id", "stop_sequence"),
    "shapes": ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"),
    "frequencies": ("trip_id", "start_time", "end_time", "headway_secs"),
}
_OPTIONAL = {
    "stops": ("stop_name", "parent_station"),
    "trips": ("shape_id",),
    "stop_times": ("arrival_time", "departure_time"),
}
_NEEDED = ("stops", "routes", "trips", "stop_times")
_TIME = r"^(\d{1,3}):([0-5]\d):([0-5]\d)$"


class Feed(NamedTuple):
    """
    Tables of a feed as polars frames: ids as text, times as seconds, other columns as numbers.

    Attributes
    ----------
    name
        Name of the feed.
    stops, trips, stop_times
        Rows of the selected modes without dangling ids; one row of trips is one run, rows of stop times are in order of service.
    shapes, frequencies
        Frames, empty if the feed has none.
    counts
        Label and number of each count of the reader.
    """

    name: str
    stops: Any
    trips: Any
    stop_times: Any
    shapes: Any
    frequencies: Any
    counts: tuple[tuple[str, int], ...]


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


def read_feed(path: str | PathLike[str], modes: Iterable[str] = DEFAULT_MODES) -> Feed:
    """
    Read the tables of a feed that a network needs, with times in seconds.

    Byte order marks, blank lines, spaces around ids and lines of unequal length are tolerated. Shapes and frequencies are optional.

    Parameters
    ----------
    path
        Zip, folder, or zip with the files in a folder.
    modes
        Names of `MODES`.

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
    known_modes, source = require_modes(modes), Path(path)
    read = _opener(source)
    frames = {name: _frame(source, read, name) for name in _TABLES}
    counts: list[tuple[str, int]] = []
    stops = _stops(frames["stops"], counts)
    trips = _trips(source, frames["routes"], frames["trips"], known_modes, counts)
    times = _stop_times(source, frames["stop_times"], trips, stops, counts)
    return Feed(
        source.name, stops, trips, times, _shapes(frames["shapes"], counts), _frequencies(frames["frequencies"], counts), tuple(counts)
    )


def _opener(source: Path) -> Callable[[str], bytes | None]:
    """Function that reads a file of the feed as bytes; it returns None for a missing file."""
    if source.is_dir():
        stops_files = sorted(source.rglob("stops.txt"), key=lambda file: (len(file.parts), str(file)))
        feed_dir = stops_files[0].parent if stops_files else source
        return lambda name: (feed_dir / name).read_bytes() if (feed_dir / name).is_file() else None
    try:
        archive = zipfile.ZipFile(io.BytesIO(source.read_bytes()))
    except (OSError, zipfile.BadZipFile) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "no zip and no folder"
        msg = f"{source}: {reason}; name a GTFS feed as .zip or as a folder of its .txt files"
        raise DataError(msg) from None
    names = [name for name in archive.namelist() if "__MACOSX" not in name]
    paths = [PurePosixPath(name) for name in names]
    stops_entries = sorted((path for path in paths if path.name == "stops.txt"), key=lambda path: len(path.parts))
    folder = stops_entries[0].parent if stops_entries else PurePosixPath()

    def read(name: str) -> bytes | None:
        entry = str(folder / name)
        return read_member(archive, entry, source) if entry in names else None

    return read


def _frame(source: Path, read: Callable[[str], bytes | None], name: str) -> Any:  # noqa: ANN401  # a polars frame
    """Columns of one file as stripped text, with empty fields as null and without blank lines."""
    import polars as pl

    columns, data = (*_TABLES[name], *_OPTIONAL.get(name, ())), read(f"{name}.txt")
    if data is None or not data.strip():
        if name in _NEEDED:
            msg = f"{source}: holds no {name}.txt, which a network needs ({', '.join(f'{table}.txt' for table in _NEEDED)})"
            raise DataError(msg)
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    data = data.lstrip(b"\xef\xbb\xbf \r\n\t")
    if form_of(data[:4]) != "text":
        msg = f"{source}: {name}.txt must be text, and is packed once more; unpack it"
        raise DataError(msg)
    check_lines(io.BytesIO(data), f"{source}: {name}.txt")
    try:
        frame = pl.read_csv(data, infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy")
    except pl.exceptions.PolarsError as error:
        msg = f"{source}: {name}.txt is no readable table ({str(error).splitlines()[0]}); mend the line"
        raise DataError(msg) from None
    names = [column.strip().strip('"').lower() for column in frame.columns]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        msg = f"{source}: {name}.txt has the column {repeated!r} twice ({names.count(repeated)} times); keep one of them"
        raise DataError(msg)
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    missing = [column for column in _TABLES[name] if column not in frame.columns]
    if missing:
        msg = f"{source}: {name}.txt must have the column {missing[0]!r}, found {', '.join(frame.columns)}"
        raise DataError(msg)
    selected = [pl.col(column) if column in frame.columns else pl.lit(None, pl.String).alias(column) for column in columns]
    text = frame.select(selected).with_columns(pl.all().str.strip_chars()).with_columns(pl.when(pl.all() != "").then(pl.all()))
    return text.filter(~pl.all_horizontal(pl.all().is_null()))


def _cut(frame: Any, keep: Any, what: str, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Rows to keep; the number of the others is added to the counts."""
    kept = frame.filter(keep)
    counts.append((what, frame.height - kept.height))
    return kept


def _stops(frame: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Stops with a position and unique ids; a parent that does not exist still joins its stops if they lie within `STATION_M`."""
    import polars as pl

    counts.append(("rows of stops", frame.height))
    frame = frame.with_columns(lon=pl.col("stop_lon").cast(pl.Float64, strict=False), lat=pl.col("stop_lat").cast(pl.Float64, strict=False))
    has_position = pl.col("lon").is_between(-180, 180) & pl.col("lat").is_between(-90, 90) & ~((pl.col("lon") == 0) & (pl.col("lat") == 0))
    frame = _cut(frame, pl.col("stop_id").is_not_null() & has_position.fill_null(value=False), "stops without id or position", counts)
    frame = frame.unique("stop_id", keep="first", maintain_order=True)
    dangling = pl.col("parent_station").is_not_null() & ~pl.col("parent_station").is_in(frame["stop_id"].implode())
    counts.append(("parent stations that do not exist", int(frame.select(dangling.sum()).item())))
    position = pl.col("lon", "lat")
    extent = pl.max_horizontal(((position.max() - position.min()) * _DEGREE_M).over("parent_station"))
    return frame.with_columns(parent=pl.when(~dangling | (extent <= STATION_M)).then(pl.col("parent_station"))).select(
        "stop_id", "stop_name", "parent", "lon", "lat"
    )


def _trips(source: Path, routes: Any, trips: Any, modes: tuple[str, ...], counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Runs of the routes of the selected modes."""
    import polars as pl

    name_of = {kind: mode for mode, kinds in MODES.items() for kind in kinds}
    routes = routes.unique("route_id", keep="first", maintain_order=True)
    kinds = routes["route_type"].cast(pl.Int64, strict=False).to_list()
    mode = pl.Series("mode", [name_of.get(-1 if kind is None else kind, "other") for kind in kinds], dtype=pl.String)
    routes = routes.with_columns(mode)
    counts.append(("rows of trips", trips.height))
    has_route = pl.col("route_id").is_in(routes["route_id"].implode()) & pl.col("trip_id").is_not_null()
    trips = _cut(trips, has_route, "trips of a route that is not in the feed", counts).unique("trip_id", keep="first", maintain_order=True)
    trips = trips.join(routes.select("route_id", "mode"), on="route_id", how="left", maintain_order="left")
    trips_by_mode = trips["mode"].value_counts(sort=True)
    trips = _cut(trips, pl.col("mode").is_in(list(modes)), "trips of other modes", counts)
    if not trips.height:
        modes_text = ", ".join(
            f"{row['mode']} ({row['count']} trips)" for row in trips_by_mode.sort(["count", "mode"], descending=[True, False]).to_dicts()
        )
        msg = f"{source}: no trip runs as {' or '.join(modes)}, modes there: {modes_text or 'none'}; name one with {setting('modes')}"
        raise DataError(msg, setting="modes", value=tuple(modes))
    return trips


def _stop_times(source: Path, frame: Any, trips: Any, stops: Any, counts: list[tuple[str, int]]) -> Any:  # noqa: ANN401  # polars
    """Stop times of these runs in order of service, in seconds or null."""
    import polars as pl

    other = frame.filter(~pl.col("trip_id").is_in(trips["trip_id"].implode()))
    counts.append(("rows of stop times", frame.height))
    counts.append(("stop times of other modes, or of a trip that is not in the feed", other.height))
    frame = frame.join(trips.select("trip_id").with_row_index("trip"), on="trip_id", how="inner", maintain_order="left")
    has_stop = pl.col("stop_id").is_in(stops["stop_id"].implode())
    frame = _cut(frame, has_stop, "stop times at a stop that is not in the feed", counts)
    frame = frame.with_columns(sequence=pl.col("stop_sequence").cast(pl.Int64, strict=False))
    frame = _cut(frame, pl.col("sequence").is_not_null(), "stop times without a whole stop_sequence", counts)
    n_times = pl.sum_horizontal(pl.col(column).is_not_null() for column in ("arrival_time", "departure_time"))
    frame = frame.with_columns(seconds_of("arrival_time").alias("arr"), seconds_of("departure_time").alias("dep"), n_times=n_times)
    n_valid = pl.col("arr").is_not_null().cast(pl.Int32) + pl.col("dep").is_not_null().cast(pl.Int32)
    counts.append(("times that do not read HH:MM:SS", int(frame.select((pl.col("n_times") - n_valid).sum()).item() or 0)))
    if not frame.height:
        msg = f"{source}: stop_times.txt has no row of the {trips.height} trips asked for; check trip_id and stop_id"
        raise DataError(msg)
    return (
        frame.select("trip", "stop_id", "sequence", "arr", "dep")
        .unique(["trip", "sequence"], keep="first", maintain_order=True)
        .sort("trip", "sequence")
    )


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
    return hours * 3600 + minutes * 60 + seconds


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
        pl.col("headway_secs").cast(pl.Int64, strict=False),
    )
    is_valid = pl.col("trip_id").is_not_null() & (pl.col("end") > pl.col("start")) & (pl.col("headway_secs") > 0)
    return _cut(frame, is_valid.fill_null(value=False), "headways that are none", counts)
