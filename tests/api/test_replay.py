"""An execution's message once more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_updates import put


def shows(context: Any) -> None:
    shown = ("MSG", "key", "more", "_abaco_actor_state", "_abaco_username")
    print({name: context.environment.get(name) for name in shown})
    print(context.environment["_abaco_execution_id"])


def test_a_replay_has_the_message_and_the_environment_of_the_first(api: Api) -> None:
    actor = api.actor(shows, stateless=False, default_environment={"key": "then"})
    api.result("POST", f"/actors/{actor}/state", json={"count": 1})
    first = api.run(actor, "hello", more="query")
    api.result("POST", f"/actors/{actor}/state", json={"count": 2})
    put(api, actor, stateless=False, default_environment={"key": "now", "new": "x"})

    again = first.replay().wait()

    assert again.logs.splitlines()[0] == first.logs.splitlines()[0]
    assert "'key': 'then', 'more': 'query'" in again.logs
    assert "{'count': 1}" in again.logs
    assert again.logs.splitlines()[1] == again.id != first.id
    assert again.replay().wait().logs.splitlines()[0] == first.logs.splitlines()[0]


@pytest.mark.parametrize("message", [b"\0\1binary", {"a": [1, None]}])
def test_messages_of_every_kind_are_replayed(api: Api, message: Any) -> None:
    actor = api.actor(lambda context: print(repr(context.message)))
    first = api.run(actor, message)

    assert first.logs in (f"{message!r}\n", f"{str(message)!r}\n")
    assert first.replay().wait().logs == first.logs


def test_an_execution_is_found_without_its_actor(api: Api) -> None:
    first = api.run(api.actor(shows))

    again = api.result("POST", f"/_abacito/replay?execution={first.id}")

    assert again[api.name("actor_id")] == first.actor.id
    assert "No executions found" in api.refusal("POST", f"/_abacito/replay?actor={first.actor.id}&execution=nope")
    assert api.refusal("POST", "/_abacito/replay?execution=nope", 404) == "Actor with identifier 'nobody's' not found"


def test_a_replay_needs_the_permission_to_execute(api: Api) -> None:
    first = api.run(api.actor(shows))

    path = f"/_abacito/replay?actor={first.actor.id}&execution={first.id}"

    assert api.refusal("POST", path, user="jdoe") == "Not authorized -- you do not have access to this actor."


def test_what_has_not_run_cannot_be_replayed(api: Api) -> None:
    actor = api.result("POST", "/actors", json={"image": "nobody/has:this"})["id"]
    waiting = api.handle(actor).send("m")

    refusal = api.refusal("POST", f"/_abacito/replay?actor={actor}&execution={waiting.id}")

    assert refusal == f"Execution {waiting.id} cannot be run again: what it had of its actor is not known."
