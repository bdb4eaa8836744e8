"""
Arrays that the kernels of the objective `carried` share, as named tuples.

*Generalised seconds* weigh walks, waits and transfers against seconds on the bus; they are whole numbers, held in float32 where kernels
compare many at once. People who ride are counted in ``1 / ACCEPTED`` of a trip in 1/1024. A *factor* is the share of riders who find room,
in 1/1024. Symbols as in `owlbus.kernels.structs`; W is 1 where every link takes as long as its reverse, else 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RideCosts(NamedTuple):
    """
    What journeys cost in generalised seconds, and how many people take them.

    Attributes
    ----------
    shed_s
        Walk of each entry of `Graph.shed_hex`, float32.
    transfer_s
        A transfer, beside the wait for the second bus.
    accepted
        People who ride by steps of 8 generalised seconds, in 1/1024, shape (2 N + 1,), int32; see `RideChoice.steps`.
    hour_share
        Share of the trips of each hour, shape (T,), float64.
    max_transfers
        0 or 1.
    """

    shed_s: NDArray[np.float32]
    transfer_s: float
    accepted: NDArray[np.int32]
    hour_share: NDArray[np.float64]
    max_transfers: int


class PairRows(NamedTuple):
    """
    Trips by hex, as `DemandRows`, with what the other way home costs.

    Attributes
    ----------
    indptr, partner, trip_quanta
        As of `owlbus.kernels.structs.DemandRows`.
    alternative_s
        Generalised seconds of the other way home, shape (W, P), int32.
    """

    indptr: NDArray[np.int64]
    partner: NDArray[np.int32]
    trip_quanta: NDArray[np.int32]
    alternative_s: NDArray[np.int32]


class Service(NamedTuple):
    """
    How the routes of a plan run.

    Attributes
    ----------
    board_s
        Wait for each route in generalised seconds, shape (K,), float32.
    factor
        Riders of each route from one position to another who find room, either way, in 1/1024, shape (K, M, M), int32.
    """

    board_s: NDArray[np.float32]
    factor: NDArray[np.int32]


class OtherJourneys(NamedTuple):
    """
    The plan without one route: journeys that it offers, and how many people they carry.

    *Columns* number the C hexes that these routes reach, *rows* the T stops at which they call.

    Attributes
    ----------
    counts
        Columns, rows and entries, shape (3,), int64.
    column_of, hex_of
        Column of each hex, shape (H,), int32, -1 for none; and hex of each column.
    row_of, stop_of, calls
        Row of each stop, shape (S,), int32, -1 for none; stop of each row; and how often these routes call at each stop.
    passes
        Lower and higher stop beside each one on these routes, shape (S, 2), int32; -1 where they have no or several such pairs, or end.
    onward_s, onward_factor
        Generalised seconds from a row's stop to a column, or back, with the transfer and the wait, shape (W, T, C), float32; and the
        factor of that ride, int32.
    first_entry, entries
        First entry of each hex, shape (H,), int32; and route, position, place in the walk shed and next entry, shape (E, 4), int32.
    n_listed
        Pairs of each hex with a column, shape (H,), int32; -1 until they are filled.
    listed, listed_column
        These pairs and the columns of their partners, from the place in `PairRows` where the pairs of the hex begin, shape (P,), int32.
    pair_s, pair_value
        In the same places: generalised seconds of each pair's best journey, shape (W, P), float32; and people whom it carries in 1/1024 of
        1/1024, int32.
    best_s, best_factor
        Work space by column.
    """

    counts: NDArray[np.int64]
    column_of: NDArray[np.int32]
    hex_of: NDArray[np.int32]
    row_of: NDArray[np.int32]
    stop_of: NDArray[np.int32]
    calls: NDArray[np.int32]
    passes: NDArray[np.int32]
    onward_s: NDArray[np.float32]
    onward_factor: NDArray[np.int32]
    first_entry: NDArray[np.int32]
    entries: NDArray[np.int32]
    n_listed: NDArray[np.int32]
    listed: NDArray[np.int32]
    listed_column: NDArray[np.int32]
    pair_s: NDArray[np.float32]
    pair_value: NDArray[np.int32]
    best_s: NDArray[np.float32]
    best_factor: NDArray[np.int32]


class RouteScratch(NamedTuple):
    """
    Work space to value one route beside the other ones.

    *Targets* are the columns of the other routes, then further hexes of the route.

    Attributes
    ----------
    hexes, positions, sheds
        Hex, position and place in the walk shed of each entry of the route, shape (E,), int32.
    target_of
        Target of each hex of the route, shape (H,), int32.
    is_own
        Whether each hex is on the route, shape (H,), uint8; 0 between calls.
    meets
        Positions where other routes call too, and their rows, shape (M, 2), int32.
    n_before
        Meets before each position, shape (M,), int32.
    on_s, on_by
        Generalised seconds to each target by the best of the meets from one of them on, and up to one of them, shape (2, M, H), float32;
        and the position where riders leave the route with the factor of what follows, int32.
    best_s, best_by
        The same between a hex and each target, shape (H,), with the position where riders board.
    apart
        Hexes of the route that the other routes do not reach, shape (E,), int32.
    riders, ride_by
        Riders of each pair that prefers the route, int64, and their positions and factor, int32, shape (W P,).
    load
        Riders by segment, shape (M + 1,), int64.
    room
        Factor of the rides between two positions, shape (M, M), int32.
    """

    hexes: NDArray[np.int32]
    positions: NDArray[np.int32]
    sheds: NDArray[np.int32]
    target_of: NDArray[np.int32]
    is_own: NDArray[np.uint8]
    meets: NDArray[np.int32]
    n_before: NDArray[np.int32]
    on_s: NDArray[np.float32]
    on_by: NDArray[np.int32]
    best_s: NDArray[np.float32]
    best_by: NDArray[np.int32]
    apart: NDArray[np.int32]
    riders: NDArray[np.int64]
    ride_by: NDArray[np.int32]
    load: NDArray[np.int64]
    room: NDArray[np.int32]


class TripRows(NamedTuple):
    """
    Trips by the hex where they begin, hour by hour.

    Attributes
    ----------
    indptr
        First pair of each hex, shape (H + 1,), int64.
    destination
        Hex where each pair ends, shape (D,), int32.
    hour_quanta
        Trips by hour in 1/1024 a night, shape (T, D), int32.
    alternative_s
        Generalised seconds of the other way home, shape (D,), int32.
    """

    indptr: NDArray[np.int64]
    destination: NDArray[np.int32]
    hour_quanta: NDArray[np.int32]
    alternative_s: NDArray[np.int32]
