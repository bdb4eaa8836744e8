"""Options of hard constraints on a plan, and the request that they make."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from owlbus.cli.messages import Gives
from owlbus.cli.options import option
from owlbus.cli.shares import require_share, share_of
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.cli.options import LimitOptions
    from owlbus.cli.plan_files import PlanReader
    from owlbus.pipeline import Request, Study
    from owlbus.search import GroupPresence

_PANEL = "Constraints (STOP: index, name, place, or LON,LAT)"


@dataclass(frozen=True, slots=True)
class ConstraintOptions:
    """Hard constraints on the plan, besides its limits."""

    fixed: Annotated[str | None, option(_PANEL, "--fixed", unit="FILE", text="Routes kept unchanged; they count towards --routes.")] = None
    require: Annotated[
        list[str] | None,
        option(_PANEL, "--require", unit="STOP", text="Stop that at least one route must serve; repeatable."),
        Gives("required"),
    ] = None
    hub: Annotated[list[str] | None, option(_PANEL, "--hub", unit="STOP=N", text="Stop that at least N routes must serve; repeatable.")] = (
        None
    )
    forbid: Annotated[list[str] | None, option(_PANEL, "--forbid", unit="STOP", text="Stop that no route may pass; repeatable.")] = None
    forbid_link: Annotated[
        list[str] | None, option(_PANEL, "--forbid-link", unit="A..B", text="Link that no route may use, in either direction; repeatable.")
    ] = None
    depot: Annotated[
        list[str] | None, option(_PANEL, "--depot", unit="STOP", text="Stop where routes may begin and end; repeatable. Default: any stop.")
    ] = None
    ends: Annotated[
        list[str] | None,
        option(_PANEL, "--ends", unit="NAME=A..B", text="Route with given terminals, or with one (NAME=A); repeatable."),
    ] = None
    min_district_presence: Annotated[
        float | None,
        option(
            _PANEL,
            "--min-district-presence",
            unit="SHARE",
            text="Least share of the people of every district within the walk of a stop, such as 0.2.",
        ),
        Gives("least_share"),
    ] = None
    min_group_presence: Annotated[
        list[str] | None,
        option(
            _PANEL,
            "--min-group-presence",
            unit="FILE:COLUMN=SHARE",
            text="The same for the groups of hexes that a column names, as for --by of owlbus compare; repeatable.",
        ),
    ] = None
    base: Annotated[
        str | None, option(_PANEL, "--base", unit="FILE", text="Plan to improve by changing few of its stops, instead of planning anew.")
    ] = None
    max_change: Annotated[
        float | None,
        option(_PANEL, "--max-change", unit="SHARE", text="Largest share of the stops of --base that may change. Default: 10%."),
    ] = None

    def require_consistent(self) -> None:
        """
        Refuse options that exclude each other, before anything is read.

        Raises
        ------
        UsageError
            If ``--max-change`` stands without ``--base`` or is no share, or if ``--base`` stands with a constraint on new routes.
        """
        if self.max_change is not None and self.base is None:
            msg = "--max-change says how many stops of --base may change; add --base FILE"
            raise UsageError(msg)
        require_share("--max-change", self.max_change)
        require_share("--min-district-presence", self.min_district_presence)
        for text in self.min_group_presence or ():
            _group(text)
        others = {"--fixed": self.fixed, "--ends": self.ends, "--forbid": self.forbid, "--forbid-link": self.forbid_link}
        clash = [name for name, value in {**others, "--depot": self.depot, "--hub": self.hub}.items() if value]
        if self.base is not None and clash:
            msg = f"--base keeps its terminals, and {clash[0]} constrains new routes; leave one of them out"
            raise UsageError(msg)

    @property
    def change(self) -> float:
        """Share of the stops of the base that may change, 0 to 1."""
        return 0.1 if self.max_change is None else self.max_change


def constraints_of(request: Request, options: ConstraintOptions, limits: LimitOptions, reader: PlanReader) -> Request:
    """
    Request with the constraints that the options set, on the stops of a study.

    Parameters
    ----------
    request
        Request without constraints.
    options, limits
        Options of constraints and of limits.
    reader
        Reads given routes on the network; snaps way-points over metres.

    Returns
    -------
    Request
        `request` itself if no constraint is set. With a base, its kilometres and buses are the limits, unless the options set them.

    Raises
    ------
    UsageError
        If a constraint cannot be read, or names an unknown stop.
    """
    from owlbus.cli.session import limits_near, stop_names_of
    from owlbus.search import PlanConstraints

    study = reader.study
    places = stop_names_of(study)

    def find(text: str) -> int:
        return places.find_stop(study.network, text)

    fixed, base = (None if file is None else reader.read(file) for file in (options.fixed, options.base))
    constraints = PlanConstraints(
        fixed=fixed,
        required=tuple(map(find, options.require or ())),
        hubs=tuple(_hub(text, find) for text in options.hub or ()),
        forbidden=tuple(map(find, options.forbid or ())),
        forbidden_links=tuple(_link(text, find) for text in options.forbid_link or ()),
        depots=tuple(map(find, options.depot or ())),
        terminals=tuple(_ends(text, find) for text in options.ends or ()),
        groups=_groups(study, options),
    )
    if base is not None:
        request = replace(request, base=base, max_change_share=options.change, limits=limits_near(study, base, limits))
    return request if constraints.is_empty else replace(request, constraints=constraints)


def _groups(study: Study, options: ConstraintOptions) -> tuple[GroupPresence, ...]:
    """Groups of hexes with the least share of each: districts, and those of columns."""
    import numpy as np

    from owlbus.evidence.groups import NOWHERE, read_groups
    from owlbus.search import GroupPresence

    groups = []
    if options.min_district_presence is not None:
        if study.districts is None:
            msg = "--min-district-presence needs districts, and none are known here; take --min-group-presence FILE:COLUMN=SHARE"
            raise UsageError(msg)
        groups.append(GroupPresence(study.districts, options.min_district_presence, "district"))
    for text in options.min_group_presence or ():
        by, share = _group(text)
        labels = read_groups(by, study.grid)
        groups.append(GroupPresence(np.where(labels == NOWHERE, "", labels), share, by.rpartition(":")[2]))
    return tuple(groups)


def _group(text: str) -> tuple[str, float]:
    """File with column, and share of ``FILE:COLUMN=SHARE``."""
    by, equals, share = text.rpartition("=")
    try:
        least = share_of(share) if equals and ":" in by else math.nan
    except ValueError:
        least = math.nan
    if not 0 <= least <= 1:
        msg = f"--min-group-presence must read FILE:COLUMN=SHARE with a share in [0, 1], such as districts.geojson:name=0.2, got {text!r}"
        raise UsageError(msg)
    return by, least


def _hub(text: str, find: Callable[[str], int]) -> tuple[int, int]:
    """Stop and number of routes of ``STOP=N``."""
    stop, _, number = text.rpartition("=")
    if not stop or not number.strip().isdecimal():
        msg = f"--hub must read STOP=N, such as Sadang=3, got {text!r}"
        raise UsageError(msg)
    return find(stop), int(number)


def _link(text: str, find: Callable[[str], int]) -> tuple[int, int]:
    """Both stops of ``A..B``."""
    first, dots, second = text.partition("..")
    if not (dots and first and second):
        msg = f"--forbid-link must read A..B, such as 12..13, got {text!r}"
        raise UsageError(msg)
    return find(first), find(second)


def _ends(text: str, find: Callable[[str], int]) -> tuple[str, int, int]:
    """Name and terminals of ``NAME=A..B`` or ``NAME=A``; -1 for any."""
    name, equals, ends = text.partition("=")
    first, _, second = ends.partition("..")
    if not (name.strip() and equals and first.strip()):
        msg = f"--ends must read NAME=A..B, or NAME=A for one terminal, got {text!r}"
        raise UsageError(msg)
    return name.strip(), find(first), find(second) if second.strip() else -1
