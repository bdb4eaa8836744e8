"""Comments: pinned where they belong, kept for their owner alone, read and written whatever a file holds."""

from __future__ import annotations

import csv
import io
import json
import stat
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from explore_town import opened, town_run
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.cli.app import run as run_command
from owlbus.common.errors import DataError, OwlbusError, UsageError
from owlbus.common.text import escape_formula
from owlbus.explore.answers import AnswerDesk, route_document
from owlbus.explore.comment_files import MOST_ROWS, comment_rows, comments_csv, comments_geojson
from owlbus.explore.comment_store import COMMENTS_FILE, CommentStore
from owlbus.explore.comments import MOST_CHARACTERS, Comment, pinned_comment
from owlbus.explore.handlers import HANDLERS
from owlbus.explore.help_desk import HelpDesk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from owlbus.explore.explore_session import ExploreSession


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ExploreSession:
    """A session that no test changes."""
    return opened(town_run(tmp_path_factory.mktemp("comments")), is_read_only=True)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ExploreSession]:
    made = opened(town_run(tmp_path))
    yield made
    made.close()


def ask(session: ExploreSession, path: str, lang: str = "en", **message: object) -> Any:  # noqa: ANN401 - JSON, or a document
    return HANDLERS[path].answer(session, {**message, "lang": lang})


def point(lon: object, lat: object, **properties: object) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": [lon, lat]}}


def collection(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


# ---------------------------------------------------------------- pins
def test_a_comment_is_pinned_to_what_it_names_else_to_the_stop_or_hex_at_its_place(shared: ExploreSession) -> None:
    network, plan = shared.run.study.network, shared.run.plan
    lon, lat = float(network.stop_lon[7]), float(network.stop_lat[7])
    far_lon = float(network.grid.lon[3]) + 0.0015
    for values, pin, target in (
        ({"stop": 4, "lon": lon, "lat": lat}, "stop", 4),
        ({"route": "N2"}, "route", "N2"),
        ({"hex": 9}, "hex", 9),
        ({"hex": str(network.grid.labels[9])}, "hex", 9),
        ({"stop": "12"}, "stop", 12),
        ({"lon": lon, "lat": lat}, "stop", 7),
        ({"lon": far_lon, "lat": float(network.grid.lat[3])}, "hex", 3),
    ):
        comment = pinned_comment(network, plan, {"text": "too far", **values})
        assert (comment.pin, comment.target) == (pin, target)
        assert abs(comment.lon - 127.03) < 0.1
        assert abs(comment.lat - 37.52) < 0.1


@pytest.mark.parametrize(
    "values",
    [
        *({"text": text, "stop": 1} for text in (None, "", "  \n ", "x" * (MOST_CHARACTERS + 1), True, ["x"], {"a": 1})),
        *({"text": "x", "stop": stop} for stop in (-1, 10_000, 2**80, True, "1e3", "-1", 1.5, [1], "9" * 50)),
        *({"text": "x", "lon": lon, "lat": 37.5} for lon in ("127", None, True, float("nan"), float("inf"), 181, 10**400, [127])),
        {"text": "x"},
        {"text": "x", "lon": 0.0, "lat": 0.0},
        {"text": "x", "route": "N9"},
        {"text": "x", "route": 4},
        {"text": "x", "hex": "nowhere"},
        {"text": "x", "stop": 1, "name": "n" * 121},
        {"text": "x", "stop": 1, "time": {"a": 1}},
    ],
)
def test_what_is_no_comment_is_refused_in_one_line(shared: ExploreSession, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        pinned_comment(shared.run.study.network, shared.run.plan, values)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_control_characters_of_a_comment_are_shown_and_not_obeyed(shared: ExploreSession) -> None:
    values = {"text": "a\x1b[2Jb\r\nc\u202e", "name": "n\nm\x07", "stop": 1}
    comment = pinned_comment(shared.run.study.network, shared.run.plan, values)
    assert comment.text == "a\\x1b[2Jb\nc\\u202e"
    assert comment.name == "n m\\x07"


# ---------------------------------------------------------------- files
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@settings(max_examples=40)
@given(
    texts, texts, st.sampled_from(["'", "''", "=", "'=", "-", "@", " =", "\t", ""]), st.integers(0, 59), st.sampled_from(["geojson", "csv"])
)
def test_comments_survive_both_forms(shared: ExploreSession, text: str, name: str, head: str, stop: int, form: str) -> None:
    network, plan = shared.run.study.network, shared.run.plan
    try:
        pins = ({"stop": stop}, {"hex": stop}, {"route": "N1"})
        comments = [replace(pinned_comment(network, plan, {"text": head + text, "name": name, **pin}, "2026"), key="c1") for pin in pins]
    except UsageError:
        return  # nothing but blanks
    data = (comments_geojson if form == "geojson" else comments_csv)(network, comments)
    again = [replace(pinned_comment(network, plan, row), key="c1") for row in comment_rows(data.decode(), form)]
    assert again == comments
    if form == "csv":
        for row in csv.reader(io.StringIO(data.decode())):
            assert all(escape_formula(cell) == cell for cell in row)


def test_a_consultation_in_other_words_is_read() -> None:
    rows = comment_rows('\ufeffLongitude;Latitude;Comment;Author\n127.03;37.52;zu weit;A\n\n127.04;37.53;"zwei; Zeilen\nhier";\n', "csv")
    assert rows == [
        {"text": "zu weit", "lon": 127.03, "lat": 37.52, "name": "A"},
        {"text": "zwei; Zeilen\nhier", "lon": 127.04, "lat": 37.53},
    ]
    assert comment_rows(collection(point(127.0, 37.5, 의견="너무 멀다", id=3)), "geojson") == [
        {"text": "너무 멀다", "lon": 127.0, "lat": 37.5}
    ]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "geojson"),
        ("[]", "geojson"),
        ("null", "geojson"),
        ("{}", "geojson"),
        ('{"type": "FeatureCollection", "features": {}}', "geojson"),
        ('{"type": "FeatureCollection", "features": [1]}', "geojson"),
        (collection({"type": "Feature", "properties": None, "geometry": None}), "geojson"),
        (collection({"type": "Feature", "properties": {"text": "x"}, "geometry": {"type": "Polygon", "coordinates": []}}), "geojson"),
        (collection(point(127.0, 37.5, words="x")), "geojson"),
        ("[" * 100_000, "geojson"),
        (collection(*[point(1, 2, text="x")] * (MOST_ROWS + 1)), "geojson"),
        ("x" * (5 << 20), "csv"),
        ("", "csv"),
        ("lon,lat\n1,2\n", "csv"),
        ("lon,lat,text\n1,2\n", "csv"),
        ('lon,lat,text\n1,2,"x\n', "csv"),
        ("lon,lat,text\n1,2,\0\n", "csv"),
        ("lon,lat,text\n1,2,x\n", "xlsx"),
        ("lon,lat,text\n1,2,x\n", ""),
    ],
)
def test_a_hostile_file_is_refused_in_one_line(text: str, form: str) -> None:
    with pytest.raises(DataError) as caught:
        comment_rows(text, form)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@settings(max_examples=60)
@given(st.text(max_size=200), st.sampled_from(["geojson", "csv"]))
def test_any_text_is_read_or_refused(text: str, form: str) -> None:
    with suppress(DataError):
        assert any(row["text"] for row in comment_rows(text, form))


# ---------------------------------------------------------------- the store
def test_what_is_kept_is_there_again_and_for_its_owner_alone(session: ExploreSession) -> None:
    added = ask(session, "POST /api/comments", add={"stop": 3, "text": "no bus\nat night", "name": "A"})
    ask(session, "POST /api/comments", add={"route": "N1", "text": "too slow"})
    folder = session.run.path / "explore"
    file = folder / COMMENTS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    again = CommentStore.open(folder, session.run.study.network, session.run.plan)
    assert again.kept == HelpDesk.of(session).comments.kept
    assert [row["text"] for row in ask(session, "/api/comments")["comments"]] == ["no bus\nat night", "too slow"]
    assert ask(session, "POST /api/comments", remove=added["id"])["comments"][0]["id"] == "c2"
    with pytest.raises(UsageError, match="there is no comment"):
        ask(session, "POST /api/comments", remove="c1")


def test_a_file_is_read_once_and_says_what_it_left_out(session: ExploreSession) -> None:
    text = collection(point(127.03, 37.52, text="a"), point(0.0, 0.0, text="b"), point(127.03, 37.52, text=""), point("x", 1, text="c"))
    told = ask(session, "POST /api/comments", **{"import": {"format": "geojson", "text": text}})
    assert (told["added"], told["known"], [row["row"] for row in told["left_out"]]) == (1, 0, [2, 3, 4])
    assert told["added"] + told["known"] + len(told["left_out"]) == 4
    again = ask(session, "POST /api/comments", **{"import": {"format": "geojson", "text": text}})
    assert (again["added"], again["known"]) == (0, 1)
    for form in ("geojson", "csv"):
        out = ask(session, "/api/comments/export", format=form)
        assert out.file_name == f"comments.{form}"
        assert ask(session, "POST /api/comments", **{"import": {"format": form, "text": out.content.decode()}})["known"] == 1


@pytest.mark.parametrize(
    "message", [{}, {"add": 3}, {"add": []}, {"import": "x"}, {"import": {}}, {"add": {}, "remove": "c1"}, {"remove": {}}]
)
def test_a_message_that_asks_for_nothing_is_refused(session: ExploreSession, message: dict[str, Any]) -> None:
    with pytest.raises(OwlbusError) as caught:
        ask(session, "POST /api/comments", **message)
    assert "\n" not in str(caught.value)
    assert HelpDesk.of(session).comments.kept == []


def test_comments_stay_where_their_route_goes(session: ExploreSession) -> None:
    ask(session, "POST /api/comments", add={"route": "N1", "text": "too slow"})
    session.apply({"kind": "drop", "route": "r1"})
    store = CommentStore.open(session.run.path / "explore", session.run.study.network, session.plan.to_plan())
    assert [comment.target for comment in store.kept] == ["N1"]
    assert "no longer in the plan" in ask(session, "/api/answers").content.decode()


@pytest.mark.parametrize(
    "damage", ["", "{}", "nonsense", '{"type": "FeatureCollection", "features": [{"properties": {"id": "c1"}}]}', "\xff"]
)
def test_a_damaged_file_is_told_and_not_written_over(session: ExploreSession, damage: str) -> None:
    folder = session.run.path / "explore"
    folder.mkdir(exist_ok=True)
    (folder / COMMENTS_FILE).write_bytes(damage.encode("latin-1"))
    with pytest.raises(DataError, match="is no sound file of comments"):
        CommentStore.open(folder, session.run.study.network, session.run.plan)
    assert (folder / COMMENTS_FILE).read_bytes() == damage.encode("latin-1")


def test_a_comment_that_cannot_be_written_is_not_kept(session: ExploreSession) -> None:
    store = HelpDesk.of(session).comments
    store.folder = session.run.path / "run.json"
    with pytest.raises(OwlbusError, match="cannot be written"):
        store.add(session.run.plan, {"stop": 1, "text": "x"})
    assert store.kept == []


def test_a_link_in_place_of_the_file_is_replaced_and_not_followed(session: ExploreSession, tmp_path: Path) -> None:
    other, store = tmp_path / "other", HelpDesk.of(session).comments
    other.write_text("untouched")
    store.folder.mkdir(exist_ok=True)
    (store.folder / COMMENTS_FILE).symlink_to(other)
    store.add(session.run.plan, {"stop": 1, "text": "x"})
    assert other.read_text() == "untouched"
    assert not (store.folder / COMMENTS_FILE).is_symlink()


def test_a_comment_may_lie_a_metre_beside_itself() -> None:
    one = Comment("c1", 127.0, 37.5, "hex", 3, "x")
    assert one.same_as(replace(one, key="", lon=127.000009, time="later"))
    assert not one.same_as(replace(one, lon=127.00002))
    assert not one.same_as(replace(one, text="y"))


# ---------------------------------------------------------------- answers
def test_answers_are_the_sheets_of_explain_and_name_nobody(session: ExploreSession, capsys: pytest.CaptureFixture[str]) -> None:
    for add in (
        {"stop": 2, "text": "why <b>not</b> here"},
        {"route": "N2", "text": "full"},
        {"hex": 30, "text": "far", "name": "Kim Somebody"},
    ):
        ask(session, "POST /api/comments", add=add)
    for lang in ("en", "ko"):
        answer = ask(session, "/api/answers", lang)
        page = answer.content.decode()
        assert (session.run.path / "explore" / "answers.html").read_bytes() == answer.content
        assert stat.S_IMODE((session.run.path / "explore" / "answers.html").stat().st_mode) == 0o600
        assert "Kim Somebody" not in page
        assert "why &lt;b&gt;not&lt;/b&gt; here" in page
        capsys.readouterr()
        assert run_command(["explain", str(session.run.path), "why", "2", "--lang", lang, "--json"]) == 0
        for line in json.loads(capsys.readouterr().out)["lines"]:
            assert line in page.replace("&#39;", "'").replace("&#34;", '"')


def test_a_comment_on_a_route_is_answered_with_what_explain_says_of_it(shared: ExploreSession, capsys: pytest.CaptureFixture[str]) -> None:
    run, desk = shared.run, HelpDesk.of(shared)
    answering = AnswerDesk(run, run.plan, desk.names("en"), desk.explain_limits, desk.decided(run.plan, "en"))
    capsys.readouterr()
    assert run_command(["explain", str(run.path), "route", "N2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = json.loads(json.dumps(route_document(answering, "N2")))
    assert found == {name: document[name] for name in found}


def test_without_comments_the_page_says_so(shared: ExploreSession) -> None:
    page = ask(shared, "/api/answers")
    assert "There are no comments yet" in page.content.decode()
    assert not (shared.run.path / "explore" / "answers.html").exists()
