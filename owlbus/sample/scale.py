"""Synthetic records by the billion: many files, drawn by several processes, the same bytes whatever their number."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.errors import UsageError
from owlbus.progress import current_progress
from owlbus.sample.calls import call_table
from owlbus.sample.partitions import call_partitions, taxi_partitions
from owlbus.sample.taxi import taxi_table
from owlbus.sample.world import make_world
from owlbus.sample.writing import packing, whole_files
from owlbus.storage import dropping, heed_parent_only, locked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from owlbus.sample.city import City
    from owlbus.sample.partitions import Partition
    from owlbus.sample.settings import SynthSettings
    from owlbus.sample.world import World

MAX_FILES = 10_000
"""Files of one kind, at most."""

_ROW_GROUP = 1 << 20
_QUICK = {"compression_level": 1}
_DRAWN: dict[str, tuple[World, SynthSettings]] = {}


@dataclass(frozen=True, slots=True)
class Partitions:
    """
    Files that a synthesis at scale wrote.

    Attributes
    ----------
    folders
        Folders of calls and of taxi trips, each with its files.
    n_rows
        Rows of all files.
    n_files
        Files of both kinds.
    wall_s
        Seconds that it took.
    """

    folders: tuple[Path, Path]
    n_rows: int
    n_files: int
    wall_s: float


@dataclass(frozen=True, slots=True)
class _Task:
    """One file: its kind, its partitions, and whether it names subscribers."""

    path: Path
    is_taxi: bool
    parts: tuple[Partition, ...]
    has_ids: bool


def write_partitions(
    city: City, out: str | PathLike[str], settings: SynthSettings, n_files: int, n_workers: int = 2, *, has_ids: bool = True
) -> Partitions:
    """
    Write synthetic records of a city as many Parquet files, ``calls/part-00000.parquet`` and so on.

    Every partition is drawn from its own seed, so the bytes depend on the settings and the number of files, not on the processes. Memory
    does not grow with the rows. The rows are those of `write_synthesis`, packed faster and 5 % larger.

    Parameters
    ----------
    city
        Where people live and go.
    out
        Folder to write to; it is made where it is absent.
    settings
        Rows, nights, seed and behaviour.
    n_files
        Files of calls, at most; taxi trips have as many as make them no smaller, one at least.
    n_workers
        Processes.
    has_ids
        Whether calls name subscribers.

    Returns
    -------
    Partitions
        Folders, rows, and the seconds taken.

    Raises
    ------
    UsageError
        If a number lies outside its range, a file cannot be written, or another run is writing to the folder.
    """
    if not 1 <= n_files <= MAX_FILES or not 1 <= n_workers <= MAX_FILES:
        msg = f"--partitions and --workers must lie in [1, {MAX_FILES}], got {n_files} and {n_workers}"
        raise UsageError(msg)
    began = time.perf_counter()
    folders = Path(out) / "calls", Path(out) / "taxi"
    n_taxi = max(1, -(-settings.n_taxi * n_files // settings.n_calls))
    groups = _groups(call_partitions(settings), n_files), _groups(taxi_partitions(settings), min(n_taxi, MAX_FILES))
    tasks = [
        _Task(folder / f"part-{number:05d}.parquet", is_taxi, parts, has_ids)
        for folder, is_taxi, files in zip(folders, (False, True), groups, strict=True)
        for number, parts in enumerate(files)
    ]
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        with locked(Path(out)), whole_files([task.path for task in tasks]) as parts:
            _run(city, settings, [replace(task, path=part) for task, part in zip(tasks, parts, strict=True)], n_workers)
    except OSError as error:
        msg = f"{out}: cannot be written ({error.strerror or error}); choose a folder that may be written"
        raise UsageError(msg) from error
    return Partitions(folders, settings.n_calls + settings.n_taxi, len(tasks), time.perf_counter() - began)


def _groups(parts: Sequence[Partition], n_groups: int) -> list[tuple[Partition, ...]]:
    """Return runs of partitions of about the same number of rows."""
    total = sum(part.rows for part in parts)
    groups: list[list[Partition]] = [[]]
    done = 0
    for part in parts:
        if groups[-1] and done * n_groups >= total * len(groups):
            groups.append([])
        groups[-1].append(part)
        done += part.rows
    return [tuple(group) for group in groups]


def _run(city: City, settings: SynthSettings, tasks: Sequence[_Task], n_workers: int) -> None:
    """Write all files, in this process or in others."""
    step = current_progress().step("drawing records", settings.n_calls + settings.n_taxi)
    rows = 0
    if n_workers == 1:
        _begin(city, settings)
        for task in tasks:
            rows += _write_file(task)
            step.reach(rows)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, mp_context=context, initializer=_begin_apart, initargs=(city, settings)) as pool, dropping(pool):
        for future in as_completed([pool.submit(_write_file, task) for task in tasks]):
            rows += future.result()
            step.reach(rows)


def _begin_apart(city: City, settings: SynthSettings) -> None:
    """Begin in a process of its own."""
    heed_parent_only()
    _begin(city, settings)


def _begin(city: City, settings: SynthSettings) -> None:
    """Make the world that this process draws from."""
    _DRAWN["world"] = make_world(city, settings), settings


def _write_file(task: _Task) -> int:
    """Write one file and return its rows."""
    import pyarrow.parquet as pq

    world, settings = _DRAWN["world"]
    writer: Any = None
    rows = 0
    for partition in task.parts:
        drawn = taxi_table(world, settings, partition) if task.is_taxi else call_table(world, settings, partition)
        if not task.has_ids and not task.is_taxi:
            drawn = drawn.drop_columns(["subscriber"])
        writer = writer or pq.ParquetWriter(task.path, drawn.schema, **(packing(drawn.schema.names) | _QUICK))
        writer.write_table(drawn, row_group_size=_ROW_GROUP)
        rows += len(drawn)
    writer.close()
    return rows
