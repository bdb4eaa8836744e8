"""Synthetic population of a city: neighbourhoods, addresses, masts and attraction of night spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError
from owlbus.sample.terrain import (
    LAND,
    MOUNTAIN,
    Plane,
    Terrain,
    rasterise_terrain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from owlbus.sample.city import City
    from owlbus.sample.settings import SynthSettings

    Floats = NDArray[np.float64]

N_NEIGHBOURHOODS = 424
"""Neighbourhoods (dong) of the city; Seoul had about as many in 2013."""

ADDRESSES_EACH = 20
N_MASTS = 6_000
_NEIGHBOURHOOD_SPREAD_M = 1_700.0
_ADDRESS_SPREAD_M = 450.0
_ELSEWHERE_SPREAD_M = 600.0
_ELSEWHERE_REACH_M = 4_000.0
_SIZE_SPREAD = 0.8
_MAST_SHARES = (0.50, 0.35, 0.15)
_MAST_JITTER_M = 80.0
_MAST_SPOT_SPREAD_M = 500.0
_STREAM_WORLD = 0
_TRIES = 200


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """
    Homes, masts and destinations of people, with their distributions.

    Attributes
    ----------
    plane
        Projection of the city.
    terrain
        Land, water, mountain and nearest mast by raster cell.
    mast_lon, mast_lat
        Masts, degrees rounded to 5 decimals, shape (N_MASTS,).
    home_lon, home_lat
        Addresses, degrees rounded to 5 decimals, `ADDRESSES_EACH` per neighbourhood, shape (A,).
    home_mast
        Mast nearest to each address, int32, shape (A,).
    neighbourhood_cdf
        Cumulative share of residents by neighbourhood, shape (D,), last 1.
    place_x, place_y, place_spread_m
        Night spots first, then one place per neighbourhood, metres, shape (P,).
    visit_cdf
        Cumulative probability of places by neighbourhood, shape (D * P,); row d runs from d to d + 1.
    ride_cdf
        Cumulative probability of taxi desire lines place → neighbourhood, shape (D * P,), last 1.
    """

    plane: Plane
    terrain: Terrain
    mast_lon: Floats
    mast_lat: Floats
    home_lon: Floats
    home_lat: Floats
    home_mast: NDArray[np.int32]
    neighbourhood_cdf: Floats
    place_x: Floats
    place_y: Floats
    place_spread_m: Floats
    visit_cdf: Floats
    ride_cdf: Floats

    @property
    def n_places(self) -> int:
        """Night spots and neighbourhoods that people visit."""
        return len(self.place_x)


def make_world(city: City, settings: SynthSettings) -> World:
    """
    Draw neighbourhoods, addresses, masts and desire lines of a city.

    Parameters
    ----------
    city
        Outline, districts, night spots, river, mountains and streets.
    settings
        Seed and behaviour.

    Returns
    -------
    World
        Equal for equal seeds.

    Raises
    ------
    DataError
        If a district or night spot has no land around it.
    """
    rng = np.random.default_rng([settings.seed, _STREAM_WORLD])
    plane = Plane.of(city)
    terrain = rasterise_terrain(city, plane)
    spots = np.stack(plane.to_xy(city.night_spots.lon, city.night_spots.lat))
    centres, residents = _neighbourhoods(rng, city, plane, terrain)
    homes = _scatter_on_land(rng, np.repeat(centres, ADDRESSES_EACH, axis=1), _ADDRESS_SPREAD_M, _homes_by_streets(rng, terrain))
    masts = _masts(rng, terrain, homes, spots, city.night_spots.weight)
    terrain = terrain.with_masts(*masts)
    attraction = _attraction(settings, centres, residents, spots, city.night_spots.weight)
    lines = attraction * residents[:, None] * np.exp(settings.taxi_noise * rng.standard_normal(attraction.shape))
    home_lon, home_lat = plane.to_lonlat(*homes)
    mast_lon, mast_lat = plane.to_lonlat(*masts)
    place_x, place_y = np.concatenate([spots, centres], axis=1)
    return World(
        plane,
        terrain,
        mast_lon,
        mast_lat,
        home_lon,
        home_lat,
        terrain.mast_at(*homes),
        _cumulative_shares(residents),
        place_x,
        place_y,
        np.repeat([settings.spot_spread_m, _ELSEWHERE_SPREAD_M], [spots.shape[1], centres.shape[1]]),
        (_cumulative_shares(attraction) + np.arange(len(attraction))[:, None]).ravel(),
        _cumulative_shares(lines.ravel()),
    )


def _neighbourhoods(rng: Generator, city: City, plane: Plane, terrain: Terrain) -> tuple[Floats, Floats]:
    """Return centres in metres, shape (2, D), and shares of residents, shape (D,); sizes are log-normal."""
    weight = city.districts.weight
    number = np.maximum(1, np.rint(N_NEIGHBOURHOODS * weight / weight.sum()).astype(np.int64))
    district = np.repeat(np.arange(len(weight)), number)
    centroids = np.stack(plane.to_xy(city.districts.lon, city.districts.lat))[:, district]
    near_streets = _land_by_streets(rng, terrain, (LAND,))
    centres = _scatter_on_land(rng, centroids, _NEIGHBOURHOOD_SPREAD_M, near_streets)
    size = np.exp(_SIZE_SPREAD * rng.standard_normal(len(district)))
    share = weight[district] * size / np.bincount(district, weights=size)[district]
    return centres, share / share.sum()


def _masts(rng: Generator, terrain: Terrain, homes: Floats, spots: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return masts near homes, near night spots and uniform, none in the river: x and y in metres, shape (N_MASTS,)."""
    by_home, by_spot, even = (round(share * N_MASTS) for share in _MAST_SHARES)
    home = homes[:, rng.integers(homes.shape[1], size=by_home)]
    spot = spots[:, np.searchsorted(_cumulative_shares(weight), rng.random(by_spot), side="right")]
    land = terrain.random_land(rng, even)
    masts = np.concatenate(
        [
            _scatter_on_land(rng, home, _MAST_JITTER_M, lambda points: terrain.is_home(*points)),
            _scatter_on_land(rng, spot, _MAST_SPOT_SPREAD_M, _land_by_streets(rng, terrain, (LAND, MOUNTAIN))),
            land,
        ],
        axis=1,
    )
    return masts[0], masts[1]


def _attraction(settings: SynthSettings, centres: Floats, residents: Floats, spots: Floats, weight: Floats) -> Floats:
    """Return the probability of each place by home neighbourhood, shape (D, P), rows sum to 1."""
    spot = weight * np.exp(-_distances(centres, spots) / settings.reach_m)
    elsewhere = residents * np.exp(-_distances(centres, centres) / _ELSEWHERE_REACH_M)
    return np.concatenate(
        [
            (1 - settings.elsewhere_share) * spot / spot.sum(axis=1, keepdims=True),
            settings.elsewhere_share * elsewhere / elsewhere.sum(axis=1, keepdims=True),
        ],
        axis=1,
    )


def _scatter_on_land(rng: Generator, centres: Floats, spread_m: float, accepts: Callable[[Floats], NDArray[np.bool_]]) -> Floats:
    """Return random points around centres, metres, shape (2, n), redrawn until `accepts` is True."""
    points = np.empty_like(centres)
    pending = np.arange(centres.shape[1])
    for _ in range(_TRIES):
        points[:, pending] = centres[:, pending] + spread_m * rng.standard_normal((2, len(pending)))
        pending = pending[~accepts(points[:, pending])]
        if not pending.size:
            return points
    msg = f"{len(pending)} of {centres.shape[1]} points found no land within {spread_m:g} m; move the place out of water and mountains"
    raise DataError(msg)


def _homes_by_streets(rng: Generator, terrain: Terrain) -> Callable[[Floats], NDArray[np.bool_]]:
    """Return a draw of whether points become homes: where homes can be, and the rarer the farther from streets."""
    return lambda points: terrain.is_home(*points) & terrain.keeps(rng, *points)


def _land_by_streets(rng: Generator, terrain: Terrain, codes: tuple[int, ...]) -> Callable[[Floats], NDArray[np.bool_]]:
    """Return a draw of whether points of some terrain codes are kept, the rarer the farther from streets."""
    return lambda points: np.isin(terrain.code_at(*points), codes) & terrain.keeps(rng, *points)


def _distances(first: Floats, second: Floats) -> Floats:
    """Return the distances of all pairs in metres, shape (n, m)."""
    metres: Floats = np.hypot(first[0][:, None] - second[0], first[1][:, None] - second[1])
    return metres


def _cumulative_shares(odds: Floats) -> Floats:
    """Return cumulative shares along the last axis; the last is exactly 1."""
    steps = np.cumsum(odds, axis=-1)
    steps /= steps[..., -1:]
    steps[..., -1] = 1.0
    return steps
