"""The answer to one question about a plan as one HTML page to print, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.report.comparison import burden_rows, cost_text, moved_rows, sure_text
from owlbus.report.section_page import MovedTable, Section, Table, privacy_text, section_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from owlbus.report.section_page import Picture
    from owlbus.report.translations import Translations

_MOVED = ("gained_trips", "lost_trips", "gained_presence", "lost_presence")
_SIGNS = ("+", "\N{MINUS SIGN}")
_DASH = " \N{EN DASH} "
_MOST_DISTRICTS = 8
_KM_M = 1000


def answer_page(
    document: Mapping[str, Any],
    words: Translations,
    *,
    plan: str,
    is_synthetic: bool,
    stop_name: Callable[[int], str] = str,
    picture: Picture | None = None,
) -> str:
    """
    Page on one question.

    Parameters
    ----------
    document
        The answer as ``answer.json`` holds it, its sentences in the reader's language: trips and people a night as they are printed.
    words
        The reader's language.
    plan
        What people call the plan.
    is_synthetic
        Whether the demand is.
    stop_name
        Called with a stop index; gives its name.
    picture
        The map, or None.

    Returns
    -------
    str
        HTML; names from files stand in it as text.
    """
    title, sections = answer_sections(document, words, stop_name=stop_name, picture=picture)
    notes = [privacy_text(document["min_count"], words)]
    if "n_nights" in document:
        notes.insert(0, words("answer.nights", n=document["n_nights"]))
    sections.append(Section(words("answer.counts"), lines=tuple(notes)))
    synthetic = words("synthetic.text") if is_synthetic else ""
    return section_page(title, words("answer.plan", plan=plan), sections, words, kicker=words("answer.kicker"), synthetic=synthetic)


def answer_sections(
    document: Mapping[str, Any], words: Translations, *, stop_name: Callable[[int], str] = str, picture: Picture | None = None
) -> tuple[str, list[Section]]:
    """
    Title and sections of the answer to one question.

    Parameters
    ----------
    document
        The answer as ``answer.json`` holds it: trips and people a night as they are printed.
    words
        The reader's language.
    stop_name
        Called with a stop index; gives its name.
    picture
        The map, or None.

    Returns
    -------
    title, sections
        From the answer to its details.
    """
    what = document["what"]
    if "verdict" in document:
        title, sections = document["change"], _change_sections(document, words)
    elif what == "why":
        title = words("answer.why.here" if document["routes"] else "answer.why", name=document["name"])
        sections = _why_sections(document, words)
    else:
        parts = {"missing": _missing_table, "suggest": _swaps_table}
        tables = (parts[what](document, words),) if what in parts else _route_tables(document, words, stop_name)
        title = words("answer.routes" if what == "route" else f"answer.{what}")
        sections = [
            Section(words("answer.title"), tables=tables) if tables[0].rows else Section(words("answer.title"), words("answer.none"))
        ]
    if picture is not None:
        sections.insert(1, Section(words("answer.map"), picture=picture, notes=_map_notes(document, words)))
    return title, sections


def _map_notes(document: Mapping[str, Any], words: Translations) -> tuple[str, ...]:
    """What the map compares, and what its colours are."""
    if "verdict" in document:
        return (words("answer.map.note"),)
    kind = "before" if document.get("whole") is not None else "back" if document.get("back") is not None else ""
    return (f"{words(f'answer.map.{kind}')} {words('answer.map.note')}",) if kind else ()


def _change_sections(document: Mapping[str, Any], words: Translations) -> list[Section]:
    """Verdict, who gains and loses, what changes for the others, cost, and the alternative."""
    warnings = tuple(words("answer.breaks", limit=limit) for limit in document["broken_limits"])
    sections = [
        Section(words("answer.title"), document["verdict"], warnings=warnings),
        _moved_section(words("compare.moved"), document, words),
    ]
    burden = tuple(burden_rows(document["burden"], document["min_count"], words))
    sections.append(Section(words("compare.burden"), pairs=burden))
    sections.append(
        Section(words("answer.cost"), lines=tuple(filter(None, (cost_text(document["cost"], words), sure_text(document, words)))))
    )
    if document["alternative"] is not None:
        sections.append(Section(words("answer.alternative"), lines=(document["alternative"]["verdict"],)))
    return sections


def _why_sections(document: Mapping[str, Any], words: Translations) -> list[Section]:
    """Sentences, what it would cost to have the stop back, and the plan against the one before."""
    first, *others = document["lines"]
    sections = [Section(words("answer.title"), first, tuple(others))]
    back = document["back"]
    if back is not None:
        pairs = (
            (words("answer.back.route"), ", ".join(back["routes"])),
            *(
                (words(f"answer.back.{name}"), text)
                for name, text in zip(("km", "min", "buses"), _cost_cells(back["cost"], words), strict=True)
            ),
        )
        sections.append(_moved_section(words("answer.back"), back, words, pairs))
    if document["whole"] is not None:
        sections.append(_moved_section(words("answer.before"), document["whole"], words))
    return sections


def _moved_section(title: str, change: Mapping[str, Any], words: Translations, pairs: tuple[tuple[str, str], ...] = ()) -> Section:
    """Who gains and who loses: the whole night, by hour, and the districts that change most."""
    districts = sorted(change["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))
    parts = {
        "hour": {words.hour(label): row for label, row in change["by_hour"].items()},
        "district": {words.name(label): row for label, row in districts[:_MOST_DISTRICTS]},
    }
    heads = {"hour": words("table.part.hour"), "district": words("table.part.group")}
    base = change["min_count"]
    tables = [MovedTable(words("compare.whole"), "", moved_rows({words("compare.whole"): change["whole"]}, base, words))]
    tables += [
        MovedTable(words(f"compare.part.{name}"), heads[name], moved_rows(rows, base, words)) for name, rows in parts.items() if rows
    ]
    return Section(title, pairs=pairs, moved=tuple(tables), notes=(f"{words('compare.legend')} {words('answer.moved.note')}",))


def _missing_table(document: Mapping[str, Any], words: Translations) -> Table:
    """Busy places without a stop, and the cheapest change that serves each."""
    base, rows = document["min_count"], []
    for row in document["places"]:
        cells = [f"{row['rank']} {row['name']}", words.name(row["district"])]
        cells += [words.count(row[name], base) for name in ("presence", "unserved_trips")]
        change = row["difference"]
        if change is None:
            rows.append((*cells, words("missing.nochange"), "", "", "", "", ""))
            continue
        route = ", ".join(row["routes"]) + " !" * bool(row["broken_limits"])
        rows.append((*cells, route, *_cost_cells(change["cost"], words), *_moved_cells(change["whole"], base, words)[:2]))
    head = (
        *(words(f"missing.{name}") for name in ("place", "district", "people", "trips")),
        *(words(f"answer.{name}") for name in ("route", "km", "min", "buses", "gained", "lost")),
    )
    is_broken = any(row["broken_limits"] for row in document["places"])
    return Table(words("answer.title"), head, tuple(rows), (0, 1, 4), words("answer.broken.note") if is_broken else "")


def _swaps_table(document: Mapping[str, Any], words: Translations) -> Table:
    """Swaps of one stop that gain trips."""
    base, rows = document["min_count"], []
    for row in document["swaps"]:
        change, rate = row["difference"], row["gain_per_extra_min"]
        moved, minutes = _moved_cells(change["whole"], base, words), _cost_cells(change["cost"], words)[1]
        rows.append(
            (f"{row['rank']}", ", ".join(row["routes"]), row["change"], *moved, minutes, "" if rate is None else words.number(rate, 1))
        )
    columns = ("rank", "route", "swap", "gained", "lost", "people.gained", "people.lost", "min", "rate")
    return Table(
        words("answer.title"), tuple(words(f"answer.{name}") for name in columns), tuple(rows), (1, 2), words("answer.suggest.note")
    )


def _route_tables(document: Mapping[str, Any], words: Translations, stop_name: Callable[[int], str]) -> tuple[Table, ...]:
    """What each route adds and carries; of one route its links, of all their ranks and the share served by weekday and hour."""
    base, routes = document["min_count"], document["routes"]
    rows = []
    for row in routes:
        weak, per_km = row["weakest_segment"], row["riders_per_bus_km"]
        counts = (words.count(row[name], base) for name in ("only_served_trips", "only_presence", "riders_trips"))
        link = _DASH.join(stop_name(stop) for stop in weak["stops"])
        shown = "" if per_km is None else words.number(per_km, 2)
        rows.append((row["name"], *counts, words.number(row["bus_km"]), shown, link, words.count(weak["load_trips"], base)))
    columns = ("route", "alone", "people.alone", "riders", "buskm", "perkm", "weakest", "weakest.riders")
    tables = [Table(words("answer.profiles"), tuple(words(f"answer.{name}") for name in columns), tuple(rows), (6,))]
    if len(routes) == 1:
        return (*tables, _links_table(routes[0], base, words, stop_name))
    return (*tables, *(_stability_tables(document, words) if "ranks" in document else ()))


def _links_table(row: Mapping[str, Any], base: float, words: Translations, stop_name: Callable[[int], str]) -> Table:
    """Riders on each link of a route by hour."""
    hours: Sequence[str] = list(row["segments"][0]["by_hour"]) if row["segments"] else []
    rows = [
        (
            *(stop_name(stop) for stop in row["stops"][one["place"] :][:2]),
            *(words.count(n, base) for n in (one["load_trips"], *one["by_hour"].values())),
        )
        for one in row["segments"]
    ]
    head = (words("answer.from"), words("answer.to"), words("compare.whole"), *(words.hour(hour) for hour in hours))
    return Table(words("answer.links", name=row["name"]), head, tuple(rows), (1,))


def _stability_tables(document: Mapping[str, Any], words: Translations) -> tuple[Table, ...]:
    """Ranks of routes over resampled nights, and the share of trips served by weekday and hour."""
    ranks = tuple(
        (row["name"], *(f"{row[name]}" for name in ("rank", "low_rank", "high_rank")), words.percent(row["same_share"], 0))
        for row in document["ranks"]
    )
    head = tuple(words(f"answer.{name}") for name in ("route", "rank", "low", "high", "same"))
    served: Mapping[str, Mapping[str, float | None]] = document["by_weekday_and_hour"]["served"]
    few = words("absent.too few to tell")
    shares = tuple(
        (words.day(day), *(few if share is None else words.percent(share) for share in row.values())) for day, row in served.items()
    )
    hours = (words("table.part.weekday"), *(words.hour(hour) for hour in next(iter(served.values()))))
    return Table(words("answer.ranks"), head, ranks), Table(words("answer.matrix"), hours, shares)


def _moved_cells(whole: Mapping[str, Any], base: float, words: Translations) -> list[str]:
    """Trips and then people gained and lost, as text."""
    return [words.count(whole[name], base, _SIGNS["lost" in name]) for name in _MOVED]


def _cost_cells(cost: Mapping[str, Any], words: Translations) -> tuple[str, str, str]:
    """Kilometres, minutes and buses, as text with signs."""
    return words.signed(cost["length_m"] / _KM_M, 1), words.signed(cost["cycle_min"]), words.signed(cost["buses"])
