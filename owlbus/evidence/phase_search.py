"""The order of introduction of a plan's routes: the best nested sets within budgets, and what each phase lacks of the best plans."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from owlbus.common.defaults import AUTO, DEFAULT_STEPS
from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import InfeasibleError, UsageError, setting
from owlbus.common.progress import current_progress
from owlbus.common.units import require_number
from owlbus.demand.hour_profile import with_even_hours
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.nested_choice import SetProblem, choose_nested
from owlbus.evidence.phases import Phase, Phasing
from owlbus.plan import Plan, plan_measures
from owlbus.plan.limits import RouteLimits
from owlbus.score import coverage_of
from owlbus.search.constraints import PlanConstraints
from owlbus.search.objective import Objective
from owlbus.search.plan_routes import plan_routes
from owlbus.search.polish import PublishedValue
from owlbus.search.spread import counted_by
from owlbus.search.stopping import MaxSteps
from owlbus.search.travel_time_objective import refuse_journeys
from owlbus.timetable import Operation, build_timetable
from owlbus.timetable.day_routes import demand_on
from owlbus.timetable.summary import timetable_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.demand import Demand
    from owlbus.evidence.nested_choice import NestedChoice
    from owlbus.network import Network
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable.day_types import DayType

MOST_PHASES = 50
_MOST_BUDGET = 1e12


def phase_routes(
    network: Network,
    demand: Demand,
    plan: Plan,
    budgets: Sequence[float],
    *,
    rule: ServiceRule | None = None,
    min_count: float = MIN_COUNT,
    **settings: Any,  # noqa: ANN401 - those of `phases_of`
) -> Phasing:
    """
    Order of introduction of the routes of a plan in which each phase serves as much as its budget allows.

    Each phase runs the routes of the phase before and further ones, whole, so that each is a plan that runs. Over all phases together no
    order serves more, by area: so is the total regret against the best choice of routes of each budget the least. Up to
    `owlbus.evidence.nested_choice.MOST_EXACT` routes that is proven; for more the order is improved by moving single routes, and a bound
    says how far it may be from the best. Of the orders that keep as many constraints as can be kept, the best one is taken.

    Parameters
    ----------
    network
        Stop network of the plan.
    demand
        Trips and people on the network's grid.
    plan
        The routes.
    budgets
        Buses, or cost with `costs`, of all routes that run in each phase; put in order.
    rule
        When a trip counts as served; the defaults of `ServiceRule` if None.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    **settings
        ``costs``, ``limits``, ``constraints``, ``objective``, ``take_away``, ``n_steps``, ``seed`` and ``day_type``, as `phases_of` takes
        them.

    Returns
    -------
    Phasing
        The phases, in the order in which they come.

    Raises
    ------
    UsageError
        If a budget or cost lies outside its range, or a route has no cost.
    InfeasibleError
        If the smallest budget pays for no route, or not for those that always run.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Plan, Route
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> lines = ((0, 19, "N1"), (3, 16, "N2"))
    >>> plan = Plan(tuple(Route(network.shortest_path(a, b), name) for a, b, name in lines), network.fingerprint)
    >>> phasing = phase_routes(network, demand, plan, (1, 2), n_steps=0, min_count=-1)
    >>> [(row["added"], row["served_share"]) for row in phasing.rows()]
    [(['N1'], 0.6), (['N2'], 0.9)]
    """
    return phases_of(PlanEvaluator.build(network, demand, rule, min_count=min_count), plan, budgets, **settings)


def phases_of(
    evaluator: PlanEvaluator,
    plan: Plan,
    budgets: Sequence[float],
    *,
    costs: Mapping[str, float] | None = None,
    limits: RouteLimits | None = None,
    constraints: PlanConstraints | None = None,
    objective: Objective | str | None = None,
    take_away: bool = False,
    n_steps: int = DEFAULT_STEPS,
    seed: int = 0,
    day_type: DayType | None = None,
) -> Phasing:
    """
    Phases of a plan, as `phase_routes` describes them.

    Parameters
    ----------
    evaluator
        Network and demand.
    plan
        The routes.
    budgets
        Buses, or cost with `costs`, of all routes that run in each phase; put in order.
    costs
        Cost of each route by name, in any currency; None counts buses at the headway of the limits.
    limits
        What the searched plans keep, in metres and seconds, and the headway that buses are counted for; the defaults if None.
    constraints
        What each phase keeps where it can; its fixed routes run in every phase. None for nothing.
    objective
        What counts; trips served by default.
    take_away
        Whether routes are taken away from the plan rather than introduced.
    n_steps
        Moves of the search from scratch for each budget; 0 for no search. None is made for costs, since new routes have no known one.
    seed
        Seed of all random numbers, >= 0.
    day_type
        Days whose headway and demand the timetables of the phases have; None for every night alike.

    Returns
    -------
    Phasing
        In the order in which they come: the largest budget first where routes are taken away.

    Raises
    ------
    UsageError
        If a budget or cost lies outside its range, or a route has no cost.
    InfeasibleError
        If the smallest budget pays for no route, or not for those that always run.
    """
    objective = Objective.of_counted(objective or Objective(), evaluator.demand)
    refuse_journeys(objective, "an order of routes")
    for name, number, least in (("n_steps", n_steps, 0), ("seed", seed, 0)):
        require_number(name, number, least, 2**63 - 1)
    kept = limits or RouteLimits(), constraints or PlanConstraints()
    case = _Case(evaluator, plan, *kept, objective, costs, budgets_in_order(budgets), day_type)
    choice = choose_nested(case.sets)
    search = partial(case.searched, n_steps=n_steps if costs is None else 0, seed=seed)
    step, phases, order = current_progress().step("Phases", len(choice.sets)), list[Phase](), range(len(choice.sets))
    for t in reversed(order) if take_away else order:
        before = choice.sets[t - 1] if t and not take_away else 0
        before = case.whole_before(choice, t) if take_away else before
        phases.append(case.phase(choice, t, before, search(case.budgets[t])))
        step.reach(len(phases))
    value, n = case.value, len(phases)
    total = objective.trips * value.trips.sum() + objective.presence * value.people.sum()
    counted = counted_by(objective, float(value.trips.sum()), float(value.people.sum()))
    return Phasing(
        plan,
        "buses" if costs is None else "cost",
        tuple(phases),
        take_away,
        choice.is_exact,
        min(1.0, choice.bound / n / max(float(total), 1e-9)),
        counted,
        evaluator.demand.counts_trips,
        evaluator.min_count,
    )


class _Case:
    """Routes, budgets and what sets of routes are worth."""

    def __init__(
        self,
        evaluator: PlanEvaluator,
        plan: Plan,
        limits: RouteLimits,
        constraints: PlanConstraints,
        objective: Objective,
        costs: Mapping[str, float] | None,
        budgets: tuple[float, ...],
        day_type: DayType | None = None,
    ) -> None:
        self.day_type = day_type
        self.evaluator, self.plan, self.limits, self.constraints = evaluator, plan, limits, constraints
        self.objective, self.budgets, self.counts_buses = objective, budgets, costs is None
        self.network, demand = evaluator.problem.network, evaluator.demand
        self.value = PublishedValue.on(evaluator.counter, objective, demand)
        self._values: dict[int, float] = {}
        buses = plan_measures(self.network, plan, limits.headway_s).buses.tolist()
        route_costs = tuple(map(float, buses)) if costs is None else _costs_of(plan, costs)
        fixed = () if constraints.fixed is None else constraints.fixed.names
        always = sum(1 << r for r, name in enumerate(plan.names) if name in fixed)
        self.sets = SetProblem(self.of, self.n_missed, route_costs, budgets, (1.0,) * len(budgets), always, self.direct)
        self._require_affordable()

    def routes(self, chosen: int) -> Plan:
        """Plan of the routes of a set, in the order of the whole plan."""
        return Plan(tuple(route for r, route in enumerate(self.plan.routes) if chosen >> r & 1), self.plan.network_fingerprint)

    def of(self, chosen: int) -> float:
        """Value of a set, computed once."""
        if chosen not in self._values:
            self._values[chosen] = self.value.of(self.routes(chosen)) if chosen else 0.0
        return self._values[chosen]

    def direct(self, chosen: int) -> float:
        """Return the value of a set without transfers."""
        return replace(self.value, objective=replace(self.objective, max_transfers=0)).of(self.routes(chosen))

    def missed(self, chosen: int) -> tuple[str, ...]:
        """Constraints that a set does not keep, in words."""
        return () if self.constraints.is_empty else replace(self.constraints, fixed=None).broken(self.network, self.routes(chosen))

    def n_missed(self, chosen: int) -> int:
        """Return the number of constraints that a set does not keep."""
        return len(self.missed(chosen))

    def whole_before(self, choice: NestedChoice, t: int) -> int:
        """Return the routes that ran before phase `t` where routes are taken away: those of the next larger budget, at first all."""
        return choice.sets[t + 1] if t + 1 < len(choice.sets) else self.sets.whole

    def searched(self, budget: float, n_steps: int, seed: int) -> Plan | None:
        """Search for a plan within a number of buses from scratch; None without steps, or where no plan keeps the constraints."""
        if not n_steps:
            return None
        n_routes, limits = min(len(self.plan), int(budget)), replace(self.limits, max_buses=budget)
        how: dict[str, Any] = {"limits": limits, "constraints": self.constraints, "rule": self.evaluator.problem.rule}
        how |= {"objective": self.objective, "stop_when": [MaxSteps(n_steps)], "n_starts": AUTO, "seed": seed}
        try:
            return plan_routes(self.network, self.evaluator.demand, n_routes, **how).plan
        except InfeasibleError:
            return None

    def phase(self, choice: NestedChoice, t: int, before: int, searched: Plan | None) -> Phase:
        """Measure one phase."""
        chosen, plan = choice.sets[t], self.routes(choice.sets[t])
        measures = plan_measures(self.network, plan, self.limits.headway_s)
        covered = coverage_of(self.evaluator.counter, self.evaluator.evaluate(plan), self.evaluator.demand)
        alone = self.routes(choice.alone[t])
        return Phase(
            budget=self.budgets[t],
            cost=self.sets.cost(chosen),
            plan=plan,
            changed=self.routes(chosen ^ before).names,
            coverage=covered,
            objective_share=self.value.share(plan),
            alone=alone,
            alone_share=self.value.share(alone),
            searched=searched,
            searched_share=None if searched is None else self.value.share(searched),
            length_m=measures.total_length_m,
            buses=measures.total_buses,
            timetable=self._timetable(plan, self.budgets[t]),
            missed=self.missed(chosen),
        )

    def _timetable(self, plan: Plan, budget: float) -> dict[str, Any] | None:
        """Timetable with the buses of the budget; the fewest that keep the headway where it is of money."""
        default, day_type, demand = Operation(), self.day_type, self.evaluator.demand
        longest_s = max(default.max_headway_s, self.limits.headway_s) if day_type is None else day_type.max_headway_s
        min_count = self.evaluator.min_count
        fleet, shortest_s = int(budget) if self.counts_buses else None, min(default.min_headway_s, longest_s)
        operation = Operation(fleet=fleet, max_headway_s=longest_s, min_headway_s=shortest_s)
        on_days = with_even_hours(demand if day_type is None else demand_on(demand, day_type, min_count=min_count))
        try:
            built = build_timetable(self.network, on_days, plan, operation, self.evaluator.problem.rule, min_count=min_count)
        except InfeasibleError:
            return None
        return timetable_document(*built)

    def _require_affordable(self) -> None:
        """Refuse a smallest budget that pays for nothing."""
        sets, least = self.sets, self.budgets[0]
        if sets.cost(sets.always) > least:
            always = f"the routes that always run cost {sets.cost(sets.always):g}"
            msg = f"{always}, and the smallest budget is {least:g}; fix fewer, or begin with more"
            raise InfeasibleError(msg, setting="budgets", value=least)
        if not any(sets.is_within(sets.always | 1 << r, 0) for r in range(sets.n_routes)):
            r = min(range(sets.n_routes), key=lambda k: sets.costs[k])
            what = "buses" if self.counts_buses else "money"
            cheapest = f"the cheapest, {self.plan.names[r]}, takes {sets.costs[r]:g}"
            msg = f"the smallest budget, {least:g} {what}, pays for no route: {cheapest}; begin with more"
            raise InfeasibleError(msg, setting="budgets", value=least, allowed=(sets.costs[r], math.inf))


def budgets_in_order(budgets: Sequence[float]) -> tuple[float, ...]:
    """
    Budgets of phases, ascending and each once.

    Parameters
    ----------
    budgets
        Buses or money.

    Returns
    -------
    tuple of float
        In the same unit.

    Raises
    ------
    UsageError
        If there are none or too many, or one is negative, NaN or too large.
    """
    if not 1 <= len(set(budgets)) <= MOST_PHASES:
        msg = f"{setting('budgets')} must be 1 to {MOST_PHASES} different numbers, got {len(set(budgets))}"
        raise UsageError(msg, setting="budgets", value=tuple(budgets))
    for budget in budgets:
        require_number("budgets", budget, 0, _MOST_BUDGET)
    return tuple(sorted({float(budget) for budget in budgets}))


def _costs_of(plan: Plan, costs: Mapping[str, float]) -> tuple[float, ...]:
    """Costs in the order of the plan's routes."""
    missing, unknown = [name for name in plan.names if name not in costs], [name for name in costs if name not in plan.names]
    if missing or unknown:
        what = (
            f"no cost for route {missing[0]} ({len(missing)} such)"
            if missing
            else f"a cost for {unknown[0]}, which is no route of the plan"
        )
        msg = f"{setting('costs')} must name each of {len(plan)} routes once, got {what}"
        raise UsageError(msg, setting="costs")
    for cost in costs.values():
        require_number("costs", cost, 1e-9, _MOST_BUDGET)
    return tuple(float(costs[name]) for name in plan.names)
