"""Column names of road and stop tables, and their one-way flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from owlbus.common.errors import DataError
from owlbus.network.latin_names import LATIN_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SYNONYMS = {
    "node_id": ("stop_id",),
    "from_node": ("from_stop", "from_stop_id"),
    "to_node": ("to_stop", "to_stop_id"),
    "length_m": ("metres", "meters", "distance_m"),
    "lon": ("stop_lon", "longitude"),
    "lat": ("stop_lat", "latitude"),
    "name": ("stop_name",),
}
"""Further names of a column."""

_BEST_FIRST = {"name_latin": LATIN_COLUMNS[1:]}
"""Further names of a column of which a table may have several; the first one counts."""

_YES, _NO = frozenset({"1", "1.0", "yes", "true", "t", "y"}), frozenset({"", "0", "0.0", "no", "false", "f", "n"})


def rename_columns(frame: Any, columns: tuple[str, ...], title: str) -> Any:  # noqa: ANN401  # polars frames
    """
    Return a table with other usual names of its columns replaced by those of owlbus.

    Parameters
    ----------
    frame
        polars frame.
    columns
        Names of the columns that are looked for.
    title
        Name of the table in messages.

    Returns
    -------
    polars.DataFrame
        The same rows; columns that have their name already stay.

    Raises
    ------
    DataError
        If two columns fit one name.
    """
    names = {}
    for column, others in _BEST_FIRST.items():
        found = next((name for name in others if name in frame.columns), None)
        if column in columns and column not in frame.columns and found is not None:
            names[found] = column
    for column in columns:
        fitting = [name for name in _SYNONYMS.get(column, ()) if name in frame.columns and name not in columns]
        if column in frame.columns or not fitting:
            continue
        if len(fitting) > 1:
            msg = f"{title}: {' and '.join(fitting)} may both be the column {column}; rename the right one to {column}"
            raise DataError(msg)
        names[fitting[0]] = column
    return frame.rename(names)


def is_oneway(table: dict[str, Any], title: str) -> NDArray[np.bool_]:
    """
    Return whether each link is driven in its own direction only.

    Parameters
    ----------
    table
        Columns as text, perhaps with ``oneway``.
    title
        Name of the table in messages.

    Returns
    -------
    ndarray of bool
        Shape (m,); all False without the column.

    Raises
    ------
    DataError
        If a value is neither yes nor no.
    """
    if "oneway" not in table:
        return np.zeros(len(table["length_m"]), np.bool_)
    values = [text.strip().lower() for text in table["oneway"].fill_null("").to_list()]
    unknown = [row for row, text in enumerate(values) if text not in _YES | _NO]
    if unknown:
        msg = (
            f"{title}: oneway must be 1 or 0, got {values[unknown[0]][:20]!r} in row {unknown[0] + 1} ({len(unknown)} such rows); mend them"
        )
        raise DataError(msg)
    return np.array([text in _YES for text in values], dtype=np.bool_)
