"""Unit of ``shape_dist_traveled``: each feed has its own, told by comparison with the distances between stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.network.gtfs_tables import Feed

UNITS_M = {"feet": 0.3048, "metres": 1.0, "kilometres": 1000.0, "miles": 1609.344}
"""Metres of each unit, ascending."""

_LEAST, _MOST = 0.95, 3.0
_LEAST_SHARE = 0.9
_FEWEST_M = 50.0
_EARTH_M = 6_371_000.0


def distance_unit(feed: Feed) -> str | None:
    """
    Unit of the distances that a feed gives with its stop times.

    In a feed that this program wrote they are metres. Else it is the smallest unit in which nine of ten hops are no shorter than the
    straight line between their stops, within 5 %, and the median hop is at most three times as long.

    Parameters
    ----------
    feed
        The feed.

    Returns
    -------
    str or None
        Name in `UNITS_M`; None without distances, or if no unit fits.
    """
    trip, dist = feed.stop_times["trip"].to_numpy(), feed.stop_times["dist"].cast(float).fill_null(float("nan")).to_numpy()
    if np.isnan(dist).all():
        return None
    versions = feed.feed_info["feed_version"].to_list()
    if versions and (versions[0] or "").startswith("owlbus "):
        return "metres"
    straight = _straight_m(feed)
    hop = (trip[1:] == trip[:-1]) & (straight >= _FEWEST_M) & np.isfinite(np.diff(dist)) & (np.diff(dist) > 0)
    ratio = np.diff(dist)[hop] / straight[hop]
    if not ratio.size:
        return None
    fits = (name for name, unit_m in UNITS_M.items() if (ratio * unit_m >= _LEAST).mean() >= _LEAST_SHARE)
    unit = next(fits, None)
    return unit if unit is not None and float(np.median(ratio)) * UNITS_M[unit] <= _MOST else None


def _straight_m(feed: Feed) -> NDArray[np.float64]:
    """Straight metres from each stop time to the next, shape (n - 1,)."""
    position = feed.stop_times.select("stop_id").join(
        feed.stops.select("stop_id", "lon", "lat"), on="stop_id", how="left", maintain_order="left"
    )
    lon, lat = (np.radians(position[name].to_numpy()) for name in ("lon", "lat"))
    x = np.diff(lon) * np.cos((lat[1:] + lat[:-1]) / 2)
    metres: NDArray[np.float64] = _EARTH_M * np.hypot(x, np.diff(lat))
    return metres
