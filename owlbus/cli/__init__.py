"""The command line: `owlbus COMMAND`. It parses and prints; the work is done by `owlbus.pipeline`."""

from __future__ import annotations

from owlbus.cli.app import main

__all__ = ["main"]
