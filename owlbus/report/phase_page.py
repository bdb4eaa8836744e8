"""The page on an order of introduction: its phases side by side, and one map a phase, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.section_page import Section, Table, privacy_text, section_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.report.section_page import Picture
    from owlbus.report.translations import Translations

_SHARES = ("presence", "served", "direct")
_REGRETS = ("alone", "searched")


def phase_page(document: Mapping[str, Any], pictures: Sequence[Picture], words: Translations, *, plan: str, is_synthetic: bool) -> str:
    """
    Page on the phases of a plan.

    Parameters
    ----------
    document
        The phases as ``phase.json`` holds them: shares 0 to 1, trips and people a night as they are printed.
    pictures
        The map of each phase.
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
    rows = document["phases"]
    sections = [
        Section(
            words("phase.sum"),
            words(_verdict(document), regret=_points(document["regret_points"], words, signed=False)),
            lines=tuple(_lines(document, words)),
            tables=(_reach(document, words), _regrets(document, words)),
        ),
        *(_section(document, row, picture, words) for row, picture in zip(rows, pictures, strict=True)),
        Section(words("phase.method"), lines=(words("phase.method.text"), privacy_text(document["min_count"], words))),
    ]
    title = words("phase.title.away" if document["takes_away"] else "phase.title", plan=plan)
    lede = words("phase.lede", n=len(rows), routes=len(rows[0 if document["takes_away"] else -1]["routes"]))
    synthetic = words("synthetic.text") if is_synthetic else ""
    return section_page(title, lede, sections, words, kicker=words("phase.kicker"), synthetic=synthetic)


def _verdict(document: Mapping[str, Any]) -> str:
    """Key of the sentence on how good the order is."""
    known = "none" if document["regret_points"] is None else "zero" if document["regret_points"] == 0 else "some"
    return f"phase.verdict.{known}"


def _lines(document: Mapping[str, Any], words: Translations) -> list[str]:
    """Sentences on the proof, and on routes that no phase runs."""
    lines = [words("phase.exact")] if document["is_exact"] else []
    mean, bound = document["mean_objective_share"], document["bound_share"]
    if not document["is_exact"] and mean is not None and bound is not None:
        lines.append(words("phase.bound", mean=words.percent(mean), bound=words.percent(bound)))
    if document["left_out"] and not document["takes_away"]:
        lines.append(words("phase.left", routes=", ".join(document["left_out"])))
    return lines


def _reach(document: Mapping[str, Any], words: Translations) -> Table:
    """Budget, routes, shares, kilometres and waits of each phase."""
    unit = words(f"phase.unit.{document['unit']}")
    head = (words("phase.phase"), unit, *(words(f"phase.{name}") for name in ("routes", "near", "served", "direct", "km", "buses", "wait")))
    rows = tuple(
        (
            f"{row['phase']}",
            f"{row['budget']:,g}",
            f"{len(row['routes'])}",
            *(_share(row[f"{name}_share"], words) for name in _SHARES),
            words.number(row["total_km"]),
            words("absent.none") if row["buses_run"] is None else words.number(row["buses_run"]),
            words("absent.none") if row["wait_min"] is None else words.number(row["wait_min"]),
        )
        for row in document["phases"]
    )
    return Table(words("phase.reach"), head, rows, note=words("phase.reach.note"))


def _regrets(document: Mapping[str, Any], words: Translations) -> Table:
    """What each phase lacks of the best plans of its budget."""
    has_search = any(row["searched_share"] is not None for row in document["phases"])
    kinds = _REGRETS if has_search else _REGRETS[:1]
    head = (words("phase.phase"), words("phase.objective"), *(words(f"phase.{kind}{part}") for kind in kinds for part in ("", ".regret")))
    rows = tuple(
        (
            f"{row['phase']}",
            _share(row["objective_share"], words),
            *(cell for kind in kinds for cell in (_share(row[f"{kind}_share"], words), _regret(row, kind, words))),
        )
        for row in document["phases"]
    )
    note = " ".join(words(f"phase.{kind}.note") for kind in (*kinds, "regret"))
    return Table(words("phase.regret"), head, rows, note=note)


def _section(document: Mapping[str, Any], row: Mapping[str, Any], picture: Picture, words: Translations) -> Section:
    """Return the map of a phase with the routes that it adds or takes away."""
    kind = "removed" if document["takes_away"] else "added"
    names = ", ".join(row[kind]) or words("phase.nothing")
    pairs = [(words(f"phase.{kind}"), names), (words("phase.runs"), ", ".join(row["routes"]))]
    if row["alone_routes"] != row["routes"]:
        pairs.append((words("phase.alone"), ", ".join(row["alone_routes"])))
    title = words("phase.one", n=row["phase"], budget=f"{row['budget']:,g}", unit=words(f"phase.unit.{document['unit']}"))
    warnings = [words("phase.missed", line=line) for line in row["missed"]]
    warnings += [] if row["buses_run"] is not None else [words("phase.no_timetable")]
    return Section(title, warnings=tuple(warnings), picture=picture, pairs=tuple(pairs))


def _share(share: float | None, words: Translations) -> str:
    """Return a share as a percent, or that it is not told."""
    return words("absent.none") if share is None else words.percent(share)


def _regret(row: Mapping[str, Any], kind: str, words: Translations) -> str:
    """Percentage points that another plan of the same budget serves more; a dash where there is no such plan."""
    return words("absent.none") if row[f"{kind}_share"] is None else _points(row[f"{kind}_regret_points"], words)


def _points(points: float | None, words: Translations, *, signed: bool = True) -> str:
    """Return percentage points, or that no difference is told."""
    if points is None:
        return words("compare.none_told")
    return words.signed(points, 2) if signed else words.number(points, 2)
