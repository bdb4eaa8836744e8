"""The scorecard: every measure of a plan with its numerator, its denominator and its interval."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.score.fairness import exact_fairness, printed_fairness
from owlbus.score.intervals import share_interval
from owlbus.score.publish import printed_card

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plan.limits import ServiceRule
    from owlbus.score.carried_score import CarriedScore

SCHEMA_VERSION = 3
"""Raised when every count came to be a multiple of one base, and every share to be made of such counts."""
CITY_SHARE = 0.42
"""Share of late-night demand that Seoul states its nine routes of 2013 serve; held against presence."""


def stated_share(city: str | None) -> float | None:
    """
    Share of late-night demand that a city states to serve, to hold presence against.

    Parameters
    ----------
    city
        Short name of the city, or None.

    Returns
    -------
    float or None
        `CITY_SHARE` for Seoul; None for every other place.

    Examples
    --------
    >>> stated_share("seoul"), stated_share(None)
    (0.42, None)
    """
    return CITY_SHARE if city == "seoul" else None


@dataclass(frozen=True, slots=True)
class Measure:
    """
    A share with what it is a share of.

    Attributes
    ----------
    numerator, denominator
        Trips or people a night.
    low_share, high_share
        90 % interval over nights, 0 to 1; None with fewer than `LEAST_NIGHTS` nights.
    nights
        Numerator and denominator of each night, shape (n_nights,) each, of which intervals are made; None where they are not kept.

    Examples
    --------
    >>> Measure(42.0, 100.0).share
    0.42
    """

    numerator: float
    denominator: float
    low_share: float | None = None
    high_share: float | None = None
    nights: tuple[NDArray[np.float64], NDArray[np.float64]] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def over_nights(cls, numerator: float, denominator: float, nights: tuple[NDArray[Any], NDArray[Any]] | None) -> Measure:
        """
        Measure with its interval over nights.

        Parameters
        ----------
        numerator, denominator
            Trips or people of a mean night.
        nights
            Both by night, shape (n_nights,) each, or None where nights do not differ.

        Returns
        -------
        Measure
            The interval is absent where nights are too few.
        """
        return cls(numerator, denominator, *((None, None) if nights is None else share_interval(*nights)), nights)

    @property
    def share(self) -> float | None:
        """Numerator over denominator, 0 to 1; None where there is nothing to serve."""
        return self.numerator / self.denominator if self.denominator > 0 else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """
    Presence and trips that a plan covers, for one part of the demand.

    Attributes
    ----------
    presence
        People within the walk of a stop, of all people.
    served, direct
        Trips served with at most the allowed transfers, and without one, of all trips.
    """

    presence: Measure
    served: Measure
    direct: Measure


@dataclass(frozen=True, slots=True)
class RouteScore:
    """
    One route in figures.

    Attributes
    ----------
    name
        Route name.
    n_stops, length_m, ride_s, cycle_s, circuity, buses
        Stops, one-way metres and seconds of the longer direction, seconds there and back, metres over the shortest way
        between the terminals, and buses at the headway.
    boardings_trips, transfers_trips
        Riders a night who begin on the route, and who change onto it.
    max_load_trips
        Riders a night on its heaviest segment in one direction.
    only_served_trips, only_presence
        Trips and people a night that the plan would lose without this route.
    """

    name: str
    n_stops: int
    length_m: int
    ride_s: int
    cycle_s: int
    circuity: float
    buses: int
    boardings_trips: float
    transfers_trips: float
    max_load_trips: float
    only_served_trips: float
    only_presence: float


@dataclass(frozen=True, slots=True)
class Segment:
    """
    Riders between two stops in a row.

    Attributes
    ----------
    route
        Route name.
    place
        Position of the first stop along the route, from 0.
    ahead_trips, back_trips
        Riders a night in the order of the stops, and against it.
    """

    route: str
    place: int
    ahead_trips: float
    back_trips: float


@dataclass(frozen=True, slots=True, eq=False)
class Scorecard:
    """
    Measures of a plan on a demand.

    Attributes
    ----------
    coverage
        The whole demand, with intervals over nights.
    hexes_share
        Area of the hexes within the walk of a stop, of that of all hexes, 0 to 1: the unweighted twin of the presence share.
    transfer_share
        Served trips that need a transfer, 0 to 1; None where no trips were counted.
    mean_ride_s, mean_walk_m
        Means over served trips: seconds on board, and metres on foot at both ends together; None where no trips were counted.
    mean_travel_s
        Mean seconds of all trips between different stops, riding and transfers: each takes the fastest journey between the stops nearest
        to its hexes, with any number of transfers, and counts ``rule.unserved_s`` without one. The passengers' cost of the route network
        design problem; see `owlbus.search.Objective`. None where no trips were counted.
    mean_circuity, overlap_share
        Mean over routes; and route metres that another route runs along too, of all route metres.
    total_length_m, total_buses
        One-way metres of all routes, and buses at the headway.
    by_hour, by_weekday, by_group, by_source
        Coverage of parts of the demand, by label.
    routes, segments
        One row per route, and per pair of stops in a row.
    rule
        When a trip counts as served.
    headway_s
        Seconds between buses that `total_buses` is counted for.
    walk_m
        Walk that a stop reaches, metres.
    n_nights
        Service nights the demand covers.
    walk_rule
        How hexes count by that walk, in words: by area, unless asked for otherwise.
    people_counted
        Whether people are all those counted by place and hour, their mean over the hours, rather than those of records.
    trips_counted
        Whether the demand has trips; without any, everything that counts trips is absent.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    carried
        Trips that the plan carries at the best headways of a fleet, hexes by their centre; None unless asked for.

    Examples
    --------
    >>> from owlbus import Demand, HexGrid, Network, Plan, Route, score_plan
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> network = Network.from_lattice(grid)
    >>> demand = Demand(20, origin=[0, 3, 16], destination=[19, 16, 0], trips=[60.0, 30.0, 10.0])
    >>> plan = Plan((Route(network.shortest_path(0, 19), "N1"),), network.fingerprint)
    >>> card = score_plan(network, demand, plan)
    >>> card.served_share, card.direct_share, card.total_buses
    (0.6, 0.6, 1)
    >>> card.coverage.served
    Measure(numerator=60.0, denominator=100.0, low_share=None, high_share=None)
    """

    coverage: Coverage
    hexes_share: float
    transfer_share: float | None
    mean_ride_s: float | None
    mean_walk_m: float | None
    mean_travel_s: float | None
    mean_circuity: float
    overlap_share: float
    total_length_m: int
    total_buses: int
    routes: tuple[RouteScore, ...]
    segments: tuple[Segment, ...]
    rule: ServiceRule
    headway_s: int
    walk_m: float
    n_nights: int
    by_hour: Mapping[str, Coverage] = field(default_factory=dict)
    by_weekday: Mapping[str, Coverage] = field(default_factory=dict)
    by_group: Mapping[str, Coverage] = field(default_factory=dict)
    by_source: Mapping[str, Coverage] = field(default_factory=dict)
    walk_rule: str = ""
    people_counted: bool = False
    trips_counted: bool = True
    min_count: float = MIN_COUNT
    carried: CarriedScore | None = None

    @property
    def carried_share(self) -> float | None:
        """Trips carried, of all trips, 0 to 1; None where nobody asked."""
        return None if self.carried is None else self.carried.carried.share

    @property
    def presence_share(self) -> float | None:
        """People within the walk of a stop, of all people, 0 to 1; None where there is nobody."""
        return self.coverage.presence.share

    @property
    def served_share(self) -> float | None:
        """Trips served, of all trips, 0 to 1; None where no trips were counted."""
        return self.coverage.served.share if self.trips_counted else None

    @property
    def direct_share(self) -> float | None:
        """Trips served without a transfer, of all trips, 0 to 1; None where no trips were counted."""
        return self.coverage.direct.share if self.trips_counted else None

    @property
    def fairness(self) -> dict[str, Any]:
        """Spread of the presence shares of `by_group`, and the groups that have none, as of `owlbus.score.fairness.fairness`."""
        return exact_fairness(self.by_group)

    def to_frame(self, by: str = "measure") -> pd.DataFrame:
        """
        Return exact figures, one row each.

        Parameters
        ----------
        by
            ``measure``: every measure of the whole, with ``value`` and ``unit``, and for shares ``numerator`` and ``denominator`` in trips
            or people a night, ``low_share`` and ``high_share``; ``hour``, ``weekday``, ``group`` or ``source``: the shares of each part;
            ``route`` or ``segment``: the fields of `RouteScore` and `Segment`.

        Returns
        -------
        DataFrame
            Rows of pandas; a share of nothing is missing.

        Raises
        ------
        UsageError
            If `by` is none of these.
        """
        from owlbus.score.card_frames import card_to_frame

        return card_to_frame(self, by)

    def to_geodataframe(self, network: Network, plan: Plan) -> gpd.GeoDataFrame:
        """
        Return one row per route with its exact figures and its line along the streets.

        Parameters
        ----------
        network
            Network of the plan.
        plan
            The plan that was scored.

        Returns
        -------
        GeoDataFrame
            The fields of `RouteScore`, metres, seconds, and trips and people a night, in lon/lat (EPSG:4326).

        Raises
        ------
        UsageError
            If the scorecard is of other routes.
        """
        from owlbus.score.card_frames import card_to_geodataframe

        return card_to_geodataframe(self, network, plan)

    def _repr_html_(self) -> str:
        """Shares of the whole and served trips by hour as they are printed, for notebooks."""
        from owlbus.common import notebook_html

        def percent(measure: Mapping[str, Any]) -> str:
            return str(measure["no_share"]) if measure["share"] is None else f"{measure['share']:.1%}"

        card = self.to_dict()
        rows = [
            (f"people within {self.walk_m:g} m", percent(card["presence"])),
            ("trips served", percent(card["served"])),
            ("without a change", percent(card["direct"])),
            ("hexes", f"{self.hexes_share:.1%}"),
            ("buses", f"{self.total_buses}"),
            ("routes, one way", f"{self.total_length_m / 1000:,.0f} km"),
            ("counts", card["counts"]),
        ]
        hours = {hour: part["served"] for hour, part in card["by_hour"].items()}
        texts, shares = [percent(part) for part in hours.values()], [part["share"] for part in hours.values()]
        drawing = notebook_html.bars(list(hours), shares, texts, name="trips served by hour")
        return notebook_html.page("Scorecard", notebook_html.table(rows), drawing)

    def to_dict(self, min_count: float | None = None) -> dict[str, Any]:
        """
        Scorecard as plain values for JSON, by the publishing rule.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples; that of the card by default.

        Returns
        -------
        dict
            Schema version first; ``min_count`` is the base, 0 for open data, and ``counts`` says it in words.

        Raises
        ------
        PrivacyError
            If `min_count` protects nobody.
        """
        publisher = Publisher(self.min_count if min_count is None else min_count)
        printed = printed_card(self, publisher)
        values: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **publisher.facts}
        values |= {name: printed.pop(name) for name in ("presence", "served", "direct")}
        for name in ("hexes_share", "transfer_share", "mean_ride_s", "mean_walk_m", "mean_travel_s", "mean_circuity", "overlap_share"):
            values[name] = printed.pop(name) if name in printed else round(getattr(self, name), 6)
        for name in ("total_length_m", "total_buses", "headway_s", "walk_m", "walk_rule", "n_nights"):
            values[name] = getattr(self, name)
        values["rule"] = asdict(self.rule)
        if self.carried is not None:
            values["carried"] = self.carried.printed(publisher)
        if self.people_counted:
            values["people_counted"] = True
        if not self.trips_counted:
            values["trips_counted"] = False
        if self.by_group:
            values["fairness"] = printed_fairness(printed["by_group"])
        return values | printed

    def to_json(self, min_count: float | None = None) -> str:
        """
        Scorecard as JSON text, the same bytes for the same figures.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples, as in `to_dict`; that of the card by default.

        Returns
        -------
        str
            Indented JSON that ends with a line break.

        Raises
        ------
        PrivacyError
            If `min_count` protects nobody.
        """
        return json.dumps(self.to_dict(min_count), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
