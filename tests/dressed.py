"""
The same rides in many dresses: times, positions and files as other programs write them, with the counts that must come out.

``python tests/dressed.py 2000 7`` hands in 2,000 files from seed 7 on and says how many were read, refused, and read wrongly.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import random
import sys
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from owlbus.common.errors import OwlbusError
from owlbus.demand import estimate_demand
from owlbus.grid.hexgrid import HexGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LON, LAT = (13.29, 13.43), (52.455, 52.52)
MARGIN = 0.012
"""Degrees that places keep from the edge, so that rounding puts none outside."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@cache
def grid() -> HexGrid:
    """Hexes over the box of the rides."""
    return HexGrid.cover([(LON[0], LAT[0]), (LON[1], LAT[0]), (LON[1], LAT[1]), (LON[0], LAT[1])])


@dataclass(frozen=True)
class Ride:
    """What happened, as it is known here alone."""

    start: dt.datetime
    end: dt.datetime
    origin: tuple[float, float]
    destination: tuple[float, float]


def rides(rng: random.Random) -> list[Ride]:
    """Return rides of one to three nights, some by day, to whole seconds."""
    first = dt.datetime(rng.randint(2009, 2025), rng.randint(1, 12), rng.randint(1, 28), 12, tzinfo=dt.UTC)
    n_nights = rng.choice([1, 1, 2, 3])
    made = []
    for _ in range(rng.choice([8, 40, 40, 150])):
        start = first + dt.timedelta(days=rng.randrange(n_nights), seconds=rng.randrange(86_400))
        place = [
            (round(rng.uniform(LON[0] + MARGIN, LON[1] - MARGIN), 6), round(rng.uniform(LAT[0] + MARGIN, LAT[1] - MARGIN), 6)) for _ in "ab"
        ]
        made.append(Ride(start, start + dt.timedelta(seconds=rng.randint(900, 2400)), *place))
    return made


# times: what is written, and whether it keeps the date


def clock(time: dt.datetime, text: str) -> str:
    """Return a time in a format, months in English."""
    return time.strftime(text)


def since_1970(per_s: int) -> Callable[[dt.datetime], str]:
    """Return a writer of epochs."""
    return lambda time: str(int((time - EPOCH).total_seconds()) * per_s)


def excel(time: dt.datetime) -> str:
    """Return the serial number of a spreadsheet."""
    return f"{(time - dt.datetime(1899, 12, 30, tzinfo=dt.UTC)).total_seconds() / 86_400:.6f}"


def of_day(unit_s: float) -> Callable[[dt.datetime], str]:
    """Return a writer of whole units since midnight."""
    return lambda time: str(int((time.hour * 3600 + time.minute * 60 + time.second) / unit_s))


TIMES: dict[str, tuple[Callable[[dt.datetime], str], bool, dict[str, Any]]] = {
    "ISO": (lambda t: clock(t, "%Y-%m-%d %H:%M:%S"), True, {}),
    "ISO with T": (lambda t: clock(t, "%Y-%m-%dT%H:%M:%S"), True, {}),
    "ISO with a fraction": (lambda t: clock(t, "%Y-%m-%d %H:%M:%S.250"), True, {}),
    "UTC in words": (lambda t: clock(t, "%Y-%m-%d %H:%M:%S UTC"), True, {"timezone": "UTC"}),
    "UTC as Z": (lambda t: clock(t, "%Y-%m-%dT%H:%M:%SZ"), True, {"timezone": "UTC"}),
    "ISO with an offset": (lambda t: clock(t + dt.timedelta(hours=9), "%Y-%m-%dT%H:%M:%S+09:00"), True, {"timezone": "UTC"}),
    "slashes, year first": (lambda t: clock(t, "%Y/%m/%d %H:%M:%S"), True, {}),
    "dots, year first": (lambda t: clock(t, "%Y.%m.%d %H:%M"), True, {}),
    "day first": (lambda t: clock(t, "%d/%m/%Y %H:%M:%S"), True, {}),
    "day first, told": (lambda t: clock(t, "%d/%m/%Y %H:%M:%S"), True, {"date_order": "DMY"}),
    "day first with dots": (lambda t: clock(t, "%d.%m.%Y %H:%M"), True, {}),
    "month first": (lambda t: clock(t, "%m/%d/%Y %H:%M:%S"), True, {}),
    "month first with AM": (lambda t: clock(t, "%m/%d/%Y %I:%M:%S %p"), True, {}),
    "month first with AM, told": (lambda t: clock(t, "%m/%d/%Y %I:%M:%S %p"), True, {"date_order": "MDY"}),
    "month names": (lambda t: clock(t, "%d-%b-%Y %H:%M:%S"), True, {}),
    "strptime": (lambda t: clock(t, "%H:%M:%S|%d|%m|%y"), True, {"time_format": "%H:%M:%S|%d|%m|%y"}),
    "14 digits": (lambda t: clock(t, "%Y%m%d%H%M%S"), True, {}),
    "12 digits": (lambda t: clock(t, "%Y%m%d%H%M"), True, {}),
    "compact with T": (lambda t: clock(t, "%Y%m%dT%H%M%S"), True, {}),
    "seconds since 1970": (since_1970(1), True, {"timezone": "UTC"}),
    "ms since 1970": (since_1970(1000), True, {"timezone": "UTC"}),
    "us since 1970": (since_1970(1_000_000), True, {"timezone": "UTC"}),
    "Excel": (excel, True, {}),
    "clock": (lambda t: clock(t, "%H:%M:%S"), False, {}),
    "clock with AM": (lambda t: clock(t, "%I:%M %p"), False, {}),
    "HHMMSS": (lambda t: clock(t, "%H%M%S"), False, {}),
    "HHMMSS as numbers": (lambda t: str(int(clock(t, "%H%M%S"))), False, {}),
    "HHMM": (lambda t: clock(t, "%H%M"), False, {}),
    "HHMM as numbers": (lambda t: str(int(clock(t, "%H%M"))), False, {}),
    "HHMM as numbers, told": (lambda t: str(int(clock(t, "%H%M"))), False, {"time_format": "HHMM"}),
    "hours": (of_day(3600), False, {}),
    "minutes": (of_day(60), False, {}),
    "minutes, told": (of_day(60), False, {"time_format": "minute"}),
    "seconds of the day": (of_day(1), False, {}),
    "ms of the day": (of_day(0.001), False, {}),
}


# positions: columns of one end, by prefix


def dms(value: float, signs: str) -> str:
    """Return degrees, minutes and seconds."""
    degrees, rest = divmod(abs(value), 1)
    minutes, rest = divmod(rest * 60, 1)
    return f"{int(degrees)}°{int(minutes):02d}'{rest * 60:07.4f}\"{signs[value < 0]}"


def wkb(lon: float, lat: float) -> str:
    """Return a point as hexadecimal WKB."""
    import shapely

    return str(shapely.Point(lon, lat).wkb_hex)


def cell(lon: float, lat: float) -> str:
    """Return a fine H3 cell."""
    import h3

    return str(h3.latlng_to_cell(lat, lon, 11))


POSITIONS: dict[str, tuple[Callable[[str, float, float], dict[str, str]], dict[str, Any]]] = {
    "degrees": (lambda end, x, y: {f"{end}_lon": f"{x:.6f}", f"{end}_lat": f"{y:.6f}"}, {}),
    "decimal commas": (lambda end, x, y: {f"{end}_lon": f"{x:.6f}".replace(".", ","), f"{end}_lat": f"{y:.6f}".replace(".", ",")}, {}),
    "micro-degrees": (lambda end, x, y: {f"{end}_lon": str(round(x * 1e6)), f"{end}_lat": str(round(y * 1e6))}, {}),
    "degrees, minutes, seconds": (lambda end, x, y: {f"{end}_lon": dms(x, "EW"), f"{end}_lat": dms(y, "NS")}, {}),
    "WKT": (lambda end, x, y: {f"{end}_position": f"POINT ({x:.6f} {y:.6f})"}, {}),
    "WKB": (lambda end, x, y: {f"{end}_position": wkb(x, y)}, {}),
    "H3": (lambda end, x, y: {f"{end}_cell": cell(x, y)}, {}),
    "latitude first": (lambda end, x, y: {f"{end}_lat": f"{y:.6f}", f"{end}_lon": f"{x:.6f}"}, {}),
}


# files


def as_csv(table: pd.DataFrame, separator: str = ",", **how: Any) -> bytes:  # noqa: ANN401 - what pandas takes
    """Return a table as text."""
    return table.to_csv(index=False, sep=separator, **how).encode()


def zipped(table: pd.DataFrame) -> bytes:
    """Return a table as a text in an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("rides.csv", as_csv(table))
        archive.writestr("__MACOSX/._rides.csv", b"\x00\x05")
    return buffer.getvalue()


def binary(table: pd.DataFrame, write: str) -> bytes:
    """Return a table in a format of pandas."""
    buffer = io.BytesIO()
    getattr(table, write)(buffer, **({"index": False} if write != "to_feather" else {}))
    return buffer.getvalue()


FILES: dict[str, tuple[str, Callable[[pd.DataFrame], bytes]]] = {
    "commas": ("rides.csv", as_csv),
    "commas, quoted": ("rides.csv", lambda t: as_csv(t, quoting=1)),
    "semicolons": ("rides.csv", lambda t: as_csv(t, ";")),
    "tabs": ("rides.tsv", lambda t: as_csv(t, "\t")),
    "bars": ("rides.txt", lambda t: as_csv(t, "|")),
    "carriage returns": ("rides.csv", lambda t: as_csv(t, lineterminator="\r\n")),
    "a byte order mark": ("rides.csv", lambda t: b"\xef\xbb\xbf" + as_csv(t)),
    "UTF-16": ("rides.csv", lambda t: as_csv(t).decode().encode("utf-16")),
    "gzip": ("rides.csv.gz", lambda t: gzip.compress(as_csv(t))),
    "zip": ("rides.zip", zipped),
    "a comment": ("rides.csv", lambda t: b"# exported\n" + as_csv(t)),
    "sep=": ("rides.csv", lambda t: b"sep=;\r\n" + as_csv(t, ";")),
    "Parquet": ("rides.parquet", lambda t: binary(t, "to_parquet")),
    "Feather": ("rides.feather", lambda t: binary(t, "to_feather")),
    "JSON lines": ("rides.jsonl", lambda t: "".join(json.dumps(row) + "\n" for row in t.to_dict("records")).encode()),
    "a sheet": ("rides.xlsx", lambda t: binary(t, "to_excel")),
}

COMMON = ("ISO", "degrees", "commas")
"""Dress of the plainest file, which most draws change in one or two places only."""


@dataclass(frozen=True)
class Dressed:
    """A file, the options that go with it, and what must be counted: people by hour, 00 to 04."""

    dress: tuple[str, ...]
    name: str
    data: bytes
    options: dict[str, Any]
    by_hour: tuple[int, ...]


def dressed(rng: random.Random) -> Dressed:
    """Draw rides and a dress."""
    parts = zip((TIMES, POSITIONS, FILES), COMMON, strict=True)
    return in_dress(rng, tuple(rng.choice(list(names)) if rng.random() < 0.6 else common for names, common in parts))


def in_dress(rng: random.Random, dress: tuple[str, ...]) -> Dressed:
    """Draw rides and write them in a dress."""
    made = rides(rng)
    write_time, _, time_options = TIMES[dress[0]]
    write_place, place_options = POSITIONS[dress[1]]
    rows = [
        {"pickup_time": write_time(ride.start), "dropoff_time": write_time(ride.end)}
        | write_place("origin", *ride.origin)
        | write_place("destination", *ride.destination)
        for ride in made
    ]
    name, write = FILES[dress[2]]
    by_hour = tuple(sum(ride.start.hour == hour for ride in made) for hour in range(5))
    return Dressed(dress, name, write(pd.DataFrame(rows)), time_options | place_options, by_hour)


def counted(dress: Dressed, folder: Path) -> tuple[int, ...]:
    """Return people by hour as they are counted; a file that is refused raises an `OwlbusError`."""
    file = folder / dress.name
    file.write_bytes(dress.data)
    demand, report = estimate_demand([file], grid(), **dress.options)
    assert report.rows_in == report.rows_counted + report.rows_rejected
    people = [float(demand.presence[demand.presence_hour == hour].sum()) for hour in range(24, 29)]
    return tuple(round(value) for value in people)


def main(words: Sequence[str]) -> int:
    """Hand in many files and say what became of them, by the part of the dress."""
    number, seed = int(words[0]), int(words[1]) if len(words) > 1 else 0
    ends: Counter[str] = Counter()
    refusals: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as place:
        for turn in range(seed, seed + number):
            file = dressed(random.Random(turn))  # noqa: S311 - the same files from the same seed
            try:
                taken = counted(file, Path(place))
            except OwlbusError as error:
                ends["refused"] += 1
                for part, common in zip(file.dress, COMMON, strict=True):
                    if part != common:
                        refusals[part, str(error)[:110]] += 1
                continue
            ends["read" if taken == file.by_hour else "WRONG"] += 1
            if taken != file.by_hour:
                sys.stdout.write(f"{turn}: {file.dress} counts {taken}, must {file.by_hour}\n")
    for (part, text), times in refusals.most_common(60):
        sys.stdout.write(f"{times:5} {part}: {text}\n")
    sys.stdout.write(f"{number:,} files: {dict(ends)}\n")
    return 1 if ends["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
