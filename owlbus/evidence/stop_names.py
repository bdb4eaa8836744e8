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
from owlbus.network.latin_names import display_name, has_own_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.records.places import Places

NEAR_M = 900.0
"""Metres within which a known place lends its name to a stop."""

_BOTH = re.compile(r"(.+) \((.+)\)")
"""A name in Latin letters with the local one in brackets, as `display_name` shows it."""

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
    language
        Of the names that readers see, ``en`` or ``ko``.

    Examples
    --------
    >>> StopNames(("Jamsil",), [127.1], [37.5133]).names
    ('Jamsil',)
    """

    names: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    language: str

    def __init__(self, names: Sequence[str] = (), lon: ArrayLike = (), lat: ArrayLike = (), language: str = "en") -> None:
        """Copy the columns."""
        object.__setattr__(self, "language", language)
        object.__setattr__(self, "names", tuple(names))
        for name, column in (("lon", lon), ("lat", lat)):
            object.__setattr__(self, name, read_only_copy(column, np.float64))

    @classmethod
    def of(cls, places: Places | None, language: str = "en", translate: Callable[[str], str] = str) -> StopNames:
        """
        Names of places of a study.

        Parameters
        ----------
        places
            Points lon/lat in degrees, or None for none.
        language
            Of the names that readers see, ``en`` or ``ko``.
        translate
            Gives the name of a place in another language than English.

        Returns
        -------
        StopNames
            The same places.
        """
        if places is None:
            return cls(language=language)
        names = places.names if language == "en" else [translate(name) for name in places.names]
        return cls(names, places.lon, places.lat, language)

    def __reduce__(self) -> tuple[type[StopNames], tuple[object, ...]]:
        """Rebuild through the constructor."""
        return StopNames, (self.names, self.lon, self.lat, self.language)

    def name_of(self, network: Network, stop: int) -> str:
        """
        Name of a stop; without one of its own, that of the nearest place within `NEAR_M` metres beside the label of its hex.

        Parameters
        ----------
        network
            The stop network.
        stop
            Stop index.

        Returns
        -------
        str
            Its own name, as `display_name` shows it to readers of the language; where it is the label of a hex, such as ``Nambu (q7r-10)``.
        """
        name = display_name(network, stop, self.language)
        near = "" if has_own_name(network, stop) else self.near(network, stop)
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
        Stop that a text names: an index, a stop's name, local, Latin or both, the label of its hex, a known place, or ``LON,LAT``.

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
        for names in (network.stop_names, network.stop_names_latin):
            if query in names:
                return names.index(query)
        both = _BOTH.fullmatch(query)
        if both and (both[2], both[1]) in (pairs := list(zip(network.stop_names, network.stop_names_latin, strict=True))):
            return pairs.index((both[2], both[1]))
        labelled = np.flatnonzero(network.grid.labels == query) if network.source == "lattice" else np.empty(0, np.int64)
        if labelled.size and (network.stop_hex == labelled[0]).any():
            return int(np.argmax(network.stop_hex == labelled[0]))
        folded = {name.casefold(): place for place, name in enumerate(self.names)}
        if query.casefold() in folded:
            place = folded[query.casefold()]
            return _nearest(network, query, float(self.lon[place]), float(self.lat[place]), max_snap_m)
        known = [name for name in (*self.names, *network.stop_names, *network.stop_names_latin) if name]
        msg = f"no stop or place is called {query!r}; {_hint(query, known)}"
        raise UsageError(msg)

    def find_position(self, network: Network, text: str) -> tuple[str, float, float]:
        """
        Name and position of the place that a text names: the label of a hex, ``LON,LAT``, a known place, or a stop as `find_stop` has it.

        Parameters
        ----------
        network
            The stop network.
        text
            What is looked for.

        Returns
        -------
        name, lon, lat
            What people call it, and degrees; of a hex its centre.

        Raises
        ------
        UsageError
            If nothing has that name; near names are suggested.
        """
        query = text.strip()
        position = _POSITION.fullmatch(query)
        if position:
            return query, float(position[1]), float(position[2])
        labelled = np.flatnonzero(network.grid.labels == query)
        if labelled.size:
            return query, float(network.grid.lon[labelled[0]]), float(network.grid.lat[labelled[0]])
        folded = [name.casefold() for name in self.names]
        if query.casefold() in folded and query not in (*network.stop_names, *network.stop_names_latin):
            place = folded.index(query.casefold())
            return self.names[place], float(self.lon[place]), float(self.lat[place])
        stop = self.find_stop(network, query)
        return self.name_of(network, stop), float(network.stop_lon[stop]), float(network.stop_lat[stop])


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
