"""What a sweep goes over: routes, buses, kilometres or headways, and the limits at each of its settings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from owlbus.plan.limits import RouteLimits

KINDS = ("routes", "fleet", "km", "headway")
"""What can be swept: routes, buses of all routes, one-way kilometres of all routes, minutes between buses."""

UNITS = {"routes": ("route", "routes"), "fleet": ("bus", "buses"), "km": ("km", "km"), "headway": ("minute of headway", "minutes")}
"""Unit of each kind, for one and for several."""

_MOST_SETTINGS = 200
_LONGEST_MIN = 360
_LOWEST = {"routes": 1, "fleet": 1, "km": 0.001, "headway": 1}
_MOST_ROUTES = 64


def settings_of_text(text: str) -> list[float]:
    """
    Settings of ``FIRST:LAST``, ``FIRST:LAST:STEP`` or a list with commas, ends included.

    Parameters
    ----------
    text
        Such as ``1:20`` or ``20,30,45``; numbers of routes, buses, kilometres or minutes.

    Returns
    -------
    list of float
        Ascending.

    Raises
    ------
    UsageError
        If the text is none of these.

    Examples
    --------
    >>> settings_of_text("30:60:15"), settings_of_text("5,3")
    ([30.0, 45.0, 60.0], [3.0, 5.0])
    """
    try:
        numbers = [float(part) for part in text.replace(":", ",").split(",")]
    except ValueError:
        numbers = []
    numbers = numbers if all(map(math.isfinite, numbers)) else []
    if ":" not in text and numbers:
        return sorted(set(numbers))
    first, last, step = (*numbers, 1.0)[:3] if len(numbers) in {2, 3} else (0.0, 0.0, 0.0)
    n_steps = (last - first) / step if step > 0 else -1.0
    if not 0 <= n_steps <= _MOST_SETTINGS:
        msg = f"a range must read FIRST:LAST, FIRST:LAST:STEP or A,B,C, such as 1:20, got {text!r}"
        raise UsageError(msg)
    return [round(first + k * step, 9) for k in range(int(n_steps + 1e-9) + 1)]


def require_settings(kind: str, settings: Sequence[float]) -> None:
    """
    Refuse what cannot be swept.

    Parameters
    ----------
    kind
        What is swept, one of `KINDS`.
    settings
        Routes, buses, kilometres or minutes.

    Raises
    ------
    UsageError
        If `kind` is none, or there is no setting or one out of range.
    """
    if kind not in KINDS:
        msg = f"a sweep goes over one of {', '.join(KINDS)}, got {kind!r}"
        raise UsageError(msg, setting="kind", value=kind, allowed=tuple(KINDS))
    whole = kind in {"routes", "fleet"}
    highest = {"routes": _MOST_ROUTES, "headway": _LONGEST_MIN}.get(kind, 1e6)
    bad = [s for s in settings if not _LOWEST[kind] <= s <= highest or (whole and s != int(s))]
    if bad or not settings:
        number = "whole numbers" if whole else "numbers"
        msg = f"{setting(kind)} to sweep must be {number} in [{_LOWEST[kind]:g}, {highest:g}], got {f'{bad[0]:g}' if bad else 'none'}"
        raise UsageError(msg, setting=kind, value=tuple(settings), allowed=(_LOWEST[kind], highest))


def require_least(ranges: Iterable[tuple[str, int, int]]) -> None:
    """
    Refuse numbers of a sweep that are too small.

    Parameters
    ----------
    ranges
        Name, number and least number of each setting.

    Raises
    ------
    UsageError
        If a number lies below its least one.
    """
    for name, value, least in ranges:
        if value < least:
            msg = f"{setting(name)} of a sweep must be at least {least}, got {value}"
            raise UsageError(msg, setting=name, value=value, allowed=(least, math.inf))


def limits_at(kind: str, setting: float, limits: RouteLimits, n_routes: int) -> tuple[int, RouteLimits]:
    """
    Routes and limits at one setting of a sweep.

    Parameters
    ----------
    kind
        What is swept, one of `KINDS`.
    setting
        Routes, buses, kilometres or minutes.
    limits
        All other limits, in metres and seconds.
    n_routes
        Routes where something else is swept.

    Returns
    -------
    n_routes, limits
        Routes, and limits in metres and seconds.

    Examples
    --------
    >>> from owlbus import RouteLimits
    >>> limits_at("headway", 20, RouteLimits(), 9)[1].headway_s
    1200
    """
    if kind == "routes":
        return int(setting), limits
    if kind == "fleet":
        return n_routes, replace(limits, max_buses=int(setting))
    if kind == "km":
        return n_routes, replace(limits, max_total_length_m=setting * 1000)
    return n_routes, replace(limits, headway_s=round(setting * 60))
