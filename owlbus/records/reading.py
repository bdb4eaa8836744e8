"""Read record files as batches of numeric columns, in order and with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.units import DAY_S
from owlbus.records.fast_csv import TextRows, is_plain, read_texts
from owlbus.records.file_forms import reading_errors
from owlbus.records.positions import NO_NUMBERS, Numbers, numbers, read_ends
from owlbus.records.times import NO_TIME, TICKS_PER_S, UNDATED_S, day_starts, seconds
from owlbus.records.zone_fit import NO_ZONES, ends_in_zones, points_in_zones, zone_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.sources import Source


BATCH_ROWS = 262_144
"""Rows per batch: large enough to amortise overhead, small enough for the processor cache."""

NO_TICK = np.iinfo(np.int64).min
"""Tick of a missing time."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    Rows of one file as numeric columns.

    Attributes
    ----------
    source
        The file.
    first_row
        File row of the first batch row, from 0.
    frame
        Rows as read, under owlbus' column names.
    ticks, end_ticks
        Times in ticks, shape (n,), int64, `NO_TICK` or negative where missing; `end_ticks` is empty if records have no end.
    per_s
        Ticks per second.
    is_dated
        Whether ticks count from 1970 on the local clock; else they are values of `seconds`.
    position, destination
        Longitude and latitude of each end, degrees; the destination may be empty.
    count
        Trips per row, shape (n,), float64; empty if each row is one trip.
    zones
        Zone of each end where records name zones, shape (n,), int32, `NO_ZONE` where missing and `UNKNOWN_ZONE` where the table lacks
        it; empty for an end with positions. `position` and `destination` are then points in the zones.

    Raises
    ------
    ValueError
        If columns have different lengths: kernels rely on it.
    """

    source: Source
    first_row: int
    frame: pl.DataFrame | TextRows
    ticks: NDArray[np.int64]
    end_ticks: NDArray[np.int64]
    per_s: int
    is_dated: bool
    position: tuple[Numbers, Numbers]
    destination: tuple[Numbers, Numbers]
    count: NDArray[np.float64]
    zones: tuple[NDArray[np.int32], NDArray[np.int32]] = (NO_ZONES, NO_ZONES)

    def __post_init__(self) -> None:
        """Refuse columns that kernels would read past their ends."""
        n = self.ticks.size
        ends = (*self.position, *self.destination)
        sizes = {self.end_ticks.size, self.count.size, *(column.values.size for column in self.destination)} - {0, n}
        bits = all(column.bits.size * 8 >= column.offset + column.values.size for column in ends if column.bits.size)
        pairs = len({column.values.size for column in self.destination}) == 1
        if sizes or not bits or not pairs or any(column.values.size != n for column in self.position):
            msg = f"columns of {n} rows have other lengths"
            raise ValueError(msg)

    @property
    def lon(self) -> NDArray[np.float64]:
        """Longitude, degrees, shape (n,); NaN is missing."""
        return self.position[0].filled()

    @property
    def lat(self) -> NDArray[np.float64]:
        """Latitude, degrees, shape (n,); NaN is missing."""
        return self.position[1].filled()

    @property
    def to_lon(self) -> NDArray[np.float64]:
        """Longitude of the home or drop-off, degrees, shape (n,), or empty; NaN is missing."""
        return self.destination[0].filled()

    @property
    def to_lat(self) -> NDArray[np.float64]:
        """Latitude of the home or drop-off, degrees, shape (n,), or empty; NaN is missing."""
        return self.destination[1].filled()

    @property
    def n_rows(self) -> int:
        """Rows of the batch."""
        return self.ticks.size

    @property
    def start_s(self) -> NDArray[np.int64]:
        """Start of each row in local seconds, shape (n,), negative where missing."""
        return self.ticks // self.per_s

    @property
    def end_s(self) -> NDArray[np.int64]:
        """End of each row in local seconds, shape (n,), or empty."""
        return self.end_ticks // self.per_s


def read_batches(source: Source) -> Iterator[Batch]:
    """
    Yield the rows of a file in order, in batches.

    Parameters
    ----------
    source
        The file.

    Yields
    ------
    Batch
        At most `BATCH_ROWS` rows; memory does not grow with the file.

    Raises
    ------
    DataError
        If the file is damaged, changes while it is read, or its times need a time zone.
    """
    for first_row, frame in read_frames(source):
        yield batch_of(source, first_row, frame)


def read_frames(source: Source) -> Iterator[tuple[int, pl.DataFrame | TextRows]]:
    """
    Yield the unconverted rows of a file in order; `batch_of` converts them in any thread.

    Parameters
    ----------
    source
        The file.

    Yields
    ------
    tuple of int and DataFrame or TextRows
        File row of the first row, from 0, and at most `BATCH_ROWS` rows, or lines of a simple CSV.

    Raises
    ------
    DataError
        If the file is damaged or changes while it is read.
    """
    first_row = source.first_row
    for rows in read_texts(source) if is_plain(source) else (None,):
        if rows is None:
            yield from _polars_frames(replace(source, first_row=first_row))
        else:
            yield first_row, rows
            first_row += rows.n_rows
    source.check_unchanged()


def _polars_frames(source: Source) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows of a file as polars parses them."""
    if source.n_quotes % 2:  # else the rows before the open quote depend on thread timing
        msg = f"{source.name}: one of {source.n_quotes:,} quotes never closes; close it, or double a quote that is text and quote its field"
        raise DataError(msg)
    first_row = source.first_row
    with reading_errors(source.name):
        batches = source.scan().collect_batches(maintain_order=True)
    while True:
        with reading_errors(source.name):
            frame = next(batches, None)
        if frame is None:
            return
        for part in frame.iter_slices(BATCH_ROWS):
            yield first_row, part
            first_row += part.height


def batch_of(source: Source, first_row: int, frame: pl.DataFrame | TextRows) -> Batch:
    """
    Convert rows of a file to numeric columns.

    Parameters
    ----------
    source
        The file.
    first_row
        File row of the first row of `frame`, from 0.
    frame
        The rows.

    Returns
    -------
    Batch
        Times in ticks, positions in degrees.

    Raises
    ------
    DataError
        If times need a time zone.
    """
    if isinstance(frame, TextRows):
        parsed = frame.parsed()
        if parsed is not None:
            no_ends = np.empty(0, dtype=np.int64)
            lon, lat, *ends = (Numbers(column, NO_NUMBERS.bits) for column in parsed[1])
            to_lon, to_lat = ends or (NO_NUMBERS, NO_NUMBERS)
            return Batch(source, first_row, frame, parsed[0], no_ends, 1, True, (lon, lat), (to_lon, to_lat), NO_NUMBERS.values)  # noqa: FBT003
        with reading_errors(source.name):
            frame = frame.frame()
    ticks, end_ticks, per_s, is_dated = _times(source, frame, source.timezone)
    position, destination, zones = places_of_rows(source, frame)
    counted = source.layout.kind.count
    count = numbers(frame, counted).filled() if counted in frame.columns else np.empty(0)
    return Batch(source, first_row, frame, ticks, end_ticks, per_s, is_dated, position, destination, count, zones)


def places_of_rows(
    source: Source, frame: pl.DataFrame
) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers], tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """
    Return where both ends of each row are.

    Parameters
    ----------
    source
        The file.
    frame
        Its rows under owlbus' names.

    Returns
    -------
    position, destination
        Longitude and latitude of each end, degrees; points in zones at an end with zones.
    zones
        Zone of each end, as of `Batch`.
    """
    zones = ends_in_zones(source, frame)
    ends = _ends_with_zones(source, frame, zones) if any(zone_columns(source)) else read_ends(source, frame)
    return *ends, zones


def _ends_with_zones(
    source: Source, frame: pl.DataFrame, zones: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
    """Return longitude and latitude of both ends of each row: a point in its zone at an end with zones, else its position."""
    import polars as pl

    kind, in_zones = source.layout.kind, zone_columns(source)
    # Ends with zones have no columns of positions; what reads the other end may ask for them.
    absent = [names for names, zone in zip((kind.position, kind.destination), in_zones, strict=True) if zone is not None]
    frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for names in absent for name in names)
    ends = zip(in_zones, zones, read_ends(source, frame), strict=True)
    here, there = (points if name is None else points_in_zones(source, zone) for name, zone, points in ends)
    return here, there


def _times(source: Source, frame: pl.DataFrame, timezone: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64], int, bool]:
    """Return start ticks, end ticks, ticks per second, and whether ticks count from 1970."""
    import polars as pl

    start, end = source.layout.kind.start, source.layout.end
    names = [start] if end is None else [start, end]
    types = {(frame[name].dtype, getattr(frame[name].dtype, "time_zone", None)) for name in names}
    no_ends = np.empty(0, dtype=np.int64)
    if "date" not in frame.columns and not source.time_forms and len(types) == 1 and (per_s := _ticks_per_s(frame[start].dtype)):
        columns = [frame[name].to_physical().cast(pl.Int64) for name in names]
        ticks = [(column.fill_null(NO_TICK) if column.null_count() else column).to_numpy() for column in columns]
        return ticks[0], ticks[1] if end else no_ends, per_s, True
    raw_s = seconds(source.name, frame[start], timezone, source.time_forms.get(start))
    start_s = _join_date(source, frame, raw_s)
    if end is None:
        return start_s, no_ends, 1, not ((start_s >= 0) & (start_s < UNDATED_S)).any()
    if end == "duration_s":
        return start_s, _add_duration(start_s, numbers(frame, end).filled()), 1, False
    end_s = seconds(source.name, frame[end], timezone, source.time_forms.get(end))
    past_midnight = (end_s >= 0) & (end_s < UNDATED_S) & (raw_s >= 0) & (raw_s < UNDATED_S) & (raw_s - end_s > DAY_S // 2)
    end_s = np.where(past_midnight & ("date" in frame.columns), end_s + DAY_S, end_s)  # one date stands for both ends
    return start_s, _join_date(source, frame, end_s), 1, False


def _ticks_per_s(dtype: pl.DataType) -> int:
    """Return the ticks per second of timestamps without a zone, 0 for other types."""
    import polars as pl

    return TICKS_PER_S[dtype.time_unit] if isinstance(dtype, pl.Datetime) and dtype.time_zone is None else 0


def _join_date(source: Source, frame: pl.DataFrame, time_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add the column of dates to times of day; missing if the date is. Times such as 25:10 stay on their service date."""
    if "date" not in frame.columns:
        return time_s
    day_s = day_starts(frame["date"], source.time_forms.get("date"))
    undated = (time_s >= 0) & (time_s < UNDATED_S)
    return np.where(undated, np.where(day_s >= UNDATED_S, day_s + time_s, NO_TIME), time_s)


def _add_duration(start_s: NDArray[np.int64], duration_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `start_s` plus a duration in seconds; missing if the duration is."""
    usable = (start_s >= 0) & (np.abs(duration_s) < 1e9)  # noqa: PLR2004 - 32 years; False for NaN
    return np.where(usable, start_s + np.where(usable, duration_s, 0).astype(np.int64), -1)
