"""Tapis v3's face of Abaco: the same rules under ``/v3/actors``, whatever the case of v2's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from abacito.client import Execution
from tests.api.conftest import Api


def ask(api: Api, method: str, path: str, token: str | None = None, **arguments: Any) -> requests.Response:
    """As Tapis v3 clients do: with their own header, and none other."""
    headers = {"X-Tapis-Token": token or api.emulator.token, **arguments.pop("headers", {})}
    return requests.request(method, api.emulator.url + path, headers=headers, timeout=20, **arguments)


def result(api: Api, method: str, path: str, **arguments: Any) -> Any:
    response = ask(api, method, path, **arguments)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"message", "status", "version", "result"}
    return body["result"]


def field_names(value: Any) -> set[str]:
    """All names of fields, at every depth, but for links and what users put there."""
    if isinstance(value, list):
        return {name for each in value for name in field_names(each)}
    if not isinstance(value, dict):
        return set()
    inner = {key: each for key, each in value.items() if key not in ("_links", "final_state", "state", "permissions")}
    return set(value) | {name for each in inner.values() for name in field_names(each)}


#: Method, path under ``/v3/actors`` and body of each of the operations that tapipy has (clients §7.2), in an order
#: in which they can be asked. ``{a}``: the actor, ``{x}``: its execution, ``{n}``: its nonce.
OPERATIONS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "", None),
    ("GET", "/{a}", None),
    ("PUT", "/{a}", {"image": "{image}", "stateless": False, "default_environment": {"k": "v"}}),
    ("GET", "/{a}/messages", None),
    ("POST", "/{a}/messages", {"message": "hello"}),
    ("POST", "/{a}//messages", {"message": "hello"}),
    ("POST", "/{a}///messages", {"message": "hello"}),
    ("DELETE", "/{a}/messages", None),
    ("GET", "/{a}/executions", None),
    ("GET", "/{a}/executions/{x}", None),
    ("GET", "/{a}/executions/{x}/logs", None),
    ("GET", "/{a}/state", None),
    ("POST", "/{a}/state", {"some": "state"}),
    ("GET", "/{a}/nonces", None),
    ("POST", "/{a}/nonces", {"level": "READ", "max_uses": 3}),
    ("GET", "/{a}/nonces/{n}", None),
    ("DELETE", "/{a}/nonces/{n}", None),
    ("GET", "/{a}/permissions", None),
    ("POST", "/{a}/permissions", {"user": "jane", "level": "READ"}),
    ("GET", "/{a}/workers", None),
    ("POST", "/{a}/workers", {"num": 2}),
    ("POST", "/aliases", {"alias": "mine", "actor_id": "{a}"}),
    ("GET", "/aliases", None),
    ("GET", "/aliases/mine", None),
    ("PUT", "/aliases/mine", {"actor_id": "{a}"}),
    ("DELETE", "/aliases/mine", None),
    ("GET", "/search/actors", None),
    ("GET", "/search/executions", None),
    ("DELETE", "/{a}", None),
)


def filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, words) for key, each in value.items()}
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(f"{{{word}}}", text)
    return value


def test_every_operation_of_v3_is_answered_in_snake_case(api: Api) -> None:
    image = api.emulator.stub(lambda context: context.send_result(context.message))
    actor = result(api, "POST", "/v3/actors", json={"image": image, "stateless": False})["id"]
    api.handle(actor).wait()
    execution = api.run(actor, "one").id
    taken = ask(api, "GET", f"/v3/actors/{actor}/executions/{execution}/results")
    assert (taken.status_code, taken.content) == (200, b"one")
    nonce = result(api, "POST", f"/v3/actors/{actor}/nonces")["id"]
    words = {"a": actor, "x": execution, "n": nonce, "image": image}

    names: set[str] = set()
    for method, path, body in OPERATIONS:
        asked = {} if body is None else {"json": filled(body, words)}
        names |= field_names(result(api, method, "/v3/actors" + filled(path, words), **asked))

    camel = {name for name in names if name != name.lower()}
    assert camel == {"executionId"}  # beside execution_id: tapipy's own description has this one
    assert {"default_environment", "execution_id", "max_uses", "run_as_executor", "total_executions"} <= names


def test_links_lead_to_where_v3_is_served(api: Api) -> None:
    image = api.emulator.stub(print)
    actor = result(api, "POST", "/v3/actors", json={"image": image})

    assert result(api, "GET", actor["_links"]["self"].removeprefix(api.emulator.url))["id"] == actor["id"]
    assert "/v3/actors/" in actor["_links"]["self"]
    owner = result(api, "GET", actor["_links"]["owner"].removeprefix(api.emulator.url))
    assert owner["username"] == "admin"
    alias = result(api, "POST", "/v3/actors/aliases", json={"alias": "mine", "actor_id": actor["id"]})
    assert result(api, "GET", alias["_links"]["self"].removeprefix(api.emulator.url))["alias"] == "mine"
    (found,) = result(api, "GET", "/v3/actors/search/actors")["search"]
    assert found["_links"] == actor["_links"]


def test_one_token_and_one_store_serve_both_faces(api: Api) -> None:
    token = api.emulator.token
    made = api.result("POST", "/actors", json={"image": api.emulator.stub(print), "name": "from v2"})

    seen = result(api, "GET", f"/v3/actors/{made['id']}", token=token)

    assert (seen["name"], seen["default_environment"]) == ("from v2", {})
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{api.emulator.url}/actors/v2/{made['id']}", headers=bearer, timeout=10).status_code == 200
    assert requests.get(f"{api.emulator.url}/v3/actors/{made['id']}", headers=bearer, timeout=10).status_code == 200
    as_v2 = api.result("GET", f"/actors/{made['id']}")
    assert "run_as_executor" not in as_v2
    assert "runAsExecutor" not in as_v2


def test_the_token_header_makes_a_request_v3s_whatever_its_path(api: Api) -> None:
    image = api.emulator.stub(print)
    actor = result(api, "POST", "/v3/actors", json={"image": image})["id"]
    api.handle(actor).wait()

    posted = result(api, "POST", f"/actors/{actor}///messages", json={"message": "m"})

    assert posted["execution_id"] == posted["executionId"]
    assert "/v3/actors/" in posted["_links"]["self"]


def test_tokens_that_do_not_count_are_refused_in_the_envelope(api: Api) -> None:
    token = api.emulator.token
    missing = requests.get(f"{api.emulator.url}/v3/actors", timeout=10)
    wrong = ask(api, "GET", "/v3/actors", token="x.y.z")
    api.travel(timedelta(hours=4, seconds=1))
    expired = ask(api, "GET", "/v3/actors", token=token)

    for response, message in (
        (missing, "No access token found in the request."),
        (wrong, "Invalid Tapis token."),
        (expired, "Invalid Tapis token."),
    ):
        body = response.json()
        assert (response.status_code, body["status"], body["result"]) == (401, "error", None)
        assert body["message"] == message


def test_refusals_are_those_of_v2(api: Api) -> None:
    for method, path, body in (
        ("GET", "/actors/nothing", None),
        ("POST", "/actors", {}),
        ("PATCH", "/actors", None),
        ("GET", "/actors/search/nothing", None),
        ("GET", "/actors/aliases/none", None),
    ):
        v2, v3 = api.send(method, path, json=body), ask(api, method, f"/v3{path}", json=body)

        assert (v3.status_code, v3.json()) == (v2.status_code, v2.json())


def test_a_nonce_opens_v3s_face_too(api: Api) -> None:
    actor = api.actor()
    nonce = result(api, "POST", f"/v3/actors/{actor}/nonces", json={"max_uses": 1, "level": "READ"})

    url = f"{api.emulator.url}/v3/actors/{actor}?x-nonce={nonce['id']}"

    assert [requests.get(url, timeout=10).status_code for _ in range(2)] == [200, 400]


@pytest.mark.parametrize(("as_executor", "user"), [(True, "jane"), (False, "admin")])
def test_a_container_has_the_token_of_its_actors_owner_or_of_who_posted(api: Api, as_executor: bool, user: str) -> None:
    seen: dict[str, str] = {}
    body = {"image": api.emulator.stub(lambda context: seen.update(context.environment)), "token": True}
    actor = result(api, "POST", "/v3/actors", json={**body, "run_as_executor": as_executor})
    api.handle(actor["id"]).wait()
    result(api, "POST", f"/v3/actors/{actor['id']}/permissions", json={"user": "jane", "level": "EXECUTE"})
    token = api.emulator.token_for("jane")

    posted = result(api, "POST", f"/v3/actors/{actor['id']}/messages", token=token, json={"message": "m"})
    Execution(api.emulator.client(), api.handle(actor["id"]), posted["execution_id"]).wait()

    assert actor["run_as_executor"] is as_executor
    told = {"Authorization": f"Bearer {seen['_abaco_access_token']}"}
    mine = requests.get(f"{api.emulator.url}/profiles/v2/me", headers=told, timeout=10).json()["result"]
    assert mine["username"] == user


@pytest.mark.parametrize("given", ["maybe", {}, 3])
def test_run_as_executor_is_a_boolean_to_v3_and_nothing_to_v2(api: Api, given: Any) -> None:
    body = {"image": api.emulator.stub(print), "run_as_executor": given, "runAsExecutor": given}

    v3, v2 = ask(api, "POST", "/v3/actors", json=body), api.send("POST", "/actors", json=body)

    assert v3.status_code == 400
    assert "run_as_executor" in v3.json()["message"]
    assert v2.status_code == 200
