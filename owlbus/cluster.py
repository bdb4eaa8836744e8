"""
Work in other processes: on a Dask cluster, or in processes of this machine.

Files to count are cut into parts, each part is counted by the function that one machine uses too, and the accounts are merged in a tree.
All counts are whole numbers, so the result is that of one machine to the last bit, whatever the parts and their order.
"""

from __future__ import annotations

import pickle
import re
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.common.extras import extra_library
from owlbus.common.files import cancel_on_error, ignore_interrupts
from owlbus.common.progress import current_progress
from owlbus.demand.counting import CountedFiles, CountSettings, count_part
from owlbus.records.duplicates import may_have_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from owlbus.records.sources import Source

PART_ROWS = 8_000_000
"""Rows of a part, at most, where a file can be cut: enough that the work around it does not count."""

FAN_IN = 8
"""Accounts that are merged at once."""

LOST_S = 30.0
"""Seconds without any worker, after which a run on Dask gives up; one that ended may be started again in them."""

RETRIES = 3
"""Times that a call is made again where it failed or its worker was lost."""

_LOCAL = re.compile(r"(local|processes):(\d{1,3})")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx|inproc)://\S+")
_MAX_WORKERS = 512
_LOOK_EVERY_S, _COUNT_EVERY_S = 0.05, 2.0


def runner(scheduler: str) -> Callable[[CountSettings, Sequence[Source]], CountedFiles]:
    """
    What counts files in other processes, for `owlbus.demand.estimate_demand`.

    Parameters
    ----------
    scheduler
        ``local:N`` starts N Dask workers on this machine, ``tcp://HOST:PORT`` uses a Dask cluster whose workers see the same files, and
        ``processes:N`` uses N processes without Dask.

    Returns
    -------
    callable
        Takes the terms and the sources, and returns the merged account.

    Raises
    ------
    UsageError
        If the text is none of these, or Dask is not installed.
    DataError
        Of what it returns: if workers are lost again and again, or for good.

    Examples
    --------
    >>> runner("processes:2").func.__name__
    'count_in_processes'
    """
    on_dask, address, workers = _where(scheduler)
    return partial(count_on_dask, address=address, n_workers=workers) if on_dask else partial(count_in_processes, n_workers=workers)


@contextmanager
def executor(scheduler: str | None, n_threads: int = 1) -> Iterator[Executor]:
    """
    Where functions of a module are called side by side.

    Parameters
    ----------
    scheduler
        As for `runner`; None calls them in threads of this process.
    n_threads
        Number of threads where no scheduler is named.

    Yields
    ------
    Executor
        Of `concurrent.futures`, or a Dask client that works in its place.

    Raises
    ------
    UsageError
        As for `runner`, or if no scheduler answers.
    DataError
        If workers are lost again and again, or for good.

    Examples
    --------
    >>> with executor(None, n_threads=2) as pool:
    ...     list(pool.map(abs, [-1, 2]))
    [1, 2]
    """
    if scheduler is None:
        with ThreadPoolExecutor(n_threads) as threads:
            yield threads
        return
    on_dask, address, workers = _where(scheduler)
    if on_dask:
        with _client(address, workers) as client:
            yield _OnDask(client)
        return
    with _processes(workers) as pool, cancel_on_error(pool):
        yield pool


def _where(scheduler: str) -> tuple[bool, str | None, int]:
    """Whether Dask is meant, its address if it is not to be started here, and the workers to start."""
    local = _LOCAL.fullmatch(scheduler)
    if local is None and _ADDRESS.fullmatch(scheduler) is None:
        msg = f"--scheduler must be local:N, processes:N or an address such as tcp://host:8786, got {scheduler!r}"
        raise UsageError(msg)
    workers = int(local[2]) if local else 0
    if local and not 1 <= workers <= _MAX_WORKERS:
        msg = f"--scheduler must name 1 to {_MAX_WORKERS} workers, got {workers}"
        raise UsageError(msg)
    if local and local[1] == "processes":
        return False, None, workers
    _dask()
    return True, None if local else scheduler, workers


def _processes(n_workers: int) -> ProcessPoolExecutor:
    """Start processes that share nothing with this one."""
    import multiprocessing

    return ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=ignore_interrupts)


def parts_of(sources: Sequence[Source], part_rows: int = PART_ROWS) -> list[Source]:
    """
    Cut files into parts that can be counted apart.

    Parameters
    ----------
    sources
        Files, opened.
    part_rows
        Rows of a part, at most.

    Returns
    -------
    list of Source
        Every row once. Texts stay whole, and so do files whose rows are compared with one another.
    """
    parts: list[Source] = []
    for source in sources:
        if source.n_rows is None or not source.is_table or may_have_duplicates(source):
            parts.append(source)
            continue
        starts = range(0, max(source.n_rows, 1), part_rows)
        parts += [replace(source, first_row=low, stop_row=min(low + part_rows, source.n_rows)) for low in starts]
    return parts


def count_in_processes(terms: CountSettings, sources: Sequence[Source], n_workers: int) -> CountedFiles:
    """
    Count files in processes of this machine.

    Parameters
    ----------
    terms
        What records are counted by.
    sources
        Files, opened.
    n_workers
        Number of processes.

    Returns
    -------
    CountedFiles
        What all files came to.
    """
    parts = parts_of(sources)
    step = current_progress().step(f"reading records in {n_workers} processes", total=len(parts))
    whole = CountedFiles()
    with _processes(n_workers) as pool, cancel_on_error(pool):
        for future in as_completed([pool.submit(_count_packed, terms, part) for part in parts]):
            whole.merge(pickle.loads(future.result()))  # noqa: S301 - from our own process
            step.advance()
    return whole


def count_on_dask(terms: CountSettings, sources: Sequence[Source], address: str | None, n_workers: int) -> CountedFiles:
    """
    Count files on a Dask cluster; the part of a worker that dies is counted again by another.

    Parameters
    ----------
    terms
        What records are counted by.
    sources
        Files that every worker can read under the same names.
    address
        Address of the scheduler; None starts workers on this machine.
    n_workers
        Number of workers to start, where no address is given.

    Returns
    -------
    CountedFiles
        What all files came to.

    Raises
    ------
    UsageError
        If no scheduler answers.
    DataError
        If workers are lost again and again, or for good.
    """
    parts = parts_of(sources)  # each task carries its terms: what is only kept on workers is lost with them
    with _client(address, n_workers) as client:
        level = [client.submit(_count_packed, terms, part, pure=False, retries=RETRIES) for part in parts]
        _show(f"reading records on {address or f'{n_workers} workers'}", client, level)
        while len(level) > 1:
            groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
            level = [client.submit(_merged, group, pure=False, retries=RETRIES) for group in groups]
        account: CountedFiles = pickle.loads(_awaited(client, level[0]))  # noqa: S301 - from our own workers
    return account


@contextmanager
def _client(address: str | None, n_workers: int) -> Iterator[Any]:
    """Give a connection to a cluster, and a cluster of this machine if there is no address; what goes wrong there is told in one line."""
    dask = _dask()
    if address is None:
        with _started(n_workers) as cluster, dask.Client(cluster) as client:
            yield client
        return
    with _without_log():
        try:
            client = dask.Client(address, timeout="10s")
        except OSError as error:
            msg = f"--scheduler {address}: no Dask scheduler answers there; start one with: dask scheduler"
            raise UsageError(msg) from error
        with client:
            yield client


def _started(n_workers: int) -> Any:  # noqa: ANN401 - the library has no types
    """Start a cluster of this machine; its status page takes any free port, since the usual one may be another cluster's."""
    quiet = {"dashboard_address": ":0", "silence_logs": 50, "threads_per_worker": 1, "memory_limit": 0}
    try:
        return _dask().LocalCluster(n_workers=n_workers, processes=True, **quiet)
    except (RuntimeError, OSError) as error:
        asked = f"{n_workers} Dask worker{'s' * (n_workers > 1)}"
        msg = f"{asked} must start on this machine, and did not ({error}); use fewer, or run it again"
        raise DataError(msg) from error


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep Dask's log, with its tracebacks, off standard error."""
    import logging

    kept = [(handler, handler.level) for handler in logging.getLogger("distributed").handlers]
    for handler, _ in kept:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in kept:
            handler.setLevel(level)


class _OnDask(Executor):
    """A Dask client in place of an executor, whose calls are waited for as long as there are workers."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - the library has no types
        self._client = client

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as that of an executor
        """Begin a call."""
        return _Call(self._client, self._client.submit(fn, *args, **kwargs, pure=False, retries=RETRIES))


class _Call(Future[Any]):
    """A call under way on Dask."""

    def __init__(self, client: Any, future: Any) -> None:  # noqa: ANN401 - the library has no types
        super().__init__()
        self._client, self._future = client, future

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - of whatever is called
        """Wait for what it returns, however long it takes."""
        del timeout
        return _awaited(self._client, self._future)

    def cancel(self) -> bool:
        """Drop it."""
        self._future.cancel()
        return True


def _show(title: str, client: Any, futures: Sequence[Any]) -> None:  # noqa: ANN401 - the library has no types
    """Say how many parts are done until all are; the first error of a part is raised."""
    step = current_progress().step(title, total=len(futures))
    for future in _ended(client, futures):
        if future.status != "finished":
            _awaited(client, future)
        step.advance()


def _awaited(client: Any, future: Any) -> Any:  # noqa: ANN401 - the library has no types
    """Wait for the result of a call; workers that are lost again and again, or with their scheduler, are told in one line."""
    from concurrent.futures import CancelledError

    list(_ended(client, [future]))
    try:
        return future.result()
    except _dask().KilledWorker as error:
        lost = error.allowed_failures + 1
        msg = f"{lost} workers were ended from outside one after the other, perhaps for want of memory; use fewer, or run it again"
        raise DataError(msg) from error
    except CancelledError as error:
        msg = "the Dask scheduler was lost, and with it what its workers had done; start it again, and run this again"
        raise DataError(msg) from error


def _ended(client: Any, futures: Sequence[Any]) -> Iterator[Any]:  # noqa: ANN401 - the library has no types
    """Give each call once it has ended, as long as there is a worker; without one Dask would wait for ever."""
    ready, seen_s, counted_s = _dask().as_completed(futures), time.monotonic(), time.monotonic()
    while not ready.is_empty():
        yield from ready.next_batch(block=False)
        time.sleep(_LOOK_EVERY_S)
        now_s = time.monotonic()
        if now_s - counted_s < _COUNT_EVERY_S:
            continue
        counted_s = now_s
        if _has_workers(client):
            seen_s = now_s
        elif now_s - seen_s > LOST_S:
            start = f"dask worker {client.scheduler.address}"
            msg = f"the Dask scheduler has had no worker for {LOST_S:g} s; start one with: {start}, and run it again"
            raise DataError(msg)


def _has_workers(client: Any) -> bool:  # noqa: ANN401 - the library has no types
    """Whether the scheduler has workers; one that is out of reach is left to the client, which ends all calls if it is lost."""
    try:
        return bool(client.nthreads())
    except OSError:
        return True


def _count_packed(terms: CountSettings, part: Source) -> bytes:
    """Count one part and pack its account: packed bytes can be sent, kept on disk and merged again after a loss."""
    return pickle.dumps(count_part(terms, [part]), protocol=pickle.HIGHEST_PROTOCOL)


def _merged(packed: Sequence[bytes]) -> bytes:
    """Merge packed accounts."""
    whole = CountedFiles()
    for account in packed:
        whole.merge(pickle.loads(account))  # noqa: S301 - from our own workers
    return pickle.dumps(whole, protocol=pickle.HIGHEST_PROTOCOL)


def _dask() -> Any:  # noqa: ANN401 - the library has no types
    """Return Dask's library, or refuse to go on without it."""
    return extra_library("distributed", "--scheduler needs Dask", "cluster")
