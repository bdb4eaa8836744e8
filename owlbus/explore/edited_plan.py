"""A plan under edit: routes with an identity of their own that names, colours and order do not change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.common.palette import ROUTE_COLOURS
from owlbus.explore.explore_words import EditError
from owlbus.plan import Plan, Route

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class EditedRoute:
    """
    One route of an edited plan.

    Attributes
    ----------
    key
        Identity, such as ``r1``; it never changes, and no later route takes it again.
    name, colour
        What people call it and how it is drawn, ``#rrggbb``.
    stops
        Stop indices in the order of service.
    back
        Stop indices of a way back of its own; empty where the route runs in one direction only, None where it runs back over its stops.
    is_locked
        Whether it stays as it is.
    """

    key: str
    name: str
    colour: str
    stops: tuple[int, ...]
    back: tuple[int, ...] | None = None
    is_locked: bool = False

    def to_route(self) -> Route:
        """Return the route as plans hold it."""
        return Route(self.stops, self.name, self.back)


@dataclass(frozen=True, slots=True)
class EditedPlan:
    """
    Routes under edit, in the plan's order.

    Attributes
    ----------
    routes
        The routes; their names differ.
    network_fingerprint
        `Network.fingerprint` of the network that the stop indices refer to.
    n_made
        Routes that were ever made, for the key of the next one.
    """

    routes: tuple[EditedRoute, ...]
    network_fingerprint: str
    n_made: int

    @classmethod
    def of(cls, plan: Plan) -> EditedPlan:
        """
        Take up a plan.

        Parameters
        ----------
        plan
            The plan as its file holds it.

        Returns
        -------
        EditedPlan
            Its routes with the keys ``r1``, ``r2`` and so on, colours by their place.
        """
        rows = [
            EditedRoute(
                f"r{k + 1}",
                route.name,
                ROUTE_COLOURS[k % len(ROUTE_COLOURS)],
                tuple(route.stops.tolist()),
                None if route.back is None else tuple(route.back.tolist()),
            )
            for k, route in enumerate(plan.routes)
        ]
        return cls(tuple(rows), plan.network_fingerprint, len(rows))

    def to_plan(self) -> Plan:
        """Return the plan as everything else takes it."""
        return Plan(tuple(route.to_route() for route in self.routes), self.network_fingerprint)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the routes in order."""
        return tuple(route.name for route in self.routes)

    def find(self, key: str) -> EditedRoute | None:
        """Return the route with a `key`, or None."""
        return next((route for route in self.routes if route.key == key), None)

    def require(self, key: str) -> EditedRoute:
        """
        Return a route by its key.

        Parameters
        ----------
        key
            Identity of the route.

        Returns
        -------
        EditedRoute
            The route.

        Raises
        ------
        EditError
            If the plan has none with this key.
        """
        route = self.find(key)
        if route is None:
            raise EditError(key="refused.route", route=key)
        return route

    def changed(self, key: str, *routes: EditedRoute) -> EditedPlan:
        """Return the plan with the route `key` replaced by some `routes`, in its place; by none to drop it."""
        rows: list[EditedRoute] = []
        for route in self.routes:
            rows += routes if route.key == key else (route,)
        return replace(self, routes=tuple(rows))

    def added(self, stops: Iterable[int], name: str, back: tuple[int, ...] | None = None, after: str | None = None) -> EditedPlan:
        """
        Return the plan with one more route.

        Parameters
        ----------
        stops
            Stop indices in the order of service.
        name
            Its name; it differs from all others.
        back
            Stop indices of a way back of its own, as `EditedRoute` has it.
        after
            Key of the route that it stands behind; last by default.

        Returns
        -------
        EditedPlan
            The route takes the next key, and the colour that the fewest routes have.
        """
        used = [route.colour for route in self.routes]
        colour = min(ROUTE_COLOURS, key=used.count)
        route = EditedRoute(f"r{self.n_made + 1}", name, colour, tuple(stops), back)
        place = len(self.routes) if after is None else [one.key for one in self.routes].index(after) + 1
        return EditedPlan((*self.routes[:place], route, *self.routes[place:]), self.network_fingerprint, self.n_made + 1)

    def free_name(self, like: str | None = None) -> str:
        """
        Return a name that no route has.

        Parameters
        ----------
        like
            Name to begin with, for a copy or a part; None takes the next number of the plan's own series, such as ``N62`` after ``N61``.

        Returns
        -------
        str
            The name.

        Examples
        --------
        >>> from owlbus.plan import Plan, Route
        >>> plan = EditedPlan.of(Plan((Route([0, 1], "N10"), Route([1, 2], "N13")), "5f2a"))
        >>> plan.free_name(), plan.free_name("N10")
        ('N14', 'N10-2')
        """
        names = set(self.names)
        if like is not None:
            return next(name for k in range(2, len(names) + 3) if (name := f"{like}-{k}") not in names)
        series = [(name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]) for name in self.names]
        numbered = [(head, int(digits)) for head, digits in series if digits and len(digits) < 9]  # noqa: PLR2004 - no number of a route
        head, number = max(numbered, key=lambda pair: pair[1], default=("N", 0))
        return next(name for k in range(number + 1, number + len(names) + 2) if (name := f"{head}{k}") not in names)
