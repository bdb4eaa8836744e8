"""A route as a file has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRoute:
    """
    A route as a file has it.

    Attributes
    ----------
    name
        Route name.
    points
        Way-points or vertices of a line, lon/lat degrees, shape (n, 2); n may be 0 if `stops` are given.
    stops
        Stop indices that the file lists; None for none.
    stop_points
        Positions of the stops that the file lists, lon/lat degrees, shape (k, 2); None for none.
    is_line
        Whether `points` are vertices of a line rather than way-points.
    stop_names
        Names of the stops in order, in place of positions; empty for none.
    written_m
        Metres forth and back that the file states; None for none.
    back
        Stop indices of a way back of its own; empty for a route in one direction, None for the same stops in reverse.
    back_points
        Positions of the stops of that way back, lon/lat degrees, shape (m, 2); None for none.
    """

    name: str
    points: NDArray[np.float64]
    stops: tuple[int, ...] | None = None
    stop_points: NDArray[np.float64] | None = None
    is_line: bool = False
    stop_names: tuple[str, ...] = ()
    written_m: tuple[int, int] | None = None
    back: tuple[int, ...] | None = None
    back_points: NDArray[np.float64] | None = None

    def elsewhere(self) -> DrawnRoute:
        """Return the route without stop indices and lengths, for another network than that of its file."""
        return replace(self, stops=None, written_m=None, back=self.back and ())
