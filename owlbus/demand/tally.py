"""Tally of batches: validate rows, sum trips and people, and drop repeats of a subscriber."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.arrays import read_only_view
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.demand.accumulators import FREE, HOURS, ODTables, PeopleCounter, TripCounter
from owlbus.demand.columns import scaled
from owlbus.demand.distinct import DistinctPairs
from owlbus.demand.table import Demand
from owlbus.demand.zone_shares import Spread, ZoneShares, spread_people, spread_trips
from owlbus.records.fast_csv import TextRows
from owlbus.records.schema import TAXI
from owlbus.records.subscribers import NOBODY, Subscribers
from owlbus.records.validation import MAX_SPEED_KMH, Verdict, hexes_or_reasons, quanta_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.common.units import NightWindow
    from owlbus.demand.row_counts import FileRowCounts
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.kernels.count_blocks import RowPoints
    from owlbus.kernels.count_records import CountWindow, RowHexes, RowMarks, RowTimes
    from owlbus.kernels.hexing import PointTables
    from owlbus.records.positions import Numbers
    from owlbus.records.reading import Batch

_EPOCH = dt.date(1970, 1, 1)
_NONE = np.empty(0, dtype=np.int64)
_NO_HEX = np.empty(0, dtype=np.int32)
_NO_TABLES = (np.zeros(5), np.zeros(30), np.zeros(1, dtype=np.int32), 4)


@dataclass(slots=True)
class Tally:
    """
    Counts of one kind of record by one worker; tallies of workers can be merged.

    Attributes
    ----------
    grid
        Hexes of the study area.
    window
        Service hours to count.
    subscribers
        Mapping of subscriber ids to integers.
    people
        People present.
    trips
        Trips, shared by all threads of a process.
    od_tables
        Dense tables of trips of busy hours, flushed to `trips`.
    distinct
        Distinct presences and trips of subscribers, counted at the end.
    repeats
        Repeated trips and presences of subscribers, shape (2,), int64; complete after the count.
    shares
        Zones that records name, over the hexes; None if they have positions.
    """

    grid: HexGrid
    window: NightWindow
    subscribers: Subscribers = field(default_factory=Subscribers)
    trips: TripCounter = field(default_factory=TripCounter)
    people: PeopleCounter = field(init=False)
    od_tables: ODTables = field(init=False)
    distinct: DistinctPairs = field(default_factory=DistinctPairs)
    repeats: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    shares: ZoneShares | None = None

    def __post_init__(self) -> None:
        """Create empty accumulators."""
        self.people = PeopleCounter(self.n_places, len(self.window.hours))
        self.od_tables = ODTables(self.n_places, len(self.window.hours), self.window.start_hour)

    @property
    def n_places(self) -> int:
        """Number of places that are counted at: hexes, and zones that lie in several."""
        return self.grid.n_hexes if self.shares is None else self.shares.n_places

    def add(
        self,
        batch: Batch,
        row_counts: FileRowCounts,
        duplicates: NDArray[np.uint8] | None = None,
        *,
        needs_verdict: bool = False,
        needs_hexes: bool = False,
    ) -> Verdict | None:
        """
        Validate and count the rows of a batch.

        Parameters
        ----------
        batch
            Rows of one file.
        row_counts
            Receives rows and quanta by rule.
        duplicates
            Rows that repeat an earlier row, shape (n,).
        needs_verdict
            Whether to return the verdict on each row.
        needs_hexes
            Whether the verdict includes night, hour and hexes.

        Returns
        -------
        Verdict or None
            Result of each row, if requested.
        """
        from owlbus.kernels.count_blocks import CountBins, RuleCounts
        from owlbus.kernels.count_records import DONE, NEW_NIGHT, tally_rows

        person = self._persons(batch)
        needs_hexes = needs_hexes or person.size > 0
        verdict = Verdict.of(batch.n_rows if needs_verdict or needs_hexes else 0, batch.n_rows if needs_hexes else 0)
        rules = RuleCounts(np.zeros(256, dtype=np.int64), np.zeros(256, dtype=np.int64), np.full(256, -1))
        arguments = self._arguments(batch, person, duplicates)
        row, state = 0, None
        keys = np.full(batch.n_rows if batch.destination[0].values.size else 0, FREE)
        while state != DONE:
            if state == NEW_NIGHT:
                self.people.add_night(self._night(batch, row))
            self.od_tables.set_slots(self.people.nights.size)
            count_bins = CountBins(self.people.nights, self.people.presence, keys, self.od_tables.table_of, self.od_tables.counts)
            row, state = tally_rows(row, *arguments, count_bins, rules, verdict.columns)
        if not batch.count.size:
            rules = rules._replace(quanta=rules.rows * QUANTA_PER_TRIP)
        if batch.destination[0].values.size:
            self._add_trips(keys, arguments.quanta)
            if not arguments.hexes.here.size:  # rows of known places are never counted in a table
                self.od_tables.allocate(keys, self.people, self.trips)
        if person.size:
            self._add_persons(person, verdict)
        row_counts.add(batch, rules, self.grid)
        return verdict if needs_verdict else None

    def merge(self, other: Tally) -> None:
        """Add the counts of `other`; its distinct pairs are removed."""
        self.od_tables.absorb(other.od_tables, self.people.nights, other.people.nights)
        other.flush()
        self.people.merge(other.people)
        if other.trips is not self.trips:
            self.trips.add(*other.trips.rows())
        for person, key, hour in other.distinct.pairs():
            self.distinct.add(self.subscribers.renumbered(person, other.subscribers), key, hour)
        self.repeats += other.repeats

    def flush(self) -> None:
        """Flush the dense tables, so that people and trips are complete."""
        self.od_tables.flush(self.people, self.trips)

    def counted(self, source: str, n_nights: int | None = None) -> Counted:
        """
        Return the demand of all rows, and clear the tally to free memory.

        Parameters
        ----------
        source
            Name of the source in the demand.
        n_nights
            Nights that records without a date cover; 1 if None, unused for records with dates.

        Returns
        -------
        Counted
            Trips and people by night, and repeats dropped.

        Raises
        ------
        DataError
            If some records have dates and some have none.
        UsageError
            If `n_nights` is below 1.
        """
        self.flush()
        self.od_tables.release()
        self._count_distinct()
        days, nights = _nights(self.people.nights, n_nights)
        divisor = n_nights if n_nights is not None and nights == (None,) else 1
        if self.shares is not None:
            return self._counted_in_zones(source, days, nights, divisor)
        columns: dict[str, Any] = self._trip_columns(days, divisor) | self._presence_columns(days, divisor)
        demand = Demand(self.grid.n_hexes, hours=self.window.hours, nights=nights, source=source, grid=self.grid.fingerprint, **columns)
        return Counted(demand, *self.repeats.tolist())

    def _counted_in_zones(self, source: str, days: NDArray[np.int64], nights: tuple[dt.date | None, ...], divisor: int) -> Counted:
        """Return the demand of rows of which some are in zones, spread over hexes, and what is left out of them."""
        present, trips = self._present(), self._trips()
        columns = {"night": np.searchsorted(days, present.columns[0]), "hour": present.columns[1], "hex": present.columns[2]}
        presence = columns | {"presence": _mean(present.quanta / QUANTA_PER_TRIP, divisor)}
        pairs: dict[str, NDArray[Any]] = dict(zip(("night", "hour", "origin", "destination"), trips.columns, strict=True))
        pairs |= {"night": np.searchsorted(days, pairs["night"]), "trips": _mean(trips.quanta / QUANTA_PER_TRIP, divisor)}
        grid = self.grid
        demand = Demand.from_rows(
            grid.n_hexes, pairs, presence, hours=self.window.hours, nights=nights, source=source, grid=grid.fingerprint
        )
        left_out = (count / QUANTA_PER_TRIP / max(divisor, len(nights)) for count in (trips.n_within, trips.n_outside, present.n_outside))
        return Counted(demand, *self.repeats.tolist(), *left_out)

    def _trip_columns(self, days: NDArray[np.int64], divisor: int) -> dict[str, NDArray[Any]]:
        """Return the columns of trips per night, sorted, and clear the counter; `days` are those of the nights."""
        from owlbus.kernels.sum_by_key import TripColumns, split_keys

        key, quanta = self.trips.rows()
        self.trips.clear()
        trips = _mean(quanta / QUANTA_PER_TRIP, divisor)
        if not (trips > 0).all():
            key, trips = key[trips > 0], trips[trips > 0]
        n = key.size
        index, hexes = (np.empty((2, n), dtype=np.int16), np.empty((2, n), dtype=np.int32))
        columns = TripColumns(index[0], index[1], hexes[0], hexes[1])
        split_keys(key, self.grid.n_hexes, HOURS, days, columns)
        return {**columns._asdict(), "trips": trips}

    def _presence_columns(self, days: NDArray[np.int64], divisor: int) -> dict[str, NDArray[Any]]:
        """Return the columns of people per night, sorted; `days` are those of the nights."""
        night, hour, hexes, people = self.people.people()
        order = np.lexsort((hexes, hour, night))
        presence = _mean(people[order] / QUANTA_PER_TRIP, divisor)
        rows = order[presence > 0]
        columns = {"night": np.searchsorted(days, night[rows]), "hour": hour[rows] + self.window.hours[0], "hex": hexes[rows]}
        return {f"presence_{name}": column for name, column in columns.items()} | {"presence": presence[presence > 0]}

    def rows_by_hex(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return nights, shape (N,), ascending, and rows present, flat by night, hour and hex, int64; those in zones in whole rows."""
        nights = np.sort(self.people.nights)
        night, hour, place, quanta = self.people.people()
        columns = np.searchsorted(nights, night), hour, place
        rows = quanta // QUANTA_PER_TRIP
        spread = Spread(columns, rows) if self.shares is None else spread_people(self.shares, *columns, rows)
        night, hour, hexes = spread.columns
        counts = np.zeros(nights.size * len(self.window.hours) * self.grid.n_hexes, dtype=np.int64)
        np.add.at(counts, (night * len(self.window.hours) + hour) * self.grid.n_hexes + hexes, spread.quanta)
        return nights, counts

    def _present(self) -> Spread:
        """Return people present by night, hour and hex, in quanta."""
        night, hour, place, quanta = self.people.people()
        order = np.lexsort((place, hour, night))
        columns = night[order], hour[order] + self.window.hours[0], place[order]
        return Spread(columns, quanta[order]) if self.shares is None else spread_people(self.shares, *columns, quanta[order])

    def _trips(self) -> Spread:
        """Return trips by night, hour and pair of hexes, in quanta; the counter is emptied."""
        key, quanta = self.trips.rows()
        self.trips.clear()
        begin, destination = np.divmod(key, self.n_places)
        night_hour, origin = np.divmod(begin, self.n_places)
        night, hour = np.divmod(night_hour, HOURS)
        columns = night, hour, origin, destination
        return Spread(columns, quanta) if self.shares is None else spread_trips(self.shares, *columns, quanta)

    def _arguments(self, batch: Batch, person: NDArray[np.int64], duplicates: NDArray[np.uint8] | None) -> _Arguments:
        """Return arguments of `tally_rows` for a batch; all arrays are read-only, so that it compiles once."""
        from owlbus.kernels.count_records import RowHexes, RowMarks, RowTimes
        from owlbus.kernels.hexing import PointTables

        tables, hexes = self.grid.point_tables, self._hexes(batch)
        quanta = quanta_of(batch.count, may_be_zero=not batch.destination[0].values.size) if batch.count.size else _NONE
        is_duplicate = np.empty(0, dtype=np.uint8) if duplicates is None else duplicates
        if is_duplicate.size not in {0, batch.n_rows} or person.size not in {0, batch.n_rows}:
            msg = f"marks of {is_duplicate.size} and persons of {person.size} rows do not fit {batch.n_rows} rows"
            raise ValueError(msg)
        frame, poly, lookup, degree = _NO_TABLES if tables is None else tables
        return _Arguments(
            RowTimes(read_only_view(batch.ticks), read_only_view(batch.end_ticks), batch.per_s, int(batch.is_dated)),
            _points(batch.position),
            _points(batch.destination),
            RowHexes(read_only_view(hexes[0]), read_only_view(hexes[1])),
            read_only_view(quanta),
            RowMarks(read_only_view(person), read_only_view(is_duplicate)),
            PointTables(read_only_view(frame), read_only_view(poly), read_only_view(lookup), int(degree)),
            self._count_window(batch),
        )

    def _count_window(self, batch: Batch) -> CountWindow:
        """Return what rows must keep; a ride between zones is as long as anybody's guess, and may stay within one."""
        from owlbus.kernels.count_records import CountWindow

        in_zones = batch.zones[0].size > 0 or batch.zones[1].size > 0
        max_m_s = math.inf if in_zones else MAX_SPEED_KMH / 3.6
        # A call from the zone of one's home is no trip as far as anybody knows; a ride within a zone is one.
        n_single = self.grid.n_hexes if in_zones and batch.source.layout.kind is TAXI else self.n_places
        return CountWindow(self.window.start_hour, self.window.end_hour, max_m_s, self.n_places, n_single)

    def _hexes(self, batch: Batch) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the places of both ends for zones and for a grid without lookup tables; else empty, and the kernel finds the hexes."""
        here, there = batch.zones
        if self.grid.point_tables is not None and not here.size and not there.size:
            return _NO_HEX, _NO_HEX
        first = self._places(here) if here.size else hexes_or_reasons(self.grid, batch.lon, batch.lat)
        if not batch.destination[0].values.size:
            return first, np.full(batch.n_rows, -3, dtype=np.int32)
        return first, self._places(there) if there.size else hexes_or_reasons(self.grid, batch.to_lon, batch.to_lat)

    def _places(self, zones: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the places of zones."""
        if self.shares is None:
            msg = "a tally of records that name zones needs their shares in hexes"
            raise AssertionError(msg)
        return self.shares.places(zones)

    @staticmethod
    def _night(batch: Batch, row: int) -> int:
        """Return the service date of a row in days since 1970, 0 without a date."""
        second = int(batch.ticks[row]) // batch.per_s
        return (second - _DAY_S // 2) // _DAY_S if second >= 2 * _DAY_S else 0

    def _persons(self, batch: Batch) -> NDArray[np.int64]:
        """Return the subscriber of each row, `NOBODY` if missing; empty if the file has none."""
        if isinstance(batch.frame, TextRows) or "subscriber" not in batch.frame.columns:
            return _NONE
        return self.subscribers.numbers(batch.frame["subscriber"])

    def _add_trips(self, keys: NDArray[np.int64], quanta: NDArray[np.int64]) -> None:
        """Add the trips of a batch that are in no dense table."""
        is_trip = keys != FREE
        n_trips = int(np.count_nonzero(is_trip))
        if n_trips > keys.size // 2:
            self.trips.add(keys, quanta)
        elif n_trips:
            self.trips.add(keys[is_trip], quanta[is_trip] if quanta.size else quanta)

    def _add_persons(self, person: NDArray[np.int64], verdict: Verdict) -> None:
        """Add presences and trips of subscribers to the distinct pairs."""
        n = self.n_places
        rows = np.flatnonzero(~verdict.is_rejected & (person != NOBODY))
        subscriber, night, hour = person[rows], verdict.night[rows].astype(np.int64), verdict.hour[rows].astype(np.int64)
        origin, destination = verdict.here[rows].astype(np.int64), verdict.there[rows].astype(np.int64)
        self.distinct.add(subscriber, ((night * HOURS + hour) * n + origin) * 2, np.zeros(rows.size, dtype=np.int64))
        is_trip = verdict.is_trip[rows]
        self.distinct.add(subscriber[is_trip], ((night * n + origin) * n + destination)[is_trip] * 2 + 1, hour[is_trip])
        self.repeats += is_trip.sum(), rows.size

    def _count_distinct(self) -> None:
        """Count the distinct presences and trips of subscribers."""
        n, first_hour = self.n_places, self.window.start_hour
        for _, key, hour in self.distinct.pairs():
            is_trip = key % 2 == 1
            time, hexes = np.divmod(key[~is_trip] // 2, n)
            self.people.add_people(time // HOURS, time % HOURS - first_hour, hexes, np.full(hexes.size, QUANTA_PER_TRIP))
            night, pair = np.divmod(key[is_trip] // 2, n * n)
            self.trips.add((night * HOURS + hour[is_trip]) * n * n + pair)
            self.repeats -= pair.size, hexes.size


_DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """
    Demand of one source, with the repeats dropped.

    Attributes
    ----------
    demand
        The demand.
    repeats_trip
        Rows that repeat a trip of the subscriber in the night.
    repeats_present
        Rows that repeat a presence of the subscriber in the night, hour and hex.
    within_trips
        Trips a night between zones that are left out, since by shares they begin in the hex they lead to.
    outside_trips, outside_people
        Trips a night, and people a night summed over hours, in those parts of zones that lie outside the grid.
    """

    demand: Demand
    repeats_trip: int
    repeats_present: int
    within_trips: float = 0.0
    outside_trips: float = 0.0
    outside_people: float = 0.0


class _Arguments(NamedTuple):
    """Arguments of `tally_rows` for a batch, in order."""

    times: RowTimes
    origins: RowPoints
    destinations: RowPoints
    hexes: RowHexes
    quanta: NDArray[np.int64]
    marks: RowMarks
    tables: PointTables
    window: CountWindow


def _points(columns: tuple[Numbers, Numbers]) -> RowPoints:
    """Return two columns as arguments of `tally_rows`."""
    from owlbus.kernels.count_blocks import RowPoints

    lon, lat = columns
    return RowPoints(
        read_only_view(lon.values),
        read_only_view(lat.values),
        read_only_view(lon.bits),
        read_only_view(lat.bits),
        read_only_view(np.array([lon.offset, lat.offset])),
    )


def _mean(total: NDArray[Any], n_nights: int) -> NDArray[np.float64]:
    """Return `total` per night, rounded so that the sum stays exact."""
    return total if n_nights == 1 else scaled(total, float(total.sum()) / n_nights)


def _nights(slots: NDArray[np.int64], n_nights: int | None) -> tuple[NDArray[np.int64], tuple[dt.date | None, ...]]:
    """Return the distinct days since 1970, and the night of each."""
    days = np.unique(slots)
    if n_nights is not None and n_nights < 1:
        msg = f"{setting('n_nights')} must be at least 1, got {n_nights}"
        raise UsageError(msg, setting="n_nights", value=n_nights, allowed=(1, math.inf))
    if not days.any():
        return days, (None,)
    if days[0] == 0:
        msg = "some records have dates and some only times of day, so nights cannot be told apart; give all of one source the same form"
        raise DataError(msg)
    return days, tuple(_EPOCH + dt.timedelta(days=int(day)) for day in days)
