"""Formats that read a sample of times, for hints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from owlbus.common.errors import setting
from owlbus.records.time_texts import pattern_of_format, text_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

_NEARLY_ALL = 0.95

_SHORT = re.compile(r"(?P<a>\d\d?)(?P<gap>[-/.]\s?|\s)(?P<b>\d\d?|[A-Za-z]{3,9})(?P=gap)(?P<c>\d\d?)(?P<rest>\D.*|)")

_TIME_OF_DAY = re.compile(
    r"(?P<join>[\s,;:T_-]{1,3})(?P<hour>\d\d?)(?:(?P<colon>[:.h])(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d))?(?P<part>[.,]\d+)?)?(?P<half>\s*[AaPp][Mm])?"
)


def two_digit_year_hint(texts: pl.Series) -> str | None:
    """
    Return how a user says the format of dates with a year of two digits.

    Parameters
    ----------
    texts
        Sample of the column, shape (n,).

    Returns
    -------
    str or None
        Every format that reads nearly all of the sample, joined by *or*; None if none does.

    Examples
    --------
    >>> import polars as pl
    >>> "%d.%m.%y %H:%M" in two_digit_year_hint(pl.Series(["14.03.24 01:10", "15.03.24 02:20"]))
    True
    """
    first = next(iter(texts), "")
    formats = [text for text in dict.fromkeys(_formats(first)) if _reads(texts, text)]
    return " or ".join(setting("time_format", text) for text in formats) or None


def _formats(text: str) -> Iterator[str]:
    """Yield formats as which a date with a year of two digits can be meant."""
    match = _SHORT.fullmatch(text.strip())
    clock = "" if match is None or not match["rest"] else _clock_format(match["rest"])
    if match is None or clock is None:
        return
    orders = ("d b y", "y b d") if match["b"].isalpha() else ("d m y", "m d y", "y m d")
    for order in orders:
        letters = order.replace("b", "b" if len(match["b"]) == 3 else "B").split()  # noqa: PLR2004 - a short name
        yield match["gap"].join(f"%{letter}" for letter in letters) + clock


def _clock_format(rest: str) -> str | None:
    """Return the format of what stands after a date, None if it is no clock."""
    match = _TIME_OF_DAY.fullmatch(rest.rstrip())
    if match is None:
        return None
    hour = "%I" if match["half"] else "%H"
    minute = f"{match['colon']}%M" if match["minute"] else ""
    second = f"{match['colon']}%S" if match["second"] else ""
    part = f"{match['part'][0]}%f" if match["part"] else ""
    half = f"{' ' if match['half'][0].isspace() else ''}%p" if match["half"] else ""
    return f"{match['join']}{hour}{minute}{second}{part}{half}"


def _reads(texts: pl.Series, time_format: str) -> bool:
    """Return whether a format reads nearly all texts as days that there are."""
    parts = text_parts(texts.alias("text").to_frame().lazy(), "text", (pattern_of_format(time_format),)).select("day").collect()
    return parts["day"].count() >= _NEARLY_ALL * texts.len()
