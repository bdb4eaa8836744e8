"""Systems other than Linux, simulated: what they lack is taken away, and the program does its work or says why not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import pytest

from owlbus.cli import streams, version
from owlbus.cli.first_run import compile_beside
from owlbus.common import compile_kernels, files, kernel_cache, kernel_inventory, machine
from owlbus.common.errors import UsageError
from owlbus.common.files import lock_file, lock_folder
from owlbus.common.kernel_hooks import before_compiling
from owlbus.common.kernel_inventory import (
    KernelInventory,
    ShippedKernels,
    describe_shipped,
    shipped_kernels,
    take_inventory,
)
from owlbus.common.progress import show_progress
from owlbus.evidence.groups import read_groups
from owlbus.explore import loopback
from owlbus.explore.run_lock import locked_run
from owlbus.kernels.jit import PROCESSOR
from owlbus.sample import sample_city, sample_grid

ROOT = Path(__file__).resolve().parent.parent
OWLBUS = [sys.executable, "-m", "owlbus"]
PYTHON = sys.implementation.cache_tag


class Msvcrt:
    """Locks of bytes, as Windows has them: one holder for each file, known by its number of the device."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.holders: dict[int, int] = {}
        self.bytes_locked: list[int] = []

    def locking(self, descriptor: int, mode: int, n_bytes: int) -> None:
        """Lock, or refuse at once."""
        assert (mode, n_bytes) == (self.LK_NBLCK, 1)
        self.bytes_locked.append(os.lseek(descriptor, 0, os.SEEK_CUR))
        holder = self.holders.setdefault(os.fstat(descriptor).st_ino, descriptor)
        if holder != descriptor and is_open(holder):
            raise PermissionError(13, "Permission denied")
        self.holders[os.fstat(descriptor).st_ino] = descriptor


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    """Neither fcntl nor the deletion of open files, and locks of bytes."""
    locks, unlink = Msvcrt(), Path.unlink
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", locks)  # type: ignore[arg-type]
    for module in (machine, files, sys.modules["owlbus.explore.run_lock"]):
        monkeypatch.setattr(module, "can_delete_open_files", lambda: False)

    def refuse_if_open(path: Path, *, missing_ok: bool = False) -> None:
        if path.exists() and is_open(locks.holders.get(path.stat().st_ino, -1)):
            raise PermissionError(13, "The process cannot access the file", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse_if_open)
    return locks


def test_a_folder_is_locked_with_the_locks_of_windows(windows: Msvcrt, tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(UsageError, match="must not be in use"), lock_folder(tmp_path):
        pass
    with lock_folder(tmp_path):
        assert (tmp_path / files.LOCK).exists()
    assert not (tmp_path / files.LOCK).exists(), "it is deleted after it is closed"
    assert set(windows.bytes_locked) == {machine.LOCKED_BYTE}


def test_an_address_is_read_while_its_file_is_locked(windows: Msvcrt, tmp_path: Path) -> None:
    with locked_run(tmp_path) as lock:
        lock.tell("http://127.0.0.1:8765")
        told = r"is open in another explore, at http://127\.0\.0\.1:8765; go on there, or end that one first$"
        with pytest.raises(UsageError, match=told), locked_run(tmp_path):
            pass
    assert not list(tmp_path.iterdir())
    assert windows.bytes_locked


def test_a_folder_is_written_where_there_are_no_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", None)
    descriptor, is_locked = lock_file(tmp_path / "lock")
    os.close(descriptor)
    assert is_locked


def test_a_file_that_is_held_open_is_left_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    file = tmp_path / "copy"
    file.touch()
    machine.delete_if_allowed(file)
    machine.delete_if_allowed(file)
    assert not file.exists()
    file.touch()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        machine.delete_if_allowed(file)
    assert file.exists()


@pytest.mark.parametrize("can_delete", [True, False])
def test_a_file_is_brought_to_disk_opened_as_the_system_wants_it(
    can_delete: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import fcntl

    file, modes = tmp_path / "file", []
    file.write_bytes(b"as it was")
    monkeypatch.setattr(machine, "can_delete_open_files", lambda: can_delete)
    monkeypatch.setattr(os, "fsync", lambda descriptor: modes.append(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE))
    machine.sync_file(file)
    assert modes == [os.O_RDONLY if can_delete else os.O_RDWR]
    assert file.read_bytes() == b"as it was"


def test_signals_that_the_system_lacks_are_left_alone() -> None:
    script = (
        "import signal; del signal.SIGHUP\n"
        "from owlbus.cli import process\n"
        "from owlbus.common import files, machine\n"
        "assert machine.stop_signals() == (signal.SIGINT, signal.SIGTERM)\n"
        "try:\n"
        "    with process.stoppable(), files.defer_signals():\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "except KeyboardInterrupt:\n"
        "    print(process.stop_code())\n"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert told.split() == [str(128 + signal.SIGTERM)]


def test_processors_are_counted_where_the_system_does_not_say_which_ones_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert machine.n_processors() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.n_processors() == 1


@pytest.mark.parametrize(
    "missing", [("fcntl",), ("resource", "fcntl", "pwd", "grp", "termios")], ids=["fcntl", "all that is of POSIX alone"]
)
def test_a_plan_is_scored_without_modules_of_posix(missing: tuple[str, ...], tmp_path: Path) -> None:
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r}))\n"
        "import os, signal\n"
        "for module, names in ((os, ['sched_getaffinity', 'getuid', 'geteuid', 'pread', 'pwrite']), (signal, ['SIGHUP'])):\n"
        "    for name in names: delattr(module, name)\n"
        "from owlbus.cli import main\n"
        f"main(['score', {str(ROOT / 'sample_data/seoul/routes_2013.geojson')!r}, '--city', 'seoul', '--out', 'scored', '-q', '--json'])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "scored" / "run.json").is_file()
    assert not (tmp_path / "scored" / files.LOCK).exists()


@pytest.mark.parametrize("exclusive", [None, -5])
def test_no_other_program_can_bind_the_port_of_the_page(exclusive: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.delattr(socket, "SO_EXCLUSIVEADDRUSE", raising=False)
    if exclusive is not None:
        monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", exclusive, raising=False)
    listener = SimpleNamespace(
        setsockopt=lambda _, option, __: asked.append(option), bind=lambda _: None, getsockname=lambda: ("127.0.0.1", 8765)
    )
    server: Any = SimpleNamespace(socket=listener, server_address=("127.0.0.1", 0))
    loopback._LoopbackServer.server_bind(server)
    assert (asked, server.server_port) == ([socket.SO_REUSEADDR if exclusive is None else exclusive], 8765)


def printed(encoding: str, script: str) -> tuple[bytes, bytes]:
    """Bytes on standard output and standard error of a script whose console has an encoding."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "ascii", "ascii:surrogateescape", "utf-8"])
def test_a_console_that_lacks_a_character_shows_a_mark(encoding: str) -> None:
    text = "심야 버스 é"
    script = (
        f"import sys; from owlbus.cli.streams import open_streams; open_streams(); print({text!r}); print({text!r}, file=sys.stderr)\n"
        "from owlbus.cli import streams; sys.exit(streams.close_output(0))"
    )
    out, said = printed(encoding, script)
    expected = text.encode(encoding.partition(":")[0], "replace")
    assert out.rstrip() == expected
    assert b"Error" not in said


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_is_the_same_document_on_every_console(encoding: str) -> None:
    import json

    document = {"name": "심야 버스 é 🦉", "n": 1}
    text = json.dumps(document, ensure_ascii=False)
    out, _ = printed(encoding, f"from owlbus.cli.streams import open_streams, write_json; open_streams(); write_json({text!r})")
    assert json.loads(out.decode(encoding)) == document
    assert out == text.encode() or encoding != "utf-8"


def test_bytes_of_a_name_that_no_text_stands_for_are_printed_as_they_are() -> None:
    out, _ = printed("ascii:surrogateescape", "from owlbus.cli.streams import open_streams; open_streams(); print('a\\udcffb\\ud55c')")
    assert out.rstrip() == b"a\xffb?"
    with pytest.raises(UnicodeDecodeError):
        streams._bytes_or_mark(UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"))


def test_an_error_with_a_korean_name_is_one_line_on_a_console_of_windows(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    words = [*OWLBUS, "score", "없는 파일.geojson", "--city", "seoul"]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, b"", 1)
    assert done.stderr.startswith(b"error: ")
    assert b"no such file" in done.stderr


@pytest.mark.parametrize("by", [r"C:\maps\districts.geojson", "C:/maps/districts.geojson", "C:districts.geojson:"])
def test_the_colon_of_a_drive_is_none_before_a_column(by: str) -> None:
    with pytest.raises(UsageError, match=r"must read FILE:COLUMN, such as districts\.geojson:name, got "):
        read_groups(by, sample_grid(sample_city("seoul")))


def test_a_file_of_a_drive_has_a_column_after_its_own_colon() -> None:
    from owlbus.common.errors import DataError

    with pytest.raises(DataError, match=r"^C:/maps/none\.geojson: no such file"):
        read_groups("C:/maps/none.geojson:name", sample_grid(sample_city("seoul")))


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A process that has compiled nothing and chosen no processor."""
    monkeypatch.setattr(kernel_cache, "cpu_target", SimpleNamespace())
    config = SimpleNamespace(CPU_NAME=None, CPU_FEATURES=None)
    monkeypatch.setattr(kernel_cache, "config", config)
    return config


ALL_FEATURES = dict.fromkeys(kernel_cache._COMMON_FEATURES, True)


@pytest.mark.parametrize(
    ("machine_name", "features", "host", "chosen"),
    [
        ("x86_64", ALL_FEATURES, "znver4", "x86-64-v3"),
        ("AMD64", ALL_FEATURES, "skylake", "x86-64-v3"),
        ("x86_64", ALL_FEATURES | {"avx2": False}, "ivybridge", "ivybridge"),
        ("x86_64", {}, "westmere", "westmere"),
        ("arm64", ALL_FEATURES, "apple-m1", "apple-m1"),
        ("aarch64", ALL_FEATURES, "neoverse-n1", "neoverse-n1"),
        ("ARM64", ALL_FEATURES, "generic", "generic"),
        ("ppc64le", ALL_FEATURES, "pwr9", "pwr9"),
    ],
)
def test_a_processor_is_chosen_by_what_the_machine_is_and_has(
    machine_name: str, features: dict[str, bool], host: str, chosen: str, fresh: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_cache.platform, "machine", lambda: machine_name)
    monkeypatch.setattr(kernel_cache.llvm, "get_host_cpu_features", lambda: features)
    monkeypatch.setattr(kernel_cache.llvm, "get_host_cpu_name", lambda: host)
    assert kernel_cache.choose_processor() == chosen
    assert ((chosen, "") if chosen == kernel_cache.COMMON_CPU else (None, None)) == (fresh.CPU_NAME, fresh.CPU_FEATURES)


def test_a_processor_that_somebody_chose_stays(fresh: SimpleNamespace) -> None:
    fresh.CPU_NAME = "x86-64-v2"
    assert kernel_cache.choose_processor() == "x86-64-v2"


def test_what_a_wheel_says_of_its_kernels_is_read_again(tmp_path: Path) -> None:
    assert shipped_kernels(tmp_path) is None
    (tmp_path / "a.nbc").touch()
    describe_shipped("x86-64-v3", tmp_path)
    found = shipped_kernels(tmp_path)
    assert found is not None
    assert (found.processor, found.names, found.misfit("x86-64-v3")) == ("x86-64-v3", {"a.nbc"}, "")
    (tmp_path / "shipped.json").write_text("[]")
    assert shipped_kernels(tmp_path) is None


@pytest.mark.parametrize(
    ("shipped", "why"),
    [
        (("x86-64-v3", "0.1.0", PYTHON), f"are for numba 0.1.0, and this is {numba.__version__}."),
        (("x86-64-v4", numba.__version__, PYTHON), "are for processor x86-64-v4, and this one is taken as x86-64-v3."),
        (("x86-64-v3", numba.__version__, "cpython-99"), f"are for cpython-99, and this is {PYTHON}."),
    ],
)
def test_kernels_of_other_versions_are_told(shipped: tuple[str, str, str], why: str) -> None:
    assert why in ShippedKernels(*shipped, frozenset()).misfit("x86-64-v3")


class NoProcesses:
    """A compilation of three kernels that is over before it begins."""

    n_kernels = 3

    def __init__(self, commands: object) -> None:
        self.commands = commands

    def start(self, tell: Any) -> None:  # noqa: ANN401 - a function
        """Tell that all are done."""
        tell(self.n_kernels)

    def wait_for(self, name: str, signature: object) -> None:
        """Wait for nothing."""

    def end(self) -> None:
        """End nothing."""


@pytest.mark.parametrize(
    ("shipped", "why"),
    [
        (None, ""),
        (
            ("x86-64-v4", numba.__version__, PYTHON),
            f" Those that came with owlbus are for processor x86-64-v4, and this one is taken as {PROCESSOR}.",
        ),
        ((PROCESSOR, numba.__version__, PYTHON), ""),
    ],
)
def test_a_first_run_says_once_why_it_compiles_what_came_with_the_package(
    shipped: tuple[str, str, str] | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_kernels, "Compilation", NoProcesses)
    monkeypatch.setattr(kernel_inventory, "shipped_kernels", lambda: shipped and ShippedKernels(*shipped, frozenset()))
    said: list[str] = []
    with show_progress("silent") as progress, compile_beside({"score"}, said.append, progress):
        for name in ("moves.next_random", "moves.random_below"):
            before_compiling[0](name, ())
    assert said == [f"First run: compiling 3 kernels, up to a minute.{why}"]


def test_the_inventory_counts_every_kernel_of_the_commands_once() -> None:
    found = take_inventory(PROCESSOR)
    assert found.n_kernels > 200
    assert found.n_shipped + found.n_compiled_here <= found.n_kernels


def inventory(**facts: Any) -> KernelInventory:  # noqa: ANN401 - of any field
    known = {"processor": "x86-64-v3", "machine_processor": "znver4", "n_kernels": 10, "n_shipped": 6, "n_compiled_here": 3}
    return KernelInventory(**{**known, "folder": Path("at"), "misfit": "", **facts})  # type: ignore[arg-type]


def test_kernels_are_told_by_where_they_come_from() -> None:
    told = "6 came ready with the package, 3 were compiled on this machine, 1 are compiled when a command needs them"
    assert version.kernel_sentences(inventory()) == [told, "new ones are written to at"]
    lines = version.kernel_sentences(inventory(folder=None, misfit="Those are for another processor."))
    assert lines[1:] == ["no folder for new ones can be written: they are not kept", "Those are for another processor."]
    assert version.kernel_sentences(inventory(n_kernels=0)) == ["not compiled: numba's compiler is switched off (NUMBA_DISABLE_JIT)"]


def test_the_version_with_details_names_what_a_report_of_a_fault_needs() -> None:
    assert len(version.version_text(is_verbose=False).splitlines()) == 1
    rows = version.version_text(is_verbose=True).splitlines()
    assert [row.split()[0] for row in rows[:6]] == ["owlbus", "Python", "numpy", "numba", "processor", "kernels"]
    assert rows[-1].startswith("threads")
