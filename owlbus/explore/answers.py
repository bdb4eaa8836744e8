"""Answers to comments: for each one the sheet that ``owlbus explain`` gives on the same plan, all on one page to print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from owlbus.common.disclosure import Publisher
from owlbus.evidence.route_profile import explain_routes
from owlbus.explore.comments import place_text, stop_of_comment
from owlbus.explore.help_words import help_text
from owlbus.explore.why_not import explain_place
from owlbus.plan import Plan
from owlbus.report.answer_map import MapContent, answer_map
from owlbus.report.answer_page import answer_sections
from owlbus.report.section_page import Section, privacy_text, section_page
from owlbus.report.translations import read_translations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from owlbus.evidence.stop_names import StopNames
    from owlbus.explore.comments import Comment
    from owlbus.explore.opened_run import OpenedRun
    from owlbus.explore.why_not import PlaceAnswer
    from owlbus.plan.limits import RouteLimits
    from owlbus.report.section_page import Picture
    from owlbus.report.translations import Translations

MOST_ANSWERS = 60
"""Comments on one page at most: each takes a map and a second or two."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerDesk:
    """
    What answers are made from.

    Attributes
    ----------
    run
        The opened run.
    plan
        The plan in hand.
    names
        Names of stops, in the language of the answers.
    limits
        What a change must keep, metres and seconds, as ``owlbus explain`` has them.
    decided
        Who chose the stops of the plan.
    """

    run: OpenedRun
    plan: Plan
    names: StopNames
    limits: RouteLimits
    decided: Mapping[str, Any]

    @property
    def words(self) -> Translations:
        """The reader's language."""
        return read_translations(self.names.language)

    def stop_name(self, stop: int) -> str:
        """Return the name of a `stop`, an index."""
        return self.names.name_of(self.run.study.network, stop)


def answers_page(desk: AnswerDesk, comments: Sequence[Comment]) -> str:
    """
    Page that answers comments.

    Who wrote a comment does not stand on it, since the page is made to be passed on; what they wrote does.

    Parameters
    ----------
    desk
        The plan, and what answers are made from.
    comments
        The comments, oldest first; of more than `MOST_ANSWERS` the page says how many it leaves out.

    Returns
    -------
    str
        HTML that makes no request; trips and people a night as they are printed.
    """
    words, language, run = desk.words, desk.names.language, desk.run
    sections = [section for comment in comments[:MOST_ANSWERS] for section in _answered(desk, comment)]
    notes = [words("answer.nights", n=run.study.demand.n_nights), privacy_text(run.study.publisher.base, words)]
    if len(comments) > MOST_ANSWERS:
        notes.insert(0, help_text(language, "answers.more", n=len(comments) - MOST_ANSWERS))
    if not comments:
        sections = [Section(words("answer.title"), help_text(language, "answers.none"))]
    sections.append(Section(words("answer.counts"), lines=tuple(notes)))
    title = help_text(language, "answers.title", plan=words.name(run.path.resolve().name))
    lede, kicker = help_text(language, "answers.lede", n=len(comments)), help_text(language, "answers.kicker")
    synthetic = words("synthetic.text") if run.study.is_synthetic else ""
    return section_page(title, lede, sections, words, kicker=kicker, synthetic=synthetic)


def _answered(desk: AnswerDesk, comment: Comment) -> list[Section]:
    """Return the sections of one comment: what it says, and what answers it."""
    network, language = desk.run.study.network, desk.names.language
    head = help_text(language, "answers.head", key=comment.key.removeprefix("c"), place=place_text(network, comment, language))
    said = Section(head, lines=tuple(line for line in comment.text.split("\n") if line.strip()))
    if comment.pin == "route":
        if comment.target not in desk.plan.names:
            return [said, Section(desk.words("answer.title"), help_text(language, "answers.gone", route=comment.target))]
        document = route_document(desk, str(comment.target))
        picture = _picture(desk, Plan((desk.plan.routes[desk.plan.names.index(str(comment.target))],), desk.plan.network_fingerprint))
        return [said, *answer_sections(document, desk.words, stop_name=desk.stop_name, picture=picture)[1]]
    stop = stop_of_comment(network, comment)
    assert stop is not None  # noqa: S101 - only comments on routes have none
    answer = stop_answer(desk, stop)
    assert answer.document is not None  # noqa: S101 - a stop always has an answer
    document = _head(desk, "why", answer.document)
    return [said, *answer_sections(document, desk.words, stop_name=desk.stop_name, picture=_stop_picture(desk, answer))[1]]


def stop_answer(desk: AnswerDesk, stop: int) -> PlaceAnswer:
    """
    Answer of ``owlbus explain PLAN why STOP``.

    Parameters
    ----------
    desk
        The plan, and what answers are made from.
    stop
        Stop index.

    Returns
    -------
    PlaceAnswer
        Sentences and figures, trips and people a night.
    """
    return explain_place(desk.run.evaluator, desk.plan, stop, desk.names, desk.limits, desk.decided)


def route_document(desk: AnswerDesk, name: str) -> dict[str, Any]:
    """
    Answer of ``owlbus explain PLAN route NAME``.

    Parameters
    ----------
    desk
        The plan, and what answers are made from.
    name
        Name of the route.

    Returns
    -------
    dict
        As ``answer.json`` holds it, trips and people a night as they are printed.
    """
    evaluator, row = desk.run.evaluator, desk.plan.names.index(name)
    rows = [one.to_dict(evaluator.min_count) for one in explain_routes(evaluator, desk.plan, desk.limits.headway_s)]
    return _head(desk, "route", {"routes": [rows[row]]})


def _head(desk: AnswerDesk, what: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer with what stands above it in ``answer.json``."""
    study = desk.run.study
    head = {"command": "explain", "what": what, "plan": desk.run.path.resolve().name, "is_synthetic": study.is_synthetic}
    return {**head, **Publisher(study.min_count).facts, **document}


def _stop_picture(desk: AnswerDesk, answer: PlaceAnswer) -> Picture:
    """Draw the plan with the stop in question, and the change that would serve it."""
    reason = answer.reason
    assert reason is not None  # noqa: S101 - a stop always has one
    marks = ((reason.stop, reason.name),)
    if reason.back is None:
        return _picture(desk, desk.plan, marks=marks)
    return _picture(desk, reason.back.plan, before=desk.plan, change=reason.back_difference, marks=marks)


def _picture(desk: AnswerDesk, shown: Plan, **more: Any) -> Picture:  # noqa: ANN401 - as `MapContent` has them
    """Draw the map of an answer."""
    study = desk.run.study
    return answer_map(replace(MapContent(study.network, shown, city=study.city, places=study.places), **more), desk.words)
