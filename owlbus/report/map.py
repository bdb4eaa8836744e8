"""The map of a plan as one picture: hexes coloured by demand, routes over them, water, legend and scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.errors import DataError
from owlbus.plot.ground import draw_hexes, draw_routes, draw_scale, draw_terrain
from owlbus.plot.ink import HEX_COLOURS, HILL, HILL_EDGE, WATER, class_edges, class_texts, hex_classes, route_style
from owlbus.privacy import MIN_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from owlbus.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan

_MAP_IN, _SIDE_IN, _HEAD_IN = 8.1, 1.9, 0.62
_PALETTE = 128
_MOST_IN_LEGEND = 30
_LEGEND_ROW_IN, _LEGEND_GAP_IN = 0.19, 0.25


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
    edges = class_edges(people, min_count)
    draw_hexes(axes, grid, np.array(HEX_COLOURS)[hex_classes(people, edges)])
    draw_terrain(axes, grid, water, hills)
    draw_routes(axes, network, plan)
    draw_scale(axes, grid)
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


def _draw_legend(figure: Figure, axes: Axes, plan: Plan, edges: list[float], *, has_water: bool, has_hills: bool) -> None:
    """Explain colours beside the map: people a night, routes, water and hills."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    hexes = [
        Patch(facecolor=colour, edgecolor="#999999", linewidth=0.5, label=text)
        for colour, text in zip(HEX_COLOURS, class_texts(edges), strict=False)
    ]
    ground: list[Any] = []
    if has_water:
        ground.append(Line2D([], [], color=WATER, linewidth=5, label="river"))
    if has_hills:
        ground.append(Patch(facecolor=HILL, edgecolor=HILL_EDGE, label="hill or mountain"))
    styles = [(route, *route_style(k)) for k, route in enumerate(plan)]
    lines = [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=2.4, label=route.name)
        for route, colour, dashes in styles[:_MOST_IN_LEGEND]
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
    below = 0.97 - (_LEGEND_ROW_IN * (len(hexes) + len(ground) + 1) + _LEGEND_GAP_IN) / figure.get_figheight()
    axes.legend(handles=lines, title="routes", bbox_to_anchor=(left, below), **options)
