"""How records are to be read: what a user says about files that they do not say themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from owlbus.grid.reference_systems import check_crs
from owlbus.records.time_forms import check_time_format
from owlbus.records.times import check_timezone

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, eq=False)
class ReadOptions:
    """
    How records are to be read.

    Attributes
    ----------
    columns
        File column by owlbus' name, where they differ.
    timezone
        Local time zone of the records, such as ``Asia/Seoul``.
    time_format
        Format of times: strptime text such as ``%d.%m.%Y %H:%M``, or a name of `owlbus.records.time_forms.FORMS`.
    date_order
        Order of day and month in dates such as 03/06/2024: ``DMY`` or ``MDY``.
    crs
        Coordinate reference system of positions that are not in degrees, such as ``EPSG:25833`` or ``1e-6 degrees``.
    masts
        Table of antennas (antenna_id, lon, lat), for calls without positions.
    zones
        Polygons, or a table of centroids, of the zones that records name instead of positions.
    zone_id
        Column of `zones` with the ids; the one that fits the records by default.
    zone_weights
        Column of `zones` with weights of the parts of a zone; by area by default.
    hour_profile
        Hours of trips without a time: a table of hour and share, ``flat`` or ``unknown``; None refuses such trips.
    first_hour
        Service hour in which trips without a time are counted.
    hexes
        Longitude and latitude of the centre of each hex, degrees, shape (H,) each, for counts by hex; None if there is no grid yet.
    zones_elsewhere
        Whether records with positions are read beside others that name zones.

    Raises
    ------
    UsageError
        If a time zone, time format, date order or reference system is unknown.
    """

    columns: Mapping[str, str] | None = field(default_factory=dict)
    timezone: str | None = None
    time_format: str | None = None
    date_order: str | None = None
    crs: str | None = None
    masts: Any = None
    zones: Any = None
    zone_id: str | None = None
    zone_weights: str | None = None
    hour_profile: Any = None
    first_hour: int = 24
    hexes: tuple[Any, Any] | None = None
    zones_elsewhere: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown values before any file is read."""
        object.__setattr__(self, "columns", dict(self.columns or {}))
        check_timezone(self.timezone)
        check_crs(self.crs)
        check_time_format(self.time_format, self.date_order)


class ReadKeywords(TypedDict, total=False):
    """Fields of `ReadOptions` as keyword arguments."""

    zones_elsewhere: bool
    columns: Mapping[str, str] | None
    timezone: str | None
    time_format: str | None
    date_order: str | None
    crs: str | None
    masts: Any
    zones: Any
    zone_id: str | None
    zone_weights: str | None
    hour_profile: Any
