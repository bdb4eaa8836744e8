"""Count record files: read batches in order and count them in threads or other processes."""

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
from owlbus.demand.zone_shares import shares_of_zones
from owlbus.records.duplicates import RepeatedRows, has_seconds, may_have_duplicates
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
"""Default number of counting threads."""


@dataclass(frozen=True, slots=True)
class CountSettings:
    """
    Settings for counting records.

    Attributes
    ----------
    grid
        Hexes of the study area.
    window
        Hours that count.
    keeps_rejected
        Whether other processes return rejected rows.
    """

    grid: HexGrid
    window: NightWindow
    keeps_rejected: bool = False


@dataclass(slots=True)
class CountedFiles:
    """
    Counts of files or parts of files; the order of merges does not matter.

    Attributes
    ----------
    tallies
        Tally by kind of record.
    row_counts
        Rows by rule, by file name.
    rejected
        File name, first row, and rejected rows as Parquet bytes, of each part counted in another process.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    row_counts: dict[str, FileRowCounts] = field(default_factory=dict)
    rejected: list[tuple[str, int, bytes]] = field(default_factory=list)

    def rows_of(self, sources: Sequence[Source]) -> list[FileRowCounts]:
        """Return the row counts of `sources`, in order; empty counts for files without rows."""
        return [self.row_counts.get(source.name) or FileRowCounts(source) for source in sources]

    def described(self) -> CountedFiles:
        """Drop the rows of tables, and tables joined to records, before the counts go to another process or a file."""
        for row_counts in self.row_counts.values():
            row_counts.source = row_counts.source.described
        return self

    def merge(self, other: CountedFiles) -> CountedFiles:
        """Add the counts of `other`, and return these counts."""
        for kind, tally in other.tallies.items():
            if (own_tally := self.tallies.setdefault(kind, tally)) is not tally:
                own_tally.merge(tally)
        for name, row_counts in other.row_counts.items():
            if (own_counts := self.row_counts.setdefault(name, row_counts)) is not row_counts:
                own_counts.merge(row_counts)
        self.rejected += other.rejected
        return self


@dataclass(slots=True)
class Counter:
    """
    Thread pool that counts batches; each thread has its own counts.

    Attributes
    ----------
    settings
        Grid and window.
    pool
        The threads.
    idle
        Counts that no thread uses.
    n_threads
        Number of threads, and of counts.
    shared
        Subscriber ids and trips, shared by all threads, by kind of record.
    """

    settings: CountSettings
    pool: ThreadPoolExecutor
    idle: SimpleQueue[CountedFiles]
    n_threads: int
    shared: dict[str, tuple[Subscribers, TripCounter]] = field(default_factory=dict)

    def count(self, source: Source, rejected: RejectedFile | None, on_rows: Callable[[int], None] | None = None) -> None:
        """
        Count one file or part of a file.

        Parameters
        ----------
        source
            The file.
        rejected
            Receives rejected rows in order; None drops them.
        on_rows
            Callback with the number of rows done so far.
        """
        parsed: deque[Future[Batch]] = deque()
        pending: deque[Future[tuple[Batch, Verdict | None]]] = deque()
        repeated = RepeatedRows(self.settings.window, source.n_rows, has_seconds(source)) if may_have_duplicates(source) else None
        rows = 0

        def finish() -> None:
            nonlocal rows
            batch, verdict = pending.popleft().result()
            if rejected is not None and verdict is not None:
                rejected.add(batch, verdict)
            rows += batch.n_rows
            if on_rows is not None:
                on_rows(rows)

        def judge() -> None:
            batch = parsed.popleft().result()
            is_repeat = None if repeated is None else repeated.marks(batch)
            pending.append(self.pool.submit(self._work, source, batch, is_repeat, needs_verdict=rejected is not None))
            if len(pending) > self.n_threads:
                finish()

        # Threads convert and count batches; in between each is marked here, in order, since the first of equal rows is the one that counts.
        for first_row, frame in self._frames(source):
            parsed.append(self.pool.submit(batch_of, source, first_row, frame))
            if len(parsed) > self.n_threads:
                judge()
        while parsed:
            judge()
        while pending:
            finish()

    def _frames(self, source: Source) -> Iterator[tuple[int, pl.DataFrame | TextRows]]:
        """Return the rows of a file, after its zones are laid over the grid: once, before threads ask for it."""
        if source.zones is not None:
            shares_of_zones(source.zones, self.settings.grid)
        return read_frames(source)

    def total(self) -> CountedFiles:
        """Return the sum of all counts so far, and reset."""
        counted_files = [self.idle.get() for _ in range(self.n_threads)]
        total = counted_files[0]
        for other in counted_files[1:]:
            total.merge(other)
        for tally in total.tallies.values():
            tally.flush()
        self.shared.clear()
        for _ in range(self.n_threads):
            self.idle.put(CountedFiles())
        return total

    def row_counts(self, source: Source) -> FileRowCounts:
        """Return the row counts of one file over all threads."""
        counted_files = [self.idle.get() for _ in range(self.n_threads)]
        total = FileRowCounts(source)
        for counted in counted_files:
            if source.name in counted.row_counts:
                total.merge(counted.row_counts[source.name])
            self.idle.put(counted)
        return total

    def _tally(self, source: Source) -> Tally:
        """Return an empty tally that shares subscriber ids and trips with the other threads."""
        kind = source.layout.kind.name
        subscribers, trips = self.shared.setdefault(kind, (Subscribers(), TripCounter()))
        shares = None if source.zones is None else shares_of_zones(source.zones, self.settings.grid)
        return Tally(self.settings.grid, self.settings.window, subscribers, trips, shares=shares)

    def _work(
        self,
        source: Source,
        batch: Batch,
        is_duplicate: np.ndarray[tuple[int], np.dtype[np.uint8]] | None,
        *,
        needs_verdict: bool,
    ) -> tuple[Batch, Verdict | None]:
        """Count one batch in idle counts."""
        counted = self.idle.get()
        try:
            kind = source.layout.kind.name
            if kind not in counted.tallies:
                counted.tallies[kind] = self._tally(source)
            row_counts = counted.row_counts.setdefault(source.name, FileRowCounts(source))
            return batch, counted.tallies[kind].add(batch, row_counts, is_duplicate, needs_verdict=needs_verdict)
        finally:
            self.idle.put(counted)


@contextmanager
def counting(settings: CountSettings, n_threads: int = N_THREADS) -> Iterator[Counter]:
    """
    Yield a thread pool that counts; it is closed after the block.

    Parameters
    ----------
    settings
        Grid and window.
    n_threads
        Number of threads, >= 1.

    Yields
    ------
    Counter
        Counter with empty counts.
    """
    idle: SimpleQueue[CountedFiles] = SimpleQueue()
    for _ in range(n_threads):
        idle.put(CountedFiles())
    with ThreadPoolExecutor(n_threads, thread_name_prefix="owlbus-count") as pool:
        yield Counter(settings, pool, idle, n_threads)


def count_part(settings: CountSettings, sources: Sequence[Source], n_threads: int = 1) -> CountedFiles:
    """
    Count files or parts of files; the task of a worker process.

    Parameters
    ----------
    settings
        Grid and window.
    sources
        The files.
    n_threads
        Number of threads, >= 1.

    Returns
    -------
    CountedFiles
        Counts of all of them.
    """
    rejected_parts: list[tuple[str, int, bytes]] = []
    with counting(settings, n_threads) as counter:
        for source in sources:
            with rejected_rows_in_memory() as (rejected, buffer):
                counter.count(source, rejected if settings.keeps_rejected else None)
            if settings.keeps_rejected:
                rejected_parts.append((source.name, source.first_row, buffer.getvalue()))
        total = counter.total()
    total.rejected += rejected_parts
    return total


def sources_with_progress(sources: Sequence[Source]) -> Iterator[tuple[Source, Callable[[int], None]]]:
    """
    Yield files with a callback that updates the progress display.

    Parameters
    ----------
    sources
        The files, in order.

    Yields
    ------
    source, reach
        File, done when the next one is requested; and a function of its rows done so far.
    """
    step = current_progress().step("reading records", total=sum(source.n_bytes for source in sources))
    done = 0
    for source in sources:

        def reach(rows: int, source: Source = source, done: int = done) -> None:
            step.reach(done + source.n_bytes * source.share_read(rows), f"{rows} rows of {source.name}")

        yield source, reach
        done += source.n_bytes
        step.reach(done)
