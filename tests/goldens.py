"""Recorded outputs of the commands: how a file is read, how it is stored, and how two of them are told apart field by field."""

from __future__ import annotations

import datetime as dt
import json
import lzma
import re
import zipfile
from functools import cache
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
from PIL import Image
from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from syrupy.location import PyTestLocation
    from syrupy.types import SnapshotIndex

GOLDEN = Path(__file__).resolve().parent / "golden"
ROOT = GOLDEN.parent.parent
WIDTH = 140
SHOWN = 20
"""Fields that a failure lists; it counts the others."""

COMPRESSED = {".parquet", ".zip", ".html"}
"""Outputs that are stored compressed, since nobody reads 200,000 rows or an SVG as text."""

MAIN_COLOUR_SHARE = 0.01
"""Colours of an image that cover less are edges of letters and lines, which differ between font renderers."""

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


# What an output holds


@cache
def without_machine(text: str) -> str:
    """`text` without what differs between machines and installations: folders, versions, terminal colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace(f"{ROOT}/", "")
    text = re.sub(r"\b(owlbus|gtfs-guru) \d+\.\d+(\.\w+)*", r"\1 VERSION", text)
    return re.sub(r"^\d+\.\d+\.\d+(\.\w+)*$", "VERSION", text)


def cleaned(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401
    """
    `value`, any JSON value, without what differs between machines and versions of libraries.

    `names` are texts to put in place of others: a file that a command wrote and another one read stands with its name instead of its
    SHA-256, and without its size.
    """
    if isinstance(value, dict):
        written = value.get("sha256") in names
        return {without_machine(key): cleaned(one, names) for key, one in value.items() if not (written and key == "bytes")}
    if isinstance(value, list):
        return value if all(isinstance(one, float | int) for one in value) else [cleaned(one, names) for one in value]
    return names.get(value) or without_machine(value) if isinstance(value, str) else value


def read_json(text: str) -> Any:  # noqa: ANN401
    """JSON; of a run.json all but its versions and timings, and of its outputs the names, since bytes depend on library versions."""
    value = json.loads(text)
    if isinstance(value, dict) and "timings_s" in value and "outputs" in value:
        value = {key: one for key, one in value.items() if key not in {"versions", "timings_s"}}
        value["outputs"] = list(value["outputs"])
    return value


def read_table(file: Path) -> dict[str, Any]:
    """Schema, metadata and values of a Parquet table, column by column; bytes as hexadecimal digits."""
    table = pq.read_table(file)
    metadata = {key.decode(): as_json(value.decode()) for key, value in sorted((table.schema.metadata or {}).items())}
    return {
        "schema": {field.name: f"{field.type}{'' if field.nullable else ' not null'}" for field in table.schema},
        "metadata": metadata,
        "rows": table.num_rows,
        "columns": {name: [as_plain(value) for value in table[name].to_pylist()] for name in table.column_names},
    }


def as_plain(value: Any) -> Any:  # noqa: ANN401
    """`value` as JSON can hold it: bytes as hexadecimal digits, times as ISO 8601."""
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def as_json(text: str) -> Any:  # noqa: ANN401
    """`text` read as JSON if it is JSON, else itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_feed(file: Path) -> dict[str, list[str]]:
    """Lines of every table of a GTFS feed, line ends included."""
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name).decode().splitlines(keepends=True) for name in archive.namelist()}


def read_image(file: Path) -> dict[str, Any]:
    """Size and main colours of an image."""
    with Image.open(file) as opened:
        image = opened.convert("RGBA")
    n_pixels = image.width * image.height
    counts = image.getcolors(n_pixels) or []
    main = sorted(bytes(colour).hex() for count, colour in counts if count >= MAIN_COLOUR_SHARE * n_pixels)
    return {"width_px": image.width, "height_px": image.height, "main_colours": main}


class Page(HTMLParser):
    """Tree of an HTML page: an element holds its attributes as `@name`, and its texts and elements by position and tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tree: dict[str, Any] = {}
        self.open: list[tuple[str, dict[str, Any]]] = [("", self.tree)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element; those without an end close at once."""
        element: dict[str, Any] = {f"@{name}": value for name, value in sorted(attrs)}
        self.add(tag, element)
        if tag not in VOID:
            self.open.append((tag, element))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element that closes itself."""
        self.add(tag, {f"@{name}": value for name, value in sorted(attrs)})

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element of this tag, and those in it that HTML closes of itself."""
        while len(self.open) > 1 and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Add text, with white space as a browser shows it; embedded JSON as JSON; no code, which is a source file and no output."""
        tag, element = self.open[-1]
        if tag in {"script", "style"}:
            self.add("data", json.loads(data)) if element.get("@type") == "application/json" else self.add("code", "…")
        elif data.strip():
            self.add("text", " ".join(data.split()))

    def handle_decl(self, decl: str) -> None:
        """Add the document type."""
        self.add("!", decl)

    def add(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Put `value` last in the element that is open."""
        element = self.open[-1][1]
        element[f"{sum(not key.startswith('@') for key in element) + 1} {name}"] = value


def read_page(text: str) -> dict[str, Any]:
    """Structure, attributes, texts and embedded data of an HTML page."""
    page = Page()
    page.feed(text)
    page.close()
    return page.tree


def read_output(file: Path, names: Mapping[str, str] = MappingProxyType({})) -> Any:  # noqa: ANN401
    """What an output file says, as a JSON value that depends neither on the machine nor on versions of libraries; see `cleaned`."""
    if file.suffix == ".parquet":
        value: Any = read_table(file)
    elif file.suffix == ".zip":
        value = read_feed(file)
    elif file.suffix == ".png":
        value = read_image(file)
    elif file.suffix == ".html":
        value = read_page(file.read_text(encoding="utf-8"))
    elif file.suffix in {".json", ".geojson"}:
        value = read_json(file.read_text(encoding="utf-8"))
    elif file.suffix == ".csv":
        value = {"lines": file.read_bytes().decode().splitlines(keepends=True)}
    elif file.suffix == ".xlsx":
        value = {"sheets": list(pl.read_excel(file, sheet_id=0))}  # they hold what tables/*.csv hold
    else:
        msg = f"goldens know no way to read {file.name}; add one to read_output"
        raise ValueError(msg)
    value = cleaned(value, names)
    return Compressed(value) if file.suffix in COMPRESSED else value


# How it is stored


def as_text(value: Any, indent: str = "") -> str:  # noqa: ANN401
    """`value` as JSON for people: what fits in a line stands in one."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(short) <= WIDTH:
        return short
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {as_text(one, deeper)}" for key, one in value.items()]
    elif any(isinstance(one, dict | list) for one in value):
        parts = [as_text(one, deeper) for one in value]
    else:
        parts = [json.dumps(one, ensure_ascii=False) for one in value]
    inside = f",\n{deeper}".join(parts)
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{deeper}{inside}\n{indent}{end}"


class Compressed(dict[str, Any]):
    """An output that is stored compressed, in one line."""


class Golden(SingleFileSnapshotExtension):
    """
    One file in `tests/golden/` for each output, named after the command and the output.

    Files that end in .xz are compressed. Which files are out of use is for the test to tell: it knows what each command wrote.
    """

    file_extension = ""

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:  # noqa: ARG003
        """Path of the recorded file `index`."""
        return str(GOLDEN / str(index))

    @classmethod
    def matches_test_location(cls, *, test_location: PyTestLocation, snapshot_location: str) -> bool:  # noqa: ARG003
        """Whether a file is a golden."""
        return GOLDEN in Path(snapshot_location).parents

    def discover_snapshots(self, **_options: object) -> SnapshotCollections:
        """Nothing: see above."""
        return SnapshotCollections()

    def serialize(self, data: Any, **_options: object) -> bytes:  # noqa: ANN401
        """Text as it is, anything else as JSON."""
        if isinstance(data, Compressed):
            return json.dumps(data, ensure_ascii=False).encode()
        return (data if isinstance(data, str) else as_text(data) + "\n").encode()

    def read_snapshot_data_from_location(self, *, snapshot_location: str, snapshot_name: str, session_id: str) -> bytes | None:  # noqa: ARG002
        """What was recorded, None if nothing was."""
        file = Path(snapshot_location)
        if not file.exists():
            return None
        return lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()

    @classmethod
    def write_snapshot_collection(cls, *, snapshot_collection: Any, **_options: object) -> None:  # noqa: ANN401
        """Record."""
        file = Path(snapshot_collection.location)
        data = next(iter(snapshot_collection)).data
        file.write_bytes(lzma.compress(data, preset=9) if file.suffix == ".xz" else data)

    def diff_lines(self, serialized_data: bytes, snapshot_data: bytes) -> Iterator[str]:
        """Fields that differ, recorded and new value."""
        yield from differences(as_json(bytes(snapshot_data or b"").decode()), as_json(bytes(serialized_data).decode()))


def golden_name(case: str, name: str, value: Any) -> str:  # noqa: ANN401
    """Path below `tests/golden/` of what is recorded of an output."""
    return f"{case}/{name}{'' if name.endswith(('.txt', '.json')) else '.json'}{'.xz' if isinstance(value, Compressed) else ''}"


# What differs


def fields(value: Any, address: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Every field of a JSON value with its address; lines of files count from 1, as editors do, elements of lists from 0."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from fields(one, f"{address}/{key}" if address else key)
    elif isinstance(value, list) and value:
        start = f"{address.removesuffix('lines')} line " if address.endswith((".txt", "lines")) else ""
        for index, one in enumerate(value):
            yield from fields(one, f"{start}{index + 1}".strip() if start else f"{address}[{index}]")
    else:
        yield address, value


def differences(old: Any, new: Any) -> list[str]:  # noqa: ANN401
    """Fields that differ between two outputs, with the recorded and the new value; texts are compared by line."""
    old, new = ({"lines": value.splitlines()} if isinstance(value, str) else value for value in (old, new))
    before, after = ({address: json.dumps(one, ensure_ascii=False) for address, one in fields(value)} for value in (old, new))
    lines = [
        f"{address or 'all'}: {before.get(address, 'nothing')} -> {after.get(address, 'nothing')}"
        for address in dict.fromkeys([*before, *after])
        if before.get(address) != after.get(address)
    ]
    if not lines:
        lines = [f"another order: {was} -> {now}" for was, now in zip_longest(before, after) if was != now]
    more = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"… and {more:,} more fields"] if more > 0 else [])
