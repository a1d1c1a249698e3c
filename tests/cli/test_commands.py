"""The commands as processes of their own: what they print, their exit codes, what they leave."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from abacito.abaco.time import real_monotonic
from abacito.client import Abaco, Execution
from abacito.emulator import Emulator
from abacito.settings import Settings

ABACITO = [sys.executable, "-m", "abacito"]


def abacito(*arguments: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1", **environment}
    return subprocess.run([*ABACITO, *arguments], capture_output=True, text=True, timeout=120, env=env, cwd=folder)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from abacito.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'flask','boto3','moto','docker','pydantic','requests','rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["serve", "--port", "x"], 2, "'x' is not a valid integer"),
        (["serve", "--case", "kebab"], 2, "'kebab' is not one of 'camel', 'snake'"),
        (["serve", "--nonsense"], 2, "No such option"),
        (["nonsense"], 2, "No such command"),
        (["run", "abacosamples/test"], 2, "exactly one of -m, --json and --binary"),
        (["run", "abacosamples/test", "--json", "{"], 2, "is not JSON"),
        (["run", "abacosamples/test", "-m", "x", "-e", "novalue"], 2, "is not NAME=VALUE"),
        (["run", "no/such:image", "-m", "x", "--runner", "process"], 1, "no/such:image"),
    ],
)
def test_wrong_usage_is_one_line_and_the_documented_code(arguments: list[str], code: int, words: str) -> None:
    done = abacito(*arguments)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_names_itself_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "abacito.toml").write_text("log_exx = 5\n")

    done = abacito("serve", "--port", "0", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "abacito: unknown setting 'log_exx'; did you mean 'log_ex'?\n"


def test_a_broken_settings_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "abacito.toml").write_text("log_ex = = 5\n")

    done = abacito("serve", "--port", "0", folder=tmp_path)

    assert done.returncode == 2
    assert "the settings cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = abacito("serve", "--port", str(port), "--runner", "process")

    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in done.stderr
    assert "0 for a free one" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [("http://127.0.0.1:9", 3, "the AWS endpoint cannot be used"), ("nonsense", 2, "endpoint_url = 'nonsense'")],
)
def test_an_endpoint_that_is_no_use_is_told(url: str, code: int, words: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}

    done = abacito("serve", "--port", "0", "--runner", "process", "--endpoint-url", url, **keys)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_no_docker_is_told_with_the_remedy() -> None:
    done = abacito("serve", "--port", "0", "--runner", "docker", DOCKER_HOST="unix:///nowhere/docker.sock")

    assert done.returncode == 3
    assert "unix:///nowhere/docker.sock" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_prints_the_log_and_exits_with_the_actors_code() -> None:
    echo = abacito("run", "echo", "-m", "hello", "--runner", "process")
    fails = abacito("run", "fails", "-m", "7", "--runner", "process")

    assert (echo.returncode, echo.stdout) == (0, "hello\n")
    assert fails.returncode == 7


def test_run_takes_a_folder_variables_and_json(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM busybox\nCOPY actor.sh /\nCMD ["sh", "/actor.sh"]\n')
    (tmp_path / "actor.sh").write_text('echo "$GREETING $MSG"\n')

    done = abacito("run", str(tmp_path), "--json", '{"a": [true]}', "-e", "GREETING=hi", "--runner", "process")

    assert (done.returncode, done.stdout) == (0, "hi {'a': [True]}\n")


def test_run_ends_with_one_line_on_why_a_folder_is_no_image(tmp_path: Path) -> None:
    done = abacito("run", str(tmp_path), "-m", "x", "--runner", "process")

    told = rf"abacito: <actor \w+> is ERROR, not READY: .*No Dockerfile can be read in {tmp_path}: .*"
    assert done.returncode == 1
    assert re.fullmatch(told, done.stderr.splitlines()[-1])


def test_run_gives_up_after_its_timeout() -> None:
    done = abacito("run", "sleeps", "-m", "60", "--timeout", "1", "--runner", "process")

    assert done.returncode == 124


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A server of its own, told by its ready file, with temporary files in a folder of its own."""
    ready, scratch = tmp_path / "ready.json", tmp_path / "tmp"
    scratch.mkdir()
    runner = getattr(request, "param", "process")
    # A short path: sockets are made below it.
    with tempfile.TemporaryDirectory(prefix="a") as short:
        env = {**os.environ, "TMPDIR": short}
        command = [*ABACITO, "serve", "--port", "0", "--ready-file", str(ready), "--runner", runner]
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        first = process.stdout.readline().strip()
        deadline = real_monotonic() + 30
        while not ready.exists():
            assert real_monotonic() < deadline
            assert process.poll() is None
        facts = json.loads(ready.read_text())
        assert facts["url"] == first
        yield process, {**facts, "scratch": short}
        if process.poll() is None:
            process.kill()
        process.communicate()


def sleeping(facts: dict[str, str]) -> tuple[Abaco, Execution]:
    """A client of a server, and an execution of its that runs for a minute."""
    abaco = Abaco(facts["url"], facts["token"])
    execution = abaco.register("sleeps").wait(within_s=60).send("60")
    for details in execution.watch(20):
        if details["status"] == "RUNNING":
            break
    return abaco, execution


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("served", ["process", pytest.param("docker", marks=pytest.mark.docker)], indirect=True)
def test_serve_stops_cleanly_within_five_seconds_whatever_runs(
    served: tuple[subprocess.Popen[str], dict[str, str]], sign: signal.Signals, tmp_path: Path
) -> None:
    process, facts = served
    abaco, execution = sleeping(facts)
    assert execution.status == "RUNNING"

    began = real_monotonic()
    process.send_signal(sign)
    _, errors = process.communicate(timeout=20)

    assert real_monotonic() - began < 5
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[sign], errors
    assert "Traceback" not in errors
    assert not (tmp_path / "ready.json").exists()
    assert list(Path(facts["scratch"]).iterdir()) == []
    abaco.close()
    if facts["runner"] == "docker":
        labelled = ["docker", "ps", "-aq", "--filter", f"label=abacito.execution={execution.id}"]
        assert subprocess.run(labelled, capture_output=True, text=True, check=True).stdout == ""


def test_serve_answers_the_lectures_first_command(served: tuple[subprocess.Popen[str], dict[str, str]]) -> None:
    _, facts = served

    answer = requests.get(
        f"{facts['url']}/actors/v2", headers={"Authorization": f"Bearer {facts['token']}"}, timeout=10
    ).json()

    assert answer == {
        "message": "Actors retrieved successfully.",
        "result": [],
        "status": "success",
        "version": "1.9.1",
    }
    assert set(facts) >= {"url", "pid", "runner", "tenant", "username", "password", "token"}


def test_token_prints_a_token_of_any_user_and_nothing_else(
    served: tuple[subprocess.Popen[str], dict[str, str]],
) -> None:
    _, facts = served
    command = [*ABACITO, "token", "--user", "jdoe", "--ttl", "60", "--target", facts["url"]]

    token = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    headers = {"Authorization": f"Bearer {token.strip()}"}
    shown = requests.get(f"{facts['url']}/_abacito/tokens", headers=headers, timeout=10).json()["result"]
    assert (shown["username"], shown["tenant"]) == ("jdoe", "TACC-PROD")
    assert 50 < shown["expires_in"] <= 60
    assert token.count("\n") == 1


def test_token_gives_roles_that_the_user_has_not(served: tuple[subprocess.Popen[str], dict[str, str]]) -> None:
    _, facts = served

    def status(*options: str) -> int:
        command = [*ABACITO, "token", "--user", "jdoe", *options, "--target", facts["url"]]
        token = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{facts['url']}/actors/admin", headers=headers, timeout=10).status_code

    assert [status(), status("--role", "Internal/abaco-admin")] == [400, 200]


def test_token_jwt_prints_the_header_that_speaks_for_a_user() -> None:
    command = [*ABACITO, "token", "--jwt", "--user", "jdoe", "--ttl", "60", "--target"]
    with Emulator(Settings.read(port=0, runner="process", auth="jwt")) as emulator:
        asked = [*command, emulator.url]
        line = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
        name, _, text = line.strip().partition(": ")

        def status() -> int:
            return requests.get(f"{emulator.url}/actors", headers={name: text}, timeout=10).status_code

        before = status()
        emulator.clock.travel(timedelta(seconds=62))

        assert (name.upper(), before, status()) == ("X-JWT-ASSERTION-TACC-PROD", 200, 400)
    with Emulator(Settings.read(port=0, runner="process")) as emulator:
        refused = subprocess.run([*command, emulator.url], capture_output=True, text=True, timeout=60, check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "assertions count with auth = 'jwt' only" in refused.stderr


def test_the_exports_for_curl_are_all_that_the_lecture_needs(
    served: tuple[subprocess.Popen[str], dict[str, str]],
) -> None:
    _, facts = served
    exports = subprocess.run(
        [*ABACITO, "env", "--client", "curl", "--user", "jdoe", "--target", facts["url"]],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    script = f"""{exports}
auth-check -v
old=$TOKEN
auth-check --refresh
[ "$old" != "$TOKEN" ] || exit 3
curl -s -H "Authorization: Bearer $old" $BASE/actors/v2
curl -s -H "Authorization: Bearer $TOKEN" $BASE/actors/v2
"""

    shown = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60, check=True).stdout

    assert shown.count('"username": "jdoe"') == 2
    assert "900901" in shown
    assert "Actors retrieved successfully." in shown


def test_commands_say_where_no_emulator_answers() -> None:
    done = subprocess.run(
        [*ABACITO, "token", "--target", "http://127.0.0.1:9"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (3, "")
    assert "no abacito answers at http://127.0.0.1:9" in done.stderr


def test_replay_runs_an_execution_again_and_exits_with_its_code(
    served: tuple[subprocess.Popen[str], dict[str, str]],
) -> None:
    _, facts = served
    abaco = Abaco(facts["url"], facts["token"])
    first = abaco.register("fails").wait(within_s=60).send("7").wait()

    command = [*ABACITO, "replay", first.id, "--target", facts["url"], "--token", facts["token"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 7, done.stderr
    assert done.stdout == first.logs
    assert len(abaco.request("GET", f"{first.actor.path}/executions")["executions"]) == 2
    abaco.close()


@pytest.mark.docker
@pytest.mark.parametrize("served", ["docker"], indirect=True)
def test_what_a_killed_server_leaves_is_removed_by_the_next(
    served: tuple[subprocess.Popen[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, facts = served
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    abaco, execution = sleeping(facts)
    labelled = ["docker", "ps", "-aq", "--filter", f"label=abacito.execution={execution.id}"]
    process.kill()
    process.wait()
    left = subprocess.run(labelled, capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(tempfile, "tempdir", facts["scratch"])
    folders = set(Path(facts["scratch"]).iterdir())
    with Emulator(Settings.read(port=0, runner="docker")):
        assert not folders & set(Path(facts["scratch"]).iterdir())
        after = subprocess.run(labelled, capture_output=True, text=True, check=True).stdout

    assert (left != "", after) == (True, "")
    abaco.close()
