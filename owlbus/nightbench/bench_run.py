"""One search on an instance, by processor seconds, with its values over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.ending import INTERRUPTED
from owlbus.common.units import require_number
from owlbus.nightbench.plan_value import BenchValue, value_of_quanta, value_plan
from owlbus.search import plan_routes
from owlbus.search.stopping import MaxSeconds

if TYPE_CHECKING:
    from owlbus.nightbench.instance import BenchInstance
    from owlbus.plan import Plan

CURVE_S = (1, 3, 10, 30, 60, 300, 1_800, 3_600)
"""Processor seconds at which the value of a search is noted."""

_MOST_S = 1e6


@dataclass(frozen=True, slots=True)
class BenchRun:
    """
    What a search found.

    Attributes
    ----------
    plan
        The best plan.
    value
        Its value.
    curve
        Value after so many processor seconds; those after the end of the search, or before its first plan, are absent.
    elapsed_s
        Processor seconds of all threads, compilation left out.
    n_moves
        Moves tried.
    seed
        Seed of the search.
    is_interrupted
        Whether it was stopped before its seconds were over.
    """

    plan: Plan
    value: BenchValue
    curve: dict[int, float]
    elapsed_s: float
    n_moves: int
    seed: int
    is_interrupted: bool = False

    @property
    def found_by(self) -> str:
        """Say in one line how the plan was found: by construction alone, or by how many moves, in how many processor seconds."""
        work = f"{self.n_moves:,} moves" if self.n_moves else "construction only"
        return f"owlbus, {work}, {self.elapsed_s:.0f} processor seconds, seed {self.seed}"


def run_bench(instance: BenchInstance, objective: str, seconds: float, seed: int = 0, begin: Plan | None = None) -> BenchRun:
    """
    Search an instance once.

    Parameters
    ----------
    instance
        The instance.
    objective
        One of its objectives.
    seconds
        Processor seconds of all threads together, so that other work on the machine takes none of them.
    seed
        Seed of the search.
    begin
        Plan to go on from; None to begin from nothing.

    Returns
    -------
    BenchRun
        Plan, value and curve.

    Raises
    ------
    UsageError
        If the objective does not count on the instance, or the seconds are out of range.
    InfeasibleError
        If no plan keeps the limits.
    """
    require_number("time_s", seconds, 1, _MOST_S)
    result = plan_routes(
        instance.network,
        instance.demand,
        instance.n_routes,
        limits=instance.limits,
        constraints=instance.constraints,
        rule=instance.rule,
        objective=instance.objective(objective),
        stop_when=[MaxSeconds(seconds, of_processor=True)],
        seed=seed,
        begin=begin,
        count_by="centre",
    )
    curve = {}
    for moment in CURVE_S:
        shares = [point.best_share for point in result.trace if point.elapsed_s <= moment]
        if shares and moment <= result.elapsed_s:
            curve[moment] = value_of_quanta(instance, objective, max(shares) * result.total_quanta).value
    value, is_interrupted = value_plan(instance, result.plan, objective), result.ended_by == INTERRUPTED
    return BenchRun(result.plan, value, curve, result.elapsed_s, result.steps, seed, is_interrupted)
