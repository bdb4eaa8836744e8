"""Row counts of records: by validation rule, by file (mass balance) and by source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import Publisher
from owlbus.common.errors import DataError, Words, say, setting
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.records.clock_range import ClockRange, clock_range, joined_clocks
from owlbus.records.validation import (
    BY_CODE,
    DESTINATION_SWAPPED,
    NO_DESTINATION,
    REJECT,
    RULES,
    SAME_HEX,
    SWAPPED,
    Rule,
    detail,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from owlbus.demand.blend import Agreement
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.kernels.count_blocks import RuleCounts
    from owlbus.records.reading import Batch
    from owlbus.records.sources import Source

_CODES = 256
_GOAL_ROWS = 4096


@dataclass(frozen=True, slots=True)
class RuleCount:
    """
    Rows that break one rule.

    Attributes
    ----------
    name, sentence, effect, way_out
        As in `owlbus.records.validation.Rule`, settings by the names of their Python arguments.
    rows
        Rows whose first broken rule it is.
    trips
        Trips of these rows.
    rows_share
        Share of all rows, 0 to 1.
    first
        File and row or line of the first row, such as ``taxi.csv line 3``.
    """

    name: str
    sentence: str
    effect: str
    way_out: str
    rows: int
    trips: float
    rows_share: float
    first: str


@dataclass(frozen=True, slots=True)
class FileCount:
    """
    Mass balance of one file: ``rows_in == rows_counted + rows_rejected``, and the same for trips.

    Attributes
    ----------
    file, kind
        File name, and ``calls``, ``taxi`` or ``presence``.
    rows_in, rows_counted, rows_rejected
        Rows read, counted as presence at least, and rejected.
    rows_trip
        Counted rows that are also a trip.
    trips_in, trips_counted, trips_rejected
        Trips of these rows, people of ``presence``; an invalid count is 0.
    """

    file: str
    kind: str
    rows_in: int
    rows_counted: int
    rows_rejected: int
    rows_trip: int
    trips_in: float
    trips_counted: float
    trips_rejected: float


@dataclass(frozen=True, slots=True)
class SourceCount:
    """
    Totals of one source.

    Attributes
    ----------
    source
        ``calls``, ``taxi``, ``counts`` or ``presence``.
    n_nights
        Service nights.
    trips_per_night, presence_per_night
        Mean trips, None if none were counted, and mean people: of records the sum over hours, of ``presence`` the mean.
    repeats_trip, repeats_present
        Rows that repeat a trip or a presence of a subscriber.
    """

    source: str
    n_nights: int
    trips_per_night: float | None
    presence_per_night: float
    repeats_trip: int
    repeats_present: int


@dataclass(frozen=True, slots=True)
class DemandReport:
    """
    Report on every record.

    Attributes
    ----------
    files
        Mass balance of each file, in input order.
    rules
        Broken rules, rejections first.
    sources
        Totals of calls and taxi.
    agreement
        Agreement of both; None for one source.
    taxi_weight
        Share of taxi in the blend, 0 to 1; None for one source.
    notes
        Notes on assumptions, one sentence each.

    Examples
    --------
    >>> from owlbus import sample_city, sample_grid
    >>> from owlbus.demand import estimate_demand
    >>> city = sample_city("seoul")
    >>> demand, report = estimate_demand(city.calls_path.with_name("calls_few.csv"), sample_grid(city))
    >>> report.rows_in == report.rows_counted + report.rows_rejected
    True
    """

    files: tuple[FileCount, ...]
    rules: tuple[RuleCount, ...]
    sources: tuple[SourceCount, ...]
    agreement: Agreement | None = None
    taxi_weight: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows_in(self) -> int:
        """Rows read."""
        return sum(file.rows_in for file in self.files)

    @property
    def rows_counted(self) -> int:
        """Rows counted as presence at least."""
        return sum(file.rows_counted for file in self.files)

    @property
    def rows_rejected(self) -> int:
        """Rows rejected."""
        return sum(file.rows_rejected for file in self.files)

    @property
    def rejected_share(self) -> float:
        """Share of rows rejected, 0 to 1."""
        return self.rows_rejected / max(self.rows_in, 1)

    def record_weight(self, publisher: Publisher) -> float:
        """
        Most trips or people a night that one record counts as in a blend, as far as printed counts tell: many, for few rides to many calls.

        Parameters
        ----------
        publisher
            The publishing rule; the weight itself is published, so that it is made of printed counts.

        Returns
        -------
        float
            1 or more.
        """
        if self.taxi_weight is None:
            return 1.0
        calls, taxi = self.sources[0], self.sources[1]
        pairs = [(calls.presence_per_night, taxi.presence_per_night)]
        if calls.trips_per_night is not None and taxi.trips_per_night is not None:
            pairs.append((calls.trips_per_night, taxi.trips_per_night))
        ratios = [publisher.at_most(many) / max(1.0, publisher.count(few)) for many, few in pairs]
        return max(1.0, self.taxi_weight * max(ratios))

    def printed_rows(self, publisher: Publisher) -> int:
        """
        Rows read as they are printed: those that count are rounded, those rejected are exact.

        Parameters
        ----------
        publisher
            The publishing rule.

        Returns
        -------
        int
            Rows.
        """
        return int(publisher.count(self.rows_counted)) + self.rows_rejected

    def to_json(self, publisher: Publisher | None = None) -> dict[str, Any]:
        """
        Return the report as plain types, without subscribers and positions, its counts as they are printed.

        Parameters
        ----------
        publisher
            The publishing rule; its defaults if None.

        Returns
        -------
        dict
            Rows read are the printed rows counted and the exact rows rejected; trips likewise, both rounded.
        """
        from owlbus.demand.printed_report import printed_report

        return printed_report(self, publisher or Publisher())


@dataclass(slots=True)
class FileRowCounts:
    """
    Rows and trips of one file by first broken rule.

    Attributes
    ----------
    source
        The file.
    rows, quanta
        By rule code, shape (256,), int64; trips in quanta of 1/1024; code 0 is a trip.
    first
        By code: first row, its location, and the values that break the rule.
    rows_read
        Rows read, to check the mass balance.
    clock
        Number of dated rows, and their first and last second of the day if these are in one hour; None for no dated row.
    are_goals_swapped
        Whether homes or drop-offs too lie in the study area only with lon and lat swapped, in a batch with such positions.
    """

    source: Source
    rows: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.zeros(_CODES, dtype=np.int64))
    quanta: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.zeros(_CODES, dtype=np.int64))
    first: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    rows_read: int = 0
    clock: ClockRange | None = None
    are_goals_swapped: bool = False

    @property
    def is_of_people(self) -> bool:
        """Whether rows are people at places, who make no trips."""
        return not self.source.layout.kind.destination

    @property
    def n_used(self) -> int:
        """Rows that are trips; of people at places, rows that count; of calls with estimated homes those too that begin at home."""
        if self.is_of_people:
            return int(self.rows[NO_DESTINATION.code])
        at_home = self.rows[SAME_HEX.code] if self.source.homes is not None else 0
        return int(self.rows[0] + at_home)

    @property
    def trips(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Trips by code of the rule, shape (256,)."""
        return self.quanta / QUANTA_PER_TRIP

    def add(self, batch: Batch, rules: RuleCounts, grid: HexGrid) -> None:
        """Add the counts `rules` of a batch; `grid` gives distances of rows outside."""
        self.rows_read += batch.n_rows
        self.rows += rules.rows
        self.quanta += rules.quanta
        self.clock = joined_clocks(self.clock, clock_range(batch))
        if rules.rows[SWAPPED.code] and not self.are_goals_swapped:
            self.are_goals_swapped = _are_goals_swapped(batch, grid)
        for code in np.flatnonzero(rules.rows[1:]) + 1:
            row = batch.first_row + int(rules.first[code])
            if row < self.first.get(int(code), (row + 1,))[0]:
                figures = detail(BY_CODE[int(code)], batch, int(rules.first[code]), grid)
                self.first[int(code)] = row, self.source.place(row), figures

    def merge(self, other: FileRowCounts) -> None:
        """Add the counts of another worker for the same file."""
        self.rows_read += other.rows_read
        self.rows += other.rows
        self.quanta += other.quanta
        self.clock = joined_clocks(self.clock, other.clock)
        self.are_goals_swapped |= other.are_goals_swapped
        for code, example in other.first.items():
            self.first[code] = min(self.first.get(code, example), example)

    def counted(self) -> FileCount:
        """
        Return the mass balance.

        Returns
        -------
        FileCount
            Rows and trips read, counted and rejected.

        Raises
        ------
        AssertionError
            If a row is neither counted nor rejected.
        """
        rejecting = [rule.code for rule in RULES if rule.effect == REJECT]
        counting = [0, *(rule.code for rule in RULES if rule.effect != REJECT)]
        rejected, counted = int(self.rows[rejecting].sum()), int(self.rows[counting].sum())
        if self.rows_read != rejected + counted:
            msg = f"{self.source.name}: {self.rows_read} rows read but {counted} counted and {rejected} rejected"
            raise AssertionError(msg)
        return FileCount(
            self.source.name,
            self.source.layout.kind.name,
            self.rows_read,
            counted,
            rejected,
            int(self.rows[0]),
            float(self.trips.sum()),
            float(self.trips[counting].sum()),
            float(self.trips[rejecting].sum()),
        )

    def broken(self, rule: Rule) -> str:
        """Return a message on the rows that break `rule`: extent, location and remedy."""
        _, location, figures = self.first[rule.code]
        noun = {"taxi": "trips", "presence": "counts"}.get(self.source.layout.kind.name, "calls")
        figures_text = f" ({figures})" if figures else ""
        way_out = self._swap(rule) if rule in {SWAPPED, DESTINATION_SWAPPED} else rule.way_out
        rows = int(self.rows[rule.code])
        return f"{self.source.name}: {rows} of {self.rows_read} {noun} {rule.sentence}, first on {location}{figures_text}; {way_out}"

    def _swap(self, rule: Rule) -> str:
        """Return the remedy that swaps the two columns of `rule`."""
        kind, names = self.source.layout.kind, self.source.layout.names
        pairs = [kind.position if rule is SWAPPED or not kind.destination else kind.destination]
        if not {*pairs[0]} <= names.keys():
            return "write longitude before latitude in that column"
        if rule is SWAPPED and self.are_goals_swapped and {*kind.destination} <= names.keys():
            pairs += [kind.destination] if kind.destination else []
        swap = {name: names[other] for lon, lat in pairs for name, other in ((lon, lat), (lat, lon))}
        return f"swap them with {setting('columns', swap)}"


def _are_goals_swapped(batch: Batch, grid: HexGrid) -> bool:
    """Return whether most homes or drop-offs among the first rows of a batch lie in the grid only with lon and lat swapped."""
    lon, lat = batch.to_lon[:_GOAL_ROWS], batch.to_lat[:_GOAL_ROWS]
    if not lon.size:
        return False
    is_swapped = (np.asarray(grid.lonlat_to_hex(lat, lon)) >= 0) & (np.asarray(grid.lonlat_to_hex(lon, lat)) < 0)
    return bool(2 * np.count_nonzero(is_swapped) > lon.size)


def rule_counts(files: Sequence[FileRowCounts]) -> tuple[RuleCount, ...]:
    """
    Return the rules broken in any file, with the first example.

    Parameters
    ----------
    files
        All files, in order.

    Returns
    -------
    tuple of RuleCount
        In the order of the rules.
    """
    n_rows = max(sum(file.rows_read for file in files), 1)
    counts = []
    for rule in RULES:
        broken = [file for file in files if file.rows[rule.code] and not (rule is NO_DESTINATION and file.is_of_people)]
        rows = sum(int(file.rows[rule.code]) for file in broken)
        if rows:
            trips = sum(float(file.trips[rule.code]) for file in broken)
            file = broken[0]
            _, location, figures = file.first[rule.code]
            first = f"{file.source.name} {location}{f' ({figures})' if figures else ''}"
            way_out = say(rule.way_out, Words())
            counts.append(RuleCount(rule.name, rule.sentence, rule.effect, way_out, rows, trips, rows / n_rows, first))
    return tuple(counts)


def report_rows(files: Sequence[FileRowCounts], sources: Iterable[SourceCount] = (), notes: Iterable[str] = ()) -> DemandReport:
    """
    Return the report on completely counted files.

    Parameters
    ----------
    files
        All files, in order.
    sources
        Totals of calls and taxi.
    notes
        Notes on assumptions, one sentence each.

    Returns
    -------
    DemandReport
        Mass balance in rows and trips, by file and rule.
    """
    return DemandReport(tuple(file.counted() for file in files), rule_counts(files), tuple(sources), notes=tuple(notes))


def require_usable(file: FileRowCounts, max_rejected_share: float) -> None:
    """
    Reject a file without usable rows.

    Parameters
    ----------
    file
        Counts of the complete file.
    max_rejected_share
        Largest allowed share of rejected rows, 0 to 1.

    Raises
    ------
    DataError
        If the file has no rows, most look swapped, no row is a trip, or too many are rejected; a part of many may have no rows or trips.
    """
    name, rows = file.source.name, file.rows_read
    if rows == 0 and file.source.is_part:
        return
    if rows == 0:
        msg = f"{name}: has a header but no rows; nothing can be counted"
        raise DataError(msg)
    by_rule = {rule: int(file.rows[rule.code]) for rule in RULES if file.rows[rule.code]}
    swapped = [rule for rule in (SWAPPED, DESTINATION_SWAPPED) if by_rule.get(rule, 0) > rows / 2]
    if swapped:
        raise DataError(file.broken(swapped[0]))
    if not file.n_used and not file.source.is_part:
        raise DataError(file.broken(max(by_rule, key=lambda rule: by_rule[rule])))
    rejected = {rule: count for rule, count in by_rule.items() if rule.effect == REJECT}
    if sum(rejected.values()) > max_rejected_share * rows:
        msg = (
            f"{file.broken(max(rejected, key=lambda rule: rejected[rule]))}; in all {sum(rejected.values())} rows are rejected, "
            f"more than {setting('max_rejected_share', max_rejected_share)} allows"
        )
        raise DataError(msg, setting="max_rejected_share", value=max_rejected_share)


def require_trips(files: Sequence[FileRowCounts]) -> None:
    """
    Reject files of one kind that have no trip together.

    Parameters
    ----------
    files
        Counts of all complete files.

    Raises
    ------
    DataError
        If no row of one kind is a trip.
    """
    for kind in {file.source.layout.kind for file in files}:
        of_kind = [file for file in files if file.source.layout.kind is kind]
        if any(file.n_used for file in of_kind):
            continue
        fullest = max(of_kind, key=lambda file: file.rows_read)
        if not fullest.rows_read:
            msg = f"{fullest.source.name}: has no rows, nor has any other of {len(of_kind)} files of {kind.name}; nothing can be counted"
            raise DataError(msg)
        raise DataError(fullest.broken(max(RULES, key=lambda rule: int(fullest.rows[rule.code]))))
