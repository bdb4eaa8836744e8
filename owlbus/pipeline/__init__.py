"""The pipeline as functions: files to study, study to plan and scorecard, all of it to a run directory."""

from __future__ import annotations

from owlbus.pipeline.outputs import write_run
from owlbus.pipeline.plan_run import PlanRun, ScoredPlan, best_plan, score_study
from owlbus.pipeline.request import Request, budget_of
from owlbus.pipeline.save_run import save_run
from owlbus.pipeline.study import (
    Reading,
    Study,
    build_study,
    check_records,
    demand_from_sources,
    read_study,
    write_study,
)
from owlbus.pipeline.study_sources import Sources

__all__ = [
    "PlanRun",
    "Reading",
    "Request",
    "ScoredPlan",
    "Sources",
    "Study",
    "best_plan",
    "budget_of",
    "build_study",
    "check_records",
    "demand_from_sources",
    "read_study",
    "save_run",
    "score_study",
    "write_run",
    "write_study",
]
