"""Metres and seconds that buses drive under each headway pattern of a route, before any timetable is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from owlbus.timetable.headways import NEVER_S, route_starts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.timetable.headways import RouteCycle
    from owlbus.timetable.schedule import Direction

    Ints = NDArray[np.int64]

_PATTERNS_PER_CHUNK = 4096


class PatternWork(NamedTuple):
    """
    Work of the buses of one route under each of its patterns, as the timetable counts it.

    Attributes
    ----------
    vehicle_m
        Metres of all runs, shape (P,), int64.
    vehicle_s
        Seconds of all buses, each from its first start to its last arrival, layovers included, shape (P,), int64.
    """

    vehicle_m: Ints
    vehicle_s: Ints


class _Terminal(NamedTuple):
    """
    Runs at one terminal: starts from it, and buses that become ready at it with their arrivals before, shapes (P, n) and (P, m).

    Seconds; starts ascend, and all are padded with `NEVER_S`.
    """

    starts_s: Ints
    ready_s: Ints
    arrive_s: Ints


def pattern_work(
    cycle: RouteCycle, route: int, directions: Sequence[Direction], has_runs: NDArray[np.bool_], headways_s: Ints, hours: Sequence[int]
) -> PatternWork:
    """
    Metres and seconds of the buses of a route under each of many headway patterns.

    Parameters
    ----------
    cycle
        Cycle of the route.
    route
        Index of the route.
    directions
        Two per route of the plan.
    has_runs
        Whether each direction is run, shape (2 K,).
    headways_s
        Seconds between buses by hour, shape (P, n_hours).
    hours
        Service hours.

    Returns
    -------
    PatternWork
        Metres and seconds, without buses that go on to another route.
    """
    chunks = [headways_s[row : row + _PATTERNS_PER_CHUNK] for row in range(0, len(headways_s), _PATTERNS_PER_CHUNK)]
    parts = [_work(cycle, route, directions, has_runs, chunk, hours) for chunk in chunks]
    return PatternWork(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _work(
    cycle: RouteCycle, route: int, directions: Sequence[Direction], has_runs: NDArray[np.bool_], headways_s: Ints, hours: Sequence[int]
) -> PatternWork:
    """Metres and seconds under a chunk of patterns."""
    outer, inner = cycle.directions_of(route)
    outer_s, inner_s, _ = route_starts(cycle, headways_s, hours)
    outer_end_s, inner_end_s = (
        _later(starts_s, directions[row].rides_s(starts_s).astype(np.int64)) for starts_s, row in ((outer_s, outer), (inner_s, inner))
    )
    at_inner, at_outer = _later(outer_s, cycle.turn_s[0]), _later(inner_s, cycle.turn_s[1])
    if not has_runs[2 * route + 1]:
        terminals = [_Terminal(outer_s, _later(outer_s, sum(cycle.turn_s)), outer_end_s)]
    elif cycle.is_loop:
        both = (np.concatenate(pair, axis=1) for pair in ((outer_s, inner_s), (at_inner, at_outer), (outer_end_s, inner_end_s)))
        starts_s, ready_s, arrive_s = both
        terminals = [_Terminal(np.sort(starts_s, axis=1), ready_s, arrive_s)]
    else:
        terminals = [_Terminal(outer_s, at_outer, inner_end_s), _Terminal(inner_s, at_inner, outer_end_s)]
    metres = sum(
        (starts_s < NEVER_S).sum(axis=1) * directions[row].length_m * int(has_runs[row])
        for starts_s, row in ((outer_s, outer), (inner_s, inner))
    )
    return PatternWork(np.asarray(metres, np.int64), sum((_terminal_s(each) for each in terminals), np.zeros(len(headways_s), np.int64)))


def _later(starts_s: Ints, by_s: Ints | int) -> Ints:
    """Times some seconds later, shape (P, n); padding stays."""
    later: Ints = np.where(starts_s < NEVER_S, starts_s + by_s, NEVER_S)
    return later


def _terminal_s(terminal: _Terminal) -> Ints:
    """
    Last arrivals of the buses that end at a terminal less first starts of those that begin there, seconds, shape (P,).

    A start takes the bus that has been ready longest, and a new one if none is. So the buses that end there are the last ones ready.
    """
    starts_s, ready_s, arrive_s = terminal
    is_start, is_ready = starts_s < NEVER_S, ready_s < NEVER_S
    n_ready = (ready_s[:, None, :] <= np.where(is_start, starts_s, -1)[:, :, None]).sum(axis=2)
    excess = np.where(is_start, np.arange(1, starts_s.shape[1] + 1) - n_ready, 0)
    n_new = np.diff(np.maximum.accumulate(np.maximum(excess, 0), axis=1), axis=1, prepend=0)
    begin_s = (n_new * np.where(is_start, starts_s, 0)).sum(axis=1)
    n_end = is_ready.sum(axis=1) - is_start.sum(axis=1) + n_new.sum(axis=1)
    order = np.argsort(np.where(is_ready, ready_s, -1), axis=1, kind="stable")
    stays = np.arange(ready_s.shape[1]) >= (ready_s.shape[1] - n_end)[:, None]
    end_s: Ints = (np.take_along_axis(np.where(is_ready, arrive_s, 0), order, axis=1) * stays).sum(axis=1)
    begun_s: Ints = end_s - begin_s
    return begun_s
