"""Names and streets on maps: none overlap, none is drawn as empty boxes, and streets are drawn once."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_hex

from owlbus.common.palette import STREET
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import Plan, Route
from owlbus.plot.labels import MOST_LETTERS, MapLabel, drawable, drawable_name, shortened
from owlbus.plot.maps import draw_map, write_map
from owlbus.plot.streets import street_lines, thinned_lines
from owlbus.records.places import Places
from owlbus.report.map_labels import map_labels
from owlbus.report.translations import read_translations
from owlbus.sample import sample_city

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = HexGrid.cover([(127.0, 37.5), (127.2, 37.5), (127.2, 37.6), (127.0, 37.6)])
HANGUL = "우이동도선사입구"


@pytest.fixture(scope="module")
def network() -> Network:
    """Streets between hex centres, with Hangul and Latin names."""
    plain = Network.from_lattice(GRID)
    names = tuple(f"{HANGUL}{k}" for k in range(plain.n_stops))
    return replace(plain, source="tables", stop_names=names, stop_names_latin=tuple(f"Dobong {k}" for k in range(plain.n_stops)))


@pytest.fixture(scope="module")
def plan(network: Network) -> Plan:
    ends = [(0, network.n_stops - 1), (0, network.n_stops // 2), (network.n_stops - 12, 12)]
    return Plan(tuple(Route(network.shortest_path(a, b), f"N{k}$") for k, (a, b) in enumerate(ends)), network.fingerprint)


def labels() -> list[MapLabel]:
    """Many names close together."""
    spots = [(127.01 + 0.006 * (k % 30), 37.51 + 0.016 * (k // 30)) for k in range(150)]
    return [MapLabel(f"Place {k}", lon, lat, is_area=k < 10) for k, (lon, lat) in enumerate(spots)] + [MapLabel(HANGUL, 127.1, 37.55)]


def drawn(network: Network, plan: Plan, names: list[MapLabel]) -> Figure:
    return draw_map(network, np.full(GRID.n_hexes, 40.0), plan, title=f"{HANGUL} of $5 and $6", labels=names)


def test_no_two_names_on_a_map_overlap_and_the_first_ones_win(network: Network, plan: Plan) -> None:
    figure = drawn(network, plan, labels())
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) > 20
    assert not [(texts[a].get_text(), texts[b].get_text()) for a in range(len(boxes)) for b in range(a) if boxes[a].overlaps(boxes[b])]
    frame = figure.axes[0].get_window_extent()
    assert all(frame.x0 - 1 <= box.x0 and box.x1 <= frame.x1 + 1 for box in boxes)
    fewer = {text.get_text() for text in drawn(network, plan, labels()[:10]).axes[0].texts}
    assert {text for text in fewer if text.startswith("Place")} <= {text.get_text() for text in texts}


def test_routes_are_named_at_both_ends_and_along_and_their_terminals_too(network: Network, plan: Plan) -> None:
    texts = [text.get_text() for text in drawn(network, plan, []).axes[0].texts]
    assert all(texts.count(route.name) >= 3 for route in plan)
    ends = {drawable_name(network, int(route.stops[end])) for route in plan for end in (0, -1)}
    assert len(ends & set(texts)) >= len(ends) - 1


def test_no_text_of_a_picture_lacks_a_glyph(network: Network, plan: Plan, recwarn: pytest.WarningsRecorder) -> None:
    local = replace(network, stop_names_latin=())
    hangul = Plan(tuple(Route(route.stops, f"심야{k}") for k, route in enumerate(plan)), local.fingerprint)
    figure = drawn(local, hangul, labels())
    write_map(io.BytesIO(), figure)  # type: ignore[arg-type]
    shown = [text.get_text() for text in (*figure.texts, *figure.axes[0].texts)]
    assert all(drawable(text) == text for text in shown)
    assert "R1" in shown
    assert not [warning for warning in recwarn.list if "missing from" in str(warning.message)]


def test_a_name_is_drawn_in_latin_letters_else_as_it_is_else_not_at_all(network: Network) -> None:
    assert drawable_name(network, 0) == "Dobong 0"
    assert drawable_name(replace(network, stop_names_latin=()), 0) == ""
    assert drawable_name(replace(network, stop_names=tuple(map(str, range(network.n_stops))), stop_names_latin=()), 3) == "3"
    assert drawable(HANGUL, "x") == "x"
    assert len(shortened("Banghwadongdosigaebal11danji")) == MOST_LETTERS


def test_the_same_map_gives_the_same_bytes(network: Network, plan: Plan) -> None:
    digests = set()
    for _ in range(2):
        data = io.BytesIO()
        write_map(data, drawn(network, plan, labels()))  # type: ignore[arg-type]
        digests.add(hashlib.sha256(data.getvalue()).hexdigest())
    assert len(digests) == 1


def test_streets_are_pale_lines_under_the_routes_and_a_lattice_has_none(network: Network, plan: Plan) -> None:
    def n_streets(one: Network) -> int:
        same = Plan(plan.routes, one.fingerprint)
        collections = drawn(one, same, []).axes[0].collections
        return sum(
            len(found.get_paths()) for found in collections if len(found.get_edgecolor()) and to_hex(found.get_edgecolor()[0]) == STREET
        )

    assert n_streets(network) > 0
    assert n_streets(replace(network, source="lattice")) == 0


def test_each_street_is_drawn_once(network: Network) -> None:
    lines = street_lines(network)
    ends = {tuple(np.round(point, 7)) for line in lines for point in line}
    pieces = [frozenset((tuple(np.round(a, 7)), tuple(np.round(b, 7)))) for line in lines for a, b in pairwise(line)]
    assert len(pieces) == len(set(pieces)) == network.n_links // 2
    assert len(ends) == network.n_stops
    assert len(lines) < len(pieces) / 3, "links are joined to long lines"


def test_straight_expresses_past_other_stops_are_no_streets() -> None:
    lon = [127.01 + 0.01 * k for k in range(5)]
    nodes = {"stop_id": list("abcde"), "lon": lon, "lat": [37.55] * 5}
    local = {"from_stop": list("abcd"), "to_stop": list("bcde"), "metres": [900] * 4}
    express = {"from_stop": [*"abcd", "a"], "to_stop": [*"bcde", "e"], "metres": [900] * 4 + [3600]}
    detour = {"from_stop": [*"abcd", "a"], "to_stop": [*"bcde", "e"], "metres": [1500] * 4 + [3600]}
    points = [sum(map(len, street_lines(Network.from_tables(nodes, links, GRID)))) for links in (local, express, detour)]
    assert points[0] == points[1] < points[2]


def test_streets_are_thinned_until_they_fit_or_left_out(network: Network) -> None:
    lines = street_lines(network)
    all_points = sum(map(len, lines))
    assert sum(map(len, thinned_lines(lines, 1e-9, all_points))) <= all_points
    assert thinned_lines(lines, 1e-9, 3) == []


def test_names_of_districts_come_first_and_in_the_readers_language() -> None:
    city = sample_city()
    english, korean = (map_labels(city, None, read_translations(language)) for language in ("en", "ko"))
    assert [label.is_area for label in english] == [True] * 25 + [False] * 48
    assert [label.text for label in english] != [label.text for label in korean]
    places = Places(("홍대", "강남"), [126.92, 127.03], [37.55, 37.5], ("Hongdae", ""), [1.0, 5.0])
    assert [label.text for label in map_labels(None, places, read_translations("en"))] == ["강남", "Hongdae"]
    assert [label.text for label in map_labels(None, places, read_translations("ko"))] == ["강남", "홍대"]
    assert map_labels(None, None, read_translations("en")) == []
