"""The report: one file without requests, the numbers of the scorecard, text as text, and no small count."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import owlbus.report
from owlbus.cli.app import run
from owlbus.common.disclosure import EXACT, MIN_COUNT
from owlbus.common.ending import INTERRUPTED, Ending
from owlbus.common.errors import DataError, UsageError
from owlbus.common.palette import HEX_COLOURS, ROUTE_COLOURS
from owlbus.demand import Demand
from owlbus.evidence import compare_plans
from owlbus.explore.editor_page import SCRIPTS, editor_asset
from owlbus.grid.hexgrid import HexGrid
from owlbus.network import Network, WalkRule
from owlbus.network.walk_sheds import reached_share
from owlbus.pipeline import Study, score_study, write_run
from owlbus.pipeline.report_content import comparison_contents, read_contents
from owlbus.pipeline.run_tables import missing_documents
from owlbus.pipeline.rundir import (
    RunRecord,
    check_run,
    describe_run,
    open_run_dir,
    read_run,
)
from owlbus.plan import Plan, Route
from owlbus.report import (
    LANGUAGES,
    Content,
    PlanContent,
    report_html,
    table_rows,
    write_report,
)
from owlbus.report.comparison import moved_rows
from owlbus.report.end_reason import ending_text
from owlbus.report.map_data import hex_data, map_data
from owlbus.report.page import script_json
from owlbus.report.svg_charts import Curve, line_chart, number_chart
from owlbus.report.table_rows import setting_rows
from owlbus.report.translations import read_asset, read_translations
from owlbus.report.unserved import missing_rows
from owlbus.sample import sample_city
from owlbus.search.stopping import (
    MaxSeconds,
    MaxSteps,
    NoGain,
    Snapshot,
    TargetGap,
)

EVIL = '</script><img src=x onerror="alert(1)">&amp;'
VOID = {"meta", "link", "input", "img", "br", "hr"}


@pytest.fixture(scope="module")
def network() -> Network:
    grid = HexGrid.cover([(127.0, 37.5), (127.06, 37.5), (127.06, 37.54), (127.0, 37.54)])
    plain = Network.from_lattice(grid)
    return replace(plain, stop_names=(EVIL, *plain.stop_names[1:]))


@pytest.fixture(scope="module")
def demand(network: Network) -> Demand:
    rng = np.random.default_rng(3)
    n = network.grid.n_hexes
    hexes = np.tile(np.arange(n, dtype=np.int32), 10)
    night, hour = (np.repeat(part, n).astype(np.int16) for part in (np.arange(10) // 5, 24 + np.arange(10) % 5))
    return Demand.from_rows(
        n,
        {"night": night, "hour": hour, "origin": hexes, "destination": (hexes + n // 2) % n, "trips": rng.integers(1, 40, hexes.size)},
        {"night": night, "hour": hour, "hex": hexes, "presence": rng.integers(1, 60, hexes.size)},
        nights=(dt.date(2013, 3, 12), dt.date(2013, 3, 13)),
    )


@pytest.fixture(scope="module")
def study(network: Network, demand: Demand) -> Study:
    return Study(network.grid, demand, network)


def plan_of(network: Network, *ends: tuple[int, int], names: tuple[str, ...] = ()) -> Plan:
    given = names or tuple(f"N{k}" for k in range(len(ends)))
    return Plan(tuple(Route(network.shortest_path(*pair), name) for pair, name in zip(ends, given, strict=True)), network.fingerprint)


@pytest.fixture(scope="module")
def content(study: Study) -> Content:
    network, last = study.network, study.network.n_stops - 1
    best = plan_of(network, (0, last), (last // 2, 0), names=("N<b>1</b>", "N2"))
    old = plan_of(network, (last // 3, last))
    told, other = (
        PlanContent(name, plan, score_study(study, plan, name).card.to_dict()) for name, plan in (("this plan", best), ("routes 2013", old))
    )
    about = describe_run(
        RunRecord("plan", {"n_routes": 2, "files": ["/home/someone/calls.csv"]}, 7, (__file__,), Ending("steps", {"steps": 300}))
    )
    districts = np.where(network.grid.x_m < 0, "West", "East")
    missing = missing_documents(study, told, about)
    return Content(network, study.demand, told, other, None, districts, is_synthetic=True, about=about, missing=missing)


class Elements(HTMLParser):
    """Collects start tags, and refuses tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not (self.open and self.open[-1] in {"script", "style"}):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter a tag that holds nothing."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Leave a tag, which must be the last that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep text that people read."""
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts.append(data)


def parsed(html: str) -> Elements:
    elements = Elements()
    elements.feed(html)
    assert elements.open == []
    return elements


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, flags=re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_asks_nothing_of_the_network(content: Content, language: str) -> None:
    html = report_html(content, language)
    elements = parsed(html)
    assert not [tag for tag, attrs in elements.tags if attrs.get("src") or (attrs.get("href") or "#")[:1] not in "#d"]
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in elements.tags}
    assert "default-src 'none'" in html
    styles = "".join(re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL))
    assert "url(" not in styles
    assert "@import" not in styles
    assert "sourceMappingURL" not in html


def test_names_are_text_wherever_they_stand(content: Content) -> None:
    html = report_html(content)
    elements = parsed(html)
    assert "img" not in {tag for tag, _ in elements.tags}
    assert "b" not in {tag for tag, _ in elements.tags}
    assert "N<b>1</b>" in elements.texts
    assert EVIL in {name for route in data_of(html)["routes"] for name in route["names"]}


@pytest.mark.parametrize("text", ["</script>", "<!--", "&lt;", "\u2028", "\u2029", "]]>"])
def test_json_in_a_script_holds_any_text_and_ends_nowhere(text: str) -> None:
    safe = str(script_json([text]))
    assert json.loads(safe) == [text]
    assert not re.search(r"[<>&\u2028\u2029]", safe)


def test_one_content_is_one_text(content: Content) -> None:
    assert report_html(content) == report_html(content)


def test_no_language_but_these(content: Content) -> None:
    with pytest.raises(UsageError, match="language must be one of en, ko, got 'fr'"):
        report_html(content, "fr")


def test_both_languages_say_the_same_things() -> None:
    tables = [read_translations(language).table for language in LANGUAGES]
    assert tables[0].keys() == tables[1].keys()
    for key in tables[0].keys() - NESTED:
        assert sorted(re.findall(r"\{\w+\}", tables[0][key])) == sorted(re.findall(r"\{\w+\}", tables[1][key])), key
    for part in ("js", "explore"):
        assert tables[0][part].keys() == tables[1][part].keys()
        for key, text in tables[0][part].items():
            assert sorted(re.findall(r"\{\d\}", text)) == sorted(re.findall(r"\{\d\}", tables[1][part][key])), key


NESTED = {"names", "places", "days", "js", "explore"}
"""Tables inside the table of words."""


def templates() -> str:
    """Return the templates of all pages as one text."""
    editor = (files("owlbus.explore") / "assets" / "explore.html.j2").read_text(encoding="utf-8")
    return editor + "".join(read_asset(f"{name}.html.j2") for name in ("base", "macros", "report", "sections"))


def scripts() -> str:
    """Return the scripts of the report as one text."""
    return "".join(read_asset(name) for name in ("map_names.js", "map.js", "report.js"))


def test_every_word_of_the_script_and_the_template_exists() -> None:
    table = read_translations("en").table
    assert set(re.findall(r"\bsay\.(\w+)\b", scripts())) <= table["js"].keys()
    assert set(re.findall(r't\("([\w.]+[\w])"', templates())) <= table.keys()


def test_every_word_of_the_editor_is_said_by_its_scripts_and_none_is_missing() -> None:
    code = "".join(editor_asset(name).content.decode() for name in SCRIPTS)
    table = read_translations("en").table["explore"]
    said = set(re.findall(r"""["']([\w.]+)["']""", code))
    begun = tuple(re.findall(r'say\("([\w.]+\.)" \+', code))
    assert {key for key in table if key not in said and not key.startswith(begun)} == set()
    assert set(re.findall(r'say\("([\w.]+\w)"', code)) <= table.keys()
    assert not re.search(r"\bstyle=|<style|<script>|\son\w+=", templates().partition("<!doctype html>")[2].partition("</html>")[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_the_numbers_of_the_scorecard(content: Content, language: str) -> None:
    card, words = content.best.card, read_translations(language)
    texts = parsed(report_html(content, language)).texts
    for share in (card["presence"]["share"], card["served"]["share"], card["direct"]["share"]):
        assert words.percent(share) in texts
    for row in card["routes"]:
        for name in ("boardings_trips", "transfers_trips", "max_load_trips", "only_served_trips"):
            assert words.number(row[name]) in texts
    for row, told in zip(data_of(report_html(content))["routes"], card["routes"], strict=True):
        assert row["card"] == {**told, "headway_s": card["headway_s"]}


def test_the_heading_says_what_is_synthetic_and_what_is_not(content: Content) -> None:
    said = read_translations("en")("synthetic.text")
    assert said in report_html(content)
    assert said not in report_html(replace(content, is_synthetic=False))


def test_a_bound_is_told_where_one_is_known(content: Content) -> None:
    with_bound = replace(content, about={**content.about, "objective_share": 0.3, "bound_share": 0.4})
    assert "optimality gap 33.3\N{NO-BREAK SPACE}%" in report_html(with_bound)
    assert "upper bound" not in report_html(content)


def test_a_bound_on_the_published_figure_stands_before_that_of_the_search(content: Content) -> None:
    share = content.best.card["presence"]["share"]
    about = {**content.about, "objective_share": 0.3, "bound_share": 0.4, "published_bound": {"share": 1.25 * share, "gap": 0.25}}
    html = report_html(replace(content, about=about))
    by_area = html.index(f"no plan can exceed {125 * share:.1f}\N{NO-BREAK SPACE}%; optimality gap 25.0\N{NO-BREAK SPACE}%")
    as_searched = "so counted 30.0\N{NO-BREAK SPACE}%, at most 40.0\N{NO-BREAK SPACE}%, gap 33.3\N{NO-BREAK SPACE}%"
    assert by_area < html.index(as_searched)
    assert "80.0\N{NO-BREAK SPACE}%" in html[:by_area]


def test_what_a_bound_cannot_see_and_the_pool_bound_are_told_beside_it(content: Content) -> None:
    more = {"unseen_by_bound": "rides", "pool_bound": {"n_routes_met": 160, "share": 0.35}}
    html = report_html(replace(content, about={**content.about, "objective_share": 0.3, "bound_share": 0.4, **more}))
    assert "not whether a ride with at most one transfer joins them in time" in html
    told = "no choice of 2 among the 160 routes that the search met exceeds 35.0\N{NO-BREAK SPACE}%; it is no bound over all routes"
    assert told in html


def test_every_sentence_is_said_somewhere() -> None:
    """A key stands whole in the code or the template, or is put together from a beginning that does: ``title.sweep.{kind}.{where}``."""
    folder = Path(owlbus.report.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py")) + templates()
    whole = set(re.findall(r"[\"']([\w.]+)[\"']", code))
    begun = re.findall(r'f"([a-z]\w*\.[\w.]*)\{', code) + re.findall(r't\("([\w.]+\.)" ~', code)
    table = read_translations("en").table
    assert [key for key in table.keys() - NESTED - whole if not key.startswith(tuple(begun))] == []
    script = scripts()
    assert [key for key in table["js"] if not re.search(rf'\bsay\.{key}\b|"{key}"', script)] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (WalkRule(500).by_area, "text"),
        (WalkRule(500), "centre"),
        (WalkRule(500, area_share=0.5), "share"),
        (f"{WalkRule(500).by_area}, of 9 parts of it by area", "area"),
        (f"{WalkRule(500).by_area}, of 9 parts of it by records", "records"),
    ],
)
def test_the_page_says_when_a_hexagon_is_within_the_walk(content: Content, rule: WalkRule | str, key: str, language: str) -> None:
    words = read_translations(language)
    told = replace(content.best, card={**content.best.card, "walk_rule": str(rule)})
    radius = f"{content.network.grid.radius_m:.0f}"
    expected = words(f"method.presence.{key}", radius=radius, walk="500", share=words.percent(0.5))
    assert expected in parsed(report_html(replace(content, best=told), language)).texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_tells_one_route_no_change_and_given_streets_from_the_usual(content: Content, language: str) -> None:
    words, city = read_translations(language), sample_city("seoul")
    network = replace(content.network, source="tables")
    alone = Plan(content.best.plan.routes[:1], network.fingerprint)
    card = {**content.best.card, "rule": {**content.best.card["rule"], "max_transfers": 0}, "routes": content.best.card["routes"][:1]}
    told = replace(content, best=PlanContent("plan", alone, card), reference=None, network=network, city=city)
    texts = parsed(report_html(told, language)).texts
    assert words("title.city.one", city=words.name("seoul")) in texts
    assert words("key.served.note0", trips=words.number(card["served"]["denominator"])) in texts
    assert words("method.network.other") in texts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["routes", "fleet", "km", "headway"])
def test_a_sweep_of_a_city_is_called_after_it(content: Content, kind: str, language: str) -> None:
    words = read_translations(language)
    html = report_html(replace(content, sweep=swept(kind, None), city=sample_city("seoul")), language)
    assert words(f"title.sweep.{kind}.city", city=words.name("seoul")) in parsed(html).texts


def test_a_plan_that_is_worth_nothing_lies_without_end_below_its_bound() -> None:
    assert [read_translations(language).gap(0.0, 0.3) for language in LANGUAGES] == ["unbounded", "무한대"]


SNAPSHOT = Snapshot(600_000, 600_000, 99.0, 0.8, 0.816)
REASONS = (
    (MaxSteps(20_000).reason_to_end(SNAPSHOT), ("20,000",)),
    (MaxSteps(1).reason_to_end(SNAPSHOT), ("1",)),
    (MaxSeconds(0.5).reason_to_end(SNAPSHOT), ("0.5",)),
    (NoGain(5_000).reason_to_end(SNAPSHOT), ("5,000",)),
    (TargetGap(0.025).reason_to_end(SNAPSHOT), ("2.0", "2.5")),
    (Ending("near", {"steps": 600_000, "changed": 12, "allowed": 30}), ("600,000", "12", "30")),
    (Ending("fixed"), ()),
    (INTERRUPTED, ()),
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("ending", "figures"), REASONS, ids=[str(ending) for ending, _ in REASONS])
def test_every_way_that_a_search_ends_is_told_in_the_reader_s_language_with_its_figures(
    ending: Ending, figures: tuple[str, ...], language: str
) -> None:
    told = ending_text(Ending.from_dict(json.loads(json.dumps(ending.to_dict()))), read_translations(language))
    assert not told.startswith(read_translations(language)("ended.other", reason="")[:9])
    assert [number for number in figures if number not in told] == []


def test_the_reason_of_a_limit_that_a_user_wrote_is_told_as_it_stands() -> None:
    ending = Ending.from_dict(Ending.of("the kettle boils").to_dict())
    assert str(ending) == "the kettle boils"
    assert ending_text(ending, read_translations("en")) == "Why the search ended: the kettle boils."
    assert ending_text(ending, read_translations("ko")) == "탐색이 끝난 이유: the kettle boils."


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"reason": "tired"},
        {"reason": ["steps"]},
        {"reason": "steps"},
        {"reason": "steps", "steps": "many"},
        {"reason": "steps", "steps": float("nan")},
        {"reason": "steps", "steps": 10**400},
        {"reason": "steps", "steps": True},
        {"reason": "fixed", "steps": 1},
        {"reason": "other", "text": 7},
    ],
)
def test_a_reason_without_its_numbers_is_none(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="end"):
        Ending.from_dict(values)


def test_the_page_says_how_the_search_ended(content: Content) -> None:
    assert "The search ended because the limit of 300 moves was reached." in report_html(content)
    assert "탐색은 정해진 300번의 시도를 모두 마치고 끝났습니다." in report_html(content, "ko")


def test_the_map_holds_classes_and_no_count(content: Content) -> None:
    data = hex_data(content, read_translations("en"))
    assert [len(row) for row in data["classes"]] == [content.network.grid.n_hexes] * 6
    assert set("".join(data["classes"])) <= set("012345")
    for row, people in zip(data["classes"], [content.demand.presence_by_hex(), *content.demand.presence_by_hour()], strict=True):
        assert not [k for k, digit in enumerate(row) if digit != "0" and people[k] < MIN_COUNT]
    values = {"at", "ring", "labels", "districts", "district", "parts", "classes", "edges", "near", "was", "change", "reachable", "by"}
    assert data.keys() == values


def test_the_map_tells_the_share_of_each_hex_within_the_walk_in_whole_percent(content: Content) -> None:
    """Rounded down, so that a hex with just less than half of its area within the walk stays in part."""
    data = hex_data(content, read_translations("en"))
    share = reached_share(content.network, content.best.plan.used_stops)
    assert data["near"] == [int(100 * part) for part in share.tolist()]
    assert 0 < min(percent for percent in data["near"] if percent) < 50
    assert [bool(routes) for routes in data["by"]] == (share > 0).tolist()


def test_classes_of_the_map_come_from_printed_counts_alone(content: Content) -> None:
    """People moved within their class of 15 change neither a class nor an edge."""
    words, n = read_translations("en"), content.network.grid.n_hexes
    night = np.arange(n) * MIN_COUNT + 1.0
    pages = []
    for extra in (0.0, 13.5):
        rows = {"presence_night": np.zeros(n, np.int16), "presence_hour": np.full(n, 24, np.int16), "presence_hex": np.arange(n)}
        data = hex_data(replace(content, demand=Demand(n, presence=night + extra, **rows)), words)
        pages.append((data["classes"], data["edges"]))
    assert pages[0] == pages[1]
    assert len(set(pages[0][0][0])) == 6


def few_trips(study: Study, trips: float, min_count: float = MIN_COUNT) -> Content:
    """Return the report of a town with so many trips and people, all at one hour and from one end to the other."""
    n = study.grid.n_hexes
    people = {"presence_night": [0], "presence_hour": [24], "presence_hex": [0], "presence": [trips]}
    few = Demand(n, origin=[0], destination=[n - 1], trips=[trips], **people)  # type: ignore[arg-type]
    town = Study(study.grid, few, study.network, min_count=min_count)
    plan = plan_of(study.network, (0, study.network.n_stops - 1))
    return Content(study.network, few, PlanContent("few", plan, score_study(town, plan, "few").card.to_dict()), min_count=min_count)


def test_counts_below_the_base_read_so_and_make_no_share(study: Study) -> None:
    content = few_trips(study, 14.0)
    html, words = report_html(content), read_translations("en")
    assert "<15" in parsed(html).texts
    assert data_of(html)["routes"][0]["card"]["boardings_trips"] == 0
    assert table_rows.hour_charts(content, words) == []
    assert table_rows.part_rows(content, "hour", words)[0][1:] == ["too few"] * 5


@pytest.mark.parametrize(("language", "range_text"), [("en", "({} to {} %)"), ("ko", "({}~{}%)")])
def test_the_headline_of_a_small_town_has_the_range_that_rounding_leaves(study: Study, language: str, range_text: str) -> None:
    content = few_trips(study, 140.0)
    presence = content.best.card["presence"]
    low, high = (f"{100 * end:.0f}" for end in presence["range_share"])
    shown = [
        text
        for text in parsed(report_html(content, language)).texts
        if range_text.format(low, high).replace(" %", "\N{NO-BREAK SPACE}%") in text
    ]
    assert shown
    large = few_trips(study, 150.0)
    assert read_translations(language).headline(large.best.card["presence"], 150)[1] == ""


def test_hours_without_demand_are_gaps_and_have_no_share(study: Study) -> None:
    content = few_trips(study, 400.0, EXACT)
    rows = table_rows.part_rows(content, "hour", read_translations("ko"))
    assert rows[0][2] != "수요 없음"
    assert [row[2:] for row in rows[1:]] == [["수요 없음", "0", "수요 없음", "수요 없음"]] * 4
    assert content.best.card["by_hour"]["01"]["presence"]["no_share"] == "no demand"
    (presence, _) = table_rows.hour_charts(content, read_translations("en"))
    assert str(presence["svg"]).count("<circle") == 1 + 1, "one hour, and the key"


def test_only_seoul_is_held_against_what_seoul_states(content: Content) -> None:
    seoul = sample_city()
    html = {name: report_html(replace(content, city=city)) for name, city in (("seoul", seoul), ("other", replace(seoul, name="brno")))}
    for text in ("Seoul 2013", "42\N{NO-BREAK SPACE}%", "The 42\N{NO-BREAK SPACE}%"):
        assert text in html["seoul"]
        assert text not in html["other"]
        assert text not in report_html(content)


def test_water_and_mountains_are_told_where_they_are(content: Content) -> None:
    seoul, flat = sample_city(), replace(sample_city(), mountains=np.empty((0, 3)))
    told = [[word in report_html(replace(content, city=city)) for word in ("rivers", "mountains")] for city in (seoul, flat, None)]
    assert told == [[True, True], [True, False], [False, False]]


def test_files_lose_their_folders(content: Content) -> None:
    html = report_html(content)
    assert "calls.csv" in html
    assert "someone" not in html
    assert setting_rows({"a": {"b": None, "c": [r"C:\x\y.csv", 2]}}, read_translations("en")) == [("a.b", "none"), ("a.c", "y.csv, 2")]
    whole = {"days": "sun-thu=45/7,fri-sat=20", "agency_timezone": "Asia/Seoul"}
    assert setting_rows(whole, read_translations("en")) == list(whole.items())


def test_the_busiest_places_left_out_come_first(content: Content) -> None:
    rows = missing_rows(content, read_translations("en"))
    people = [float(row["cells"][0].replace(",", "")) for row in rows]
    assert people == sorted(people, reverse=True)
    assert all(count % MIN_COUNT == 0 for count in people)
    assert 0 < len(rows) <= 10
    changed = [row for row in rows if row["cost"]]
    assert changed
    assert all(re.fullmatch(r"N(2|<b>1</b>) diverted here", row["change"]) for row in changed)


def test_a_plan_without_routes_has_a_report(study: Study) -> None:
    plan = Plan((), study.network.fingerprint)
    html = report_html(Content(study.network, study.demand, PlanContent("none", plan, score_study(study, plan, "none").card.to_dict())))
    assert data_of(html)["routes"] == []


def test_a_report_of_the_largest_page_stays_small(content: Content) -> None:
    page = len(report_html(content).encode()) - len(script_json(map_data(content, read_translations("en"))).encode())
    per_hex = len(script_json(hex_data(content, read_translations("en"))).encode()) / content.network.grid.n_hexes
    assert page + 1252 * per_hex < 600_000


def test_curves_break_where_a_value_is_hidden() -> None:
    svg = str(line_chart("a & b", ["00", "01", "02", "03"], [Curve("<x>", (0.1, 0.2, None, 0.4))]))
    assert svg.count("<polyline") == 1
    assert svg.count("<circle") == 3 + 1
    assert "a &amp; b" in svg
    assert "&lt;x&gt;" in svg


def test_a_chart_over_numbers_marks_the_knee_the_bound_and_the_share_of_the_city() -> None:
    curves = [Curve("near", (0.2, 0.5, 0.6)), Curve("served", (0.1, 0.2, 0.3))]
    bound = Curve("bound & more", (0.7, 0.8, 0.9))
    svg = str(number_chart("t", [1, 2, 9], curves, axis="routes", bound=bound, mark=(2, "knee at 2"), level=(0.42, "Seoul")))
    assert svg.count("<polyline") == 3
    assert "bound &amp; more" in svg
    dots = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', svg)][:3]
    assert (dots[1] - dots[0]) * 7 == pytest.approx(dots[2] - dots[1], abs=1)
    assert f'<line x1="{dots[1]}" x2="{dots[1]}"' in svg


@pytest.fixture(scope="module")
def compared(study: Study, content: Content) -> Content:
    assert content.reference is not None
    plans = {"routes 2013": content.reference.plan, "plan": content.best.plan}
    found = compare_plans(study.network, study.demand, plans, districts=content.districts)
    held = comparison_contents(study, found, {**found.to_dict(), "by": {}}, content.about)
    return replace(held[0], districts=content.districts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_comparison_shows_every_measure_and_the_42_percent_beside_people_only(compared: Content, language: str) -> None:
    html, words = report_html(replace(compared, city=sample_city()), language), read_translations(language)
    side = html[html.index('id="side"') : html.index("</table>", html.index('id="side"'))]
    rows = re.findall(r"<tr class=.*?</tr>", side, flags=re.DOTALL)
    assert [row for row in rows if words.percent(0.42, 0) in row] == rows[:1]
    assert compared.comparison is not None
    for plan in compared.comparison["plans"].values():
        for name in ("presence", "served", "direct"):
            assert words.percent(plan[name]["share"]) in side


def test_a_comparison_tells_who_gains_and_who_loses_by_hour_and_district(compared: Content) -> None:
    texts, words = parsed(report_html(compared)).texts, read_translations("en")
    assert compared.comparison is not None
    change = compared.comparison["differences"]["plan"]
    for rows in (change["by_hour"], change["by_district"]):
        for row in rows.values():
            for name, sign in (("gained_trips", "+"), ("lost_presence", "\N{MINUS SIGN}")):
                assert words.count(row[name], MIN_COUNT, sign) in texts
    assert {"East", "West", "01–02 h"} <= set(texts)  # noqa: RUF001 - a span of hours


def test_the_map_of_a_comparison_has_a_class_of_trips_for_every_hex(compared: Content) -> None:
    net = data_of(report_html(compared))["net"]
    assert compared.net is not None
    assert [int(digit) - 3 for digit in net["classes"]] == compared.net[0].tolist()
    assert len(net["colours"]) == len(net["texts"]) == 7
    assert [text[0] for text in net["texts"]] == ["−", "−", "−", "l", "+", "+", "+"], "a sign, not colour alone"  # noqa: RUF001
    assert data_of(report_html(replace(compared, net=None)))["net"] is None


def test_a_difference_within_rounding_is_not_told() -> None:
    words = read_translations("en")
    row = {"gained_trips": 15.0, "lost_trips": 0.0, "net_trips": None, "gained_presence": None, "lost_presence": None, "net_presence": None}
    assert moved_rows({"a": row}, 15, words)[0]["cells"] == ["+15", "<15", "none told", "–", "–", "–"]  # noqa: RUF001 - a dash in a table


def swept(kind: str, bound: float | None) -> dict[str, Any]:
    rows = [
        {kind: x, "objective_share": y, "presence_share": y, "served_share": y, "direct_share": y / 2, "total_km": 10.0 * x, "buses": 2 * x,
         "marginal_points": 100 * y, "bound_share": bound, "is_knee": int(x == 2)}
        for x, y in ((1, 0.2), (2, 0.4), (4, 0.5))
    ]  # fmt: skip
    return {"kind": kind, "points": rows, "knee": 2}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["routes", "fleet", "km", "headway"])
def test_a_sweep_shows_its_curve_and_what_a_further_step_brings(content: Content, kind: str, language: str) -> None:
    html = report_html(replace(content, sweep=swept(kind, None)), language)
    words = read_translations(language)
    assert words("sweep.knee", at="2", step=words(f"sweep.step.{kind}"), before="20.00", after="5.00") in parsed(html).texts
    assert words("sweep.kneemark", at="2") in html
    assert words("sweep.curve.bound") not in html
    flat = report_html(replace(content, sweep={**swept(kind, None), "knee": None}), language)
    assert words("sweep.noknee") in flat


def test_a_sweep_with_bounds_shows_bound_and_gap(content: Content) -> None:
    html = report_html(replace(content, sweep=swept("routes", 0.8)))
    row = html[html.index('<tr class="knee">') :].split("</tr>")[0]
    assert re.findall(r"<td>([^<]*)</td>", row)[-2:] == ["80.0\N{NO-BREAK SPACE}%", "100.0\N{NO-BREAK SPACE}%"]


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", ROUTE_COLOURS)
def test_white_text_reads_on_every_route_colour(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_classes_tell_apart_without_colour() -> None:
    light = [luminance(colour) for colour in HEX_COLOURS]
    assert all((a + 0.05) / (b + 0.05) > 1.13 for a, b in pairwise(light))


@pytest.fixture(scope="module")
def made(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "run"
    last = study.network.n_stops - 1
    best, held = (
        score_study(study, plan_of(study.network, *ends), name)
        for name, ends in (("this plan", [(0, last), (last // 2, 0)]), ("old", [(0, last // 2)]))
    )
    record = RunRecord("plan", {"n_routes": 2, "reference_name": held.name}, 7, (), Ending("steps", {"steps": 300}), {}, 0.31, 0.35)
    with open_run_dir(out) as folder:
        write_run(folder, study, best, held, record=record)
        folder.publish(record)
    return out


def test_a_run_holds_its_report_and_the_report_can_be_written_again(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "report.html" in read_run(made)["outputs"]
    assert check_run(made) == []
    again = tmp_path / "again.html"
    assert run(["report", str(made), "--out", str(again), "--json"]) == 0
    assert again.read_bytes() == (made / "report.html").read_bytes()
    assert b'<a href="tables.xlsx">' in again.read_bytes()
    assert json.loads(capsys.readouterr().out)["bytes"] == again.stat().st_size


def test_the_bound_of_a_run_reaches_its_report(made: Path) -> None:
    assert "no plan can exceed 35.0\N{NO-BREAK SPACE}%" in (made / "report.html").read_text("utf-8")


def test_a_korean_report_goes_beside_the_other(made: Path) -> None:
    assert run(["report", str(made), "--lang", "ko", "-q"]) == 0
    html = (made / "report_ko.html").read_text("utf-8")
    assert '<html lang="ko">' in html
    assert check_run(made) == []
    (made / "report_ko.html").unlink()


def test_an_unknown_language_is_a_usage_error(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(made), "--lang", "fr"]) == 2
    assert capsys.readouterr().err == "error: --lang must be one of en, ko, got 'fr'\n"


def test_a_scorecard_of_an_earlier_version_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("owlbus.pipeline.report_content.SCORECARD_VERSION", 4)
    with pytest.raises(DataError, match=r"scorecard.json: schema_version must be 4, got 3; write the run again"):
        read_contents(made)


def test_a_run_without_a_plan_has_no_report(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "scorecard.json").write_text('{"routes": []}')
    with pytest.raises(DataError, match=r"scorecard.json: must be the scorecard of the 2 routes in plan.geojson; write the run again"):
        read_contents(tmp_path)
    (tmp_path / "scorecard.json").write_text("{")
    with pytest.raises(DataError, match=r"must be the scorecard of the 2 routes"):
        read_contents(tmp_path)
    (tmp_path / "plan.geojson").unlink()
    with pytest.raises(DataError, match=r"must hold plan.geojson, as runs that plan routes do; make one with: owlbus.pipeline.write_run$"):
        read_contents(tmp_path)


def test_a_report_is_written_as_utf_8(content: Content, tmp_path: Path) -> None:
    write_report(tmp_path / "ko.html", content, "ko")
    assert "심야버스" in (tmp_path / "ko.html").read_text("utf-8")
