"""
First and warm runs of commands: from a checkout, whose kernels compile, and from a wheel that has them.

``python benchmarks/startup.py [--runs N] [--wheel FILE] [--commands NAME…] [--write]`` runs each command N times (5) from a folder of its
own, first without a kernel of its own on disk and then again, and prints medians of wall and CPU seconds, those of processes that compile
included. `.ci/run wheel` makes a wheel. All ways are measured in turn in one run, so that a busy machine is busy for all of them.
``--checkout FOLDER`` and a second ``--wheel`` put another version beside this one, such as the one before a change. Nothing is installed
and nothing downloaded: a wheel is unpacked, and both run with the libraries of this environment.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from sections import table, write_section

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "score": ["score", "sample_data/seoul/routes_2013.geojson", "--city", "seoul", "--out", "score", "-q"],
    "demo": ["demo", "--out", "demo", "-q"],
}
NOTE = """
## First and warm runs

`python benchmarks/startup.py --wheel FILE --write`: medians of {runs} run(s), {processors} processors, load {load:.0f} at the end. A first
run of a checkout compiles its kernels, on all processors; a wheel comes with them. CPU seconds are those of all processes.

{text}
"""


def unpacked(place: Path, source: Path) -> Path:
    """Return a folder with the package alone, as pip leaves it: a checkout without compiled kernels, or an unpacked wheel."""
    if source.is_dir():
        shutil.copytree(source / "owlbus", place / "owlbus", ignore=shutil.ignore_patterns("compiled", "__pycache__"))
    else:
        with zipfile.ZipFile(source) as archive:
            archive.extractall(place)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(place / "owlbus")], check=True)  # noqa: S603 - our own
    (place / "sample_data").symlink_to(ROOT / "sample_data")
    return place


def spent(words: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return its wall and CPU seconds, in the latter all processes that it started."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OWLBUS_", "NUMBA_"))}
    env |= {"PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "owlbus", *words], cwd=folder, env=env, check=False, capture_output=True, text=True
    )
    wall_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"owlbus {' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(sources: dict[str, Path], commands: list[str], n_runs: int) -> dict[tuple[str, str, str], list[tuple[float, float]]]:
    """Wall and CPU seconds of each run, by command, way, and first or warm."""
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        for run in range(n_runs):
            for command in commands:
                for name, source in sources.items():
                    folder = unpacked(Path(place, f"{command}-{run}-{len(found)}-{name.replace('/', '_')}"), source)
                    for when in ("first", "warm"):
                        seconds = spent(COMMANDS[command], folder)
                        found.setdefault((command, name, when), []).append(seconds)
                        print(f"{command} {name} {when}: wall {seconds[0]:.1f} s, CPU {seconds[1]:.1f} s", file=sys.stderr, flush=True)
                    shutil.rmtree(folder)
    return found


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--wheel", type=Path, action="append", default=[])
    parser.add_argument("--checkout", type=Path, action="append", default=[])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sources = {"checkout": ROOT} | {f"checkout {folder.resolve().name}": folder.resolve() for folder in options.checkout}
    for file in options.wheel:
        sources["wheel" if len(options.wheel) == 1 else f"wheel {file.parent.name}/{file.name.split('-')[1]}"] = file
    found = measured(sources, options.commands, options.runs)
    rows = []
    for (command, name, when), runs in found.items():
        rows.append([command, name, when, *(f"{statistics.median(column):.1f}" for column in zip(*runs, strict=True))])
    text = NOTE.format(
        runs=options.runs,
        processors=os.cpu_count(),
        load=os.getloadavg()[0],
        text=table(["command", "from", "run", "wall s", "CPU s"], rows),
    )
    print(text)
    if options.write:
        write_section("startup", text)


if __name__ == "__main__":
    main()
