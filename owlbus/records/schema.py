"""Columns that records have: calls and taxi rides told apart, names mapped, layouts of other publishers."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of record.

    Attributes
    ----------
    name
        ``calls`` or ``taxi``.
    position, goal
        Columns of longitude and latitude, degrees: where the person is, and where the trip leads, if that is read.
    start
        Column of the time that decides night and hour.
    ends
        Columns that can say when the trip ends, best first: a time, or a duration in seconds; one is needed if there are any.
    optional
        Further columns that are used if they are there.
    instead
        Columns that stand for others, where those are missing: an antenna for a position, a subscriber for a home.
    """

    name: str
    position: tuple[str, str]
    goal: tuple[str, str] | tuple[()]
    start: str
    ends: tuple[str, ...]
    optional: tuple[str, ...]
    instead: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which a file is not of this kind."""
        return (self.start, *self.position, *self.goal)


_HOME = ("home_lon", "home_lat")

CALLS = Kind(
    "calls",
    ("lon", "lat"),
    _HOME,
    "time",
    (),
    ("subscriber", "trips", "date", "antenna", "home_antenna"),
    (("antenna", ("lon", "lat")), ("home_antenna", _HOME), ("subscriber", _HOME)),
)

TAXI = Kind(
    "taxi",
    ("origin_lon", "origin_lat"),
    ("destination_lon", "destination_lat"),
    "pickup_time",
    ("dropoff_time", "duration_s"),
    ("trips", "date"),
)

KINDS = (CALLS, TAXI)

PLACES = Kind("places", ("lon", "lat"), (), "time", (), ("date", "antenna"), (("antenna", ("lon", "lat")),))
"""Any records, of which only where and when is read."""

COLUMNS = tuple(dict.fromkeys(name for kind in KINDS for name in (*kind.required, *kind.ends, *kind.optional)))
"""Every column name that records may use, in the order of `rejected.parquet`."""

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
"""What other tools call it, and what owlbus does."""


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Which column of a file holds what.

    Attributes
    ----------
    kind
        Kind of its records.
    names
        The file's column by owlbus' name.
    timezone
        Zone of its times as its publisher means them, where none is told.
    """

    kind: Kind
    names: dict[str, str]
    timezone: str | None = None

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Columns that stand for others that the file lacks: ``antenna``, ``home_antenna`` or ``subscriber``."""
        return tuple(_stand_ins(self.kind, self.names).values())

    @property
    def end(self) -> str | None:
        """Column that says when trips end, if any."""
        return next((name for name in self.kind.ends if name in self.names), None)


def find_layout(file: str, present: Sequence[str], mapping: Mapping[str, str] | None = None, kinds: Sequence[Kind] = KINDS) -> Layout:
    """
    Kind and columns of a file, by its column names.

    Parameters
    ----------
    file
        Its name, for messages.
    present
        Its columns.
    mapping
        The file's column by owlbus' name, where they differ, such as ``{"lon": "x"}``; names the file lacks are left to other files.
    kinds
        Kinds that it may be of.

    Returns
    -------
    Layout
        The one kind whose columns are all there.

    Raises
    ------
    DataError
        If columns are missing, or both kinds fit.
    UsageError
        If `mapping` names a column that owlbus does not know.

    Examples
    --------
    >>> find_layout("calls.csv", ["time", "x", "lat", "home_lon", "home_lat"], {"lon": "x"}).kind.name
    'calls'
    """
    told = _mapped(present, mapping or {})
    profile = profile_of(present, told)
    names = {name: name for name in COLUMNS if name in present} | (dict(profile.columns) if profile else {}) | told
    lacking = {kind.name: _lacking(kind, names) for kind in kinds}
    fitting = [kind for kind in kinds if not lacking[kind.name]]
    if len(fitting) > 1:
        msg = f"{file}: has the columns of calls and of taxi rides; split it, or rename those of one kind"
        raise DataError(msg)
    if not fitting:
        raise DataError(_what_is_missing(file, present, names, kinds))
    kind = fitting[0]
    used = (*kind.required, *kind.ends, *kind.optional)
    if {"subscriber", "trips"} <= names.keys() & set(used):
        msg = f"{file}: has both a subscriber and a trips column; a row is either one person's or a count, so drop one of them"
        raise DataError(msg)
    chosen = {name: names[name] for name in used if name in names}
    return Layout(kind, chosen, profile.timezone if profile else None)


def _mapped(present: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the part of `mapping` that this file has columns for."""
    for name in mapping:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.0)[0]
            msg = f"{setting('columns')} must name a column of owlbus, got {name!r}; did you mean {near!r}? Known: {', '.join(COLUMNS)}"
            raise UsageError(msg, setting="columns", value=dict(mapping), allowed=tuple(COLUMNS))
    return {name: theirs for name, theirs in mapping.items() if theirs in present}


def _lacking(kind: Kind, names: Mapping[str, str]) -> list[str]:
    """Return the columns of `kind` that are not there and that nothing stands for."""
    missing = [name for name in kind.required if name not in names and name not in _stand_ins(kind, names)]
    if kind.ends and not any(name in names for name in kind.ends):
        missing.append(kind.ends[0])
    return missing


def _stand_ins(kind: Kind, names: Mapping[str, str]) -> dict[str, str]:
    """Return what stands for each column of `kind` that is not there, the best that is."""
    found: dict[str, str] = {}
    for other, columns in kind.instead:
        if other in names and not any(name in names for name in columns):
            found |= {name: other for name in columns if name not in found}
    return found


def _what_is_missing(file: str, present: Sequence[str], names: Mapping[str, str], kinds: Sequence[Kind]) -> str:
    """Return the message for a file of no kind: the kind it comes nearest to, what that lacks, and near names."""
    free = [name for name in present if name not in names.values()]
    near = {kind.name: _near_names(_lacking(kind, names), free) for kind in kinds}
    kind = min(kinds, key=lambda kind: len(_lacking(kind, names)) - 0.9 * len(near[kind.name]))
    missing = _lacking(kind, names)
    if not near[kind.name] and not names.keys() & set(kind.required):
        wanted = " or ".join(", ".join((*kind.required, *kind.ends[:1])) for kind in kinds)
        such_as = setting("columns", {missing[0]: "COLUMN"})
        return f"{file}: no column is known; records need {wanted}; name them with {setting('columns')}, such as {such_as}"
    ways = setting("columns", {name: near[kind.name].get(name, "COLUMN") for name in missing})
    return f"{file}: column{'s' * (len(missing) > 1)} {', '.join(missing)} of {kind.name} missing; name what holds them: {ways}"


def _near_names(missing: Sequence[str], free: Sequence[str]) -> dict[str, str]:
    """Return the nearest unused column for each missing one that has a near one."""
    plain = {_plain(name): name for name in free}
    found: dict[str, str] = {}
    for name in missing:
        alike = [other for other in plain if _measures(other) == _measures(name)]
        for match in difflib.get_close_matches(name.replace("pickup", "origin").replace("dropoff", "destination"), alike, n=1, cutoff=0.6):
            found[name] = plain.pop(match)
    return found


def _plain(name: str) -> str:
    """Return a column name in lower case with the words that owlbus uses for what others call it."""
    name = name.lower()
    for theirs, ours in _SYNONYMS:
        name = name.replace(theirs, ours)
    return name


def _measures(name: str) -> str:
    """Return what a column name says it measures, so that a time is never taken for a latitude."""
    return next((what for what in ("lon", "lat", "time") if what in name), "")


@dataclass(frozen=True, slots=True)
class Profile:
    """
    A layout as someone publishes it.

    Attributes
    ----------
    name
        What messages call it.
    columns
        The publisher's column by owlbus' name; all of them must be there.
    timezone
        Zone that its times are meant in where none is told; None if times say it themselves or must be told.
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
        "UTC",  # the city writes the local clock as if it were UTC: trip_start_hour agrees with it
    ),
    Profile("calls by antenna", {"time": "timestamp", "antenna": "antenna_id", "subscriber": "user"}),
)


def profile_of(present: Collection[str], mapping: Mapping[str, str]) -> Profile | None:
    """
    Profile whose columns a file has.

    Parameters
    ----------
    present
        The file's columns.
    mapping
        Columns that were told; a profile is left out if they contradict it.

    Returns
    -------
    Profile or None
        The first that fits.

    Examples
    --------
    >>> profile_of(["user", "timestamp", "antenna_id", "cost"], {}).name
    'calls by antenna'
    """
    for profile in PROFILES:
        told = {name: mapping.get(name, theirs) for name, theirs in profile.columns.items()}
        if all(theirs in present for theirs in told.values()) and not any(name in present for name in profile.columns):
            return profile
    return None
