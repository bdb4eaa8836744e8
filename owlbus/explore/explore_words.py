"""Sentences of the explore page that the server writes, in the reader's language."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import UsageError
from owlbus.network.latin_names import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class NamedStop:
    """
    A stop in a sentence, whose name depends on the reader's language.

    Attributes
    ----------
    network
        The network of the stop.
    stop
        Stop index.
    """

    network: Network
    stop: int

    def text(self, language: str) -> str:
        """Return the name of the stop in a `language`."""
        return display_name(self.network, self.stop, language, short=True)


def sentence(language: str, key: str, **values: object) -> str:
    """
    Sentence of a key with values filled in.

    Parameters
    ----------
    language
        ``en`` or ``ko``.
    key
        Such as ``edit.drop``.
    **values
        What stands in braces: text, numbers as they shall read, or a `NamedStop`.

    Returns
    -------
    str
        Plain text; the page escapes it.

    Examples
    --------
    >>> sentence("en", "edit.drop", route="N10")
    'N10 dropped'
    """
    text = str(_table(language)[key])
    said = {name: value.text(language) if isinstance(value, NamedStop) else value for name, value in values.items()}
    return text.format(**said) if said else text


@cache
def _table(language: str) -> Mapping[str, str]:
    """Sentences of a language by key."""
    file = resources.files("owlbus.explore").joinpath("assets", f"session.{language}.json")
    table: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return table


class EditError(UsageError):
    """
    An edit that does not fit the plan.

    Parameters
    ----------
    key
        Of the sentence that says why.
    **values
        What stands in its braces.
    """

    def __init__(self, key: str, **values: Any) -> None:  # noqa: ANN401 - text or numbers
        self.key, self.values = key, values
        super().__init__(sentence("en", key, **values))

    def text(self, language: str) -> str:
        """Return the sentence in a `language`, ``en`` or ``ko``."""
        return sentence(language, self.key, **self.values)
