"""A report on records as people may read it: rows that count are rounded, rows rejected exact."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from owlbus.records.validation import REJECT

if TYPE_CHECKING:
    from owlbus.common.disclosure import Publisher
    from owlbus.demand.row_counts import DemandReport, FileCount, RuleCount, SourceCount

REPORT_SCHEMA_VERSION = 2


def printed_report(report: DemandReport, publisher: Publisher) -> dict[str, Any]:
    """
    Return a report on records as it is printed.

    Parameters
    ----------
    report
        Row counts, exact.
    publisher
        The publishing rule.

    Returns
    -------
    dict
        Plain values. Rows read are the printed rows counted and the exact rows rejected; trips likewise, both rounded.
    """
    n_rows = report.printed_rows(publisher)
    return {
        "schema_version": REPORT_SCHEMA_VERSION,
        **publisher.facts,
        "rows_in": n_rows,
        "rows_counted": n_rows - report.rows_rejected,
        "rows_rejected": report.rows_rejected,
        "rejected_share": round(report.rows_rejected / max(n_rows, 1), 6),
        "files": [_printed_file(file, publisher) for file in report.files],
        "rules": [_printed_rule(rule, publisher, n_rows) for rule in report.rules],
        "sources": [_printed_source(source, publisher) for source in report.sources],
        "agreement": printed_agreement(report, publisher),
        "taxi_weight": report.taxi_weight,
        "notes": list(report.notes),
    }


def printed_agreement(report: DemandReport, publisher: Publisher) -> dict[str, float | None] | None:
    """
    Return the agreement of calls and taxi as it is printed.

    Parameters
    ----------
    report
        Row counts of both sources, and their agreement.
    publisher
        The publishing rule.

    Returns
    -------
    dict or None
        Common shares of the smaller source's trips, 0 to 1, and rank correlations to a tenth; None of too few trips, and of one source.
    """
    if report.agreement is None:
        return None
    trips = min(source.trips_per_night or 0.0 for source in report.sources[:2])
    printed: dict[str, float | None] = {}
    for name, value in asdict(report.agreement).items():
        if name.endswith("_share"):
            printed[name] = publisher.share(value * trips, trips)
        elif value is None or not publisher.is_enough(trips):
            printed[name] = None
        else:
            printed[name] = value if publisher.is_exact else round(value, 1)
    return printed


def _printed_file(file: FileCount, publisher: Publisher) -> dict[str, Any]:
    """Return the mass balance of a file as it is printed."""
    trips_counted, trips_rejected = (publisher.count(value) for value in (file.trips_counted, file.trips_rejected))
    counted, as_trips = (int(publisher.count(rows)) for rows in (file.rows_counted, file.rows_trip))
    return asdict(file) | {
        "rows_in": counted + file.rows_rejected,
        "rows_counted": counted,
        "rows_trip": as_trips,
        "trips_in": round(trips_counted + trips_rejected, 1),
        "trips_counted": trips_counted,
        "trips_rejected": trips_rejected,
    }


def _printed_rule(rule: RuleCount, publisher: Publisher, n_rows: int) -> dict[str, Any]:
    """Return the rows that break a rule as they are printed: exact if rejected, else rounded; the first, of open data."""
    rows = rule.rows if rule.effect == REJECT else int(publisher.count(rule.rows))
    printed = {"rows": rows, "trips": publisher.count(rule.trips), "rows_share": round(rows / max(n_rows, 1), 6)}
    return asdict(rule) | printed | ({} if publisher.is_exact else {"first": None})


def _printed_source(source: SourceCount, publisher: Publisher) -> dict[str, Any]:
    """Return the totals of a source as they are printed."""
    return asdict(source) | {
        "trips_per_night": None if source.trips_per_night is None else publisher.count(source.trips_per_night),
        "presence_per_night": publisher.count(source.presence_per_night),
        "repeats_trip": int(publisher.count(source.repeats_trip)),
        "repeats_present": int(publisher.count(source.repeats_present)),
    }
