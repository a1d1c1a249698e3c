"""tapipy, unmodified: its tenant, its tokens, and all 30 operations that it has on actors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from abacito.emulator import Emulator

_LOGIN = """
import json, sys
from tapipy.tapis import Tapis
base, user, password = sys.argv[1:]
client = Tapis(base_url=base, username=user, password=password)
client.get_tokens()
claims = client.validate_token(client.access_token.access_token)
token = client.access_token.access_token
changed = token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]
def refusal(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
print(json.dumps({
    "tenant": client.tenant_id, "claims": claims, "left": client.access_token.expires_in().total_seconds(),
    "wrong password": refusal(Tapis(base_url=base, username=user, password="wrong").get_tokens),
    "unknown actor": refusal(lambda: client.actors.get_actor(actor_id="GZWjYjJqDyYL4")),
    "unknown alias": refusal(lambda: client.actors.get_alias(alias="not-there")),
    "wrong token": refusal(Tapis(base_url=base, access_token=changed).actors.list_actors),
}))
"""


@pytest.fixture
def tapipy(python_of: Callable[[str], Path]) -> Callable[..., dict[str, Any]]:
    """Runs a program with it; what the program tells."""

    def run(*command: str) -> dict[str, Any]:
        done = subprocess.run(
            [python_of("tapipy"), "-W", "ignore", *command], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    return run


@pytest.mark.slow
@pytest.mark.walks("tapipy", steps=["log in"])
def test_tapipy_finds_its_tenant_and_gets_tokens_that_it_can_check(
    emulator: Emulator, tapipy: Callable[..., dict[str, Any]]
) -> None:
    """spec: clients #53, #56"""
    seen = tapipy("-c", _LOGIN, emulator.url, "admin", "p")

    assert seen["tenant"] == "tacc.prod"
    assert seen["claims"]["sub"] == "admin@tacc.prod"
    assert seen["claims"]["tapis/token_type"] == "access"
    assert 14_000 < seen["left"] <= 14_400
    assert seen["wrong password"] in ("UnauthorizedError", "BadRequestError")
    assert (seen["unknown actor"], seen["unknown alias"]) == ("NotFoundError", "NotFoundError")
    assert seen["wrong token"] == "UnauthorizedError"


@pytest.mark.walks("tapipy", steps=["register", "list", "get", "send raw", "send JSON", "send binary", "wait"])
@pytest.mark.walks("tapipy", steps=["details", "logs", "results", "state", "nonces", "permissions", "aliases"])
@pytest.mark.walks("tapipy", steps=["update", "delete", "expired token", "refresh"])
def test_tapipy_walks_through_all_its_operations_and_past_the_end_of_its_token(
    emulator: Emulator, tapipy: Callable[..., dict[str, Any]], expire: str
) -> None:
    """spec: clients #54, #55, #57, #58, #61"""
    client = {"clientName": "walk"}
    made = requests.post(f"{emulator.url}/clients/v2", auth=("jdoe", "p"), data=client, timeout=10).json()["result"]
    image = "abacosamples/test"
    script = Path(__file__).with_name("walk_tapipy.py")

    seen = tapipy(str(script), emulator.url, image, made["consumerKey"], made["consumerSecret"], expire)

    assert seen == {
        "actor": {"image": image, "owner": "jdoe", "status": "SUBMITTED", "description": "walk", "stateless": False},
        "environment": "value1",
        "listed": True,
        "both ids": True,
        "execution": [0, True, 0],
        "logs": [True, True, True],
        "result": ["bytes", 0],
        "json": True,
        "binary": "binary - omitted",
        "synchronous": ["bytes", True],
        "executions": [4, 4],
        "messages": 0,
        "purged": "Actor mailbox purged.",
        "state": 3,
        "nonce": ["READ", 2, 2],
        "nonces": 0,
        "permissions": {"jdoe": "UPDATE", "jane": "READ"},
        "alias": ["mine", True, 1],
        "aliases": 0,
        "workers": 1,
        "pool": "Actor ID already had 1 worker(s).",
        "search": 4,
        "updated": "again",
        "expired": "UnauthorizedError",
        "renewed": True,
        "goes on": True,
        "who": "jdoe",
        "deleted": ["BadRequestError", seen["deleted"][1]],
    }
