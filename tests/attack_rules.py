"""
Publishing rules, the numbers that each prints of a town, and what a reader concludes from them.

The rule in force prints every count rounded down to a multiple of `N` and makes all else of printed counts, so the counts, and the sums
behind means, are all that there is to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attack import Knowledge
    from attack_towns import Town
    from numpy.typing import NDArray

N = 15
"""Trips or people of which printed counts are multiples."""
UNITS = {"ride_s": 3600.0, "walk_m": 1000.0, "travel_s": 7200.0, "slower_s": 3600.0, "faster_s": 3600.0}
"""About the most that one trip adds to the sum behind a mean."""
_MEASURES = ("presence", "served", "direct")


@dataclass(frozen=True, slots=True)
class Figure:
    """A published count: how it weighs each record of a town, shape (n_atoms,), in the unit of its sum."""

    path: str
    weights: NDArray[np.float64]
    unit: float = 1.0


def _steps(weights: NDArray[np.float64]) -> float:
    """Largest step of which all weights are multiples, down to 1/4, else 0: a count of such weights lies on its multiples."""
    return next((step for step in (1.0, 0.5, 0.25) if np.all(weights / step == np.round(weights / step))), 0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a count is printed, and between which ends its true value lies for a reader of the print."""

    name: str
    printed: Callable[[float], float]
    ends: Callable[[float], tuple[float, float]]

    def middle(self, printed: float) -> float:
        """Value that stands for a printed count in shares."""
        return sum(self.ends(printed)) / 2

    def tell(self, knowledge: Knowledge, figure: Figure, truth: NDArray[np.float64]) -> None:
        """Let the reader conclude from one printed figure."""
        weights = figure.weights / figure.unit
        low, high = self.ends(self.printed(float(weights @ truth)))
        step = _steps(weights)
        knowledge.tell(weights, np.ceil(low / step) * step if step else low, (np.ceil(high / step) - 1) * step if step else high)


def rounded_down(base: float) -> Rule:
    """The rule in force: the multiple of `base` below."""
    return Rule(f"down {base:g}", lambda v: float(np.floor(v / base + 1e-9) * base), lambda a: (a, a + base))


def nearest(base: float) -> Rule:
    """The nearest multiple of `base`."""
    return Rule(f"nearest {base:g}", lambda v: float(np.floor(v / base + 0.5) * base), lambda a: (max(0.0, a - base / 2), a + base / 2))


def families(town: Town) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Parts of the demand by label: mean over nights with which trips, and people without a trip, count there."""
    public = town.geometry
    n_sources, n_nights, n_hours, _ = town.trips.shape
    one, people = np.full((n_sources, n_nights, 1, 1), 1 / n_sources / n_nights), np.full((n_nights, 1, 1), 1 / n_nights)
    yield "", one, people
    for hour in range(n_hours):
        mask = (np.arange(n_hours) == hour)[:, None].astype(float)
        yield f"by_hour/{hour}/", one * mask, people * mask
    for night in range(n_nights if n_nights > 1 else 0):
        mask = (np.arange(n_nights) == night)[:, None, None] * float(n_nights)
        yield f"by_weekday/{night}/", one * mask, people * mask
    origin = np.array([o for o, _ in public.pairs])
    for family, labels in public.groups.items():
        for label in np.unique(labels):
            yield f"by_group/{family}/{label}/", one * (labels[origin] == label), people * (labels == label)
    for source in range(n_sources if n_sources > 1 else 0):
        mask = (np.arange(n_sources) == source)[:, None, None, None] * float(n_sources)
        yield f"by_source/{source}/", one * mask, people * 0.0


def figures(town: Town, plans: tuple[str, ...] = ("A", "B"), *, gains: bool = True) -> Iterator[Figure]:
    """
    Every count of every output: scorecards of plans, with groups of three kinds, comparison, timetable by hour, map and missing places.

    With `gains`, trips gained and lost are counted apart, as no difference of printed figures does.
    """
    for part in families(town):
        yield from _part_figures(town, plans, *part)
    for plan in plans:
        yield from _plan_figures(town, plan)
        yield from _missing_figures(town, plan)
    yield from _map_figures(town)
    for other in plans[1:] if gains else ():
        yield from _gain_figures(town, f"{plans[0]}{other}")


def without_small_parts(town: Town, told: list[Figure], least: float) -> Iterator[Figure]:
    """Figures but those of parts of fewer than `least` trips, or people where it is of people; such a part is known to be that small."""
    small = {
        f"{name}{what}" for name, trips, others in families(town) if name for what, count in _sizes(town, trips, others) if count < least
    }
    for figure in told:
        part = next((part for part in small if part.rpartition("/")[0] + "/" in figure.path), "")
        is_people = figure.path.endswith(("presence", "people"))
        name = f"{part.rpartition('/')[0]}/{'people' if is_people else 'trips'}"
        if not part or name not in small:
            yield figure


def _sizes(town: Town, trips: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    """Trips and people of a part."""
    sums = town.weights(trips), _people(town, trips, others, 1.0)
    return ("trips", float(sums[0] @ town.atoms)), ("people", float(sums[1] @ town.atoms))


def _people(town: Town, trips: NDArray[np.float64], others: NDArray[np.float64], near: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Weights of people of a part, by the weight of each hex: those without a trip, and who starts a trip of the first source."""
    calls = np.zeros((town.trips.shape[0], 1, 1, 1))
    calls[0] = town.trips.shape[0]
    origin = [o for o, _ in town.geometry.pairs]
    return town.weights(trips * calls * np.broadcast_to(near, town.others.shape[-1])[origin], others * near)


def _part_figures(
    town: Town, plans: tuple[str, ...], name: str, trips: NDArray[np.float64], others: NDArray[np.float64]
) -> Iterator[Figure]:
    """Coverage of a part by each plan."""
    yield Figure(f"{name}trips", town.weights(trips))
    yield Figure(f"{name}people", _people(town, trips, others, 1.0))
    for plan in plans:
        yield Figure(f"{plan}/{name}presence", _people(town, trips, others, town.geometry.hex_weights[f"{plan}/presence"]))
        for measure in ("served", "direct"):
            yield Figure(f"{plan}/{name}{measure}", town.weights(trips * town.geometry.pair_weights[f"{plan}/{measure}"]))


def _plan_figures(town: Town, plan: str) -> Iterator[Figure]:
    """Routes, segments and means of a plan, and its timetable by hour."""
    (_, trips, others), *parts = families(town)
    for path, weights in town.geometry.pair_weights.items():
        is_mean = path.split("/")[-1] in UNITS
        if path.startswith((f"{plan}/routes", f"{plan}/segments")) or (is_mean and path.startswith(f"{plan}/")):
            yield Figure(path, town.weights(trips * weights), UNITS.get(path.split("/")[-1], 1.0))
        if path.startswith(f"{plan}/segments"):
            hours = [part for part in parts if part[0].startswith("by_hour")]
            yield from (Figure(f"timetable/{label}{path}", town.weights(part * weights)) for label, part, _ in hours)
    for path, near in town.geometry.hex_weights.items():
        if path.startswith(f"{plan}/routes"):
            yield Figure(path, _people(town, trips, others, near))


def _missing_figures(town: Town, plan: str) -> Iterator[Figure]:
    """People and trips that a plan leaves out, by place; a trip counts once for a place, whichever end is there."""
    _, trips, others = next(families(town))
    for place in range(town.others.shape[-1]):
        here = (np.arange(town.others.shape[-1]) == place) * (1 - town.geometry.hex_weights[f"{plan}/presence"])
        yield Figure(f"{plan}/missing/{place}/presence", _people(town, trips, others, here))
        ends = np.array([place in pair for pair in town.geometry.pairs]) * (1 - town.geometry.pair_weights[f"{plan}/served"])
        yield Figure(f"{plan}/missing/{place}/trips", town.weights(trips * ends))


def _map_figures(town: Town) -> Iterator[Figure]:
    """People in each hex, whole and by hour, and trips with an end in it."""
    n_hexes = town.others.shape[-1]
    for name, trips, others in families(town):
        for place in range(n_hexes if not name or name.startswith("by_hour") else 0):
            yield Figure(f"{name}map/{place}/presence", _people(town, trips, others, np.arange(n_hexes) == place))
    _, trips, others = next(families(town))
    for place in range(n_hexes):
        yield Figure(f"map/{place}/trips", town.weights(trips * np.array([place in pair for pair in town.geometry.pairs])))


def _gain_figures(town: Town, plans: str) -> Iterator[Figure]:
    """What the second of two plans gains and loses, whole and by part."""
    for name, trips, others in families(town):
        for path, weights in town.geometry.pair_weights.items():
            unit = UNITS.get(path.split("/")[-1], 1.0)
            if path.startswith(f"{plans}/") and (unit == 1 or not name):
                yield Figure(f"{name}{path}", town.weights(trips * weights), unit)
        for path, near in town.geometry.hex_weights.items():
            if path.startswith(f"{plans}/"):
                yield Figure(f"{name}{path}", _people(town, trips, others, near))


def targets(town: Town, told: list[Figure], *, persons: bool = True) -> dict[str, NDArray[np.float64]]:
    """
    True counts that nobody may recover, by name: those behind every figure, their complements and every atom.

    With `persons` a count is of whole records, all nights together, that a figure counts at all; otherwise as the figure weighs them.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for figure in told:
        if figure.unit == 1:
            found[figure.path] = (figure.weights > 0).astype(float) if persons else figure.weights
    whole = {figure.path: figure.weights for figure in told if figure.path.endswith(("trips", "people"))}
    for figure in told:
        *part, measure = figure.path.split("/")
        below = whole.get("/".join([*part[1:], "people" if measure == "presence" else "trips"]))
        if measure in _MEASURES and below is not None:
            rest = below - figure.weights
            found[f"{figure.path} not"] = (rest > 1e-9).astype(float) if persons else rest
    n = town.atoms.size
    return found | {f"atom {k}": np.eye(n)[k] for k in np.flatnonzero(town.atoms)}


def nights(town: Town) -> dict[str, NDArray[np.float64]]:
    """Trips and people of each night, which nobody may recover whatever their number."""
    n = town.others.shape[0]
    masks = [(np.arange(n) == k).astype(float) for k in range(n if n > 1 else 0)]
    found = {f"night {k} trips": town.weights(mask[:, None, None]) for k, mask in enumerate(masks)}
    return found | {f"night {k} records": town.weights(mask[:, None, None], mask[:, None, None]) for k, mask in enumerate(masks)}
