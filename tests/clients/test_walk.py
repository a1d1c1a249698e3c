"""Each client, unmodified, from log-in over an expired token to deletion."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings

USERS = [
    {"username": "admin", "password": "p", "roles": ["Internal/abaco-admin"]},
    {"username": "jdoe", "password": "p"},
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process", users=USERS)) as found:
        yield found


@pytest.fixture
def expire(emulator: Emulator) -> Iterator[str]:
    """A URL; whoever asks it has the emulator's clock go on by more than a token's life."""

    class Expires(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            emulator.clock.travel(timedelta(hours=4, minutes=1))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Expires) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def walk(python: Path, program: str, *arguments: str) -> dict[str, Any]:
    """What the client's user saw."""
    script = Path(__file__).parent / program
    command = [python, "-W", "ignore", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("client", "module", "kind"),
    [
        ("agavepy", "agavepy.agave", "Agave"),
        pytest.param("tapispy", "tapispy.tapis", "Tapis", marks=pytest.mark.slow),
    ],
)
def test_a_v2_client_walks_from_login_to_deletion(
    emulator: Emulator, expire: str, python_of: Callable[[str], Path], client: str, module: str, kind: str
) -> None:
    """spec: clients #15, #22, #23, #24, #25, #26, #27, #28, #29, #30, #33, #34, #35, #36, #37, #38, #39, #40, #41"""
    login = emulator.login("jdoe")
    secrets = (login["client_key"], login["client_secret"], login["token"], login["refresh_token"])

    seen = walk(
        python_of(client),
        "walk_agavepy.py",
        module,
        kind,
        "https://api.tacc.utexas.edu",
        emulator.url,
        *secrets,
        expire,
    )

    assert seen["profile"] == "jdoe"
    wanted = {"id", "name", "image", "owner", "status", "stateless", "privileged", "defaultEnvironment"}
    assert set(seen["actor"]) >= wanted | {"createTime", "lastUpdateTime", "_links"}
    assert seen["listed"] is True
    assert seen["sent"] == ["hello", True]
    exit_code, final_code, fields = seen["execution"]
    assert (exit_code, final_code) == (0, 0)
    assert {"cpu", "io", "runtime", "workerId", "startTime", "finishTime", "_links"} <= set(fields)
    assert "Contents of MSG: hello" in seen["log"]
    assert "key1=value1" in seen["log"]
    assert "foo=bar" in seen["log"]
    assert "{'a': [1, None, True]}" in seen["json"]
    assert seen["binary"] == "binary - omitted"
    assert seen["result"] == [200, "", "application/octet-stream"]
    assert seen["executions"] == [3, 3]
    assert seen["waiting"] == 0
    assert seen["state"] == {"count": [1, 2]}
    assert seen["permissions"] == {"jdoe": "UPDATE", "jane": "READ"}
    assert seen["nonces"] == ["EXECUTE", -1, 2]
    assert seen["listed nonces"] == 2
    assert (seen["alias"], seen["deleted alias"]) == (True, None)
    assert seen["updated"] == ["again", "walk"]
    assert (seen["healed"], seen["new token"]) == ("jdoe", True)
    assert seen["unknown"] == ["HTTPError", 404, "error"]
    assert seen["deleted"] == [None, None]


_TAPIPY = """
import json, sys
from tapipy.tapis import Tapis
base, user, password, expired = sys.argv[1:]
client = Tapis(base_url=base, username=user, password=password)
client.get_tokens()
claims = client.validate_token(client.access_token.access_token)
try:
    Tapis(base_url=base, username=user, password="wrong").get_tokens()
except Exception as error:
    refused = type(error).__name__
print(json.dumps({
    "tenant": client.tenant_id, "claims": claims, "refused": refused,
    "left": client.access_token.expires_in().total_seconds(),
}))
"""


@pytest.mark.slow
def test_tapipy_finds_its_tenant_and_gets_tokens_that_it_can_check(
    emulator: Emulator, python_of: Callable[[str], Path], tmp_path: Path
) -> None:
    """spec: clients #53, #56"""
    program = tmp_path / "tapipy_walk.py"
    program.write_text(_TAPIPY)

    seen = walk(python_of("tapipy"), str(program), emulator.url, "jdoe", "p", "")

    assert seen["tenant"] == "tacc.prod"
    assert seen["claims"]["sub"] == "jdoe@tacc.prod"
    assert seen["claims"]["tapis/token_type"] == "access"
    assert 14_000 < seen["left"] <= 14_400
    assert seen["refused"] in ("UnauthorizedError", "BadRequestError")
