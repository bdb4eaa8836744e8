"""`owlbus compare`: compare plans on one demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from owlbus.cli.messages import Gives
from owlbus.cli.option_values import limits_of, require_language, rule_of
from owlbus.cli.options import LANG, OUT, FeedPlanOptions, LimitOptions, OutputOptions, RuleOptions
from owlbus.cli.output import empty_table, open_output
from owlbus.cli.plan_files import day_types_beside, plan_names
from owlbus.cli.session import SYNTHETIC, moved_table, plans_from_options, settings_of_run
from owlbus.cli.source_options import AreaOptions, DemandOptions, NetworkOptions, StudyOptions
from owlbus.common.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from owlbus.evidence import Comparison
    from owlbus.pipeline import Study
    from owlbus.pipeline.rundir import RunDir

_FEWEST = 2
MEASURES = (
    ("hexes_share", "area reached", 100, "{:.1f}%"),
    ("transfer_share", "served with a transfer", 100, "{:.1f}%"),
    ("mean_ride_s", "mean ride, min", 1 / 60, "{:.1f}"),
    ("mean_walk_m", "mean walk at both ends, m", 1, "{:.0f}"),
    ("mean_travel_s", "mean journey of all trips, min", 1 / 60, "{:.1f}"),
    ("mean_circuity", "mean circuity", 1, "{:.2f}"),
    ("overlap_share", "run twice or more", 100, "{:.1f}%"),
    ("total_length_m", "one-way km of all routes", 1 / 1000, "{:.1f}"),
    ("total_buses", "buses", 1, "{:.0f}"),
    ("routes", "routes", 1, "{:.0f}"),
)
"""Measures beside the shares: key, label, scale and format."""


def compare(
    *,
    plans: Annotated[
        list[str], typer.Argument(metavar="A B…", help="Plans; all others are compared with A. Run directories, GeoJSON, CSV or GTFS.")
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="FILE:COLUMN",
            help="Show shares by a column of polygons (.geojson), or of hexagons or points (.csv); repeatable.",
        ),
    ] = None,
    feed: FeedPlanOptions,
    limits: LimitOptions,
    rule: RuleOptions,
    out: Annotated[str | None, OUT] = None,
    lang: Annotated[str, LANG, Gives("language")] = "en",
    output_options: OutputOptions,
    study_options: StudyOptions,
    area: AreaOptions,
    demand: DemandOptions,
    network: NetworkOptions,
) -> None:
    """
    [bold]owlbus compare routes_2013.geojson run/plan.geojson --out compared[/bold]

    Compare plans with the first one on the same demand: all measures side by side, and who gains and loses by hexagon, district and hour.
    The report has a map of the differences. The 42 % that Seoul states for its nine routes stands beside the presence share only.
    """
    from owlbus.evidence import compare_plans
    from owlbus.evidence.groups import read_groups

    if len(plans) < _FEWEST:
        msg = f"compare needs at least two plans, got {len(plans)}; name another one"
        raise UsageError(msg)
    require_language(lang)
    bounds, served = limits_of(limits), rule_of(rule)
    with open_output(output_options) as output:
        reader, sources, run = plans_from_options(output, study_options, plans, feed, (area, demand, network))
        study = reader.study
        groups = {column: read_groups(column, study.grid) for column in by or []}
        by_name = {name: reader.read(file) for name, file in zip(plan_names(plans), plans, strict=True)}
        more: dict[str, Any] = {**_of_study(study), "day_types": day_types_beside(plans)}
        comparison = compare_plans(study.network, study.demand, by_name, rule=served, headway_s=bounds.headway_s, **more)
        document = {"command": "compare", **comparison.to_dict(), "is_synthetic": study.is_synthetic, "by": _shares_by(comparison, groups)}
        document |= {} if study.city_share is None else {"city_share": study.city_share}
        document |= reader.facts
        if out is not None:
            settings = settings_of_run(sources, None, plans=plans, run=run, is_synthetic=study.is_synthetic, **reader.facts)
            _write(out, study, comparison, document, settings, lang)
    tables = [side_by_side(document), *(_change_table(name, change) for name, change in document["differences"].items())]
    output.show(document, *tables, *(_groups_table(column, row) for column, row in document["by"].items()))
    if study.is_synthetic:
        output.say(SYNTHETIC)
    if out is not None:
        output.say(f"Written to {out}: report.html, compare.json, difference.png and .geojson of each plan against {document['baseline']}.")


def _of_study(study: Study) -> dict[str, Any]:
    """Return settings of a comparison that are those of the study."""
    return {"districts": study.districts, "min_count": study.min_count}


def _shares_by(comparison: Comparison, groups: Mapping[str, NDArray[np.str_]]) -> dict[str, Any]:
    """Return shares of people and trips, 0 to 1, by column of groups and by plan."""
    from owlbus.evidence.groups import break_down

    return {
        column: {
            name: break_down(comparison.evaluator, plan, labels).to_dict(comparison.evaluator.min_count)
            for name, plan in comparison.plans.items()
        }
        for column, labels in groups.items()
    }


def side_by_side(document: Mapping[str, Any]) -> Table:
    """
    Table of the plans of a comparison, one a column, with differences from the first.

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
    table.caption = (
        "Intervals are over nights." if document["interval_over"] else "No intervals: the demand has fewer nights than an interval takes."
    )
    for name in ("", *plans):
        table.add_column(name, justify="left" if not name else "right")
    stated = document.get("city_share")
    if stated is not None:
        table.add_column("Seoul states", justify="right", style="dim")
    rows = list(plans.values())
    shares = (("presence", "people near a stop"), ("served", "trips served"), ("direct", "served directly"))
    for name, label in shares if document.get("trips_counted", True) else shares[:1]:
        city = [f"{stated:.0%}"] if stated is not None and name == "presence" else []
        table.add_row(label, *(_share(row[name]["share"]) for row in rows), *city, style="bold")
        table.add_row("  90 % interval", *(_range(row[name]["interval"]) for row in rows), style="dim")
        others = [document["differences"][plan] for plan in list(plans)[1:]]
        table.add_row("  against the first, points", "", *(_signed(other[f"{name}_share_change"]) for other in others), style="dim")
        table.add_row("  90 % interval", "", *(_signed_range(other[f"{name}_share_interval"]) for other in others), style="dim")
    for key, label, scale, form in MEASURES:
        absent = "too few" if document.get("trips_counted", True) else "\u2013"
        every = f", one every {rows[0]['headway_s'] / 60:g} min" if key == "total_buses" and "headway_s" in rows[0] else ""
        table.add_row(f"{label}{every}", *(absent if row[key] is None else form.format(scale * row[key]) for row in rows))
    for label, cells in _day_rows(rows):
        table.add_row(label, *cells)
    return table


def _day_rows(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return label and cells of the buses by day type; none where every night is alike."""
    by_day = zip(*(row.get("days", []) for row in rows), strict=True)
    return [
        (
            f"buses {days[0]['name']}, one every {days[0]['max_headway_s'] / 60:g} min",
            [
                f"{day['buses']}" + (f", {day['routes']} of {row['routes']} routes" if day["routes"] < row["routes"] else "")
                for day, row in zip(days, rows, strict=True)
            ],
        )
        for days in by_day
    ]


def _change_table(name: str, change: Mapping[str, Any]) -> Table:
    """Table of gains and losses from the first plan to another: all, then hours, then the ten districts that change most."""
    districts = sorted(change["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))[:10]
    rows = {"all": change["whole"], **{f"{hour} h": row for hour, row in change["by_hour"].items()}, **dict(districts)}
    return moved_table(f"{name}: gained and lost a night", rows, change["min_count"], trips_counted=change.get("trips_counted", True))


def _groups_table(column: str, documents: Mapping[str, Mapping[str, Any]]) -> Table:
    """Table of shares by group, two columns a plan, with the ratio of the best to the worst group."""
    table = empty_table(f"By {column}")
    table.add_column("")
    for name in documents:
        table.add_column(f"{name}: people near", justify="right")
        table.add_column("trips served", justify="right")
    for label in next(iter(documents.values()))["groups"]:
        cells = [_share(document["groups"][label][what]["share"]) for document in documents.values() for what in ("presence", "served")]
        table.add_row(label, *cells)
    ratios = [document[f"{what}_best_to_worst"] for document in documents.values() for what in ("presence", "served")]
    table.add_row("best : worst off", *("none" if ratio is None else f"{ratio:.2f}" for ratio in ratios), style="bold")
    return table


def _write(out: str, study: Study, comparison: Comparison, document: dict[str, Any], settings: dict[str, Any], language: str) -> None:
    """Write the comparison to a run directory, with all that its reports are made from."""
    from owlbus.pipeline import write_study
    from owlbus.pipeline.report_content import comparison_contents
    from owlbus.pipeline.rundir import RunRecord, describe_run, open_run_dir
    from owlbus.plan import plan_geojson
    from owlbus.report import report_file, write_report

    inputs = tuple(str(Path(name)) for name in study.inputs)
    record = RunRecord("compare", settings, None, inputs, None, study.timings_s, notes=study.notes, min_count=study.min_count)
    with open_run_dir(out) as run:
        write_study(run, study)
        run.write_json("compare.json", document)
        for index, (name, plan) in enumerate(comparison.plans.items()):
            run.write_bytes(f"plan_{index + 1}.geojson", plan_geojson(study.network, plan, comparison.cards[name].headway_s))
        for index, content in enumerate(comparison_contents(study, comparison, document, describe_run(record))):
            write_report(run.stage(report_file(index)), content, language)
        _write_maps(run, study, comparison)
        run.publish(record)


def _write_maps(run: RunDir, study: Study, comparison: Comparison) -> None:
    """Write the difference of each plan from the first, as GeoJSON and as a picture."""
    from owlbus.plot.maps import draw_difference, write_map
    from owlbus.report.map_labels import map_labels
    from owlbus.report.translations import read_translations

    first, *others = comparison.plans
    note = "SYNTHETIC demand. " if study.is_synthetic else ""
    labels = map_labels(study.city, study.places, read_translations())
    for index, name in enumerate(others):
        stem = "difference" if len(others) == 1 else f"difference_{index + 1}"
        run.write_bytes(f"{stem}.geojson", comparison.to_geojson(name))
        figure = draw_difference(
            comparison.evaluator,
            comparison.changes[name],
            comparison.plans[first],
            comparison.plans[name],
            title=f"{name} against {first}",
            note=f"{note}Trips counted at both of their ends.",
            labels=labels,
        )
        write_map(run.stage(f"{stem}.png"), figure)


def _share(value: float | None) -> str:
    return "too few" if value is None else f"{value:.1%}"


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}%"


def _signed(change: float | None) -> str:
    return "none told" if change is None else f"{100 * change:+.2f}"


def _signed_range(interval: list[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"
