"""Lines of links along their streets, as the page draws them; each is read once."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.network import Network

SCALE = 100_000
"""Positions are whole numbers of 1e-5 degrees, about a metre, as on the map of a report."""


class LinkLines:
    """
    Lines of the links of a network.

    Parameters
    ----------
    network
        The network.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def along(self, segments: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[int]]:
        """
        Line along some links, one after the other.

        Parameters
        ----------
        segments
            Pairs of stop indices.

        Returns
        -------
        line, at
            Points, latitude first, in 1e-5 degrees; and the index of the point where each link begins, and the last one ends.
        """
        line, at = [self._line(*segments[0])[0]], [0]
        for pair in segments:
            line += self._line(*pair)[1:]
            at.append(len(line) - 1)
        return line, at

    def _line(self, start: int, end: int) -> list[tuple[int, int]]:
        """Points of one link."""
        found = self._known.get((start, end))
        if found is None:
            points = np.rint(self._network.link_line(start, end)[:, ::-1] * SCALE).astype(np.int64).tolist()
            found = self._known[start, end] = [(lat, lon) for lat, lon in points]
        return found


def steps_of(line: Sequence[tuple[int, int]]) -> list[int]:
    """
    Line as one row, each point but the first as the difference from the one before.

    Parameters
    ----------
    line
        Points, latitude first, in 1e-5 degrees.

    Returns
    -------
    list of int
        Latitude first, in 1e-5 degrees.

    Examples
    --------
    >>> steps_of([(3750000, 12700000), (3750000, 12700100)])
    [3750000, 12700000, 0, 100]
    """
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(line)]
    return list(chain.from_iterable([line[0], *steps]))
