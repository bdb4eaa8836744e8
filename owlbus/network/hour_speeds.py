"""Link times by hour: read from a table of factors, speeds or measured seconds, and a network as it is in one hour."""

from __future__ import annotations

import math
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.units import hour_label
from owlbus.network.from_tables import numbers_of, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.network.network import Network

_LEAST_FACTOR, _MOST_FACTOR = 0.1, 10.0
_MOST_LINK_S = 100_000
_HOURS_OF_DAY, _LAST_HOUR = 24, 35
_ENDS = ("from_stop", "to_stop")
_OF_ALL, _OF_LINKS = ("factor", "speed_kmh"), ("seconds", "speed_kmh")
_FORMS = f"hour and {' or '.join(_OF_ALL)}, or hour, {', '.join(_ENDS)} and {' or '.join(_OF_LINKS)}"
_KMH = 3.6
_LEAST_KMH, _MOST_KMH = 0.5, 150.0


def with_hour_speeds(network: Network, table: Any, hours: Sequence[int]) -> Network:  # noqa: ANN401  # any table
    """
    Network with link times by hour of the night.

    A table has one of two forms. With the columns ``hour`` and ``factor`` it has one row for every hour of the night, and all links take
    that many times their seconds; with ``speed_kmh`` in place of ``factor``, that is the mean commercial speed of the hour, and all links
    take as many times their seconds as the network's own mean (metres of all links over their seconds) is times that speed. With
    ``hour``, ``from_stop``, ``to_stop`` and ``seconds`` it has a row for each link and hour that was measured, its stops by name, or by
    index where names do not tell them apart; other links and hours keep their seconds. With ``speed_kmh`` in place of ``seconds``, a link
    takes its metres at that speed. An hour is 0 to 23, or a service hour up to 35; 1 and 25 are the same. Hours outside the night are left
    out.

    Parameters
    ----------
    network
        The network without times by hour.
    table
        Path of a CSV or Parquet file, a table of pandas, polars or pyarrow, or columns by name.
    hours
        Service hours of the night, ascending; 24 is midnight.

    Returns
    -------
    Network
        With `hours` and `hour_link_s`; `link_s` is the longest time of each link in any of them.

    Raises
    ------
    DataError
        If the table has both forms or neither, or two columns that say the same; lacks an hour of the night, names an hour or a link twice,
        or a stop or link that does not exist or is not the only one of its name; or if a value is out of range.

    Examples
    --------
    >>> from owlbus import HexGrid, Network
    >>> network = Network.from_lattice(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=7))
    >>> slower_at_two = with_hour_speeds(network, {"hour": [0, 1, 2], "factor": [1.0, 1.0, 1.2]}, [24, 25, 26])
    >>> slower_at_two.hour_link_s[:, 0].tolist(), int(slower_at_two.link_s[0])
    ([205, 205, 246], 246)
    """
    title = str(table) if isinstance(table, str | PathLike) else "speeds"
    columns = read_table(table, "speeds", ("hour",), (*_OF_ALL, *_ENDS, "seconds"))
    given = _form_of(columns, title)
    hour = _hours_of(columns, title, hours)
    if _ENDS[0] in columns:
        seconds = _by_link(network, columns, given, hour, title, hours)
    else:
        seconds = _by_factor(network, _factors(network, columns, given, title), hour, title, hours)
    return replace(network, link_s=seconds.max(axis=0), hours=tuple(hours), hour_link_s=seconds)


def network_at(network: Network, hour: int) -> Network:
    """
    Network as it is in one hour, made once for hours with the same seconds and kept.

    Parameters
    ----------
    network
        A network with times by hour.
    hour
        One of its hours; 24 is midnight.

    Returns
    -------
    Network
        With the seconds of that hour, and the fingerprint of `network`.
    """
    seconds = network.hour_seconds(hour)
    first = network.hours[int(np.flatnonzero((network.hour_link_s == seconds).all(axis=1))[0])]
    kept: dict[int, Network] = network._cached("at_hour", dict)  # noqa: SLF001 - a view of the network
    if first not in kept:
        view = replace(network, link_s=seconds, hours=(), hour_link_s=np.empty((0, 0), np.int32))
        view._cache.update(fingerprint=network.fingerprint, hex_stop=network.hex_stop)  # noqa: SLF001
        kept[first] = view
    return kept[first]


def _form_of(columns: Mapping[str, Any], title: str) -> str:
    """Name of the column of values; a table of two forms, or of none, is refused."""
    ends = [name for name in _ENDS if name in columns]
    values = [name for name in ("factor", "seconds", "speed_kmh") if name in columns]
    allowed = _OF_LINKS if ends else _OF_ALL
    if len(values) > 1:
        msg = f"{title}: {' and '.join(values)} say the same thing, got both; keep one of these columns"
        raise DataError(msg, setting="speeds")
    if len(ends) == 1 or not values or values[0] not in allowed:
        msg = f"{title}: must have the columns {_FORMS}, got {', '.join(columns)}"
        raise DataError(msg, setting="speeds")
    return values[0]


def _factors(network: Network, columns: Mapping[str, Any], given: str, title: str) -> NDArray[np.float64]:
    """Factor on all link times of each row."""
    if given == "factor":
        return numbers_of(columns["factor"], f"{title}: factor", _LEAST_FACTOR, _MOST_FACTOR)
    mean_kmh = _KMH * float(network.link_m.sum(dtype=np.int64)) / float(network.link_s.sum(dtype=np.int64))
    named = f"{title}: speed_kmh, held against the network's mean of {mean_kmh:.1f} km/h,"
    least_kmh, most_kmh = math.ceil(100 * mean_kmh / _MOST_FACTOR) / 100, math.floor(mean_kmh / _LEAST_FACTOR)
    return mean_kmh / numbers_of(columns["speed_kmh"], named, least_kmh, most_kmh)


def _hours_of(columns: Mapping[str, Any], title: str, hours: Sequence[int]) -> NDArray[np.int64]:
    """Position of each row's hour in the night, -1 outside it."""
    import polars as pl

    text = columns["hour"]
    values = text.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    bad = np.flatnonzero(~((values >= 0) & (values <= _LAST_HOUR) & (values == np.floor(values))))
    if bad.size:
        where = f"{text[int(bad[0])]!r} in row {bad[0] + 1} ({bad.size} such rows)"
        msg = f"{title}: hour must be whole and lie in [0, {_LAST_HOUR}], got {where}"
        raise DataError(msg, setting="speeds")
    position = {hour % _HOURS_OF_DAY: place for place, hour in enumerate(hours)}
    return np.array([position.get(int(value) % _HOURS_OF_DAY, -1) for value in values], np.int64)


def _by_factor(
    network: Network, factor: NDArray[np.float64], hour: NDArray[np.int64], title: str, hours: Sequence[int]
) -> NDArray[np.int32]:
    """Seconds by hour of factors of all links, shape (n_hours, n_links)."""
    count = np.bincount(hour[hour >= 0], minlength=len(hours))
    for is_wrong, what, way_out in (
        (count > 1, "twice", "keep one row"),
        (count == 0, "not at all", "add a row for each hour of the night"),
    ):
        if is_wrong.any():
            named = ", ".join(hour_label(hours[place]) for place in np.flatnonzero(is_wrong).tolist())
            msg = f"{title}: must have each hour of the night once, and has {named} {what}; {way_out}"
            raise DataError(msg, setting="speeds")
    factors = np.empty(len(hours))
    factors[hour[hour >= 0]] = factor[hour >= 0]
    return np.maximum(1, np.rint(factors[:, None] * network.link_s)).astype(np.int32)


def _by_link(
    network: Network, columns: Mapping[str, Any], given: str, hour: NDArray[np.int64], title: str, hours: Sequence[int]
) -> NDArray[np.int32]:
    """Seconds by hour of measured links, shape (n_hours, n_links)."""
    low, high = (1, _MOST_LINK_S) if given == "seconds" else (_LEAST_KMH, _MOST_KMH)
    values = numbers_of(columns[given], f"{title}: {given}", low, high)
    ends = [_stops_of(network, columns[name], f"{title}: {name}") for name in _ENDS]
    start = np.repeat(np.arange(network.n_stops, dtype=np.int64), np.diff(network.link_indptr))
    keys, key = start * network.n_stops + network.link_to, ends[0] * network.n_stops + ends[1]
    link = np.minimum(np.searchsorted(keys, key), keys.size - 1)
    _refuse_rows(keys[link] != key, columns, title, "no link leads from {0!r} to {1!r}", "leave out stops between which there is no link")
    measured_s = values if given == "seconds" else _KMH * network.link_m[link] / values
    measured = np.maximum(1, np.rint(measured_s)).astype(np.int32)
    row = hour * network.n_links + link
    _, first, again = np.unique(row, return_index=True, return_inverse=True)
    twice = (first[again] != np.arange(row.size)) & (hour >= 0)
    _refuse_rows(twice, columns, title, "the link from {0!r} to {1!r} has two rows for one hour", "keep one of them")
    seconds = np.tile(network.link_s, (len(hours), 1))
    inside = hour >= 0
    seconds[hour[inside], link[inside]] = measured[inside]
    return seconds


def _stops_of(network: Network, text: Any, title: str) -> NDArray[np.int64]:  # noqa: ANN401  # a polars series
    """Stop of each row by its name, or by its index if no stop has that name."""
    by_name: dict[str, list[int]] = {}
    for stop, name in enumerate(network.stop_names):
        by_name.setdefault(name, []).append(stop)
    found = np.empty(len(text), np.int64)
    for row, value in enumerate(text.to_list()):
        name = "" if value is None else value.strip()
        stops = by_name.get(name, [int(name)] if name.isdecimal() and int(name) < network.n_stops else [])
        if len(stops) != 1:
            what = f"{len(stops)} stops have that name, the first are {stops[0]} and {stops[1]}" if stops else "no stop has that name"
            msg = f"{title} must name a stop of the network, got {name!r} in row {row + 1}: {what}; name stops by their index instead"
            raise DataError(msg, setting="speeds")
        found[row] = stops[0]
    return found


def _refuse_rows(is_wrong: NDArray[np.bool_], columns: Mapping[str, Any], title: str, what: str, way_out: str) -> None:
    """Refuse rows of links that break a rule."""
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        ends = columns["from_stop"][row], columns["to_stop"][row]
        msg = f"{title}: {what.format(*ends)}, in row {row + 1} ({int(is_wrong.sum())} such rows); {way_out}"
        raise DataError(msg, setting="speeds")
