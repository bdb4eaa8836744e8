"""What a validator says of a feed."""

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
    Findings on a feed.

    Attributes
    ----------
    errors, warnings
        Number of findings of either weight.
    lines
        One line per kind of finding: its weight, code, count and first message; worst first.
    validator
        Name and version of the validator.
    """

    errors: int
    warnings: int
    lines: tuple[str, ...]
    validator: str

    def __str__(self) -> str:
        """One line with both counts."""
        return f"{self.errors} errors and {self.warnings} warnings ({self.validator})"


def check_gtfs(path: str | PathLike[str], date: dt.date) -> FeedCheck:
    """
    Validate a feed in this process.

    Parameters
    ----------
    path
        The archive.
    date
        Day on which the feed is judged: a feed is expired or not from one day to the next.

    Returns
    -------
    FeedCheck
        Counts of errors and warnings, and what they are.

    Raises
    ------
    DataError
        If there is no feed, or one that cannot be unpacked.
    """
    import gtfs_guru

    try:
        found = gtfs_guru.validate(str(path), date=date.isoformat())
    except ValueError as error:
        msg = f"{path}: cannot be validated ({error}); name a GTFS feed as .zip"
        raise DataError(msg) from None
    lines = []
    for weight, notices in (("error", found.errors()), ("warning", found.warnings())):
        counts = Counter(notice.code for notice in notices)
        first = {notice.code: notice for notice in reversed(notices)}
        lines += [f"{weight}: {code} ({counts[code]}): {first[code].message}" for code in sorted(counts)]
    return FeedCheck(found.error_count, found.warning_count, tuple(lines), f"gtfs-guru {gtfs_guru.version()}")
