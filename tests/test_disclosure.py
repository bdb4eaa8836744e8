"""What is published gives no small count away: every number is attacked with all the others."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from cities import city
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from owlbus.common.disclosure import (
    LOWEST_MIN_COUNT,
    MIN_COUNT,
    Counts,
    check_min_count,
    hidden_cells,
    is_small,
)
from owlbus.common.errors import DataError, PrivacyError
from owlbus.demand import Demand
from owlbus.plan import Plan, Route
from owlbus.plan.limits import ServiceRule
from owlbus.score import score_plan

MEASURES = ("presence", "served", "direct")
ROUNDED = 0.06


def known_range(equations, cell, n):
    """Least and largest value of unknown `cell` that no published number contradicts: equations are (coefficients, low, high)."""
    sides = [side for coefficients, low, high in equations for side in ((coefficients, high), (-coefficients, -low))]
    matrix, limits = np.array([row for row, _ in sides]), np.array([limit for _, limit in sides])
    ends = []
    for sign in (1.0, -1.0):
        goal = np.zeros(n)
        goal[cell] = sign
        found = linprog(goal, A_ub=matrix, b_ub=limits, bounds=[(0, None)] * n, method="highs")
        assert found.status in {0, 3}, found.message
        ends.append(np.inf if found.status == 3 else sign * found.fun)
    return ends


class Attack:
    """Unknowns and what the published document says of them, read from the document alone."""

    def __init__(self) -> None:
        self.names, self.equations = {}, []

    def cell(self, *name: object):
        """Number of an unknown."""
        return self.names.setdefault(name, len(self.names))

    def tell(self, terms, low, high):
        """Write an equation down."""
        self.equations.append((terms, low, high))

    def ranges(self):
        """What is known of each unknown."""
        n = len(self.names)
        dense = []
        for terms, low, high in self.equations:
            row = np.zeros(n)
            for cell, weight in terms:
                row[cell] += weight
            dense.append((row, low, high))
        return {name: known_range(dense, cell, n) for name, cell in self.names.items()}

    def part(self, name, shown):
        """Three counts of trips and two of people make every count of a part."""
        atoms = {what: self.cell(name, what) for what in ("near", "away", "direct", "change", "unserved")}
        above = {"presence": ("near",), "served": ("direct", "change"), "direct": ("direct",)}
        below = {"presence": ("near", "away")} | dict.fromkeys(("served", "direct"), ("direct", "change", "unserved"))
        for measure in MEASURES:
            for end, which in (("numerator", above), ("denominator", below)):
                value = shown[measure][end]
                if value is not None:
                    self.tell([(atoms[what], 1.0) for what in which[measure]], value - ROUNDED, value + ROUNDED)
            share = shown[measure]["share"]
            if share is not None:
                terms = [(atoms[what], 1.0) for what in above[measure]] + [(atoms[what], -share) for what in below[measure]]
                slack = 1e-6 * (shown[measure]["denominator"] or 1e3)
                self.tell(terms, -slack, slack)
        return atoms


def attack_on(document):
    """Everything a reader of a scorecard can write down."""
    attack = Attack()
    whole = attack.part("all", document)
    for family in ("by_hour", "by_weekday", "by_group", "by_source"):
        parts = [attack.part((family, label), shown) for label, shown in document[family].items()]
        weight = 1.0 if family in {"by_hour", "by_group"} else 1 / max(1, len(parts))
        for what in whole if parts else ():
            attack.tell([(whole[what], -1.0), *((part[what], weight) for part in parts)], 0.0, 0.0)
    if document["transfer_share"] is not None:
        share = document["transfer_share"]
        attack.tell([(whole["change"], 1.0 - share), (whole["direct"], -share)], -0.01, 0.01)
    totals = {"boardings_trips": ("direct", "change"), "transfers_trips": ("change",), "only_presence": ("near",)}
    for column, parts in totals.items():
        cells = [attack.cell(column, place) for place in range(len(document["routes"]))]
        for cell, row in zip(cells, document["routes"], strict=True):
            if row[column] is not None:
                attack.tell([(cell, 1.0)], row[column] - ROUNDED, row[column] + ROUNDED)
        rest = [(attack.cell(column, "shared"), 1.0)] if column == "only_presence" else []
        attack.tell([*((whole[what], -1.0) for what in parts), *((cell, 1.0) for cell in cells), *rest], -0.01, 0.01)
    return attack


def truth_of(card):
    parts = {"all": card.coverage} | {
        (family, label): part
        for family in ("by_hour", "by_weekday", "by_group", "by_source")
        for label, part in getattr(card, family).items()
    }
    truth = {}
    for name, part in parts.items():
        near, served, direct = part.presence, part.served, part.direct
        truth |= {(name, "near"): near.numerator, (name, "away"): near.denominator - near.numerator}
        truth |= {(name, "direct"): direct.numerator, (name, "change"): served.numerator - direct.numerator}
        truth[name, "unserved"] = served.denominator - served.numerator
    for column in ("boardings_trips", "transfers_trips", "only_presence"):
        truth |= {(column, place): getattr(row, column) for place, row in enumerate(card.routes)}
    return truth


def random_card(seed, rule=None):
    """A small city over two weeks with few enough people that many counts are small."""
    rng = np.random.default_rng(seed)
    network, _ = city(6, [(0, 1), (1, 2), (3, 1), (1, 4)], {(0, 1): 1.0})
    nights = tuple(dt.date(2013, 3, 11) + dt.timedelta(days=day) for day in range(7))
    rows = 120
    trips = {"night": rng.integers(7, size=rows), "hour": 24 + rng.integers(3, size=rows), "origin": rng.integers(6, size=rows)}
    trips |= {"destination": (trips["origin"] + rng.integers(1, 6, size=rows)) % 6, "trips": rng.exponential(10.0, rows)}
    people = {"night": rng.integers(7, size=rows), "hour": 24 + rng.integers(3, size=rows), "hex": rng.integers(6, size=rows)}
    people["presence"] = rng.exponential(8.0, rows)
    demand = Demand.from_rows(6, trips, people, hours=(24, 25, 26), nights=nights)
    plan = Plan((Route([0, 1, 2], "A"), Route([3, 1, 4], "B")), network.fingerprint)
    return score_plan(network, demand, plan, rule=rule, groups=["a", "a", "b", "b", "c", "d"])


@pytest.mark.parametrize("seed", range(6))
def test_no_small_count_of_a_scorecard_is_recovered_from_all_that_is_published(seed):
    card = random_card(seed, ServiceRule(max_transfers=seed % 2))
    attack = attack_on(card.to_dict())
    truth = truth_of(card)
    for name, (low, high) in attack.ranges().items():
        value = truth.get(name)
        if value is not None and is_small(value):
            assert high - low > MIN_COUNT - 1, f"{name} is {value} and known to lie in [{low}, {high}]"


def test_the_attack_recovers_what_is_hidden_alone():
    """Without secondary suppression it succeeds, so the test above means something."""
    card = random_card(0)
    document = card.to_dict()
    truth = truth_of(card)
    for family in ("by_hour", "by_weekday", "by_group"):
        for label, part in document[family].items():
            for measure in MEASURES:
                exact = getattr(getattr(card, family)[label], measure)
                if not is_small(exact.numerator):
                    part[measure]["numerator"] = exact.numerator
                part[measure]["denominator"] = exact.denominator
    recovered = [name for name, (low, high) in attack_on(document).ranges().items() if is_small(truth.get(name, 0.0)) and high - low < 1.0]
    assert recovered


def test_nothing_small_is_shown():
    for seed in range(4):
        text = random_card(seed).to_json()
        document = random_card(seed).to_dict()
        assert '"share": null' in text
        counts = [part[m][end] for f in ("by_hour", "by_group") for part in document[f].values() for m in MEASURES for end in part[m]]
        numerators = [value for value in counts if value is not None and value > 1.0]
        assert min(numerators, default=99.0) >= MIN_COUNT - 0.05


def test_a_large_city_hides_nothing():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 1): 500.0, (0, 2): 100.0, (1, 0): 80.0}, presence={0: 150.0, 2: 100.0})
    card = score_plan(network, demand, Plan((Route([0, 1, 2], "A"),), network.fingerprint))
    assert card.to_dict()["hidden"]["counts"] == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_parts_of_two_breakdowns_stay_unknown(parts, kinds):
    counts = Counts()
    total = counts.add(float(sum(parts)))
    cells = [counts.add(float(part)) for part in parts]
    counts.tie(total, cells)
    groups = [[cell for cell, kind in zip(cells, kinds, strict=False) if kind == k] for k in range(4)]
    sums = [counts.add(sum(counts.values[cell] for cell in group)) for group in groups if group]
    for place, group in zip(sums, [group for group in groups if group], strict=True):
        counts.tie(place, group)
    counts.tie(total, sums)
    hidden = counts.hidden()
    n = len(counts.values)
    shown = [(np.eye(n)[i], counts.values[i], counts.values[i]) for i in range(n) if not hidden[i]]
    ties = [(np.eye(n)[whole] - np.eye(n)[list(row)].sum(axis=0), 0.0, 0.0) for whole, row, _ in counts.ties]
    for cell in range(n):
        if is_small(counts.values[cell]):
            low, high = known_range([*shown, *ties], cell, n)
            assert hidden[cell]
            assert high - low > MIN_COUNT - 1e-3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=12), st.integers(0, 2**24 - 1))
def test_cells_of_a_map_stay_unknown_beside_their_margins(values, bits):
    """Unless a whole class of cells holds fewer people: then its margin is what must not be shown."""
    n = len(values)
    margins = [[bool(bits >> (row * 12 + cell) & 1) for cell in range(n)] for row in range(2)]
    hidden = hidden_cells(values, margins)
    kinds = {cell: tuple(margin[cell] for margin in margins) for cell in range(n)}
    equations = [(np.array(margin, dtype=float), *[float(np.dot(margin, values))] * 2) for margin in (*margins, [True] * n)]
    equations += [(np.eye(n)[cell], float(values[cell]), float(values[cell])) for cell in range(n) if not hidden[cell]]
    for cell in np.flatnonzero(is_small(values)):
        alike = [other for other in range(n) if kinds[other] == kinds[int(cell)]]
        assert hidden[cell]
        if sum(values[other] for other in alike) >= MIN_COUNT and len(alike) > 1:
            low, high = known_range(equations, int(cell), n)
            assert high - low > MIN_COUNT - 1e-3


def test_the_least_is_hidden():
    assert hidden_cells([100.0, 20.0, 3.0, 50.0]).tolist() == [False, True, True, False]


def test_small_cells_that_hide_each_other_need_no_help():
    assert hidden_cells([100.0, 9.0, 9.0]).tolist() == [False, True, True]


def test_a_threshold_that_protects_nobody_is_refused():
    for attempt in (lambda: Counts(1), lambda: hidden_cells([1.0], (), 4.9), lambda: random_card(0).to_dict(0)):
        with pytest.raises(PrivacyError, match=r"min_count must be at least 5 people, got .*; counts of fewer point at persons"):
            attempt()


def test_a_count_that_is_none_is_refused():
    with pytest.raises(DataError, match="a count must be finite and >= 0, got nan; nothing is published"):
        Counts().add(float("nan"))


def test_the_threshold_itself_may_be_shown():
    assert is_small([14.999, 15.0, 0.0]).tolist() == [True, False, False]


def test_a_small_count_is_hidden_and_one_only_known_counts_as_hidden_without_any_sum():
    counts = Counts()
    counts.add(3.0)
    counts.add(30.0)
    counts.add(30.0, is_shown=False)
    assert counts.hidden().tolist() == [True, False, True]


def test_a_sum_needs_a_weight_for_every_part():
    counts = Counts()
    total, *parts = (counts.add(value) for value in (40.0, 3.0, 37.0))
    with pytest.raises(DataError, match=r"^a sum needs a weight for each of its 2 parts, got 1; nothing is published$"):
        counts.tie(total, parts, [1.0])


def test_what_is_hidden_anyway_moves_at_no_cost_however_much_of_it_there_is():
    """Behind the total of 18 stand forty counts that nobody is shown; moving all of them hides less than the one count beside."""
    counts = Counts()
    few, beside = counts.add(3.0), counts.add(15.0)
    chain = [counts.add(18.0, is_shown=False) for _ in range(40)]
    counts.tie(chain[0], [few, beside])
    for total, part in zip(chain[1:], chain, strict=False):
        counts.tie(total, [part])
    assert counts.hidden().tolist() == [True, False, *([True] * 40)]


def test_a_small_count_can_grow_by_the_whole_threshold():
    """A hidden 16 that weighs 0.9 gives way by 14.4 and no more, so a further count must."""
    counts = Counts()
    total = counts.add(3.0 + 0.9 * 16.0 + 90.0)
    few, known, other = counts.add(3.0), counts.add(16.0, is_shown=False), counts.add(90.0)
    counts.tie(total, [few, known, other], [1.0, 0.9, 1.0])
    assert counts.hidden().tolist() == [False, True, True, True]


def test_hidden_cells_that_hold_the_threshold_exactly_need_no_further_one():
    assert hidden_cells([7.0, 8.0, 100.0]).tolist() == [True, True, False]


def test_the_lowest_threshold_is_allowed_and_the_next_below_is_not():
    check_min_count(LOWEST_MIN_COUNT)
    with pytest.raises(PrivacyError, match=r"^min_count must be at least 5 people, got 4.9; counts of fewer point at persons$"):
        check_min_count(4.9)


def test_nobody_hides_nobody():
    """A cell of zero beside a small one hides nothing, so the least cell with people goes."""
    assert hidden_cells([3.0, 0.0, 40.0, 50.0]).tolist() == [True, False, True, False]
