"""Day types in planning: each has the demand, routes, headways and buses of its own nights, and everything written says so."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from explore_town import opened

from owlbus import Demand, HexGrid, Network, Plan, Route, UsageError, read_gtfs, score_plan
from owlbus.cli.app import run as cli
from owlbus.explore.handlers import HANDLERS
from owlbus.explore.headway_chart import headway_chart
from owlbus.explore.help_desk import HelpDesk
from owlbus.explore.plan_downloads import plan_download
from owlbus.gtfs import check_gtfs
from owlbus.pipeline import Study, score_study, write_run
from owlbus.pipeline.day_services import DaySummary, day_bus_lines, day_services, days_document, on_service_days
from owlbus.pipeline.report_content import report_pages
from owlbus.pipeline.rundir import RunRecord, open_run_dir
from owlbus.plan import plan_geojson, plan_measures
from owlbus.plan.limits import ServiceRule
from owlbus.timetable import DayType, parse_day_types
from owlbus.timetable.day_routes import demand_on, has_too_few, routes_on

HOURS = (24, 25, 26)
N_HEXES = 110
MONDAY = dt.date(2024, 3, 4)
DAYS = "sun-thu=45/2,fri-sat=20"
TYPES = parse_day_types(DAYS)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_lattice(HexGrid.cover([(3.3, 6.5), (3.42, 6.5), (3.42, 6.62), (3.3, 6.62)], n_hexes=N_HEXES))


@pytest.fixture(scope="module")
def plan(network: Network) -> Plan:
    ends = ((0, 109), (10, 99), (5, 100), (50, 60))
    return Plan(tuple(Route(network.shortest_path(*pair), f"N{k}") for k, pair in enumerate(ends)), network.fingerprint)


@pytest.fixture(scope="module")
def study(network: Network) -> Study:
    return study_of(network)


def study_of(network: Network, factor: float = 1.0) -> Study:
    """Seven nights from Monday; Friday and Saturday have four times the trips, between other places."""
    rng = np.random.default_rng(3)
    n = 4000
    night = rng.choice(7, n, p=np.array([1, 1, 1, 1, 4, 4, 1]) / 13)
    origin = np.where(np.isin(night, (4, 5)), rng.integers(0, 40, n), rng.integers(60, N_HEXES, n))
    rows = {"night": night, "hour": rng.choice(HOURS, n), "origin": origin, "destination": rng.integers(0, N_HEXES, n)}
    rows["trips"] = factor * rng.integers(1, 9, n)
    rows = {name: column[rows["origin"] != rows["destination"]] for name, column in rows.items()}
    nights = tuple(MONDAY + dt.timedelta(days=k) for k in range(7))
    people = {"night": np.repeat(np.arange(7), N_HEXES), "hour": np.full(7 * N_HEXES, 24), "hex": np.tile(np.arange(N_HEXES), 7)}
    demand = Demand.from_rows(N_HEXES, rows, people | {"presence": np.full(7 * N_HEXES, 5.0)}, hours=HOURS, nights=nights)
    return Study(network.grid, demand, network, min_count=-1)


def test_a_day_type_may_say_how_many_routes_run():
    assert [(each.name, each.max_headway_s, each.n_routes) for each in TYPES] == [("sun-thu", 2700, 2), ("fri-sat", 1200, None)]
    for text in ("fri=20/", "fri=20/x", "fri=20/1.5", "fri=/3"):
        with pytest.raises(UsageError, match="must read DAYS=MINUTES or DAYS=MINUTES/ROUTES"):
            parse_day_types(text)
    with pytest.raises(UsageError, match="must give 1 route or more, got 0 for fri"):
        parse_day_types("fri=20/0")


def test_the_routes_of_a_day_serve_most_of_its_trips(network, study, plan):
    chosen = []
    for days in (TYPES[0], DayType((4, 5), 1200, 2)):
        demand = demand_on(study.demand, days)
        served = {}
        for pair in combinations(range(len(plan)), 2):
            part = Plan(tuple(plan.routes[k] for k in pair), plan.network_fingerprint)
            served[part.names] = score_plan(network, demand, part).coverage.served.numerator
        found = routes_on(network, demand, plan, days, min_count=-1)
        assert served[found.names] == max(served.values())
        chosen.append(found.names)
    assert chosen[0] != chosen[1], "the nights differ"
    assert routes_on(network, study.demand, plan, DayType((4,), 1200, 9)) is plan


def test_many_choices_drop_one_route_after_another(network, study, plan, monkeypatch):
    monkeypatch.setattr("owlbus.timetable.day_routes._MOST_CHOICES", 1)
    demand, rows = demand_on(study.demand, TYPES[0]), list(range(len(plan)))
    while len(rows) > 2:
        worth = {}
        for k in rows:
            part = Plan(tuple(plan.routes[row] for row in rows if row != k), plan.network_fingerprint)
            worth[k] = score_plan(network, demand, part).coverage.served.numerator
        rows.remove(max(reversed(rows), key=lambda k: worth[k]))
    assert routes_on(network, demand, plan, TYPES[0], min_count=-1).names == tuple(plan.names[k] for k in rows)


def test_demand_counts_the_nights_with_service_alone(study):
    fridays = on_service_days(study, parse_day_types("fri=20"))
    assert [night.weekday() for night in fridays.demand.nights] == [4]
    assert fridays.demand.total_trips > study.demand.total_trips
    assert on_service_days(study, TYPES) is study
    undated = replace(study, demand=Demand(N_HEXES, origin=[0], destination=[1], trips=[2.0]))
    assert on_service_days(undated, TYPES) is undated
    weekdays = replace(study, demand=study.demand.slice(weekdays=["mon", "tue"]))
    with pytest.raises(UsageError, match=r"days names sat, and the records hold only nights of mon, tue; name days of the records"):
        on_service_days(weekdays, parse_day_types("sat=20"))


def test_days_with_too_few_people_to_print_count_as_the_mean_night(study, plan):
    few = replace(study, demand=study.demand.slice(hours=(24,)), min_count=15)
    assert demand_on(few.demand, TYPES[0], min_count=15) is not few.demand
    small = replace(few, min_count=300)
    assert has_too_few(small.demand, TYPES[0], min_count=300)
    assert demand_on(small.demand, TYPES[0], min_count=300) is small.demand
    document = days_document(small, plan, day_services(small, plan, TYPES, ServiceRule()))
    assert [each["is_mean_night"] for each in document["day_types"]] == [True, True]
    assert "Too few trips or people are counted on sun-thu or fri-sat to have figures of their own" in str(DaySummary(document))


def test_each_day_type_has_the_headways_and_buses_of_its_nights(study, plan):
    few, many = day_services(study, plan, TYPES, ServiceRule())
    assert (few.n_nights, many.n_nights) == (5, 2)
    assert (len(few.timetable.plan), len(many.timetable.plan)) == (2, 4)
    assert few.timetable.headway_s.max() <= 2700
    assert many.timetable.headway_s.max() <= 1200
    assert few.timetable.fleet < many.timetable.fleet
    card = score_plan(study.network, study.demand.slice(weekdays=["fri", "sat"]), plan)
    assert many.coverage.served == card.coverage.served
    document = days_document(study, plan, (few, many))
    idle = sorted(set(plan.names) - set(few.timetable.plan.names))
    assert document["some_days_only"] == {name: ["fri-sat"] for name in idle}
    said = str(DaySummary(document))
    assert (
        f"Buses: {many.timetable.fleet}, the most of any day type (sun-thu {few.timetable.fleet}, fri-sat {many.timetable.fleet})." in said
    )
    assert f"Route {idle[0]} runs on fri-sat only." in said
    mondays = replace(study, demand=study.demand.slice(weekdays=["mon"]))
    assert "No night of the records falls on fri-sat" in str(
        DaySummary(days_document(study, plan, day_services(mondays, plan, TYPES, ServiceRule())))
    )


@pytest.fixture(scope="module")
def run(study, plan, tmp_path_factory):
    return run_of(study, plan, tmp_path_factory.mktemp("days") / "run")


def run_of(study, plan, folder):
    record = RunRecord("plan", {"days": DAYS, "agency_timezone": "Africa/Lagos", "limits": {}}, min_count=-1)
    with open_run_dir(folder) as made:
        write_run(made, study, score_study(study, plan, "this plan", headway_s=1200), record=record)
        made.publish(record)
    return folder


def test_a_rider_finds_the_friday_bus_on_friday_and_not_on_tuesday(run, study, plan):
    few, many = day_services(study, plan, TYPES, ServiceRule())
    by_day = {day: read_gtfs(run / "gtfs.zip", study.network, day=day) for day in ("tue", "fri")}
    assert set(by_day["tue"].plan.names) == set(few.timetable.plan.names)
    assert set(by_day["fri"].plan.names) == set(plan.names)
    assert (by_day["tue"].n_runs, by_day["fri"].n_runs) == (few.timetable.n_runs, many.timetable.n_runs)
    assert np.array_equal(by_day["fri"].run_start_s, many.timetable.run_start_s)
    check = check_gtfs(run / "gtfs.zip", dt.date(2024, 3, 15))
    assert (check.errors, check.warnings) == (0, 0), check.lines
    with zipfile.ZipFile(run / "gtfs.zip") as feed:
        calendar = list(csv.DictReader(io.StringIO(feed.read("calendar.txt").decode())))
    assert [(row["service_id"], row["tuesday"], row["friday"]) for row in calendar] == [("sun-thu", "1", "0"), ("fri-sat", "0", "1")]


def test_plan_and_timetable_count_the_same_buses_for_the_same_days(network, plan, tmp_path, capsys):
    run = run_of(study_of(network, 20.0), plan, tmp_path / "run")
    document = json.loads((run / "days.json").read_text())
    for words in ([], ["--days", DAYS]):
        assert cli(["timetable", str(run), *words, "--json"]) == 0
        output = capsys.readouterr()
        found = json.loads(output.out)
        rows = [(each["name"], each["timetable"]["fleet"], each["uncrowded_fleet"]) for each in found["day_types"]]
        assert rows == [(each["name"], each["timetable"]["fleet"], each["uncrowded_fleet"]) for each in document["day_types"]]
        assert found["fleet"] == document["fleet"]
        for each, planned in zip(found["day_types"], document["day_types"], strict=True):
            assert [row["headway_s"] for row in each["timetable"]["routes"]] == [row["headway_s"] for row in planned["timetable"]["routes"]]
    assert any(uncrowded > fleet for _, fleet, uncrowded in rows), "buses are crowded"
    crowded = " and ".join(f"{uncrowded} buses on {name}" for name, fleet, uncrowded in rows if uncrowded > fleet)
    said = f"If all trips served ride, {crowded} leave the fewest riders behind full buses."
    assert said in str(DaySummary(document))
    assert said in output.err
    lines = day_bus_lines({"fri-sat": (4, 6)}, all_ride=False)
    assert lines[1] == "With the riders expected, 6 buses on fri-sat leave the fewest riders behind full buses."


def test_days_with_more_routes_than_there_are_are_refused(run, tmp_path, capsys):
    for words in (["timetable", str(run)], ["plan", "--run", str(run), "--routes", "4", "--out", str(tmp_path / "out")]):
        assert cli([*words, "--days", "sun-thu=45/4,fri-sat=20/20"]) == 2
        said = capsys.readouterr().err
        assert "--days must let at most 4 routes run, as many as the plan has, got 20 for fri-sat; write fri-sat=20 to let all" in said


def test_files_and_report_tell_the_day_types(run, plan):
    document = json.loads((run / "days.json").read_text())
    assert [each["name"] for each in document["day_types"]] == ["sun-thu", "fri-sat"]
    rows = list(csv.DictReader(io.StringIO((run / "tables" / "timetable.csv").read_text(encoding="utf-8-sig"))))
    assert len(rows) == 2 + len(plan)
    assert {row["day_type"] for row in rows} == {"sun-thu", "fri-sat"}
    page = (run / "report.html").read_text()
    assert "Service by day of the week" in page
    assert "<td>2 of 4</td><td>45</td>" in page
    assert report_pages(run)[0].decode() == page, "the report can be written again"
    assert "요일별 운행" in report_pages(run, "ko")[0].decode()


def test_explore_shows_the_headways_of_each_day_type(study, plan):
    keys = [f"r{k}" for k in range(len(plan))]
    chart = headway_chart(study, plan, 9, 1200, ServiceRule(), keys, "en", TYPES)
    few, _ = day_services(study, plan, TYPES, ServiceRule())
    for row in chart["routes"]:
        weekdays, friday = row["days"]
        runs = row["name"] in few.timetable.plan.names
        assert (weekdays["headways"] != [None] * len(HOURS)) == runs
        assert None not in friday["headways"]
    assert chart["note"].startswith("The waits and the diagram are those of ")


def test_compare_counts_the_buses_of_every_plan_by_the_day_types_of_a_run(run, network, plan, tmp_path, capsys):
    fewer = tmp_path / "fewer.geojson"
    part = Plan(plan.routes[:3], plan.network_fingerprint)
    fewer.write_bytes(plan_geojson(network, part, 2700))
    assert cli(["compare", str(run), str(fewer), "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["plans"]
    planned = json.loads((run / "days.json").read_text())["day_types"]
    for day, each in zip(found["run"]["days"], planned, strict=True):
        running = Plan(tuple(route for route in plan.routes if route.name in each["routes"]), plan.network_fingerprint)
        assert (day["name"], day["routes"]) == (each["name"], len(running))
        assert day["buses"] == plan_measures(network, running, each["max_headway_s"]).total_buses <= each["timetable"]["fleet"]
    few, many = found["fewer"]["days"]
    assert (few["routes"], many["routes"]) == (2, 3)
    assert many["buses"] == plan_measures(network, part, 1200).total_buses
    assert cli(["compare", str(run), str(fewer)]) == 0
    text = capsys.readouterr().out
    assert "buses, one every 45 min" in text
    assert f"buses sun-thu, one every 45 min   {found['run']['days'][0]['buses']}, 2 of 4 routes" in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert "buses, Friday, Saturday, one every 20 min" in page


def test_reach_and_the_feed_to_take_along_have_the_headways_of_the_day_types(run):
    session = opened(run, is_read_only=True)
    opened_run = session.run
    services = day_services(opened_run.study, opened_run.plan, TYPES, ServiceRule())
    stop = int(services[0].timetable.plan.used_stops[0])
    lon, lat = (float(values[stop]) for values in (opened_run.study.network.stop_lon, opened_run.study.network.stop_lat))
    told = HANDLERS["/api/reach"].answer(session, {"lon": lon, "lat": lat, "at": "01:30", "lang": "en"})
    assert told["note"].endswith("The timetable is that of Monday, Tuesday, Wednesday, Thursday, Sunday.")
    assert HelpDesk.of(session).timetable[1].equals(services[0].timetable)
    taken = plan_download(opened_run, opened_run.plan, "gtfs").content
    with zipfile.ZipFile(io.BytesIO(taken)) as feed, zipfile.ZipFile(run / "gtfs.zip") as written:
        assert {name: feed.read(name) for name in feed.namelist()} == {name: written.read(name) for name in written.namelist()}


def test_a_reference_that_takes_more_buses_than_the_plan_says_so(run, network, plan, tmp_path, capsys):
    one = tmp_path / "one.geojson"
    one.write_bytes(plan_geojson(network, Plan(plan.routes[3:], plan.network_fingerprint), 2700))
    asked = ["timetable", str(one), "--run", str(run), "--reference", str(run / "plan.geojson"), "--json"]
    assert cli([*asked, "--days", "mon-sun=20"]) == 0
    output = capsys.readouterr()
    (day,) = json.loads(output.out)["day_types"]
    fleet, other = day["timetable"]["fleet"], day["reference"]["timetable"]["fleet"]
    assert other > fleet
    assert f"takes {other} buses; with {fleet} bus{'es' * (fleet != 1)} as the plan has it cannot keep one headway of 20 min" in output.err
