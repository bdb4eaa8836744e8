"""Maps: demand, coverage, plans, and the difference of two plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import MIN_COUNT, Publisher
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
    STREET,
    WATER,
)
from owlbus.common.text import how_many
from owlbus.common.units import hour_label
from owlbus.evidence.printed_difference import printed_hexes
from owlbus.network.walk_sheds import reached_share
from owlbus.plot.basemap import (
    Hatch,
    draw_hexes,
    draw_routes,
    draw_scale,
    draw_streets,
    draw_terrain,
    legend_of,
    map_axes,
)
from owlbus.plot.labels import draw_labels, drawable
from owlbus.plot.style import (
    DIFFERENCE_KINDS,
    WITHIN_SHARE,
    class_texts,
    difference_kinds,
    people_classes,
    route_lines,
    route_style,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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
    from owlbus.plot.labels import MapLabel


def draw_difference(
    evaluator: PlanEvaluator,
    change: Difference,
    before: Plan,
    after: Plan,
    *,
    title: str,
    note: str = "",
    min_count: float | None = None,
    labels: Iterable[MapLabel] = (),
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
        Trips a night of which printed counts are multiples; that of the difference by default.
    labels
        Names of districts and places, most important first.

    Returns
    -------
    Figure
        A matplotlib figure, 10 inches wide.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    grid = evaluator.problem.network.grid
    classes, steps = net_classes(change, min_count)
    hatches = {k: _NET_HATCHES[int(np.sign(k))] for k in NET_COLOURS}
    figure = Figure(figsize=(10, 7.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.set_axis_off()
    marked = [(classes == k, hatch) for k, hatch in hatches.items() if hatch.pattern]
    draw_hexes(axes, grid, np.array([NET_COLOURS[k] for k in classes.tolist()]), hatches=marked)
    draw_streets(axes, evaluator.problem.network)
    only = _draw_links(axes, evaluator.problem.network, before, after)
    patches = [
        Patch(facecolor=NET_COLOURS[k], edgecolor=KEY_EDGE, hatch=hatches[k].pattern, label=text.format(*steps))
        for k, text in _NET_TEXTS.items()
    ]
    options: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
    axes.legend(handles=[*patches, *only], title="net trips a night with an end here", **options)
    axes.set_title(f"{title}\n{note}" if note else title, loc="left", fontsize=12)
    figure.draw_without_rendering()  # settles the layout, which tells how large a label is
    network = evaluator.problem.network
    draw_labels(axes, network, after, route_lines(network, after), labels)
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
    3: "+ {2:,.0f} and more gained",
    2: "+ {1:,.0f} to {2:,.0f} gained",
    1: "+ {0:,.0f} to {1:,.0f} gained",
    0: "less than {0:,.0f} either way",
    -1: "\u2212 {0:,.0f} to {1:,.0f} lost",
    -2: "\u2212 {1:,.0f} to {2:,.0f} lost",
    -3: "\u2212 {2:,.0f} and more lost",
}
_NET_HATCHES = {1: Hatch("////"), 0: Hatch(), -1: Hatch("...")}


def net_classes(change: Difference, min_count: float | None = None) -> tuple[NDArray[np.int8], tuple[float, float, float]]:
    """
    Class of each hex by the printed trips that it gains less those that it loses.

    Parameters
    ----------
    change
        The difference, over H hexes.
    min_count
        Trips a night of which printed counts are multiples; that of the difference by default.

    Returns
    -------
    classes
        Shape (H,), -3 for many lost to 3 for many gained, 0 where no difference can be told from rounding.
    steps
        Net trips a night at which the classes away from 0 begin, ascending.
    """
    columns = printed_hexes(change, min_count)
    publisher = Publisher(change.min_count if min_count is None else min_count)
    net = columns["gained_trips"] - columns["lost_trips"]
    base, low = publisher.base or 1.0, publisher.least_change or 1.0
    told = np.abs(net[np.abs(net) >= low])
    middle, high = np.quantile(told, (0.5, 0.9)).tolist() if told.size else (0.0, 0.0)
    middle = max(2 * low, round(middle / base) * base)
    steps = low, middle, max(2 * middle, round(high / base) * base)
    sizes = np.searchsorted(steps, np.abs(net), side="right")
    return (np.sign(net) * sizes).astype(np.int8), steps


def _links(plan: Plan) -> set[tuple[int, int]]:
    """Pairs of stops that a plan rides between, either way."""
    return {(min(pair), max(pair)) for route in plan for pair in route.segments}


_DIFFERENCE_STYLES = {
    "both": (DIFFERENCE_COLOURS["both"], Hatch(), "no change, within the walk"),
    "gained": (DIFFERENCE_COLOURS["gained"], Hatch("////"), "half or more gained"),
    "gainedPart": (DIFFERENCE_COLOURS["neither"], Hatch("////", DIFFERENCE_COLOURS["gained"], 1.2), "less than half gained"),
    "lost": (DIFFERENCE_COLOURS["lost"], Hatch("..."), "half or more lost"),
    "lostPart": (DIFFERENCE_COLOURS["neither"], Hatch("...", DIFFERENCE_COLOURS["lost"], 1.2), "less than half lost"),
    "neither": (DIFFERENCE_COLOURS["neither"], Hatch(), "reached by neither"),
}
"""Colour, pattern and name of each kind of hex."""

_PARTLY = Hatch("////", FAINT, 1.8)
"""Stripes over a hex of which a part is in the layer shown."""


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
        People a night of which printed counts are multiples, and below which a hex lies in the lowest class.
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
    classes, edges = people_classes(people, min_count)
    axes = map_axes(ax, grid)
    draw_hexes(axes, grid, np.array(HEX_COLOURS)[classes])
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
        Whether hexes within the walk of a stop are coloured, or those beyond. A hex counts as within if half of its area or more is;
        one with less, but not nothing, is striped in both maps.
    min_count
        People a night of which printed counts are multiples, and below which a hex lies in the lowest class.
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
    share = reached_share(network, plan.used_stops)
    partly = (share > 0) & (share < WITHIN_SHARE)
    classes, edges = people_classes(people, min_count)
    colours = np.array(HEX_COLOURS)[classes]
    axes = map_axes(ax, grid)
    draw_hexes(axes, grid, np.where(partly | ((share > 0) == reached), colours, FAINT), hatches=[(partly, _PARTLY)])
    draw_streets(axes, network)
    draw_routes(axes, network, plan)
    draw_scale(axes, grid)
    what = f"people {_span(hours)}\n{'within' if reached else 'beyond'} {network.walk_m:g} m of a stop"
    shades, middle = HEX_COLOURS[: len(edges) + 1], HEX_COLOURS[len(edges) // 2 + 1]
    texts = [*class_texts(edges), "less than half within", "beyond" if reached else "half or more within"]
    legend_of(axes, [*shades, middle, FAINT], texts, what, [*[Hatch()] * len(shades), _PARTLY, Hatch()])
    return axes


def plan(
    network: Network,
    plan: Plan,
    *,
    demand: Demand | None = None,
    water: Sequence[ArrayLike] = (),
    hills: ArrayLike = (),
    labels: Iterable[MapLabel] = (),
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
    labels
        Names of districts and places, most important first.
    min_count
        People a night of which printed counts are multiples, and below which a hex lies in the lowest class.
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
    classes, edges = people_classes(people, min_count)
    draw_hexes(axes, grid, np.array(HEX_COLOURS)[classes])
    draw_streets(axes, network)
    draw_terrain(axes, grid, water, hills)
    draw_routes(axes, network, plan, labels)
    draw_scale(axes, grid)
    if demand is not None:
        legend_of(axes, HEX_COLOURS, class_texts(edges), f"people present {_span(None)}")
    return axes


def difference(network: Network, plan: Plan, reference: Plan, *, labels: Iterable[MapLabel] = (), ax: Axes | None = None) -> Axes:
    """
    Draw of which hexes one plan reaches more or less on foot than another, by their area.

    Parameters
    ----------
    network
        The network of both plans.
    plan
        The new routes; these are drawn.
    reference
        The routes that they are compared with.
    labels
        Names of districts and places, most important first.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        In metres of the grid's projection.
    """
    axes = map_axes(ax, network.grid)
    kinds = difference_kinds(reached_share(network, plan.used_stops), reached_share(network, reference.used_stops))
    colours, hatches, names = zip(*(_DIFFERENCE_STYLES[kind] for kind in DIFFERENCE_KINDS), strict=True)
    marked = [(kinds == k, hatch) for k, hatch in enumerate(hatches) if hatch.pattern]
    draw_hexes(axes, network.grid, np.array(colours)[kinds], hatches=marked)
    draw_streets(axes, network)
    draw_routes(axes, network, plan, labels)
    draw_scale(axes, network.grid)
    counts = np.bincount(kinds, minlength=len(names)).tolist()
    texts = [f"{name}: {how_many(count, 'hex')}" for name, count in zip(names, counts, strict=True)]
    legend_of(axes, colours, texts, f"area within {network.walk_m:g} m of a stop", hatches)
    return axes


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

_PALETTE = 256

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
    labels: Iterable[MapLabel] = (),
) -> Figure:
    """
    Draw a plan over the people it is made for, and over the streets of its network.

    Parameters
    ----------
    network
        The network that the plan's stops belong to, with a grid of H hexes.
    presence
        People a night in each hex, shape (H,).
    plan
        Routes to draw; each is labelled at both terminals, which are named, and along its way.
    title, note
        Two lines above the map; the note says what is synthetic.
    water
        Lines of rivers, lon/lat degrees, each of shape (n, 2).
    hills
        Discs without people: lon, lat and radius in metres, shape (n, 3).
    min_count
        People a night of which printed counts are multiples, and below which a hex lies in the lowest class.
    labels
        Names of districts and places, most important first; those that find a free spot are drawn. Names are in Latin letters where
        they are known; one that the font of matplotlib lacks glyphs for is left out.

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
    classes, edges = people_classes(people, min_count)
    draw_hexes(axes, grid, np.array(HEX_COLOURS)[classes])
    draw_streets(axes, network)
    draw_terrain(axes, grid, water, hills)
    draw_routes(axes, network, plan, labels)
    draw_scale(axes, grid)
    ground = {"river": len(water) > 0, "hill or mountain": np.size(hills) > 0, "street with buses": network.source != "lattice"}
    _draw_legend(figure, axes, plan, edges, {name for name, is_drawn in ground.items() if is_drawn})
    for text, down_in, style in (
        (title, 0.12, {"fontsize": 13, "fontweight": "bold"}),
        (note, 0.40, {"fontsize": 8.5, "color": GREY}),
    ):
        shown = "".join(drawable(letter) for letter in text)
        figure.text(0.015, 1 - down_in / height_in, shown, va="top", parse_math=False, **style)  # type: ignore[arg-type]
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


def _draw_legend(figure: Figure, axes: Axes, plan: Plan, edges: list[float], ground: set[str]) -> None:
    """Explain colours beside the map: people a night, routes, water and hills."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    hexes = [
        Patch(facecolor=colour, edgecolor=KEY_EDGE, linewidth=0.5, label=text)
        for colour, text in zip(HEX_COLOURS, class_texts(edges), strict=False)
    ]
    known: list[Any] = [
        Line2D([], [], color=WATER, linewidth=5, label="river"),
        Patch(facecolor=HILL, edgecolor=HILL_EDGE, label="hill or mountain"),
        Line2D([], [], color=STREET, linewidth=0.8, label="street with buses"),
    ]
    terrain = [handle for handle in known if handle.get_label() in ground]
    styles = [(route, *route_style(k)) for k, route in enumerate(plan)]
    lines = [
        Line2D([], [], color=colour, linestyle=dashes, linewidth=2.4, label=drawable(route.name, f"R{k + 1}").replace("$", r"\$"))
        for k, (route, colour, dashes) in enumerate(styles[:_MOST_IN_LEGEND])
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
