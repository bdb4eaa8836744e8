"""Three synthetic cities of NightBench, made from their seeds: compact, along a river, with several centres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network

    Floats = NDArray[np.float64]

RADIUS_M = 500.0
PAIRS_A_HEX = 60
"""Trips drawn for each hex."""

_LON, _LAT = 10.0, 50.0
_CRS = f"+proj=tmerc +lat_0={_LAT:g} +lon_0={_LON:g} +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m +no_defs"
_DEGREE_M = 111_320.0
_FINE = 2**20
_PEOPLE_A_HEX = 40
_HOMES_M, _RIDE_M = 12_000.0, 6_000.0
_HALF_RIVER_M = 450.0


class CityShape(NamedTuple):
    """
    Shape of a synthetic city.

    Attributes
    ----------
    n_hexes
        Hexes of 500 m circumradius.
    seed
        Seed of all its random numbers.
    centres
        Busy places: east and north in metres, weight, and metres over which it falls to 1/e.
    stretch
        East-west over north-south extent, dimensionless.
    is_divided
        Whether a river runs through it from west to east, with bridges.
    is_scattered
        Whether its hexes lie around the centres, else around the middle.
    """

    n_hexes: int
    seed: int
    centres: tuple[tuple[float, float, float, float], ...]
    stretch: float = 1.0
    is_divided: bool = False
    is_scattered: bool = False


SHAPES = {
    "compact-300": CityShape(300, 300, ((0, 0, 3, 2_000), (3_000, 2_000, 1, 1_200), (-2_500, -3_500, 1, 1_200))),
    "river-1252": CityShape(
        1_252,
        1_252,
        tuple(
            (x, y, weight, 2_200.0) for x, y, weight in ((-21e3, 2e3, 1), (-9e3, -3e3, 2), (1e3, 2e3, 4), (11e3, -2e3, 2), (22e3, 3e3, 1))
        ),
        4.0,
        is_divided=True,
    ),
    "centres-5000": CityShape(
        5_000,
        5_000,
        tuple(
            (18_000 * math.cos(turn), 18_000 * math.sin(turn), weight, 3_000.0)
            for turn, weight in zip((0.3, 1.6, 2.8, 4.2, 5.3), (4, 2, 3, 1, 2), strict=True)
        ),
        is_scattered=True,
    ),
}
"""Synthetic cities by name."""


class Draws:
    """
    Random numbers that no release of a library changes: raw 64-bit numbers of PCG64.

    Parameters
    ----------
    seed
        Seed of all of them.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def below(self, limit: int, count: int) -> NDArray[np.int64]:
        """
        Whole numbers from 0 on.

        Parameters
        ----------
        limit
            First number that is not drawn, at most 2**40.
        count
            Numbers to draw.

        Returns
        -------
        ndarray of int64
            Shape (count,).
        """
        return ((self._bits.random_raw(count) >> np.uint64(11)).astype(np.int64)) % limit

    def weighted(self, weight: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """
        Indices drawn by whole weights.

        Parameters
        ----------
        weight
            Weight of each index, >= 0, shape (n,).
        count
            Indices to draw.

        Returns
        -------
        ndarray of int64
            Shape (count,).
        """
        steps = np.cumsum(weight)
        return np.searchsorted(steps, self.below(int(steps[-1]), count), side="right")


def synthetic_city(shape: CityShape) -> tuple[Network, Demand]:
    """
    Network and demand of a synthetic city; equal on every machine.

    People go out in the centres and live everywhere; trips lead home and are the likelier the nearer.

    Parameters
    ----------
    shape
        Shape and seed.

    Returns
    -------
    Network, Demand
        On the hex lattice; trips and people of one night.
    """
    grid = _grid_of(shape)
    draws = Draws(shape.seed)
    network = _network_of(grid, shape)
    return network, _demand_of(grid, network, shape, draws)


def _grid_of(shape: CityShape) -> HexGrid:
    """Hexes nearest to the middle, or to one of the centres where there are several of equal rank."""
    from owlbus.grid.hexgrid import HexGrid

    reach = int(3 * math.sqrt(shape.n_hexes) * shape.stretch)
    r, q = (index.ravel() for index in np.mgrid[-reach : reach + 1, -2 * reach : 2 * reach + 1])
    x, y = RADIUS_M * math.sqrt(3) * (q + r / 2), RADIUS_M * 1.5 * r
    middles = shape.centres if shape.is_scattered else ((0.0, 0.0, 1.0, 1.0),)
    metres = np.min([np.hypot((x - cx) / shape.stretch, y - cy) / math.sqrt(1 + weight) for cx, cy, weight, _ in middles], axis=0)
    order = np.lexsort((q, r, np.rint(metres)))[: shape.n_hexes]
    kept = order[np.lexsort((q[order], r[order]))]
    return HexGrid(_CRS, RADIUS_M, "planar", q[kept], r[kept])


def _network_of(grid: HexGrid, shape: CityShape) -> Network:
    """Lattice of stops, with the river and its bridges."""
    from owlbus.network import Network

    if not shape.is_divided:
        return Network.from_lattice(grid)
    x = np.arange(-45_000.0, 45_001.0, 1_000.0)
    river = _lonlat(x, 1_500 * np.sin(x / 9_000))
    at = np.arange(-28_000.0, 28_001.0, 8_000.0)
    bridges = _lonlat(at, 1_500 * np.sin(at / 9_000))
    return Network.from_lattice(grid, rivers=(river,), bridges=bridges, river_half_width_m=_HALF_RIVER_M)


def _lonlat(x: Floats, y: Floats) -> Floats:
    """Return degrees of points near the middle of the projection, shape (n, 2)."""
    return np.column_stack([_LON + x / (_DEGREE_M * math.cos(math.radians(_LAT))), _LAT + y / _DEGREE_M])


def _demand_of(grid: HexGrid, network: Network, shape: CityShape, draws: Draws) -> Demand:
    """Trips from busy hexes to homes, and people who are out."""
    from owlbus.demand import Demand

    n_hexes, count = grid.n_hexes, 3 * PAIRS_A_HEX * grid.n_hexes
    nearby = [weight * np.exp(-np.hypot(grid.x_m - x, grid.y_m - y) / spread) for x, y, weight, spread in shape.centres]
    homes_by = np.min([np.hypot(grid.x_m - x, grid.y_m - y) for x, y, _, _ in shape.centres], axis=0)
    land = (network.hex_stop >= 0).astype(np.int64)
    out, home = (_rough(part, draws) * land for part in (np.sum(nearby, axis=0) + 0.02, np.exp(-homes_by / _HOMES_M)))
    origin, destination = draws.weighted(out, count), draws.weighted(home, count)
    apart = np.hypot(grid.x_m[origin] - grid.x_m[destination], grid.y_m[origin] - grid.y_m[destination])
    kept = (origin != destination) & (draws.below(_FINE, count) < np.rint(_FINE * np.exp(-apart / _RIDE_M)))
    rows = np.flatnonzero(kept)[: PAIRS_A_HEX * n_hexes]
    pairs, trips = np.unique(origin[rows] * n_hexes + destination[rows], return_counts=True)
    people = np.rint(out * (_PEOPLE_A_HEX * n_hexes / out.sum()))
    hours = [{"night": np.zeros(n, int), "hour": np.full(n, 24)} for n in (pairs.size, n_hexes)]
    there = hours[1] | {"hex": np.arange(n_hexes), "presence": people}
    wanted = hours[0] | {"origin": pairs // n_hexes, "destination": pairs % n_hexes, "trips": trips.astype(float)}
    return Demand.from_rows(n_hexes, wanted, there, hours=(24,), source="counts", grid=grid.fingerprint)


def _rough(weight: Floats, draws: Draws) -> NDArray[np.int64]:
    """Whole weights, each times a factor from 1/4 to 4 of its own, so that neighbours differ."""
    factor = 4.0 ** (draws.below(_FINE, weight.size) / (_FINE / 2) - 1)
    return np.rint(1_000_000 * weight * factor).astype(np.int64)
