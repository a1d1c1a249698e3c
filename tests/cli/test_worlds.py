"""What an emulator begins with and leaves behind, by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from abacito.abaco.time import real_monotonic
from abacito.client import Abaco
from abacito.emulator import Emulator
from abacito.settings import Settings

ABACITO = [sys.executable, "-m", "abacito"]
SEED = """
title: A world
actors:
  echo: echo
steps:
  - post: /actors/v2/{echo}/messages
    form: {message: seeded}
    wait: {status: COMPLETE}
"""


def abacito(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ABACITO, *arguments], capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def serving(folder: Path, *arguments: str | Path) -> Iterator[tuple[Abaco, dict[str, Any]]]:
    """A server with these options, until SIGTERM."""
    ready = folder / "ready.json"
    command = [*ABACITO, "serve", "--port", "0", "--runner", "process", "--ready-file", ready, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = real_monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert real_monotonic() < deadline
        os.sched_yield()
    facts = json.loads(ready.read_text())
    abaco = Abaco(facts["url"], facts["token"])
    try:
        yield abaco, facts
    finally:
        abaco.close()
        process.send_signal(signal.SIGTERM)
        facts["stderr"] = process.communicate(timeout=30)[1]
        facts["code"] = process.returncode


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


def test_a_server_begins_with_a_story_goes_back_to_it_and_leaves_a_file_for_another(tmp_path: Path) -> None:
    story, file = tmp_path / "seed.yaml", tmp_path / "left.abacito"
    story.write_text(SEED)

    with serving(tmp_path, "--seed", story, "--export-on-exit", file) as (abaco, facts):
        (actor,) = abaco.actors
        (execution,) = actor.executions
        assert execution.logs == "seeded\n"
        abaco.register("echo").wait(within_s=60)
        assert abacito("reset", "--target", facts["url"]).returncode == 0
        assert [each.id for each in abaco.actors] == [actor.id]
        assert actor.send("more").wait().logs == "more\n"
    assert (facts["code"], f"{file} has all that there was" in facts["stderr"]) == (143, True)

    with serving(tmp_path, "--import", file) as (abaco, facts):
        (found,) = abaco.actors
        assert (found.id, [each.logs for each in found.executions]) == (actor.id, ["seeded\n", "more\n"])
        assert found.send("again").wait().logs == "again\n"
        abacito("reset", "--empty", "--target", facts["url"])
        assert abaco.actors == []
    assert facts["code"] == 143


def test_a_command_runs_beside_what_was_seeded(tmp_path: Path) -> None:
    story = tmp_path / "seed.yaml"
    story.write_text(SEED)
    code = "import os, requests\nhead = {'Authorization': 'Bearer ' + os.environ['TOKEN']}\n"
    code += "print(len(requests.get(os.environ['BASE'] + '/actors/v2', headers=head).json()['result']))"

    done = abacito("exec", "--runner", "process", "--seed", story, "--", sys.executable, "-c", code)

    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_running_emulator_is_saved_and_loaded(emulator: Emulator, tmp_path: Path) -> None:
    file, client = tmp_path / "world.abacito", emulator.client()
    actor = client.register(print)
    actor.wait()

    saved = abacito("snapshot", "save", file, "--target", emulator.url)
    assert (saved.returncode, saved.stdout) == (0, f"{file}\n"), saved.stderr
    actor.delete()
    loaded = abacito("snapshot", "load", file, "--json", "--target", emulator.url)

    assert (loaded.returncode, json.loads(loaded.stdout)) == (0, {"paused": False}), loaded.stderr
    assert [each.id for each in client.actors] == [actor.id]
    client.close()


def test_a_running_emulator_is_paused_and_resumed(emulator: Emulator, tmp_path: Path) -> None:
    client = emulator.client()
    actor = client.register(print)
    actor.wait()

    paused = abacito("pause", "--target", emulator.url)
    assert (paused.returncode, paused.stderr) == (0, "messages wait until abacito resume\n")
    execution = actor.send("x")
    assert (execution.status, emulator.is_paused) == ("SUBMITTED", True)
    resumed = abacito("resume", "--target", emulator.url)

    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert execution.wait().status == "COMPLETE"
    client.close()


def test_what_cannot_be_had_is_said_in_a_line_and_by_the_exit_code(emulator: Emulator, tmp_path: Path) -> None:
    bad, failing = tmp_path / "bad", tmp_path / "failing.yaml"
    bad.write_text("text")
    failing.write_text("title: Fails\nsteps:\n  - get: /actors/v2\n    expect: {status_code: 418}\n")
    server = ["serve", "--port", "0", "--runner", "process"]
    none, target = "it is no snapshot: abacito snapshot save writes one", ["--target", emulator.url]
    cases: list[tuple[list[str | Path], int, str]] = [
        ([*server, "--import", bad], 2, f"--import {bad}: {none}"),
        ([*server, "--import", tmp_path / "no"], 2, "no cannot be read: No such file or directory"),
        ([*server, "--seed", tmp_path / "no"], 2, "'--seed'"),
        ([*server, "--ready-file", tmp_path / "no" / "ready"], 2, "ready cannot be written: No such file"),
        ([*server, "--seed", failing], 1, f"--seed {failing}: {failing}:3"),
        (["snapshot", "load", bad, *target], 2, f"{bad}: {none}"),
        (["snapshot", "load", tmp_path / "no", *target], 2, "no cannot be read"),
        (["snapshot", "save", tmp_path / "no" / "such", *target], 2, "such cannot be written"),
        (["snapshot", "save", tmp_path / "x", "--target", "http://127.0.0.1:1"], 3, "no abacito answers at"),
    ]
    for arguments, code, words in cases:
        done = abacito(*arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()
