"""``/actors/<id>/executions``: what became of the messages, over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.errors import Absent, Malformed
from abacito.abaco.execution import Execution, ExecutionKey
from abacito.abaco.permission import Level
from abacito.abaco.search import SearchType
from abacito.api import parameters as p
from abacito.api import searching, wire
from abacito.api.caller import abaco, actor, actor_key

bp = Blueprint("executions", __name__, url_prefix="/actors/<identifier>/executions")

ADDITION = (
    p.Parameter("runtime", p.text, "Runtime, in milliseconds, of the execution.", required=True),
    p.Parameter("cpu", p.text, "CPU usage, in user jiffies, of the execution.", required=True),
    p.Parameter(
        "io",
        p.text,
        "Block I/O usage, in number of 512-byte sectors read from and written to, by the execution.",
        required=True,
    ),
)


@bp.get("")
def list_executions(identifier: str) -> Response:
    """All executions ever, oldest first, and the totals; or with query arguments a search among them."""
    if searching.is_asked():
        key = actor_key(identifier, Level.READ)
        return searching.within(key, SearchType.EXECUTIONS, "Executions search completed successfully.")
    found = actor(identifier, Level.READ)
    return wire.ok(_summary(found), "Actor executions retrieved successfully.")


@bp.post("")
def add_execution(identifier: str) -> Response:
    """Meant to add an execution by hand; in Abaco 1.9 it cannot succeed, whatever is sent (http-api §4.2)."""
    actor(identifier, Level.UPDATE)
    given = p.read(ADDITION, "Invalid actor execution description")
    for name, value in given.items():
        try:
            int(value)
        except (TypeError, ValueError) as error:
            raise Malformed(f"Argument {name} must be an integer.") from error
    raise Malformed("Required field executor missing.")


@bp.get("/<execution_id>")
def get_execution(identifier: str, execution_id: str) -> Response:
    """One execution; its actor may be gone, then an admin still reads it."""
    key = actor_key(identifier, Level.READ)
    return wire.ok(shown(existing(key, execution_id, identifier)), "Actor execution retrieved successfully.")


@bp.delete("/<execution_id>")
def force_quit(identifier: str, execution_id: str) -> Response:
    """Have a running execution stopped; its record stays."""
    execution = existing(actor_key(identifier, Level.UPDATE), execution_id, identifier)
    return wire.ok(None, abaco().halting.force_quit(execution))


@bp.get("/<execution_id>/logs")
def get_logs(identifier: str, execution_id: str) -> Response:
    """The log so far; empty when there is none, none yet, or none any more. With query arguments, a search in it."""
    if searching.is_asked():
        return searching.of_log(ExecutionKey(actor_key(identifier, Level.READ), execution_id))
    found = actor(identifier, Level.READ)
    execution = existing(found.key, execution_id, identifier)
    text = abaco().executions.log(execution.key, abaco().clock.now(execution.key.actor.tenant))
    url = _url(execution)
    links = {
        "self": f"{url}/logs",
        "owner": wire.profile_url(found.api_server, found.owner),
        "execution": url,
    }
    return wire.ok({"logs": text, "_links": links}, "Logs retrieved successfully.")


@bp.get("/<execution_id>/results")
def take_result(identifier: str, execution_id: str) -> Response:
    """One result, which is thereby gone; an empty body when there is none. Neither actor nor execution is checked."""
    key = ExecutionKey(actor_key(identifier, Level.READ), execution_id)
    result = abaco().executions.take_result(key, abaco().clock.now(key.actor.tenant))
    return Response(result or b"", content_type="application/octet-stream")


def shown(execution: Execution) -> dict[str, Any]:
    """An execution as users see it. Start, end and figures appear together, when it is COMPLETE."""
    outcome, url = execution.outcome, _url(execution)
    links = {
        "self": url,
        "owner": wire.profile_url(execution.api_server, execution.executor),
        "logs": f"{url}/logs",
    }
    return wire.shown(
        {
            "id": execution.id,
            "actor_id": execution.key.actor.id,
            "api_server": execution.api_server,
            "executor": execution.executor,
            "status": str(execution.status),
            "worker_id": execution.worker_id,
            "message_received_time": wire.time(execution.received),
            "start_time": wire.time(outcome.start_time) if outcome else None,
            "finish_time": wire.time(outcome.finish_time) if outcome else None,
            "exit_code": outcome.exit_code if outcome else None,
            "final_state": outcome.final_state if outcome else None,
            "runtime": outcome.runtime if outcome else 0,
            "cpu": outcome.cpu if outcome else 0,
            "io": outcome.io if outcome else 0,
            "_links": links,
        }
    )


def _summary(actor: Actor) -> dict[str, Any]:
    url = f"{wire.actor_url(actor.api_server, actor.key)}/executions"
    executions = abaco().executions.list(actor.key)
    return wire.shown(
        {
            "actor_id": actor.id,
            "api_server": actor.api_server,
            "owner": actor.owner,
            "executions": [_item(execution) for execution in executions],
            "total_executions": len(executions),
            "total_runtime": actor.totals.runtime_s,
            "total_cpu": actor.totals.cpu_ns,
            "total_io": actor.totals.io_bytes,
            "_links": {"self": url, "owner": wire.profile_url(actor.api_server, actor.owner)},
        }
    )


def _item(execution: Execution) -> dict[str, Any]:
    """Five keys, nulls kept in camel too, and the times in another form than everywhere else (http-api §4.1)."""
    outcome = execution.outcome
    fields = {
        "id": execution.id,
        "status": str(execution.status),
        "start_time": wire.rfc1123(outcome.start_time if outcome else None),
        "finish_time": wire.rfc1123(outcome.finish_time if outcome else None),
        "message_received_time": wire.rfc1123(execution.received),
    }
    return wire.shown(fields, keep_nulls=True)


def existing(actor: ActorKey, execution_id: str, identifier: str) -> Execution:
    """The execution. Raises Absent, which names the actor as the path does."""
    found = abaco().executions.get(ExecutionKey(actor, execution_id))
    if found is None:
        raise Absent(f"No executions found with actor id of {identifier} and execution id of {execution_id}.")
    return found


def _url(execution: Execution) -> str:
    return f"{wire.actor_url(execution.api_server, execution.key.actor)}/executions/{execution.id}"
