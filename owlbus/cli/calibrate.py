"""`owlbus calibrate`: fit who rides to counted boardings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import require_language
from owlbus.cli.options import LANG, OUT, OutputOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import plan_name
from owlbus.cli.session import SYNTHETIC, settings_of_run, stop_names_of, warn
from owlbus.common.disclosure import count_text
from owlbus.common.errors import DataError, UsageError
from owlbus.common.text import how_many
from owlbus.common.units import require_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from owlbus.evidence.calibration import Calibration
    from owlbus.explore.opened_run import OpenedRun

_PANEL = "Counts and fit"
_MOST_NIGHTS = 100_000
_SHOWN, _MARKED = 10, 5


def calibrate(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory of demo, plan, score or another command that writes one plan.")],
    boardings: Annotated[
        str,
        typer.Option(
            "--boardings",
            metavar="FILE",
            help="CSV with columns stop (name or index), boardings, and hour if they are counted by hour.",
            rich_help_panel=_PANEL,
        ),
    ],
    counted_nights: Annotated[
        int,
        typer.Option("--counted-nights", metavar="N", help="Nights that the boardings add up.", rich_help_panel=_PANEL),
        Gives("n_counted_nights"),
    ] = 1,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="NAMES",
            help="Numbers to fit, separated by commas; the others are held. "
            "Default: scale_trips,scale_min,walk_weight,wait_weight,transfer_min.",
            rich_help_panel=_PANEL,
        ),
        Gives("fit_names"),
    ] = None,
    choice: Annotated[
        str | None,
        typer.Option("--choice", metavar="FILE", help="Numbers to begin with, and to hold: a choice.json.", rich_help_panel=_PANEL),
    ] = None,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
) -> None:
    """
    [bold]owlbus calibrate run --boardings counts.csv --counted-nights 30 --out fitted[/bold]

    Fit who rides to counted boardings: a Poisson regression on what the plan of the run, its timetable and its demand predict by stop and
    hour. Prints each number with its 90 % interval, says which of them the counts cannot tell apart, and lists the stops where the model is
    wrong. --out writes choice.json, which owlbus timetable --choice reads, calibrate.html and residuals.geojson.
    """
    from owlbus.common.acceptance import RideChoice
    from owlbus.explore.opened_run import open_run

    require_language(lang)
    require_number("n_counted_nights", counted_nights, 1, _MOST_NIGHTS)
    names = _names_of(fit)
    with open_output(output_options) as output:
        opened = open_run(run)
        _require_one_timetable(run, opened)
        study, begin = opened.study, RideChoice() if choice is None else RideChoice.read(choice)
        warn(output, study)
        calibration = _calibration(opened, boardings, {"begin": begin, "names": names, "n_counted_nights": counted_nights})
        head = {"command": "calibrate", "plan": plan_name(run), "is_synthetic": study.is_synthetic}
        document = head | calibration.to_dict()
        if out is not None:
            recorded = settings_of_run(None, None, run=run, plan=run, nights=counted_nights, fitted=list(names), begin=choice)
            _write(out, opened, calibration, document, recorded, lang)
    output.show(document, _numbers_table(document), _stops_table(document), f"Counts are {document['counts']}.")
    _say(output, document)


def _require_one_timetable(run: str, opened: OpenedRun) -> None:
    """Refuse a run whose nights have several timetables: boardings of which one would not be known."""
    if days := opened.about.get("settings", {}).get("days"):
        msg = (
            f"{run}: boardings are fitted under one timetable for every night, and this run has day types ({days}); plan again without days"
        )
        raise DataError(msg)


def _calibration(opened: OpenedRun, boardings: str, settings: dict[str, Any]) -> Calibration:
    """Fit to the boardings of a file, under the timetable that goes with the run."""
    from owlbus.demand.hour_profile import with_even_hours
    from owlbus.evidence.calibration import calibrate_choice
    from owlbus.pipeline.outputs import timetable_of_plan
    from owlbus.timetable.boarding_counts import read_boardings

    study, rule = opened.study, opened.evaluator.problem.rule
    demand = with_even_hours(study.demand)
    counts = read_boardings(boardings, study.network, demand.hours)
    timetable, _, _ = timetable_of_plan(study, opened.plan, _buses_of(opened), opened.headway_s)
    return calibrate_choice(study.network, demand, timetable, counts, rule=rule, min_count=study.min_count, **settings)


def _names_of(fit: str | None) -> tuple[str, ...]:
    """Return the names of the numbers to fit, refused before anything is read."""
    from owlbus.timetable.fit_choice import ALL_FITTED, FITTED

    names = FITTED if fit is None else tuple(name.strip() for name in fit.split(","))
    unknown = [name for name in names if name not in ALL_FITTED]
    if unknown:
        msg = f"--fit must be some of {', '.join(ALL_FITTED)}, got {unknown[0]!r}"
        raise UsageError(msg, setting="fit_names", value=fit)
    return names


def _buses_of(opened: OpenedRun) -> int:
    """Return the buses of the run's timetable, as its scorecard counts them."""
    from owlbus.plan import plan_measures

    return plan_measures(opened.study.network, opened.plan, opened.headway_s).total_buses


def _write(
    out: str, opened: OpenedRun, calibration: Calibration, document: Mapping[str, Any], settings: dict[str, Any], language: str
) -> None:
    """Write the numbers, the residuals and the page to a run directory."""
    from owlbus.pipeline.rundir import RunRecord, open_run_dir
    from owlbus.report.answer_map import MapContent, answer_map
    from owlbus.report.calibration_page import calibration_page
    from owlbus.report.translations import read_translations

    study, words = opened.study, read_translations(language)
    names = stop_names_of(study, language)
    marks = tuple((stop, names.name_of(study.network, stop)) for stop in calibration.worst_stops[:_MARKED])
    content = MapContent(study.network, opened.plan, marks=marks, city=study.city, places=study.places)
    html = calibration_page(document, answer_map(content, words), words, plan=document["plan"], is_synthetic=study.is_synthetic)
    with open_run_dir(out) as run:
        run.write_json("choice.json", calibration.choice_document())
        run.write_json("calibration.json", dict(document))
        run.write_bytes("residuals.geojson", calibration.to_geojson(study.network).encode())
        run.write_bytes("calibrate.html", html.encode())
        more: dict[str, Any] = {"notes": study.notes, "min_count": study.min_count}
        run.publish(RunRecord("calibrate", settings, None, study.inputs, None, study.timings_s, **more))


def _say(output: Any, document: Mapping[str, Any]) -> None:  # noqa: ANN401 - an Output
    """Print what the fit explains, what it cannot tell, and what it leaves out."""
    first, last, dispersion = document["first_deviance"], document["deviance"], document["dispersion"]
    spread = "" if dispersion is None else f"; dispersion {dispersion:.2f}, 1 for Poisson counts"
    output.say(f"Deviance {last:,.4g} on {how_many(document['rows'], 'row')}, {first:,.4g} before the fit{spread}.")
    if document["rows_outside"]:
        boardings = count_text(document["boardings_outside"], document["min_count"])
        rows = how_many(document["rows_outside"], "row")
        output.say(f"note: left out: {rows} with {boardings} boardings a night: the model has nobody board there")
    for warning in document["warnings"]:
        output.say(f"warning: {warning}")
    if document["is_synthetic"]:
        output.say(SYNTHETIC)


def _numbers_table(document: Mapping[str, Any]) -> Table:
    """Table of the numbers of the model of who rides."""
    table = empty_table("Who rides, with 90 % intervals")
    for column in ("number", "value", "from", "to", "before"):
        table.add_column(column, justify="left" if column == "number" else "right")
    for name, value in document["choice"].items():
        fitted = document["fitted"].get(name)
        if fitted is None:
            table.add_row(name, f"{value:.4g}", "held", "", f"{value:.4g}")
        else:
            high = "any" if fitted["high"] is None else f"{fitted['high']:.4g}"
            table.add_row(name, f"{value:.4g}", f"{fitted['low']:.4g}", high, f"{fitted['begin']:.4g}")
    return table


def _stops_table(document: Mapping[str, Any]) -> Table:
    """Table of the stops where the model is most wrong."""
    table = empty_table(f"Boardings a night, the {min(_SHOWN, len(document['stops']))} worst stops first; residual in standard errors")
    for column in ("stop", "counted", "model", "difference", "residual"):
        table.add_column(column, justify="left" if column == "stop" else "right")
    for row in document["stops"][:_SHOWN]:
        base = document["min_count"]
        counts = (count_text(row[name], base) if base else f"{row[name]:,.1f}" for name in ("observed", "predicted"))
        difference = "none told" if row["difference"] is None else f"{row['difference']:+,.1f}"
        table.add_row(row["stop"], *counts, difference, f"{row['residual']:+.1f}")
    return table
