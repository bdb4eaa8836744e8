"""Opened files to batches: columns of numbers and times, streamed in order with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import DAY_S, HOUR_S
from owlbus.records.fast_csv import TextRows, is_plain, read_texts
from owlbus.records.sources import reading_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.sources import Source


BATCH_ROWS = 262_144
"""Rows that are read at once: enough that the work around them does not count, few enough to stay near the processor."""

NO_TICK = np.iinfo(np.int64).min
"""Tick of a missing moment."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """
    A column of numbers as it lies in memory, with bits that say which rows have one.

    Attributes
    ----------
    values
        Numbers, shape (n,), float64; anything where there is none.
    bits
        One bit a row, from the lowest of each byte up, uint8; empty if every row has a number.
    offset
        Bit of the first row.
    """

    values: NDArray[np.float64]
    bits: NDArray[np.uint8]
    offset: int = 0

    def filled(self) -> NDArray[np.float64]:
        """Return the numbers, shape (n,), float64, with NaN where there is none."""
        if not self.bits.size:
            return self.values
        held = np.unpackbits(self.bits, bitorder="little", count=self.offset + self.values.size)[self.offset :]
        return np.where(held.view(np.bool_), self.values, np.nan)


NO_NUMBERS = Numbers(np.empty(0), np.empty(0, dtype=np.uint8))
"""A column that a file does not have."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    Some rows of one file as columns of numbers.

    Attributes
    ----------
    source
        The file.
    first_row
        Row of the file that the batch begins with, from 0.
    frame
        The rows as they were read, under owlbus' names.
    ticks, end_ticks
        Moments, shape (n,), int64, `NO_TICK` or negative where missing; `end_ticks` is empty where records have no end.
    per_s
        Ticks per second.
    is_dated
        Whether ticks count from 1970 on the local clock; else they are read as `seconds` reads them.
    position, goal
        Longitude and latitude of either end, degrees; a goal may be missing altogether.
    count
        Trips that each row stands for, shape (n,), float64; empty where each is one.
    """

    source: Source
    first_row: int
    frame: pl.DataFrame | TextRows
    ticks: NDArray[np.int64]
    end_ticks: NDArray[np.int64]
    per_s: int
    is_dated: bool
    position: tuple[Numbers, Numbers]
    goal: tuple[Numbers, Numbers]
    count: NDArray[np.float64]

    @property
    def lon(self) -> NDArray[np.float64]:
        """Longitude, degrees, shape (n,); NaN is missing."""
        return self.position[0].filled()

    @property
    def lat(self) -> NDArray[np.float64]:
        """Latitude, degrees, shape (n,); NaN is missing."""
        return self.position[1].filled()

    @property
    def to_lon(self) -> NDArray[np.float64]:
        """Longitude of the home or drop-off, degrees, shape (n,), or empty; NaN is missing."""
        return self.goal[0].filled()

    @property
    def to_lat(self) -> NDArray[np.float64]:
        """Latitude of the home or drop-off, degrees, shape (n,), or empty; NaN is missing."""
        return self.goal[1].filled()

    @property
    def n_rows(self) -> int:
        """Rows of the batch."""
        return self.ticks.size

    @property
    def start_s(self) -> NDArray[np.int64]:
        """Local seconds that rows begin at, shape (n,), negative where missing."""
        return self.ticks // self.per_s

    @property
    def end_s(self) -> NDArray[np.int64]:
        """Local seconds that rows end at, shape (n,), or empty."""
        return self.end_ticks // self.per_s


def read_batches(source: Source, timezone: str | None = None) -> Iterator[Batch]:
    """
    Rows of a file in order, in batches.

    Parameters
    ----------
    source
        The file.
    timezone
        Zone that times with a zone are shown in; that of the layout's publisher by default.

    Yields
    ------
    Batch
        At most `BATCH_ROWS` rows; memory does not grow with the file.

    Raises
    ------
    DataError
        If the file is damaged, changes while it is read, or its times need a zone and none is given.
    """
    for first_row, frame in read_frames(source, timezone):
        yield batch_of(source, first_row, frame, timezone)


def read_frames(source: Source, timezone: str | None = None) -> Iterator[tuple[int, pl.DataFrame | TextRows]]:
    """
    Rows of a file in order, as they were read, so that they can be turned into batches elsewhere.

    Parameters
    ----------
    source, timezone
        As for `read_batches`.

    Yields
    ------
    tuple of int and DataFrame or TextRows
        Row of the file that the frame begins with, from 0, and at most `BATCH_ROWS` rows, or some lines of a plain text.

    Raises
    ------
    DataError
        If the file is damaged or changes while it is read.
    """
    check_timezone(timezone)
    first_row = source.first_row
    for rows in read_texts(source) if is_plain(source) else (None,):
        if rows is None:
            yield from _polars_frames(replace(source, first_row=first_row))
        else:
            yield first_row, rows
            first_row += rows.n_rows
    source.check_unchanged()


def _polars_frames(source: Source) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows of a file as polars reads them."""
    if source.n_quotes % 2:  # or rows before the open quote would come, or not, by the turn of threads
        msg = f"{source.name}: one of {source.n_quotes:,} quotes never closes; close it, or double a quote that is text and quote its field"
        raise DataError(msg)
    first_row = source.first_row
    with reading_errors(source.name):
        batches = source.scan().collect_batches(maintain_order=True)
    while True:
        with reading_errors(source.name):
            frame = next(batches, None)
        if frame is None:
            return
        for part in frame.iter_slices(BATCH_ROWS):
            yield first_row, part
            first_row += part.height


def batch_of(source: Source, first_row: int, frame: pl.DataFrame | TextRows, timezone: str | None = None) -> Batch:
    """
    Columns of numbers of some rows.

    Parameters
    ----------
    source
        The file.
    first_row
        Row of the file that `frame` begins with, from 0.
    frame
        The rows.
    timezone
        As for `read_batches`.

    Returns
    -------
    Batch
        Times in ticks, positions in degrees.

    Raises
    ------
    DataError
        If times need a zone and none is given.
    """
    if isinstance(frame, TextRows):
        parsed = frame.parsed()
        if parsed is not None:
            none = np.empty(0, dtype=np.int64)
            lon, lat, *goal = (Numbers(column, NO_NUMBERS.bits) for column in parsed[1])
            to_lon, to_lat = goal or (NO_NUMBERS, NO_NUMBERS)
            return Batch(source, first_row, frame, parsed[0], none, 1, True, (lon, lat), (to_lon, to_lat), NO_NUMBERS.values)  # noqa: FBT003
        with reading_errors(source.name):
            frame = frame.frame()
    kind = source.layout.kind
    ticks, end_ticks, per_s, is_dated = _times(source, frame, timezone or source.layout.timezone)
    lon, lat = (_numbers(frame, name) for name in kind.position)
    to_lon, to_lat = (_numbers(frame, name) for name in kind.goal) if kind.goal else (NO_NUMBERS, NO_NUMBERS)
    count = _numbers(frame, "trips").filled() if "trips" in frame.columns else np.empty(0)
    return Batch(source, first_row, frame, ticks, end_ticks, per_s, is_dated, (lon, lat), (to_lon, to_lat), count)


def _times(source: Source, frame: pl.DataFrame, timezone: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64], int, bool]:
    """Return beginnings, ends, ticks per second, and whether ticks count from 1970."""
    import polars as pl

    start, end = source.layout.kind.start, source.layout.end
    names = [start] if end is None else [start, end]
    kinds = {(frame[name].dtype, getattr(frame[name].dtype, "time_zone", None)) for name in names}
    none = np.empty(0, dtype=np.int64)
    if "date" not in frame.columns and len(kinds) == 1 and (per_s := _ticks_per_s(frame[start].dtype)):
        columns = [frame[name].to_physical().cast(pl.Int64) for name in names]
        ticks = [(column.fill_null(NO_TICK) if column.null_count() else column).to_numpy() for column in columns]
        return ticks[0], ticks[1] if end else none, per_s, True
    start_s = _on_date(source.name, frame, seconds(source.name, frame[start], timezone))
    if end is None:
        return start_s, none, 1, not ((start_s >= 0) & (start_s < UNDATED_S)).any()
    if end == "duration_s":
        return start_s, _after(start_s, _numbers(frame, end).filled()), 1, False
    return start_s, _on_date(source.name, frame, seconds(source.name, frame[end], timezone)), 1, False


def _ticks_per_s(dtype: pl.DataType) -> int:
    """Return the ticks per second of timestamps without a zone, 0 for all else."""
    import polars as pl

    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is not None:
        return 0
    return {"ns": 1_000_000_000, "us": 1_000_000, "ms": 1_000}[dtype.time_unit]


def _on_date(name: str, frame: pl.DataFrame, time_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times of day on the date that a column of dates gives, missing where that is; a night's 25:10 stays with its evening."""
    if "date" not in frame.columns:
        return time_s
    day_s = seconds(name, _midnights(frame["date"]))
    undated = (time_s >= 0) & (time_s < UNDATED_S)
    return np.where(undated, np.where(day_s >= UNDATED_S, day_s + time_s, NO_TIME), time_s)


def _midnights(dates: pl.Series) -> pl.Series:
    """Return a column of dates, written or typed, as moments."""
    import polars as pl

    if dates.dtype == pl.String:
        dates = dates.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return dates.cast(pl.Date, strict=False).cast(pl.Datetime("us"))


def _after(start_s: NDArray[np.int64], duration_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `start_s` plus a duration in seconds, missing where that is; a negative one ends before it begins."""
    usable = (start_s >= 0) & (np.abs(duration_s) < 1e9)  # noqa: PLR2004 - half a lifetime; NaN is no number below it either
    return np.where(usable, start_s + np.where(usable, duration_s, 0).astype(np.int64), -1)


def _numbers(frame: pl.DataFrame, name: str) -> Numbers:
    """Return a column as float64, without copying one that is."""
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    elif column.dtype == pl.Binary:  # bytes are no numbers, and polars does not cast them
        column = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    column = column.cast(pl.Float64, strict=False)
    if not column.null_count():
        return Numbers(column.to_numpy(), NO_NUMBERS.bits)
    held = column.to_arrow()
    bits, values = held.buffers()
    return Numbers(
        np.frombuffer(values, dtype=np.float64)[held.offset : held.offset + len(held)], np.frombuffer(bits, dtype=np.uint8), held.offset
    )


NO_TIME = -1
"""What a missing or unreadable time is read as."""

UNDATED_S = 2 * DAY_S
"""Seconds below this are a time of day without a date, in [00:00:00, 48:00:00); dated times are seconds since 1970, local clock."""

_EPOCH_MS = 100_000_000_000

_LAST_S = 130 * 366 * DAY_S

_LONG = (
    r"(?i)^\s*(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+([a-z]{3})[a-z]*\s+(\d\d?)\s+"
    r"(\d\d?:\d\d(?::\d\d)?)\s+(Z|UTC|GMT|[+-]\d\d:?\d\d)?\s*(\d{4})\s*$"
)

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTHS = {name: f"{number:02d}" for number, name in enumerate(_NAMES, 1)}

_CLOCK = r"^\s*(?:(\d{4}-\d\d?-\d\d?)[T ]+)?(\d{1,3}):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?\s*$"


def check_timezone(timezone: str | None) -> None:
    """
    Refuse a time zone that is not known.

    Parameters
    ----------
    timezone
        Name such as ``Asia/Seoul``, or None.

    Raises
    ------
    UsageError
        If there is no such zone.
    """
    import polars as pl

    if timezone is not None:
        try:
            pl.Series([0]).cast(pl.Datetime("us", timezone))
        except pl.exceptions.PolarsError as error:
            msg = f"{setting('timezone')} must name a time zone such as Asia/Seoul, got {timezone!r}"
            raise UsageError(msg, setting="timezone", value=timezone) from error


def seconds(file: str, column: pl.Series, timezone: str | None = None) -> NDArray[np.int64]:
    """
    Local seconds of a column of times.

    Read are: timestamps, ISO text, ``HH:MM[:SS]`` with or without a date and with hours past 24, the long form ``Wed Sep 15 19:17:44
    +0100 2010``, numbers of seconds since midnight (below 172800), and seconds or milliseconds since 1970. Fractions of a second are cut
    off.

    Parameters
    ----------
    file
        Name of the file, for messages.
    column
        Times, any of these types, shape (n,).
    timezone
        Zone that times with a zone, and seconds since 1970, are shown in.

    Returns
    -------
    ndarray of int64
        Shape (n,): seconds below `UNDATED_S` for times without a date, else seconds since 1970 on the local clock; `NO_TIME` where
        a time is missing or cannot be read.

    Raises
    ------
    DataError
        If times have a zone and `timezone` is None, or the column holds no clock times.

    Examples
    --------
    >>> import polars as pl
    >>> seconds("calls.csv", pl.Series("time", ["25:10:00", "2013-03-02 01:10", None])).tolist()
    [90600, 1362186600, -1]
    """
    import polars as pl

    dtype = column.dtype
    if dtype == pl.Datetime:
        found = _timestamps(file, column, timezone)
    elif dtype in (pl.Time, pl.Duration):
        found = column.to_physical().cast(pl.Int64) // _per_second(column)
    elif dtype.is_numeric():
        found = _time_numbers(file, column, timezone)
    elif dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        found = _texts(file, column.cast(pl.String), timezone)
    else:
        msg = f"{file}: column {column.name} holds {dtype}, which has no time of day; give timestamps or HH:MM:SS"
        raise DataError(msg)
    return found.fill_null(NO_TIME).to_numpy()


def _per_second(column: pl.Series) -> int:
    """Return the ticks per second of a column of times."""
    return {"ns": 1_000_000_000, "us": 1_000_000, "ms": 1_000}[getattr(column.dtype, "time_unit", None) or "ns"]


def _timestamps(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return local seconds since 1970 of timestamps."""
    import polars as pl

    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None:
        _require_zone(file, column.name, f"carry the zone {zone}", timezone)
        column = column.dt.convert_time_zone(str(timezone)).dt.replace_time_zone(None)
    return _dated(column.to_physical().cast(pl.Int64) // _per_second(column))


def _time_numbers(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return seconds of numbers: since midnight, or since 1970 in seconds or milliseconds."""
    import polars as pl

    if column.dtype.is_float():
        column = column.fill_nan(None).floor()
    number = column.cast(pl.Int64, strict=False)
    is_clock = (number >= 0) & (number < UNDATED_S)
    if is_clock.all():
        return number
    _require_zone(file, column.name, "are seconds since 1970, which count in UTC", timezone)
    in_seconds = pl.select(pl.when(number >= _EPOCH_MS).then(number // 1000).otherwise(number)).to_series()
    local = _local(in_seconds, str(timezone))
    return pl.select(pl.when(is_clock).then(number).otherwise(_dated(local))).to_series()


def _texts(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return seconds of written times; text that is no clock time is tried as a number."""
    import polars as pl

    column = _short(column)
    date, hour, minute, second, zone = column.str.extract_groups(_CLOCK).struct.unnest().get_columns()
    day = date.str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Int64)
    clock = hour.cast(pl.Int64) * HOUR_S + minute.cast(pl.Int64) * 60 + second.cast(pl.Int64).fill_null(0)
    none = pl.zeros(day.len(), pl.Int64, eager=True)
    written = clock.set(clock >= UNDATED_S, None) + _pick(date.is_null(), none, day * DAY_S)
    if zone.null_count() < zone.len():
        _require_zone(file, column.name, "carry a zone", timezone)
        written = _pick(zone.is_null(), written, _local(written - _offset_s(zone), str(timezone)))
    found = _pick(date.is_null(), written, _dated(written))
    if found.null_count() == column.null_count():
        return found
    number = _time_numbers(file, column.set(found.is_not_null(), None).str.strip_chars().cast(pl.Float64, strict=False), timezone)
    return _pick(found.is_null(), number, found)


def _short(column: pl.Series) -> pl.Series:
    """Return times with the long form written as ISO text."""
    import polars as pl

    first = column.drop_nulls().head(1)
    if not first.len() or not str(first[0]).strip()[:1].isalpha():
        return column
    month, day, clock, zone, year = column.str.extract_groups(_LONG).struct.unnest().get_columns()
    number = month.str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.String)
    zone = zone.fill_null("").str.replace("UTC|GMT", "Z")
    written = year + "-" + number + "-" + day + " " + clock + zone
    return _pick(written.is_null(), column, written)


def _offset_s(zone: pl.Series) -> pl.Series:
    """Return seconds ahead of UTC of written zones such as Z, +09:00 or -0430."""
    import polars as pl

    sign, hours, minutes = zone.str.extract_groups(r"^([+-])(\d\d):?(\d\d)$").struct.unnest().get_columns()
    ahead = hours.cast(pl.Int64) * HOUR_S + minutes.cast(pl.Int64) * 60
    return _pick(zone == "Z", pl.zeros(zone.len(), pl.Int64, eager=True), _pick(sign == "-", -ahead, ahead))


def _local(utc_s: pl.Series, timezone: str) -> pl.Series:
    """Return seconds since 1970 on the clock of `timezone`, of seconds since 1970 in UTC."""
    import polars as pl

    inside = utc_s.set((utc_s < 0) | (utc_s > _LAST_S), None)
    moments = (inside * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return moments.dt.convert_time_zone(timezone).dt.replace_time_zone(None).to_physical() // 1_000_000


def _dated(local_s: pl.Series) -> pl.Series:
    """Return seconds since 1970, missing where they lie before 1970-01-03 or after 2100."""
    return local_s.set((local_s < UNDATED_S) | (local_s > _LAST_S), None)


def _pick(mask: pl.Series, yes: pl.Series, no: pl.Series) -> pl.Series:
    """Return `yes` where `mask` holds, else `no`."""
    import polars as pl

    return pl.select(pl.when(mask).then(yes).otherwise(no)).to_series()


def _require_zone(file: str, column: str, what: str, timezone: str | None) -> None:
    """Refuse times that need a zone to be told by."""
    if timezone is None:
        msg = (
            f"{file}: times in column {column} {what}; name the local zone with {setting('timezone')}, such as "
            f"{setting('timezone', 'Asia/Seoul')} (UTC leaves them as they are)"
        )
        raise DataError(msg, setting="timezone")
