"""The file ``run.json`` of a run directory, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.ending import Ending
from owlbus.common.errors import DataError, step
from owlbus.common.files import parse_json, read_regular

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

RUN_SCHEMA_VERSION = 2


RUN_FILE = "run.json"


_MEMBERS: dict[str, type] = {"command": str, "settings": dict, "inputs": list, "outputs": dict, "versions": dict, "timings_s": dict}


_MAY_BE_ABSENT: dict[str, tuple[type, ...]] = {
    "ended_by": (dict,),
    "objective_share": (int, float),
    "bound_share": (int, float),
    "notes": (list,),
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
    strange = [row for row, entry in enumerate(document.get("inputs", ())) if not _is_input(entry)]
    if strange:
        which = f"got none in entry {strange[0] + 1} ({len(strange)} such)"
        msg = f"{file}: inputs must be files with name, bytes and sha256, {which}; write the run again"
        raise DataError(msg)
    whole: dict[str, Any] = {name: kind() for name, kind in _MEMBERS.items()} | document
    foreign = [name for name, digest in whole["outputs"].items() if not (_is_plain(name) and isinstance(digest, str))]
    if foreign:
        msg = f"{file}: outputs must be plain file names with a SHA-256 each, got {foreign[0]!r} ({len(foreign)} such); write the run again"
        raise DataError(msg)
    return whole


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


def _is_input(entry: object) -> bool:
    """Whether a value describes a file that was read."""
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kinds) for name, kinds in _OF_INPUT.items())


def _is_plain(name: str) -> bool:
    """Whether a name stays in its folder."""
    return name not in {"", ".", ".."} and not set(name) & {"/", "\\", "\0"}
