"""The examples of docs/search.md run, and its links are there."""

from __future__ import annotations

import doctest
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_examples_of_the_page_run():
    failed, tried = doctest.testfile(str(ROOT / "docs" / "search.md"), module_relative=False)
    assert (failed, tried > 15) == (0, True)


def test_the_page_is_linked():
    assert "search.md" in (ROOT / "docs" / "algorithm.md").read_text()
    assert "docs/search.md" in (ROOT / "CONTRIBUTING.md").read_text()
