"""Working files that only their owner may read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from owlbus.errors import UsageError

if TYPE_CHECKING:
    from os import PathLike

    import pyarrow as pa


def write_restricted(table: pa.Table, path: str | PathLike[str]) -> None:
    """
    Write a table as Parquet with mode 0600, under a temporary name first.

    Parameters
    ----------
    table
        Rows and metadata to write.
    path
        File to make or replace; it is never half written.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - loaded only when files are used

    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        try:
            pq.write_table(table, name, compression="zstd")
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{target}: cannot be written ({error.strerror or error}); choose a folder that exists and may be written"
        raise UsageError(msg) from error
