"""The map: what is drawn, with which classes, in how many bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from owlbus.common.errors import DataError
from owlbus.common.palette import ROUTE_COLOURS
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan import Plan, Route
from owlbus.plot.maps import draw_map, write_map
from owlbus.plot.style import (
    beside,
    people_classes,
    route_style,
    users_of_links,
)

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_lattice(HexGrid.cover([(127.0, 37.5), (127.05, 37.5), (127.05, 37.54), (127.0, 37.54)]))


@pytest.fixture(scope="module")
def plan(network: Network) -> Plan:
    paths = [network.shortest_path(0, network.n_stops - 1), network.shortest_path(network.n_stops // 2, 0)]
    return Plan(tuple(Route(path, f"N{k}") for k, path in enumerate(paths)), network.fingerprint)


def drawn(network: Network, plan: Plan) -> Figure:
    people = np.arange(network.grid.n_hexes, dtype=float) * 10
    return draw_map(
        network,
        people,
        plan,
        title="Two routes",
        note="Synthetic demand",
        water=([(127.0, 37.52), (127.05, 37.52)],),
        hills=[(127.02, 37.53, 600)],
    )


def texts_of(figure: Figure) -> set[str]:
    axes = figure.axes[0]
    legends = [legend for legend in figure.findobj() if type(legend).__name__ == "Legend"]
    found = {text.get_text() for text in (*axes.texts, *figure.texts)}
    return found | {text.get_text() for legend in legends for text in (legend.get_title(), *legend.get_texts())}


def test_a_map_names_routes_river_hills_classes_scale_and_what_is_synthetic(network: Network, plan: Plan) -> None:
    texts = texts_of(drawn(network, plan))
    assert {"Two routes", "Synthetic demand", "N0", "N1", "river", "hill or mountain", "people present a night", "routes", "1 km"} <= texts
    assert "fewer than 15" in texts


def test_every_hex_is_drawn_once(network: Network, plan: Plan) -> None:
    hexes = drawn(network, plan).axes[0].collections[0]
    assert len(hexes.get_paths()) == network.grid.n_hexes


def test_a_map_is_a_small_png_with_the_same_bytes_each_time(network: Network, plan: Plan, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_map(tmp_path / name, drawn(network, plan))
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert data[:4] == b"\x89PNG"
    assert len(data) < 300_000


def test_a_map_without_a_plan_shows_the_demand(network: Network, tmp_path: Path) -> None:
    figure = draw_map(network, np.zeros(network.grid.n_hexes), Plan((), network.fingerprint), title="Nobody")
    write_map(tmp_path / "map.png", figure)
    assert "fewer than 15" in texts_of(figure)


def test_presence_must_have_one_number_per_hex(network: Network, plan: Plan) -> None:
    with pytest.raises(DataError, match=r"presence must have one number per hex, shape \(\d+,\), got \(3,\)"):
        draw_map(network, [1, 2, 3], plan, title="x")


@pytest.mark.parametrize(
    ("people", "edges"),
    [
        ([0, 3, 14], [15.0]),
        ([15] * 9, [15.0]),
        (list(range(1001)), [15.0, 195.0, 405.0, 600.0, 795.0]),
        ([14.9, 20, 1e6], [15.0, 199_995.0]),
    ],
)
def test_classes_are_round_and_ascending_and_none_shows_a_small_count(people: list[float], edges: list[float]) -> None:
    classes, found = people_classes(people, 15)
    assert found == sorted(set(found))
    assert found[0] == 15
    assert found[: len(edges)] == edges
    assert all(edge % 15 == 0 for edge in found)
    assert not [k for k, few in enumerate(np.array(people) < 15) if few != (classes[k] == 0)]


def test_routes_on_one_link_lie_side_by_side() -> None:
    plan = Plan((Route([0, 1, 2], "a"), Route([2, 1, 3], "b")), "x")
    assert users_of_links(plan) == {(0, 1): [0], (1, 2): [0, 1], (1, 3): [1]}
    line = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert beside(line, 2).tolist() == [[0.0, 2.0], [10.0, 2.0]]
    assert beside(line[:1], 2).tolist() == [[0.0, 0.0]]


def test_the_tenth_route_is_told_from_the_first_by_its_dashes() -> None:
    n = len(ROUTE_COLOURS)
    assert len({str(route_style(k)) for k in range(3 * n)}) == 3 * n
