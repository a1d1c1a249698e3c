"""``abacito scenario record`` as clients meet it; what it writes plays again, here and elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from tests.scenario.conftest import Canned

from abacito.cli import main
from abacito.client import Abaco
from abacito.emulator import Emulator
from abacito.scenario import story
from abacito.scenario.ask import Case, Target
from abacito.scenario.play import play
from abacito.scenario.recording.proxy import Proxy
from abacito.scenario.recording.recorder import Recorder
from abacito.scenario.recording.writing import Recording
from abacito.scenario.users import settings_for
from abacito.settings import Settings

STORIES = Path(__file__).parents[2] / "scenarios"


@contextmanager
def recording(*words: object) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ABACITO_")}
    command = [sys.executable, "-m", "abacito", "scenario", "record", *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Its exit code and what it has told on stderr, after a signal."""
    process.send_signal(number)
    _, told = process.communicate(timeout=20)
    return process.returncode, told


@pytest.fixture(scope="module")
def emulators() -> Iterator[Callable[[Settings], Emulator]]:
    running: list[Emulator] = []

    def start(settings: Settings) -> Emulator:
        emulator = Emulator(settings)
        emulator.start()
        running.append(emulator)
        return emulator

    yield start
    for emulator in running:
        emulator.stop()


def settings(case: Case = "camel") -> Settings:
    return Settings.read(port=0, runner="process", case=case)


@pytest.fixture(scope="module")
def shared(emulators: Callable[[Settings], Emulator]) -> Emulator:
    return emulators(settings())


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    """Empty, whatever the test before has left."""
    shared.reset()
    return shared


def failure_on(emulator: Emulator, told: story.Story) -> str:
    return str(play(told, Target.of(emulator), lambda report: None).failure or "")


def plays_everywhere(file: Path, recorded_on: Emulator, emulators: Callable[[Settings], Emulator]) -> story.Story:
    told = story.load(file)
    assert failure_on(recorded_on, told) == ""
    for case in ("camel", "snake"):
        fresh = emulators(settings_for(told, settings("camel" if case == "camel" else "snake")))
        assert failure_on(fresh, told) == ""
    return told


def curl(url: str, *words: str, token: str | None = None) -> Any:
    credentials = ["-H", f"Authorization: Bearer {token}"] if token else []
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--globoff", *credentials, *words, url]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    return json.loads(answer)["result"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine to be recorded")
def test_what_curl_does_is_recorded_and_plays_again(
    emulator: Emulator, emulators: Callable[[Settings], Emulator], tmp_path: Path
) -> None:
    mine, hers = emulator.token, emulator.token_for("jdoe")
    as_json = ("--header", "Content-Type: application/json", "--data")
    file = tmp_path / "by_curl.yaml"
    with recording("--target", emulator.url, "-o", file) as process:
        base = url_of(process) + "/actors/v2"
        actor = curl(base, "--data", "image=echo&name=by hand", token=mine)["id"]
        execution = curl(f"{base}/{actor}/messages", "--data", "message=hello {actor}", token=mine)["executionId"]
        while curl(f"{base}/{actor}/executions/{execution}", token=mine)["status"] != "COMPLETE":
            pass
        curl(f"{base}/{actor}/executions/{execution}/logs", token=mine)
        nonce = curl(f"{base}/{actor}/nonces", *as_json, '{"maxUses": 1}', token=mine)["id"]
        for _ in range(2):
            curl(f"{base}/{actor}/messages?x-nonce={nonce}", "--data", "message=by nonce")
        curl(f"{base}/{actor}", token=hers)
        curl(f"{base}/{actor}/permissions", *as_json, '{"user": "jdoe", "level": "READ"}', token=mine)
        curl(f"{base}/{actor}", token=hers)
        alias = json.dumps({"alias": "by-curl", "actorId": actor})
        curl(f"{base}/aliases", *as_json, alias, token=mine)
        curl(f"{base}/by-curl/executions", token=mine)
        curl(f"{base}/aliases/by-curl", "--request", "DELETE", token=mine)
        curl(f"{base}/{actor}", "--request", "DELETE", token=mine)
        code, told = ended(process)

    text = file.read_text()
    assert code == 143
    assert told.splitlines()[-1] == f"{file}: {len(story.load(file).steps)} steps"
    assert "   1  post: /actors/v2 → 200" in told
    assert not [secret for secret in (mine, hers, nonce, actor, execution) if secret in text + told]
    assert CliRunner().invoke(main, ["scenario", "check", str(file)]).exit_code == 0
    plays_everywhere(file, emulator, emulators)


@pytest.mark.parametrize("case", ["camel", "snake"])
def test_what_a_client_in_python_does_is_recorded_and_plays_again(
    emulators: Callable[[Settings], Emulator], tmp_path: Path, case: Case
) -> None:
    emulator = emulators(settings(case))
    file = tmp_path / "by_python.yaml"
    with recording("--target", emulator.url, "--token", emulator.token, "-o", file) as process:
        url = url_of(process)
        client = Abaco(url, emulator.token, case)
        actor = client.register("sends_results", default_environment={"GREETING": "good day"}, max_workers=2)
        first = actor.send("2").wait()
        assert first.results == [b"result 0", b"result 1"]
        assert [each.id for each in actor.executions] == [first.id]
        assert "sent: 1" in actor.send("1", word="spoken").wait().logs
        assert "sent: 3" in actor.send(b"\x00\xff").wait().logs
        client.clock.travel(hours=2)
        client.faults.clear()
        with requests.Session() as session:  # who says nothing of himself gets the token of --token
            session.trust_env = False
            assert session.get(f"{url}/actors/v2/{actor.id}/executions", timeout=20).ok
        actor.delete()
        client.close()
        ended(process)

    told = plays_everywhere(file, emulator, emulators)

    assert "travel" in {step.our_verb for step in told.steps}
    assert [step.base64 for step in told.steps if step.base64] == ["AP8="]


@pytest.mark.parametrize(
    "name",
    [
        "lecture",
        "aliases/from_birth_to_death",
        "configs/plain_and_secret",
        "envelope/credentials",
        "messages/binary",
        "nonces/counted",
        "permissions/levels",
        "results/returned",
        "search/words",
        "updates/new_image",
    ],
)
def test_a_story_that_is_recorded_as_it_is_played_plays_again(emulator: Emulator, tmp_path: Path, name: str) -> None:
    file = tmp_path / "again.yaml"
    recorded = Recording(file, Recorder("again", "camel"), lambda noted: None)
    with Proxy(emulator.url, "127.0.0.1", 0, None, recorded.note) as proxy:
        target = replace(Target.of(emulator), base_url=proxy.url)
        assert play(story.load(STORIES / f"{name}.yaml"), target, lambda report: None).failure is None

    emulator.reset()

    assert failure_on(emulator, story.load(file)) == ""


def test_a_recorder_that_is_killed_leaves_a_whole_story(emulator: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "killed.yaml"
    with recording("--target", emulator.url, "--token", emulator.token, "-o", file) as process:
        client = Abaco(url_of(process), emulator.token)
        client.register("echo").delete()
        client.close()
        process.kill()
        process.communicate(timeout=20)

    assert [step.method for step in story.load(file).steps] == ["POST", "DELETE"]
    assert [path.name for path in tmp_path.iterdir()] == ["killed.yaml"]


def test_without_a_request_there_is_no_story(canned: Canned, tmp_path: Path) -> None:
    with recording("--target", canned.url, "-o", tmp_path / "s.yaml") as process:
        assert url_of(process).startswith("http://127.0.0.1:")
        code, told = ended(process, signal.SIGINT)

    assert (code, told) == (130, "nothing was recorded, so there is no story\n")
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_step_is_told_with_the_reason(canned: Canned, tmp_path: Path) -> None:
    with recording("--target", canned.url, "-o", tmp_path / "s.yaml") as process:
        requests.post(f"{url_of(process)}/token", data={"password": "p-455"}, proxies={"http": ""}, timeout=20)
        _, told = ended(process)

    assert told.splitlines()[0] == "   -  POST /token → 404 (left out: it is about credentials)"
    assert "p-455" not in told


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--target", "http://127.0.0.1:9"], 3, "no answer from http://127.0.0.1:9"),
        (["--target", "here"], 2, "'here' cannot be asked"),
        (["--target", "{url}", "--host", "0.0.0.0", "--token", "t"], 2, "anybody in the network could use it"),
        (["--target", "{url}", "--case", "camel", "--port", "{port}"], 3, "choose another port"),
        ([], 2, "Missing option '--target'"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    canned: Canned, tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    filled = [word.format(url=canned.url, port=canned.url.rpartition(":")[2]) for word in words]

    result = CliRunner(env={"ABACITO_TARGET": None, "ABACITO_TOKEN": None}).invoke(
        main, ["scenario", "record", "-o", str(tmp_path / "s.yaml"), *filled]
    )

    assert result.exit_code == code
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_a_story_of_yours_is_not_written_over(canned: Canned, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("mine")

    result = CliRunner().invoke(main, ["scenario", "record", "--target", canned.url, "-o", str(file)])

    assert result.exit_code == 2
    assert result.stderr == f"abacito: {file} is there already: name another file, or remove it\n"
    assert file.read_text() == "mine"
