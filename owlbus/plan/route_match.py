"""What matching a drawn route to a network did: lengths, snaps, and what to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MOST_RATIO = 1.3
"""Matched length over drawn length, and way back over way forth, above which a route is warned about."""

_KM = 1000


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """
    How the way-points of one route lie on the network.

    Attributes
    ----------
    name
        Route name.
    n_waypoints
        Way-points, or vertices of the line, in the file.
    drawn_m
        Metres through them, straight from each to the next.
    length_m, length_back_m
        Metres of the matched route forth and back.
    farthest_snap_m
        Largest distance in metres from a way-point to its stop; 0 where the line follows links of the network.
    farthest_waypoint
        Number of that way-point in the file, from 1.
    usual_ratio
        Metres over straight metres that links of a hex lattice have by its road factor; 1 on streets. Dimensionless.
    detour
        Names the two way-points between which most metres were added; empty if none.
    change
        Names the stops that a line edited by hand has in place of those it was written with; empty if none.
    is_own
        Whether the line is as owlbus wrote it on this network.

    Examples
    --------
    >>> match = RouteMatch("N1", 2, 1000.0, 1500, 1500, 20.0, 1, 1.0, "way-points 1 and 2 (A, B)")
    >>> match.ratio
    1.5
    >>> print(match.warning)
    route 'N1': 1.5 km on the network for a line of 1.0 (1.50 times), most of it between way-points 1 and 2 (A, B); check the streets there
    """

    name: str
    n_waypoints: int
    drawn_m: float
    length_m: int
    length_back_m: int
    farthest_snap_m: float
    farthest_waypoint: int
    usual_ratio: float = 1.0
    detour: str = ""
    change: str = ""
    is_own: bool = False

    @property
    def ratio(self) -> float | None:
        """Matched metres over drawn metres, the longer direction; None for a line without length."""
        return max(self.length_m, self.length_back_m) / self.drawn_m if self.drawn_m > 0 else None

    @property
    def back_ratio(self) -> float:
        """Metres back over metres forth."""
        return self.length_back_m / self.length_m

    @property
    def warning(self) -> str | None:
        """Warning for a matched length or a way back above 1.3 times, with the places; None if there is none."""
        if self.is_own or self.ratio is None:
            return None
        place = f", most of it between {self.detour}" if self.detour else ""
        if self.ratio > MOST_RATIO * self.usual_ratio:
            lengths = f"{max(self.length_m, self.length_back_m) / _KM:.1f} km on the network for a line of {self.drawn_m / _KM:.1f}"
            return f"route {self.name!r}: {lengths} ({self.ratio:.2f} times){place}; check the streets there"
        if max(self.back_ratio, 1 / self.back_ratio) > MOST_RATIO:
            lengths = f"{self.length_m / _KM:.1f} km forth and {self.length_back_m / _KM:.1f} back"
            return f"route {self.name!r}: {lengths}{place}; check one-way streets there"
        return None

    def to_dict(self) -> dict[str, Any]:
        """
        Values for JSON.

        Returns
        -------
        dict
            Lengths in metres, ratios to 3 decimals; ``warning`` and ``change`` are None if there is none.
        """
        return {
            "name": self.name,
            "waypoints": self.n_waypoints,
            "drawn_m": round(self.drawn_m),
            "length_m": self.length_m,
            "length_back_m": self.length_back_m,
            "matched_to_drawn": None if self.ratio is None else round(self.ratio, 3),
            "back_to_forth": round(self.back_ratio, 3),
            "farthest_snap_m": round(self.farthest_snap_m),
            "farthest_waypoint": self.farthest_waypoint,
            "warning": self.warning,
            "change": self.change or None,
        }
