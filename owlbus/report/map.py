"""The map of a plan: hexes coloured by demand, routes over them, water, legend and scale."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from owlbus.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan

MIN_COUNT = 15
"""People a night below which a hex shows its class only as "fewer"."""

ROUTE_COLOURS = ("#332288", "#117733", "#cc3311", "#0077bb", "#aa4499", "#b8860b", "#009988", "#882255", "#444444")
"""Nine colours that stay apart for colour-blind readers; the tenth route takes the first one again, dashed."""

_HEX_COLOURS = ("#f6f4ef", "#fde9c0", "#fbcf8b", "#f4ab5a", "#dd7f35", "#b5541c")
_MAP_IN, _SIDE_IN, _HEAD_IN = 8.1, 1.9, 0.62
_LANE_POINTS = 2.6
_PALETTE = 128
_WATER = "#8fb8d8"
_HILL = "#dfe5d5"
_INK = "#222222"
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))


def draw_map(
    grid: HexGrid,
    presence: ArrayLike,
    network: Network,
    plan: Plan,
    *,
    title: str,
    note: str = "",
    water: Sequence[ArrayLike] = (),
    hills: ArrayLike = (),
    min_count: int = MIN_COUNT,
) -> Figure:
    """
    Draw a plan over the people it is made for.

    Parameters
    ----------
    grid
        Hexes, H of them.
    presence
        People a night in each hex, shape (H,).
    network
        The network that the plan's stops belong to.
    plan
        Routes to draw; each is labelled at both terminals.
    title, note
        Two lines above the map; the note says what is synthetic.
    water
        Lines of rivers, lon/lat degrees, each of shape (n, 2).
    hills
        Discs without people: lon, lat and radius in metres, shape (n, 3).
    min_count
        People a night below which a hex is drawn in the lowest class.

    Returns
    -------
    Figure
        A matplotlib figure, 10 inches wide.

    Raises
    ------
    DataError
        If `presence` does not hold one number per hex.
    """
    from matplotlib.figure import Figure

    people = np.asarray(presence, dtype=np.float64)
    if people.shape != (grid.n_hexes,):
        msg = f"presence must have one number per hex, shape ({grid.n_hexes},), got {people.shape}"
        raise DataError(msg)
    map_in = _MAP_IN * float(np.ptp(grid.y_m) + 4 * grid.radius_m) / float(np.ptp(grid.x_m) + 2 * grid.radius_m)
    width_in, height_in = _MAP_IN + _SIDE_IN, min(max(map_in, 4.5), 14.0) + _HEAD_IN
    figure = Figure(figsize=(width_in, height_in))
    axes = figure.add_axes((0.01, 0.01, _MAP_IN / width_in, 1 - _HEAD_IN / height_in))
    axes.set_aspect("equal", anchor="NW")
    axes.set_axis_off()
    edges = _class_edges(people, min_count)
    _draw_ground(axes, grid, (people, edges), water, hills)
    _draw_routes(axes, grid, network, plan)
    _draw_scale(axes, grid)
    _draw_legend(figure, axes, plan, edges, has_water=len(water) > 0, has_hills=np.size(hills) > 0)
    for text, down_in, style in (
        (title, 0.12, {"fontsize": 13, "fontweight": "bold"}),
        (note, 0.40, {"fontsize": 8.5, "color": "#444444"}),
    ):
        figure.text(0.015, 1 - down_in / height_in, text, va="top", **style)  # type: ignore[arg-type]
    return figure


def write_map(path: str | PathLike[str], figure: Figure, dpi: int = 110) -> None:
    """
    Write a figure as PNG, the same bytes for the same figure and matplotlib.

    Parameters
    ----------
    path
        File to write.
    figure
        From `draw_map`.
    dpi
        Pixels per inch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.quantize(_PALETTE, dither=Image.Dither.NONE).save(path, format="png", optimize=True, dpi=(dpi, dpi))


def _class_edges(people: NDArray[np.float64], min_count: int) -> list[float]:
    """Lower edges of the hex classes above the lowest: round numbers that split the busy hexes into about equal parts."""
    busy = people[people >= min_count]
    if not busy.size:
        return [float(min_count)]
    wanted = np.quantile(busy, np.linspace(0, 1, len(_HEX_COLOURS))[1:-1])
    edges = [float(min_count)]
    for value in wanted:
        edge = _rounded(float(value))
        if edge > edges[-1]:
            edges.append(edge)
    return edges


def _rounded(value: float) -> float:
    """Value to two significant figures at most, the second one 0 or 5."""
    unit = 10.0 ** math.floor(math.log10(value))
    return round(value / unit * 2) / 2 * unit if value >= 1 else value


def _draw_ground(
    axes: Axes, grid: HexGrid, people: tuple[NDArray[np.float64], list[float]], water: Sequence[ArrayLike], hills: ArrayLike
) -> None:
    """Fill every hex with the colour of its class; draw hills and rivers over them, cut off where the hexes end."""
    import shapely
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Circle
    from matplotlib.path import Path as Outline

    corners = grid.hex_to_boundary(np.arange(grid.n_hexes))
    shapes = list(np.stack(grid.project(corners[..., 0], corners[..., 1]), axis=-1))
    presence, edges = people
    colours = np.array(_HEX_COLOURS)[np.searchsorted(edges, presence, side="right")]
    axes.add_collection(PolyCollection(shapes, facecolors=colours.tolist(), edgecolors="white", linewidths=0.35))
    axes.autoscale_view()
    frame = axes.axis()
    rings = [
        ring
        for part in shapely.get_parts(shapely.union_all(shapely.buffer(shapely.polygons(shapes), 1.0)))
        for ring in (part.exterior, *part.interiors)
    ]
    area = Outline.make_compound_path(*(Outline(shapely.get_coordinates(ring), closed=True) for ring in rings))
    drawn: list[Any] = []
    for lon, lat, radius_m in np.asarray(hills, dtype=np.float64).reshape(-1, 3):
        x, y = grid.project(lon, lat)
        disc = Circle((float(x), float(y)), radius_m, facecolor=_HILL, edgecolor="#b9c4a8", linewidth=0.6, alpha=0.75, zorder=1.5)
        drawn.append(axes.add_patch(disc))
    for line in water:
        points = np.asarray(line, dtype=np.float64)
        drawn += axes.plot(*grid.project(points[:, 0], points[:, 1]), color=_WATER, linewidth=5, alpha=0.85, zorder=2)
    for shape in drawn:
        shape.set_clip_path(area, axes.transData)
    axes.axis(frame)


def _draw_routes(axes: Axes, grid: HexGrid, network: Network, plan: Plan) -> None:
    """Draw each route along its streets with a white casing, side by side where they share them, and its name at both terminals."""
    import matplotlib.patheffects as effects

    casing: list[Any] = [effects.Stroke(linewidth=3.6, foreground="white"), effects.Normal()]
    lane_m = (float(np.ptp(grid.x_m)) + 2 * grid.radius_m) / (_MAP_IN * 72) * _LANE_POINTS
    users = _users_of_links(plan)
    for k, route in enumerate(plan):
        parts = []
        for a, b in pairwise(route.stops.tolist()):
            line = network.link_line(a, b)
            who = users[min(a, b), max(a, b)]
            lane = (who.index(k) - (len(who) - 1) / 2) * (1 if a < b else -1)
            parts.append(_beside(np.stack(grid.project(line[:, 0], line[:, 1]), axis=-1), lane * lane_m))
        x, y = np.concatenate(parts).T
        colour, dashes = _style(k)
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=2.0, path_effects=casing, zorder=3 + k / 100, solid_joinstyle="round")
        for end in (0, -1):
            axes.plot(x[end], y[end], marker="o", markersize=5, color="white", markeredgecolor=colour, markeredgewidth=1.6, zorder=5)
            _label(axes, (float(x[end]), float(y[end])), route.name, colour)


def _users_of_links(plan: Plan) -> dict[tuple[int, int], list[int]]:
    """Places of the routes that run along each pair of stops, ascending."""
    users: dict[tuple[int, int], list[int]] = {}
    for k, route in enumerate(plan):
        for a, b in {(min(pair), max(pair)) for pair in pairwise(route.stops.tolist())}:
            users.setdefault((a, b), []).append(k)
    return users


def _beside(line: NDArray[np.float64], shift_m: float) -> NDArray[np.float64]:
    """Line of shape (n, 2) moved sideways by `shift_m` metres, to the left of its way from end to end."""
    dx, dy = line[-1] - line[0]
    length = math.hypot(dx, dy)
    return line + np.array([-dy, dx]) / length * shift_m if length > 0 else line


def _label(axes: Axes, at: tuple[float, float], name: str, colour: str) -> None:
    """Write a route's name beside one of its terminals, on the side away from the map's middle."""
    left, right, low, high = axes.axis()
    way = np.array([at[0] - (left + right) / 2, at[1] - (low + high) / 2])
    shift = 11 * way / max(1.0, float(np.hypot(*way)))
    axes.annotate(
        name,
        at,
        (float(shift[0]), float(shift[1])),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=7.5,
        fontweight="bold",
        color="white",
        bbox={"boxstyle": "round,pad=0.22", "facecolor": colour, "edgecolor": "white", "linewidth": 0.8},
        zorder=6,
        annotation_clip=False,
    )


def _style(k: int) -> tuple[str, Any]:
    """Colour and dashes of the route in place `k`."""
    turn, place = divmod(k, len(ROUTE_COLOURS))
    return ROUTE_COLOURS[place], _DASHES[turn % len(_DASHES)]


def _draw_scale(axes: Axes, grid: HexGrid) -> None:
    """Draw a scale bar of a round length, about a sixth of the map's width, in the lower left."""
    width_m = float(np.ptp(grid.x_m)) + 2 * grid.radius_m
    length_m = next((unit for unit in (50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200) if unit <= width_m / 5), 100)
    x, y = float(grid.x_m.min()), float(grid.y_m.min()) - grid.radius_m
    axes.plot([x, x + length_m / 2], [y, y], color=_INK, linewidth=4, solid_capstyle="butt", zorder=7)
    axes.plot([x + length_m / 2, x + length_m], [y, y], color="#aaaaaa", linewidth=4, solid_capstyle="butt", zorder=7)
    text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"  # noqa: PLR2004 - metres in a kilometre
    axes.annotate(text, (x + length_m, y), (5, 0), textcoords="offset points", va="center", fontsize=9, color=_INK)


def _draw_legend(figure: Figure, axes: Axes, plan: Plan, edges: list[float], *, has_water: bool, has_hills: bool) -> None:
    """Explain colours beside the map: people a night, routes, water and hills."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    texts = [f"fewer than {edges[0]:,.0f}", *(f"{low:,.0f} to {high:,.0f}" for low, high in pairwise(edges)), f"{edges[-1]:,.0f} and more"]
    hexes = [
        Patch(facecolor=colour, edgecolor="#999999", linewidth=0.5, label=text) for colour, text in zip(_HEX_COLOURS, texts, strict=False)
    ]
    ground: list[Any] = []
    if has_water:
        ground.append(Line2D([], [], color=_WATER, linewidth=5, label="river"))
    if has_hills:
        ground.append(Patch(facecolor=_HILL, edgecolor="#b9c4a8", label="hill or mountain"))
    lines = [
        Line2D([], [], color=_style(k)[0], linestyle=_style(k)[1], linewidth=2.4, label=route.name)
        for k, route in enumerate(plan)
        if k < 30  # noqa: PLR2004
    ]
    left = (_MAP_IN + 0.1) / (_MAP_IN + _SIDE_IN)
    options: dict[str, Any] = {
        "loc": "upper left",
        "frameon": False,
        "fontsize": 8.5,
        "alignment": "left",
        "bbox_transform": figure.transFigure,
    }
    figure.add_artist(axes.legend(handles=[*hexes, *ground], title="people present a night", bbox_to_anchor=(left, 0.97), **options))
    if lines:
        axes.legend(handles=lines, title="routes", bbox_to_anchor=(left, 0.66), **options)
