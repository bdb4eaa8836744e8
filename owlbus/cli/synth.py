"""`owlbus synth`: synthetic records of the sample city."""

from __future__ import annotations

import datetime as dt
from math import isfinite
from typing import Annotated

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.options import OutputOptions
from owlbus.cli.output import open_output
from owlbus.common.errors import UsageError
from owlbus.common.text import how_many

_PANEL = "Records"


def _count(text: str | int) -> int:
    """Return a number of rows, such as 5000 or 3e9."""
    try:
        count = float(text)
    except ValueError:
        count = 0.5
    if not (isfinite(count) and count == int(count)):
        msg = f"a number of rows must be whole, such as 5000 or 3e9, got {text!r}"
        raise UsageError(msg)
    return int(count)


def synth(
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.", envvar="OWLBUS_OUT", show_envvar=False)],
    city: Annotated[
        str, typer.Option("--city", metavar="NAME", help="Sample city, or a folder with one.", rich_help_panel=_PANEL)
    ] = "seoul",
    calls: Annotated[
        int, typer.Option("--calls", metavar="N", help="Number of calls.", parser=_count, rich_help_panel=_PANEL), Gives("n_calls")
    ] = 320_000,
    taxi: Annotated[
        int, typer.Option("--taxi", metavar="N", help="Number of taxi rides.", parser=_count, rich_help_panel=_PANEL), Gives("n_taxi")
    ] = 64_000,
    nights: Annotated[
        int, typer.Option("--nights", metavar="N", help="Number of consecutive service nights.", rich_help_panel=_PANEL), Gives("n_nights")
    ] = 7,
    first_night: Annotated[
        str, typer.Option("--first-night", metavar="DATE", help="Date of the first evening.", rich_help_panel=_PANEL)
    ] = "2013-03-11",
    subscribers: Annotated[
        int,
        typer.Option("--subscribers", metavar="N", help="Number of subscribers. 0: one per three calls.", rich_help_panel=_PANEL),
        Gives("n_subscribers"),
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Random seed; equal seeds give equal files.", rich_help_panel=_PANEL)
    ] = 2013,
    partitions: Annotated[
        int,
        typer.Option("--partitions", metavar="N", help="Write calls in about N files. 0: one file.", rich_help_panel=_PANEL),
        Gives("n_files"),
    ] = 0,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", help="Worker processes; the files do not depend on it.", rich_help_panel=_PANEL),
        Gives("n_workers"),
    ] = 2,
    without_ids: Annotated[
        bool, typer.Option("--without-ids", metavar="", help="Leave subscriber ids out of the calls.", rich_help_panel=_PANEL)
    ] = False,
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus synth --out records[/bold]

    Generate synthetic records: calls.parquet and taxi.parquet, with a few rows of each as CSV. The defaults give the files of the sample
    city, byte for byte. Billions of rows: owlbus synth --calls 3e9 --taxi 5e6 --partitions 300 --out records writes the folders calls/
    and taxi/.
    """
    from owlbus.common.units import require_number
    from owlbus.pipeline.study import read_named_city
    from owlbus.sample import SynthSettings, write_partitions, write_synthesis
    from owlbus.sample.write import MAX_FILES

    require_number("--partitions", partitions, 0, MAX_FILES)
    require_number("--workers", workers, 1, MAX_FILES)
    settings = SynthSettings(
        n_calls=calls, n_taxi=taxi, seed=seed, first_night=_date(first_night), n_nights=nights, n_subscribers=subscribers
    )
    with open_output(output_options) as output:
        sample_city = read_named_city(city)
        assert sample_city is not None, "a city is named"  # noqa: S101 - the option has a default
        if partitions or without_ids:
            many = write_partitions(sample_city, out, settings, max(partitions, 1), workers, has_ids=not without_ids)
            folders = [str(folder) for folder in many.folders]
            rate = many.n_rows / many.wall_s
            figures = {"files": folders, "partitions": many.n_files, "seconds": round(many.wall_s, 3), "rows_per_s": round(rate)}
            output.show({"command": "synth", "seed": seed, "calls": calls, "taxi": taxi, **figures}, *folders)
            drawn = f"{calls:,} synthetic calls and {taxi:,} synthetic taxi rides, seed {seed}"
            output.say(f"{drawn}, in {how_many(many.n_files, 'file')}: {rate:,.0f} rows a second.")
            return
        made = write_synthesis(sample_city, out, settings)
    paths = [made.calls_path, made.taxi_path, made.calls_excerpt_path, made.taxi_excerpt_path]
    document = {"command": "synth", "seed": seed, "calls": made.n_calls, "taxi": made.n_taxi, "files": [str(path) for path in paths]}
    output.show(document, *(str(path) for path in paths))
    output.say(f"{made.n_calls:,} synthetic calls and {made.n_taxi:,} synthetic taxi rides, seed {seed}.")


def _date(text: str) -> dt.date:
    """Return the date that a text names."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        msg = f"--first-night must be a date such as 2013-03-11, got {text!r}"
        raise UsageError(msg) from None
