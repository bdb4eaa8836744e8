"""Where people count alone, a search proves how far the published figure, by area, can be from the best one."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bound_towns import town
from test_evidence_cli import made, told

from owlbus.common.disclosure import EXACT, Publisher
from owlbus.network.walk_sheds import points_of, reached_share
from owlbus.search import plan_routes
from owlbus.search.published_bound import PublishedBound
from owlbus.search.stopping import MaxSeconds, MaxSteps

if TYPE_CHECKING:
    from pathlib import Path

    from bound_towns import Town

    from owlbus.search import Result

__all__ = ["made"]


def searched(one: Town, objective: str = "presence", **more: object) -> Result:
    """Plan of a town, with a bound of 20 iterations unless told otherwise."""
    settings: dict[str, Any] = {"stop_when": [MaxSteps(600)], "bound_steps": 20, "constraints": one.constraints} | more
    return plan_routes(one.problem.network, one.demand, one.n_routes, limits=one.limits, objective=objective, **settings)


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_reaches_more_people_by_area_than_the_bound_beside_the_figure_of_the_plan(seed: int) -> None:
    one = town(seed)
    found = searched(one)
    bound, people = found.published_bound, one.demand.presence_by_hex()
    assert bound is not None
    reached = reached_share(one.problem.network, found.plan.used_stops, points_of(one.problem.network))
    assert bound.plan_share == pytest.approx(reached @ people / people.sum())
    assert bound.plan_share <= one.best("area") / 1024 / people.sum() + 1e-9 <= bound.share + 2e-9
    assert bound.gap == bound.share / bound.plan_share - 1
    assert found.printed_published_shares(Publisher(EXACT)) == (round(bound.plan_share, 6), round(bound.share, 6))


def test_the_bound_by_area_is_told_only_where_people_count_alone_by_another_rule_and_a_bound_is_asked_for() -> None:
    one = town(0)
    weights = np.linspace(0.5, 2.0, one.demand.n_hexes)
    absent = [searched(one, "served"), searched(one, "served=1,presence=1"), searched(one, bound_steps=0), searched(one, weights=weights)]
    whole = replace(one, problem=replace(one.problem, network=replace(one.problem.network, points=None)))
    absent += [searched(whole), searched(one, on_progress=lambda _: True)]
    assert [found.published_bound for found in absent] == [None] * len(absent)
    assert searched(one, "presence=7").published_bound == searched(one).published_bound
    assert "people near a stop, by area" in searched(one).to_html(EXACT)
    assert "people near a stop, by area" not in absent[0].to_html(EXACT)


def test_the_bound_by_area_ends_soon_after_the_seconds_of_its_search() -> None:
    found = searched(town(0), stop_when=[MaxSeconds(0.2)], bound_steps=10**6)
    assert found.published_bound is not None


def test_a_plan_that_reaches_nobody_lies_without_end_below_its_bound() -> None:
    assert (PublishedBound(0.0, 0.5).gap, PublishedBound(0.0, 0.0).gap) == (math.inf, 0.0)


def test_the_command_tells_the_gap_of_the_published_figure_before_that_of_the_search(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["plan", "--run", str(made / "run"), "--routes", "2", "--steps", "300", "--bound", "6", "--objective", "presence"]
    out = tmp_path / "out"
    document = told(capsys, *words, "--out", str(out))
    bound = document["published_bound"]
    share = document["plan"]["scorecard"]["presence"]["share"]
    assert bound["share"] >= share
    assert bound["gap"] == round(bound["share"] / share - 1, 6)
    assert json.loads((out / "run.json").read_text())["published_bound"] == bound
    assert "as published, the plan reaches" in (out / "report.html").read_text("utf-8")
