"""Coverage by groups of hexes, from any column of a table: districts, income classes, shares of residents."""

from __future__ import annotations

import csv
import difflib
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.text import decoded, visible
from owlbus.grid.geojson_features import geojson_features, parse_geojson
from owlbus.grid.gis_files import is_gis_file, lonlat_table
from owlbus.score.fairness import fairness
from owlbus.score.publish import why_absent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.plan import Plan

NOWHERE = "(none)"
"""Group of the hexes that the table does not name."""

_CLASSES = 4
_HEX_COLUMNS = ("hex", "label", "h3")
_MOST_LABELS = 200


@dataclass(frozen=True, slots=True)
class GroupShare:
    """
    Coverage of one group.

    Attributes
    ----------
    presence, reached
        People a night in its hexes, and those within the walk of a stop.
    trips, served
        Trips a night that start there, and those served.
    """

    presence: float
    reached: float
    trips: float
    served: float


@dataclass(frozen=True, slots=True, eq=False)
class Breakdown:
    """
    Coverage by group of hexes.

    Attributes
    ----------
    groups
        By label, ascending.
    """

    groups: Mapping[str, GroupShare]

    def to_dict(self, min_count: float = MIN_COUNT) -> dict[str, Any]:
        """
        Shares by group for JSON, by the publishing rule.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts are multiples.

        Returns
        -------
        dict
            ``groups``, and for presence and served the share of the best off over that of the worst off; None where the worst off have
            nothing.
        """
        publisher = Publisher(min_count)
        shown = {
            label: {
                "presence": _printed(publisher, row.reached, row.presence),
                "served": _printed(publisher, row.served, row.trips),
            }
            for label, row in self.groups.items()
        }
        values: dict[str, Any] = {"groups": shown}
        for what in ("presence", "served"):
            rows = ((label, row[what]["share"], row[what]["denominator"]) for label, row in shown.items() if label != NOWHERE)
            values[f"{what}_best_to_worst"] = fairness(rows)["best_to_worst"]
        return values | publisher.facts


def _printed(publisher: Publisher, part: float, whole: float) -> dict[str, Any]:
    """Share and counts of a group as they are printed; None, and why, of a group of few."""
    share = publisher.share(part, whole)
    ends = (publisher.count(part), publisher.count(whole)) if publisher.is_enough(whole) else (None, None)
    printed = {"share": share, "numerator": ends[0], "denominator": ends[1]}
    return printed | ({"no_share": why_absent(publisher)} if share is None else {})


def break_down(evaluator: PlanEvaluator, plan: Plan, labels: NDArray[np.str_]) -> Breakdown:
    """
    Coverage of a plan by group of hexes.

    Parameters
    ----------
    evaluator
        The demand, over H hexes.
    plan
        The plan.
    labels
        Group of each hex, shape (H,).

    Returns
    -------
    Breakdown
        People in, and trips from, each group.

    Raises
    ------
    DataError
        If the labels do not name every hex.
    """
    if labels.shape != (evaluator.demand.n_hexes,):
        msg = f"groups must name each of {evaluator.demand.n_hexes} hexes once, got shape {labels.shape}"
        raise DataError(msg)
    evaluation = evaluator.evaluate(plan)
    names, index = np.unique(labels, return_inverse=True)
    whole, n = evaluator.whole, names.size
    columns = (
        np.bincount(index, whole.people, n),
        np.bincount(index, whole.people * evaluation.reached_share, n),
        np.bincount(index[whole.trips.origin], whole.trips.trips, n),
        np.bincount(index[whole.trips.origin], whole.trips.counted(evaluation.served_share), n),
    )
    return Breakdown({str(name): GroupShare(*(float(column[k]) for column in columns)) for k, name in enumerate(names)})


def read_groups(by: str, grid: HexGrid) -> NDArray[np.str_]:
    """
    Group of each hex from ``FILE:COLUMN``.

    GeoJSON, GeoPackage, shapefile and other GIS files: polygons; a hex belongs to the first one that holds its centre. Points: a hex
    takes the nearest one. CSV: a row per hex, with a column ``hex`` (index or label) or ``h3``, or a row per point with ``lon`` and
    ``lat``, where a hex takes the nearest one. A column of more than a few numbers is cut into four classes of equally many hexes.

    Parameters
    ----------
    by
        File and column, joined by a colon.
    grid
        The hexes, H of them.

    Returns
    -------
    ndarray of str
        Shape (H,); `NOWHERE` where the file says nothing.

    Raises
    ------
    UsageError
        If the text names no column.
    DataError
        If the file is absent or broken, has no such column, or touches no hex.
    """
    file, colon, column = by.rpartition(":")
    if not (colon and file and column) or "/" in column or "\\" in column:  # the colon of a drive is none before a column
        msg = f"{setting('by')} must read FILE:COLUMN, such as districts.geojson:name, got {by!r}"
        raise UsageError(msg, setting="by", value=by)
    path = Path(file)
    if not path.is_file():
        msg = f"{path}: no such file; name a table as .geojson, .gpkg, .shp or .csv"
        raise DataError(msg)
    is_shapes = path.suffix.lower() in {".geojson", ".json", ".geojsonl", ".geojsons"} or is_gis_file(path)
    values = _polygon_values(path, column, grid) if is_shapes else _table_values(path, column, grid)
    if not any(value is not None for value in values):
        msg = f"{path.name}: none of its rows touches one of the {grid.n_hexes} hexes; check that it is of this city and in lon, lat"
        raise DataError(msg)
    return _classes(values)


def _classes(values: Sequence[str | None]) -> NDArray[np.str_]:
    """Labels as they are; many numbers as four classes of equally many hexes."""
    known = [value for value in values if value is not None]
    numbers = [_number(value) for value in known]
    if len(set(known)) > 2 * _CLASSES and all(number is not None for number in numbers):
        return _quarters([None if value is None else _number(value) for value in values])
    if len(set(known)) > _MOST_LABELS:
        msg = f"a column to break down by must hold at most {_MOST_LABELS} labels, got {len(set(known))}; choose a coarser one"
        raise DataError(msg)
    return np.array([NOWHERE if value is None else value for value in values])


def _quarters(numbers: Sequence[float | None]) -> NDArray[np.str_]:
    """Four classes of equally many hexes, named by their bounds."""
    values = np.array([np.nan if number is None else number for number in numbers])
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, _CLASSES + 1)))
    quarter = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2)
    names = np.array([f"{k + 1}: {low:.4g} to {high:.4g}" for k, (low, high) in enumerate(pairwise(edges))])
    labels: NDArray[np.str_] = np.where(np.isnan(values), NOWHERE, names[quarter])
    return labels


def _number(value: str) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _polygon_values(path: Path, column: str, grid: HexGrid) -> list[str | None]:
    """Value of the first polygon that holds each hex's centre, or of the nearest point."""
    import shapely

    shapes, rows = _gis_rows(path) if is_gis_file(path) else _geojson_rows(path)
    _require_column(path, column, sorted({name for row in rows for name in row}))
    values_by_hex: list[str | None] = [None] * grid.n_hexes
    if len(shapes) and all(shape.geom_type == "Point" for shape in shapes):
        xy = shapely.get_coordinates(shapes)
        return _nearest_values(grid, xy[:, 0], xy[:, 1], [_text(row.get(column)) for row in rows])
    if len(shapes) and not any("Polygon" in shape.geom_type or "Collection" in shape.geom_type for shape in shapes):
        msg = f"{path.name}: districts must be polygons or points, got {shapes[0].geom_type}; draw their areas"
        raise DataError(msg)
    centres = np.asarray(shapely.points(grid.lon, grid.lat))
    tree = shapely.STRtree(centres)
    for shape, row in reversed(list(zip(shapes, rows, strict=True))):
        for hexagon in tree.query(shape, predicate="intersects").tolist():
            values_by_hex[hexagon] = _text(row.get(column))
    return values_by_hex


def _gis_rows(path: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Return geometries in lon/lat degrees and properties of the features of a GIS file that have a geometry."""
    import shapely

    table = lonlat_table(path, path.name)
    table = table.filter(table.column("geometry").is_valid())
    return shapely.from_wkb(table.column("geometry").to_pylist()), table.drop_columns(["geometry"]).to_pylist()


def _geojson_rows(path: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Return geometries in lon/lat degrees and properties of the features of a GeoJSON file that have a geometry."""
    try:
        found = [(shape, row) for row, shape in geojson_features(parse_geojson(decoded(path.read_bytes()))) if shape is not None]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path.name}: must be a GeoJSON FeatureCollection of polygons, and is not ({type(error).__name__}); write it again"
        raise DataError(msg) from None
    except DataError as error:
        msg = f"{path.name}: {error.template}"
        raise DataError(msg) from None
    shapes, rows = [shape for shape, _ in found], [row for _, row in found]
    if not shapes:
        msg = f"{path.name}: holds no feature with a geometry; write districts as polygons"
        raise DataError(msg)
    return np.array(shapes, dtype=object), rows


def _table_values(path: Path, column: str, grid: HexGrid) -> list[str | None]:
    """Value of each hex's row, or of the nearest point."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path.name}: must be CSV in UTF-8, and is not ({type(error).__name__}); write it again"
        raise DataError(msg) from None
    _require_column(path, column, names)
    values = [_text(row.get(column)) for row in rows]
    key = next((name for name in _HEX_COLUMNS if name in names), None)
    if key is None and {"lon", "lat"} <= set(names):
        lon, lat = ([_number(row.get(name) or "") for row in rows] for name in ("lon", "lat"))
        if any(number is None for number in (*lon, *lat)):
            msg = f"{path.name}: lon and lat must be numbers in every row; fill them in or leave the rows out"
            raise DataError(msg)
        return _nearest_values(grid, np.array(lon, np.float64), np.array(lat, np.float64), values)
    if key is None:
        msg = f"{path.name}: needs a column hex (index or label), h3, or lon and lat, got {', '.join(names)}"
        raise DataError(msg)
    names_of_hexes = grid.h3_index() if key == "h3" else grid.labels
    hex_of = {str(label): hexagon for hexagon, label in enumerate(names_of_hexes)} | {str(k): k for k in range(grid.n_hexes)}
    values_by_hex: list[str | None] = [None] * grid.n_hexes
    for row, value in zip(rows, values, strict=True):
        hexagon = hex_of.get((row[key] or "").strip())
        if hexagon is not None:
            values_by_hex[hexagon] = value
    return values_by_hex


def _nearest_values(grid: HexGrid, lon: NDArray[np.float64], lat: NDArray[np.float64], values: Sequence[str | None]) -> list[str | None]:
    """Value of the point nearest to each hex's centre."""
    if not len(lon):
        return [None] * grid.n_hexes
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(np.stack(grid.project(lon, lat), axis=1)).query(np.stack([grid.x_m, grid.y_m], axis=1))
    return [values[k] for k in nearest.tolist()]


def _text(value: object) -> str | None:
    """Value as a label; nothing as None."""
    text = "" if value is None else visible(str(value)).strip()
    return text or None


def _require_column(path: Path, column: str, names: Sequence[str]) -> None:
    """Refuse a column that is not there, and name the nearest one."""
    if column not in names:
        near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
        msg = f"{path.name}: has no column {column!r}; {hint}"
        raise DataError(msg)
