"""The command line: what it writes, what it prints, and how each failure ends."""

from __future__ import annotations

import io
import json
import re
import stat
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from owlbus.cli.app import COMMANDS, run
from owlbus.pipeline.run_json import read_run
from owlbus.pipeline.rundir import check_run
from owlbus.search.stopping import MaxSteps, Snapshot

NAMES = [command.__name__ for command, _ in COMMANDS]
SHORT = ["--steps", "300", "--routes", "2", "-q"]


@dataclass(frozen=True)
class Town:
    """A town of about forty hexes, as files."""

    area: str
    calls: str
    taxi: str
    routes: str

    @property
    def records(self) -> list[str]:
        """Words that name its records and its area."""
        return [self.calls, self.taxi, "--area", self.area]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder = tmp_path_factory.mktemp("town")
    rng = np.random.default_rng(7)
    ring = [[127.00, 37.50], [127.06, 37.50], [127.06, 37.54], [127.00, 37.54], [127.00, 37.50]]
    (folder / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    lines = ["time,lon,lat,home_lon,home_lat"]
    rides = ["pickup_time,dropoff_time,origin_lon,origin_lat,destination_lon,destination_lat"]
    for _ in range(600):
        lon, home_lon = rng.uniform(127.0, 127.06, 2)
        lat, home_lat = rng.uniform(37.5, 37.54, 2)
        time = f"2013-03-{rng.integers(12, 15)} 0{rng.integers(0, 5)}:{rng.integers(10, 60)}:00"
        lines.append(f"{time},{lon:.5f},{lat:.5f},{home_lon:.5f},{home_lat:.5f}")
        rides.append(f"{time},{time[:-5]}59:59,{lon:.5f},{lat:.5f},{home_lon:.5f},{home_lat:.5f}")
    (folder / "calls.csv").write_text("\n".join(lines) + "\n")
    (folder / "taxi.csv").write_text("\n".join(rides) + "\n")
    (folder / "routes.csv").write_text(
        "route,sequence,lon,lat\nA,1,127.005,37.505\nA,2,127.055,37.535\nB,1,127.055,37.505\nB,2,127.005,37.535\n"
    )
    return Town(*(str(folder / name) for name in ("area.geojson", "calls.csv", "taxi.csv", "routes.csv")))


@pytest.fixture(scope="module")
def made(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "run"
    assert run(["plan", *town.records, "--out", str(out), "--reference", town.routes, *SHORT]) == 0
    return out


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where no owlbus.toml lies, with no OWLBUS_ variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("OUT", "ROUTES", "CONFIG", "SEED"):
        monkeypatch.delenv(f"OWLBUS_{name}", raising=False)


@pytest.mark.parametrize("name", NAMES)
def test_help_starts_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].startswith(f"Usage: owlbus {name}")
    assert re.match(rf"owlbus {name} \S", lines[1])


def test_the_help_names_extras_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--help"]) == 0
    assert "owlbus[osm]" in capsys.readouterr().out


def test_the_help_lists_the_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert re.findall(r"│ (\w+)  +[A-Z]", capsys.readouterr().out) == NAMES


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?\n", capsys.readouterr().out)


def test_a_plan_is_a_whole_run_directory(made: Path) -> None:
    names = {file.name for file in made.iterdir()}
    assert names >= {
        "run.json",
        "grid.parquet",
        "demand.parquet",
        "plan.geojson",
        "stops.geojson",
        "scorecard.json",
        "map.png",
        "rejected.parquet",
        "tables.xlsx",
    }
    assert check_run(made) == []
    sheets = pl.read_excel(made / "tables.xlsx", sheet_id=0)
    assert sorted(f"{name}.csv" for name in sheets) == sorted(file.name for file in (made / "tables").iterdir())
    assert sheets["notes"]["note"][0].startswith("Counts of people and trips a night are rounded down to multiples of 15")
    counts = [*sheets["routes"]["boardings_trips"], *sheets["hours"]["presence_numerator"], *sheets["hours"]["presence_denominator"]]
    assert any(counts)
    assert not [count for count in counts if count is not None and count % 15]
    assert (made / "map.png").read_bytes()[:4] == b"\x89PNG"
    for name in ("demand.parquet", "rejected.parquet"):
        assert stat.S_IMODE((made / name).stat().st_mode) == 0o600


def test_a_run_tells_what_it_read_and_chose(made: Path, town: Town) -> None:
    about = read_run(made)
    assert (about["seed"], about["ended_by"], about["settings"]["n_routes"]) == (0, {"reason": "steps", "steps": 300}, 2)
    assert about["inputs"] == [town.calls, town.taxi, town.area]
    assert set(about["timings_s"]) >= {"grid", "demand", "network", "search", "score"}


def test_two_runs_with_one_seed_give_the_same_bytes(made: Path, town: Town, tmp_path: Path) -> None:
    out = tmp_path / "again"
    assert run(["plan", *town.records, "--out", str(out), "--reference", town.routes, *SHORT]) == 0
    outputs = read_run(made)["outputs"]
    assert outputs == read_run(out)["outputs"]
    assert (out / "scorecard.json").read_bytes() == (made / "scorecard.json").read_bytes()


def test_data_goes_to_standard_output_and_talk_to_standard_error(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *town.records, "--out", str(tmp_path / "run"), "--steps", "100", "--routes", "2", "--seed", "5", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["schema_version"], document["command"], document["seed"]) == (3, "plan", 5)
    assert document["plan"]["scorecard"]["total_buses"] > 0
    assert "seed 5" in err


def test_a_quiet_command_says_nothing_but_its_result(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *town.records, "--out", str(tmp_path / "run"), *SHORT]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "trips served" in out
    assert "\x1b" not in out


def test_a_plan_and_its_reference_stand_side_by_side_in_eighty_columns(made: Path, town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(made / "plan.geojson"), "--reference", town.routes]) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"plan +routes +ratio", out)
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "…" not in out


def test_a_plan_that_is_scored_again_on_its_run_keeps_its_scorecard(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(made / "plan.geojson"), "--json", "-q"]) == 0
    found = json.loads(capsys.readouterr().out)["plan"]["scorecard"]
    assert found == json.loads((made / "scorecard.json").read_bytes())


def test_given_routes_are_scored_on_given_records(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", town.routes, *town.records, "--json", "-q", "--out", str(tmp_path / "scored")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [route["name"] for route in document["plan"]["scorecard"]["routes"]] == ["A", "B"]
    assert read_run(tmp_path / "scored")["command"] == "score"


def test_a_plan_can_start_from_an_earlier_run(made: Path, tmp_path: Path) -> None:
    assert run(["plan", "--run", str(made), "--out", str(tmp_path / "next"), *SHORT]) == 0
    assert (tmp_path / "next" / "plan.geojson").read_bytes() == (made / "plan.geojson").read_bytes()


def test_records_can_come_from_standard_input(town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stdin:
        buffer = io.BytesIO(Path(town.calls).read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert run(["demand", "-", "--area", town.area, "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["records"]["rows_in"] == 600


def test_demand_shows_every_row_of_every_file(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demand", *town.records, "--out", str(tmp_path / "d")]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"calls\.csv +calls +600 ", out)
    assert "taxi rides have the weight 0.2 in the blend" in err
    assert {file.name for file in (tmp_path / "d").iterdir()} == {
        "demand.parquet",
        "grid.parquet",
        "inputs.json",
        "rejected.parquet",
        "run.json",
    }


def test_a_network_is_built_without_records(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["network", "--area", town.area, "--out", str(tmp_path / "n"), "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["stops"] == document["hexes"] > 20
    assert (tmp_path / "n" / "network.parquet").is_file()


def test_synthetic_records_are_the_same_for_one_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        assert run(["synth", "--out", str(tmp_path / name), "--calls", "400", "--taxi", "200", "--nights", "2"]) == 0
    assert "400 synthetic calls" in capsys.readouterr().err
    for file in ("calls.parquet", "taxi.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_synthetic_records_may_be_partitions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["synth", "--out", str(tmp_path), "--calls", "4e2", "--taxi", "2e2", "--partitions", "2", "--workers", "1", "--json"]
    assert run(words) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert (document["calls"], document["partitions"], document["rows_per_s"] > 0) == (400, 3, True)
    assert "400 synthetic calls and 200 synthetic taxi rides, seed 2013, in 3 files: " in told.err
    assert run(["synth", "--out", str(tmp_path), "--calls", "many"]) == 2


def failures() -> list[tuple[str, list[str], int, str]]:
    """Name, words, exit code and message of bad input; RECORDS stands for the town's, OUT for a folder."""
    out = ["--out", "OUT"]
    return [
        ("a missing file", ["plan", "nothere.csv", "--city", "seoul", *out], 3, "nothere.csv: no such file; check the name"),
        ("an empty file", ["plan", "empty.csv", "--city", "seoul", *out], 3, "empty.csv: the file is empty"),
        (
            "a wrong column",
            ["plan", "names.csv", "--city", "seoul", *out],
            3,
            "column lon of calls missing; name what holds them: --map lon=lonn",
        ),
        ("rows outside", ["plan", "outside.csv", "--city", "seoul", *out], 3, "1 of 1 calls lie outside the study area, first on line 2"),
        ("swapped columns", ["plan", "swapped.csv", "--city", "seoul", *out], 3, "swap them with --map lon=lat --map lat=lon"),
        ("no routes", ["plan", "RECORDS", "--routes", "0", *out], 2, "--routes must lie in [1, 64], got 0"),
        ("a bad seed", ["plan", "RECORDS", "--seed", "-1", *out], 2, "error: --seed must lie in [0, "),
        ("a short headway", ["plan", "RECORDS", "--headway", "0.1", *out], 2, "--headway must lie in [1, 360] minutes, got 0.1"),
        ("a point as a hexagon", ["demand", "RECORDS", "--radius", "0"], 2, "error: --radius must lie in [1, 100000], got 0"),
        ("costs of another country", ["timetable", "empty.csv", "--currency", "KRW"], 2, "got none for --cost-km, --cost-hour, --cost-bus"),
        (
            "a window in words",
            ["plan", "RECORDS", "--window", "all night", *out],
            2,
            "a night window must read HH-HH, such as 00-05",
        ),
        ("a report with a folder", ["demand", "RECORDS", "--check", "--out", "x"], 2, "--check only reports; remove --out"),
        ("a plan to go on from and to stay near", ["plan", "RECORDS", "--base", "b.csv", "--resume", *out], 2, "leave one of them out"),
        ("a window back in time", ["plan", "RECORDS", "--window", "05-03", *out], 2, "got 29-51 from '05-03'; such as 22-07"),
        ("negative steps", ["plan", "RECORDS", "--steps", "-4", *out], 2, "steps must lie in [0, "),
        ("a budget no route fits", ["plan", "RECORDS", "--max-length-km", "0.1", *out], 4, "no route keeps the limits"),
        ("too few buses", ["plan", "RECORDS", "--fleet", "3", *out], 4, "9 routes need at least 9 buses, got 3"),
        ("no folder", ["plan", "RECORDS"], 2, "plan needs a folder to write to; add --out DIR"),
        ("a file as folder", ["plan", "RECORDS", "--out", "empty.csv"], 2, "--out must be a folder that can be written, got empty.csv"),
        ("a folder below a file", ["plan", "RECORDS", "--out", "empty.csv/run"], 2, "--out must be a folder that can be written"),
        ("a foreign folder", ["plan", "RECORDS", "--out", "."], 2, "--out must be absent, empty or an earlier run, got . with"),
        ("an unknown option", ["plan", "--rotes", "3"], 2, "no such option: --rotes"),
        (
            "a word for a number",
            ["plan", "--routes", "nine"],
            2,
            "invalid value for '--routes' / '-k': it must be a whole number; see owlbus plan --help",
        ),
        ("an unknown command", ["plam"], 2, "no such command 'plam'"),
        (
            "no share",
            ["plan", "RECORDS", "--min-presence", "most", *out],
            2,
            "invalid value for '--min-presence': it must be a share, such as 0.1 or 10%, got 'most'; see owlbus plan --help",
        ),
        (
            "a percent of more than all",
            ["plan", "RECORDS", "--min-presence", "142%", *out],
            2,
            "--min-presence must lie in [0, 1], got 1.42",
        ),
        ("a percent", ["plan", "RECORDS", "--min-presence", "42", *out], 2, "--min-presence must lie in [0, 1], got 42; 42 % reads 0.42"),
        ("an unknown city", ["plan", "--city", "atlantis", *out], 2, "sample city must be one of seoul, got 'atlantis'"),
        ("an unknown objective", ["plan", "RECORDS", "--objective", "profit", *out], 2, "an objective must read served, direct, presence"),
        ("a bad window", ["plan", "RECORDS", "--window", "25-99", *out], 2, "a night window must keep 12 <= start < end <= 36"),
        (
            "no records",
            ["plan", *out],
            2,
            "no records are named; give files of calls or taxi rides, --presence people.csv for counts of people, or",
        ),
        ("half a network", ["plan", "RECORDS", "--nodes", "n.csv", *out], 2, "--nodes and --links belong together"),
        ("stops without roads", ["plan", "RECORDS", "--stops", "s.csv", *out], 2, "--stops needs the roads that join them"),
        ("two grids", ["plan", "RECORDS", "--h3", "8", "--hexes", "9", *out], 2, "give one of them"),
        ("a missing area", ["plan", "RECORDS", "--area", "nothere.geojson", *out], 3, "nothere.geojson: cannot be read"),
        ("records beside a run", ["plan", "calls.csv", "--run", "run", *out], 2, "--run takes demand and network from run"),
        ("a folder that is no run", ["plan", "--run", ".", *out], 3, "a run directory must hold run.json, found none"),
        ("a file that is no run", ["plan", "--run", "empty.csv", *out], 3, "empty.csv: a run directory must hold run.json, found none"),
        ("a bad pair", ["plan", "RECORDS", "--map", "lon", *out], 2, "--map must read NAME=COLUMN, such as lon=x, got 'lon'"),
        ("a missing plan", ["score", "nothere.geojson"], 3, "nothere.geojson: no such file; name a run directory, or a plan as .geojson"),
        ("a network nowhere", ["network"], 2, "network needs a study area; add --area outline.geojson, or --city seoul"),
        (
            "a date that is none",
            ["synth", "--out", "s", "--first-night", "spring"],
            2,
            "--first-night must be a date such as 2013-03-11, got 'spring'",
        ),
        ("a missing configuration", ["plan", "--config", "no.toml"], 2, "no.toml: cannot be read"),
    ]


@pytest.mark.parametrize(("words", "code", "message"), [problem[1:] for problem in failures()], ids=[problem[0] for problem in failures()])
def test_bad_input_ends_with_its_code_and_one_line_and_writes_nothing(
    words: list[str], code: int, message: str, town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "names.csv").write_text("time,lonn,lat,home_lon,home_lat\n2013-03-12 00:10:00,127,37.5,127.1,37.6\n")
    (tmp_path / "outside.csv").write_text("time,lon,lat,home_lon,home_lat\n2013-03-12 00:10:00,2,48,2.1,48.6\n")
    (tmp_path / "swapped.csv").write_text("time,lon,lat,home_lon,home_lat\n2013-03-12 00:10:00,37.55,127,37.5,127.1\n")
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "parent" / "run"
    assert run([word for given in words for word in {"RECORDS": town.records, "OUT": [str(out)]}.get(given, [given])] + ["-q"]) == code
    shown, err = capsys.readouterr()
    assert shown == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("gate", ["--min-presence", "--min-served"])
def test_a_missed_gate_ends_with_code_1_and_the_plan_is_written(
    gate: str, town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(["plan", *town.records, "--out", str(out), *SHORT, gate, "1"]) == 1
    assert re.search(rf"error: {gate[6:]} share must be at least 1, got 0\.\d{{4}}; ", capsys.readouterr().err)
    assert check_run(out) == []


def test_a_gate_that_is_kept_ends_with_code_0(made: Path) -> None:
    assert run(["score", str(made / "plan.geojson"), "-q", "--min-presence", "0.01", "--min-served", "0.01"]) == 0


def test_a_plan_that_breaks_a_limit_is_a_finding(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", str(made / "plan.geojson"), "-q", "--max-length-km", "1"]
    assert run(words) == 0
    assert run([*words, "--check"]) == 1
    assert "plan.geojson: breaks" in capsys.readouterr().err


def test_only_a_limit_whose_help_says_so_takes_inf(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", str(made / "plan.geojson"), "-q"]
    assert run([*words, "--max-pair-circuity", "inf", "--check"]) == 0
    for flag, value in (("--max-pair-circuity", "nan"), ("--max-pair-circuity", "-inf"), ("--max-circuity", "inf")):
        assert run([*words, flag, value]) == 2
        assert f"error: {flag} must be a number" in capsys.readouterr().err


def test_flags_go_before_the_environment_and_that_before_the_configuration(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seed_of(*words: str) -> int:
        assert run(["plan", *town.records, "--out", str(tmp_path / "run"), *SHORT, *words]) == 0
        return int(read_run(tmp_path / "run")["seed"])

    assert seed_of() == 0
    (tmp_path / "owlbus.toml").write_text("seed = 1\n")
    assert seed_of() == 1
    (tmp_path / "owlbus.toml").write_text("seed = 1\n[plan]\nseed = 2\nmax-length-km = 40\n")
    assert seed_of() == 2
    monkeypatch.setenv("OWLBUS_SEED", "3")
    assert seed_of() == 3
    assert seed_of("--seed", "4") == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rotes = 3", "no option is called rotes; did you mean routes?"),
        ("[plan]\nrotes = 3", "no option is called rotes; did you mean routes?"),
        ("[plam]\nroutes = 3", "no option is called [plam]; did you mean [plan]?"),
        ("routes = ", "is no valid TOML"),
    ],
)
def test_a_configuration_that_says_nothing_useful_is_refused(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(content)
    assert run(["plan", "--config=mine.toml"]) == 2
    assert message in capsys.readouterr().err


def test_a_bug_ends_with_code_70_in_one_line_and_shows_its_traceback_only_on_request(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ouch")  # noqa: EM101 - any error will do

    monkeypatch.setattr("owlbus.pipeline.best_plan", fail)
    words = ["plan", *town.records, "--out", str(tmp_path / "run")]
    assert run([*words, "-q"]) == 70
    assert capsys.readouterr().err == "error: this is a bug in owlbus (ZeroDivisionError: ouch); report it with what -vv prints\n"
    assert run([*words, "-vv"]) == 70
    assert "Traceback" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_told_by_the_folder_asked_for_and_is_no_bug(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "run/map.png")

    monkeypatch.setattr("owlbus.plot.maps.write_map", fail)
    assert run(["plan", *town.records, "--out", str(tmp_path / "run"), *SHORT]) == 2
    assert f"error: {tmp_path / 'run'}: the disk is full (No space left on device); make room there" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


class CtrlC(MaxSteps):
    """A limit at which somebody presses Ctrl-C."""

    def reason_to_end(self, now: Snapshot) -> str | None:
        """Press it after the first turn."""
        if now.steps > 0:
            raise KeyboardInterrupt
        return None


def test_ctrl_c_in_the_search_keeps_the_best_plan(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("owlbus.pipeline.request.MaxSteps", CtrlC)
    out = tmp_path / "run"
    assert run(["plan", *town.records, "--out", str(out), "--routes", "2"]) == 130
    assert check_run(out) == []
    assert read_run(out)["ended_by"] == {"reason": "interrupted"}
    assert "The search was interrupted; seed 0." in capsys.readouterr().err


def test_ctrl_c_before_there_is_a_plan_writes_nothing(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("owlbus.pipeline.best_plan", interrupt)
    assert run(["plan", *town.records, "--out", str(tmp_path / "run"), "-q"]) == 130
    assert capsys.readouterr().err == "error: interrupted; nothing was written\n"
    assert not (tmp_path / "run").exists()


def test_the_demo_beats_the_routes_of_2013_on_their_own_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--out", str(tmp_path / "demo"), "--steps", "20000", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    plan, held = document["plan"]["scorecard"], document["reference"]["scorecard"]
    assert held["presence"]["share"] == pytest.approx(0.42, abs=0.01)
    assert plan["presence"]["share"] >= 1.1 * held["presence"]["share"]
    assert plan["served"]["share"] >= 1.4 * held["served"]["share"]
    assert plan["total_buses"] <= 45
    assert plan["total_length_m"] <= held["total_length_m"]
    assert "it cannot confirm that figure" in err


FIXED = {
    "a plan": (["plan", "--run", "{run}", "--out", "new", "--walk", "800"], "--walk"),
    "several flags": (["plan", "--run", "{run}", "--out", "new", "--reach", "area", "--window", "22-07"], "--window, --reach"),
    "a short spelling": (["plan", "--run", "{run}", "--out", "new", "--outline", "a.csv"], "--area"),
    "a score": (["score", "{run}/plan.geojson", "--run", "{run}", "--hexes", "30"], "--hexes"),
    "a plan that lies in a run": (["score", "{run}/plan.geojson", "--taxi-weight", "0.5"], "--taxi-weight"),
    "a comparison": (["compare", "{run}/plan.geojson", "{run}/reference.geojson", "--radius", "400"], "--radius"),
    "a question": (["explain", "{run}/plan.geojson", "--gtfs", "feed.zip"], "--gtfs"),
    "an improvement": (["improve", "{run}/plan.geojson", "--speed", "30"], "--speed"),
    "a sweep": (["sweep", "--run", "{run}", "--routes", "1:2", "--city", "seoul"], "--city"),
    "a timetable": (["timetable", "{run}", "--map", "lon=x"], "--map"),
}


@pytest.mark.parametrize(("words", "flags"), FIXED.values(), ids=FIXED)
def test_a_flag_that_a_run_leaves_no_room_for_is_refused(
    words: list[str], flags: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([word.format(run=made) for word in words]) == 2
    those = "them" if "," in flags else "it"
    said = f"error: {flags} would not be read: grid, demand and network are those of the run {made}; leave {those} out, or name the records"
    assert capsys.readouterr().err.splitlines()[-1].startswith(said)
    assert not (tmp_path / "new").exists()


def test_defaults_that_a_run_leaves_no_room_for_are_passed_over(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWLBUS_WALK", "800")
    (tmp_path / "owlbus.toml").write_text('radius = 400\n[score]\nreach = "area"\n')
    assert run(["score", str(made / "plan.geojson"), "--run", str(made), "-q"]) == 0


def test_where_a_search_runs_is_free_on_an_earlier_run(made: Path, tmp_path: Path) -> None:
    words = [
        "plan",
        "--run",
        str(made),
        "--scheduler",
        "processes:1",
        "--steps",
        "50",
        "--routes",
        "1",
        "--out",
        str(tmp_path / "new"),
        "-q",
    ]
    assert run(words) == 0


def test_a_sweep_takes_records_or_a_run(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "calls.csv", "--run", str(made), "--routes", "1:2"]) == 2
    assert "--run takes demand and network from" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_help_breaks_lines_where_the_terminal_ends_and_gives_flags_no_value(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    out = capsys.readouterr().out
    prose = [line.strip() for line in out.partition("╭")[0].splitlines()]
    after = [next_.split(" ")[0] for line, next_ in pairwise(prose) if line and next_ and not line.startswith("Usage")]
    before = [line for line, next_ in pairwise(prose) if line and next_ and not line.startswith("Usage")]
    assert all(len(line) + 1 + len(word) > 78 for line, word in zip(before, after, strict=True))
    assert not [line for line in out.splitlines() if "<bool>" in line and "--help" not in line]
