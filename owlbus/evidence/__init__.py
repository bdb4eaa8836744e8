"""Evidence for and against plans: what differs, who gains and loses, what a change costs, and how sure that is."""

from __future__ import annotations

from owlbus.evidence.changes import Change, drop_route, pass_by, remove_stop, replace_stop
from owlbus.evidence.compare import Comparison, compare_plans
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.evaluator import PlanEvaluator
from owlbus.evidence.explain import Answer, explain_change
from owlbus.evidence.stop_names import StopNames
from owlbus.evidence.suggest import Suggestion, suggest_swaps
from owlbus.evidence.sweep import Sweep, SweepPoint, sweep_plans
from owlbus.evidence.unserved_places import MissingPlace, missing_places

__all__ = [
    "Answer",
    "Change",
    "Comparison",
    "Difference",
    "MissingPlace",
    "PlanEvaluator",
    "StopNames",
    "Suggestion",
    "Sweep",
    "SweepPoint",
    "compare_plans",
    "difference",
    "drop_route",
    "explain_change",
    "missing_places",
    "pass_by",
    "remove_stop",
    "replace_stop",
    "suggest_swaps",
    "sweep_plans",
]
