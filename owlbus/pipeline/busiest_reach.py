"""Reach of the busiest stop of a plan, for the report of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.evidence.reached_people import reach_document
from owlbus.network.walk_sheds import points_of
from owlbus.timetable.reach_times import ReachQuery, default_time_s, find_reach

if TYPE_CHECKING:
    from owlbus.pipeline.study import Study
    from owlbus.timetable import Timetable


def busiest_reach(study: Study, timetable: Timetable) -> dict[str, Any] | None:
    """
    Where one gets in the middle of the night from the stop of a timetable with most people around it.

    Parameters
    ----------
    study
        Grid, demand and network.
    timetable
        Runs of one night.

    Returns
    -------
    dict or None
        As `owlbus.evidence.reached_people.reach_document` returns it, without hexes, and the index of the ``stop``; people a night as
        they are printed. None where no people are printed.
    """
    network, demand, publisher = study.network, study.demand, study.publisher
    people = publisher.counts(demand.presence_by_hex())
    points, used = points_of(network), timetable.plan.used_stops.tolist()
    around = [people[points.point[slice(*points.indptr[stop : stop + 2].tolist())] // points.n_points].sum() for stop in used]
    if not timetable.n_runs or not max(around, default=0.0) > 0:
        return None
    stop = int(used[int(np.argmax(around))])
    query = ReachQuery(float(network.stop_lon[stop]), float(network.stop_lat[stop]), default_time_s(demand.hours))
    document = reach_document(network, demand, find_reach(network, [timetable], query), network.stop_names[stop], publisher)
    del document["hexes"]
    return {"stop": stop, **document}
