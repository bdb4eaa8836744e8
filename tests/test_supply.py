"""What owlbus brings along: the versions that are tested, and their licences."""

from __future__ import annotations

import ast
import runpy
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    import re

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / ".ci"
USED = ("cluster", "osm", "sheets")
"""Extras for those who use owlbus, not for those who work on it."""
SOLD_AS = {"opening_hours": "opening-hours-py", "distributed": "dask", "PIL": "pillow"}
"""Names that packages are installed under, where they are imported by another one."""

pytestmark = pytest.mark.skipif(not CI.is_dir(), reason="the checks of the checkout are not part of a source distribution")


def requirements() -> list[Requirement]:
    """All that pyproject.toml asks for, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(line) for lines in (project["dependencies"], *project["optional-dependencies"].values()) for line in lines]


def test_every_dependency_has_a_lower_bound_and_none_an_upper_one() -> None:
    """An upper bound needs a known break, and its name here."""
    assert {str(need.specifier)[:2] for need in requirements()} == {">="}
    assert [need.name for need in requirements() if len(need.specifier) != 1] == []


def test_the_lock_holds_a_version_of_every_dependency_within_its_bounds() -> None:
    lines = (CI / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = dict(line.split("==") for line in lines if not line.startswith("#"))
    held = {canonicalize_name(name): version for name, version in locked.items()}
    workspace = {"duckdb", "polars-h3"}  # the tests need neither
    asked = {canonicalize_name(need.name): need.specifier for need in requirements() if need.name not in workspace}
    assert [name for name, bounds in asked.items() if name not in held or held[name] not in bounds] == [], "run .ci/run lock"


@pytest.mark.parametrize(
    ("stated", "is_unwanted"),
    [
        ("MIT", False),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("GPL-3.0-only", True),
        ("AGPL-3.0", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero General Public License v3", True),
        ("SSPL-1.0", True),
    ],
)
def test_a_licence_that_binds_who_ships_is_told_from_others(stated: str, is_unwanted: bool) -> None:  # noqa: FBT001 - drawn from a table
    unwanted: re.Pattern[str] = runpy.run_path(str(CI / "licences.py"))["UNWANTED"]
    assert bool(unwanted.search(stated)) == is_unwanted


def imported() -> set[str]:
    """Packages that owlbus imports anywhere, by the names that they are installed under."""
    found: set[str] = set()
    for file in sorted((ROOT / "owlbus").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    names = {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"owlbus"}
    return {canonicalize_name(SOLD_AS.get(name, name)) for name in names}


def test_what_owlbus_imports_is_what_it_asks_for() -> None:
    """Nobody installs what nothing uses, and nothing is used because another library happens to bring it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = {
        canonicalize_name(Requirement(line).name) for lines in (project["dependencies"], *(extras[name] for name in USED)) for line in lines
    }
    assert imported() == asked
