"""How many starts a search takes where the number is left to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.common.defaults import AUTO
from owlbus.common.errors import UsageError, setting
from owlbus.common.machine import n_processors
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.search.stopping import SearchLimit

_MOVES_PER_ROUTE = 30_000
"""Moves on each route that a single start can use before a second one is worth as much as twice the moves."""

_MOST_STARTS = 8

_RACERS, _MOST_CALLS = 4, 150_000
"""Starts at least where seconds alone end a search, and the stops times routes up to which each of them takes little time and memory."""


def chosen_starts(n_starts: int | str, stop_when: Sequence[SearchLimit], n_routes: int, least: int = 2) -> int:
    """
    Return the starts of a search.

    Under a limit of steps, which fixes the result for a seed, the number depends on steps and routes alone: it doubles with each fourfold
    number of moves for a route, so that each start gets more moves too. Under a limit of seconds alone it is that of the processors, at
    least `least`; which of them go on is decided on the way (`owlbus.search.start_race`).

    Parameters
    ----------
    n_starts
        Starts, >= 1, or ``auto``.
    stop_when
        Limits of the search.
    n_routes
        Routes K.
    least
        Starts at least under a limit of seconds alone, such as `racers` of them.

    Returns
    -------
    int
        Starts, >= 1; 1 to 8 for ``auto``.

    Raises
    ------
    UsageError
        If `n_starts` is a word other than ``auto``.

    Examples
    --------
    >>> [chosen_starts("auto", [MaxSteps(steps)], 9) for steps in (100_000, 600_000, 3_000_000)]
    [1, 2, 4]
    >>> chosen_starts(3, [MaxSteps(100_000)], 9)
    3
    """
    given = require_starts(n_starts)
    if given is not None:
        return given
    steps = min((limit.steps for limit in stop_when if isinstance(limit, MaxSteps)), default=None)
    if steps is None:
        return min(_MOST_STARTS, max(least, n_processors()))
    return starts_for(steps, n_routes)


def racers(n_stops: int, n_routes: int) -> int:
    """
    Return the starts that a search begins at least where seconds alone end it: enough for a race, where a start takes little.

    Parameters
    ----------
    n_stops, n_routes
        Stops of the network, and routes K.

    Returns
    -------
    int
        4, or 2 on a large network.

    Examples
    --------
    >>> racers(4_654, 9), racers(20_000, 9)
    (4, 2)
    """
    return _RACERS if n_stops * n_routes <= _MOST_CALLS else 2


def starts_for(n_moves: float, n_routes: int) -> int:
    """
    Starts that a number of moves is enough for.

    Parameters
    ----------
    n_moves
        Moves of all starts of a search together.
    n_routes
        Routes K.

    Returns
    -------
    int
        1 below 60,000 moves for each route; twice as many with each fourfold number of moves, up to 8.

    Examples
    --------
    >>> starts_for(539_999, 9), starts_for(540_000, 9), starts_for(4 * 540_000, 9)
    (1, 2, 4)
    """
    starts = 1
    while starts < _MOST_STARTS and n_moves / starts**2 >= 2 * _MOVES_PER_ROUTE * n_routes:
        starts *= 2
    return starts


def require_starts(n_starts: int | str) -> int | None:
    """
    Refuse a word that stands for no number of starts.

    Parameters
    ----------
    n_starts
        Starts, or ``auto``.

    Returns
    -------
    int or None
        The number, or None for ``auto``; its range is not checked.

    Raises
    ------
    UsageError
        If `n_starts` is another word.
    """
    if not isinstance(n_starts, str):
        return n_starts
    if n_starts != AUTO:
        msg = f"{setting('n_starts')} must be a whole number or {AUTO}, got {n_starts!r}"
        raise UsageError(msg, setting="n_starts", value=n_starts)
    return None
