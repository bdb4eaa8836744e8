"""`owlbus report`: write the report of a run again, in another language or to another file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language
from owlbus.cli.options import LANG, OutputOptions
from owlbus.cli.output import open_output


def report(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory of plan, demo, score, compare or sweep.")],
    lang: Annotated[str, LANG, Gives("language")] = "en",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="HTML file to write. Default: report.html in RUN, or report_ko.html for Korean.",
            rich_help_panel="Output",
        ),
    ] = None,
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus report run --lang ko --out report.html[/bold]

    Write the report of a run: key figures, map, routes, curves, method and limits, in one file that works offline.
    """
    from owlbus.common.files import write_atomically
    from owlbus.pipeline.report_content import report_pages
    from owlbus.pipeline.run_json import read_run
    from owlbus.pipeline.rundir import add_pages
    from owlbus.report import report_file

    require_language(lang)
    with open_output(output_options) as output:
        pages = report_pages(run, lang)
        written = [Path(run) / report_file(index, lang) if out is None else _beside(Path(out), index) for index in range(len(pages))]
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
                write_atomically(file, page)
            output.say(f"Written to {file}: {len(page) / 1e6:.2f} MB, opens in any browser, offline.")
    document = {"command": "report", "out": str(written[0]), "language": lang, "bytes": written[0].stat().st_size}
    document["files"] = [str(file) for file in written]
    if output_options.json:
        output.show(document)


def _beside(file: Path, index: int) -> Path:
    """Return `file` for the first report, and numbered names like it for further ones."""
    return file if index == 0 else file.with_stem(f"{file.stem}_{index + 1}")
