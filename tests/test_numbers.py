"""Numbers that no option takes, for every option of every command, from the command line, the environment and the configuration."""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any, NamedTuple

import fuzzing
import pytest

from owlbus.cli.app import COMMANDS, run
from owlbus.cli.commands import grouped
from owlbus.common.errors import UsageError
from owlbus.plan.limits import RouteLimits, ServiceRule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_LIMIT = {"--max-pair-circuity": {"inf", "1e309"}}
"""Options that take infinity for no limit."""
NUMBERS = ("inf", "-inf", "nan", "1e309", "1e308", "-1", "1" + "0" * 30)
TEXTS = {"RANGE", "METRES", "SHARE", "mean|QUANTILE"}
"""What stands for the value of options that hold numbers within a text."""


class Flag(NamedTuple):
    """An option that takes a number."""

    command: str
    name: str
    variable: str | None
    is_float: bool


def flags() -> Iterator[Flag]:
    """Yield every option of every command that takes a number, as the parser is told of them."""
    for command, _ in COMMANDS:
        for name, parameter in list(inspect.signature(grouped(command)).parameters.items())[1:]:
            kind, info = typing.get_args(parameter.annotation)[:2]
            kinds = {kind, *typing.get_args(kind)}
            if getattr(info, "count", False) or not (kinds & {int, float} or info.metavar in TEXTS):
                continue
            declared = [info.default, *(info.param_decls or ())]
            long = next((one for one in declared if isinstance(one, str) and one.startswith("--")), f"--{name.replace('_', '-')}")
            yield Flag(command.__name__, long, info.envvar, is_float=float in kinds)


FLAGS = tuple(flags())


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Words of each command that lack nothing but their records: a number out of range is refused before these are looked for."""
    place = tmp_path_factory.mktemp("numbers")
    records, out = str(place / "absent.csv"), ["--out", str(place / "out")]
    area = ["--area", fuzzing.at(place, "area.csv", fuzzing.area_csv())]
    plan = fuzzing.at(place, "plan.geojson", fuzzing.plan_json())
    given = ["--records", records, *area]
    return {
        "demo": ["demo", *out],
        "plan": ["plan", records, *area, *out, "--base", plan],
        "score": ["score", plan, records, *area],
        "compare": ["compare", plan, plan, *given],
        "explain": ["explain", plan, "suggest", *given, *out],
        "improve": ["improve", plan, *given],
        "explore": ["explore", str(place / "absent")],
        "sweep": ["sweep", records, *area, "--routes", "1:2"],
        "phase": ["phase", str(place / "absent"), "--buses", "1:2"],
        "calibrate": ["calibrate", str(place / "absent"), "--boardings", records],
        "timetable": ["timetable", plan, records, *area],
        "reach": ["reach", plan, "--from", "127.0,37.5", *given],
        "demand": ["demand", records, *area],
        "network": ["network", str(place / "absent.zip"), *area],
        "synth": ["synth", *out],
        "bench": ["bench", "run", "--instance", "compact-300"],
    }


def said(line: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run a command that must be refused as a usage error, and return what it says, line by line."""
    code = run([*line, "-q"])
    out, err = capsys.readouterr()
    assert (code, out) == (2, ""), f"{line}: {code} {err[-300:]}"
    return err.splitlines()


def test_the_walk_over_options_meets_those_that_ended_as_bugs() -> None:
    met = {(flag.command, flag.name) for flag in FLAGS}
    ended = {"--headway", "--unserved-min", "--detour-min", "--transfer-min", "--max-headway", "--walk", "--change", "--robust", "--calls"}
    assert ended <= {name for _, name in met}
    assert {command for command, _ in met} == {command.__name__ for command, _ in COMMANDS} - {"report"}


@pytest.mark.parametrize("command", sorted({flag.command for flag in FLAGS}))
def test_a_number_that_no_option_takes_is_a_usage_error_in_one_line(
    command: str, words: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in (flag for flag in FLAGS if flag.command == command):
        for number in (number for number in NUMBERS if number not in NO_LIMIT.get(flag.name, ())):
            (line,) = said([*words[command], f"{flag.name}={number}"], capsys)
            assert line.startswith("error: "), line
            assert "bug" not in line, line
            assert len(line) < 400, line


@pytest.mark.parametrize("command", ["plan", "timetable", "compare"])
def test_the_environment_and_the_configuration_are_held_to_the_same(
    command: str, words: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in (flag for flag in FLAGS if flag.command == command and flag.name not in NO_LIMIT):
        config = fuzzing.at(tmp_path, "owlbus.toml", f"[{command}]\n{flag.name[2:]} = inf\n".encode())
        (line,) = said([*words[command], "--config", config], capsys)
        assert line.startswith("error: ")
        if flag.variable is not None:
            with monkeypatch.context() as patch:
                patch.setenv(flag.variable, "1e309")
                assert said(words[command], capsys)[0].startswith("error: ")


def test_a_number_too_large_to_convert_is_told_with_its_flag_and_range(
    words: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert said([*words["plan"], "--headway", "inf"], capsys) == ["error: --headway must be a number from -1e+12 to 1e+12, got inf"]
    assert said([*words["plan"], "--unserved-min", "nan"], capsys)[0].endswith(
        "--unserved-min must be a number from -1e+12 to 1e+12, got nan"
    )


@pytest.mark.parametrize("name", ["detour_factor", "detour_s", "transfer_s", "max_transfers", "unserved_s"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e308, 10**30, -1])
def test_a_rule_holds_no_number_beyond_reason(name: str, value: float) -> None:
    keywords: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=f"^{name} must lie in "):
        ServiceRule(**keywords)


@pytest.mark.parametrize(
    "name", ["max_length_m", "max_ride_s", "max_circuity", "max_pair_circuity", "max_stops", "max_total_length_m", "max_buses", "headway_s"]
)
@pytest.mark.parametrize("value", [float("nan"), 1e308, 10**30, -1])
def test_limits_hold_no_number_beyond_reason(name: str, value: float) -> None:
    keywords: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=f"^{name} must lie in "):
        RouteLimits(**keywords)
