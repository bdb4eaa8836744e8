"""Sentences of the help beside the map, in the reader's language: suggestions, searches, reasons, comparisons, answers and saved runs."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def help_text(language: str, key: str, /, **values: object) -> str:
    """
    Sentence of a key with values filled in.

    Parameters
    ----------
    language
        ``en`` or ``ko``.
    key
        Such as ``suggest.insert``.
    **values
        What stands in braces: text, or numbers as they shall read.

    Returns
    -------
    str
        Plain text; the page escapes it.

    Examples
    --------
    >>> help_text("en", "suggest.insert", stop="Jamsil", route="N10")
    'N10 also calls at Jamsil'
    """
    return _table(language)[key].format(**values)


def effect_text(language: str, shown: Mapping[str, Any]) -> str:
    """
    What a change brings and costs, in one short line.

    Parameters
    ----------
    language
        ``en`` or ``ko``.
    shown
        The difference as `owlbus.evidence.printed_difference` prints it.

    Returns
    -------
    str
        Trips and people a night, kilometres and buses, each with its sign; what cannot be told from rounding says so.
    """
    whole, cost = shown["whole"], shown["cost"]
    parts = [
        help_text(language, f"effect.{what}", n=help_text(language, "effect.none") if whole[net] is None else signed(whole[net]))
        for what, net in (("trips", "net_trips"), ("people", "net_presence"))
        if shown.get("trips_counted", True) or what == "people"
    ]
    parts.append(help_text(language, "effect.km", n=signed(cost["length_m"] / 1000, 1)))
    parts.append(help_text(language, "effect.buses", n=signed(cost["buses"])))
    return help_text(language, "effect.joined").join(parts)


def signed(value: float, digits: int = 0) -> str:
    """
    Return a number with its sign, and 0 without one.

    Parameters
    ----------
    value
        A change of trips, people, kilometres or buses.
    digits
        Digits after the point.

    Returns
    -------
    str
        With commas.

    Examples
    --------
    >>> signed(1234.4), signed(-0.26, 1), signed(0.01, 1)
    ('+1,234', '-0.3', '0')
    """
    text = f"{value:+,.{digits}f}"
    return text if any(digit in "123456789" for digit in text) else "0"


@cache
def _table(language: str) -> Mapping[str, str]:
    """Sentences of a language by key."""
    file = resources.files("owlbus.explore").joinpath("assets", f"help.{language}.json")
    table: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return table
