"""What leaves the page: runs, files and reports that other commands take, with the figures that they print, and nothing finer."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attack_towns import random_town, town_demand
from attack_twins import differences, twin
from explore_town import opened, town_run

from owlbus.cli.app import run as run_command
from owlbus.common.errors import DataError, OwlbusError, UsageError
from owlbus.explore.handlers import HANDLERS
from owlbus.explore.save_edit import folder_to_save
from owlbus.gtfs import read_gtfs
from owlbus.pipeline import Study, score_study
from owlbus.pipeline.outputs import write_scored
from owlbus.pipeline.report_content import report_pages
from owlbus.pipeline.rundir import RunRecord, check_run, open_run_dir
from owlbus.pipeline.study import write_study
from owlbus.plan import read_plan
from owlbus.plan.limits import RouteLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attack_towns import Town

    from owlbus.explore.explore_session import ExploreSession

BASE = 15
EDITS: list[dict[str, Any]] = [
    {"kind": "cut", "route": "r1", "end": "last", "position": 6},
    {"kind": "rename", "route": "r2", "name": "밤 2"},
    {"kind": "drop", "route": "r3"},
]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ExploreSession]:
    made = opened(town_run(tmp_path))
    yield made
    made.close()


def ask(session: ExploreSession, path: str, lang: str = "en", **message: object) -> Any:  # noqa: ANN401 - JSON, or a document
    return HANDLERS[path].answer(session, {**message, "lang": lang})


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    capsys.readouterr()
    code = run_command([*words, "--json"])
    out, err = capsys.readouterr()
    assert code in {0, 1}, err
    return json.loads(out)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ExploreSession, Path, dict[str, Any]]]:
    """A session, the run that it saved after three edits, and its state then."""
    made = opened(town_run(tmp_path_factory.mktemp("saved")))
    HANDLERS["POST /api/comments"].answer(made, {"lang": "en", "add": {"stop": 1, "text": "no bus", "name": "Kim Somebody"}})
    for edit in EDITS:
        made.apply(edit)
    told = HANDLERS["/api/save"].answer(made, {"lang": "en", "out": None})
    assert isinstance(told, dict)
    yield made, Path(told["path"]), told["state"]
    made.close()


# ---------------------------------------------------------------- a run like any other
def test_a_saved_run_is_whole_and_stands_beside_the_opened_one(saved: tuple[ExploreSession, Path, dict[str, Any]]) -> None:
    session, out, state = saved
    assert out == session.run.path.resolve().with_name("run-edited-1")
    assert check_run(out) == []
    assert check_run(session.run.path) == []
    files = {path.name for path in out.iterdir()}
    assert {"run.json", "plan.geojson", "scorecard.json", "report.html", "gtfs.zip", "tables.xlsx", "edits.json", "map.png"} <= files
    assert state["is_saved"]
    assert state["version"] == state["saved_version"]
    assert read_plan(out / "plan.geojson", session.run.study.network).equals(session.plan.to_plan())
    assert json.loads((out / "run.json").read_text())["command"] == "explore"


def test_score_compare_and_explain_print_of_a_saved_run_what_the_page_shows(
    saved: tuple[ExploreSession, Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    session, out, state = saved
    shown = {row["key"]: row["value"] for row in state["numbers"]}
    card = printed(capsys, "score", str(out))["plan"]["scorecard"]
    assert {kind: card[kind]["share"] for kind in ("presence", "served", "direct")} == {
        kind: shown[kind] for kind in ("presence", "served", "direct")
    }
    assert shown["buses"] == card["total_buses"]
    assert shown["km"] == round(card["total_length_m"] / 1000, 1)
    assert json.loads((out / "scorecard.json").read_text()) == card
    riders = {row["name"]: row for row in card["routes"]}
    for route in state["routes"]:
        assert route["riders"] == riders[route["name"]]["boardings_trips"]
        assert route["peak_load"] == riders[route["name"]]["max_load_trips"]
    compared = printed(capsys, "compare", str(session.run.path), str(out))
    told = ask(session, "/api/compare", run=str(session.run.path))["document"]
    assert json.loads(json.dumps(told["differences"]["this plan"])) == compared["differences"]["run-edited-1"]
    why = printed(capsys, "explain", str(out), "why", "59")
    assert "edited it by hand" in " ".join(why["lines"])


def test_report_and_explore_take_a_saved_run(saved: tuple[ExploreSession, Path, dict[str, Any]]) -> None:
    session, out, state = saved
    assert report_pages(out) == [(out / "report.html").read_bytes()]
    again = opened(out)
    assert [row["value"] for row in again.state()["numbers"]] == [row["value"] for row in state["numbers"] if row["key"] != "bound"]
    assert again.run.limits == session.run.limits
    assert again.state()["history"] == []
    comments = ask(again, "/api/comments")["comments"]
    assert [(row["text"], row["name"]) for row in comments] == [("no bus", "Kim Somebody")]
    again.close()


def test_a_saved_run_tells_all_edits_though_the_page_lists_the_last_ones(
    session: ExploreSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("owlbus.explore.explore_session._MOST_ROWS", 1)
    for edit in EDITS:
        session.apply(edit)
    told = ask(session, "/api/save", out=str(tmp_path / "all"))
    assert (len(told["state"]["history"]), told["state"]["history_before"]) == (1, 2)
    assert len(json.loads((tmp_path / "all" / "edits.json").read_text())["edits"]) == 3


def test_a_saved_run_tells_edits_in_words_alone_and_nobody_by_name(saved: tuple[ExploreSession, Path, dict[str, Any]]) -> None:
    session, out, state = saved
    edits = json.loads((out / "edits.json").read_text())
    assert edits["edits"] == [row["text"] for row in state["history"]]
    assert edits["opened"] == "run"
    kept = out / "explore" / "comments.geojson"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for file in out.rglob("*"):
        if file.is_file() and file != kept:
            assert b"Kim Somebody" not in file.read_bytes()
            if file.suffix in {".json", ".html", ".geojson"} and file.name != "inputs.json":
                assert str(session.run.path.parent).encode() not in _public(file)


def _public(file: Path) -> bytes:
    """Content of a file without the names of inputs, which `run.json` of every command holds."""
    if file.name != "run.json":
        return file.read_bytes()
    about = json.loads(file.read_text())
    return json.dumps({name: value for name, value in about.items() if name != "inputs"}).encode()


# ---------------------------------------------------------------- where it may be saved
def test_a_second_save_takes_the_next_name_or_the_same_folder_again(session: ExploreSession, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_run = session.run.path.resolve()
    assert folder_to_save(session.run, None) == opened_run.with_name("run-edited-1")
    opened_run.with_name("run-edited-1").mkdir()
    assert folder_to_save(session.run, None) == opened_run.with_name("run-edited-2")
    monkeypatch.chdir(opened_run.parent)
    assert folder_to_save(session.run, " plans/new ") == opened_run.parent / "plans" / "new"
    made = opened_run.parent / "mine"
    with open_run_dir(made) as run:
        run.publish(RunRecord("explore", settings={}))
    assert folder_to_save(session.run, str(made)) == made


def test_nothing_else_is_ever_written_over(session: ExploreSession, tmp_path: Path) -> None:
    run = session.run.path
    other, link, file = tmp_path / "other", tmp_path / "link", tmp_path / "file"
    with open_run_dir(other) as made:
        made.publish(RunRecord("plan", settings={}))
    link.symlink_to(run)
    file.write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("x")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "explore"}
    places = [
        run,
        run / "inside",
        run / "explore",
        run.parent,
        link,
        other,
        file,
        tmp_path / "full",
        "",
        "  ",
        3,
        True,
        [],
        "a\0b",
        "~no-one/x",
    ]
    for place in places:
        with pytest.raises(UsageError) as caught:
            ask(session, "/api/save", out=str(place) if isinstance(place, Path) else place)
        assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_changed_underneath_is_not_saved(session: ExploreSession) -> None:
    file = session.run.path / "plan.geojson"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(DataError, match="has changed since it was opened"):
        ask(session, "/api/save")
    assert not session.run.path.with_name("run-edited-1").exists()


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_marked_as_saved(session: ExploreSession, tmp_path: Path) -> None:
    session.apply(EDITS[2])
    (tmp_path / "file").write_text("x")
    with pytest.raises(OwlbusError):
        ask(session, "/api/save", out=str(tmp_path / "file" / "deeper"))
    assert not session.state()["is_saved"]


# ---------------------------------------------------------------- files to take along
def test_exports_are_the_plan_in_hand(saved: tuple[ExploreSession, Path, dict[str, Any]], tmp_path: Path) -> None:
    session, out, _ = saved
    network, plan = session.run.study.network, session.plan.to_plan()
    geojson = ask(session, "/api/export", format="geojson")
    assert geojson.content == (out / "plan.geojson").read_bytes()
    package = tmp_path / "plan.gpkg"
    package.write_bytes(ask(session, "/api/export", format="gpkg").content)
    assert read_plan(package, network).equals(plan)
    feed = ask(session, "/api/export", format="gtfs")
    file = tmp_path / "feed.zip"
    file.write_bytes(feed.content)
    table, kept = read_gtfs(file, network), read_gtfs(out / "gtfs.zip", network)
    assert table.plan.equals(kept.plan)
    assert table.run_start_s.tolist() == kept.run_start_s.tolist()
    with zipfile.ZipFile(BytesIO(feed.content)) as one, zipfile.ZipFile(out / "gtfs.zip") as two:
        assert {name: one.read(name) for name in one.namelist()} == {name: two.read(name) for name in two.namelist()}
    for form in ("pdf", None, 3, ["gpkg"]):
        with pytest.raises(UsageError, match="a plan is exported as"):
            ask(session, "/api/export", format=form)


def test_one_report_shows_both_plans_and_asks_nothing_of_the_network(saved: tuple[ExploreSession, Path, dict[str, Any]]) -> None:
    session, out, state = saved
    page = ask(session, "/api/share", "ko").content.decode()
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|img|iframe)[^>]* src=|<link[^>]*href=\"(?!data:)", page)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index] - the page has data
    assert [row["name"] for row in data["routes"]] == [row["name"] for row in state["routes"]]
    assert [row["name"] for row in data["reference"]["routes"]] == ["N1", "N2", "N3"]
    assert str(session.run.path.parent) not in page
    card = json.loads((out / "scorecard.json").read_text())
    assert [row["card"]["boardings_trips"] for row in data["routes"]] == [row["boardings_trips"] for row in card["routes"]]


def test_a_report_of_the_plan_as_it_was_opened_is_one_of_one_plan(session: ExploreSession) -> None:
    page = ask(session, "/api/share").content.decode()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index] - the page has data
    assert data["reference"] is None
    assert len(data["routes"]) == 3


def test_a_plan_without_routes_can_be_saved_beside_damaged_comments(session: ExploreSession) -> None:
    (session.run.path / "explore").mkdir(exist_ok=True)
    (session.run.path / "explore" / "comments.geojson").write_text("nonsense")
    for key in ("r1", "r2", "r3"):
        session.apply({"kind": "drop", "route": key})
    told = ask(session, "/api/save")
    assert "is no sound file of comments" in told["note"]
    assert not (Path(told["path"]) / "gtfs.zip").exists()
    assert not (Path(told["path"]) / "explore").exists()
    assert check_run(told["path"]) == []
    with pytest.raises(DataError):
        ask(session, "/api/export", format="gtfs")


# ---------------------------------------------------------------- nothing finer
def test_two_towns_that_print_the_same_counts_give_the_same_page_and_files(tmp_path: Path) -> None:
    town = random_town(1, n_sources=1)
    (one, true), (two, others) = (_everything(which, tmp_path / name) for name, which in (("one", town), ("two", twin(town, 1))))
    assert true != others
    assert [place for place in differences(one, two) if "time" not in place[0]] == []


def _everything(town: Town, folder: Path) -> tuple[dict[str, Any], list[float]]:
    """What the page is told and what leaves it, of the plan of a town as it is opened and against another one; and true counts."""
    session = opened(_town_run(town, folder))
    true = [getattr(session.now, kind).numerator for kind in ("presence", "served", "direct")]
    found: dict[str, Any] = {path: ask(session, path) for path in ("/api/start", "/api/state", "/api/headways")}
    found["compare"] = ask(session, "/api/compare", run=str(folder / "B.geojson"))
    found["preview"] = ask(session, "/api/preview", edit={"kind": "rename", "route": "r1", "name": "other"}, version=session.version)
    for form in ("geojson", "gtfs"):
        content = ask(session, "/api/export", format=form).content
        if form == "geojson":
            found[form] = content
        else:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                found[form] = {name: archive.read(name) for name in archive.namelist()}
    out = Path(ask(session, "/api/save", out=str(folder / "saved"))["path"])
    for file in sorted(out.rglob("*")):
        if file.is_file() and file.suffix not in {".parquet", ".xlsx"} and file.name not in {"run.json", "inputs.json", "gtfs.zip"}:
            found[file.name] = file.read_bytes()
    session.close()
    return found, true


def _town_run(town: Town, folder: Path) -> Path:
    """Run directory of a town with plan A, compared with C; B lies beside it."""
    public = town.geometry
    study = Study(public.network.grid, town_demand(town), public.network)
    best, reference = (score_study(study, public.plans[name], name) for name in "AC")
    settings = {"reference_name": "C", "agency_timezone": "Europe/London"}
    with open_run_dir(folder / "run") as run:
        write_study(run, study)
        write_scored(run, study, best, reference)
        run.publish(RunRecord("score", settings))
    from owlbus.plan import write_plan

    write_plan(folder / "B.geojson", public.network, public.plans["B"], RouteLimits().headway_s)
    return folder / "run"


def test_every_count_that_the_help_tells_is_a_multiple_of_the_base(session: ExploreSession) -> None:
    words = r"(?:gains|loses|are|and|trips|stop \+|-) ?([+-]?\d[\d,]*) (?=trips|people)"
    texts = [line for h in range(0, 60, 7) for line in ask(session, "/api/why", hex=h)["lines"]]
    told = [int(number.replace(",", "")) for text in texts for number in re.findall(words, text)]
    assert len(told) > 5
    assert all(number % BASE == 0 for number in told)


def test_no_file_of_the_run_is_served(session: ExploreSession) -> None:
    from explore_town import Browser

    from owlbus.explore.loopback import ExploreServer

    server = ExploreServer(session)
    browser = Browser(server)
    for name in [
        *(path.name for path in session.run.path.iterdir()),
        "explore/comments.geojson",
        "explore/history.jsonl",
        "../run/run.json",
    ]:
        for path in (f"/{name}", f"/assets/{name}", f"/assets/../{name}", f"/api/{name}", f"/run/{name}", f"/assets/%2e%2e/{name}"):
            status, _, body = browser.ask("GET", path)
            assert status in {400, 404}, path
            assert len(body) < 300
    server.close()
