"""Travel time that a plan saves, each trip on the fastest journey between the stops nearest to its hexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import UsageError
from owlbus.kernels.travel_time_cost import LANES, NEVER, close

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.plan import Plan
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem


def stop_trips(problem: Problem) -> NDArray[np.int64]:
    """
    Trips by the stops nearest to their hexes.

    Parameters
    ----------
    problem
        Network of S stops, and demand.

    Returns
    -------
    ndarray of int64
        Trips in 1/1024 a night from stop to stop, shape (S, S); the diagonal is 0, since a trip around one stop needs no bus.
    """
    n_stops, (rows, columns, quanta) = problem.network.n_stops, problem.trips
    stop = problem.network.hex_stop[problem.hexes].astype(np.int64)
    pairs = stop[rows] * n_stops + stop[columns]
    trips = np.zeros(n_stops * n_stops, np.int64)
    np.add.at(trips, pairs, quanta)
    square = trips.reshape(n_stops, n_stops)
    np.fill_diagonal(square, 0)
    return square


def n_bus_quanta(problem: Problem) -> int:
    """
    Trips that need a bus: all but those between hexes with one nearest stop.

    Parameters
    ----------
    problem
        Network and demand.

    Returns
    -------
    int
        In 1/1024 a night; trips from or to hexes out of reach are among them.
    """
    rows, columns, quanta = problem.trips
    stop = problem.network.hex_stop[problem.hexes]
    return problem.total_trips_quanta - int(quanta[stop[rows] == stop[columns]].sum(dtype=np.int64))


def most_saved(problem: Problem) -> int:
    """
    Travel time that a plan without any travel time would save.

    Parameters
    ----------
    problem
        Network, demand and rule.

    Returns
    -------
    int
        Trip-seconds in 1/1024 a night, >= 1.
    """
    return max(1, n_bus_quanta(problem) * problem.rule.unserved_s)


def saved_by(problem: Problem, plan: Plan) -> int:
    """
    Travel time that a plan saves, computed from scratch.

    Parameters
    ----------
    problem
        Network, demand and rule.
    plan
        The plan.

    Returns
    -------
    int
        Trip-seconds in 1/1024 a night: what each trip takes less than `ServiceRule.unserved_s`.
    """
    called, times_s = _journeys(problem, plan)
    row_of = np.full(problem.network.n_stops, -1)
    row_of[called] = np.arange(called.size)
    rows, columns, quanta = problem.trips
    row_of_hex = row_of[problem.network.hex_stop[problem.hexes]]
    start, end = row_of_hex[rows], row_of_hex[columns]
    rides = (start >= 0) & (end >= 0) & (start != end)
    saved_s = problem.rule.unserved_s - times_s[start[rides], end[rides]].astype(np.int64)
    return int((quanta[rides] * np.maximum(saved_s, 0)).sum())


def mean_travel_s(
    problem: Problem, plan: Plan, bands: Sequence[tuple[tuple[int, ...], Problem]] = (), demand: Demand | None = None
) -> float:
    """
    Mean travel time of all trips that need a bus, riding and transfers.

    Parameters
    ----------
    problem
        Network, demand and rule.
    plan
        The plan.
    bands
        Hours with the same link times, and the problem with these; one or none where links take as long in every hour.
    demand
        The trips by hour, needed with several bands.

    Returns
    -------
    float
        Seconds; a trip without a journey counts `ServiceRule.unserved_s`, a slower journey as none. 0 if no trip needs a bus.
    """
    parts = [problem]
    if demand is not None and len(bands) > 1:
        parts = [band.with_trips(demand.slice(hours=[hour for hour in hours if hour in demand.hours])) for hours, band in bands]
    n_quanta = sum(n_bus_quanta(part) for part in parts)
    saved = sum(saved_by(part, plan) for part in parts)
    return problem.rule.unserved_s - saved / n_quanta if n_quanta else 0.0


def refuse_journeys(objective: Objective, what: str) -> None:
    """
    Refuse the objectives travel time and trips carried where a search cannot use them.

    Parameters
    ----------
    objective
        The objective.
    what
        What cannot use it, in words.

    Raises
    ------
    UsageError
        If it is one of these.
    """
    if objective.counts_journeys:
        msg = f"{what} cannot have the objective {objective.name}, which only new plans can; take served, direct, presence or a mix"
        raise UsageError(msg, setting="objective", value=objective.name)


def _journeys(problem: Problem, plan: Plan) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Stops called at, shape (N,), ascending, and fastest seconds between them, shape (N, W) with W >= N."""
    transfer_s = problem.rule.transfer_s
    padded = problem.pad(plan)
    stops, counts, ahead_s, back_s = padded.stops, padded.n_stops, padded.ahead_s, padded.back_s
    routes = [stops[k, :count] for k, count in enumerate(counts.tolist())]
    called = np.unique(np.concatenate([np.empty(0, np.int32), *routes])).astype(np.int64)
    # Inside, each boarding costs a transfer, the first one too, so that journeys add up; that one is taken off again.
    times = np.full((called.size, -(-called.size // LANES) * LANES), NEVER, np.int32)
    for k, route in enumerate(routes):
        row = np.searchsorted(called, route)
        back = back_s[k, : route.size]
        for order, seconds in ((row, ahead_s[k]), (row[::-1], back[-1:] - back[::-1])):
            elapsed_s = seconds[: route.size].astype(np.float64)
            begin, end = np.triu_indices(route.size, 1)
            ride_s = np.minimum(elapsed_s[end] - elapsed_s[begin] + transfer_s, NEVER)  # NEVER against the way that a route runs
            np.minimum.at(times, (order[begin], order[end]), ride_s.astype(np.int32))
    close(times, np.empty(times.shape[1], np.int32), NEVER)
    return called, np.where(times < NEVER, times - transfer_s, NEVER).astype(np.int32)
