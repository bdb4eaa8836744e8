"""Types `Route` and `Plan`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.defaults import HEADWAY_S
from owlbus.common.errors import DataError
from owlbus.common.text import how_many, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network

_MIN_STOPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """
    Ordered stops of a network, served in both directions.

    Consecutive stops are linked in the network of the route. A route that is read from a file may pass a stop twice, serve other stops
    on its way back, or run in one direction only; a planned route is simple and runs back over its own stops.

    Attributes
    ----------
    stops
        Stop indices, shape (n,), int32, n >= 2, each >= 0 and different from the one before.
    name
        Public name of the route: one line, not empty, without control characters.
    back
        Stop indices of the way back in the order of service, shape (m,), int32, as `stops`; empty if there is none, such as on a
        circular line. None if the way back serves `stops` in reverse.

    Raises
    ------
    DataError
        If a rule above does not hold.

    Examples
    --------
    >>> route = Route([4, 2, 7], "N10")
    >>> route.n_stops, route.is_simple
    (3, True)
    >>> [way.tolist() for way in Route([4, 2, 7, 4], "circle", back=[]).ways]
    [[4, 2, 7, 4]]
    """

    stops: NDArray[np.int32]
    name: str
    back: NDArray[np.int32] | None

    def __init__(self, stops: ArrayLike, name: str, back: ArrayLike | None = None) -> None:
        """Copy the stops and check every rule once."""
        row = np.asarray(stops)
        _require_stops(row, name)
        way_back = None if back is None else np.asarray(back)
        if way_back is not None and way_back.size:
            _require_stops(way_back, name)
        if not name.strip() or visible(name) != name:
            msg = f"a route needs a name of one line, got {name[:40]!r}; leave signs out that steer a terminal"
            raise DataError(msg)
        object.__setattr__(self, "stops", read_only_copy(row, np.int32))
        object.__setattr__(self, "name", name)
        is_reverse = way_back is not None and np.array_equal(way_back, row[::-1])
        object.__setattr__(self, "back", None if way_back is None or is_reverse else read_only_copy(way_back, np.int32))

    def __reduce__(self) -> tuple[type[Route], tuple[NDArray[np.int32], str, NDArray[np.int32] | None]]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (Route, (self.stops, self.name, self.back))

    @property
    def ways(self) -> tuple[NDArray[np.int32], ...]:
        """Stop indices of each direction that runs, in the order of service: one or two rows of shape (n,), int32."""
        if self.back is None:
            return self.stops, self.stops[::-1]
        return (self.stops, self.back) if self.back.size else (self.stops,)

    @property
    def positions(self) -> NDArray[np.int32]:
        """Stops in the order that kernels number them: `stops`, then those of a way back of its own in reverse, shape (m,), int32."""
        row: NDArray[np.int32] = self.stops if self.back is None else np.concatenate([self.stops, self.back[::-1]])
        return row

    @property
    def is_one_way(self) -> bool:
        """Whether the route runs in one direction only."""
        return self.back is not None and not self.back.size

    @property
    def segments(self) -> list[tuple[int, int]]:
        """Pairs of stop indices that a bus rides between, in the order of `positions`; a way back over the same stops counts once."""
        forth = list(pairwise(self.stops.tolist()))
        return forth if self.back is None else [*forth, *list(pairwise(self.back.tolist()))[::-1]]

    @property
    def n_stops(self) -> int:
        """Number of stops on the route; a stop that it passes twice counts twice."""
        return len(self.stops)

    @property
    def is_simple(self) -> bool:
        """Whether the route passes no stop twice."""
        return len(np.unique(self.stops)) == len(self.stops)


def _require_stops(row: NDArray[np.generic], name: str) -> None:
    """Refuse stops that are no row of whole indices, or repeat one at once."""
    if row.ndim != 1 or len(row) < _MIN_STOPS or row.dtype.kind not in "iu":
        msg = f"route {name!r} must be a row of at least {_MIN_STOPS} whole stop indices, got {row.dtype} of shape {row.shape}"
        raise DataError(msg)
    low, high = int(row.min()), int(row.max())
    if low < 0 or high > np.iinfo(np.int32).max:
        msg = f"route {name!r}: stop indices must lie in [0, {np.iinfo(np.int32).max}], got {low} to {high}"
        raise DataError(msg)
    repeats = np.flatnonzero(row[1:] == row[:-1])
    if repeats.size:
        msg = f"route {name!r} stays at stop {row[repeats[0]]} in position {repeats[0] + 1}; name a stop once ({repeats.size} such)"
        raise DataError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """
    Routes on one network, in a fixed order.

    Attributes
    ----------
    routes
        The routes; their names differ. May be empty.
    network_fingerprint
        `Network.fingerprint` of the network that the stop indices refer to.

    Raises
    ------
    DataError
        If two routes share a name.

    Examples
    --------
    >>> plan = Plan((Route([0, 1], "N10"), Route([1, 2, 3], "N13")), "5f2a")
    >>> plan.n_routes, plan.names, plan.used_stops.tolist()
    (2, ('N10', 'N13'), [0, 1, 2, 3])
    """

    routes: tuple[Route, ...]
    network_fingerprint: str

    def __post_init__(self) -> None:
        """Copy the routes and refuse repeated names."""
        object.__setattr__(self, "routes", tuple(self.routes))
        name, count = Counter(self.names).most_common(1)[0] if self.routes else ("", 0)
        if count > 1:
            msg = f"route names must differ, got {name!r} {count} times; rename all but one"
            raise DataError(msg)

    def __reduce__(self) -> tuple[Callable[..., Plan], tuple[tuple[Route, ...], str]]:
        """Rebuild through the constructor."""
        return (Plan, (self.routes, self.network_fingerprint))

    def _repr_html_(self) -> str:
        """Return a table of the routes, for notebooks; `owlbus.plot.plan` draws them on their network."""
        from owlbus.common import notebook_html

        rows = [(route.name, f"{route.n_stops}", f"{route.stops[0]}", f"{route.stops[-1]}") for route in self.routes]
        return notebook_html.page(
            f"Plan of {how_many(self.n_routes, 'route')}", notebook_html.table(rows, ("route", "stops", "first stop", "last stop"))
        )

    def to_frame(self, network: Network | None = None) -> pd.DataFrame:
        """
        Return one row per route and stop, in order.

        Parameters
        ----------
        network
            Network of the plan, which adds ``name``, ``lon`` and ``lat`` in degrees, and ``hex``; None for indices alone.

        Returns
        -------
        DataFrame
            ``route``, ``sequence`` from 0, and ``stop``, an index of the network.

        Raises
        ------
        DataError
            If the plan was made for another network.

        Examples
        --------
        >>> Plan((Route([4, 2, 7], "N10"),), "5f2a").to_frame().to_dict("list")
        {'route': ['N10', 'N10', 'N10'], 'sequence': [0, 1, 2], 'stop': [4, 2, 7]}
        """
        from owlbus.plan.plan_frames import plan_to_frame

        return plan_to_frame(self, network)

    def to_geodataframe(self, network: Network, headway_s: int = HEADWAY_S) -> gpd.GeoDataFrame:
        """
        Return one row per route with its measures and its line along the streets.

        Parameters
        ----------
        network
            Network of the plan.
        headway_s
            Headway in seconds, for ``buses``.

        Returns
        -------
        GeoDataFrame
            The properties of `owlbus.plan.geojson.plan_geojson`, metres and seconds, in lon/lat (EPSG:4326).

        Raises
        ------
        DataError
            If the plan was made for another network.
        """
        from owlbus.plan.plan_frames import plan_to_geodataframe

        return plan_to_geodataframe(network, self, headway_s)

    def __iter__(self) -> Iterator[Route]:
        """Iterate over the routes in order."""
        return iter(self.routes)

    def __len__(self) -> int:
        """Count the routes."""
        return len(self.routes)

    @property
    def n_routes(self) -> int:
        """Number of routes."""
        return len(self.routes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the routes in order."""
        return tuple(route.name for route in self.routes)

    @property
    def used_stops(self) -> NDArray[np.int32]:
        """Stop indices that any route serves, unique and ascending, shape (n,), int32."""
        return np.unique(np.concatenate([np.empty(0, np.int32), *(route.positions for route in self.routes)]))

    def equals(self, other: Plan) -> bool:
        """
        Whether names, stops, their order and the network are the same.

        Parameters
        ----------
        other
            The plan to compare with.

        Returns
        -------
        bool
            True if nothing differs.
        """
        return (
            self.network_fingerprint == other.network_fingerprint
            and self.names == other.names
            and all(
                np.array_equal(a.stops, b.stops) and (a.back is None) == (b.back is None) and np.array_equal(a.positions, b.positions)
                for a, b in zip(self.routes, other.routes, strict=True)
            )
        )

    @property
    def is_reversible(self) -> bool:
        """Whether every route runs back over its own stops."""
        return all(route.back is None for route in self.routes)
