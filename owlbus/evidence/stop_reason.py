"""Why a plan has no stop at a place: what was near it before, what the plan gains instead, and what the stop would cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import Publisher, count_text
from owlbus.evidence.answer_sentences import cost_texts, sentence
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.explain import verdict
from owlbus.evidence.printed_difference import printed_difference
from owlbus.evidence.unserved_places import CheapestDetour, left_out
from owlbus.network.geodesy import metres_between

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from owlbus.evidence.changes import Change
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class StopReason:
    """
    Why a plan has no stop at a place.

    Attributes
    ----------
    stop, name
        The stop asked about: index and name.
    routes, routes_before
        Routes that call there, in the plan and in the earlier one.
    nearest_stop, nearest_m
        The plan's stop nearest to it in a straight line, and how far that is; None in a plan without routes.
    presence
        People a night within the walk of the stop, whom the plan does not reach.
    trips
        Trips a night with an end there that the plan does not serve; None where none were counted.
    back, back_difference
        The cheapest change that calls there again, and what it gains and loses; None if it is served, or no route gets there.
    whole
        What the plan gains and loses against the earlier one, or None.
    n_nights
        Nights of the demand.
    """

    stop: int
    name: str
    routes: tuple[str, ...]
    routes_before: tuple[str, ...] | None
    nearest_stop: int | None
    nearest_m: float | None
    presence: float
    trips: float | None
    back: Change | None
    back_difference: Difference | None
    whole: Difference | None
    n_nights: int

    def to_dict(self, min_count: float, language: str = "en") -> dict[str, Any]:
        """
        Answer as plain values for JSON, by the publishing rule.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples.
        language
            Of the verdict, ``en`` or ``ko``.

        Returns
        -------
        dict
            What stands where, metres, trips and people a night, and the change that would serve it again.
        """
        publisher = Publisher(min_count)
        back = None
        if self.back is not None and self.back_difference is not None:
            back = {
                "change": self.back.label,
                "routes": list(self.back.routes),
                "broken_limits": list(self.back.broken),
                "verdict": verdict(self.back, self.back_difference, self.n_nights, min_count, language),
                **printed_difference(self.back_difference, min_count),
            }
        return {
            "schema_version": SCHEMA_VERSION,
            "stop": self.stop,
            "name": self.name,
            "routes": list(self.routes),
            "routes_before": None if self.routes_before is None else list(self.routes_before),
            "nearest_stop": self.nearest_stop,
            "nearest_m": None if self.nearest_m is None else round(self.nearest_m),
            **publisher.facts,
            "presence": publisher.count(self.presence),
            "unserved_trips": None if self.trips is None else publisher.count(self.trips),
            "back": back,
            "whole": None if self.whole is None else printed_difference(self.whole, min_count),
            "n_nights": self.n_nights,
        }


def explain_stop(
    evaluator: PlanEvaluator,
    plan: Plan,
    stop: int,
    name: str,
    limits: RouteLimits,
    before: Plan | None = None,
    language: str = "en",
    locked: Collection[int] = (),
) -> StopReason:
    """
    Why a plan has no stop at a place.

    Parameters
    ----------
    evaluator
        The demand.
    plan
        The plan.
    stop
        Stop index of the network.
    name
        What people call it.
    limits
        What a change must keep, in metres and seconds.
    before
        The plan before it, or None.
    language
        Of the change that would serve it again, ``en`` or ``ko``.
    locked
        Indices of the routes that such a change leaves alone.

    Returns
    -------
    StopReason
        What was near, what is, and what the stop would cost.
    """
    network, counts = evaluator.problem.network, evaluator.evaluate(plan)
    label = sentence(language, "via", stop=name)
    routes, (people, trips) = _routes_at(plan, stop), left_out(evaluator, counts, stop)
    back = None if routes else CheapestDetour(evaluator, plan, limits, locked).to(stop, label)
    nearest = _nearest(network, plan, stop)
    headway_s = limits.headway_s
    return StopReason(
        stop=stop,
        name=name,
        routes=routes,
        routes_before=None if before is None else _routes_at(before, stop),
        nearest_stop=None if nearest is None else nearest[0],
        nearest_m=None if nearest is None else nearest[1],
        presence=people,
        trips=trips,
        back=back,
        back_difference=None if back is None else difference(evaluator, counts, evaluator.evaluate(back.plan), headway_s),
        whole=None if before is None else difference(evaluator, evaluator.evaluate(before), counts, headway_s),
        n_nights=evaluator.demand.n_nights,
    )


def _routes_at(plan: Plan, stop: int) -> tuple[str, ...]:
    """Names of the routes that call at a stop."""
    return tuple(route.name for route in plan.routes if (route.positions == stop).any())


def _nearest(network: Network, plan: Plan, stop: int) -> tuple[int, float] | None:
    """Stop of a plan nearest to one, and metres between them; None in a plan without routes."""
    if not plan.routes:
        return None
    stops = np.unique(np.concatenate([route.positions for route in plan.routes])).astype(np.int64)
    metres = metres_between(network.stop_lon, network.stop_lat, np.full(stops.size, stop), stops)
    best = int(np.argmin(metres))
    return int(stops[best]), float(metres[best])


def reason_lines(document: Mapping[str, Any], decided: Mapping[str, Any], nearest_name: str, language: str = "en") -> list[str]:
    """
    Sentences that say why a plan has no stop at a place.

    Parameters
    ----------
    document
        As `StopReason.to_dict` gives it.
    decided
        Who chose the stops: ``by``, one of ``search``, ``command``, ``hand`` and ``edit``, and what is known of it.
    nearest_name
        Name of the plan's nearest stop.
    language
        ``en`` or ``ko``.

    Returns
    -------
    list of str
        From what is there to what a stop would cost.
    """
    say = partial(sentence, language)
    base = document["min_count"]
    name, routes = document["name"], ", ".join(document["routes"])
    if routes:
        lines = [say("stop.here", name=name, routes=routes)]
    elif document["nearest_m"] is None:
        lines = [say("stop.nowhere", name=name)]
    else:
        lines = [say("stop.gone", name=name, nearest=nearest_name, metres=f"{document['nearest_m']:,}")]
    before = document["routes_before"]
    if before is not None:
        lines.append(say("before.here", routes=", ".join(before)) if before else say("before.gone"))
    lines.append(say(f"by.{decided['by']}", **{key: value for key, value in decided.items() if key != "by"}))
    people, trips = count_text(document["presence"], base), document["unserved_trips"]
    if not routes:
        lines.append(say("near.people", people=people) if trips is None else say("near", people=people, trips=count_text(trips, base)))
    if document["whole"] is not None:
        whole = document["whole"]["whole"]
        nets = {"trips": whole["net_trips"], "people": whole["net_presence"]}
        told = {key: say("none").lower() if net is None else f"{net:+,.0f}" for key, net in nets.items()}
        lines.append(say("whole", **told, **cost_texts(document["whole"]["cost"])))
    if routes:
        return lines
    if document["back"] is None:
        return [*lines, say("back.none")]
    lines.append(say("back", verdict=document["back"]["verdict"]))
    return [*lines, *(say("back.broken", limit=limit) for limit in document["back"]["broken_limits"])]
