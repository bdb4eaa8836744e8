"""
Two towns that print the same counts must print the same everything.

What a reader can know beside the printed counts shows where outputs of such twins differ: ``python tests/attack_twins.py 6`` runs the
commands on both and lists every place that does.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from attack_random import LEAST_PART
from attack_rules import figures, without_small_parts
from attack_towns import random_town, town_demand

from owlbus.cli.app import run
from owlbus.common.acceptance import RideChoice
from owlbus.pipeline.rundir import RunRecord, open_run_dir
from owlbus.pipeline.study import Study, write_study
from owlbus.plan import plan_geojson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attack_towns import Town

_OWN_FACTS = ("timings_s", "sha256", "run.json/outputs", "stderr")
"""Facts of a run that tell nothing of records, and talk that its owner alone reads."""
_COUNTS_OF_OTHER_PLANS = ("missing_places.csv", "tables.xlsx")
"""Files with printed counts of plans that twins need not share: detours to a place without a stop. The sheets repeat the tables."""
_RESTRICTED = (".parquet", "inputs.json")


def twin(town: Town, seed: int = 0, n_moves: int = 400) -> Town:
    """Another town that prints the same counts: records come, go and move as long as no printed count changes."""
    rng = np.random.default_rng(seed)
    told = list(figures(town, ("A", "B", "C")))
    shown = {figure.path for figure in without_small_parts(town, told, LEAST_PART)}
    table = np.array([figure.weights / figure.unit for figure in told])
    base = np.array([15.0 if figure.path in shown else LEAST_PART for figure in told])
    goal = np.floor(table @ town.atoms / base + 1e-9)
    atoms, values = town.atoms.copy(), table @ town.atoms
    for _ in range(n_moves):
        step = np.zeros(atoms.size)
        step[rng.integers(atoms.size)] += 1
        if rng.random() < 0.6:
            step[rng.choice(np.flatnonzero(atoms))] -= 1
        new = values + table @ step
        if np.array_equal(np.floor(new / base + 1e-9), goal):
            atoms, values = atoms + step, new
    n = town.trips.size
    return type(town)(town.geometry, atoms[:n].reshape(town.trips.shape), atoms[n:].reshape(town.others.shape))


def write_town(town: Town, folder: Path) -> None:
    """Write the run directory of a town, its plans, and its groups as polygons."""
    public = town.geometry
    with open_run_dir(folder / "run") as made:
        write_study(made, Study(public.network.grid, town_demand(town), public.network))
        made.write_bytes("plan.geojson", plan_geojson(public.network, public.plans["A"], 2700))
        made.publish(RunRecord("plan", settings={}))
    for name, plan in public.plans.items():
        (folder / f"{name}.geojson").write_bytes(plan_geojson(public.network, plan, 2700))
    frame = public.network.grid.to_geodataframe()
    frame.assign(**public.groups).to_file(folder / "groups.geojson")


def commands(folder: Path) -> dict[str, list[str]]:
    """Commands on the plans of a town, by name."""
    a, b, c, given = *(str(folder / f"{name}.geojson") for name in "ABC"), ["--run", str(folder / "run"), "--json"]
    zone = ["--agency-timezone", "Europe/London"]
    folders = ("score", "compare", "compare3", "timetable", "answer", "reach", "riders", "carried", "days", "planned", "by day", "by few")
    out = {name: ["--out", str(folder / name)] for name in folders}
    stop = json.loads((folder / "A.geojson").read_text(encoding="utf-8"))["features"][0]["properties"]["stops"][0]
    RideChoice(scale_trips=20.0).write(folder / "choice.json")
    RideChoice(scale_trips=2.5).write(folder / "few.json")
    shape = ["--max-circuity", "99", "--max-pair-circuity", "inf", "--allow-spurs", "--min-length-km", "0"]
    fixed = ["--fixed", a, "--routes", "2", "--fleet", "40", "--steps", "0", *shape]
    many = ["--choice", str(folder / "choice.json")]
    by = [word for column in ("district", "side", "ring") for word in ("--by", f"{folder / 'groups.geojson'}:{column}")]
    return {
        "score": ["score", a, "--reference", b, *zone, *given, *out["score"]],
        "compare": ["compare", a, b, *by[:2], *given, *out["compare"]],
        "compare by ring": ["compare", a, b, *by[4:], *given],
        "compare three": ["compare", a, b, c, *given, *out["compare3"]],
        "routes": ["explain", a, "route", *given],
        "missing": ["explain", a, "missing", *given],
        "suggest": ["explain", a, "suggest", *given],
        "drop": ["explain", a, "route", "N0", "--drop", *given, *out["answer"]],
        "timetable": ["timetable", a, *zone, *given, *out["timetable"]],
        "riders of a sample": ["timetable", a, *many, *zone, *given, *out["riders"]],
        "carried of a sample": ["score", a, "--carried", "--fleet", "8", *many, *zone, *given, *out["carried"]],
        "days": ["timetable", a, "--days", "sun-thu=45/1,fri-sat=20", *zone, *given, *out["days"]],
        **{
            name: ["plan", *fixed, "--objective", "carried", "--choice", str(folder / file), *zone, *given, *out[name]]
            for name, file in (("planned", "choice.json"), ("by few", "few.json"))
        },
        "by day": ["plan", *fixed, "--days", "sun-thu=45/1,fri-sat=20", *zone, *given, *out["by day"]],
        "reach": ["reach", a, "--from", str(stop), *given, *out["reach"]],
    }


def outputs(town: Town, folder: Path, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Everything that the commands, or those of `names`, print and write of a town; JSON as values, other files as text or bytes."""
    write_town(town, folder)
    found: dict[str, Any] = {}
    chosen = commands(folder)
    for name, words in ((name, chosen[name]) for name in names or chosen):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
        found[f"{name} code"] = code
        found[f"{name} stdout"] = _value(out.getvalue().replace(str(folder), ""))
        found[f"{name} stderr"] = [line for line in err.getvalue().replace(str(folder), "").splitlines() if not line.startswith("warning")]
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.endswith(_RESTRICTED) and file.parent.name != "run" and file.parent != folder:
            found[str(file.relative_to(folder))] = _file(file, folder)
    return found


def _file(file: Path, folder: Path) -> Any:  # noqa: ANN401 - whatever it holds
    """Content of a file."""
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name).decode().splitlines() for name in archive.namelist()}
    data = file.read_bytes()
    try:
        return _value(data.decode().replace(str(folder), ""))
    except UnicodeDecodeError:
        return data


def _value(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """JSON as values, other text by line, and the data in a page as values."""
    try:
        return json.loads(text)
    except ValueError:
        lines = text.splitlines()
    start, end = '<script type="application/json" id="data">', "</script>"
    return [_value(line.strip()[len(start) : -len(end)]) if line.strip().startswith(start) else line for line in lines]


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - whatever JSON holds
    """Places where two contents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{path}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for key, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, f"{path}/{key}")
    elif one != other:
        yield path, one, other


def leaks(seed: int, names: tuple[str, ...] = (), n_people: tuple[int, int] = (20, 150)) -> list[str]:
    """Places where the outputs of a town and of its twin differ, and commands that failed."""
    town = random_town(seed, n_sources=1, n_people=n_people)
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        both = outputs(town, Path(first), names), outputs(twin(town, seed), Path(second), names)
    failed = [
        f"{name} {code}: {both[0][name.removesuffix('code') + 'stderr'][-1:]}" for name, code in both[0].items() if _failed(name, code)
    ]
    found = differences(*both)
    return failed + [
        f"{path}: {str(one)[:150]} | {str(two)[:150]}"
        for path, one, two in found
        if not any(fact in path for fact in (*_OWN_FACTS, *_COUNTS_OF_OTHER_PLANS))
    ]


def _failed(name: str, code: Any) -> bool:  # noqa: ANN401 - any output
    """Whether an output is the exit code of a command that failed."""
    return name.endswith(" code") and code not in {0, 1}


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        print(f"town {number}", *leaks(number), sep="\n  ", flush=True)  # noqa: T201 - a program
