"""`owlbus synth`: synthetic records of the sample city."""

from __future__ import annotations

import datetime as dt
from math import isfinite
from typing import Annotated

import typer

from owlbus.cli.options import OutputOptions
from owlbus.cli.output import output_of
from owlbus.common.errors import UsageError

_PANEL = "What to draw"


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
    talk: OutputOptions,
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.", envvar="OWLBUS_OUT", show_envvar=False)],
    city: Annotated[str, typer.Option("--city", metavar="NAME", help="Sample city, or a folder of one.", rich_help_panel=_PANEL)] = "seoul",
    calls: Annotated[int, typer.Option("--calls", metavar="N", help="Calls to draw.", parser=_count, rich_help_panel=_PANEL)] = 320_000,
    taxi: Annotated[int, typer.Option("--taxi", metavar="N", help="Taxi rides to draw.", parser=_count, rich_help_panel=_PANEL)] = 64_000,
    nights: Annotated[int, typer.Option("--nights", metavar="N", help="Service nights in a row.", rich_help_panel=_PANEL)] = 7,
    first_night: Annotated[
        str, typer.Option("--first-night", metavar="DATE", help="Date of the first evening.", rich_help_panel=_PANEL)
    ] = "2013-03-11",
    subscribers: Annotated[
        int, typer.Option("--subscribers", metavar="N", help="Subscribers; 0 stands for one per three calls.", rich_help_panel=_PANEL)
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Fixes every byte.", rich_help_panel=_PANEL)] = 2013,
    partitions: Annotated[
        int, typer.Option("--partitions", metavar="N", help="Write about N files of calls; 0 is one file.", rich_help_panel=_PANEL)
    ] = 0,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", help="Processes that draw partitions; it changes no byte.", rich_help_panel=_PANEL),
    ] = 2,
    without_ids: Annotated[
        bool, typer.Option("--without-ids", metavar="", help="Partitions of calls name no subscribers.", rich_help_panel=_PANEL)
    ] = False,
) -> None:
    """
    [bold]owlbus synth --out records[/bold]

    Draw synthetic records: calls.parquet and taxi.parquet with a few rows of each as CSV. Without options they are the sample city's files,
    byte for byte. For billions: owlbus synth --calls 3e9 --taxi 5e6 --partitions 300 --out records, which writes calls/ and taxi/.
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
    with output_of(talk) as voice:
        place = read_named_city(city)
        assert place is not None, "a city is named"  # noqa: S101 - the option has a default
        if partitions or without_ids:
            many = write_partitions(place, out, settings, max(partitions, 1), workers, has_ids=not without_ids)
            folders = [str(folder) for folder in many.folders]
            rate = many.n_rows / many.wall_s
            told = {"files": folders, "partitions": many.n_files, "seconds": round(many.wall_s, 3), "rows_per_s": round(rate)}
            voice.show({"command": "synth", "seed": seed, "calls": calls, "taxi": taxi, **told}, *folders)
            drawn = f"{calls:,} synthetic calls and {taxi:,} synthetic taxi rides, seed {seed}"
            voice.say(f"{drawn}, in {many.n_files} files: {rate:,.0f} rows a second.")
            return
        made = write_synthesis(place, out, settings)
    paths = [made.calls_path, made.taxi_path, made.calls_twin_path, made.taxi_twin_path]
    document = {"command": "synth", "seed": seed, "calls": made.n_calls, "taxi": made.n_taxi, "files": [str(path) for path in paths]}
    voice.show(document, *(str(path) for path in paths))
    voice.say(f"{made.n_calls:,} synthetic calls and {made.n_taxi:,} synthetic taxi rides, seed {seed}.")


def _date(text: str) -> dt.date:
    """Return the date that a text names."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        msg = f"--first-night must be a date such as 2013-03-11, got {text!r}"
        raise UsageError(msg) from None
