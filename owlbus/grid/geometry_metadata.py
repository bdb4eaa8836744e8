"""What a Parquet file says about its columns with geometry: which is the main one, and their reference systems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_DEFAULT = "OGC:CRS84"


def geometry_systems(path: Path) -> dict[str, str]:
    """
    Return the reference system of each geometry column that a Parquet file describes.

    Parameters
    ----------
    path
        Parquet file, with GeoParquet metadata or GeoArrow types, or without.

    Returns
    -------
    dict
        System by column, the primary column first; columns whose system is said to be unknown have an empty text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return {}
    found = {}
    for field in schema:
        metadata = field.metadata or {}
        if metadata.get(b"ARROW:extension:name", b"").startswith(b"geoarrow."):
            found[field.name] = _system(_object(metadata.get(b"ARROW:extension:metadata")).get("crs"))
    about = _object((schema.metadata or {}).get(b"geo"))
    columns = about.get("columns")
    for name, column in (columns if isinstance(columns, dict) else {}).items():
        found[name] = _system(column.get("crs", _DEFAULT) if isinstance(column, dict) else None)
    primary = about.get("primary_column")
    return {primary: found[primary], **found} if isinstance(primary, str) and primary in found else found


def _object(text: bytes | None) -> dict[str, Any]:
    """Return a JSON object, empty for any other text."""
    try:
        value = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _system(crs: Any) -> str:  # noqa: ANN401 - what JSON holds
    """Return a system as text, by its code if it has one; empty if it is unknown."""
    import pyproj
    from pyproj.exceptions import CRSError

    if crs is None:
        return ""
    try:
        system = pyproj.CRS.from_user_input(crs)
    except (CRSError, TypeError, ValueError):
        return ""
    authority = system.to_authority()
    return ":".join(authority) if authority else str(system.to_wkt())
