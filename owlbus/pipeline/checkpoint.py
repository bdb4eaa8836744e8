"""Checkpoints in the run directory, so that an interrupted run resumes where it was."""

from __future__ import annotations

import hashlib
import io
import json
import math
import pickle
import time
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from owlbus.cluster import split_sources
from owlbus.common.errors import OwlbusError
from owlbus.common.files import parse_json, read_regular
from owlbus.common.progress import current_progress
from owlbus.demand.counting import N_THREADS, CountedFiles, count_part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from owlbus.demand.counting import CountSettings
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.records import Source

    Count = Callable[[CountSettings, Sequence[Source]], CountedFiles]

GROUP_FILES = 64
"""Files per task of a scheduler: after an interruption, at most these are counted again."""

_PLAN = "plan.json"
_ALLOWED = {
    "numpy": {"dtype", "ndarray"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "owlbus.common.units": {"NightWindow"},
    "owlbus.demand.accumulators": {"ODTables", "PeopleCounter", "TripCounter"},
    "owlbus.demand.counting": {"CountedFiles"},
    "owlbus.demand.distinct": {"DistinctPairs"},
    "owlbus.demand.row_counts": {"FileRowCounts"},
    "owlbus.demand.tally": {"Tally"},
    "owlbus.demand.zone_shares": {"ZoneShares"},
    "owlbus.grid.hexgrid": {"HexGrid"},
    "owlbus.records.clock_range": {"ClockRange"},
    "owlbus.records.position_forms": {"PositionForm"},
    "owlbus.records.read_options": {"ReadOptions"},
    "owlbus.records.schema": {"Layout", "kind_of_name"},
    "owlbus.records.sources": {"Source"},
    "owlbus.records.subscribers": {"Subscribers"},
    "pathlib": {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pathlib._local": {"PosixPath", "WindowsPath"},
}
"""Classes that a checkpoint may contain. Others are refused, since the file may come from somebody else."""


PLAN_EVERY_S = 1.0
"""Least number of seconds between two checkpoints of the plan."""


@dataclass(slots=True)
class Checkpoint:
    """
    Counts files one by one and writes the counts of each to a checkpoint; a file whose checkpoint exists is not counted again.

    Attributes
    ----------
    folder
        Folder of the checkpoints; only its owner can enter it. A file that changed since is counted again.
    n_parts, n_reused
        Number of parts of the files, and of those whose checkpoint was reused.
    """

    folder: Path
    n_parts: int = field(default=0, init=False)
    n_reused: int = field(default=0, init=False)

    def counting(self, count: Count | None) -> Count:
        """
        Function that counts files for `owlbus.demand.estimate_demand`.

        Parameters
        ----------
        count
            Function that counts groups of files in other processes; None counts them here, one by one.

        Returns
        -------
        callable
            Takes the settings and the sources, and returns the merged counts, equal to those of an uninterrupted run.
        """

        def kept(settings: CountSettings, sources: Sequence[Source]) -> CountedFiles:
            parts = split_sources(sources)
            size = 1 if count is None else GROUP_FILES
            groups = [parts[low : low + size] for low in range(0, len(parts), size)]
            step = current_progress().step("reading records", total=len(parts))
            whole = CountedFiles()
            for group in groups:
                whole.merge(self._counts_of(settings, group, count))
                step.advance(len(group))
            return whole

        return kept

    def _counts_of(self, settings: CountSettings, group: Sequence[Source], count: Count | None) -> CountedFiles:
        """Return the counts of some parts: from their checkpoint, or new ones, which are written to it."""
        file = self.folder / f"{_key(settings, group)}.part"
        self.n_parts += len(group)
        kept = _read(file)
        if kept is not None:
            self.n_reused += len(group)
            return kept
        counts = (count_part(settings, group, N_THREADS) if count is None else count(settings, group)).described()
        body = pickle.dumps(counts, protocol=pickle.HIGHEST_PROTOCOL)
        part = file.with_suffix(".new")
        part.write_bytes(hashlib.sha256(body).digest() + body)
        part.replace(file)
        return _loaded(body)  # pickling takes rows out of the counts


@dataclass(slots=True)
class PlanCheckpoint:
    """
    Writes the best plan of a running search to a file.

    Attributes
    ----------
    folder
        Folder of the file, which holds stops by index.
    """

    folder: Path
    _kept_at_s: float = field(default=-math.inf, init=False)

    def __call__(self, plan: Plan) -> None:
        """Write `plan` in place of an earlier one, at most once in `PLAN_EVERY_S`."""
        if time.monotonic() - self._kept_at_s < PLAN_EVERY_S:
            return
        routes = [{"name": route.name, "stops": [int(stop) for stop in route.stops]} for route in plan.routes]
        part = self.folder / "plan.new"
        part.write_text(json.dumps({"network": plan.network_fingerprint, "routes": routes}), encoding="utf-8")
        part.replace(self.folder / _PLAN)
        self._kept_at_s = time.monotonic()


def read_plan_checkpoint(folder: Path, network: Network) -> Plan | None:
    """
    Plan that `PlanCheckpoint` wrote.

    Parameters
    ----------
    folder
        Folder of the file.
    network
        Network of the plan; stops are indices of it.

    Returns
    -------
    Plan or None
        None where there is none, it runs on another network, or its file is damaged.
    """
    from owlbus.plan import Plan, Route

    try:
        document = parse_json(read_regular(folder / _PLAN))
        if document["network"] != network.fingerprint:
            return None
        return Plan(tuple(Route(tuple(route["stops"]), str(route["name"])) for route in document["routes"]), network.fingerprint)
    except (OSError, ValueError, LookupError, TypeError, OwlbusError):
        return None


def _key(settings: CountSettings, group: Sequence[Source]) -> str:
    """Return the name of the checkpoint of some parts; it depends on the files, their state and the settings."""
    digest = hashlib.sha256(repr((version("owlbus"), settings.grid.fingerprint, settings.window, settings.keeps_rejected)).encode())
    for part in group:
        # A private copy has another name in each process; the file that it was made of stands for it.
        options = replace(part.options, masts=None, zones=None)
        described = replace(part.described, path=part.original or part.path)
        digest.update(repr((described, options)).encode())
        digest.update(b"" if part.zones is None else part.zones.fingerprint.encode())
        for table in (part.masts, part.homes, None if part.table is None else part.table.frame):
            digest.update(b"" if table is None else table.write_ipc(None).getvalue())
    return digest.hexdigest()


def _read(file: Path) -> CountedFiles | None:
    """Return the counts in a checkpoint; None if it is absent or damaged."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    digest, body = data[:32], data[32:]
    return _loaded(body) if hashlib.sha256(body).digest() == digest else None


def _loaded(body: bytes) -> CountedFiles:
    """Return counts from pickled bytes."""
    counts: CountedFiles = _Reader(io.BytesIO(body)).load()
    return counts


class _Reader(pickle.Unpickler):
    """Unpickles counts and refuses any other class."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - a class or function
        """Return an allowed class."""
        if name not in _ALLOWED.get(module, ()):
            msg = f"a checkpoint asks for {module}.{name}"
            raise pickle.UnpicklingError(msg)
        return super().find_class(module, name)
