"""A bound proven beside a search, in a thread of its own."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

from owlbus.limits import MaxSeconds
from owlbus.progress import current_progress
from owlbus.search.bound import upper_bound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from owlbus.limits import RouteLimits, SearchLimit
    from owlbus.search.bound import BoundPoint
    from owlbus.search.objective import Case, Objective

_FOREVER_S = 1e9
_LISTED_S = 60.0
_LOOK_S = 0.2


class Prover:
    """
    Lowers a bound in the background, as a context: on the way out it ends after the price under way.

    Not for users: `owlbus.search.plan_routes` and `owlbus.search.upper_bound` are. Where all routes can be listed, the bound comes at
    once and is exact.

    Parameters
    ----------
    case
        Network, demand and rule.
    objective
        What a plan is worth.
    limits
        What a plan must keep.
    n_routes
        Routes K.
    steps
        Prices to try; 0 for no bound at all, None for as many as there is time for.
    """

    def __init__(self, case: Case, objective: Objective, limits: RouteLimits, n_routes: int, steps: int | None) -> None:
        """Begin."""
        self.bound_units: int | None = None
        self.tried, self.steps = 0, steps
        self._end = Event()
        self._pool = ThreadPoolExecutor(1)
        self._work = None if steps == 0 else self._pool.submit(self._prove, case, objective, limits, n_routes)

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End after the price under way."""
        self._end.set()
        self._pool.shutdown()

    @property
    def is_done(self) -> bool:
        """Whether all prices were tried; an error in the thread is raised here."""
        if self._work is None:
            return True
        return self._work.done() and self._work.result() is None

    def wait(self, seconds: float) -> bool:
        """
        Wait for the proof.

        Parameters
        ----------
        seconds
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it is done.
        """
        from concurrent.futures import wait

        if self._work is not None:
            wait([self._work], timeout=max(0.0, seconds))
        return self.is_done

    def finish(self, stop_when: Iterable[SearchLimit], began_s: float, note: Callable[[], str] = str) -> bool:
        """
        Try the prices that are left, if the time allows.

        Parameters
        ----------
        stop_when
            Limits of the search; its seconds are kept.
        began_s
            When the search began, of `time.perf_counter`.
        note
            Says how the search stands.

        Returns
        -------
        bool
            Whether any were left.
        """
        if self.steps is None or self.is_done:
            return False
        ends_s = began_s + min([math.inf, *(limit.seconds for limit in stop_when if isinstance(limit, MaxSeconds))])
        step = current_progress().step("Prove the bound", self.steps)
        while not self.wait(min(_LOOK_S, ends_s - time.perf_counter())) and time.perf_counter() < ends_s:
            step.reach(self.tried, note())
        return True

    def _prove(self, case: Case, objective: Objective, limits: RouteLimits, n_routes: int) -> None:
        """Try prices until there were enough of them, or until told to end."""
        found = upper_bound(
            case,
            n_routes,
            limits=limits,
            objective=objective,
            seconds=_FOREVER_S,
            listed_s=_LISTED_S,
            steps=self.steps,
            on_step=self._note,
        )
        self.bound_units = found.bound_units

    def _note(self, now: BoundPoint) -> bool:
        """Remember the bound; whether to end."""
        self.bound_units, self.tried = now.bound_units, now.steps
        return self._end.is_set()
