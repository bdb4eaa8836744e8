"""Input of the bound where people count by area, as figures are published: points of hexes, those with the same stops as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError, setting
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.network.walk_sheds import points_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.kernels.structs import Graph
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem


def require_presence(objective: Objective) -> None:
    """
    Refuse trips where figures by area are bounded.

    Parameters
    ----------
    objective
        What a plan is worth.

    Raises
    ------
    UsageError
        If trips or their travel time count.
    """
    if objective.trips or objective.counts_journeys:
        msg = f"{setting('by_area')} bounds the people reached, and needs the {setting('objective')} presence; leave it out for trips"
        raise UsageError(msg, setting="by_area", value=str(objective))


def point_sheds(problem: Problem, demand: Demand) -> tuple[Graph, NDArray[np.float64]]:
    """
    Stop network whose sheds hold classes of points instead of hexes.

    Points of area within the walk of the same stops are reached together, so they are one class. Points without people, or without a stop,
    are left out.

    Parameters
    ----------
    problem
        Network of S stops.
    demand
        People by hex.

    Returns
    -------
    graph
        Links as they are; ``shed_hex`` holds the C classes within the walk of each stop, those with most people first.
    people
        People of each class in 1/1024, shape (C,), float64, > 0; parts of one, since a point has an equal part of the people of its hex.
    """
    points = points_of(problem.network)
    n_stops = problem.network.n_stops
    stop = np.repeat(np.arange(n_stops), np.diff(points.indptr))
    order = np.lexsort((stop, points.point))
    stop, (used, first, count) = stop[order], np.unique(points.point[order], return_index=True, return_counts=True)
    of_point = demand.presence_by_hex()[used // points.n_points] * QUANTA_PER_TRIP / points.n_points
    class_of = _classes(stop, first, count, n_stops)
    people = np.bincount(class_of, weights=of_point).astype(np.float64)
    kept = np.flatnonzero(people > 0)
    row_of = np.full(used.size, -1)
    row_of[np.unique(class_of, return_index=True)[1][kept]] = np.arange(kept.size)  # one point stands for its class
    rows = np.repeat(row_of, count)
    stops, rows = stop[rows >= 0], rows[rows >= 0]
    in_shed = np.lexsort((rows, -people[kept][rows], stops))
    indptr = np.searchsorted(stops[in_shed], np.arange(n_stops + 1)).astype(np.int64)
    return problem.graph._replace(shed_indptr=indptr, shed_hex=rows[in_shed].astype(np.int32)), people[kept]


def _classes(stop: NDArray[np.int64], first: NDArray[np.int64], count: NDArray[np.int64], n_stops: int) -> NDArray[np.int64]:
    """Class of each point: points have one class if their stops, which lie in rows from `first` on, are the same."""
    found = np.zeros(count.size, np.int64)
    for place in range(int(count.max(initial=0))):
        has = count > place
        there = np.full(count.size, n_stops, np.int64)
        there[has] = stop[first[has] + place]
        found = np.unique(found * (n_stops + 1) + there, return_inverse=True)[1].ravel()
    return found
