"""Match the stops of a feed to those of a network, as the sequences in which its runs serve them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.gtfs.patterns import FAR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.network.gtfs_tables import Feed

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

CANDIDATE_M = 350.0
"""Stops of a network within these metres of a stop of the feed may stand for it, and the nearest one in any case."""

_MOST = 5
_MOVED = 3.0
"""Metres on the network that one metre between a stop of the feed and its stop of the network may save."""

_UNLINKED_M = 10_000.0
"""Metres that two stops in a row without a link count in a network of the feed's own stops, where those of a line are linked."""


class Candidates(NamedTuple):
    """
    Stops of a network that may stand for one stop of a feed.

    Attributes
    ----------
    stops
        Stop indices, shape (k,); none if all are too far.
    metres
        Straight metres to each, shape (k,).
    """

    stops: Ints
    metres: Floats


class StopMatcher:
    """
    Stops of a network for the stops of a feed.

    A sequence of stops is matched so that the metres on the network between its stops, plus three times the metres from each stop to its
    match, are fewest. On a network of the feed's own stops, the match is the nearest one with links along the line: so a stop goes to the
    place that its line serves, and not to a nearer one of another line.

    Parameters
    ----------
    feed
        The feed.
    network
        The network.
    max_snap_m
        Largest distance in metres from a stop to its match.

    Attributes
    ----------
    n_far, n_used
        Stops farther than that from every stop of the network, and all stops in use.
    """

    def __init__(self, feed: Feed, network: Network, max_snap_m: float) -> None:
        """Find the candidates of each stop in use."""
        used = feed.stops.filter(feed.stops["stop_id"].is_in(feed.stop_times["stop_id"].implode()))
        lon, lat = used["lon"].to_numpy(), used["lat"].to_numpy()
        nearest, metres = network.nearest_stops(lon, lat)
        self._network = network
        none = Candidates(np.empty(0, np.int64), np.empty(0))
        near = [
            each if metre <= max_snap_m else none for each, metre in zip(_near(network, lon, lat, nearest, metres), metres, strict=True)
        ]
        self._of = dict(zip(used["stop_id"].to_list(), near, strict=True))
        self.n_used, self.n_far = len(self._of), sum(not each.stops.size for each in near)
        self._is_own = network.source == "gtfs" and set(zip(network.stop_lon.tolist(), network.stop_lat.tolist(), strict=True)) <= set(
            zip(feed.stops["lon"].to_list(), feed.stops["lat"].to_list(), strict=True)
        )
        self._costs: dict[tuple[str, str], Floats] = {}
        if self.n_used and self.n_far == self.n_used:
            msg = (
                f"stop {used['stop_id'][0]!r} lies {metres[0]:.0f} m from the nearest stop of the network, allowed are {max_snap_m:g} m "
                f"({self.n_used} of {self.n_used} stops); use the network that the feed was made for"
            )
            raise DataError(msg)

    def match(self, sequences: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Ints]:
        """
        Stops of the network for each of some sequences of stop ids.

        Parameters
        ----------
        sequences
            Stop ids in the order of service.

        Returns
        -------
        dict
            Stop indices of each sequence, `FAR` for stops too far away; stops in a row may share one.
        """
        sequences = list(sequences)
        self._measure({hop for ids in sequences for hop in itertools.pairwise(ids)})
        return {ids: self._matched(ids) for ids in sequences}

    def _measure(self, hops: set[tuple[str, str]]) -> None:
        """Cost in metres between the candidates of two stops in a row, by pair of stops."""
        pairs = sorted(hop for hop in hops if all(self._of[stop].stops.size for stop in hop))
        sides = [np.meshgrid(self._of[a].stops, self._of[b].stops, indexing="ij") for a, b in pairs]
        if not sides:
            return
        start, end = (np.concatenate([side[k].ravel() for side in sides]) for k in (0, 1))
        key, row = np.unique(start * self._network.n_stops + end, return_inverse=True)
        cost = self._costs_of(key)[row]
        cuts = np.cumsum([side[0].size for side in sides])[:-1]
        shapes = [side[0].shape for side in sides]
        self._costs |= {hop: part.reshape(shape) for hop, part, shape in zip(pairs, np.split(cost, cuts), shapes, strict=True)}

    def _costs_of(self, key: Ints) -> Floats:
        """Cost in metres between pairs of stops, start times stops plus end."""
        network = self._network
        start, end = np.divmod(key, network.n_stops)
        if not self._is_own:
            return network.shortest_m(start, end).astype(np.float64)
        tail = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
        is_linked = np.isin(key, tail * network.n_stops + network.link_to) | (start == end)
        return np.where(is_linked, 0.0, _UNLINKED_M)

    def _matched(self, ids: Sequence[str]) -> Ints:
        """Stops of the network for one sequence, by dynamic programming over the candidates; ties go to the nearer one."""
        layers = [self._of[stop] for stop in ids]
        reached: list[Floats] = []
        came: list[Ints] = []
        for k, layer in enumerate(layers):
            moved = _MOVED * layer.metres
            cost = self._costs.get((ids[k - 1], ids[k])) if k else None
            if cost is None or not layers[k - 1].stops.size or not layer.stops.size:
                before = reached[-1].min() if k and reached[-1].size else 0.0
                reached.append(moved + before)
                came.append(np.full(layer.stops.size, int(reached[-2].argmin()) if k and reached[-2].size else -1))
                continue
            total = reached[-1][:, None] + cost
            came.append(total.argmin(axis=0))
            reached.append(total.min(axis=0) + moved)
        return _traced(layers, reached, came)


def _traced(layers: Sequence[Candidates], reached: Sequence[Floats], came: Sequence[Ints]) -> Ints:
    """Stop of each layer on the cheapest way; `FAR` for a layer without candidates."""
    stops = np.full(len(layers), FAR, np.int64)
    at = -1
    for k in range(len(layers) - 1, -1, -1):
        if not layers[k].stops.size:
            at = -1
            continue
        at = int(reached[k].argmin()) if at < 0 else at
        stops[k] = layers[k].stops[at]
        at = int(came[k][at])
    return stops


def _near(network: Network, lon: Floats, lat: Floats, nearest: NDArray[np.int32], metres: Floats) -> list[Candidates]:
    """Nearest stops of each position within `CANDIDATE_M`, and the nearest one in any case."""
    from scipy.spatial import cKDTree

    x, y = network.grid.project(lon, lat)
    stop_x, stop_y = network.grid.project(network.stop_lon, network.stop_lat)
    points = np.stack([np.asarray(x), np.asarray(y)], axis=1)
    within = cKDTree(np.stack([stop_x, stop_y], axis=1)).query_ball_point(points, CANDIDATE_M)
    found = []
    for (east, north), stop, distance, others in zip(points.tolist(), nearest.tolist(), metres.tolist(), within, strict=True):
        stops = np.array(sorted({stop, *others}), dtype=np.int64)
        away = np.where(stops == stop, distance, np.hypot(stop_x[stops] - east, stop_y[stops] - north))
        order = np.lexsort((stops, np.round(away, 6)))[:_MOST]
        found.append(Candidates(stops[order], away[order]))
    return found
