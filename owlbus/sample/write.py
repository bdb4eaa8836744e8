"""Write synthetic records, one partition at a time; equal settings give equal bytes."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.files import cancel_on_error, defer_signals, ignore_interrupts, lock_folder, output_error
from owlbus.common.progress import current_progress
from owlbus.common.units import require_number
from owlbus.sample.partitions import call_partitions, taxi_partitions
from owlbus.sample.records import call_table, taxi_table
from owlbus.sample.settings import SynthSettings
from owlbus.sample.world import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    import pyarrow as pa

    from owlbus.sample.city import City
    from owlbus.sample.partitions import Partition
    from owlbus.sample.world import World


EXCERPT_ROWS = 300
"""Approximate rows of the CSV excerpts, evenly spaced."""

_WRITER: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 9,
    "store_schema": False,
    "write_statistics": True,
}

_DICTIONARY = ("lon", "lat", "home_lon", "home_lat")

_ENCODINGS = {
    "time": "DELTA_BINARY_PACKED",
    "pickup_time": "DELTA_BINARY_PACKED",
    "dropoff_time": "DELTA_BINARY_PACKED",
    "subscriber": "PLAIN",
    "origin_lon": "BYTE_STREAM_SPLIT",
    "origin_lat": "BYTE_STREAM_SPLIT",
    "destination_lon": "BYTE_STREAM_SPLIT",
    "destination_lat": "BYTE_STREAM_SPLIT",
}


@dataclass(frozen=True, slots=True)
class Synthesis:
    """
    Files of synthetic records.

    Attributes
    ----------
    calls_path, taxi_path
        Parquet files.
    calls_excerpt_path, taxi_excerpt_path
        CSV files with about 300 of the rows.
    n_calls, n_taxi
        Number of rows.
    """

    calls_path: Path
    taxi_path: Path
    calls_excerpt_path: Path
    taxi_excerpt_path: Path
    n_calls: int
    n_taxi: int


def synthesise(city: City, settings: SynthSettings | None = None) -> tuple[pa.Table, pa.Table]:
    """
    Draw synthetic records of a city in memory.

    Parameters
    ----------
    city
        The city.
    settings
        Rows, nights, seed and behaviour; those of the sample city by default.

    Returns
    -------
    calls, taxi
        Tables with the columns of `CALL_COLUMNS` and `TAXI_COLUMNS`.

    Raises
    ------
    DataError
        If the city has no land for homes.
    """
    import pyarrow as pa

    chosen = settings or SynthSettings()
    world = make_world(city, chosen)
    calls = [call_table(world, chosen, part) for part in call_partitions(chosen)]
    taxi = [taxi_table(world, chosen, part) for part in taxi_partitions(chosen)]
    return pa.concat_tables(calls), pa.concat_tables(taxi)


def write_synthesis(city: City, out: str | PathLike[str], settings: SynthSettings | None = None) -> Synthesis:
    """
    Write synthetic records of a city as Parquet, with small CSV excerpts.

    Memory does not grow with the rows: one partition is in memory at a time. All files appear together when complete. The bytes depend
    only on the settings and the version of pyarrow.

    Parameters
    ----------
    city
        The city.
    out
        Output folder; created if missing.
    settings
        Rows, nights, seed and behaviour; those of the sample city by default.

    Returns
    -------
    Synthesis
        Paths and rows.

    Raises
    ------
    DataError
        If the city has no land for homes.
    OutputError
        If a file cannot be written.
    UsageError
        If another run is writing to the folder.
    """
    chosen = settings or SynthSettings()
    folder = Path(out)
    world = make_world(city, chosen)
    calls = (call_table(world, chosen, part) for part in call_partitions(chosen))
    taxi = (taxi_table(world, chosen, part) for part in taxi_partitions(chosen))
    paths = [folder / name for name in ("calls.parquet", "taxi.parquet", "calls_few.csv", "taxi_few.csv")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock_folder(folder), rename_together(paths) as parts:
            _write(parts[0], parts[2], calls, chosen.n_calls, "drawing calls")
            _write(parts[1], parts[3], taxi, chosen.n_taxi, "drawing taxi trips")
    except OSError as error:
        raise output_error(folder, error) from error
    return Synthesis(paths[0], paths[1], paths[2], paths[3], chosen.n_calls, chosen.n_taxi)


def _write(path: Path, excerpt_path: Path, tables: Iterator[pa.Table], n_rows: int, title: str) -> None:
    """Stream tables to a Parquet file, and every n-th row to its CSV excerpt."""
    import pyarrow.parquet as pq

    progress = current_progress().step(title, n_rows)
    step = max(1, n_rows // EXCERPT_ROWS)
    first = next(tables)
    names = first.schema.names
    lines, rows = [",".join(names)], 0
    with pq.ParquetWriter(path, first.schema, **parquet_options(names)) as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=len(table))
            lines += _lines(table, range(-rows % step, len(table), step))
            rows += len(table)
            progress.reach(rows)
    excerpt_path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


@contextmanager
def rename_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """
    Yield temporary paths beside `paths` that are renamed together at the end.

    Signals except SIGKILL are deferred during the renames; if the block fails, the earlier files stay and temporary files are deleted.
    """
    parts = [path.with_name(f".{path.name}.part") for path in paths]
    try:
        yield parts
        with defer_signals():
            for part, path in zip(parts, paths, strict=True):
                part.replace(path)
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def parquet_options(columns: Sequence[str]) -> dict[str, Any]:
    """Return Parquet options that fix the encoding of columns."""
    return {
        **_WRITER,
        "use_dictionary": [name for name in columns if name in _DICTIONARY],
        "column_encoding": {name: _ENCODINGS[name] for name in columns if name in _ENCODINGS},
    }


def _lines(table: pa.Table, rows: range) -> list[str]:
    """Return CSV lines of rows."""
    chosen = table.take(np.asarray(rows, dtype=np.int64))
    return [",".join(_field(value) for value in row.values()) for row in chosen.to_pylist()]


def _field(value: Any) -> str:  # noqa: ANN401 - columns differ in type
    """Return a CSV field: empty if missing, floats with 5 decimals."""
    if value is None:
        return ""
    return f"{value:.5f}" if isinstance(value, float) else f"{value}"


MAX_FILES = 10_000
"""Most files of one kind."""

_ROW_GROUP = 1 << 20

_QUICK = {"compression_level": 1}

_WORKER_STATE: dict[str, tuple[World, SynthSettings]] = {}


@dataclass(frozen=True, slots=True)
class Partitions:
    """
    Partitioned files of synthetic records.

    Attributes
    ----------
    folders
        Folders of calls and of taxi trips.
    n_rows
        Rows of all files.
    n_files
        Files of both kinds.
    wall_s
        Wall time in seconds.
    """

    folders: tuple[Path, Path]
    n_rows: int
    n_files: int
    wall_s: float


@dataclass(frozen=True, slots=True)
class _Task:
    """Task to write one file."""

    path: Path
    is_taxi: bool
    parts: tuple[Partition, ...]
    has_ids: bool


def write_partitions(
    city: City, out: str | PathLike[str], settings: SynthSettings, n_files: int, n_workers: int = 2, *, has_ids: bool = True
) -> Partitions:
    """
    Write synthetic records of a city as many Parquet files, ``calls/part-00000.parquet`` and so on.

    Every partition has its own seed, so the bytes depend on the settings and the number of files, not on the processes. Memory does not
    grow with the rows. The rows are those of `write_synthesis`, compressed faster and 5 % larger.

    Parameters
    ----------
    city
        The city.
    out
        Output folder; created if missing.
    settings
        Rows, nights, seed and behaviour.
    n_files
        Most files of calls; taxi trips get proportionally many, at least one.
    n_workers
        Number of processes.
    has_ids
        Whether calls have subscriber ids.

    Returns
    -------
    Partitions
        Folders, rows and wall time in seconds.

    Raises
    ------
    UsageError
        If a number is outside its range, or another run is writing to the folder.
    OutputError
        If a file cannot be written.
    """
    require_number("n_files", n_files, 1, MAX_FILES)
    require_number("n_workers", n_workers, 1, MAX_FILES)
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
        with lock_folder(Path(out)), rename_together([task.path for task in tasks]) as parts:
            _write_tasks(city, settings, [replace(task, path=part) for task, part in zip(tasks, parts, strict=True)], n_workers)
    except OSError as error:
        raise output_error(out, error) from error
    return Partitions(folders, settings.n_calls + settings.n_taxi, len(tasks), time.perf_counter() - began)


def _groups(parts: Sequence[Partition], n_groups: int) -> list[tuple[Partition, ...]]:
    """Group consecutive partitions into files of about equal rows."""
    total = sum(part.rows for part in parts)
    groups: list[list[Partition]] = [[]]
    done = 0
    for part in parts:
        if groups[-1] and done * n_groups >= total * len(groups):
            groups.append([])
        groups[-1].append(part)
        done += part.rows
    return [tuple(group) for group in groups]


def _write_tasks(city: City, settings: SynthSettings, tasks: Sequence[_Task], n_workers: int) -> None:
    """Write all files, in this process or in workers."""
    step = current_progress().step("drawing records", settings.n_calls + settings.n_taxi)
    rows = 0
    if n_workers == 1:
        _set_worker_state(city, settings)
        for task in tasks:
            rows += _write_file(task)
            step.reach(rows)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(n_workers, mp_context=context, initializer=_start_worker, initargs=(city, settings)) as pool,
        cancel_on_error(pool),
    ):
        for future in as_completed([pool.submit(_write_file, task) for task in tasks]):
            rows += future.result()
            step.reach(rows)


def _start_worker(city: City, settings: SynthSettings) -> None:
    """Initialise a worker process."""
    ignore_interrupts()
    _set_worker_state(city, settings)


def _set_worker_state(city: City, settings: SynthSettings) -> None:
    """Create the world of this process."""
    _WORKER_STATE["world"] = make_world(city, settings), settings


def _write_file(task: _Task) -> int:
    """Write one file and return its number of rows."""
    import pyarrow.parquet as pq

    world, settings = _WORKER_STATE["world"]
    writer: Any = None
    rows = 0
    for partition in task.parts:
        drawn = taxi_table(world, settings, partition) if task.is_taxi else call_table(world, settings, partition)
        if not task.has_ids and not task.is_taxi:
            drawn = drawn.drop_columns(["subscriber"])
        writer = writer or pq.ParquetWriter(task.path, drawn.schema, **(parquet_options(drawn.schema.names) | _QUICK))
        writer.write_table(drawn, row_group_size=_ROW_GROUP)
        rows += len(drawn)
    writer.close()
    return rows
