"""``/actors/<id>/messages``: an actor's mailbox over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, request

from abacito.abaco.actor import Actor
from abacito.abaco.errors import Malformed, TookTooLong
from abacito.abaco.execution import Execution
from abacito.abaco.message import Message, as_text
from abacito.abaco.permission import Level
from abacito.api import wire
from abacito.api.caller import abaco, actor, caller, tenant
from abacito.api.parameters import NOT_JSON, json_body, load_json, too_long

bp = Blueprint("messages", __name__, url_prefix="/actors/<identifier>/messages")

NOT_SERIALIZABLE = "message POST body could not be serialized. Pass JSON data or use the message attribute."
_BINARY = "application/octet-stream"
# A worker in this process tells at once; one elsewhere is noticed by looking. Many posts may be held at a time.
_LOOK_EVERY_S = 0.5
_OVERLOADED = "Timeout error waiting on Abaco service response. The server may be busy or overloaded."


@bp.get("")
def count_messages(identifier: str) -> Response:
    """How many messages wait."""
    found = actor(identifier, Level.READ)
    return wire.ok({"messages": abaco().messaging.waiting(found), "_links": _links(found)})


@bp.delete("")
def purge_messages(identifier: str) -> Response:
    """Drop what waits."""
    found = actor(identifier, Level.UPDATE)
    abaco().messaging.purge(found)
    return wire.ok({"msg": "Actor mailbox purged.", "_links": _links(found)})


@bp.post("")
def post_message(identifier: str) -> Response:
    """Queue one message; answers the execution's id before anything has run."""
    found = actor(identifier, Level.EXECUTE)
    posted = read_message()
    execution = abaco().messaging.post(found, caller().username, posted.message(found))
    if request.args.get("_abaco_synchronous", "").lower() == "true":
        return _outcome(execution)
    url = wire.actor_url(found.api_server, found.key)
    links = {**_links(found), "self": f"{url}/executions/{execution.id}", "messages": f"{url}/messages"}
    ids = {"execution_id": execution.id, "executionId": execution.id}  # v3's clients read either (clients §7.2)
    return wire.ok(wire.shown({**ids, "msg": posted.echo, "_links": links}, keep_nulls=True))


def _outcome(execution: Execution) -> Response:
    """Hold the request until there is a result or an end; the answer has no envelope (http-api §3.3).

    Raises TookTooLong when that is limited and the time is up; the execution goes on.
    """
    deadline = abaco().pace.monotonic() + current_app.config["SYNC_TIMEOUT_S"]
    news = abaco().news.count
    while (outcome := abaco().messaging.outcome_of(execution)) is None:
        if abaco().pace.monotonic() >= deadline:
            raise TookTooLong(_OVERLOADED)
        abaco().news.wait(news, _LOOK_EVERY_S)
        news = abaco().news.count
    is_result = isinstance(outcome, bytes)
    return Response(outcome, content_type=_BINARY if is_result else "text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Posted:
    """A request's message as it was understood: the value to echo, what the actor gets, and its type's name."""

    echo: Any
    content_type: str
    binary: bytes | None = None

    def message(self, actor: Actor) -> Message:
        """With its variables: the query parameters, then what the API says of the request over them.

        Raises Malformed for text that no process can be given.
        """
        value = None if self.binary is not None else as_text(self.echo)
        query = {name: text for name, text in request.args.items() if name != "message"}
        if not all(_can_be_a_variable(text) for text in (value or "", *query, *query.values())):
            raise Malformed(NOT_SERIALIZABLE)
        own = {
            "_abaco_username": caller().username,
            "_abaco_Content_Type": self.content_type,
            "_abaco_actor_revision": str(actor.revision),
        }
        header = caller().assertion_header
        if header is not None:
            own["_abaco_jwt_header_name"] = header
        return Message(value, self.content_type, self.binary, {**query, **own})


def read_message() -> Posted:
    """What the request says, by Abaco's rules in their order (http-api §3.2, execution §1.3). Raises Malformed."""
    body = json_body()
    if body is NOT_JSON:
        raise Malformed(NOT_SERIALIZABLE)
    plain = _message_field(body)
    if plain is not None:
        return Posted(plain, "str")
    if request.headers.get("Content-Type") == _BINARY:
        return Posted("binary - omitted", _BINARY, _binary())
    if request.is_json:
        is_empty = body is None or body in ({}, [], "")
        return Posted(body, "str" if is_empty and body is not False else "application/json")
    return Posted(_json_all_the_same(), "str")


def _message_field(body: Any) -> str | None:
    """The value of ``message``, from JSON before query before form, as text; None when there is none or it is empty."""
    candidates = [_from_json(body), request.args.get("message"), request.form.get("message")]
    return next((str(found) for found in candidates if found is not None and str(found) != ""), None)


def _from_json(body: Any) -> Any:
    """Abaco 1.9 makes a dict of a body, so a list of pairs may name a message too; of a list value the first counts."""
    try:
        value = dict(body).get("message") if isinstance(body, dict | list) else None
    except (TypeError, ValueError):
        return None
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _binary() -> bytes:
    length, limit = request.headers.get("Content-Length"), tenant().max_content_length
    if length is None:
        raise Malformed("Content Length required for application/octet-stream.")
    if not length.isdigit():
        raise Malformed("Content Length must be an integer.")
    if int(length) > limit:
        raise too_long(limit)
    return request.get_data()


def _json_all_the_same() -> Any:
    """A body that happens to be JSON, whatever its content type says."""
    value = load_json(request.get_data())
    if value is NOT_JSON:
        raise Malformed(NOT_SERIALIZABLE)
    return value


def _can_be_a_variable(text: str) -> bool:
    """Whether a process can be given this: no NUL, and nothing that has no UTF-8, such as half of a surrogate pair."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text


def _links(actor: Actor) -> dict[str, str]:
    url = wire.actor_url(actor.api_server, actor.key)
    return {"self": f"{url}/messages", "owner": wire.profile_url(actor.api_server, actor.owner)}
