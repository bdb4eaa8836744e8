"""The page on a calibration: the fitted numbers with their intervals, and the stops where the model is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.section_page import Section, Table, privacy_text, section_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.report.section_page import Picture
    from owlbus.report.translations import Translations

_MOST_STOPS = 40


def calibration_page(document: Mapping[str, Any], picture: Picture, words: Translations, *, plan: str, is_synthetic: bool) -> str:
    """
    Page on a calibration.

    Parameters
    ----------
    document
        As ``calibration.json`` holds it: boardings a night as they are printed.
    picture
        Map of the routes and of the worst stops.
    words
        The reader's language.
    plan
        What people call the plan.
    is_synthetic
        Whether the demand is.

    Returns
    -------
    str
        HTML; names from files stand in it as text.
    """
    sections = [
        Section(
            words("calibrate.numbers"),
            _verdict(document, words),
            lines=tuple(_lines(document, words)),
            warnings=tuple(_warnings(document, words)),
            tables=(_numbers(document, words),),
        ),
        Section(words("calibrate.map"), picture=picture, notes=(words("calibrate.map.note"),)),
        Section(words("calibrate.stops"), tables=(_stops(document, words),)),
        Section(words("calibrate.method"), lines=(words("calibrate.method.text"), privacy_text(document["min_count"], words))),
    ]
    lede = words("calibrate.lede", rows=document["rows"], nights=document["nights"])
    synthetic = words("synthetic.text") if is_synthetic else ""
    return section_page(words("calibrate.title", plan=plan), lede, sections, words, kicker=words("calibrate.kicker"), synthetic=synthetic)


def _verdict(document: Mapping[str, Any], words: Translations) -> str:
    """How far the fit explains what the numbers at the beginning did not."""
    first, last = document["first_deviance"], document["deviance"]
    return words("calibrate.verdict", first=f"{first:,.4g}", last=f"{last:,.4g}", less=words.percent(1 - last / first if first else 0.0, 0))


def _lines(document: Mapping[str, Any], words: Translations) -> list[str]:
    """Sentences on the spread of the counts, and on rows that the model says nothing of."""
    dispersion = document["dispersion"]
    lines = [] if dispersion is None else [words("calibrate.dispersion", value=f"{dispersion:.2f}")]
    if document["rows_outside"]:
        boardings = words.count(document["boardings_outside"], document["min_count"])
        lines.append(words("calibrate.outside", rows=document["rows_outside"], boardings=boardings))
    return lines


def _warnings(document: Mapping[str, Any], words: Translations) -> list[str]:
    """Return what the data cannot tell."""
    found = [
        words("calibrate.alike", a=words(f"calibrate.{a}"), b=words(f"calibrate.{b}"), value=f"{value:+.2f}")
        for a, b, value in document["alike"]
    ]
    found += [words("calibrate.vague", name=words(f"calibrate.{name}")) for name in document["vague"]]
    return found + ([] if document["is_converged"] else [words("calibrate.unfinished")])


def _numbers(document: Mapping[str, Any], words: Translations) -> Table:
    """Every number with its interval, or that it is held."""
    rows = []
    for name, value in document["choice"].items():
        fitted = document["fitted"].get(name)
        interval = words("calibrate.held")
        if fitted is not None:
            high = "\N{INFINITY}" if fitted["high"] is None else f"{fitted['high']:.4g}"
            interval = words("calibrate.between", low=f"{fitted['low']:.4g}", high=high)
        begin = value if fitted is None else fitted["begin"]
        rows.append((words(f"calibrate.{name}"), f"{value:.4g}", interval, f"{begin:.4g}"))
    head = tuple(words(f"calibrate.{name}") for name in ("number", "value", "interval", "begin"))
    return Table(words("calibrate.numbers"), head, tuple(rows), left=(0,), note=words("calibrate.numbers.note"))


def _stops(document: Mapping[str, Any], words: Translations) -> Table:
    """Stops with counted and predicted boardings, the worst first."""
    base, rows = document["min_count"], document["stops"]
    cells = tuple(
        (
            row["stop"],
            *(words.count(row[name], base) if base else words.number(row[name], 1) for name in ("observed", "predicted")),
            words("compare.none_told") if row["difference"] is None else words.signed(row["difference"], 1),
            words.signed(row["residual"], 1),
        )
        for row in rows[:_MOST_STOPS]
    )
    head = tuple(words(f"calibrate.{name}") for name in ("stop", "observed", "predicted", "difference", "residual"))
    note = words("calibrate.stops.note")
    if len(rows) > _MOST_STOPS:
        note = f"{note} {words('calibrate.more', n=len(rows) - _MOST_STOPS)}"
    return Table(words("calibrate.stops"), head, cells, left=(0,), note=note)
