"""Who rides, calibrated to counted boardings: the fitted numbers, and where the model is wrong, as people may read them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.acceptance import CHOICE_SCHEMA_VERSION, RideChoice
from owlbus.common.disclosure import MIN_COUNT, Publisher, scaled_base
from owlbus.common.errors import DataError, PrivacyError
from owlbus.common.units import require_number
from owlbus.timetable.fit_choice import FITTED, BoardingModel, fit_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from owlbus.demand import Demand
    from owlbus.network import Network
    from owlbus.plan.limits import ServiceRule
    from owlbus.timetable import Timetable
    from owlbus.timetable.boarding_counts import BoardingCounts
    from owlbus.timetable.fit_choice import ChoiceFit

_DIGITS = 4
"""Significant digits of what is printed of a fit: a regression over many counts, of which so many tell none."""

_FAR = 6.0
"""Standard errors from which on a stop is named as far off."""

_LEAST_PREDICTED = 1e-9
_MOST_NIGHTS = 100_000
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Calibration:
    """
    A fit to counted boardings.

    Attributes
    ----------
    fit
        The fitted numbers.
    counts
        Rows that the fit takes, n of them.
    outside
        Rows at which the model has nobody board: these stops are on no route, or have no bus or no trips in their hours.
    begin
        Numbers that the fit began with.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    """

    fit: ChoiceFit
    counts: BoardingCounts
    outside: BoardingCounts
    begin: RideChoice
    min_count: float = MIN_COUNT

    @property
    def choice(self) -> RideChoice:
        """The fitted numbers to four significant digits, as `choice.json` holds them."""
        return RideChoice(**{name: _rounded(value) for name, value in asdict(self.fit.choice).items()})

    def rows(self) -> list[dict[str, Any]]:
        """
        Return the stops as people may read them, the worst first, as plain values for JSON.

        Returns
        -------
        list of dict
            ``stop``, its name; ``observed`` and ``predicted``, boardings a night; ``difference``, None where none can be told; and
            ``residual``, the difference in standard errors of a Poisson count over all nights, both computed from printed counts.
        """
        return self._rows

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what the data cannot tell."""
        fit = self.fit
        found = [
            f"The data hardly tell {a} and {b} apart (correlation {correlation:+.2f}): hold one of them." for a, b, correlation in fit.alike
        ]
        found += [f"The data say hardly anything of {name}: hold it." for name in fit.vague]
        far = [row["stop"] for row in self._rows if abs(row["residual"]) > _FAR * math.sqrt(max(1.0, fit.dispersion or 1.0))]
        found += [f"Far off: {', '.join(far[:_NAMED])}. Check these rows: wrong ones shift the numbers; then fit again."] if far else []
        found += [] if fit.is_converged else ["The fit did not end: hold some of the numbers."]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return numbers, intervals, deviance and stops as they may be read, for JSON."""
        fit, publisher = self.fit, self._publisher
        return {
            "choice": asdict(self.choice),
            "fitted": {name: self._number(name) for name in fit.names},
            "correlation": {name: _row(fit.correlation[k], fit.names) for k, name in enumerate(fit.names)},
            "warnings": list(self.warnings),
            "alike": [[a, b, round(correlation, 3)] for a, b, correlation in fit.alike],
            "vague": list(fit.vague),
            "rows": len(self.counts),
            "rows_outside": len(self.outside),
            "boardings_outside": publisher.count(float(self.outside.boardings.sum()) / fit.n_nights),
            "nights": fit.n_nights,
            "deviance": _rounded(fit.deviance),
            "first_deviance": _rounded(fit.first_deviance),
            "dispersion": None if fit.dispersion is None else _rounded(fit.dispersion),
            "is_converged": fit.is_converged,
            "stops": self._rows,
            **publisher.facts,
        }

    def choice_document(self) -> dict[str, Any]:
        """Return the content of ``choice.json``, which `RideChoice.read` reads, with the intervals under ``report``."""
        document = self.to_dict()
        report = {name: document[name] for name in ("fitted", "nights", "rows", "deviance", "dispersion", "warnings")}
        return {"schema_version": CHOICE_SCHEMA_VERSION, **document["choice"], "report": report}

    def to_geojson(self, network: Network) -> str:
        """
        Stops with observed and predicted boardings, the worst first.

        Parameters
        ----------
        network
            The network of the stops.

        Returns
        -------
        str
            GeoJSON of points in lon/lat; boardings a night.
        """
        stops = {name: group[0] for name, group in zip(self.counts.names, self.counts.stops, strict=True)}
        features = [
            {
                "type": "Feature",
                "properties": row,
                "geometry": {
                    "type": "Point",
                    "coordinates": [round(float(column[stops[row["stop"]]]), 6) for column in (network.stop_lon, network.stop_lat)],
                },
            }
            for row in self._rows
        ]
        return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, allow_nan=False)

    @property
    def worst_stops(self) -> tuple[int, ...]:
        """Index of the first stop of each row of `rows`, the worst first."""
        stops = {name: group[0] for name, group in zip(self.counts.names, self.counts.stops, strict=True)}
        return tuple(stops[row["stop"]] for row in self._rows)

    def _number(self, name: str) -> dict[str, float | None]:
        """Value, 90 % interval and beginning of a fitted number; an end that the data leave open is None."""
        low, high = self.fit.interval(name)
        return {
            "value": getattr(self.choice, name),
            "low": _rounded(low),
            "high": _rounded(high) if math.isfinite(high) else None,
            "begin": getattr(self.begin, name),
        }

    @property
    def _publisher(self) -> Publisher:
        """The publishing rule for riders, of whom a trip of the demand may be several."""
        return Publisher(
            scaled_base(self.min_count, self.fit.choice.scale_trips)
        )  # a base by the fitted scale itself would tell all its digits

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        """Stops as they are printed, the worst first."""
        names = tuple(dict.fromkeys(self.counts.names))
        row_of = np.array([names.index(name) for name in self.counts.names])
        nights = self.fit.n_nights
        observed, predicted = (np.bincount(row_of, column, len(names)) / nights for column in (self.counts.boardings, self.fit.predicted))
        rows = [self._stop(*figures) for figures in zip(names, observed.tolist(), predicted.tolist(), strict=True)]
        return sorted(rows, key=lambda row: -abs(row["residual"]))

    def _stop(self, name: str, observed: float, predicted: float) -> dict[str, Any]:
        """One stop as it is printed."""
        publisher = self._publisher
        counted, expected = publisher.count(observed), publisher.count(predicted)
        middle = max(publisher.middle(expected), _LEAST_PREDICTED)
        residual = (counted - expected) * math.sqrt(self.fit.n_nights / middle)
        return {
            "stop": name,
            "observed": counted,
            "predicted": expected,
            "difference": publisher.change_of_printed(expected, counted),
            "residual": round(residual, 2),
        }


def calibrate_choice(
    network: Network,
    demand: Demand,
    timetable: Timetable,
    counts: BoardingCounts,
    *,
    rule: ServiceRule | None = None,
    begin: RideChoice | None = None,
    names: Sequence[str] = FITTED,
    n_counted_nights: int = 1,
    min_count: float = MIN_COUNT,
) -> Calibration:
    """
    Fit who rides to counted boardings.

    The boardings of each row are taken as Poisson counts with the mean that the timetable, the demand and the numbers predict; see
    `owlbus.timetable.fit_choice`.

    Parameters
    ----------
    network
        The network of the timetable's plan.
    demand
        Trips by hour on the network's grid.
    timetable
        Runs of the nights that were counted.
    counts
        Counted boardings (`owlbus.timetable.boarding_counts.read_boardings`).
    rule
        When a trip counts as served; the defaults if None.
    begin
        Numbers to begin with, and to hold where they are not fitted; the defaults if None.
    names
        Numbers of `RideChoice` to fit.
    n_counted_nights
        Nights that the boardings were counted in.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Returns
    -------
    Calibration
        Numbers with 90 % intervals, and the stops where the model is wrong.

    Raises
    ------
    UsageError
        If a name is none, or a number lies outside its range.
    DataError
        If the model predicts boardings for fewer rows than numbers are fitted, or nobody boarded.
    PrivacyError
        If so few trips are predicted to board that a fitted number would tell their count.
    """
    require_number("n_counted_nights", n_counted_nights, 1, _MOST_NIGHTS)
    begin = begin or RideChoice()
    model = BoardingModel.build(network, demand, timetable, rule)
    cells = model.cells(counts.rows)
    predicted = cells @ model.journeys(begin)
    inside, outside = np.flatnonzero(predicted > _LEAST_PREDICTED), np.flatnonzero(predicted <= _LEAST_PREDICTED)
    if not inside.size:
        msg = f"the model has nobody board at any of {len(counts)} rows; name stops of the routes, in hours with buses and trips"
        raise DataError(msg, setting="boardings")
    _require_many(float(predicted[inside].sum()) / begin.scale_trips, len(set(names)), Publisher(min_count))
    kept = counts.only(inside)
    fit = fit_choice(model, cells[inside], kept.boardings, begin=begin, names=names, n_counted_nights=n_counted_nights)
    return Calibration(fit, kept, counts.only(outside), begin, min_count)


def _require_many(trips: float, n_numbers: int, publisher: Publisher) -> None:
    """Refuse to fit numbers to the boardings of few trips of the demand: with the boardings known, each number tells one sum of them."""
    if not publisher.is_enough(trips / n_numbers):
        least = n_numbers * publisher.least_denominator
        msg = (
            f"fitting {n_numbers} of the numbers takes rows where the model has {least:g} trips a night board or more, got "
            f"{publisher.text(trips)}; name more stops and hours, or fit fewer numbers"
        )
        raise PrivacyError(msg, setting="fit_names")


def _rounded(value: float) -> float:
    """Return a number to four significant digits."""
    return float(f"{value:.{_DIGITS}g}")


def _row(values: NDArray[np.float64], names: Sequence[str]) -> dict[str, float]:
    """Return a row of correlations by name."""
    return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}
