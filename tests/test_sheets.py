"""Tables to take along: what stands in them, that text stays text, and that the same tables give the same bytes."""

from __future__ import annotations

import csv
import io

import numpy as np
import polars as pl
import pytest
from cities import city

from owlbus.evidence import PlanEvaluator
from owlbus.evidence.stop_names import StopNames
from owlbus.evidence.unserved_places import missing_places
from owlbus.plan import Plan, Route
from owlbus.plan.limits import RouteLimits
from owlbus.report.sheets import Sheet, plan_sheets, timetable_sheet, workbook
from owlbus.score import score_plan

TIMETABLE = {"hours": ["00", "01"], "routes": [{"name": "A", "buses": 2, "runs": 6, "headway_s": [1800, 0]}]}


def sheets():
    network, demand = city(
        6, [(0, 1), (1, 2), (3, 1), (1, 4), (4, 5)], {(0, 2): 90.0, (5, 0): 40.0}, presence=dict.fromkeys(range(6), 160.0)
    )
    plan = Plan((Route([0, 1, 2], "A"),), network.fingerprint)
    card = score_plan(network, demand, plan, groups=["x", "x", "y", "y", "z", "z"]).to_dict()
    evaluator = PlanEvaluator.build(network, demand)
    places = [place.to_dict() for place in missing_places(evaluator, plan, StopNames(), RouteLimits())]
    return {sheet.name: sheet for sheet in plan_sheets(network, plan, card, places, {"": TIMETABLE})}, card


def test_the_tables_hold_what_the_scorecard_prints():
    found, card = sheets()
    assert list(found) == ["routes", "stops", "hours", "districts", "missing_places", "timetable"]
    hours = dict(zip(found["hours"].columns, found["hours"].rows[0], strict=True))
    part = next(iter(card["by_hour"].values()))
    assert (hours["presence_share"], hours["served_denominator"]) == (part["presence"]["share"], part["served"]["denominator"])
    assert [row[0] for row in found["districts"].rows] == ["x", "y", "z"]
    assert [row[2] for row in found["stops"].rows] == [0, 1, 2]
    assert found["timetable"].rows == (("A", 2, 6, 30.0, None),)
    counts = [row[found["missing_places"].columns.index("presence")] for row in found["missing_places"].rows]
    assert counts
    assert not [count for count in counts if count % 15]


@pytest.mark.parametrize("name", ["=1+1", "+A", "-A", "@sum", '=HYPERLINK("x")'])
def test_names_that_look_like_formulas_stay_text(name):
    sheet = Sheet("routes", ("route", "km"), ((name, 1.5), ("B", None)))
    rows = list(csv.reader(io.StringIO(sheet.to_csv().decode("utf-8-sig"))))
    assert rows == [["route", "km"], [f"'{name}", "1.5"], ["B", ""]]
    read = pl.read_excel(workbook([sheet]), sheet_name="routes")
    assert read.rows() == [(name, 1.5), ("B", None)]


def test_the_same_tables_give_the_same_bytes():
    found, _ = sheets()
    assert workbook(list(found.values())) == workbook(list(found.values()))


def test_every_script_is_read_back_from_both_forms():
    sheet = Sheet("stops", ("name", "lon"), (("강남역", 127.027), ("Ñuñoa", np.float64(-70.6))))
    assert sheet.to_csv().startswith(b"\xef\xbb\xbf")
    assert pl.read_excel(workbook([sheet]), sheet_name="stops")["name"].to_list() == ["강남역", "Ñuñoa"]


def test_negative_numbers_stay_numbers_in_both_forms():
    sheet = Sheet("sweep", ("more", "name"), ((-1.5, "-1.5"), (2, "é" * 40_000)))
    rows = list(csv.reader(io.StringIO(sheet.to_csv().decode("utf-8-sig"))))
    assert rows[1] == ["-1.5", "'-1.5"]
    read = pl.read_excel(workbook([sheet]), sheet_name="sweep")
    assert (read["more"].to_list(), read["name"].to_list()) == ([-1.5, 2.0], ["-1.5", "é" * 32_767])


def test_the_timetables_of_day_types_stand_in_one_table():
    other = {"hours": ["01", "02"], "routes": [{"name": "A", "buses": 1, "runs": 2, "headway_s": [3600, 3000]}]}
    found = timetable_sheet({"sun-thu": TIMETABLE, "fri-sat": other})
    assert found.columns == ("day_type", "route", "buses", "runs", "headway_min_00", "headway_min_01", "headway_min_02")
    assert found.rows == (("sun-thu", "A", 2, 6, 30.0, None, None), ("fri-sat", "A", 1, 2, None, 60.0, 50.0))
