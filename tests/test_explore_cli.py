"""The command `owlbus explore`: what it prints, how it ends, and what it refuses."""

from __future__ import annotations

import json
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from explore_town import Browser, town_run

from owlbus.cli.app import run as run_command
from owlbus.explore import loopback
from owlbus.explore.loopback import ExploreServer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town_run(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[ExploreServer]:
    """Servers that commands start; each is quit from another thread once it is there."""
    started: list[ExploreServer] = []
    begin = ExploreServer.__init__

    def noted(self: ExploreServer, *args: Any, **more: Any) -> None:  # noqa: ANN401 - as the server's own
        begin(self, *args, **more)
        started.append(self)
        threading.Timer(0.2, lambda: Browser(self).post("/api/quit", {})).start()

    monkeypatch.setattr(loopback.ExploreServer, "__init__", noted)
    monkeypatch.setattr(webbrowser, "open", lambda link: pytest.fail(f"a browser was opened at {link}"))
    return started


def test_the_command_prints_one_link_and_says_how_to_go_on(run, capsys, servers):
    assert run_command(["explore", str(run), "--no-browser"]) == 0
    out, err = capsys.readouterr()
    link = urlsplit(out.strip())
    assert (link.hostname, link.path, len(servers)) == ("127.0.0.1", "/", 1)
    said = " ".join(err.split())
    assert "Ended by Quit in the page. The edits are kept;" in said
    assert f"owlbus explore {run} goes on with them." in said
    assert not (run / "explore.lock").exists()


def test_json_names_the_link_and_the_language_is_the_pages(run, capsys, servers):
    assert run_command(["explore", str(run), "--no-browser", "--read-only", "--lang", "ko", "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["read_only"], document["run"]) == ("explore", True, str(run))
    assert document["link"].startswith(f"http://127.0.0.1:{servers[0].port}/?key=")
    assert servers[0].session.language == "ko"


@pytest.mark.usefixtures("servers")
def test_the_browser_is_opened_by_default(run, monkeypatch):
    links: list[str] = []
    monkeypatch.setattr(webbrowser, "open", links.append)
    monkeypatch.setenv("DISPLAY", ":0")
    assert run_command(["explore", str(run), "-q"]) == 0
    assert len(links) == 1
    assert "?key=" in links[0]
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert run_command(["explore", str(run), "-q"]) == 0
    assert len(links) == 1, "a browser of text would take the terminal"


@pytest.mark.usefixtures("servers")
def test_on_another_machine_the_way_to_the_page_is_said(run, capsys, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    assert run_command(["explore", str(run), "--no-browser"]) == 0
    out, err = capsys.readouterr()
    port = urlsplit(out.strip()).port
    assert f"ssh -N -L {port}:127.0.0.1:{port} " in " ".join(err.split())


def test_idle_and_interrupted_servers_end_in_order(run, capsys, monkeypatch):
    monkeypatch.setattr(ExploreServer, "wait", lambda _: "idle")
    assert run_command(["explore", str(run), "--no-browser"]) == 0
    assert "Ended after 30 minutes without a window." in " ".join(capsys.readouterr().err.split())

    def interrupted(_: ExploreServer) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(ExploreServer, "wait", interrupted)
    assert run_command(["explore", str(run), "--no-browser"]) == 0
    assert "Ended by Ctrl-C or another signal." in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--port", "70000"], 2, "--port must lie in [0, 65535], got 70000"),
        (["--lang", "fr"], 2, "--lang must be one of en, ko, got 'fr'"),
    ],
)
def test_options_out_of_range_are_refused(run, capsys, words, code, said):
    assert run_command(["explore", str(run), "--no-browser", *words]) == code
    assert said in capsys.readouterr().err


def test_a_port_in_use_and_a_folder_without_a_run_are_refused_in_one_line(run, capsys, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run_command(["explore", str(run), "--no-browser", "--port", str(port)]) == 2
    assert f"--port must be a free port of this machine, got {port}" in capsys.readouterr().err
    assert run_command(["explore", str(tmp_path), "--no-browser"]) == 3
    assert list(tmp_path.iterdir()) == [], "nothing is left in a folder that is no run"
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "a run directory must hold run.json" in err
