"""
Argument types of kernels as text, in the file that lists what is compiled ahead.

``i4[1C]`` is an array of int32 in one dimension, C-contiguous, ``i4[1C!]`` a read-only one; ``f8`` a number; ``=0`` the literal 0;
``structs.Graph(i8[1C!] …)`` a named tuple of `owlbus.kernels.structs`, and ``(i8 i8)`` a tuple.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import numba.types

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

types: Any = numba.types

_NUMBERS = {
    **{f"{kind}{bits // 8}": f"{name}{bits}" for kind, name in (("i", "int"), ("u", "uint")) for bits in (8, 16, 32, 64)},
    "f4": "float32",
    "f8": "float64",
    "b1": "boolean",
}
_CODES = {name: code for code, name in _NUMBERS.items()}
_CODES["bool"] = "b1"
_TOKEN = re.compile(r"\s*([\w.]*\(|\)|[^\s()]+)")
_ARRAY = re.compile(r"(\w\d)\[(\d)([CFA])(!?)\]")


def types_as_text(kinds: Sequence[Any]) -> str:
    """
    Write argument types as text.

    Parameters
    ----------
    kinds
        Types of numba.

    Returns
    -------
    str
        The types, separated by spaces.

    Raises
    ------
    TypeError
        If a type has no text.

    Examples
    --------
    >>> types_as_text([types.int32[::1], types.float64])
    'i4[1C] f8'
    """
    return " ".join(_type_as_text(kind) for kind in kinds)


def types_from_text(text: str) -> tuple[Any, ...]:
    """
    Read argument types from text.

    Parameters
    ----------
    text
        Types as `types_as_text` writes them.

    Returns
    -------
    tuple
        Types of numba.

    Raises
    ------
    ValueError
        If the text is no list of types, or names a struct that is unknown.

    Examples
    --------
    >>> types_from_text("i4[1C!] =0")
    (Array(int32, 1, 'C', True, aligned=True), Literal[int](0))
    """
    if text.count("(") != text.count(")"):
        msg = f"types must have as many ( as ), got {text!r}"
        raise ValueError(msg)
    return tuple(_read_types(iter(_TOKEN.findall(text))))


def _type_as_text(kind: Any) -> str:  # noqa: ANN401 - types of numba
    """Return one type as text."""
    match kind:
        case types.Array(aligned=True):
            return f"{_CODES[str(kind.dtype)]}[{kind.ndim}{kind.layout}{'' if kind.mutable else '!'}]"
        case types.IntegerLiteral():
            return f"={kind.literal_value}"
        case types.BaseTuple():
            struct = getattr(kind, "instance_class", None)
            name = f"{struct.__module__.rpartition('.')[2]}.{struct.__name__}" if struct else ""
            return f"{name}({types_as_text(list(kind))})"
        case types.Integer() | types.Float() | types.Boolean():
            return _CODES[str(kind)]
    msg = f"types must be numbers, arrays and tuples of them, got {kind}"
    raise TypeError(msg)


def _read_types(tokens: Iterator[str]) -> Iterator[Any]:
    """Yield types up to the parenthesis that closes them, or to the end."""
    for word in tokens:
        if word == ")":
            return
        yield _read_tuple(word[:-1], tokens) if word.endswith("(") else _read_type(word)


def _read_tuple(name: str, tokens: Iterator[str]) -> Any:  # noqa: ANN401 - types of numba
    """Return a tuple, or the named tuple of a module of kernels."""
    module, _, struct = name.rpartition(".")
    kinds = tuple(_read_types(tokens))
    if not name:
        return types.BaseTuple.from_types(kinds)
    try:
        return types.BaseTuple.from_types(kinds, getattr(importlib.import_module(f"owlbus.kernels.{module}"), struct))
    except (ImportError, AttributeError) as error:
        msg = f"types must name structs of owlbus.kernels, got {name}"
        raise ValueError(msg) from error


def _read_type(word: str) -> Any:  # noqa: ANN401 - types of numba
    """Return one type that is no tuple."""
    array = _ARRAY.fullmatch(word)
    if array is not None:
        return types.Array(getattr(types, _NUMBERS[array[1]]), int(array[2]), array[3], readonly=bool(array[4]))
    if word.startswith("="):
        return types.literal(int(word[1:]))
    if word not in _NUMBERS:
        msg = f"types must be numbers such as i8 or f4, arrays such as i4[1C], or tuples, got {word!r}"
        raise ValueError(msg)
    return getattr(types, _NUMBERS[word])
