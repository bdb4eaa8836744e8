"""`owlbus report`: write the report of a run again, in another language or to another place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from owlbus.cli.options import LANG, OutputOptions, require_language
from owlbus.cli.output import output_of


def report(
    talk: OutputOptions,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory of plan, demo, score, compare or sweep.")],
    lang: Annotated[str, LANG] = "en",
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
    from owlbus.common.files import write_whole
    from owlbus.pipeline.report_content import report_pages
    from owlbus.pipeline.rundir import add_pages, read_run
    from owlbus.report import report_file

    require_language(lang)
    with output_of(talk) as voice:
        pages = report_pages(run, lang)
        written = [Path(run) / report_file(place, lang) if out is None else _beside(Path(out), place) for place in range(len(pages))]
        listed = read_run(run)["outputs"]
        own = {
            file.name: page
            for file, page in zip(written, pages, strict=True)
            if out is None or (file.name in listed and file.parent.resolve() == Path(run).resolve())
        }
        if own:
            add_pages(run, own)
        for file, page in zip(written, pages, strict=True):
            if file.name not in own:
                write_whole(file, page)
            voice.say(f"Written to {file}: {len(page) / 1e6:.2f} MB, opens in any browser without a network.")
    document = {"command": "report", "out": str(written[0]), "language": lang, "bytes": written[0].stat().st_size}
    document["files"] = [str(file) for file in written]
    if talk.json:
        voice.show(document)


def _beside(file: Path, place: int) -> Path:
    """Return the file that the user named, and names like it for further reports."""
    return file if place == 0 else file.with_stem(f"{file.stem}_{place + 1}")
