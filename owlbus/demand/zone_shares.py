"""Zones over hexes: the places that records are counted at, and how counts of a zone are spread over its hexes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.arrays import read_only
from owlbus.demand.accumulators import HOURS
from owlbus.grid.overlay import shares_in_hexes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.records.zones import ZoneTable

_WHOLE = 0.999
"""Least share of a zone in one hex to be taken for it."""

_ROUNDING = 1e-6
_MOST_BITS, _SUM_BITS = 20, 62
_CHUNK_PAIRS = 500_000
_NOTHING = np.empty(0, dtype=np.int64)
_GOLDEN, _GOLDEN_64, _MASK_64, _HOUR_TURN = 2_654_435_769, 0x9E3779B97F4A7C15, (1 << 64) - 1, 7919


@dataclass(frozen=True, slots=True, eq=False)
class ZoneShares:
    """
    Places of records that name zones: the H hexes of a grid, and after them the S zones that lie in several hexes.

    Attributes
    ----------
    n_hexes
        Hexes of the grid.
    place_of
        Place of each zone of the table, shape (Z,), int32: its hex if at least 99.9 % of it lie in one, -1 outside the grid.
    start
        First share of each place after the hexes, shape (S + 1,), int64.
    hexes
        Hex of each share, shape (n,), int32, ascending in each zone.
    share
        Share of the zone, 0 to 1, shape (n,); what lacks to 1 lies outside the grid.
    """

    n_hexes: int
    place_of: NDArray[np.int32]
    start: NDArray[np.int64]
    hexes: NDArray[np.int32]
    share: NDArray[np.float64]

    @property
    def n_places(self) -> int:
        """Number of places."""
        return self.n_hexes + self.start.size - 1

    @property
    def n_hexes_met(self) -> int:
        """Number of hexes that zones meet."""
        return int(np.union1d(self.hexes, self.place_of[(self.place_of >= 0) & (self.place_of < self.n_hexes)]).size)

    def places(self, zones: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the place of each zone index, shape (n,), int32; -3 for `NO_ZONE`, -4 for `UNKNOWN_ZONE`, -1 outside the grid."""
        # Negative indices read from the end: -4, -3, then two that no row has.
        table = np.concatenate([self.place_of, np.array([-4, -3, -1, -1], dtype=np.int32)])
        found: NDArray[np.int32] = table[zones]
        return found


@lru_cache(maxsize=16)
def shares_of_zones(zones: ZoneTable, grid: HexGrid) -> ZoneShares:
    """
    Return the places of records that name zones, on a grid.

    Parameters
    ----------
    zones
        Zones by id.
    grid
        Hexes of the study area.

    Returns
    -------
    ZoneShares
        Shares by area of polygons, or at the hex of a centroid; parts of a zone by their weights.
    """
    part, hexes, part_share = shares_in_hexes(grid, zones.parts)
    key, inverse = np.unique(zones.zone[part].astype(np.int64) * grid.n_hexes + hexes, return_inverse=True)
    share: NDArray[np.float64] = np.bincount(inverse, part_share * zones.weight[part], key.size).astype(np.float64, copy=False)
    zone, hex_index = np.divmod(key, grid.n_hexes)
    total = np.bincount(zone, share, zones.n_zones)
    share = np.where(total[zone] > 1 - _ROUNDING, share / total[zone], share)  # areas cut apart sum up inexactly
    place_of = np.full(zones.n_zones, -1, dtype=np.int32)
    whole = share >= _WHOLE
    place_of[zone[whole]] = hex_index[whole]
    cut = np.setdiff1d(zone, zone[whole])
    place_of[cut] = grid.n_hexes + np.arange(cut.size, dtype=np.int32)
    keep = np.isin(zone, cut)
    start = np.searchsorted(zone[keep], np.append(cut, zones.n_zones)).astype(np.int64)
    columns = (place_of, start, hex_index[keep].astype(np.int32), share[keep])
    return ZoneShares(grid.n_hexes, *map(read_only, columns))


class Spread(NamedTuple):
    """
    Counts spread from places to hexes, in quanta.

    Attributes
    ----------
    columns
        Night and hour as given, and hex or origin and destination, each of shape (n,), int64.
    quanta
        Counts, shape (n,), int64, > 0.
    n_outside
        Quanta left out, since they lie outside the grid.
    n_within
        Quanta left out, since they begin in the hex they lead to.
    """

    columns: tuple[NDArray[np.int64], ...]
    quanta: NDArray[np.int64]
    n_outside: int = 0
    n_within: int = 0


def spread_people(
    shares: ZoneShares, night: NDArray[np.int64], hour: NDArray[np.int64], place: NDArray[np.int64], quanta: NDArray[np.int64]
) -> Spread:
    """
    Spread people present in zones over their hexes.

    The sums by night and hour stay exact: what comes in is what goes out and what is left out. The running sum over hexes is rounded, not
    each entry, which is within one quantum of its share.

    Parameters
    ----------
    shares
        Places and their shares.
    night, hour, place
        Night, hour and place of each count, shape (n,), any order.
    quanta
        Counts, shape (n,), int64, >= 0.

    Returns
    -------
    Spread
        Counts by night, hour and hex.
    """
    from scipy import sparse

    in_zone = place >= shares.n_hexes
    columns, counts, n_outside = [tuple(axis[~in_zone] for axis in (night, hour, place))], [quanta[~in_zone]], 0
    for chosen, rows in _by_hour(night, hour, np.flatnonzero(in_zone)):
        bits = _bits(quanta[rows].sum(), 1)
        counted = sparse.csr_array((quanta[rows], (np.zeros(rows.size, dtype=np.int64), place[rows])), shape=(1, shares.n_places))
        spread = counted @ _weights(shares, bits)
        spread.sort_indices()
        _, hexes, portion, _ = _rounded(spread, bits, _phase(_hour_number(chosen), bits), _HOUR_TURN * _hour_number(chosen))
        inside = hexes < shares.n_hexes
        n_outside += int(portion[~inside].sum())
        columns.append(_timed(chosen, hexes[inside]))
        counts.append(portion[inside])
    return Spread(_joined(columns), np.concatenate(counts), n_outside)


def spread_trips(
    shares: ZoneShares,
    night: NDArray[np.int64],
    hour: NDArray[np.int64],
    origin: NDArray[np.int64],
    destination: NDArray[np.int64],
    quanta: NDArray[np.int64],
) -> Spread:
    """
    Spread trips between zones over the pairs of their hexes, by the product of shares.

    Parameters
    ----------
    shares
        Places and their shares.
    night, hour, origin, destination
        Night, hour and places of each count, shape (n,), any order.
    quanta
        Counts, shape (n,), int64, >= 0.

    Returns
    -------
    Spread
        Counts by night, hour, origin and destination. Those within one hex, or with an end outside, are left out; sums by night and
        hour are exact.
    """
    in_zone = (origin >= shares.n_hexes) | (destination >= shares.n_hexes)
    columns = [tuple(axis[~in_zone] for axis in (night, hour, origin, destination))]
    counts, n_outside, n_within = [quanta[~in_zone]], 0, 0
    for chosen, rows in _by_hour(night, hour, np.flatnonzero(in_zone)):
        for start, end, portion in _pairs(shares, origin[rows], destination[rows], quanta[rows], _hour_number(chosen)):
            outside = (start == shares.n_hexes) | (end == shares.n_hexes)
            within = (start == end) & ~outside
            n_outside, n_within = n_outside + int(portion[outside].sum()), n_within + int(portion[within].sum())
            keep = np.flatnonzero(~(outside | within))
            columns.append(_timed(chosen, start[keep], end[keep]))
            counts.append(portion[keep])
    return Spread(_joined(columns), np.concatenate(counts), n_outside, n_within)


def _pairs(
    shares: ZoneShares, origin: NDArray[np.int64], destination: NDArray[np.int64], quanta: NDArray[np.int64], time: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield origin hexes, destination hexes and portions of the trips of one hour; origins in chunks bound the memory."""
    from scipy import sparse

    bits = _bits(quanta.sum(), 2)
    weights = _weights(shares, bits)
    counts = sparse.csr_array((quanta, (origin, destination)), shape=(shares.n_places, shares.n_places))
    to_hexes, from_hexes = weights.T @ counts.T, weights.tocsc()
    running, step = _phase(time, 2 * bits), max(1, _CHUNK_PAIRS // (shares.n_hexes + 1))
    for low in range(0, shares.n_hexes + 1, step):
        pairs = (to_hexes @ from_hexes[:, low : low + step]).tocsc()  # by origin, destinations in order
        row, column, portion, running = _rounded(pairs, 2 * bits, running, low + _HOUR_TURN * time)
        yield row + low, column, portion


def _by_hour(
    night: NDArray[np.int64], hour: NDArray[np.int64], rows: NDArray[np.int64]
) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
    """Yield night, hour and the rows of both, in order of time."""
    if not rows.size:
        return
    rows = rows[np.lexsort((hour[rows], night[rows]))]
    first = np.flatnonzero(np.r_[True, (np.diff(night[rows]) != 0) | (np.diff(hour[rows]) != 0)])
    for group in np.split(rows, first[1:]):
        yield (int(night[group[0]]), int(hour[group[0]])), group


def _bits(total: int, n_shares: int) -> int:
    """Return the bits of integer shares for which the product of a total and `n_shares` of them is exact in int64."""
    return max(1, min(_MOST_BITS, (_SUM_BITS - int(total).bit_length()) // n_shares))


def _hour_number(chosen: tuple[int, int]) -> int:
    """Return a number of a night and hour."""
    return chosen[0] * HOURS + chosen[1]


def _phase(time: int, bits: int) -> int:
    """Return where the running sum of an hour begins, below one quantum: evenly spread over hours, so that no hex loses in all of them."""
    return (time * _GOLDEN_64 & _MASK_64) >> (64 - bits)


def _weights(shares: ZoneShares, bits: int) -> Any:  # noqa: ANN401 - scipy has no types
    """Return shares of places in hexes and, last, outside, as integers that sum to ``2**bits`` by place; sparse, int64."""
    from scipy import sparse

    whole, n_zones = 1 << bits, shares.start.size - 1
    zone = np.repeat(np.arange(n_zones), np.diff(shares.start))
    running = np.cumsum(shares.share)
    before = np.r_[0.0, running][shares.start[:-1]]
    # The running sum is rounded, so that hexes with small shares keep them together.
    ends = np.minimum(np.rint((running - before[zone]) * whole), whole).astype(np.int64)
    first = np.zeros(zone.size, dtype=np.bool_)
    first[shares.start[:-1]] = True
    weight = ends - np.where(first, 0, np.r_[0, ends[:-1]])
    outside = whole - ends[shares.start[1:] - 1]
    hexes, rows = np.arange(shares.n_hexes), shares.n_hexes + zone
    values = np.concatenate([np.full(shares.n_hexes, whole), weight, outside])
    row = np.concatenate([hexes, rows, shares.n_hexes + np.arange(n_zones)])
    column = np.concatenate([hexes, shares.hexes, np.full(n_zones, shares.n_hexes)])
    kept = values > 0
    return sparse.csr_array((values[kept], (row[kept], column[kept])), shape=(shares.n_places, shares.n_hexes + 1))


def _rounded(
    amounts: Any,  # noqa: ANN401 - scipy has no types
    bits: int,
    running: int,
    turn: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """
    Return line, entry of the line and quanta of sparse amounts in ``2**-bits`` quanta, and the running sum that goes on from `running`.

    An entry gets as many quanta as the running sum passes whole ones: less than one more or less than its amount, and in all the sum.

    Lines are those that the sparse array is compressed by. Each is walked from another entry on, by `turn`: else small amounts, of which
    every n-th is rounded up, would meet the same entries in every line. The amounts are overwritten.
    """
    n_entries = np.diff(amounts.indptr).astype(np.int64)
    if not amounts.nnz:
        return _NOTHING, _NOTHING, _NOTHING, running
    begin = ((np.arange(n_entries.size) + turn) * _GOLDEN >> 12) % np.maximum(n_entries, 1)
    walk = np.arange(amounts.nnz) + np.repeat(begin, n_entries)
    walk -= np.where(walk >= np.repeat(amounts.indptr[1:], n_entries), np.repeat(n_entries, n_entries), 0)
    total = amounts.data[walk]
    np.cumsum(total, out=total)
    total += running
    last = int(total[-1])
    total >>= bits
    amounts.data[walk[0]] = total[0] - (running >> bits)
    amounts.data[walk[1:]] = total[1:] - total[:-1]
    kept = np.flatnonzero(amounts.data)
    line: NDArray[Any] = np.repeat(np.arange(n_entries.size, dtype=np.int32), n_entries)
    return line[kept], amounts.indices[kept], amounts.data[kept], last


def _timed(chosen: tuple[int, int], *places: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return the columns of counts of one night and hour."""
    return (*(np.full(places[0].size, value, dtype=np.int32) for value in chosen), *places)


def _joined(columns: list[tuple[NDArray[np.int64], ...]]) -> tuple[NDArray[np.int64], ...]:
    """Return columns in pieces as one each."""
    return tuple(np.concatenate(pieces) for pieces in zip(*columns, strict=True))
