"""Where one gets from a place as one page: a map of the hexes by time, people within reach, and the last bus of every hex."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import HOUR_S, format_time
from owlbus.report.map_data import flat_line, hex_shapes, map_ground, route_shape
from owlbus.report.page import map_assets, script_json
from owlbus.report.reach_tables import clock_text, last_table, limit_texts, people_table, time_classes
from owlbus.report.section_page import privacy_text, render_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.report.content import Content
    from owlbus.report.translations import Translations
    from owlbus.timetable.reach_times import Reach

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
        **map_assets("reach.js"),
    }
    return render_page("reach", context, words)


def _data(reach: Reach, content: Content, words: Translations) -> dict[str, Any]:
    """Everything that the map draws: classes of hexes by layer, one digit each, and their times in words."""
    network, plan = content.network, content.best.plan
    hexes = _hex_data(reach, content, words)
    return {
        **map_ground(content, words),
        "hexes": hexes,
        "net": None,
        "reference": None,
        "routes": [route_shape(network, plan, k, words.language) for k in range(len(plan))],
        "patterns": {"fewer": hexes["texts"][0][0], "between": "{1}", "more": ""},
        "place": flat_line([[reach.query.lon, reach.query.lat]]),
        "titles": [words(f"reach.legend.{name}") for name in LAYERS],
        "reach": {name: words(f"reach.js.{name}") for name in ("place", "median", "bad_luck", "last", "min", "none")},
    }


def _hex_data(reach: Reach, content: Content, words: Translations) -> dict[str, Any]:
    """Shapes of the hexes, their classes by layer, one digit each, with the texts of these, and their times."""
    minutes = [reach.hex_s(bad_luck=bad_luck) for bad_luck in (False, True)]
    last_hour = max(content.demand.hours[-1] + 1, -(-int(reach.last_s.max(initial=0)) // HOUR_S))
    edges_s = np.rint(np.linspace(content.demand.hours[0], last_hour, _N_SPANS + 1) * 4).astype(np.int64) * (HOUR_S // 4)
    by_limit = limit_texts(words)
    by_hour = [
        words("reach.class.none"),
        *(_span(low, high) for low, high in zip(edges_s[:-1].tolist(), edges_s[1:].tolist(), strict=True)),
    ]
    classes = [*(time_classes(column) for column in minutes), _last_classes(reach.last_s, edges_s)]
    return {
        **hex_shapes(content.network.grid),
        "parts": [None, *(words(f"reach.layer.{name}") for name in LAYERS[1:])],
        "classes": ["".join(map(str, row.tolist())) for row in classes],
        "edges": [["", *texts[1:-1]] for texts in (by_limit, by_limit, by_hour)],
        "texts": [by_limit, by_limit, by_hour],
        "near": [],
        "minutes": [[None if s < 0 else -(-s // 60) for s in column.tolist()] for column in minutes],
        "last": ["" if s < 0 else clock_text(format_time(s)) for s in reach.last_s.tolist()],
    }


def _last_classes(last_s: NDArray[np.int64], edges_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class of each last bus by spans of the night, from 1; 0 for none."""
    return np.where(last_s < 0, 0, np.searchsorted(edges_s[1:-1], last_s, side="right") + 1)


def _span(low_s: int, high_s: int) -> str:
    """Span of the clock."""
    return f"{clock_text(format_time(low_s))}\N{EN DASH}{clock_text(format_time(high_s))}"
