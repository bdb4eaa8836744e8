"""Public docstrings are numpydoc, and those with sections are complete."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import owlbus

NEVER_ASKED = {
    "ES01": "one sentence may be all there is to say",
    "EX01": "examples stand where they help, and run as doctests",
    "SA01": "a page of one function names no others",
    "PR04": "types stand in the signature, where mypy reads them",
    "PR08": "a description may open with what it describes: lon, int64",
    "RT04": "as above",
    "SS05": "a first line says what comes back, and metres are no verb",
}
"""Rules of numpydoc that are not kept, and why."""

WITHOUT_SECTIONS = {"PR01", "RT01", "YD01"}
"""Rules that a docstring of sentences alone need not keep: it names what it takes and what comes back in words."""


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def public_things() -> dict[str, object]:
    """Public functions, kernels, classes, methods and properties by full name; the pages of the command line are for people."""
    found: dict[str, object] = {}
    for module in pkgutil.walk_packages(owlbus.__path__, "owlbus."):
        if not is_public(module.name) or module.name.startswith("owlbus.cli"):
            continue
        home = importlib.import_module(module.name)
        for name, thing in vars(home).items():
            if getattr(thing, "__module__", None) != module.name:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing) or hasattr(thing, "py_func"):
                found[f"{module.name}.{name}"] = thing
            if inspect.isclass(thing):
                for part, value in vars(thing).items():
                    if inspect.isfunction(getattr(value, "fget", None) or getattr(value, "__func__", value)):
                        found[f"{module.name}.{name}.{part}"] = value
    return {name: thing for name, thing in found.items() if is_public(name)}


PUBLIC = public_things()


def faults(name: str, thing: object) -> list[str]:
    """Rules that a docstring breaks, as `CODE what`."""
    report = validate(name)
    has_sections = "\n---" in report["docstring"]
    exempt = set(NEVER_ASKED) | (set() if has_sections else WITHOUT_SECTIONS)
    if inspect.isclass(thing):
        exempt |= {"PR01"}  # the fields of a dataclass stand under Attributes
    if name.startswith("owlbus.kernels."):
        exempt |= {"PR03"}  # arrays that go together are described together
    return [f"{code} {what}" for code, what in report["errors"] if code not in exempt]


@pytest.mark.parametrize("module", sorted({".".join(name.split(".")[:2]) for name in PUBLIC}))
def test_public_docstrings_are_numpydoc(module: str) -> None:
    broken = {name: faults(name, thing) for name, thing in PUBLIC.items() if f"{name}.".startswith(f"{module}.")}
    assert {name: found for name, found in broken.items() if found} == {}


def test_a_docstring_with_sections_must_be_complete() -> None:
    def half_told(radius_m: float, n_hexes: int) -> float:
        """
        Return something.

        Parameters
        ----------
        radius_m
            Metres.
        """
        return radius_m * n_hexes

    globals()["half_told"] = half_told
    try:
        told = faults(f"{__name__}.half_told", half_told)
    finally:
        del globals()["half_told"]
    assert [fault[:4] for fault in told] == ["PR01", "RT01"]
