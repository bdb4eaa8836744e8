"""The first run of a command: its kernels are compiled in other processes while records are read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from owlbus.common.kernel_hooks import before_compiling

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from owlbus.common.compile_kernels import Compilation
    from owlbus.common.progress import Progress


@contextmanager
def compile_beside(commands: Collection[str], say: Callable[[str], None], progress: Progress) -> Iterator[None]:
    """
    Compile the kernels of a command on all processors, from the first one on that is not on disk, while the block runs.

    Parameters
    ----------
    commands
        Names that the command has in the list of kernels.
    say
        Prints a sentence.
    progress
        Display of long steps; kernels may be called by threads that know of none.

    Yields
    ------
    None
        Nothing.
    """
    first_run = _FirstRun(commands, say, progress)
    before_compiling[:] = [first_run.wait_for]
    try:
        yield
    finally:
        before_compiling.clear()
        first_run.end()


class _FirstRun:
    """Processes that compile kernels, once there is one to be compiled."""

    __slots__ = ("_commands", "_compilation", "_progress", "_say")

    def __init__(self, commands: Collection[str], say: Callable[[str], None], progress: Progress) -> None:
        self._commands, self._say, self._progress = commands, say, progress
        self._compilation: Compilation | None = None

    def wait_for(self, name: str, signature: Sequence[Any]) -> None:
        """Start the processes if need be, and return when they have compiled a kernel for argument types `signature`, or will not."""
        if self._compilation is None:
            self._compilation = self._started()
        self._compilation.wait_for(name, signature)

    def end(self) -> None:
        """End the processes."""
        if self._compilation is not None:
            self._compilation.end()

    def _started(self) -> Compilation:
        """Start the processes, and say so."""
        from owlbus.common.compile_kernels import Compilation
        from owlbus.common.kernel_inventory import why_compiled
        from owlbus.kernels.jit import PROCESSOR

        compilation = Compilation(self._commands)
        total = compilation.n_kernels
        if total:
            self._say(f"First run: compiling {total} kernels, up to a minute. {why_compiled(PROCESSOR)}".rstrip())
            step = self._progress.step("compiling kernels (first run only)", total=total)
            compilation.start(tell=lambda done: step.reach(done, f"{done} of {total}"))
        return compilation
