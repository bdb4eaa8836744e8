"""OpenStreetMap at night: conditional tags, and files that editors, cutters and the 180th meridian make."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network, read_paths
from owlbus.network.geodesy import along, metres_between
from owlbus.network.osm_conditions import NightConditions, split_conditional
from owlbus.network.osm_reader import read_streets
from owlbus.network.osm_speeds import speed_limit_kmh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from owlbus.network.osm_reader import Streets

pytest.importorskip("osmium", reason="needs the extra owlbus[osm]")
pytest.importorskip("opening_hours", reason="needs the extra owlbus[osm]")

NIGHT = (24, 25, 26, 27, 28)
ROW_M = 7 * np.radians(0.0054) * np.cos(np.radians(60.2081)) * 6_394_500  # of o_base.osm; the radius across the meridian at 60 degrees
STEP_M = np.radians(0.0027) * 6_383_400  # between its rows; the radius along the meridian


@pytest.fixture(scope="module")
def reports(cases: Path) -> Path:
    """Folder of the small inputs after public bug reports."""
    return cases / "reports" / "osm"


def counts(streets: Streets | Network) -> dict[str, int]:
    """Counts of a reader or of a network by label."""
    if isinstance(streets, Network):
        assert streets.report is not None
        return dict(streets.report.counts)
    return dict(streets.counts)


def values(tag: str, hours: Sequence[int] = NIGHT, plain: str = "yes") -> set[str]:
    """Values of ``motor_vehicle`` that hold at some moment of the hours."""
    found = NightConditions(hours).at_night({"motor_vehicle": plain, "motor_vehicle:conditional": tag})
    return {tags["motor_vehicle"] for tags in found.tags}


# one tag ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("no @ (22:00-06:00)", {"no"}),
        ("no @ 22:00-06:00", {"no"}),
        ("no@(22:00-06:00", {"no"}),
        ("no @ (06:00-22:00)", {"yes"}),
        ("no @ (05:00-23:00)", {"yes"}),
        ("no @ (04:50-06:00)", {"yes", "no"}),
        ("no @ (Su 00:00-06:00)", {"yes", "no"}),
        ("no @ (Fr-Sa 22:00-03:00)", {"yes", "no"}),
        ("no @ (Mo-Fr 00:00-06:30,21:30-24:00; Sa 00:00-06:30,15:00-24:00; Su 00:00-24:00; PH 00:00-24:00)", {"no"}),
        ("no @ (Mo-Fr 07:00-09:00; Sa 08:00-12:00); no @ (00:00-05:00)", {"no"}),
        ("no @ Mo-Fr 00:00-05:00; Sa,Su 00:00-05:00", {"no"}),
        ("no @ (00:00-24:00); yes @ (00:00-05:00)", {"yes"}),
        ("yes @ (00:00-05:00); no @ (00:00-24:00)", {"no"}),
        ("no @ (Nov-Mar)", {"yes", "no"}),
        ("no @ (sunset-sunrise)", {"no"}),
        ("no @ (24/7)", {"no"}),
        ("no @ (Jan 01-Jan 14)", {"yes", "no"}),
        ("no @ (Jan 01-Jan 13)", {"yes"}),
        ("no @ (04:55-05:00)", {"yes", "no"}),
        ("yes @ (00:00-04:59); no @ (05:00-23:59)", {"yes"}),
    ],
)
def test_a_condition_on_the_time_holds_at_the_hours_that_it_names(tag: str, found: set[str]) -> None:
    assert values(tag) == found


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("no @ (weight>7.5)", {"no"}),
        ("no @ (weight > 3.5 t)", {"no"}),
        ("no @ (weight>16)", {"yes"}),
        ("no @ (length>=12)", {"no"}),
        ("no @ (length>12)", {"yes"}),
        ("no @ (width<2)", {"yes"}),
        ("no @ (axles>=2)", {"no"}),
        ("no @ (22:00-06:00 AND weight>7.5)", {"no"}),
        ("no @ ((22:00-06:00) and (weight<7.5))", {"yes"}),
        ("no @ (Mo-Fr 07:00-09:00 AND weight>7.5)", {"yes"}),
        ("no @ (22:00-06:00 AND wet)", {"yes"}),
        ("no @ wet", {"yes"}),
        ("no @ (destination)", {"yes"}),
        ("no @ (stay > 2 hours)", {"yes"}),
        ("no @ (22:00-06:00); yes @ bus", {"yes"}),
        ("no @ (22:00-06:00); yes @ disabled", {"no"}),
    ],
)
def test_a_condition_on_other_things_holds_if_it_does_for_buses_of_every_size(tag: str, found: set[str]) -> None:
    assert values(tag) == found


@pytest.mark.parametrize(
    ("tag", "misread", "n_rare"),
    [
        ("no @ (22h-06h)", ("motor_vehicle:conditional=no @ (22h-06h)",), 0),
        ("no @ (when it rains)", ("motor_vehicle:conditional=no @ (when it rains)",), 0),
        ('no @ ("when it rains")', ('motor_vehicle:conditional=no @ ("when it rains")',), 0),
        ("sometimes @ (22:00-06:00)", ("motor_vehicle:conditional=sometimes @ (22:00-06:00)",), 0),
        ("no", ("motor_vehicle:conditional= @ (no)",), 0),
        ("no @ (22h-06h); no @ (12:00-13:00)", ("motor_vehicle:conditional=no @ (22h-06h)",), 0),
        ("no @ (22h-06h AND wet)", (), 0),
        ("no @ (2020 May 01-2020 Aug 31)", (), 1),
        ("no @ (2018 Jan 01-2018 Dec 31)", (), 1),
        ("no @ (2017-2030 22:00-06:00)", (), 1),
        ("no @ (Dec 24)", (), 1),
        ("no @ (easter)", (), 1),
        ("no @ (PH,SH)", (), 0),
    ],
)
def test_what_is_not_understood_or_rare_leaves_the_tag_and_is_told(tag: str, misread: tuple[str, ...], n_rare: int) -> None:
    found = NightConditions(NIGHT).at_night({"motor_vehicle": "yes", "motor_vehicle:conditional": tag})
    assert [tags["motor_vehicle"] for tags in found.tags] == ["yes"]
    assert (found.misread, found.n_rare) == (misread, n_rare)


@given(
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 287),
    st.integers(1, 287),
    st.integers(0, 23),
    st.integers(1, 6),
)
def test_moments_are_those_of_a_clock_read_by_hand(days: set[int], begin: int, length: int, first_hour: int, n_hours: int) -> None:
    """Weekdays and a span of five-minute steps, perhaps over midnight, against a walk over the week minute by minute."""
    end = begin + length
    names = ",".join(("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")[day] for day in sorted(days))
    clock = [f"{step // 12 % 24:02d}:{step % 12 * 5:02d}" for step in (begin, end)]
    hours = [(first_hour + k) % 24 for k in range(n_hours)]
    open_steps = {(day * 288 + step) % 2016 for day in days for step in range(begin, end)}
    states = {day * 288 + step in open_steps for day in range(7) for hour in hours for step in range(12 * hour, 12 * hour + 12)}
    tag = f"no @ ({names} {clock[0]}-{clock[1] if clock[1] != '00:00' else '24:00'})"
    assert values(tag, hours) == {"no" if state else "yes" for state in states}


@given(st.text('no@();" 0:-,&aMoAND', max_size=40))
def test_any_text_is_split_into_all_of_its_conditions(text: str) -> None:
    found = split_conditional(text)
    kept = "".join(value + condition for value, condition in found)
    assert [letter for letter in kept if letter in "no0Ma"] == [letter for letter in text if letter in "no0Ma"]
    assert values(text) <= {"yes", "no"}


def test_hours_are_shown_as_spans_and_at_least_one_is_needed() -> None:
    assert NightConditions(NIGHT).label == "00:00-05:00"
    assert NightConditions((22, 23, 24, 25)).label == "22:00-02:00"
    assert NightConditions(range(24)).label == "00:00-24:00"
    assert NightConditions((1, 4)).label == "01:00-02:00, 04:00-05:00"
    with pytest.raises(UsageError, match=r"need the hours in which buses run, got none in hours; name one or more"):
        NightConditions(())


def test_the_sun_rises_where_the_street_lies() -> None:
    """In Helsinki the sun rises before 05:00 for more than two weeks in summer, in Singapore never before 06:00."""
    tags = {"motor_vehicle": "no", "motor_vehicle:conditional": "yes @ (sunset-sunrise)"}
    north, equator = (NightConditions(NIGHT).at_night(tags, place).tags for place in ((24.9, 60.2), (103.8, 1.3)))
    assert {moment["motor_vehicle"] for moment in north} == {"yes", "no"}
    assert {moment["motor_vehicle"] for moment in equator} == {"yes"}


def test_without_the_library_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opening_hours", None)
    with pytest.raises(UsageError, match=r"need the extra library opening-hours-py; install it with: pip install 'owlbus\[osm\]'"):
        values("no @ (22:00-06:00)")
    assert values("no @ (weight>7.5)") == {"no"}, "what is no time needs no library"


# the streets of a file ------------------------------------------------------------------------------------------------------


def with_tags(source: Path, target: Path, way: int, tags: dict[str, str]) -> Path:
    """Copy of a file in which one way has other tags beside its highway; the ends of the way are bus stops."""
    root = ET.parse(source).getroot()  # noqa: S314  # our own file
    street = next(item for item in root.iter("way") if item.get("id") == str(way))
    for tag in [tag for tag in street.iter("tag") if tag.get("k") != "highway"]:
        street.remove(tag)
    for key, value in tags.items():
        ET.SubElement(street, "tag", k=key, v=value)
    refs = [node.get("ref") for node in street.iter("nd")]
    for node in root.iter("node"):
        if node.get("id") in {refs[0], refs[-1]}:
            ET.SubElement(node, "tag", k="highway", v="bus_stop")
    ET.ElementTree(root).write(target)
    return target


def ride(network: Network) -> tuple[int, int, int, int]:
    """Seconds and metres from the western to the eastern of two stops, and back."""
    assert network.n_stops == 2
    west, east = np.argsort(network.stop_lon).tolist()
    return (*network.link(west, east), *network.link(east, west))


AROUND_M = ROW_M + 2 * STEP_M
CASES = [
    ({}, NIGHT, ROW_M, ROW_M, 40),
    ({"motor_vehicle:conditional": "no @ (22:00-06:00)", "maxspeed:conditional": "30 @ (22:00-06:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
    ({"motor_vehicle:conditional": "no @ (22:00-06:00)", "maxspeed:conditional": "30 @ (22:00-06:00)"}, (6, 7), ROW_M, ROW_M, 40),
    ({"motor_vehicle:conditional": "no @ (22:00-06:00)"}, (5, 6), AROUND_M, AROUND_M, 40),
    ({"maxspeed:conditional": "32 @ (22:00-06:00)"}, NIGHT, ROW_M, ROW_M, 32),
    ({"maxspeed:conditional": "30 @ (22:00-06:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
    ({"maxspeed": "32", "maxspeed:conditional": "50 @ (22:00-06:00)"}, NIGHT, ROW_M, ROW_M, 50),
    ({"maxspeed": "50", "maxspeed:conditional": "32 @ (22:00-02:00)"}, NIGHT, ROW_M, ROW_M, 32),
    ({"maxspeed": "50", "maxspeed:conditional": "32 @ wet"}, NIGHT, ROW_M, ROW_M, 50),
    ({"access:conditional": "no @ (Sa 00:00-05:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
    ({"access:conditional": "no @ (22:00-06:00)", "motor_vehicle": "yes"}, NIGHT, ROW_M, ROW_M, 40),
    ({"vehicle:conditional": "destination @ (22:00-06:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
    ({"vehicle:conditional": "no @ (22:00-06:00)", "psv": "yes"}, NIGHT, ROW_M, ROW_M, 40),
    ({"motor_vehicle": "no", "bus:conditional": "yes @ (20:00-07:00)"}, NIGHT, ROW_M, ROW_M, 40),
    ({"motor_vehicle": "no", "psv:conditional": "yes @ (20:00-03:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
    ({"bus:backward:conditional": "no @ (20:00-07:00)"}, NIGHT, ROW_M, AROUND_M, 40),
    ({"oneway": "yes", "oneway:conditional": "no @ (20:00-07:00)"}, NIGHT, ROW_M, ROW_M, 40),
    ({"oneway": "no", "oneway:conditional": "-1 @ (20:00-07:00)"}, NIGHT, AROUND_M, ROW_M, 40),
    ({"oneway": "reversible", "oneway:conditional": "yes @ (00:00-12:00); -1 @ (12:00-24:00)"}, NIGHT, ROW_M, AROUND_M, 40),
    ({"oneway": "reversible", "oneway:conditional": "yes @ (00:00-02:00); -1 @ (02:00-24:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
    ({"oneway": "yes", "oneway:bus:conditional": "no @ (20:00-07:00)"}, NIGHT, ROW_M, ROW_M, 40),
    ({"maxweight:conditional": "7.5 @ (22:00-06:00)"}, NIGHT, AROUND_M, AROUND_M, 40),
]
"""Tags of row 3, hours, metres along it to the east and back, and its speed in km/h; the detour takes a row beside it at 40 km/h."""


@pytest.mark.parametrize(("tags", "hours", "there_m", "back_m", "kmh"), CASES)
def test_a_bus_drives_as_the_conditions_of_the_night_let_it(
    reports: Path, tmp_path: Path, tags: dict[str, str], hours: Sequence[int], there_m: float, back_m: float, kmh: float
) -> None:
    file = with_tags(reports / "o_base.osm", tmp_path / "one.osm", 1003, tags)
    network = Network.from_osm(file, speed_kmh=None, spacing_m=0, hours=hours)
    seconds, metres, back_s, way_back_m = ride(network)
    assert (metres, way_back_m) == pytest.approx((there_m, back_m), abs=2)
    fast = [3.6 * length / (kmh if length == ROW_M else 40) for length in (there_m, back_m)]
    assert (seconds, back_s) == pytest.approx(fast, abs=1)
    shown = counts(network)
    label = next(name for name in shown if name.startswith("streets with conditions"))
    assert shown[label] == any(key.endswith(":conditional") for key in tags)


def test_the_reported_files_differ_by_the_street_that_is_closed_at_night(reports: Path) -> None:
    """Row 3 has 7 blocks of 299 m, cut into 4 pieces of at most 80 m, in both directions: 56 of 896 pieces."""
    base, night, day = (
        Network.from_osm(reports / name, hours=hours)
        for name, hours in (("o_base.osm", NIGHT), ("o_cond.osm", NIGHT), ("o_cond.osm", (9, 10)))
    )
    assert [counts(network)["road links in use"] for network in (base, night, day)] == [896, 840, 896]
    told = counts(night)
    assert told["streets with conditions, judged for 00:00-05:00 on all nights"] == 1
    assert told["of these changed by a condition"] == told["of these closed to buses by it"] == told["ways left out: closed to buses"] == 1
    assert counts(day)["streets with conditions, judged for 09:00-11:00 on all nights"] == 1
    assert counts(day)["of these changed by a condition"] == 0
    assert day.link_s.tolist() == base.link_s.tolist()


@pytest.mark.parametrize(("window", "left"), [("00-05", 840), ("22-07", 840), ("18-21", 896)])
def test_a_study_judges_conditions_for_its_window(reports: Path, window: str, left: int) -> None:
    from owlbus.common.units import NightWindow
    from owlbus.pipeline import Sources
    from owlbus.pipeline.study import build_network

    sources = Sources(osm=str(reports / "o_cond.osm"), window=NightWindow.parse(window))
    assert counts(build_network(sources, None))["road links in use"] == left


@pytest.mark.parametrize("name", ["o_base.osm", "o_cond.osm"])
def test_rides_of_the_reported_files_are_those_of_networkx(reports: Path, name: str) -> None:
    """All links between stops, against shortest paths on the file's streets without the closed one, at 40 km/h."""
    root = ET.parse(reports / name).getroot()  # noqa: S314  # our own file
    at = {node.get("id"): (float(node.get("lon", "")), float(node.get("lat", ""))) for node in root.iter("node")}
    graph = nx.Graph()
    for way in root.iter("way"):
        if name == "o_cond.osm" and way.get("id") == "1003":
            continue
        for a, b in pairwise([node.get("ref") for node in way.iter("nd")]):
            shares = np.linspace(0, 1, 5)
            points = [tuple(np.round((1 - share) * np.array(at[a]) + share * np.array(at[b]), 6)) for share in shares]
            for here, there in pairwise(points):
                east = np.radians(there[0] - here[0]) * np.cos(np.radians(60.21)) * 6_394_500
                graph.add_edge(here, there, m=float(np.hypot(east, np.radians(there[1] - here[1]) * 6_383_400)))
    network = Network.from_osm(reports / name, speed_kmh=None, stretch=1.0)
    places = [(round(lon, 6), round(lat, 6)) for lon, lat in zip(network.stop_lon.tolist(), network.stop_lat.tolist(), strict=True)]
    for s, place in enumerate(places):
        metres = nx.single_source_dijkstra_path_length(graph, place, weight="m")
        for t, other in enumerate(places):
            assert network.drive_s[s, t] == pytest.approx(3.6 * metres[other] / 40, abs=1 + 0.003 * metres[other])


def test_ways_with_conditions_are_counted_and_what_is_not_understood_names_its_first_place(reports: Path, tmp_path: Path) -> None:
    first = with_tags(reports / "o_base.osm", tmp_path / "a.osm", 1003, {"access:conditional": "no @ (22h-06h)", "maxspeed": "fast"})
    second = with_tags(first, tmp_path / "b.osm", 1004, {"motor_vehicle": "no", "motor_vehicle:conditional": "yes @ (20:00-07:00)"})
    both = with_tags(second, tmp_path / "c.osm", 1005, {"access:conditional": "no @ (2020 May); no @ often", "maxspeed": "slow"})
    shown = counts(read_streets(both)[0])
    assert shown["streets with conditions, judged for 00:00-05:00 on all nights"] == 3
    assert shown["of these changed by a condition"] == shown["of these opened to buses by it"] == 1
    assert shown["of these closed to buses by it"] == 0
    assert shown["conditions not understood and left out, first on way 1003: access:conditional=no @ (22h-06h)"] == 2
    assert shown["conditions of fewer than 14 nights a year or of given years left out"] == 1
    assert shown["speed limits not understood, usual speeds taken, first on way 1003: maxspeed=fast"] == 2
    assert speed_limit_kmh("slow") is None


def test_parking_and_lorries_are_no_conditions_of_buses(reports: Path, tmp_path: Path) -> None:
    tags = {"hgv:conditional": "no @ (22:00-06:00)", "parking:lane:both:conditional": "no_stopping @ (22:00-06:00)"}
    shown = counts(read_streets(with_tags(reports / "o_base.osm", tmp_path / "a.osm", 1003, tags))[0])
    assert shown["streets with conditions, judged for 00:00-05:00 on all nights"] == 0


@pytest.mark.parametrize(
    ("key", "value", "hours", "holds"),
    [
        ("restriction:conditional", "no_left_turn @ (22:00-06:00)", NIGHT, 1),
        ("restriction:conditional", "no_left_turn @ (07:00-09:00)", NIGHT, 0),
        ("restriction:conditional", "no_left_turn @ (07:00-09:00)", (8,), 1),
        ("restriction:conditional", "no_left_turn @ (Su 00:00-05:00)", NIGHT, 1),
        ("restriction:conditional", "no_left_turn @ (weight>7.5)", NIGHT, 1),
        ("restriction:bus:conditional", "no_left_turn @ (22:00-06:00)", NIGHT, 1),
        ("restriction:psv:conditional", "only_straight_on @ (22:00-06:00)", NIGHT, 1),
        ("restriction", "no_left_turn", NIGHT, 1),
    ],
)
def test_a_turn_is_forbidden_if_it_is_at_any_moment_of_the_hours(
    reports: Path, tmp_path: Path, key: str, value: str, hours: Sequence[int], holds: int
) -> None:
    """From row 3 eastward to column 4 at node 305; nothing else is ruled."""
    target = "1003" if value.startswith("only") else "2004"
    rule = "<member type='way' ref='1003' role='from'/><member type='node' ref='305' role='via'/>"
    rule += f"<member type='way' ref='{target}' role='to'/>"
    tags = f"<tag k='type' v='restriction'/><tag k='{key}' v='{value.replace('>', '&gt;')}'/>"
    text = (reports / "o_base.osm").read_text(encoding="utf-8")
    (tmp_path / "a.osm").write_text(text.replace("</osm>", f"<relation id='1' version='1'>{rule}{tags}</relation></osm>"), encoding="utf-8")
    assert min(len(read_streets(tmp_path / "a.osm", hours=hours)[0].turns), 1) == holds


def test_a_gate_that_shuts_at_night_blocks_the_street(reports: Path, tmp_path: Path) -> None:
    text = (reports / "o_base.osm").read_text(encoding="utf-8")
    for barrier, access, hours, blocked in (
        ("gate", "<tag k='access:conditional' v='no @ (23:00-05:00)'/>", NIGHT, 4),
        ("gate", "<tag k='access:conditional' v='no @ (23:00-05:00)'/>", (12,), 0),
        ("rising_bollard", "<tag k='motor_vehicle' v='no'/><tag k='bus:conditional' v='yes @ (23:00-06:00)'/>", NIGHT, 0),
        ("bollard", "<tag k='bus:conditional' v='yes @ (23:00-04:00)'/>", NIGHT, 4),
    ):
        tags = f"<tag k='barrier' v='{barrier}'/>{access}"
        gate = '<node id="305" version="1" lat="60.208100" lon="24.921600"'
        (tmp_path / "a.osm").write_text(text.replace(f"{gate}/>", f"{gate}>{tags}</node>"), encoding="utf-8")
        assert counts(read_streets(tmp_path / "a.osm", hours=hours)[0])["pieces of street left out at a barrier"] == blocked


def test_a_park_that_closes_at_night_is_not_walked_through(reports: Path, tmp_path: Path) -> None:
    conditions = {
        "access:conditional": "no @ (22:00-06:00)",
        "foot:conditional": "no @ (Mo 02:00-03:00)",
        "foot": "yes",
    }
    for key, value in conditions.items():
        file = with_tags(reports / "o_base.osm", tmp_path / "a.osm", 1003, {key: value})
        assert read_paths(file).start.size == (112 if key == "foot" else 105)
        assert read_paths(file, hours=(10,)).start.size == 112


# files of editors and cutters -----------------------------------------------------------------------------------------------


def test_the_reported_file_with_negative_ids_is_read(reports: Path) -> None:
    """One street of 0.02 degrees, 1,108 m long; primary streets run at 50 km/h."""
    streets, _ = read_streets(reports / "min_neg.osm")
    length = 0.02 * np.radians(1) * np.cos(np.radians(60.2)) * 6_394_500
    assert metres_between(streets.lon, streets.lat, streets.start, streets.end) == pytest.approx([length, length], rel=1e-4)
    network = Network.from_osm(reports / "min_neg.osm", speed_kmh=None)
    west, east = np.argsort(network.stop_lon)[[0, -1]].tolist()
    apart = (network.stop_lon[east] - network.stop_lon[west]) / 0.02 * length
    assert network.drive_s[west, east] == pytest.approx(3.6 * apart / 50, abs=2)


def negated(text: str) -> str:
    """File with all ids and references negative."""
    for key in ("node id", "way id", "relation id", "nd ref"):
        text = text.replace(f'<{key}="', f'<{key}="-')
    return text


def test_negative_ids_make_the_network_of_positive_ones(reports: Path, tmp_path: Path) -> None:
    """All negative; only the nodes of one street; and ways before their nodes. Order of ids decides ties, so lengths are compared."""
    base = with_tags(reports / "o_base.osm", tmp_path / "base.osm", 1003, {"maxspeed": "32"}).read_text(encoding="utf-8")
    lines = base.splitlines()
    nodes = [line for line in lines if line.startswith("<node") or "bus_stop" in line]
    some = base
    for k in range(1, 9):
        some = some.replace(f'"30{k}"', f'"-30{k}"')
    swapped = "\n".join([line for line in lines if line not in nodes and "</osm>" not in line] + nodes + ["</osm>"])
    assert swapped.index("<way") < swapped.index("<node")
    expected = ride(Network.from_osm(tmp_path / "base.osm", spacing_m=0))
    for number, text in enumerate((negated(base), some, swapped)):
        (tmp_path / f"{number}.osm").write_text(text, encoding="utf-8")
        assert ride(Network.from_osm(tmp_path / f"{number}.osm", spacing_m=0)) == expected


def test_what_an_editor_has_deleted_is_left_out(reports: Path, tmp_path: Path) -> None:
    text = (reports / "o_base.osm").read_text(encoding="utf-8")
    for old, new, left in (
        ('<way id="1003" ', '<way id="1003" action="delete" ', 840),
        ('<way id="1003" ', "<way action='delete' id='1003' ", 840),
        ('<way id="1003" ', '<way id="1003" action="modify" ', 896),
        ('<way id="1003" ', '<way id="1003" user="delete" ', 896),
    ):
        (tmp_path / "a.osm").write_text(text.replace(old, new), encoding="utf-8")
        network = Network.from_osm(tmp_path / "a.osm")
        assert counts(network)["road links in use"] == left
        assert counts(network).get("elements marked as deleted in an editor's file", 0) == (left == 840)


def test_an_extract_without_nodes_is_refused_and_one_without_some_is_counted(reports: Path, tmp_path: Path) -> None:
    lines = (reports / "o_base.osm").read_text(encoding="utf-8").splitlines()
    (tmp_path / "none.osm").write_text("\n".join(line for line in lines if not line.startswith("<node")), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"none\.osm: holds none of the nodes of its 16 streets and paths; write the extract with the nodes of its ways$"
    ):
        Network.from_osm(tmp_path / "none.osm")
    with pytest.raises(DataError, match=r"holds none of the nodes of its 16 streets and paths"):
        read_paths(tmp_path / "none.osm")
    (tmp_path / "some.osm").write_text("\n".join(line for line in lines if '<node id="301"' not in line), encoding="utf-8")
    network = Network.from_osm(tmp_path / "some.osm")
    assert counts(network)["pieces of street left out at a node that is not in the file"] == 3, "in row 3, and two in column 0"
    assert counts(network)["road links in use"] == 896 - 3 * 2 * 4
    (tmp_path / "empty.osm").write_text("<osm version='0.6'></osm>", encoding="utf-8")
    with pytest.raises(DataError, match=r"has no street that buses may use among 0 ways with a highway tag"):
        Network.from_osm(tmp_path / "empty.osm")


def test_places_that_are_kept_in_ways_need_no_nodes(reports: Path, tmp_path: Path) -> None:
    import osmium

    file = osmium.io.File(str(tmp_path / "ways.osm.pbf"), "pbf,locations_on_ways=true")
    with osmium.SimpleWriter(file) as writer:
        for item in osmium.FileProcessor(str(reports / "o_cond.osm")).with_locations():
            if item.is_way():
                writer.add(item)
    network = Network.from_osm(tmp_path / "ways.osm.pbf")
    assert counts(network)["road links in use"] == 840
    assert network.link_s.tolist() == Network.from_osm(reports / "o_cond.osm").link_s.tolist()


def test_streets_over_the_180th_meridian_are_as_long_as_elsewhere(reports: Path, tmp_path: Path) -> None:
    """The town moved so that the meridian runs between its columns 4 and 5; hexes lie on the west side only."""
    moved, plain = [], []
    for line in (reports / "o_base.osm").read_text(encoding="utf-8").splitlines():
        if not line.startswith("<node"):
            moved.append(line)
            plain.append(line)
            continue
        head, lon = line.split('lon="')
        degrees = float(lon.split('"')[0]) - 24.9 + 179.976
        tag = '><tag k="highway" v="bus_stop"/></node>' if '"301"' in head or '"304"' in head else "/>"
        moved.append(f'{head}lon="{degrees - 360 * (degrees > 180):.6f}"{tag}')
        plain.append(f'{head}lon="{degrees - 100:.6f}"{tag}')
    (tmp_path / "moved.osm").write_text("\n".join(moved), encoding="utf-8")
    (tmp_path / "plain.osm").write_text("\n".join(plain), encoding="utf-8")
    streets, _ = read_streets(tmp_path / "moved.osm")
    assert (streets.lon > 0).any()
    assert (streets.lon < 0).any()
    assert metres_between(streets.lon, streets.lat, streets.start, streets.end).max() < 302
    found = []
    for name, shift in (("moved", 0.0), ("plain", -100.0)):
        area = np.array([(179.973, 60.2), (179.994, 60.2), (179.994, 60.22), (179.973, 60.22)]) + np.array([shift, 0.0])
        network = Network.from_osm(tmp_path / f"{name}.osm", HexGrid.cover(area, 100), spacing_m=0, speed_kmh=None)
        found.append((counts(network)["road links in use"], *ride(network)))
    assert found[0] == found[1]
    assert found[0][0] == 896
    with pytest.raises(DataError, match=r"moved\.osm: streets lie on both sides of the 180th meridian .* pass an area on one side"):
        Network.from_osm(tmp_path / "moved.osm")


def test_points_along_a_street_lie_on_the_short_way_round() -> None:
    lonlat = np.array([179.9, -179.9, 10.0, 179.99]), np.array([60.0, 61.0, 5.0, 0.0])
    lon, lat = along(lonlat, np.array([0, 1, 0, 1, 3, 2]), np.array([1, 0, 1, 0, 1, 2]), np.array([0.25, 0.25, 0.75, 0.75, 0, 0.5]))
    assert lon == pytest.approx([179.95, -179.95, -179.95, 179.95, 179.99, 10.0])
    assert lat == pytest.approx([60.25, 60.75, 60.75, 60.25, 0.0, 5.0])


# hail and ride --------------------------------------------------------------------------------------------------------------


HAILED = {
    "way": ({"hail_and_ride": "yes"}, "", True),
    "way, for buses": ({"bus:hail_and_ride": "yes"}, "", True),
    "not": ({"hail_and_ride": "no"}, "", False),
    "role": ({}, "<member type='way' ref='1003' role='hail_and_ride'/><tag k='type' v='route'/><tag k='route' v='bus'/>", True),
    "route": (
        {},
        "<member type='way' ref='1003' role=''/><tag k='type' v='route'/><tag k='route' v='bus'/><tag k='hail_and_ride' v='yes'/>",
        True,
    ),
    "other route": (
        {},
        "<member type='way' ref='1003' role=''/><tag k='type' v='route'/><tag k='route' v='hiking'/><tag k='hail_and_ride' v='yes'/>",
        False,
    ),
    "a role on another way": (
        {},
        (
            "<member type='way' ref='1003' role=''/><member type='way' ref='1007' role='hail_and_ride'/>"
            "<tag k='type' v='route'/><tag k='route' v='bus'/><tag k='hail_and_ride' v='yes'/>"
        ),
        False,
    ),
    "in part": (
        {},
        "<member type='way' ref='1003' role=''/><tag k='type' v='route'/><tag k='route' v='bus'/><tag k='hail_and_ride' v='partial'/>",
        False,
    ),
}


@pytest.mark.parametrize("kind", HAILED)
def test_stops_lie_along_streets_where_buses_halt_on_demand(reports: Path, tmp_path: Path, kind: str) -> None:
    """Row 3 becomes a residential street, on which no stop is placed for its rank."""
    tags, members, is_hailed = HAILED[kind]
    text = with_tags(reports / "o_base.osm", tmp_path / "a.osm", 1003, tags).read_text(encoding="utf-8")
    for way in (*range(1000, 1008), *range(2000, 2008)):
        head, _, rest = text.partition(f'<way id="{way}"')
        text = head + f'<way id="{way}"' + rest.replace('v="tertiary"', 'v="residential"', 1)
    relation = f"<relation id='9' version='1'>{members}</relation></osm>" if members else "</osm>"
    (tmp_path / "a.osm").write_text(text.replace("</osm>", relation), encoding="utf-8")
    area = [(24.895, 60.2076), (24.943, 60.2076), (24.943, 60.2086), (24.895, 60.2086)]
    network = Network.from_osm(tmp_path / "a.osm", HexGrid.cover(area, 900), spacing_m=400)
    shown = counts(network)
    on_row = np.abs(network.stop_lat - 60.2081) < 1e-6
    n_placed = int(on_row.sum()) - 2
    assert shown["of these where buses halt on demand"] == shown["stops placed along main roads and hail-and-ride streets"]
    assert (shown["of these where buses halt on demand"] >= 3) == is_hailed
    assert (n_placed >= 3) == is_hailed
    assert shown.get("bus routes tagged for hail and ride in part, but not where", 0) == (kind == "in part")


# real extracts --------------------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(("name", "n_streets"), [("Helsinki", 0), ("porto_portugal", 0), ("sao_paulo", 35)])
def test_conditional_streets_of_real_extracts_are_those_that_osmium_lists(cases: Path, name: str, n_streets: int) -> None:
    import osmium

    path = cases / "osm" / f"{name}.osm.pbf"
    bases = {"access", "vehicle", "motor_vehicle", "psv", "bus", "oneway", "maxspeed", "foot", "lanes:bus:forward", "lanes:bus:backward"}
    roads = {"motorway", "trunk", "primary", "secondary", "tertiary", "residential", "unclassified"}
    kinds = roads | {"service", "pedestrian", "living_street"}
    found = 0
    for item in osmium.FileProcessor(str(path), osmium.osm.WAY):
        tags = dict(item.tags)
        is_street = tags.get("highway", "").removesuffix("_link") in kinds and tags.get("area") != "yes"
        found += is_street and any(key.removesuffix(":conditional") in bases for key in tags if key.endswith(":conditional"))
    shown = counts(read_streets(path)[0])
    assert shown["streets with conditions, judged for 00:00-05:00 on all nights"] == found == n_streets
