"""Times of records: each column is read in the one form that all its values allow, or the file is refused."""

# ruff: noqa: ANN401 - columns of any type, as files have them
from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.common.errors import DataError, UsageError
from owlbus.records import open_sources, read_batches
from owlbus.records.read_options import ReadOptions
from owlbus.records.schema import CALLS, PRESENCE, TAXI, Layout
from owlbus.records.time_forms import FORMS, check_time_format, describe_form, form_notes, time_forms
from owlbus.records.times import NO_TIME, UNDATED_S, day_starts, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPORTS = Path(__file__).parents[2] / "shared" / "cases" / "reports" / "records"
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - local clock
NIGHT = dt.datetime(2024, 3, 5, 20)  # noqa: DTZ001 - local clock


def local(text: str) -> int:
    return int((dt.datetime.fromisoformat(text) - EPOCH).total_seconds())


def form_of(values: Any, name: str = "time", dtype: Any = None, **options: Any) -> str | None:
    frame = pl.DataFrame({"time": pl.Series(values, dtype=dtype, strict=False)}).lazy()
    return time_forms("f.csv", frame, Layout(CALLS, {"time": name}), ReadOptions(**options)).get("time")


def read(values: Any, name: str = "time", dtype: Any = None, **options: Any) -> list[int]:
    column = pl.Series("time", values, dtype=dtype, strict=False)
    return seconds("f.csv", column, options.get("timezone"), form_of(values, name, dtype, **options)).tolist()


def refusal(values: Any, name: str = "time", **options: Any) -> str:
    with pytest.raises(DataError) as error:
        form_of(values, name, **options)
    return str(error.value)


def night(n: int, seed: int = 1) -> list[dt.datetime]:
    rng = np.random.default_rng(seed)
    return [NIGHT + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 36_000, n)]


def clock_s(moment: dt.datetime) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def since(moment: dt.datetime) -> int:
    return int((moment - EPOCH).total_seconds())


# numbers of the day


def whole_day(n: int = 400) -> list[dt.datetime]:
    rng = np.random.default_rng(2)
    return [NIGHT + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 86_400, n)]


CLOCKS: dict[str, Callable[[dt.datetime], Any]] = {
    "hour": lambda t: t.hour,
    "HHMM": lambda t: t.hour * 100 + t.minute,
    "HHMMSS": lambda t: t.hour * 10_000 + t.minute * 100 + t.second,
    "HHMMSSmmm": lambda t: (t.hour * 10_000 + t.minute * 100 + t.second) * 1000 + 250,
    "minute": lambda t: t.hour * 60 + t.minute,
    "second": clock_s,
    "millisecond": lambda t: clock_s(t) * 1000 + 999,
    "day-fraction": lambda t: clock_s(t) / 86_400,
}
UNIT_S = {"hour": 3600, "HHMM": 60, "minute": 60}


@pytest.mark.parametrize("form", CLOCKS)
@pytest.mark.parametrize("as_text", [False, True])
def test_numbers_of_a_day_are_read_as_what_they_are(form: str, *, as_text: bool) -> None:
    moments = whole_day()
    numbers = [CLOCKS[form](moment) for moment in moments]
    values = [str(number) for number in numbers] if as_text else numbers
    assert form_of(values) == form
    assert read(values) == [clock_s(t) // UNIT_S.get(form, 1) * UNIT_S.get(form, 1) for t in moments]


def test_hours_are_never_seconds() -> None:
    assert read([6, 23, 4, 0]) == [21_600, 82_800, 14_400, 0]
    assert read(["06", "23", "04"]) == [21_600, 82_800, 14_400]
    assert read([6.0, 23.0, None, float("nan")]) == [21_600, 82_800, NO_TIME, NO_TIME]
    assert read([3], dtype=pl.UInt8) == [10_800]
    assert read(["3", "25"], name="call_hour") == [10_800, 90_000]
    assert "may be hours of the day, or minutes of the day, or seconds" in refusal([3, 25])
    assert "may be hours of the day" in refusal(list(range(1, 25)), name="hour")


@pytest.mark.parametrize("values", [[100, 230, 459], [0, 30, 59], [45], [1500, 1650], [700, 800, 1439]])
def test_few_small_numbers_are_asked_about(values: list[int]) -> None:
    message = refusal(values)
    assert message.startswith("f.csv: column time holds numbers such as 99")
    assert "time_format='minute'" in message or "time_format='second'" in message


def test_the_name_of_a_column_says_its_unit() -> None:
    assert read([700, 800, 1439], name="minute_of_day") == [42_000, 48_000, 86_340]
    assert read([700, 800, 1439], name="secs") == [700, 800, 1439]
    assert read([100, 230, 459], name="time_hhmm") == [3600, 9000, 17_940]
    assert "may be" in refusal([3, 40, 59], name="minute")  # the minute of an hour, or of the day


def test_a_form_that_the_user_names_is_taken() -> None:
    assert read([100, 230, 459], time_format="hhmm") == [3600, 9000, 17_940]
    assert read([100, 230, 459], time_format="Minute") == [6000, 13_800, 27_540]
    assert read([100, 230, 459], time_format="second") == [100, 230, 459]
    assert read([90_600, None, -5], time_format="second") == [90_600, NO_TIME, NO_TIME]
    assert read([1, 24], time_format="hour") == [3600, 86_400]


def test_leading_zeros_of_one_width_are_digits_of_a_clock() -> None:
    assert read(["0334", "0015", "0459"]) == [12_840, 900, 17_940]
    assert read(["065826", "234605"]) == [25_106, 85_565]
    assert read(["000003", "000004"]) == [3, 4]


def test_a_few_values_of_another_kind_do_not_decide() -> None:
    moments = whole_day()
    hours = [str(t.hour) for t in moments]
    assert read([*hours, "total", "", None, "9999"])[-4:] == [NO_TIME] * 4
    assert read([*hours, "-1"])[:400] == [t.hour * 3600 for t in moments]
    hhmm = [CLOCKS["HHMM"](t) for t in moments]
    assert read([*hhmm, 1275, 9999])[-3:] == [clock_s(moments[-1]) // 60 * 60, NO_TIME, NO_TIME]
    iso = [t.isoformat(" ") for t in moments]
    assert form_of([*iso, "time", "n/a", "400"]) is None


def test_numbers_with_fractions_are_told_apart() -> None:
    moments = whole_day()
    assert read([clock_s(t) / 3600 for t in moments]) == [clock_s(t) for t in moments]
    assert form_of([clock_s(t) + 0.25 for t in moments]) == "second"
    assert "may be hours of the day" in refusal([3.34, 4.12, 1.5])  # 3:34, or 3 hours and a third
    assert "may be" in refusal([0.14])
    days = [dt.datetime(2024, 1, 1, 3) + dt.timedelta(days=k, minutes=k) for k in range(60)]  # noqa: DTZ001 - local clock
    assert read([since(t) / 86_400 + 25_569 for t in days]) == [*map(since, days)]
    assert "may be days since 1900" in refusal([45_357.5, 45_357.25])


# dated numbers

DATED: dict[str, tuple[Callable[[dt.datetime], Any], int]] = {
    "YYYYMMDDHH": (lambda t: int(f"{t:%Y%m%d%H}"), 3600),
    "YYMMDDHHMM": (lambda t: int(f"{t:%y%m%d%H%M}"), 60),
    "YYMMDDHHMMSS": (lambda t: int(f"{t:%y%m%d%H%M%S}"), 1),
    "YYYYMMDDHHMM": (lambda t: int(f"{t:%Y%m%d%H%M}"), 60),
    "YYYYMMDDHHMMSS": (lambda t: int(f"{t:%Y%m%d%H%M%S}"), 1),
    "YYYYMMDDHHMMSScc": (lambda t: int(f"{t:%Y%m%d%H%M%S}99"), 1),
    "YYYYMMDDHHMMSSmmm": (lambda t: int(f"{t:%Y%m%d%H%M%S}999"), 1),
    "excel": (lambda t: round(since(t) / 86_400 + 25_569, 6), 1),
}


@pytest.mark.parametrize("form", DATED)
@pytest.mark.parametrize("n", [6, 300])
@pytest.mark.parametrize("kind", [str, pl.Int64, pl.Decimal(30, 6)])
def test_numbers_with_a_date_are_read_as_what_they_are(form: str, n: int, kind: Any) -> None:
    write, unit_s = DATED[form]
    moments = night(n)
    numbers = [write(moment) for moment in moments]
    values = [str(number) for number in numbers] if kind is str else numbers
    dtype = None if kind is str or (form == "excel" and kind is pl.Int64) else kind
    assert form_of(values, dtype=dtype) == form
    assert read(values, dtype=dtype) == [since(t) // unit_s * unit_s for t in moments]


@pytest.mark.parametrize(("form", "ticks"), [("epoch", 1), ("epoch-ms", 10**3), ("epoch-us", 10**6), ("epoch-ns", 10**9)])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Seoul", "America/Chicago"])
def test_an_epoch_is_known_by_its_size(form: str, ticks: int, zone: str) -> None:
    moments = night(50)
    numbers = [since(t) * ticks + ticks // 2 for t in moments]
    expected = [since(t.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for t in moments]
    for values in (numbers, [str(number) for number in numbers]):
        assert form_of(values) == form
        assert read(values, timezone=zone) == expected
    with pytest.raises(DataError, match="are seconds since 1970, which count in UTC; name the local zone with timezone"):
        read(numbers)


def test_ten_digits_that_may_be_an_epoch_or_a_date_are_asked_about() -> None:
    few = ["1910251000", "1910251001"]  # 2030-07-14 in seconds, or 2019-10-25 10:00
    assert "time_format='YYMMDDHHMM' or time_format='epoch'" in refusal(few)
    assert read(few, time_format="YYMMDDHHMM") == [local("2019-10-25 10:00"), local("2019-10-25 10:01")]


def test_excel_days_without_a_part_of_a_day_are_asked_about() -> None:
    assert "may be days since 1900 with parts of a day, as Excel keeps times, or digits of hour" in refusal([45_356, 45_357] * 20)


def test_dates_alone_name_the_two_columns_that_are_needed() -> None:
    message = refusal([20_240_306, 20_240_305], name="day")
    assert message == (
        "f.csv: column day holds dates such as 99999999 without a time of day; if another column holds the hour or clock, name that one as "
        "the time and this one as date, with columns={'date': 'day'}"
    )
    assert "dates without a time of day; if another column holds the hour" in refusal(["2024-03-06", "2024-03-07"])


def test_numbers_that_a_spreadsheet_rounded_are_refused() -> None:
    assert "numbers that a spreadsheet rounded" in refusal(["2.02403E+13", "2.02403E+13"])


# texts

TEXTS = {
    "%Y/%m/%d %H:%M:%S": "ISO",
    "%Y.%m.%d %H:%M:%S": "ISO",
    "%Y-%m-%dT%H:%M:%S.250": None,
    "%Y-%m-%d %I:%M:%S %p": "ISO",
    "%Y%m%dT%H%M%S": "compact",
    "%Y%m%d %H%M%S": "compact",
    "%Y%m%d %H:%M:%S": "compact",
    "%d-%b-%Y %H:%M:%S": "month-name",
    "%d %B %Y %H:%M:%S": "month-name",
    "%b %d, %Y %I:%M:%S %p": "month-name",
    "%a, %d %b %Y %H:%M:%S": "month-name",
    "%a %b %d %H:%M:%S %Y": "month-name",
    "%d/%b/%Y:%H:%M:%S": "month-name",
    "%Y-%b-%d %H:%M:%S": "month-name",
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("n", [1, 5, 200])
def test_dates_whose_order_is_plain_are_read(text: str, n: int) -> None:
    moments = night(n)
    values = [t.strftime(text) for t in moments]
    assert form_of(values) == TEXTS[text]
    assert read([*values, None, ""]) == [*map(since, moments), NO_TIME, NO_TIME]
    if TEXTS[text] is not None:
        assert read(values, time_format=text) == [*map(since, moments)]


@pytest.mark.parametrize("separator", ["/", ".", "-"])
@pytest.mark.parametrize("clock", ["%H:%M:%S", "%I:%M:%S %p"])
@pytest.mark.parametrize("order", ["DMY", "MDY"])
def test_one_day_above_twelve_settles_the_order_of_a_file(separator: str, clock: str, order: str) -> None:
    date = separator.join(("%d", "%m", "%Y") if order == "DMY" else ("%m", "%d", "%Y"))
    early, late = night(300), dt.datetime(2024, 3, 13, 1, 2, 3)  # noqa: DTZ001 - local clock
    values = [t.strftime(f"{date} {clock}") for t in (*early, late)]
    assert read(values) == [*map(since, early), since(late)]
    message = refusal(values[:-1])
    assert "no value settles whether day or month comes first; say which with date_order='DMY' or date_order='MDY'" in message
    assert read(values[:-1], date_order=order.lower()) == [*map(since, early)]
    other = "MDY" if order == "DMY" else "DMY"
    assert f"can only be {order}, got date_order='{other}'" in refusal(values, date_order=other)


def test_both_orders_in_one_file_are_refused() -> None:
    message = refusal(["25/03/2024 01:00", "03/25/2024 01:00", "03/04/2024 02:00"])
    assert "with the day first in 1 values and the month first in 1; write all dates in one order" in message


def test_every_date_the_same_and_small_is_asked_about() -> None:
    assert "date_order='DMY'" in refusal(["03/04/2024 01:00"] * 50)


def rides(start: Sequence[Any], end: Sequence[Any], **options: Any) -> dict[str, str]:
    frame = pl.DataFrame({"pickup_time": start, "dropoff_time": end}).lazy()
    return time_forms("f.csv", frame, Layout(TAXI, {"pickup_time": "on", "dropoff_time": "off"}), ReadOptions(**options))


def test_one_time_of_a_ride_settles_the_other() -> None:
    assert rides(["12/03/2024 23:58", "12/03/2024 23:10"], ["13/03/2024 00:15", "12/03/2024 23:30"]) == {
        "pickup_time": "DMY",
        "dropoff_time": "DMY",
    }


def test_rides_past_midnight_settle_the_order() -> None:
    start, end = ["05/03/2024 23:58", "05/03/2024 22:00"], ["06/03/2024 00:15", "05/03/2024 22:10"]
    assert rides(start, end) == {"pickup_time": "DMY", "dropoff_time": "DMY"}
    start, end = ["03/05/2024 23:58"], ["03/06/2024 00:15"]
    assert rides(start, end) == {"pickup_time": "MDY", "dropoff_time": "MDY"}
    with pytest.raises(DataError, match="columns on and off look like 99/99/9999 99:99, and no value settles"):
        rides(["05/03/2024 22:00"], ["05/03/2024 22:10"])


def test_both_times_of_a_ride_are_numbers_of_one_form() -> None:
    start, end = list(range(24)), [hour * 100 + 30 for hour in range(24)] * 2
    with pytest.raises(DataError, match="column on looks like hours of the day, but column off like digits of hour and minute"):
        rides([*start, *start], [*end[:-12], *range(700, 712)])
    assert rides(start, start) == {"pickup_time": "hour", "dropoff_time": "hour"}
    assert set(rides([3, 4], [310, 420], time_format="HHMM").values()) == {"HHMM"}


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("12:00 AM", 0),
        ("12:30 a.m.", 1800),
        ("12:00 PM", 43_200),
        ("3:34 AM", 12_840),
        ("3:34:11 pm", 56_051),
        ("오전 3:34", 12_840),
        ("오후 12:10", 43_800),
        ("上午 3:34", 12_840),
        ("13:10 PM", 47_400),
        ("13:10 AM", NO_TIME),
        ("0:10 PM", NO_TIME),
    ],
)
def test_halves_of_the_day_are_read(text: str, clock: int) -> None:
    assert read([text, "1:00 AM"]) == [clock, 3600]


def test_korean_spreadsheet_times_are_read() -> None:
    assert read(["2024. 3. 6. 오전 3:34:11", "2024. 3. 6. 오후 11:34"]) == [local("2024-03-06 03:34:11"), local("2024-03-06 23:34")]


@pytest.mark.parametrize(
    "zone",
    ["Z", " UTC", " GMT", "+00", "+0100", "+01:00", " +01:00", " UTC+01:00", "+01:00[Europe/Berlin]", "[Europe/Berlin]", " Europe/Berlin"],
)
def test_times_with_a_zone_are_shown_on_the_local_clock(zone: str) -> None:
    hours = 1 if "1" in zone or "Berlin" in zone else 0
    values = [f"2024-03-06T03:34:11{zone}", f"2024-03-06 23:34:11{zone}"]
    assert read(values, timezone="Asia/Seoul") == [local("2024-03-06 12:34:11") - hours * 3600, local("2024-03-07 08:34:11") - hours * 3600]
    with pytest.raises(DataError, match="carry a zone; name the local zone with timezone"):
        read(values)


def test_a_named_zone_gives_no_time_where_its_clock_shows_it_twice_or_never() -> None:
    values = [
        "2024-10-27 02:30 Europe/Berlin",
        "2024-03-31 02:30 Europe/Berlin",
        "2024-10-27 04:30 Europe/Berlin",
        "2024-10-27 04:30 No/Where",
    ]
    assert read(values, timezone="UTC") == [NO_TIME, NO_TIME, local("2024-10-27 03:30"), NO_TIME]


def test_an_offset_without_a_date_gives_no_time() -> None:
    assert read(["03:34Z", "04:00"], timezone="Europe/Berlin") == [NO_TIME, 14_400]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["2024-03-06 03:34 CET"], "looks like 9999-99-99 99:99 aaa, the abbreviation of a zone, which has several meanings"),
        (
            ["06/03/24 03:34"],
            "looks like 99/99/99 99:99, a year of two digits; say how dates are written with time_format='%d/%m/%y %H:%M'",
        ),
        (["34:11.0"], "looks like 99:99.9, which is no known form of times; say how they are written with time_format="),
        (["6. März 2024 03:34"], "looks like 9. aaaa 9999 99:99, which is no known form of times"),
        (["2024-03-06 03:34", "1709696051"] * 20, "mixes numbers and dates as YYYY-MM-DD with clock"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_it_looks_like(values: list[str], why: str) -> None:
    message = refusal(values)
    assert message.startswith("f.csv: column time ")
    assert why in message
    assert not re.search(r"2024|1709696051", message)


# formats that a user gives


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        ("%d.%m.%y %H:%M", "06.03.24 03:34", "2024-03-06 03:34"),
        ("%d.%m.%Y %H:%M:%S.%f", "6.3.2024 3:34:11.5", "2024-03-06 03:34:11"),
        ("%m/%d/%Y %I:%M %p", "03/06/2024 12:34 AM", "2024-03-06 00:34"),
        ("%d%m%Y%H%M", "060320240334", "2024-03-06 03:34"),
        ("%Y-%m-%d %H", "2024-03-06 03", "2024-03-06 03:00"),
        ("%d %b %y, %T", "6 Mar 24, 03:34:11", "2024-03-06 03:34:11"),
        ("%H.%M Uhr, %d.%m.%Y", "03.34 Uhr, 06.03.2024", "2024-03-06 03:34"),
        ("%Y-%m-%d %H:%M %z", "2024-03-06 03:34 +0100", "2024-03-06 11:34"),
    ],
)
def test_a_strptime_format_is_read(time_format: str, text: str, expected: str) -> None:
    assert read([text, "junk"], time_format=time_format, timezone="Asia/Seoul") == [local(expected), NO_TIME]


def test_numbers_have_the_leading_zeros_of_their_format() -> None:
    assert read([60_320_240_334], time_format="%d%m%Y%H%M") == [local("2024-03-06 03:34")]
    assert read([334, 5], time_format="%H%M") == [12_840, 300]


@pytest.mark.parametrize("time_format", ["%q", "%Y-%m-%d %Z", "%s", "%H %H", "%M:%S", "%d.%m. %H:%M", "HMM", "%I %H", "%Y-%m-%d %z", "%"])
def test_a_format_without_one_meaning_is_refused(time_format: str) -> None:
    with pytest.raises(UsageError, match=r"^time_format must .*got '"):
        check_time_format(time_format, None)


def test_an_unknown_date_order_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^date_order must be DMY or MDY, got 'YMD'$"):
        check_time_format(None, "YMD")


@pytest.mark.parametrize("time_format", ["%d.%m.%Y %H:%M", "epoch", "HHMM", "compact"])
def test_a_format_that_reads_nothing_is_refused_with_what_is_there(time_format: str) -> None:
    message = refusal(["2024-03-06 03:34"] * 20, time_format=time_format)
    assert f"looks like 9999-99-99 99:99, which time_format='{time_format}' does not read" in message


# dates beside times


def dated(dates: Any, times: Any, **options: Any) -> list[int]:
    frame = pl.DataFrame({"date": dates, "time": times}, strict=False)
    layout = Layout(CALLS, {"time": "hour", "date": "day"})
    forms = time_forms("f.csv", frame.lazy(), layout, ReadOptions(**options))
    from owlbus.records.times import day_starts

    day_s, time_s = day_starts(frame["date"], forms.get("date")), seconds("f.csv", frame["time"], None, forms.get("time"))
    return np.where((day_s < 0) | (time_s < 0), NO_TIME, day_s + time_s).tolist()


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-03-06", "2024-03-13"],
        ["20240306", "20240313"],
        [20_240_306, 20_240_313],
        [20_240_306.0, 20_240_313.0],
        ["06/03/2024", "13/03/2024"],
        ["3/6/2024", "3/13/2024"],
        ["2024/3/6", "2024/3/13"],
        ["2024-03-06 00:00:00", "2024-03-13T00:00:00"],
        ["6 Mar 2024", "13 March 2024"],
        [45_357, 45_364],
        ["45357.0", "45364"],
        [dt.date(2024, 3, 6), dt.date(2024, 3, 13)],
        [dt.datetime(2024, 3, 6), dt.datetime(2024, 3, 13)],  # noqa: DTZ001 - local clock
    ],
)
def test_dates_of_every_form_date_hours(dates: Any) -> None:
    assert dated(dates, [3, 23]) == [local("2024-03-06 03:00"), local("2024-03-13 23:00")]


def test_dates_that_are_open_are_asked_about_and_formats_of_dates_are_for_them() -> None:
    with pytest.raises(DataError, match="dates in column day look like 99/99/9999, and no value settles"):
        dated(["06/03/2024"] * 3, [1, 2, 3])
    assert dated(["06/03/2024"], [1], date_order="DMY") == [local("2024-03-06 01:00")]
    assert dated(["060324", "070324"], [1, 2], time_format="%d%m%y") == [local("2024-03-06 01:00"), local("2024-03-07 02:00")]
    with pytest.raises(DataError, match="has no hour, and there is no column date that it can be for"):
        form_of(["060324"], time_format="%d%m%y")


# whole files


def batch_seconds(path: Path, **options: Any) -> list[int]:
    with open_sources(path, ReadOptions(**options)) as sources:
        return [int(value) for source in sources for batch in read_batches(source) for value in batch.start_s]


@pytest.mark.parametrize(
    ("name", "base", "unit_s", "is_dated"),
    [
        ("calls_hour.csv", "base_calls.csv", 3600, False),
        ("calls_hhmmss.csv", "base_calls.csv", 1, False),
        ("calls_14digit.csv", "base_calls.csv", 1, True),
        ("excel_serial.csv", "base_rides.csv", 1, True),
        ("ddmm.csv", "base_rides.csv", 60, True),
        ("ampm.csv", "base_rides.csv", 1, True),
    ],
)
def test_public_layouts_of_times_are_read_as_their_originals(name: str, base: str, unit_s: int, *, is_dated: bool) -> None:
    original = pl.read_csv(REPORTS / base).to_series(0).str.to_datetime().to_list()
    expected = [since(t) if is_dated else clock_s(t) for t in original]
    assert batch_seconds(REPORTS / name) == [value // unit_s * unit_s for value in expected]


def test_numbers_in_batches_are_read_in_the_form_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from owlbus.records import reading

    monkeypatch.setattr(reading, "BATCH_ROWS", 7)
    moments = sorted(whole_day(3000), key=clock_s)
    table = pl.DataFrame({"time": [CLOCKS["HHMM"](t) for t in moments], **dict.fromkeys(("lon", "lat", "home_lon", "home_lat"), 1.0)})
    table.write_csv(tmp_path / "calls.csv")
    table.write_parquet(tmp_path / "calls.parquet")
    for name in ("calls.csv", "calls.parquet"):
        assert batch_seconds(tmp_path / name) == [clock_s(t) // 60 * 60 for t in moments]


def test_hours_of_four_rows_are_hours() -> None:
    assert batch_seconds(REPORTS / "min_hour.csv") == [hour * 3600 for hour in pl.read_csv(REPORTS / "min_hour.csv")["time"].to_list()]


def test_plain_times_need_no_form_and_no_second_look() -> None:
    assert form_of([t.isoformat(" ") for t in night(300)]) is None
    assert form_of(night(5)) is None
    assert form_of(["soon", "later"]) is None
    assert form_of([None, ""], dtype=pl.String) is None


# what is said


def test_every_form_has_a_description() -> None:
    assert len({describe_form(form) for form in FORMS}) == len(FORMS)
    assert describe_form("%d.%m.%y %H:%M") == "text as %d.%m.%y %H:%M"


def test_forms_that_are_not_plain_are_noted() -> None:
    layout = Layout(TAXI, {"pickup_time": "on", "dropoff_time": "off", "date": "day"})
    assert form_notes("f.csv", layout, {"pickup_time": "hour", "dropoff_time": "hour", "date": "DMY"}) == [
        "f.csv: columns on and off are read as hours of the day",
        "f.csv: column day is read as dates as DD/MM/YYYY",
    ]
    assert form_notes("f.csv", layout, {"pickup_time": "ISO"}) == []


def notes_of(tmp_path: Path, times: Sequence[str], **options: Any) -> tuple[str, ...]:
    from owlbus.demand import estimate_demand
    from owlbus.grid.hexgrid import HexGrid

    grid = HexGrid.cover([(30.30, 59.92), (30.34, 59.92), (30.34, 59.94), (30.30, 59.94)])
    ends = {
        name: [float(getattr(grid, name[-3:])[k])] * len(times) for name, k in (("lon", 0), ("lat", 0), ("home_lon", -1), ("home_lat", -1))
    }
    path = tmp_path / "calls.csv"
    pl.DataFrame({"time": times, **ends}).write_csv(path)
    _, report = estimate_demand(path, grid, **options)
    return tuple(note.removeprefix(str(tmp_path) + "/") for note in report.notes)


def test_all_rows_at_midnight_in_one_minute_or_in_one_hour_are_noted(tmp_path: Path) -> None:
    days = [dt.datetime(2024, 3, 1) + dt.timedelta(days=k % 7) for k in range(60)]  # noqa: DTZ001 - local clock
    assert notes_of(tmp_path, [t.isoformat(" ") for t in days]) == (
        "calls.csv: all rows fall at 00:00; the times of day may have been lost",
    )
    minute = [(t + dt.timedelta(hours=3, minutes=7, seconds=k)).isoformat(" ") for k, t in enumerate(days)]
    assert notes_of(tmp_path, minute) == ("calls.csv: all rows fall at 03:07; the times of day may have been lost",)
    hour = [(t + dt.timedelta(hours=3, minutes=k)).isoformat(" ") for k, t in enumerate(days)]
    assert notes_of(tmp_path, hour) == (
        "calls.csv: all rows fall between 03:00 and 03:59; if this is no extract of that hour, the times of day are wrong",
    )
    assert notes_of(tmp_path, [*hour, "2024-03-02 04:00:00"]) == ()
    assert notes_of(tmp_path, [*["2024-03-02 03:00:00"] * 600, "2024-03-02 04:00:00"]) == ()


def test_the_form_that_was_taken_stands_in_the_report(tmp_path: Path) -> None:
    hours = [str(k % 5) for k in range(60)]
    assert notes_of(tmp_path, hours)[0] == "calls.csv: column time is read as hours of the day"


# every form, any night

RENDERINGS: dict[str, tuple[Callable[[dt.datetime], Any], int, bool]] = {
    **{f"{name} as text": (lambda t, write=write: str(write(t)), UNIT_S.get(name, 1), False) for name, write in CLOCKS.items()},
    **{name: (write, UNIT_S.get(name, 1), False) for name, write in CLOCKS.items()},
    **{f"{name} as text": (lambda t, write=write: str(write(t)), unit_s, True) for name, (write, unit_s) in DATED.items()},
    **{name: (write, unit_s, True) for name, (write, unit_s) in DATED.items()},
    **{text: (lambda t, text=text: t.strftime(text), 1, True) for text in TEXTS},
    **{
        f"{text} {clock}": (lambda t, text=f"{text} {clock}": t.strftime(text), 1, True)
        for text in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y")
        for clock in ("%H:%M:%S", "%I:%M:%S %p")
    },
    "padded": (lambda t: f"{t:%H%M%S}", 1, False),
    "padded HHMM": (lambda t: f"{t:%H%M}", 60, False),
    "epoch": (since, 1, True),
    "epoch-ms": (lambda t: since(t) * 1000 + 5, 1, True),
    "epoch-us": (lambda t: since(t) * 10**6, 1, True),
    "epoch-ns": (lambda t: str(since(t) * 10**9), 1, True),
    "%H:%M:%S": (lambda t: f"{t:%H:%M:%S}", 1, False),
    "%I:%M %p": (lambda t: f"{t:%I:%M %p}", 60, False),
}

MOMENTS = st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2037, 12, 31)).flatmap(  # noqa: DTZ001 - local clock
    lambda day: st.lists(
        st.integers(0, 12 * 3600).map(lambda s: day.replace(hour=20, minute=0, second=0, microsecond=0) + dt.timedelta(seconds=s)),
        min_size=1,
        max_size=60,
    )
)


@given(MOMENTS, st.sampled_from(sorted(RENDERINGS)), st.integers(0, 2))
def test_a_night_in_any_form_is_read_right_or_refused(moments: list[dt.datetime], form: str, n_blank: int) -> None:
    write, unit_s, is_dated = RENDERINGS[form]
    values = [*map(write, moments), *[None] * n_blank]
    try:
        found = read(values, timezone="UTC")
    except DataError:
        return
    expected = [since(t) if is_dated else clock_s(t) for t in moments]
    if form_of(values) == "hour" and max(map(clock_s, moments)) < 24 * 60:  # whole numbers up to 23 are hours, whatever was meant
        return
    assert found == [*(value // unit_s * unit_s for value in expected), *[NO_TIME] * n_blank], form_of(values)


@given(st.lists(st.text(alphabet="0123456789:/-. TZAPM+", max_size=20), max_size=30))
def test_any_text_is_read_or_refused_and_never_crashes(values: list[str]) -> None:
    try:
        found = np.array(read(values, dtype=pl.String, timezone="UTC"), dtype=np.int64)
    except DataError:
        return
    assert ((found == NO_TIME) | (found >= 0)).all()


@given(st.lists(st.one_of(st.integers(-5, 10**19 - 1), st.floats(allow_nan=True), st.none()), max_size=30))
def test_any_numbers_are_read_or_refused_and_never_crash(values: list[Any]) -> None:
    try:
        found = np.array(read(values, dtype=pl.Float64, timezone="UTC"), dtype=np.int64)
    except DataError:
        return
    assert ((found == NO_TIME) | ((found >= 0) & (found < UNDATED_S)) | (found >= UNDATED_S)).all()


def dated_nights(file: Path, frame: pl.DataFrame, **options: Any) -> list[int]:
    frame.write_csv(file)
    with open_sources(file, ReadOptions(**options)) as (source,):
        return [int(s) for batch in read_batches(source) for s in batch.start_s]


CALL_PLACES = {"lon": 13.4, "lat": 52.5, "home_lon": 13.41, "home_lat": 52.51}


@pytest.mark.parametrize(
    ("date", "time", "day_format", "clock_format"),
    [
        ("call_date", "call_time", "%Y-%m-%d", "%H:%M:%S"),
        ("event_date", "event_time", "%Y%m%d", "%H:%M"),
        ("day", "time", "%Y-%m-%d", "%H:%M:%S"),
        ("Datum", "Uhrzeit", "%d.%m.%Y", "%H:%M"),
        ("통화일자", "통화시각", "%Y-%m-%d", "%H:%M:%S"),
        ("기준일자", "시간대", "%Y%m%d", "%-H"),
        ('?"기준일ID"', "시간대", "%Y%m%d", "%-H"),
        ("date", "hour", "%Y-%m-%d", "%-H"),
        ("Call-Day", "hora", "%d/%m/%Y", "%H:%M"),
    ],
)
def test_dates_beside_clocks_are_read_by_their_usual_names(
    tmp_path: Path, date: str, time: str, day_format: str, clock_format: str
) -> None:
    moments = [NIGHT.replace(day=day, hour=hour, minute=0) for day in (5, 6, 27) for hour in (*range(5), 13, 23)]
    frame = pl.DataFrame({date: [m.strftime(day_format) for m in moments], time: [m.strftime(clock_format) for m in moments]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    assert dated_nights(tmp_path / "f.csv", frame) == [int((m - EPOCH).total_seconds()) for m in moments]


@pytest.mark.parametrize("other", ["logged", "when", "valid_from", "birth_date"])
@pytest.mark.parametrize("day_format", ["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%Y-%m-%d %H:%M"])
def test_a_column_of_dates_that_no_one_reads_is_asked_about(tmp_path: Path, other: str, day_format: str) -> None:
    frame = pl.DataFrame({other: [NIGHT.replace(day=day).strftime(day_format) for day in (5, 6, 7)], "time": ["01:10", "02:20", "23:59"]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    with pytest.raises(DataError, match=f"times carry no date, and column {re.escape(other)} looks like dates"):
        dated_nights(tmp_path / "f.csv", frame)
    assert len(set(np.array(dated_nights(tmp_path / "f.csv", frame, columns={"date": other}, date_order="DMY")) // 86_400)) == 3


def test_columns_that_look_like_no_date_leave_times_undated(tmp_path: Path) -> None:
    frame = pl.DataFrame({"day": ["Mon", "Tue"], "id": ["20249999", "10240301"], "data": ["12.5", "1.25"], "time": ["01:10", "02:20"]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    assert dated_nights(tmp_path / "f.csv", frame) == [4200, 8400]


def test_times_with_a_date_leave_other_dates_alone(tmp_path: Path) -> None:
    frame = pl.DataFrame({"call_date": ["1999-01-01"], "created": ["2001-02-03"], "time": ["2024-03-05 01:10"]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    assert dated_nights(tmp_path / "f.csv", frame) == [local("2024-03-05 01:10")]


def test_two_columns_that_may_be_the_date_are_asked_about(tmp_path: Path) -> None:
    frame = pl.DataFrame({"call_date": ["2024-03-05"], "start_date": ["2024-03-06"], "time": ["01:10"]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    with pytest.raises(DataError, match="columns call_date and start_date may both be their date"):
        dated_nights(tmp_path / "f.csv", frame)


def test_a_ride_past_midnight_ends_on_the_day_after_its_one_date(tmp_path: Path) -> None:
    places = {"origin_lon": 13.4, "origin_lat": 52.5, "destination_lon": 13.41, "destination_lat": 52.51}
    frame = pl.DataFrame(
        {
            "pickup_date": ["2024-03-05", "2024-03-05"],
            "pickup_time": ["23:50", "01:10"],
            "dropoff_date": ["2024-03-06", "2024-03-05"],
            "dropoff_time": ["00:10", "01:00"],
        }
    )
    frame.with_columns(pl.lit(value).alias(name) for name, value in places.items()).write_csv(tmp_path / "f.csv")
    with open_sources(tmp_path / "f.csv") as (source,):
        (batch,) = read_batches(source)
    lasts = batch.end_s - batch.start_s
    assert lasts.tolist() == [1200, -600]


@pytest.mark.parametrize(
    ("header", "is_read"), [("STDR_DE_ID", True), ('"?""기준일ID"""', True), ("day", True), ("when", False), ("c3", False)]
)
def test_presence_by_hour_takes_its_dates_or_asks(tmp_path: Path, header: str, *, is_read: bool) -> None:
    file = tmp_path / "people.csv"
    rows = "".join(f"202403{day:02d},{hour},13.4,52.5,10\n" for day in (1, 2, 3) for hour in range(24))
    file.write_text(f"{header},hour,lon,lat,people\n{rows}", encoding="utf-8")
    if is_read:
        with open_sources(file, kinds=(PRESENCE,)) as (source,):
            assert len({int(s) // 86_400 for batch in read_batches(source) for s in batch.start_s}) == 3
    else:
        with pytest.raises(DataError, match=f"column {header} looks like dates"), open_sources(file, kinds=(PRESENCE,)):
            pass


@pytest.mark.parametrize(
    "written",
    [
        "%d.%m.%y %H:%M",
        "%d/%m/%y %I:%M %p",
        "%m/%d/%y %H:%M:%S",
        "%d-%b-%y %I.%M.%S %p",
        "%d-%b-%y %I.%M.%S.%f %p",
        "%d.%m.%y, %H.%M",
        "%y-%m-%dT%H:%M",
    ],
)
def test_formats_that_are_hinted_at_read_the_times(written: str) -> None:
    moments = [NIGHT.replace(day=day, hour=hour) for day in (14, 28) for hour in (0, 3, 12, 23)]
    texts = [moment.strftime(written) for moment in moments]
    said = refusal(texts)
    hints = re.findall(r"time_format='([^']+)'", said)
    assert written in hints
    assert read(texts, time_format=written) == [int((moment - EPOCH).total_seconds()) for moment in moments]
    assert all(NO_TIME not in read(texts, time_format=hint) for hint in hints)


def test_a_year_of_two_digits_with_an_odd_clock_gets_no_format_that_fails() -> None:
    assert not re.findall("%", refusal(["14.03.24 um 3 vor 12", "15.03.24 um 3 vor 12"]))


@pytest.mark.parametrize("values", [["2024-03-05", "2024-03-06"], [20240305, 20240306], ["14.03.2024", "15.03.2024"]])
def test_dates_alone_name_no_column_that_is_not_there(values: Any) -> None:
    said = refusal(values, "when")
    assert "HOUR" not in said
    assert "columns={'date': 'when'}" in said


def test_a_zone_that_times_name_is_the_one_in_the_hint() -> None:
    with pytest.raises(DataError, match="timezone='Europe/Berlin'"):
        read(["2024-03-05 01:10+01:00[Europe/Berlin]"] * 3)
    with pytest.raises(DataError, match="timezone='America/New_York'"):
        seconds("f.csv", pl.Series("time", [NIGHT]).dt.replace_time_zone("America/New_York"))
    with pytest.raises(DataError, match="timezone='Asia/Seoul'"):
        read(["2024-03-05 01:10+01:00[Nowhere/Atlantis]"] * 3)


@pytest.mark.parametrize(("gap", "seconds_too"), [(" ", True), ("T", True), (" ", False)])
@pytest.mark.parametrize("n", [40, 3000])
def test_dates_alone_among_clocks_are_midnight(n: int, gap: str, *, seconds_too: bool) -> None:
    moments = [NIGHT.replace(hour=0) + dt.timedelta(minutes=30 * k) for k in range(n)]
    clock = "%H:%M:%S" if seconds_too else "%H:%M"
    texts = [m.strftime("%Y-%m-%d" if m.hour == m.minute == 0 else f"%Y-%m-%d{gap}{clock}") for m in moments]
    assert form_of(texts) == "ISO-midnight"
    assert read(texts) == [int((m - EPOCH).total_seconds()) for m in moments]


def test_dates_alone_beside_written_midnights_are_no_times() -> None:
    assert read(["2024-03-05", "2024-03-05 00:00", "2024-03-05 01:10"]) == [NO_TIME, local("2024-03-05 00:00"), local("2024-03-05 01:10")]
    mostly = ["2024-03-05"] * 60 + ["2024-03-05 01:10"] * 40
    assert read(mostly)[0] == NO_TIME
    assert read(mostly, time_format="ISO-midnight")[0] == local("2024-03-05 00:00")


def test_a_midnight_written_far_down_keeps_dates_alone_from_being_one() -> None:
    texts = ["2024-03-05", *["2024-03-05 01:10"] * 4000, "2024-03-06T00:00:00"]
    assert read(texts)[0] == NO_TIME


@pytest.mark.parametrize(("date", "hour"), [("d", "h"), ("Tag", "Uhr"), ("날짜", "시각")])
def test_a_date_and_an_hour_of_short_names_are_suggested_together(tmp_path: Path, date: str, hour: str) -> None:
    frame = pl.DataFrame({date: ["14.03.2024", "15.03.2024"], hour: ["0", "23"]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    with pytest.raises(DataError, match=re.escape(f"columns={{'time': '{hour}', 'date': '{date}'}}")):
        dated_nights(tmp_path / "f.csv", frame)
    read_as = dated_nights(tmp_path / "f.csv", frame, columns={"time": hour, "date": date}, time_format="hour")
    assert read_as == [local("2024-03-14 00:00"), local("2024-03-15 23:00")]


def test_an_hour_beside_a_timestamp_of_unknown_name_is_asked_about(tmp_path: Path) -> None:
    frame = pl.DataFrame({"ts": ["2024-03-05 01:10:00", "2024-03-06 02:20:00"], "hour": [1, 2]})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in CALL_PLACES.items())
    with pytest.raises(DataError, match=re.escape("columns={'time': 'ts'} if it holds the times")):
        dated_nights(tmp_path / "f.csv", frame)
    assert dated_nights(tmp_path / "f.csv", frame, columns={"time": "ts"}) == [local("2024-03-05 01:10"), local("2024-03-06 02:20")]


def test_dates_with_a_zone_are_days_of_that_zone() -> None:
    midnight = pl.Series("date", [dt.datetime(2024, 3, 5)]).dt.replace_time_zone("Asia/Seoul")  # noqa: DTZ001 - the zone is set
    assert day_starts(midnight).tolist() == [local("2024-03-05")]
