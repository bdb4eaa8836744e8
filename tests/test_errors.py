"""Errors carry the setting that they are about, and every surface says it in its own words."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import math
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import owlbus
from owlbus.cli.app import COMMANDS, make_app
from owlbus.cli.commands import grouped
from owlbus.cli.cost_options import CostOptions, costs_of
from owlbus.cli.messages import FlagWords, flags_of, in_flags
from owlbus.cli.operation_options import OperationOptions, operations_of
from owlbus.cli.option_values import limits_of, rule_of
from owlbus.cli.options import LimitOptions, RuleOptions
from owlbus.common.errors import (
    DataError,
    OwlbusError,
    UsageError,
    Words,
    number_of,
    say,
    setting,
    span_of,
    step,
)
from owlbus.common.units import NightWindow, require_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(owlbus.__file__).parent
LIBRARY = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "cli")
make_app()  # from here on messages know what the commands declare

WITHOUT_OPTION = {
    "positional on the command line": {"files"},
    "of one Python function alone": {
        "by_area",
        "candidates",
        "count_by",
        "grid",
        "kind",
        "layout",
        "n_threads",
        "name",
        "plan",
        "quantile",
        "route_index",
        "stop_when",
        "style",
        "weights",
        "what",
    },
    "of networks": {"max_link_s", "max_stops", "opposite_m", "snap_m", "spacing_m"},
    "of bus types, in a file": {"available"},
    "of timetables and feeds": {"both_ends_from_m", "change_s", "max_offset_s", "min_layover_s", "offset_step_s", "weekdays"},
    "of drivers": {"handover_s", "max_vehicles", "sign_off_s", "sign_on_s"},
    "of reach, whose place and time are texts on the command line": {"at_s", "lat", "lon", "place", "step_s"},
    "of the sample city's records": {"elsewhere_share", "out_share", "reach_m", "spot_spread_m", "taxi_noise"},
    "of classic instances": {"min_stops"},
    "of who rides, in a file": {"alternative_min", "alternative_weight", "scale_min", "scale_trips", "wait_weight", "walk_weight"},
}


def test_a_number_out_of_range_is_named_as_in_python_and_as_on_the_command_line() -> None:
    with pytest.raises(UsageError, match=r"^headway_s must lie in \[60, inf\], got 6$") as caught:
        require_number("headway_s", 6, 60)
    error = caught.value
    assert (error.setting, error.value, error.allowed) == ("headway_s", 6, (60, math.inf))
    assert in_flags(error) == "--headway must lie in [1, inf] minutes, got 0.1"


SAID = {
    "a setting": (setting("walk_m"), "walk_m", "--walk"),
    "one of two that an option gives": (setting("walk_network", True), "walk_network=True", "--walk network"),  # noqa: FBT003
    "a switch": (setting("cross_check", True), "cross_check=True", "--cross-check"),  # noqa: FBT003
    "a value": (setting("city", "my city"), "city='my city'", "--city 'my city'"),
    "a value in the flag's unit": (setting("max_length_m", 45_000), "max_length_m=45000", "--max-length-km 45"),
    "names of columns": (
        setting("columns", {"lon": "x", "lat": "y 2"}),
        "columns={'lon': 'x', 'lat': 'y 2'}",
        "--map lon=x --map 'lat=y 2'",
    ),
    "a number": (number_of("max_ride_s", 90), "90", "1.5"),
    "a range whose unit the flag names": (span_of("max_ride_s", 60, math.inf), "[60, inf]", "[1, inf]"),
    "an argument without an option": (setting("quantile", 0.5), "quantile=0.5", "quantile=0.5"),
    "a setting of a feed": (setting("agency_timezone", "Asia/Seoul"), "agency_timezone='Asia/Seoul'", "--agency-timezone Asia/Seoul"),
    "a step": (
        step("owlbus.pipeline.write_run", "plan", out="my run", files="FILES"),
        "owlbus.pipeline.write_run",
        "owlbus plan FILES --out 'my run'",
    ),
}


@pytest.mark.parametrize(("text", "python", "flags"), SAID.values(), ids=SAID)
def test_each_surface_says_a_mark_in_its_own_words(text: str, python: str, flags: str) -> None:
    error = DataError(f"a {{b}}: {text}; c")
    assert str(error) == f"a {{b}}: {python}; c"
    assert in_flags(error) == f"a {{b}}: {flags}; c"


@given(st.text() | st.text(alphabet='\ufdd0\ufdd1["spantegchoi,1]').map(lambda text: f"\ufdd0{text}\ufdd1"))
def test_text_of_others_that_looks_like_a_mark_is_shown_as_it_is(text: str) -> None:
    for words in (Words(), FlagWords()):
        line = OwlbusError(f"{text}: {setting('walk_m')}").said(words)
        assert line.endswith(f": {words.setting('walk_m')}")
        assert not re.search("[\ufdd0\ufdd1]", line)


@pytest.mark.parametrize(
    "text", ['\ufdd0["__class__"]\ufdd1', '\ufdd0["span", "a"]\ufdd1', '\ufdd0["span", "a", "b", "c"]\ufdd1', "\ufdd07\ufdd1"]
)
def test_a_mark_that_no_surface_knows_stays(text: str) -> None:
    assert say(text, Words()) == text
    assert say(text, FlagWords()) == text


def test_an_error_within_an_error_keeps_its_marks() -> None:
    with pytest.raises(UsageError) as caught:
        NightWindow.parse("05-03")
    assert (caught.value.setting, caught.value.value) == ("window", "05-03")
    inner = UsageError(setting("walk_m"))
    assert in_flags(DataError(f"file: {inner.template}")) == "file: --walk"


def refuse(error: OwlbusError) -> None:
    """Raise `error` in another process."""
    raise error


def test_an_error_comes_back_whole_from_another_process() -> None:
    sent = UsageError(
        f"{setting('max_ride_s')} must lie in {span_of('max_ride_s', 60, 120)}", setting="max_ride_s", value=6, allowed=(60, 120)
    )
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, pytest.raises(UsageError) as caught:
        pool.submit(refuse, sent).result()
    for error in (caught.value, pickle.loads(pickle.dumps(sent))):  # noqa: S301 - our own
        assert (error.setting, error.value, error.allowed) == ("max_ride_s", 6, (60, 120))
        assert (str(error), in_flags(error)) == ("max_ride_s must lie in [60, 120]", "--max-ride-min must lie in [1, 2]")


BELOW: list[tuple[Callable[[Any], Any], type[Any], str]] = [
    (make, kind, field.name)
    for make, kind in ((limits_of, LimitOptions), (rule_of, RuleOptions), (operations_of, OperationOptions), (costs_of, CostOptions))
    for field in fields(kind)
    if field.type not in {"bool", "str"} and field.name not in {"currency", "days", "by", "bus_types"} and "bool" not in str(field.type)
]


@pytest.mark.parametrize(("make", "kind", "name"), BELOW, ids=[name for _, _, name in BELOW])
def test_an_option_below_its_range_is_refused_by_its_flag_and_in_its_unit(make: Callable[[Any], Any], kind: type[Any], name: str) -> None:
    options = kind(**{name: -1})
    with pytest.raises(UsageError) as caught:
        make(options)
    assert re.fullmatch(rf"--{name.replace('_', '-')} must lie in \[[\d.e-]+, (inf|[\d.e+]+)\]( minutes)?, got -1", in_flags(caught.value))
    assert caught.value.setting is not None


# the library's source ---------------------------------------------------------------------------------------------------------------------


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a module, parts of f-strings and docstrings included."""
    return ((node.lineno, node.value) for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_no_string_of_the_library_names_a_flag() -> None:
    flag = re.compile(r"(?<![\w<!-])(?<!var\()--[a-z][a-z-]+")
    named = [(path, f"{line}: {text}") for path in LIBRARY for line, text in strings(path) if flag.search(text)]
    assert [(path, text) for path, text in named if path.name != "palette.py"] == []
    assert all("css_variables" in text for _, text in named)  # its example shows a variable of a style sheet, which begins alike


def test_no_message_of_the_library_holds_a_command_line() -> None:
    commands = "|".join(command.__name__ for command, _ in COMMANDS)
    typed = re.compile(rf"(?<!``)\bowlbus ({commands})\b")
    assert [f"{path}:{line}: {text}" for path in LIBRARY for line, text in strings(path) if typed.search(text)] == []


def calls(names: set[str]) -> Iterator[tuple[Path, ast.AST, ast.Call]]:
    """Call of any function of these names in the library, with the function that it stands in."""
    for path in LIBRARY:
        for scope in ast.walk(parsed(path)):
            if isinstance(scope, ast.FunctionDef | ast.Module):
                own = (
                    [scope]
                    if isinstance(scope, ast.FunctionDef)
                    else [node for node in scope.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
                )
                for part in own:
                    for node in ast.walk(part):
                        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                            yield path, scope, node


def named_settings() -> dict[str, str]:
    """Every setting that an error of the library names, with a place where it does."""
    found: dict[str, str] = {}
    errors = {"UsageError", "DataError", "InfeasibleError"}
    for path, scope, call in calls({"setting", "number_of", "span_of", "require_number", "_check_range", *errors}):
        is_error = isinstance(call.func, ast.Name) and call.func.id in errors
        names = [word.value for word in call.keywords if word.arg == "setting"] if is_error else call.args[:1]
        for name in names:
            texts = [name.value] if isinstance(name, ast.Constant) else list(listed_names(scope))
            found |= {str(text): f"{path}:{call.lineno}" for text in texts}
    return found


def listed_names(scope: ast.AST) -> Iterator[str]:
    """Names that a function goes over: the first of each row of a table, or all of a list of names."""
    for node in ast.walk(scope):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            for row in node.iter.elts:
                first = row.elts[0] if isinstance(row, ast.Tuple) else row
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_every_setting_that_an_error_names_has_an_option_or_is_known_to_have_none() -> None:
    known = {name for command, _ in COMMANDS for name in flags_of(inspect.signature(grouped(command)).parameters.values())}
    exempt = set().union(*WITHOUT_OPTION.values())
    named = named_settings()
    assert {name: place for name, place in named.items() if name not in known | exempt} == {}
    assert exempt - named.keys() == set()
    assert exempt & known == set()


def test_a_setting_has_one_flag_in_all_commands() -> None:
    found: dict[str, set[tuple[str, float, str]]] = {}
    for command, _ in COMMANDS:
        for name, flag in flags_of(inspect.signature(grouped(command)).parameters.values()).items():
            found.setdefault(name, set()).add((flag.name, flag.per, flag.unit))
    assert {name: flags for name, flags in found.items() if len(flags) > 1} == {}


def test_every_step_that_is_a_way_out_can_be_taken() -> None:
    steps = list(calls({"step"}))
    assert len(steps) >= 5
    parameters = {command.__name__: inspect.signature(grouped(command)).parameters for command, _ in COMMANDS}
    for path, _, call in steps:
        python, command = (ast.literal_eval(word) for word in call.args)
        module, _, name = python.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name)), f"{path}: {python}"
        assert {word.arg for word in call.keywords} <= set(parameters[command]), f"{path}: {command}"
