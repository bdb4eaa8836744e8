"""Tables of GTFS feeds: whatever real feeds hold is read, and what cannot be used is counted."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from owlbus.common.errors import DataError
from owlbus.network.gtfs_files import open_feed, text_table
from owlbus.network.gtfs_tables import read_feed
from owlbus.network.gtfs_trips import runs_within

if TYPE_CHECKING:
    from pathlib import Path

STOPS = "stop_id,stop_name,stop_lat,stop_lon,parent_station\na,Größe,50.01,10.01,\nb,Stop b,50.02,10.01,\nc,Stop c,50.03,10.01,"
TIMES = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\nt1,24:00:00,24:00:00,a,1\nt1,24:02:00,24:02:30,b,2\nt1,24:05:00,,c,3"
PLAIN = {
    "stops": STOPS,
    "routes": "route_id,route_short_name,route_type\nN1,N1,3",
    "trips": "route_id,service_id,trip_id,direction_id\nN1,fri,t1,0",
    "stop_times": TIMES,
}


def as_zip(files: dict[str, Any], inside: str = "", encoding: str = "utf-8") -> bytes:
    """Tables, or other files, as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(
                f"{inside}{name}.txt" if isinstance(data, str) else name, data.encode(encoding) if isinstance(data, str) else data
            )
    return buffer.getvalue()


def read(folder: Path, data: bytes, modes: tuple[str, ...] | None = None) -> Any:  # noqa: ANN401  # a feed
    (folder / "feed.zip").write_bytes(data)
    return read_feed(folder / "feed.zip", modes)


def changed(**tables: str) -> bytes:
    return as_zip(PLAIN | tables)


def left_out(feed: Any) -> dict[str, int]:  # noqa: ANN401  # a feed
    return {what: number for what, number in feed.counts if number and not what.startswith("rows of ")}


@pytest.mark.parametrize(
    "data",
    [
        as_zip(PLAIN, "google_transit/"),
        as_zip({"__MACOSX/stops.txt": b"junk", "feed.zip": as_zip(PLAIN), "readme.pdf": b"%PDF"}),
        as_zip({"out/feed.zip": as_zip(PLAIN, "deep/er/")}),
        as_zip({"a\\" + name + ".txt": text.encode() for name, text in PLAIN.items()}),
        as_zip({name.upper() + ".TXT": text.encode() for name, text in PLAIN.items()}),
        as_zip(PLAIN, encoding="utf-8-sig"),
        as_zip(PLAIN, encoding="utf-16"),
        as_zip(PLAIN, encoding="cp1252"),
        as_zip({name: text.replace("\n", "\r\n") + "\r\n\r\n" for name, text in PLAIN.items()}),
        as_zip({name: text.replace("\n", "\r") for name, text in PLAIN.items()}),
        as_zip({name: text.replace(",", ";") for name, text in PLAIN.items()}),
        as_zip({name: text.replace(",", "\t") for name, text in PLAIN.items()}),
        as_zip({name: text.replace(",", " , ") for name, text in PLAIN.items()}),
        as_zip({name: "\n".join('"' + line.replace(",", '","') + '"' for line in text.split("\n")) for name, text in PLAIN.items()}),
        changed(stop_times=TIMES.replace(",1\n", ",1.0\n").replace(",2\n", ",2.00\n"), routes=PLAIN["routes"] + ".0"),
        changed(stop_times=TIMES.replace("24:00:00", "24:00").replace("24:05:00", "24:05:00.000")),
        changed(stop_times=TIMES + ",extra,fields", stops=STOPS.replace("parent_station", "parent_station,,")),
        as_zip(PLAIN | {"locations.geojson": b"{}", "transfers": "from_stop_id\n", "fare_rules": ""}),
    ],
)
def test_the_same_feed_in_many_dresses_reads_the_same(data: bytes, tmp_path: Path) -> None:
    feed = read(tmp_path, data)
    assert feed.stops.rows() == [
        ("a", "Größe", None, 10.01, 50.01, ""),
        ("b", "Stop b", None, 10.01, 50.02, ""),
        ("c", "Stop c", None, 10.01, 50.03, ""),
    ]
    assert feed.trips.select("trip_id", "route_id", "mode", "service_id", "direction_id").rows() == [("t1", "N1", "bus", "fri", 0)]
    assert feed.stop_times.select("trip", "stop_id", "sequence", "arr", "dep").rows() == [
        (0, "a", 1, 86_400, 86_400),
        (0, "b", 2, 86_520, 86_550),
        (0, "c", 3, 86_700, None),
    ]
    assert left_out(feed) == {}
    assert feed.left_out == ()


def test_a_folder_is_read_as_a_zip_is(tmp_path: Path) -> None:
    home = tmp_path / "in" / "here"
    home.mkdir(parents=True)
    (tmp_path / "in" / "__MACOSX").mkdir()
    (tmp_path / "in" / "__MACOSX" / "stops.txt").write_text("junk")
    for name, text in PLAIN.items():
        (home / f"{name}.txt").write_text(text, encoding="utf-8")
    assert read_feed(tmp_path / "in", None).stop_times.equals(read(tmp_path, as_zip(PLAIN)).stop_times)


@pytest.mark.parametrize(
    ("tables", "what", "number"),
    [
        ({"stops": STOPS + "\nd,Unused,,\ne,Null,0,0,\nf,North,91,0,"}, "stops without id or position", 3),
        ({"stops": STOPS + "\nd,D,50,10,ghost"}, "parent stations that do not exist", 1),
        ({"routes": PLAIN["routes"] + "\nN2,N2,3\nN3,N3,3"}, "routes without a trip", 2),
        ({"trips": PLAIN["trips"] + "\nX,fri,t2,0"}, "trips of a route that is not in the feed", 1),
        ({"stop_times": TIMES + "\nt1,,,,4"}, "stop times at no stop but in an area, for rides on demand", 1),
        ({"stop_times": TIMES + "\nt1,24:09:00,,nowhere,4"}, "stop times at a stop that is not in the feed", 1),
        ({"stop_times": TIMES + "\nt1,24:09:00,,a,4.5\nt1,24:09:00,,a,last"}, "stop times without a whole stop_sequence", 2),
        ({"stop_times": TIMES + "\nt1,soon,24:61:00,a,4"}, "times that do not read HH:MM:SS", 2),
        ({"stop_times": TIMES + "\nt9,24:09:00,,a,4"}, "stop times of other modes, or of a trip that is not in the feed", 1),
        (
            {"frequencies": "trip_id,start_time,end_time,headway_secs\nt1,24:00:00,25:00:00,600\nt1,26:00:00,25:00:00,600"},
            "headways that are none",
            1,
        ),
        (
            {"frequencies": "trip_id,start_time,end_time,headway_secs\nt1,24:00:00,25:00:00,600\nt1,24:30:00,25:30:00,1200"},
            "departures that another row of frequencies.txt states too",
            2,
        ),
        (
            {"shapes": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\ns,50,10,1\ns,50,x,2\n,50,10,3"},
            "points of shapes that are none",
            2,
        ),
    ],
)
def test_what_cannot_be_used_is_counted_by_its_kind(tables: dict[str, str], what: str, number: int, tmp_path: Path) -> None:
    feed = read(tmp_path, changed(**tables))
    assert left_out(feed) == {what: number}
    assert feed.left_out == (f"{number} {what}",)
    assert feed.stop_times["stop_id"].to_list()[:3] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        ("23:50:00,23:51:00 23:59:00,00:01:00 00:05:00,", [85_800, 85_860, 86_340, 86_460, 86_700, None]),
        ("23:50:00, , 00:05:00,00:05:00", [85_800, None, None, None, 86_700, 86_700]),
        ("23:50:00,23:50:00 24:01:00,24:01:00 00:05:00,", [85_800, 85_800, 86_460, 86_460, 86_700, None]),
        ("09:50:00,09:50:00 09:40:00,09:40:00 10:00:00,", [35_400, 35_400, 34_800, 34_800, 36_000, None]),
    ],
)
def test_a_trip_goes_on_after_midnight(rows: str, seconds: list[int | None], tmp_path: Path) -> None:
    times = "\n".join(f"t1,{row},{stop},{k}" for k, (row, stop) in enumerate(zip(rows.split(), "abc", strict=True)))
    feed = read(tmp_path, changed(stop_times=TIMES.split("\n", maxsplit=1)[0] + "\n" + times))
    assert [time for row in feed.stop_times.select("arr", "dep").rows() for time in row] == seconds
    assert feed.left_out == ()


def served(folder: Path, *kinds: str) -> list[str]:
    """Stops of a trip whose calls have these values of pickup_type and drop_off_type."""
    rows = [f"{row},{kind}" for row, kind in zip(TIMES.split("\n"), ("pickup_type,drop_off_type", *kinds), strict=True)]
    return read(folder, changed(stop_times="\n".join(rows))).stop_times["stop_id"].to_list()


@pytest.mark.parametrize("kind", [",", "0,0", "1,0", "0,1", "1,", ",1", "2,2", "3,1", "1,3", "x,1"])
def test_a_call_where_riders_board_or_alight_is_a_stop(kind: str, tmp_path: Path) -> None:
    assert served(tmp_path, kind, kind, kind) == ["a", "b", "c"]


@pytest.mark.parametrize(("kinds", "stops"), [(("1,1", "", ","), "bc"), ((",", "1.0,1", ","), "ac"), ((",", ",", "1,1.0"), "ab")])
def test_a_call_without_riders_is_no_stop_and_is_counted(kinds: tuple[str, ...], stops: str, tmp_path: Path) -> None:
    assert served(tmp_path, *kinds) == list(stops)
    assert left_out(read_feed(tmp_path / "feed.zip")) == {"stop times at which nobody may board or alight": 1}


def test_a_feed_that_nobody_may_ride_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no row of the 1 trips asked for; check its ids, pickup_type and drop_off_type"):
        served(tmp_path, "1,1", "1,1", "1,1")


def test_a_trip_none_of_whose_headways_can_be_used_is_left_out(tmp_path: Path) -> None:
    rows = "trip_id,start_time,end_time,headway_secs\nt2,24:00:00,25:00:00,0"
    trips = PLAIN["trips"] + "\nN1,fri,t2,1"
    times = TIMES + "\nt2,01:00:00,,c,1\nt2,01:10:00,,a,2"
    feed = read(tmp_path, changed(trips=trips, stop_times=times, frequencies=rows))
    assert feed.trips["trip_id"].to_list() == ["t1"]
    assert left_out(feed)["trips without a headway that can be used"] == 1
    with pytest.raises(DataError, match="a feed needs a run, got none; give trips a route, and frequencies an end after their start"):
        read(tmp_path, changed(frequencies=rows.replace("t2", "t1")))


def test_a_platform_without_a_position_lies_at_its_station(tmp_path: Path) -> None:
    stops = STOPS.replace("b,Stop b,50.02,10.01,", "b,Stop b,,,hub\nhub,Hub,50.05,10.05,")
    feed = read(tmp_path, changed(stops=stops))
    assert feed.stops.filter(pl.col("stop_id") == "b").select("lon", "lat", "parent").row(0) == (10.05, 50.05, "hub")


@pytest.mark.parametrize(("lat", "parents"), [("50.0103", ["x", "x", None]), ("50.02", [None, None, None])])
def test_a_station_that_is_not_in_the_feed_joins_stops_that_lie_near_each_other(lat: str, parents: list[str], tmp_path: Path) -> None:
    stops = f"stop_id,stop_lat,stop_lon,parent_station\na,50.01,10.01,x\nb,{lat},10.01,x\nc,50.03,10.01,"
    assert read(tmp_path, changed(stops=stops)).stops["parent"].to_list() == parents


def test_calendars_and_agencies_come_along_as_text(tmp_path: Path) -> None:
    calendar = (
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\nfri,0,0,0,0,1,0,0,20240101,20241231"
    )
    dates, agency = "service_id,date,exception_type\nfri,20240501,2", "agency_name,agency_timezone\nOwl,Europe/Berlin"
    feed = read(tmp_path, changed(calendar=calendar, calendar_dates=dates, agency=agency))
    assert feed.calendar.select("service_id", "friday", "end_date").rows() == [("fri", "1", "20241231")]
    assert feed.calendar_dates.rows() == [("fri", "20240501", "2")]
    assert feed.agency["agency_timezone"].to_list() == ["Europe/Berlin"]
    assert read(tmp_path, as_zip(PLAIN)).calendar.height == 0


def test_stray_and_open_quotes_spoil_no_more_than_their_line(tmp_path: Path) -> None:
    stray = read(tmp_path, changed(stops=STOPS.replace("Größe", '"Av. "X" 1"')))
    assert stray.stops["stop_id"].to_list() == ["a", "b", "c"]
    opened = read(tmp_path, changed(stops=STOPS.replace("Stop b", '"Stop b')))
    assert opened.stops["stop_id"].to_list() == ["a", "c"]
    assert left_out(opened) == {"stops without id or position": 1, "stop times at a stop that is not in the feed": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            as_zip({"a.zip": as_zip(PLAIN), "b.zip": as_zip(PLAIN)}),
            r"holds 2 zips, a feed must be one; unpack it and name one of them, such as a\.zip",
        ),
        (as_zip({"stops": STOPS}), r"holds no routes\.txt, which a feed needs"),
        (changed(stops=STOPS.replace("stop_name", "Stop_ID")), r"stops\.txt has the column 'stop_id' twice \(2 times\); keep one of them"),
        (changed(stops=STOPS.replace("stop_lat", "lat")), r"stops\.txt must have the column 'stop_lat', found stop_id, stop_name, lat"),
        (changed(stop_times=TIMES.split("\n", maxsplit=1)[0]), r"stop_times\.txt has no row of the 1 trips asked for"),
        (b"", "no zip and no folder"),
        (as_zip(PLAIN)[:-30], "no zip and no folder"),
    ],
)
def test_what_is_no_feed_is_refused_in_one_line(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as refused:
        read(tmp_path, data)
    assert "\n" not in str(refused.value)


def test_hours_of_service_keep_the_runs_that_depart_in_them(tmp_path: Path) -> None:
    trips = PLAIN["trips"] + "\nN1,fri,day,1\nN1,fri,often,1"
    times = TIMES + "\nday,12:00:00,,c,1\nday,12:10:00,,a,2\noften,00:00:00,,c,1\noften,00:10:00,,a,2"
    often = "trip_id,start_time,end_time,headway_secs\noften,13:00:00,15:00:00,600"
    feed = read(tmp_path, changed(trips=trips, stop_times=times, frequencies=often))

    def kept(*hours: int) -> list[int]:
        return runs_within(feed, hours, []).stop_times["trip"].unique(maintain_order=True).to_list()

    assert kept(0) == [0], "24:00 is 00:00; the run by headways has no run at 00:00"
    assert kept(36) == [1]
    assert kept(14) == [2]
    assert kept(12, 13) == [1, 2]
    with pytest.raises(DataError, match="no run departs in the hours 15 to 15 of the day; widen service_hours"):
        kept(15)


def test_a_missing_optional_table_and_column_are_null(tmp_path: Path) -> None:
    (tmp_path / "feed.zip").write_bytes(as_zip(PLAIN))
    files = open_feed(tmp_path / "feed.zip")
    assert text_table(files, "levels", ("level_id",)).shape == (0, 1)
    assert text_table(files, "trips", ("trip_id",), ("bikes_allowed",)).rows() == [("t1", None)]
