"""What Abaco's answers are made of, as JSON Schema: tables of fields by their snake names (http-api, http-api-more)."""

from __future__ import annotations

from collections.abc import Mapping

from abacito.abaco.container import FINAL_STATE_KEYS
from abacito.abaco.execution import ExecutionStatus
from abacito.abaco.faults import FIELDS, KINDS
from abacito.abaco.permission import ALIAS_NONCE_LEVELS, LEVELS
from abacito.abaco.search import SearchType
from abacito.abaco.worker import WorkerStatus
from abacito.api.face import Face
from abacito.api.shapes import NULL, Fields, Nulls, OrNull, Schema, Shape, either, list_of, ref

TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
OBJECT: Schema = {"type": "object"}
#: Whatever a user has put there, other than null.
JSON: Schema = {"type": ["array", "boolean", "number", "object", "string"]}

_ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9]+$"}
_DBID: Schema = {"type": "string", "pattern": "^.+_[A-Za-z0-9]+$"}
_URL: Schema = {"type": "string", "pattern": "^https?://"}
_LEVEL: Schema = {"enum": list(LEVELS)}
# http-api §1.3
_TIME: Schema = {"type": "string", "pattern": r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{3}Z$"}
_HTTP_DATE: Schema = {
    "type": "string",
    "pattern": "^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}(:[0-9]{2}){2} GMT$",
}
_TIME_OR_NONE = either(_TIME, {"const": "None"})


def links(*names: str) -> Schema:
    """The ``_links`` of an object: these and no others."""
    return Shape(dict.fromkeys(names, _URL), is_raw=True).schema()


#: What a user says of an actor, or a default does: any of it may be null, for a JSON null counts as given (§1.4).
_SETTINGS: Fields = {
    "cron_next_ex": OrNull(TEXT),
    "cron_on": OrNull(BOOLEAN),
    "cron_schedule": OrNull(TEXT),
    "default_environment": OrNull(OBJECT),
    "description": OrNull(TEXT),
    "gid": OrNull(TEXT),
    "image": OrNull(TEXT),
    "link": OrNull(TEXT),
    "log_ex": OrNull(INTEGER),
    "max_cpus": OrNull(INTEGER),
    "max_workers": OrNull(INTEGER),
    "mem_limit": OrNull(TEXT),
    "name": OrNull(TEXT),
    "privileged": OrNull(BOOLEAN),
    "run_as_executor": OrNull(BOOLEAN),
    "state": OrNull(JSON),
    "stateless": OrNull(BOOLEAN),
    "status": OrNull(TEXT),
    "status_message": OrNull(TEXT),
    "tasdir": OrNull(TEXT),
    "type": OrNull(TEXT),
    "uid": OrNull(TEXT),
    "use_container_uid": OrNull(BOOLEAN),
    "webhook": OrNull(TEXT),
}
_ACTOR: Fields = {
    **_SETTINGS,
    "hints": list_of(TEXT),
    "id": _ID,
    "mounts": list_of(ref("Mount")),
    "owner": TEXT,
    "queue": TEXT,
    "revision": {"type": "integer", "minimum": 1},
    "token": either(BOOLEAN, {"enum": ["true", "false"]}),  # text: the tenant's default (§2.2)
}
_ACTOR_TIMES = ("create_time", "last_update_time")
_ACTOR_SHOWN: Fields = {**_ACTOR, **dict.fromkeys(_ACTOR_TIMES, _TIME), "_links": links("self", "owner", "executions")}

_STATUS: Schema = {"enum": [*map(str, ExecutionStatus)]}
_EXECUTION: Fields = {
    "id": _ID,
    "actor_id": _ID,
    "executor": TEXT,
    "status": _STATUS,
    "worker_id": OrNull(_ID),
    "message_received_time": _TIME,
    "start_time": OrNull(_TIME),
    "finish_time": OrNull(_TIME),
    "exit_code": OrNull(either(INTEGER, {"const": "undetermined"})),
    "final_state": OrNull(either(ref("FinalState"), ref("NoFinalState"))),
    "runtime": COUNT,
    "cpu": COUNT,
    "io": COUNT,
    "_links": links("self", "owner", "logs"),
}

_FINAL_STATE: Fields = {
    **dict.fromkeys(FINAL_STATE_KEYS, BOOLEAN),
    **dict.fromkeys(("Status", "Error"), TEXT),
    **dict.fromkeys(("Pid", "ExitCode"), INTEGER),
    **dict.fromkeys(("StartedAt", "FinishedAt"), _TIME),
}

_WORKER_STATUS: Schema = {"enum": [*map(str, WorkerStatus)]}
_PLACE: Mapping[str, Schema] = {
    "image": TEXT,
    "location": TEXT,
    "cid": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "ch_name": TEXT,
    "host_id": TEXT,
    "host_ip": TEXT,
}
_UNKNOWN_PLACE: Fields = {name: OrNull(schema) for name, schema in _PLACE.items()}
_WORKER_TIMES = ("create_time", "last_execution_time", "last_health_check_time")
_WORKER: Fields = {
    "id": _ID,
    "status": _WORKER_STATUS,
    "tenant": TEXT,
    **_UNKNOWN_PLACE,
    **dict.fromkeys(_WORKER_TIMES, _TIME_OR_NONE),
}
_FOUND_WORKER: Fields = {"id": _ID, "actor_id": _ID, "status": _WORKER_STATUS, "create_time": _TIME}

_USES: Schema = {"type": "integer", "minimum": -1}
_NONCE: Fields = {
    "id": _DBID,
    "api_server": _URL,
    "owner": TEXT,
    "roles": list_of(TEXT),
    "description": OrNull(TEXT),
    "max_uses": _USES,
    "remaining_uses": _USES,
    "current_uses": COUNT,
    "create_time": _TIME,
    "last_use_time": _TIME_OR_NONE,
    "_links": links("self", "owner", "actor"),
}

_TOTALS = ("executions", "execution_runtime", "execution_cpu", "execution_io")


def _execution_sums(which: str) -> Fields:
    sums = (f"total_actors_{which}", f"total_actors_{which}_with_executions", *(f"total_{t}_{which}" for t in _TOTALS))
    return dict.fromkeys(sums, COUNT)


_FAULT_TYPES: Mapping[type, str] = {str: "string", int: "integer", float: "number"}
_FAULT_KIND: Schema = {"enum": [*map(str, KINDS)]}
_FAULT: Mapping[str, Schema] = {
    name: either({"type": _FAULT_TYPES[known.kind], "description": f"It is {known.help}."}, NULL)
    for name, known in FIELDS.items()
}


def _found(record: str) -> Shape:
    """A page of what a search found."""
    return Shape({"_metadata": ref("SearchMetadata"), "search": list_of(ref(record))})


_SHAPES: Mapping[str, Shape] = {
    "Actor": Shape(_ACTOR_SHOWN),
    "FoundActor": Shape(_ACTOR_SHOWN, Nulls.KEPT),
    "AdminActor": Shape(
        {
            **_ACTOR,
            **dict.fromkeys(_ACTOR_TIMES, _HTTP_DATE),
            "tenant": TEXT,
            "db_id": _DBID,
            "api_server": _URL,
            **dict.fromkeys(("messages", "executions", "runtime"), COUNT),
            "workers": list_of(ref("StoredWorker")),
        },
        Nulls.KEPT,
    ),
    "Mount": Shape({"container_path": TEXT, "host_path": TEXT, "mode": TEXT}, is_raw=True),
    "State": Shape({"state": either(JSON, NULL)}),
    "Mailbox": Shape({"messages": COUNT, "_links": links("self", "owner")}),
    "Purge": Shape({"msg": TEXT, "_links": links("self", "owner")}),
    "PostedMessage": Shape(
        {
            "execution_id": _ID,
            "executionId": _ID,
            "msg": either(JSON, NULL),
            "_links": links("self", "owner", "messages"),
        },
    ),
    "Execution": Shape({**_EXECUTION, "api_server": _URL}),
    "FoundExecution": Shape(_EXECUTION, Nulls.KEPT),
    "ListedExecution": Shape(
        {
            "id": _ID,
            "status": _STATUS,
            "start_time": OrNull(_HTTP_DATE),
            "finish_time": OrNull(_HTTP_DATE),
            "message_received_time": _HTTP_DATE,
        },
        Nulls.KEPT,
    ),
    "Executions": Shape(
        {
            "actor_id": _ID,
            "api_server": _URL,
            "owner": TEXT,
            "executions": list_of(ref("ListedExecution")),
            **dict.fromkeys(("total_executions", "total_runtime", "total_cpu", "total_io"), COUNT),
            "_links": links("self", "owner"),
        }
    ),
    "FinalState": Shape(_FINAL_STATE, is_raw=True),  # Docker's own names in both cases (§4.3)
    "NoFinalState": Shape({"unavailable": {"const": True}}, is_raw=True),
    "Log": Shape({"logs": TEXT, "_links": links("self", "owner", "execution")}),
    "FoundLog": Shape({"logs": TEXT, "_links": links("self", "owner", "execution")}),
    "ActorNonce": Shape({**_NONCE, "actor_id": _ID, "level": _LEVEL}),
    "AliasNonce": Shape(
        # Of an alias no actor is told, and no nonce is above EXECUTE (http-api-more §1.2).
        {**_NONCE, "actor_id": OrNull({"const": None}), "alias": TEXT, "level": {"enum": list(ALIAS_NONCE_LEVELS)}}
    ),
    "Alias": Shape({"alias": TEXT, "actor_id": TEXT, "owner": TEXT, "_links": links("self", "owner", "actor")}),
    "Config": Shape({"name": TEXT, "value": OrNull(TEXT), "is_secret": BOOLEAN, "actors": TEXT}),
    "Worker": Shape(_WORKER),
    "AdminWorker": Shape({**_WORKER, "actor_id": _ID, "actor_dbid": _DBID}, Nulls.KEPT),
    "StoredWorker": Shape(
        {
            "id": _ID,
            "actor_id": _DBID,
            "status": _WORKER_STATUS,
            "tenant": TEXT,
            **_UNKNOWN_PLACE,
            "create_time": _HTTP_DATE,
            "last_execution_time": OrNull(either(_HTTP_DATE, {"const": 0})),
            "last_health_check_time": OrNull(_HTTP_DATE),
        },
        Nulls.ABSENT,
        is_raw=True,
    ),
    "RequestedWorker": Shape(_FOUND_WORKER, Nulls.KEPT),
    "StartedWorker": Shape(
        {
            **_FOUND_WORKER,
            **_PLACE,
            "last_execution_time": either(_TIME, {"const": 0}),
            "last_health_check_time": _TIME,
        },
        Nulls.KEPT,
    ),
    "SearchMetadata": Shape(dict.fromkeys(("total_count", "records_skipped", "record_limit", "count_returned"), COUNT)),
    "FoundActors": _found("FoundActor"),
    "FoundExecutions": _found("FoundExecution"),
    "FoundWorkers": _found("FoundWorker"),
    "FoundLogs": _found("FoundLog"),
    "AllWorkers": Shape({"summary": ref("WorkerSummary"), "workers": list_of(ref("AdminWorker"))}),
    "WorkerSummary": Shape(
        dict.fromkeys(
            (
                "total_workers",
                "ready_workers",
                "requested_workers",
                "error_workers",
                "busy_workers",
                "actors_no_workers",
            ),
            COUNT,
        )
    ),
    "AllExecutions": Shape({"summary": ref("ExecutionSummary"), "actors": list_of(ref("ActorTally"))}),
    "ExecutionSummary": Shape({**_execution_sums("all"), **_execution_sums("existing")}),
    "ActorTally": Shape(
        {
            "actor_id": _ID,
            "owner": TEXT,
            "image": OrNull(TEXT),
            **dict.fromkeys((f"total_{total}" for total in _TOTALS), COUNT),
        },
        Nulls.KEPT,
    ),
    "Utilization": Shape(
        dict.fromkeys(("currentActors", "totalActors", "workers", "commandQueue"), COUNT), is_raw=True
    ),
    "Fault": Shape({"fault": Shape({"code": INTEGER, "message": TEXT, "description": TEXT}).schema()}),
    "Clock": Shape(
        {
            "now": {"type": "string", "pattern": r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{6}Z$"},
            "offset_s": {"type": "number"},
            "frozen": BOOLEAN,
            "cron_runs": COUNT,
            "logs_swept": COUNT,
        },
        is_raw=True,
    ),
    "Pause": Shape({"paused": BOOLEAN}),
    "SetFaults": Shape({"faults": list_of(ref("SetFault"))}),
    "Health": Shape({"status": {"enum": ["ok", "failing"]}, "parts": {**OBJECT, "additionalProperties": TEXT}}),
}

#: What is no object of fixed fields.
_OTHERS: Mapping[str, Schema] = {
    "Found": either(*(ref(f"Found{kind.capitalize()}") for kind in SearchType)),
    "FoundWorker": either(ref("RequestedWorker"), ref("StartedWorker")),
    "Permissions": {"type": "object", "additionalProperties": _LEVEL},
    "NewFault": {**OBJECT, "properties": {**_FAULT, "kind": _FAULT_KIND}, "required": ["kind"]},
    "SetFault": {
        **OBJECT,
        "properties": {**_FAULT, "kind": _FAULT_KIND, "id": TEXT, "struck": COUNT, "left": either(COUNT, NULL)},
        "required": ["id", "kind", "left", "probability", "seed", "struck", "times"],
        "additionalProperties": False,
    },
}


def schemas(seen: Face) -> Mapping[str, Schema]:
    """All of them by name, as this face of Abaco shows them."""
    return {**{name: shape.schema(seen) for name, shape in _SHAPES.items()}, **_OTHERS}


def envelope(result: Schema, *, status: str, version: str) -> Schema:
    """The four keys of every answer (http-api §1.1)."""
    fields = {"message": TEXT, "result": result, "status": {"const": status}, "version": {"const": version}}
    return Shape(fields).schema()
