"""How a search ended, in the reader's language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.report.translations import Translations

_REASONS = (
    ("steps", r"the limit of (?P<steps>[\d,]+) moves? was reached"),
    ("seconds", r"the limit of (?P<seconds>[\d.e+-]+) s was reached"),
    ("gain", r"(?P<steps>[\d,]+) moves? in a row brought no better plan"),
    ("gap", r"the proven bound is (?P<gap>[\d.]+)% above the plan, and (?P<asked>[\d.e+-]+)% was asked for"),
    ("near", r"the limit of (?P<steps>[\d,]+) moves? was reached, with (?P<changed>\d+) of at most (?P<allowed>\d+) stops changed"),
    ("fixed", r"every route is fixed"),
    ("interrupted", r"interrupted"),
)
"""Sentence and pattern of each reason that owlbus gives for the end of a search."""


def ending_text(ended_by: str, words: Translations) -> str:
    """
    Sentence on why a search ended.

    Parameters
    ----------
    ended_by
        Of `owlbus.search.Result`; the reason of a stopping rule that is not one of owlbus' own is quoted.
    words
        The reader's language.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> from owlbus.report.translations import read_translations
    >>> ending_text("the limit of 20,000 moves was reached", read_translations("en"))
    'The search ended because the limit of 20,000 moves was reached.'
    """
    for name, pattern in _REASONS:
        if match := re.fullmatch(pattern, ended_by):
            return words(f"ended.{name}", **match.groupdict())
    return words("ended.other", reason=ended_by)
