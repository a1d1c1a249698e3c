from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api

NOT_SERIALIZABLE = "Invalid actor state description: state must be JSON serializable."


def remembers(context: Any) -> None:
    print(context.environment["_abaco_actor_state"])


def test_a_new_actor_has_an_empty_state(api: Api) -> None:
    """spec: http-api #104; spec: execution #105"""
    actor = api.actor(remembers, stateless=False)

    assert api.result("GET", f"/actors/{actor}/state") == {"state": {}}
    assert api.run(actor).logs == "{}\n"


@pytest.mark.parametrize("value", [{"a": True}, "abc", [1, True, None], 5, True])
def test_a_state_is_replaced_and_the_next_execution_sees_it_as_python_text(api: Api, value: Any) -> None:
    """spec: http-api #105, #106; spec: execution #105, #106"""
    actor = api.actor(remembers, stateless=False)
    api.result("POST", f"/actors/{actor}/state", json={"before": 1})

    response = api.send("POST", f"/actors/{actor}/state", json=value).json()

    assert response["message"] == "State updated successfully."
    assert (response["result"]["id"], response["result"]["state"]) == (actor, value)
    assert api.send("GET", f"/actors/{actor}/state").json()["message"] == "Actor state retrieved successfully."
    assert api.result("GET", f"/actors/{actor}/state") == {"state": value}
    assert api.run(actor).logs == f"{value}\n"


@pytest.mark.parametrize("body", [b"{}", b"[]", b'""', b"0", b"false", b"null", b"", b"{"])
def test_what_is_falsy_or_no_json_is_no_state(api: Api, body: bytes) -> None:
    """spec: http-api #107"""
    actor = api.actor(stateless=False)

    message = api.refusal("POST", f"/actors/{actor}/state", data=body, headers={"Content-Type": "application/json"})

    assert message == NOT_SERIALIZABLE


def test_a_form_is_no_state(api: Api) -> None:
    """spec: http-api #107"""
    actor = api.actor(stateless=False)

    assert api.refusal("POST", f"/actors/{actor}/state", data={"state": "abc"}) == NOT_SERIALIZABLE


def test_a_stateless_actor_keeps_none_whatever_the_body(api: Api) -> None:
    """spec: http-api #108; spec: execution #107"""
    actor = api.actor()

    assert api.refusal("POST", f"/actors/{actor}/state", 404, json={"a": 1}) == "actor is stateless."
    assert api.refusal("POST", f"/actors/{actor}/state", 404, data=b"{") == "actor is stateless."
    assert api.result("GET", f"/actors/{actor}/state") == {"state": {}}


def test_other_methods_are_not_allowed(api: Api) -> None:
    actor = api.actor()

    for method in ("PUT", "DELETE"):
        api.refusal(method, f"/actors/{actor}/state", 405)


def test_a_state_needs_permission(api: Api) -> None:
    actor = api.actor(stateless=False)

    for method in ("GET", "POST"):
        message = api.refusal(method, f"/actors/{actor}/state", user="jdoe", json={"a": 1})
        assert message == "Not authorized -- you do not have access to this actor."


def test_a_counting_actor_counts(api: Api) -> None:
    """spec: execution #108"""
    import requests

    def counts(context: Any) -> None:
        address = f"{context.environment['_abaco_api_server']}/actors/v2/{context.environment['_abaco_actor_id']}/state"
        token = {"Authorization": f"Bearer {context.environment['_abaco_access_token']}"}
        count = context.state.get("count", 0) + 1
        requests.post(address, json={"count": count}, headers=token, timeout=10).raise_for_status()

    actor = api.actor(counts, stateless=False)
    executions = [api.handle(actor).send(str(number)) for number in range(10)]
    for execution in executions:
        assert execution.wait().exit_code == 0, execution.logs

    assert api.result("GET", f"/actors/{actor}/state") == {"state": {"count": 10}}
