"""Partitions of the records: each has its own seed, so partitions can be drawn independently and in any order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S
from owlbus.sample.settings import ERROR_SHARE, HOUR_SHARES, WEEKDAY_FACTORS

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from owlbus.sample.settings import SynthSettings

BLOCK_SUBSCRIBERS = 1 << 17
"""Subscribers per block."""

MAX_ROWS = 1 << 21
"""Most rows of a partition; bounds the memory."""

STREAM_HOMES, STREAM_EVENINGS, STREAM_CALLS, STREAM_TAXI = 1, 2, 3, 4
"""Second element of every seed, so that random streams are independent."""


@dataclass(frozen=True, slots=True)
class Partition:
    """
    Rows that are drawn together.

    Attributes
    ----------
    night
        Index of the service night, from 0.
    date
        Service date.
    block
        Block of subscribers, from 0; always 0 for taxi.
    chunk
        Chunk of the night's rows in the block, from 0.
    rows
        Rows to draw.
    """

    night: int
    date: dt.date
    block: int
    chunk: int
    rows: int


def call_partitions(settings: SynthSettings) -> tuple[Partition, ...]:
    """
    Partition the calls by night, block of subscribers and rows.

    Parameters
    ----------
    settings
        Rows, nights and subscribers.

    Returns
    -------
    tuple of Partition
        Partitions by night; rows sum to `settings.n_calls`.
    """
    blocks = -(-settings.subscribers // BLOCK_SUBSCRIBERS)
    return _split(settings, settings.n_calls, [block_size(settings, block) for block in range(blocks)])


def taxi_partitions(settings: SynthSettings) -> tuple[Partition, ...]:
    """
    Partition the taxi trips by night and rows.

    Parameters
    ----------
    settings
        Rows and nights.

    Returns
    -------
    tuple of Partition
        Partitions by night; rows sum to `settings.n_taxi`.
    """
    return _split(settings, settings.n_taxi, [1])


def block_size(settings: SynthSettings, block: int) -> int:
    """
    Return the number of subscribers of a block.

    Parameters
    ----------
    settings
        Total subscribers.
    block
        Block, from 0.

    Returns
    -------
    int
        `BLOCK_SUBSCRIBERS`, fewer in the last block.
    """
    return min(BLOCK_SUBSCRIBERS, settings.subscribers - block * BLOCK_SUBSCRIBERS)


def draw_times(rng: Generator, rows: int) -> NDArray[np.int64]:
    """
    Draw seconds since midnight by the hourly profile, in ascending order.

    Parameters
    ----------
    rng
        Random generator.
    rows
        Number of times.

    Returns
    -------
    ndarray of int64
        In [0, 18000), shape (rows,).
    """
    hour = np.searchsorted(np.cumsum(HOUR_SHARES)[:-1], rng.random(rows), side="right")
    return np.sort(hour * HOUR_S + rng.integers(HOUR_S, size=rows))


def draw_errors(rng: Generator, rows: int, kinds: int) -> NDArray[np.int64]:
    """
    Draw the rows with errors, and the kind of error.

    Parameters
    ----------
    rng
        Random generator.
    rows
        Number of rows.
    kinds
        Number of kinds of error, each with `ERROR_SHARE` of the rows.

    Returns
    -------
    ndarray of int64
        Kind of each row in [0, kinds), or `kinds` without error, shape (rows,).
    """
    return np.minimum((rng.random(rows) / ERROR_SHARE).astype(np.int64), kinds)


def local_times(date: dt.date, seconds: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """
    Convert seconds of a service night to local times.

    Parameters
    ----------
    date
        Service date: the date of the evening.
    seconds
        Seconds since the midnight after it, shape (n,).

    Returns
    -------
    ndarray of datetime64[ms]
        Local time without a zone, shape (n,).
    """
    midnight = np.datetime64(date + dt.timedelta(days=1), "ms")
    times: NDArray[np.datetime64] = midnight + seconds * np.timedelta64(1000, "ms")
    return times


def _split(settings: SynthSettings, rows: int, sizes: list[int]) -> tuple[Partition, ...]:
    """Distribute rows by night (weekday factors) and block (sizes) by largest remainder, in chunks of at most `MAX_ROWS`."""
    factors = np.array([WEEKDAY_FACTORS[night.weekday()] for night in settings.nights])
    odds = np.multiply.outer(factors, np.array(sizes, dtype=np.float64)).ravel()
    exact = rows * odds / odds.sum()
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: rows - int(counts.sum())]] += 1
    return tuple(
        Partition(night, settings.nights[night], block, chunk, min(MAX_ROWS, count - chunk * MAX_ROWS))
        for (night, block), count in zip(np.ndindex(len(factors), len(sizes)), counts.tolist(), strict=True)
        for chunk in range(-(-count // MAX_ROWS))
    )
