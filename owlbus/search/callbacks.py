"""Callbacks of a search: told of progress and better plans, they may end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from owlbus.common.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from owlbus.plan import Plan
    from owlbus.search.stopping import Snapshot

ASKED = Ending("other", text="a callback asked it to end")
"""What ended a search whose callback returned True."""


@dataclass(slots=True, eq=False)
class Callbacks:
    """
    Callbacks of a search, and whether one of them ended it; a limit of the search (`owlbus.search.stopping.SearchLimit`).

    Attributes
    ----------
    on_gain
        Takes each better plan; None for no such callback.
    on_progress
        Takes the state of the search after each turn; None for no such callback.
    is_asked
        Whether one of them returned True.
    """

    on_gain: Callable[[Plan], object] | None = None
    on_progress: Callable[[Snapshot], object] | None = None
    is_asked: bool = False

    def gain(self, plan: Plan) -> None:
        """Tell of a better `plan`."""
        if self.on_gain is not None and self.on_gain(plan) is True:
            self.is_asked = True

    def reason_to_end(self, now: Snapshot) -> Ending | None:
        """Tell of the state of the search `now`; return `ASKED` once a callback has returned True."""
        if not self.is_asked and self.on_progress is not None and self.on_progress(now) is True:
            self.is_asked = True
        return ASKED if self.is_asked else None
