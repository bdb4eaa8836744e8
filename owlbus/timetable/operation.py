"""Settings of a night's operation: fleet, capacity, headways, layovers and transfers; and its unit costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.common.units import HOUR_S, require_number
from owlbus.timetable.bus_types import MOST_AVAILABLE, types_in_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from owlbus.common.acceptance import RideChoice
    from owlbus.timetable.bus_types import BusType

HEADWAYS_S = (600, 900, 1200, 1800, 2400, 3000, 3600)
"""Clock-face headways in seconds, which may change from hour to hour."""

_LEAST_BUDGET, _MOST_BUDGET = 0.01, 1e15


@dataclass(frozen=True, slots=True)
class Operation:
    """
    Settings of a night's operation; every bound is included.

    Attributes
    ----------
    fleet
        Number of buses; None takes the fewest that keep `max_headway_s` and `capacity`.
    capacity
        Riders that a bus carries.
    max_headway_s
        Policy headway: the longest time between two buses, in seconds.
    min_headway_s
        Shortest headway, in seconds.
    dwell_s
        Dwell time in seconds at intermediate stops, included in ride times; at most half of the ride to the stop.
    layover_share, min_layover_s
        Layover after a run: a share of its ride (0 to 1), rounded up, and at least this many seconds.
    layover_in_links
        Whether link times include the layover, as commercial speeds do. If so, a run takes ``1 / (1 + layover_share)`` of them, and
        run and layover together take as long as the scorecard counts for the fleet. If not, the layover is added.
    both_ends_from_m
        Routes of at least this one-way length in metres start from both ends at the first hour. Shorter ones start from the outer
        terminal and turn at the inner one.
    interline
        Whether a bus may continue on another route from the same terminal.
    uptake_share
        Share of the served trips that ride, 0 to 1.
    choice
        Who rides, in place of `uptake_share`; None for that.
    offset_step_s, max_offset_s
        Step and largest offset of a route's departures for timed transfers, in seconds.
    change_s
        Walk between two buses at the same stop, in seconds.
    equal_headways
        Whether all routes and hours have the same headway: the shortest that the fleet can run, or `max_headway_s` without a fleet.
    max_wait_s
        Longest wait of any rider for a bus, in seconds, from the first bus of a direction on: that of riders whom a full bus leaves behind
        too; None for no such limit.
    min_departures
        Departures from each district in each hour, at least; 0 for no such rule. Districts without a stop of the plan have none.
    bus_types
        Types of buses, of which each route runs one, in place of `capacity`; none for buses that are all alike. Without a `fleet` all that
        are available may run.
    budget
        Cost of a night that the buses of `bus_types` may take, in the currency of the unit costs; None for no such limit.

    Raises
    ------
    UsageError
        If a number lies outside its range, two bus types have one name, or a budget has no bus types or buses that change routes.

    Examples
    --------
    >>> Operation(fleet=45).layover_s(5400), Operation().layover_s(600)
    (540, 300)
    """

    fleet: int | None = None
    capacity: int = 45
    max_headway_s: int = HOUR_S
    min_headway_s: int = 600
    dwell_s: int = 15
    layover_share: float = 0.10
    min_layover_s: int = 300
    layover_in_links: bool = True
    both_ends_from_m: int = 30_000
    interline: bool = False
    uptake_share: float = 1.0
    offset_step_s: int = 180
    max_offset_s: int = 900
    change_s: int = 60
    equal_headways: bool = False
    max_wait_s: int | None = None
    min_departures: int = 0
    choice: RideChoice | None = None
    bus_types: tuple[BusType, ...] = ()
    budget: float | None = None

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("fleet", 1 if self.fleet is None else self.fleet, 1, 10_000)
        require_number("capacity", self.capacity, 1, 1_000)
        require_number("max_headway_s", self.max_headway_s, 60, 6 * HOUR_S)
        require_number("min_headway_s", self.min_headway_s, 60, self.max_headway_s)
        require_number("dwell_s", self.dwell_s, 0, 600)
        require_number("layover_share", self.layover_share, 0, 1)
        require_number("min_layover_s", self.min_layover_s, 0, 4 * HOUR_S)
        require_number("both_ends_from_m", self.both_ends_from_m, 0, 10_000_000)
        require_number("uptake_share", self.uptake_share, 0, 1)
        require_number("offset_step_s", self.offset_step_s, 10, HOUR_S)
        require_number("max_offset_s", self.max_offset_s, 0, 2 * HOUR_S)
        require_number("change_s", self.change_s, 0, HOUR_S)
        require_number("max_wait_s", self.max_headway_s if self.max_wait_s is None else self.max_wait_s, 60, 6 * HOUR_S)
        require_number("min_departures", self.min_departures, 0, 1_000)
        _require_types(self)

    @property
    def most_buses(self) -> int | None:
        """Buses of all types that may run; None where their number is free."""
        if not self.bus_types:
            return self.fleet
        available = sum(each.available for each in self.bus_types)
        return available if self.fleet is None else min(available, self.fleet)

    def with_free_fleet(self) -> Operation:
        """Return the same operation with as many buses as the longest headway takes, of each type if there are several."""
        if not self.bus_types:
            return replace(self, fleet=None)
        free = tuple(replace(each, available=MOST_AVAILABLE) for each in self.bus_types)
        return replace(self, fleet=None, bus_types=free, min_headway_s=self.max_headway_s)

    @property
    def menu_s(self) -> tuple[int, ...]:
        """Headways that may change from hour to hour, ascending seconds, with the shortest and the policy headway."""
        inner = {headway for headway in HEADWAYS_S if self.min_headway_s <= headway <= self.max_headway_s}
        return tuple(sorted(inner | {self.min_headway_s, self.max_headway_s}))

    @property
    def offsets_s(self) -> tuple[int, ...]:
        """Offsets allowed for a route's departures, seconds ascending from 0."""
        return tuple(range(0, self.max_offset_s + 1, self.offset_step_s))

    def published_base(self, min_count: float) -> float:
        """
        Base of printed counts of riders, of whom a trip of the demand may be several.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts of the demand are multiples; -1 for open data.

        Returns
        -------
        float
            `RideChoice.published_base` of the choice; `min_count` without one.
        """
        return min_count if self.choice is None else self.choice.published_base(min_count)

    def layover_s(self, ride_s: int) -> int:
        """
        Layover in seconds after a run.

        Parameters
        ----------
        ride_s
            Seconds of the run.

        Returns
        -------
        int
            The share of the ride in seconds, rounded up, and at least `min_layover_s`.
        """
        return max(self.min_layover_s, -(-ride_s * self._thousandths // 1000))

    def run_s(self, links_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Ride time of a run up to each stop, in seconds.

        Parameters
        ----------
        links_s
            Link times up to each stop in seconds, shape (n,).

        Returns
        -------
        ndarray of int64
            Link times without the layover that they include, rounded down, shape (n,).
        """
        return links_s * 1000 // (1000 + self._thousandths * self.layover_in_links)

    @property
    def _thousandths(self) -> int:
        """Layover in thousandths of the ride."""
        return round(self.layover_share * 1000)


def _require_types(operation: Operation) -> None:
    """Refuse bus types of one name, and a budget that nothing can keep."""
    require_number("budget", _LEAST_BUDGET if operation.budget is None else operation.budget, _LEAST_BUDGET, _MOST_BUDGET)
    names = [each.name for each in operation.bus_types]
    if len(set(names)) < len(names):
        msg = f"{setting('bus_types')} must have a name each, got {types_in_words(operation.bus_types)}; rename one"
        raise UsageError(msg, setting="bus_types")
    if operation.budget is None:
        return
    if not operation.bus_types:
        msg = f"{setting('budget')} limits what buses of given types cost, and no types are given; add {setting('bus_types')}"
        raise UsageError(msg, setting="budget", value=operation.budget)
    if operation.interline:
        msg = (
            f"{setting('budget')} counts the hours of buses that stay on their route, and {setting('interline')} lets them change; "
            "leave one of them out"
        )
        raise UsageError(msg, setting="budget", value=operation.budget)


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """
    Unit costs of a night per vehicle-km, per vehicle-hour and per bus: the three-variable cost allocation model [1]_.

    The defaults are an assumption of owlbus, not an operator's figures: a diesel bus of 12 m at European prices. Use them to compare
    plans, not to draw up a budget. Every output names them as assumed. Replace them by the operator's own.

    - km, 1.00 EUR: 0.4 l of diesel at 1.30 EUR, and 0.48 EUR for tyres, wear and cleaning;
    - hour, 40 EUR: a driver at 25 EUR of labour cost, a quarter more for the night, and a quarter more for paid time off the road;
    - bus, 45 EUR a night: 250,000 EUR over 12 years at 4 % and 6,000 EUR a year for insurance and depot make 89 EUR a day, of which
      the night bears half, since the bus runs by day too.

    Attributes
    ----------
    per_km, per_hour, per_bus
        Cost of a vehicle-km, a vehicle-hour and a bus for one night, in `currency`.
    currency
        ISO 4217 code.

    Raises
    ------
    UsageError
        If a cost is negative or no number, the currency is no code of three letters, or it differs from EUR and not all three costs
        are given.

    References
    ----------
    .. [1] Cherwony, Gleichman and Porter (1981), Bus Route Costing Procedures: A Review, UMTA-IT-09-9014-81-1.

    Examples
    --------
    >>> UnitCosts(per_km=1.5, per_hour=20.0, per_bus=50.0).total(vehicle_km=100.0, vehicle_hours=5.0, buses=2)
    350.0
    >>> UnitCosts(per_hour=30.0).assumed
    ('per_km', 'per_bus')
    """

    per_km: float = 1.0
    per_hour: float = 40.0
    per_bus: float = 45.0
    currency: str = "EUR"

    def __post_init__(self) -> None:
        """Check every number once."""
        for name in ("per_km", "per_hour", "per_bus"):
            require_number(name, getattr(self, name), 0, 1e9)
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):  # noqa: PLR2004 - of ISO 4217
            msg = f"{setting('currency')} must be a code of three letters, such as EUR or KRW, got {self.currency!r}"
            raise UsageError(msg, setting="currency", value=self.currency)
        if self.currency != UnitCosts.__dataclass_fields__["currency"].default and self.assumed:
            absent = ", ".join(map(setting, self.assumed))
            msg = f"costs in {self.currency} must all be given, got none for {absent}; the assumed ones are in EUR"
            raise UsageError(msg, setting=self.assumed[0])

    @property
    def assumed(self) -> tuple[str, ...]:
        """Names of the unit costs with the assumed value."""
        defaults = UnitCosts.__dataclass_fields__
        return tuple(name for name in ("per_km", "per_hour", "per_bus") if getattr(self, name) == defaults[name].default)

    @property
    def basis(self) -> str:
        """One line that names the assumed unit costs."""
        if not self.assumed:
            return "unit costs as given"
        which = "all unit costs" if len(self.assumed) == 3 else ", ".join(self.assumed)  # noqa: PLR2004 - all of them
        return f"assumption, not an operator's figures: {which}"

    def total(self, *, vehicle_km: float, vehicle_hours: float, buses: int) -> float:
        """
        Cost of a night in `currency`.

        Parameters
        ----------
        vehicle_km, vehicle_hours, buses
            Kilometres and hours of all buses together, and number of buses.

        Returns
        -------
        float
            In `currency`.
        """
        return self.per_km * vehicle_km + self.per_hour * vehicle_hours + self.per_bus * buses
