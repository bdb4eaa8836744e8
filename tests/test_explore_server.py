"""The server of the page: who may speak to it, what it answers, and that nothing sent to it breaks it."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from explore_town import Browser, opened, random_edit, town_run

from owlbus.common.errors import UsageError
from owlbus.explore.edit_form import FORMS
from owlbus.explore.handlers import HANDLERS
from owlbus.explore.loopback import ExploreServer
from owlbus.explore.requests import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from owlbus.explore.explore_session import ExploreSession


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExploreServer]:
    one = ExploreServer(opened(town_run(tmp_path_factory.mktemp("server"))))
    yield one
    one.close()


@pytest.fixture
def browser(server: ExploreServer) -> Browser:
    return Browser(server)


def test_the_page_opens_by_a_key_that_works_once(server):
    link = server.link()
    assert link.startswith(f"http://127.0.0.1:{server.port}/?key=")
    path = link.removeprefix(server.address[:-1])
    stranger = Browser(server, is_let_in=False)
    status, headers, _ = stranger.ask("GET", path)
    assert (status, headers["Location"]) == (303, "/")
    assert headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Strict; Path=/")
    status, _, data = stranger.ask("GET", path)
    assert (status, "Set-Cookie" in headers) == (403, True)
    assert json.loads(data)["error"].startswith("this link was used before")


@pytest.mark.parametrize("path", ["/", "/api/state", "/api/start", "/api/events", "/assets/explore.js", "/nothing"])
def test_without_the_cookie_nothing_is_answered(server, path):
    stranger = Browser(server, is_let_in=False)
    for cookie in (None, f"owlbus_explore_{server.port}=", f"owlbus_explore_{server.port}=x", "=;=;\x7f"):
        status, headers, data = stranger.ask("GET", path, Cookie=cookie)
        assert (status, headers.get("Set-Cookie")) == (403, None)
        assert set(json.loads(data)) == {"error"}
    assert stranger.ask("GET", "/?key=%C3%A9%00")[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "owlbus.example"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://owlbus.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"X_Owlbus": None},
        {"X_Owlbus": "2"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},
        {"Cookie": None},
    ],
)
def test_a_request_of_another_page_is_refused(browser, headers):
    version = browser.get("/api/state")["version"]
    said = {name: value and value.format(port=browser.port) for name, value in headers.items()}
    status, _, data = browser.ask("POST", "/api/edit", {"edit": {"kind": "drop", "route": "r1"}}, **said)
    assert status == 403
    assert "\n" not in json.loads(data)["error"]
    assert browser.get("/api/state")["version"] == version


def test_localhost_is_this_machine_too(browser):
    assert browser.ask("GET", "/api/state", Host=f"localhost:{browser.port}", Origin=f"http://localhost:{browser.port}")[0] == 200


def test_a_page_of_another_port_cannot_embed_what_the_server_answers(browser):
    embedded = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors", "Origin": None}
    assert browser.ask("GET", "/api/start?lang=ko", **embedded)[0] == 403
    assert browser.ask("GET", "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Origin=None)[0] == 200
    own = {"sec-fetch-site": "same-origin", "x-owlbus": "1", "X_Owlbus": None}
    assert browser.ask("POST", "/api/undo", {}, **own)[0] == 400, "names of headers may be written in small letters"


def test_every_answer_carries_the_policy_of_the_page(browser):
    for method, path, body in (("GET", "/", None), ("GET", "/api/state", None), ("GET", "/nothing", None), ("POST", "/api/undo", {})):
        _, headers, _ = browser.ask(method, path, body)
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert {part.strip().partition(" ")[0]: part.strip().partition(" ")[2] for part in policy.split(";")} == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "frame-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert headers["Cache-Control"] == "no-store"
    framed = ExploreServer(browser.server.session, framed_by=("http://localhost:8888",))
    try:
        assert Browser(framed).ask("GET", "/")[1]["Content-Security-Policy"].endswith("frame-ancestors http://localhost:8888")
    finally:
        framed._http.shutdown()
        framed._http.server_close()


def test_the_page_and_its_files_come_from_the_package_alone(browser):
    status, headers, data = browser.ask("GET", "/?lang=ko")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'lang="ko"' in data
    assert browser.ask("GET", "/assets/leaflet.js")[0] == 200
    for name in ("demand.parquet", "../demand.parquet", "%2e%2e/demand.parquet", "session.en.json", "/etc/passwd", ""):
        assert browser.ask("GET", f"/assets/{name}")[0] == 404


def test_start_tells_the_map_the_network_and_the_run(browser):
    start = browser.get("/api/start")
    n_stops = browser.server.session.run.study.network.n_stops
    assert len(start["network"]["names"]) * 2 == len(start["network"]["stops"]) == 2 * n_stops
    assert [route["name"] for route in start["map"]["routes"]] == ["N1", "N2", "N3"]
    about = start["about"]
    assert (about["reference"], about["base"], about["public"], about["read_only"]) == ("two routes", 15, False, False)
    assert "up to 7 buses, one every 45 minutes" in about["limits"]
    assert browser.get("/api/start?lang=ko")["about"]["limits"] != about["limits"]
    assert browser.server.session.language == "ko"
    assert browser.get("/api/start?lang=en")["state"] == browser.get("/api/state")


def test_edits_previews_and_ways_are_answered(browser):
    state = browser.get("/api/state")
    edit = {"kind": "cut", "route": "r1", "end": "last", "position": 4}
    shown = browser.post("/api/preview", {"edit": edit, "version": state["version"]})
    assert browser.get("/api/state") == state, "a preview keeps nothing"
    now = browser.post("/api/edit", {"edit": edit, "version": state["version"]})
    assert now["numbers"] == shown["numbers"] != state["numbers"]
    conflict = browser.post("/api/edit", {"edit": edit | {"position": 2}, "version": state["version"]}, 409)
    assert conflict["state"] == now
    assert browser.post("/api/undo", {})["routes"] == state["routes"]
    assert browser.post("/api/redo", {})["routes"] == now["routes"]
    assert browser.post("/api/redo", {}, 400)["error"] == "there is nothing to redo"
    browser.post("/api/undo", {})
    ways = browser.post("/api/ways", {"from": 0, "to": 33})["ways"]
    assert 1 < len(ways) <= 3
    assert ways[0]["minutes"] == min(way["minutes"] for way in ways)
    assert browser.post("/api/ways", {"from": 1, "to": 1}, 400)["error"].startswith("from and to must be")
    refused = browser.post("/api/edit", {"edit": {"kind": "drop", "route": "r9"}, "lang": "ko"}, 400)
    assert refused["error"] == "r9 노선은 이제 없습니다"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404),
        ("GET", "/api/nothing", None, {}, 404),
        ("GET", "/api/edit", None, {}, 405),
        ("POST", "/api/state", {}, {}, 405),
        ("POST", "/", {}, {}, 404),
        ("POST", "/api/undo", b"{", {}, 400),
        ("POST", "/api/undo", b"\xff", {}, 400),
        ("POST", "/api/undo", b"[]", {}, 400),
        ("POST", "/api/undo", b"null", {}, 400),
        ("POST", "/api/undo", b"[" * 100_000, {}, 400),
        ("POST", "/api/undo", b"{}", {"Content_Type": "text/plain"}, 415),
        ("POST", "/api/undo", b"{}", {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/api/edit", b" " * (MOST_BYTES + 1), {}, 413),
        ("POST", "/api/edit", b"{}", {"Content_Length": "two"}, 411),
        ("POST", "/api/edit", {"edit": None}, {}, 400),
        ("POST", "/api/edit", {"edit": {"kind": "drop", "route": "r1"}, "version": "1"}, {}, 400),
        ("POST", "/api/preview", {"edit": {"kind": "drop", "route": "r1"}, "version": 1e3}, {}, 400),
        ("PUT", "/api/state", b"{}", {}, 405),
        ("DELETE", "/", None, {}, 405),
        ("OPTIONS", "/api/edit", None, {}, 405),
    ],
)
def test_what_is_no_message_is_answered_with_one_line(browser, method, path, body, headers, status):
    got, _, data = browser.ask(method, path, body, **headers)
    assert got == status
    assert "\n" not in json.loads(data)["error"]
    assert Browser(browser.server).get("/api/state")


@pytest.mark.parametrize(
    "line", [b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 70_000]
)
def test_what_is_no_request_ends_its_connection_and_nothing_else(server, line):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        data = connection.recv(65_536)
    assert b"Traceback" not in data
    assert Browser(server).get("/api/state")


def test_the_server_listens_on_the_loopback_interface_alone(server):
    assert server._http.server_address == ("127.0.0.1", server.port)
    taken = str(server.port)
    with pytest.raises(UsageError, match=rf"port must be a free port of this machine, got {taken}"):
        ExploreServer(server.session, server.port)


def test_two_windows_share_one_state(server, browser):
    stream = HTTPConnection("127.0.0.1", server.port, timeout=20)
    stream.request("GET", "/api/events", headers={"Cookie": browser.headers["Cookie"]})
    answer = stream.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    deadline = time.monotonic() + 10
    while server.session.n_windows == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    state = browser.post("/api/edit", {"edit": {"kind": "lock", "route": "r2", "locked": True}})
    lines = [answer.fp.readline() for _ in range(3)]
    assert json.loads(lines[2].removeprefix(b"data: ")) == {"type": "state", "version": state["version"]}
    assert Browser(server).get("/api/state") == state
    browser.post("/api/undo", {})
    stream.close()


def test_a_window_that_reads_nothing_loses_its_oldest_events_only(server):
    window = server.session.watch()
    try:
        for k in range(1_100):
            server.session.publish({"type": "tick", "k": k})
        assert window.qsize() == 1_000
        assert window.get_nowait()["k"] == 100
    finally:
        server.session.leave(window)


def test_a_session_for_reading_refuses_every_change(tmp_path):
    server = ExploreServer(opened(town_run(tmp_path), is_read_only=True))
    try:
        browser = Browser(server)
        state = browser.get("/api/state")
        assert (state["read_only"], state["can_undo"]) == (True, False)
        for path, handler in HANDLERS.items():
            if handler.is_change:
                got = browser.post(path.removeprefix("POST "), {"edit": {"kind": "drop", "route": "r1"}}, 403)
                assert got["error"] == "this page is for reading only: the plan cannot be changed here"
        assert browser.post("/api/preview", {"edit": {"kind": "drop", "route": "r1"}})["numbers"]
        assert browser.get("/api/state") == state
    finally:
        server.close()
    assert not (tmp_path / "run" / "explore").exists()


def test_a_new_link_lets_one_more_browser_in(browser):
    link = browser.post("/api/link", {})["link"]
    other = Browser(browser.server, is_let_in=False)
    assert other.ask("GET", link.removeprefix(browser.server.address[:-1]))[0] == 303


@pytest.mark.parametrize("ended_by", ["quit", "idle"])
def test_the_server_ends_when_the_page_quits_or_nobody_is_connected(tmp_path, ended_by):
    server = ExploreServer(opened(town_run(tmp_path)), idle_s=0.5 if ended_by == "idle" else 60)
    results: list[str] = []
    waiting = threading.Thread(target=lambda: results.append(server.wait()))
    waiting.start()
    window = server.session.watch()
    time.sleep(0.9)
    assert waiting.is_alive(), "an open window is a connection"
    server.session.leave(window)
    if ended_by == "quit":
        assert Browser(server).post("/api/quit", {}) == {"ended": True}
    waiting.join(timeout=10)
    last = server.session.watch()
    server.close()
    assert results == [ended_by]
    assert last.get_nowait() == {"type": "end"}
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)


def test_a_handler_that_fails_tells_one_line_and_the_server_goes_on(browser, monkeypatch):
    def fail(*_: object) -> dict:
        msg = "two\nlines"
        raise ZeroDivisionError(msg)

    monkeypatch.setitem(HANDLERS, "/api/undo", HANDLERS["/api/undo"].__class__(fail))
    assert browser.post("/api/undo", {}, 500)["error"] == "this is a bug in owlbus (ZeroDivisionError: two lines)"
    assert browser.get("/api/state")


VALUES = (
    None,
    True,
    -1,
    0,
    3,
    10**9,
    2**70,
    1.5,
    "",
    "r1",
    "r2",
    "last",
    "#ffffff"[:4],
    "x" * 99,
    "a\nb",
    [],
    [1],
    [1, 2],
    {},
    {"r1": [1]},
    [[]],
)


def fuzzed(session: ExploreSession, rng: random.Random) -> tuple[str, object]:
    """Some address with some message that nobody meant; one in three is an edit, whole or with one member of another kind."""
    if rng.random() < 0.3:
        near = random_edit(session, rng)
        if rng.random() < 0.7:
            near[rng.choice(sorted(near))] = rng.choice(VALUES)
        return rng.choice(["/api/edit", "/api/preview"]), {"edit": near, "version": rng.choice([None, session.version, 0])}
    path = rng.choice(["/api/edit", "/api/edit", "/api/preview", "/api/ways", "/api/undo", "/api/redo", "/api/nothing"])
    kind = rng.choice([*FORMS, "fly", None])
    names = ["route", "position", "stop", "end", "other", "name", "colour", "locked", "changes", "label", "stops", "way", "kinds"]
    edit: object = {"kind": kind, **{name: rng.choice(VALUES) for name in rng.sample(names, rng.randrange(5))}}
    if rng.random() < 0.3 and kind in FORMS:
        edit = {"kind": kind, **{name: rng.choice(VALUES) for name in FORMS[kind][0]}}
    message: object = {"edit": edit, "version": rng.choice([None, 0, 1, "1", -5]), "from": rng.choice(VALUES), "to": rng.choice(VALUES)}
    if rng.random() < 0.1:
        message = rng.choice(VALUES)
    if rng.random() < 0.1:
        data = bytearray(json.dumps(message).encode())
        data[rng.randrange(len(data))] = rng.randrange(256)
        return path, bytes(data)
    return path, message


def send_fuzzed(browser: Browser, n: int, seed: int) -> dict[int, int]:
    """Send random messages; every refusal is one line, and whatever was not refused can be undone."""
    rng, counts = random.Random(seed), dict.fromkeys((200, 400, 404, 409, 415), 0)  # noqa: S311 - messages for tests
    for _ in range(n):
        path, message = fuzzed(browser.server.session, rng)
        before = browser.server.session.plan
        status, _, data = browser.ask("POST", path, message)
        counts[status] += 1
        answer = json.loads(data)
        if status != 200:
            assert "\n" not in answer["error"]
            assert "Traceback" not in answer["error"]
            assert browser.server.session.plan is before
    return counts


def test_random_messages_are_refused_in_one_line_and_leave_the_plan_alone(tmp_path):
    server = ExploreServer(opened(town_run(tmp_path)))
    try:
        browser = Browser(server)
        first = browser.get("/api/state")
        counts = send_fuzzed(browser, 300, 8)
        assert counts[400] > 100
        assert counts[200] > 10
        while browser.get("/api/state")["can_undo"]:
            browser.post("/api/undo", {})
        same = ("routes", "numbers", "limits", "hexes")
        last = browser.get("/api/state")
        assert {name: last[name] for name in same} == {name: first[name] for name in same}
    finally:
        server.close()
