"""Best known plans: their stops, values, bounds and how they were found, in one folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError
from owlbus.common.files import output_error, parse_json, write_atomically
from owlbus.nightbench.plan_csv import broken_rules, plan_csv, read_plan_csv
from owlbus.nightbench.plan_value import TRAVEL_TIME, value_plan

if TYPE_CHECKING:
    from os import PathLike

    from owlbus.nightbench.instance import BenchInstance
    from owlbus.plan import Plan

PLANS = Path(__file__).with_name("plans")
"""Folder of the best known plans that come with the package."""

RECORDS_FILE = "records.json"


@dataclass(frozen=True, slots=True)
class BestKnown:
    """
    The best known value of an objective on an instance.

    Attributes
    ----------
    instance, objective, version
        What it is of; the version is that of the instance.
    value
        Trips a night, people, or mean seconds of a trip.
    share
        As of `owlbus.nightbench.plan_value.BenchValue`, 0 to 1.
    found_by
        How it was found: program, seconds, seed.
    bound
        Proven bound on the value, in its unit; None if none is known.
    bound_by
        How the bound was got.
    curve
        Value after so many processor seconds of one search of `curve_by`, by seconds as text.
    curve_by
        Seed and seconds of that search.
    """

    instance: str
    objective: str
    version: int
    value: float
    share: float
    found_by: str
    bound: float | None = None
    bound_by: str = ""
    curve: dict[str, float] = field(default_factory=dict)
    curve_by: str = ""

    @property
    def gap(self) -> float | None:
        """How far the bound lies beyond the value, as a share of the lower of both; None without one, or if that is 0."""
        if self.bound is None or not min(self.value, self.bound):
            return None
        return max(self.value, self.bound) / min(self.value, self.bound) - 1

    @property
    def file(self) -> str:
        """Name of the file with its stops."""
        return f"{self.instance}.{self.objective}.csv"

    @property
    def keeps_bound(self) -> bool:
        """Whether the value lies on the right side of its bound; True without one."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.objective == TRAVEL_TIME else self.value <= self.bound

    def is_tightened_by(self, bound: float) -> bool:
        """Tell whether a bound, in the unit of the value, is tighter than the one that is known."""
        if self.bound is None:
            return True
        return bound > self.bound if self.objective == TRAVEL_TIME else bound < self.bound


def read_records(folder: str | PathLike[str] = PLANS) -> dict[tuple[str, str], BestKnown]:
    """
    Best known values in a folder.

    Parameters
    ----------
    folder
        Of plans and their ``records.json``; that of the package by default.

    Returns
    -------
    dict
        By instance and objective; empty if there is no such file.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    path = Path(folder) / RECORDS_FILE
    if not path.is_file():
        return {}
    try:
        rows = [BestKnown(**row) for row in parse_json(path.read_bytes())["records"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{path}: cannot be read as records ({type(error).__name__}: {error}); remove it to begin anew"
        raise DataError(msg) from error
    return {(row.instance, row.objective): row for row in rows}


def best_plan_of(instance: BenchInstance, objective: str, folder: str | PathLike[str] = PLANS) -> Plan | None:
    """
    Best known plan.

    Parameters
    ----------
    instance
        The instance.
    objective
        One of its objectives.
    folder
        As `read_records`.

    Returns
    -------
    Plan or None
        The plan; None if none is known of this version of the instance.

    Raises
    ------
    DataError
        If its file does not fit the instance.
    """
    record = read_records(folder).get((instance.name, objective))
    if record is None or record.version != instance.version:
        return None
    return read_plan_csv(Path(folder) / record.file, instance)


def keep_plan(folder: str | PathLike[str], instance: BenchInstance, objective: str, plan: Plan, found_by: str) -> BestKnown | None:
    """
    Put a plan into a folder if it is better than the one there.

    Parameters
    ----------
    folder
        Of plans and their ``records.json``; created if missing.
    instance
        The instance.
    objective
        One of its objectives.
    plan
        A plan that keeps all limits.
    found_by
        How it was found.

    Returns
    -------
    BestKnown or None
        The new record; None if the plan there is as good.

    Raises
    ------
    DataError
        If the plan breaks a limit.
    OutputError
        If the folder cannot be written.
    """
    broken = broken_rules(instance, plan)
    if broken:
        msg = f"a plan that is kept must keep all limits: {broken[0]} ({len(broken)} such)"
        raise DataError(msg)
    known, key = read_records(folder), (instance.name, objective)
    found = value_plan(instance, plan, objective)
    old = known.get(key)
    if old is not None and old.version == instance.version:
        if not found.is_better(old.value):
            return None
        record = replace(old, value=found.value, share=found.share, found_by=found_by)
    else:
        record = BestKnown(*key, instance.version, found.value, found.share, found_by)
    write_atomically(_made(folder) / record.file, plan_csv(plan))  # first: a record without its plan would promise too much
    write_record(folder, record)
    return record


def write_record(folder: str | PathLike[str], record: BestKnown) -> None:
    """
    Put a record into the ``records.json`` of a folder, in place of the one of its instance and objective.

    Parameters
    ----------
    folder
        Created if missing.
    record
        The record.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    root = _made(folder)
    known = read_records(root) | {(record.instance, record.objective): record}
    rows = [asdict(known[key]) for key in sorted(known)]
    write_atomically(root / RECORDS_FILE, (json.dumps({"records": rows}, indent=1) + "\n").encode())


def _made(folder: str | PathLike[str]) -> Path:
    """Create a folder if it is missing, and return it."""
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(root, error) from error
    return root
