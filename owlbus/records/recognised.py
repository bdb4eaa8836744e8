"""What was recognised in record files: kind, columns, how each is read, and a few rows as shapes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from owlbus.common.text import shape_of_text
from owlbus.records.time_forms import describe_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.records.sources import Source

N_EXAMPLES = 3
"""Rows of a file that are shown as shapes."""

_TELLING = ("zone", "cell", "count")


@dataclass(frozen=True, slots=True)
class RecognisedColumn:
    """
    One column of a file as it is read.

    Attributes
    ----------
    name
        Name of owlbus.
    column
        Column of the file.
    reading
        How its values are read, in words; empty where nothing had to be decided.
    shapes
        First values as shapes: digits as 9, letters as a; none of zones, cells and counts, whose shapes tell which they are.
    """

    name: str
    column: str
    reading: str
    shapes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecognisedFile:
    """
    A file as it is read.

    Attributes
    ----------
    file
        File name.
    kind
        Kind of record, such as ``calls`` or ``taxi``.
    columns
        Columns that are read.
    notes
        What else was recognised, one sentence each.
    options
        Fields of `owlbus.records.read_options.ReadOptions` that read the file in the same way without a guess.
    """

    file: str
    kind: str
    columns: tuple[RecognisedColumn, ...]
    notes: tuple[str, ...]
    options: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain types; no value of a record is in it."""
        return asdict(self)


def recognised_file(source: Source) -> RecognisedFile:
    """
    Return what was recognised in a file.

    Parameters
    ----------
    source
        The open file.

    Returns
    -------
    RecognisedFile
        Layout, forms, and the first rows as shapes.
    """
    names = source.layout.names
    rows = source.scan().select(list(names)).head(N_EXAMPLES).collect()
    columns = tuple(
        RecognisedColumn(_asked_name(source, name), column, _reading(source, name), _shapes(name, rows[name].to_list()))
        for name, column in names.items()
    )
    return RecognisedFile(source.name, source.layout.kind.name, columns, _notes(source), _options(source))


def _shapes(name: str, values: Sequence[object]) -> tuple[str, ...]:
    """Return values as shapes; none of what a shape identifies."""
    return () if any(word in name for word in _TELLING) else tuple(map(shape_of_text, values))


def _reading(source: Source, name: str) -> str:
    """Return how the values of a column are read, in words."""
    if name in source.time_forms:
        return describe_form(source.time_forms[name])
    form = source.position_forms.get(name)
    if form is None:
        return ""
    order = ", latitude first" if form.is_lat_first else ""
    system = f" in {form.crs}" if form.crs else ""
    spread = ", spread by area" if form.is_wide else ""
    return f"{' and '.join(dict.fromkeys(form.readers))}{system}{order}{spread}"


def _notes(source: Source) -> tuple[str, ...]:
    """Return what was recognised beside columns."""
    zones = source.zones
    if zones is None:
        return source.notes
    return *source.notes, f"its places are {zones.name if zones.are_cells else f'{zones.n_zones} zones of {zones.name}'}"


def _asked_name(source: Source, name: str) -> str:
    """Return the name of a column by which a user maps it: wide cells are zones in the file alone."""
    form = source.position_forms.get(name)
    return name.replace("zone", "cell") if form is not None and form.is_wide else name


def _options(source: Source) -> dict[str, Any]:
    """Return the options that read the file without a guess."""
    named = {_asked_name(source, name): column for name, column in source.layout.names.items()}
    columns = {name: column for name, column in named.items() if name != column}
    options = {name: getattr(source.options, name) for name in ("timezone", "time_format", "date_order", "crs", "zone_id", "zone_weights")}
    options["timezone"] = source.timezone
    forms = {source.time_forms.get(name) for name in (source.layout.kind.start, source.layout.end) if name in source.layout.names}
    options["time_format"] = options["time_format"] or (forms.pop() if len(forms) == 1 else None)
    return ({"columns": columns} if columns else {}) | {name: value for name, value in options.items() if value is not None}


def common_options(files: Sequence[RecognisedFile], columns: Mapping[str, str] | None = None) -> dict[str, Any]:
    """
    Return options that read several files together.

    Parameters
    ----------
    files
        The files.
    columns
        Column mapping of the user, which is kept.

    Returns
    -------
    dict
        Options that all files share: what only some have is left to be recognised again, and so are names of several columns.
    """
    options = dict(files[0].options) if files else {}
    options = {name: value for name, value in options.items() if all(file.options.get(name) == value for file in files)}
    found: dict[str, set[str]] = {}
    for file in files:
        for column in file.columns:
            found.setdefault(column.name, set()).add(column.column)
    mapped = {name: column for file in files for name, column in file.options.get("columns", {}).items() if len(found[name]) == 1}
    mapped |= columns or {}
    options.pop("columns", None)
    return ({"columns": mapped} if mapped else {}) | options
