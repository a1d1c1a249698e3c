"""One request that passed through the proxy, with its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from pydantic import JsonValue

DEEPEST = 50  # levels of JSON
JSON_TYPE, FORM_TYPE, BINARY_TYPE = "application/json", "application/x-www-form-urlencoded", "application/octet-stream"


@dataclass(frozen=True)
class Exchange:
    """``path`` is as it was sent, its query included; names of ``headers`` are in lower case, times in seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status_code: int
    content_type: str
    content: bytes
    asked_s: float
    answered_s: float

    @property
    def plain_path(self) -> str:
        """The path without its query, percent-encoding undone."""
        return unquote(self.path.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of a repeated one the last."""
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))

    @property
    def sent_type(self) -> str:
        """The body's content type, without parameters; empty when none was said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def text(self) -> str | None:
        """The body as text; None when it is none."""
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            return None

    @cached_property
    def form(self) -> list[tuple[str, str]] | None:
        """The body's fields in their order; None when it is no form, whatever its content type says."""
        pairs = (self.text or "").split("&")
        if self.sent_type != FORM_TYPE or not all(pair.partition("=")[1] for pair in pairs):
            return None  # curl -d '{"n": 3}' says that it is one
        return parse_qsl(self.text or "", keep_blank_values=True)

    @cached_property
    def sent_json(self) -> tuple[JsonValue] | None:
        """The body's value, in a tuple because it may be null; None when it is no JSON."""
        return read_json(self.text) if self.sent_type == JSON_TYPE else None

    @cached_property
    def answer_json(self) -> tuple[JsonValue] | None:
        """The same of the answer."""
        return read_json(self.answer_text) if "json" in self.content_type else None

    @cached_property
    def answer_text(self) -> str | None:
        """The answer's body as text; None when it is none."""
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            return None


def read_json(text: str | None) -> tuple[JsonValue] | None:
    """The value, in a tuple; None for what is no JSON, or none that a file can hold and a reader follow."""
    try:
        value: JsonValue = json.loads(text or "", parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # half a character, such as "\\ud800", is JSON and no text
    except (ValueError, RecursionError):
        return None
    return (value,) if _is_shallow(value, DEEPEST) else None


def _is_shallow(value: JsonValue, levels: int) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in items)


def _refuse(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is not in JSON")
