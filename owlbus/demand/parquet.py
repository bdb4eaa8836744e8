"""Demand as a restricted Parquet file."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, step
from owlbus.common.files import read_parquet, rebuild_errors
from owlbus.demand.table import Demand
from owlbus.records.rejected import RESTRICTED, write_restricted

if TYPE_CHECKING:
    from os import PathLike

    import pyarrow as pa

KIND = "demand"
SCHEMA_VERSION = 1

FLAGS_VERSION = 3
"""Version of files that say that hours are unknown, or that presence counts all people; other files are of `SCHEMA_VERSION`."""


def write_demand(demand: Demand, path: str | PathLike[str]) -> None:
    """
    Write `demand` as Parquet, mode 0600, marked as restricted.

    Presence rows have no destination.

    Parameters
    ----------
    demand
        Demand to write.
    path
        File to write or replace; the same demand gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow as pa

    n, m = demand.trips.size, demand.presence.size
    columns = {
        "measure": pa.DictionaryArray.from_arrays(pa.array(np.repeat([0, 1], [n, m]).astype(np.int8)), ["trips", "presence"]),
        "night": np.r_[demand.night, demand.presence_night],
        "hour": np.r_[demand.hour, demand.presence_hour],
        "origin": np.r_[demand.origin, demand.presence_hex],
        "destination": pa.array(np.r_[demand.destination, np.zeros(m, dtype=np.int32)], mask=np.repeat([False, True], [n, m])),
        "value": np.r_[demand.trips, demand.presence],
    }
    scope = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "restricted": RESTRICTED,
        "n_hexes": demand.n_hexes,
        "hours": demand.hours,
        "nights": [None if night is None else night.isoformat() for night in demand.nights],
        "source": demand.source,
        "grid": demand.grid,
    }
    if not demand.hours_known or demand.people_counted:
        flags = {"hours_known": demand.hours_known, "people_counted": demand.people_counted}
        scope |= {"schema_version": FLAGS_VERSION, **flags}
    write_restricted(pa.table(columns).replace_schema_metadata({"owlbus": json.dumps(scope)}), path)


def read_demand(path: str | PathLike[str]) -> Demand:
    """
    Read a file that `write_demand` wrote.

    Parameters
    ----------
    path
        Parquet file.

    Returns
    -------
    Demand
        The demand, checked.

    Raises
    ------
    DataError
        If the file is missing, damaged or not demand.
    """
    table, scope = read_parquet(path, KIND)
    if scope.get("schema_version") not in {SCHEMA_VERSION, FLAGS_VERSION}:
        version, way = scope.get("schema_version"), step("owlbus.estimate_demand", "demand", files="FILES", out="DIR")
        msg = f"{path}: has demand of version {version} where {SCHEMA_VERSION} is read; write it again with: {way}"
        raise DataError(msg)
    with rebuild_errors(path, KIND):
        return _rebuilt(table, scope)


def _rebuilt(table: pa.Table, scope: dict[str, Any]) -> Demand:
    """Return demand from columns and metadata."""
    is_trip = table["measure"].cast("string").to_numpy() == "trips"
    values: dict[str, Any] = {name: table[name].to_numpy() for name in ("night", "hour", "origin", "value")}
    return Demand(
        scope["n_hexes"],
        hours=tuple(scope["hours"]),
        nights=tuple(None if night is None else dt.date.fromisoformat(night) for night in scope["nights"]),
        night=values["night"][is_trip],
        hour=values["hour"][is_trip],
        origin=values["origin"][is_trip],
        destination=table["destination"].fill_null(0).to_numpy()[is_trip],
        trips=values["value"][is_trip],
        presence_night=values["night"][~is_trip],
        presence_hour=values["hour"][~is_trip],
        presence_hex=values["origin"][~is_trip],
        presence=values["value"][~is_trip],
        source=scope["source"],
        grid=scope["grid"],
        hours_known=scope.get("hours_known", True),
        people_counted=scope.get("people_counted", False),
    )
