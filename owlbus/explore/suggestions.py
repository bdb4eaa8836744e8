"""The best next changes of a plan by hand: calls, swaps, extensions that gain, and cuts that cost least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.explore.help_words import effect_text, help_text
from owlbus.explore.printed_effect import EffectCounter
from owlbus.search.objective import Objective
from owlbus.search.route_evaluator import RouteEvaluator, windows_around

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits
    from owlbus.search.route_evaluator import RouteChange

_NEAR_STOPS = 5
"""Stops around each stop of a route that it is tried by way of."""

_END_STOPS = 12
"""Stops around a terminal that a route is tried to end at."""

_MOST_CUT = 12
"""Stops that are cut off an end at most."""

_TRIED_GAINS, _TRIED_CUTS = 28, 12
"""Changes that are counted as figures are published: those that the faster rule of the search values most."""

_LEAST_CUT_M = 800
_LEAST_EXTRA_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class SuggestedChange:
    """
    A change of one route that is worth a look.

    Attributes
    ----------
    kind
        ``insert``, ``swap``, ``extend``, ``cut`` or ``straight``.
    route
        Index of the route.
    stops
        Its stop indices after the change.
    text
        The change in words.
    effect
        What it gains, loses and costs, in words.
    shown
        The same as `owlbus.explore.printed_effect.EffectCounter` gives it, trips and people a night.
    """

    kind: str
    route: int
    stops: tuple[int, ...]
    text: str
    effect: str
    shown: dict[str, Any]


def suggest_changes(
    evaluator: PlanEvaluator,
    plan: Plan,
    names: StopNames,
    limits: RouteLimits,
    *,
    locked: Collection[int] = (),
    n_gains: int = 6,
    n_cuts: int = 4,
) -> tuple[SuggestedChange, ...]:
    """
    Changes of one route each: those that gain most for their time, then those that save kilometres at least loss.

    The search's rule, by the centre of hexes, chooses what is tried; what is listed, and in which order, is decided by the figures as they
    are published, by area. A gain that cannot be told from rounding is none.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    names
        Names of stops, in the language of the answer.
    limits
        What changed routes must keep, in metres and seconds; where the plan breaks one already, none gets worse.
    locked
        Indices of the routes that stay as they are.
    n_gains, n_cuts
        Changes of either sort at most.

    Returns
    -------
    tuple of SuggestedChange
        At most one for each stretch of a route.
    """
    open_rows = [k for k, route in enumerate(plan.routes) if k not in locked and route.back is None and route.is_simple]
    if not open_rows:
        return ()
    objective = Objective() if evaluator.demand.counts_trips else Objective(trips=0, presence=1)
    router = RouteEvaluator(evaluator.problem, objective, plan, limits, evaluator.min_count)
    tried = [change for k in open_rows for change in _changes(router, k)]
    gains = _shortlist(router, (one for one in tried if router.gains(one)), _gain_order, _TRIED_GAINS)
    cuts = _shortlist(router, (one for one in tried if _saved_m(router, one) >= _LEAST_CUT_M), _cut_order, _TRIED_CUTS)
    counter = EffectCounter(evaluator, plan, limits.headway_s)
    listed = sorted((row for one in gains if (row := _counted(counter, router, one, names)).net > 0), key=_Row.rate_order)
    saving = sorted((row for one in cuts if (row := _counted(counter, router, one, names)).net <= 0), key=_Row.loss_order)
    return tuple(row.change for row in (*listed[:n_gains], *saving[:n_cuts]))


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A change with what decides its place: net trips or people as printed, and seconds and metres more than before."""

    change: SuggestedChange
    net: float
    extra_s: float
    extra_m: float

    def rate_order(self) -> tuple[float, float, int, tuple[int, ...]]:
        """Most gained for each further second of round trip first."""
        return -self.net / max(_LEAST_EXTRA_S, self.extra_s), self.extra_s, self.change.route, self.change.stops

    def loss_order(self) -> tuple[float, float, int, tuple[int, ...]]:
        """Least lost for each metre saved first."""
        return self.net / self.extra_m, self.extra_m, self.change.route, self.change.stops


def _counted(counter: EffectCounter, router: RouteEvaluator, change: RouteChange, names: StopNames) -> _Row:
    """Return a change in words with its effect as it is printed."""
    shown = counter.effect_of(router.plan_with(change))
    kind, text = _said(router, change, names)
    said = SuggestedChange(kind, change.route, tuple(change.stops.tolist()), text, effect_text(names.language, shown), shown)
    net = shown["whole"]["net_trips" if counter.counts_trips else "net_presence"]
    return _Row(said, 0.0 if net is None else float(net), float(shown["cost"]["cycle_s"]), float(shown["cost"]["length_m"]))


def _changes(router: RouteEvaluator, k: int) -> Iterator[RouteChange]:
    """Yield changes of a route: by near stops, without single stops, on beyond its ends, and cut at them."""
    stops, network = router.plan.routes[k].stops, router.problem.network
    n, on_route = len(stops), set(stops.tolist())
    for p, stop in enumerate(stops.tolist()):
        windows = [(p - 1, p + 1), (p, p + 1)] if 0 < p < n - 1 else [(p, p + 1)] if p == 0 else []
        if 0 < p < n - 1:
            yield from router.splices(k, windows_around(p, n, 1), shut=stop)
        for by in _around(network.drive_s[stop], _NEAR_STOPS, on_route):
            yield from router.splices(k, iter(windows), via=by)
    for end, window in ((0, (-1, 0)), (n - 1, (n - 1, n))):
        for by in _around(network.drive_s[stops[end]], _END_STOPS, on_route):
            yield from router.splices(k, iter([window]), via=by)
    kept = [part for cut in range(1, min(_MOST_CUT, n - 2) + 1) for part in (stops[cut:], stops[:-cut])]
    yield from (change for part in kept if (change := router.candidate(k, part)) is not None)


def _around(drive_s: NDArray[np.int32], count: int, on_route: Collection[int]) -> list[int]:
    """Return the stops nearest by drive that are not on the route, in a fixed order."""
    near = np.argpartition(drive_s, min(count, drive_s.size - 1))[: count + 1]
    return [stop for stop in sorted(near.tolist()) if stop not in on_route]


def _shortlist(
    router: RouteEvaluator, changes: Iterable[RouteChange], order: Callable[[RouteEvaluator, RouteChange], tuple[Any, ...]], most: int
) -> list[RouteChange]:
    """Return the best changes by the search's rule, at most one for each stretch of three stops of a route."""
    ranked = sorted(changes, key=lambda change: order(router, change))
    chosen: list[RouteChange] = []
    taken: set[tuple[int, int]] = set()
    for change in ranked:
        low, high = _stretch(router, change)
        if len(chosen) == most:
            break
        if not taken.isdisjoint((change.route, p) for p in range(low - 1, high + 2)):
            continue
        taken |= {(change.route, p) for p in range(low, high + 1)}
        chosen.append(change)
    return chosen


def _stretch(router: RouteEvaluator, change: RouteChange) -> tuple[int, int]:
    """Return the first and last position of a route that a change touches."""
    old, new = router.plan.routes[change.route].stops, change.stops
    low, most = 0, min(old.size, new.size)
    while low < most and old[low] == new[low]:
        low += 1
    high = 0
    while high < most - low and old[-1 - high] == new[-1 - high]:
        high += 1
    return low, max(low, old.size - high - 1)


def _saved_m(router: RouteEvaluator, change: RouteChange) -> int:
    """Return the one-way metres that a change saves."""
    return int(router.measures.longer_length_m[change.route]) - change.length_m


def _gain_order(router: RouteEvaluator, change: RouteChange) -> tuple[float, float, int, bytes]:
    """Most gained for each further second first."""
    rate = (change.value - router.value) / max(_LEAST_EXTRA_S, float(router.extra_s(change)))
    return -rate, float(router.extra_s(change)), change.route, change.stops.tobytes()


def _cut_order(router: RouteEvaluator, change: RouteChange) -> tuple[float, float, int, bytes]:
    """Least lost for each metre saved first."""
    saved = _saved_m(router, change)
    return (router.value - change.value) / saved, -float(saved), change.route, change.stops.tobytes()


def _said(router: RouteEvaluator, change: RouteChange, names: StopNames) -> tuple[str, str]:
    """Return the kind of a change, and the change in words."""
    plan, network, language = router.plan, router.problem.network, names.language
    old, new = plan.routes[change.route].stops.tolist(), change.stops.tolist()
    out, into = [stop for stop in old if stop not in new], [stop for stop in new if stop not in old]
    listed = {"route": plan.names[change.route], "out": _listed(names, network, out), "stop": _listed(names, network, into)}
    if not into and out:
        is_cut = old[: len(new)] == new or old[-len(new) :] == new
        end = new[-1] if old[: len(new)] == new else new[0]
        kind = "cut" if is_cut else "straight"
        return kind, help_text(language, f"suggest.{kind}", **listed | ({"stop": names.name_of(network, end)} if is_cut else {}))
    if new[: len(old)] == old or new[-len(old) :] == old:
        end = new[-1] if new[: len(old)] == old else new[0]
        return "extend", help_text(language, "suggest.extend", **listed | {"stop": names.name_of(network, end)})
    kind = "swap" if out else "insert"
    return kind, help_text(language, f"suggest.{kind}", **listed)


def _listed(names: StopNames, network: Network, stops: list[int]) -> str:
    """Return the first of some stops by name, and how many more there are."""
    if not stops:
        return ""
    first = names.name_of(network, stops[0])
    return first if len(stops) == 1 else help_text(names.language, "suggest.more", stop=first, n=len(stops) - 1)
