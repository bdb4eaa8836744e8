"""
Who rides, fitted to counted boardings: a Poisson regression on what the model predicts by stop and hour.

Boardings y of a cell, a stop and an hour or a stop alone, are Poisson with mean

    mu = nights * scale_trips * sum over journeys j that board there of trips_j / (1 + exp((g_j - a_j) / scale_min))

with the generalised minutes g of the journey and a of the other way home (`owlbus.common.acceptance.RideChoice`). The numbers are fitted by
Fisher scoring, which is iteratively reweighted least squares, damped as of Levenberg and Marquardt [1]_: both scales by their logarithms,
weights and minutes as they are, at 0 or above. Where boardings vary more than Poisson counts, intervals are widened by the square root of
the dispersion [2]_.

References
----------
.. [1] Madsen, Nielsen and Tingleff (2004), Methods for Non-Linear Least Squares Problems, Technical University of Denmark.
.. [2] McCullagh and Nelder (1989), Generalized Linear Models, Chapman and Hall, chapters 2 and 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.acceptance import RideChoice
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.progress import current_progress
from owlbus.common.text import how_many
from owlbus.common.units import HOUR_S
from owlbus.timetable.rider_choice import boarding_places, ride_terms, trips_of
from owlbus.timetable.rider_flows import find_riders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable.rider_choice import RideTerms
    from owlbus.timetable.rider_flows import Riders
    from owlbus.timetable.schedule import Timetable

FITTED = ("scale_trips", "scale_min", "walk_weight", "wait_weight", "transfer_min")
"""Numbers of `RideChoice` that are fitted unless others are named."""

ALL_FITTED = (*FITTED, "alternative_min", "alternative_weight")
"""Numbers of `RideChoice` that can be fitted."""

Z90 = 1.6448536269514722
"""Standard errors on each side of a 90 % interval."""

CORRELATED = 0.95
"""Correlation of two estimates from which on the data hardly tell the numbers apart."""

BY_LOGARITHM = ("scale_trips", "scale_min")
"""Numbers that are fitted by their logarithm."""

_VAGUE_LOG = math.log(10.0) / 2
_MOST_ROUNDS, _ENOUGH, _MOST_STEP = 200, 1e-11, 1.0
_RANGES = {"scale_trips": (1e-5, 1e5), "scale_min": (0.11, 9_000.0), "transfer_min": (0.0, 9_000.0), "alternative_min": (0.0, 9_000.0)}
_WEIGHT_RANGE = (0.0, 99.0)


@dataclass(frozen=True, slots=True, eq=False)
class BoardingModel:
    """
    What a timetable and a demand predict of boardings, for any `RideChoice`.

    Attributes
    ----------
    riders
        All served trips with their rides.
    terms
        Walk, wait, ride and transfers of their journeys.
    boards
        Share of the people of each journey and hour that board in each cell of a stop and an hour, sparse, shape
        (n_hours * S, n_hours * P); cell ``hour row * S + stop``.
    n_stops
        Stops S.
    """

    riders: Riders
    terms: RideTerms
    boards: csr_array
    n_stops: int

    @classmethod
    def build(cls, network: Network, demand: Demand, timetable: Timetable, rule: ServiceRule | None = None) -> BoardingModel:
        """
        Model of a timetable.

        Parameters
        ----------
        network
            The network of the timetable's plan.
        demand
            Trips by hour on the network's grid.
        timetable
            Runs of one night.
        rule
            When a trip counts as served; the defaults if None.

        Returns
        -------
        BoardingModel
            Trips a night, times in seconds.

        Raises
        ------
        DataError
            If demand, timetable and network do not belong together.
        """
        current_progress().step("Predict boardings by stop and hour")
        riders = find_riders(network, demand, timetable.plan, rule)
        terms = ride_terms(network, riders, timetable.directions, timetable.headway_s)
        stop, delay_s = boarding_places(riders, timetable.directions, terms)
        return cls(riders, terms, _boards(stop, delay_s, network.n_stops), network.n_stops)

    def cells(self, rows: Sequence[tuple[Sequence[int], int | None]]) -> csr_array:
        """
        Sums over cells of stops and hours.

        Parameters
        ----------
        rows
            Stops, and index of an hour or None for all hours, of each sum.

        Returns
        -------
        csr_array
            Shape (n, n_hours * P), of journeys as `boards` has them.
        """
        from scipy.sparse import csr_array

        hours = range(len(self.riders.hours))
        pairs = [
            (row, column * self.n_stops + stop)
            for row, (stops, hour) in enumerate(rows)
            for column in (hours if hour is None else (hour,))
            for stop in stops
        ]
        index = np.array(pairs, np.int64).reshape(-1, 2)
        sums = csr_array((np.ones(len(index)), (index[:, 0], index[:, 1])), shape=(len(rows), self.boards.shape[0]))
        found: csr_array = (sums @ self.boards).tocsr()
        return found

    def journeys(self, choice: RideChoice) -> NDArray[np.float64]:
        """Return the trips a night that ride each journey under a `choice`, shape (n_hours * P,)."""
        riding: NDArray[np.float64] = (choice.scale_trips * trips_of(self.riders) * self.terms.share(choice)).ravel()
        return riding

    def slopes(self, choice: RideChoice, names: Sequence[str]) -> NDArray[np.float64]:
        """
        Change of the trips of each journey with each number.

        Parameters
        ----------
        choice
            Who rides.
        names
            Numbers of `RideChoice`, k of them.

        Returns
        -------
        ndarray of float64
            Trips a night per unit of the number, shape (n_hours * P, k).
        """
        terms, scale = self.terms, choice.scale_min
        share = terms.share(choice)
        riding = choice.scale_trips * trips_of(self.riders) * share
        other_min = choice.alternative_min + choice.alternative_weight * terms.drive_s / 60
        worse = (terms.generalised_min(choice) - other_min) / scale
        of_worse: dict[str, Any] = {
            "walk_weight": terms.walk_s / 60 / scale,
            "wait_weight": terms.wait_s / 60 / scale,
            "transfer_min": terms.n_transfers / scale,
            "scale_min": -worse / scale,
            "alternative_min": -1.0 / scale,
            "alternative_weight": -terms.drive_s / 60 / scale,
        }
        columns = [riding / choice.scale_trips if name == "scale_trips" else -riding * (1.0 - share) * of_worse[name] for name in names]
        return np.stack([column.ravel() for column in columns], axis=1)


def _boards(stop: NDArray[np.int64], delay_s: NDArray[np.int64], n_stops: int) -> csr_array:
    """Shares of journeys that board in each cell: people come evenly through their hour, and some board in a later one."""
    from scipy.sparse import csr_array

    n_hours, n_rows = delay_s.shape[1:]
    rows, columns, parts = list[Any](), list[Any](), list[Any]()
    for leg in (0, 1):
        hour, row = np.nonzero(np.broadcast_to(stop[leg] >= 0, (n_hours, n_rows)))
        hours_on, into_s = np.divmod(delay_s[leg, hour, row], HOUR_S)
        for later, part in ((hours_on, 1.0 - into_s / HOUR_S), (hours_on + 1, into_s / HOUR_S)):
            rows.append(np.minimum(hour + later, n_hours - 1) * n_stops + stop[leg, row])
            columns.append(hour * n_rows + row)
            parts.append(part)
    joined = [np.concatenate(column) for column in (parts, rows, columns)]
    return csr_array((joined[0], (joined[1], joined[2])), shape=(n_hours * n_stops, n_hours * n_rows))


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceFit:
    """
    A fitted `RideChoice` and how well it fits.

    Attributes
    ----------
    choice
        The numbers, fitted and held.
    names
        Those that were fitted, k of them.
    error
        Standard error of each, of its logarithm for `BY_LOGARITHM`, widened by the dispersion, shape (k,); infinite where the data say
        nothing of it.
    correlation
        Of the estimates, shape (k, k).
    observed, predicted
        Boardings of each cell over all nights, counted and fitted, shape (n,).
    n_nights
        Nights that they were counted in.
    deviance, first_deviance
        Of the fit, and of the numbers that it began with, dimensionless.
    dispersion
        Pearson's chi-squared over degrees of freedom, dimensionless; about 1 for Poisson counts. None without a degree of freedom.
    is_converged
        Whether the fit ended where no step lowers the deviance.
    """

    choice: RideChoice
    names: tuple[str, ...]
    error: NDArray[np.float64]
    correlation: NDArray[np.float64]
    observed: NDArray[np.float64]
    predicted: NDArray[np.float64]
    n_nights: int
    deviance: float
    first_deviance: float
    dispersion: float | None
    is_converged: bool

    def interval(self, name: str, z: float = Z90) -> tuple[float, float]:
        """
        Interval of a fitted number, 90 % by default.

        Parameters
        ----------
        name
            The number.
        z
            Standard errors on each side, dimensionless.

        Returns
        -------
        tuple of float
            Both ends, in the unit of the number.
        """
        value, error = getattr(self.choice, name), float(self.error[self.names.index(name)])
        if not math.isfinite(error):
            return 0.0, math.inf
        if name in BY_LOGARITHM:
            return value * math.exp(-min(z * error, 500.0)), value * math.exp(min(z * error, 500.0))
        return max(0.0, value - z * error), value + z * error

    @property
    def alike(self) -> tuple[tuple[str, str, float], ...]:
        """Pairs of numbers that the data hardly tell apart, with the correlation of their estimates."""
        pairs = combinations(range(len(self.names)), 2)
        return tuple(
            (self.names[i], self.names[j], float(self.correlation[i, j])) for i, j in pairs if abs(self.correlation[i, j]) >= CORRELATED
        )

    @property
    def vague(self) -> tuple[str, ...]:
        """Numbers of which the data say hardly anything: half of their interval is more than the default, or a factor of 3."""
        default = RideChoice()
        most = {name: _VAGUE_LOG if name in BY_LOGARITHM else getattr(default, name) for name in self.names}
        return tuple(name for name, error in zip(self.names, self.error, strict=True) if Z90 * error > most[name])


def fit_choice(
    model: BoardingModel,
    cells: csr_array,
    observed: NDArray[np.float64],
    *,
    begin: RideChoice | None = None,
    names: Sequence[str] = FITTED,
    n_counted_nights: int = 1,
) -> ChoiceFit:
    """
    Fit who rides to counted boardings.

    Parameters
    ----------
    model
        What the timetable and the demand predict.
    cells
        Of `BoardingModel.cells`, n rows.
    observed
        Boardings of each row over all nights, shape (n,), >= 0.
    begin
        Numbers to begin with, and to hold where they are not fitted; the defaults if None.
    names
        Numbers to fit, of `ALL_FITTED`.
    n_counted_nights
        Nights that the boardings were counted in.

    Returns
    -------
    ChoiceFit
        Numbers with their 90 % intervals.

    Raises
    ------
    UsageError
        If a name is none, or there is none.
    DataError
        If there are fewer rows with predicted boardings than numbers, or nobody boarded.
    """
    names, begin = tuple(dict.fromkeys(names)), begin or RideChoice()
    unknown = [name for name in names if name not in ALL_FITTED]
    if unknown or not names:
        msg = f"{setting('fit_names')} must be some of {', '.join(ALL_FITTED)}, got {unknown[0] if unknown else 'none'!r}"
        raise UsageError(msg, setting="fit_names", value=names, allowed=ALL_FITTED)
    observed = np.asarray(observed, np.float64)
    if len(observed) < len(names) or not observed.sum() > 0:
        what = (
            "nobody boarded" if len(observed) >= len(names) else f"{how_many(len(observed), 'row')} that the model predicts boardings for"
        )
        msg = (
            f"{how_many(len(names), 'number')} can be fitted to at least as many rows with boardings, got {what}; "
            "count more stops, or fit fewer"
        )
        raise DataError(msg, setting="fit_names", value=names)
    return _Fisher(model, cells, observed, names, n_counted_nights).fit(begin)


class _Fisher:
    """Fisher scoring on some numbers."""

    def __init__(
        self, model: BoardingModel, cells: csr_array, observed: NDArray[np.float64], names: tuple[str, ...], n_nights: int
    ) -> None:
        self.model, self.cells, self.observed, self.names, self.n_nights = model, cells, observed, names, n_nights

    def mean(self, choice: RideChoice) -> NDArray[np.float64]:
        """Boardings of each row that are expected."""
        expected: NDArray[np.float64] = self.n_nights * (self.cells @ self.model.journeys(choice))
        return np.maximum(expected, 1e-300)

    def fit(self, begin: RideChoice) -> ChoiceFit:
        """Lower the deviance step by step."""
        choice, mean = begin, self.mean(begin)
        deviance = first = self.deviance(mean)
        damping, is_converged, progress = 1e-3, False, current_progress().step("Fit who rides")
        for number in range(_MOST_ROUNDS):
            progress.reach(number, f"round {number + 1} of {_MOST_ROUNDS} at most")
            step = self.step(*self.score(choice, mean), damping, self.at_zero(choice))
            trial = self.moved(choice, step)
            trial_mean = self.mean(trial)
            gain = deviance - self.deviance(trial_mean)
            if gain >= 0:
                choice, mean, deviance, damping = trial, trial_mean, deviance - gain, max(1e-12, damping / 10)
                is_converged = gain <= _ENOUGH * (1 + deviance)
            else:
                damping *= 10
                is_converged = damping > 1e10  # noqa: PLR2004 - no step, however short, lowers the deviance
            if is_converged:
                break
        return self.result(choice, mean, (deviance, first), is_converged=is_converged)

    def at_zero(self, choice: RideChoice) -> NDArray[np.bool_]:
        """Whether each number is at its least, 0, shape (k,)."""
        return np.array([getattr(choice, name) == 0 for name in self.names])

    def step(
        self, score: NDArray[np.float64], information: NDArray[np.float64], damping: float, at_zero: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Damped step of the numbers; one at 0 that would become negative stays."""
        free = np.flatnonzero(~(at_zero & (score <= 0)))
        step = np.zeros(score.size)
        if free.size:
            part = information[np.ix_(free, free)]
            scale = np.maximum(np.diag(part), 1e-12)
            step[free] = np.linalg.solve(part + damping * np.diag(scale), score[free])
        by_logarithm = np.isin(self.names, BY_LOGARITHM)
        return np.where(by_logarithm, np.clip(step, -_MOST_STEP, _MOST_STEP), step)

    def moved(self, choice: RideChoice, step: NDArray[np.float64]) -> RideChoice:
        """Numbers after a step, within their ranges."""
        values = {}
        for name, by in zip(self.names, step.tolist(), strict=True):
            value = getattr(choice, name)
            moved = value * math.exp(by) if name in BY_LOGARITHM else value + by
            values[name] = float(np.clip(moved, *_RANGES.get(name, _WEIGHT_RANGE)))
        return replace(choice, **values)

    def deviance(self, mean: NDArray[np.float64]) -> float:
        """Twice the logarithm of the likelihood that is lacking to a perfect fit."""
        counted = self.observed
        ratio = np.divide(counted, mean, out=np.ones_like(mean), where=counted > 0)
        return float(2 * (counted * np.log(ratio) - (counted - mean)).sum())

    def score(self, choice: RideChoice, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Slope of the likelihood, shape (k,), and Fisher's information, shape (k, k)."""
        units = np.array([getattr(choice, name) if name in BY_LOGARITHM else 1.0 for name in self.names])
        slopes = self.n_nights * (self.cells @ self.model.slopes(choice, self.names)) * units
        return slopes.T @ ((self.observed - mean) / mean), slopes.T @ (slopes / mean[:, None])

    def result(self, choice: RideChoice, mean: NDArray[np.float64], deviances: tuple[float, float], *, is_converged: bool) -> ChoiceFit:
        """Fit with errors and correlations."""
        _, information = self.score(choice, mean)
        free = len(self.observed) - len(self.names)
        dispersion = float(((self.observed - mean) ** 2 / mean).sum() / free) if free else None
        scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
        values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
        inverse = (vectors / np.maximum(values, 1e-14)) @ vectors.T
        known = np.diag(information) > 1e-12 * information.max(initial=1e-300)  # the rows depend on it
        spread = np.sqrt(np.diag(inverse))
        variance = (spread / np.where(known, scale, 1.0)) ** 2
        error = np.sqrt(variance * max(1.0, dispersion or 1.0))
        error[~known] = np.inf
        correlation = np.where(np.outer(known, known), inverse / np.outer(spread, spread), np.eye(known.size))
        return ChoiceFit(choice, self.names, error, correlation, self.observed, mean, self.n_nights, *deviances, dispersion, is_converged)
