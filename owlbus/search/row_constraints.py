"""Constraints of a plan when whole routes are exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.search.exact_constraints import ends_kept, has_terminals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.search.annealing_run import AnnealingRun


def keeps_constraints(run: AnnealingRun, rows: Sequence[int], routes: Sequence[NDArray[np.int32]]) -> bool:
    """
    Whether changed routes end where they may, and leave no required stop with fewer routes than it needs.

    Parameters
    ----------
    run
        The search with the plan.
    rows, routes
        Rows of the plan, and the stops of the route that each is to have, none for an empty one.

    Returns
    -------
    bool
        True if no constraint is kept less than before.
    """
    constraints = run.constraints
    if not constraints.binds_stops:
        return True
    ends = dict(enumerate(constraints.terminals, start=constraints.n_fixed))
    for k, stops in zip(rows, routes, strict=True):
        _, first, second = ends.get(k, ("", -1, -1))
        if not stops.size and k in ends:
            return False
        if stops.size and not (ends_kept(constraints, stops) and (k not in ends or has_terminals(stops, first, second))):
            return False
    before = [run.route(k) for k in rows]
    for stop, least in constraints.wanted.items():
        was, now = (sum(stop in stops for stops in part) for part in (before, routes))
        if now < was and now + sum(stop in run.route(k) for k in range(run.frozen.size) if k not in rows) < least:
            return False
    return True
