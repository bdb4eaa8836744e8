"""Orders of introduction: nested sets against brute force, and the phases of plans on small cities."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cities import ANY_SHAPE, city
from explore_town import town_run
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus import Plan, Route, RouteLimits
from owlbus.cli.app import run as run_command
from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.evidence.nested_choice import NestedChoice, SetProblem, choose_nested
from owlbus.evidence.phase_search import phase_routes
from owlbus.explore.opened_run import open_run
from owlbus.plan import plan_measures
from owlbus.search import PlanConstraints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from owlbus.demand import Demand
    from owlbus.evidence.phases import Phasing
    from owlbus.network import Network


# Nested sets


def cover_value(groups: Sequence[tuple[float, Sequence[int]]]) -> Callable[[int], float]:
    """Worth of a set: the sum of the groups that a route or a pair of routes of it serves, as trips with a transfer are."""
    return lambda chosen: sum(worth for worth, ways in groups if any(way & chosen == way for way in ways))


def brute_force(problem: SetProblem) -> tuple[int, float]:
    """Fewest missed constraints, and the highest value with so few, over all nested sets."""
    sets = range(1 << problem.n_routes)
    best = None
    for chain in product(sets, repeat=len(problem.budgets)):
        if any(not problem.is_within(chosen, t) for t, chosen in enumerate(chain)):
            continue
        if any(a & ~b for a, b in pairwise(chain)):
            continue
        rank = -sum(map(problem.missed, chain)), sum(w * problem.value(s) for w, s in zip(problem.weights, chain, strict=True))
        best = rank if best is None or rank > best else best
    assert best is not None
    return -best[0], best[1]


@st.composite
def set_problems(draw: st.DrawFn, most: int = 4) -> SetProblem:
    """Routes of whole costs, trips that one or two of them serve, and a hub that some of them call at."""
    n = draw(st.integers(1, most))
    way = st.sampled_from([1 << a | 1 << b for a in range(n) for b in range(n)])
    groups = draw(st.lists(st.tuples(st.integers(1, 40).map(float), st.lists(way, min_size=1, max_size=3)), min_size=1, max_size=9))
    costs = tuple(float(cost) for cost in draw(st.lists(st.integers(1, 5), min_size=n, max_size=n)))
    budgets = tuple(sorted({float(min(costs) + extra) for extra in draw(st.lists(st.integers(0, 14), min_size=1, max_size=3))}))
    hub, least = draw(st.integers(0, (1 << n) - 1)), draw(st.integers(0, 2))
    always = draw(st.sampled_from([0, 1])) if costs[0] <= budgets[0] else 0
    weights = tuple(float(w) for w in draw(st.lists(st.integers(1, 3), min_size=len(budgets), max_size=len(budgets))))
    direct = cover_value([(worth, [way for way in ways if way.bit_count() == 1]) for worth, ways in groups])
    return SetProblem(
        cover_value(groups), lambda chosen: max(0, least - (chosen & hub).bit_count()), costs, budgets, weights, always, direct
    )


def require_nested(problem: SetProblem, choice: NestedChoice) -> None:
    assert len(choice.sets) == len(problem.budgets)
    assert all(problem.is_within(chosen, t) for t, chosen in enumerate(choice.sets))
    assert all(a & ~b == 0 for a, b in pairwise(choice.sets))


@settings(max_examples=150, deadline=None)
@given(set_problems())
def test_no_nested_sets_are_better_than_those_chosen(problem: SetProblem) -> None:
    choice = choose_nested(problem)
    require_nested(problem, choice)
    missed, value = brute_force(problem)
    assert (sum(map(problem.missed, choice.sets)), choice.value) == (missed, value)
    assert choice.is_exact
    for t, alone in enumerate(choice.alone):
        allowed = [chosen for chosen in range(1 << problem.n_routes) if problem.is_within(chosen, t)]
        assert (-problem.missed(alone), problem.value(alone)) == max((-problem.missed(s), problem.value(s)) for s in allowed)


@settings(max_examples=150, deadline=None)
@given(set_problems(5))
def test_an_improved_order_lies_between_a_plain_one_and_the_bound(problem: SetProblem) -> None:
    best, improved = choose_nested(problem), choose_nested(problem, most_exact=0)
    require_nested(problem, improved)
    assert not improved.is_exact
    assert sum(map(problem.missed, improved.sets)) >= sum(map(problem.missed, best.sets))
    assert best.value <= improved.bound + 1e-9
    assert best.value <= choose_nested(replace(problem, direct=None), most_exact=0).bound + 1e-9
    for t, alone in enumerate(improved.alone):
        assert problem.is_within(alone, t)
        assert problem.value(best.alone[t]) >= problem.value(alone) or problem.missed(best.alone[t]) < problem.missed(alone)
    if sum(map(problem.missed, improved.sets)) == sum(map(problem.missed, best.sets)):
        assert improved.value <= best.value


def test_an_order_that_takes_the_best_route_first_can_be_wrong() -> None:
    """Route 0 alone serves most, but it and what fits beside it serve less than 1 and 2, which meet."""
    value = cover_value([(10.0, [0b001]), (6.0, [0b010]), (6.0, [0b100]), (20.0, [0b110])])
    choice = choose_nested(SetProblem(value, lambda _: 0, (1.0, 1.0, 1.0), (1.0, 2.0), (1.0, 1.0)))
    assert choice.sets == (0b010, 0b110)
    assert choice.value == 6 + 32
    assert choice.alone == (0b001, 0b110)


def test_a_phase_that_lasts_longer_weighs_more() -> None:
    value = cover_value([(10.0, [0b001]), (6.0, [0b010]), (6.0, [0b100]), (6.0, [0b110])])
    pick = [choose_nested(SetProblem(value, lambda _: 0, (1.0,) * 3, (1.0, 2.0), w)).sets for w in ((3.0, 1.0), (1.0, 3.0))]
    assert pick == [(0b001, 0b011), (0b010, 0b110)]


def test_ties_take_more_routes_and_then_those_that_come_first() -> None:
    choice = choose_nested(SetProblem(lambda chosen: float(bool(chosen)), lambda _: 0, (1.0,) * 3, (1.0, 2.0), (1.0, 1.0)))
    assert choice.sets == (0b001, 0b011)


# Phases of plans


def star() -> tuple[Network, Demand, Plan]:
    """Three lines that meet at stop 0; most trips need two of them."""
    links = [(0, 1), (1, 2), (0, 3), (3, 4), (0, 5), (5, 6)]
    trips = {(2, 0): 30.0, (4, 0): 20.0, (6, 0): 15.0, (4, 6): 64.0, (2, 4): 4.0}
    network, demand = city(7, links, trips, presence=dict.fromkeys(range(7), 20.0))
    lines = (("A", [2, 1, 0]), ("B", [4, 3, 0]), ("C", [6, 5, 0]))
    return network, demand, Plan(tuple(Route(stops, name) for name, stops in lines), network.fingerprint)


SHAPE: dict[str, Any] = ANY_SHAPE
LIMITS = RouteLimits(**SHAPE)


def run_phases(budgets: Sequence[float], **more: Any) -> Phasing:  # noqa: ANN401 - any setting
    network, demand, plan = star()
    settings: dict[str, Any] = {"limits": LIMITS, "n_steps": 0, "min_count": -1, **more}
    return phase_routes(network, demand, plan, budgets, **settings)


def test_phases_serve_what_the_brute_force_over_all_orders_serves() -> None:
    phasing = run_phases((1, 2, 3))
    assert [phase.plan.names for phase in phasing.phases] == [("B",), ("B", "C"), ("A", "B", "C")]
    assert [row["served_trips"] for row in phasing.rows()] == [20, 99, 133]
    assert phasing.is_exact
    assert [phase.alone.names for phase in phasing.phases] == [("A",), ("B", "C"), ("A", "B", "C")]
    assert [row["alone_regret_points"] for row in phasing.rows()] == [round(100 * 10 / 133, 2), 0.0, 0.0]


def test_each_phase_runs_a_timetable_within_its_buses() -> None:
    for phase in run_phases((1, 2, 3)).phases:
        assert phase.buses <= phase.budget
        assert phase.timetable is not None
        assert phase.timetable["fleet"] <= phase.budget
        assert [row["name"] for row in phase.timetable["routes"]] == list(phase.plan.names)


def test_taking_away_runs_the_same_sets_from_the_largest_budget_on() -> None:
    introduced, taken = run_phases((1, 2)), run_phases((1, 2), take_away=True)
    assert [phase.plan.names for phase in taken.phases] == [phase.plan.names for phase in reversed(introduced.phases)]
    assert [phase.changed for phase in taken.phases] == [("A",), ("C",)]
    assert "removed" in taken.rows()[0]


def test_a_hub_is_kept_where_it_can_be() -> None:
    """One route cannot make two calls; of two routes any can, so that the hub binds A, which runs through stop 1 alone."""
    constraints = PlanConstraints(required=(1,))
    phasing = run_phases((1, 2), constraints=constraints)
    assert [phase.plan.names for phase in phasing.phases] == [("A",), ("A", "B")]
    assert [phase.missed for phase in phasing.phases] == [(), ()]
    hubs = run_phases((1, 2), constraints=PlanConstraints(hubs=((0, 2),)))
    assert [len(phase.missed) for phase in hubs.phases] == [1, 0]
    assert "stop 0 is called at by 1 of the 2 routes required" in hubs.phases[0].missed[0]


def test_people_without_trips_are_phased_by_presence() -> None:
    network, demand = city(7, [(0, 1), (1, 2), (0, 3), (3, 4)], {}, presence={2: 90.0, 4: 60.0, 0: 10.0})
    plan = Plan((Route([2, 1, 0], "A"), Route([4, 3, 0], "B")), network.fingerprint)
    phasing = phase_routes(network, demand, plan, (1, 2), limits=LIMITS, objective="presence", n_steps=500, min_count=-1)
    rows = phasing.rows()
    assert [row["added"] for row in rows] == [["A"], ["B"]]
    assert [row["objective_share"] for row in rows] == [0.625, 1.0]
    assert [row["served_share"] for row in rows] == [None, None]
    assert [row["wait_min"] for row in rows] == [None, None]


def test_hours_that_are_not_known_are_spread_for_the_timetables_alone() -> None:
    network, demand, plan = star()
    pairs = demand.od()
    unknown = type(demand)(
        7, hours=(24, 25), origin=pairs.origin, destination=pairs.destination, trips=pairs.trips, hours_known=False, grid=demand.grid
    )
    rows = phase_routes(network, unknown, plan, (1, 3), limits=LIMITS, n_steps=0, min_count=-1).rows()
    assert [row["buses_run"] is not None for row in rows] == [True, True]
    assert [row["served_trips"] for row in rows] == [30, 133]


def test_fixed_routes_run_in_every_phase() -> None:
    _, _, plan = star()
    fixed = PlanConstraints(fixed=Plan(plan.routes[2:], plan.network_fingerprint))
    assert all("C" in phase.plan.names for phase in run_phases((1, 2, 3), constraints=fixed).phases)
    with pytest.raises(InfeasibleError, match=r"the routes that always run cost 9, and the smallest budget is 5; fix fewer, or begin"):
        run_phases((5, 9), constraints=fixed, costs={"A": 1.0, "B": 1.0, "C": 9.0})


def test_costs_in_money_take_the_place_of_buses() -> None:
    phasing = run_phases((5, 8), costs={"A": 5.0, "B": 2.0, "C": 3.0})
    assert phasing.unit == "cost"
    assert [(phase.plan.names, phase.cost) for phase in phasing.phases] == [(("B", "C"), 5.0), (("B", "C"), 5.0)]
    assert phasing.left_out == ("A",)


def test_the_regret_against_a_search_from_scratch_is_that_of_the_same_buses() -> None:
    phasing = run_phases((1, 2), n_steps=2_000)
    for phase in phasing.phases:
        assert phase.searched is not None
        assert phase.searched_share is not None
        assert len(phase.searched) <= phase.budget
        assert phase.regret_share >= 0
        assert phase.best_share == max(phase.objective_share, phase.alone_share, phase.searched_share)
    first = phasing.phases[0]
    assert first.regret_share == first.best_share - first.objective_share > 0  # one route over two arms serves more than any of three


@pytest.mark.parametrize(
    ("budgets", "more", "error", "line"),
    [
        ((), {}, UsageError, r"^budgets must be 1 to 50 different numbers, got 0$"),
        ((float("nan"),), {}, UsageError, r"^budgets must lie in \[0, 1e\+12\], got nan$"),
        ((0.5,), {}, InfeasibleError, r"^the smallest budget, 0.5 buses, pays for no route: the cheapest, A, takes 1; begin with more$"),
        ((5,), {"costs": {"A": 1.0}}, UsageError, r"^costs must name each of 3 routes once, got no cost for route B \(2 such\)$"),
        ((5,), {"costs": dict.fromkeys("ABCD", 1.0)}, UsageError, r"got a cost for D, which is no route of the plan$"),
        ((5,), {"objective": "travel_time"}, UsageError, r"travel"),
        ((5,), {"n_steps": -1}, UsageError, r"^n_steps must lie in"),
    ],
)
def test_what_cannot_be_phased_is_refused_in_one_line(
    budgets: Sequence[float], more: dict[str, Any], error: type[Exception], line: str
) -> None:
    with pytest.raises(error, match=line):
        run_phases(budgets, **more)


def test_printed_phases_are_rounded_counts_and_tell_no_difference_below_them() -> None:
    phasing = run_phases((1, 2, 3), min_count=15)
    rows = phasing.rows()
    assert all(row["served_trips"] % 15 == 0 for row in rows)
    assert rows[0]["alone_regret_points"] is None
    assert rows[1]["alone_regret_points"] == 0.0
    assert json.loads(json.dumps(phasing.to_dict()))["min_count"] == 15


@pytest.mark.parametrize("more", [-1e-6, 1e-6])
def test_a_regret_too_small_to_be_told_tells_no_sign_either(more: float) -> None:
    phasing = run_phases((1, 2, 3), min_count=15)
    phase = phasing.phases[1]
    assert phase.alone.names == phase.plan.names
    searched = replace(phase, searched=phase.plan, searched_share=phase.objective_share + more)
    (row,) = replace(phasing, phases=(searched,)).rows()
    assert (row["alone_regret_points"], row["searched_regret_points"], row["regret_points"]) == (0.0, None, None)
    assert phasing.to_csv().splitlines()[1].startswith("1,1.0,1.0,B,B,1,")


def test_values_of_many_routes_are_bounded_and_not_all_counted() -> None:
    rng, counted = np.random.default_rng(3), list[int]()
    groups = [(float(rng.integers(1, 50)), [1 << int(a) | 1 << int(b)]) for a, b in rng.integers(0, 20, (300, 2))]
    value = cover_value(groups)
    known: dict[int, float] = {}

    def counted_value(chosen: int) -> float:
        if chosen not in known:
            known[chosen] = value(chosen)
            counted.append(chosen)
        return known[chosen]

    choice = choose_nested(SetProblem(counted_value, lambda _: 0, (1.0,) * 20, (5.0, 10.0, 15.0), (1.0,) * 3))
    assert not choice.is_exact
    assert choice.value <= choice.bound < 3 * value((1 << 20) - 1)
    assert len(counted) < 20_000


# The command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town_run(tmp_path_factory.mktemp("phase"))


def test_the_command_writes_the_plan_of_each_phase_and_a_page_with_its_maps(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "phases"
    assert run_command(["phase", str(run), "--years", "2", "--steps", "2000", "--out", str(out), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    written = json.loads((out / "phase.json").read_text())
    assert written["phases"] == document["phases"]
    for row in document["phases"]:
        plan = json.loads((out / f"plan_{row['phase']}.geojson").read_text())
        names = [feature["properties"]["name"] for feature in plan["features"] if feature["geometry"]["type"] == "LineString"]
        assert names == row["routes"]
        assert row["served_trips"] % 15 == 0
    page = (out / "phase.html").read_text()
    assert page.count('<svg class="answermap"') == len(document["phases"])
    assert "://" not in page


def test_the_pages_of_both_languages_say_what_is_taken_away(run: Path, tmp_path: Path) -> None:
    for language, word, new_plan in (("en", "taken away", "New plan:"), ("ko", "줄이는 노선", "새 계획:")):
        out = tmp_path / language
        assert (
            run_command(["phase", str(run), "--buses", "2,4", "--take-away", "--steps", "0", "--out", str(out), "--lang", language, "-q"])
            == 0
        )
        page = (out / "phase.html").read_text()
        assert word in page
        assert new_plan not in page, "none was searched"


def changed_run(folder: Path, **settings: str) -> Path:
    """Return a run of the town that was planned under other settings."""
    made = town_run(folder)
    about = json.loads((made / "run.json").read_text())
    about["settings"] |= settings
    (made / "run.json").write_text(json.dumps(about))
    return made


@pytest.mark.parametrize(("objective", "words"), [("carried", "trips carried"), ("travel_time", "travel time")])
def test_a_run_planned_for_journeys_is_not_phased_by_another_objective_unasked(
    objective: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(changed_run(tmp_path, objective=objective))
    asked = ["phase", run, "--buses", "2,4", "--steps", "0", "-q"]
    assert run_command(asked) == 2
    told = f"{run}: was planned for {words}, and phases count trips served or people; add --objective served"
    assert told in capsys.readouterr().err
    assert run_command([*asked, "--objective", "served", "--json"]) == 0
    served = json.loads(capsys.readouterr().out)
    assert [row["objective_share"] for row in served["phases"]] == [row["served_share"] for row in served["phases"]]
    assert run_command([*asked, "--objective", "carried"]) == 2
    assert "take served, direct, presence or a mix" in capsys.readouterr().err


def test_buses_and_waits_of_phases_are_those_of_the_day_type_that_takes_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = changed_run(tmp_path, days="mon-tue=60/1,wed-sun=15")
    assert run_command(["phase", str(run), "--years", "1", "--steps", "0", "--json"]) == 0
    output = capsys.readouterr()
    (row,) = json.loads(output.out)["phases"]
    opened = open_run(run)
    assert row["buses"] == plan_measures(opened.study.network, opened.plan, 900).total_buses
    assert row["wait_min"] < 15
    assert "buses and waits are those of wed-sun, one bus every 15 minutes, which takes the most buses" in output.err


def test_the_table_explains_a_new_plan_only_where_one_was_searched(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for steps, is_told in (("0", False), ("200", True)):
        assert run_command(["phase", str(run), "--buses", "2,4", "--steps", steps, "-q"]) == 0
        assert ("new: a plan searched" in " ".join(capsys.readouterr().out.split())) is is_told


def test_the_table_names_budgets_routes_and_regrets(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["phase", str(run), "--buses", "2,4", "--steps", "0", "-q"]) == 0
    text = capsys.readouterr().out
    assert "No order of whole routes serves more over these phases together" in text
    assert "regret" in text


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ([], 2, "one of --buses and --years must be given, such as --buses 15,30,45, got none"),
        (["--buses", "5", "--years", "2"], 2, "one of --buses and --years must be given, such as --buses 15,30,45, got both"),
        (["--years", "0"], 2, "--years must lie in [1, 50], got 0"),
        (["--buses", "0"], 4, "the smallest budget, 0 buses, pays for no route: the cheapest, "),
        (
            ["--years", "2", "--costs", "absent.csv"],
            3,
            "absent.csv: cannot be read (No such file or directory); name a CSV file with columns",
        ),
    ],
)
def test_the_command_refuses_in_one_line(run: Path, words: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["phase", str(run), *words, "-q"]) == code
    assert capsys.readouterr().err.startswith(f"error: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name,cost\nN1,1\n", "must have columns route and cost, got no route; name them in the first line"),
        ("route,cost\nN1,much\n", "cost must be a number above 0, got 'much' on line 2"),
        ("route,cost\nN1,1\nN1,2\n", "each route must stand once, got 'N1' again on line 3"),
        ("route,cost\nN1,1\n", "--costs must name each of 3 routes once, got no cost for route N2 (2 such)"),
        ("route,cost\nN1,nan\nN2,1\nN3,1\n", "cost must be a number above 0, got 'nan' on line 2"),
    ],
)
def test_a_table_of_costs_is_refused_with_the_line(
    run: Path, tmp_path: Path, text: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(text)
    assert run_command(["phase", str(run), "--years", "2", "--costs", str(file), "-q"]) in {2, 3}
    error = capsys.readouterr().err
    assert line in error
    assert len(error.splitlines()) == 1


def test_costs_of_routes_take_the_place_of_buses(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "costs.csv"
    file.write_text("route,cost\nN1,10\nN2,20\nN3,30\n")
    assert run_command(["phase", str(run), "--years", "2", "--costs", str(file), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["unit"] == "cost"
    assert [row["budget"] for row in document["phases"]] == [30, 60]
    assert all(row["searched_share"] is None for row in document["phases"])


def test_a_folder_of_phases_says_which_plans_it_holds(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "phases"
    assert run_command(["phase", str(run), "--buses", "2,4", "--steps", "0", "--out", str(out), "-q"]) == 0
    capsys.readouterr()
    for words in (["reach", str(out), "--from", "0"], ["score", str(out)], ["timetable", str(out)]):
        assert run_command(words) == 3
        line = capsys.readouterr().err.strip().splitlines()[-1]
        first = out / "plan_1.geojson"
        assert line == (
            f"error: {out}: is a run of owlbus phase, which holds 2 plans and not one alone; name one of them: {first} --run {run}"
        )
    assert run_command(["reach", str(out / "plan_1.geojson"), "--run", str(run), "--from", "0", "-q"]) in {0, 2}
