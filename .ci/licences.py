"""
List what owlbus brings along: name, version and licence of every package that it needs, and of those that only its developers need.

Exit code 1 if a package that owlbus needs stands under a licence that would bind those who ship it (GPL, AGPL), or names none.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHIPPED = ("", "cluster", "osm")
"""Extras that users install."""

UNWANTED = re.compile(r"(?<!L)(A?GPL|GNU (Affero )?General Public)|SSPL|non-?commercial", re.IGNORECASE)
"""What nobody should get with owlbus; the LGPL asks nothing of those who call a library."""


def licence(package: metadata.Distribution) -> str:
    """Licence as the package states it: expression, else classifiers, else the first line of its text."""
    told = package.metadata
    classifiers = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    lines = (told.get("License") or "").strip().splitlines()
    return told.get("License-Expression") or " or ".join(classifiers) or (lines[0][:60] if lines else "") or "none stated"


def needed(extras: tuple[str, ...]) -> dict[str, metadata.Distribution]:
    """Packages that owlbus needs with any of these extras, by canonical name, those of theirs included."""
    found: dict[str, metadata.Distribution] = {}
    todo = [("owlbus", extras)]
    seen = set()
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of another system or an older Python
        found[name] = package
        for line in package.requires or []:
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in wanted or ("",)):
                todo.append((canonicalize_name(need.name), ("", *sorted(need.extras))))
    if found.pop("owlbus", None) is None:
        sys.exit("owlbus is not installed in this environment: pip install -e '.[dev]'")
    return found


def main() -> int:
    """Print the table and say what is wrong in it."""
    shipped = needed(SHIPPED)
    everything = needed((*SHIPPED, "dev", "bench"))
    bad = []
    for name in sorted(everything):
        stated = licence(everything[name])
        print(f"{name:28} {everything[name].version:14} {'users' if name in shipped else 'developers':11} {stated}")
        if name in shipped and (UNWANTED.search(stated) or stated == "none stated"):
            bad.append(f"{name} ({stated})")
    print(f"{len(shipped)} packages for users, {len(everything) - len(shipped)} more for developers", file=sys.stderr)
    if bad:
        print(f"not to be shipped with owlbus: {', '.join(bad)}; take another package", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
