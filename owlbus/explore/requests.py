"""One request of the page: checked, handed to its handler, and answered in one piece."""

from __future__ import annotations

import json
import queue
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from owlbus.common.errors import OwlbusError
from owlbus.common.files import parse_json
from owlbus.common.text import one_line
from owlbus.explore.editor_page import editor_asset, editor_html
from owlbus.explore.explore_session import ConflictError, ReadOnlyError
from owlbus.explore.explore_words import EditError, sentence
from owlbus.explore.handler_table import Document
from owlbus.explore.handlers import HANDLERS
from owlbus.report.translations import LANGUAGES

if TYPE_CHECKING:
    from owlbus.explore.handler_table import Handler
    from owlbus.explore.loopback import ExploreServer

MOST_BYTES = 4 << 20
"""Bytes of a message at most."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors "
)
_DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-modals; "
_BEAT_S = 15.0
_JSON = "application/json"
_DIGITS = 12
"""Digits of a length that are read: what has more is too long anyway."""

_MOST_DROPPED, _PIECE = 16 * MOST_BYTES, 1 << 16
"""Bytes of a message too long that are read and dropped, and how many at a time."""

_ASSETS = "/assets/"
_OWN = frozenset({"/api/link", "/api/quit"})
"""What only the server itself can answer."""


class _RefusedError(Exception):
    """A request that is answered with a status and one line."""

    def __init__(self, status: int, line: str) -> None:
        self.status, self.line = status, line
        super().__init__(line)


class PageRequest(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server_version, sys_version = "owlbus", ""

    @property
    def owner(self) -> ExploreServer:
        """The server."""
        owner: ExploreServer = self.server.owner  # type: ignore[attr-defined]
        return owner

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("GET")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._answer("POST")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the standard library's names
        """Write no log: addresses hold keys."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of HTTP, or has another method, with one line."""
        del explain
        self.close_connection = True
        status = 405 if code == 501 else code  # noqa: PLR2004 - statuses of HTTP
        self._send_json(status, {"error": one_line(message or "this is no request that the page makes")})

    def _answer(self, method: str) -> None:
        """Answer a request, whatever happens."""
        self.owner.asked_s = time.monotonic()
        try:
            self._dispatch(method)
        except _RefusedError as error:
            self._send_json(error.status, {"error": error.line})
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _dispatch(self, method: str) -> None:
        """Check who asks, and find what answers."""
        address = urlsplit(self.path)
        body = self._body() if method == "POST" else b""
        if refusal := self.owner.access.why_refused(method, self.headers):
            raise _RefusedError(403, refusal)
        query = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        if method == "GET" and address.path == "/" and "key" in query:
            self._let_in(query["key"])
        elif not self.owner.access.has_cookie(self.headers):
            raise _RefusedError(403, "open the page with the link that was printed at its start; each link opens it once")
        elif method == "GET" and address.path == "/":
            self._send(200, editor_html(self._language(query)).encode(), "text/html; charset=utf-8")
        elif method == "GET" and address.path.startswith(_ASSETS):
            self._send_asset(address.path.removeprefix(_ASSETS))
        elif method == "GET" and address.path == "/api/events":
            self._stream()
        else:
            self._send_answer(method, address.path, query, body)

    def _body(self) -> bytes:
        """Read the message of a POST, of bounded size."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise _RefusedError(411, "a message must say its length in bytes")
        size = int(length[:_DIGITS])
        if size > MOST_BYTES:
            self.close_connection = True
            left = min(size, _MOST_DROPPED)
            while left > 0 and (piece := self.rfile.read(min(left, _PIECE))):  # or the browser would see no reason, but a broken connection
                left -= len(piece)
            raise _RefusedError(413, f"a message must have at most {MOST_BYTES:,} bytes, got {size:,}")
        return self.rfile.read(size)

    def _let_in(self, key: str) -> None:
        """Take a key, and lead the browser to the page without it."""
        cookie = self.owner.access.cookie_for(key)
        if cookie is None and self.owner.access.has_cookie(self.headers):  # a notebook draws its frame anew with the same link
            self._send(303, b"", "text/plain", {"Location": "/"})
            return
        if cookie is None:
            raise _RefusedError(403, "this link was used before, or is of another start; use the one that was printed last")
        self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": cookie})

    def _language(self, query: dict[str, Any]) -> str:
        """Language that a request asks for; that of the session by default."""
        chosen = query.get("lang")
        return chosen if isinstance(chosen, str) and chosen in LANGUAGES else self.owner.session.language

    def _send_asset(self, name: str) -> None:
        """Answer with a file of the page."""
        asset = editor_asset(name)
        if asset is None:
            raise _RefusedError(404, "the page has no such file")
        self._send(200, asset.content, asset.kind)

    def _send_answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> None:
        """Answer with what the handler of an address returns."""
        handler = HANDLERS.get(f"{method} {path}", HANDLERS.get(path))
        if handler is None and path not in _OWN:
            raise _RefusedError(404, "there is nothing at this address")
        wanted = "POST" if handler is None else handler.method
        if wanted != method:
            raise _RefusedError(405, f"this address takes {wanted} only")
        message: dict[str, Any] = dict(query) if method == "GET" else self._message(body)
        message["lang"] = self._language(message if "lang" in message else query)
        if handler is None:
            self._answer_itself(path)
            return
        answer = self._handled(handler, message)
        if isinstance(answer, Document):
            self._send_document(answer)
        elif isinstance(answer, dict):
            self._send_json(200, answer)

    def _handled(self, handler: Handler, message: dict[str, Any]) -> dict[str, Any] | Document | None:
        """Return what a handler answers; None once a conflict was answered."""
        session, language = self.owner.session, message["lang"]
        try:
            if handler.is_change:
                session.require_writable()
            return handler.answer(session, message)
        except ConflictError as error:
            self._send_json(409, {"error": error.text(language), "state": session.state(language)})
            return None
        except EditError as error:
            raise _RefusedError(403 if isinstance(error, ReadOnlyError) else 400, error.text(language)) from None
        except OwlbusError as error:
            raise _RefusedError(400, str(error)) from None
        except Exception as error:  # noqa: BLE001 - whatever a handler gets wrong, the page is told in one line and the server goes on
            raise _RefusedError(500, one_line(f"this is a bug in owlbus ({type(error).__name__}: {error})")) from None

    def _message(self, body: bytes) -> dict[str, Any]:
        """Return the object that a message holds."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise _RefusedError(415, f"a message must be of type {_JSON}")
        language = self.owner.session.language
        try:
            message = parse_json(body)
        except ValueError:
            raise _RefusedError(400, sentence(language, "form.json")) from None
        if not isinstance(message, dict):
            raise _RefusedError(400, sentence(language, "form.object"))
        return message

    def _answer_itself(self, path: str) -> None:
        """Answer what only the server knows; the end comes once the page has its answer."""
        if path == "/api/link":
            self._send_json(200, {"link": self.owner.link()})
        else:
            self._send_json(200, {"ended": True})
            self.owner.quit()

    def _stream(self) -> None:
        """Send events until the window closes or the session ends."""
        window = self.owner.session.watch()
        try:
            self.close_connection = True
            self._head(200, "text/event-stream", {"Connection": "close"})
            self.wfile.write(b"retry: 1000\n\n")
            while True:
                try:
                    event = window.get(timeout=_BEAT_S)
                except queue.Empty:
                    self.wfile.write(b": here\n\n")
                    continue
                self.wfile.write(f"data: {_text(event)}\n\n".encode())
                if event.get("type") == "end":
                    return
        finally:
            self.owner.session.leave(window)

    def _send_document(self, document: Document) -> None:
        """Send a document, which may hold its own style and script but reach nothing of the page."""
        headers = {"Content-Security-Policy": _DOCUMENT_POLICY}
        if document.file_name is not None:
            headers["Content-Disposition"] = f'attachment; filename="{_file_name(document.file_name)}"'
        self._send(200, document.content, document.kind, headers)

    def _send_json(self, status: int, value: dict[str, Any]) -> None:
        """Send JSON."""
        self._send(status, _text(value).encode(), f"{_JSON}; charset=utf-8")

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        """Send an answer in one piece."""
        self._head(status, kind, {"Content-Length": str(len(content)), **(headers or {})}, content)

    def _head(self, status: int, kind: str, headers: dict[str, str], content: bytes = b"") -> None:
        """Send the head of an answer with its content."""
        framed_by = " ".join(self.owner.framed_by) or "'none'"
        self.send_response(status)
        always = {
            "Content-Type": kind,
            "Content-Security-Policy": f"{_POLICY}{framed_by}",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        for name, value in (always | headers).items():
            self.send_header(name, value)
        self._headers_buffer: list[bytes]
        self._headers_buffer.append(b"\r\n" + content)  # head and content in one packet
        self.flush_headers()


def _text(value: object) -> str:
    """JSON in one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _file_name(name: str) -> str:
    """Name of a download in letters that every header takes."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
