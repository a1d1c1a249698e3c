from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import Api

NOT_SERIALIZABLE = "message POST body could not be serialized. Pass JSON data or use the message attribute."


def env(context: Any) -> None:
    """An actor that prints its environment, one variable a line, as Python text."""
    for name, value in sorted(context.environment.items()):
        print(f"{name}={value!r}")


def seen(api: Api, query: str = "", **request: Any) -> dict[str, str]:
    """What an actor sees of such a message."""
    actor = api.actor(env)
    api.result("POST", f"/actors/{actor}/messages{query}", **request)
    return seen_by(api, actor)


def seen_by(api: Api, actor: str) -> dict[str, str]:
    found = api.result("GET", f"/actors/{actor}/executions")["executions"][-1]["id"]
    from abacito.client import Execution

    handle = api.handle(actor)
    logs = Execution(api.emulator.client(), handle, found).wait().logs
    return {name: eval(text) for name, _, text in (line.partition("=") for line in logs.splitlines())}


def test_a_form_message_is_echoed_and_linked(api: Api) -> None:
    """spec: http-api #69"""
    actor = api.actor()

    response = api.send("POST", f"/actors/{actor}/messages", data={"message": "hello"})

    result, url = response.json()["result"], f"{api.emulator.url}/actors/v2/{actor}"
    execution = result[api.name("execution_id")]
    assert response.json()["message"] == "The request was successful"
    assert result["msg"] == "hello"
    assert result["_links"] == {
        "self": f"{url}/executions/{execution}",
        "owner": f"{api.emulator.url}/profiles/v2/admin",
        "messages": f"{url}/messages",
    }


JSON = {"headers": {"Content-Type": "application/json"}}
TEXT = {"headers": {"Content-Type": "text/plain"}}


@pytest.mark.parametrize(
    ("request_", "content_type", "msg"),
    [
        pytest.param({"data": {"message": "some test message"}}, "str", "some test message", id="spec: execution #1"),
        pytest.param(
            {"json": {"key1": "value1", "n": [1, True, None]}},
            "application/json",
            "{'key1': 'value1', 'n': [1, True, None]}",
            id="spec: execution #2",
        ),
        pytest.param({"json": {"b": "é", "a": 1}}, "application/json", "{'b': 'é', 'a': 1}", id="spec: execution #3"),
        pytest.param({"json": {"message": "hi", "x": 1}}, "str", "hi", id="spec: execution #4"),
        pytest.param({"json": {"message": {"a": 1}}}, "str", "{'a': 1}", id="spec: execution #5"),
        pytest.param({"json": {"message": [1, 2]}}, "str", "1", id="first of a list"),
        pytest.param({"json": {"message": 0}}, "str", "0", id="zero"),
        pytest.param({"json": {"message": ""}}, "application/json", "{'message': ''}", id="spec: execution #6"),
        pytest.param({"json": {"message": None}}, "application/json", "{'message': None}", id="null message"),
        pytest.param({"data": b"{}", **JSON}, "str", "{}", id="spec: execution #7"),
        pytest.param({"data": b"[]", **JSON}, "str", "[]", id="empty list"),
        pytest.param({"data": b'""', **JSON}, "str", "", id="empty text"),
        pytest.param({"json": [1, 2, 3]}, "application/json", "[1, 2, 3]", id="spec: execution #9"),
        pytest.param({"json": ["ab", "cd"]}, "application/json", "['ab', 'cd']", id="list of pairs"),
        pytest.param({"json": [["message", "x"]]}, "str", "x", id="list that names a message"),
        pytest.param({"json": [{"a": 1}]}, "application/json", "[{'a': 1}]", id="list of objects"),
        pytest.param({"json": "abc"}, "application/json", "abc", id="JSON text"),
        pytest.param({"data": b"0", **JSON}, "application/json", "0", id="JSON zero"),
        pytest.param({"data": b"false", **JSON}, "application/json", "False", id="JSON false"),
        pytest.param({"data": b'{"a":1}', **TEXT}, "str", "{'a': 1}", id="spec: execution #11"),
        pytest.param({"json": {"a": 1e20}}, "application/json", "{'a': 1e+20}", id="a large number"),
    ],
)
def test_each_kind_of_body_reaches_the_actor_in_its_form(
    api: Api, request_: dict[str, Any], content_type: str, msg: str
) -> None:
    """spec: http-api #70, #71, #72, #78"""
    found = seen(api, **request_)

    assert (found["_abaco_Content_Type"], found["MSG"]) == (content_type, msg)
    assert "_abaco_Content-Type" not in found  # spec: execution #28


def test_json_null_is_no_message_at_all(api: Api) -> None:
    """spec: execution #8"""
    found = seen(api, data=b"null", headers={"Content-Type": "application/json"})

    assert "MSG" not in found
    assert found["_abaco_Content_Type"] == "str"


def test_the_query_beats_the_form_and_json_beats_the_query(api: Api) -> None:
    """spec: execution #10"""
    assert seen(api, "?message=q", data={"message": "f"})["MSG"] == "q"
    assert seen(api, "?message=q", json={"message": "j"})["MSG"] == "j"


def test_text_arrives_byte_for_byte(api: Api) -> None:
    """spec: execution #12"""
    text = "line\nnext 'quoted' \"twice\" a=b $HOME ☃ 🙂"

    assert seen(api, data={"message": text})["MSG"] == text


def test_a_binary_message_is_omitted_in_the_answer_and_has_no_msg(api: Api) -> None:
    """spec: http-api #73; spec: execution #34"""
    actor = api.actor(env)

    result = api.result("POST", f"/actors/{actor}/messages", data=bytes(range(256)),
                        headers={"Content-Type": "application/octet-stream"})  # fmt: skip

    found = seen_by(api, actor)
    assert result["msg"] == "binary - omitted"
    assert "MSG" not in found
    assert found["_abaco_Content_Type"] == "application/octet-stream"


def test_a_binary_message_arrives_whole(api: Api) -> None:
    def digest(context: Any) -> None:
        print(len(context.message), context.message == bytes(range(256)) * 400)

    actor = api.actor(digest)

    assert api.run(actor, bytes(range(256)) * 400).logs.strip() == "102400 True"


def test_an_empty_binary_message_needs_its_length_said(api: Api) -> None:
    """spec: http-api #74"""
    actor = api.actor()
    headers = {"Content-Type": "application/octet-stream"}

    assert api.result("POST", f"/actors/{actor}/messages", data=b"", headers=headers)["msg"] == "binary - omitted"
    assert _post_without_length(api, actor) == "Content Length required for application/octet-stream."


def _post_without_length(api: Api, actor: str) -> str:
    head, answer = raw(api, actor, "")
    assert head.startswith("HTTP/1.1 400 ")
    return str(answer["message"])


def raw(api: Api, actor: str, more: str) -> tuple[str, dict[str, Any]]:
    """Head and body of the answer to a binary message, sent as it is; ``more``: further headers, and the body."""
    host, port = urlsplit(api.emulator.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        start = f"POST /actors/{actor}/messages HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        token = f"Authorization: Bearer {api.emulator.token}\r\nContent-Type: application/octet-stream\r\n"
        connection.sendall(f"{start}{token}{more or chr(13) + chr(10)}".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return head, json.loads(body)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("Content-Length: abc\r\n\r\n", "Content Length must be an integer."),
        ("Content-Length: 600000000\r\n\r\nab", "Message exceeds max content length of: 500000000"),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            "Content Length required for application/octet-stream.",
        ),
    ],
)
def test_a_binary_message_with_a_wrong_length_is_refused_at_once(api: Api, more: str, message: str) -> None:
    """spec: http-api #74, #75; spec: execution #35"""
    head, answer = raw(api, api.actor(), more)

    assert head.startswith("HTTP/1.1 400 ")
    assert (answer["status"], answer["message"], answer["result"]) == ("error", message, None)


@pytest.mark.parametrize("depth", [450, 5000, 100_000])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_json_that_nests_too_deep_is_no_message(api: Api, depth: int, content_type: str) -> None:
    actor = api.actor()

    message = api.refusal(
        "POST", f"/actors/{actor}/messages", data=b"[" * depth + b"]" * depth, headers={"Content-Type": content_type}
    )

    assert message == NOT_SERIALIZABLE


def test_json_that_nests_deep_is_a_message(api: Api) -> None:
    text = "[" * 300 + "]" * 300

    assert seen(api, data=text, headers={"Content-Type": "application/json"})["MSG"] == text


@pytest.mark.parametrize(
    "request_",
    [
        {"data": b"hello", "headers": {"Content-Type": "text/plain"}},
        {"data": {"other": "x"}},
        {"data": {"message": ""}},
        {},
        {"data": b"", "headers": {"Content-Type": "application/json"}},
        {"data": b'{"a":', "headers": {"Content-Type": "application/json"}},
        {"data": b"xyz", "headers": {"Content-Type": "application/octet-stream; charset=x"}},
        {"data": {"message": "a\0b"}},
        {"json": "a\0b"},
        {"data": b'"half \\ud800 of a pair"', "headers": {"Content-Type": "application/json"}},
        {"data": {"message": "m"}, "params": {"a": "x\0"}},
    ],
    ids=lambda r: str(r)[:40],
)
def test_what_cannot_be_a_message_is_refused_and_leaves_no_execution(api: Api, request_: dict[str, Any]) -> None:
    """spec: http-api #76, #77"""
    actor = api.actor()

    message = api.refusal("POST", f"/actors/{actor}/messages", **request_)

    assert message == NOT_SERIALIZABLE
    assert api.result("GET", f"/actors/{actor}/executions")["executions"] == []


def test_query_parameters_are_variables_over_the_default_environment_and_under_the_platforms(api: Api) -> None:
    """spec: http-api #79; spec: execution #14, #15, #16"""
    actor = api.actor(env, default_environment={"key1": "default", "key2": "kept"})

    query = "key1=once&new=1&new=2&_abaco_username=evil&_abaco_execution_id=fake&_abaco_access_token=fake&MSG=fake"
    api.result("POST", f"/actors/{actor}/messages?{query}", data={"message": "m"})
    first = seen_by(api, actor)
    api.result("POST", f"/actors/{actor}/messages", data={"message": "m"})
    second = seen_by(api, actor)

    assert (first["key1"], first["key2"], first["new"], first["MSG"]) == ("once", "kept", "1", "m")
    assert (first["_abaco_username"], second["key1"]) == ("admin", "default")
    assert "fake" not in (first["_abaco_execution_id"], first["_abaco_access_token"])


def test_values_of_the_default_environment_are_pythons_text(api: Api) -> None:
    """spec: execution #17"""
    actor = api.actor(env, default_environment={"n": 5, "t": True, "none": None, "o": {"a": True}})

    api.run(actor)
    found = seen_by(api, actor)

    assert (found["n"], found["t"], found["o"]) == ("5", "True", "{'a': True}")
    assert "none" not in found


def test_the_platforms_variables_are_all_there(api: Api) -> None:
    """spec: execution #18, #19, #20, #21, #22, #27"""
    actor = api.actor(env)

    execution = api.run(actor).details
    found = seen_by(api, actor)

    wanted = {
        "_abaco_actor_id": actor,
        "_abaco_actor_dbid": f"TACC-PROD_{actor}",
        "_abaco_worker_id": execution["worker_id"],
        "_abaco_execution_id": execution["id"],
        "_abaco_container_repo": api.handle(actor).details["image"],
        "_abaco_actor_name": "None",
        "_abaco_actor_state": "{}",
        "_abaco_username": "admin",
        "_abaco_actor_revision": "1",
        "_actor_configs": "{}",
        "_abaco_jwt_header_name": "X-Jwt-Assertion-Tacc-Prod",
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["_abaco_access_token"]
    assert found["_abaco_api_server"].startswith("http://")


def test_the_containers_token_is_its_owners(api: Api) -> None:
    """spec: execution #24, #87, #89"""
    actor = api.actor(env, user="jdoe")

    tokens = []
    for _ in range(2):
        api.run(actor)
        tokens.append(seen_by(api, actor)["_abaco_access_token"])

    assert tokens[0] != tokens[1]
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    assert [a["owner"] for a in api.result("GET", "/actors", user=None, headers=headers)] == ["jdoe"]
    assert seen_by(api, actor)["_abaco_username"] == "admin"


def test_an_actor_without_token_gets_an_empty_one(api: Api) -> None:
    """spec: execution #88"""
    actor = api.actor(env, token=False)

    api.run(actor)

    assert seen_by(api, actor)["_abaco_access_token"] == ""


def test_a_message_that_asks_for_privileges_is_refused_as_abaco_does(api: Api) -> None:
    """spec: http-api #80"""
    actor = api.actor(user="jdoe")

    message = api.refusal("POST", f"/actors/{actor}/messages", user="jdoe", json={"queue": "x"})

    assert message == "Not authorized -- only admins and privileged users can set queue."
    api.result("POST", f"/actors/{actor}/messages", json={"queue": "x"})


def test_waiting_messages_are_counted_and_purged(api: Api) -> None:
    """spec: http-api #83, #84, #85"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]
    with pytest.raises(TimeoutError):
        api.handle(actor).wait()
    path = f"/actors/{actor}/messages"

    executions = [api.result("POST", path, data={"message": "m"})[api.name("execution_id")] for _ in range(3)]
    waiting = api.result("GET", path)["messages"]
    purged = api.result("DELETE", path)

    assert waiting == 3
    assert purged["msg"] == "Actor mailbox purged."
    assert api.result("GET", path)["messages"] == 0
    statuses = {api.result("GET", f"/actors/{actor}/executions/{e}")["status"] for e in executions}
    assert statuses == {"SUBMITTED"}


def test_messages_to_an_actor_that_does_not_exist_are_refused(api: Api) -> None:
    actor = api.actor(user="jdoe")
    api.result("DELETE", f"/actors/{actor}")

    assert api.refusal("POST", f"/actors/{actor}/messages", 404, data={"message": "m"}) == (
        f"No actor found with id: {actor}."
    )
    assert api.refusal("POST", f"/actors/{actor}/messages", user="jdoe", data={"message": "m"}) == (
        f"Actor TACC-PROD_{actor} does not exist"
    )


def test_a_synchronous_post_answers_the_log_as_text(api: Api) -> None:
    """spec: http-api #81; spec: execution #114, #118"""
    actor = api.actor(lambda context: print("said", context.message))

    response = api.send("POST", f"/actors/{actor}/messages?_abaco_synchronous=TRUE", data={"message": "m"})

    assert (response.status_code, response.text) == (200, "said m\n")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_synchronous_post_answers_the_first_result_as_it_is(api: Api) -> None:
    """spec: http-api #81"""

    def sends(context: Any) -> None:
        context.send_result(b"one")
        context.send_result(b"two")

    actor = api.actor(sends)

    response = api.send("POST", f"/actors/{actor}/messages?_abaco_synchronous=true", data={"message": "m"})

    assert (response.content, response.headers["Content-Type"]) == (b"one", "application/octet-stream")
    execution = api.result("GET", f"/actors/{actor}/executions")["executions"][0]["id"]
    assert api.send("GET", f"/actors/{actor}/executions/{execution}/results").content == b"two"


def test_any_other_value_is_asynchronous(api: Api) -> None:
    """spec: http-api #82; spec: execution #118"""
    found = seen(api, "?_abaco_synchronous=yes", data={"message": "m"})

    assert found["_abaco_synchronous"] == "yes"
