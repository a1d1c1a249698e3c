"""What there is to say of each endpoint beside its route and its docstring: what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from abacito.api import actors, aliases, configs, executions, nonces, permissions, workers
from abacito.api import parameters as p
from abacito.api.schemas import COUNT, JSON, OBJECT, TEXT
from abacito.api.shapes import NULL, Schema, either, list_of, ref

#: Bodies by media type.
Content = Mapping[str, Schema]

_REFUSALS = (400, 401, 404)
_BINARY: Schema = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of the query string; ``is_any``: it stands for arguments of whatever name."""

    name: str
    schema: Schema
    help: str
    is_any: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint.

    ``result`` is what the envelope holds when it succeeds, with one of ``succeeds``; None: there is no envelope.
    ``fields`` are those of a parsed body, ``body`` is one that is taken whole, ``plain`` are the answers by status
    that have no envelope, ``refuses`` the statuses of refusals. ``opened_by_nonce``: a nonce may open it.
    ``is_public``: it asks for no credentials at all.
    """

    result: Schema | None = None
    succeeds: tuple[int, ...] = (200,)
    fields: Sequence[p.Parameter] = ()
    body: Content = field(default_factory=dict)
    query: tuple[Argument, ...] = ()
    plain: Mapping[int, Content] = field(default_factory=dict)
    refuses: tuple[int, ...] = _REFUSALS
    opened_by_nonce: bool = True
    is_public: bool = False


_SEARCH = (
    Argument("limit", COUNT, "At most so many records; 100 unless given."),
    Argument("skip", COUNT, "Leave out so many records at the beginning."),
    Argument("search", TEXT, "Words that rank the records; one with a minus before it keeps records out."),
    Argument("exactsearch", TEXT, "A phrase that some text of the record has in it, in whatever case."),
    Argument(
        "filters",
        {**OBJECT, "additionalProperties": TEXT},
        "Any other argument is a condition: `field=value`, or `field.operator=value` with one of "
        "eq neq lt lte gt gte in nin between like nlike.",
        is_any=True,
    ),
)


def _searchable(found: str, otherwise: Schema | None = None, *, opened_by_nonce: bool = True) -> Operation:
    """A search, or a list that becomes one when it is asked something."""
    result = ref(found) if otherwise is None else either(otherwise, ref(found))
    # What Abaco cannot make sense of in a search it answers with 500 (http-api-more §4.6).
    return Operation(result, query=_SEARCH, refuses=(*_REFUSALS, 500), opened_by_nonce=opened_by_nonce)


_PERMISSIONS = Operation(ref("Permissions"))
_GRANT = replace(_PERMISSIONS, fields=permissions.PARAMETERS)
_NOTHING = Operation(NULL)
_MESSAGE_FIELD: Schema = {"type": "object", "properties": {"message": TEXT}, "required": ["message"]}

_CLOCK: Mapping[int, Content] = {200: {"application/json": ref("Clock")}}
_FILE: Content = {"application/octet-stream": _BINARY}
_PAUSE: Mapping[int, Content] = {200: {"application/json": ref("Pause")}}
_FAULTS = Operation(plain={200: {"application/json": ref("SetFaults")}}, refuses=(400,), is_public=True)

#: By Flask's name of the endpoint.
OPERATIONS: Mapping[str, Operation] = {
    "actors.list_actors": replace(
        _searchable("FoundActors", list_of(ref("Actor")), opened_by_nonce=False), refuses=(400, 401, 500)
    ),
    "actors.register_actor": Operation(
        ref("Actor"), fields=actors.REGISTRATION, refuses=(400, 401), opened_by_nonce=False
    ),
    "actors.get_actor": Operation(ref("Actor")),
    # 405: the identifier may be a word that stands for a path of its own, as ``admin`` does (http-api-more §5).
    "actors.update_actor": Operation(ref("Actor"), fields=actors.UPDATE, refuses=(*_REFUSALS, 405)),
    "actors.delete_actor": replace(_NOTHING, refuses=(*_REFUSALS, 405)),
    "admin.list_all_actors": Operation(list_of(ref("AdminActor")), opened_by_nonce=False),
    "admin.list_all_workers": Operation(ref("AllWorkers"), opened_by_nonce=False),
    "admin.count_all_executions": Operation(ref("AllExecutions"), opened_by_nonce=False),
    "admin.utilization": Operation(ref("Utilization"), opened_by_nonce=False),
    "aliases.list_aliases": Operation(list_of(ref("Alias")), opened_by_nonce=False),
    "aliases.create_alias": Operation(ref("Alias"), fields=aliases.CREATION, opened_by_nonce=False),
    "aliases.get_alias": Operation(ref("Alias")),
    "aliases.update_alias": Operation(ref("Alias"), fields=aliases.UPDATE),
    "aliases.delete_alias": _NOTHING,
    "configs.list_configs": Operation(list_of(ref("Config")), opened_by_nonce=False),
    "configs.create_config": Operation(ref("Config"), fields=configs.PARAMETERS, opened_by_nonce=False),
    "configs.get_config": Operation(ref("Config"), opened_by_nonce=False),
    "configs.update_config": Operation(ref("Config"), fields=configs.PARAMETERS, opened_by_nonce=False),
    "configs.delete_config": replace(_NOTHING, opened_by_nonce=False),
    "executions.list_executions": _searchable("FoundExecutions", ref("Executions")),
    "executions.add_execution": Operation(fields=executions.ADDITION),
    "executions.get_execution": Operation(ref("Execution")),
    "executions.force_quit": _NOTHING,
    "executions.get_logs": _searchable("FoundLogs", ref("Log")),
    "executions.take_result": Operation(plain={200: {"application/octet-stream": _BINARY}}),
    "messages.count_messages": Operation(ref("Mailbox")),
    "messages.purge_messages": Operation(ref("Purge")),
    "messages.post_message": Operation(
        ref("PostedMessage"),
        body={
            "application/json": either(JSON, NULL),
            "application/octet-stream": _BINARY,
            "application/x-www-form-urlencoded": _MESSAGE_FIELD,
            "multipart/form-data": _MESSAGE_FIELD,
        },
        query=(
            Argument("message", TEXT, "The message; of the body then only a JSON `message` counts."),
            Argument("_abaco_synchronous", TEXT, "`true`: hold the request until there is a result or an end."),
            Argument(
                "variables",
                {**OBJECT, "additionalProperties": TEXT},
                "Any other argument is an environment variable of the container.",
                is_any=True,
            ),
        ),
        plain={200: {"application/octet-stream": _BINARY, "text/html": TEXT}},
        refuses=(*_REFUSALS, 502),
    ),
    "nonces.list_nonces": Operation(list_of(ref("ActorNonce"))),
    "nonces.create_nonce": Operation(ref("ActorNonce"), fields=nonces.PARAMETERS),
    "nonces.get_nonce": Operation(ref("ActorNonce")),
    "nonces.delete_nonce": _NOTHING,
    "nonces.list_alias_nonces": Operation(list_of(ref("AliasNonce"))),
    "nonces.create_alias_nonce": Operation(ref("AliasNonce"), fields=nonces.PARAMETERS),
    "nonces.get_alias_nonce": Operation(ref("AliasNonce")),
    "nonces.delete_alias_nonce": _NOTHING,
    "permissions.get_actor_permissions": _PERMISSIONS,
    "permissions.post_actor_permission": _GRANT,
    "permissions.get_alias_permissions": _PERMISSIONS,
    "permissions.post_alias_permission": _GRANT,
    "permissions.get_config_permissions": replace(_PERMISSIONS, opened_by_nonce=False),
    "permissions.post_config_permission": replace(_GRANT, opened_by_nonce=False),
    "searching.search": _searchable("Found", opened_by_nonce=False),
    "state.get_state": Operation(ref("State")),
    "state.post_state": Operation(ref("Actor"), body={"application/json": JSON}),
    "workers.list_workers": _searchable("FoundWorkers", list_of(ref("Worker"))),
    "workers.ensure_workers": replace(_NOTHING, fields=workers.PARAMETERS),
    "workers.get_worker": Operation(ref("Worker")),
    "workers.stop_worker": _NOTHING,
    "description.openapi": Operation(
        query=(Argument("face", {"enum": ["v2", "v3"]}, "Which face of Abaco is described: `v2` unless given."),),
        plain={200: {"application/json": OBJECT}},
        refuses=(),
        is_public=True,
    ),
    "certificate.ca": Operation(plain={200: {"application/x-pem-file": TEXT}}, refuses=(), is_public=True),
    "health.health": Operation(
        plain={status: {"application/json": ref("Health")} for status in (200, 503)}, refuses=(), is_public=True
    ),
    "metrics.metrics": Operation(plain={200: {"text/plain": TEXT}}, refuses=(), is_public=True),
    "control_clock.show_clock": Operation(
        query=(Argument("tenant", TEXT, "Whose; by default the first."),), plain=_CLOCK, refuses=(400,), is_public=True
    ),
    "control_clock.move_clock": Operation(
        body={"application/json": OBJECT}, plain=_CLOCK, refuses=(400,), is_public=True
    ),
    "control_faults.list_faults": _FAULTS,
    "control_faults.add_fault": Operation(
        body={"application/json": ref("NewFault")},
        plain={200: {"application/json": ref("SetFault")}},
        refuses=(400,),
        is_public=True,
    ),
    "control_faults.clear_faults": _FAULTS,
    "control_faults.clear_fault": _FAULTS,
    "control_tokens.create_token": Operation(OBJECT, body={"application/json": OBJECT}, refuses=(400,), is_public=True),
    "control_tokens.show_token": Operation(OBJECT, refuses=(400, 401), opened_by_nonce=False),
    "control_worlds.save_snapshot": Operation(plain={200: _FILE}, refuses=(400, 503), is_public=True),
    "control_worlds.load_snapshot": Operation(body=_FILE, plain=_PAUSE, refuses=(400, 503), is_public=True),
    "control_worlds.reset": Operation(
        body={"application/json": OBJECT}, plain=_PAUSE, refuses=(400, 503), is_public=True
    ),
    "control_worlds.show_pause": Operation(plain=_PAUSE, refuses=(400,), is_public=True),
    "control_worlds.pause": Operation(plain=_PAUSE, refuses=(400,), is_public=True),
    "control_worlds.resume": Operation(plain=_PAUSE, refuses=(400,), is_public=True),
    "replay.replay": Operation(
        ref("Execution"),
        query=(
            Argument("execution", TEXT, "The execution's id."),
            Argument("actor", TEXT, "The actor's id or an alias of it; without one the execution is looked for."),
        ),
    ),
    "wait.wait": Operation(
        ref("Execution"),
        succeeds=(200, 408),
        query=(
            Argument("actor", TEXT, "The actor's id or an alias of it."),
            Argument("execution", TEXT, "The execution's id."),
            Argument(
                "within",
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]*)?s?$"},
                "How long to wait for its end, in seconds, a minute at most: `20s` unless given.",
            ),
        ),
    ),
}
