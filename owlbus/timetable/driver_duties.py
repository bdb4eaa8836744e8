"""Duties of drivers: which runs each of the fewest drivers drives, cut from the blocks of the buses."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from owlbus.common.errors import InfeasibleError, setting
from owlbus.common.progress import current_progress
from owlbus.common.units import format_time
from owlbus.timetable.choose_duties import choose_duties
from owlbus.timetable.driver_rules import DriverRules
from owlbus.timetable.schedule import ready_stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.timetable.schedule import Timetable

_MOST_DUTIES = 60_000
"""Possible duties of one group of runs that are listed at most."""

_FEWER_NEXT = (10**9, 8, 5, 3, 2, 1)
"""Next runs that each run is tried with, until the list is short enough."""


class Task(NamedTuple):
    """
    A run as drivers see it.

    Attributes
    ----------
    start_s, end_s
        Seconds of the night at which it leaves and comes to its end.
    bus
        Index of its block.
    from_stop, to_stop
        Stop where it begins, and where its bus stands ready for the next run.
    may_begin, may_end
        Whether a driver may take the bus over before it, and hand it over after it.
    """

    start_s: int
    end_s: int
    bus: int
    from_stop: int
    to_stop: int
    may_begin: bool
    may_end: bool


@dataclass(frozen=True, slots=True)
class Duty:
    """
    Work of one driver in one night.

    Attributes
    ----------
    runs
        Indices of its runs in the timetable, by time.
    sign_on_s, sign_off_s
        Begin and end of the duty, seconds of the night.
    driving_s
        Rides of its runs, seconds.
    """

    runs: tuple[int, ...]
    sign_on_s: int
    sign_off_s: int
    driving_s: int

    @property
    def duty_s(self) -> int:
        """Seconds from sign-on to sign-off."""
        return self.sign_off_s - self.sign_on_s


@dataclass(frozen=True, slots=True)
class Duties:
    """
    Duties that cover every run of a night once.

    Attributes
    ----------
    rules
        What each keeps.
    duties
        By sign-on.
    is_optimal
        Whether no other duties need fewer drivers, or as many for fewer hours; else only the likeliest next runs were tried.
    """

    rules: DriverRules
    duties: tuple[Duty, ...]
    is_optimal: bool

    @property
    def n_drivers(self) -> int:
        """Number of drivers of the night."""
        return len(self.duties)

    @property
    def paid_s(self) -> int:
        """Seconds of all duties together."""
        return sum(duty.duty_s for duty in self.duties)

    @property
    def driving_s(self) -> int:
        """Seconds of driving of all duties together."""
        return sum(duty.driving_s for duty in self.duties)

    def to_dict(self) -> dict[str, Any]:
        """Return drivers, hours and rules as JSON values."""
        rules = self.rules
        return {
            "drivers": self.n_drivers,
            "paid_hours": round(self.paid_s / 3600, 2),
            "driving_hours": round(self.driving_s / 3600, 2),
            "longest_duty_hours": round(max((duty.duty_s for duty in self.duties), default=0) / 3600, 2),
            "is_optimal": self.is_optimal,
            "rules": {name: getattr(rules, name) for name in DriverRules.__dataclass_fields__},
        }


def duty_rows(timetable: Timetable, duties: Duties, stop_names: Sequence[str]) -> list[dict[str, Any]]:
    """
    Duties by pieces of work: consecutive runs of one driver on one bus.

    Parameters
    ----------
    timetable
        The night.
    duties
        Its duties.
    stop_names
        Name of each stop of the network.

    Returns
    -------
    list of dict
        Times as HH:MM:SS past 24:00:00, driving in minutes; one a piece, in the order of duties.
    """
    rows = []
    directions, run_end_s = timetable.directions, timetable.run_end_s
    for number, duty in enumerate(duties.duties, 1):
        pieces: list[list[int]] = []
        for run in duty.runs:
            if pieces and timetable.run_block[pieces[-1][-1]] == timetable.run_block[run]:
                pieces[-1].append(run)
            else:
                pieces.append([run])
        for piece in pieces:
            ways = [directions[timetable.run_direction[run]] for run in piece]
            names = dict.fromkeys(timetable.plan.names[way.route] for way in ways)
            rows.append(
                {
                    "duty": number,
                    "sign_on": format_time(duty.sign_on_s),
                    "sign_off": format_time(duty.sign_off_s),
                    "bus": int(timetable.run_block[piece[0]]) + 1,
                    "from_stop": stop_names[int(ways[0].stops[0])],
                    "leaves": format_time(int(timetable.run_start_s[piece[0]])),
                    "to_stop": stop_names[int(ways[-1].stops[-1])],
                    "arrives": format_time(int(run_end_s[piece[-1]])),
                    "routes": " ".join(names),
                    "runs": len(piece),
                    "driving_min": sum(way.ride_s for way in ways) // 60,
                }
            )
    return rows


def plan_duties(timetable: Timetable, rules: DriverRules | None = None) -> Duties:
    """
    Duties of the fewest drivers, and of all with so few those with the least time from sign-on to sign-off.

    A driver goes on with the same bus, or waits at a relief point for another one; nobody walks or rides to another place, and a duty may
    end elsewhere than it began. All possible
    duties are listed for each group of runs that share relief points, and a set partitioning problem chooses among them [1]_. Where that
    list would be too long, only the next runs that come first are tried, and the result says that it is not proven.

    Parameters
    ----------
    timetable
        Runs and blocks of one night.
    rules
        What a duty keeps, in seconds; the defaults if None.

    Returns
    -------
    Duties
        Every run once; times in seconds.

    Raises
    ------
    InfeasibleError
        If a run cannot be driven under the rules.

    References
    ----------
    .. [1] Desrochers and Soumis (1989), A column generation approach to the urban transit crew scheduling problem, Transportation
       Science 23.
    """
    rules = rules or DriverRules()
    tasks = tasks_of(timetable, rules)
    chosen: list[tuple[int, ...]] = []
    is_optimal, groups = True, _groups(tasks)
    step = current_progress().step("Cut the duties of drivers", len(groups))
    for done, group in enumerate(groups):
        step.reach(done, f"{len(chosen)} duties")
        of_group, is_proven = _chosen(tasks, group, rules)
        chosen += of_group
        is_optimal &= is_proven
    duties = sorted((duty_of(tasks, runs, rules) for runs in chosen), key=lambda duty: (duty.sign_on_s, duty.runs))
    return Duties(rules, tuple(duties), is_optimal)


def tasks_of(timetable: Timetable, rules: DriverRules) -> list[Task]:
    """
    Runs of a night as drivers see them.

    Parameters
    ----------
    timetable
        Runs and blocks.
    rules
        Where drivers relieve each other.

    Returns
    -------
    list of Task
        One a run, in their order; seconds of the night.
    """
    ways = [timetable.directions[row] for row in timetable.run_direction.tolist()]
    ends = [(int(way.stops[0]), ready_stop(timetable.plan, way)) for way in ways]
    at = Counter(stop for stop, _ in {(stop, way.route) for way, both in zip(ways, ends, strict=True) for stop in both})
    is_relief = {stop: rules.relief == "terminals" or n > 1 for stop, n in at.items()}
    blocks = timetable.run_block.tolist()
    first, last = {bus: run for run, bus in reversed(list(enumerate(blocks)))}, {bus: run for run, bus in enumerate(blocks)}
    return [
        Task(start, end, bus, *both, is_relief[both[0]] or first[bus] == run, is_relief[both[1]] or last[bus] == run)
        for run, (start, end, bus, both) in enumerate(
            zip(timetable.run_start_s.tolist(), timetable.run_end_s.tolist(), blocks, ends, strict=True)
        )
    ]


def duty_of(tasks: Sequence[Task], runs: tuple[int, ...], rules: DriverRules) -> Duty:
    """
    Duty of given runs.

    Parameters
    ----------
    tasks
        All runs.
    runs
        Indices of its runs, by time.
    rules
        Time for signing on and off, seconds.

    Returns
    -------
    Duty
        Times in seconds.
    """
    driving_s = sum(tasks[run].end_s - tasks[run].start_s for run in runs)
    return Duty(runs, tasks[runs[0]].start_s - rules.sign_on_s, tasks[runs[-1]].end_s + rules.sign_off_s, driving_s)


def _groups(tasks: Sequence[Task]) -> list[list[int]]:
    """Runs that share buses or stops, directly or by others."""
    group_of: dict[tuple[str, int], list[int]] = {}
    for run, task in enumerate(tasks):
        keys = [("bus", task.bus), ("stop", task.from_stop), ("stop", task.to_stop)]
        known = {id(group_of[key]): group_of[key] for key in keys if key in group_of}
        merged = sorted({run, *(one for group in known.values() for one in group)})
        for one in merged:
            group_of |= dict.fromkeys([("bus", tasks[one].bus), ("stop", tasks[one].from_stop), ("stop", tasks[one].to_stop)], merged)
    return [list(group) for group in dict.fromkeys(tuple(group) for group in group_of.values())]


def _chosen(tasks: Sequence[Task], group: Sequence[int], rules: DriverRules) -> tuple[list[tuple[int, ...]], bool]:
    """Duties of a group of runs, and whether no others are better."""
    columns, is_whole = _columns(tasks, group, rules)
    _require_all(tasks, group, columns, rules)
    minutes = [-(-duty_of(tasks, runs, rules).duty_s // 60) for runs in columns]
    row_of = {run: row for row, run in enumerate(group)}
    choice = choose_duties([[row_of[run] for run in runs] for runs in columns], minutes, len(group))
    if not choice.columns:
        msg = f"no duties hold all {len(group)} runs that share relief points once; allow longer duties, or relief at more places"
        raise InfeasibleError(msg, setting="max_duty_s", value=rules.max_duty_s)
    return [columns[column] for column in choice.columns], is_whole and choice.is_optimal


def _next_runs(tasks: Sequence[Task], group: Sequence[int], rules: DriverRules, most: int) -> dict[int, list[int]]:
    """Runs that one driver may drive right after each run: the next of its bus, and the soonest ones after a handover."""
    found: dict[int, list[int]] = {}
    for run in group:
        task = tasks[run]
        rest_s = rules.rest_s(task.end_s - task.start_s)
        of_bus = next((other for other in group if tasks[other].bus == task.bus and tasks[other].start_s >= task.end_s), None)
        own = [] if of_bus is None or tasks[of_bus].start_s < task.end_s + rest_s else [of_bus]
        ready_s = task.end_s + max(rest_s, rules.handover_s)
        others = [
            other
            for other in group
            if other != of_bus and task.may_end and tasks[other].may_begin
            if tasks[other].from_stop == task.to_stop and tasks[other].start_s >= ready_s
        ]
        found[run] = own + sorted(others, key=lambda other: (tasks[other].start_s, other))[:most]
    return found


def _columns(tasks: Sequence[Task], group: Sequence[int], rules: DriverRules) -> tuple[list[tuple[int, ...]], bool]:
    """All possible duties of a group, or as many as the list may hold, and whether they are all."""
    for most in _FEWER_NEXT:
        columns = _listed(tasks, _next_runs(tasks, group, rules, most), group, rules)
        if columns is not None:
            return columns, most == _FEWER_NEXT[0]
    return [(run,) for run in group if tasks[run].may_begin and tasks[run].may_end], False


def _listed(
    tasks: Sequence[Task], next_runs: dict[int, list[int]], group: Sequence[int], rules: DriverRules
) -> list[tuple[int, ...]] | None:
    """Duties along next runs, depth first; None if they are too many."""
    columns: list[tuple[int, ...]] = []
    open_ends: list[tuple[int, ...]] = [(run,) for run in reversed(group) if tasks[run].may_begin and keeps_rules(tasks, (run,), rules)]
    while open_ends:
        runs = open_ends.pop()
        if tasks[runs[-1]].may_end:
            columns.append(runs)
            if len(columns) > _MOST_DUTIES:
                return None
        open_ends += [(*runs, run) for run in reversed(next_runs[runs[-1]]) if keeps_rules(tasks, (*runs, run), rules)]
    return columns


def keeps_rules(tasks: Sequence[Task], runs: tuple[int, ...], rules: DriverRules) -> bool:
    """
    Whether runs one after the other keep the limits of a duty; whether a driver gets from each to the next is not looked at.

    Parameters
    ----------
    tasks
        All runs.
    runs
        Indices of the duty's runs, by time.
    rules
        The limits, in seconds.

    Returns
    -------
    bool
        True if duty, driving, each stretch of driving and the number of buses keep theirs.
    """
    duty = duty_of(tasks, runs, rules)
    if duty.duty_s > rules.max_duty_s or duty.driving_s > rules.max_driving_s:
        return False
    if len({tasks[run].bus for run in runs}) > rules.max_vehicles:
        return False
    stretch_s, came_s = 0, -math.inf
    for run in runs:
        task = tasks[run]
        stretch_s = (0 if task.start_s - came_s >= rules.break_s else stretch_s) + task.end_s - task.start_s
        if stretch_s > rules.max_stretch_s:
            return False
        came_s = task.end_s
    return True


def _require_all(tasks: Sequence[Task], group: Sequence[int], columns: Sequence[tuple[int, ...]], rules: DriverRules) -> None:
    """Refuse a run that no duty contains."""
    left = sorted(set(group) - {run for runs in columns for run in runs})
    if left:
        task = tasks[left[0]]
        hours = f"{rules.max_duty_s / 3600:g} h with {rules.max_stretch_s / 3600:g} h of driving at a stretch"
        msg = (
            f"{len(left)} run{'s fit' if len(left) > 1 else ' fits'} into no duty of at most {hours}, the first leaves at "
            f"{format_time(task.start_s)} and takes {(task.end_s - task.start_s) / 60:.0f} min; allow more with {setting('max_duty_s')} or "
            f"{setting('max_stretch_s')}, or relief at more places with {setting('relief', 'terminals')}"
        )
        raise InfeasibleError(msg, setting="max_duty_s", value=rules.max_duty_s)
