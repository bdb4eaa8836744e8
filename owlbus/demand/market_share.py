"""Scale the demand of one operator's customers to the whole population, by market share."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, setting
from owlbus.demand.table import Demand

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid

_SHARES = ("share", "market_share")
_NAMES = ("district", "name", "group")


def scale_to_population(demand: Demand, market_share: ArrayLike) -> Demand:
    """
    Scale the demand of one operator's customers to the whole population.

    A trip is divided by the share at its destination, which for calls is the home; a person present by the share of the hex.

    Parameters
    ----------
    demand
        Trips and people of the operator's customers.
    market_share
        Market share of the operator, by hex, shape (n_hexes,), in (0, 1].

    Returns
    -------
    Demand
        Demand on the same nights, in multiples of 1/1024.

    Raises
    ------
    DataError
        If there is not one share in (0, 1] per hex.

    Examples
    --------
    >>> scale_to_population(Demand(2, origin=[0], destination=[1], trips=[4.0]), [1.0, 0.5]).trips
    array([8.])
    """
    share = np.asarray(market_share, dtype=np.float64)
    if share.shape != (demand.n_hexes,):
        msg = f"market_share must have one number per hex, shape ({demand.n_hexes},), got {share.shape}"
        raise DataError(msg)
    wrong = np.flatnonzero(~((share > 0) & (share <= 1)))
    if wrong.size:
        msg = f"market_share must lie in (0, 1], got {share[wrong[0]]:g} in hex {wrong[0]} ({wrong.size} such); 40 % reads 0.4"
        raise DataError(msg)
    trips = {name: getattr(demand, name) for name in ("night", "hour", "origin", "destination")}
    people = {name: getattr(demand, f"presence_{name}") for name in ("night", "hour", "hex")}
    return Demand.from_rows(
        demand.n_hexes,
        trips | {"trips": demand.trips / share[demand.destination]},
        people | {"presence": demand.presence / share[demand.presence_hex]},
        **demand.scope,
    )


def read_market_share(
    path: str | PathLike[str], grid: HexGrid, districts: Mapping[str, tuple[float, float]] | None = None
) -> NDArray[np.float64]:
    """
    Read market shares by district and return them by hex.

    Parameters
    ----------
    path
        CSV with ``share`` (0 to 1) and either ``lon`` and ``lat`` of the district's centre, or ``district``, a name of `districts`.
    grid
        Hexes of the study area.
    districts
        Longitude and latitude of each district's centre, by name.

    Returns
    -------
    ndarray of float64
        Share of the district whose centre is nearest to each hex, shape (n_hexes,).

    Raises
    ------
    DataError
        If the table is missing, lacks a column, has an unknown district or any where there are none, or a share is outside (0, 1].
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            rows = [{(key or "").strip().lower(): value for key, value in row.items()} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read as a table of market shares; give CSV with district, share or with lon, lat, share"
        raise DataError(msg) from error
    if not rows:
        msg = f"{path}: holds no market share; give CSV with district, share or with lon, lat, share"
        raise DataError(msg)
    centres, shares = [], []
    for line, row in enumerate(rows, 2):
        shares.append(_share(str(path), line, row))
        centres.append(_centre(str(path), line, row, districts))
    x, y = grid.project(*np.array(centres).T)
    nearest = np.hypot(grid.x_m[:, None] - x, grid.y_m[:, None] - y).argmin(axis=1)
    by_hex: NDArray[np.float64] = np.array(shares)[nearest]
    return by_hex


def _share(path: str, line: int, row: Mapping[str, str | None]) -> float:
    """Return the share of a row."""
    text = next((row[name] for name in _SHARES if row.get(name)), None)
    try:
        share = float(text or "")
    except ValueError:
        share = float("nan")
    if not 0 < share <= 1:
        msg = f"{path}: a market share must lie in (0, 1], got {text!r} on line {line}; 40 % reads 0.4"
        raise DataError(msg)
    return share


def _centre(
    path: str, line: int, row: Mapping[str, str | None], districts: Mapping[str, tuple[float, float]] | None
) -> tuple[float, float]:
    """Return the district's centre of a row, degrees."""
    if row.get("lon") and row.get("lat"):
        try:
            return float(row["lon"] or ""), float(row["lat"] or "")
        except ValueError:
            msg = f"{path}: lon and lat must be degrees, got something else on line {line}; mend the line or drop it"
            raise DataError(msg) from None
    if districts is None:
        msg = f"{path}: names districts, and the study has none; give lon and lat of their centres instead, or {setting('city')}"
        raise DataError(msg, setting="market_share", value=path)
    name = next((str(row[key]).strip() for key in _NAMES if row.get(key)), "")
    if name not in districts:
        msg = f"{path}: no district is called {name!r} (line {line}); there are {', '.join(sorted(districts))}"
        raise DataError(msg)
    return districts[name]
