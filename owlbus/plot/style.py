"""Classes of hexes and styles and lines of routes, shared by maps, charts and pages."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.palette import HEX_COLOURS, ROUTE_COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan import Plan, Route

WITHIN_SHARE = 0.5
"""Share of a hex's area within the walk from which a map shows the hex as within it; below it shows a part, and 0 is beyond."""

DIFFERENCE_KINDS = ("both", "gained", "gainedPart", "lost", "lostPart", "neither")
"""Kinds of hexes that `difference_kinds` tells apart."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))


def people_classes(people: ArrayLike, min_count: float = MIN_COUNT) -> tuple[NDArray[np.int8], list[float]]:
    """
    Class of each hex by its printed count of people.

    Edges are round multiples of the base that split the busy hexes into about equal parts, so they come from printed counts alone.

    Parameters
    ----------
    people
        People a night in each hex, any shape.
    min_count
        People a night of which printed counts are multiples, and the first edge; -1 for open data, whose first edge is one person.

    Returns
    -------
    classes
        Same shape; 0 for few people or none, at most one fewer than there are colours.
    edges
        People a night at which the classes above 0 begin, ascending.

    Raises
    ------
    PrivacyError
        If `min_count` protects nobody.

    Examples
    --------
    >>> classes, edges = people_classes([0, 14, 15, 44, 90, 300], 15)
    >>> classes.tolist(), edges
    ([0, 0, 1, 2, 4, 5], [15.0, 30.0, 45.0, 75.0, 150.0])
    """
    publisher = Publisher(min_count)
    printed = publisher.counts(people)
    base = float(max(publisher.base, 1.0))
    edges = [base]
    busy = printed[printed >= base]
    for value in np.quantile(busy, np.linspace(0, 1, len(HEX_COLOURS))[1:-1]).tolist() if busy.size else ():
        edge = max(1, round(_rounded(value) / base)) * base if publisher.base else _rounded(value)
        if edge > edges[-1]:
            edges.append(edge)
    return np.searchsorted(np.asarray(edges), printed, side="right").astype(np.int8), edges


def difference_kinds(reached: NDArray[np.float64], was_reached: NDArray[np.float64]) -> NDArray[np.int8]:
    """
    Index into `DIFFERENCE_KINDS` of each hex, by how much more or less of its area the new plan reaches.

    A change by half of the hex or more is gained or lost, a smaller one is so in part. A hex of which both plans reach the same share is
    reached by both, or by neither.

    Parameters
    ----------
    reached, was_reached
        Share of each hex within the walk of the new and of the old plan, shape (H,), 0 to 1.

    Returns
    -------
    ndarray of int8
        Shape (H,), in [0, 6).

    Examples
    --------
    >>> import numpy as np
    >>> now, before = np.array([0.3, 0.8, 0.8, 0.1, 0.7, 0.0]), np.array([0.3, 0.2, 0.5, 0.9, 0.8, 0.0])
    >>> difference_kinds(now, before).tolist()
    [0, 1, 2, 3, 4, 5]
    """
    change = reached - was_reached
    found = [change >= WITHIN_SHARE, change > 0, change <= -WITHIN_SHARE, change < 0, reached > 0]
    kinds = [DIFFERENCE_KINDS.index(name) for name in ("gained", "gainedPart", "lost", "lostPart", "both")]
    return np.select(found, kinds, DIFFERENCE_KINDS.index("neither")).astype(np.int8)


def class_texts(
    edges: Sequence[float], fewer: str = "fewer than {0}", between: str = "{0} to {1}", more: str = "{0} and more"
) -> list[str]:
    """
    Names of the classes, fewest people first.

    Parameters
    ----------
    edges
        From `people_classes`, people a night.
    fewer, between, more
        Patterns in the reader's language.

    Returns
    -------
    list of str
        One more than there are edges.

    Examples
    --------
    >>> class_texts([15, 40])
    ['fewer than 15', '15 to 40', '40 and more']
    """
    shown = [f"{edge:,.0f}" for edge in edges]
    return [fewer.format(shown[0]), *(between.format(*pair) for pair in pairwise(shown)), more.format(shown[-1])]


def route_style(k: int) -> tuple[str, Any]:
    """
    Colour and dashes of route `k`.

    Parameters
    ----------
    k
        Index of the route in its plan.

    Returns
    -------
    tuple
        Colour, and dashes as matplotlib takes them, in line widths.
    """
    cycle, index = divmod(k, len(ROUTE_COLOURS))
    return ROUTE_COLOURS[index], DASHES[cycle % len(DASHES)]


def users_of_links(plan: Plan) -> dict[tuple[int, int], list[int]]:
    """
    Routes that run along each pair of stops.

    Parameters
    ----------
    plan
        The routes.

    Returns
    -------
    dict
        Indices of the routes, ascending, by pair of stop indices, the lower first.
    """
    users: dict[tuple[int, int], list[int]] = {}
    for k, route in enumerate(plan):
        for a, b in {(min(pair), max(pair)) for pair in route.segments}:
            users.setdefault((a, b), []).append(k)
    return users


def route_lines(network: Network, plan: Plan, lane_m: float = 0.0) -> list[NDArray[np.float64]]:
    """
    Line of each route along its streets, side by side with others on the same street.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    lane_m
        Metres between two routes on one street.

    Returns
    -------
    list of ndarray
        Points in the grid's projection, metres, shape (n, 2) each.
    """
    users = users_of_links(plan)
    lines = []
    for k, route in enumerate(plan):
        parts = []
        for a, b in _in_order(route):
            line = network.link_line(a, b)
            routes_on_link = users[min(a, b), max(a, b)]
            lane = (routes_on_link.index(k) - (len(routes_on_link) - 1) / 2) * (1 if a < b else -1)
            parts.append(beside(np.stack(network.grid.project(line[:, 0], line[:, 1]), axis=-1), lane * lane_m))
        lines.append(np.concatenate(parts))
    return lines


def _in_order(route: Route) -> list[tuple[int, int]]:
    """Segments of a route, those of a way back of its own from its first stop on."""
    n = route.n_stops - 1
    return route.segments[:n] + route.segments[n:][::-1]


def beside(line: NDArray[np.float64], shift_m: float) -> NDArray[np.float64]:
    """
    Line moved sideways, to the left of its direction of travel.

    Parameters
    ----------
    line
        Points in metres, shape (n, 2).
    shift_m
        Metres to move; to the right if negative.

    Returns
    -------
    ndarray of float64
        Shape (n, 2).
    """
    dx, dy = line[-1] - line[0]
    length = math.hypot(dx, dy)
    return line + np.array([-dy, dx]) / length * shift_m if length > 0 else line


def _rounded(value: float) -> float:
    """Value to two significant figures at most, the second one 0 or 5."""
    unit = 10.0 ** math.floor(math.log10(value))
    return round(value / unit * 2) / 2 * unit if value >= 1 else value
