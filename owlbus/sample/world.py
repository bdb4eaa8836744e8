"""The synthetic city that records are drawn from: neighbourhoods, addresses, masts and the pull of night spots."""

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
    survey,
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
    Where people live, phone and go, with the odds of each.

    Attributes
    ----------
    plane
        Metres of the city.
    terrain
        Land, water, mountain and nearest mast by raster cell.
    mast_lon, mast_lat
        Masts, degrees rounded to 5 decimals, shape (N_MASTS,).
    home_lon, home_lat
        Addresses, degrees rounded to 5 decimals, `ADDRESSES_EACH` per neighbourhood, shape (A,).
    home_mast
        Mast that serves each address, int32, shape (A,).
    neighbourhood_steps
        Cumulative share of residents by neighbourhood, shape (D,), last 1.
    place_x, place_y, place_spread_m
        Night spots first, then one place per neighbourhood, metres, shape (P,).
    visit_steps
        Cumulative odds of the places as seen from each neighbourhood, shape (D * P,), row d running from d to d + 1.
    ride_steps
        Cumulative odds of taxi desire lines place → neighbourhood, shape (D * P,), last 1.
    """

    plane: Plane
    terrain: Terrain
    mast_lon: Floats
    mast_lat: Floats
    home_lon: Floats
    home_lat: Floats
    home_mast: NDArray[np.int32]
    neighbourhood_steps: Floats
    place_x: Floats
    place_y: Floats
    place_spread_m: Floats
    visit_steps: Floats
    ride_steps: Floats

    @property
    def n_places(self) -> int:
        """Night spots and neighbourhoods that people visit."""
        return len(self.place_x)


def make_world(city: City, settings: SynthSettings) -> World:
    """
    Draw a city's neighbourhoods, addresses and masts, and the odds of every desire line.

    Parameters
    ----------
    city
        Outline, districts, night spots, river and mountains.
    settings
        Seed and behaviour.

    Returns
    -------
    World
        The same for the same seed.

    Raises
    ------
    DataError
        If a district or night spot leaves no land to draw from.
    """
    rng = np.random.default_rng([settings.seed, _STREAM_WORLD])
    plane = Plane.of(city)
    ground = survey(city, plane)
    spots = np.stack(plane.to_xy(city.night_spots.lon, city.night_spots.lat))
    centres, residents = _neighbourhoods(rng, city, plane, ground)
    homes = _settled(rng, np.repeat(centres, ADDRESSES_EACH, axis=1), _ADDRESS_SPREAD_M, lambda at: ground.is_home(*at))
    masts = _masts(rng, ground, homes, spots, city.night_spots.weight)
    terrain = ground.with_masts(*masts)
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
        _steps(residents),
        place_x,
        place_y,
        np.repeat([settings.spot_spread_m, _ELSEWHERE_SPREAD_M], [spots.shape[1], centres.shape[1]]),
        (_steps(attraction) + np.arange(len(attraction))[:, None]).ravel(),
        _steps(lines.ravel()),
    )


def _neighbourhoods(rng: Generator, city: City, plane: Plane, ground: Terrain) -> tuple[Floats, Floats]:
    """Centres, shape (2, D), and residents' shares, shape (D,): few neighbourhoods hold many of the people."""
    weight = city.districts.weight
    number = np.maximum(1, np.rint(N_NEIGHBOURHOODS * weight / weight.sum()).astype(np.int64))
    district = np.repeat(np.arange(len(weight)), number)
    middle = np.stack(plane.to_xy(city.districts.lon, city.districts.lat))[:, district]
    centres = _settled(rng, middle, _NEIGHBOURHOOD_SPREAD_M, lambda at: ground.code_at(*at) == LAND)
    size = np.exp(_SIZE_SPREAD * rng.standard_normal(len(district)))
    share = weight[district] * size / np.bincount(district, weights=size)[district]
    return centres, share / share.sum()


def _masts(rng: Generator, ground: Terrain, homes: Floats, spots: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Masts near homes, near night spots and spread evenly, none in the river, x and y of shape (N_MASTS,)."""
    by_home, by_spot, even = (round(share * N_MASTS) for share in _MAST_SHARES)
    home = homes[:, rng.integers(homes.shape[1], size=by_home)]
    spot = spots[:, np.searchsorted(_steps(weight), rng.random(by_spot), side="right")]
    land = ground.random_land(rng, even)
    masts = np.concatenate(
        [
            _settled(rng, home, _MAST_JITTER_M, lambda at: ground.is_home(*at)),
            _settled(rng, spot, _MAST_SPOT_SPREAD_M, lambda at: np.isin(ground.code_at(*at), (LAND, MOUNTAIN))),
            land,
        ],
        axis=1,
    )
    return masts[0], masts[1]


def _attraction(settings: SynthSettings, centres: Floats, residents: Floats, spots: Floats, weight: Floats) -> Floats:
    """Odds of each place for those out who live in a neighbourhood, shape (D, P), rows sum to 1."""
    spot = weight * np.exp(-_distances(centres, spots) / settings.reach_m)
    elsewhere = residents * np.exp(-_distances(centres, centres) / _ELSEWHERE_REACH_M)
    return np.concatenate(
        [
            (1 - settings.elsewhere_share) * spot / spot.sum(axis=1, keepdims=True),
            settings.elsewhere_share * elsewhere / elsewhere.sum(axis=1, keepdims=True),
        ],
        axis=1,
    )


def _settled(rng: Generator, middle: Floats, spread_m: float, accepts: Callable[[Floats], NDArray[np.bool_]]) -> Floats:
    """Points around their middles, shape (2, n), drawn again until the ground accepts them."""
    points = np.empty_like(middle)
    waiting = np.arange(middle.shape[1])
    for _ in range(_TRIES):
        points[:, waiting] = middle[:, waiting] + spread_m * rng.standard_normal((2, len(waiting)))
        waiting = waiting[~accepts(points[:, waiting])]
        if not waiting.size:
            return points
    msg = f"{len(waiting)} of {middle.shape[1]} points found no land within {spread_m:g} m; move the place out of water and mountains"
    raise DataError(msg)


def _distances(here: Floats, there: Floats) -> Floats:
    """Metres between all pairs, shape (n, m)."""
    apart: Floats = np.hypot(here[0][:, None] - there[0], here[1][:, None] - there[1])
    return apart


def _steps(odds: Floats) -> Floats:
    """Cumulative shares along the last axis, ending at exactly 1."""
    steps = np.cumsum(odds, axis=-1)
    steps /= steps[..., -1:]
    steps[..., -1] = 1.0
    return steps
