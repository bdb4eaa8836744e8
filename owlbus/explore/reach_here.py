"""Where one gets from a place on the map by the timetable of the plan in hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.common.units import DAY_S, HOUR_S, parse_time
from owlbus.evidence.reached_people import reach_document
from owlbus.explore.headway_chart import day_names
from owlbus.explore.help_desk import HelpDesk
from owlbus.explore.help_words import help_text
from owlbus.pipeline.day_services import day_services
from owlbus.pipeline.outputs import timetable_of_plan
from owlbus.plan import plan_measures
from owlbus.report.reach_tables import limit_texts, people_table, time_classes
from owlbus.report.translations import read_translations
from owlbus.timetable.reach_times import ReachQuery, find_reach

if TYPE_CHECKING:
    from owlbus.explore.explore_session import ExploreSession
    from owlbus.timetable import Timetable

_NOON_S = 12 * HOUR_S
_MOST_CLOCK = 8


def reach_here(session: ExploreSession, message: dict[str, Any]) -> dict[str, Any]:
    """
    People within reach of a place, and the class of each hex by the time to it.

    Parameters
    ----------
    session
        The session.
    message
        ``lat`` and ``lon`` of the place, degrees, and ``at``, HH:MM of the clock.

    Returns
    -------
    dict
        ``head`` and ``rows`` of a table, people a night as they are printed; ``classes``, one digit a hex into ``texts``; ``note``.

    Raises
    ------
    UsageError
        If the plan has no route, the message names no place or time, or no stop lies within the walk of the place.
    """
    run, language = session.run, message["lang"]
    words, network = read_translations(language), run.study.network
    lat, lon = (_degrees(message.get(name)) for name in ("lat", "lon"))
    query = ReachQuery(lon, lat, _clock_s(message.get("at")))
    reach = find_reach(network, [_timetable(session, language)], query)
    document = reach_document(network, run.study.demand, reach, "", run.study.publisher)
    table = people_table(document, words)
    return {
        "head": list(table.head),
        "rows": [list(row) for row in table.rows],
        "note": " ".join([table.note, *_day_note(session, language)]),
        "classes": "".join(map(str, time_classes(reach.hex_s()).tolist())),
        "texts": limit_texts(words),
    }


def _timetable(session: ExploreSession, language: str) -> Timetable:
    """Build the timetable that is written with the plan when it is saved, that of the first day type, once for each state of the plan."""
    desk, run = HelpDesk.of(session), session.run
    hand = desk.in_hand()
    if not hand.plan.routes:
        msg = help_text(language, "headways.none")
        raise UsageError(msg)
    with desk.lock:
        if desk.timetable is None or desk.timetable[0] != hand.version:
            services = day_services(run.study, hand.plan, run.day_types[:1], run.evaluator.problem.rule)
            n_buses = plan_measures(run.study.network, hand.plan, run.headway_s).total_buses
            built = services[0].timetable if services else timetable_of_plan(run.study, hand.plan, n_buses, run.headway_s)[0]
            desk.timetable = hand.version, built
        return desk.timetable[1]


def _day_note(session: ExploreSession, language: str) -> list[str]:
    """Return a sentence on the day type whose timetable it is; none where every night is alike."""
    return [help_text(language, "reach.days", days=day_names(day_type, language)) for day_type in session.run.day_types[:1]]


def _degrees(value: object) -> float:
    """Return a longitude or latitude, refused if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"a place must be a longitude and a latitude in degrees, got {str(value)[:40]!r}; choose one on the map"
        raise UsageError(msg)
    return float(value)


def _clock_s(value: object) -> int:
    """Return a time of the clock in seconds of the service night; hours before noon come after midnight."""
    text = str(value)[:_MOST_CLOCK]
    time_s = parse_time(text)
    return time_s + DAY_S * (time_s < _NOON_S)
