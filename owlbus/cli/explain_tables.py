"""Answers of `owlbus explain` as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.cli.output import empty_table
from owlbus.cli.session import moved_table
from owlbus.common.disclosure import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table


def change_pages(document: Mapping[str, Any]) -> list[Any]:
    """Return the verdict on a change, its table of gains and losses, broken limits and the alternative, from `document`."""
    least = document["min_count"]
    rows = {"all": document["whole"], **{f"{hour} h": row for hour, row in document["by_hour"].items()}}
    districts = sorted(document["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))[:8]
    pages: list[Any] = [
        document["verdict"],
        moved_table("Gained and lost a night", {**rows, **dict(districts)}, least, trips_counted=document.get("trips_counted", True)),
    ]
    pages += [f"Breaks a limit: {line}" for line in document["broken_limits"]]
    if document["alternative"] is not None:
        pages.append(f"Next best: {document['alternative']['verdict']}")
    return pages


def route_profiles_table(rows: Sequence[Mapping[str, Any]], base: float) -> Table:
    """Return a table of what each route of `rows` adds and carries, riders a night in multiples of `base`."""
    table = empty_table("What only this route serves, and how full it is")
    for column in ("route", "trips alone", "people alone", "riders", "bus-km", "riders/bus-km", "weakest link", "riders there"):
        table.add_column(column, justify="left" if column == "route" else "right")
    for row in rows:
        weak, per_km = row["weakest_segment"], row["riders_per_bus_km"]
        table.add_row(
            row["name"],
            count_text(row["only_served_trips"], base),
            count_text(row["only_presence"], base),
            count_text(row["riders_trips"], base),
            f"{row['bus_km']:,.0f}",
            "" if per_km is None else f"{per_km:.2f}",
            "-".join(map(str, weak["stops"])),
            count_text(weak["load_trips"], base),
        )
    return table


def stability_tables(stability: Mapping[str, Any]) -> list[Table]:
    """Return tables of routes' ranks over resampled nights and of the served share by weekday and hour; none without dates."""
    if not stability:
        return []
    ranks = empty_table("Rank of each route by the trips that only it serves, with its 90 % interval over resampled nights")
    for column in ("rank", "route", "from", "to", "same rank in"):
        ranks.add_column(column, justify="left" if column == "route" else "right")
    for row in stability["ranks"]:
        ranks.add_row(f"{row['rank']}", row["name"], f"{row['low_rank']}", f"{row['high_rank']}", f"{row['same_share']:.0%}")
    served: Mapping[str, Mapping[str, float | None]] = stability["by_weekday_and_hour"]["served"]
    matrix = empty_table("Trips served, by weekday of the evening and hour")
    hours = list(next(iter(served.values())))
    for column in ("", *(f"{hour} h" for hour in hours)):
        matrix.add_column(column, justify="left" if not column else "right")
    for day, shares in served.items():
        matrix.add_row(day, *("" if share is None else f"{share:.1%}" for share in shares.values()))
    return [ranks, matrix]


def segments_table(row: Mapping[str, Any], name_of: Callable[[int], str], base: float) -> Table:
    """Return a table of riders a night by segment and hour of one route, `row`, in multiples of `base`."""
    hours = list(row["segments"][0]["by_hour"]) if row["segments"] else []
    table = empty_table(f"Riders a night on each link of {row['name']}, both ways")
    for column in ("from", "to", "all", *(f"{hour} h" for hour in hours)):
        table.add_column(column, justify="left" if column in {"from", "to"} else "right")
    for segment in row["segments"]:
        a, b = row["stops"][segment["place"]], row["stops"][segment["place"] + 1]
        loads = [segment["load_trips"], *segment["by_hour"].values()]
        table.add_row(name_of(a), name_of(b), *(count_text(load, base) for load in loads))
    return table


def unserved_places_table(rows: Sequence[Mapping[str, Any]], base: float) -> Table:
    """Return a table of the busy places without a stop in `rows`, with the cheapest change that serves each."""
    table = empty_table("Busy places without a stop, and the cheapest change that serves each")
    for column in ("", "place", "people", "route", "km", "min", "buses", "trips +", "trips -"):
        table.add_column(column, justify="left" if column in {"place", "route"} else "right")
    for row in rows:
        change = row["difference"]
        cells = ["no way there", "", "", "", "", ""]
        if change is not None:
            cost, whole = change["cost"], change["whole"]
            cells = [
                ", ".join(row["routes"]) + "!" * bool(row["broken_limits"]),
                f"{cost['length_m'] / 1000:+.1f}",
                f"{cost['cycle_min']:+.0f}",
                f"{cost['buses']:+d}",
            ]
            cells += [count_text(whole["gained_trips"], base), count_text(whole["lost_trips"], base)]
        table.add_row(f"{row['rank']}", row["name"], count_text(row["presence"], base), *cells)
    if any(row["broken_limits"] for row in rows):
        table.caption = "! No change keeps the limits of routes; this one breaks one, which owlbus explain PLAN why PLACE names."
    return table


def swaps_table(rows: Sequence[Mapping[str, Any]], base: float) -> Table:
    """Return a table of the swaps in `rows` that gain trips; counts are multiples of `base`."""
    table = empty_table("Swaps of one stop that gain trips; those without extra time first")
    for column in ("", "route", "swap", "trips +", "trips -", "people +", "people -", "min", "per min"):
        table.add_column(column, justify="left" if column in {"route", "swap"} else "right")
    for row in rows:
        whole, cost = row["difference"]["whole"], row["difference"]["cost"]
        rate = row["gain_per_extra_min"]
        moved = (count_text(whole[name], base) for name in ("gained_trips", "lost_trips", "gained_presence", "lost_presence"))
        table.add_row(
            f"{row['rank']}",
            ", ".join(row["routes"]),
            row["change"],
            *moved,
            f"{cost['cycle_min']:+.0f}",
            "" if rate is None else f"{rate:.1f}",
        )
    return table
