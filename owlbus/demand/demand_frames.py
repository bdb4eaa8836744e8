"""Demand from tables of counts, and demand as tables, for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError
from owlbus.common.frames import Table, as_polars, as_tables, require_table
from owlbus.common.units import NightWindow
from owlbus.demand.columns import sums_by_index
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    import geopandas as gpd
    import pandas as pd
    import polars as pl
    from numpy.typing import NDArray

    from owlbus.demand.table import Demand

_FIRST_HOUR, _DAY_HOURS = 12, 24
_FINE = 0.5
_PEOPLE = ("people", "presence")
ENDS = {"trips": ("origin", "destination"), "presence": ("hex",)}
WHAT = tuple(ENDS)


def demand_from_tables(
    demand_type: type[Demand],
    trips: Any,  # noqa: ANN401 - any table
    presence: Any,  # noqa: ANN401 - any table
    grid: HexGrid | int | None,
    hours: Iterable[int] | None,
    source: str,
) -> Demand:
    """
    Demand from tables of counts, as `Demand.from_od` and `Demand.from_presence` describe them.

    Parameters
    ----------
    demand_type
        The class `Demand`.
    trips
        Table of trips by pair of hexes, or None.
    presence
        Table of people by hex; None takes a person for each trip, at its origin.
    grid
        Hexes of the grid, their number, or None for the highest index plus one.
    hours
        Service hours that the demand covers; those of the default window if None.
    source
        One of `owlbus.demand.table.SOURCES`.

    Returns
    -------
    Demand
        Trips and people a night.
    """
    tables = {name: _one_table(name, table) for name, table in (("trips", trips), ("presence", presence)) if table is not None}
    hexes = {name: [_hexes(name, frame, end, grid) for end in ENDS[name]] for name, frame in tables.items()}
    hours = NightWindow().hours if hours is None else tuple(sorted(hours))
    dates = {name: _dates(name, frame) for name, frame in tables.items()}
    scope: dict[str, Any] = {"hours": hours, "nights": _nights(dates), "source": source}
    rows: dict[str, dict[str, Any]] = {}
    for name, frame in tables.items():
        night = _night_index(dates[name], scope["nights"], frame.height)
        rows[name] = {"night": night, "hour": _hours(name, frame, hours), name: _counts(name, frame)}
        rows[name] |= dict(zip(ENDS[name], hexes[name], strict=True))
    if isinstance(grid, HexGrid):
        scope["grid"] = grid.fingerprint
        n_hexes = grid.n_hexes
    else:
        n_hexes = grid or 1 + max(int(row.max(initial=0)) for columns in hexes.values() for row in columns)
    made = demand_type.from_rows(n_hexes, _between_hexes(rows.get("trips")), rows.get("presence") or _at_origins(rows["trips"]), **scope)
    return _without_hours(made, tables.values())


def _one_table(name: str, thing: Any) -> pl.DataFrame:  # noqa: ANN401 - any table
    """Return a table, or the batches of one."""
    tables = as_tables(thing, name, also="")
    if len(tables) != 1 or not isinstance(tables[0], Table):
        require_table(name, tables[0] if tables else thing)
        msg = f"{name}: must be one table, got {len(tables)} with different columns; name one of them"
        raise DataError(msg)
    return as_polars(tables[0], name)


def _at_origins(rows: dict[str, Any]) -> dict[str, Any]:
    """Return one person present for each trip, at its origin."""
    return {"night": rows["night"], "hour": rows["hour"], "hex": rows["origin"], "presence": rows["trips"]}


def _between_hexes(rows: dict[str, Any] | None) -> dict[str, Any]:
    """Return the trips that leave their hex."""
    if rows is None:
        return dict.fromkeys(("night", "hour", "origin", "destination", "trips"), np.empty(0, np.int64))
    leaves = rows["origin"] != rows["destination"]
    return {name: values[leaves] for name, values in rows.items()}


def _without_hours(demand: Demand, frames: Iterable[pl.DataFrame]) -> Demand:
    """Mark hours as unknown if no table has any, where demand can say so."""
    from dataclasses import replace

    unknown: dict[str, Any] = {"hours_known": False}
    known = any("hour" in frame.columns for frame in frames)
    return demand if known or not unknown.keys() <= type(demand).__dataclass_fields__.keys() else replace(demand, **unknown)


def _hexes(name: str, frame: pl.DataFrame, end: str, grid: HexGrid | int | None) -> NDArray[np.int64]:
    """Return the hex of each row at one end: from an index, a label, an H3 cell, or a position."""
    prefix = "" if end == "hex" else f"{end}_"
    lon, lat = f"{prefix}lon", f"{prefix}lat"
    column = next((column for column in (end, f"{prefix}hex", f"{prefix}cell", f"{prefix}h3") if column in frame.columns), None)
    if column is None and not {lon, lat} <= set(frame.columns):
        msg = (
            f"{name}: needs {end} (hex index), {prefix}cell (H3), or {lon} and {lat}, found {', '.join(frame.columns)}; rename the columns"
        )
        raise DataError(msg)
    if column is not None and frame[column].dtype.is_integer() and not column.endswith(("cell", "h3")):
        return _indices(name, column, frame[column], grid)
    if not isinstance(grid, HexGrid):
        msg = f"{name}: {column or lon} is no hex index, so that a grid is needed; give grid, a HexGrid"
        raise UsageError(msg, setting="grid")
    if column is None:
        found = grid.lonlat_to_hex(*(frame[axis].cast(_float(), strict=False).fill_null(np.nan).to_numpy() for axis in (lon, lat)))
        return _inside(name, f"{lon}, {lat}", np.asarray(found, dtype=np.int64))
    return _inside(name, column, _labelled(name, column, frame[column], grid))


def _float() -> Any:  # noqa: ANN401 - a polars type
    """Return the type of degrees."""
    import polars as pl

    return pl.Float64


def _indices(name: str, column: str, values: pl.Series, grid: HexGrid | int | None) -> NDArray[np.int64]:
    """Return hex indices, all of them in the grid."""
    n_hexes = grid.n_hexes if isinstance(grid, HexGrid) else grid
    index = values.fill_null(-1).to_numpy().astype(np.int64)
    return _inside(name, column, np.where(index >= (n_hexes if n_hexes is not None else index.max(initial=0) + 1), -1, index))


def _inside(name: str, column: str, hexes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Refuse rows without a hex of the grid."""
    outside = np.flatnonzero(hexes < 0)
    if outside.size:
        extent = f"{outside.size} of {hexes.size} rows have {column} outside the grid, first row {outside[0] + 1}"
        msg = f"{name}: {extent}; cover them with the grid, or leave them out"
        raise DataError(msg)
    return hexes


def _labelled(name: str, column: str, values: pl.Series, grid: HexGrid) -> NDArray[np.int64]:
    """Return the hex of each label of the grid, or the hex around the centre of each H3 cell that is finer than the grid."""
    import h3
    import polars as pl

    number_of = {str(label): hexagon for hexagon, label in enumerate(grid.labels)}
    is_number = values.dtype.is_integer()
    found: dict[Any, int] = {}
    for value in values.unique().drop_nulls().to_list():
        cell = h3.int_to_str(value) if is_number else str(value).strip()
        if cell in number_of:
            found[value] = number_of[cell]
        elif h3.is_valid_cell(cell):
            resolution = h3.get_resolution(cell)
            if h3.average_hexagon_edge_length(resolution, "m") > _FINE * grid.radius_m:
                coarse = f"H3 cells of resolution {resolution}, too coarse for hexes of {grid.radius_m:.0f} m"
                msg = f"{name}: {column} holds {coarse}; use HexGrid.from_h3 of that resolution"
                raise DataError(msg)
            lat, lon = h3.cell_to_latlng(cell)
            found[value] = int(grid.lonlat_to_hex(lon, lat))
    hexes = values.replace_strict(list(found), list(found.values()), default=-1, return_dtype=pl.Int64) if found else None
    return np.full(len(values), -1) if hexes is None else hexes.fill_null(-1).to_numpy()


def _counts(name: str, frame: pl.DataFrame) -> NDArray[np.float64]:
    """Return trips or people of each row, NaN where missing."""
    names = ("trips",) if name == "trips" else _PEOPLE
    column = next((column for column in names if column in frame.columns), None)
    if column is None:
        msg = f"{name}: needs a column {names[0]}, found {', '.join(frame.columns)}; rename the one that counts them"
        raise DataError(msg)
    values: NDArray[np.float64] = frame[column].cast(_float(), strict=False).fill_null(np.nan).to_numpy()
    return values


def _hours(name: str, frame: pl.DataFrame, hours: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the service hour of each row: 0 to 11 are after midnight; the first of `hours` where the table has none."""
    if not hours:
        msg = "hours must hold at least one service hour, got none"
        raise UsageError(msg, setting="hours")
    if "hour" not in frame.columns:
        return np.full(frame.height, hours[0], dtype=np.int64)
    hour = frame["hour"].cast(_float(), strict=False).fill_null(np.nan).to_numpy()
    service = np.where(hour < _FIRST_HOUR, hour + _DAY_HOURS, hour)
    wrong = np.flatnonzero(~np.isin(service, hours))
    if wrong.size:
        extent = f"{wrong.size} of {hour.size} rows have an hour outside {hours[0]} to {hours[-1]}, first row {wrong[0] + 1}"
        msg = f"{name}: {extent}; name the service hours with hours (24 is midnight), or leave them out"
        raise DataError(msg)
    return service.astype(np.int64)


def _dates(name: str, frame: pl.DataFrame) -> NDArray[np.datetime64] | None:
    """Return the service date of each row; None if the table has no date."""
    import polars as pl

    column = next((column for column in ("night", "date") if column in frame.columns), None)
    if column is None:
        return None
    values = frame[column]
    if values.dtype == pl.String:
        values = values.str.strip_chars().str.head(10).str.to_date("%Y-%m-%d", strict=False)
    is_date = values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime)
    if not is_date or values.null_count():
        rows = values.null_count() if is_date else len(values)
        msg = f"{name}: {column} must be service dates such as 2013-03-12, and is not in {rows} of {len(values)} rows; mend or leave it out"
        raise DataError(msg)
    dates: NDArray[np.datetime64] = values.cast(pl.Date).to_numpy().astype("datetime64[D]")
    return dates


def _nights(dates: dict[str, NDArray[np.datetime64] | None]) -> tuple[dt.date | None, ...]:
    """Return the service dates of all tables."""
    dated = [column for column in dates.values() if column is not None and column.size]
    if 0 < len(dated) < len(dates):
        msg = f"trips and presence must both have a night, or neither; only {next(name for name in dates if dates[name] is not None)} has"
        raise DataError(msg)
    return tuple(np.unique(np.concatenate(dated)).tolist()) if dated else (None,)


def _night_index(dates: NDArray[np.datetime64] | None, nights: tuple[dt.date | None, ...], n_rows: int) -> NDArray[np.int64]:
    """Return the night of each row."""
    if dates is None:
        return np.zeros(n_rows, dtype=np.int64)
    return np.searchsorted(np.array(nights, dtype="datetime64[D]"), dates).astype(np.int64)


def demand_to_frame(demand: Demand, what: str = "trips") -> pd.DataFrame:
    """
    Rows of a demand, as `Demand.to_frame` describes them.

    Parameters
    ----------
    demand
        The demand.
    what
        ``trips`` or ``presence``.

    Returns
    -------
    DataFrame
        Exact trips, or people.
    """
    import pandas as pd

    if what not in WHAT:
        msg = f"what must be one of {', '.join(WHAT)}, got {what!r}"
        raise UsageError(msg, setting="what", value=what, allowed=WHAT)
    names = ("origin", "destination", "trips") if what == "trips" else ("hex", "people")
    fields = ("night", "hour", *names) if what == "trips" else ("presence_night", "presence_hour", "presence_hex", "presence")
    columns = dict(zip(("night", "hour", *names), (getattr(demand, field) for field in fields), strict=True))
    night = columns.pop("night")
    dates = {} if demand.nights == (None,) else {"night": np.array(demand.nights, dtype="datetime64[s]")[night]}
    return pd.DataFrame(dates | {name: values.copy() for name, values in columns.items()})


def demand_to_geodataframe(demand: Demand, grid: HexGrid) -> gpd.GeoDataFrame:
    """
    Hexes of a demand with their person-hours and trips, as `Demand.to_geodataframe` describes them.

    Parameters
    ----------
    demand
        The demand.
    grid
        Its grid.

    Returns
    -------
    GeoDataFrame
        One row a hex; trips, and people summed over hours, a night.

    Raises
    ------
    DataError
        If the demand lies on another grid.
    """
    if demand.n_hexes != grid.n_hexes or (demand.grid and demand.grid != grid.fingerprint):
        msg = f"demand and grid must be of one grid, got {demand.n_hexes} and {grid.n_hexes} hexes; give the grid of the demand"
        raise DataError(msg)
    pairs = demand.od()
    frame = grid.to_geodataframe()
    counts = {"person_hours": demand.presence_by_hex()}
    counts |= {f"{end}_trips": sums_by_index(getattr(pairs, end), pairs.trips, demand.n_hexes) for end in ("origin", "destination")}
    return frame.assign(**counts)
