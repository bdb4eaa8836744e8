"""
Count files on a Dask cluster or in local processes.

Files are split into parts, each part is counted by the same function as on one machine, and the counts are merged in a tree. Counts are
integers, so the result equals that of one machine, whatever the parts and their order.
"""

from __future__ import annotations

import pickle
import re
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import cancel_on_error, ignore_interrupts
from owlbus.common.progress import current_progress
from owlbus.demand.counting import CountedFiles, CountSettings, count_part
from owlbus.records.duplicates import may_have_duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from owlbus.records.sources import Source

PART_ROWS = 8_000_000
"""Most rows of a part; large enough to amortise overhead."""

FAN_IN = 8
"""Counts that one task merges."""

NO_WORKER_TIMEOUT_S = 30.0
"""Seconds without any worker after which a run on Dask ends."""

RETRIES = 3
"""Retries of a task that fails or loses its worker."""

_LOCAL = re.compile(r"(local|processes):(\d{1,3})")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx|inproc)://\S+")
_MAX_WORKERS = 512
_POLL_S, _CHECK_WORKERS_S = 0.05, 2.0


def runner(scheduler: str) -> Callable[[CountSettings, Sequence[Source]], CountedFiles]:
    """
    Return a function that counts files in other processes, for `owlbus.demand.estimate_demand`.

    Parameters
    ----------
    scheduler
        ``local:N`` starts N Dask workers on this machine, ``tcp://HOST:PORT`` uses a Dask cluster whose workers can read the same files,
        and ``processes:N`` uses N processes without Dask.

    Returns
    -------
    callable
        Function of settings and sources; returns the merged counts.

    Raises
    ------
    UsageError
        If `scheduler` is invalid, or Dask is not installed.
    DataError
        From the returned function, if too many workers are lost.

    Examples
    --------
    >>> runner("processes:2").func.__name__
    'count_in_processes'
    """
    on_dask, address, workers = _parse_scheduler(scheduler)
    return partial(count_on_dask, address=address, n_workers=workers) if on_dask else partial(count_in_processes, n_workers=workers)


@contextmanager
def executor(scheduler: str | None, n_threads: int = 1) -> Iterator[Executor]:
    """
    Yield an executor for functions of a module.

    Parameters
    ----------
    scheduler
        As for `runner`; None uses threads of this process.
    n_threads
        Number of threads without a scheduler.

    Yields
    ------
    Executor
        Executor of `concurrent.futures`, or one backed by Dask.

    Raises
    ------
    UsageError
        As for `runner`, or if no scheduler answers.
    DataError
        If too many workers are lost.

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
    on_dask, address, workers = _parse_scheduler(scheduler)
    if on_dask:
        with _client(address, workers) as client:
            yield _DaskExecutor(client)
        return
    with _process_pool(workers) as pool, cancel_on_error(pool):
        yield pool


def _parse_scheduler(scheduler: str) -> tuple[bool, str | None, int]:
    """Return whether to use Dask, its address (None: start it), and the number of workers to start."""
    local = _LOCAL.fullmatch(scheduler)
    if local is None and _ADDRESS.fullmatch(scheduler) is None:
        msg = f"{setting('scheduler')} must be local:N, processes:N or an address such as tcp://host:8786, got {scheduler!r}"
        raise UsageError(msg, setting="scheduler", value=scheduler)
    workers = int(local[2]) if local else 0
    if local and not 1 <= workers <= _MAX_WORKERS:
        msg = f"{setting('scheduler')} must name 1 to {_MAX_WORKERS} workers, got {workers}"
        raise UsageError(msg, setting="scheduler", value=scheduler)
    if local and local[1] == "processes":
        return False, None, workers
    _dask()
    return True, None if local else scheduler, workers


def _process_pool(n_workers: int) -> ProcessPoolExecutor:
    """Return a pool of spawned processes."""
    import multiprocessing

    return ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=ignore_interrupts)


def split_sources(sources: Sequence[Source], part_rows: int = PART_ROWS) -> list[Source]:
    """
    Split files into parts that can be counted independently.

    Parameters
    ----------
    sources
        Opened files.
    part_rows
        Most rows of a part.

    Returns
    -------
    list of Source
        Parts with every row once. Text files and files with possible duplicates are not split.
    """
    parts: list[Source] = []
    for source in sources:
        if source.n_rows is None or not source.is_table or may_have_duplicates(source):
            parts.append(source)
            continue
        starts = range(0, max(source.n_rows, 1), part_rows)
        parts += [source.part(low, min(low + part_rows, source.n_rows)) for low in starts]
    return parts


def count_in_processes(settings: CountSettings, sources: Sequence[Source], n_workers: int) -> CountedFiles:
    """
    Count files in local processes.

    Parameters
    ----------
    settings
        Grid, window and time zone.
    sources
        Opened files.
    n_workers
        Number of processes.

    Returns
    -------
    CountedFiles
        Counts of all files.
    """
    parts = split_sources(sources)
    step = current_progress().step(f"reading records in {n_workers} processes", total=len(parts))
    total = CountedFiles()
    with _process_pool(n_workers) as pool, cancel_on_error(pool):
        for future in as_completed([pool.submit(_count_serialised, settings, part) for part in parts]):
            total.merge(pickle.loads(future.result()))  # noqa: S301 - from our own process
            step.advance()
    return total


def count_on_dask(settings: CountSettings, sources: Sequence[Source], address: str | None, n_workers: int) -> CountedFiles:
    """
    Count files on a Dask cluster; if a worker is lost, another one redoes its part.

    Parameters
    ----------
    settings
        Grid, window and time zone.
    sources
        Files that every worker can read under the same paths.
    address
        Address of the scheduler; None starts workers on this machine.
    n_workers
        Number of workers to start without an address.

    Returns
    -------
    CountedFiles
        Counts of all files.

    Raises
    ------
    UsageError
        If no scheduler answers.
    DataError
        If too many workers are lost.
    """
    parts = split_sources(sources)  # each task carries its settings: state on workers is lost with them
    with _client(address, n_workers) as client:
        level = [client.submit(_count_serialised, settings, part, pure=False, retries=RETRIES) for part in parts]
        _track(f"reading records on {address or f'{n_workers} workers'}", client, level)
        while len(level) > 1:
            groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
            level = [client.submit(_merge_serialised, group, pure=False, retries=RETRIES) for group in groups]
        total: CountedFiles = pickle.loads(_result(client, level[0]))  # noqa: S301 - from our own workers
    return total


@contextmanager
def _client(address: str | None, n_workers: int) -> Iterator[Any]:
    """Yield a client of a cluster, or of a new local cluster if there is no address."""
    dask = _dask()
    if address is None:
        with _local_cluster(n_workers) as cluster, dask.Client(cluster) as client:
            yield client
        return
    with _without_log():
        try:
            client = dask.Client(address, timeout="10s")
        except OSError as error:
            msg = f"{setting('scheduler', address)}: no Dask scheduler answers there; start one with: dask scheduler"
            raise UsageError(msg, setting="scheduler", value=address) from error
        with client:
            yield client


def _local_cluster(n_workers: int) -> Any:  # noqa: ANN401 - the library has no types
    """Start a local cluster; its dashboard uses any free port, since another cluster may use the default."""
    quiet = {"dashboard_address": ":0", "silence_logs": 50, "threads_per_worker": 1, "memory_limit": 0}
    try:
        return _dask().LocalCluster(n_workers=n_workers, processes=True, **quiet)
    except (RuntimeError, OSError) as error:
        workers = f"{n_workers} Dask worker{'s' * (n_workers > 1)}"
        msg = f"{workers} must start on this machine, and did not ({error}); use fewer, or run it again"
        raise DataError(msg) from error


@contextmanager
def _without_log() -> Iterator[None]:
    """Suppress Dask's log on standard error."""
    import logging

    levels = [(handler, handler.level) for handler in logging.getLogger("distributed").handlers]
    for handler, _ in levels:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in levels:
            handler.setLevel(level)


class _DaskExecutor(Executor):
    """Executor backed by a Dask client; results are awaited while there are workers."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - the library has no types
        self._client = client

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as that of an executor
        """Submit a call."""
        return _DaskFuture(self._client, self._client.submit(fn, *args, **kwargs, pure=False, retries=RETRIES))


class _DaskFuture(Future[Any]):
    """Future backed by Dask."""

    def __init__(self, client: Any, future: Any) -> None:  # noqa: ANN401 - the library has no types
        super().__init__()
        self._client, self._future = client, future

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - of whatever is called
        """Wait for the result; `timeout` is ignored."""
        del timeout
        return _result(self._client, self._future)

    def cancel(self) -> bool:
        """Cancel the call."""
        self._future.cancel()
        return True


def _track(title: str, client: Any, futures: Sequence[Any]) -> None:  # noqa: ANN401 - the library has no types
    """Show progress until all futures are done; raise the first error."""
    step = current_progress().step(title, total=len(futures))
    for future in _completed(client, futures):
        if future.status != "finished":
            _result(client, future)
        step.advance()


def _result(client: Any, future: Any) -> Any:  # noqa: ANN401 - the library has no types
    """Wait for the result of a future; convert lost workers and a lost scheduler to `DataError`."""
    from concurrent.futures import CancelledError

    if not future.done():  # or each of many tasks would wait for the next look
        list(_completed(client, [future]))
    try:
        return future.result()
    except _dask().KilledWorker as error:
        lost = error.allowed_failures + 1
        msg = f"{lost} workers were ended from outside one after the other, perhaps for want of memory; use fewer, or run it again"
        raise DataError(msg) from error
    except CancelledError as error:
        msg = "the Dask scheduler was lost, and with it what its workers had done; start it again, and run this again"
        raise DataError(msg) from error


def _completed(client: Any, futures: Sequence[Any]) -> Iterator[Any]:  # noqa: ANN401 - the library has no types
    """Yield each future when it ends; fail if there is no worker, where Dask would wait for ever."""
    queue, last_worker_s, last_check_s = _dask().as_completed(futures), time.monotonic(), time.monotonic()
    while not queue.is_empty():
        yield from queue.next_batch(block=False)
        if queue.is_empty():
            return
        time.sleep(_POLL_S)
        now_s = time.monotonic()
        if now_s - last_check_s < _CHECK_WORKERS_S:
            continue
        last_check_s = now_s
        if _has_workers(client):
            last_worker_s = now_s
        elif now_s - last_worker_s > NO_WORKER_TIMEOUT_S:
            start = f"dask worker {client.scheduler.address}"
            msg = f"the Dask scheduler has had no worker for {NO_WORKER_TIMEOUT_S:g} s; start one with: {start}, and run it again"
            raise DataError(msg)


def _has_workers(client: Any) -> bool:  # noqa: ANN401 - the library has no types
    """Return whether the scheduler has workers; True if unreachable, since the client then ends all calls."""
    try:
        return bool(client.nthreads())
    except OSError:
        return True


def _count_serialised(settings: CountSettings, part: Source) -> bytes:
    """Count one part and return the pickled counts."""
    return pickle.dumps(count_part(settings, [part]).described(), protocol=pickle.HIGHEST_PROTOCOL)


def _merge_serialised(parts: Sequence[bytes]) -> bytes:
    """Merge pickled counts."""
    total = CountedFiles()
    for part in parts:
        total.merge(pickle.loads(part))  # noqa: S301 - from our own workers
    return pickle.dumps(total, protocol=pickle.HIGHEST_PROTOCOL)


def _dask() -> Any:  # noqa: ANN401 - the library has no types
    """Import `distributed`, or raise `UsageError`."""
    try:
        import distributed
    except ImportError:
        msg = f"{setting('scheduler')} needs Dask, which is not installed; add it with: pip install 'owlbus[cluster]'"
        raise UsageError(msg, setting="scheduler") from None
    return distributed
