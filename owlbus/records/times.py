"""Times of records as seconds: clock times, dates, epochs and numbers, each column in one form."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import DAY_S, HOUR_S
from owlbus.records.time_numbers import CLOCK_FORMS, EPOCHS, NUMBER_FORMS, clock_of, dated_of, whole_and_fraction
from owlbus.records.time_texts import MIDNIGHT_FORM, date_patterns, format_width, offset_s, text_parts, time_patterns

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

NO_TIME = -1
"""Value of a missing or unreadable time."""

UNDATED_S = 2 * DAY_S
"""Seconds below this are a time of day without a date, in [00:00:00, 48:00:00); dated times are seconds since 1970, local clock."""

TICKS_PER_S = {"ns": 1_000_000_000, "us": 1_000_000, "ms": 1_000}
"""Ticks per second by unit of time."""

_LAST_S = 130 * 366 * DAY_S

_MOST_ZONES = 600

_PLAIN = (
    r"^\s*(?:(\d{4}-\d\d?-\d\d?)[T ]+)?(\d{1,3}):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?\s*((?:UTC|GMT)?[+-]\d\d(?::?\d\d)?|Z|UTC|GMT)?\s*$"
)


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

    Without a form, timestamps, times of day, and text as ``2013-03-02 01:10:00`` or ``25:10`` with or without date, fraction and offset
    are read; numbers and other texts need the form that `owlbus.records.time_forms.time_forms` finds. Fractions of a second are
    truncated.

    Parameters
    ----------
    file
        Name of the file, for messages.
    column
        Times of any of these types, shape (n,).
    timezone
        Local time zone, for times with a zone and for epochs.
    form
        Form of the column; None for those that need none.

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
    >>> seconds("calls.csv", pl.Series("time", [110, 2359, 2360]), form="HHMM").tolist()
    [4200, 86340, -1]
    """
    import polars as pl

    dtype = column.dtype
    is_text = dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)
    if dtype == pl.Datetime:
        times = _timestamp_times(file, column, timezone)
    elif dtype in (pl.Time, pl.Duration):
        times = column.to_physical().cast(pl.Int64) // _per_second(column)
    elif not is_text and not dtype.is_numeric():
        msg = f"{file}: column {column.name} holds {dtype}, which has no time of day; give timestamps or HH:MM:SS"
        raise DataError(msg)
    elif form in NUMBER_FORMS:
        times = _number_times(file, column, timezone, str(form))
    elif form is not None:
        times = _text_times(file, column, timezone, form)
    else:
        times = _plain_times(file, column.cast(pl.String) if is_text else pl.Series(column.name, [None] * len(column), pl.String), timezone)
    return times.fill_null(NO_TIME).to_numpy()


def day_starts(dates: pl.Series, form: str | None = None) -> NDArray[np.int64]:
    """
    Return the midnights of a column of dates.

    Parameters
    ----------
    dates
        Dates, timestamps, or text as ``2013-03-02``; others with their form. Shape (n,).
    form
        Form of the column, from `owlbus.records.time_forms.time_forms`; None for those that need none.

    Returns
    -------
    ndarray of int64
        Seconds since 1970 on the local clock, shape (n,); `NO_TIME` where a date is missing or cannot be read.

    Examples
    --------
    >>> import polars as pl
    >>> day_starts(pl.Series("date", ["02/03/2013", "31/02/2013"]), "DMY").tolist()
    [1362182400, -1]
    """
    import polars as pl

    if form in {"YYYYMMDD", "excel"}:
        local = dates.to_frame().select(dated_of(*whole_and_fraction(pl.col(dates.name), dates.dtype), str(form))).to_series()
        days = local // DAY_S
    elif form is not None:
        days = _as_text(dates, form).pipe(text_parts, dates.name, date_patterns(form)).collect()["day"]
    else:
        if dates.dtype == pl.String:
            dates = dates.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
        is_date = dates.dtype in (pl.Date, pl.Datetime)
        if isinstance(dates.dtype, pl.Datetime) and dates.dtype.time_zone is not None:
            dates = dates.dt.replace_time_zone(None)  # the day where it was written, not that of UTC
        days = (dates if is_date else pl.Series([None] * len(dates), dtype=pl.Date)).cast(pl.Date).to_physical().cast(pl.Int64)
    return _plausible(days * DAY_S).fill_null(NO_TIME).to_numpy()


def _per_second(column: pl.Series) -> int:
    """Return the ticks per second of a column of times."""
    return TICKS_PER_S[getattr(column.dtype, "time_unit", None) or "ns"]


def _timestamp_times(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return local seconds since 1970 of timestamps."""
    import polars as pl

    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None:
        _require_zone(file, column.name, f"carry the zone {zone}", timezone, zone)
        column = column.dt.convert_time_zone(str(timezone)).dt.replace_time_zone(None)
    return _plausible(column.to_physical().cast(pl.Int64) // _per_second(column))


def _number_times(file: str, column: pl.Series, timezone: str | None, form: str) -> pl.Series:
    """Return seconds of numbers of a form."""
    import polars as pl

    whole, fraction = whole_and_fraction(pl.col(column.name), column.dtype)
    numbers = column.to_frame().select(whole.alias("whole"), fraction.alias("fraction"))
    read = clock_of if form in CLOCK_FORMS else dated_of
    times = numbers.select(read(pl.col("whole"), pl.col("fraction"), form)).to_series()
    if form in EPOCHS:
        if column.null_count() < len(column):
            _require_zone(file, column.name, "are seconds since 1970, which count in UTC", timezone)
        times = _local_clock(times, str(timezone)) if timezone else times
    return times if form in CLOCK_FORMS else _plausible(times)


def _text_times(file: str, column: pl.Series, timezone: str | None, form: str) -> pl.Series:
    """Return seconds of text of a form."""
    import polars as pl

    parts = _as_text(column, form).pipe(text_parts, column.name, time_patterns(form)).collect()
    clock = parts["clock"]
    if form == MIDNIGHT_FORM:
        clock = _where(parts["has_date"] & ~parts["has_clock"], pl.zeros(parts.height, pl.Int64, eager=True), clock)
    written = clock + _where(parts["has_date"], parts["day"] * DAY_S, pl.zeros(parts.height, pl.Int64, eager=True))
    written = written.set(parts["has_date"] & (parts["day"] * DAY_S < UNDATED_S), None)
    zone, place = parts["zone"], parts["place"]
    has_zone = zone.is_not_null() | place.is_not_null()
    if has_zone.any():
        _require_zone(file, column.name, "carry a zone", timezone, *place.drop_nulls().mode().sort().head(1))
        utc = _where(zone.is_null() & place.is_not_null(), _utc_of_places(written, place), written - offset_s(zone))
        written = _where(has_zone, _local_clock(utc, str(timezone)).set(~parts["has_date"], None), written)
    return _where(parts["has_date"], _plausible(written), written)


def _as_text(column: pl.Series, form: str) -> pl.LazyFrame:
    """Return a column as text, numbers with the leading zeros that their format has."""
    import polars as pl

    text = column.cast(pl.Int64, strict=False) if column.dtype.is_numeric() else column
    width = format_width(form) if column.dtype.is_numeric() else 0
    return text.cast(pl.String).str.zfill(width).to_frame().lazy()


def _utc_of_places(local_s: pl.Series, place: pl.Series) -> pl.Series:
    """Return UTC seconds of clocks in named zones, missing where a zone is unknown or its clock shows the time twice or never."""
    import polars as pl

    utc = local_s.clear(len(local_s))
    clock = (local_s.set((local_s < 0) | (local_s > _LAST_S), None) * 1_000_000).cast(pl.Datetime("us"))
    for name in place.unique().drop_nulls().head(_MOST_ZONES):
        try:
            moment = clock.dt.replace_time_zone(name, ambiguous="null", non_existent="null")
        except pl.exceptions.PolarsError:
            continue
        utc = _where((place == name).fill_null(False), moment.to_physical() // 1_000_000, utc)  # noqa: FBT003
    return utc


def _plain_times(file: str, column: pl.Series, timezone: str | None) -> pl.Series:
    """Return seconds of times in plain text, as most files have them."""
    import polars as pl

    date, hour, minute, second, zone = column.str.extract_groups(_PLAIN).struct.unnest().get_columns()
    day = date.str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Int64)
    clock = hour.cast(pl.Int64) * HOUR_S + minute.cast(pl.Int64) * 60 + second.cast(pl.Int64).fill_null(0)
    zeros = pl.zeros(day.len(), pl.Int64, eager=True)
    written = clock.set(clock >= UNDATED_S, None) + _where(date.is_null(), zeros, day * DAY_S)
    if zone.null_count() < zone.len():
        _require_zone(file, column.name, "carry a zone", timezone)
        dated = written.set(date.is_null(), None)  # what an offset does to a clock without a date depends on the season
        written = _where(zone.is_null(), written, _local_clock(dated - offset_s(zone), str(timezone)))
    return _where(date.is_null(), written, _plausible(written))


def is_plain_text(column: pl.Series) -> pl.Series:
    """
    Return which texts are times that need no form.

    Parameters
    ----------
    column
        Text, shape (n,).

    Returns
    -------
    Series of bool
        True where `seconds` reads the text without a form.
    """
    return column.str.contains(_PLAIN)


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


def _require_zone(file: str, column: str, what: str, timezone: str | None, written: str = "") -> None:
    """Reject times that need a time zone if there is none; `written` is one that they carry."""
    if timezone is None:
        example = "Asia/Seoul"
        if "/" in written and not written.startswith("Etc/"):
            with suppress(UsageError):
                check_timezone(written)
                example = written
        msg = (
            f"{file}: times in column {column} {what}; name the local zone with {setting('timezone')}, such as "
            f"{setting('timezone', example)} (UTC leaves them as they are)"
        )
        raise DataError(msg, setting="timezone")
