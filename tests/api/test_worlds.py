"""Snapshots, resets and pauses by HTTP."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import requests

from tests.api.conftest import Api


def ids(api: Api) -> list[str]:
    return [each["id"] for each in api.result("GET", "/actors")]


def control(api: Api, method: str, path: str, **body: Any) -> Any:
    """What our own surface answers, which asks for no token."""
    response = api.send(method, f"/_abacito/{path}", user=None, **body)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_snapshot_is_a_file_that_is_put_back(api: Api) -> None:
    actor = api.actor()
    saved = api.send("GET", "/_abacito/snapshot", user=None)
    assert (saved.status_code, saved.headers["Content-Type"]) == (200, "application/octet-stream")
    api.actor()

    assert control(api, "PUT", "snapshot", data=saved.content) == {"paused": False}

    assert ids(api) == [actor]


def test_a_reset_leads_to_what_was_put_or_to_nothing_and_tokens_stay_good(api: Api) -> None:
    actor = api.actor()
    saved = api.send("GET", "/_abacito/snapshot", user=None).content
    control(api, "PUT", "snapshot", data=saved)
    api.actor()

    assert control(api, "POST", "reset") == {"paused": False}
    assert ids(api) == [actor]
    control(api, "POST", "reset", json={"to": "empty"})
    assert ids(api) == []
    control(api, "POST", "reset", json={})
    assert ids(api) == [actor]


def test_messages_wait_while_it_is_paused(api: Api) -> None:
    actor = api.actor()
    assert control(api, "GET", "pause") == {"paused": False}
    assert control(api, "POST", "pause") == {"paused": True}
    execution = api.handle(actor).send("x")
    saved = api.send("GET", "/_abacito/snapshot", user=None).content
    assert control(api, "POST", "resume") == {"paused": False}
    assert execution.wait().status == "COMPLETE"

    assert control(api, "PUT", "snapshot", data=saved) == {"paused": True}
    assert control(api, "GET", "pause") == {"paused": True}
    assert execution.status == "SUBMITTED"


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", gzip.compress(b"{}"), gzip.compress(b"[1]")[:-3]],
    ids=["nothing", "text", "no fields", "cut off"],
)
def test_what_is_no_snapshot_is_refused_and_nothing_is_done(api: Api, data: bytes) -> None:
    actor = api.actor()

    assert "snapshot" in api.refusal("PUT", "/_abacito/snapshot", user=None, data=data)

    assert ids(api) == [actor]


@pytest.mark.parametrize("body", [{"to": "nowhere"}, {"to": "empty", "more": 1}, [], "empty", 1])
def test_a_reset_to_elsewhere_is_refused_and_nothing_is_done(api: Api, body: Any) -> None:
    actor = api.actor()

    assert 'The body is {"to": "empty"}' in api.refusal("POST", "/_abacito/reset", user=None, json=body)

    assert ids(api) == [actor]


@pytest.mark.parametrize(
    "asked", ["GET snapshot", "PUT snapshot", "POST reset", "GET pause", "POST pause", "POST resume"]
)
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}], ids=str)
def test_only_this_machine_steers(api: Api, asked: str, headers: dict[str, str]) -> None:
    method, path = asked.split()
    response = requests.request(method, f"{api.emulator.url}/_abacito/{path}", headers=headers, timeout=20)

    assert (response.status_code, "on this machine only" in response.text) == (400, True)
    assert not api.emulator.is_paused
