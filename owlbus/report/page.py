"""The report: one HTML file that makes no network requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from owlbus.common.ending import Ending
from owlbus.common.text import escape_json
from owlbus.evidence.unserved_places import least_people
from owlbus.network.walk_sheds import reached_share
from owlbus.report import table_rows
from owlbus.report.comparison import comparison_page, gauge_bar, gauge_bars
from owlbus.report.day_rows import day_page
from owlbus.report.end_reason import ending_text
from owlbus.report.fairness_text import spread_text, unserved_text
from owlbus.report.improve_page import improve_tables
from owlbus.report.map_data import map_data
from owlbus.report.reach_tables import reach_section
from owlbus.report.section_page import privacy_text, render_page
from owlbus.report.service_page import service_page
from owlbus.report.sheets import WORKBOOK_FILE
from owlbus.report.sweep_page import sweep_lede, sweep_page
from owlbus.report.translations import leaflet_script, leaflet_style, read_asset, read_translations
from owlbus.report.unserved import missing_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.network import Network
    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_METHODS = ("data", "presence", "city", "served", "network", "range", "left", "search", "privacy", "call")
_BY_AREA = "share of the hex's area"
_PARTS = re.compile(r"parts of it by (area|records)")
_AREA_SHARE = re.compile(r"([0-9.]+) % of the hex")
_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def write_report(path: str | PathLike[str], content: Content, language: str = "en") -> None:
    """
    Write a report.

    Parameters
    ----------
    path
        HTML file to write.
    content
        Its parts; shares 0 to 1, trips and people a night.
    language
        ``en`` or ``ko``.
    """
    Path(path).write_bytes(report_html(content, language).encode())


def report_file(index: int = 0, language: str = "en") -> str:
    """
    Name of a report in its run directory.

    Parameters
    ----------
    index
        Index of the report: a comparison of three plans has two.
    language
        ``en`` or ``ko``.

    Returns
    -------
    str
        File name.

    Examples
    --------
    >>> report_file(), report_file(1, "ko")
    ('report.html', 'report_2_ko.html')
    """
    return f"report{f'_{index + 1}' if index else ''}{'' if language == 'en' else f'_{language}'}.html"


def report_html(content: Content, language: str = "en") -> str:
    """
    Report as the text of one HTML file, the same text for the same content.

    Styles, scripts and data stand inside; a content policy in the page forbids every request. Names of stops and routes are text
    wherever they stand. Every count of people or trips in it is a multiple of ``content.min_count``.

    Parameters
    ----------
    content
        Its parts; shares 0 to 1, trips and people a night.
    language
        ``en`` or ``ko``.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    UsageError
        If there is no such language.
    """
    words = read_translations(language)
    return render_page("report", _context(content, words), words)


def script_json(value: object) -> Markup:
    r"""
    JSON that can stand inside a script element, whatever its strings hold.

    Parameters
    ----------
    value
        What JSON can hold; its numbers keep the units they have.

    Returns
    -------
    Markup
        Without ``<``, ``>`` and ``&``.

    Examples
    --------
    >>> print(script_json("</script>"))
    "\u003c/script\u003e"
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(escape_json(text).translate(_SAFE))  # noqa: S704 - escaped on this line


def _context(content: Content, words: Translations) -> dict[str, Any]:
    """Return the values of the template by name."""
    card = content.best.card
    parts = {part: table_rows.part_rows(content, part, words) for part in table_rows.PARTS if card[table_rows.PARTS[part]]}
    return {
        "kicker": words("kicker"),
        "title": _title(content, words),
        "lede": _lede(content, words),
        "synthetic": _synthetic_text(content, words),
        "gauge": _gauge(content, words),
        "tiles": table_rows.tiles(content, words),
        "name": words.name(content.best.name),
        "reference": None if content.reference is None else words.name(content.reference.name),
        "layers": _layers(content),
        "compared": comparison_page(content, words),
        "improved": improve_tables(content, words),
        "swept": sweep_page(content, words),
        "n_parts": len(content.demand.known_hours),
        "caption": words("map.caption" if content.publisher.base else "map.caption.public", min=f"{content.min_count:g}"),
        "routes": table_rows.route_rows(content, words),
        "route_total": _route_total(card, words),
        **_sections(content, words),
        "charts": table_rows.hour_charts(content, words),
        "parts": parts,
        "missing": missing_rows(content, words),
        "nowhere": _nowhere_text(content, words),
        "workbook": WORKBOOK_FILE if content.has_tables else "",
        "methods": _methods(content, words),
        **_sources(content, words),
        "data": script_json(map_data(content, words)),
        **map_assets("report.js"),
    }


def _sections(content: Content, words: Translations) -> dict[str, Any]:
    """Return the sections on how the plan runs."""
    return {"days": day_page(content, words), "service": service_page(content, words), "reach": reach_section(content, words)}


def _sources(content: Content, words: Translations) -> dict[str, Any]:
    """Return settings, input files, versions and fingerprints."""
    about = content.about
    versions = about.get("versions", {})
    return {
        "settings": table_rows.setting_rows(about.get("settings", {}), words),
        "inputs": table_rows.input_rows(about),
        "versions": list(versions.items()),
        "prints": {"grid": content.network.grid.fingerprint, "network": content.network.fingerprint},
        "owlbus_version": versions.get("owlbus", ""),
        "foot": words("foot", version=versions.get("owlbus", "")),
    }


def _nowhere_text(content: Content, words: Translations) -> str:
    """Say that no busy place lies beyond the walk; nothing of a plan without routes, or where nobody looked."""
    is_told = content.missing is not None and content.best.plan.routes
    return words("missing.none", min=f"{least_people(content.min_count):g}") if is_told else ""


def map_assets(script: str) -> dict[str, Markup]:
    """
    Styles and scripts of a page with a map.

    Parameters
    ----------
    script
        File name of the page's own script.

    Returns
    -------
    dict
        Values of the template by name.
    """
    texts = {
        "leaflet_css": leaflet_style(),
        "leaflet_js": leaflet_script(),
        "leaflet_licence": read_asset("leaflet-LICENSE.txt"),
        "js": "".join(read_asset(name) for name in ("map_names.js", "map.js", script)),
    }
    return {name: Markup(text) for name, text in texts.items()}  # noqa: S704 - files of this package


def _title(content: Content, words: Translations) -> str:
    """Return the title: the plans compared, the setting swept, or the routes of the plan."""
    city = "" if content.city is None else words.name(content.city.name)
    where = "plain" if content.city is None else "city"
    if content.comparison is not None and content.reference is not None:
        text = words("title.compare", name=words.name(content.best.name), other=words.name(content.reference.name))
        return text[:1].upper() + text[1:]
    if content.sweep is not None:
        return words(f"title.sweep.{content.sweep['kind']}.{where}", city=city)
    n = len(content.best.plan)
    return words(f"title.{where}{'.one' if n == 1 else ''}", n=n, city=city)


def _lede(content: Content, words: Translations) -> str:
    """Return which nights the numbers come from, and which plan map and tables show."""
    n_nights = content.best.card["n_nights"]
    nights = words("lede.one" if n_nights == 1 else "lede.nights", n=n_nights, hours=words.hours(content.demand.hours))
    if content.comparison is not None:
        return f"{nights} {words('lede.compare', name=words.name(content.best.name))}"
    return nights if content.sweep is None else f"{nights} {sweep_lede(content.sweep, words)}"


def _layers(content: Content) -> list[str]:
    """Return the layers of the map, the one of the report first."""
    plain = ["demand", "covered", "uncovered"]
    if content.comparison is not None:
        return ["difference", *([] if content.net is None else ["net"]), *plain]
    return plain if content.reference is None else [*plain, "difference"]


def _gauge(content: Content, words: Translations) -> dict[str, Any]:
    """Return the share of people within the walk, beside what the city states and the share of the reference."""
    card = content.best.card
    presence: Mapping[str, Any] = card["presence"]
    plans = [content.best] if content.reference is None else [content.best, content.reference]
    bars = gauge_bars(content, words) or [gauge_bar(plan.name, plan.card["presence"], content, words) for plan in plans]
    low, high = presence["low_share"], presence["high_share"]
    value, between = words.headline(presence, content.publisher.least_denominator)
    return {
        "value": value,
        "between": between,
        "label": words("key.presence", walk=f"{card['walk_m']:g}"),
        "of": words(
            "key.presence.mean" if card.get("people_counted") else "key.presence.of",
            people=words.count(presence["denominator"], content.publisher.base),
            hexes=words.percent(card["hexes_share"]),
        ),
        "range": "" if low is None or high is None else words("key.range", low=words.percent(low), high=words.percent(high)),
        "bars": bars,
        "city": content.city_share,
        "unserved": unserved_text(card, words),
        "spread": spread_text(card, words),
    }


def _synthetic_text(content: Content, words: Translations) -> str:
    """Say that the demand is synthetic, and what it was scaled to; nothing of records."""
    if not content.is_synthetic:
        return ""
    return words("synthetic.text" if content.city_share is None else "synthetic.stated")


def _route_total(card: Mapping[str, Any], words: Translations) -> list[str]:
    """Return the cells of the last row of the route table; empty where a sum means nothing."""
    return [words.number(card["total_length_m"] / 1000, 1), "", "", str(card["total_buses"])]


def _methods(content: Content, words: Translations) -> list[tuple[str, str]]:
    """Return headings and sentences on method and limits that hold for this report."""
    card, network = content.best.card, content.network
    rule: Mapping[str, Any] = card["rule"]
    out_of_reach = int((reached_share(network, np.arange(network.n_stops)) == 0).sum())
    texts = {
        "data": " ".join(f"{note[:1].upper()}{note[1:]}." for note in content.about.get("notes", ())),
        "presence": _reach_text(card, network, words),
        "city": "" if content.city_share is None else words("method.city.text"),
        "served": words(
            "method.served.text",
            transfer=f"{rule['transfer_s'] / 60:g}",
            factor=f"{rule['detour_factor']:g}",
            detour=f"{rule['detour_s'] / 60:g}",
        ),
        "network": _network_text(content, words),
        "range": "" if card["presence"]["low_share"] is None else words("method.range.text"),
        "left": words("method.left.text", hexes=f"{out_of_reach:,}", all=f"{network.grid.n_hexes:,}") if out_of_reach else "",
        "search": _search_text(content, words),
        "privacy": privacy_text(content.publisher.base, words),
        "call": words("method.call.text"),
    }
    return [(words(f"method.{name}"), texts[name]) for name in _METHODS if texts[name]]


def _network_text(content: Content, words: Translations) -> str:
    """Say what buses run on, with water and mountains where there are any."""
    if content.network.source != "lattice":
        return words("method.network.other")
    city = content.city
    ground = {"water": city is not None and len(city.river) > 0, "hills": city is not None and len(city.mountains) > 0}
    found = [name for name, is_there in ground.items() if is_there]
    return " ".join(words(f"method.network.{name}") for name in ("lattice", *found, "estimates"))


def _reach_text(card: Mapping[str, Any], network: Network, words: Translations) -> str:
    """Return how people are counted and when a hexagon counts as within the walk, by the rule of the scorecard."""
    rule = str(card["walk_rule"])
    share = _AREA_SHARE.match(rule)
    parts = _PARTS.search(rule)
    whole = "text" if rule.startswith(_BY_AREA) else "centre"
    kind = "share" if share else parts[1] if parts else whole
    least = words.percent(float(share[1]) / 100) if share else ""
    return words(f"method.presence.{kind}", radius=f"{network.grid.radius_m:.0f}", walk=f"{card['walk_m']:g}", share=least)


def _search_text(content: Content, words: Translations) -> str:
    """Say where the plan comes from."""
    ended = content.about.get("ended_by")
    if content.improvement is not None:
        return words("method.search.improve", steps=words.number(content.about.get("settings", {}).get("steps", 0)))
    if content.comparison is not None:
        return words("method.search.compare")
    if content.sweep is not None:
        steps = content.about.get("settings", {}).get("steps", 0)
        return words("method.search.sweep", steps=words.number(steps))
    return words("method.search.given") if ended is None else f"{words('method.search.text')} {ending_text(Ending.from_dict(ended), words)}"
