"""
Plans of this tree beside those of an older one at equal processor time: same tables, same limits, plans valued by plain NumPy here.

Run ``python benchmarks/equal_cpu.py --old FOLDER``, FOLDER being another checkout of owlbus, such as one made with
``git worktree add FOLDER 9e96956``; ``--write`` also puts the table into benchmarks/README.md. Each tree runs in a process of its own on
one processor, in turns seed by seed. A search ends at its seconds, and its clock is the processor time of all threads of its process, so
that other work on the machine takes none of it. Both searches count hexes whole by their centre, and neither is limited between two stops
on the way: the older tree knows no such limit. St Petersburg needs ``--cases`` with its public data, and is left out without.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network

NETWORKS = ("lattice", "streets", "stpetersburg")
OBJECTIVES = ("served", "direct", "presence")
CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "stpetersburg"
SQUARE = [(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)]
DETOUR_FACTOR, DETOUR_S, TRANSFER_S = 2, 600, 300
NO_RIDE_S = 1e9
HEAD = (
    "network, objective",
    "older, median %",
    "this, median %",
    "gain, %",
    "older spread, %",
    "this spread, %",
    "better seeds",
    "CPU s a run",
)
NOTE = """
## Equal processor time

`python benchmarks/equal_cpu.py --old {old} --seeds {seeds} --seconds {seconds:g} --objectives {objectives} --write`: this tree beside an
older one, {seeds} seeds each in turns on one processor, {seconds:g} processor seconds of all threads for a search
({starts}). Shares of all trips or people in percent, by one evaluator of plain NumPy; gain is that of the
median, spread is best less worst over the median. Lattice and streets: 9 routes and 45 buses every 45 minutes; St Petersburg: 21 routes
with the kilometres of the published lines. Hexes count whole by their centre, and no limit on the detour between two stops applies.

{text}
"""


class Tables(NamedTuple):
    """A case as both trees read it."""

    stops: NDArray[np.float64]
    links: NDArray[np.float64]
    sheds: NDArray[np.float64]
    trips: NDArray[np.float64]
    people: NDArray[np.float64]


COLUMNS = Tables("stop,hex", "from,to,seconds,metres", "stop,hex,walk_m", "origin,destination,trips", "hex,people")


def tables_of(network: Network, demand: Demand) -> Tables:
    """Rows of all tables, sorted as a network holds them."""
    stops = np.arange(network.n_stops)
    tails = np.repeat(stops, np.diff(network.link_indptr))
    at = np.repeat(stops, np.diff(network.shed_indptr))
    pairs, people = demand.od(), demand.presence_by_hex()
    return Tables(
        np.column_stack([stops, network.stop_hex]),
        np.column_stack([tails, network.link_to, network.link_s, network.link_m]),
        np.column_stack([at, network.shed_hex, network.shed_walk_m]),
        np.column_stack([pairs.origin, pairs.destination, pairs.trips]),
        np.column_stack([np.arange(people.size), people]),
    )


def write_tables(folder: Path, tables: Tables, about: dict[str, Any]) -> None:
    """Write a case as CSV, with routes and limits beside it."""
    folder.mkdir(parents=True)
    for name, rows, columns in zip(Tables._fields, tables, COLUMNS, strict=True):
        np.savetxt(folder / f"{name}.csv", rows, fmt="%.17g", delimiter=",", header=columns, comments="")
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def read_tables(folder: Path) -> tuple[Tables, dict[str, Any]]:
    """Read a case back."""
    read = [np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2) for name in Tables._fields]
    return Tables(*read), json.loads((folder / "about.json").read_text(encoding="utf-8"))


def export(name: str, folder: Path, cases: Path) -> bool:
    """Write the tables of a network; False without its data."""
    from owlbus.demand import estimate_demand
    from owlbus.sample import sample_city, sample_grid, sample_network

    if name == "stpetersburg":
        return _export_stpetersburg(folder, cases)
    city = sample_city()
    if name == "lattice":
        city = replace(city, streets=None)
    elif city.streets is None:
        return False
    grid = sample_grid(city)
    demand, _ = estimate_demand([city.calls_path, city.taxi_path], grid)
    write_tables(folder, tables_of(sample_network(city, grid), demand), {"n_routes": 9, "limits": {"max_buses": 45}})
    return True


def _export_stpetersburg(folder: Path, cases: Path) -> bool:
    """Write the tables of St Petersburg with a walk of 500 m."""
    from stpetersburg import ROUTES, study_of

    from owlbus.pipeline.request import budget_of
    from owlbus.plan import read_plan
    from owlbus.plan.limits import RouteLimits

    if not cases.is_dir():
        return False
    with tempfile.TemporaryDirectory() as scratch:
        study = study_of(cases, 500.0, Path(scratch))
    published = read_plan(cases / "night_lines.csv.gz", study.network)
    metres = budget_of(study, published, RouteLimits()).max_total_length_m
    write_tables(folder, tables_of(study.network, study.demand), {"n_routes": ROUTES, "limits": {"max_total_length_m": metres}})
    return True


class Evaluator:
    """Shares that plans serve, from the tables alone: rides by matrices of all stops, drives by Dijkstra's algorithm."""

    def __init__(self, tables: Tables) -> None:
        """Compute the ride that each trip accepts."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import dijkstra

        self.n_stops = len(tables.stops)
        tail, head, seconds = tables.links[:, :3].T.astype(np.int64)
        self.link_s = dict(zip(zip(tail.tolist(), head.tolist(), strict=True), seconds.tolist(), strict=True))
        drive_s = dijkstra(csr_matrix((seconds, (tail, head)), shape=(self.n_stops, self.n_stops)))
        stop, hexagon, walk_m = tables.sheds.astype(np.int64).T
        self.people = tables.people[:, 1]
        self.sheds = [stop[hexagon == h] for h in range(self.people.size)]
        order = np.lexsort((stop, walk_m, hexagon))
        reached, first = np.unique(hexagon[order], return_index=True)
        nearest = np.full(self.people.size, -1)
        nearest[reached] = stop[order][first]
        self.trips = tables.trips[:, 2]
        self.origin, self.destination = tables.trips[:, :2].astype(np.int64).T
        self.inside = (nearest[self.origin] >= 0) & (nearest[self.destination] >= 0)
        ends = nearest[self.origin[self.inside]], nearest[self.destination[self.inside]]
        self.limit_s = np.full(self.trips.size, -1.0)
        direct = drive_s[ends]
        self.limit_s[self.inside] = np.where(np.isfinite(direct), DETOUR_FACTOR * direct + DETOUR_S, -1)

    def share(self, plan: Sequence[Sequence[int]], objective: str) -> float:
        """Share of all trips or people in percent."""
        if objective == "presence":
            called = np.zeros(self.n_stops, bool)
            for stops in plan:
                called[stops] = True
            reached = np.array([called[shed].any() for shed in self.sheds])
            return float(100 * self.people[reached].sum() / self.people.sum())
        best = self._rides(plan, with_transfer=objective == "served")
        to_hex = np.stack([best[shed].min(axis=0, initial=NO_RIDE_S) for shed in self.sheds])
        by_hex = np.stack([to_hex[:, shed].min(axis=1, initial=NO_RIDE_S) for shed in self.sheds], axis=1)
        is_served = by_hex[self.origin, self.destination] <= self.limit_s
        return float(100 * self.trips[is_served].sum() / self.trips.sum())

    def _rides(self, plan: Sequence[Sequence[int]], *, with_transfer: bool) -> NDArray[np.float64]:
        """Shortest ride between any two stops on one route, or on two with one transfer, seconds."""
        best = np.full((self.n_stops, self.n_stops), NO_RIDE_S)
        rides = []
        for stops in plan:
            ahead = np.cumsum([0, *(self.link_s[pair] for pair in pairwise(stops))])
            back = np.cumsum([0, *(self.link_s[b, a] for a, b in pairwise(stops))])
            i, j = np.indices((len(stops), len(stops)))
            rides.append(np.where(i <= j, ahead[j] - ahead[i], back[i] - back[j]).astype(np.float64))
            np.minimum.at(best, np.ix_(stops, stops), rides[-1])
        for a, first in enumerate(plan):
            for b, second in enumerate(plan):
                for stop in set(first) & set(second) if with_transfer and a != b else ():
                    p, q = first.index(stop), second.index(stop)
                    way = rides[a][:, p][:, None] + TRANSFER_S + rides[b][q][None, :]
                    np.minimum.at(best, np.ix_(first, second), way)
        return best


def problem_of(folder: Path) -> tuple[Network, Demand, int, dict[str, Any]]:
    """Network and demand of the tables as the tree that runs here builds them, with the number of routes and their limits."""
    from owlbus import Demand, HexGrid, Network

    tables, about = read_tables(folder)
    stop_hex, n_hexes = tables.stops[:, 1].astype(np.int64), len(tables.people)
    grid = HexGrid.cover(SQUARE, n_hexes=n_hexes)
    tail, head, link_s, link_m = tables.links.astype(np.int64).T
    shed_stop, shed_hex, shed_walk_m = tables.sheds.astype(np.int64).T
    bounds = np.arange(stop_hex.size + 1)
    network = Network(
        grid=grid,
        stop_lon=grid.lon[stop_hex],
        stop_lat=grid.lat[stop_hex],
        stop_hex=stop_hex,
        stop_names=tuple(f"stop {k}" for k in range(stop_hex.size)),
        link_indptr=np.searchsorted(tail, bounds),
        link_to=head,
        link_s=link_s,
        link_m=link_m,
        shed_indptr=np.searchsorted(shed_stop, bounds),
        shed_hex=shed_hex,
        shed_walk_m=shed_walk_m,
    )
    night, hexes = {"night": np.zeros(1, int), "hour": np.full(1, 24)}, tables.people[:, 0].astype(np.int64)
    pairs = {"origin": tables.trips[:, 0].astype(np.int64), "destination": tables.trips[:, 1].astype(np.int64), "trips": tables.trips[:, 2]}
    people = {"hex": hexes, "presence": tables.people[:, 1]}
    rows = [{name: np.repeat(one, len(table)) for name, one in night.items()} for table in (tables.trips, tables.people)]
    demand = Demand.from_rows(n_hexes, rows[0] | pairs, rows[1] | people, hours=(24,), grid=grid.fingerprint)
    return network, demand, about["n_routes"], about["limits"]


def serve(folders: Sequence[str]) -> None:
    """Search in this process as lines on standard input ask for, and answer with routes and processor seconds."""
    time.perf_counter = time.process_time  # the search asks this clock whether its seconds are over
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import owlbus
    from owlbus import MaxSeconds, RouteLimits, plan_routes

    straight = {"max_pair_circuity": float("inf"), "allow_spurs": True} if "allow_spurs" in RouteLimits.__slots__ else {}
    ready = {folder: problem_of(Path(folder)) for folder in folders}
    print(json.dumps({"owlbus": owlbus.__file__}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        network, demand, n_routes, limits = ready[task["folder"]]
        settings = {"objective": task["objective"], "seed": task["seed"], "stop_when": [MaxSeconds(task["seconds"])]}
        settings |= (
            {"count_by": "centre"} if "count_by" in inspect.signature(plan_routes).parameters else {}
        )  # the rule that both are valued by
        settings |= {} if task["starts"] is None else {"n_starts": task["starts"]}
        result = plan_routes(network, demand, n_routes, limits=RouteLimits(**limits, **straight), **settings)
        plan = [route.stops.tolist() for route in result.plan.routes]
        answer = {"plan": plan, "cpu_s": result.elapsed_s, "steps": result.steps, "share": 100 * result.share}
        print(json.dumps(answer), flush=True)


class Tree:
    """A checkout of owlbus whose searches run in a process of their own."""

    def __init__(self, path: Path, folders: Sequence[Path]) -> None:
        """Start the process, and check that it runs what it should."""
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", *map(str, folders)]
        env = {**os.environ, "PYTHONPATH": str(path)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=path)  # noqa: S603 -- ours
        where = Path(self._answer()["owlbus"])
        if not where.is_relative_to(path.resolve()):
            msg = f"{path}: its process runs {where}"
            raise SystemExit(msg)

    def search(self, folder: Path, objective: str, seed: int, seconds: float, starts: int | None) -> dict[str, Any]:
        """Search once."""
        task = {"folder": str(folder), "objective": objective, "seed": seed, "seconds": seconds, "starts": starts}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            msg = "a search ended without an answer; see what it says above"
            raise SystemExit(msg)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def compared(trees: Sequence[Tree], folder: Path, objective: str, asked: argparse.Namespace) -> list[str]:
    """Search with all seeds in both trees, and return a line of the table."""
    evaluator = Evaluator(read_tables(folder)[0])
    starts = [None, None] if asked.starts is None else [asked.starts[0], asked.starts[-1]]
    shares: list[list[float]] = [[] for _ in trees]
    taken: list[float] = []
    for tree, count in zip(trees, starts, strict=True):
        tree.search(folder, objective, 10**6, 1.0, count)  # compiles
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        for tree, count, found in zip(trees, starts, shares, strict=True):
            answer = tree.search(folder, objective, seed, asked.seconds, count)
            found.append(evaluator.share(answer["plan"], objective))
            taken.append(answer["cpu_s"])
            if abs(found[-1] - answer["share"]) > 1e-3:
                print(f"note: the tree itself counts {answer['share']:.4f}, the evaluator {found[-1]:.4f}", file=sys.stderr)
            print(f"{folder.name} {objective} seed {seed} {found[-1]:.3f} {answer['steps']} moves", file=sys.stderr, flush=True)
    old, new = map(statistics.median, shares)
    spreads = [f"{100 * (max(found) - min(found)) / statistics.median(found):.2f}" for found in shares]
    better = sum(b > a for a, b in zip(*shares, strict=True))
    row = [f"{old:.2f}", f"**{new:.2f}**", f"{100 * (new / old - 1):+.2f}", *spreads, f"{better} of {asked.seeds}"]
    return [f"{folder.name}, {objective}", *row, f"{statistics.median(taken):.0f}"]


def main() -> None:
    """Compare two trees and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--old", type=Path, help="checkout of the older tree")
    parser.add_argument("--seeds", type=int, default=10, help="searches of each tree on each network")
    parser.add_argument("--first-seed", type=int, default=0, help="first seed")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor seconds of a search")
    parser.add_argument("--starts", type=int, nargs="+", help="starts of a search in both trees, or in the older and in this one")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="networks to plan on")
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=OBJECTIVES, help="what to plan for")
    parser.add_argument("--cases", type=Path, default=CASES, help="folder of the data of St Petersburg")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
        return
    if asked.old is None:
        parser.error("--old FOLDER is missing")
    from sections import table, write_section

    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / name for name in asked.networks]
        ready = [folder for folder in folders if export(folder.name, folder, asked.cases)]
        for folder in folders:
            if folder not in ready:
                print(f"{folder.name}: its data are not here, it is left out", file=sys.stderr)
        trees = [Tree(path.resolve(), ready) for path in (asked.old, Path(__file__).parents[1])]
        rows = [compared(trees, folder, objective, asked) for folder in ready for objective in asked.objectives]
        for tree in trees:
            tree.close()
    text = table(HEAD, rows)
    print(text)
    if asked.write:
        starts = "the starts that each takes by itself" if asked.starts is None else f"{' and '.join(map(str, asked.starts))} starts"
        settings = {
            "old": asked.old.name,
            "objectives": " ".join(asked.objectives),
            "seeds": asked.seeds,
            "seconds": asked.seconds,
            "starts": starts,
        }
        write_section("equal_cpu", NOTE.format(text=text, **settings))


if __name__ == "__main__":
    main()
