"""Sentences of a report on how evenly districts are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.translations import Translations

_NAMED = 8


def unserved_text(card: Mapping[str, Any], words: Translations) -> str:
    """
    Name the districts of which nobody is within the walk of a stop.

    Parameters
    ----------
    card
        Scorecard as JSON holds it; shares 0 to 1.
    words
        The reader's language.

    Returns
    -------
    str
        Empty if there is none.
    """
    unserved = card.get("fairness", {}).get("unserved", [])
    if not unserved:
        return ""
    names = ", ".join(words.name(label) for label in unserved[:_NAMED])
    more = len(unserved) - _NAMED
    key = "fair.unserved.more" if more > 0 else "fair.unserved.one" if len(unserved) == 1 else "fair.unserved"
    nobody = words("fair.few", base=f"{card['min_count']:g}") if card["min_count"] else words("fair.nobody")
    return words(key, names=names, n=len(unserved), more=more, nobody=nobody)


def spread_text(card: Mapping[str, Any], words: Translations) -> str:
    """
    Say how unequal the shares of districts are.

    Parameters
    ----------
    card
        Scorecard as JSON holds it; shares 0 to 1.
    words
        The reader's language.

    Returns
    -------
    str
        Gini coefficient, and the best reached district beside the worst; empty with fewer than two districts.
    """
    fair = card.get("fairness", {})
    if fair.get("gini") is None or fair["best"] == fair["worst"]:
        return ""
    values = {key: words.percent(card["by_group"][fair[key]]["presence"]["share"]) for key in ("best", "worst")}
    names = {f"{key}_name": words.name(fair[key]) for key in ("best", "worst")}
    text = words("fair.spread", gini=f"{fair['gini']:.2f}", **values, **names)
    ratio = fair["best_to_worst"]
    return text if ratio is None else f"{text} {words('fair.ratio', ratio=f'{ratio:.1f}')}"
