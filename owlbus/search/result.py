"""Result of a search: the plan, its objective and bound, why the search ended, and its trace."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from owlbus.common.acceptance import ACCEPTED
from owlbus.common.defaults import UNSERVED_S
from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.units import QUANTA_PER_TRIP

if TYPE_CHECKING:
    from owlbus.common.ending import Ending
    from owlbus.plan import Plan
    from owlbus.search.objective import Objective
    from owlbus.search.pool_bound import PoolBound
    from owlbus.search.problem import Problem
    from owlbus.search.published_bound import PublishedBound
    from owlbus.search.spread import Spread


@dataclass(frozen=True, slots=True)
class TracePoint:
    """
    State of a search at one time.

    Attributes
    ----------
    steps
        Moves tried so far, over all starts.
    elapsed_s
        Seconds since the search began.
    best_share, current_share
        Objective of the best and of the current plan, 0 to 1.
    bound_share
        Proven upper bound, 0 to 1; 1 until one is known.
    """

    steps: int
    elapsed_s: float
    best_share: float
    current_share: float
    bound_share: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """
    A plan, its objective, and the trace of the search.

    Attributes
    ----------
    plan
        The best plan.
    objective
        What the search maximised.
    value_quanta, total_quanta
        Objective of the plan, and of a plan that served everything at once, in 1/1024 a night: of trips and people, or of seconds that
        trips save where travel time counts; in 1/1024 of 1/1024 of trips where trips carried count.
    ended_by
        Why the search ended; as text, words that "because" can stand before.
    seed
        Seed that gives the same plan again under a step limit; that of the best plan where several were searched.
    steps, evaluations
        Moves tried, and moves that kept the limits and were evaluated.
    elapsed_s
        Seconds of the search.
    trace
        States of the search, in time order.
    bound_quanta
        Upper bound on the objective of all plans within the limits, in 1/1024 a night; None if no bound was computed.
    weighted_share
        Objective that the search maximised, where hexes have weights, 0 to 1; None without weights. `trace` and `weighted_bound_share` are
        of it, while value, total and bound are of the demand without weights, for which no bound is proven then.
    weighted_bound_share
        Proven upper bound of the weighted objective, 0 to 1; None without weights or without a bound.
    n_seeds
        Seeds that were searched.
    plans
        Best plan of each seed, or of each start where one seed was searched, in their order; none after an interruption.
    spread
        Objective of these plans by area, without weights; None with fewer than two.
    pool_bound
        Bound over the choices among the routes that the search met, which is no bound over all routes; None where no bound was asked for,
        with weights, for travel time, after an interruption, and where starts share no pool of routes.
    published_bound
        People near a stop by area and a proven bound on them, where a bound was asked for and people count alone; else None.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, MaxSteps, Network, RouteLimits, plan_routes
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> result = plan_routes(network, demand, 1, limits=RouteLimits(max_length_m=5_000), stop_when=[MaxSteps(500)], bound_steps=10)
    >>> result.share, result.bound_share, result.gap
    (0.6, 0.6, 0.0)
    >>> str(result.ended_by), result.plan.n_routes
    ('the limit of 500 moves was reached', 1)
    """

    plan: Plan
    objective: Objective
    value_quanta: int
    total_quanta: int
    ended_by: Ending
    seed: int
    steps: int
    evaluations: int
    elapsed_s: float
    trace: tuple[TracePoint, ...] = field(default=(), repr=False)
    bound_quanta: int | None = None
    weighted_share: float | None = None
    weighted_bound_share: float | None = None
    n_seeds: int = 1
    plans: tuple[Plan, ...] = field(default=(), repr=False)
    spread: Spread | None = field(default=None, repr=False)
    pool_bound: PoolBound | None = field(default=None, repr=False)
    published_bound: PublishedBound | None = field(default=None, repr=False)

    def without_weights(self, problem: Problem) -> Result:
        """
        Return the result of a weighted search with value and total of the demand without weights.

        Parameters
        ----------
        problem
            Network, demand without weights, and rule.

        Returns
        -------
        Result
            The same plan; its weighted share stands beside.
        """
        return replace(
            self,
            value_quanta=problem.value(self.plan, self.objective),
            total_quanta=problem.total_value(self.objective),
            bound_quanta=None,
            pool_bound=None,
            published_bound=None,
            weighted_share=self.share,
            weighted_bound_share=self.bound_share,
        )

    @property
    def bound_share(self) -> float | None:
        """Proven upper bound of the objective over all plans within the limits, 0 to 1; None if none was computed."""
        return None if self.bound_quanta is None else min(1.0, self.bound_quanta / self.total_quanta)

    @property
    def gap(self) -> float | None:
        """By how much the bound exceeds the plan, as a share of the plan; None without a bound, infinite for a plan worth nothing."""
        if self.bound_quanta is None:
            return None
        if self.value_quanta == 0:
            return math.inf if self.bound_quanta else 0.0
        return self.bound_quanta / self.value_quanta - 1

    @property
    def evaluations_per_s(self) -> float:
        """Plans evaluated in a second of the search."""
        return self.evaluations / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def share(self) -> float:
        """Objective of the plan over that of a plan that served everything, 0 to 1."""
        return self.value_quanta / self.total_quanta

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C ended the search."""
        return self.ended_by.reason == "interrupted"

    def printed_shares(self, publisher: Publisher, unserved_s: int = UNSERVED_S) -> tuple[float | None, float | None]:
        """
        Objective of the plan and its bound as they are printed.

        One trip or person may add the sum of the weights of a mix, or the seconds of a trip without a journey; counts are rounded in units
        of that.

        Parameters
        ----------
        publisher
            The publishing rule.
        unserved_s
            Seconds that a trip without a journey counts as.

        Returns
        -------
        share, bound_share
            0 to 1; None where too few are counted, and of a bound that was not computed.
        """
        publisher, whole = self.printed_by(publisher, unserved_s)
        bound = self.bound_share
        return publisher.headline(self.share * whole, whole), None if bound is None else publisher.share_at_most(bound * whole, whole)

    def printed_pool_share(self, publisher: Publisher) -> float | None:
        """
        Pool bound as it is printed.

        Parameters
        ----------
        publisher
            The publishing rule.

        Returns
        -------
        float or None
            0 to 1; None where none was computed or too few are counted.
        """
        publisher, whole = self.printed_by(publisher, UNSERVED_S)
        return None if self.pool_bound is None else publisher.share_at_most(self.pool_bound.share * whole, whole)

    def printed_published_shares(self, publisher: Publisher) -> tuple[float | None, float | None]:
        """
        People near a stop by area and the bound on them as they are printed.

        Parameters
        ----------
        publisher
            The publishing rule.

        Returns
        -------
        share, bound_share
            0 to 1; None where no bound by area was computed or too few are counted.
        """
        if self.published_bound is None:
            return None, None
        bound = self.published_bound
        publisher, whole = self.printed_by(publisher, UNSERVED_S)
        return publisher.headline(bound.plan_share * whole, whole), publisher.share_at_most(bound.share * whole, whole)

    def printed_ending(self, publisher: Publisher, unserved_s: int = UNSERVED_S) -> Ending:
        """
        Why the search ended, with its gap as it is printed; where none is, the one that was asked for.

        Parameters
        ----------
        publisher
            The publishing rule.
        unserved_s
            Seconds that a trip without a journey counts as.

        Returns
        -------
        Ending
            The same reason.
        """
        if self.ended_by.reason != "gap":
            return self.ended_by
        share, bound = self.printed_shares(publisher, unserved_s)
        gap = self.ended_by.numbers["asked_share"] if not share or bound is None else round(bound / share - 1, 6)
        return replace(self.ended_by, numbers={**self.ended_by.numbers, "gap_share": gap})

    def printed_by(self, publisher: Publisher, unserved_s: int = UNSERVED_S) -> tuple[Publisher, float]:
        """
        By which rule the objective is printed: of trips carried, one trip of the demand may stand for several, as in the scorecard.

        Parameters
        ----------
        publisher
            The publishing rule of the demand.
        unserved_s
            Seconds that a trip without a journey counts as.

        Returns
        -------
        publisher, whole
            The rule, and all that a plan could reach, in the most that one trip or person adds.
        """
        carried = self.objective.carried
        if carried is not None:
            return Publisher(carried.choice.published_base(publisher.min_count)), self.total_quanta / (QUANTA_PER_TRIP * ACCEPTED)
        unit = unserved_s if self.objective.is_travel_time else self.objective.trips + self.objective.presence
        return publisher, self.total_quanta / (QUANTA_PER_TRIP * unit)

    def _repr_html_(self) -> str:
        """Result, end reason and trace as HTML, for notebooks."""
        return self.to_html()

    def to_html(self, min_count: float = MIN_COUNT, unserved_s: int = UNSERVED_S) -> str:
        """
        Result, end reason and trace as HTML, for notebooks.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples; -1 for open data.
        unserved_s
            Seconds that a trip without a journey counts as.

        Returns
        -------
        str
            A part of a page.
        """
        from owlbus.common import notebook_html

        publisher = Publisher(min_count)
        share, bound = self.printed_shares(publisher, unserved_s)
        area, area_bound = self.printed_published_shares(publisher)
        pool, met = self.printed_pool_share(publisher), 0 if self.pool_bound is None else self.pool_bound.n_routes_met
        printing, whole = self.printed_by(publisher, unserved_s)
        weighted = None if self.weighted_share is None else printing.headline(self.weighted_share * whole, whole)
        rows = [
            ("share, as the search counts", "too few" if share is None else f"{share:.1%}"),
            *([] if bound is None else [("proven bound", f"{bound:.1%}")]),
            *([("gap", f"{bound / share - 1:.1%}")] if share and bound is not None else []),
            *([("people near a stop, by area", f"{area:.1%}, proven bound {area_bound:.1%}")] if area and area_bound is not None else []),
            *([] if pool is None else [("pool bound", f"{pool:.1%}, over choices among the {met} routes met alone")]),
            *([] if weighted is None else [("weighted share", f"{weighted:.1%}")]),
            ("routes", f"{self.plan.n_routes}"),
            ("ended because", "it was interrupted" if self.was_interrupted else str(self.printed_ending(publisher, unserved_s))),
            ("steps", f"{self.steps:,}"),
            ("time", f"{self.elapsed_s:.1f} s"),
            ("seed", f"{self.seed}"),
        ]
        course = notebook_html.curve(
            [printing.headline(point.best_share * whole, whole) or 0.0 for point in self.trace], name="best share by step"
        )
        return notebook_html.page("Result", notebook_html.table(rows), course)

    def trace_csv(self, min_count: float = MIN_COUNT, unserved_s: int = UNSERVED_S) -> str:
        """
        Trace of the search as CSV.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples; -1 for open data.
        unserved_s
            Seconds that a trip without a journey counts as.

        Returns
        -------
        str
            One line per point: steps, seconds, and shares in [0, 1] as they are printed.
        """
        publisher, whole = self.printed_by(Publisher(min_count), unserved_s)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("steps", "elapsed_s", "best_share", "current_share", "bound_share"))
        for point in self.trace:
            best, current = (publisher.headline(share * whole, whole) or 0.0 for share in (point.best_share, point.current_share))
            bound = publisher.share_at_most(point.bound_share * whole, whole)
            shares = (f"{share:.6f}" for share in (best, current, 1.0 if bound is None else bound))
            writer.writerow((point.steps, f"{point.elapsed_s:.3f}", *shares))
        return out.getvalue()
