"""Duties: by hand, and against a search over all ways to divide small nights."""

from __future__ import annotations

import csv
import json
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cities import city
from explore_town import town_run

from owlbus.cli.app import run as run_command
from owlbus.common.errors import InfeasibleError, UsageError
from owlbus.common.units import HOUR_S
from owlbus.plan import Plan, Route
from owlbus.timetable import Direction, Timetable
from owlbus.timetable.driver_duties import duty_rows, plan_duties
from owlbus.timetable.driver_rules import DriverRules
from owlbus.timetable.vehicle_blocks import build_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from owlbus.network import Network

ROUTES = ([0, 1, 2], [2, 3])
AT_S = 24 * HOUR_S


@cache
def network() -> Network:
    """Four stops in a row; two routes meet at stop 2."""
    return city(4, [(0, 1), (1, 2), (2, 3)], {})[0]


def night(runs: list[tuple[int, int]], ride_min: tuple[int, int] = (60, 60), layover_s: int = 300, *, shared: bool = True) -> Timetable:
    """Timetable of runs, as direction and start in minutes from midnight, with the fewest buses; `shared` lets buses change the route."""
    plan = Plan(tuple(Route(stops, f"N{k}") for k, stops in enumerate(ROUTES)), network().fingerprint)
    ways = []
    for k, stops in enumerate(ROUTES):
        times = np.linspace(0, 60 * ride_min[k], len(stops)).astype(int)
        ways += [Direction(k, back, stops[::-1] if back else stops, times, times, 1000 * np.arange(len(stops))) for back in (False, True)]
    runs = sorted(set(runs), key=lambda run: (run[1], run[0]))
    row, start = (np.array([run[side] for run in runs], np.int64) for side in (0, 1))
    start = AT_S + 60 * start
    ready = start + np.array([ways[each].ride_s for each in row]) + layover_s
    ends = [(0 if shared else each // 2, int(ways[each].stops[end])) for end in (0, -1) for each in row]
    blocks = build_blocks(start, ready, ends[: len(row)], ends[len(row) :])
    return Timetable(plan, (24, 25, 26, 27, 28), tuple(ways), row, start, blocks)


def may_drive(table: Timetable, runs: list[int], rules: DriverRules) -> bool:
    """Whether one driver may drive these runs, from the timetable itself."""
    runs = sorted(runs, key=lambda run: (table.run_start_s[run], run))
    way = [table.directions[table.run_direction[run]] for run in runs]
    start, end = ([int(column[run]) for run in runs] for column in (table.run_start_s, table.run_end_s))
    bus = [int(table.run_block[run]) for run in runs]
    of_bus = {each: np.flatnonzero(table.run_block == each).tolist() for each in bus}
    meets = {0: {0}, 2: {0, 1}, 3: {1}}  # routes that end at each stop
    relief = [stop for stop, routes in meets.items() if rules.relief == "terminals" or len(routes) > 1]
    if int(way[0].stops[0]) not in relief and of_bus[bus[0]][0] != runs[0]:
        return False
    if int(way[-1].stops[-1]) not in relief and of_bus[bus[-1]][-1] != runs[-1]:
        return False
    stretch = end[0] - start[0]
    longest = stretch
    for k in range(1, len(runs)):
        gap, ride = start[k] - end[k - 1], end[k] - start[k]
        rest = max((least for over, least in rules.rests_s if end[k - 1] - start[k - 1] >= over), default=0)
        stays = bus[k] == bus[k - 1] and of_bus[bus[k]].index(runs[k]) == of_bus[bus[k]].index(runs[k - 1]) + 1
        if int(way[k].stops[0]) != int(way[k - 1].stops[-1]) or gap < rest:
            return False
        if not stays and (gap < rules.handover_s or int(way[k].stops[0]) not in relief):
            return False
        stretch = ride if gap >= rules.break_s else stretch + ride
        longest = max(longest, stretch)
    driving = sum(b - a for a, b in zip(start, end, strict=True))
    spread = end[-1] - start[0] + rules.sign_on_s + rules.sign_off_s
    return (
        spread <= rules.max_duty_s
        and driving <= rules.max_driving_s
        and longest <= rules.max_stretch_s
        and len(set(bus)) <= rules.max_vehicles
    )


def best_division(table: Timetable, rules: DriverRules) -> tuple[int, int] | None:
    """Fewest drivers and then fewest minutes, over all ways to divide the runs; None if there is no way."""
    n = table.n_runs
    minutes = {}
    for mask in range(1, 1 << n):
        runs = [run for run in range(n) if mask >> run & 1]
        if may_drive(table, runs, rules):
            spread = max(table.run_end_s[runs]) - min(table.run_start_s[runs]) + rules.sign_on_s + rules.sign_off_s
            minutes[mask] = math.ceil(int(spread) / 60)
    best: dict[int, tuple[int, int]] = {0: (0, 0)}
    for mask in range(1, 1 << n):
        low = mask & -mask
        part = mask
        found = (10**6, 0)
        while part:
            rest = mask ^ part
            if part & low and part in minutes and rest in best:
                found = min(found, (best[rest][0] + 1, best[rest][1] + minutes[part]))
            part = (part - 1) & mask
        if found[0] < 10**6:
            best[mask] = found
    return best.get((1 << n) - 1)


RULES = (
    DriverRules(),
    DriverRules(max_duty_s=4 * HOUR_S, max_vehicles=2),
    DriverRules(max_stretch_s=2 * HOUR_S, break_s=1200),
    DriverRules(max_driving_s=3 * HOUR_S, handover_s=600),
    DriverRules(relief="hubs"),
    DriverRules.korea(),
)


@pytest.mark.parametrize("seed", range(300))
def test_duties_are_the_fewest_of_all_ways_to_divide_a_small_night(seed: int) -> None:
    draw = np.random.default_rng(seed)
    runs = [(int(draw.integers(4)), 10 * int(draw.integers(30))) for _ in range(int(draw.integers(2, 8)))]
    table = night(runs, (10 * int(draw.integers(2, 8)), 10 * int(draw.integers(2, 8))), shared=bool(draw.integers(2)))
    rules = RULES[seed % len(RULES)]
    expected = best_division(table, rules)
    if expected is None:
        with pytest.raises(InfeasibleError):
            plan_duties(table, rules)
        return
    duties = plan_duties(table, rules)
    assert duties.is_optimal
    assert sorted(run for duty in duties.duties for run in duty.runs) == list(range(table.n_runs))
    assert all(may_drive(table, list(duty.runs), rules) for duty in duties.duties)
    assert (duties.n_drivers, sum(math.ceil(duty.duty_s / 60) for duty in duties.duties)) == expected


def test_a_break_lets_a_driver_go_on_and_a_short_layover_does_not() -> None:
    """Five runs of an hour, five minutes between: 4.5 h of driving at a stretch take a second driver, three quarters of an hour do not."""
    runs = [(k % 2, 65 * k) for k in range(5)]
    assert plan_duties(night(runs)).n_drivers == 2
    late = [*runs[:3], *((way, start + 45) for way, start in runs[3:])]
    assert plan_duties(night(late)).n_drivers == 1


def test_rests_after_runs_send_the_driver_to_a_later_bus() -> None:
    """The bus turns in five minutes and its driver rests ten, where the run ended: the first one drives on two runs later."""
    runs = [(k % 2, 65 * k) for k in range(4)]
    assert plan_duties(night(runs)).n_drivers == 1
    duties = plan_duties(night(runs), DriverRules.korea())
    assert [duty.runs for duty in duties.duties] == [(0, 3), (1,), (2,)]


def test_relief_at_hubs_keeps_a_driver_on_the_bus_elsewhere() -> None:
    """Two buses meet at stop 0, which is no hub: who came there on one of them does not drive on with the other."""
    table = night([(1, 0), (1, 30), (0, 95), (0, 125)], layover_s=1800)
    assert table.run_block.tolist() == [0, 1, 0, 1]
    anywhere = plan_duties(table, DriverRules(max_duty_s=8 * HOUR_S))
    hubs = plan_duties(table, DriverRules(relief="hubs", max_duty_s=8 * HOUR_S))
    assert [duty.runs for duty in hubs.duties] == [(0, 2), (1, 3)]
    assert anywhere.n_drivers == hubs.n_drivers == 2
    assert anywhere.paid_s <= hubs.paid_s


def test_rows_tell_each_piece_of_work_with_its_bus() -> None:
    table = night([(0, 0), (1, 65)])
    (row,) = duty_rows(table, plan_duties(table), network().stop_names)
    assert row == {
        "duty": 1, "sign_on": "23:45:00", "sign_off": "26:15:00", "bus": 1, "from_stop": "stop 0", "leaves": "24:00:00",
        "to_stop": "stop 0", "arrives": "26:05:00", "routes": "N0", "runs": 2, "driving_min": 120,
    }  # fmt: skip


def test_a_run_that_no_duty_holds_is_refused_with_its_time() -> None:
    with pytest.raises(
        InfeasibleError, match=r"1 run fits into no duty of at most 10 h with 4\.5 h of driving at a stretch, the first leaves at 24:00:00"
    ):
        plan_duties(night([(0, 0)], (300, 60)))


def test_a_long_night_is_solved_and_says_whether_it_is_proven() -> None:
    """Eighty runs of two lines that share a hub: too many duties to list them all."""
    runs = [(way, start) for way in range(4) for start in range(0, 480, 24)]
    table = night(runs, (50, 40))
    duties = plan_duties(table)
    assert not duties.is_optimal
    assert sorted(run for duty in duties.duties for run in duty.runs) == list(range(table.n_runs))
    assert all(may_drive(table, list(duty.runs), DriverRules()) for duty in duties.duties)
    assert table.fleet <= duties.n_drivers <= 2 * table.fleet


@pytest.mark.parametrize(
    "values", [{"max_duty_s": 0}, {"break_s": 0}, {"max_vehicles": 0}, {"handover_s": -1}, {"max_stretch_s": float("nan")}]
)
def test_rules_hold_no_number_beyond_reason(values) -> None:
    (name,) = values
    with pytest.raises(UsageError, match=f"^{name} must lie in "):
        DriverRules(**values)


def test_an_unknown_relief_is_refused() -> None:
    with pytest.raises(UsageError, match="relief must be terminals or hubs, got 'depot'"):
        DriverRules(relief="depot")


def test_the_command_writes_the_duties_of_every_night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = town_run(tmp_path)
    words = [
        "timetable",
        str(run),
        "--agency-timezone",
        "Asia/Seoul",
        "--days",
        "sun-thu=60,fri-sat=30",
        "--duties",
        "--driver-rules",
        "kr",
    ]
    assert run_command([*words, "--out", str(tmp_path / "out"), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader((tmp_path / "out" / "duties.csv").read_text().splitlines()))
    for night in document["day_types"]:
        own = [row for row in rows if row["day_type"] == night["name"]]
        assert len({row["duty"] for row in own}) == night["drivers"]["drivers"] >= night["timetable"]["fleet"]
        assert sum(int(row["runs"]) for row in own) == night["timetable"]["runs"]
        assert night["drivers"]["rules"]["country"] == "KR"
    page = (tmp_path / "out" / "timetable.html").read_text()
    assert "hours on duty" in page
    assert f">{document['day_types'][1]['drivers']['drivers']}<" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-duty", "8"], "rules of drivers shape duties, and none are asked for; add --duties"),
        (["--duties", "--driver-rules", "fr"], "--driver-rules must be eu or kr, got 'fr'"),
        (["--duties", "--relief", "depot"], "--relief must be terminals or hubs, got 'depot'"),
        (["--duties", "--max-duty", "0.5"], "--max-duty must lie in [1, 24] hours, got 0.5"),
    ],
)
def test_wrong_rules_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert run_command(["timetable", str(town_run(tmp_path)), *words, "-q"]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
