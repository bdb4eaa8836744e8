"""A small town with a run directory, for the tests of `owlbus explore`."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import date
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.demand import Demand
from owlbus.explore.edit_form import FORMS
from owlbus.explore.ways import fastest_way
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.pipeline import Study, score_study
from owlbus.pipeline.outputs import write_scored
from owlbus.pipeline.rundir import RunRecord, open_run_dir
from owlbus.pipeline.study import write_study
from owlbus.plan import Plan, Route

if TYPE_CHECKING:
    import random

    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.loopback import ExploreServer

N_HEXES, N_NIGHTS = 60, 5
ENDS = {"N1": (0, 59), "N2": (5, 50), "N3": (20, 40)}
LIMITS = {"max_length_m": 11_000, "max_circuity": 1.6, "max_buses": 7, "max_pair_circuity": 1.22, "headway_s": 2700}


@cache
def _made(times: int = 1) -> Path:
    """Run directory of the town with so many times its trips, made once a process."""
    folder = Path(mkdtemp(prefix="owlbus-town-"))
    grid = HexGrid.cover([(127.0, 37.5), (127.06, 37.5), (127.06, 37.55), (127.0, 37.55)], n_hexes=N_HEXES)
    network = Network.from_lattice(grid)
    rng = np.random.default_rng(4)
    n = 900
    rows = {
        "night": rng.integers(0, N_NIGHTS, n),
        "hour": rng.integers(24, 29, n),
        "origin": (origin := rng.integers(0, N_HEXES, n)),
        "destination": (origin + rng.integers(1, N_HEXES, n)) % N_HEXES,
        "trips": rng.integers(1, 9, n) * 3.0 * times,
    }
    people = {
        "night": np.repeat(np.arange(N_NIGHTS), N_HEXES),
        "hour": np.full(N_NIGHTS * N_HEXES, 25),
        "hex": np.tile(np.arange(N_HEXES), N_NIGHTS),
        "presence": rng.integers(20, 400, N_NIGHTS * N_HEXES) * 1.0,
    }
    demand = Demand.from_rows(N_HEXES, rows, people, nights=[date(2013, 3, 11 + k) for k in range(N_NIGHTS)], grid=grid.fingerprint)
    study = Study(grid, demand, network)
    routes = tuple(Route(network.shortest_path(*ends), name) for name, ends in ENDS.items())
    best = score_study(study, Plan(routes, network.fingerprint), "this plan")
    reference = score_study(study, Plan(routes[:2], network.fingerprint), "two routes")
    settings: dict[str, Any] = {"reference_name": reference.name, "limits": LIMITS, "city": None, "objective": "served"}
    with open_run_dir(folder / "run") as run:
        write_study(run, study)
        write_scored(run, study, best, reference)
        run.publish(RunRecord("plan", settings, bound_share=0.9, objective_share=0.5))
    return folder / "run"


def town_run(folder: Path, times: int = 1) -> Path:
    """Copy the run directory of the town, with so many times its trips, into a `folder`."""
    return Path(shutil.copytree(_made(times), folder / "run"))


class Browser:
    """Speaks to a server as the page does; every answer is read."""

    def __init__(self, server: ExploreServer, *, is_let_in: bool = True) -> None:
        self.server, self.port = server, server.port
        self.headers = {"X-Owlbus": "1", "Origin": f"http://127.0.0.1:{server.port}"}
        if is_let_in:
            _, headers, _ = self.ask("GET", server.link().removeprefix(server.address[:-1]))
            self.headers["Cookie"] = headers["Set-Cookie"].partition(";")[0]

    def ask(self, method: str, path: str, body: object = None, **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        """Send a request; headers that are None are left out."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, data, {name: value for name, value in sent.items() if value is not None})
            with connection.getresponse() as answer:
                return answer.status, dict(answer.headers), answer.read()

    def post(self, path: str, body: object, status: int = 200) -> dict[str, Any]:
        """Send a message, and return the object of the answer."""
        got, _, data = self.ask("POST", path, body)
        assert got == status, data
        value: dict[str, Any] = json.loads(data)
        return value

    def get(self, path: str, status: int = 200) -> dict[str, Any]:
        """Return the object at an address."""
        got, _, data = self.ask("GET", path)
        assert got == status, data
        value: dict[str, Any] = json.loads(data)
        return value


def opened(run: Path, language: str = "en", *, is_read_only: bool = False) -> ExploreSession:
    """Open a session on a run directory."""
    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.opened_run import open_run

    return ExploreSession(open_run(run), language, is_read_only=is_read_only)


def random_edit(session: ExploreSession, rng: random.Random) -> dict:
    """Some edit of some kind, which may not fit."""
    n = session.run.study.network.n_stops
    routes = session.plan.routes
    route = rng.choice(routes) if routes else None
    kind = rng.choice([*FORMS, "move_stop", "insert_stop", "new_route"])
    place = rng.randrange(len(route.stops)) if route else 0
    other = rng.choice(routes) if routes else None
    values = {
        "route": route.key if route else "r1",
        "other": other.key if other else "r2",
        "position": place,
        "stop": rng.choice(other.stops) if other and kind == "join" else rng.randrange(n),
        "end": rng.choice(["first", "last"]),
        "stops": rng.sample(range(n), 3),
        "name": f"N{rng.randrange(30)}",
        "colour": f"#{rng.randrange(16**6):06x}",
        "locked": rng.random() < 0.2,
        "changes": {(route.key if route else "r1"): list(fastest_way(session.run.study.network, *rng.sample(range(n), 2)))},
        "label": "some change",
    }
    return {"kind": kind, **{name: values[name] for name in FORMS[kind][0]}}
