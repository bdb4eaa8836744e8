"""A least share of people of every group: kept by area, against brute force on tiny cities, and told where no plan can keep it."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement

import numpy as np
import pytest
from cities import ANY_SHAPE, LINK_M, city
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from owlbus import Demand, HexGrid, Network, score_plan
from owlbus.common.errors import DataError, InfeasibleError, UsageError
from owlbus.kernels import group_reach as kernels
from owlbus.network.walk_sheds import reached_share
from owlbus.pipeline.request import Request, settings_of
from owlbus.plan import Plan, Route, check_plan
from owlbus.plan.limits import RouteLimits
from owlbus.search import GroupPresence, Objective, PlanConstraints, Problem, plan_routes
from owlbus.search.group_presence import group_reach, is_worse, points_reached, reached_by
from owlbus.search.improve import improve_plan
from owlbus.search.stopping import MaxSteps

GRID = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
LATTICE = Network.from_lattice(GRID)
PEOPLE = np.arange(1.0, 21.0)
WORDS = np.array(["", "east", "west", "north"])


@njit
def missing_people(groups, stops, n, stops_2, n_2):
    """Call a kernel that other kernels alone call."""
    return kernels.missing_people(groups, stops, n, stops_2, n_2)


@njit
def hold_reached(groups):
    """Call a kernel that other kernels alone call."""
    kernels.hold_reached(groups)


@njit
def n_bits(bits):
    """Call a kernel that other kernels alone call."""
    return kernels.n_bits(bits)


def demand_of(people: np.ndarray, n_hexes: int = 20) -> Demand:
    """Some trips, and people by hex."""
    where = np.flatnonzero(people)
    rows = {"night": [0] * 3, "hour": [24] * 3, "origin": [0, 3, 16], "destination": [19, 16, 0], "trips": [60.0, 30.0, 10.0]}
    present = {"night": [0] * where.size, "hour": [24] * where.size, "hex": where.tolist(), "presence": people[where].tolist()}
    return Demand.from_rows(n_hexes, rows, present, grid=GRID.fingerprint)


def slow_reached(group: GroupPresence, network: Network, stops: np.ndarray) -> dict[str, float]:
    """People of each group within the walk, hex by hex."""
    share = reached_share(network, sorted({*stops.tolist(), *group.anyway}))
    found = dict.fromkeys(group.names, 0.0)
    for hexagon, label in enumerate(group.labels.tolist()):
        if label in found:
            found[label] += float(group.people[hexagon] * share[hexagon])
    return found


@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
@settings(max_examples=100)
def test_bits_are_counted(numbers):
    for number in numbers:
        assert n_bits(np.uint64(number)) == number.bit_count()


@st.composite
def groups_of_the_lattice(draw):
    """Random labels and shares, people of some hexes, and stops that are served anyway."""
    labels = WORDS[draw(st.lists(st.integers(0, 3), min_size=20, max_size=20))]
    labels[0] = "east"
    people = np.array(draw(st.lists(st.integers(0, 9), min_size=20, max_size=20)), float)
    people[0] = 1.0
    anyway = tuple(draw(st.lists(st.integers(0, 19), max_size=2)))
    return GroupPresence(labels, draw(st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 1.0])), "side", people, anyway)


@given(st.lists(groups_of_the_lattice(), min_size=1, max_size=2), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_kernel_counts_people_as_a_loop_over_hexes_does(groups, random):
    plan = [np.array(random.sample(range(20), random.randint(2, 6)), np.int32) for _ in range(3)]
    rows, counts = np.zeros((3, 8), np.int32), np.array([stops.size for stops in plan])
    for row, stops in zip(rows, plan, strict=True):
        row[: stops.size] = stops
    reach = group_reach(groups, LATTICE, 1000)
    unit = 64 * 1024
    anyway = tuple(stop for group in groups for stop in group.anyway)
    groups = [GroupPresence(group.labels, group.least_share, group.name, group.people, anyway) for group in groups]

    def slow(*routes: np.ndarray) -> list[float]:
        stops = np.concatenate([np.empty(0, np.int32), *routes])
        return [people for group in groups for people in slow_reached(group, LATTICE, stops).values()]

    assert (reached_by(reach, rows, counts) / unit).tolist() == pytest.approx(slow(*plan))
    least = np.array([group.least_share * people for group in groups for people in _all_people(group)])
    assert reach.least / unit == pytest.approx(least, abs=1e-4)
    lacks = kernels.reach_others(reach, rows, counts, 0, 1)
    assert lacks == any(np.array(slow(plan[2])) < least - 1e-9)
    missing = missing_people(reach, plan[0], plan[0].size, plan[1], plan[1].size)
    assert missing / unit == pytest.approx(np.maximum(0, least - slow(*plan)).sum(), abs=1e-3)
    hold_reached(reach)
    loses = any(np.array(slow(plan[0], plan[2])) < np.minimum(least, slow(*plan)) - 1e-9)
    assert (missing_people(reach, plan[0], plan[0].size, plan[0], 0) < 0) == loses
    assert not reach.mine.any(), "the work space is clean again"
    points, people, _ = points_reached(LATTICE, plan, groups)
    assert (people @ points.any(axis=0) / unit).tolist() == pytest.approx(np.subtract(slow(*plan), slow()).tolist())


def _all_people(group: GroupPresence) -> list[float]:
    return [float(group.people[group.labels == name].sum()) for name in group.names]


def paths(network: Network, most: int) -> list[tuple[int, ...]]:
    """All simple routes of 2 to `most` stops, each in one direction."""
    found, open_rows = [], [(stop,) for stop in range(network.n_stops)]
    while open_rows:
        row = open_rows.pop()
        if len(row) > 1 and row[0] < row[-1]:
            found.append(row)
        if len(row) < most:
            nexts = network.link_to[network.link_indptr[row[-1]] : network.link_indptr[row[-1] + 1]].tolist()
            open_rows += [(*row, stop) for stop in nexts if stop not in row]
    return found


@st.composite
def tiny_cities(draw):
    """Eight stops, a few links beside a ring, trips, people, labels and a share."""
    n = 8
    links = {(i, i + 1) for i in range(n - 1)} | set(draw(st.lists(st.sampled_from([(0, 7), (1, 4), (2, 6), (3, 7), (0, 5)]), max_size=3)))
    ends = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    trips = {pair: float(draw(st.integers(1, 9))) for pair in draw(st.lists(ends, min_size=2, max_size=6, unique=True))}
    people = {hexagon: float(draw(st.integers(0, 5))) for hexagon in range(n)} | {0: 1.0}
    labels = [draw(st.sampled_from(["a", "b", "c", ""])) for _ in range(n)]
    labels[0] = "a"
    share = draw(st.sampled_from([0.2, 0.5, 0.75, 1.0]))
    return city(n, links, trips, presence={k: v for k, v in people.items() if v}), labels, share


@given(tiny_cities(), st.sampled_from(["served", "presence", "direct"]), st.integers(1, 2), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_best_plan_that_keeps_it_is_found_or_none_exists(town, name, n_routes, seed):
    (network, demand), labels, share = town
    limits = RouteLimits(max_length_m=3 * LINK_M, **ANY_SHAPE)
    group = GroupPresence(labels, share, "part").counted(demand)
    problem, objective = Problem.build(network, demand), Objective.parse(name)
    best = None
    for chosen in combinations_with_replacement(paths(network, 4), n_routes):
        plan = Plan(tuple(Route(row, f"R{k}") for k, row in enumerate(chosen)), network.fingerprint)
        if not group.short(network, plan.used_stops):
            value = problem.value(plan, objective)
            best = value if best is None else max(best, value)

    def found():
        constraints = PlanConstraints(groups=(GroupPresence(labels, share, "part"),))
        return plan_routes(
            network, demand, n_routes, limits=limits, constraints=constraints, objective=name, stop_when=[MaxSteps(4000)], seed=seed
        )

    if best is None:
        with pytest.raises(InfeasibleError, match=r"of the people of each part must be within the walk of a stop"):
            found()
        return
    result = found()
    assert not group.short(network, result.plan.used_stops)
    assert result.value_quanta == problem.value(result.plan, objective)
    assert 0.99 * best <= result.value_quanta <= best


@pytest.mark.parametrize("objective", ["served", "presence", "travel_time"])
@pytest.mark.parametrize("seed", [0, 1])
def test_by_area_every_district_has_its_share(objective, seed):
    demand, labels = demand_of(PEOPLE), np.repeat(["a", "b", "c", "d"], 5)
    limits = RouteLimits(max_length_m=8_000, **ANY_SHAPE)
    more = {"limits": limits, "objective": objective, "stop_when": [MaxSteps(3000)], "seed": seed}
    free = plan_routes(LATTICE, demand, 2, **more)
    group = GroupPresence(labels, 0.45, "district")
    kept = plan_routes(LATTICE, demand, 2, constraints=PlanConstraints(groups=(group,)), **more)
    shares = {label: part.presence.share for label, part in score_plan(LATTICE, demand, kept.plan, groups=labels).by_group.items()}
    assert min(shares.values()) >= 0.45
    assert shares == pytest.approx(group.counted(demand).shares(LATTICE, kept.plan.used_stops))
    assert kept.value_quanta <= free.value_quanta * 1.02


def test_a_share_of_nothing_and_one_group_change_what_they_should():
    demand = demand_of(PEOPLE)
    more = {"limits": RouteLimits(max_length_m=8_000, **ANY_SHAPE), "stop_when": [MaxSteps(1000)]}
    free = plan_routes(LATTICE, demand, 2, **more)
    whole = GroupPresence(np.full(20, "all"), 0.3)
    one = plan_routes(LATTICE, demand, 2, constraints=PlanConstraints(groups=(whole,)), **more)
    assert whole.counted(demand).shares(LATTICE, one.plan.used_stops)["all"] >= 0.3
    nothing = plan_routes(LATTICE, demand, 2, constraints=PlanConstraints(groups=(GroupPresence(np.full(20, "all"), 0.0),)), **more)
    assert nothing.value_quanta == free.value_quanta


def test_groups_without_people_are_not_held_to_it():
    people = np.where(np.arange(20) < 10, 1.0, 0.0)
    group = GroupPresence(np.repeat(["full", "empty"], 10), 1.0, "half", people)
    assert group.names == ("full",)
    with pytest.raises(DataError, match="no half has people, so no share of them can be kept"):
        GroupPresence(np.repeat(["", "empty"], 10), 0.5, "half", people)
    with pytest.raises(UsageError, match=r"least_share must lie in \[0, 1\], got 1.5"):
        GroupPresence(["a"], 1.5)
    with pytest.raises(UsageError, match="the people of each group are not known yet"):
        _ = GroupPresence(["a"], 0.5).names
    with pytest.raises(DataError, match="a half must be named for each of 20 hexes, got labels of shape"):
        GroupPresence(["a"], 0.5, "half").counted(demand_of(PEOPLE))
    with pytest.raises(DataError, match="people must be a number >= 0 for each of 1 hexes, got shape"):
        GroupPresence(["a"], 0.5, people=np.array([np.nan]))


def test_copies_and_pickles_stay_read_only():
    group = GroupPresence(["a", "b"], 0.5, "half", np.array([1.0, 2.0]), (3,))
    for twin in (copy.deepcopy(group), pickle.loads(pickle.dumps(group))):  # noqa: S301 - our own bytes
        assert (twin.labels.tolist(), twin.least_share, twin.name, twin.anyway) == (["a", "b"], 0.5, "half", (3,))
        assert not twin.labels.flags.writeable
        assert not twin.people.flags.writeable


def test_a_district_that_no_stop_reaches_is_told_before_the_search():
    network, demand = city(4, [(0, 1), (1, 2)], {(0, 1): 5.0}, presence={0: 200.0, 3: 300.0})
    labels = ["near", "near", "near", "far"]
    network = Network(**{name: getattr(network, name) for name in _FIELDS} | _without_shed(network, 3))
    with pytest.raises(
        InfeasibleError, match=r"all stops of the network together reach no more than 0 % of district far; add stops, or"
    ) as found:
        plan_routes(network, demand, 1, limits=RouteLimits(**ANY_SHAPE), constraints=_asked(labels, 0.2), stop_when=[MaxSteps(100)])
    assert found.value.exit_code == 4


_FIELDS = (
    "grid",
    "stop_lon",
    "stop_lat",
    "stop_hex",
    "stop_names",
    "link_indptr",
    "link_to",
    "link_s",
    "link_m",
    "shed_indptr",
    "shed_hex",
    "shed_walk_m",
)


def _without_shed(network: Network, hexagon: int) -> dict[str, object]:
    """Walk sheds without a hex; its stop reaches the hex of stop 0."""
    hexes = np.where(network.shed_hex == hexagon, 0, network.shed_hex)
    return {"shed_hex": hexes, "stop_hex": np.where(network.stop_hex == hexagon, 0, network.stop_hex)}


def _asked(labels, share: float, **more: object) -> PlanConstraints:
    return PlanConstraints(groups=(GroupPresence(labels, share, "district"),), **more)


def test_a_plan_too_short_for_all_districts_is_told_with_the_worst_of_them():
    labels = np.repeat(["a", "b", "c", "d"], 5)
    limits = RouteLimits(max_length_m=2_000, **ANY_SHAPE)
    people = 100 * PEOPLE
    with pytest.raises(
        InfeasibleError, match=r"at least 90 % of the people of each district .* the best plan found reaches \d+ % of district"
    ):
        plan_routes(LATTICE, demand_of(people), 1, limits=limits, constraints=_asked(labels, 0.9), stop_when=[MaxSteps(500)])
    with pytest.raises(InfeasibleError, match="too few of district") as found:
        plan_routes(LATTICE, demand_of(PEOPLE), 1, limits=limits, constraints=_asked(labels, 0.9), stop_when=[MaxSteps(500)])
    assert "(and 1 more)" in str(found.value)


def test_fixed_routes_count_with_their_own_ways_back():
    fixed = Plan((Route(LATTICE.shortest_path(0, 19), "F"),), LATTICE.fingerprint)
    labels = np.where(np.isin(np.arange(20), fixed.routes[0].stops), "line", "rest")
    demand = demand_of(PEOPLE)
    constraints = _asked(labels, 0.3, fixed=fixed)
    result = plan_routes(LATTICE, demand, 2, limits=RouteLimits(**ANY_SHAPE), constraints=constraints, stop_when=[MaxSteps(1000)])
    assert result.plan.routes[0].stops.tolist() == fixed.routes[0].stops.tolist()
    assert not constraints.counted(demand).broken(LATTICE, result.plan)
    loop = Plan((Route(fixed.routes[0].stops, "F", LATTICE.shortest_path(19, 0)),), LATTICE.fingerprint)
    result = plan_routes(
        LATTICE, demand, 2, limits=RouteLimits(**ANY_SHAPE), constraints=_asked(labels, 0.3, fixed=loop), stop_when=[MaxSteps(1000)]
    )
    assert not constraints.counted(demand).broken(LATTICE, result.plan)


def test_the_other_constraints_hold_beside_it_and_seeds_fix_the_plan():
    demand, labels = demand_of(PEOPLE), np.repeat(["a", "b"], 10)
    constraints = _asked(labels, 0.4, required=(7,), forbidden=(10,))
    more = {"limits": RouteLimits(**ANY_SHAPE), "constraints": constraints, "stop_when": [MaxSteps(2000)]}
    first, again = (plan_routes(LATTICE, demand, 2, **more) for _ in range(2))
    assert first.plan.equals(again.plan)
    assert not constraints.counted(demand).broken(LATTICE, first.plan)
    weighted = plan_routes(LATTICE, demand, 2, weights=np.linspace(0, 5, 20), **more)
    assert not constraints.counted(demand).broken(LATTICE, weighted.plan), "people count once, whatever their weight"


def test_a_plan_near_another_one_works_towards_it_and_never_away():
    demand, labels = demand_of(PEOPLE), np.repeat(["a", "b", "c", "d"], 5)
    problem = Problem.build(LATTICE, demand)
    plan = Plan((Route(LATTICE.shortest_path(0, 4), "N1"), Route(LATTICE.shortest_path(2, 9), "N2")), LATTICE.fingerprint)
    group = GroupPresence(labels, 0.3, "district").counted(demand)
    before = group.short(LATTICE, plan.used_stops)
    assert before, "the given plan breaks it"
    limits = RouteLimits(**ANY_SHAPE)
    improvement = improve_plan(problem, plan, limits, (1.0,), keep_terminals=False, n_steps=3000, groups=(group,))[0]
    assert not is_worse((group,), LATTICE, plan, improvement.plan)
    assert sum(0.3 - share for share in group.short(LATTICE, improvement.plan.used_stops).values()) < sum(
        0.3 - share for share in before.values()
    )
    for step in improvement.steps:
        assert not is_worse((group,), LATTICE, plan, step.plan)


def test_settings_tell_the_groups_without_their_people():
    group = GroupPresence(["a", "b", "", "b"], 0.2, "district", np.ones(4))
    told = settings_of(Request(constraints=PlanConstraints(groups=(group,))))["constraints"]
    assert told == {"groups": [{"name": "district", "least_share": 0.2, "n_labels": 2}]}


@given(groups_of_the_lattice(), st.sampled_from(["served", "presence"]), st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_by_area_a_route_is_found_wherever_one_reaches_a_group(group, objective, seed):
    limits = RouteLimits(max_length_m=3_500, **ANY_SHAPE)
    group = GroupPresence(np.where(group.labels == "east", "east", ""), min(group.least_share, 0.2), "side", group.people)
    routes = [row for row in paths(LATTICE, 4) if not check_plan(LATTICE, Plan((Route(row, "R1"),), LATTICE.fingerprint), limits)]
    possible = any(not group.short(LATTICE, row) for row in routes)
    more = {"limits": limits, "constraints": PlanConstraints(groups=(group,)), "objective": objective, "seed": seed}
    if not possible:
        with pytest.raises(InfeasibleError, match="of the people of each side must be within the walk of a stop"):
            plan_routes(LATTICE, demand_of(PEOPLE), 1, stop_when=[MaxSteps(3000)], **more)
        return
    result = plan_routes(LATTICE, demand_of(PEOPLE), 1, stop_when=[MaxSteps(3000)], **more)
    assert not group.short(LATTICE, result.plan.used_stops)


def test_starts_elsewhere_and_a_plan_to_go_on_from_keep_it():
    demand, labels = demand_of(PEOPLE), np.repeat(["a", "b", "c", "d"], 5)
    constraints = _asked(labels, 0.4)
    more = {"limits": RouteLimits(max_length_m=8_000, **ANY_SHAPE), "stop_when": [MaxSteps(2000)]}
    told = []
    with ThreadPoolExecutor(2) as executor:
        apart = plan_routes(LATTICE, demand, 2, constraints=constraints, executor=executor, on_gain=told.append, n_starts=2, **more)
    held = constraints.counted(demand)
    assert all(not held.broken(LATTICE, plan) for plan in [apart.plan, *told])
    again = plan_routes(LATTICE, demand, 2, constraints=constraints, begin=apart.plan, **more)
    assert not held.broken(LATTICE, again.plan)
    short = Plan((Route(LATTICE.shortest_path(0, 1), "R1"),), LATTICE.fingerprint)
    with pytest.raises(
        UsageError, match=r"got one where .* of the people of district d are within the walk of a stop, at least 40 % must be"
    ):
        plan_routes(LATTICE, demand, 2, constraints=_asked(np.where(labels == "d", "d", ""), 0.4), begin=short, **more)
