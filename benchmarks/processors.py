"""
What kernels gain that are compiled for one processor, over those for x86-64-v3, which come with wheels.

``python benchmarks/processors.py [NAME…] [--rounds N] [--write]`` starts a process for each processor name (`x86-64-v3` and that of this
machine by default; `NUMBA_CPU_NAME` takes such names), lets all of them measure in turn, and prints medians of CPU seconds: hexing of a
million points, re-scores of nine routes, and moves of the search on the synthetic sample city. The first run compiles the kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from core import sample_case
from sections import table, write_section

from owlbus.common.kernel_cache import COMMON_CPU
from owlbus.plan.limits import RouteLimits
from owlbus.sample import sample_city, sample_grid
from owlbus.search import Objective
from owlbus.search.annealing_run import AnnealingRun

POINTS, MOVES, SCORES = 1_000_000, 100_000, 100
ROUTES, FLEET = 9, 45
JOBS = ("hexing, a million points", f"{SCORES} re-scores of nine routes", f"{MOVES:,} moves of the search")
NOTE = """
## Processors

`python benchmarks/processors.py --write`, medians of {rounds} rounds in turn, CPU seconds, on the synthetic sample city. This machine has
{host} {with_512} AVX-512. The plans are the same.

{text}
"""


def serve() -> None:
    """Measure once for each line of standard input, and answer with CPU seconds of each job and the value of the plan."""
    grid, problem = sample_grid(sample_city()), sample_case()
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(126.7, 127.2, POINTS), rng.uniform(37.4, 37.7, POINTS)
    run = AnnealingRun(problem, Objective(), RouteLimits(max_buses=FLEET), ROUTES, np.random.default_rng(0))
    total = problem.total_value(run.objective)
    for k in range(ROUTES):
        run.construct(k)
    run.anneal(MOVES, 1e-3 * total, 1e-4 * total)
    plan = run.best_plan()
    grid.lonlat_to_hex(lon, lat)
    jobs: tuple[Any, ...] = (
        lambda: grid.lonlat_to_hex(lon, lat),
        lambda: [problem.value(plan, Objective()) for _ in range(SCORES)],
        lambda: run.anneal(MOVES, 1e-4 * total, 5e-5 * total),
    )
    print("ready", flush=True)
    for _ in sys.stdin:
        taken = []
        for job in jobs:
            began_s = time.process_time()
            job()
            taken.append(time.process_time() - began_s)
        print(json.dumps([*taken, problem.value(run.best_plan(), Objective())]), flush=True)


def started(name: str) -> subprocess.Popen[str]:
    """Start a process whose kernels are for a processor, and wait until they are compiled."""
    env = os.environ | ({} if name == COMMON_CPU else {"NUMBA_CPU_NAME": name})
    words = [sys.executable, __file__, "--serve"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)  # noqa: S603 - our own
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", name
    return process


def asked(process: subprocess.Popen[str]) -> list[float]:
    """Let a process measure once."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: list[float] = json.loads(process.stdout.readline())
    return answer


def measured(names: list[str], rounds: int) -> dict[str, list[float]]:
    """Median CPU seconds of each job, by processor."""
    processes = {name: started(name) for name in names}
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(rounds):
        answers = {name: asked(process) for name, process in processes.items()}
        assert len({answer[-1] for answer in answers.values()}) == 1, "the plan depends on the processor"
        for name, answer in answers.items():
            found[name].append(answer[:-1])
    for process in processes.values():
        process.communicate()
    return {name: [statistics.median(column) for column in zip(*taken, strict=True)] for name, taken in found.items()}


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[COMMON_CPU, llvm.get_host_cpu_name()])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    seconds = measured(options.names, options.rounds)
    first = options.names[0]
    head = ["job", *(f"{name}, s" for name in seconds), *(f"{name}: times faster" for name in seconds if name != first)]
    rows = [
        [
            job,
            *(f"{taken[k]:.3f}" for taken in seconds.values()),
            *(f"{seconds[first][k] / taken[k]:.2f}" for name, taken in seconds.items() if name != first),
        ]
        for k, job in enumerate(JOBS)
    ]
    with_512 = "with" if llvm.get_host_cpu_features().get("avx512f") else "without"
    text = NOTE.format(rounds=options.rounds, host=llvm.get_host_cpu_name(), with_512=with_512, text=table(head, rows))
    print(text)
    if options.write:
        write_section("processors", text)


if __name__ == "__main__":
    main()
