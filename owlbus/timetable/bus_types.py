"""Bus types of a mixed fleet: capacity, number available and costs; read from a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.units import require_number
from owlbus.network.from_tables import numbers_of, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.timetable.operation import UnitCosts

MOST_AVAILABLE = 10_000
MOST_CAPACITY = 1_000
_MOST_COST = 1e9
_NEEDED, _OPTIONAL = ("type", "capacity", "available", "cost_bus"), ("cost_km", "cost_hour")
_FORM = f"columns {', '.join(_NEEDED)}, and perhaps {' and '.join(_OPTIONAL)}"


@dataclass(frozen=True, slots=True)
class BusType:
    """
    Buses of one size in a mixed fleet.

    Attributes
    ----------
    name
        What people call the type, such as ``midi``.
    capacity
        Riders that a bus carries, 1 to 1,000.
    available
        Number of buses, 1 to 10,000.
    per_bus
        Cost of a bus for one night, in the currency of the unit costs.
    per_km, per_hour
        Cost of a vehicle-km and of a vehicle-hour; None takes those of the unit costs.

    Raises
    ------
    UsageError
        If the name is empty, or a number lies outside its range.

    Examples
    --------
    >>> BusType("midi", capacity=30, available=12, per_bus=35.0).name
    'midi'
    """

    name: str
    capacity: int
    available: int
    per_bus: float
    per_km: float | None = None
    per_hour: float | None = None

    def __post_init__(self) -> None:
        """Check every value once."""
        if not self.name.strip():
            msg = f"each of {setting('bus_types')} needs a name, got {self.name!r}"
            raise UsageError(msg, setting="bus_types", value=self.name)
        require_number("capacity", self.capacity, 1, MOST_CAPACITY)
        require_number("available", self.available, 1, MOST_AVAILABLE)
        for name in ("per_bus", "per_km", "per_hour"):
            cost = getattr(self, name)
            require_number(name, 0.0 if cost is None else cost, 0, _MOST_COST)

    def total(self, costs: UnitCosts, *, vehicle_km: float, vehicle_hours: float, buses: int) -> float:
        """
        Cost of buses of this type for one night.

        Parameters
        ----------
        costs
            Unit costs, of which those are taken that the type does not have.
        vehicle_km, vehicle_hours, buses
            Kilometres and hours of all its buses together, and number of buses.

        Returns
        -------
        float
            In the currency of the unit costs.
        """
        per_km, per_hour = self.costs_on_the_road(costs)
        return per_km * vehicle_km + per_hour * vehicle_hours + self.per_bus * buses

    def costs_on_the_road(self, costs: UnitCosts) -> tuple[float, float]:
        """
        Cost of a vehicle-km and of a vehicle-hour of this type.

        Parameters
        ----------
        costs
            Unit costs, of which those are taken that the type does not have.

        Returns
        -------
        tuple of float
            Per km and per hour, in the currency of the unit costs.
        """
        return (costs.per_km if self.per_km is None else self.per_km, costs.per_hour if self.per_hour is None else self.per_hour)


def read_bus_types(table: Any) -> tuple[BusType, ...]:  # noqa: ANN401  # any table
    """
    Bus types of a table with one row a type.

    The columns are ``type``, ``capacity`` (riders), ``available`` (buses) and ``cost_bus`` (a bus and night), and perhaps ``cost_km`` and
    ``cost_hour`` (a vehicle-km, a vehicle-hour). An empty cell of the last two takes the unit costs of the other settings.

    Parameters
    ----------
    table
        Path of a CSV or Parquet file, a table of pandas, polars or pyarrow, or columns by name.

    Returns
    -------
    tuple of BusType
        In the order of the rows; costs per km, hour and bus.

    Raises
    ------
    DataError
        If a column is missing, a type has no name or has two rows, or a value is out of range.

    Examples
    --------
    >>> midi, large = read_bus_types({"type": ["midi", "large"], "capacity": [30, 75], "available": [12, 8], "cost_bus": [35, 60]})
    >>> midi.capacity, large.available, large.per_km
    (30, 8, None)
    """
    title = str(table) if isinstance(table, str | PathLike) else "bus_types"
    try:
        columns = read_table(table, "bus_types", _NEEDED, _OPTIONAL)
    except DataError as error:
        msg = f"{error.template}; bus types need the {_FORM}" if "needed" in error.template else error.template
        raise DataError(msg, setting="bus_types") from None
    names = _names(columns["type"].to_list(), title)
    capacity, available = (
        _whole(columns, name, title, most) for name, most in (("capacity", MOST_CAPACITY), ("available", MOST_AVAILABLE))
    )
    per_bus = numbers_of(columns["cost_bus"], f"{title}: cost_bus", 0, _MOST_COST).tolist()
    per_km, per_hour = (_costs(columns, name, title) for name in _OPTIONAL)
    return tuple(BusType(*row) for row in zip(names, capacity, available, per_bus, per_km, per_hour, strict=True))


def _names(cells: Sequence[str | None], title: str) -> list[str]:
    """Names of the types, each once and none empty."""
    names = ["" if cell is None else " ".join(cell.split()) for cell in cells]
    if "" in names:
        msg = f"{title}: type must name each bus type, got none in row {names.index('') + 1} ({names.count('')} such rows); write one"
        raise DataError(msg, setting="bus_types")
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        rows = ", ".join(str(row + 1) for row, name in enumerate(names) if name == twice[0])
        msg = f"{title}: type must stand in one row, got {twice[0]!r} in rows {rows} ({len(twice)} such types); keep one row of each"
        raise DataError(msg, setting="bus_types")
    return names


def _whole(columns: Mapping[str, Any], name: str, title: str, most: int) -> list[int]:
    """Column of whole numbers from 1 up."""
    values = numbers_of(columns[name], f"{title}: {name}", 1, most)
    broken = np.flatnonzero(values != np.floor(values))
    if broken.size:
        row = int(broken[0])
        msg = f"{title}: {name} must be a whole number, got {columns[name][row]!r} in row {row + 1} ({broken.size} such rows)"
        raise DataError(msg, setting="bus_types")
    return [int(value) for value in values.tolist()]


def _costs(columns: Mapping[str, Any], name: str, title: str) -> list[float | None]:
    """Column of costs, None where a cell is empty or the column is missing."""
    import polars as pl

    cells = columns.get(name)
    if cells is None:
        return [None] * len(columns["type"])
    is_empty: NDArray[np.bool_] = (cells.is_null() | (cells.str.strip_chars() == "")).to_numpy()
    filled = pl.Series(["0" if empty else cell for cell, empty in zip(cells.to_list(), is_empty.tolist(), strict=True)], dtype=pl.String)
    values = numbers_of(filled, f"{title}: {name}", 0, _MOST_COST).tolist()
    return [None if empty else value for value, empty in zip(values, is_empty.tolist(), strict=True)]


def types_in_words(bus_types: Sequence[BusType]) -> str:
    """
    Numbers of buses by type in one line.

    Parameters
    ----------
    bus_types
        The types.

    Returns
    -------
    str
        Such as ``midi 12, large 8``.
    """
    return ", ".join(f"{each.name} {each.available}" for each in bus_types)
