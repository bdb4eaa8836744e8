"""Demand table: trips between hexes and people present, by night and hour."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import UsageError, setting
from owlbus.common.units import NightWindow, hour_label, quantise
from owlbus.demand.columns import (
    Problems,
    blocks,
    scaled,
    sum_by_key,
    sums_by_index,
    trips_column,
    whole_column,
)
from owlbus.demand.od_pairs import ODPairs
from owlbus.demand.service_nights import nights_on_weekdays

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from os import PathLike

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid

SOURCES = ("calls", "taxi", "counts", "blend")
_TRIP_COLUMNS = ("night", "hour", "origin", "destination", "trips")
_PRESENCE_COLUMNS = ("presence_night", "presence_hour", "presence_hex", "presence")
_FIRST_HOUR, _END_HOUR = 12, 36
_MAX_HEXES = 1_000_000


def _no_index() -> NDArray[Any]:
    """Return an empty column."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """
    Trips between hexes and people present in hexes, by night and hour.

    Attributes
    ----------
    n_hexes
        Hexes of the grid, >= 1.
    hours
        Service hours that the demand covers, ascending; 24 is midnight.
    nights
        Service date of each night, ascending, or ``(None,)`` if records have no date.
    night, hour
        Index into `nights`, int16, and service hour, int16, of each row, shape (P,).
    origin, destination
        Hex index of each end, shape (P,), int32, in [0, n_hexes), never equal; rows are unique and sorted by
        (night, hour, origin, destination).
    trips
        Trips in that night and hour, shape (P,), float64, finite, > 0, in multiples of 1/1024.
    presence_night, presence_hour, presence_hex, presence
        The same for people present, shape (Q,); unique and sorted by (night, hour, hex).
    source
        ``calls``, ``taxi``, ``counts`` or ``blend``.
    grid
        Fingerprint of the grid that hex indices refer to, or empty.
    hours_known
        Whether the hours of trips are known; if not, all trips stand in the first hour, and nothing can be said by hour.
    people_counted
        Whether presence is a count of all people by place and hour, rather than of records; its sum over hours is in person-hours.

    Raises
    ------
    DataError
        If a rule above is broken; the message lists all broken rules.

    Examples
    --------
    >>> Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5]).total_trips
    5.5
    >>> Demand(3, origin=[0, 9], destination=[2, 1], trips=[4.0, 1.5])
    Traceback (most recent call last):
    owlbus.common.errors.DataError: origin must lie in [0, 3), got 9 in row 1 (1 such row)
    """

    n_hexes: int
    hours: tuple[int, ...] = NightWindow().hours
    nights: tuple[dt.date | None, ...] = (None,)
    night: NDArray[np.int16] = field(default_factory=_no_index)
    hour: NDArray[np.int16] = field(default_factory=_no_index)
    origin: NDArray[np.int32] = field(default_factory=_no_index)
    destination: NDArray[np.int32] = field(default_factory=_no_index)
    trips: NDArray[np.float64] = field(default_factory=_no_index)
    presence_night: NDArray[np.int16] = field(default_factory=_no_index)
    presence_hour: NDArray[np.int16] = field(default_factory=_no_index)
    presence_hex: NDArray[np.int32] = field(default_factory=_no_index)
    presence: NDArray[np.float64] = field(default_factory=_no_index)
    source: str = "calls"
    grid: str = ""
    hours_known: bool = True
    people_counted: bool = False

    def __post_init__(self) -> None:
        """Copy the arrays and check every rule; one error lists all broken rules."""
        problems = Problems()
        object.__setattr__(self, "hours", tuple(int(hour) for hour in self.hours))
        object.__setattr__(self, "nights", tuple(self.nights))
        _check_scope(self, problems)
        problems.raise_any()
        for names in (_TRIP_COLUMNS, _PRESENCE_COLUMNS):
            _own_columns(self, names, problems)
        problems.raise_any()
        same = self.origin == self.destination
        problems.rows("destination", "must differ from the origin", same, self.destination)
        _check_order(self, _TRIP_COLUMNS, problems)
        _check_order(self, _PRESENCE_COLUMNS, problems)
        problems.raise_any()

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies stay checked and read-only."""
        return Demand, tuple(getattr(self, f.name) for f in fields(self))

    def __repr__(self) -> str:
        """Size and source; counts are in `to_frame`."""
        nights = f"{self.n_nights} night{'s' * (self.n_nights > 1)}"
        return f"Demand({self.n_hexes:,} hexes, {len(self.hours)} hours, {nights} of {self.source})"

    def _repr_html_(self) -> str:
        """Return totals and trips by hour as HTML for notebooks, counts as they are printed by default."""
        return self.to_html()

    def to_html(self, min_count: float = MIN_COUNT) -> str:
        """
        Totals and trips by hour as HTML for notebooks.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples; -1 for open data.

        Returns
        -------
        str
            A part of a page.

        Raises
        ------
        PrivacyError
            If `min_count` protects nobody.
        """
        from owlbus.common import notebook_html

        publisher = Publisher(min_count)
        trips = self.trips_by_hour() if self.hours_known else np.empty(0)
        what = "people, mean over the hours" if self.people_counted else "people a night"
        rows = [
            ("trips a night", publisher.text(self.total_trips) if self.counts_trips else "none counted"),
            (what, publisher.text(self.total_presence)),
            ("nights", f"{self.n_nights}"),
            ("hexes", f"{self.n_hexes:,}"),
            ("source", self.source),
            ("counts", publisher.words),
        ]
        hours = [hour_label(hour) for hour in self.hours][: trips.size]
        texts = list(map(publisher.text, trips.tolist()))
        drawing = notebook_html.bars(hours, publisher.counts(trips).tolist(), texts, name="trips by hour")
        return notebook_html.page("Demand", notebook_html.table(rows), drawing)

    @classmethod
    def from_rows(
        cls,
        n_hexes: int,
        trips: Mapping[str, ArrayLike],
        presence: Mapping[str, ArrayLike] | None = None,
        *,
        hours: tuple[int, ...] = NightWindow().hours,
        nights: tuple[dt.date | None, ...] = (None,),
        source: str = "calls",
        grid: str = "",
        hours_known: bool = True,
        people_counted: bool = False,
    ) -> Demand:
        """
        Build demand from unordered rows; rows of one night, hour and pair are summed.

        Parameters
        ----------
        n_hexes
            Hexes of the grid.
        trips
            Columns ``night``, ``hour``, ``origin``, ``destination`` and ``trips``, each of shape (P,); trips are rounded to
            multiples of 1/1024, and rows of 0 trips are dropped.
        presence
            Columns ``night``, ``hour``, ``hex`` and ``presence``, each of shape (Q,), treated alike.
        hours, nights, source, grid, hours_known, people_counted
            Service hours, nights, source, grid and what is known, as attributes of the class.

        Returns
        -------
        Demand
            The same trips and people, unique and sorted.

        Raises
        ------
        DataError
            If a rule of the class is broken.

        Examples
        --------
        >>> Demand.from_rows(3, dict(night=[0, 0], hour=[24, 24], origin=[0, 0], destination=[2, 2], trips=[1, 2])).trips
        array([3.])
        """
        known: dict[str, Any] = {"hours": hours, "nights": nights, "source": source, "grid": grid}
        known |= {"hours_known": hours_known, "people_counted": people_counted}
        scope = cls(n_hexes, **known)
        columns: dict[str, Any] = {}
        for names, rows in ((_TRIP_COLUMNS, trips), (_PRESENCE_COLUMNS, presence)):
            if rows is not None:
                columns |= _summed(scope, names, rows)
        return cls(n_hexes, **known, **columns)

    @property
    def scope(self) -> dict[str, Any]:
        """Hours, nights, source, grid and what is known, as keyword arguments of the class and of `from_rows`."""
        return {name: getattr(self, name) for name in ("hours", "nights", "source", "grid", "hours_known", "people_counted")}

    @classmethod
    def from_od(
        cls,
        trips: Any,  # noqa: ANN401 - any table
        grid: HexGrid | int | None = None,
        *,
        presence: Any = None,  # noqa: ANN401 - any table
        hours: Iterable[int] | None = None,
        source: str = "counts",
    ) -> Demand:
        """
        Build demand from a table of trips between places, such as an origin-destination matrix.

        Trips within a hex are no trips of a bus: they count as people present alone, as those of records do.

        Parameters
        ----------
        trips
            Table of pandas, polars or pyarrow with ``trips`` (a night) and, for ``origin`` and ``destination``, hex indices, labels of the
            grid or H3 cells (``origin``, ``origin_cell``), or degrees (``origin_lon``, ``origin_lat``). Optional: ``hour``, 0 to 11 after
            midnight, and ``night`` or ``date``, the service date; without dates it is one night.
        grid
            Hexes of the grid, or their number; None for the highest index plus one.
        presence
            Table of people by hex, as for `from_presence`; None takes a person for each trip, at its origin.
        hours
            Service hours that the demand covers; 24 to 28 by default. Without ``hour`` trips stand in the first of them.
        source
            ``calls``, ``taxi``, ``counts`` or ``blend``.

        Returns
        -------
        Demand
            Trips and people, multiples of 1/1024; rows of one night, hour and pair are summed.

        Raises
        ------
        DataError
            If a column is missing, or a row is outside the grid or the hours.
        UsageError
            If it is no table, or places need a grid.

        Examples
        --------
        >>> import pandas as pd
        >>> demand = Demand.from_od(pd.DataFrame({"origin": [0, 2, 2], "destination": [2, 1, 2], "trips": [4, 1.5, 3]}), 3)
        >>> demand.total_trips, demand.presence_by_hex().tolist()
        (5.5, [4.0, 0.0, 4.5])
        """
        from owlbus.demand.demand_frames import demand_from_tables

        return demand_from_tables(cls, trips, presence, grid, hours, source)

    @classmethod
    def from_presence(
        cls,
        presence: Any,  # noqa: ANN401 - any table
        grid: HexGrid | int | None = None,
        *,
        hours: Iterable[int] | None = None,
        source: str = "counts",
    ) -> Demand:
        """
        Build demand without trips from a table of people by place.

        Parameters
        ----------
        presence
            Table of pandas, polars or pyarrow with ``people`` and ``hex`` (index or label), ``cell`` (H3), or ``lon`` and ``lat``, degrees.
            Optional: ``hour`` and ``night`` or ``date``, as for `from_od`. Rows of one night, hour and hex are summed.
        grid
            Hexes of the grid, or their number; None for the highest index plus one.
        hours
            Service hours that the demand covers; 24 to 28 by default. Without ``hour`` people stand in the first of them.
        source
            ``calls``, ``taxi``, ``counts`` or ``blend``.

        Returns
        -------
        Demand
            People, multiples of 1/1024, and no trips.

        Raises
        ------
        DataError
            If a column is missing, or a row is outside the grid or the hours.
        UsageError
            If it is no table, or places need a grid.

        Examples
        --------
        >>> import pandas as pd
        >>> Demand.from_presence(pd.DataFrame({"hex": [0, 2], "people": [4, 1.5]}), 3).presence_by_hex().tolist()
        [4.0, 0.0, 1.5]
        """
        from owlbus.demand.demand_frames import demand_from_tables

        return demand_from_tables(cls, None, presence, grid, hours, source)

    def to_frame(self, what: str = "trips") -> pd.DataFrame:
        """
        Return exact rows of trips, or of people.

        Parameters
        ----------
        what
            ``trips``: one row a night, hour and pair of hexes, with ``origin``, ``destination`` and ``trips``; ``presence``: one row a
            night, hour and hex, with ``hex`` and ``people``.

        Returns
        -------
        DataFrame
            Rows of pandas; ``night`` is the service date, absent for records without dates, and ``hour`` the service hour, 24 for midnight.

        Raises
        ------
        UsageError
            If `what` is neither.

        Examples
        --------
        >>> Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5]).to_frame().to_dict("list")
        {'hour': [24, 24], 'origin': [0, 2], 'destination': [2, 1], 'trips': [4.0, 1.5]}
        """
        from owlbus.demand.demand_frames import demand_to_frame

        return demand_to_frame(self, what)

    def to_geodataframe(self, grid: HexGrid) -> gpd.GeoDataFrame:
        """
        Return one row per hex: exact person-hours, trips that begin and trips that end there, a night, and its polygon.

        Parameters
        ----------
        grid
            Grid of the demand.

        Returns
        -------
        GeoDataFrame
            The columns of `HexGrid.to_geodataframe`, ``person_hours``, ``origin_trips`` and ``destination_trips``, in lon/lat (EPSG:4326).

        Raises
        ------
        DataError
            If the demand lies on another grid.
        """
        from owlbus.demand.demand_frames import demand_to_geodataframe

        return demand_to_geodataframe(self, grid)

    @property
    def n_nights(self) -> int:
        """Number of service nights."""
        return len(self.nights)

    @property
    def total_trips(self) -> float:
        """Trips per service night, the mean over all nights, in multiples of 1/1024."""
        return float(quantise(self.trips.sum() / self.n_nights))

    @property
    def counts_trips(self) -> bool:
        """Whether trips are counted at all; of counts of people alone nothing can be said of trips."""
        return bool(self.trips.size) or not self.people_counted

    @property
    def total_presence(self) -> float:
        """
        People per service night, the mean over all nights, in multiples of 1/1024.

        Where all people were counted by hour it is also the mean over hours; of records it is the sum over hours.
        """
        return float(quantise(self.person_hours / len(self.hours))) if self.people_counted else self.person_hours

    @property
    def person_hours(self) -> float:
        """Person-hours per service night, people present summed over hours: the mean over all nights, in multiples of 1/1024."""
        return float(quantise(self.presence.sum() / self.n_nights))

    @property
    def known_hours(self) -> tuple[int, ...]:
        """Service hours that trips can be told apart by: `hours`, or none if the hours of trips are unknown."""
        return self.hours if self.hours_known else ()

    def od(self, hours: Iterable[int] | None = None, nights: Iterable[int] | None = None) -> ODPairs:
        """
        Return mean trips per service night by pair of hexes, summed over hours.

        The pairs sum to the rounded mean exactly: the running sum is rounded, not each pair.

        Parameters
        ----------
        hours
            Service hours to count; all by default.
        nights
            Indices into `nights` to count; all by default.

        Returns
        -------
        ODPairs
            Pairs with trips, sorted by (origin, destination).

        Raises
        ------
        UsageError
            If an hour or night is not in the demand, or none remains.

        Examples
        --------
        >>> Demand(3, origin=[0, 2], destination=[2, 1], trips=[4.0, 1.5]).od().trips
        array([4. , 1.5])
        """
        chosen = self if hours is None and nights is None else self.slice(hours=hours, nights=nights)
        key, trips = sum_by_key(chosen.origin.astype(np.int64) * self.n_hexes + chosen.destination, chosen.trips)
        trips = scaled(trips, chosen.total_trips)
        key, trips = key[trips > 0], trips[trips > 0]
        return ODPairs((key // self.n_hexes).astype(np.int32), (key % self.n_hexes).astype(np.int32), trips)

    def presence_by_hex(self) -> NDArray[np.float64]:
        """
        Return people present per service night by hex: the sum over hours, or their mean where all people were counted by hour.

        Returns
        -------
        ndarray of float64
            Shape (H,), mean over nights, in multiples of 1/1024; the sum is exactly `total_presence`.
        """
        return scaled(sums_by_index(self.presence_hex, self.presence, self.n_hexes), self.total_presence)

    def people_by_night(self, counted: ArrayLike | None = None) -> NDArray[np.float64]:
        """
        Return people present in each night: the sum over hours, or their mean where all people were counted by hour.

        Parameters
        ----------
        counted
            Share of each row of presence that counts, 0 to 1, or a mask, shape (Q,); all by default.

        Returns
        -------
        ndarray of float64
            Shape (n_nights,).
        """
        presence = self.presence if counted is None else self.presence * np.asarray(counted)
        people = sums_by_index(self.presence_night, presence, self.n_nights)
        return people / len(self.hours) if self.people_counted else people

    def presence_by_hour(self) -> NDArray[np.float64]:
        """
        Return people present per service night by hour and hex.

        Returns
        -------
        ndarray of float64
            Shape (n_hours, H), rows in the order of `hours`, mean over nights, in multiples of 1/1024.

        Raises
        ------
        UsageError
            If presence is that of records whose hours are unknown.
        """
        if not self.people_counted:
            _require_hours(self)
        cell = _hour_index(self, self.presence_hour) * self.n_hexes + self.presence_hex
        sums = sums_by_index(cell, self.presence, len(self.hours) * self.n_hexes)
        return scaled(sums.reshape(len(self.hours), self.n_hexes), self.person_hours)

    def trips_by_hour(self) -> NDArray[np.float64]:
        """
        Return trips per service night by hour.

        Returns
        -------
        ndarray of float64
            Shape (n_hours,), in the order of `hours`, mean over nights, in multiples of 1/1024.

        Raises
        ------
        UsageError
            If the hours of trips are unknown.
        """
        _require_hours(self)
        return scaled(sums_by_index(_hour_index(self, self.hour), self.trips, len(self.hours)), self.total_trips)

    def slice(
        self,
        hours: Iterable[int] | None = None,
        weekdays: Iterable[int | str] | None = None,
        nights: Iterable[int] | None = None,
    ) -> Demand:
        """
        Select hours and nights; means are over the selected nights.

        Parameters
        ----------
        hours
            Service hours to keep; all by default.
        weekdays
            Weekdays of the service date to keep, by index from 0 (``mon``) to 6 (``sun``) or by name; all by default.
        nights
            Indices into `nights` to keep; all by default.

        Returns
        -------
        Demand
            Demand of these `hours` and `nights`.

        Raises
        ------
        UsageError
            If an hour, weekday or night is not in the demand, or none remains.

        Examples
        --------
        >>> Demand(3, origin=[0], destination=[2], trips=[4.0]).slice(hours=[24, 25]).hours
        (24, 25)
        """
        kept_hours = _chosen("hours", hours, self.hours)
        if kept_hours != self.hours:
            _require_hours(self)
        kept_nights = _chosen("nights", nights, tuple(range(self.n_nights)))
        if weekdays is not None:
            kept_nights = nights_on_weekdays(self.nights, kept_nights, weekdays)
        new_index = np.full(self.n_nights, -1, dtype=np.int16)
        new_index[list(kept_nights)] = np.arange(len(kept_nights))
        columns: dict[str, Any] = {}
        for names in (_TRIP_COLUMNS, _PRESENCE_COLUMNS):
            night, hour = (getattr(self, name) for name in names[:2])
            rows = (new_index[night] >= 0) & np.isin(hour, kept_hours)
            columns |= {name: getattr(self, name)[rows] for name in names}
            columns[names[0]] = new_index[columns[names[0]]]
        return replace(self, hours=kept_hours, nights=tuple(self.nights[i] for i in kept_nights), **columns)

    def write(self, path: str | PathLike[str]) -> None:
        """
        Write the demand as Parquet, mode 0600, marked as restricted.

        Parameters
        ----------
        path
            File to write or replace; the same demand gives the same bytes.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from owlbus.demand.parquet import write_demand

        write_demand(self, path)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Demand:
        """
        Read demand that `write` wrote.

        Parameters
        ----------
        path
            Parquet file.

        Returns
        -------
        Demand
            The same demand.

        Raises
        ------
        DataError
            If the file is missing, damaged or not demand.
        """
        from owlbus.demand.parquet import read_demand

        return read_demand(path)


def _check_scope(demand: Demand, problems: Problems) -> None:
    """Add broken rules of hexes, hours, nights and source."""
    if not 1 <= demand.n_hexes < _MAX_HEXES:
        problems.note(f"n_hexes must lie in [1, {_MAX_HEXES}), got {demand.n_hexes}")
    hours, nights = demand.hours, demand.nights
    if not hours or list(hours) != sorted(set(hours)) or not _FIRST_HOUR <= hours[0] <= hours[-1] < _END_HOUR:
        problems.note(f"hours must be ascending service hours in [12, 36), got {hours}")
    dated = [night for night in nights if night is not None]
    if nights != (None,) and (not dated or len(dated) < len(nights) or dated != sorted(set(dated))):
        problems.note(f"nights must be ascending dates or (None,), got {len(nights)} nights of which {len(dated)} have a date")
    if demand.source not in SOURCES:
        problems.note(f"source must be one of {', '.join(SOURCES)}, got {demand.source!r}")


def _own_columns(demand: Demand, names: tuple[str, ...], problems: Problems) -> None:
    """Replace the columns `names` by checked copies; by default hour is the first, night the only one."""
    night, hour, *hexes, value = names
    trips = trips_column(value, getattr(demand, value), problems)
    ranges: dict[str, tuple[type[np.signedinteger[Any]], int, int]] = {}
    ranges |= {night: (np.int16, 0, demand.n_nights), hour: (np.int16, demand.hours[0], demand.hours[-1] + 1)}
    ranges |= dict.fromkeys(hexes, (np.int32, 0, demand.n_hexes))
    for name, (dtype, low, high) in ranges.items():
        n_problems = len(problems.texts)
        values: NDArray[Any] = np.asarray(getattr(demand, name))
        if values.size == 0 and trips.size and (name == hour or (name == night and demand.n_nights == 1)):
            values = np.full(trips.size, low)
        column = whole_column(name, values, dtype, low, high, problems)
        if values.shape[:1] != trips.shape:
            problems.note(f"{name} must have as many rows as {value}, got {values.size} and {trips.size}")
        elif name == hour and len(problems.texts) == n_problems:
            problems.rows(name, "must be one of hours", ~np.isin(column, demand.hours), column)
        object.__setattr__(demand, name, column)
    object.__setattr__(demand, value, trips)


def _check_order(demand: Demand, names: tuple[str, ...], problems: Problems) -> None:
    """Add a broken rule if rows of the columns `names` repeat or are not sorted."""
    night, hour, *hexes, value = (getattr(demand, name) for name in names)
    first, n_wrong, last = 0, 0, -1
    for rows in blocks(value.size):
        key = night[rows].astype(np.int64) * _END_HOUR + hour[rows]
        for column in hexes:
            key = key * demand.n_hexes + column[rows]
        wrong = np.flatnonzero(np.diff(key, prepend=last) <= 0)
        first = rows.start + int(wrong[0]) if wrong.size and not n_wrong else first
        n_wrong, last = n_wrong + wrong.size, key[-1]
    if n_wrong:
        problems.note(
            f"rows of {names[-1]} must be unique and sorted, row {first} is not ({n_wrong} such row{'s' * (n_wrong > 1)}); "
            "Demand.from_rows sorts and adds up"
        )


def _summed(scope: Demand, names: tuple[str, ...], rows: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Return the columns `names` of unordered rows, summed by key and sorted."""
    night, hour, *hexes, value = names
    short = {name: name.removeprefix("presence_") for name in (night, hour, *hexes)} | {value: value}
    arrays = {name: np.asarray(rows[short[name]]) for name in names}
    trips = quantise(arrays[value])
    problems = Problems()
    problems.rows(value, "must be finite and >= 0", ~(np.isfinite(trips) & (trips >= 0)), trips)
    key = np.zeros(trips.size, dtype=np.int64)
    ranges = [scope.n_nights, _END_HOUR, *(scope.n_hexes for _ in hexes)]
    for name, high in zip((night, hour, *hexes), ranges, strict=True):
        column = whole_column(name, arrays[name], np.int32, 0, high, problems)
        problems.raise_any()
        key = key * high + column
    key, trips = sum_by_key(key, trips)
    columns: dict[str, NDArray[Any]] = {value: trips}
    for name, high in zip(reversed((night, hour, *hexes)), reversed(ranges), strict=True):
        key, columns[name] = np.divmod(key, high)
    return columns


def _require_hours(demand: Demand) -> None:
    """Reject questions by hour where the hours of trips are unknown."""
    if not demand.hours_known:
        ways = f"give {setting('hour_profile', 'flat')}, or a table of hour and share"
        msg = f"the hours of trips are unknown, so that nothing can be said by hour; {ways}"
        raise UsageError(msg, setting="hour_profile")


def _hour_index(demand: Demand, hour: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return the position of each hour in `demand.hours`."""
    return np.searchsorted(np.asarray(demand.hours), hour).astype(np.int64)


def _chosen(name: str, wanted: Iterable[int] | None, present: tuple[int, ...]) -> tuple[int, ...]:
    """Return the `wanted` values, ascending; reject values not in `present`."""
    if wanted is None:
        return present
    chosen = sorted({int(item) for item in wanted})
    unknown = [item for item in chosen if item not in present]
    if unknown or not chosen:
        msg = f"{name} must be a choice of {present[0]} to {present[-1]}, got {unknown[0] if unknown else 'none'}"
        raise UsageError(msg, setting=name, value=unknown[0] if unknown else None, allowed=tuple(present))
    return tuple(chosen)
