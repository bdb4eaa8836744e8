"""What a record must keep, as data: each rule with its sentence, what follows from breaking it, and the way out."""

from __future__ import annotations

from dataclasses import dataclass

REJECT = "reject"
NO_TRIP = "no trip"


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule that records are held to.

    Attributes
    ----------
    code
        What the kernel writes for a row that breaks it, 1 to 255; a row is given the first rule it breaks, by code.
    name
        Short name, as in `rejected.parquet`.
    sentence
        What its rows do, to follow a number of rows.
    effect
        ``reject``: the row counts nowhere. ``no trip``: the person is counted as present, the trip is not.
    way_out
        What to do about it.
    """

    code: int
    name: str
    sentence: str
    effect: str
    way_out: str


TIME = Rule(1, "time missing", "have no readable time", REJECT, "write times as 2013-03-02 01:10:00 or as HH:MM:SS")
POSITION = Rule(2, "position missing", "have no position", REJECT, "check the two columns of the position, and name them with --map")
SWAPPED = Rule(3, "looks swapped", "lie in the study area only with lon and lat swapped", REJECT, "swap the two columns with --map")
OUTSIDE = Rule(4, "outside the area", "lie outside the study area", REJECT, "widen the outline, or leave it out to derive one")
WINDOW = Rule(5, "outside the window", "fall outside the night window", REJECT, "widen it with --window, such as --window 22-07")
COUNT = Rule(6, "count unusable", "have a count that is not above 0 and at most 1000000", REJECT, "give whole or decimal numbers of trips")
ENDS_EARLY = Rule(7, "ends before it begins", "end before they begin", REJECT, "write times after midnight as 24:00:00 and up")
TOO_FAST = Rule(8, "too fast", "are faster than 150 km/h in a straight line", REJECT, "check times and positions of both ends")
TWIN = Rule(
    9,
    "repeats a row",
    "repeat an earlier ride of the file to the second and in both positions",
    REJECT,
    "drop rows that were written twice",
)
NO_GOAL = Rule(
    16, "no goal", "have no home or drop-off position", NO_TRIP, "a trip needs both ends: check those two columns, and name them with --map"
)
GOAL_SWAPPED = Rule(
    17,
    "goal looks swapped",
    "have a home or drop-off in the study area only with lon and lat swapped",
    NO_TRIP,
    "swap the two columns with --map",
)
GOAL_OUTSIDE = Rule(18, "goal outside the area", "lead to a home or drop-off outside the study area", NO_TRIP, "widen the outline")
SAME_HEX = Rule(19, "same hex", "begin in the hex they lead to", NO_TRIP, "take smaller hexes with --radius if most do")

RULES = (TIME, POSITION, SWAPPED, OUTSIDE, WINDOW, COUNT, ENDS_EARLY, TOO_FAST, TWIN, NO_GOAL, GOAL_SWAPPED, GOAL_OUTSIDE, SAME_HEX)
BY_CODE = {rule.code: rule for rule in RULES}
FIRST_KEPT = NO_GOAL.code
"""Rows with code 0 or from here on are counted as presence."""

MAX_SPEED_KMH = 150.0
"""Fastest straight-line speed that a taxi ride may have, in km/h."""

MAX_COUNT = 1_000_000
"""Most trips that one row may stand for."""
