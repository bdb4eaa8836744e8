"""What several test files share: where the public cases lie, and quiet, repeatable property tests."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    *("golden", "help_examples", "faults", "network", "notebooks", "timetable_cli", "site", "day_types", "browser", "cluster", "cli"),
    *("streams", "hostile", "readme", "keeps_limits", "travel_time_kernels", "network_osm", "gtfs"),
]
"""Test files by their CPU time, which begin first: a worker left alone with one at the end would keep everybody waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others and the tests of each file keep their order."""
    names = [f"test_{name}.py" for name in LONGEST]
    items.sort(key=lambda item: names.index(item.path.name) if item.path.name in names else len(names))


# What the tests cost, and which kernels they compile


CPU_S: Counter[str] = Counter()
"""CPU seconds of each test file, of processes that it started and waited for included."""

KERNELS: set[tuple[str, str]] = set()
"""Kernels that were looked for on disk, and their argument types, if OWLBUS_TEST_KERNELS names a file for them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that prints CPU seconds."""
    parser.addoption("--cpu", action="store_true", help="print the CPU seconds of each test file")


def pytest_configure() -> None:
    """Note which kernels are looked for, for `.ci/run kernels`."""
    if "OWLBUS_TEST_KERNELS" in os.environ:
        from owlbus.common.kernel_hooks import looked_for
        from owlbus.common.kernel_types import types_as_text

        looked_for.append(lambda name, kinds: KERNELS.add((name, types_as_text(kinds))))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count the CPU seconds of a test with its fixtures."""
    before_s = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        CPU_S[item.path.name] += sum(os.times()[:4]) - before_s


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker counted to the process that prints it."""
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["cpu_s"] = dict(CPU_S)
    if KERNELS:
        name = os.environ.get("PYTEST_XDIST_WORKER", "main")
        Path(f"{os.environ['OWLBUS_TEST_KERNELS']}.{name}.json").write_text(json.dumps(sorted(KERNELS)), "utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - of pytest-xdist, which has no types
    """Take over what a worker counted."""
    CPU_S.update(getattr(node, "workeroutput", {}).get("cpu_s", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401 - pytest's own, without a public name
    """Print the CPU seconds of the files that take most."""
    if config.getoption("cpu"):
        terminalreporter.section(f"CPU seconds, {CPU_S.total():.0f} in all")
        for name, spent_s in CPU_S.most_common(40):
            terminalreporter.write_line(f"{spent_s:8.1f}  {name}")


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
