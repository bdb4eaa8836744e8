"""Estimate demand from records, or count records by night, hour and hex."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.defaults import TAXI_WEIGHT
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import NightWindow, require_number
from owlbus.demand.blend import agreement, blend
from owlbus.demand.columns import sums_by_index
from owlbus.demand.counting import CountedFiles, CountSettings, counting, sources_with_progress
from owlbus.demand.market_share import scale_to_population
from owlbus.demand.row_counts import DemandReport, FileRowCounts, SourceCount, report_rows, require_trips, require_usable
from owlbus.demand.zone_notes import zone_notes
from owlbus.records.read_options import ReadOptions
from owlbus.records.rejected import rejected_rows, write_rejected_parts
from owlbus.records.schema import CALLS, POSITIONS, TAXI, Kind
from owlbus.records.sources import open_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand.table import Demand
    from owlbus.demand.tally import Counted
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.records.read_options import ReadKeywords
    from owlbus.records.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class RecordCounts:
    """
    Records by night, hour and hex.

    Attributes
    ----------
    nights
        Days since 1970 of each service date, shape (n_nights,), int64, ascending; 0 for records without a date.
    rows
        Records, shape (n_nights, n_hours, n_hexes), int64.
    report
        Row counts by rule; no row is a trip.
    """

    nights: NDArray[np.int64]
    rows: NDArray[np.int64]
    report: DemandReport


def count_records(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    grid: HexGrid,
    window: NightWindow | None = None,
    *,
    run: Callable[[CountSettings, Sequence[Source]], CountedFiles] | None = None,
    **reading: Unpack[ReadKeywords],
) -> RecordCounts:
    """
    Count records by night, hour and hex: rows, not distinct people, and no trips.

    Only ``time``, ``lon`` and ``lat`` are read.

    Parameters
    ----------
    paths, grid, window, run, **reading
        As for `owlbus.demand.estimate_demand`; the window is in service hours, 24 to 28 by default.

    Returns
    -------
    RecordCounts
        Counts; they do not depend on the order of rows, files and workers.

    Raises
    ------
    DataError
        If a file is missing, damaged or lacks a column.
    """
    settings = CountSettings(grid, window or NightWindow())
    with open_sources(paths, ReadOptions(**reading), kinds=(POSITIONS,)) as sources:
        counted_files = _count_here(settings, sources) if run is None else run(settings, sources)
        report = report_rows(counted_files.rows_of(sources))
    shape = len(settings.window.hours), grid.n_hexes
    if POSITIONS.name not in counted_files.tallies:
        return RecordCounts(read_only(np.empty(0, dtype=np.int64)), read_only(np.zeros((0, *shape), dtype=np.int64)), report)
    nights, rows = counted_files.tallies[POSITIONS.name].rows_by_hex()
    return RecordCounts(read_only(nights), read_only(rows.reshape(-1, *shape)), report)


_THIN_SHARE = 0.1


def estimate_demand(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    grid: HexGrid,
    window: NightWindow | None = None,
    *,
    taxi_weight: float = TAXI_WEIGHT,
    n_nights: int | None = None,
    max_rejected_share: float = 1.0,
    rejected: str | PathLike[str] | None = None,
    market_share: ArrayLike | None = None,
    run: Callable[[CountSettings, Sequence[Source]], CountedFiles] | None = None,
    **reading: Unpack[ReadKeywords],
) -> tuple[Demand, DemandReport]:
    """
    Estimate demand from call and taxi records, and report every record.

    A call at hex A of a subscriber whose home is in B is one trip A to B; with a subscriber id, at most one per subscriber, night
    and (A, B), in the hour of the first. A taxi ride is one trip, or the number in its ``trips`` column. Every record that is not
    rejected counts as presence at its origin; with a subscriber id, once per night, hour and hex. Calls and taxi are blended if both
    are given.

    Parameters
    ----------
    paths
        Parquet or CSV files, plain or compressed, folders or globs; ``-`` is standard input. Calls and taxi are detected by columns.
    grid
        Hexes of the study area.
    window
        Service hours to count; 24 to 28 by default.
    taxi_weight
        Share of taxi in a blend, 0 to 1.
    n_nights
        Nights that records without a date cover; 1 by default. Not for records with dates.
    max_rejected_share
        Largest allowed share of rejected rows per file, 0 to 1.
    rejected
        Parquet file for rejected rows, mode 0600; none by default.
    market_share
        Market share of the operator of the calls, by hex, shape (n_hexes,), in (0, 1]; 1 by default.
    run
        Function that counts the files, such as from `owlbus.cluster.runner`; threads of this process by default. Rejected rows of
        other processes are kept in memory until they are written.
    **reading
        How records are to be read, as fields of `owlbus.records.read_options.ReadOptions`: ``columns``, ``timezone``, ``time_format``,
        ``date_order``, ``crs``, ``masts``, ``zones``, ``zone_id``, ``zone_weights``.

    Returns
    -------
    demand
        Trips and presence by night.
    report
        Row counts by rule and file; rows read equal rows counted plus rows rejected.

    Raises
    ------
    DataError
        If a file is missing, damaged, has columns of no kind, or no trip in the area and window.
    UsageError
        If an argument is outside its range.
    """
    window = window or NightWindow()
    require_number("taxi_weight", taxi_weight, 0, 1)
    require_number("max_rejected_share", max_rejected_share, 0, 1)
    settings = CountSettings(grid, window, keeps_rejected=rejected is not None)
    with open_sources(paths, ReadOptions(**reading)) as sources:
        counted_files = _count_here(settings, sources, max_rejected_share, rejected) if run is None else run(settings, sources)
        if run is not None and rejected is not None:
            order = {source.name: index for index, source in enumerate(sources)}
            parts = sorted((order[name], first_row, part) for name, first_row, part in counted_files.rejected)
            write_rejected_parts((part for *_, part in parts), rejected)
        row_counts = counted_files.rows_of(sources)
        for file in row_counts:
            require_usable(file, max_rejected_share)
        require_trips(row_counts)
        kinds = [kind for kind in (CALLS, TAXI) if kind.name in counted_files.tallies]
        demands = [counted_files.tallies[kind.name].counted(_source_name(kind, sources), n_nights) for kind in kinds]
        if market_share is not None:
            demands = [_scaled_calls(counted, market_share) for counted in demands]
        _check_nights(n_nights, demands)
        demand, report = _joined(demands, row_counts, taxi_weight, n_nights)
        spread = (note for counted in demands for note in zone_notes(counted, [*sources], grid))
        return demand, replace(report, notes=(*_layout_notes(sources), *spread, *report.notes))


def check_files(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    grid: HexGrid,
    window: NightWindow | None = None,
    *,
    max_rejected_share: float = 1.0,
    **reading: Unpack[ReadKeywords],
) -> tuple[DemandReport, list[DataError]]:
    """
    Validate every record without estimating demand.

    Parameters
    ----------
    paths, grid, window, max_rejected_share, **reading
        As for `estimate_demand`; shares are 0 to 1.

    Returns
    -------
    report
        Row counts by rule and file.
    refusals
        Reasons to reject files, as errors.

    Raises
    ------
    DataError
        If a file cannot be read at all.
    UsageError
        If an argument is outside its range.
    """
    require_number("max_rejected_share", max_rejected_share, 0, 1)
    refusals: list[DataError] = []
    with open_sources(paths, ReadOptions(**reading)) as sources, counting(CountSettings(grid, window or NightWindow())) as counter:
        for source in sources:
            counter.count(source, None)
        row_counts = [counter.row_counts(source) for source in sources]
        for file in row_counts:
            try:
                require_usable(file, max_rejected_share)
            except DataError as error:
                refusals.append(error)
    return report_rows(row_counts), refusals


def _count_here(
    settings: CountSettings,
    sources: Sequence[Source],
    max_rejected_share: float | None = None,
    rejected: str | PathLike[str] | None = None,
) -> CountedFiles:
    """Count all files in this process, check each if there is a largest share, and write rejected rows if a file is named."""
    with rejected_rows(rejected) as rejected_file, counting(settings) as counter:
        for source, reach in sources_with_progress(sources):
            counter.count(source, rejected_file, reach)
            if max_rejected_share is not None and not source.is_part:
                require_usable(counter.row_counts(source), max_rejected_share)
        return counter.total()


def _scaled_calls(counted: Counted, market_share: ArrayLike) -> Counted:
    """Return `counted` scaled by the market share if it is of calls."""
    is_calls = counted.demand.source == CALLS.name
    return replace(counted, demand=scale_to_population(counted.demand, market_share)) if is_calls else counted


def _joined(
    demands: list[Counted], row_counts: list[FileRowCounts], taxi_weight: float, n_nights: int | None
) -> tuple[Demand, DemandReport]:
    """Return the demand of one source or the blend of both, and the report."""
    notes = (note for counted in demands for note in (*_undated(counted.demand, n_nights), *_thin_nights(counted.demand)))
    report = report_rows(row_counts, map(_source_count, demands), notes)
    if len(demands) == 1:
        return demands[0].demand, report
    calls, taxi = (counted.demand for counted in demands)
    return blend(calls, taxi, taxi_weight), replace(report, agreement=agreement(calls, taxi), taxi_weight=taxi_weight)


def _source_name(kind: Kind, sources: tuple[Source, ...]) -> str:
    """Return calls, taxi, or counts if every taxi file has counts."""
    files = [source for source in sources if source.layout.kind is kind]
    return "counts" if kind is TAXI and all("trips" in source.layout.names for source in files) else kind.name


def _source_count(counted: Counted) -> SourceCount:
    """Return the totals of one source."""
    demand = counted.demand
    return SourceCount(
        demand.source, demand.n_nights, demand.total_trips, demand.total_presence, counted.repeats_trip, counted.repeats_present
    )


def _undated(demand: Demand, n_nights: int | None) -> list[str]:
    """Return a note if records have no date, so that the number of nights is assumed."""
    if demand.nights != (None,):
        return []
    claim = "as one night" if n_nights in {None, 1} else f"as the sum of {n_nights} nights, as told"
    return [f"records of {demand.source} carry no date and are taken {claim}"]


def _layout_notes(sources: Sequence[Source]) -> list[str]:
    """Return notes on assumptions about files: estimated homes and time zones of publishers."""
    notes = []
    homeless = [source.name for source in sources if source.homes is not None]
    if homeless:
        notes.append(f"{homeless[0]}: calls carry no home, so a subscriber's home is the place of most of its calls at all hours")
    clocks = [source for source in sources if source.layout.timezone is not None]
    if clocks:
        notes.append(f"{clocks[0].name}: times are read as the publisher means them, as a clock in {clocks[0].layout.timezone}")
    return notes


def _thin_nights(demand: Demand) -> list[str]:
    """Return a note if some nights have far fewer people than most: each counts as a full night."""
    people = sums_by_index(demand.presence_night, demand.presence, demand.n_nights)
    thin = np.flatnonzero(people < _THIN_SHARE * np.median(people))
    if not thin.size:
        return []
    extent = f"{thin.size} of {demand.n_nights} nights of {demand.source} hold less than a tenth of a usual night's people"
    return [f"{extent}, first {demand.nights[int(thin[0])]}; they count as full nights unless left out by date"]


def _check_nights(n_nights: int | None, demands: list[Counted]) -> None:
    """Reject `n_nights` if all records have dates."""
    if n_nights is not None and all(counted.demand.nights != (None,) for counted in demands):
        dated = f"records of {demands[0].demand.n_nights} dated nights"
        msg = f"{setting('n_nights')} is for records without a date, got {n_nights} for {dated}; leave it out"
        raise UsageError(msg, setting="n_nights", value=n_nights)
