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

from owlbus.common.defaults import DEFAULT_STEPS
from owlbus.common.units import NightWindow
from owlbus.network import Network
from owlbus.network.walk_sheds import COUNT_BY
from owlbus.pipeline import Request, Sources, best_plan, build_study
from owlbus.pipeline.request import budget_of
from owlbus.pipeline.study import Study, build_grid
from owlbus.plan import plan_measures, read_plan
from owlbus.plan.limits import RouteLimits
from owlbus.score import score_plan

if TYPE_CHECKING:
    from owlbus.plan import Plan

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "stpetersburg"
ROUTES = 21
HEAD = (
    "21 routes",
    "walk, m",
    "km one way",
    "buses",
    "people near a stop, by area",
    "by centre",
    "trips served, by area",
    "by centre",
    "without a transfer, by area",
    "circuity",
    "most",
    "worst pair",
    "stops turned back at",
)


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


def row(study: Study, name: str, plan: Plan, walk_m: float, headway_s: int) -> tuple[object, ...]:
    """One line of the table."""
    cards = [score_plan(study.network, study.demand, plan, headway_s=headway_s, count_by=rule) for rule in COUNT_BY]
    people, trips = ([f"{100 * getattr(card, share):.1f} %" for card in cards] for share in ("presence_share", "served_share"))
    measures = plan_measures(study.network, plan, headway_s)
    length, direct = f"{measures.total_length_m / 1000:,.1f}", f"{100 * cards[0].direct_share:.1f} %"
    circuity = f"{measures.circuity.mean():.2f}", f"{measures.circuity.max():.2f}", f"{measures.pair_circuity.max():.2f}"
    return (name, f"{walk_m:g}", length, int(measures.buses.sum()), *people, *trips, direct, *circuity, int(measures.n_spurs.sum()))


def planned(study: Study, published: Plan, walk_m: float, given: argparse.Namespace) -> tuple[list[tuple[object, ...]], list[float]]:
    """Lines of the table for one walk in metres, and CPU seconds of each search."""
    limits = budget_of(study, published, RouteLimits())
    rows, seconds = [row(study, "published lines", published, walk_m, limits.headway_s)], []
    for seed in range(given.seeds):
        began = time.process_time()
        ran = best_plan(study, Request(ROUTES, limits, steps=given.steps, seed=seed))
        seconds.append(time.process_time() - began)
        rows.append(row(study, f"owlbus, seed {seed}", ran.best.plan, walk_m, limits.headway_s))
    return rows, seconds


def main() -> None:
    """Plan, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=CASES, help="folder of the data")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="moves of each search")
    parser.add_argument("--seeds", type=int, default=2, help="searches for each walk")
    parser.add_argument("--walks", type=float, nargs="+", default=[500.0, 1000.0], metavar="M", help="walks to a stop in metres")
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    given = parser.parse_args()
    if not given.cases.is_dir():
        print(f"{given.cases}: the public data of St Petersburg are not here; name their folder with --cases")
        return
    rows: list[tuple[object, ...]] = []
    taken: list[float] = []
    for walk_m in given.walks:
        with tempfile.TemporaryDirectory() as scratch:
            study = study_of(given.cases, walk_m, Path(scratch))
        published = read_plan(given.cases / "night_lines.csv.gz", study.network)
        more, seconds = planned(study, published, walk_m, given)
        rows, taken = rows + more, taken + seconds
    roads = dict(study.network.report.counts)["road nodes"] if study.network.report else 0
    text = (
        f"## St Petersburg on its real roads\n\n`python benchmarks/stpetersburg.py --write`: {study.network.n_stops:,} stops on {roads:,} "
        f"road nodes, {study.demand.total_trips:,.0f} real night taxi trips by squares of about 1 km; {given.steps:,} moves of each "
        f"search, {min(taken):.0f} to {max(taken):.0f} CPU seconds; the default limits, with the kilometres of the published lines, which "
        "use their own stops. Hexes count by area, as figures are published, and whole by their centre, as in the search.\n\n"
        f"{table(HEAD, rows)}"
    )
    print(text)
    if given.write:
        write_section("stpetersburg", text)


if __name__ == "__main__":
    main()
