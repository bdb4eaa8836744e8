"""Match way-points to stops as a sequence: least network metres plus a price for the distance to each stop."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError, setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network

CANDIDATE_M = 500.0
"""Stops within these metres of a way-point are its candidates."""
SNAP_PRICE = 3.0
"""Metres of ride that a metre between a way-point and its stop costs, dimensionless."""

_MOST_CANDIDATES = 20
_FAR_RIDE_M = 5_000.0
_DIRECTIONS = 2


class Candidates(NamedTuple):
    """
    Stops that a way-point may be matched to, k of them.

    Attributes
    ----------
    stops
        Stop indices, shape (k,).
    metres
        Metres from the way-point to each, shape (k,), ascending.
    """

    stops: NDArray[np.int64]
    metres: NDArray[np.float64]

    @classmethod
    def only(cls, stop: int) -> Candidates:
        """Return one stop at no distance."""
        return cls.at([stop])

    @classmethod
    def at(cls, stops: Sequence[int]) -> Candidates:
        """Return stops at no distance."""
        return cls(np.array(stops, np.int64), np.zeros(len(stops)))


class WaypointMatcher:
    """
    Sequences of stops for rows of way-points on one network.

    The metres of a link are the mean of both directions, since a route runs both ways over the same stops.

    Parameters
    ----------
    network
        The network.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        n = network.n_stops
        start = np.repeat(np.arange(n, dtype=np.int64), np.diff(network.link_indptr))
        key = start * n + network.link_to
        back = np.searchsorted(key, network.link_to * np.int64(n) + start)
        self._both_m = (network.link_m.astype(np.int64) + network.link_m[back]).astype(np.int32)
        self._indices = np.concatenate([network.link_to, np.zeros(_MOST_CANDIDATES, np.int32)]).astype(np.int32)
        self._data = np.concatenate([self._both_m, np.zeros(_MOST_CANDIDATES)]).astype(np.float64)
        self._indptr = np.concatenate([network.link_indptr, [0]]).astype(np.int32)
        from scipy.spatial import cKDTree

        self._x, self._y = network.grid.project(network.stop_lon, network.stop_lat)
        self._tree = cKDTree(np.stack([self._x, self._y], axis=1))

    def stops_near(self, points_m: NDArray[np.float64], n_most: int, radius_m: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """
        Stops around points, nearest first.

        Parameters
        ----------
        points_m
            Projected metres of the grid, shape (n, 2), finite.
        n_most
            Largest number of stops a point.
        radius_m
            Largest distance in metres, boundary included.

        Returns
        -------
        tuple of ndarray
            Metres, float64, infinite past the last stop, and stop indices, int64; each of shape (n, n_most).
        """
        metres, stop = self._tree.query(points_m, k=np.arange(1, n_most + 1), distance_upper_bound=np.nextafter(radius_m, np.inf))
        return metres, stop

    def candidates(
        self, name: str, points: NDArray[np.float64], numbers: NDArray[np.int64], max_snap_m: float, radius_m: float = CANDIDATE_M
    ) -> list[Candidates]:
        """
        Stops that each way-point of a route may be matched to.

        Parameters
        ----------
        name
            Name of the route, for messages.
        points
            lon/lat degrees, shape (n, 2).
        numbers
            Number of each way-point in the file, from 1, for messages; shape (n,).
        max_snap_m
            Largest distance in metres from a way-point to its stop, boundary included.
        radius_m
            Distance in metres within which stops are candidates.

        Returns
        -------
        list of Candidates
            The nearest stops within `radius_m`, or the nearest one; of each way-point.

        Raises
        ------
        DataError
            If a way-point lies too far from every stop.
        """
        network = self.network
        nearest, metres = network.nearest_stops(points[:, 0], points[:, 1])
        far = np.flatnonzero(~(np.asarray(metres) <= max_snap_m))
        if far.size:
            lon, lat = points[far[0]]
            msg = (
                f"route {name!r}: way-point {numbers[far[0]]} ({lon:.5f}, {lat:.5f}) lies {metres[far[0]]:.0f} m from the nearest stop, "
                f"allowed are {max_snap_m:g} m ({far.size} of {len(points)} way-points); put longitude first, or allow more "
                f"({setting('max_snap_m')})"
            )
            raise DataError(msg, setting="max_snap_m", value=max_snap_m)
        at = np.stack([np.asarray(side) for side in network.grid.project(points[:, 0], points[:, 1])], axis=1)
        count = min(_MOST_CANDIDATES, network.n_stops)
        away, stops = self.stops_near(at, count, min(radius_m, max_snap_m))
        found = []
        for row in range(len(points)):
            use = np.isfinite(away[row])
            if not use.any():
                found.append(Candidates(np.array([nearest[row]], np.int64), np.array([metres[row]])))
                continue
            order = np.lexsort((stops[row][use], np.round(away[row][use], 6)))
            found.append(Candidates(stops[row][use][order].astype(np.int64), away[row][use][order]))
        return found

    def match(self, name: str, points: NDArray[np.float64], layers: Sequence[Candidates]) -> list[int]:
        """
        One stop of each way-point, so that metres between them plus three times the metres to them are least.

        Parameters
        ----------
        name
            Name of the route, for messages.
        points
            Way-points, lon/lat degrees, shape (n, 2).
        layers
            Candidates of each way-point, n of them.

        Returns
        -------
        list of int
            Stop of each way-point; ties go to the nearer stop, then to the lower one.

        Raises
        ------
        DataError
            If no path joins two way-points.
        """
        x, y = self.network.grid.project(points[:, 0], points[:, 1])
        price = _DIRECTIONS * SNAP_PRICE
        cost = price * layers[0].metres
        origins: list[NDArray[np.int64]] = []
        for number, (before, after) in enumerate(pairwise(layers)):
            straight_m = float(np.hypot(x[number + 1] - x[number], y[number + 1] - y[number]))
            reached, origin = self._step(before.stops, cost, after.stops, straight_m)
            if not np.isfinite(reached).any():
                ends = f"from stop {before.stops[0]} to stop {after.stops[0]}"
                msg = f"route {name!r}: no way leads {ends}; both must lie in one connected network"
                raise DataError(msg)
            cost = reached + price * after.metres
            origins.append(origin)
        at = int(np.argmin(cost))
        chosen = [int(layers[-1].stops[at])]
        for layer, origin in zip(reversed(layers[:-1]), reversed(origins), strict=True):
            at = int(origin[at])
            chosen.append(int(layer.stops[at]))
        return chosen[::-1]

    def _step(
        self, stops: NDArray[np.int64], cost: NDArray[np.float64], targets: NDArray[np.int64], straight_m: float
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return least costs at the next way-point's candidates, and the row of the candidate that each comes from."""
        least = float(cost.min())
        usable = np.flatnonzero(np.isfinite(cost))
        spread = float(cost[usable].max()) - least
        limit = spread + _DIRECTIONS * (4 * straight_m + _FAR_RIDE_M)
        for most in (limit, np.inf):
            metres, previous = self._search(stops[usable], cost[usable] - least, most)
            if np.isfinite(metres[targets]).any():
                break
        row = {int(stops[k]): int(k) for k in usable[::-1]}
        origin = np.zeros(targets.size, np.int64)
        for k in np.flatnonzero(np.isfinite(metres[targets])).tolist():
            stop = int(targets[k])
            while previous[stop] != self.network.n_stops:
                stop = int(previous[stop])
            origin[k] = row[stop]
        return metres[targets] + least, origin

    def _search(self, stops: NDArray[np.int64], cost: NDArray[np.float64], limit: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return costs of all stops within `limit`, from `stops` at their costs, and the stop before each on its path."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import dijkstra

        n, m, k = self.network.n_stops, self.network.n_links, stops.size
        self._indices[m : m + k] = stops
        self._data[m : m + k] = cost + 1  # scipy takes an edge of weight 0 for none
        self._indptr[n + 1] = m + k
        graph = csr_matrix((self._data[: m + k], self._indices[: m + k], self._indptr), shape=(n + 1, n + 1))
        metres, previous = dijkstra(graph, indices=n, return_predecessors=True, limit=limit + 1)
        return metres - 1, previous

    def path(self, start: int, end: int) -> list[int]:
        """
        Stops of the path with the fewest metres of both directions; ties go to the direct link, then to the lowest next stop.

        Parameters
        ----------
        start, end
            Stop indices.

        Returns
        -------
        list of int
            From `start` to `end`, both included; empty if there is no path.
        """
        from owlbus.kernels.paths import walk_down

        network = self.network
        if start == end:
            return [start]
        straight_m = float(np.hypot(self._x[start] - self._x[end], self._y[start] - self._y[end]))
        for limit in (_DIRECTIONS * (4 * straight_m + _FAR_RIDE_M), np.inf):
            metres, _ = self._search(np.array([end]), np.zeros(1), limit)
            if np.isfinite(metres[start]):
                break
        else:
            return []
        left = np.where(np.isfinite(metres[:-1]), metres[:-1], 2**30).astype(np.int32)
        row = self.link_row(start, end)
        if row is not None and self._both_m[row] == left[start]:
            return [start, end]
        found: list[int] = walk_down(network.link_indptr, network.link_to, self._both_m, left, start, end).tolist()
        return found

    def link_row(self, start: int, end: int) -> int | None:
        """
        Row of a link.

        Parameters
        ----------
        start, end
            Stop indices.

        Returns
        -------
        int or None
            Row in `Network.link_to`; None if no link leads there.
        """
        network = self.network
        low, high = int(network.link_indptr[start]), int(network.link_indptr[start + 1])
        row = low + int(np.searchsorted(network.link_to[low:high], end))
        return row if row < high and network.link_to[row] == end else None
