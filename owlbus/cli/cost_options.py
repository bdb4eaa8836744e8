"""Options of unit costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from owlbus.cli.messages import Gives
from owlbus.cli.options import option

if TYPE_CHECKING:
    from owlbus.timetable import UnitCosts

_COST = "Cost"


@dataclass(frozen=True, slots=True)
class CostOptions:
    """Unit costs. The defaults are assumptions; every cost shown says so."""

    cost_km: Annotated[
        float | None, option(_COST, "--cost-km", unit="MONEY", text="Cost per vehicle-km. Default: 1, assumed."), Gives("per_km")
    ] = None
    cost_hour: Annotated[
        float | None, option(_COST, "--cost-hour", unit="MONEY", text="Cost per vehicle-hour. Default: 40, assumed."), Gives("per_hour")
    ] = None
    cost_bus: Annotated[
        float | None, option(_COST, "--cost-bus", unit="MONEY", text="Cost per bus and night. Default: 45, assumed."), Gives("per_bus")
    ] = None
    currency: Annotated[
        str, option(_COST, "--currency", unit="CODE", text="Currency of the costs; another one than EUR needs all three costs.")
    ] = "EUR"


def costs_of(options: CostOptions) -> UnitCosts:
    """
    Unit costs that the options set, and the assumed ones for the others.

    Parameters
    ----------
    options
        Cost per vehicle-km, per vehicle-hour and per bus, and their currency.

    Returns
    -------
    UnitCosts
        With the assumed ones where none is set.

    Raises
    ------
    UsageError
        If a cost is negative, or another currency than EUR lacks one.
    """
    from owlbus.timetable import UnitCosts

    given = {"per_km": options.cost_km, "per_hour": options.cost_hour, "per_bus": options.cost_bus}
    return UnitCosts(**{name: cost for name, cost in given.items() if cost is not None}, currency=options.currency.upper())
