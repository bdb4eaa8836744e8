"""The best swaps of a single stop in a plan, by gain per extra minute."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.progress import current_progress
from owlbus.evidence.answer_sentences import sentence
from owlbus.evidence.changes import Change
from owlbus.evidence.difference import DifferencesFrom
from owlbus.evidence.printed_difference import printed_difference
from owlbus.search.objective import Objective
from owlbus.search.route_evaluator import RouteEvaluator, windows_around

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from owlbus.evidence.difference import Difference
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.route_evaluator import RouteChange

NEAR_S = 600
"""Seconds of drive within which other stops are tried."""

_MOST_NEAR = 14

_TRIED = 3
"""Swaps that are counted by area for each that is listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """
    One swap that gains.

    Attributes
    ----------
    rank
        From 1: swaps that take no extra time first, by gain, then by gain per extra minute.
    stop, by
        Stop indices: the one removed, and the one inserted.
    change
        The swap.
    difference
        What it gains and loses.
    """

    rank: int
    stop: int
    by: int
    change: Change
    difference: Difference

    @property
    def gain_per_min(self) -> float:
        """Net trips a night per extra minute of round trip; infinite where it takes no more time."""
        minutes = self.difference.cost.cycle_min
        return self.difference.whole.net_trips / minutes if minutes > 0 else math.inf

    def to_dict(self, min_count: float | None = None) -> dict[str, Any]:
        """Return the swap as plain values for JSON, counts of trips and people by the publishing rule of base `min_count`."""
        shown = printed_difference(self.difference, min_count)
        net, minutes = shown["whole"]["net_trips"], self.difference.cost.cycle_min
        return {
            "rank": self.rank,
            "stop": self.stop,
            "by": self.by,
            "change": self.change.label,
            "routes": list(self.change.routes),
            "gain_per_extra_min": None if net is None or minutes <= 0 else round(net / minutes, 2),
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
    Best swaps of one stop each, terminals kept.

    Each stop of each route is tried against the stops within `NEAR_S` seconds of drive, and the route is joined anew from the stops
    beside it. Of swaps at neighbouring positions of a route the best one is listed. The search's rule, by the centre of hexes, chooses
    what is counted; what is listed, and in which order, follows from the figures as they are published, by area.

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
        Ranked by printed counts; empty if no swap gains by them.
    """
    route_evaluator = RouteEvaluator(evaluator.problem, objective or Objective(), plan, limits, evaluator.min_count)
    kept = set(keep)
    ranked: list[tuple[int, int, int, RouteChange]] = []
    step = current_progress().step("Try swaps", len(plan))
    for k in range(len(plan)):
        ranked += [(k, p, by, route_change) for p, by, route_change in _swaps(route_evaluator, k, kept)]
        step.reach(k + 1, f"{len(ranked)} gain")
    differences = DifferencesFrom(evaluator, evaluator.evaluate(plan), limits.headway_s)
    listed: list[tuple[float, Suggestion]] = []
    for k, p, by, route_change in _shortlist(route_evaluator, ranked, _TRIED * n_swaps):
        stop, name = int(plan.routes[k].stops[p]), plan.names[k]
        out, into = (places.name_of(evaluator.problem.network, one) for one in (stop, by))
        label = sentence(places.language, "swap", stop=out, by=into)
        change = Change("swap", label, route_evaluator.plan_with(route_change), (name,))
        difference = differences.to(evaluator.evaluate(change.plan))
        gain = _printed_gain(difference, route_evaluator.objective)
        if gain > 0:
            listed.append((gain, Suggestion(0, stop, by, change, difference)))
    listed.sort(key=lambda row: _place(row[0], row[1].difference.cost.cycle_s))
    return tuple(replace(swap, rank=rank) for rank, (_, swap) in enumerate(listed[:n_swaps], 1))


def _shortlist(
    route_evaluator: RouteEvaluator, swaps: list[tuple[int, int, int, RouteChange]], most: int
) -> Iterator[tuple[int, int, int, RouteChange]]:
    """Yield the best swaps by the search's rule, one for each stretch of a route."""
    taken: set[tuple[int, int]] = set()
    for k, p, by, route_change in sorted(swaps, key=lambda swap: _order(route_evaluator, swap[3])):
        if most <= 0:
            return
        if (k, p) not in taken:
            taken |= {(k, q) for q in range(p - 2, p + 3)}
            most -= 1
            yield k, p, by, route_change


def _printed_gain(difference: Difference, objective: Objective) -> float:
    """Trips and people a night that a swap gains as they are printed, weighted as in the objective; 0 where rounding hides them."""
    whole = printed_difference(difference)["whole"]
    return objective.trips * (whole["net_trips"] or 0.0) + objective.presence * (whole["net_presence"] or 0.0)


def _place(gain: float, extra_s: float) -> tuple[float, float, float]:
    """Sort key of a gain: those that take no more time by size, then by gain per extra second."""
    return (0.0, -gain, extra_s) if extra_s <= 0 else (1.0, -gain / extra_s, extra_s)


def _swaps(route_evaluator: RouteEvaluator, k: int, keep: set[int]) -> Iterator[tuple[int, int, RouteChange]]:
    """Yield position, new stop and best route of each swap that gains."""
    stops = route_evaluator.plan.routes[k].stops
    drive_s = route_evaluator.problem.network.drive_s
    on_route = set(stops.tolist())
    for p in range(1, len(stops) - 1):
        stop = int(stops[p])
        if stop in keep:
            continue
        around = np.argsort(drive_s[stop], kind="stable")[1 : _MOST_NEAR + 1]
        for by in around[drive_s[stop, around] <= NEAR_S].tolist():
            if by in on_route:
                continue
            for reach in (1, 2):
                windows = (w for w in windows_around(p, len(stops), reach) if keep.isdisjoint(stops[w[0] + 1 : w[1]].tolist()))
                changes = list(route_evaluator.splices(k, windows, via=by, shut=stop))
                if changes:
                    best = min(changes, key=lambda change: _order(route_evaluator, change))
                    if route_evaluator.gains(best):
                        yield p, by, best
                    break


def _order(route_evaluator: RouteEvaluator, route_change: RouteChange) -> tuple[float, float, float, bytes]:
    """Sort key: gains that take no more time by size, then gains per extra second, then losses."""
    gain, extra_s = route_change.value - route_evaluator.value, route_evaluator.extra_s(route_change)
    if gain <= 0:
        return 2.0, -gain, extra_s, route_change.stops.tobytes()
    return *_place(gain, extra_s), route_change.stops.tobytes()
