"""Ids of zones: how records and a table of zones write the same id, and which column of a table holds them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from owlbus.common.errors import DataError, setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

NO_ZONE, UNKNOWN_ZONE = -3, -4
"""Index of a row that names no zone, or one that the table does not have."""

_LEAST_FIT = 0.9
_MOST_SLOTS = 1 << 20
_MOST_DIGITS = 18
_NUMBER = re.compile(r"0*(\d+)")
_SHOWN_COLUMNS = 12

_KNOWN_NAMES = (
    "locationid locid zoneid tazid taz zone zonenr zonenumber cellid squareid geoid geoid10 geoid20 areanumbe areanum1 communityarea "
    "communityareanumber areanumber tractce geoidfq msoa11cd lsoa11cd msoa21cd lsoa21cd oa21cd admcd admcd2 admcd8 emdcd hcode bcode "
    "dongcode dongcd hdongcd blockid traffczone verkehrszelle plrid raumid iris codeiris inseecom sa2main21 sa2code21 meshcode"
)
_KNOWN = frozenset(_KNOWN_NAMES.split())
"""Names by which publishers know ids of zones, in lower case, letters and digits only."""

_GENERIC = ("id", "code", "key", "name", "cd", "nr", "number")


@dataclass(frozen=True, slots=True)
class IdIndex:
    """
    Index of zones by id.

    Ids are equal if their texts are: 7, ``"7"``, 7.0 and ``" 7 "``. A number with other leading zeros, such as ``"007"``, is equal
    only if no id has the same text and exactly one has the same number.

    Attributes
    ----------
    exact
        Index by text.
    loose
        Index by text without leading zeros, where only one id has that number.
    first_number
        Number of the first entry of `by_number`.
    by_number
        Index by number, int32, empty if the numbers span too wide a range.
    """

    exact: Mapping[str, int]
    loose: Mapping[str, int]
    first_number: int
    by_number: NDArray[np.int32]

    @classmethod
    def of(cls, ids: Sequence[str]) -> IdIndex:
        """Return the index of unique `ids`, in order."""
        exact = {text: index for index, text in enumerate(ids)}
        bare = [(match[1], index) for text, index in exact.items() if (match := _NUMBER.fullmatch(text)) and len(match[1]) <= _MOST_DIGITS]
        n_ids = Counter(text for text, _ in bare)
        loose = {text: index for text, index in bare if n_ids[text] == 1}
        numbers = {int(text): exact.get(text, loose.get(text, UNKNOWN_ZONE)) for text, _ in bare}
        low, high = min(numbers, default=0), max(numbers, default=0)
        table = np.full(high - low + 1 if numbers and high - low < _MOST_SLOTS else 0, UNKNOWN_ZONE, dtype=np.int32)
        if table.size:
            table[np.array(list(numbers)) - low] = list(numbers.values())
        return cls(exact, loose, low, table)

    def lookup(self, ids: pl.Series) -> NDArray[np.int32]:
        """
        Return the zone of each id.

        Parameters
        ----------
        ids
            Ids as text or numbers, length n.

        Returns
        -------
        ndarray of int32
            Index of the zone, shape (n,), `NO_ZONE` where the id is missing and `UNKNOWN_ZONE` where there is no such zone.
        """
        numbers = _whole_numbers(ids) if self.by_number.size else None
        return self._of_numbers(numbers) if numbers is not None else self._of_texts(ids)

    def of_text(self, text: str) -> int:
        """Return the zone of one id in plain text, as `id_texts` returns it."""
        if text in self.exact:
            return self.exact[text]
        match = _NUMBER.fullmatch(text)
        return self.loose.get(match[1], UNKNOWN_ZONE) if match else UNKNOWN_ZONE

    def _of_numbers(self, numbers: pl.Series) -> NDArray[np.int32]:
        """Return the zone of each whole number."""
        values = (numbers.fill_null(self.first_number) if numbers.null_count() else numbers).to_numpy() - self.first_number
        outside = (values < 0) | (values >= self.by_number.size)
        if outside.any():
            zones = np.where(outside, UNKNOWN_ZONE, self.by_number[np.where(outside, 0, values)]).astype(np.int32)
        else:
            zones = self.by_number[values]
        if numbers.null_count():
            zones = np.where(numbers.is_null().to_numpy(), NO_ZONE, zones).astype(np.int32)
        return zones

    def _of_texts(self, ids: pl.Series) -> NDArray[np.int32]:
        """Return the zone of each id by its text; distinct ids are looked up once."""
        import polars as pl

        texts = id_texts(ids)
        distinct = texts.drop_nulls().unique()
        zones = pl.Series([self.of_text(text) for text in distinct.to_list()], dtype=pl.Int32)
        if not len(distinct):
            return np.full(len(ids), NO_ZONE, dtype=np.int32)
        found: NDArray[np.int32] = texts.replace_strict(distinct, zones, default=NO_ZONE, return_dtype=pl.Int32).to_numpy()
        return found


def _whole_numbers(ids: pl.Series) -> pl.Series | None:
    """Return ids as int64 if all that are not missing are whole numbers; else None."""
    import polars as pl

    dtype = ids.dtype
    if dtype == pl.Int64:
        return ids
    if dtype.is_integer() and dtype not in {pl.UInt64, pl.Int128}:
        return ids.cast(pl.Int64)
    if dtype.is_float():
        numbers = ids.cast(pl.Float64).fill_nan(None)
        is_whole = ((numbers == numbers.round()) & (numbers.abs() < 2**53)).all()
        return numbers.cast(pl.Int64, strict=False) if is_whole else None
    if dtype == pl.String:
        texts = ids.str.strip_chars()
        numbers = texts.cast(pl.Int64, strict=False)
        # Text with leading zeros may be the id of another zone than its number.
        plain = numbers.null_count() == ids.null_count() and not bool(texts.str.contains(r"^[+-]|^0\d").any())
        return numbers if plain else None
    return None


def id_texts(ids: pl.Series) -> pl.Series:
    """
    Return ids as plain text: without spaces around, whole numbers without ``.0``.

    Parameters
    ----------
    ids
        Ids of any type.

    Returns
    -------
    Series
        Text, null where the id is missing or blank.
    """
    import polars as pl

    if ids.dtype.is_float():
        ids = ids.fill_nan(None)
    if ids.dtype == pl.Binary:
        ids = pl.Series([None if value is None else value.decode("utf-8", "replace") for value in ids.to_list()], dtype=pl.String)
    texts = ids.cast(pl.String, strict=False).str.strip_chars().str.replace(r"^(-?\d+)\.0*$", "${1}")
    return texts.set(texts == "", None)


def choose_id_column(name: str, columns: Mapping[str, Sequence[str | None]], ids: pl.Series) -> str:
    """
    Return the column of a table of zones that holds the ids of the records.

    Parameters
    ----------
    name
        Name of the table, for messages.
    columns
        Ids of each row of the table as plain text, by column.
    ids
        Ids in the records, or in a sample of them, as plain text; repeated as often as they occur.

    Returns
    -------
    str
        The one column that has at least 90 % of the ids; of several, the one by whose name publishers know ids of zones.

    Raises
    ------
    DataError
        If no column fits, or several do.
    """
    ids = ids.drop_nulls()
    fits = {column: _fit(values, ids) for column, values in columns.items()}
    fitting = [column for column, share in fits.items() if share >= _LEAST_FIT]
    for names in (_KNOWN, _GENERIC):
        known = [column for column in fitting if _bare(column) in names]
        if len({tuple(columns[column]) for column in known}) == 1:
            return known[0]
        if known:
            fitting = known
            break
    if len({tuple(columns[column]) for column in fitting}) == 1:
        return fitting[0]
    if not fitting:
        known = [column for column in columns if _bare(column) in _KNOWN and fits[column] > 0]
        if len(known) == 1:  # rows of the other ids are rejected and reported
            return known[0]
        raise DataError(_no_fit(name, columns, ids), setting="zone_id")
    listed = ", ".join(fitting[:_SHOWN_COLUMNS])
    msg = f"{name}: columns {listed} have the ids of the records; say which with {setting('zone_id', fitting[0])}"
    raise DataError(msg, setting="zone_id", allowed=tuple(fitting))


def have_ids(columns: Mapping[str, Sequence[str | None]], ids: pl.Series) -> bool:
    """
    Return whether any column of a table of zones has the ids.

    Parameters
    ----------
    columns
        Ids of each row of the table as plain text, by column.
    ids
        Values that may be ids, as plain text.

    Returns
    -------
    bool
        True if one has at least 90 % of them; False if there are none.
    """
    ids = ids.drop_nulls()
    return len(ids) > 0 and any(_fit(values, ids) >= _LEAST_FIT for values in columns.values())


def require_fit(name: str, column: str, values: Sequence[str | None], ids: pl.Series) -> None:
    """
    Reject a column of a table of zones that has no id of the records.

    Parameters
    ----------
    name
        Name of the table, for messages.
    column
        The column.
    values
        Its ids as plain text.
    ids
        Ids in the records, or in a sample of them, as plain text.

    Raises
    ------
    DataError
        If there are ids in the records and the column has none of them.
    """
    ids = ids.drop_nulls()
    if len(ids) and not _fit(values, ids):
        raise DataError(_no_fit(name, {column: values}, ids), setting="zone_id", value=column)


def _fit(values: Sequence[str | None], ids: pl.Series) -> float:
    """Return the share of distinct ids, or of all ids if it is more, that a column has."""
    if not len(ids):
        return 1.0
    index = IdIndex.of(list(dict.fromkeys(value for value in values if value is not None)))
    counts = ids.value_counts()
    known = np.array([index.of_text(text) >= 0 for text in counts[ids.name].to_list()])
    return float(max(known.mean(), counts["count"].to_numpy()[known].sum() / len(ids)))


def _no_fit(name: str, columns: Mapping[str, Sequence[str | None]], ids: pl.Series) -> str:
    """Return the message for a table without the ids of the records: their shape, and the columns tried."""
    shapes = ids.str.replace_all(r"\d", "9").str.replace_all(r"\p{L}", "a").value_counts(sort=True)
    shape = str(shapes[ids.name][0]) if len(shapes) else ""
    tried = ", ".join(list(columns)[:_SHOWN_COLUMNS]) + (" and others" if len(columns) > _SHOWN_COLUMNS else "")
    wanted = f"ids such as {shape}"
    column = setting("zone_id", "COLUMN")
    if not columns:
        return f"{name}: has no column that could hold ids of zones; records name them by {wanted}; name the column with {column}"
    return (
        f"{name}: no column has the {wanted} of the records, tried {tried}; name the column with {column}, or give the table of these zones"
    )


def _bare(column: str) -> str:
    """Return a column name in lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", column.lower())
