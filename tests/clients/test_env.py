"""``abacito env``: evaluated in a fresh shell, it is all that a client needs."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from abacito.emulator import Emulator
from tests.clients.conftest import Shell

EVAL = 'eval "$(abacito env --client curl --user jdoe)"\n'


def told(text: str) -> dict[str, Any]:
    return dict(json.loads(text)["result"])


def test_auth_check_tells_who_and_how_long(shell: Shell) -> None:
    """As the lecture calls it, with -v, and without."""
    for call in ("auth-check -v", "auth-check"):
        shown = told(shell.run(EVAL + call))

        assert (shown["username"], shown["tenant"]) == ("jdoe", "TACC-PROD")
        assert 14_300 < shown["expires_in"] <= 14_400


def test_auth_check_follows_the_emulators_clock(shell: Shell, emulator: Emulator) -> None:
    exports = shell.run("abacito env --client curl --user jdoe")
    emulator.clock.travel(timedelta(hours=1))

    left_s = told(shell.run(f"{exports}\nauth-check -v"))["expires_in"]

    assert 10_700 < left_s <= 10_800


@pytest.mark.parametrize("call", ["auth-check --refresh", "auth-check -v --refresh", "auth-check --refresh -v"])
def test_auth_check_refresh_takes_a_new_pair(shell: Shell, call: str) -> None:
    script = f"""old=$TOKEN old_refresh=$REFRESH_TOKEN
{call}
[ "$old" != "$TOKEN" ] && [ "$old_refresh" != "$REFRESH_TOKEN" ]
TOKEN=$old auth-check && exit 3
auth-check
"""
    first, fault, last = _documents(shell.run(EVAL + script))

    assert first["result"]["username"] == last["result"]["username"] == "jdoe"
    assert fault["fault"]["code"] == 900901


def _documents(text: str) -> list[dict[str, Any]]:
    """JSON documents, one after the other."""
    found, rest, decoder = [], text.strip(), json.JSONDecoder()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found


def test_a_refresh_that_is_refused_leaves_the_tokens_alone(shell: Shell) -> None:
    script = """old=$TOKEN
REFRESH_TOKEN=made-up auth-check --refresh && exit 3
[ "$old" = "$TOKEN" ]
auth-check
"""
    done = shell.attempt(EVAL + script)

    assert (done.returncode, told(done.stdout)["username"]) == (0, "jdoe")
    assert "invalid_grant" in done.stderr


def test_an_expired_token_fails_the_check_and_a_refresh_heals_it(shell: Shell, emulator: Emulator) -> None:
    exports = shell.run("abacito env --client curl --user jdoe")
    emulator.clock.travel(timedelta(hours=4, minutes=1))

    expired = shell.attempt(f"{exports}\nauth-check -v")
    healed = shell.attempt(f"{exports}\nauth-check --refresh -v")

    assert (expired.returncode, "900901" in expired.stdout) == (1, True)
    assert told(healed.stdout)["username"] == "jdoe"


def test_auth_check_refuses_what_it_does_not_know_and_works_in_a_strict_shell(shell: Shell) -> None:
    done = shell.attempt(f"set -u\n{EVAL}auth-check > /dev/null\nauth-check --nonsense")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: auth-check [-v] [--refresh]\n"


def test_auth_check_does_not_go_through_a_proxy(shell: Shell) -> None:
    nowhere = "http://127.0.0.1:9"

    shown = told(shell.run(f"export http_proxy={nowhere} https_proxy={nowhere} all_proxy={nowhere}\n{EVAL}auth-check"))

    assert shown["username"] == "jdoe"


@pytest.mark.parametrize("client", ["curl", "agavepy", "tapispy", "tapis-cli", "tapipy"])
def test_there_is_nothing_but_exports(shell: Shell, client: str) -> None:
    """spec: clients #62"""
    before = shell.run("set -o posix; set").splitlines()
    script = f'eval "$(abacito env --client {client})"; set -o posix; set'

    added = {line.partition("=")[0] for line in shell.run(script).splitlines()} - {
        line.partition("=")[0] for line in before
    }

    assert added <= set(shell.exports("--client", client))


@pytest.mark.parametrize("client", ["agavepy", "tapispy", "tapis-cli"])
def test_the_session_is_in_a_folder_that_its_owner_alone_may_read(shell: Shell, client: str, tmp_path: Path) -> None:
    folder = tmp_path / "with space"

    exports = shell.exports("--client", client, "--folder", str(folder), "--user", "jane")

    current = folder / "current"
    assert exports["AGAVE_CACHE_DIR"] == str(folder)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, current)] == [0o700, 0o600]
    assert json.loads(current.read_text())["username"] == "jane"


@pytest.mark.parametrize(
    ("client", "call"),
    [
        ("curl", 'curl -sS --fail -H "Authorization: Bearer $TOKEN" $BASE/profiles/v2/me'),
        pytest.param(
            "agavepy",
            "python -W ignore -c 'from agavepy.agave import Agave; print(Agave.restore().profiles.get())'",
        ),
        pytest.param(
            "tapispy",
            "python -W ignore -c 'from tapispy.tapis import Tapis; print(Tapis.restore().profiles.get())'",
            marks=pytest.mark.slow,
        ),
        pytest.param("tapis-cli", "tapis profiles show self", marks=pytest.mark.slow),
        pytest.param(
            "tapipy",
            "python -W ignore -c 'import os; from tapipy.tapis import Tapis; client = Tapis("
            'base_url=os.environ["TAPIS_BASE_URL"], access_token=os.environ["TAPIS_JWT"]); '
            "print(client.authenticator.get_userinfo())'",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["curl", "agavepy", "tapispy", "tapis-cli", "tapipy"],
)
def test_what_is_printed_is_all_that_a_client_needs(
    shell: Shell, python_of: Callable[[str], Path], client: str, call: str
) -> None:
    """spec: clients #62"""
    own = "" if client == "curl" else f"export PATH={python_of(client).parent}:$PATH\n"

    shown = shell.run(f'{own}eval "$(abacito env --client {client} --user jane)"\n{call}')

    assert "jane" in shown


def test_no_emulator_is_told_and_nothing_is_printed(shell: Shell) -> None:
    done = subprocess.run(
        ["abacito", "env", "--target", "http://127.0.0.1:9"],
        env={"PATH": shell.path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (3, "")
    assert "no abacito answers at http://127.0.0.1:9" in done.stderr
