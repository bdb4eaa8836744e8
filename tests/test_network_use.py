"""Networks in use: as graphs and frames, from the command line, and plans that run on one and are read on another."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import polars as pl
import pytest

from owlbus.cli.app import run
from owlbus.common.errors import DataError, UsageError
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.pipeline import Sources
from owlbus.pipeline.study import build_network
from owlbus.plan import (
    Plan,
    Route,
    plan_geojson,
    read_plan,
    route_links,
    write_plan,
)

if TYPE_CHECKING:
    from pathlib import Path

GRID = HexGrid.cover([(10.0, 50.0), (10.05, 50.0), (10.05, 50.03), (10.0, 50.03)])


def roads(side: int = 8, block_m: float = 400.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Streets in squares, each with a bend in its middle."""
    nodes: list[tuple[str, float, float]] = []
    links: list[tuple[str, str, float, float]] = []
    for k in range(side * side):
        x, y = (k % side - side / 2) * block_m, (k // side - side / 2) * block_m
        nodes.append((f"n{k}", x, y))
        for step, on in ((1, k % side < side - 1), (side, k // side < side - 1)):
            if on:
                bend = f"b{k}_{step}"
                half = (block_m / 2, 30.0) if step == 1 else (30.0, block_m / 2)
                nodes.append((bend, x + half[0], y + half[1]))
                metres = float(np.hypot(*half))
                links += [
                    (a, b, metres, 10.0) for a, b in ((f"n{k}", bend), (bend, f"n{k}"), (bend, f"n{k + step}"), (f"n{k + step}", bend))
                ]
    names, x, y = zip(*nodes, strict=True)
    lon, lat = GRID.unproject(np.array(x), np.array(y))
    start, end, metres_of, speed = zip(*links, strict=True)
    return (
        pl.DataFrame({"node_id": names, "lon": lon, "lat": lat}),
        pl.DataFrame({"from_node": start, "to_node": end, "length_m": metres_of, "freespeed_m_per_s": speed}),
    )


STREETS = Network.from_tables(*roads(), GRID)
LATTICE = Network.from_lattice(GRID)


# other libraries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [STREETS, LATTICE], ids=["streets", "lattice"])
def test_graphs_and_frames_hold_what_the_network_holds(network: Network) -> None:
    graph = network.to_networkx()
    assert graph.number_of_nodes() == network.n_stops
    assert graph.graph["walk_rule"] == network.walk_rule
    assert nx.dijkstra_path_length(graph, 0, network.n_stops - 1, "seconds") == network.drive_s[0, -1]
    assert {(u, v): (d["seconds"], d["metres"]) for u, v, d in graph.edges(data=True)} == {
        (u, int(v)): network.link(u, int(v))
        for u in range(network.n_stops)
        for v in network.link_to[network.link_indptr[u] : network.link_indptr[u + 1]]
    }
    frames = network.to_geodataframes()
    assert (len(frames.stops), len(frames.links), len(frames.sheds)) == (network.n_stops, network.n_links, network.shed_hex.size)
    row = frames.links.iloc[5]
    assert np.array_equal(np.array(row.geometry.coords), network.link_line(int(row.start), int(row.end)))
    assert frames.stops.geometry[3].coords[0] == (network.stop_lon[3], network.stop_lat[3])
    shed = frames.sheds.iloc[0]
    assert shed.geometry.contains(frames.stops.geometry[0]) or shed.hex != network.stop_hex[0]
    assert str(frames.links.crs) == "EPSG:4326"


# plans along streets and across networks ----------------------------------------------------------------------------------


def path_plan(network: Network, *ends: tuple[int, int]) -> Plan:
    return Plan(tuple(Route(network.shortest_path(*pair), f"R{k}") for k, pair in enumerate(ends)), network.fingerprint)


def test_routes_are_drawn_along_their_streets_and_read_back_by_their_stops(tmp_path: Path) -> None:
    plan = path_plan(STREETS, (0, STREETS.n_stops - 1))
    (feature,) = json.loads(plan_geojson(STREETS, plan))["features"]
    line = [tuple(point) for point in feature["geometry"]["coordinates"]]
    street = [tuple(np.round(point, 6)) for u, v in pairwise(plan.routes[0].stops.tolist()) for point in STREETS.link_line(u, v)]
    assert len(line) > plan.routes[0].n_stops
    assert line == [street[0], *(b for a, b in pairwise(street) if a != b)]
    assert len(feature["properties"]["stop_lonlat"]) == plan.routes[0].n_stops
    write_plan(tmp_path / "plan.geojson", STREETS, plan)
    assert read_plan(tmp_path / "plan.geojson", STREETS).equals(plan)


def test_a_plan_of_one_network_is_read_on_another_by_the_nearest_stops(tmp_path: Path) -> None:
    plan = path_plan(STREETS, (0, STREETS.n_stops - 1), (3, 17))
    write_plan(tmp_path / "plan.geojson", STREETS, plan)
    moved = read_plan(tmp_path / "plan.geojson", LATTICE, max_snap_m=500)
    assert moved.network_fingerprint == LATTICE.fingerprint
    assert moved.names == plan.names
    for route, given in zip(moved, plan, strict=True):
        route_links(LATTICE, route.stops, route.name)
        near = LATTICE.nearest_stops(STREETS.stop_lon[given.stops], STREETS.stop_lat[given.stops])[0]
        assert set(near.tolist()) <= set(route.stops.tolist())
    back = tmp_path / "back.geojson"
    write_plan(back, LATTICE, moved)
    assert read_plan(back, STREETS).names == plan.names


def test_a_plan_that_lies_too_far_from_the_other_network_is_refused(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.geojson", STREETS, path_plan(STREETS, (0, STREETS.n_stops - 1)))
    with pytest.raises(DataError, match=r"plan\.geojson: route 'R0': way-point 1 .* lies \d+ m from the nearest stop, allowed are 5 m"):
        read_plan(tmp_path / "plan.geojson", LATTICE, max_snap_m=5)


# the command line ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def feed(tmp_path: Path) -> str:
    """Five stops in a row, a bus each way."""
    stops = [f"s{k},{50.005 + k * 0.001:.4f},{10.005 + k * 0.008:.4f}" for k in range(5)]
    times = [f"go,01:{3 * k:02}:00,01:{3 * k:02}:00,s{k},{k}" for k in range(5)]
    times += [f"back,02:{3 * k:02}:00,02:{3 * k:02}:00,s{4 - k},{k}" for k in range(5)]
    with zipfile.ZipFile(tmp_path / "feed.zip", "w") as archive:
        archive.writestr("stops.txt", "stop_id,stop_lat,stop_lon\n" + "\n".join(stops))
        archive.writestr("routes.txt", "route_id,route_type\nN,3\n")
        archive.writestr("trips.txt", "route_id,trip_id\nN,go\nN,back\n")
        archive.writestr("stop_times.txt", "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "\n".join(times))
    return str(tmp_path / "feed.zip")


def test_a_network_is_built_from_a_feed_written_checked_and_read_again(
    feed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "net")
    assert run(["network", feed, "--out", out, "--check", "--json", "-q"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["stops"], first["links"], first["check"]["passed"]) == (5, 8, True)
    assert first["walk_rule"] == "centre of the hex within 500 m, straight line"
    assert json.loads((tmp_path / "net" / "run.json").read_text())["inputs"][0] == feed
    assert run(["network", out, "--check", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == first["report"]
    assert run(["network", f"{out}/network.parquet", "-q"]) == 0
    assert run(["network", out, "--out", str(tmp_path / "more")]) == 2
    assert "--out copies no network" in capsys.readouterr().err


def test_a_broken_rule_ends_with_a_finding(feed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = Network.from_gtfs(feed)
    slow: dict[str, Any] = {"link_s": network.link_s * 100}
    import dataclasses

    dataclasses.replace(network, **slow).write(tmp_path / "network.parquet")
    assert run(["network", str(tmp_path / "network.parquet"), "--check", "-q"]) == 1
    assert "1 of 6 rules are broken, first: links run at 3 km/h or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--walk", "far"], "--walk must be metres, network, or network:METRES, got 'far'"),
        (["--walk", "network"], "--walk network needs footways; add --osm extract.osm.pbf"),
        (["--modes", "boat"], "--modes must be among bus, trolleybus, tram, metro, rail, ferry, cable, or all, got 'boat'"),
        (["--gtfs", "other.zip"], "are two networks; name only one"),
        (["--nodes", "n.csv", "--links", "l.csv"], "--gtfs and --nodes are two networks; give one of them"),
        (["--osm", "x.osm.pbf", "--nodes", "n.csv", "--links", "l.csv"], "--gtfs and --nodes are two networks; give one of them"),
        (["--hours", "night"], "--hours must read HH-HH, from 0 to 24, such as 22-06, got 'night'"),
        (["--walk-share", "2"], "--walk-share must lie in [1e-06, 1], got 2"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(options: list[str], message: str, feed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["network", feed, *options]) == 2
    assert message in capsys.readouterr().err


def test_the_hours_of_the_window_choose_the_runs_of_a_feed(feed: str) -> None:
    slow = build_network(Sources(gtfs=feed, night_factor=2.0), None)
    assert slow.link(0, 1)[0] == 180, "buses run at 01 and 02, within the window"
    assert build_network(Sources(gtfs=feed, walk_area_share=0.3), GRID).walk_rule == "30 % of the hex within 500 m, straight line"
    with pytest.raises(UsageError, match=r"road tables and the hex lattice need a study area"):
        build_network(Sources(), None)


def test_hours_of_service_need_a_feed_and_keep_its_runs(feed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["network", feed, "--hours", "23-3", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["report"]["counts"]["runs outside the hours of service asked for"] == 0
    assert run(["network", feed, "--hours", "12-13"]) == 3
    assert "no run departs in the hours 12 to 12 of the day; widen --hours" in capsys.readouterr().err
    assert build_network(Sources(gtfs=feed, service_hours=(1,)), None).n_stops == 5
    with pytest.raises(UsageError, match=r"service_hours are those of a feed's runs; add gtfs='feed\.zip', or leave them out"):
        Sources(service_hours=(1,))


def test_the_stretch_of_streets_is_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes, links = tmp_path / "nodes.csv", tmp_path / "links.csv"
    tables = roads()
    tables[0].write_csv(nodes)
    tables[1].write_csv(links)
    (tmp_path / "area.csv").write_text("lon,lat\n10.0,50.0\n10.05,50.0\n10.05,50.03\n10.0,50.03\n")
    found = []
    for stretch in ("1", "2.5"):
        given = ["--nodes", str(nodes), "--links", str(links), "--area", str(tmp_path / "area.csv"), "--stretch", stretch]
        assert run(["network", *given, "--json", "-q"]) == 0
        found.append(json.loads(capsys.readouterr().out)["links"])
    assert found[0] > found[1]
    assert run(["network", "--nodes", str(nodes), "--links", str(links), "--area", str(tmp_path / "area.csv"), "--stretch", "0.5"]) == 2
    assert "stretch must lie in [1, 3], got 0.5" in capsys.readouterr().err


def test_the_scorecard_states_the_rule_of_the_walk() -> None:
    from cities import city

    from owlbus.score import score_plan

    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 4.0})
    card = score_plan(network, demand, Plan((Route([0, 1, 2], "N"),), network.fingerprint))
    assert card.to_dict()["walk_rule"] == "centre of the hex within 500 m, straight line"
