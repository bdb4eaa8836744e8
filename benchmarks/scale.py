"""
Three billion records on one machine: wall time, memory, and that time is linear in rows.

``python benchmarks/scale.py FOLDER`` reads the Parquet files of a folder, such as ``owlbus synth --calls 1e8 --taxi 1e6 --partitions 20
--without-ids --out FOLDER`` writes, 1, 3 and 30 times over under other names; ``--write`` puts the table into benchmarks/README.md. Without
a folder, ten million calls are drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sections import table, write_section

from owlbus.demand import count_records, estimate_demand
from owlbus.sample import SynthSettings, sample_city, sample_grid, write_partitions

FEW = SynthSettings(n_calls=10_000_000, n_taxi=1, n_subscribers=3_000_000)
WAYS = {"with homes: trips and people": estimate_demand, "where and when alone": count_records}


def measure(way: str, folder: str) -> dict[str, float]:
    """Read all files of a folder once, and tell rows, seconds and memory of this process."""
    grid = sample_grid(sample_city())
    began, began_cpu = time.perf_counter(), time.process_time()
    found = WAYS[way](folder, grid)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    report = found[1] if isinstance(found, tuple) else found.report
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return {"rows": report.rows_in, "counted": report.rows_counted, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb}


def repeated(files: list[Path], times: int, folder: Path) -> None:
    """Put every file under `times` names: hard links, which take no room."""
    for i in range(times):
        for file in files:
            os.link(file, folder / f"{i:03d}-{file.name}")


def main() -> None:
    """Measure every size, each in a process of its own, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of Parquet files of calls")
    parser.add_argument("--times", default="1,3,30", help="how often to read it, for each size")
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    parser.add_argument("--one", metavar="WAY", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, str(chosen.folder))))
        return
    with tempfile.TemporaryDirectory(prefix="owlbus-scale-") as name:
        folder = chosen.folder or write_partitions(sample_city(), name, FEW, 4, has_ids=False).folders[0]
        rows = measure_all(folder, [int(times) for times in chosen.times.split(",")])
    text = table(["rows", "wall s", "M rows/s", "CPU ns a row", "peak MB"], rows)
    if chosen.write:
        write_section(
            "scale",
            f"## Three billion records\n\n`python benchmarks/scale.py FOLDER --times {chosen.times} --write` on synthetic calls without "
            f"subscriber ids, the same files read {chosen.times.replace(',', ', ')} times under other names (hard links), each size in a "
            f"fresh process with two threads. Time is linear in rows, plus a constant for building the demand of the nights.\n\n{text}",
        )


def measure_all(folder: Path, sizes: list[int]) -> list[list[str]]:
    """Measure every way on every size, and return the rows of the table."""
    files = sorted(folder.glob("*.parquet"))
    rows = []
    for way in WAYS:
        for times in sizes:
            with tempfile.TemporaryDirectory(prefix=".scale-", dir=folder.parent) as name:
                repeated(files, times, Path(name))
                done = subprocess.run([sys.executable, __file__, name, "--one", way], check=True, capture_output=True, text=True)  # noqa: S603
            one = json.loads(done.stdout)
            rate, cpu = one["rows"] / one["wall_s"] / 1e6, one["cpu_s"] / one["rows"] * 1e9
            rows.append([f"{way}, {one['rows']:,}", f"{one['wall_s']:,.1f}", f"{rate:,.1f}", f"{cpu:,.1f}", f"{one['peak_mb']:,.0f}"])
            print(*rows[-1], sep=" | ", flush=True)
    return rows


if __name__ == "__main__":
    main()
