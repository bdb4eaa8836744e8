"""Column names of tables of counts: people by place and hour, in long or wide form, and trips by pair of places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_PEOPLE = (
    "people persons population pop tot_pop total_pop total_population presence present count n number livpop tot_livpop_co tot_lvpop_co "
    "visitors 총생활인구수 생활인구수 생활인구 유동인구수 유동인구 인구수 인구"
)

_PRESENCE_ALIASES = {
    "people": _PEOPLE,
    "time": "time timestamp datetime date_time time_interval",
    "hour": "hour hr hh hour_of_day tmzon_pd_se 시간대구분 시간대",
    "date": "date day ymd stdr_de_id 기준일id 기준일자 기준일 일자 날짜",
    "lon": "lon lng long longitude 경도",
    "lat": "lat latitude 위도",
    "position": "position point geometry geom wkt",
    "cell": "cell h3 h3_index h3_cell geohash",
    "hex": "hex hex_id hexagon hex_index",
    "zone": "zone zone_id square_id cellid adm_cd adstrd_code_se dong_code 행정동코드 집계구코드",
}
"""Names that publishers give to columns of presence, by owlbus' name."""

_OD_ALIASES = {
    "pickup_time": "time timestamp datetime hour hr hh hour_of_day 시간대",
    "trips": "trips trip flow flows count volume n persons 통행량",
    "origin_zone": "origin_zone origin o from orig from_zone o_zone",
    "destination_zone": "destination_zone destination d to dest to_zone d_zone",
}
"""Names of columns of matrices of trips, by owlbus' name."""

_HOUR_COLUMN = re.compile(
    r"^(?P<before>(?:hour|hr|h|time|tmst|t|people|population|pop|presence|n|시간)?_?)(?P<hour>\d{1,2})"
    r"(?P<after>(?:시|h|hr|:?00)?)(?:(?P<between>_?[~\u2013\u2014_]_?)(?P<to>\d{1,2})(?:시|h|hr|:?00|(?P<last>:?59))?)?$"
)
"""An hour such as 3, H03 or 03:00, or a span of one such as 03-04, 03시~04시 or 03:00-03:59."""

_HOURS_OF_DAY = 24
_MIN_HOUR_COLUMNS = 2


def presence_names(file: str, present: Sequence[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """
    Return the column of a table of presence by owlbus' name.

    Parameters
    ----------
    file
        File name, for messages.
    present
        Columns of the file.
    mapped
        Columns that the user named, by owlbus' name.

    Returns
    -------
    dict
        File column by owlbus' name; ``people_00`` to ``people_23`` for a table with one column an hour.

    Raises
    ------
    DataError
        If several columns could be one, or columns of hours count from 1 to 24.

    Examples
    --------
    >>> presence_names("pop.csv", ["lng", "lat", "hour", "pop"], {})
    {'hour': 'hour', 'people': 'pop', 'lon': 'lng', 'lat': 'lat'}
    >>> presence_names("pop.csv", ["zone", "H00", "H01"], {})
    {'people_00': 'H00', 'people_01': 'H01', 'zone': 'zone'}
    """
    times = {name: words for name, words in _PRESENCE_ALIASES.items() if name in {"time", "hour"}}
    names = _by_alias(file, present, times, mapped) | dict(mapped)
    is_long = names.keys() & times.keys() or any(name.startswith("people_") for name in mapped)
    by_hour = {} if is_long else _hour_columns(file, [name for name in present if name not in names.values()])
    names |= {f"people_{hour:02d}": column for hour, column in by_hour.items()}  # before aliases: h3 is an hour beside h4
    others = {name: words for name, words in _PRESENCE_ALIASES.items() if name not in times and not (by_hour and name == "people")}
    return names | _by_alias(file, present, others, names)


def od_names(file: str, present: Sequence[str], known: Mapping[str, str], *, has_zones: bool) -> dict[str, str]:
    """
    Return the columns of a matrix of trips by owlbus' name, of those that are not `known`.

    Parameters
    ----------
    file
        File name, for messages.
    present
        Columns of the file.
    known
        Columns that are known, by owlbus' name.
    has_zones
        Whether places may be zones.

    Returns
    -------
    dict
        File column by owlbus' name.

    Raises
    ------
    DataError
        If several columns could be one.

    Examples
    --------
    >>> od_names("od.csv", ["o", "d", "flow"], {}, has_zones=True)
    {'trips': 'flow', 'origin_zone': 'o', 'destination_zone': 'd'}
    """
    aliases = {name: words for name, words in _OD_ALIASES.items() if has_zones or not name.endswith("_zone")}
    has_place = {name for name in aliases for place in known if name.endswith("_zone") and place.startswith(name.removesuffix("zone"))}
    return _by_alias(file, present, {name: words for name, words in aliases.items() if name not in has_place}, known)


def _by_alias(file: str, present: Sequence[str], aliases: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each owlbus name that `known` lacks: the name itself, else the only alias that is a column."""
    free = [column for column in present if column not in known.values()]
    names: dict[str, str] = {}
    for name, words in aliases.items():
        if name in known:
            continue
        found = [column for column in free if column == name] or [column for column in free if _plain(column) in words.split()]
        if len(found) > 1:
            ask = setting("columns", {name: found[0]})
            msg = f"{file}: columns {' and '.join(found[:2])} could both be {name}; name the one to read, such as {ask}"
            raise DataError(msg, setting="columns")
        if found:
            names[name] = found[0]
            free.remove(found[0])
    return names


def _hour_columns(file: str, columns: Collection[str]) -> dict[int, str]:
    """Return the columns of hours, by hour of the day 0 to 23; empty if there are none."""
    families: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for column in columns:
        match = _HOUR_COLUMN.match(_plain(column))
        if match and _is_one_hour(match):
            families.setdefault((match["before"], match["after"], match["between"] or ""), []).append((int(match["hour"]), column))
    found = [family for family in families.values() if len(family) >= _MIN_HOUR_COLUMNS]
    if not found:
        return {}
    by_hour = dict(found[0])
    if len(found) > 1 or len(by_hour) < len(found[0]):
        both = (found[0][0][1], found[1][0][1]) if len(found) > 1 else tuple(column for _, column in found[0][:2])
        ask = setting("columns", {f"people_{min(by_hour) % _HOURS_OF_DAY:02d}": found[0][0][1]})
        msg = f"{file}: columns such as {both[0]} and {both[1]} name an hour twice; name those to read, such as {ask}"
        raise DataError(msg, setting="columns")
    last = max(by_hour)
    if last >= _HOURS_OF_DAY:
        msg = f"{file}: column {by_hour[last]} names hour {last}; columns of hours must run from 0 to 23, with 0 for 00:00 to 01:00"
        raise DataError(msg, setting="columns")
    return dict(sorted(by_hour.items()))


def _is_one_hour(match: re.Match[str]) -> bool:
    """Return whether the name of a column is of one hour: alone, or with the hour at which it ends."""
    hour, to = int(match["hour"]), match["to"]
    return to is None or int(to) == hour + (match["last"] is None) or (hour, int(to), match["last"]) == (_HOURS_OF_DAY - 1, 0, None)


def _plain(column: str) -> str:
    """Return a column name in lower case, with underscores for spaces and hyphens, without quotes and a lost byte order mark."""
    return re.sub(r"[\s\-.]+", "_", column.strip("?\"'\ufeff \t").lower())
