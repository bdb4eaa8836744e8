"""What a report says about records that name zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.demand.zone_shares import shares_of_zones
from owlbus.records.schema import CALLS, PRESENCE, TAXI
from owlbus.records.zone_fit import zone_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.common.disclosure import Publisher
    from owlbus.demand.tally import Counted
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.records.sources import Source


def zone_notes(counted: Counted, sources: Sequence[Source], grid: HexGrid, publisher: Publisher) -> list[str]:
    """
    Return notes on the records of one kind that name zones: how they are spread over hexes, and what is left out.

    Parameters
    ----------
    counted
        Demand of one kind, with trips a night that are left out.
    sources
        Files of that kind.
    grid
        Hexes of the study area.
    publisher
        The publishing rule of trips and people a night.

    Returns
    -------
    list of str
        One sentence each; none for records with positions.
    """
    naming = [source for source in sources if source.zones and any(zone_columns(source))]
    if not naming:
        return []
    kind = naming[0].layout.kind
    zones = naming[0].zones
    assert zones is not None  # noqa: S101 - chosen so
    shares = shares_of_zones(zones, grid)
    files = naming[0].name + (f" and {len(naming) - 1} more files" if len(naming) > 1 else "")
    table = f"{zones.name} ({zones.n_zones:,} zones in {shares.n_hexes_met:,} hexes, ids in column {zones.column})"
    by = "counts at the hex of its centroid" if zones.are_points else "is spread over its hexes by area"
    if zones.has_weights:
        by += ", parts of a zone by their weights"
    within, outside, people = (publisher.text(value) for value in (counted.within_trips, counted.outside_trips, counted.outside_people))
    left_out = f"{within} trips a night within one hex and {outside} outside the area are left out"
    if kind is PRESENCE:
        left_out = f"{people} person-hours a night outside the area are left out"
    place, places = ("cell", zones.name) if zones.are_cells else ("zone", f"zones of {table}")
    notes = [f"places of {files} are {places}: what lies in a {place} {by}; {left_out}"]
    if kind is TAXI:
        notes.append(f"the speed of rides of {files} is not checked, since {place}s do not tell how far they go")
    elif kind is CALLS:
        notes.append(f"calls of {files} from the {place} of the subscriber's home are no trips")
    if zones.n_empty:
        notes.append(f"{zones.name}: {zones.n_empty} rows have no geometry, so their ids are unknown zones")
    return notes
