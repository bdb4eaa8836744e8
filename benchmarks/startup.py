"""
First and warm runs of commands: from a checkout, whose kernels compile, and from a wheel that has them.

``python benchmarks/startup.py [RUNS] [WHEEL]`` runs each command RUNS times (5) from a folder of its own and prints medians of wall and
CPU seconds, those of processes that compile included. Without WHEEL (`.ci/run wheel` makes one), only the checkout is measured.
"""

from __future__ import annotations

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

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "help": ["--help"],
    "score": ["score", "sample_data/seoul/routes_2013.geojson", "--city", "seoul", "--out", "score", "-q"],
    "demo": ["demo", "--out", "demo", "-q"],
}
LIMITS = {("demo", "checkout, first"): "wall <= 40", ("demo", "checkout, warm"): "CPU <= 8", ("demo", "wheel, first"): "CPU <= 15"}


def installed(place: Path, name: str, wheel: str | None) -> Path:
    """Return a folder with the package alone: a copy of the checkout without compiled kernels, or an unpacked wheel."""
    folder = place / name
    if wheel is not None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    else:
        shutil.copytree(ROOT / "owlbus", folder / "owlbus", ignore=shutil.ignore_patterns("compiled", "__pycache__"))
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)  # noqa: S603 - our own
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    return folder


def spent(words: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return its wall and CPU seconds, in the latter all processes that it started."""
    env = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "owlbus", *words], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    wall_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(n_runs: int = 5, wheel: str | None = None) -> None:
    """Print the table."""
    kinds = ["checkout", *(["wheel"] if wheel else [])]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        for run in range(n_runs):
            for kind in kinds:  # side by side: the machine may be busy for a while
                for command, words in COMMANDS.items():
                    folder = installed(Path(place), f"{kind}-{command}-{run}", wheel if kind == "wheel" else None)
                    for when in ("first", "warm"):
                        found.setdefault((command, f"{kind}, {when}"), []).append(spent(words, folder))
                    shutil.rmtree(folder)
    print(f"medians of {n_runs} runs, {os.cpu_count()} processors, load {os.getloadavg()[0]:.0f}")
    print(f"{'command':8} {'':18} {'wall s':>8} {'CPU s':>8}")
    for (command, where), runs in found.items():
        wall_s, cpu_s = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{command:8} {where:18} {wall_s:8.1f} {cpu_s:8.1f}   {LIMITS.get((command, where), '')}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
