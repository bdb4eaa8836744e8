"""Least seconds or metres between all stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.memory import require_at_hand

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network.network import Network

_BLOCK = 256
_KEPT_BYTES = 2**27
_MATRIX_STOPS = 4_096
_MATRIX_ROWS = 0.5
"""Share of the stops whose rows are kept, after which a small network takes the whole matrix."""
_SHORT_BYTES, _LONG_BYTES = 2, 4

SHORT_STOPS = 8_192
"""Stops above which drive times take two bytes a pair, where every pair has a path and none takes longer than `SHORT_MOST_S`."""

SHORT_MOST_S = 65_535
"""Longest drive in seconds that two bytes hold."""


def all_pairs(indptr: NDArray[np.int64], to: NDArray[np.int32], cost: NDArray[np.int32], unreachable: int) -> NDArray[np.int32]:
    """
    Least seconds or metres between all stops.

    Parameters
    ----------
    indptr, to, cost
        Links by row: shapes (n_stops + 1,), (n_links,), (n_links,); cost in whole seconds or metres > 0.
    unreachable
        Value for pairs without a path.

    Returns
    -------
    ndarray of int32
        Shape (n_stops, n_stops).
    """
    return from_stops(indptr, to, cost, unreachable, np.arange(indptr.size - 1))


def drive_matrix(
    indptr: NDArray[np.int64], to: NDArray[np.int32], seconds: NDArray[np.int32], unreachable: int, short_stops: int = SHORT_STOPS
) -> NDArray[np.int32]:
    """
    Least seconds between all stops, in two bytes a pair where a large network allows.

    Parameters
    ----------
    indptr, to, seconds
        Links by row: shapes (n_stops + 1,), (n_links,), (n_links,); whole seconds > 0.
    unreachable
        Value for pairs without a path.
    short_stops
        Most stops of a network whose times take four bytes in any case: one type for all usual networks compiles each kernel once.

    Returns
    -------
    ndarray of int32 or uint16
        Shape (n_stops, n_stops); seconds as they are in either type. With a pair without a path, or a drive of more than 65,535 s, int32.

    Raises
    ------
    DataError
        If it does not fit into the memory at hand.
    """
    n_stops = indptr.size - 1
    if n_stops <= short_stops:
        return all_pairs(indptr, to, seconds, unreachable)
    n_bytes = pair_bytes(indptr, to, seconds, unreachable, short_stops)
    _require_pairs(n_stops, n_bytes)
    times: NDArray[Any] = np.empty((n_stops, n_stops), np.uint16 if n_bytes == _SHORT_BYTES else np.int32)
    for low in range(0, n_stops, _BLOCK):
        rows = from_stops(indptr, to, seconds, unreachable, np.arange(low, min(low + _BLOCK, n_stops)))
        if times.itemsize < rows.itemsize and int(rows.max()) > SHORT_MOST_S:
            _require_pairs(n_stops, _LONG_BYTES)
            times = times.astype(np.int32)
        times[low : low + _BLOCK] = rows
    return times


def pair_bytes(
    indptr: NDArray[np.int64], to: NDArray[np.int32], seconds: NDArray[np.int32], unreachable: int, short_stops: int = SHORT_STOPS
) -> int:
    """
    Bytes that `drive_matrix` takes for a pair, as far as the drives from the first, middle and last stop tell.

    Parameters
    ----------
    indptr, to, seconds, unreachable, short_stops
        See `drive_matrix`.

    Returns
    -------
    int
        2 or 4 bytes.
    """
    n_stops = indptr.size - 1
    if n_stops <= short_stops:
        return _LONG_BYTES
    farthest_s = int(from_stops(indptr, to, seconds, unreachable, np.array([0, n_stops // 2, n_stops - 1])).max())
    return _SHORT_BYTES if farthest_s <= SHORT_MOST_S else _LONG_BYTES


def _require_pairs(n_stops: int, n_bytes: int) -> None:
    """Refuse a matrix that does not fit into the memory at hand."""
    way_out = "use fewer stops, such as those of larger hexes or of a smaller area"
    require_at_hand(float(n_bytes) * n_stops**2, f"drive times between all pairs of {n_stops:,} stops", way_out)


def from_stops(
    indptr: NDArray[np.int64], to: NDArray[np.int32], cost: NDArray[np.int32], unreachable: int, starts: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    """
    Least seconds or metres from some stops to all.

    Parameters
    ----------
    indptr, to, cost, unreachable
        See `all_pairs`.
    starts
        Stops, shape (n_starts,).

    Returns
    -------
    ndarray of int32
        Shape (n_starts, n_stops).
    """
    from owlbus.kernels.cost_rows import fill_cost_rows, new_bucket_queue

    n_stops = indptr.size - 1
    costs = np.empty((starts.size, n_stops), np.int32)
    fill_cost_rows(indptr, to, cost, starts.astype(np.int64), unreachable, new_bucket_queue(cost, n_stops), costs)
    return costs


def kept_rows(
    known: dict[int, NDArray[np.int32]],
    indptr: NDArray[np.int64],
    to: NDArray[np.int32],
    cost: NDArray[np.int32],
    unreachable: int,
    starts: NDArray[np.integer[Any]],
) -> dict[int, NDArray[np.int32]]:
    """
    Rows of least seconds or metres by stop, with those of some stops added.

    Parameters
    ----------
    known
        Rows found before; left as they are, since other threads may read them.
    indptr, to, cost, unreachable
        See `all_pairs`.
    starts
        Stops that need a row, shape (n_starts,), each once.

    Returns
    -------
    dict
        Rows of shape (n_stops,) by stop index; those found before are dropped where all together would take more than 128 MB.
    """
    if 4 * (indptr.size - 1) * (len(known) + starts.size) > _KEPT_BYTES:
        known = {}
    new = np.array([stop for stop in starts.tolist() if stop not in known], np.int64)
    return {**known, **dict(zip(new.tolist(), from_stops(indptr, to, cost, unreachable, new), strict=True))}


def least_between(network: Network, name: str, cost: NDArray[np.int32], start: ArrayLike, end: ArrayLike) -> NDArray[np.int32]:
    """
    Least seconds or metres between pairs of stops, of rows that are kept until most stops are asked for.

    Parameters
    ----------
    network
        The network, whose matrix is taken where it is at hand, or small and most of its rows are asked for.
    name
        ``drive_s`` or ``drive_m``.
    cost
        Seconds or metres of each link, shape (n_links,).
    start, end
        Stop indices, of shapes that broadcast.

    Returns
    -------
    ndarray of int32
        In the shape that both broadcast to; 2**30 without a path.
    """
    start, end = np.broadcast_arrays(start, end)
    kept = network._cache  # noqa: SLF001 - what the network remembers
    if name in kept:
        return np.asarray(getattr(network, name)[start, end], np.int32)
    starts, row = np.unique(start, return_inverse=True)
    known = kept.get(f"{name} rows", {})
    if takes_matrix(network) and len(known.keys() | starts.tolist()) > _MATRIX_ROWS * network.n_stops:
        kept.pop(f"{name} rows", None)
        return np.asarray(getattr(network, name)[start, end], np.int32)
    known = kept[f"{name} rows"] = kept_rows(known, network.link_indptr, network.link_to, cost, 2**30, starts)
    rows = np.array([known[stop] for stop in starts.tolist()], np.int32).reshape(-1, network.n_stops)
    return np.asarray(rows[row.reshape(start.shape), end], np.int32)


def takes_matrix(network: Network) -> bool:
    """
    Whether a network is small enough to keep the metres between all pairs of its stops.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    bool
        True up to 4,096 stops: 64 MB.
    """
    return network.n_stops <= _MATRIX_STOPS
