"""What the page is told of a plan: rounded numbers, routes, broken limits and hexes, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.explore.explore_words import sentence
from owlbus.explore.link_lines import SCALE, steps_of
from owlbus.network.latin_names import display_name
from owlbus.plot.style import DIFFERENCE_KINDS, difference_kinds
from owlbus.report.map_data import percent_of_hexes
from owlbus.report.translations import read_translations
from owlbus.score.publish import printed_measure
from owlbus.search.spread import counted_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from owlbus.common.disclosure import Publisher
    from owlbus.explore.edited_plan import EditedPlan, EditedRoute
    from owlbus.explore.link_lines import LinkLines
    from owlbus.explore.live_numbers import Figures, LiveNumbers
    from owlbus.explore.opened_run import OpenedRun
    from owlbus.network import Network
    from owlbus.report.translations import Translations

SHARES = ("presence", "served", "direct")
_SMALL = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class PageState:
    """
    Says what a plan is, for one reader.

    Attributes
    ----------
    run
        The run.
    numbers, lines
        Compute figures, and lines of links.
    saved, reference
        Figures of the plan as last saved, and of the plan that the run is compared with, or None.
    language
        ``en`` or ``ko``.
    """

    run: OpenedRun
    numbers: LiveNumbers
    lines: LinkLines
    saved: Figures
    reference: Figures | None
    language: str

    @property
    def words(self) -> Translations:
        """The reader's formats of numbers."""
        return _translations(self.language)

    @property
    def _publisher(self) -> Publisher:
        return self.run.study.publisher

    def number_rows(self, now: Figures) -> list[dict[str, Any]]:
        """Return the rows of numbers of a plan whose figures are `now`, each with its change since the last save."""
        rows = [self._share_row(kind, now) for kind in SHARES if kind == "presence" or self.run.study.demand.counts_trips]
        rows += [
            self._plain_row("km", _km, now, 1),
            self._plain_row("buses", _buses, now, 0),
            self._plain_row("circuity", _circuity, now, 2),
        ]
        bound = self._bound_share(now)
        return [*rows, *([] if bound is None else [self._row("bound", bound, self.words.percent(bound), self._bound_change(now), None)])]

    def _row(self, key: str, value: float | None, text: str, change: str | None, against: str | None) -> dict[str, Any]:
        label = sentence(self.language, f"number.{key}")
        return {"key": key, "label": label, "value": value, "text": text, "change_text": change, "against_text": against}

    def _share_row(self, kind: str, now: Figures) -> dict[str, Any]:
        """Row of people or trips as a scorecard prints them."""
        printed = self.printed(now, kind)
        text = self.words.headline_text(printed, self._publisher.least_denominator)
        return self._row(kind, printed["share"], text, self.share_change(kind, self.saved, now), self._against(kind))

    def printed(self, figures: Figures, kind: str) -> dict[str, Any]:
        """Return a share of all people or trips, of a `kind` of `SHARES`, by the publishing rule."""
        return printed_measure(getattr(figures, kind), self._publisher, is_whole=True)

    def share_change(self, kind: str, before: Figures, now: Figures) -> str | None:
        """Return the change of a share in words; None where either is absent."""
        was, has = self.printed(before, kind)["share"], self.printed(now, kind)["share"]
        if was is None or has is None:
            return None
        ends = getattr(before, kind).numerator, getattr(now, kind).numerator
        if ends[0] == ends[1] and self._publisher.is_exact:
            return sentence(self.language, "number.same")
        if self._publisher.change(*ends) is None:
            return sentence(self.language, "number.unsaid")
        return sentence(self.language, "number.points", value=self.words.signed(100 * (has - was), 2))

    def _against(self, kind: str) -> str | None:
        """The reference's share, and for people that of the city."""
        texts = []
        if self.reference is not None and self.run.reference_name is not None:
            share = self.words.headline_text(self.printed(self.reference, kind), self._publisher.least_denominator)
            texts.append(sentence(self.language, "number.against", name=self.words.name(self.run.reference_name), value=share))
        city = self.run.study.city_share if kind == "presence" else None
        if city is not None:
            texts.append(sentence(self.language, "number.city", value=self.words.percent(city, 0)))
        return " · ".join(texts) or None

    def _plain_row(self, key: str, measure: Any, now: Figures, digits: int) -> dict[str, Any]:  # noqa: ANN401 - a function of figures
        """Row of a measure of the routes themselves."""
        value, was = measure(now), measure(self.saved)
        none, change = sentence(self.language, "number.none"), None
        if value is not None and was is not None:
            less = value - was
            change = sentence(self.language, "number.same") if abs(less) < _SMALL else self.words.signed(less, digits)
        against = None
        if self.reference is not None and measure(self.reference) is not None and self.run.reference_name is not None:
            text, name = self.words.number(measure(self.reference), digits), self.words.name(self.run.reference_name)
            against = sentence(self.language, "number.against", name=name, value=text)
        return self._row(key, value, none if value is None else self.words.number(value, digits), change, against)

    def _bound_share(self, now: Figures) -> float | None:
        """Share of the proven bound that a plan within all limits reaches, 0 to 1; None without a bound, or beyond a limit."""
        objective, bound = self.numbers.objective, self.run.about.get("bound_share")
        if objective is None or not bound or now.objective_share is None or self.run_breaks(now):
            return None
        demand = self.run.study.demand
        whole = counted_by(objective, demand.total_trips, float(demand.presence_by_hex().sum()))
        share = self._publisher.headline(now.objective_share * whole, whole)
        return None if share is None else round(min(1.0, share / bound), 6)

    def run_breaks(self, now: Figures) -> bool:
        """Return whether a plan whose figures are `now` breaks a limit of the run."""
        from owlbus.plan.check import broken_limits

        return bool(broken_limits(now.measures, self.run.limits))

    def _bound_change(self, now: Figures) -> str | None:
        was, has = self._bound_share(self.saved), self._bound_share(now)
        if was is None or has is None:
            return None
        return sentence(self.language, "number.points", value=self.words.signed(100 * (has - was), 2))

    def effect(self, before: Figures, now: Figures) -> str:
        """Return what an edit from figures `before` to `now` did to the numbers, in one line."""
        parts = []
        for kind in ("presence", "served"):
            if kind == "served" and not self.run.study.demand.counts_trips:
                continue
            change = self.share_change(kind, before, now)
            if change not in {None, sentence(self.language, "number.same"), sentence(self.language, "number.unsaid")}:
                parts.append(sentence(self.language, f"effect.{kind}", value=change))
        for key, measure, digits in (("km", _km, 1), ("buses", _buses, 0)):
            less = (measure(now) or 0) - (measure(before) or 0)
            if abs(less) >= _SMALL:
                parts.append(sentence(self.language, f"effect.{key}", value=self.words.signed(less, digits)))
        return ", ".join(parts) or sentence(self.language, "effect.none")

    def route_rows(self, plan: EditedPlan, now: Figures, saved: EditedPlan, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return the routes of a `plan` with figures `now`, marked where they differ from `saved`; all, or `only` those of these keys."""
        chosen = None if only is None else set(only)
        return [
            self._route_row(route, k, now, saved.find(route.key))
            for k, route in enumerate(plan.routes)
            if chosen is None or route.key in chosen
        ]

    def _route_row(self, route: EditedRoute, k: int, now: Figures, was: EditedRoute | None) -> dict[str, Any]:
        measures, counts = now.measures, self._publisher.count
        riders = None if now.riders is None else now.riders.get(route.name)
        circuity = float(measures.circuity[k])
        positions = route.to_route().positions.tolist()
        return {
            "id": route.key,
            "name": route.name,
            "colour": route.colour,
            "locked": route.is_locked,
            "stops": positions,
            "names": [display_name(self.run.study.network, stop, self.language, short=True) for stop in positions],
            **self._course(route),
            "km": round(int(measures.longer_length_m[k]) / 1000, 1),
            "minutes": round(int(measures.longer_ride_s[k]) / 60),
            "buses": int(measures.buses[k]),
            "circuity": round(circuity, 2) if np.isfinite(circuity) else None,
            "riders": None if riders is None else counts(riders.boardings_trips),
            "peak_load": None if riders is None else counts(riders.max_load_trips),
            "is_free": route.back is None,
            "changed": was is None or (was.stops, was.back, was.name) != (route.stops, route.back, route.name),
        }

    def _course(self, route: EditedRoute) -> dict[str, list[int]]:
        """Line of a route along its streets, and where on it each stop lies."""
        whole = route.to_route()
        line, at = self.lines.along(whole.segments)
        places = at if whole.back is None else _nearest(line, self.run.study.network, whole.positions)
        return {"line": steps_of(line), "at": places}

    def hex_state(self, now: Figures) -> dict[str, Any]:
        """Return which part of each hex a plan with figures `now` reaches, and what it gains and loses."""
        state: dict[str, Any] = {"near": percent_of_hexes(now.reached_share), **_moved(now.reached_share, self.saved.reached_share)}
        if self.reference is not None:
            state["against"] = _moved(now.reached_share, self.reference.reached_share)
        return state

    def district_rows(self, now: Figures) -> list[dict[str, Any]]:
        """Return the share of people near a stop of each district, with its change in points since the last save."""
        rows = []
        for name, measure in now.districts.items():
            was = self.saved.districts[name]
            share, before = (printed_measure(one, self._publisher)["share"] for one in (measure, was))
            is_told = share is not None and before is not None and self._publisher.change(was.numerator, measure.numerator) is not None
            change = round(100 * (share - before), 2) if is_told and share is not None and before is not None else None
            rows.append({"name": self.words.name(name), "share": share, "change": change})
        return rows


@cache
def _translations(language: str) -> Translations:
    """Return the words of a language, read once."""
    return read_translations(language)


def _nearest(line: Sequence[tuple[int, int]], network: Network, stops: NDArray[np.int32]) -> list[int]:
    """Index of the point of a line that is nearest to each stop."""
    points, at = np.array(line), np.stack([network.stop_lat[stops], network.stop_lon[stops]], axis=1) * SCALE
    places: list[int] = np.argmin(((points - at[:, None]) ** 2).sum(axis=2), axis=1).tolist()
    return places


def _moved(now: NDArray[np.float64], before: NDArray[np.float64]) -> dict[str, list[int]]:
    """Indices of the hexes of which a plan reaches more, and less, than another one does."""
    kinds = difference_kinds(now, before)
    return {
        name: np.flatnonzero(np.isin(kinds, [DIFFERENCE_KINDS.index(name), DIFFERENCE_KINDS.index(f"{name}Part")])).tolist()
        for name in ("gained", "lost")
    }


def _km(figures: Figures) -> float | None:
    """Kilometres of all routes, one way."""
    return round(figures.measures.total_length_m / 1000, 1)


def _buses(figures: Figures) -> float | None:
    """Buses of all routes."""
    return figures.measures.total_buses


def _circuity(figures: Figures) -> float | None:
    """Mean circuity of the routes whose ends differ; None without any."""
    finite = figures.measures.circuity[np.isfinite(figures.measures.circuity)]
    return round(float(finite.mean()), 2) if finite.size else None
