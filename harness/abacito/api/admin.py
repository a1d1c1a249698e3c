"""``/actors/admin`` and ``/actors/utilization``: the whole instance at a glance, over all tenants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from abacito.abaco.actor import Actor
from abacito.abaco.census import Census
from abacito.abaco.errors import WrongMethod
from abacito.abaco.finding import worker_record
from abacito.abaco.worker import Slot
from abacito.api import actors, wire, workers
from abacito.api.caller import abaco, admin, caller
from abacito.api.refusals import NO_SUCH_ENDPOINT

bp = Blueprint("admin", __name__, url_prefix="/actors")

_PATHS = ("/actors/admin", "/actors/admin/workers", "/actors/admin/executions")


@bp.before_app_request
def admin_is_no_identifier() -> None:
    """``/actors/admin…`` is a service of its own in Abaco: no method finds an actor of that name (http-api-more §5).

    Raises WrongMethod.
    """
    if request.path in _PATHS and request.method not in ("GET", "HEAD", "OPTIONS"):
        request.url_rule = None  # it is that of an actor called admin
        raise WrongMethod(NO_SUCH_ENDPOINT)


@bp.get("/admin")
def list_all_actors() -> Response:
    """Every actor of every tenant, with what is otherwise hidden of it."""
    admin()
    found = [_everything(each) for each in abaco().census.actors()]
    return wire.ok(found, "Actors retrieved successfully.")


@bp.get("/admin/workers")
def list_all_workers() -> Response:
    """Every worker of every tenant, and how many there are of each status."""
    admin()
    found = abaco().census.workers()
    listed = [wire.shown(_worker(each), keep_nulls=True) for each in found]
    summary = wire.shown(abaco().census.worker_summary(found))
    return wire.ok({"summary": summary, "workers": listed}, "Workers retrieved successfully.")


@bp.get("/admin/executions")
def count_all_executions() -> Response:
    """What the actors of all tenants have done, deleted ones included in the sums of all."""
    admin()
    tallies = abaco().census.tallies()
    listed = [wire.shown(each.figures(), keep_nulls=True) for each in tallies if not each.enrolment.is_deleted]
    summary = wire.shown(Census.execution_summary(tallies))
    return wire.ok({"summary": summary, "actors": listed}, "Executions retrieved successfully.")


@bp.get("/utilization")
def utilization() -> Response:
    """Four figures of the whole instance, in camel case whatever the instance speaks."""
    caller()
    return wire.ok(abaco().census.utilization(), "Abaco utilization returned successfully.")


def _everything(actor: Actor) -> dict[str, Any]:
    """Every field, hidden ones too, times as HTTP dates (an accident of Abaco's serializer), no links."""
    census = abaco().census.of(actor)
    plain: Mapping[str, Any] = actors.fields(actor)
    times = {name: wire.rfc1123(getattr(actor, name)) for name in ("create_time", "last_update_time")}
    hidden = {
        "tenant": actor.key.tenant,
        "db_id": actor.key.dbid,
        "api_server": actor.api_server,
        "messages": census.messages,
        "executions": census.executions,
        "runtime": census.runtime_s,
        "workers": [_raw_worker(slot) for slot in census.workers],
    }
    return wire.shown({**plain, **times, **hidden}, keep_nulls=True)


def _worker(slot: Slot) -> dict[str, Any]:
    return {
        **workers.described(slot),
        "actor_id": slot.actor.id,
        "actor_dbid": slot.actor.dbid,
        "tenant": slot.actor.tenant,
        **{name: wire.time_or_none_text(moment) for name, moment in workers.times(slot).items()},
    }


def _raw_worker(slot: Slot) -> dict[str, Any]:
    """A worker as stored, its actor by dbid, times as HTTP dates."""
    raw = {name: wire.rfc1123(v) if isinstance(v, datetime) else v for name, v in worker_record(slot).items()}
    return {name: value for name, value in raw.items() if value is not None}
