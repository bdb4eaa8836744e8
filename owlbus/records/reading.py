"""Read record files as batches of numeric columns, in order and with bounded memory."""

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
"""Rows per batch: large enough to amortise overhead, small enough for the processor cache."""

NO_TICK = np.iinfo(np.int64).min
"""Tick of a missing time."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """
    A column of numbers with a validity bitmap, as Arrow stores it.

    Attributes
    ----------
    values
        Numbers, shape (n,), float64; undefined where missing.
    bits
        Validity bitmap, least significant bit first, uint8; empty if no number is missing.
    offset
        Index of the bit of the first row.
    """

    values: NDArray[np.float64]
    bits: NDArray[np.uint8]
    offset: int = 0

    def filled(self) -> NDArray[np.float64]:
        """Return the numbers, shape (n,), float64, NaN where missing."""
        if not self.bits.size:
            return self.values
        has_value = np.unpackbits(self.bits, bitorder="little", count=self.offset + self.values.size)[self.offset :]
        return np.where(has_value.view(np.bool_), self.values, np.nan)


NO_NUMBERS = Numbers(np.empty(0), np.empty(0, dtype=np.uint8))
"""Column that a file does not have."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    Rows of one file as numeric columns.

    Attributes
    ----------
    source
        The file.
    first_row
        File row of the first batch row, from 0.
    frame
        Rows as read, under owlbus' column names.
    ticks, end_ticks
        Times in ticks, shape (n,), int64, `NO_TICK` or negative where missing; `end_ticks` is empty if records have no end.
    per_s
        Ticks per second.
    is_dated
        Whether ticks count from 1970 on the local clock; else they are values of `seconds`.
    position, destination
        Longitude and latitude of each end, degrees; the destination may be empty.
    count
        Trips per row, shape (n,), float64; empty if each row is one trip.
    """

    source: Source
    first_row: int
    frame: pl.DataFrame | TextRows
    ticks: NDArray[np.int64]
    end_ticks: NDArray[np.int64]
    per_s: int
    is_dated: bool
    position: tuple[Numbers, Numbers]
    destination: tuple[Numbers, Numbers]
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
        return self.destination[0].filled()

    @property
    def to_lat(self) -> NDArray[np.float64]:
        """Latitude of the home or drop-off, degrees, shape (n,), or empty; NaN is missing."""
        return self.destination[1].filled()

    @property
    def n_rows(self) -> int:
        """Rows of the batch."""
        return self.ticks.size

    @property
    def start_s(self) -> NDArray[np.int64]:
        """Start of each row in local seconds, shape (n,), negative where missing."""
        return self.ticks // self.per_s

    @property
    def end_s(self) -> NDArray[np.int64]:
        """End of each row in local seconds, shape (n,), or empty."""
        return self.end_ticks // self.per_s


def read_batches(source: Source, timezone: str | None = None) -> Iterator[Batch]:
    """
    Yield the rows of a file in order, in batches.

    Parameters
    ----------
    source
        The file.
    timezone
        Local time zone; the zone of the layout by default.

    Yields
    ------
    Batch
        At most `BATCH_ROWS` rows; memory does not grow with the file.

    Raises
    ------
    DataError
        If the file is damaged, changes while it is read, or its times need a time zone.
    """
    for first_row, frame in read_frames(source, timezone):
        yield batch_of(source, first_row, frame, timezone)


def read_frames(source: Source, timezone: str | None = None) -> Iterator[tuple[int, pl.DataFrame | TextRows]]:
    """
    Yield the unconverted rows of a file in order; `batch_of` converts them in any thread.

    Parameters
    ----------
    source, timezone
        As for `read_batches`.

    Yields
    ------
    tuple of int and DataFrame or TextRows
        File row of the first row, from 0, and at most `BATCH_ROWS` rows, or lines of a simple CSV.

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
    """Yield the rows of a file as polars parses them."""
    if source.n_quotes % 2:  # else the rows before the open quote depend on thread timing
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
    Convert rows of a file to numeric columns.

    Parameters
    ----------
    source
        The file.
    first_row
        File row of the first row of `frame`, from 0.
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
        If times need a time zone.
    """
    if isinstance(frame, TextRows):
        parsed = frame.parsed()
        if parsed is not None:
            no_ends = np.empty(0, dtype=np.int64)
            lon, lat, *destination = (Numbers(column, NO_NUMBERS.bits) for column in parsed[1])
            to_lon, to_lat = destination or (NO_NUMBERS, NO_NUMBERS)
            return Batch(source, first_row, frame, parsed[0], no_ends, 1, True, (lon, lat), (to_lon, to_lat), NO_NUMBERS.values)  # noqa: FBT003
        with reading_errors(source.name):
            frame = frame.frame()
    kind = source.layout.kind
    ticks, end_ticks, per_s, is_dated = _times(source, frame, timezone or source.layout.timezone)
    lon, lat = (_numbers(frame, name) for name in kind.position)
    to_lon, to_lat = (_numbers(frame, name) for name in kind.destination) if kind.destination else (NO_NUMBERS, NO_NUMBERS)
    count = _numbers(frame, "trips").filled() if "trips" in frame.columns else np.empty(0)
    return Batch(source, first_row, frame, ticks, end_ticks, per_s, is_dated, (lon, lat), (to_lon, to_lat), count)


def _times(source: Source, frame: pl.DataFrame, timezone: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64], int, bool]:
    """Return start ticks, end ticks, ticks per second, and whether ticks count from 1970."""
    import polars as pl

    start, end = source.layout.kind.start, source.layout.end
    names = [start] if end is None else [start, end]
    types = {(frame[name].dtype, getattr(frame[name].dtype, "time_zone", None)) for name in names}
    no_ends = np.empty(0, dtype=np.int64)
    if "date" not in frame.columns and len(types) == 1 and (per_s := _ticks_per_s(frame[start].dtype)):
        columns = [frame[name].to_physical().cast(pl.Int64) for name in names]
        ticks = [(column.fill_null(NO_TICK) if column.null_count() else column).to_numpy() for column in columns]
        return ticks[0], ticks[1] if end else no_ends, per_s, True
    start_s = _join_date(source.name, frame, seconds(source.name, frame[start], timezone))
    if end is None:
        return start_s, no_ends, 1, not ((start_s >= 0) & (start_s < UNDATED_S)).any()
    if end == "duration_s":
        return start_s, _add_duration(start_s, _numbers(frame, end).filled()), 1, False
    return start_s, _join_date(source.name, frame, seconds(source.name, frame[end], timezone)), 1, False


_TICKS_PER_S = {"ns": 1_000_000_000, "us": 1_000_000, "ms": 1_000}


def _ticks_per_s(dtype: pl.DataType) -> int:
    """Return the ticks per second of timestamps without a zone, 0 for other types."""
    import polars as pl

    return _TICKS_PER_S[dtype.time_unit] if isinstance(dtype, pl.Datetime) and dtype.time_zone is None else 0


def _join_date(name: str, frame: pl.DataFrame, time_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add the column of dates to times of day; missing if the date is. Times such as 25:10 stay on their service date."""
    if "date" not in frame.columns:
        return time_s
    day_s = seconds(name, _midnights(frame["date"]))
    undated = (time_s >= 0) & (time_s < UNDATED_S)
    return np.where(undated, np.where(day_s >= UNDATED_S, day_s + time_s, NO_TIME), time_s)


def _midnights(dates: pl.Series) -> pl.Series:
    """Return a column of dates, text or typed, as timestamps."""
    import polars as pl

    if dates.dtype == pl.String:
        dates = dates.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return dates.cast(pl.Date, strict=False).cast(pl.Datetime("us"))


def _add_duration(start_s: NDArray[np.int64], duration_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `start_s` plus a duration in seconds; missing if the duration is."""
    usable = (start_s >= 0) & (np.abs(duration_s) < 1e9)  # noqa: PLR2004 - 32 years; False for NaN
    return np.where(usable, start_s + np.where(usable, duration_s, 0).astype(np.int64), -1)


def _numbers(frame: pl.DataFrame, name: str) -> Numbers:
    """Return a column as float64, without a copy if it is float64."""
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    elif column.dtype == pl.Binary:  # polars cannot cast bytes to numbers
        column = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    column = column.cast(pl.Float64, strict=False)
    if not column.null_count():
        return Numbers(column.to_numpy(), NO_NUMBERS.bits)
    arrow = column.to_arrow()
    bits, values = arrow.buffers()
    return Numbers(
        np.frombuffer(values, dtype=np.float64)[arrow.offset : arrow.offset + len(arrow)], np.frombuffer(bits, dtype=np.uint8), arrow.offset
    )


NO_TIME = -1
"""Value of a missing or unreadable time."""

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
    Reject an unknown time zone.

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
    Parse a column of times as local seconds.

    Accepted: timestamps, ISO text, ``HH:MM[:SS]`` with or without a date and with hours past 24, the long form ``Wed Sep 15 19:17:44
    +0100 2010``, numbers of seconds since midnight (below 172800), and seconds or milliseconds since 1970. Fractions of a second are
    truncated.

    Parameters
    ----------
    file
        Name of the file, for messages.
    column
        Times of any of these types, shape (n,).
    timezone
        Local time zone, for times with a zone and seconds since 1970.

    Returns
    -------
    ndarray of int64
        Shape (n,): seconds below `UNDATED_S` for times without a date, else seconds since 1970 on the local clock; `NO_TIME` where
        a time is missing or cannot be read.

    Raises
    ------
    DataError
        If times have a zone and `timezone` is None, or the column has no clock times.

    Examples
    --------
    >>> import polars as pl
    >>> seconds("calls.csv", pl.Series("time", ["25:10:00", "2013-03-02 01:10", None])).tolist()
    [90600, 1362186600, -1]
    """
    import polars as pl

    dtype = column.dtype
    if dtype == pl.Datetime:
        times = _timestamp_times(file, column, timezone)
    elif dtype in (pl.Time, pl.Duration):
        times = column.to_physical().cast(pl.Int64) // _per_second(column)
    elif dtype.is_numeric():
        times = _numeric_times(file, column, timezone)
    elif dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        times = _text_times(file, column.cast(pl.String), timezone)
    else:
        msg = f"{file}: column {column.name} holds {dtype}, which has no time of day; give timestamps or HH:MM:SS"
        raise DataError(msg)
    return times.fill_null(NO_TIME).to_numpy()


def _per_second(column: pl.Series) -> int:
    """Return the ticks per second of a column of times."""
    return _TICKS_PER_S[getattr(column.dtype, "time_unit", None) or "ns"]


def _timestamp_times(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return local seconds since 1970 of timestamps."""
    import polars as pl

    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None:
        _require_zone(file, column.name, f"carry the zone {zone}", timezone)
        column = column.dt.convert_time_zone(str(timezone)).dt.replace_time_zone(None)
    return _plausible(column.to_physical().cast(pl.Int64) // _per_second(column))


def _numeric_times(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
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
    local = _local_clock(in_seconds, str(timezone))
    return pl.select(pl.when(is_clock).then(number).otherwise(_plausible(local))).to_series()


def _text_times(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return seconds of times in text; text that is not a clock time is parsed as a number."""
    import polars as pl

    column = _iso_text(column)
    date, hour, minute, second, zone = column.str.extract_groups(_CLOCK).struct.unnest().get_columns()
    day = date.str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Int64)
    clock = hour.cast(pl.Int64) * HOUR_S + minute.cast(pl.Int64) * 60 + second.cast(pl.Int64).fill_null(0)
    zeros = pl.zeros(day.len(), pl.Int64, eager=True)
    written = clock.set(clock >= UNDATED_S, None) + _where(date.is_null(), zeros, day * DAY_S)
    if zone.null_count() < zone.len():
        _require_zone(file, column.name, "carry a zone", timezone)
        written = _where(zone.is_null(), written, _local_clock(written - _offset_s(zone), str(timezone)))
    local = _where(date.is_null(), written, _plausible(written))
    if local.null_count() == column.null_count():
        return local
    number = _numeric_times(file, column.set(local.is_not_null(), None).str.strip_chars().cast(pl.Float64, strict=False), timezone)
    return _where(local.is_null(), number, local)


def _iso_text(column: pl.Series) -> pl.Series:
    """Return text times with the long form converted to ISO format."""
    import polars as pl

    first = column.drop_nulls().head(1)
    if not first.len() or not str(first[0]).strip()[:1].isalpha():
        return column
    month, day, clock, zone, year = column.str.extract_groups(_LONG).struct.unnest().get_columns()
    number = month.str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.String)
    zone = zone.fill_null("").str.replace("UTC|GMT", "Z")
    written = year + "-" + number + "-" + day + " " + clock + zone
    return _where(written.is_null(), column, written)


def _offset_s(zone: pl.Series) -> pl.Series:
    """Return the UTC offset in seconds of text zones such as Z, +09:00 or -0430."""
    import polars as pl

    sign, hours, minutes = zone.str.extract_groups(r"^([+-])(\d\d):?(\d\d)$").struct.unnest().get_columns()
    ahead = hours.cast(pl.Int64) * HOUR_S + minutes.cast(pl.Int64) * 60
    return _where(zone == "Z", pl.zeros(zone.len(), pl.Int64, eager=True), _where(sign == "-", -ahead, ahead))


def _local_clock(utc_s: pl.Series, timezone: str) -> pl.Series:
    """Convert seconds since 1970 in UTC to the clock of `timezone`."""
    import polars as pl

    inside = utc_s.set((utc_s < 0) | (utc_s > _LAST_S), None)
    moments = (inside * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return moments.dt.convert_time_zone(timezone).dt.replace_time_zone(None).to_physical() // 1_000_000


def _plausible(local_s: pl.Series) -> pl.Series:
    """Return seconds since 1970, missing if before 1970-01-03 or after 2100."""
    return local_s.set((local_s < UNDATED_S) | (local_s > _LAST_S), None)


def _where(mask: pl.Series, yes: pl.Series, no: pl.Series) -> pl.Series:
    """Return `yes` where `mask` holds, else `no`."""
    import polars as pl

    return pl.select(pl.when(mask).then(yes).otherwise(no)).to_series()


def _require_zone(file: str, column: str, what: str, timezone: str | None) -> None:
    """Reject times that need a time zone if there is none."""
    if timezone is None:
        msg = (
            f"{file}: times in column {column} {what}; name the local zone with {setting('timezone')}, such as "
            f"{setting('timezone', 'Asia/Seoul')} (UTC leaves them as they are)"
        )
        raise DataError(msg, setting="timezone")
