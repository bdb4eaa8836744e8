"""Records of calls and taxi rides: open, read and validate files."""

from __future__ import annotations

from owlbus.records.infer_outline import outline_of_records
from owlbus.records.reading import Batch, read_batches
from owlbus.records.sources import Source, open_sources
from owlbus.records.validation import RULES, Rule

__all__ = ["RULES", "Batch", "Rule", "Source", "open_sources", "outline_of_records", "read_batches"]
