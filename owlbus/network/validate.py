"""Rules that the arrays of a network keep, each refused with where it is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.network.model import Network

    Mask = NDArray[np.bool_]


def _refuse(bad: Mask, rule: str) -> None:
    """Raise with the first bad row, if there is one."""
    if bad.any():
        msg = f"{rule}, broken in row {int(np.argmax(bad))} ({int(bad.sum())} such rows)"
        raise DataError(msg)


def _require_indptr(name: str, indptr: NDArray[np.int64], n_rows: int, n_values: int) -> None:
    """Refuse row starts that do not begin at 0, rise, and end at the number of values."""
    if indptr.size != n_rows + 1 or indptr[0] != 0 or indptr[-1] != n_values or (np.diff(indptr) < 0).any():
        msg = f"{name} must rise from 0 to {n_values} over {n_rows + 1} numbers, got {indptr.size} numbers"
        raise DataError(msg)


def _falls(indptr: NDArray[np.int64], values: NDArray[np.int32]) -> Mask:
    """Tell where a value does not exceed the one before it in its row."""
    bad = np.zeros(values.size, dtype=np.bool_)
    bad[1:] = values[1:] <= values[:-1]
    starts = indptr[:-1]
    bad[starts[starts < values.size]] = False
    return bad


def require_stops(network: Network) -> None:
    """
    Refuse stops that are none, unequal in number of fields, not finite or in no such hex.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    sizes = {network.stop_lon.size, network.stop_lat.size, network.stop_hex.size, len(network.stop_names)}
    if len(sizes) > 1 or not network.stop_lon.size:
        msg = f"stops need as many longitudes, latitudes, hexes and names, one stop or more, got {sorted(sizes)}"
        raise DataError(msg)
    inside = (np.abs(network.stop_lon) <= 180) & (np.abs(network.stop_lat) <= 90)  # noqa: PLR2004  # degrees; False for NaN
    _refuse(~inside, "stops must lie in lon [-180, 180] and lat [-90, 90]")
    _refuse((network.stop_hex < -1) | (network.stop_hex >= network.grid.n_hexes), f"stop_hex must lie in [-1, {network.grid.n_hexes})")


def require_links(network: Network) -> None:
    """
    Refuse links that are unsorted, to nowhere, to their own start, without seconds or metres, or without their reverse.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    n_stops, end = network.n_stops, network.link_to
    _require_indptr("link_indptr", network.link_indptr, n_stops, end.size)
    if not end.size == network.link_s.size == network.link_m.size:
        msg = f"links need as many ends, seconds and metres, got {end.size}, {network.link_s.size} and {network.link_m.size}"
        raise DataError(msg)
    start = np.repeat(np.arange(n_stops, dtype=np.int64), np.diff(network.link_indptr))
    _refuse((end < 0) | (end >= n_stops), f"link_to must lie in [0, {n_stops})")
    _refuse(_falls(network.link_indptr, end), "links must be unique and sorted by their end")
    _refuse(start == end, "a link must lead to another stop")
    _refuse((network.link_s < 1) | (network.link_m < 1), "links must take 1 s and 1 m or more")
    _refuse(~np.isin(end.astype(np.int64) * n_stops + start, start * n_stops + end), "every link must have its reverse")
    if network.line_indptr.size or network.line_lon.size or network.line_lat.size:
        if network.line_lon.size != network.line_lat.size:
            msg = f"street geometry needs as many lon as lat, got {network.line_lon.size} and {network.line_lat.size}"
            raise DataError(msg)
        _require_indptr("line_indptr", network.line_indptr, end.size, network.line_lon.size)
        _refuse(np.diff(network.line_indptr) < 2, "street geometry needs two points or more a link")  # noqa: PLR2004  # both ends


def require_sheds(network: Network) -> None:
    """
    Refuse walk sheds that are unsorted, outside the grid, negative, or without the stop's own hex.

    Parameters
    ----------
    network
        The network under construction.

    Raises
    ------
    DataError
        If a rule is broken.
    """
    hexes, walk = network.shed_hex, network.shed_walk_m
    _require_indptr("shed_indptr", network.shed_indptr, network.n_stops, hexes.size)
    if hexes.size != walk.size:
        msg = f"walk sheds need as many hexes as metres, got {hexes.size} and {walk.size}"
        raise DataError(msg)
    _refuse((hexes < 0) | (hexes >= network.grid.n_hexes), f"shed_hex must lie in [0, {network.grid.n_hexes})")
    _refuse(_falls(network.shed_indptr, hexes), "walk sheds must be unique and sorted by hex")
    _refuse(walk < 0, "walks must be 0 m or more")
    stop = np.repeat(np.arange(network.n_stops, dtype=np.int64), np.diff(network.shed_indptr))
    own = np.zeros(network.n_stops, dtype=np.bool_)
    own[stop[network.stop_hex[stop] == hexes]] = True
    _refuse(~own & (network.stop_hex >= 0), "a stop's own hex must be in its walk shed")
