"""
The city's own story on the sample city: a draft with a way-point at the wrong place, and the evidence that changed it.

In 2013 planners drew night routes, and call records moved their way-points: Seoul Arts Center gave way to Nambu Terminal, and busy
places that no route served were listed. This script draws N61 by the Arts Center again and asks owlbus the same questions. The demand is
SYNTHETIC: that it answers like the city did shows that the questions can be answered, not that the city was right.

Run ``python benchmarks/story.py``; ``--write`` also puts the figures into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sections import table, write_section

from owlbus.demand import agreement, estimate_demand
from owlbus.evidence import PlanEvaluator, difference
from owlbus.evidence.changes import replace_stop
from owlbus.evidence.explain import Answer, explain_change, with_alternative
from owlbus.evidence.stability import cross_checks
from owlbus.evidence.stop_names import StopNames
from owlbus.evidence.suggest import suggest_swaps
from owlbus.evidence.unserved_places import missing_places
from owlbus.plan import Plan, plan_measures, read_plan
from owlbus.plan.limits import RouteLimits
from owlbus.sample import sample_city, sample_grid, sample_network
from owlbus.search import Objective, plan_routes
from owlbus.search.improve import CURVE, improve_plan
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from owlbus.network import Network

ARTS_CENTER = (127.0119, 37.4785)
LISTED_BY_THE_CITY = ("Boramae", "Kkachisan", "Jangan")
SERVED = Objective()


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What every question is asked of."""

    network: Network
    evaluator: PlanEvaluator
    places: StopNames
    reference: Plan
    draft: Plan
    limits: RouteLimits


def set_stage() -> Stage:
    """
    Sample city with its seven nights, the routes of 2013, and the draft: N61 by the Arts Center instead of Nambu Terminal.

    On the lattice each place of the story is one stop; on streets it has several, and N61 passes beside the nearest of them.
    """
    city = replace(sample_city(), streets=None)
    grid = sample_grid(city)
    network = sample_network(city, grid)
    demand, _ = estimate_demand([str(city.calls_path), str(city.taxi_path)], grid)
    reference = read_plan(city.routes_path, network)
    evaluator = PlanEvaluator.build(network, demand)
    places = StopNames(
        ("Arts Center", *city.night_spots.names), [ARTS_CENTER[0], *city.night_spots.lon], [ARTS_CENTER[1], *city.night_spots.lat]
    )
    nambu, arts = (places.find_stop(network, name) for name in ("Nambu", "Arts Center"))
    draft = replace_stop(evaluator.problem, SERVED, reference, nambu, arts, route=reference.names.index("N61")).plan
    measures = plan_measures(network, reference)
    limits = RouteLimits(
        max_circuity=1e6,
        max_total_length_m=measures.total_length_m,
        max_buses=measures.total_buses,
        max_pair_circuity=1e6,
        allow_spurs=True,
    )
    return Stage(network, evaluator, places, reference, draft, limits)


def ask_about_the_way_point(stage: Stage) -> tuple[Answer, float]:
    """Arts Center against Nambu Terminal on the draft, and the seconds that the answer takes."""
    arts, nambu = (stage.places.find_stop(stage.network, name) for name in ("Arts Center", "Nambu"))
    warm = stage.evaluator.evaluate(stage.draft)
    assert warm.reached.any()
    began = time.perf_counter()
    change = replace_stop(stage.evaluator.problem, SERVED, stage.draft, arts, nambu)
    change = replace(change, label="Nambu Terminal in place of the Arts Center")
    answer = explain_change(stage.evaluator, stage.draft, change, stage.limits)
    taken = time.perf_counter() - began
    return with_alternative(stage.evaluator, stage.draft, answer, stage.limits, arts, nambu), taken


def rank_of_the_swap(stage: Stage) -> str:
    """Where `suggest` lists a swap that takes the Arts Center out."""
    arts = stage.places.find_stop(stage.network, "Arts Center")
    swaps = suggest_swaps(stage.evaluator, stage.draft, stage.places, stage.limits, n_swaps=40)
    found = next((swap for swap in swaps if swap.stop == arts), None)
    if found is None:
        return f"`suggest` lists {len(swaps)} swaps that gain more per minute than any of the Arts Center."
    return f"`suggest` finds {found.change.label} on its own, at rank {found.rank} of {len(swaps)}."


def places_left_out(stage: Stage) -> list[list[str]]:
    """Places that the city listed: rank among those missing once no route passes there, people, and the cheapest way to serve each."""
    limits = replace(stage.limits, max_total_length_m=float("inf"), max_buses=float("inf"), max_length_m=1e6)
    rows = []
    for name in LISTED_BY_THE_CITY:
        stop = stage.places.find_stop(stage.network, name)
        bare = without_stop(stage, stop)
        found = next(place for place in missing_places(stage.evaluator, bare, stage.places, limits, n_places=60) if place.stop == stop)
        shown = found.to_dict()["difference"]
        cost = shown["cost"]
        whole = shown["whole"]
        rows.append(
            [
                name,
                "no" if stop not in stage.reference.used_stops else "yes",
                f"{found.rank}",
                f"{found.presence:.0f}",
                ", ".join(found.change.routes) if found.change else "none",
                f"{cost['length_m'] / 1000:+.1f}",
                f"{cost['cycle_min']:+.0f}",
                _count(whole["gained_trips"]),
                _count(whole["lost_trips"]),
            ]
        )
    return rows


def without_stop(stage: Stage, stop: int) -> Plan:
    """Routes of 2013 with none that passes a stop: those that do go around it."""
    from owlbus.evidence.changes import remove_stop

    if stop not in stage.reference.used_stops:
        return stage.reference
    return remove_stop(stage.evaluator.problem, SERVED, stage.reference, stop).plan


def improve_the_routes(stage: Stage, n_steps: int) -> list[list[str]]:
    """Gain over the routes of 2013 by share of stops that may change, with intervals."""
    before = stage.evaluator.evaluate(stage.reference)
    served = stage.evaluator.served_by_night(before).sum()
    trips = stage.evaluator.all_by_night()[0].sum()
    rows = []
    for one in improve_plan(stage.evaluator.problem, stage.reference, stage.limits, CURVE, n_steps=n_steps):
        found = difference(stage.evaluator, before, stage.evaluator.evaluate(one.plan))
        low, high = (100 * (end or 0.0) * trips / served for end in found.served_interval)
        gain = 100 * found.served_share * trips / served
        rows.append(
            [
                f"{100 * one.allowed_share:.0f} %",
                f"{one.n_changed}",
                f"{len(one.steps)}",
                f"{gain:+.1f} %",
                f"{low:+.1f} to {high:+.1f} %",
                f"{100 * found.presence_share:+.1f}",
                f"{found.cost.length_m / 1000:+.1f}",
                f"{found.cost.buses:+d}",
            ]
        )
    return rows


def check_on_taxi(stage: Stage, n_steps: int) -> list[list[str]]:
    """Plan from calls alone scored on taxi, and the other way round."""
    city = sample_city()
    grid = stage.network.grid
    sources = {name: estimate_demand([str(path)], grid)[0] for name, path in (("calls", city.calls_path), ("taxi", city.taxi_path))}
    limits = RouteLimits(max_total_length_m=stage.limits.max_total_length_m, max_buses=stage.limits.max_buses)
    plans = {
        name: plan_routes(stage.network, demand, 9, limits=limits, stop_when=[MaxSteps(n_steps)]).plan for name, demand in sources.items()
    }
    found = agreement(sources["calls"], sources["taxi"])
    print(f"calls and taxi: ranks of origins {found.origin_rank:.2f}, of pairs {found.od_rank:.2f}; common {found.od_common_share:.0%}")
    return [
        [row.made_on, row.scored_on, f"{row.served_share:.1%}", f"{row.presence_share:.1%}", f"{100 * row.regret_share:+.1f}"]
        for row in cross_checks(stage.network, sources, plans)
    ]


def main() -> None:
    """Print the story, and put it into the README if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    parser.add_argument("--steps", type=int, default=240_000, help="moves to try for each share of change, and for each plan")
    args = parser.parse_args()
    stage = set_stage()
    answer, seconds = ask_about_the_way_point(stage)
    parts = [
        "## Changes that the city considered, on synthetic demand",
        f"N61 at the Arts Center: {answer.verdict()} The answer takes {seconds:.2f} s.",
        f"Next best: {answer.to_dict()['alternative']['verdict']}",
        rank_of_the_swap(stage),
        "Busy places, after the routes there are removed:",
        table(("place", "served in 2013", "rank", "people", "route", "km", "min", "trips +", "trips -"), places_left_out(stage)),
        "`improve`: the routes of 2013 with at most this share of stops changed, no more kilometres and buses, and the same terminals:",
        table(
            ("may change", "stops", "steps", "trips served", "90 % interval", "presence, points", "km", "buses"),
            improve_the_routes(stage, args.steps),
        ),
        "Nine routes planned from one source, scored on the other:",
        table(("made on", "scored on", "served", "presence", "points lost"), check_on_taxi(stage, args.steps)),
    ]
    text = "\n\n".join(parts)
    print(text)
    if args.write:
        write_section("story", text)


def _count(value: float | None) -> str:
    return "<15" if value is None else f"{value:.0f}"


if __name__ == "__main__":
    main()
