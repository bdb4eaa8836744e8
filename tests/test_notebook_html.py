"""What a notebook shows for a value: well-formed, small, without requests and without small counts."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from owlbus.common import notebook_html
from owlbus.common.disclosure import EXACT
from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import Plan, Route
from owlbus.score import score_plan
from owlbus.search import plan_routes
from owlbus.search.stopping import MaxSteps


def parsed(html: str) -> ET.Element:
    return ET.fromstring(html)  # noqa: S314 - text that this package wrote


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_lattice(HexGrid.cover([(127.0, 37.5), (127.05, 37.5), (127.05, 37.54), (127.0, 37.54)]))


@pytest.fixture(scope="module")
def demand(network: Network) -> Demand:
    n = network.grid.n_hexes
    hexes = np.arange(n, dtype=np.int32)
    return Demand(n, hour=np.full(n, 24), origin=hexes, destination=(hexes + n // 2) % n, trips=np.full(n, 20.0))


def test_every_main_type_shows_a_table_and_no_request(network: Network, demand: Demand) -> None:
    result = plan_routes(network, demand, 2, stop_when=(MaxSteps(200),))
    card = score_plan(network, demand, result.plan)
    for value in (network.grid, network, demand, result.plan, result, card):
        html = value._repr_html_()
        tree = parsed(html)
        assert tree.find(".//table") is not None
        assert not re.search(r"https?:|src=|<script|url\(", html)
        assert len(html) < 100_000
        assert tree.find(".//svg") is not None or isinstance(value, Plan)
        for svg in tree.findall(".//svg"):
            assert svg.get("aria-label")


def test_a_map_has_a_place_for_every_hex_and_every_link(network: Network) -> None:
    paths = [path.get("d", "") for path in parsed(network._repr_html_()).findall(".//path")]
    assert [path.count("M") for path in paths] == [network.n_links // 2, network.n_stops]
    assert parsed(network.grid._repr_html_()).findall(".//path")[0].get("d", "").count("M") == network.grid.n_hexes


def test_names_are_text() -> None:
    html = Plan((Route([0, 1], "<script>&"),), "x")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;&amp;" in html
    assert parsed(html) is not None


def test_counts_of_demand_are_multiples_of_the_base() -> None:
    few = Demand(3, hour=[24, 25, 26], origin=[0, 0, 0], destination=[1, 1, 1], trips=[14.0, 31.0, 44.0])
    html = few._repr_html_()
    assert [html.count(text) for text in (">30<", ">75<", "&lt;15<")] == [2, 1, 4], "two hours; all trips; three hours and nobody"
    assert [few.to_html(EXACT).count(text) for text in (">14<", ">31<", ">44<", ">89<")] == [1, 1, 1, 1]


def test_a_card_shows_the_numbers_of_its_json(network: Network, demand: Demand) -> None:
    plan = Plan((Route(network.shortest_path(0, network.n_stops - 1), "N1"),), network.fingerprint)
    card = score_plan(network, demand, plan)
    assert f">{card.to_dict()['served']['share']:.1%}<" in card._repr_html_()


@pytest.mark.parametrize(
    "html", [notebook_html.dots([], [], 1), notebook_html.curve([1.0], name="x"), notebook_html.bars([], [], [], name="x")]
)
def test_nothing_is_drawn_of_nothing(html: str) -> None:
    assert html == ""


def test_one_place_and_equal_values_are_drawn() -> None:
    assert parsed(notebook_html.dots([5.0], [5.0], 1)) is not None
    assert parsed(notebook_html.curve([0.0, 0.0], name="x", upper=[1.0, 1.0])).findall(".//polyline")[1].get("stroke-dasharray")
    assert parsed(notebook_html.bars(["a"], [0.0], ["0"], name="x")) is not None
