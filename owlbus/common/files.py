"""Tables on disk: Parquet with a kind and settings in its metadata, written to a temporary name and renamed."""

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

from owlbus.common.errors import DataError, OwlbusError, UsageError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Executor

    import pyarrow as pa

_KEY = b"owlbus"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = ("No space left on device", "os error 28", "Disk quota exceeded", "File too large")

PART, KEPT = ".owlbus-part", ".owlbus-kept"
"""Folders within a run directory: of files that gather, and of what a stopped run goes on from."""

LOCK = ".owlbus-lock"
"""File that a run holds in the folder it writes to."""


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
    Write columns of equal length as one Parquet file; the same input gives the same bytes.

    The file appears under its name only once it is whole.

    Parameters
    ----------
    path
        Where to write; an existing file is replaced.
    columns
        Arrays by column name, each of shape (n,).
    kind
        What the table is, such as ``grid``; `read_parquet` refuses another kind.
    settings
        Values that JSON can hold, kept beside the columns.
    **extra
        Further entries of the file's own metadata.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    own = json.dumps({"kind": kind, "schema_version": 1, **settings}, sort_keys=True)
    metadata = {_KEY: own.encode()} | {key.encode(): value.encode() for key, value in extra.items()}
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        pq.write_table(pa.table(dict(columns)).replace_schema_metadata(metadata), part, compression="zstd")
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise output_error(target, error) from error


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """
    Write a file to a temporary name beside it and rename it, so that nobody meets half of it.

    Parameters
    ----------
    path
        Where to write; an existing file is replaced.
    data
        Its bytes.

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
    Columns and settings of a file that `write_parquet` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        The kind it must be of.

    Returns
    -------
    tuple of Table and dict
        The columns, and the settings that were kept beside them.

    Raises
    ------
    DataError
        If the file is missing, is no Parquet or is of another kind.
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
    found = settings.get("kind", "no owlbus table") if isinstance(settings, dict) else "no owlbus table"
    if found != kind:
        msg = f"{target}: holds {found!r} where {kind!r} is wanted; name a {kind} file that owlbus wrote"
        raise DataError(msg)
    return table, settings


MOST_JSON_BYTES = 256 << 20
"""What a JSON file of a run may hold, in bytes: more than a hundred times the largest there is."""

MOST_SURE_BYTES, MOST_TIMES = 64 << 20, 200
"""What may be unpacked whatever its packed size, in bytes, and how many times that size more may be."""

_FORMULA = tuple("=+-@\t\r\n")

WRITTEN = "what was to be written is written"
"""What a stop that was put off says of the files."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """
    Put Ctrl-C, SIGTERM and SIGHUP off until the block ends, so that files that belong together change together.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    KeyboardInterrupt
        At the end, if one of them came and is heeded.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    heeded = {}
    for number in (getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)):
        if callable(signal.getsignal(number)):
            heeded[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
    if came:
        try:
            signal.raise_signal(came[0])
        except KeyboardInterrupt:
            raise KeyboardInterrupt(WRITTEN) from None


@contextmanager
def dropping(pool: Executor) -> Iterator[None]:
    """
    Drop what a pool has not begun when the block fails, so that a stop does not wait for all of it.

    Parameters
    ----------
    pool
        Of processes or threads.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        If one of its processes was ended from outside.
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


def heed_parent_only() -> None:
    """Leave Ctrl-C to the process that started this one: a terminal sends it to both, and one of them answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Hold a folder for one run; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    folder
        The folder, which exists.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    UsageError
        If another run holds it.
    OSError
        If the folder cannot be written, or its lock is a link.
    """
    lock = folder / LOCK
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if not _take(descriptor):
                msg = f"--out must not be in use, but another run is writing {folder}; wait for it or choose another folder"
                raise UsageError(msg)
            if not _is_same(lock, descriptor):
                continue  # the run that held it has just ended and taken the file away
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
        return


def _take(descriptor: int) -> bool:
    """Take the lock of an open file without waiting; return whether it was free."""
    try:
        import fcntl
    except ImportError:  # no such call outside POSIX: the run goes on unguarded
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: as above
        return True
    return True


def _is_same(lock: Path, descriptor: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def rebuilding(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """
    Turn whatever goes wrong while a table of `read_parquet` becomes what it was into one line.

    Parameters
    ----------
    path
        The file.
    kind
        What the table is.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    DataError
        In place of the errors that columns and settings of other names, types and sizes cause.
    """
    try:
        yield
    except OwlbusError as error:
        msg = f"{path}: is no sound {kind} file: {error}"
        raise DataError(msg) from error
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{path}: is a damaged {kind} file ({type(error).__name__}); write it again"
        raise DataError(msg) from error


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - what JSON holds is known once it is checked
    """
    Value of a JSON text of any depth.

    Parameters
    ----------
    text
        JSON, UTF-8 where it is bytes.

    Returns
    -------
    Any
        The value.

    Raises
    ------
    ValueError
        If it is no JSON, or nested deeper than the parser reaches.
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


def read_member(archive: zipfile.ZipFile, name: str, place: str | os.PathLike[str]) -> bytes:
    """
    Bytes of a member of a zip archive, none of which is written anywhere.

    Parameters
    ----------
    archive
        The archive.
    name
        Name of the member, as the archive spells it.
    place
        What messages call the archive.

    Returns
    -------
    bytes
        The member, unpacked.

    Raises
    ------
    DataError
        If it is damaged or encrypted, or unpacks to more bytes than a table of its packed size can hold.
    """
    import lzma
    import struct
    import zipfile
    import zlib

    size, packed = archive.getinfo(name).file_size, archive.getinfo(name).compress_size
    _refuse_bomb(f"{place}: {name}", size, packed)
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, struct.error, lzma.LZMAError, zlib.error) as error:
        msg = f"{place}: {name} cannot be unpacked ({type(error).__name__}); download or write it again"
        raise DataError(msg) from None


def unpack_gzip(data: bytes, place: str | os.PathLike[str]) -> bytes:
    """
    Bytes of a whole gzip file.

    Parameters
    ----------
    data
        The file.
    place
        What messages call it.

    Returns
    -------
    bytes
        What was packed.

    Raises
    ------
    DataError
        If it unpacks to more bytes than a text of its packed size can hold.
    EOFError, OSError, zlib.error
        If it is damaged or cut off.
    """
    import gzip

    most = max(MOST_SURE_BYTES, MOST_TIMES * len(data))
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        found = stream.read(most + 1)
    _refuse_bomb(str(place), len(found), len(data))
    return found


def _refuse_bomb(place: str, size: int, packed: int) -> None:
    """Refuse `packed` bytes that unpack to `size`, if no table packs so well."""
    if size > max(MOST_SURE_BYTES, MOST_TIMES * packed):
        msg = (
            f"{place} must unpack to at most {MOST_TIMES} times its {packed:,} bytes, got {size:,} bytes or more, which no table packs to; "
            f"get it anew, or unpack it yourself"
        )
        raise DataError(msg)


def plain_cell(value: object) -> object:
    """
    Field of a table for people, which no spreadsheet takes for a formula.

    Parameters
    ----------
    value
        Text or number.

    Returns
    -------
    object
        The value; text that begins as a formula does has an apostrophe in front.

    Examples
    --------
    >>> plain_cell("=1+1"), plain_cell("Sadang"), plain_cell(-1)
    ("'=1+1", 'Sadang', -1)
    """
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ")[:1] in _FORMULA else value
