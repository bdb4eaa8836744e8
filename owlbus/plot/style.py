"""Classes of hexes and styles and lines of routes, shared by maps, charts and pages."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import LOWEST_MIN_COUNT, MIN_COUNT, hidden_cells
from owlbus.common.palette import HEX_COLOURS, ROUTE_COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan import Plan

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))


def class_edges(people: NDArray[np.float64], min_count: float = MIN_COUNT) -> list[float]:
    """
    Lower edges of the hex classes above the lowest: round numbers that split the busy hexes into about equal parts.

    Parameters
    ----------
    people
        People a night in each hex, any shape.
    min_count
        People a night below which a hex lies in the lowest class; the first edge.

    Returns
    -------
    list of float
        People a night, ascending, at most one fewer than there are colours.

    Examples
    --------
    >>> import numpy as np
    >>> class_edges(np.arange(1001.0))
    [15.0, 200.0, 400.0, 600.0, 800.0]
    """
    min_count = max(min_count, 1.0)
    busy = people[people >= min_count]
    if not busy.size:
        return [float(min_count)]
    wanted = np.quantile(busy, np.linspace(0, 1, len(HEX_COLOURS))[1:-1])
    edges = [float(min_count)]
    for value in wanted:
        edge = _rounded(float(value))
        if edge > edges[-1]:
            edges.append(edge)
    return edges


def hex_classes(people: NDArray[np.float64], edges: Sequence[float], margins: Sequence[ArrayLike] = ()) -> NDArray[np.int8]:
    """
    Class of each hex, 0 for few people and for hexes that would reveal a small count.

    Parameters
    ----------
    people
        People a night in each hex, shape (H,).
    edges
        From `class_edges`, people a night.
    margins
        Masks of hexes whose sum is published elsewhere, shape (H,) each.

    Returns
    -------
    ndarray of int8
        Shape (H,), in [0, len(edges)].

    Examples
    --------
    >>> import numpy as np
    >>> hex_classes(np.array([3.0, 15.0, 90.0, 7.0, 6.0]), [15.0, 40.0]).tolist()
    [0, 1, 2, 0, 0]
    """
    classes = np.searchsorted(np.asarray(edges), people, side="right").astype(np.int8)
    if edges[0] >= LOWEST_MIN_COUNT:  # open data begin at one person
        classes[hidden_cells(people, margins, edges[0])] = 0
    return classes


def class_texts(
    edges: Sequence[float], fewer: str = "fewer than {0}", between: str = "{0} to {1}", more: str = "{0} and more"
) -> list[str]:
    """
    Names of the classes, fewest people first.

    Parameters
    ----------
    edges
        From `class_edges`, people a night.
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
        for a, b in {(min(pair), max(pair)) for pair in pairwise(route.stops.tolist())}:
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
        for a, b in pairwise(route.stops.tolist()):
            line = network.link_line(a, b)
            routes_on_link = users[min(a, b), max(a, b)]
            lane = (routes_on_link.index(k) - (len(routes_on_link) - 1) / 2) * (1 if a < b else -1)
            parts.append(beside(np.stack(network.grid.project(line[:, 0], line[:, 1]), axis=-1), lane * lane_m))
        lines.append(np.concatenate(parts))
    return lines


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
