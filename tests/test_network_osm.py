"""Networks from OpenStreetMap: what tags mean for a bus, and routes that keep to open streets, their direction and allowed turns."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from owlbus.common.errors import DataError, UsageError
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network, check_network, read_paths
from owlbus.network.geodesy import metres_between
from owlbus.network.osm_tags import (
    blocks_buses,
    bus_way,
    is_bus_stop,
    is_walkable,
    turn_rule,
)
from owlbus.network.turn_restrictions import Pieces, with_turns
from owlbus.pipeline import Sources
from owlbus.pipeline.study import build_network

if TYPE_CHECKING:
    from pathlib import Path

    from owlbus.network.walk_sheds import WalkGraph

pytest.importorskip("osmium", reason="needs the extra owlbus[osm]")

GRID = HexGrid.cover([(10.0, 50.0), (10.03, 50.0), (10.03, 50.02), (10.0, 50.02)], radius_m=250)
BLOCK_M, SIDE = 300.0, 4


# tags ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "forward", "backward"),
    [
        ("highway=primary", 1, 1),
        ("highway=primary oneway=yes", 1, 0),
        ("highway=primary oneway=-1", 0, 1),
        ("highway=primary oneway=yes oneway:bus=no", 1, 1),
        ("highway=primary oneway=yes oneway:psv=no oneway:bus=yes", 1, 0),
        ("highway=primary oneway=yes busway:left=opposite_lane", 1, 1),
        ("highway=primary oneway=-1 busway=opposite_lane", 1, 1),
        ("highway=primary oneway=yes lanes:psv:backward=1", 1, 1),
        ("highway=primary oneway=no lanes:psv:backward=0", 1, 1),
        ("highway=primary oneway=yes bus:backward=designated", 1, 1),
        ("highway=primary motor_vehicle:backward=no", 1, 0),
        ("highway=primary motor_vehicle:backward=no bus:backward=yes", 1, 1),
        ("highway=primary junction=roundabout", 1, 0),
        ("highway=motorway", 1, 0),
        ("highway=motorway oneway=no", 1, 1),
        ("highway=residential access=private bus=yes", 1, 1),
        ("highway=service psv=designated", 1, 1),
        ("highway=primary motor_vehicle=no psv=yes", 1, 1),
        ("highway=primary maxheight=3.2 maxweight=12 width=2.75", 1, 1),
        ("highway=primary maxheight=2.5 bus=yes", 1, 1),
        ("highway=primary maxheight=default width=wide", 1, 1),
        ("highway=primary maxheight=11'6\"", 1, 1),
        ("highway=busway access=no", 1, 1),
        ("highway=busway motor_vehicle=no bus=designated", 1, 1),
        ("highway=bus_guideway vehicle=no oneway=yes", 1, 0),
        ("highway=bus_guideway access=no psv=yes oneway=-1", 0, 1),
        ("highway=service access=no bus=designated", 1, 1),
        ("highway=pedestrian bus:forward=designated", 1, 0),
        ("highway=pedestrian vehicle=no psv:backward=yes", 0, 1),
        ("highway=primary access=no bus:backward=yes", 0, 1),
        ("highway=primary oneway=reversible oneway:bus=yes", 1, 0),
        ("highway=primary oneway=yes oneway:psv=no", 1, 1),
        ("highway=primary oneway:bus=-1", 0, 1),
        ("highway=primary oneway=yes psv:oneway=no", 1, 1),
        ("highway=primary oneway:motor_vehicle=yes", 1, 0),
        ("highway=primary oneway:motor_vehicle=yes oneway:bus=no", 1, 1),
        ("highway=primary oneway:bicycle=yes", 1, 1),
        ("highway=primary oneway=yes busway=opposite", 1, 1),
        ("highway=primary oneway=yes busway:both=opposite_track", 1, 1),
        ("highway=primary oneway=yes bus:lanes:backward=designated", 1, 1),
        ("highway=primary oneway=yes psv:lanes:backward=no|designated", 1, 1),
        ("highway=primary oneway=yes bus:lanes:backward=no|no", 1, 0),
        ("highway=primary oneway=yes bus:lanes:forward=designated", 1, 0),
        ("highway=residential motor_vehicle=no psv=yes oneway=yes", 1, 0),
    ],
)
def test_a_bus_may_drive_where_the_most_specific_tag_lets_it(tags: str, forward: int, backward: int) -> None:
    use = bus_way(dict(tag.split("=", 1) for tag in tags.split()))
    assert not isinstance(use, str)
    assert (use.forward, use.backward) == (bool(forward), bool(backward))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("highway=footway", "not a street for motor vehicles"),
        ("highway=construction", "not a street for motor vehicles"),
        ("highway=pedestrian area=yes bus=yes", "not a street for motor vehicles"),
        ("highway=service", "service, living or pedestrian street not tagged for buses"),
        ("highway=living_street motor_vehicle=yes", "service, living or pedestrian street not tagged for buses"),
        ("highway=primary access=no", "closed to buses"),
        ("highway=primary vehicle=destination", "closed to buses"),
        ("highway=primary motor_vehicle=yes bus=no", "closed to buses"),
        ("highway=primary motor_vehicle=emergency", "closed to buses"),
        ("highway=busway bus=no", "closed to buses"),
        ("highway=bus_guideway psv=no", "closed to buses"),
        ("highway=service psv=yes bus=no", "closed to buses"),
        ("highway=pedestrian access=no motor_vehicle=yes", "service, living or pedestrian street not tagged for buses"),
        ("highway=pedestrian oneway=yes bus:backward=no bus:forward=no psv=yes", "closed to buses"),
        ("highway=primary maxheight=3.1", "too narrow, low or weak for a bus"),
        ("highway=primary maxheight=10'0\"", "too narrow, low or weak for a bus"),
        ("highway=primary maxweight=7.5", "too narrow, low or weak for a bus"),
        ("highway=primary width=2,5", "too narrow, low or weak for a bus"),
        ("highway=primary oneway=reversible", "no direction open to buses"),
    ],
)
def test_a_bus_may_not_drive_where_a_tag_or_its_size_forbids_it(tags: str, reason: str) -> None:
    assert bus_way(dict(tag.split("=", 1) for tag in tags.split())) == reason


@pytest.mark.parametrize(
    ("limit", "kmh"),
    [
        ("30", 30),
        ("20 mph", 32.18688),
        ("30 mph", 48.28032),
        ("30mph", 48.28032),
        ("20 knots", 37.04),
        ("40 km/h", 40),
        ("120", 62.5),
        ("2", 5),
        ("walk", 7),
        ("DE:walk", 7),
        ("DE:living_street", 7),
        ("none", 50),
        ("signals", 50),
        ("variable", 50),
        ("DE:urban", 50),
        ("RU:urban", 60),
        ("GB:nsl_restricted", 48.28),
        ("DE:rural", 50),
        ("GB:nsl_single", 50),
        ("DE:zone:30", 30),
        ("AT:zone30", 30),
        ("BE-VLG:zone:20", 20),
        ("DE:bicycle_road", 30),
        ("gb:zone:20", 32.18688),
        ("50;30", 50),
        ("30; 50", 30),
        ("fast", 50),
        ("", 50),
    ],
)
def test_free_speed_is_the_limit_up_to_a_quarter_above_the_usual_one(limit: str, kmh: float) -> None:
    use = bus_way({"highway": "primary", "maxspeed": limit})
    assert not isinstance(use, str)
    assert use.kmh == pytest.approx(kmh)


def test_barriers_stops_walkers_and_rules_are_read_by_their_tags() -> None:
    assert blocks_buses({"barrier": "bollard"})
    assert not blocks_buses({"barrier": "bollard", "bus": "yes"})
    assert not blocks_buses({"barrier": "gate"})
    assert blocks_buses({"barrier": "gate", "access": "private"})
    assert is_bus_stop({"highway": "bus_stop"})
    assert is_bus_stop({"public_transport": "platform", "trolleybus": "yes"})
    assert not is_bus_stop({"public_transport": "platform", "tram": "yes"})
    assert is_walkable({"highway": "footway"})
    assert is_walkable({"highway": "cycleway", "foot": "designated"})
    assert not any(is_walkable({"highway": kind}) for kind in ("motorway", "cycleway", "trunk", "construction"))
    assert not is_walkable({"highway": "path", "access": "private"})
    assert turn_rule({"restriction": "no_left_turn"}) == "no_left_turn"
    assert turn_rule({"restriction": "no_left_turn", "except": "taxi; bus"}) is None
    assert turn_rule({"restriction": "no_left_turn", "except": "psv", "restriction:bus": "only_straight_on"}) == "only_straight_on"


def test_metres_are_those_of_the_projection() -> None:
    lon, lat = np.array([10.0, 10.01, 10.013]), np.array([50.0, 50.0, 50.015])
    x, y = GRID.project(lon, lat)
    found = metres_between(lon, lat, np.array([0, 1]), np.array([1, 2]))
    assert found == pytest.approx(np.hypot(np.diff(x), np.diff(y)), rel=1e-4)


@pytest.mark.parametrize(
    ("limits", "kmh"),
    [
        ("maxspeed=60 maxspeed:bus=30", 30),
        ("maxspeed=40 maxspeed:psv=60", 40),
        ("maxspeed:forward=40 maxspeed:backward=20", 20),
        ("maxspeed=none maxspeed:bus=20", 20),
        ("maxspeed=fast maxspeed:bus=20", 20),
        ("maxspeed:hgv=20", 50),
    ],
)
def test_of_several_limits_a_bus_keeps_to_the_lowest_that_is_for_it(limits: str, kmh: float) -> None:
    use = bus_way({"highway": "primary"} | dict(tag.split("=", 1) for tag in limits.split()))
    assert not isinstance(use, str)
    assert use.kmh == kmh


# a town of 4 x 4 junctions ------------------------------------------------------------------------------------------------

WAYS = {
    "both": ("<tag k='highway' v='primary'/>", (True, True)),
    "along": ("<tag k='highway' v='secondary'/><tag k='oneway' v='yes'/>", (True, False)),
    "against": ("<tag k='highway' v='tertiary'/><tag k='oneway' v='-1'/>", (False, True)),
    "bus": ("<tag k='highway' v='primary'/><tag k='oneway' v='yes'/><tag k='oneway:bus' v='no'/>", (True, True)),
    "closed": ("<tag k='highway' v='primary'/><tag k='motor_vehicle' v='no'/>", (False, False)),
    "foot": ("<tag k='highway' v='footway'/>", (False, False)),
}
STREETS = [
    (k, k + step) for k in range(SIDE * SIDE) for step in (1, SIDE) if (step == SIDE or k % SIDE < SIDE - 1) and k + step < SIDE * SIDE
]
Town = tuple[list[str], list[int], list[tuple[int, tuple[int, ...], int, bool]]]


def place(node: int) -> np.ndarray:
    """Metres of a junction."""
    return np.array([(node % SIDE - 1.5) * BLOCK_M, (node // SIDE - 1.5) * BLOCK_M])


def osm(town: Town) -> str:
    """
    The town as an OpenStreetMap file: street k is way k + 1, a stop lies 8 m beside the middle of a street, and some turns are ruled.

    A rule names its first street, the junctions it leads over (of several, the streets between them are its via), its last street, and
    whether it is the only way.
    """
    kinds, stops, rules = town
    text = ["<osm version='0.6'>"]

    def node(number: int, at: np.ndarray, tags: str = "") -> str:
        lon, lat = GRID.unproject(at[:1], at[1:])
        return f"<node id='{number}' version='1' lon='{lon[0]:.8f}' lat='{lat[0]:.8f}'>{tags}</node>"

    text += [node(k + 1, place(k)) for k in range(SIDE * SIDE)]
    for k in stops:
        a, b = (place(end) for end in STREETS[k])
        beside = (a + b) / 2 + np.array([8.0, 8.0])
        text.append(node(100 + k, beside, f"<tag k='highway' v='bus_stop'/><tag k='name' v='stop {k}'/>"))
    for k, (a, b) in enumerate(STREETS):
        text.append(f"<way id='{k + 1}' version='1'><nd ref='{a + 1}'/><nd ref='{b + 1}'/>{WAYS[kinds[k]][0]}</way>")
    for number, (first, over, second, is_only) in enumerate(rules):
        via = [STREETS.index((min(a, b), max(a, b))) + 1 for a, b in pairwise(over)] or [over[0] + 1]
        kind = "way" if len(over) > 1 else "node"
        members = f"<member type='way' ref='{first + 1}' role='from'/>"
        members += "".join(f"<member type='{kind}' ref='{ref}' role='via'/>" for ref in via[::-1])  # in no order
        members += f"<member type='way' ref='{second + 1}' role='to'/>"
        rule = "only_straight_on" if is_only else "no_left_turn" if first != second else "no_u_turn"
        text.append(
            f"<relation id='{number + 1}' version='1'>{members}<tag k='type' v='restriction'/><tag k='restriction' v='{rule}'/></relation>"
        )
    return "\n".join([*text, "</osm>"])


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Streets of every kind, a stop in the middle of most, and rules for some turns."""
    kinds = draw(st.lists(st.sampled_from(["both", "both", "both", *WAYS]), min_size=len(STREETS), max_size=len(STREETS)))
    stops = sorted(draw(st.sets(st.integers(0, len(STREETS) - 1), min_size=6)))
    rules = []
    for via, is_only, seed, n_streets in draw(
        st.lists(
            st.tuples(st.integers(0, SIDE * SIDE - 1), st.booleans(), st.integers(0, 2**16), st.integers(0, 2)),
            max_size=5,
            unique_by=lambda rule: rule[0],
        )
    ):
        over = [via]
        for _ in range(n_streets):
            over.append(max(set(beside(over[-1])) - set(over), key=lambda node: (node * 2654435761 + seed) % 97))
        here, there = ([STREETS.index((min(at, b), max(at, b))) for b in beside(at) if b not in over] for at in (over[0], over[-1]))
        if here and there:
            rules.append((here[seed % len(here)], tuple(over), there[seed // 7 % len(there)], is_only))
    return kinds, stops, rules


def beside(node: int) -> list[int]:
    """Junctions next to one."""
    return [sum(pair) - node for pair in STREETS if node in pair]


def allowed(town: Town) -> set[tuple[int, int]]:
    """Pairs of junctions that a bus may drive between, in this direction."""
    pairs = set()
    for kind, (a, b) in zip(town[0], STREETS, strict=True):
        pairs |= {(a, b)} if WAYS[kind][1][0] else set()
        pairs |= {(b, a)} if WAYS[kind][1][1] else set()
    return pairs


def forbidden(town: Town) -> set[tuple[int, ...]]:
    """Ways over junctions that a rule forbids."""
    open_pairs, found = allowed(town), set()
    for first, over, second, is_only in town[2]:
        before, target = sum(STREETS[first]) - over[0], sum(STREETS[second]) - over[-1]
        way = (before, *over, target)
        if not all(pair in open_pairs for pair in pairwise(way)):
            continue  # nobody can drive it, so that nothing is forbidden, nor anything else instead
        if is_only:
            found |= {(*way[:k], b) for k in range(2, len(way)) for a, b in open_pairs if a == way[k - 1] and b != way[k]}
        else:
            found.add(way)
    return found


def drawn(town: Town, folder: Path, **settings: Any) -> Network | None:  # noqa: ANN401  # settings of from_osm
    """Network of the town, or None where fewer than two stops are connected."""
    path = folder / "town.osm"
    path.write_text(osm(town), encoding="utf-8")
    try:
        return Network.from_osm(path, GRID, **settings)
    except DataError as error:
        assert "two connected stops" in str(error) or "no street that buses may use" in str(error)  # noqa: PT017
        return None


def driven(points: np.ndarray, town: Town, halts: np.ndarray) -> list[tuple[int, ...]]:
    """
    Junctions that a line runs over or heads for, in order; every step must lie on an open street, in its direction.

    A new row begins where it turns round between two junctions, which it may do at a stop only.
    """
    streets = sorted(allowed(town))
    begin, end = (np.array([place(pair[side]) for pair in streets]) for side in (0, 1))
    way = (end - begin) / BLOCK_M
    found: list[tuple[int, ...]] = []
    for here, there in pairwise(points):
        first, second = (((point - begin) * way).sum(axis=1) for point in (here, there))
        off = np.maximum(*(np.hypot(*(begin + along[:, None] * way - point).T) for along, point in ((first, here), (second, there))))
        on = np.flatnonzero((off < 0.05) & (first > -0.05) & (second < BLOCK_M + 0.05) & (second > first))
        assert on.size == 1, "each step runs along one open street, the right way"
        street = streets[on[0]]
        if not found:
            found.append(street)
        elif found[-1][-2:] == street[::-1] and np.hypot(*(place(street[0]) - here)) > 0.05:
            assert np.hypot(*(halts - here).T).min() < 0.05, "a bus turns round at stops and junctions only"
            found.append(street)
        elif found[-1][-2:] != street:
            assert found[-1][-1] == street[0], "streets follow each other at a junction"
            found[-1] = (*found[-1], street[1])
    return found


@settings(max_examples=60)
@given(towns(), st.sampled_from([0.0, 400.0]), st.integers(0, 2**32 - 1))
def test_random_routes_keep_to_open_streets_their_direction_and_allowed_turns(
    tmp_path_factory: pytest.TempPathFactory, town: Town, spacing_m: float, seed: int
) -> None:
    network = drawn(town, tmp_path_factory.mktemp("town"), spacing_m=spacing_m, max_link_s=100_000)
    if network is None:
        return
    rng, no = np.random.default_rng(seed), forbidden(town)
    halts = np.stack(GRID.project(network.stop_lon, network.stop_lat), axis=1)
    assert check_network(network).findings[0].count == 0
    for _ in range(4):
        stops = [int(rng.integers(network.n_stops))]
        for _ in range(8):
            row = slice(network.link_indptr[stops[-1]], network.link_indptr[stops[-1] + 1])
            stops.append(int(rng.choice(network.link_to[row])))
        for ride in (stops, stops[::-1]):
            for u, v in pairwise(ride):
                line = network.link_line(u, v)
                points = np.stack(GRID.project(line[:, 0], line[:, 1]), axis=1)
                for way in driven(points, town, halts):
                    assert not any(way[k : k + len(rule)] == rule for rule in no for k in range(len(way)))
                metres = np.hypot(*np.diff(points, axis=0).T).sum()
                assert abs(metres - network.link(u, v)[1]) <= 1


@settings(max_examples=25)
@given(towns())
def test_without_rules_rides_take_as_long_as_on_the_plain_streets(tmp_path_factory: pytest.TempPathFactory, town: Town) -> None:
    """Stops are the middles of streets: each street is two halves in a plain graph of networkx."""
    plain: Town = (town[0], town[1], [])
    network = drawn(plain, tmp_path_factory.mktemp("town"), spacing_m=0, merge_m=0, stretch=1.0, speed_kmh=None, max_link_s=100_000)
    if network is None:
        return
    kmh = {"both": 50, "along": 45, "against": 40, "bus": 50}
    graph = nx.DiGraph()
    for k, (a, b) in enumerate(STREETS):
        half = BLOCK_M / 2 * 3.6 / kmh.get(plain[0][k], 1)
        for pair in {(a, b), (b, a)} & allowed(plain):
            graph.add_edge(pair[0], f"stop {k}", s=half)
            graph.add_edge(f"stop {k}", pair[1], s=half)
    for u, name in enumerate(network.stop_names):
        reach = nx.single_source_dijkstra_path_length(graph, name, weight="s")
        assert all(
            abs(network.drive_s[u, v] - reach[other]) <= 0.5 * len(network.shortest_path(u, v)) + 0.1
            for v, other in enumerate(network.stop_names)
        )


ALL = (["both"] * len(STREETS), [0, 5, 10, 15, 20], [])


def test_a_mapped_stop_moves_to_its_street_and_keeps_its_name(tmp_path: Path) -> None:
    network = drawn(ALL, tmp_path, spacing_m=0)
    assert network is not None
    assert set(network.stop_names) == {f"stop {k}" for k in ALL[1]}
    assert network.source == "osm"
    assert network.report is not None
    assert dict(network.report.counts)["stops mapped"] == 5
    far = drawn(ALL, tmp_path, spacing_m=0, night_factor=0.5)
    assert far is not None
    assert (2 * far.link_s - network.link_s <= 1).all()


def test_turns_forbidden_by_way_of_a_further_street_are_counted_apart(tmp_path: Path) -> None:
    network = drawn((*ALL[:2], [(0, (1,), 2, False), (0, (15,), 2, False), (0, (1, 2), 4, False)]), tmp_path)
    assert network is not None
    assert network.report is not None
    counts = dict(network.report.counts)
    assert counts["turn restrictions that hold for buses"] == 3
    assert counts["of these by way of a further street"] == 1
    assert counts["of these not understood or off the streets in use"] == 1


# a street of two carriageways, 70 m apart: eastwards from 1 by 2 to 3, westwards from 4 by 5 to 6; 2 and 5 are joined, and the joint goes
# on to 8 in the south and to 7 in the north; 3 leads round to 4 in 4.5 km, 7 to 6 and 6 to 1
CROSSING = {1: (-400, 0), 2: (0, 0), 3: (400, 0), 4: (400, 70), 5: (0, 70), 6: (-400, 70), 7: (0, 470), 8: (0, -400), 9: (2000, 35)}
JOINED = [
    ((1, 2), "yes"), ((2, 3), "yes"), ((4, 5), "yes"), ((5, 6), "yes"), ((2, 5), "no"), ((5, 7), "no"), ((2, 8), "no"), ((3, 9), "no"),
    ((9, 4), "no"), ((6, 1), "no"), ((7, 6), "no"),
]  # fmt: skip


def crossing(folder: Path, rule: str, first: int, second: int, via: str = "<member type='way' ref='5' role='via'/>") -> Network:
    """Streets of the crossing with one rule from one way over the joint to another; stops in the middle of ways 1, 4, 6 and 7."""
    text = ["<osm version='0.6'>"]
    spots = CROSSING | {10 + k: tuple(np.mean([CROSSING[n] for n in JOINED[k - 1][0]], axis=0)) for k in (1, 4, 6, 7)}
    for number, (x, y) in spots.items():
        lon, lat = GRID.unproject(np.array([float(x)]), np.array([float(y)]))
        tags = f"<tag k='highway' v='bus_stop'/><tag k='name' v='{number - 10}'/>" if number >= 10 else ""
        text.append(f"<node id='{number}' version='1' lon='{lon[0]:.8f}' lat='{lat[0]:.8f}'>{tags}</node>")
    for number, ((a, b), one) in enumerate(JOINED):
        tags = f"<tag k='highway' v='primary'/><tag k='oneway' v='{one}'/>"
        text.append(f"<way id='{number + 1}' version='1'><nd ref='{a}'/><nd ref='{b}'/>{tags}</way>")
    members = f"<member type='way' ref='{first}' role='from'/>{via}<member type='way' ref='{second}' role='to'/>"
    tags = f"<tag k='type' v='restriction'/><tag k='restriction' v='{rule}'/>"
    text += [f"<relation id='1' version='1'>{members}{tags}</relation>"] if rule else []
    (folder / "crossing.osm").write_text("\n".join([*text, "</osm>"]), encoding="utf-8")
    return Network.from_osm(folder / "crossing.osm", GRID, spacing_m=0, speed_kmh=None, merge_m=0, stretch=1.0, max_link_s=100_000)


def metres_from(network: Network, first: str, second: str) -> int:
    """Metres of the fastest way between two stops, by name."""
    stops = network.shortest_path(network.stop_names.index(first), network.stop_names.index(second)).tolist()
    return sum(network.link(u, v)[1] for u, v in pairwise(stops))


def test_a_u_turn_by_way_of_a_joint_is_forbidden_where_a_rule_says_so_and_other_ways_over_the_joint_stay_open(tmp_path: Path) -> None:
    free, ruled = crossing(tmp_path, "", 0, 0), crossing(tmp_path, "no_u_turn", 1, 4)
    assert metres_from(free, "1", "4") == pytest.approx(200 + 70 + 200, abs=90)
    assert metres_from(ruled, "1", "4") > metres_from(free, "1", "4") + 350, "on to the stop in the north, where a bus may turn round"
    for first, second in (("1", "6"), ("7", "4"), ("7", "6"), ("6", "4"), ("1", "7")):
        assert metres_from(ruled, first, second) == metres_from(free, first, second)


def test_an_only_way_over_a_joint_is_the_only_one_from_its_first_street(tmp_path: Path) -> None:
    free, ruled = crossing(tmp_path, "", 0, 0), crossing(tmp_path, "only_left_turn", 1, 6)
    assert metres_from(ruled, "1", "6") == metres_from(free, "1", "6") == pytest.approx(200 + 70 + 200, abs=90)
    assert metres_from(ruled, "1", "7") > metres_from(free, "1", "7") + 350
    assert metres_from(ruled, "1", "4") > metres_from(free, "1", "4") + 350
    assert metres_from(ruled, "7", "4") == metres_from(free, "7", "4"), "whoever comes from the south may turn"


@pytest.mark.parametrize(
    ("rule", "first", "second", "via"),
    [
        ("no_u_turn", 4, 2, "<member type='way' ref='5' role='via'/>"),  # against the one-way streets
        ("no_left_turn", 1, 4, "<member type='way' ref='99' role='via'/>"),  # of no street here
        ("only_straight_on", 1, 6, "<member type='way' ref='5' role='via'/><member type='way' ref='8' role='via'/>"),  # not in a row
        ("no_left_turn", 1, 4, "<member type='way' ref='5' role='via'/><member type='node' ref='2' role='via'/>"),  # both kinds
    ],
)
def test_rules_that_lead_nowhere_are_counted_and_change_nothing(tmp_path: Path, rule: str, first: int, second: int, via: str) -> None:
    free, ruled = crossing(tmp_path, "", 0, 0), crossing(tmp_path, rule, first, second, via)
    assert ruled.report is not None
    assert dict(ruled.report.counts)["of these not understood or off the streets in use"] == 1
    assert ruled.drive_s.tolist() == free.drive_s.tolist()


def test_where_no_stop_is_mapped_stops_lie_along_main_roads_at_the_spacing(tmp_path: Path) -> None:
    network = drawn((ALL[0], [], []), tmp_path, spacing_m=250)
    assert network is not None
    at = np.stack(GRID.project(network.stop_lon, network.stop_lat), axis=1)
    apart = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)) + np.eye(len(at)) * 1e9
    assert apart.min() > 240
    assert network.n_stops > 10
    assert (network.hex_stop[GRID.lonlat_to_hex(network.stop_lon, network.stop_lat)] >= 0).all()
    few = drawn((ALL[0], [], []), tmp_path, spacing_m=250, max_stops=4)
    assert few is not None
    assert few.n_stops <= 4


def test_both_carriageways_of_a_street_are_one_stop(tmp_path: Path) -> None:
    """A dual carriageway 30 m wide, 900 m long, joined at its ends; stops on one side only, in the middle of each third."""
    text = ["<osm version='0.6'>"]
    spots = {1: (-450, 0), 2: (450, 0), 3: (450, 30), 4: (-450, 30)} | {10 + k: (x, -8) for k, x in enumerate((-300, 0, 300))}
    for number, (x, y) in spots.items():
        lon, lat = GRID.unproject(np.array([x]), np.array([y]))
        tags = "<tag k='highway' v='bus_stop'/>" if number >= 10 else ""
        text.append(f"<node id='{number}' version='1' lon='{lon[0]:.8f}' lat='{lat[0]:.8f}'>{tags}</node>")
    for number, (a, b, one) in enumerate([(1, 2, "yes"), (2, 3, "no"), (3, 4, "yes"), (4, 1, "no")]):
        tags = f"<tag k='highway' v='primary'/><tag k='name' v='High Street'/><tag k='oneway' v='{one}'/>"
        text.append(f"<way id='{number + 1}' version='1'><nd ref='{a}'/><nd ref='{b}'/>{tags}</way>")
    (tmp_path / "dual.osm").write_text("\n".join([*text, "</osm>"]), encoding="utf-8")
    network = Network.from_osm(tmp_path / "dual.osm", GRID, spacing_m=0)
    order = np.argsort(network.stop_lon)
    west, middle, east = (int(k) for k in order)
    assert network.stop_names == ("High Street",) * 3
    for u, v in ((west, middle), (middle, east)):
        assert abs(network.link(u, v)[1] - 300) <= 80
        assert abs(network.link(v, u)[1] - 300) <= 80, "back on the other carriageway, not round the block"
        there, back = (GRID.project(*network.link_line(*pair).T)[1] for pair in ((u, v), (v, u)))
        assert np.abs(there).max() < 0.1
        assert np.abs(back - 30).max() < 0.1
    assert check_network(network).passed


def test_a_turn_that_is_forbidden_is_not_taken_by_turning_round_behind_it() -> None:
    """A cross: from 1 by 0 to 2 is forbidden; on to 3, by 5 in between, and back would be the cheat; 4 leads round to 2."""
    two_way = [(1, 0), (0, 2), (0, 5), (5, 3), (3, 4), (4, 2), (3, 6)]
    start, end = np.array([*two_way, *((b, a) for a, b in two_way)]).T
    pieces = Pieces(start, end, np.where((start == 4) | (end == 4), 50, 1), np.ones(start.size, dtype=np.int64))
    done, copy_of = with_turns(pieces, 7, [(1, 0, 2)], np.arange(7) == 1)
    graph = nx.DiGraph()
    for a, b, cost in zip(*(column.tolist() for column in done[:3]), strict=True):
        graph.add_edge(a, b, cost=cost)
    goal = [k for k in graph if (k if k < 7 else copy_of[k - 7]) == 2]
    paths = [nx.dijkstra_path(graph, 1, k, "cost") for k in goal if nx.has_path(graph, 1, k)]
    way = [k if k < 7 else int(copy_of[k - 7]) for k in min(paths, key=lambda path: nx.path_weight(graph, path, "cost"))]
    assert way in ([1, 0, 5, 3, 6, 3, 5, 0, 2], [1, 0, 5, 3, 4, 2])
    assert (0, 2) in graph.edges, "others may still turn"
    assert nx.dijkstra_path_length(graph, 5, 2, "cost") == 2


# walking ------------------------------------------------------------------------------------------------------------------


def test_along_footways_the_walk_is_longer_and_reaches_fewer_hexes(tmp_path: Path) -> None:
    straight = drawn(ALL, tmp_path, spacing_m=0)
    along = drawn(ALL, tmp_path, spacing_m=0, walk_network=True)
    assert straight is not None
    assert along is not None
    assert along.walk_rule == "centre of the hex within 500 m, along footways"
    rows = [
        {
            (s, int(h)): int(m)
            for s in range(n.n_stops)
            for h, m in zip(*(column[n.shed_indptr[s] : n.shed_indptr[s + 1]] for column in (n.shed_hex, n.shed_walk_m)), strict=True)
        }
        for n in (straight, along)
    ]
    assert rows[1].keys() < rows[0].keys()
    assert all(metres >= rows[0][key] - 1 for key, metres in rows[1].items())


def test_walks_along_paths_are_those_of_networkx(tmp_path: Path) -> None:
    from owlbus.network.assemble import Stops
    from owlbus.network.walk_sheds import WalkRule, walk_sheds

    town: Town = (["foot", "both", "along", "closed"] * 6, [], [])
    (tmp_path / "town.osm").write_text(osm(town), encoding="utf-8")
    paths: WalkGraph = read_paths(tmp_path / "town.osm")
    at = np.stack(GRID.project(paths.lon, paths.lat), axis=1)
    graph = nx.Graph()
    for a, b, metres in zip(paths.start.tolist(), paths.end.tolist(), paths.metres.tolist(), strict=True):
        graph.add_edge(a, b, m=metres)
    stops = Stops(paths.lon[:3], paths.lat[:3], GRID.lonlat_to_hex(paths.lon[:3], paths.lat[:3]), ["a", "b", "c"])
    sheds = walk_sheds(GRID, stops, WalkRule(700, paths=paths))
    for s in range(3):
        reach = nx.single_source_dijkstra_path_length(graph, s, weight="m")
        row = slice(sheds["shed_indptr"][s], sheds["shed_indptr"][s + 1])
        found = dict(zip(sheds["shed_hex"][row].tolist(), sheds["shed_walk_m"][row].tolist(), strict=True))
        for h in range(GRID.n_hexes):
            off = np.hypot(at[:, 0] - GRID.x_m[h], at[:, 1] - GRID.y_m[h])
            node = int(np.argmin(off))
            metres = reach.get(node, np.inf) + off[node]
            assert (h in found) == (metres <= 700 or h == stops.hexes[s])
            if metres <= 700:
                assert abs(found[h] - metres) <= 0.51


def test_a_hex_counts_by_the_share_of_its_area_within_the_walk() -> None:
    import shapely

    from owlbus.network.assemble import Stops
    from owlbus.network.walk_sheds import WalkRule, walk_sheds

    at = np.stack(GRID.unproject(np.array([30.0]), np.array([-70.0])), axis=1)
    stops = Stops(at[:, 0], at[:, 1], GRID.lonlat_to_hex(at[:, 0], at[:, 1]), ["x"])
    disc = shapely.Point(30.0, -70.0).buffer(500, quad_segs=64)
    rings = GRID.hex_to_boundary(np.arange(GRID.n_hexes))
    shares = [
        disc.intersection(shape).area / shape.area for shape in (shapely.Polygon(np.stack(GRID.project(*ring.T), axis=1)) for ring in rings)
    ]
    for least in (0.2, 0.5, 0.8, 1.0):
        found = set(walk_sheds(GRID, stops, WalkRule(500, least))["shed_hex"].tolist())
        sure = {h for h, share in enumerate(shares) if share >= min(least + 0.06, 0.9999)}
        never = {h for h, share in enumerate(shares) if share < least - 0.06}
        assert sure <= found
        assert not never & found
    with pytest.raises(UsageError, match=r"walk_area_share must lie in \[1e-06, 1\], got 1\.5"):
        WalkRule(500, 1.5)


# refusals and real extracts -----------------------------------------------------------------------------------------------


def test_files_that_are_none_or_hold_no_street_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.osm\.pbf: no such file; name an extract as \.osm\.pbf"):
        Network.from_osm(tmp_path / "absent.osm.pbf")
    (tmp_path / "bad.osm.pbf").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"bad\.osm\.pbf: is no readable OpenStreetMap file"):
        Network.from_osm(tmp_path / "bad.osm.pbf")
    (tmp_path / "foot.osm").write_text(osm((["foot"] * len(STREETS), [], [])), encoding="utf-8")
    with pytest.raises(DataError, match=r"has no street that buses may use among 24 ways with a highway tag"):
        Network.from_osm(tmp_path / "foot.osm")
    with pytest.raises(UsageError, match=r"spacing_m must lie in \[0, 10000\], got -1"):
        Network.from_osm(tmp_path / "foot.osm", spacing_m=-1)


def test_without_osmium_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "osmium", None)
    with pytest.raises(
        UsageError, match=r"OpenStreetMap files need the extra library osmium; install it with: pip install 'owlbus\[osm\]'"
    ):
        Network.from_osm(tmp_path / "any.osm.pbf")


@pytest.mark.real
def test_the_helsinki_extract_makes_a_sound_network(cases: Path) -> None:
    network = Network.from_osm(cases / "osm" / "Helsinki.osm.pbf", walk_network=True)
    assert check_network(network).passed
    assert network.n_stops > 25
    assert network.line_lon.size > network.n_links


class Mapped:
    """Streets and turn restrictions of an extract as osmium alone reads them."""

    def __init__(self, path: Path) -> None:
        import osmium

        self.ways: dict[int, tuple[dict[str, str], list[int]]] = {}
        self.nodes_at: dict[tuple[int, int], list[int]] = {}
        self.rules: list[tuple[str, list[tuple[str, int, str]]]] = []
        for thing in osmium.FileProcessor(str(path)):
            tags = dict(thing.tags)
            if thing.is_node():
                self.nodes_at.setdefault((thing.location.x, thing.location.y), []).append(thing.id)
            elif thing.is_way() and "highway" in tags:
                self.ways[thing.id] = (tags, [node.ref for node in thing.nodes])
            elif thing.is_relation() and tags.get("type") == "restriction" and not {"bus", "psv"} & set(tags.get("except", "").split(";")):
                members = [(member.type, member.ref, member.role) for member in thing.members]
                self.rules.append((tags.get("restriction:bus") or tags.get("restriction", ""), members))

    def steps(self) -> set[tuple[int, int]]:
        """Neighbouring nodes of a street in the directions that buses may drive."""
        found = set()
        for tags, nodes in self.ways.values():
            one = tags.get("oneway:bus") or tags.get("oneway:psv") or tags.get("oneway") or ""
            is_round = tags.get("junction") in {"roundabout", "circular"} or tags["highway"] == "motorway"
            one = "no" if any("opposite" in tags.get(key, "") for key in ("busway", "busway:left", "busway:right")) else one
            ahead = one in {"yes", "true", "1"} or (not one and is_round)
            found |= set() if one == "-1" else set(pairwise(nodes))
            found |= set() if ahead else set(pairwise(nodes[::-1]))
        return found

    def turns(self) -> tuple[set[tuple[int, ...]], dict[tuple[int, int], set[int]]]:
        """Ways of nodes that are forbidden, and the nodes that alone may follow a step."""
        no: set[tuple[int, ...]] = set()
        only: dict[tuple[int, int], set[int]] = {}
        for rule, members in self.rules:
            by_role = {role: [ref for _, ref, given in members if given == role] for role in ("from", "via", "to")}
            if len(by_role["via"]) != 1 or not all(ref in self.ways for ref in by_role["from"] + by_role["to"]):
                continue
            via = by_role["via"] if ("n", by_role["via"][0], "via") in members else self.ways.get(by_role["via"][0], ((), ()))[1]
            for way in (via, via[::-1]) if len(via) > 1 else (via,):
                before = [a for ref in by_role["from"] for a, b in self._both_ways(ref) if way and b == way[0]]
                after = {b for ref in by_role["to"] for a, b in self._both_ways(ref) if way and a == way[-1]}
                if rule.startswith("no_"):
                    no |= {(a, *way, b) for a in before for b in after}
                elif rule.startswith("only_") and len(via) == 1 and after:
                    only |= {(a, way[0]): after for a in before}
        return no, only

    def _both_ways(self, ref: int) -> list[tuple[int, int]]:
        nodes = self.ways[ref][1]
        return [*pairwise(nodes), *pairwise(nodes[::-1])]


def nodes_of(line: np.ndarray, mapped: Mapped, steps: set[tuple[int, int]]) -> list[int]:
    """Mapped nodes along a line; of several at one place the one that the street leads on to."""
    found: list[int] = []
    for point in np.rint(line * 1e7).astype(np.int64).tolist():
        here = mapped.nodes_at.get(tuple(point), [])
        on = [node for node in here if found and (found[-1], node) in steps]
        found += (on or here)[:1]
    return found


@pytest.mark.real
@pytest.mark.parametrize(("name", "least_rules", "longest"), [("Helsinki", 10, 3), ("porto_portugal", 200, 4)])
def test_links_and_random_routes_of_real_extracts_keep_to_mapped_streets_their_direction_and_allowed_turns(
    cases: Path, name: str, least_rules: int, longest: int
) -> None:
    """Both directions of 200 random routes; streets are left at stops only, for the other carriageway of the same street."""
    path = cases / "osm" / f"{name}.osm.pbf"
    network, mapped = Network.from_osm(path), Mapped(path)
    steps = mapped.steps()
    no, only = mapped.turns()
    assert len(no) > least_rules
    assert max(len(way) for way in no) == longest, "of Porto, one leads by way of a further street"
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr)).tolist()
    way = {link: nodes_of(network.link_line(*link), mapped, steps) for link in zip(start, network.link_to.tolist(), strict=True)}
    rng = np.random.default_rng(1)
    rides = [[link] for link in way]
    for _ in range(200):
        stops = [int(rng.integers(network.n_stops))]
        for _ in range(25):
            stops.append(int(rng.choice(network.link_to[network.link_indptr[stops[-1]] : network.link_indptr[stops[-1] + 1]])))
        rides += [list(pairwise(stops)), list(pairwise(stops[::-1]))]
    halts = np.stack([network.stop_lon, network.stop_lat], axis=1) * [np.cos(np.radians(network.stop_lat.mean())), 1.0]
    tree, where = cKDTree(halts), {node: place for place, nodes in mapped.nodes_at.items() for node in nodes}
    for ride in rides:
        driven = [node for link in ride for node in way[link]]
        for a, b in pairwise(driven):
            if a != b and (a, b) not in steps:
                middle = np.mean([where[a], where[b]], axis=0) / 1e7 * [np.cos(np.radians(network.stop_lat.mean())), 1.0]
                apart = np.hypot(*((np.array(where[a]) - where[b]) / 1e7 * [np.cos(np.radians(network.stop_lat.mean())), 1.0]))
                assert tree.query(middle)[0] < apart + 100 / 111_000, "of a stop, the other carriageway lies 100 m off at most"
        for k in range(len(driven) - 2):
            assert not any(tuple(driven[k : k + size]) in no for size in range(3, longest + 1))
            then = only.get((driven[k], driven[k + 1]))
            assert then is None or driven[k + 2] in then or driven[k + 2] == driven[k + 1]


def test_beside_a_feed_stops_come_from_the_feed_and_links_from_the_streets(tmp_path: Path) -> None:
    (tmp_path / "town.osm").write_text(osm(ALL), encoding="utf-8")
    corners = np.add([place(0), place(3), place(15), place(3)], [(0, 30), (0, 0), (0, 0), (60, 0)])
    lon, lat = GRID.unproject(*corners.T)
    stops = [f"s{k},{'Corner' if k in {1, 3} else f'Stop {k}'},{lat[k]:.8f},{lon[k]:.8f}" for k in range(4)]
    calls = {"t": ["s0", "s1", "s2"], "u": ["s2", "s3"]}
    times = [f"{trip},24:0{k}:00,24:0{k}:00,{stop},{k}" for trip, row in calls.items() for k, stop in enumerate(row)]
    tables = {
        "stops": ["stop_id,stop_name,stop_lat,stop_lon", *stops],
        "routes": ["route_id,route_type", "N,3"],
        "trips": ["route_id,trip_id", "N,t", "N,u"],
        "stop_times": ["trip_id,arrival_time,departure_time,stop_id,stop_sequence", *times],
    }
    (tmp_path / "feed").mkdir()
    for name, rows in tables.items():
        (tmp_path / "feed" / f"{name}.txt").write_text("\n".join(rows), encoding="utf-8")
    network = build_network(Sources(gtfs=str(tmp_path / "feed"), osm=str(tmp_path / "town.osm"), speed_kmh=20), GRID)
    assert network.source == "osm"
    assert sorted(network.stop_names) == ["Corner", "Stop 0", "Stop 2"], "and no stop of the map"
    at = {name: k for k, name in enumerate(network.stop_names)}
    there, back = network.link(at["Stop 0"], at["Corner"]), network.link(at["Corner"], at["Stop 0"])
    assert there == back, "the streets are open both ways, where the feed has one run"
    assert there[1] == 900, "three blocks, from the corner nearest to the stop"
    assert check_network(network).passed
