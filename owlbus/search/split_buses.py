"""Buses of a fleet over the routes of a plan, so that most trips are carried."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from owlbus.kernels.structs import Routes
    from owlbus.search.carried import CarriedFlows, CarriedModel

MOST_SPLITS = 64
"""Splits of a fleet up to which all of them are tried, so that the best one is proven."""

_PAIRS_A_ROUTE = 2
_ROUNDS = 40


def best_split(model: CarriedModel, routes: Routes, begin: NDArray[np.int64] | None = None) -> CarriedFlows:
    """
    Riders of a plan at the split of its fleet that carries most.

    Where there are at most `MOST_SPLITS` splits, all are tried. Else a split with nearly equal headways takes further buses where they add
    most, one after the other; then a bus moves from one route to another as long as more trips are carried. What a bus adds to one route
    and takes from another ranks the moves, and the exact count of both together decides.

    Parameters
    ----------
    model
        Counts what a plan carries.
    routes
        The plan, from `Problem.pad`.
    begin
        A split to begin with, shape (K,); nearly equal headways if None.

    Returns
    -------
    CarriedFlows
        Riders, headways and buses.

    Raises
    ------
    InfeasibleError
        If the fleet cannot run all routes at the longest headway.
    """
    cycles_s = model.cycles_s(routes)
    least = fewest(model, cycles_s)
    if math.comb(model.service.fleet - int(least.sum()) + least.size - 1, least.size - 1) <= MOST_SPLITS:
        tried = (model.flows(routes, cycles_s, split) for split in _all_splits(least, model.service.fleet))
        return max(tried, key=lambda flows: flows.value_units)
    split = even_split(model, cycles_s) if begin is None else np.maximum(begin, least)
    flows = model.flows(routes, cycles_s, split)
    spare = model.service.fleet - int(split.sum())
    for _ in range(max(0, spare)):
        flows = max((_with(model, routes, cycles_s, flows.buses, k, 1) for k in range(least.size)), key=lambda more: more.value_units)
    for _ in range(_ROUNDS):
        better = _best_move(model, routes, cycles_s, flows, least)
        if better is None:
            break
        flows = better
    return flows


def fewest(model: CarriedModel, cycles_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Fewest buses of each route, which the fleet must have.

    Parameters
    ----------
    model
        Holds the fleet and the longest headway.
    cycles_s
        Seconds of a round trip of each route, shape (K,).

    Returns
    -------
    ndarray of int64
        Buses, shape (K,).

    Raises
    ------
    InfeasibleError
        If they are more than the fleet.
    """
    service = model.service
    least = np.array([service.fewest_buses(cycle_s) for cycle_s in cycles_s.tolist()], np.int64)
    if least.sum() > service.fleet:
        msg = (
            f"a headway of at most {service.max_headway_s / 60:g} minutes on {how_many(least.size, 'route')} takes "
            f"{how_many(int(least.sum()), 'bus')}, got a fleet of {service.fleet}; allow a longer headway, more buses or fewer routes"
        )
        raise InfeasibleError(msg, setting="fleet", value=service.fleet, allowed=(int(least.sum()), math.inf))
    return least


def even_split(model: CarriedModel, cycles_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Buses of each route at the shortest common headway that the fleet can run, in whole minutes.

    Parameters
    ----------
    model
        Holds the fleet and the headways.
    cycles_s
        Seconds of a round trip of each route, shape (K,).

    Returns
    -------
    ndarray of int64
        Buses, shape (K,); buses may be left over.
    """
    service = model.service
    for headway_s in range(service.min_headway_s, service.max_headway_s, 60):
        buses = -(-cycles_s // headway_s)
        if buses.sum() <= service.fleet:
            return buses
    return fewest(model, cycles_s)


def _all_splits(least: NDArray[np.int64], fleet: int) -> Iterator[NDArray[np.int64]]:
    """All splits of a whole fleet with at least so many buses on each route."""
    spare, n = fleet - int(least.sum()), least.size
    for bars in itertools.combinations(range(spare + n - 1), n - 1):
        edges = np.array([-1, *bars, spare + n - 1])
        yield least + np.diff(edges) - 1


def _with(model: CarriedModel, routes: Routes, cycles_s: NDArray[np.int64], buses: NDArray[np.int64], k: int, change: int) -> CarriedFlows:
    """Riders with one bus more or fewer on a route."""
    split = buses.copy()
    split[k] += change
    return model.flows(routes, cycles_s, split)


def _best_move(
    model: CarriedModel, routes: Routes, cycles_s: NDArray[np.int64], flows: CarriedFlows, least: NDArray[np.int64]
) -> CarriedFlows | None:
    """Riders after the first move of a bus, in the order of what the moves promise, that carries more trips; None if none does."""
    now, n = flows.value_units, least.size
    fewer = {k: _with(model, routes, cycles_s, flows.buses, k, -1).value_units for k in range(n) if flows.buses[k] > least[k]}
    more = {k: _with(model, routes, cycles_s, flows.buses, k, 1).value_units for k in range(n)}
    moves = sorted(((fewer[i] + more[j], i, j) for i in fewer for j in more if i != j), reverse=True)
    for _, i, j in moves[: _PAIRS_A_ROUTE * n]:
        split = flows.buses.copy()
        split[i] -= 1
        split[j] += 1
        moved = model.flows(routes, cycles_s, split)
        if moved.value_units > now:
            return moved
    return None
