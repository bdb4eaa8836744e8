"""Sentences that answer a question about a plan, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import count_text
from owlbus.plan.check import ALL_ROUTES, newly_broken, newly_broken_limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.network import Network
    from owlbus.plan import BrokenLimit, Plan
    from owlbus.plan.limits import RouteLimits

_NAMED_STOPS = 4

_SENTENCES = {
    "en": {
        "drop": "route {route} dropped",
        "via": "by {stop}",
        "remove": "{stop} left out",
        "swap": "{by} in place of {stop}",
        "trips": "gains {gained} and loses {lost} trips a night",
        "add": "{stop} added",
        "more": "{stops} and {n} more",
        "points": ", {points} points of all trips",
        "interval": " (90 % interval {low} to {high} over {nights} nights)",
        "people": "people near a stop +{gained} -{lost}",
        "cost": "{km} km, {minutes} minutes of round trips, buses {buses}",
        "verdict": "{change} ({routes}) {trips}{points}; {people}; {cost}. {word}.",
        "none": "No difference that can be published",
        "same": "Changes no trip",
        "unsure": "Not sure: the interval over nights holds 0",
        "better": "Better",
        "worse": "Worse",
        "sure": "{word} and sure",
        "few": "{word}; too few nights to say how sure",
        "stop.here": "{name} has a stop of {routes}.",
        "stop.gone": "{name} has no stop in this plan. The nearest one is {nearest}, {metres} m away in a straight line.",
        "stop.nowhere": "{name} has no stop, since the plan has no routes.",
        "before.here": "Before, {routes} called there.",
        "before.gone": "It had no stop before either.",
        "by.search": "A search chose the stops: of the plans that it met it kept the one with the most {objective} within the limits of "
        "the run (seed {seed}). Nobody took this stop out by hand.",
        "by.command": "The plan was made by the command {command}, on this question or setting: {question}.",
        "by.hand": "The plan was given as a file: whoever drew it chose the stops, owlbus did not.",
        "by.edit": "The file of the plan was changed after the search that made it: someone edited it by hand.",
        "near": "Near it are {people} people a night whom no stop of the plan reaches, and {trips} trips a night begin or end there and "
        "are not served.",
        "near.people": "Near it are {people} people a night whom no stop of the plan reaches.",
        "whole": "The plan as a whole against the one before: trips served {trips}, people near a stop {people}, {km} km, buses {buses}.",
        "back": "To have it back: {verdict}",
        "back.broken": "That breaks a limit: {limit}.",
        "back.none": "No route can be led there without passing a stop twice.",
        "objective.served": "trips served",
        "objective.direct": "trips served without a transfer",
        "objective.presence": "people near a stop",
        "objective.travel_time": "travel time saved",
        "objective.mix": "of the mix {objective}",
    },
    "ko": {
        "drop": "노선 {route} 폐지",
        "via": "{stop} 경유",
        "remove": "{stop} 정류장 제외",
        "swap": "{stop} 대신 {by}",
        "trips": "하룻밤 통행 {gained}건 증가, {lost}건 감소",
        "add": "{stop} 추가",
        "more": "{stops} 외 {n}곳",
        "limit": "{who}: {what} {value}{between} ({bound} 허용, {excess} {side})",
        "limit.route": "노선 {name}",
        "limit.all": "모든 노선",
        "limit.above": "초과",
        "limit.below": "부족",
        "limit.between": "({stops} 사이)",
        "limit.max_length_m": "길이",
        "limit.min_length_m": "길이",
        "limit.max_ride_s": "승차 시간",
        "limit.max_circuity": "우회율",
        "limit.max_stops": "정류장 수",
        "limit.min_stops": "정류장 수",
        "limit.max_pair_circuity": "정류장 사이 우회율",
        "limit.max_spurs": "되돌아 나오는 정류장 수",
        "limit.max_total_length_m": "길이 합계",
        "limit.max_buses": "버스 대수",
        "points": ", 전체 통행의 {points}%p",
        "interval": " ({nights}일 밤 기준 90% 구간 {low} ~ {high})",
        "people": "정류장 도보권 인구 +{gained} -{lost}",
        "cost": "{km} km, 왕복 시간 {minutes}분, 버스 {buses}대",
        "verdict": "{change} ({routes}): {trips}{points}; {people}; {cost}. {word}.",
        "none": "공개할 수 있는 차이 없음",
        "same": "통행에 변화 없음",
        "unsure": "확실하지 않음: 날짜별 구간이 0을 포함",
        "better": "개선",
        "worse": "악화",
        "sure": "{word}, 통계적으로 확실",
        "few": "{word}, 날짜 수가 적어 확실성은 알 수 없음",
        "stop.here": "{name}에는 {routes} 노선의 정류장이 있습니다.",
        "stop.gone": "이 계획에서 {name}에는 정류장이 없습니다. 가장 가까운 정류장은 {nearest}이며 직선거리로 {metres} m입니다.",
        "stop.nowhere": "계획에 노선이 없어 {name}에는 정류장이 없습니다.",
        "before.here": "이전에는 {routes} 노선이 정차했습니다.",
        "before.gone": "이전에도 정류장이 없었습니다.",
        "by.search": "정류장은 탐색이 정했습니다. 제한을 지키는 계획 가운데 목표({objective})의 값이 가장 큰 것을 골랐습니다(시드 {seed}). "
        "이 정류장을 사람이 손으로 뺀 것은 아닙니다.",
        "by.command": "이 계획은 {command} 명령으로 만들었습니다. 질문 또는 설정: {question}.",
        "by.hand": "이 계획은 파일로 주어졌습니다. 정류장은 그 파일을 그린 사람이 정했으며 owlbus가 정하지 않았습니다.",
        "by.edit": "계획 파일이 탐색 뒤에 바뀌었습니다. 누군가 손으로 고쳤습니다.",
        "near": "이 근처에는 계획의 어떤 정류장도 닿지 않는 사람이 하룻밤 {people}명 있고, "
        "이곳에서 시작하거나 끝나는 통행 {trips}건이 처리되지 않습니다.",
        "near.people": "이 근처에는 계획의 어떤 정류장도 닿지 않는 사람이 하룻밤 {people}명 있습니다.",
        "whole": "이전 계획 대비 전체: 처리 통행 {trips}, 정류장 도보권 인구 {people}, {km} km, 버스 {buses}대.",
        "back": "되돌리려면: {verdict}",
        "back.broken": "다음 제한을 넘습니다: {limit}.",
        "back.none": "같은 정류장을 두 번 지나지 않고 그곳을 지나는 노선을 만들 수 없습니다.",
        "objective.served": "처리되는 통행",
        "objective.direct": "환승 없이 처리되는 통행",
        "objective.presence": "정류장 도보권 인구",
        "objective.travel_time": "절약되는 이동 시간",
        "objective.mix": "가중 목표 {objective}",
    },
}


def sentence(language: str, key: str, **values: object) -> str:
    """
    Sentence of a key in a language, with values filled in.

    Parameters
    ----------
    language
        ``en`` or ``ko``.
    key
        Its name.
    **values
        What stands in braces.

    Returns
    -------
    str
        Plain text.

    Examples
    --------
    >>> sentence("en", "remove", stop="Jamsil")
    'Jamsil left out'
    """
    return _SENTENCES[language][key].format(**values)


def step_sentence(out: Sequence[str], into: Sequence[str], language: str = "en") -> str:
    """
    What a step changes, by the first few of its stops.

    Parameters
    ----------
    out, into
        Names of the stops that the step takes out and puts in.
    language
        ``en`` or ``ko``.

    Returns
    -------
    str
        Plain text.

    Examples
    --------
    >>> step_sentence(["Mapo"], ["Jamsil", "Sadang"])
    'Jamsil, Sadang in place of Mapo'
    """
    names = []
    for stops in (out, into):
        shown, more = ", ".join(stops[:_NAMED_STOPS]), len(stops) - _NAMED_STOPS
        names.append(sentence(language, "more", stops=shown, n=more) if more > 0 else shown)
    if not into:
        return sentence(language, "remove", stop=names[0])
    return sentence(language, "swap", stop=names[0], by=names[1]) if out else sentence(language, "add", stop=names[1])


def limit_sentences(network: Network, before: Plan, after: Plan, limits: RouteLimits, language: str) -> tuple[str, ...]:
    """
    Limits that a change breaks, or breaks further.

    Parameters
    ----------
    network
        The plans' network.
    before, after
        The plans; routes are matched by name.
    limits
        What is to be kept, in metres and seconds.
    language
        ``en`` or ``ko``.

    Returns
    -------
    tuple of str
        One line a limit.
    """
    if language == "en":
        return newly_broken(network, before, after, limits)
    return tuple(_limit_sentence(network, broken, language) for broken in newly_broken_limits(network, before, after, limits))


def _limit_sentence(network: Network, broken: BrokenLimit, language: str) -> str:
    """By how much a limit is broken."""
    unit = f" {broken.unit}" if broken.unit else ""
    stops = ", ".join(network.stop_names[stop] or f"{stop}" for stop in broken.stops)
    return sentence(
        language,
        "limit",
        who=sentence(language, "limit.all") if broken.name == ALL_ROUTES else sentence(language, "limit.route", name=broken.name),
        what=sentence(language, f"limit.{broken.limit}"),
        between=sentence(language, "limit.between", stops=stops) if stops else "",
        side=sentence(language, "limit.above" if broken.is_above else "limit.below"),
        value=f"{broken.value:,.6g}{unit}",
        bound=f"{broken.bound:,.6g}{unit}",
        excess=f"{abs(broken.value - broken.bound):,.6g}{unit}",
    )


def verdict_sentence(shown: Mapping[str, Any], change: str, routes: str, n_nights: int, language: str = "en") -> str:
    """
    One line on a change: what it gains and loses, what it costs, and how sure it is.

    Parameters
    ----------
    shown
        The difference as `printed_difference` prints it.
    change, routes
        The change and the routes that it changes, in words.
    n_nights
        Nights of the demand.
    language
        ``en`` or ``ko``.

    Returns
    -------
    str
        A sentence.
    """
    whole, base, cost = shown["whole"], shown["min_count"], shown["cost"]
    gained, lost, near, away = (
        count_text(whole[name], base) for name in ("gained_trips", "lost_trips", "gained_presence", "lost_presence")
    )
    return sentence(
        language,
        "verdict",
        change=change,
        routes=routes,
        trips=sentence(language, "trips", gained=gained, lost=lost),
        points=_points(shown, n_nights, language),
        people=sentence(language, "people", gained=near, lost=away),
        cost=sentence(language, "cost", **cost_texts(cost)),
        word=_judgement(shown, language),
    )


def cost_texts(cost: Mapping[str, Any]) -> dict[str, str]:
    """
    What a change costs, as text with signs.

    Parameters
    ----------
    cost
        Metres, minutes and buses, as `printed_difference` gives them.

    Returns
    -------
    dict
        ``km``, ``minutes`` and ``buses``.
    """
    return {
        "km": f"{cost['length_m'] / 1000:+.1f}",
        "minutes": f"{cost['cycle_min']:+.0f}",
        "buses": f"{cost['buses']:+d}",
    }


def _points(shown: Mapping[str, Any], n_nights: int, language: str) -> str:
    """Return the change of the served share in points with its interval, or nothing."""
    share, interval = shown["served_share_change"], shown["served_share_interval"]
    if share is None:
        return ""
    text = sentence(language, "points", points=f"{100 * share:+.2f}")
    if interval is None:
        return text
    low, high = (f"{100 * end:+.2f}" for end in interval)
    return text + sentence(language, "interval", low=low, high=high, nights=n_nights)


def _judgement(shown: Mapping[str, Any], language: str) -> str:
    """Whether printed figures make a change better or worse, and how sure that is."""
    net = shown["whole"]["net_trips"]
    if net is None:
        return sentence(language, "none")
    if net == 0:
        return sentence(language, "same")
    if shown["served_share_interval"] is not None and not shown["is_sure"]:
        return sentence(language, "unsure")
    word = sentence(language, "better" if net > 0 else "worse")
    return sentence(language, "sure" if shown["is_sure"] else "few", word=word)
