"""Instances as folders of CSV tables beside one `instance.json`, with the hash of each table."""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.files import parse_json, write_atomically
from owlbus.nightbench.instance import BenchInstance, one_night

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from owlbus.network import Network

INSTANCE_FILE = "instance.json"
FORMAT, FORMAT_VERSION = "nightbench", 1

UNITS = {
    "lon, lat": "degrees, WGS 84",
    "metres": "whole metres",
    "seconds": "whole seconds",
    "trips": "trips of one night, multiples of 1/1024",
    "people": "people present in one hour of the night, mean over hours and nights, multiples of 1/1024",
}


class _Table(NamedTuple):
    """Columns of a table, whether each is a whole number, and what counts its rows."""

    columns: tuple[str, ...]
    whole: tuple[str, ...]


_PROBLEM = ("n_routes", "limits", "required_nodes", "rules", "walk_m", "sha256")

TABLES = {
    "nodes.csv": _Table(("node", "lon", "lat", "hex", "name"), ("node", "hex")),
    "links.csv": _Table(("from", "to", "seconds", "metres"), ("from", "to", "seconds", "metres")),
    "hexes.csv": _Table(("hex", "q", "r", "lon", "lat", "people"), ("hex", "q", "r")),
    "walks.csv": _Table(("node", "hex", "metres"), ("node", "hex", "metres")),
    "trips.csv": _Table(("origin", "destination", "trips"), ("origin", "destination")),
}
"""Tables of an instance by file name."""


def instance_files(instance: BenchInstance) -> dict[str, bytes]:
    """
    Files of an instance.

    Parameters
    ----------
    instance
        The instance.

    Returns
    -------
    dict
        Bytes by file name; equal instances give equal bytes.
    """
    network, demand = instance.network, one_night(instance.demand, instance.network)
    grid, pairs, people = network.grid, demand.od(), demand.presence_by_hex()
    nodes, at = np.arange(network.n_stops), np.diff(network.shed_indptr)
    names = [_one_word(name) for name in network.stop_names]
    columns = {
        "nodes.csv": (nodes, _degrees(network.stop_lon), _degrees(network.stop_lat), network.stop_hex, names),
        "links.csv": (np.repeat(nodes, np.diff(network.link_indptr)), network.link_to, network.link_s, network.link_m),
        "hexes.csv": (np.arange(grid.n_hexes), grid.q, grid.r, _degrees(grid.lon), _degrees(grid.lat), people),
        "walks.csv": (np.repeat(nodes, at), network.shed_hex, network.shed_walk_m),
        "trips.csv": (pairs.origin, pairs.destination, pairs.trips),
    }
    files = {name: _csv(TABLES[name].columns, columns[name]) for name in TABLES}
    about = json.dumps(_about(instance, files), indent=1, ensure_ascii=False) + "\n"
    return {INSTANCE_FILE: about.encode(), **files}


def write_instance(instance: BenchInstance, folder: str | PathLike[str]) -> Path:
    """
    Write an instance as a folder.

    Parameters
    ----------
    instance
        The instance.
    folder
        Created if missing; files of the same names are replaced.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from owlbus.common.files import output_error

    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(root, error) from error
    for name, data in instance_files(instance).items():
        write_atomically(root / name, data)
    return root


def read_instance(folder: str | PathLike[str]) -> BenchInstance:
    """
    Read an instance from a folder.

    Parameters
    ----------
    folder
        Holds ``instance.json`` and its tables.

    Returns
    -------
    BenchInstance
        The instance.

    Raises
    ------
    DataError
        If a file is missing, has another hash than ``instance.json`` says, or breaks a rule of the format.
    """
    root = Path(folder)
    files: dict[str, bytes] = {}
    for name in (INSTANCE_FILE, *TABLES):
        try:
            files[name] = (root / name).read_bytes()
        except OSError as error:
            needed = ", ".join((INSTANCE_FILE, *TABLES))
            msg = f"{root / name}: cannot be read ({error.strerror or error}); an instance is a folder with {needed}"
            raise DataError(msg) from None
    return instance_of_files(files, str(root))


def instance_of_files(files: Mapping[str, bytes], place: str) -> BenchInstance:
    """
    Instance of the bytes of its files.

    Parameters
    ----------
    files
        Bytes by file name.
    place
        Where they come from, for messages.

    Returns
    -------
    BenchInstance
        The instance.

    Raises
    ------
    DataError
        As `read_instance` does.
    """
    from owlbus.plan.limits import RouteLimits, ServiceRule

    about = _parsed_about(files[INSTANCE_FILE], place)
    for name, digest in digests(files).items():
        if about["sha256"].get(name) != digest:
            said = str(about["sha256"].get(name))[:12]
            msg = f"{place}/{name}: its SHA-256 is {digest[:12]}…, {INSTANCE_FILE} says {said}…; export it anew"
            raise DataError(msg)
    tables = {name: _read_csv(files[name], name, place) for name in TABLES}
    try:
        network = _network_of(about, tables)
        unbounded: dict[str, Any] = {name: math.inf if value is None else value for name, value in about["limits"].items()}
        return BenchInstance(
            **{name: about[name] for name in ("name", "title", "source", "licence", "is_synthetic", "n_routes", "version")},
            network=network,
            demand=_demand_of(network, tables),
            limits=RouteLimits(**unbounded),
            rule=ServiceRule(**about["rules"]),
            objectives=tuple(about["objectives"]),
            required_nodes=tuple(about["required_nodes"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"{place}/{INSTANCE_FILE}: {type(error).__name__}: {error}; compare it with an exported instance"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{place}: {error}"
        raise DataError(msg) from error


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """
    SHA-256 of each table.

    Parameters
    ----------
    files
        Bytes by file name.

    Returns
    -------
    dict
        Digits by file name.
    """
    return {name: hashlib.sha256(files[name]).hexdigest() for name in TABLES}


def problem_digest(files: Mapping[str, bytes]) -> str:
    """
    SHA-256 of what a plan of an instance is valued by: tables, limits and rules.

    Parameters
    ----------
    files
        Bytes by file name, as of `instance_files`.

    Returns
    -------
    str
        Digits.
    """
    about = json.loads(files[INSTANCE_FILE])
    return hashlib.sha256(json.dumps([about[key] for key in _PROBLEM], sort_keys=True).encode()).hexdigest()


def _about(instance: BenchInstance, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the content of ``instance.json``."""
    grid = instance.network.grid
    limits = {name: None if value == math.inf else value for name, value in asdict(instance.limits).items()}
    facts = {name: getattr(instance, name) for name in ("name", "version", "title", "source", "licence", "is_synthetic", "n_routes")}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **facts,
        "objectives": list(instance.objectives),
        "limits": limits,
        "required_nodes": list(instance.required_nodes),
        "rules": asdict(instance.rule),
        "walk_m": instance.network.walk_m,
        "grid": {"crs": grid.crs, "radius_m": grid.radius_m},
        "units": UNITS,
        "sha256": digests(files),
    }


def _parsed_about(data: bytes, place: str) -> dict[str, Any]:
    """Return the content of ``instance.json``, if it is of this format and version."""
    try:
        about = parse_json(data)
        found = about["format"], about["format_version"]
        hashes = dict(about["sha256"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = f"{place}/{INSTANCE_FILE}: is no instance ({type(error).__name__}: {error}); it needs format, format_version and sha256"
        raise DataError(msg) from error
    if found != (FORMAT, FORMAT_VERSION):
        msg = f"{place}/{INSTANCE_FILE}: its format is {found[0]} {found[1]}, this release reads {FORMAT} {FORMAT_VERSION}; export it anew"
        raise DataError(msg)
    return {**about, "sha256": hashes}


def _network_of(about: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> Network:
    """Return the network of the tables; rows may stand in any order but those of nodes and hexes."""
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network

    nodes, links, hexes, walks = (tables[name] for name in ("nodes.csv", "links.csv", "hexes.csv", "walks.csv"))
    _require_numbered(nodes["node"], "nodes.csv", "node")
    _require_numbered(hexes["hex"], "hexes.csv", "hex")
    grid = HexGrid(about["grid"]["crs"], about["grid"]["radius_m"], "planar", hexes["q"], hexes["r"])
    bounds = np.arange(nodes["node"].size + 1)
    by_link, by_walk = np.lexsort((links["to"], links["from"])), np.lexsort((walks["hex"], walks["node"]))
    return Network(
        grid=grid,
        stop_lon=nodes["lon"],
        stop_lat=nodes["lat"],
        stop_hex=nodes["hex"],
        stop_names=tuple(nodes["name"]),
        link_indptr=np.searchsorted(links["from"][by_link], bounds),
        link_to=links["to"][by_link],
        link_s=links["seconds"][by_link],
        link_m=links["metres"][by_link],
        shed_indptr=np.searchsorted(walks["node"][by_walk], bounds),
        shed_hex=walks["hex"][by_walk],
        shed_walk_m=walks["metres"][by_walk],
        walk_m=about["walk_m"],
        source="tables",
    )


def _demand_of(network: Network, tables: Mapping[str, Mapping[str, Any]]) -> Any:  # noqa: ANN401 - a type of a heavy room
    """Return the demand of the tables."""
    from owlbus.demand import Demand

    trips, hexes = tables["trips.csv"], tables["hexes.csv"]
    present = np.flatnonzero(hexes["people"])
    hours = [{"night": np.zeros(n, int), "hour": np.full(n, 24)} for n in (trips["origin"].size, present.size)]
    people = hours[1] | {"hex": present, "presence": hexes["people"][present]}
    n_hexes, grid = network.grid.n_hexes, network.grid.fingerprint
    return Demand.from_rows(n_hexes, hours[0] | dict(trips), people, hours=(24,), source="counts", grid=grid)


def _require_numbered(numbers: Any, table: str, column: str) -> None:  # noqa: ANN401 - an array
    """Refuse rows that are not numbered from 0 in order."""
    wrong = np.flatnonzero(numbers != np.arange(numbers.size))
    if wrong.size:
        msg = f"{table}: {column} must number the rows 0, 1, 2, …, got {numbers[wrong[0]]} in row {wrong[0]} ({wrong.size} such)"
        raise DataError(msg)


def _read_csv(data: bytes, table: str, place: str) -> dict[str, Any]:
    """Return the columns of a table as arrays, names as a list."""
    import polars as pl

    columns, whole = TABLES[table]
    types = {name: pl.Int64 if name in whole else pl.String if name == "name" else pl.Float64 for name in columns}
    try:
        frame = pl.read_csv(io.BytesIO(data), schema_overrides=types).select(columns)
    except pl.exceptions.PolarsError as error:
        msg = f"{place}/{table}: {str(error).splitlines()[0]}; it needs the columns {', '.join(columns)}"
        raise DataError(msg) from None
    for name in columns:
        n_missing = frame[name].null_count() if name != "name" else 0
        if n_missing:
            msg = f"{place}/{table}: {name} is empty in row {int(frame[name].is_null().arg_true()[0])} ({n_missing} such)"
            raise DataError(msg)
    return {name: frame[name].fill_null("").to_list() if name == "name" else frame[name].to_numpy() for name in columns}


def _csv(columns: Iterable[str], values: Iterable[Any]) -> bytes:
    """Return a table as CSV; whole numbers without a point, others with as many digits as they need."""
    texts = [column if isinstance(column, list) else [_number(value) for value in column.tolist()] for column in values]
    lines = [",".join(columns), *map(",".join, zip(*texts, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def _number(value: float) -> str:
    """Return a number as it reads back."""
    return f"{int(value)}" if float(value).is_integer() else repr(value)


def _degrees(values: Any) -> Any:  # noqa: ANN401 - an array
    """Return degrees with six decimals, a tenth of a metre."""
    return np.round(values, 6)


def _one_word(name: str) -> str:
    """Return a name for a field of CSV, without what would need quotes."""
    return name.replace(",", " ").replace('"', "'")
