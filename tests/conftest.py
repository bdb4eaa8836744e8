"""What several test files share: where the public cases lie, and quiet, repeatable property tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("owlbus", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("owlbus")

# Options of whoever runs the tests are not the tests' own; OWLBUS_TEST_ names what the tests may use.
for name in [name for name in os.environ if name.startswith("OWLBUS_") and not name.startswith("OWLBUS_TEST_")]:
    del os.environ[name]

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT.parent / "shared" / "cases"

collect_ignore = ["guided.py"]
"""A tool beside the tests: it turns compilation off for the whole process, and needs atheris."""


LONGEST = [
    *("golden", "faults", "network", "notebooks", "timetable_cli", "day_types", "browser", "cluster", "cli", "streams"),
    *("hostile", "readme", "keeps_limits", "travel_time_kernels", "network_osm", "gtfs"),
]
"""Test files by their CPU time, which begin first: a worker left alone with one at the end would keep everybody waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others and the tests of each file keep their order."""
    names = [f"test_{name}.py" for name in LONGEST]
    items.sort(key=lambda item: names.index(item.path.name) if item.path.name in names else len(names))


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of the public data sets; the test skips where it is absent."""
    if not CASES.is_dir():
        pytest.skip("needs the public data sets in ../shared/cases")
    return CASES


@pytest.fixture(scope="session")
def seoul() -> Path:
    """Folder of the sample city in the checkout."""
    return ROOT / "sample_data" / "seoul"
