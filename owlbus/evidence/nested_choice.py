"""
Nested sets of routes, one a budget, that are worth most over all budgets together.

A plan is introduced in phases: each phase runs all routes of the phase before and more, within its budget. Sets S_1, ..., S_T are chosen by

    maximise    sum over phases t of weight_t v(S_t)
    subject to  S_1 within S_2 within ... within S_T,  cost(S_t) <= budget_t

among the choices that miss the fewest constraints over all phases. The best set of each budget alone is worth a constant, so this is also
the order with the least total regret against those. Up to `MOST_EXACT` routes it is solved by dynamic programming over all sets [1]_:
``f_t(S) = weight_t v(S) + max of f_(t-1)(R) over R within S``, where the maximum over all subsets takes K sweeps over 2^K numbers. With
more routes an order is built greedily and improved by moving one route at a time, beside a bound that no order exceeds.

References
----------
.. [1] Held and Karp (1962), A dynamic programming approach to sequencing problems, J. SIAM 10(1), 196-210.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.progress import current_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

MOST_EXACT = 14
"""Routes up to which every set of them is valued: 16,384 sets."""

_EQUAL = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class SetProblem:
    """
    Routes as bits of sets, what sets are worth and cost, and the budgets.

    Attributes
    ----------
    value
        Takes a set, bit r for route r; returns what it is worth, >= 0, such as trips a night. A larger set is worth no less.
    missed
        Takes a set; returns the number of constraints that it does not keep, >= 0.
    costs
        What each route costs, shape (K,), > 0, such as buses.
    budgets
        What the sets of each phase may cost, ascending, in the same unit.
    weights
        Weight of each phase, dimensionless, > 0.
    direct
        Takes a set; returns what it is worth without transfers. It makes the bound for many routes tighter; None for none.
    always
        Set of the routes that run in every phase.
    """

    value: Callable[[int], float]
    missed: Callable[[int], int]
    costs: tuple[float, ...]
    budgets: tuple[float, ...]
    weights: tuple[float, ...]
    always: int = 0
    direct: Callable[[int], float] | None = None

    @property
    def n_routes(self) -> int:
        """Routes K."""
        return len(self.costs)

    @property
    def whole(self) -> int:
        """Set of all routes."""
        return (1 << self.n_routes) - 1

    def cost(self, chosen: int) -> float:
        """Return the cost of the routes `chosen`, in the unit of the budgets."""
        return sum(cost for r, cost in enumerate(self.costs) if chosen >> r & 1)

    def is_within(self, chosen: int, phase: int) -> bool:
        """Return whether the routes `chosen` may run in the phase with index `phase`."""
        return chosen & self.always == self.always and self.cost(chosen) <= self.budgets[phase] + _EQUAL


@dataclass(frozen=True, slots=True)
class NestedChoice:
    """
    One set of routes a phase, each within the next.

    Attributes
    ----------
    sets
        The sets of each phase.
    alone
        The best set of each budget alone, not nested; where sets were not all valued, the best one met.
    value
        Sum of weights times values over the phases, in the unit of the values.
    bound
        No nested sets with as few missed constraints are worth more; equal to `value` where these are proven best.
    is_exact
        Whether all sets were valued.
    """

    sets: tuple[int, ...]
    alone: tuple[int, ...]
    value: float
    bound: float
    is_exact: bool


def choose_nested(problem: SetProblem, most_exact: int = MOST_EXACT) -> NestedChoice:
    """
    Nested sets of routes that are worth most over all phases.

    Of equally good sets the one with more routes wins, then the one whose routes come first.

    Parameters
    ----------
    problem
        Routes, values, costs and budgets; the routes of `SetProblem.always` keep the first budget.
    most_exact
        Routes up to which all sets are valued, dimensionless.

    Returns
    -------
    NestedChoice
        In the order of the budgets.

    Examples
    --------
    >>> worth = {0b001: 5.0, 0b010: 4.0, 0b100: 3.0}  # two buses each but the first, which takes three
    >>> value = lambda chosen: sum(worth[1 << r] for r in range(3) if chosen >> r & 1)
    >>> choice = choose_nested(SetProblem(value, lambda chosen: 0, (3, 2, 2), (3, 4, 7), (1.0, 1.0, 1.0)))
    >>> [f"{chosen:03b}" for chosen in choice.sets], [f"{chosen:03b}" for chosen in choice.alone], choice.value
    (['010', '110', '111'], ['001', '110', '111'], 23.0)
    """
    return _exact(problem) if problem.n_routes <= most_exact else _improved(problem)


def _exact(problem: SetProblem) -> NestedChoice:
    """Solve the choice over all sets by dynamic programming."""
    rank = _by_rank(problem.n_routes)
    worth, missed = np.full(rank.size, -np.inf), np.zeros(rank.size)
    within = [np.array([problem.is_within(chosen, t) for chosen in range(rank.size)]) for t in range(len(problem.budgets))]
    needed = np.flatnonzero(within[-1]).tolist()
    step = current_progress().step("Value sets of routes", len(needed))
    for count, chosen in enumerate(needed, start=1):
        worth[chosen], missed[chosen] = problem.value(chosen), problem.missed(chosen)
        step.reach(count)
    # one constraint missed weighs more than all that any sets can be worth
    penalty = 1.0 + sum(problem.weights) * float(worth[needed].max(initial=0.0))
    total = np.zeros(rank.size)
    source: list[NDArray[np.int64]] = []
    for t, weight in enumerate(problem.weights):
        before, came_from = _best_subset(total, problem.n_routes, rank) if t else (total, np.arange(rank.size))
        total = np.where(within[t], before + weight * worth - penalty * missed, -np.inf)
        source.append(came_from)
    sets = [_best(total, rank)]
    for came_from in reversed(source[1:]):
        sets.insert(0, int(came_from[sets[0]]))
    alone = tuple(_best(np.where(part, worth - penalty * missed, -np.inf), rank) for part in within)
    value = _value(problem, sets)
    return NestedChoice(tuple(sets), alone, value, value, is_exact=True)


def _by_rank(n_routes: int) -> NDArray[np.int64]:
    """Rank of each set among equally good ones: more routes first, then routes that come first; shape (2^K,)."""
    sets = np.arange(1 << n_routes, dtype=np.int64)
    bits = sets[:, None] >> np.arange(n_routes) & 1
    reversed_sets = bits @ (1 << np.arange(n_routes)[::-1]) if n_routes else sets
    rank = np.empty(sets.size, np.int64)
    rank[np.lexsort((-reversed_sets, -bits.sum(axis=1)))] = sets
    return rank


def _best(total: NDArray[np.float64], rank: NDArray[np.int64]) -> int:
    """Return the best set, the one of the lowest rank on a tie."""
    ties = np.flatnonzero(total == total.max())
    return int(ties[np.argmin(rank[ties])])


def _best_subset(total: NDArray[np.float64], n_routes: int, rank: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each set the best total of its subsets, itself among them, and which one has it."""
    best, which = total.copy(), np.arange(total.size)
    for r in range(n_routes):
        with_r = np.flatnonzero(np.arange(total.size) >> r & 1)
        without_r = with_r ^ (1 << r)
        gains = best[without_r] > best[with_r]
        gains |= (best[without_r] == best[with_r]) & (rank[which[without_r]] < rank[which[with_r]])
        best[with_r] = np.where(gains, best[without_r], best[with_r])
        which[with_r] = np.where(gains, which[without_r], which[with_r])
    return best, which


def _value(problem: SetProblem, sets: Sequence[int]) -> float:
    """Sum of weights times values over the phases."""
    return sum(weight * problem.value(chosen) for weight, chosen in zip(problem.weights, sets, strict=True))


def _improved(problem: SetProblem) -> NestedChoice:
    """Build an order greedily, and move one route at a time as long as that makes the sets better."""
    order = _greedy_order(problem)
    sets = _filled(problem, order)
    rank = _rank(problem, sets)
    step, n_tried = current_progress().step("Improve the order of routes"), 0
    is_better = True
    while is_better:
        is_better = False
        for moved in _moves(order):
            n_tried += 1
            step.reach(n_tried)
            trial = _filled(problem, moved)
            trial_rank = rank if trial == sets else _rank(problem, trial)
            if trial_rank > rank:
                order, sets, rank, is_better = moved, trial, trial_rank, True
                break
    value = _value(problem, sets)
    alone = tuple(_best_alone(problem, chosen, budget) for chosen, budget in zip(sets, problem.budgets, strict=True))
    return NestedChoice(tuple(sets), alone, value, max(value, _bound(problem)), is_exact=False)


def _best_alone(problem: SetProblem, chosen: int, budget: float) -> int:
    """Best set met for one budget: that of the order, or one improved from it by exchanging one route, and filling up, at a time."""
    alone = replace(problem, budgets=(budget,), weights=(1.0,))
    rank = _rank(alone, [chosen])
    is_better = True
    while is_better:
        is_better = False
        kept, left = ([r for r in range(alone.n_routes) if (chosen >> r & 1) == side] for side in (1, 0))
        for out, into in product(kept, left):
            (trial,) = _filled(alone, [into, *(r for r in kept if r != out), *(r for r in left if r != into)])
            if (trial_rank := _rank(alone, [trial])) > rank:
                chosen, rank, is_better = trial, trial_rank, True
                break
    return chosen


def _rank(problem: SetProblem, sets: Sequence[int]) -> tuple[int, float]:
    """Fewer missed constraints come first, then a higher value."""
    return -sum(map(problem.missed, sets)), _value(problem, sets)


def _greedy_order(problem: SetProblem) -> list[int]:
    """Routes in the order of what each adds for its cost; those that always run come first."""
    order = [r for r in range(problem.n_routes) if problem.always >> r & 1]
    chosen = problem.always
    while len(order) < problem.n_routes:
        now, left = problem.value(chosen), [r for r in range(problem.n_routes) if not chosen >> r & 1]
        best = max(left, key=lambda r: ((problem.value(chosen | 1 << r) - now) / problem.costs[r], -r))
        order.append(best)
        chosen |= 1 << best
    return order


def _filled(problem: SetProblem, order: Sequence[int]) -> list[int]:
    """Sets of each phase: those of the phase before, and then each further route in the order that the budget still pays for."""
    sets, chosen = list[int](), problem.always
    for phase in range(len(problem.budgets)):
        for r in order:
            if problem.is_within(chosen | 1 << r, phase):
                chosen |= 1 << r
        sets.append(chosen)
    return sets


def _moves(order: Sequence[int]) -> Iterator[list[int]]:
    """Yield the order with one route taken to another place."""
    for i, r in enumerate(order):
        others = [*order[:i], *order[i + 1 :]]
        for j in range(len(order)):
            if j != i:
                yield [*others[:j], r, *others[j:]]


def _bound(problem: SetProblem) -> float:
    """Sum of weights times the lower of two bounds on what any set of each budget is worth."""
    return sum(
        weight * min(_bound_by_loss(problem, b), _bound_by_pairs(problem, b))
        for b, weight in zip(problem.budgets, problem.weights, strict=True)
    )


def _bound_by_loss(problem: SetProblem, budget: float) -> float:
    """
    Bound by what is lost without routes.

    What only route r brings, d_r, is lost without it. A trip is in d_r of the two routes of its journey at the most, so a set without the
    routes of R loses half of their sum at least: ``v(S) <= v(all) - 1/2 sum of d_r over r not in S``.
    """
    everything = problem.value(problem.whole)
    half = [(everything - problem.value(problem.whole ^ 1 << r)) / 2 for r in range(problem.n_routes)]
    return everything - sum(half) + _knapsack(half, problem.costs, budget)


def _bound_by_pairs(problem: SetProblem, budget: float) -> float:
    """
    Bound by what routes bring alone and in pairs.

    A trip is served by one route or by two: ``v(S) <= sum of v(r) + sum of c_rq``, where c_rq is what a transfer between r and q adds.
    Each route of S has at most m - 1 partners, if the budget pays for m routes, and half of each c_rq.
    """
    if problem.direct is None:
        return math.inf
    n = problem.n_routes
    added = np.zeros((n, n))
    for r, q in combinations(range(n), 2):
        both = 1 << r | 1 << q
        added[r, q] = added[q, r] = problem.value(both) - problem.direct(both)
    most = int(np.searchsorted(np.cumsum(sorted(problem.costs)), budget + _EQUAL, side="right"))
    partners = np.sort(added, axis=1)[:, ::-1][:, : max(0, most - 1)].sum(axis=1)
    worth = [problem.value(1 << r) + float(partners[r]) / 2 for r in range(n)]
    return _knapsack(worth, problem.costs, budget)


def _knapsack(worth: Sequence[float], costs: Sequence[float], budget: float) -> float:
    """
    Most that routes within a budget are worth, parts of a route allowed [1]_.

    References
    ----------
    .. [1] Dantzig (1957), Discrete-variable extremum problems, Operations Research 5(2), 266-288.
    """
    total, left = 0.0, budget
    for r in sorted(range(len(worth)), key=lambda k: -worth[k] / costs[k]):
        part = min(1.0, left / costs[r])
        total, left = total + part * worth[r], left - part * costs[r]
    return total
