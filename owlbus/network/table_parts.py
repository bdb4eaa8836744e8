"""Fields of a network on tables of roads, or of stops and the links between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.common.units import require_number
from owlbus.network.carriageways import on_both_carriageways
from owlbus.network.from_tables import is_stop_table, node_stops, read_roads, read_stops
from owlbus.network.stop_links import hex_stops, road_parts, snapped_stops

if TYPE_CHECKING:
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network.stop_links import RoadSettings

_ANY_LINK_S = 100_000.0


def table_parts(
    grid: HexGrid, tables: tuple[Any, Any, Any], settings: RoadSettings, snap_m: float, opposite_m: float, road_factor: float
) -> dict[str, Any]:
    """
    Fields of a network on tables.

    Parameters
    ----------
    grid
        The grid.
    tables
        Nodes, links, and stops or None, as files or tables. Nodes with ``stop_id`` are stops themselves if no stops are given; then
        all links of the table stay.
    settings
        Speeds, the longest link and the walk.
    snap_m
        Largest distance in metres from a stop to its road node.
    opposite_m
        Largest distance in metres from a stop to the other carriageway of its one-way road.
    road_factor
        Street metres over the metres of the links, dimensionless.

    Returns
    -------
    dict
        Arguments of `Network`.

    Raises
    ------
    DataError
        If a table breaks a rule, misses the grid, or connects fewer than two stops.
    UsageError
        If a distance or the factor is out of range.
    """
    require_number("snap_m", snap_m, 1.0, 100_000.0)
    require_number("opposite_m", opposite_m, 0.0, 1_000.0)
    require_number("road_factor", road_factor, 1.0, 10.0)
    nodes, links, stops = tables
    roads = read_roads(nodes, links, settings.speed_kmh, road_factor)
    if stops is None and is_stop_table(nodes):
        every_link = settings._replace(max_link_s=_ANY_LINK_S, stretch=1.0)
        return road_parts(grid, roads, node_stops(grid, roads, nodes), every_link)
    placed = hex_stops(grid, roads) if stops is None else snapped_stops(grid, roads, read_stops(stops), snap_m)
    roads, placed = on_both_carriageways(grid, roads, placed, opposite_m)
    return road_parts(grid, roads, placed, settings)
