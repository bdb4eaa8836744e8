"""Limits as values: what may be asked for, what is asked for unless said otherwise, and at which step a search ends."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError, asdict

import pytest

from owlbus.common.defaults import DEFAULT_STEPS
from owlbus.common.errors import UsageError
from owlbus.plan.limits import RouteLimits, ServiceRule
from owlbus.search.stopping import (
    MaxSeconds,
    MaxSteps,
    NoGain,
    Snapshot,
    TargetGap,
)

RANGES = [
    (ServiceRule, "detour_factor", 0, 1e9),
    (ServiceRule, "detour_s", 0, 604_800),
    (ServiceRule, "transfer_s", 0, 604_800),
    (ServiceRule, "max_transfers", 0, 1),
    (ServiceRule, "unserved_s", 1, 604_800),
    (RouteLimits, "max_length_m", 1, 1e9),
    (RouteLimits, "min_length_m", 0, 45_000),
    (RouteLimits, "max_ride_s", 1, 1e7),
    (RouteLimits, "max_circuity", 1, 1e9),
    (RouteLimits, "max_pair_circuity", 1, 1e9),
    (RouteLimits, "max_stops", 2, 100_000),
    (RouteLimits, "min_stops", 2, 200),
    (RouteLimits, "max_total_length_m", 1, 1e9),
    (RouteLimits, "max_buses", 1, 1e6),
    (RouteLimits, "headway_s", 60, 21_600),
]


def now(steps: int = 0, idle: int = 0, seconds: float = 0.0, best: float = 0.5, bound: float = 1.0) -> Snapshot:
    """Where a search stands."""
    return Snapshot(steps, idle, seconds, best, bound)


@pytest.mark.parametrize(("kind", "name", "low", "high"), RANGES)
def test_both_ends_of_a_range_are_allowed_and_nothing_beyond_them(kind, name, low, high):
    for value in (low, high):
        assert getattr(kind(**{name: value}), name) == value
    for value in (low - 0.5, -math.inf, math.nan, high + 1):
        with pytest.raises(UsageError, match=f"^{re.escape(f'{name} must lie in [{low:g}, {high:g}], got {value:g}')}$"):
            kind(**{name: value})


def test_kilometres_and_buses_of_a_plan_may_be_without_limit():
    assert RouteLimits(max_total_length_m=math.inf, max_buses=math.inf) == RouteLimits()


def test_routes_may_be_of_any_shape():
    assert RouteLimits(max_pair_circuity=math.inf).max_pair_circuity == math.inf
    assert [RouteLimits(allow_spurs=allowed).max_spurs for allowed in (False, True)] == [0, math.inf]


def test_what_holds_unless_said_otherwise_is_what_the_documents_say():
    assert asdict(ServiceRule()) == {"detour_factor": 2.0, "detour_s": 600, "transfer_s": 300, "max_transfers": 1, "unserved_s": 7200}
    assert asdict(RouteLimits()) == {
        "max_length_m": 45_000,
        "min_length_m": 0,
        "max_ride_s": 14_400,
        "max_circuity": 1.6,
        "max_stops": 200,
        "min_stops": 2,
        "max_total_length_m": math.inf,
        "max_buses": math.inf,
        "headway_s": 2_700,
        "max_pair_circuity": 1.22,
        "allow_spurs": False,
    }
    assert Snapshot(0, 0, 0.0, 0.0).bound_share == 1.0
    assert DEFAULT_STEPS == 600_000


def test_a_shortest_route_longer_than_the_longest_is_refused_whichever_was_changed():
    with pytest.raises(UsageError, match=r"^min_length_m must lie in \[0, 500\], got 501$"):
        RouteLimits(max_length_m=500, min_length_m=501)
    with pytest.raises(UsageError, match=r"^min_stops must lie in \[2, 5\], got 6$"):
        RouteLimits(max_stops=5, min_stops=6)
    assert RouteLimits(max_length_m=500, min_length_m=500, max_stops=5, min_stops=5).min_stops == 5


def test_limits_cannot_be_changed_once_made():
    for limit in (ServiceRule(), RouteLimits(), now(), MaxSteps(1), MaxSeconds(1.0), NoGain(1), TargetGap(0.1)):
        name = next(iter(asdict(limit)))
        with pytest.raises(FrozenInstanceError):
            setattr(limit, name, 3)
        assert not hasattr(limit, "__dict__"), "a name that is none cannot be set either"


@pytest.mark.parametrize(
    ("limit", "before", "at", "reason"),
    [
        (MaxSteps(7), now(steps=6, idle=9, seconds=9.0), now(steps=7), "the limit of 7 moves was reached"),
        (MaxSteps(1), now(), now(steps=1), "the limit of 1 move was reached"),
        (MaxSteps(600_000), now(steps=599_999), now(steps=600_000), "the limit of 600,000 moves was reached"),
        (MaxSeconds(2.5), now(steps=9, idle=9, seconds=2.4), now(seconds=2.5), "the limit of 2.5 s was reached"),
        (NoGain(4), now(steps=9, idle=3, seconds=9.0), now(idle=4), "4 moves in a row brought no better plan"),
        (
            TargetGap(0.25),
            now(best=0.5, bound=0.626),
            now(best=0.5, bound=0.625),
            "the proven bound is 25.0% above the plan, and 25% was asked for",
        ),
    ],
)
def test_a_search_ends_at_its_limit_and_not_a_step_before(limit, before, at, reason):
    assert limit.reason_to_end(before) is None
    assert str(limit.reason_to_end(at)) == reason


def test_a_plan_that_serves_nobody_is_no_share_of_any_bound():
    assert TargetGap(0.1).reason_to_end(now(best=0.0, bound=0.0)) is None
    assert str(TargetGap(0.0).reason_to_end(now(best=0.4, bound=0.4))) == "the proven bound is 0.0% above the plan, and 0% was asked for"
