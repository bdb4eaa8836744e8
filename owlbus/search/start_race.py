"""Starts that share the moves of a search: the best ones go on, with the moves of the others."""

from __future__ import annotations

from dataclasses import dataclass

from owlbus.common.machine import n_processors
from owlbus.search.starts import starts_for

_RACE = (0.2, 2), (0.45, 4)
"""Shares of a search from which one start in so many goes on."""

_FEWEST_TO_RACE = 4
_LEAST_BY_STEPS = 2

_QUICKENS = 3.0
"""Moves of a whole search by the pace of its first turn, the warmest and slowest one, that are really tried for each."""


@dataclass(slots=True)
class StartRace:
    """
    How many starts of a search go on.

    Plans of seeds differ by several percent, most of it decided while a run is hot. Four starts or more therefore share the first moves,
    and the later ones are left to the better of them: to half from a fifth of the search on, to a quarter from 45 % on. Two stay under a
    limit of steps, which two processors run side by side and which must not depend on the machine, and one for each processor where
    seconds alone end the search. Where its first turn tells that they leave few moves, fewer starts go on from there.

    Attributes
    ----------
    n_starts
        Starts that the race began with, or goes on with after the first turn.
    is_open
        Whether the number of starts was left to the search; else all of them go on.
    is_timed
        Whether seconds alone end the search, and its first turn is not over.
    least
        Starts that go on to the end at least.

    Examples
    --------
    >>> race = StartRace.of(8, is_open=True, is_timed=False)
    >>> race.is_on, [race.n_left(share, 10**7, 9) for share in (0.1, 0.2, 0.45)]
    (True, [8, 4, 2])
    >>> StartRace.of(8, is_open=False, is_timed=False).n_left(0.9, 10**7, 9)
    8
    """

    n_starts: int
    is_open: bool
    is_timed: bool
    least: int

    @classmethod
    def of(cls, n_starts: int, *, is_open: bool, is_timed: bool) -> StartRace:
        """
        Race of the starts of a search.

        Parameters
        ----------
        n_starts
            Starts, >= 1.
        is_open
            Whether their number was left to the search.
        is_timed
            Whether seconds alone end it.

        Returns
        -------
        StartRace
            Before the first turn.
        """
        return cls(n_starts, is_open, is_timed, n_processors() if is_timed else _LEAST_BY_STEPS)

    @property
    def is_on(self) -> bool:
        """Whether there are enough starts for some of them to be left behind."""
        return self.is_open and self.n_starts >= _FEWEST_TO_RACE

    def n_left(self, share: float, n_moves: float, n_routes: int) -> int:
        """
        Starts that go on.

        Parameters
        ----------
        share
            Share of the search that is over, 0 to 1.
        n_moves
            Moves of the whole search, by its pace so far.
        n_routes
            Routes K.

        Returns
        -------
        int
            Starts, >= 1, never more than before.
        """
        if self.is_open and self.is_timed:
            racing = starts_for(_QUICKENS * n_moves, n_routes)
            self.n_starts = min(self.n_starts, max(self.least, racing if racing >= _FEWEST_TO_RACE else starts_for(n_moves, n_routes)))
        self.is_timed = False
        if not self.is_on:
            return self.n_starts
        part = max((part for begin, part in _RACE if share >= begin), default=1)
        return max(min(self.least, self.n_starts), self.n_starts // part)
