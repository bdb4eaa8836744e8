"""Settings of the synthetic records."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from owlbus.common.units import require_number

HOUR_SHARES = (0.13, 0.28, 0.27, 0.22, 0.10)
"""Share of records in the hours 00 to 04: the boardings profile of the first 50 days of Seoul's night buses."""

WEEKDAY_FACTORS = (0.900, 0.920, 0.940, 0.970, 1.050, 1.206, 1.014)
"""Records of a service night over the mean night, Monday first. Saturday and Sunday are observed, the others are assumed."""

ERROR_SHARE = 0.005
"""Share of rows per file with each kind of deliberate error."""

_MAX_CALLS = 10**11
_MAX_NIGHTS = 366
_CALLS_A_SUBSCRIBER = 3
_MAX_SUBSCRIBERS = 3_300_000


@dataclass(frozen=True, slots=True)
class SynthSettings:
    """
    Number of records, nights, and behaviour of people.

    Attributes
    ----------
    n_calls, n_taxi
        Rows of each file, including errors.
    seed
        Random seed; fixes every byte.
    first_night
        Service date of the first night.
    n_nights
        Number of consecutive service nights.
    n_subscribers
        Subscribers; 0: one per three calls, at most 3.3 million.
    out_share
        Share of subscribers who are away from home at midnight.
    elsewhere_share
        Share of those away who are not at a night spot.
    spot_spread_m
        Standard deviation of people around a night spot, metres.
    reach_m
        Distance at which the attraction of a night spot falls to 1/e, metres.
    taxi_noise
        Standard deviation of the log ratio of each desire line's share of taxi trips to its share of calls.

    Raises
    ------
    UsageError
        If a number is outside its range.
    """

    n_calls: int = 320_000
    n_taxi: int = 64_000
    seed: int = 2013
    first_night: dt.date = dt.date(2013, 3, 11)
    n_nights: int = 7
    n_subscribers: int = 0
    out_share: float = 0.70
    elsewhere_share: float = 0.60
    spot_spread_m: float = 450.0
    reach_m: float = 5_000.0
    taxi_noise: float = 0.5

    def __post_init__(self) -> None:
        """Check every number."""
        for name, low, high in (
            ("n_calls", 1, _MAX_CALLS),
            ("n_taxi", 1, _MAX_CALLS),
            ("seed", 0, 2**63 - 1),
            ("n_nights", 1, _MAX_NIGHTS),
            ("n_subscribers", 0, 2**31),
            ("out_share", 0, 1),
            ("elsewhere_share", 0, 1),
            ("spot_spread_m", 0, 5_000),
            ("reach_m", 1, 1e6),
            ("taxi_noise", 0, 5),
        ):
            require_number(name, getattr(self, name), low, high)

    @property
    def subscribers(self) -> int:
        """Number of subscribers."""
        return self.n_subscribers or min(max(1, self.n_calls // _CALLS_A_SUBSCRIBER), _MAX_SUBSCRIBERS)

    @property
    def nights(self) -> tuple[dt.date, ...]:
        """Service dates in order."""
        return tuple(self.first_night + dt.timedelta(days=day) for day in range(self.n_nights))
