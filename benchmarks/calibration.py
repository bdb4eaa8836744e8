"""
The figures that sample_data/README.md states of the sample city: what the routes of 2013 reach on its synthetic demand.

Presence is counted three ways: by the area of nine parts of each hexagon, by points 100 m apart, in a few lines of NumPy that share no
code with the parts, and by whole hexagons with their centre, as the search counts.

Run ``python benchmarks/calibration.py``; ``--seeds 8`` also draws the demand of the seeds 1 to 8; ``--write`` puts the figures into
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree
from sections import table, write_section

from owlbus.demand import disaggregate_demand, estimate_demand
from owlbus.grid.subdivide import subdivide_hexes
from owlbus.network import Network, on_parts
from owlbus.plan import plan_measures
from owlbus.plan.read import match_plan
from owlbus.sample import SynthSettings, sample_city, sample_grid, sample_network, synthesise
from owlbus.score import score_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.plan import Plan
    from owlbus.plan.read import PlanMatch
    from owlbus.sample import City

HEADWAY_S = 45 * 60
WALK_M = 500.0
SPACING_M = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The sample city, its network on hexagons and on their parts, and the routes of 2013."""

    city: City
    grid: HexGrid
    network: Network
    on_parts: Network
    match: PlanMatch
    near_share: NDArray[np.float64]


def set_stage() -> Stage:
    """Sample city on its streets with the routes of 2013, matched as sequences of way-points."""
    city = sample_city()
    grid = sample_grid(city)
    network = sample_network(city, grid)
    match = match_plan(city.routes_path, network)
    return Stage(city, grid, network, on_parts(network, subdivide_hexes(grid), "area"), match, share_near(network, match.plan))


def share_near(network: Network, plan: Plan) -> NDArray[np.float64]:
    """Share of the points 100 m apart in each hex that lie within the walk of a stop of the plan, shape (H,)."""
    grid, stops = network.grid, plan.used_stops
    edges = [np.arange(axis.min() - grid.radius_m, axis.max() + grid.radius_m, SPACING_M) for axis in (grid.x_m, grid.y_m)]
    x, y = (axis.ravel() for axis in np.meshgrid(*edges))
    hexes = grid.lonlat_to_hex(*grid.unproject(x, y))
    at = cKDTree(np.column_stack(grid.project(network.stop_lon[stops], network.stop_lat[stops])))
    near = at.query(np.column_stack([x, y]))[0] <= WALK_M
    inside = hexes >= 0
    return np.bincount(hexes[inside], near[inside], grid.n_hexes) / np.bincount(hexes[inside], minlength=grid.n_hexes)


def figures(stage: Stage, demand: Demand) -> Mapping[str, float]:
    """Shares of one demand: presence of the routes of 2013 three ways, and trips with an end that no stop reaches."""
    parts = subdivide_hexes(stage.grid)
    plan, network = stage.match.plan, stage.network
    by_area = score_plan(stage.on_parts, disaggregate_demand(demand, parts), match_plan(stage.city.routes_path, stage.on_parts).plan)
    by_centre = score_plan(network, demand, plan, count_by="centre")
    return {
        "by area": by_area.presence_share,
        "by points": presence_by_points(stage, demand),
        "by centre": by_centre.presence_share,
        "served, by area": by_area.served_share,
        "no stop": share_without_stop(stage, demand),
    }


def demands(stage: Stage, calls: Any, taxi: Any) -> Mapping[str, Demand]:  # noqa: ANN401 - paths or tables
    """Demand of both sources in the default blend, and of each alone."""
    sources = {"calls and taxi, default blend": [calls, taxi], "calls alone": [calls], "taxi alone": [taxi]}
    return {name: estimate_demand(records, stage.grid)[0] for name, records in sources.items()}


def shown(name: str, shares: Mapping[str, float]) -> list[str]:
    """Row of shares with three decimals."""
    return [name, *(f"{share:.3f}" for share in shares.values())]


def routes_table(stage: Stage) -> str:
    """Kilometres of each route of 2013 as drawn, as matched on the city's stops, and on all places."""
    streets = stage.city.streets
    assert streets is not None
    every_place = Network.from_tables(streets.stops_path, streets.links_path, stage.grid, road_factor=streets.road_factor)
    whole = match_plan(stage.city.routes_path, every_place)
    rows = [
        [
            one.name,
            f"{one.drawn_m / 1000:.1f}",
            f"{one.length_m / 1000:.1f}",
            f"{one.ratio or 0:.2f}",
            f"{one.farthest_snap_m:.0f}",
            f"{route.stops.size}",
            f"{other.length_m / 1000:.1f}",
        ]
        for one, other, route in zip(stage.match.routes, whole.routes, stage.match.plan.routes, strict=True)
    ]
    measures = [plan_measures(network, match.plan, HEADWAY_S) for network, match in ((stage.network, stage.match), (every_place, whole))]
    drawn = sum(one.drawn_m for one in stage.match.routes)
    ratio = max(measures[0].total_length_m, 1) / drawn
    snap = max(one.farthest_snap_m for one in stage.match.routes)
    n_stops = sum(route.stops.size for route in stage.match.plan.routes)
    kilometres = [one.total_length_m / 1000 for one in measures]
    rows.append(["all", f"{drawn / 1000:.1f}", f"{kilometres[0]:.1f}", f"{ratio:.2f}", f"{snap:.0f}", f"{n_stops}", f"{kilometres[1]:.1f}"])
    print(f"buses at {HEADWAY_S // 60} minutes: {measures[0].total_buses}; on all {every_place.n_stops:,} places {measures[1].total_buses}")
    return table(("route", "drawn, km", "matched, km", "ratio", "farthest snap, m", "stops", "on all places, km"), rows)


def spots_missed(stage: Stage) -> str:
    """Night spots in hexes that count as not reached by the routes of 2013, and those farther than the walk from every stop."""
    spots, network, stops = stage.city.night_spots, stage.network, stage.match.plan.used_stops
    at = cKDTree(np.column_stack(stage.grid.project(network.stop_lon[stops], network.stop_lat[stops])))
    metres, _ = at.query(np.column_stack(stage.grid.project(spots.lon, spots.lat)))
    found = sorted((-away, name) for away, name in zip(metres.tolist(), spots.names, strict=True) if away > WALK_M)
    names = ", ".join(f"{name} ({-away:.0f} m)" for away, name in found)
    return f"{len(found)} of {len(spots)} night spots lie farther than {WALK_M:.0f} m from every stop of the nine routes: {names}."


def over_seeds(stage: Stage, n_seeds: int) -> str:
    """Presence by points and trips without a stop over the seeds 1 to `n_seeds`, of the blend and of each source."""
    drawn: dict[str, list[tuple[float, float]]] = {}
    for seed in range(1, n_seeds + 1):
        for name, demand in demands(stage, *synthesise(stage.city, SynthSettings(seed=seed))).items():
            drawn.setdefault(name, []).append((presence_by_points(stage, demand), share_without_stop(stage, demand)))
            print(f"seed {seed}, {name}: presence by points {drawn[name][-1][0]:.4f}, no stop {drawn[name][-1][1]:.4f}", flush=True)
    rows = []
    for name, both in drawn.items():
        near, lost = np.array(both).T
        middle, spread = f"{near.mean():.3f}", f"{near.std(ddof=1):.3f}"
        rows.append([name, middle, f"{near.min():.3f}", f"{near.max():.3f}", spread, f"{lost.max():.3f}"])
    head = (f"seeds 1 to {n_seeds}", "mean presence by points", "least", "most", "standard deviation", "most trips that no stop reaches")
    return table(head, rows)


def presence_by_points(stage: Stage, demand: Demand) -> float:
    """Share of people near a stop of the routes of 2013, each hex by its share of points."""
    people = demand.presence_by_hex()
    return float(people @ stage.near_share / people.sum())


def share_without_stop(stage: Stage, demand: Demand) -> float:
    """Share of trips with an end in a hex that no stop of the network reaches."""
    od, lost = demand.od(), stage.network.hex_stop < 0
    return float(od.trips[lost[od.origin] | lost[od.destination]].sum() / od.total_trips)


def main() -> None:
    """Print the figures, and put them into the README if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="also draw the seeds 1 to N")
    args = parser.parse_args()
    stage = set_stage()
    network = stage.network
    head = ("demand from", "presence by area", "by points", "by centre", "served, by area", "trips with an end that no stop reaches")
    found = {name: figures(stage, demand) for name, demand in demands(stage, stage.city.calls_path, stage.city.taxi_path).items()}
    rows = [shown(name, shares) for name, shares in found.items()]
    reached = f"{int((network.hex_stop >= 0).sum())} of {stage.grid.n_hexes} hexagons reached"
    parts = [
        "## The sample city: the routes of 2013",
        f"Streets with {network.n_stops:,} stops and {network.n_links:,} links, {reached}; the demand is synthetic.",
        table(head, rows),
        routes_table(stage),
        spots_missed(stage),
    ]
    if args.seeds:
        parts.append(over_seeds(stage, args.seeds))
    text = "\n\n".join(parts)
    print(text)
    if args.write:
        write_section("calibration", text)


if __name__ == "__main__":
    main()
