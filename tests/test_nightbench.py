"""NightBench: its instances and files, plans of other tools, best known plans, and the evaluator that shares no code."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from nightbench_evaluator import Evaluator, read_plan

from owlbus import (
    DataError,
    Demand,
    HexGrid,
    MaxSeconds,
    Network,
    Plan,
    PlanConstraints,
    Route,
    RouteLimits,
    ServiceRule,
    UsageError,
    plan_measures,
    plan_routes,
)
from owlbus.cli.app import run
from owlbus.nightbench import (
    BENCH_OBJECTIVES,
    INSTANCES,
    SHIPPED,
    BenchInstance,
    best_plan_of,
    broken_rules,
    keep_plan,
    known_facts,
    open_instance,
    plan_csv,
    read_instance,
    read_plan_csv,
    read_records,
    run_bench,
    value_plan,
    write_instance,
)
from owlbus.nightbench.instance_files import TABLES, instance_files
from owlbus.nightbench.plan_value import least_travel_s
from owlbus.nightbench.published_cases import PUBLISHED
from owlbus.plan.check import broken_limits

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = [(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)]
TIGHT = RouteLimits(
    max_length_m=6_000,
    min_length_m=1_500,
    max_circuity=1.3,
    max_stops=7,
    min_stops=3,
    max_buses=4,
    max_total_length_m=14_000,
    headway_s=600,
)


def random_streets(seed: int) -> Network:
    """Lattice whose links take other seconds on their way back, with walks to more than one stop."""
    base, rng = Network.from_lattice(HexGrid.cover(SQUARE, n_hexes=40), walk_m=900), np.random.default_rng(seed)
    return replace(
        base, link_s=rng.integers(60, 400, base.n_links), link_m=rng.integers(300, 1_500, base.n_links), points=None, source="tables"
    )


def town(seed: int, **changes: object) -> BenchInstance:
    """Small instance with trips between random hexes, some of them beyond all walks."""
    rng = np.random.default_rng(seed)
    network = random_streets(seed)
    pairs = np.unique(rng.integers(0, 40, (300, 2)), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    trips = rng.integers(1, 9_000, len(pairs)) / 1024
    there = {"night": np.zeros(40, int), "hour": np.full(40, 24), "hex": np.arange(40), "presence": rng.integers(0, 99, 40) / 4}
    wanted = {"night": np.zeros(len(pairs), int), "hour": np.full(len(pairs), 24), "origin": pairs[:, 0], "destination": pairs[:, 1]}
    demand = Demand.from_rows(40, wanted | {"trips": trips}, there, hours=(24,), grid=network.grid.fingerprint)
    facts = {"name": f"town-{seed}", "title": "a town", "source": "generated", "licence": "MIT", "is_synthetic": True}
    settings = {
        "n_routes": 3,
        "limits": TIGHT,
        "rule": ServiceRule(detour_factor=1.2, detour_s=100, transfer_s=120),
        "required_nodes": (7,),
    }
    return BenchInstance(**{**facts, **settings, "network": network, "demand": demand, **changes})


def random_route(network: Network, rng: np.random.Generator) -> list[int]:
    """Stops of a walk that passes no stop twice."""
    stops = [int(rng.integers(network.n_stops))]
    for _ in range(int(rng.integers(1, 9))):
        low, high = network.link_indptr[stops[-1] : stops[-1] + 2]
        free = [stop for stop in network.link_to[low:high].tolist() if stop not in stops]
        if not free:
            break
        stops.append(free[int(rng.integers(len(free)))])
    return stops


def random_plan(network: Network, rng: np.random.Generator) -> list[list[int]]:
    """Up to four routes of two stops or more."""
    routes = [random_route(network, rng) for _ in range(int(rng.integers(1, 5)))]
    return [stops for stops in routes if len(stops) > 1] or [[0, int(network.link_to[0])]]


def plan_of(instance: BenchInstance, routes: list[list[int]]) -> Plan:
    return Plan(tuple(Route(stops, f"R{k}") for k, stops in enumerate(routes, 1)), instance.network.fingerprint)


def names_broken(instance: BenchInstance, plan: Plan) -> set[str]:
    """Names of broken limits, as the other evaluator has them."""
    found = {one.limit for one in broken_limits(plan_measures(instance.network, plan, instance.limits.headway_s), instance.limits)}
    found = {"allow_spurs" if name == "max_spurs" else name for name in found}
    more = {"n_routes"} if plan.n_routes > instance.n_routes else set()
    return found | more | (set() if 7 in plan.used_stops else {"required_nodes"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town as files."""
    return write_instance(town(1), tmp_path_factory.mktemp("bench") / "town")


def test_an_evaluator_that_shares_no_code_gives_the_same_values_of_1000_plans(tmp_path: Path) -> None:
    rng, broken, seen = np.random.default_rng(5), set(), 0
    for seed in range(4):
        instance = read_instance(write_instance(town(seed), tmp_path / str(seed)))
        other = Evaluator(tmp_path / str(seed))
        for turn in range(250):
            routes = random_plan(instance.network, rng)
            plan = plan_of(instance, routes)
            ours = [value_plan(instance, plan, objective).value for objective in BENCH_OBJECTIVES]
            theirs = [other.value(routes, objective) for objective in BENCH_OBJECTIVES]
            assert ours[:3] == theirs[:3], routes
            assert math.isclose(ours[3], theirs[3], rel_tol=1e-12), routes
            seen += ours[0] > ours[1] > 0
            if turn % 2:
                found = other.broken(routes)
                assert found == names_broken(instance, plan), routes
                broken |= found
    assert seen > 200
    assert broken >= {"max_length_m", "min_length_m", "max_circuity", "max_buses", "max_stops", "min_stops", "n_routes", "required_nodes"}


def test_an_instance_reads_back_as_it_was_written(folder: Path) -> None:
    read = read_instance(folder)
    assert instance_files(read) == {name: (folder / name).read_bytes() for name in ("instance.json", *TABLES)}
    assert (read.limits, read.rule, read.required_nodes) == (TIGHT, town(1).rule, (7,))
    assert np.array_equal(read.demand.od().trips, town(1).demand.od().trips)


def test_rows_of_links_may_stand_in_any_order(folder: Path, tmp_path: Path) -> None:
    import hashlib

    copy = shutil.copytree(folder, tmp_path / "copy")
    head, *rows = (copy / "links.csv").read_text().splitlines()
    (copy / "links.csv").write_text("\n".join([head, *reversed(rows)]) + "\n")
    about = json.loads((copy / "instance.json").read_text())
    about["sha256"]["links.csv"] = hashlib.sha256((copy / "links.csv").read_bytes()).hexdigest()
    (copy / "instance.json").write_text(json.dumps(about))
    assert read_instance(copy).network.fingerprint == read_instance(folder).network.fingerprint


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("trips.csv", lambda text: text.replace("trips", "rides"), "trips.csv: its SHA-256 is"),
        (
            "instance.json",
            lambda text: text.replace('"format_version": 1', '"format_version": 2'),
            "its format is nightbench 2, this release",
        ),
        ("instance.json", lambda _: "{", "is no instance"),
        ("instance.json", lambda text: text.replace('"transfer_s": 120', '"transfer_s": -1'), "transfer_s must lie in"),
        ("instance.json", lambda text: text.replace('"served",', '"carried",'), "objectives must be some of served, direct"),
        ("instance.json", lambda text: text.replace('"n_routes"', '"routes"'), "KeyError: 'n_routes'"),
    ],
)
def test_a_damaged_instance_is_refused_in_one_line(folder: Path, tmp_path: Path, file: str, change, said: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / file).write_text(change((copy / file).read_text()))
    with pytest.raises(DataError, match=said) as caught:
        read_instance(copy)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_table_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "walks.csv").unlink()
    with pytest.raises(DataError, match=r"walks\.csv: cannot be read .* an instance is a folder with instance\.json, nodes\.csv"):
        read_instance(copy)


@pytest.mark.parametrize("name", ["compact-300", "river-1252", "seoul-streets"])
def test_instances_of_the_package_have_the_hashes_of_the_list(name: str) -> None:
    instance = open_instance(name)
    facts = known_facts()[name]
    assert (instance.network.n_stops, instance.network.grid.n_hexes, instance.n_routes) == (facts.n_nodes, facts.n_hexes, facts.n_routes)
    assert set(facts.sha256) == set(TABLES)


def test_tables_that_are_not_those_of_the_list_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from owlbus.nightbench import catalogue, synthetic_cities

    other = synthetic_cities.SHAPES["compact-300"]._replace(seed=301)
    monkeypatch.setitem(catalogue.SHAPES, "compact-300", other)
    with pytest.raises(DataError, match=r"compact-300: .*trips\.csv made here is not that of version 1"):
        open_instance("compact-300")
    assert open_instance("compact-300", is_checked=False).demand.total_trips == 18_000


def test_an_unknown_instance_and_missing_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"instance must be a folder with instance\.json, or one of seoul-streets"):
        open_instance("atlantis")
    with pytest.raises(DataError, match=r"mandl-4 needs public data .* MandlTravelTimes\.txt by data"):
        open_instance("mandl-4")
    with pytest.raises(DataError, match=r"mumford3 needs, is neither in it nor in mumford3 or utrp/mumford3 below"):
        open_instance("mumford3", tmp_path)


def test_large_instances_of_the_literature_are_taken(tmp_path: Path) -> None:
    """A ring of 127 nodes in the form of Mumford3: 60 routes of 12 to 25 nodes."""
    n = 127
    minutes = np.full((n, n), np.inf)
    minutes[np.arange(n), (np.arange(n) + 1) % n] = minutes[(np.arange(n) + 1) % n, np.arange(n)] = 2
    np.savetxt(tmp_path / "Mumford3TravelTimes.txt", minutes)
    np.savetxt(tmp_path / "Mumford3Demand.txt", np.triu(np.ones((n, n)), 5))
    instance = open_instance("mumford3", tmp_path, is_checked=False)
    assert (instance.n_routes, instance.limits.min_stops, instance.limits.max_stops) == (60, 12, 25) == PUBLISHED["mumford3"][1:]
    plan = plan_of(instance, [[(start + k) % n for k in range(25)] for start in range(0, 120, 2)])
    assert broken_rules(instance, plan) == ()
    assert value_plan(instance, plan, "travel_time").value > least_travel_s(instance) > 0
    assert PUBLISHED["mumford2"][1:] == (56, 10, 22)


@pytest.mark.parametrize("name", ["compact-300"])
def test_best_known_plans_have_their_values_by_the_other_evaluator(name: str, tmp_path: Path) -> None:
    instance = open_instance(name)
    other = Evaluator(write_instance(instance, tmp_path))
    records = {key: record for key, record in read_records().items() if key[0] == name}
    assert {objective for _, objective in records} == set(BENCH_OBJECTIVES)
    for (_, objective), record in records.items():
        plan = best_plan_of(instance, objective)
        assert plan is not None
        assert plan_csv(plan).decode().startswith("route,order,stop\n")
        routes = [route.stops.tolist() for route in plan.routes]
        assert math.isclose(other.value(routes, objective), record.value, rel_tol=1e-9)
        assert other.broken(routes) == set()


def test_every_instance_of_the_package_has_a_plan_for_every_objective() -> None:
    records = read_records()
    wanted = {(name, objective) for name in SHIPPED for objective in BENCH_OBJECTIVES} - {("centres-5000", "travel_time")}
    assert wanted <= records.keys()
    assert all(record.instance in INSTANCES and record.found_by for record in records.values())
    assert all(record.bound_by and record.gap is not None for record in records.values() if record.bound is not None)
    assert all(record.keeps_bound for record in records.values())


def test_plans_of_other_tools_are_read(folder: Path, tmp_path: Path) -> None:
    instance = read_instance(folder)
    first = int(instance.network.link_to[0])
    path = tmp_path / "plan.csv"
    path.write_text(f"node,route_id,sequence\n{first},A,20\n0,A,3\n")
    assert [(route.name, route.stops.tolist()) for route in read_plan_csv(path, instance).routes] == [("A", [0, first])]
    assert read_plan(tmp_path / "again.csv" if (tmp_path / "again.csv").write_bytes(plan_csv(read_plan_csv(path, instance))) else path) == [
        [0, first]
    ]


def test_names_of_routes_with_commas_come_back(folder: Path, tmp_path: Path) -> None:
    instance, path = read_instance(folder), tmp_path / "plan.csv"
    plan = Plan((Route([0, int(instance.network.link_to[0])], 'north, "express"'),), instance.network.fingerprint)
    path.write_bytes(plan_csv(plan))
    assert read_plan_csv(path, instance).equals(plan)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "column route is missing, its header is nothing; begin it with route,order,stop"),
        ("route,order\nA,1\n", "column stop is missing, its header is route,order"),
        ("route,order,stop\n", "it has no rows"),
        ("route,order,stop\nA,1,0\nA,2,x\n", "line 3: stop must be a whole number, got 'x'"),
        ("route,order,stop\nA,1,0\nA,2,40\n", r"route 'A', line 3: stop must lie in \[0, 40\), got 40; count nodes from 0"),
        ("route,order,stop\nA,1,0\n", "route 'A': it has one stop, in line 2"),
        ("route,order,stop\nA,1,0\nA,1,1\n", "route 'A': two stops have the same order, the second in line 3"),
        (
            "route,order,stop\nA,1,0\nA,2,39\n",
            r"route 'A', line 3: no link leads from stop 0 to stop 39 \(1 such gaps\); ride on the links",
        ),
        ('route,order,stop\nA,1,"' + 140_000 * "0", r"plan.csv: cannot be read as CSV \(.*\); look for a quotation mark"),
        ("route,order,stop\n,1,0\n,2,1\n", r"plan.csv: a route needs a name of one line, got ''"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_in_one_line(folder: Path, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_plan_csv(path, read_instance(folder))
    assert run(["bench", "check", str(path), "--instance", str(folder), "-q"]) == 3


def test_a_plan_is_kept_only_if_it_is_better_and_within_all_limits(folder: Path, tmp_path: Path) -> None:
    instance = replace(read_instance(folder), limits=RouteLimits(max_pair_circuity=math.inf, allow_spurs=True, max_circuity=99))
    by_seven = int(instance.network.link_to[instance.network.link_indptr[7]])
    small = plan_of(instance, [[7, by_seven]])
    more = plan_of(instance, [[7, by_seven], [0, int(instance.network.link_to[0])]])
    assert keep_plan(tmp_path, instance, "presence", small, "hand") is not None
    assert keep_plan(tmp_path, instance, "presence", small, "hand again") is None
    kept = keep_plan(tmp_path, instance, "presence", more, "hand, more")
    assert kept is not None
    assert (kept.found_by, read_records(tmp_path)[instance.name, "presence"]) == ("hand, more", kept)
    found = best_plan_of(instance, "presence", tmp_path)
    assert found is not None
    assert found.n_routes == 2
    with pytest.raises(DataError, match="required nodes are not called at, first 7"):
        keep_plan(tmp_path, instance, "presence", plan_of(instance, [[0, int(instance.network.link_to[0])]]), "hand")


def test_a_search_by_processor_seconds_keeps_limits_and_notes_its_values() -> None:
    instance = town(2, limits=RouteLimits(max_buses=20, max_pair_circuity=math.inf, allow_spurs=True), n_routes=2)
    found = run_bench(instance, "served", 1.2)
    assert 1.2 <= found.elapsed_s < 10
    assert set(found.curve) == {1}
    assert re.fullmatch(r"owlbus, [\d,]+ moves, \d+ processor seconds, seed 0", found.found_by)
    assert replace(found, n_moves=0).found_by.startswith("owlbus, construction only, ")
    assert found.curve[1] <= found.value.value
    assert broken_rules(instance, found.plan) == ()
    with pytest.raises(UsageError, match=r"objective of town-2 must be one of served, .* got 'carried'"):
        run_bench(instance, "carried", 1)
    assert isinstance(instance.constraints, PlanConstraints)


def test_the_command_lists_exports_checks_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["instances"]
    assert [row["name"] for row in listed] == list(INSTANCES)
    assert {row["name"] for row in listed if not row["needs_data"]} == set(SHIPPED)
    assert run(["bench", "export", "compact-300", str(tmp_path / "c"), "-q"]) == 0
    capsys.readouterr()
    assert run(["bench", "run", "--instance", str(tmp_path / "c"), "--objective", "presence", "--time", "1", "--json", "-q"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert (row["objective"], row["unit"], row["best_known"]) == ("presence", "people", read_records()["compact-300", "presence"].value)
    other = Evaluator(tmp_path / "c")
    assert other.value(row["routes"], "presence") == row["value"]
    lines = [f"R{k},{order},{stop}" for k, route in enumerate(row["routes"], 1) for order, stop in enumerate(route, 1)]
    plan = tmp_path / "plan.csv"
    plan.write_text("\n".join(["route,order,stop", *lines]) + "\n")
    assert run(["bench", "check", str(plan), "--instance", "compact-300", "--objective", "presence", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"][0]["value"] == row["value"]
    plan.write_text("\n".join(["route,order,stop", *lines, *[f"X{line}" for line in lines]]) + "\n")
    assert run(["bench", "check", str(plan), "--instance", "compact-300", "-q"]) == 1
    said = capsys.readouterr()
    assert re.search(r"breaks \d+ limits of compact-300, first: all routes: buses \d+ is above 16", said.err)
    assert run(["bench", "check", str(plan), "--instance", "compact-300", "-q", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["broken_limits"][-1] == f"all routes: {2 * len(row['routes'])} routes are more than 4"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["look"], "WHAT must be one of list, run, check, export, got 'look'"),
        (["check"], "bench check takes 1 argument after it, got 0"),
        (["check", "plan.csv"], "bench check needs the instance of the plan"),
        (["export", "compact-300"], "write owlbus bench export NAME DIR"),
        (
            ["check", "plan.csv", "--instance", "compact-300", "--keep", "best"],
            "--keep goes with bench run, got bench check; leave",
        ),
        (["list", "--time", "9"], "--time goes with bench run, got bench list"),
        (["run", "--instance", "atlantis"], "--instance must be a folder with instance.json"),
        (["run", "--instance", "compact-300", "--objective", "carried"], "--objective of compact-300 must be one of served"),
        (["run", "--instance", "compact-300", "--time", "0"], "--time must lie in [1, 1e+06], got 0"),
    ],
)
def test_wrong_words_are_a_usage_error(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *words, "-q"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.real
def test_public_data_give_the_hashes_of_the_list() -> None:
    from pathlib import Path

    data = Path(__file__).resolve().parents[2] / "shared" / "cases"
    if not data.is_dir():
        pytest.skip(f"no public data at {data}")
    for name in ("stpetersburg-500", "mandl-4", "mumford1"):
        assert open_instance(name, data).name == name


def test_a_folder_with_the_name_of_the_list_and_other_limits_is_refused(tmp_path: Path) -> None:
    write_instance(open_instance("compact-300"), tmp_path)
    assert open_instance(tmp_path).name == "compact-300"
    about = json.loads((tmp_path / "instance.json").read_text())
    about["limits"]["max_buses"] += 4
    (tmp_path / "instance.json").write_text(json.dumps(about))
    with pytest.raises(
        DataError, match=r"limits or rules are not those of compact-300 in the list; give it a name of its own in instance\.json"
    ):
        open_instance(tmp_path)
    (tmp_path / "instance.json").write_text(json.dumps(about | {"name": "compact-wide"}))
    assert open_instance(tmp_path).limits.max_buses == about["limits"]["max_buses"]


def test_seconds_of_the_clock_and_of_the_processor_are_not_mixed() -> None:
    instance = town(2)
    mixed = [MaxSeconds(5), MaxSeconds(60, of_processor=True)]
    with pytest.raises(UsageError, match="all its seconds by the clock, or all by the processor, got some of each"):
        plan_routes(instance.network, instance.demand, 2, stop_when=mixed)
