"""The difference of two plans as a map: who gains, who loses, and which links only one of them uses."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.evidence.shown import shown_hexes
from owlbus.privacy import MIN_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from owlbus.evidence.difference import Difference
    from owlbus.evidence.ledger import Ledger
    from owlbus.plan import Plan


def draw_difference(
    ledger: Ledger, change: Difference, before: Plan, after: Plan, *, title: str, note: str = "", min_count: float = MIN_COUNT
) -> Figure:
    """
    Draw who gains and who loses: trips with an end in each hex, over links that only one of both plans uses.

    Parameters
    ----------
    ledger
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
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    grid = ledger.case.network.grid
    corners = grid.hex_to_boundary(np.arange(grid.n_hexes))
    shapes = np.stack(grid.project(corners[..., 0], corners[..., 1]), axis=-1)
    classes, steps = net_classes(shown_hexes(change, ledger.districts, min_count), min_count)
    colours = [NET_COLOURS[k] for k in classes.tolist()]
    texts = {NET_COLOURS[k]: text.format(*steps) for k, text in _NET_TEXTS.items()}
    figure = Figure(figsize=(10, 7.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.add_collection(PolyCollection(list(shapes), facecolors=colours, edgecolors="white", linewidths=0.3))
    axes.autoscale_view()
    only: list[Any] = []
    for plan, other, colour, label in (
        (before, after, "#b35806", "only the first plan"),
        (after, before, "#053061", "only the second plan"),
        (None, None, "#888888", "both plans"),
    ):
        links = _links(before) & _links(after) if plan is None or other is None else _links(plan) - _links(other)
        lines = [np.stack(grid.project(*ledger.case.network.link_line(a, b).T), axis=-1) for a, b in sorted(links)]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=1.2 if plan is None else 2.4, zorder=2 if plan is None else 3))
        only.append(Line2D([], [], color=colour, linewidth=2.4, label=label))
    patches = [Patch(facecolor=colour, edgecolor="#999999", label=text) for colour, text in texts.items()]
    axes.legend(
        handles=[*patches, *only], title="net trips a night with an end here", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False
    )
    axes.set_title(f"{title}\n{note}" if note else title, loc="left", fontsize=12)
    return figure


NET_COLOURS = {
    -3: "#b2182b",
    -2: "#ef8a62",
    -1: "#fddbc7",
    0: "#f2f2f2",
    1: "#d1e5f0",
    2: "#67a9cf",
    3: "#2166ac",
}
"""Many trips lost, some, few, no change, few gained, some, many."""

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
