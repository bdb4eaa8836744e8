"""Plans of any tool as a CSV of stops, and the limits of an instance that they break."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.common.errors import DataError
from owlbus.common.text import visible
from owlbus.plan import Plan, Route, check_plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from owlbus.nightbench.instance import BenchInstance

_COLUMNS = ("route", "order", "stop")
_ALSO = {"node": "stop", "stop_id": "stop", "node_id": "stop", "sequence": "order", "route_id": "route"}
"""Names under which a column is accepted too."""


def plan_csv(plan: Plan) -> bytes:
    """
    Stops of a plan as CSV.

    Parameters
    ----------
    plan
        The plan.

    Returns
    -------
    bytes
        ``route``, ``order`` from 1, and ``stop``, an index of the instance's nodes.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for route in plan.routes:
        writer.writerows((route.name, order, stop) for order, stop in enumerate(route.stops.tolist(), start=1))
    return text.getvalue().encode()


def read_plan_csv(path: str | PathLike[str], instance: BenchInstance) -> Plan:
    """
    Plan of a CSV of stops.

    Parameters
    ----------
    path
        CSV with ``route``, ``order`` and ``stop`` (or ``node``), rows in any order.
    instance
        The instance whose nodes it names.

    Returns
    -------
    Plan
        Routes in the order of their first rows; both directions run over the same stops.

    Raises
    ------
    DataError
        If the file cannot be read, a stop is unknown, or two stops in a row are not linked.
    """
    name = str(path)
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"{name}: cannot be read ({getattr(error, 'strerror', None) or error}); it is a CSV with {','.join(_COLUMNS)}"
        raise DataError(msg) from None
    network = instance.network
    try:
        routes = _routes_of(text, name, network.n_stops)
    except csv.Error as error:
        msg = f"{name}: cannot be read as CSV ({error}); look for a quotation mark that is not closed"
        raise DataError(msg) from None
    links = [set(network.link_to[low:high].tolist()) for low, high in pairwise(network.link_indptr)]
    for route, rows in routes.items():
        stops = [stop for _, _, stop in rows]
        gaps = [k for k, pair in enumerate(pairwise(stops)) if pair[1] not in links[pair[0]]]
        if gaps:
            line, first, second = rows[gaps[0] + 1][1], stops[gaps[0]], stops[gaps[0] + 1]
            way = f"ride on the links of {instance.name}, such as from stop {first} to {min(links[first], default=first)}"
            msg = f"{name}: route {route!r}, line {line}: no link leads from stop {first} to stop {second} ({len(gaps)} such gaps); {way}"
            raise DataError(msg)
    try:
        return Plan(tuple(Route([stop for _, _, stop in rows], route) for route, rows in routes.items()), network.fingerprint)
    except DataError as error:
        msg = f"{name}: {error.template}"
        raise DataError(msg) from None


def _routes_of(text: str, name: str, n_stops: int) -> dict[str, list[tuple[int, int, int]]]:
    """Return order, line and stop of each row, by route, in order."""
    reader = csv.DictReader(io.StringIO(text))
    header = {_ALSO.get(column.strip().lower(), column.strip().lower()): column for column in reader.fieldnames or ()}
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        found = ",".join(reader.fieldnames or ()) or "nothing"
        msg = f"{name}: column {missing[0]} is missing, its header is {visible(found)[:80]}; begin it with {','.join(_COLUMNS)}"
        raise DataError(msg)
    routes: dict[str, list[tuple[int, int, int]]] = {}
    for row in reader:
        route = (row[header["route"]] or "").strip()
        order, stop = (_whole(row, header, column, name, reader.line_num) for column in ("order", "stop"))
        if not 0 <= stop < n_stops:
            msg = f"{name}: route {route!r}, line {reader.line_num}: stop must lie in [0, {n_stops}), got {stop}; count nodes from 0"
            raise DataError(msg)
        routes.setdefault(route, []).append((order, reader.line_num, stop))
    for route, rows in routes.items():
        rows.sort()
        twice = [line for (before, _, _), (order, line, _) in pairwise(rows) if before == order]
        if twice or len(rows) == 1:
            why = f"two stops have the same order, the second in line {twice[0]}" if twice else f"it has one stop, in line {rows[0][1]}"
            msg = f"{name}: route {route!r}: {why}; number two stops or more 1, 2, 3, …"
            raise DataError(msg)
    if not routes:
        msg = f"{name}: it has no rows; write a line for each stop of each route, such as R1,1,0"
        raise DataError(msg)
    return routes


def _whole(row: Mapping[str, str | None], header: Mapping[str, str], column: str, name: str, line: int) -> int:
    """Return a whole number of a row."""
    text = (row[header[column]] or "").strip()
    try:
        return int(text)
    except ValueError:
        msg = f"{name}: line {line}: {column} must be a whole number, got {visible(text)[:40]!r}"
        raise DataError(msg) from None


def broken_rules(instance: BenchInstance, plan: Plan) -> tuple[str, ...]:
    """
    Limits of an instance that a plan breaks.

    Parameters
    ----------
    instance
        The instance.
    plan
        A plan on its network.

    Returns
    -------
    tuple of str
        A line for each, with the route, the value and the bound; empty if the plan keeps all.
    """
    lines = list(check_plan(instance.network, plan, instance.limits))
    if plan.n_routes > instance.n_routes:
        lines.append(f"all routes: {plan.n_routes} routes are more than {instance.n_routes}")
    left_out = sorted(set(instance.required_nodes) - set(plan.used_stops.tolist()))
    if left_out:
        names = ", ".join(map(str, left_out[:5]))
        lines.append(f"all routes: {len(left_out)} of {len(instance.required_nodes)} required nodes are not called at, first {names}")
    return tuple(lines)
