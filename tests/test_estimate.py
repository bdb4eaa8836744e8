"""Records to demand and report, held against a plain Python loop; what is refused, and what is said about it."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import NightWindow
from owlbus.demand import Demand, count_records, estimate_demand
from owlbus.demand import accumulators as pages_module
from owlbus.demand import distinct as firsts_module
from owlbus.grid.hexgrid import HexGrid
from owlbus.kernels.count_records import straight_line_m
from owlbus.records import reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Row = tuple[Any, ...]
    Place = tuple[float | None, float | None]

GRID = HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94), (30.30, 59.94)])
FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None)


PLACES = [*zip(GRID.lon.round(5).tolist(), GRID.lat.round(5).tolist(), strict=True)][:4]
POSITIONS = st.sampled_from([*PLACES, *PLACES, (59.93, 30.32), (31.0, 60.5), (None, 59.93), (30.32, None), (math.nan, 59.9), (1e9, 59.9)])
MOMENTS = st.sampled_from(
    [
        None,
        *(
            dt.datetime.fromisoformat(text)
            for text in (
                "2013-02-28 23:59:59",
                "2013-03-01 00:00:00",
                "2013-03-01 01:10:00",
                "2013-03-01 01:59:59",
                "2013-03-01 04:59:59",
                "2013-03-01 05:00:00",
                "2013-03-01 13:00:00",
                "2013-03-02 02:00:00",
            )
        ),
    ]
)
CALL = st.tuples(MOMENTS, POSITIONS, POSITIONS, st.sampled_from([None, "a", "b", "7"]))
ANYBODY = st.tuples(MOMENTS, POSITIONS, POSITIONS, st.none())
RIDE = st.tuples(
    MOMENTS, st.sampled_from([None, -60, 0, 1, 60, 900]), POSITIONS, POSITIONS, st.sampled_from([None, 0.0, -1.0, 1.0, 2.5, 2e6])
)
WINDOW = NightWindow()


def hex_at(place: Place) -> int | str:
    lon, lat = (math.nan if value is None else value for value in place)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return "missing"
    found = int(GRID.lonlat_to_hex(lon, lat))
    if found >= 0:
        return found
    if GRID.lonlat_to_hex(lat, lon) >= 0:
        return "swapped"
    return "outside" if abs(lon) <= 180 and abs(lat) <= 90 else "missing"


def when(moment: dt.datetime) -> tuple[dt.date, int]:
    """Night and service hour, told by the calendar."""
    after_midnight = moment.hour < 12
    return moment.date() - dt.timedelta(days=after_midnight), moment.hour + 24 * after_midnight


REJECTED = {"missing": "position missing", "swapped": "looks swapped", "outside": "outside the area"}
WITHOUT_TRIP = {"missing": "no goal", "swapped": "goal looks swapped", "outside": "goal outside the area"}


def judged(moment: dt.datetime | None, here: int | str, there: int | str, *, ride: Callable[[], str | None] = lambda: None) -> str | None:
    """Return the first rule a row breaks, told in order."""
    if moment is None:
        return "time missing"
    if isinstance(here, str):
        return REJECTED[here]
    if when(moment)[1] not in WINDOW.hours:
        return "outside the window"
    if (broken := ride()) is not None:
        return broken
    if isinstance(there, str):
        return WITHOUT_TRIP[there]
    return "same hex" if here == there else None


KEPT = {None, "same hex", *WITHOUT_TRIP.values()}


def write_calls(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    schema = {"time": pl.Datetime("us"), **dict.fromkeys(("lon", "lat", "home_lon", "home_lat"), pl.Float64), "subscriber": pl.String}
    pl.DataFrame([(row[0], *row[1], *row[2], row[3]) for row in rows], schema=schema, orient="row").write_parquet(path)
    return path


def write_anybody(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    pl.read_parquet(write_calls(path, rows)).drop("subscriber").write_parquet(path)
    return path


def write_rides(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    places = ("origin_lon", "origin_lat", "destination_lon", "destination_lat")
    schema = {"pickup_time": pl.Datetime("us"), "duration_s": pl.Float64, **dict.fromkeys(places, pl.Float64), "trips": pl.Float64}
    pl.DataFrame([(row[0], row[1], *row[2], *row[3], row[4]) for row in rows], schema=schema, orient="row").write_parquet(path)
    return path


def calls_twin(
    rows: list[tuple[Any, ...]], *, drops_repeats: bool = False
) -> tuple[Counter[str | None], Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]:
    """Reasons, trips and presence of call rows, one by one; a repeat is equal in time, finer than a minute, and in both positions."""
    reasons: Counter[str | None] = Counter()
    people: Counter[tuple[Any, ...]] = Counter()
    first_hour: dict[tuple[Any, ...], int] = {}
    seen, written = set(), set()
    is_fine = any(moment is not None and moment.second for moment, *_ in rows)
    for number, (moment, place, home, subscriber) in enumerate(rows):
        here, there = hex_at(place), hex_at(home)
        row = repr((moment, place, home))
        is_repeat = drops_repeats and moment is not None and is_fine and row in written
        written.add(row)
        reason = judged(moment, here, there, ride=lambda is_repeat=is_repeat: "repeats a row" if is_repeat else None)
        reasons[reason] += 1
        if reason not in KEPT:
            continue
        night, hour = when(moment)
        person = subscriber or number
        if (person, night, hour, here) not in seen:
            seen.add((person, night, hour, here))
            people[night, hour, here] += 1
        if reason is None:
            wish = (person, night, here, there)
            first_hour[wish] = min(hour, first_hour.get(wish, hour))
    return reasons, Counter((night, hour, a, b) for (_, night, a, b), hour in first_hour.items()), people


def ride_rule(moment: dt.datetime, duration_s: float, place: Place, goal: Place, count: float | None) -> str | None:
    """Return the first rule that only rides have and this one breaks."""
    if count is None or not 0 < count <= 1e6:
        return "count unusable"
    if duration_s < 0:
        return "ends before it begins"
    if hex_at(goal) in {"missing", "swapped"}:
        return None
    end = moment + dt.timedelta(seconds=duration_s)
    coarse = next(step for step in (3600, 900, 60, 1) if all(clock_s(time) % step == 0 for time in (moment, end)))
    return "too fast" if straight_line_m(*place, *goal) > 150 / 3.6 * (duration_s + coarse) else None


def clock_s(time: dt.datetime) -> int:
    """Seconds since midnight."""
    return time.hour * 3600 + time.minute * 60 + time.second


def rides_twin(rows: list[tuple[Any, ...]]) -> tuple[Counter[str | None], Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]:
    """Reasons, trips and presence of taxi rows, one by one."""
    reasons: Counter[str | None] = Counter()
    people: Counter[tuple[Any, ...]] = Counter()
    trips: Counter[tuple[Any, ...]] = Counter()
    for moment, duration_s, place, goal, count in rows:
        here, there = hex_at(place), hex_at(goal)

        reason = judged(
            None if duration_s is None else moment, here, there, ride=partial(ride_rule, moment, duration_s, place, goal, count)
        )
        reasons[reason] += 1
        if reason in KEPT:
            night, hour = when(moment)
            people[night, hour, here] += count
            if reason is None:
                trips[night, hour, here, there] += count
    return reasons, trips, people


def by_date(demand: Demand) -> tuple[dict[tuple[Any, ...], float], dict[tuple[Any, ...], float]]:
    """Trips and people with the night's date as key."""
    trips = (demand.night, demand.hour, demand.origin, demand.destination, demand.trips)
    people = (demand.presence_night, demand.presence_hour, demand.presence_hex, demand.presence)
    return _keyed(demand, trips), _keyed(demand, people)


def _keyed(demand: Demand, columns: tuple[np.ndarray, ...]) -> dict[tuple[Any, ...], float]:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {(demand.nights[night], *key): value for night, *key, value in rows}


GOOD_CALL = (dt.datetime(2013, 3, 1, 1, 10), PLACES[0], PLACES[1], "a")  # noqa: DTZ001 - local clock
GOOD_ANYBODY = (*GOOD_CALL[:3], None)
GOOD_RIDE = (dt.datetime(2013, 3, 1, 1, 10), 900, PLACES[0], PLACES[1], 2.0)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("strategy", "good", "write", "twin"),
    [
        (CALL, GOOD_CALL, write_calls, calls_twin),
        (ANYBODY, GOOD_ANYBODY, write_anybody, partial(calls_twin, drops_repeats=True)),
        (RIDE, GOOD_RIDE, write_rides, rides_twin),
    ],
)
@given(data=st.data())
@FILES
def test_demand_and_report_are_those_of_a_plain_loop(
    data: st.DataObject,
    strategy: st.SearchStrategy[Row],
    good: Row,
    write: Callable[[Path, list[Row]], Path],
    twin: Callable[[list[Row]], tuple[Counter[Any], ...]],
    tmp_path: Path,
) -> None:
    rows = [good] * 30 + data.draw(st.lists(strategy, max_size=25))
    reasons, trips, people = twin(rows)
    demand, report = estimate_demand(write(tmp_path / "records.parquet", rows), GRID, rejected=tmp_path / "rejected.parquet")
    assert by_date(demand) == (trips, people)
    assert {rule.name: rule.rows for rule in report.rules} == {reason: n for reason, n in reasons.items() if reason is not None}
    assert report.rows_in == len(rows) == report.rows_counted + report.rows_rejected
    (file,) = report.files
    assert file.trips_in == file.trips_counted + file.trips_rejected
    assert file.rows_trip == reasons[None]
    rejected = pl.read_parquet(tmp_path / "rejected.parquet")
    assert Counter(rejected["reason"]) == {reason: n for reason, n in reasons.items() if reason not in KEPT}
    (source,) = report.sources
    kept = sum(n for reason, n in reasons.items() if reason in KEPT)
    if source.source == "calls":
        assert (demand.trips.sum() + source.repeats_trip, demand.presence.sum() + source.repeats_present) == (reasons[None], kept)
    else:
        assert demand.presence.sum() == file.trips_counted


@pytest.mark.parametrize(("call", "good", "write"), [(CALL, GOOD_CALL, write_calls), (ANYBODY, GOOD_ANYBODY, write_anybody)])
@given(data=st.data(), n_pages=st.integers(0, 3))
@FILES
def test_rows_in_another_order_or_split_over_files_and_batches_change_nothing(
    data: st.DataObject,
    n_pages: int,
    call: st.SearchStrategy[Row],
    good: Row,
    write: Callable[[Path, list[Row]], Path],
    tmp_path: Path,
) -> None:
    alike = [(good[0], (good[1][0] + k * 1e-6, good[1][1]), *good[2:]) for k in range(30)]  # a repeat would count once in each file
    rows = alike + data.draw(st.lists(call, max_size=25, unique_by=repr))
    one, _ = estimate_demand(write(tmp_path / "one.parquet", rows), GRID)
    other = alike + data.draw(st.permutations(rows[30:]))
    parts = [write(tmp_path / f"{i}.parquet", other[i::2]) for i in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BATCH_ROWS", 5)
        patch.setattr(firsts_module, "FIRST_SLOTS", 8)
        patch.setattr(firsts_module, "MAX_SLOTS", 8)
        patch.setattr(pages_module, "FIRST_ROWS", 0)
        patch.setattr(pages_module, "MIN_BATCHES", 1)
        patch.setattr(pages_module, "TABLE_BYTES", 4 * GRID.n_hexes**2 * n_pages)
        two, _ = estimate_demand(parts, GRID)
    assert by_date(one) == by_date(two)


@given(data=st.data())
@FILES
def test_records_are_counted_by_where_and_when_alone(data: st.DataObject, tmp_path: Path) -> None:
    rows = [GOOD_ANYBODY] * 3 + data.draw(st.lists(ANYBODY, max_size=25))
    _, _, people = calls_twin(rows)
    counts = count_records(write_anybody(tmp_path / "records.parquet", rows), GRID)
    epoch = dt.date(1970, 1, 1)
    found = {
        (epoch + dt.timedelta(days=int(counts.nights[night])), WINDOW.hours[hour], hex_): int(counts.rows[night, hour, hex_])
        for night, hour, hex_ in np.argwhere(counts.rows).tolist()
    }
    assert found == people
    assert counts.report.rows_in == len(rows) == counts.rows.sum() + counts.report.rows_rejected


def test_a_wish_counts_once_a_night_in_the_hour_of_its_first_call(tmp_path: Path) -> None:
    times = ["2013-03-01 03:00", "2013-03-01 01:10", "2013-03-01 02:00", "2013-03-02 02:00", "2013-03-02 04:59"]
    rows = [(dt.datetime.fromisoformat(time), *GOOD_CALL[1:]) for time in times]
    demand, report = estimate_demand(write_calls(tmp_path / "calls.parquet", rows), GRID)
    pair = hex_at(PLACES[0]), hex_at(PLACES[1])
    assert by_date(demand)[0] == {(dt.date(2013, 2, 28), 25, *pair): 1.0, (dt.date(2013, 3, 1), 26, *pair): 1.0}
    assert (report.sources[0].repeats_trip, report.sources[0].repeats_present) == (3, 0)


def test_the_first_example_is_the_first_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH_ROWS", 2)
    far = (GOOD_CALL[0], (31.0, 60.5), PLACES[0], "b")
    _, report = estimate_demand(write_calls(tmp_path / "calls.parquet", [GOOD_CALL] * 5 + [far] * 5), GRID)
    assert [rule.first for rule in report.rules] == [f"{tmp_path / 'calls.parquet'} row 6 (71 km away)"]


def test_rejected_rows_keep_their_file_place_and_values(tmp_path: Path) -> None:
    path = write_calls(tmp_path / "calls.parquet", [GOOD_CALL, (GOOD_CALL[0], (31.0, 60.5), PLACES[0], "b"), GOOD_CALL])
    estimate_demand(path, GRID, rejected=tmp_path / "rejected.parquet")
    row = pl.read_parquet(tmp_path / "rejected.parquet").row(0, named=True)
    assert (row["file"], row["place"], row["reason"], row["lon"], row["lat"]) == (str(path), "row 2", "outside the area", "31.0", "60.5")
    assert (tmp_path / "rejected.parquet").stat().st_mode & 0o777 == 0o600


def test_calls_and_taxi_are_blended_and_their_agreement_is_told(tmp_path: Path) -> None:
    calls = write_calls(tmp_path / "calls.parquet", [(*GOOD_CALL[:3], None)] * 8)
    rides = write_rides(tmp_path / "taxi.parquet", [(GOOD_RIDE[0], 900, PLACES[2], PLACES[1], 50.0)])
    demand, report = estimate_demand([calls, rides], GRID, taxi_weight=0.25)
    a, b, c = (hex_at(PLACES[i]) for i in (0, 1, 2))
    assert by_date(demand)[0] == {(dt.date(2013, 2, 28), 25, a, b): 6.0, (dt.date(2013, 2, 28), 25, c, b): 2.0}
    assert [(source.source, source.trips_per_night) for source in report.sources] == [("calls", 8.0), ("counts", 50.0)]
    assert report.agreement is not None
    assert (report.agreement.od_common_share, report.agreement.destination_common_share) == (0.0, 1.0)
    assert json.loads(json.dumps(report.to_json()))["taxi_weight"] == 0.25


def test_records_without_a_date_are_one_night_or_as_many_as_told(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    frame = {"time": ["23:59:59", "24:10:00", "00:10", "05:00"], "lon": PLACES[0][0], "lat": PLACES[0][1]}
    pl.DataFrame(frame | {"home_lon": PLACES[1][0], "home_lat": PLACES[1][1]}).write_csv(path)
    demand, report = estimate_demand(path, GRID)
    assert (demand.nights, demand.total_trips) == ((None,), 2.0)
    assert report.notes == ("records of calls carry no date and are taken as one night",)
    assert [rule.first for rule in report.rules] == [f"{path} line 2"]
    demand, report = estimate_demand(path, GRID, n_nights=4)
    assert (demand.total_trips, demand.total_presence) == (0.5, 0.5)
    assert report.notes == ("records of calls carry no date and are taken as the sum of 4 nights, as told",)


def test_thin_nights_are_told(tmp_path: Path) -> None:
    days = [dt.timedelta(days=day) for day in (1, 2, 3) for _ in range(20)]
    rows = [(GOOD_CALL[0], *GOOD_CALL[1:3], None), *((GOOD_CALL[0] + day, *GOOD_CALL[1:3], None) for day in days)]
    _, report = estimate_demand(write_calls(tmp_path / "calls.parquet", rows), GRID)
    assert report.notes[1:] == (
        (
            "1 of 4 nights of calls hold less than a tenth of a usual night's people, first 2013-02-28; "
            "they count as full nights unless left out by date"
        ),
    )


def ride(**change: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """One good ride as a dictionary of columns, changed."""
    row = dict(zip(("origin_lon", "origin_lat", "destination_lon", "destination_lat"), (*PLACES[0], *PLACES[1]), strict=True))
    return {"pickup_time": "01:10:00", "dropoff_time": "01:25:00"} | row | change


SWAPPED = {"origin_lon": PLACES[0][1], "origin_lat": PLACES[0][0]}
GOAL_SWAPPED = {"destination_lon": PLACES[1][1], "destination_lat": PLACES[1][0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pickup_time": "23:50:00", "dropoff_time": "20:10:00"},
            "4 of 4 trips end before they begin, first on line 2 (85800 s > 72600 s); write times after midnight as 24:00:00 and up",
        ),
        (
            {"pickup_time": "01:10:01", "dropoff_time": "01:10:04"},
            (
                "4 of 4 trips are faster than 150 km/h in a straight line, first on line 2 (1 km in 3 s); "
                "check times and positions of both ends"
            ),
        ),
        (
            {"origin_lon": 31.0},
            "4 of 4 trips lie outside the study area, first on line 2 (36 km away); widen the outline, or leave it out to derive one",
        ),
        (
            SWAPPED,
            (
                "4 of 4 trips lie in the study area only with lon and lat swapped, first on line 2; "
                "swap them with columns={'origin_lon': 'origin_lat', 'origin_lat': 'origin_lon'}"
            ),
        ),
        (
            GOAL_SWAPPED,
            (
                "4 of 4 trips have a home or drop-off in the study area only with lon and lat swapped, first on line 2; "
                "swap them with columns={'destination_lon': 'destination_lat', 'destination_lat': 'destination_lon'}"
            ),
        ),
        (
            {"pickup_time": "13:00:00", "dropoff_time": "13:10:00"},
            "4 of 4 trips fall outside the night window, first on line 2; widen it with window, such as window='22-07'",
        ),
        (
            {"pickup_time": "soon"},
            "4 of 4 trips have no readable time, first on line 2; write times as 2013-03-02 01:10:00 or as HH:MM:SS",
        ),
        (
            {"origin_lon": None},
            "4 of 4 trips have no position, first on line 2; check the two columns of the position, and name them with columns",
        ),
        (
            {"destination_lat": None},
            (
                "4 of 4 trips have no home or drop-off position, first on line 2; "
                "a trip needs both ends: check those two columns, and name them with columns"
            ),
        ),
        (
            {"destination_lon": 30.60, "dropoff_time": "01:55"},
            "4 of 4 trips lead to a home or drop-off outside the study area, first on line 2; widen the outline",
        ),
        (
            {"destination_lon": PLACES[0][0], "destination_lat": PLACES[0][1]},
            "4 of 4 trips begin in the hex they lead to, first on line 2; take smaller hexes with radius_m if most do",
        ),
        (
            {"trips": 0},
            "4 of 4 trips have a count that is not above 0 and at most 1000000, first on line 2; give whole or decimal numbers of trips",
        ),
    ],
)
def test_a_file_that_gives_no_trip_says_why_in_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "taxi.csv"
    pl.DataFrame([ride(**change)] * 4).write_csv(path)
    window = NightWindow(22, 31) if change.get("pickup_time") == "23:50:00" else None
    with pytest.raises(DataError) as error:
        estimate_demand(path, GRID, window, rejected=tmp_path / "rejected.parquet")
    assert str(error.value) == f"{path}: {message}"
    assert [entry.name for entry in tmp_path.iterdir()] == ["taxi.csv"]


def test_both_swapped_ends_are_named_at_once(tmp_path: Path) -> None:
    pl.DataFrame([ride(**SWAPPED, **GOAL_SWAPPED)] * 4).write_csv(tmp_path / "taxi.csv")
    swap = {f"{end}_{axis}": f"{end}_{other}" for end in ("origin", "destination") for axis, other in (("lon", "lat"), ("lat", "lon"))}
    with pytest.raises(DataError, match=re.escape(f"swap them with columns={swap}")):
        estimate_demand(tmp_path / "taxi.csv", GRID)


def test_mostly_swapped_files_are_refused_even_if_some_rows_are_good(tmp_path: Path) -> None:
    pl.DataFrame([ride()] * 2 + [ride(**SWAPPED)] * 3).write_csv(tmp_path / "taxi.csv")
    with pytest.raises(DataError, match=r": 3 of 5 trips lie in the study area only with lon and lat swapped, first on line 4; swap them"):
        estimate_demand(tmp_path / "taxi.csv", GRID)
    pl.DataFrame([ride()] * 3 + [ride(**SWAPPED)] * 3).write_csv(tmp_path / "taxi.csv")
    assert estimate_demand(tmp_path / "taxi.csv", GRID)[1].rejected_share == 0.5


def test_a_share_of_rejected_rows_above_the_limit_is_refused(tmp_path: Path) -> None:
    pl.DataFrame([ride()] * 3 + [ride(origin_lon=31.0)]).write_csv(tmp_path / "taxi.csv")
    assert estimate_demand(tmp_path / "taxi.csv", GRID, max_rejected_share=0.25)[1].rows_rejected == 1
    with pytest.raises(DataError, match=r"; in all 1 rows are rejected, more than max_rejected_share=0.2 allows$"):
        estimate_demand(tmp_path / "taxi.csv", GRID, max_rejected_share=0.2)


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    pl.DataFrame([ride()]).head(0).write_csv(tmp_path / "taxi.csv")
    with pytest.raises(DataError, match=r"taxi.csv: has a header but no rows; nothing can be counted$"):
        estimate_demand(tmp_path / "taxi.csv", GRID)


def test_dates_and_times_of_day_do_not_mix_in_one_source(tmp_path: Path) -> None:
    dated = ride(pickup_time="2013-03-02 01:10:00", dropoff_time="2013-03-02 01:25:00")
    pl.DataFrame([ride(), dated]).write_csv(tmp_path / "taxi.csv")
    with pytest.raises(DataError, match=r"^some records have dates and some only times of day, so nights cannot be told apart; "):
        estimate_demand(tmp_path / "taxi.csv", GRID)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"taxi_weight": 1.5}, "taxi_weight must lie in [0, 1], got 1.5"),
        ({"max_rejected_share": math.nan}, "max_rejected_share must lie in [0, 1], got nan"),
        ({"n_nights": 0}, "n_nights must be at least 1, got 0"),
        ({"n_nights": 3}, "n_nights is for records without a date, got 3 for records of 1 dated nights; leave it out"),
    ],
)
def test_arguments_outside_their_range_are_refused(tmp_path: Path, argument: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        estimate_demand(write_calls(tmp_path / "calls.parquet", [GOOD_CALL]), GRID, **argument)
    assert str(error.value) == message


def test_nothing_said_about_records_names_a_subscriber_or_a_position(tmp_path: Path) -> None:
    rows = [
        GOOD_CALL,
        (GOOD_CALL[0], (31.01234, 60.51234), PLACES[0], "subscriber-77"),
        (GOOD_CALL[0], PLACES[0], PLACES[0], "subscriber-77"),
    ]
    _, report = estimate_demand(write_calls(tmp_path / "calls.parquet", rows), GRID)
    said = json.dumps(report.to_json())
    assert not any(secret in said for secret in ("subscriber-77", "31.01234", "60.51234", str(PLACES[0][0])))


# public data


@pytest.mark.real
def test_every_night_ride_of_st_petersburg_is_counted_or_told(cases: Path) -> None:
    path = cases / "stpetersburg" / "taxi_trips.csv.gz"
    city = HexGrid.cover([(29.9, 59.7), (30.7, 59.7), (30.7, 60.15), (29.9, 60.15)])
    demand, report = estimate_demand(path, city, NightWindow.parse("22-07"))
    (file,) = report.files
    assert (file.rows_in, file.trips_in, file.rows_counted + file.rows_rejected) == (67_912, 74_480.0, 67_912)
    assert demand.total_presence == file.trips_counted == 72_314.0
    assert demand.total_trips == demand.od().total_trips == 70_815.0
    assert {rule.name for rule in report.rules} == {"outside the area", "goal outside the area", "same hex"}


@pytest.mark.real
def test_taxi_rides_of_chicago_are_read_under_their_own_names(cases: Path) -> None:
    path = cases / "taxi" / "chicago_taxi.csv"
    names = {"pickup_time": "trip_start_timestamp", "duration_s": "trip_seconds"}
    names |= {f"{ours}_{axis}": f"{theirs}_{long}" for ours, theirs in ENDS for axis, long in AXES}
    demand, report = estimate_demand(path, HexGrid.cover(CHICAGO), columns=names, timezone="UTC")
    assert report.rows_in == 15_002 == report.rows_counted + report.rows_rejected
    assert demand.trips.sum() == report.files[0].rows_trip
    assert {rule.name for rule in report.rules} >= {"time missing", "position missing", "outside the window", "no goal", "same hex"}


AXES = (("lon", "longitude"), ("lat", "latitude"))
ENDS = (("origin", "pickup"), ("destination", "dropoff"))
CHICAGO = [(-87.92, 41.69), (-87.55, 41.69), (-87.55, 42.03), (-87.92, 42.03)]


def test_a_caller_without_a_home_lives_where_most_of_the_calls_are(tmp_path: Path) -> None:
    (lon, lat), (away_lon, away_lat) = PLACES[0], PLACES[2]
    rows = [(f"2013-03-08 0{hour}:10:00", lon, lat, "a") for hour in (1, 2, 3)] + [("2013-03-08 04:10:00", away_lon, away_lat, "a")]
    path = tmp_path / "calls.csv"
    pl.DataFrame(rows, schema=["time", "lon", "lat", "subscriber"], orient="row").write_csv(path)
    demand, _ = estimate_demand([path], GRID)
    assert (demand.origin.tolist(), demand.destination.tolist(), demand.trips.tolist()) == ([2], [0], [1.0])
    assert demand.total_presence == 4.0
