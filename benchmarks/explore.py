"""
`owlbus explore` on a run: how long a drag and an edit take from the page's request to the answer, and how the server's memory grows.

The server is a process of its own on a copy of the run, the client speaks HTTP to it as the page does; what the browser takes to paint
comes on top. Run ``python benchmarks/explore.py RUN``, such as the run of ``owlbus demo``, on a machine with nothing else to do;
``--write`` also puts the figures into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from sections import table, write_section

HEAD = ("", "number", "p50, ms", "p95, ms", "longest, ms")
SERVE = "import sys; from owlbus.cli import main; main(['explore', sys.argv[1], '--no-browser', '-q'])"
NEAR = 12
"""A stop is dragged to one of so many stops next to it."""


class Page:
    """A server in a process of its own, and a connection to it."""

    def __init__(self, run: Path) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "-c", SERVE, str(run)], stdout=subprocess.PIPE, text=True)  # noqa: S603 -- ours
        assert self.process.stdout is not None
        link = self.process.stdout.readline().strip()
        address, _, key = link.removeprefix("http://").partition("/")
        self.connection, self.headers = HTTPConnection(address, timeout=120), {"X-Owlbus": "1", "Content-Type": "application/json"}
        self.connection.request("GET", f"/{key}")
        answer = self.connection.getresponse()
        self.headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
        answer.read()
        self.began_s = time.perf_counter() - began
        self.start = self.ask("GET", "/api/start")[1]
        self.started_s = time.perf_counter() - began

    def ask(self, method: str, path: str, message: object = None) -> tuple[int, dict[str, Any], float]:
        """Status and object of an answer, and milliseconds until it is read."""
        began = time.perf_counter()
        self.connection.request(method, path, None if message is None else json.dumps(message), self.headers)
        answer = self.connection.getresponse()
        value: dict[str, Any] = json.loads(answer.read())
        return answer.status, value, 1000 * (time.perf_counter() - began)

    @property
    def memory_mb(self) -> float:
        """Megabytes that the server holds."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


class Drags:
    """Random drags of stops to stops next to them."""

    def __init__(self, page: Page, seed: int) -> None:
        steps = np.array(page.start["network"]["stops"]).reshape(-1, 2).cumsum(axis=0)
        self.at = steps * [1.0, np.cos(np.deg2rad(steps[0, 0] / 1e5))]
        self.state, self.rng = page.start["state"], np.random.default_rng(seed)

    def edit(self) -> dict[str, Any]:
        """Return one drag on the present state."""
        route = self.state["routes"][self.rng.integers(len(self.state["routes"]))]
        position = int(self.rng.integers(len(route["stops"])))
        away = np.hypot(*(self.at - self.at[route["stops"][position]]).T)
        stop = int(self.rng.choice([stop for stop in np.argsort(away)[: 2 * NEAR].tolist() if stop not in route["stops"]][:NEAR] or [0]))
        return {"kind": "move_stop", "route": route["id"], "position": position, "stop": stop}


def previewed(page: Page, drags: Drags, n: int) -> tuple[object, ...]:
    """Line of the table on drags that are shown and not kept."""
    taken: list[float] = []
    while len(taken) < n:
        _, value, ms = page.ask("POST", "/api/preview", {"edit": drags.edit(), "version": drags.state["version"]})
        taken += [ms] if "numbers" in value else []
    return row("drag, shown", taken)


def edited(page: Page, drags: Drags, n: int) -> tuple[object, ...]:
    """Line of the table on edits that are kept; every tenth takes all routes back to their first course, for the plan to stay like one."""
    taken: list[float] = []
    first = {"kind": "set_stops", "label": "as before", "changes": {route["id"]: route["stops"] for route in drags.state["routes"]}}
    while len(taken) < n:
        edit = first if len(taken) % 10 == 9 else drags.edit()
        status, value, ms = page.ask("POST", "/api/edit", {"edit": edit, "version": drags.state["version"]})
        if status == 200:
            taken, drags.state = [*taken, ms], value
    return row("edit, kept on disk", taken)


def row(name: str, taken: list[float]) -> tuple[object, ...]:
    """One line of the table, milliseconds."""
    return (name, len(taken), *(f"{ms:.0f}" for ms in np.quantile(taken, [0.5, 0.95, 1.0])))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory")
    parser.add_argument("--drags", type=int, default=500, help="drags that are shown")
    parser.add_argument("--edits", type=int, default=2000, help="edits that are kept")
    parser.add_argument("--seed", type=int, default=0, help="seed of the drags")
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = Page(Path(shutil.copytree(given.run, Path(scratch) / "run")))
        try:
            drags = Drags(page, given.seed)
            page.ask("POST", "/api/preview", {"edit": drags.edit()})
            rows, before = [previewed(page, drags, given.drags)], page.memory_mb
            rows.append(edited(page, drags, given.edits))
            memory = f"{before:.0f} MB before the edits and {page.memory_mb:.0f} MB after them"
        finally:
            page.process.terminate()
            page.process.wait()
    n_stops, n_routes = len(page.start["network"]["names"]), len(page.start["state"]["routes"])
    text = (
        f"## A plan in the browser\n\n`python benchmarks/explore.py RUN`: {n_routes} routes on {n_stops:,} stops, from the request of "
        f"the page to its answer. The link is there after {page.began_s:.1f} s, all for the first paint after {page.started_s:.1f} s; "
        f"the server holds {memory}.\n\n{table(HEAD, rows)}"
    )
    print(text)
    if given.write:
        write_section("explore", text)


if __name__ == "__main__":
    main()
