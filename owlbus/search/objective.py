"""Objective of a search, by name or as a weighted mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.search.ride_service import RideService

if TYPE_CHECKING:
    from owlbus.demand import Demand

OBJECTIVES = ("served", "direct", "presence")

TRAVEL_TIME = "travel_time"
CARRIED = "carried"


@dataclass(frozen=True, slots=True)
class Objective:
    """
    What a search maximises: trips served and people reached, each with a weight, or the travel time that a plan saves.

    Travel time is the passengers' cost of the route network design problem: each trip takes the fastest journey between the stops nearest
    to its hexes, with any number of transfers, or counts `ServiceRule.unserved_s` seconds. The objective is what the plan saves of these.

    Attributes
    ----------
    trips, presence
        What a served trip and a person within the walk of a stop count, whole numbers >= 0, dimensionless.
    max_transfers
        Transfers that a served trip may need; 0 makes it the direct objective.
    is_travel_time
        Whether travel time is what counts, and nothing beside it.
    carried
        How buses run and who rides them, where trips carried are what counts, and nothing beside them; else None.

    Raises
    ------
    UsageError
        If a weight is negative, both are 0, or something counts beside travel time or trips carried.

    Examples
    --------
    >>> Objective.parse("direct")
    Objective(trips=1, presence=0, max_transfers=0, is_travel_time=False, carried=None)
    >>> Objective.parse("served=3,presence=1").presence
    1
    """

    trips: int = 1
    presence: int = 0
    max_transfers: int = 1
    is_travel_time: bool = False
    carried: RideService | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are all 0 or negative, and travel time in a mix."""
        if min(self.trips, self.presence) < 0 or self.trips + self.presence == 0:
            msg = f"objective weights must be >= 0 and not all 0, got trips {self.trips} and presence {self.presence}"
            raise UsageError(msg)
        if self.is_travel_time and (self.trips, self.presence) != (1, 0):
            msg = f"travel time must be the whole objective, got trips {self.trips} and presence {self.presence} beside it"
            raise UsageError(msg)
        if self.carried is not None and (self.is_travel_time or (self.trips, self.presence) != (1, 0)):
            msg = f"trips carried must be the whole objective, got trips {self.trips} and presence {self.presence} beside them"
            raise UsageError(msg)

    @property
    def counts_journeys(self) -> bool:
        """Whether whole journeys count, by their time or by who takes them: each has a search of its own, and no proven bound by area."""
        return self.is_travel_time or self.carried is not None

    @property
    def name(self) -> str:
        """Name of the trips that count: ``travel_time``, ``carried``, ``served`` or ``direct``."""
        if self.is_travel_time or self.carried is not None:
            return TRAVEL_TIME if self.is_travel_time else CARRIED
        return "served" if self.max_transfers else "direct"

    @classmethod
    def of_counted(cls, objective: Objective | str, demand: Demand) -> Objective:
        """
        Objective of a name, refused if it is of trips and a demand counts none.

        Parameters
        ----------
        objective
            The objective, or its name.
        demand
            Trips and people a night.

        Returns
        -------
        Objective
            The objective.

        Raises
        ------
        UsageError
            If there is no such objective, or it is of trips and the demand counts none.
        """
        chosen = cls.parse(objective) if isinstance(objective, str) else objective
        if chosen.trips and not demand.counts_trips:
            name = chosen.name
            people = setting("objective", "presence")
            msg = f"objective {name} needs trips, and the demand counts people alone; plan for them with {people}, or add records of trips"
            raise UsageError(msg, setting="objective", value=name, allowed=("presence",))
        return chosen

    @classmethod
    def parse(cls, text: str) -> Objective:
        """
        Objective of a name, or of a weighted mix.

        Parameters
        ----------
        text
            ``travel_time``, ``carried`` with the defaults of `RideService`, ``served``, ``direct``, ``presence``, or ``NAME=WEIGHT`` of
            the last three joined by commas, with whole weights.

        Returns
        -------
        Objective
            The objective.

        Raises
        ------
        UsageError
            If a name or a weight is none, or both ``served`` and ``direct`` occur.
        """
        if text.strip() == TRAVEL_TIME:
            return cls(is_travel_time=True)
        if text.strip() == CARRIED:
            return cls(carried=RideService())
        weights: dict[str, int] = {}
        for part in text.split(","):
            name, _, weight = part.strip().partition("=")
            if name not in OBJECTIVES or not (weight or "1").isdigit():
                msg = (
                    f"an objective must read {', '.join(OBJECTIVES)} or NAME=WEIGHT,NAME=WEIGHT of these with whole weights, "
                    f"or {TRAVEL_TIME} or {CARRIED} alone, got {text!r}"
                )
                raise UsageError(msg, setting="objective", value=text, allowed=OBJECTIVES)
            weights[name] = int(weight or 1)
        if weights.get("served") and weights.get("direct"):
            msg = f"an objective must weigh either served or direct, got {text!r}"
            raise UsageError(msg, setting="objective", value=text)
        return cls(
            weights.get("served", 0) + weights.get("direct", 0),
            weights.get("presence", 0),
            int(not weights.get("direct")),
        )
