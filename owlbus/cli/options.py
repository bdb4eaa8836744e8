"""Options that several commands share, as groups; a command takes each group as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.shares import share_of, starts_of
from owlbus.common.defaults import AUTO, DETOUR_FACTOR, DETOUR_S, HEADWAY_S, MAX_PAIR_CIRCUITY, N_ROUTES, TRANSFER_S, UNSERVED_S


def option(panel: str, *names: str, unit: str | None = None, text: str) -> Any:  # noqa: ANN401 - the parser's own type is private
    """
    Describe an option that the environment can give too, as ``OWLBUS_NAME``.

    Parameters
    ----------
    panel
        Heading in the help.
    names
        The option and its short forms; the first long one names the variable.
    unit
        What stands for the value in the help; nothing for a flag. A ``SHARE`` reads ``0.42`` or ``42%``, ``N|auto`` a whole number or auto.
    text
        What it does.

    Returns
    -------
    OptionInfo
        For `typing.Annotated`.
    """
    name = next(name for name in names if name.startswith("--"))
    variable = f"OWLBUS_{name.lstrip('-').replace('-', '_').upper()}"
    parser = {"SHARE": share_of, "N|auto": starts_of}.get(unit or "")
    return typer.Option(*names, metavar=unit or "", help=text, envvar=variable, show_envvar=False, rich_help_panel=panel, parser=parser)


_LIMITS, _RULE, _SEARCH, _OUTPUT = "Limits", "When a trip counts as served", "Search", "Output"
_PLAN_FEED, FEED = "GTFS feed as a plan", "GTFS feed"


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How much a command prints, and in which form."""

    json: Annotated[bool, option(_OUTPUT, "--json", text="Print one JSON document on standard output.")] = False
    quiet: Annotated[bool, option(_OUTPUT, "--quiet", "-q", text="Print only results and errors.")] = False
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="Print more; -vv also prints the traceback of an error.",
            rich_help_panel=_OUTPUT,
        ),
    ] = 0
    config: Annotated[
        str | None, option(_OUTPUT, "--config", unit="FILE", text="File with defaults for options. Default: ./owlbus.toml, if it exists.")
    ] = None


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """Limits of each route and of the whole plan."""

    fleet: Annotated[
        int | None,
        option(_LIMITS, "--fleet", unit="BUSES", text="Largest number of buses for all routes together. Default: no limit."),
        Gives("max_buses"),
    ] = None
    headway: Annotated[
        float,
        option(
            _LIMITS,
            "--headway",
            unit="MINUTES",
            text="Time between buses that the fleet is counted for. It does not set the headways in gtfs.zip.",
        ),
        Gives("headway_s", 60, "minutes"),
    ] = HEADWAY_S / 60
    max_length_km: Annotated[
        float | None,
        option(_LIMITS, "--max-length-km", unit="KM", text="Longest route, one way. Default: 45."),
        Gives("max_length_m", 1000),
    ] = None
    min_length_km: Annotated[
        float | None,
        option(_LIMITS, "--min-length-km", unit="KM", text="Shortest route, one way. Default: no limit."),
        Gives("min_length_m", 1000),
    ] = None
    max_ride_min: Annotated[
        float | None,
        option(_LIMITS, "--max-ride-min", unit="MINUTES", text="Longest travel time of a route, one way. Default: 240."),
        Gives("max_ride_s", 60),
    ] = None
    max_circuity: Annotated[
        float | None,
        option(
            _LIMITS,
            "--max-circuity",
            unit="RATIO",
            text="Largest ratio of a route's length to the shortest path between its terminals. Default: 1.6.",
        ),
    ] = None
    max_pair_circuity: Annotated[
        float | None,
        option(
            _LIMITS,
            "--max-pair-circuity",
            unit="RATIO",
            text="Largest ratio of a route's length between any two of its stops, less 1 km, to the shortest path between them; inf for "
            f"any. Default: {MAX_PAIR_CIRCUITY:g}.",
        ),
    ] = None
    allow_spurs: Annotated[
        bool,
        option(_LIMITS, "--allow-spurs", text="Let routes run out to a stop and back again, where that adds 400 m or more."),
    ] = False
    total_km: Annotated[
        float | None,
        option(_LIMITS, "--total-km", unit="KM", text="Largest one-way length of all routes together. Default: no limit."),
        Gives("max_total_length_m", 1000),
    ] = None


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """When a trip counts as served."""

    detour_factor: Annotated[
        float, option(_RULE, "--detour-factor", unit="RATIO", text="Longest ride: this many times the direct drive, plus --detour-min.")
    ] = DETOUR_FACTOR
    detour_min: Annotated[
        float, option(_RULE, "--detour-min", unit="MINUTES", text="Minutes added to the longest ride."), Gives("detour_s", 60)
    ] = DETOUR_S / 60
    transfer_min: Annotated[
        float, option(_RULE, "--transfer-min", unit="MINUTES", text="Time added for each transfer."), Gives("transfer_s", 60)
    ] = TRANSFER_S / 60
    max_transfers: Annotated[int, option(_RULE, "--max-transfers", unit="0|1", text="Largest number of transfers of a trip.")] = 1
    unserved_min: Annotated[
        float,
        option(
            _RULE, "--unserved-min", unit="MINUTES", text="Minutes to count in the mean travel time for a trip that buses cannot serve."
        ),
        Gives("unserved_s", 60),
    ] = UNSERVED_S / 60


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What the search maximises, and how long it runs."""

    routes: Annotated[int, option(_SEARCH, "--routes", "-k", unit="K", text="Number of routes, 1 to 64."), Gives("n_routes")] = N_ROUTES
    objective: Annotated[
        str,
        option(
            _SEARCH,
            "--objective",
            unit="NAME",
            text="What to maximise: served, direct, presence, or a mix (served=3,presence=1); travel_time minimises the mean journey; "
            "carried counts who rides at the headways of --fleet.",
        ),
    ] = "served"
    steps: Annotated[
        int | None,
        option(
            _SEARCH,
            "--steps",
            unit="N",
            text="Moves to try; equal moves and seed give equal plans. Default: 600000, unless --time is given.",
        ),
    ] = None
    time: Annotated[
        float | None,
        option(_SEARCH, "--time", unit="SECONDS", text="Seconds to search; the result then depends on the machine."),
        Gives("time_s"),
    ] = None
    bound: Annotated[
        int,
        option(
            _SEARCH,
            "--bound",
            unit="N",
            text="Iterations to prove the most that any plan could reach; more are tighter and slower (0: none; 60 is typical). "
            "With --objective presence as many more prove it for the published figure, by area.",
        ),
        Gives("bound_steps"),
    ] = 0
    target_gap: Annotated[
        float | None,
        option(
            _SEARCH,
            "--target-gap",
            unit="SHARE",
            text="Stop once the plan is proven within this share of the best one, such as 0.05. The result depends on the machine.",
        ),
        Gives("target_gap_share"),
    ] = None
    seed: Annotated[int, option(_SEARCH, "--seed", unit="N", text="Random seed of the search.")] = 0
    starts: Annotated[
        Any,
        option(
            _SEARCH,
            "--starts",
            unit="N|auto",
            text="Searches side by side; --steps is divided between them, and the best plan is kept. They run in threads or by "
            "--scheduler. auto: by --steps and --routes, or by the processors where only --time ends the search.",
        ),
        Gives("n_starts"),
    ] = AUTO
    seeds: Annotated[
        int,
        option(
            _SEARCH,
            "--seeds",
            unit="N",
            text="Search N times, from --seed on, each with all its steps; keep the best plan and tell how far the searches differ.",
        ),
        Gives("n_seeds"),
    ] = 1


OUT = option(_OUTPUT, "--out", "-o", unit="DIR", text="Run directory to write: absent, empty, or an earlier run, which is replaced.")
RESUME = option(
    _OUTPUT,
    "--resume",
    text="Write checkpoints to --out, and resume from those of an interrupted run.",
)
MIN_PRESENCE = option(
    _OUTPUT, "--min-presence", unit="SHARE", text="Exit with code 1 if the share of people within the walk of a stop is lower."
)
MIN_SERVED = option(_OUTPUT, "--min-served", unit="SHARE", text="Exit with code 1 if the share of trips served is lower.")
REFERENCE = option(
    _OUTPUT, "--reference", unit="PLAN", text="Plan to compare with, in any format that score reads. Default: the city's, if there is one."
)
LANG = option(_OUTPUT, "--lang", unit="en|ko", text="Language of pages.")
AGENCY_TIMEZONE = option(
    FEED, "--agency-timezone", unit="ZONE", text="Time zone of gtfs.zip, such as Asia/Seoul. Default: that of the network's place."
)
SNAP = option(_OUTPUT, "--max-snap", unit="METRES", text="Largest distance from a way-point of a given plan to the nearest stop.")


@dataclass(frozen=True, slots=True)
class FeedPlanOptions:
    """Service day, lines and patterns of GTFS feeds that are read as plans."""

    day: Annotated[
        str | None,
        option(_PLAN_FEED, "--day", unit="DAY", text="Evening of the night, such as fri. Default: the day with most runs in the window."),
    ] = None
    date: Annotated[
        str | None, option(_PLAN_FEED, "--date", unit="DATE", text="Date of the evening, such as 2024-03-08, instead of --day.")
    ] = None
    lines: Annotated[
        str | None, option(_PLAN_FEED, "--lines", unit="NAMES", text="Lines to read, such as N1,N2, by their names or ids. Default: all.")
    ] = None
    pattern: Annotated[
        str | None,
        option(
            _PLAN_FEED,
            "--pattern",
            unit="commonest|longest",
            text="Which stops of each line and direction: those of most departures in the window, or the longest way. Default: commonest.",
        ),
    ] = None

    @property
    def is_empty(self) -> bool:
        """Whether no option is set."""
        return (self.day, self.date, self.lines, self.pattern) == (None, None, None, None)
