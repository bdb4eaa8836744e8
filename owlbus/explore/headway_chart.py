"""Headways of a plan by route and hour, waits, and the runs of each route as a string-line diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.network.latin_names import display_name
from owlbus.pipeline.outputs import timetable_of_plan
from owlbus.timetable import rider_service, timetable_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.network import Network
    from owlbus.pipeline.study import Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable import Timetable


def headway_chart(
    study: Study, plan: Plan, n_buses: int, headway_s: int, rule: ServiceRule, keys: Sequence[str], language: str = "en"
) -> dict[str, Any]:
    """
    Timetable of a plan as the page draws it: the one that is written with the plan when it is saved.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        The plan, of one route at least.
    n_buses
        Fleet of the scorecard.
    headway_s
        Headway in seconds that it is counted for.
    rule
        When a trip counts as served.
    keys
        What the page calls each route.
    language
        Of the names of stops, ``en`` or ``ko``.

    Returns
    -------
    dict
        ``hours``; ``routes`` with headways and mean waits by hour in minutes, None over too few riders; ``string_line`` by route:
        ``stops`` with metres from the first one, and ``runs`` with the seconds of the service night at which each leaves the stops, those
        ``back`` in reverse order; and totals of the night.
    """
    timetable, report, operation = timetable_of_plan(study, plan, n_buses, headway_s)
    figures = timetable_document(timetable, report)
    riders = rider_service(study.network, study.demand, timetable, operation, rule).to_dict(study.min_count)
    routes = [
        {
            "id": key,
            **row,
            "headways": [_minutes(seconds) for seconds in row["headway_s"]],
            "waits": [_minutes(seconds) for seconds in waits["wait_s"]],
            "wait_s": waits["wait_s"],
            "crowding_share": waits["crowding_share"],
        }
        for key, row, waits in zip(keys, figures.pop("routes"), riders["routes"], strict=True)
    ]
    means = {name: riders[name] for name in ("wait_mean_s", "wait_p90_s", "ride_mean_s", "total_mean_s", "min_count", "counts")}
    lines = {key: _string_line(study.network, timetable, k, language) for k, key in enumerate(keys)}
    return {**figures, **means, "routes": routes, "string_line": lines}


def _minutes(seconds: float | None) -> float | None:
    """Return minutes to a tenth; None for a headway or wait that there is none of."""
    return None if not seconds else round(seconds / 60, 1)


def _string_line(network: Network, timetable: Timetable, k: int, language: str) -> dict[str, Any]:
    """Return the stops of a route by distance, and the times of its runs at them; none of a way back by other stops."""
    ahead, back = (timetable.directions[2 * k + way] for way in (0, 1))
    is_reverse = back.stops.tolist() == ahead.stops.tolist()[::-1]
    runs = [{"back": False, "times": (start + ahead.times_s(start)[1]).tolist()} for start in timetable.starts_s(2 * k).tolist()]
    if is_reverse:
        runs += [{"back": True, "times": (start + back.times_s(start)[1]).tolist()} for start in timetable.starts_s(2 * k + 1).tolist()]
    return {
        "name": timetable.plan.names[k],
        "stops": [
            {"name": display_name(network, stop, language, short=True), "at_m": metres}
            for stop, metres in zip(ahead.stops.tolist(), ahead.at_m.tolist(), strict=True)
        ],
        "runs": runs,
    }
