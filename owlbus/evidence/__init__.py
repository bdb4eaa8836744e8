"""Evidence for and against plans: what differs, who gains and loses, what a change costs, and how sure that is."""

from __future__ import annotations

from owlbus.evidence.compare import Comparison, compare_plans
from owlbus.evidence.difference import Difference, difference
from owlbus.evidence.evaluator import PlanEvaluator

__all__ = ["Comparison", "Difference", "PlanEvaluator", "compare_plans", "difference"]
