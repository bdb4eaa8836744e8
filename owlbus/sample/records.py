"""Synthetic calls and taxi rides of the sample city."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.units import HOUR_S
from owlbus.sample.partitions import (
    BLOCK_SUBSCRIBERS,
    STREAM_CALLS,
    STREAM_EVENINGS,
    STREAM_HOMES,
    STREAM_TAXI,
    block_size,
    draw_errors,
    draw_times,
    local_times,
)
from owlbus.sample.terrain import DECIMALS, LAND
from owlbus.sample.world import ADDRESSES_EACH

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.random import Generator
    from numpy.typing import NDArray

    from owlbus.sample.partitions import Partition
    from owlbus.sample.settings import SynthSettings
    from owlbus.sample.world import World

    Floats = NDArray[np.float64]


CALL_COLUMNS = ("time", "lon", "lat", "home_lon", "home_lat", "subscriber")

CALL_ERRORS = ("outside the area", "missing position", "by day")
"""Kinds of deliberate errors in calls."""

_ACTIVITY_SKEW = 1.5

_FIRST_HOME_S, _LAST_HOME_S = HOUR_S // 2, 7 * HOUR_S

_DAY_SHIFT_S = 10 * HOUR_S

_FAR_DEGREES = (0.5, 1.5)

_MULTIPLIER = 2_654_435_761

_PSEUDONYM_BITS = 32


def call_table(world: World, settings: SynthSettings, part: Partition) -> pa.Table:
    """
    Draw the calls of one partition, by time.

    A subscriber who is out uses one mast there and goes home during the night; at home the mast of the address is used. Some subscribers
    call much more than others.

    Parameters
    ----------
    world
        Addresses, masts and distributions.
    settings
        Seed and behaviour.
    part
        Night, block of subscribers, chunk and rows.

    Returns
    -------
    pyarrow.Table
        `CALL_COLUMNS`: local time, positions in degrees, pseudonym.
    """
    import pyarrow as pa

    people = block_size(settings, part.block)
    home = _homes(world, settings, part.block, people)
    evening_rng = np.random.default_rng([settings.seed, STREAM_EVENINGS, part.block, part.night])
    mast_out, leaves_s = _evening_locations(evening_rng, world, settings, home)
    rng = np.random.default_rng([settings.seed, STREAM_CALLS, part.block, part.night, part.chunk])
    time_s = draw_times(rng, part.rows)
    caller = (people * rng.random(part.rows) ** _ACTIVITY_SKEW).astype(np.int64)
    mast = np.where(time_s < leaves_s[caller], mast_out[caller], world.home_mast[home[caller]])
    lon, lat = world.mast_lon[mast], world.mast_lat[mast]
    error = draw_errors(rng, part.rows, len(CALL_ERRORS))
    far = rng.uniform(*_FAR_DEGREES, size=part.rows)
    lon = np.where(error == CALL_ERRORS.index("outside the area"), np.round(lon + far, DECIMALS), lon)
    missing = error == CALL_ERRORS.index("missing position")
    time_s = time_s - _DAY_SHIFT_S * (error == CALL_ERRORS.index("by day"))
    return pa.table(
        {
            "time": pa.array(local_times(part.date, time_s)),
            "lon": pa.array(lon, mask=missing),
            "lat": pa.array(lat, mask=missing),
            "home_lon": pa.array(world.home_lon[home[caller]]),
            "home_lat": pa.array(world.home_lat[home[caller]]),
            "subscriber": pa.array(_pseudonyms(settings, part.block * BLOCK_SUBSCRIBERS + caller)),
        }
    )


def _homes(world: World, settings: SynthSettings, block: int, people: int) -> NDArray[np.int64]:
    """Return the address of every subscriber of a block, equal on all nights, shape (people,)."""
    rng = np.random.default_rng([settings.seed, STREAM_HOMES, block])
    neighbourhood = np.searchsorted(world.neighbourhood_cdf, rng.random(people), side="right")
    return neighbourhood * ADDRESSES_EACH + rng.integers(ADDRESSES_EACH, size=people)


def _evening_locations(
    rng: Generator, world: World, settings: SynthSettings, home: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the mast of each subscriber who is out, and the seconds at which they go home; 0 for those at home."""
    people = len(home)
    is_out = rng.random(people) < settings.out_share
    visit = np.searchsorted(world.visit_cdf, home // ADDRESSES_EACH + rng.random(people), side="right")
    destination = visit % world.n_places
    scatter = world.place_spread_m[destination] * rng.standard_normal((2, people))
    mast = world.terrain.mast_at(world.place_x[destination] + scatter[0], world.place_y[destination] + scatter[1])
    return mast, np.where(is_out, rng.integers(_FIRST_HOME_S, _LAST_HOME_S, size=people), 0)


def _pseudonyms(settings: SynthSettings, subscriber: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return distinct pseudonyms below 2**32 in scrambled order."""
    mask = (1 << _PSEUDONYM_BITS) - 1
    mixed = (subscriber + (settings.seed & mask)) * _MULTIPLIER & mask
    mixed ^= mixed >> (_PSEUDONYM_BITS // 2)
    return mixed * _MULTIPLIER & mask


TAXI_COLUMNS = ("pickup_time", "dropoff_time", "origin_lon", "origin_lat", "destination_lon", "destination_lat")

TAXI_ERRORS = ("outside the area", "missing position", "by day", "drop-off before pick-up")
"""Kinds of deliberate errors in taxi trips."""

_REVERSED_SHARE = 0.40

_DOOR_SPREAD_M = 80.0

_ROAD_FACTOR = 1.3

_SPEED_KMH = 30.0

_SPEED_SPREAD = 0.2

_STOP_TIME_S = 120

_TRIES = 20


def taxi_table(world: World, settings: SynthSettings, part: Partition) -> pa.Table:
    """
    Draw the taxi trips of one partition, by pick-up.

    Most rides lead from a place to an address, some back. They take two minutes plus 1.3 times the straight-line distance at about
    30 km/h.

    Parameters
    ----------
    world
        Places, addresses and distributions.
    settings
        Seed and behaviour.
    part
        Night, chunk and rows.

    Returns
    -------
    pyarrow.Table
        `TAXI_COLUMNS`: local times, positions in degrees.
    """
    import pyarrow as pa

    rng = np.random.default_rng([settings.seed, STREAM_TAXI, part.night, part.chunk])
    pickup_s = draw_times(rng, part.rows)
    ends = _ends(rng, world, part.rows)
    dropoff_s = pickup_s + _ride_s(rng, ends)
    error = draw_errors(rng, part.rows, len(TAXI_ERRORS))
    shift = _DAY_SHIFT_S * (error == TAXI_ERRORS.index("by day"))
    is_reversed = error == TAXI_ERRORS.index("drop-off before pick-up")
    missing = error == TAXI_ERRORS.index("missing position")
    far = rng.uniform(*_FAR_DEGREES, size=part.rows) * (error == TAXI_ERRORS.index("outside the area"))
    origin, destination = (world.plane.to_lonlat(*end) for end in ends)
    return pa.table(
        {
            "pickup_time": pa.array(local_times(part.date, np.where(is_reversed, dropoff_s, pickup_s) - shift)),
            "dropoff_time": pa.array(local_times(part.date, np.where(is_reversed, pickup_s, dropoff_s) - shift)),
            "origin_lon": pa.array(np.round(origin[0] + far, DECIMALS), mask=missing),
            "origin_lat": pa.array(origin[1], mask=missing),
            "destination_lon": pa.array(np.round(destination[0] + far, DECIMALS)),
            "destination_lat": pa.array(destination[1]),
        }
    )


def _ends(rng: Generator, world: World, rows: int) -> tuple[Floats, Floats]:
    """Return origins and destinations, metres, each of shape (2, rows)."""
    desire_line = np.searchsorted(world.ride_cdf, rng.random(rows), side="right")
    neighbourhood, destination = np.divmod(desire_line, world.n_places)
    address = neighbourhood * ADDRESSES_EACH + rng.integers(ADDRESSES_EACH, size=rows)
    centre = np.stack([world.place_x[destination], world.place_y[destination]])
    place_point = _pickup_points(rng, world, centre, world.place_spread_m[destination], by_streets=True)
    door = np.stack(world.plane.to_xy(world.home_lon[address], world.home_lat[address]))
    home_point = _pickup_points(rng, world, door, np.full(rows, _DOOR_SPREAD_M), by_streets=False)
    is_reversed = rng.random(rows) < _REVERSED_SHARE
    return np.where(is_reversed, home_point, place_point), np.where(is_reversed, place_point, home_point)


def _pickup_points(rng: Generator, world: World, centre: Floats, spread_m: Floats, *, by_streets: bool) -> Floats:
    """Return random points on land around centres, metres, perhaps the rarer the farther from streets; the mast where none is found."""
    terrain = world.terrain
    points = np.empty_like(centre)
    pending = np.arange(centre.shape[1])
    for _ in range(_TRIES):
        drawn = centre[:, pending] + spread_m[pending] * rng.standard_normal((2, len(pending)))
        points[:, pending] = drawn
        kept = terrain.code_at(*drawn) == LAND
        pending = pending[~(kept & terrain.keeps(rng, *drawn) if by_streets else kept)]
        if not pending.size:
            return points
    mast = terrain.mast_at(*points[:, pending])
    nearest = np.stack(world.plane.to_xy(world.mast_lon[mast], world.mast_lat[mast]))
    points[:, pending] = nearest + _DOOR_SPREAD_M / 4 * rng.standard_normal(nearest.shape)
    return points


def _ride_s(rng: Generator, ends: tuple[Floats, Floats]) -> NDArray[np.int64]:
    """Return the duration of each ride in seconds."""
    metres = _ROAD_FACTOR * np.hypot(*(ends[1] - ends[0]))
    speed = _SPEED_KMH / 3.6 * np.exp(_SPEED_SPREAD * rng.standard_normal(len(metres)))
    seconds: NDArray[np.int64] = _STOP_TIME_S + np.rint(metres / speed).astype(np.int64)
    return seconds
