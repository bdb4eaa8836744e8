"""
What evidence costs and how far it can be trusted: an answer's seconds, a sweep's seconds, the reach of intervals, a published plan.

Run ``python benchmarks/evidence.py``; ``--only`` picks parts, ``--stpetersburg`` names the folder of the public case, ``--write`` puts each
part that ran into benchmarks/README.md. The sample city's demand is SYNTHETIC.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sections import table, write_section

from owlbus.common.units import NightWindow
from owlbus.evidence import PlanEvaluator, compare_plans
from owlbus.evidence.changes import drop_route, pass_by, remove_stop, replace_stop
from owlbus.evidence.explain import explain_change, with_alternative
from owlbus.evidence.sweep import sweep_plans
from owlbus.pipeline import (
    Request,
    Sources,
    best_plan,
    budget_of,
    build_study,
)
from owlbus.plan import read_plan
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.score import CITY_SHARE, difference_interval, share_interval
from owlbus.search import Objective

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from owlbus.evidence.changes import Change
    from owlbus.plan import Plan

CASE = Path(__file__).resolve().parents[2] / "shared" / "cases" / "stpetersburg"
ANY = RouteLimits(max_circuity=1e6, max_pair_circuity=1e6, allow_spurs=True)
SERVED = Objective()
TRIALS, NIGHTS = 200, 7
SWEPT = range(1, 21)
LINES, WALK_M = 21, 1000.0


def answers() -> str:
    """Seconds of one answer of each kind on the nine routes of 2013, after loading, with and without the next-best alternative."""
    study = build_study(Sources(city="seoul"))
    assert study.city is not None
    plan = read_plan(study.city.routes_path, study.network)
    evaluator = PlanEvaluator.build(study.network, study.demand, districts=study.districts)
    stop, other = int(plan.routes[0].stops[5]), int(np.setdiff1d(np.arange(study.network.n_stops), plan.used_stops)[50])
    near = int(np.argsort(study.network.drive_s[stop], kind="stable")[2])
    asked: Mapping[str, tuple[Callable[[], Change], int | None, int | None]] = {
        "stop removed": (lambda: remove_stop(evaluator.problem, SERVED, plan, stop), stop, None),
        "stop swapped": (lambda: replace_stop(evaluator.problem, SERVED, plan, stop, near), stop, near),
        "route dropped": (lambda: drop_route(plan, 0), None, 0),
        "route via a place": (lambda: pass_by(evaluator.problem, SERVED, plan, other), other, None),
    }
    rows = []
    for name, (change, at, chosen) in asked.items():
        explain_change(evaluator, plan, change(), ANY)
        began = time.perf_counter()
        answer = explain_change(evaluator, plan, change(), ANY)
        alone = time.perf_counter() - began
        with_alternative(evaluator, plan, answer, ANY, at, chosen)
        rows.append([name, f"{alone:.2f}", f"{time.perf_counter() - began:.2f}"])
    size = f"{study.grid.n_hexes:,} hexes, {len(plan)} routes, {study.demand.n_nights} nights"
    head = ("change", "answer, s", "with the next-best alternative, s")
    return f"## Time of one answer\n\n`explain` on the sample city, {size}, after loading and compiling:\n\n{table(head, rows)}"


def swept() -> str:
    """Seconds of a sweep over 1 to 20 routes, and its points."""
    study = build_study(Sources(city="seoul"))
    evaluator = PlanEvaluator.build(study.network, study.demand, districts=study.districts)
    began, worked = time.perf_counter(), time.process_time()
    found = sweep_plans(evaluator, "routes", list(SWEPT), RouteLimits())
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    for before, after in pairwise(found.points):
        assert after.served_share >= before.served_share
    rows = [
        [f"{point.setting:g}", f"{point.served_share:.1%}", f"{point.presence_share:.1%}", f"{point.length_m / 1000:.0f}", f"{point.buses}"]
        for point in found.points
    ]
    text = (
        f"`sweep --routes 1:20` on the sample city: {wall:.0f} s, {cpu:.0f} s of them computing on 2 threads; the served share never falls."
    )
    return f"## A sweep\n\n{text} {found.knee_text}\n\n{table(('routes', 'served', 'near a stop', 'km', 'buses'), rows)}"


def intervals() -> str:
    """How often 90 % intervals over a week hold the rate that the nights were drawn from."""
    rng = np.random.default_rng(2013)
    rows = []
    for spread in (0.01, 0.03, 0.06):
        held, held_gain = 0, 0
        for _ in range(TRIALS):
            trips = rng.poisson(3000 * np.exp(rng.normal(0, 0.2, NIGHTS)))
            served = rng.binomial(trips, np.clip(rng.normal(0.3, spread, NIGHTS), 0, 1))
            more = rng.binomial(trips, np.clip(rng.normal(0.02, spread / 8, NIGHTS), 0, 1))
            low, high = share_interval(served, trips)
            held += low is not None and high is not None and low <= 0.3 <= high
            low, high = difference_interval(more, trips)
            held_gain += low is not None and high is not None and low <= 0.02 <= high
        rows.append([f"{spread:g}", f"{held / TRIALS:.1%}", f"{held_gain / TRIALS:.1%}"])
    head = ("spread of nightly rates", "intervals that contain a share of 30 %", "intervals that contain a paired gain of 2 points")
    text = f"90 % intervals over {NIGHTS} nights, {TRIALS} trials each, on nights drawn from known rates:"
    return f"## Intervals\n\n{text}\n\n{table(head, rows)}"


def published(folder: Path, steps: int) -> str:
    """The published night lines of St Petersburg, and as many routes with no more kilometres on its roads."""
    records, nodes, links = (str(folder / f"{name}.csv.gz") for name in ("taxi_trips", "road_nodes", "road_links"))
    study = build_study(Sources(files=(records,), nodes=nodes, links=links, walk_m=WALK_M, window=NightWindow.parse("22-07")))
    lines = read_plan(str(folder / "night_lines.csv.gz"), study.network)
    request = Request(n_routes=LINES, limits=budget_of(study, lines, RouteLimits()), rule=ServiceRule(), steps=steps)
    ours = best_plan(study, replace(request)).best.plan
    shown = compare_plans(study.network, study.demand, {"published lines": lines, "owlbus": ours}).to_dict()
    change, rows = shown["differences"]["owlbus"], []
    for label, name in (("people near a stop", "presence"), ("trips served", "served"), ("served directly", "direct")):
        cells = [_share(shown["plans"][plan][name]) for plan in shown["plans"]]
        gain, interval = change.get(f"{name}_share_change"), change.get(f"{name}_share_interval")
        rows.append([label, *cells, "" if gain is None else f"{100 * gain:+.1f} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"])
    plans: dict[str, Plan] = {"published lines": lines, "owlbus": ours}
    for label, key, scale in (
        ("one-way km", "total_length_m", 1000),
        ("buses every 45 minutes", "total_buses", 1),
        ("routes", "routes", 1),
    ):
        rows.append([label, *(f"{shown['plans'][plan][key] / scale:.0f}" for plan in plans), ""])
    whole = change["whole"]
    text = (
        f"Real night taxi demand, one night, real roads, {study.network.n_stops:,} stops, walk {WALK_M:g} m, {steps:,} moves. "
        f"{LINES} routes with no more kilometres than the published ones gain {whole['gained_trips']:,.0f} and lose "
        f"{whole['lost_trips']:,.0f} trips of {study.demand.total_trips:,.0f}. Intervals are 90 %, over trips. "
        f"Seoul states {CITY_SHARE:.0%} of people near a stop for its own routes."
    )
    head = ("", "published lines", "owlbus", "difference, points")
    return f"## A published plan, St Petersburg\n\n{text}\n\n{table(head, rows)}"


def _share(measure: Mapping[str, object]) -> str:
    """Share with its interval."""
    low, high = measure["interval"]  # type: ignore[misc]
    return f"{measure['share']:.1%} ({low:.1%} to {high:.1%})"


def parts(folder: Path, steps: int) -> Iterator[tuple[str, Callable[[], str]]]:
    """Sections by name."""
    yield "answers", answers
    yield "sweep", swept
    yield "intervals", intervals
    if folder.is_dir():
        yield "published", lambda: published(folder, steps)


def main() -> None:
    """Run the parts asked for and print or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put each part that ran into benchmarks/README.md")
    parser.add_argument("--only", default="answers,sweep,intervals,published", help="parts, with commas")
    parser.add_argument("--stpetersburg", type=Path, default=CASE, help="folder of the public case")
    parser.add_argument("--steps", type=int, default=600_000, help="moves of the search on St Petersburg")
    args = parser.parse_args()
    for name, run in parts(args.stpetersburg, args.steps):
        if name in args.only.split(","):
            text = run()
            print(f"{text}\n")
            if args.write:
                write_section(f"evidence-{name}", text)


if __name__ == "__main__":
    main()
