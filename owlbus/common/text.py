"""Text that a terminal can show: control characters as escapes, messages as one line."""

from __future__ import annotations

import re

_BREAKS = re.compile(r"\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")

_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""
    Text as it may be printed and exported: ends of lines and tabs as blanks, other signs that are obeyed as escapes.

    Parameters
    ----------
    text
        A name, or anything else of one line that stands in a foreign file.

    Returns
    -------
    str
        One line in which every sign is shown; the same text if it was so before.

    Examples
    --------
    >>> visible("Gang\x1b[2Jnam\nStation"), visible("강남\u3000역")
    ('Gang\\x1b[2Jnam Station', '강남\u3000역')
    """
    return _OBEYED.sub(lambda found: repr(found[0])[1:-1], _BREAKS.sub(" ", text))


def visible_lines(text: str) -> str:
    r"""
    Text of any number of lines as it may be printed.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        As many lines, each as `visible` shows it.

    Examples
    --------
    >>> visible_lines("first\nsecond\x07")
    'first\nsecond\\x07'
    """
    return "\n".join(map(visible, text.split("\n")))


def shown(value: object) -> object:
    r"""
    What a page puts in one of its places: text as it may be printed, all else as it is.

    Parameters
    ----------
    value
        A number, text, or a part of the page that is whole.

    Returns
    -------
    object
        Plain text as `visible_lines` shows it.

    Examples
    --------
    >>> shown("a\x1b"), shown(1.5)
    ('a\\x1b', 1.5)
    """
    return visible_lines(value) if type(value) is str else value


def escaped(document: str) -> str:
    r"""
    JSON whose strings hold no sign that is obeyed, as JSON escapes it, so that it is read as the same value.

    Parameters
    ----------
    document
        JSON; its own line breaks are kept.

    Returns
    -------
    str
        JSON of the same value.

    Examples
    --------
    >>> escaped('"a\x9bb"')
    '"a\\u009bb"'
    """
    return _OBEYED.sub(lambda found: found[0] if found[0] in "\n\t\r" else f"\\u{ord(found[0]):04x}", document)


_MOST_SIGNS, _HEAD_SIGNS = 900, 600
"""Signs of a message at most, and of its beginning where the middle is left out."""


def one_line(text: str) -> str:
    r"""
    Text as one line that a terminal can show: ends of lines as blanks, signs that steer terminals as escapes, the middle left out if long.

    Parameters
    ----------
    text
        Anything, parts of foreign files included.

    Returns
    -------
    str
        At most 900 signs; the beginning and the end stay, since the end tells the way out.

    Examples
    --------
    >>> one_line("no column \x1b[31mlon\n in the file")
    'no column \\x1b[31mlon  in the file'
    """
    signs = (sign if sign.isprintable() else " " if sign in "\r\n\t" else repr(sign)[1:-1] for sign in text.strip())
    line = "".join(signs)
    if len(line) <= _MOST_SIGNS:
        return line
    return f"{line[:_HEAD_SIGNS]} … {line[_HEAD_SIGNS - _MOST_SIGNS + 3 :]}"
