"""Phases of a plan: routes introduced or taken away within budgets, and what each phase lacks of the best plans, as it is printed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.text import escape_formula
from owlbus.score import printed_coverage
from owlbus.search.spread import printed_objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.plan import Plan
    from owlbus.score import Coverage


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """
    One phase: the routes that run, and the best plans of its budget.

    Attributes
    ----------
    budget, cost
        What the phase may cost, and what its routes cost, in buses or in the unit of the costs.
    plan
        The routes that run.
    changed
        Names of the routes that this phase adds, or takes away.
    coverage
        Presence and trips that they cover.
    objective_share
        What was maximised, by area, 0 to 1.
    alone, alone_share
        Best choice of the plan's routes within this budget alone, not nested, and its objective, 0 to 1.
    searched, searched_share
        Plan that a search from scratch found for this budget, and its objective, 0 to 1; None where none was made or it found none.
    length_m, buses
        One-way metres and buses of the routes that run.
    timetable
        The night's timetable with the buses of the phase, as `owlbus.timetable.summary.timetable_document` says it; None without routes, or
        where these buses cannot run one.
    missed
        Constraints that the phase does not keep, in words.
    """

    budget: float
    cost: float
    plan: Plan
    changed: tuple[str, ...]
    coverage: Coverage
    objective_share: float
    alone: Plan
    alone_share: float
    searched: Plan | None
    searched_share: float | None
    length_m: int
    buses: int
    timetable: Mapping[str, Any] | None
    missed: tuple[str, ...] = ()

    @property
    def best_share(self) -> float:
        """Objective of the best plan known for this budget, 0 to 1."""
        return max(self.objective_share, self.alone_share, self.searched_share or 0.0)

    @property
    def regret_share(self) -> float:
        """What the phase lacks of the best plan known for its budget, as a share of the whole, 0 to 1."""
        return self.best_share - self.objective_share


@dataclass(frozen=True, eq=False)
class Phasing:
    """
    Phases of a plan, in the order in which they come.

    Attributes
    ----------
    plan
        The whole plan.
    unit
        What budgets count: ``buses`` or ``cost``.
    phases
        One per budget.
    takes_away
        Whether routes are taken away rather than introduced.
    is_exact
        Whether no other order has less regret against the best choices of the plan's routes; else `bound_share` says how far it may be.
    bound_share
        Bound on the mean objective over the phases of any order, 0 to 1.
    counted
        Trips and people a night that the objective is a share of.
    trips_counted
        Whether the demand has trips.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    """

    plan: Plan
    unit: str
    phases: tuple[Phase, ...]
    takes_away: bool
    is_exact: bool
    bound_share: float
    counted: float
    trips_counted: bool
    min_count: float = MIN_COUNT

    @property
    def mean_share(self) -> float:
        """Mean objective over the phases, 0 to 1: the area under the curve of coverage where phases last equally long."""
        return sum(phase.objective_share for phase in self.phases) / len(self.phases)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the routes of the plan that no phase runs."""
        run = {name for phase in self.phases for name in phase.plan.names}
        return tuple(name for name in self.plan.names if name not in run)

    def rows(self) -> list[dict[str, Any]]:
        """Return the phases as people may read them, as plain values for JSON: shares 0 to 1, kilometres, trips a night, minutes."""
        return self._rows

    def to_csv(self) -> str:
        """
        Phases as CSV, one line each, by the publishing rule.

        Returns
        -------
        str
            Shares 0 to 1, kilometres, trips a night; lists joined by spaces, absent values empty.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self._rows[0])
        for row in self._rows:
            texts = (" ".join(map(str, value)) if isinstance(value, list) else value for value in row.values())
            writer.writerow(["" if value is None else escape_formula(value) for value in texts])
        return out.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Return the phases and how good their order is, as they may be read, for JSON; shares 0 to 1, trips a night."""
        publisher, n_phases = Publisher(self.min_count), len(self.phases)
        shares = [row["objective_share"] for row in self._rows]
        regrets = [row["regret_points"] for row in self._rows]
        bound = publisher.share_at_most(self.bound_share * self.counted, self.counted)
        mean = None if None in shares else round(sum(shares) / n_phases, 4)
        return {
            "unit": self.unit,
            "takes_away": self.takes_away,
            "phases": self._rows,
            "left_out": list(self.left_out),
            "is_exact": self.is_exact,
            "mean_objective_share": mean,
            "bound_share": None if bound is None or self.is_exact else round(bound, 4),
            "regret_points": None if None in regrets else round(sum(regrets), 2),
            **publisher.facts,
        }

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        """The phases as they are printed."""
        publisher, rows = Publisher(self.min_count), list[dict[str, Any]]()
        for number, phase in enumerate(self.phases, start=1):
            printed = printed_coverage(phase.coverage, publisher, trips_counted=self.trips_counted, is_whole=True)
            shares = {name: _rounded(printed[name]["share"]) for name in ("served", "direct", "presence")}
            rows.append(
                {
                    "phase": number,
                    "budget": phase.budget,
                    "cost": phase.cost,
                    "routes": list(phase.plan.names),
                    "removed" if self.takes_away else "added": list(phase.changed),
                    "buses": phase.buses,
                    "total_km": round(phase.length_m / 1000, 1),
                    "objective_share": _rounded(self._printed(phase.objective_share)),
                    **{f"{name}_share": share for name, share in shares.items()},
                    "served_trips": printed["served"]["numerator"],
                    "presence": printed["presence"]["numerator"],
                    **self._regrets(phase),
                    **_of_timetable(phase.timetable),
                    "missed": list(phase.missed),
                }
            )
        return rows

    def _regrets(self, phase: Phase) -> dict[str, Any]:
        """What a phase lacks of the best choice of routes, of the searched plan, and of the better of both, from printed shares."""
        searched = phase.searched_share
        alone_points = 0.0 if phase.alone.names == phase.plan.names else self._lacks(phase, phase.alone_share)
        searched_points = None if searched is None else self._lacks(phase, searched)
        told = [alone_points, *(() if searched is None else (searched_points,))]
        most = max([0.0, *(points for points in told if points is not None)])
        return {
            "alone_routes": list(phase.alone.names),
            "alone_share": _rounded(self._printed(phase.alone_share)),
            "alone_regret_points": alone_points,
            "searched_routes": None if phase.searched is None else len(phase.searched),
            "searched_share": None if searched is None else _rounded(self._printed(searched)),
            "searched_regret_points": searched_points,
            "regret_points": most if most > 0 or None not in told else None,
        }

    def _lacks(self, phase: Phase, share: float) -> float | None:
        """Percentage points by which a phase is below another plan; None where no difference can be told, negative where it is above."""
        publisher = Publisher(self.min_count)
        if publisher.change(phase.objective_share * self.counted, share * self.counted) is None:
            return None
        one, other = self._printed(phase.objective_share), self._printed(share)
        return None if one is None or other is None else round(100 * (other - one), 2)

    def _printed(self, share: float) -> float | None:
        """Print an objective."""
        return printed_objective(share, self.counted, Publisher(self.min_count))


def _of_timetable(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """Buses that run and the mean wait of a timetable; None where there is none, or too few ride."""
    wait_s = None if document is None else document["choice"]["planned_wait_s"]
    return {"buses_run": None if document is None else document["fleet"], "wait_min": None if wait_s is None else round(wait_s / 60, 1)}


def _rounded(value: float | None) -> float | None:
    """Return a share to four decimals."""
    return None if value is None else round(value, 4)
