"""Times written as text: dates in every order, month names, AM and PM, offsets and zone names, and strptime formats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.common.units import HOUR_S

if TYPE_CHECKING:
    import polars as pl

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}

_NOON_S = 12 * HOUR_S

_HALF = "오전|오후|上午|下午|午前|午後|[AaPp]\\.?\\s?[Mm]\\.?"

_PM = "(?i)^(?:오후|下午|午後|p)"

_CLOCK = (
    rf"(?:(?P<half>{_HALF})\s*)?(?P<hour>\d{{1,3}}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?(?:\s*(?P<half_after>{_HALF}))?"
)

_ZONE = r"\s*(?:(?P<zone>Z|z|(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?|UTC|GMT))?(?:\s*\[?(?P<place>[A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+)+)\]?)?"

_WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"

_MONTH = r"(?P<name>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?"

_GAP = r"(?:\s*[T,:]\s*|\s+-?\s*|-)"

_YEAR = r"(?P<year>19[7-9]\d|20\d\d|2100)"

_MONTH_NUMBER = r"(?P<month>1[0-2]|0?[1-9])"

_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])"

_YMD = rf"{_YEAR}\s?[-/.년年]\s?{_MONTH_NUMBER}\s?[-/.월月]\s?{_DAY}\s?[.일日]?"

_DATES = {
    "ISO": (_YMD,),
    "DMY": (rf"{_DAY}[-/.]\s?{_MONTH_NUMBER}[-/.]\s?{_YEAR}\.?",),
    "MDY": (rf"{_MONTH_NUMBER}[-/.]\s?{_DAY}[-/.]\s?{_YEAR}\.?",),
    "month-name": (
        rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th)?[-\s/.]+{_MONTH}[-\s/.,]+{_YEAR}",
        rf"{_WEEKDAY}{_MONTH}[-\s]+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}",
        rf"{_YEAR}[-\s/.]+{_MONTH}[-\s/.]+{_DAY}",
    ),
}

_LONG = rf"^{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}\s*{_ZONE}\s*{_YEAR}$"

_COMPACT = (
    rf"^{_YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?:[T_-]|\s+)"
    rf"(?P<hour>\d\d):?(?P<minute>[0-5]\d)(?::?(?P<second>[0-5]\d)(?:[.,]\d+)?)?{_ZONE}$"
)

PATTERNS = {
    "ISO": (rf"^(?:{_YMD}{_GAP})?{_CLOCK}{_ZONE}$",),
    **{name: tuple(rf"^{date}{_GAP}{_CLOCK}{_ZONE}$" for date in _DATES[name]) for name in ("DMY", "MDY")},
    "month-name": (*(rf"^{date}{_GAP}{_CLOCK}{_ZONE}$" for date in _DATES["month-name"]), _LONG),
    "compact": (_COMPACT,),
}
"""Regular expressions of times by form: a match of any of them is read by its groups."""

MIDNIGHT_FORM = "ISO-midnight"
"""Name of the form of times as ISO, in which midnight is the date alone."""

DATE_ALONE = rf"^{_YMD}$"
"""Regular expression of an ISO date without a clock."""

MIDNIGHT = r"\d(?:\s*[T,]\s*|\s+)0?0:00(?::00(?:[.,]0+)?)?(?:\D|$)"
"""Regular expression of a written midnight after a date."""

DATE_PATTERNS = {name: tuple(rf"^{date}(?:{_GAP}{_CLOCK})?{_ZONE}$" for date in dates) for name, dates in _DATES.items()}
"""Regular expressions of dates, with or without a clock."""

_DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<short_year>\d\d)",
    "m": r"(?P<month>\d\d?)",
    "d": r"(?P<day>\d\d?)",
    "e": r"\s?(?P<day>\d\d?)",
    "H": r"(?P<hour>\d\d?)",
    "k": r"\s?(?P<hour>\d\d?)",
    "I": r"(?P<hour>\d\d?)",
    "l": r"\s?(?P<hour>\d\d?)",
    "M": r"(?P<minute>[0-5]?\d)",
    "S": r"(?P<second>[0-5]?\d)",
    "f": r"\d+",
    "p": rf"(?P<half>{_HALF})",
    "b": _MONTH,
    "B": _MONTH,
    "h": _MONTH,
    "a": r"\pL+\.?",
    "A": r"\pL+\.?",
    "z": r"(?P<zone>Z|z|UTC|GMT|[+-]\d\d:?\d\d)",
    "%": "%",
}

_SHORTHANDS = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%.f": ".%f"}

_FIELDS = ("year", "short_year", "month", "name", "day", "hour", "minute", "second", "half", "half_after", "zone", "place")


def pattern_of_format(time_format: str) -> str:
    """
    Return the regular expression of a strptime format.

    Parameters
    ----------
    time_format
        Such as ``%d.%m.%Y %H:%M``.

    Returns
    -------
    str
        Regular expression with a group for each part of the time.

    Raises
    ------
    UsageError
        If a directive is unknown or stands twice, or the format has neither a day nor an hour.
    """
    expanded = re.sub(r"%[-_]([a-zA-Z])", r"%\1", time_format)
    for short, full in _SHORTHANDS.items():
        expanded = expanded.replace(short, full)
    pieces = re.findall(r"%.?|[^%]+", expanded)
    unknown = next((piece for piece in pieces if piece[0] == "%" and piece[1:] not in _DIRECTIVES), None)
    if unknown is not None:
        msg = (
            f"{setting('time_format')} must use the directives %{' %'.join(sorted(_DIRECTIVES)[1:])}, got {unknown!r} in {time_format!r}; "
            "the others have no meaning that is the same everywhere"
        )
        raise UsageError(msg, setting="time_format", value=time_format)
    widths = zip(pieces, (*pieces[1:], ""), strict=True)
    pattern = "".join(_piece_pattern(piece, following) for piece, following in widths)
    groups = re.findall(r"\?P<(\w+)>", pattern)
    kinds = ["year" if group == "short_year" else "month" if group == "name" else group for group in groups]
    if len(set(kinds)) < len(kinds) or not _is_complete(set(kinds)):
        msg = (
            f"{setting('time_format')} must name each part of a time once, and a whole date, an hour or both, got {time_format!r}; "
            f"write it like {setting('time_format', '%d.%m.%Y %H:%M')}"
        )
        raise UsageError(msg, setting="time_format", value=time_format)
    return rf"^{pattern}$"


def _is_complete(parts: set[str]) -> bool:
    """Return whether the parts of a format are a date, an hour, or both, with nothing between them missing."""
    date, clock = parts & {"year", "month", "day"}, parts & {"hour", "minute", "second", "half"}
    return (
        len(date) in {0, 3}
        and bool(date or clock)
        and (not clock or "hour" in clock)
        and ("second" not in clock or "minute" in clock)
        and ("zone" not in parts or (len(date) == 3 and bool(clock)))  # noqa: PLR2004 - year, month and day
    )


def _piece_pattern(piece: str, following: str) -> str:
    """Return the regular expression of a directive or of the text between two; digits that touch have their full width."""
    if piece[0] != "%":
        return r"\s+".join(re.escape(part) for part in re.split(r"\s+", piece))
    pattern = _DIRECTIVES[piece[1:]]
    touches = following[:1] == "%" and following[1:] in set("YymdHIMSf")
    return pattern.replace(r"\d\d?", r"\d\d").replace(r"[0-5]?", "[0-5]") if touches else pattern


def time_patterns(form: str) -> tuple[str, ...]:
    """
    Return the regular expressions of a form of times.

    Parameters
    ----------
    form
        Name in `PATTERNS`, `MIDNIGHT_FORM`, or a strptime format.

    Returns
    -------
    tuple of str
        Patterns for `text_parts`.
    """
    if form == MIDNIGHT_FORM:
        return (*PATTERNS["ISO"], DATE_ALONE)
    return PATTERNS[form] if form in PATTERNS else (pattern_of_format(form),)


def date_patterns(form: str) -> tuple[str, ...]:
    """
    Return the regular expressions of a form of dates.

    Parameters
    ----------
    form
        Name in `DATE_PATTERNS`, or a strptime format.

    Returns
    -------
    tuple of str
        Patterns for `text_parts`.
    """
    return DATE_PATTERNS[form] if form in DATE_PATTERNS else (pattern_of_format(form),)


def format_width(time_format: str) -> int:
    """Return the number of digits of a format of digits alone, which numbers lose zeros of; 0 for other formats."""
    widths = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
    letters = re.findall(r"%([a-zA-Z])", time_format)
    is_digits = "".join(f"%{letter}" for letter in letters) == time_format and set(letters) <= widths.keys()
    return sum(widths[letter] for letter in letters) if is_digits else 0


def text_parts(frame: pl.LazyFrame, column: str, patterns: tuple[str, ...]) -> pl.LazyFrame:
    """
    Return the parts of times in text.

    Parameters
    ----------
    frame
        Rows with the text.
    column
        Its name.
    patterns
        Regular expressions with groups as in `PATTERNS`; the first that matches is taken.

    Returns
    -------
    LazyFrame
        By row: ``day`` since 1970 and ``clock`` in seconds, missing where they cannot be read; ``has_date`` and ``has_clock``, whether
        they are written; ``zone``, the offset, and ``place``, the zone name, as written.
    """
    import polars as pl

    text = pl.col(column).cast(pl.String).str.strip_chars()
    frame = frame.select(text.str.extract_groups(pattern).alias(f"g{k}") for k, pattern in enumerate(patterns))
    groups = {field: [k for k, pattern in enumerate(patterns) if f"?P<{field}>" in pattern] for field in _FIELDS}
    parts = {
        field: pl.coalesce(pl.col(f"g{k}").struct.field(field) for k in found).alias(field) if found else pl.lit(None, pl.String)
        for field, found in groups.items()
    }
    frame = frame.select(expression.alias(field) for field, expression in parts.items())
    return frame.select(
        _day().alias("day"),
        _clock().alias("clock"),
        pl.col("day").is_not_null().alias("has_date"),
        pl.col("hour").is_not_null().alias("has_clock"),
        "zone",
        "place",
    )


def _day() -> pl.Expr:
    """Return days since 1970 of the parts of a date; two digits of a year are 1970 to 2069."""
    import polars as pl

    short = pl.col("short_year").cast(pl.Int64)
    century = pl.when(short < 70).then(2000).otherwise(1900)  # noqa: PLR2004 - as POSIX, one year apart
    year = pl.coalesce(pl.col("year").cast(pl.Int64), short + century)
    named = pl.col("name").str.slice(0, 3).str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.Int64)
    month = pl.coalesce(pl.col("month").cast(pl.Int64), named)
    return days_of(year, month, pl.col("day").cast(pl.Int64))


def days_of(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Return days since 1970 of a date given as numbers, missing if there is no such day."""
    import polars as pl

    text = pl.concat_str(year.cast(pl.String), month.cast(pl.String), day.cast(pl.String), separator="-")
    return text.str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Int64)


def _clock() -> pl.Expr:
    """Return seconds of the parts of a clock, below 48 hours; 12 AM is 0 and 12 PM is 12, and 13 PM is 13."""
    import polars as pl

    half = pl.coalesce("half", "half_after")
    is_pm = half.str.contains(_PM)
    hour = pl.col("hour").cast(pl.Int64)
    seconds = hour * HOUR_S + pl.col("minute").fill_null("0").cast(pl.Int64) * 60 + pl.col("second").fill_null("0").cast(pl.Int64)
    morning = pl.when(hour < 12).then(seconds).when(hour == 12).then(seconds - _NOON_S)  # noqa: PLR2004 - noon
    evening = pl.when((hour >= 1) & (hour < 12)).then(seconds + _NOON_S).when((hour >= 12) & (hour < 24)).then(seconds)  # noqa: PLR2004
    spoken = pl.when(is_pm).then(evening).otherwise(morning)
    return pl.when(half.is_not_null()).then(spoken).when(hour < 48).then(seconds)  # noqa: PLR2004 - two days


def offset_s(zone: pl.Series) -> pl.Series:
    """
    Return the UTC offset of zones as text.

    Parameters
    ----------
    zone
        Such as Z, UTC, +09:00, GMT+0900 or -04, shape (n,).

    Returns
    -------
    Series
        Seconds ahead of UTC, missing where there is none.
    """
    import polars as pl

    sign, hours, minutes = zone.str.extract_groups(r"([+-])(\d\d):?(\d\d)?$").struct.unnest().get_columns()
    ahead = hours.cast(pl.Int64) * HOUR_S + minutes.fill_null("0").cast(pl.Int64) * 60
    names = pl.DataFrame({"zone": zone, "sign": sign, "ahead": ahead})
    is_utc = pl.col("zone").str.to_uppercase().is_in(["Z", "UTC", "GMT"])
    signed = pl.when(pl.col("sign") == "-").then(-pl.col("ahead")).otherwise(pl.col("ahead"))
    return names.select(pl.when(is_utc).then(0).otherwise(signed).alias("zone")).to_series()
