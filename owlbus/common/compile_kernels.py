"""
Compile kernels ahead, in several processes at once.

Processes compile from the kernels that call no others upwards; those that many or slow kernels wait for come first. A kernel that this
process is about to call is waited for if another process has it in hand. Whatever fails here is compiled when it is called.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from owlbus.common import kernel_cache
from owlbus.common.kernel_list import KernelEntry, read_list
from owlbus.common.kernel_types import types_as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from owlbus.common.kernel_cache import KernelCache

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
    command
        Command whose kernels are compiled, or None for all.
    n_processes
        Number of processes; None for one a processor.
    tell
        Called with the number of kernels that are done and of all; from other threads.
    """

    def __init__(
        self, command: str | None = None, n_processes: int | None = None, tell: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        self._tell = tell
        self._changed = threading.Condition()
        self._tasks = tasks_of(read_list(), command)
        self._by_key = {(task.entry.name, task.entry.types): task for task in self._tasks}
        n_workers = min(n_processes or _n_processors(), len(self._tasks))
        self._workers = [_start_worker() for _ in range(n_workers)]
        self._threads = [threading.Thread(target=self._feed, args=(worker,), daemon=True) for worker in self._workers]
        self._n_working = n_workers
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

    def wait_for(self, cache: KernelCache, signature: Sequence[Any]) -> None:
        """
        Return when a kernel is compiled, or will not be.

        Parameters
        ----------
        cache
            Compiled forms of the kernel.
        signature
            Its argument types.
        """
        try:
            task = self._by_key.get((cache.name, types_as_text(signature)))
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
        for worker in self._workers:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                _close(pipe)

    def _feed(self, worker: subprocess.Popen[str]) -> None:
        """Give a process one kernel after another."""
        while (task := self._next()) is not None:
            answer = _asked(worker, f"{task.entry.name} {task.entry.types}")
            self._finish(task, answer.removeprefix("done").strip() if answer else "the process was ended")
            if not answer:
                break
        _close(worker.stdin)
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
        self._tell(n_done, len(self._tasks))


def tasks_of(entries: Iterable[KernelEntry], command: str | None) -> list[_Task]:
    """
    Return what is to be compiled: kernels of the list that a command needs and that are not on disk.

    Parameters
    ----------
    entries
        The list.
    command
        Command, or None for the whole list.

    Returns
    -------
    list
        Kernels with those that they call.
    """
    from numba.core.registry import cpu_target

    by_name: dict[str, list[_Task]] = {}
    for entry in entries:
        if command is not None and not entry.commands:
            continue
        try:
            kernel = entry.kernel()
        except ValueError:
            continue  # a kernel that is gone
        if hasattr(kernel, "_cache"):
            by_name.setdefault(entry.name, []).append(_Task(entry, kernel))
    called = {name: _called(tasks[0].kernel) & set(by_name) for name, tasks in by_name.items()}
    roots = {task.entry.name for tasks in by_name.values() for task in tasks if command is None or command in task.entry.commands}
    needed = _reachable(roots, called)
    codegen = cpu_target.target_context.codegen()
    tasks = [
        task
        for name in sorted(needed)
        for task in by_name[name]
        if _is_missing(task, codegen, is_wanted=name not in roots or command is None or command in task.entry.commands)
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
        print(answer, file=answers, flush=True)  # noqa: T201 - the answer


def _is_missing(task: _Task, codegen: Any, *, is_wanted: bool) -> bool:  # noqa: ANN401 - numba's own types
    """Return whether a kernel is to be compiled."""
    try:
        return is_wanted and task.kernel._cache.find(task.entry.signature(), codegen) is None  # noqa: SLF001 - our own, in numba's place
    except ValueError:
        return False  # of a struct that is gone


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


def _n_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker() -> subprocess.Popen[str]:
    """Start a process that compiles; it ends with this one, whose end closes its input, and not by Ctrl-C."""
    words = [sys.executable, "-c", _WORKER.format(path=sys.path)]
    return subprocess.Popen(  # noqa: S603 - the words are our own
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )


def _asked(worker: subprocess.Popen[str], line: str) -> str:
    """Return what a process answers to a line; nothing if it has ended."""
    try:
        worker.stdin.write(f"{line}\n")  # type: ignore[union-attr] - a pipe was asked for
        worker.stdin.flush()  # type: ignore[union-attr]
        return worker.stdout.readline()  # type: ignore[union-attr]
    except (OSError, ValueError):
        return ""


def _close(pipe: IO[str] | None) -> None:
    """Close a pipe, whose other end may be gone."""
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        pass
