"""Layers of every map: hexes in class colours, hills, water, routes, a scale bar and a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.common.errors import DataError
from owlbus.common.palette import EDGE, GREY, GRID, HILL, HILL_EDGE, INK, KEY_EDGE, MID_GREY, STREET, WATER
from owlbus.plot.labels import draw_labels
from owlbus.plot.streets import street_lines
from owlbus.plot.style import route_lines, route_style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan
    from owlbus.plot.labels import MapLabel

_SPARE = 0.02
_LANE_SHARE = 1 / 220
_MAP_IN, _LEGEND_IN = 7.4, 2.4


class Hatch(NamedTuple):
    """
    Pattern over the colour of a hex, so that classes differ without colour too.

    Attributes
    ----------
    pattern
        As matplotlib takes it; empty for none.
    colour
        Of its lines.
    width_pt
        Of its lines, points.
    """

    pattern: str = ""
    colour: str = INK
    width_pt: float = 0.45


def new_axes(ax: Axes | None, width_in: float, height_in: float) -> Axes:
    """
    Axes to draw on.

    Parameters
    ----------
    ax
        Axes to use, or None for new ones on a figure of their own.
    width_in, height_in
        Size of a new figure, inches; neither counts nor trips.

    Returns
    -------
    Axes
        `ax`, or the new axes.
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt  # so that a notebook shows what a cell draws

    axes: Axes = plt.subplots(figsize=(width_in, height_in), layout="constrained")[1]
    return axes


def map_axes(ax: Axes | None, grid: HexGrid) -> Axes:
    """
    Axes for a map: metres of the grid's projection, equal both ways, without a frame.

    Parameters
    ----------
    ax
        Axes to use, or None for new ones.
    grid
        Hexes that must fit in.

    Returns
    -------
    Axes
        Ready to draw on, metres.
    """
    width_m, height_m = (float(np.ptp(centre)) + 4 * grid.radius_m for centre in (grid.x_m, grid.y_m))
    axes = new_axes(ax, _MAP_IN + _LEGEND_IN, min(max(_MAP_IN * height_m / width_m, 4.0), 12.0))
    axes.set_aspect("equal", anchor="W")
    axes.set_axis_off()
    return axes


def draw_hexes(axes: Axes, grid: HexGrid, colours: NDArray[np.str_], *, hatches: Sequence[tuple[NDArray[np.bool_], Hatch]] = ()) -> None:
    """
    Fill every hex.

    Parameters
    ----------
    axes
        From `map_axes`, metres.
    grid
        H hexes.
    colours
        Colour of each, shape (H,).
    hatches
        Masks of hexes, shape (H,), with the pattern drawn over them.

    Raises
    ------
    DataError
        If there is not one colour per hex.
    """
    from matplotlib.collections import PolyCollection

    if colours.shape != (grid.n_hexes,):
        msg = f"colours must have one entry per hex, shape ({grid.n_hexes},), got {colours.shape}"
        raise DataError(msg)
    shapes = hex_shapes(grid)
    axes.add_collection(PolyCollection(shapes, facecolors=colours.tolist(), edgecolors=EDGE, linewidths=0.35))
    for mask, hatch in hatches:
        marked = [shapes[k] for k in np.flatnonzero(mask)]
        lined = PolyCollection(marked, facecolors="none", linewidths=0, hatch=hatch.pattern, hatchcolors=hatch.colour)
        lined.set_hatch_linewidth(hatch.width_pt)
        axes.add_collection(lined)
    axes.autoscale_view()


def draw_terrain(axes: Axes, grid: HexGrid, water: Sequence[ArrayLike] = (), hills: ArrayLike = ()) -> None:
    """
    Draw hills and rivers, cut off where the hexes end.

    Parameters
    ----------
    axes
        With hexes on it, metres.
    grid
        The hexes.
    water
        Lines of rivers, lon/lat degrees, each of shape (n, 2).
    hills
        Discs without people: lon, lat and radius in metres, shape (n, 3).
    """
    import shapely
    from matplotlib.patches import Circle
    from matplotlib.path import Path as Outline

    frame = axes.axis()
    rings = [
        ring
        for part in shapely.get_parts(shapely.union_all(shapely.buffer(shapely.polygons(hex_shapes(grid)), 1.0)))
        for ring in (part.exterior, *part.interiors)
    ]
    area = Outline.make_compound_path(*(Outline(shapely.get_coordinates(ring), closed=True) for ring in rings))
    drawn: list[Any] = []
    for lon, lat, radius_m in np.asarray(hills, dtype=np.float64).reshape(-1, 3):
        x, y = grid.project(lon, lat)
        disc = Circle((float(x), float(y)), radius_m, facecolor=HILL, edgecolor=HILL_EDGE, linewidth=0.6, alpha=0.75, zorder=1.5)
        drawn.append(axes.add_patch(disc))
    for line in water:
        points = np.asarray(line, dtype=np.float64)
        drawn += axes.plot(*grid.project(points[:, 0], points[:, 1]), color=WATER, linewidth=5, alpha=0.85, zorder=2)
    for shape in drawn:
        shape.set_clip_path(area, axes.transData)
    axes.axis(frame)


def draw_streets(axes: Axes, network: Network) -> None:
    """
    Draw the streets of a network in pale grey; a lattice has none.

    Parameters
    ----------
    axes
        With hexes on it, metres.
    network
        The network.
    """
    from matplotlib.collections import LineCollection

    lines = [np.stack(network.grid.project(*line.T), axis=-1) for line in street_lines(network)]
    frame = axes.axis()
    axes.add_collection(LineCollection(lines, colors=STREET, linewidths=0.5, zorder=1.2), autolim=False)
    axes.axis(frame)


def draw_routes(axes: Axes, network: Network, plan: Plan, labels: Iterable[MapLabel] = ()) -> None:
    """
    Draw each route along its streets with a white casing, side by side where they share them, and names as `draw_labels` places them.

    Parameters
    ----------
    axes
        From `map_axes`, metres.
    network
        The plan's network.
    plan
        The routes.
    labels
        Names of districts and places, most important first.
    """
    import matplotlib.patheffects as effects

    casing: list[Any] = [effects.Stroke(linewidth=3.6, foreground="white"), effects.Normal()]
    grid = network.grid
    lane_m = (float(np.ptp(grid.x_m)) + 2 * grid.radius_m) * _LANE_SHARE
    lines = route_lines(network, plan, lane_m)
    _make_room(axes, lines)
    for k, line in enumerate(lines):
        x, y = line.T
        colour, dashes = route_style(k)
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=2.0, path_effects=casing, zorder=3 + k / 100, solid_joinstyle="round")
        for end in (0, -1):
            axes.plot(x[end], y[end], marker="o", markersize=5, color="white", markeredgecolor=colour, markeredgewidth=1.6, zorder=5)
    draw_labels(axes, network, plan, lines, labels)


def _make_room(axes: Axes, lines: Iterable[NDArray[np.float64]]) -> None:
    """Widen the map where a route leaves the hexes."""
    left, right, low, high = axes.axis()
    spare = _SPARE * (right - left)
    for x, y in (line.T for line in lines):
        left, right = (left if x.min() >= left else x.min() - spare), (right if x.max() <= right else x.max() + spare)
        low, high = (low if y.min() >= low else y.min() - spare), (high if y.max() <= high else y.max() + spare)
    axes.axis((float(left), float(right), float(low), float(high)))


def draw_scale(axes: Axes, grid: HexGrid) -> None:
    """
    Draw a scale bar of a round length, about a sixth of the map's width, in the lower left.

    Parameters
    ----------
    axes
        From `map_axes`, metres.
    grid
        The hexes.
    """
    width_m = float(np.ptp(grid.x_m)) + 2 * grid.radius_m
    length_m = next((unit for unit in (50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200) if unit <= width_m / 5), 100)
    x, y = float(grid.x_m.min()), float(grid.y_m.min()) - grid.radius_m
    axes.plot([x, x + length_m / 2], [y, y], color=INK, linewidth=4, solid_capstyle="butt", zorder=7)
    axes.plot([x + length_m / 2, x + length_m], [y, y], color=MID_GREY, linewidth=4, solid_capstyle="butt", zorder=7)
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"  # noqa: PLR2004 - metres in a kilometre
    axes.annotate(text, (x + length_m, y), (5, 0), textcoords="offset points", va="center", fontsize=9, color=INK)


def legend_of(axes: Axes, colours: Sequence[str], texts: Sequence[str], title: str, hatches: Sequence[Hatch] = ()) -> None:
    """
    Explain the colours of hexes beside a map.

    Parameters
    ----------
    axes
        The map.
    colours, texts
        One per class.
    title
        What the classes count, with its unit, such as people a night.
    hatches
        Pattern of each class; none by default.
    """
    from matplotlib.patches import Patch

    patches = []
    for colour, text, hatch in zip(colours, texts, hatches or [Hatch()] * len(texts), strict=False):
        patch = Patch(facecolor=colour, edgecolor=KEY_EDGE, linewidth=0.5, label=text, hatch=hatch.pattern, hatchcolor=hatch.colour)
        patch.set_hatch_linewidth(hatch.width_pt)
        patches.append(patch)
    axes.legend(handles=patches, title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5, alignment="left")


def plain(axes: Axes) -> None:
    """
    Remove the frame of a chart and draw light grid lines.

    Parameters
    ----------
    axes
        A chart, in the unit that its labels name.
    """
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def hex_shapes(grid: HexGrid) -> list[NDArray[np.float64]]:
    """
    Corners of every hex.

    Parameters
    ----------
    grid
        H hexes.

    Returns
    -------
    list of ndarray
        H arrays of shape (6, 2), metres of the grid's projection.
    """
    corners = grid.hex_to_boundary(np.arange(grid.n_hexes))
    return list(np.stack(grid.project(corners[..., 0], corners[..., 1]), axis=-1))
