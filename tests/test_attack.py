"""What is published gives no small count away: all figures of small towns are attacked together by linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from attack import FEWEST_VALUES, Knowledge
from attack_random import RULES, recovered
from attack_towns import random_town
from attack_twins import leaks

SEEDS = (1, 11, 13, 23, 25, 35)
"""Towns on the smallest of the networks; ``python tests/attack.py 200`` takes all."""


@pytest.mark.parametrize("n_people", [(20, 150), (150, 600)])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_publishing_rule_leaves_every_small_count_of_a_town_open(seed, n_people):
    assert not [str(count) for count in recovered(random_town(seed, n_people=n_people), RULES["down"])]


def test_parts_of_few_give_counts_away_beside_parts_of_many():
    """So parts of less than ten times the base are not printed: three tables by group and a total leave three values of 14."""
    assert any(count.truth == 14 for count in recovered(random_town(29), RULES["down"], least=0))


def test_rounding_to_the_nearest_multiple_gives_counts_away():
    assert recovered(random_town(5), RULES["nearest"], least=0)


def test_towns_that_print_the_same_counts_print_the_same_everything():
    assert not leaks(1, ("routes", "compare by ring", "timetable", "reach"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_plans_for_trips_carried_and_for_day_types_tell_no_more_than_printed_counts(seed):
    """The routes are fixed: a search publishes which ones it finds. 2.5 riders a trip make no other classes beside those of trips."""
    assert not leaks(seed, ("planned", "by few", "by day"))


def test_a_trip_that_stands_for_many_riders_tells_no_more_of_itself():
    assert not leaks(1, ("riders of a sample", "carried of a sample", "days"), n_people=(150, 600))


def test_a_count_is_recovered_from_a_total_and_the_rest():
    """A reader who is told 20 and 17 exactly knows the 3, so that silence above means something."""
    knowledge = Knowledge(2)
    knowledge.tell([1, 1], 20, 20)
    knowledge.tell([0, 1], 17, 17)
    (count,) = knowledge.recovered({"few": [1, 0]}, np.array([3.0, 17.0]))
    assert count.n_values == 1
    assert str(count) == "few is 3, known to lie in [3.00, 3.00]"


@pytest.mark.parametrize(("n_parts", "is_safe"), [(11, True), (12, False)])
def test_twelve_parts_of_fourteen_give_themselves_away(n_parts, is_safe):
    """The known limit of rounding down: eleven parts that print 0 under a total of 150 leave five values, twelve under 165 four."""
    knowledge = Knowledge(n_parts)
    knowledge.tell(np.ones(n_parts), 15 * (14 * n_parts // 15), 15 * (14 * n_parts // 15) + 14)
    for part in np.eye(n_parts):
        knowledge.tell(part, 0, 14)
    found = knowledge.recovered({"part": np.eye(n_parts)[0]}, np.full(n_parts, 14.0))
    assert bool(found) != is_safe
    assert all(count.n_values < FEWEST_VALUES for count in found)
