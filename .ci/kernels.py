"""
Write `owlbus/kernels/signatures.txt`, the list of kernels that are compiled ahead.

``python .ci/kernels.py`` runs the commands of tests/test_golden.py, each in a process of its own, and adds the kernels that they look for;
``python .ci/kernels.py FILE…`` adds those that the tests looked for, which they write to FILE if OWLBUS_TEST_KERNELS names it. Kernels of
the list that do not compile any more are dropped. What is compiled already is not looked for inside others: for a list from nothing, remove
it and owlbus/kernels/compiled first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from owlbus.common.kernel_list import KernelEntry, read_list, write_list  # noqa: E402 - the checkout's own

RUN = """
import json, sys
from owlbus.common.kernel_hooks import looked_for
from owlbus.common.kernel_types import types_as_text
met = []
looked_for.append(lambda *found: met.append(found))
from owlbus.cli.app import run
code = run(sys.argv[2:])
json.dump([(name, types_as_text(kinds)) for name, kinds in met], open(sys.argv[1], "w"))
sys.exit(code)
"""


def kernels_of_commands() -> list[KernelEntry]:
    """Run every command on the sample city and return the kernels that each looked for."""
    from test_golden import CASES, CITY

    found = []
    with tempfile.TemporaryDirectory() as folder:
        met = Path(folder) / "met.json"
        for case, command in CASES.items():
            words = [str(ROOT / word) if word.startswith(CITY) else word for word in command.words]
            out = f"{case}/report_ko.html" if case == "report" else case
            Path(folder, case).mkdir()
            subprocess.run(  # noqa: S603 - the checkout's own commands
                [sys.executable, "-c", RUN, str(met), *words, "--out", out, "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )
            found += [
                KernelEntry(name, types, frozenset({case if case == "plan_travel_time" else words[0]}))
                for name, types in json.loads(met.read_text())
            ]
            print(f"{case}: {len(found)} kernels looked for", flush=True)
    return found


def is_valid(entry: KernelEntry) -> bool:
    """Tell whether a kernel of the list still takes these types."""
    try:
        return entry.kernel().py_func.__code__.co_argcount == len(entry.signature())
    except (ValueError, AttributeError):
        return False


def main(files: list[str]) -> None:
    """Add what the commands or the tests looked for to the list."""
    new = (
        [KernelEntry(*pair) for file in files for pair in map(tuple, json.loads(Path(file).read_text()))]
        if files
        else kernels_of_commands()
    )
    entries = [entry for entry in [*read_list(), *new] if is_valid(entry)]
    write_list(entries)
    print(f"{len(read_list())} kernels, each with its argument types")


if __name__ == "__main__":
    main(sys.argv[1:])
