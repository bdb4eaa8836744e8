"""Addresses of the help beside the map: suggestions, searches, comments, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owlbus.explore.handler_table import Handler

HELP_HANDLERS: dict[str, Handler] = {}
"""Handlers by address, such as ``/api/suggest``."""
