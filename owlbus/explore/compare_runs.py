"""The plan in hand beside any other plan of the network: a run directory, a drawing, or a feed that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import UsageError
from owlbus.common.text import visible
from owlbus.evidence import compare_plans
from owlbus.explore.help_words import help_text
from owlbus.explore.opened_run import PLAN_FILE
from owlbus.explore.typed_path import shown_path, typed_path
from owlbus.plan import match_plan
from owlbus.plot.style import DIFFERENCE_KINDS, difference_kinds
from owlbus.report.comparison import comparison_page
from owlbus.report.content import Content, PlanContent
from owlbus.report.translations import read_translations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from owlbus.evidence import Comparison
    from owlbus.explore.opened_run import OpenedRun
    from owlbus.plan import Plan
    from owlbus.report.translations import Translations

_MOST_PLAN_BYTES = 512 << 20
_UNITS = {"mean_ride_s": (1 / 60, 1), "mean_travel_s": (1 / 60, 1), "mean_circuity": (1.0, 2), "total_length_m": (1 / 1000, 1)}
"""Factor and digits of measures that are shown in another unit than they are kept in, minutes and kilometres."""


def read_other_plan(run: OpenedRun, text: object) -> tuple[str, Plan, tuple[str, ...]]:
    """
    Plan that a user names, on the network of the run.

    Parameters
    ----------
    run
        The opened run.
    text
        Path of a run directory, or of a plan in any form that ``owlbus compare`` takes.

    Returns
    -------
    name, plan, notes
        What people call it, its routes, and sentences on what matching them to the network did.

    Raises
    ------
    UsageError
        If that is no path of a plan.
    DataError
        If the plan cannot be read, or does not lie on the network.
    """
    path = typed_path(text, "the other plan")
    name = visible(path.resolve().name if path.is_dir() else path.name.partition(".")[0].replace("_", " "))
    file = path / PLAN_FILE if (path / PLAN_FILE).is_file() else path
    network = run.study.network
    if path.is_dir() and file == path and not (path / "stops.txt").is_file():
        msg = f"{shown_path(text)}: holds no {PLAN_FILE}; name a run directory, or a plan file"
        raise UsageError(msg)
    if not path.is_dir() and (not file.is_file() or file.stat().st_size > _MOST_PLAN_BYTES):
        msg = f"{shown_path(text)}: is no file of a plan; name a run directory, or a plan file"
        raise UsageError(msg)
    if file == path and (path.is_dir() or path.suffix.lower() == ".zip"):
        return _feed_plan(run, path, name)
    match = match_plan(file, network)
    return name, match.plan, () if all(route.is_own for route in match.routes) else match.messages


def _feed_plan(run: OpenedRun, path: Path, name: str) -> tuple[str, Plan, tuple[str, ...]]:
    """Return the plan of a feed of its commonest service day."""
    from owlbus.gtfs.read import read_service_day

    reading = read_service_day(path, run.study.network, hours=run.study.demand.hours)
    return name, reading.timetable.plan, tuple(reading.notes)


def compare_with(run: OpenedRun, plan: Plan, other: Plan, name: str, language: str = "en") -> dict[str, Any]:
    """
    The plan in hand against another one, as ``owlbus compare OTHER PLAN`` has it.

    Parameters
    ----------
    run
        The opened run.
    plan
        The plan in hand.
    other
        The other plan; gains and losses are told against it.
    name
        What people call the other plan.
    language
        ``en`` or ``ko``.

    Returns
    -------
    dict
        ``numbers`` side by side, ``gained`` and ``lost`` hexes; ``moved`` who gains and loses, ``burden``, ``cost`` and ``sure`` in words;
        ``document`` as ``compare.json`` holds it. Trips and people a night as they are printed, shares 0 to 1.
    """
    own = help_text(language, "compare.this")
    comparison = compared(run, {name if name != own else f"{name} ": other, own: plan})
    document = comparison.to_dict()
    page = comparison_page(_content(run, comparison, document), read_translations(language))
    assert page is not None  # noqa: S101 - the content holds a comparison
    moved = [*page["whole"], *(row for rows in page["parts"].values() for row in rows)]
    return {
        "name": name,
        "numbers": _numbers(page["rows"], document["differences"][own]["measures"], read_translations(language)),
        **_hexes(run, plan, other),
        "moved": [{"label": row["label"], "cells": row["cells"]} for row in moved],
        "burden": [list(pair) for pair in page["burden"]],
        "cost": page["cost"],
        "sure": page["sure"],
        "document": document,
    }


def _numbers(rows: list[dict[str, Any]], measures: Mapping[str, Any], words: Translations) -> list[dict[str, str]]:
    """Return the rows of a comparison with the change beside each measure; the first plan of the comparison is the other one."""
    changes = {words(f"compare.{key}"): _change(key, value, words) for key, value in measures.items() if value is not None}
    numbers: list[dict[str, str]] = []
    for row in rows:
        other, own = row["cells"][:2]
        if row["kind"] == "sub" and not other:
            numbers[-1 if numbers[-1]["kind"] == "main" else -2]["change_text"] = own
            continue
        change = changes.get(row["label"], "")
        numbers.append({"label": row["label"], "text": own, "other_text": other, "change_text": change, "kind": row["kind"]})
    return numbers


def _change(key: str, value: float, words: Translations) -> str:
    """Return the change of a measure that is no share of people or trips in the unit that it is shown in."""
    if key.endswith("_share"):
        return words("compare.points", value=words.signed(100 * value, 1))
    scale, digits = _UNITS.get(key, (1.0, 0))
    return words.signed(scale * value, digits)


def _hexes(run: OpenedRun, plan: Plan, other: Plan) -> dict[str, list[int]]:
    """Return the hexes of which a plan reaches more, and less, than another one."""
    now, was = (run.evaluator.counter.reached_share(one) for one in (plan, other))
    kinds = difference_kinds(now, was)
    return {
        name: np.flatnonzero(np.isin(kinds, [DIFFERENCE_KINDS.index(name), DIFFERENCE_KINDS.index(f"{name}Part")])).tolist()
        for name in ("gained", "lost")
    }


def compared(run: OpenedRun, plans: dict[str, Plan]) -> Comparison:
    """
    Compare plans with the first of them by the service rule of the run.

    Parameters
    ----------
    run
        The opened run; its headway in seconds counts the buses.
    plans
        Plans by name.

    Returns
    -------
    Comparison
        Scorecards and differences.
    """
    study = run.study
    rule = run.evaluator.problem.rule
    more: dict[str, Any] = {"districts": study.districts, "min_count": study.min_count}
    return compare_plans(study.network, study.demand, plans, rule=rule, headway_s=run.headway_s, **more)


def _content(run: OpenedRun, comparison: Comparison, document: dict[str, Any]) -> Content:
    """Return the parts of a report that its comparison needs."""
    study = run.study
    first, own = (PlanContent(name, plan, comparison.cards[name].to_dict()) for name, plan in comparison.plans.items())
    more: dict[str, Any] = {"city": study.city, "districts": study.districts, "is_synthetic": study.is_synthetic}
    return Content(study.network, study.demand, own, first, **more, comparison=document, min_count=study.min_count)
