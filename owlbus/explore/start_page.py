"""What the page needs to begin: the report's map of the run, the stops of the network, and what the run is."""

from __future__ import annotations

import math
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.files import parse_json, read_regular
from owlbus.explore.explore_words import sentence
from owlbus.network.latin_names import display_name
from owlbus.plan.limits import RouteLimits
from owlbus.report.content import Content, PlanContent
from owlbus.report.map_data import flat_line, map_data
from owlbus.report.translations import read_translations
from owlbus.score import score_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.opened_run import OpenedRun

_OWN_NAME = "this plan"


class RunMap:
    """
    The map of a run and the stops of its network, which no edit changes; made once for each language.

    Parameters
    ----------
    run
        The run.
    """

    def __init__(self, run: OpenedRun) -> None:
        self._run, self._lock = run, threading.Lock()
        self._made: dict[str, dict[str, Any]] = {}

    def begin(self, language: str) -> None:
        """Make the map of a `language` beside whatever else goes on, so that it is there once the page asks."""
        threading.Thread(target=self.document, args=(language,), daemon=True).start()

    def document(self, language: str) -> dict[str, Any]:
        """Return ``map`` and ``network`` in a `language`, positions in 1e-5 degrees."""
        with self._lock:
            if language not in self._made:
                words = read_translations(language)
                self._made[language] = {"map": map_data(_content(self._run), words), "network": _network(self._run, language)}
            return self._made[language]


def start_document(session: ExploreSession, language: str) -> dict[str, Any]:
    """
    Return what the page needs to begin.

    Parameters
    ----------
    session
        The session.
    language
        ``en`` or ``ko``.

    Returns
    -------
    dict
        ``map`` of the run's own plan, ``network``, ``state`` of the edited plan, and ``about``; positions in 1e-5 degrees.
    """
    return {
        **session.map.document(language),
        "state": session.state(language),
        "about": about_run(session, language),
    }


def _content(run: OpenedRun) -> Content:
    """Parts of a report on the run's own plan."""
    study = run.study
    best = PlanContent(_OWN_NAME, run.plan, _card(run))
    reference = None if run.reference is None else PlanContent(run.reference_name or "", run.reference, {})
    facts = study.city, study.districts, study.is_synthetic, dict(run.about)
    return Content(study.network, study.demand, best, reference, *facts, min_count=study.min_count, places=study.places)


def _card(run: OpenedRun) -> Mapping[str, Any]:
    """Scorecard of the run's plan as its file holds it; counted anew where there is none of these routes."""
    file = run.path / "scorecard.json"
    if file.is_file():
        card: Mapping[str, Any] = parse_json(read_regular(file))
        if [row["name"] for row in card.get("routes", ())] == list(run.plan.names):
            return card
    study, rule = run.study, run.evaluator.problem.rule
    return score_plan(study.network, study.demand, run.plan, rule=rule, headway_s=run.headway_s, min_count=study.min_count).to_dict()


def _network(run: OpenedRun, language: str) -> dict[str, Any]:
    """Positions and names of all stops."""
    network = run.study.network
    return {
        "stops": flat_line(np.stack([network.stop_lon, network.stop_lat], axis=1)),
        "names": [display_name(network, stop, language, short=True) for stop in range(network.n_stops)],
    }


def about_run(session: ExploreSession, language: str) -> dict[str, Any]:
    """
    Return what the page says of the run.

    Parameters
    ----------
    session
        The session.
    language
        ``en`` or ``ko``.

    Returns
    -------
    dict
        Shares 0 to 1; ``base`` is the number of people or trips a night of which counts are multiples, 0 for open data.
    """
    run, study = session.run, session.run.study
    return {
        "run": run.path.resolve().name,
        "city_share": study.city_share,
        "city": None if study.city is None else read_translations(language).name(study.city.name),
        "reference": None if run.reference_name is None else read_translations(language).name(run.reference_name),
        "limits": limit_texts(run.limits, language),
        "public": study.publisher.is_exact,
        "base": study.publisher.base,
        "synthetic": study.is_synthetic,
        "read_only": session.is_read_only,
        "lang": language,
        "privacy": sentence(language, "privacy.dragging"),
        "trips_counted": study.demand.counts_trips,
    }


def limit_texts(limits: RouteLimits, language: str) -> list[str]:
    """
    Say which limits a plan must keep; those that bound nothing are left out.

    Parameters
    ----------
    limits
        Metres and seconds.
    language
        ``en`` or ``ko``.

    Returns
    -------
    list of str
        One phrase a limit.
    """
    texts, headway = [], f"{limits.headway_s / 60:g}"
    free = RouteLimits.of_routes({}, limits.headway_s)
    for field in fields(RouteLimits):
        value = getattr(limits, field.name)
        if field.name in {"headway_s", "allow_spurs"} or value == math.inf or (value == getattr(free, field.name) and value in {0, 1e9, 2}):
            continue
        shown = value / 1000 if field.name.endswith("_m") else value / 60 if field.name.endswith("_s") else value
        texts.append(sentence(language, f"about.{field.name}", value=f"{shown:,g}", headway=headway))
    return texts if limits.allow_spurs else [*texts, sentence(language, "about.max_spurs")]
