"""
Arrays that the kernels of the upper bound share, as named tuples; see `owlbus.kernels.structs`.

Symbols: S stops, L links, H hexes, W entries of walk sheds, P pairs of hexes, J kinds of routes, M known routes, N walks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PairWeights(NamedTuple):
    """
    What covering pairs of hexes earns.

    Attributes
    ----------
    first, second
        Hexes of each pair, shape (P,), int32.
    weight
        What both earn together, shape (P,), float64.
    bonus
        What each hex earns alone, shape (H,), float64.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float64]
    bonus: NDArray[np.float64]


class RouteMixes(NamedTuple):
    """
    Kinds of routes, and what all routes of a plan may use together.

    Attributes
    ----------
    cost
        The most that a route of each kind may cost, shape (J,), int32.
    load
        The load that it is at least, shape (J,), int64.
    n_routes, most_load
        Routes of a plan, and the load that they may have together.
    """

    cost: NDArray[np.int32]
    load: NDArray[np.int64]
    n_routes: int
    most_load: int


class RoutePool(NamedTuple):
    """
    Known routes in rows.

    Attributes
    ----------
    start
        First visit of each route, shape (M + 1,), int64.
    hexes, times
        Hex of each visit, int32, and how often it is earned, float64.
    cost
        Cost of each route, shape (M,), int32.
    """

    start: NDArray[np.int64]
    hexes: NDArray[np.int32]
    times: NDArray[np.float64]
    cost: NDArray[np.int32]


class CostGraph(NamedTuple):
    """
    Stop network with one cost for each link.

    Attributes
    ----------
    link_indptr, link_to
        Links by stop, shapes (S + 1,), int64, and (L,), int32.
    link_cost
        Whole cost of each link, >= 1 and the same in both directions, shape (L,), int32.
    shed_indptr, shed_hex
        Walk sheds by stop, shapes (S + 1,), int64, and (W,), int32.
    """

    link_indptr: NDArray[np.int64]
    link_to: NDArray[np.int32]
    link_cost: NDArray[np.int32]
    shed_indptr: NDArray[np.int64]
    shed_hex: NDArray[np.int32]


class HexMemory(NamedTuple):
    """
    Hexes that walks keep in mind at each stop; a walk's memory is one bit for each of 64 colours.

    Attributes
    ----------
    colour
        Colour of each hex, shape (H,), int32; -1 for none.
    kept_hex
        Hex of each colour that is kept in mind at each stop, shape (S, 64), int32; -1 for none.
    keep
        Bits that survive each link, shape (L,), uint64.
    shed_bit
        Bit of each hex in a shed, shape (W,), uint64; 0 where colours did not suffice to keep it in mind.
    """

    colour: NDArray[np.int32]
    kept_hex: NDArray[np.int32]
    keep: NDArray[np.uint64]
    shed_bit: NDArray[np.uint64]


class Walks(NamedTuple):
    """
    Room for N walks, each as its last stop and the walk that it continues.

    Attributes
    ----------
    value
        Multipliers that the walk earns, shape (N,), float64.
    mask
        Its memory, shape (N,), uint64.
    stop
        Its last stop, shape (N,), int32.
    before
        The walk that it continues, shape (N,), int32; -1 for none.
    following
        The next walk of the same stop and cost, less valuable, shape (N,), int32; -1 for none.
    cost
        Its cost, shape (N,), int32.
    """

    value: NDArray[np.float64]
    mask: NDArray[np.uint64]
    stop: NDArray[np.int32]
    before: NDArray[np.int32]
    following: NDArray[np.int32]
    cost: NDArray[np.int32]


class WalkStarts(NamedTuple):
    """
    Where walks begin.

    Attributes
    ----------
    stop
        Stop index, shape (Z,), int32.
    cost
        Cost that counts as spent there, shape (Z,), int32, 0 to the budget.
    value
        What the walk is worth there, the multipliers of the stop's shed in it, shape (Z,), float64.
    """

    stop: NDArray[np.int32]
    cost: NDArray[np.int32]
    value: NDArray[np.float64]


class Completions(NamedTuple):
    """
    Walks grown from the other ends, which say what a walk can still come to.

    A walk that has spent c at a stop meets those that have spent B - c there.

    Attributes
    ----------
    walks, head
        What `owlbus.kernels.grow_walks.grow_walks` wrote; a head without rows for walks that may go on anyhow.
    own
        Multipliers of the shed of each stop, shape (S,), float64: both walks have earned them where they meet.
    least
        Walks that cannot come to more than this, with what they meet, are dropped.
    """

    walks: Walks
    head: NDArray[np.int32]
    own: NDArray[np.float64]
    least: float
