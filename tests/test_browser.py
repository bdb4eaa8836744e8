"""The report in a real browser with the network cut off: what it draws, what its switches change, and who can use it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from owlbus.evidence import PlanEvaluator, compare_plans
from owlbus.evidence.changes import drop_route
from owlbus.evidence.explain import explain_change
from owlbus.evidence.sweep import sweep_plans
from owlbus.network.latin_names import display_name
from owlbus.pipeline import Sources, Study, build_study, score_study
from owlbus.pipeline.report_content import comparison_contents
from owlbus.pipeline.run_tables import missing_documents
from owlbus.plan import Plan, read_plan
from owlbus.plan.limits import RouteLimits
from owlbus.report import Content, PlanContent, write_report
from owlbus.report.answer_map import MapContent, answer_map
from owlbus.report.answer_page import answer_page
from owlbus.report.timetable_page import timetable_page
from owlbus.report.translations import read_translations
from owlbus.timetable import Operation, build_timetable, rider_service, timetable_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("OWLBUS_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium, or name one in OWLBUS_TEST_CHROMIUM"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="needs Playwright: pip install '.[dev]'"),
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def study() -> Study:
    return build_study(Sources(city="seoul"))


@pytest.fixture(scope="module")
def plans(study: Study) -> dict[str, Plan]:
    """Return six of the routes of 2013, and all nine of them."""
    assert study.city is not None
    plan = read_plan(study.city.routes_path, study.network, max_snap_m=1500)
    return {"six": Plan(plan.routes[:6], plan.network_fingerprint), "this plan": plan}


@pytest.fixture(scope="module")
def content(study: Study, plans: dict[str, Plan]) -> Content:
    """Return the nine routes of 2013 on the sample city, held against six of them."""
    other, told = (PlanContent(name, one, score_study(study, one, name).card.to_dict()) for name, one in plans.items())
    more: dict[str, Any] = {"about": {"objective_share": 0.129, "bound_share": 0.258}, "has_tables": True}
    more["missing"] = missing_documents(study, told, more["about"])
    return Content(study.network, study.demand, told, other, study.city, study.districts, is_synthetic=True, **more)


@pytest.fixture(scope="module")
def compared(study: Study, plans: dict[str, Plan]) -> Content:
    found = compare_plans(study.network, study.demand, plans, districts=study.districts)
    return comparison_contents(study, found, found.to_dict(), {})[0]


@pytest.fixture(scope="module")
def swept(study: Study, content: Content) -> Content:
    found = sweep_plans(PlanEvaluator.build(study.network, study.demand), "routes", [1, 2, 3], RouteLimits(), n_steps=200)
    document = {"kind": "routes", "points": [{**row, "is_knee": int(row["routes"] == 2)} for row in found.rows()], "knee": 2.0}
    plan = found.points[1].plan
    told = PlanContent("this plan", plan, score_study(study, plan, "this plan").card.to_dict())
    return replace(content, best=told, sweep=document)


@pytest.fixture(scope="module")
def street(content: Content) -> Content:
    """Return the same routes as if the lattice were streets, with stops that have local and Latin names."""
    plain = content.network
    names = tuple(f"역 {k}" for k in range(plain.n_stops))
    network = replace(plain, source="tables", stop_names=names, stop_names_latin=tuple(f"Station {k}" for k in range(plain.n_stops)))
    best = replace(content.best, plan=Plan(content.best.plan.routes, network.fingerprint))
    return replace(content, network=network, best=best, reference=None)


@pytest.fixture(scope="module")
def folder(content: Content, compared: Content, swept: Content, street: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("reports")
    for name, one in (("", content), ("compared_", compared), ("swept_", swept), ("street_", street)):
        for language in ("en", "ko"):
            write_report(out / f"{name}{language}.html", one, language)
    for language in ("en", "ko"):
        for name, page in (("answer", answered(content, language)), ("timetable", timetabled(content, language))):
            (out / f"{name}_{language}.html").write_text(page, encoding="utf-8")
    return out


def answered(content: Content, language: str) -> str:
    """Page on a route of 2013 that is dropped, with its map."""
    network, plan, words = content.network, content.best.plan, read_translations(language)
    evaluator = PlanEvaluator.build(network, content.demand, districts=content.districts)
    answer = explain_change(evaluator, plan, drop_route(plan, 3), RouteLimits(max_length_m=1000))
    about = MapContent(network, answer.change.plan, plan, answer.difference, ((300, "a place"), (301, "next to it")), content.city)
    document = {"what": "route", **answer.to_dict(language=language)}
    return answer_page(document, words, plan="routes 2013", is_synthetic=True, picture=answer_map(about, words))


def timetabled(content: Content, language: str) -> str:
    """Page on the timetable of the routes of 2013, on two day types."""
    network, demand, plan = content.network, content.demand, content.best.plan
    table, report = build_timetable(network, demand, plan, Operation(max_headway_s=3600))
    riders = rider_service(network, demand, table, Operation(max_headway_s=3600)).to_dict()
    night = {"timetable": timetable_document(table, report), "riders": riders, "reference": None}
    nights = [{"days": days, **night} for days in (["mon", "tue", "wed", "thu", "sun"], ["fri"])]
    document = {"day_types": nights, "days_without_service": ["sat"]}
    return timetable_page(document, read_translations(language), plan="routes 2013", is_synthetic=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Opened:
    """A page with everything it complained about."""

    def __init__(self, browser: Browser, file: Path, viewport: dict[str, int]) -> None:
        self.context = browser.new_context(viewport=viewport, offline=True)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def fills(self) -> list[str]:
        """Colour of every hex."""
        found: list[str] = self.page.evaluate(
            "[...document.querySelectorAll('path.hex')].map(hex => hex.getAttribute('d').slice(0, 12) + hex.getAttribute('fill')).sort()"
        )
        return found

    def count(self, selector: str) -> int:
        """Elements that match."""
        return self.page.locator(selector).count()

    def details(self) -> dict[str, str]:
        """Numbers beside the map by their name in the scorecard."""
        found: dict[str, str] = self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('#details dd')].map(one => [one.dataset.key, one.textContent]))"
        )
        return found


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Opened]:
    page = Opened(browser, folder / "en.html", DESKTOP)
    yield page
    assert page.complaints == []
    assert len(page.requests) == 1
    page.context.close()


def test_all_hexes_and_routes_are_drawn_without_a_request(opened: Opened, folder: Path) -> None:
    assert opened.count("path.hex") == 1252
    assert opened.count("path.route") == 9
    assert opened.count("path.water") >= 1
    assert (folder / "en.html").stat().st_size < 1_500_000


def test_hours_and_layers_change_what_is_drawn(opened: Opened) -> None:
    seen = [opened.fills()]
    for layer in ("covered", "uncovered", "difference"):
        opened.page.check(f"input[value={layer}]")
        seen.append(opened.fills())
    opened.page.check("input[value=demand]")
    assert opened.fills() == seen[0]
    opened.page.focus("#hour")
    for key in ("ArrowRight", "End"):
        opened.page.keyboard.press(key)
        seen.append(opened.fills())
    assert opened.page.text_content("#hour-text") == "04–05 h"  # noqa: RUF001 - a span of hours
    assert len({str(one) for one in seen}) == len(seen)


def test_hexes_with_less_than_half_within_the_walk_are_striped_and_tell_their_share(opened: Opened) -> None:
    near: list[int] = opened.page.evaluate("JSON.parse(document.getElementById('data').textContent).hexes.near")
    partly = [(share, k) for k, share in enumerate(near) if 0 < share < 50]
    assert partly
    assert opened.count("path.hex[fill^='url(#striped-']") == 0
    for layer in ("covered", "uncovered"):
        opened.page.check(f"input[value={layer}]")
        assert opened.count("path.hex[fill^='url(#striped-']") == len(partly)
        assert "striped: less than half" in str(opened.page.text_content("#legend"))
    share, k = partly[0]
    opened.page.evaluate(
        "k => document.querySelectorAll('path.hex')[k].dispatchEvent(new MouseEvent('click', { bubbles: true }))",
        k,
    )
    assert f"{share}\N{NO-BREAK SPACE}% of its area" in str(opened.page.text_content("#details"))


@pytest.fixture
def other(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    page = Opened(browser, folder / f"{request.param}_en.html", DESKTOP)
    yield page
    assert page.complaints == []
    assert len(page.requests) == 1
    page.context.close()


@pytest.mark.parametrize(("other", "routes"), [("compared", 9), ("swept", 2)], indirect=["other"])
def test_reports_of_comparisons_and_sweeps_draw_their_map_without_a_request(other: Opened, routes: int) -> None:
    assert (other.count("path.hex"), other.count("path.route")) == (1252, routes)
    seen = [other.fills()]
    for layer in other.page.evaluate("[...document.querySelectorAll('input[name=layer]')].map(one => one.value)")[1:]:
        other.page.check(f"input[value={layer}]")
        seen.append(other.fills())
    assert len({str(one) for one in seen}) == len(seen) >= 4
    other.page.check("input[value=difference]")
    assert other.page.is_disabled("#hour")
    assert other.page.text_content("#hour-text") == "whole night"


@pytest.mark.parametrize("other", ["compared"], indirect=True)
def test_a_comparison_begins_with_the_difference_and_shows_the_numbers_of_its_scorecard(other: Opened, compared: Content) -> None:
    assert other.page.is_checked("input[value=difference]")
    other.page.locator("#route-list [data-show='2']").click()
    row = compared.best.card["routes"][2]
    shown = other.details()
    assert shown["boardings_trips"] == read_translations("en").number(row["boardings_trips"])
    assert shown["length_m"] == f"{row['length_m'] / 1000:.1f}"
    assert other.count("#side tbody tr") >= 8
    assert other.page.locator("#side tbody tr").first.locator("td").last.text_content() == "42\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize("other", ["swept"], indirect=True)
def test_a_sweep_draws_its_curve_and_marks_the_knee_in_curve_and_table(other: Opened) -> None:
    assert other.count("#sweep-chart polyline") == 3
    assert other.page.locator("#sweep-chart .said").text_content() == "knee at 2"
    assert other.page.locator("#sweep .knee th").text_content() == "2"


NAMES = """[...document.querySelectorAll('.labels .name, .terminal span')].map(name => {
    const box = name.getBoundingClientRect();
    return [name.textContent, box.left, box.top, box.right, box.bottom, name.className];
})"""


def overlapping(page: Page) -> list[tuple[str, str]]:
    """Pairs of names on the map that cover each other by more than a pixel and a half; names of route ends may have no other spot."""
    boxes = page.evaluate(NAMES)
    return [
        (one[0], two[0])
        for k, one in enumerate(boxes)
        for two in boxes[:k]
        if (one[5] or two[5]) and min(one[3], two[3]) - max(one[1], two[1]) > 1.5 and min(one[4], two[4]) - max(one[2], two[2]) > 1.5
    ]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, {"width": 1400, "height": 900}])
@pytest.mark.parametrize("name", ["en", "ko", "street_en", "street_ko", "compared_en"])
def test_names_on_the_map_overlap_at_no_zoom(browser: Browser, folder: Path, name: str, viewport: dict[str, int]) -> None:
    page = Opened(browser, folder / f"{name}.html", viewport)
    for _ in range(3):
        assert page.count(".labels .district") >= 1
        assert overlapping(page.page) == []
        page.page.locator(".leaflet-control-zoom-in").click(click_count=2, delay=20)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.complaints == []
    page.context.close()


@pytest.mark.parametrize("other", ["street"], indirect=True)
def test_streets_are_one_pale_path_and_terminals_and_stops_are_named(other: Opened, street: Content) -> None:
    assert other.count("path.streets") == 1
    ends = {display_name(street.network, int(route.stops[end]), short=True) for route in street.best.plan for end in (0, -1)}
    shown = set(other.page.locator(".labels .end").all_text_contents())
    assert shown <= ends
    assert len(shown) >= len(ends) / 2
    assert other.count(".labels .badge") >= 9
    assert other.count(".labels .stop") == 0
    for _ in range(4):
        other.page.locator(".leaflet-control-zoom-in").click()
    assert other.count(".labels .stop") >= 5
    assert "(역 " in (other.page.text_content("table [data-route='0'], tr[data-route='0']") or "")


def test_korean_pages_name_stops_and_districts_in_hangul(browser: Browser, folder: Path) -> None:
    page = Opened(browser, folder / "street_ko.html", DESKTOP)
    names = page.page.locator(".labels .end").all_text_contents()
    assert names
    assert all(name.startswith("역 ") for name in names)
    assert page.page.locator(".labels .district").first.text_content() not in read_translations("en").table["names"]
    page.context.close()


def test_hidden_routes_take_their_names_with_them_and_names_let_clicks_through(opened: Opened) -> None:
    assert opened.count(".labels .badge") > 0
    opened.page.click("#none")
    assert (opened.count(".labels .badge"), opened.count(".labels .end")) == (0, 0)
    label = opened.page.locator(".labels .district").first
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    assert box is not None
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert (opened.page.text_content("#details h4") or "").startswith("Hexagon q")


def test_after_dragging_names_are_laid_out_anew(opened: Opened) -> None:
    for _ in range(5):
        opened.page.locator(".leaflet-control-zoom-in").click()
        opened.page.wait_for_timeout(500)  # a click while the map zooms is lost
    opened.page.evaluate("document.getElementById('map').scrollIntoView({block: 'start', behavior: 'instant'})")
    before = opened.page.evaluate(NAMES)
    box = opened.page.locator("#map").bounding_box()
    assert box is not None
    opened.page.mouse.move(box["x"] + 500, box["y"] + 300)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 100, box["y"] + 300, steps=4)
    opened.page.mouse.up()
    opened.page.wait_for_timeout(3_000)  # a quick drag glides on
    assert {row[0] for row in opened.page.evaluate(NAMES)} != {row[0] for row in before}
    assert overlapping(opened.page) == []


def test_routes_go_and_come_back(opened: Opened) -> None:
    opened.page.uncheck("#route-0")
    assert opened.count("path.route") == 8
    opened.page.click("#none")
    assert opened.count("path.route") == 0
    opened.page.click("#all")
    assert opened.count("path.route") == 9
    assert opened.count("path.reference") == 0
    opened.page.check("#reference")
    assert opened.count("path.reference") == 6


def test_a_route_shows_the_numbers_of_the_scorecard(opened: Opened, content: Content) -> None:
    words = read_translations("en")
    for place, row in enumerate(content.best.card["routes"]):
        opened.page.locator(f"#route-list [data-show='{place}']").press("Enter")
        shown = opened.details()
        for name in ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips", "only_presence"):
            assert shown[name] == words.number(row[name]), (row["name"], name)
        assert shown["length_m"] == f"{row['length_m'] / 1000:.1f}"
        assert (shown["buses"], shown["n_stops"]) == (str(row["buses"]), str(row["n_stops"]))


def test_a_click_on_a_route_and_on_a_hex_tells_of_them(opened: Opened, content: Content) -> None:
    where = """(line) => {
        const middle = line.getPointAtLength(line.getTotalLength() / 2), to = line.getScreenCTM();
        return [middle.x * to.a + to.e, middle.y * to.d + to.f];
    }"""
    opened.page.click("#none")
    opened.page.check("#route-3")
    opened.page.locator("#map").scroll_into_view_if_needed()
    x, y = opened.page.locator("path.hit").evaluate(where)
    opened.page.mouse.click(x, y)
    assert opened.page.text_content("#details h4") == content.best.plan.names[3]
    opened.page.click("#none")
    box = opened.page.locator("path.hex").nth(700).bounding_box()
    assert box is not None
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert (opened.page.text_content("#details h4") or "").startswith("Hexagon q")
    assert re.search(r"(fewer than|to|and more).* a night", opened.page.text_content("#details") or "")


def test_every_control_is_reached_by_the_keyboard(opened: Opened) -> None:
    seen = set()
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        seen.add(opened.page.evaluate("document.activeElement.id || document.activeElement.name || document.activeElement.dataset.show"))
    assert {"layer", "hour", "all", "none", "route-0", "route-8", "reference", "map", "0", "8"} <= seen


def test_in_print_the_map_lies_in_its_frame_and_nothing_stays_folded(opened: Opened) -> None:
    opened.page.evaluate(
        """() => window.addEventListener('beforeprint', () => {
            const frame = document.getElementById('map').getBoundingClientRect();
            const hexes = [...document.querySelectorAll('path.hex')].map(hex => hex.getBoundingClientRect());
            window.inside = hexes.filter(box => box.left >= frame.left - 1 && box.right <= frame.right + 1
                && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1).length;
            window.folded = document.querySelectorAll('details:not([open])').length;
        })"""
    )
    pages = opened.page.pdf(prefer_css_page_size=True)
    assert opened.page.evaluate("[window.inside, window.folded]") == [1252, 0]
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pages)) <= 8
    assert opened.page.evaluate("document.querySelectorAll('details:not([open])').length") > 0


CUT = """[...document.querySelectorAll('.badge, label, label span, summary, h1, h2, h3, dt, dd, th, td, p, output, .city')]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && getComputedStyle(one).display !== 'inline')
    .map(one => one.textContent.trim().slice(0, 40))"""


PAGES = [
    *((name, DESKTOP) for name in ("en", "compared_en", "swept_ko")),
    *((name, DESKTOP) for name in ("answer_ko", "timetable_en")),
    *((name, PHONE) for name in ("en", "ko", "compared_ko", "swept_en", "answer_en", "timetable_ko")),
]


@pytest.mark.parametrize(("name", "viewport"), PAGES, ids=[f"{name}-{size['width']}" for name, size in PAGES])
def test_nothing_is_cut_and_axe_finds_nothing(browser: Browser, folder: Path, name: str, viewport: dict[str, int]) -> None:
    opened = Opened(browser, folder / f"{name}.html", viewport)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert opened.page.evaluate(CUT) == []
    opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    if viewport == PHONE:
        opened.page.wait_for_selector(".scroll.cut")
    else:
        tables = opened.page.locator(".scroll")
        assert [one for one in tables.all() if one.evaluate("one => one.scrollWidth > one.clientWidth")] == []
    if opened.count("#route-list"):
        opened.page.locator("#route-list button").first.click()
    opened.page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = opened.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    said = [(one["id"], one["impact"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found["violations"]]
    assert said == []
    assert opened.complaints == []
    opened.context.close()
