"""The run directory: inputs, settings and outputs of one run, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import MIN_COUNT, Publisher
from owlbus.common.errors import DataError, UsageError, setting
from owlbus.common.files import (
    KEPT,
    LOCK,
    PART,
    OutputError,
    defer_signals,
    is_full,
    lock_folder,
    output_error,
    parse_json,
    read_regular,
    write_atomically,
)
from owlbus.common.machine import sync_file
from owlbus.common.text import escape_json
from owlbus.pipeline.run_json import INPUTS_FILE, RUN_FILE, RUN_SCHEMA_VERSION, TABLES_DIR, read_inputs, read_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from owlbus.common.ending import Ending

RESTRICTED_FILES = frozenset({"demand.parquet", "rejected.parquet", INPUTS_FILE})
"""Working files with personal data, or with what confirms a guess of them: only their owner may read them."""

EXPLORE_DIR, EXPLORE_LOCK = "explore", "explore.lock"
"""What `owlbus.explore` keeps in a run directory: edits and comments of its owner, and who has it open. No run writes or removes them."""

_OWNER_ONLY = 0o600
_OF_OWLBUS = frozenset({PART, KEPT, LOCK, EXPLORE_DIR, EXPLORE_LOCK})
"""Names in a folder that are no files of another origin."""

_LIBRARIES = ("numpy", "scipy", "numba", "polars", "pyarrow", "shapely", "pyproj", "h3", "highspy", "matplotlib")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """
    Content of ``run.json``.

    Attributes
    ----------
    command
        The verb that made the run, such as ``plan``.
    settings
        Every setting that affects the result, by name; JSON values.
    seed
        Seed of the search, or None if nothing is random.
    inputs
        Files that were read; ``inputs.json`` holds their bytes and SHA-256.
    ended_by
        Why the search ended, as in `owlbus.search.Result`, or None.
    timings_s
        Seconds of each stage, by name; only these differ between two equal runs.
    objective_share, bound_share
        Objective of the plan and a proven upper bound on it as they are printed, 0 to 1; None where there is none.
    notes
        Assumptions about the records, one sentence each.
    objective_rule
        When a hex counts in `objective_share` and `bound_share`, in words: the search counts otherwise than the scorecard.
    min_count
        Trips or people a night of which printed counts are multiples; -1 for open data.
    spread
        Objective by area over seeds or starts, as `owlbus.search.spread.Spread.to_dict` returns it, shares 0 to 1; None with one search.
    pool_bound
        Routes met, ``n_routes_met``, and the bound on choices among them, ``share``, 0 to 1; None where there is none.
    unseen_by_bound
        What the proven bound cannot see, a key of `owlbus.search.bound_words.UNSEEN`; None without a gap.
    published_bound
        Bound on the people near a stop by area, ``share``, 0 to 1, and by how much it exceeds the plan, ``gap``; None where there is none.
    """

    command: str
    settings: Mapping[str, Any]
    seed: int | None = None
    inputs: tuple[str, ...] = ()
    ended_by: Ending | None = None
    timings_s: Mapping[str, float] = field(default_factory=dict)
    objective_share: float | None = None
    bound_share: float | None = None
    notes: tuple[str, ...] = ()
    objective_rule: str = ""
    min_count: float = MIN_COUNT
    spread: Mapping[str, Any] | None = None
    pool_bound: Mapping[str, Any] | None = None
    unseen_by_bound: str | None = None
    published_bound: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunDir:
    """
    A run directory under construction: files are staged in a hidden folder and appear together at `publish`.

    Attributes
    ----------
    path
        The directory that the files will appear in.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "run"
    >>> with open_run_dir(target) as run:
    ...     run.write_bytes("scorecard.json", b"{}")
    ...     run.publish(RunRecord("score", settings={}))
    >>> sorted(read_run(target)["outputs"])
    ['inputs.json', 'scorecard.json']
    """

    path: Path

    def stage(self, name: str) -> Path:
        """
        Path to write the file `name` to, until `publish` moves it into place.

        Parameters
        ----------
        name
            Plain file name, or one in ``tables/``.

        Returns
        -------
        Path
            A file in a folder that only the owner can enter.
        """
        file = self.path / PART / name
        file.parent.mkdir(exist_ok=True)
        return file

    def checkpoint_dir(self) -> Path:
        """
        Folder of the checkpoints that an interrupted run resumes from; `publish` removes it.

        Returns
        -------
        Path
            A folder that only the owner can enter, created if it is absent.

        Raises
        ------
        UsageError
            If it cannot be created, or belongs to somebody else.
        """
        return _own_dir(self.path / KEPT)

    def write_bytes(self, name: str, data: bytes) -> None:
        """
        Add a file with this content.

        Parameters
        ----------
        name
            Plain file name, or one in ``tables/``.
        data
            Its bytes.
        """
        self.stage(name).write_bytes(data)

    def write_json(self, name: str, value: object) -> None:
        """
        Add a JSON file, the same bytes for the same value.

        Parameters
        ----------
        name
            Plain file name.
        value
            What JSON can hold; NaN is refused.
        """
        self.write_bytes(name, to_json_bytes(value))

    def publish(self, record: RunRecord) -> None:
        """
        Move every file into place, `run.json` last, and remove files that only an earlier run wrote.

        All files are on disk before the first one moves, and signals other than ``kill -9`` wait until the last one has moved. A file is
        replaced in one step: a reader sees the old or the new one, never half of one. A link of the same name is replaced, not followed.
        ``run.json`` holds the SHA-256 of the public files and ``inputs.json`` that of the restricted ones, so that an interruption between
        the moves can be detected.

        Parameters
        ----------
        record
            Content of ``run.json``.

        Raises
        ------
        UsageError
            If a folder has the name of a file to write, or ``tables`` is no folder that can be written; then nothing is moved.
        """
        part = self.path / PART
        digests = {file.relative_to(part).as_posix(): _sha256(file) for file in part.rglob("*") if file.is_file()}
        self.write_json(INPUTS_FILE, _describe_inputs(record, digests))
        names = sorted([*digests, INPUTS_FILE])
        stale = {name: digest for name, digest in _outputs_of(self.path).items() if name not in names}
        self.write_json(RUN_FILE, describe_run(record, {name: None if name in RESTRICTED_FILES else digests[name] for name in names}))
        for name in [*names, RUN_FILE]:
            (part / name).chmod(_OWNER_ONLY if name in RESTRICTED_FILES else 0o666 & ~_umask())
            sync_file(part / name)
            _require_room(self.path, name)
        with defer_signals():
            for name in [*names, RUN_FILE]:
                (self.path / name).parent.mkdir(exist_ok=True)
                (part / name).replace(self.path / name)
            for name, digest in stale.items():
                _remove_own(self.path, name, digest)
            if any((self.path / name).parent != self.path for name in stale):
                _remove_empty([self.path / TABLES_DIR])
            shutil.rmtree(self.path / KEPT, ignore_errors=True)


@contextmanager
def open_run_dir(out: str | os.PathLike[str]) -> Iterator[RunDir]:
    """
    Open a run directory for writing; leaving the block without `publish` leaves nothing behind.

    The directory is created if it is absent, and reused if it is empty or holds an earlier run. Files of the user in it stay.

    Parameters
    ----------
    out
        The directory.

    Yields
    ------
    RunDir
        The run directory under construction.

    Raises
    ------
    UsageError
        If the directory cannot be written, holds files but no run, or is being written by another run.
    OutputError
        If the disk is full.
    """
    target = Path(out)
    made = _make_dir(target)
    try:
        _refuse_foreign(target)
        with _lock(target):
            shutil.rmtree(target / PART, ignore_errors=True)
            _part_dir(target)
            try:
                yield RunDir(target)
            except OutputError:
                raise
            except Exception as error:
                if is_full(error):
                    raise output_error(target, error) from error
                raise
            finally:
                shutil.rmtree(target / PART, ignore_errors=True)
                with suppress(OSError):
                    (target / KEPT).rmdir()  # where nothing was kept
    finally:
        _remove_empty(made)


def add_pages(path: str | os.PathLike[str], pages: Mapping[str, bytes]) -> None:
    """
    Add files to a run directory that is there, or replace some, and list them in its ``run.json`` with their SHA-256.

    Parameters
    ----------
    path
        The directory.
    pages
        Bytes of each file by plain name.

    Raises
    ------
    UsageError
        If the directory cannot be written, or is being written by another run.
    DataError
        If it holds no readable ``run.json`` of this schema version.
    """
    target = Path(path)
    read_run(target)
    with _lock(target), defer_signals():
        about = parse_json(read_regular(target / RUN_FILE))
        for name, data in pages.items():
            write_atomically(target / name, data)
        about["outputs"] = about.get("outputs", {}) | {name: hashlib.sha256(data).hexdigest() for name, data in pages.items()}
        write_atomically(target / RUN_FILE, to_json_bytes(about))


def check_run(path: str | os.PathLike[str]) -> list[str]:
    """
    Sentences on the files of a run directory that do not match its ``run.json``.

    Parameters
    ----------
    path
        The directory.

    Returns
    -------
    list of str
        One sentence per file that is missing or changed; empty if all is well. Restricted files may be missing together, where only the
        public ones were passed on; of those without ``inputs.json`` one sentence says that they cannot be checked.
    """
    folder = Path(path)
    outputs, known = read_run(folder)["outputs"], _restricted_digests(folder)
    broken, unknown = [], []
    for name, digest in (outputs | known).items():
        file = folder / name
        if name == INPUTS_FILE or (name in RESTRICTED_FILES and not known and not file.is_file()):
            continue
        if not file.is_file():
            broken.append(f"{name} is missing")
        elif digest is None:
            unknown.append(name)
        elif _sha256(file) != digest:
            broken.append(f"{name} has changed since {RUN_FILE} was written")
    return [*broken, f"without {INPUTS_FILE} it cannot be checked whether {' and '.join(unknown)} changed"] if unknown else broken


def require_unchanged(file: str | os.PathLike[str]) -> None:
    """
    Refuse a file of a run directory that does not match its ``run.json``; what has no SHA-256 there or in ``inputs.json`` passes.

    Parameters
    ----------
    file
        The file.

    Raises
    ------
    DataError
        If its SHA-256 differs, or ``run.json`` cannot be read.
    """
    target = Path(file)
    if not (target.parent / RUN_FILE).is_file():
        return
    digest = (read_run(target.parent)["outputs"] | _restricted_digests(target.parent)).get(target.name)
    if digest is not None and digest != _sha256(target):
        msg = f"{target}: has changed since {RUN_FILE} was written; write the run again"
        raise DataError(msg)


def to_json_bytes(value: object) -> bytes:
    r"""
    JSON as people can read it, the same bytes for the same value.

    Parameters
    ----------
    value
        What JSON can hold; NaN is refused.

    Returns
    -------
    bytes
        UTF-8, keys in the order given, a line feed at the end.

    Examples
    --------
    >>> to_json_bytes({"routes": 9})
    b'{\n  "routes": 9\n}\n'
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return (escape_json(text) + "\n").encode()


def describe_run(record: RunRecord, outputs: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    """
    Content of ``run.json``.

    Parameters
    ----------
    record
        Content of ``run.json``.
    outputs
        SHA-256 of each file that it wrote, None of restricted ones; none by default.

    Returns
    -------
    dict
        Durations in seconds. Inputs are named without sizes and hashes, which would confirm a guess of what they hold.
    """
    outputs, publisher = outputs or {}, Publisher(record.min_count)
    return {
        "schema_version": RUN_SCHEMA_VERSION,
        "command": record.command,
        **publisher.facts,
        "seed": record.seed,
        "ended_by": None if record.ended_by is None else record.ended_by.to_dict(),
        "objective_share": record.objective_share,
        "bound_share": record.bound_share,
        **({"objective_rule": record.objective_rule} if record.objective_rule else {}),
        **({"spread": dict(record.spread)} if record.spread else {}),
        **({"pool_bound": dict(record.pool_bound)} if record.pool_bound else {}),
        **({"unseen_by_bound": record.unseen_by_bound} if record.unseen_by_bound else {}),
        **({"published_bound": dict(record.published_bound)} if record.published_bound else {}),
        "settings": dict(record.settings),
        "inputs": list(record.inputs),
        "outputs": dict(outputs),
        "restricted": sorted(RESTRICTED_FILES & outputs.keys()),
        "versions": _versions(),
        "timings_s": {name: round(seconds, 3) for name, seconds in record.timings_s.items()},
        **({"notes": list(record.notes)} if record.notes else {}),
    }


@cache
def _versions() -> dict[str, str]:
    """Versions of owlbus, Python and the libraries that shape results."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in ("owlbus", *_LIBRARIES):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _describe_input(name: str) -> dict[str, Any]:
    """Name, bytes and SHA-256 of an input; a stream has neither."""
    file = Path(name)
    if not file.is_file():
        return {"name": name, "bytes": None, "sha256": None}
    about = file.stat()
    return {"name": name, "bytes": about.st_size, "sha256": _sha256_of_input(file, about.st_size, about.st_mtime_ns)}


@lru_cache(maxsize=1024)
def _sha256_of_input(file: Path, size: int, changed_ns: int) -> str:
    """SHA-256 of an input, cached, since several runs may name it."""
    del size, changed_ns
    return _sha256(file)


def _sha256(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _describe_inputs(record: RunRecord, digests: Mapping[str, str]) -> dict[str, Any]:
    """Content of ``inputs.json``: name, bytes and SHA-256 of the inputs, and SHA-256 of the restricted files."""
    restricted = {name: digest for name, digest in sorted(digests.items()) if name in RESTRICTED_FILES}
    return {"schema_version": 1, "inputs": [_describe_input(name) for name in record.inputs], "outputs": restricted}


def _restricted_digests(target: Path) -> dict[str, str]:
    """SHA-256 of the restricted files of a run by name; none without its ``inputs.json``."""
    found = read_inputs(target)
    digests: dict[str, str] = {} if found is None else found["outputs"]
    return digests


def _outputs_of(target: Path) -> dict[str, str]:
    """Plain names and known SHA-256 of the files that an earlier run in `target` wrote."""
    if not (target / RUN_FILE).is_file():
        return {}
    try:
        outputs = read_run(target)["outputs"] | _restricted_digests(target)
    except DataError:
        return {}
    return {name: digest for name, digest in outputs.items() if digest is not None}


def _remove_own(target: Path, name: str, digest: str) -> None:
    """Remove a file of an earlier run if its content has not changed since; none beyond a link, unless that is the run directory."""
    file = target / name
    is_linked = file.is_symlink() or (file.parent != target and file.parent.is_symlink())
    if file.is_file() and not is_linked and _sha256(file) == digest:
        file.unlink()


def _require_room(target: Path, name: str) -> None:
    """Refuse a folder in the way of a file, and anything but a writable folder in the way of the folder of tables."""
    file, folder, problem = target / name, (target / name).parent, ""
    if file.is_dir() and not file.is_symlink():
        problem = f"{file} is a folder"
    elif folder != target and (folder.is_symlink() or (folder.exists() and not folder.is_dir())):
        problem = f"{folder} is a {'link' if folder.is_symlink() else 'file'}"
    elif folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        problem = f"{folder} cannot be written"
    if problem:
        msg = f"{setting('out')} must leave room for {name}, but {problem}; move it away or choose another folder"
        raise UsageError(msg, setting="out", value=str(target))


def _make_dir(target: Path) -> list[Path]:
    """Create `target` and its parents; return those that were absent, deepest first."""
    absent = [folder for folder in (target, *target.parents) if not folder.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(absent)
        raise _unwritable(target, error) from None
    return absent


def _remove_empty(folders: list[Path]) -> None:
    """Remove the folders that a run created and left empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _part_dir(target: Path) -> None:
    """Create the folder of staged files."""
    try:
        (target / PART).mkdir(mode=0o700)
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> UsageError | OutputError:
    """Error for an output folder that cannot be written."""
    if is_full(error):
        return output_error(target, error)
    msg = f"{setting('out')} must be a folder that can be written, got {target} ({error.strerror}); choose another folder"
    return UsageError(msg, setting="out", value=str(target))


def _refuse_foreign(target: Path) -> None:
    """Refuse a folder with files that no run wrote."""
    if (target / RUN_FILE).is_file():
        problem = "" if _is_record(target / RUN_FILE) else f"whose {RUN_FILE} is not one of owlbus"
    else:
        names = sorted(entry.name for entry in target.iterdir() if entry.name not in _OF_OWLBUS)
        problem = f"with {len(names)} files of another origin (first {names[0]})" if names else ""
    if problem:
        msg = f"{setting('out')} must be absent, empty or an earlier run, got {target} {problem}; choose another folder"
        raise UsageError(msg, setting="out", value=str(target))


def _is_record(file: Path) -> bool:
    """Tell whether a ``run.json`` is one that a run wrote."""
    try:
        document = parse_json(read_regular(file))
    except ValueError:
        return False
    return isinstance(document, dict) and {"schema_version", "command", "outputs"} <= document.keys()


def _own_dir(path: Path) -> Path:
    """Create a folder for its owner alone, or return the existing one if it is such a folder."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise _unwritable(path, error) from None
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "geteuid") and status.st_uid != os.geteuid()):
        msg = f"{setting('resume')} must go on from a folder of one's own, and {path} is none; remove it and run again"
        raise UsageError(msg, setting="resume", value=str(path))
    path.chmod(0o700)
    return path


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Lock the folder; refuse one that cannot be written."""
    lock = lock_folder(target)
    try:
        lock.__enter__()
    except OSError as error:
        raise _unwritable(target, error) from None
    with ExitStack() as stack:
        stack.push(lock)
        yield


def _umask() -> int:
    """Return the mask that new files are made with, in permission bits."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
