"""Presence counted by place and hour: read from tables, and put in the place of the presence of records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import Publisher
from owlbus.common.units import hour_label, quantise
from owlbus.demand.columns import scaled
from owlbus.demand.counting import CountSettings, counting
from owlbus.demand.layout_notes import layout_notes
from owlbus.demand.row_counts import FileRowCounts, SourceCount, require_trips, require_usable
from owlbus.demand.table import Demand
from owlbus.demand.zone_notes import zone_notes
from owlbus.records.schema import PRESENCE
from owlbus.records.sources import open_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.records.read_options import ReadOptions
    from owlbus.records.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class CountedPresence:
    """
    People by place and hour, with the rows they were read from.

    Attributes
    ----------
    demand
        Presence by night, hour and hex; no trips.
    row_counts
        Rows by rule, by file.
    notes
        Notes on assumptions, one sentence each.
    """

    demand: Demand
    row_counts: list[FileRowCounts]
    notes: tuple[str, ...]

    @property
    def source(self) -> SourceCount:
        """Totals of the source."""
        demand = self.demand
        return SourceCount(PRESENCE.name, demand.n_nights, None, demand.total_presence, 0, 0)


def count_presence(
    tables: Any,  # noqa: ANN401 - whatever `open_sources` takes
    settings: CountSettings,
    options: ReadOptions,
    n_nights: int | None = None,
    max_rejected_share: float = 1.0,
    publisher: Publisher | None = None,
) -> CountedPresence:
    """
    Count people by place and hour.

    Rows of one place, hour and night add up, such as those of age groups, equal rows too. Nights with dates are averaged; where some
    nights lack hours that others have, each hour is averaged over the nights that have it.

    Parameters
    ----------
    tables
        Tables of presence: files, folders or globs.
    settings
        Grid and window.
    options
        How tables are to be read.
    n_nights
        Nights that rows without a date cover; 1 by default.
    max_rejected_share
        Largest allowed share of rejected rows per file, 0 to 1.
    publisher
        The publishing rule of counts in notes; its defaults if None.

    Returns
    -------
    CountedPresence
        People in each hour, as a demand without trips.

    Raises
    ------
    DataError
        If a file is missing, damaged, lacks a column, or nobody is present in the area and window.
    """
    options, publisher = replace(options, hexes=(settings.grid.lon, settings.grid.lat)), publisher or Publisher()
    with open_sources(tables, options, kinds=(PRESENCE,)) as sources, counting(settings) as counter:
        for source in sources:
            counter.count(source, None)
        counted = counter.total()
    row_counts = counted.rows_of(sources)
    for file in row_counts:
        require_usable(file, max_rejected_share)
    require_trips(row_counts)
    people = counted.tallies[PRESENCE.name].counted("counts", n_nights)
    demand, is_mean = _full_nights(people.demand)
    notes = (
        *layout_notes(sources, options),
        *_notes(sources, demand, n_nights, publisher, is_mean=is_mean),
        *zone_notes(people, sources, settings.grid, publisher),
    )
    return CountedPresence(replace(demand, people_counted=True), row_counts, notes)


def with_presence(demand: Demand, presence: Demand) -> Demand:
    """
    Return `demand` with the people of `presence` instead of its own; its trips stay.

    If both cover the same nights people are taken night by night; else every night has the people of the mean night.

    Parameters
    ----------
    demand
        Trips on a grid.
    presence
        People on the same grid and hours.

    Returns
    -------
    Demand
        Trips and people in 1/1024 a night.

    Examples
    --------
    >>> trips = Demand(3, hours=(24,), origin=[0], destination=[2], trips=[4.0])
    >>> people = Demand(3, hours=(24,), presence_hex=[1], presence=[7.0], people_counted=True)
    >>> with_presence(trips, people).presence_by_hex()
    array([0., 7., 0.])
    """
    columns = {name: getattr(presence, name) for name in ("presence_night", "presence_hour", "presence_hex", "presence")}
    if demand.nights != presence.nights:
        mean = _mean_night(presence, np.full(len(presence.hours), presence.n_nights))
        n = mean.presence.size
        columns = {name: np.tile(getattr(mean, name), demand.n_nights) for name in columns}
        columns["presence_night"] = np.repeat(np.arange(demand.n_nights), n)
    return replace(demand, people_counted=True, **columns)


def _full_nights(demand: Demand) -> tuple[Demand, bool]:
    """Return `demand`, or its mean night if some nights lack hours that others have; and whether it is that mean."""
    present = np.zeros((demand.n_nights, len(demand.hours)), dtype=np.bool_)
    present[demand.presence_night, np.searchsorted(demand.hours, demand.presence_hour)] = True
    has_hour = present.any(axis=0)
    if present[:, has_hour].all():
        return demand, False
    return _mean_night(demand, np.maximum(present.sum(axis=0), 1)), True


def _mean_night(demand: Demand, nights_of_hour: NDArray[np.int64]) -> Demand:
    """Return the mean night, each hour over its number of nights; totals of an hour are kept to 1/1024."""
    if demand.n_nights == 1:
        return replace(demand, nights=(None,))
    hour = np.searchsorted(demand.hours, demand.presence_hour)
    cells = np.zeros((len(demand.hours), demand.n_hexes))
    np.add.at(cells, (hour, demand.presence_hex), demand.presence)
    means = np.stack([scaled(row, float(quantise(row.sum() / n))) for row, n in zip(cells, nights_of_hour, strict=True)])
    hour, hexes = np.nonzero(means)
    rows = {"night": np.zeros(hour.size, np.int64), "hour": np.asarray(demand.hours)[hour], "hex": hexes, "presence": means[hour, hexes]}
    no_trips = {name: np.empty(0, np.int64) for name in ("night", "hour", "origin", "destination", "trips")}
    scope: dict[str, Any] = {**demand.scope, "nights": (None,)}
    return Demand.from_rows(demand.n_hexes, no_trips, rows, **scope)


def _notes(sources: tuple[Source, ...], demand: Demand, n_nights: int | None, publisher: Publisher, *, is_mean: bool) -> tuple[str, ...]:
    """Return notes on how tables were read: hours in columns, nights, and hours without anybody."""
    name = sources[0].name
    notes = []
    wide = [source for source in sources if source.n_hours > 1]
    if wide:
        notes.append(f"{wide[0].name}: has one column an hour, so that each of its rows is counted as {wide[0].n_hours}")
    if is_mean:
        notes.append(f"{name}: some nights lack hours that others have, so each hour is the mean of the nights that have it")
    elif demand.nights == (None,):
        claim = "as one night" if n_nights in {None, 1} else f"as the sum of {n_nights} nights, as told"
        notes.append(f"{name}: people carry no date and are taken {claim}")
    people = publisher.counts(demand.presence_by_hour().sum(axis=1))
    empty = [hour_label(hour) for hour, count in zip(demand.hours, people, strict=True) if count == 0]
    if empty:
        nobody = "nobody" if publisher.is_exact else f"fewer than {publisher.base:g} people"
        notes.append(f"{name}: counts {nobody} in {len(empty)} of {len(demand.hours)} hours, first {empty[0]}; means are over all hours")
    return tuple(notes)
