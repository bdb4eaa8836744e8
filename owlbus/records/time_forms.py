"""The form of each column of times, decided once for a whole file: one form is left, or the user is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.records.date_order import ORDERS, decide_order
from owlbus.records.time_hints import two_digit_year_hint
from owlbus.records.time_numbers import (
    CLOCK_FORMS,
    NUMBER_FORMS,
    NUMBER_TEXT,
    clock_of,
    dated_of,
    number_facts,
    possible_forms,
    whole_and_fraction,
)
from owlbus.records.time_texts import (
    DATE_ALONE,
    DATE_PATTERNS,
    MIDNIGHT,
    MIDNIGHT_FORM,
    PATTERNS,
    date_patterns,
    pattern_of_format,
    time_patterns,
)
from owlbus.records.times import day_starts, is_plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import polars as pl

    from owlbus.records.read_options import ReadOptions
    from owlbus.records.schema import Layout

_DESCRIPTIONS = {
    "hour": "hours of the day",
    "minute": "minutes of the day",
    "second": "seconds of the day",
    "millisecond": "milliseconds of the day",
    "day-fraction": "parts of a day, as spreadsheets keep times",
    "HHMM": "digits of hour and minute (HHMM)",
    "HHMMSS": "digits of hour, minute and second (HHMMSS)",
    "HHMMSSmmm": "digits of hour, minute, second and millisecond (HHMMSSmmm)",
    "excel": "days since 1900 with parts of a day, as Excel keeps times",
    "epoch": "seconds since 1970",
    "epoch-ms": "milliseconds since 1970",
    "epoch-us": "microseconds since 1970",
    "epoch-ns": "nanoseconds since 1970",
    "ISO": "dates as YYYY-MM-DD with clock",
    MIDNIGHT_FORM: "dates as YYYY-MM-DD with clock, which midnight lacks",
    "DMY": "dates as DD/MM/YYYY with clock",
    "MDY": "dates as MM/DD/YYYY with clock",
    "month-name": "dates with the name of the month, and clock",
    "compact": "dates as YYYYMMDD with clock",
}

FORMS = tuple(name for name in (*NUMBER_FORMS, *PATTERNS, MIDNIGHT_FORM) if name != "YYYYMMDD")
"""Names of forms of times that a user can give, whatever their case; a strptime format is the other way."""

_SAMPLE_ROWS = 1000

_NEARLY_ALL = 0.95

_READS_NOTHING = 0.1

_HINTS = (
    ("millisecond", r"ms|msecs?|millis|milliseconds?"),
    ("hour", r"hours?|hrs?|hh|stunden?|heures?|horas?|시간|시간대"),
    ("minute", r"mins?|minutes?"),
    ("second", r"secs?|seconds?"),
    ("HHMM", r"hhmm"),
    ("HHMMSS", r"hhmmss"),
)

_NO_CLOCK = "if another column holds the hour or clock, name that one as the time and this one as date,"

_CLUES = (
    (r"[0-9]\s+[A-Z]{3,4}$", "the abbreviation of a zone, which has several meanings; write the offset, such as +01:00, or leave it out"),
    (
        r"^(?:\d\d?[-/.]\d\d?[-/.]\d\d|\d\d[-/.]\d\d?[-/.]\d\d?|\d\d?[- ][A-Za-z]{3}[- ]\d\d)(?:\D|$)",
        "a year of two digits; say how dates are written with {two}",
    ),
    (r"^[0-9.]+[eE]\+?[0-9]+$", "numbers that a spreadsheet rounded; export them as text or with all digits"),
    (
        r"^\d{4}[-/.]\d\d?[-/.]\d\d?$|^\d\d?[-/.]\d\d?[-/.]\d{4}$",
        f"dates without a time of day; {_NO_CLOCK} with {{date}}",
    ),
)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of times or dates: its file, its role, its name in the file, its rows, and a sample of those that are not blank."""

    file: str
    role: str
    name: str
    frame: pl.LazyFrame
    sample: pl.Series

    @property
    def is_text(self) -> bool:
        """Whether it holds text."""
        return not self.sample.dtype.is_numeric()

    @property
    def texts(self) -> pl.Series:
        """The sample as text."""
        import polars as pl

        return self.sample.cast(pl.String).str.strip_chars()

    @property
    def shape(self) -> str:
        """The most frequent shape of the sample: digits as 9, letters as a."""
        shapes = self.texts.str.replace_all(r"\pN", "9").str.replace_all(r"\pL", "a").str.slice(0, 40)
        return str(shapes.mode().sort()[0]) if shapes.len() else ""

    @property
    def hint(self) -> str:
        """The unit that the name speaks of, or nothing."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower()
        return next((form for form, pattern in _HINTS if re.search(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", words)), "")

    def refusal(self, why: str, about: str = "time_format") -> DataError:
        """Return the error of a column whose form cannot be told."""
        return DataError(f"{self.file}: column {self.name} {why}", setting=about)


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
    if date_order is not None and str(date_order).upper() not in ORDERS:
        msg = f"{setting('date_order')} must be DMY or MDY, got {date_order!r}"
        raise UsageError(msg, setting="date_order", value=date_order, allowed=ORDERS)
    if time_format is not None and _form_named(time_format) is None:
        known = f"a strptime format such as '%d.%m.%Y %H:%M', or one of {', '.join(FORMS)}"
        msg = f"{setting('time_format')} must be {known}, got {time_format!r}"
        raise UsageError(msg, setting="time_format", value=time_format, allowed=FORMS)


def describe_form(form: str) -> str:
    """
    Return what a form of times or dates is, for people.

    Parameters
    ----------
    form
        Name of `FORMS`, or a strptime format.

    Returns
    -------
    str
        Such as ``hours of the day``.

    Examples
    --------
    >>> describe_form("DMY")
    'dates as DD/MM/YYYY with clock'
    >>> describe_form("YYYYMMDDHH")
    'digits of date and clock (YYYYMMDDHH)'
    """
    if "%" in form:
        return f"text as {form}"
    return _DESCRIPTIONS.get(form, f"digits of {'a date' if form == 'YYYYMMDD' else 'date and clock'} ({form})")


def form_notes(file: str, layout: Layout, forms: Mapping[str, str]) -> list[str]:
    """
    Return a note on each form that was recognised and is not plain from the text.

    Parameters
    ----------
    file
        File name.
    layout
        Kind and columns.
    forms
        Of `time_forms`.

    Returns
    -------
    list of str
        One sentence by form.
    """
    by_form: dict[str, list[str]] = {}
    for role, form in forms.items():
        said = describe_form(form).removesuffix(" with clock") if role == "date" else describe_form(form)
        if form not in {"ISO", "compact", "month-name"}:
            by_form.setdefault(said, []).append(layout.names.get(role, role))
    return [
        f"{file}: column{'s' * (len(columns) > 1)} {' and '.join(columns)} {'are' if len(columns) > 1 else 'is'} read as {said}"
        for said, columns in by_form.items()
    ]


def time_forms(name: str, frame: pl.LazyFrame, layout: Layout, options: ReadOptions) -> dict[str, str]:
    """
    Return the form of each column of times of a file, decided once for the whole file.

    A form is taken if it alone reads nearly all values; columns of plain text are known by their first rows, others are read as a whole.

    Parameters
    ----------
    name
        File name, for messages.
    frame
        Its rows under owlbus' names.
    layout
        Kind and columns.
    options
        How records are to be read. A strptime format without an hour is for the column ``date``, others for all columns of times.

    Returns
    -------
    dict
        Form by owlbus' column name; columns that need none are left out.

    Raises
    ------
    DataError
        If a column can be read in several ways, or in none.
    """
    schema = frame.collect_schema()
    roles = [role for role in (layout.kind.start, layout.end or "", "date") if role in schema and role != "duration_s"]
    columns = [_column(name, role, layout, frame) for role in roles if _may_need_form(schema[role])]
    given = None if options.time_format is None else _form_named(options.time_format)
    is_of_dates = given is not None and "%" in given and "?P<hour>" not in pattern_of_format(given)
    if is_of_dates and "date" not in schema:
        msg = f"{name}: {setting('time_format', given)} has no hour, and there is no column date that it can be for; add %H:%M"
        raise DataError(msg, setting="time_format", value=given)
    found: dict[str, Sequence[str]] = {}
    for column in columns:
        if column.sample.len() and given is not None and is_of_dates == (column.role == "date"):
            found[column.role] = [_checked(column, given)]
        else:
            found[column.role] = _date_forms(column) if column.role == "date" else _forms_of(column)
    open_columns = [column for column in columns if set(found[column.role]) == set(ORDERS)]
    if open_columns:
        order = decide_order(
            name, {c.role: c.name for c in open_columns}, open_columns[0].shape, frame, (options.date_order or "").upper() or None
        )
        found |= {column.role: [order] for column in open_columns}
    _check_agreement([column for column in columns if column.role != "date"], found)
    return {role: forms[0] for role, forms in found.items() if forms}


def _check_agreement(columns: Sequence[_Column], found: Mapping[str, Sequence[str]]) -> None:
    """Refuse a ride whose start and end would be numbers of two forms."""
    numbers = [(column, found[column.role][0]) for column in columns if found[column.role] and found[column.role][0] in NUMBER_FORMS]
    forms = dict.fromkeys(form for _, form in numbers)
    if len(forms) > 1:
        (first, one), (second, other) = numbers
        choices = " or ".join(setting("time_format", form) for form in forms)
        msg = f"looks like {describe_form(one)}, but column {second.name} like {describe_form(other)}; say which both are with {choices}"
        raise first.refusal(msg)


def _may_need_form(dtype: pl.DataType) -> bool:
    """Return whether a type can hold times in several forms."""
    import polars as pl

    return dtype.is_numeric() or dtype in (pl.String, pl.Categorical, pl.Enum)


def _column(file: str, role: str, layout: Layout, frame: pl.LazyFrame) -> _Column:
    """Return a column with its sample."""
    import polars as pl

    rows = frame.select(role)
    is_blank = pl.col(role).is_null() | (pl.col(role).cast(pl.String).str.strip_chars() == "")
    sample = rows.filter(~is_blank).head(_SAMPLE_ROWS).collect().to_series()
    return _Column(file, role, layout.names.get(role, role), rows, sample)


def _form_named(text: str) -> str | None:
    """Return the form that a user names, in its own spelling."""
    if "%" in text:
        pattern_of_format(text)
        return text
    return next((form for form in FORMS if form.lower() == text.strip().lower()), None)


def _checked(column: _Column, form: str) -> str:
    """Return a form that a user gave, refused if it reads next to nothing."""
    if _readable(column, form) < _READS_NOTHING * column.sample.len():
        msg = f"looks like {column.shape}, which {setting('time_format', form)} does not read; {_ways()}"
        raise column.refusal(msg)
    return form


def _readable(column: _Column, form: str) -> int:
    """Return the number of values of the sample that a form reads."""
    import polars as pl

    if form in NUMBER_FORMS:
        numbers = whole_and_fraction(pl.col(column.role), column.sample.dtype)
        read = clock_of if form in CLOCK_FORMS else dated_of
        return int(column.sample.to_frame().select(read(*numbers, form).is_not_null().sum()).item())
    if column.is_text:
        patterns = date_patterns(form) if column.role == "date" else time_patterns(form)
        return _any_matches(patterns, column.texts)
    return int((day_starts(column.sample, form) >= 0).sum()) if column.role == "date" else column.sample.len()


def _any_matches(patterns: Iterable[str], texts: pl.Series) -> int:
    """Return the number of texts that match one of the patterns."""
    import polars as pl

    return int(texts.to_frame("text").select(pl.any_horizontal(pl.col("text").str.contains(p) for p in patterns).sum()).item())


def _ways() -> str:
    """Return how a user says the form of times."""
    return f"say how they are written with {setting('time_format', '%d.%m.%Y %H:%M')} or one of {', '.join(FORMS[:6])} and the like"


def _forms_of(column: _Column) -> Sequence[str]:
    """Return the form of a column of times, both date orders if these are open, or nothing for plain columns."""
    if not column.sample.len():
        return []
    if not column.is_text:
        return _number_forms(column)
    texts = column.texts
    strange = texts.filter(~is_plain_text(texts))
    n_plain = texts.len() - strange.len()
    if n_plain and strange.str.contains(DATE_ALONE).any() and _drops_midnight(column):
        return [MIDNIGHT_FORM]
    all_patterns = [NUMBER_TEXT, *(pattern for patterns in PATTERNS.values() for pattern in patterns)]
    if n_plain and _any_matches(all_patterns, strange) <= max(1, (1 - _NEARLY_ALL) * texts.len()):
        return []
    return _settled_text(column, PATTERNS, _number_forms)


def _drops_midnight(column: _Column) -> bool:
    """Return whether dates alone stand for midnight in a column: some do not, all others have clocks, and no midnight is written."""
    import polars as pl

    text = pl.col(column.role).cast(pl.String).str.strip_chars()
    tests = {
        "alone": text.str.contains(DATE_ALONE),
        "clock": text.str.contains(PATTERNS["ISO"][0]),
        "midnight": text.str.contains(MIDNIGHT),
    }
    n = column.frame.select(test.sum().alias(name) for name, test in tests.items()).collect(engine="streaming").row(0, named=True)
    return not n["midnight"] and n["alone"] < n["clock"]


def _settled_text(column: _Column, patterns: Mapping[str, tuple[str, ...]], numbers: Callable[[_Column], Sequence[str]]) -> Sequence[str]:
    """Return the form that reads nearly all of the values that any form reads, both date orders for dates with day or month first."""
    import polars as pl

    text = pl.col(column.role).cast(pl.String).str.strip_chars()
    families = {"dates": tuple(pattern for order in ORDERS for pattern in patterns[order]), "number": (NUMBER_TEXT,)}
    families |= {form: several for form, several in patterns.items() if form not in ORDERS}
    counts = [pl.any_horizontal(text.str.contains(p) for p in several).sum().alias(form) for form, several in families.items()]
    found = column.sample.to_frame().select(counts).row(0, named=True)
    if max(found.values()) < _NEARLY_ALL * sum(found.values()):  # the first rows are of several kinds
        found = column.frame.select(counts).collect(engine="streaming").row(0, named=True)
    best = max(found, key=lambda form: found[form])
    if not found[best]:
        return _unreadable(column)
    if found[best] < _NEARLY_ALL * sum(found.values()):
        msg = f"mixes {_mixture(found)}, first {column.shape}; split the file, or write all times in one form"
        raise column.refusal(msg)
    if best == "number":
        return numbers(column)
    return ORDERS if best == "dates" else [best]


def _mixture(found: Mapping[str, int]) -> str:
    """Return the forms of which a column has several, in words."""
    words = {"number": "numbers", "dates": "dates such as 99/99/9999"}
    forms = [form for form in found if found[form]]
    return " and ".join(words.get(form) or describe_form(form) for form in forms)


def _unreadable(column: _Column) -> Sequence[str]:
    """Refuse a column of which no value can be read, with what it looks like; words alone are left to the count of rejected rows."""
    texts = column.texts
    if not texts.str.contains(r"\d").any():
        return []
    first = texts.filter(texts.str.contains(r"\d"))
    two = two_digit_year_hint(first) or f"{setting('time_format')}, a strptime format"
    ways = {"two": two, "date": setting("columns", {"date": column.name})}
    for pattern, clue in _CLUES:
        if first.str.contains(pattern).mean() >= _NEARLY_ALL:  # type: ignore[operator]
            msg = f"looks like {column.shape}, {clue.format_map(ways)}"
            raise column.refusal(msg)
    msg = f"looks like {column.shape}, which is no known form of times; {_ways()}"
    raise column.refusal(msg)


def _number_forms(column: _Column) -> Sequence[str]:
    """Return the one form that the numbers of a column of times can have."""
    import polars as pl

    whole, _ = whole_and_fraction(pl.col(column.role), column.sample.dtype)
    middle = column.sample.to_frame().select(whole.median()).item()
    first = number_facts(column.sample.to_frame().lazy(), column.role, column.sample.dtype)
    digits = [form for form, misses in first.misses.items() if misses < first.n]
    facts = number_facts(column.frame, column.role, column.sample.dtype, None if middle is None else int(middle), digits)
    if not facts.n:
        return _unreadable(column) if column.is_text else []
    forms, hint = possible_forms(facts, column.hint), column.hint
    if len(forms) > 1 and hint in forms and (facts.high > 59 or hint == "hour") and facts.high != 24:  # noqa: PLR2004
        return [hint]
    if list(forms) == ["YYYYMMDD"]:
        date = setting("columns", {"date": column.name})
        msg = f"holds dates such as 99999999 without a time of day; {_NO_CLOCK} with {date}"
        raise column.refusal(msg, "columns")
    if len(forms) == 1:
        return forms
    if forms:
        readings = ", or ".join(describe_form(form) for form in forms)
        choices = " or ".join(setting("time_format", form) for form in forms)
        msg = f"holds numbers such as {_number_shape(column)}, which may be {readings}; say which with {choices}"
        raise column.refusal(msg)
    msg = f"holds numbers such as {_number_shape(column)}, which are no times of a known form; {_ways()}"
    raise column.refusal(msg)


def _number_shape(column: _Column) -> str:
    """Return the longest shape of the numbers of the sample."""
    shapes: list[str] = column.texts.str.replace_all(r"\d", "9").str.slice(0, 40).unique().sort().to_list()
    return max(shapes, key=len)


def _date_forms(column: _Column) -> Sequence[str]:
    """Return the form of a column of dates that stands beside one of times."""
    if not column.sample.len():
        return []
    if not column.is_text:
        return _date_numbers(column)
    plain = column.texts.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    others = column.texts.filter(~plain)
    all_patterns = [NUMBER_TEXT, *(pattern for patterns in DATE_PATTERNS.values() for pattern in patterns)]
    if plain.any() and _any_matches(all_patterns, others) <= max(1, (1 - _NEARLY_ALL) * len(plain)):
        return []
    return _settled_text(column, DATE_PATTERNS, _date_numbers)


def _date_numbers(column: _Column) -> Sequence[str]:
    """Return the one form that the numbers of a column of dates can have."""
    facts = number_facts(column.frame, column.role, column.sample.dtype)
    if facts.n and facts.fits("YYYYMMDD"):
        return ["YYYYMMDD"]
    if facts.n and facts.low >= 20_000 and facts.high < 80_000:  # noqa: PLR2004 - 1954 to 2119
        return ["excel"]
    if not facts.n and not column.is_text:
        return []
    way = setting("time_format", "%y%m%d")
    msg = f"holds numbers such as {_number_shape(column)}, which are no dates; say how dates are written with {way}"
    raise column.refusal(msg)
