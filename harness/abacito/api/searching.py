"""``/actors/search/<type>``, and the lists that become a search when they are asked something (http-api-more §4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from abacito.abaco.actor import ActorKey
from abacito.abaco.errors import Unknown
from abacito.abaco.execution import ExecutionKey
from abacito.abaco.search import Page, Query, Record, SearchType, parse, search_type
from abacito.api import wire
from abacito.api.caller import abaco, caller

bp = Blueprint("searching", __name__, url_prefix="/actors/search")

_NO_NONCE = "'x-nonce' query parameter on the '/actors/search/{database}' endpoint does not resolve."

_HIDDEN = {
    SearchType.ACTORS: ("_id", "db_id", "tenant", "api_server", "executions"),
    SearchType.EXECUTIONS: ("tenant", "api_server"),
    SearchType.WORKERS: ("tenant",),
    SearchType.LOGS: ("_id", "actor_id", "tenant", "api_server", "owner"),
}


@bp.get("/<kind>")
def search(kind: str) -> Response:
    """Search through everything of one type."""
    who = caller(Unknown(_NO_NONCE))
    found = search_type(kind)
    page = abaco().finding.search(who, found, _query())
    return _answer(found, page, "Search completed successfully.")


def is_asked() -> bool:
    """Whether a list is asked something: any query argument but a lone nonce makes it a search."""
    return bool(set(request.args) - {"x-nonce"})


def of_actors() -> Response:
    """The list of actors as a search."""
    page = abaco().finding.search(caller(), SearchType.ACTORS, _query())
    return _answer(SearchType.ACTORS, page, "Actors search completed successfully.")


def within(key: ActorKey, kind: SearchType, message: str) -> Response:
    """A list of one actor's as a search; an argument ``actor_id`` of the caller's own widens it to all his actors."""
    return _within(key, kind, _query(), message)


def of_log(key: ExecutionKey) -> Response:
    """One execution's log as a search."""
    return _within(key.actor, SearchType.LOGS, _query().also("_id", key.id), "Log search completed successfully.")


def _within(key: ActorKey, kind: SearchType, query: Query, message: str) -> Response:
    if "actor_id" in _names():
        page = abaco().finding.search(caller(), kind, query)
    else:
        page = abaco().finding.search_in(caller(), kind, query, key)
    return _answer(kind, page, message)


def _query() -> Query:
    return parse(request.args.items(multi=True), camel=wire.is_camel())


def _names() -> set[str]:
    return {"actor_id" if name == "actorId" and wire.is_camel() else name for name in request.args}


def _answer(kind: SearchType, page: Page, message: str) -> Response:
    result = {
        "_metadata": wire.shown(page.metadata),
        "search": [wire.shown(_shown(kind, record), keep_nulls=True) for record in page.records],
    }
    return wire.ok(result, message)


def _shown(kind: SearchType, record: Record) -> dict[str, Any]:
    """A record as a search shows it: without what is hidden, with its links."""
    plain = {name: _value(value) for name, value in record.items() if name not in _HIDDEN[kind]}
    if kind is SearchType.WORKERS:
        return {**plain, "actor_id": _display_id(record)}
    if kind is SearchType.EXECUTIONS:
        plain["actor_id"] = _display_id(record)
    return {**plain, "_links": _links(kind, record)}


def _links(kind: SearchType, record: Record) -> Mapping[str, str]:
    api_server = str(record["api_server"])
    actor = f"{wire.actors_url(api_server)}/{record['id'] if kind is SearchType.ACTORS else _display_id(record)}"
    if kind is SearchType.ACTORS:
        owner = wire.profile_url(api_server, str(record["owner"]))
        return {"self": actor, "owner": owner, "executions": f"{actor}/executions"}
    if kind is SearchType.EXECUTIONS:  # the link to the logs lacks the execution, as in Abaco
        owner = wire.profile_url(api_server, str(record["executor"]))
        return {"self": f"{actor}/executions/{record['id']}", "owner": owner, "logs": f"{actor}/logs"}
    execution = f"{actor}/executions/{record['_id']}"
    owner = wire.profile_url(api_server, str(record["owner"]))
    return {"self": f"{execution}/logs", "owner": owner, "execution": execution}


def _display_id(record: Record) -> str:
    return str(record["actor_id"]).rpartition("_")[2]


def _value(value: Any) -> Any:
    return wire.time(value) if isinstance(value, datetime) else value
