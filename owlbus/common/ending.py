"""Why a search ended: a name and its numbers, from which each language makes its own sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REASONS = {
    "steps": (("steps",), "the limit of {moves} was reached"),
    "seconds": (("limit_s",), "the limit of {limit_s:g} s was reached"),
    "gain": (("steps",), "{moves} in a row brought no better plan"),
    "gap": (("gap_share", "asked_share"), "the proven bound is {gap:.1f}% above the plan, and {asked:g}% was asked for"),
    "near": (("steps", "changed", "allowed"), "the limit of {moves} was reached, with {changed} of at most {allowed} stops changed"),
    "fixed": ((), "every route is fixed"),
    "interrupted": ((), "interrupted"),
    "other": ((), "{text}"),
}
"""Numbers that each reason for the end of a search comes with, and what it is in English."""

_LARGEST = 1e18
"""Size of the largest number of a reason."""


@dataclass(frozen=True, slots=True)
class Ending:
    """
    Why a search ended: a name and its numbers, from which each language makes its own sentence.

    Attributes
    ----------
    reason
        ``steps``: a number of moves was tried. ``seconds``: the time was up. ``gain``: so many moves in a row brought no better plan.
        ``gap``: the proven bound is close enough. ``near``: the moves were tried, and some of the stops that may change did.
        ``fixed``: no route may change. ``interrupted``: Ctrl-C. ``other``: what a limit of the user's own says.
    numbers
        Numbers of the reason by name: moves, seconds, stops, and shares 0 to 1.
    text
        Words of a reason of the user's own that "because" can stand before; else empty.

    Raises
    ------
    DataError
        If there is no such reason, or its numbers are not there.

    Examples
    --------
    >>> ending = Ending("steps", {"steps": 20_000})
    >>> str(ending), ending.to_dict()
    ('the limit of 20,000 moves was reached', {'reason': 'steps', 'steps': 20000})
    """

    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that is none, and numbers that do not belong to it."""
        names = next((names for reason, (names, _) in _REASONS.items() if reason == self.reason), None)
        if names is None:
            msg = f"a search ends for one of the reasons {', '.join(_REASONS)}, got {self.reason!r}"
            raise DataError(msg)
        numbers = [self.numbers.get(name) for name in names]
        if set(self.numbers) != set(names) or not all(_is_number(number) for number in numbers) or not isinstance(self.text, str):
            wanted = ", ".join(names) or "none"
            msg = f"the reason {self.reason!r} for the end of a search needs the numbers {wanted}, got {dict(self.numbers)}"
            raise DataError(msg)

    def __str__(self) -> str:
        """Say the reason in words that "because" can stand before."""
        at = self.numbers
        percent = {"gap": 100 * at.get("gap_share", 0), "asked": 100 * at.get("asked_share", 0)}
        return _REASONS[self.reason][1].format(**at, **percent, moves=_moves(at.get("steps", 0)), text=self.text)

    @classmethod
    def of(cls, found: str | Ending) -> Ending:
        """
        Reason that a limit gave.

        Parameters
        ----------
        found
            A reason, or words of the user's own, which may name any counts, times and shares.

        Returns
        -------
        Ending
            The reason itself, or ``other`` with these words.
        """
        return found if isinstance(found, Ending) else cls("other", text=str(found))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Ending:
        """
        Reason that `to_dict` gave, such as from ``run.json``.

        Parameters
        ----------
        values
            The name, its numbers, and perhaps a text.

        Returns
        -------
        Ending
            The reason.

        Raises
        ------
        DataError
            If it is none.
        """
        numbers = {name: number for name, number in values.items() if name not in {"reason", "text"}}
        return cls(values.get("reason", ""), numbers, values.get("text", ""))

    def to_dict(self) -> dict[str, Any]:
        """
        Return the reason as JSON can hold it.

        Returns
        -------
        dict
            Name, numbers, and the text if there is one; shares 0 to 1.
        """
        return {"reason": self.reason, **self.numbers, **({"text": self.text} if self.text else {})}


def _is_number(value: object) -> bool:
    """Tell whether a value is a finite number of ordinary size."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


INTERRUPTED = Ending("interrupted")
"""What ended a search after Ctrl-C."""


def _moves(steps: float) -> str:
    """Return a number of moves in words: `steps` with its thousands set apart."""
    return f"{steps:,} move{'s' * (steps != 1)}"
