"""Shares on the command line: 0.42, or 42%."""

from __future__ import annotations

from owlbus.common.errors import UsageError

_LEAST_MEANT = 2
"""Numbers from here on are probably meant as percent."""


def share_of(text: str | float) -> float:
    """
    Share from the text of an option.

    Parameters
    ----------
    text
        A number, or a percentage with its sign; a number without the sign is never percent.

    Returns
    -------
    float
        The share; the option checks its range.

    Raises
    ------
    ValueError
        If it is neither; the parser of options expects this type.

    Examples
    --------
    >>> share_of("0.42"), share_of("42%"), share_of("42 %")
    (0.42, 0.42, 0.42)
    """
    number, is_percent = str(text).strip(), False
    if number.endswith("%"):
        number, is_percent = number[:-1], True
    try:
        value = float(number)
    except ValueError:
        msg = f"it must be a share, such as 0.1 or 10%, got {text!r}"
        raise ValueError(msg) from None
    return value / 100 if is_percent else value


def starts_of(text: str | int) -> int | str:
    """
    Return the starts of a search from the text of an option.

    Parameters
    ----------
    text
        A whole number, or ``auto``.

    Returns
    -------
    int or str
        The number, whose range the search checks, or ``auto``.

    Raises
    ------
    ValueError
        If it is neither; the parser of options expects this type.

    Examples
    --------
    >>> starts_of("4"), starts_of("auto")
    (4, 'auto')
    """
    word = str(text).strip()
    if word == "auto":
        return word
    try:
        return int(word)
    except ValueError:
        msg = f"it must be a whole number or auto, got {text!r}"
        raise ValueError(msg) from None


def shares_of(name: str, text: str) -> tuple[float, ...]:
    """
    Shares from a list with commas.

    Parameters
    ----------
    name
        The option.
    text
        Such as ``0.1`` or ``5%,10%,20%``.

    Returns
    -------
    tuple of float
        Shares 0 to 1, ascending and each once.

    Raises
    ------
    UsageError
        If a value is no share, 0 to 1.

    Examples
    --------
    >>> shares_of("--change", "20%,0.05,5%")
    (0.05, 0.2)
    """
    try:
        shares = tuple(sorted({share_of(part) for part in text.split(",")}))
    except ValueError:
        msg = f"{name} must be shares, such as 0.1 or 5%,10%,20%, got {text!r}"
        raise UsageError(msg) from None
    for share in shares:
        require_share(name, share)
    return shares


def require_share(name: str, value: float | None) -> None:
    """Refuse a `value` of option `name` outside 0 to 1."""
    if value is not None and not 0 <= value <= 1:
        meant = value if _LEAST_MEANT <= value <= 100 else 42  # noqa: PLR2004 - percent; what people may have meant, or an example
        msg = f"{name} must lie in [0, 1], got {value:g}; {meant:g} % reads {meant / 100:g} or {meant:g}%"
        raise UsageError(msg)
