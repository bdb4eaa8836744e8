"""Help beside the map: every figure is one that `explain` and `compare` print of the same plan, and locked routes stay."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from explore_town import opened, town_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from owlbus.cli.app import run as run_command
from owlbus.common.errors import OwlbusError, UsageError
from owlbus.evidence.difference import difference
from owlbus.evidence.printed_difference import printed_difference
from owlbus.explore.compare_runs import read_other_plan
from owlbus.explore.explore_session import ConflictError
from owlbus.explore.explore_words import EditError
from owlbus.explore.handlers import HANDLERS
from owlbus.explore.help_desk import HelpDesk
from owlbus.explore.help_handlers import set_stops
from owlbus.explore.improve_live import SearchAround, search_around
from owlbus.explore.suggestions import suggest_changes
from owlbus.explore.why_not import explain_hex
from owlbus.plan import Plan, plan_geojson, plan_measures
from owlbus.plan.check import newly_broken

if TYPE_CHECKING:
    import queue
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.suggestions import SuggestedChange

    Suggested = tuple[SuggestedChange, ...]

BASE = 15


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town_run(tmp_path_factory.mktemp("help"))


@pytest.fixture(scope="module")
def shared(run: Path) -> ExploreSession:
    """A session that no test changes."""
    return opened(run, is_read_only=True)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ExploreSession]:
    made = opened(town_run(tmp_path))
    yield made
    made.close()


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[ExploreSession]:
    """A session on a run whose limits leave room for other courses."""
    made = limited(tmp_path, max_length_m=20_000, max_circuity=9.0, max_pair_circuity=None, allow_spurs=True)
    yield made
    made.close()


def limited(folder: Path, **limits: object) -> ExploreSession:
    """A session on a run that was searched under other limits."""
    run = town_run(folder)
    about = json.loads((run / "run.json").read_text())
    about["settings"]["limits"] = limits
    (run / "run.json").write_text(json.dumps(about))
    return opened(run)


def ask(session: ExploreSession, path: str, lang: str = "en", **message: object) -> Any:  # noqa: ANN401 - JSON
    """Answer of an address, as the server asks for it."""
    return HANDLERS[path].answer(session, {**message, "lang": lang})


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    """What a command prints as JSON."""
    capsys.readouterr()
    assert run_command([*words, "--json"]) in {0, 1}
    return json.loads(capsys.readouterr().out)


def counts_in(text: str) -> list[int]:
    """Counts of trips and people that an effect tells."""
    return [int(number.replace(",", "")) for number in re.findall(r"(?:trips|near a stop) ([+-]?[\d,]+)", text)]


# ---------------------------------------------------------------- suggestions
@pytest.fixture(scope="module")
def suggested(shared: ExploreSession) -> Suggested:
    desk = HelpDesk.of(shared)
    return suggest_changes(shared.run.evaluator, shared.run.plan, desk.names("en"), shared.run.limits, locked=(0,))


def test_a_suggestion_tells_the_net_figures_that_explain_prints_of_the_same_change(shared: ExploreSession, suggested: Suggested) -> None:
    evaluator, plan = shared.run.evaluator, shared.run.plan
    before = evaluator.evaluate(plan)
    for one in suggested:
        after = _with(plan, one.route, one.stops)
        whole = printed_difference(difference(evaluator, before, evaluator.evaluate(after), shared.run.headway_s))
        assert one.shown["cost"] == whole["cost"]
        assert one.shown["whole"] == {name: whole["whole"][name] for name in ("net_trips", "net_presence")}


def test_suggestions_gain_or_save_and_break_no_limit_further(shared: ExploreSession, suggested: Suggested) -> None:
    gains = [one for one in suggested if (one.shown["whole"]["net_trips"] or 0) > 0]
    cuts = [one for one in suggested if one.shown["cost"]["length_m"] < 0]
    assert gains
    assert cuts
    assert len(gains) + len(cuts) >= len(suggested)
    for one in suggested:
        after = _with(shared.run.plan, one.route, one.stops)
        assert not newly_broken(shared.run.study.network, shared.run.plan, after, shared.run.limits)


def test_suggestions_leave_locked_routes_alone_and_there_are_none_without_open_ones(shared: ExploreSession, suggested: Suggested) -> None:
    assert {one.route for one in suggested} == {1, 2}
    names = HelpDesk.of(shared).names("en")
    assert suggest_changes(shared.run.evaluator, shared.run.plan, names, shared.run.limits, locked=range(3)) == ()


def test_a_suggestion_tells_counts_in_multiples_of_the_base(suggested: Suggested) -> None:
    told = [number for one in suggested for number in counts_in(one.effect)]
    assert told
    assert all(number % BASE == 0 for number in told)


def test_a_suggestion_is_an_edit_whose_effect_is_that_of_the_plan_after_it(session: ExploreSession) -> None:
    told = ask(session, "/api/suggest")["changes"][0]
    before = session.run.evaluator.evaluate(session.plan.to_plan())
    session.apply(told["edit"])
    after = session.run.evaluator.evaluate(session.plan.to_plan())
    shown = printed_difference(difference(session.run.evaluator, before, after, session.run.headway_s))["whole"]
    assert counts_in(told["effect"]) == [shown[name] for name in ("net_trips", "net_presence") if shown[name] is not None]
    assert session.state()["history"][-1]["text"] == told["edit"]["label"]


def _with(plan: Plan, k: int, row: Sequence[int]) -> Plan:
    from owlbus.plan import Route

    routes = list(plan.routes)
    routes[k] = Route(row, routes[k].name)
    return Plan(tuple(routes), plan.network_fingerprint)


# ---------------------------------------------------------------- why not here
def test_why_says_what_explain_says_of_the_same_stop(shared: ExploreSession, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hexagon = _unserved(shared)
    for lang in ("en", "ko"):
        told = ask(shared, "/api/why", lang, hex=hexagon)
        document = printed(capsys, "explain", str(run), "why", str(told["stop"]), "--lang", lang)
        assert told["lines"][: len(document["lines"])] == document["lines"]
        desk = HelpDesk.of(shared)
        names, decided = desk.names(lang), desk.decided(shared.run.plan, lang)
        found = explain_hex(shared.run.evaluator, shared.run.plan, hexagon, names, desk.explain_limits, decided).document
        assert found is not None
        assert json.loads(json.dumps(found)) == {name: document[name] for name in found}


def _unserved(session: ExploreSession) -> int:
    """A hex that the plan does not reach at all and a change can serve."""
    share = session.run.evaluator.counter.reached_share(session.run.plan)
    return next(h for h in np.flatnonzero(share == 0).tolist() if ask(session, "/api/why", hex=h)["change"] is not None)


def test_the_change_of_why_serves_the_hex_and_leaves_locked_routes_alone(session: ExploreSession) -> None:
    hexagon = _unserved(session)
    free = ask(session, "/api/why", hex=hexagon)["change"]["edit"]
    (key,) = free["changes"]
    session.apply({"kind": "lock", "route": key, "locked": True})
    change = ask(session, "/api/why", hex=hexagon)["change"]
    assert key not in change["edit"]["changes"]
    session.apply(change["edit"])
    assert session.run.evaluator.counter.reached_share(session.plan.to_plan())[hexagon] > 0
    session.undo()
    session.undo()
    session.apply(free)
    assert session.run.evaluator.counter.reached_share(session.plan.to_plan())[hexagon] > 0


def test_why_names_every_limit_that_its_change_breaks(shared: ExploreSession) -> None:
    share = shared.run.evaluator.counter.reached_share(shared.run.plan)
    for hexagon in np.flatnonzero(share == 0).tolist():
        told = ask(shared, "/api/why", hex=hexagon)
        if told["change"] is None:
            continue
        (key,) = told["change"]["edit"]["changes"]
        after = _with(shared.run.plan, int(key[1:]) - 1, told["change"]["edit"]["changes"][key])
        for line in newly_broken(shared.run.study.network, shared.run.plan, after, shared.run.limits):
            assert line in " ".join(told["lines"])


def test_why_of_a_served_hex_says_which_stop_serves_it(shared: ExploreSession) -> None:
    share = shared.run.evaluator.counter.reached_share(shared.run.plan)
    told, near = ask(shared, "/api/why", hex=int(np.argmax(share))), shared.state()["hexes"]["near"]
    assert f"{near[int(np.argmax(share))]} % of this hexagon's area is within the walk" in told["lines"][0]
    assert told["stop"] in shared.run.plan.used_stops or told["change"] is not None


@pytest.mark.parametrize("hexagon", [-1, 60, 2**70, True, "3", None, 1.5, [1], {}])
def test_why_refuses_what_is_no_hex_in_one_line(shared: ExploreSession, hexagon: object) -> None:
    with pytest.raises(UsageError, match=r"^a hex must be an index in \[0, 59\]"):
        ask(shared, "/api/why", hex=hexagon)


# ---------------------------------------------------------------- compare
def test_a_comparison_is_that_of_compare(shared: ExploreSession, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys, "compare", str(run / "reference.geojson"), str(run))
    told = ask(shared, "/api/compare", run=str(run / "reference.geojson"))
    own, other = told["document"]["plans"]["this plan"], told["document"]["plans"]["reference"]
    assert json.loads(json.dumps(own)) == document["plans"]["run"]
    assert json.loads(json.dumps(other)) == document["plans"]["reference"]
    assert json.loads(json.dumps(told["document"]["differences"]["this plan"])) == document["differences"]["run"]
    rows = {row["label"]: row for row in told["numbers"]}
    assert f"{100 * own['presence']['share']:.1f}" in told["numbers"][0]["text"]
    assert f"{100 * document['differences']['run']['presence_share_change']:+.1f} points" == told["numbers"][0]["change_text"]
    buses = rows["buses"]
    assert (buses["text"], buses["other_text"]) == (f"{own['total_buses']}", f"{other['total_buses']}")
    assert buses["change_text"] == f"{own['total_buses'] - other['total_buses']:+d}"
    page = shared.page("en")
    saved, reference = shared.numbers.figures(shared.plan, with_riders=False), shared._reference
    assert reference is not None
    assert {name: told[name] for name in ("gained", "lost")} == page.hex_state(saved)["against"]


def test_a_run_directory_and_its_plan_file_are_the_same_plan(shared: ExploreSession, run: Path) -> None:
    for text in (str(run), f" {run / 'plan.geojson'} "):
        name, plan, _ = read_other_plan(shared.run, text)
        assert plan.equals(shared.run.plan)
        assert name in {"run", "plan"}


@pytest.mark.parametrize(
    "text", ["", "   ", None, 7, "a\0b", "x" * 5_000, "/no/such/run", "/dev/zero", "/proc", "~nobody-here/run", "y" * 300]
)
def test_what_is_no_plan_is_refused_in_one_line(shared: ExploreSession, text: object) -> None:
    with pytest.raises(OwlbusError) as caught:
        ask(shared, "/api/compare", run=text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


# ---------------------------------------------------------------- headways
def test_headways_and_runs_are_those_of_the_timetable_of_the_plan(shared: ExploreSession) -> None:
    from owlbus.pipeline.outputs import timetable_of_plan

    chart = ask(shared, "/api/headways")
    n_buses = plan_measures(shared.run.study.network, shared.run.plan, shared.run.headway_s).total_buses
    table, _, _ = timetable_of_plan(shared.run.study, shared.run.plan, n_buses, shared.run.headway_s)
    assert chart["fleet"] == table.fleet
    for k, row in enumerate(chart["routes"]):
        assert row["headways"] == [round(seconds / 60, 1) for seconds in table.headway_s[2 * k].tolist()]
        line = chart["string_line"][row["id"]]
        ahead = [one["times"] for one in line["runs"] if not one["back"]]
        assert [times[0] for times in ahead] == table.starts_s(2 * k).tolist()
        assert all(len(one["times"]) == len(line["stops"]) and one["times"] == sorted(one["times"]) for one in line["runs"])
        back = [one["times"] for one in line["runs"] if one["back"]]
        assert [times[0] for times in back] == table.starts_s(2 * k + 1).tolist()
        assert line["stops"][-1]["at_m"] == table.directions[2 * k].length_m


def test_headways_of_one_route_are_its_own_and_an_unknown_one_is_refused(shared: ExploreSession) -> None:
    assert list(ask(shared, "/api/headways", route="r2")["string_line"]) == ["r2"]
    with pytest.raises(EditError):
        ask(shared, "/api/headways", route="r77")


def test_a_plan_without_routes_has_no_headways_and_says_so(session: ExploreSession) -> None:
    for key in ("r1", "r2", "r3"):
        session.apply({"kind": "drop", "route": key})
    with pytest.raises(UsageError, match="no routes"):
        ask(session, "/api/headways")


# ---------------------------------------------------------------- improve
def test_a_search_keeps_locked_routes_and_asks_for_no_more_kilometres_or_buses(roomy: ExploreSession) -> None:
    roomy.apply({"kind": "lock", "route": "r2", "locked": True})
    before, was = roomy.state(), roomy.plan
    window = roomy.watch()
    assert ask(roomy, "/api/improve", seconds=2)["started"]
    with pytest.raises(UsageError, match="runs already"):
        ask(roomy, "/api/improve", seconds=2)
    events = _until_done(window)
    assert events[-1]["done"]
    assert events[-1]["error"] is None
    assert roomy.state()["version"] == before["version"]
    assert len(events) > 1, "the plan is three shortest paths: a better one is found at once"
    state = ask(roomy, "/api/improve/keep")
    assert len(state["history"]) == len(before["history"]) + 1
    assert roomy.plan.require("r2") == was.require("r2")
    old, new = ({row["key"]: row["value"] for row in one["numbers"]} for one in (before, state))
    assert new["km"] <= old["km"]
    assert new["buses"] <= old["buses"]
    assert new["served"] > old["served"]
    last = [event for event in events if event["numbers"]][-1]
    assert {row["key"]: row["value"] for row in last["numbers"]} == new
    roomy.undo()
    assert roomy.plan == was
    with pytest.raises(UsageError, match="No better plan"):
        ask(roomy, "/api/improve/keep")


def test_a_search_that_is_stopped_ends_at_once(roomy: ExploreSession) -> None:
    window = roomy.watch()
    ask(roomy, "/api/improve", seconds=100)
    begun = time.monotonic()
    assert ask(roomy, "/api/improve/stop") == {"stopped": True}
    assert _until_done(window)[-1]["done"]
    assert time.monotonic() - begun < 30


def test_a_result_that_no_longer_fits_is_not_kept(roomy: ExploreSession) -> None:
    around = SearchAround.of(roomy.run, roomy.plan)
    changes = around.changes_to(search_around(roomy.run, around, 1.0, [].append, lambda: False))
    version, (key, *_) = roomy.version, changes
    roomy.apply({"kind": "reverse", "route": key})
    with pytest.raises(ConflictError):
        roomy.apply(set_stops(changes, "late"), version)


def test_a_route_that_breaks_a_limit_stays_as_it_is_and_all_locked_is_refused(tmp_path: Path, shared: ExploreSession) -> None:
    longest = int(plan_measures(shared.run.study.network, shared.run.plan).longer_length_m.max())
    session = limited(tmp_path, max_length_m=longest - 1, max_circuity=9.0, max_pair_circuity=None, allow_spurs=True)
    around = SearchAround.of(session.run, session.plan)
    assert around.broken == ("N1",)
    assert [row.key for row in around.free] == ["r2", "r3"]
    assert around.begin.names == ("N1", "N2", "N3")
    for key in ("r2", "r3"):
        session.apply({"kind": "lock", "route": key, "locked": True})
    with pytest.raises(UsageError, match="Every route is locked"):
        ask(session, "/api/improve", seconds=1)
    session.close()


@pytest.mark.parametrize("seconds", [0, -1, 1e9, float("nan"), "10", None, True, [1]])
def test_a_search_of_no_sensible_length_is_refused(session: ExploreSession, seconds: object) -> None:
    with pytest.raises(UsageError, match=r"^a search takes 1 to 120 seconds"):
        ask(session, "/api/improve", seconds=seconds)


def _until_done(window: queue.Queue[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events of a search up to its end."""
    events = []
    while not events or not events[-1].get("done"):
        event = window.get(timeout=60)
        if event["type"] == "improve":
            events.append(event)
    return events


# ---------------------------------------------------------------- reach
def test_a_click_tells_what_the_command_prints_from_the_same_place(
    shared: ExploreSession, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = shared.run.study.network
    stop = int(shared.run.plan.routes[0].stops[1])
    lon, lat = float(network.stop_lon[stop]), float(network.stop_lat[stop])
    told = ask(shared, "/api/reach", lon=lon, lat=lat, at="01:30")
    found = printed(capsys, "reach", str(run), "--from", f"{lon!r},{lat!r}", "--at", "01:30")
    counts = [[row[kind]["people"] for kind in ("median", "bad_luck")] for row in found["within"]]
    assert [[int(row[cell].replace("<15", "0").replace(",", "")) for cell in (1, 3)] for row in told["rows"]] == counts
    assert len(told["classes"]) == network.grid.n_hexes
    reached = {row["hex"] for row in found["hexes"] if row["median_min"] is not None}
    assert {str(network.grid.labels[k]) for k, digit in enumerate(told["classes"]) if digit != "0"} == reached
    assert ask(shared, "/api/reach", "ko", lon=lon, lat=lat, at="01:30")["rows"][0][0] == "30\ubd84 \uc774\ub0b4"


def test_a_click_without_a_place_or_a_time_is_refused_in_one_line(shared: ExploreSession) -> None:
    for message in (
        {"lon": "x", "lat": 1, "at": "01:30"},
        {"lon": 127.0, "lat": None, "at": "01:30"},
        {"lon": float("nan"), "lat": 1, "at": "1:30"},
    ):
        with pytest.raises(UsageError, match="a place must be a longitude and a latitude in degrees, got"):
            ask(shared, "/api/reach", **message)
    with pytest.raises(UsageError, match="a time must read HH:MM"):
        ask(shared, "/api/reach", lon=127.0, lat=37.5, at="noon")
    with pytest.raises(UsageError, match="from the nearest stop where buses halt that night"):
        ask(shared, "/api/reach", lon=126.0, lat=37.5, at="01:30")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_message_is_answered_or_refused_in_one_line(shared: ExploreSession, data: st.DataObject) -> None:
    """Nothing but errors of one line comes out, and the plan stays what it is."""
    names = {
        "/api/why": ("hex",),
        "/api/compare": ("run",),
        "/api/headways": ("route",),
        "/api/reach": ("lat", "lon", "at"),
        "/api/export": ("format",),
        "/api/comments/export": ("format",),
        "POST /api/comments": ("add", "remove", "import"),
    }
    path = data.draw(st.sampled_from(sorted(names)))
    message = {name: data.draw(values) for name in names[path]}
    if path == "POST /api/comments" and data.draw(st.booleans()):
        keys = st.sampled_from(["text", "lon", "lat", "stop", "route", "hex", "name", "time", "format"])
        message = {data.draw(st.sampled_from(["add", "import"])): data.draw(st.dictionaries(keys, values, max_size=5))}
    before = shared.plan
    try:
        ask(shared, path, **message)
    except OwlbusError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most messages are refused, some are right by chance
    assert shared.plan == before


def test_an_edit_of_other_stops_has_a_label_that_fits() -> None:
    edit = set_stops({"r1": (1, 2), "r2": None}, "x" * 200)
    assert edit["changes"] == {"r1": [1, 2], "r2": None}
    assert len(edit["label"]) == 80


def test_a_plan_file_of_the_plan_in_hand_gives_no_difference(shared: ExploreSession, tmp_path: Path) -> None:
    file = tmp_path / "same.geojson"
    file.write_bytes(plan_geojson(shared.run.study.network, shared.run.plan, shared.run.headway_s))
    told = ask(shared, "/api/compare", run=str(file))
    assert told["gained"] == told["lost"] == []
