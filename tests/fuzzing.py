"""Broken inputs on purpose: small valid files, ways to spoil them, and the doors that they are handed in at."""

from __future__ import annotations

import contextlib
import copy
import faulthandler
import gzip
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from owlbus.cli.app import make_app, run
from owlbus.common.errors import OwlbusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network

MOST_S, MOST_MB = 10.0, 1024
CODES = {0, 1, 2, 3, 4, 5}
RING = [[127.00, 37.50], [127.04, 37.50], [127.04, 37.53], [127.00, 37.53], [127.00, 37.50]]

ODD_TEXT = (
    "", " ", '"', "'", '""', "nan", "NaN", "inf", "-inf", "1e309", "-1", "0", "-0.0", "1e-320", "9" * 40, "1" * 400, "0x1F",
    "1_000", "\uff11\uff12",
    "180", "180.0000001", "-181", "90", "91", "25:10:00", "99:99:99", "2013-02-30 01:10:00", "2013-03-12T01:10:00Z", "9999-12-31 23:59:59",
    "0000-00-00", "-5:00:00", "=1+1", "@x", "+x", "\t", "<b>x</b>", "é", "\u202e", "\ufeff", "\x00", "\x1b[31m", "a" * 70_000,
    "../../etc/passwd",
    "true", "null", "None", "{}", "[]", "2147483648", "9223372036854775808", "-9223372036854775809", "1,2", "1;2", "a\nb", "\r",
    "0.1e1", "1e18",
)  # fmt: skip
ODD_BYTES = (
    b"\x00", b'"', b"\n", b"\r", b"\r\n", b",", b";", b"\t", b"|", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\x1f\x8b",
    b"PAR1", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"nan", b"1e309", b"-", b".", b"9" * 30, b"\n\n\n", b'"\n"', b"[" * 3000,
    b'{"a":' * 500,
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), "",
    "x", "deep", "é\u202e", "a" * 70_000,
    [], {}, [[]], [None], {"a": None}, [0, 1], [127.0, 37.5], [[127.0, 37.5]], [127.0], ["a", "b"], {"type": "Point"},
    [[[127, 37], [128, 38]]],
    [[1e308, 1e308], [-1e308, 1e308], [0, -1e308]], [[179.9, 89.9], [-179.9, 89.9], [0, -89.9]],
)  # fmt: skip


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with one to four small accidents."""
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randint(0, len(data)), rng.choice([1, 2, 3, 8, 40])
        part = data[at : at + length]
        data = rng.choice(
            [
                data[:at] + rng.choice(ODD_BYTES) + data[at:],
                data[:at] + data[at + length :],
                data[:at] + part * rng.choice([2, 3, 50]) + data[at + length :],
                data[:at] + bytes(byte ^ (1 << rng.randint(0, 7)) for byte in part) + data[at + length :],
                data[:at],
                data[:at] + rng.choice(ODD_BYTES) + data[at + length :],
            ]
        )
    return data


def spoil_csv(rng: random.Random, data: bytes) -> bytes:
    """Return a table with odd fields, columns, rows or separators."""
    rows = [line.split(",") for line in data.decode("utf-8", "replace").splitlines()]
    for _ in range(rng.randint(1, 3)):
        _spoil_rows(rng, rows)
    separator, ending = rng.choice([*[","] * 12, ";", "\t", "|", " "]), rng.choice([*["\n"] * 8, "\r\n", "\r"])
    text = ending.join(separator.join(row) for row in rows) + rng.choice(["", ending])
    return text.encode(rng.choice([*["utf-8"] * 12, "utf-8-sig", "utf-16"]), "surrogatepass")


def _spoil_rows(rng: random.Random, rows: list[list[str]]) -> None:
    """Spoil a table in place, once."""
    if not rows:
        return
    way, row = rng.randint(0, 8), rng.choice(rows)
    place = rng.randint(0, max(0, len(row) - 1))
    if way <= 1 and row:
        row[place] = rng.choice(ODD_TEXT)
    elif way <= 3 and row:
        with contextlib.suppress(ValueError):
            row[place] = str(float(row[place]) * rng.choice([-1, 0, 0.999, 1.0001, 1.01, 2, 1e6, 1e-6]))
    elif way == 4:
        for each in rows:
            del each[place : place + 1]
    elif way == 5:
        row.insert(place, rng.choice(ODD_TEXT))
    elif way == 6:
        rows.insert(rng.randint(0, len(rows)), list(rng.choice(rows)))
    elif way == 7:
        del rows[rng.randint(0, len(rows) - 1)]
    else:
        value = rng.choice(ODD_TEXT)
        for each in rows[1:]:
            each[place : place + 1] = [value]


def spoil_json(rng: random.Random, data: bytes) -> bytes:
    """Return JSON with odd values, lacking or further members."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return spoil_bytes(rng, data)
    for _ in range(rng.randint(1, 3)):
        spots = list(_spots(content))
        if not spots or rng.random() < 0.02:
            content = _odd(rng, content)
            continue
        within, key = rng.choice(spots)
        if rng.random() < 0.15:
            del within[key]
        elif isinstance(within, list) and rng.random() < 0.15:
            within.append(copy.deepcopy(within[key]))
        else:
            within[key] = _odd(rng, within[key])
    return json.dumps(content).replace('"deep"', "[" * 5_000 + "]" * 5_000).encode()


def _spots(content: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any value of JSON
    """Yield every container of a JSON value with every key in it."""
    for key in list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield content, key
        yield from _spots(content[key])


def _odd(rng: random.Random, content: Any) -> Any:  # noqa: ANN401 - any value of JSON
    """Return something odd in place of a value; a number is often another one."""
    if isinstance(content, int | float) and rng.random() < 0.7:
        return content * rng.choice([-1, 0, 0.5, 0.999, 1.001, 2, 10, 1e6, 1e-6]) if abs(content) < 1e300 else 0
    return copy.deepcopy(rng.choice(ODD_VALUES))


def spoil_zip(rng: random.Random, data: bytes) -> bytes:
    """Return a zip with spoilt, lacking, renamed or doubled members."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [(name, archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return spoil_bytes(rng, data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(members) - 1)
        name, content = members[at]
        way = rng.randint(0, 6)
        if way <= 3:
            members[at] = name, rng.choice([spoil_csv, spoil_csv, spoil_bytes])(rng, content)
        elif way == 4:
            members[at] = rng.choice(["../" + name, "/" + name, "a/" + name, name.upper(), "x" * 300, "stops.txt", "."]), content
        elif way == 5 and len(members) > 1:
            del members[at]
        else:
            members.append((name, content))
    return zipped(members, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))


def spoil_parquet(rng: random.Random, data: bytes) -> bytes:
    """Return a Parquet file with columns of other types, odd values, lacking columns or spoilt metadata."""
    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError):
        return spoil_bytes(rng, data)
    for _ in range(rng.randint(1, 2)):
        table = _spoil_table(rng, table)
    out = io.BytesIO()
    try:
        pq.write_table(table, out, compression=rng.choice(["zstd", "snappy", "gzip", "none"]))
    except (pa.ArrowException, OSError):
        return spoil_bytes(rng, data)
    return out.getvalue()


def _spoil_table(rng: random.Random, table: pa.Table) -> pa.Table:  # noqa: PLR0911 - one way of spoiling each
    """Return a table that is spoilt once."""
    if not table.num_columns:
        return table
    way, place = rng.randint(0, 6), rng.randint(0, table.num_columns - 1)
    name, n = table.column_names[place], table.num_rows
    if way == 0:
        return table.remove_column(place)
    if way == 1:
        return table.slice(0, rng.choice([0, 1, n // 2]))
    if way == 2:
        meta = dict(table.schema.metadata or {})
        for key in list(meta):
            meta[key] = rng.choice([spoil_json, spoil_json, spoil_bytes])(rng, meta[key])
        return table.replace_schema_metadata(meta)
    if way == 3:
        return table.rename_columns([rng.choice(ODD_TEXT[:40]) if k == place else other for k, other in enumerate(table.column_names)])
    with contextlib.suppress(pa.ArrowException, OverflowError, ValueError, TypeError):
        if way == 4:
            kind = rng.choice(
                [pa.string(), pa.float32(), pa.int8(), pa.int64(), pa.bool_(), pa.timestamp("ns"), pa.date32(), pa.binary(), pa.null()]
            )
            return table.set_column(place, name, table[name].cast(kind, safe=False))
        values = table[name].to_pylist()
        for _ in range(rng.randint(1, 3)):
            if values:
                values[rng.randint(0, n - 1)] = rng.choice(
                    [None, 0, -1, 2**31 - 1, -(2**31), float("nan"), float("inf"), 1e308, -1e-320, "", "x", []]
                )
        return table.set_column(place, name, pa.array(values, table[name].type))
    return table.set_column(place, name, pa.array([rng.choice(["x", "", None])] * n, pa.string()))


def packed(rng: random.Random, data: bytes) -> bytes:
    """Return bytes as gzip or zstd."""
    return gzip.compress(data) if rng.random() < 0.5 else pa.compress(data, codec="zstd", asbytes=True)


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of named members; names may repeat."""
    import warnings

    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


# --- small valid inputs -------------------------------------------------------------------------------------------------------------------


def calls_csv(rows: int = 12) -> bytes:
    """Return calls of a small town."""
    rng = np.random.default_rng(3)
    lines = ["time,lon,lat,home_lon,home_lat"]
    for row in range(rows):
        lon, to_lon = rng.uniform(127.0, 127.04, 2)
        lat, to_lat = rng.uniform(37.5, 37.53, 2)
        lines.append(f"2013-03-1{row % 3 + 1} 0{row % 5}:10:00,{lon:.5f},{lat:.5f},{to_lon:.5f},{to_lat:.5f}")
    return ("\n".join(lines) + "\n").encode()


def subscribers_csv() -> bytes:
    """Return calls of a small town with pseudonyms."""
    head, *rows = calls_csv().decode().splitlines()
    return "\n".join([f"{head},subscriber", *(f"{row},s{at % 4}" for at, row in enumerate(rows))]).encode() + b"\n"


def taxi_csv() -> bytes:
    """Return taxi rides of a small town."""
    lines = ["pickup_time,dropoff_time,origin_lon,origin_lat,destination_lon,destination_lat,trips"]
    for row in calls_csv().decode().splitlines()[1:]:
        time_, *ends = row.split(",")
        lines.append(",".join([time_, time_[:-5] + "40:00", *ends, "2"]))
    return ("\n".join(lines) + "\n").encode()


def masts_csv() -> bytes:
    """Return antennas of a small town."""
    return b"antenna_id,lon,lat\nA1,127.01,37.51\nA2,127.02,37.52\nA3,127.03,37.52\n"


CALL_COLUMNS = ("time", "lon", "lat", "home_lon", "home_lat")


def mast_calls_csv() -> bytes:
    """Return calls that name antennas."""
    return b"time,antenna,home_antenna,subscriber\n" + b"".join(
        f"2013-03-12 0{k % 5}:10:00,A{k % 3 + 1},A{k % 2 + 1},s{k}\n".encode() for k in range(9)
    )


def as_parquet(text: bytes) -> bytes:
    """Return a CSV as Parquet."""
    import polars as pl

    out = io.BytesIO()
    pl.read_csv(text, try_parse_dates=True).write_parquet(out)
    return out.getvalue()


def feed(extra: Mapping[str, bytes] | None = None) -> bytes:
    """Return a small GTFS feed."""
    stops = "".join(f"s{k},Stop {k},{37.505 + 0.004 * k:.4f},{127.005 + 0.006 * k:.4f},\n" for k in range(5))
    rides = [(t, 24 + t, k, k if t % 2 else 4 - k) for t in range(3) for k in range(5)]
    times = "".join(f"t{t},{hour}:{5 * k:02d}:00,{hour}:{5 * k:02d}:30,s{stop},{k}\n" for t, hour, k, stop in rides)
    tables = {
        "agency.txt": b"agency_id,agency_name,agency_url,agency_timezone\na,A,http://a.example,Asia/Seoul\n",
        "stops.txt": f"stop_id,stop_name,stop_lat,stop_lon,parent_station\n{stops}".encode(),
        "routes.txt": b"route_id,route_type,route_short_name\nr,3,N1\n",
        "trips.txt": b"route_id,service_id,trip_id,shape_id\n" + b"".join(f"r,d,t{t},sh\n".encode() for t in range(3)),
        "stop_times.txt": f"trip_id,arrival_time,departure_time,stop_id,stop_sequence\n{times}".encode(),
        "shapes.txt": b"shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\n"
        + b"".join(f"sh,{37.505 + 0.004 * k:.4f},{127.005 + 0.006 * k:.4f},{k}\n".encode() for k in range(5)),
        "frequencies.txt": b"trip_id,start_time,end_time,headway_secs\nt0,00:00:00,04:00:00,1800\n",
    }
    return zipped(list((tables | dict(extra or {})).items()))


def nodes_csv() -> bytes:
    """Return road nodes."""
    return b"node_id,lon,lat\n" + b"".join(
        f"n{k},{127.005 + 0.006 * (k % 5):.4f},{37.505 + 0.008 * (k // 5):.4f}\n".encode() for k in range(15)
    )


def links_csv() -> bytes:
    """Return road links between neighbours, both ways."""
    ways = [(k, k + 1) for k in range(14) if k % 5 != 4] + [(k, k + 5) for k in range(10)]
    rows = "".join(f"n{a},n{b},700,10\n" for pair in ways for a, b in (pair, pair[::-1]))
    return f"from_node,to_node,length_m,freespeed_m_per_s\n{rows}".encode()


def stops_csv() -> bytes:
    """Return stops."""
    return b"lon,lat,name\n127.005,37.505,One\n127.017,37.513,Two\n127.029,37.521,Three\n"


def area_json() -> bytes:
    """Return the outline as a feature collection."""
    parts = [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [RING]}}]
    return json.dumps({"type": "FeatureCollection", "features": parts}).encode()


def area_csv() -> bytes:
    """Return the outline as corners."""
    return b"lon,lat\n" + "".join(f"{lon},{lat}\n" for lon, lat in RING).encode()


def plan_json() -> bytes:
    """Return a plan of two routes."""
    lines = [[[127.005, 37.505], [127.017, 37.513], [127.035, 37.525]], [[127.035, 37.505], [127.005, 37.525]]]
    features = [
        {"type": "Feature", "properties": {"name": f"N{k}", "stops": None}, "geometry": {"type": "LineString", "coordinates": line}}
        for k, line in enumerate(lines)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def plan_csv() -> bytes:
    """Return a plan as a table."""
    return b"route,sequence,lon,lat\nA,1,127.005,37.505\nA,2,127.035,37.525\nB,1,127.035,37.505\nB,2,127.005,37.525\n"


def streets_osm() -> bytes:
    """Return an extract with a grid of streets, as XML."""
    nodes = "".join(
        f'<node id="{k + 1}" version="1" lat="{37.505 + 0.008 * (k // 5):.4f}" lon="{127.005 + 0.006 * (k % 5):.4f}"/>' for k in range(15)
    )
    lines = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15], [1, 6, 11], [3, 8, 13], [5, 10, 15]]
    ways = "".join(
        f'<way id="{k + 1}" version="1">{"".join(f"<nd ref={chr(34)}{n}{chr(34)}/>" for n in line)}'
        '<tag k="highway" v="secondary"/><tag k="name" v="Road"/><tag k="maxspeed" v="50"/></way>'
        for k, line in enumerate(lines)
    )
    rule = (
        '<relation id="1" version="1"><member type="way" ref="1" role="from"/><member type="node" ref="3" role="via"/>'
        '<member type="way" ref="5" role="to"/><tag k="type" v="restriction"/><tag k="restriction" v="no_left_turn"/></relation>'
    )
    return f'<?xml version="1.0"?><osm version="0.6">{nodes}{ways}{rule}</osm>'.encode()


def share_csv() -> bytes:
    """Return market shares by place."""
    return b"lon,lat,share\n127.01,37.51,0.4\n127.03,37.52,0.5\n"


@cache
def made_run() -> bytes:
    """Return a whole run directory, as a zip."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = [at(folder, "calls.csv", calls_csv(200)), "--area", at(folder, "area.csv", area_csv()), "--out", str(folder / "run")]
        assert command(["plan", *words, "--routes", "2", "--steps", "200", "-q"]) == 0
        made = folder / "run"
        return zipped([(file.relative_to(made).as_posix(), file.read_bytes()) for file in sorted(made.rglob("*")) if file.is_file()])


def spoil_run(rng: random.Random, data: bytes) -> bytes:
    """Return a run directory with one or two spoilt or lacking files."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    files = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(sorted(name for name in files if name.endswith((".parquet", "json"))))
        ways = {"parquet": (spoil_parquet, spoil_parquet, spoil_bytes)}.get(name.rpartition(".")[2], (spoil_json, spoil_json, spoil_bytes))
        files[name] = rng.choice(ways)(rng, files[name])
        if rng.random() < 0.05 and len(files) > 3:
            del files[name]
    return zipped(list(files.items()), zipfile.ZIP_STORED)


def unpacked(folder: Path, data: bytes) -> Path:
    """Return a folder with the files of a zip that was made here."""
    target = folder / "run"
    shutil.rmtree(target, ignore_errors=True)
    zipfile.ZipFile(io.BytesIO(data)).extractall(target)
    return target


def read_folder(folder: Path, data: bytes) -> None:
    """Read a run directory."""
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.pipeline import read_study
    from owlbus.pipeline.rundir import check_run
    from owlbus.plan import read_plan

    made = unpacked(folder, data)
    check_run(made)
    HexGrid.read(made / "grid.parquet")
    read_plan(made / "plan.geojson", read_study(made).network)


def report_folder(folder: Path, data: bytes) -> int:
    """Write the report of a run directory again."""
    return command(["report", str(unpacked(folder, data))])


def score_folder(folder: Path, data: bytes) -> int:
    """Score the plan of a run directory again."""
    made = unpacked(folder, data)
    return command(["score", str(made / "plan.geojson"), "--run", str(made), "--json", "-q"])


def explain_folder(folder: Path, data: bytes) -> int:
    """Ask a question on a run directory."""
    made = unpacked(folder, data)
    return command(["explain", str(made / "plan.geojson"), "missing", "--run", str(made), "--json", "-q"])


def spoil_words(rng: random.Random, data: bytes) -> bytes:
    """Return words of a command line, drawn from a grammar."""
    del data
    words = [rng.choice(["demand", "plan", "score", "network", "synth", "sweep", "compare", "timetable", "improve", "explain", "report"])]
    for _ in range(rng.randint(1, 4)):
        words += [f"--{rng.choice(option_names())}", *([rng.choice(ODD_WORDS)] if rng.random() < 0.9 else [])]
    return "\0".join(words).encode("utf-8", "surrogatepass")


def give_words(folder: Path, data: bytes) -> int:
    """Run a command with these words."""
    words, here = data.decode("utf-8", "surrogatepass").split("\0"), Path.cwd()
    os.chdir(folder)
    try:
        return command([*words, "--out", str(folder / "nowhere" / "x")] if words[0] == "synth" else words)
    finally:
        os.chdir(here)


ODD_WORDS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1", "2", "1e308", "1e-320", "9" * 30, "x", "-", "--", "00-05", "24-00", "99-99",
    "5-5", "lon=x", "=",
    "é", "../x", "/", ".", "true", "a,b", "1,2,3", "network:nan", "mean", "0.5", "\udcff", "*", "[", "1..3", "1-3", "3-1", "0:0:0",
)  # fmt: skip
TOML = b'routes = 2\nseed = 1\nwindow = "00-05"\n[demand]\nradius = 500\nmap = { lon = "lon" }\n'


@cache
def option_names() -> tuple[str, ...]:
    """Return the names of all options of all commands."""
    import typer

    commands = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]
    names = {name.lstrip("-") for sub in commands.values() for param in sub.params for name in param.opts if name.startswith("--")}
    return tuple(sorted(names - {"help", "version", "out", "scheduler", "config", "city", "verbose"}))


ODD_TOML = (
    "0", "-1", "1", "nan", "inf", "-inf", "1e308", "9223372036854775807", "9" * 60, "9" * 400, "true", "false", '"x"', '""',
    "'500'", "[]", "[[]]", "{}", "[1, 2]",
    '["lon=x"]', "{ lon = 1 }", "{ a = { b = 1 } }", "1979-05-27T07:32:00Z", "1979-05-27", "07:32:00", '"00-05"', '"nan"', "0x1F",
    "1_000", '"\\u0000"',
    "[{}]", '"=1"', "0.5", "2", '"lon=lon"', "['a', 1]", '"-"', "",
)  # fmt: skip


def spoil_toml(rng: random.Random, data: bytes) -> bytes:
    """Return a configuration drawn from a grammar, or a spoilt one."""
    if rng.random() < 0.2:
        return spoil_bytes(rng, data)
    lines = []
    for _ in range(rng.randint(1, 5)):
        if rng.random() < 0.25:
            lines.append(rng.choice(["[plan]", "[demand]", "[nothing]", "[demand.map]", "[[demand]]", "[map]", "[]", "[score]"]))
        key = rng.choice([*option_names(), "map", "unknown", '"é"', '""', "a.b", "radius"])
        lines.append(f"{key} = {rng.choice(ODD_TOML)}")
    return "\n".join(lines).encode()


# --- doors --------------------------------------------------------------------------------------------------------------------------------


@cache
def town() -> HexGrid:
    """Return the grid of a small town."""
    from owlbus.grid.hexgrid import HexGrid

    return HexGrid.cover(RING)


@cache
def streets() -> Network:
    """Return the lattice of a small town."""
    from owlbus.network import Network

    return Network.from_lattice(town())


@dataclass(frozen=True)
class Door:
    """
    Where an input is handed in.

    Attributes
    ----------
    name
        What it is called.
    seed
        A valid input.
    spoil
        Ways to spoil it.
    enter
        Takes the folder and the spoilt bytes; gives the exit code where a command was run.
    """

    name: str
    seed: Callable[[], bytes]
    spoil: tuple[Callable[[random.Random, bytes], bytes], ...]
    enter: Callable[[Path, bytes], int | None]

    def drawn(self, rng: random.Random) -> bytes:
        """Return a spoilt input."""
        return rng.choice(self.spoil)(rng, self.seed())


def at(folder: Path, name: str, data: bytes) -> str:
    """Return the name of a file with these bytes."""
    (folder / name).write_bytes(data)
    return str(folder / name)


def count_records(folder: Path, data: bytes, name: str = "records.bin", masts: str | None = None) -> None:
    """Estimate demand, with rejected rows kept."""
    from owlbus.demand import estimate_demand

    estimate_demand([at(folder, name, data)], town(), rejected=folder / "rejected.parquet", masts=masts)


ODD_COLUMNS = (*CALL_COLUMNS, "subscriber", "trips", "date", "zone", "home_zone", "x", "", "é", "time ", "TIME")
ODD_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%H:%M",
    "%d/%m/%Y %H:%M",
    "%q",
    "%",
    "hour",
    "HHMM",
    "hhmmss",
    "excel",
    "epoch",
    "epoch-ms",
    "",
    "x",
    "%Y",
)
ODD_SYSTEMS = ("EPSG:4326", "EPSG:25833", "EPSG:5179", "EPSG:0", "EPSG:99999999", "x", "", "+proj=utm +zone=52", "OGC:CRS84")


def drawn_options(rng: random.Random) -> dict[str, Any]:
    """Return a column map and other options of a read, drawn from a grammar."""
    columns = {rng.choice(ODD_COLUMNS): rng.choice(ODD_COLUMNS) for _ in range(rng.randint(0, 3))}
    options: dict[str, Any] = {"columns": columns}
    for name, values in (("time_format", ODD_FORMATS), ("date_order", ("DMY", "MDY", "YMD", "")), ("crs", ODD_SYSTEMS)):
        if rng.random() < 0.25:
            options[name] = rng.choice(values)
    if rng.random() < 0.2:
        options["timezone"] = rng.choice(["Asia/Seoul", "UTC", "Mars", ""])
    return options


def with_options(options: dict[str, Any], data: bytes) -> bytes:
    """Return options of a read and a file as one input: JSON, a zero byte, the file."""
    return json.dumps(options).encode() + b"\0" + data


def spoil_options(rng: random.Random, data: bytes) -> bytes:
    """Return other options, or a spoilt file, or both."""
    _, _, file = data.partition(b"\0")
    spoilt = rng.choice([spoil_csv, spoil_bytes])(rng, file) if rng.random() < 0.5 else file
    return with_options(drawn_options(rng), spoilt)


def count_with_options(folder: Path, data: bytes, zones: bytes | None = None) -> None:
    """Estimate demand with a column map and other options of a read."""
    from owlbus.demand import estimate_demand

    head, _, file = data.partition(b"\0")
    try:
        options = json.loads(head)
    except (ValueError, RecursionError):
        options = {}
    known = ("columns", "time_format", "date_order", "crs", "timezone")
    given = {name: options[name] for name in known if name in options} if isinstance(options, dict) else {}
    is_typed = all(isinstance(value, dict if name == "columns" else str) for name, value in given.items())
    is_typed = is_typed and all(isinstance(column, str) for column in given.get("columns", {}).values())
    if zones is not None:
        given["zones"] = at(folder, "zones.geojson", zones)
    estimate_demand([at(folder, "records.csv", file)], town(), rejected=folder / "rejected.parquet", **(given if is_typed else {}))


def zones_json() -> bytes:
    """Return four zones of a small town."""
    features = []
    for k in range(4):
        lon, lat = 127.0 + 0.02 * (k % 2), 37.5 + 0.015 * (k // 2)
        ring = [[lon, lat], [lon + 0.02, lat], [lon + 0.02, lat + 0.015], [lon, lat + 0.015], [lon, lat]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"zone_id": str(k + 1)}, "geometry": geometry})
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def zone_calls_csv() -> bytes:
    """Return calls that name zones."""
    rows = "".join(f"2013-03-12 0{k % 5}:10:0{k},{k % 4 + 1},{(k + 1) % 4 + 1}\n" for k in range(9))
    return f"time,zone,home_zone\n{rows}".encode()


def count_zones(folder: Path, data: bytes) -> None:
    """Estimate demand of calls with spoilt zones."""
    count_with_options(folder, with_options({}, zone_calls_csv()), data)


def as_sheet(text: bytes) -> bytes:
    """Return a CSV as a spreadsheet."""
    import polars as pl

    out = io.BytesIO()
    pl.read_csv(text, infer_schema=False).write_excel(out)
    return out.getvalue()


def as_arrow(text: bytes) -> bytes:
    """Return a CSV as an Arrow file."""
    import polars as pl

    out = io.BytesIO()
    pl.read_csv(text, try_parse_dates=True).write_ipc(out)
    return out.getvalue()


def as_json(text: bytes, *, is_lines: bool) -> bytes:
    """Return a CSV as JSON lines, or as an array."""
    import polars as pl

    frame = pl.read_csv(text)
    return frame.write_ndjson().encode() if is_lines else frame.write_json().encode()


def spoil_json_lines(rng: random.Random, data: bytes) -> bytes:
    """Return JSON lines of which some are spoilt."""
    return b"\n".join(spoil_json(rng, line) if line and rng.random() < 0.2 else line for line in data.split(b"\n"))


def spoil_text(rng: random.Random, data: bytes) -> bytes:
    """Return a text below titles, above footers, in any encoding and separator."""
    text = data.decode("utf-8", "replace").replace(",", rng.choice([",", ",", ";", "\t", "|"]))
    if rng.random() < 0.5:
        text = "".join(f"{rng.choice(ODD_TITLES)}\n" for _ in range(rng.randint(1, 4))) + text
    if rng.random() < 0.5:
        text += "".join(f"{rng.choice(ODD_TITLES)}\n" for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.2:
        text = text.replace("\n", "\r")
    encoding = rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp949", "cp1252"])
    spoilt = text.encode(encoding, "replace")
    return spoil_bytes(rng, spoilt) if rng.random() < 0.5 else spoilt


ODD_TITLES = (
    "Calls of the city", "a, b, c, d, e, f, g", "# time,lon,lat", "sep=;", "sep=,", '"sep=\t"', "", " ", "Total,12", "(12 rows)", "서울",
    'an "inch', "1,2,3,4,5", "time,lon,lat,home_lon,home_lat", ",,,,", ",,,,,,,", "{", "[{", "é;é;é",
)  # fmt: skip


def count_packed(folder: Path, data: bytes) -> None:
    """Estimate demand of a packed text."""
    count_records(folder, data, "records.csv.gz")


def count_stream(folder: Path, data: bytes) -> None:
    """Estimate demand of what comes on standard input."""
    from owlbus.demand import estimate_demand

    del folder
    stream, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        estimate_demand(["-"], town())
    finally:
        sys.stdin = stream


def outline_records(folder: Path, data: bytes) -> None:
    """Draw an outline around records, and lay hexes over it."""
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.records.infer_outline import outline_of_records

    HexGrid.cover(outline_of_records([at(folder, "records.csv", data)]))


def lay_area(folder: Path, data: bytes) -> None:
    """Lay hexes over an outline."""
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.outline import read_area

    HexGrid.cover(read_area(at(folder, "area.geojson", data)))


def lay_h3(folder: Path, data: bytes) -> None:
    """Lay H3 cells over an outline."""
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.grid.outline import read_area

    HexGrid.from_h3(read_area(at(folder, "area.geojson", data)))


def read_feed(folder: Path, data: bytes) -> None:
    """Make a network of a feed."""
    from owlbus.network import Network

    Network.from_gtfs(at(folder, "feed.zip", data), town())


def read_feed_alone(folder: Path, data: bytes) -> None:
    """Make a network of a feed, with hexes around its stops."""
    from owlbus.network import Network

    Network.from_gtfs(at(folder, "feed.zip", data), None)


def read_nodes(folder: Path, data: bytes) -> None:
    """Make a network of spoilt nodes."""
    from owlbus.network import Network

    Network.from_tables(at(folder, "nodes.csv", data), at(folder, "links.csv", links_csv()), town())


def read_links(folder: Path, data: bytes) -> None:
    """Make a network of spoilt links."""
    from owlbus.network import Network

    Network.from_tables(at(folder, "nodes.csv", nodes_csv()), at(folder, "links.csv", data), town())


def read_stops(folder: Path, data: bytes) -> None:
    """Make a network of spoilt stops."""
    from owlbus.network import Network

    Network.from_tables(at(folder, "nodes.csv", nodes_csv()), at(folder, "links.csv", links_csv()), town(), at(folder, "stops.csv", data))


def read_extract(folder: Path, data: bytes) -> None:
    """Make a network of an extract in XML."""
    from owlbus.network import Network

    Network.from_osm(at(folder, "town.osm", data), town())


def read_routes(folder: Path, data: bytes) -> None:
    """Read a plan."""
    from owlbus.plan import read_plan

    read_plan(at(folder, "plan.geojson", data), streets())


def plan_feed() -> bytes:
    """Return a plan as a feed."""
    return zipfile.ZipFile(io.BytesIO(made_run())).read("gtfs.zip")


def read_plan_feed(folder: Path, data: bytes) -> None:
    """Read a plan from a feed."""
    from owlbus.gtfs import read_gtfs

    read_gtfs(at(folder, "plan.zip", data), streets())


def count_masts(folder: Path, data: bytes) -> None:
    """Estimate demand of calls with spoilt antennas."""
    count_records(folder, mast_calls_csv(), "calls.csv", masts=at(folder, "masts.csv", data))


def read_shares(folder: Path, data: bytes) -> None:
    """Read market shares."""
    from owlbus.demand.market_share import read_market_share

    read_market_share(at(folder, "share.csv", data), town(), {"One": (127.01, 37.51), "Two": (127.03, 37.52)})


def configure(folder: Path, data: bytes) -> int:
    """Run a command that reads its defaults from a file."""
    config, calls, area = at(folder, "owlbus.toml", data), at(folder, "calls.csv", calls_csv()), at(folder, "area.csv", area_csv())
    return command(["demand", "--check", calls, "--area", area, "--config", config])


def demand_command(folder: Path, data: bytes) -> int:
    """Estimate demand on the command line, and keep it."""
    words = ["demand", at(folder, "calls.csv", data), "--area", at(folder, "area.csv", area_csv()), "--json", "-q"]
    return command([*words, "--out", str(folder / "kept")])


def feed_command(folder: Path, data: bytes) -> int:
    """Make a network of a feed on the command line."""
    return command(["network", "--gtfs", at(folder, "feed.zip", data), "--area", at(folder, "area.csv", area_csv()), "--json", "-q"])


def command(words: list[str]) -> int:
    """Run a command as the program does, and check how it ends and what it says."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    said = err.getvalue()
    assert code in CODES, f"exit code {code}: {said[-600:]}"
    assert "Traceback" not in said, said[-600:]
    if code:
        last = said.splitlines()[-1]
        assert last.startswith("error: "), said[-600:]
        assert len(last) < 1_000, last
    return code


DOORS = (
    Door("calls as text", calls_csv, (spoil_bytes, spoil_csv, spoil_csv), count_records),
    Door("calls of subscribers as text", subscribers_csv, (spoil_bytes, spoil_csv, spoil_csv), count_records),
    Door("taxi rides as text", taxi_csv, (spoil_bytes, spoil_csv, spoil_csv), count_records),
    Door("calls as Parquet", lambda: as_parquet(subscribers_csv()), (spoil_bytes, spoil_parquet, spoil_parquet), count_records),
    Door("taxi rides as Parquet", lambda: as_parquet(taxi_csv()), (spoil_bytes, spoil_parquet, spoil_parquet), count_records),
    Door("calls packed", calls_csv, (lambda r, d: packed(r, spoil_csv(r, d)), lambda r, d: spoil_bytes(r, packed(r, d))), count_packed),
    Door("calls with odd lines and encodings", calls_csv, (spoil_text,), count_records),
    Door(
        "calls with options of a read",
        lambda: with_options({}, calls_csv()),
        (spoil_options, spoil_options, spoil_bytes),
        count_with_options,
    ),
    Door(
        "calls that name zones",
        lambda: with_options({}, zone_calls_csv()),
        (spoil_options, spoil_options, spoil_bytes),
        lambda f, d: count_with_options(f, d, zones_json()),
    ),
    Door("zones", zones_json, (spoil_bytes, spoil_json, spoil_json), count_zones),
    Door("calls in a spreadsheet", lambda: as_sheet(calls_csv()), (spoil_bytes, spoil_zip), count_records),
    Door("calls in an archive", lambda: zipped([("calls.csv", calls_csv())]), (spoil_bytes, spoil_zip), count_records),
    Door("calls as Arrow", lambda: as_arrow(subscribers_csv()), (spoil_bytes,), count_records),
    Door("calls as JSON lines", lambda: as_json(calls_csv(), is_lines=True), (spoil_json_lines, spoil_bytes), count_records),
    Door("calls as a JSON array", lambda: as_json(calls_csv(), is_lines=False), (spoil_json, spoil_json, spoil_bytes), count_records),
    Door("calls on standard input", calls_csv, (spoil_bytes, spoil_csv), count_stream),
    Door("an outline around records", calls_csv, (spoil_bytes, spoil_csv), outline_records),
    Door(
        "calls that name antennas",
        mast_calls_csv,
        (spoil_bytes, spoil_csv),
        lambda f, d: count_records(f, d, masts=at(f, "m.csv", masts_csv())),
    ),
    Door("antennas", masts_csv, (spoil_bytes, spoil_csv), count_masts),
    Door("market shares", share_csv, (spoil_bytes, spoil_csv), read_shares),
    Door("an area as GeoJSON", area_json, (spoil_bytes, spoil_json, spoil_json), lay_area),
    Door("an area in H3", area_json, (spoil_json,), lay_h3),
    Door("an area as a table", area_csv, (spoil_bytes, spoil_csv, spoil_csv), lay_area),
    Door("a feed", feed, (spoil_zip, spoil_zip, spoil_bytes), read_feed),
    Door("a feed without a grid", feed, (spoil_zip,), read_feed_alone),
    Door("nodes", nodes_csv, (spoil_bytes, spoil_csv), read_nodes),
    Door("links", links_csv, (spoil_bytes, spoil_csv), read_links),
    Door("stops", stops_csv, (spoil_bytes, spoil_csv), read_stops),
    Door("an extract", streets_osm, (spoil_bytes,), read_extract),
    Door("a plan as GeoJSON", plan_json, (spoil_bytes, spoil_json, spoil_json), read_routes),
    Door("a plan as a table", plan_csv, (spoil_bytes, spoil_csv), read_routes),
    Door("a plan as a feed", plan_feed, (spoil_zip, spoil_zip, spoil_bytes), read_plan_feed),
    Door(
        "a plan packed", plan_csv, (lambda r, d: spoil_bytes(r, gzip.compress(d)), lambda r, d: gzip.compress(spoil_csv(r, d))), read_routes
    ),
    Door("a run directory", made_run, (spoil_run,), read_folder),
    Door("records on the command line", calls_csv, (spoil_bytes, spoil_csv, spoil_csv), demand_command),
    Door("a feed on the command line", feed, (spoil_zip, spoil_zip, spoil_bytes), feed_command),
    Door("words", lambda: b"", (spoil_words,), give_words),
    Door("a configuration", lambda: TOML, (spoil_toml,), configure),
)


SLOW_DOORS = (
    Door("a report of a run directory", made_run, (spoil_run,), report_folder),
    Door("a score of a run directory", made_run, (spoil_run,), score_folder),
    Door("a question on a run directory", made_run, (spoil_run,), explain_folder),
)
"""Doors behind which much is done."""


def peak_mb() -> float:
    """Return the most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def knock(door: Door, folder: Path, data: bytes) -> str:
    """
    Hand an input in, and hold the door to its promise.

    Returns how it ended: the name of the error class, the exit code of a command, or ``taken``.
    """
    began, before = time.perf_counter(), peak_mb()
    refusal: OwlbusError | None = None
    code: int | None = None
    try:
        code = door.enter(folder, data)
    except OwlbusError as error:
        refusal = error
    if refusal is not None:
        text = str(refusal)
        assert refusal.exit_code in CODES, repr(refusal)
        assert text, "an error says something"
        assert "\n" not in text, text[:400]
        assert len(text) < 1_000, text[:400]
    spent = time.perf_counter() - began
    assert spent < MOST_S, f"{spent:.1f} s"
    assert peak_mb() - before < MOST_MB, f"{peak_mb() - before:.0f} MB more than before"
    if code is not None:
        return f"exit {code}"
    return "taken" if refusal is None else type(refusal).__name__


def main(words: Sequence[str]) -> int:
    """
    Hand in many inputs at every door, and say how they ended.

    The words are the number of inputs a door, a seed, and perhaps part of a door's name. What fails is kept in the current folder.
    """
    number, seed, only = int(words[0]), int(words[1]) if len(words) > 1 else 0, words[2] if len(words) > 2 else ""
    total: Counter[str] = Counter()
    for door in (door for door in DOORS + SLOW_DOORS if only in door.name):
        began, slowest, ends = time.perf_counter(), 0.0, Counter[str]()
        with tempfile.TemporaryDirectory() as place:
            with contextlib.suppress(OwlbusError):
                door.enter(Path(place), door.seed())  # what is compiled on the way does not count
            for turn in range(number if door in DOORS else -(-number // 10)):
                rng = random.Random(f"{door.name}{seed + turn}")  # noqa: S311 - the same inputs from the same seed
                data, entered = door.drawn(rng), time.perf_counter()
                faulthandler.dump_traceback_later(60, exit=True)
                try:
                    ends[knock(door, Path(place), data)] += 1
                except Exception:  # noqa: BLE001 - every one is a finding
                    ends["FOUND"] += 1
                    name = f"found_{door.name.replace(' ', '_')}_{seed + turn}"
                    Path(name + ".bin").write_bytes(data)
                    sys.stdout.write(f"{name}\n{traceback.format_exc()[-1500:]}\n")
                slowest = max(slowest, time.perf_counter() - entered)
        faulthandler.cancel_dump_traceback_later()
        total.update(ends)
        spent = time.perf_counter() - began
        sys.stdout.write(f"{door.name}: {dict(ends)}, {spent:.1f} s, slowest {slowest:.2f} s, peak {peak_mb():.0f} MB\n")
        sys.stdout.flush()
    sys.stdout.write(f"{total.total():,} inputs: {dict(total)}\n")
    return 1 if total["FOUND"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
