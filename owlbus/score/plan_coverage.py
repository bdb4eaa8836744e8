"""What plans cover of one demand: presence and trips, means a night and the counts of each night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.score.card import Coverage, Measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.search.point_counts import PlanCounts, PointCounter


def coverage_of(counter: PointCounter, counts: PlanCounts, demand: Demand) -> Coverage:
    """
    Presence and trips of a demand that a plan covers.

    Parameters
    ----------
    counter
        The counter of the demand's pairs.
    counts
        What the plan reaches and serves by it.
    demand
        Trips and people.

    Returns
    -------
    Coverage
        Means a night, and the counts of each night.
    """
    return CoverageOfPlans(counter, demand, intervals=True).of(counts)


class CoverageOfPlans:
    """
    Presence and trips of one demand that plans cover; what does not depend on the plan is found once.

    Parameters
    ----------
    counter
        The counter of the demand's pairs.
    demand
        Trips and people a night.
    intervals
        Whether to give 90 % intervals over nights.
    """

    def __init__(self, counter: PointCounter, demand: Demand, *, intervals: bool = False) -> None:
        self._demand, self._people = demand, demand.presence_by_hex()
        bands = [(index, pairs.trips) for pairs, index in counter.mean_trips(demand)]
        self._index: NDArray[np.int64] = np.concatenate([index for index, _ in bands])
        self._trips: NDArray[np.float64] = np.concatenate([trips for _, trips in bands])
        self._by_row = counter.pair_of(demand.origin, demand.destination, demand.hour) if intervals else None

    def of(self, counts: PlanCounts) -> Coverage:
        """
        Coverage by one plan.

        Parameters
        ----------
        counts
            What the plan reaches and serves.

        Returns
        -------
        Coverage
            Means a night, and with intervals the counts of each night.
        """
        people, trips, index, reached = self._people, self._trips, self._index, counts.reached_share
        sums = {
            "presence": (people @ reached, people.sum()),
            "served": (trips @ counts.served_share[index], trips.sum()),
            "direct": (trips @ counts.direct_share[index], trips.sum()),
        }
        nights = {} if self._by_row is None else self._by_night(counts, reached, self._by_row)
        return Coverage(**{name: Measure.over_nights(float(part), float(whole), nights.get(name)) for name, (part, whole) in sums.items()})

    def _by_night(
        self, counts: PlanCounts, reached: NDArray[np.float64], index: NDArray[np.int64]
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]] | None]:
        """Trips and people of each night that count, and all of them; None where people are counted for one night only."""
        demand = self._demand
        people, near = demand.people_by_night(), demand.people_by_night(reached[demand.presence_hex])
        is_one_night = demand.people_counted and (near == near[0]).all() and (people == people[0]).all()
        trips: NDArray[np.float64] = np.bincount(demand.night, demand.trips, demand.n_nights).astype(np.float64)
        nights: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]] | None] = {"presence": None if is_one_night else (near, people)}
        for name, share in (("served", counts.served_share), ("direct", counts.direct_share)):
            inside = demand.trips * share[index]
            nights[name] = (np.bincount(demand.night, inside, demand.n_nights).astype(np.float64), trips)
        return nights
