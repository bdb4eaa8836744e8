"""Link times by hour of a study: from a table, or from the runs of a second feed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.pipeline.study_sources import is_path

if TYPE_CHECKING:
    from owlbus.network import Network
    from owlbus.pipeline.study_sources import Sources


def with_hour_times(network: Network, sources: Sources) -> Network:
    """
    Network with link times by hour, if the sources name any.

    Parameters
    ----------
    network
        The network.
    sources
        With `speeds`: a table, or a zip or folder of a feed, of which the modes of the sources count.

    Returns
    -------
    Network
        With seconds by hour of the window; the same without `speeds`.

    Raises
    ------
    DataError
        If the table or the feed breaks a rule.
    """
    from owlbus.gtfs.link_times import with_feed_speeds
    from owlbus.network import with_hour_speeds

    speeds, hours = sources.speeds, sources.window.hours
    if speeds is None:
        return network
    if is_path(speeds) and (Path(speeds).is_dir() or Path(speeds).suffix.lower() == ".zip"):
        return with_feed_speeds(network, speeds, hours, sources.modes)
    return with_hour_speeds(network, speeds, hours)
