"""Counted boardings of stops and hours, read from a table and matched to the stops of a network."""

from __future__ import annotations

import csv
import difflib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.errors import DataError, setting
from owlbus.common.text import one_line
from owlbus.common.units import hour_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from owlbus.network import Network

_HOURS_A_DAY = 24
_MOST = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class BoardingCounts:
    """
    Counted boardings, one row per stop, or per stop and hour.

    Attributes
    ----------
    names
        What the table calls the stop of each row.
    stops
        Stop indices of each row: all that have the name, such as both sides of a street.
    hours
        Index of the service hour of each row; None for all hours.
    boardings
        Boardings over all nights that were counted, shape (n,), float64, >= 0.

    Examples
    --------
    >>> from owlbus import HexGrid, Network
    >>> grid = HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20)
    >>> counts = match_boardings(Network.from_lattice(grid), (24, 25), ["3", "7"], [31, 12], hours=["00", "1"])
    >>> counts.stops, counts.hours, counts.boardings.tolist()
    (((3,), (7,)), (0, 1), [31.0, 12.0])
    """

    names: tuple[str, ...]
    stops: tuple[tuple[int, ...], ...]
    hours: tuple[int | None, ...]
    boardings: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Copy the column."""
        object.__setattr__(self, "boardings", read_only_copy(self.boardings, np.float64))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.names)

    @property
    def rows(self) -> list[tuple[tuple[int, ...], int | None]]:
        """Stops and hour of each row, as `owlbus.timetable.fit_choice.BoardingModel.cells` takes them."""
        return list(zip(self.stops, self.hours, strict=True))

    def only(self, kept: NDArray[np.int64]) -> BoardingCounts:
        """Return the rows with the indices `kept`, shape (m,)."""
        rows = kept.tolist()
        names, stops = tuple(self.names[row] for row in rows), tuple(self.stops[row] for row in rows)
        return BoardingCounts(names, stops, tuple(self.hours[row] for row in rows), self.boardings[kept])


def read_boardings(path: str | PathLike[str], network: Network, hours: Sequence[int]) -> BoardingCounts:
    """
    Read counted boardings from a CSV with the columns stop, boardings and, if they are counted by hour, hour.

    Parameters
    ----------
    path
        The file; the stops stand in it by name or index.
    network
        The network of the stops.
    hours
        Service hours of the demand.

    Returns
    -------
    BoardingCounts
        In the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, or a row names no stop, no hour or no number.
    """
    file = Path(path)
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows, columns = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        msg = f"{file}: cannot be read ({reason}); name a CSV file with columns stop, boardings and perhaps hour"
        raise DataError(msg, setting="boardings", value=str(path)) from None
    missing = [name for name in ("stop", "boardings") if name not in columns]
    if missing:
        msg = f"{file}: must have columns stop and boardings, got no {' and no '.join(missing)}; name them in the first line"
        raise DataError(msg, setting="boardings", value=str(path))
    given = {name: [(row.get(name) or "").strip() for row in rows] for name in ("stop", "boardings", "hour") if name in columns}
    try:
        return match_boardings(network, hours, given["stop"], given["boardings"], hours=given.get("hour"), first_line=2)
    except DataError as error:
        msg = f"{file}: {error.template}"
        raise DataError(msg, setting="boardings", value=str(path)) from None


def match_boardings(
    network: Network,
    service_hours: Sequence[int],
    stops: Sequence[str],
    boardings: Iterable[str | float],
    *,
    hours: Sequence[str] | None = None,
    first_line: int = 1,
) -> BoardingCounts:
    """
    Match counted boardings to the stops of a network and the hours of a demand.

    Parameters
    ----------
    network
        The network of the stops.
    service_hours
        Service hours, ascending; 24 is midnight.
    stops
        Name or index of the stop of each row; a name stands for all stops that have it.
    boardings
        Boardings of each row over all nights.
    hours
        Hour of the clock, or of the service night, of each row; empty text, or None for the column, for all hours.
    first_line
        Line of the first row, for messages.

    Returns
    -------
    BoardingCounts
        In the same order.

    Raises
    ------
    DataError
        If there is no row, or a row names no stop, no hour or no number, or a stop is counted twice.
    """
    if not stops:
        msg = f"{setting('boardings')} must have a row for at least one stop, got none"
        raise DataError(msg, setting="boardings")
    by_name = _stops_by_name(network)
    found = [_stops_of(text, network, by_name) for text in stops]
    unknown = [row for row, match in enumerate(found) if not match]
    if unknown:
        name = one_line(stops[unknown[0]])
        near = difflib.get_close_matches(stops[unknown[0]].casefold(), by_name, n=1, cutoff=0.5)
        hint = f"did you mean {network.stop_names[by_name[near[0]][0]]}?" if near else f"name stops, or indices 0 to {network.n_stops - 1}"
        where = f"first {name!r} on line {first_line + unknown[0]}"
        msg = f"each row must name a stop of the network, {len(unknown)} of {len(stops)} do not, {where}; {hint}"
        raise DataError(msg, setting="boardings", value=name)
    texts = [""] * len(stops) if hours is None else list(hours)
    at = [_hour_of(text, service_hours, first_line + row) for row, text in enumerate(texts)]
    counts = [_count_of(value, first_line + row) for row, value in enumerate(boardings)]
    _require_once(stops, found, at, len(service_hours), first_line)
    return BoardingCounts(tuple(stops), tuple(found), tuple(at), np.array(counts))


def _stops_by_name(network: Network) -> dict[str, tuple[int, ...]]:
    """Stops by each name, without regard to case."""
    found: dict[str, list[int]] = {}
    for names in (network.stop_names, network.stop_names_latin):
        for stop, name in enumerate(names):
            rows = found.setdefault(name.casefold(), []) if name else []
            if stop not in rows:
                rows.append(stop)
    return {name: tuple(rows) for name, rows in found.items()}


def _stops_of(text: str, network: Network, by_name: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Stops that a text names; none if there is none."""
    known = by_name.get(text.casefold(), ())
    if not known and text.isdecimal() and int(text) < network.n_stops:
        return (int(text),)
    return known


def _hour_of(text: str, service_hours: Sequence[int], line: int) -> int | None:
    """Index of the service hour that a text names; None for an empty one."""
    if not text:
        return None
    hour = int(text) if text.isdecimal() and len(text) < 4 else -1  # noqa: PLR2004 - no hour has more digits
    matches = [row for row, known in enumerate(service_hours) if hour >= 0 and known % _HOURS_A_DAY == hour % _HOURS_A_DAY]
    if not matches:
        labels = ", ".join(hour_label(known) for known in service_hours)
        msg = f"hour must be one of {labels}, the hours of the demand, got {one_line(text)!r} on line {line}"
        raise DataError(msg, setting="boardings", value=text)
    return matches[0]


def _count_of(value: str | float, line: int) -> float:
    """Return boardings as a number."""
    try:
        count = float(value)
    except ValueError:
        count = math.nan
    if not 0 <= count <= _MOST:
        msg = f"boardings must be a number from 0 to {_MOST:g}, got {one_line(str(value))!r} on line {line}"
        raise DataError(msg, setting="boardings", value=value)
    return count


def _require_once(
    names: Sequence[str], stops: Sequence[tuple[int, ...]], hours: Sequence[int | None], n_hours: int, first_line: int
) -> None:
    """Refuse a stop and hour that two rows count."""
    seen: dict[tuple[int, int], int] = {}
    for row, (group, hour) in enumerate(zip(stops, hours, strict=True)):
        for cell in ((stop, column) for stop in group for column in (range(n_hours) if hour is None else (hour,))):
            if cell in seen:
                both = f"lines {first_line + seen[cell]} and {first_line + row}"
                msg = f"each stop and hour must be counted once, {one_line(names[row])!r} stands on {both}; add them up"
                raise DataError(msg, setting="boardings", value=names[row])
            seen[cell] = row
