"""The parts of a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.score.card import stated_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.records.places import Places
    from owlbus.sample import City


@dataclass(frozen=True, slots=True, eq=False)
class PlanContent:
    """
    A plan and its scorecard, as a report shows them.

    Attributes
    ----------
    name
        What people call it.
    plan
        The routes.
    card
        Its scorecard as ``scorecard.json`` holds it: shares 0 to 1, trips and people a night as they are printed.
    """

    name: str
    plan: Plan
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """
    The parts of a report.

    Attributes
    ----------
    network
        Stops and links on the grid, lengths in metres.
    demand
        Trips and people a night.
    best
        The plan that the report is about.
    reference
        A plan that it is compared with, or None.
    city
        Facts of the city, or None.
    districts
        Name of the district of each hex, shape (H,), or None.
    is_synthetic
        Whether the records are synthetic.
    about
        Content of ``run.json``; times in seconds.
    comparison
        Plans side by side, as ``compare.json`` holds them, where the report is about the difference of two; shares 0 to 1.
    net
        Class of each hex by the trips it gains less those it loses, shape (H,), -3 for many lost to 3 for many gained, and the net trips a
        night at which the classes away from 0 begin, as `owlbus.plot.maps.net_classes` returns them; or None.
    sweep
        Settings and what each serves, as ``sweep.json`` holds them, where the plan is one of many; shares 0 to 1.
    improvement
        Steps and gains, as ``improve.json`` holds them, where the plan is an improved one; trips and people a night.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    places
        Named places that were given, lon/lat degrees, or None for those of the city.
    missing
        Busy places without a stop as `owlbus.evidence.unserved_places.MissingPlace.to_dict` gives them; None where nobody looked.
    has_tables
        Whether the run holds its tables as a workbook, beside the report.
    days
        Service by day type, as ``days.json`` holds it; None for every night alike.
    reach
        People within reach of the busiest stop, as `owlbus.evidence.reached_people.reach_document` returns it, with the index of the
        ``stop``; people a night as they are printed. None where there is no timetable.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Plan, Route, score_plan
    >>> from owlbus.report import PlanContent, report_html
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> plan = Plan((Route(network.shortest_path(0, 19), "N1"),), network.fingerprint)
    >>> card = score_plan(network, demand, plan).to_dict()
    >>> report_html(Content(network, demand, PlanContent("my plan", plan, card)), "ko").split()[3]
    'lang="ko">'
    """

    network: Network
    demand: Demand
    best: PlanContent
    reference: PlanContent | None = None
    city: City | None = None
    districts: NDArray[np.str_] | None = None
    is_synthetic: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    comparison: Mapping[str, Any] | None = None
    net: tuple[NDArray[np.int8], tuple[float, float, float]] | None = None
    sweep: Mapping[str, Any] | None = None
    improvement: Mapping[str, Any] | None = None
    min_count: float = MIN_COUNT
    places: Places | None = None
    missing: Sequence[Mapping[str, Any]] | None = None
    has_tables: bool = False
    days: Mapping[str, Any] | None = None
    reach: Mapping[str, Any] | None = None

    @property
    def publisher(self) -> Publisher:
        """Rule by which counts are printed."""
        return Publisher(self.min_count)

    @property
    def city_share(self) -> float | None:
        """Share of late-night demand that the city states to serve, 0 to 1; None where it states none."""
        return None if self.city is None else stated_share(self.city.name)
