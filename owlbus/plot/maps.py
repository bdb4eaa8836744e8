"""Maps as functions: demand, coverage, a plan, and the difference of two plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.errors import DataError
from owlbus.plot.ground import draw_hexes, draw_routes, draw_scale, draw_terrain, legend_of, map_axes
from owlbus.plot.ink import DIFFERENCE_COLOURS, HEX_COLOURS, class_edges, class_texts, hex_classes
from owlbus.privacy import MIN_COUNT
from owlbus.search.objective import reached_hexes
from owlbus.units import hour_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.hexgrid import HexGrid
    from owlbus.network import Network
    from owlbus.plan import Plan

_HATCHES = {"both": "", "gained": "////", "lost": "...", "neither": ""}
_FAINT = "#d3d8e0"


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
    draw_hexes(axes, grid, np.where(near == reached, colours, _FAINT))
    draw_routes(axes, network, plan)
    draw_scale(axes, grid)
    what = f"people {_span(hours)}\n{'within' if reached else 'beyond'} {network.walk_m:g} m of a stop"
    legend_of(axes, [*HEX_COLOURS[: len(edges) + 1], _FAINT], [*class_texts(edges), "beyond" if reached else "within"], what)
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
        The routes they are held against.
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
