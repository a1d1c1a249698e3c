"""What every client relies on, whichever it is: one form of answers, and answers for browsers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import pytest
import requests

from abacito.abaco.platform import Abaco
from abacito.api import Instance, create_app
from abacito.api.identity import NoIdentity
from abacito.emulator import Emulator

#: OAuth's own forms, and the raw bytes of a result.
NO_ENVELOPE = re.compile(r"(/oauth2)?/(token|revoke)|.*/results")


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of everything that clients are served, with names of ours in place of what is not given."""
    app = create_app(cast(Abaco, None), NoIdentity("T"), Instance("snake", "1.9.1"))
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/_abacito"):  # our own surface, which no client knows
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, rule.rule


ROUTES = sorted(set(routes()))


@pytest.fixture(scope="module")
def things(emulator: Emulator) -> dict[str, str]:
    """One of everything that a path can name, of the admin's."""
    abaco = emulator.client("admin")
    actor = abaco.register("sends_results", stateless=False)
    execution = actor.send("1").wait()
    nonce = abaco.request("POST", f"{actor.path}/nonces", json={})
    abaco.request("POST", "/actors/aliases", json={"alias": "any", "actorId": actor.id})
    of_alias = abaco.request("POST", "/actors/aliases/any/nonces", json={})
    config = {"name": "any", "value": "x", "isSecret": False, "actors": actor.id}
    abaco.request("POST", "/actors/configs", json=config)
    worker = abaco.request("GET", f"{actor.path}/workers")[0]
    abaco.close()
    return {
        "identifier": actor.id,
        "execution_id": execution.id,
        "nonce_id": nonce["id"],
        "alias's nonce_id": of_alias["id"],
        "name": "any",
        "worker_id": worker["id"],
        "kind": "actors",
        "username": "jdoe",
        "code": "tacc.prod",
    }


def asked(emulator: Emulator, method: str, path: str, **more: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {emulator.token_for('admin')}"}
    return requests.request(method, emulator.url + path, headers=headers, timeout=20, **more)  # type: ignore[arg-type]


def in_the_envelope(response: requests.Response) -> bool:
    kept = response.headers["Content-Type"] == "application/json"
    return kept and sorted(response.json()) == ["message", "result", "status", "version"]


READABLE = [path for method, path in ROUTES if method == "GET" and not path.startswith("/clients/")]


@pytest.mark.parametrize("path", READABLE)
def test_what_is_read_is_in_the_envelope_except_results(emulator: Emulator, things: dict[str, str], path: str) -> None:
    """spec: clients #59"""
    nonce = things["alias's nonce_id" if "aliases" in path else "nonce_id"]
    known = {**things, "client_id": "none", "nonce_id": nonce}
    asked_path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: known[found[1]], path)

    response = asked(emulator, "GET", asked_path)

    assert in_the_envelope(response) is not path.endswith("/results")
    assert response.status_code == (404 if "client_id" in path else 200), response.text


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_what_is_refused_is_in_the_envelope_except_in_oauths_own_words(
    emulator: Emulator, method: str, path: str
) -> None:
    """spec: clients #59"""
    response = asked(emulator, method, re.sub(r"<[^>]+>", "nobody-has-this", path), data=b"")

    if NO_ENVELOPE.fullmatch(path) and path != "/actors/<identifier>/executions/<execution_id>/results":
        assert "status" not in response.text
    else:
        assert in_the_envelope(response), response.text


def test_faults_and_synchronous_answers_have_no_envelope(emulator: Emulator, things: dict[str, str]) -> None:
    """spec: clients #59"""
    nobody = requests.get(f"{emulator.url}/actors/v2", timeout=10)
    messages = f"/actors/v2/{things['identifier']}/messages"
    result = asked(emulator, "POST", f"{messages}?_abaco_synchronous=true", json={"message": "1"})

    assert list(nobody.json()) == ["fault"]
    assert result.text == "result 0"


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
def test_a_browser_is_answered_on_every_path(emulator: Emulator, path: str) -> None:
    """The preflight has no token. spec: clients #60"""
    url = emulator.url + re.sub(r"<[^>]+>", "nobody-has-this", path)
    origin = {"Origin": "http://site.example"}
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}

    preflight = requests.options(url, headers={**origin, **wanted}, timeout=10)
    got = requests.get(url, headers=origin, timeout=10)

    assert (preflight.status_code, preflight.content) == (200, b"")
    for response in (preflight, got):
        assert response.headers["Access-Control-Allow-Origin"] == "http://site.example"
    assert {"GET", "POST", "PUT", "DELETE"} <= set(preflight.headers["Access-Control-Allow-Methods"].split(", "))
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization"
