"""Choose the bus type and the headways of every route of a mixed fleet, proven by an integer program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import InfeasibleError
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S, QUANTA_PER_TRIP
from owlbus.search.highs import new_model, solve
from owlbus.timetable.bus_types import types_in_words
from owlbus.timetable.headways import WAIT_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from owlbus.timetable.bus_types import BusType
    from owlbus.timetable.equal_service import GroupDepartures
    from owlbus.timetable.headways import RoutePatterns
    from owlbus.timetable.operation import Operation, UnitCosts
    from owlbus.timetable.pattern_costs import PatternWork

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_RIDER_MINUTE = 60 * WAIT_SCALE * QUANTA_PER_TRIP
_BUDGET_ROW = 1000.0
"""What the budget counts in its row of the program, whose tolerance is a millionth."""

_SLACK = 1e-6
_HALF = 0.5


class TypeChoice(NamedTuple):
    """
    Bus type and headways of every route.

    Attributes
    ----------
    kinds
        Index of the bus type of each route.
    rows
        Row of the headway pattern of each route.
    """

    kinds: tuple[int, ...]
    rows: tuple[int, ...]


class _Options(NamedTuple):
    """
    What routes may run, one row for each route, bus type and pattern that can be best.

    `route`, `kind`, `row`, `buses`, `left_quanta` and `wait_quanta` have shape (n,), int64; `cost` shape (n,), float64, in money a night;
    `gives` are departures by district and hour, shape (n, m).
    """

    route: Ints
    kind: Ints
    row: Ints
    buses: Ints
    left_quanta: Ints
    wait_quanta: Ints
    cost: Floats
    gives: NDArray[np.int16]

    def only(self, is_kept: NDArray[np.bool_] | Ints) -> _Options:
        """Some rows."""
        parts: list[Any] = [column[is_kept] for column in self]
        return _Options(*parts)


class _Limits(NamedTuple):
    """What all routes together keep: buses by type, buses, cost a night or None, and departures by district and hour."""

    available: tuple[int, ...]
    fleet: int
    budget: float | None
    least: int


def choose_bus_types(
    by_type: Sequence[Sequence[RoutePatterns]],
    work: Sequence[PatternWork],
    operation: Operation,
    costs: UnitCosts,
    departures: GroupDepartures | None = None,
) -> TypeChoice:
    """
    Bus type and headways of every route: fewest riders left behind by full buses, then least waiting, then least cost, proven.

    With x[k, t, p] = 1 if route k runs pattern p with buses of type t, the sum over t and p is 1 for each route; the sum of buses of type
    t is at most their number; all buses are at most `Operation.fleet`, and their cost is at most `Operation.budget`, if these are set;
    and every district has its departures. The three aims are minimised one after the other by HiGHS, each under the values of those
    before. Of the patterns of a route with the same type, buses and departures only those can be best that no other one beats in riders
    left behind, waiting and cost. With `Operation.equal_headways` all routes run the shortest headway for which there is such a choice.

    Parameters
    ----------
    by_type
        Patterns of each route, by bus type; all with the same headways.
    work
        Metres and seconds of the buses of each route under each pattern.
    operation
        Bus types, and perhaps the number of buses and the budget of a night.
    costs
        Unit costs, where the types have none of their own.
    departures
        What each pattern gives each district; None for no rule.

    Returns
    -------
    TypeChoice
        Indices of types and patterns.

    Raises
    ------
    InfeasibleError
        If the buses, or the budget, are too few for any choice.
    """
    every = operation.bus_types
    n_buses = sum(each.available for each in every)
    fleet = n_buses if operation.fleet is None else min(n_buses, operation.fleet)
    least = 0 if departures is None else departures.least
    limits = _Limits(tuple(each.available for each in every), fleet, operation.budget, least)
    # Without the budget there are far fewer options; a best choice of these that keeps it is a best one of all.
    options = _options(by_type, work, operation, costs, departures, by_cost=False)
    for by_cost in [False] if operation.budget is None else [False, True]:
        if by_cost:
            options = _options(by_type, work, operation, costs, departures, by_cost=True)
        for part in _common_headways(by_type[0][0], options) if operation.equal_headways else [options]:
            chosen = _best(part, limits if by_cost else limits._replace(budget=None), len(work))
            if chosen is None:
                continue
            if operation.budget is None or by_cost or part.cost[chosen].sum() <= operation.budget:
                chosen = chosen[np.argsort(part.route[chosen])]
                return TypeChoice(tuple(part.kind[chosen].tolist()), tuple(part.row[chosen].tolist()))
            break
    raise _refused(by_type, options, limits, operation, costs)


def pattern_costs(patterns: RoutePatterns, work: PatternWork, bus_type: BusType, costs: UnitCosts) -> Floats:
    """
    Cost of a route for one night under each of its patterns.

    Parameters
    ----------
    patterns
        With the buses of each.
    work
        Metres and seconds of these buses.
    bus_type
        Type of the buses.
    costs
        Unit costs, where the type has none of its own.

    Returns
    -------
    ndarray of float64
        In the currency of the unit costs, shape (P,).
    """
    per_km, per_hour = bus_type.costs_on_the_road(costs)
    return per_km * work.vehicle_m / 1000 + per_hour * work.vehicle_s / HOUR_S + bus_type.per_bus * patterns.buses


def _options(
    by_type: Sequence[Sequence[RoutePatterns]],
    work: Sequence[PatternWork],
    operation: Operation,
    costs: UnitCosts,
    departures: GroupDepartures | None,
    *,
    by_cost: bool,
) -> _Options:
    """All that routes may run and that can be best; with one headway for all routes only the patterns of one headway."""
    tables = []
    for kind, bus_type in enumerate(operation.bus_types):
        for route, patterns in enumerate(by_type[kind]):
            row = np.flatnonzero(patterns.buses <= bus_type.available)
            if operation.equal_headways:
                row = row[(patterns.headways_s[row] == patterns.headways_s[row][:, :1]).all(axis=1)]
            gives = np.zeros((row.size, 0), np.int16)
            if departures is not None:
                counts = departures.counts[route][row][:, departures.served].reshape(row.size, -1)
                gives = np.minimum(counts, departures.least).astype(np.int16)
            columns = (patterns.buses[row], patterns.left_quanta[row], patterns.wait_quanta[row])
            cost = pattern_costs(patterns, work[route], bus_type, costs)[row]
            table = _Options(np.full(row.size, route), np.full(row.size, kind), row, *columns, cost, gives)
            tables.append(table if operation.equal_headways else table.only(_can_be_best(table, by_cost=by_cost)))
    return _Options(*(np.concatenate(column) for column in zip(*tables, strict=True)))


def _can_be_best(options: _Options, *, by_cost: bool) -> Ints:
    """
    Rows of one route and type that can be in a best choice, ascending.

    Of those with the same buses and departures, that is the first by riders left behind, waiting and cost; with a budget also each later
    one that costs less than all before it.
    """
    if not options.row.size:
        return options.row
    key = np.concatenate([options.buses[:, None], options.gives], axis=1)
    group = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.lexsort((options.row, options.cost, options.wait_quanta, options.left_quanta, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    if not by_cost:
        return np.sort(order[starts])
    kept = []
    for part in np.split(order, starts[1:]):
        cheapest = np.minimum.accumulate(options.cost[part])
        kept.append(part[np.concatenate([[True], cheapest[1:] < cheapest[:-1]])])
    return np.sort(np.concatenate(kept))


def _common_headways(patterns: RoutePatterns, options: _Options) -> Iterator[_Options]:
    """Options by headway, the shortest first."""
    headway_s = patterns.headways_s[options.row, 0]
    for each_s in np.unique(headway_s).tolist():
        yield options.only(headway_s == each_s)


def _best(options: _Options, limits: _Limits, n_routes: int) -> Ints | None:
    """Row of the option of each route in the best choice; None if there is none."""
    if np.unique(options.route).size < n_routes:
        return None
    model = _program(options, limits, n_routes)
    chosen = None
    aims = (options.left_quanta / QUANTA_PER_TRIP, options.wait_quanta / _RIDER_MINUTE, options.cost / max(1.0, float(options.cost.max())))
    for aim in aims:
        found = _cheapest(model, aim)
        if found is None:
            return chosen
        chosen = found
        _add_row(model, aim, -math.inf, float(aim[chosen].sum()) + _SLACK)
    return chosen


def _program(options: _Options, limits: _Limits, n_routes: int) -> Any:  # noqa: ANN401 - the solver ships no types
    """Program of one choice a route within the limits, without an aim."""
    import highspy

    n = options.row.size
    model = new_model(mip_rel_gap=0.0, mip_abs_gap=0.0)
    model.addVars(n, np.zeros(n), np.ones(n))
    model.changeColsIntegrality(n, np.arange(n, dtype=np.int32), np.array([highspy.HighsVarType.kInteger] * n))
    for route in range(n_routes):
        _add_row(model, (options.route == route).astype(np.float64), 1.0, 1.0)
    for kind, available in enumerate(limits.available):
        _add_row(model, np.where(options.kind == kind, options.buses, 0).astype(np.float64), -math.inf, float(available))
    if limits.fleet < sum(limits.available):
        _add_row(model, options.buses.astype(np.float64), -math.inf, float(limits.fleet))
    if limits.budget is not None:
        share = _BUDGET_ROW / max(limits.budget, 1e-9)
        _add_row(model, options.cost * share, -math.inf, _BUDGET_ROW)
    for gives in options.gives.T if limits.least else ():
        _add_row(model, gives.astype(np.float64), float(limits.least), math.inf)
    return model


def _add_row(model: Any, values: Floats, low: float, high: float) -> None:  # noqa: ANN401 - the solver ships no types
    """Add a row to a program; infinite bounds are none."""
    import highspy

    place = np.flatnonzero(values).astype(np.int32)
    bounds = [math.copysign(highspy.kHighsInf, bound) if math.isinf(bound) else bound for bound in (low, high)]
    model.addRow(*bounds, place.size, place, values[place])


def _cheapest(model: Any, aim: Floats) -> Ints | None:  # noqa: ANN401 - the solver ships no types
    """Options of a choice with the least sum of an aim, by route; None if there is none."""
    import highspy

    model.changeColsCost(aim.size, np.arange(aim.size, dtype=np.int32), aim)
    solve(model)
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.flatnonzero(np.array(model.getSolution().col_value) > _HALF)


def _refused(
    by_type: Sequence[Sequence[RoutePatterns]], options: _Options, limits: _Limits, operation: Operation, costs: UnitCosts
) -> InfeasibleError:
    """Error that says which limit leaves no choice: buses, budget, departures, or buses by type."""
    n_routes = len(by_type[0])
    fewest = [min(int(patterns[route].buses.min()) for patterns in by_type) for route in range(n_routes)]
    named = types_in_words(operation.bus_types)
    what = f"a headway of at most {operation.max_headway_s / 60:g} minutes"
    more = "allow a longer headway, more buses or fewer routes"
    if operation.max_wait_s is not None:
        what, more = f"a wait of at most {operation.max_wait_s / 60:g} minutes", "allow a longer wait, more buses or fewer routes"
    if sum(fewest) > limits.fleet:
        of = f"{limits.fleet}" if operation.fleet == limits.fleet else f"{limits.fleet} ({named})"
        msg = f"{what} on {how_many(n_routes, 'route')} takes {how_many(sum(fewest), 'bus')}, got {of}; {more}"
        return InfeasibleError(msg, setting="bus_types", value=limits.fleet, allowed=(sum(fewest), math.inf))
    if limits.budget is not None:
        free = limits._replace(budget=None)
        parts = _common_headways(by_type[0][0], options) if operation.equal_headways else [options]
        cheapest = min((cost for part in parts if (cost := _least_cost(part, free, n_routes)) is not None), default=None)
        if cheapest is not None:
            least = math.ceil(cheapest)
            msg = (
                f"{what} on {how_many(n_routes, 'route')} costs {least:,} {costs.currency} a night at least, "
                f"got a budget of {limits.budget:,.10g}; allow a higher budget, a longer headway or fewer routes"
            )
            return InfeasibleError(msg, setting="budget", value=limits.budget, allowed=(least, math.inf))
    rules = [", the same on all routes"] * operation.equal_headways
    rules += [f", with {limits.least} departures from every district in every hour"] * (limits.least > 0)
    routes, buses = how_many(n_routes, "route"), how_many(limits.fleet, "bus")
    msg = f"{what}{''.join(rules)}: {routes}, one type on each, cannot have it from {buses} ({named}); {more}"
    return InfeasibleError(msg, setting="bus_types", value=limits.fleet)


def _least_cost(options: _Options, limits: _Limits, n_routes: int) -> float | None:
    """Least cost of a night of any choice within the limits; None if there is none."""
    if np.unique(options.route).size < n_routes:
        return None
    chosen = _cheapest(_program(options, limits, n_routes), options.cost / max(1.0, float(options.cost.max())))
    return None if chosen is None else float(options.cost[chosen].sum())
