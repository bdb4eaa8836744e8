"""Columns of records: kinds (calls, taxi rides), column mapping, and layouts of known publishers."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Kind:
    """
    Kind of record.

    Attributes
    ----------
    name
        ``calls`` or ``taxi``.
    position, destination
        Columns of longitude and latitude, degrees, of the person and of the end of the trip, if any.
    start
        Column of the time that fixes night and hour.
    ends
        Alternative columns of the end of the trip, best first: a time, or a duration in seconds; one is required if there are any.
    optional
        Optional columns.
    substitutes
        Columns that can replace missing ones, best first: a point, H3 cell, zone or antenna for a position, a path for both ends of a
        ride, a subscriber for a home.
    """

    name: str
    position: tuple[str, str]
    destination: tuple[str, str] | tuple[()]
    start: str
    ends: tuple[str, ...]
    optional: tuple[str, ...]
    substitutes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        """Enter the kind among those that a name stands for."""
        _KIND_OF_NAME.setdefault(self.name, self)

    def __reduce__(self) -> tuple[Callable[[str], Kind], tuple[str]]:
        """Send the name alone to other processes, where the kind is then the same object as here."""
        return kind_of_name, (self.name,)

    @property
    def required(self) -> tuple[str, ...]:
        """Required columns."""
        return (self.start, *self.position, *self.destination)


_KIND_OF_NAME: dict[str, Kind] = {}


def kind_of_name(name: str) -> Kind:
    """Return the kind of a name, as `Kind.name`."""
    return _KIND_OF_NAME[name]


_HERE, _HOME = ("lon", "lat"), ("home_lon", "home_lat")
_FROM, _TO = ("origin_lon", "origin_lat"), ("destination_lon", "destination_lat")

CALLS = Kind(
    "calls",
    ("lon", "lat"),
    _HOME,
    "time",
    (),
    ("subscriber", "trips", "date", "antenna", "home_antenna", "position", "home_position", "cell", "home_cell", "zone", "home_zone"),
    (
        ("position", _HERE),
        ("cell", _HERE),
        ("zone", _HERE),
        ("antenna", _HERE),
        ("home_position", _HOME),
        ("home_cell", _HOME),
        ("home_zone", _HOME),
        ("home_antenna", _HOME),
        ("subscriber", _HOME),
    ),
)

TAXI = Kind(
    "taxi",
    _FROM,
    _TO,
    "pickup_time",
    ("dropoff_time", "duration_s"),
    (
        "trips",
        "date",
        "path",
        "origin_position",
        "destination_position",
        "origin_cell",
        "destination_cell",
        "origin_zone",
        "destination_zone",
    ),
    (
        ("origin_position", _FROM),
        ("origin_cell", _FROM),
        ("origin_zone", _FROM),
        ("destination_position", _TO),
        ("destination_cell", _TO),
        ("destination_zone", _TO),
        ("path", (*_FROM, *_TO)),
    ),
)

KINDS = (CALLS, TAXI)

POSITIONS = Kind(
    "places",
    _HERE,
    (),
    "time",
    (),
    ("date", "antenna", "position", "cell", "zone"),
    (("position", _HERE), ("cell", _HERE), ("zone", _HERE), ("antenna", _HERE)),
)
"""Records of which only time and position are read."""

COLUMNS = tuple(dict.fromkeys(name for kind in KINDS for name in (*kind.required, *kind.ends, *kind.optional)))
"""All column names of records, in the order of `rejected.parquet`."""

_SYNONYMS = (
    ("longitude", "lon"),
    ("lng", "lon"),
    ("latitude", "lat"),
    ("datetime", "time"),
    ("timestamp", "time"),
    ("pickup", "origin"),
    ("pick_up", "origin"),
    ("start", "origin"),
    ("dropoff", "destination"),
    ("drop_off", "destination"),
    ("end", "destination"),
)
"""Parts of other tools' column names, and of owlbus'."""


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Kind and columns of a file.

    Attributes
    ----------
    kind
        Kind of record.
    names
        File column by owlbus' name.
    timezone
        Time zone of the publisher's times, if known.
    """

    kind: Kind
    names: dict[str, str]
    timezone: str | None = None

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Columns that replace missing ones: ``antenna``, ``home_antenna`` or ``subscriber``."""
        return tuple(_stand_ins(self.kind, self.names).values())

    @property
    def end(self) -> str | None:
        """Column of the end of trips, if any."""
        return next((name for name in self.kind.ends if name in self.names), None)


def find_layout(file: str, present: Sequence[str], mapping: Mapping[str, str] | None = None, kinds: Sequence[Kind] = KINDS) -> Layout:
    """
    Return kind and columns of a file, by its column names.

    Parameters
    ----------
    file
        File name, for messages.
    present
        Columns of the file.
    mapping
        File column by owlbus' name, such as ``{"lon": "x"}``; columns that the file lacks are ignored.
    kinds
        Allowed kinds.

    Returns
    -------
    Layout
        Layout of the one kind whose columns are all present.

    Raises
    ------
    DataError
        If columns are missing, or both kinds fit.
    UsageError
        If `mapping` has an unknown owlbus name.

    Examples
    --------
    >>> find_layout("calls.csv", ["time", "x", "lat", "home_lon", "home_lat"], {"lon": "x"}).kind.name
    'calls'
    """
    mapped = _mapped(present, mapping or {})
    profile = profile_of(present, mapped)
    names = {name: name for name in COLUMNS if name in present} | (dict(profile.columns) if profile else {}) | mapped
    lacking = {kind.name: _lacking(kind, names) for kind in kinds}
    fitting = [kind for kind in kinds if not lacking[kind.name]]
    if len(fitting) > 1:
        msg = f"{file}: has the columns of calls and of taxi rides; split it, or rename those of one kind"
        raise DataError(msg)
    if not fitting:
        raise DataError(_missing_message(file, present, names, kinds))
    kind = fitting[0]
    used = (*kind.required, *kind.ends, *kind.optional)
    if {"subscriber", "trips"} <= names.keys() & set(used):
        msg = f"{file}: has both a subscriber and a trips column; a row is either one person's or a count, so drop one of them"
        raise DataError(msg)
    chosen = {name: names[name] for name in used if name in names}
    return Layout(kind, chosen, profile.timezone if profile else None)


def _mapped(present: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of `mapping` whose column the file has."""
    for name in mapping:
        if name not in COLUMNS:
            suggestion = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.0)[0]
            msg = (
                f"{setting('columns')} must name a column of owlbus, got {name!r}; did you mean {suggestion!r}? Known: {', '.join(COLUMNS)}"
            )
            raise UsageError(msg, setting="columns", value=dict(mapping), allowed=tuple(COLUMNS))
    return {name: column for name, column in mapping.items() if column in present}


def _lacking(kind: Kind, names: Mapping[str, str]) -> list[str]:
    """Return the required columns of `kind` that are missing and have no substitute."""
    missing = [name for name in kind.required if name not in names and name not in _stand_ins(kind, names)]
    if kind.ends and not any(name in names for name in kind.ends):
        missing.append(kind.ends[0])
    return missing


def _stand_ins(kind: Kind, names: Mapping[str, str]) -> dict[str, str]:
    """Return the best substitute of each missing column of `kind`."""
    stand_ins: dict[str, str] = {}
    for substitute, columns in kind.substitutes:
        if substitute in names and not any(name in names for name in columns):
            stand_ins |= {name: substitute for name in columns if name not in stand_ins}
    return stand_ins


def _missing_message(file: str, present: Sequence[str], names: Mapping[str, str], kinds: Sequence[Kind]) -> str:
    """Return the error message for a file of no kind: the most similar kind, its missing columns, and suggestions."""
    free = [name for name in present if name not in names.values()]
    suggestions = {kind.name: _similar_names(_lacking(kind, names), free) for kind in kinds}
    kind = min(kinds, key=lambda kind: len(_lacking(kind, names)) - 0.9 * len(suggestions[kind.name]))
    missing = _lacking(kind, names)
    if not suggestions[kind.name] and not names.keys() & set(kind.required):
        wanted = " or ".join(", ".join((*kind.required, *kind.ends[:1])) for kind in kinds)
        such_as = setting("columns", {missing[0]: "COLUMN"})
        return f"{file}: no column is known; records need {wanted}; name them with {setting('columns')}, such as {such_as}"
    ways = setting("columns", {name: suggestions[kind.name].get(name, "COLUMN") for name in missing})
    return f"{file}: column{'s' * (len(missing) > 1)} {', '.join(missing)} of {kind.name} missing; name what holds them: {ways}"


def _similar_names(missing: Sequence[str], free: Sequence[str]) -> dict[str, str]:
    """Return the most similar unused column for each missing one, if any."""
    by_name = {_normal_name(name): name for name in free}
    matches: dict[str, str] = {}
    for name in missing:
        candidates = [candidate for candidate in by_name if _quantity(candidate) == _quantity(name)]
        for match in difflib.get_close_matches(
            name.replace("pickup", "origin").replace("dropoff", "destination"), candidates, n=1, cutoff=0.6
        ):
            matches[name] = by_name.pop(match)
    return matches


def _normal_name(name: str) -> str:
    """Return a column name in lower case with owlbus' words for synonyms."""
    name = name.lower()
    for synonym, name_part in _SYNONYMS:
        name = name.replace(synonym, name_part)
    return name


def _quantity(name: str) -> str:
    """Return the quantity in a column name (lon, lat or time), so that a time never matches a latitude."""
    return next((quantity for quantity in ("lon", "lat", "time") if quantity in name), "")


@dataclass(frozen=True, slots=True)
class Profile:
    """
    Layout of a known publisher.

    Attributes
    ----------
    name
        Name in messages.
    columns
        Publisher's column by owlbus' name; all must be present.
    timezone
        Time zone of its times; None if times have one or the user must name it.
    """

    name: str
    columns: Mapping[str, str]
    timezone: str | None = None


PROFILES = (
    Profile(
        "Chicago taxi trips",
        {
            "pickup_time": "trip_start_timestamp",
            "duration_s": "trip_seconds",
            "origin_lon": "pickup_longitude",
            "origin_lat": "pickup_latitude",
            "destination_lon": "dropoff_longitude",
            "destination_lat": "dropoff_latitude",
        },
        "UTC",  # the city publishes local times as if they were UTC
    ),
    *(
        Profile(
            f"New York {colour} taxi trips by zone",
            {
                "pickup_time": f"{prefix}_pickup_datetime",
                "dropoff_time": f"{prefix}_dropoff_datetime",
                "origin_zone": "PULocationID",
                "destination_zone": "DOLocationID",
            },
        )
        for colour, prefix in (("yellow", "tpep"), ("green", "lpep"))
    ),
    Profile("calls by antenna", {"time": "timestamp", "antenna": "antenna_id", "subscriber": "user"}),
)


def profile_of(present: Collection[str], mapping: Mapping[str, str]) -> Profile | None:
    """
    Return the first profile whose columns a file has.

    Parameters
    ----------
    present
        Columns of the file.
    mapping
        Column mapping of the user; it replaces the profile's columns.

    Returns
    -------
    Profile or None
        First match.

    Examples
    --------
    >>> profile_of(["user", "timestamp", "antenna_id", "cost"], {}).name
    'calls by antenna'
    """
    for profile in PROFILES:
        columns = {name: mapping.get(name, column) for name, column in profile.columns.items()}
        if all(column in present for column in columns.values()) and not any(name in present for name in profile.columns):
            return profile
    return None
