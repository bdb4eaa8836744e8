"""What routes must do besides keeping limits, held against sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from owlbus.kernels import route_constraints
from owlbus.kernels.group_reach import no_groups
from owlbus.kernels.structs import Constraints

N = 6
ROUTES = st.lists(st.integers(0, N - 1), unique=True, min_size=2, max_size=N)
WANTED = st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, 3)), max_size=3)
TERMINALS = st.sampled_from([(-1, -1), (0, -1), (3, -1), (0, 1), (1, 0), (2, 5)])


def padded(stops: list[int]) -> np.ndarray:
    """Stops of a route and, behind them, all others, which do not count."""
    return np.array([*stops, *sorted(set(range(N)) - set(stops))], np.int32)


def asked(may_end: set[int], wanted: list[tuple[int, int]], ends: list[tuple[int, int]]) -> Constraints:
    """Return what the kernels take."""
    rows = np.array(wanted, np.int32).reshape(-1, 2)
    return Constraints(
        np.isin(np.arange(N), list(may_end)).astype(np.uint8), np.arange(1.0, N + 1), rows, np.array(ends, np.int32), no_groups(N)
    )


@njit
def calls_at(stops: np.ndarray, n: int, stop: int) -> bool:
    """Call a kernel that other kernels alone call."""
    return route_constraints.calls_at(stops, n, stop)


@njit
def ends_allowed(wished: Constraints, k: int, stops: np.ndarray, n: int) -> bool:
    """Call a kernel that other kernels alone call."""
    return route_constraints.ends_allowed(wished, k, stops, n)


@njit
def count_calls(wished: Constraints, stops: np.ndarray, n_stops: np.ndarray, k: int, others: np.ndarray) -> None:
    """Call a kernel that other kernels alone call."""
    route_constraints.count_calls(wished, stops, n_stops, k, others)


@given(ROUTES, st.integers(0, N - 1))
def test_a_route_calls_at_the_stops_that_count(stops: list[int], stop: int) -> None:
    assert calls_at(padded(stops), len(stops), stop) == (stop in stops)


def may_run(stops: list[int], may_end: set[int], terminals: tuple[int, int]) -> bool:
    """Whether both ends are allowed and the terminals that are given, in either order, are among them."""
    given_ones = {stop for stop in terminals if stop >= 0}
    return {stops[0], stops[-1]} <= may_end and given_ones <= {stops[0], stops[-1]}


@given(ROUTES, st.sets(st.integers(0, N - 1), min_size=N - 2), TERMINALS)
def test_a_route_ends_where_it_may_and_at_its_terminals_in_either_order(
    stops: list[int], may_end: set[int], terminals: tuple[int, int]
) -> None:
    wished = asked(may_end, [], [(-1, -1), terminals])
    for way in (stops, stops[::-1], [0, 1], [3, 0]):
        assert ends_allowed(wished, 1, padded(way), len(way)) == may_run(way, may_end, terminals)
        assert ends_allowed(wished, 0, padded(way), len(way)) == may_run(way, may_end, (-1, -1))


@given(st.lists(ROUTES, min_size=1, max_size=4), WANTED, st.data())
def test_the_other_routes_that_call_at_each_wanted_stop_are_counted(
    routes: list[list[int]], wanted: list[tuple[int, int]], data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, len(routes) - 1))
    others = np.full(len(wanted), 9, np.int64)
    plan = np.stack([padded(stops) for stops in routes]), np.array([len(stops) for stops in routes])
    count_calls(asked(set(), wanted, [(-1, -1)]), *plan, k, others)
    assert others.tolist() == [sum(stop in row for other, row in enumerate(routes) if other != k) for stop, _ in wanted]


@given(ROUTES, ROUTES, WANTED, st.data(), st.sets(st.integers(0, N - 1), min_size=N - 1), TERMINALS)
def test_a_changed_route_leaves_no_wanted_stop_that_too_few_others_call_at(
    now: list[int],
    new: list[int],
    wanted: list[tuple[int, int]],
    data: st.DataObject,
    may_end: set[int],
    terminals: tuple[int, int],
) -> None:
    others = np.array([data.draw(st.integers(0, 3)) for _ in wanted], np.int64)
    kept = all(count >= least or stop not in now or stop in new for count, (stop, least) in zip(others.tolist(), wanted, strict=True))
    for terms in (terminals, (-1, -1)):
        wished = asked(may_end, wanted, [(4, 5), terms])
        found = route_constraints.keeps_constraints(wished, others, 1, padded(now), len(now), padded(new), len(new))
        assert found == (kept and may_run(new, may_end, terms))
