"""
The server of the page: the loopback interface, one process, the standard library.

`http.server` is enough for one user on one machine: it needs no dependency and no event loop beside threads that compute, and its requests
are few. What it lacks stands here in a page of code: keys and origins, a bound on what is read, and events to the page.
"""

from __future__ import annotations

import socket
import threading
import time
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

from owlbus.common.errors import UsageError, setting
from owlbus.explore.access import Access
from owlbus.explore.requests import PageRequest

if TYPE_CHECKING:
    from owlbus.explore.explore_session import ExploreSession

IDLE_S = 30 * 60
"""Seconds without a connection after which the server ends."""

_TICK_S = 0.2
_LAST_TICKS, _LAST_TICK_S = 20, 0.02
"""How often, and how long each time, the end waits for windows to hear of it."""


class ExploreServer:
    """
    Serves one session to the browsers of this machine.

    Parameters
    ----------
    session
        The session.
    port
        Port of the loopback interface; 0 takes a free one.
    idle_s
        Seconds without a connection after which it ends.
    framed_by
        Origins whose pages may show this one in a frame, such as that of a notebook; none by default.

    Raises
    ------
    UsageError
        If the port cannot be used.
    """

    def __init__(self, session: ExploreSession, port: int = 0, *, idle_s: float = IDLE_S, framed_by: tuple[str, ...] = ()) -> None:
        self.session, self.framed_by, self._idle_s = session, framed_by, idle_s
        self._stop = threading.Event()
        self.ended_by = ""
        self.asked_s = time.monotonic()
        self._http = _listen(port)
        self._http.owner = self
        self.port = int(self._http.server_address[1])
        self.access = Access(self.port)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Address without a key."""
        return f"http://127.0.0.1:{self.port}/"

    def link(self) -> str:
        """Return an address that opens the page once."""
        return f"{self.address}?key={self.access.new_key()}"

    def wait(self) -> str:
        """Wait until the page quits, nobody has been connected for the time set, or Ctrl-C; return ``quit``, ``idle`` or raise that."""
        while not self._stop.wait(_TICK_S):
            if self.session.n_windows:
                self.asked_s = time.monotonic()
            elif time.monotonic() - self.asked_s > self._idle_s:
                self.ended_by = "idle"
                self._stop.set()
        return self.ended_by

    def quit(self) -> None:
        """End as the page asks."""
        self.ended_by = self.ended_by or "quit"
        self._stop.set()

    def close(self) -> None:
        """Tell the windows that this is the end, and free the port."""
        self._stop.set()
        self.session.close()
        for _ in range(_LAST_TICKS):
            if not self.session.n_windows:
                break
            time.sleep(_LAST_TICK_S)
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _LoopbackServer(ThreadingHTTPServer):
    """Server of the standard library that waits for no thread at its end, and tells no error by itself."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64
    owner: ExploreServer

    def server_bind(self) -> None:
        """Bind without looking up the name of this machine, which may take seconds; no other program may bind the port meanwhile."""
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)  # Windows: there SO_REUSEADDR would share the port with anybody
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if exclusive is None else exclusive, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that leaves early is no error."""


def _listen(port: int) -> _LoopbackServer:
    """Listen on the loopback interface."""
    try:
        return _LoopbackServer(("127.0.0.1", port), PageRequest)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{setting('port')} must be a free port of this machine, got {port} ({reason}); choose another one, or 0 for any"
        raise UsageError(msg, setting="port", value=port) from None
