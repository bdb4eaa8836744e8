"""The kernel that judges records, held against plain Python with calendar dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.units import NightWindow
from owlbus.demand.row_counts import FileRowCounts
from owlbus.demand.tally import Tally
from owlbus.grid.hexgrid import HexGrid
from owlbus.kernels.count_records import straight_line_m
from owlbus.records.positions import Numbers
from owlbus.records.zone_fit import NO_ZONES

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - local clock times have no zone
HERE, THERE = (30.30, 59.93), (30.35, 59.95)
MAX_M_S = 150 / 3.6
GRID = HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94), (30.30, 59.94)])


@dataclass(slots=True)
class Told(Tally):
    """A tally whose rows lie in hexes that are told."""

    hexes: tuple[Any, Any] = ()

    def _hexes(self, batch):  # noqa: ARG002
        return self.hexes


class Ledger(FileRowCounts):
    """A ledger that needs no file."""

    def add(self, batch, rules, grid):
        """Enter nothing."""


def numbers(values: np.ndarray) -> Numbers:
    """A column without gaps."""
    return Numbers(values, np.empty(0, dtype=np.uint8))


def judge(
    start: float,
    end: float | None = None,
    here: int = 0,
    there: int = 1,
    count: float = 1.0,
    window: tuple[int, int] = (24, 29),
    twin: int = 0,
) -> tuple[int, int, int]:
    """Judge one row between two fixed places."""
    lon, lat, to_lon, to_lat = (np.array([value]) for value in (*HERE, *THERE))
    ends = np.array([] if end is None else [end], dtype=np.int64)
    hexes = np.array([here], dtype=np.int32), np.array([there], dtype=np.int32)
    batch = SimpleNamespace(ticks=np.array([start], dtype=np.int64), end_ticks=ends, per_s=1, is_dated=False, first_row=0, n_rows=1)
    batch.position, batch.destination = (numbers(lon), numbers(lat)), (numbers(to_lon), numbers(to_lat))
    batch.count = np.array([count])
    batch.zones = NO_ZONES, NO_ZONES
    batch.frame = pl.DataFrame({"lon": lon})
    tally = Told(GRID, NightWindow(*window), hexes=hexes)
    verdict = tally.add(batch, Ledger(None), np.array([twin], dtype=np.uint8), needs_verdict=True, needs_hexes=True)
    return int(verdict.rule[0]), int(verdict.night[0]), int(verdict.hour[0])


def local(text: str) -> int:
    return int((dt.datetime.fromisoformat(text) - EPOCH).total_seconds())


def night_of(day: int) -> dt.date:
    return EPOCH.date() + dt.timedelta(days=day)


@given(st.datetimes(dt.datetime(1970, 1, 4), dt.datetime(2099, 12, 31)))  # noqa: DTZ001
def test_the_night_carries_the_date_of_its_evening_and_hours_run_on(moment: dt.datetime) -> None:
    _, day, hour = judge(int((moment - EPOCH).total_seconds()), window=(12, 36))
    evening = moment.date() if moment.hour >= 12 else moment.date() - dt.timedelta(days=1)
    assert (night_of(day), hour) == (evening, moment.hour + (0 if moment.hour >= 12 else 24))


@pytest.mark.parametrize(
    ("text", "evening", "hour"),
    [
        ("2013-03-02 23:59:59", "2013-03-02", 23),
        ("2013-03-03 00:00:00", "2013-03-02", 24),
        ("2013-03-01 00:00:00", "2013-02-28", 24),
        ("2012-03-01 04:59:59", "2012-02-29", 28),
        ("2013-01-01 01:10:00", "2012-12-31", 25),
        ("2013-03-31 11:59:59", "2013-03-30", 35),
        ("2013-03-31 12:00:00", "2013-03-31", 12),
    ],
)
def test_nights_end_at_noon_also_at_month_ends(text: str, evening: str, hour: int) -> None:
    _, day, found = judge(local(text), window=(12, 36))
    assert (night_of(day).isoformat(), found) == (evening, hour)


@pytest.mark.parametrize(("clock", "hour"), [(0, 24), (85_800, 23), (86_399, 23), (86_400, 24), (90_600, 25), (43_199, 35), (43_200, 12)])
def test_times_without_a_date_before_noon_lie_after_midnight(clock: int, hour: int) -> None:
    assert judge(clock, window=(12, 36)) == (0, 0, hour)


@pytest.mark.parametrize(("clock", "rule"), [("23:59:59", 5), ("00:00:00", 0), ("04:59:59", 0), ("05:00:00", 5)])
def test_the_window_holds_its_start_and_not_its_end(clock: str, rule: int) -> None:
    assert judge(local(f"2013-03-02 {clock}"))[0] == rule


def test_a_row_in_an_unknown_zone_breaks_its_first_rule() -> None:
    at = local("2013-03-02 01:10:00")
    assert judge(at, here=-4)[0] == 10
    assert judge(at, here=-4, there=-4)[0] == 10
    assert judge(at, here=3, there=-4)[0] == 20
    assert judge(local("2013-03-02 08:10:00"), here=-4)[0] == 5
    assert judge(at, here=-4, count=-1)[0] == 6
    assert judge(at, at - 60, here=-4)[0] == 7
    assert judge(at, at + 60, here=-4, twin=1)[0] == 9
    assert judge(-1, here=-4)[0] == 1


def test_a_time_of_day_past_the_window_does_not_come_round_again() -> None:
    assert judge(36 * 3600 - 1, window=(12, 36))[0] == 0
    assert judge(36 * 3600, window=(12, 36))[0] == 5


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"start": -1}, 1),
        ({"start": local("2013-03-02 01:00"), "end": -1}, 1),
        ({"start": local("2013-03-02 01:00"), "end": 3600}, 1),
        ({"start": 3600, "here": -3}, 2),
        ({"start": 3600, "here": -2}, 3),
        ({"start": 3600, "here": -1}, 4),
        ({"start": 50_000}, 5),
        ({"start": 3600, "count": 0.0}, 6),
        ({"start": 3600, "count": float("nan")}, 6),
        ({"start": 3600, "count": 1e6 + 1}, 6),
        ({"start": 7200, "end": 3600}, 7),
        ({"start": 3601, "end": 3611}, 8),
        ({"start": 3601, "end": 7211, "twin": 1}, 9),
        ({"start": 7201, "end": 3601, "twin": 1}, 7),
        ({"start": 43_199, "end": 43_200, "window": (12, 36)}, 7),
        ({"start": 43_200, "end": 43_199, "window": (12, 36)}, 0),
        ({"start": 43_201, "end": 43_211, "window": (12, 36)}, 8),
        ({"start": 3600, "end": 7200, "there": -3, "twin": 1}, 9),
        ({"start": 3600, "there": -3}, 16),
        ({"start": 3600, "there": -2}, 17),
        ({"start": 3600, "there": -1}, 18),
        ({"start": 3600, "there": 0}, 19),
        ({"start": 3600}, 0),
        ({"start": 85_800, "end": 600, "window": (22, 29)}, 0),
        ({"start": -1, "here": -3, "count": 0.0}, 1),
    ],
)
def test_a_row_is_given_the_first_rule_it_breaks(row: dict[str, Any], rule: int) -> None:
    assert judge(**row)[0] == rule


def test_a_ride_may_be_as_much_longer_as_its_clock_is_coarse() -> None:
    metres = straight_line_m(*HERE, *THERE)
    shortest_s = int(np.ceil(metres / MAX_M_S)) - 1
    assert judge(3601, 3601 + shortest_s)[0] == 0
    assert judge(3601, 3601 + shortest_s - 1)[0] == 8
    assert shortest_s > 60
    coarse = [(3600, 3600), (4500, 4500), (3660, 3720), (3660, 3660), (3660, 3725), (4500, 4560)]
    assert [judge(*times)[0] for times in coarse] == [0, 0, 0, 8, 8, 0]


def test_a_subscriber_counts_once_a_night_and_hour_and_nobody_each_time() -> None:
    n, names = 6, ["a", None, "a", "b", None, "a"]
    batch = SimpleNamespace(end_ticks=np.array([], np.int64), per_s=1, is_dated=True, first_row=0, n_rows=n, count=np.empty(0))
    batch.ticks = np.full(n, local("2013-03-02 01:30"), np.int64)
    batch.ticks[5] = local("2013-03-02 03:30")
    batch.position, batch.destination = (tuple(numbers(np.full(n, degrees)) for degrees in place) for place in (HERE, THERE))
    batch.frame, batch.zones = pl.DataFrame({"subscriber": names}), (NO_ZONES, NO_ZONES)
    tally = Told(GRID, NightWindow(24, 29), hexes=(np.zeros(n, np.int32), np.ones(n, np.int32)))
    tally.add(batch, Ledger(None))
    demand = tally.counted("calls").demand
    assert list(zip(demand.presence_hour.tolist(), demand.presence.tolist(), strict=True)) == [(25, 4.0), (27, 1.0)]
    assert list(zip(demand.hour.tolist(), demand.trips.tolist(), strict=True)) == [(25, 4.0)]


@given(st.tuples(st.floats(-179, 179), st.floats(-80, 80)), st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)))
def test_the_straight_line_is_within_a_share_of_the_geodesic(place: tuple[float, float], step: tuple[float, float]) -> None:
    from pyproj import Geod

    to = place[0] + step[0], place[1] + step[1]
    exact_m = Geod(ellps="WGS84").inv(*place, *to)[2]
    assert straight_line_m(*place, *to) == pytest.approx(exact_m, rel=0.006, abs=0.01)
