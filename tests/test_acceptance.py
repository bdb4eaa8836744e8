"""Who rides: the logit, its table of steps, the wait of a headway, and the file."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.acceptance import ACCEPTED, EARLY_SHARE, STEP_S, WAIT_LIMIT_S, RideChoice, expected_wait_s, walk_s
from owlbus.common.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("headway_s", "wait_s"), [(0, 0), (60, 30), (1199, 599), (1200, 600), (1201, 600), (1208, 601), (2400, 750), (7200, 1350)]
)
def test_people_wait_half_the_headway_up_to_ten_minutes_and_a_quarter_of_the_rest(headway_s: int, wait_s: int) -> None:
    half = headway_s / 2
    assert expected_wait_s(headway_s) == wait_s == math.floor(min(half, WAIT_LIMIT_S) + EARLY_SHARE * max(0, half - WAIT_LIMIT_S))


@given(st.integers(0, 20_000), st.integers(0, 20_000))
def test_a_longer_headway_never_means_a_shorter_wait(one: int, two: int) -> None:
    assert expected_wait_s(min(one, two)) <= expected_wait_s(max(one, two))


def test_as_many_ride_as_not_where_both_ways_take_as_long() -> None:
    choice = RideChoice(alternative_min=20, alternative_weight=1.5)
    assert choice.share(20 + 1.5 * 30, drive_s=1800) == 0.5


def test_nobody_rides_without_a_journey() -> None:
    assert RideChoice().share(np.inf, drive_s=600) == 0


def test_weights_hold_for_walk_wait_and_transfers() -> None:
    choice = RideChoice(walk_weight=2.5, wait_weight=3, transfer_min=7)
    assert choice.generalised_min(60, 120, 180, 2) == 2.5 + 6 + 3 + 14


@given(st.floats(0.5, 60), st.integers(-40_000, 40_000))
def test_the_steps_are_the_logit_within_half_a_step(scale_min: float, longer_s: int) -> None:
    choice = RideChoice(scale_min=scale_min, alternative_min=0, alternative_weight=0)
    steps = choice.steps()
    half = len(steps) // 2
    share = steps[np.clip(half + longer_s // STEP_S, 0, 2 * half)] / ACCEPTED
    exact = 1 / (1 + math.exp(min(700.0, longer_s / 60 / scale_min)))
    slope = STEP_S / 60 / scale_min / 4
    assert abs(share - exact) <= slope + 1.5 / ACCEPTED


def test_steps_never_rise_and_end_at_nobody() -> None:
    steps = RideChoice().steps()
    assert (np.diff(steps) <= 0).all()
    assert steps[0] == ACCEPTED
    assert steps[-1] == 0


def test_a_walk_takes_whole_seconds() -> None:
    assert walk_s(np.array([1, 125])).tolist() == [1, 100]


@pytest.mark.parametrize(
    "wrong", [{"scale_min": 0.0}, {"walk_weight": -1.0}, {"transfer_min": math.nan}, {"scale_trips": 0.0}, {"alternative_min": math.inf}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RideChoice(**wrong)


def test_a_file_returns_what_was_written(tmp_path: Path) -> None:
    choice = RideChoice(walk_weight=1.75, scale_trips=0.125)
    choice.write(tmp_path / "choice.json")
    assert RideChoice.read(tmp_path / "choice.json") == choice


def test_the_report_of_a_fit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "choice.json"
    file.write_text(json.dumps({"schema_version": 1, "scale_trips": 0.5, "report": {"deviance": 3.0}}))
    assert RideChoice.read(file) == RideChoice(scale_trips=0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "must be JSON"),
        ("[1]", "must be a JSON object, got list"),
        ("{}", "schema_version must be 1, got None"),
        ('{"schema_version": 9}', "schema_version must be 1, got 9"),
        ('{"schema_version": 1, "uptake": 1}', "got uptake: 1"),
        ('{"schema_version": 1, "scale_min": "4"}', "got scale_min: '4'"),
        ('{"schema_version": 1, "scale_min": true}', "got scale_min: True"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "choice.json"
    file.write_text(text)
    with pytest.raises(DataError, match=r"choice\.json") as caught:
        RideChoice.read(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: cannot be read"):
        RideChoice.read(tmp_path / "gone.json")
