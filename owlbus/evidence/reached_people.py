"""People within reach of a place by a timetable, as they are printed, and the hexes with their times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.units import HOUR_S, format_time
from owlbus.timetable.reach_times import LIMITS_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.common.disclosure import Publisher
    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.timetable.reach_times import Reach

GEOJSON_VERSION = 1
"""Version of the properties of `reach_geojson`; it increases when the meaning of one changes."""

_KINDS = {"median": False, "bad_luck": True}


def reach_document(network: Network, demand: Demand, reach: Reach, place: str, publisher: Publisher) -> dict[str, Any]:
    """
    Reach of a place as a JSON document: people, hexes and area within each limit, and the last bus of every hex.

    People count by the share of their hex's area within reach, as the scorecard counts those within the walk of a stop. Whoever may ask
    about any place could tell single hexes apart by sums of true counts, so people within reach are sums of the middles of the printed
    counts of hexes: any number of answers tells no more than those.

    Parameters
    ----------
    network
        The network of the timetable.
    demand
        People a night by hex.
    reach
        Times by hex, in seconds.
    place
        What people call the place.
    publisher
        The publishing rule.

    Returns
    -------
    dict
        Minutes, shares 0 to 1, people a night as they are printed, and times as HH:MM:SS past 24:00:00.
    """
    query, moments_s = reach.query, reach.query.moments_s
    told = publisher.counts(demand.presence_by_hex())
    presence = np.where(told > 0, told + publisher.base / 2, 0.0)
    total = float(presence.sum())
    rows = []
    for limit_s in LIMITS_S:
        row: dict[str, Any] = {"limit_min": limit_s // 60}
        for kind, bad_luck in _KINDS.items():
            share = reach.area_share(limit_s, bad_luck=bad_luck)
            people = float(presence @ share)
            row[kind] = {
                "people": publisher.count(people) if total else None,
                "people_share": round(people / total, 6) if total else None,
                "hexes_share": round(float(share.mean()), 6),
            }
        rows.append(row)
    return {
        "place": {"name": place, "lon": round(query.lon, 6), "lat": round(query.lat, 6)},
        "direction": "to" if query.is_arrival else "from",
        "at": format_time(query.at_s),
        "window": [format_time(int(moment)) for moment in moments_s[[0, -1]]],
        "departures": len(moments_s),
        "max_transfers": query.max_transfers,
        "walk_m": network.walk_m,
        "people": publisher.count(demand.total_presence) if total else None,
        "within": rows,
        "last_buses": _last_buses(reach),
        "hexes": hex_rows(network, reach),
        **publisher.facts,
    }


def _last_buses(reach: Reach) -> list[dict[str, Any]]:
    """Hexes by the hour of their last bus, share of all hexes; those without a bus at any time are none of them."""
    told = reach.last_s[reach.last_s >= 0]
    hours, count = np.unique(told // HOUR_S, return_counts=True)
    return [{"hour": f"{hour % 24:02d}", "hexes": n} for hour, n in zip(hours.tolist(), count.tolist(), strict=True)]


def hex_rows(network: Network, reach: Reach) -> list[dict[str, Any]]:
    """
    Times of the hexes that one gets to by bus or on foot at some time of the night.

    Parameters
    ----------
    network
        The network of the timetable.
    reach
        Times by hex, in seconds.

    Returns
    -------
    list of dict
        Label of the hex, minutes rounded up in the median and with bad luck, and the last bus as HH:MM:SS; None for none.
    """
    minutes = [reach.hex_s(bad_luck=bad_luck) for bad_luck in _KINDS.values()]
    labels = network.grid.labels
    told = _met(reach, minutes)
    return [
        {
            "hex": str(labels[hexagon]),
            **{f"{kind}_min": _minutes(int(times[hexagon])) for kind, times in zip(_KINDS, minutes, strict=True)},
            "last_bus": format_time(int(reach.last_s[hexagon])) if reach.last_s[hexagon] >= 0 else None,
        }
        for hexagon in told.tolist()
    ]


def _met(reach: Reach, minutes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Hexes with any time."""
    return np.flatnonzero(np.any([column >= 0 for column in (*minutes, reach.last_s)], axis=0))


def _minutes(seconds: int) -> int | None:
    """Whole minutes, rounded up so that a limit that a hex is within holds for them too; None for none."""
    return None if seconds < 0 else -(-seconds // 60)


def reach_geojson(network: Network, reach: Reach) -> bytes:
    """
    Hexes within reach as GeoJSON polygons. It has no counts of people.

    Parameters
    ----------
    network
        The network of the timetable.
    reach
        Times by hex, in seconds.

    Returns
    -------
    bytes
        UTF-8, one feature per line; properties as `hex_rows` returns them.
    """
    rows = hex_rows(network, reach)
    told = _met(reach, [reach.hex_s(bad_luck=bad_luck) for bad_luck in _KINDS.values()])
    lines = []
    for row, ring in zip(rows, network.grid.hex_to_boundary(told).tolist(), strict=True):
        corners = [[round(lon, 6), round(lat, 6)] for lon, lat in [*ring, ring[0]]]
        feature = {"type": "Feature", "properties": row, "geometry": {"type": "Polygon", "coordinates": [corners]}}
        lines.append(json.dumps(feature, ensure_ascii=False, allow_nan=False))
    body = ",\n".join(lines)
    return f'{{"type": "FeatureCollection", "schema_version": {GEOJSON_VERSION}, "features": [\n{body}\n]}}\n'.encode()
