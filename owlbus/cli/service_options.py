"""Options on trips carried: who rides, and how buses run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

from owlbus.cli.messages import Gives
from owlbus.cli.options import option
from owlbus.common.errors import InfeasibleError, UsageError

if TYPE_CHECKING:
    from owlbus.pipeline import ScoredPlan, Study
    from owlbus.plan import Plan
    from owlbus.plan.limits import RouteLimits, ServiceRule
    from owlbus.search.ride_service import RideService

_PANEL = "Trips carried"


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Who rides and how buses run, where trips carried count."""

    carried: Annotated[
        bool,
        option(_PANEL, "--carried", text="Count the trips that the plan carries, at the best headways that --fleet can run."),
    ] = False
    choice: Annotated[
        str | None,
        option(_PANEL, "--choice", unit="FILE", text="Who rides: a choice.json of owlbus calibrate. Default: values of the literature."),
    ] = None
    capacity: Annotated[int | None, option(_PANEL, "--capacity", unit="RIDERS", text="Riders per bus. Default: 45.")] = None
    min_headway: Annotated[
        float | None,
        option(_PANEL, "--min-headway", unit="MINUTES", text="Shortest time between two buses of a route. Default: 10."),
        Gives("min_headway_s", 60, "minutes"),
    ] = None
    max_headway: Annotated[
        float | None,
        option(_PANEL, "--max-headway", unit="MINUTES", text="Longest time between two buses of a route. Default: 60."),
        Gives("max_headway_s", 60, "minutes"),
    ] = None


def service_of(options: ServiceOptions, limits: RouteLimits, objective: str | None = None) -> RideService | None:
    """
    How buses run and who rides, as options set it.

    Parameters
    ----------
    options
        Options, headways in minutes.
    limits
        Hold the fleet.
    objective
        Name of the objective of a search; None without one.

    Returns
    -------
    RideService or None
        None where trips carried are not asked for.

    Raises
    ------
    UsageError
        If they are asked for and no fleet is named, or a number is out of range.
    DataError
        If the file of who rides is none.
    """
    from owlbus.common.acceptance import RideChoice
    from owlbus.search.objective import CARRIED
    from owlbus.search.ride_service import RideService

    is_asked = any(getattr(options, field.name) not in {None, False} for field in fields(options))
    if not is_asked and objective != CARRIED:
        return None
    if limits.max_buses == float("inf"):
        msg = "trips carried are those that a number of buses can carry; add --fleet BUSES"
        raise UsageError(msg, setting="max_buses")
    values: dict[str, Any] = {
        "choice": None if options.choice is None else RideChoice.read(options.choice),
        "capacity": options.capacity,
        "min_headway_s": None if options.min_headway is None else round(60 * options.min_headway),
        "max_headway_s": None if options.max_headway is None else round(60 * options.max_headway),
    }
    return RideService(fleet=int(limits.max_buses), **{name: value for name, value in values.items() if value is not None})


def score_reference(
    study: Study, reference: tuple[str, Plan] | None, rule: ServiceRule, headway_s: int, service: RideService | None = None
) -> ScoredPlan | None:
    """
    Return the scored `reference`, a name and a plan, at a headway of `headway_s` seconds; None without one.

    Trips that it carries under `service` are absent if the fleet cannot run it.
    """
    from owlbus.pipeline import score_study

    if reference is None:
        return None
    try:
        return score_study(study, reference[1], reference[0], rule=rule, headway_s=headway_s, service=service)
    except InfeasibleError:
        return score_study(study, reference[1], reference[0], rule=rule, headway_s=headway_s)
