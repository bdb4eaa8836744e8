"""Agreement and blend of two demand sources."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import TAXI_WEIGHT
from owlbus.common.errors import DataError
from owlbus.common.units import require_number
from owlbus.demand.columns import scaled, sums_by_index
from owlbus.demand.table import Demand

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    Agreement of the patterns of two demands, by hex; levels do not matter.

    Attributes
    ----------
    origin_rank, destination_rank
        Spearman rank correlation of trips by origin and by destination hex, over hexes where either demand has any, -1 to 1;
        None with fewer than two hexes or a constant.
    od_rank
        The same over all pairs of those origins and destinations, pairs without trips included.
    origin_common_share, destination_common_share, od_common_share
        Share of common demand, 0 to 1: the sum of the smaller of both shares of each hex or pair.
    """

    origin_rank: float | None
    destination_rank: float | None
    od_rank: float | None
    origin_common_share: float
    destination_common_share: float
    od_common_share: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain types."""
        return asdict(self)


def agreement(calls: Demand, taxi: Demand) -> Agreement:
    """
    Return the agreement of two demands on one grid.

    Parameters
    ----------
    calls, taxi
        Demands on the same hexes.

    Returns
    -------
    Agreement
        Rank correlations and shares of common demand.

    Raises
    ------
    DataError
        If the demands are on different grids or one has no trips.

    Examples
    --------
    >>> one = Demand(3, origin=[0, 1, 2], destination=[1, 2, 0], trips=[3.0, 2.0, 1.0])
    >>> agreement(one, one).od_common_share
    1.0
    """
    _check_same_grid(calls, taxi)
    n = calls.n_hexes
    pairs = [demand.od() for demand in (calls, taxi)]
    origins = [sums_by_index(od.origin, od.trips, n) for od in pairs]
    destinations = [sums_by_index(od.destination, od.trips, n) for od in pairs]
    keys = [od.origin.astype(np.int64) * n + od.destination for od in pairs]
    union = np.union1d(*keys)
    both = [np.zeros(union.size), np.zeros(union.size)]
    for values, key, od in zip(both, keys, pairs, strict=True):
        values[np.searchsorted(union, key)] = od.trips
    active = [np.count_nonzero(ends[0] + ends[1]) for ends in (origins, destinations)]
    loops = np.count_nonzero((origins[0] + origins[1]) * (destinations[0] + destinations[1]))
    return Agreement(
        _rank_correlation(*_active(*origins)),
        _rank_correlation(*_active(*destinations)),
        _rank_correlation(both[0], both[1], zeros=int(active[0]) * int(active[1]) - int(loops) - union.size),
        _common_share(*origins),
        _common_share(*destinations),
        _common_share(*both),
    )


def blend(calls: Demand, taxi: Demand, taxi_weight: float = TAXI_WEIGHT) -> Demand:
    """
    Blend calls and taxi: total trips of the calls, with a share `taxi_weight` in the pattern of taxi.

    Trips and presence are weighted alike. If both cover the same nights they are joined night by night; else the mean night of taxi is
    added to every night of the calls. Weighted trips are rounded along their running sum, so totals are kept.

    Parameters
    ----------
    calls, taxi
        Demands on the same hexes and hours.
    taxi_weight
        Share of trips and presence in the pattern of taxi, 0 to 1.

    Returns
    -------
    Demand
        On the nights of the calls, with their total trips and presence.

    Raises
    ------
    UsageError
        If `taxi_weight` is outside [0, 1].
    DataError
        If the demands are on different grids or hours, or one has no trips.

    Examples
    --------
    >>> calls = Demand(3, origin=[0], destination=[1], trips=[8.0])
    >>> taxi = Demand(3, origin=[2], destination=[1], trips=[100.0], source="taxi")
    >>> blend(calls, taxi, 0.25).trips
    array([6., 2.])
    """
    require_number("taxi_weight", taxi_weight, 0, 1)
    _check_same_grid(calls, taxi)
    if calls.hours != taxi.hours:
        msg = f"blending needs the same hours, got {calls.hours[0]}-{calls.hours[-1] + 1} and {taxi.hours[0]}-{taxi.hours[-1] + 1}"
        raise DataError(msg)
    trips = [*_trip_rows(calls, calls, 1 - taxi_weight), *_trip_rows(taxi, calls, taxi_weight)]
    people = [*_presence_rows(calls, calls, 1 - taxi_weight), *_presence_rows(taxi, calls, taxi_weight)]
    return Demand.from_rows(
        calls.n_hexes,
        {name: np.concatenate([rows[name] for rows in trips]) for name in trips[0]},
        {name: np.concatenate([rows[name] for rows in people]) for name in people[0]},
        hours=calls.hours,
        nights=calls.nights,
        source="blend",
        grid=calls.grid or taxi.grid,
        hours_known=calls.hours_known and taxi.hours_known,
    )


def _check_same_grid(calls: Demand, taxi: Demand) -> None:
    """Reject demands on different grids or without trips."""
    if calls.n_hexes != taxi.n_hexes or (calls.grid and taxi.grid and calls.grid != taxi.grid):
        grids = f"{calls.n_hexes} and {taxi.n_hexes} hexes of grids {calls.grid!r} and {taxi.grid!r}"
        msg = f"both demands must lie on the same grid, got {grids}"
        raise DataError(msg)
    for name, demand in (("calls", calls), ("taxi", taxi)):
        if demand.total_trips == 0:
            msg = f"the demand of {name} has no trips, so nothing can be compared or blended; leave it out"
            raise DataError(msg)


def _trip_rows(demand: Demand, base: Demand, weight: float) -> list[dict[str, NDArray[Any]]]:
    """Return trip rows of `demand` on the nights of `base`, scaled to `weight` of the base's trips."""
    columns = {name: getattr(demand, name) for name in ("night", "hour", "origin", "destination", "trips")}
    return _on_nights(columns, "trips", demand, base, weight)


def _presence_rows(demand: Demand, base: Demand, weight: float) -> list[dict[str, NDArray[Any]]]:
    """Return presence rows of `demand` on the nights of `base`, scaled to `weight` of the base's presence."""
    columns = {name: getattr(demand, f"presence_{name}") for name in ("night", "hour", "hex")} | {"presence": demand.presence}
    return _on_nights(columns, "presence", demand, base, weight)


def _on_nights(columns: dict[str, NDArray[Any]], value: str, demand: Demand, base: Demand, weight: float) -> list[dict[str, NDArray[Any]]]:
    """Return scaled `columns` once if the nights match, else once for each night of `base`."""
    total = getattr(base, value).sum() * weight
    if demand.nights == base.nights:
        return [columns | {value: scaled(columns[value], total)}]
    share = scaled(np.tile(columns[value], base.n_nights), total).reshape(base.n_nights, -1)
    return [columns | {"night": np.full(share.shape[1], i), value: share[i]} for i in range(base.n_nights)]


def _active(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the entries where either is above zero."""
    active = first + second > 0
    return first[active], second[active]


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64], zeros: int = 0) -> float | None:
    """Return Spearman's correlation of two columns followed by `zeros` rows of (0, 0); ties get their mean rank."""
    n = first.size + zeros
    if n <= 1:
        return None
    deviations = [_ranks(values, zeros) - (n + 1) / 2 for values in (first, second)]
    at_zero = [_zero_rank(values, zeros) - (n + 1) / 2 for values in (first, second)]
    cross = float(deviations[0] @ deviations[1]) + zeros * at_zero[0] * at_zero[1]
    squares = [float(d @ d) + zeros * z * z for d, z in zip(deviations, at_zero, strict=True)]
    return None if min(squares) == 0 else float(cross / (squares[0] * squares[1]) ** 0.5)


def _ranks(values: NDArray[np.float64], zeros: int) -> NDArray[np.float64]:
    """Return ranks from 1 of `values` among themselves and `zeros` zeros, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) + zeros
    mean: NDArray[np.float64] = last - (counts - 1) / 2
    ranks = mean[inverse]
    ranks[values == 0] = _zero_rank(values, zeros)
    return ranks


def _zero_rank(values: NDArray[np.float64], zeros: int) -> float:
    """Return the mean rank of zeros."""
    return (np.count_nonzero(values == 0) + zeros + 1) / 2


def _common_share(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the sum of the smaller of both distributions."""
    totals = first.sum(), second.sum()
    return float(np.minimum(first * totals[1], second * totals[0]).sum() / (totals[0] * totals[1]))
