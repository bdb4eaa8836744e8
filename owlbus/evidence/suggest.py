"""The best single swaps of way-points in a plan, by what they gain per minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.progress import current_progress
from owlbus.evidence.changes import Change
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.redact import shown_difference
from owlbus.search.objective import Objective
from owlbus.search.route_evaluator import RouteEvaluator, windows_around

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.route_evaluator import RouteChange

NEAR_S = 600
"""Seconds of drive within which another stop is tried in place of one."""

_MOST_NEAR = 14


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """
    One swap that is worth it.

    Attributes
    ----------
    rank
        From 1: swaps that take no more time first, by gain, then by gain per extra minute.
    stop, by
        Stop indices: the one that goes, and the one that comes.
    change
        The swap.
    found
        What it gains and loses.
    """

    rank: int
    stop: int
    by: int
    change: Change
    found: Difference

    @property
    def gain_per_min(self) -> float:
        """Net trips a night per extra minute of round trip; infinite where it takes no more time."""
        minutes = self.found.cost.cycle_min
        return self.found.whole.net_trips / minutes if minutes > 0 else math.inf

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """Return the swap as plain values for JSON; trips and people below `min_count` read None."""
        shown = shown_difference(self.found, min_count).values
        secret = shown["whole"]["net_trips"] is None or not math.isfinite(self.gain_per_min)
        return {
            "rank": self.rank,
            "stop": self.stop,
            "by": self.by,
            "change": self.change.label,
            "routes": list(self.change.routes),
            "gain_per_extra_min": None if secret else round(self.gain_per_min, 2),
            "difference": shown,
        }


def suggest_swaps(
    evaluator: PlanEvaluator,
    plan: Plan,
    places: StopNames,
    limits: RouteLimits,
    *,
    objective: Objective | None = None,
    keep: Iterable[int] = (),
    n_swaps: int = 10,
) -> tuple[Suggestion, ...]:
    """
    Best swaps of one way-point each, terminals kept.

    Every stop of every route is tried against the stops within `NEAR_S` seconds of drive, the route joined anew from the stops beside
    it. Of swaps at neighbouring places of a route the best one is listed.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    places
        Known places, to name stops by.
    limits
        What changed routes must keep, in metres and seconds.
    objective
        What counts; trips served by default.
    keep
        Stop indices that stay.
    n_swaps
        Most swaps to list.

    Returns
    -------
    tuple of Suggestion
        Ranked; empty if no swap gains.
    """
    route_evaluator = RouteEvaluator(evaluator.problem, objective or Objective(), plan, limits)
    kept = set(keep)
    ranked: list[tuple[int, int, int, RouteChange]] = []
    step = current_progress().step("Try swaps", len(plan))
    for k in range(len(plan)):
        ranked += [(k, p, by, found) for p, by, found in _swaps(route_evaluator, k, kept)]
        step.reach(k + 1, f"{len(ranked)} gain")
    ranked.sort(key=lambda one: _order(route_evaluator, one[3]))
    before = evaluator.enter(plan)
    listed: list[Suggestion] = []
    taken: set[tuple[int, int]] = set()
    for k, p, by, found in ranked:
        if len(listed) == n_swaps:
            break
        if (k, p) in taken:
            continue
        taken |= {(k, q) for q in range(p - 2, p + 3)}
        stop, name = int(plan.routes[k].stops[p]), plan.names[k]
        label = f"{places.name_of(evaluator.problem.network, by)} in place of {places.name_of(evaluator.problem.network, stop)}"
        change = Change("swap", label, route_evaluator.plan_with(found), (name,))
        answer = difference(evaluator, before, evaluator.enter(change.plan), limits.headway_s)
        listed.append(Suggestion(len(listed) + 1, stop, by, change, answer))
    return tuple(listed)


def _swaps(route_evaluator: RouteEvaluator, k: int, keep: set[int]) -> Iterator[tuple[int, int, RouteChange]]:
    """Yield place, new stop and best way of every swap on a route that gains."""
    stops = route_evaluator.plan.routes[k].stops
    drive_s = route_evaluator.problem.network.drive_s
    on = set(stops.tolist())
    for p in range(1, len(stops) - 1):
        stop = int(stops[p])
        if stop in keep:
            continue
        around = np.argsort(drive_s[stop], kind="stable")[1 : _MOST_NEAR + 1]
        for by in around[drive_s[stop, around] <= NEAR_S].tolist():
            if by in on:
                continue
            for reach in (1, 2):
                windows = (w for w in windows_around(p, len(stops), reach) if keep.isdisjoint(stops[w[0] + 1 : w[1]].tolist()))
                ways = list(route_evaluator.splices(k, windows, via=by, shut=stop))
                if ways:
                    best = min(ways, key=lambda way: _order(route_evaluator, way))
                    if best.value > route_evaluator.value:
                        yield p, by, best
                    break


def _order(route_evaluator: RouteEvaluator, found: RouteChange) -> tuple[float, float, float, bytes]:
    """Sort key: gains that take no more time by size, then gains per extra second, then losses."""
    gain, extra_s = found.value - route_evaluator.value, route_evaluator.extra_s(found)
    if gain <= 0:
        return 2.0, -gain, extra_s, found.stops.tobytes()
    if extra_s <= 0:
        return 0.0, -gain, extra_s, found.stops.tobytes()
    return 1.0, -gain / extra_s, extra_s, found.stops.tobytes()
