"""Plots: what each draws, what it refuses, and that none shows a small count."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from owlbus import plot
from owlbus.common.errors import DataError, UsageError
from owlbus.common.palette import DIFFERENCE_COLOURS, HEX_COLOURS
from owlbus.demand import Demand
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network
from owlbus.network.walk_sheds import reached_share
from owlbus.plan import Plan, Route
from owlbus.plot.basemap import draw_hexes, map_axes
from owlbus.plot.charts import gain
from owlbus.plot.maps import net_classes
from owlbus.plot.style import DIFFERENCE_KINDS, difference_kinds
from owlbus.score import score_plan
from owlbus.timetable import Direction, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    import matplotlib as mpl

    mpl.use("Agg")
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_lattice(HexGrid.cover([(127.0, 37.5), (127.05, 37.5), (127.05, 37.54), (127.0, 37.54)]))


@pytest.fixture(scope="module")
def demand(network: Network) -> Demand:
    n = network.grid.n_hexes
    hexes = np.arange(n, dtype=np.int32)
    return Demand(
        n,
        hour=np.full(n, 25),
        origin=hexes,
        destination=(hexes + n // 2) % n,
        trips=np.full(n, 20.0),
        presence_hour=np.full(n, 25),
        presence_hex=hexes,
        presence=np.arange(1.0, n + 1) * 4,
    )


@pytest.fixture(scope="module")
def plan(network: Network) -> Plan:
    ends = ((0, network.n_stops - 1), (network.n_stops // 2, 0))
    return Plan(tuple(Route(network.shortest_path(*pair), f"N${k}") for k, pair in enumerate(ends)), network.fingerprint)


def colours_of(axes: Axes) -> list[str]:
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in np.asarray(axes.collections[0].get_facecolor())]


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [legend.get_title().get_text(), *(text.get_text() for text in legend.get_texts())]


def test_demand_shows_classes_and_few_people_in_the_lightest(network: Network, demand: Demand) -> None:
    axes = plot.demand(network.grid, demand)
    colours = colours_of(axes)
    small = demand.presence_by_hex() < plot.MIN_COUNT
    assert {colours[k] for k in np.flatnonzero(small)} == {HEX_COLOURS[0]}
    assert colours[-1] == HEX_COLOURS[-1]
    assert legend_of(axes)[:2] == ["people present a night", "fewer than 15"]


def test_demand_of_some_hours_is_drawn_on_the_axes_given(network: Network, demand: Demand) -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot.demand(network.grid, demand, hours=[24, 25], ax=ax) is ax
    assert legend_of(ax)[0] == "people present a night at 00, 01 h"
    assert plot.demand(network.grid, demand, hours=[24]).get_legend() is not None


def test_demand_must_lie_on_the_grid(network: Network) -> None:
    with pytest.raises(DataError, match=rf"demand must lie on the grid's {network.grid.n_hexes} hexes, got 3; estimate it on this grid"):
        plot.demand(network.grid, Demand(3))


def test_coverage_and_its_rest_leave_no_hex_out(network: Network, demand: Demand, plan: Plan) -> None:
    share = reached_share(network, plan.used_stops)
    within, beyond = (colours_of(plot.coverage(network, demand, plan, reached=reached)) for reached in (True, False))
    for k, part in enumerate(share.tolist()):
        assert (within[k] in HEX_COLOURS) == (part > 0)
        assert (beyond[k] in HEX_COLOURS) == (part < 0.5)


def test_coverage_stripes_the_hexes_of_which_less_than_half_is_within(network: Network, demand: Demand, plan: Plan) -> None:
    """The half itself is within; nothing at all is beyond."""
    share = reached_share(network, plan.used_stops)
    partly = ((share > 0) & (share < 0.5)).sum()
    assert 0 < partly < (share < 0.5).sum()
    for reached, other in ((True, "beyond"), (False, "half or more within")):
        axes = plot.coverage(network, demand, plan, reached=reached)
        striped = [collection for collection in axes.collections if collection.get_hatch()]
        assert [len(collection.get_paths()) for collection in striped] == [partly]
        assert legend_of(axes)[-2:] == ["less than half within", other]


def test_a_hex_of_which_exactly_half_is_reached_is_within_and_gained() -> None:
    share = np.array([31 / 64, 32 / 64, 0.0, 1.0])
    kinds = [DIFFERENCE_KINDS[k] for k in difference_kinds(share, np.zeros(4)).tolist()]
    assert kinds == ["gainedPart", "gained", "neither", "gained"]
    assert [DIFFERENCE_KINDS[k] for k in difference_kinds(share, share).tolist()] == ["both", "both", "neither", "both"]
    assert [DIFFERENCE_KINDS[k] for k in difference_kinds(np.zeros(4), share).tolist()] == ["lostPart", "lost", "neither", "lost"]


def test_a_plan_is_drawn_with_and_without_its_people(network: Network, demand: Demand, plan: Plan) -> None:
    pale = plot.plan(network, plan, water=[[(127.0, 37.52), (127.05, 37.52)]], hills=[(127.02, 37.53, 600)])
    assert set(colours_of(pale)) == {HEX_COLOURS[0]}
    assert pale.get_legend() is None
    assert len(set(colours_of(plot.plan(network, plan, demand=demand)))) > 2
    assert [(text.get_text(), text.get_parse_math()) for text in pale.texts][:1] == [("N$0", False)]


def test_names_of_terminals_that_routes_share_lie_side_by_side(network: Network) -> None:
    path = network.shortest_path(0, network.n_stops - 1)
    names = [f"N{k}0" for k in range(4)]
    same = Plan(tuple(Route(path, name) for name in names), network.fingerprint)
    axes = plot.plan(network, same)
    axes.figure.canvas.draw()
    texts = [text for text in axes.texts if text.get_text() in names]
    boxes = [text.get_window_extent() for text in texts]
    assert sum(text.get_fontsize() == 7.5 for text in texts) == 8
    assert len(boxes) >= 12  # along the routes too
    assert not [(a, b) for k, a in enumerate(boxes) for b in boxes[:k] if a.overlaps(b)]


def test_a_difference_counts_hexes_of_each_kind(network: Network, plan: Plan) -> None:
    other = Plan(plan.routes[:1], network.fingerprint)
    axes = plot.difference(network, plan, other)
    near, was = reached_share(network, plan.used_stops), reached_share(network, other.used_stops)
    more, less = near - was, was - near
    same = [((more == 0) & (near > 0)).sum(), ((more == 0) & (near == 0)).sum()]
    sides = [count for side in (more, less) for count in ((side >= 0.5).sum(), ((side > 0) & (side < 0.5)).sum())]
    counts = [same[0], *sides, same[1]]
    assert counts[1] > 0
    assert counts[2] > 0
    assert [int(text.split()[-2]) for text in legend_of(axes)[1:]] == counts
    shown = [colours_of(axes).count(colour) for colour in DIFFERENCE_COLOURS.values()]
    assert shown == [counts[0], counts[1], counts[3], counts[2] + counts[4] + counts[5]]


def test_load_shows_riders_both_ways_and_no_small_count(network: Network, demand: Demand, plan: Plan) -> None:
    card = score_plan(network, demand, plan)
    axes = plot.load(card, plan.names[0])
    segments = [row for row in card.to_dict()["segments"] if row["route"] == plan.names[0]]
    ups = [bar.get_height() for bar in axes.containers[0]]  # type: ignore[attr-defined]
    downs = [bar.get_height() for bar in axes.containers[1]]  # type: ignore[attr-defined]
    assert ups == [row["ahead_trips"] or 0.0 for row in segments]
    assert downs == [-(row["back_trips"] or 0.0) for row in segments]
    assert "riders along the route" in plot.load(card).get_title(loc="left")


def test_load_names_the_routes_there_are(network: Network, demand: Demand, plan: Plan) -> None:
    with pytest.raises(UsageError, match=r"route must be one of N\$0, N\$1, got 'x'"):
        plot.load(score_plan(network, demand, plan), "x")
    with pytest.raises(UsageError, match="route must be one of none, got None"):
        plot.load(score_plan(network, demand, Plan((), network.fingerprint)))


def test_a_sweep_draws_every_curve_its_bound_and_the_city_share() -> None:
    axes = plot.sweep([1, 2, 4], {"trips served": [0.1, 0.2, 0.3], "people": [0.2, 0.4, 0.5]}, bounds=[0.3, 0.4, 0.6], city_share=0.42)
    assert [line.get_label() for line in axes.get_lines()][:3] == ["trips served", "people", "proven bound"]
    assert axes.get_lines()[2].get_linestyle() == "--"
    assert "42 %, as the city states it" in {text.get_text() for text in axes.texts}
    assert axes.get_lines()[0].get_ydata() == pytest.approx([10, 20, 30])


def test_a_sweep_marks_its_knee() -> None:
    axes = plot.sweep([1, 2, 4], {"trips served": [0.1, 0.2, 0.3]}, knee=2)
    assert [text.get_text() for text in axes.texts if text.xy[0] == 2] == ["knee at 2"]
    assert [list(line.get_xdata()) for line in axes.get_lines()] == [[1, 2, 4], [2, 2]]


def test_a_gain_lies_in_its_interval_and_reads_in_percent() -> None:
    axes = gain([0.05, 0.1], [0.02, 0.12], [(0.01, 0.03), (0.1, 0.15)])
    curve, city = axes.get_lines()
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == (pytest.approx([5, 10]), pytest.approx([2, 12]))
    assert list(city.get_ydata()) == [10, 10]
    assert [text.get_text() for text in axes.texts] == ["+2 %", "+12 %"]
    (band,) = axes.collections
    assert band.get_paths()[0].get_extents().intervaly == pytest.approx([1, 15])


def test_a_setting_without_a_share_leaves_a_gap_in_the_curve() -> None:
    axes = plot.sweep([1, 2, 4], {"trips served": [0.1, 0.2, None]})
    assert np.isnan(axes.get_lines()[0].get_ydata()).tolist() == [False, False, True]
    assert [text.xy for text in axes.texts] == [(2, 20)]


@pytest.mark.parametrize("shares", [[0.1], [0.1, 1.2], [None, None]])
def test_a_sweep_takes_one_share_per_number_of_routes(shares: list[float | None]) -> None:
    with pytest.raises(DataError, match=r"served must hold 2 shares in \[0, 1\], one per number of routes"):
        plot.sweep([1, 2], {"served": shares})


@pytest.fixture
def night() -> Timetable:
    """One route of three stops, two runs ahead and one back."""
    plan = Plan((Route([0, 1, 2], "N1"),), "x")
    ahead = Direction(0, False, [0, 1, 2], [0, 300, 640], [0, 310, 640], [0, 1000, 2100])  # noqa: FBT003 - a column of the type
    back = Direction(0, True, [2, 1, 0], [0, 330, 640], [0, 340, 640], [0, 1100, 2100])  # noqa: FBT003
    return Timetable(plan, (24, 25), (ahead, back), [0, 1, 0], [86_400, 88_200, 90_000], [0, 0, 0])


def test_runs_meet_their_stops_on_time(night: Timetable) -> None:
    axes = plot.timetable(night)
    first, _, back = axes.get_lines()
    assert np.allclose(first.get_xdata(), (86_400 + np.array([0, 0, 300, 310, 640, 640])) / 3600)
    assert np.allclose(first.get_ydata(), [0, 0, 1, 1, 2.1, 2.1])
    assert np.allclose(back.get_ydata(), [2.1, 2.1, 1, 1, 0, 0])
    assert axes.xaxis.get_major_formatter()(24.5) == "00:30"
    assert plot.timetable(night, "N1").get_title(loc="left") == "N1: runs of a night"


def test_string_lines_name_the_stops_that_fit(network: Network) -> None:
    stops = network.shortest_path(0, network.n_stops - 1)
    n = len(stops)
    at = np.arange(n) * 900
    plan = Plan((Route(stops, "N1"),), network.fingerprint)
    ways = (Direction(0, False, stops, at, at, at), Direction(0, True, stops[::-1], at, at, at))  # noqa: FBT003
    axes = plot.timetable(Timetable(plan, (24,), ways, [0, 1], [86_400, 86_400 + 20_000], [0, 0]), network=network)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == network.stop_names[stops[0]]
    assert names[-1] == network.stop_names[stops[-1]]


@pytest.mark.parametrize("last_hour", [25, 28, 31, 36])
def test_labels_of_the_clock_lie_apart_in_any_night(night: Timetable, last_hour: int) -> None:
    starts_s = [24 * 3600, 24 * 3600 + 1800, last_hour * 3600]
    axes = plot.timetable(Timetable(night.plan, (24, 25), night.directions, [0, 1, 0], starts_s, [0, 0, 0]))
    axes.figure.canvas.draw()
    low, high = axes.get_xlim()
    labels = [one for one, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True) if low <= at <= high]
    boxes = [one.get_window_extent() for one in labels]
    assert len(boxes) >= 3
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


@pytest.mark.parametrize("route", ["N2", 1, -1])
def test_string_lines_are_of_a_route_of_the_plan(night: Timetable, route: str | int) -> None:
    with pytest.raises(UsageError, match=r"route must be an index in \[0, 1\) or one of N1, got"):
        plot.timetable(night, route)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_pictures_are_saved_as_png_and_svg(network: Network, plan: Plan, tmp_path: Path, ending: str) -> None:
    from matplotlib.figure import Figure

    figure = plot.plan(network, plan).figure
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / f"plan.{ending}")
    assert (tmp_path / f"plan.{ending}").stat().st_size > 10_000


def test_a_street_that_leads_out_of_the_hexes_stays_on_the_map():
    import dataclasses

    from cities import city

    network, _ = city(3, [(0, 1), (1, 2)], {})
    start = np.repeat(np.arange(network.n_stops), np.diff(network.link_indptr))
    ends = np.stack([start, np.full(start.size, -1), network.link_to], axis=1).ravel()
    lon, lat = (np.where(ends < 0, out, column[ends]) for out, column in ((0.5, network.stop_lon), (0.0, network.stop_lat)))
    bent = dataclasses.replace(network, line_indptr=np.arange(start.size + 1) * 3, line_lon=lon, line_lat=lat)
    (inside, _), (outside, far) = (
        (plot.plan(given, Plan((Route([0, 1, 2], "N"),), given.fingerprint)).axis()[1], given.grid.project(0.5, 0.0)[0])
        for given in (network, bent)
    )
    assert inside < far < outside


def test_a_map_without_a_colour_for_every_hex_is_refused():
    grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=5)
    with pytest.raises(DataError, match=r"colours must have one entry per hex, shape \(5,\), got \(4,\)"):
        draw_hexes(map_axes(None, grid), grid, np.array(["#ffffff"] * 4))


def test_the_net_of_a_hex_is_classed_by_printed_trips_alone(network: Network) -> None:
    n = network.grid.n_hexes
    classes = []
    for extra in (0.0, 14.0):
        gained, lost = np.zeros(n), np.zeros(n)
        gained[:4], lost[3:6] = [15, 30, 120, 240], [240, 30, 45]
        sides = {
            f"{side}_{what}_by_hex": value + extra for side, value in (("gained", gained), ("lost", lost)) for what in ("trips", "presence")
        }
        change = SimpleNamespace(min_count=15, **sides)
        classes.append([part if isinstance(part, tuple) else part.tolist()[:6] for part in net_classes(change)])  # type: ignore[arg-type]
    assert classes[0] == classes[1]
    assert classes[0] == [[0, 1, 3, 0, -1, -1], (30, 60, 120)]
