"""
Broken inputs that coverage guides: a door of `fuzzing` under atheris, with kernels as plain Python, so that they are guided too.

``python tests/guided.py "calls as text" -max_total_time=600`` needs ``pip install atheris``, which the tests do not; whatever follows the
name of the door is for libFuzzer, such as a folder to keep inputs in. In plain Python an index past the end of an array is an error, which
a compiled kernel would not see. What fails is kept in the current folder.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["owlbus", "zipfile"]):
    import fuzzing


SEEDS = 40
"""Spoilt inputs to begin with, beside the valid one."""


def main(words: list[str]) -> None:
    """Hand what atheris makes up in at the door of that name, until the time is over or something fails."""
    door = next(door for door in fuzzing.DOORS if door.name == words[1])
    place = Path(tempfile.mkdtemp())
    with atheris.instrument_imports(include=["owlbus", "zipfile"]):
        door.enter(place, door.seed())  # loads all that is behind it

    def change(data: bytes, most: int, seed: int) -> bytes:
        """Change an input blindly, or as the door's own ways of spoiling do."""
        rng = random.Random(seed)  # noqa: S311 - the same inputs from the same seed
        changed = bytes(atheris.Mutate(data, most)) if rng.random() < 0.5 else rng.choice(door.spoil)(rng, data)
        return changed[:most]

    def hand_in(data: bytes) -> None:
        """Hand an input in."""
        fuzzing.knock(door, place, data)

    begin = place / "begin"
    begin.mkdir()
    for k in range(SEEDS + 1):
        fuzzing.at(begin, f"{k}", door.seed() if k == 0 else door.drawn(random.Random(k)))  # noqa: S311 - as above
    atheris.Setup([words[0], *words[2:], str(begin), "-max_len=20000", "-timeout=60"], hand_in, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
