"""Plans that a search goes on from, or keeps routes of: the option --begin, and notes on fixed routes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from owlbus.cli.options import option
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from owlbus.cli.output import Output
    from owlbus.cli.plan_files import PlanReader
    from owlbus.network import Network
    from owlbus.pipeline import Request
    from owlbus.plan.limits import RouteLimits
    from owlbus.search import PlanConstraints

BEGIN = option(
    "Search",
    "--begin",
    unit="PLAN",
    text="Run directory or plan that the search starts from, filled up to --routes. All its routes may change: --fixed keeps routes, "
    "--base changes few stops, --run takes demand and network of a run, not its plan, and --resume continues a stopped run in --out.",
)


def require_begin(begin: str | None, *, base: str | None, resume: bool) -> None:
    """
    Refuse a plan to begin from where another option says what to begin from, before anything is read.

    Parameters
    ----------
    begin
        The plan, or None.
    base
        Plan to change little, or None.
    resume
        Whether ``--resume`` is set.

    Raises
    ------
    UsageError
        If two of them are given.
    """
    if begin is not None and base is not None:
        msg = f"--begin {begin} may change altogether, and few stops of --base {base} may; leave one of them out"
        raise UsageError(msg)
    if begin is not None and resume:
        msg = f"--resume goes on from what --out holds, and --begin from {begin}; leave one of them out"
        raise UsageError(msg)


def begin_from(output: Output, request: Request, begin: str | None, reader: PlanReader) -> Request:
    """
    Request that begins from a plan; print which limits its fixed routes break.

    Parameters
    ----------
    output
        Output of the command.
    request
        Request of a search.
    begin
        The plan in any format, or None.
    reader
        Reads plans on the study's network.

    Returns
    -------
    Request
        `request` itself without a plan.

    Raises
    ------
    DataError
        If the plan does not exist or cannot be read.
    """
    say_what_fixed_break(output, reader.study.network, request.constraints, request.limits)
    return request if begin is None else replace(request, begin=reader.read(begin))


def say_what_fixed_break(output: Output, network: Network, constraints: PlanConstraints | None, limits: RouteLimits) -> None:
    """Print on `output` which `limits` fixed routes of some `constraints` break on a `network`, in metres and seconds."""
    for line in () if constraints is None else constraints.broken_by_fixed(network, limits):
        output.say(f"note: fixed {line}; it stays as it is, and all other routes keep the limit")
