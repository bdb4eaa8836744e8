"""The checker beside the makers of networks: what a planner wants to know before trusting one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network.model import Network

MAX_KMH = 90.0
"""No bus drives faster than this from stop to stop."""
MIN_KMH = 3.0
"""A link slower than a walker is an error in its seconds or metres."""

_KMH = 3.6
_STRAIGHT_SLACK = 0.99
_PLACE_M = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One rule and where it is broken.

    Attributes
    ----------
    rule
        What holds in a sound network.
    count, total
        How many break it, of how many.
    unit
        What is counted, such as ``links``.
    first
        The first one that breaks it, or an empty text.
    """

    rule: str
    count: int
    total: int
    unit: str
    first: str = ""

    def __str__(self) -> str:
        """Return one line: fine, or how many break the rule and the first of them."""
        if not self.count:
            return f"ok    {self.rule}"
        share = f"{self.count / self.total:.1%} of {self.total}" if self.total else "all"
        return f"BAD   {self.rule}: {self.count} {self.unit} do not ({share}), first {self.first}"


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """
    Findings on one network.

    Attributes
    ----------
    network
        Its name and size.
    findings
        One for each rule, in fixed order.
    unreached_hexes
        Hexes that no bus can reach.
    unreached_presence_share, unreached_trips_share
        Share, 0 to 1, of presence in such hexes and of trips with an end in one; None without a demand.
    """

    network: str
    findings: tuple[Finding, ...]
    unreached_hexes: int
    unreached_presence_share: float | None = None
    unreached_trips_share: float | None = None

    @property
    def passed(self) -> bool:
        """Tell whether no rule is broken; demand out of reach breaks none."""
        return not any(finding.count for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """
        Return the findings as values that JSON can hold, shares from 0 to 1.

        Returns
        -------
        dict
            ``passed``, ``findings`` and what is out of reach.
        """
        return {
            "network": self.network,
            "passed": self.passed,
            "findings": [{"rule": f.rule, "count": f.count, "total": f.total, "unit": f.unit, "first": f.first} for f in self.findings],
            "unreached_hexes": self.unreached_hexes,
            "unreached_presence_share": self.unreached_presence_share,
            "unreached_trips_share": self.unreached_trips_share,
        }

    def __str__(self) -> str:
        """Return one line for each rule, then what is out of reach."""
        lines = [self.network, *(f"  {finding}" for finding in self.findings), f"  {self.unreached_hexes} hexes lie in no walk shed"]
        if self.unreached_presence_share is not None and self.unreached_trips_share is not None:
            lines.append(
                f"  {self.unreached_presence_share:.1%} of presence and {self.unreached_trips_share:.1%} of trips are out of reach"
            )
        return "\n".join(lines)


def check_network(network: Network, demand: Demand | None = None) -> NetworkCheck:
    """
    Check connection, speeds and lengths of a network, and what of a demand it cannot reach.

    Parameters
    ----------
    network
        The network.
    demand
        Trips and presence on the same grid, to see how much lies out of reach.

    Returns
    -------
    NetworkCheck
        One finding for each rule: seconds between all stops exist, every stop has a link, speeds lie in
        [3, 90] km/h, links are no shorter in metres than the straight line (slack 1 %
        and 60 m, since both sides of a street may be one stop) between their stops, or between the ends of their own line where
        these are nearer, as on the other carriageway; stops lie in a hex.

    Examples
    --------
    >>> from owlbus.hexgrid import HexGrid
    >>> from owlbus.network import Network
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> check_network(Network.from_lattice(grid)).passed
    True
    """
    findings = (*_stop_findings(network), *_link_findings(network))
    unreached = network.hex_stop < 0
    presence, trips = (None, None) if demand is None else _out_of_reach(unreached, demand)
    return NetworkCheck(repr(network), findings, int(unreached.sum()), presence, trips)


def _stop_findings(network: Network) -> tuple[Finding, ...]:
    """Check the stops."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n_stops = network.n_stops
    graph = csr_array((np.ones(network.n_links, dtype=np.int8), network.link_to, network.link_indptr), shape=(n_stops, n_stops))
    _, part = connected_components(graph, directed=True, connection="strong")
    outside = part != np.argmax(np.bincount(part))
    alone = np.diff(network.link_indptr) == 0
    rules = (("all stops are strongly connected", outside), ("every stop has a link", alone), ("stops lie in a hex", network.stop_hex < 0))
    return tuple(Finding(rule, int(bad.sum()), n_stops, "stops", _first_stop(network, bad)) for rule, bad in rules)


def _first_stop(network: Network, bad: NDArray[np.bool_]) -> str:
    """Name of the first bad stop, or nothing."""
    if not bad.any():
        return ""
    stop = int(np.argmax(bad))
    return f"stop {stop} ({network.stop_names[stop]})"


def _link_findings(network: Network) -> tuple[Finding, ...]:
    """Check the links."""
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    straight = _straight_m(network, start)
    kmh = network.link_m / network.link_s * _KMH
    rules = (
        (f"links run at {MAX_KMH:g} km/h at most", kmh > MAX_KMH),
        (f"links run at {MIN_KMH:g} km/h or more", kmh < MIN_KMH),
        ("links are as long as the straight line or longer", network.link_m + _PLACE_M < _STRAIGHT_SLACK * straight),
    )
    found = []
    for rule, bad in rules:
        at = int(np.argmax(bad)) if bad.any() else -1
        first = f"stop {start[at]} to stop {network.link_to[at]} ({network.link_m[at]} m, {network.link_s[at]} s)" if at >= 0 else ""
        found.append(Finding(rule, int(bad.sum()), network.n_links, "links", first))
    return tuple(found)


def _straight_m(network: Network, start: NDArray[np.int64]) -> NDArray[np.float64]:
    """Metres of the straight line of each link: between its stops, or the ends of its line where these are nearer."""
    x, y = network.grid.project(network.stop_lon, network.stop_lat)
    straight: NDArray[np.float64] = np.hypot(x[start] - x[network.link_to], y[start] - y[network.link_to])
    if not network.line_lon.size:
        return straight
    x, y = network.grid.project(network.line_lon, network.line_lat)
    first, last = network.line_indptr[:-1], network.line_indptr[1:] - 1
    return np.minimum(straight, np.hypot(x[first] - x[last], y[first] - y[last]))


def _out_of_reach(unreached: NDArray[np.bool_], demand: Demand) -> tuple[float, float]:
    """Share of presence in hexes out of reach, and of trips with an end in one; 0 where there is none."""
    presence, od = demand.presence_by_hex(), demand.od()
    lost = od.trips[unreached[od.origin] | unreached[od.destination]].sum()
    return (
        float(presence[unreached].sum() / presence.sum()) if presence.sum() > 0 else 0.0,
        float(lost / od.trips.sum()) if od.trips.sum() > 0 else 0.0,
    )
