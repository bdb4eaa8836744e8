"""
Journeys that the other routes of a plan offer, pair by pair, and how many people they carry.

`owlbus.kernels.carried_structs` describes the arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.carried_structs import OtherJourneys
from owlbus.kernels.jit import ZERO, float32, inlined, inner_kernel, int32, int64, lean_kernel
from owlbus.kernels.rides import NEVER, ride_by

if TYPE_CHECKING:
    from owlbus.kernels.carried_structs import PairRows, RideCosts, Service
    from owlbus.kernels.structs import Graph, Routes

COLUMNS, ROWS, ENTRIES = 0, 1, 2
"""Places in `OtherJourneys.counts`."""

NOBODY_RIDES_S = -(2**24)
"""Generalised time of the other way home where it is a walk, or where there is no way at all."""

_STEP_BITS = 3


def new_other_journeys(n_stops: int, n_hexes: int, n_routes: int, max_entries: int, pairs: tuple[int, int]) -> OtherJourneys:
    """
    Work space for `prepare_journeys`.

    Parameters
    ----------
    n_stops, n_hexes
        Stops S and hexes H of the network.
    n_routes
        Routes K.
    max_entries
        Most (position, hex) entries that one route can have.
    pairs
        Shape (W, P) of the trips in `PairRows`.

    Returns
    -------
    OtherJourneys
        The work space; what is touched of it is about ``8 * W * (P + C * T)`` bytes.
    """
    most, most_stops = min(n_routes * max_entries, n_hexes), min(n_routes * max_entries, n_stops)
    return OtherJourneys(
        counts=np.zeros(3, np.int64),
        column_of=np.full(n_hexes, -1, np.int32),
        hex_of=np.zeros(most, np.int32),
        row_of=np.full(n_stops, -1, np.int32),
        stop_of=np.zeros(most_stops, np.int32),
        calls=np.zeros(n_stops, np.int32),
        passes=np.full((n_stops, 2), -1, np.int32),
        onward_s=np.zeros((pairs[0], most_stops, most), np.float32),
        onward_factor=np.zeros((pairs[0], most_stops, most), np.int32),
        first_entry=np.full(n_hexes, -1, np.int32),
        entries=np.zeros((n_routes * max_entries, 4), np.int32),
        n_listed=np.full(n_hexes, -1, np.int32),
        listed=np.zeros(pairs[1], np.int32),
        listed_column=np.zeros(pairs[1], np.int32),
        pair_s=np.zeros(pairs, np.float32),
        pair_value=np.zeros(pairs, np.int32),
        best_s=np.zeros(most, np.float32),
        best_factor=np.zeros(most, np.int32),
    )


@inlined
def people_who_ride(costs: RideCosts, journey_s: float, alternative_s: int) -> int:
    """
    Share of people who take a journey.

    Parameters
    ----------
    costs
        Holds the shares.
    journey_s
        Generalised seconds of the journey, below 2**24.
    alternative_s
        Generalised seconds of the other way home.

    Returns
    -------
    int
        In 1/1024.
    """
    last = costs.accepted.shape[0] - 1
    step = ((int64(journey_s) - alternative_s) >> _STEP_BITS) + (last >> 1)
    return int(costs.accepted[min(max(step, ZERO), last)])


@lean_kernel
def prepare_journeys(graph: Graph, costs: RideCosts, routes: Routes, service: Service, others: OtherJourneys, left_out: int) -> None:
    """
    Set up the journeys that a plan offers without one route.

    Parameters
    ----------
    graph, costs, routes, service
        The stop network, what journeys cost, and the plan as it runs.
    others
        Written: the work space of `new_other_journeys`.
    left_out
        The route to leave out, or -1 for none.
    """
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    counts, calls, first_entry, entries = others.counts, others.calls, others.first_entry, others.entries
    column_of, hex_of, row_of, stop_of = others.column_of, others.hex_of, others.row_of, others.stop_of
    # Only what the last preparation touched is reset: the arrays are as long as the network.
    for c in range(counts[COLUMNS]):
        column_of[hex_of[c]] = -1
        first_entry[hex_of[c]] = -1
    for t in range(counts[ROWS]):
        row_of[stop_of[t]] = -1
        calls[stop_of[t]] = 0
    others.n_listed[:] = -1
    columns, rows, n_entries = ZERO, ZERO, ZERO
    for k in range(routes.n_stops.shape[0]):
        if k == left_out:
            continue
        for p in range(routes.n_stops[k]):
            stop = routes.stops[k, p]
            calls[stop] += 1
            _note_pass(routes, others, k, p)
            if row_of[stop] < 0:
                row_of[stop] = rows
                stop_of[rows] = stop
                rows += 1
            for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
                h = shed_hex[e]
                if column_of[h] < 0:
                    column_of[h] = columns
                    hex_of[columns] = h
                    columns += 1
                entries[n_entries, 0] = k
                entries[n_entries, 1] = p
                entries[n_entries, 2] = e
                entries[n_entries, 3] = first_entry[h]
                first_entry[h] = n_entries
                n_entries += 1
    counts[COLUMNS], counts[ROWS], counts[ENTRIES] = columns, rows, n_entries
    _fill_onward(graph, costs, routes, service, others, left_out)


@inlined
def _note_pass(routes: Routes, others: OtherJourneys, k: int, p: int) -> None:
    """Note the stops beside a stop where a route calls; none if it ends there, or if another route has others."""
    stop = routes.stops[k, p]
    low, high = int32(-1), int32(-1)
    if 0 < p < routes.n_stops[k] - 1:
        low = min(routes.stops[k, p - 1], routes.stops[k, p + 1])
        high = max(routes.stops[k, p - 1], routes.stops[k, p + 1])
    if others.calls[stop] > 1 and (others.passes[stop, 0] != low or others.passes[stop, 1] != high):
        low, high = int32(-1), int32(-1)
    others.passes[stop, 0] = low
    others.passes[stop, 1] = high


@inner_kernel
def _fill_onward(graph: Graph, costs: RideCosts, routes: Routes, service: Service, others: OtherJourneys, left_out: int) -> None:
    """Fill what a rider who changes at a stop of the other routes can reach, and who can reach that stop."""
    shed_indptr, shed_hex = graph.shed_indptr, graph.shed_hex
    onward_s, onward_factor, columns = others.onward_s, others.onward_factor, others.counts[COLUMNS]
    for way in range(onward_s.shape[0]):
        for t in range(others.counts[ROWS]):
            for c in range(columns):
                onward_s[way, t, c] = NEVER
                onward_factor[way, t, c] = 0
    for k in range(routes.n_stops.shape[0]):
        if k == left_out:
            continue
        change_s = float32(costs.transfer_s) + service.board_s[k]
        for p in range(routes.n_stops[k]):
            t = others.row_of[routes.stops[k, p]]
            for q in range(routes.n_stops[k]):
                if q == p:
                    continue
                stop = routes.stops[k, q]
                for way in range(onward_s.shape[0]):
                    ride = ride_by(routes.ahead_s[k], routes.back_s[k], p, q, way) + change_s
                    for e in range(shed_indptr[stop], shed_indptr[stop + 1]):
                        c = others.column_of[shed_hex[e]]
                        if ride + costs.shed_s[e] < onward_s[way, t, c]:
                            onward_s[way, t, c] = ride + costs.shed_s[e]
                            onward_factor[way, t, c] = service.factor[k, p, q]


@inner_kernel
def fill_pairs(graph: Graph, costs: RideCosts, rows: PairRows, routes: Routes, service: Service, others: OtherJourneys, h: int) -> None:
    """
    Fill the best journeys of the pairs of hex `h` on the other routes, and how many people they carry.

    Parameters
    ----------
    graph, costs, rows, routes, service
        The stop network, what journeys cost, the demand, and the plan as it runs.
    others
        Read and written: the work space that `prepare_journeys` set up.
    h
        Hex index.
    """
    begin = rows.indptr[h]
    end = begin
    for e in range(begin, rows.indptr[h + 1]):
        c = others.column_of[rows.partner[e]]
        if c >= 0 and (rows.alternative_s[0, e] > NOBODY_RIDES_S or rows.alternative_s[-1, e] > NOBODY_RIDES_S):
            others.listed[end] = e
            others.listed_column[end] = c
            end += 1
    others.n_listed[h] = end - begin
    for way in range(others.onward_s.shape[0]):
        _fill_best(graph, costs, routes, service, others, h, way)
        for i in range(begin, end):
            c = others.listed_column[i]
            others.pair_s[way, i] = others.best_s[c]
            others.pair_value[way, i] = 0
            if others.best_s[c] < NEVER:
                people = people_who_ride(costs, others.best_s[c], rows.alternative_s[way, others.listed[i]])
                others.pair_value[way, i] = people * others.best_factor[c]


@inlined
def _fill_best(graph: Graph, costs: RideCosts, routes: Routes, service: Service, others: OtherJourneys, h: int, way: int) -> None:
    """Fill the best journey between a hex and every column on the other routes, and its factor."""
    best_s, best_factor, columns = others.best_s, others.best_factor, others.counts[COLUMNS]
    for c in range(columns):
        best_s[c] = NEVER
        best_factor[c] = 0
    entry = others.first_entry[h]
    while entry >= 0:
        k, p = others.entries[entry, 0], others.entries[entry, 1]
        from_s = costs.shed_s[others.entries[entry, 2]] + service.board_s[k]
        for q in range(routes.n_stops[k]):
            if q == p:
                continue
            ride = ride_by(routes.ahead_s[k], routes.back_s[k], p, q, way) + from_s
            stop, factor = routes.stops[k, q], service.factor[k, p, q]
            for e in range(graph.shed_indptr[stop], graph.shed_indptr[stop + 1]):
                c = others.column_of[graph.shed_hex[e]]
                if ride + costs.shed_s[e] < best_s[c]:
                    best_s[c] = ride + costs.shed_s[e]
                    best_factor[c] = factor
            if costs.max_transfers and others.calls[stop] > 1:
                further, room = others.onward_s[way, others.row_of[stop]], others.onward_factor[way, others.row_of[stop]]
                for c in range(columns):
                    is_better = ride + further[c] < best_s[c]
                    best_s[c] = ride + further[c] if is_better else best_s[c]
                    best_factor[c] = min(factor, room[c]) if is_better else best_factor[c]
        entry = others.entries[entry, 3]
