"""Messages of the library in the words of the command line: settings as the flags that give them."""

from __future__ import annotations

import re

FLAGS = {
    "capacity": "--capacity",
    "detour_factor": "--detour-factor",
    "detour_s": "--detour-min, in seconds,",
    "dwell_s": "--dwell",
    "fleet": "--fleet",
    "headway_s": "--headway, in seconds,",
    "layover_share": "--layover",
    "max_buses": "--fleet",
    "max_circuity": "--max-circuity",
    "max_headway_s": "--max-headway, in seconds,",
    "max_length_m": "--max-length-km, in metres,",
    "max_rejected_share": "--max-rejected",
    "max_ride_s": "--max-ride-min, in seconds,",
    "max_total_length_m": "--total-km, in metres,",
    "max_transfers": "--max-transfers",
    "merge_m": "--merge-stops",
    "min_headway_s": "--min-headway, in seconds,",
    "min_length_m": "--min-length-km, in metres,",
    "modes": "--modes",
    "n_calls": "--calls",
    "n_hexes": "--hexes",
    "n_nights": "--nights",
    "n_routes": "--routes",
    "n_starts": "--starts",
    "n_subscribers": "--subscribers",
    "n_taxi": "--taxi",
    "night_factor": "--night-factor",
    "radius_m": "--radius",
    "resolution": "--h3",
    "seed": "--seed",
    "speed_kmh": "--speed",
    "steps": "--steps",
    "stretch": "--stretch",
    "target_gap_share": "--target-gap",
    "taxi_weight": "--taxi-weight",
    "time_s": "--time",
    "timezone": "--zone",
    "transfer_s": "--transfer-min, in seconds,",
    "uptake_share": "--uptake",
    "walk_area_share": "--walk-share",
    "walk_m": "--walk",
}
"""Flag by setting, with the unit where that is another one."""

_PER = {"seconds": (60, "minutes"), "metres": (1000, "km")}
"""How many of a setting's unit make one of its flag's."""

_RANGE = re.compile(r"(--\S+), in (seconds|metres), must lie in \[([\d.]+), ([\d.]+|inf)\], got (-?[\d.]+)(?=$|[;:])")

_COSTS = {"per_km": "--cost-km", "per_hour": "--cost-hour", "per_bus": "--cost-bus"}
_PARSED = (
    ("Value error, ", ""),
    ("Input should be a valid integer, unable to parse string as an integer", "it must be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "it must be a number"),
)
_SETTING = re.compile(r"(\w+)(?= (?:must|is for) )")


def as_flags(message: str) -> str:
    """
    Message in which a setting is called as on the command line.

    Parameters
    ----------
    message
        One line; a setting that it begins with, or a cost anywhere in it, is replaced. A range is given in the flag's own unit.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> as_flags("n_routes must lie in [1, 64], got 0"), as_flags("headway_s must lie in [60, inf], got 6")
    ('--routes must lie in [1, 64], got 0', '--headway, in minutes, must lie in [1, inf], got 0.1')
    """
    text = re.sub(r"\bper_(?:km|hour|bus)\b", lambda found: _COSTS[found[0]], message)
    if not _SETTING.match(text):
        return text
    return _RANGE.sub(_in_own_unit, _SETTING.sub(lambda found: FLAGS.get(found[1], found[1]), text, count=1))


def _in_own_unit(found: re.Match[str]) -> str:
    """Return a range in the unit of its flag."""
    per, unit = _PER[found[2]]
    least, most, got = (f"{float(number) / per:.10g}" for number in found.groups()[2:])
    flag = found[1] if found[1].endswith(("-km", "-min")) else f"{found[1]}, in {unit},"
    return f"{flag} must lie in [{least}, {most}], got {got}"


def as_said(text: str) -> str:
    """
    Complaint of the parser in plain words.

    Parameters
    ----------
    text
        What the parser says of a value.

    Returns
    -------
    str
        One line.
    """
    for words, plain in _PARSED:
        text = text.replace(words, plain)
    return text
