"""Choose the stops of each line of a GTFS feed: a pattern of each direction, laid on the links of a network."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.text import how_many
from owlbus.plan import Route, route_links

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from owlbus.network import Network

    Counts = Mapping[tuple[bool, tuple[int, ...]], int]

FAR = -1
"""Stop of a run that lies too far from the network."""

COMMONEST, LONGEST = "commonest", "longest"
PATTERNS = (COMMONEST, LONGEST)
"""Which pattern of a line and direction is taken: that with most departures, or that with most metres."""

_LISTED = 3
_ENDS = 2


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
        Position of each stop of the chosen pattern in its direction's order of service, by direction: False for the first, True for the
        way back.
    runs
        Its runs: those of the chosen patterns.
    """

    route: Route
    calls: Mapping[bool, tuple[int, ...]]
    runs: list[Run]


def lines_of(
    network: Network,
    runs: Mapping[str, Sequence[Run]],
    names: Mapping[str, str],
    notes: list[str],
    pattern: str = COMMONEST,
    two_way: Collection[str] = (),
) -> list[Line]:
    """
    Lines of a feed that run on a network; the others are named in the notes.

    Of each line and direction, one pattern is taken. Where two stops in a row have no link, the route takes the fastest way between
    them. A line whose directions serve the same stops in reverse is a route there and back; another one has a way back of its own, or
    none.

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
    pattern
        Which pattern is taken: ``commonest``, with most departures, or ``longest``, with most metres.
    two_way
        Ids of lines that run back over their own stops, also where no run does in these hours.

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
            made.append(_line(network, name, _in_directions(runs[line]), notes, pattern, runs_back=line in two_way))
        except DataError as error:
            reasons.append(str(error))
            notes.append(f"line {name!r} is left out, with {departures(len(runs[line]))}: {error}")
    if not made:
        msg = reasons[0] if len(reasons) == 1 else f"none of {len(reasons)} lines lies on the network, first: {reasons[0]}"
        raise DataError(msg)
    return made


def _line(network: Network, name: str, runs: Sequence[Run], notes: list[str], pattern: str, *, runs_back: bool) -> Line:
    """Line of these runs."""
    count = Counter((run.back, run.stops) for run in runs)
    usable = {key: n for key, n in count.items() if FAR not in key[1]}
    if not usable:
        msg = f"every pattern has a stop too far from the network ({len(count)} patterns)"
        raise DataError(msg)
    rank = usable if pattern == COMMONEST else {key: _metres(network, key[1], name) for key in usable}
    taken = _taken(usable, rank)
    kept = [run for run in runs if run.stops == taken.get(run.back)]
    first = False in taken
    stops, other = taken[not first], taken.get(first)
    if other is None and runs_back:
        stops, other = (stops, stops[::-1]) if first else (stops[::-1], stops)
    ridden, calls = _on_links(network, stops, name)
    back: list[int] | None
    if other == stops[::-1] and _is_linked(network, ridden[::-1]):
        back, back_calls = None, tuple(len(ridden) - 1 - call for call in calls[::-1])
    elif other is None:
        back, back_calls = [], ()
        notes.append(f"line {name!r} runs in one direction only, and is measured so")
        kept = [run._replace(back=False) for run in kept]
    else:
        back, back_calls = _on_links(network, other, name)
        unlike = len(set(other) ^ set(stops))
        notes.append(f"line {name!r}: its two directions differ at {how_many(unlike, 'stop')}, each is measured on its own")
    if len(kept) < len(runs):
        notes.append(f"line {name!r} leaves out {departures(len(runs) - len(kept))} of {len(runs):,}: {_variants(count, usable, taken)}")
    more = len(ridden) - len(stops) + (len(back) - len(other) if back and other else 0)
    if more:
        notes.append(f"line {name!r} passes {more} more stops of the network than the feed names")
    return Line(Route(ridden, name, back), {False: calls, True: back_calls}, kept)


def _in_directions(runs: Sequence[Run]) -> Sequence[Run]:
    """Runs of a line; where the feed puts all in one direction, the order of stops tells those of the other."""
    if len({run.back for run in runs}) > 1:
        return runs
    stops = Counter(run.stops for run in runs).most_common(1)[0][0]
    reverse = {other: is_reversed(other, stops) for other in {run.stops for run in runs}}
    return [run._replace(back=reverse[run.stops]) for run in runs]


def is_reversed(stops: Sequence[int], order: Sequence[int]) -> bool:
    """
    Whether a run serves its line against an order of stops; most steps between shared stops decide.

    Parameters
    ----------
    stops
        Stops of the run.
    order
        Stops of another run of the line.

    Returns
    -------
    bool
        True if most steps lead back; False where as many lead ahead.
    """
    position = {stop: k for k, stop in enumerate(order) if stop != FAR}
    shared = [position[stop] for stop in stops if stop in position]
    steps = [after > before for before, after in itertools.pairwise(shared) if after != before]
    return sum(steps) * 2 < len(steps) and stops != order


def _taken(usable: Counts, rank: Counts) -> dict[bool, tuple[int, ...]]:
    """Pattern of each direction of highest rank; of equals the commonest, the one that reverses the other direction, the longer."""
    most = {back: max((rank[key], usable[key]) for key in usable if key[0] == back) for back in {key[0] for key in usable}}
    equals = {back: {key[1] for key in usable if key[0] == back and (rank[key], usable[key]) == best} for back, best in most.items()}
    reversing = {back: {stops for stops in equals[back] if stops[::-1] in equals.get(not back, ())} for back in equals}
    forward = max(reversing.get(False) or equals.get(False) or [()], key=lambda stops: (len(stops), stops))
    taken = {} if not forward else {False: forward}
    if True in equals:
        taken[True] = max(equals[True], key=lambda stops: (stops == forward[::-1], len(stops), stops))
    return taken


def _metres(network: Network, stops: Sequence[int], name: str) -> int:
    """Metres of a pattern on the network; 0 where it has no way."""
    try:
        return int(route_links(network, _on_links(network, stops, name)[0])[1].sum(dtype=np.int64))
    except DataError:
        return 0


def _variants(
    count: Counts,
    usable: Counts,
    taken: Mapping[bool, tuple[int, ...]],
) -> str:
    """What the patterns that are not taken would add, those with most departures one by one."""
    served = {stop for stops in taken.values() for stop in stops}
    others = sorted((key for key in count if taken.get(key[0]) != key[1]), key=lambda key: (-count[key], key))
    more = len({stop for key in others for stop in key[1]} - served - {FAR})
    shown = [
        f"{departures(count[key])} with {how_many(len(key[1]), 'stop')}, {len(set(key[1]) - served - {FAR})} of them new"
        for key in others[:_LISTED]
    ]
    added = f"{how_many(len(others), 'other pattern')}, which would add {how_many(more, 'stop')}"
    text = f"{added} ({'; '.join(shown)}{'; …' if len(others) > _LISTED else ''})"
    far = sum(key not in usable for key in others)
    return text + (f", {far} of them off the network" if far else "")


def departures(number: int) -> str:
    """
    Number of departures as words.

    Parameters
    ----------
    number
        Departures, a count.

    Returns
    -------
    str
        Such as ``1 departure``.
    """
    return f"{number:,} departure{'s' * (number != 1)}"


def _on_links(network: Network, stops: Sequence[int], name: str) -> tuple[list[int], tuple[int, ...]]:
    """Stops with the fastest way where two in a row have no link, and the position of each given stop."""
    if len(stops) < _ENDS:
        msg = "no run has two stops of the network"
        raise DataError(msg)
    ridden, calls = [stops[0]], [0]
    for start, end in itertools.pairwise(stops):
        ridden += _way(network, start, end, name)
        calls.append(len(ridden) - 1)
    return ridden, tuple(calls)


def _way(network: Network, start: int, end: int, name: str) -> list[int]:
    """Stops after `start` up to `end`, on links."""
    if _is_linked(network, [start, end]):
        return [end]
    path = network.shortest_path(start, end)
    if len(path) > 1:
        return [int(stop) for stop in path[1:]]
    msg = f"route {name!r}: no way on links leads from stop {start} to stop {end}; use the network that the feed was made for"
    raise DataError(msg)


def _is_linked(network: Network, stops: Sequence[int]) -> bool:
    """Whether each stop has a link to the next."""
    try:
        route_links(network, np.asarray(stops))
    except DataError:
        return False
    return True
