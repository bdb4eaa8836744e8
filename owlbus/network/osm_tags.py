"""Interpret OpenStreetMap tags for buses and pedestrians: access, directions, speeds, stops and turn restrictions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from owlbus.network.from_tables import OTHER_RANK, RANKS

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

MIN_WIDTH_M, MIN_HEIGHT_M, MIN_LENGTH_M, MIN_WEIGHT_T = 2.75, 3.2, 12.0, 12.0
"""Dimensions of a bus: streets with a smaller tagged limit are left out unless they are tagged for buses."""

_YES = frozenset({"yes", "designated", "permissive", "official", "1", "true"})
_NO = frozenset(
    {"no", "private", "agricultural", "forestry", "agricultural;forestry", "delivery", "customers", "destination", "permit", "military"}
)
_BUS = ("bus", "psv")
_VEHICLES = (*_BUS, "motor_vehicle", "vehicle", "access")
_OPPOSITE = ("opposite", "opposite_lane", "opposite_track")
_SIDES = ("busway", "busway:left", "busway:right", "busway:both")
_CAP = 1.25
_MPH_KM = 1.609344
_FOOT_M = 0.3048
_LEAST_KMH = 5.0
_SHUT = frozenset({"bollard", "block", "jersey_barrier", "cycle_barrier", "motorcycle_barrier", "planter", "chain", "log", "debris"})
_DOORS = frozenset({"gate", "lift_gate", "swing_gate", "sliding_gate", "rising_bollard", "barrier_board", "yes", "entrance", "sump_buster"})
_NO_WALK = frozenset({"motorway", "motorway_link", "construction", "proposed", "raceway", "bus_guideway", "busway", "abandoned", "razed"})
_TRACKS = frozenset({"cycleway", "bridleway"})


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
    Service roads, living streets and pedestrian streets need a tag for buses. Time-dependent limits are ignored.

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
    if kind not in SPEEDS_KMH or tags.get("area") == "yes":
        return "not a street for motor vehicles"
    access = _access(tags, "")
    is_for_buses = any(tags.get(key) in _YES for key in _BUS)
    if kind in BUS_ONLY and not is_for_buses:
        return "service, living or pedestrian street not tagged for buses"
    if access is False:
        return "closed to buses"
    if not is_for_buses and _too_small(tags):
        return "too narrow, low or weak for a bus"
    forward, backward = _directions(tags, kind)
    if not (forward or backward):
        return "no direction open to buses"
    return BusWay(forward, backward, _speed(tags, kind), RANKS.get(kind, OTHER_RANK))


def _access(tags: Tags, suffix: str) -> bool | None:
    """Whether buses may pass, by the most specific tag; None without such a tag."""
    for key in _VEHICLES:
        value = tags.get(key + suffix)
        if value in _YES:
            return True
        if value in _NO:
            return False
    return None


def _directions(tags: Tags, kind: str) -> tuple[bool, bool]:
    """Whether buses may drive in the order of the nodes, and in reverse."""
    oneway = tags.get("oneway")
    if oneway in {"reversible", "alternating"}:
        return False, False
    implied = tags.get("junction") in {"roundabout", "circular"} or kind in {"motorway", "motorway_link"}
    is_oneway = oneway in _YES or oneway == "-1" or (implied and oneway != "no")
    for key in ("oneway:psv", "oneway:bus"):
        if key in tags:
            is_oneway, oneway = tags[key] in _YES or tags[key] == "-1", tags[key]
    contraflow = any(tags.get(key) in _OPPOSITE for key in _SIDES)
    along, against = ("backward", "forward") if oneway == "-1" else ("forward", "backward")
    lanes = any(tags.get(f"lanes:{key}:{against}", "0") not in {"0", "no"} for key in _BUS)
    contraflow_bus = contraflow or lanes or any(tags.get(f"{key}:{against}") in _YES for key in _BUS)
    open_to = {along: True, against: not is_oneway or contraflow_bus}
    for side in ("forward", "backward"):
        if _access(tags, f":{side}") is False:
            open_to[side] = False
    return open_to["forward"], open_to["backward"]


def _speed(tags: Tags, kind: str) -> float:
    """Free-flow speed in km/h: the tagged limit, at most a quarter above the default, or else the default."""
    usual = float(SPEEDS_KMH[kind])
    if "maxspeed" not in tags:
        return usual
    match = re.match(r"^\s*(\d+(?:\.\d+)?)\s*(mph|km/h|kmh)?\s*(?:;.*)?$", tags["maxspeed"])
    if match is None:
        return usual
    limit = float(match[1]) * (_MPH_KM if match[2] == "mph" else 1.0)
    return min(max(limit, _LEAST_KMH), usual * _CAP)


def _too_small(tags: Tags) -> bool:
    """Whether a tagged limit is too small for a bus."""
    minimums = (
        ("maxwidth", MIN_WIDTH_M),
        ("maxwidth:physical", MIN_WIDTH_M),
        ("width", MIN_WIDTH_M),
        ("maxheight", MIN_HEIGHT_M),
        ("maxlength", MIN_LENGTH_M),
        ("maxweight", MIN_WEIGHT_T),
    )
    return any(key in tags and (_size(tags[key]) or minimum) < minimum for key, minimum in minimums)


def _size(text: str) -> float | None:
    """Metres or tonnes of a tag; None if it is no number."""
    match = re.match(r"^\s*(\d+(?:\.\d+)?)\s*(m|t|st|lbs|ft|')?(?:\s*(\d+)\s*\")?\s*$", text.replace(",", "."))
    if match is None:
        return None
    scale = {"ft": _FOOT_M, "'": _FOOT_M, "lbs": 0.000_453_6, "st": 0.907}.get(match[2] or "", 1.0)
    return (float(match[1]) + float(match[3] or 0) / 12) * scale


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
