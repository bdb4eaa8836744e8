"""Texts and numbers of a page in the reader's language."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import count_text
from owlbus.common.errors import UsageError, setting
from owlbus.common.units import hour_label

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "ko")
"""Languages that a report can be written in."""

NO_BREAK = "\u00a0"
"""No-break space."""


@dataclass(frozen=True, slots=True, eq=False)
class Translations:
    """
    Texts of a page in one language, and its formats of numbers.

    Attributes
    ----------
    language
        One of `LANGUAGES`.
    table
        Sentences by key; ``names``, ``places``, ``days`` and ``js`` are tables themselves.
    """

    language: str
    table: Mapping[str, Any]

    def __call__(self, key: str, **values: object) -> str:
        """
        Sentence of a key with values filled in.

        Parameters
        ----------
        key
            Such as ``map.title``.
        **values
            What stands in braces: text, or numbers as they shall read.

        Returns
        -------
        str
            Plain text; the page escapes it.

        Examples
        --------
        >>> read_translations("en")("title.city", n=9, city="Seoul")
        '9 night-bus routes for Seoul'
        """
        text: str = self.table[key].replace(" %", NO_BREAK + "%")
        return text.format(**values) if values else text

    def name(self, key: str) -> str:
        """Return what readers call a city, district or plan that the data name `key`."""
        return str(self.table["names"].get(key, key))

    def place(self, key: str) -> str:
        """Return what readers call a place of the city that the data name `key`."""
        return str(self.table["places"].get(key, key))

    def day(self, key: str) -> str:
        """Return the weekday whose short English name is `key`."""
        return str(self.table["days"].get(key, key))

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number, `value` with so many `digits` after the point."""
        return f"{value:,.{digits}f}"

    def count(self, value: float | None, base: float, sign: str = "") -> str:
        """Return a printed count of trips or people, a multiple of `base`, after a `sign`; a dash where none were counted."""
        if value is None:
            return self("absent.none")
        return f"{sign if round(value) else ''}{count_text(value, base)}"

    def signed(self, value: float, digits: int = 0) -> str:
        """Return a change of a count or of percent, `value`, with its sign and so many `digits` after the point."""
        text = f"{abs(value):,.{digits}f}"
        if not any(digit in "123456789" for digit in text):
            return text
        return ("+" if value > 0 else "\u2212") + text  # the minus sign

    def unit(self, name: str, value: float) -> str:
        """Return a whole `value` with its unit `name`, km, m or min."""
        return self(f"key.{name}").format(f"{value:,.0f}").replace(" ", NO_BREAK)

    def percent(self, share: float, digits: int = 1) -> str:
        """Return a `share`, 0 to 1, as a percent with so many `digits` after the point."""
        return self("percent").format(f"{100 * share:.{digits}f}")

    def share(self, measure: Mapping[str, Any]) -> str:
        """Return the share of a `measure` of a scorecard as a percent, or why it has none."""
        return self(f"absent.{measure['no_share']}") if measure["share"] is None else self.percent(measure["share"])

    def whole(self, measure: Mapping[str, Any], base: float) -> str:
        """Return the people or trips that a `measure` is a share of, a multiple of `base`, or why they are left out."""
        return self.share(measure) if measure["denominator"] is None else self.count(measure["denominator"], base)

    def headline(self, measure: Mapping[str, Any], least: float) -> tuple[str, str]:
        """Return the share of a `measure` of the whole night as a percent, and its range where that is of fewer than `least`."""
        between = measure.get("range_share")
        if measure["share"] is None or between is None or measure["denominator"] >= least:
            return self.share(measure), ""
        low, high = (f"{100 * end:.0f}" for end in between)
        return self.percent(measure["share"], 0), f"({self('key.between', low=low, high=high)})"

    def headline_text(self, measure: Mapping[str, Any], least: float) -> str:
        """Return what `headline` returns of `measure` and `least` as one text."""
        return " ".join(self.headline(measure, least)).strip()

    def gap(self, value: float, bound: float) -> str:
        """Return the optimality gap in percent: by how much a proven `bound` exceeds the `value` of a plan, shares 0 to 1."""
        return self("gap.endless") if value <= 0 else self.percent(max(0.0, bound / value - 1))

    def hour(self, label: str) -> str:
        """Return the hour of the clock that begins at `label`, two digits, as a span."""
        return self("hour", start=label, end=f"{(int(label) + 1) % 24:02d}")

    def hours(self, hours: tuple[int, ...]) -> str:
        """Return the span from the first of `hours` to the end of the last."""
        return self("hours", start=hour_label(hours[0]), end=hour_label(hours[-1] + 1))


def read_translations(language: str = "en") -> Translations:
    """
    Read the words of a language.

    Parameters
    ----------
    language
        One of `LANGUAGES`.

    Returns
    -------
    Translations
        For a page.

    Raises
    ------
    UsageError
        If there is no such language.
    """
    if language not in LANGUAGES:
        msg = f"{setting('language')} must be one of {', '.join(LANGUAGES)}, got {language!r}"
        raise UsageError(msg, setting="language", value=language, allowed=tuple(LANGUAGES))
    return Translations(language, json.loads(read_asset(f"{language}.json")))


def read_asset(name: str) -> str:
    """
    Read a text file that comes with the package.

    Parameters
    ----------
    name
        File name; its bytes are UTF-8.

    Returns
    -------
    str
        Its text.
    """
    return resources.files("owlbus.report").joinpath("assets", name).read_text(encoding="utf-8")


def leaflet_style() -> str:
    """
    Styles of Leaflet; pictures that it would load are left out, since no page shows them.

    Returns
    -------
    str
        CSS.

    Examples
    --------
    >>> "images/" in leaflet_style()
    False
    """
    style = read_asset("leaflet.css")
    for picture in ("images/layers.png", "images/layers-2x.png", "images/marker-icon.png", "#default#VML"):
        style = style.replace(f"url({picture})", "none")
    return style


def leaflet_script() -> str:
    """
    Script of Leaflet, without the note on its source map.

    Returns
    -------
    str
        JavaScript.
    """
    return read_asset("leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", "")
