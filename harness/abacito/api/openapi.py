"""The HTTP API described in OpenAPI 3.1: routes from the app, words from the views, the rest from tables."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from abacito.api import parameters as p
from abacito.api.face import SNAKE, Face
from abacito.api.operations import OPERATIONS, Argument, Operation
from abacito.api.schemas import BOOLEAN, INTEGER, OBJECT, TEXT, envelope, schemas
from abacito.api.shapes import NULL, Schema, either, list_of, named, ref

#: Of the paths that an app has, those that are described.
_ACTORS = "/actors"
_ROOTS = (_ACTORS, "/_abacito")
_ABOUT = """An emulator of TACC's Abaco, offline.

Every path under `/actors` is served under `/actors/v2` too, and, with fields in snake case, under `/v3/actors`.
Fields of a JSON body may as well be given in the query string or in a form: JSON beats query, query beats form, and
what is not known is ignored. A method that a path does not have is answered with 405, whoever asks (see the response
`WrongMethod`). Successes are 200, creations too; every refusal of Abaco's own authorization is 400.
"""

_KINDS: Mapping[Callable[[Any], Any], Schema] = {
    p.text: TEXT,
    p.integer: INTEGER,
    p.boolean: BOOLEAN,
    p.json_object: OBJECT,
    p.anything: {},
}
_JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_WORDS_OF_PATHS = {
    "identifier": "An actor's id, or an alias of it.",
    "execution_id": "An execution's id.",
    "nonce_id": "A nonce's id.",
    "worker_id": "A worker's id.",
    "fault_id": "A fault's id.",
    "name": "The name of an alias or a config.",
    "kind": "What is searched through: actors, executions, workers or logs, in any case.",
}
_WORDS_OF_SUCCESSES = {200: "What was asked for.", 408: "It has not come yet.", 503: "Some part is not well."}
_REFUSALS = {
    400: ("Refused", "The request is wrong, or its sender may not make it."),
    401: ("Fault", "The gateway in front of Abaco does not know the token, or there is none."),
    404: ("Unknown", "What was named does not exist."),
    405: ("WrongMethod", "The path exists, the method does not."),
    502: ("TookTooLong", "The time that a synchronous post may take is up; its execution goes on."),
    503: ("Unavailable", "It cannot be had of this emulator."),
    500: ("Unrecognized", "What Abaco cannot make sense of in a search."),
}

_SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "As through the gateway; with `auth: token`."},
    "assertion": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Jwt-Assertion-DEV-DEVELOP",
        "description": "A signed assertion, as the gateway sends it on; the header's name ends with the tenant's. "
        "With `auth: jwt`.",
    },
    "nonce": {"type": "apiKey", "in": "query", "name": "x-nonce", "description": "In place of other credentials."},
}


def document(app: Flask, seen: Face, *, version: str) -> dict[str, Any]:
    """The description of this face of ``app``, telling ``version`` in its answers; made of JSON values.

    What is ours is described with v2's. Raises AssertionError for a route that OPERATIONS does not describe, and for
    an entry there that has no route.
    """
    rules = list(_rules(app))
    _check_descriptions({rule.endpoint for rule in rules})
    paths: dict[str, dict[str, Any]] = {}
    for rule in rules:
        if rule.rule.startswith(_ACTORS) or not seen.is_v3:
            paths.setdefault(path_of(rule, seen), {})[_method(rule)] = _operation(app, rule, seen, version)
    return {
        "openapi": "3.1.0",
        "info": {"title": "abacito", "description": _ABOUT, "version": version},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas(seen),
            "responses": dict(_refusals(seen, version)),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def path_of(rule: Rule, seen: Face = SNAKE) -> str:
    """A route's path as OpenAPI writes it: v2's without its version, which is optional, v3's with its own."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    return seen.actors + path.removeprefix(_ACTORS) if seen.is_v3 and path.startswith(_ACTORS) else path


def _rules(app: Flask) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(_ROOTS):
            yield rule


def _check_descriptions(endpoints: set[str]) -> None:
    missing, idle = sorted(endpoints - OPERATIONS.keys()), sorted(OPERATIONS.keys() - endpoints)
    if missing:
        raise AssertionError(f"not described: {missing}; each needs an entry in operations.OPERATIONS")
    if idle:
        raise AssertionError(f"described, but no route has it: {idle}")


def _method(rule: Rule) -> str:
    """The one method that a view of ours has."""
    (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    return method.lower()


def _operation(app: Flask, rule: Rule, seen: Face, version: str) -> dict[str, Any]:
    operation = OPERATIONS[rule.endpoint]
    described: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": inspect.getdoc(app.view_functions[rule.endpoint]),
        "parameters": [*_path_parameters(rule), *map(_query_parameter, operation.query)],
        "responses": _responses(operation, version),
        "security": _security(operation),
    }
    content = operation.body or _parsed(list(p.fields_of(operation.fields, seen)), seen)
    if content:
        described["requestBody"] = {"content": _media(content)}
    return described


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for word in sorted(rule.arguments):
        described = _WORDS_OF_PATHS[word]
        yield {"name": word, "in": "path", "required": True, "schema": TEXT, "description": described}


def _query_parameter(argument: Argument) -> dict[str, Any]:
    described = {"name": argument.name, "in": "query", "schema": argument.schema, "description": argument.help}
    return {**described, "style": "form", "explode": True} if argument.is_any else described


def _parsed(fields: Sequence[p.Parameter], seen: Face) -> Mapping[str, Schema]:
    """The bodies that a table of parameters stands for; a form has neither objects nor nulls."""
    if not fields:
        return {}
    json = {field: either(_kind(field), NULL) for field in fields}
    form = {field: _kind(field) for field in fields if field.take is not p.json_object}
    return {_JSON: _body(json, seen), **dict.fromkeys(_FORMS, _body(form, seen))}


def _kind(parameter: p.Parameter) -> Schema:
    kind = _KINDS[parameter.take]
    return list_of(kind) if parameter.is_list else kind


def _body(fields: Mapping[p.Parameter, Schema], seen: Face) -> Schema:
    return {
        "type": "object",
        "properties": {named(f.name, seen.case): {**schema, "description": f.help} for f, schema in fields.items()},
        "required": [named(field.name, seen.case) for field in fields if field.required],
    }


def _responses(operation: Operation, version: str) -> dict[str, Any]:
    """Successes first, enveloped and not, then the refusals."""
    contents: dict[int, dict[str, Schema]] = {status: dict(content) for status, content in operation.plain.items()}
    if operation.result is not None:
        for status in operation.succeeds:
            contents.setdefault(status, {})[_JSON] = envelope(operation.result, status="success", version=version)
    successes = {
        str(status): {"description": _WORDS_OF_SUCCESSES[status], "content": _media(content)}
        for status, content in contents.items()
    }
    return {**successes, **{str(status): _response_ref(status) for status in operation.refuses}}


def _response_ref(status: int) -> Schema:
    return {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"}


def _refusals(seen: Face, version: str) -> Iterator[tuple[str, Schema]]:
    """What is answered alike everywhere, by name."""
    for status, (name, description) in _REFUSALS.items():
        told = "unknown" if status == 502 else version  # the proxy's words
        content = {_JSON: envelope(NULL, status="error", version=told)}
        if status == 401 and not seen.is_v3:
            content = {_JSON: ref("Fault"), "application/xml": TEXT}
        yield name, {"description": description, "content": _media(content)}
    elsewhere = envelope(NULL, status="error", version="unknown")  # the proxy's words (http-api §1.6)
    yield "Elsewhere", {"description": "404: the path is not Abaco's.", "content": _media({_JSON: elsewhere})}


def _media(content: Mapping[str, Schema]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in content.items()}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """Any one of these will do."""
    if operation.is_public:
        return []
    schemes = ("token", "assertion", "nonce") if operation.opened_by_nonce else ("token", "assertion")
    return [{scheme: []} for scheme in schemes]
