"""Trips of a demand by rows of a problem: pairs of hexes in reach of stops, a night and by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.common.units import QUANTA_PER_TRIP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand

    PairTrips = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]
    """Row, column and trips in 1/1024 a night of pairs of hexes, shape (D,) each."""


def trips_of_rows(demand: Demand, row_of: NDArray[np.int32]) -> tuple[PairTrips, int]:
    """
    Trips between hexes in reach.

    Parameters
    ----------
    demand
        Trips a night.
    row_of
        Row of each hex, shape (H,); -1 out of reach.

    Returns
    -------
    PairTrips, int
        Pairs in reach, and all trips, in 1/1024 a night.
    """
    pairs = demand.od()
    trips = np.rint(pairs.trips * QUANTA_PER_TRIP).astype(np.int64)
    rows, columns = row_of[pairs.origin], row_of[pairs.destination]
    inside = (rows >= 0) & (columns >= 0) & (trips > 0)
    return (rows[inside], columns[inside], trips[inside]), int(trips.sum())


def hour_quanta_of(demand: Demand, row_of: NDArray[np.int32], trips: PairTrips, n: int) -> NDArray[np.int32]:
    """
    Trips between hexes in reach by hour, which add up to those of the night.

    Means over nights are rounded hour by hour; running sums over the hours are scaled to the mean of the night.

    Parameters
    ----------
    demand
        Trips by hour.
    row_of
        Row of each hex, shape (H,); -1 out of reach.
    trips
        Of the night, from `trips_of_rows`.
    n
        Rows.

    Returns
    -------
    ndarray of int32
        In 1/1024 a night, shape (n_hours, D).
    """
    key = trips[0] * np.int64(n) + trips[1]
    order = np.argsort(key, kind="stable")
    quanta = np.zeros((len(demand.hours), key.size), np.int64)
    for row, hour in zip(quanta, demand.hours, strict=True):
        pairs = demand.od(hours=[hour])
        rows, columns = row_of[pairs.origin], row_of[pairs.destination]
        at = np.where((rows >= 0) & (columns >= 0), rows * np.int64(n) + columns, -1)
        inside = np.isin(at, key)
        row[order[np.searchsorted(key[order], at[inside])]] = np.rint(pairs.trips[inside] * QUANTA_PER_TRIP).astype(np.int64)
    quanta[quanta.sum(axis=1).argmax(), quanta.sum(axis=0) == 0] = 1
    running = quanta.cumsum(axis=0)
    return read_only(np.diff(running * trips[2] // running[-1], axis=0, prepend=0).astype(np.int32))
