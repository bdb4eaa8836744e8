"""The editor in a real browser: the same numbers as a scorecard, by pointer and by keyboard alone, without a request to anywhere else."""

from __future__ import annotations

import json
import os
import shutil
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from explore_town import opened, town_run

from owlbus.explore.loopback import ExploreServer
from owlbus.report.translations import read_translations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("OWLBUS_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium, or name one in OWLBUS_TEST_CHROMIUM"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="needs Playwright: pip install '.[dev]'"),
]
DESKTOP, LAPTOP, PHONE = {"width": 1400, "height": 900}, {"width": 1024, "height": 768}, {"width": 390, "height": 844}
SHARES = {"presence": "presence", "served": "served", "direct": "direct"}

PLACE = """async ([id, position]) => {
    const { routeOf } = await import("/assets/store.js"), sight = await import("/assets/view.js");
    const at = sight.view.map.latLngToContainerPoint(sight.haltsOf(routeOf(id))[position]);
    const frame = document.getElementById("map").getBoundingClientRect();
    return [frame.left + at.x, frame.top + at.y];
}"""
STOP_PLACE = """async (stop) => {
    const sight = await import("/assets/view.js"), at = sight.view.map.latLngToContainerPoint(sight.latLngOf(stop));
    const frame = document.getElementById("map").getBoundingClientRect();
    return [frame.left + at.x, frame.top + at.y];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Editor:
    """A window of the page, with everything it complained about and asked for."""

    def __init__(self, browser: Browser, server: ExploreServer, viewport: dict[str, int], language: str = "en") -> None:
        self.server = server
        self.context = browser.new_context(viewport=viewport, accept_downloads=True)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(server.link())
        if language != "en":
            self.page.wait_for_selector("html[data-ready]")
            self.page.click("#language")
            self.page.wait_for_selector(f"html[lang={language}]")
        self.page.wait_for_selector("html[data-ready]")

    def numbers(self) -> dict[str, str]:
        """Numbers on the screen by their key."""
        found: dict[str, str] = self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('#numbers tbody tr:not([hidden])')]"
            ".map(row => [row.dataset.key, row.querySelector('.now').textContent]))"
        )
        return found

    def choose(self, route: str) -> None:
        """Choose a route in the list."""
        self.page.click(f"[data-focus='route-{route}']")
        self.page.wait_for_selector(f"[data-focus='stop-{route}-0']")

    def place(self, route: str, position: int) -> tuple[float, float]:
        """Pixel of a stop of a route."""
        x, y = self.page.evaluate(PLACE, [route, position])
        return x, y

    def drag(self, begin: tuple[float, float], end: tuple[float, float], *, releases: bool = True) -> None:
        """Drag the pointer, and wait for the numbers of where it lies."""
        mouse = self.page.mouse
        mouse.move(*begin)
        mouse.down()
        mouse.move((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2, steps=3)
        mouse.move(*end, steps=4)
        self.page.wait_for_selector("#numbers.live")
        if releases:
            mouse.up()

    def wait_for_edits(self, number: int) -> None:
        """Wait until so many edits stand in the history that are not undone."""
        self.page.click("#tab-history")
        self.page.wait_for_selector(f":nth-match(.history li:not(.undone), {number})")
        self.page.wait_for_selector("#numbers:not(.live)")
        assert self.page.locator(".history li:not(.undone)").count() == number
        self.page.click("#tab-routes")

    def wait_for_numbers(self, expected: dict[str, str]) -> None:
        """Wait until the page shows these numbers: the last place of a drag is computed after those on the way."""
        for _ in range(100):
            if self.numbers() == expected:
                return
            self.page.wait_for_timeout(100)
        assert self.numbers() == expected

    def state(self) -> dict[str, Any]:
        """State of the session."""
        return self.server.session.state("en")

    def said(self) -> str:
        """What a screen reader is told last."""
        self.page.wait_for_timeout(350)
        return str(self.page.text_content("#spoken"))

    def is_clean(self) -> None:
        """Hold that axe finds nothing, and that nothing is wider than the window."""
        self.page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found["violations"]] == []
        width = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExploreServer]:
    one = ExploreServer(opened(town_run(tmp_path_factory.mktemp("browser"))))
    yield one
    one.close()


@pytest.fixture(scope="module")
def window(browser: Browser, shared: ExploreServer) -> Iterator[Editor]:
    one = Editor(browser, shared, DESKTOP)
    yield one
    one.context.close()


@pytest.fixture
def server(shared: ExploreServer) -> Iterator[ExploreServer]:
    """Return the server of all tests, whose plan each of them finds as it was."""
    yield shared
    while shared.session.state("en")["can_undo"]:
        shared.session.undo()


@pytest.fixture
def editor(window: Editor, server: ExploreServer) -> Iterator[Editor]:
    """Return the window of most tests: no route is chosen, and nothing is open."""
    yield window
    assert window.complaints == []
    assert [url for url in window.requests if not url.startswith((server.address, "blob:" + server.address, "data:"))] == []
    while server.session.state("en")["can_undo"]:
        server.session.undo()
    window.page.wait_for_selector("#undo:disabled")
    window.page.evaluate("import('/assets/store.js').then((store) => store.emit('choose', null))")


def test_every_edit_by_pointer_changes_the_numbers_and_undo_brings_them_back(editor: Editor) -> None:
    first, page = editor.numbers(), editor.page
    assert first == {row["key"]: row["text"] for row in editor.state()["numbers"]}
    editor.choose("r1")
    stops = editor.state()["routes"][0]["stops"]

    editor.drag(editor.place("r1", 4), editor.place("r2", 0), releases=False)  # while dragging: the numbers of the edit
    move = {"kind": "move_stop", "route": "r1", "position": 4, "stop": editor.state()["routes"][1]["stops"][0]}
    dragged = {row["key"]: row["text"] for row in editor.server.session.preview(move, None, "en")["numbers"]}
    editor.wait_for_numbers(dragged)
    assert dragged != first
    page.mouse.up()
    editor.wait_for_edits(1)
    assert editor.numbers() == dragged == {row["key"]: row["text"] for row in editor.state()["numbers"]}
    assert editor.state()["routes"][0]["stops"] != stops
    page.keyboard.press("Control+z")
    page.wait_for_selector(".history li.undone", state="attached")
    assert editor.numbers() == first

    (ax, ay), (bx, by) = editor.place("r1", 2), editor.place("r1", 3)
    editor.drag(((ax + bx) / 2, (ay + by) / 2), editor.place("r2", 1))  # pull the line to a stop
    editor.wait_for_edits(1)
    page.mouse.click(*editor.place("r1", 1))
    page.click("#menu button:has-text('Delete this stop')")
    editor.wait_for_edits(2)
    page.click("#draw")
    page.mouse.click(*editor.place("r2", 0))
    page.wait_for_selector("#drawing li:nth-child(1)")
    page.mouse.click(*page.evaluate(STOP_PLACE, 33))
    page.wait_for_selector("#drawing li:nth-child(2)")
    page.wait_for_selector("#numbers.live")
    page.keyboard.press("Enter")
    editor.wait_for_edits(3)
    assert len(editor.state()["routes"]) == 4
    assert editor.numbers() == {row["key"]: row["text"] for row in editor.state()["numbers"]}
    for _ in range(3):
        page.click("#undo")
    page.wait_for_selector("#undo:disabled")
    assert editor.numbers() == first
    assert [row["changed"] for row in editor.state()["routes"]] == [False] * 3


def test_a_whole_edit_by_keyboard_alone(editor: Editor) -> None:
    page, first = editor.page, editor.numbers()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.focus") == "route-r2":
            break
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "option":
            break
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert "arrow keys choose a stop" in editor.said()
    page.keyboard.press("Escape")
    assert page.locator("#numbers.live").count() == 0
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("#numbers.live")
    assert "near a stop" in editor.said()
    page.keyboard.press("Enter")
    page.wait_for_selector("#undo:not(:disabled)")
    assert editor.state()["history"][-1]["text"] in editor.said()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "option"
    assert editor.numbers() != first
    page.keyboard.press("Control+z")
    page.wait_for_selector("#undo:disabled")
    assert editor.numbers() == first
    page.keyboard.press("Control+y")
    page.wait_for_selector("#undo:not(:disabled)")
    assert editor.numbers() != first


def test_a_hexagon_tells_where_one_gets_from_there(editor: Editor) -> None:
    page = editor.page
    editor.choose("r2")
    page.evaluate("""async () => {
        const { emit, routeOf } = await import("/assets/store.js"), sight = await import("/assets/view.js");
        const [lat, lng] = sight.haltsOf(routeOf("r2"))[1];
        emit("chooseHex", 0, { lat, lng }, null);
    }""")
    legend = page.text_content("#legend-title")
    page.fill("#pane-place input[type=time]", "01:15")
    page.click("#pane-place form button")
    page.wait_for_selector("#pane-place table")
    assert page.locator("#pane-place tbody tr").count() == 4
    assert "01:15" in str(page.text_content("#legend-title"))
    editor.is_clean()
    page.click("#pane-place .actions button:has-text('Hide')")
    assert page.text_content("#legend-title") == legend
    assert editor.complaints == []
    page.click("#tab-routes")


def test_a_broken_limit_is_named_in_the_panel_and_at_its_place(editor: Editor) -> None:
    editor.choose("r3")
    assert editor.page.locator("#limits").is_hidden()
    editor.drag(editor.place("r3", 1), editor.place("r2", 0), releases=False)
    editor.page.wait_for_selector("#limits li")
    assert "N3" in str(editor.page.text_content("#limits"))
    assert editor.page.locator(".warning").count() >= 1
    editor.page.keyboard.press("Escape")
    editor.page.mouse.up()
    assert editor.page.locator("#limits").is_hidden()
    assert editor.page.locator(".warning").count() == 0
    assert not editor.state()["can_undo"]


def test_the_numbers_on_the_screen_are_those_of_the_saved_scorecard(editor: Editor, tmp_path: Path) -> None:
    page, words = editor.page, read_translations("en")
    editor.choose("r1")
    editor.drag(editor.place("r1", 4), editor.place("r2", 0))
    editor.wait_for_edits(1)
    shown = editor.numbers()
    page.keyboard.press("Control+s")
    page.fill("#dialog-field", str(tmp_path / "edited"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#dialog .path:has-text('edited')", timeout=60_000)
    page.keyboard.press("Escape")
    card = json.loads((tmp_path / "edited" / "scorecard.json").read_text())
    least = editor.server.session.run.study.publisher.least_denominator
    for key, name in SHARES.items():
        assert shown[key] == words.headline_text(card[name], least), key
    assert shown["km"] == words.number(card["total_length_m"] / 1000, 1)
    assert shown["buses"] == str(card["total_buses"])
    changes = page.locator("#numbers tbody tr:not([hidden]) .since").all_text_contents()
    assert changes
    assert {change for change in changes if any(digit in change for digit in "123456789")} == set()


def test_a_comment_is_pinned_listed_and_exported(editor: Editor) -> None:
    page = editor.page
    editor.choose("r2")
    page.mouse.click(*editor.place("r2", 3))
    page.click("#menu button:has-text('Comment on this stop')")
    page.fill("#comment-text", "<b>Too</b> far from my door")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector(".comments .said:has-text('<b>Too</b> far')")
    assert page.locator(".pin").count() == 1
    with page.expect_download() as download:
        page.click("#pane-comments button:has-text('CSV')")
    assert "far from my door" in download.value.path().read_text(encoding="utf-8")
    page.click(".comments button:has-text('Remove')")
    page.wait_for_selector(".pin", state="detached")


def test_what_another_window_changes_is_seen_here(browser: Browser, editor: Editor) -> None:
    other = Editor(browser, editor.server, LAPTOP)
    other.choose("r3")
    other.page.click("[data-focus=drop]")
    editor.page.wait_for_selector("[data-focus=route-r3]", state="detached")
    assert other.complaints == []
    other.context.close()


def test_axe_finds_nothing_whatever_is_open(browser: Browser, server: ExploreServer) -> None:
    editor = Editor(browser, server, LAPTOP)
    page = editor.page
    editor.choose("r1")
    page.mouse.click(*editor.place("r1", 4))
    editor.is_clean()
    page.keyboard.press("Escape")
    for tab in ("place", "districts", "ideas", "comments", "history"):
        page.click(f"#tab-{tab}")
        assert len(str(page.text_content(f"#pane-{tab}"))) > 10
        if tab in {"ideas", "comments"}:
            editor.is_clean()
    for name in ("files", "manual", "save", "quit"):
        page.click(f"#{name}")
        assert page.locator("#dialog button").count() > 1 or name == "manual"
        if name in {"files", "save"}:
            editor.is_clean()
        page.keyboard.press("Escape")
    page.select_option("#layer", "difference")
    assert page.is_disabled("#hour")
    assert editor.complaints == []
    editor.context.close()


@pytest.mark.parametrize(("language", "viewport"), [("en", DESKTOP), ("ko", PHONE)], ids=["read-only", "phone"])
def test_who_only_looks_finds_no_tool(
    browser: Browser, server: ExploreServer, monkeypatch: pytest.MonkeyPatch, language: str, viewport: dict[str, int]
) -> None:
    monkeypatch.setattr(server.session, "is_read_only", viewport is DESKTOP)
    editor = Editor(browser, server, viewport, language)
    assert editor.page.locator("#shown").is_visible()
    for name in ("undo", "draw", "save"):
        assert editor.page.locator(f"#{name}").is_hidden()
    editor.choose("r1")
    assert editor.page.locator("[data-focus=drop], [data-focus=move]").count() == 0
    if viewport is PHONE:
        editor.is_clean()
    assert editor.complaints == []
    editor.context.close()
    monkeypatch.undo()


def test_quit_ends_the_server_and_the_page_says_so(browser: Browser, shared: ExploreServer) -> None:
    editor = Editor(browser, shared, DESKTOP)
    editor.page.click("#quit")
    editor.page.click("#dialog-body button.main")
    editor.page.wait_for_selector("#notice[role=alert]")
    assert shared.wait() == "quit"
    editor.context.close()
