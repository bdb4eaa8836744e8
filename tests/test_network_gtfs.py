"""Networks from GTFS: feeds that a hand can check, every malformed one taken as it is meant or refused in one line."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from owlbus.common.errors import DataError, UsageError
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network, check_network
from owlbus.network.from_gtfs import GtfsImportSettings, _places, _stop_calls
from owlbus.network.gtfs_tables import read_feed
from owlbus.network.gtfs_trips import along_shape, piece, read_patterns
from owlbus.network.merge_stops import merge_to_limit, merged_stops

if TYPE_CHECKING:
    from pathlib import Path

GRID = HexGrid.cover([(10.0, 50.0), (10.06, 50.0), (10.06, 50.04), (10.0, 50.04)])


def at(x: float, y: float) -> str:
    """Latitude and longitude of a point in metres, as a feed writes them."""
    lon, lat = GRID.unproject(np.array([x]), np.array([y]))
    return f"{lat[0]:.7f},{lon[0]:.7f}"


def feed(**change: str) -> dict[str, str]:
    """Three places 800 m apart, a stop on either side of a street 40 m wide, one bus each way at 25:00 and at 08:00."""
    stops = [("a1", 0, 0), ("a2", 0, 40), ("b1", 800, 0), ("b2", 800, 40), ("c1", 1600, 0), ("c2", 1600, 40), ("c3", 1605, 40)]
    rides = {
        "out": ("25:00:00", "25:02:00", "25:04:30", "a1 b1 c1"),
        "in": ("25:10:00", "25:12:00", "25:14:00", "c2 b2 a2"),
        "day": ("08:00:00", "08:10:00", "08:20:00", "a1 b1 c1"),
    }
    times = [f"{trip},{ride[k]},{ride[k]},{stop},{k}" for trip, ride in rides.items() for k, stop in enumerate(ride[3].split())]
    return {
        "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\n" + "\n".join(f"{name},Stop {name},{at(x, y)}" for name, x, y in stops),
        "routes.txt": "route_id,route_type\nN1,3\nM1,1",
        "trips.txt": "route_id,trip_id,shape_id\nN1,out,east\nN1,in,\nN1,day,east",
        "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "\n".join(times),
        "shapes.txt": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\n"
        + "\n".join(f"east,{at(x, y)},{k}" for k, (x, y) in enumerate([(-50, 5), (400, 5), (400, 105), (800, 5), (1700, 5)])),
    } | {name.replace("__", "."): text for name, text in change.items()}


def written(folder: Path, files: dict[str, str], inside: str = "") -> Path:
    """The feed as a zip, perhaps in a folder inside it."""
    path = folder / "feed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(inside + name, text)
    return path


def network(folder: Path, files: dict[str, str] | None = None, **settings: Any) -> Network:  # noqa: ANN401  # settings of from_gtfs
    return Network.from_gtfs(written(folder, files or feed()), GRID, **settings)


def counts(made: Network) -> dict[str, int]:
    assert made.report is not None
    return dict(made.report.counts)


def test_both_sides_of_a_street_are_one_place_with_scheduled_seconds_and_metres_along_the_shape(tmp_path: Path) -> None:
    made = network(tmp_path, hours=range(24, 29))
    assert made.stop_names == ("Stop a1", "Stop b1", "Stop c1")
    assert made.link(0, 1) == (120, round(400 + 100 + np.hypot(400, 100)))
    assert made.link(1, 2) == (150, 800)
    assert made.link(2, 1) == (120, 800), "without a shape straight from stop to stop"
    assert made.link_line(0, 1).shape == (5, 2)
    assert made.link_line(2, 1).shape == (2, 2)
    assert (made.source, made.walk_rule) == ("gtfs", "centre of the hex within 500 m, straight line")
    assert check_network(made).passed


def test_hours_choose_the_runs_and_links_without_one_take_the_whole_day_times_the_night_factor(tmp_path: Path) -> None:
    assert network(tmp_path, hours=[8]).link(0, 1)[0] == 600
    assert network(tmp_path).link(0, 1)[0] == 360, "median of 120 s and 600 s"
    assert network(tmp_path, hours=[1], night_factor=0.5).link(0, 1)[0] == 120, "01:00 is 25:00"
    assert network(tmp_path, hours=[3], night_factor=0.5).link(0, 1)[0] == 180
    assert (
        counts(network(tmp_path, hours=[8]))[
            "of these without a vehicle in the hours asked for, given the whole day's seconds times the night factor"
        ]
        == 2
    )


def test_the_walk_may_ask_for_a_share_of_the_hex(tmp_path: Path) -> None:
    made = network(tmp_path, walk_area_share=0.5)
    assert made.walk_rule == "50 % of the hex within 500 m, straight line"


def test_the_two_directions_of_a_line_are_paired_up_to_three_times_the_merge_distance(tmp_path: Path) -> None:
    assert network(tmp_path, merge_m=14).fingerprint == network(tmp_path).fingerprint
    apart = network(tmp_path, merge_m=13)
    assert apart.n_stops == 6, "40 m are more than 39; buses turn at both ends"
    assert counts(apart)["turns at the end of a line, straight metres times 1.3"] == 2
    a1, c1, c2, a2 = (apart.stop_names.index(f"Stop {name}") for name in ("a1", "c1", "c2", "a2"))
    assert apart.link(c1, c2)[1] == 52, "40 m times 1.3"
    assert apart.link(a2, a1)[1] == 52
    assert check_network(apart).passed


def test_a_round_of_one_way_links_keeps_its_stops_and_each_link_the_way_round(tmp_path: Path) -> None:
    ring = [f"out,{8 + k // 60:02}:{k % 60:02}:00,,{stop},{k}" for k, stop in zip([0, 2, 4, 6], ["a1", "b1", "c1", "a1"], strict=True)]
    files = feed(stop_times__txt="trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "\n".join(ring), shapes__txt="")
    made = network(tmp_path, files)
    assert made.link(0, 1) == (120, 800)
    assert made.link(1, 0) == (240, 2400), "on by c1, where the ring closes"
    assert made.link_line(1, 0).shape == (4, 2)
    assert counts(made)["links given a way back that vehicles drive"] == 3
    far = [line.replace("08:06", "08:36") for line in ring]
    files["stop_times.txt"] = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "\n".join(far)
    slow = network(tmp_path, files)
    assert (slow.n_stops, slow.link(1, 0)[0]) == (3, 120 + 1920)
    assert counts(slow)["of these timed slower than 3 km/h, which is a stand, sped up to it"] == 0, "1,600 m in 32 minutes are 3 km/h"
    assert slow.report is not None
    assert any("2 of 3 served links have a long way back" in note for note in slow.report.notes)


def test_a_line_without_a_way_back_in_the_feed_is_taken_back_along_its_own_streets(tmp_path: Path) -> None:
    files = feed(trips__txt="route_id,trip_id,shape_id\nN1,out,east", shapes__txt="")
    made = network(tmp_path, files)
    assert counts(made)["lines without a way back in the feed, taken back along their own streets"] == 1
    assert made.link(2, 0) == (120 + 150, 1600), "as long as the way out"
    assert made.link(1, 0) == (150 + 270, 800 + 1600), "on to the end and back"
    assert made.n_stops == 3


def test_lines_without_a_common_place_are_joined_by_a_stated_drive_but_no_trains(tmp_path: Path) -> None:
    files = feed(routes__txt="route_id,route_type\nN1,3\nN2,3")
    files["stops.txt"] += f"\nd1,Far d,{at(0, 1800)}\ne1,Far e,{at(800, 1900)}"
    files["trips.txt"] += "\nN2,far,"
    files["stop_times.txt"] += "\nfar,24:00:00,24:00:00,d1,0\nfar,24:03:00,24:03:00,e1,1"
    made = network(tmp_path, files)
    assert made.stop_names == ("Stop a1", "Stop b1", "Stop c1", "Far d", "Far e")
    assert made.link(0, 3)[1] == made.link(3, 0)[1] == round(1.3 * 1800)
    assert made.report is not None
    assert any("check that a bus can drive between Stop a1 and Far d" in note for note in made.report.notes)
    files["routes.txt"] = "route_id,route_type\nN1,1\nN2,1"
    rails = network(tmp_path, files, modes=["metro"])
    assert rails.n_stops == 3
    assert rails.report is not None
    notes = " ".join(rails.report.notes)
    assert "dropped places, which no line joins to the others: Far d, Far e" in notes
    assert "warning: 2 of 8 stops in use are dropped (25%)" in notes


@pytest.mark.parametrize("inside", ["", "google/", "export/2024/"])
def test_a_feed_is_found_in_a_zip_in_a_folder_and_in_a_folder_inside_the_zip(inside: str, tmp_path: Path) -> None:
    plain = network(tmp_path)
    assert Network.from_gtfs(written(tmp_path, feed(), inside), GRID).fingerprint == plain.fingerprint
    home = tmp_path / "unpacked" / inside
    home.mkdir(parents=True)
    for name, text in feed().items():
        (home / name).write_text(text, encoding="utf-8")
    assert Network.from_gtfs(tmp_path / "unpacked", GRID).fingerprint == plain.fingerprint


def test_byte_order_marks_blank_lines_blanks_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    def dirty(text: str) -> str:
        head, *rows = text.split("\n")
        return "\ufeff" + head.replace(",", ", ") + "\r\n\r\n" + "\r\n".join(row.replace(",", " ,", 1) for row in rows) + "\r\n\r\n"

    files = {name: dirty(text) for name, text in feed().items()}
    assert network(tmp_path, files).fingerprint == network(tmp_path).fingerprint


def test_headways_stand_for_the_runs_they_describe(tmp_path: Path) -> None:
    often = "trip_id,start_time,end_time,headway_secs\nday,26:00:00,26:30:00,600\nday,28:00:00,27:00:00,600"
    made = network(tmp_path, feed(frequencies__txt=often), hours=[2])
    assert made.link(0, 1)[0] == 600, "the day's run leaves at 26:00, 26:10 and 26:20 instead of 08:00"
    assert counts(made)["headways that are none"] == 1
    assert network(tmp_path, feed(frequencies__txt=often), hours=[8], night_factor=2).link(0, 1)[0] == 1200


def test_stops_without_a_time_take_theirs_from_the_metres_between_their_neighbours(tmp_path: Path) -> None:
    text = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\nin,25:10:00,25:10:00,c2,0\nin,,,b2,1\n"
    text += "in,25:14:00,,a2,7\nout,25:00:00,25:00:00,a1,0\nout,25:00:00,25:00:00,b1,1\nout,25:05:00,25:05:00,c1,2"
    made = network(tmp_path, feed(stop_times__txt=text, shapes__txt=""))
    assert made.link(2, 1)[0] == made.link(1, 0)[0] == 120
    assert made.link(0, 1)[0] == 150, "two stops in the same minute share what passes until the third"


def test_what_dangles_is_left_out_and_counted(tmp_path: Path) -> None:
    files = feed()
    files["stops.txt"] += "\nlost,Lost,,\nd1,D," + at(0, 90) + "\n"
    files["stops.txt"] = (
        files["stops.txt"].replace("stop_lon\n", "stop_lon,parent_station\n").replace("D," + at(0, 90), "D," + at(0, 90) + ",ghost")
    )
    files["trips.txt"] += "\nX9,lost,\nM1,metro,\nN1,back,"
    files["stop_times.txt"] += "\nout,,,nowhere,9\nghost,01:00:00,01:00:00,a1,1\nout,1:0:0,25:00:00,c1,x"
    files["stop_times.txt"] += "\nback,09:00:00,09:00:00,a1,1\nback,08:00:00,08:00:00,b1,2\nin,soon,25:15:00,a2,3"
    made = counts(network(tmp_path, files))
    named = {
        "stops without id or position": 1,
        "parent stations that do not exist": 1,
        "trips of a route that is not in the feed": 1,
        "trips of other modes": 1,
        "stop times of other modes, or of a trip that is not in the feed": 1,
        "stop times at a stop that is not in the feed": 1,
        "stop times without a whole stop_sequence": 1,
        "times that do not read HH:MM:SS": 1,
        "trips whose times run backwards or are missing": 1,
    }
    assert {name: made[name] for name in named} == named


def test_platforms_of_a_station_are_one_place_however_far_they_lie_apart(tmp_path: Path) -> None:
    files = feed()
    files["stops.txt"] = (
        "stop_id,stop_name,stop_lat,stop_lon,parent_station\n"
        + "\n".join(
            f"{name}{side},{name},{at(x, y)},{name}" for name, x in (("a", 0), ("b", 800), ("c", 1600)) for side, y in ((1, 0), (2, 140))
        )
        + "\n"
        + "\n".join(f"{name},{name},{at(x, 70)}," for name, x in (("a", 0), ("b", 800), ("c", 1600)))
    )
    assert network(tmp_path, files, merge_m=1).n_stops == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"routes__txt": "route_id,route_type\nN1,1"},
            r"no trip runs as bus or trolleybus, modes there: metro \(3 trips\); name one with modes",
        ),
        ({"stop_times__txt": "\n \n"}, r"holds no stop_times\.txt, which a feed needs"),
        ({"trips__txt": "route_id,trip\nN1,out"}, r"trips\.txt must have the column 'trip_id', found route_id, trip"),
        (
            {"stop_times__txt": "trip_id,stop_id,stop_sequence\nx,a1,1"},
            r"stop_times\.txt has no row of the 3 trips asked for; check its ids, pickup_type and drop_off_type",
        ),
    ],
)
def test_feeds_without_what_a_network_needs_are_refused(change: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        network(tmp_path, feed(**change))


def test_what_is_no_feed_or_no_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.zip: no such file; name a GTFS feed as \.zip or as a folder"):
        Network.from_gtfs(tmp_path / "absent.zip")
    (tmp_path / "feed.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"feed\.zip: no zip and no folder"):
        Network.from_gtfs(tmp_path / "feed.zip")
    with pytest.raises(UsageError, match=r"modes must be among bus, trolleybus, .* or all, got 'boat'"):
        network(tmp_path, modes=["boat"])
    with pytest.raises(UsageError, match=r"night_factor must lie in \[0\.1, 10\], got 0"):
        network(tmp_path, night_factor=0)


def test_stops_outside_the_grid_are_left_out_and_without_a_grid_one_is_laid_around_them(tmp_path: Path) -> None:
    path = written(tmp_path, feed())
    alone = Network.from_gtfs(path)
    assert alone.n_stops == 3
    assert (alone.stop_hex >= 0).all()
    small = HexGrid(GRID.crs, 500, "planar", [0, 1], [0, 0])
    made = Network.from_gtfs(path, small)
    assert made.n_stops == 2
    assert counts(made)["of these outside the grid"] == 2


# places and shapes --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 3)), max_size=30), st.integers(0, 120))
def test_no_point_lies_farther_from_its_place_than_asked_and_no_two_places_are_nearer(
    points: list[tuple[int, int, int]], merge_m: int
) -> None:
    x, y, weight = np.array(points, dtype=np.int64).reshape(-1, 3).T
    place = merged_stops(x.astype(float), y.astype(float), weight, merge_m)
    assert (np.hypot(x - x[place], y - y[place]) <= merge_m + 1e-5).all()
    places = np.unique(place)
    assert (place[places] == places).all()
    apart = np.hypot(x[places][:, None] - x[places], y[places][:, None] - y[places]) + np.eye(places.size) * 1e9
    assert (apart > merge_m).all()
    few, metres = merge_to_limit(x.astype(float), y.astype(float), weight, merge_m, 3)
    assert np.unique(few).size <= 3
    assert metres >= merge_m


@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_stops_drawn_along_a_shape_are_found_on_it_in_riding_order(n_points: int, n_stops: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.uniform(0, 1000, (n_points, 2))
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(shape, axis=0).T))])
    metres = np.sort(rng.uniform(0, length[-1], n_stops))
    stops = np.stack([np.interp(metres, length, shape[:, axis]) for axis in (0, 1)], axis=1)
    found, off = along_shape(shape, stops)
    assert (np.diff(found) >= 0).all()
    assert off.max() < 1e-3
    on = np.stack([np.interp(found, length, shape[:, axis]) for axis in (0, 1)], axis=1)
    assert np.abs(on - stops).max() < 1e-2
    line = piece(shape, shape, found[0], found[-1])
    assert abs(np.hypot(*np.diff(line, axis=0).T).sum() - (found[-1] - found[0])) < 1e-6


# real feeds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(("name", "modes", "stops", "links"), [("cairns", ("bus",), 200, 500), ("nyc_subway", ("metro",), 91, 188)])
def test_real_feeds_make_sound_networks(cases: Path, name: str, modes: tuple[str, ...], stops: int, links: int) -> None:
    made = Network.from_gtfs(cases / "gtfs" / f"{name}_gtfs.zip", modes=modes, hours=range(24, 29))
    assert check_network(made).passed
    assert made.n_stops >= stops
    assert made.n_links >= links


def feed_rows(path: Path, name: str) -> list[dict[str, str]]:
    """Rows of one table of a feed, by the csv module."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.txt") as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline="")))


def calls_of(path: Path, kinds: set[str]) -> dict[str, dict[tuple[str, ...], int]]:
    """Sequences of the stops where riders board or alight by route, with the number of trips of each, read without owlbus."""
    routes = {row["route_id"] for row in feed_rows(path, "routes") if row["route_type"] in kinds}
    route_of = {row["trip_id"]: row["route_id"] for row in feed_rows(path, "trips") if row["route_id"] in routes}
    calls: dict[str, list[tuple[int, str]]] = {}
    for row in feed_rows(path, "stop_times"):
        if row["trip_id"] in route_of and (row.get("pickup_type"), row.get("drop_off_type")) != ("1", "1"):
            calls.setdefault(row["trip_id"], []).append((int(row["stop_sequence"]), row["stop_id"]))
    sequences: dict[str, dict[tuple[str, ...], int]] = {}
    for trip, rows in calls.items():
        number = sequences.setdefault(route_of[trip], {})
        stops = tuple(stop for _, stop in sorted(rows))
        number[stops] = number.get(stops, 0) + 1
    return sequences


def place_of_stops(path: Path, modes: tuple[str, ...], made: Network) -> dict[str, int]:
    """Stop of the network that each stop of the feed became part of."""
    table = read_feed(path, modes)
    patterns = read_patterns(table, made.grid, [])
    stops, place = _places(table, made.grid, _stop_calls(table), patterns, GtfsImportSettings(modes), [])
    number = {position: k for k, position in enumerate(zip(made.stop_lon.tolist(), made.stop_lat.tolist(), strict=True))}
    kept = [number.get(position, -1) for position in zip(stops.lon.tolist(), stops.lat.tolist(), strict=True)]
    return {stop: kept[row] for stop, row in zip(table.stops["stop_id"], place.tolist(), strict=True) if row >= 0 and kept[row] >= 0}


def driven_links(sequences: dict[str, dict[tuple[str, ...], int]], place: dict[str, int]) -> set[tuple[int, int]]:
    """Pairs of places that a trip serves one after the other, and turns from the last place of a line to a first one of it."""
    driven: set[tuple[int, int]] = set()
    for number in sequences.values():
        lines = [[place[stop] for stop in stops] for stops in number]
        for line in lines:
            driven |= set(itertools.pairwise(line))
        driven |= {(one[-1], other[0]) for one in lines for other in lines}
    return driven


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "modes", "kinds"),
    [
        ("fortaleza", ("bus",), {"3"}),
        ("sao_paulo", ("bus",), {"3"}),
        ("berlin", ("bus",), {"3", "700"}),
        ("cairns_gtfs", ("bus",), {"3"}),
        ("nyc_subway_gtfs", ("metro",), {"1"}),
    ],
)
def test_shared_feeds_keep_their_stops_and_every_link_is_driven(cases: Path, name: str, modes: tuple[str, ...], kinds: set[str]) -> None:
    path = cases / "gtfs" / f"{name}.zip"
    made = Network.from_gtfs(path, modes=modes)
    assert check_network(made).passed
    sequences = calls_of(path, kinds)
    used = {stop for number in sequences.values() for stops in number for stop in stops}
    place = place_of_stops(path, modes, made)
    assert sum(stop in place for stop in used) >= 0.95 * len(used)
    driven = driven_links(sequences, place)
    start = np.repeat(np.arange(made.n_stops), np.diff(made.link_indptr))
    links = list(zip(start.tolist(), made.link_to.tolist(), strict=True))
    drives = [k for k, (a, b) in enumerate(links) if (a, b) not in driven and (b, a) not in driven]
    joined = counts(made)["groups of lines that share no place with the others, joined by a drive between their nearest places"]
    assert len(drives) == 2 * joined
    known = [k for k, ends in enumerate(links) if ends in driven] + drives
    graph = csr_array((made.link_s[known].astype(float), (start[known], made.link_to[known])), shape=(made.n_stops, made.n_stops))
    for k in np.random.default_rng(0).permutation(made.n_links)[:200].tolist():
        if links[k] not in driven:
            assert made.link_s[k] == dijkstra(graph, indices=links[k][0])[links[k][1]], "the fastest way along driven links"
