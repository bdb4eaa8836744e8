"""
Route network design instances of the literature: mean passenger travel time beside published figures and the lower bound.

Each run is `owlbus.search_travel_time`: `owlbus.plan_routes` with the objective travel_time, as ``owlbus plan --objective travel_time``
runs it. Each stop of an instance stands in a hex of its own, and no limit but the number of stops binds a route. The figures are those of
`owlbus.travel_times`, which counts journeys on the published link times.

Run ``python benchmarks/utrp.py --instances ../shared/cases/utrp`` for a table; ``--write`` also puts it into benchmarks/README.md.
Other instances: ``--case FOLDER ROUTES MIN_STOPS MAX_STOPS``, with FOLDER inside the instances and two files in it,
``*TravelTimes.txt`` (minutes, ``Inf`` where there is no link) and ``*Demand.txt``. Every figure but the seconds is fixed by the seeds,
since runs end at a step limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sections import table, write_section

from owlbus import matrix_instance, search_travel_time, travel_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.search import Result
    from owlbus.search.travel_time_graph import TravelTimes

TRANSFER_S = 300
MOVES = 10_000_000
STARTS = 2
MANDL_1980 = ([0, 1, 2, 5, 7, 9, 10, 12], [4, 3, 5, 7, 14, 6], [11, 3, 5, 14, 8], [12, 13, 9])


class Case(NamedTuple):
    """An instance, its rules, moves of a start, and the best published mean minutes."""

    folder: str
    n_routes: int
    min_stops: int
    max_stops: int
    moves: int = MOVES
    mumford: str = "-"
    ahmed: str = "-"


class Run(NamedTuple):
    """What a search found, what passengers spend on its plan, and the bound on their mean seconds."""

    result: Result
    times: TravelTimes
    bound_s: float


CASES = (
    Case("mandl", 4, 2, 8, 1_000_000, "10.57", "10.48"),
    Case("mandl", 6, 2, 8, 1_000_000, "10.27", "10.18"),
    Case("mandl", 7, 2, 8, 1_000_000, "10.22", "10.10"),
    Case("mandl", 8, 2, 8, 1_000_000, "10.17", "10.08"),
    Case("mumford0", 12, 2, 15, 3 * MOVES, "16.05", "14.09"),
    Case("mumford1", 15, 10, 30, MOVES // 2, "24.79", "21.69"),
)
NOTE = """
## Passenger travel time on published instances

`python benchmarks/utrp.py --write`, {seeds} seeds, each {starts} starts of {moves} on {cores} cores that
other work shared; of both starts the better plan counts. Each row is `plan_routes` with the objective `travel_time`, the search that
`owlbus plan --objective travel_time` runs; its first moves, fewer on smaller networks, are for served trips and count too. Mean minutes of
a trip, 5 a transfer. Shares and route minutes (one way) are those of the best plan; unserved are trips with more than two transfers. The
bound is the demand-weighted shortest travel time, which no plan can beat; the gap is the median's.
{check}

{text}

Published figures: C. L. Mumford, New heuristic and evolutionary operators for the multi-objective urban transit routing problem, IEEE
CEC 2013; L. Ahmed, C. Mumford and A. Kheiri, Solving urban transit route design problem using selection hyper-heuristics, European Journal
of Operational Research 274, 2019.
"""
HEAD = (
    "instance, routes",
    "Mumford 2013",
    "Ahmed 2019",
    "median",
    "best",
    "worst",
    "bound",
    "gap, %",
    "d0, %",
    "d1, %",
    "d2, %",
    "unserved, %",
    "routes, min",
    "s a run",
    "plans a s",
)


def read_instance(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Links in seconds and trips."""
    minutes, demand = (np.loadtxt(next(folder.glob(f"*{name}.txt"))) for name in ("TravelTimes", "Demand"))
    return np.where(np.isfinite(minutes) & (minutes > 0), np.rint(minutes * 60), -1), demand


def run_case(folder: Path, case: Case, seeds: int, share: float) -> list[Run]:
    """Search a case once for each seed; stops without trips have to be on a route too, as the literature asks."""
    link_s, trips = read_instance(folder / case.folder)
    network, _ = matrix_instance(link_s, trips)
    bound_s = float((trips * network.drive_s).sum() / trips.sum())
    runs = []
    for seed in range(seeds):
        result = search_travel_time(
            link_s,
            trips,
            case.n_routes,
            min_stops=case.min_stops,
            max_stops=case.max_stops,
            transfer_s=TRANSFER_S,
            n_steps=STARTS * int(case.moves * share),
            n_starts=STARTS,
            seed=seed,
        )
        times = travel_times(link_s, trips, [route.stops for route in result.plan], TRANSFER_S)
        runs.append(Run(result, times, bound_s))
    return runs


def row(case: Case, runs: list[Run]) -> list[str]:
    """One line of the table; shares and route minutes are those of the best plan."""
    minutes = sorted(run.times.mean_s / 60 for run in runs)
    best = min((run.times for run in runs), key=lambda times: times.mean_s)
    median, bound = statistics.median(minutes), runs[0].bound_s / 60
    shares = (best.d0_share, best.d1_share, best.d2_share, best.unserved_share)
    return [
        f"{case.folder.capitalize()}, {case.n_routes}",
        case.mumford,
        case.ahmed,
        f"**{median:.3f}**",
        *(f"{value:.3f}" for value in (minutes[0], minutes[-1], bound)),
        f"{100 * (median / bound - 1):.2f}",
        *(f"{100 * share:.2f}" for share in shares),
        f"{best.route_s / 60:.0f}",
        f"{statistics.median(run.result.elapsed_s for run in runs):.0f}",
        f"{statistics.median(run.result.evaluations / run.result.elapsed_s for run in runs):,.0f}",
    ]


def check_line(folder: Path) -> str:
    """Say what the evaluator makes of the plan that Mandl published."""
    found = travel_times(*read_instance(folder / "mandl"), MANDL_1980, TRANSFER_S)
    return f"Mandl's own four routes of 1980: {found.mean_s / 60:.2f} minutes, {100 * found.d0_share:.2f} % without a transfer."


def parse_arguments() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=Path, default=Path("../shared/cases/utrp"), help="folder with one folder for each instance")
    parser.add_argument(
        "--case", nargs=4, action="append", metavar=("FOLDER", "ROUTES", "MIN", "MAX"), help="run this instead; may be repeated"
    )
    parser.add_argument("--only", default="", help="run only the instances whose folder starts so")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each instance")
    parser.add_argument("--quick", action="store_true", help="three seeds and a tenth of the moves")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    return parser.parse_args()


def main() -> None:
    """Run the instances and print or write the table."""
    asked = parse_arguments()
    if not asked.instances.is_dir():
        print(f"skipped: no instances at {asked.instances}; give their folder with --instances")
        return
    cases = [Case(name, int(n), int(least), int(most)) for name, n, least, most in asked.case or ()] or list(CASES)
    seeds, share = (3, 0.1) if asked.quick else (asked.seeds, 1.0)
    rows = []
    for case in cases:
        if case.folder.startswith(asked.only):
            rows.append(row(case, run_case(asked.instances, case, seeds, share)))
            print(" | ".join(rows[-1]), flush=True)
    text = table(HEAD, rows)
    check = check_line(asked.instances) if (asked.instances / "mandl").is_dir() else ""
    print(f"\n{text}\n\n{check}")
    if asked.write:
        moves = f"{share * 1e6:,.0f} (Mandl), {share * 3 * MOVES:,.0f} (Mumford0) or {share * MOVES / 2:,.0f} (Mumford1) moves"
        write_section("utrp", NOTE.format(seeds=seeds, starts=STARTS, moves=moves, cores=os.cpu_count(), check=check, text=text))


if __name__ == "__main__":
    main()
