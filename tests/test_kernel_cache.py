"""Compiled kernels on disk: found again by processes, users and folders, compiled anew after a change, and compiled ahead."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba import types

from owlbus.common import compile_kernels
from owlbus.common.compile_kernels import Compilation, tasks_of
from owlbus.common.kernel_cache import COMMON_CPU, KernelCache, folders, has_common_cpu
from owlbus.common.kernel_list import KernelEntry, read_list, write_list
from owlbus.common.kernel_types import types_as_text, types_from_text
from owlbus.kernels.jit import PROCESSOR
from owlbus.kernels.moves import next_random

ROOT = Path(__file__).resolve().parent.parent
LISTED = read_list()
DRAW = """
import numpy as np
from owlbus.common.kernel_hooks import before_compiling
before_compiling.append(lambda name, kinds: print("compiles", name))
from owlbus.kernels.moves import next_random
print(next_random(np.zeros(1, np.uint64)))
"""
HEXES = """
import numpy as np, hashlib
from owlbus.sample import sample_city, sample_grid
rng = np.random.default_rng(5)
lon, lat = rng.uniform(126.7, 127.2, 200_000), rng.uniform(37.4, 37.7, 200_000)
print(hashlib.sha256(sample_grid(sample_city()).lonlat_to_hex(lon, lat).tobytes()).hexdigest())
"""


def ran(script: str, folder: Path, **env: str) -> list[str]:
    """Lines that a script prints in a process of its own, with the package in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Folder with a copy of what kernels need, without compiled ones."""
    for part in ("common", "kernels"):
        shutil.copytree(ROOT / "owlbus" / part, tmp_path / "at" / "owlbus" / part, ignore=shutil.ignore_patterns("compiled", "__pycache__"))
    shutil.copy(ROOT / "owlbus" / "__init__.py", tmp_path / "at" / "owlbus")
    return tmp_path / "at"


def test_a_kernel_is_compiled_once_wherever_the_package_then_lies(copied: Path, tmp_path: Path) -> None:
    first, second = ran(DRAW, copied), ran(DRAW, copied)
    assert first[0] == "compiles moves.next_random"
    assert second == first[1:]
    for file in copied.rglob("*.py"):
        os.utime(file, (1.0, 1.0))
    copied.rename(tmp_path / "elsewhere")
    assert ran(DRAW, tmp_path / "elsewhere") == second


def test_compiled_kernels_are_read_where_nothing_can_be_written(copied: Path) -> None:
    ran(DRAW, copied)
    compiled = copied / "owlbus" / "kernels" / "compiled"
    unwritable = "import pathlib; pathlib.Path.touch = lambda self: (_ for _ in ()).throw(PermissionError(13, 'no'))\n"
    assert len(ran(unwritable + DRAW, copied)) == 1
    shutil.rmtree(compiled)
    assert len(ran(unwritable + DRAW, copied)) == 2
    assert not list(copied.rglob("*.nbc"))


def test_a_kernel_is_kept_for_the_user_where_the_package_cannot_be_written(copied: Path, tmp_path: Path) -> None:
    (copied / "owlbus" / "kernels" / "compiled").write_text("a file where the folder would be")
    first, second = (ran(DRAW, copied, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache")) for _ in range(2))
    assert (len(first), len(second)) == (2, 1)
    assert len(list((tmp_path / "cache" / "owlbus").rglob("*.nbc"))) == 1


def test_a_change_of_a_kernel_that_another_calls_compiles_both_anew(copied: Path) -> None:
    before = ran(DRAW, copied)
    coverage = copied / "owlbus" / "kernels" / "coverage.py"  # moves imports it
    coverage.write_text(coverage.read_text() + "\n# changed\n")
    assert ran(DRAW, copied) == before
    assert len(list(copied.rglob("moves.next_random.*.nbc"))) == 1, "the file of the source before is gone"


def test_a_damaged_file_is_compiled_anew(copied: Path) -> None:
    before = ran(DRAW, copied)
    (file,) = copied.rglob("moves.next_random.*.nbc")
    file.write_bytes(file.read_bytes()[:100])
    assert ran(DRAW, copied) == before
    assert len(ran(DRAW, copied)) == 1


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner there")
def test_a_folder_that_others_can_write_to_is_neither_read_nor_written(copied: Path, tmp_path: Path) -> None:
    env, shared = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}, tmp_path / "cache" / "owlbus"
    assert [len(ran(DRAW, copied, **env)) for _ in range(2)] == [2, 1]
    assert shared.stat().st_mode & 0o777 == 0o700
    shared.chmod(0o777)
    (file,) = shared.glob("*.nbc")
    file.write_bytes(pickle.dumps("what somebody else wrote"))
    assert [len(ran(DRAW, copied, **env)) for _ in range(2)] == [2, 2]


def test_a_kernel_of_a_source_edited_after_it_was_imported_is_not_kept(copied: Path) -> None:
    moves = copied / "owlbus" / "kernels" / "moves.py"
    edit = f"from pathlib import Path\nPath({str(moves)!r}).write_text(Path({str(moves)!r}).read_text() + '# later')\n"
    at = DRAW.index("print(next_random")
    assert len(ran(DRAW[:at] + edit + DRAW[at:], copied)) == 2
    assert [len(ran(DRAW, copied)) for _ in range(2)] == [2, 1], "the edited source is compiled by the next process"


@pytest.mark.skipif(not has_common_cpu(), reason="a machine with another processor compiles for itself")
def test_two_processors_give_the_same_hexes(tmp_path: Path) -> None:
    assert os.environ.get("NUMBA_CPU_NAME", COMMON_CPU) == PROCESSOR
    env = {"NUMBA_CACHE_DIR": str(tmp_path)}
    old, new = (ran(HEXES, ROOT, **env, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES="") for name in ("x86-64-v2", COMMON_CPU))
    assert old == new
    assert list((tmp_path / "owlbus").glob("*.nbc")), "the older processor has files of its own"


def test_the_folder_of_the_package_comes_first() -> None:
    assert folders(ROOT)[0] == ROOT


@pytest.mark.parametrize("name", sorted({entry.name for entry in LISTED}))
def test_what_is_listed_exists_and_takes_the_types(name: str) -> None:
    for entry in (entry for entry in LISTED if entry.name == name):
        assert entry.kernel().py_func.__code__.co_argcount == len(entry.signature())
        assert types_as_text(entry.signature()) == entry.types
        for kind in entry.signature():
            struct = getattr(kind, "instance_class", None)
            assert struct is None or len(struct._fields) == len(list(kind))


def test_the_list_names_the_kernels_of_every_command_that_searches() -> None:
    commands = set().union(*(entry.commands for entry in LISTED))
    assert {"demo", "plan", "plan_travel_time", "score", "compare", "explain", "improve", "sweep", "timetable", "demand"} <= commands
    assert {entry.name for entry in LISTED if "score" in entry.commands}.isdisjoint({"anneal.anneal"})


def test_the_list_is_read_as_written(tmp_path: Path) -> None:
    write_list(LISTED, tmp_path / "list.txt")
    assert read_list(tmp_path / "list.txt") == LISTED
    assert read_list(tmp_path / "none.txt") == []
    twice = [KernelEntry("moves.next_random", "u8[1C]", frozenset({name})) for name in ("plan", "demo")]
    write_list(twice, tmp_path / "list.txt")
    assert read_list(tmp_path / "list.txt") == [KernelEntry("moves.next_random", "u8[1C]", frozenset({"plan", "demo"}))]


@pytest.mark.parametrize("text", ["x8", "i8[1C", "nowhere.Graph(i8)", "structs.None_such(i8)", "i8 )"])
def test_text_that_is_no_list_of_types_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^types must "):
        types_from_text(text)


def test_a_type_without_a_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^types must be numbers, arrays and tuples of them, got unicode_type$"):
        types_as_text([types.unicode_type])


def test_kernels_wait_for_those_that_they_call() -> None:
    tasks = {
        task.entry.name: task
        for task in tasks_of([KernelEntry("moves.random_below", "u8[1C] i2"), KernelEntry("moves.next_random", "u8[1C!]")], None)
    }
    assert [other.entry.name for other in tasks["moves.random_below"].waits_for] == ["moves.next_random"]
    assert tasks["moves.next_random"].rank > tasks["moves.random_below"].rank


@pytest.fixture
def compilation(monkeypatch: pytest.MonkeyPatch) -> Compilation:
    """One kernel for types that nothing else calls it with."""
    monkeypatch.setattr(compile_kernels, "read_list", lambda: [KernelEntry("moves.next_random", "u8[1A]", frozenset({"plan"}))])
    return Compilation({"plan"})


def test_other_processes_compile_while_this_one_waits(compilation: Compilation) -> None:
    kinds, told = types_from_text("u8[1A]"), []
    cache = next_random._cache  # type: ignore[attr-defined]
    assert compilation.n_kernels == 1
    try:
        compilation.start(tell=told.append)
        compilation.wait_for("moves.next_random", kinds)
        compilation.wait_for("moves.next_random", types_from_text("u8[1F]"))  # is not listed: there is nothing to wait for
        assert (told, compilation.failed) == ([1], [])
        assert compile_kernels.Compilation({"plan"}).n_kernels == 0
    finally:
        compilation.end()
        for file in Path(cache.cache_path).glob("moves.next_random.*.nbc"):
            if file.stat().st_mtime > time.time() - 60:
                file.unlink()


def test_a_lost_process_keeps_nobody_waiting(compilation: Compilation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_kernels, "_WORKER", "import sys; sys.stdin.readline()")
    told: list[int] = []
    compilation.start(tell=told.append, n_processes=1)
    compilation.wait_for("moves.next_random", types_from_text("u8[1A]"))
    compilation.wait()
    assert compilation.failed == ["moves.next_random: the process was ended"]


def test_a_kernel_that_takes_other_types_now_is_left_to_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_kernels, "read_list", lambda: [KernelEntry("moves.next_random", "f8", frozenset({"plan"}))])
    compilation, told = Compilation(), []
    compilation.start(tell=told.append)
    compilation.wait_for("moves.next_random", types_from_text("f8"))
    compilation.end()
    assert compilation.failed == ["moves.next_random: TypingError"]


def test_names_of_files_tell_kernel_python_and_source() -> None:
    cache = KernelCache(next_random.py_func)  # type: ignore[attr-defined]
    family = f"moves.next_random.{sys.implementation.cache_tag}"
    assert cache._family().startswith(family)
