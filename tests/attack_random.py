"""Publishing rules attacked on random towns, and what each loses in accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attack import Knowledge
from attack_rules import figures, nearest, nights, rounded_down, targets, without_small_parts
from attack_towns import random_town

if TYPE_CHECKING:
    from attack import Recovered
    from attack_rules import Rule
    from attack_towns import Town

LEAST_PART = 150
"""Trips or people from which on a part of the demand is printed: ten times the base."""
RULES = {"down": rounded_down(15), "nearest": nearest(15), "nearest30": nearest(30)}


def recovered(town: Town, rule: Rule, *, persons: bool = True, rows: bool = False, least: float = LEAST_PART) -> list[Recovered]:
    """
    Counts and nights of a town that all figures by a rule give away, if `rows` beside the exact number of records of each source.

    Parts of the demand of fewer than `least` trips, or people, are not printed.
    """
    told = list(figures(town))
    knowledge = Knowledge(town.atoms.size)
    for figure in without_small_parts(town, told, least):
        rule.tell(knowledge, figure, town.atoms)
    for source in np.eye(len(town.trips)) if rows else ():
        weights = town.weights(source[:, None, None, None], source[0])
        knowledge.tell(weights, *[float(weights @ town.atoms)] * 2)
    found = knowledge.recovered(targets(town, told, persons=persons), town.atoms)
    return found + knowledge.recovered(nights(town), town.atoms, is_any_size=True)


def main(n_towns: int, names: list[str]) -> None:
    """
    Print what each rule gives away of `n_towns` towns.

    ``down-all`` prints parts of few people too, ``down-rows`` tells the rows read, ``down-area`` looks at counts as figures weigh them,
    ``down-large`` takes towns of up to 600 people.
    """
    for name in names or list(RULES):
        (rule, *how) = name.split("-")
        broken = 0
        for seed in range(n_towns):
            town = random_town(seed, n_people=(150, 600) if "large" in how else (20, 150))
            found = recovered(town, RULES[rule], persons="area" not in how, rows="rows" in how, least=0 if "all" in how else LEAST_PART)
            broken += bool(found)
            for count in found:
                print(f"{name}, town {seed}: {count}", flush=True)  # noqa: T201 - a program
        mean, _, worst = loss_points(RULES[rule], 130)
        loss = f"shares of 130 people are {mean:.1f} points off on average and {worst:.1f} at worst"
        print(f"{name}: {broken} of {n_towns} towns give a count away; {loss}", flush=True)  # noqa: T201 - a program


def loss_points(rule: Rule, n_people: int, n_towns: int = 400) -> tuple[float, float, float]:
    """Mean, 95th percentile and largest error, in points, of a share of `n_people` people that a rule prints."""
    rng = np.random.default_rng(7)
    parts = rng.binomial(n_people, rng.uniform(0.1, 0.9, n_towns))
    whole = rule.middle(rule.printed(n_people))
    shown = np.array([rule.middle(rule.printed(part)) / whole if rule.printed(part) > 0 else 0.0 for part in parts])
    error = 100 * np.abs(np.minimum(shown, 1.0) - parts / n_people)
    return float(error.mean()), float(np.quantile(error, 0.95)), float(error.max())
