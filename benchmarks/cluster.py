"""
Work in other processes: what a task costs, and what two workers gain over one.

``python benchmarks/cluster.py [--moves N] [--rounds N] [--write]`` counts the records of the sample city, searches, sweeps and makes a
robust plan with one worker and with two, side by side in one run, without Dask (``processes:N``) and with it (``local:N``). Wall seconds
begin before the workers start; CPU seconds are those of this process and all workers. Results of one and two workers must be equal.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from sections import table, write_section

from owlbus import cluster
from owlbus.demand import estimate_demand
from owlbus.evidence import PlanEvaluator
from owlbus.evidence.robust_plan import robust_plan
from owlbus.evidence.sweep import sweep_plans
from owlbus.pipeline.study import build_study
from owlbus.pipeline.study_sources import Sources
from owlbus.plan.limits import RouteLimits
from owlbus.sample import sample_city, sample_grid
from owlbus.search import plan_routes
from owlbus.search.parallel import problem_to_bytes
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.pipeline.study import Study

KINDS = ("processes", "local")
N_TASKS = 200
PART_ROWS = 40_000
LIMITS = RouteLimits(max_length_m=30_000, max_buses=45)
STARTS = 4
NOTE = """
## Work in other processes

`python benchmarks/cluster.py --write`, {rounds} round(s), {moves:,} moves a start, on the synthetic sample city, {processors} processors.
Workers start with each job, import owlbus and build the problem; that is what short jobs pay for. `local` is Dask.

{text}

A task that does nothing, one after the other on one worker that has started:

{tasks}
"""


def nothing(data: bytes) -> int:
    """Return the length of the task's data."""
    return len(data)


def spent(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall seconds and CPU seconds of a job, in the latter those of processes that it started and that have ended."""
    began_s, before_s = time.perf_counter(), cpu_s()
    result = run()
    return result, time.perf_counter() - began_s, cpu_s() - before_s


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def jobs(study: Study, moves: int) -> dict[str, Callable[[str], Any]]:
    """Jobs by name; each takes a scheduler and returns what must not depend on it."""
    city = sample_city("seoul")
    evaluator = PlanEvaluator.build(study.network, study.demand)
    begin = plan_routes(study.network, study.demand, 9, limits=LIMITS, stop_when=[MaxSteps(moves)], n_starts=1).plan

    def count(scheduler: str) -> Any:  # noqa: ANN401 - whatever is compared
        demand, _ = estimate_demand([city.calls_path, city.taxi_path], sample_grid(city), run=cluster.runner(scheduler))
        return demand.trips.tobytes(), demand.presence.tobytes()

    def search(scheduler: str) -> Any:  # noqa: ANN401 - as above
        with cluster.executor(scheduler) as pool:
            options = {"limits": LIMITS, "stop_when": [MaxSteps(STARTS * moves)], "n_starts": STARTS, "executor": pool}
            return listed(plan_routes(study.network, study.demand, 9, **options).plan)

    def sweep(scheduler: str) -> Any:  # noqa: ANN401 - as above
        found = sweep_plans(evaluator, "routes", [3, 6, 9], LIMITS, n_steps=moves, n_starts=STARTS, scheduler=scheduler)
        return [listed(point.plan) for point in found.points]

    def robust(scheduler: str) -> Any:  # noqa: ANN401 - as above
        with cluster.executor(scheduler) as pool:
            return listed(robust_plan(study.network, study.demand, begin, LIMITS, n_rounds=3, n_steps=moves, executor=pool).plan)

    return {"records": count, f"{STARTS} starts": search, f"sweep of 3 x {STARTS} starts": sweep, "robust plan, 2 x 3 searches": robust}


def listed(plan: Any) -> list[list[int]]:  # noqa: ANN401 - a plan
    """Stops of each route."""
    return [route.stops.tolist() for route in plan.routes]


def one_against_two(work: dict[str, Callable[[str], Any]], rounds: int) -> list[list[object]]:
    """Rows of the table: seconds with one worker and with two, and their ratios."""
    rows = []
    for name, run in work.items():
        for kind in KINDS:
            found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
            results = []
            for _ in range(rounds):
                for n_workers, taken in found.items():  # side by side: the machine may be busy for a while
                    result, wall_s, used_s = spent(lambda n=n_workers, run=run, kind=kind: run(f"{kind}:{n}"))
                    results.append(result)
                    taken.append((wall_s, used_s))
            assert all(result == results[0] for result in results), f"{name} on {kind} depends on the workers"
            (wall_1, cpu_1), (wall_2, cpu_2) = (tuple(map(statistics.median, zip(*taken, strict=True))) for taken in found.values())
            rows.append(
                [name, kind, *(f"{s:.1f}" for s in (wall_1, cpu_1, wall_2, cpu_2)), f"{wall_1 / wall_2:.2f}", f"{cpu_2 / cpu_1:.2f}"]
            )
            print(*rows[-1], flush=True)
    return rows


def task_rows(study: Study) -> list[list[object]]:
    """Rows of the table of tasks that do nothing, with little data and with a whole problem."""
    problem = problem_to_bytes(PlanEvaluator.build(study.network, study.demand).problem, study.demand)
    rows = []
    for kind in KINDS:
        began_s = time.perf_counter()
        with cluster.executor(f"{kind}:1") as pool:
            pool.submit(nothing, b"").result()
            started_s = time.perf_counter() - began_s
            taken = []
            for data, n_tasks in ((b"", N_TASKS), (problem, N_TASKS // 10)):
                began_s = time.perf_counter()
                for future in [pool.submit(nothing, data) for _ in range(n_tasks)]:
                    future.result()
                taken.append(1_000 * (time.perf_counter() - began_s) / n_tasks)
        rows.append([kind, f"{started_s:.1f}", f"{taken[0]:.1f}", f"{taken[1]:.1f}", f"{len(problem) / 1e6:.1f}"])
        print(*rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    cluster.split_sources = partial(cluster.split_sources, part_rows=PART_ROWS)
    study = build_study(Sources(city="seoul"))
    tasks = table(["executor", "start of a worker, s", "ms a task", "ms a task with a problem", "MB of the problem"], task_rows(study))
    head = ["job", "executor", "1 worker, wall s", "CPU s", "2 workers, wall s", "CPU s", "times faster", "times the CPU"]
    rows = one_against_two(jobs(study, options.moves), options.rounds)
    text = NOTE.format(
        rounds=options.rounds, moves=options.moves, processors=len(os.sched_getaffinity(0)), text=table(head, rows), tasks=tasks
    )
    print(text)
    if options.write:
        write_section("cluster", text)


if __name__ == "__main__":
    main()
