"""Holds every answer of an app against the app's own OpenAPI document, while other tests make it give them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask, Response, request
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from abacito.api.face import Face, face
from abacito.api.openapi import path_of

Document = Mapping[str, Any]

#: Responses of the document's for paths and methods that are not in it, by status.
_UNDESCRIBED = {401: "Fault", 404: "Unknown", 405: "WrongMethod"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and what came of it; ``path`` is the described one, None where no route matched."""

    method: str
    url: str
    path: str | None
    status: int
    content_type: str
    body: bytes

    @property
    def is_ours(self) -> bool:
        """Whether it was asked for under a root that Abaco has."""
        return self.url == "/actors" or self.url.startswith("/actors/")

    def __str__(self) -> str:
        return f"{self.method} {self.url} answered {self.status} {self.content_type}"


class Description:
    """One document, as the answers that it allows."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._validators: dict[tuple[str | None, str, int, str, bool], Draft202012Validator | str] = {}

    def fault_of(self, answer: Answer) -> str | None:
        """How the answer differs from the description; None when it does not."""
        if answer.method == "OPTIONS" and answer.path is not None:  # Flask's own answer, in no document
            return None if (answer.status, answer.body) == (200, b"") else "not an empty 200"
        media_type = answer.content_type.partition(";")[0]
        key = (answer.path, answer.method, answer.status, media_type, answer.is_ours)
        if key not in self._validators:
            self._validators[key] = self._validator(answer, media_type)
        validator = self._validators[key]
        if isinstance(validator, str):
            return validator
        return _fault(validator, answer.body) if media_type == "application/json" else None

    def _validator(self, answer: Answer, media_type: str) -> Draft202012Validator | str:
        response = self._response(answer)
        if response is None:
            return f"the status {answer.status} is not described"
        if media_type not in response["content"]:
            return f"the content type {media_type} is not described"
        schema = response["content"][media_type]["schema"]
        return Draft202012Validator({**schema, "components": self._document["components"]})

    def _response(self, answer: Answer) -> Document | None:
        shared: dict[str | None, Document] = self._document["components"]["responses"]
        if answer.path is None:
            is_elsewhere = answer.status == 404 and not answer.is_ours
            return shared.get("Elsewhere" if is_elsewhere else _UNDESCRIBED.get(answer.status))
        method = "get" if answer.method == "HEAD" else answer.method.lower()
        responses: dict[str, Document] = self._document["paths"][answer.path][method]["responses"]
        found = responses.get(str(answer.status))
        return shared[found["$ref"].rpartition("/")[2]] if found and "$ref" in found else found


def _fault(validator: Draft202012Validator, body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except ValueError as error:
        return f"no JSON: {error}"
    fault = best_match(validator.iter_errors(value))
    return f"{fault.json_path}: {fault.message[:1000]}" if fault else None


class Checker:
    """Collects what was answered otherwise than described, by whichever app; a receiver of ``request_finished``."""

    def __init__(self, describe: Callable[[Flask, Face], Document]) -> None:
        self._describe = describe
        self._descriptions: WeakKeyDictionary[Flask, dict[Face, Description]] = WeakKeyDictionary()
        self._faults: list[str] = []

    def check(self, app: Flask, response: Response) -> None:
        """Look at one answer of an app of ours, within its request."""
        if "abacito" not in app.extensions:
            return
        try:
            description = self._description_of(app, face())
        except AssertionError as error:  # raised here it would only be one more answer
            self._faults.append(str(error))
            return
        answer = _answer(response)
        if answer.path is not None and not answer.path.startswith(("/actors", "/v3/actors", "/_abacito")):
            return  # the gateway's, which is not Abaco's and not described
        fault = description.fault_of(answer)
        if fault is not None:
            self._faults.append(f"{answer}: {fault}")

    def _description_of(self, app: Flask, seen: Face) -> Description:
        known = self._descriptions.setdefault(app, {})
        if seen not in known:
            known[seen] = Description(self._describe(app, seen))
        return known[seen]

    def faults(self) -> list[str]:
        """What was found since the last call."""
        found, self._faults = self._faults, []
        return found


def _answer(response: Response) -> Answer:
    rule = request.url_rule
    content_type, body = response.content_type or "", response.get_data()
    return Answer(
        request.method, request.path, path_of(rule, face()) if rule else None, response.status_code, content_type, body
    )
