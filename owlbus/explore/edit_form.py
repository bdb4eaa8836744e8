"""The form of an edit as the page sends it, checked before anything is done with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from owlbus.common.text import visible
from owlbus.explore.explore_words import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_STOPS = 2_000
"""Stops of one route at most."""

MOST_ROUTES = 200
"""Routes of an edited plan at most."""

_MOST_LETTERS = 80
_MOST_INDEX = 2**31 - 1
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_KEY = re.compile(r"r[1-9][0-9]{0,8}")


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_INDEX


def _is_row(value: object, least: int = 1) -> bool:
    return isinstance(value, list) and least <= len(value) <= MOST_STOPS and all(map(_is_index, value))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= len(value) <= _MOST_LETTERS and visible(value) == value


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _is_changes(value: object) -> bool:
    if not isinstance(value, dict) or not 0 < len(value) <= MOST_ROUTES:
        return False
    return all(_is_key(key) and (row is None or _is_row(row, 2)) for key, row in value.items())


_CHECKS: dict[str, Callable[[object], bool]] = {
    "route": _is_key,
    "other": _is_key,
    "position": _is_index,
    "stop": _is_index,
    "end": lambda value: isinstance(value, str) and value in {"first", "last"},
    "stops": _is_row,
    "way": lambda value: _is_row(value, 2),
    "name": _is_name,
    "label": _is_name,
    "colour": lambda value: isinstance(value, str) and _COLOUR.fullmatch(value) is not None,
    "locked": lambda value: isinstance(value, bool),
    "changes": _is_changes,
}

FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "move_stop": (("route", "position", "stop"), ()),
    "insert_stop": (("route", "position", "stop"), ()),
    "delete_stop": (("route", "position"), ()),
    "extend": (("route", "end", "stop"), ()),
    "cut": (("route", "end", "position"), ()),
    "new_route": (("stops",), ("name", "way")),
    "drop": (("route",), ()),
    "duplicate": (("route",), ()),
    "rename": (("route", "name"), ()),
    "recolour": (("route", "colour"), ()),
    "lock": (("route", "locked"), ()),
    "reverse": (("route",), ()),
    "split": (("route", "position"), ()),
    "join": (("route", "other", "stop"), ()),
    "set_stops": (("changes", "label"), ()),
}
"""Members of each kind of edit: those that it must have, and those that it may have."""


def checked_edit(message: object) -> Mapping[str, Any]:
    """
    Check the form of an edit.

    Parameters
    ----------
    message
        What the page sent.

    Returns
    -------
    mapping
        The same; members that are null and may be absent are left out.

    Raises
    ------
    EditError
        If it is no edit, or a member is missing, unknown, or of another form.
    """
    kind = message.get("kind") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(kind, str) or kind not in FORMS:
        raise EditError(key="form.kind", kinds=", ".join(FORMS))
    required, optional = FORMS[kind]
    edit = {name: value for name, value in message.items() if not (name in optional and value is None)}
    for name in required:
        if name not in edit:
            raise EditError(key="form.missing", kind=kind, name=name)
    for name, value in edit.items():
        if name == "kind":
            continue
        if name not in (*required, *optional):
            raise EditError(key="form.unknown", kind=kind, name=visible(str(name))[:_MOST_LETTERS])
        if not _CHECKS[name](value):
            raise EditError(key=f"form.{name}", kind=kind)
    return edit


def routes_of(edit: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the routes that a checked `edit` is about."""
    named = [edit[name] for name in ("route", "other") if name in edit]
    return (*named, *edit.get("changes", {}))
