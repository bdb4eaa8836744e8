"""Time zone of a network, told from where it lies; the map of zones is part of the library, so nothing is downloaded."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.timetable.clock import zone_of

if TYPE_CHECKING:
    from owlbus.gtfs.settings import FeedInfo
    from owlbus.network import Network

_AT_SEA = "Etc/"
_EXAMPLE = "Europe/London"
_MOST_SHOWN = 3


def timezone_of(network: Network, first: dt.date, last: dt.date) -> str:
    """
    Time zone of the land that the stops of a network lie in.

    Zones whose clocks agree on every day from the first to the last count as one, as on the border between Germany and France; then the
    zone of most stops is taken, and on a tie the first by name. Stops at sea, outside of every country's waters, are not counted.

    Parameters
    ----------
    network
        Stops with lon and lat in degrees.
    first, last
        Dates between which the clocks must agree.

    Returns
    -------
    str
        IANA name.

    Raises
    ------
    UsageError
        If no stop lies in a country's zone, or the stops lie in zones whose clocks differ.
    """
    from tzfpy import get_tzs

    counts: Counter[str] = Counter()
    for lon, lat in zip(network.stop_lon.tolist(), network.stop_lat.tolist(), strict=True):
        counts.update(name for name in get_tzs(lon, lat) if not name.startswith(_AT_SEA))
    if not counts:
        lon, lat = float(network.stop_lon[0]), float(network.stop_lat[0])
        msg = f"the network lies in no country's time zone (lon {lon:.2f}, lat {lat:.2f}); name one, such as "
        raise UsageError(msg + str(setting("agency_timezone", _EXAMPLE)), setting="agency_timezone")
    names = sorted(counts, key=lambda name: (-counts[name], name))
    if len({tuple(_offsets(name, first, last)) for name in names}) > 1:
        shown = ", ".join(names[:_MOST_SHOWN]) + (f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else "")
        msg = f"the network lies in time zones whose clocks differ ({shown}); choose one, such as {setting('agency_timezone', names[0])}"
        raise UsageError(msg, setting="agency_timezone", allowed=names)
    return names[0]


def in_place(feed: FeedInfo, network: Network) -> FeedInfo:
    """
    Metadata of a feed with a time zone: its own, or else that of the network's place.

    Parameters
    ----------
    feed
        Metadata.
    network
        Stops with lon and lat in degrees.

    Returns
    -------
    FeedInfo
        The same with a time zone.

    Raises
    ------
    UsageError
        If it has none and the place does not tell one.
    """
    if feed.agency_timezone is not None:
        return feed
    return replace(feed, agency_timezone=timezone_of(network, feed.start_date, feed.end_date))


def _offsets(name: str, first: dt.date, last: dt.date) -> list[dt.timedelta | None]:
    """Offset from UTC at every noon from one date to another."""
    zone = zone_of(name, "agency_timezone")
    noons = (dt.datetime.combine(first + dt.timedelta(days=n), dt.time(12), tzinfo=zone) for n in range((last - first).days + 1))
    return [noon.utcoffset() for noon in noons]
