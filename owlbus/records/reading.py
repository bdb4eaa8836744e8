"""Opened files to batches: columns of numbers, streamed in order with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.records.opening import reading_errors
from owlbus.records.times import NO_TIME, UNDATED_S, check_timezone, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    from owlbus.records.opening import Source

BATCH_ROWS = 131_072


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    Some rows of one file as columns of numbers.

    Attributes
    ----------
    source
        The file.
    first_row
        Row of the file that the batch begins with, from 0.
    frame
        The rows as they were read, under owlbus' names.
    start_s, end_s
        Times as `seconds` reads them, shape (n,), int64, local; `end_s` is empty where records have no end.
    lon, lat, to_lon, to_lat
        Position, and home or drop-off, degrees, shape (n,), float64; NaN is missing.
    count
        Trips that each row stands for, shape (n,), float64.
    """

    source: Source
    first_row: int
    frame: pl.DataFrame
    start_s: NDArray[np.int64]
    end_s: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    to_lon: NDArray[np.float64]
    to_lat: NDArray[np.float64]
    count: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """Rows of the batch."""
        return self.start_s.size


def read_batches(source: Source, timezone: str | None = None) -> Iterator[Batch]:
    """
    Rows of a file in order, in batches.

    Parameters
    ----------
    source
        The file.
    timezone
        Zone that times with a zone are shown in; that of the layout's publisher by default.

    Yields
    ------
    Batch
        At most `BATCH_ROWS` rows; memory does not grow with the file.

    Raises
    ------
    DataError
        If the file is damaged, changes while it is read, or its times need a zone and none is given.
    """
    check_timezone(timezone)
    first_row = source.first_row
    with reading_errors(source.name):
        batches = source.scan().collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
    while True:
        with reading_errors(source.name):
            frame = next(batches, None)
        if frame is None:
            break
        yield _batch(source, first_row, frame, timezone or source.layout.timezone)
        first_row += frame.height
    source.check_unchanged()


def _batch(source: Source, first_row: int, frame: pl.DataFrame, timezone: str | None) -> Batch:
    """Return the columns of `frame` as numbers."""
    kind, end = source.layout.kind, source.layout.end
    start_s = _on_date(source.name, frame, seconds(source.name, frame[kind.start], timezone))
    if end is None:
        end_s = np.empty(0, dtype=np.int64)
    elif end == "duration_s":
        end_s = _after(start_s, _numbers(frame, end))
    else:
        end_s = _on_date(source.name, frame, seconds(source.name, frame[end], timezone))
    places = [_numbers(frame, name) for name in (*kind.position, *kind.goal)]
    count = _numbers(frame, "trips") if "trips" in frame.columns else np.ones(frame.height)
    lon, lat, to_lon, to_lat = places
    return Batch(source, first_row, frame, start_s, end_s, lon, lat, to_lon, to_lat, count)


def _on_date(name: str, frame: pl.DataFrame, time_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times of day on the date that a column of dates gives, missing where that is; a night's 25:10 stays with its evening."""
    if "date" not in frame.columns:
        return time_s
    day_s = seconds(name, _midnights(frame["date"]))
    undated = (time_s >= 0) & (time_s < UNDATED_S)
    return np.where(undated, np.where(day_s >= UNDATED_S, day_s + time_s, NO_TIME), time_s)


def _midnights(dates: pl.Series) -> pl.Series:
    """Return a column of dates, written or typed, as moments."""
    import polars as pl

    if dates.dtype == pl.String:
        dates = dates.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return dates.cast(pl.Date, strict=False).cast(pl.Datetime("us"))


def _after(start_s: NDArray[np.int64], duration_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `start_s` plus a duration in seconds, missing where that is; a negative one ends before it begins."""
    usable = (start_s >= 0) & (np.abs(duration_s) < 1e9)  # noqa: PLR2004 - half a lifetime; NaN is no number below it either
    return np.where(usable, start_s + np.where(usable, duration_s, 0).astype(np.int64), -1)


def _numbers(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column as float64, NaN where it is missing or no number."""
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    return column.cast(pl.Float64, strict=False).to_numpy()
