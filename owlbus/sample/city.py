"""Sample cities: geography and file paths."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.defaults import SPEED_KMH, WALK_M
from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import parse_json
from owlbus.common.text import visible
from owlbus.sample.street_places import read_places, stops_to_plan_with

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network

SAMPLE_CITIES = ("seoul",)
"""Names that `sample_city` knows."""

STREET_FILES = ("street_stops.csv", "street_links.csv")
"""Tables of a city's stop network."""

_STRETCH = 1.1
_PACKAGE = Path(__file__).resolve().parents[1]
_SEARCHED = (_PACKAGE / "sample_data", _PACKAGE.parent / "sample_data")


@dataclass(frozen=True, slots=True, eq=False)
class CityPlaces:
    """
    Named points with weights.

    Attributes
    ----------
    names
        Name of each place, shape (n,).
    lon, lat
        Degrees, shape (n,), float64.
    weight
        Weight of each place, shape (n,), float64, > 0: residents of districts, activity of night spots.

    Raises
    ------
    DataError
        If the columns differ in length or a weight is not above 0.

    Examples
    --------
    >>> places = CityPlaces(("Jamsil",), [127.1], [37.5133], [4.0])
    >>> len(places)
    1
    """

    names: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    weight: NDArray[np.float64]

    def __init__(self, names: tuple[str, ...], lon: ArrayLike, lat: ArrayLike, weight: ArrayLike) -> None:
        """Copy and check the columns."""
        object.__setattr__(self, "names", tuple(names))
        for name, column in (("lon", lon), ("lat", lat), ("weight", weight)):
            object.__setattr__(self, name, read_only_copy(column, np.float64))
        if {len(self.lon), len(self.lat), len(self.weight)} != {len(self.names)}:
            msg = f"places need one position and weight each, got {len(self.names)} names and {len(self.lon)} positions"
            raise DataError(msg)
        bad = np.flatnonzero(~(self.weight > 0))
        if bad.size:
            msg = f"a place's weight must be above 0, got {self.weight[bad[0]]:g} for {self.names[bad[0]]!r} ({bad.size} such)"
            raise DataError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (CityPlaces, (self.names, self.lon, self.lat, self.weight))

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.names)


@dataclass(frozen=True, slots=True)
class CityStreets:
    """
    Places where the buses of a city halt, and the links between them.

    Attributes
    ----------
    stops_path
        CSV with ``stop_id``, ``name``, ``name_en``, ``lon``, ``lat`` and ``trunk``.
    links_path
        CSV with ``from_stop``, ``to_stop`` and straight ``metres``.
    road_factor
        Street metres over straight metres, dimensionless.
    """

    stops_path: Path
    links_path: Path
    road_factor: float


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """
    Sample city: real geography with synthetic records.

    Attributes
    ----------
    name
        Short name, such as ``seoul``.
    n_hexes
        Hexes of the preset grid.
    radius_m
        Circumradius of the preset grid's hexes in metres.
    outline
        Closed ring of the study area, lon/lat, shape (n, 2).
    districts
        District centroids with residents.
    night_spots
        Places that are busy at night, with relative activity.
    river
        Centreline, lon/lat, shape (n, 2).
    bridges
        Points where a bus can cross the river, lon/lat, shape (n, 2).
    mountains
        Discs without homes and roads: lon, lat and radius in metres, shape (n, 3).
    routes_path, calls_path, taxi_path
        Files of the historical routes and of the synthetic records.
    streets
        Files of the stop network; None for a city on the hex lattice.
    """

    name: str
    n_hexes: int
    radius_m: float
    outline: NDArray[np.float64]
    districts: CityPlaces
    night_spots: CityPlaces
    river: NDArray[np.float64]
    bridges: NDArray[np.float64]
    mountains: NDArray[np.float64]
    routes_path: Path
    calls_path: Path
    taxi_path: Path
    streets: CityStreets | None = None

    def __post_init__(self) -> None:
        """Copy the arrays as read-only."""
        for name in ("outline", "river", "bridges", "mountains"):
            object.__setattr__(self, name, read_only_copy(getattr(self, name), np.float64))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (City, tuple(getattr(self, field.name) for field in fields(self)))


def sample_city(name: str = "seoul") -> City:
    """
    Read a sample city of the package.

    Parameters
    ----------
    name
        One of `SAMPLE_CITIES`.

    Returns
    -------
    City
        Geography and paths of the records.

    Raises
    ------
    UsageError
        If there is no such city.
    DataError
        If its files are missing.

    Examples
    --------
    >>> city = sample_city("seoul")
    >>> city.n_hexes, len(city.districts), len(city.night_spots)
    (1252, 25, 48)
    """
    if name not in SAMPLE_CITIES:
        msg = f"sample city must be one of {', '.join(SAMPLE_CITIES)}, got {name!r}; or name a folder that holds a city.json"
        raise UsageError(msg, setting="city", value=name, allowed=tuple(SAMPLE_CITIES))
    folder = next((root / name for root in _SEARCHED if (root / name / "city.json").is_file()), None)
    if folder is None:
        msg = f"sample city {name!r}: its files are neither beside nor inside the package {_PACKAGE}; install owlbus again"
        raise DataError(msg)
    return read_city(folder)


def read_city(folder: str | PathLike[str]) -> City:
    """
    Read a city from the files that `owlbus.sample.build_city` writes.

    Parameters
    ----------
    folder
        Holds ``city.json``, the GeoJSON files, and perhaps ``street_stops.csv`` and ``street_links.csv``.

    Returns
    -------
    City
        The city; its records need not exist.

    Raises
    ------
    DataError
        If a file is missing or malformed.
    """
    root = Path(folder)
    try:
        about = parse_json((root / "city.json").read_text("utf-8"))
        return City(
            name=str(about["name"]),
            n_hexes=int(about["n_hexes"]),
            radius_m=float(about["radius_m"]),
            outline=np.array(_features(root, "outline")[0]["geometry"]["coordinates"][0]),
            districts=_places(root, "districts", "district", "residents"),
            night_spots=_places(root, "night_spots", "place", "weight"),
            river=np.array(_features(root, "river")[0]["geometry"]["coordinates"]),
            bridges=np.array([spot["geometry"]["coordinates"] for spot in _features(root, "bridges")]).reshape(-1, 2),
            mountains=np.array(
                [[*spot["geometry"]["coordinates"], spot["properties"]["radius_m"]] for spot in _features(root, "mountains")]
            ).reshape(-1, 3),
            routes_path=root / str(about["routes"]),
            calls_path=root / "calls.parquet",
            taxi_path=root / "taxi.parquet",
            streets=_streets(root, about),
        )
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
        msg = f"{root}: no city can be read from it ({type(error).__name__}: {error}); it needs city.json and its GeoJSON files"
        raise DataError(msg) from error


def sample_grid(city: City) -> HexGrid:
    """
    Return the preset hex grid of a city.

    Parameters
    ----------
    city
        The city.

    Returns
    -------
    HexGrid
        `city.n_hexes` hexes of `city.radius_m`.
    """
    from owlbus.grid.hexgrid import HexGrid

    return HexGrid.cover(city.outline, radius_m=city.radius_m, n_hexes=city.n_hexes)


def sample_network(
    city: City,
    grid: HexGrid | None = None,
    *,
    speed_kmh: float = SPEED_KMH,
    road_factor: float | None = None,
    stretch: float | None = None,
    walk_m: float = WALK_M,
    walk_area_share: float | None = None,
) -> Network:
    """
    Return the stop network of a city: its streets, or else the lattice without mountains, crossing the river at bridges only.

    On streets, stops are the places on trunk routes, and one place for each hex that these leave out; links between them run through
    the other places.

    Parameters
    ----------
    city
        The city; ``dataclasses.replace(city, streets=None)`` has the lattice.
    grid
        Its grid; `sample_grid(city)` by default.
    speed_kmh
        Commercial speed in km/h, layover included.
    road_factor
        Road metres over straight metres, dimensionless, >= 1; None takes that of the city's streets, or of the lattice.
    stretch
        A direct street link is left out if the round trip over other links is at most this many times as long, dimensionless, 1 to 3;
        None takes 1.1. Without effect on the lattice.
    walk_m
        Walk to a stop in metres, boundary included.
    walk_area_share
        Least share of a hex's area within the walk, in (0, 1]; None requires its centre.

    Returns
    -------
    Network
        Places where buses halt and links between consecutive ones; or stops at hex centres and links between neighbours.

    Raises
    ------
    DataError
        If a street table breaks a rule or misses the grid.
    UsageError
        If a number is out of range.
    """
    from owlbus.network import Network

    grid = sample_grid(city) if grid is None else grid
    settings: dict[str, Any] = {"speed_kmh": speed_kmh, "walk_m": walk_m, "walk_area_share": walk_area_share}
    if road_factor is None and city.streets is not None:
        road_factor = city.streets.road_factor
    if road_factor is not None:
        settings["road_factor"] = road_factor
    if city.streets is not None:
        stops = stops_to_plan_with(read_places(city.streets), grid, walk_m)
        settings["stretch"] = _STRETCH if stretch is None else stretch
        return Network.from_tables(city.streets.stops_path, city.streets.links_path, grid, stops, **settings)
    return Network.from_lattice(grid, rivers=(city.river,), bridges=city.bridges, mountains=city.mountains, **settings)


def _streets(root: Path, about: dict[str, Any]) -> CityStreets | None:
    """Return the files of the street network, if the city has them."""
    paths = [root / name for name in STREET_FILES]
    if not any(path.is_file() for path in paths):
        return None
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        msg = f"a street network needs both {' and '.join(STREET_FILES)}, {missing[0]} is missing"
        raise ValueError(msg)
    return CityStreets(paths[0], paths[1], float(about["road_factor"]))


def _features(root: Path, name: str) -> list[dict[str, Any]]:
    """Return the features of a GeoJSON file of the city."""
    features: list[dict[str, Any]] = parse_json((root / f"{name}.geojson").read_text("utf-8"))["features"]
    return features


def _places(root: Path, name: str, label: str, weight: str) -> CityPlaces:
    """Return the points of a GeoJSON file with the named properties."""
    features = _features(root, name)
    lonlat = np.array([feature["geometry"]["coordinates"] for feature in features])
    properties = [feature["properties"] for feature in features]
    names = tuple(visible(str(entry[label])) for entry in properties)
    return CityPlaces(names, lonlat[:, 0], lonlat[:, 1], [float(entry[weight]) for entry in properties])
