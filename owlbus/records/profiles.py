"""Layouts that others publish, told by their column names, so that their files need no mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Profile:
    """
    A layout as someone publishes it.

    Attributes
    ----------
    name
        What messages call it.
    columns
        The publisher's column by owlbus' name; all of them must be there.
    timezone
        Zone that its times are meant in where none is told; None if times say it themselves or must be told.
    """

    name: str
    columns: Mapping[str, str]
    timezone: str | None = None


PROFILES = (
    Profile(
        "Chicago taxi trips",
        {
            "pickup_time": "trip_start_timestamp",
            "duration_s": "trip_seconds",
            "origin_lon": "pickup_longitude",
            "origin_lat": "pickup_latitude",
            "destination_lon": "dropoff_longitude",
            "destination_lat": "dropoff_latitude",
        },
        "UTC",  # the city writes the local clock as if it were UTC: trip_start_hour agrees with it
    ),
    Profile("calls by antenna", {"time": "timestamp", "antenna": "antenna_id", "subscriber": "user"}),
)


def profile_of(present: Collection[str], mapping: Mapping[str, str]) -> Profile | None:
    """
    Profile whose columns a file has.

    Parameters
    ----------
    present
        The file's columns.
    mapping
        Columns that were told; a profile is left out if they contradict it.

    Returns
    -------
    Profile or None
        The first that fits.

    Examples
    --------
    >>> profile_of(["user", "timestamp", "antenna_id", "cost"], {}).name
    'calls by antenna'
    """
    for profile in PROFILES:
        told = {name: mapping.get(name, theirs) for name, theirs in profile.columns.items()}
        if all(theirs in present for theirs in told.values()) and not any(name in present for name in profile.columns):
            return profile
    return None
