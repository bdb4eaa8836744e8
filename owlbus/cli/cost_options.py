"""Options of unit costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from owlbus.cli.messages import Gives
from owlbus.cli.options import option
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.timetable import BusType, UnitCosts

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


def costs_of(options: CostOptions, bus_types: Sequence[BusType] = ()) -> UnitCosts:
    """
    Unit costs that the options set, and the assumed ones for the others.

    Parameters
    ----------
    options
        Cost per vehicle-km, per vehicle-hour and per bus, and their currency.
    bus_types
        Types with costs of their own; what all of them have need not be set.

    Returns
    -------
    UnitCosts
        With the assumed ones where none is set.

    Raises
    ------
    UsageError
        If a cost is negative, another currency than EUR lacks one, or there is one cost for all buses and one for each type.
    """
    from owlbus.timetable import UnitCosts

    if bus_types and options.cost_bus is not None:
        msg = "--bus-types gives each type its cost per bus, and --cost-bus gives all buses one; leave --cost-bus out"
        raise UsageError(msg, setting="per_bus", value=options.cost_bus)
    own = {name: [getattr(each, name) for each in bus_types] for name in ("per_km", "per_hour", "per_bus")}
    of_types = {name: max(costs) for name, costs in own.items() if costs and None not in costs}
    given = {"per_km": options.cost_km, "per_hour": options.cost_hour, "per_bus": options.cost_bus}
    return UnitCosts(**of_types | {name: cost for name, cost in given.items() if cost is not None}, currency=options.currency.upper())
