"""Optional libraries: imported where they are used, with a clear error if they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from owlbus.common.errors import UsageError


def extra_library(name: str, needs: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """
    Import an optional library.

    Parameters
    ----------
    name
        Module to import.
    needs
        Feature and library, such as ``to_networkx needs networkx``; may hold marks of `owlbus.common.errors`.
    extra
        Extra of owlbus that installs it.

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
