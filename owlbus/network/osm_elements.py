"""Collect the elements of an OpenStreetMap file that a bus network needs, in one pass, with tags as they hold at night."""

from __future__ import annotations

import mmap
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.common.text import one_line
from owlbus.network.latin_names import latin_tag
from owlbus.network.osm_conditions import LEAST_NIGHTS, has_conditions
from owlbus.network.osm_speeds import speed_limit_kmh
from owlbus.network.osm_tags import (
    BusWay,
    blocks_buses,
    bus_way,
    hails,
    is_bus_stop,
    is_street,
    is_walkable,
    tagged_limits,
    turn_rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike

    from owlbus.network.osm_conditions import NightConditions
    from owlbus.network.osm_tags import Tags

    Places = dict[int, tuple[float, float]]

_RULES = ("restriction", "restriction:bus", "restriction:psv")
_KEYS = ("highway", "public_transport", "barrier", "route", *_RULES, *(f"{key}:conditional" for key in _RULES))
_CLOSED_AT_TIMES = "closed to buses in some of the hours"
_START_TAG = re.compile(rb"<(node|way|relation)\b[^>]*>")
_NUMBER = re.compile(rb"\bid=[\"'](-?\d+)[\"']")
_DELETED = re.compile(rb"\baction=[\"']delete[\"']")


class Elements:
    """
    Elements of a file that one pass collects.

    Parameters
    ----------
    conditions
        Judges conditional tags.
    walk, drive
        Whether to collect walkable ways, and streets for buses.
    """

    def __init__(self, conditions: NightConditions, *, walk: bool, drive: bool) -> None:
        self.conditions = conditions
        self.walk, self.drive = walk, drive
        self.stops: list[tuple[float, float, str, str]] = []
        self.barriers: set[int] = set()
        self.lonlat: Places = {}
        self.streets: list[tuple[int, list[int], BusWay, str]] = []
        self.paths: list[list[int]] = []
        self.rules: list[tuple[str, list[tuple[str, int, str]]]] = []
        self.hailed: set[int] = set()
        self.reasons: dict[str, int] = {}
        self.ways = 0
        self.unlocated_negative = False
        self._numbers: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def node(self, item: Any, tags: Tags) -> None:  # noqa: ANN401  # osmium ships no types
        """Collect a stop or a barrier."""
        if is_bus_stop(tags):
            self.stops.append((item.lon, item.lat, tags.get("name", ""), latin_tag(tags)))
        if "barrier" in tags and any(blocks_buses(moment) for moment in self._at_night(item, tags)):
            self.barriers.add(item.id)

    def way(self, item: Any, tags: Tags, located: Places | None = None) -> None:  # noqa: ANN401  # as above
        """Collect a street, a walkable way, or both."""
        if "highway" not in tags:
            return
        self.ways += 1
        at_night = self._at_night(item, tags, located)
        use = self._use(tags, at_night)
        drives, walks = self.drive and not isinstance(use, str), self.walk and self._walks(tags, at_night)
        if isinstance(use, str):
            self.reasons[use] = self.reasons.get(use, 0) + 1
        if not (drives or walks):
            return
        nodes = self._nodes(item, located)
        if drives and not isinstance(use, str):
            self.streets.append((item.id, nodes, use, tags.get("name", "")))
            if hails(tags):
                self.hailed.add(item.id)
            for key, text in tagged_limits(tags):
                if speed_limit_kmh(text) is None:
                    self._note("limits", f"way {item.id}: {key}={text}")
        if walks:
            self.paths.append(nodes)

    def relation(self, item: Any, tags: Tags) -> None:  # noqa: ANN401  # osmium ships no types
        """Collect a turn restriction for buses, or the ways of a route where buses halt on demand."""
        rules = {turn_rule(moment) for moment in self._at_night(item, tags)} - {None}
        for rule in sorted(str(rule) for rule in rules):
            self.rules.append((rule, [(member.type, member.ref, member.role) for member in item.members]))
        if tags.get("type") == "route" and tags.get("route") in {"bus", "trolleybus", "minibus", "share_taxi"}:
            ways = {member.ref for member in item.members if member.type == "w" and "hail_and_ride" in member.role}
            if not ways and hails(tags):
                ways = {member.ref for member in item.members if member.type == "w" and member.role in {"", "forward", "backward", "route"}}
            self._numbers["partly hailed"] += not ways and tags.get("hail_and_ride", "no") != "no"
            self.hailed |= ways

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Label and number of what conditional tags and limits came to."""
        number = self._numbers
        rows = [
            (f"streets with conditions, judged for {self.conditions.label} on all nights", number["conditional"]),
            ("of these changed by a condition", number["changed"]),
            ("of these closed to buses by it", number["closed"]),
            ("of these opened to buses by it", number["opened"]),
        ]
        extra = [
            ("walkable ways closed by a condition", number["walks"]),
            (f"conditions of fewer than {LEAST_NIGHTS} nights a year or of given years left out", number["rare"]),
            (self._told("misread", "conditions not understood and left out"), number["misread"]),
            (self._told("limits", "speed limits not understood, usual speeds taken"), number["limits"]),
            ("bus routes tagged for hail and ride in part, but not where", number["partly hailed"]),
            ("elements marked as deleted in an editor's file", number["deleted"]),
        ]
        return (*rows, *((label, n) for label, n in extra if n))

    def leave_out(self, n_deleted: int) -> None:
        """Count elements that an editor has marked as deleted."""
        self._numbers["deleted"] = n_deleted

    def _told(self, kind: str, label: str) -> str:
        return f"{label}, first on {self._first[kind]}" if kind in self._first else label

    def _note(self, kind: str, where: str) -> None:
        """Count what is not understood, and keep its first place."""
        self._numbers[kind] += 1
        self._first.setdefault(kind, one_line(where))

    def _at_night(self, item: Any, tags: Tags, located: Places | None = None) -> Sequence[Tags]:  # noqa: ANN401  # as above
        """Tags at the different moments of the hours."""
        if not has_conditions(tags):
            return (tags,)
        found = self.conditions.at_night(tags, _place(item, located))
        kind = "node" if item.is_node() else "way" if item.is_way() else "relation"
        for text in found.misread:
            self._note("misread", f"{kind} {item.id}: {text}")
        self._numbers["rare"] += found.n_rare
        return found.tags

    def _use(self, tags: Tags, at_night: Sequence[Tags]) -> BusWay | str:
        """Use of a street that buses have in all of the hours, or the reason why it is closed to them."""
        plain = bus_way(tags)
        if at_night[0] is tags or not is_street(tags):
            return plain
        use = common_use([bus_way(moment) for moment in at_night])
        self._numbers["conditional"] += 1
        self._numbers["changed"] += use != plain
        self._numbers["closed"] += isinstance(use, str) and not isinstance(plain, str)
        self._numbers["opened"] += isinstance(plain, str) and not isinstance(use, str)
        return use

    def _walks(self, tags: Tags, at_night: Sequence[Tags]) -> bool:
        """Whether people may walk along a way in all of the hours."""
        walks = all(is_walkable(moment) for moment in at_night)
        self._numbers["walks"] += not walks and is_walkable(tags)
        return walks

    def _nodes(self, item: Any, located: Places | None) -> list[int]:  # noqa: ANN401  # osmium ships no types
        """Nodes of a way; their places are kept."""
        nodes = []
        for node in item.nodes:
            ref = node.ref
            if ref not in self.lonlat:
                location = node.location
                if location.valid():
                    self.lonlat[ref] = (location.lon, location.lat)
                elif located is not None and ref in located:
                    self.lonlat[ref] = located[ref]
                elif ref < 0:
                    self.unlocated_negative = True
            nodes.append(ref)
        return nodes


def common_use(uses: Sequence[BusWay | str]) -> BusWay | str:
    """
    Use of a street that is possible at all of several moments.

    Parameters
    ----------
    uses
        Use at each moment, or the reason why there is none; at least one.

    Returns
    -------
    BusWay or str
        Directions open at all moments with the lowest speed in km/h, or the reason.
    """
    open_uses = [use for use in uses if not isinstance(use, str)]
    if len(open_uses) < len(uses):
        return _CLOSED_AT_TIMES if open_uses else str(uses[0])
    forward, backward = all(use.forward for use in open_uses), all(use.backward for use in open_uses)
    if not (forward or backward):
        return _CLOSED_AT_TIMES
    return BusWay(forward, backward, min(use.kmh for use in open_uses), open_uses[0].rank)


def _place(item: Any, located: Places | None) -> tuple[float, float] | None:  # noqa: ANN401  # osmium ships no types
    """Degrees of a node, or of the first node of a way that has a place; None for a relation."""
    if item.is_node():
        return item.lon, item.lat
    for node in item.nodes if item.is_way() else ():
        if node.location.valid():
            return node.location.lon, node.location.lat
        if located is not None and node.ref in located:
            return located[node.ref]
    return None


def scan(path: str | PathLike[str], conditions: NightConditions, *, walk: bool, drive: bool) -> Elements:
    """
    Elements of a file.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or another form that osmium reads; also files of editors, with negative ids and deleted elements.
    conditions
        Judges conditional tags.
    walk, drive
        Whether to collect walkable ways, and streets for buses.

    Returns
    -------
    Elements
        Streets, walkable ways, stops, barriers and turn restrictions.

    Raises
    ------
    DataError
        If the file is missing or broken, or holds none of the nodes of its ways.
    UsageError
        If osmium is not installed.
    """
    try:
        import osmium
        import osmium.filter
        import osmium.osm
    except ImportError:
        msg = "OpenStreetMap files need the extra library osmium; install it with: pip install 'owlbus[osm]'"
        raise UsageError(msg) from None
    source = Path(path)
    if not source.is_file():
        msg = f"{source}: no such file; name an extract as .osm.pbf"
        raise DataError(msg)
    try:
        deleted = _deleted(source)
        elements = Elements(conditions, walk=walk, drive=drive)
        indexed = osmium.FileProcessor(str(source)).with_locations("flex_mem").with_filter(osmium.filter.KeyFilter(*_KEYS))
        _collect(elements, indexed, deleted)
        if elements.unlocated_negative or not elements.lonlat:  # osmium's index holds no negative ids, and hides places kept in ways
            located = _node_places(osmium.FileProcessor(str(source), osmium.osm.NODE), deleted)
            elements = Elements(conditions, walk=walk, drive=drive)
            _collect(elements, osmium.FileProcessor(str(source)), deleted, located)
    except (RuntimeError, ValueError, ArithmeticError, osmium.InvalidLocationError) as error:
        msg = f"{source}: is no readable OpenStreetMap file ({str(error).splitlines()[0] or type(error).__name__}); download it again"
        raise DataError(msg) from None
    elements.leave_out(sum(map(len, deleted.values())))
    n_ways = len(elements.streets) + len(elements.paths)
    if n_ways and not elements.lonlat:
        msg = f"{source}: holds none of the nodes of its {n_ways} streets and paths; write the extract with the nodes of its ways"
        raise DataError(msg)
    return elements


def _collect(elements: Elements, items: Iterable[Any], deleted: dict[str, set[int]], located: Places | None = None) -> None:
    """Hand each element that is not deleted to its collector."""
    for item in items:
        if item.is_node():
            if item.id not in deleted["node"] and item.tags:
                elements.node(item, dict(item.tags))
        elif item.is_way():
            if item.id not in deleted["way"]:
                elements.way(item, dict(item.tags), located)
        elif item.is_relation() and item.id not in deleted["relation"]:
            elements.relation(item, dict(item.tags))


def _node_places(items: Iterable[Any], deleted: dict[str, set[int]]) -> Places:
    """Degrees of all nodes of a file, by id."""
    return {item.id: (item.lon, item.lat) for item in items if item.location.valid() and item.id not in deleted["node"]}


def _deleted(source: Path) -> dict[str, set[int]]:
    """Ids of elements that the file of an editor marks as deleted, by type; osmium would read them as if they were not."""
    found: dict[str, set[int]] = {"node": set(), "way": set(), "relation": set()}
    if source.suffix == ".osm" and source.stat().st_size:
        with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            for kind, number in _marked(text):
                found[kind].add(number)
    return found


def _marked(text: mmap.mmap) -> Iterator[tuple[str, int]]:
    """Type and id of each element marked as deleted."""
    if text.find(b"delete") < 0:
        return
    for tag in _START_TAG.finditer(text):
        number = _NUMBER.search(tag[0])
        if number is not None and _DELETED.search(tag[0]):
            yield tag[1].decode(), int(number[1])
