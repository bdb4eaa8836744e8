"""Validate a GTFS feed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    import datetime as dt
    from os import PathLike


@dataclass(frozen=True, slots=True)
class FeedCheck:
    """
    Result of validating a feed.

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
        return f"{self.errors} errors and {self.warnings} warnings ({self.validator})"


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
    for severity, notices in (("error", result.errors()), ("warning", result.warnings())):
        counts = Counter(notice.code for notice in notices)
        first = {notice.code: notice for notice in reversed(notices)}
        lines += [f"{severity}: {code} ({counts[code]}): {first[code].message}" for code in sorted(counts)]
    return FeedCheck(result.error_count, result.warning_count, tuple(lines), f"gtfs-guru {gtfs_guru.version()}")
