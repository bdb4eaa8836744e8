"""
Whether a route is straight enough to run: the detour between any two of its stops, and stops where it turns back.

`keeps_straight` decides both. It looks at every pair of stops, unless `learn_route` has told it of a route that keeps them: then it looks
at what differs from that route. Which route is known changes no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import ZERO, inlined, inner_kernel, int32, int64, lean_kernel
from owlbus.kernels.shortest_metres import FAR_M, shortest_m
from owlbus.kernels.straight_rules import PAIR_FREE_M, SPUR_FACTOR, SPUR_M
from owlbus.kernels.structs import KnownRoute

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.keeps_limits import Limits
    from owlbus.kernels.structs import Drive, ShortestMetres


def new_known_route(width: int) -> KnownRoute:
    """
    Work space of `learn_route`, with no route known.

    Parameters
    ----------
    width
        Most stops M of a route that it can hold; longer ones stay unknown.

    Returns
    -------
    KnownRoute
        About ``8 * M**2`` bytes.
    """
    ahead_m, back_m, new_ahead_m, new_back_m = np.zeros((4, width), np.int64)
    slack_ahead_m, slack_back_m = np.zeros((2, width, width), np.int32)
    known = np.zeros(1, np.int64), np.zeros(1), np.zeros(width, np.int32)
    return KnownRoute(*known, ahead_m, back_m, new_ahead_m, new_back_m, slack_ahead_m, slack_back_m)


@inlined
def most_pair_m(fewest_m: int, ratio: float) -> int:
    """
    Most whole metres along a route between two stops whose quotient, `PAIR_FREE_M` taken off, is at most a ratio.

    Parameters
    ----------
    fewest_m
        Metres of the shortest path between them; 0 for a stop that is passed twice, which is no pair of stops.
    ratio
        Largest quotient, finite, >= 1.

    Returns
    -------
    int
        Metres, at most `FAR_M`.
    """
    product = fewest_m * ratio
    if fewest_m == 0 or product >= FAR_M - PAIR_FREE_M:
        return int(FAR_M)
    most = int(product)  # the product may be rounded across a whole number, and the quotient decides
    if (most + 1) / fewest_m <= ratio:
        most += 1
    elif most / fewest_m > ratio:
        most -= 1
    return most + PAIR_FREE_M


@inlined
def _keeps_pair(drive: Drive, ratio: float, a: int, b: int, along_m: int) -> bool:
    """Whether so many metres along a route from stop `a` to stop `b` keep a finite ratio."""
    beyond = along_m - PAIR_FREE_M
    # No path has fewer metres than its seconds at the least metres a second: most pairs need no look at the shortest path.
    if beyond <= 0 or beyond <= ratio * drive.pace_m_s * drive.towards_s[b, a]:
        return True
    fewest = shortest_m(drive.metres, a, b)
    return bool(fewest == 0 or beyond / fewest <= ratio)


@inlined
def _link_m(metres: ShortestMetres, a: int, b: int) -> int:
    """Metres of the link between two linked stops."""
    link = metres.indptr[a]
    while metres.to[link] != b:
        link += 1
    return int64(metres.cost[link])


@inlined
def _turns_back(drive: Drive, a: int, c: int, by_m: int) -> bool:
    """Whether so many metres from `a` to `c` by a stop between them are an out-and-back."""
    if by_m < SPUR_M or by_m < SPUR_FACTOR * drive.pace_m_s * drive.towards_s[c, a]:
        return False
    fewest = shortest_m(drive.metres, a, c)
    return by_m >= SPUR_FACTOR * fewest and by_m - fewest >= SPUR_M


@inner_kernel
def _keeps_all(drive: Drive, ratio: float, most_spurs: float, stops: NDArray[np.int32], n: int) -> bool:
    """Whether all pairs of stops keep a ratio, and no more than so many stops are turned back at: the plain way."""
    metres = drive.metres
    spurs = 0
    for p in range(1, n - 1):
        a, b, c = stops[p - 1], stops[p], stops[p + 1]
        ahead, back = _link_m(metres, a, b) + _link_m(metres, b, c), _link_m(metres, c, b) + _link_m(metres, b, a)
        if _turns_back(drive, a, c, ahead) or _turns_back(drive, c, a, back):
            spurs += 1
            if spurs > most_spurs:
                return False
    if ratio == np.inf:
        return True
    for i in range(n - 1):
        ahead, back = ZERO, ZERO
        for j in range(i + 1, n):
            ahead += _link_m(metres, stops[j - 1], stops[j])
            back += _link_m(metres, stops[j], stops[j - 1])
            if not (_keeps_pair(drive, ratio, stops[i], stops[j], ahead) and _keeps_pair(drive, ratio, stops[j], stops[i], back)):
                return False
    return True


@lean_kernel
def learn_route(drive: Drive, limits: Limits, k: int, stops: NDArray[np.int32], n: int) -> None:
    """
    Remember a route that keeps the limits, so that `keeps_straight` decides on its neighbours by what differs; O(n²).

    Parameters
    ----------
    drive
        Drive matrices; `known` is written.
    limits
        Limits, of which those in place `k` hold.
    k
        Place of the route.
    stops, n
        The route. One that breaks the limits, turns back or is too long for the work space is not remembered.
    """
    known, ratio = drive.known, limits.max_pair_circuity[k]
    known.n_stops[0] = 0
    if ratio == np.inf or n < 2 or n > known.stops.shape[0]:
        return
    ahead_m, back_m = known.ahead_m, known.back_m
    ahead_m[0], back_m[0] = 0, 0
    for p in range(1, n):
        ahead_m[p] = ahead_m[p - 1] + _link_m(drive.metres, stops[p - 1], stops[p])
        back_m[p] = back_m[p - 1] + _link_m(drive.metres, stops[p], stops[p - 1])
    for p in range(1, n - 1):
        a, c = stops[p - 1], stops[p + 1]
        if _turns_back(drive, a, c, ahead_m[p + 1] - ahead_m[p - 1]) or _turns_back(drive, c, a, back_m[p + 1] - back_m[p - 1]):
            return
    slack_ahead_m, slack_back_m = known.slack_ahead_m, known.slack_back_m
    for i in range(n - 1):
        for j in range(n - 1, i, -1):
            ahead = most_pair_m(shortest_m(drive.metres, stops[i], stops[j]), ratio) - (ahead_m[j] - ahead_m[i])
            back = most_pair_m(shortest_m(drive.metres, stops[j], stops[i]), ratio) - (back_m[j] - back_m[i])
            if ahead < 0 or back < 0:
                return
            if i > 0:
                ahead, back = min(ahead, slack_ahead_m[i - 1, j]), min(back, slack_back_m[i - 1, j])
            if j < n - 1:
                ahead, back = min(ahead, slack_ahead_m[i, j + 1]), min(back, slack_back_m[i, j + 1])
            slack_ahead_m[i, j], slack_back_m[i, j] = int32(ahead), int32(back)
    for p in range(n):
        known.stops[p] = stops[p]
    known.n_stops[0], known.ratio[0] = n, ratio


@inlined
def _common_ends(known: KnownRoute, stops: NDArray[np.int32], n: int, turned: int) -> tuple[int, int]:
    """How many stops a route shares with the known one at its beginning and at its end; the known one is turned round if `turned`."""
    m = known.n_stops[0]
    head, tail, most = ZERO, ZERO, min(n, m)
    while head < most and stops[head] == known.stops[m - 1 - head if turned else head]:
        head += 1
    while tail < most - head and stops[n - 1 - tail] == known.stops[tail if turned else m - 1 - tail]:
        tail += 1
    return head, tail


@inlined
def _fill_metres(drive: Drive, stops: NDArray[np.int32], n: int, head: int, tail: int, turned: int) -> None:
    """Fill the running metres of a route that shares its ends with the known one, from which they are copied."""
    known = drive.known
    m, ahead_m, back_m = known.n_stops[0], known.new_ahead_m, known.new_back_m
    one, two = (known.back_m, known.ahead_m) if turned else (known.ahead_m, known.back_m)
    ahead_m[0], back_m[0] = 0, 0
    for p in range(1, n):
        if head <= p <= n - tail:
            there, home = _link_m(drive.metres, stops[p - 1], stops[p]), _link_m(drive.metres, stops[p], stops[p - 1])
        else:
            q = p if p < head else p - n + m
            low, high = (m - 1 - q, m - q) if turned else (q - 1, q)
            there, home = one[high] - one[low], two[high] - two[low]
        ahead_m[p], back_m[p] = ahead_m[p - 1] + there, back_m[p - 1] + home


@inlined
def _keeps_across(known: KnownRoute, n: int, head: int, tail: int, turned: int) -> bool:
    """Whether pairs of a stop before the changed stretch and one behind it keep the ratio: one look at the least slack of such pairs."""
    m, i, j = known.n_stops[0], head - 1, n - tail
    q = m - tail
    ahead, back = known.new_ahead_m[j] - known.new_ahead_m[i], known.new_back_m[j] - known.new_back_m[i]
    if turned:
        low, high = m - 1 - q, m - 1 - i
        more_ahead, more_back = ahead - (known.back_m[high] - known.back_m[low]), back - (known.ahead_m[high] - known.ahead_m[low])
        return bool(more_ahead <= known.slack_back_m[low, high] and more_back <= known.slack_ahead_m[low, high])
    more_ahead, more_back = ahead - (known.ahead_m[q] - known.ahead_m[i]), back - (known.back_m[q] - known.back_m[i])
    return bool(more_ahead <= known.slack_ahead_m[i, q] and more_back <= known.slack_back_m[i, q])


@inner_kernel
def _keeps_changed(drive: Drive, ratio: float, most_spurs: float, stops: NDArray[np.int32], n: int) -> bool:
    """Whether a route keeps both where it differs from the known route, which keeps them."""
    known = drive.known
    turned = ZERO
    head, tail = _common_ends(known, stops, n, ZERO)
    turned_head, turned_tail = _common_ends(known, stops, n, ZERO + 1)
    if turned_head + turned_tail > head + tail:
        turned, head, tail = ZERO + 1, turned_head, turned_tail
    _fill_metres(drive, stops, n, head, tail, turned)
    if head > 0 and tail > 0 and not _keeps_across(known, n, head, tail, turned):
        return False
    ahead_m, back_m, spurs = known.new_ahead_m, known.new_back_m, 0
    for p in range(max(1, head - 1), min(n - 2, n - tail) + 1):
        a, c = stops[p - 1], stops[p + 1]
        if _turns_back(drive, a, c, ahead_m[p + 1] - ahead_m[p - 1]) or _turns_back(drive, c, a, back_m[p + 1] - back_m[p - 1]):
            spurs += 1
            if spurs > most_spurs:
                return False
    for p in range(head, n - tail):
        for q in range(n):
            if head <= q <= p:  # this pair has had its turn
                continue
            i, j = min(p, q), max(p, q)
            a, b = stops[i], stops[j]
            if not (_keeps_pair(drive, ratio, a, b, ahead_m[j] - ahead_m[i]) and _keeps_pair(drive, ratio, b, a, back_m[j] - back_m[i])):
                return False
    return True


@inlined
def keeps_straight(drive: Drive, limits: Limits, k: int, stops: NDArray[np.int32], n: int) -> bool:
    """
    Whether a route keeps the detour between any two of its stops, and turns back at no more stops than it may.

    Parameters
    ----------
    drive, limits
        Drive matrices and limits.
    k
        Place of the route.
    stops, n
        The route, linked both ways.

    Returns
    -------
    bool
        True if it keeps both, boundary included.
    """
    ratio, most_spurs = limits.max_pair_circuity[k], limits.max_spurs[k]
    if ratio == np.inf and most_spurs == np.inf:
        return True
    if drive.known.n_stops[0] > 0 and drive.known.ratio[0] == ratio and n <= drive.known.stops.shape[0]:
        return bool(_keeps_changed(drive, ratio, most_spurs, stops, n))
    return bool(_keeps_all(drive, ratio, most_spurs, stops, n))
