"""Choose the stops of each line of a GTFS feed: the pattern with most departures, laid on the links of a network."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.plan import Route, route_links

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.network import Network

FAR = -1
"""Stop of a run that lies too far from the network."""


class Run(NamedTuple):
    """
    One run of a feed.

    Attributes
    ----------
    back
        Whether it serves its line in the second direction.
    block
        Name of its bus, or None.
    start
        Start in seconds.
    stops
        Stop indices, no two equal ones in a row; `FAR` for a stop far from the network.
    arrive, depart
        Seconds after the start at each stop, 0 at the first.
    at_m
        Metres from the first stop, or NaN.
    """

    back: bool
    block: str | None
    start: int
    stops: tuple[int, ...]
    arrive: tuple[int, ...]
    depart: tuple[int, ...]
    at_m: tuple[float, ...]


class Line(NamedTuple):
    """
    Line of a feed on a network.

    Attributes
    ----------
    route
        Its stops.
    calls
        Position on the route of each stop of the chosen pattern, in the order of the route.
    runs
        Its runs: those of the chosen pattern, and of the other direction's.
    """

    route: Route
    calls: tuple[int, ...]
    runs: list[Run]


def lines_of(network: Network, runs: Mapping[str, Sequence[Run]], names: Mapping[str, str], notes: list[str]) -> list[Line]:
    """
    Lines of a feed that run on a network; the others are named in the notes.

    Of each line and direction, the pattern with most departures is taken; the direction with more of them gives the stops of the route.
    Where two stops in a row have no link both ways, the route takes the fastest way between them.

    Parameters
    ----------
    network
        The network of the runs' stops.
    runs
        Runs by id of the line.
    names
        Name of each line by its id; lines of one name get their id too.
    notes
        List to which a sentence on each line is added that is left out, or read in part.

    Returns
    -------
    list of Line
        In the order of `names`.

    Raises
    ------
    DataError
        If no line is left.
    """
    ids = [line for line in names if runs.get(line)]
    count = Counter(names[line] for line in ids)
    made, reasons = [], []
    for line in ids:
        name = names[line] if count[names[line]] == 1 else f"{names[line]} ({line})"
        try:
            made.append(_line(network, name, runs[line], notes))
        except DataError as error:
            reasons.append(str(error))
            notes.append(f"line {name!r} is left out, with {_departures(len(runs[line]))}: {error}")
    if not made:
        msg = reasons[0] if len(reasons) == 1 else f"none of {len(reasons)} lines lies on the network, first: {reasons[0]}"
        raise DataError(msg)
    return made


def _line(network: Network, name: str, runs: Sequence[Run], notes: list[str]) -> Line:
    """Line of these runs."""
    count = Counter((run.back, run.stops) for run in runs)
    usable = {key: n for key, n in count.items() if FAR not in key[1]}
    if not usable:
        n_far = len({stop for run in runs for stop in run.stops if stop == FAR})
        msg = f"every pattern has a stop too far from the network ({len(count)} patterns)" if n_far else "no run has two stops"
        raise DataError(msg)
    taken = {back: _commonest(usable, back=back) for back in (False, True)}
    base = max((False, True), key=lambda back: 0 if taken[back] is None else usable[back, taken[back]])
    stops = taken[base]
    assert stops is not None  # noqa: S101  # one of the two directions has a pattern
    reverse = (not base, stops[::-1])
    if usable.get(reverse, 0) == (0 if taken[not base] is None else usable[not base, taken[not base]]) and reverse in usable:
        taken[not base] = stops[::-1]
    other = taken[not base]
    ridden, calls = _on_links(network, stops[:: -1 if base else 1], name)
    kept = [run for run in runs if run.stops == taken[run.back]]
    if other is not None and other != stops[::-1]:
        unlike = len(set(other) ^ set(stops))
        notes.append(f"line {name!r}: its two directions differ at {unlike} stops, both are read with the stops of the one with more runs")
    if len(kept) < len(runs):
        notes.append(
            f"line {name!r} leaves out {_departures(len(runs) - len(kept))} of {len(runs):,}: {_variants(usable, taken, len(count))}"
        )
    if len(ridden) > len(stops):
        notes.append(f"line {name!r} passes {len(ridden) - len(stops)} more stops of the network than the feed names")
    return Line(Route(ridden, name), calls, kept)


def _commonest(usable: Mapping[tuple[bool, tuple[int, ...]], int], *, back: bool) -> tuple[int, ...] | None:
    """Pattern of a direction with most departures, the longer one of equals; None without any."""
    patterns = [(n, len(stops), stops) for (way, stops), n in usable.items() if way == back]
    return max(patterns)[2] if patterns else None


def _variants(usable: Mapping[tuple[bool, tuple[int, ...]], int], taken: Mapping[bool, tuple[int, ...] | None], n_patterns: int) -> str:
    """What the patterns that are not taken would add."""
    served = {stop for stops in taken.values() for stop in stops or ()}
    others = [stops for back, stops in usable if stops != taken[back]]
    more = len({stop for stops in others for stop in stops} - served)
    far = n_patterns - len(usable)
    text = f"{n_patterns - sum(stops is not None for stops in taken.values())} other patterns, which would add {more} stops"
    return text + (f" and lie off the network in {far} cases" if far else "")


def _departures(number: int) -> str:
    """Number of departures as words."""
    return f"{number:,} departure{'s' * (number != 1)}"


def _on_links(network: Network, stops: Sequence[int], name: str) -> tuple[list[int], tuple[int, ...]]:
    """Stops with the fastest way where two in a row have no link both ways, and the position of each given stop."""
    ridden, calls = [stops[0]], [0]
    for start, end in itertools.pairwise(stops):
        ridden += _way(network, start, end, name)
        calls.append(len(ridden) - 1)
    return ridden, tuple(calls)


def _way(network: Network, start: int, end: int, name: str) -> list[int]:
    """Stops after `start` up to `end`, on links that are driven both ways."""
    if _is_linked(network, [start, end]):
        return [end]
    for path in (network.shortest_path(start, end).tolist(), network.shortest_path(end, start).tolist()[::-1]):
        if len(path) > 1 and _is_linked(network, path):
            return [int(stop) for stop in path[1:]]
    msg = f"route {name!r}: no way on links leads both ways between two of its stops; use the network that the feed was made for"
    raise DataError(msg)


def _is_linked(network: Network, stops: Sequence[int]) -> bool:
    """Whether each stop has a link to the next, and back."""
    row = np.asarray(stops)
    try:
        for way in (row, row[::-1]):
            route_links(network, way)
    except DataError:
        return False
    return True
