"""
Maps and charts as functions: each takes types of owlbus and returns matplotlib's Axes.

`demand`, `coverage`, `plan` and `difference` are maps; `load`, `sweep` and `timetable` are charts. Save one with
``axes.figure.savefig("plan.svg")``, as PNG or SVG. Maps show classes of people, never counts below `MIN_COUNT`.
"""

from owlbus.common.disclosure import MIN_COUNT
from owlbus.plot.charts import load, sweep, timetable
from owlbus.plot.maps import coverage, demand, difference, plan

__all__ = ["MIN_COUNT", "coverage", "demand", "difference", "load", "plan", "sweep", "timetable"]
