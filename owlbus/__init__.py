"""
Night-bus networks from call and taxi records.

The chain is records → hexagons → demand → network → plan → scorecard. Each stage is its immutable types and one
public verb; every name below is loaded when it is first used, so that ``import owlbus`` costs next to nothing.

Units are in names: ``_s`` seconds, ``_m`` metres, ``_km`` kilometres, ``_share`` 0 to 1, ``_trips`` trips. Longitude comes before
latitude, always.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from owlbus.errors import DataError as DataError
    from owlbus.errors import FindingError as FindingError
    from owlbus.errors import InfeasibleError as InfeasibleError
    from owlbus.errors import OwlbusError as OwlbusError
    from owlbus.errors import PrivacyError as PrivacyError
    from owlbus.errors import UsageError as UsageError
    from owlbus.limits import MaxSeconds as MaxSeconds
    from owlbus.limits import MaxSteps as MaxSteps
    from owlbus.limits import NoGain as NoGain
    from owlbus.limits import RouteLimits as RouteLimits
    from owlbus.limits import ServiceRule as ServiceRule
    from owlbus.limits import TargetGap as TargetGap
    from owlbus.units import NightWindow as NightWindow

_HOME = {
    "DataError": "errors",
    "FindingError": "errors",
    "InfeasibleError": "errors",
    "OwlbusError": "errors",
    "PrivacyError": "errors",
    "UsageError": "errors",
    "MaxSeconds": "limits",
    "MaxSteps": "limits",
    "NoGain": "limits",
    "RouteLimits": "limits",
    "ServiceRule": "limits",
    "TargetGap": "limits",
    "NightWindow": "units",
}
"""Module of each public name."""

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in _HOME:
        msg = f"module 'owlbus' has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(importlib.import_module(f"owlbus.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted(__all__)
