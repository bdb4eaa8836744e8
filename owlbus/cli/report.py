"""`owlbus report`: write the report of a run again, in another language or to another place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from owlbus.cli.options import TalkOptions
from owlbus.cli.talk import talking
from owlbus.errors import UsageError


def report(
    talk: TalkOptions,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory of plan, demo or score.")],
    lang: Annotated[str, typer.Option("--lang", metavar="en|ko", help="Language of the report.", rich_help_panel="Output")] = "en",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="HTML file to write. Default: report.html in RUN, report_ko.html for Korean.",
            rich_help_panel="Output",
        ),
    ] = None,
) -> None:
    """
    [bold]owlbus report run --lang ko --out report.html[/bold]

    Write the report of a run: key figures, map, routes, curves, method and limits, in one file that needs no network.
    """
    from owlbus.pipeline.reports import read_content
    from owlbus.report import LANGUAGES, write_report

    if lang not in LANGUAGES:
        msg = f"--lang must be one of {', '.join(LANGUAGES)}, got {lang!r}"
        raise UsageError(msg)
    name = "report.html" if lang == "en" else f"report_{lang}.html"
    target = Path(run) / name if out is None else Path(out)
    with talking(talk) as voice:
        content = read_content(run)
        write_report(target, content, lang)
        voice.say(f"Written to {target}: {target.stat().st_size / 1e6:.2f} MB, opens in any browser without a network.")
    document = {"command": "report", "out": str(target), "language": lang, "bytes": target.stat().st_size}
    if talk.json:
        voice.show(document)
