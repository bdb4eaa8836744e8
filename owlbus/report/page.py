"""The report: one HTML file that makes no network requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from owlbus.common.disclosure import EXACT
from owlbus.common.ending import Ending
from owlbus.common.palette import css_variables
from owlbus.common.text import escape_json, page_value
from owlbus.report import table_rows
from owlbus.report.comparison import comparison_page, gauge_bars
from owlbus.report.end_reason import ending_text
from owlbus.report.map_data import map_data
from owlbus.report.sweep_page import sweep_lede, sweep_page
from owlbus.report.translations import read_asset, read_translations
from owlbus.report.unserved import missing_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.network import Network
    from owlbus.report.content import Content
    from owlbus.report.translations import Translations

_METHODS = ("data", "presence", "city", "served", "network", "range", "left", "search", "privacy", "call")
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
    wherever they stand. No count of people or trips below ``content.min_count`` a night is in it.

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
    from jinja2 import DictLoader, Environment, StrictUndefined

    words = read_translations(language)
    environment = Environment(
        autoescape=True,
        finalize=page_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader({"page": read_asset("report.html.j2")}),
    )
    environment.globals["t"] = words
    return environment.get_template("page").render(_context(content, words))


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
    card, about = content.best.card, content.about
    parts = {part: table_rows.part_rows(card, part, words) for part in table_rows.PARTS if card[table_rows.PARTS[part]]}
    return {
        "language": words.language,
        "title": _title(content, words),
        "lede": _lede(content, words),
        "is_synthetic": content.is_synthetic,
        "gauge": _gauge(content, words),
        "tiles": table_rows.tiles(content, words),
        "name": words.name(content.best.name),
        "reference": None if content.reference is None else words.name(content.reference.name),
        "layers": _layers(content),
        "compared": comparison_page(content, words),
        "swept": sweep_page(content, words),
        "n_parts": len(content.demand.known_hours),
        "min_count": content.min_count,
        "routes": table_rows.route_rows(content, words),
        "route_total": _route_total(card, words),
        "charts": table_rows.hour_charts(content, words),
        "parts": parts,
        "missing": missing_rows(content, words),
        "methods": _methods(content, words),
        "settings": table_rows.setting_rows(about.get("settings", {}), words),
        "inputs": table_rows.input_rows(about, words),
        "versions": list(about.get("versions", {}).items()),
        "prints": {"grid": content.network.grid.fingerprint, "network": content.network.fingerprint},
        "owlbus_version": about.get("versions", {}).get("owlbus", ""),
        "data": script_json(map_data(content, words)),
        **_assets(),
    }


def _assets() -> dict[str, Markup]:
    """Return styles and scripts of the page; pictures that Leaflet would load are left out, since they are never shown."""
    style = read_asset("leaflet.css")
    for picture in ("images/layers.png", "images/layers-2x.png", "images/marker-icon.png", "#default#VML"):
        style = style.replace(f"url({picture})", "none")
    script = read_asset("leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", "")
    texts = {
        "leaflet_css": style,
        "leaflet_js": script,
        "leaflet_licence": read_asset("leaflet-LICENSE.txt"),
        "css": f"{css_variables()}\n{read_asset('report.css')}",
        "js": read_asset("report.js"),
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
    """Return the share of people within the walk, beside the 42 % of the city and the share of the reference."""
    card = content.best.card
    presence: Mapping[str, Any] = card["presence"]
    own_share = _headline(presence)
    bars = [{"name": words.name(content.best.name), "share": own_share, "text": words.percent(own_share)}]
    if content.reference is not None:
        share = _headline(content.reference.card["presence"])
        bars.append({"name": words.name(content.reference.name), "share": share, "text": words.percent(share)})
    bars = gauge_bars(content, words) or bars
    low, high = presence["low_share"], presence["high_share"]
    return {
        "value": words.percent(own_share),
        "label": words("key.presence", walk=f"{card['walk_m']:g}"),
        "of": words(
            "key.presence.mean" if card.get("people_counted") else "key.presence.of",
            people=words.number(presence["denominator"]),
            hexes=words.percent(card["hexes_share"]),
        ),
        "range": "" if low is None or high is None else words("key.range", low=words.percent(low), high=words.percent(high)),
        "bars": bars,
        "city": card["city_share"],
    }


def _headline(measure: Mapping[str, Any]) -> float | None:
    """Return a share, 0 to 1; that of rounded counts where the few that it leaves out are hidden."""
    share: float | None = measure.get("rounded_share") if measure["share"] is None else measure["share"]
    return share


def _route_total(card: Mapping[str, Any], words: Translations) -> list[str]:
    """Return the cells of the last row of the route table; empty where a sum means nothing."""
    return [words.number(card["total_length_m"] / 1000, 1), "", "", str(card["total_buses"])]


def _methods(content: Content, words: Translations) -> list[tuple[str, str]]:
    """Return headings and sentences on method and limits that hold for this report."""
    card, network = content.best.card, content.network
    rule: Mapping[str, Any] = card["rule"]
    out_of_reach = int((network.hex_stop < 0).sum())
    texts = {
        "data": " ".join(f"{note[:1].upper()}{note[1:]}." for note in content.about.get("notes", ())),
        "presence": _reach_text(card, network, words),
        "city": words("method.city.text"),
        "served": words(
            "method.served.text",
            transfer=f"{rule['transfer_s'] / 60:g}",
            factor=f"{rule['detour_factor']:g}",
            detour=f"{rule['detour_s'] / 60:g}",
        ),
        "network": words("method.network.lattice" if network.source == "lattice" else "method.network.other"),
        "range": words("method.range.text") if card["n_nights"] > 1 else "",
        "left": words("method.left.text", hexes=f"{out_of_reach:,}", all=f"{network.grid.n_hexes:,}") if out_of_reach else "",
        "search": _search_text(content, words),
        "privacy": _privacy_text(content, words),
        "call": words("method.call.text"),
    }
    return [(words(f"method.{name}"), texts[name]) for name in _METHODS if texts[name]]


def _privacy_text(content: Content, words: Translations) -> str:
    """Return which counts are left out: small ones, or none of open data."""
    if content.min_count == EXACT:
        return words("method.privacy.public")
    return words("method.privacy.text", min=f"{content.min_count:g}", n=content.best.card["hidden"]["counts"])


def _reach_text(card: Mapping[str, Any], network: Network, words: Translations) -> str:
    """Return how people are counted and when a hexagon counts as within the walk, by the rule of the scorecard."""
    rule = str(card["walk_rule"])
    share = _AREA_SHARE.match(rule)
    kind = "share" if share else "area" if " by area" in rule else "records" if " by records" in rule else "text"
    least = words.percent(float(share[1]) / 100) if share else ""
    return words(f"method.presence.{kind}", radius=f"{network.grid.radius_m:.0f}", walk=f"{card['walk_m']:g}", share=least)


def _search_text(content: Content, words: Translations) -> str:
    """Say where the plan comes from."""
    ended = content.about.get("ended_by")
    if content.comparison is not None:
        return words("method.search.compare")
    if content.sweep is not None:
        steps = content.about.get("settings", {}).get("steps", 0)
        return words("method.search.sweep", steps=words.number(steps))
    return words("method.search.given") if ended is None else f"{words('method.search.text')} {ending_text(Ending.from_dict(ended), words)}"
