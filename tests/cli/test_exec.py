"""``abacito exec`` as a process of its own: what the command gets, how it ends, what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

EXEC = [sys.executable, "-m", "abacito", "exec"]
SHOW = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where the command makes its temporary files; a short path, for sockets are made below it."""
    with tempfile.TemporaryDirectory(prefix="x") as folder:
        yield Path(folder)


def environment(scratch: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if name not in PROXIES}
    return {**plain, "TMPDIR": str(scratch), "ABACITO_RUNNER": "process"}


def execute(scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*EXEC, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment(scratch), cwd=scratch
    )


def exported(scratch: Path, *options: str) -> Mapping[str, str]:
    done = execute(scratch, *options, "--", *SHOW)
    assert done.returncode == 0, done.stderr
    before = environment(scratch)
    return {name: text for name, text in json.loads(done.stdout).items() if before.get(name) != text}


def test_the_command_asks_the_emulator_and_gives_its_own_code_and_output(scratch: Path) -> None:
    script = 'curl -sS -H "Authorization: Bearer $TOKEN" $BASE/actors/v2; echo said >&2; cat; exit 7'

    done = subprocess.run(
        [*EXEC, "--", "sh", "-c", script],
        input="from stdin", capture_output=True, text=True, timeout=120, check=False, env=environment(scratch),
    )  # fmt: skip

    assert (done.returncode, done.stderr.splitlines()[-1:]) == (7, ["said"])
    assert "Actors retrieved successfully." in done.stdout
    assert done.stdout.endswith("from stdin")


def test_the_commands_environment_is_all_that_clients_need_and_no_proxy(scratch: Path) -> None:
    found = exported(scratch)

    assert set(found) - {"LC_CTYPE"} == {
        "ABACITO_TARGET", "ABACITO_TOKEN", "BASE", "TOKEN", "REFRESH_TOKEN", "CLIENT_KEY", "CLIENT_SECRET",
        "AGAVE_CACHE_DIR", "TAPIS_BASE_URL", "TAPIS_JWT", "TAPIS_USERNAME",
    }  # fmt: skip
    assert found["ABACITO_TARGET"] == found["BASE"] == found["TAPIS_BASE_URL"]
    assert urlsplit(found["BASE"]).hostname == "127.0.0.1"


def test_agavepys_session_is_there_while_the_command_runs(scratch: Path) -> None:
    done = execute(scratch, "--user", "jdoe", "--", "sh", "-c", "cat $AGAVE_CACHE_DIR/current")

    assert json.loads(done.stdout)["username"] == "jdoe"


def test_a_client_that_is_named_gets_its_proxy_too(scratch: Path) -> None:
    found = exported(scratch, "--client", "tapis-cli")

    assert found["HTTPS_PROXY"] == found["BASE"]
    assert found["TAPIS_CACHE_DIR"] == found["AGAVE_CACHE_DIR"]


def test_the_emulator_is_as_the_options_say(scratch: Path) -> None:
    # What follows the command is the command's own, with -- before it and without.
    script = 'curl -sS -d image=echo -H "Authorization: Bearer $TOKEN" $BASE/actors/v2'

    done = execute(scratch, "--case", "snake", "sh", "-c", script)

    assert "create_time" in done.stdout


def test_nothing_is_left(scratch: Path) -> None:
    url = exported(scratch)["BASE"]

    assert list(scratch.iterdir()) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["no-such-command"], 127, "abacito: no-such-command: no such command\n"),
        (["/etc/passwd"], 126, "abacito: /etc/passwd: Permission denied\n"),
        (["sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_a_command_that_cannot_be_run_or_is_killed_gives_the_code_that_shells_give(
    scratch: Path, command: list[str], code: int, words: str
) -> None:
    done = execute(scratch, "--", *command)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.endswith(words)
    assert "Traceback" not in done.stderr
    assert list(scratch.iterdir()) == []


def test_no_command_is_wrong_usage(scratch: Path) -> None:
    done = execute(scratch)

    assert (done.returncode, "COMMAND" in done.stderr) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_and_then_the_emulator(scratch: Path, number: int, code: int) -> None:
    # A session of its own: no terminal, whose Ctrl-C would reach the command without us.
    process = subprocess.Popen(
        [*EXEC, "--", "sh", "-c", "echo $$; exec sleep 60"],
        stdout=subprocess.PIPE, text=True, env=environment(scratch), start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(process.stdout.readline())

    process.send_signal(number)

    assert process.wait(30) == code
    assert not Path(f"/proc/{pid}").exists()
    assert list(scratch.iterdir()) == []
    process.stdout.close()


def test_a_command_that_handles_its_signal_ends_with_its_own_code(scratch: Path) -> None:
    process = subprocess.Popen(
        [*EXEC, "--", "sh", "-c", "trap 'kill $!; exit 9' TERM; sleep 60 & echo ready; wait"],
        stdout=subprocess.PIPE, text=True, env=environment(scratch), start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()

    process.terminate()

    assert process.wait(30) == 9
    process.stdout.close()
