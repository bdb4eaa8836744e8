"""The quick way through records, held against plain Python row by row, with and without verdicts, pages and gaps."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from owlbus.common.units import QUANTA_PER_TRIP, NightWindow
from owlbus.demand import accumulators as pages_module
from owlbus.demand.row_counts import FileRowCounts
from owlbus.demand.tally import Tally
from owlbus.grid.hexgrid import HexGrid
from owlbus.kernels import count_blocks
from owlbus.kernels.count_records import NO_TICK, _seconds
from owlbus.records.positions import Numbers
from owlbus.records.zone_fit import NO_ZONES

GRID = HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94), (30.30, 59.94)])
WINDOW = NightWindow(22, 30)
EVENING = 15_800
"""Days since 1970 of the first night."""
HOUR_S, DAY_S = 3_600, 86_400


class Rules(FileRowCounts):
    """A ledger that adds up rows and units by rule and keeps the first rows."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows, self.units, self.first = np.zeros(256, int), np.zeros(256, int), {}

    def add(self, batch: Any, rules: count_blocks.RuleCounts, grid: HexGrid) -> None:  # noqa: ANN401, ARG002 - as the ledger has it
        """Enter a batch."""
        self.rows += rules.rows
        self.units += rules.quanta
        self.first |= {rule: batch.first_row + row for rule, row in enumerate(rules.first.tolist()) if row >= 0 and rule not in self.first}


def gappy(values: np.ndarray, rng: np.random.Generator, share: float) -> Numbers:
    """A column whose bits begin somewhere in a byte and leave some rows out."""
    offset = int(rng.integers(0, 20))
    held = np.concatenate([rng.random(offset) < 0.5, rng.random(values.size) >= share])
    return Numbers(values, np.packbits(held, bitorder="little"), offset) if share else Numbers(values, np.empty(0, np.uint8))


def points(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions in few hexes, some outside, swapped, or none."""
    at = rng.integers(0, 6, n)
    lon, lat = GRID.lon[at].copy(), GRID.lat[at].copy()
    odd = rng.integers(0, 40, n)
    lon[odd == 0] += 3
    lon[odd == 1], lat[odd == 1] = lat[odd == 1], lon[odd == 1]
    lon[odd == 2] = np.nan
    lat[odd == 3] = np.inf
    return lon, lat


def batch_of(n: int, first_row: int, rng: np.random.Generator, hours: np.ndarray, per_s: int, gaps: float, *, has_goal: bool) -> Any:  # noqa: ANN401 - what a reader gives
    """Records of some hours since the midnight before the first night, read as a file is."""
    seconds = EVENING * DAY_S + rng.choice(hours, n) * HOUR_S + rng.integers(0, HOUR_S, n)
    ticks = seconds * per_s + rng.integers(0, per_s, n)
    edge = rng.random(n) < 0.1
    ticks[edge] -= ticks[edge] % (HOUR_S * per_s) + rng.integers(0, 2, int(edge.sum()))  # first tick of an hour, or last of the one before
    ticks[rng.random(n) < 0.01] = NO_TICK
    ticks[rng.random(n) < 0.01] = 5 * HOUR_S * per_s  # in the first hours of 1970
    nothing = Numbers(np.empty(0), np.empty(0, np.uint8))
    (lon, lat), (to_lon, to_lat) = points(n, rng), points(n, rng)
    return SimpleNamespace(
        ticks=ticks,
        end_ticks=np.empty(0, np.int64),
        per_s=per_s,
        is_dated=True,
        first_row=first_row,
        n_rows=n,
        position=(gappy(lon, rng, gaps), gappy(lat, rng, gaps)),
        destination=(gappy(to_lon, rng, gaps), gappy(to_lat, rng, gaps)) if has_goal else (nothing, nothing),
        count=np.empty(0),
        zones=(NO_ZONES, NO_ZONES),
        frame=pl.DataFrame({"lon": lon}),
    )


def hexes_of(lon: Numbers, lat: Numbers) -> list[int]:
    """Hex of each row, -1 outside, -2 swapped, -3 without a position."""
    x, y = lon.filled(), lat.filled()
    found, swapped = GRID.lonlat_to_hex(x, y), GRID.lonlat_to_hex(y, x)
    return np.where(~(np.isfinite(x) & np.isfinite(y)), -3, np.where(found >= 0, found, np.where(swapped >= 0, -2, -1))).tolist()


def expected(batches: list[Any]) -> tuple[list[int], Counter[Any], Counter[Any]]:
    """Rule of each row, trips and people, told in plain Python."""
    rules: list[int] = []
    trips: Counter[Any] = Counter()
    people: Counter[Any] = Counter()
    for batch in batches:
        there = hexes_of(*batch.destination) if batch.destination[0].values.size else [-3] * batch.n_rows
        for tick, here, goal in zip(batch.ticks.tolist(), hexes_of(*batch.position), there, strict=True):
            second = tick // batch.per_s
            night = (second - DAY_S // 2) // DAY_S
            hour = (second - night * DAY_S) // HOUR_S
            if second < 2 * DAY_S:
                rule = 1
            elif here < 0:
                rule = {-3: 2, -2: 3, -1: 4}[here]
            elif hour not in WINDOW.hours:
                rule = 5
            else:
                rule = {-3: 16, -2: 17, -1: 18, here: 19}.get(goal, 0)
                people[night, hour, here] += 1
                if rule == 0:
                    trips[night, hour, here, goal] += 1
            rules.append(rule)
    return rules, trips, people


HOURS = {
    "one hour": np.array([24]),
    "one hour, mostly": np.array([24] * 40 + [25, 21, 312]),
    "a night": np.arange(12, 36),
    "nights of four years": np.arange(20, 32) + 24 * np.array([0, 0, 1, 0, 400, 0, 999, 1000, 1500, 0, 2, 0]),
}


@pytest.mark.parametrize("way", ["quick", "with rules", "row by row"])
@pytest.mark.parametrize("hours", list(HOURS))
@pytest.mark.parametrize(
    ("seed", "per_s", "gaps", "has_goal", "n_pages"), [(0, 1, 0.0, True, 0), (1, 1_000, 0.1, True, 2), (2, 1_000_000, 0.1, False, 0)]
)
def test_rows_are_judged_and_counted_as_one_by_one(
    seed: int,
    per_s: int,
    gaps: float,
    has_goal: bool,  # noqa: FBT001 - a parameter of the test
    n_pages: int,
    hours: str,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages_module, "FIRST_ROWS", 0)
    monkeypatch.setattr(pages_module, "MIN_BATCHES", 1)
    monkeypatch.setattr(pages_module, "TABLE_BYTES", 4 * GRID.n_hexes**2 * n_pages)
    rng = np.random.default_rng(seed)
    sizes = [1, 1_023, 1_025, 1_500]
    batches = [
        batch_of(n, first, rng, HOURS[hours], per_s, gaps, has_goal=has_goal)
        for n, first in zip(sizes, np.cumsum([0, *sizes]).tolist(), strict=False)
    ]
    tally, evaluator, verdicts = Tally(GRID, WINDOW), Rules(), []
    for batch in batches:
        verdict = tally.add(batch, evaluator, needs_verdict=way != "quick", needs_hexes=way == "row by row")
        verdicts += verdict.rule.tolist() if verdict is not None else []
    rules, trips, people = expected(batches)
    assert verdicts == ([] if way == "quick" else rules)
    assert evaluator.rows.tolist() == np.bincount(rules, minlength=256).tolist()
    assert evaluator.units.tolist() == [count * QUANTA_PER_TRIP for count in evaluator.rows.tolist()]
    assert evaluator.first == {rule: rules.index(rule) for rule in set(rules) - {0}}
    demand = tally.counted("calls").demand
    days = [(night - np.datetime64("1970-01-01")).astype(int) for night in np.array(demand.nights, "datetime64[D]")]
    found = zip(demand.night, demand.hour, demand.origin, demand.destination, demand.trips, strict=True)
    assert Counter({(days[night], *map(int, row)): count for night, *row, count in found}) == trips
    present = zip(demand.presence_night, demand.presence_hour, demand.presence_hex, demand.presence, strict=True)
    assert Counter({(days[night], *map(int, row)): count for night, *row, count in present}) == people


def test_trips_of_an_hour_that_has_a_page_are_counted_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_module, "FIRST_ROWS", 0)
    monkeypatch.setattr(pages_module, "TABLE_BYTES", 4 * GRID.n_hexes**2)
    rng, tally = np.random.default_rng(4), Tally(GRID, WINDOW)
    batches = [batch_of(900, first, rng, HOURS["one hour"], 1, 0.1, has_goal=True) for first in (0, 900)]
    for batch in batches:
        tally.add(batch, Rules())
    assert tally.od_tables.table_of.max() == 0
    hour = int(np.flatnonzero(tally.od_tables.table_of == 0)[0]) % len(WINDOW.hours) + WINDOW.start_hour
    _, trips, _ = expected(batches[1:])
    page = tally.od_tables.counts[0].reshape(GRID.n_hexes, GRID.n_hexes)
    apart = Counter({(a, b): int(page[a, b]) for a, b in np.argwhere(page).tolist() if a != b})
    assert apart == Counter({(a, b): count for (_, told, a, b), count in trips.items() if told == hour})
    assert apart


def test_a_row_whose_count_is_unusable_adds_no_trip() -> None:
    batch = batch_of(4, 0, np.random.default_rng(0), HOURS["one hour"], 1, 0.0, has_goal=True)
    batch.ticks[:] = EVENING * DAY_S + 25 * HOUR_S
    for k, column in enumerate((*batch.position, *batch.destination)):
        column.values[:] = (GRID.lon, GRID.lat)[k % 2][k // 2]
    batch.count, evaluator = np.array([0.0, np.nan, -1.0, 2.5]), Rules()
    tally = Tally(GRID, WINDOW)
    tally.add(batch, evaluator)
    assert (evaluator.rows[[0, 6]].tolist(), evaluator.units[[0, 6]].tolist(), evaluator.first) == ([1, 3], [2_560, 0], {6: 0})
    assert tally.counted("taxi").demand.trips.tolist() == [2.5]


@pytest.mark.parametrize(
    "nights",
    [
        [],
        [0],
        [15_800],
        [15_801, 15_800, 15_803],
        [0, 15_800, 0, 15_801],
        [15_800, 16_799, 14_801],
        [16_000, 16_999, 15_000],
        [16_000, 16_999, 14_999],
        [16_000, 17_000, 15_001],
    ],
)
@pytest.mark.parametrize("window", [(12, 36), (24, 29), (35, 36)])
def test_every_hour_of_the_nights_near_the_first_has_its_place(nights: list[int], window: tuple[int, int]) -> None:
    slots, first_hour = count_blocks.slots_by_hour(np.array(nights, np.int64), *window)
    dated = [night for night in nights if night > 0]
    near = [night for night in dated if abs(night - dated[0]) < 1_000]
    hours = [*range(*window)]
    wanted = {night * 24 + hour: nights.index(night) * len(hours) + hour - window[0] for night in near for hour in hours}
    assert {first_hour + place: slot for place, slot in enumerate(slots.tolist()) if slot >= 0} == wanted


@njit
def slots_of_block(ticks: np.ndarray, per_hour: int, by_hour: np.ndarray, first_hour: int, slots: np.ndarray) -> None:
    """Call a kernel that other kernels alone call."""
    count_blocks.slots_of_block(ticks, per_hour, by_hour, first_hour, slots)


@njit
def first_counted(low: int, slots: np.ndarray, here: np.ndarray) -> int:
    """Call a kernel that other kernels alone call."""
    return count_blocks.first_counted(low, slots, here)


@pytest.mark.parametrize(
    ("slots", "here", "first"),
    [([-1, 0, 3], [2, 0, 1], 1025), ([0, 1], [0, 1], 1024), ([-1, 2, 5], [3, -2, 4], 1026), ([-1, 2], [0, -3], -1), ([], [], -1)],
)
def test_the_first_row_that_counts_may_be_in_hex_0_and_in_slot_0(slots: list[int], here: list[int], first: int) -> None:
    assert first_counted(1024, np.array(slots, np.int32), np.array(here, np.int32)) == first


@given(st.integers(0, 999), st.integers(1, 40), st.sampled_from([3_600, 3_600_000, 3_600_000_000_000]), st.sampled_from([1, 3, 50]))
def test_the_hour_of_each_row_of_a_block_is_told(seed: int, n: int, per_hour: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    by_hour, first_hour = rng.integers(-1, 30, 24).astype(np.int32), 379_200
    hour = first_hour + rng.integers(-2, 26) + rng.integers(0, spread, n) * (rng.random(n) < 0.4)
    ticks = hour * per_hour + rng.choice([0, 1, per_hour // 2, per_hour - 1], n)
    ticks[rng.random(n) < 0.1] = rng.choice([NO_TICK, -1, 0, 5])
    slots = np.full(n, 99, np.int32)
    slots_of_block(ticks, per_hour, by_hour, first_hour, slots)
    past = [tick // per_hour - first_hour for tick in ticks.tolist()]
    assert slots.tolist() == [int(by_hour[p]) if 0 <= p < 24 else -1 for p in past]


@given(st.integers(-(2**30), 2**33), st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000]), st.sampled_from([-1, 0, 1]))
def test_a_tick_is_rounded_down_to_its_second(second: int, per_s: int, off: int) -> None:
    tick = second * per_s + off
    assert _seconds(np.int64(tick), np.int64(per_s), 1.0 / per_s) == tick // per_s


def test_ticks_beside_every_second_of_some_hours_are_rounded_down() -> None:
    seconds = np.concatenate([np.arange(5_000), np.arange(1_362_182_400, 1_362_187_400)])
    for per_s in (1_000, 1_000_000, 1_000_000_000):
        for off in (-1, 0, per_s - 1):
            found = [_seconds(np.int64(second * per_s + off), np.int64(per_s), 1.0 / per_s) for second in seconds.tolist()]
            assert found == (seconds - (off < 0)).tolist()
