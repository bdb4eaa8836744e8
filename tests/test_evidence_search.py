"""Missing places, swaps, improvements, sweeps and robustness: on towns that a hand can check, and against full counts."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city
from hypothesis import given, settings
from hypothesis import strategies as st
from test_coverage import cases

from owlbus.cluster import executor
from owlbus.common.disclosure import EXACT
from owlbus.common.errors import DataError, InfeasibleError, UsageError
from owlbus.demand import Demand
from owlbus.evidence import PlanEvaluator
from owlbus.evidence.answer_sentences import limit_sentences, sentence
from owlbus.evidence.changes import drop_route, remove_stop, replace_stop
from owlbus.evidence.explain import explain_change, with_alternative
from owlbus.evidence.groups import NOWHERE, break_down, read_groups
from owlbus.evidence.robust_plan import RobustPlan, robust_plan
from owlbus.evidence.route_profile import explain_routes
from owlbus.evidence.stability import cross_checks, hour_matrix, rank_stability
from owlbus.evidence.stop_names import StopNames
from owlbus.evidence.suggest import suggest_swaps
from owlbus.evidence.sweep import sweep_plans
from owlbus.evidence.sweep_settings import settings_of_text
from owlbus.evidence.unserved_places import missing_places
from owlbus.kernels.splice import steps_apart
from owlbus.network.walk_sheds import WalkPoints
from owlbus.plan import Plan, Route, check, check_plan, plan_measures
from owlbus.plan.check import newly_broken
from owlbus.plan.limits import RouteLimits
from owlbus.plot.maps import net_classes
from owlbus.report.answer_map import MapContent, answer_map
from owlbus.report.answer_page import answer_page
from owlbus.report.translations import LANGUAGES, read_translations
from owlbus.score import difference_interval, score_plan, share_interval
from owlbus.search import Objective, PlanConstraints, Problem, plan_routes
from owlbus.search.improve import improve_plan, ordered_steps
from owlbus.search.stopping import MaxSteps

SERVED = Objective()
ANY = RouteLimits(**ANY_SHAPE)
SIDE = 5


def town(seed: int = 3, n_nights: int = 1, *, busy: int = 17):
    """Five by five stops in a grid of links, random trips, and many people and trips at one of them."""
    rng = np.random.default_rng(seed)
    n = SIDE * SIDE
    links = [(s, s + 1) for s in range(n) if s % SIDE < SIDE - 1] + [(s, s + SIDE) for s in range(n - SIDE)]
    network, _ = city(n, links, {(0, 1): 1.0})
    rows = 900
    ends = rng.integers(0, n, (2, rows))
    ends[0, :120] = busy
    keep = ends[0] != ends[1]
    night, hour = rng.integers(0, n_nights, rows), rng.integers(24, 27, rows)
    trips = {
        "night": night[keep],
        "hour": hour[keep],
        "origin": ends[0][keep],
        "destination": ends[1][keep],
        "trips": np.full(keep.sum(), 5.0),
    }
    people = {"night": night, "hour": hour, "hex": ends[0], "presence": np.full(rows, 5.0)}
    nights = tuple(dt.date(2013, 3, 11) + dt.timedelta(days=day) for day in range(n_nights))
    demand = Demand.from_rows(
        n, trips, people, hours=(24, 25, 26), nights=nights if n_nights > 1 else (None,), grid=network.grid.fingerprint
    )
    plan = Plan((Route([0, 1, 2, 3, 4], "A"), Route([2, 7, 12, 11, 10], "B")), network.fingerprint)
    return network, demand, plan


def test_the_busiest_place_without_a_stop_is_listed_first_with_the_cheapest_way_to_it():
    network, demand, plan = town()
    evaluator = PlanEvaluator.build(network, demand)
    places = StopNames(("Boramae",), [network.stop_lon[17]], [network.stop_lat[17]])
    found = missing_places(evaluator, plan, places, ANY, n_places=5)
    assert (found[0].stop, found[0].name) == (17, "stop 17")  # a stop with a name of its own keeps it
    assert found[0].presence == float(evaluator.whole.people[17])
    assert 17 in found[0].change.plan.used_stops
    assert [place.presence for place in found] == sorted((place.presence for place in found), reverse=True)
    assert not set(plan.used_stops.tolist()) & {place.stop for place in found}


def test_a_place_that_no_route_may_reach_within_the_limits_says_what_it_breaks():
    network, demand, plan = town()
    tight = replace(ANY, max_length_m=4 * LINK_M, max_stops=5, max_total_length_m=8 * LINK_M)
    found = missing_places(PlanEvaluator.build(network, demand), plan, StopNames(), tight, n_places=40)
    assert [place for place in found if place.change.broken]
    for place in found:
        assert place.stop in place.change.plan.used_stops
        assert place.change.broken == newly_broken(network, plan, place.change.plan, tight)
        assert place.to_dict()["broken_limits"] == list(place.change.broken)


def test_nothing_is_missing_where_everybody_is_reached():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 20.0}, presence=dict.fromkeys(range(3), 30.0))
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    assert missing_places(PlanEvaluator.build(network, demand), plan, StopNames(), ANY) == ()


def test_suggested_swaps_gain_what_they_say_and_stand_in_order():
    network, demand, plan = town()
    evaluator = PlanEvaluator.build(network, demand)
    swaps = suggest_swaps(evaluator, plan, StopNames(), ANY)
    assert swaps
    before = evaluator.problem.value(plan, SERVED)
    for swap in swaps:
        assert (evaluator.problem.value(swap.change.plan, SERVED) - before) / 1024 == swap.difference.whole.net_trips > 0
        assert swap.stop not in next(r.stops for r in swap.change.plan if r.name == swap.change.routes[0])
    rates = [swap.gain_per_min for swap in swaps]
    assert rates == sorted(rates, reverse=True)
    assert [swap.rank for swap in swaps] == list(range(1, len(swaps) + 1))


@pytest.mark.parametrize("seed", range(6))
def test_a_swap_that_gains_by_the_centre_alone_is_not_listed(seed):
    network, demand, plan = town(seed)
    rng = np.random.default_rng(seed)
    points = [np.sort(rng.permutation(8)[: rng.integers(1, 9)]) + 8 * stop for stop in range(network.n_stops)]
    near = WalkPoints(np.cumsum([0, *map(len, points)]), np.concatenate(points), [0] * sum(map(len, points)), 8, "share of eight points")
    evaluator = PlanEvaluator.build(replace(network, points=near), demand)
    plan = Plan(plan.routes, evaluator.problem.network.fingerprint)
    swaps = suggest_swaps(evaluator, plan, StopNames(), ANY, n_swaps=40)
    before = evaluator.problem.value(plan, SERVED)
    assert all(evaluator.problem.value(swap.change.plan, SERVED) > before for swap in swaps)
    net = [swap.to_dict()["difference"]["whole"]["net_trips"] for swap in swaps]
    assert net
    assert min(net) > 0
    extra_s = [swap.difference.cost.cycle_s for swap in swaps]
    order = [(s > 0, -gain / max(s, 1) if s > 0 else -gain) for gain, s in zip(net, extra_s, strict=True)]
    assert order == sorted(order)


def test_stops_that_stay_are_not_swapped():
    network, demand, plan = town()
    swaps = suggest_swaps(PlanEvaluator.build(network, demand), plan, StopNames(), ANY, keep=plan.used_stops.tolist())
    assert swaps == ()


def test_improvements_stay_within_their_allowance_and_more_change_never_serves_less():
    network, demand, plan = town()
    problem = Problem.build(network, demand)
    measures = plan_measures(network, plan)
    limits = replace(ANY, max_total_length_m=measures.total_length_m + 4 * LINK_M)
    found = improve_plan(problem, plan, limits, (0.0, 0.2, 0.4, 1.0), n_steps=4000)
    values = [one.value_quanta for one in found]
    assert values == sorted(values)
    assert values[0] == problem.value(plan, SERVED) < values[-1]
    assert found[0].plan.equals(plan)
    for one in found:
        changed = sum(steps_apart(a.stops, b.stops) for a, b in zip(plan, one.plan, strict=True))
        assert changed <= one.n_changed <= one.n_allowed
        assert [route.stops[[0, -1]].tolist() for route in one.plan] == [route.stops[[0, -1]].tolist() for route in plan]
        assert check_plan(network, one.plan, limits) == ()


def test_every_step_of_an_improvement_is_a_plan_that_could_run_and_they_add_up():
    network, demand, plan = town()
    problem = Problem.build(network, demand)
    one = improve_plan(problem, plan, ANY, (0.6,), n_steps=4000, keep_terminals=False)[0]
    assert problem.value(plan, SERVED) + sum(step.gain_quanta for step in one.steps) == one.value_quanta
    for step in one.steps:
        assert check_plan(network, step.plan, ANY) == ()
    assert one.steps[-1].plan is one.plan


def test_named_stops_stay():
    network, demand, plan = town()
    one = improve_plan(Problem.build(network, demand), plan, ANY, (1.0,), keep=[1, 12], n_steps=4000, keep_terminals=False)[0]
    assert 1 in one.plan.routes[0].stops
    assert 12 in one.plan.routes[1].stops


def test_an_improvement_is_fixed_by_its_seed():
    network, demand, plan = town()
    problem = Problem.build(network, demand)
    a, b = (improve_plan(problem, plan, ANY, (0.4,), n_steps=2000, seed=5)[0].plan for _ in range(2))
    assert a.equals(b)


@given(cases(), st.data())
@settings(max_examples=30, deadline=None)
def test_steps_lead_from_any_plan_to_one_that_is_worth_as_much_as_the_other(problem, data):
    problem, plan = problem
    if not plan.routes:
        return
    k = data.draw(st.integers(0, len(plan) - 1))
    stops = plan.routes[k].stops.tolist()
    other = stops[: data.draw(st.integers(2, len(stops)))]
    after = Plan((*plan.routes[:k], Route(other, plan.names[k]), *plan.routes[k + 1 :]), plan.network_fingerprint)
    steps = ordered_steps(problem, SERVED, plan, after, ANY)
    last = steps[-1].plan if steps else plan
    assert problem.value(last, SERVED) >= problem.value(after, SERVED)


@pytest.mark.parametrize(
    ("shares", "act", "error", "message"),
    [
        ((0.4, 0.1), None, UsageError, r"shares of stops to change must ascend in \[0, 1\], got 0.4, 0.1"),
        ((), None, UsageError, "got none"),
        ((0.1,), "empty", DataError, "the plan has no routes, so there is nothing to improve"),
        ((0.1,), "loop", DataError, "every route passes a stop twice or runs in one direction only, such as L"),
    ],
)
def test_what_cannot_be_improved_says_why(shares, act, error, message):
    network, demand, plan = town()
    if act == "empty":
        plan = Plan((), network.fingerprint)
    if act == "loop":
        plan = Plan((Route([0, 1, 6, 5, 0], "L"),), network.fingerprint)
    with pytest.raises(error, match=message):
        improve_plan(Problem.build(network, demand), plan, ANY, shares)


def test_what_a_sweep_serves_never_falls_and_every_plan_keeps_its_limits():
    network, demand, _ = town(n_nights=3)
    found = sweep_plans(PlanEvaluator.build(network, demand), "routes", [3, 1, 2, 4], RouteLimits(), n_steps=1500)
    assert [point.setting for point in found.points] == [1, 2, 3, 4]
    for before, after in pairwise(found.points):
        assert after.served_share >= before.served_share
    for point in found.points:
        assert len(point.plan) <= point.setting
        assert check_plan(network, point.plan, RouteLimits()) == ()
        assert score_plan(network, demand, point.plan).served_share == point.served_share
    lines = found.to_csv().splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("routes,routes_run,objective_share,served_share")


@pytest.mark.parametrize(("kind", "values"), [("fleet", [1, 2, 4]), ("km", [3.0, 6.0, 12.0]), ("headway", [20.0, 40.0, 80.0])])
def test_buses_kilometres_and_headways_are_swept_alike(kind, values):
    network, demand, _ = town(n_nights=3)
    limits = RouteLimits(max_buses=2) if kind == "headway" else RouteLimits()
    found = sweep_plans(PlanEvaluator.build(network, demand), kind, values, limits, n_routes=2, n_steps=1500)
    shares = [point.served_share for point in found.points]
    assert shares == sorted(shares)
    if kind == "fleet":
        assert all(point.buses <= point.setting for point in found.points)
    if kind == "km":
        assert all(point.length_m <= 1000 * point.setting for point in found.points)


def test_a_sweep_is_fixed_by_its_seed():
    network, demand, _ = town()
    evaluator = PlanEvaluator.build(network, demand)
    one, two = (sweep_plans(evaluator, "routes", [1, 2], RouteLimits(), n_steps=800, seed=4).to_csv() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("scheduler", ["processes:2", "local:2"])
def test_a_sweep_in_other_processes_finds_what_one_process_finds(scheduler):
    if scheduler.startswith("local"):
        pytest.importorskip("distributed")
    network, demand, _ = town(n_nights=2)
    evaluator = PlanEvaluator.build(network, demand)
    one, two = (
        sweep_plans(evaluator, "routes", [1, 2], RouteLimits(), n_steps=300, n_starts=3, seed=4, scheduler=where)
        for where in (None, scheduler)
    )
    assert one.to_csv() == two.to_csv()
    assert all(a.plan.equals(b.plan) for a, b in zip(one.points, two.points, strict=True))


def test_no_two_figures_of_a_sweep_tell_fewer_trips_than_may_be_shown():
    """Three separate pairs of stops, the last with five trips: what the third route adds would be those five."""
    network, demand = city(8, [(i, i + 1) for i in range(7)], {(0, 1): 200.0, (2, 3): 40.0, (6, 7): 5.0})
    found = sweep_plans(PlanEvaluator.build(network, demand), "routes", [1, 2, 3], RouteLimits(max_length_m=1000), n_steps=600)
    assert [point.served_trips for point in found.points] == [200.0, 240.0, 245.0]
    rows = found.rows()
    assert [row["marginal_trips"] for row in rows] == [195, 45, None]
    for name in ("objective_share", "served_share", "direct_share"):
        assert [row[name] for row in rows] == [round(min(1, (count + 7.5) / 247.5), 4) for count in (195, 240, 240)]
    assert "245" not in found.to_csv()
    assert found.shown.knee_text == found.knee_text


@pytest.mark.parametrize("kind", ["routes", "fleet"])
def test_no_point_of_a_sweep_lies_above_its_bound_and_every_one_has_it(kind):
    network, demand, _ = town(n_nights=2)
    found = sweep_plans(PlanEvaluator.build(network, demand), kind, [1, 2, 3], RouteLimits(), n_routes=2, n_steps=800, bound_steps=6)
    for point in found.points:
        assert point.objective_share <= point.bound_share <= 1
    column = found.to_csv().splitlines()[0].split(",").index("bound_share")
    assert [float(line.split(",")[column]) for line in found.to_csv().splitlines()[1:]] == [row["bound_share"] for row in found.rows()]


def test_the_knee_is_where_the_curve_lies_highest_above_its_chord():
    network, demand, _ = town(n_nights=3)
    found = sweep_plans(PlanEvaluator.build(network, demand), "routes", [1, 2, 3], RouteLimits(), n_steps=500)
    shares = (0.1, 0.45, 0.5)
    exact = [replace(point, objective_share=s, min_count=EXACT) for point, s in zip(found.points, shares, strict=True)]
    bent = replace(found, points=tuple(exact))
    assert bent.knee == 1
    assert "Knee at 2" in bent.knee_text
    assert "35.00 points, beyond it 5.00" in bent.knee_text
    few = replace(found, points=tuple(replace(point, min_count=point.counted / 3) for point in exact))
    assert few.knee is None, "a bend within rounding is none"
    straight = replace(found, points=tuple(replace(p, objective_share=0.1 * p.setting) for p in found.points))
    assert straight.knee_text.startswith("The curve has no knee") or straight.knee is None


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda lg: sweep_plans(lg, "zones", [1], ANY), UsageError, "a sweep goes over one of routes, fleet, km, headway, got 'zones'"),
        (lambda lg: sweep_plans(lg, "routes", [0, 1], ANY), UsageError, r"routes to sweep must be whole numbers in \[1, 64\], got 0"),
        (lambda lg: sweep_plans(lg, "fleet", [2.5], ANY), UsageError, "fleet to sweep must be whole numbers"),
        (lambda lg: sweep_plans(lg, "km", [], ANY), UsageError, "got none"),
        (lambda lg: sweep_plans(lg, "km", [0.01], ANY, n_steps=1), InfeasibleError, "no route keeps the limits at any of 1 settings of km"),
        (
            lambda _: settings_of_text("20:1"),
            UsageError,
            "a range must read FIRST:LAST, FIRST:LAST:STEP or A,B,C, such as 1:20, got '20:1'",
        ),
        (lambda lg: sweep_plans(lg, "km", [3.0], ANY, scheduler="two"), UsageError, "scheduler must be local:N, processes:N"),
        (lambda _: settings_of_text("x"), UsageError, "got 'x'"),
        (lambda _: settings_of_text("1:2:0"), UsageError, "got '1:2:0'"),
    ],
)
def test_a_sweep_that_cannot_be_made_says_why(act, error, message):
    network, demand, _ = town()
    with pytest.raises(error, match=message):
        act(PlanEvaluator.build(network, demand))


def test_the_90_percent_interval_holds_the_truth_in_85_to_95_percent_of_200_trials():
    """A week of nights, each with its own number of trips and its own rate around the true one; a difference of two plans, paired."""
    rng = np.random.default_rng(11)
    true, gain, held, held_gain = 0.3, 0.02, 0, 0
    for _ in range(200):
        trips = rng.poisson(3000 * np.exp(rng.normal(0, 0.2, 7)))
        rates = np.clip(rng.normal(true, 0.03, 7), 0, 1)
        served = rng.binomial(trips, rates)
        more = rng.binomial(trips, np.clip(rng.normal(gain, 0.004, 7), 0, 1))
        low, high = share_interval(served, trips)
        held += low <= true <= high
        low, high = difference_interval(more, trips)
        held_gain += low <= gain <= high
    assert 170 <= held <= 190
    assert 170 <= held_gain <= 190


def test_few_nights_have_no_interval():
    for n_nights in (1, 4):
        network, demand, plan = town(n_nights=n_nights)
        answer = explain_change(PlanEvaluator.build(network, demand), plan, drop_route(plan, 0), ANY)
        assert answer.difference.served_interval == (None, None)
        assert answer.verdict().endswith("Worse; too few nights to say how sure.")


def test_an_answer_names_what_breaks_and_what_else_could_be_done():
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand)
    limits = replace(ANY, max_length_m=4 * LINK_M)
    answer = explain_change(evaluator, plan, replace_stop(evaluator.problem, SERVED, plan, 1, 6), limits)
    assert answer.change.broken == ("route A: length 6,000 m is 2,000 m above the 4,000 m allowed",)
    with_other = with_alternative(evaluator, plan, answer, limits, 1, 6)
    assert with_other.alternative is not None
    assert with_other.alternative.label != answer.change.label
    document = with_other.to_dict()
    json.dumps(document, allow_nan=False)
    assert document["alternative"]["verdict"].startswith("stop ")


def test_the_alternative_to_dropping_a_route_is_dropping_another_one():
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand)
    answer = with_alternative(evaluator, plan, explain_change(evaluator, plan, drop_route(plan, 0), ANY), ANY, None, 0)
    assert answer.alternative.routes == ("B",)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_names_as_text_and_asks_the_network_for_nothing(language: str):
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand)
    change = replace(remove_stop(evaluator.problem, SERVED, plan, 1), label="<script>alert(1)</script> left out")
    answer, words = explain_change(evaluator, plan, change, ANY), read_translations(language)
    picture = answer_map(MapContent(network, change.plan, plan, answer.difference, ((1, "</svg><b>"),)), words)
    document = {"what": "stop", **answer.to_dict(language=language)}
    page = answer_page(document, words, plan="a & b", is_synthetic=True, picture=picture)
    assert f'<html lang="{language}">' in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;/svg&gt;&lt;b&gt;" in page
    assert "a &amp; b" in page
    assert "http" not in page.replace("http-equiv", "")
    assert words("synthetic.text") in page
    gained = words.count(document["whole"]["gained_trips"], document["min_count"], "+")
    assert f"<td>{gained.replace('<', '&lt;')}</td>" in page


def test_the_map_of_an_answer_tells_gains_and_losses_by_signs_and_shows_the_hexes_in_view():
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand, min_count=EXACT)
    answer = explain_change(evaluator, plan, drop_route(plan, 1), ANY)
    picture = answer_map(MapContent(network, answer.change.plan, plan, answer.difference), read_translations())
    lost = set(net_classes(answer.difference)[0].tolist()) - {0}
    assert lost
    assert all(f'fill="url(#net{kind})"' in picture.svg for kind in lost)
    assert "only before" in [text for _, text in picture.key]
    assert "only after" not in [text for _, text in picture.key]
    plain = answer_map(MapContent(network, plan), read_translations())
    assert [text for _, text in plain.key] == ["routes of the plan"]
    assert "Z" in plain.svg


def test_limits_that_a_change_breaks_are_named_in_the_language_of_the_answer():
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand)
    changed = replace_stop(evaluator.problem, SERVED, plan, 1, 6).plan
    tight = RouteLimits(max_length_m=4000, **ANY_SHAPE)
    assert limit_sentences(network, plan, changed, tight, "en") == newly_broken(network, plan, changed, tight)
    assert limit_sentences(network, plan, changed, tight, "ko") == ("노선 A: 길이 6,000 m (4,000 m 허용, 2,000 m 초과)",)
    every = [limit for limit, *_ in (*check._OF_A_ROUTE, *check._OF_ALL)]
    assert all(sentence("ko", f"limit.{limit}") for limit in every)


def test_the_alternative_is_named_in_the_language_of_the_answer():
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand)
    names = StopNames(language="ko")
    for change, stop, chosen, end in (
        (drop_route(plan, 0), None, 0, "폐지"),
        (remove_stop(evaluator.problem, SERVED, plan, 1), 1, None, ""),
    ):
        other = with_alternative(evaluator, plan, explain_change(evaluator, plan, change, ANY), ANY, stop, chosen, names).alternative
        assert other is not None
        assert other.label.endswith(end)
        assert "in place of" not in other.label
        assert "drop" not in other.label


def test_routes_are_explained_by_what_the_scorecard_says_and_hours_add_up():
    network, demand, plan = town(n_nights=4)
    evaluator = PlanEvaluator.build(network, demand)
    card = score_plan(network, demand, plan)
    for row, found in zip(card.routes, explain_routes(evaluator, plan), strict=True):
        assert found.only_served_trips == row.only_served_trips
        assert found.only_presence == row.only_presence
        assert found.riders_trips == row.boardings_trips + row.transfers_trips
        hours = sum(found.load_by_hour.values())
        assert np.allclose(hours, found.load_trips, atol=0.01 * len(found.load_by_hour))
        assert found.bus_km == 3 * 3600 / 2700 * 8 * LINK_M / 1000
        shown = found.to_dict()
        assert not [s for s in shown["segments"] if any(load % 15 for load in (s["load_trips"], *s["by_hour"].values()))]
        assert shown["weakest_segment"]["load_trips"] == min(s["load_trips"] for s in shown["segments"])


def test_ranks_of_routes_are_steady_where_nights_agree():
    network, demand, plan = town(n_nights=5)
    rows = rank_stability(PlanEvaluator.build(network, demand), plan)
    assert [row.rank for row in rows] == [1, 2]
    assert all(row.low_rank <= row.rank <= row.high_rank for row in rows)
    assert rank_stability(PlanEvaluator.build(network, demand), Plan((), network.fingerprint)) == ()


def test_the_matrix_of_weekdays_and_hours_is_the_scorecard_of_each():
    network, demand, plan = town(n_nights=4)
    matrix = hour_matrix(PlanEvaluator.build(network, demand, min_count=EXACT), plan)
    part = demand.slice(hours=[25], weekdays=["tue"])
    assert matrix.served[matrix.weekdays.index("tue"), matrix.hours.index("01")] == pytest.approx(
        score_plan(network, part, plan).served_share, abs=1e-6
    )
    assert matrix.to_dict()["served"]["mon"].keys() == {"00", "01", "02"}


def test_robustness_over_nights_needs_nights():
    network, demand, plan = town()
    evaluator = PlanEvaluator.build(network, demand)
    with pytest.raises(DataError, match="ranks over resampled nights need at least 5 nights, got 1"):
        rank_stability(evaluator, plan)
    with pytest.raises(DataError, match="weekdays need records with dates; this demand has none"):
        hour_matrix(evaluator, plan)
    with pytest.raises(DataError, match="a plan that is good on bad nights too needs at least 2 nights, got 1"):
        robust_plan(network, demand, plan, ANY)
    with pytest.raises(UsageError, match=r"quantile must lie in \[0, 1\], got 2"):
        robust_plan(network, demand, plan, ANY, quantile=2.0)


@pytest.mark.parametrize("objective", [SERVED, Objective(1, 3), Objective(1, 0, 0)])
def test_a_robust_plan_is_never_worse_on_bad_nights_than_the_one_it_begins_from_and_keeps_the_limits(objective):
    network, demand, plan = town(n_nights=5)
    limits = RouteLimits(max_total_length_m=9 * LINK_M, max_length_m=5 * LINK_M, max_buses=4, headway_s=1200)
    asked = {"quantile": 0.0, "n_rounds": 3, "n_steps": 1500, "objective": objective, "seed": 6}
    found, again = (robust_plan(network, demand, plan, limits, **asked) for _ in range(2))
    assert found.plan.equals(again.plan), "a seed fixes the plan"
    nightly = [Problem.build(network, demand.slice(nights=[night])) for night in range(5)]
    began = min(one.value(plan, objective) / one.total_value(objective) for one in nightly)
    assert found.low_share == found.shares.min() >= max(found.even_shares.min(), began - 1e-12)
    assert check_plan(network, found.plan, limits) == ()
    for night, problem in enumerate(nightly):
        assert found.shares[night] == pytest.approx(problem.value(found.plan, objective) / problem.total_value(objective), abs=1e-12)


def test_a_robust_plan_in_other_processes_is_that_of_one():
    network, demand, plan = town(n_nights=3)
    asked = {"quantile": 0.0, "n_rounds": 2, "n_steps": 500, "seed": 6}
    here = robust_plan(network, demand, plan, ANY, **asked)
    with executor("processes:2") as elsewhere:
        apart = robust_plan(network, demand, plan, ANY, executor=elsewhere, **asked)
    assert here.plan.equals(apart.plan)
    assert here.plan.names == apart.plan.names
    assert [here.shares.tolist(), here.even_shares.tolist()] == [apart.shares.tolist(), apart.even_shares.tolist()]


def test_a_robust_plan_whose_processes_are_interrupted_is_the_best_so_far():
    network, demand, plan = town(n_nights=3)
    cancelled = []

    class Interrupted(Future):
        """A search that Ctrl-C ends."""

        def result(self, timeout=None):
            del timeout
            raise KeyboardInterrupt

        def cancel(self):
            cancelled.append(self)
            return True

    elsewhere = SimpleNamespace(submit=lambda *_: Interrupted())
    found = robust_plan(network, demand, plan, ANY, executor=elsewhere)
    assert (found.was_interrupted, found.plan, len(cancelled)) == (True, plan, 1)


def test_a_robust_plan_keeps_the_wishes_of_the_plan_it_begins_from():
    network, demand, plan = town(n_nights=3)
    constraints = PlanConstraints(
        fixed=Plan(plan.routes[:1], network.fingerprint), required=(24,), forbidden=(12,), depots=(0, 4, 14, 20, 24)
    )
    start = plan_routes(network, demand, 3, limits=ANY, constraints=constraints, stop_when=[MaxSteps(300)]).plan
    found = robust_plan(network, demand, start, ANY, constraints=constraints, quantile=0.0, n_rounds=2, n_steps=800)
    assert constraints.broken(network, start) == constraints.broken(network, found.plan) == ()
    assert found.plan.names[0] == "A"


def test_a_robust_plan_says_what_it_gains_on_bad_nights_and_costs_on_the_mean():
    network, _, plan = town()
    shares = np.array([0.30, 0.34, 0.35]), np.array([0.28, 0.36, 0.38])
    found = RobustPlan(plan, *shares, 0.0, printed=shares[0], even_printed=shares[1])
    assert network.fingerprint == found.plan.network_fingerprint
    assert str(found) == (
        "On the worst night it reaches 30.00%, +2.00 points over the plan for the mean night; "
        "the mean over nights changes by -1.00 points, to 33.00%."
    )
    assert (found.to_dict()["gain_share"], found.to_dict()["mean_change_share"]) == (0.02, -0.01)
    hidden = replace(found, printed=found.even_printed, quantile=0.1)
    assert str(hidden) == (
        "At the 10% quantile over nights it reaches 29.60%: no difference to the plan for the mean night that can be published."
    )
    nothing = replace(hidden, shares=found.even_shares)
    assert str(nothing).startswith("At the 10% quantile over nights no plan was found that reaches more than ")
    few = replace(found, printed=None)
    assert set(few.to_dict().values()) == {0.0, None, 3}
    assert str(few).endswith("its nights have too few trips and people for their shares to be told.")


def test_a_robust_search_cut_short_keeps_the_best_plan_so_far(monkeypatch):
    network, demand, plan = town(n_nights=3)

    def cut_short(*_: object, **__: object):
        raise KeyboardInterrupt

    monkeypatch.setattr("owlbus.evidence.robust_plan.search_from", cut_short)
    found = robust_plan(network, demand, plan, RouteLimits())
    assert (found.was_interrupted, found.plan) == (True, plan)


def test_a_plan_made_on_its_own_source_has_no_regret():
    network, calls, plan = town(n_nights=2)
    _, taxi, _ = town(seed=9, n_nights=2)
    other = Plan((Route([0, 5, 10, 15], "A"),), network.fingerprint)
    plans = {"calls": plan, "taxi": other}
    found = cross_checks(network, {"calls": calls, "taxi": taxi}, plans, min_count=EXACT)
    rows = {(row.made_on, row.scored_on): row for row in found}
    assert rows["calls", "calls"].regret_share == rows["taxi", "taxi"].regret_share == 0.0
    assert rows["calls", "taxi"].served_share == pytest.approx(score_plan(network, taxi, plan).served_share, abs=1e-6)


def test_groups_come_from_polygons_points_hexes_and_classes_of_numbers(tmp_path):
    network, demand, plan = town()
    grid, middle = network.grid, float(np.median(network.grid.lon))
    west = [[-1, -1], [middle, -1], [middle, 1], [-1, 1], [-1, -1]]
    feature = {"type": "Feature", "properties": {"name": "west"}, "geometry": {"type": "Polygon", "coordinates": [west]}}
    (tmp_path / "gu.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    labels = read_groups(f"{tmp_path}/gu.geojson:name", grid)
    assert ((labels == "west") == (grid.lon <= middle)).all()
    assert (labels == NOWHERE).any()
    (tmp_path / "residents.csv").write_text("hex,women_share\n" + "".join(f"{h},{0.4 + h / 100}\n" for h in range(25)))
    classes = read_groups(f"{tmp_path}/residents.csv:women_share", grid)
    assert len(np.unique(classes)) == 4
    (tmp_path / "points.csv").write_text(f"lon,lat,kind\n{grid.lon[0]},{grid.lat[0]},a\n{grid.lon[24]},{grid.lat[24]},b\n")
    nearest = read_groups(f"{tmp_path}/points.csv:kind", grid)
    assert (nearest[0], nearest[24]) == ("a", "b")
    evaluator = PlanEvaluator.build(network, demand)
    shown = break_down(evaluator, plan, classes).to_dict()
    parts = break_down(evaluator, plan, classes).groups.values()
    card = score_plan(network, demand, plan)
    assert sum(part.served for part in parts) == card.coverage.served.numerator
    assert sum(part.reached for part in parts) == card.coverage.presence.numerator
    assert shown["presence_best_to_worst"] is None or shown["presence_best_to_worst"] >= 1


def test_a_group_of_few_has_no_share():
    network, demand, plan = town()
    labels = np.array(["big"] * 12 + ["mid"] * 12 + ["tiny"])
    thin = Demand.from_rows(
        25,
        {"night": [], "hour": [], "origin": [], "destination": [], "trips": []},
        {"night": [0] * 25, "hour": [24] * 25, "hex": range(25), "presence": [40.0] * 24 + [6.0]},
        grid=network.grid.fingerprint,
    )
    del demand
    shown = break_down(PlanEvaluator.build(network, thin), plan, labels).to_dict()["groups"]
    assert {name: row["presence"]["denominator"] for name, row in shown.items()} == {"big": 480, "mid": 480, "tiny": None}
    assert [name for name, row in shown.items() if row["presence"]["share"] is None] == ["tiny"]


@pytest.mark.parametrize(
    ("text", "content", "error", "message"),
    [
        ("nocolon", None, UsageError, "by must read FILE:COLUMN, such as districts.geojson:name, got 'nocolon'"),
        ("absent.csv:x", None, DataError, "no such file; name a table as .geojson, .gpkg, .shp or .csv"),
        ("a.csv:nmae", "hex,name\n0,x\n", DataError, "a.csv: has no column 'nmae'; did you mean 'name'?"),
        ("a.csv:name", "id,name\n0,x\n", DataError, r"a.csv: needs a column hex \(index or label\), h3, or lon and lat, got id, name"),
        ("a.csv:name", "hex,name\nq99r99,x\n", DataError, "none of its rows touches one of the 25 hexes"),
        ("a.csv:name", "lon,lat,name\n1,x,a\n", DataError, "lon and lat must be numbers in every row"),
        ("a.geojson:name", "{", DataError, "a.geojson: not valid JSON in line 1, column 2"),
    ],
)
def test_a_table_to_break_down_by_that_does_not_fit_says_why(tmp_path, text, content, error, message):
    network, _, _ = town()
    if content is not None:
        (tmp_path / text.partition(":")[0]).write_text(content)
    with pytest.raises(error, match=message):
        read_groups(f"{tmp_path}/{text}" if ":" in text else text, network.grid)
