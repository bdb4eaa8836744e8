"""Comments on a plan, each pinned to a stop, a route or a hex: what one is, and where it belongs on the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.common.text import visible, visible_lines
from owlbus.network.latin_names import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.network import Network
    from owlbus.plan import Plan

MOST_COMMENTS, MOST_CHARACTERS, MOST_NAME = 5_000, 2_000, 120
"""Comments of a run, characters of a text, and characters of a name."""

NEAR_STOP_M = 60.0
"""Metres within which a comment without a pin belongs to a stop."""

_MOST_DIGITS = 12
_HALF_TURN, _RIGHT_ANGLE = 180.0, 90.0


@dataclass(frozen=True, slots=True)
class Comment:
    """
    What somebody says about a place or a route.

    Attributes
    ----------
    key
        Its name in the run, such as ``c7``; empty until it is kept.
    lon, lat
        Degrees.
    pin
        ``stop``, ``route`` or ``hex``.
    target
        Index of the stop, name of the route, or index of the hex.
    text
        One line or several, without control characters.
    name
        Who says it, or empty.
    time
        When, as text, or empty.
    """

    key: str
    lon: float
    lat: float
    pin: str
    target: int | str
    text: str
    name: str = ""
    time: str = ""

    def same_as(self, other: Comment) -> bool:
        """
        Whether another comment says the same at the same place.

        Parameters
        ----------
        other
            The other comment; positions may differ by a hundred-thousandth of a degree.

        Returns
        -------
        bool
            True if only key and time differ.
        """
        apart = max(abs(self.lon - other.lon), abs(self.lat - other.lat))
        return (self.text, self.name, self.pin, self.target) == (other.text, other.name, other.pin, other.target) and apart <= 1e-5  # noqa: PLR2004 - a metre


def pinned_comment(network: Network, plan: Plan, values: Mapping[str, Any], time: str = "") -> Comment:
    """
    Comment from what a page or a file says of it, pinned to what it names, else to the stop or hex at its position.

    Parameters
    ----------
    network
        Stops and hexes, lon/lat degrees.
    plan
        The plan, for names of routes.
    values
        ``text``, and of ``lon`` and ``lat`` in degrees, ``stop``, ``route`` and ``hex`` what is known; perhaps ``name`` and ``time``.
    time
        What stands for the time where the values have none.

    Returns
    -------
    Comment
        Not yet kept.

    Raises
    ------
    UsageError
        If it has no text or too long a one, or lies nowhere in the study area.
    """
    text = _line_of("text", values.get("text"), MOST_CHARACTERS, is_one_line=False)
    if not text:
        msg = "a comment must have a text, and has none; write one"
        raise UsageError(msg)
    name, when = (_line_of(key, values.get(key), MOST_NAME) for key in ("name", "time"))
    position = _position(values)
    pin, target = _pin(network, plan, values, position)
    lon, lat = position or _place(network, plan, pin, target)
    return Comment("", round(lon, 6), round(lat, 6), pin, target, text, name, when or time)


def place_text(network: Network, comment: Comment, language: str = "en") -> str:
    """
    What a comment is about, in words.

    Parameters
    ----------
    network
        Stops and hexes.
    comment
        The comment.
    language
        Of the names of stops, ``en`` or ``ko``.

    Returns
    -------
    str
        Name of the stop or route, or label of the hex.
    """
    if comment.pin == "stop":
        return display_name(network, int(comment.target), language)
    return str(network.grid.labels[int(comment.target)]) if comment.pin == "hex" else str(comment.target)


def stop_of_comment(network: Network, comment: Comment) -> int | None:
    """
    Stop that an answer to a comment is about.

    Parameters
    ----------
    network
        Stops and hexes.
    comment
        The comment.

    Returns
    -------
    int or None
        The stop itself, or the one nearest to a position in a hex; None for a comment on a route.
    """
    if comment.pin == "route":
        return None
    return int(comment.target) if comment.pin == "stop" else int(network.nearest_stops(comment.lon, comment.lat)[0])


def _line_of(key: str, value: object, most: int, *, is_one_line: bool = True) -> str:
    """Return a text without control characters, refused if it is none or too long."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        msg = f"{key} of a comment must be text, got {type(value).__name__}; write it as text"
        raise UsageError(msg)
    text = str(value).strip()
    if len(text) > most:
        msg = f"{key} of a comment must have at most {most:,} characters, got {len(text):,}; shorten it"
        raise UsageError(msg)
    return (visible(text) if is_one_line else visible_lines(text.replace("\r\n", "\n").replace("\r", "\n"))).strip()


def _position(values: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return longitude and latitude, refused if they are no degrees; None if there are none."""
    given = [values.get(name) for name in ("lon", "lat")]
    if given == [None, None]:
        return None
    for name, value, most in zip(("lon", "lat"), given, (_HALF_TURN, _RIGHT_ANGLE), strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            msg = f"{name} of a comment must lie in [-{most:g}, {most:g}] degrees, got {str(value)[:40]!r}; give longitude and latitude"
            raise UsageError(msg)
    lon, lat = (float(str(value)) for value in given)
    return lon, lat


def _pin(network: Network, plan: Plan, values: Mapping[str, Any], position: tuple[float, float] | None) -> tuple[str, int | str]:
    """Return what a comment is pinned to: what it names, else the stop or hex at its position."""
    route = values.get("route")
    if route is not None and route != "":
        if not isinstance(route, str) or route not in plan.names:
            msg = f"route of a comment must be one of the plan, got {str(route)[:40]!r}; name one, or none"
            raise UsageError(msg)
        return "route", route
    for pin, count in (("stop", network.n_stops), ("hex", network.grid.n_hexes)):
        if values.get(pin) is not None and values[pin] != "":
            return pin, _index(network, pin, values[pin], count)
    if position is None:
        msg = "a comment must have a position, or name a stop, a route or a hex, and has neither; pin it to one"
        raise UsageError(msg)
    stop, metres = network.nearest_stops(*position)
    if float(metres) <= NEAR_STOP_M:
        return "stop", int(stop)
    hexagon = int(network.grid.lonlat_to_hex(*position))
    if hexagon < 0:
        msg = f"a comment at {position[0]:.5f},{position[1]:.5f} lies outside the study area; pin it to a hex, stop or route"
        raise UsageError(msg)
    return "hex", hexagon


def _index(network: Network, pin: str, value: object, count: int) -> int:
    """Return the index of a stop or hex, which a hex may also name by its label."""
    if pin == "hex" and isinstance(value, str) and value in network.grid.labels:
        return int((network.grid.labels == value).argmax())
    number = -1
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS:
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if not 0 <= number < count:
        msg = f"{pin} of a comment must be an index in [0, {count - 1}], got {str(value)[:40]!r}; name one of the network"
        raise UsageError(msg)
    return number


def _place(network: Network, plan: Plan, pin: str, target: int | str) -> tuple[float, float]:
    """Return the position of what a comment is pinned to: of a route its middle stop."""
    if pin == "hex":
        return float(network.grid.lon[int(target)]), float(network.grid.lat[int(target)])
    stops = plan.routes[plan.names.index(str(target))].stops if pin == "route" else None
    stop = int(target) if stops is None else int(stops[stops.size // 2])
    return float(network.stop_lon[stop]), float(network.stop_lat[stop])
