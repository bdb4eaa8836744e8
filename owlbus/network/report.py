"""What the making of a network left out, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.arrays import owned

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NetworkReport:
    """
    What went into a network and what was left out, in counts.

    Attributes
    ----------
    source
        Where the network comes from, such as ``lattice``.
    counts
        What was counted and how many, in the order of the work.
    unreachable_hexes
        Hexes that no bus can reach, ascending hex indices, shape (n,), int32.
    notes
        Sentences about single things, such as a bridge that joins nothing.
    """

    source: str
    counts: tuple[tuple[str, int], ...]
    unreachable_hexes: NDArray[np.int32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Own the hexes."""
        object.__setattr__(self, "unreachable_hexes", owned(self.unreachable_hexes, np.int32))
        object.__setattr__(self, "counts", tuple((str(what), int(number)) for what, number in self.counts))
        object.__setattr__(self, "notes", tuple(self.notes))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return NetworkReport, (self.source, self.counts, self.unreachable_hexes, self.notes)

    def to_json(self) -> dict[str, Any]:
        """
        Report as values that JSON can hold, counts by name.

        Returns
        -------
        dict
            ``source``, ``counts``, ``unreachable_hexes`` and ``notes``.
        """
        return {
            "source": self.source,
            "counts": dict(self.counts),
            "unreachable_hexes": self.unreachable_hexes.tolist(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Return one line per count, then the notes."""
        lines = [f"network from {self.source}"]
        lines += [f"  {number:>9,}  {what}" for what, number in self.counts]
        lines += [f"  {self.unreachable_hexes.size:>9,}  hexes no bus can reach"]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])
