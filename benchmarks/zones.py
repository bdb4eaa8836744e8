"""
CPU time of rides that name zones beside the same rides with positions: ``python benchmarks/zones.py [--rows N] [--form csv]``.

The rides are synthetic, one night and day in the layout of New York's taxi records, over 263 made-up zones of Seoul. Both files hold the
same rides; each command runs three times after one that fills the kernel cache, and the least CPU time counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
import shapely

from owlbus.sample import sample_city, sample_grid

N_ZONES = 263
HOUR_WEIGHTS = np.array([4, 3, 2, 1.5, 1, 1, 2, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 7, 7, 6, 6, 6, 5])
"""Rides by hour of the day, as taxis drive them in large cities, in parts of the whole."""


def write_city(folder: Path) -> tuple[Path, np.ndarray]:
    """Write the zones, Voronoi cells of points among the hexes, and return their file and a weight of each hex."""
    grid, rng = sample_grid(sample_city()), np.random.default_rng(5)
    weight = rng.lognormal(0, 1.2, grid.n_hexes)
    seeds = rng.choice(grid.n_hexes, N_ZONES, replace=False, p=weight / weight.sum())
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack([grid.lon, grid.lat]))).buffer(0.01)
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(np.column_stack([grid.lon[seeds], grid.lat[seeds]])), extend_to=hull)
    )
    file = folder / "zones.geojson"
    gpd.GeoDataFrame({"LocationID": np.arange(1, N_ZONES + 1)}, geometry=shapely.intersection(cells, hull), crs=4326).to_file(file)
    return file, weight


def write_rides(folder: Path, zones: Path, weight: np.ndarray, rows: int, form: str) -> tuple[Path, Path]:
    """Write the rides twice: with positions, and with the zones that the positions lie in."""
    grid, rng = sample_grid(sample_city()), np.random.default_rng(6)
    origin, candidates = (rng.choice(grid.n_hexes, shape, p=weight / weight.sum()) for shape in (rows, (4, rows)))
    apart_m = np.hypot(grid.x_m[candidates] - grid.x_m[origin], grid.y_m[candidates] - grid.y_m[origin])
    nearest = apart_m.argmin(axis=0)  # people ride to places near by
    destination, ride_m = candidates[nearest, np.arange(rows)], apart_m.min(axis=0) + 1000
    shaken = [rng.uniform(-0.003, 0.003, (2, rows)) for _ in range(2)]
    ends = [(grid.lon[hexes] + lon, grid.lat[hexes] + lat) for hexes, (lon, lat) in zip((origin, destination), shaken, strict=True)]
    start_s = rng.choice(24, rows, p=HOUR_WEIGHTS / HOUR_WEIGHTS.sum()) * 3600 + rng.integers(0, 3600, rows)
    start = np.datetime64("2024-03-06T00:00:00", "us") + start_s * np.timedelta64(1_000_000, "us")
    end = start + (120 + ride_m / rng.uniform(4, 9, rows)).astype(np.int64) * np.timedelta64(1_000_000, "us")
    times = {"tpep_pickup_datetime": start, "tpep_dropoff_datetime": end}
    tree = shapely.STRtree(gpd.read_file(zones).geometry.to_numpy())
    ids = [tree.query_nearest(shapely.points(*end), all_matches=False)[1] + 1 for end in ends]
    names = [f"{end}_{axis}" for end in ("pickup", "dropoff") for axis in ("longitude", "latitude")]
    positions = pl.DataFrame(times | dict(zip(names, (axis for end in ends for axis in end), strict=True)))
    places = pl.DataFrame(times | {"PULocationID": ids[0], "DOLocationID": ids[1]})
    files = folder / f"positions.{form}", folder / f"zones.{form}"
    for frame, file in zip((positions, places), files, strict=True):
        if form == "csv":
            frame.with_columns(pl.col(pl.Float64).round(6)).write_csv(file, datetime_format="%Y-%m-%d %H:%M:%S")
        else:
            frame.write_parquet(file)
    return files


def cpu_s(*arguments: str) -> tuple[float, dict]:
    """Return the CPU seconds of a command, user and system, and what it printed as JSON."""
    command = [sys.executable, "-m", "owlbus", "demand", *arguments, "--json", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own command
        text = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
    return used.ru_utime + used.ru_stime, json.loads(text)


def main() -> None:
    """Print both CPU times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--form", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--window", default="00-05")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        zones, weight = write_city(Path(name))
        positions, places = write_rides(Path(name), zones, weight, settings.rows, settings.form)
        columns = {"pickup_time": "tpep_pickup_datetime", "dropoff_time": "tpep_dropoff_datetime"}
        columns |= {
            f"{ours}_{axis[:3]}": f"{theirs}_{axis}"
            for ours, theirs in (("origin", "pickup"), ("destination", "dropoff"))
            for axis in ("longitude", "latitude")
        }
        maps = [text for ours, theirs in columns.items() for text in ("--map", f"{ours}={theirs}")]
        common = ("--city", "seoul", "--window", settings.window)
        runs = {"positions": (str(positions), *maps, *common), "zones": (str(places), "--zones", str(zones), *common)}
        least: dict[str, float] = {}
        for turn in range(4):
            for label, arguments in runs.items():
                seconds, told = cpu_s(*arguments)
                if turn:
                    least[label] = min(least.get(label, seconds), seconds)
                elif label not in least:
                    print(f"{label}: {told['records']['rows_in']} rows, {told['trips_per_night']} trips a night")
        print(
            *(f"{label} {seconds:.2f} CPU s" for label, seconds in least.items()),
            f"ratio {least['zones'] / least['positions']:.2f}",
            sep=", ",
        )


if __name__ == "__main__":
    main()
