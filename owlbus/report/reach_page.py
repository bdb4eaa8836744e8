"""Where one gets from a place as one page: a map of the hexes by time, people within reach, and the last bus of every hex."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from owlbus.common.units import HOUR_S, format_time
from owlbus.report.map_data import flat_line, hex_shapes, map_ground, route_shape
from owlbus.report.page import script_json
from owlbus.report.section_page import Table, privacy_text, render_page
from owlbus.report.translations import leaflet_script, leaflet_style, read_asset
from owlbus.timetable.reach import LIMITS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations
    from owlbus.timetable.reach import Reach

LAYERS = ("median", "bad_luck", "last")
"""What the hexes of the map show."""

_N_SPANS = 5


def reach_page(document: Mapping[str, Any], reach: Reach, content: Content, words: Translations) -> str:
    """
    Page on the reach of a place.

    Parameters
    ----------
    document
        As `owlbus.evidence.reached_people.reach_document` returns it, with ``plan``; people a night as they are printed.
    reach
        Times by hex, in seconds.
    content
        Network and plan of the map; its scorecard is not read.
    words
        The reader's language.

    Returns
    -------
    str
        HTML that makes no request; names from files stand in it as text.
    """
    place, way = str(document["place"]["name"]), str(document["direction"])
    first, last = (clock_text(text) for text in document["window"])
    lede = words(f"reach.lede.{way}", first=first, last=last, plan=words.name(str(document["plan"])))
    context = {
        "kicker": words("reach.kicker"),
        "title": words(f"reach.title.{way}", place=place),
        "lede": lede,
        "synthetic": words("synthetic.text") if content.is_synthetic else "",
        "layers": [(name, words(f"reach.layer.{name}")) for name in LAYERS],
        "people": people_table(document, words),
        "last": last_table(document, words),
        "notes": [
            words("reach.method", walk=f"{document['walk_m']:g}", transfers=document["max_transfers"], n=document["departures"]),
            words("reach.method.people"),
            privacy_text(content.publisher.base, words),
        ],
        "foot": words("foot", version=version("owlbus")),
        "data": script_json(_data(reach, content, words)),
        "leaflet_css": Markup(leaflet_style()),  # noqa: S704 - a file of this package
        "leaflet_js": Markup(leaflet_script()),  # noqa: S704 - as above
        "leaflet_licence": Markup(read_asset("leaflet-LICENSE.txt")),  # noqa: S704 - as above
        "js": Markup("".join(read_asset(name) for name in ("map_names.js", "map.js", "reach.js"))),  # noqa: S704 - as above
    }
    return render_page("reach", context, words)


def people_table(document: Mapping[str, Any], words: Translations) -> Table:
    """
    People within each limit, for half of the departures and for nine in ten.

    Parameters
    ----------
    document
        As for `reach_page`; people a night as they are printed.
    words
        The reader's language.

    Returns
    -------
    Table
        Minutes, people, and shares in percent.
    """
    base, none = document["min_count"], words("absent.none")
    rows = []
    for row in document["within"]:
        cells = [words("reach.min", min=row["limit_min"])]
        for kind in ("median", "bad_luck"):
            part = row[kind]
            share = part["people_share"]
            cells += [words.count(part["people"], base), none if share is None else words.percent(share)]
        rows.append(tuple(cells))
    head = (
        words("reach.within"),
        *(words(f"reach.{name}") for name in ("median.people", "median.share", "bad_luck.people", "bad_luck.share")),
    )
    return Table(words("reach.people"), head, tuple(rows), note=words("reach.people.note"))


def last_table(document: Mapping[str, Any], words: Translations) -> Table:
    """
    Hexes by the hour of their last bus.

    Parameters
    ----------
    document
        As for `reach_page`.
    words
        The reader's language.

    Returns
    -------
    Table
        Hours of the clock, and numbers of hexes.
    """
    rows = tuple((words.hour(row["hour"]), words.number(row["hexes"])) for row in document["last_buses"])
    way = document["direction"]
    return Table(words(f"reach.last.{way}"), (words("reach.hour"), words("reach.hexes")), rows, note=words("reach.last.note"))


def _data(reach: Reach, content: Content, words: Translations) -> dict[str, Any]:
    """Everything that the map draws: classes of hexes by layer, one digit each, and their times in words."""
    network, plan = content.network, content.best.plan
    minutes = [reach.hex_s(bad_luck=bad_luck) for bad_luck in (False, True)]
    last_hour = max(content.demand.hours[-1] + 1, -(-int(reach.last_s.max(initial=0)) // HOUR_S))
    edges_s = np.rint(np.linspace(content.demand.hours[0], last_hour, _N_SPANS + 1) * 4).astype(np.int64) * (HOUR_S // 4)
    by_limit = limit_texts(words)
    by_hour = [
        words("reach.class.none"),
        *(_span(low, high) for low, high in zip(edges_s[:-1].tolist(), edges_s[1:].tolist(), strict=True)),
    ]
    classes = [*(time_classes(column) for column in minutes), _last_classes(reach.last_s, edges_s)]
    hexes = {
        **hex_shapes(network.grid),
        "parts": [None, *(words(f"reach.layer.{name}") for name in LAYERS[1:])],
        "classes": ["".join(map(str, row.tolist())) for row in classes],
        "edges": [["", *texts[1:-1]] for texts in (by_limit, by_limit, by_hour)],
        "texts": [by_limit, by_limit, by_hour],
        "near": [],
        "minutes": [[None if s < 0 else -(-s // 60) for s in column.tolist()] for column in minutes],
        "last": ["" if s < 0 else clock_text(format_time(s)) for s in reach.last_s.tolist()],
    }
    return {
        **map_ground(content, words),
        "hexes": hexes,
        "net": None,
        "reference": None,
        "routes": [route_shape(network, plan, k, words.language) for k in range(len(plan))],
        "patterns": {"fewer": by_limit[0], "between": "{1}", "more": ""},
        "place": flat_line([[reach.query.lon, reach.query.lat]]),
        "titles": [words(f"reach.legend.{name}") for name in LAYERS],
        "reach": {name: words(f"reach.js.{name}") for name in ("place", "median", "bad_luck", "last", "min", "none")},
    }


def time_classes(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Class of each time.

    Parameters
    ----------
    seconds
        Shape (H,), -1 for none.

    Returns
    -------
    ndarray of int64
        Indices of `limit_texts`, shape (H,): most for the shortest, 1 for one above all limits, 0 for none.

    Examples
    --------
    >>> time_classes(np.array([-1, 1800, 1801, 9000])).tolist()
    [0, 5, 4, 1]
    """
    within = (seconds[:, None] <= np.array(LIMITS_S)).sum(axis=1) + 1
    return np.where(seconds < 0, 0, within)


def limit_texts(words: Translations) -> list[str]:
    """
    What the classes of times are called.

    Parameters
    ----------
    words
        The reader's language.

    Returns
    -------
    list of str
        Minutes, from none to the shortest.
    """
    return [words("reach.class.none"), words("reach.class.more"), *(words("reach.class.up_to", min=s // 60) for s in LIMITS_S[::-1])]


def _last_classes(last_s: NDArray[np.int64], edges_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class of each last bus by spans of the night, from 1; 0 for none."""
    return np.where(last_s < 0, 0, np.searchsorted(edges_s[1:-1], last_s, side="right") + 1)


def clock_text(text: str) -> str:
    """
    Hours and minutes of the clock.

    Parameters
    ----------
    text
        Time of the service night as HH:MM:SS, past 24:00:00.

    Returns
    -------
    str
        HH:MM.

    Examples
    --------
    >>> clock_text("26:30:00")
    '02:30'
    """
    hour, minute, _ = text.split(":")
    return f"{int(hour) % 24:02d}:{minute}"


def _span(low_s: int, high_s: int) -> str:
    """Span of the clock."""
    return f"{clock_text(format_time(low_s))}\N{EN DASH}{clock_text(format_time(high_s))}"


def default_query_time_s(hours: tuple[int, ...]) -> int:
    """
    Time of the night at which reach is told where nobody names one: half past the middle hour.

    Parameters
    ----------
    hours
        Service hours, ascending.

    Returns
    -------
    int
        Seconds since noon of the service date minus 12 h.

    Examples
    --------
    >>> default_query_time_s((24, 25, 26, 27, 28)) / 3600
    26.5
    """
    return hours[len(hours) // 2] * HOUR_S + HOUR_S // 2
