"""`owlbus compare`: plans side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.options import (
    LANG,
    OUT,
    AreaOptions,
    DemandOptions,
    LimitOptions,
    NetworkOptions,
    OutputOptions,
    RuleOptions,
    limits_of,
    require_language,
    rule_of,
)
from owlbus.cli.output import empty_table, output_of
from owlbus.cli.plan_files import plan_names, read_any_plan
from owlbus.cli.session import SYNTHETIC, StudyOptions, announce_compilation, moved_table, settings_of_run, study_options_of, warn
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from owlbus.evidence import Comparison
    from owlbus.pipeline import Study

_FEWEST = 2


def compare(
    ground: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    talk: OutputOptions,
    plans: Annotated[
        list[str], typer.Argument(metavar="A B…", help="Plans, the others held against A: run directories, GeoJSON, CSV or GTFS.")
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="FILE:COLUMN", help="Break shares down by a column of polygons (.geojson) or of hexes or points (.csv)."
        ),
    ] = None,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG] = "en",
) -> None:
    """
    [bold]owlbus compare routes_2013.geojson run/plan.geojson --out compared[/bold]

    Hold plans against the first of them on one demand: every measure side by side, who gains and who loses by hex, district and hour, and a
    report with a map of it. The 42 % that Seoul states for its nine routes stands beside the presence share, and beside nothing else.
    """
    from owlbus.evidence import compare_plans
    from owlbus.evidence.groups import break_down, read_groups

    if len(plans) < _FEWEST:
        msg = f"compare needs at least two plans, got {len(plans)}; name another one"
        raise UsageError(msg)
    require_language(lang)
    bounds, served = limits_of(limits), rule_of(rule)
    with output_of(talk) as voice:
        announce_compilation(voice)
        study, sources, run = study_options_of(ground, plans, area, demand, network)
        warn(voice, study)
        groups = {text: read_groups(text, study.grid) for text in by or []}
        given = {name: read_any_plan(file, study, ground.max_snap) for name, file in zip(plan_names(plans), plans, strict=True)}
        found = compare_plans(study.network, study.demand, given, rule=served, headway_s=bounds.headway_s, districts=study.districts)
        parts = {text: {name: break_down(found.evaluator, plan, labels) for name, plan in given.items()} for text, labels in groups.items()}
        document = {"command": "compare", **found.to_dict(), "is_synthetic": study.is_synthetic}
        document["by"] = {
            text: {name: part.to_dict(is_coarse=found.is_coarse) for name, part in row.items()} for text, row in parts.items()
        }
        if out is not None:
            settings = settings_of_run(sources, None, plans=plans, run=run, is_synthetic=study.is_synthetic)
            _write(out, study, found, document, settings, lang)
    tables = [side_by_side(document), *(_change_table(name, change) for name, change in document["differences"].items())]
    voice.show(document, *tables, *(_groups_table(text, row) for text, row in document["by"].items()))
    if study.is_synthetic:
        voice.say(SYNTHETIC)
    if out is not None:
        voice.say(f"Written to {out}: report.html, compare.json, difference.png and .geojson of each plan against {document['baseline']}.")


def side_by_side(document: Mapping[str, Any]) -> Table:
    """
    Lay the plans of a comparison out, one a column, each other one with what differs from the first.

    Parameters
    ----------
    document
        As `Comparison.to_dict` gives it; shares 0 to 1.

    Returns
    -------
    Table
        Shares in percent, lengths in km.
    """
    plans: Mapping[str, Mapping[str, Any]] = document["plans"]
    table = empty_table("Plans side by side")
    table.caption = f"Intervals are over {document['interval_over']}."
    for name in ("", *plans):
        table.add_column(name, justify="left" if not name else "right")
    table.add_column("Seoul states", justify="right", style="dim")
    rows = list(plans.values())
    for name, label in (("presence", "people near a stop"), ("served", "trips served"), ("direct", "served directly")):
        city = f"{document['city_share']:.0%}" if name == "presence" else ""
        table.add_row(label, *(_share(row[name]["share"]) for row in rows), city, style="bold")
        table.add_row("  90 % interval", *(_range(row[name]["interval"]) for row in rows), style="dim")
        others = [document["differences"][plan] for plan in list(plans)[1:]]
        table.add_row("  against the first, points", "", *(_signed(one[f"{name}_share_change"]) for one in others), style="dim")
        table.add_row("  90 % interval", "", *(_signed_range(one[f"{name}_share_interval"]) for one in others), style="dim")
    for key, label, scale, form in (
        ("hexes_share", "hexagons reached", 100, "{:.1f}%"),
        ("transfer_share", "served with a transfer", 100, "{:.1f}%"),
        ("mean_ride_s", "mean ride, min", 1 / 60, "{:.1f}"),
        ("mean_walk_m", "mean walk at both ends, m", 1, "{:.0f}"),
        ("mean_travel_s", "mean journey of all trips, min", 1 / 60, "{:.1f}"),
        ("mean_circuity", "mean circuity", 1, "{:.2f}"),
        ("overlap_share", "run twice or more", 100, "{:.1f}%"),
        ("total_length_m", "one-way km of all routes", 1 / 1000, "{:.1f}"),
        ("total_buses", "buses", 1, "{:.0f}"),
        ("routes", "routes", 1, "{:.0f}"),
    ):
        table.add_row(label, *("hidden" if row[key] is None else form.format(scale * row[key]) for row in rows))
    return table


def _change_table(name: str, change: Mapping[str, Any]) -> Table:
    """Who gains and loses from the first plan to another: all, then hours, then the districts that change most."""
    districts = sorted(change["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))[:10]
    rows = {"all": change["whole"], **{f"{hour} h": row for hour, row in change["by_hour"].items()}, **dict(districts)}
    return moved_table(f"{name}: gained and lost a night", rows, change["hidden"]["min_count"])


def _groups_table(text: str, documents: Mapping[str, Mapping[str, Any]]) -> Table:
    """Shares by group, one plan a pair of columns, and how far the best and the worst off are apart."""
    table = empty_table(f"By {text}")
    table.add_column("")
    for name in documents:
        table.add_column(f"{name}: people near", justify="right")
        table.add_column("trips served", justify="right")
    for label in next(iter(documents.values()))["groups"]:
        cells = [_share(one["groups"][label][what]["share"]) for one in documents.values() for what in ("presence", "served")]
        table.add_row(label, *cells)
    ratios = [one[f"{what}_best_to_worst"] for one in documents.values() for what in ("presence", "served")]
    table.add_row("best : worst off", *("none" if ratio is None else f"{ratio:.2f}" for ratio in ratios), style="bold")
    return table


def _write(out: str, study: Study, found: Comparison, document: dict[str, Any], settings: dict[str, Any], language: str) -> None:
    """Write the comparison to a run directory, with all that its reports can be written from again."""
    from owlbus.pipeline import write_study
    from owlbus.pipeline.report_content import comparison_contents
    from owlbus.pipeline.rundir import RunRecord, describe_run, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.plot.maps import draw_difference, write_map
    from owlbus.report import report_file, write_report

    first, *others = found.plans
    note = "SYNTHETIC demand. " if study.is_synthetic else ""
    record = RunRecord("compare", settings, None, tuple(str(Path(name)) for name in study.inputs), None, study.timings_s)
    with open_run_dir(out) as run:
        write_study(run, study)
        run.write_json("compare.json", document)
        for place, (name, plan) in enumerate(found.plans.items()):
            run.write_bytes(f"plan_{place + 1}.geojson", plan_geojson(study.network, plan, found.cards[name].headway_s))
        for place, content in enumerate(comparison_contents(study, found, document, describe_run(record))):
            write_report(run.stage(report_file(place)), content, language)
        for place, name in enumerate(others):
            stem = "difference" if len(others) == 1 else f"difference_{place + 1}"
            run.write_bytes(f"{stem}.geojson", found.to_geojson(name))
            figure = draw_difference(
                found.evaluator,
                found.changes[name],
                found.plans[first],
                found.plans[name],
                title=f"{name} against {first}",
                note=f"{note}Trips counted at both of their ends.",
            )
            write_map(run.stage(f"{stem}.png"), figure)
        run.publish(record)


def _share(value: float | None) -> str:
    return "hidden" if value is None else f"{value:.1%}"


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}%"


def _signed(change: float | None) -> str:
    return "small" if change is None else f"{100 * change:+.2f}"


def _signed_range(interval: list[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"
