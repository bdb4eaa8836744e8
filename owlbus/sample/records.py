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
    at_night,
    block_size,
    draw_dirt,
    draw_times,
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

CALL_DIRT = ("outside the area", "missing position", "by day")
"""Ways in which calls are spoilt on purpose."""

_LIVELY = 1.5

_FIRST_HOME_S, _LAST_HOME_S = HOUR_S // 2, 7 * HOUR_S

_DAY_SHIFT_S = 10 * HOUR_S

_FAR_DEGREES = (0.5, 1.5)

_SCRAMBLE = 2_654_435_761

_PSEUDONYM_BITS = 32


def call_table(world: World, settings: SynthSettings, part: Partition) -> pa.Table:
    """
    Draw the calls of one partition, by time.

    A subscriber out at a place stays with one mast there and goes home some time in the night; whoever is at home phones from the
    mast that serves the address. Some subscribers phone much more than others.

    Parameters
    ----------
    world
        Addresses, masts and odds.
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
    evening = np.random.default_rng([settings.seed, STREAM_EVENINGS, part.block, part.night])
    mast_out, leaves_s = _evening(evening, world, settings, home)
    rng = np.random.default_rng([settings.seed, STREAM_CALLS, part.block, part.night, part.chunk])
    time_s = draw_times(rng, part.rows)
    who = (people * rng.random(part.rows) ** _LIVELY).astype(np.int64)
    mast = np.where(time_s < leaves_s[who], mast_out[who], world.home_mast[home[who]])
    lon, lat = world.mast_lon[mast], world.mast_lat[mast]
    dirt = draw_dirt(rng, part.rows, len(CALL_DIRT))
    far = rng.uniform(*_FAR_DEGREES, size=part.rows)
    lon = np.where(dirt == CALL_DIRT.index("outside the area"), np.round(lon + far, DECIMALS), lon)
    missing = dirt == CALL_DIRT.index("missing position")
    time_s = time_s - _DAY_SHIFT_S * (dirt == CALL_DIRT.index("by day"))
    return pa.table(
        {
            "time": pa.array(at_night(part.date, time_s)),
            "lon": pa.array(lon, mask=missing),
            "lat": pa.array(lat, mask=missing),
            "home_lon": pa.array(world.home_lon[home[who]]),
            "home_lat": pa.array(world.home_lat[home[who]]),
            "subscriber": pa.array(_pseudonyms(settings, part.block * BLOCK_SUBSCRIBERS + who)),
        }
    )


def _homes(world: World, settings: SynthSettings, block: int, people: int) -> NDArray[np.int64]:
    """Address of every subscriber of a block, the same on every night, shape (people,)."""
    rng = np.random.default_rng([settings.seed, STREAM_HOMES, block])
    neighbourhood = np.searchsorted(world.neighbourhood_steps, rng.random(people), side="right")
    return neighbourhood * ADDRESSES_EACH + rng.integers(ADDRESSES_EACH, size=people)


def _evening(rng: Generator, world: World, settings: SynthSettings, home: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Mast where each subscriber is out, and the second of leaving for home; 0 for those who stay in."""
    people = len(home)
    out = rng.random(people) < settings.out_share
    visit = np.searchsorted(world.visit_steps, home // ADDRESSES_EACH + rng.random(people), side="right")
    place = visit % world.n_places
    scatter = world.place_spread_m[place] * rng.standard_normal((2, people))
    mast = world.terrain.mast_at(world.place_x[place] + scatter[0], world.place_y[place] + scatter[1])
    return mast, np.where(out, rng.integers(_FIRST_HOME_S, _LAST_HOME_S, size=people), 0)


def _pseudonyms(settings: SynthSettings, subscriber: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers below 2**32 that differ between subscribers and show no order."""
    mask = (1 << _PSEUDONYM_BITS) - 1
    mixed = (subscriber + (settings.seed & mask)) * _SCRAMBLE & mask
    mixed ^= mixed >> (_PSEUDONYM_BITS // 2)
    return mixed * _SCRAMBLE & mask


TAXI_COLUMNS = ("pickup_time", "dropoff_time", "origin_lon", "origin_lat", "destination_lon", "destination_lat")

TAXI_DIRT = ("outside the area", "missing position", "by day", "drop-off before pick-up")
"""Ways in which taxi trips are spoilt on purpose."""

_REVERSED_SHARE = 0.25

_DOOR_SPREAD_M = 80.0

_ROAD_FACTOR = 1.3

_SPEED_KMH = 30.0

_SPEED_SPREAD = 0.2

_KERB_S = 120

_DAY_SHIFT_S = 36_000

_FAR_DEGREES = (0.5, 1.5)


def taxi_table(world: World, settings: SynthSettings, part: Partition) -> pa.Table:
    """
    Draw the taxi trips of one partition, by pick-up.

    Most rides lead from a place to an address, some the other way. They take two minutes plus 1.3 times the straight way at
    30 km/h, give or take.

    Parameters
    ----------
    world
        Places, addresses and odds.
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
    dirt = draw_dirt(rng, part.rows, len(TAXI_DIRT))
    shift = _DAY_SHIFT_S * (dirt == TAXI_DIRT.index("by day"))
    turned = dirt == TAXI_DIRT.index("drop-off before pick-up")
    missing = dirt == TAXI_DIRT.index("missing position")
    far = rng.uniform(*_FAR_DEGREES, size=part.rows) * (dirt == TAXI_DIRT.index("outside the area"))
    origin, destination = (world.plane.to_lonlat(*end) for end in ends)
    return pa.table(
        {
            "pickup_time": pa.array(at_night(part.date, np.where(turned, dropoff_s, pickup_s) - shift)),
            "dropoff_time": pa.array(at_night(part.date, np.where(turned, pickup_s, dropoff_s) - shift)),
            "origin_lon": pa.array(np.round(origin[0] + far, DECIMALS), mask=missing),
            "origin_lat": pa.array(origin[1], mask=missing),
            "destination_lon": pa.array(np.round(destination[0] + far, DECIMALS)),
            "destination_lat": pa.array(destination[1]),
        }
    )


def _ends(rng: Generator, world: World, rows: int) -> tuple[Floats, Floats]:
    """Origins and destinations, metres, each of shape (2, rows)."""
    line = np.searchsorted(world.ride_steps, rng.random(rows), side="right")
    neighbourhood, place = np.divmod(line, world.n_places)
    address = neighbourhood * ADDRESSES_EACH + rng.integers(ADDRESSES_EACH, size=rows)
    middle = np.stack([world.place_x[place], world.place_y[place]])
    out = _kerb(rng, world, middle, world.place_spread_m[place])
    door = np.stack(world.plane.to_xy(world.home_lon[address], world.home_lat[address]))
    home = _kerb(rng, world, door, np.full(rows, _DOOR_SPREAD_M))
    back = rng.random(rows) < _REVERSED_SHARE
    return np.where(back, home, out), np.where(back, out, home)


def _kerb(rng: Generator, world: World, middle: Floats, spread_m: Floats) -> Floats:
    """Points around their middles; a point off the land moves to the mast that serves it, as masts stand on land."""
    points = middle + spread_m * rng.standard_normal(middle.shape)
    off = np.flatnonzero(world.terrain.code_at(*points) != LAND)
    mast = world.terrain.mast_at(*points[:, off])
    nearest = np.stack(world.plane.to_xy(world.mast_lon[mast], world.mast_lat[mast]))
    points[:, off] = nearest + _DOOR_SPREAD_M / 4 * rng.standard_normal(nearest.shape)
    return points


def _ride_s(rng: Generator, ends: tuple[Floats, Floats]) -> NDArray[np.int64]:
    """Seconds of each ride."""
    metres = _ROAD_FACTOR * np.hypot(*(ends[1] - ends[0]))
    speed = _SPEED_KMH / 3.6 * np.exp(_SPEED_SPREAD * rng.standard_normal(len(metres)))
    seconds: NDArray[np.int64] = _KERB_S + np.rint(metres / speed).astype(np.int64)
    return seconds
