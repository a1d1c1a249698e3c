"""``/actors/<id>/workers``: worker records over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response

from abacito.abaco.finding import worker_place
from abacito.abaco.permission import Level
from abacito.abaco.search import SearchType
from abacito.abaco.worker import Slot
from abacito.api import parameters as p
from abacito.api import searching, wire
from abacito.api.caller import abaco, actor_for_admin, actor_key

bp = Blueprint("workers", __name__, url_prefix="/actors/<identifier>/workers")

PREFIX = "Invalid POST"
PARAMETERS = (p.Parameter("num", p.integer, "Number of workers to start (default is 1)."),)


@bp.get("")
def list_workers(identifier: str) -> Response:
    """An actor's workers, or with query arguments a search among them."""
    key = actor_key(identifier, Level.READ)
    if searching.is_asked():
        return searching.within(key, SearchType.WORKERS, "Workers search completed successfully.")
    return wire.ok([shown(each) for each in abaco().staffing.list(key)], "Workers retrieved successfully.")


@bp.post("")
def ensure_workers(identifier: str) -> Response:
    """See to it that there are at least ``num`` workers."""
    found = actor_for_admin(identifier, "Not authorized -- only admins are authorized to update workers.")
    wanted = p.read(PARAMETERS, PREFIX).get("num") or 1
    return wire.ok(None, abaco().staffing.ensure(found, identifier, wanted))


@bp.get("/<worker_id>")
def get_worker(identifier: str, worker_id: str) -> Response:
    """One worker."""
    found = abaco().staffing.get(actor_key(identifier, Level.READ), worker_id)
    return wire.ok(shown(found), "Worker retrieved successfully.")


@bp.delete("/<worker_id>")
def stop_worker(identifier: str, worker_id: str) -> Response:
    """Have a worker go; one that is busy finishes its execution first."""
    found = abaco().staffing.get(actor_key(identifier, Level.UPDATE), worker_id)
    abaco().staffing.dismiss(found)
    return wire.ok(None, "Worker scheduled to be stopped.")


def shown(slot: Slot) -> dict[str, Any]:
    """A worker as users see it; until it is up, only its id, status, tenant and time are known."""
    shown_times = {name: wire.time_or_none_text(moment) for name, moment in times(slot).items()}
    return wire.shown({"tenant": slot.actor.tenant, **described(slot), **shown_times})


def described(slot: Slot) -> dict[str, Any]:
    """What a worker's record says beside its times and its actor, nulls for what is not known yet."""
    return {"id": slot.worker_id, "status": str(slot.status), **worker_place(slot)}


def times(slot: Slot) -> dict[str, datetime | None]:
    """The times that a worker's record has; None for what has not been."""
    return {
        "create_time": slot.create_time,
        "last_execution_time": slot.last_execution_time,
        "last_health_check_time": slot.last_health_check_time,
    }
