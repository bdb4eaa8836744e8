"""Estimate demand from records, or count records by night, hour and hex."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.defaults import TAXI_WEIGHT
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import NightWindow, require_number
from owlbus.demand.blend import agreement, blend
from owlbus.demand.columns import sums_by_index
from owlbus.demand.counting import CountedFiles, CountSettings, counting, sources_with_progress
from owlbus.demand.hour_profile import hour_profile_notes, read_hour_profile, spread_over_hours
from owlbus.demand.layout_notes import layout_notes
from owlbus.demand.market_share import scale_to_population
from owlbus.demand.presence import CountedPresence, count_presence, with_presence
from owlbus.demand.row_counts import DemandReport, FileRowCounts, SourceCount, report_rows, require_trips, require_usable
from owlbus.demand.zone_notes import zone_notes
from owlbus.records.clock_range import clock_note
from owlbus.records.read_options import ReadOptions
from owlbus.records.recognised import RecognisedFile, recognised_file
from owlbus.records.record_files import is_given
from owlbus.records.rejected import rejected_rows, write_rejected_parts
from owlbus.records.schema import CALLS, KINDS, POSITIONS, PRESENCE, TAXI, Kind
from owlbus.records.sources import open_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand.table import Demand
    from owlbus.demand.tally import Counted
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.records.read_options import ReadKeywords
    from owlbus.records.record_files import Records
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
    paths: Records,
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
    paths: Records,
    grid: HexGrid,
    window: NightWindow | None = None,
    *,
    taxi_weight: float = TAXI_WEIGHT,
    n_nights: int | None = None,
    max_rejected_share: float = 1.0,
    rejected: str | PathLike[str] | None = None,
    market_share: ArrayLike | None = None,
    people: Any = None,  # noqa: ANN401 - whatever `open_sources` takes
    run: Callable[[CountSettings, Sequence[Source]], CountedFiles] | None = None,
    min_count: float = MIN_COUNT,
    **reading: Unpack[ReadKeywords],
) -> tuple[Demand, DemandReport]:
    """
    Estimate demand from call and taxi records, or from counts, and report every record.

    A call at hex A of a subscriber whose home is in B is one trip A to B; with a subscriber id, at most one per subscriber, night
    and (A, B), in the hour of the first. A taxi ride is one trip, or the number in its ``trips`` column. Every record that is not
    rejected counts as presence at its origin; with a subscriber id, once per night, hour and hex. Calls and taxi are blended if both
    are given.

    Parameters
    ----------
    paths
        Parquet or CSV files, plain or compressed, folders or globs; ``-`` is standard input. Or tables: pandas, polars or pyarrow, a
        GeoDataFrame, or an iterable of batches of them. Calls and taxi are detected by columns. None at all for a demand of `people`
        alone, without trips.
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
    people
        Tables of people by place and hour, in long form or with one column an hour; they replace the presence of records.
    run
        Function that counts the files, such as from `owlbus.cluster.runner`; threads of this process by default. Rejected rows of
        other processes are kept in memory until they are written.
    min_count
        Trips or people a night of which counts in notes are multiples; -1 for open data.
    **reading
        How records are to be read, as fields of `owlbus.records.read_options.ReadOptions`: ``columns``, ``timezone``, ``time_format``,
        ``date_order``, ``crs``, ``masts``, ``zones``, ``zone_id``, ``zone_weights``, ``hour_profile``.

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
    both = people is not None and is_given(paths)
    options = replace(ReadOptions(**reading), first_hour=window.start_hour, zones_elsewhere=both)
    publisher = Publisher(min_count)
    presence = None if people is None else count_presence(people, settings, options, n_nights, max_rejected_share, publisher)
    if presence is not None and not is_given(paths):
        return presence.demand, report_rows(presence.row_counts, [presence.source], presence.notes)
    with open_sources(paths, options) as sources:
        counted_files = _counted(settings, sources, max_rejected_share, rejected, run)
        row_counts = counted_files.rows_of(sources)
        for file in row_counts:
            require_usable(file, max_rejected_share)
        require_trips(row_counts)
        kinds = [kind for kind in (CALLS, TAXI) if kind.name in counted_files.tallies]
        demands = [counted_files.tallies[kind.name].counted(_source_name(kind, sources), n_nights) for kind in kinds]
        untimed = [counted.demand.total_trips for counted in demands if _is_untimed(counted, sources)]
        demands = [_with_hours(counted, sources, options, window) for counted in demands]
        if market_share is not None:
            demands = [_scaled_calls(counted, market_share) for counted in demands]
        _check_nights(n_nights, [*(counted.demand for counted in demands), *([presence.demand] if presence else [])])
        demand, report = _joined(list(map(_of_people_alone, demands)), row_counts, taxi_weight, n_nights, publisher)
        shares = hour_profile_notes(options.hour_profile, window.hours, publisher.count(sum(untimed))) if untimed else ()
        by_zone = _zone_notes(list(zip(kinds, demands, strict=True)), sources, grid, publisher)
        notes = (*layout_notes(sources, options), *shares, *_clock_notes(row_counts), *by_zone, *report.notes)
        _check_hour_profile(sources, options)
        return _with_people(demand, replace(report, notes=notes), presence)


def _zone_notes(by_kind: Sequence[tuple[Kind, Counted]], sources: Sequence[Source], grid: HexGrid, publisher: Publisher) -> list[str]:
    """Return notes on the records of each kind that name zones."""
    return [note for kind, counted in by_kind for note in zone_notes(counted, _of_kind(sources, kind), grid, publisher)]


def _counted(
    settings: CountSettings,
    sources: Sequence[Source],
    max_rejected_share: float,
    rejected: str | PathLike[str] | None,
    run: Callable[[CountSettings, Sequence[Source]], CountedFiles] | None,
) -> CountedFiles:
    """Count all files, here or by `run`, and write the rejected rows if a file is named."""
    if run is None:
        return _count_here(settings, sources, max_rejected_share, rejected)
    counted_files = run(settings, sources)
    if rejected is not None:
        order = {source.name: index for index, source in enumerate(sources)}
        parts = sorted((order[name], first_row, part) for name, first_row, part in counted_files.rejected)
        write_rejected_parts((part for *_, part in parts), rejected)
    return counted_files


def _with_people(demand: Demand, report: DemandReport, people: CountedPresence | None) -> tuple[Demand, DemandReport]:
    """Return demand and report with counted people instead of those of the records."""
    if people is None:
        return demand, report
    of_people = report_rows(people.row_counts, [people.source], people.notes)
    name = people.row_counts[0].source.name
    note = f"people are those that {name} counts; the records give trips alone"
    if people.demand.nights != demand.nights and demand.n_nights > 1:
        note += ", and every night has the people of the mean night"
    rules = {rule.name: rule for rule in of_people.rules} | {rule.name: rule for rule in report.rules}
    return with_presence(demand, people.demand), replace(
        report,
        files=(*report.files, *of_people.files),
        rules=tuple(rules.values()),
        sources=(*report.sources, *of_people.sources),
        notes=(*report.notes, *of_people.notes, note),
    )


def _with_hours(counted: Counted, sources: Sequence[Source], options: ReadOptions, window: NightWindow) -> Counted:
    """Return `counted` with its trips spread over the hours if they carry no time."""
    if not _is_untimed(counted, sources):
        return counted
    is_untimed = [source.layout.is_untimed for source in sources if source.layout.kind is TAXI]
    if not all(is_untimed):
        msg = f"{is_untimed.count(True)} of {len(is_untimed)} files of rides carry no time and the others do; estimate them apart"
        raise DataError(msg)
    return replace(counted, demand=spread_over_hours(counted.demand, read_hour_profile(options.hour_profile, window.hours)))


def _is_untimed(counted: Counted, sources: Sequence[Source]) -> bool:
    """Return whether `counted` are rides of which some carry no time."""
    return counted.demand.source != CALLS.name and any(source.layout.is_untimed for source in _of_kind(sources, TAXI))


def _of_people_alone(counted: Counted) -> Counted:
    """Return `counted` as counts of people if no row leads from one hex to another."""
    return counted if counted.demand.trips.size else replace(counted, demand=replace(counted.demand, people_counted=True))


def _of_kind(sources: Sequence[Source], kind: Kind) -> list[Source]:
    """Return the sources of one kind."""
    return [source for source in sources if source.layout.kind is kind]


def check_files(
    paths: Records,
    grid: HexGrid,
    window: NightWindow | None = None,
    *,
    max_rejected_share: float = 1.0,
    people: Any = None,  # noqa: ANN401 - whatever `open_sources` takes
    **reading: Unpack[ReadKeywords],
) -> tuple[DemandReport, list[DataError], list[RecognisedFile]]:
    """
    Validate every record without estimating demand.

    Parameters
    ----------
    paths, grid, window, max_rejected_share, people, **reading
        As for `estimate_demand`; shares are 0 to 1.

    Returns
    -------
    report
        Row counts by rule and file.
    refusals
        Reasons to reject files, as errors.
    recognised
        How each file is read, with a few rows as shapes.

    Raises
    ------
    DataError
        If a file cannot be read at all.
    UsageError
        If an argument is outside its range.
    """
    require_number("max_rejected_share", max_rejected_share, 0, 1)
    window = window or NightWindow()
    options = replace(ReadOptions(**reading), first_hour=window.start_hour, hexes=(grid.lon, grid.lat))
    options = replace(options, zones_elsewhere=people is not None and is_given(paths))
    refusals: list[DataError] = []
    row_counts: list[FileRowCounts] = []
    recognised: list[RecognisedFile] = []
    for tables, kinds in ((paths, KINDS), (people, (PRESENCE,))):
        if not is_given(tables):
            continue
        with open_sources(tables, options, kinds) as sources, counting(CountSettings(grid, window)) as counter:
            for source in sources:
                counter.count(source, None)
            recognised += [recognised_file(source) for source in sources]
            row_counts += [counter.row_counts(source) for source in sources]
    for file in row_counts:
        try:
            require_usable(file, max_rejected_share)
        except DataError as error:
            refusals.append(error)
    return report_rows(row_counts), refusals, recognised


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
    demands: list[Counted], row_counts: list[FileRowCounts], taxi_weight: float, n_nights: int | None, publisher: Publisher
) -> tuple[Demand, DemandReport]:
    """Return the demand of one source or the blend of both, and the report."""
    notes = (note for counted in demands for note in (*_undated(counted.demand, n_nights), *_thin_nights(counted.demand, publisher)))
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


def _clock_notes(row_counts: Sequence[FileRowCounts]) -> list[str]:
    """Return notes on files whose dated rows all fall into one minute or hour; the first few."""
    notes = (clock_note(file.source.name, file.clock) for file in row_counts)
    return [note for note in notes if note][:3]


def _thin_nights(demand: Demand, publisher: Publisher) -> list[str]:
    """Return a note if some nights print far fewer people than most: each counts as a full night."""
    people = publisher.counts(sums_by_index(demand.presence_night, demand.presence, demand.n_nights))
    thin = np.flatnonzero(people < _THIN_SHARE * np.median(people))
    if not thin.size:
        return []
    extent = f"{thin.size} of {demand.n_nights} nights of {demand.source} hold less than a tenth of a usual night's people"
    return [f"{extent}, first {demand.nights[int(thin[0])]}; they count as full nights unless left out by date"]


def _check_hour_profile(sources: Sequence[Source], options: ReadOptions) -> None:
    """Reject an hour profile if all trips have times."""
    if options.hour_profile is not None and not any(source.layout.is_untimed for source in sources):
        msg = f"{setting('hour_profile')} is for trips without a time, and those of {sources[0].name} have times; leave it out"
        raise UsageError(msg, setting="hour_profile")


def _check_nights(n_nights: int | None, demands: list[Demand]) -> None:
    """Reject `n_nights` if all records have dates."""
    if n_nights is not None and all(demand.nights != (None,) for demand in demands):
        dated = f"records of {demands[0].n_nights} dated nights"
        msg = f"{setting('n_nights')} is for records without a date, got {n_nights} for {dated}; leave it out"
        raise UsageError(msg, setting="n_nights", value=n_nights)
