"""Pages made of sections: an answer to a question about a plan, and a timetable. They look like the report and make no requests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from owlbus.common.disclosure import Publisher
from owlbus.common.palette import css_variables
from owlbus.common.text import page_value
from owlbus.report.translations import read_asset, read_translations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Environment

    from owlbus.report.translations import Translations


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table of a page, its cells text.

    Attributes
    ----------
    title
        What it shows.
    head
        One name a column.
    rows
        Cells; the first of each row heads it.
    left
        Columns of words, from 0.
    note
        What stands below.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class MovedTable:
    """
    A table of who gains and who loses.

    Attributes
    ----------
    title
        What it shows.
    head
        What its rows are; empty for the whole night.
    rows
        As `owlbus.report.comparison.moved_rows` returns them, trips and people a night.
    """

    title: str
    head: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A drawing with its key.

    Attributes
    ----------
    svg
        An ``svg`` element, text escaped; its sizes are pixels.
    key
        Swatch and text of each sign.
    """

    svg: Markup
    key: tuple[tuple[Markup, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """
    A part of a page under one heading, from top to bottom.

    Attributes
    ----------
    title
        The heading.
    verdict, lines, warnings
        Sentences.
    picture
        A map, or None.
    pairs
        Names and values, each with its unit.
    moved, tables
        Tables.
    notes
        What stands below, smaller.
    """

    title: str
    verdict: str = ""
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    picture: Picture | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    moved: tuple[MovedTable, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


def section_page(title: str, lede: str, sections: Sequence[Section], words: Translations, *, kicker: str, synthetic: str = "") -> str:
    """
    Page made of sections.

    Parameters
    ----------
    title, lede
        The head of the page.
    sections
        Its parts.
    words
        The reader's language.
    kicker
        What kind of page it is.
    synthetic
        That the demand is synthetic; empty for records.

    Returns
    -------
    str
        HTML; names from files stand in it as text.
    """
    context = {"title": title, "lede": lede, "sections": sections, "kicker": kicker, "synthetic": synthetic}
    return render_page("sections", context | {"foot": words("foot.plain", version=version("owlbus"))}, words)


def privacy_text(base: float, words: Translations) -> str:
    """
    How counts are printed.

    Parameters
    ----------
    base
        Trips or people a night of which printed counts are multiples; 0 for open data.
    words
        The reader's language.

    Returns
    -------
    str
        A sentence or two.
    """
    if not base:
        return words("method.privacy.public")
    return words("method.privacy.text", min=f"{base:g}", least=f"{Publisher(base).least_denominator:g}")


def render_page(template: str, context: Mapping[str, Any], words: Translations) -> str:
    """
    Fill a template of a page.

    Parameters
    ----------
    template
        ``report`` or ``sections``.
    context
        Its values; numbers keep the units they have.
    words
        The reader's language.

    Returns
    -------
    str
        HTML.
    """
    more = {
        "language": words.language,
        "owlbus_version": version("owlbus"),
        "css": Markup(f"{css_variables()}\n{read_asset('report.css')}"),  # noqa: S704 - files of this package
        "scroll_js": Markup(read_asset("scroll.js")),  # noqa: S704 - a file of this package
    }
    return _environment(words.language).get_template(template).render(more | dict(context))


@cache
def _environment(language: str) -> Environment:
    """Compiled templates of a language, kept: compiling takes as long as filling them."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=page_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: read_asset(f"{name}.html.j2")),
    )
    environment.globals["t"] = read_translations(language)
    return environment
