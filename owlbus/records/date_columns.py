"""The column of dates beside times without a date: known by its name, or asked for if a column looks like one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting
from owlbus.records.profiles import normal_name
from owlbus.records.schema import PRESENCE
from owlbus.records.time_texts import DATE_PATTERNS, PATTERNS, pattern_of_format
from owlbus.records.times import UNDATED_S, day_starts, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from owlbus.records.sources import Source

_EVENTS = (
    "call cdr event record trip ride journey pickup pick_up start origin departure board boarding usage session connection service local"
)

_OTHERS = (
    "datum fecha calldate ymd yyyymmdd yyyy_mm_dd date_ymd calendar_date stdr_de_id date_local 일자 날짜 통화일 통화일자 승차일 승차일자 "
    "출발일 출발일자 기준일 기준일자 기준일id 운행일자 이용일자 日付 日期"
)

_SURE = {
    *(normal_name(form.format(word)) for word in _EVENTS.split() for form in ("{}_date", "date_{}", "date_of_{}", "{}_day")),
    *map(normal_name, _OTHERS.split()),
}
"""Names of columns of the dates of records, in normal form."""

_PERHAPS = {"day", "tag", "dia", "jour", "giorno", "data", "dt", "d", "dates"}
"""Names that mean a date if the values look like dates."""

_DAY_WITH_YEAR = (
    *(pattern for several in DATE_PATTERNS.values() for pattern in several),
    *PATTERNS["compact"],
    r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\.0+)?$",
)

_WITH_CLOCK = (*(pattern for name, several in PATTERNS.items() if name != "ISO" for pattern in several), r"^\d{4}-.*\d:\d\d")

_SHORT_DATE = r"^\d\d?[-/.]\s?\d\d?[-/.]\s?\d\d\.?$"

_HOUR_OR_CLOCK = r"^\s*\D{0,6}\d{1,2}(?:\.0+)?\s*(?:$|[:시hH])"

_MOST, _SOME = 0.5, 0.05


def is_format_of_dates(time_format: str | None) -> bool:
    """
    Return whether a format of times is one of dates alone.

    Parameters
    ----------
    time_format
        As `owlbus.records.read_options.ReadOptions.time_format`.

    Returns
    -------
    bool
        True for a strptime format without an hour.

    Examples
    --------
    >>> is_format_of_dates("%d.%m.%y"), is_format_of_dates("%H:%M"), is_format_of_dates("HHMM")
    (True, False, False)
    """
    return time_format is not None and "%" in time_format and "?P<hour>" not in pattern_of_format(time_format)


def with_date(source: Source, columns: Sequence[str], time_forms: Mapping[str, str] | None) -> Source:
    """
    Return a source with its column of dates, if its times carry no date and a column has a well-known name.

    Parameters
    ----------
    source
        The file.
    columns
        All columns of the file.
    time_forms
        Forms of its times, by owlbus' name; None for hours of presence, which have no form yet.

    Returns
    -------
    Source
        The same source if its times have dates, or no column looks like one.

    Raises
    ------
    DataError
        If several columns may be the date, or one that is not known by its name looks like dates.
    """
    names = source.layout.names
    unread = [column for column in columns if column not in names.values()]
    if "date" in names or not unread or source.n_quotes % 2 or source.layout.is_untimed or not _lacks_dates(source, time_forms):
        return source
    samples = dict(_samples(source, unread))
    dates = [column for column, sample in samples.items() if _share(sample, _DAY_WITH_YEAR) > _MOST]
    short = [column for column, sample in samples.items() if _share(sample, (_SHORT_DATE,)) > _MOST]
    known = [column for column in samples if _plain_name(column) in _SURE]
    known = known or [column for column in (*dates, *short) if _plain_name(column) in _PERHAPS]
    if len(known) == 1:
        layout = replace(source.layout, names=names | {"date": known[0]})
        note = f"columns are taken by their usual names: date from {known[0]}"
        return replace(source, layout=layout, notes=(*source.notes, note))
    if known or dates:
        ask = setting("columns", {"date": (known or dates)[0]})
        why = f"columns {' and '.join(known[:2])} may both be their date" if known else f"column {dates[0]} looks like dates"
        if not known and _share(samples[dates[0]], _WITH_CLOCK) > _MOST:
            ask = f"{setting('columns', {source.layout.kind.start: dates[0]})} if it holds the times, or with {ask} if it holds their dates"
        way = f"name the column of dates, such as {ask}" if known else f"name it with {ask}, or drop that column"
        msg = f"{source.name}: times carry no date, and {why}; {way}"
        raise DataError(msg, setting="columns")
    return source


def _plain_name(column: str) -> str:
    """Return the normal name of a column, without the quotes and the question mark of a byte order mark that was re-encoded."""
    return normal_name(column.strip('?"\ufeff '))


def _lacks_dates(source: Source, time_forms: Mapping[str, str] | None) -> bool:
    """Return whether times of the first rows carry no date."""
    import polars as pl

    start = source.layout.kind.start
    if is_format_of_dates(source.options.time_format) or (source.layout.kind is PRESENCE and start not in source.layout.names):
        return True
    times = source.head().select(start).collect().to_series().drop_nulls()
    if times.dtype.is_temporal():
        return times.dtype in (pl.Time, pl.Duration)
    if time_forms is None:
        return len(times) > 0 and _share(times.cast(pl.String), (_HOUR_OR_CLOCK,)) > _SOME
    zone = source.options.timezone or source.layout.timezone or "UTC"
    read = seconds(source.name, times, zone, time_forms.get(start))
    return bool((((read >= 0) & (read < UNDATED_S)).sum()) > _SOME * (read >= 0).sum())


def _samples(source: Source, unread: Sequence[str]) -> Iterator[tuple[str, pl.Series]]:
    """Yield the first values of columns that are not read and hold any, as text; dates and timestamps as ISO dates."""
    import polars as pl

    key = {f"unread {column}": column for column in unread}
    layout = replace(source.layout, names={source.layout.kind.start: unread[0], **key})
    frame = replace(source, layout=layout, masts=None, homes=None).head()
    for name, dtype in frame.select(list(key)).collect_schema().items():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Boolean, pl.Time, pl.Duration):
            continue
        sample = frame.select(name).collect().to_series().drop_nulls()
        if dtype.is_temporal():
            sample = pl.Series(name, [day for day in day_starts(sample) if day >= 0]).cast(pl.Int64) * 1_000_000
            sample = sample.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d")
        texts = sample.cast(pl.String).str.strip_chars()
        texts = texts.filter(texts != "")
        if texts.len():
            yield key[name], texts


def _share(texts: pl.Series, patterns: Sequence[str]) -> float:
    """Return the share of texts that match one of the patterns, 0 to 1."""
    import polars as pl

    found = texts.alias("text").to_frame().select(pl.any_horizontal(pl.col("text").str.contains(pattern) for pattern in patterns).mean())
    return float(found.item() or 0.0)
