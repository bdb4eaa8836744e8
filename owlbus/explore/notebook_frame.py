"""The page in a notebook: a frame below the cell, or the line that reaches it where the kernel runs elsewhere."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from owlbus.common.palette import EDGE
from owlbus.evidence import PlanEvaluator
from owlbus.explore.explore_session import ExploreSession
from owlbus.explore.help_words import help_text
from owlbus.explore.loopback import ExploreServer
from owlbus.explore.opened_run import open_run
from owlbus.explore.run_lock import locked_run
from owlbus.pipeline.outputs import write_scored
from owlbus.pipeline.request import settings_of
from owlbus.pipeline.rundir import RunRecord, open_run_dir
from owlbus.pipeline.study import write_study
from owlbus.sample import SAMPLE_CITIES

if TYPE_CHECKING:
    from os import PathLike

    from owlbus.explore.opened_run import OpenedRun
    from owlbus.pipeline import PlanRun

_FRAMED_BY = ("http://localhost:*", "http://127.0.0.1:*", "https://localhost:*", "https://127.0.0.1:*", "vscode-webview:")
"""Pages that may show the editor in a frame: notebooks of this machine, at any port."""

_HEIGHT_PX = 780
_REMOTE = ("SSH_CONNECTION", "JUPYTERHUB_API_URL", "COLAB_RELEASE_TAG", "KUBERNETES_SERVICE_HOST", "BINDER_SERVICE_HOST", "CODESPACES")
"""What the environment of a kernel holds that runs on another machine than the browser."""


class ExplorePage:
    """
    The page of one run, served by this process; a notebook shows it below the cell.

    It ends with `close`, with *Quit* in the page, after 30 minutes without a window, or with the kernel.

    Parameters
    ----------
    run
        The opened run.
    language
        ``en`` or ``ko``.
    is_read_only
        Whether every change is refused; then the run is neither locked nor written.
    port
        Index of the port of this machine; 0 takes a free one.
    """

    def __init__(self, run: OpenedRun, language: str = "en", *, is_read_only: bool = False, port: int = 0) -> None:
        with ExitStack() as stack:
            lock = None if is_read_only else stack.enter_context(locked_run(run.path))
            self.session = ExploreSession(run, language, is_read_only=is_read_only)
            self.server = ExploreServer(self.session, port, framed_by=_FRAMED_BY)
            stack.callback(self.server.close)
            if lock is not None:
                lock.tell(self.server.address)
            self._ending, self._closed = stack.pop_all(), threading.Lock()
        self._watcher = threading.Thread(target=self._wait, daemon=True, name="owlbus-explore")
        self._watcher.start()

    def __repr__(self) -> str:
        """Address of the page, without a key."""
        return f"ExplorePage({self.session.run.path.name!r} at {self.server.address})"

    def _repr_html_(self) -> str:
        """Return the page in a frame, and how to reach it where the kernel runs on another machine."""
        port, host, language = self.server.port, socket.gethostname(), self.session.language
        remote, link = help_text(language, "notebook.remote", port=port, host=host), help_text(language, "notebook.link")
        anchor = f'<a href="{self.link()}" target="_blank" rel="noreferrer">{escape(link)}</a>'
        line = f'<p style="margin:4px 0">{escape(remote)}<br>{anchor}</p>'
        return line if is_remote() else self._frame() + line

    def _frame(self) -> str:
        """
        Return the frame.

        A browser keeps the page's cookie in a frame of its own site alone, and takes localhost and 127.0.0.1 for two: the frame goes by the
        name that the notebook goes by.
        """
        mark, port = f"owlbus-{secrets.token_hex(6)}", self.server.port
        sources = [f"http://{host}:{port}/?key={self.server.access.new_key()}" for host in ("localhost", "127.0.0.1")]
        style = f"width:100%;height:{_HEIGHT_PX}px;border:1px solid {EDGE}"
        chosen = f'location.hostname === "127.0.0.1" ? "{sources[1]}" : "{sources[0]}"'
        script = f'document.getElementById("{mark}").src = {chosen};'
        title = escape(help_text(self.session.language, "notebook.title"))
        return f'<iframe id="{mark}" title="{title}" style="{style}"></iframe><script>{script}</script>'

    def link(self) -> str:
        """Return an address that opens the page once, in a browser of this machine."""
        return self.server.link()

    def close(self) -> None:
        """End the page: windows are told, the history is closed, and the run is free for another one."""
        with self._closed:
            ending, self._ending = self._ending, ExitStack()
            ending.close()

    def _wait(self) -> None:
        """Close the page once it was quit, or nobody was there for long."""
        with suppress(KeyboardInterrupt):
            self.server.wait()
        self.close()


def explore_run(path: str | PathLike[str], language: str = "en", *, is_read_only: bool = False, port: int = 0) -> ExplorePage:
    """
    Open the plan of a run directory for editing, in a notebook or in a browser of this machine.

    Parameters
    ----------
    path
        Run directory of ``owlbus plan``, ``demo``, ``score`` or another command that writes one plan.
    language
        ``en`` or ``ko``.
    is_read_only
        Whether every change is refused; then the run is neither locked nor written.
    port
        Index of the port of this machine; 0 takes a free one.

    Returns
    -------
    ExplorePage
        A notebook shows it as a frame; elsewhere `ExplorePage.link` gives its address.

    Raises
    ------
    DataError
        If the run is damaged or holds no plan.
    UsageError
        If the run is open in another `explore`, or the port cannot be used.
    """
    return ExplorePage(open_run(path), language, is_read_only=is_read_only, port=port)


def explore_plan_run(
    plan_run: PlanRun, out: str | PathLike[str] | None = None, language: str = "en", *, is_read_only: bool = False, port: int = 0
) -> ExplorePage:
    """
    Open the plan of a search for editing.

    Parameters
    ----------
    plan_run
        Study, request and best plan.
    out
        Run directory to write study and plan to, which edits and comments are kept in; a new folder for temporary files by default.
    language
        ``en`` or ``ko``.
    is_read_only
        Whether every change is refused.
    port
        Index of the port of this machine; 0 takes a free one.

    Returns
    -------
    ExplorePage
        A notebook shows it as a frame.
    """
    folder = Path(tempfile.mkdtemp(prefix="owlbus-explore-")) / "plan" if out is None else Path(out)
    study, best = plan_run.study, plan_run.best
    city = study.city.name.lower() if study.city is not None and study.city.name.lower() in SAMPLE_CITIES else None
    settings: dict[str, Any] = {**settings_of(plan_run.request), "city": city, "is_synthetic": study.is_synthetic}
    shares: dict[str, Any] = {"objective_share": plan_run.objective_share, "bound_share": plan_run.bound_share}
    more: dict[str, Any] = {"notes": study.notes, "min_count": study.min_count, "unseen_by_bound": plan_run.unseen_by_bound}
    record = RunRecord("plan", settings, plan_run.request.seed, study.inputs, plan_run.ended_by, plan_run.timings_s, **shares, **more)
    with open_run_dir(folder) as made:
        write_study(made, study)
        write_scored(made, study, best)
        made.publish(record)
    run = open_run(folder)
    rule = run.evaluator.problem.rule
    evaluator = PlanEvaluator.build(study.network, study.demand, rule, study.districts, study.min_count)
    opened = replace(run, study=study, evaluator=evaluator)
    return ExplorePage(opened, language, is_read_only=is_read_only, port=port)


def is_remote() -> bool:
    """
    Return whether this process seems to run on another machine than the browser of its user.

    Returns
    -------
    bool
        True for a session over SSH, and on the hosts of notebooks that are known; what cannot be told reads False.
    """
    return any(os.environ.get(name) for name in _REMOTE)
