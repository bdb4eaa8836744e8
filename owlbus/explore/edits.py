"""Edits of a plan by hand, each from one plan to the next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from owlbus.explore.edit_form import MOST_ROUTES, MOST_STOPS
from owlbus.explore.explore_words import EditError, NamedStop
from owlbus.explore.straighten import straightest
from owlbus.explore.ways import bridged, fastest_way, is_linked, without_loops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from owlbus.explore.edited_plan import EditedPlan, EditedRoute
    from owlbus.network import Network

_FEWEST = 2
"""Stops of a route at least."""

_OF_STOPS = {"move_stop", "insert_stop", "delete_stop", "extend", "cut", "split", "join"}
"""Kinds that change which stops a route calls at: none of them fits a route whose way back is its own."""

_PASSED_BY = {True: 3, False: 1}
"""Neighbours on each side that a moved and an inserted stop may let the route pass by."""

_ON_LOCKED = {"lock", "recolour", "duplicate"}
"""Kinds that leave the course of a route as it is, and so fit a locked one."""


@dataclass(frozen=True, slots=True)
class EditNote:
    """
    What an edit did, to be said in any language.

    Attributes
    ----------
    key
        Of the sentence.
    values
        What stands in its braces as it is, such as names of routes.
    stops
        Stop indices by the braces that their names stand in.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    stops: Mapping[str, int] = field(default_factory=dict)


def apply_edit(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    """
    Apply an edit to a plan.

    A stop that is moved, inserted or left out is joined in by the fastest drives around the other stops of the route; what the route would
    drive twice is cut out, and where it would double back, up to three neighbours of a moved stop on each side, or one of an inserted stop,
    are passed by. A stop may stand twice only in a route that already had it twice.

    Parameters
    ----------
    network
        The network of the plan.
    plan
        The plan; it stays as it is.
    edit
        As `owlbus.explore.edit_form.checked_edit` returns it.

    Returns
    -------
    EditedPlan, EditNote
        The plan after it, and what it did.

    Raises
    ------
    EditError
        If the edit does not fit the plan, with the reason in words.
    """
    kind = edit["kind"]
    for key in ("route", "other"):
        if key in edit:
            _require_free(plan.require(edit[key]), kind)
    stops = [*edit.get("stops", ()), *edit.get("way", ()), *([edit["stop"]] if "stop" in edit else [])]
    if any(stop >= network.n_stops for stop in stops):
        raise EditError(key="refused.stop", stop=max(stops), n=network.n_stops)
    after, note = _EDITS[kind](network, plan, edit)
    if len(after.routes) > MOST_ROUTES or any(len(route.stops) > MOST_STOPS for route in after.routes):
        raise EditError(key="refused.size", routes=MOST_ROUTES, stops=MOST_STOPS)
    return after, note


def _require_free(route: EditedRoute, kind: str) -> None:
    """Refuse a route that is locked, or whose way back is its own where its stops would change."""
    if route.is_locked and kind not in _ON_LOCKED:
        raise EditError(key="refused.locked", route=route.name)
    if route.back is not None and kind in _OF_STOPS:
        raise EditError(key="refused.back", route=route.name)


def _position(route: EditedRoute, position: int) -> int:
    """Refuse a position that the route does not have."""
    if position >= len(route.stops):
        raise EditError(key="refused.position", route=route.name, n=len(route.stops) - 1)
    return position


def _with_stops(plan: EditedPlan, route: EditedRoute, stops: Sequence[int]) -> EditedPlan:
    """Return the plan with other stops on a route."""
    return plan.changed(route.key, replace(route, stops=tuple(stops), back=None))


def _joined(
    network: Network, route: EditedRoute, before: Sequence[int], stop: int, after: Sequence[int], around: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """Return the stops of a route that calls at a stop between two of its parts, and not at some stops where there is another way."""
    if stop in (*before, *after):
        raise EditError(key="refused.twice", route=route.name, stop=NamedStop(network, stop))
    if len(set(route.stops)) == len(route.stops):
        stops = straightest(network, route.stops, before, stop, after, around, _PASSED_BY[bool(around)])
    else:  # given so: the parts stay as they are, and only the drives to the stop are new
        ways = [fastest_way(network, before[-1], stop) if before else (stop,), fastest_way(network, stop, after[0]) if after else (stop,)]
        stops = (*before[:-1], *ways[0][:-1], stop, *ways[1][1:], *after[1:]) if all(ways) else ()
    if not stops:
        raise EditError(key="refused.way", route=route.name, stop=NamedStop(network, stop))
    return stops


def _move_stop(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    route = plan.require(edit["route"])
    place, stop = _position(route, edit["position"]), edit["stop"]
    before, after, old = route.stops[:place], route.stops[place + 1 :], route.stops[place]
    if stop == old:
        raise EditError(key="refused.same", route=route.name, stop=NamedStop(network, stop))
    note = EditNote("edit.move_stop", {"route": route.name}, {"stop": old, "by": stop})
    if stop in (*before[-1:], *after[:1]):  # dropped on the stop beside it: both become one
        stops: Sequence[int] = (*before, *after) if not (before and after) else _left_out(network, route, place)
        return _with_stops(plan, route, _enough(route, stops)), EditNote("edit.delete_stop", {"route": route.name}, {"stop": old})
    return _with_stops(plan, route, _joined(network, route, before, stop, after, (old,))), note


def _insert_stop(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    route = plan.require(edit["route"])
    place = _position(route, edit["position"]) + 1
    stops = _joined(network, route, route.stops[:place], edit["stop"], route.stops[place:])
    return _with_stops(plan, route, stops), EditNote("edit.insert_stop", {"route": route.name}, {"stop": edit["stop"]})


def _delete_stop(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    route = plan.require(edit["route"])
    place = _position(route, edit["position"])
    stops = _enough(route, _left_out(network, route, place))
    return _with_stops(plan, route, stops), EditNote("edit.delete_stop", {"route": route.name}, {"stop": route.stops[place]})


def _left_out(network: Network, route: EditedRoute, place: int) -> tuple[int, ...]:
    """Return the stops of a route without one of them, its neighbours joined around it."""
    before, after, stop = route.stops[:place], route.stops[place + 1 :], route.stops[place]
    if not before or not after:
        return (*before, *after)
    if len(set(route.stops)) == len(route.stops):
        stops = bridged(network, before, after, {stop})
    else:
        way = fastest_way(network, before[-1], after[0], {stop}) if before[-1] != after[0] else (after[0],)
        stops = (*before[:-1], *way, *after[1:]) if way else ()
    if not stops:
        raise EditError(key="refused.around", route=route.name, stop=NamedStop(network, stop))
    return stops


def _enough(route: EditedRoute, stops: Sequence[int]) -> Sequence[int]:
    """Refuse a route of fewer than two stops."""
    if len(stops) < _FEWEST:
        raise EditError(key="refused.short", route=route.name)
    return stops


def _extend(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    route, stop = plan.require(edit["route"]), edit["stop"]
    if stop in route.stops:
        raise EditError(key="refused.twice", route=route.name, stop=NamedStop(network, stop))
    is_last = edit["end"] == "last"
    others = route.stops[:-1] if is_last else route.stops[1:]
    start, end = (route.stops[-1], stop) if is_last else (stop, route.stops[0])
    way = fastest_way(network, start, end, others)
    if not way:
        raise EditError(key="refused.way", route=route.name, stop=NamedStop(network, stop))
    stops = (*route.stops, *way[1:]) if is_last else (*way[:-1], *route.stops)
    return _with_stops(plan, route, stops), EditNote("edit.extend", {"route": route.name}, {"stop": stop})


def _cut(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    place = _position(route, edit["position"])
    stops = route.stops[: place + 1] if edit["end"] == "last" else route.stops[place:]
    if len(stops) == len(route.stops):
        raise EditError(key="refused.end", route=route.name)
    return _with_stops(plan, route, _enough(route, stops)), EditNote("edit.cut", {"route": route.name}, {"stop": route.stops[place]})


def _new_route(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    name = _free(plan, edit["name"]) if "name" in edit else plan.free_name()
    stops = edit.get("way")
    if stops is not None:
        _require_course(network, name, stops)
    else:
        stops = tuple(edit["stops"][:1])
        for stop in edit["stops"][1:]:
            if stop == stops[-1]:
                continue
            way = () if stop in stops else fastest_way(network, stops[-1], stop, stops[:-1])
            if not way:
                raise EditError(key="refused.twice" if stop in stops else "refused.way", route=name, stop=NamedStop(network, stop))
            stops = (*stops, *way[1:])
    if len(stops) < _FEWEST:
        raise EditError(key="refused.short", route=name)
    return plan.added(stops, name), EditNote("edit.new_route", {"route": name}, {"first": stops[0], "last": stops[-1]})


def _require_course(network: Network, name: str, stops: Sequence[int], allowed: int = 1) -> None:
    """Refuse stops that are not linked one to the next, or of which one stands more often than allowed."""
    for start, end in pairwise(stops):
        if max(start, end) >= network.n_stops:
            raise EditError(key="refused.stop", stop=max(start, end), n=network.n_stops)
        if not is_linked(network, start, end):
            raise EditError(key="refused.link", route=name, start=NamedStop(network, start), end=NamedStop(network, end))
    stop, count = Counter(stops).most_common(1)[0]
    if count > allowed:
        raise EditError(key="refused.twice", route=name, stop=NamedStop(network, stop))


def _free(plan: EditedPlan, name: str, own: str | None = None) -> str:
    """Refuse a name that another route has."""
    if name != own and name in plan.names:
        raise EditError(key="refused.name", name=name)
    return name


def _drop(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    return plan.changed(route.key), EditNote("edit.drop", {"route": route.name})


def _duplicate(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    name = plan.free_name(route.name)
    return plan.added(route.stops, name, route.back, route.key), EditNote("edit.duplicate", {"route": route.name, "copy": name})


def _rename(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    name = _free(plan, edit["name"], route.name)
    return plan.changed(route.key, replace(route, name=name)), EditNote("edit.rename", {"route": route.name, "name": name})


def _recolour(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    return plan.changed(route.key, replace(route, colour=edit["colour"])), EditNote("edit.recolour", {"route": route.name})


def _lock(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    key = "edit.lock" if edit["locked"] else "edit.unlock"
    return plan.changed(route.key, replace(route, is_locked=edit["locked"])), EditNote(key, {"route": route.name})


def _reverse(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    if route.back is not None and not route.back:
        raise EditError(key="refused.back", route=route.name)
    turned = replace(route, stops=route.stops[::-1]) if route.back is None else replace(route, stops=route.back, back=route.stops)
    return plan.changed(route.key, turned), EditNote("edit.reverse", {"route": route.name})


def _split(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    del network
    route = plan.require(edit["route"])
    place = _position(route, edit["position"])
    if not 0 < place < len(route.stops) - 1:
        raise EditError(key="refused.end", route=route.name)
    name = plan.free_name(route.name)
    first = plan.changed(route.key, replace(route, stops=route.stops[: place + 1]))
    note = EditNote("edit.split", {"route": route.name, "other": name}, {"stop": route.stops[place]})
    return first.added(route.stops[place:], name, None, route.key), note


def _join(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    route, other, stop = plan.require(edit["route"]), plan.require(edit["other"]), edit["stop"]
    if route.key == other.key:
        raise EditError(key="refused.itself", route=route.name)
    for one in (route, other):
        if stop not in (one.stops[0], one.stops[-1]):
            raise EditError(key="refused.terminal", route=one.name, stop=NamedStop(network, stop))
    head = route.stops if route.stops[-1] == stop else route.stops[::-1]
    tail = other.stops if other.stops[0] == stop else other.stops[::-1]
    stops = (*head, *tail[1:])
    if len(without_loops(stops)) < len(stops) and len(set(head)) == len(head) and len(set(tail)) == len(tail):
        both = next(one for one in tail[1:] if one in set(head))
        raise EditError(key="refused.both", route=route.name, other=other.name, stop=NamedStop(network, both))
    after = _with_stops(plan, route, stops).changed(other.key)
    return after, EditNote("edit.join", {"route": route.name, "other": other.name}, {"stop": stop})


def _set_stops(network: Network, plan: EditedPlan, edit: Mapping[str, Any]) -> tuple[EditedPlan, EditNote]:
    after = plan
    for key, stops in edit["changes"].items():
        route = plan.require(key)
        if route.is_locked:
            raise EditError(key="refused.locked", route=route.name)
        if stops is None:
            after = after.changed(key)
            continue
        _require_course(network, route.name, stops, max(Counter(route.stops).values()))
        after = _with_stops(after, route, stops)
    return after, EditNote("edit.set_stops", {"label": edit["label"]})


_EDITS: dict[str, Callable[[Network, EditedPlan, Mapping[str, Any]], tuple[EditedPlan, EditNote]]] = {
    "move_stop": _move_stop,
    "insert_stop": _insert_stop,
    "delete_stop": _delete_stop,
    "extend": _extend,
    "cut": _cut,
    "new_route": _new_route,
    "drop": _drop,
    "duplicate": _duplicate,
    "rename": _rename,
    "recolour": _recolour,
    "lock": _lock,
    "reverse": _reverse,
    "split": _split,
    "join": _join,
    "set_stops": _set_stops,
}
