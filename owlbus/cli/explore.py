"""`owlbus explore`: the plan of a run in the browser, edited by hand with live numbers."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language
from owlbus.cli.options import LANG, OutputOptions
from owlbus.cli.output import open_output
from owlbus.cli.session import SYNTHETIC
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from owlbus.cli.output import Output
    from owlbus.explore.explore_session import ExploreSession

_PANEL = "Page"
_MOST_PORT = 65_535


def explore(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory of demo, plan, score or another command that writes one plan.")],
    port: Annotated[int, typer.Option("--port", metavar="N", help="Port of this machine; 0 takes a free one.", rich_help_panel=_PANEL)] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", metavar="", help="Print the link, and open no browser.", rich_help_panel=_PANEL)
    ] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", metavar="", help="Show the plan, and refuse every change.", rich_help_panel=_PANEL)
    ] = False,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus explore run[/bold]

    Open the plan of a run in the browser: drag stops, draw routes, and see people, trips, kilometres and buses change at once. The page is
    served from this machine alone and makes no request to anywhere else. Edits are kept in RUN/explore and are there again at the next
    start; the run itself is never overwritten. Ctrl-C, Quit in the page, or 30 minutes without a window end it.
    """
    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.opened_run import open_run
    from owlbus.explore.run_lock import locked_run
    from owlbus.pipeline.run_json import read_run

    require_language(lang)
    if not 0 <= port <= _MOST_PORT:
        msg = f"--port must lie in [0, {_MOST_PORT}], got {port}"
        raise UsageError(msg)
    with open_output(output_options) as output:
        read_run(run)
        with nullcontext() if read_only else locked_run(Path(run)) as lock:
            session = ExploreSession(open_run(run), lang, is_read_only=read_only)
            _serve(output, session, port, lock, opens_browser=not no_browser)


def _serve(output: Output, session: ExploreSession, port: int, lock: Any, *, opens_browser: bool) -> None:  # noqa: ANN401 - a lock or None
    """Serve a session until it ends, and say why it did."""
    from owlbus.explore.loopback import ExploreServer

    server = ExploreServer(session, port)
    session.map.begin(session.language)
    try:
        if lock is not None:
            lock.tell(server.address)
        link = server.link()
        _announce(output, session, link)
        if opens_browser:
            _open_browser(link)
        ended_by = server.wait()
    except KeyboardInterrupt:
        ended_by = "interrupt"
    finally:
        server.close()
    kept = "" if session.is_read_only else f" The edits are kept; owlbus explore {session.run.path} goes on with them."
    output.say(f"{_ENDS[ended_by]}{kept}")


_ENDS = {
    "quit": "Ended by Quit in the page.",
    "idle": "Ended after 30 minutes without a window.",
    "interrupt": "Ended by Ctrl-C or another signal.",
}


def _announce(output: Output, session: ExploreSession, link: str) -> None:
    """Print the link, and what is worth knowing before it is opened."""
    for line in session.notices("en"):
        output.say(f"note: {line}")
    if session.run.study.is_synthetic:
        output.say(SYNTHETIC)
    document = {"command": "explore", "run": str(session.run.path), "link": link, "read_only": session.is_read_only}
    output.show(document, link)
    output.say("Open this link in a browser of this machine; it works once. Ctrl-C ends it.")
    if os.environ.get("SSH_CONNECTION"):
        port = urlsplit(link).port
        output.say(f"From the machine that you sit at, run first: ssh -N -L {port}:127.0.0.1:{port} {platform.node() or 'THIS-MACHINE'}")


def _open_browser(link: str) -> None:
    """Open a link in the browser of this machine; without a screen there is none but those that would take the terminal."""
    import webbrowser

    has_screen = not sys.platform.startswith("linux") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if has_screen:
        webbrowser.open(link)
