"""The editor's page and the files that it loads. Nothing of a run is in them: the page asks the server for its numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from typing import TYPE_CHECKING

from owlbus.common.palette import css_variables
from owlbus.common.text import page_value
from owlbus.report.translations import LANGUAGES, leaflet_script, leaflet_style, read_asset, read_translations

if TYPE_CHECKING:
    from collections.abc import Callable

_SCRIPT, _STYLE, _JSON = "text/javascript; charset=utf-8", "text/css; charset=utf-8", "application/json"


@dataclass(frozen=True, slots=True)
class PageAsset:
    """
    A file that the page loads.

    Attributes
    ----------
    content
        Its bytes, UTF-8.
    kind
        Media type.
    """

    content: bytes
    kind: str


def editor_html(language: str = "en") -> str:
    """
    Page of the editor, without any script or style of its own: both come as files.

    Parameters
    ----------
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

    Examples
    --------
    >>> "<style" in editor_html("ko")
    False
    """
    from jinja2 import Environment, StrictUndefined

    words = read_translations(language)
    environment = Environment(autoescape=True, finalize=page_value, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(_own("explore.html.j2"))
    return page.render(t=words, language=language, languages=LANGUAGES, owlbus_version=version("owlbus"))


def editor_asset(name: str) -> PageAsset | None:
    """
    File of the page by its name.

    Parameters
    ----------
    name
        File name, no path.

    Returns
    -------
    PageAsset or None
        None where the page loads no such file.

    Examples
    --------
    >>> editor_asset("explore.css").kind, editor_asset("../server.py")
    ('text/css; charset=utf-8', None)
    """
    if name not in _ASSETS:
        return None
    text, kind = _ASSETS[name]
    return PageAsset(text().encode(), kind)


def _own(name: str) -> str:
    """Return a text file of this package."""
    return resources.files("owlbus.explore").joinpath("assets", name).read_text(encoding="utf-8")


def _words(language: str) -> str:
    """Return the words of the page's scripts as JSON."""
    return json.dumps(read_translations(language).table["explore"], ensure_ascii=False)


def _of_report(name: str) -> Callable[[], str]:
    """Return a reader of a file of the report."""
    return lambda: read_asset(name)


def _of_page(name: str) -> Callable[[], str]:
    """Return a reader of a file of this package."""
    return lambda: _own(name)


def _word_file(language: str) -> Callable[[], str]:
    """Return a reader of the words of a language."""
    return lambda: _words(language)


SCRIPTS = (
    *("explore.js", "store.js", "talk.js", "view.js", "drag.js", "keys.js", "panel.js", "stops.js", "draw.js"),
    *("find.js", "place.js", "help.js", "dialog.js", "string_line.js", "comments.js", "files.js"),
)
"""Modules of the page, which the browser loads as they import each other."""

_ASSETS: dict[str, tuple[Callable[[], str], str]] = {
    "leaflet.js": (leaflet_script, _SCRIPT),
    "leaflet.css": (leaflet_style, _STYLE),
    "leaflet-LICENSE.txt": (_of_report("leaflet-LICENSE.txt"), "text/plain; charset=utf-8"),
    "palette.css": (css_variables, _STYLE),
    "explore.css": (_of_page("explore.css"), _STYLE),
    **{name: (_of_report(name), _SCRIPT) for name in ("map.js", "map_names.js")},
    **{name: (_of_page(name), _SCRIPT) for name in SCRIPTS},
    **{f"words_{language}.json": (_word_file(language), _JSON) for language in LANGUAGES},
}
