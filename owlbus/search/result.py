"""Result of a search: the plan, its objective and bound, why the search ended, and its trace."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.common.ending import Ending
    from owlbus.plan import Plan
    from owlbus.search.objective import Objective
    from owlbus.search.problem import Problem


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
        trips save where travel time counts.
    ended_by
        Why the search ended; as text, words that "because" can stand before.
    seed
        Seed that gives the same plan again under a step limit.
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

    def _repr_html_(self) -> str:
        """Result, end reason and trace as HTML, for notebooks."""
        from owlbus.common import notebook_html

        rows = [
            ("share", f"{self.share:.1%}"),
            *([] if self.bound_share is None else [("proven bound", f"{self.bound_share:.1%}"), ("gap", f"{self.gap:.1%}")]),
            *([] if self.weighted_share is None else [("weighted share", f"{self.weighted_share:.1%}")]),
            ("routes", f"{self.plan.n_routes}"),
            ("ended because", "it was interrupted" if self.was_interrupted else str(self.ended_by)),
            ("steps", f"{self.steps:,}"),
            ("time", f"{self.elapsed_s:.1f} s"),
            ("seed", f"{self.seed}"),
        ]
        course = notebook_html.curve([point.best_share for point in self.trace], name="best share by step")
        return notebook_html.page("Result", notebook_html.table(rows), course)

    def trace_csv(self) -> str:
        """
        Trace of the search as CSV.

        Returns
        -------
        str
            One line per point: steps, seconds, and shares in [0, 1].
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("steps", "elapsed_s", "best_share", "current_share", "bound_share"))
        for point in self.trace:
            shares = (f"{share:.6f}" for share in (point.best_share, point.current_share, point.bound_share))
            writer.writerow((point.steps, f"{point.elapsed_s:.3f}", *shares))
        return out.getvalue()
