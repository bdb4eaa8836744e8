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
    from owlbus.pipeline.report_content import read_contents
    from owlbus.report import report_file, write_report

    require_language(lang)
    with open_output(output_options) as output:
        written = []
        for index, content in enumerate(read_contents(run)):
            target = Path(run) / report_file(index, lang) if out is None else _beside(Path(out), index)
            write_report(target, content, lang)
            written.append(target)
            output.say(f"Written to {target}: {target.stat().st_size / 1e6:.2f} MB, opens in any browser, offline.")
    document = {"command": "report", "out": str(written[0]), "language": lang, "bytes": written[0].stat().st_size}
    document["files"] = [str(file) for file in written]
    if output_options.json:
        output.show(document)


def _beside(file: Path, index: int) -> Path:
    """Return `file` for the first report, and numbered names like it for further ones."""
    return file if index == 0 else file.with_stem(f"{file.stem}_{index + 1}")
