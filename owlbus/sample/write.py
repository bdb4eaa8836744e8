"""Synthetic records to files: streamed partition by partition, the same bytes for the same settings."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import UsageError
from owlbus.common.files import dropping, heed_parent_only, locked, output_error, undisturbed
from owlbus.common.progress import current_progress
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


TWIN_ROWS = 300
"""Rows of the CSV twins, about; taken evenly from the whole."""

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
    Files that a synthesis wrote.

    Attributes
    ----------
    calls_path, taxi_path
        Parquet files.
    calls_twin_path, taxi_twin_path
        CSV files with about 300 of their rows.
    n_calls, n_taxi
        Rows written.
    """

    calls_path: Path
    taxi_path: Path
    calls_twin_path: Path
    taxi_twin_path: Path
    n_calls: int
    n_taxi: int


def synthesise(city: City, settings: SynthSettings | None = None) -> tuple[pa.Table, pa.Table]:
    """
    Draw synthetic records of a city in memory.

    Parameters
    ----------
    city
        Where people live and go.
    settings
        Rows, nights, seed and behaviour; those of the sample city by default.

    Returns
    -------
    calls, taxi
        Tables with the columns of `CALL_COLUMNS` and `TAXI_COLUMNS`.

    Raises
    ------
    DataError
        If the city leaves no land to live on.
    """
    import pyarrow as pa

    chosen = settings or SynthSettings()
    world = make_world(city, chosen)
    calls = [call_table(world, chosen, part) for part in call_partitions(chosen)]
    taxi = [taxi_table(world, chosen, part) for part in taxi_partitions(chosen)]
    return pa.concat_tables(calls), pa.concat_tables(taxi)


def write_synthesis(city: City, out: str | PathLike[str], settings: SynthSettings | None = None) -> Synthesis:
    """
    Write synthetic records of a city as Parquet, with small CSV twins for reading by eye.

    Memory does not grow with the rows: one partition is held at a time. The files appear together, once all are whole. The
    bytes depend on the settings and on the version of pyarrow that packs them, on nothing else.

    Parameters
    ----------
    city
        Where people live and go.
    out
        Folder to write to; it is made where it is absent.
    settings
        Rows, nights, seed and behaviour; those of the sample city by default.

    Returns
    -------
    Synthesis
        Paths and rows.

    Raises
    ------
    DataError
        If the city leaves no land to live on.
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
        with locked(folder), whole_files(paths) as parts:
            _write(parts[0], parts[2], calls, chosen.n_calls, "drawing calls")
            _write(parts[1], parts[3], taxi, chosen.n_taxi, "drawing taxi trips")
    except OSError as error:
        raise output_error(folder, error) from error
    return Synthesis(paths[0], paths[1], paths[2], paths[3], chosen.n_calls, chosen.n_taxi)


def _write(path: Path, twin_path: Path, tables: Iterator[pa.Table], n_rows: int, title: str) -> None:
    """Stream tables into a Parquet file and every n-th row into its twin."""
    import pyarrow.parquet as pq

    progress = current_progress().step(title, n_rows)
    step = max(1, n_rows // TWIN_ROWS)
    first = next(tables)
    names = first.schema.names
    lines, rows = [",".join(names)], 0
    with pq.ParquetWriter(path, first.schema, **packing(names)) as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=len(table))
            lines += _lines(table, range(-rows % step, len(table), step))
            rows += len(table)
            progress.reach(rows)
    twin_path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """
    Give temporary names beside `paths`, renamed together at the end, so that nobody meets half a file or files of two runs.

    No signal but ``kill -9`` comes between the renames; where the block fails, the earlier files stay and nothing is left.
    """
    parts = [path.with_name(f".{path.name}.part") for path in paths]
    try:
        yield parts
        with undisturbed():
            for part, path in zip(parts, paths, strict=True):
                part.replace(path)
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def packing(columns: Sequence[str]) -> dict[str, Any]:
    """Return the options that pin how columns are packed."""
    return {
        **_WRITER,
        "use_dictionary": [name for name in columns if name in _DICTIONARY],
        "column_encoding": {name: _ENCODINGS[name] for name in columns if name in _ENCODINGS},
    }


def _lines(table: pa.Table, rows: range) -> list[str]:
    """CSV lines of some rows."""
    chosen = table.take(np.asarray(rows, dtype=np.int64))
    return [",".join(_field(value) for value in row.values()) for row in chosen.to_pylist()]


def _field(value: Any) -> str:  # noqa: ANN401 - columns differ in type
    """CSV field: nothing where missing, 5 decimals, whole seconds."""
    if value is None:
        return ""
    return f"{value:.5f}" if isinstance(value, float) else f"{value}"


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
        If a number lies outside its range, or another run is writing to the folder.
    OutputError
        If a file cannot be written.
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
        raise output_error(out, error) from error
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
