"""``python -m owlbus.kernels`` compiles all kernels that are listed and not on disk, on all processors."""

from __future__ import annotations

import sys

from owlbus.common.compile_kernels import Compilation
from owlbus.common.progress import show_progress


def main() -> int:
    """Compile the kernels, tell how many, and return 1 if some could not be compiled."""
    with show_progress() as progress:
        compilation = Compilation()
        step = progress.step("compiling kernels", total=compilation.n_kernels)
        compilation.start(tell=lambda done: step.reach(done, f"{done} of {compilation.n_kernels}"))
        compilation.wait()
    failed = compilation.failed
    print(f"{compilation.n_kernels - len(failed)} kernels compiled" + (f"; not compiled: {', '.join(failed)}" if failed else ""))  # noqa: T201 - a command
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
