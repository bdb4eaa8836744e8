"""Named places of a study, and the lattice whose stops they name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.disclosure import Publisher, scaled_base

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand, DemandReport
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.pipeline.study_sources import Sources
    from owlbus.records.places import Places
    from owlbus.sample import City
    from owlbus.sample.city import CityPlaces

PLACES_FILE = "places.parquet"
"""File of a run directory with the places that were given."""

_MOST_IDLE = 0.01
"""Largest share of people and of trips in hexes that count as empty."""


def places_of(sources: Sources) -> Places | None:
    """
    Named places that the sources give.

    Parameters
    ----------
    sources
        Table of places, and how to read positions that are not in degrees.

    Returns
    -------
    Places or None
        Positions in degrees; None without a table.
    """
    from owlbus.records.places import read_places

    return None if sources.places is None else read_places(sources.places, sources.crs)


def named_points(points: CityPlaces) -> Places:
    """
    Districts or spots of a city as places.

    Parameters
    ----------
    points
        Named points with weights, lon/lat degrees.

    Returns
    -------
    Places
        In the same order.
    """
    from owlbus.records.places import Places

    return Places(points.names, points.lon, points.lat, (), points.weight)


def fitted_lattice(network: Network, city: City | None, places: Places | None, demand: Demand | None, min_count: float) -> Network:
    """
    Lattice with stops named after places, and, where no city states its land, without those that no demand needs.

    Parameters
    ----------
    network
        A network of the lattice on whole hexes.
    city
        Facts of the city, or None.
    places
        Places that were given, or None for those of the city.
    demand
        Trips and people on the hexes or their parts; None keeps every stop.
    min_count
        Trips or people a night below which a count is not published; -1 for open data.

    Returns
    -------
    Network
        The lattice.
    """
    from owlbus.network.lattice_stops import named_after_places, without_idle_stops

    districts = None if city is None or not len(city.districts) else named_points(city.districts)
    spots = places if places is not None or city is None else named_points(city.night_spots)
    named = named_after_places(network, spots, districts)
    return named if demand is None or city is not None else without_idle_stops(named, _has_demand(network.grid, demand, min_count))


def hour_notes(network: Network) -> tuple[str, ...]:
    """
    What link times by hour mean for the figures.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    tuple of str
        A sentence; none where links take as long in every hour.
    """
    if not network.hours:
        return ()
    note = "trips and buses take those of the hour in which they start; routes, their limits, buses and the search take the longest"
    return (f"link times differ by hour: {note}",)


def _has_demand(grid: HexGrid, demand: Demand, min_count: float) -> NDArray[np.bool_]:
    """
    Return whether people or trips of each whole hex are printed.

    Which stops exist is published, so that it follows printed counts: a hex whose people and trips both print as zero counts as empty. If
    such hexes hold more than `_MOST_IDLE` of all demand as it is printed, as in small towns, every hex counts.
    """
    from owlbus.grid.subdivide import subdivide_hexes

    pairs = demand.od()
    trips = np.bincount(pairs.origin, pairs.trips, demand.n_hexes) + np.bincount(pairs.destination, pairs.trips, demand.n_hexes)
    counts = np.stack([demand.presence_by_hex(), trips])
    if demand.n_hexes != grid.n_hexes:
        whole_of = subdivide_hexes(grid).whole_of
        counts = np.stack([np.bincount(whole_of, row, grid.n_hexes) for row in counts])
    publisher = Publisher(min_count)
    has_demand: NDArray[np.bool_] = np.any(publisher.counts(counts) > 0 if not publisher.is_exact else counts > 0, axis=0)
    idle, total = (publisher.counts(part.sum(axis=1)) for part in (counts[:, ~has_demand], counts))
    is_enough = bool((idle <= _MOST_IDLE * total).all())
    return has_demand if is_enough else np.ones(grid.n_hexes, np.bool_)


def market_share_of(sources: Sources, grid: HexGrid, city: City | None) -> tuple[NDArray[np.float64] | None, float]:
    """
    Market share of the operator by hex, if a table of it is named, and the base of printed counts that its least share asks for.

    Parameters
    ----------
    sources
        Files and how to read them.
    grid
        Hexes of the study area.
    city
        Facts of the city, whose districts the table may name, or None.

    Returns
    -------
    share
        In (0, 1], shape (n_hexes,), float64; None without a table.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    """
    from owlbus.demand.market_share import read_market_share

    if sources.market_share is None:
        return None, sources.published_min_count
    districts = None
    if city is not None and len(city.districts):
        places = zip(city.districts.lon.tolist(), city.districts.lat.tolist(), strict=True)
        districts = dict(zip(city.districts.names, places, strict=True))
    share = read_market_share(sources.market_share, grid, districts)
    return share, scaled_base(sources.published_min_count, 1.0 / float(share.min()))


def weighted_base(sources: Sources, base: float, report: DemandReport) -> tuple[float, DemandReport]:
    """
    Base of printed counts where one record of a blend counts as several trips or people.

    Parameters
    ----------
    sources
        Whose base grows.
    base
        Base by market shares alone.
    report
        Of the records.

    Returns
    -------
    base, report
        Trips or people a night of which printed counts are multiples, and the report with a note where that grew.
    """
    base = scaled_base(base, report.record_weight(Publisher(base)))
    if base == sources.published_min_count:
        return base, report
    weight = base / sources.published_min_count
    note = f"one record counts as up to {weight:g} trips or people, so counts are printed in multiples of {base:g}"
    return base, replace(report, notes=(*report.notes, note))
