"""Columns of records: kinds (calls, taxi rides) and column mapping."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.records.count_columns import od_names, presence_names
from owlbus.records.profiles import check_is_records, known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
        Alternative columns of the end of the trip, best first: a time, or a duration in seconds.
    optional
        Optional columns.
    substitutes
        Columns that can replace missing ones, best first: a point, H3 cell, zone or antenna for a position, a path for both ends of a
        ride, a subscriber for a home.
    count
        Column of the number of trips or people in a row; each row is one where it is absent.
    """

    name: str
    position: tuple[str, str]
    destination: tuple[str, str] | tuple[()]
    start: str
    ends: tuple[str, ...]
    optional: tuple[str, ...]
    substitutes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    count: str = "trips"

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

PEOPLE_BY_HOUR = tuple(f"people_{hour:02d}" for hour in range(24))
"""Columns of people present in each hour of the day, of tables with one column an hour."""

PRESENCE = Kind(
    "presence",
    _HERE,
    (),
    "time",
    (),
    ("people", "hour", "date", "antenna", "position", "cell", "zone", "hex", *PEOPLE_BY_HOUR),
    (
        ("position", _HERE),
        ("cell", _HERE),
        ("hex", _HERE),
        ("zone", _HERE),
        ("antenna", _HERE),
        ("hour", ("time",)),
        *((name, ("time",)) for name in PEOPLE_BY_HOUR),
    ),
    "people",
)
"""Counts of people by place and hour: in long form, or in wide form with one column an hour."""

COLUMNS = tuple(dict.fromkeys(name for kind in KINDS for name in (*kind.required, *kind.ends, *kind.optional)))
"""All column names of records, in the order of `rejected.parquet`."""

_POINT_NAMES = ("position", "cell", "zone", "path")
"""Ends of the names of columns that replace a longitude and latitude, and are read only then."""

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


_DATE_WORDS = frozenset(["d", "dt", "date", "day", "datum", "tag", "fecha", "dia", "data", "jour", "ymd", "일자", "날짜", "기준일자"])
_HOUR_WORDS = frozenset(["h", "hh", "hr", "hour", "std", "stunde", "uhr", "uhrzeit", "clock", "hora", "heure", "t", "시", "시각"])
"""Names that may be a date and an hour, for suggestions."""


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
    notes
        What was recognised by names, as predicates after the file name.
    clock
        Zone of the local clock that times show although they say UTC; None if they mean what they say.
    """

    kind: Kind
    names: dict[str, str]
    timezone: str | None = None
    notes: tuple[str, ...] = ()
    clock: str | None = None

    @property
    def is_untimed(self) -> bool:
        """Whether rows have no time of their own: trips by pair of places alone."""
        return self.kind is TAXI and TAXI.start not in self.names

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Columns that replace missing ones: ``antenna``, ``home_antenna`` or ``subscriber``."""
        return tuple(_stand_ins(self.kind, self.names).values())

    def stand_in_of(self, column: str) -> str | None:
        """Return the column that replaces a missing one, None if it is not missing or nothing does."""
        return _stand_ins(self.kind, self.names).get(column)

    @property
    def end(self) -> str | None:
        """Column of the end of trips, if any."""
        return next((name for name in self.kind.ends if name in self.names), None)


def find_layout(
    file: str,
    present: Sequence[str],
    mapping: Mapping[str, str] | None = None,
    kinds: Sequence[Kind] = KINDS,
    points: Mapping[str, str] | None = None,
    *,
    hour_profile: object = None,
    has_zones: bool = False,
    hints: Mapping[str, str] | None = None,
) -> Layout:
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
    points
        File column by owlbus' name of columns whose names say that they hold points, cells or paths; used if no kind fits without.
    hour_profile
        Hours of trips without a time; None if rides need one.
    has_zones
        Whether places may be zones.
    hints
        File column by owlbus' name of columns with points whose names do not say so, for messages.

    Returns
    -------
    Layout
        Layout of the one kind whose columns are all present.

    Raises
    ------
    DataError
        If columns are missing, both kinds fit, or two names stand for one column.
    UsageError
        If `mapping` has an unknown owlbus name, or trips have no time and `hour_profile` is None.

    Examples
    --------
    >>> find_layout("calls.csv", ["time", "x", "lat", "home_lon", "home_lat"], {"lon": "x"}).kind.name
    'calls'
    """
    mapped = _mapped(present, mapping or {})
    known = known_names(present, mapped, COLUMNS)
    taken = set(mapped.values())
    names = {
        name: column for name, column in known.names.items() if name in mapped or column not in taken or not name.endswith(_POINT_NAMES)
    }
    own = {name: column for name, column in names.items() if name not in known.aliases}
    if PRESENCE in kinds:
        names = presence_names(file, present, mapped)
    elif TAXI in kinds and (matrix := _matrix(file, present, own, has_zones=has_zones)) is not None:
        return _matrix_layout(file, matrix, hour_profile)
    if points and not any(not _lacking(kind, names, present) for kind in kinds):
        names = {name: column for name, column in points.items() if column not in taken} | names
    fitting = [kind for kind in kinds if not _lacking(kind, names, present)]
    if len(fitting) > 1:
        msg = f"{file}: has the columns of calls and of taxi rides; split it, or rename those of one kind"
        raise DataError(msg)
    if not fitting:
        check_is_records(file, present, [kind.name for kind in kinds])
        raise DataError(_missing_message(file, present, names, kinds, hints or {}))
    kind = fitting[0]
    used = (*kind.required, *kind.ends, *kind.optional)
    if {"subscriber", "trips"} <= names.keys() & set(used):
        msg = f"{file}: has both a subscriber and a trips column; a row is either one person's or a count, so drop one of them"
        raise DataError(msg)
    unused = {name for name, _ in kind.substitutes if name.endswith(_POINT_NAMES)} - set(_stand_ins(kind, names).values())
    chosen = {name: names[name] for name in used if name in names and name not in unused}
    _require_own_columns(file, chosen)
    timezone, clock = (None, None) if known.profile is None else (known.profile.timezone, known.profile.clock)
    return Layout(kind, chosen, timezone, known.notes(chosen), clock)


def _require_own_columns(file: str, names: Mapping[str, str]) -> None:
    """Reject two names for one column."""
    first: dict[str, str] = {}
    for name, column in names.items():
        if column in first:
            msg = f"{file}: {first[column]} and {name} both name column {column}; name two columns"
            raise DataError(msg, setting="columns")
        first[column] = name


def _matrix(file: str, present: Sequence[str], names: Mapping[str, str], *, has_zones: bool) -> dict[str, str] | None:
    """Return the columns of a file of trips by pair of places, perhaps without a time; None for any other file."""
    if names.keys() & {TAXI.start, *TAXI.ends, *CALLS.position, *CALLS.destination, *(name for name, _ in CALLS.substitutes)}:
        return None
    columns = {name: column for name, column in names.items() if name in (*TAXI.required, *TAXI.optional)}
    columns |= od_names(file, present, columns, has_zones=has_zones)
    missing = [name for name in _lacking(TAXI, columns, ()) if name != TAXI.start]
    free = [_normal_name(name) for name in present if name not in columns.values()]
    has_time = TAXI.start in columns or not any(_quantity(name) == "time" and "travel" not in name for name in free)
    return columns if TAXI.count in columns and has_time and not missing else None


def _matrix_layout(file: str, names: Mapping[str, str], hour_profile: object) -> Layout:
    """Return the layout of trips by pair of places; ask for their hours if they have no time."""
    if TAXI.start not in names and hour_profile is None:
        ways = ", ".join((setting("hour_profile", "flat"), setting("hour_profile", "unknown")))
        msg = f"{file}: has trips and no times; say how they lie in the night with {ways}, or a table of hour and share"
        raise UsageError(msg, setting="hour_profile", allowed=("flat", "unknown"))
    _require_own_columns(file, names)
    return Layout(TAXI, dict(names))


def _mapped(present: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of `mapping` whose column the file has."""
    known = tuple(dict.fromkeys((*COLUMNS, *PRESENCE.required, *PRESENCE.optional)))
    for name in mapping:
        if name not in known:
            suggestion = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            listed = ", ".join(name for name in known if name not in PEOPLE_BY_HOUR[1:])
            msg = f"{setting('columns')} must name a column of owlbus, got {name!r}; did you mean {suggestion!r}? Known: {listed}"
            raise UsageError(msg, setting="columns", value=dict(mapping), allowed=known)
    return {name: column for name, column in mapping.items() if column in present}


def _lacking(kind: Kind, names: Mapping[str, str], present: Sequence[str]) -> list[str]:
    """Return the columns of `kind` that are missing and have no substitute; an end time only where some column looks like one."""
    missing = [name for name in kind.required if name not in names and name not in _stand_ins(kind, names)]
    if kind is PRESENCE and not names.keys() & {kind.count, *PEOPLE_BY_HOUR}:
        missing.append(kind.count)
    if kind.ends and not any(name in names for name in kind.ends):
        free = [name for name in present if name not in names.values()]
        missing += list(_similar_names(kind.ends, free))[:1]
    return missing


def _stand_ins(kind: Kind, names: Mapping[str, str]) -> dict[str, str]:
    """Return the best substitute of each missing column of `kind`."""
    stand_ins: dict[str, str] = {}
    for substitute, columns in kind.substitutes:
        if substitute in names and not any(name in names for name in columns):
            stand_ins |= {name: substitute for name in columns if name not in stand_ins}
    return stand_ins


def _missing_message(file: str, present: Sequence[str], names: Mapping[str, str], kinds: Sequence[Kind], hints: Mapping[str, str]) -> str:
    """Return the error message for a file of no kind: the most similar kind, its missing columns, and suggestions."""
    free = [name for name in present if name not in names.values()]
    lacking = {kind.name: _lacking(kind, names, present) for kind in kinds}
    suggestions = {name: _similar_names(missing, free) for name, missing in lacking.items()}
    kind = min(kinds, key=lambda kind: len(lacking[kind.name]) - 0.9 * len(suggestions[kind.name]))
    missing = lacking[kind.name]
    if not suggestions[kind.name] and not names.keys() & set(kind.required):
        wanted = " or ".join(", ".join((*kind.required, *kind.ends[:1], *([kind.count] if kind is PRESENCE else []))) for kind in kinds)
        such_as = setting("columns", {missing[0]: "COLUMN"})
        return f"{file}: no column is known; records need {wanted}; name them with {setting('columns')}, such as {such_as}"
    found = suggestions[kind.name] | (_date_and_hour(free, kind.start) if kind.start in missing and "date" not in names else {})
    points = {name: point for point in hints for substitute, columns in kind.substitutes if substitute == point for name in columns}
    named = (*missing, *(["date"] if "date" in found else []))
    held = {points.get(name, name): hints.get(points.get(name, ""), found.get(name, "COLUMN")) for name in named}
    what = f"column{'s' * (len(missing) > 1)} {', '.join(missing)} of {kind.name} missing"
    if kind is TAXI and set(missing) == {*TAXI.destination} and "COLUMN" in held.values():
        what += ", and pickups alone are no trips"
    return f"{file}: {what}; name what holds them: {setting('columns', held)}"


def _date_and_hour(free: Sequence[str], start: str) -> dict[str, str]:
    """Return two unused columns whose names are short for a date and an hour, if there is one of each."""
    dates = [name for name in free if name.lower() in _DATE_WORDS]
    hours = [name for name in free if name.lower() in _HOUR_WORDS]
    return {start: hours[0], "date": dates[0]} if len(dates) == len(hours) == 1 else {}


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
