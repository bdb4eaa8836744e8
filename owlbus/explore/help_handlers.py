"""Addresses of the help beside the map: suggestions, a short search, reasons, comparisons and headways."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.evidence.answer_sentences import limit_sentences, sentence
from owlbus.explore.compare_runs import compare_with, read_other_plan
from owlbus.explore.edit_form import checked_edit
from owlbus.explore.edits import apply_edit
from owlbus.explore.explore_words import EditError
from owlbus.explore.file_handlers import FILE_HANDLERS
from owlbus.explore.handler_table import Handler
from owlbus.explore.headway_chart import headway_chart
from owlbus.explore.help_desk import HelpDesk
from owlbus.explore.help_words import effect_text, help_text
from owlbus.explore.improve_live import MOST_SECONDS, RunningSearch, SearchAround
from owlbus.explore.limit_rows import limit_rows_of
from owlbus.explore.printed_effect import EffectCounter
from owlbus.explore.reach_here import reach_here
from owlbus.explore.suggestions import suggest_changes
from owlbus.explore.why_not import explain_hex
from owlbus.plan import plan_measures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.help_desk import PlanInHand

_MOST_LABEL = 80
"""Characters of the label of an edit."""

_MOST_CHARTS = 8


def set_stops(changes: Mapping[str, Sequence[int] | None], label: str) -> dict[str, Any]:
    """
    Edit that gives routes other stops.

    Parameters
    ----------
    changes
        Stop indices of each route by its key; None drops it.
    label
        What the history says of it.

    Returns
    -------
    dict
        As `owlbus.explore.edit_form` takes it; a long label is shortened.
    """
    rows = {key: None if stops is None else list(stops) for key, stops in changes.items()}
    return {"kind": "set_stops", "changes": rows, "label": label if len(label) <= _MOST_LABEL else f"{label[: _MOST_LABEL - 1]}\u2026"}


def _suggest(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Best next changes, each as an edit."""
    desk, language = HelpDesk.of(session), message["lang"]
    hand = desk.in_hand()
    found = suggest_changes(session.run.evaluator, hand.plan, desk.names(language), session.run.limits, locked=hand.locked)
    changes = [
        {"edit": set_stops({hand.keys[one.route]: one.stops}, one.text), "text": one.text, "effect": one.effect, "kind": one.kind}
        for one in found
    ]
    return {"changes": changes, "version": hand.version}


def _why(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Why a hex is not served, and the change that would serve it."""
    desk, run, language = HelpDesk.of(session), session.run, message["lang"]
    hand, names = desk.in_hand(), desk.names(language)
    decided = desk.decided(hand.plan, language)
    answer = explain_hex(run.evaluator, hand.plan, message.get("hex"), names, desk.explain_limits, decided, locked=hand.locked)
    told: dict[str, Any] = {"lines": list(answer.lines), "stop": answer.stop, "change": None, "version": hand.version}
    if answer.change is None:
        return told
    network, after = run.study.network, answer.change.plan
    broken = [line for line in limit_sentences(network, hand.plan, after, run.limits, language) if line not in " ".join(answer.lines)]
    told["lines"] += [sentence(language, "back.broken", limit=line) for line in broken]
    row = hand.plan.names.index(answer.change.routes[0])
    shown = EffectCounter(run.evaluator, hand.plan, run.headway_s).effect_of(after)
    text = f"{answer.change.routes[0]}: {answer.change.label}"
    edit = set_stops({hand.keys[row]: after.routes[row].stops.tolist()}, text)
    told["change"] = {"edit": edit, "text": text, "effect": effect_text(language, shown)}
    return told


def _improve(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Begin a short search; its incumbents come as events."""
    desk, seconds, language = HelpDesk.of(session), _seconds(message.get("seconds", 10)), message["lang"]
    with desk.lock:
        if desk.search is not None and not desk.search.is_done:
            msg = "a search runs already; stop it first, or wait for its end"
            raise UsageError(msg)
        hand = desk.in_hand()
        around = SearchAround.of(session.run, hand.edited, language)
        note = help_text(language, "improve.held", routes=", ".join(around.broken)) if around.broken else ""

        def tell(changes: dict[str, list[int] | None], *, left_s: float, is_done: bool, error: str | None) -> None:
            event = _incumbent(session, hand, changes, language) if changes else {"routes": [], "numbers": [], "limits": []}
            more = {"left_s": round(left_s, 1), "done": is_done, "error": error, "note": note}
            session.publish({"type": "improve", **event, **more})

        desk.search, desk.searched_version = RunningSearch(session.run, around, seconds, tell, desk.n_searches), hand.version
        desk.n_searches += 1
        desk.search.start()
    return {"started": True, "seconds": seconds, "note": note}


def _incumbent(session: ExploreSession, hand: PlanInHand, changes: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What a better plan changes, as a preview has it."""
    run = session.run
    after, _ = apply_edit(run.study.network, hand.edited, checked_edit(set_stops(changes, "search")))
    with session.lock:
        figures, page, saved = session.numbers.figures(after, with_riders=False), session.page(language), session.saved_plan
    touched = [route.key for route in after.routes if route != hand.edited.find(route.key)]
    return {
        "routes": page.route_rows(after, figures, saved, touched),
        "numbers": page.number_rows(figures),
        "limits": limit_rows_of(run.study.network, after, figures.measures, run.limits, language),
        "hexes": page.hex_state(figures),
    }


def _stop(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """End the search that runs, with the best plan so far."""
    del message
    search = HelpDesk.of(session).search
    if search is not None:
        search.stop()
    return {"stopped": search is not None}


def _keep(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Take up the best plan of the last search as one edit."""
    desk, language = HelpDesk.of(session), message["lang"]
    with desk.lock:
        search = desk.search
        if search is None or not search.changes:
            msg = help_text(language, "improve.nothing")
            raise UsageError(msg)
        label = help_text(language, "improve.label", seconds=f"{search.seconds:g}")
        session.apply(set_stops(search.changes, label), desk.searched_version)
        search.stop()
        desk.search = None
    return session.state(language)


def _compare(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Measures beside those of another plan, and the hexes that this one gains and loses against it."""
    desk, run, language = HelpDesk.of(session), session.run, message["lang"]
    name, other, notes = read_other_plan(run, message.get("run"))
    hand = desk.in_hand()
    return {"notes": list(notes), **compare_with(run, hand.plan, other, name, language), "version": hand.version}


def _headways(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """Headways and waits by hour, and the runs of a route."""
    desk, run, language = HelpDesk.of(session), session.run, message["lang"]
    hand = desk.in_hand()
    if not hand.plan.routes:
        msg = help_text(language, "headways.none")
        raise UsageError(msg)
    key = message.get("route")
    if key is not None and key not in hand.keys:
        why = "refused.route"
        raise EditError(why, route=str(key)[:_MOST_LABEL])
    with desk.lock:
        chart = desk.charts.get((hand.version, language))
        if chart is None:
            n_buses = plan_measures(run.study.network, hand.plan, run.headway_s).total_buses
            more = {"language": language, "day_types": run.day_types}
            chart = headway_chart(run.study, hand.plan, n_buses, run.headway_s, run.evaluator.problem.rule, hand.keys, **more)
            desk.charts = dict([*desk.charts.items(), ((hand.version, language), chart)][-_MOST_CHARTS:])
    lines = chart["string_line"]
    return {**chart, "string_line": lines if key is None else {key: lines[key]}, "version": hand.version}


def _seconds(value: object) -> float:
    """Return the seconds of a search, refused if they are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 1 <= value <= MOST_SECONDS:
        msg = f"a search takes 1 to {MOST_SECONDS} seconds, got {str(value)[:40]!r}; name a number"
        raise UsageError(msg)
    return float(value)


HELP_HANDLERS: dict[str, Handler] = {
    "/api/suggest": Handler(_suggest),
    "/api/why": Handler(_why),
    "/api/improve": Handler(_improve, is_change=True),
    "/api/improve/stop": Handler(_stop, is_change=True),
    "/api/improve/keep": Handler(_keep, is_change=True),
    "/api/compare": Handler(_compare),
    "/api/headways": Handler(_headways),
    "/api/reach": Handler(reach_here),
    **FILE_HANDLERS,
}
"""Handlers by address, such as ``/api/suggest``."""
