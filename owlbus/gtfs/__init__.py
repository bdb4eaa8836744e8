"""GTFS feeds: a timetable written, read back and validated."""

from __future__ import annotations

from owlbus.gtfs.checking import FeedCheck, check_gtfs
from owlbus.gtfs.reading import read_gtfs
from owlbus.gtfs.settings import FeedSettings
from owlbus.gtfs.writing import gtfs_bytes, gtfs_tables, write_gtfs

__all__ = ["FeedCheck", "FeedSettings", "check_gtfs", "gtfs_bytes", "gtfs_tables", "read_gtfs", "write_gtfs"]
