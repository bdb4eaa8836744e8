"""Charts: riders along a route, coverage by number of routes, gain by allowed change, and the time-distance diagram of a timetable."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.palette import GREY, GRID, INK, MID_GREY, NET_COLOURS, ROUTE_COLOURS
from owlbus.common.units import HOUR_S
from owlbus.plot.basemap import new_axes, plain
from owlbus.plot.labels import drawable_name
from owlbus.plot.style import route_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from owlbus.network import Network
    from owlbus.score import Scorecard
    from owlbus.timetable import Timetable

_DAY_HOURS = 24
_TICK_GAP_SHARE = 0.045
_MARKERS = "os^Dv"
_CITY_GAIN_PERCENT = 10


def load(card: Scorecard, route: str | None = None, *, min_count: float | None = None, ax: Axes | None = None) -> Axes:
    """
    Draw riders a night between the stops of a route: upwards in the order of its stops, downwards against it.

    Segments with fewer riders than the base of printed counts stay empty.

    Parameters
    ----------
    card
        Scorecard of the plan.
    route
        Name of the route; the one with the fullest segment by default.
    min_count
        Riders a night of which printed counts are multiples; that of the scorecard by default.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        Segment along the route, and riders a night.

    Raises
    ------
    UsageError
        If the scorecard has no such route.
    """
    names = [row.name for row in card.routes]
    printed = card.to_dict(min_count)
    chosen = route or max(printed["routes"], key=lambda row: row["max_load_trips"] or 0.0)["name"] if names else route
    if chosen not in names:
        msg = f"{setting('route')} must be one of {', '.join(names) or 'none'}, got {chosen!r}"
        raise UsageError(msg, setting="route", value=chosen, allowed=tuple(names))
    rows = [row for row in printed["segments"] if row["route"] == chosen]
    axes = new_axes(ax, 7.0, 3.2)
    colour = route_style(names.index(chosen))[0]
    for side, sign, tint in (("ahead_trips", 1, 0.0), ("back_trips", -1, 0.45)):
        values = [sign * (row[side] or 0.0) for row in rows]
        axes.bar([row["place"] + 0.5 for row in rows], values, width=0.92, color=_tinted(colour, tint))
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlim(0, max(len(rows), 1))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    plain(axes)
    axes.set_xlabel("segment, counted from the first stop")
    axes.set_ylabel("riders a night\n← back      ahead →")
    axes.set_title(f"{_plain_text(chosen)}: riders along the route", loc="left", fontsize=11)
    return axes


def sweep(
    n_routes: ArrayLike,
    shares: Mapping[str, Sequence[float | None] | NDArray[np.float64]],
    *,
    bounds: Sequence[float | None] | NDArray[np.float64] | None = None,
    city_share: float | None = None,
    knee: float | None = None,
    spreads: Sequence[tuple[float, float]] | None = None,
    spread_label: str = "over seeds",
    unclear: Sequence[float] = (),
    ax: Axes | None = None,
) -> Axes:
    """
    Draw how coverage grows with the number of routes.

    Parameters
    ----------
    n_routes
        Numbers of routes, shape (n,), ascending.
    shares
        By label, such as ``trips served``: shares 0 to 1, shape (n,); None leaves a gap.
    bounds
        Proven upper bounds, 0 to 1, shape (n,), None where there is none; none by default.
    city_share
        A share to compare them with, 0 to 1; none by default.
    knee
        Number of routes to mark as the knee of the curve; none by default.
    spreads
        Lowest and highest objective over seeds or starts, 0 to 1, shape (n, 2), drawn as bars; none by default.
    spread_label
        What the bars are called.
    unclear
        Numbers of routes whose gain over the number before lies within the bars; they are marked and explained in words.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        Number of routes, and percent.

    Raises
    ------
    DataError
        If a curve has not one share per number of routes, or a share lies outside [0, 1].
    """
    numbers = np.asarray(n_routes)
    axes = new_axes(ax, 7.0, 4.0)
    curves: dict[str, Any] = dict(shares) | ({} if bounds is None else {"proven bound": bounds})
    for k, (label, values) in enumerate(curves.items()):
        curve = _require_shares(label, values, numbers.size)
        is_bound = label == "proven bound"
        style: dict[str, Any] = {"color": GREY, "linestyle": "--"} if is_bound else {"color": ROUTE_COLOURS[k], "marker": _MARKERS[k % 5]}
        axes.plot(numbers, 100 * curve, linewidth=2, markersize=5, label=label, **style)
        axes.annotate(
            label, _last_point(numbers, 100 * curve), (7, 0), textcoords="offset points", va="center", fontsize=9, color=style["color"]
        )
    if spreads is not None:
        _draw_spreads(axes, numbers, spreads, spread_label, unclear)
    if city_share is not None:
        _draw_city_share(axes, city_share, float(numbers[0]))
    if knee is not None:
        axes.axvline(knee, color=MID_GREY, linewidth=1, linestyle="--", zorder=0)
        axes.annotate(f"knee at {knee:g}", (knee, 0), (4, 4), textcoords="offset points", fontsize=9)
    plain(axes)
    axes.margins(x=0.02)
    axes.set_ylim(bottom=0)
    axes.set_xticks(numbers)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    axes.set_xlabel("routes")
    axes.set_ylabel("share of the demand")
    return axes


def _draw_spreads(axes: Axes, numbers: NDArray[Any], spreads: Sequence[tuple[float, float]], label: str, unclear: Sequence[float]) -> None:
    """Draw bars from the lowest to the highest objective, and mark the numbers whose gain lies within them."""
    low, high = 100 * np.asarray(spreads, np.float64).T
    axes.vlines(numbers, low, high, colors=INK, linewidth=1.5, label=label)
    half = 0.01 * np.ptp(numbers)
    axes.hlines([*low, *high], np.tile(numbers - half, 2), np.tile(numbers + half, 2), colors=INK, linewidth=1.5)
    for number in unclear:
        axes.annotate("*", (number, high[list(numbers).index(number)]), (0, 2), textcoords="offset points", ha="center", color=INK)
    explained = f"bars: {label}" + ("; *: gain within that spread" if unclear else "")
    axes.annotate(explained, (1, 0), (0, 18), xycoords="axes fraction", textcoords="offset points", ha="right", fontsize=8, color=INK)


def _draw_city_share(axes: Axes, city_share: float, left: float) -> None:
    """Draw the share that the city states as a level line, named at its left end."""
    from matplotlib import patheffects as effects

    axes.axhline(100 * city_share, color=INK, linewidth=1, linestyle=":")
    axes.annotate(
        f"{100 * city_share:.0f} %, as the city states it",
        (left, 100 * city_share),
        (0, 4),
        textcoords="offset points",
        fontsize=8.5,
        path_effects=[effects.withStroke(linewidth=3, foreground="white")],
        zorder=6,
    )


def gain(allowed_shares: ArrayLike, gain_ratios: ArrayLike, intervals: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """
    Draw how many more trips a plan serves if more of its stops may change.

    Parameters
    ----------
    allowed_shares
        Shares of the stops that may change, 0 to 1, shape (n,).
    gain_ratios
        Additional trips over those served before, dimensionless, shape (n,).
    intervals
        Interval of each ratio over nights, shape (n, 2).
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        Percent of the stops, and percent of the trips served before.
    """
    percents, gains = 100 * np.asarray(allowed_shares, dtype=np.float64), 100 * np.asarray(gain_ratios, dtype=np.float64)
    low, high = 100 * np.asarray(intervals, dtype=np.float64).reshape(-1, 2).T
    axes = new_axes(ax, 7.0, 4.2)
    axes.fill_between(percents, low, high, color=NET_COLOURS[1], label="90 % interval over nights")
    axes.plot(percents, gains, marker="o", color=NET_COLOURS[3], label="more trips served")
    for percent, value in zip(percents.tolist(), gains.tolist(), strict=True):
        axes.annotate(f"+{value:.0f} %", (percent, value), (4, -12), textcoords="offset points", fontsize=9)
    axes.axhline(_CITY_GAIN_PERCENT, color=GREY, linestyle=":", label=f"up to {_CITY_GAIN_PERCENT} %, as the city states it")
    axes.set_xlabel("stops that may change, %")
    axes.set_ylabel("trips served over the given plan, %")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def timetable(timetable: Timetable, route: int | str = 0, *, network: Network | None = None, ax: Axes | None = None) -> Axes:
    """
    Draw the time-distance diagram of a route: every run as a line over time and distance.

    Parameters
    ----------
    timetable
        Runs of the night.
    route
        Index of the route in the plan, or its name.
    network
        The plan's network, for the names of stops; none by default.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    Axes
        Time of the night in hours, and kilometres from the first stop.

    Raises
    ------
    UsageError
        If the plan has no such route.
    """
    k = _route_index(timetable, route)
    name = timetable.plan.routes[k].name
    axes = new_axes(ax, 8.0, 4.4)
    colour = route_style(k)[0]
    ahead, back = timetable.directions[2 * k], timetable.directions[2 * k + 1]
    for row, direction, at_m, dashes, label in (
        (2 * k, ahead, ahead.at_m, "-", "ahead"),
        (2 * k + 1, back, ahead.at_m[::-1], "--", "back"),
    ):
        distance_km = np.repeat(at_m, 2) / 1000
        for run, start_s in enumerate(timetable.starts_s(row).tolist()):
            hours = (start_s + np.column_stack(direction.times_s(start_s)).ravel()) / HOUR_S
            axes.plot(hours, distance_km, color=colour, linestyle=dashes, linewidth=1.5, label=label if run == 0 else None)
    plain(axes)
    axes.grid(visible=True, axis="x", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(_clock_ticks())
    axes.xaxis.set_major_formatter(lambda value, _: f"{int(value) % _DAY_HOURS:02d}:{round(value % 1 * 60):02d}")
    axes.set_xlabel("time of the night")
    axes.set_ylabel("km from the first stop")
    if network is not None:
        _name_stops(axes, network, ahead.stops.tolist(), (ahead.at_m / 1000).tolist())
    axes.set_title(f"{_plain_text(name)}: runs of a night", loc="left", fontsize=11)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=8.5)
    return axes


def _require_shares(label: str, values: ArrayLike, size: int) -> Any:  # noqa: ANN401 - an array of floats
    """Return a curve as an array, NaN for gaps, if it has one share or None per number of routes, and not only None."""
    curve = np.asarray(values, dtype=np.float64)
    known = curve[~np.isnan(curve)]
    if curve.shape != (size,) or not known.size or not ((known >= 0) & (known <= 1)).all():
        msg = f"{label} must hold {size} shares in [0, 1], one per number of routes, got shape {curve.shape} and {curve.tolist()[:3]}"
        raise DataError(msg)
    return curve


def _last_point(numbers: NDArray[Any], curve: NDArray[np.float64]) -> tuple[float, float]:
    """Return the last point of a curve that is no gap."""
    k = int(np.flatnonzero(~np.isnan(curve))[-1])
    return float(numbers[k]), float(curve[k])


def _route_index(timetable: Timetable, route: int | str) -> int:
    """Index of a route by index or name."""
    names = timetable.plan.names
    if isinstance(route, str) and route in names:
        return names.index(route)
    if isinstance(route, int) and 0 <= route < len(names):
        return route
    msg = f"{setting('route')} must be an index in [0, {len(names)}) or one of {', '.join(names)}, got {route!r}"
    raise UsageError(msg, setting="route", value=route, allowed=tuple(names))


def _name_stops(axes: Axes, network: Network, stops: list[int], stop_km: list[float]) -> None:
    """Write names of stops beside their kilometres, as many as fit."""
    kept = [0]
    gap_km = stop_km[-1] * _TICK_GAP_SHARE
    kept += [k for k in range(1, len(stops) - 1) if stop_km[k] - stop_km[kept[-1]] >= gap_km and stop_km[-1] - stop_km[k] >= gap_km]
    thinned = [kept[0]]
    for a, b in pairwise([*kept, len(stops) - 1]):
        if stop_km[b] - stop_km[thinned[-1]] >= gap_km or a == b:
            thinned.append(b)
    axes.set_yticks([stop_km[k] for k in thinned], [_plain_text(drawable_name(network, stops[k])) for k in thinned])
    axes.set_ylabel("stops, by distance")


def _clock_ticks() -> Any:  # noqa: ANN401 - matplotlib's type
    """Return ticks of the clock, every half hour, hour or two hours, so that labels do not overlap."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=9, steps=[1, 2, 5, 10])


def _tinted(colour: str, tint: float) -> tuple[float, ...]:
    """Return a colour mixed with a share of white, opaque."""
    from matplotlib.colors import to_rgb

    return tuple(part + (1 - part) * tint for part in to_rgb(colour))


def _plain_text(name: str) -> str:
    """Return a name with dollar signs escaped for matplotlib."""
    return name.replace("$", r"\$")
