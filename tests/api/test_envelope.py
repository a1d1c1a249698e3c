from __future__ import annotations

import json

import pytest

from tests.api.conftest import Api

ENDPOINT = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."


def test_every_answer_has_the_four_keys_and_the_version(api: Api) -> None:
    """spec: http-api #1, #3; spec: http-api-more #115"""
    for response in (api.send("GET", "/actors"), api.send("GET", "/actors/nope"), api.send("PUT", "/actors")):
        body = response.json()

        assert sorted(body) == ["message", "result", "status", "version"]
        assert body["version"] == "1.9.1"


def test_success_is_200_for_creation_too(api: Api) -> None:
    """spec: http-api #2"""
    assert api.send("POST", "/actors", json={"image": "x"}).status_code == 200


def test_json_is_sorted_indented_and_ends_with_a_newline(api: Api) -> None:
    """spec: http-api #4"""
    text = api.send("GET", "/actors").text

    assert text.startswith('{\n  "message": "Actors retrieved successfully.", \n  "result": [], \n')
    assert text.endswith("}\n")


def test_json_is_compact_for_xmlhttprequest(api: Api) -> None:
    """spec: http-api #4"""
    text = api.send("GET", "/actors", headers={"X-Requested-With": "XMLHttpRequest"}).text

    assert text.startswith('{"message":"Actors retrieved successfully.","result":[],')


def test_text_beyond_ascii_is_escaped_and_comes_back_the_same(api: Api) -> None:
    """spec: http-api #5"""
    response = api.send("POST", "/actors", json={"image": "x", "description": "naïve ☃"})

    assert response.text.isascii()
    assert response.json()["result"]["description"] == "naïve ☃"


def test_content_type_and_cors_header_are_on_success_and_on_error(api: Api) -> None:
    """spec: http-api #6; spec: http-api-more #111"""
    for path in ("/actors", "/actors/nope"):
        response = api.send("GET", path, headers={"Origin": "http://site"})

        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Access-Control-Allow-Origin"] == "http://site"
        assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/actors/v2", "//actors", "/actors/", "/actors//v2/"])
def test_both_roots_doubled_slashes_and_one_trailing_slash_are_the_same_place(api: Api, path: str) -> None:
    """spec: http-api #7, #8; spec: http-api-more #113"""
    actor = api.actor()

    assert [found["id"] for found in api.result("GET", path)] == [actor]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_405_with_the_fixed_text(api: Api, method: str) -> None:
    """spec: http-api #9; spec: http-api-more #112"""
    assert api.refusal(method, "/actors", 405) == ENDPOINT


def test_each_path_has_its_methods_and_no_others(api: Api) -> None:
    """spec: http-api #10, #11"""
    for path in (
        "/actors/A",
        "/actors/A/executions/E",
        "/actors/A/executions/E/logs",
        "/actors/A/executions/E/results",
        "/actors/A/nonces/N",
        "/actors/A/workers/W",
    ):
        assert api.refusal("POST", path, 405) == ENDPOINT
    for word in ("messages", "executions", "nonces", "workers", "permissions", "state"):
        assert api.refusal("PUT", f"/actors/A/{word}", 405) == ENDPOINT


def test_an_unknown_path_below_actors_is_404_in_the_envelope(api: Api) -> None:
    """spec: http-api #12; spec: http-api-more #114"""
    assert api.refusal("GET", "/actors/a/b/c", 404) == ENDPOINT


def test_a_path_outside_actors_is_not_an_abaco_endpoint(api: Api) -> None:
    response = api.send("GET", "/elsewhere")

    assert response.status_code == 404
    assert response.json() == {
        "message": "Invalid request: the requested URL is not an Abaco endpoint.",
        "result": None,
        "status": "error",
        "version": "unknown",
    }


def test_options_needs_nobody_and_tells_the_methods(api: Api) -> None:
    """spec: http-api #13; spec: http-api-more #111"""
    response = api.send("OPTIONS", "/actors", user=None, headers={"Access-Control-Request-Method": "POST"})

    assert (response.status_code, response.text) == (200, "")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


def test_head_is_a_get_without_its_body(api: Api) -> None:
    response = api.send("HEAD", "/actors")

    assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        ({}, 900902, "Missing Credentials"),
        ({"Authorization": "Bearer 0123456789abcdef"}, 900901, "Invalid Credentials"),
        ({"Authorization": "Basic abc"}, 900902, "Missing Credentials"),
    ],
)
@pytest.mark.parametrize("path", ["/actors", "/actors/nope", "/actors/a/b/c"])
def test_without_a_good_token_the_gateway_says_401_first(
    api: Api, path: str, headers: dict[str, str], code: int, message: str
) -> None:
    """spec: clients #13, #14"""
    response = api.send("GET", path, user=None, headers=headers)

    fault = response.json()["fault"]
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/json"
    assert (fault["code"], fault["message"]) == (code, message)


def test_a_user_without_a_role_of_abacos_is_refused(api: Api) -> None:
    """spec: http-api #18"""
    assert api.refusal("GET", "/actors", user="nobody") == "Not authorized -- missing required role."


def test_fields_and_nulls_follow_the_instances_case(api: Api) -> None:
    """spec: http-api #23, #24, #26"""
    wrong = "default_environment" if api.case == "camel" else "defaultEnvironment"
    right = api.name("default_environment")

    actor = api.result("POST", "/actors", json={"image": "x", wrong: {"no": 1}, right: {"some_key": {"a_b": 1}}})

    assert actor[right] == {"some_key": {"a_b": 1}}
    assert wrong not in actor
    assert ("name" in actor) == (api.case == "snake")


def test_the_state_of_the_emulator_is_told(api: Api) -> None:
    body = api.send("GET", "/_abacito/health", user=None).json()

    assert body["status"] == "ok"
    assert set(body["parts"]) == {"api", "store", "mailboxes", "poller", "runner"}


def test_a_body_is_json_whatever_it_holds(api: Api) -> None:
    actor = api.actor()

    echo = api.result("POST", f"/actors/{actor}/messages", json={"b": [None, "é"]})["msg"]

    assert json.dumps(echo) == json.dumps({"b": [None, "é"]})
