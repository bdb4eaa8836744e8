"""Demand: the table and its rules, means and slices, its file, and two sources beside each other."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import OutputError
from owlbus.demand import Demand, agreement, blend
from owlbus.demand.columns import scaled
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from pathlib import Path

NIGHTS = (dt.date(2013, 3, 1), dt.date(2013, 3, 2), dt.date(2013, 3, 9))
PLAIN = {"origin": [0, 2], "destination": [2, 1], "trips": [4.0, 1.5]}
FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None)


@st.composite
def demands(draw: st.DrawFn, n_hexes: int = 5, min_rows: int = 0) -> Demand:
    """Draw a demand of a few hexes on three nights or on one without a date."""
    nights = draw(st.sampled_from([NIGHTS, (None,)]))
    at = {"night": st.integers(0, len(nights) - 1), "hour": st.integers(24, 28), "units": st.integers(1, 9000)}
    pairs = st.tuples(st.integers(0, n_hexes - 1), st.integers(0, n_hexes - 1)).filter(lambda pair: pair[0] != pair[1])
    rows = draw(st.lists(st.tuples(at["night"], at["hour"], pairs, at["units"]), min_size=min_rows, max_size=12))
    people = draw(st.lists(st.tuples(at["night"], at["hour"], st.integers(0, n_hexes - 1), at["units"]), max_size=12))
    return Demand.from_rows(
        n_hexes,
        {
            "night": [row[0] for row in rows],
            "hour": [row[1] for row in rows],
            "origin": [row[2][0] for row in rows],
            "destination": [row[2][1] for row in rows],
            "trips": [row[3] / 1024 for row in rows],
        },
        {name: [row[i] / (1024 if i == 3 else 1) for row in people] for i, name in enumerate(("night", "hour", "hex", "presence"))},
        nights=nights,
    )


def trips_of(demand: Demand) -> dict[tuple[Any, ...], float]:
    """Trips by (night, hour, origin, destination)."""
    columns = (demand.night, demand.hour, demand.origin, demand.destination)
    return dict(zip(zip(*(column.tolist() for column in columns), strict=True), demand.trips.tolist(), strict=True))


def presence_of(demand: Demand) -> dict[tuple[Any, ...], float]:
    """People by (night, hour, hex)."""
    columns = (demand.presence_night, demand.presence_hour, demand.presence_hex)
    return dict(zip(zip(*(column.tolist() for column in columns), strict=True), demand.presence.tolist(), strict=True))


# the table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origin": [0, 9]}, "origin must lie in [0, 3), got 9 in row 1 (1 such row)"),
        ({"trips": [[1.0], [1.0]]}, "trips must be one column, got shape (2, 1)"),
        ({"origin": [0, -1]}, "origin must lie in [0, 3), got -1 in row 1 (1 such row)"),
        ({"origin": [0.0, 1.5]}, "origin must be whole numbers, got 1.5 in row 1 (1 such row)"),
        ({"origin": [0, math.nan]}, "origin must lie in [0, 3), got nan in row 1 (1 such row)"),
        ({"origin": [[0, 2]]}, "origin must be one column of numbers, got shape (1, 2) of int64; "),
        ({"origin": [0]}, "origin must have as many rows as trips, got 1 and 2"),
        ({"trips": [0.0, math.nan]}, "trips must be finite and > 0, got 0.0 in row 0 (2 such rows)"),
        ({"trips": [math.inf, 1.0]}, "trips must be finite and > 0, got inf in row 0 (1 such row)"),
        ({"trips": [1.0, 0.1]}, "trips must be multiples of 1/1024, got 0.1 in row 1 (1 such row)"),
        ({"hour": [24, 3]}, "hour must lie in [24, 29), got 3 in row 1 (1 such row)"),
        ({"hour": [24, 25], "hours": (24, 26)}, "hour must be one of hours, got 25 in row 1 (1 such row)"),
        ({"night": [0, 1]}, "night must lie in [0, 1), got 1 in row 1 (1 such row)"),
        ({"nights": NIGHTS}, "night must have as many rows as trips, got 0 and 2"),
        ({"destination": [0, 1]}, "destination must differ from the origin, got 0 in row 0 (1 such row)"),
        ({"origin": [2, 0], "destination": [1, 2]}, "rows of trips must be unique and sorted, row 1 is not (1 such row); "),
        ({"origin": [0, 0], "destination": [2, 2]}, "rows of trips must be unique and sorted, row 1 is not (1 such row); "),
        ({"presence_hex": [1, 1], "presence": [1.0, 1.0]}, "rows of presence must be unique and sorted, row 1 is not (1 such row); "),
        ({"n_hexes": 0}, "n_hexes must lie in [1, 1000000), got 0"),
        ({"hours": (25, 24)}, "hours must be ascending service hours in [12, 36), got (25, 24)"),
        ({"hours": ()}, "hours must be ascending service hours in [12, 36), got ()"),
        ({"nights": (NIGHTS[1], NIGHTS[0])}, "nights must be ascending dates or (None,), got 2 nights of which 2 have a date"),
        ({"nights": ()}, "nights must be ascending dates or (None,), got 0 nights of which 0 have a date"),
        ({"source": "guess"}, "source must be one of calls, taxi, counts, blend, got 'guess'"),
    ],
)
def test_a_demand_that_breaks_a_rule_says_which_and_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as error:
        Demand(**({"n_hexes": 3} | PLAIN | change))
    assert message in str(error.value)


def test_all_broken_rules_are_told_at_once() -> None:
    with pytest.raises(DataError, match=r"^trips must be finite.*; origin must lie in \[0, 3\).*; destination must lie in \[0, 3\)"):
        Demand(3, origin=[0, 9], destination=[7, 1], trips=[-1.0, 1.0])


def test_arrays_are_owned_and_stay_read_only_in_copies() -> None:
    trips = np.array([4.0, 1.5])
    demand = Demand(3, origin=[0, 2], destination=[2, 1], trips=trips)
    trips[0] = 99
    for one in (demand, copy.deepcopy(demand), pickle.loads(pickle.dumps(demand)), demand.od()):  # noqa: S301 - made here
        assert one.trips.tolist() == [4.0, 1.5]
        with pytest.raises(ValueError, match="read-only"):
            one.trips[0] = 1


@given(demands(), st.randoms(use_true_random=False))
def test_rows_in_any_order_and_any_parts_give_the_same_demand(demand: Demand, random: Any) -> None:  # noqa: ANN401 - hypothesis' own
    rows = [(*key, part) for key, trips in trips_of(demand).items() for part in (trips / 2, trips / 2) if (trips * 512).is_integer()]
    random.shuffle(rows)
    names = ("night", "hour", "origin", "destination", "trips")
    again = Demand.from_rows(5, {name: [row[i] for row in rows] for i, name in enumerate(names)}, nights=demand.nights)
    assert trips_of(again) == {key: trips for key, trips in trips_of(demand).items() if (trips * 512).is_integer()}


def test_rows_without_trips_are_dropped_and_negative_ones_refused() -> None:
    columns: dict[str, Any] = {"night": [0, 0], "hour": [24, 24], "origin": [0, 1], "destination": [1, 0]}
    assert Demand.from_rows(2, columns | {"trips": [0.0, 1.0]}).trips.tolist() == [1.0]
    with pytest.raises(DataError, match=r"^trips must be finite and >= 0, got -1.0 in row 0 \(1 such row\)$"):
        Demand.from_rows(2, columns | {"trips": [-1.0, 1.0]})


@given(demands())
def test_means_over_nights_lose_nothing_and_are_off_by_less_than_a_unit(demand: Demand) -> None:
    exact: Counter[tuple[int, int]] = Counter()
    for (_, _, origin, destination), trips in trips_of(demand).items():
        exact[origin, destination] += trips / demand.n_nights
    od = demand.od()
    found = dict(zip(zip(od.origin.tolist(), od.destination.tolist(), strict=True), od.trips.tolist(), strict=True))
    assert list(found) == sorted(found)
    rounded = demand.total_trips / (math.fsum(exact.values()) or 1)
    assert all(abs(found.get(pair, 0.0) - trips * rounded) < 1 / 1024 + 1e-9 for pair, trips in exact.items())
    assert od.total_trips == demand.total_trips == demand.trips_by_hour().sum()
    assert abs(demand.total_trips - math.fsum(exact.values())) <= 0.5 / 1024 + 1e-12
    assert demand.presence_by_hex().sum() == demand.total_presence == demand.presence_by_hour().sum()
    by_hex = [sum(people for key, people in presence_of(demand).items() if key[2] == i) / demand.n_nights for i in range(5)]
    assert np.abs(demand.presence_by_hex() - by_hex).max() < 1.5 / 1024


@given(demands(), st.sets(st.integers(24, 28), min_size=1), st.sets(st.integers(0, 2), min_size=1))
def test_a_slice_keeps_exactly_the_hours_and_nights_asked_for(demand: Demand, hours: set[int], nights: set[int]) -> None:
    nights = {night for night in nights if night < demand.n_nights} or {0}
    part = demand.slice(hours=hours, nights=nights)
    kept = sorted(nights)
    expected = {(kept.index(key[0]), *key[1:]): trips for key, trips in trips_of(demand).items() if key[0] in nights and key[1] in hours}
    people = {(kept.index(key[0]), *key[1:]): n for key, n in presence_of(demand).items() if key[0] in nights and key[1] in hours}
    assert (trips_of(part), presence_of(part)) == (expected, people)
    assert (part.hours, part.nights) == (tuple(sorted(hours)), tuple(demand.nights[i] for i in kept))
    assert demand.od(hours=hours, nights=nights).trips.tolist() == part.od().trips.tolist()


def test_weekdays_are_those_of_the_evening() -> None:
    demand = Demand(3, nights=NIGHTS, night=[0, 1], **PLAIN)
    assert demand.slice(weekdays=["sat"]).nights == NIGHTS[1:]
    assert demand.slice(weekdays=[4, "Saturday"]).nights == NIGHTS


@pytest.mark.parametrize(
    ("demand", "choice", "message"),
    [
        (Demand(3, **PLAIN), {"hours": [3]}, "hours must be a choice of 24 to 28, got 3"),
        (Demand(3, **PLAIN), {"hours": []}, "hours must be a choice of 24 to 28, got none"),
        (Demand(3, **PLAIN), {"nights": [1]}, "nights must be a choice of 0 to 0, got 1"),
        (Demand(3, **PLAIN), {"weekdays": ["sat"]}, "weekdays need records with dates; this demand has none"),
        (Demand(3, nights=NIGHTS), {"weekdays": ["caturday"]}, "weekdays must be 0 or mon to 6 or sun, got 'caturday'"),
        (Demand(3, nights=NIGHTS), {"weekdays": [7]}, "weekdays must be 0 or mon to 6 or sun, got 7"),
        (Demand(3, nights=NIGHTS), {"weekdays": ["tue"]}, "no night of the demand falls on tue"),
    ],
)
def test_a_slice_of_what_is_not_there_is_refused(demand: Demand, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        demand.slice(**choice)
    assert str(error.value) == message


@given(st.lists(st.integers(0, 10_000), max_size=20), st.integers(0, 1_000_000))
def test_scaling_keeps_the_total_and_the_proportions(units: list[int], total: int) -> None:
    trips = np.array(units) / 1024
    result = scaled(trips, total / 1024)
    assert result.sum() == (total / 1024 if sum(units) else 0)
    exact = trips * (total / max(sum(units), 1))
    assert (result * 1024 == np.rint(result * 1024)).all()
    assert np.abs(result - exact).max(initial=0) < 1 / 1024 + 1e-9


# files


@given(demand=demands())
@FILES
def test_a_demand_comes_back_from_its_file(demand: Demand, tmp_path: Path) -> None:
    demand.write(tmp_path / "demand.parquet")
    again = Demand.read(tmp_path / "demand.parquet")
    assert (trips_of(again), presence_of(again)) == (trips_of(demand), presence_of(demand))
    assert (again.n_hexes, again.hours, again.nights, again.source, again.grid) == (5, demand.hours, demand.nights, demand.source, "")


def test_a_demand_file_is_private_marked_and_the_same_every_time(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for name in ("one", "two"):
        Demand(3, **PLAIN).write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    scope = json.loads(pq.read_schema(tmp_path / "one").metadata[b"owlbus"])
    assert scope["restricted"] == "personal data: not for publication"


def test_a_demand_file_that_is_no_demand_file_is_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    with pytest.raises(DataError, match="no such file; name a demand file"):
        Demand.read(tmp_path / "nowhere.parquet")
    HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94)]).write(tmp_path / "grid.parquet")
    with pytest.raises(DataError, match="holds 'grid' where 'demand' is wanted"):
        Demand.read(tmp_path / "grid.parquet")
    Demand(3, **PLAIN).write(tmp_path / "demand.parquet")
    table = pq.read_table(tmp_path / "demand.parquet")
    later = json.loads(table.schema.metadata[b"owlbus"]) | {"schema_version": 2}
    pq.write_table(table.replace_schema_metadata({"owlbus": json.dumps(later)}), tmp_path / "later.parquet")
    told = r"later.parquet: has demand of version 2 where 1 is read; write it again with: owlbus.estimate_demand$"
    with pytest.raises(DataError, match=told):
        Demand.read(tmp_path / "later.parquet")
    with pytest.raises(OutputError, match="cannot be written"):
        Demand(3, **PLAIN).write(tmp_path / "nowhere" / "demand.parquet")


# two sources


@given(demands(min_rows=1), demands(min_rows=1))
def test_agreement_is_that_of_full_tables(calls: Demand, taxi: Demand) -> None:
    from scipy.stats import rankdata

    tables = [np.zeros((5, 5)), np.zeros((5, 5))]
    for table, demand in zip(tables, (calls, taxi), strict=True):
        od = demand.od()
        table[od.origin, od.destination] = od.trips
    rows, columns = ((tables[0] + tables[1]).sum(axis=axis) > 0 for axis in (1, 0))
    pairs = rows[:, None] & columns[None, :] & ~np.eye(5, dtype=bool)

    def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
        ranks = [rankdata(values) for values in (first, second)]
        return None if first.size < 2 or min(np.ptp(rank) for rank in ranks) == 0 else float(np.corrcoef(*ranks)[0, 1])

    assume(calls.total_trips and taxi.total_trips)
    found = agreement(calls, taxi)
    expected = (
        correlation(*(table.sum(axis=1)[rows] for table in tables)),
        correlation(*(table.sum(axis=0)[columns] for table in tables)),
        correlation(*(table[pairs] for table in tables)),
        *(sum(np.minimum(*(share.ravel() for share in shares))) for shares in _shares(tables)),
    )
    assert list(found.to_json().values()) == [value if value is None else pytest.approx(value, abs=1e-9) for value in expected]


def _shares(tables: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Shares of origins, destinations and pairs, for both tables."""
    return [[part(table) / table.sum() for table in tables] for part in (_by_origin, _by_destination, np.asarray)]


def _by_origin(table: np.ndarray) -> np.ndarray:
    return table.sum(axis=1)


def _by_destination(table: np.ndarray) -> np.ndarray:
    return table.sum(axis=0)


@given(demands(min_rows=1), demands(min_rows=1), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_a_blend_keeps_the_level_of_the_calls_and_the_weight_of_taxi(calls: Demand, taxi: Demand, weight: float) -> None:
    assume(calls.total_trips and taxi.total_trips)
    both = blend(calls, taxi, weight)
    unit = 1 / 1024
    assert (both.nights, both.source) == (calls.nights, "blend")
    assert abs(both.trips.sum() - calls.trips.sum()) <= unit
    if weight == 0:
        assert trips_of(both) == trips_of(calls)
    if weight == 1:
        assert {key[2:] for key in trips_of(both)} <= {key[2:] for key in trips_of(taxi)}


def test_a_blend_joins_same_nights_and_spreads_the_mean_night_over_others() -> None:
    calls = Demand(3, nights=NIGHTS[:2], night=[0, 1], origin=[0, 0], destination=[1, 1], hour=[24, 24], trips=[8.0, 8.0])
    same = Demand(3, nights=NIGHTS[:2], night=[1], origin=[2], destination=[1], hour=[24], trips=[100.0], source="taxi")
    other = Demand(3, origin=[2], destination=[1], hour=[24], trips=[100.0], source="taxi")
    assert trips_of(blend(calls, same, 0.25)) == {(0, 24, 0, 1): 6.0, (1, 24, 0, 1): 6.0, (1, 24, 2, 1): 4.0}
    spread = {(0, 24, 0, 1): 6.0, (0, 24, 2, 1): 2.0, (1, 24, 0, 1): 6.0, (1, 24, 2, 1): 2.0}
    assert trips_of(blend(calls, other, 0.25)) == spread


def test_demands_that_do_not_belong_together_are_refused() -> None:
    one = Demand(3, **PLAIN)
    with pytest.raises(DataError, match=r"^both demands must lie on the same grid, got 3 and 4 hexes of grids '' and ''$"):
        blend(one, Demand(4, **PLAIN))
    with pytest.raises(DataError, match=r"^both demands must lie on the same grid, got 3 and 3 hexes of grids 'a' and 'b'$"):
        agreement(Demand(3, grid="a", **PLAIN), Demand(3, grid="b", **PLAIN))
    with pytest.raises(DataError, match=r"^the demand of taxi has no trips, so nothing can be compared or blended; leave it out$"):
        agreement(one, Demand(3))
    with pytest.raises(DataError, match=r"^blending needs the same hours, got 24-29 and 22-31$"):
        blend(one, Demand(3, hours=tuple(range(22, 31)), **PLAIN))
    with pytest.raises(UsageError, match=r"^taxi_weight must lie in \[0, 1\], got 1.5$"):
        blend(one, one, 1.5)
