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
