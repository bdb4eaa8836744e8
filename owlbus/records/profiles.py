"""Layouts of known publishers, well-known names of single columns, and tables that are no records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Profile:
    """
    Layout of a known publisher.

    Attributes
    ----------
    name
        Name in messages.
    columns
        Publisher's column by owlbus' name; all must be present. Names are compared by `normal_name`.
    timezone
        Time zone of its times; None if times have one or the user must name it.
    signs
        Further columns that tell the publisher from others.
    remark
        What users must know of it, for notes; may be empty.
    clock
        Zone of the local clock that its times show although they say or look like UTC; None if times mean what they say.
    """

    name: str
    columns: Mapping[str, str]
    timezone: str | None = None
    signs: tuple[str, ...] = ()
    remark: str = ""
    clock: str | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """
    Published table that is no table of calls or rides.

    Attributes
    ----------
    columns
        Columns that tell it, compared by `normal_name`.
    problem
        What it is and the way out.
    kinds
        Kinds of record that it does hold.
    """

    columns: tuple[str, ...]
    problem: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownNames:
    """
    Columns of a file that are known without a mapping.

    Attributes
    ----------
    names
        File column by owlbus' name.
    profile
        The recognised profile, if any.
    aliases
        Owlbus' names in `names` that were found under a well-known other name.
    """

    names: dict[str, str]
    profile: Profile | None = None
    aliases: tuple[str, ...] = field(default=())

    def notes(self, used: Mapping[str, str]) -> tuple[str, ...]:
        """
        Return what was recognised, for the report.

        Parameters
        ----------
        used
            File column by owlbus' name, of all columns that are read.

        Returns
        -------
        tuple of str
            Predicates after a file name.
        """
        notes = []
        if self.profile is not None and all(used.get(name) == self.names[name] for name in self.profile.columns if name in used):
            remark = f"; {self.profile.remark}" if self.profile.remark else ""
            notes.append(f"is read as {self.profile.name}{remark}")
        renamed = [f"{name} from {used[name]}" for name in self.aliases if used.get(name) == self.names[name]]
        if renamed:
            notes.append(f"columns are taken by their usual names: {', '.join(renamed)}")
        return tuple(notes)


def normal_name(name: str) -> str:
    """
    Return a column name for comparisons: without case, spaces, underscores, hyphens and dots.

    Parameters
    ----------
    name
        Column name.

    Returns
    -------
    str
        Normal form.

    Examples
    --------
    >>> normal_name("Trip Start_Timestamp")
    'tripstarttimestamp'
    """
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def known_names(present: Collection[str], mapping: Mapping[str, str], wanted: Iterable[str]) -> KnownNames:
    """
    Return the columns of a file that are known by their own name, by a publisher's profile, or by a well-known name.

    Parameters
    ----------
    present
        Columns of the file.
    mapping
        File column by owlbus' name, from the user; it comes first.
    wanted
        All of owlbus' names.

    Returns
    -------
    KnownNames
        Names, with those of `mapping`. A name that fits several columns is left out.
    """
    wanted = tuple(wanted)
    by_normal = _by_normal_name(present)
    own = {name: name if name in present else by_normal.get(normal_name(name), "") for name in wanted}
    own = {name: column for name, column in own.items() if column and (name == column or column not in mapping.values())}
    profile = profile_of(present, mapping)
    published = (
        {} if profile is None else {name: by_normal[normal_name(column)] for name, column in profile.columns.items() if name not in mapping}
    )
    names = own | published | dict(mapping)
    aliases: dict[str, str] = {}
    for name in wanted:
        if name not in names:
            free = {alias: column for alias, column in by_normal.items() if column not in names.values()}
            found = [column for alias, column in free.items() if alias in ALIASES.get(name, ())]
            found = found or [column for alias, column in free.items() if alias in _HOURS.get(name, ())]
            if len(found) == 1:
                aliases[name] = found[0]
    return KnownNames(names | aliases, profile, tuple(aliases))


def profile_of(present: Collection[str], mapping: Mapping[str, str]) -> Profile | None:
    """
    Return the first profile whose columns a file has.

    Parameters
    ----------
    present
        Columns of the file.
    mapping
        Column mapping of the user; it replaces the profile's columns, at most half of them.

    Returns
    -------
    Profile or None
        First match.

    Examples
    --------
    >>> profile_of(["user", "timestamp", "antenna_id", "cost"], {}).name
    'calls by antenna'
    """
    normal = set(_by_normal_name(present))
    for profile in PROFILES:
        # A column that the user maps elsewhere tells nothing of the publisher.
        own = [column for name, column in profile.columns.items() if normal_name(mapping.get(name, column)) == normal_name(column)]
        is_told = 2 * len(own) >= len(profile.columns) and all(normal_name(column) in normal for column in (*own, *profile.signs))
        if is_told and not any(name in present for name in profile.columns):
            return profile
    return None


def check_is_records(file: str, present: Collection[str], kinds: Collection[str]) -> None:
    """
    Reject published tables that are no records of calls or rides, and tables without a header line.

    Parameters
    ----------
    file
        File name, for messages.
    present
        Columns of the file.
    kinds
        Allowed kinds of record.

    Raises
    ------
    DataError
        If the columns are those of such a table.
    """
    normal = {normal_name(name) for name in present}
    for foreign in FOREIGN:
        if all(normal_name(column) in normal for column in foreign.columns) and not set(foreign.kinds) & set(kinds):
            msg = f"{file}: {foreign.problem}"
            raise DataError(msg)
    check_header(file, present)
    if present and sum(map(looks_like_value, present)) * 2 > len(present):
        msg = f"{file}: its first line holds values, not names of columns; add a header line, such as time,lon,lat,home_lon,home_lat"
        raise DataError(msg)


def check_header(file: str, present: Collection[str]) -> None:
    """
    Reject published tables that have no header line and are known by the values of their first line.

    Parameters
    ----------
    file
        File name, for messages.
    present
        Columns of the file.

    Raises
    ------
    DataError
        If the first line is one of such a table.
    """
    first_line = ",".join(present)
    for pattern, problem in _HEADERLESS:
        if pattern.search(first_line):
            msg = f"{file}: {problem}"
            raise DataError(msg)


def _by_normal_name(present: Collection[str]) -> dict[str, str]:
    """Return columns by normal name; names that are equal in normal form are left out."""
    normals = [normal_name(name) for name in present]
    return {normal: name for normal, name in zip(normals, present, strict=True) if normals.count(normal) == 1}


def looks_like_value(name: str) -> bool:
    """Return whether a column name looks like a number, date or clock time."""
    name = re.sub(r"_duplicated_\d+$", "", name).strip()
    return bool(re.fullmatch(r"[-+]?\d+([.,:]\d+)*|\d{4}[-/.]\d\d?[-/.]\d\d?.*|\d\d?[-/.]\d\d?[-/.]\d{2,4}.*", name))


_TRACE = "holds traces of moving vehicles or phones, not rides with a start and an end; make one row for each ride first"

_PICKUPS = "pickups alone are no trips, which need both ends"
_MILAN = (
    "looks like the grid of telecommunication activity of Milan or Trento, which has no header line; add the line "
    "square_id,time,country,sms_in,sms_out,call_in,call_out,internet with its separator, and name what counts as people with "
    + setting("columns", {"people": "internet"})
)

_HEADERLESS = (
    (
        re.compile(r"^-?\d+\.\d+ -?\d+\.\d+ [01] 1\d{9}$"),
        f"looks like a trace of a San Francisco cab (latitude, longitude, occupied, time); it {_TRACE}",
    ),
    (
        re.compile(r"^\d+,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,-?\d+\.\d+,-?\d+\.\d+$"),
        f"looks like a trace of T-Drive (taxi, time, longitude, latitude); it {_TRACE}",
    ),
    (
        re.compile(r"^\d{1,5},1[34]\d{11},\d{1,3}(,|$)"),
        _MILAN,
    ),
    (re.compile(r"(?i)^geolife trajectory"), f"is a trace of GeoLife; it {_TRACE}"),
)

FOREIGN = (
    Foreign(
        ("square id", "time interval"),
        "is a grid of telecommunication activity as published for Milan and Trento: presence by cell and hour, not calls; give it with "
        + setting("presence", "FILE"),
        ("presence",),
    ),
    Foreign(("latitude", "longitude", "occupancy"), f"{_TRACE}"),
    Foreign(("pickup_date", "locationid"), f"holds pickups of New York's for-hire vehicles until 2016; {_PICKUPS}"),
    Foreign(("date/time", "lat", "lon", "base"), f"holds pickups of Uber in New York; {_PICKUPS}", ("presence",)),
    Foreign(("stop_id", "stop_lat", "stop_lon"), "is a table of a GTFS feed, not records"),
)
"""Published tables that are no records of calls or rides."""


def _rides(start: str, end: str, ends: tuple[str, str, str, str], end_role: str = "dropoff_time") -> dict[str, str]:
    """Return the columns of rides with coordinates."""
    return {
        "pickup_time": start,
        end_role: end,
        "origin_lon": ends[0],
        "origin_lat": ends[1],
        "destination_lon": ends[2],
        "destination_lat": ends[3],
    }


def _zone_rides(start: str, end: str, origin: str, destination: str) -> dict[str, str]:
    """Return the columns of rides between zones."""
    return {"pickup_time": start, "dropoff_time": end, "origin_zone": origin, "destination_zone": destination}


_LONG = ("pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude")
_CENTROIDS = ("pickup centroid longitude", "pickup centroid latitude", "dropoff centroid longitude", "dropoff centroid latitude")
_CHICAGO_UTC = "UTC"  # the city publishes local times as if they were UTC
_CHICAGO = "America/Chicago"
_GCJ = "its positions are in GCJ-02, which lies up to 600 m off WGS 84 in China; transform them first"

PROFILES = (
    Profile(
        "New York yellow taxi trips of 2009",
        _rides("trip_pickup_datetime", "trip_dropoff_datetime", ("start_lon", "start_lat", "end_lon", "end_lat")),
    ),
    Profile("New York yellow taxi trips of 2015 and 2016", _rides("tpep_pickup_datetime", "tpep_dropoff_datetime", _LONG)),
    Profile("New York green taxi trips until 2016", _rides("lpep_pickup_datetime", "lpep_dropoff_datetime", _LONG)),
    Profile(
        "New York yellow taxi trips by zone", _zone_rides("tpep_pickup_datetime", "tpep_dropoff_datetime", "pulocationid", "dolocationid")
    ),
    Profile(
        "New York green taxi trips by zone", _zone_rides("lpep_pickup_datetime", "lpep_dropoff_datetime", "pulocationid", "dolocationid")
    ),
    Profile("New York for-hire trips by zone", _zone_rides("pickup_datetime", "dropoff_datetime", "pulocationid", "dolocationid")),
    Profile("New York taxi trips as on Kaggle", _rides("pickup_datetime", "dropoff_datetime", _LONG), signs=("trip_duration",)),
    Profile("New York taxi trips as on Kaggle", _rides("pickup_datetime", "trip_duration", _LONG, "duration_s")),
    Profile("New York yellow taxi trips of 2010 to 2014", _rides("pickup_datetime", "dropoff_datetime", _LONG)),
    Profile(
        "Chicago taxi trips of the portal or its API",
        _rides("trip start timestamp", "trip seconds", _CENTROIDS, "duration_s"),
        _CHICAGO_UTC,
        clock=_CHICAGO,
    ),
    Profile("Chicago taxi trips", _rides("trip_start_timestamp", "trip_seconds", _LONG, "duration_s"), _CHICAGO_UTC, clock=_CHICAGO),
    Profile(
        "Chicago taxi trips by community area",
        {
            "pickup_time": "trip start timestamp",
            "duration_s": "trip seconds",
            "origin_zone": "pickup community area",
            "destination_zone": "dropoff community area",
        },
        _CHICAGO_UTC,
        clock=_CHICAGO,
    ),
    Profile(
        "Porto taxi trips",
        {"pickup_time": "timestamp", "path": "polyline"},
        "Europe/Lisbon",
        ("trip_id", "call_type"),
        "its first and last position are the ends of a ride",
    ),
    Profile(
        "DiDi orders",
        _rides("ride_start_timestamp", "ride_stop_timestamp", ("pickup_lng", "pickup_lat", "dropoff_lng", "dropoff_lat")),
        "Asia/Shanghai",
        remark=_GCJ,
    ),
    Profile(
        "DiDi orders",
        _rides("start_billing_time", "end_billing_time", ("pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude")),
        "Asia/Shanghai",
        remark=_GCJ,
    ),
    Profile("bike share trips (Citi Bike since 2021)", _rides("started_at", "ended_at", ("start_lng", "start_lat", "end_lng", "end_lat"))),
    Profile(
        "bike share trips (Citi Bike until 2020)",
        _rides(
            "starttime",
            "stoptime",
            ("start station longitude", "start station latitude", "end station longitude", "end station latitude"),
        ),
    ),
    Profile("the grid of telecommunication activity of Milan or Trento", {"time": "time interval", "zone": "square id"}, "Europe/Rome"),
    Profile("calls by antenna", {"time": "timestamp", "antenna": "antenna_id", "subscriber": "user"}),
)
"""Layouts of known publishers; the first that fits counts."""


def _words(text: str) -> frozenset[str]:
    """Return the normal names in a text of names."""
    return frozenset(normal_name(word) for word in text.split())


def _end_aliases(words: str, korean: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of longitude and latitude of one end, whose own words are `words`."""
    axes = (("longitude", "lon", "lng", "long"), ("latitude", "lat"))
    lon, lat = (
        frozenset(normal_name(order) for word in words.split() for a in axis for order in (f"{word}_{a}", f"{a}_{word}")) for axis in axes
    )
    return lon | {f"{word}경도" for word in korean}, lat | {f"{word}위도" for word in korean}


_ORIGIN = _end_aliases("pickup pick_up start origin orig from o begin", ("승차", "출발", "출발지"))
_DESTINATION = _end_aliases("dropoff drop_off end destination dest to d stop", ("하차", "도착", "도착지"))
_HOME = _end_aliases("home residence", ("거주지", "집"))

ALIASES: dict[str, frozenset[str]] = {
    "time": _words("timestamp datetime date_time call_time calltime call_timestamp call_datetime event_time start_time 통화시각 통화일시"),
    "lon": _words("longitude lng long 경도"),
    "lat": _words("latitude 위도"),
    "home_lon": _HOME[0],
    "home_lat": _HOME[1],
    "subscriber": _words("subscriber_id caller_id user_id imsi msisdn"),
    "pickup_time": _words(
        "pickup_datetime pickup_timestamp pickup_at pick_up_time start_time start_datetime start_timestamp started_at starttime trip_start "
        "trip_start_time trip_start_timestamp trip_start_datetime departure_time 승차시각 승차일시 승차시간 출발시각 출발일시"
    ),
    "dropoff_time": _words(
        "dropoff_datetime dropoff_timestamp dropoff_at drop_off_time end_time end_datetime end_timestamp ended_at endtime stop_time "
        "trip_end trip_end_time trip_end_timestamp trip_end_datetime arrival_time 하차시각 하차일시 하차시간 도착시각 도착일시"
    ),
    "duration_s": _words("duration_seconds duration_sec trip_seconds trip_duration_s trip_duration_seconds"),
    "origin_lon": _ORIGIN[0],
    "origin_lat": _ORIGIN[1],
    "destination_lon": _DESTINATION[0],
    "destination_lat": _DESTINATION[1],
}
"""Well-known names of single columns, in normal form, by owlbus' name."""

_HOUR_WORDS = "hour hr call_hour event_hour hour_of_day uhrzeit stunde hora heure ora 시간대 시간 時間"

_HOURS = {"time": _words(_HOUR_WORDS), "pickup_time": _words(f"{_HOUR_WORDS} pickup_hour start_hour trip_hour")}
"""Names of hours and clocks beside a column of dates, for files without another column of times."""
