"""What the help beside the map keeps for one session: comments, the search that runs, and who chose the stops."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from owlbus.evidence.stop_names import StopNames
from owlbus.explore.comment_store import CommentStore
from owlbus.explore.edit_history import EXPLORE_DIR
from owlbus.explore.opened_run import PLAN_FILE
from owlbus.pipeline.decided import decided_by_run
from owlbus.plan.limits import RouteLimits
from owlbus.report.translations import read_translations

if TYPE_CHECKING:
    from owlbus.explore.edited_plan import EditedPlan
    from owlbus.explore.explore_session import ExploreSession
    from owlbus.explore.improve_live import RunningSearch
    from owlbus.plan import Plan
    from owlbus.timetable import Timetable

_DESKS: weakref.WeakKeyDictionary[ExploreSession, HelpDesk] = weakref.WeakKeyDictionary()
_MAKING = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class PlanInHand:
    """
    The plan of a session at one moment.

    Attributes
    ----------
    edited
        Its routes with their keys.
    plan
        The same as everything else takes it.
    version
        Number of the state.
    """

    edited: EditedPlan
    plan: Plan
    version: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Key of each route, in order."""
        return tuple(route.key for route in self.edited.routes)

    @property
    def locked(self) -> frozenset[int]:
        """Indices of the locked routes."""
        return frozenset(k for k, route in enumerate(self.edited.routes) if route.is_locked)


class HelpDesk:
    """
    Help of one session.

    Parameters
    ----------
    session
        The session; its lock guards the plan.
    """

    def __init__(self, session: ExploreSession) -> None:
        self._session = weakref.ref(session)
        self.lock = threading.RLock()
        self._comments: CommentStore | None = None
        self.search: RunningSearch | None = None
        self.searched_version, self.n_searches = 0, 0
        self._decided: dict[str, dict[str, Any]] = {}
        self.charts: dict[tuple[int, str], dict[str, Any]] = {}
        self.timetable: tuple[int, Timetable] | None = None
        settings = session.run.about["settings"].get("limits") or {}
        self.explain_limits = RouteLimits.of_routes(settings, session.run.headway_s)

    @classmethod
    def of(cls, session: ExploreSession) -> HelpDesk:
        """Return the help of a `session`, made when it is first asked for."""
        with _MAKING:
            desk = _DESKS.get(session)
            if desk is None:
                desk = _DESKS[session] = cls(session)
            return desk

    @property
    def comments(self) -> CommentStore:
        """Comments of the run, read when they are first asked for: a damaged file is told there, and stands in the way of nothing else."""
        session = self._session()
        assert session is not None  # noqa: S101 - whoever asks holds the session
        with self.lock:
            if self._comments is None:
                run = session.run
                self._comments = CommentStore.open(run.path / EXPLORE_DIR, run.study.network, run.plan)
            return self._comments

    def in_hand(self) -> PlanInHand:
        """Return the plan as it is edited now."""
        session = self._session()
        assert session is not None  # noqa: S101 - whoever asks holds the session
        with session.lock:
            return PlanInHand(session.plan, session.plan.to_plan(), session.version)

    def names(self, language: str) -> StopNames:
        """Return the names of stops in a `language`, ``en`` or ``ko``."""
        session = self._session()
        assert session is not None  # noqa: S101 - whoever asks holds the session
        return StopNames.of(session.run.study.known_places, language, read_translations(language).place)

    def decided(self, plan: Plan, language: str) -> dict[str, Any]:
        """
        Return who chose the stops of the plan in hand.

        Parameters
        ----------
        plan
            The plan in hand; once it is edited, a hand chose.
        language
            ``en`` or ``ko``.

        Returns
        -------
        dict
            As `owlbus.pipeline.decided.decided_by_run` gives it.
        """
        session = self._session()
        assert session is not None  # noqa: S101 - whoever asks holds the session
        if not plan.equals(session.run.plan):
            return {"by": "edit"}
        if language not in self._decided:
            self._decided[language] = decided_by_run(session.run.path / PLAN_FILE, language)
        return self._decided[language]
