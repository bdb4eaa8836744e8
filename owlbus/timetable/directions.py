"""How each direction of a plan rides on its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.plan import route_links
from owlbus.plan.measures import require_same_network
from owlbus.timetable.table import Direction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.timetable.settings import Operation


def plan_directions(network: Network, plan: Plan, operation: Operation) -> tuple[Direction, ...]:
    """
    Two directions per route, with seconds and metres of the network's links.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    operation
        Dwell at stops in seconds, taken from the ride to them, and whether the links' seconds have the rest in them.

    Returns
    -------
    tuple of Direction
        ``2 * k`` in the order of route k's stops, ``2 * k + 1`` against it.

    Raises
    ------
    DataError
        If the plan was made for another network, or a route rides where there is no link.
    """
    require_same_network(network, plan)
    ways = []
    for k, route in enumerate(plan.routes):
        for back in (False, True):
            stops = route.stops[:: -1 if back else 1]
            link_s, link_m = route_links(network, stops, route.name)
            depart_s = operation.run_s(np.concatenate([[0], np.cumsum(link_s, dtype=np.int64)]))
            stands_s = np.concatenate([[0], np.minimum(operation.dwell_s, np.diff(depart_s)[:-1] // 2), [0]])
            ways.append(Direction(k, back, stops, depart_s - stands_s, depart_s, np.concatenate([[0], np.cumsum(link_m)])))
    return tuple(ways)


def outer_first(network: Network, demand: Demand, plan: Plan) -> NDArray[np.bool_]:
    """
    Whether a route's first stop is its outer terminal: the one farther from the centre of people at night.

    Parameters
    ----------
    network
        The plan's network.
    demand
        People by hex; without any, trips by origin.
    plan
        The routes.

    Returns
    -------
    ndarray of bool
        Shape (K,); on a tie the first stop is the outer one.
    """
    grid = network.grid
    pairs = demand.od()
    weight = demand.presence_by_hex()
    if not weight.sum() > 0:
        weight = np.bincount(pairs.origin, pairs.trips, grid.n_hexes).astype(np.float64)
    if not weight.sum() > 0:
        weight = np.ones(grid.n_hexes)
    centre_x, centre_y = float(weight @ grid.x_m / weight.sum()), float(weight @ grid.y_m / weight.sum())
    stop_x, stop_y = grid.project(network.stop_lon, network.stop_lat)
    apart_m = np.rint(np.hypot(np.asarray(stop_x, np.float64) - centre_x, np.asarray(stop_y, np.float64) - centre_y))
    first = np.array([route.stops[0] for route in plan.routes], dtype=np.int64)
    last = np.array([route.stops[-1] for route in plan.routes], dtype=np.int64)
    outer: NDArray[np.bool_] = apart_m[first] >= apart_m[last]
    return outer
