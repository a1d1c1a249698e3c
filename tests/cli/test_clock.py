"""``abacito clock`` against a running emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.serving import serving

from abacito.abaco.errors import Misconfigured
from abacito.client import Abaco
from abacito.emulator import Emulator
from abacito.scenario.ask import Target
from abacito.scenario.play import play
from abacito.scenario.story import load
from abacito.settings import Settings


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process", tenants=["OTHER"])) as found:
        yield found


def clock(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "abacito", "clock", *arguments, "--target", target]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_running_emulators_clock_is_moved_and_told(emulator: Emulator) -> None:
    travelled = clock(emulator.url, "travel", "4h1m")
    assert travelled.returncode == 0, travelled.stderr
    assert "+14460 s from the machine's time" in travelled.stderr
    away = datetime.fromisoformat(travelled.stdout.strip()) - datetime.now(UTC)
    assert timedelta(hours=4) < away < timedelta(hours=4, minutes=2)

    assert clock(emulator.url, "freeze", "2030-01-01T09:00").stdout == "2030-01-01T09:00:00.000000Z\n"
    assert clock(emulator.url, "tick", "30s").stdout == "2030-01-01T09:00:30.000000Z\n"
    assert clock(emulator.url, "at", "2030-02-01").stdout == "2030-02-01T00:00:00.000000Z\n"
    assert "stands still" in clock(emulator.url, "show").stderr
    assert json.loads(clock(emulator.url, "show", "--json").stdout)["frozen"] is True
    assert json.loads(clock(emulator.url, "show", "--tenant", "OTHER", "--json").stdout)["offset_s"] == 0
    assert clock(emulator.url, "unfreeze").stdout.startswith("2030-02-01T00:00:0")
    assert json.loads(clock(emulator.url, "reset", "--json").stdout)["offset_s"] == 0


def test_backwards_needs_force_which_is_said(emulator: Emulator) -> None:
    refused = clock(emulator.url, "travel", "-1h")

    assert (refused.returncode, refused.stdout, "force" in refused.stderr) == (1, "", True)
    assert clock(emulator.url, "travel", "-1h", "--force").returncode == 0


def test_what_is_no_span_and_where_no_emulator_is_are_said_in_a_line(emulator: Emulator) -> None:
    wrong = clock(emulator.url, "travel", "5 years")
    nobody = clock("http://127.0.0.1:9", "show")

    assert (wrong.returncode, "no span of time" in wrong.stderr) == (1, True)
    assert (nobody.returncode, "no abacito answers" in nobody.stderr) == (3, True)
    assert "Traceback" not in wrong.stderr + nobody.stderr


@pytest.fixture
def live() -> Iterator[str]:
    """Something that is no emulator, as a live Abaco is none: it knows no path of ours."""

    class Unknown(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        do_POST = do_GET  # noqa: N815  http.server calls it so

    with serving(Unknown) as url:
        yield url


def test_a_live_abaco_has_neither_a_clock_nor_faults_which_is_said(live: str, tmp_path: Path) -> None:
    command = clock(live, "travel", "5h")
    assert (command.returncode, "is no abacito" in command.stderr) == (2, True)
    with pytest.raises(Misconfigured, match="is no abacito"):
        Abaco(live, "token").clock.travel(hours=5)
    with pytest.raises(Misconfigured, match="is no abacito"):
        Abaco(live, "token").faults.killed()
    story = tmp_path / "story.yaml"
    story.write_text("title: t\nsteps:\n  - travel: 5h\n")
    with pytest.raises(Misconfigured, match=r"story.yaml:3: step 1: 'travel' moves an emulator's clock"):
        play(load(story), Target(live, "token", case="camel"), lambda report: None)
