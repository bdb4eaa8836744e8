"""Why a plan does not serve a hex: the nearest stop, who would gain, and the cheapest change; the answer of `explain why`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import UsageError
from owlbus.evidence.answer_sentences import limit_sentences
from owlbus.evidence.stop_reason import explain_stop, reason_lines
from owlbus.explore.help_words import help_text
from owlbus.report.map_data import percent_of_hexes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from owlbus.evidence.changes import Change
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.evidence.stop_names import StopNames
    from owlbus.evidence.stop_reason import StopReason
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits


@dataclass(frozen=True, slots=True, eq=False)
class PlaceAnswer:
    """
    Answer on a place.

    Attributes
    ----------
    lines
        Sentences in the reader's language.
    stop
        Stop index that would serve it, or does; None where no stop of the network is within the walk.
    change
        The cheapest change that serves it, or None.
    document
        The answer on the stop as ``owlbus explain PLAN why STOP`` gives it, trips and people a night as they are printed; None without one.
    reason
        What that is made from, or None.
    """

    lines: tuple[str, ...]
    stop: int | None
    change: Change | None
    document: dict[str, Any] | None
    reason: StopReason | None = None


def explain_hex(
    evaluator: PlanEvaluator,
    plan: Plan,
    hexagon: object,
    names: StopNames,
    limits: RouteLimits,
    decided: Mapping[str, Any],
    *,
    locked: Collection[int] = (),
) -> PlaceAnswer:
    """
    Why a plan does not serve a hex, or how far it does.

    Of the stops from which a part of the hex is within the walk, the one that would reach most of what the plan does not is asked about.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    hexagon
        Hex index, in [0, H).
    names
        Names of stops, in the language of the answer.
    limits
        What a change must keep, in metres and seconds.
    decided
        Who chose the stops, as `owlbus.pipeline.decided.decided_by_run` gives it.
    locked
        Indices of the routes that stay as they are.

    Returns
    -------
    PlaceAnswer
        Sentences, and the cheapest change if there is one.

    Raises
    ------
    UsageError
        If there is no such hex.
    """
    network, language = evaluator.problem.network, names.language
    if isinstance(hexagon, bool) or not isinstance(hexagon, int) or not 0 <= hexagon < network.grid.n_hexes:
        msg = f"a hex must be an index in [0, {network.grid.n_hexes - 1}], got {str(hexagon)[:40]!r}; choose one on the map"
        raise UsageError(msg)
    ask = _HexPoints(evaluator, plan, hexagon)
    if not ask.stops.size:
        lon, lat = float(network.grid.lon[hexagon]), float(network.grid.lat[hexagon])
        stop, metres = network.nearest_stops(lon, lat)
        name = names.name_of(network, int(stop))
        return PlaceAnswer((help_text(language, "why.nowhere", nearest=name, metres=f"{float(metres):,.0f}"),), None, None, None)
    share, server = ask.reached()
    percent = percent_of_hexes(np.array([share]))[0]
    head = [] if server is None else [help_text(language, "why.reached", share=percent, stop=names.name_of(network, server))]
    best = ask.best_stop()
    if best is None:
        rest = [help_text(language, "why.rest.none")] if share < 1 else []
        return PlaceAnswer((*head, *rest), server, None, None)
    answer = explain_place(evaluator, plan, best, names, limits, decided, locked=locked)
    more = [help_text(language, "why.rest")] if head else []
    return PlaceAnswer((*head, *more, *answer.lines), best, answer.change, answer.document, answer.reason)


def explain_place(
    evaluator: PlanEvaluator,
    plan: Plan,
    stop: int,
    names: StopNames,
    limits: RouteLimits,
    decided: Mapping[str, Any],
    *,
    locked: Collection[int] = (),
    before: Plan | None = None,
) -> PlaceAnswer:
    """
    Why a plan has no stop at a place, as ``owlbus explain PLAN why STOP`` answers.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    stop
        Stop index.
    names
        Names of stops, in the language of the answer.
    limits
        What a change must keep, in metres and seconds.
    decided
        Who chose the stops.
    locked
        Indices of the routes that stay as they are.
    before
        A plan before it, or None.

    Returns
    -------
    PlaceAnswer
        Sentences, and the cheapest change if there is one.
    """
    network, language = evaluator.problem.network, names.language
    reason = explain_stop(evaluator, plan, stop, names.name_of(network, stop), limits, before, language, locked)
    document = reason.to_dict(evaluator.min_count, language)
    if document["back"] is not None and reason.back is not None:
        document["back"]["broken_limits"] = list(limit_sentences(network, plan, reason.back.plan, limits, language))
    nearest = "" if reason.nearest_stop is None else names.name_of(network, reason.nearest_stop)
    lines = reason_lines(document, decided, nearest, language)
    return PlaceAnswer(tuple(lines), stop, reason.back, document | {"decided": dict(decided), "lines": lines}, reason)


class _HexPoints:
    """Points of one hex, and the stops from which each is within the walk."""

    def __init__(self, evaluator: PlanEvaluator, plan: Plan, hexagon: int) -> None:
        points, network = evaluator.counter.points, evaluator.problem.network
        rows = np.flatnonzero(points.point // points.n_points == hexagon)
        owner = np.searchsorted(points.indptr, rows, side="right") - 1
        self._owner, self._point = owner, points.point[rows] - hexagon * points.n_points
        self._used = plan.used_stops
        self._near = np.isin(np.arange(points.n_points), self._point[np.isin(owner, self._used)])
        self.stops = np.unique(owner)
        stop_x, stop_y = network.grid.project(network.stop_lon[self.stops], network.stop_lat[self.stops])
        self._apart_m = np.hypot(stop_x - network.grid.x_m[hexagon], stop_y - network.grid.y_m[hexagon])

    def reached(self) -> tuple[float, int | None]:
        """Return the share of the area that the plan reaches, and its stop that reaches most of it."""
        served = np.isin(self.stops, self._used)
        if not served.any():
            return 0.0, None
        counts = np.where(served, [np.count_nonzero(self._owner == stop) for stop in self.stops], -1)
        return float(self._near.mean()), int(self.stops[np.lexsort((self._apart_m, -counts))[0]])

    def best_stop(self) -> int | None:
        """Return the stop that would reach most of what the plan does not, the nearest to the centre on a tie; None if that is nothing."""
        counts = np.array([np.count_nonzero(~self._near[self._point[self._owner == stop]]) for stop in self.stops])
        best = int(np.lexsort((self._apart_m, -counts))[0])
        return int(self.stops[best]) if counts[best] else None
