"""Interpret OpenStreetMap tags for buses and pedestrians: access, directions, speeds, stops and turn restrictions."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from owlbus.network.from_tables import OTHER_RANK, RANKS
from owlbus.network.osm_speeds import speed_limit_kmh

if TYPE_CHECKING:
    from collections.abc import Mapping

    Tags = Mapping[str, str]

SPEEDS_KMH = {
    "motorway": 80,
    "trunk": 65,
    "primary": 50,
    "secondary": 45,
    "tertiary": 40,
    "busway": 40,
    "bus_guideway": 60,
    "motorway_link": 45,
    "trunk_link": 40,
    "primary_link": 35,
    "secondary_link": 35,
    "tertiary_link": 30,
    "unclassified": 30,
    "residential": 25,
    "road": 25,
    "service": 15,
    "living_street": 10,
    "pedestrian": 10,
}
"""Free-flow speed of a bus in km/h on a road without a tagged limit, by type of road."""

BUS_ONLY = frozenset({"service", "living_street", "pedestrian"})
"""Types of road that need a tag to be open to buses."""

BUS_ROADS = frozenset({"busway", "bus_guideway"})
"""Types of road for buses: tags for other vehicles do not close them."""

MIN_WIDTH_M, MIN_HEIGHT_M, MIN_LENGTH_M, MIN_WEIGHT_T = 2.75, 3.2, 12.0, 12.0
"""Dimensions of a bus: streets with a smaller tagged limit are left out unless they are tagged for buses."""

_YES = frozenset({"yes", "designated", "permissive", "official", "1", "true"})
_NO = frozenset(
    [
        "no",
        "private",
        "agricultural",
        "forestry",
        "agricultural;forestry",
        "delivery",
        "customers",
        "destination",
        "permit",
        "military",
        "emergency",
        "residents",
    ]
)
_BUS = ("bus", "psv")
_VEHICLES = (*_BUS, "motor_vehicle", "vehicle", "access")
_MINIMUMS = {
    "maxwidth": MIN_WIDTH_M,
    "maxwidth:physical": MIN_WIDTH_M,
    "width": MIN_WIDTH_M,
    "maxheight": MIN_HEIGHT_M,
    "maxlength": MIN_LENGTH_M,
    "maxweight": MIN_WEIGHT_T,
}
_OPPOSITE = ("opposite", "opposite_lane", "opposite_track")
_SIDES = ("busway", "busway:left", "busway:right", "busway:both")
_SIDE = (":forward", ":backward")
_FOR_BUSES = tuple(key + side for key in _BUS for side in ("", *_SIDE))
_TURNING = frozenset({"reversible", "alternating"})
_ONEWAY = ("oneway", "oneway:vehicle", "oneway:motor_vehicle", "psv:oneway", "oneway:psv", "bus:oneway", "oneway:bus")
_LIMITS = ("maxspeed", "maxspeed:psv", "maxspeed:bus")
_CAP = 1.25
_FOOT_M = 0.3048
_LEAST_KMH = 5.0
_SHUT = frozenset({"bollard", "block", "jersey_barrier", "cycle_barrier", "motorcycle_barrier", "planter", "chain", "log", "debris"})
_DOORS = frozenset({"gate", "lift_gate", "swing_gate", "sliding_gate", "rising_bollard", "barrier_board", "yes", "entrance", "sump_buster"})
_NO_WALK = frozenset({"motorway", "motorway_link", "construction", "proposed", "raceway", "bus_guideway", "busway", "abandoned", "razed"})
_TRACKS = frozenset({"cycleway", "bridleway"})


CONDITIONAL_KEYS = frozenset(
    {
        *(key + side for key in (*_VEHICLES, "maxspeed") for side in ("", *_SIDE)),
        *(f"lanes:{key}{side}" for key in _BUS for side in _SIDE),
        *("foot", "restriction", "restriction:bus", "restriction:psv"),
        *_ONEWAY,
        *_LIMITS,
        *_MINIMUMS,
    }
)
"""Keys that are read with the suffix ``:conditional`` too."""


class BusWay(NamedTuple):
    """
    Use of a street by buses.

    Attributes
    ----------
    forward, backward
        Whether buses may drive in the order of the street's nodes, and in reverse.
    kmh
        Free-flow speed in km/h.
    rank
        Rank for stops, 0 for main roads, lower is better.
    """

    forward: bool
    backward: bool
    kmh: float
    rank: int


def bus_way(tags: Tags) -> BusWay | str:
    """
    Use of a street by buses, with its speed in km/h, or the reason why it is closed to them.

    The most specific tag decides: bus before psv, motor_vehicle, vehicle and access, and tags for one direction before tags for both.
    Service roads, living streets and pedestrian streets need a tag for buses; busways and guideways are closed by such a tag only.
    Conditional tags are left to `NightConditions`.

    Parameters
    ----------
    tags
        Tags of a way with ``highway``.

    Returns
    -------
    BusWay or str
        The use, or the reason.

    Examples
    --------
    >>> bus_way({"highway": "primary", "oneway": "yes", "oneway:bus": "no", "maxspeed": "30"})
    BusWay(forward=True, backward=True, kmh=30.0, rank=0)
    >>> bus_way({"highway": "primary", "motor_vehicle": "no"})
    'closed to buses'
    """
    kind = tags.get("highway", "")
    if not is_street(tags):
        return "not a street for motor vehicles"
    is_for_buses = any(tags[key] in _YES for key in _FOR_BUSES if key in tags)
    if kind in BUS_ONLY and not is_for_buses:
        return "service, living or pedestrian street not tagged for buses"
    access = [_access_to(tags, kind, side) for side in _SIDE]
    if access == [False, False]:
        return "closed to buses"
    if not is_for_buses and _too_small(tags):
        return "too narrow, low or weak for a bus"
    needs_tag = kind in BUS_ONLY and not any(tags.get(key) in _YES for key in _BUS)
    forward, backward = (
        directed and is_open is not False and (is_open is True or not needs_tag)
        for directed, is_open in zip(_directions(tags, kind), access, strict=True)
    )
    if not (forward or backward):
        return "no direction open to buses"
    return BusWay(forward, backward, _speed(tags, kind), RANKS.get(kind, OTHER_RANK))


def is_street(tags: Tags) -> bool:
    """
    Whether a way is of a type that motor vehicles use, open to buses or not.

    Parameters
    ----------
    tags
        Tags of a way with ``highway``.

    Returns
    -------
    bool
        True for streets with a usual speed in `SPEEDS_KMH` that are no areas.
    """
    return tags.get("highway") in SPEEDS_KMH and tags.get("area") != "yes"


def _access(tags: Tags, suffix: str, keys: tuple[str, ...] = _VEHICLES) -> bool | None:
    """Whether buses may pass, by the most specific tag; None without such a tag."""
    for key in keys:
        value = tags.get(key + suffix)
        if value in _YES:
            return True
        if value in _NO:
            return False
    return None


def _access_to(tags: Tags, kind: str, side: str) -> bool | None:
    """Whether buses may pass in one direction, by the tags for it, else by those for both."""
    keys = _BUS if kind in BUS_ROADS else _VEHICLES
    sided = _access(tags, side, keys)
    return _access(tags, "", keys) if sided is None else sided


def _directions(tags: Tags, kind: str) -> tuple[bool, bool]:
    """Whether one-way rules let buses drive in the order of the nodes, and in reverse."""
    oneway = next((tags[key] for key in reversed(_ONEWAY) if key in tags), None)
    if oneway in _TURNING:
        return False, False
    implied = tags.get("junction") in {"roundabout", "circular"} or kind in {"motorway", "motorway_link"}
    is_oneway = oneway in _YES or oneway == "-1" or (implied and oneway not in {"no", "false"})
    along, against = ("backward", "forward") if oneway == "-1" else ("forward", "backward")
    contraflow = any(tags.get(key) in _OPPOSITE for key in _SIDES) or _has_lane(tags, against)
    open_to = {along: True, against: not is_oneway or contraflow}
    return open_to["forward"], open_to["backward"]


def _has_lane(tags: Tags, direction: str) -> bool:
    """Whether buses have a lane of their own in a direction."""
    return any(
        tags.get(f"lanes:{key}:{direction}", "0") not in {"0", "no"}
        or tags.get(f"{key}:{direction}") in _YES
        or not _YES.isdisjoint(tags.get(f"{key}:lanes:{direction}", "").split("|"))
        for key in _BUS
    )


def _speed(tags: Tags, kind: str) -> float:
    """Free-flow speed in km/h: the lowest tagged limit that is understood, at most a quarter above the default, or else the default."""
    usual = float(SPEEDS_KMH[kind])
    limits = [speed_limit_kmh(text) for _, text in tagged_limits(tags)]
    least = min((limit for limit in limits if limit is not None), default=math.inf)
    return usual if least == math.inf else min(max(least, _LEAST_KMH), usual * _CAP)


def tagged_limits(tags: Tags) -> list[tuple[str, str]]:
    """
    Speed limits that a street has for buses.

    Parameters
    ----------
    tags
        Tags of a way.

    Returns
    -------
    list
        Key and value of each limit; those for one direction only where there is none for both.
    """
    found = [(key, tags[key]) for key in _LIMITS if key in tags]
    return found or [(f"maxspeed{side}", tags[f"maxspeed{side}"]) for side in _SIDE if f"maxspeed{side}" in tags]


def _too_small(tags: Tags) -> bool:
    """Whether a tagged limit is too small for a bus."""
    return any(key in tags and (size_of(tags[key]) or least) < least for key, least in _MINIMUMS.items())


def size_of(text: str) -> float | None:
    """
    Metres or tonnes of a tag.

    Parameters
    ----------
    text
        A number, perhaps with its unit: m, t, st, lbs, ft, or feet and inches.

    Returns
    -------
    float or None
        Metres or tonnes; None if it is no number.
    """
    match = re.match(r"^\s*(\d+(?:\.\d+)?)\s*(m|t|st|lbs|ft|')?(?:\s*(\d+)\s*\")?\s*$", text.replace(",", "."))
    if match is None:
        return None
    scale = {"ft": _FOOT_M, "'": _FOOT_M, "lbs": 0.000_453_6, "st": 0.907}.get(match[2] or "", 1.0)
    return (float(match[1]) + float(match[3] or 0) / 12) * scale


def is_value(key: str, value: str) -> bool:
    """
    Whether a value is one that a tag for access, direction, size, speed or turns may have.

    Parameters
    ----------
    key, value
        The tag.

    Returns
    -------
    bool
        False for values without a meaning for buses and pedestrians, and for other keys.
    """
    kind = key.partition(":")[0]
    if kind == "oneway" or key.endswith(":oneway"):
        return value in _YES | _TURNING | {"no", "false", "-1"}
    if kind == "maxspeed":
        return speed_limit_kmh(value) is not None
    if kind == "restriction":
        return value.startswith(("no_", "only_")) or value == "none"
    if kind == "lanes":
        return value.isdigit() or value in _YES | {"no"}
    if key in _MINIMUMS:
        return size_of(value) is not None or value in {"none", "default"}
    return value in _YES | _NO


def blocks_buses(tags: Tags) -> bool:
    """
    Whether a barrier at a node blocks buses.

    Parameters
    ----------
    tags
        Tags of the node.

    Returns
    -------
    bool
        True for bollards and blocks not tagged for buses or motor vehicles, and for gates closed to them.
    """
    kind, access = tags.get("barrier"), _access(tags, "")
    return (kind in _SHUT and access is not True) or (kind in _DOORS and access is False)


def is_walkable(tags: Tags) -> bool:
    """
    Whether people may walk along a way with ``highway``.

    Parameters
    ----------
    tags
        Its tags.

    Returns
    -------
    bool
        False if its type or a tag excludes pedestrians.
    """
    kind, foot = tags.get("highway", ""), tags.get("foot")
    if foot in _YES:
        return True
    if kind in _NO_WALK | _TRACKS or foot in {"no", "private", "use_sidepath"}:
        return False
    if kind in {"trunk", "trunk_link"} and tags.get("sidewalk", "no") in {"no", "none"}:
        return False
    return tags.get("access") not in {"no", "private"}


def is_bus_stop(tags: Tags) -> bool:
    """
    Whether a node is a bus stop.

    Parameters
    ----------
    tags
        Its tags.

    Returns
    -------
    bool
        True for ``highway=bus_stop``, and for ``public_transport`` positions and platforms of buses and trolleybuses.
    """
    if tags.get("highway") == "bus_stop":
        return True
    is_position = tags.get("public_transport") in {"stop_position", "platform"}
    return is_position and any(tags.get(mode) in _YES for mode in ("bus", "trolleybus"))


def hails(tags: Tags) -> bool:
    """
    Whether buses halt on demand along a whole way or route.

    Parameters
    ----------
    tags
        Its tags.

    Returns
    -------
    bool
        True for ``hail_and_ride=yes``; False for a route on which they do so in part.
    """
    return any(tags.get(key) in _YES for key in ("hail_and_ride", *(f"{key}:hail_and_ride" for key in _BUS)))


def turn_rule(tags: Tags) -> str | None:
    """
    Turn restriction of a relation for buses, ``no_…`` or ``only_…``; None if it has none.

    Parameters
    ----------
    tags
        Tags of a relation.

    Returns
    -------
    str or None
        Value of the restriction.
    """
    exempt = {name.strip() for name in tags.get("except", "").split(";")}
    rule = (
        tags.get("restriction:bus")
        or tags.get("restriction:psv")
        or (None if exempt & {*_BUS, "motor_vehicle"} else tags.get("restriction"))
    )
    return rule if rule is not None and rule.startswith(("no_", "only_")) else None
