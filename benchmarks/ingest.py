"""
Records to counts by hour and hexagon, beside every other way to do it: same file, same answer checked, same two threads.

Run ``python benchmarks/ingest.py`` for a table; ``--write`` also puts it, with a chart, into benchmarks/README.md. The file is drawn by
`owlbus.sample`: it is synthetic. The other tools need ``pip install '.[bench]'``. Slow ways run on its first rows only, and rows per second
are compared.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

THREADS = 2
os.environ.setdefault("POLARS_MAX_THREADS", str(THREADS))

import numpy as np  # noqa: E402 - polars reads the number of threads when it is first imported
import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.csv  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from sections import table, write_section  # noqa: E402

from owlbus.demand import count_records  # noqa: E402
from owlbus.sample import SynthSettings, sample_city, sample_grid  # noqa: E402
from owlbus.sample.partitions import call_partitions  # noqa: E402
from owlbus.sample.records import call_table  # noqa: E402
from owlbus.sample.world import make_world  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ["time", "lon", "lat"]
GRID = sample_grid(sample_city())
ROW_GROUP = 1 << 20
HOUR_MS = 3_600_000
RAW, OURS = "polars, raw decode", "owlbus"
SLOW = {"pandas + pyproj", "geopandas join", "h3-py", "polars-h3"}
Counts = dict[tuple[int, int], int]


def owlbus(path: Path) -> Counts:
    """Count with the library under test."""
    counts = count_records(path, GRID)
    found = np.argwhere(counts.rows)
    hours = counts.nights[found[:, 0]] * 24 + 24 + found[:, 1]
    return dict(zip(zip(hours.tolist(), found[:, 2].tolist(), strict=True), counts.rows[tuple(found.T)].tolist(), strict=True))


def raw(path: Path) -> None:
    """Decode the same columns and let them go: the limit for any reader that builds on polars."""
    scan = pl.scan_csv(path, try_parse_dates=True) if path.suffix == ".csv" else pl.scan_parquet(path)
    for _ in scan.select(COLUMNS).collect_batches():
        pass


def places(lon: Any, lat: Any, floor: Callable[[Any], Any]) -> tuple[Any, Any, Any]:  # noqa: ANN401 - columns of any engine
    """Scaled position and place in the lookup table: the fitted projection written for any engine's columns."""
    frame, coefficients, _, degree = GRID.point_tables
    s, t = (lon - float(frame[0])) * float(frame[2]), (lat - float(frame[1])) * float(frame[3])

    def poly(k: int) -> Any:  # noqa: ANN401
        total = None
        for i in range(degree, -1, -1):
            row: Any = float(coefficients[k])
            for j in range(1, degree - i + 1):
                row = t * row + float(coefficients[k + j])
            total = row if total is None else s * total + row
            k += degree - i + 1
        return total

    u, w = poly(0), poly(coefficients.size // 2)
    q = floor((floor(u) - floor(w) + 1.5) * (1 / 3))
    r = floor((floor(u + w) + floor(w) + 2.5) * (1 / 3))
    return s, t, r * float(frame[4]) + q


def by_hex(hours: np.ndarray, place: np.ndarray, rows: np.ndarray) -> Counts:
    """Counts by hour and hex of counts by hour and place in the lookup table."""
    hexes = GRID.point_tables.lookup[place.astype(np.int64)]
    found: Counts = {}
    for hour, hex_, count in zip(hours.tolist(), hexes.tolist(), rows.tolist(), strict=True):
        if hex_ >= 0 and hour % 24 < 5:
            found[hour, hex_] = found.get((hour, hex_), 0) + count
    return found


def polars_expressions(path: Path) -> Counts:
    """Project, round and group with expressions only."""
    s, t, place = places(pl.col("lon"), pl.col("lat"), lambda column: column.floor())
    hour = pl.col("time").cast(pl.Datetime("ms")).to_physical() // HOUR_MS
    grouped = pl.scan_parquet(path).select(hour=hour, s=s, t=t, place=place).filter((pl.col("s").abs() <= 1) & (pl.col("t").abs() <= 1))
    counts = grouped.group_by("hour", "place").len().collect(engine="streaming").drop_nulls()
    return by_hex(*(counts[name].to_numpy() for name in ("hour", "place", "len")))


class Sql(str):
    """A piece of SQL that arithmetic is written with."""

    __slots__ = ()

    def __add__(self, other: object) -> Sql:
        """Return the sum."""
        return Sql(f"({self} + {_literal(other)})")

    def __sub__(self, other: object) -> Sql:
        """Return the difference."""
        return Sql(f"({self} - {_literal(other)})")

    def __mul__(self, other: object) -> Sql:  # type: ignore[override]
        """Return the product."""
        return Sql(f"({self} * {_literal(other)})")


def _literal(value: object) -> str:
    return value if isinstance(value, str) else f"{value!r}::DOUBLE"


def duckdb_sql(path: Path) -> Counts:
    """Project, round and group in SQL."""
    import duckdb

    s, t, place = places(Sql("lon"), Sql("lat"), lambda column: Sql(f"floor({column})"))
    source = f"read_parquet('{path}')"
    inner = f"SELECT epoch_ms(time) // {HOUR_MS} AS hour, {s} AS s, {t} AS t, {place} AS place FROM {source}"  # noqa: S608 - own text
    query = f"SELECT hour, place, count(*) AS rows FROM ({inner}) WHERE abs(s) <= 1 AND abs(t) <= 1 AND hour IS NOT NULL GROUP BY 1, 2"  # noqa: S608
    with duckdb.connect(config={"threads": THREADS}) as connection:
        columns = connection.execute(query).fetchnumpy()
    return by_hex(*(np.asarray(columns[name]) for name in ("hour", "place", "rows")))


def pandas_pyproj(path: Path) -> Counts:
    """Project with pyproj, round with arrays, group with pandas."""
    import pandas as pd
    from pyproj import Transformer

    frame = pd.read_parquet(path, columns=COLUMNS).dropna()
    x, y = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True).transform(frame["lon"].to_numpy(), frame["lat"].to_numpy())
    q, r = (3**0.5 / 3 * x - y / 3) / GRID.radius_m, 2 / 3 * y / GRID.radius_m
    a, b, c = np.rint(q), np.rint(r), np.rint(-q - r)
    off = np.abs(np.stack([a - q, b - r, c + q + r]))
    first = (off[0] > off[1]) & (off[0] > off[2])
    second = ~first & (off[1] > off[2])
    axial = pd.DataFrame({"q": np.where(first, -b - c, a), "r": np.where(second, -a - c, b)})
    axial["hour"] = frame["time"].to_numpy().astype("datetime64[h]").astype(np.int64)
    grouped = axial.groupby(["hour", "q", "r"]).size()
    where = {(int(q), int(r)): i for i, (q, r) in enumerate(zip(GRID.q, GRID.r, strict=True))}
    keyed = (((int(hour), where.get((int(q), int(r)), -1)), int(n)) for (hour, q, r), n in grouped.items())
    return {key: n for key, n in keyed if key[1] >= 0 and key[0] % 24 < 5}


def geopandas_join(path: Path) -> Counts:
    """Join points to polygons in the metric projection, then group."""
    import geopandas as gpd
    import pandas as pd

    frame = pd.read_parquet(path, columns=COLUMNS).dropna()
    points = gpd.GeoDataFrame(frame[["time"]], geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs="EPSG:4326").to_crs(GRID.crs)
    polygons = gpd.GeoDataFrame(geometry=GRID.to_geodataframe().geometry.to_list(), crs="EPSG:4326").to_crs(GRID.crs)
    joined = gpd.sjoin(points, polygons, predicate="within")
    hours = joined["time"].to_numpy().astype("datetime64[h]").astype(np.int64)
    grouped = pd.Series(1, index=pd.MultiIndex.from_arrays([hours, joined["index_right"]])).groupby(level=[0, 1]).sum()
    return {(int(hour), int(hex_)): int(n) for (hour, hex_), n in grouped.items() if hour % 24 < 5}


def h3_py(path: Path) -> Counts:
    """Index points with the H3 library in a loop; its hexagons are others, so its answer is held against that of polars-h3."""
    from collections import Counter

    import h3

    frame = pl.read_parquet(path, columns=COLUMNS).drop_nulls()
    hours = frame["time"].cast(pl.Datetime("ms")).to_physical() // HOUR_MS
    cells = (h3.str_to_int(h3.latlng_to_cell(lat, lon, 8)) for lon, lat in zip(frame["lon"], frame["lat"], strict=True))
    return dict(Counter(zip(hours, cells, strict=True)))


def polars_h3(path: Path) -> Counts:
    """Index points with H3 in polars expressions."""
    import polars_h3 as plh3

    hour = pl.col("time").cast(pl.Datetime("ms")).to_physical() // HOUR_MS
    cell = plh3.latlng_to_cell("lat", "lon", 8, return_dtype=pl.UInt64)
    frame = pl.scan_parquet(path).select(COLUMNS).drop_nulls().select(hour=hour, cell=cell)
    counts = frame.group_by("hour", "cell").len().collect()
    return {(hour, cell): n for hour, cell, n in counts.iter_rows()}


def arrow_csv(path: Path) -> None:
    """Decode the same columns of a text with pyarrow."""
    options = pyarrow.csv.ConvertOptions(include_columns=COLUMNS)
    with pyarrow.csv.open_csv(path, convert_options=options) as stream:
        for _ in stream:
            pass


PARQUET: dict[str, Callable[[Path], Counts | None]] = {
    RAW: raw,
    OURS: owlbus,
    "polars expressions": polars_expressions,
    "DuckDB SQL": duckdb_sql,
    "polars-h3": polars_h3,
    "pandas + pyproj": pandas_pyproj,
    "h3-py": h3_py,
    "geopandas join": geopandas_join,
}
CSV: dict[str, Callable[[Path], Counts | None]] = {RAW: raw, OURS: owlbus, "pyarrow, decode only": arrow_csv}


@dataclass(frozen=True, slots=True)
class Taken:
    """Medians of one way on one file."""

    rows_per_s: float
    cpu_s_per_million: float
    peak_mb: float


def side_by_side(ways: dict[str, tuple[Callable[[Path], Any], Path, int]], rounds: int) -> dict[str, Taken]:
    """Run all ways in turn, round by round, then each once more in a process of its own for its memory."""
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (run, path, _) in ways.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            run(path)
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - began_cpu)
    return {
        name: Taken(rows / statistics.median(wall[name]), statistics.median(cpu[name]) / rows * 1e6, _peak_mb(name, path))
        for name, (_, path, rows) in ways.items()
    }


def _peak_mb(name: str, path: Path) -> float:
    """Return the peak memory of one way in a fresh process, in megabytes."""
    done = subprocess.run([sys.executable, __file__, "--one", name, str(path)], check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout)


def make_files(folder: Path, rows: int, slow_rows: int, csv_rows: int) -> None:
    """Draw synthetic calls and write them in every form."""
    settings = SynthSettings(n_calls=rows, n_subscribers=min(rows, 3_000_000))
    world = make_world(sample_city(), settings)
    forms = {codec: folder / f"calls_{codec}.parquet" for codec in ("snappy", "zstd")}
    first = call_table(world, settings, call_partitions(settings)[0]).select(COLUMNS)
    writers = {codec: pq.ParquetWriter(path, first.schema, compression=codec) for codec, path in forms.items()}
    held: list[pa.Table] = []
    for part in call_partitions(settings):
        held.append(call_table(world, settings, part).select(COLUMNS))
        if sum(map(len, held)) >= ROW_GROUP or part == call_partitions(settings)[-1]:
            drawn = pa.concat_tables(held)
            for writer in writers.values():
                writer.write_table(drawn, row_group_size=ROW_GROUP)
            held = []
    for writer in writers.values():
        writer.close()
    scan = pl.scan_parquet(forms["snappy"])
    few = scan.gather_every(max(1, rows // slow_rows)).collect().head(slow_rows)
    few.write_parquet(folder / "few.parquet", compression="snappy")
    scan.head(csv_rows).collect().write_csv(folder / "calls.csv", datetime_format="%Y-%m-%d %H:%M:%S")


def check(folder: Path) -> None:
    """Assert that all ways give the same counts."""
    few, full = folder / "few.parquet", folder / "calls_snappy.parquet"
    expected = owlbus(few)
    assert expected == pandas_pyproj(few) == geopandas_join(few)
    assert owlbus(full) == owlbus(folder / "calls_zstd.parquet") == polars_expressions(full) == duckdb_sql(full)
    assert h3_py(few) == polars_h3(few)
    csv = pl.scan_csv(folder / "calls.csv", try_parse_dates=True)
    csv.sink_parquet(folder / "same.parquet")
    assert owlbus(folder / "calls.csv") == owlbus(folder / "same.parquet")


def distinct_calls(path: Path, rows: int) -> Path:
    """Write synthetic calls with homes over three nights, uniform over a city, so that almost no position occurs twice."""
    rng = np.random.default_rng(7)
    seconds = rng.integers(0, 3, rows) * 86_400 + rng.integers(0, 5 * 3600, rows)
    time_ms = (np.datetime64("2024-03-04T00:00:00") + seconds.astype("timedelta64[s]")).astype("datetime64[ms]")
    ends = {"lon": (126.76, 127.18), "lat": (37.43, 37.70), "home_lon": (126.76, 127.18), "home_lat": (37.43, 37.70)}
    calls = pl.DataFrame({"time": time_ms} | {name: rng.uniform(*span, rows).round(9) for name, span in ends.items()})
    if path.suffix == ".csv":
        calls.write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    else:
        calls.write_parquet(path, compression="snappy", row_group_size=ROW_GROUP)
    return path


def command(path: Path) -> tuple[float, float]:
    """Run `owlbus demand` on a file without an area, and return its CPU seconds and wall seconds."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "owlbus", "demand", str(path)], check=True, capture_output=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - began


def whole_commands(folder: Path, rows: int, rounds: int) -> str:
    """Return a table of the whole command on calls whose positions are all distinct, beside the same command on a thousandth of them."""
    files = {
        f"{rows // 1000:,} calls, Parquet": distinct_calls(folder / "start.parquet", rows // 1000),
        f"{rows:,} calls, Parquet": distinct_calls(folder / "distinct.parquet", rows),
        f"{rows:,} calls, CSV": distinct_calls(folder / "distinct.csv", rows),
    }
    command(next(iter(files.values())))  # compiles what is not compiled yet
    taken = {name: [command(path) for _ in range(rounds)] for name, path in files.items()}
    medians = {name: [statistics.median(one) for one in zip(*times, strict=True)] for name, times in taken.items()}
    start = next(iter(medians.values()))[0]
    lines = [[name, f"{cpu_s:.2f}", f"{wall_s:.2f}", f"{cpu_s / start:.1f} x"] for name, (cpu_s, wall_s) in medians.items()]
    return table(["whole `owlbus demand`, no area", "CPU s", "wall s", "of the shortest"], lines)


def chart(results: dict[str, dict[str, Taken]], path: Path) -> None:
    """Draw rows per second of every way, by form of the file."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(9, 3), layout="constrained", sharex=True)
    for ax, (form, taken) in zip(axes, results.items(), strict=True):
        names = list(taken)
        speeds = [taken[name].rows_per_s / 1e6 for name in names]
        colours = ["#d55e00" if name == OURS else "#999999" if name == RAW else "#0072b2" for name in names]
        bars = ax.barh(names, speeds, color=colours)
        ax.bar_label(bars, [f"{speed:,.1f}" if speed < 10 else f"{speed:,.0f}" for speed in speeds], padding=3, fontsize=8)
        ax.set(title=form, xscale="log", xlabel="million rows a second", xlim=(0.05, 1500))
        ax.invert_yaxis()
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def text_of(form: str, taken: dict[str, Taken]) -> str:
    """Return the table of one form of the file."""
    limit, ours = taken[RAW], taken[OURS]
    rows = [
        [
            name,
            f"{one.rows_per_s / 1e6:,.2f}",
            f"{one.cpu_s_per_million:,.3f}",
            f"{one.peak_mb:,.0f}",
            f"{one.rows_per_s / limit.rows_per_s:.3f}",
            f"{limit.cpu_s_per_million / one.cpu_s_per_million:.3f}",
            f"{ours.rows_per_s / one.rows_per_s:,.1f} x",
        ]
        for name, one in taken.items()
    ]
    head = [form, "M rows/s", "CPU s per M rows", "peak MB", "of the limit", "of its CPU", "owlbus is"]
    return table(head, rows)


def main() -> None:
    """Time every way and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=20_000_000, help="rows of the Parquet files")
    parser.add_argument("--slow-rows", type=lambda text: int(float(text)), default=500_000, help="rows that the slow ways run on")
    parser.add_argument("--csv-rows", type=lambda text: int(float(text)), default=5_000_000, help="rows of the CSV file")
    parser.add_argument("--demand-rows", type=lambda text: int(float(text)), default=10_000_000, help="rows of the whole command")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md and benchmarks/ingest.png")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    pa.set_cpu_count(THREADS)
    if chosen.one:
        (PARQUET | CSV)[chosen.one[0]](Path(chosen.one[1]))
        status = Path("/proc/self/status").read_text(encoding="ascii")
        print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
        return
    with tempfile.TemporaryDirectory(prefix="owlbus-ingest-") as name:
        folder = Path(name)
        make_files(folder, chosen.rows, chosen.slow_rows, chosen.csv_rows)
        check(folder)
        results = {}
        for codec in ("snappy", "zstd"):
            full, few = (folder / f"calls_{codec}.parquet", chosen.rows), (folder / "few.parquet", chosen.slow_rows)
            ways = {way: (run, *(few if way in SLOW else full)) for way, run in PARQUET.items() if codec == "snappy" or way not in SLOW}
            results[f"Parquet, {codec}"] = side_by_side(ways, chosen.rounds)
        results["CSV"] = side_by_side({way: (run, folder / "calls.csv", chosen.csv_rows) for way, run in CSV.items()}, chosen.rounds)
        whole = whole_commands(folder, chosen.demand_rows, chosen.rounds)
    text = "\n\n".join([*(text_of(form, taken) for form, taken in results.items()), whole])
    print(text)
    if chosen.write:
        chart(results, Path(__file__).with_name("ingest.png"))
        write_section(
            "ingest",
            f"## Records to counts\n\n`python benchmarks/ingest.py --rows {chosen.rows} --csv-rows {chosen.csv_rows} --write`: longitude, "
            f"latitude and time to rows by hour and hexagon, medians of {chosen.rounds} alternating runs, {THREADS} threads, files in the "
            f"page cache. The calls are synthetic. {', '.join(sorted(SLOW))} run on {chosen.slow_rows:,} of the rows. All answers are "
            "checked to be equal; those of H3, which has other hexagons, with each other. The limit is the time to decode the three "
            "columns and discard them. The whole command draws the outline and counts calls at positions that are all "
            "distinct. While other work runs, CPU seconds say more than wall time.\n\n"
            f"{text}\n\n![Rows a second of every way](ingest.png)",
        )


if __name__ == "__main__":
    main()
