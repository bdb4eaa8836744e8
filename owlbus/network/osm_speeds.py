"""Interpret speed limits of OpenStreetMap: numbers with a unit, words, and legal limits of countries."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_UNITS_KMH = {"mph": 1.609344, "knots": 1.852, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "": 1.0}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*(mph|knots|km/h|kmh|kph|)")
_LEGAL = re.compile(r"(?:([a-z]{2})(?:-[a-z0-9]+)?:)?([a-z_]+)?[:_]?(\d+)?")
_WALK_KMH, _URBAN_KMH, _BICYCLE_ROAD_KMH, _MPH_30 = 7.0, 50.0, 30.0, 48.28
_URBAN_ELSEWHERE: dict[str, float] = {"gb": _MPH_30, "uk": _MPH_30} | dict.fromkeys(("ru", "by", "kz", "am", "ge", "uz", "jp", "kr"), 60.0)
_WORDS_KMH = {"walk": _WALK_KMH, "living_street": _WALK_KMH, "bicycle_road": _BICYCLE_ROAD_KMH, "nsl_restricted": _MPH_30}
_NO_NUMBER = frozenset(
    [
        "none",
        "signals",
        "variable",
        "implicit",
        "implied",
        "default",
        "national",
        "unposted",
        "rural",
        "trunk",
        "motorway",
        "expressway",
        "nsl_single",
        "nsl_dual",
        "nsl",
    ]
)
_ZONES = frozenset({"zone", "urban_zone", "zone_urban", "maxspeed"})


@lru_cache(maxsize=1024)
def speed_limit_kmh(text: str) -> float | None:
    """
    Speed limit in km/h of a tag.

    Parameters
    ----------
    text
        Value of ``maxspeed``: a number in km/h or with ``mph`` or ``knots``, a word such as ``walk``, or a legal limit such as
        ``DE:urban`` or ``DE:zone:30``. Of several values between semicolons the first counts.

    Returns
    -------
    float or None
        The limit; infinity for a value without a number (``none``, ``signals``, ``DE:rural``); None for a value that is not understood.

    Examples
    --------
    >>> speed_limit_kmh("30 mph"), speed_limit_kmh("DE:urban"), speed_limit_kmh("none"), speed_limit_kmh("fast")
    (48.28032, 50.0, inf, None)
    """
    value = text.split(";", maxsplit=1)[0].strip().lower()
    number = _NUMBER.fullmatch(value)
    if number is not None:
        return float(number[1]) * _UNITS_KMH[number[2]]
    legal = _LEGAL.fullmatch(value)
    if legal is None:
        return None
    country, word, zone_kmh = legal[1], legal[2] or "", legal[3]
    if zone_kmh is not None:
        return float(zone_kmh) * (_UNITS_KMH["mph"] if country in {"gb", "uk", "us"} else 1.0) if word in _ZONES | {""} else None
    if word == "urban":
        return _URBAN_ELSEWHERE.get(country or "", _URBAN_KMH)
    return math.inf if word in _NO_NUMBER else _WORDS_KMH.get(word)
