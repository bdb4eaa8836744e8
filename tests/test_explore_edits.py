"""Edits by hand: what each kind does to a route, what it refuses, and that numbers are those of a scorecard."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from explore_town import opened, random_edit, town_run
from hypothesis import given, settings
from hypothesis import strategies as st

from owlbus.cli.app import run as run_command
from owlbus.explore.edit_form import FORMS, checked_edit
from owlbus.explore.edited_plan import EditedPlan
from owlbus.explore.edits import apply_edit
from owlbus.explore.explore_session import ConflictError, ExploreSession, ReadOnlyError
from owlbus.explore.explore_words import EditError, sentence
from owlbus.explore.ways import alternative_ways, fastest_way, is_linked, threaded, without_loops
from owlbus.pipeline import score_study
from owlbus.plan import Plan, Route, check_plan, plan_geojson

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town_run(tmp_path_factory.mktemp("edits"))


@pytest.fixture(scope="module")
def shared(run: Path) -> ExploreSession:
    """A session for reading only: tests make their edits on its plan without keeping them."""
    return opened(run, is_read_only=True)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ExploreSession]:
    one = opened(town_run(tmp_path))
    yield one
    one.close()


def after(session: ExploreSession, **edit: object) -> EditedPlan:
    """The session's plan after an edit that is not kept."""
    return apply_edit(session.run.study.network, session.plan, checked_edit(edit))[0]


def stops(plan: EditedPlan, key: str = "r1") -> tuple[int, ...]:
    return plan.require(key).stops


def refused(session: ExploreSession, key: str, **edit: object) -> None:
    with pytest.raises(EditError) as caught:
        after(session, **edit)
    assert caught.value.key == key


def is_course(session: ExploreSession, row: tuple[int, ...]) -> bool:
    """Whether a bus can run along some stops without calling twice at one."""
    return len(set(row)) == len(row) and all(is_linked(session.run.study.network, a, b) for a, b in pairwise(row))


def off(session: ExploreSession, key: str = "r1", near: int = 4) -> int:
    """A stop that a route does not call at, nearest to one of its stops."""
    row = stops(session.plan, key)
    away = session.run.study.network.drive_s[row[near]]
    return next(stop for stop in np.argsort(away, kind="stable").tolist() if stop not in row)


def test_a_moved_stop_is_joined_in_by_the_fastest_drives(shared):
    stop, before = off(shared), stops(shared.plan)
    now = stops(after(shared, kind="move_stop", route="r1", position=4, stop=stop))
    assert is_course(shared, now)
    assert stop in now
    assert before[4] not in now
    assert (now[0], now[-1]) == (before[0], before[-1])


@pytest.mark.parametrize("position", [0, -1])
def test_a_moved_end_is_the_new_end(shared, position):
    place = range(len(stops(shared.plan)))[position]
    stop = off(shared, near=place)
    now = stops(after(shared, kind="move_stop", route="r1", position=place, stop=stop))
    assert is_course(shared, now)
    assert now[position] == stop


def test_a_stop_dropped_on_its_neighbour_is_left_out(shared):
    row = stops(shared.plan)
    now = stops(after(shared, kind="move_stop", route="r1", position=0, stop=row[1]))
    assert now == row[1:]


def test_an_inserted_stop_lies_between_its_neighbours_or_replaces_what_is_driven_twice(shared):
    stop, row = off(shared), stops(shared.plan)
    now = stops(after(shared, kind="insert_stop", route="r1", position=4, stop=stop))
    assert is_course(shared, now)
    assert set(row[:4]) | {stop} <= set(now) | set(row)
    assert stop in now


def test_a_stop_left_out_is_driven_around(shared):
    row = stops(shared.plan)
    now = stops(after(shared, kind="delete_stop", route="r1", position=3))
    assert is_course(shared, now)
    assert row[3] not in now
    assert stops(after(shared, kind="delete_stop", route="r1", position=0)) == row[1:]
    assert stops(after(shared, kind="delete_stop", route="r1", position=len(row) - 1)) == row[:-1]


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_route_is_extended_from_its_end_around_its_own_stops(shared, end):
    row, stop = stops(shared.plan, "r3"), off(shared, "r3", 0 if end == "first" else -1)
    now = stops(after(shared, kind="extend", route="r3", end=end, stop=stop), "r3")
    assert is_course(shared, now)
    assert (now[-len(row) :], now[0]) == (row, stop) if end == "first" else (now[: len(row)], now[-1]) == (row, stop)


def test_a_route_is_cut_at_either_side_of_a_stop(shared):
    row = stops(shared.plan)
    assert stops(after(shared, kind="cut", route="r1", end="last", position=2)) == row[:3]
    assert stops(after(shared, kind="cut", route="r1", end="first", position=2)) == row[2:]
    refused(shared, "refused.short", kind="cut", route="r1", end="last", position=0)
    refused(shared, "refused.end", kind="cut", route="r1", end="first", position=0)


def test_a_drawn_route_follows_the_network_between_the_stops_clicked(shared):
    network = shared.run.study.network
    clicked = [0, 33, 7]
    now = after(shared, kind="new_route", stops=clicked)
    row = now.routes[-1]
    assert (row.name, row.key) == ("N4", "r4")
    assert is_course(shared, row.stops)
    assert [stop for stop in row.stops if stop in clicked] == clicked
    ways = alternative_ways(network, 0, 33)
    assert ways[0] == tuple(network.shortest_path(0, 33).tolist())
    assert len(set(ways)) == len(ways) > 1
    chosen = after(shared, kind="new_route", stops=[0, 33], way=list(ways[1]), name="Harbour")
    assert (chosen.routes[-1].stops, chosen.routes[-1].name) == (ways[1], "Harbour")
    refused(shared, "refused.name", kind="new_route", stops=clicked, name="N1")
    refused(shared, "refused.short", kind="new_route", stops=[3])
    refused(shared, "refused.link", kind="new_route", stops=[0, 33], way=[0, 33])


def test_routes_are_dropped_copied_named_coloured_turned_and_locked(shared):
    row = stops(shared.plan)
    assert [one.key for one in after(shared, kind="drop", route="r2").routes] == ["r1", "r3"]
    copied = after(shared, kind="duplicate", route="r1")
    assert [(one.name, one.stops == row) for one in copied.routes[:2]] == [("N1", True), ("N1-2", True)]
    assert copied.routes[1].colour not in {one.colour for one in shared.plan.routes}
    assert after(shared, kind="rename", route="r1", name="Owl").names[0] == "Owl"
    assert after(shared, kind="recolour", route="r1", colour="#0a0b0c").routes[0].colour == "#0a0b0c"  # noqa: RUF100
    assert stops(after(shared, kind="reverse", route="r1")) == row[::-1]
    locked = after(shared, kind="lock", route="r1", locked=True)
    network = shared.run.study.network
    for kind, (required, _) in FORMS.items():
        if "route" in required and kind not in {"lock", "recolour", "duplicate"}:
            values = {"position": 1, "stop": 0, "end": "last", "name": "x", "other": "r2"}
            edit = {"kind": kind, **{name: values[name] for name in required if name != "route"}, "route": "r1"}
            with pytest.raises(EditError, match="N1 is locked; unlock it first"):
                apply_edit(network, locked, checked_edit(edit))
    with pytest.raises(EditError, match="locked"):
        apply_edit(network, locked, checked_edit({"kind": "set_stops", "changes": {"r1": None}, "label": "x"}))


def test_a_route_split_in_two_joins_again_at_the_shared_stop(shared):
    row, network = stops(shared.plan), shared.run.study.network
    two = after(shared, kind="split", route="r1", position=3)
    assert (two.routes[0].stops, two.routes[1].stops, two.routes[1].name) == (row[:4], row[3:], "N1-2")
    for turned in (two, apply_edit(network, two, checked_edit({"kind": "reverse", "route": "r4"}))[0]):
        one, note = apply_edit(network, turned, checked_edit({"kind": "join", "route": "r1", "other": "r4", "stop": row[3]}))
        assert (one.routes[0].stops, len(one.routes), note.key) == (row, 3, "edit.join")
    refused(shared, "refused.terminal", kind="join", route="r1", other="r2", stop=row[3])
    refused(shared, "refused.itself", kind="join", route="r1", other="r1", stop=row[0])
    refused(shared, "refused.end", kind="split", route="r1", position=0)


def test_stops_are_set_for_some_routes_at_once(shared):
    network = shared.run.study.network
    way = network.shortest_path(3, 30).tolist()
    now = after(shared, kind="set_stops", changes={"r1": way, "r2": None}, label="better")
    assert [(one.key, one.stops) for one in now.routes] == [("r1", tuple(way)), ("r3", stops(shared.plan, "r3"))]
    refused(shared, "refused.link", kind="set_stops", changes={"r1": [3, 30]}, label="x")
    refused(shared, "refused.twice", kind="set_stops", changes={"r1": [*way, way[-2]]}, label="x")
    refused(shared, "refused.stop", kind="set_stops", changes={"r1": [*way, 9_999]}, label="x")


def test_what_does_not_fit_is_refused_with_its_reason(shared):
    row = stops(shared.plan)
    refused(shared, "refused.route", kind="drop", route="r9")
    refused(shared, "refused.position", kind="delete_stop", route="r1", position=len(row))
    refused(shared, "refused.twice", kind="move_stop", route="r1", position=0, stop=row[4])
    refused(shared, "refused.same", kind="move_stop", route="r1", position=4, stop=row[4])
    refused(shared, "refused.twice", kind="insert_stop", route="r1", position=0, stop=row[4])
    refused(shared, "refused.stop", kind="insert_stop", route="r1", position=0, stop=60)
    refused(shared, "refused.name", kind="rename", route="r1", name="N2")


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (None, "form.kind"),
        ([], "form.kind"),
        ({"kind": "fly"}, "form.kind"),
        ({"kind": ["drop"]}, "form.kind"),
        ({"kind": "drop"}, "form.missing"),
        ({"kind": "drop", "route": 1}, "form.route"),
        ({"kind": "drop", "route": "r0"}, "form.route"),
        ({"kind": "drop", "route": "r1", "stop": 3}, "form.unknown"),
        ({"kind": "cut", "route": "r1", "end": ["last"], "position": 1}, "form.end"),
        ({"kind": "lock", "route": "r1", "locked": 1}, "form.locked"),
        ({"kind": "delete_stop", "route": "r1", "position": True}, "form.position"),
        ({"kind": "delete_stop", "route": "r1", "position": -1}, "form.position"),
        ({"kind": "insert_stop", "route": "r1", "position": 0, "stop": 1.0}, "form.stop"),
        ({"kind": "rename", "route": "r1", "name": "a\nb"}, "form.name"),
        ({"kind": "rename", "route": "r1", "name": " "}, "form.name"),
        ({"kind": "recolour", "route": "r1", "colour": "red"}, "form.colour"),
        ({"kind": "new_route", "stops": []}, "form.stops"),
        ({"kind": "set_stops", "changes": {"r1": [1]}, "label": "x"}, "form.changes"),
    ],
)
def test_an_edit_of_another_form_is_refused(edit, key):
    with pytest.raises(EditError) as caught:
        checked_edit(edit)
    assert caught.value.key == key
    assert all("\n" not in caught.value.text(language) for language in ("en", "ko"))


def test_both_languages_say_the_same_sentences():
    tables = [
        json.loads((Path(sentence.__code__.co_filename).parent / "assets" / f"session.{name}.json").read_text()) for name in ("en", "ko")
    ]
    assert list(tables[0]) == list(tables[1])
    for key, text in tables[0].items():
        braces = [{part.partition("}")[0] for part in one.split("{")[1:]} for one in (text, tables[1][key])]
        assert braces[0] == braces[1], key


def test_a_route_back_over_other_streets_keeps_its_stops(shared):
    network = shared.run.study.network
    there, home = network.shortest_path(0, 33), alternative_ways(network, 33, 0)[1]
    plan = EditedPlan.of(Plan((Route(there, "N9", home),), network.fingerprint))
    with pytest.raises(EditError, match="N9 runs back over streets of its own"):
        apply_edit(network, plan, {"kind": "delete_stop", "route": "r1", "position": 1})
    turned, _ = apply_edit(network, plan, {"kind": "reverse", "route": "r1"})
    assert (turned.routes[0].stops, turned.routes[0].back) == (home, tuple(there.tolist()))
    renamed, _ = apply_edit(network, plan, {"kind": "rename", "route": "r1", "name": "N10"})
    assert renamed.to_plan().routes[0].back is not None


def test_a_stop_that_a_given_route_passes_twice_may_stay(shared):
    network = shared.run.study.network
    way = network.shortest_path(0, 33).tolist()
    twice = [*way, way[-2]]
    plan = EditedPlan.of(Plan((Route(twice, "N9"),), network.fingerprint))
    stop = next(stop for stop in range(60) if stop not in twice and is_linked(network, way[0], stop))
    now, _ = apply_edit(network, plan, {"kind": "extend", "route": "r1", "end": "first", "stop": stop})
    assert now.routes[0].stops == (stop, *twice)
    cut, _ = apply_edit(network, plan, {"kind": "delete_stop", "route": "r1", "position": len(twice) - 1})
    assert cut.routes[0].stops == tuple(way)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_a_way_without_loops_has_each_stop_once_and_both_ends(row):
    cut = without_loops(row)
    assert len(set(cut)) == len(cut)
    assert (cut[0], cut[-1]) == (row[0], row[-1])
    assert set(pairwise(cut)) <= set(pairwise(row))


@settings(max_examples=60)
@given(st.integers(0, 59), st.integers(0, 59), st.lists(st.integers(0, 59), max_size=25))
def test_a_way_around_stops_is_the_fastest_that_passes_none(shared, start, end, around):
    import networkx as nx

    network = shared.run.study.network
    if start == end or is_linked(network, start, end):
        return
    graph = network.to_networkx()
    graph.remove_nodes_from(set(around) - {start, end})
    way = fastest_way(network, start, end, around)
    try:
        best = nx.shortest_path_length(graph, start, end, weight="seconds")
    except nx.NetworkXNoPath:
        assert way == ()
    else:
        assert sum(network.link(a, b)[0] for a, b in pairwise(way)) == best
        assert set(way[1:-1]).isdisjoint(around)


def test_a_stop_at_a_dead_end_can_only_be_an_end():
    from cities import city

    network, _ = city(4, [(0, 1), (1, 2), (1, 3)], {(0, 2): 1.0})
    assert threaded(network, [0, 1], 3, []) == (0, 1, 3)
    assert threaded(network, [0, 1], 3, [2]) == ()


def test_random_edits_undone_give_the_first_plan_bit_by_bit_and_done_again_the_last(session):
    rng = random.Random(11)  # noqa: S311 - edits for tests
    network, headway_s = session.run.study.network, session.run.headway_s
    first, state = plan_geojson(network, session.plan.to_plan(), headway_s), session.state()
    refusals = 0
    while session.version < 40:
        try:
            session.apply(random_edit(session, rng), session.version)
        except EditError:
            refusals += 1
    last, changed = plan_geojson(network, session.plan.to_plan(), headway_s), session.state()
    assert 0 < refusals < 200
    assert changed["routes"] != state["routes"]
    while session.state()["can_undo"]:
        session.undo()
    assert plan_geojson(network, session.plan.to_plan(), headway_s) == first
    same = ("routes", "numbers", "limits", "hexes", "districts")
    assert {name: session.state()[name] for name in same} == {name: state[name] for name in same}
    while session.state()["can_redo"]:
        session.redo()
    assert plan_geojson(network, session.plan.to_plan(), headway_s) == last
    assert {name: session.state()[name] for name in same} == {name: changed[name] for name in same}


def test_every_route_of_random_edits_can_be_driven(session):
    rng = random.Random(5)  # noqa: S311 - edits for tests
    for _ in range(70):
        try:
            session.apply(random_edit(session, rng))
        except EditError:
            continue
        assert all(is_course(session, route.stops) for route in session.plan.routes)
        assert len(set(session.plan.names)) == len(session.plan.names)


def test_numbers_are_those_of_the_score_of_the_saved_plan(session, tmp_path, capsys):
    """Both the figures while a stop is dragged and those after it, to the last printed digit."""
    rng, publisher = random.Random(3), session.run.study.publisher  # noqa: S311 - edits for tests
    for _ in range(6):
        edit = None
        while edit is None:
            try:
                edit = random_edit(session, rng)
                shown = session.preview(edit)
                session.apply(edit)
            except EditError:
                edit = None
        state = session.state()
        riders_apart = [{**row, "riders": None, "peak_load": None} for row in state["routes"]]
        assert [row for row in riders_apart if row["id"] in {one["id"] for one in shown["routes"]}] == shown["routes"]
        assert (shown["numbers"], shown["limits"], shown["hexes"]) == (state["numbers"], state["limits"], state["hexes"])
    file = tmp_path / "edited.geojson"
    file.write_bytes(plan_geojson(session.run.study.network, session.plan.to_plan(), session.run.headway_s))
    capsys.readouterr()
    assert run_command(["score", str(file), "--run", str(session.run.path), "--json", "-q"]) == 0
    card = json.loads(capsys.readouterr().out)["plan"]["scorecard"]
    numbers = {row["key"]: row["value"] for row in state["numbers"]}
    for kind in ("presence", "served", "direct"):
        assert numbers[kind] == card[kind]["share"]
    assert (numbers["buses"], numbers["km"]) == (card["total_buses"], round(card["total_length_m"] / 1000, 1))
    for row, route in zip(state["routes"], card["routes"], strict=True):
        assert (row["name"], row["buses"], row["riders"], row["peak_load"]) == (
            route["name"],
            route["buses"],
            route["boardings_trips"],
            route["max_load_trips"],
        )
        assert row["riders"] % publisher.base == 0
    assert numbers["km"] != session.page().number_rows(session.page().saved)[3]["value"], "a plan that changed nothing checks nothing"


def test_figures_are_the_same_for_any_number_of_threads(shared):
    counter, plan = shared.run.evaluator.counter, shared.plan.to_plan()
    alone = counter.served_shares(plan)
    for n in (2, 3, 100):
        assert all((one == other).all() for one, other in zip(alone, counter.served_shares(plan, n), strict=True))


def test_limits_are_those_of_the_check_with_their_place(session):
    row = stops(session.plan)
    session.apply({"kind": "move_stop", "route": "r1", "position": 4, "stop": off(session)})
    far = max(range(60), key=lambda stop: int(session.run.study.network.drive_s[row[-1], stop]))
    session.apply({"kind": "extend", "route": "r2", "end": "last", "stop": far if far not in stops(session.plan, "r2") else 59})
    state = session.state()
    lines = check_plan(session.run.study.network, session.plan.to_plan(), session.run.limits)
    assert len(state["limits"]) == len(lines) > 0
    assert {limit["route"] for limit in state["limits"]} <= {None, "r1", "r2"}
    assert all(limit["text"] for limit in state["limits"])
    assert {"limits"} == {key for key in ("limits",) if session.state("ko")[key] != state[key]}


def test_the_share_of_the_bound_is_told_within_the_limits_only(session):
    rows = {row["key"]: row for row in session.state()["numbers"]}
    objective = session.numbers.figures(session.plan, with_riders=False).objective_share
    assert objective is not None
    assert rows["bound"]["value"] == pytest.approx(objective / 0.9, abs=0.02)
    network, first = session.run.study.network, stops(session.plan)[0]
    ring = [stop for stop in np.argsort(network.drive_s[first]).tolist() if stop not in stops(session.plan)]
    session.apply({"kind": "insert_stop", "route": "r1", "position": 6, "stop": ring[0]})
    assert session.state()["limits"]
    assert "bound" not in {row["key"] for row in session.state()["numbers"]}


def test_gained_and_lost_hexes_are_told_against_the_saved_plan_and_the_reference(session):
    state = session.state()
    assert (state["hexes"]["gained"], state["hexes"]["lost"]) == ([], [])
    assert state["hexes"]["against"]["gained"], "the reference has no third route"
    session.apply({"kind": "drop", "route": "r3"})
    now = session.state()["hexes"]
    assert now["lost"] == state["hexes"]["against"]["gained"]
    assert now["against"] == {"gained": [], "lost": []}
    session.mark_saved("elsewhere")
    state = session.state()
    assert (state["hexes"]["lost"], state["saved_version"], state["is_saved"]) == ([], state["version"], True)


def test_a_plan_without_routes_has_numbers_too(session):
    for key in ("r1", "r2", "r3"):
        session.apply({"kind": "drop", "route": key})
    state = session.state()
    assert state["routes"] == []
    numbers = {row["key"]: row["value"] for row in state["numbers"]}
    assert (numbers["presence"], numbers["km"], numbers["buses"], numbers["circuity"]) == (0, 0, 0, None)
    card = score_study(session.run.study, session.plan.to_plan(), "none").card.to_dict()
    assert card["presence"]["share"] == 0
    session.apply({"kind": "new_route", "stops": [3, 30]})
    assert session.state()["routes"][0]["id"] == "r4"


def test_an_edit_of_an_older_state_fits_while_its_route_is_as_it_was(session):
    version = session.version
    session.apply({"kind": "drop", "route": "r2"}, version)
    session.apply({"kind": "cut", "route": "r1", "end": "last", "position": 3}, version)
    with pytest.raises(ConflictError):
        session.apply({"kind": "cut", "route": "r1", "end": "last", "position": 2}, version)
    with pytest.raises(ConflictError):
        session.apply({"kind": "drop", "route": "r3"}, version + 99)
    assert next(row["text"] for row in session.state()["history"]) == "N2 dropped"


def test_nothing_changes_in_a_session_for_reading_only(shared, run):
    for change in (lambda: shared.apply({"kind": "drop", "route": "r1"}), shared.undo, shared.redo, lambda: shared.mark_saved("x")):
        with pytest.raises(ReadOnlyError, match="for reading only"):
            change()
    assert shared.preview({"kind": "drop", "route": "r1"})["numbers"]
    assert not (run / "explore").exists()


def test_a_long_history_is_listed_from_its_end(session):
    for k in range(302):
        session.apply({"kind": "rename", "route": "r1", "name": f"X{k}"})
    state = session.state()
    assert (len(state["history"]), state["history_before"], state["history"][0]["text"]) == (300, 2, "X1 renamed X2")
    assert state["can_undo"]


def test_the_history_says_each_edit_and_its_effect_in_both_languages(session):
    session.apply({"kind": "drop", "route": "r3"})
    session.apply({"kind": "lock", "route": "r1", "locked": True})
    session.undo()
    first, second = session.state()["history"]
    assert (first["text"], first["undone"], second["undone"]) == ("N3 dropped", False, True)
    assert "km" in first["effect"]
    assert second["effect"] == "no effect on the numbers"
    assert session.state("ko")["history"][0]["text"] == "N3 폐지"
    session.apply({"kind": "rename", "route": "r1", "name": "N1"})
    assert len(session.state()["history"]) == 2, "a name that stays is no edit"
    session.apply({"kind": "rename", "route": "r1", "name": "N7"})
    assert [row["undone"] for row in session.state()["history"]] == [False, False]
    assert not session.state()["can_redo"]


def test_a_stop_moved_off_the_line_bends_the_route_where_it_would_double_back():
    """A street 0 to 8, and stop 9 beside it, reached from 3 and 5 by long links and from 2 and 6 by short ones."""
    from cities import city

    row = list(range(9))
    links = [*pairwise(row), (2, 9), (6, 9), (3, 9), (5, 9)]
    network, _ = city(10, links, {(0, 8): 1.0})
    metres = {(a, b): 3_000 if 9 in (a, b) and {a, b} & {3, 5} else 900 for a, b in links}
    both = {**metres, **{(b, a): m for (a, b), m in metres.items()}}
    pairs = [(a, int(b)) for a in range(10) for b in network.link_to[network.link_indptr[a] : network.link_indptr[a + 1]]]
    network = replace(network, link_m=[both[pair] for pair in pairs])
    plan = EditedPlan.of(Plan((Route(row, "N1"),), network.fingerprint))
    moved, _ = apply_edit(network, plan, {"kind": "move_stop", "route": "r1", "position": 4, "stop": 9})
    assert moved.routes[0].stops == (0, 1, 2, 9, 6, 7, 8)
    inserted, _ = apply_edit(network, plan, {"kind": "insert_stop", "route": "r1", "position": 2, "stop": 9})
    assert inserted.routes[0].stops[0] == 0
    assert 9 in inserted.routes[0].stops
