"""What a report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.sample import City


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """
    A plan as a report tells of it.

    Attributes
    ----------
    name
        What people call it.
    plan
        The routes.
    card
        Its scorecard as ``scorecard.json`` holds it: shares 0 to 1, trips and people a night, small counts None.
    """

    name: str
    plan: Plan
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """
    What a report is made of.

    Attributes
    ----------
    network
        Stops and links on the grid, lengths in metres.
    demand
        Trips and people a night.
    best
        The plan that the report is about.
    reference
        A plan that it is held against, or None.
    city
        Facts of the city, or None.
    districts
        Name of the district of each hex, shape (H,), or None.
    is_synthetic
        Whether the records are synthetic.
    about
        What the run says about itself, as ``run.json`` holds it; times in seconds.
    """

    network: Network
    demand: Demand
    best: Told
    reference: Told | None = None
    city: City | None = None
    districts: NDArray[np.str_] | None = None
    is_synthetic: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
