"""The point-to-hex kernel: exact at edges and vertices, -1 for everything outside, and no slower twin disagrees."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from owlbus.grid.hexgrid import HexGrid
from owlbus.kernels.hexing import (
    BLOCK,
    DEGREES,
    PointTables,
    design_matrix,
    exponents,
    hex_of_point,
    hexes_of_points,
    round_axial,
)

GRID = HexGrid.cover([(10.0, 50.0), (10.06, 50.0), (10.06, 50.04), (10.0, 50.04)])
NEAR = tuple(product(range(-3, 4), repeat=2))


def owners(q: Fraction, r: Fraction) -> list[tuple[int, int]]:
    """Hexes within a fractional axial point's reach whose centre is nearest, by exact arithmetic, in (r, q) order."""
    home = floor(q), floor(r)
    around = [(home[0] + dq, home[1] + dr) for dq, dr in NEAR]
    off = {(a, b): (q - a) ** 2 + (q - a) * (r - b) + (r - b) ** 2 for a, b in around}
    least = min(off.values())
    return sorted((at for at, value in off.items() if value == least), key=lambda at: (at[1], at[0]))


def rounded(q: Fraction, r: Fraction) -> tuple[int, int]:
    a, b = round_axial(float(2 * q + r), float(r - q))
    return int(a), int(b)


@given(st.integers(-400, 400), st.integers(-400, 400))
def test_a_point_goes_to_the_nearest_centre_and_ties_to_the_last_in_row_order(a: int, b: int) -> None:
    """Eighths are exact in binary, so edges are hit exactly."""
    q, r = Fraction(a, 8), Fraction(b, 8)
    assert rounded(q, r) == owners(q, r)[-1]


@pytest.mark.parametrize(("u", "w"), [(1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1), (0, 1)])
@pytest.mark.parametrize("centre", [(0, 0), (3, -2), (-5, 4)])
def test_a_vertex_belongs_to_the_last_of_its_three_hexes(u: int, w: int, centre: tuple[int, int]) -> None:
    """At a vertex the skew coordinates are whole, so it is hit exactly."""
    u, w = u + 2 * centre[0] + centre[1], w + centre[1] - centre[0]
    nearest = owners(Fraction(u - w, 3), Fraction(u + 2 * w, 3))
    assert len(nearest) == 3
    assert tuple(map(int, round_axial(float(u), float(w)))) == nearest[-1]


@pytest.mark.parametrize(
    "bad", [(np.nan, 50.0), (10.0, np.nan), (np.inf, 50.0), (10.0, -np.inf), (1e9, 1e9), (-1e308, 1e308), (50.0, 10.0)]
)
def test_a_position_that_is_none_or_far_away_lies_in_no_hex(bad: tuple[float, float]) -> None:
    assert int(GRID.lonlat_to_hex(*bad)) == -1
    assert hex_of_point(*bad, GRID.point_tables) == -1


def test_no_point_gives_no_hex() -> None:
    assert GRID.lonlat_to_hex([], []).size == 0


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_a_stream_answers_as_its_points_do_one_by_one(n: int) -> None:
    rng = np.random.default_rng(n)
    lon, lat = rng.uniform(9.98, 10.08, n), rng.uniform(49.98, 50.06, n)
    lon[n // 2] = np.nan
    together = hexes_of_points(lon, lat, GRID.point_tables)
    assert together.tolist() == [hex_of_point(x, y, GRID.point_tables) for x, y in zip(lon, lat, strict=True)]


@pytest.mark.parametrize("degree", DEGREES)
def test_every_degree_evaluates_the_polynomial_that_was_fitted(degree: int) -> None:
    """A table that is its own coordinate shows which place a point came to."""
    rng = np.random.default_rng(degree)
    lon, lat = rng.uniform(2.5, 3.5, 500), rng.uniform(-4, 0, 500)
    s, t = (lon - 3.0) * 2.0, (lat + 2.0) * 0.5
    u = rng.uniform(-1, 1, len(exponents(degree)))
    w = rng.uniform(-1, 1, len(exponents(degree)))
    u[-1], w[-1] = 200.0, 100.0
    expected = round_axial.py_func(*(design_matrix(s, t, degree) @ np.stack([u, w], axis=1)).T)
    frame, lookup = np.array([3.0, -2.0, 2.0, 0.5, 300.0]), np.arange(300 * 400, dtype=np.int32)
    tables = PointTables(frame, np.concatenate([u, w]), lookup, degree)
    found = hexes_of_points(lon, lat, tables)
    assert (found == (expected[1] * 300 + expected[0]).astype(np.int64)).all()
    assert [int(hex_of_point(x, y, tables)) for x, y in zip(lon, lat, strict=True)] == found.tolist()


def test_exponents_are_all_pairs_up_to_the_degree() -> None:
    for degree in DEGREES:
        found = [tuple(row) for row in exponents(degree).tolist()]
        assert len(set(found)) == len(found)
        assert set(found) == {(i, j) for i, j in product(range(degree + 1), repeat=2) if i + j <= degree}


def test_the_frame_includes_its_boundary_and_ends_there() -> None:
    frame, lookup = np.array([0.0, 0.0, 1.0, 1.0, 40.0]), np.zeros(1600, dtype=np.int32)
    poly = np.zeros(30)
    poly[14], poly[29] = 30.0, 10.0
    found = hexes_of_points(
        np.array([1.0, -1.0, 1.0000001, 0.0]), np.array([1.0, -1.0, 0.0, -1.0000001]), PointTables(frame, poly, lookup, 4)
    )
    assert found.tolist() == [0, 0, -1, -1]
