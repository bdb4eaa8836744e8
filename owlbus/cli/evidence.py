"""What the commands of evidence share: the study at hand, plans from any file, tables of gains and losses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from owlbus.cli.chain import study_of
from owlbus.cli.given import run_beside
from owlbus.cli.options import AreaOptions, DemandOptions, LimitOptions, NetworkOptions, limits_of, option, sources_of
from owlbus.cli.talk import empty_table
from owlbus.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from owlbus.evidence import Ledger
    from owlbus.evidence.places import Places
    from owlbus.limits import RouteLimits, ServiceRule
    from owlbus.pipeline import Sources, Study
    from owlbus.plan import Plan

ANY_CIRCUITY = 1e6
"""Circuity that no given route exceeds."""

_PANEL = "What it is measured on"


@dataclass(frozen=True, slots=True)
class GroundOptions:
    """What plans are measured on."""

    from_run: Annotated[
        str | None,
        option(
            _PANEL, "--run", unit="DIR", text="Demand and network of an earlier run. Default: the run a plan lies in, or the sample city."
        ),
    ] = None
    records: Annotated[
        list[str] | None, option(_PANEL, "--records", unit="FILE", text="Records of calls or taxi rides instead; may be repeated.")
    ] = None
    max_snap: Annotated[float, option(_PANEL, "--max-snap", unit="METRES", text="How far a way-point may lie from the nearest stop.")] = (
        1500.0
    )


def ground_of(
    ground: GroundOptions, files: list[str], area: AreaOptions, demand: DemandOptions, network: NetworkOptions
) -> tuple[Study, Sources | None, str | None]:
    """
    Read or build what plans are measured on.

    Parameters
    ----------
    ground
        A run, records, or neither.
    files
        Plans; the first that lies in a run brings its study.
    area, demand, network
        Options for records, lengths in metres.

    Returns
    -------
    study, sources, run
        The study, and what it comes from.

    Raises
    ------
    UsageError
        If both a run and records are named.
    DataError
        If a plan is not there.
    """
    beside = run_beside(files)
    run = ground.from_run
    if run is not None and ground.records:
        msg = f"--run takes demand and network from {run}, so --records would not be read; leave one of them out"
        raise UsageError(msg)
    if run is None and not ground.records and area.city is None:
        run = beside
        area = area if run is not None else AreaOptions("seoul", area.area, area.radius, area.hexes, area.h3)
    sources = None if run is not None else sources_of(ground.records, area, demand, network)
    return study_of(sources, run, None), sources, run


def no_more_than(study: Study, plan: Plan, options: LimitOptions) -> RouteLimits:
    """
    Limits of a plan near a given one.

    Parameters
    ----------
    study
        Grid, demand and network.
    plan
        The given plan.
    options
        Limits as they are named.

    Returns
    -------
    RouteLimits
        In metres and seconds; where the options say nothing, kilometres and buses of the plan, and any circuity.
    """
    from owlbus.plan import plan_measures

    bounds = limits_of(options)
    measures = plan_measures(study.network, plan, bounds.headway_s)
    if options.max_circuity is None:
        bounds = replace(bounds, max_circuity=ANY_CIRCUITY)
    if options.fleet is None:
        bounds = replace(bounds, max_buses=max(1, measures.total_buses))
    if options.total_km is None:
        bounds = replace(bounds, max_total_length_m=max(1, measures.total_length_m))
    return bounds


def ledger_of(study: Study, rule: ServiceRule) -> Ledger:
    """Return the demand of a `study` under a `rule`, laid out for evidence, trips and people a night."""
    from owlbus.evidence import Ledger

    return Ledger.build(study.network, study.demand, rule, study.districts)


def places_of(study: Study) -> Places:
    """Return the known places of a `study`, lon/lat: night spots of its city, if it has one."""
    from owlbus.evidence.places import Places

    if study.city is None:
        return Places()
    spots = study.city.night_spots
    return Places(spots.names, spots.lon, spots.lat)


def moved_table(title: str, rows: Mapping[str, Mapping[str, Any]], min_count: float) -> Table:
    """
    Lay out who gains and who loses, one part of the demand a row.

    Parameters
    ----------
    title
        Line above the table.
    rows
        Trips and people a night by label, as `owlbus.evidence.shown` leaves them.
    min_count
        What stands for a hidden count.

    Returns
    -------
    Table
        Gained, lost and net trips, then people.
    """
    from owlbus.evidence.shown import count_text

    table = empty_table(title)
    table.add_column("", no_wrap=True)
    for name in ("trips +", "trips -", "net", "people +", "people -", "net"):
        table.add_column(name, justify="right", no_wrap=True)
    for label, row in rows.items():
        cells = []
        for what in ("trips", "presence"):
            cells += [count_text(row[f"{side}_{what}"], min_count) for side in ("gained", "lost")]
            net = row[f"net_{what}"]
            cells.append("" if net is None else f"{net:+,.0f}")
        table.add_row(label, *cells)
    return table
