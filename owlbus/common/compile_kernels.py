"""
Compile kernels ahead, in several processes at once.

Processes compile from the kernels that call no others upwards; those that many or slow kernels wait for come first. A kernel that this
process is about to call is waited for if another process has it in hand. Whatever fails here is compiled when it is called.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from owlbus.common import kernel_cache
from owlbus.common.kernel_list import KernelEntry, read_list
from owlbus.common.kernel_types import types_as_text
from owlbus.common.machine import n_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_WORKER = "import sys; sys.path[:] = {path!r}; from owlbus.common.compile_kernels import work; work()"

_URGENT = 1 << 40
"""Rank of a kernel that this process waits for, in bytes of bytecode: more than any chain has."""


@dataclass(eq=False, slots=True)
class _Task:
    """A kernel to compile."""

    entry: KernelEntry
    kernel: Any
    waits_for: list[_Task] = field(default_factory=list)
    rank: int = 0
    """Bytecode of the longest chain of kernels that wait for it, in bytes."""
    is_taken: bool = False
    is_done: bool = False
    error: str = ""
    """Why no process could compile it; it is then compiled when it is called."""


class Compilation:
    """
    Processes that compile kernels while this one goes on.

    Parameters
    ----------
    commands
        Commands whose kernels are compiled; all kernels by default.
    """

    def __init__(self, commands: Collection[str] | None = None) -> None:
        self._changed = threading.Condition()
        self._tasks = tasks_of(read_list(), commands)
        self._by_key = {(task.entry.name, task.entry.types): task for task in self._tasks}
        self._workers: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []
        self._n_working = 0
        self._tell: Callable[[int], object] = abs

    def start(self, tell: Callable[[int], object], n_processes: int | None = None) -> None:
        """
        Start the processes; without any, every kernel is compiled when it is called.

        Parameters
        ----------
        tell
            Called from other threads with the number of kernels that are done.
        n_processes
            Number of processes; None for one a processor.
        """
        self._tell = tell
        with suppress(OSError):
            for _ in range(min(n_processes or n_processors(), len(self._tasks))):
                self._workers.append(_start_worker())
        self._n_working = len(self._workers)
        self._threads = [threading.Thread(target=self._feed, args=(worker,), daemon=True) for worker in self._workers]
        for thread in self._threads:
            thread.start()

    @property
    def n_kernels(self) -> int:
        """Number of kernels that were not compiled before."""
        return len(self._tasks)

    @property
    def failed(self) -> list[str]:
        """Kernels that could not be compiled, and why."""
        return [f"{task.entry.name}: {task.error}" for task in self._tasks if task.error or not task.is_done]

    def wait(self) -> None:
        """Return when all processes have ended."""
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.wait()

    def wait_for(self, name: str, signature: Sequence[Any]) -> None:
        """
        Return when a kernel is compiled, or will not be.

        Parameters
        ----------
        name
            Module and function of the kernel.
        signature
            Its argument types.
        """
        try:
            task = self._by_key.get((name, types_as_text(signature)))
        except (TypeError, KeyError):
            return
        if task is None:
            return
        with self._changed:
            _hurry(task, _URGENT)
            self._changed.wait_for(lambda: task.is_done or not self._n_working)

    def end(self) -> None:
        """End the processes; what they compiled stays."""
        for worker in self._workers:
            worker.kill()
        self.wait()

    def _feed(self, worker: subprocess.Popen[str]) -> None:
        """Give a process one kernel after another."""
        while (task := self._next()) is not None:
            answer = _asked(worker, f"{task.entry.name} {task.entry.types}")
            self._finish(task, answer.removeprefix("done").strip() if answer else "the process was ended")
            if not answer:
                break
        for pipe in (worker.stdin, worker.stdout):
            _close(pipe)
        with self._changed:
            self._n_working -= 1
            self._changed.notify_all()

    def _next(self) -> _Task | None:
        """Take the next kernel; wait while all that are left wait for others. None if none is left."""
        with self._changed:
            while left := [task for task in self._tasks if not task.is_taken]:
                ready = [task for task in left if all(other.is_done for other in task.waits_for)]
                if ready:
                    task = max(ready, key=lambda task: task.rank)
                    task.is_taken = True
                    return task
                self._changed.wait()
            return None

    def _finish(self, task: _Task, error: str) -> None:
        """Mark a kernel as compiled, or as one that could not be."""
        with self._changed:
            task.is_done, task.error = True, error
            self._changed.notify_all()
            n_done = sum(task.is_done for task in self._tasks)
        self._tell(n_done)


def tasks_of(entries: Collection[KernelEntry], commands: Collection[str] | None) -> list[_Task]:
    """
    Return what is to be compiled: kernels of the list that some commands need and that are not on disk.

    Parameters
    ----------
    entries
        The list.
    commands
        The commands, or None for the whole list.

    Returns
    -------
    list
        Kernels with those that they call.
    """
    from numba.core import registry

    target: Any = registry.cpu_target
    by_name: dict[str, list[_Task]] = {}
    for entry in entries:
        if (commands is None or entry.commands) and (kernel := _kernel_of(entry)) is not None:
            by_name.setdefault(entry.name, []).append(_Task(entry, kernel))
    called = {name: _called(tasks[0].kernel) & set(by_name) for name, tasks in by_name.items()}
    roots = {entry.name for entry in entries if entry.name in by_name and _is_of(entry, commands)}
    codegen = target.target_context.codegen()
    tasks = [
        task
        for name in sorted(_reachable(roots, called))
        for task in by_name[name]
        if (name not in roots or _is_of(task.entry, commands)) and _is_missing(task, codegen)
    ]
    for task in tasks:
        task.waits_for = [other for other in tasks if other.entry.name in called[task.entry.name]]
    for task in tasks:
        _hurry(task, 0)
    return tasks


def work() -> None:
    """Compile the kernels that standard input names, one a line, and answer each with a line."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        name, _, types = line.rstrip("\n").partition(" ")
        entry = KernelEntry(name, types)
        answer = "done"
        try:
            entry.kernel().compile(entry.signature())
        except Exception as error:  # noqa: BLE001 - a line of the list that does not fit its kernel any more: it compiles when it is called
            answer = type(error).__name__
        print(answer, file=answers, flush=True)


def _kernel_of(entry: KernelEntry) -> Any:  # noqa: ANN401 - a dispatcher of numba
    """Return a kernel of the list; None if it is gone, or numba does not compile here."""
    try:
        kernel = entry.kernel()
    except ValueError:
        return None
    return kernel if hasattr(kernel, "_cache") else None


def _is_of(entry: KernelEntry, commands: Collection[str] | None) -> bool:
    """Return whether one of the commands compiles a kernel."""
    return commands is None or not entry.commands.isdisjoint(commands)


def _is_missing(task: _Task, codegen: Any) -> bool:  # noqa: ANN401 - numba's own types
    """Return whether a kernel is to be compiled."""
    try:
        return task.kernel._cache.find(task.entry.signature(), codegen) is None  # noqa: SLF001 - our own
    except ValueError:
        return False  # a struct is gone


def _called(kernel: Any) -> set[str]:  # noqa: ANN401 - a dispatcher of numba
    """Return the names of the kernels that a kernel calls."""
    function = kernel.py_func
    known = (function.__globals__.get(name) for name in function.__code__.co_names)
    return {other._cache.name for other in known if isinstance(getattr(other, "_cache", None), kernel_cache.KernelCache)} - {  # noqa: SLF001 - as above
        kernel._cache.name  # noqa: SLF001 - as above
    }


def _reachable(names: set[str], called: dict[str, set[str]]) -> set[str]:
    """Return kernels and all that they call, themselves or through others."""
    found, left = set(names), list(names)
    while left:
        new = called[left.pop()] - found
        found |= new
        left += new
    return found


def _hurry(task: _Task, rank: int) -> None:
    """Raise the rank of a kernel and of those that it waits for."""
    rank += len(task.kernel.py_func.__code__.co_code)
    if rank > task.rank:
        task.rank = rank
        for other in task.waits_for:
            _hurry(other, rank)


def _start_worker() -> subprocess.Popen[str]:
    """Start a process that compiles; it ends with this one, whose end closes its input, and not by Ctrl-C."""
    words = [sys.executable, "-c", _WORKER.format(path=sys.path)]
    apart: dict[str, Any] = {"start_new_session": True, "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return subprocess.Popen(  # noqa: S603 - the words are our own
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", **apart
    )


def _asked(worker: subprocess.Popen[str], line: str) -> str:
    """Return what a process answers to a line; nothing if it has ended."""
    stdin, stdout = worker.stdin, worker.stdout
    if stdin is None or stdout is None:
        return ""
    try:
        stdin.write(f"{line}\n")
        stdin.flush()
        return stdout.readline()
    except (OSError, ValueError):
        return ""


def _close(pipe: IO[str] | None) -> None:
    """Close a pipe, whose other end may be gone."""
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        pass
