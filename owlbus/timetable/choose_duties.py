"""
Choice of duties: the fewest that hold every run once, and of those the ones of the fewest minutes.

The linear program begins with few duties and takes in those of negative reduced cost until there is none, so that its value bounds all of
them. A whole solution over the duties met then leaves only those whose reduced cost lies within the gap, and the last program chooses among
them [1]_.

References
----------
.. [1] Baldacci, Christofides and Mingozzi (2008), An exact algorithm for the vehicle routing problem based on the set partitioning
   formulation, Mathematical Programming 115.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from owlbus.search.highs import new_model, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_AT_ONCE = 400
"""Duties that one step takes in."""

_MOST_NODES = 4_000
"""Nodes after which a program of whole numbers ends, whatever the machine."""

_MORE = (2_000, 10_000)
"""Duties of least reduced cost beside those met, tried until there is a whole solution."""

_TOLERANCE = 1e-6


class DutyChoice(NamedTuple):
    """
    Chosen duties.

    Attributes
    ----------
    columns
        Indices of the duties; empty if no duties hold every run once.
    is_optimal
        Whether no others are fewer, or as many in fewer minutes.
    """

    columns: list[int]
    is_optimal: bool


class _Relaxed(NamedTuple):
    """Linear program at its end: its value, and the reduced cost of every duty; the duties that it met."""

    value: float
    reduced: NDArray[np.float64]
    met: NDArray[np.int64]


def choose_duties(columns: Sequence[Sequence[int]], minutes: Sequence[int], n_runs: int) -> DutyChoice:
    """
    Fewest duties that hold every run once, and of those the ones of the fewest minutes.

    Parameters
    ----------
    columns
        Runs of each possible duty, in [0, `n_runs`).
    minutes
        Minutes of each duty, > 0.
    n_runs
        Runs to hold.

    Returns
    -------
    DutyChoice
        Indices of the duties.

    Examples
    --------
    >>> choose_duties([(0,), (1,), (0, 1), (2,), (1, 2)], [60, 60, 130, 60, 120], 3)
    DutyChoice(columns=[0, 4], is_optimal=True)
    """
    from scipy.sparse import csc_array

    sizes = [len(runs) for runs in columns]
    index = np.array([run for runs in columns for run in runs], np.int64)
    matrix = csc_array((np.ones(len(index)), index, np.cumsum([0, *sizes])), shape=(n_runs, len(columns)))
    fewest = _relax(matrix, np.ones(len(columns)), None)
    if fewest is None:
        return DutyChoice([], is_optimal=False)
    least, is_optimal = math.ceil(fewest.value - _TOLERANCE), True
    for number in range(least, n_runs + 1):
        relaxed = _relax(matrix, np.array(minutes, np.float64), number)
        if relaxed is None:
            continue
        chosen, is_proven = _whole(matrix, np.array(minutes, np.float64), number, relaxed)
        if chosen is not None:
            return DutyChoice(chosen, is_optimal and is_proven)
        is_optimal &= is_proven
    return DutyChoice([], is_optimal=False)


def _relax(matrix: Any, cost: NDArray[np.float64], number: int | None) -> _Relaxed | None:  # noqa: ANN401 - scipy ships no types
    """Linear program over all duties, so many of them where a `number` is given; None if it has no solution."""
    n_runs, n_columns = matrix.shape
    model, most = _program(n_runs, number), 4.0 * n_runs * float(cost.max())
    for row in range(n_runs + (number is not None)):  # what is missing costs more than any duties
        model.addCol(most, 0.0, np.inf, 1, np.array([row], np.int32), np.ones(1))
    met = np.zeros(0, np.int64)
    is_met = np.zeros(n_columns, np.bool_)
    while True:
        solve(model)
        dual = np.array(model.getSolution().row_dual)
        reduced = cost - dual[:n_runs] @ matrix - (dual[n_runs] if number is not None else 0.0)
        better = np.flatnonzero((reduced < -_TOLERANCE) & ~is_met)
        if not better.size:
            break
        better = better[np.argsort(reduced[better], kind="stable")[:_AT_ONCE]]
        _add(model, matrix, cost, better, number)
        is_met[better] = True
        met = np.append(met, better)
    missing = np.array(model.getSolution().col_value[: n_runs + (number is not None)]).sum()
    return None if missing > _TOLERANCE else _Relaxed(float(model.getInfo().objective_function_value), reduced, met)


def _whole(
    matrix: Any,  # noqa: ANN401 - scipy ships no types
    cost: NDArray[np.float64],
    number: int,
    relaxed: _Relaxed,
) -> tuple[list[int] | None, bool]:
    """Best choice of so many duties, or None, and whether that is proven."""
    in_order, tried, first, ended = np.argsort(relaxed.reduced, kind="stable"), relaxed.met, None, False
    for more in (*_MORE, len(in_order)):
        tried = np.union1d(relaxed.met, in_order[:more])
        first, ended = _solve_whole(matrix, cost, tried, number)
        if first is not None:
            break
    if first is None:
        return None, ended
    gap = float(cost[first].sum()) - relaxed.value
    left = np.flatnonzero(relaxed.reduced <= gap + _TOLERANCE)
    if ended and np.isin(left, tried).all():
        return first, True
    best, ended = _solve_whole(matrix, cost, left, number)
    return (best if best is not None and cost[best].sum() <= cost[first].sum() else first), ended


def _solve_whole(
    matrix: Any,  # noqa: ANN401 - scipy ships no types
    cost: NDArray[np.float64],
    tried: NDArray[np.int64],
    number: int,
) -> tuple[list[int] | None, bool]:
    """Best choice among some duties, or None, and whether the solver came to its end."""
    import highspy

    model = _program(matrix.shape[0], number)
    for name, value in {"mip_rel_gap": 0.0, "mip_abs_gap": 0.5, "mip_max_nodes": _MOST_NODES}.items():
        model.setOptionValue(name, value)
    _add(model, matrix, cost, tried, number)
    model.changeColsIntegrality(len(tried), np.arange(len(tried), dtype=np.int32), np.array([highspy.HighsVarType.kInteger] * len(tried)))
    solve(model)
    status = model.getModelStatus()
    ended = status in {highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible}
    if status == highspy.HighsModelStatus.kInfeasible or not math.isfinite(model.getInfo().objective_function_value):
        return None, ended
    values = np.array(model.getSolution().col_value)
    return tried[values > 0.5].tolist(), ended  # noqa: PLR2004 - whole up to a tolerance


def _program(n_runs: int, number: int | None) -> Any:  # noqa: ANN401 - the solver ships no types
    """Program without duties: one row a run, which is held once, and one for their number."""
    model = new_model()
    for _ in range(n_runs):
        model.addRow(1.0, 1.0, 0, [], [])
    if number is not None:
        model.addRow(float(number), float(number), 0, [], [])
    return model


def _add(model: Any, matrix: Any, cost: NDArray[np.float64], columns: NDArray[np.int64], number: int | None) -> None:  # noqa: ANN401
    """Add duties to a program."""
    for column in columns.tolist():
        rows = matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]
        rows = rows if number is None else np.append(rows, matrix.shape[0])
        model.addCol(float(cost[column]), 0.0, 1.0, len(rows), rows.astype(np.int32), np.ones(len(rows)))
