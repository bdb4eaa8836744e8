"""
The plan in the browser: edited by hand with live numbers, on this machine alone.

`owlbus.explore.explore_session.ExploreSession` holds one run and its edits, `owlbus.explore.handlers.HANDLERS` says what each address of
the page answers, and `owlbus.explore.loopback.ExploreServer` serves both from the loopback interface.
"""

from __future__ import annotations
