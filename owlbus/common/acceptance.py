"""Who rides: a logit of riding against another way home, in generalised minutes; and the wait that a headway means."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.disclosure import EXACT
from owlbus.common.errors import DataError
from owlbus.common.units import require_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CHOICE_SCHEMA_VERSION = 1
"""Version of the file of a `RideChoice`."""

WALK_KMH = 4.5
"""Walking speed in km/h."""

WAIT_LIMIT_S = 600
"""Longest wait at a stop in seconds: from a headway of twice this on, people come by the timetable."""

EARLY_SHARE = 0.25
"""Share of half the headway beyond `WAIT_LIMIT_S` that counts as waiting: leaving earlier or later than one would wish."""

ACCEPTED = 1024
"""Units of a share of people who ride: shares are whole multiples of ``1 / ACCEPTED`` wherever riders are counted."""

STEP_S = 8
"""Seconds of generalised time over which the share of people who ride is the same where riders are counted."""

_REACH_SCALES = 8
_MOST_WEIGHT, _MOST_MIN = 100.0, 10_000.0


def walk_s(metres: ArrayLike) -> NDArray[np.int64]:
    """
    Seconds of a walk, to the nearest whole second.

    Parameters
    ----------
    metres
        Metres, any shape.

    Returns
    -------
    ndarray of int64
        Seconds at `WALK_KMH`, same shape.

    Examples
    --------
    >>> walk_s([0, 500]).tolist()
    [0, 400]
    """
    return np.rint(np.asarray(metres, np.float64) * 3.6 / WALK_KMH).astype(np.int64)


def expected_wait_s(headway_s: ArrayLike) -> NDArray[np.int64]:
    """
    Wait that a headway means: half of it, up to `WAIT_LIMIT_S`; of the rest a small share.

    Where buses are rare, people know the timetable and come to the stop in time. They still leave earlier or later than they wish, of
    which `EARLY_SHARE` counts.

    Parameters
    ----------
    headway_s
        Seconds between buses, >= 0, any shape.

    Returns
    -------
    ndarray of int64
        Seconds, rounded down, same shape.

    Examples
    --------
    >>> expected_wait_s([600, 1200, 3600]).tolist()
    [300, 600, 900]
    """
    half_s = np.asarray(headway_s, np.float64) / 2
    wait_s = np.minimum(half_s, WAIT_LIMIT_S) + EARLY_SHARE * np.maximum(0, half_s - WAIT_LIMIT_S)
    return np.floor(wait_s).astype(np.int64)


@dataclass(frozen=True, slots=True)
class RideChoice:
    """
    Share of people who ride, as a logit in generalised minutes.

    A journey of *g* generalised minutes is worth taking against another way home of *a* generalised minutes to the share
    ``1 / (1 + exp((g - a) / scale_min))`` of people. `docs/algorithm.md` gives the sources of the defaults.

    Attributes
    ----------
    walk_weight, wait_weight
        Generalised minutes of a minute's walk and of a minute's wait; a minute on the bus is one.
    transfer_min
        Generalised minutes of a transfer, beside the wait for the second bus.
    scale_min
        Generalised minutes of one unit of utility: the larger, the less people mind.
    alternative_min, alternative_weight
        Generalised minutes of the other way home: a constant, and how many a minute of direct drive.
    scale_trips
        Trips of the model for each trip of the demand.

    Raises
    ------
    UsageError
        If a number is negative, too large or NaN, or `scale_min` or `scale_trips` is 0.

    Examples
    --------
    >>> choice = RideChoice()
    >>> minutes = choice.generalised_min(walk_s=480, wait_s=600, ride_s=[1200, 2400], n_transfers=[0, 1])
    >>> minutes.tolist()
    [56.0, 84.0]
    >>> choice.share(minutes, drive_s=1080).round(3).tolist()
    [0.566, 0.168]
    """

    walk_weight: float = 2.0
    wait_weight: float = 2.0
    transfer_min: float = 8.0
    scale_min: float = 15.0
    alternative_min: float = 24.0
    alternative_weight: float = 2.0
    scale_trips: float = 1.0

    def __post_init__(self) -> None:
        """Check every number once."""
        for name in ("walk_weight", "wait_weight", "alternative_weight"):
            require_number(name, getattr(self, name), 0, _MOST_WEIGHT)
        for name in ("transfer_min", "alternative_min"):
            require_number(name, getattr(self, name), 0, _MOST_MIN)
        require_number("scale_min", self.scale_min, 0.1, _MOST_MIN)
        require_number("scale_trips", self.scale_trips, 1e-6, 1e6)

    def generalised_min(self, walk_s: ArrayLike, wait_s: ArrayLike, ride_s: ArrayLike, n_transfers: ArrayLike) -> NDArray[np.float64]:
        """
        Generalised minutes of journeys.

        Parameters
        ----------
        walk_s, wait_s, ride_s
            Seconds walked, waited and ridden; shapes broadcast.
        n_transfers
            Transfers.

        Returns
        -------
        ndarray of float64
            Minutes, in the common shape.
        """
        seconds = self.walk_weight * np.asarray(walk_s) + self.wait_weight * np.asarray(wait_s) + np.asarray(ride_s)
        minutes: NDArray[np.float64] = seconds / 60 + self.transfer_min * np.asarray(n_transfers)
        return minutes

    def share(self, generalised_min: ArrayLike, drive_s: ArrayLike) -> NDArray[np.float64]:
        """
        Share of people who ride, 0 to 1.

        Parameters
        ----------
        generalised_min
            Generalised minutes of the journey; shapes broadcast.
        drive_s
            Seconds of the direct drive.

        Returns
        -------
        ndarray of float64
            Shares, in the common shape; 0 where there is no journey (infinite minutes).
        """
        other_min = self.alternative_min + self.alternative_weight * np.asarray(drive_s, np.float64) / 60
        worse = np.clip((np.asarray(generalised_min, np.float64) - other_min) / self.scale_min, -700.0, 700.0)
        shares: NDArray[np.float64] = np.where(np.isinf(generalised_min), 0.0, 1.0 / (1.0 + np.exp(worse)))
        return shares

    def alternative_s(self, drive_s: ArrayLike) -> NDArray[np.int64]:
        """
        Generalised time of the other way home, to the nearest whole second.

        Parameters
        ----------
        drive_s
            Seconds of the direct drive, any shape.

        Returns
        -------
        ndarray of int64
            Seconds, same shape.
        """
        return np.rint(60 * self.alternative_min + self.alternative_weight * np.asarray(drive_s, np.float64)).astype(np.int64)

    def published_base(self, min_count: float) -> float:
        """
        Base of printed counts of riders: one trip of the demand counts as `scale_trips` of them.

        The base stands for a whole multiple of `min_count` trips, so a printed total of riders says nothing that the one of trips does not.

        Parameters
        ----------
        min_count
            Trips or people a night of which printed counts of the demand are multiples; -1 for open data.

        Returns
        -------
        float
            So large that a printed count of riders stands for as many records as one of trips, and at least `min_count`.

        Examples
        --------
        >>> [RideChoice(scale_trips=scale).published_base(15) for scale in (20.0, 1.0, 2.5, 0.4)]
        [300.0, 15.0, 37.5, 18.0]
        """
        if min_count == EXACT:
            return min_count
        n_classes = max(1, math.ceil(1 / self.scale_trips - 1e-9))
        return min_count * n_classes * self.scale_trips

    def steps(self) -> NDArray[np.int32]:
        """
        Shares of people who ride, by how much longer the ride takes than the other way home.

        Returns
        -------
        ndarray of int32
            In ``1 / ACCEPTED``, never rising, shape (2 M + 1,). Element M + i holds for a generalised time longer by ``i * STEP_S``
            up to ``(i + 1) * STEP_S`` seconds; beyond either end the outermost element holds.

        Examples
        --------
        >>> RideChoice().steps()[[0, -1]].tolist()
        [1024, 0]
        """
        half = math.ceil(_REACH_SCALES * 60 * self.scale_min / STEP_S)
        longer_min = (np.arange(-half, half + 1) + 0.5) * STEP_S / 60
        shares = np.rint(ACCEPTED / (1.0 + np.exp(longer_min / self.scale_min))).astype(np.int32)
        shares[-1] = 0
        return shares

    def write(self, path: str | Path) -> None:
        """
        Write the numbers as JSON, with ``schema_version``.

        Parameters
        ----------
        path
            File to write; an existing one is replaced.
        """
        document = {"schema_version": CHOICE_SCHEMA_VERSION, **asdict(self)}
        Path(path).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> RideChoice:
        """
        Read the file that `write` or a calibration wrote.

        Parameters
        ----------
        path
            A JSON file. Numbers that it does not name keep their defaults; what stands in ``report`` is not read.

        Returns
        -------
        RideChoice
            The numbers.

        Raises
        ------
        DataError
            If the file is not such a file, or is of another schema version.
        """
        file = Path(path)
        document = _document(file)
        version = document.pop("schema_version", None)
        if version != CHOICE_SCHEMA_VERSION:
            msg = f"{file}: schema_version must be {CHOICE_SCHEMA_VERSION}, got {version}; calibrate again"
            raise DataError(msg)
        document.pop("report", None)
        known = {field.name for field in fields(cls)}
        for name, value in document.items():
            if name not in known or isinstance(value, bool) or not isinstance(value, int | float):
                msg = f"{file}: the names must be {', '.join(sorted(known))}, each with a number, got {name}: {value!r}"
                raise DataError(msg)
        return cls(**{name: float(value) for name, value in document.items()})


def _document(file: Path) -> dict[str, Any]:
    """Object of a JSON file."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); name a file that a calibration wrote"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{file}: must be JSON, and is not; name a file that a calibration wrote"
        raise DataError(msg) from error
    if not isinstance(document, dict):
        msg = f"{file}: must be a JSON object, got {type(document).__name__}; name a file that a calibration wrote"
        raise DataError(msg)
    return document
