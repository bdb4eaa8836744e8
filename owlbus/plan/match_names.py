"""Find the stops of a network by their names."""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.network import Network


def named_stops(network: Network, route: str, names: Sequence[str]) -> list[list[int]]:
    """
    Stops of a network by name.

    Parameters
    ----------
    network
        The network.
    route
        Name of the route, for messages.
    names
        Names in the order of service; case and the composition of letters do not count.

    Returns
    -------
    list of list of int
        Indices of the stops of each name, ascending.

    Raises
    ------
    DataError
        If no stop has one of the names.
    """
    stops: dict[str, list[int]] = {}
    for stop, name in enumerate(network.stop_names):
        stops.setdefault(_folded(name), []).append(stop)
    unknown = [name for name in names if _folded(name) not in stops]
    if unknown:
        near = difflib.get_close_matches(unknown[0], network.stop_names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else "write the names that the network has, or lon and lat"
        msg = f"route {route!r}: the network has no stop {unknown[0]!r} ({len(unknown)} of {len(names)} names unknown); {hint}"
        raise DataError(msg)
    return [stops[_folded(name)] for name in names]


def _folded(name: str) -> str:
    """Name for comparison."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
