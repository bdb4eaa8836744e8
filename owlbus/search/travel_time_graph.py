"""Travel times of passengers on a plan, and the checked inputs of the travel-time objective."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, InfeasibleError, UsageError, setting
from owlbus.common.units import QUANTA_PER_TRIP, quantise
from owlbus.kernels.travel_time_anneal import TravelTimeState
from owlbus.kernels.travel_time_cost import LANES, NEVER, OtherRoutes, StopGraph, Workspace, close, count_transfers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


_TRANSFERS = 2
"""A journey with more transfers counts as unserved in the shares, as in the literature; its time still counts."""

_MAX_COST = 2**62
_MAX_INT32 = 2**31
_SAMPLE = 500
"""Number of the latest worsening moves that set the schedule."""


@dataclass(frozen=True, slots=True)
class TravelTimes:
    """
    Travel times of passengers on a plan, each on the fastest journey, ties by fewer transfers.

    Attributes
    ----------
    mean_s
        Mean seconds of a trip: riding and transfers, no walking and no waiting at the first stop.
    d0_share, d1_share, d2_share
        Share of trips with no, one and two transfers, 0 to 1.
    unserved_share
        Share of trips with more transfers or without a journey, 0 to 1.
    no_journey_share
        Share of trips without a journey, 0 to 1; each counts `unserved_s` seconds in the mean.
    route_s
        Seconds of all routes, one way, the longer direction of each.
    """

    mean_s: float
    d0_share: float
    d1_share: float
    d2_share: float
    unserved_share: float
    no_journey_share: float
    route_s: int


def travel_times(
    link_s: ArrayLike, demand: ArrayLike, routes: Sequence[ArrayLike], transfer_s: int = 300, *, unserved_s: int | None = None
) -> TravelTimes:
    """
    Travel times on routes that run in both directions.

    Parameters
    ----------
    link_s
        Whole seconds from stop to stop, shape (S, S); -1 where there is no link. Every link has its reverse.
    demand
        Trips from stop to stop, shape (S, S); the diagonal is left out.
    routes
        Stop indices of each route, consecutive stops linked.
    transfer_s
        Seconds that a transfer costs.
    unserved_s
        Seconds that a trip without a journey counts; a slower journey counts as none. None refuses plans that leave a trip without one.

    Returns
    -------
    TravelTimes
        Exact figures: times and trips are summed as whole numbers.

    Raises
    ------
    DataError
        If links or demand break a rule above.
    UsageError
        If a route passes a stop twice or uses a link that is not there, or a number is out of range.
    InfeasibleError
        If a trip has no journey and `unserved_s` is None.

    Examples
    --------
    >>> link_s = [[-1, 60, -1], [60, -1, 120], [-1, 120, -1]]
    >>> demand = [[0, 1, 1], [0, 0, 2], [0, 0, 0]]
    >>> travel_times(link_s, demand, [[0, 1], [1, 2]]).mean_s
    195.0
    """
    links, weight, tick_s = check_inputs(link_s, demand, transfer_s, unserved_s)
    stops, sizes = pad_routes(routes, links, max([2, *(len(np.asarray(route)) for route in routes)]), least=2)
    rides = np.empty(links.shape, dtype=np.int64)
    count_transfers(links, stops, sizes, transfer_s // tick_s, rides)
    time_s = (rides // (len(links) + 1)) * tick_s - transfer_s
    transfers = rides % (len(links) + 1) - 1
    without_journey = (rides < 0) | ((time_s > unserved_s) if unserved_s is not None else False)
    if unserved_s is None and (weight[without_journey] > 0).any():
        origin, destination = np.argwhere(without_journey & (weight > 0))[0]
        way = f"connect the routes or give {setting('unserved_s')}"
        msg = f"every trip needs a journey, got none from stop {origin} to stop {destination}; {way}"
        raise InfeasibleError(msg, setting="unserved_s")
    total = int(weight.sum())
    spent_s = int((weight * np.where(without_journey, unserved_s or 0, time_s)).sum())
    shares = [float(weight[~without_journey & (transfers == k)].sum() / total) for k in range(_TRANSFERS + 1)]
    served = sum(int(weight[~without_journey & (transfers == k)].sum()) for k in range(_TRANSFERS + 1))
    return TravelTimes(
        mean_s=spent_s / total,
        d0_share=shares[0],
        d1_share=shares[1],
        d2_share=shares[2],
        unserved_share=(total - served) / total,
        no_journey_share=float(weight[without_journey].sum() / total),
        route_s=sum(_route_s(links, route[:n]) for route, n in zip(stops, sizes, strict=True)) * tick_s,
    )


def _route_s(links: NDArray[np.int32], stops: NDArray[np.int32]) -> int:
    """Ticks of a route, the longer direction."""
    return max(int(links[stops[:-1], stops[1:]].sum()), int(links[stops[1:], stops[:-1]].sum()))


def check_inputs(
    link_s: ArrayLike, demand: ArrayLike, transfer_s: int, unserved_s: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
    """
    Links in ticks and demand as whole weights, both without a diagonal.

    Parameters
    ----------
    link_s, demand, transfer_s, unserved_s
        As `travel_times` takes them.

    Returns
    -------
    tuple
        Links int32 (S, S), -1 where there is none; weights int64 (S, S); and seconds of a tick.

    Raises
    ------
    DataError, UsageError
        If an input breaks a rule.
    """
    links = np.array(link_s, dtype=np.float64)
    trips = np.array(demand, dtype=np.float64)
    if links.ndim != 2 or links.shape[0] != links.shape[1] or len(links) < 2:  # noqa: PLR2004 - a link has two ends
        msg = f"link_s must have the shape (S, S) with S >= 2, got {links.shape}"
        raise DataError(msg)
    if trips.shape != links.shape:
        msg = f"demand must have the shape of link_s, {links.shape}, got {trips.shape}"
        raise DataError(msg)
    for name, value, least in (("transfer_s", transfer_s, 0), ("unserved_s", unserved_s, 1)):
        if value is not None and not (value >= least and value == int(value)):
            msg = f"{setting(name)} must be a whole number of seconds >= {least}, got {value}"
            raise UsageError(msg, setting=name, value=value, allowed=(least, math.inf))
    np.fill_diagonal(links, -1)
    np.fill_diagonal(trips, 0)
    _refuse(~((links == -1) | ((links >= 1) & (links == np.rint(links)) & (links < _MAX_INT32))), links, "link_s must be -1 or whole, >= 1")
    _refuse((links > 0) & (links.T <= 0), links, "every link must have its reverse")
    _refuse(~(np.isfinite(trips) & (trips >= 0)), trips, "demand must be finite and >= 0")
    weight = np.rint(quantise(trips) * QUANTA_PER_TRIP).astype(np.int64)
    if not weight.any():
        msg = "demand must hold at least one trip between two stops, got none"
        raise DataError(msg)
    link_ticks, weights, tick_s, _ = in_ticks(links.astype(np.int64), weight, int(transfer_s), int(unserved_s or 0))
    return link_ticks, weights, tick_s


def in_ticks(
    link_s: NDArray[np.int64], weight: NDArray[np.int64], transfer_s: int, unserved_s: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], int, int]:
    """
    Links and weights in the largest units that leave them whole.

    Parameters
    ----------
    link_s
        Seconds from stop to stop, shape (S, S); -1 where there is no link.
    weight
        Trips from stop to stop in 1/1024, shape (S, S).
    transfer_s, unserved_s
        Seconds of a transfer, and of a trip without a journey or 0.

    Returns
    -------
    tuple
        Links in ticks, -1 where there is none; weights in units; seconds of a tick; and 1/1024 trips of a unit, both >= 1.
    """
    unit = max(1, int(np.gcd.reduce(weight, axis=None)))
    tick_s = max(1, int(np.gcd.reduce(np.append(link_s[link_s > 0], [transfer_s, unserved_s]))))
    return np.where(link_s > 0, link_s // tick_s, -1).astype(np.int32), weight // unit, tick_s, unit


def _refuse(wrong: NDArray[np.bool_], values: NDArray[np.float64], rule: str) -> None:
    """Name the first place where a rule on a matrix is broken, and how many there are."""
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        msg = f"{rule}, got {values[row, column]:g} from stop {row} to stop {column} ({int(wrong.sum())} such pairs)"
        raise DataError(msg)


def pad_routes(routes: Sequence[ArrayLike], links: NDArray[np.int32], most: int, least: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """
    Routes as rows of one array, checked.

    Parameters
    ----------
    routes
        Stop indices of each route.
    links
        Links, -1 where there is none, shape (S, S).
    most, least
        Most and fewest stops of a route.

    Returns
    -------
    tuple
        Stop indices int32 (K, most + 1), and stops of each route int64 (K,).

    Raises
    ------
    DataError
        If a route breaks a rule.
    """
    stops = np.zeros((len(routes), most + 1), dtype=np.int32)
    sizes = np.zeros(len(routes), dtype=np.int64)
    for k, route in enumerate(routes):
        row = np.asarray(route, dtype=np.int64).ravel()
        if not least <= len(row) <= most:
            msg = f"a route must have {least} to {most} stops, got {len(row)} on route {k}"
            raise DataError(msg)
        if row.min() < 0 or row.max() >= len(links) or len(np.unique(row)) < len(row):
            msg = f"a route must pass different stops in [0, {len(links)}), got {row.tolist()} on route {k}"
            raise DataError(msg)
        gaps = np.flatnonzero(links[row[:-1], row[1:]] < 0)
        if len(gaps):
            msg = f"consecutive stops must be linked, got {row[gaps[0]]} and {row[gaps[0] + 1]} on route {k} ({len(gaps)} such places)"
            raise DataError(msg)
        stops[k, : len(row)] = row
        sizes[k] = len(row)
    return stops, sizes


def build_graph(links: NDArray[np.int32], weight: NDArray[np.int64], transfer: int, stops: tuple[int, int], unserved: int) -> StopGraph:
    """
    Arrays of the travel-time kernels.

    Parameters
    ----------
    links, weight
        As `check_inputs` returns them.
    transfer
        Ticks of a transfer.
    stops
        Fewest and most stops of a route.
    unserved
        Ticks that a trip without a journey counts.

    Returns
    -------
    StopGraph
        Read-only in use, so that searches may share it.

    Raises
    ------
    DataError
        If demand or times are too large for exact sums.
    """
    n = len(links)
    drive = np.where(links > 0, links, NEVER).astype(np.int32)
    np.fill_diagonal(drive, 0)
    close(drive, np.empty(n, dtype=np.int32), NEVER)
    symmetric = bool((links == links.T).all())
    folded = np.zeros((n, -(-n // LANES) * LANES), dtype=np.int64)
    folded[:, :n] = np.triu(weight + weight.T, 1) if symmetric else weight
    slowest = n * (int(links.max()) + transfer) + 1
    worst = unserved + transfer
    longest = max(slowest, worst)
    if folded.max() >= _MAX_INT32 or int(weight.sum()) * worst >= _MAX_COST or longest >= NEVER:
        msg = f"sums must stay exact, got {weight.sum()} units of demand and journeys of up to {longest} ticks; use coarser units"
        raise DataError(msg)
    return StopGraph(
        link=links,
        near_indptr=np.concatenate([[0], np.cumsum((links > 0).sum(axis=1))]).astype(np.int64),
        near_to=np.nonzero(links > 0)[1].astype(np.int32),
        drive=drive,
        weight=folded.astype(np.int32),
        transfer=np.int32(transfer),
        worst=np.int32(worst),
        least=stops[0],
        most=stops[1],
        symmetric=symmetric,
    )


def new_state(
    graph: StopGraph, most: int, n_routes: int, seed: int, free: NDArray[np.int64] | None = None
) -> tuple[TravelTimeState, Workspace]:
    """
    State of an annealing run for travel time, without routes yet.

    Parameters
    ----------
    graph
        Stops, links, demand and rules.
    most
        Most stops of any route, M.
    n_routes
        Routes K.
    seed
        Random state, in [0, 2**64).
    free
        Routes that may change, shape (F,); all of them if None.

    Returns
    -------
    tuple
        The state, whose routes are empty, and the workspace.
    """
    n_stops, width = len(graph.link), graph.weight.shape[1]

    def other_routes() -> OtherRoutes:
        times = np.full((n_stops, width), graph.worst, dtype=np.int32)
        return OtherRoutes(times, times if graph.symmetric else times.copy(), np.zeros(n_stops, dtype=np.int64))

    def empty_plan() -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        return np.zeros((n_routes, most + 1), dtype=np.int32), np.zeros(n_routes, dtype=np.int64)

    state = TravelTimeState(
        *empty_plan(),
        *empty_plan(),
        np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.full(_SAMPLE, -1, dtype=np.int64),
        other_routes(),
        other_routes(),
        other_routes(),
        np.zeros((4, most + 1), dtype=np.int32),
        np.array([seed], dtype=np.uint64),
        np.arange(n_routes) if free is None else free,
    )
    return state, _new_workspace(n_stops, width, most)


def _new_workspace(n_stops: int, width: int, most: int) -> Workspace:
    """Workspace of the kernels, for rows of `width` times and routes of at most `most` stops."""
    return Workspace(
        arrive=np.zeros((most, width), dtype=np.int32),
        gains=np.zeros((n_stops, most + 1), dtype=np.int32),
        n_gains=np.zeros(n_stops, dtype=np.int32),
        row=np.zeros(width, dtype=np.int32),
        other=np.zeros(width, dtype=np.int32),
        mark=np.zeros(n_stops, dtype=np.uint8),
        path=np.zeros(most + 1, dtype=np.int32),
    )
