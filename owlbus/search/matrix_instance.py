"""Instances of the literature, given as matrices of link times and trips between stops, as networks and demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search.constraints import PlanConstraints
from owlbus.search.plan_routes import plan_routes
from owlbus.search.stopping import MaxSteps
from owlbus.search.travel_time_graph import check_inputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from owlbus.search.result import Result

_AREA = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.1))
_WIDE = 10**6
_STEPS = 200_000


def matrix_instance(link_s: ArrayLike, demand: ArrayLike) -> tuple[Network, Demand]:
    """
    Network and demand of an instance that is given as matrices.

    Each stop stands in a hex of its own, from which nobody walks to another stop; hexes lie anywhere. A second of a link counts as a metre,
    so that limits in metres bound seconds.

    Parameters
    ----------
    link_s
        Whole seconds from stop to stop, shape (S, S); -1 where there is no link. Every link has its reverse.
    demand
        Trips from stop to stop, shape (S, S); the diagonal is left out.

    Returns
    -------
    network, demand
        Stop i is the only one of hex i.

    Raises
    ------
    DataError
        If links or demand break a rule above.

    Examples
    --------
    >>> link_s = [[-1, 60, -1], [60, -1, 120], [-1, 120, -1]]
    >>> network, demand = matrix_instance(link_s, [[0, 1, 1], [0, 0, 2], [0, 0, 0]])
    >>> network.n_stops, network.drive_s[0].tolist(), demand.total_trips
    (3, [0, 60, 180], 4.0)
    """
    check_inputs(link_s, demand, transfer_s=0)
    links, trips = np.array(link_s, np.float64), np.array(demand, np.float64)
    np.fill_diagonal(links, -1)
    np.fill_diagonal(trips, 0)
    n_stops = len(links)
    grid = HexGrid.cover(_AREA, n_hexes=n_stops)
    tail, head = np.nonzero(links > 0)
    seconds = links[tail, head].astype(np.int32)
    network = Network(
        grid=grid,
        stop_lon=grid.lon,
        stop_lat=grid.lat,
        stop_hex=np.arange(n_stops, dtype=np.int32),
        stop_names=tuple(f"stop {stop}" for stop in range(n_stops)),
        link_indptr=np.searchsorted(tail, np.arange(n_stops + 1)).astype(np.int64),
        link_to=head.astype(np.int32),
        link_s=seconds,
        link_m=seconds,
        shed_indptr=np.arange(n_stops + 1, dtype=np.int64),
        shed_hex=np.arange(n_stops, dtype=np.int32),
        shed_walk_m=np.zeros(n_stops, np.int32),
    )
    origin, destination = (ends.astype(np.int32) for ends in np.nonzero(trips))
    return network, Demand(n_stops, origin=origin, destination=destination, trips=trips[origin, destination])


def search_travel_time(
    link_s: ArrayLike,
    demand: ArrayLike,
    n_routes: int,
    *,
    min_stops: int = 2,
    max_stops: int = 200,
    transfer_s: int = 300,
    n_steps: int = _STEPS,
    n_starts: int = 1,
    seed: int = 0,
) -> Result:
    """
    Plan of K routes on which passengers of an instance spend little time.

    This is `plan_routes` with the objective ``travel_time`` on the `matrix_instance`, as the problem is posed for Mandl's network and those
    of Mumford: routes of so many stops, free of other limits, that reach every stop, with `transfer_s` for each change. `travel_times` says
    what passengers spend on the plan.

    Parameters
    ----------
    link_s, demand
        As `matrix_instance` takes them, both of shape (S, S): seconds, and trips.
    n_routes
        Routes K, in [1, 64].
    min_stops, max_stops
        Stops on a route.
    transfer_s
        Seconds that a transfer costs.
    n_steps
        Moves to try in all starts together.
    n_starts
        Searches side by side, in threads; they share the moves.
    seed
        Seed of all random numbers, >= 0.

    Returns
    -------
    Result
        The plan and the trip-seconds that it saves; equal arguments give equal plans.

    Raises
    ------
    DataError
        If links or demand break a rule above.
    UsageError
        If a number lies outside its range.
    InfeasibleError
        If no route keeps the limits, or some stop is on none.

    References
    ----------
    .. [1] Mandl (1980), Evaluation and optimization of urban public transportation networks, European Journal of Operational Research 5.
    .. [2] Mumford (2013), New heuristic and evolutionary operators for the multi-objective urban transit routing problem, IEEE CEC.

    Examples
    --------
    >>> from owlbus import travel_times
    >>> link_s = [[-1, 60, -1], [60, -1, 120], [-1, 120, -1]]
    >>> trips = [[0, 1, 1], [0, 0, 2], [0, 0, 0]]
    >>> result = search_travel_time(link_s, trips, 1, n_steps=500)
    >>> routes = [route.stops for route in result.plan]
    >>> travel_times(link_s, trips, routes).mean_s
    120.0
    """
    network, trips = matrix_instance(link_s, demand)
    idle = np.setdiff1d(np.arange(network.n_stops), [trips.origin, trips.destination])
    return plan_routes(
        network,
        trips,
        n_routes,
        limits=RouteLimits(
            max_length_m=_WIDE,
            max_ride_s=_WIDE,
            max_circuity=_WIDE,
            min_stops=min_stops,
            max_stops=max_stops,
            max_pair_circuity=_WIDE,
            allow_spurs=True,
        ),
        constraints=PlanConstraints(required=tuple(idle.tolist())),
        rule=ServiceRule(transfer_s=transfer_s),
        objective="travel_time",
        stop_when=[MaxSteps(n_steps)],
        seed=seed,
        n_starts=n_starts,
    )
