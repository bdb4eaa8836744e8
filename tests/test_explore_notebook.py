"""The page in a notebook: the same page in a frame, or the line that reaches it."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from explore_town import town_run

import owlbus
from owlbus.common.errors import UsageError
from owlbus.pipeline import Request, best_plan, read_study
from owlbus.plan.limits import RouteLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from owlbus.explore.notebook_frame import ExplorePage

REMOTE = ("SSH_CONNECTION", "JUPYTERHUB_API_URL", "COLAB_RELEASE_TAG", "KUBERNETES_SERVICE_HOST", "BINDER_SERVICE_HOST", "CODESPACES")


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel on the machine of its user."""
    for name in REMOTE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ExplorePage]:
    made = owlbus.explore_run(town_run(tmp_path))
    yield made
    made.close()


def fetched(page: ExplorePage, path: str, host: str = "localhost", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", page.server.port, timeout=30)
    connection.request("GET", path, headers={"Host": f"{host}:{page.server.port}", **headers})
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read()
    connection.close()
    return found


@pytest.mark.usefixtures("at_home")
def test_a_notebook_shows_the_page_in_a_frame_of_its_own_site(page: ExplorePage) -> None:
    html = page._repr_html_()
    for host in ("localhost", "127.0.0.1"):
        path = re.search(rf'"http://{host}:{page.server.port}(/\?key=[^"]+)"', html)[1]  # type: ignore[index] - it is there
        status, headers, _ = fetched(page, path, host)
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"].partition(";")[0]
        status, headers, body = fetched(page, "/", host, Cookie=cookie)
        assert (status, b"<!doctype html>" in body.lower()) == (200, True)
        assert headers["Content-Security-Policy"].endswith("frame-ancestors " + " ".join(_origins()))
        assert fetched(page, path, host, Cookie=cookie)[0] == 303, "a notebook may draw its frame again"
        assert fetched(page, path, host)[0] == 403


def _origins() -> list[str]:
    from owlbus.explore import notebook_frame

    return list(notebook_frame._FRAMED_BY)


@pytest.mark.usefixtures("at_home")
def test_a_kernel_elsewhere_says_how_to_reach_it_and_shows_no_frame(page: ExplorePage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REMOTE:
        with monkeypatch.context() as context:
            context.setenv(name, "1")
            assert "<iframe" not in page._repr_html_()
    monkeypatch.setenv(REMOTE[0], "1")
    html, port = page._repr_html_(), page.server.port
    assert f"ssh -L {port}:127.0.0.1:{port} " in html
    assert f'href="http://127.0.0.1:{port}/?key=' in html


def test_no_key_stands_in_the_name_of_a_page(page: ExplorePage) -> None:
    assert repr(page) == f"ExplorePage('run' at http://127.0.0.1:{page.server.port}/)"


def test_a_run_is_open_once_and_free_again_after_close(page: ExplorePage) -> None:
    run = page.session.run.path
    with pytest.raises(UsageError, match="open in another explore"):
        owlbus.explore_run(run)
    watching = owlbus.explore_run(run, "ko", is_read_only=True)
    assert watching.session.state()["read_only"]
    watching.close()
    page.close()
    page.close()
    again = owlbus.explore_run(run)
    again.close()
    with pytest.raises(OSError, match="refused"):
        fetched(again, "/")


def test_quit_in_the_page_frees_the_run(page: ExplorePage) -> None:
    page.server.quit()
    page._watcher.join(20)
    assert not page._watcher.is_alive()
    owlbus.explore_run(page.session.run.path).close()


def test_a_search_opens_its_plan_with_the_figures_that_it_printed(tmp_path: Path) -> None:
    study = read_study(town_run(tmp_path))
    plan_run = best_plan(study, Request(2, RouteLimits(max_length_m=9_000, max_circuity=9.0), steps=400))
    page = plan_run.explore(tmp_path / "mine")
    state, card = page.session.state(), plan_run.best.card.to_dict()
    shown = {row["key"]: row["value"] for row in state["numbers"]}
    assert {kind: shown[kind] for kind in ("presence", "served", "direct")} == {
        kind: card[kind]["share"] for kind in ("presence", "served", "direct")
    }
    assert [row["name"] for row in state["routes"]] == list(plan_run.best.plan.names)
    assert page.session.run.limits.max_length_m == 9_000
    page.session.apply({"kind": "rename", "route": "r1", "name": "night"})
    page.close()
    kept = owlbus.explore_run(tmp_path / "mine")
    assert kept.session.plan.names[0] == "night"
    kept.close()
    unnamed = plan_run.explore()
    assert unnamed.session.run.path.name == "plan"
    assert unnamed.session.run.path.parent.stat().st_mode & 0o077 == 0
    unnamed.close()
