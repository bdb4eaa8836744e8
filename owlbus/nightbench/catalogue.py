"""Instances of NightBench by name, and how each is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import parse_json
from owlbus.nightbench.instance import BENCH_OBJECTIVES, BenchInstance
from owlbus.nightbench.instance_files import INSTANCE_FILE, digests, instance_files, instance_of_files, problem_digest, read_instance
from owlbus.nightbench.published_cases import LINES_FILE, PUBLISHED, find_folder, published_case, st_petersburg
from owlbus.nightbench.synthetic_cities import SHAPES, synthetic_city

if TYPE_CHECKING:
    from os import PathLike

    from owlbus.nightbench.published_cases import PublishedCase
    from owlbus.plan.limits import RouteLimits

FACTS_FILE = Path(__file__).with_name("instances.json")
"""Sizes and hashes of all instances."""

_SAMPLE = ("seoul-streets", "seoul-lattice")
_WALKS = {"stpetersburg-500": 500.0, "stpetersburg-1000": 1000.0}
_N_LINES = 21
_UNBOUND = 10**6
_MOST_FOR_TRAVEL_TIME = 4_096
_WITHOUT_TRAVEL_TIME = ("served", "direct", "presence")
_PLANNED = {"compact-300": (4, 16), "river-1252": (9, 45), "centres-5000": (20, 100)}
"""Routes and buses of each synthetic city."""

INSTANCES = (*_SAMPLE, *SHAPES, *_WALKS, *PUBLISHED)
"""Names of all instances."""

SHIPPED = (*_SAMPLE, *SHAPES)
"""Names of the instances that the package makes without further data."""


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """
    What is known of an instance before it is made.

    Attributes
    ----------
    name, title
        Name, and what it is.
    n_hexes, n_nodes, n_links, n_pairs
        Hexes, nodes, directed links, and pairs of hexes with trips; None if it was not at hand when the list was made.
    n_routes
        Routes of a plan.
    sha256
        Hash of each table by file name; empty if it was not at hand.
    problem_sha256
        Hash of tables, limits and rules; empty if it was not at hand.
    """

    name: str
    title: str
    n_hexes: int | None
    n_nodes: int | None
    n_links: int | None
    n_pairs: int | None
    n_routes: int
    sha256: dict[str, str]
    problem_sha256: str = ""

    @classmethod
    def of(cls, instance: BenchInstance) -> InstanceFacts:
        """
        Facts of an instance that was made.

        Parameters
        ----------
        instance
            The instance.

        Returns
        -------
        InstanceFacts
            Sizes and hashes.
        """
        network, n_pairs = instance.network, instance.demand.od().trips.size
        sizes = network.grid.n_hexes, network.n_stops, network.n_links, n_pairs
        files = instance_files(instance)
        return cls(instance.name, instance.title, *sizes, instance.n_routes, digests(files), problem_digest(files))


@cache
def known_facts() -> dict[str, InstanceFacts]:
    """
    Return what is known of each instance of the list, by name.

    Returns
    -------
    dict
        In the order of `INSTANCES`.
    """
    rows = parse_json(FACTS_FILE.read_bytes()) if FACTS_FILE.is_file() else {}
    at_hand = {name: InstanceFacts(name, **rows[name]) for name in rows}
    unseen = {name: InstanceFacts(name, _title_of(case), None, None, None, None, case.n_routes, {}) for name, case in PUBLISHED.items()}
    known = unseen | at_hand
    return {name: known[name] for name in INSTANCES if name in known}


def open_instance(name: str | PathLike[str], data: str | PathLike[str] | None = None, *, is_checked: bool = True) -> BenchInstance:
    """
    Instance of a name, or of a folder.

    Parameters
    ----------
    name
        One of `INSTANCES`, or a folder with an ``instance.json``.
    data
        Folder of the public data, for instances that the package does not hold.
    is_checked
        Whether its tables must have the hashes of the list.

    Returns
    -------
    BenchInstance
        As it reads back from its files, so that the same tables give the same figures everywhere.

    Raises
    ------
    UsageError
        If there is no such instance.
    DataError
        If data are missing, or its tables are not those of the list.
    """
    text = str(name)
    if text not in INSTANCES:
        if (Path(name) / INSTANCE_FILE).is_file():
            return _with_own_name(read_instance(name), name)
        msg = f"{setting('instance')} must be a folder with {INSTANCE_FILE}, or one of {', '.join(INSTANCES)}, got {text!r}"
        raise UsageError(msg, setting="instance", value=text, allowed=INSTANCES)
    files = instance_files(_made(text, None if data is None else Path(data)))
    known = known_facts().get(text)
    if is_checked and known is not None and known.sha256:
        differs = [table for table, digest in digests(files).items() if known.sha256[table] != digest]
        if differs:
            msg = f"{text}: {', '.join(differs)} made here is not that of version 1 (another SHA-256); use an exported folder of it instead"
            raise DataError(msg)
    return instance_of_files(files, text)


def _with_own_name(instance: BenchInstance, folder: str | PathLike[str]) -> BenchInstance:
    """Refuse an instance of a folder that has the name of one of the list and other tables, limits or rules."""
    known = known_facts().get(instance.name)
    if known is not None and known.problem_sha256 not in {"", problem_digest(instance_files(instance))}:
        msg = (
            f"{folder}: tables, limits or rules are not those of {instance.name} in the list; give it a name of its own in {INSTANCE_FILE}"
        )
        raise DataError(msg)
    return instance


def _made(name: str, data: Path | None) -> BenchInstance:
    """Make an instance."""
    if name in _SAMPLE:
        return _sample_city(name)
    if name in SHAPES:
        return _synthetic(name)
    return _of_roads(name, data) if name in _WALKS else _of_literature(name, data)


def _sample_city(name: str) -> BenchInstance:
    """Sample city, on its streets or on the lattice."""
    from owlbus.demand import estimate_demand
    from owlbus.plan.limits import RouteLimits, ServiceRule
    from owlbus.sample import sample_city, sample_grid, sample_network

    city = sample_city()
    on_streets = name == _SAMPLE[0]
    city = city if on_streets else replace(city, streets=None)
    grid = sample_grid(city)
    demand, _ = estimate_demand([city.calls_path, city.taxi_path], grid)
    return BenchInstance(
        name,
        f"Seoul {'on its streets' if on_streets else 'on the hex lattice'}, synthetic demand",
        "geography of the sample city of owlbus (its files name their sources); calls and taxi rides are generated",
        "MIT",
        is_synthetic=True,
        network=sample_network(city, grid),
        demand=demand,
        n_routes=9,
        limits=RouteLimits(max_buses=45),
        rule=ServiceRule(),
    )


def _synthetic(name: str) -> BenchInstance:
    """Synthetic city of a seed."""
    from owlbus.plan.limits import RouteLimits, ServiceRule

    n_routes, n_buses = _PLANNED[name]
    network, demand = synthetic_city(SHAPES[name])
    kind = {"compact-300": "compact", "river-1252": "along a river with bridges", "centres-5000": "with five centres"}[name]
    return BenchInstance(
        name,
        f"synthetic city of {SHAPES[name].n_hexes:,} hexes, {kind}",
        f"generated by owlbus from the seed {SHAPES[name].seed}",
        "MIT",
        is_synthetic=True,
        network=network,
        demand=demand,
        n_routes=n_routes,
        limits=RouteLimits(max_buses=n_buses),
        rule=ServiceRule(),
        objectives=BENCH_OBJECTIVES if network.n_stops <= _MOST_FOR_TRAVEL_TIME else _WITHOUT_TRAVEL_TIME,
    )


def _of_roads(name: str, data: Path | None) -> BenchInstance:
    """St Petersburg with a walk in metres, as many kilometres as its published lines."""
    from owlbus.plan.limits import RouteLimits, ServiceRule

    network, demand, metres = st_petersburg(find_folder(data, name, LINES_FILE), _WALKS[name])
    return BenchInstance(
        name,
        f"St Petersburg on its roads, real night taxi trips, walk of {_WALKS[name]:,.0f} m",
        "taxi trips and night lines: egorgsv/night_bus_network on GitHub; roads: OpenStreetMap contributors",
        "trips and lines Apache-2.0, roads ODbL 1.0",
        is_synthetic=False,
        network=network,
        demand=demand,
        n_routes=_N_LINES,
        limits=RouteLimits(max_total_length_m=metres),
        rule=ServiceRule(),
    )


def _of_literature(name: str, data: Path | None) -> BenchInstance:
    """Instance of Mandl or Mumford; every ride counts, however long, and no limit but the number of nodes binds a route."""
    from owlbus.plan.limits import ServiceRule

    case = PUBLISHED[name]
    network, demand, required = published_case(find_folder(data, name, f"{case.files}TravelTimes.txt"), case)
    return BenchInstance(
        name,
        _title_of(case),
        "Mandl (1980), European Journal of Operational Research 5, or Mumford (2013), IEEE CEC; files by path",
        "as published by their authors for research",
        is_synthetic=case.files != "Mandl",
        network=network,
        demand=demand,
        n_routes=case.n_routes,
        limits=_limits_of(case.min_stops, case.max_stops),
        rule=ServiceRule(detour_factor=100.0, detour_s=86_400),
        objectives=("travel_time", "direct"),
        required_nodes=required,
    )


def _title_of(case: PublishedCase) -> str:
    """Return what an instance of the literature is."""
    return f"{case.files} of the literature, {case.n_routes} routes"


def _limits_of(min_stops: int, max_stops: int) -> RouteLimits:
    """Limits of a route in the literature: its nodes alone."""
    from owlbus.plan.limits import RouteLimits

    free: dict[str, Any] = {"max_length_m": _UNBOUND, "max_ride_s": _UNBOUND, "max_circuity": _UNBOUND}
    return RouteLimits(**free, max_pair_circuity=math.inf, allow_spurs=True, min_stops=min_stops, max_stops=max_stops)
