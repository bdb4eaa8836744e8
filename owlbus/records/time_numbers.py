"""Times written as numbers: what each form of number means, and which forms the numbers of a column can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.units import DAY_S, HOUR_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

CLOCKS = {"hour": HOUR_S, "minute": 60, "second": 1}
"""Seconds of one unit of numbers that count from midnight, with fractions."""

DIGITS = {
    "HHMM": (("hour", 2), ("minute", 2)),
    "HHMMSS": (("hour", 2), ("minute", 2), ("second", 2)),
    "HHMMSSmmm": (("hour", 2), ("minute", 2), ("second", 2), ("fraction", 3)),
    "YYYYMMDD": (("year", 4), ("month", 2), ("day", 2)),
    "YYYYMMDDHH": (("year", 4), ("month", 2), ("day", 2), ("hour", 2)),
    "YYMMDDHHMM": (("short_year", 2), ("month", 2), ("day", 2), ("hour", 2), ("minute", 2)),
    "YYMMDDHHMMSS": (("short_year", 2), ("month", 2), ("day", 2), ("hour", 2), ("minute", 2), ("second", 2)),
    "YYYYMMDDHHMM": (("year", 4), ("month", 2), ("day", 2), ("hour", 2), ("minute", 2)),
    "YYYYMMDDHHMMSS": (("year", 4), ("month", 2), ("day", 2), ("hour", 2), ("minute", 2), ("second", 2)),
    "YYYYMMDDHHMMSScc": (("year", 4), ("month", 2), ("day", 2), ("hour", 2), ("minute", 2), ("second", 2), ("fraction", 2)),
    "YYYYMMDDHHMMSSmmm": (("year", 4), ("month", 2), ("day", 2), ("hour", 2), ("minute", 2), ("second", 2), ("fraction", 3)),
}
"""Parts of numbers whose digits are a date, a clock or both, with their widths."""

EPOCHS = {"epoch": 1, "epoch-ms": 1_000, "epoch-us": 1_000_000, "epoch-ns": 1_000_000_000}
"""Ticks per second of numbers that count from 1970 in UTC."""

CLOCK_FORMS = (*CLOCKS, "millisecond", "day-fraction", "HHMM", "HHMMSS", "HHMMSSmmm")
"""Forms of numbers without a date."""

NUMBER_FORMS = tuple(dict.fromkeys((*CLOCK_FORMS, *DIGITS, "excel", *EPOCHS)))
"""Forms of numbers."""

_RANGES = {
    "year": (1970, 2100),
    "short_year": (0, 99),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 47),
    "minute": (0, 59),
    "second": (0, 59),
}

_EXCEL_DAY_0 = 25_569

_PLAUSIBLE_S = (631_152_000, 4_133_980_800)
"""Seconds since 1970 of 1990-01-01 and 2101-01-01: other numbers are not taken for an epoch unless a user says so."""

NUMBER_TEXT = r"^([0-9]{1,19})(?:\.([0-9]{0,30})|,([0-9]{1,2}|[0-9]{4,30}))?([eE]-[0-9]{1,2})?$"
"""A number without a sign; a comma before three digits may part thousands, so it is none, and so may be lost digits before E+."""

_JUNK_SHARE = 0.05

_FEW, _MANY = 4, 28
"""Distinct values from which chance is excluded: 0.009 to the power of 4, and 0.6 to the power of 28, are below one in a million."""

_SPREAD = 1000
"""Least range of numbers whose last two digits would take all values if they were no minutes or seconds."""


def whole_and_fraction(column: pl.Expr, dtype: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """
    Return numbers as whole numbers, exact to 18 digits, and what is left of them.

    Parameters
    ----------
    column
        Numbers, or text of numbers.
    dtype
        Its type.

    Returns
    -------
    tuple of Expr
        Int64, missing where it is no number or below 0, and Float64 in [0, 1).
    """
    import polars as pl

    if dtype.is_float():
        number = column.cast(pl.Float64)
        whole = number.fill_nan(None).floor().cast(pl.Int64, strict=False)
        return pl.when(whole >= 0).then(whole), pl.when(whole >= 0).then(number - whole)
    if dtype.is_decimal():
        whole = column.cast(pl.Int64, strict=False)
        rest = (column.cast(pl.Float64) - whole.cast(pl.Float64)).clip(0, 0.999_999)
        return pl.when(column >= 0).then(whole), pl.when(column >= 0).then(rest)
    if dtype.is_numeric():
        whole = column.cast(pl.Int64, strict=False)
        return pl.when(whole >= 0).then(whole), pl.when(whole >= 0).then(0.0)
    text = column.cast(pl.String).str.strip_chars()
    text = pl.when(text.str.contains(NUMBER_TEXT)).then(text)
    exact = text.str.strip_suffix(".0").cast(pl.Int64, strict=False)
    number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    whole = pl.coalesce(exact, number.floor().cast(pl.Int64, strict=False))
    return whole, pl.when(exact.is_not_null()).then(0.0).when(whole.is_not_null()).then(number - number.floor())


def digit_parts(whole: pl.Expr, form: str) -> dict[str, pl.Expr]:
    """
    Return the parts of whole numbers by their digits.

    Parameters
    ----------
    whole
        Whole numbers.
    form
        Name of `DIGITS`.

    Returns
    -------
    dict
        Value by part, not checked; the first part has all digits that are left.
    """
    parts: dict[str, pl.Expr] = {}
    for place, (name, width) in reversed(list(enumerate(DIGITS[form]))):
        parts[name] = whole % 10**width if place else whole
        whole = whole // 10**width
    return parts


def is_written_as(whole: pl.Expr, fraction: pl.Expr, form: str) -> pl.Expr:
    """
    Return whether numbers have the digits of a form.

    Parameters
    ----------
    whole, fraction
        Of `whole_and_fraction`.
    form
        Name of `DIGITS`.

    Returns
    -------
    Expr
        True where each part is inside its range; days of a month are counted up to 31.
    """
    parts = digit_parts(whole, form)
    inside = fraction == 0 if "second" not in parts else whole >= 0
    if "day" in parts:
        inside &= parts.get("hour", whole * 0) <= 24  # noqa: PLR2004 - the end of a day; clocks alone go on past midnight
    for name, value in parts.items():
        if name in _RANGES:
            inside &= value.is_between(*_RANGES[name])
    return inside


def clock_of(whole: pl.Expr, fraction: pl.Expr, form: str) -> pl.Expr:
    """
    Return seconds since midnight of numbers without a date.

    Parameters
    ----------
    whole, fraction
        Of `whole_and_fraction`.
    form
        ``hour``, ``minute``, ``second``, ``millisecond``, ``day-fraction``, or a clock of `DIGITS`.

    Returns
    -------
    Expr
        Whole seconds in [0, 172800), missing elsewhere.
    """
    import polars as pl

    if form == "millisecond":
        seconds = whole // 1000
    elif form == "day-fraction":
        seconds = pl.when(whole == 0).then((fraction * DAY_S).round().cast(pl.Int64))
    elif form in CLOCKS:
        unit_s = CLOCKS[form]
        part_s = fraction * unit_s if form == "second" else (fraction * unit_s).round()  # parts of a second are cut off
        seconds = whole * unit_s + part_s.floor().cast(pl.Int64)
    else:
        parts = digit_parts(whole, form)
        seconds = pl.when(is_written_as(whole, fraction, form)).then(_clock_s(parts))
    return pl.when(seconds.is_between(0, 2 * DAY_S - 1)).then(seconds)


def _clock_s(parts: dict[str, pl.Expr]) -> pl.Expr:
    """Return seconds of the parts of a clock."""
    import polars as pl

    zero = pl.lit(0, pl.Int64)
    return parts.get("hour", zero) * HOUR_S + parts.get("minute", zero) * 60 + parts.get("second", zero)


def dated_of(whole: pl.Expr, fraction: pl.Expr, form: str) -> pl.Expr:
    """
    Return seconds since 1970 of numbers with a date: on the local clock, or in UTC for forms of `EPOCHS`.

    Parameters
    ----------
    whole, fraction
        Of `whole_and_fraction`.
    form
        ``excel``, a name of `EPOCHS`, or a form of `DIGITS` with a date.

    Returns
    -------
    Expr
        Whole seconds, missing where a number has no such form.
    """
    import polars as pl

    from owlbus.records.time_texts import days_of

    if form in EPOCHS:
        return whole // EPOCHS[form]
    if form == "excel":
        days = pl.when(whole.is_between(_EXCEL_DAY_0, 200_000)).then(whole - _EXCEL_DAY_0)
        return days * DAY_S + (fraction * DAY_S).round().cast(pl.Int64)
    parts = digit_parts(whole, form)
    if "year" not in parts:
        short = parts["short_year"]
        parts["year"] = short + pl.when(short < 70).then(2000).otherwise(1900)  # noqa: PLR2004 - as POSIX, one year apart
    day = days_of(parts["year"], parts["month"], parts["day"])
    return pl.when(is_written_as(whole, fraction, form)).then(day * DAY_S + _clock_s(parts))


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """
    What is known of the numbers of a column.

    Attributes
    ----------
    n
        Rows with a number.
    low, high
        Least and greatest whole number, without the few that are far from all others.
    n_fraction
        Rows whose number has a fraction.
    n_distinct, n_whole
        Distinct numbers, and distinct whole numbers, about.
    misses
        Rows without the digits of a form, by form of `DIGITS`.
    n_tens
        Rows whose fraction is 0.60 or more, so that it is no number of minutes.
    width
        Digits of each text where all have as many and some begin with 0; else 0.
    n_whole_hours
        Rows that are a multiple of 100.
    """

    n: int
    low: int
    high: int
    n_fraction: int
    n_distinct: int
    n_whole: int
    misses: dict[str, int]
    n_tens: int = 0
    width: int = 0
    n_whole_hours: int = 0

    def are_many(self, unit: int = 1) -> bool:
        """Return whether numbers are too many and too far apart for digits of a clock, in a unit, to be chance."""
        spread = (self.high - self.low) // unit
        return spread >= _SPREAD and (self.n_whole >= _MANY or (self.n_whole >= _MANY // 2 and spread >= 20 * _SPREAD))

    def fits(self, form: str) -> bool:
        """Return whether nearly all numbers have the digits of a form."""
        misses = self.misses[form]
        return (misses == 0 and self.n > 0) or (misses <= _JUNK_SHARE * self.n and self.n_whole >= 2 * _MANY)


def number_facts(
    frame: pl.LazyFrame, column: str, dtype: pl.DataType, middle: int | None = None, forms: Sequence[str] = tuple(DIGITS)
) -> NumberFacts:
    """
    Count the numbers of a column by what they can be.

    Parameters
    ----------
    frame
        Rows.
    column
        Column of numbers, or of text.
    dtype
        Its type.
    middle
        A usual number; up to 5 % of rows that are a hundred times as large or small are left out of the range, as are
        numbers such as 9999 that stand for none.
    forms
        Names of `DIGITS` to count; no number is taken to have the others.

    Returns
    -------
    NumberFacts
        Facts; memory does not grow with the file.
    """
    import polars as pl

    whole, fraction = whole_and_fraction(pl.col(column), dtype)
    text = pl.lit("1") if dtype.is_numeric() else pl.col(column).cast(pl.String).str.strip_chars()
    point = text.str.find(".", literal=True)
    rows = frame.select(
        whole.alias("whole"),
        fraction.alias("fraction"),
        pl.coalesce(point, text.str.len_bytes()).alias("width"),
        text.str.starts_with("0").alias("is_padded"),
    )
    rows = rows.filter(pl.col("whole").is_not_null())
    found = rows.select(*_range_counts(middle), *_digit_counts(forms)).collect(engine="streaming").row(0, named=True)
    usual = "usual_" if found["n"] and found["n_usual"] >= (1 - _JUNK_SHARE) * found["n"] else ""
    return NumberFacts(
        low=found[f"{usual}low"] or 0,
        high=found[f"{usual}high"] or 0,
        misses={form: found.get(form, found["n"]) for form in DIGITS},
        width=found["longest"] if found["n_padded"] and found["shortest"] == found["longest"] else 0,
        **{name: found[name] for name in ("n", "n_fraction", "n_distinct", "n_whole", "n_tens", "n_whole_hours")},
    )


def _range_counts(middle: int | None) -> list[pl.Expr]:
    """Return the counts and ranges of numbers: of all, and of those that are near the middle and are not all nines."""
    import polars as pl

    whole = pl.col("whole")
    usual = ~whole.is_in([10**k - 1 for k in range(2, 19)])
    if middle is not None:
        usual &= whole.is_between(middle // 100, middle * 100 + 100)
    return [
        pl.len().alias("n"),
        usual.sum().alias("n_usual"),
        whole.min().alias("low"),
        whole.max().alias("high"),
        whole.filter(usual).min().alias("usual_low"),
        whole.filter(usual).max().alias("usual_high"),
    ]


def _digit_counts(forms: Sequence[str]) -> list[pl.Expr]:
    """Return the counts of numbers by their digits and fractions."""
    import polars as pl

    whole, fraction, width = pl.col("whole"), pl.col("fraction"), pl.col("width")
    return [
        (fraction > 0).sum().alias("n_fraction"),
        (fraction >= 0.5999).sum().alias("n_tens"),  # noqa: PLR2004 - 60 minutes
        (whole % 100 == 0).sum().alias("n_whole_hours"),
        (whole.cast(pl.Float64) + fraction).approx_n_unique().alias("n_distinct"),
        whole.approx_n_unique().alias("n_whole"),
        width.min().alias("shortest"),
        width.max().alias("longest"),
        pl.col("is_padded").sum().alias("n_padded"),
        *((~is_written_as(whole, fraction, form)).sum().alias(form) for form in forms),
    ]


def possible_forms(facts: NumberFacts, hint: str) -> Sequence[str]:
    """
    Return the forms that the numbers of a column of times can have.

    Parameters
    ----------
    facts
        Facts of the whole column.
    hint
        Unit that the name of the column speaks of: ``hour``, ``minute``, ``second``, ``millisecond``, or nothing.

    Returns
    -------
    sequence of str
        One form if it is certain, else all that are to be asked about; none if no form fits.
    """
    if facts.n_fraction > _JUNK_SHARE * facts.n:
        return _with_fractions(facts, hint)
    rules: tuple[tuple[int, Callable[[NumberFacts, str], Sequence[str]]], ...] = (
        (2 * DAY_S, _small),
        (10**8, _milliseconds),
        (_PLAUSIBLE_S[0], _nine_digits),
        (_PLAUSIBLE_S[1], _ten_digits),
        (_PLAUSIBLE_S[1] * 1000, _twelve_digits),
    )
    for limit, rule in rules:
        if facts.high < limit:
            return rule(facts, hint)
    return _long(facts)


def _epochs(facts: NumberFacts) -> Sequence[str]:
    """Return the units in which all numbers are moments of 1990 to 2100."""
    first, end = _PLAUSIBLE_S
    return [name for name, ticks in EPOCHS.items() if first * ticks <= facts.low and facts.high < end * ticks]


def _with_fractions(facts: NumberFacts, hint: str) -> Sequence[str]:  # noqa: PLR0911 - one for each range
    """Return the forms of numbers with fractions: Excel, parts of a day, decimal units, and seconds since 1970."""
    if facts.low >= _PLAUSIBLE_S[0]:
        return _epochs(facts)
    if facts.high == 0:
        return ["day-fraction"] if facts.n_distinct > _FEW and not hint else ["day-fraction", "hour"]
    if facts.high < 48:  # noqa: PLR2004 - hours of two days
        is_decimal = facts.n_tens > 0 and facts.high >= 1 and facts.n_distinct > _FEW
        return ["hour"] if is_decimal and hint in {"", "hour"} else ["hour", "minute", "second"]
    if facts.low >= 20_000 and facts.high < 80_000:  # noqa: PLR2004 - 1954 to 2119
        spread = facts.high - facts.low
        is_narrow = (spread <= 800 and facts.n_distinct > _FEW) or (spread <= 3700 and facts.n_distinct > 2 * _MANY)  # noqa: PLR2004
        return ["excel"] if is_narrow and hint != "second" else ["excel", "second"]
    if facts.fits("HHMMSS") and facts.high >= 2960:  # noqa: PLR2004 - 00:29:60
        return ["HHMMSS"] if facts.are_many() else ["HHMMSS", "second"]
    if facts.high < 2880:  # noqa: PLR2004 - minutes of two days
        return ["minute"] if hint == "minute" else ["minute", "second"]
    return ["second"] if facts.high < 2 * DAY_S else []


def _small(facts: NumberFacts, hint: str) -> Sequence[str]:  # noqa: PLR0911 - one for each range
    """Return the forms of whole numbers below 172800: hours, digits of a clock, minutes or seconds of the day."""
    padded = {2: "hour", 4: "HHMM", 5: "second", 6: "HHMMSS"}.get(facts.width)
    if padded in DIGITS and facts.fits(padded) and not hint:
        return [padded]
    if facts.high <= 28:  # noqa: PLR2004 - four hours past midnight
        is_hour = hint == "hour" or (facts.high <= 23 and not hint)  # noqa: PLR2004
        is_clear = facts.high != 24 or facts.low == 0  # noqa: PLR2004 - hours 1 to 24 may name their end
        return ["hour"] if is_hour and is_clear else ["hour", "minute", "second"]
    if facts.high <= 59:  # noqa: PLR2004 - they may be minutes or seconds of an hour, too
        return ["minute", "second"]
    candidates = [form for form in ("HHMM", "HHMMSS") if facts.fits(form)]
    if facts.low >= 30_000 and facts.high < 60_000 and facts.high - facts.low <= 3700:  # noqa: PLR2004 - 1982 to 2064
        return ["excel", *candidates, "second"]
    if "HHMM" in candidates and facts.high >= 100:  # noqa: PLR2004 - 01:00
        is_hourly = facts.n_whole_hours == facts.n and facts.n_whole >= _FEW
        is_clock = facts.n_whole >= _MANY and facts.high - facts.low >= 200  # noqa: PLR2004 - two hours
        plain = (is_clock or is_hourly) and facts.high < 2960 and not hint  # noqa: PLR2004 - 29:59
        return ["HHMM"] if plain else ["HHMM", *(["minute"] if facts.high < 2880 else ["HHMMSS"]), "second"]  # noqa: PLR2004
    if "HHMMSS" in candidates:
        return ["HHMMSS"] if facts.are_many() and facts.high >= 2960 and not hint else ["HHMMSS", "second"]  # noqa: PLR2004
    if facts.high < 2880:  # noqa: PLR2004 - minutes of two days
        fills_day = facts.low < 60 and 1380 <= facts.high < 1440 and facts.n_whole >= 2 * _MANY  # noqa: PLR2004 - 23:00 to 24:00
        is_minute = hint == "minute" or (not hint and (fills_day or facts.width == 4))  # noqa: PLR2004
        return [hint] if hint == "second" else ["minute"] if is_minute else ["minute", "second"]
    return ["second"] if hint in {"", "second"} else [hint, "second"]


def _milliseconds(facts: NumberFacts, hint: str) -> Sequence[str]:
    """Return the forms of whole numbers of six to eight digits: a clock, a date, or milliseconds of the day."""
    candidates = [form for form in ("HHMMSS", "HHMMSSmmm", "YYMMDDHHMM", "YYYYMMDD") if facts.fits(form)]
    if "YYYYMMDD" in candidates:
        return ["YYYYMMDD"]
    if candidates:
        is_certain = len(candidates) == 1 and facts.are_many(1000 if candidates[0] == "HHMMSSmmm" else 1) and not hint
        return candidates if is_certain or (facts.width in {6, 9} and len(candidates) == 1) else [*candidates, "millisecond"]
    return ["millisecond"] if facts.high >= 3_600_000 and facts.high < 2 * DAY_S * 1000 else []  # noqa: PLR2004 - an hour


def _nine_digits(facts: NumberFacts, hint: str) -> Sequence[str]:
    """Return the forms of whole numbers of nine digits below any epoch of today."""
    candidates = [form for form in ("HHMMSSmmm", "YYMMDDHHMM", "YYMMDDHHMMSS") if facts.fits(form)]
    certain = [form for form in candidates if facts.are_many(1000 if form == "HHMMSSmmm" else 1) or facts.width in {9, 10, 12}]
    if len(candidates) == 1 and certain:
        return certain
    return [*candidates, *(["millisecond"] if facts.high < 2 * DAY_S * 1000 else ["epoch"] * (hint == "second"))]


def _ten_digits(facts: NumberFacts, _hint: str) -> Sequence[str]:
    """Return the forms of whole numbers of nine or ten digits: an epoch in seconds, or a date and hour."""
    is_epoch = facts.low >= _PLAUSIBLE_S[0] and not facts.width
    dated = [form for form in ("YYYYMMDDHH", "YYMMDDHHMM", "YYMMDDHHMMSS") if facts.fits(form)]
    if not dated:
        return ["epoch"] if is_epoch else []
    is_future = facts.low >= 1_970_000_000 and facts.n_whole >= _FEW  # noqa: PLR2004 - 2032 as an epoch
    is_certain = (is_future and facts.high - facts.low >= 50) or facts.are_many() or facts.width > 0  # noqa: PLR2004 - past midnight
    return dated if is_certain and len(dated) == 1 else [*dated, "epoch"] if is_epoch else dated


def _twelve_digits(facts: NumberFacts, _hint: str) -> Sequence[str]:
    """Return the forms of whole numbers of ten to thirteen digits: a date and clock, or an epoch in milliseconds."""
    dated = [form for form in ("YYMMDDHHMM", "YYYYMMDDHHMM", "YYMMDDHHMMSS") if facts.fits(form)]
    is_epoch = facts.low >= _PLAUSIBLE_S[0] * 1000 and not facts.width
    if not dated:
        return ["epoch-ms"] if is_epoch else []
    is_certain = len(dated) == 1 and (not is_epoch or facts.are_many())
    return dated if is_certain else [*dated, "epoch-ms"] if is_epoch else dated


def _long(facts: NumberFacts) -> Sequence[str]:
    """Return the forms of whole numbers of fourteen digits and more."""
    dated = [form for form in ("YYYYMMDDHHMMSS", "YYYYMMDDHHMMSScc", "YYYYMMDDHHMMSSmmm") if facts.fits(form)]
    epochs = [
        name
        for name in ("epoch-us", "epoch-ns")
        if _PLAUSIBLE_S[0] * EPOCHS[name] <= facts.low and facts.high < _PLAUSIBLE_S[1] * EPOCHS[name]
    ]
    return dated if dated and (not epochs or facts.n_whole >= _FEW) else [*dated, *epochs]
