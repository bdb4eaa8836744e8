"""Evidence: differences equal two full scorecards to the last bit, changes join what they cut, and nothing small is shown."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pytest
from cities import LINK_M, LINK_S, city
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_coverage import cases

from owlbus.common.disclosure import EXACT
from owlbus.common.errors import DataError, UsageError
from owlbus.demand import Demand
from owlbus.evidence import PlanEvaluator, compare_plans, difference
from owlbus.evidence.changes import (
    Change,
    drop_route,
    pass_by,
    remove_stop,
    replace_stop,
)
from owlbus.evidence.compare import difference_geojson
from owlbus.evidence.explain import explain_change
from owlbus.evidence.printed_difference import printed_difference
from owlbus.evidence.stop_names import StopNames, find_route
from owlbus.kernels.splice import splice, steps_apart
from owlbus.pipeline.report_content import comparison_contents
from owlbus.pipeline.study import Study
from owlbus.plan import Plan, Route, plan_measures
from owlbus.plan.check import newly_broken
from owlbus.plan.limits import RouteLimits
from owlbus.score import score_plan
from owlbus.search import Objective, Problem
from owlbus.search.route_evaluator import RouteEvaluator, windows_around

SERVED = Objective()
LADDER = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (6, 3), (1, 4), (2, 5)]
"""Two rows of stops, 0 1 2 3 and 0 4 5 6 3, with rungs."""


def ladder():
    """Route A along the upper row, with trips to and from the lower one."""
    network, demand = city(
        8,
        LADDER,
        {(0, 3): 100.0, (0, 2): 40.0, (4, 3): 30.0, (1, 3): 12.0, (7, 0): 100.0},
        presence={h: 20.0 + h for h in range(8)},
    )
    return network, demand, Plan((Route([0, 1, 2, 3], "A"),), network.fingerprint)


def week(network, rng):
    """Seven nights and two hours of random trips and people."""
    n, rows = network.grid.n_hexes, 400
    ends = rng.integers(0, n, (2, rows))
    keep = ends[0] != ends[1]
    night, hour = rng.integers(0, 7, rows), rng.integers(24, 26, rows)
    trips = {
        "night": night[keep],
        "hour": hour[keep],
        "origin": ends[0][keep],
        "destination": ends[1][keep],
        "trips": rng.random(keep.sum()),
    }
    people = {"night": night, "hour": hour, "hex": ends[0], "presence": rng.random(rows)}
    nights = tuple(dt.date(2013, 3, 11) + dt.timedelta(days=day) for day in range(7))
    return Demand.from_rows(n, trips, people, hours=(24, 25), nights=nights, grid=network.grid.fingerprint)


@st.composite
def changed_plans(draw):
    """Random city and plan, a week of demand on it, and the plan after a random change."""
    problem, plan = draw(cases())
    assume(len(plan) > 1)
    network = problem.network
    stop = draw(st.sampled_from(plan.used_stops.tolist()))
    other = draw(st.integers(0, network.n_stops - 1))
    kind = draw(st.sampled_from(["remove", "swap", "drop", "via"]))
    try:
        if kind == "remove":
            change = remove_stop(problem, SERVED, plan, stop)
        elif kind == "swap":
            change = replace_stop(problem, SERVED, plan, stop, other)
        elif kind == "drop":
            change = drop_route(plan, draw(st.integers(0, len(plan) - 1)))
        else:
            change = pass_by(problem, SERVED, plan, other)
    except UsageError:
        assume(False)  # noqa: FBT003 - hypothesis' own way to draw again
    return problem, plan, change, week(network, np.random.default_rng(draw(st.integers(0, 99))))


@given(changed_plans())
@settings(max_examples=60, deadline=None)
def test_a_difference_equals_two_full_scorecards_to_the_last_bit(drawn):
    problem, plan, change, demand = drawn
    labels = np.array([f"d{h % 3}" for h in range(demand.n_hexes)])
    evaluator = PlanEvaluator.build(problem.network, demand, problem.rule, labels)
    found = difference(evaluator, evaluator.evaluate(plan), evaluator.evaluate(change.plan))
    cards = [score_plan(problem.network, demand, one, rule=problem.rule, groups=labels) for one in (plan, change.plan)]
    parts = [(found.whole, [card.coverage for card in cards])]
    for family, key in ((found.by_hour, "by_hour"), (found.by_weekday, "by_weekday")):
        parts += [(moved, [getattr(card, key)[label] for card in cards]) for label, moved in family.items()]
    parts += [(moved, [card.by_group[label] for card in cards]) for label, moved in found.by_district.items()]
    for moved, (before, after) in parts:
        assert moved.net_trips == after.served.numerator - before.served.numerator
        assert moved.net_presence == after.presence.numerator - before.presence.numerator
    assert found.cost.length_m == cards[1].total_length_m - cards[0].total_length_m
    assert found.cost.buses == cards[1].total_buses - cards[0].total_buses
    direct = [card.coverage.direct.numerator for card in cards]
    assert found.gained_direct_trips - found.lost_direct_trips == direct[1] - direct[0]
    ends = found.gained_trips_by_hex.sum() - found.lost_trips_by_hex.sum()
    assert ends == 2 * found.whole.net_trips


@given(changed_plans())
@settings(max_examples=40, deadline=None)
def test_a_candidate_is_valued_as_the_whole_plan_counted_anew(drawn):
    problem, plan, _, _ = drawn
    route_evaluator = RouteEvaluator(problem, Objective(2, 1), plan)
    for k, route in enumerate(plan.routes):
        for i, j in windows_around(route.n_stops // 2, route.n_stops, 2):
            for found in route_evaluator.splices(k, iter([(i, j)]), via=int(problem.network.n_stops) - 1):
                assert found.value == problem.value(route_evaluator.plan_with(found), Objective(2, 1))
                assert found.cycle_s == plan_measures(problem.network, route_evaluator.plan_with(found)).cycle_s[k]


@given(changed_plans(), st.sampled_from([None, 4_000, 9_000]))
@settings(max_examples=40, deadline=None)
def test_many_windows_at_once_give_the_different_routes_of_each_that_keep_the_limits(drawn, most_m):
    problem, plan, _, _ = drawn
    limits = None if most_m is None else RouteLimits(max_length_m=most_m, max_total_length_m=4 * most_m, max_buses=60)
    route_evaluator, via = RouteEvaluator(problem, Objective(2, 1), plan, limits), int(problem.network.n_stops) - 1
    for k, route in enumerate(plan.routes):
        windows = [(i, j) for i in range(-1, route.n_stops) for j in range(i + 1, route.n_stops + 1) if (i, j) != (-1, route.n_stops)]
        each = [found for window in windows for found in route_evaluator.splices(k, iter([window]), via=via)]
        different = {found.stops.tobytes(): found for found in each}.values()
        together = list(route_evaluator.splices(k, iter(windows), via=via))
        for column in ("value", "length_m", "cycle_s"):
            assert [getattr(found, column) for found in together] == [getattr(found, column) for found in different]
        assert [found.stops.tolist() for found in together] == [found.stops.tolist() for found in different]
        for found in together if limits else ():
            assert not newly_broken(problem.network, plan, route_evaluator.plan_with(found), limits)
            assert route_evaluator.candidate(k, found.stops).value == found.value


@given(st.lists(st.integers(0, 4), max_size=7), st.lists(st.integers(0, 4), max_size=7))
def test_steps_apart_is_the_plain_recursion(a, b):
    def slow(p, q):
        if p == 0 or q == 0:
            return p + q
        return min(slow(p - 1, q) + 1, slow(p, q - 1) + 1, slow(p - 1, q - 1) + (a[p - 1] != b[q - 1]))

    if len(a) + len(b) < 11:
        assert steps_apart(np.array(a, np.int32), np.array(b, np.int32)) == slow(len(a), len(b))


def test_a_splice_passes_no_stop_twice_and_leaves_its_work_space_clean():
    network, demand, plan = ladder()
    problem = Problem.build(network, demand)
    banned, out = np.zeros(network.n_stops, np.uint8), np.zeros(12, np.int32)
    stops = np.zeros(12, np.int32)
    stops[:4] = plan.routes[0].stops
    n = splice(problem.graph, network.drive_s, stops, 4, 1, 2, 6, -1, out, banned)
    assert n == -1, "6 can be left by 3 and 5 only, and 3 is on the route"
    n = splice(problem.graph, network.drive_s, stops, 4, 1, 3, 6, -1, out, banned)
    assert out[:n].tolist() == [0, 1, 4, 5, 6, 3] or out[:n].tolist() == [0, 1, 2, 5, 6, 3]
    assert not banned.any()


def test_a_stop_left_out_is_driven_around_and_costs_what_the_way_costs():
    network, demand, plan = ladder()
    change = remove_stop(Problem.build(network, demand), SERVED, plan, 1)
    assert change.plan.routes[0].stops.tolist() == [0, 4, 5, 2, 3]
    evaluator = PlanEvaluator.build(network, demand)
    found = difference(evaluator, evaluator.evaluate(plan), evaluator.evaluate(change.plan))
    assert (found.cost.length_m, found.cost.cycle_s) == (LINK_M, 2 * LINK_S)
    assert (found.whole.lost_trips, found.whole.gained_trips) == (12.0, 30.0)
    assert (found.burden.slower_trips, found.burden.slower_mean_s) == (140.0, LINK_S)


def test_a_terminal_left_out_is_cut_off():
    network, demand, plan = ladder()
    assert remove_stop(Problem.build(network, demand), SERVED, plan, 3).plan.routes[0].stops.tolist() == [0, 1, 2]


def test_a_terminal_may_be_swapped():
    network, demand, plan = ladder()
    change = replace_stop(Problem.build(network, demand), SERVED, plan, 0, 4)
    assert change.plan.routes[0].stops.tolist() == [4, 1, 2, 3]
    assert change.routes == ("A",)


def test_passing_by_takes_the_worthiest_of_the_quick_ways():
    network, demand, plan = ladder()
    change = pass_by(Problem.build(network, demand), SERVED, plan, 5)
    assert 5 in change.plan.routes[0].stops
    assert plan_measures(network, change.plan).cycle_s[0] <= 3 * 2 * LINK_S + 2 * LINK_S


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda c, p: remove_stop(c, SERVED, p, 6), r"no route passes stop 6; the nearest stops with a route are 3, 2, 0"),
        (lambda c, p: remove_stop(c, SERVED, p, 6, route=0), "route A does not pass stop 6; the nearest stops with a route are 3, 2, 0"),
        (lambda c, p: replace_stop(c, SERVED, p, 1, 1), "stop 1 would be put in its own place; name another one"),
        (lambda c, p: replace_stop(c, SERVED, p, 1, 7), "route A cannot pass stop 7 in place of 1: no way joins it in"),
        (lambda c, p: pass_by(c, SERVED, p, 2), "route A passes stop 2 already; name another place"),
        (lambda c, p: pass_by(c, SERVED, p, 7), "no route can pass stop 7 within the limits"),
        (lambda _, p: drop_route(p, 0), "route A is the only one; a plan without routes serves nobody"),
        (lambda _, p: find_route(p, "AA"), "no route is called 'AA'; did you mean A?"),
        (lambda _, p: find_route(p, "zebra"), "no route is called 'zebra'; there are A"),
    ],
)
def test_a_change_that_cannot_be_made_says_why(act, message):
    network, demand, plan = ladder()
    with pytest.raises(UsageError, match=message):
        act(Problem.build(network, demand), plan)


def test_a_route_that_is_only_two_stops_around_the_one_left_out_is_refused():
    network, demand = city(3, [(0, 1), (1, 2)], {(0, 2): 20.0})
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    with pytest.raises(UsageError, match="route A cannot be joined around stop 1; drop the route, or move the stop"):
        remove_stop(Problem.build(network, demand), SERVED, plan, 1)


def test_a_broken_limit_is_named_with_by_how_much_and_an_old_one_is_not():
    network, demand, plan = ladder()
    change = remove_stop(Problem.build(network, demand), SERVED, plan, 1)
    limits = RouteLimits(max_length_m=3 * LINK_M, max_ride_s=500, max_circuity=1.2, max_buses=1, headway_s=1200)
    lines = newly_broken(network, plan, change.plan, limits)
    assert "route A: length 4,000 m is 1,000 m above the 3,000 m allowed" in lines
    assert "route A: ride 800 s is 300 s above the 500 s allowed" in lines
    assert "all routes: buses 2 is 1 above the 1 allowed" in lines
    assert newly_broken(network, change.plan, change.plan, limits) == ()
    assert newly_broken(network, plan, plan, RouteLimits()) == ()


def test_stops_are_found_by_index_name_place_and_position():
    network, _, _ = ladder()
    places = StopNames(("Boramae", "Jangan"), [network.stop_lon[3], network.stop_lon[5]], [network.stop_lat[3], network.stop_lat[5]])
    assert [
        places.find_stop(network, text) for text in ("2", "stop 4", "boramae", f"{network.stop_lon[6]:.6f}, {network.stop_lat[6]:.6f}")
    ] == [
        2,
        4,
        3,
        6,
    ]
    assert places.name_of(network, 3) == "stop 3", "it has a name of its own"
    nameless = replace(network, stop_names=("",) * network.n_stops)
    assert places.name_of(nameless, 3) == "Boramae (stop 3)"
    assert StopNames().name_of(nameless, 3) == "stop 3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99", "stop 99: the network has stops 0 to 7; name a stop, a place or LON,LAT"),
        ("Boramea", "no stop or place is called 'Boramea'; did you mean Boramae?"),
        ("30.3,59.9", r"30.3,59.9 lies 7,\d{3},\d{3} m from the nearest stop, allowed are 1500 m; give longitude before latitude"),
    ],
)
def test_a_stop_that_nobody_knows_is_refused_with_near_ones(text, message):
    network, _, _ = ladder()
    with pytest.raises(UsageError, match=message):
        StopNames(("Boramae",), [0.01], [0.01]).find_stop(network, text)


def test_who_walks_further_and_who_must_change_is_counted():
    """Hexes 1 and 2 lie in the sheds of their own stop and, 400 m off, of the next one."""
    network, demand = city(
        5, [(0, 1), (1, 2), (2, 3), (1, 4)], {(0, 2): 50.0, (0, 4): 20.0}, sheds={1: (2,), 2: (1,)}, presence=dict.fromkeys(range(5), 30.0)
    )
    before = Plan((Route([0, 1, 2], "A"), Route([2, 1, 4], "B")), network.fingerprint)
    after = Plan((Route([0, 1], "A"), Route([1, 4], "B")), network.fingerprint)
    evaluator = PlanEvaluator.build(network, demand)
    found = difference(evaluator, evaluator.evaluate(before), evaluator.evaluate(after))
    assert (found.burden.further_presence, found.burden.further_mean_m) == (30.0, 400.0)
    assert (found.burden.faster_trips, found.burden.slower_trips) == (0.0, 0.0), "hex 2 is reached on foot from stop 1 already"
    assert (found.whole.lost_trips, found.burden.now_transfer_trips) == (0.0, 0.0)
    turned = difference(
        evaluator, evaluator.evaluate(after), evaluator.evaluate(Plan((Route([0, 1, 4], "A"), Route([2, 1], "B")), network.fingerprint))
    )
    assert turned.burden.now_direct_trips == 20.0


def test_a_plan_of_another_network_is_refused():
    network, demand, plan = ladder()
    other, _ = city(5, [(0, 1)], {(0, 1): 1.0})
    with pytest.raises(DataError, match="the plan was made for network"):
        PlanEvaluator.build(network, demand).evaluate(Plan((Route([0, 1], "A"),), other.fingerprint))
    with pytest.raises(UsageError, match="a comparison needs at least two plans, got 1"):
        compare_plans(network, demand, {"one": plan})
    with pytest.raises(DataError, match=r"districts must name each of 8 hexes once, got shape \(1,\)"):
        PlanEvaluator.build(network, demand, districts=np.array(["x"]))


def test_an_empty_plan_serves_nobody_and_loses_everything():
    network, demand, plan = ladder()
    evaluator = PlanEvaluator.build(network, demand)
    found = difference(evaluator, evaluator.evaluate(plan), evaluator.evaluate(Plan((), network.fingerprint)))
    assert (found.whole.lost_trips, found.whole.gained_trips) == (152.0, 0.0)
    assert found.served_interval == (None, None), "one night has no spread"
    assert not found.is_sure


def test_a_comparison_shows_every_measure():
    network, demand, plan = ladder()
    other = Plan((Route([0, 1, 2, 3], "A"), Route([0, 4, 5, 6, 3], "B")), network.fingerprint)
    shown = compare_plans(network, demand, {"old": plan, "new": other}).to_dict()
    assert (shown["baseline"], list(shown["plans"])) == ("old", ["old", "new"])
    assert shown["differences"]["new"]["whole"]["gained_trips"] == 30.0
    assert shown["differences"]["new"]["measures"]["total_length_m"] == 4 * LINK_M
    shares = [shown["plans"][name]["direct"]["share"] for name in ("old", "new")]
    assert shown["differences"]["new"]["direct_share_change"] == round(shares[1] - shares[0], 6) == round(30 / 277.5, 6)
    assert shown["differences"]["new"]["direct_share_interval"] is None
    json.dumps(shown, allow_nan=False)


def test_a_difference_of_few_is_not_told():
    """Stop 1 carries 12 trips of its own: neither they, nor a net, nor two totals may tell."""
    network, demand, plan = ladder()
    shorter = Plan((Route([0, 4, 5, 2, 3], "A"),), network.fingerprint)
    evaluator = PlanEvaluator.build(network, demand)
    change = difference(evaluator, evaluator.evaluate(plan), evaluator.evaluate(shorter))
    assert change.whole.lost_trips == 12.0
    shown = printed_difference(change)
    assert (shown["whole"]["lost_trips"], shown["whole"]["net_trips"], shown["served_share_change"]) == (0, None, None)
    document = compare_plans(network, demand, {"old": plan, "new": shorter}).to_dict()
    assert document["plans"]["new"]["served"]["numerator"] % 15 == 0
    hexes = json.loads(difference_geojson(evaluator, change))
    values = [count for one in hexes["features"] for count in counts_in(one["properties"]).values()]
    assert values
    assert not [value for value in values if value % 15]


def test_the_verdict_on_a_change_rests_on_printed_counts():
    network, demand, plan = ladder()
    evaluator = PlanEvaluator.build(network, demand)
    shorter = Change("remove", "stop 1 left out", Plan((Route([0, 4, 5, 2, 3], "A"),), network.fingerprint), ("A",))
    assert explain_change(evaluator, plan, shorter, RouteLimits()).verdict().endswith("No difference that can be published.")
    assert explain_change(evaluator, plan, shorter, RouteLimits()).verdict(EXACT).endswith("Better; too few nights to say how sure.")
    gone = Change("drop", "A dropped", Plan((), network.fingerprint), ("A",))
    assert "loses 150 trips a night" in explain_change(evaluator, plan, gone, RouteLimits()).verdict()


def counts_in(values, at=""):
    """Counts of people in a document by their place: numerators, and what is named for trips or people."""
    if isinstance(values, list):
        return {place: count for k, one in enumerate(values) for place, count in counts_in(one, f"{at}/{k}").items()}
    if not isinstance(values, dict):
        return {}
    found = {}
    for name, value in values.items():
        if name == "numerator" or name.endswith(("_trips", "_presence")):
            found[f"{at}/{name}"] = value
        else:
            found |= counts_in(value, f"{at}/{name}")
    return found


def three_plans():
    """The second and the third differ from the first by 122 and 110 trips, and from one another by the 12 of stop 1."""
    network, demand, whole = ladder()
    first = Plan((Route([4, 5, 6, 3], "A"),), network.fingerprint)
    third = Plan((Route([0, 4, 5, 2, 3], "A"),), network.fingerprint)
    return network, demand, {"first": first, "second": whole, "third": third}


def test_a_plan_has_the_same_figures_beside_any_others():
    network, demand, plans = three_plans()
    alone = {name: score_plan(network, demand, plan).to_dict() for name, plan in plans.items()}
    for names in (("first", "second"), ("second", "first"), ("third", "first", "second")):
        document = compare_plans(network, demand, {name: plans[name] for name in names}).to_dict()
        for name in names:
            told = document["plans"][name]
            for kind in ("presence", "served", "direct"):
                assert told[kind]["share"] == alone[name][kind]["share"]
                assert told[kind]["numerator"] == alone[name][kind]["numerator"]
            assert told["transfer_share"] == alone[name]["transfer_share"]
        for name in names[1:]:
            before, after = (document["plans"][each]["served"]["numerator"] for each in (names[0], name))
            assert document["differences"][name]["whole"]["net_trips"] == (after - before if abs(after - before) >= 30 else None)


def test_every_count_of_a_comparison_is_a_multiple():
    network, demand, plans = three_plans()
    found = compare_plans(network, demand, plans)
    document = found.to_dict()
    counts = counts_in(document["plans"]) | counts_in(document["differences"])
    assert [place for place, count in counts.items() if count is not None and count % 15] == []
    for name in ("second", "third"):
        hexes = json.loads(found.to_geojson(name))
        counts = [count for one in hexes["features"] for count in counts_in(one["properties"]).values()]
        assert any(counts)
        assert not [count for count in counts if count % 15]


def test_the_reports_of_three_plans_tell_what_their_comparison_does():
    network, demand, plans = three_plans()
    found = compare_plans(network, demand, plans, districts=np.array(["x", "y"] * 4))
    study = Study(network.grid, demand, network, is_synthetic=True)
    contents = comparison_contents(study, found, found.to_dict(), {})
    told = [contents[0].reference, *(content.best for content in contents)]
    assert [one.name for one in told] == ["first", "second", "third"]
    for one in told:
        counts = counts_in(one.card)
        assert [place for place, count in counts.items() if count is not None and count % 15] == []
        assert counts["/served/numerator"] == found.to_dict()["plans"][one.name]["served"]["numerator"]
        assert one.card["transfer_share"] == found.to_dict()["plans"][one.name]["transfer_share"]


@given(changed_plans())
@settings(max_examples=40, deadline=None)
def test_every_count_of_a_difference_is_a_multiple(drawn):
    problem, plan, change, demand = drawn
    evaluator = PlanEvaluator.build(problem.network, demand, problem.rule)
    found = difference(evaluator, evaluator.evaluate(plan), evaluator.evaluate(change.plan))
    shown = printed_difference(found, 5)
    rows = [shown["whole"], *(row for family in ("by_hour", "by_weekday", "by_district") for row in shown[family].values())]
    counts = [value for row in rows for value in row.values()]
    counts += [value for name, value in shown["burden"].items() if not name.endswith(("_s", "_m"))]
    assert not [value for value in counts if value is not None and value % 5]
    assert shown["whole"]["gained_trips"] <= found.whole.gained_trips < shown["whole"]["gained_trips"] + 5
    assert shown["whole"]["net_trips"] is None or abs(shown["whole"]["net_trips"]) >= 10
