"""What became of every record: rows by rule, the mass balance by file, and the sources of the demand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.records.validation import (
    BY_CODE,
    DESTINATION_SWAPPED,
    REJECT,
    RULES,
    SWAPPED,
    Rule,
    detail,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.demand.blend import Agreement
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.kernels.count_blocks import RuleCounts
    from owlbus.records.reading import Batch
    from owlbus.records.sources import Source

_CODES = 256


@dataclass(frozen=True, slots=True)
class RuleCount:
    """
    How often one rule was broken.

    Attributes
    ----------
    name, sentence, effect, way_out
        As in `owlbus.records.validation.Rule`.
    rows
        Rows that broke it before any other.
    trips
        Trips that these rows stand for.
    rows_share
        Share of all rows, 0 to 1.
    first
        File and row or line of the first one, such as ``taxi.csv line 3``.
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
        Its name, and ``calls`` or ``taxi``.
    rows_in, rows_counted, rows_rejected
        Rows read, counted as presence at least, and rejected.
    rows_trip
        Rows counted that are a trip too.
    trips_in, trips_counted, trips_rejected
        Trips that these rows stand for; an unusable count stands for 0.
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
    What one source came to.

    Attributes
    ----------
    source
        ``calls``, ``taxi`` or ``counts``.
    n_nights
        Service nights.
    trips_per_night, presence_per_night
        Mean trips, and mean presence summed over hours.
    repeats_trip, repeats_present
        Rows that named a trip or a presence of a subscriber again.
    """

    source: str
    n_nights: int
    trips_per_night: float
    presence_per_night: float
    repeats_trip: int
    repeats_present: int


@dataclass(frozen=True, slots=True)
class DemandReport:
    """
    What became of every record.

    Attributes
    ----------
    files
        Mass balance of each file, in the order given.
    rules
        Rules that were broken, rejections first.
    sources
        What calls and taxi came to.
    agreement
        How far they agree; None for one source.
    taxi_weight
        Weight of taxi in the blend; None for one source.
    notes
        What a reader of the demand should know, one sentence each.

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

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain types; it names no subscriber and no position."""
        totals = {name: getattr(self, name) for name in ("rows_in", "rows_counted", "rows_rejected", "rejected_share")}
        return {"schema_version": 1, **totals, **asdict(self)}


@dataclass(slots=True)
class FileRowCounts:
    """
    Rows and trips of one file by the first rule they break.

    Attributes
    ----------
    source
        The file.
    rows, quanta
        By code of the rule, shape (256,), int64; trips in units of 1/1024; code 0 is a trip.
    first
        By code, the first row, its place, and figures that show why.
    rows_read
        Rows read, kept to check the others by.
    """

    source: Source
    rows: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.zeros(_CODES, dtype=np.int64))
    quanta: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.zeros(_CODES, dtype=np.int64))
    first: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    rows_read: int = 0

    @property
    def trips(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Trips by code of the rule, shape (256,)."""
        return self.quanta / QUANTA_PER_TRIP

    def add(self, batch: Batch, rules: RuleCounts, grid: HexGrid) -> None:
        """Enter a batch: its rows, trips in 1/1024 and first row by rule, and `grid` to say how far outside a row lies."""
        self.rows_read += batch.n_rows
        self.rows += rules.rows
        self.quanta += rules.quanta
        for code in np.flatnonzero(rules.rows[1:]) + 1:
            row = batch.first_row + int(rules.first[code])
            if row < self.first.get(int(code), (row + 1,))[0]:
                figures = detail(BY_CODE[int(code)], batch, int(rules.first[code]), grid)
                self.first[int(code)] = row, self.source.place(row), figures

    def merge(self, other: FileRowCounts) -> None:
        """Add what another worker entered for the same file."""
        self.rows_read += other.rows_read
        self.rows += other.rows
        self.quanta += other.quanta
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
        """Return one line on the rows that break `rule`: extent, place and way out."""
        _, location, figures = self.first[rule.code]
        noun = "trips" if self.source.layout.kind.name == "taxi" else "calls"
        figures_text = f" ({figures})" if figures else ""
        way_out = self._swap(rule) if rule in {SWAPPED, DESTINATION_SWAPPED} else rule.way_out
        rows = int(self.rows[rule.code])
        return f"{self.source.name}: {rows} of {self.rows_read} {noun} {rule.sentence}, first on {location}{figures_text}; {way_out}"

    def _swap(self, rule: Rule) -> str:
        """Return how to swap the two columns that `rule` is about."""
        kind, names = self.source.layout.kind, self.source.layout.names
        lon, lat = kind.position if rule is SWAPPED or not kind.destination else kind.destination
        return f"swap them with --map {lon}={names[lat]} --map {lat}={names[lon]}"


def rule_counts(files: list[FileRowCounts]) -> tuple[RuleCount, ...]:
    """
    Rules broken in any file, with the first example.

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
        rows = sum(int(file.rows[rule.code]) for file in files)
        if rows:
            trips = sum(float(file.trips[rule.code]) for file in files)
            file = next(file for file in files if rule.code in file.first)
            _, location, figures = file.first[rule.code]
            first = f"{file.source.name} {location}{f' ({figures})' if figures else ''}"
            counts.append(RuleCount(rule.name, rule.sentence, rule.effect, rule.way_out, rows, trips, rows / n_rows, first))
    return tuple(counts)


def require_usable(file: FileRowCounts, max_rejected_share: float) -> None:
    """
    Refuse a file that holds nothing to count.

    Parameters
    ----------
    file
        The file, read to its end.
    max_rejected_share
        Largest share of rows that may be rejected, 0 to 1.

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
    if not file.rows[0] and not file.source.is_part:
        raise DataError(file.broken(max(by_rule, key=lambda rule: by_rule[rule])))
    rejected = {rule: count for rule, count in by_rule.items() if rule.effect == REJECT}
    if sum(rejected.values()) > max_rejected_share * rows:
        msg = (
            f"{file.broken(max(rejected, key=lambda rule: rejected[rule]))}; in all {sum(rejected.values())} rows are rejected, "
            f"more than --max-rejected {max_rejected_share:g} allows"
        )
        raise DataError(msg)


def require_trips(files: Sequence[FileRowCounts]) -> None:
    """
    Refuse parts of a folder that hold no trip together.

    Parameters
    ----------
    files
        All files, read to their end.

    Raises
    ------
    DataError
        If no row of one kind is a trip.
    """
    for kind in {file.source.layout.kind for file in files}:
        of_kind = [file for file in files if file.source.layout.kind is kind]
        if any(file.rows[0] for file in of_kind):
            continue
        fullest = max(of_kind, key=lambda file: file.rows_read)
        if not fullest.rows_read:
            msg = f"{fullest.source.name}: has no rows, nor has any other of {len(of_kind)} files of {kind.name}; nothing can be counted"
            raise DataError(msg)
        raise DataError(fullest.broken(max(RULES, key=lambda rule: int(fullest.rows[rule.code]))))
