"""Names of stops by known places, and the stop that a text names."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.defaults import MAX_SNAP_M
from owlbus.common.errors import UsageError
from owlbus.search.constraints import network_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan import Plan

NEAR_M = 900.0
"""Metres within which a known place lends its name to a stop."""

_POSITION = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True, slots=True, eq=False)
class StopNames:
    """
    Known places of a city, which name and find stops.

    Attributes
    ----------
    names
        Name of each place.
    lon, lat
        Degrees, shape (n,).

    Examples
    --------
    >>> StopNames(("Jamsil",), [127.1], [37.5133]).names
    ('Jamsil',)
    """

    names: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]

    def __init__(self, names: Sequence[str] = (), lon: ArrayLike = (), lat: ArrayLike = ()) -> None:
        """Copy the columns."""
        object.__setattr__(self, "names", tuple(names))
        for name, column in (("lon", lon), ("lat", lat)):
            object.__setattr__(self, name, read_only_copy(column, np.float64))

    def __reduce__(self) -> tuple[type[StopNames], tuple[object, ...]]:
        """Rebuild through the constructor."""
        return StopNames, (self.names, self.lon, self.lat)

    def name_of(self, network: Network, stop: int) -> str:
        """
        Name of a stop: of the nearest place within `NEAR_M` metres beside its own.

        Parameters
        ----------
        network
            The stop network.
        stop
            Stop index.

        Returns
        -------
        str
            Such as ``q7r-10 (Nambu)``; the stop's own name where no place is near.
        """
        name = network_name(network, stop)
        near = self.near(network, stop)
        return f"{near} ({name})" if near else name

    def near(self, network: Network, stop: int) -> str:
        """
        Nearest place of a stop, empty if none lies within `NEAR_M` metres.

        Parameters
        ----------
        network
            The stop network.
        stop
            Stop index.

        Returns
        -------
        str
            Its name.
        """
        if not self.names:
            return ""
        x, y = network.grid.project(self.lon, self.lat)
        stop_x, stop_y = network.grid.project(network.stop_lon[stop], network.stop_lat[stop])
        metres = np.hypot(x - stop_x, y - stop_y)
        nearest = int(np.argmin(metres))
        return self.names[nearest] if metres[nearest] <= NEAR_M else ""

    def find_stop(self, network: Network, text: str, *, max_snap_m: float = MAX_SNAP_M) -> int:
        """
        Stop that a text names: an index, a stop's name, a known place, or ``LON,LAT``.

        Parameters
        ----------
        network
            The stop network.
        text
            What is looked for.
        max_snap_m
            Metres that a position may lie from the nearest stop, boundary included.

        Returns
        -------
        int
            Stop index.

        Raises
        ------
        UsageError
            If nothing has that name, or the position lies too far from every stop; near names are suggested.
        """
        query = text.strip()
        position = _POSITION.fullmatch(query)
        if position:
            return _nearest(network, query, float(position[1]), float(position[2]), max_snap_m)
        if query.isdigit():
            if int(query) < network.n_stops:
                return int(query)
            msg = f"stop {query}: the network has stops 0 to {network.n_stops - 1}; name a stop, a place or LON,LAT"
            raise UsageError(msg)
        if query in network.stop_names:
            return network.stop_names.index(query)
        folded = {name.casefold(): place for place, name in enumerate(self.names)}
        if query.casefold() in folded:
            place = folded[query.casefold()]
            return _nearest(network, query, float(self.lon[place]), float(self.lat[place]), max_snap_m)
        msg = f"no stop or place is called {query!r}; {_hint(query, [*self.names, *network.stop_names])}"
        raise UsageError(msg)


def find_route(plan: Plan, name: str) -> int:
    """
    Row of a route in its plan.

    Parameters
    ----------
    plan
        The plan.
    name
        The route's name; case does not matter.

    Returns
    -------
    int
        Row, from 0.

    Raises
    ------
    UsageError
        If no route has that name; near names are suggested.
    """
    if name in plan.names:
        return plan.names.index(name)
    folded = [route_name.casefold() for route_name in plan.names]
    if name.casefold() in folded:
        return folded.index(name.casefold())
    msg = f"no route is called {name!r}; {_hint(name, list(plan.names))}"
    raise UsageError(msg)


def _nearest(network: Network, text: str, lon: float, lat: float, max_snap_m: float) -> int:
    """Stop nearest to a position, refused beyond `max_snap_m`."""
    stop, metres = network.nearest_stops(lon, lat)
    if not float(metres) <= max_snap_m:
        msg = (
            f"{text} lies {float(metres):,.0f} m from the nearest stop, allowed are {max_snap_m:g} m; "
            "give longitude before latitude, or a place inside the network"
        )
        raise UsageError(msg)
    return int(stop)


def _hint(query: str, names: list[str]) -> str:
    """Similar names, or the first few."""
    folded = {name.casefold(): name for name in reversed(names)}
    near = [folded[name] for name in difflib.get_close_matches(query.casefold(), folded, n=3, cutoff=0.5)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names[:9])}{' and more' if len(names) > 9 else ''}"  # noqa: PLR2004 - as many as fit a line
