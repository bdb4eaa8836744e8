"""Files to tallies: batches read in order, counted by threads, and the same for a part of a file anywhere else."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING

from owlbus.common.progress import current_progress
from owlbus.demand.accumulators import TripCounter
from owlbus.demand.row_counts import FileRowCounts
from owlbus.demand.tally import Tally
from owlbus.records.duplicates import DuplicateRides, may_have_duplicates
from owlbus.records.reading import batch_of, read_frames
from owlbus.records.rejected import rejected_rows_in_memory
from owlbus.records.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    import numpy as np
    import polars as pl

    from owlbus.common.units import NightWindow
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.records.fast_csv import TextRows
    from owlbus.records.reading import Batch
    from owlbus.records.rejected import RejectedFile
    from owlbus.records.sources import Source
    from owlbus.records.validation import Verdict

N_THREADS = 2
"""Threads that count while others decode."""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What all records of a study are counted by.

    Attributes
    ----------
    grid
        Hexes of the study area.
    window
        Hours that count.
    timezone
        Zone that times with a zone are shown in.
    keeps_rejected
        Whether parts that are counted elsewhere bring their rejected rows back.
    """

    grid: HexGrid
    window: NightWindow
    timezone: str | None = None
    keeps_rejected: bool = False


@dataclass(slots=True)
class CountedFiles:
    """
    What some files, or parts of them, came to; accounts merge in any order to the same.

    Attributes
    ----------
    tallies
        Counts by kind of record.
    ledgers
        Rows by rule, by name of the file.
    rejected
        Name of the file, first row, and rejected rows as packed Parquet, of each part that was counted elsewhere.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    ledgers: dict[str, FileRowCounts] = field(default_factory=dict)
    rejected: list[tuple[str, int, bytes]] = field(default_factory=list)

    def merge(self, other: CountedFiles) -> CountedFiles:
        """Add what `other` came to, and return this account."""
        for kind, tally in other.tallies.items():
            if kind in self.tallies:
                self.tallies[kind].merge(tally)
            else:
                self.tallies[kind] = tally
        for name, evaluator in other.ledgers.items():
            if name in self.ledgers:
                self.ledgers[name].merge(evaluator)
            else:
                self.ledgers[name] = evaluator
        self.rejected += other.rejected
        return self


@dataclass(slots=True)
class Counter:
    """
    Threads that count batches, each with a tally and ledgers of its own.

    Attributes
    ----------
    terms
        What records are counted by.
    pool
        The threads.
    idle
        Accounts that no thread works on.
    n_threads
        Number of threads, and of accounts.
    shared
        Numbers of subscriber ids, and trips, by kind of record.
    """

    terms: Terms
    pool: ThreadPoolExecutor
    idle: SimpleQueue[CountedFiles]
    n_threads: int
    shared: dict[str, tuple[Subscribers, TripCounter]] = field(default_factory=dict)

    def count(self, source: Source, bin_: RejectedFile | None, on_rows: Callable[[int], None] | None = None) -> None:
        """
        Count one file, or the part of it that `source` names.

        Parameters
        ----------
        source
            The file.
        bin_
            Takes rejected rows, in order; None keeps none.
        on_rows
            Told the rows done so far; None tells nobody.
        """
        waiting: deque[Future[tuple[Batch, Verdict | None]]] = deque()
        twins = DuplicateRides() if may_have_duplicates(source) else None
        rows = 0

        def finish() -> None:
            nonlocal rows
            batch, verdict = waiting.popleft().result()
            if bin_ is not None and verdict is not None:
                bin_.add(batch, verdict)
            rows += batch.n_rows
            if on_rows is not None:
                on_rows(rows)

        for first_row, frame in read_frames(source, self.terms.timezone):
            repeats = None if twins is None else twins.marks(batch_of(source, first_row, frame, self.terms.timezone))
            waiting.append(self.pool.submit(self._work, source, first_row, frame, repeats, is_explained=bin_ is not None))
            if len(waiting) > self.n_threads:
                finish()
        while waiting:
            finish()

    def total(self) -> CountedFiles:
        """Return everything counted so far, as one account; the threads begin anew."""
        accounts = [self.idle.get() for _ in range(self.n_threads)]
        whole = accounts[0]
        for other in accounts[1:]:
            whole.merge(other)
        for tally in whole.tallies.values():
            tally.settle()
        self.shared.clear()
        for _ in range(self.n_threads):
            self.idle.put(CountedFiles())
        return whole

    def evaluator(self, source: Source) -> FileRowCounts:
        """Return a copy of what all threads entered for one file."""
        accounts = [self.idle.get() for _ in range(self.n_threads)]
        whole = FileRowCounts(source)
        for account in accounts:
            if source.name in account.ledgers:
                whole.merge(account.ledgers[source.name])
            self.idle.put(account)
        return whole

    def _tally(self, kind: str) -> Tally:
        """Return an empty tally that shares the numbers of subscribers and the trips with those of the other threads."""
        subscribers, trips = self.shared.setdefault(kind, (Subscribers(), TripCounter()))
        return Tally(self.terms.grid, self.terms.window, subscribers, trips)

    def _work(
        self,
        source: Source,
        first_row: int,
        frame: pl.DataFrame | TextRows,
        repeats: np.ndarray[tuple[int], np.dtype[np.uint8]] | None,
        *,
        is_explained: bool,
    ) -> tuple[Batch, Verdict | None]:
        """Count one batch on whichever account is idle."""
        batch = batch_of(source, first_row, frame, self.terms.timezone)
        account = self.idle.get()
        try:
            kind = source.layout.kind.name
            if kind not in account.tallies:
                account.tallies[kind] = self._tally(kind)
            evaluator = account.ledgers.setdefault(source.name, FileRowCounts(source))
            return batch, account.tallies[kind].add(batch, evaluator, repeats, is_explained=is_explained)
        finally:
            self.idle.put(account)


@contextmanager
def counting(terms: Terms, n_threads: int = N_THREADS) -> Iterator[Counter]:
    """
    Threads that count, ended with the block.

    Parameters
    ----------
    terms
        What records are counted by.
    n_threads
        Number of threads, >= 1.

    Yields
    ------
    Counter
        With an empty account for each thread.
    """
    idle: SimpleQueue[CountedFiles] = SimpleQueue()
    for _ in range(n_threads):
        idle.put(CountedFiles())
    with ThreadPoolExecutor(n_threads, thread_name_prefix="owlbus-count") as pool:
        yield Counter(terms, pool, idle, n_threads)


def count_part(terms: Terms, sources: Sequence[Source], n_threads: int = 1) -> CountedFiles:
    """
    Count some files, or parts of them: the unit of work for other processes.

    Parameters
    ----------
    terms
        What records are counted by.
    sources
        The files.
    n_threads
        Number of threads, >= 1.

    Returns
    -------
    CountedFiles
        What they came to.
    """
    packed: list[tuple[str, int, bytes]] = []
    with counting(terms, n_threads) as counter:
        for source in sources:
            with rejected_rows_in_memory() as (bin_, held):
                counter.count(source, bin_ if terms.keeps_rejected else None)
            if terms.keeps_rejected:
                packed.append((source.name, source.first_row, held.getvalue()))
        account = counter.total()
    account.rejected += packed
    return account


def told_one_by_one(sources: Sequence[Source]) -> Iterator[tuple[Source, Callable[[int], None]]]:
    """
    Yield files to count, each with what tells the progress bar the rows of it that are done.

    Parameters
    ----------
    sources
        The files, in order.

    Yields
    ------
    source, reach
        A file, which is done when the next one is asked for, and a function of its rows so far.
    """
    step = current_progress().step("reading records", total=sum(source.n_bytes for source in sources))
    done = 0
    for source in sources:

        def reach(rows: int, source: Source = source, done: int = done) -> None:
            step.reach(done + source.n_bytes * source.share_read(rows), f"{rows} rows of {source.name}")

        yield source, reach
        done += source.n_bytes
        step.reach(done)
