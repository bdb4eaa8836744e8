"""Least share of people within the walk of a stop in every group of hexes, such as districts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.arrays import read_only_copy
from owlbus.common.disclosure import MIN_COUNT
from owlbus.common.errors import DataError, UsageError
from owlbus.common.text import visible
from owlbus.common.units import QUANTA_PER_TRIP, require_number
from owlbus.kernels.group_reach import new_group_reach, no_groups, reach_others
from owlbus.network.walk_sheds import points_of, reached_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from owlbus.demand import Demand
    from owlbus.kernels.structs import GroupReach
    from owlbus.network import Network
    from owlbus.plan import Plan

_NAMED = 3
_BITS = 64
_WORTH = 10
"""What a missing person is worth to the search, in what a person of the whole demand is worth to the objective."""
_LEAST_SHOWN = 10 * MIN_COUNT


@dataclass(frozen=True, slots=True, eq=False)
class GroupPresence:
    """
    Least share of people within the walk of a stop in every group of hexes, by area as presence is published.

    Attributes
    ----------
    labels
        Group of each hex, shape (H,), str; hexes with an empty one are in no group.
    least_share
        Share of the people of each group that must be reached, 0 to 1. Groups without people are not held to it.
    name
        What one group is called in messages.
    people
        People a night by hex, shape (H,), float64, >= 0, rounded to 1/1024; None for those of the demand.
    anyway
        Stop indices that are served whatever the routes of a search are.

    Raises
    ------
    UsageError
        If the share lies outside [0, 1].
    DataError
        If labels and people are not of as many hexes, or no group has people.

    Examples
    --------
    >>> districts = GroupPresence(["north", "north", "south"], 0.5, "district", people=[10.0, 30.0, 0.0])
    >>> districts.names, districts.least(n_points=1).tolist()
    (('north',), [20480])
    """

    labels: NDArray[np.str_]
    least_share: float
    name: str = "group"
    people: NDArray[np.float64] | None = None
    anyway: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Copy the arrays, and refuse what no plan can be held to."""
        require_number("least_share", self.least_share, 0, 1)
        object.__setattr__(self, "labels", read_only_copy(self.labels, np.str_))
        object.__setattr__(self, "name", visible(self.name))
        if self.people is None:
            return
        object.__setattr__(self, "people", read_only_copy(np.rint(np.multiply(self.people, QUANTA_PER_TRIP)) / QUANTA_PER_TRIP))
        if self._people.shape != self.labels.shape or not (np.isfinite(self._people) & (self._people >= 0)).all():
            msg = f"people must be a number >= 0 for each of {self.labels.size} hexes, got shape {self._people.shape}"
            raise DataError(msg)
        if not self.names:
            msg = f"no {self.name} has people, so no share of them can be kept; count people, or leave the constraint out"
            raise DataError(msg)

    def __reduce__(self) -> tuple[type[GroupPresence], tuple[object, ...]]:
        """Rebuild through the constructor, so that copies are read-only too."""
        return (GroupPresence, (self.labels, self.least_share, self.name, self.people, self.anyway))

    def counted(self, demand: Demand) -> GroupPresence:
        """
        Groups with the people of a demand, unless they have people of their own.

        Parameters
        ----------
        demand
            People a night over H hexes.

        Returns
        -------
        GroupPresence
            With people.

        Raises
        ------
        DataError
            If the labels do not name every hex, or no group has people.
        """
        if self.labels.shape != (demand.n_hexes,):
            msg = f"a {self.name} must be named for each of {demand.n_hexes} hexes, got labels of shape {self.labels.shape}"
            raise DataError(msg)
        return self if self.people is not None else replace(self, people=demand.presence_by_hex())

    def to_dict(self) -> dict[str, Any]:
        """Return name, least share and number of labels for JSON."""
        return {"name": self.name, "least_share": self.least_share, "n_labels": int(np.unique(self.labels[self.labels != ""]).size)}

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the groups with people, ascending."""
        labels = self.labels[self._people > 0]
        return tuple(str(label) for label in np.unique(labels[labels != ""]))

    @property
    def group_of_hex(self) -> NDArray[np.int32]:
        """Index in `names` of each hex, shape (H,), int32; -1 for none."""
        names = np.array(self.names)
        index = np.searchsorted(names, self.labels)
        known = names[np.minimum(index, names.size - 1)] == self.labels
        return np.where(known, index, -1).astype(np.int32)

    @property
    def quanta(self) -> NDArray[np.int64]:
        """People by hex in 1/1024, shape (H,), int64."""
        return np.rint(self._people * QUANTA_PER_TRIP).astype(np.int64)

    def least(self, n_points: int) -> NDArray[np.int64]:
        """
        People of each group that must be reached.

        Parameters
        ----------
        n_points
            Points of each hex.

        Returns
        -------
        ndarray of int64
            In 1/1024 times points, shape (G,), rounded up; the share is taken as the decimal number that it reads.
        """
        share = Fraction(repr(float(self.least_share)))
        all_of = np.rint(self._sums(self._people) * QUANTA_PER_TRIP).astype(np.int64)
        return np.array([math.ceil(share * number * n_points) for number in all_of.tolist()], np.int64)

    def shares(self, network: Network, stops: ArrayLike) -> dict[str, float]:
        """
        Share of the people of each group within the walk of some stops, by area.

        Parameters
        ----------
        network
            The stop network, over H hexes.
        stops
            Stop indices, such as `Plan.used_stops`, shape (n,); those that are served anyway count too.

        Returns
        -------
        dict
            By label, 0 to 1.
        """
        served = np.union1d(np.asarray(stops, np.int64), np.array(self.anyway, np.int64))
        reached = self._sums(self._people * reached_share(network, served))
        return dict(zip(self.names, (reached / self._sums(self._people)).tolist(), strict=True))

    def short(self, network: Network, stops: ArrayLike) -> dict[str, float]:
        """Return the shares on a `network` of the groups that `stops`, shape (n,), reach too few people of, the lowest first."""
        shares = self.shares(network, stops).items()
        return dict(sorted(((label, share) for label, share in shares if share < self.least_share), key=lambda row: (row[1], row[0])))

    def broken(self, network: Network, plan: Plan) -> Iterator[str]:
        """Yield a line for each group of which a `plan` on a `network` reaches too few people."""
        for label, share in self.short(network, plan.used_stops).items():
            reached = f"{self._told(label, share)} of the people of {self.name} {visible(label)}"
            yield f"{reached} are within the walk of a stop, at least {100 * self.least_share:g} % must be"

    def cannot(self, network: Network, stops: ArrayLike) -> str | None:
        """Say of which groups all of some `stops` of a `network`, shape (n,), reach too few people; None if there is none."""
        short = self.short(network, stops)
        if not short:
            return None
        told = ", ".join(f"{self._told(label, share)} of {self.name} {visible(label)}" for label, share in list(short.items())[:_NAMED])
        return (
            f"at least {100 * self.least_share:g} % of the people of each {self.name} must be within the walk of a stop, and all stops of "
            f"the network together reach no more than {told}{_more(len(short))}; add stops, or ask for a smaller share"
        )

    def missed(self, network: Network, plan: Plan) -> str | None:
        """Say of which groups the best `plan` found on a `network` reaches too few people; None if there is none."""
        short = self.short(network, plan.used_stops)
        if not short:
            return None
        told = ", ".join(f"{self._told(label, share)} of {self.name} {visible(label)}" for label, share in list(short.items())[:_NAMED])
        return (
            f"at least {100 * self.least_share:g} % of the people of each {self.name} must be within the walk of a stop, and the best plan "
            f"found reaches {told}{_more(len(short))}; allow more routes, kilometres, buses or moves, or ask for a smaller share"
        )

    def _told(self, label: str, share: float) -> str:
        """Share in whole percent, rounded down; none of few people."""
        people = float(self._people[self.labels == label].sum())
        return f"{math.floor(100 * share)} %" if people >= _LEAST_SHOWN or share == 0 else "too few"

    @property
    def _people(self) -> NDArray[np.float64]:
        if self.people is None:
            msg = f"the people of each {self.name} are not known yet; count them with owlbus.search.GroupPresence.counted"
            raise UsageError(msg)
        return self.people

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of values of hexes by group, shape (G,)."""
        group = self.group_of_hex
        return np.bincount(group[group >= 0], values[group >= 0], len(self.names)).astype(np.float64)


def _more(n_short: int) -> str:
    """Return how many groups are not named."""
    return f" (and {n_short - _NAMED} more)" if n_short > _NAMED else ""


def is_worse(groups: Sequence[GroupPresence], network: Network, before: Plan, after: Plan) -> bool:
    """
    Whether a plan reaches fewer people of a group than another one, and too few.

    Parameters
    ----------
    groups
        Groups of hexes with the least share of each.
    network
        The network of both plans.
    before, after
        The plans.

    Returns
    -------
    bool
        True if some group is below its least share and has less than before.
    """
    for group in groups:
        had = group.shares(network, before.used_stops)
        if any(share < had[label] for label, share in group.short(network, after.used_stops).items()):
            return True
    return False


def group_reach(groups: Sequence[GroupPresence], network: Network, total_quanta: int) -> GroupReach:
    """
    Groups as the kernels of the search take them.

    Parameters
    ----------
    groups
        Groups of hexes with people.
    network
        The stop network.
    total_quanta
        What the whole demand is worth to the objective, in 1/1024.

    Returns
    -------
    GroupReach
        With its own work space; before any route everybody is missing but those who are reached anyway.
    """
    if not groups:
        return no_groups(network.n_stops)
    points = points_of(network)
    width = min(points.n_points, _BITS)  # a hex of more points has several cells
    n_cells = points.n_points // width
    at_stop = np.repeat(np.arange(network.n_stops), np.diff(points.indptr))
    parts, first_cell, first_group = [], 0, 0
    for group in groups:
        group_of = np.repeat(group.group_of_hex, n_cells)
        cell_of = np.where(group_of >= 0, np.cumsum(group_of >= 0) - 1 + first_cell, -1)
        entry_cell = cell_of[points.point // width]
        known = entry_cell >= 0
        bits = np.left_shift(np.uint64(1), (points.point[known] % width).astype(np.uint64))
        people = np.repeat(group.quanta, n_cells)[group_of >= 0]
        parts.append((at_stop[known], entry_cell[known], bits, group_of[group_of >= 0] + first_group, people))
        first_cell, first_group = first_cell + people.size, first_group + len(group.names)
    stop, cell, bits, group_of, people = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((cell, stop))
    stop, cell = stop[order], cell[order]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(stop) != 0) | (np.diff(cell) != 0)])[: stop.size])
    joined = np.bitwise_or.reduceat(bits[order], starts) if starts.size else bits
    indptr = np.searchsorted(stop[starts], np.arange(network.n_stops + 1)).astype(np.int64)
    least = np.concatenate([group.least(points.n_points) for group in groups])
    reach = new_group_reach(indptr, cell[starts].astype(np.int32), joined, group_of.astype(np.int32), people, least)
    anyway = np.array([[stop for group in groups for stop in group.anyway]], np.int32)
    reach_others(reach, anyway, np.array([anyway.size]), -1, -1)
    reach.anyway[:], reach.reached_anyway[:] = reach.others, reach.reached_others
    all_quanta = max(1, sum(int(group.quanta.sum()) for group in groups)) * points.n_points / len(groups)
    reach.missing[0] = np.maximum(0, least - reach.reached_anyway).sum()
    return reach._replace(worth=_WORTH * total_quanta / all_quanta)


def reached_by(reach: GroupReach, stops: NDArray[np.int32], n_stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    People whom a plan reaches, by group.

    Parameters
    ----------
    reach
        The groups; its work space is written.
    stops, n_stops
        The plan: stop indices, shape (K, M), and how many of each row count, shape (K,).

    Returns
    -------
    ndarray of int64
        In 1/1024 times points, shape (G,).
    """
    if reach.least.size:
        reach_others(reach, stops, n_stops, -1, -1)
    return reach.reached_others.copy()


def n_missing(reach: GroupReach, reached: NDArray[np.int64]) -> int:
    """Return how many people groups of `reach` lack if of each so many are `reached`, shape (G,), in 1/1024 times points."""
    return int(np.maximum(0, reach.least - reached).sum())


def need_by_stop(reach: GroupReach, reached: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Share of what groups still lack that each stop reaches.

    Parameters
    ----------
    reach
        The groups.
    reached
        People reached of each group, in 1/1024 times points, shape (G,).

    Returns
    -------
    ndarray of float64
        Dimensionless, shape (S,); 0 everywhere where nobody is missing.
    """
    lacks = np.maximum(0, reach.least - reached) / np.maximum(1, reach.least)
    people = reach.people[reach.cell] * np.bitwise_count(reach.points) / np.maximum(1, reach.least)[reach.group_of[reach.cell]]
    stop = np.repeat(np.arange(reach.indptr.size - 1), np.diff(reach.indptr))
    return np.bincount(stop, people * lacks[reach.group_of[reach.cell]], reach.indptr.size - 1).astype(np.float64)


def points_reached(
    network: Network, routes: Sequence[NDArray[np.int32]], groups: Sequence[GroupPresence]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """
    Points of hexes of groups that routes reach.

    Parameters
    ----------
    network
        The stop network.
    routes
        Stops of each route, R of them.
    groups
        Sets of groups with people.

    Returns
    -------
    reaches
        Whether each route reaches each point, shape (R, P).
    people
        People of each group at each point, in 1/1024 times points, shape (G, P); none at points that are reached anyway.
    least
        People of each group that the routes must reach, likewise, shape (G,).
    """
    if not groups:
        return np.zeros((len(routes), 0), np.bool_), np.zeros((0, 0)), np.zeros(0)
    indptr, point, _, n_points, _ = points_of(network)
    reaches = np.zeros((len(routes), network.grid.n_hexes * n_points), np.bool_)
    for row, stops in zip(reaches, routes, strict=True):
        for stop in stops.tolist():
            row[point[indptr[stop] : indptr[stop + 1]]] = True
    people, least = [], []
    for group in groups:
        members = group.group_of_hex == np.arange(len(group.names))[:, None]
        at_points = np.repeat(members * group.quanta, n_points, axis=1)
        anyway = np.zeros(at_points.shape[1], np.bool_)
        for stop in group.anyway:
            anyway[point[indptr[stop] : indptr[stop + 1]]] = True
        least.append(group.least(n_points) - at_points[:, anyway].sum(axis=1))
        people.append(np.where(anyway, 0, at_points))
    return reaches, np.concatenate(people).astype(np.float64), np.concatenate(least).astype(np.float64)
