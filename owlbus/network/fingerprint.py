"""Fingerprint of a network, by which a plan knows its own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.network.network import Network


def fingerprint_of(network: Network, types: Mapping[str, type]) -> str:
    """
    First 16 hex digits of the SHA-256 of grid, walk, source, names, hours and arrays other than street geometry.

    Parameters
    ----------
    network
        The network.
    types
        Names of its arrays with their types.

    Returns
    -------
    str
        16 hex digits; the same on every platform.
    """
    sha = hashlib.sha256(f"{network.grid.fingerprint}|{network.walk_m!r}|{network.source}|{chr(31).join(network.stop_names)}".encode())
    for name, kind in types.items():
        if not name.startswith("line_"):
            sha.update(getattr(network, name).astype(np.dtype(kind).newbyteorder("<")).tobytes())
    if network.hours:
        sha.update(f"{network.hours}".encode() + network.hour_link_s.astype("<i4").tobytes())
    return sha.hexdigest()[:16]
