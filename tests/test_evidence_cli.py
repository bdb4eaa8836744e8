"""The commands of evidence: what they write, what they print, and how each bad question ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from markupsafe import escape

import owlbus.plot
from owlbus.cli.app import run
from owlbus.cli.compare import MEASURES, side_by_side
from owlbus.cli.session import settings_of_run
from owlbus.common.disclosure import Publisher
from owlbus.pipeline.rundir import RunRecord, check_run, open_run_dir
from owlbus.pipeline.study import read_study
from owlbus.plan import read_plan
from owlbus.report.translations import read_translations
from owlbus.score import score_plan

SQUARE = [[127.00, 37.50], [127.06, 37.50], [127.06, 37.54], [127.00, 37.54], [127.00, 37.50]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a town of about forty hexes over five nights, with two routes of way-points beside it."""
    folder = tmp_path_factory.mktemp("town")
    rng = np.random.default_rng(7)
    (folder / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [SQUARE]}))
    lines = ["time,lon,lat,home_lon,home_lat"]
    for _ in range(3000):
        lon, home_lon = rng.uniform(127.0, 127.06, 2)
        lat, home_lat = rng.uniform(37.5, 37.54, 2)
        time = f"2013-03-{rng.integers(11, 16)} 0{rng.integers(0, 5)}:{rng.integers(10, 60)}:00"
        lines.append(f"{time},{lon:.5f},{lat:.5f},{home_lon:.5f},{home_lat:.5f}")
    (folder / "calls.csv").write_text("\n".join(lines) + "\n")
    (folder / "routes.csv").write_text(
        "route,sequence,lon,lat\nA,1,127.005,37.505\nA,2,127.055,37.535\nB,1,127.055,37.505\nB,2,127.005,37.535\n"
    )
    records = [str(folder / "calls.csv"), "--area", str(folder / "area.geojson")]
    out = str(folder / "run")
    assert run(["plan", *records, "--out", out, "--reference", str(folder / "routes.csv"), "--steps", "300", "--routes", "2", "-q"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict:
    """Run a command with --json and return its document."""
    capsys.readouterr()
    assert run([*words, "--json", "-q"]) == code
    return json.loads(capsys.readouterr().out)


def given(made: Path) -> str:
    return str(made / "run" / "reference.geojson")


def test_compare_lays_plans_side_by_side_and_writes_the_difference(made, capsys, tmp_path):
    out = tmp_path / "compared"
    shown = told(capsys, "compare", given(made), str(made / "run" / "plan.geojson"), "--out", str(out))
    assert (shown["command"], shown["schema_version"]) == ("compare", 2)
    assert "city_share" not in shown, "this is not Seoul"
    assert list(shown["plans"]) == ["reference", "plan"]
    assert check_run(out) == []
    study = {"grid.parquet", "demand.parquet", "network.parquet", "inputs.json", "run.json"}
    files = {"compare.json", "difference.geojson", "difference.png", "plan_1.geojson", "plan_2.geojson", "report.html"}
    assert {file.name for file in out.iterdir()} == study | files
    assert json.loads((out / "difference.geojson").read_text())["features"]


def test_compare_holds_only_seoul_against_what_seoul_states(made, capsys):
    assert run(["compare", given(made), str(made / "run" / "plan.geojson"), "-q"]) == 0
    assert "Seoul states" not in capsys.readouterr().out
    measure = {"share": 0.3, "interval": None}
    plan = dict.fromkeys((*(key for key, *_ in MEASURES), "presence", "served", "direct"), measure) | {key: 1.0 for key, *_ in MEASURES}
    table = side_by_side({"plans": {"a": plan}, "differences": {}, "interval_over": None, "city_share": 0.42})
    assert next(list(column.cells) for column in table.columns if column.header == "Seoul states")[:2] == ["42%", ""]


def test_the_table_of_plans_says_what_its_intervals_are_over(made, capsys, tmp_path):
    one = tmp_path / "one.csv"
    head, *rows = (made / "calls.csv").read_text().splitlines()
    one.write_text("\n".join([head, *(row for row in rows if row.startswith("2013-03-12"))]) + "\n")
    plans = [str(made / "routes.csv"), str(made / "run" / "plan.geojson")]
    for words, over in (
        (["--run", str(made / "run")], "Intervals are over nights."),
        (
            ["--records", str(one), "--area", str(made / "area.geojson")],
            "No intervals: the demand has fewer nights than an interval takes.",
        ),
    ):
        assert run(["compare", *plans, *words, "-q"]) == 0
        assert over in " ".join(capsys.readouterr().out.split())


def test_compare_reads_way_points_and_three_plans(made, capsys):
    plans = [given(made), str(made / "run" / "plan.geojson"), str(made / "routes.csv")]
    shown = told(capsys, "compare", *plans, "--run", str(made / "run"))
    assert list(shown["differences"]) == ["plan", "routes"]
    assert shown["differences"]["routes"]["whole"]["net_trips"] is None, "nothing that can be told"


def test_compare_reads_geojson_way_points_and_a_feed_of_one_plan_alike(made, capsys):
    """The feed of a run is its plan's timetable: read back, it serves what the plan does."""
    written = made / "run"
    shown = told(capsys, "compare", str(written / "plan.geojson"), str(written / "gtfs.zip"), str(made / "routes.csv"))
    assert list(shown["plans"]) == ["plan", "gtfs", "routes"]
    assert set(shown["differences"]["gtfs"]["whole"].values()) == {0, None}
    assert {**shown["plans"]["gtfs"], "routes": 0} == {**shown["plans"]["plan"], "routes": 0}
    assert shown["plans"]["gtfs"]["total_length_m"] == shown["plans"]["plan"]["total_length_m"]
    assert shown["differences"]["routes"]["whole"]["gained_trips"] != 0


def test_every_command_takes_a_run_its_plan_and_its_feed_for_the_same_plan(made, capsys):
    run, routes = made / "run", str(made / "routes.csv")
    kinds = (run, run / "plan.geojson", run / "gtfs.zip")
    lists = [["score", "PLAN"], ["score", routes, "--reference", "PLAN"], ["explain", "PLAN", "missing"], ["compare", routes, "PLAN"]]
    for words in lists:
        first, *others = ([str(kind) if word == "PLAN" else word for word in words] for kind in kinds)
        shown = _unnamed(told(capsys, *first, "--run", str(run)))
        for other in others:
            assert _unnamed(told(capsys, *other, "--run", str(run))) == shown


def _unnamed(document: dict) -> dict:
    """Return a document without what plans are called, and without the night of a feed."""
    text = json.dumps({name: value for name, value in document.items() if name != "feeds"})
    for name in ('"run"', '"gtfs"', '"plan.geojson"', '"gtfs.zip"'):
        text = text.replace(name, '"plan"')
    return json.loads(text)


def by_side(made: Path) -> Path:
    table = made / "by.csv"
    table.write_text("lon,lat,side\n127.0,37.52,west\n127.06,37.52,east\n")
    return table


def test_compare_breaks_shares_down(made, capsys):
    table = by_side(made)
    shown = told(capsys, "compare", given(made), str(made / "run" / "plan.geojson"), "--by", f"{table}:side")
    assert set(shown["by"][f"{table}:side"]["plan"]["groups"]) == {"east", "west"}


def test_explain_answers_one_complaint_with_a_page(made, capsys, tmp_path):
    stop = json.loads(Path(given(made)).read_text())["features"][0]["properties"]["stops"][2]
    out = tmp_path / "answer"
    shown = told(capsys, "explain", given(made), "stop", str(stop), "--remove", "--out", str(out))
    assert shown["kind"] == "remove"
    assert stop not in json.loads((out / "plan.geojson").read_text())["features"][0]["properties"]["stops"]
    assert {file.name for file in out.iterdir()} == {
        "answer.html",
        "answer.json",
        "difference.geojson",
        "difference.png",
        "plan.geojson",
        "inputs.json",
        "run.json",
    }
    page = (out / "answer.html").read_text()
    assert '<svg class="answermap"' in page
    assert "http" not in page.replace("http-equiv", "")


def test_explain_swaps_by_name_position_and_pair_alike(made, capsys):
    stops = json.loads(Path(given(made)).read_text())["features"][0]["properties"]["stops"]
    features = json.loads((made / "run" / "stops.geojson").read_text())["features"]
    place = next(f for f in features if f["properties"]["stop"] not in stops)
    other, (lon, lat) = place["properties"]["stop"], place["geometry"]["coordinates"]
    asked = [
        ("stop", str(stops[2]), "--swap", str(other)),
        ("stop", "--swap", f"{stops[2]},{other}"),
        ("stop", str(stops[2]), "--swap", f"{lon},{lat}"),
        ("stop", str(stops[2]), "--move", f"{lon},{lat}"),
    ]
    answers = [told(capsys, "explain", given(made), *words) for words in asked]
    assert [answer["kind"] for answer in answers] == ["swap", "swap", "swap", "move"]
    assert len({json.dumps(answer["whole"]) for answer in answers}) == 1


def test_explain_and_the_tables_of_a_run_name_the_same_missing_places(made, capsys):
    places = told(capsys, "explain", str(made / "run"), "missing", "--top", "10")["places"]
    rows = pl.read_excel(made / "run" / "tables.xlsx", sheet_name="missing_places").to_dicts()
    assert places
    for place, row in zip(places, rows, strict=True):
        assert (place["rank"], place["name"], place["presence"]) == (row["rank"], row["place"], row["presence"])
        change = place["difference"]
        if change is not None:
            assert (", ".join(place["routes"]), change["cost"]["buses"], change["cost"]["length_m"]) == (
                row["route"],
                row["buses"],
                row["length_m"],
            )


def test_explain_lists_routes_missing_places_and_swaps(made, capsys, tmp_path):
    routes = told(capsys, "explain", given(made))
    assert [row["name"] for row in routes["routes"]] == ["A", "B"]
    assert {"ranks", "by_weekday_and_hour"} <= routes.keys()
    assert [row["name"] for row in told(capsys, "explain", given(made), "route", "b")["routes"]] == ["B"]
    missing = told(capsys, "explain", given(made), "missing", "--top", "3")
    assert len(missing["places"]) <= 3
    out = tmp_path / "swapped"
    swaps = told(capsys, "explain", given(made), "suggest", "--apply", "1", "--out", str(out))
    assert swaps["applied"] == 1
    assert (out / "plan.geojson").read_bytes() != Path(given(made)).read_bytes()
    dropped = told(capsys, "explain", given(made), "route", "A", "--drop")
    assert (dropped["kind"], dropped["cost"]["buses"] < 0) == ("drop", True)
    for words in (("explain", given(made), "route", "A"), ("explain", given(made)), ("explain", given(made), "missing")):
        assert run([*words, "-q"]) == 0
        assert capsys.readouterr().out


def test_why_a_stop_is_gone_says_who_decided_and_what_it_would_cost(made, capsys, tmp_path):
    plan, old = made / "run" / "plan.geojson", given(made)
    stops = [{int(s) for f in json.loads(Path(file).read_text())["features"] for s in f["properties"]["stops"]} for file in (plan, old)]
    gone = min(stops[1] - stops[0])
    shown = told(capsys, "explain", str(plan), "why", str(gone), "--before", old, "--out", str(tmp_path / "answer"))
    assert (shown["routes"], shown["routes_before"] == [], shown["nearest_stop"] in stops[0]) == ([], False, True)
    assert shown["decided"] == {"by": "search", "objective": "trips served", "seed": 0}
    after = json.loads((tmp_path / "answer" / "plan.geojson").read_text())
    assert gone in {int(s) for f in after["features"] for s in f["properties"]["stops"]}
    first = told(capsys, "explain", str(plan), "missing", "--top", "40")["places"][0]
    again = told(capsys, "explain", str(plan), "why", str(first["stop"]))
    assert again["back"]["whole"] == first["difference"]["whole"], "one answer to one question"
    assert again["back"]["broken_limits"] == first["broken_limits"]
    here = told(capsys, "explain", str(plan), "why", str(min(stops[0])))
    assert (here["back"], "has a stop of" in here["lines"][0]) == (None, True)
    assert told(capsys, "explain", old, "why", str(min(stops[0] - stops[1])))["decided"] == {"by": "hand"}
    assert run(["explain", str(plan), "why", str(gone), "--lang", "ko", "-q"]) == 0
    assert "정류장이 없습니다" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_question_has_a_page_in_the_language_asked_for(made, capsys, tmp_path, language):
    plan, out = str(made / "run" / "plan.geojson"), tmp_path / "answer"
    first = json.loads(Path(plan).read_text())["features"][0]["properties"]["name"]
    asked = (["missing", "--top", "2"], ["suggest", "--top", "2"], ["route"], ["route", first], ["why", "0", "--before", given(made)])
    for words in asked:
        shown = told(capsys, "explain", plan, *words, "--lang", language, "--out", str(out))
        page = (out / "answer.html").read_text()
        assert f'<html lang="{language}">' in page
        assert '<svg class="answermap"' in page
        assert "http" not in page.replace("http-equiv", "")
        texts = [*shown.get("lines", ()), *(row["name"] for row in shown.get("places", shown.get("routes", ())) if isinstance(row, dict))]
        texts += [row["change"] for row in shown.get("swaps", ())]
        if shown["what"] == "route":
            assert f">{read_translations(language)('answer.route')}</th>" in page
        texts = texts or [read_translations(language)("answer.none")]
        assert [text for text in texts if str(escape(text)) not in page] == []
    assert run(["explain", plan, "missing", "--lang", "de", "-q"]) == 2


def test_who_decided_follows_an_edit_by_hand(made, capsys, tmp_path):
    edited = tmp_path / "run"
    shutil.copytree(made / "run", edited)
    plan = edited / "plan.geojson"
    plan.write_text(plan.read_text().replace('"R1"', '"N1"'))
    assert told(capsys, "explain", str(plan), "why", "0")["decided"] == {"by": "edit"}


def test_before_goes_with_why_alone(made, capsys):
    assert run(["explain", given(made), "missing", "--before", given(made), "-q"]) == 2
    assert "why PLACE --before" in capsys.readouterr().err


def test_a_change_that_breaks_a_limit_is_told_and_ends_with_code_1(made, capsys):
    places = told(capsys, "explain", given(made), "missing", "--top", "40")["places"]
    missing = next(place["stop"] for place in places if place["difference"]["cost"]["length_m"] > 0)
    capsys.readouterr()
    assert run(["explain", given(made), "via", str(missing), "--max-length-km", "1", "-q"]) == 1
    said = capsys.readouterr()
    assert "above the 1,000 m allowed" in said.err
    assert "Breaks a limit" in said.out


def test_improve_lists_steps_and_draws_the_curve(made, capsys, tmp_path):
    out = tmp_path / "improved"
    shown = told(capsys, "improve", given(made), "--curve", "--steps", "1500", "--out", str(out))
    assert [row["allowed_share"] for row in shown["curve"]] == [0.0, 0.05, 0.1, 0.2, 0.4]
    assert all(row["stops_changed"] <= row["stops_allowed"] for row in shown["curve"])
    assert {file.name for file in out.iterdir()} == {
        "curve.csv",
        "curve.png",
        "improve.json",
        "inputs.json",
        "plan.geojson",
        "report.html",
        "run.json",
        "steps.csv",
        "tables",
        "tables.xlsx",
    }
    assert check_run(out) == []
    assert (out / "tables" / "routes.csv").is_file()
    page = (out / "report.html").read_text()
    assert "<title>The improved plan against the reference</title>" in page
    assert [row["change"] for row in shown["steps"] if str(escape(row["change"])) not in page] == []
    assert len((out / "steps.csv").read_text().splitlines()) == len(shown["steps"]) + (1 if shown["steps"] else 0)
    assert run(["improve", given(made), "--change", "20%", "--steps", "500", "-q", "--lang", "ko", "--out", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert '<html lang="ko">' in page
    steps = json.loads((out / "improve.json").read_text())["steps"]
    assert steps
    assert [row["change"] for row in steps if "in place of" in row["change"] or str(escape(row["change"])) not in page] == []


def test_sweep_writes_table_curve_and_plans(made, capsys, tmp_path):
    out = tmp_path / "swept"
    shown = told(capsys, "sweep", "--run", str(made / "run"), "--routes", "1:3", "--steps", "500", "--out", str(out))
    served = [point["served_share"] for point in shown["points"]]
    assert served == sorted(served)
    names = {file.name for file in out.iterdir()}
    study = {"grid.parquet", "demand.parquet", "network.parquet", "inputs.json", "run.json"}
    shown_plan = {"plan.geojson", "stops.geojson", "scorecard.json", "report.html", "tables", "tables.xlsx"}
    assert pl.read_excel(out / "tables.xlsx", sheet_name="sweep")["served_share"].to_list() == pytest.approx(served)
    assert names == study | shown_plan | {
        "sweep.csv",
        "sweep.json",
        "sweep.png",
        "plan_1.geojson",
        "plan_2.geojson",
        "plan_3.geojson",
    }
    assert run(["sweep", "--run", str(made / "run"), "--routes", "2", "--headway", "30,60", "--fleet", "4", "--steps", "300", "-q"]) == 0
    assert "headway" in capsys.readouterr().out


def test_a_sweep_of_kilometres_is_asked_for_as_a_plan_is_and_by_its_old_name(made, capsys):
    words = ["sweep", "--run", str(made / "run"), "--routes", "2", "--steps", "300"]
    found = [told(capsys, *words, name, "6,12")["points"] for name in ("--total-km", "--max-km")]
    assert found[0] == found[1]
    assert [point["km"] for point in found[0]] == [6, 12]
    assert all(point["total_km"] <= point["km"] for point in found[0])


def test_reports_of_a_comparison_and_of_a_sweep_can_be_written_again_and_in_korean(made, capsys, tmp_path):
    plans = [given(made), str(made / "run" / "plan.geojson"), str(made / "routes.csv")]
    told(capsys, "compare", *plans, "--by", f"{by_side(made)}:side", "--out", str(tmp_path / "compared"))
    told(capsys, "sweep", "--run", str(made / "run"), "--routes", "1:2", "--steps", "300", "--out", str(tmp_path / "swept"))
    for folder, reports in (("compared", ["report.html", "report_2.html"]), ("swept", ["report.html"])):
        out = tmp_path / folder
        assert sorted(file.name for file in out.glob("*.html")) == reports
        first = [(out / name).read_bytes() for name in reports]
        again = told(capsys, "report", str(out))
        assert again["files"] == [str(out / name) for name in reports]
        assert [(out / name).read_bytes() for name in reports] == first
        assert check_run(out) == []
        korean = [Path(name) for name in told(capsys, "report", str(out), "--lang", "ko")["files"]]
        assert [file.name for file in korean] == [name.replace(".html", "_ko.html") for name in reports]
        assert all('<html lang="ko">' in file.read_text() for file in korean)
    told(capsys, "compare", *plans[:2], "--out", str(tmp_path / "ko"), "--lang", "ko")
    assert '<html lang="ko">' in (tmp_path / "ko" / "report.html").read_text()


def test_a_report_of_a_comparison_that_lost_a_plan_is_refused(made, capsys, tmp_path):
    out = tmp_path / "compared"
    told(capsys, "compare", given(made), str(made / "run" / "plan.geojson"), "--out", str(out))
    (out / "plan_2.geojson").unlink()
    assert run(["report", str(out), "-q"]) == 3
    assert "must hold plan_2.geojson" in capsys.readouterr().err
    (out / "compare.json").write_text("[]")
    assert run(["report", str(out), "-q"]) == 3
    assert "compare.json: must be a JSON object, and is not; write the run again" in capsys.readouterr().err


def test_what_is_made_on_an_earlier_run_keeps_its_city(tmp_path):
    with open_run_dir(tmp_path / "run") as folder:
        folder.publish(RunRecord("plan", {"city": "seoul"}))
    assert settings_of_run(None, None, run=str(tmp_path / "run"))["city"] == "seoul"


def test_a_sweep_with_bounds_shows_them_in_table_json_csv_and_curve(made, capsys, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("owlbus.plot.sweep", lambda *given, _draw=owlbus.plot.sweep, **named: drawn.append(named) or _draw(*given, **named))
    words = ["sweep", "--run", str(made / "run"), "--routes", "1:2", "--steps", "300", "--bound", "5"]
    shown = told(capsys, *words, "--out", str(tmp_path / "swept"))
    bounds = [point["bound_share"] for point in shown["points"]]
    assert all(point["searched_share"] <= bound <= 1 for point, bound in zip(shown["points"], bounds, strict=True))
    header, *lines = (tmp_path / "swept" / "sweep.csv").read_text().splitlines()
    assert [float(line.split(",")[header.split(",").index("bound_share")]) for line in lines] == bounds
    assert [round(bound, 4) for bound in drawn[0]["bounds"]] == bounds
    assert run([*words, "-q"]) == 0
    assert "bound" in capsys.readouterr().out
    assert run([*words[:-2], "-q"]) == 0
    assert "bound" not in capsys.readouterr().out


def test_a_plan_of_several_seeds_tells_their_spread_in_terminal_json_record_and_report(made, capsys, tmp_path):
    words = ["plan", "--run", str(made / "run"), "--routes", "2", "--steps", "300", "--seed", "4", "--out"]
    shown = told(capsys, *words, str(tmp_path / "one"), "--seeds", "3")
    spread = shown["spread"]
    assert (spread["over"], spread["n_searches"], shown["best_seed"] in {4, 5, 6}) == ("seeds", 3, True)
    assert spread["lowest_share"] <= spread["median_share"] <= spread["highest_share"]
    record = json.loads((tmp_path / "one" / "run.json").read_text())
    assert (record["spread"], record["settings"]["n_seeds"], record["seed"]) == (spread, 3, 4)
    for language, label in (("en", "of the objective, over 3 seeds"), ("ko", "목적값, 시드 3개")):
        (page,) = told(capsys, "report", str(tmp_path / "one"), "--lang", language)["files"]
        assert label in Path(page).read_text()
    assert run([*words, str(tmp_path / "two"), "--seeds", "2"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "Over seeds: " in said
    assert "(2 seeds), by area. This is neither an interval over nights nor an optimality gap." in said
    assert "seeds 4 to 5, the plan is that of seed" in said


def test_without_seeds_the_spread_of_the_starts_is_told_and_one_start_has_none(made, capsys, tmp_path):
    words = ["plan", "--run", str(made / "run"), "--routes", "2", "--steps", "300", "--out"]
    assert told(capsys, *words, str(tmp_path / "two"), "--starts", "2")["spread"]["over"] == "starts"
    shown = told(capsys, *words, str(tmp_path / "one"), "--starts", "1")
    assert shown["spread"] is None
    assert "spread" not in json.loads((tmp_path / "one" / "run.json").read_text())
    assert "over starts" not in (tmp_path / "one" / "report.html").read_text()
    assert "Over" not in capsys.readouterr().err


def test_a_plan_near_a_base_has_the_best_of_several_seeds(made, capsys, tmp_path):
    words = ["plan", "--run", str(made / "run"), "--base", given(made), "--max-change", "30%", "--steps", "300"]
    alone = [told(capsys, *words, "--seed", seed, "--out", str(tmp_path / seed)) for seed in ("0", "1")]
    both = told(capsys, *words, "--seeds", "2", "--out", str(tmp_path / "both"))
    assert both["objective_share"] in {shown["objective_share"] for shown in alone}
    assert both["steps"] == sum(shown["steps"] for shown in alone)
    assert both["spread"]["over"] == "seeds"
    assert [shown["spread"] for shown in alone] == [None, None]


@pytest.mark.parametrize("spread", [{}, {"over": "nights"}, {"over": "seeds", "n_searches": 2, "lowest_share": "0.1"}])
def test_a_damaged_spread_of_a_run_is_refused(made, capsys, tmp_path, spread):
    assert run(["plan", "--run", str(made / "run"), "--routes", "1", "--steps", "50", "-q", "--out", str(tmp_path / "run")]) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(record | {"spread": spread}))
    capsys.readouterr()
    assert run(["report", str(tmp_path / "run"), "-q"]) == 3
    assert "spread must have over, n_searches, and lowest, median and highest share" in capsys.readouterr().err


def test_a_sweep_of_several_seeds_says_which_gains_lie_within_their_spread(made, capsys, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("owlbus.plot.sweep", lambda *given, _draw=owlbus.plot.sweep, **named: drawn.append(named) or _draw(*given, **named))
    words = ["sweep", "--run", str(made / "run"), "--routes", "3", "--fleet", "4,5,6,7", "--steps", "60", "--seeds", "3"]
    shown = told(capsys, *words, "--out", str(tmp_path / "swept"))
    points = shown["points"]
    assert {(point["spread"]["over"], point["spread"]["n_searches"]) for point in points} == {("seeds", 3)}
    hidden = [point["fleet"] for point in points if point["within_spread"]]
    assert hidden
    assert drawn[0]["unclear"] == hidden
    assert [round(high, 4) for _, high in drawn[0]["spreads"]] == [point["spread"]["highest_share"] for point in points]
    header, *lines = (line.split(",") for line in (tmp_path / "swept" / "sweep.csv").read_text().splitlines())
    assert [float(line[0]) for line in lines if line[header.index("within_spread")] == "1"] == hidden
    assert json.loads((tmp_path / "swept" / "run.json").read_text())["settings"]["seeds"] == 3
    for language, text in (("en", "within the spread over seeds ("), ("ko", "시드에 따른 차이(")):
        (page,) = told(capsys, "report", str(tmp_path / "swept"), "--lang", language)["files"]
        html = Path(page).read_text()
        assert html.count(text) >= len(hidden)
        assert html.count('<path class="spread"') == len(points)
    assert run([*words, "-q"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "over seeds" in said
    assert f"Within the spread over seeds is the gain over the setting before at {hidden[0]:g} buses (" in said


def test_a_robust_plan_is_written_like_any_other_with_what_it_gains_and_costs(made, capsys, tmp_path):
    out = tmp_path / "robust"
    words = ["plan", "--run", str(made / "run"), "--robust", "0.1", "--routes", "2", "--steps", "300", "--out", str(out)]
    shown = told(capsys, *words)["robust"]
    assert check_run(out) == []
    assert json.loads((out / "robust.json").read_text()) == shown
    assert (shown["quantile"], shown["n_nights"]) == (0.1, 5)
    assert shown["gain_share"] > -5 * 15 / 570, "printed counts of each night may hide what is gained, no more"
    assert run([*words, "--scheduler", "processes:2"]) == 0
    said = capsys.readouterr().err
    assert "At the 10% quantile over nights" in said
    study, about = read_study(out), json.loads((out / "run.json").read_text())
    by_centre = score_plan(study.network, study.demand, read_plan(out / "plan.geojson", study.network), count_by="centre")
    assert about["objective_share"] == Publisher().headline(by_centre.coverage.served.numerator, by_centre.coverage.served.denominator)
    assert about["objective_rule"] == by_centre.walk_rule


def test_taxi_is_the_second_check_of_a_plan_made_on_calls_and_the_other_way_round(made, capsys, tmp_path):
    rng = np.random.default_rng(3)
    rides = ["pickup_time,origin_lon,origin_lat,dropoff_time,destination_lon,destination_lat"]
    for _ in range(600):
        (lon, to_lon), (lat, to_lat) = rng.uniform(127.0, 127.06, 2), rng.uniform(37.5, 37.54, 2)
        night, minute = rng.integers(12, 15), rng.integers(0, 40)
        start, end = (f"2013-03-{night} 02:{minute + more:02d}:00" for more in (0, 12))
        rides.append(f"{start},{lon:.5f},{lat:.5f},{end},{to_lon:.5f},{to_lat:.5f}")
    (tmp_path / "taxi.csv").write_text("\n".join(rides) + "\n")
    records = [str(made / "calls.csv"), str(tmp_path / "taxi.csv"), "--area", str(made / "area.geojson")]
    words = ["plan", *records, "--cross-check", "--routes", "2", "--steps", "300", "--out", str(tmp_path / "run")]
    shown = told(capsys, *words)["cross_check"]
    assert shown == json.loads((tmp_path / "run" / "cross_check.json").read_text())
    rows = {(row["made_on"], row["scored_on"]): row for row in shown["plans"]}
    assert set(rows) == {(one, two) for one in ("calls", "taxi") for two in ("calls", "taxi")}
    assert rows["calls", "calls"]["regret_share"] == rows["taxi", "taxi"]["regret_share"] == 0
    assert -1 <= shown["agreement"]["od_rank"] <= 1
    assert run(words) == 0
    assert "Second check, planned on taxi and scored on calls: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["compare", "PLAN"], 2, "compare needs at least two plans, got 1; name another one"),
        (["compare", "PLAN", "absent.geojson"], 3, "absent.geojson: no such file; name a run directory, or a plan as .geojson"),
        (["compare", "PLAN", "ELSEWHERE"], 3, "m from the nearest stop, allowed are 1500 m"),
        (["compare", "PLAN", "EMPTY"], 3, "a plan must be a FeatureCollection with at least one LineString"),
        (["compare", "PLAN", "BARE"], 3, "bare.csv: a plan needs at least one route"),
        (["compare", "PLAN", "PLAN", "--by", "x"], 2, "--by must read FILE:COLUMN"),
        (["compare", "PLAN", "PLAN", "--run", "RUN", "--records", "x.csv"], 2, "so --records would not be read; leave one of them out"),
        (["explain", "PLAN", "rout"], 2, "WHAT must be one of route, stop, via, missing, suggest, why, got 'rout'"),
        (["explain", "PLAN", "route", "AB"], 2, "no route is called 'AB'; did you mean B or A?"),
        (["explain", "PLAN", "stop", "9999", "--remove"], 2, "stop 9999: the network has stops 0 to"),
        (["explain", "PLAN", "stop", "q1r99", "--remove"], 2, "no stop or place is called 'q1r99'; did you mean"),
        (["explain", "PLAN", "stop", "30.3,59.9", "--remove"], 2, "m from the nearest stop, allowed are 1500 m"),
        (["explain", "PLAN", "stop", "3"], 2, "a stop needs one of --remove, --move LON,LAT and --swap P,Q"),
        (["explain", "PLAN", "stop", "3", "--swap", "4,5"], 2, "--swap 4,5 takes 4 out, but the stop named is 3; name one of them"),
        (["explain", "PLAN", "stop", "--swap", "5"], 2, "--swap must read P,Q, or name the stop that goes before it, got '5'"),
        (["explain", "PLAN", "route", "A", "--remove"], 2, "change a stop, and the question is about route"),
        (["explain", "PLAN", "route", "--drop"], 2, "--drop needs the name of a route; list the routes with owlbus explain"),
        (["explain", "PLAN", "missing", "--drop"], 2, "--drop goes with a route"),
        (["explain", "PLAN", "suggest", "--apply", "1"], 2, "suggest --apply 1 --out swapped"),
        (["explain", "PLAN", "suggest", "--apply", "99", "--out", "x"], 2, "--apply must lie in [1, "),
        (["explain", "PLAN", "missing", "--top", "0"], 2, "--top must lie in [1, 1000], got 0"),
        (["compare", "PLAN", "absent.geojson", "--run", "absent"], 3, "absent.geojson: no such file; name a run directory"),
        (["score", "torn.zip", "--run", "RUN"], 3, "torn.zip: no zip and no folder; name a GTFS feed as .zip or as a folder"),
        (["explain", "PLAN", "via"], 2, "via needs a stop: its index, its name, a place or LON,LAT; write owlbus explain"),
        (["improve", "PLAN", "--change", "10"], 2, "--change must lie in [0, 1], got 10; 10 % reads 0.1 or 10%"),
        (["improve", "PLAN", "--change", "5%,110%"], 2, "--change must lie in [0, 1], got 1.1"),
        (["improve", "PLAN", "--change", "5%,x"], 2, "--change must be shares, such as 0.1 or 5%,10%,20%, got '5%,x'"),
        (["sweep", "--run", "RUN", "--routes", "9"], 2, "must be a range, such as --routes 1:20, got 0 ranges"),
        (["sweep", "--run", "RUN", "--routes", "1:3", "--fleet", "1:9"], 2, "must be a range, such as --routes 1:20, got 2 ranges"),
        (["sweep", "--run", "RUN", "--routes", "0:3"], 2, "routes to sweep must be whole numbers in [1, 64], got 0"),
        (["sweep", "--run", "RUN", "--routes", "1:3", "--headway", "nan"], 2, "a range must read FIRST:LAST, FIRST:LAST:STEP or A,B,C"),
        (["sweep", "--run", "RUN", "--routes", "2.5", "--fleet", "5:9"], 2, "routes to sweep must be whole numbers in [1, 64], got 2.5"),
        (["sweep", "--run", "RUN", "--routes", "1:3", "--starts", "0"], 2, "--starts must lie in [1, 64], got 0"),
        (["sweep", "--run", "RUN", "--routes", "1:3", "--seed", "-1"], 2, "--seed must lie in [0, 9.22337e+18], got -1"),
        (["sweep", "--run", "RUN", "--routes", "1:3", "--steps", "-1"], 2, "--steps must lie in [0, 9.22337e+18], got -1"),
        (["plan", "--run", "RUN", "--cross-check", "--out", "x"], 2, "holds only the demand made of them; name FILES instead of --run"),
        (
            ["plan", "CALLS", "--cross-check", "--out", "x", "--steps", "9"],
            2,
            "--cross-check needs records of calls and of taxi rides, got calls;",
        ),
        (["plan", "--run", "RUN", "--robust", "1.5", "--out", "x"], 2, "--robust must be mean or a quantile in [0, 1], got '1.5'"),
        (["plan", "--run", "RUN", "--robust", "bad", "--out", "x"], 2, "--robust must be mean or a quantile in [0, 1], got 'bad'"),
    ],
)
def test_a_question_that_is_none_says_why_in_one_line(made, capsys, tmp_path, words, code, message):
    (tmp_path / "bare.csv").write_text("route,sequence,lon,lat\n")
    (tmp_path / "torn.zip").write_bytes(b"torn")
    (tmp_path / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    (tmp_path / "elsewhere.csv").write_text("route,sequence,lon,lat\nL,1,30.3,59.9\nL,2,30.4,59.9\n")
    files = {
        "PLAN": given(made),
        "CALLS": str(made / "calls.csv"),
        "RUN": str(made / "run"),
        "EMPTY": "empty.geojson",
        "BARE": "bare.csv",
        "ELSEWHERE": "elsewhere.csv",
    }
    assert run([files.get(word, word) for word in words]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
