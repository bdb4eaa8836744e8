"""Instances of the literature as matrices: their networks, and the search for travel time on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from owlbus import DataError, Evaluator, Plan, Route, matrix_instance, search_travel_time, travel_times

if TYPE_CHECKING:
    from pathlib import Path

LINK_S = np.array([[-1, 60, -1, 300], [90, -1, 120, -1], [-1, 120, -1, 60], [300, -1, 60, -1]])
TRIPS = np.array([[7, 1, 1, 0], [0, 0, 2, 3], [0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("n", [2, 3, 15, 30, 70])
def test_every_stop_has_a_hex_of_its_own_with_its_links_and_trips(n: int) -> None:
    link_s = np.full((n, n), -1)
    link_s[np.arange(n - 1), np.arange(1, n)] = link_s[np.arange(1, n), np.arange(n - 1)] = np.arange(1, n) * 10
    trips = np.arange(n * n).reshape(n, n)
    network, demand = matrix_instance(link_s, trips)
    assert (network.n_stops, network.grid.n_hexes, network.hex_stop.tolist()) == (n, n, list(range(n)))
    assert network.drive_s[0].tolist() == np.cumsum(np.arange(n) * 10).tolist()
    assert demand.total_trips == trips.sum() - np.trace(trips)


def test_an_evaluator_says_of_an_instance_what_travel_times_say() -> None:
    network, demand = matrix_instance(LINK_S, TRIPS)
    evaluator = Evaluator(network, demand, objective="travel_time")
    routes = [[0, 1, 2], [2, 3]]
    plan = Plan(tuple(Route(stops, f"R{k}") for k, stops in enumerate(routes)), network.fingerprint)
    mean_s = (evaluator.total - evaluator.value(plan)) / demand.total_trips
    assert mean_s == pytest.approx(travel_times(LINK_S, TRIPS, routes).mean_s)


def test_the_search_finds_the_best_route_and_reaches_stops_without_trips() -> None:
    trips = np.where(np.arange(4) == 3, 0, TRIPS)
    result = search_travel_time(LINK_S, trips, 1, n_steps=400)
    (route,) = result.plan.routes
    assert sorted(route.stops.tolist()) == [0, 1, 2, 3]
    assert travel_times(LINK_S, trips, [route.stops]).mean_s == (60 + 180 + 2 * 120) / 4


def test_stops_of_a_route_keep_their_bounds() -> None:
    result = search_travel_time(LINK_S, TRIPS, 2, min_stops=2, max_stops=3, n_steps=400)
    assert {len(route.stops) for route in result.plan} <= {2, 3}


@pytest.mark.parametrize(
    ("link_s", "trips", "message"),
    [
        ([[-1, 60], [-1, -1]], [[0, 1], [0, 0]], "every link must have its reverse, got 60 from stop 0 to stop 1 (1 such pairs)"),
        ([[-1, 60], [60, -1]], [[0, 0], [0, 0]], "demand must hold at least one trip between two stops, got none"),
        ([[-1, 60], [60, -1]], [[0, 1, 0]], "demand must have the shape of link_s, (2, 2), got (1, 3)"),
    ],
)
def test_matrices_that_break_a_rule_are_refused(link_s: list[list[int]], trips: list[list[int]], message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        matrix_instance(link_s, trips)


@pytest.mark.real
def test_mandl_is_searched_to_within_a_hundredth_of_the_best_published_plan(cases: Path) -> None:
    minutes, trips = (np.loadtxt(cases / "utrp" / "mandl" / f"Mandl{name}.txt") for name in ("TravelTimes", "Demand"))
    link_s = np.where(np.isfinite(minutes) & (minutes > 0), 60 * minutes, -1)
    result = search_travel_time(link_s, trips, 6, max_stops=8, n_steps=200_000)
    assert travel_times(link_s, trips, [route.stops for route in result.plan]).mean_s / 60 < 1.01 * 10.18
