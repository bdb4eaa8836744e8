"""``python -m owlbus.kernels [COMMAND…]`` compiles the kernels of some commands, or all that are listed, on all processors."""

from __future__ import annotations

import sys

from owlbus.common.compile_kernels import Compilation
from owlbus.common.progress import show_progress


def main(commands: list[str]) -> int:
    """Compile the kernels of `commands` that are not on disk, tell how many, and return 1 if some could not be compiled."""
    with show_progress() as progress:
        compilation = Compilation(commands or None)
        step = progress.step("compiling kernels", total=compilation.n_kernels)
        compilation.start(tell=lambda done: step.reach(done, f"{done} of {compilation.n_kernels}"))
        compilation.wait()
    failed = compilation.failed
    print(f"{compilation.n_kernels - len(failed)} kernels compiled")  # noqa: T201 - a command
    for line in failed:
        print(f"not compiled: {line}")  # noqa: T201 - as above
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
