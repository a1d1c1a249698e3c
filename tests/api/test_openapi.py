"""What the OpenAPI document says is what there is, and an answer that it does not have is noticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

import flask
import pytest
import schemathesis
from flask import Flask, Response
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi import checks

from abacito.abaco.platform import Abaco
from abacito.api import Instance, create_app
from abacito.api.face import SNAKE, TAPIS, Face
from abacito.api.identity import NoIdentity
from abacito.api.openapi import document
from abacito.api.operations import OPERATIONS
from tests.api.conftest import Api
from tests.openapi import Answer, Checker, Description

CASES = ("camel", "snake")


def app_of(case: str) -> Flask:
    """An app whose routes are all there, with nothing behind them."""
    return create_app(cast(Abaco, None), NoIdentity("T"), Instance(case, "1.9.1"))


def described(case: Any = "camel") -> dict[str, Any]:
    return document(app_of(case), Face(case), version="1.9.1")


def served(api: Api, query: str = "") -> dict[str, Any]:
    response = api.send("GET", f"/_abacito/openapi.json{query}", user=None)
    assert response.status_code == 200
    return dict(response.json())


@pytest.mark.parametrize("face", [Face("camel"), SNAKE, TAPIS])
def test_the_document_is_valid_openapi_31(face: Face) -> None:
    OpenAPIV31SpecValidator(document(app_of("camel"), face, version="1.9.1")).validate()


def test_the_document_is_served_to_anybody_as_the_instance_is(api: Api) -> None:
    expected = described(api.case)

    assert served(api) == json.loads(json.dumps(expected))


def test_the_face_of_v3_is_described_too_with_all_that_abaco_has_and_nothing_of_ours(api: Api) -> None:
    paths = served(api, "?face=v3")["paths"]

    abaco = {path: item.keys() for path, item in described()["paths"].items() if path.startswith("/actors")}
    assert {path: item.keys() for path, item in paths.items()} == {f"/v3{path}": item for path, item in abaco.items()}


@pytest.mark.parametrize("case", CASES)
def test_every_route_of_abaco_and_of_ours_is_described(case: str) -> None:
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in app_of(case).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/actors", "/_abacito"))
    }

    assert {(path, method) for path, item in described(case)["paths"].items() for method in item} == routes


def test_a_route_that_is_not_described_is_an_error() -> None:
    app = app_of("snake")
    app.add_url_rule("/actors/<identifier>/news", "news", lambda identifier: "", methods=["GET"])

    with pytest.raises(AssertionError, match="not described: \\['news'\\]"):
        document(app, SNAKE, version="1.9.1")


def test_a_description_without_a_route_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"no route has it: .*'actors\.get_actor'"):
        document(Flask("empty"), SNAKE, version="1.9.1")


def test_the_names_of_fields_are_in_the_instances_case_in_bodies_and_in_answers() -> None:
    for case, name in (("camel", "maxWorkers"), ("snake", "max_workers")):
        post = described(case)["paths"]["/actors"]["post"]
        actor = described(case)["components"]["schemas"]["Actor"]

        body = post["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"][name]["description"] == "How many workers this actor is allowed at the same time."
        assert body["required"] == ["image"]
        assert name in actor["properties"]
        assert (name in actor["required"]) == (case == "snake")


def test_an_actor_has_33_fields_in_snake_and_may_do_with_23_in_camel() -> None:
    """spec: http-api #30, #24; the ten of an actor of which only the image is known are nulls"""
    snake, camel = (described(case)["components"]["schemas"]["Actor"] for case in ("snake", "camel"))

    assert len(snake["required"]) == len(snake["properties"]) == len(camel["properties"]) == 33
    assert {"name", "uid", "gid", "tasdir", "cronNextEx", "cronSchedule", "logEx", "maxCpus", "maxWorkers",
            "memLimit"}.isdisjoint(camel["required"])  # fmt: skip


# What the checker of all tests notices.

ALIAS = {"alias": "a", "actorId": "x", "owner": "o", "_links": dict.fromkeys(("self", "owner", "actor"), "http://h/x")}
ENVELOPE = {"message": "m", "result": ALIAS, "status": "success", "version": "1.9.1"}
REFUSAL = {**ENVELOPE, "result": None, "status": "error"}


def answer(body: Any, status: int = 200, content_type: str = "application/json", path: str | None = "") -> Answer:
    described_path = "/actors/aliases/{name}" if path == "" else path
    return Answer("GET", "/actors/aliases/a", described_path, status, content_type, json.dumps(body).encode())


def without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {field: value for field, value in fields.items() if field != name}


@pytest.mark.parametrize(
    "right",
    [
        answer(ENVELOPE),
        answer(REFUSAL, 400),
        answer(REFUSAL, 404, path=None),
        answer(REFUSAL, 405, path=None),
        answer({"fault": {"code": 900901, "message": "m", "description": "d"}}, 401),
        replace(answer({**REFUSAL, "version": "unknown"}, 404, path=None), url="/elsewhere"),
        replace(answer(ENVELOPE), method="HEAD"),
        replace(answer(None), method="OPTIONS", body=b""),
    ],
    ids=str,
)
def test_a_right_answer_has_no_fault(right: Answer) -> None:
    assert Description(described()).fault_of(right) is None


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (answer(without(ENVELOPE, "version")), "'version' is a required property"),
        (answer({**ENVELOPE, "result": {**ALIAS, "tenant": "t"}}), "'tenant' was unexpected"),
        (answer({**ENVELOPE, "result": {**without(ALIAS, "actorId"), "actor_id": "x"}}), "$.result: "),
        (answer({**ENVELOPE, "result": {**ALIAS, "owner": None}}), "None is not of type 'string'"),
        (answer({**ENVELOPE, "version": "2"}), "'1.9.1' was expected"),
        (answer(ENVELOPE, 201), "the status 201 is not described"),
        (answer(REFUSAL, 500), "the status 500 is not described"),
        (answer(ENVELOPE, content_type="text/html"), "the content type text/html is not described"),
        (answer({**REFUSAL, "result": []}, 400), "[] is not of type 'null'"),
        (answer(ENVELOPE, 404, path=None), "'error' was expected"),
        (answer(REFUSAL, 403, path=None), "the status 403 is not described"),
        (replace(answer(ENVELOPE), body=b"<html>"), "no JSON"),
        (replace(answer(ENVELOPE), method="OPTIONS"), "not an empty 200"),
    ],
    ids=str,
)
def test_a_wrong_answer_is_a_fault_that_says_what_is_wrong(wrong: Answer, fault: str) -> None:
    assert fault in str(Description(described()).fault_of(wrong))


def test_the_checker_names_method_path_and_status_of_what_an_app_answers_wrongly_and_only_once() -> None:
    app = app_of("camel")
    checker = Checker(lambda app, face: described())
    with app.test_request_context("/actors/aliases/a"):
        assert flask.request.url_rule is not None
        checker.check(app, Response(json.dumps(ENVELOPE), content_type="application/json"))
        assert checker.faults() == []

        checker.check(app, Response(json.dumps(REFUSAL), status=418, content_type="application/json"))

    assert checker.faults() == ["GET /actors/aliases/a answered 418 application/json: the status 418 is not described"]
    assert checker.faults() == []


def test_an_app_that_cannot_be_described_is_a_fault_of_its_first_answer() -> None:
    app = app_of("camel")
    app.add_url_rule("/_abacito/news", "news", lambda: "", methods=["GET"])
    checker = Checker(lambda app, face: document(app, face, version="1.9.1"))
    with app.test_request_context("/_abacito/news"):
        checker.check(app, Response(""))

    assert checker.faults() == ["not described: ['news']; each needs an entry in operations.OPERATIONS"]


# Requests that nobody thought of.

ROUTES = {
    operation["operationId"]: (path, method.upper())
    for path, item in described()["paths"].items()
    for method, operation in item.items()
}
assert len(ROUTES) == len(OPERATIONS)

#: What is not left to chance: the number of workers is, as in Abaco, without a limit.
FIXED: Mapping[str, Any] = {"ensure_workers": {"body": {"num": 2}, "media_type": "application/json"}}


@cache
def schema_of(case: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_dict(described(case))


def known_words(api: Api, path: str) -> dict[str, str]:
    """What stands for something in this path, of an actor with all that one can have."""
    actor = api.actor(stateless=False)  # whose worker stays
    api.result("POST", "/actors/aliases", json={"alias": "known", api.name("actor_id"): actor})
    config = {"name": "known", "value": "v", api.name("is_secret"): False, "actors": actor}
    api.result("POST", "/actors/configs", json=config)
    nonces = "/actors/aliases/known/nonces" if "/aliases/" in path else f"/actors/{actor}/nonces"
    words = {
        "identifier": lambda: actor,
        "execution_id": lambda: api.run(actor).id,
        "worker_id": lambda: api.result("GET", f"/actors/{actor}/workers")[0]["id"],
        "nonce_id": lambda: api.result("POST", nonces)["id"],
        "name": lambda: "known",
        "kind": lambda: "executions",
    }
    return {word: find() for word, find in words.items() if f"{{{word}}}" in path}


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_whatever_is_asked_within_the_description_is_answered_within_it(api: Api, name: str) -> None:
    path, method = ROUTES[name]
    operation, fixed = schema_of(api.case)[path][method], FIXED.get(name, {})
    requests = operation.as_strategy(**fixed)
    if "{" in path:
        requests = operation.as_strategy(path_parameters=known_words(api, path), **fixed) | requests
    headers = {"Authorization": f"Bearer {api.emulator.token}"}

    @settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(case=requests)
    def ask(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=api.emulator.url, session=api.session, headers=headers, timeout=20)
        case.validate_response(
            response,
            checks=[
                checks.status_code_conformance,  # with it no 500 but that of searches
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    ask()
