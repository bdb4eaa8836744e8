"""
St Petersburg on its real roads: owlbus' routes against the 21 night lines that a study published on the same night taxi rides.

Both run on one network and serve one demand, with equal route-kilometres; the published lines halt at their own stops. Data of
../shared/cases/stpetersburg, of which nothing is part of this project: rides by squares of about 1 km (Apache-2.0,
egorgsv/night_bus_network), roads of OpenStreetMap (ODbL).

Run ``python benchmarks/stpetersburg.py``; ``--write`` also puts the figures into benchmarks/README.md. Without the data it says so
and ends.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from sections import table, write_section

from owlbus.common.units import NightWindow
from owlbus.network import Network
from owlbus.pipeline import (
    Request,
    Sources,
    best_plan,
    build_study,
    score_study,
)
from owlbus.pipeline.request import budget_of
from owlbus.pipeline.study import Study, build_grid
from owlbus.plan import plan_measures, read_plan
from owlbus.plan.limits import RouteLimits

if TYPE_CHECKING:
    from owlbus.pipeline.plan_run import ScoredPlan
    from owlbus.search import Result

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "stpetersburg"
ROUTES = 21


def stops_of(folder: Path, sources: Sources) -> pl.DataFrame:
    """Every stop of the published lines, and one on the roads of each hex that has none of them."""
    grid = build_grid(sources)
    lines = pl.read_csv(folder / "night_lines.csv.gz").unique("stop_id", keep="first", maintain_order=True)
    own = lines.select("lon", "lat", name="stop_id")
    other = Network.from_tables(sources.nodes, sources.links, grid)
    taken = grid.lonlat_to_hex(own["lon"].to_numpy(), own["lat"].to_numpy())
    free = ~np.isin(other.stop_hex, taken)
    names = np.array(other.stop_names, dtype=object)[free]
    more = pl.DataFrame({"lon": other.stop_lon[free], "lat": other.stop_lat[free], "name": names.astype(str)})
    return pl.concat([own, more])


def study_of(folder: Path, walk_m: float, scratch: Path) -> Study:
    """Taxi rides and roads, with a given walk in metres."""
    files = {name: str(folder / f"road_{name}.csv.gz") for name in ("nodes", "links")}
    sources = Sources(files=(str(folder / "taxi_trips.csv.gz"),), window=NightWindow.parse("22-07"), walk_m=walk_m, **files)
    path = scratch / "stops.csv"
    stops_of(folder, sources).write_csv(path)
    return build_study(Sources(files=sources.files, window=sources.window, walk_m=walk_m, stops=str(path), **files))


def row(study: Study, scored: ScoredPlan, walk_m: float, result: Result | None = None) -> tuple[object, ...]:
    """One line of the table, with what a search proved."""
    card, measures = scored.card, plan_measures(study.network, scored.plan)
    shares = (f"{100 * share:.1f} %" for share in (card.presence_share, card.served_share, card.direct_share))
    proven = ("", "") if result is None else (f"{100 * (result.bound_share or 1):.1f} %", f"{100 * (result.gap or 0):.0f} %")
    length = f"{measures.total_length_m / 1000:,.1f}"
    return (scored.name, f"{walk_m:g}", len(scored.plan), length, *shares, f"{card.mean_circuity:.2f}", *proven)


def main() -> None:
    """Plan, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=CASES, help="folder of the data")
    parser.add_argument("--steps", type=int, default=20_000, help="moves of the search")
    parser.add_argument("--bound", type=int, default=20, help="iterations of the upper bound on trips served")
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    given = parser.parse_args()
    if not given.cases.is_dir():
        print(f"{given.cases}: the public data of St Petersburg are not here; name their folder with --cases")
        return
    rows: list[tuple[object, ...]] = []
    notes = []
    for walk_m in (500.0, 1000.0):
        with tempfile.TemporaryDirectory() as scratch:
            study = study_of(given.cases, walk_m, Path(scratch))
        published = read_plan(given.cases / "night_lines.csv.gz", study.network)
        limits = budget_of(study, published, RouteLimits())
        began = time.process_time()
        ran = best_plan(study, Request(ROUTES, limits, steps=given.steps, seed=1, bound_steps=given.bound), "owlbus")
        notes.append(f"{time.process_time() - began:.0f}")
        held = score_study(study, published, "published lines", headway_s=limits.headway_s)
        rows += [row(study, held, walk_m), row(study, ran.best, walk_m, ran.result)]
    head = (
        "21 routes",
        "walk, m",
        "routes",
        "km one way",
        "people near a stop",
        "trips served",
        "without a transfer",
        "circuity",
        "bound",
        "gap",
    )
    roads = dict(study.network.report.counts)["road nodes"] if study.network.report else 0
    text = (
        f"## St Petersburg on its real roads\n\n`python benchmarks/stpetersburg.py --write`: {study.network.n_stops:,} stops on {roads:,} "
        f"road nodes, {study.demand.total_trips:,.0f} real night taxi trips by squares of about 1 km; {given.steps:,} moves, "
        f"{' and '.join(notes)} CPU seconds with {given.bound} iterations of the bound. The published lines use their own "
        f"stops.\n\n{table(head, rows)}"
    )
    print(text)
    if given.write:
        write_section("stpetersburg", text)


if __name__ == "__main__":
    main()
