"""Stops of the hex lattice for cities without data: named after places, and only where there is demand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.defaults import STRETCH
from owlbus.network.assemble import NetworkReport, Stops, stop_and_link_fields, unreached
from owlbus.network.from_tables import Roads
from owlbus.network.stop_links import commercial, stop_links, street_lines
from owlbus.network.walk_sheds import points_of_stops

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network.network import Network
    from owlbus.records.places import Places

NAME_M = 1_000.0
"""Metres within which a place names a stop of the lattice."""

_COMPASS = ("E", "NE", "N", "NW", "W", "SW", "S", "SE")
_UNIT = 1_000
_ANY_LINK_S = 100_000.0
_FINAL = ("stops kept", "links kept, each direction counted")
"""Counts that a smaller network has anew."""


def named_after_places(network: Network, places: Places | None, districts: Places | None = None) -> Network:
    """
    Network whose stops are named after the nearest place within `NAME_M` metres, else after their district.

    The stop nearest to a place has its name; others near it have the compass direction from the place added, such as ``Gangnam NE``.
    In a district without a place nearby the label of the hex follows the name of the district, as without districts it stands alone.

    Parameters
    ----------
    network
        A network of the lattice.
    places
        Named points, lon/lat degrees; None for none.
    districts
        Centres of districts, lon/lat degrees; a stop belongs to the nearest one. None for none.

    Returns
    -------
    Network
        The same stops and links.
    """
    x, y = network.grid.project(network.stop_lon, network.stop_lat)
    names, latin = list(network.stop_names), list(network.stop_names_latin)
    if districts is not None and len(districts):
        nearest, _ = _nearest(network, districts, np.stack([x, y], axis=1))
        for stop, row in enumerate(nearest.tolist()):
            label = names[stop]
            names[stop], latin[stop] = (f"{text} {label}" if text else "" for text in (districts.names[row], districts.latin[row]))
    if places is not None and len(places):
        centre = np.stack(network.grid.project(places.lon, places.lat), axis=1)
        nearest, metres = _nearest(network, places, np.stack([x, y], axis=1))
        own, _ = network.nearest_stops(places.lon, places.lat)
        for stop in np.flatnonzero(metres <= NAME_M).tolist():
            row = int(nearest[stop])
            angle = np.arctan2(y[stop] - centre[row, 1], x[stop] - centre[row, 0])
            side = "" if own[row] == stop else f" {_COMPASS[round(float(angle) / (np.pi / 4)) % 8]}"
            names[stop], latin[stop] = (text + side if text else "" for text in (places.names[row], places.latin[row]))
    return replace(network, stop_names=tuple(names), stop_names_latin=tuple(latin))


def _nearest(network: Network, places: Places, stops: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Nearest place of each stop, the first one of a tie, and the metres to it."""
    from scipy.spatial import cKDTree

    metres, row = cKDTree(np.stack(network.grid.project(places.lon, places.lat), axis=1)).query(stops)
    return np.asarray(row, dtype=np.int64), np.asarray(metres)


def without_idle_stops(network: Network, has_demand: ArrayLike) -> Network:
    """
    Lattice without the stops that no hex with demand has within its walk; buses may still pass there.

    A link leads along the lattice from stop to stop, through hexes without one, with the metres and seconds of the hexes it passes.

    Parameters
    ----------
    network
        A network of the lattice.
    has_demand
        Whether each hex has people or trips, shape (H,).

    Returns
    -------
    Network
        With the line of each link along the lattice, and the number of stops left out in `report`. The same network if every stop has
        demand, or if fewer than two have.
    """
    sheds = np.repeat(np.arange(network.n_stops), np.diff(network.shed_indptr))
    is_kept = np.bincount(sheds, np.asarray(has_demand, dtype=np.float64)[network.shed_hex], network.n_stops) > 0
    n_idle = int((~is_kept).sum())
    if not n_idle or network.n_stops - n_idle < 2:  # noqa: PLR2004  # a link has two ends
        return network
    ones = np.zeros(network.n_stops, np.int8)
    cost_ms, length_mm = (column.astype(np.int64) * _UNIT for column in (network.link_s, network.link_m))
    positions = np.array(network.stop_names, dtype=object), network.stop_lon, network.stop_lat
    roads = Roads(*positions, network.link_indptr, network.link_to, cost_ms, length_mm, ones, ones.astype(np.bool_), ())
    return replace(network, **_kept_fields(network, roads, is_kept))


def _kept_fields(network: Network, roads: Roads, is_kept: NDArray[np.bool_]) -> dict[str, Any]:
    """Fields of a network of the stops in a mask, linked along the lattice."""
    kept = np.flatnonzero(is_kept)
    free, paths = stop_links(roads, kept.astype(np.int32), _ANY_LINK_S, STRETCH)
    links, _ = commercial(free, None)
    names, latin = ([column[k] for k in kept.tolist()] for column in (network.stop_names, network.stop_names_latin))
    stops = Stops(network.stop_lon[kept], network.stop_lat[kept], network.stop_hex[kept], names, latin)
    n_rows = np.diff(network.shed_indptr)
    in_shed = np.repeat(is_kept, n_rows)
    sheds = {"shed_indptr": np.concatenate([[0], np.cumsum(n_rows[kept])]), "shed_hex": network.shed_hex[in_shed]}
    before = network.report
    counts = [count for count in (() if before is None else before.counts) if count[0] not in _FINAL]
    counts.append(("stops without demand within their walk, left out", int((~is_kept).sum())))
    counts += zip(_FINAL, (kept.size, links.start.size), strict=True)
    notes = () if before is None else before.notes
    report = NetworkReport("the hex lattice", tuple(counts), unreached(network.grid, sheds["shed_hex"]), notes)
    points = None if network.points is None else points_of_stops(network.points, is_kept)
    walks = {"shed_walk_m": network.shed_walk_m[in_shed], "points": points, "report": report}
    return stop_and_link_fields(stops, links) | sheds | walks | street_lines(roads, links, paths)
