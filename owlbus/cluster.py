"""
Work in other processes: on a Dask cluster, or in processes of this machine.

Files to count are cut into parts, each part is counted by the function that one machine uses too, and the accounts are merged in a tree.
All counts are whole numbers, so the result is that of one machine to the last bit, whatever the parts and their order.
"""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.demand.counting import Account, Terms, count_part
from owlbus.errors import UsageError
from owlbus.progress import current_progress
from owlbus.records.twins import may_have_twins
from owlbus.storage import dropping, heed_parent_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from owlbus.records.opening import Source

PART_ROWS = 8_000_000
"""Rows of a part, at most, where a file can be cut: enough that the work around it does not count."""

FAN_IN = 8
"""Accounts that are merged at once."""

_LOCAL = re.compile(r"(local|processes):(\d{1,3})")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx|inproc)://\S+")
_MAX_WORKERS = 512


def runner(scheduler: str) -> Callable[[Terms, Sequence[Source]], Account]:
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
            yield client.get_executor(pure=False, retries=3)
        return
    with _processes(workers) as pool, dropping(pool):
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

    return ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn"), initializer=heed_parent_only)


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
        if source.n_rows is None or not source.is_table or may_have_twins(source):
            parts.append(source)
            continue
        starts = range(0, max(source.n_rows, 1), part_rows)
        parts += [replace(source, first_row=low, stop_row=min(low + part_rows, source.n_rows)) for low in starts]
    return parts


def count_in_processes(terms: Terms, sources: Sequence[Source], n_workers: int) -> Account:
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
    Account
        What all files came to.
    """
    parts = parts_of(sources)
    step = current_progress().step(f"reading records in {n_workers} processes", total=len(parts))
    whole = Account()
    with _processes(n_workers) as pool, dropping(pool):
        for future in as_completed([pool.submit(_count_packed, terms, part) for part in parts]):
            whole.merge(pickle.loads(future.result()))  # noqa: S301 - from our own process
            step.advance()
    return whole


def count_on_dask(terms: Terms, sources: Sequence[Source], address: str | None, n_workers: int) -> Account:
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
    Account
        What all files came to.

    Raises
    ------
    UsageError
        If no scheduler answers.
    """
    parts = parts_of(sources)  # each task carries its terms: what is only kept on workers is lost with them
    with _client(address, n_workers) as client:
        level = [client.submit(_count_packed, terms, part, pure=False, retries=3) for part in parts]
        _show(f"reading records on {address or f'{n_workers} workers'}", level)
        while len(level) > 1:
            groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
            level = [client.submit(_merged, group, pure=False, retries=3) for group in groups]
        account: Account = pickle.loads(level[0].result())  # noqa: S301 - from our own workers
    return account


@contextmanager
def _client(address: str | None, n_workers: int) -> Iterator[Any]:
    """Give a connection to a cluster, and a cluster of this machine if there is no address."""
    dask = _dask()
    if address is None:
        quiet = {"dashboard_address": None, "silence_logs": 50, "threads_per_worker": 1, "memory_limit": 0}
        with dask.LocalCluster(n_workers=n_workers, processes=True, **quiet) as cluster, dask.Client(cluster) as client:
            yield client
        return
    try:
        client = dask.Client(address, timeout="10s")
    except OSError as error:
        msg = f"--scheduler {address}: no Dask scheduler answers there; start one with: dask scheduler"
        raise UsageError(msg) from error
    with client:
        yield client


def _show(title: str, futures: Sequence[Any]) -> None:
    """Say how many parts are done until all are; the first error of a part is raised."""
    step = current_progress().step(title, total=len(futures))
    for future in _dask().as_completed(futures):
        if future.status == "error":
            raise future.exception()
        step.advance()


def _count_packed(terms: Terms, part: Source) -> bytes:
    """Count one part and pack its account: packed bytes can be sent, kept on disk and merged again after a loss."""
    return pickle.dumps(count_part(terms, [part]), protocol=pickle.HIGHEST_PROTOCOL)


def _merged(packed: Sequence[bytes]) -> bytes:
    """Merge packed accounts."""
    whole = Account()
    for account in packed:
        whole.merge(pickle.loads(account))  # noqa: S301 - from our own workers
    return pickle.dumps(whole, protocol=pickle.HIGHEST_PROTOCOL)


def _dask() -> Any:  # noqa: ANN401 - the library has no types
    """Return Dask's library, or refuse to go on without it."""
    import importlib

    try:
        return importlib.import_module("distributed")
    except ImportError:
        msg = "--scheduler needs Dask, which is not installed; add it with: pip install 'owlbus[cluster]'"
        raise UsageError(msg) from None
