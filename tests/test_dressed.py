"""The same rides in many dresses are counted in the hour that was meant, or refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import dressed
import pytest

from owlbus.common.errors import OwlbusError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("first", range(0, 120, 12))
def test_rides_in_any_dress_are_counted_in_their_hour_or_refused(first: int, tmp_path: Path) -> None:
    for turn in range(first, first + 12):
        file = dressed.dressed(random.Random(turn))  # noqa: S311 - the same files from the same seed
        try:
            taken = dressed.counted(file, tmp_path)
        except OwlbusError:
            continue
        assert taken == file.by_hour, (turn, file.dress)


@pytest.mark.parametrize("part", range(3), ids=["times", "positions", "files"])
def test_most_dresses_are_read(part: int, tmp_path: Path) -> None:
    """A refusal is right only where the data cannot tell, or where an option must be given."""
    names = (dressed.TIMES, dressed.POSITIONS, dressed.FILES)[part]
    unread = []
    for name in names:
        dress = tuple(name if place == part else common for place, common in enumerate(dressed.COMMON))
        for turn in range(6):
            try:
                dressed.counted(dressed.in_dress(random.Random(turn), dress), tmp_path)  # noqa: S311 - as above
            except OwlbusError:
                continue
            break
        else:
            unread.append(name)
    assert unread == []
