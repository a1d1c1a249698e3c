"""The border: envelope, case, times and links as Abaco writes them (http-api §1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from flask import Response, current_app, request

from abacito.abaco.actor import ActorKey
from abacito.abaco.bookkeeping import display_time
from abacito.api.face import face

DEFAULT_MESSAGE = "The request was successful"


def ok(result: Any, message: str = DEFAULT_MESSAGE) -> Response:
    """A success; always 200, creation included."""
    return envelope("success", message, result, current_app.config["VERSION_TAG"])


def error(message: str, version: str | None = None) -> Response:
    """A refusal, with the status still to be set."""
    return envelope("error", message, None, version or current_app.config["VERSION_TAG"])


def envelope(status: str, message: str, result: Any, version: str) -> Response:
    """The four keys that every answer has."""
    body = {"message": message, "result": result, "status": status, "version": version}
    return Response(dump(body), content_type="application/json")


def bare(body: object, status: int = 200) -> Response:
    """An answer of our own surface: JSON without Abaco's envelope."""
    return Response(json.dumps(body) + "\n", status=status, content_type="application/json")


def dump(body: Any) -> str:
    """JSON as Flask 0.12 wrote it: sorted, ASCII, a newline at the end; compact for XMLHttpRequest."""
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n"
    return json.dumps(body, sort_keys=True, indent=2, separators=(", ", ": ")) + "\n"


def is_camel() -> bool:
    """Whether the answer is in camel case."""
    return face().case == "camel"


def name(snake: str) -> str:
    """A field's name in the case that is spoken."""
    return camel(snake) if is_camel() else snake


def camel(snake: str) -> str:
    """A field's name in camel case. A leading underscore stays (``_links``)."""
    if snake.startswith("_"):
        return snake
    first, *rest = snake.split("_")
    return first + "".join(part.capitalize() for part in rest)


def shown(fields: Mapping[str, Any], *, keep_nulls: bool = False) -> dict[str, Any]:
    """An object in the case that is spoken: camel drops nulls (not within lists of executions, there ``keep_nulls``).

    Only the top level is converted; what users put inside a value is theirs. What only v3 has, only v3 shows.
    """
    seen = face()
    spoken = camel if seen.case == "camel" else str
    drops = seen.case == "camel" and not keep_nulls
    return {
        spoken(field): value for field, value in fields.items() if seen.has(field) and not (drops and value is None)
    }


def time(moment: datetime | None) -> str | None:
    """A time as actors, nonces, workers and single executions show it."""
    return None if moment is None else display_time(moment)


def time_or_none_text(moment: datetime | None) -> str:
    """The same where Abaco writes the text ``None`` for what has not been: nonces and workers."""
    return "None" if moment is None else display_time(moment)


def rfc1123(moment: datetime | None) -> str | None:
    """A time as the executions list shows it: ``Mon, 23 Nov 2026 21:12:17 GMT``."""
    return None if moment is None else format_datetime(moment, usegmt=True)


def actor_url(api_server: str, key: ActorKey) -> str:
    """The address of an actor, as in all ``_links``: from the stored api server, never from the request's host."""
    return f"{actors_url(api_server)}/{key.id}"


def actors_url(api_server: str) -> str:
    """The address of all actors, as this face has it."""
    return f"{api_server}{face().actors}"


def profile_url(api_server: str, username: str) -> str:
    """The address of a user's profile."""
    return f"{api_server}{face().profiles}/{username}"
