"""The program `owlbus`: commands, configuration and exit codes."""

from __future__ import annotations

import sys
import traceback
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.bench import bench
from owlbus.cli.calibrate import calibrate
from owlbus.cli.commands import grouped
from owlbus.cli.compare import compare
from owlbus.cli.config import read_config
from owlbus.cli.demand import demand
from owlbus.cli.demo import demo
from owlbus.cli.explain import explain
from owlbus.cli.explore import explore
from owlbus.cli.improve import improve
from owlbus.cli.messages import in_flags, plain_parser_text
from owlbus.cli.network import network
from owlbus.cli.output import begin_silent, show_traceback
from owlbus.cli.phase import phase
from owlbus.cli.plan import plan
from owlbus.cli.process import is_out_of_memory, is_swallowed_stop, require_memory, stop_code
from owlbus.cli.reach import reach
from owlbus.cli.renamed import present_name, require_no_earlier_variables
from owlbus.cli.report import report
from owlbus.cli.score import score
from owlbus.cli.streams import (
    CANNOT_PRINT,
    cannot_print,
    drop_output,
    is_left,
    is_refused,
)
from owlbus.cli.sweep import sweep
from owlbus.cli.synth import synth
from owlbus.cli.timetable import timetable
from owlbus.cli.version import version_text
from owlbus.common.errors import OwlbusError, UsageError
from owlbus.common.files import is_full, output_error
from owlbus.common.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

BUG = 70
BAD_INPUT = 3
_STOPPED_BY_PARSER = 130
COMMANDS = (
    (demo, "Plan nine night routes for the sample city and compare them with those of 2013."),
    (plan, "Plan night routes from your own records (the main command)."),
    (score, "Measure a given plan."),
    (compare, "Compare plans: differences, and who gains and loses."),
    (explain, "Answer a question about a plan: a route, one change, unserved places, useful swaps."),
    (explore, "Open the plan of a run in the browser, edit it by hand, and see the numbers change."),
    (improve, "Improve a given plan by changing few of its stops, step by step."),
    (sweep, "Plan for a range of routes, buses or kilometres, and find the knee of the curve."),
    (phase, "Find the order in which the routes of a plan are best introduced, or taken away."),
    (timetable, "Build the timetable of a plan: headways, buses, waits, and a GTFS feed."),
    (reach, "Find where one gets from a place by the timetable, and the last bus home."),
    (calibrate, "Fit who rides to counted boardings, and find the stops where the model is wrong."),
    (report, "Write the report of a run again, in English or Korean."),
    (demand, "Estimate demand from records, and count rejected rows by reason."),
    (network, "Build and check the network that routes run on."),
    (synth, "Generate synthetic records of the sample city."),
    (bench, "Plan the instances of NightBench, check plans of other tools, export instances."),
)

_ABOUT = """
[bold]owlbus demo[/bold] plans nine night routes for the sample city; [bold]owlbus plan FILES… --out DIR[/bold] plans from your own records.

owlbus turns call and taxi records into night-bus routes: records, 500 m hexagons, demand, routes, evidence.
"""
_EXITS = (
    "Exit codes: 0 success; 1 a plan misses a threshold or breaks a limit; 2 wrong usage, or an output that is full, closed or not "
    "writable; 3 bad input, or too little memory; 4 no plan keeps the limits; 5 refused for privacy; "
    "70 a bug; 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP (the best plan so far is written)."
)


def make_app() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(
        name="owlbus",
        help=_ABOUT,
        epilog=f"Options can also be set in owlbus.toml, or as OWLBUS_NAME in the environment. A SHARE is written 0.42 or 42%. {_EXITS}",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command, summary in COMMANDS:
        app.command(name=command.__name__, short_help=summary)(grouped(command))
    return app


@cache
def _parser() -> Any:  # noqa: ANN401 - the parser's own type is private
    """Return the parser with all commands; it is the same for every run of a process."""
    return typer.main.get_command(make_app())


def _root(
    context: typer.Context,
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", metavar="", help="With --version: Python, libraries, processor and kernels.", is_eager=True)
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", help="Print the version and exit.", callback=lambda context, on: _version(context, on=on)),
    ] = False,
) -> None:
    """Handle the options before a command, and check the memory limit."""
    del version
    if verbose:
        msg = f"--verbose before a command must come with --version; write: owlbus {context.invoked_subcommand} --verbose"
        raise UsageError(msg)
    require_memory()


def _version(context: typer.Context, *, on: bool) -> None:
    """Print the version and exit, if the flag is on."""
    if on:
        typer.echo(version_text(is_verbose=bool(context.params.get("verbose"))))
        raise typer.Exit


def run(args: Sequence[str]) -> int:
    """
    Run the program.

    Parameters
    ----------
    args
        Words after the program's name.

    Returns
    -------
    int
        Exit code, a number without a unit.
    """
    begin_silent()
    try:
        command = _parser()
        require_no_earlier_variables()
        defaults = read_config(args, command)
        code = command.main(args=list(args), prog_name="owlbus", standalone_mode=False, default_map=defaults)
    except SystemExit:  # the parser's own answer to a reader of its help that left early
        if not is_left():
            raise
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error ends in one line
        return _ended_by(error)
    if code == _STOPPED_BY_PARSER:
        return _ended_by(KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def _ended_by(error: BaseException) -> int:
    """Print in one line why the program ends, and return its exit code."""
    match error:
        case typer.TyperException():
            return _fail(_one_line(error), error.exit_code, error)
        case OwlbusError():
            return _fail(in_flags(error), error.exit_code, error)
        case _ if isinstance(error, KeyboardInterrupt | typer.Abort) or is_swallowed_stop(error):
            return _fail("interrupted; nothing was written", stop_code(), error)
        case BrokenPipeError():
            code = 0  # a reader of the output that left early, such as head, has what it wanted
        case OSError() if is_refused():
            drop_output()
            code = _fail(cannot_print(error), CANNOT_PRINT, error)
        case _ if is_out_of_memory(error):
            code = _fail("there is not enough memory; nothing was written: allow more, or read fewer or smaller files", BAD_INPUT, error)
        case OSError() if is_full(error):
            code = _fail(str(output_error(error.filename or ".", error)), CANNOT_PRINT, error)
        case OSError():
            name = f"{error.filename}: " if error.filename else ""
            code = _fail(f"{name}cannot be read or written ({error.strerror or error}); nothing was written", BAD_INPUT, error)
        case _:
            code = _fail(f"this is a bug in owlbus ({type(error).__name__}: {error}); report it with what -vv prints", BUG, error)
    return code


def _one_line(error: typer.TyperException) -> str:
    """Message of a usage error, in the form of all messages."""
    text = _renamed(error) or plain_parser_text(" ".join(error.format_message().split())).rstrip(".")
    command_path = getattr(getattr(error, "ctx", None), "command_path", "owlbus")
    return f"{text[:1].lower()}{text[1:]}; see {command_path} --help"


def _renamed(error: typer.TyperException) -> str | None:
    """Message on an option under its earlier name, if its command has it under the present one; else None."""
    given = str(getattr(error, "option_name", ""))
    present = f"--{present_name(given)}"
    flags = {flag for param in getattr(getattr(error, "cmd", None), "params", ()) for flag in param.opts}
    return f"{given} is now called {present}" if present in flags else None


def _fail(message: str, code: int, error: BaseException | None = None) -> int:
    """Print in one line why the program ends, and return its exit code."""
    if error is not None and show_traceback():
        traceback.print_exception(error)
    print(f"error: {one_line(' '.join(message.split()))}", file=sys.stderr)  # noqa: T201 - the one line that every failure ends with
    return code
