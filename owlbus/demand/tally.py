"""Verdicts to counts: trips by night, hour and pair of hexes, people by night, hour and hex, repeats of a subscriber left out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from owlbus.demand.columns import scaled, sum_by_key
from owlbus.demand.table import Demand
from owlbus.errors import DataError, UsageError
from owlbus.records.subscribers import NOBODY, Subscribers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.hexgrid import HexGrid
    from owlbus.records.judging import Verdict
    from owlbus.records.reading import Batch

COMPACT_ROWS = 4_000_000
"""Rows that wait before they are added up."""

_HOURS = 36
_EPOCH = dt.date(1970, 1, 1)


@dataclass(slots=True)
class _Sums:
    """Trips by key, added up as they come; memory grows with the distinct keys only."""

    keys: list[NDArray[np.int64]] = field(default_factory=list)
    trips: list[NDArray[np.float64]] = field(default_factory=list)
    waiting: int = 0

    def add(self, key: NDArray[np.int64], trips: NDArray[np.float64]) -> None:
        """Add rows."""
        self.keys.append(key)
        self.trips.append(trips)
        self.waiting += key.size
        if self.waiting > COMPACT_ROWS:
            self.total()

    def total(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return distinct keys, ascending, and the trips of each."""
        if not self.keys:
            return np.empty(0, dtype=np.int64), np.empty(0)
        key, trips = sum_by_key(np.concatenate(self.keys), np.concatenate(self.trips))
        self.keys, self.trips, self.waiting = [key], [trips], 0
        return key, trips


@dataclass(slots=True)
class _Firsts:
    """The earliest hour of each (subscriber, key), exact; memory grows with the distinct pairs."""

    rows: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    waiting: int = 0
    rows_in: int = 0

    def add(self, subscriber: NDArray[np.int64], key: NDArray[np.int64], hour: NDArray[np.int64]) -> None:
        """Add rows."""
        self.rows.append((subscriber, key, hour))
        self.rows_in += key.size
        self.waiting += key.size
        if self.waiting > COMPACT_ROWS:
            self.distinct()

    def distinct(self) -> tuple[NDArray[np.int64], ...]:
        """Return subscriber, key and earliest hour of each distinct pair."""
        if not self.rows:
            return (np.empty(0, dtype=np.int64),) * 3
        subscriber, key, hour = (np.concatenate(column) for column in zip(*self.rows, strict=True))
        order = np.lexsort((hour, subscriber, key))
        subscriber, key, hour = subscriber[order], key[order], hour[order]
        new = np.r_[True, (key[1:] != key[:-1]) | (subscriber[1:] != subscriber[:-1])] if key.size else np.empty(0, dtype=bool)
        self.rows, self.waiting = [(subscriber[new], key[new], hour[new])], 0
        return self.rows[0]


@dataclass(slots=True)
class Tally:
    """
    Counts of one source of records.

    Attributes
    ----------
    grid
        Hexes that rows fall in.
    subscribers
        Numbers of subscriber ids.
    """

    grid: HexGrid
    subscribers: Subscribers = field(default_factory=Subscribers)
    _present: _Sums = field(default_factory=_Sums)
    _trips: _Sums = field(default_factory=_Sums)
    _people: _Firsts = field(default_factory=_Firsts)
    _wishes: _Firsts = field(default_factory=_Firsts)

    def add(self, batch: Batch, verdict: Verdict) -> None:
        """Count the rows of a batch that are not rejected."""
        n = self.grid.n_hexes
        kept = np.flatnonzero(~verdict.is_rejected)
        night, hour = verdict.night[kept].astype(np.int64), verdict.hour[kept].astype(np.int64)
        here, there = verdict.here[kept].astype(np.int64), verdict.there[kept].astype(np.int64)
        count, is_trip, person = verdict.count[kept], verdict.is_trip[kept], self._persons(batch, kept)
        known = person != NOBODY
        once, wish = is_trip & ~known, is_trip & known
        present = (night * _HOURS + hour) * n + here
        self._present.add(present[~known], count[~known])
        self._trips.add(present[once] * n + there[once], count[once])
        self._people.add(person[known], present[known], hour[known])
        self._wishes.add(person[wish], ((night * n + here) * n + there)[wish], hour[wish])

    def demand(self, source: str, hours: tuple[int, ...], n_nights: int | None = None) -> Counted:
        """
        Demand of all rows counted.

        Parameters
        ----------
        source
            Name of the source in the demand.
        hours
            Service hours that it covers.
        n_nights
            Nights that records without a date come from; 1 if None, and unused for records with dates.

        Returns
        -------
        Counted
            Trips and people, nights kept apart where records have dates, and the repeats left out.

        Raises
        ------
        DataError
            If some records have dates and some have none.
        UsageError
            If `n_nights` is below 1.
        """
        n = self.grid.n_hexes
        _, person_key, _ = self._people.distinct()
        _, wish_key, wish_hour = self._wishes.distinct()
        night, pair = np.divmod(wish_key, n * n)
        self._present.add(person_key, np.ones(person_key.size))
        self._trips.add((night * _HOURS + wish_hour) * n * n + pair, np.ones(wish_key.size))
        (present_key, present), (trip_key, trips) = self._present.total(), self._trips.total()
        days, nights = _nights(present_key // (_HOURS * n), n_nights)
        share = n_nights if n_nights is not None and nights == (None,) else 1
        begin, destination = np.divmod(trip_key, n)
        night, hour, origin = _unpacked(begin, n, days)
        trip_columns = {"night": night, "hour": hour, "origin": origin, "destination": destination, "trips": _mean(trips, share)}
        people = dict(zip(("night", "hour", "hex"), _unpacked(present_key, n, days), strict=True)) | {"presence": _mean(present, share)}
        demand = Demand.from_rows(n, trip_columns, people, hours=hours, nights=nights, source=source, grid=self.grid.fingerprint)
        return Counted(demand, self._people.rows_in - person_key.size, self._wishes.rows_in - wish_key.size)

    def _persons(self, batch: Batch, kept: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the subscriber of each kept row."""
        if "subscriber" not in batch.frame.columns:
            return np.full(kept.size, NOBODY)
        return self.subscribers.numbers(batch.frame["subscriber"][kept])


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """
    Demand of one source, and what was merged on the way.

    Attributes
    ----------
    demand
        The demand.
    repeats_present
        Rows left out because the subscriber was already counted in that night, hour and hex.
    repeats_trip
        Rows left out because the subscriber already wished that trip in that night.
    """

    demand: Demand
    repeats_present: int
    repeats_trip: int


def _mean(total: NDArray[np.float64], n_nights: int) -> NDArray[np.float64]:
    """Return `total` per night, with nothing lost to rounding in sum."""
    return total if n_nights == 1 else scaled(total, float(total.sum()) / n_nights)


def _unpacked(key: NDArray[np.int64], n_hexes: int, days: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return night index, hour and hex of keys."""
    time, hexes = np.divmod(key, n_hexes)
    day, hour = np.divmod(time, _HOURS)
    return np.searchsorted(days, day), hour, hexes


def _nights(day: NDArray[np.int64], n_nights: int | None) -> tuple[NDArray[np.int64], tuple[dt.date | None, ...]]:
    """Return the distinct days since 1970, and the night of each."""
    days = np.unique(day)
    if n_nights is not None and n_nights < 1:
        msg = f"n_nights must be at least 1, got {n_nights}"
        raise UsageError(msg)
    if not days.any():
        return days, (None,)
    if days[0] == 0:
        msg = "some records have dates and some only times of day, so nights cannot be told apart; give all of one source the same form"
        raise DataError(msg)
    return days, tuple(_EPOCH + dt.timedelta(days=int(day)) for day in days)
