"""Who may speak to the page's server: one key opens it once, a cookie keeps it open, and only its own page may ask it anything."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

_BYTES = 32
_MOST_KEYS = 20
"""Links that wait to be opened at most; the oldest go first."""

HEADER = "X-Owlbus"
"""Header that the page's own requests carry: no form and no link of another page can set it."""


class Access:
    """
    Keys, cookie and addresses of one server.

    Parameters
    ----------
    port
        Port of the loopback interface that it listens on.
    """

    def __init__(self, port: int) -> None:
        self.hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._cookie_name, self._secret = f"owlbus_explore_{port}", secrets.token_urlsafe(_BYTES)
        self._keys: list[str] = []

    def new_key(self) -> str:
        """Return a key that opens the page once."""
        key = secrets.token_urlsafe(_BYTES)
        self._keys = [*self._keys[1 - _MOST_KEYS :], key]
        return key

    def cookie_for(self, key: str) -> str | None:
        """Return the cookie that a `key` gives, and take the key back; None for a wrong one."""
        for known in self._keys:
            if secrets.compare_digest(known.encode(), key.encode(errors="replace")):
                self._keys = [other for other in self._keys if other != known]
                return f"{self._cookie_name}={self._secret}; HttpOnly; SameSite=Strict; Path=/"
        return None

    def has_cookie(self, headers: Message) -> bool:
        """Return whether a request with these `headers` comes from a browser that was let in."""
        try:
            cookies = SimpleCookie(headers.get("Cookie", ""))
        except CookieError:
            return False
        cookie = cookies.get(self._cookie_name)
        return cookie is not None and secrets.compare_digest(cookie.value.encode(errors="replace"), self._secret.encode())

    def why_refused(self, method: str, headers: Message) -> str | None:
        """
        Say why a request is refused, whatever it asks for.

        Parameters
        ----------
        method
            ``GET`` or ``POST``.
        headers
            Its headers.

        Returns
        -------
        str or None
            One line; None for a request of the page itself, or of a browser that is led to it.
        """
        if headers.get("Host") not in self.hosts:
            return "this address belongs to owlbus on this machine alone; open it as 127.0.0.1 or localhost"
        origin = headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.hosts:
            return "only the page of this server may ask it anything"
        is_led_here = headers.get("Sec-Fetch-Mode", "navigate") == "navigate"  # by a link, or in a frame
        if not is_led_here and headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return "only the page of this server may ask it anything"
        if method == "POST" and headers.get(HEADER) != "1":
            return f"only the page of this server may ask it anything: header {HEADER} must be 1"
        return None
