"""Signs that are obeyed and not shown: none of them reaches a terminal, a report or an exported file."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
import zipfile
from pathlib import Path

import fuzzing
import pytest
from hypothesis import given
from hypothesis import strategies as st

import owlbus
from owlbus.cli.app import run
from owlbus.cli.options import OutputOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.common.errors import DataError
from owlbus.common.text import escape_json, how_many, page_value, visible, visible_lines
from owlbus.plan import Route

OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
NAMES = ("Gang\x1b[2Jnam", "Sa\u202edang\x07", "Jong\x9b31mno\u2028X")
SHOWN = (r"Gang\x1b[2Jnam", r"Sa\u202edang\x07", r"Jong\x9b31mno X")


@given(st.text(st.characters(exclude_categories=())))
def test_no_sign_that_is_obeyed_is_left_and_no_other_is_touched(text: str) -> None:
    found = visible(text)
    assert not {unicodedata.category(sign) for sign in found} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(sign) for sign in found} & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert visible(found) == found
    assert found.encode().decode() == found
    assert text.count("\n") == visible_lines(text).count("\n")


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf"))))
def test_text_without_such_signs_stays_as_it_is(text: str) -> None:
    assert (visible(text), visible_lines(text), page_value(text), escape_json(text)) == (text, text, text, text)


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_escaped_json_means_the_same(value: object) -> None:
    text = escape_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(text) == value
    assert not OBEYED.search(text)


@pytest.mark.parametrize("name", [*NAMES, "a\nb", "a\ud800", " "])
def test_a_route_that_is_called_so_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"a route needs a name of one line, got .*; leave signs out that steer a terminal"):
        Route([0, 1], name)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a town whose stops have names that steer terminals, planned from files that are called so too."""
    place = tmp_path_factory.mktemp("signs")
    spots = [(127.005, 37.505), (127.017, 37.513), (127.029, 37.521)]
    stops = "lon,lat,name\n" + "".join(f"{lon},{lat},{name}\n" for (lon, lat), name in zip(spots, NAMES, strict=True))
    words = [fuzzing.at(place, "calls\x1b[1m.csv", fuzzing.calls_csv(300)), "--area", fuzzing.at(place, "area.csv", fuzzing.area_csv())]
    tables = {"--nodes": fuzzing.nodes_csv(), "--links": fuzzing.links_csv(), "--stops": stops.encode()}
    for option, data in tables.items():
        words += [option, fuzzing.at(place, f"{option[2:]}.csv", data)]
    assert run(["plan", *words, "--routes", "1", "--steps", "100", "-q", "--out", str(place / "run"), "--walk", "2000"]) == 0
    return place / "run"


def test_no_file_of_a_run_that_people_or_programs_read_holds_one(town: Path) -> None:
    texts = {
        file.name: file.read_text(encoding="utf-8") for file in sorted(town.iterdir()) if file.suffix in {".json", ".geojson", ".html"}
    }
    with zipfile.ZipFile(town / "gtfs.zip") as feed:
        texts |= {name: feed.read(name).decode("utf-8-sig") for name in feed.namelist()}
    assert {name for name, text in texts.items() if OBEYED.search(text)} == set()
    assert all(name in texts["stops.txt"] for name in SHOWN if name in texts["stops.geojson"].replace("\\\\", "\\"))
    assert any(name in texts["stops.txt"] for name in SHOWN)
    assert {"report.html", "plan.geojson", "scorecard.json", "run.json", "stops.txt"} <= set(texts)


@pytest.mark.parametrize(
    "words",
    [
        ["score", "{plan}", "--run", "{run}", "-v"],
        ["score", "{plan}", "--run", "{run}", "--json"],
        ["compare", "{plan}", "{other}", "--run", "{run}"],
        ["explain", "{plan}", "--run", "{run}", "route"],
        ["explain", "{plan}", "--run", "{run}", "missing"],
        ["timetable", "{plan}", "--run", "{run}", "-v"],
        ["network", "{run}"],
        ["demand", "{calls}", "--city", "seoul", "--check"],
    ],
    ids=" ".join,
)
def test_no_command_prints_one(words: list[str], town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other\x1b[31m.geojson"
    shutil.copy(town / "plan.geojson", other)
    places = {"plan": town / "plan.geojson", "run": town, "other": other, "calls": town.parent / "calls\x1b[1m.csv"}
    assert run([word.format(**places) for word in words]) == 0
    out, err = capsys.readouterr()
    assert out + err
    assert not OBEYED.search(out + err)


@pytest.mark.parametrize(("number", "text"), [(0, "0 buses"), (1, "1 bus"), (2, "2 buses"), (1234, "1,234 buses")])
def test_a_number_and_the_word_for_what_it_counts_agree(number, text):
    assert how_many(number, "bus") == text


SENTENCES = Path(owlbus.__file__).parent


def test_no_sentence_joins_a_number_of_buses_to_a_word_for_several():
    """One bus is common: such sentences take `how_many`, or name the number after a colon."""
    found = [
        f"{path.name}: {match[0]}"
        for path in SENTENCES.rglob("*.py")
        for match in re.finditer(r"\{[\w.()\[\]']*(?:fleet|buses|n_runs)[\w.()\[\]']*\} (?:buses|runs)\b", path.read_text(encoding="utf-8"))
    ]
    assert not found


def test_a_table_without_rows_is_a_sentence(capsys):
    table = empty_table("Swaps of one stop that gain trips")
    table.add_column("swap")
    for rows, text in (([], "Swaps of one stop that gain trips: none.\n"), (["P, Q"], "swap")):
        for row in rows:
            table.add_row(row)
        with open_output(OutputOptions()) as output:
            output.show({}, table)
        printed = capsys.readouterr().out
        assert text in printed
        assert ("swap " in printed or "swap\n" in printed) is bool(rows)
