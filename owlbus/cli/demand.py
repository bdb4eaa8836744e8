"""`owlbus demand`: records to demand, and what became of every record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from owlbus.cli.messages import in_flags
from owlbus.cli.option_values import sources_of
from owlbus.cli.options import OUT, RESUME, AreaOptions, DemandOptions, NetworkOptions, OutputOptions
from owlbus.cli.output import output_of
from owlbus.cli.session import checkpoint_of, going_on
from owlbus.cli.tables import demand_table, records_table, rules_table
from owlbus.common.errors import FindingError, UsageError

if TYPE_CHECKING:
    from owlbus.pipeline import Sources


def demand(
    area: AreaOptions,
    demand: DemandOptions,
    talk: OutputOptions,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES…", help="Records: Parquet or CSV, compressed or not, folders or patterns; - is standard input."),
    ] = None,
    out: Annotated[str | None, OUT] = None,
    resume: Annotated[bool, RESUME] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", metavar="", help="Only report what became of every row, also of files that would be refused; write nothing."
        ),
    ] = False,
) -> None:
    """
    [bold]owlbus demand calls.parquet taxi.csv.gz --area city.geojson[/bold]

    Estimate demand from records: trips and people by hour, how far calls and taxi agree, and why rows were rejected. FILES may be folders
    and patterns.
    """
    from owlbus.cli.session import settings_of_run
    from owlbus.pipeline import demand_from_sources
    from owlbus.pipeline.rundir import RunRecord, open_run_dir

    sources = sources_of(files, area, demand, NetworkOptions())
    if resume and out is None:
        msg = "--resume keeps what is done in the folder of --out; add --out DIR"
        raise UsageError(msg)
    if check:
        _check(sources, talk, out)
        return
    with output_of(talk) as voice:
        if out is None:
            found = demand_from_sources(sources)
        else:
            with open_run_dir(out) as run:
                checkpoint = checkpoint_of(run, resume=resume)
                with going_on(voice, checkpoint):
                    found = demand_from_sources(sources, rejected=run.stage("rejected.parquet"), checkpoint=checkpoint)
                found.grid.write(run.stage("grid.parquet"))
                found.demand.write(run.stage("demand.parquet"))
                run.publish(RunRecord("demand", settings_of_run(sources, None), None, found.inputs, None, found.timings_s))
    document = {
        "command": "demand",
        "out": out,
        "hexes": found.grid.n_hexes,
        "nights": found.demand.n_nights,
        "trips_per_night": round(found.demand.total_trips, 1),
        "presence_per_night": round(found.demand.total_presence, 1),
        "records": found.report.to_json(),
    }
    pages = [records_table(found.report), *([rules_table(found.report)] if found.report.rules else []), demand_table(found.demand)]
    voice.show(document, *pages)
    agreed = found.report.agreement
    if agreed is not None and agreed.od_rank is not None:
        voice.say(
            f"Calls and taxi share {agreed.od_common_share:.0%} of their demand by pair of hexes and {agreed.origin_common_share:.0%} by "
            f"origin; rank correlation by pair {agreed.od_rank:.2f}; taxi weighs {found.report.taxi_weight:g} in the blend."
        )
    for note in found.report.notes:
        voice.say(f"note: {note}")
    if out is not None:
        voice.say(f"Written to {out}: grid.parquet, demand.parquet and rejected.parquet, readable by you alone.")


def _check(sources: Sources, talk: OutputOptions, out: str | None) -> None:
    """Print what became of every row, and end with a finding where a file would be refused."""
    from owlbus.pipeline import check_records

    if out is not None:
        msg = "--check only reports; leave --out away"
        raise UsageError(msg)
    with output_of(talk) as voice:
        report, refusals = check_records(sources)
    document = {"command": "demand", "check": True, "records": report.to_json(), "refused": [in_flags(error) for error in refusals]}
    voice.show(document, records_table(report), *([rules_table(report)] if report.rules else []))
    if refusals:
        raise FindingError("; ".join(error.template for error in refusals))
    voice.say(
        f"{report.rows_in:,} rows: {report.rows_counted:,} would count, {report.rows_rejected:,} would be rejected. Nothing was written."
    )
