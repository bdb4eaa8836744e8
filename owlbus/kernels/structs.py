"""
Arrays that the kernels of the search share, as named tuples.

They hold no code, so that Python builds them without compiling anything. numba knows each as a type of its own and reads its fields by
name at no cost. After a change of a field, the kernels of all modules that import the struct compile anew.

Symbols: S stops, L links, H hexes, P pairs of hexes, K routes, M places for the stops of a route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Graph(NamedTuple):
    """
    Stop network as rows of links and of walk sheds.

    Attributes
    ----------
    link_indptr
        First link of each stop, shape (S + 1,), int64.
    link_to
        Stop that each link leads to, shape (L,), int32, ascending within a stop.
    link_s, link_m
        Seconds and metres of each link, shape (L,), int32.
    shed_indptr
        First entry of each stop's walk shed, shape (S + 1,), int64.
    shed_hex
        Hexes within the walk of each stop, int32.
    """

    link_indptr: NDArray[np.int64]
    link_to: NDArray[np.int32]
    link_s: NDArray[np.int32]
    link_m: NDArray[np.int32]
    shed_indptr: NDArray[np.int64]
    shed_hex: NDArray[np.int32]


class DemandRows(NamedTuple):
    """
    Trips by hex: each pair stands in the rows of both its hexes.

    Where every link takes as long as its reverse W is 1, and a pair's trips in both directions are one number. Else W is 2: first the trips
    that begin in the hex of the row, then those that end there.

    Attributes
    ----------
    indptr
        First pair of each hex, shape (H + 1,), int64.
    partner
        Other hex of each pair, shape (P,), int32, ascending within a row.
    trip_quanta
        Trips of each pair in 1/1024 a night, shape (W, P), int32.
    limit_s
        Longest ride that serves them in seconds, shape (W, P), float32; -1 where none does.
    presence
        People in each hex in 1/1024 a night, shape (H,), int64.
    """

    indptr: NDArray[np.int64]
    partner: NDArray[np.int32]
    trip_quanta: NDArray[np.int32]
    limit_s: NDArray[np.float32]
    presence: NDArray[np.int64]


class Routes(NamedTuple):
    """
    Routes of a plan in padded rows.

    Attributes
    ----------
    stops
        Stop indices, shape (K, M), int32.
    n_stops
        Stops of each route, shape (K,), int64; what lies beyond them in a row does not count.
    ahead_s
        Seconds from the first stop to each position, shape (K, M), float32.
    back_s
        Seconds from each position back to the first stop, shape (K, M), float32.
    """

    stops: NDArray[np.int32]
    n_stops: NDArray[np.int64]
    ahead_s: NDArray[np.float32]
    back_s: NDArray[np.float32]


class BucketQueue(NamedTuple):
    """
    Work space of a search for least costs, empty between two searches (`owlbus.kernels.cost_rows`).

    Attributes
    ----------
    head
        First node of each bucket, shape (B,), int32, B a power of two; -1 for none.
    after, before
        Nodes next to each one in its bucket, shape (S,), int32; -1 for none.
    is_queued
        Whether each node is in a bucket, shape (S,), bool.
    shift
        Binary digits of a cost that nodes in one bucket may differ in.
    """

    head: NDArray[np.int32]
    after: NDArray[np.int32]
    before: NDArray[np.int32]
    is_queued: NDArray[np.bool_]
    shift: int


class ShortestMetres(NamedTuple):
    """
    Shortest metres between stops, N rows of which are kept at a time; which are kept changes no result.

    Attributes
    ----------
    rows
        Metres from N stops to all, shape (N, S), int32.
    row_of
        Row of each stop, shape (S,), int32; -1 for none.
    stop_of
        Stop of each row, shape (N,), int32; -1 for none.
    turn
        Row that gives way next, shape (1,), int64.
    indptr, to, cost
        Links by row with their metres: shapes (S + 1,), int64, and (L,), int32.
    queue
        Work space.
    """

    rows: NDArray[np.int32]
    row_of: NDArray[np.int32]
    stop_of: NDArray[np.int32]
    turn: NDArray[np.int64]
    indptr: NDArray[np.int64]
    to: NDArray[np.int32]
    cost: NDArray[np.int32]
    queue: BucketQueue


class KnownRoute(NamedTuple):
    """
    A route that keeps `max_pair_circuity` and never turns back, so that its neighbours are decided by what differs.

    Attributes
    ----------
    n_stops
        Its stops, shape (1,), int64; 0 while no route is known.
    ratio
        The limit that it keeps, shape (1,), float64.
    stops
        Stop indices, shape (M,), int32.
    ahead_m, back_m
        Metres from the first stop to each position, and back, shape (M,), int64.
    new_ahead_m, new_back_m
        Work space: the same of a neighbour.
    slack_ahead_m, slack_back_m
        Metres that pairs of positions may still add, shape (M, M), int32: in place (a, b), a < b, the least of all pairs of a position up
        to a with one from b on.
    """

    n_stops: NDArray[np.int64]
    ratio: NDArray[np.float64]
    stops: NDArray[np.int32]
    ahead_m: NDArray[np.int64]
    back_m: NDArray[np.int64]
    new_ahead_m: NDArray[np.int64]
    new_back_m: NDArray[np.int64]
    slack_ahead_m: NDArray[np.int32]
    slack_back_m: NDArray[np.int32]


class Drive(NamedTuple):
    """
    Fastest and shortest ways between stops.

    Attributes
    ----------
    towards_s
        Fastest seconds to the stop of the row from that of the column, shape (S, S), int32 or uint16: ways to one stop lie side by side.
    metres
        Shortest metres.
    pace_m_s
        Metres that a second on any link stands for at least; 0 if unknown.
    known
        The route that `owlbus.kernels.straightness` compares others with.
    """

    towards_s: NDArray[np.int32]
    metres: ShortestMetres
    pace_m_s: float
    known: KnownRoute


class GroupReach(NamedTuple):
    """
    People by group of hexes, of whom a least number must be within the walk of a stop; without any group nothing is held.

    A *cell* is up to 64 points of a hex of a group, each a bit. People are counted in 1/1024 times points.

    Attributes
    ----------
    indptr
        First entry of each stop, shape (S + 1,), int64.
    cell, points
        Cells within the walk of each stop, int32, and their points within it, uint64.
    group_of
        Group of each cell, shape (C,), int32.
    people
        People at each point of a cell in 1/1024, shape (C,), int64.
    least
        People of each group that must be reached, shape (G,), int64.
    anyway, reached_anyway
        Points that stops beside all routes reach, shape (C,), uint64, and people by group, shape (G,), int64.
    others, reached_others
        Work space: points that the other routes reach, shape (C,), uint64, and people by group, shape (G,), int64.
    mine
        Work space of zeros by cell, shape (C,), uint64.
    reached, held
        Work space: people that a changed route reaches beside the other routes, and that it must reach below the least; shape (G,), int64.
    missing
        People that the best plan lacks, shape (1,), int64.
    worth
        What a person at a point is worth to the search while the group lacks people, in the objective's unit.
    """

    indptr: NDArray[np.int64]
    cell: NDArray[np.int32]
    points: NDArray[np.uint64]
    group_of: NDArray[np.int32]
    people: NDArray[np.int64]
    least: NDArray[np.int64]
    anyway: NDArray[np.uint64]
    reached_anyway: NDArray[np.int64]
    others: NDArray[np.uint64]
    reached_others: NDArray[np.int64]
    mine: NDArray[np.uint64]
    reached: NDArray[np.int64]
    held: NDArray[np.int64]
    missing: NDArray[np.int64]
    worth: float


class Constraints(NamedTuple):
    """
    What routes must do besides keeping limits.

    Attributes
    ----------
    may_end
        1 where routes may end, shape (S,), uint8.
    end_attraction
        Running sum of how much each stop attracts a terminal, shape (S,), float64.
    required
        Stops, and how many routes must call there at least, shape (R, 2), int32.
    terminals
        Terminals that each route must have, shape (K, 2), int32; -1 for any.
    groups
        Groups of hexes whose people must be reached.
    """

    may_end: NDArray[np.uint8]
    end_attraction: NDArray[np.float64]
    required: NDArray[np.int32]
    terminals: NDArray[np.int32]
    groups: GroupReach


class Scratch(NamedTuple):
    """
    Work space of `owlbus.kernels.coverage.route_gain` for a route of E (position, hex) entries.

    Attributes
    ----------
    hexes, positions
        Hex and position of each entry, shape (E,), int32.
    best_s
        Seconds of the best ride to each column, shape (H,), float32.
    first_entry
        First entry of each hex, shape (H,), int32; -1 between calls.
    meets
        Positions where other routes call too, and their rows in `OtherRoutes.onward_s`, shape (M, 2), int32.
    rides_s
        Seconds between each position and each column, shape (M, H), float32.
    """

    hexes: NDArray[np.int32]
    positions: NDArray[np.int32]
    best_s: NDArray[np.float32]
    first_entry: NDArray[np.int32]
    meets: NDArray[np.int32]
    rides_s: NDArray[np.float32]


class Candidate(NamedTuple):
    """
    A changed route under trial, with the work space to value it.

    Attributes
    ----------
    stops
        Stop indices, shape (M,), int32.
    ahead_s, back_s
        Seconds from the first stop to each position, and back, shape (M,), float32.
    scratch
        Work space of `owlbus.kernels.coverage.route_gain`.
    mark
        Zeros between calls, shape (S,), uint8.
    """

    stops: NDArray[np.int32]
    ahead_s: NDArray[np.float32]
    back_s: NDArray[np.float32]
    scratch: Scratch
    mark: NDArray[np.uint8]


class OtherRoutes(NamedTuple):
    """
    The plan without one route: where it calls, how far it takes riders, and which demand it leaves open.

    *Columns* number the C hexes that these routes reach, *rows* the T stops at which they call. `COLUMNS`, `ROWS`, `ENTRIES`, `VERSION`
    and `FILLED` of `owlbus.kernels.coverage` name the places in `counts`.

    Attributes
    ----------
    counts
        Columns, rows, entries, how often this was prepared, and hexes whose demand is gathered, shape (5,), int64.
    column_of, hex_of
        Column of each hex, shape (H,), int32, -1 for none; and hex of each column, shape (C,), int32.
    row_of, stop_of
        Row of each stop, shape (S,), int32, -1 for none; and stop of each row, shape (T,), int32.
    calls
        How often these routes call at each stop, shape (S,), int32.
    onward_s
        Seconds between a row's stop and a column, one transfer included, shape (W, T, C), float32.
    filled
        Of each hex: its partners without a column, -1 until `fill_row` lists them, how many of these are lower hexes, and its place in
        the open demand; shape (H, 3), int64.
    open_quanta
        Trips of each gathered hex with each column in 1/1024 that these routes do not serve, shape (W, H, C + 1), int32. Places are given
        out anew at each preparation, so that a search touches those of the hexes near one route, not those of all.
    open_limit_s
        Longest ride that serves them in seconds, shape (W, H, C + 1), float32.
    listed
        In each row of the demand: its pairs whose partner has no column, shape (P + 1,), int32.
    first_entry
        First entry of each hex, shape (H,), int32; -1 for none.
    entries
        Route, position and next entry of the same hex, shape (E, 3), int32.
    best_s
        Work space: seconds of the best ride to each column, shape (C,), float32.
    """

    counts: NDArray[np.int64]
    column_of: NDArray[np.int32]
    hex_of: NDArray[np.int32]
    row_of: NDArray[np.int32]
    stop_of: NDArray[np.int32]
    calls: NDArray[np.int32]
    onward_s: NDArray[np.float32]
    filled: NDArray[np.int64]
    open_quanta: NDArray[np.int32]
    open_limit_s: NDArray[np.float32]
    listed: NDArray[np.int32]
    first_entry: NDArray[np.int32]
    entries: NDArray[np.int32]
    best_s: NDArray[np.float32]


class RouteCache(NamedTuple):
    """
    What one route contributes hex by hex, and what stops could bring to it, while moves on it are tried.

    *Rows* number the R hexes of the route. `owlbus.kernels.route_cache` names the places in `counts`.

    Attributes
    ----------
    counts
        Rows, positions, listed pairs, misses, meets, how often a route was cached, the version of the gains, the `OtherRoutes` that they
        belong to, and joined meets, shape (9,), int64.
    row_hex, row_of
        Hex of each row, shape (R,), int32; and row of each hex, shape (H,), int32, -1 for none.
    position_of, stops
        Position of each stop, shape (S,), int32, -1 for none; and stop of each position, shape (M,), int32.
    first_of, positions
        First entry of each row, shape (R + 1,), int64; and position of each entry, shape (E,), int32.
    row_quanta
        Trips that each row serves in 1/1024, shape (R,), int64.
    first_pair, pairs
        First listed pair of each row, shape (R,), int32, -1 for none; and served pairs of rows: the other row, trips in 1/1024, next pair
        of the same row, int32.
    misses
        Trips to columns that are not served: row, column, direction, int32.
    miss_quanta, miss_limit_s
        Their trips in 1/1024, int32, and the longest ride that would serve them in seconds, float32.
    excess_quanta
        Trips in 1/1024 whose rides are too long by at most so many steps of `SHORTCUT_S`, int64.
    meets
        Positions where other routes call too, and their rows in `OtherRoutes.onward_s`, shape (M, 2), int32.
    stop_gains
        Of each stop: what it can bring in 1/1024 by the route's own meets, and by any; the version of gains and the joined meets when it
        was computed; shape (S, 4), int64.
    meet_gains
        Of each stop: what changing there can open in 1/1024, and the version of the cache then; shape (S, 2), int64.
    is_new, lost_positions
        Work space of zeros by hex: on the changed route's new stops, uint8; and positions lost, int32; shape (H,).
    is_kept
        Work space of zeros: whether the changed route keeps each position, shape (M,), uint8.
    new_stops, new_hexes, lost_rows
        Work space: lists of what the changed route brings and loses, int32.
    is_lost
        Work space of zeros: whether a row is lost, shape (R,), uint8.
    reach_s
        Work space: seconds between a stop and each column, shape (C,), float32.
    came_quanta
        Trips in 1/1024 with hexes that came onto the route, ever growing: by how much it grew counts; shape (H,), int64.
    joined
        Stops where the route came to meet other routes while the gains hold, int32.
    known_keys, known_gains
        Routes valued beside these other routes by hash, uint64; and the trips and people that they add in 1/1024, int64.
    """

    counts: NDArray[np.int64]
    row_hex: NDArray[np.int32]
    row_of: NDArray[np.int32]
    position_of: NDArray[np.int32]
    stops: NDArray[np.int32]
    first_of: NDArray[np.int64]
    positions: NDArray[np.int32]
    row_quanta: NDArray[np.int64]
    first_pair: NDArray[np.int32]
    pairs: NDArray[np.int32]
    misses: NDArray[np.int32]
    miss_quanta: NDArray[np.int32]
    miss_limit_s: NDArray[np.float32]
    excess_quanta: NDArray[np.int64]
    meets: NDArray[np.int32]
    stop_gains: NDArray[np.int64]
    meet_gains: NDArray[np.int64]
    is_new: NDArray[np.uint8]
    lost_positions: NDArray[np.int32]
    is_kept: NDArray[np.uint8]
    new_stops: NDArray[np.int32]
    new_hexes: NDArray[np.int32]
    lost_rows: NDArray[np.int32]
    is_lost: NDArray[np.uint8]
    reach_s: NDArray[np.float32]
    came_quanta: NDArray[np.int64]
    joined: NDArray[np.int32]
    known_keys: NDArray[np.uint64]
    known_gains: NDArray[np.int64]
