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

from owlbus.cluster import parts_of
from owlbus.common.errors import OwlbusError
from owlbus.common.files import parse_json, read_regular
from owlbus.common.progress import current_progress
from owlbus.demand.counting import N_THREADS, CountedFiles, count_part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from owlbus.demand.counting import Terms
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.records import Source

    Count = Callable[[Terms, Sequence[Source]], CountedFiles]

GROUP_FILES = 64
"""Files that are counted elsewhere at once: as many are counted again after a stop, at most."""

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
    "owlbus.grid.hexgrid": {"HexGrid"},
    "owlbus.records.schema": {"Kind", "Layout"},
    "owlbus.records.sources": {"Source"},
    "owlbus.records.subscribers": {"Subscribers"},
    "pathlib": {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pathlib._local": {"PosixPath", "WindowsPath"},
}
"""All that an account consists of: whatever else a file asks for is refused, since it may come from somebody else."""


PLAN_EVERY_S = 1.0
"""Seconds between two plans that are kept, at least."""


@dataclass(slots=True)
class Checkpoint:
    """
    Counts files one by one and keeps what each came to; what was kept of the same file, read in the same way, is not counted again.

    Attributes
    ----------
    folder
        Where accounts are kept; only its owner can enter it. A file that changed since is counted again.
    n_parts, n_found
        Parts that the files were cut into, and those that had been kept.
    """

    folder: Path
    n_parts: int = field(default=0, init=False)
    n_found: int = field(default=0, init=False)

    def counting(self, count: Count | None) -> Count:
        """
        What counts files for `owlbus.demand.estimate_demand`.

        Parameters
        ----------
        count
            What counts them elsewhere, some at a time; None counts them here, one by one.

        Returns
        -------
        callable
            Takes the terms and the sources, and returns the merged account: that of a run without stops, to the last bit.
        """

        def kept(terms: Terms, sources: Sequence[Source]) -> CountedFiles:
            parts = parts_of(sources)
            size = 1 if count is None else GROUP_FILES
            groups = [parts[low : low + size] for low in range(0, len(parts), size)]
            step = current_progress().step("reading records", total=len(parts))
            whole = CountedFiles()
            for group in groups:
                whole.merge(self._account(terms, group, count))
                step.advance(len(group))
            return whole

        return kept

    def _account(self, terms: Terms, group: Sequence[Source], count: Count | None) -> CountedFiles:
        """Account of some parts: the one that was kept, or a new one, which is kept from now on."""
        file = self.folder / f"{_key(terms, group)}.part"
        self.n_parts += len(group)
        found = _read(file)
        if found is not None:
            self.n_found += len(group)
            return found
        account = count_part(terms, group, N_THREADS) if count is None else count(terms, group)
        for evaluator in account.ledgers.values():
            evaluator.source = replace(evaluator.source, masts=None, homes=None)
        body = pickle.dumps(account, protocol=pickle.HIGHEST_PROTOCOL)
        part = file.with_suffix(".new")
        part.write_bytes(hashlib.sha256(body).digest() + body)
        part.replace(file)
        return _loaded(body)  # packing an account takes rows out of it


@dataclass(slots=True)
class PlanCheckpoint:
    """
    Keeps the best plan of a search that goes on.

    Attributes
    ----------
    folder
        Where it is kept, as stops by index.
    """

    folder: Path
    _kept_at_s: float = field(default=-math.inf, init=False)

    def __call__(self, plan: Plan) -> None:
        """Keep `plan` in place of an earlier one, unless that was kept a moment ago."""
        if time.monotonic() - self._kept_at_s < PLAN_EVERY_S:
            return
        routes = [{"name": route.name, "stops": [int(stop) for stop in route.stops]} for route in plan.routes]
        part = self.folder / "plan.new"
        part.write_text(json.dumps({"network": plan.network_fingerprint, "routes": routes}), encoding="utf-8")
        part.replace(self.folder / _PLAN)
        self._kept_at_s = time.monotonic()


def read_kept_plan(folder: Path, network: Network) -> Plan | None:
    """
    Plan that `PlanCheckpoint` kept.

    Parameters
    ----------
    folder
        Where it was kept.
    network
        What it has to run on; stops are indices of it.

    Returns
    -------
    Plan or None
        None where there is none, it runs on another network, or its file is damaged.
    """
    from owlbus.plan import Plan, Route

    try:
        found = parse_json(read_regular(folder / _PLAN))
        if found["network"] != network.fingerprint:
            return None
        return Plan(tuple(Route(tuple(route["stops"]), str(route["name"])) for route in found["routes"]), network.fingerprint)
    except (OSError, ValueError, LookupError, TypeError, OwlbusError):
        return None


def _key(terms: Terms, group: Sequence[Source]) -> str:
    """Name of the account of some parts: another file, another state of it or other terms have another name."""
    digest = hashlib.sha256(repr((version("owlbus"), terms.grid.fingerprint, terms.window, terms.timezone, terms.keeps_rejected)).encode())
    for part in group:
        digest.update(repr(replace(part, masts=None, homes=None)).encode())
        for table in (part.masts, part.homes):
            digest.update(b"" if table is None else table.write_ipc(None).getvalue())
    return digest.hexdigest()


def _read(file: Path) -> CountedFiles | None:
    """Account that was kept in a file; None where there is none, or not a whole one."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    digest, body = data[:32], data[32:]
    return _loaded(body) if hashlib.sha256(body).digest() == digest else None


def _loaded(body: bytes) -> CountedFiles:
    """Account of packed bytes."""
    account: CountedFiles = _Reader(io.BytesIO(body)).load()
    return account


class _Reader(pickle.Unpickler):
    """Reads accounts, and nothing else that could be packed."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - a class or function
        """Return a part of an account."""
        if name not in _ALLOWED.get(module, ()):
            msg = f"an account that was kept asks for {module}.{name}"
            raise pickle.UnpicklingError(msg)
        return super().find_class(module, name)
