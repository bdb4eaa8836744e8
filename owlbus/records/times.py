"""Times of records as seconds: clock times, dates, epochs and numbers, each column in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import DAY_S, HOUR_S

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.read_options import ReadOptions
    from owlbus.records.schema import Layout

NO_TIME = -1
"""Value of a missing or unreadable time."""

UNDATED_S = 2 * DAY_S
"""Seconds below this are a time of day without a date, in [00:00:00, 48:00:00); dated times are seconds since 1970, local clock."""

TICKS_PER_S = {"ns": 1_000_000_000, "us": 1_000_000, "ms": 1_000}
"""Ticks per second by unit of time."""

_EPOCH_MS = 100_000_000_000

_LAST_S = 130 * 366 * DAY_S

_LONG = (
    r"(?i)^\s*(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+([a-z]{3})[a-z]*\s+(\d\d?)\s+"
    r"(\d\d?:\d\d(?::\d\d)?)\s+(Z|UTC|GMT|[+-]\d\d:?\d\d)?\s*(\d{4})\s*$"
)

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTHS = {name: f"{number:02d}" for number, name in enumerate(_NAMES, 1)}

_CLOCK = r"^\s*(?:(\d{4}-\d\d?-\d\d?)[T ]+)?(\d{1,3}):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?\s*$"


def check_time_format(time_format: str | None, date_order: str | None) -> None:
    """
    Reject an unknown time format or date order.

    Parameters
    ----------
    time_format
        As `owlbus.records.read_options.ReadOptions.time_format`.
    date_order
        ``DMY``, ``MDY`` or None.

    Raises
    ------
    UsageError
        If one is unknown.
    """


def time_forms(name: str, frame: pl.LazyFrame, layout: Layout, options: ReadOptions) -> dict[str, str]:
    """
    Return the form of each column of times of a file, decided once for the whole file.

    Parameters
    ----------
    name
        File name, for messages.
    frame
        Its rows under owlbus' names.
    layout
        Kind and columns.
    options
        How records are to be read.

    Returns
    -------
    dict
        Form by owlbus' column name; columns that need none are left out.

    Raises
    ------
    DataError
        If a column can be read in several ways, or in none.
    """
    return {}


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


def seconds(file: str, column: pl.Series, timezone: str | None = None, form: str | None = None) -> NDArray[np.int64]:
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
    form
        Form of the column, from `time_forms`; None for those that need none.

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
    return TICKS_PER_S[getattr(column.dtype, "time_unit", None) or "ns"]


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
