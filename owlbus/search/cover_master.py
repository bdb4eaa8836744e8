"""Multipliers where only coverage counts: the linear program over the known routes, solved to its end, and its smoothed duals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.search.highs import new_model, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from owlbus.kernels.bound_structs import RouteMixes, RoutePool

_SHARE, _LEAST_SHARE, _MOST_SHARE = 0.4, 0.1, 0.9
_SHORTER, _LONGER, _FAR_LONGER = 0.85, 1.1, 1.3
_NEARLY_MET, _MOST_CALM = 0.004, 10
_SAME = 1e-5


class CoverMaster:
    r"""
    The best mix of known routes, fractional, where each hex counts once.

    .. math:: \max \sum_h b_h y_h : \; y_h \le \sum_r t_{hr} x_r, \; \sum_r x_r \le K, \; \sum_r l_r x_r \le L, \; 0 \le y \le 1

    Its duals are multipliers of the hexes. Duals of few routes jump, so the next point lies between the best one and them (Wentges 1997).

    Parameters
    ----------
    bonus
        What each hex brings if it is covered, shape (H,), float64, >= 0.
    mixes
        Kinds of routes, and what all together may use.
    """

    def __init__(self, bonus: NDArray[np.float64], mixes: RouteMixes) -> None:
        """Begin without routes."""
        self._bonus, self._mixes = bonus, mixes
        self._scale = 1.0 / max(1.0, float(bonus.max(initial=0.0)))
        self._version, self._value = -1, 0.0
        self._lowest, self._n_calm, self._share = np.inf, 0, _SHARE

    def _restart(self) -> None:
        """Forget all routes."""
        import highspy

        self._n_known, self._infinity = 0, highspy.kHighsInf
        self._model = new_model()
        for most in (float(self._mixes.n_routes), float(self._mixes.most_load), *np.zeros(self._bonus.size)):
            self._model.addRow(-self._infinity, most, 0, [], [])
        for h, worth in enumerate(self._bonus):
            self._model.addCol(-float(worth) * self._scale, 0.0, 1.0, 1, np.array([2 + h], np.int32), np.ones(1))

    def solve(self, pool: RoutePool, version: int) -> float:
        """
        Add routes that are new, and solve the program.

        Parameters
        ----------
        pool
            All known routes; those of the last call come first, unless the version has changed.
        version
            Another one than before makes the program forget its routes.

        Returns
        -------
        float
            What the best mix of known routes is worth, in units of `bonus`; no bound.
        """
        if version != self._version:
            self._restart()
            self._version = version
        kinds = np.minimum(np.searchsorted(self._mixes.cost, pool.cost), self._mixes.cost.size - 1)
        for r in range(self._n_known, pool.cost.size):
            row = slice(int(pool.start[r]), int(pool.start[r + 1]))
            rows = np.concatenate([[0, 1], pool.hexes[row] + 2]).astype(np.int32)
            values = np.concatenate([[1.0, float(self._mixes.load[kinds[r]])], -pool.times[row]])
            self._model.addCol(0.0, 0.0, self._infinity, rows.size, rows, values)
        self._n_known = pool.cost.size
        solve(self._model)
        before, self._value = self._value, -float(self._model.getInfo().objective_function_value) / self._scale
        self._brought_routes = self._value > before * (1 + _SAME)
        return self._value

    def note(self, bound: float) -> None:
        """
        Take in the bound of the last step.

        Parameters
        ----------
        bound
            Lowest bound so far, in units of `bonus`.
        """
        self._n_calm = 0 if bound < self._lowest else self._n_calm + 1
        self._lowest = bound

    @property
    def is_nearly_met(self) -> bool:
        """Whether the known routes are nearly worth the bound, or many steps have not lowered it, so that a closer look should follow."""
        return self._lowest <= self._value * (1 + _NEARLY_MET) or self._n_calm >= _MOST_CALM

    def towards_duals(self, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Step from the best multipliers so far towards the duals of the last solution.

        Parameters
        ----------
        centre
            Multipliers that proved the best bound so far, shape (H,), float64.

        Returns
        -------
        ndarray of float64
            Multipliers to try next, shape (H,).
        """
        dual = np.clip(-np.array(self._model.getSolution().row_dual)[2:] / self._scale, 0.0, self._bonus)
        # A point near the centre that brings no route worth having is too near; one that does not lower the bound is too far.
        change = _LONGER if self._n_calm == 0 else _SHORTER if self._brought_routes else _FAR_LONGER
        self._share = min(max(_LEAST_SHARE, self._share * change), _MOST_SHARE)
        return centre + self._share * (dual - centre)
