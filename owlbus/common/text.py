"""
Make text safe to show.

Escape control characters and spreadsheet formulas, and shorten messages to one line.
"""

from __future__ import annotations

import re

_BREAKS = re.compile(r"\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

_FORMULA = tuple("=+-@\t\r\n")
"""Characters that begin a formula in a spreadsheet."""

_MOST_SHAPE = 40


def decoded(data: bytes) -> str:
    """
    Decode UTF-8 or UTF-16.

    Parameters
    ----------
    data
        Bytes of a text, with a byte order mark or without; UTF-16 needs one.

    Returns
    -------
    str
        The text without its byte order mark.

    Raises
    ------
    UnicodeDecodeError
        If it is neither.
    """
    is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if is_wide else "utf-8-sig")


def visible(text: str) -> str:
    r"""
    Replace line ends and tabs by spaces, and escape other control characters.

    Parameters
    ----------
    text
        Text of one line.

    Returns
    -------
    str
        One line of visible characters.

    Examples
    --------
    >>> visible("Gang\x1b[2Jnam\nStation"), visible("강남\u3000역")
    ('Gang\\x1b[2Jnam Station', '강남\u3000역')
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], _BREAKS.sub(" ", text))


def visible_lines(text: str) -> str:
    r"""
    Apply `visible` to each line of a text.

    Parameters
    ----------
    text
        Text of any number of lines.

    Returns
    -------
    str
        The same number of lines.

    Examples
    --------
    >>> visible_lines("first\nsecond\x07")
    'first\nsecond\\x07'
    """
    return "\n".join(map(visible, text.split("\n")))


def page_value(value: object) -> object:
    r"""
    Escape control characters in a template value; other types pass unchanged.

    Parameters
    ----------
    value
        Number, text or markup.

    Returns
    -------
    object
        Plain text after `visible_lines`; anything else as it is.

    Examples
    --------
    >>> page_value("a\x1b"), page_value(1.5)
    ('a\\x1b', 1.5)
    """
    return visible_lines(value) if type(value) is str else value


def escape_json(document: str) -> str:
    r"""
    Escape control characters in JSON text; its value stays the same.

    Parameters
    ----------
    document
        JSON; line breaks between values are kept.

    Returns
    -------
    str
        JSON of the same value.

    Examples
    --------
    >>> escape_json('"a\x9bb"')
    '"a\\u009bb"'
    """
    return _CONTROL.sub(lambda match: match[0] if match[0] in "\n\t\r" else f"\\u{ord(match[0]):04x}", document)


_MAX_CHARACTERS, _HEAD_CHARACTERS = 900, 600
"""Most characters of a message, and characters kept before the ellipsis."""


def one_line(text: str) -> str:
    r"""
    Return text as one printable line, shortened in the middle if it is long.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        At most 900 characters; the beginning and the end, which holds the remedy, are kept.

    Examples
    --------
    >>> one_line("no column \x1b[31mlon\n in the file")
    'no column \\x1b[31mlon  in the file'
    """
    line = visible(text.strip())
    if len(line) <= _MAX_CHARACTERS:
        return line
    return f"{line[:_HEAD_CHARACTERS]} … {line[_HEAD_CHARACTERS - _MAX_CHARACTERS + 3 :]}"


def how_many(number: int, one: str) -> str:
    """
    Number of things in English.

    Parameters
    ----------
    number
        How many there are.
    one
        What one of them is called; several take an s, or es after s and x.

    Returns
    -------
    str
        Number with commas between thousands, and the word that fits it.

    Examples
    --------
    >>> how_many(1, "bus"), how_many(0, "route"), how_many(1200, "hex")
    ('1 bus', '0 routes', '1,200 hexes')
    """
    several = f"{one}es" if one.endswith(("s", "x")) else f"{one}s"
    return f"{number:,} {one if number == 1 else several}"


def escape_formula(value: object) -> object:
    """
    Escape text that a spreadsheet would read as a formula.

    Parameters
    ----------
    value
        Text or number.

    Returns
    -------
    object
        The value; text that starts like a formula gets a leading apostrophe.

    Examples
    --------
    >>> escape_formula("=1+1"), escape_formula("Sadang"), escape_formula(-1)
    ("'=1+1", 'Sadang', -1)
    """
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ")[:1] in _FORMULA else value


def shape_of_text(value: object) -> str:
    """
    Return the shape of a value, which shows its form and not its content.

    Parameters
    ----------
    value
        Any value; None and empty text are ``(empty)``.

    Returns
    -------
    str
        Digits as 9, letters as a, at most 40 characters, other signs as they are.

    Examples
    --------
    >>> shape_of_text("2013-03-02 01:10:00 Uhr")
    '9999-99-99 99:99:99 aaa'
    """
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = "" if value is None else str(value)
    signs = ("9" if sign.isdigit() else "a" if sign.isalpha() else sign for sign in text[:_MOST_SHAPE])
    shape = visible("".join(signs)) + ("..." if len(text) > _MOST_SHAPE else "")
    return shape or "(empty)"


def file_name(path: str) -> str:
    r"""
    Return the last part of a path, however the system writes paths.

    Parameters
    ----------
    path
        The path; what follows it, such as a line, is kept.

    Returns
    -------
    str
        The part after the last slash or backslash that is not at the end; text without any as it is.

    Examples
    --------
    >>> file_name("nights/calls.csv, line 3"), file_name(r"C:\nights\calls.csv"), file_name("calls.csv")
    ('calls.csv, line 3', 'calls.csv', 'calls.csv')
    """
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] if "/" in path or "\\" in path else path
