"""Searches that begin from a plan: in this process, or in another one that builds the case for itself."""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from owlbus.search.chain import Chain
from owlbus.search.objective import Case

if TYPE_CHECKING:
    from owlbus.limits import RouteLimits
    from owlbus.plan import Plan
    from owlbus.search.objective import Objective
    from owlbus.search.wishes import Wishes

_HOT_PART, _COLD_PART = 1 / 1_000, 1 / 75_000
"""First and last temperature, as parts of what the plan is worth that a search begins from."""


def search_from(
    case: Case,
    objective: Objective,
    limits: RouteLimits,
    n_routes: int,
    plan: Plan,
    n_steps: int,
    rng: np.random.Generator,
    wishes: Wishes | None = None,
) -> tuple[Plan, int]:
    """
    Fill the routes that a plan leaves empty, then change all of them.

    Parameters
    ----------
    case
        Network, demand and rule.
    objective
        What to maximise.
    limits
        What plans keep; the given one must.
    n_routes
        Routes K, at least as many as the plan has.
    plan
        Plan to begin from; it may have no routes.
    n_steps
        Moves to try.
    rng
        Random numbers; the same ones give the same plan.
    wishes
        What else plans keep; the given one must, and the case has to leave out what they forbid.

    Returns
    -------
    plan
        The best plan met.
    value
        What it is worth, in 1/1024.
    """
    chain = Chain(case, objective, limits, n_routes, rng, wishes)
    chain.load(plan, np.arange(n_routes) < (0 if wishes is None else wishes.n_fixed))
    for k in range(len(plan), n_routes):
        if not chain.construct(k):
            break
    worth = max(1, chain.best_value)
    chain.anneal(n_steps, worth * _HOT_PART, worth * _COLD_PART)
    return chain.best_plan(), chain.best_value


def packed_case(case: Case, demand: object) -> bytes:
    """
    Pack what a case is built from, for `search_apart`.

    Parameters
    ----------
    case
        Network and rule.
    demand
        Trips that the case was built from.

    Returns
    -------
    bytes
        The same for the same case, in bytes.
    """
    return pickle.dumps((case.network, demand, case.rule), protocol=pickle.HIGHEST_PROTOCOL)


def search_apart(
    packed: bytes, objective: Objective, limits: RouteLimits, n_routes: int, plan: Plan, n_steps: int, rng: np.random.Generator
) -> tuple[Plan, int]:
    """
    `search_from` in another process, with equal results.

    Parameters
    ----------
    packed
        From `packed_case`; a process builds each case once.
    objective, limits, n_routes, plan, n_steps, rng
        As in `search_from`.

    Returns
    -------
    plan, value
        As of `search_from`, the value in 1/1024.
    """
    return search_from(unpacked_case(packed), objective, limits, n_routes, plan, n_steps, rng)


@lru_cache(maxsize=1)
def unpacked_case(packed: bytes) -> Case:
    """
    Build a case once in a process; arrays are made as everywhere, so that compiled kernels fit them.

    Parameters
    ----------
    packed
        From `packed_case`.

    Returns
    -------
    Case
        The case.
    """
    network, demand, rule = pickle.loads(packed)  # noqa: S301 - from our own process
    return Case.build(network, demand, rule)
