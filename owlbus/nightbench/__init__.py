"""NightBench: instances of night-bus and coverage route design, their file format, best known plans, and runs on them."""

from __future__ import annotations

from owlbus.nightbench.bench_run import BenchRun, run_bench
from owlbus.nightbench.best_known import BestKnown, best_plan_of, keep_plan, read_records
from owlbus.nightbench.catalogue import INSTANCES, SHIPPED, known_facts, open_instance
from owlbus.nightbench.instance import BENCH_OBJECTIVES, BenchInstance
from owlbus.nightbench.instance_files import read_instance, write_instance
from owlbus.nightbench.plan_csv import broken_rules, plan_csv, read_plan_csv
from owlbus.nightbench.plan_value import BenchValue, value_plan

__all__ = [
    "BENCH_OBJECTIVES",
    "INSTANCES",
    "SHIPPED",
    "BenchInstance",
    "BenchRun",
    "BenchValue",
    "BestKnown",
    "best_plan_of",
    "broken_rules",
    "keep_plan",
    "known_facts",
    "open_instance",
    "plan_csv",
    "read_instance",
    "read_plan_csv",
    "read_records",
    "run_bench",
    "value_plan",
    "write_instance",
]
