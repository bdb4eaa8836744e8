"""The publishing rule: counts are multiples of the base, and everything else is made of such counts alone."""

from __future__ import annotations

import datetime as dt
import json
import math

import numpy as np
import pytest
from cities import city
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.disclosure import EXACT, LOWEST_MIN_COUNT, MIN_COUNT, Publisher, check_min_count
from owlbus.common.errors import PrivacyError
from owlbus.demand import Demand
from owlbus.plan import Plan, Route
from owlbus.score import score_plan

COUNTS = ("numerator", "denominator", "boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips", "only_presence")
SHARES = ("share", "low_share", "high_share", "range_share")


def random_card(seed, n_nights=7, min_count=MIN_COUNT):
    """A small city, some of whose districts and routes have few people."""
    rng = np.random.default_rng(seed)
    network, _ = city(6, [(0, 1), (1, 2), (3, 1), (1, 4)], {(0, 1): 1.0})
    nights = tuple(dt.date(2013, 3, 11) + dt.timedelta(days=day) for day in range(n_nights))
    rows = 600
    trips = {"night": rng.integers(n_nights, size=rows), "hour": 24 + rng.integers(3, size=rows), "origin": rng.integers(6, size=rows)}
    trips |= {"destination": (trips["origin"] + rng.integers(1, 6, size=rows)) % 6, "trips": rng.exponential(10.0, rows)}
    people = {"night": rng.integers(n_nights, size=rows), "hour": 24 + rng.integers(3, size=rows), "hex": rng.integers(6, size=rows)}
    people["presence"] = rng.exponential(8.0, rows)
    demand = Demand.from_rows(6, trips, people, hours=(24, 25, 26), nights=nights)
    plan = Plan((Route([0, 1, 2], "A"), Route([3, 1, 4], "B")), network.fingerprint)
    return score_plan(network, demand, plan, groups=["a", "a", "b", "b", "c", "d"], min_count=min_count)


def leaves(value, name=""):
    """Every number of a document with the key that it stands under."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, name)
    else:
        yield name, value


@pytest.mark.parametrize("seed", range(4))
def test_every_count_of_a_scorecard_is_a_multiple(seed):
    found = [value for name, value in leaves(random_card(seed).to_dict()) if name in COUNTS and value is not None]
    assert len(found) > 50
    assert not [value for value in found if value % MIN_COUNT]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_printed_does_not_change_while_printed_counts_do_not(seed):
    """Nothing but printed counts enters: a scorecard whose counts are moved within their classes prints the same."""
    card, rng = random_card(seed, n_nights=2), np.random.default_rng(seed)

    def moved(measure):
        ends = measure.numerator, measure.denominator
        return type(measure)(*((math.floor(count / 15) + rng.uniform(0.01, 0.99)) * 15 for count in ends))

    def moved_part(part):
        return type(part)(*(moved(measure) for measure in (part.presence, part.served, part.direct)))

    before = card.to_dict()
    names = ("by_hour", "by_weekday", "by_group")
    values = {name: getattr(card, name) for name in type(card).__slots__} | {
        name: {label: moved_part(part) for label, part in getattr(card, name).items()} for name in names
    }
    after = type(card)(**values | {"coverage": moved_part(card.coverage)}).to_dict()
    for name in ("mean_ride_s", "mean_walk_m", "mean_travel_s"):  # made of sums of seconds and metres that move with the counts
        before.pop(name), after.pop(name)
    assert json.dumps(after) == json.dumps(before)


def test_shares_of_a_scorecard_follow_from_its_printed_counts():
    document = random_card(1).to_dict()
    parts = [part for family in ("by_hour", "by_weekday", "by_group") for part in document[family].values()]
    measures = [measure for part in parts for measure in part.values()]
    absent = [measure for measure in measures if measure["share"] is None]
    assert 0 < len(absent) < len(measures)
    assert {value for measure in absent for value in measure.values()} == {None, "too few to tell"}
    for measure in measures:
        if measure not in absent:
            above, below = measure["numerator"], measure["denominator"]
            assert below >= 10 * MIN_COUNT
            assert measure["share"] == (round((above + 7.5) / (below + 7.5), 6) if above else 0.0)


def test_the_whole_of_a_small_town_has_a_share_with_the_range_that_its_counts_leave_open():
    publisher = Publisher()
    assert publisher.share(90.0, 130.0) is None
    assert publisher.headline(90.0, 130.0) == round(97.5 / 127.5, 6)
    assert publisher.range_share(90.0, 130.0) == (round(90 / 135, 6), round(105 / 120, 6))
    assert publisher.headline(9.0, 14.0) is None


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from([5, 10, 15, 30]))
def test_a_share_and_its_range_hold_the_truth(a, b, base):
    part, whole = min(a, b), max(a, b)
    publisher = Publisher(base)
    between = publisher.range_share(part, whole)
    if between is None:
        assert publisher.count(whole) == 0
        return
    low, high = between
    share = publisher.headline(part, whole)
    assert low - 1e-6 <= part / whole <= high + 1e-6
    assert share is not None
    assert low - 1e-6 <= share <= high + 1e-6
    assert publisher.share_at_most(part, whole) >= part / whole - 1e-6


@given(st.integers(0, 3000), st.integers(0, 14), st.integers(0, 14))
def test_a_bound_tells_no_more_than_the_count_that_meets_it(count, a, b):
    """A bound that is met is the count itself: both together leave the whole class open."""
    publisher, first, second = Publisher(), 15 * count + a, 15 * count + b
    assert publisher.at_most(first) == publisher.at_most(second) == 15 * count + 15
    assert publisher.share_at_most(first, 50_000) == publisher.share_at_most(second, 50_000)


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_a_difference_is_that_of_the_printed_counts_or_is_not_told(before, after):
    publisher = Publisher()
    change = publisher.change(before, after)
    printed = publisher.count(after) - publisher.count(before)
    assert change == (printed if abs(printed) >= 30 else None)


def test_open_data_are_printed_as_they_are():
    publisher = Publisher(EXACT)
    assert (publisher.count(7.04), publisher.share(7.0, 40.0), publisher.change(3.0, 4.0), publisher.change(3.0, 3.0)) == (
        7.0,
        0.175,
        1.0,
        0.0,
    )
    assert (publisher.at_most(7.0), publisher.share_at_most(7.0, 40.0), publisher.mean(70.0, 7.0, 3600.0)) == (7.0, 0.175, 10.0)
    assert publisher.facts == {"min_count": 0, "counts": "exact: the records are open data"}


def test_a_mean_is_made_of_printed_sums_and_is_absent_of_few():
    publisher = Publisher()
    assert publisher.mean(149 * 600.0, 149, 3600.0) is None
    assert publisher.mean(600 * 620.0, 600, 1800.0) == publisher.mean(614 * 615.0, 614, 1800.0) == 1800.0 * (195 + 7.5) / 607.5
    assert abs(publisher.mean(60_000 * 620.0, 60_000, 1800.0) - 620.0) < 1


def test_fewer_than_five_nights_have_no_interval():
    for n_nights in (1, 2, 4):
        document = random_card(2, n_nights).to_dict()
        assert document["presence"]["low_share"] is None
    assert random_card(2, 5, EXACT).to_dict()["presence"]["low_share"] is not None


def test_nights_of_few_people_have_no_interval():
    assert random_card(2, 7).to_dict()["served"]["low_share"] is not None
    assert random_card(2, 7, 100).to_dict()["served"]["low_share"] is None


def test_every_document_says_how_its_counts_are_printed():
    assert random_card(0).to_dict()["counts"] == "rounded down to multiples of 15, shares and means computed from those"
    assert random_card(0).to_dict(EXACT)["counts"] == "exact: the records are open data"


@pytest.mark.parametrize("base", [0, 1, 4.9, math.inf, math.nan])
def test_a_base_that_protects_nobody_is_refused(base):
    for attempt in (lambda: Publisher(base), lambda: random_card(0).to_dict(base)):
        with pytest.raises(PrivacyError, match=r"^min_count must be at least 5 people, got .*; counts of fewer point at persons$"):
            attempt()


def test_the_lowest_base_is_allowed():
    check_min_count(LOWEST_MIN_COUNT)
