"""Plans near a given plan, as the search takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.near import NearConstraint

if TYPE_CHECKING:
    from owlbus.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """
    Plans near a given plan.

    Attributes
    ----------
    plan
        The given plan of K routes; what limits it breaks, plans near it may break as it does.
    keep
        Stop indices that stay on every route that passes them.
    keep_terminals
        Whether terminals stay.
    kept_routes
        Names of routes that stay as they are; no other one passes a stop twice.
    """

    plan: Plan
    keep: frozenset[int] = frozenset()
    keep_terminals: bool = True
    kept_routes: frozenset[str] = frozenset()

    def constraint(self, n_stops: int) -> NearConstraint:
        """
        Neighbourhood as the kernels take it.

        Parameters
        ----------
        n_stops
            Stops S of the network.

        Returns
        -------
        NearConstraint
            In which no stop may change yet.
        """
        routes = [route.stops for route in self.plan.routes]
        counts = np.array([stops.size for stops in routes], np.int64)
        rows = np.zeros((counts.size, counts.max(initial=0)), np.int32)
        position = np.full((counts.size, n_stops), -1, np.int32)
        for k, stops in enumerate(routes):
            rows[k, : stops.size], position[k, stops] = stops, np.arange(stops.size)
        keep = np.zeros(n_stops, np.uint8)
        keep[sorted(self.keep)] = 1
        n_keep = np.array([keep[stops].sum(dtype=np.int64) for stops in routes], np.int64)
        return NearConstraint(rows, counts, position, keep, n_keep, int(self.keep_terminals), 0, 0, 0.0)


def unconstrained() -> NearConstraint:
    """Return the constraint of a plan that need not be near any other."""
    none = np.zeros((0, 0), np.int32), np.zeros(0, np.int64), np.zeros((0, 0), np.int32), np.zeros(0, np.uint8), np.zeros(0, np.int64)
    return NearConstraint(*none, 0, -1, -1, 0.0)
