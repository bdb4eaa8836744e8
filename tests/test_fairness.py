"""How even the shares of districts are: against a plain sum over pairs, and as scorecard, terminal and report say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.report.fairness_text import spread_text, unserved_text
from owlbus.report.translations import read_translations
from owlbus.score.fairness import fairness, gini, printed_fairness, without_stop_text

ROWS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.integers(1, 50)), min_size=1, max_size=8)


@given(ROWS)
def test_gini_is_the_mean_difference_of_two_people_over_twice_the_mean(rows):
    people = sum(weight for _, weight in rows)
    mean = sum(share * weight for share, weight in rows) / people
    apart = sum(a * b * abs(x - y) for x, a in rows for y, b in rows) / people**2
    found = gini(rows)
    if mean == 0:
        assert found is None
    else:
        assert found == pytest.approx(apart / (2 * mean), abs=1e-12)
        assert 0 <= found < 1


@given(ROWS)
def test_a_group_split_in_two_alike_changes_nothing(rows):
    (share, weight), others = rows[0], rows[1:]
    halves = [(share, weight / 2), (share, weight / 2), *others]
    assert gini(halves) == pytest.approx(gini(rows))


def test_best_and_worst_are_named_and_groups_without_people_or_share_are_left_out():
    rows = [("a", 0.4, 10.0), ("b", 0.1, 30.0), ("c", None, 50.0), ("d", 0.0, 0.0), ("e", 0.4, 1.0)]
    assert fairness(rows) == {
        "gini": 0.3263,
        "best_to_worst": 4.0,
        "best": "a",
        "worst": "b",
        "n_without": 0,
        "unserved": [],
    }


def test_groups_that_nobody_reaches_are_named_the_largest_first():
    found = fairness([("a", 0.0, 10.0), ("b", 0.5, 30.0), ("c", 0.0, 50.0)])
    assert (found["unserved"], found["n_without"], found["best_to_worst"], found["worst"]) == (["c", "a"], 2, None, "a")
    assert fairness([("a", 0.0, 10.0)])["gini"] is None
    assert fairness([]) == {"gini": None, "best_to_worst": None, "best": None, "worst": None, "n_without": 0, "unserved": []}


def test_the_line_of_the_terminal_names_two():
    assert without_stop_text([]) == ""
    assert without_stop_text(["A"]) == "without a stop: A"
    assert without_stop_text(["A", "B", "C", "D"]) == "without a stop: A, B and 2 more"


def card(*shares: float | None) -> dict:
    groups = {name: {"presence": {"share": share, "denominator": 100.0}} for name, share in zip("ABCDEFGHIJ", shares, strict=False)}
    return {"min_count": 0, "by_group": groups, "fairness": printed_fairness(groups)}


def test_the_report_names_unserved_districts_and_the_spread_in_both_languages():
    english, korean = (read_translations(language) for language in ("en", "ko"))
    shown = card(0.4, 0.0, 0.2, None)
    assert unserved_text(shown, english) == "In one district nobody is within the walk of a stop: B."
    assert "Best reached is A with 40.0\u00a0%, worst B with 0.0\u00a0%." in spread_text(shown, english)
    assert "B" in unserved_text(shown, korean)
    assert "times the share" not in spread_text(shown, english), "no ratio to nothing"
    assert "2.0 times" in spread_text(card(0.4, 0.2), english)
    assert "2.0배" in spread_text(card(0.4, 0.2), korean)
    assert "fewer than 15 people are within the walk" in unserved_text(shown | {"min_count": 15}, english), "a printed 0 is not nobody"
    many = unserved_text(card(0.5, *[0.0] * 9), english)
    assert many == "In 9 districts nobody is within the walk of a stop: B, C, D, E, F, G, H, I and 1 more."
    assert "외 1곳" in unserved_text(card(0.5, *[0.0] * 9), korean)


@pytest.mark.parametrize("empty", [{}, card(), card(None), card(0.3)])
def test_nothing_is_said_where_nothing_is_known(empty):
    words = read_translations()
    assert (unserved_text(empty, words), spread_text(empty, words)) == ("", "")
