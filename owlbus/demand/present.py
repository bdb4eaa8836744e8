"""Records counted by night, hour and hex, for files of which only where and when is known or wanted."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from owlbus.demand.columns import frozen
from owlbus.demand.counting import Account, Terms, counting, told_one_by_one
from owlbus.demand.report import DemandReport, FileLedger, rule_counts
from owlbus.records.layout import PLACES
from owlbus.records.opening import open_sources
from owlbus.units import TRIP_UNITS, NightWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.hexgrid import HexGrid
    from owlbus.records.opening import Source


@dataclass(frozen=True, slots=True, eq=False)
class RecordCounts:
    """
    Records by night, hour and hex.

    Attributes
    ----------
    nights
        Days since 1970 of each service night's evening, shape (n_nights,), int64, ascending; 0 for records without a date.
    rows
        Records, shape (n_nights, n_hours, n_hexes), int64.
    report
        What became of every record; none is a trip.
    """

    nights: NDArray[np.int64]
    rows: NDArray[np.int64]
    report: DemandReport


def count_records(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    grid: HexGrid,
    window: NightWindow | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    timezone: str | None = None,
    masts: str | PathLike[str] | None = None,
    run: Callable[[Terms, Sequence[Source]], Account] | None = None,
) -> RecordCounts:
    """
    Records by night, hour and hex: rows, not distinct people, and no trips.

    Only ``time``, ``lon`` and ``lat`` are read, whatever else a file holds.

    Parameters
    ----------
    paths, grid, window, columns, timezone, masts, run
        As for `owlbus.demand.estimate_demand`; the window is in service hours, 24 to 28 by default.

    Returns
    -------
    RecordCounts
        The counts, equal to the last bit whatever the order of rows, files and workers.

    Raises
    ------
    DataError
        If a file is missing, damaged or lacks a column.
    """
    terms = Terms(grid, window or NightWindow(), timezone)
    files = [paths] if isinstance(paths, str | PathLike) else list(paths)
    with open_sources(files, columns, masts, kinds=(PLACES,)) as sources:
        account = _count_here(terms, sources) if run is None else run(terms, sources)
        ledgers = [account.ledgers.get(source.name) or FileLedger(source) for source in sources]
    report = DemandReport(tuple(ledger.counted() for ledger in ledgers), rule_counts(ledgers), ())
    shape = len(terms.window.hours), grid.n_hexes
    if PLACES.name not in account.tallies:
        return RecordCounts(frozen(np.empty(0, dtype=np.int64)), frozen(np.zeros((0, *shape), dtype=np.int64)), report)
    bins = account.tallies[PLACES.name].bins
    order = np.argsort(bins.nights)
    rows = bins.presence.reshape(-1, *shape)[order] // TRIP_UNITS
    return RecordCounts(frozen(bins.nights[order]), frozen(rows), report)


def _count_here(terms: Terms, sources: Sequence[Source]) -> Account:
    """Return what all files come to, counted in this process."""
    with counting(terms) as counter:
        for source, reach in told_one_by_one(sources):
            counter.count(source, None, reach)
        return counter.total()
