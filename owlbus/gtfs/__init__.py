"""GTFS feeds of a timetable: write, read and validate."""

from __future__ import annotations

from owlbus.gtfs.read import read_gtfs
from owlbus.gtfs.settings import FeedInfo
from owlbus.gtfs.validate import FeedCheck, check_gtfs
from owlbus.gtfs.write import gtfs_bytes, gtfs_tables, write_gtfs

__all__ = ["FeedCheck", "FeedInfo", "check_gtfs", "gtfs_bytes", "gtfs_tables", "read_gtfs", "write_gtfs"]
