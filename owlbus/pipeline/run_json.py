"""The file ``run.json`` of a run directory, read and checked."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import EXACT, LOWEST_MIN_COUNT, MIN_COUNT
from owlbus.common.ending import Ending
from owlbus.common.errors import DataError, step
from owlbus.common.files import parse_json, read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_SCHEMA_VERSION = 3


RUN_FILE = "run.json"
GTFS_FILE = "gtfs.zip"

INPUTS_FILE = "inputs.json"
"""Restricted file with sizes and hashes of the inputs, and hashes of the other restricted files."""

TABLES_DIR = "tables"
"""The one folder that a run directory has: its tables as CSV."""


_MEMBERS: dict[str, type] = {"command": str, "settings": dict, "inputs": list, "outputs": dict, "versions": dict, "timings_s": dict}


_MAY_BE_ABSENT: dict[str, tuple[type, ...]] = {
    "ended_by": (dict,),
    "objective_share": (int, float),
    "bound_share": (int, float),
    "objective_rule": (str,),
    "notes": (list,),
    "spread": (dict,),
    "pool_bound": (dict,),
    "unseen_by_bound": (str,),
    "published_bound": (dict,),
}


_OF_INPUT: dict[str, tuple[type, ...]] = {"name": (str,), "bytes": (int, type(None)), "sha256": (str, type(None))}


def read_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """
    Content of the ``run.json`` of a run directory.

    Parameters
    ----------
    path
        The directory.

    Returns
    -------
    dict
        Members by name; durations in seconds, sizes in bytes.

    Raises
    ------
    DataError
        If it holds no readable ``run.json`` of this schema version.
    """
    file = Path(path) / RUN_FILE
    document = _parsed(file)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != RUN_SCHEMA_VERSION:
        way = _remake(file.parent, document)
        msg = f"{file}: schema_version must be {RUN_SCHEMA_VERSION}, got {version}; make the run again with: {way}"
        raise DataError(msg)
    _require_members(file, document)
    _require_ending(file, document.get("ended_by"))
    strange = [row for row, entry in enumerate(document.get("inputs", ())) if not isinstance(entry, str)]
    _require_spread(file, document.get("spread"))
    _require_pool_bound(file, document.get("pool_bound"))
    _require_published_bound(file, document.get("published_bound"))
    if strange:
        msg = f"{file}: inputs must be names of files, got none in entry {strange[0] + 1} ({len(strange)} such); write the run again"
        raise DataError(msg)
    whole: dict[str, Any] = {name: kind() for name, kind in _MEMBERS.items()} | document
    _require_digests(file, whole["outputs"], (str, type(None)))
    return whole


def read_inputs(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """
    Content of the restricted ``inputs.json`` of a run directory.

    Parameters
    ----------
    path
        The directory.

    Returns
    -------
    dict or None
        ``inputs`` with name, bytes and SHA-256 each, and ``outputs``, the SHA-256 of restricted files by name; None where the file is
        missing or may not be read, as in a copy of the public files.

    Raises
    ------
    DataError
        If its content is of another form.
    """
    file = Path(path) / INPUTS_FILE
    if not os.access(file, os.R_OK):
        return None
    try:
        document = parse_json(read_regular(file))
    except DataError:
        raise
    except ValueError:
        document = None
    entries, outputs = (document.get("inputs"), document.get("outputs")) if isinstance(document, dict) else (None, None)
    if not isinstance(entries, list) or not isinstance(outputs, dict) or not all(map(_is_input, entries)):
        msg = f"{file}: must hold inputs with name, bytes and sha256, and outputs; write the run again"
        raise DataError(msg)
    _require_digests(file, outputs, (str,))
    return {"inputs": entries, "outputs": outputs}


def min_count_of(path: str | os.PathLike[str], about: Mapping[str, Any]) -> float:
    """
    Base of the printed counts of a run.

    Parameters
    ----------
    path
        The directory, for messages.
    about
        Content of its ``run.json``.

    Returns
    -------
    float
        Trips or people a night of which printed counts are multiples; -1 for open data.

    Raises
    ------
    DataError
        If it protects nobody.
    """
    value = about.get("min_count", MIN_COUNT)
    if value == 0 and not isinstance(value, bool):
        return EXACT
    if isinstance(value, bool) or not isinstance(value, int | float) or not LOWEST_MIN_COUNT <= value < math.inf:
        msg = f"{path}: min_count must be at least {LOWEST_MIN_COUNT}, or 0 for open data, in run.json; write the run again"
        raise DataError(msg)
    return int(value) if value == int(value) else value


def _require_digests(file: Path, outputs: Mapping[str, Any], kinds: tuple[type, ...]) -> None:
    """Refuse outputs that are no plain names, there or in the folder of tables, or whose SHA-256 is of another type."""
    foreign = [name for name, digest in outputs.items() if not (_is_plain(name) and isinstance(digest, kinds))]
    if foreign:
        msg = f"{file}: outputs must be plain file names with a SHA-256 each, got {foreign[0]!r} ({len(foreign)} such); write the run again"
        raise DataError(msg)


def _remake(path: Path, document: object) -> str:
    """Return the step that makes a run of another version again, from the records or the city that it names."""
    settings = document.get("settings") if isinstance(document, dict) else None
    city = settings.get("city") if isinstance(settings, dict) else None
    if city:
        return step("owlbus.pipeline.write_run", "plan", city=city, out=path)
    return step("owlbus.pipeline.write_run", "plan", files="FILES", out=path)


def _require_members(file: Path, document: Mapping[str, Any]) -> None:
    """Refuse a ``run.json`` whose members have other types."""
    for name, kind in _MEMBERS.items():
        if not isinstance(document.get(name, kind()), kind):
            msg = f"{file}: {name} must be a {kind.__name__}, got {type(document[name]).__name__}; write the run again"
            raise DataError(msg)
    for name, kinds in _MAY_BE_ABSENT.items():
        if not isinstance(document.get(name), (*kinds, type(None))):
            msg = f"{file}: {name} must be a {kinds[-1].__name__} or null, got {type(document[name]).__name__}; write the run again"
            raise DataError(msg)


def _parsed(file: Path) -> Any:  # noqa: ANN401 - what JSON holds is known once it is checked
    """Value of a ``run.json``."""
    try:
        return parse_json(read_regular(file))
    except (FileNotFoundError, NotADirectoryError):
        way = step("owlbus.pipeline.write_run", "plan", files="FILES", out=file.parent)
        msg = f"{file.parent}: a run directory must hold {RUN_FILE}, found none; make one with: {way}"
        raise DataError(msg) from None
    except DataError:
        raise
    except ValueError:
        msg = f"{file}: must be JSON, and is not; write the run again"
        raise DataError(msg) from None


def _require_ending(file: Path, ended_by: dict[str, Any] | None) -> None:
    """Refuse a reason for the end of a search that is none."""
    try:
        if ended_by is not None:
            Ending.from_dict(ended_by)
    except DataError as error:
        msg = f"{file}: ended_by must be a reason with its numbers: {error}; write the run again"
        raise DataError(msg) from None


def _require_spread(file: Path, spread: dict[str, Any] | None) -> None:
    """Refuse a spread over searches whose members are missing or have other values."""
    if spread is None:
        return
    shares = [spread.get(f"{name}_share") for name in ("lowest", "median", "highest")]
    is_sound = spread.get("over") in {"seeds", "starts"} and isinstance(spread.get("n_searches"), int)
    if not is_sound or not all(isinstance(share, int | float) and 0 <= share <= 1 for share in shares):
        msg = f"{file}: spread must have over, n_searches, and lowest, median and highest share in [0, 1]; write the run again"
        raise DataError(msg)


def _require_pool_bound(file: Path, bound: dict[str, Any] | None) -> None:
    """Refuse a pool bound whose members are missing or have other values."""
    if bound is None:
        return
    n_routes_met, share = bound.get("n_routes_met"), bound.get("share")
    if not isinstance(n_routes_met, int) or not isinstance(share, int | float) or n_routes_met < 1 or not 0 <= share <= 1:
        msg = f"{file}: pool_bound must have n_routes_met, 1 or more, and a share in [0, 1]; write the run again"
        raise DataError(msg)


def _require_published_bound(file: Path, bound: dict[str, Any] | None) -> None:
    """Refuse a bound by area whose members are missing or have other values."""
    if bound is None:
        return
    share, gap = bound.get("share"), bound.get("gap")
    if not isinstance(share, int | float) or not isinstance(gap, int | float) or not 0 <= share <= 1 or not gap >= 0:
        msg = f"{file}: published_bound must have a share in [0, 1] and a gap, 0 or more; write the run again"
        raise DataError(msg)


def _is_input(entry: object) -> bool:
    """Whether a value describes a file that was read."""
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kinds) for name, kinds in _OF_INPUT.items())


def _is_plain(name: str) -> bool:
    """Whether a name stays in its folder, or in that of the tables."""
    name = name.removeprefix(f"{TABLES_DIR}/")
    return name not in {"", ".", ".."} and not set(name) & {"/", "\\", "\0"}
