"""Files: atomic writes, Parquet with metadata, folder locks and safe decompression."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import stat
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, OwlbusError, UsageError, setting
from owlbus.common.machine import can_delete_open_files, delete_if_allowed, stop_signals, try_lock

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Executor

    import pyarrow as pa

_KEY = b"owlbus"
_FULL: frozenset[int] = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG})
_FULL_WORDS = ("No space left on device", "os error 28", "Disk quota exceeded", "File too large")

PART, KEPT = ".owlbus-part", ".owlbus-kept"
"""Folders within a run directory: of files that gather, and of what a stopped run goes on from."""

LOCK = ".owlbus-lock"
"""Lock file in the output folder of a run."""


class OutputError(DataError):
    """
    A place that cannot be written: it is full, not there, or may not be written.

    The command line ends with 2, as for any argument that is out of range: the place was chosen with an argument or the environment, and
    no input has to change.
    """

    exit_code = 2


def is_full(error: BaseException) -> bool:
    """
    Tell whether an error says that a disk has no room left, or a quota of bytes is used up, in whatever words a library has for it.

    Parameters
    ----------
    error
        What was raised.

    Returns
    -------
    bool
        Whether fewer bytes, or another disk, would help.
    """
    return (isinstance(error, OSError) and error.errno in _FULL) or any(words in str(error) for words in _FULL_WORDS)


def output_error(path: str | os.PathLike[str], error: BaseException) -> OutputError:
    """
    Error for a place that cannot be written, by the name that the user gave it.

    Parameters
    ----------
    path
        File or folder; one within a run directory that is under way stands for that directory.
    error
        What writing raised; a full disk is told as one, in no bytes.

    Returns
    -------
    OutputError
        One line with the way out.
    """
    target = Path(path)
    place = next((folder.parent for folder in (target, *target.parents) if folder.name in {PART, KEPT}), target)
    number = error.errno if isinstance(error, OSError) else None
    if is_full(error):
        why = os.strerror(number if number in _FULL else errno.ENOSPC)
        return OutputError(f"{place}: the disk is full ({why}); make room there, or name a folder on another disk")
    why = os.strerror(number) if number else " ".join(str(error).split()) or type(error).__name__
    return OutputError(f"{place}: cannot be written ({why}); name a folder that exists and may be written to")


@contextmanager
def in_temporary_folder() -> Iterator[None]:
    """
    Write to the system's folder for temporary files while the block runs.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    OutputError
        If it is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        why = "it is full" if is_full(error) else error.strerror or str(error)
        msg = f"{tempfile.gettempdir()}: temporary files cannot be written ({why}); make room there, or set TMPDIR to a folder with room"
        raise OutputError(msg) from error


def write_parquet(path: str | os.PathLike[str], columns: Mapping[str, Any], kind: str, settings: Mapping[str, Any], **extra: str) -> None:
    """
    Write columns as one Parquet file; the same input gives the same bytes.

    The file is written to a temporary name and then renamed.

    Parameters
    ----------
    path
        File to write or replace.
    columns
        Arrays by column name, each of shape (n,).
    kind
        Kind of table, such as ``grid``; `read_parquet` rejects other kinds.
    settings
        JSON-serialisable metadata.
    **extra
        Further metadata entries of the file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    scope = json.dumps({"kind": kind, "schema_version": 1, **settings}, sort_keys=True)
    metadata = {_KEY: scope.encode()} | {key.encode(): value.encode() for key, value in extra.items()}
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        pq.write_table(pa.table(dict(columns)).replace_schema_metadata(metadata), part, compression="zstd")
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise output_error(target, error) from error


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """
    Write a file to a temporary name and rename it, so that no reader sees a partial file.

    Parameters
    ----------
    path
        File to write or replace.
    data
        Content.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def read_parquet(path: str | os.PathLike[str], kind: str) -> tuple[pa.Table, dict[str, Any]]:
    """
    Read the columns and settings of a file that `write_parquet` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        Expected kind.

    Returns
    -------
    tuple of Table and dict
        Columns, and settings from the metadata.

    Raises
    ------
    DataError
        If the file is missing, is not Parquet or has another kind.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = Path(path)
    if target.exists() and not target.is_file():
        msg = f"{target}: must be a regular file, and is none; name a {kind} file that owlbus wrote"
        raise DataError(msg)
    try:
        table = pq.read_table(target)
        table.validate(full=True)
        settings = parse_json((table.schema.metadata or {}).get(_KEY, b"{}"))
    except FileNotFoundError as error:
        msg = f"{target}: no such file; name a {kind} file that owlbus wrote"
        raise DataError(msg) from error
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"{target}: is no readable Parquet file; name a {kind} file that owlbus wrote"
        raise DataError(msg) from error
    file_kind = settings.get("kind", "no owlbus table") if isinstance(settings, dict) else "no owlbus table"
    if file_kind != kind:
        msg = f"{target}: holds {file_kind!r} where {kind!r} is wanted; name a {kind} file that owlbus wrote"
        raise DataError(msg)
    return table, settings


MOST_JSON_BYTES = 256 << 20
"""Largest JSON file of a run in bytes: more than a hundred times the largest there is."""

UNCHECKED_BYTES, MAX_RATIO = 64 << 20, 200
"""Bytes that may always be decompressed, and the largest ratio of size to compressed size above that."""


FILES_WRITTEN = "what was to be written is written"
"""Message of an interrupt that was deferred until the files were written."""


@contextmanager
def defer_signals() -> Iterator[None]:
    """
    Defer Ctrl-C, SIGTERM and SIGHUP (on Windows Ctrl-Break) until the block ends, so that related files change together.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    KeyboardInterrupt
        At the end, if Ctrl-C arrived.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers: dict[int, Any] = {}
    for number in stop_signals():
        if callable(signal.getsignal(number)):
            handlers[number] = signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if received:
        try:
            signal.raise_signal(received[0])
        except KeyboardInterrupt:
            raise KeyboardInterrupt(FILES_WRITTEN) from None


@contextmanager
def cancel_on_error(pool: Executor) -> Iterator[None]:
    """
    Cancel the pending tasks of a pool if the block fails.

    Parameters
    ----------
    pool
        Pool of processes or threads.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        If one of its processes was killed.
    """
    from concurrent.futures import BrokenExecutor

    try:
        yield
    except BrokenExecutor as error:
        msg = "a worker process was ended from outside, perhaps for want of memory; use fewer workers, or run it again"
        raise DataError(msg) from error
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in a worker process; the parent process receives it too and handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """
    Lock a folder for one run; the system releases the lock when the process ends.

    Parameters
    ----------
    folder
        Existing folder.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    UsageError
        If another run holds the lock.
    OSError
        If the folder cannot be written, or its lock is a link.
    """
    lock = folder / LOCK
    descriptor, is_locked = lock_file(lock)
    try:
        if not is_locked:
            msg = f"{setting('out')} must not be in use, but another run is writing {folder}; wait for it or choose another folder"
            raise UsageError(msg, setting="out", value=str(folder))
        try:
            yield
        finally:
            delete_if_allowed(lock)
    finally:
        os.close(descriptor)
    if not can_delete_open_files():
        delete_if_allowed(lock)


def lock_file(lock: Path) -> tuple[int, bool]:
    """
    Open a lock file, made if it is absent, and try to lock it without waiting.

    Parameters
    ----------
    lock
        The file; whoever holds the lock deletes it before the lock is released.

    Returns
    -------
    descriptor, is_locked
        The open file, which the caller closes, and whether the lock is held now.

    Raises
    ------
    OSError
        If it cannot be opened for writing, or is a link.
    """
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        is_locked = try_lock(descriptor)
        if not is_locked or _is_lock_file(lock, descriptor):
            return descriptor, is_locked
        os.close(descriptor)  # who held it has just ended and deleted the file


def _is_lock_file(lock: Path, descriptor: int) -> bool:
    """Return whether the open file is still the one at path `lock`, as it must be where open files cannot be deleted."""
    if not can_delete_open_files():
        return True
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def rebuild_errors(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """
    Convert errors raised while an object is rebuilt from a table into one `DataError`.

    Parameters
    ----------
    path
        The file.
    kind
        Kind of table.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        If columns or settings have wrong names, types or sizes.
    """
    try:
        yield
    except OwlbusError as error:
        msg = f"{path}: is no sound {kind} file: {error.template}"
        raise DataError(msg) from error
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{path}: is a damaged {kind} file ({type(error).__name__}); write it again"
        raise DataError(msg) from error


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - JSON has any type
    """
    Parse JSON of any depth.

    Parameters
    ----------
    text
        JSON; bytes are UTF-8.

    Returns
    -------
    Any
        The value.

    Raises
    ------
    ValueError
        If it is not JSON or too deeply nested.
    """
    try:
        return json.loads(text)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None


def read_regular(path: str | os.PathLike[str], most_bytes: int = MOST_JSON_BYTES) -> bytes:
    """
    Bytes of a regular file of bounded size; devices and pipes, which may never end, are not opened.

    Parameters
    ----------
    path
        The file; a link is followed.
    most_bytes
        Bytes that it may hold.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    DataError
        If it is no regular file, is larger, or cannot be read.
    FileNotFoundError, NotADirectoryError
        If there is none.
    """
    target = Path(path)
    try:
        about = target.stat()
        problem = None
        if not stat.S_ISREG(about.st_mode):
            problem = "must be a regular file, and is none"
        elif about.st_size > most_bytes:
            problem = f"must hold at most {most_bytes:,} bytes, got {about.st_size:,}"
        if problem is None:
            return target.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
    msg = f"{target}: {problem}; write it again, or name another folder"
    raise DataError(msg)


def read_member(archive: zipfile.ZipFile, name: str, file: str | os.PathLike[str]) -> bytes:
    """
    Read a member of a zip archive into memory.

    Parameters
    ----------
    archive
        The archive.
    name
        Name of the member.
    file
        Name of the archive in messages.

    Returns
    -------
    bytes
        Decompressed member.

    Raises
    ------
    DataError
        If it is damaged or encrypted, or its compression ratio is above `MAX_RATIO`.
    """
    import lzma
    import struct
    import zipfile
    import zlib

    size, compressed_size = archive.getinfo(name).file_size, archive.getinfo(name).compress_size
    _check_ratio(f"{file}: {name}", size, compressed_size)
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, struct.error, lzma.LZMAError, zlib.error) as error:
        msg = f"{file}: {name} cannot be unpacked ({type(error).__name__}); download or write it again"
        raise DataError(msg) from None


def decompress_gzip(data: bytes, file: str | os.PathLike[str]) -> bytes:
    """
    Decompress a gzip file in memory.

    Parameters
    ----------
    data
        The file.
    file
        Name of the file in messages.

    Returns
    -------
    bytes
        Decompressed content.

    Raises
    ------
    DataError
        If its compression ratio is above `MAX_RATIO`.
    EOFError, OSError, zlib.error
        If it is damaged or truncated.
    """
    import gzip

    max_size = max(UNCHECKED_BYTES, MAX_RATIO * len(data))
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        content = stream.read(max_size + 1)
    _check_ratio(str(file), len(content), len(data))
    return content


def _check_ratio(file: str, size: int, compressed: int) -> None:
    """Reject `compressed` bytes that decompress to `size` bytes if the ratio is above `MAX_RATIO`."""
    if size > max(UNCHECKED_BYTES, MAX_RATIO * compressed):
        msg = (
            f"{file} must unpack to at most {MAX_RATIO} times its {compressed:,} bytes, got {size:,} bytes or more, "
            f"which no table packs to; get it anew, or unpack it yourself"
        )
        raise DataError(msg)
