"""Validate a GTFS feed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError
from owlbus.common.text import how_many, one_line

if TYPE_CHECKING:
    import datetime as dt
    from os import PathLike


_CASE = "mixed_case_recommended_field"


@dataclass(frozen=True, slots=True)
class FeedCheck:
    """
    Result of validating a feed.

    Names in letters that have no capitals, such as Hangul, are not warned of: the validator takes a digit beside them for a fault.

    Attributes
    ----------
    errors, warnings
        Number of errors and of warnings.
    lines
        One line per code: severity, code, count and first message; errors first.
    validator
        Name and version of the validator.
    """

    errors: int
    warnings: int
    lines: tuple[str, ...]
    validator: str

    def __str__(self) -> str:
        """Return one line with both counts."""
        return f"{how_many(self.errors, 'error')} and {how_many(self.warnings, 'warning')} ({self.validator})"


def check_gtfs(path: str | PathLike[str], date: dt.date) -> FeedCheck:
    """
    Validate a feed and count its errors and warnings.

    Parameters
    ----------
    path
        The archive.
    date
        Validation date; whether a feed has expired depends on it.

    Returns
    -------
    FeedCheck
        Counts of errors and warnings, and their messages.

    Raises
    ------
    DataError
        If the feed is missing or cannot be unpacked.
    """
    import gtfs_guru

    try:
        result = gtfs_guru.validate(str(path), date=date.isoformat())
    except ValueError as error:
        msg = f"{path}: cannot be validated ({error}); name a GTFS feed as .zip"
        raise DataError(msg) from None
    lines = []
    warnings = [notice for notice in result.warnings() if not _has_no_capitals(notice)]
    for severity, notices in (("error", result.errors()), ("warning", warnings)):
        counts = Counter(notice.code for notice in notices)
        first = {notice.code: notice for notice in reversed(notices)}
        lines += [f"{severity}: {code} ({counts[code]}): {_message(first[code])}" for code in sorted(counts)]
    return FeedCheck(result.error_count, len(warnings), tuple(lines), f"gtfs-guru {gtfs_guru.version()}")


def _has_no_capitals(notice: Any) -> bool:  # noqa: ANN401 - of a package without types
    """Whether a notice is about capitals in a name with letters that have none."""
    return notice.code == _CASE and any(letter.isalpha() and letter.lower() == letter.upper() for letter in _value(notice))


def _message(notice: Any) -> str:  # noqa: ANN401 - of a package without types
    """Return the message of a notice; one on capitals names the text and who can change it."""
    if notice.code != _CASE:
        return str(notice.message)
    return f"a name is all in capitals or all in small letters, as in the records of the stops, such as {one_line(_value(notice))!r}"


def _value(notice: Any) -> str:  # noqa: ANN401 - of a package without types
    """Return the text that a notice is about."""
    return str(notice.context().get("fieldValue", ""))
