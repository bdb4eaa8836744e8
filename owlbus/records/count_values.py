"""Text of counts as numbers: separators of thousands and decimal commas, where a column tells which they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.common.errors import DataError

if TYPE_CHECKING:
    import polars as pl

AS_WRITTEN, COMMA_GROUPS, DOT_GROUPS = "", "commas between thousands", "decimal commas"
"""How a column writes counts: 1234.5, 1,234.5 or 1.234,5."""

_BLANKS = "[ '\u2019\u00a0\u2009\u202f]"
_BLANK_GROUPS = rf"^[+-]?\d{{1,3}}(?:{_BLANKS}\d{{3}})+(?:[.,]\d+)?$"
_ONE_GROUP = r"^[+-]?[1-9]\d{0,2}%s\d{3}$"
_GROUPS = r"^[+-]?\d{1,3}(?:(?:%s\d{3})+%s\d+|(?:%s\d{3}){2,})$"
_DECIMALS = r"^[+-]?\d*%s\d+$"
_WITH_COMMAS = r"^[+-]?(?:\d{1,3}(?:,\d{3})+|\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$"
_WITH_DOTS = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"


def count_form(file: str, column: str, rows: pl.LazyFrame, name: str, *, has_commas: bool) -> str:
    """
    Return how a column writes its counts.

    Parameters
    ----------
    file
        File name, for messages.
    column
        The file's own name of the column, for messages.
    rows
        All rows.
    name
        Column of counts.
    has_commas
        Whether the file looks like one with decimal commas: columns are separated by semicolons, or other columns have them.

    Returns
    -------
    str
        `AS_WRITTEN`, `COMMA_GROUPS` or `DOT_GROUPS`.

    Raises
    ------
    DataError
        If counts such as 1.234 or 1,234 may be thousands or decimals, or the column writes counts in both ways.

    Examples
    --------
    >>> import polars as pl
    >>> count_form("pop.csv", "people", pl.LazyFrame({"people": ["845", "1.234,5"]}), "people", has_commas=True)
    'decimal commas'
    """
    import polars as pl

    if rows.collect_schema()[name] != pl.String:
        return AS_WRITTEN
    text = pl.col(name).str.strip_chars()
    one = {mark: text.str.contains(_ONE_GROUP % mark) for mark in (",", r"\.")}
    decimals = {mark: text.str.contains(_DECIMALS % mark) & ~one[mark] for mark in one}
    groups = {mark: text.str.contains(_GROUPS % (mark, other, mark)) for mark, other in ((",", r"\."), (r"\.", ","))}
    seen = {
        "blanks": text.str.contains(_BLANK_GROUPS),
        "point": groups[","] | decimals[r"\."],
        "comma": groups[r"\."] | decimals[","],
        "one_comma": one[","],
        "one_dot": one[r"\."],
        "commas": groups[","],
    }
    found = rows.select(expression.any().alias(key) for key, expression in seen.items()).collect().row(0, named=True)
    if found["point"] and found["comma"]:
        msg = f"{file}: column {column} has numbers with decimal points and others with decimal commas; write all of them in one way"
        raise DataError(msg)
    if found["comma"]:
        return DOT_GROUPS
    if not found["point"] and (found["one_comma"] or (found["one_dot"] and has_commas)):
        mark, what = (",", "comma") if found["one_comma"] else (".", "dot")
        why = f"1{mark}234 may be 1234 or 1.234, and each of its numbers with a {what} has three digits after it"
        msg = f"{file}: column {column} may have thousands or decimals: {why}; write numbers without separators of thousands"
        raise DataError(msg)
    return COMMA_GROUPS if found["commas"] or found["one_comma"] or found["blanks"] else AS_WRITTEN


def plain_counts(values: pl.Expr, form: str) -> pl.Expr:
    """
    Return counts as numbers, missing where a text is none.

    Parameters
    ----------
    values
        Texts.
    form
        `COMMA_GROUPS` or `DOT_GROUPS`.

    Returns
    -------
    Expr
        Numbers, float64.

    Examples
    --------
    >>> import polars as pl
    >>> pl.DataFrame({"n": ["1.234,5", "845", "*"]}).select(plain_counts(pl.col("n"), DOT_GROUPS))["n"].to_list()
    [1234.5, 845.0, None]
    """
    import polars as pl

    text = values.str.strip_chars()
    text = pl.when(text.str.contains(_BLANK_GROUPS)).then(text.str.replace_all(_BLANKS, "")).otherwise(text)
    if form == DOT_GROUPS:
        text = pl.when(text.str.contains(_WITH_DOTS)).then(text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
    else:
        text = pl.when(text.str.contains(_WITH_COMMAS)).then(text.str.replace_all(",", "", literal=True))
    return text.cast(pl.Float64, strict=False)


def has_decimal_commas(head: pl.LazyFrame, name: str) -> bool:
    """
    Return whether columns other than `name` hold numbers with a decimal comma.

    Parameters
    ----------
    head
        First rows of a file.
    name
        Column that is not looked at.

    Returns
    -------
    bool
        True if any value is such a number.
    """
    import polars as pl

    others = pl.selectors.string() - pl.selectors.by_name(name, require_all=False)
    found = head.select(others.str.strip_chars().str.contains(_DECIMALS % ",").any()).collect()
    return any(value for row in found.iter_rows() for value in row)
