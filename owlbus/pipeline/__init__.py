"""The whole chain as functions: files to study, study to plan and scorecard, all of it to a run directory."""

from __future__ import annotations

from owlbus.pipeline.runs import PlanRun, Request, Scored, best_plan, budget_of, score_study, write_run
from owlbus.pipeline.study import Reading, Sources, Study, build_study, check_records, read_demand, read_study, write_study

__all__ = [
    "PlanRun",
    "Reading",
    "Request",
    "Scored",
    "Sources",
    "Study",
    "best_plan",
    "budget_of",
    "build_study",
    "check_records",
    "read_demand",
    "read_study",
    "score_study",
    "write_run",
    "write_study",
]
