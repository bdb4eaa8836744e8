"""Maps: demand, coverage, plans, and the difference of two plans."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError
from owlbus.common.palette import (
    DIFFERENCE_COLOURS,
    FAINT,
    GREY,
    HEX_COLOURS,
    HILL,
    HILL_EDGE,
    KEY_EDGE,
    LINK_COLOURS,
    NET_COLOURS,
    WATER,
)
from owlbus.common.units import hour_label
from owlbus.evidence.redact import shown_hexes
from owlbus.plot.basemap import (
    draw_hexes,
    draw_routes,
    draw_scale,
    draw_terrain,
    hex_shapes,
    legend_of,
    map_axes,
)
from owlbus.plot.style import class_edges, class_texts, hex_classes, route_style
from owlbus.search.problem import reached_hexes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.evidence.difference import Difference
    from owlbus.evidence.evaluator import PlanEvaluator
    from owlbus.grid.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan


def draw_difference(
    evaluator: PlanEvaluator, change: Difference, before: Plan, after: Plan, *, title: str, note: str = "", min_count: float = MIN_COUNT
) -> Figure:
    """
    Draw who gains and who loses: trips with an end in each hex, over links that only one of both plans uses.

    Parameters
    ----------
    evaluator
        Holds grid and network.
    change
        The second plan against the first.
    before, after
        The plans.
    title, note
        Lines above the map.
    min_count
        Net trips a night below which a hex shows as "fewer".

    Returns
    -------
    Figure
        A matplotlib figure, 10 inches wide.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    grid = evaluator.problem.network.grid
    classes, steps = net_classes(shown_hexes(change, evaluator.districts, min_count), max(1.0, min_count))
    colours = [NET_COLOURS[k] for k in classes.tolist()]
    texts = {NET_COLOURS[k]: text.format(*steps) for k, text in _NET_TEXTS.items()}
    figure = Figure(figsize=(10, 7.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.add_collection(PolyCollection(hex_shapes(grid), facecolors=colours, edgecolors="white", linewidths=0.3))
    axes.autoscale_view()
    only = _draw_links(axes, evaluator.problem.network, before, after)
    patches = [Patch(facecolor=colour, edgecolor=KEY_EDGE, label=text) for colour, text in texts.items()]
    axes.legend(
        handles=[*patches, *only], title="net trips a night with an end here", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False
    )
    axes.set_title(f"{title}\n{note}" if note else title, loc="left", fontsize=12)
    return figure


def _draw_links(axes: Axes, network: Network, before: Plan, after: Plan) -> list[Any]:
    """Draw the links that only one of two plans uses, and those of both; return the handles of their legend."""
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    only: list[Any] = []
    for plan, other, colour, label in (
        (before, after, LINK_COLOURS["first"], "only the first plan"),
        (after, before, LINK_COLOURS["second"], "only the second plan"),
        (None, None, LINK_COLOURS["both"], "both plans"),
    ):
        links = _links(before) & _links(after) if plan is None or other is None else _links(plan) - _links(other)
        lines = [np.stack(network.grid.project(*network.link_line(a, b).T), axis=-1) for a, b in sorted(links)]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=1.2 if plan is None else 2.4, zorder=2 if plan is None else 3))
        only.append(Line2D([], [], color=colour, linewidth=2.4, label=label))
    return only


_NET_TEXTS = {
    -3: "{1:,.0f} and more lost",
    -2: "{0:,.0f} to {1:,.0f} lost",
    -1: "fewer lost",
    3: "{1:,.0f} and more gained",
    2: "{0:,.0f} to {1:,.0f} gained",
    1: "fewer gained",
    0: "no change",
}


def net_classes(columns: Mapping[str, NDArray[np.float64]], min_count: float = MIN_COUNT) -> tuple[NDArray[np.int8], tuple[float, float]]:
    """
    Class of each hex by the trips it gains less those it loses.

    Parameters
    ----------
    columns
        Trips a night by hex as `shown_hexes` leaves them, NaN where hidden.
    min_count
        Net trips a night below which a hex lies in the class nearest to no change.

    Returns
    -------
    classes
        Shape (H,), -3 for many lost to 3 for many gained, 0 for no change.
    steps
        Net trips a night at which the second and the third class begin.

    Examples
    --------
    >>> import numpy as np
    >>> shown = {"gained_trips": np.array([0.0, 90.0, np.nan]), "lost_trips": np.array([20.0, 0.0, 0.0])}
    >>> classes, steps = net_classes(shown)
    >>> classes.tolist(), steps
    ([-2, 3, 1], (15.0, 80.0))
    """
    gained, lost = (np.nan_to_num(columns[name], nan=min_count / 2) for name in ("gained_trips", "lost_trips"))
    net = gained - lost
    high = max(4 * min_count, float(np.quantile(np.abs(net[net != 0]), 0.9)) if (net != 0).any() else 0.0)
    steps = float(min_count), float(np.round(high, -1))
    sizes = np.searchsorted([np.finfo(np.float64).tiny, *steps], np.abs(net), side="right")
    return (np.sign(net) * sizes).astype(np.int8), steps


def _links(plan: Plan) -> set[tuple[int, int]]:
    """Pairs of stops that a plan rides between, either way."""
    return {(min(pair), max(pair)) for route in plan for pair in pairwise(route.stops.tolist())}


_HATCHES = {"both": "", "gained": "////", "lost": "...", "neither": ""}


def demand(
    grid: HexGrid, demand: Demand, *, hours: Iterable[int] | None = None, min_count: float = MIN_COUNT, ax: Axes | None = None
) -> Axes:
    """
    Draw how many people are present in each hex, in classes.

    Parameters
    ----------
    grid
        The hexes.
    demand
        Trips and people on these hexes.
    hours
        Service hours to count; all by default.
    min_count
        People a night below which a hex lies in the lowest class.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        In metres of the grid's projection.

    Raises
    ------
    DataError
        If the demand lies on other hexes.
    """
    people = _people(grid, demand, hours)
    edges = class_edges(people, min_count)
    axes = map_axes(ax, grid)
    draw_hexes(axes, grid, np.array(HEX_COLOURS)[hex_classes(people, edges)])
    draw_scale(axes, grid)
    legend_of(axes, HEX_COLOURS, class_texts(edges), f"people present {_span(hours)}")
    return axes


def coverage(
    network: Network,
    demand: Demand,
    plan: Plan,
    *,
    hours: Iterable[int] | None = None,
    reached: bool = True,
    min_count: float = MIN_COUNT,
    ax: Axes | None = None,
) -> Axes:
    """
    Draw the people whom a plan reaches on foot, or those whom it does not reach.

    Parameters
    ----------
    network
        The plan's network.
    demand
        Trips and people on its hexes.
    plan
        The routes.
    hours
        Service hours to count; all by default.
    reached
        Whether hexes within the walk of a stop are coloured, or the others.
    min_count
        People a night below which a hex lies in the lowest class.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        In metres of the grid's projection.

    Raises
    ------
    DataError
        If the demand lies on other hexes.
    """
    grid = network.grid
    people = _people(grid, demand, hours)
    near = reached_hexes(network, plan)
    edges = class_edges(people, min_count)
    colours = np.array(HEX_COLOURS)[hex_classes(people, edges, [near])]
    axes = map_axes(ax, grid)
    draw_hexes(axes, grid, np.where(near == reached, colours, FAINT))
    draw_routes(axes, network, plan)
    draw_scale(axes, grid)
    what = f"people {_span(hours)}\n{'within' if reached else 'beyond'} {network.walk_m:g} m of a stop"
    legend_of(axes, [*HEX_COLOURS[: len(edges) + 1], FAINT], [*class_texts(edges), "beyond" if reached else "within"], what)
    return axes


def plan(
    network: Network,
    plan: Plan,
    *,
    demand: Demand | None = None,
    water: Sequence[ArrayLike] = (),
    hills: ArrayLike = (),
    min_count: float = MIN_COUNT,
    ax: Axes | None = None,
) -> Axes:
    """
    Draw the routes of a plan, over the people it is made for if there are any.

    Parameters
    ----------
    network
        The plan's network.
    plan
        The routes.
    demand
        Trips and people on its hexes; None leaves the hexes pale.
    water
        Lines of rivers, lon/lat degrees, each of shape (n, 2).
    hills
        Discs without people: lon, lat and radius in metres, shape (n, 3).
    min_count
        People a night below which a hex lies in the lowest class.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        In metres of the grid's projection.

    Raises
    ------
    DataError
        If the demand lies on other hexes.
    """
    grid = network.grid
    axes = map_axes(ax, grid)
    people = np.zeros(grid.n_hexes) if demand is None else _people(grid, demand, None)
    edges = class_edges(people, min_count)
    draw_hexes(axes, grid, np.array(HEX_COLOURS)[hex_classes(people, edges)])
    draw_terrain(axes, grid, water, hills)
    draw_routes(axes, network, plan)
    draw_scale(axes, grid)
    if demand is not None:
        legend_of(axes, HEX_COLOURS, class_texts(edges), f"people present {_span(None)}")
    return axes


def difference(network: Network, plan: Plan, reference: Plan, *, ax: Axes | None = None) -> Axes:
    """
    Draw which hexes one plan reaches on foot and another does not.

    Parameters
    ----------
    network
        The network of both plans.
    plan
        The new routes; these are drawn.
    reference
        The routes that they are compared with.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        In metres of the grid's projection.
    """
    axes = map_axes(ax, network.grid)
    kinds = difference_kinds(reached_hexes(network, plan), reached_hexes(network, reference))
    colours = np.array(list(DIFFERENCE_COLOURS.values()))[kinds]
    marked = [(kinds == k, _HATCHES[name]) for k, name in enumerate(DIFFERENCE_COLOURS) if _HATCHES[name] and (kinds == k).any()]
    draw_hexes(axes, network.grid, colours, hatches=marked)
    draw_routes(axes, network, plan)
    draw_scale(axes, network.grid)
    counts = np.bincount(kinds, minlength=len(DIFFERENCE_COLOURS)).tolist()
    texts = [f"{name}: {count} hexes" for name, count in zip(DIFFERENCE_COLOURS, counts, strict=True)]
    legend_of(axes, list(DIFFERENCE_COLOURS.values()), texts, f"within {network.walk_m:g} m of a stop", [*_HATCHES.values()])
    return axes


def difference_kinds(near: NDArray[np.bool_], was_near: NDArray[np.bool_]) -> NDArray[np.int8]:
    """
    Index into `DIFFERENCE_COLOURS` of each hex: both, gained, lost, neither.

    Parameters
    ----------
    near, was_near
        Whether the new and the old plan reach each hex, shape (H,).

    Returns
    -------
    ndarray of int8
        Shape (H,), in [0, 4).

    Examples
    --------
    >>> import numpy as np
    >>> difference_kinds(np.array([True, True, False, False]), np.array([True, False, True, False])).tolist()
    [0, 1, 2, 3]
    """
    return np.where(near, np.where(was_near, 0, 1), np.where(was_near, 2, 3)).astype(np.int8)


def _people(grid: HexGrid, demand: Demand, hours: Iterable[int] | None) -> NDArray[np.float64]:
    """People a night in each hex."""
    if demand.n_hexes != grid.n_hexes:
        msg = f"demand must lie on the grid's {grid.n_hexes} hexes, got {demand.n_hexes}; estimate it on this grid"
        raise DataError(msg)
    return (demand if hours is None else demand.slice(hours=hours)).presence_by_hex()


def _span(hours: Iterable[int] | None) -> str:
    """Which part of the night is counted, for a legend."""
    return "a night" if hours is None else f"a night at {', '.join(hour_label(hour) for hour in hours)} h"


_MAP_IN, _SIDE_IN, _HEAD_IN = 8.1, 1.9, 0.62

_PALETTE = 128

_MOST_IN_LEGEND = 30

_LEGEND_ROW_IN, _LEGEND_GAP_IN = 0.19, 0.25


def draw_map(
    network: Network,
    presence: ArrayLike,
    plan: Plan,
    *,
    title: str,
    note: str = "",
    water: Sequence[ArrayLike] = (),
    hills: ArrayLike = (),
    min_count: float = MIN_COUNT,
) -> Figure:
    """
    Draw a plan over the people it is made for.

    Parameters
    ----------
    network
        The network that the plan's stops belong to, with a grid of H hexes.
    presence
        People a night in each hex, shape (H,).
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

    grid, people = network.grid, np.asarray(presence, dtype=np.float64)
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
        (note, 0.40, {"fontsize": 8.5, "color": GREY}),
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
        Patch(facecolor=colour, edgecolor=KEY_EDGE, linewidth=0.5, label=text)
        for colour, text in zip(HEX_COLOURS, class_texts(edges), strict=False)
    ]
    terrain: list[Any] = []
    if has_water:
        terrain.append(Line2D([], [], color=WATER, linewidth=5, label="river"))
    if has_hills:
        terrain.append(Patch(facecolor=HILL, edgecolor=HILL_EDGE, label="hill or mountain"))
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
    figure.add_artist(axes.legend(handles=[*hexes, *terrain], title="people present a night", bbox_to_anchor=(left, 0.97), **options))
    below = 0.97 - (_LEGEND_ROW_IN * (len(hexes) + len(terrain) + 1) + _LEGEND_GAP_IN) / figure.get_figheight()
    axes.legend(handles=lines, title="routes", bbox_to_anchor=(left, below), **options)
