"""Memory: a search that does not fit is refused before it allocates anything, with what it would take and what fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from owlbus import Demand, HexGrid, Network
from owlbus.cli.messages import in_flags
from owlbus.common import memory
from owlbus.common.errors import DataError
from owlbus.network import drive_times
from owlbus.search import memory_need, plan_routes
from owlbus.search.memory_need import MemoryNeed
from owlbus.search.stopping import MaxSteps

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = [(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)]


def small() -> tuple[Network, Demand]:
    """Twenty hexes on a lattice, and two trips."""
    network = Network.from_lattice(HexGrid.cover(SQUARE, n_hexes=20))
    return network, Demand(20, origin=[0, 3], destination=[19, 16], trips=[60.0, 30.0])


def test_a_search_that_does_not_fit_is_refused_in_one_line_before_anything_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    network, demand = small()
    for module in (memory, memory_need):
        monkeypatch.setattr(module, "memory_at_hand", lambda: 1)
    monkeypatch.setattr(memory_need, "memory_in_use", lambda: 500_000_000)
    monkeypatch.setattr(memory_need, "_STOP", 10**8)
    monkeypatch.setattr(drive_times, "drive_matrix", None)
    with pytest.raises(DataError, match=r"a search on 20 stops with 3 routes .* must fit into memory, 2\.0 GB, got 0\.0 GB") as caught:
        plan_routes(network, demand, 3, stop_when=[MaxSteps(10)])
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    assert "--area" in in_flags(caught.value) or "more memory" in str(caught.value)


def test_what_a_refused_search_says_to_use_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = small()
    at_hand = 7 * 10**9
    need = MemoryNeed(100_000, 64, 2)
    monkeypatch.setattr(memory_need, "memory_at_hand", lambda: at_hand)
    way_out = memory_need._way_out(network, need, at_hand)
    stops, parts = need.most_stops(at_hand), need.n_parts(at_hand)
    assert f"about {stops:,} stops, or plan {parts} parts" in way_out
    assert MemoryNeed(stops, 64, 2).n_bytes <= at_hand < MemoryNeed(stops + 1, 64, 2).n_bytes
    assert MemoryNeed(-(-100_000 // parts), -(-64 // parts), 2).n_bytes <= at_hand
    assert parts == 1 or MemoryNeed(-(-100_000 // (parts - 1)), -(-64 // (parts - 1)), 2).n_bytes > at_hand
    assert memory_need._way_out(network, need, 1) == "use a machine with more memory"


def test_drive_times_that_do_not_fit_are_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = small()
    monkeypatch.setattr(memory, "memory_at_hand", lambda: 799)
    links = network.link_indptr, network.link_to, network.link_s
    with pytest.raises(DataError, match="drive times between all pairs of 20 stops must fit into memory"):
        drive_times.drive_matrix(*links, 2**30, short_stops=19)
    monkeypatch.setattr(memory, "memory_at_hand", lambda: 800)
    assert drive_times.drive_matrix(*links, 2**30, short_stops=19).nbytes == 800


def test_the_least_of_machine_group_and_limits_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:   500 kB\n")
    (tmp_path / "cgroup").write_text("4:memory:/old\n0::/outer/inner\n")
    for name, most, used, cached in (("outer", "400000", "150000", "50000"), ("outer/inner", "max", "7", "0")):
        (tmp_path / "groups" / name).mkdir(parents=True)
        for file, text in (("memory.max", most), ("memory.current", used), ("memory.stat", f"anon 1\ninactive_file {cached}\nfile 3\n")):
            (tmp_path / "groups" / name / file).write_text(text + "\n")
    for name, path in (("_MEMINFO", "meminfo"), ("_CGROUPS", "cgroup"), ("_MOUNT", "groups")):
        monkeypatch.setattr(memory, name, tmp_path / path)
    monkeypatch.setattr(memory, "_of_limits", lambda: None)
    assert memory.memory_at_hand() == 300_000
    (tmp_path / "groups" / "outer" / "memory.max").write_text("max\n")
    assert memory.memory_at_hand() == 512_000
    monkeypatch.setattr(memory, "_of_limits", lambda: -5)
    assert memory.memory_at_hand() == 0
    (tmp_path / "meminfo").unlink()
    monkeypatch.setattr(memory, "_of_limits", lambda: None)
    assert memory.memory_at_hand() is None


def test_drive_times_that_turn_out_too_long_for_two_bytes_are_refused_where_four_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way back along the middle link of a line of four stops is slow."""
    start, end, seconds = [0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2], [20_000, 20_000, 20_000, 20_000, 20_000, 20_000]
    indptr = np.searchsorted(start, np.arange(5)).astype(np.int64)
    links = indptr, np.array(end, np.int32), np.array(seconds, np.int32)
    assert drive_times.pair_bytes(*links, 2**30, short_stops=3) == 2
    slow = *links[:2], np.array([20_000, 20_000, 20_000, 70_000, 20_000, 20_000], np.int32)
    assert drive_times.pair_bytes(*slow, 2**30, short_stops=3) == 4
    monkeypatch.setattr(drive_times, "pair_bytes", lambda *_: 2)
    monkeypatch.setattr(memory, "memory_at_hand", lambda: 40)
    with pytest.raises(DataError, match="must fit into memory"):
        drive_times.drive_matrix(*slow, 2**30, short_stops=3)
    assert drive_times.drive_matrix(*links, 2**30, short_stops=3).nbytes == 32
