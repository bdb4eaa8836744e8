"""Places of a city's street network: where they lie, and which of them a plan needs as stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.sample.city import CityStreets


def read_places(streets: CityStreets) -> Any:  # noqa: ANN401  # a polars frame
    """
    Read the table of places as it is.

    Parameters
    ----------
    streets
        Files of the street network.

    Returns
    -------
    polars.DataFrame
        ``lon`` and ``lat`` in degrees, ``trunk`` where it is given, and all other columns.

    Raises
    ------
    DataError
        If the file is missing, or has no places with positions.
    """
    import polars as pl

    types = {"lon": pl.Float64, "lat": pl.Float64, "trunk": pl.Int64}
    try:
        table = pl.read_csv(streets.stops_path, schema_overrides=types)
        usable = table.height > 0 and table.select(pl.col("lon", "lat").is_finite().all()).row(0) == (True, True)
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"{streets.stops_path}: no places can be read from it ({str(error).splitlines()[0]}); it needs lon, lat and stop_id"
        raise DataError(msg) from error
    if not usable:
        msg = f"{streets.stops_path}: every place needs lon and lat in degrees"
        raise DataError(msg)
    return table


def stops_to_plan_with(places: Any, grid: HexGrid, walk_m: float) -> Any:  # noqa: ANN401  # polars frames
    """
    Return the places that a plan may stop at: those on trunk routes, and one for each hex that these leave out.

    A hex is left out if no trunk place lies within the walk of its centre; it keeps the place nearest to its centre, if that is within
    the walk. So as many hexes are reached as by all places, with about half of them.

    Parameters
    ----------
    places
        As `read_places` returns them.
    grid
        The hexes.
    walk_m
        Walk in metres, boundary included.

    Returns
    -------
    polars.DataFrame
        Rows of `places`; all of them without a column ``trunk``.
    """
    from scipy.spatial import cKDTree

    if "trunk" not in places.columns:
        return places
    at = np.column_stack(grid.project(places["lon"].to_numpy(), places["lat"].to_numpy()))
    centres = np.column_stack([grid.x_m, grid.y_m])
    kept: NDArray[np.bool_] = (places["trunk"] == 1).fill_null(value=False).to_numpy().copy()
    left_out = np.ones(grid.n_hexes, np.bool_)
    if kept.any():
        left_out = cKDTree(at[kept]).query(centres)[0] > walk_m
    metres, nearest = cKDTree(at).query(centres[left_out])
    kept[nearest[metres <= walk_m]] = True
    return places.filter(kept)
