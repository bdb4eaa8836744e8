"""How a search ended, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.common.ending import Ending
    from owlbus.report.translations import Translations


def ending_text(ending: Ending, words: Translations) -> str:
    """
    Sentence on why a search ended.

    Parameters
    ----------
    ending
        Of `owlbus.search.Result`; the reason of a stopping rule that is not one of owlbus' own is quoted.
    words
        The reader's language.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> from owlbus.common.ending import Ending
    >>> from owlbus.report.translations import read_translations
    >>> ending_text(Ending("steps", {"steps": 20_000}), read_translations("en"))
    'The search ended because the limit of 20,000 moves was reached.'
    """
    at = ending.numbers
    match ending.reason:
        case "seconds":
            return words("ended.seconds", seconds=f"{at['limit_s']:g}")
        case "gap":
            return words("ended.gap", gap=f"{100 * at['gap_share']:.1f}", asked=f"{100 * at['asked_share']:g}")
        case "other":
            return words("ended.other", reason=ending.text)
        case _:
            return words(f"ended.{ending.reason}", **{name: f"{number:,}" for name, number in at.items()})
