"""Hours of trips that carry no time: a profile of shares, equal shares, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import QUANTA_PER_TRIP
from owlbus.demand.presence import with_presence
from owlbus.demand.table import Demand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FLAT, UNKNOWN = "flat", "unknown"
"""Profiles that need no table: equal shares of all hours, and hours that are not known."""

_HOURS_OF_DAY, _NOON = 24, 12
_LEAST_SUM, _MOST_SUM = 0.98, 1.02
"""Shares whose sum lies between are shares of all trips, but for rounding."""

_ROUNDING = 1e-9


def read_hour_profile(profile: Any, hours: Sequence[int]) -> NDArray[np.float64] | None:  # noqa: ANN401 - a name, a path or a table
    """
    Return the share of trips in each hour.

    Parameters
    ----------
    profile
        ``flat``, ``unknown``, or a table with the columns ``hour`` (0 to 23, or service hours up to 35) and ``share``: CSV or Parquet, or
        a mapping of hour to share. Hours that it lacks have none. Trips of hours outside the window are left out.
    hours
        Service hours of the window; 24 is midnight.

    Returns
    -------
    ndarray of float64 or None
        Share of all trips in each hour, in [0, 1], dimensionless, shape (n_hours,); what their sum lacks of 1 lies outside the window.
        None if hours are unknown.

    Raises
    ------
    DataError
        If the table lacks a column, an hour occurs twice, a share is below 0 or no number, no hour of the window has one, or shares sum to
        less than 1.
    UsageError
        If `profile` is neither a name nor a table.

    Examples
    --------
    >>> read_hour_profile("flat", [24, 25]).tolist()
    [0.5, 0.5]
    >>> read_hour_profile({0: 3, 1: 1, 12: 4}, [24, 25]).tolist()
    [0.375, 0.125]
    """
    if isinstance(profile, str) and profile.lower() == UNKNOWN:
        return None
    if isinstance(profile, str) and profile.lower() == FLAT:
        return np.full(len(hours), 1 / len(hours))
    name, share_of_hour = _table(profile)
    shares = np.array([share_of_hour.get(hour, 0.0) for hour in hours])
    if not shares.sum() > 0:
        msg = (
            f"{name}: must have a share above 0 in an hour of the window, {hours[0] % 24:02d} to {(hours[-1] + 1) % 24:02d} h, and has none"
        )
        raise DataError(msg, setting="hour_profile")
    total = float(shares.sum()) + _outside(share_of_hour, hours)
    if total < _LEAST_SUM:
        msg = f"{name}: shares must sum to 1 over the hours of all trips, and sum to {total:g}; add the other hours, or divide by that sum"
        raise DataError(msg, setting="hour_profile")
    scaled_shares: NDArray[np.float64] = shares / total
    return scaled_shares


def hour_profile_notes(profile: Any, hours: Sequence[int], n_trips: float) -> list[str]:  # noqa: ANN401 - a name, a path or a table
    """
    Return what a table of shares by hour does to trips without a time.

    Parameters
    ----------
    profile
        What `read_hour_profile` takes.
    hours
        Service hours of the window.
    n_trips
        Trips a day, before they are spread.

    Returns
    -------
    list of str
        One sentence each: the scale of shares that do not sum to 1, and trips outside the window; empty for a name.

    Examples
    --------
    >>> hour_profile_notes({0: 0.1, 12: 0.9}, [24, 25], 50.0)
    ['hour_profile: 45 of 50 trips a day fall outside the window, by their share, and are left out']
    """
    if isinstance(profile, str) and profile.lower() in {FLAT, UNKNOWN}:
        return []
    name, share_of_hour = _table(profile)
    total, outside = sum(share_of_hour.values()), _outside(share_of_hour, hours)
    notes = []
    if total > _MOST_SUM:
        which = "all trips are taken to be of the window" if not outside else "all trips are taken to be of its hours"
        notes.append(f"{name}: shares sum to {total:g} and are divided by that; {which}")
    if outside:
        of_all = f"{n_trips * outside / total:,.0f} of {n_trips:,.0f} trips a day"
        notes.append(f"{name}: {of_all} fall outside the window, by their share, and are left out")
    return notes


def _outside(share_of_hour: Mapping[int, float], hours: Sequence[int]) -> float:
    """Return the share of hours outside the window."""
    return sum((share for hour, share in share_of_hour.items() if hour not in hours), start=0.0)


def spread_over_hours(demand: Demand, shares: NDArray[np.float64] | None) -> Demand:
    """
    Return a demand whose trips and people all stand in the first hour, spread over the hours.

    Quanta of 1/1024 are rounded along the running sum of all rows, so that totals of rows and hours are kept to a quantum.

    Parameters
    ----------
    demand
        Trips and people in the first hour.
    shares
        Share of each hour, shape (n_hours,), sum at most 1; None if hours are unknown: then everything stays, marked as unknown.

    Returns
    -------
    Demand
        Trips and people by night; those that the shares lack to 1 are left out.

    Examples
    --------
    >>> matrix = Demand(3, hours=(24, 25), origin=[0, 1], destination=[2, 2], trips=[1.0, 1.0])
    >>> spread_over_hours(matrix, np.array([0.5, 0.5])).trips_by_hour()
    array([1., 1.])
    """
    if shares is None:
        return replace(demand, hours_known=False)
    trips = _spread({name: getattr(demand, name) for name in ("night", "origin", "destination", "trips")}, "trips", demand.hours, shares)
    people = {name: getattr(demand, f"presence_{name}") for name in ("night", "hex")} | {"presence": demand.presence}
    return Demand.from_rows(demand.n_hexes, trips, _spread(people, "presence", demand.hours, shares), **demand.scope)


def with_even_hours(demand: Demand) -> Demand:
    """
    Return `demand` with trips spread evenly over the hours if these are unknown; as it is otherwise.

    Parameters
    ----------
    demand
        Trips and people a night.

    Returns
    -------
    Demand
        Trips by hour in 1/1024 a night, for a choice of headways and no figures by hour.

    Examples
    --------
    >>> with_even_hours(Demand(3, hours=(24, 25), origin=[0], destination=[2], trips=[4.0], hours_known=False)).trips.tolist()
    [2.0, 2.0]
    """
    if demand.hours_known:
        return demand
    trips = spread_over_hours(replace(demand, hours_known=True), np.full(len(demand.hours), 1 / len(demand.hours)))
    return with_presence(trips, demand) if demand.people_counted else trips


def _spread(rows: Mapping[str, NDArray[Any]], value: str, hours: Sequence[int], shares: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return `rows` by hour; the column `value` is split by `shares`; rows of 0 are left out."""
    remaining = np.rint(rows[value] * QUANTA_PER_TRIP).astype(np.int64)
    outside = max(0.0, 1 - float(shares.sum()))
    shares = np.append(shares, outside if outside > _ROUNDING else 0.0)
    parts = np.zeros((remaining.size, shares.size), dtype=np.int64)
    for column, share in enumerate(shares.tolist()):
        is_last = not shares[column + 1 :].any()
        of_remaining = 1.0 if is_last else share / float(shares[column:].sum())
        parts[:, column] = np.diff(np.floor(np.cumsum(remaining) * of_remaining + 0.5), prepend=0.0) if share > 0 else 0
        remaining = remaining - parts[:, column]
    row, hour = np.nonzero(parts[:, :-1])
    columns = {name: column[row] for name, column in rows.items()}
    return columns | {"hour": np.asarray(hours)[hour], value: parts[row, hour] / QUANTA_PER_TRIP}


def _table(profile: Any) -> tuple[str, dict[int, float]]:  # noqa: ANN401 - a path, a mapping or a table
    """Return the name of a profile and its share by service hour."""
    import polars as pl

    name = "hour_profile"
    if isinstance(profile, (str, Path)):
        name = str(profile)
        frame = _read_table(name)
    elif isinstance(profile, dict):
        frame = pl.DataFrame({"hour": list(profile), "share": list(profile.values())}, strict=False)
    elif hasattr(profile, "columns"):
        frame = pl.DataFrame({column: list(profile[column]) for column in ("hour", "share") if column in profile.columns}, strict=False)
    else:
        msg = f"{setting('hour_profile')} must be flat, unknown or a table of hour and share, got {type(profile).__name__}"
        raise UsageError(msg, setting="hour_profile", allowed=(FLAT, UNKNOWN))
    if not {"hour", "share"} <= set(frame.columns):
        msg = f"{name}: must have the columns hour and share, got {', '.join(frame.columns)}"
        raise DataError(msg, setting="hour_profile")
    hour = frame["hour"].cast(pl.String).str.extract(r"^\s*(\d{1,2})(?:\.0+)?(?::00)?(?::00)?\s*$", 1).cast(pl.Int64)
    share = frame["share"].cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    return name, _share_of_hour(name, hour.to_list(), share.to_list())


def _read_table(name: str) -> Any:  # noqa: ANN401 - a polars frame, which is not loaded here
    """Read a profile from a file."""
    import polars as pl

    from owlbus.records.file_forms import form_of_file, reading_errors, separator_of

    path = Path(name)
    if not path.is_file():
        msg = f"{setting('hour_profile')} must be flat, unknown or a table of hour and share; no file {name} exists"
        raise UsageError(msg, setting="hour_profile", value=name, allowed=(FLAT, UNKNOWN))
    is_table = form_of_file(name, path) == "parquet"
    with reading_errors(name):
        frame = pl.read_parquet(path) if is_table else pl.read_csv(path, infer_schema=False, separator=separator_of(path))
    return frame.rename({column: column.strip().strip("\ufeff").lower() for column in frame.columns})


def _share_of_hour(name: str, hours: list[int | None], shares: list[float | None]) -> dict[int, float]:
    """Return the share by service hour: hours before noon lie after midnight."""
    table: dict[int, float] = {}
    for row, (hour, share) in enumerate(zip(hours, shares, strict=True)):
        if hour is None or hour >= _HOURS_OF_DAY + _NOON or share is None or not np.isfinite(share) or share < 0:
            msg = f"{name}: row {row + 1} must hold an hour from 0 to 35 and a share of 0 or more"
            raise DataError(msg, setting="hour_profile")
        service_hour = hour + _HOURS_OF_DAY * (hour < _NOON)
        if service_hour in table:
            msg = f"{name}: hour {hour:02d} occurs twice, again in row {row + 1}; give each hour once"
            raise DataError(msg, setting="hour_profile")
        table[service_hour] = share
    return table
