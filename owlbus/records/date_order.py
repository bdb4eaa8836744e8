"""Whether day or month comes first in dates such as 03/06/2024: told by the whole file, or asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.common.errors import DataError, setting
from owlbus.common.units import DAY_S
from owlbus.records.time_texts import DATE_PATTERNS, PATTERNS, text_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

ORDERS = ("DMY", "MDY")
"""Orders of day and month before the year."""

_CROSSING_ROWS = 10_000


def decide_order(file: str, columns: Mapping[str, str], shape: str, frame: pl.LazyFrame, date_order: str | None) -> str:
    """
    Return the order of day and month of the columns of a file.

    A day above 12 in any row of any column settles it; else rides that pass midnight do, as they end on the next day in one order and
    weeks away in the other; else the user is asked.

    Parameters
    ----------
    file
        File name, for messages.
    columns
        Columns with such dates: name in the file by owlbus' name.
    shape
        What dates look like, for messages.
    frame
        Rows of the file.
    date_order
        Order that the user says; None to find out.

    Returns
    -------
    str
        ``DMY`` or ``MDY``.

    Raises
    ------
    DataError
        If values contradict each other or the user, or nothing settles the order.
    """
    n_first, n_second = _settling_rows(columns, frame)
    named = " and ".join(columns.values())
    where = f"{file}: dates in column{'s' * (len(columns) > 1)} {named} look like {shape}"
    if n_first and n_second:
        msg = f"{where}, with the day first in {n_first:,} values and the month first in {n_second:,}; write all dates in one order"
        raise DataError(msg, setting="date_order")
    order = "DMY" if n_first else "MDY" if n_second else _order_of_rides(columns, frame)
    settled = "DMY" if n_first else "MDY" if n_second else None
    if date_order is not None and settled not in {None, date_order}:
        msg = f"{where}, and {n_first + n_second:,} values can only be {settled}, got {setting('date_order', date_order)}"
        raise DataError(msg, setting="date_order", value=date_order)
    if date_order is None and order is None:
        msg = (
            f"{where}, and no value settles whether day or month comes first; say which with {setting('date_order', 'DMY')} or "
            f"{setting('date_order', 'MDY')}"
        )
        raise DataError(msg, setting="date_order")
    return date_order or str(order)


def _settling_rows(columns: Mapping[str, str], frame: pl.LazyFrame) -> tuple[int, int]:
    """Return the number of values that can only be DMY, and of those that can only be MDY."""
    import polars as pl

    totals = []
    for role in columns:
        text = pl.col(role).cast(pl.String).str.strip_chars()
        patterns = DATE_PATTERNS if role == "date" else PATTERNS
        day_first, month_first = (text.str.contains(patterns[order][0]) for order in ORDERS)
        totals += [(day_first & ~month_first).sum().alias(f"DMY {role}"), (month_first & ~day_first).sum().alias(f"MDY {role}")]
    found = frame.select(totals).collect(engine="streaming").row(0, named=True)
    day_first_rows, month_first_rows = (sum(found[f"{order} {role}"] for role in columns) for order in ORDERS)
    return day_first_rows, month_first_rows


def _order_of_rides(columns: Mapping[str, str], frame: pl.LazyFrame) -> str | None:
    """Return the order in which rides that pass midnight end within a day, if it is one."""
    import polars as pl

    roles = [role for role in columns if role != "date"]
    if len(roles) < 2:  # noqa: PLR2004 - start and end
        return None
    dates = [pl.col(role).cast(pl.String).str.extract(r"^\s*(\S+)") for role in roles]
    rides = frame.select(roles).filter(dates[0] != dates[1]).head(_CROSSING_ROWS).collect()
    good = {}
    for order in ORDERS:
        start, end = (_moments(rides, role, order) for role in roles)
        good[order] = int((end - start).is_between(0, DAY_S).sum())
    best, other = sorted(ORDERS, key=lambda order: -good[order])
    return best if good[best] > 0.95 * rides.height and good[other] < 0.05 * rides.height else None


def _moments(rides: pl.DataFrame, role: str, order: str) -> pl.Series:
    """Return seconds since 1970 of the times in a column, in one order."""
    parts = text_parts(rides.lazy(), role, PATTERNS[order]).collect()
    return parts["day"] * DAY_S + parts["clock"]
