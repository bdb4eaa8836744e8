"""Check a network: hard rules of its arrays, and findings for planners."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network.network import Network
    from owlbus.network.walk_sheds import WalkPoints

    Mask = NDArray[np.bool_]


MAX_KMH = 90.0
"""Fastest plausible speed of a bus between stops."""

MIN_KMH = 3.0
"""Slowest plausible speed: a link slower than a pedestrian has wrong seconds or metres."""

_KMH = 3.6

_STRAIGHT_SLACK = 0.99

_PLACE_M = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One rule and the items that break it.

    Attributes
    ----------
    rule
        The rule in words.
    count, total
        Number of items that break it, and number of all items.
    unit
        Name of the items, such as ``links``.
    first
        The first item that breaks it; empty if there is none.
    """

    rule: str
    count: int
    total: int
    unit: str
    first: str = ""

    def __str__(self) -> str:
        """Return one line: ok, or the number of items that break the rule and the first of them."""
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
        Source and size of the network.
    findings
        One for each rule, in fixed order.
    unreached_hexes
        Number of hexes outside all walk sheds.
    unreached_presence_share, unreached_trips_share
        Share, 0 to 1, of presence in such hexes and of trips with an end in one, as they are printed; None without a demand, or of few.
    """

    network: str
    findings: tuple[Finding, ...]
    unreached_hexes: int
    unreached_presence_share: float | None = None
    unreached_trips_share: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the network keeps all rules; unreached demand breaks none."""
        return not any(finding.count for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """
        Return the findings as a JSON document, with shares from 0 to 1.

        Returns
        -------
        dict
            ``passed``, ``findings`` and the unreached hexes, presence and trips.
        """
        return {
            "network": self.network,
            "passed": self.passed,
            "findings": [asdict(finding) for finding in self.findings],
            "unreached_hexes": self.unreached_hexes,
            "unreached_presence_share": self.unreached_presence_share,
            "unreached_trips_share": self.unreached_trips_share,
        }

    def __str__(self) -> str:
        """Return one line for each rule, then the unreached hexes, presence and trips."""
        lines = [
            self.network,
            *(f"  {finding}" for finding in self.findings),
            f"  {how_many(self.unreached_hexes, 'hex')} in no walk shed",
        ]
        shares = {"presence": self.unreached_presence_share, "trips": self.unreached_trips_share}
        told = " and ".join(f"{share:.1%} of {what}" for what, share in shares.items() if share is not None)
        lines += [f"  {told} are out of reach"] if told else []
        return "\n".join(lines)


def check_network(network: Network, demand: Demand | None = None, min_count: float = MIN_COUNT) -> NetworkCheck:
    """
    Check connection, speeds and lengths of a network, and the share of a demand that it cannot reach.

    Parameters
    ----------
    network
        The network.
    demand
        Trips and presence on the same grid; None to leave out their shares.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    NetworkCheck
        One finding for each rule: all stops are strongly connected, every stop has a link, stops lie in a hex, speeds lie in
        [3, 90] km/h, and links are at least as long as the straight line. The straight line joins the stops, or the ends of the
        link's geometry if these are nearer; 1 % and 60 m are allowed, since both sides of a street may be one stop.

    Examples
    --------
    >>> from owlbus.grid.hexgrid import HexGrid
    >>> from owlbus.network import Network
    >>> grid = HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7)
    >>> check_network(Network.from_lattice(grid)).passed
    True
    """
    findings = (*_stop_findings(network), *_link_findings(network))
    unreached = network.hex_stop < 0
    presence, trips = (None, None) if demand is None else _out_of_reach(unreached, demand, Publisher(min_count))
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


def _first_stop(network: Network, is_bad: NDArray[np.bool_]) -> str:
    """Index and name of the first stop that breaks a rule; empty if there is none."""
    if not is_bad.any():
        return ""
    stop = int(np.argmax(is_bad))
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
    findings = []
    for rule, is_bad in rules:
        row = int(np.argmax(is_bad)) if is_bad.any() else -1
        first = f"stop {start[row]} to stop {network.link_to[row]} ({network.link_m[row]} m, {network.link_s[row]} s)" if row >= 0 else ""
        findings.append(Finding(rule, int(is_bad.sum()), network.n_links, "links", first))
    return tuple(findings)


def _straight_m(network: Network, start: NDArray[np.int64]) -> NDArray[np.float64]:
    """Metres of the straight line of each link, between its stops or between the ends of its geometry if these are nearer."""
    x, y = network.grid.project(network.stop_lon, network.stop_lat)
    straight: NDArray[np.float64] = np.hypot(x[start] - x[network.link_to], y[start] - y[network.link_to])
    if not network.line_lon.size:
        return straight
    x, y = network.grid.project(network.line_lon, network.line_lat)
    first, last = network.line_indptr[:-1], network.line_indptr[1:] - 1
    return np.minimum(straight, np.hypot(x[first] - x[last], y[first] - y[last]))


def _out_of_reach(unreached: NDArray[np.bool_], demand: Demand, publisher: Publisher) -> tuple[float | None, float | None]:
    """Printed share of presence in unreached hexes, and of trips with an end in one; None without presence or trips."""
    presence, od = demand.presence_by_hex(), demand.od()
    lost = od.trips[unreached[od.origin] | unreached[od.destination]].sum()
    return (
        publisher.share(float(presence[unreached].sum()), float(presence.sum())),
        publisher.share(float(lost), float(od.trips.sum())),
    )


def _refuse(is_bad: Mask, rule: str) -> None:
    """Raise an error with the first row that breaks a rule, if there is one."""
    if is_bad.any():
        msg = f"{rule}, broken in row {int(np.argmax(is_bad))} ({int(is_bad.sum())} such rows)"
        raise DataError(msg)


def _require_indptr(name: str, indptr: NDArray[np.int64], n_rows: int, n_values: int) -> None:
    """Refuse row starts that do not begin at 0, rise, and end at the number of values."""
    if indptr.size != n_rows + 1 or indptr[0] != 0 or indptr[-1] != n_values or (np.diff(indptr) < 0).any():
        msg = f"{name} must rise from 0 to {n_values} over {n_rows + 1} numbers, got {indptr.size} numbers"
        raise DataError(msg)


def _falls(indptr: NDArray[np.int64], values: NDArray[np.int32]) -> Mask:
    """Whether each value is at most the one before it in its row."""
    falls = np.zeros(values.size, dtype=np.bool_)
    falls[1:] = values[1:] <= values[:-1]
    starts = indptr[:-1]
    falls[starts[starts < values.size]] = False
    return falls


def require_stops(network: Network) -> None:
    """
    Refuse an empty network, and stops with missing fields, invalid positions or an unknown hex.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    sizes = {network.stop_lon.size, network.stop_lat.size, network.stop_hex.size, len(network.stop_names), len(network.stop_names_latin)}
    if len(sizes) > 1 or not network.stop_lon.size:
        msg = f"stops need as many longitudes, latitudes, hexes and names, one stop or more, got {sorted(sizes)}"
        raise DataError(msg)
    inside = (np.abs(network.stop_lon) <= 180) & (np.abs(network.stop_lat) <= 90)  # noqa: PLR2004  # degrees; False for NaN
    _refuse(~inside, "stops must lie in lon [-180, 180] and lat [-90, 90]")
    _refuse((network.stop_hex < -1) | (network.stop_hex >= network.grid.n_hexes), f"stop_hex must lie in [-1, {network.grid.n_hexes})")


def require_links(network: Network) -> None:
    """
    Refuse links that are unsorted, that end at an unknown stop or at their start, or that lack seconds, metres or their reverse.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    n_stops, end = network.n_stops, network.link_to
    _require_indptr("link_indptr", network.link_indptr, n_stops, end.size)
    if not end.size == network.link_s.size == network.link_m.size:
        msg = f"links need as many ends, seconds and metres, got {end.size}, {network.link_s.size} and {network.link_m.size}"
        raise DataError(msg)
    start = np.repeat(np.arange(n_stops, dtype=np.int64), np.diff(network.link_indptr))
    _refuse((end < 0) | (end >= n_stops), f"link_to must lie in [0, {n_stops})")
    _refuse(_falls(network.link_indptr, end), "links must be unique and sorted by their end")
    _refuse(start == end, "a link must lead to another stop")
    _refuse((network.link_s < 1) | (network.link_m < 1), "links must take 1 s and 1 m or more")
    _refuse(~np.isin(end.astype(np.int64) * n_stops + start, start * n_stops + end), "every link must have its reverse")
    if network.line_indptr.size or network.line_lon.size or network.line_lat.size:
        if network.line_lon.size != network.line_lat.size:
            msg = f"street geometry needs as many lon as lat, got {network.line_lon.size} and {network.line_lat.size}"
            raise DataError(msg)
        _require_indptr("line_indptr", network.line_indptr, end.size, network.line_lon.size)
        _refuse(np.diff(network.line_indptr) < 2, "street geometry needs two points or more a link")  # noqa: PLR2004  # both ends


def require_hours(network: Network) -> None:
    """
    Refuse link times by hour that do not go with the links, or whose longest are not the link times.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    hours, seconds = network.hours, network.hour_link_s
    if any(later <= hour for hour, later in pairwise(hours)):
        msg = f"hours must ascend, got {hours}"
        raise DataError(msg)
    if not hours and not seconds.size:
        return
    if seconds.shape != (len(hours), network.n_links):
        msg = f"link times by hour need shape ({len(hours)}, {network.n_links}), got {seconds.shape}"
        raise DataError(msg)
    _refuse(seconds.min(axis=0) < 1, "links must take 1 s or more in every hour")
    _refuse(seconds.max(axis=0) != network.link_s, "link_s must be the longest time of each link in any hour")


def require_sheds(network: Network) -> None:
    """
    Refuse walk sheds that are unsorted, outside the grid, negative, or without the stop's own hex.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    hexes, walk = network.shed_hex, network.shed_walk_m
    _require_indptr("shed_indptr", network.shed_indptr, network.n_stops, hexes.size)
    if hexes.size != walk.size:
        msg = f"walk sheds need as many hexes as metres, got {hexes.size} and {walk.size}"
        raise DataError(msg)
    _refuse((hexes < 0) | (hexes >= network.grid.n_hexes), f"shed_hex must lie in [0, {network.grid.n_hexes})")
    _refuse(_falls(network.shed_indptr, hexes), "walk sheds must be unique and sorted by hex")
    _refuse(walk < 0, "walks must be 0 m or more")
    stop = np.repeat(np.arange(network.n_stops, dtype=np.int64), np.diff(network.shed_indptr))
    has_own_hex = np.zeros(network.n_stops, dtype=np.bool_)
    has_own_hex[stop[network.stop_hex[stop] == hexes]] = True
    _refuse(~has_own_hex & (network.stop_hex >= 0), "a stop's own hex must be in its walk shed")


def require_points(network: Network, points: WalkPoints) -> None:
    """
    Refuse points within walks that are unsorted, outside the grid or negative, or whose number is not a power of 2.

    Parameters
    ----------
    network
        The network under construction.
    points
        Its points, metres.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    indptr, point, walk, n, _ = points
    _require_indptr("points.indptr", indptr, network.n_stops, point.size)
    if point.size != walk.size:
        msg = f"points within walks need as many metres, got {point.size} and {walk.size}"
        raise DataError(msg)
    if n < 1 or n & (n - 1):
        msg = f"n_points must be a power of 2, got {n}"
        raise DataError(msg)
    _refuse((point < 0) | (point >= network.grid.n_hexes * n), f"points must lie in [0, {network.grid.n_hexes * n})")
    _refuse(_falls(indptr, point), "points must be unique and ascending for each stop")
    _refuse(walk < 0, "walks must be 0 m or more")
