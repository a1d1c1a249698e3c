"""Request bodies as Abaco's parser takes them: JSON, query and form, each field by a declared kind (http-api §1.4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from abacito.abaco.errors import Malformed
from abacito.api import wire
from abacito.api.face import Face, face


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field: its snake name, how a value is taken, and what a refusal says of it."""

    name: str
    take: Callable[[Any], Any]
    help: str = ""
    required: bool = False
    is_list: bool = False


def text(value: Any) -> str:
    """Anything; what is not text becomes Python's text of it, as in Abaco."""
    return str(value)


def integer(value: Any) -> int:
    """A number, cut down to an integer, or digits. Raises ValueError."""
    if isinstance(value, int | float | str):
        return int(value)
    raise ValueError(value)


def boolean(value: Any) -> bool:
    """A JSON boolean or, as text in any case, true, false, 1, 0. Raises ValueError."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    raise ValueError(value)


def anything(value: Any) -> Any:
    """The value as it is."""
    return value


def json_object(value: Any) -> dict[str, Any]:
    """A JSON object, nothing else: a form cannot carry one. Raises ValueError."""
    if isinstance(value, dict):
        return value
    raise ValueError(value)


def read(table: Sequence[Parameter], prefix: str, malformed_tail: str = "") -> dict[str, Any]:
    """The fields that the request gives, by snake name; JSON beats query, query beats form.

    Raises Malformed in Abaco's words: ``<prefix>: {'<field>': '<help>'}`` for the first field that fails, in the
    table's order, or that the JSON cannot be processed, with ``malformed_tail`` when it is not even JSON.
    """
    unable = f"{prefix}: Unable to process the JSON description."
    body = json_body()
    if body is NOT_JSON:
        raise Malformed(unable + malformed_tail)
    if body and not isinstance(body, dict):
        raise Malformed(unable)
    given: dict[str, Any] = {}
    for parameter in fields_of(table, face()):
        found = _find(parameter, body or {})
        if found is not _ABSENT:
            given[parameter.name] = _take(parameter, found, prefix)
        elif parameter.required:
            raise refusal(parameter, prefix)
    return given


def fields_of(table: Sequence[Parameter], seen: Face) -> Iterator[Parameter]:
    """Those that this face of Abaco knows."""
    return (parameter for parameter in table if seen.has(parameter.name))


#: Deeper JSON is refused: Python's own reader and writer give up at about a thousand, less what is on the stack.
_DEEPEST = 400


def limit_body(limit: int) -> None:
    """Have a body of more bytes refused before it is read, or as soon as so much of it has come.

    Raises Malformed for a chunked one; of all others the framework raises RequestEntityTooLarge at the first look.
    """
    request.max_content_length = limit
    if "Transfer-Encoding" in request.headers:  # of these the framework takes as much as is allowed, and no more
        request.max_content_length = limit + 1
        if len(request.get_data()) > limit:
            raise too_long(limit)


def too_long(limit: int) -> Malformed:
    """What is said of a body that is too long, in the words that Abaco has for binary ones."""
    return Malformed(f"Message exceeds max content length of: {limit}")


class _NotJson:
    """A body under a JSON content type that is no JSON."""


NOT_JSON = _NotJson()
_ABSENT = _NotJson()


def json_body() -> Any:
    """The parsed body under a JSON content type; None under any other; NOT_JSON when it cannot be parsed."""
    return load_json(request.get_data()) if request.is_json else None


def load_json(data: bytes) -> Any:
    """What the text says, or NOT_JSON; also for what nests too deep, or holds half of a surrogate pair."""
    try:
        value = json.loads(data.decode("utf-8-sig"))  # strictly: half of a surrogate pair is no text
        if b"\\u" in data or data.count(b"[") + data.count(b"{") > _DEEPEST:
            json.dumps(value, ensure_ascii=False).encode()
            _check_depth(value, _DEEPEST)
    except (ValueError, RecursionError):
        return NOT_JSON
    return value


def _check_depth(value: Any, left: int) -> None:
    """Raises RecursionError for what nests deeper than ``left``."""
    if left < 0:
        raise RecursionError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _check_depth(each, left - 1)


def body_for_checks() -> Mapping[str, Any]:
    """What Abaco's privilege check looks at: the JSON if there is any, else the form; never the query string."""
    if request.is_json:
        body = json_body()
        return body if isinstance(body, dict) else {}
    return request.form


def _find(parameter: Parameter, body: Mapping[str, Any]) -> Any:
    name = wire.name(parameter.name)
    if name in body:
        value = body[name]
    elif name in request.args:
        value = request.args.getlist(name)
    elif name in request.form:
        value = request.form.getlist(name)
    else:
        return _ABSENT
    if parameter.is_list or not isinstance(value, list):
        return value
    return value[0] if value else _ABSENT


def _take(parameter: Parameter, value: Any, prefix: str) -> Any:
    if value is None:
        return None
    try:
        if parameter.is_list:
            values = value if isinstance(value, list) else [value]
            return tuple(parameter.take(item) for item in values)
        return parameter.take(value)
    except (ValueError, OverflowError) as error:
        raise refusal(parameter, prefix) from error


def refusal(parameter: Parameter, prefix: str) -> Malformed:
    """What is said of a field that is missing or of the wrong type."""
    return Malformed(f"{prefix}: { ({wire.name(parameter.name): parameter.help}) }")
