"""Links, webhooks and events over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from abacito.abaco.linking import has_cycle
from tests.api.conftest import Api
from tests.api.test_updates import body, put, until


class Receiver:
    """A server that keeps what is posted to it."""

    def __init__(self, status: int = 200) -> None:
        received = self.received = []  # type: ignore[var-annotated]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.headers, json.loads(data)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def executions(api: Api, actor: str) -> list[Any]:
    return list(api.result("GET", f"/actors/{actor}/executions")["executions"])


def logs(api: Api, actor: str) -> list[str]:
    """The logs of an actor's executions that are COMPLETE, oldest first."""
    done = [each["id"] for each in executions(api, actor) if each["status"] == "COMPLETE"]
    return [api.result("GET", f"/actors/{actor}/executions/{each}/logs")["logs"] for each in done]


def test_a_link_is_an_actor_or_an_alias_and_shown_as_typed(api: Api) -> None:
    """spec: http-api-more #98"""
    target = api.actor()
    api.result("POST", "/actors/aliases", json={"alias": "target", api.name("actor_id"): target})

    for link in (target, "target"):
        created = api.result("POST", "/actors", json={"image": api.emulator.stub(print), "link": link})
        assert created["link"] == link


def test_a_link_to_nothing_is_refused(api: Api) -> None:
    """spec: http-api-more #98"""
    gone = api.actor()
    api.result("DELETE", f"/actors/{gone}")
    must_be = "The link must be a valid actor id or alias for which you have EXECUTE permission."

    word = api.refusal("POST", "/actors", json={"image": "x", "link": "nope"})
    actor_id = api.refusal("POST", "/actors", json={"image": "x", "link": gone})

    assert word == f"Invalid link parameter; unable to retrieve linked actor data. {must_be} "
    tenant = api.emulator.settings.tenant
    assert actor_id == f"Invalid link parameter. {must_be} Additional info: Actor {tenant}_{gone} does not exist"
    assert api.result("GET", "/actors") == []


def test_a_link_that_would_close_a_chain_is_refused(api: Api) -> None:
    """spec: http-api-more #99"""
    last = api.actor()
    middle = api.actor(link=last)
    first = api.actor(link=middle)

    refusal = api.refusal("PUT", f"/actors/{last}", json=body(api, last, link=first))

    assert "this update would result in a cycle of linked actors" in refusal
    assert put(api, last, link="")["link"] == ""


def test_a_cycle_made_by_an_alias_blocks_every_later_link(api: Api) -> None:
    one, other = api.actor(), api.actor()
    api.result("POST", "/actors/aliases", json={"alias": "mover", api.name("actor_id"): other})
    put(api, one, link="mover")
    api.result("PUT", "/actors/aliases/mover", json={api.name("actor_id"): one})

    refusal = api.refusal("PUT", f"/actors/{other}", json=body(api, other, link=api.actor()))

    assert "cycle of linked actors" in refusal


@pytest.mark.parametrize(
    ("links", "cyclic"),
    [
        ({}, False),
        ({"a": "b", "b": "c"}, False),
        ({"a": "c", "b": "c"}, False),
        ({"a": "b", "b": "a"}, True),
        ({"x": "a", "a": "a"}, True),
    ],
)
def test_a_cycle_is_found_wherever_it_is(links: dict[str, str], cyclic: bool) -> None:
    assert has_cycle(links) is cyclic


def test_a_linked_actor_hears_that_its_source_is_ready_and_of_each_execution(api: Api) -> None:
    """spec: http-api-more #100, #101; spec: execution #109, #66"""
    listener = api.actor(lambda context: print(context.message))
    source = api.actor(link=listener)
    until(lambda: len(logs(api, listener)) == 1)
    done = api.run(source)
    until(lambda: len(logs(api, listener)) == 2)

    ready, complete = logs(api, listener)

    assert "'event_type': 'ACTOR_READY'" in ready
    assert all(name in ready for name in ("event_time_utc", "event_time_display", f"'actor_id': '{source}'"))
    assert "'status_message': ' '" in ready
    assert "'event_type': 'EXECUTION_COMPLETE'" in complete
    assert f"'execution_id': '{done.id}', 'status': 'COMPLETE', 'exit_code': 0" in complete
    details = [api.result("GET", f"/actors/{listener}/executions/{each['id']}") for each in executions(api, listener)]
    assert {each["executor"] for each in details} == {"Abaco Event"}


def test_a_linked_actors_variables_say_that_an_event_came(api: Api) -> None:
    """spec: execution #110"""
    listener = api.actor(lambda context: print(sorted(context.environment.items())), stateless=False)
    api.actor(link=listener)
    until(lambda: len(logs(api, listener)) == 1)

    seen = logs(api, listener)[0]

    assert "('_abaco_Content_Type', 'application/json')" in seen
    assert "('_abaco_username', 'Abaco Event')" in seen
    assert "_abaco_jwt_header_name" not in seen
    assert "_abaco_actor_revision" not in seen


def test_chains_of_links_work(api: Api) -> None:
    last = api.actor(lambda context: print(context.message))
    middle = api.actor(link=last)
    api.actor(link=middle)

    until(lambda: any(f"'actor_id': '{middle}', 'execution_id'" in log for log in logs(api, last)))


def test_a_webhook_gets_the_event_as_json(api: Api, receiver: Receiver) -> None:
    """spec: http-api-more #102; spec: execution #111"""
    actor = api.actor(webhook=receiver.url)
    done = api.run(actor)
    until(lambda: len(receiver.received) == 2)

    (headers, ready), (_, complete) = receiver.received

    assert (ready["event_type"], ready["_abaco_webhook"]) == ("ACTOR_READY", receiver.url)
    assert (ready["_abaco_username"], ready["_abaco_link"]) == ("Abaco Event", "")
    assert (complete["event_type"], complete["execution_id"]) == ("EXECUTION_COMPLETE", done.id)
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers


def test_a_dead_webhook_changes_nothing(api: Api) -> None:
    """spec: http-api-more #102; spec: execution #111"""
    actor = api.actor(webhook="http://127.0.0.1:9/nobody")

    assert api.run(actor).details["status"] == "COMPLETE"
    assert api.run(actor).details["status"] == "COMPLETE"


@pytest.mark.parametrize("webhook", ["no url at all", "http://", "ftp://x/y", "http://[broken", "x" * 3000])
def test_a_webhook_that_is_no_url_harms_nobody(api: Api, webhook: str) -> None:
    assert api.run(api.actor(webhook=webhook)).details["status"] == "COMPLETE"


def test_link_and_webhook_are_both_served(api: Api, receiver: Receiver) -> None:
    """spec: execution #112"""
    listener = api.actor(lambda context: print(context.message))
    api.actor(link=listener, webhook=receiver.url)

    until(lambda: len(receiver.received) == 1 and len(logs(api, listener)) == 1)

    assert receiver.received[0][1]["_abaco_link"].endswith(listener)


def test_a_webhook_is_served_although_the_linked_actor_is_gone(api: Api, receiver: Receiver) -> None:
    listener = api.actor()
    source = api.actor(link=listener, webhook=receiver.url)
    until(lambda: len(receiver.received) == 1)
    api.result("DELETE", f"/actors/{listener}")

    api.run(source)

    until(lambda: len(receiver.received) == 2)


def test_a_webhook_to_a_mailbox_with_a_nonce_makes_an_execution(api: Api) -> None:
    """spec: http-api-more #103"""
    listener = api.actor(lambda context: print(context.message))
    nonce = api.result("POST", f"/actors/{listener}/nonces", json={})["id"]

    api.actor(webhook=f"{api.emulator.url}/actors/{listener}/messages?x-nonce={nonce}")

    until(lambda: len(logs(api, listener)) == 1)
    assert "'event_type': 'ACTOR_READY'" in logs(api, listener)[0]


def test_an_actor_in_error_is_an_event(api: Api) -> None:
    listener = api.actor(lambda context: print(context.message))
    api.result("POST", "/actors", json={"image": "nobody/has:this", "link": listener})

    until(lambda: len(logs(api, listener)) == 1)

    assert "'event_type': 'ACTOR_ERROR'" in logs(api, listener)[0]
    assert "'status_message': \"Spawner got an exception" in logs(api, listener)[0]


def test_more_workers_are_no_event(api: Api) -> None:
    listener = api.actor(lambda context: print(context.message))
    source = api.actor(stateless=False, link=listener)
    until(lambda: len(executions(api, listener)) == 1)

    api.result("POST", f"/actors/{source}/workers", json={"num": 3})
    until(lambda: all(each["status"] == "READY" for each in api.result("GET", f"/actors/{source}/workers")))
    api.run(source)
    until(lambda: len(logs(api, listener)) == 2)

    assert "EXECUTION_COMPLETE" in logs(api, listener)[1]
