"""`owlbus demand`: estimate demand from records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import FlagWords, in_flags
from owlbus.cli.option_values import sources_of
from owlbus.cli.options import OUT, RESUME, OutputOptions
from owlbus.cli.output import open_output
from owlbus.cli.session import announce_resumption, checkpoint_of
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions
from owlbus.cli.tables import demand_document, demand_table, recognised_table, records_table, rules_table
from owlbus.common.disclosure import Publisher
from owlbus.common.errors import FindingError, UsageError
from owlbus.common.text import how_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from owlbus.cli.output import Output
    from owlbus.demand import DemandReport
    from owlbus.pipeline import Sources
    from owlbus.pipeline.study import Reading
    from owlbus.records.recognised import RecognisedFile


def demand(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES…", help="Records: Parquet or CSV, compressed or not, folders or patterns; - is standard input."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", metavar="", help="Only count valid and rejected rows, also of files that would be refused; write nothing."),
    ] = False,
    out: Annotated[str | None, OUT] = None,
    resume: Annotated[bool, RESUME] = False,
    output_options: OutputOptions,
    area: AreaOptions,
    demand: DemandOptions,
) -> None:
    """
    [bold]owlbus demand calls.parquet taxi.csv.gz --area city.geojson[/bold]

    Estimate demand from records: trips and people by hour, the agreement of calls and taxi rides, and the reasons for rejected rows.
    """
    from owlbus.cli.session import settings_of_run
    from owlbus.pipeline import demand_from_sources
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    sources = sources_of(files, area, demand, NetworkOptions())
    if resume and out is None:
        msg = "--resume keeps its checkpoints in --out; add --out DIR"
        raise UsageError(msg)
    if check:
        _check(sources, output_options, out)
        return
    with open_output(output_options) as output:
        if out is None:
            reading = demand_from_sources(sources)
        else:
            with open_run_dir(out) as run:
                checkpoint = checkpoint_of(run, resume=resume)
                with announce_resumption(output, checkpoint):
                    reading = demand_from_sources(sources, rejected=run.stage("rejected.parquet"), checkpoint=checkpoint)
                reading.grid.write(run.stage("grid.parquet"))
                reading.demand.write(run.stage("demand.parquet"))
                settings = settings_of_run(sources, None)
                run.publish(RunRecord("demand", settings, None, reading.inputs, None, reading.timings_s, min_count=reading.min_count))
    _show(output, reading, out)


def _show(output: Output, reading: Reading, out: str | None) -> None:
    """Print counts of records and demand by hour."""
    document: dict[str, Any] = {
        "command": "demand",
        "out": out,
        "hexes": reading.grid.n_hexes,
        "nights": reading.demand.n_nights,
        **demand_document(reading.demand, reading.publisher),
        "records": reading.report.to_json(reading.publisher),
    }
    report = reading.report
    pages = records_table(document["records"]), *([rules_table(document["records"])] if report.rules else [])
    output.show(document, *pages, demand_table(reading.demand, reading.publisher))
    _say_first_rows(output, report)
    agreement = report.agreement
    if agreement is not None and agreement.od_rank is not None:
        output.say(
            f"Calls and taxi share {agreement.od_common_share:.0%} of their demand by pair of hexes and "
            f"{agreement.origin_common_share:.0%} by origin; rank correlation by pair {agreement.od_rank:.2f}; taxi rides have the weight "
            f"{report.taxi_weight:g} in the blend."
        )
    for note in report.notes:
        output.say(f"note: {note}")
    if out is not None:
        output.say(f"Written to {out}: grid.parquet, demand.parquet and rejected.parquet, readable only by you.")


def _say_first_rows(output: Output, report: DemandReport) -> None:
    """Say on standard error, which the owner of the records reads, how many rows there are and where each rule is broken first."""
    rows = how_many(report.rows_in, "row")
    output.say(f"{rows} read, {report.rows_counted:,} count, {report.rows_rejected:,} are rejected (exact, for you alone)")
    for rule in report.rules:
        output.say(f"note: {rule.sentence}: first in {rule.first.rpartition('/')[2]}")


def _check(sources: Sources, output_options: OutputOptions, out: str | None) -> None:
    """Print counts of valid and rejected rows, and raise a finding if a file would be refused."""
    from owlbus.pipeline import check_records

    if out is not None:
        msg = "--check only reports; remove --out"
        raise UsageError(msg)
    with open_output(output_options) as output:
        report, refusals, files = check_records(sources)
    command = _command(sources, files)
    document: dict[str, Any] = {
        "command": "demand",
        "check": True,
        "recognised": [file.to_json() for file in files],
        "reads_with": command,
        "records": report.to_json(Publisher(sources.published_min_count)),
        "refused": [in_flags(error) for error in refusals],
    }
    pages = records_table(document["records"]), *([rules_table(document["records"])] if report.rules else [])
    output.show(document, *map(recognised_table, files), *pages)
    _say_first_rows(output, report)
    output.say(f"Read with: {command}")
    if refusals:
        raise FindingError("; ".join(error.template for error in refusals))
    output.say(
        f"{how_many(report.rows_in, 'row')}: {report.rows_counted:,} would count, {report.rows_rejected:,} would be rejected. "
        "Nothing was written."
    )


_GIVEN = ("area", "city", "radius_m", "n_hexes", "h3_resolution", "n_nights", "masts", "zones", "presence", "hour_profile")
"""Settings of a study that decide how records are read, beside those that a file's own forms decide."""


def _command(sources: Sources, files: Sequence[RecognisedFile]) -> str:
    """Return the command that reads the files in the same way, with everything said that was recognised."""
    from owlbus.records.recognised import common_options
    from owlbus.records.schema import PRESENCE

    defaults = type(sources)()
    given = {name: getattr(sources, name) for name in _GIVEN if getattr(sources, name) != getattr(defaults, name)}
    if sources.window != defaults.window:
        given["window"] = f"{sources.window.start_hour % 24:02d}-{sources.window.end_hour % 24:02d}"
    records = [file.file for file in files if file.kind != PRESENCE.name]
    return FlagWords().step("", "demand", {"files": records, **given, **common_options(files, sources.columns)})
