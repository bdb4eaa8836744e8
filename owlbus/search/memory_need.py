"""Memory that a search takes, computed before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.common.errors import setting
from owlbus.common.memory import GB, memory_at_hand, memory_in_use, require_at_hand
from owlbus.network.drive_times import SHORT_STOPS, pair_bytes
from owlbus.network.network import UNREACHABLE
from owlbus.search.problem import has_symmetric_times

if TYPE_CHECKING:
    from owlbus.network import Network

_PROCESS = 500e6
"""Bytes of the interpreter, its libraries and compiled kernels."""

_METRES = 2**27
"""Bytes of the shortest metres that a start keeps, at most."""

_STOPS_A_ROUTE = 60
"""Stops of a usual route of 45 km."""

_PAIR_OF_STOPS, _PAIR_OF_HEXES, _STOP = 90, 20, 2_000
"""Bytes for each pair of stops of a plan in its scorecard, for each pair of its hexes in a start, and for each stop of the network: a
generous estimate, 2.7 GB where a synthetic city of 20,000 hexes with 64 routes took 1.9 GB."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """
    Memory of a search and of the scorecard of its plan, estimated from its size.

    Attributes
    ----------
    n_stops
        Stops S of the network.
    n_routes, n_starts
        Routes, and starts side by side.
    n_matrices
        Matrices of drive times: 1 where every link takes as long as its reverse, else 2, one for each direction.
    pair_bytes
        Bytes of the drive time of a pair on this network; 4 in any case on networks of up to 8,192 stops.

    Examples
    --------
    >>> need = MemoryNeed(20_000, n_routes=64, n_starts=2)
    >>> need.n_bytes < 3e9, need.n_parts(3e9), MemoryNeed(100_000, 64, 2).n_parts(3e9)
    (True, 1, 4)
    """

    n_stops: int
    n_routes: int
    n_starts: int = 1
    n_matrices: int = 1
    pair_bytes: int = 2

    @property
    def drive_bytes(self) -> float:
        """Bytes of the drive times between all stops, which grow with the square of the stops."""
        return float(self.n_matrices * (self.pair_bytes if self.n_stops > SHORT_STOPS else 4) * self.n_stops**2)

    @property
    def n_bytes(self) -> float:
        """Bytes at the peak, the interpreter's among them."""
        reached = min(self.n_stops, _STOPS_A_ROUTE * self.n_routes)
        start = min(_METRES, 4 * self.n_stops**2) + _PAIR_OF_HEXES * self.n_matrices * reached**2
        return _PROCESS + _STOP * self.n_stops + self.drive_bytes + max(self.n_starts * start, _PAIR_OF_STOPS * reached**2)

    def n_parts(self, n_bytes: float) -> int:
        """Fewest parts of equal size, planned one after the other, each of which fits into so many bytes; 0 if none does."""
        for n_parts in range(1, self.n_stops + 1):
            part = replace(self, n_stops=-(-self.n_stops // n_parts), n_routes=-(-self.n_routes // n_parts))
            if part.n_bytes <= n_bytes:
                return n_parts
        return 0

    def most_stops(self, n_bytes: float) -> int:
        """Most stops of a network on which the same search fits into so many bytes; 0 if none does."""
        low, high = 0, self.n_stops
        while low < high:
            middle = (low + high + 1) // 2
            fits = replace(self, n_stops=middle).n_bytes <= n_bytes
            low, high = (middle, high) if fits else (low, middle - 1)
        return low


def require_room(network: Network, n_routes: int, n_starts: int = 1) -> None:
    """
    Refuse a search that does not fit into the memory at hand, before it allocates anything.

    Parameters
    ----------
    network
        Stop network.
    n_routes, n_starts
        Routes, and starts side by side.

    Raises
    ------
    DataError
        If more bytes are needed than the machine, a control group or a resource limit leaves; it says how many, in how many parts the
        region fits, and which size of hexes does.
    """
    links = network.link_indptr, network.link_to, network.link_s
    n_matrices = 1 if has_symmetric_times(network) else 2
    need = MemoryNeed(network.n_stops, n_routes, n_starts, n_matrices, pair_bytes(*links, int(UNREACHABLE)))
    at_hand, in_use = memory_at_hand(), memory_in_use()
    if at_hand is None or need.n_bytes <= at_hand + in_use:  # what an earlier search left, such as drive times, is used again
        return
    what = f"a search on {need.n_stops:,} stops with {n_routes} routes ({need.drive_bytes / GB:.1f} GB of it drive times between all stops)"
    require_at_hand(need.n_bytes - in_use, what, _way_out(network, need, at_hand + in_use))


def _way_out(network: Network, need: MemoryNeed, n_bytes: float) -> str:
    """Say what fits into so many bytes."""
    parts, stops = need.n_parts(n_bytes), need.most_stops(n_bytes)
    if not parts:
        return "use a machine with more memory"
    hexes = ""
    if stops:
        radius_m = math.ceil(network.grid.radius_m * math.sqrt(need.n_stops / stops) / 50) * 50
        hexes = f"use larger hexes, {setting('radius_m', radius_m)}, for about {stops:,} stops, or "
    return f"{hexes}plan {parts} parts one by one, each with an {setting('area')} of about {-(-need.n_stops // parts):,} stops"
