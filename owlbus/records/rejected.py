"""Restricted files (mode 0600), and the file of rejected rows."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.files import output_error
from owlbus.records.schema import COLUMNS
from owlbus.records.text_values import rows_as_text
from owlbus.records.validation import BY_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    import pyarrow.parquet as pq

    from owlbus.records.reading import Batch
    from owlbus.records.validation import Verdict

RESTRICTED = "personal data: not for publication"
"""Mark in the metadata of restricted files."""


@contextmanager
def restricted_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """
    Yield a temporary file of mode 0600 that is renamed at the end, or removed on an error.

    Parameters
    ----------
    path
        File to write or replace.

    Yields
    ------
    Path
        Empty temporary file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        part = Path(name)
        yield part
        part.replace(target)
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def write_restricted(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """
    Write a table as Parquet with mode 0600; the same table gives the same bytes.

    Parameters
    ----------
    table
        Rows and metadata to write.
    path
        File to write or replace.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow.parquet as pq

    with restricted_file(path) as part:
        pq.write_table(table, part, compression="zstd")


class RejectedFile:
    """Parquet file of rejected rows, one row group per batch."""

    __slots__ = ("_schema", "_writer")

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def add(self, batch: Batch, verdict: Verdict) -> None:
        """Write the rejected rows of `batch` by `verdict`, with file, row or line, and reason."""
        import pyarrow as pa

        rows = np.flatnonzero(verdict.is_rejected)
        if rows.size == 0:
            return
        texts = rows_as_text(batch.frame[rows])
        columns = {name: texts[name].to_arrow() for name in texts.columns} | {
            "file": [batch.source.name] * rows.size,
            "place": [batch.source.place(batch.first_row + int(row)) for row in rows],
            "reason": [BY_CODE[int(code)].name for code in verdict.rule[rows]],
        }
        empty = pa.nulls(rows.size, pa.large_string())
        table = pa.table({name: pa.array(columns[name], pa.large_string()) if name in columns else empty for name in self._schema.names})
        self.copy(table)

    def copy(self, table: pa.Table) -> None:
        """Write rows of another file of rejected rows."""
        if table.num_rows:
            self._writer.write_table(table.cast(self._schema))


@contextmanager
def rejected_rows(path: str | os.PathLike[str] | None) -> Iterator[RejectedFile | None]:
    """
    Open the file of rejected rows.

    Parameters
    ----------
    path
        Parquet file to write or replace, mode 0600, marked as restricted; None writes none.

    Yields
    ------
    RejectedFile or None
        Accepts batches with their verdicts. The file has ``file``, ``place`` (row or line), ``reason`` and every known column as text.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if path is None:
        yield None
        return
    with restricted_file(path) as part, _rejected_writer(part) as file:
        yield file


@contextmanager
def rejected_rows_in_memory() -> Iterator[tuple[RejectedFile, BytesIO]]:
    """
    Open a file of rejected rows in memory, to send to another process.

    Yields
    ------
    tuple of RejectedFile and BytesIO
        Accepts batches with their verdicts; and the Parquet bytes, complete after the block.
    """
    buffer = BytesIO()
    with _rejected_writer(buffer) as file:
        yield file, buffer


def write_rejected_parts(parts: Iterable[bytes], path: str | os.PathLike[str]) -> None:
    """
    Write the rejected rows of several parts as one file, mode 0600.

    Parameters
    ----------
    parts
        Bytes of `rejected_rows_in_memory` for each part, in order.
    path
        Parquet file to write or replace.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow.parquet as pq

    with restricted_file(path) as target, _rejected_writer(target) as file:
        for part in parts:
            file.copy(pq.read_table(BytesIO(part)))


@contextmanager
def _rejected_writer(target: Path | BytesIO) -> Iterator[RejectedFile]:
    """Yield a file of rejected rows that writes to `target`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("file", "place", "reason", *COLUMNS)
    schema = pa.schema([(name, pa.large_string()) for name in names], metadata={b"owlbus": RESTRICTED.encode()})
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        yield RejectedFile(writer, schema)
