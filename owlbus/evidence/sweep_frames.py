"""Sweeps as tables of exact figures, and as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from owlbus.evidence.sweep import Sweep
    from owlbus.network import Network

_COLUMNS = (
    "objective_share",
    "served_share",
    "direct_share",
    "presence_share",
    "served_trips",
    "length_m",
    "buses",
    "bound_share",
    "searched_share",
    "kept_from",
)


def sweep_to_frame(sweep: Sweep) -> pd.DataFrame:
    """
    Settings of a sweep, as `Sweep.to_frame` describes them.

    Parameters
    ----------
    sweep
        The sweep.

    Returns
    -------
    DataFrame
        One row a setting; shares 0 to 1.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for position, point in enumerate(sweep.points):
        row: dict[str, Any] = {sweep.kind: point.setting, "routes_run": len(point.plan)}
        row |= {name: getattr(point, name) for name in _COLUMNS}
        for kind in ("served", "presence"):
            row[f"{kind}_low"], row[f"{kind}_high"] = getattr(point, f"{kind}_interval")
        for name in ("lowest_share", "median_share", "highest_share"):
            row[f"spread_{name}"] = None if point.spread is None else getattr(point.spread, name)
        rows.append(row | {"is_knee": position == sweep.knee})
    return pd.DataFrame(rows)


def sweep_to_geodataframe(network: Network, sweep: Sweep) -> gpd.GeoDataFrame:
    """
    Routes of all settings, as `Sweep.to_geodataframe` describes them.

    Parameters
    ----------
    network
        Network of the plans.
    sweep
        The sweep.

    Returns
    -------
    GeoDataFrame
        One row a setting and route, in lon/lat (EPSG:4326).
    """
    import pandas as pd

    lines = [point.plan.to_geodataframe(network).assign(**{sweep.kind: point.setting}) for point in sweep.points if len(point.plan)]
    frame: gpd.GeoDataFrame = pd.concat(lines, ignore_index=True)
    return frame
