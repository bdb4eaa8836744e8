"""What a report says about how record files are read: what was recognised in them, and what is assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from owlbus.records.schema import TAXI
from owlbus.records.time_forms import form_notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from owlbus.records.read_options import ReadOptions
    from owlbus.records.sources import Source


def layout_notes(sources: Sequence[Source], options: ReadOptions) -> list[str]:
    """
    Return notes on assumptions about files: estimated homes, time zones, forms of times, and ends and hours that rides lack.

    Parameters
    ----------
    sources
        Open files.
    options
        How records are read.

    Returns
    -------
    list of str
        One sentence each.
    """
    notes = []
    rides = [source for source in sources if source.layout.kind is TAXI]
    endless = [source for source in rides if source.layout.end is None and "trips" not in source.layout.names]
    if endless:
        notes.append(f"rides of {endless[0].name} carry no end time: their speed is not checked")
    untimed = [source for source in rides if source.layout.is_untimed]
    if untimed:
        notes.append(f"trips of {untimed[0].name} carry no time: {_hours_text(options)}")
    homeless = [source.name for source in sources if source.homes is not None]
    if homeless:
        estimate = "a subscriber's home is the place of most of its calls at all hours; where all are made there, no call is a trip"
        notes.append(f"{homeless[0]}: calls carry no home, so {estimate}")
    clocks = [source for source in sources if source.layout.timezone is not None and source.timezone == source.layout.timezone]
    if clocks:
        zone = clocks[0].layout.clock or clocks[0].layout.timezone
        notes.append(f"{clocks[0].name}: times are read as the publisher means them, as a clock in {zone}")
    first_with = {tuple(source.time_forms.items()): source for source in reversed(sources)}
    by_file = sorted(first_with.values(), key=sources.index)
    forms = (note for source in by_file for note in form_notes(source.name, source.layout, source.time_forms))
    return [*notes, *_recognised_notes(sources), *forms]


def _hours_text(options: ReadOptions) -> str:
    """Say how trips without a time are spread over the hours."""
    name = options.hour_profile if isinstance(options.hour_profile, str) else "the table given"
    texts = {
        "flat": "all are taken to be of the window, each hour with an equal share",
        "unknown": "their hours are unknown, so nothing is said by hour",
    }
    return texts.get(name.lower(), f"their hours are those of {name}")


def _recognised_notes(sources: Sequence[Source]) -> Iterator[str]:
    """Yield what was recognised in files, once for all that share it."""
    names: dict[str, list[str]] = {}
    for source in sources:
        for note in source.notes:
            names.setdefault(note, []).append(source.name)
    for note, files in names.items():
        others = f" (as {len(files) - 1} more)" if len(files) > 1 else ""
        yield f"{files[0]}{others} {note}"
