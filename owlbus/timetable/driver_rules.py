"""Rules on the work of drivers: duty, driving, breaks, rests after a run, and where one driver relieves another."""

from __future__ import annotations

from dataclasses import dataclass

from owlbus.common.errors import UsageError, setting
from owlbus.common.units import HOUR_S, require_number

RELIEFS = ("terminals", "hubs")
"""Where drivers relieve each other: at every end of a run, or only where two or more routes end."""


@dataclass(frozen=True, slots=True)
class DriverRules:
    """
    What one duty of a driver keeps; every bound is included.

    The defaults follow the European Union: at most 4.5 h of driving before a break of 45 minutes and 9 h of driving in all
    (Regulation (EC) No 561/2006, articles 6 and 7), and 10 h of work in a night (Directive 2002/15/EC, article 7). `korea` gives those of
    the Republic of Korea. Both are starting points for a plan and no legal advice: a break counts in one piece only, and rests between
    nights, weekly limits and collective agreements are not looked at.

    Attributes
    ----------
    max_duty_s
        From sign-on to sign-off, seconds.
    max_driving_s
        Driving of a duty, the rides of its runs, seconds.
    max_stretch_s
        Driving without a break, seconds.
    break_s
        Time between two runs that counts as a break, seconds.
    rests_s
        Rest after a run: rows of the least ride of the run and the rest that it takes, seconds, ascending.
    sign_on_s, sign_off_s
        Work before the first run and after the last, seconds.
    handover_s
        Least time between two runs on different buses, seconds.
    max_vehicles
        Buses that one driver drives in a duty.
    relief
        One of `RELIEFS`.
    country
        Country whose rules the defaults are, for people.

    Raises
    ------
    UsageError
        If a number lies outside its range, or there is no such relief.

    Examples
    --------
    >>> DriverRules().rest_s(3600), DriverRules.korea().rest_s(3600), DriverRules.korea().rest_s(7200)
    (0, 600, 900)
    """

    max_duty_s: int = 10 * HOUR_S
    max_driving_s: int = 9 * HOUR_S
    max_stretch_s: int = 9 * HOUR_S // 2
    break_s: int = 45 * 60
    rests_s: tuple[tuple[int, int], ...] = ()
    sign_on_s: int = 900
    sign_off_s: int = 600
    handover_s: int = 120
    max_vehicles: int = 3
    relief: str = RELIEFS[0]
    country: str = "EU"

    def __post_init__(self) -> None:
        """Check every number once."""
        require_number("max_duty_s", self.max_duty_s, HOUR_S, 24 * HOUR_S)
        require_number("max_driving_s", self.max_driving_s, HOUR_S // 2, 24 * HOUR_S)
        require_number("max_stretch_s", self.max_stretch_s, HOUR_S // 2, 24 * HOUR_S)
        require_number("break_s", self.break_s, 60, 4 * HOUR_S)
        require_number("sign_on_s", self.sign_on_s, 0, 2 * HOUR_S)
        require_number("sign_off_s", self.sign_off_s, 0, 2 * HOUR_S)
        require_number("handover_s", self.handover_s, 0, HOUR_S)
        require_number("max_vehicles", self.max_vehicles, 1, 20)
        if self.relief not in RELIEFS:
            msg = f"{setting('relief')} must be {' or '.join(RELIEFS)}, got {self.relief!r}"
            raise UsageError(msg, setting="relief", value=self.relief, allowed=RELIEFS)

    @classmethod
    def korea(cls) -> DriverRules:
        """
        Rules of the Republic of Korea, in seconds.

        After a run a driver rests 10 minutes, 15 after one of 2 h and 30 after one of 4 h (Enforcement Rule of the Passenger Transport
        Service Act, article 44-6); 4 h of work take a break of half an hour, and a day has 8 h of work and an hour of breaks (Labour
        Standards Act, articles 50 and 54).

        Returns
        -------
        DriverRules
            With the other settings as they are by default.
        """
        rests_s = ((0, 600), (2 * HOUR_S, 900), (4 * HOUR_S, 1800))
        return cls(9 * HOUR_S, 8 * HOUR_S, 4 * HOUR_S, 1800, rests_s, country="KR")

    def rest_s(self, ride_s: int) -> int:
        """
        Rest that a run takes after it.

        Parameters
        ----------
        ride_s
            Seconds of the run.

        Returns
        -------
        int
            Seconds.
        """
        return max((rest_s for least_s, rest_s in self.rests_s if ride_s >= least_s), default=0)


COUNTRIES = {"eu": DriverRules, "kr": DriverRules.korea}
"""Makers of the rules by country."""
