"""Working files that only their owner may read, and the rows that were rejected."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from owlbus.common.files import output_error
from owlbus.records.schema import COLUMNS
from owlbus.records.validation import BY_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    import pyarrow.parquet as pq

    from owlbus.records.reading import Batch
    from owlbus.records.validation import Verdict

RESTRICTED = "personal data: not for publication"
"""Mark in the metadata of working files."""


@contextmanager
def restricted_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """
    Temporary file of mode 0600 that takes its final name at the end, or is removed on an error.

    Parameters
    ----------
    path
        File to make or replace; it is never half written.

    Yields
    ------
    Path
        The temporary file, empty.

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
    Write a table as Parquet with mode 0600; same table, same bytes.

    Parameters
    ----------
    table
        Rows and metadata to write.
    path
        File to make or replace; it is never half written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow.parquet as pq

    with restricted_file(path) as part:
        pq.write_table(table, part, compression="zstd")


class RejectedRows(Protocol):
    """Where rejected rows go."""

    def add(self, batch: Batch, verdict: Verdict) -> None:
        """Take the rejected rows of a batch."""


class Nowhere:
    """Rejected rows are counted only."""

    __slots__ = ()

    def add(self, batch: Batch, verdict: Verdict) -> None:
        """Keep nothing of `batch` and `verdict`."""


class _RejectedFile:
    """Rejected rows as a Parquet file, one row group per batch that has any."""

    __slots__ = ("_schema", "_writer")

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def add(self, batch: Batch, verdict: Verdict) -> None:
        """Write the rejected rows of a batch with file, row or line, and reason."""
        import pyarrow as pa

        rows = np.flatnonzero(verdict.is_rejected)
        if rows.size == 0:
            return
        import polars as pl

        kept = batch.frame[rows].select(pl.all().cast(pl.String))
        columns = {name: kept[name].to_arrow() for name in kept.columns} | {
            "file": [batch.source.name] * rows.size,
            "place": [batch.source.place(batch.first_row + int(row)) for row in rows],
            "reason": [BY_CODE[int(code)].name for code in verdict.rule[rows]],
        }
        empty = pa.nulls(rows.size, pa.large_string())
        table = pa.table({name: pa.array(columns[name], pa.large_string()) if name in columns else empty for name in self._schema.names})
        self.copy(table)

    def copy(self, table: pa.Table) -> None:
        """Write rows that are rejected already."""
        if table.num_rows:
            self._writer.write_table(table.cast(self._schema))


@contextmanager
def rejected_rows(path: str | os.PathLike[str] | None) -> Iterator[RejectedRows]:
    """
    Where rejected rows are written.

    Parameters
    ----------
    path
        Parquet file to make or replace, mode 0600, marked as restricted; None keeps none.

    Yields
    ------
    RejectedRows
        Takes batches with their verdicts. The file holds ``file``, ``place`` (row or line), ``reason`` and every known column as text.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if path is None:
        yield Nowhere()
        return
    with restricted_file(path) as part, _rejected_writer(part) as file:
        yield file


@contextmanager
def packed_rejected_rows() -> Iterator[tuple[RejectedRows, BytesIO]]:
    """
    Where rejected rows of a part of a file are kept in memory, to be sent elsewhere.

    Yields
    ------
    tuple of RejectedRows and BytesIO
        What takes batches with their verdicts, and the packed rows, complete once the block ends.
    """
    held = BytesIO()
    with _rejected_writer(held) as file:
        yield file, held


def write_packed(parts: Iterable[bytes], path: str | os.PathLike[str]) -> None:
    """
    Write rejected rows of parts as one file, mode 0600.

    Parameters
    ----------
    parts
        What `packed_rejected_rows` kept of each part, in order.
    path
        Parquet file to make or replace.

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
def _rejected_writer(target: Path | BytesIO) -> Iterator[_RejectedFile]:
    """Give a file of rejected rows that writes to `target`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("file", "place", "reason", *COLUMNS)
    schema = pa.schema([(name, pa.large_string()) for name in names], metadata={b"owlbus": RESTRICTED.encode()})
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        yield _RejectedFile(writer, schema)
