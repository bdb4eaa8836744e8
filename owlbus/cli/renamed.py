"""Options under their earlier names: each is refused in one line that names the present one."""

from __future__ import annotations

import os

from owlbus.common.errors import UsageError

_RENAMED = {"zone": "agency-timezone"}
"""Present names by earlier ones, without dashes in front."""


def present_name(name: str) -> str | None:
    """
    Present name of an option.

    Parameters
    ----------
    name
        An earlier name, with or without dashes in front.

    Returns
    -------
    str or None
        Without dashes in front; None if no option had the name.
    """
    return _RENAMED.get(name.lstrip("-"))


def require_no_earlier_variables() -> None:
    """
    Refuse earlier names of options in the environment.

    Raises
    ------
    UsageError
        If one is set.
    """
    for earlier, present in _RENAMED.items():
        old, new = (f"OWLBUS_{name.replace('-', '_').upper()}" for name in (earlier, present))
        if old in os.environ:
            msg = f"{old} is now called {new}; rename it in the environment"
            raise UsageError(msg)
