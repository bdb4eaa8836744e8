"""Figures of an edited plan: the same counts as a scorecard has, without what the page does not show."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.plan import Plan, plan_measures
from owlbus.plan.measures import PlanMeasures
from owlbus.score.card import Measure
from owlbus.search.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.explore.edited_plan import EditedPlan, EditedRoute
    from owlbus.explore.opened_run import OpenedRun

_THREADS = 2
"""Threads that count trips: while one window drags, the other core would wait."""

_MOST_KEPT = 4_000
"""Routes whose measures are remembered."""


@dataclass(frozen=True, slots=True)
class RouteRiders:
    """
    Riders of one route.

    Attributes
    ----------
    boardings_trips
        Trips a night that begin on it.
    max_load_trips
        Riders a night on its fullest segment.
    """

    boardings_trips: float
    max_load_trips: float


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """
    True counts and measures of one plan; whatever reaches the page passes the publishing rule first.

    Attributes
    ----------
    presence, served, direct
        People and trips a night that the plan reaches and serves, and all of them.
    reached_share
        Share of each hex within the walk of a stop, shape (H,), 0 to 1.
    measures
        Metres, seconds and buses of its routes.
    districts
        People near a stop by district; empty without districts.
    riders
        Riders of each route by its name; None where they were not counted.
    objective_share
        Objective of the search, 0 to 1; None where the run has no bound.
    """

    presence: Measure
    served: Measure
    direct: Measure
    reached_share: NDArray[np.float64]
    measures: PlanMeasures
    districts: Mapping[str, Measure]
    riders: Mapping[str, RouteRiders] | None
    objective_share: float | None


class LiveNumbers:
    """
    Computes the figures of plans on one run.

    Parameters
    ----------
    run
        The run.
    """

    def __init__(self, run: OpenedRun) -> None:
        evaluator = run.evaluator
        self._run, self._counter, self._problem = run, evaluator.counter, evaluator.problem
        trips = evaluator.whole.trips
        self._trips: NDArray[np.float64] = np.bincount(trips.pair, trips.trips, evaluator.counter.n_pairs).astype(np.float64)
        self._total_trips, self._people = trips.total, evaluator.whole.people
        self._kept: OrderedDict[tuple[Any, ...], PlanMeasures] = OrderedDict()
        districts = run.study.districts
        self._groups = None if districts is None else np.unique(districts, return_inverse=True)
        name = run.about["settings"].get("objective")
        has_bound = run.about.get("bound_share") is not None and isinstance(name, str) and not run.about["settings"].get("weights")
        self.objective = Objective.of_counted(name, run.study.demand) if has_bound and name is not None else None

    def figures(self, plan: EditedPlan, *, with_riders: bool) -> Figures:
        """
        Compute the figures of a plan.

        Parameters
        ----------
        plan
            The plan.
        with_riders
            Whether to send every trip along its journey too, which takes several times as long.

        Returns
        -------
        Figures
            People and trips a night, metres and seconds.
        """
        routes = plan.to_plan()
        served, direct = self._counter.served_shares(routes, _THREADS)
        reached = self._counter.reached_share(routes)
        return Figures(
            Measure(float(self._people @ reached), float(self._people.sum())),
            Measure(float((self._trips * served).sum()), self._total_trips),  # exact in any order, without threads of a library
            Measure(float((self._trips * direct).sum()), self._total_trips),
            reached,
            self.measures(plan),
            self._districts(reached),
            self._riders(routes) if with_riders else None,
            None if self.objective is None else self._problem.value(routes, self.objective) / self._problem.total_value(self.objective),
        )

    def measures(self, plan: EditedPlan) -> PlanMeasures:
        """
        Measures of the routes of a plan; those of a course that was measured before are remembered.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        PlanMeasures
            Metres, seconds and buses.
        """
        rows = [self._measured(route, plan.network_fingerprint) for route in plan.routes]
        columns: dict[str, Any] = {"names": plan.names, "headway_s": self._run.headway_s}
        empty = plan_measures(self._run.study.network, Plan((), plan.network_fingerprint), self._run.headway_s)
        for field in fields(PlanMeasures)[2:]:
            columns[field.name] = np.concatenate([getattr(row, field.name) for row in rows or [empty]])
        return PlanMeasures(**columns)

    def _measured(self, route: EditedRoute, fingerprint: str) -> PlanMeasures:
        """Measures of one route, remembered by its course."""
        course = route.stops, route.back
        if course in self._kept:
            self._kept.move_to_end(course)
            return self._kept[course]
        found = plan_measures(self._run.study.network, Plan((route.to_route(),), fingerprint), self._run.headway_s)
        self._kept[course] = found
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found

    def _districts(self, reached: NDArray[np.float64]) -> dict[str, Measure]:
        """People near a stop by district, as scorecards count them."""
        if self._groups is None:
            return {}
        names, district = self._groups
        near, everyone = (np.bincount(district, part, names.size) for part in (self._people * reached, self._people))
        return {str(name): Measure(float(near[k]), float(everyone[k])) for k, name in enumerate(names)}

    def _riders(self, plan: Plan) -> dict[str, RouteRiders] | None:
        """Riders of each route by its name; None where no trips were counted."""
        if not self._run.study.demand.counts_trips:
            return None
        pairs = np.flatnonzero(self._trips).astype(np.int64)
        flows = self._counter.flows(plan, [(pairs, self._trips[pairs])])
        return {
            route.name: RouteRiders(
                float(flows.boardings_trips[0, k, 0]), float(max(flows.ahead_trips[0, k].max(), flows.back_trips[0, k].max()))
            )
            for k, route in enumerate(plan.routes)
        }
