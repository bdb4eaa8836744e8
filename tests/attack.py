"""
What a reader of published numbers can prove about the counts behind them.

The reader knows the plan, the network, the grid, the code and the rule of publishing, but no record. Unknown are the numbers of records
in each atom, such as the trips between two hexes in one hour of one night. Every published number bounds a weighted sum of atoms, and
linear programming over all of them bounds every other sum: its true value lies between the least and the largest that nothing published
contradicts.

``python tests/attack.py 200`` attacks 200 random towns by every rule of `attack_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor
from typing import TYPE_CHECKING

import highspy
import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

SMALL = 14
"""Counts from 1 to this are to be protected."""
FEWEST_VALUES = 5
"""Values that must stay possible for a count to be protected."""
_NEAR = 1e-5


@dataclass(frozen=True, slots=True)
class Recovered:
    """A true count that the reader knows to fewer than five values."""

    name: str
    truth: float
    low: float
    high: float

    @property
    def n_values(self) -> int:
        """Whole numbers that remain possible."""
        return floor(self.high + _NEAR) - ceil(self.low - _NEAR) + 1

    def __str__(self) -> str:
        """Count and ends in one line."""
        return f"{self.name} is {self.truth:g}, known to lie in [{self.low:.2f}, {self.high:.2f}]"


@dataclass(slots=True)
class Knowledge:
    """Bounds on weighted sums of `n_atoms` unknown numbers of records, each >= 0."""

    n_atoms: int
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def tell(self, weights: ArrayLike, low: float, high: float) -> None:
        """State that the sum of atoms times `weights`, shape (n_atoms,), lies in [low, high]."""
        self.rows.append(np.asarray(weights, dtype=np.float64))
        self.low.append(low)
        self.high.append(high)

    def holds(self, truth: NDArray[np.float64]) -> bool:
        """Whether the true atoms contradict nothing: a reader that is wrong proves nothing."""
        values = np.array(self.rows) @ truth
        return bool(np.all(values >= np.array(self.low) - _NEAR) and np.all(values <= np.array(self.high) + _NEAR))

    def ranges(
        self, targets: NDArray[np.float64], *, truth: NDArray[np.float64] | None = None, enough: float = np.inf
    ) -> NDArray[np.float64]:
        """
        Least and largest value of each weighted sum of atoms, shape (n, 2); looks no further once they are `enough` apart.

        Every solution found bounds all sums at once, and so does the truth, so most sums need no programme of their own.
        """
        solver, found = self._solver(), np.full((len(targets), 2), (np.inf, -np.inf))
        if truth is not None:
            found[:] = (targets @ truth)[:, None]
        for rows in self._bundles(found, enough):
            for side in (1, 0):
                if np.all(found[rows, 1] - found[rows, 0] >= enough):
                    break
                values = self._extreme(solver, targets[rows].sum(axis=0), is_most=side == 1)
                if values is None:
                    if len(rows) == 1:  # of several only some may lack a bound: each is asked alone later
                        found[rows, side] = np.inf
                    continue
                found[:, 0], found[:, 1] = np.minimum(found[:, 0], targets @ values), np.maximum(found[:, 1], targets @ values)
        return found

    def _bundles(self, found: NDArray[np.float64], enough: float) -> Iterator[NDArray[np.int64]]:
        """Sums to bound together as long as that settles a tenth of them, then one by one."""
        left = np.flatnonzero(found[:, 1] - found[:, 0] < enough)
        while np.isfinite(enough) and left.size > 1:
            yield left
            still = left[found[left, 1] - found[left, 0] < enough]
            if still.size > 0.9 * left.size:
                break
            left = still
        yield from (np.array([index]) for index in range(len(found)) if not found[index, 1] - found[index, 0] >= enough)

    def _extreme(self, solver: highspy.Highs, goal: NDArray[np.float64], *, is_most: bool) -> NDArray[np.float64] | None:
        """Atoms at which `goal` is largest, or least; None if it has no bound."""
        solver.changeColsCost(self.n_atoms, np.arange(self.n_atoms, dtype=np.int32), goal)
        solver.changeObjectiveSense(highspy.ObjSense.kMaximize if is_most else highspy.ObjSense.kMinimize)
        solver.run()
        status = solver.getModelStatus()
        if status in {highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible}:
            return None
        assert status == highspy.HighsModelStatus.kOptimal, f"the published numbers contradict one another: {status}"
        return np.asarray(solver.getSolution().col_value)

    def _solver(self) -> highspy.Highs:
        """Return the programme without a goal."""
        matrix = csr_matrix(np.array(self.rows).reshape(len(self.rows), self.n_atoms))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self.n_atoms, len(self.rows)
        model.col_cost_ = np.zeros(self.n_atoms)
        model.col_lower_, model.col_upper_ = np.zeros(self.n_atoms), np.full(self.n_atoms, highspy.kHighsInf)
        model.row_lower_, model.row_upper_ = np.array(self.low), np.array(self.high)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)  # noqa: FBT003 - their signature
        solver.setOptionValue("simplex_strategy", 4)  # primal: only the goal changes from one programme to the next
        solver.passModel(model)
        return solver

    def recovered(self, targets: Mapping[str, ArrayLike], truth: NDArray[np.float64], *, is_any_size: bool = False) -> list[Recovered]:
        """
        Sums of atoms that are known to fewer than five values, though their true value lies in 1…14; of any size if `is_any_size`.

        `targets` holds the weights of each, shape (n_atoms,).
        """
        assert self.holds(truth), "the reader's bounds exclude the truth"
        table = np.array(list(targets.values()), dtype=np.float64).reshape(len(targets), self.n_atoms)
        values = table @ truth
        chosen = np.flatnonzero((values >= 1 - _NEAR) & ((values <= SMALL + _NEAR) | is_any_size))
        names = list(targets)
        ends = self.ranges(table[chosen], truth=truth, enough=FEWEST_VALUES)
        found = [Recovered(names[i], float(values[i]), float(low), float(high)) for i, (low, high) in zip(chosen, ends, strict=True)]
        return [count for count in found if np.isfinite(count.high) and count.n_values < FEWEST_VALUES]


if __name__ == "__main__":
    import sys

    from attack_random import main

    main(int(sys.argv[1]), sys.argv[2:])
