"""Several seeds: the best plan is kept, their spread is told apart from other uncertainties, and a sweep never falls."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cities import ANY_SHAPE, city
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus import Demand, HexGrid, MaxSteps, Network, Plan, RouteLimits, plan_routes
from owlbus.common.disclosure import EXACT, Publisher
from owlbus.common.errors import UsageError
from owlbus.evidence import PlanEvaluator
from owlbus.evidence.sweep import sweep_plans
from owlbus.evidence.sweep_search import SettingSearch
from owlbus.network.walk_sheds import WalkPoints
from owlbus.plan import check_plan, plan_measures
from owlbus.score import score_plan
from owlbus.search import Objective, Problem
from owlbus.search.bound import BoundProver
from owlbus.search.polish import PublishedValue
from owlbus.search.spread import Spread, hidden_by, printed_objective

STEPS = [MaxSteps(300)]
LIMITS = RouteLimits(max_buses=12)
ANY = RouteLimits(**ANY_SHAPE)


def lattice(seed=1, n=30):
    """A lattice whose hexes count by area, with random trips and people."""
    grid = HexGrid.cover([(0, 0), (0.06, 0), (0.06, 0.05), (0, 0.05)], n_hexes=n)
    network, rng = Network.from_lattice(grid), np.random.default_rng(seed)
    ends = np.unique(rng.choice(n, (2 * n, 2)), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    zeros = np.zeros(len(ends), int)
    rows = {"night": zeros, "hour": zeros + 24, "origin": ends[:, 0], "destination": ends[:, 1], "trips": rng.integers(1, 90, len(ends))}
    people = {"night": np.zeros(n, int), "hour": np.full(n, 24), "hex": np.arange(n), "presence": rng.integers(1, 90, n)}
    return network, Demand.from_rows(n, rows, people, grid=grid.fingerprint)


def patchy(seed):
    """Five by five stops in a grid of links; each reaches the centre of its hex, and all 16 points of it or one."""
    rng, n = np.random.default_rng(seed), 25
    links = [(s, s + 1) for s in range(n) if s % 5 < 4] + [(s, s + 5) for s in range(n - 5)]
    trips = {(int(o), int(d)): float(rng.integers(1, 90)) for o, d in np.unique(rng.choice(n, (3 * n, 2)), axis=0) if o != d}
    network, demand = city(n, links, trips, presence={h: float(rng.integers(1, 90)) for h in range(n)})
    rows = [np.arange(16 if rng.random() < 0.5 else 1) + 16 * stop for stop in range(n)]
    n_points = [len(row) for row in rows]
    near = WalkPoints(np.cumsum([0, *n_points]), np.concatenate(rows), [0] * sum(n_points), 16, "share of sixteen points")
    return replace(network, points=near), demand


def by_area(network, demand, plan, objective="served"):
    """Objective of a plan by its scorecard."""
    card = score_plan(network, demand, plan, count_by="area")
    return getattr(card, f"{objective}_share")


@pytest.mark.parametrize("objective", ["served", "presence"])
def test_the_best_plan_by_area_of_several_seeds_is_kept_and_their_spread_is_what_each_finds_alone(objective):
    network, demand = lattice()
    asked = {"limits": LIMITS, "stop_when": STEPS, "objective": objective}
    alone = [plan_routes(network, demand, 2, seed=seed, **asked) for seed in (5, 6, 7)]
    found = plan_routes(network, demand, 2, seed=5, n_seeds=3, **asked)
    shares = [by_area(network, demand, one.plan, objective) for one in alone]
    best = shares.index(max(shares))
    assert len(set(shares)) > 1
    assert found.plan.equals(alone[best].plan)
    assert (found.seed, found.n_seeds, found.value_quanta) == (5 + best, 3, alone[best].value_quanta)
    assert found.spread is not None
    assert found.spread.over == "seeds"
    assert found.spread.shares == pytest.approx(shares, abs=1e-12)
    assert (found.steps, found.evaluations) == (sum(one.steps for one in alone), sum(one.evaluations for one in alone))


def test_the_plan_that_is_kept_is_the_best_by_area_where_the_search_ranks_another_one_first():
    network, demand = patchy(3)
    asked = {"limits": replace(ANY, max_buses=4), "stop_when": STEPS}
    alone = [plan_routes(network, demand, 2, seed=seed, **asked) for seed in (5, 6, 7)]
    values, shares = ([one.value_quanta for one in alone], [by_area(network, demand, one.plan) for one in alone])
    assert values.index(max(values)) != shares.index(max(shares))
    found = plan_routes(network, demand, 2, seed=5, n_seeds=3, **asked)
    assert found.plan.equals(alone[shares.index(max(shares))].plan)


def test_seeds_in_an_executor_find_the_best_of_what_each_finds_there_alone():
    network, demand = lattice()
    with ThreadPoolExecutor(2) as pool:
        asked = {"limits": LIMITS, "stop_when": STEPS, "executor": pool}
        alone = [plan_routes(network, demand, 2, seed=seed, **asked) for seed in (5, 6, 7)]
        found = plan_routes(network, demand, 2, seed=5, n_seeds=3, bound_steps=2, **asked)
    shares = tuple(by_area(network, demand, one.plan) for one in alone)
    assert found.plan.equals(alone[shares.index(max(shares))].plan)
    assert found.spread is not None
    assert found.spread.shares == pytest.approx(shares, abs=1e-12)
    assert (found.steps, found.ended_by) == (sum(one.steps for one in alone), alone[0].ended_by)
    assert found.value_quanta <= found.bound_quanta


def test_the_bound_of_several_seeds_is_proven_once(monkeypatch):
    network, demand = lattice()
    steps, start = [], BoundProver.__init__
    monkeypatch.setattr(BoundProver, "__init__", lambda self, *given: steps.append(given[4]) or start(self, *given))
    one, three = (plan_routes(network, demand, 2, limits=LIMITS, stop_when=STEPS, bound_steps=5, n_seeds=n) for n in (1, 3))
    assert one.bound_quanta == three.bound_quanta
    assert steps == [5, 5, 0, 0]


def test_one_seed_tells_the_spread_of_its_starts_and_one_start_tells_none():
    network, demand = lattice()
    two, one = (plan_routes(network, demand, 2, limits=LIMITS, stop_when=STEPS, n_starts=n) for n in (2, 1))
    assert two.spread is not None
    assert two.spread.over == "starts"
    assert two.spread.shares == tuple(by_area(network, demand, plan) for plan in two.plans)
    assert len(two.plans) == 2
    assert one.spread is None


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_search_that_is_interrupted_keeps_the_best_plan_so_far_and_tells_no_spread(n_seeds):
    network, demand = lattice()
    gains = []

    def interrupt(plan):
        gains.append(plan)
        if len(gains) == min(n_seeds, 2):
            raise KeyboardInterrupt

    found = plan_routes(network, demand, 2, limits=LIMITS, stop_when=[MaxSteps(60_000)], n_seeds=n_seeds, on_gain=interrupt)
    assert found.was_interrupted
    assert found.plan.routes
    assert found.spread is None


def test_only_plans_better_than_those_of_earlier_seeds_are_reported():
    network, demand = lattice()
    problem, values = Problem.build(network, demand), []
    plan_routes(
        network, demand, 2, limits=LIMITS, stop_when=STEPS, n_seeds=4, on_gain=lambda plan: values.append(problem.value(plan, Objective()))
    )
    assert values == sorted(set(values))


def test_with_weights_the_spread_is_of_the_demand_without_them():
    network, demand = lattice()
    weights = np.linspace(0, 3, 30)
    found = plan_routes(network, demand, 2, limits=LIMITS, stop_when=STEPS, n_seeds=2, weights=weights)
    assert found.spread is not None
    assert found.spread.shares == pytest.approx([by_area(network, demand, plan) for plan in found.plans], abs=1e-12)


def test_seeds_out_of_range_are_refused():
    network, demand = city(4, [(0, 1), (1, 2)], {(0, 2): 1.0})
    for n_seeds in (0, 65):
        with pytest.raises(UsageError, match=rf"n_seeds must lie in \[1, 64\], got {n_seeds}"):
            plan_routes(network, demand, 1, n_seeds=n_seeds)
    with pytest.raises(UsageError, match="seed must lie in"):
        plan_routes(network, demand, 1, seed=2**63 - 1, n_seeds=2)


# A sweep


SWEPT = {
    "routes": (1, 2, 3, 4),
    "fleet": (2, 3, 4, 6),
    "km": (4.0, 5.0, 6.0, 7.0, 8.0, 10.0),
    "headway": (15.0, 20.0, 25.0, 30.0, 40.0, 60.0),
}


@given(
    st.sampled_from(sorted(SWEPT)),
    st.sampled_from(["served", "direct", "presence", "served=1,presence=2"]),
    st.integers(0, 50),
    st.integers(0, 50),
    st.sampled_from([(1, 1), (2, 1), (1, 3)]),
)
@settings(max_examples=40, deadline=None)
def test_more_of_anything_never_ends_below_less_by_the_published_rule(kind, objective, town, seed, searches):
    network, demand = patchy(town)
    limits = replace(ANY, max_buses=3) if kind == "headway" else ANY
    n_starts, n_seeds = searches
    evaluator, parsed = PlanEvaluator.build(network, demand), Objective.parse(objective)
    found = sweep_plans(
        evaluator, kind, SWEPT[kind], limits, n_routes=2, objective=parsed, n_steps=40, n_starts=n_starts, n_seeds=n_seeds, seed=seed
    )
    published = PublishedValue.build(evaluator.problem, demand, parsed)
    assert published is not None
    shares = [published.share(point.plan) for point in found.points]
    assert [point.objective_share for point in found.points] == shares
    assert shares == sorted(shares)
    printed = [row["objective_share"] for row in found.rows()]
    assert printed == sorted(printed)
    for before, point in pairwise(found.points):
        if point.kept_from is not None:
            assert point.plan.equals(before.plan)
        measures = plan_measures(network, point.plan, limits.headway_s)
        assert len(point.plan) <= (point.setting if kind == "routes" else 2)
        assert kind != "fleet" or measures.total_buses <= point.setting
        assert kind != "km" or measures.total_length_m <= 1000 * point.setting
        assert check_plan(network, point.plan, ANY) == ()


def test_every_setting_of_a_sweep_has_the_best_plan_of_the_sweeps_of_its_seeds():
    network, demand = lattice()
    evaluator = PlanEvaluator.build(network, demand)
    alone = [sweep_plans(evaluator, "fleet", [2, 4, 6], RouteLimits(), n_routes=2, n_steps=60, seed=seed) for seed in (3, 4, 5)]
    found = sweep_plans(evaluator, "fleet", [2, 4, 6], RouteLimits(), n_routes=2, n_steps=60, seed=3, n_seeds=3)
    for point, points in zip(found.points, zip(*(one.points for one in alone), strict=True), strict=True):
        shares = tuple(other.objective_share for other in points)
        assert point.spread == Spread("seeds", shares)
        assert point.plan.equals(points[shares.index(max(shares))].plan)
        assert [other.spread.over for other in points] == ["starts"] * 3


def test_figures_of_a_sweep_are_those_of_the_scorecard_by_area():
    network, demand = lattice()
    for objective in ("served", "direct", "presence"):
        evaluator = PlanEvaluator.build(network, demand)
        found = sweep_plans(evaluator, "routes", [1, 2, 3], RouteLimits(), objective=Objective.parse(objective), n_steps=100, n_starts=1)
        for point in found.points:
            card = score_plan(network, demand, point.plan, count_by="area")
            assert (point.served_share, point.presence_share) == (card.served_share, card.presence_share)
            assert point.objective_share == getattr(card, f"{objective}_share")
            assert point.spread is None
        for row in found.rows():
            assert row["objective_share"] == row[f"{objective}_share"]
            assert (row["spread"], row["within_spread"]) == (None, None)


def searched(network, demand, plans):
    """A sweep's search whose starts find the given plans, those of one setting after those of another."""
    rows, n_starts = iter(plans), len(plans[0])
    search = SettingSearch(
        PlanEvaluator.build(network, demand), Objective(), [0], 0, n_starts, lambda *_: [(plan, 0) for plan in next(rows)]
    )
    return [search.run(level, 2, ANY) for level in range(40, 40 + 2 * len(plans), 2)]


def long_and_short(network, demand):
    """A plan of two long routes, and one of a short route."""
    both = ((2, RouteLimits(max_length_m=8e3)), (1, RouteLimits(max_length_m=2e3)))
    return [plan_routes(network, demand, n, limits=limits, stop_when=STEPS).plan for n, limits in both]


def test_the_best_start_of_a_setting_by_area_is_kept():
    network, demand = lattice()
    long, short = long_and_short(network, demand)
    (found,) = searched(network, demand, [(short, long)])
    assert found.plan.equals(long)
    assert found.spread == Spread("starts", tuple(by_area(network, demand, plan) for plan in (short, long)))


def test_a_search_that_ends_below_the_setting_before_keeps_its_plan_and_says_which():
    network, demand = lattice()
    long, short = long_and_short(network, demand)
    found = searched(network, demand, [(short,), (long,), (short,), (Plan((), network.fingerprint),)])
    assert [point.kept_from for point in found] == [None, None, 42, 42]
    assert found[0].objective_share < found[1].objective_share == found[2].objective_share == found[3].objective_share
    assert found[3].plan.equals(found[1].plan)


# What is said


def swept(shares, spreads, kind="fleet"):
    """A sweep with the given objectives and ends of spreads, of open data."""
    network, demand = lattice()
    found = sweep_plans(PlanEvaluator.build(network, demand, min_count=-1), "routes", range(1, len(shares) + 1), LIMITS, n_steps=10)
    points = (
        replace(p, objective_share=y, spread=None if s is None else Spread("seeds", s), setting=38 + 2 * k)
        for k, (p, y, s) in enumerate(zip(found.points, shares, spreads, strict=True), 1)
    )
    return replace(found, kind=kind, points=tuple(points))


def test_a_gain_within_the_spread_over_seeds_is_said_to_be_so():
    found = swept((0.40, 0.407, 0.45), ((0.39, 0.40), (0.387, 0.407), (0.45, 0.45)))
    assert [hidden is not None for hidden in found.within_spread] == [False, True, False]
    assert found.notes == ("Within the spread over seeds is the gain over the setting before at 42 buses (2.0 points).",)
    assert [row["within_spread"] for row in found.rows()] == [None, {"over": "seeds", "points": 2.0}, None]
    assert found.rows()[1]["spread"] == {
        "over": "seeds", "n_searches": 2, "lowest_share": 0.387, "median_share": 0.397, "highest_share": 0.407,
    }  # fmt: skip


def test_a_plan_that_is_kept_names_the_setting_that_found_it():
    found = swept((0.40, 0.40), (None, None))
    kept = replace(found, points=(found.points[0], replace(found.points[1], kept_from=40.0)))
    assert kept.notes == ("42 buses: kept from the setting with 40 buses.",)


@pytest.mark.parametrize(("width", "is_told"), [(0.049, True), (0.051, False)])
def test_a_knee_is_told_only_where_its_bend_exceeds_the_spread(width, is_told):
    """The middle point lies five points above the line between the ends."""
    found = swept((0.30, 0.40, 0.40), (None, (0.40 - width, 0.40), None))
    assert found.knee == (1 if is_told else None)
    assert ("Knee at 42" in found.knee_text) == is_told
    hidden = "No knee can be told: the bend of the curve is within the spread over seeds (5.1 points)."
    assert (found.knee_text == hidden) == (not is_told)


def test_what_is_said_of_a_spread_rests_on_printed_shares():
    """Of counts rounded down to tens of a hundred, a gain of 13 and a spread of 12 are both one of ten."""
    found = swept((0.46, 0.59), (None, (0.47, 0.59)))
    assert found.within_spread == (None, None)
    coarse = replace(found, points=tuple(replace(p, counted=100.0, min_count=10) for p in found.points))
    assert coarse.rows()[1]["within_spread"] == {"over": "seeds", "points": 9.52}


def test_the_wider_of_two_spreads_counts_and_a_difference_as_wide_is_within_it():
    narrow, wide = Spread("seeds", (0.2, 0.21)), Spread("seeds", (0.2, 0.25))
    assert hidden_by(0.05, [narrow, wide]) == hidden_by(-0.05, [wide, None]) == wide
    assert hidden_by(0.0501, [narrow, wide]) is None
    assert hidden_by(0.0, []) is None


def test_printed_shares_of_a_spread_are_of_rounded_counts_or_left_out():
    spread = Spread("starts", (0.31, 0.5))
    assert spread.shown(lambda share: printed_objective(share, 200.0, Publisher())) == Spread("starts", (0.333333, 0.481481))
    assert spread.shown(lambda share: printed_objective(share, 14.0, Publisher())) is None
    assert spread.shown(lambda share: printed_objective(share, 149.0, Publisher(EXACT))) == spread
    assert math.isclose(spread.median_share, 0.405)
