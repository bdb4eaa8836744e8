"""Tables on disk: Parquet with a kind and settings in its metadata, written to a temporary name and renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_KEY = b"owlbus"


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
    DataError
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
        part.unlink(missing_ok=True)
        msg = f"{target}: cannot be written ({error.strerror or error}); name a folder that exists and may be written to"
        raise DataError(msg) from error


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
    try:
        table = pq.read_table(target)
    except FileNotFoundError as error:
        msg = f"{target}: no such file; name a {kind} file that owlbus wrote"
        raise DataError(msg) from error
    except (OSError, pa.ArrowInvalid) as error:
        msg = f"{target}: is no readable Parquet file; name a {kind} file that owlbus wrote"
        raise DataError(msg) from error
    settings: dict[str, Any] = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    if settings.get("kind") != kind:
        msg = f"{target}: holds {settings.get('kind', 'no owlbus table')!r} where {kind!r} is wanted; name a {kind} file that owlbus wrote"
        raise DataError(msg)
    return table, settings
