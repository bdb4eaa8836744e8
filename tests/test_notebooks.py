"""The notebooks: stripped of outputs, and running from top to bottom without a network in the time given."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

import owlbus

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_S = 90


def test_there_is_one_notebook_per_question() -> None:
    assert [file.stem for file in NOTEBOOKS] == [
        "01_first_plan",
        "02_how_many_routes",
        "03_against_the_42_percent",
        "04_what_if",
        "05_your_own_city",
        "06_a_service_to_ride",
        "07_your_own_heuristic",
    ]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_are_stripped_and_say_what_is_synthetic(file: Path) -> None:
    cells = json.loads(file.read_text("utf-8"))["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code")
    assert cells[0]["cell_type"] == "markdown"
    assert "synthetic" in "".join(cells[0]["source"])
    assert "`pip install jupyterlab`" in "".join(cells[0]["source"])


def inner_names(code: str) -> set[str]:
    """Names of owlbus that some code takes and that are none of owlbus itself or of the `__all__` of a part of it."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {f"{alias.name}." for alias in node.names if alias.name.split(".")[0] == "owlbus"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "owlbus":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"owlbus(\.\w+)+", ast.unparse(node)):
            found.add(ast.unparse(node))
    return {name for name in found if not is_public(name)}


def is_public(name: str) -> bool:
    """Tell if `owlbus.NAME`, or `owlbus.PART.NAME`, is public; a dot at the end stands for the module itself."""
    _, first, *further = name.split(".")
    if not first or first in owlbus.__all__:
        return True  # owlbus itself, or what a public class or function has
    if len(further) > 1 or not ((ROOT / "owlbus" / first).is_dir() or (ROOT / "owlbus" / f"{first}.py").is_file()):
        return False
    public = getattr(importlib.import_module(f"owlbus.{first}"), "__all__", ())
    return bool(public) and {*further} <= {"", *public}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_take_public_names_alone(file: Path) -> None:
    cells = json.loads(file.read_text("utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert "owlbus." in code
    assert inner_names(code) == set()


def test_inner_names_are_found() -> None:
    fine = (
        "import owlbus\nimport owlbus.plot\nfrom owlbus.evidence import drop_route\nowlbus.plot.plan(owlbus.Demand.from_od(1).total_trips)"
    )
    assert inner_names(fine) == set()
    assert inner_names("from owlbus.evidence.changes import drop_route") == {"owlbus.evidence.changes.drop_route"}
    assert inner_names("from owlbus.common import notebook_html\nimport owlbus.cli.app") == {
        "owlbus.common.notebook_html",
        "owlbus.cli.app.",
    }
    assert inner_names("owlbus.plot.style.INK + owlbus.nothing") == {"owlbus.plot.style", "owlbus.plot.style.INK", "owlbus.nothing"}


@pytest.mark.skipif(find_spec("nbclient") is None or find_spec("ipykernel") is None, reason="needs nbclient and ipykernel: the extra [dev]")
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_run_from_top_to_bottom(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # a request would fail
    book = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    began = time.perf_counter()
    NotebookClient(book, timeout=4 * MOST_S, kernel_name="python3", resources={"metadata": {"path": str(file.parent)}}).execute()
    spent_s = time.perf_counter() - began
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 2
    assert any("text/html" in output.get("data", {}) for output in shown)
    for cell in book.cells:
        if cell.cell_type == "code" and "show_progress()" in cell.source:
            bars = [output for output in cell.outputs if "<progress" in output.get("data", {}).get("text/html", "")]
            assert len(bars) == 1
            assert "done in" in bars[0]["data"]["text/plain"]
    if spent_s > MOST_S:
        print(f"{file.name} took {spent_s:.0f} s, more than {MOST_S} s: the machine may be busy")  # noqa: T201 - wall time never gates
