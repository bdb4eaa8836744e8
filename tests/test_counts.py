"""Counts instead of records: people by place and hour, matrices of trips without times, rides without ends, public figures."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from owlbus import Demand, HexGrid, Network, plan_routes, score_plan
from owlbus.cli.app import run as main
from owlbus.common.disclosure import EXACT, MIN_COUNT
from owlbus.common.errors import DataError, PrivacyError, UsageError
from owlbus.common.units import NightWindow
from owlbus.demand import estimate_demand
from owlbus.demand.hour_profile import read_hour_profile, spread_over_hours, with_even_hours
from owlbus.pipeline import Request, Sources, best_plan, build_study, demand_from_sources, read_study
from owlbus.records.count_columns import presence_names
from owlbus.records.read_options import ReadOptions
from owlbus.records.schema import PRESENCE
from owlbus.records.sources import open_sources
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from collections.abc import Callable

REPORTS = Path(__file__).parents[2] / "shared/cases/reports"
RIDES, AREA = str(REPORTS / "records/base_rides.csv"), str(REPORTS / "areas/area.geojson")
GRID = HexGrid.cover([(13.30, 52.45), (13.43, 52.45), (13.43, 52.52), (13.30, 52.52)], 500)
HOURS = range(5)


def people(n_places: int = 40, seed: int = 1) -> pd.DataFrame:
    """People at some places inside the area, by hour of the day, with empty places among them."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(13.32, 13.41, n_places).round(5), rng.uniform(52.46, 52.51, n_places).round(5)
    rows = pd.MultiIndex.from_product([range(n_places), range(24)], names=["place", "hour"]).to_frame(index=False)
    counts = (rng.gamma(2, 40, len(rows)) * (rng.random(len(rows)) > 0.2)).round(2)
    return rows.assign(lon=lon[rows.place], lat=lat[rows.place], people=counts)


def wide(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """One column an hour, called `name` with the hour in it."""
    columns = table.pivot_table(index=["lon", "lat"], columns="hour", values="people").reset_index()
    return columns.rename(columns={hour: name.format(hour) for hour in range(24)})


def independent(table: pd.DataFrame, value: str = "people") -> np.ndarray:
    """People by hour of the night and hex, by pandas alone."""
    table = table[table.hour < len(HOURS)]
    table = table.assign(hex=GRID.lonlat_to_hex(table.lon.to_numpy(), table.lat.to_numpy()))
    cells = table[table.hex >= 0].groupby(["hour", "hex"])[value].sum()
    return cells.reindex(pd.MultiIndex.from_product([HOURS, range(GRID.n_hexes)]), fill_value=0).to_numpy().reshape(-1, GRID.n_hexes)


def write(folder: Path, table: pd.DataFrame, name: str = "pop.csv") -> str:
    table.to_csv(folder / name, index=False)
    return str(folder / name)


def counted(file: str, **options: Any) -> Demand:  # noqa: ANN401 - settings of any type
    return estimate_demand((), GRID, people=file, **options)[0]


# People by place and hour


@pytest.mark.parametrize(
    "name", ["{:02d}", "h{}", "H{:02d}", "T{:02d}", "hour_{}", "TMST_{:02d}", "{}시", "pop_{:02d}", "{:02d}:00", "people {}"]
)
def test_a_column_an_hour_is_the_same_as_a_row_an_hour(tmp_path: Path, name: str) -> None:
    table = people()
    long, columns = counted(write(tmp_path, table.drop(columns="place"))), counted(write(tmp_path, wide(table, name), "wide.csv"))
    np.testing.assert_allclose(long.presence_by_hour(), independent(table), atol=2 / 1024 * 5)
    assert np.array_equal(long.presence_by_hour(), columns.presence_by_hour())


@pytest.mark.parametrize(
    ("names", "hours"),
    [
        ({"people": "population", "lon": "lng", "lat": "Latitude"}, "{}"),
        ({"people": "TOT_LVPOP_CO", "hour": "TMZON_PD_SE"}, "{:02d}"),
        ({"people": "count", "hour": "hh"}, "{:02d}:00"),
        ({"people": "n", "hour": "time"}, "{}"),
        ({"people": "presence", "hour": "time"}, "{:02d}:00:00"),
    ],
)
def test_columns_are_known_by_the_names_that_publishers_give_them(tmp_path: Path, names: dict[str, str], hours: str) -> None:
    table = people()
    written = table.assign(hour=table.hour.map(hours.format)).drop(columns="place").rename(columns=names)
    np.testing.assert_allclose(counted(write(tmp_path, written)).presence_by_hour(), independent(table), atol=5 / 1024)


@pytest.mark.parametrize(
    "name",
    ["{:02d}-{:02d}", "{:02d}시~{:02d}시", "{:02d}:00-{:02d}:00", "{}~{}", "H{:02d}_{:02d}", "{:02d}:00 - {:02d}:00", "{}h\u2013{}h"],
)
@pytest.mark.parametrize("last", [24, 0])
def test_a_column_may_be_named_by_both_ends_of_its_hour(tmp_path: Path, name: str, last: int) -> None:
    table = people()
    columns = wide(table, "{}").rename(columns={str(hour): name.format(hour, hour + 1 if hour < 23 else last) for hour in range(24)})
    np.testing.assert_allclose(counted(write(tmp_path, columns)).presence_by_hour(), independent(table), atol=5 / 1024)


def test_names_with_quotes_and_a_question_mark_are_known() -> None:
    names = presence_names("pop.csv", ['?"기준일ID"', "시간대구분", "행정동코드", "총생활인구수"], {})
    assert names["date"] == '?"기준일ID"'


def test_columns_of_ages_are_no_hours() -> None:
    ages = ["0-4", "5-9", "10-14", "15-19", "20-24"]
    assert presence_names("pop.csv", ["zone", "hour", "people", *ages], {}).keys() == {"zone", "hour", "people"}
    assert presence_names("pop.csv", ["zone", "00:00-00:59", "01:00-01:59"], {}).keys() == {"zone", "people_00", "people_01"}
    assert not any(name.startswith("people_") for name in presence_names("pop.csv", ["zone", *ages], {}))


def test_a_column_of_zones_of_another_name_is_suggested(tmp_path: Path) -> None:
    table = people().assign(area=lambda table: "Z" + table.place.astype(str), other="Z999")
    zones = table[["area", "lon", "lat"]].drop_duplicates()
    file = write(tmp_path, table[["other", "area", "hour", "people"]])
    with pytest.raises(DataError, match=r"and 1 of 2 fits the ids of zones; .* columns=\{'zone': 'area'\}$"):
        counted(file, zones=zones)
    with pytest.raises(DataError, match=r"none of 1 fits the ids of zones; name the column with columns=\{'zone': 'COLUMN'\}$"):
        counted(write(tmp_path, table[["other", "hour", "people"]], "none.csv"), zones=zones)
    demand = counted(file, zones=zones, columns={"zone": "area"})
    np.testing.assert_allclose(demand.presence_by_hour(), independent(table), atol=5 / 1024)


def test_the_grid_of_milan_without_a_header_is_named_and_read_with_one(tmp_path: Path) -> None:
    table = people()
    zones = table[["place", "lon", "lat"]].drop_duplicates().assign(place=lambda table: table.place + 1)
    hours = pd.Timestamp("2013-11-06", tz="Europe/Rome") + pd.to_timedelta(table.hour, unit="h")
    rows = [
        f"{place + 1}\t{int(time.timestamp() * 1000)}\t39\t\t\t\t\t{n}"
        for place, time, n in zip(table.place, hours, table.people, strict=True)
    ]
    file = tmp_path / "sms-call-internet-mi-2013-11-06.txt"
    file.write_text("\n".join(rows))
    with pytest.raises(DataError, match=r"has no header line; add the line square_id,time,.*columns=\{'people': 'internet'\}$"):
        counted(str(file), zones=zones)
    file.write_text("square_id,time,country,sms_in,sms_out,call_in,call_out,internet\n".replace(",", "\t") + "\n".join(rows))
    demand = counted(str(file), zones=zones, columns={"people": "internet"}, timezone="Europe/Rome")
    np.testing.assert_allclose(demand.presence_by_hour(), independent(table), atol=5 / 1024)


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    table = people().drop(columns="place")
    table.to_parquet(tmp_path / "pop.parquet")
    assert np.array_equal(counted(str(tmp_path / "pop.parquet")).presence, counted(write(tmp_path, table)).presence)


@pytest.mark.parametrize("form", ["cp949", "utf-16", "zip", "xlsx", "title", "plain"])
def test_people_in_any_form_of_file_are_read_as_in_plain_text(tmp_path: Path, form: str) -> None:
    table = people()
    named = table.rename(columns={"people": "총생활인구수", "hour": "시간대구분"}).drop(columns="place")
    file = tmp_path / f"pop.{form if form in {'zip', 'xlsx'} else 'csv'}"
    if form == "xlsx":
        named.to_excel(file, index=False)
    elif form == "title":
        file.write_text("People by hour\n\n" + named.to_csv(index=False, sep=";"))
    elif form == "zip":
        named.to_csv(file, index=False, compression={"method": "zip", "archive_name": "pop.csv"})
    else:
        named.to_csv(file, index=False, encoding=form if form in {"cp949", "utf-16"} else "utf-8")
    np.testing.assert_allclose(counted(str(file)).presence_by_hour(), independent(table), atol=5 / 1024)


GERMAN = str.maketrans(",.", ".,")


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize(
    "form",
    [
        lambda x: f"{x:,.2f}",
        lambda x: f"{x:,.2f}".translate(GERMAN),
        lambda x: f"{x:.2f}".replace(".", ","),
        lambda x: f"{x:,.2f}".replace(",", "\u202f"),
    ],
)
@pytest.mark.parametrize("columns", ["one", "by hour"])
def test_counts_with_separators_of_thousands_are_numbers(tmp_path: Path, sep: str, form: Callable[[float], str], columns: str) -> None:
    table = people()
    table["people"] = (table.people * 30).round(2)
    written = wide(table, "h{}") if columns == "by hour" else table.drop(columns="place")
    counts = [f"h{hour}" for hour in range(24)] if columns == "by hour" else ["people"]
    written = written.assign(**{name: written[name].map(form) for name in counts})
    written.to_csv(tmp_path / "pop.csv", index=False, sep=sep)
    np.testing.assert_allclose(counted(str(tmp_path / "pop.csv")).presence_by_hour(), independent(table), rtol=1e-6, atol=5 / 1024)


@pytest.mark.parametrize(("mark", "sep"), [(".", ";"), (",", ","), (",", ";")])
@pytest.mark.parametrize("name", ["trips", "people"])
def test_a_single_group_of_three_digits_is_asked_for(tmp_path: Path, mark: str, sep: str, name: str) -> None:
    table = matrix(tmp_path)[1] if name == "trips" else people().drop(columns="place")
    table[name] = (table[name] * 500).round().astype(int).map("{:,}".format).str.replace(",", mark)
    table = table[table[name].str.count(f"[{mark}]") < 2]
    table.to_csv(tmp_path / "counts.csv", index=False, sep=sep)
    paths, options = ([str(tmp_path / "counts.csv")], {"hour_profile": "flat"}) if name == "trips" else ((), {})
    with pytest.raises(DataError, match=f"column {name} may have thousands or decimals: .*; write numbers without separators"):
        estimate_demand(paths, GRID, people=None if paths else str(tmp_path / "counts.csv"), **options)


def test_three_decimals_beside_other_decimals_are_decimals(tmp_path: Path) -> None:
    table = people().assign(people=lambda table: (table.people / 7).round(3))
    table.drop(columns="place").to_csv(tmp_path / "pop.csv", index=False, sep=";")
    np.testing.assert_allclose(counted(str(tmp_path / "pop.csv")).presence_by_hour(), independent(table), atol=5 / 1024)


@pytest.mark.parametrize("form", [lambda x: f"{x:,.1f}", lambda x: f"{x:,.1f}".translate(GERMAN)])
def test_trips_with_separators_of_thousands_are_numbers(tmp_path: Path, form: Callable[[float], str]) -> None:
    _, table = matrix(tmp_path)
    table["trips"] *= 700
    written = table.assign(trips=table.trips.map(form))
    demand, report = estimate_demand([write(tmp_path, written, "grouped.csv")], GRID, hour_profile="flat")
    assert demand.total_trips == pairs_of(table).sum()
    assert any("has trips with" in note for note in report.notes)


def test_the_command_that_a_check_of_people_prints_reads_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, people().drop(columns="place").rename(columns={"people": "amount"}))
    words = ["demand", "--presence", file, "--area", AREA, "--map", "people=amount", "--public"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert main([*words, "--check"]) == 0
    text = "".join(capsys.readouterr())
    command = next(line for line in text.splitlines() if line.startswith("Read with: ")).removeprefix("Read with: owlbus ")
    assert main([*shlex.split(command), "--public"]) == 0
    assert capsys.readouterr().out == told


def test_people_in_a_table_in_memory_are_read_as_in_a_file(tmp_path: Path) -> None:
    table = people().drop(columns="place")
    assert np.array_equal(counted(table).presence, counted(write(tmp_path, table)).presence)


def test_people_in_a_file_that_changes_while_it_is_read_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, people())
    with open_sources(file, ReadOptions(), kinds=(PRESENCE,)) as (source,):
        source.check_unchanged()
        with Path(file).open("a") as stream:
            stream.write("1,2,3,4,5\n")
        with pytest.raises(DataError, match="changed while it was read"):
            source.check_unchanged()


def test_rows_of_one_place_and_hour_add_up_equal_ones_too(tmp_path: Path) -> None:
    table = people().drop(columns="place")
    twice = counted(write(tmp_path, pd.concat([table, table])))
    np.testing.assert_allclose(twice.presence_by_hour(), 2 * independent(table), atol=10 / 1024)


def test_the_headline_is_the_mean_over_the_hours_and_the_sum_is_in_person_hours(tmp_path: Path) -> None:
    table = people()
    demand, cells = counted(write(tmp_path, table.drop(columns="place"))), independent(table)
    assert demand.person_hours == pytest.approx(cells.sum(), abs=0.2)
    assert demand.total_presence == pytest.approx(cells.sum() / len(HOURS), abs=0.1)
    np.testing.assert_allclose(demand.presence_by_hex(), cells.mean(axis=0), atol=5 / 1024)
    assert demand.presence_by_hex().sum() == demand.total_presence
    assert demand.slice(hours=[25]).total_presence == pytest.approx(cells[1].sum(), abs=0.1)


def test_hexes_of_the_grid_are_places(tmp_path: Path) -> None:
    table = people()
    table = table.assign(hex=GRID.lonlat_to_hex(table.lon.to_numpy(), table.lat.to_numpy()))
    demand = counted(write(tmp_path, table[["hex", "hour", "people"]]))
    np.testing.assert_allclose(demand.presence_by_hour(), independent(table), atol=5 / 1024)


def test_a_hex_that_the_grid_lacks_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, pd.DataFrame({"hex": [0, GRID.n_hexes], "hour": [1, 1], "people": [3, 4]}))
    with pytest.raises(DataError, match=f"column hex names hex {GRID.n_hexes} and the grid has {GRID.n_hexes}, from 0"):
        counted(file)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y%m%d", "%Y.%m.%d"])
def test_dated_nights_are_averaged(tmp_path: Path, form: str) -> None:
    table = people()
    days = [table.assign(people=table.people * k, date=pd.Timestamp(f"2024-03-0{k}").strftime(form)) for k in (1, 2, 3)]
    demand = counted(write(tmp_path, pd.concat(days).drop(columns="place")))
    assert demand.n_nights == 3
    np.testing.assert_allclose(demand.presence_by_hour(), independent(table) * 2, atol=10 / 1024)


def test_undated_people_of_several_nights_are_divided_by_them(tmp_path: Path) -> None:
    table = people()
    demand = counted(write(tmp_path, table.drop(columns="place")), n_nights=4)
    assert demand.person_hours == pytest.approx(independent(table).sum() / 4, abs=0.2)


def test_nights_that_lack_hours_do_not_thin_the_mean(tmp_path: Path) -> None:
    """A calendar day holds the end of one night and the beginning of the next."""
    table = people().assign(date="2024-03-06")
    demand, report = estimate_demand((), GRID, NightWindow.parse("22-02"), people=write(tmp_path, table.drop(columns="place")))
    by_hour = table.groupby("hour").people.sum()
    assert demand.presence_by_hour().sum(axis=1) == pytest.approx([by_hour[hour] for hour in (22, 23, 0, 1)], abs=0.2)
    assert any("some nights lack hours that others have" in note for note in report.notes)


def test_hours_without_anybody_are_named(tmp_path: Path) -> None:
    table = people()
    report = estimate_demand((), GRID, people=write(tmp_path, table[table.hour < 3].drop(columns="place")))[1]
    assert any("counts fewer than 15 people in 2 of 5 hours, first 03" in note for note in report.notes)


def test_empty_places_are_counts_and_hidden_ones_are_not(tmp_path: Path) -> None:
    table = people(6).drop(columns="place").astype({"people": object})
    table.loc[(table.hour == 1) & (table.index % 48 == 1), "people"] = "*"
    in_window = table[table.hour < len(HOURS)]
    hidden = int((in_window.people == "*").sum())
    assert hidden
    report = estimate_demand((), GRID, people=write(tmp_path, table))[1]
    assert report.files[0].rows_counted == len(in_window) - hidden
    assert {rule.name: rule.rows for rule in report.rules}["count unusable"] == hidden
    assert "no goal" not in {rule.name for rule in report.rules}
    assert report.rows_in == report.rows_counted + report.rows_rejected


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"lon": [13.35] * 24, "lat": [52.48] * 24, "hour": range(1, 25), "people": [1] * 24}, "hours run from 1 to 24"),
        ({"lon": [13.35], "lat": [52.48], **{f"h{hour}": [1] for hour in range(1, 25)}}, "column h24 names hour 24"),
        ({"lon": [13.35], "lat": [52.48], "h1": [1], "h01": [2], "h2": [1]}, "name an hour twice"),
        ({"lon": [13.35], "lat": [52.48], "H0": [1], "H1": [2], "pop_0": [1], "pop_1": [2]}, "name an hour twice"),
        ({"lon": [13.35], "lat": [52.48], "hour": [1], "population": [1], "count": [2]}, "could both be people"),
        ({"lon": [13.35], "lat": [52.48], "hour": ["late"], "people": [1]}, "column hour must hold hours of the day"),
        ({"lon": [13.35], "lat": [52.48], "hour": [1]}, "column people of presence missing"),
        ({"lon": [13.35], "lat": [52.48], "people": [1]}, "column time of presence missing"),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        counted(write(tmp_path, pd.DataFrame(table)))


def test_a_column_map_names_what_cannot_be_told(tmp_path: Path) -> None:
    table = people().drop(columns="place").assign(count=7)
    table = table.rename(columns={"people": "population"})
    file = write(tmp_path, table)
    demand = counted(file, columns={"people": "population"})
    np.testing.assert_allclose(demand.presence_by_hour(), independent(table, "population"), atol=5 / 1024)


def test_counted_people_replace_those_of_rides_and_trips_stay(tmp_path: Path) -> None:
    table = people()
    file = write(tmp_path, table.drop(columns="place"))
    alone, _ = estimate_demand([RIDES], GRID)
    both, report = estimate_demand([RIDES], GRID, people=file)
    assert np.array_equal(both.trips, alone.trips)
    np.testing.assert_allclose(both.presence_by_hour(), independent(table), atol=5 / 1024)
    assert [row.kind for row in report.files] == ["taxi", "presence"]
    assert any("people are those that" in note for note in report.notes)


def test_people_of_a_mean_night_have_no_interval_over_nights(tmp_path: Path) -> None:
    """The same people on each of five nights do not say how nights differ."""
    calls = pd.read_csv(REPORTS / "records/base_calls.csv")
    nights = [calls.assign(time=(pd.to_datetime(calls.time) + pd.Timedelta(days=days)).astype(str)) for days in range(5)]
    records = write(tmp_path, pd.concat(nights), "calls.csv")
    demand, _ = estimate_demand([records], GRID, people=write(tmp_path, people().drop(columns="place")))
    network = Network.from_lattice(GRID)
    plan = plan_routes(network, demand, 1, stop_when=[MaxSteps(200)]).plan
    card = score_plan(network, demand, plan)
    assert demand.n_nights >= 5
    assert (card.coverage.presence.low_share, card.coverage.presence.high_share) == (None, None)
    assert card.coverage.served.low_share is not None


def test_demand_of_counts_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    demand = counted(write(tmp_path, people().drop(columns="place")))
    demand.write(tmp_path / "demand.parquet")
    again = Demand.read(tmp_path / "demand.parquet")
    assert (again.people_counted, again.hours_known, again.counts_trips) == (True, True, False)
    assert again.total_presence == demand.total_presence


# A plan for people alone


@pytest.fixture(scope="module")
def people_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    file = write(folder, people().drop(columns="place"))
    words = ["plan", "--presence", file, "--area", AREA, "--objective", "presence", "--routes", "2", "--steps", "1000", "-q"]
    assert main([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_plan_for_people_alone_says_nothing_of_trips(people_run: Path) -> None:
    card = json.loads((people_run / "scorecard.json").read_text())
    assert 0 < card["presence"]["share"] <= 1
    assert card["presence"]["denominator"] == independent(people()).sum() / len(HOURS) // 15 * 15
    for part in (card, *card["by_hour"].values()):
        assert {value for kind in ("served", "direct") for name, value in part[kind].items() if name != "no_share"} == {None}
    assert [card[name] for name in ("transfer_share", "mean_ride_s", "mean_walk_m", "mean_travel_s")] == [None] * 4
    counts = [row[name] for row in card["routes"] for name in row if name.endswith("_trips")]
    counts += [row[name] for row in card["segments"] for name in row if name.endswith("_trips")]
    assert counts
    assert set(counts) == {None}
    assert (card["people_counted"], card["trips_counted"]) == (True, False)


def test_the_page_of_a_plan_for_people_alone_has_dashes_for_trips(people_run: Path) -> None:
    page = (people_run / "report.html").read_text()
    assert "no trips were counted" in page
    assert "the mean of the hours" in page
    assert {"gtfs.zip", "map.png", "plan.geojson"} <= {file.name for file in people_run.iterdir()}


@pytest.mark.parametrize("command", ["compare", "score", "sweep", "improve", "report", "timetable"])
def test_every_command_takes_a_run_for_people_alone(
    people_run: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, out = str(people_run / "plan.geojson"), ["--out", str(tmp_path / "out")]
    words = {
        "compare": [plan, plan, *out],
        "score": [plan],
        "sweep": ["--run", str(people_run), "--routes", "1:2", "--steps", "200", "--objective", "presence", *out],
        "improve": [plan, "--steps", "100", "--objective", "presence", *out],
        "report": [str(people_run)],
        "timetable": [str(people_run), *out],
    }[command]
    assert main([command, *words, "--json"]) == 0
    assert '"served_share": 0' not in capsys.readouterr().out


@pytest.mark.parametrize("objective", ["served", "direct", "travel_time", "served=3,presence=1"])
def test_an_objective_of_trips_is_refused_where_there_are_none(people_run: Path, objective: str) -> None:
    study = read_study(people_run)
    with pytest.raises(UsageError, match="needs trips, and the demand counts people alone"):
        best_plan(study, Request(n_routes=1, objective=objective, steps=10))


def test_the_shares_of_trips_are_none_in_python_too(people_run: Path) -> None:
    study = read_study(people_run)
    card = best_plan(study, Request(n_routes=1, objective="presence", steps=100)).best.card
    assert (card.served_share, card.direct_share, study.unreachable_share) == (None, None, None)
    assert 0 < card.presence_share < 1


def test_a_threshold_of_trips_is_missed_where_there_are_none(people_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(people_run / "plan.geojson"), "--min-served", "0.1"]) == 1
    assert "no trips were counted" in capsys.readouterr().err


def test_the_outline_is_drawn_around_people_without_an_area(tmp_path: Path) -> None:
    table = people()
    reading = demand_from_sources(Sources(presence=write(tmp_path, table.drop(columns="place"))))
    inside = reading.grid.lonlat_to_hex(table.lon.to_numpy(), table.lat.to_numpy()) >= 0
    assert inside.mean() > 0.95
    assert reading.inputs == (str(tmp_path / "pop.csv"),)


def test_the_table_of_people_calls_the_sum_person_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demand", "--presence", write(tmp_path, people().drop(columns="place")), "--area", AREA]) == 0
    shown = capsys.readouterr().out
    assert f"{independent(people()).sum():,.0f} person-hours" in shown
    assert "mean hour" in shown


# Trips without times


def matrix(folder: Path, n: int = 300, **names: str) -> tuple[str, pd.DataFrame]:
    """Trips between places without a time, counted in a column."""
    rng = np.random.default_rng(3)
    columns = {f"{end}_{axis}": rng.uniform(*span, n).round(5) for end in ("origin", "destination") for axis, span in _SPANS.items()}
    table = pd.DataFrame(columns | {"trips": rng.integers(1, 40, n) / 4})
    return write(folder, table.rename(columns=names), "od.csv"), table


_SPANS = {"lon": (13.32, 13.41), "lat": (52.46, 52.51)}


def pairs_of(table: pd.DataFrame) -> pd.Series:
    """Trips between different hexes, by pandas alone."""
    ends = {end: GRID.lonlat_to_hex(table[f"{end}_lon"].to_numpy(), table[f"{end}_lat"].to_numpy()) for end in ("origin", "destination")}
    table = table.assign(**ends)
    table = table[(table.origin >= 0) & (table.destination >= 0) & (table.origin != table.destination)]
    return table.groupby(["origin", "destination"]).trips.sum()


@pytest.mark.parametrize("names", [{}, {"trips": "count"}, {"trips": "flow"}, {"trips": "n"}])
@pytest.mark.parametrize("profile", ["flat", "unknown", {0: 1, 2: 3}])
def test_trips_without_times_keep_their_pairs_and_totals(tmp_path: Path, names: dict[str, str], profile: str | dict[int, int]) -> None:
    file, table = matrix(tmp_path, **names)
    demand, _ = estimate_demand([file], GRID, hour_profile=profile)
    pairs, expected = demand.od(), pairs_of(table)
    assert list(zip(pairs.origin, pairs.destination, strict=True)) == list(expected.index)
    assert np.array_equal(pairs.trips, expected.to_numpy())


def test_a_profile_spreads_trips_over_the_hours(tmp_path: Path) -> None:
    file, table = matrix(tmp_path)
    total = pairs_of(table).sum()
    profile = write(tmp_path, pd.DataFrame({"hour": ["00", "01", "04", "12"], "share": [0.04, 0.04, 0.02, 0.9]}), "profile.csv")
    flat, by_table = (estimate_demand([file], GRID, hour_profile=value)[0] for value in ("flat", profile))
    assert flat.trips_by_hour() == pytest.approx([total / 5] * 5, abs=1 / 512)
    assert by_table.trips_by_hour() == pytest.approx([0.04 * total, 0.04 * total, 0, 0, 0.02 * total], abs=1 / 512)
    assert flat.trips_by_hour().sum() == total


def test_trips_of_hours_outside_the_window_are_left_out_and_named(tmp_path: Path) -> None:
    file, table = matrix(tmp_path)
    total = pairs_of(table).sum()
    profile = write(tmp_path, pd.DataFrame({"hour": range(24), "share": [1 / 24] * 24}), "profile.csv")
    demand, report = estimate_demand([file], GRID, hour_profile=profile, min_count=-1)
    assert demand.trips_by_hour() == pytest.approx([total / 24] * 5, abs=1 / 512)
    assert any(f"{round(total, 1) * 19 / 24:,.0f} of {total:,.0f} trips a day fall outside the window" in note for note in report.notes)


def test_counts_by_hour_inside_the_window_are_scaled_with_a_note(tmp_path: Path) -> None:
    file, table = matrix(tmp_path)
    demand, report = estimate_demand([file], GRID, hour_profile={0: 1, 2: 3})
    assert demand.trips_by_hour().sum() == pairs_of(table).sum()
    assert any("shares sum to 4 and are divided by that; all trips are taken to be of the window" in note for note in report.notes)


@pytest.mark.parametrize("hours", [range(5), range(7)])
def test_shares_that_lack_the_other_hours_of_the_day_are_refused(hours: range) -> None:
    with pytest.raises(DataError, match="shares must sum to 1 over the hours of all trips, and sum to 0"):
        read_hour_profile(dict.fromkeys(hours, 1 / 24), range(24, 29))


def test_trips_without_times_ask_for_their_hours(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has trips and no times; say how they lie in the night with hour_profile='flat'"):
        estimate_demand([matrix(tmp_path)[0]], GRID)


def test_a_matrix_with_hours_needs_no_profile(tmp_path: Path) -> None:
    _, table = matrix(tmp_path)
    table = table.assign(time=[f"{k % 5:02d}:00" for k in range(len(table))])
    demand, _ = estimate_demand([write(tmp_path, table, "hourly.csv")], GRID)
    expected = [pairs_of(table[table.time == f"{hour:02d}:00"]).sum() for hour in HOURS]
    assert demand.trips_by_hour().tolist() == expected


def test_a_profile_for_trips_with_times_is_refused() -> None:
    with pytest.raises(UsageError, match="hour_profile is for trips without a time"):
        estimate_demand([RIDES], GRID, hour_profile="flat")


def test_a_window_that_begins_before_midnight_takes_all_trips(tmp_path: Path) -> None:
    file, table = matrix(tmp_path)
    demand, _ = estimate_demand([file], GRID, NightWindow.parse("22-02"), hour_profile="flat")
    assert demand.total_trips == pairs_of(table).sum()
    assert demand.trips_by_hour() == pytest.approx([demand.total_trips / 4] * 4, abs=1 / 512)


def test_unknown_hours_are_absent_from_figures_and_refused_by_hour(tmp_path: Path) -> None:
    file, _ = matrix(tmp_path)
    demand, report = estimate_demand([file], GRID, hour_profile="unknown")
    assert (demand.hours_known, demand.known_hours) == (False, ())
    assert any("their hours are unknown" in note for note in report.notes)
    for question in (demand.trips_by_hour, demand.presence_by_hour, lambda: demand.slice(hours=[24])):
        with pytest.raises(UsageError, match="the hours of trips are unknown"):
            question()
    demand.write(tmp_path / "demand.parquet")
    assert not Demand.read(tmp_path / "demand.parquet").hours_known
    assert "Demand" in demand._repr_html_()


def test_headline_figures_do_not_depend_on_the_hours(tmp_path: Path) -> None:
    file, _ = matrix(tmp_path)
    cards = []
    for profile in ("flat", "unknown"):
        words = ["plan", file, "--area", AREA, "--hour-profile", profile, "--routes", "2", "--steps", "500", "-q"]
        assert main([*words, "--out", str(tmp_path / profile)]) == 0
        cards.append(json.loads((tmp_path / profile / "scorecard.json").read_text()))
    by_hour = [card.pop("by_hour") for card in cards]
    headlines = [{name: card[name] for name in ("presence", "served", "direct", "total_length_m", "mean_ride_s")} for card in cards]
    assert headlines[0] == headlines[1]
    assert (len(by_hour[0]), by_hour[1]) == (5, {})
    assert (tmp_path / "unknown/report.html").is_file()


def test_a_timetable_by_the_hour_is_refused_for_unknown_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, _ = matrix(tmp_path)
    words = ["plan", file, "--area", AREA, "--hour-profile", "unknown", "--routes", "1", "--steps", "200", "-q"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert main(["timetable", str(tmp_path / "run"), "--out", str(tmp_path / "night")]) == 2
    assert "the hours of trips are unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({0: -1}, "row 1 must hold an hour from 0 to 35 and a share of 0 or more"),
        ({0: float("nan")}, "row 1 must hold"),
        ({0: 1, 24: 1}, "hour 24 occurs twice"),
        ({12: 1}, "must have a share above 0 in an hour of the window"),
        ("nowhere.csv", "no file nowhere.csv exists"),
        (5, "must be flat, unknown or a table of hour and share, got int"),
    ],
)
def test_a_profile_that_is_none_is_refused(profile: object, message: str) -> None:
    with pytest.raises((DataError, UsageError), match=message):
        read_hour_profile(profile, range(24, 29))


def test_spreading_keeps_every_row_and_every_hour_to_a_quantum() -> None:
    rng = np.random.default_rng(5)
    n = 2000
    origin = rng.integers(0, 50, n)
    trips = {
        "night": np.zeros(n, int),
        "hour": np.full(n, 24),
        "origin": origin,
        "destination": origin + 50,
        "trips": rng.integers(1, 5, n),
    }
    demand = Demand.from_rows(100, trips, hours=tuple(range(24, 29)))
    shares = np.array([0.31, 0.0, 0.2, 0.29, 0.2])
    spread = spread_over_hours(demand, shares)
    assert np.array_equal(spread.od().trips, demand.od().trips)
    assert spread.trips_by_hour() == pytest.approx(shares * demand.total_trips, abs=2 / 1024)
    even = with_even_hours(spread_over_hours(demand, None))
    assert even.trips_by_hour() == pytest.approx([demand.total_trips / 5] * 5, abs=2 / 1024)


# Rides without an end


def test_rides_without_an_end_time_are_counted_and_the_report_says_so(tmp_path: Path) -> None:
    rides = pd.read_csv(RIDES).drop(columns="dropoff_time")
    demand, report = estimate_demand([write(tmp_path, rides)], GRID)
    times = pd.to_datetime(rides.pickup_time)
    ends = [GRID.lonlat_to_hex(rides[f"{end}_lon"].to_numpy(), rides[f"{end}_lat"].to_numpy()) for end in ("origin", "destination")]
    is_trip = (times.dt.hour < 5) & (ends[0] >= 0) & (ends[1] >= 0) & (ends[0] != ends[1])
    assert demand.total_trips * demand.n_nights == is_trip.sum()
    assert any(note.endswith("carry no end time: their speed is not checked") for note in report.notes)


def test_the_speed_of_rides_with_an_end_is_still_checked(tmp_path: Path) -> None:
    rides = pd.read_csv(RIDES)
    too_fast = rides.assign(dropoff_time=rides.pickup_time)
    assert estimate_demand([write(tmp_path, pd.concat([rides, too_fast.iloc[:50]]))], GRID)[1].rules[0].name != "same hex"
    report = estimate_demand([write(tmp_path, pd.concat([rides, too_fast]))], GRID)[1]
    assert "too fast" in {rule.name for rule in report.rules}


@pytest.mark.parametrize("dropped", [[], ["dropoff_time"]])
def test_a_ride_written_twice_is_counted_once(tmp_path: Path, dropped: list[str]) -> None:
    rides = pd.read_csv(RIDES).drop(columns=dropped)
    rides = rides[pd.to_datetime(rides.pickup_time).dt.second > 0]
    once, _ = estimate_demand([write(tmp_path, rides)], GRID)
    twice, report = estimate_demand([write(tmp_path, pd.concat([rides, rides]).sample(frac=1, random_state=1), "twice.csv")], GRID)
    assert twice.total_trips == once.total_trips
    assert "repeats a row" in {rule.name for rule in report.rules}


def test_a_column_that_looks_like_an_end_is_asked_for(tmp_path: Path) -> None:
    rides = pd.read_csv(RIDES).rename(columns={"dropoff_time": "tpep_dropoff_datetime"})
    with pytest.raises(DataError, match=r"column dropoff_time of taxi missing.*tpep_dropoff_datetime"):
        estimate_demand([write(tmp_path, rides)], GRID)


def test_the_rides_and_calls_of_the_reports_are_counted_as_before() -> None:
    counts = [
        demand_from_sources(Sources((str(REPORTS / f"records/base_{kind}.csv"),), area=AREA)).report.rows_counted
        for kind in ("rides", "calls")
    ]
    assert counts == [116, 98]


# Public figures


HEADLINE = str(REPORTS / "records/hidden_headline.csv")


def test_public_records_are_shown_exactly() -> None:
    study = build_study(Sources((HEADLINE,), window=NightWindow.parse("00-06"), public=True))
    run = best_plan(study, Request(n_routes=4, steps=500))
    card = run.best.card.to_dict()
    assert (card["min_count"], card["counts"]) == (0, "exact: the records are open data")
    assert card["presence"]["numerator"] == round(run.best.card.coverage.presence.numerator, 1)
    assert card["presence"]["denominator"] == 130.0
    assert all(part[what]["numerator"] is not None for part in card["by_hour"].values() for what in ("presence", "served", "direct"))


def test_a_run_remembers_that_its_records_are_public(tmp_path: Path) -> None:
    words = ["plan", HEADLINE, "--window", "00-06", "--routes", "2", "--steps", "200", "-q", "--public"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert read_study(tmp_path / "run").min_count == EXACT
    assert "The records are open data: all counts are exact." in (tmp_path / "run/report.html").read_text()
    assert json.loads((tmp_path / "run/run.json").read_text())["settings"]["public"] is True


def test_the_headline_of_a_small_town_is_shown() -> None:
    study = build_study(Sources((HEADLINE,), window=NightWindow.parse("00-06")))
    run = best_plan(study, Request(n_routes=4, steps=3000))
    exact, shown = run.best.card.coverage.presence, run.best.card.to_dict()["presence"]
    assert 120 <= exact.denominator <= 130
    assert shown["denominator"] == 120
    assert shown["numerator"] == exact.numerator // MIN_COUNT * MIN_COUNT
    low, high = shown["range_share"]
    assert low <= exact.share <= high
    assert low <= shown["share"] <= high


def test_the_least_count_of_the_owner_is_kept() -> None:
    study = build_study(Sources((RIDES,), area=AREA, min_count=30))
    card = best_plan(study, Request(n_routes=1, steps=200)).best.card.to_dict()
    assert card["min_count"] == 30
    shown = [part[what]["numerator"] for part in (card, *card["by_hour"].values()) for what in ("presence", "served", "direct")]
    assert not [count for count in shown if count is not None and count % 30]


def test_a_least_count_that_protects_nobody_is_refused() -> None:
    with pytest.raises(PrivacyError, match="min_count must be at least 5 people, got 3"):
        Sources((RIDES,), area=AREA, min_count=3)
