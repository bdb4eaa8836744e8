"""Libraries that come with an extra: loaded where they are used, and refused with the way to them where they are absent."""

from __future__ import annotations

import importlib
from typing import Any

from owlbus.common.errors import UsageError


def extra_library(name: str, needs: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """
    Library that not everybody has.

    Parameters
    ----------
    name
        Module to import.
    needs
        What needs which library, such as ``to_networkx needs networkx``; may hold marks of `owlbus.common.errors`.
    extra
        Extra of owlbus that brings it.

    Returns
    -------
    module
        The library.

    Raises
    ------
    UsageError
        If it is not installed.

    Examples
    --------
    >>> extra_library("json", "this example needs json", "none").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        msg = f"{needs}, which is not installed; add it with: pip install 'owlbus[{extra}]'"
        raise UsageError(msg) from None
