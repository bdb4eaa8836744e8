"""Recombination: the good routes that all searches met, and the best choice among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from owlbus.search.listed import best_of_listing, list_case, listing_of
from owlbus.search.objective import plan_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from owlbus.limits import RouteLimits
    from owlbus.plan import Plan
    from owlbus.search.objective import Case, Objective

MOST_ROUTES = 160
_MOST_NODES, _MOST_S = 200, 60.0


class Pool:
    """
    Routes of the best plans met, each once whatever its direction; the oldest go first.

    Parameters
    ----------
    most
        Routes to keep.
    """

    def __init__(self, most: int = MOST_ROUTES) -> None:
        """Begin empty."""
        self._most = most
        self._routes: dict[bytes, NDArray[np.int32]] = {}

    def add(self, routes: Iterable[NDArray[np.int32]]) -> None:
        """
        Remember routes.

        Parameters
        ----------
        routes
            Stops of each.
        """
        for stops in routes:
            key = _key(stops)
            self._routes.pop(key, None)
            self._routes[key] = stops.copy()
        for key in list(self._routes)[: -self._most]:
            del self._routes[key]

    @property
    def routes(self) -> tuple[NDArray[np.int32], ...]:
        """Stops of each route, the latest last."""
        return tuple(self._routes.values())


def best_choice(
    case: Case, objective: Objective, limits: RouteLimits, n_routes: int, pool: Pool, plan: Plan, seconds: float = math.inf
) -> Plan:
    """
    Best K routes of a pool where no transfer counts, by mixed-integer programming; of all routes where they can be listed.

    On a pool the solver ends after a fixed number of nodes, so that the choice does not depend on the machine unless the seconds end it.

    Parameters
    ----------
    case
        Network, demand and rule.
    objective
        What a plan is worth.
    limits
        What the plan must keep.
    n_routes
        Routes K.
    pool
        Routes within the limits; those that another one replaces are dropped.
    plan
        A first choice; its routes are in the pool.
    seconds
        Seconds after which the solver ends.

    Returns
    -------
    Plan
        The choice, or `plan` if none is worth more.
    """
    every = list_case(case, objective, limits)
    listing = every or listing_of(case, objective, limits, pool.routes)
    rows = {_key(stops): row for row, stops in enumerate(listing.routes)}
    start = [rows[key] for key in map(_key, (route.stops for route in plan.routes)) if key in rows]
    most_s, most_nodes = (_MOST_S, None) if every else (math.inf, _MOST_NODES)
    best = best_of_listing(listing, n_routes, limits, min(seconds, most_s), most_nodes=most_nodes, start=start)
    if not best.routes:
        return plan
    chosen = plan_of(case.network, *_padded(best.routes, max(stops.size for stops in best.routes)))
    return chosen if case.value(chosen, objective) > case.value(plan, objective) else plan


def _key(stops: NDArray[np.int32]) -> bytes:
    """What a route is known by, in either direction."""
    return min(stops.tobytes(), stops[::-1].tobytes())


def _padded(routes: Sequence[NDArray[np.int32]], width: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Stops in rows of equal width, and how many count in each."""
    stops, counts = np.zeros((len(routes), width), np.int32), np.array([one.size for one in routes], np.int64)
    for row, one in zip(stops, routes, strict=True):
        row[: one.size] = one
    return stops, counts
