"""``/_abacito/faults``: what is to go wrong on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response

from abacito.abaco.errors import Malformed
from abacito.abaco.faults import Fault, actor_named, fault_of
from abacito.api import wire
from abacito.api.caller import abaco
from abacito.api.control.loopback import only_from_here
from abacito.api.parameters import json_body
from abacito.api.paths import plain

bp = Blueprint("control_faults", __name__, url_prefix="/_abacito/faults")
bp.before_request(only_from_here)


@bp.get("")
def list_faults() -> Response:
    """All that are set, how often each has struck, and how often it may yet."""
    return _answer(abaco().faults.list())


@bp.post("")
def add_fault() -> Response:
    """``{"kind": "killed", "actor": NAME, "after_s": 1}``, with ``times`` (1; 0: until it is cleared), ``probability``
    (1) and ``seed``: the fault, with its id, and its seed by which a run can be repeated."""
    body = json_body()
    if not isinstance(body, dict):
        raise Malformed('The body must be a JSON object with a kind, such as {"kind": "start_fails"}.')
    named = {"actor": _actor_of, "path": plain}
    fields = {name: named[name](value) if name in named and isinstance(value, str) else value
              for name, value in body.items()}  # fmt: skip
    return wire.bare(abaco().faults.add(fault_of(fields)).to_document())


@bp.delete("")
def clear_faults() -> Response:
    """They strike no more; the answer tells how they stood."""
    return _answer(abaco().faults.clear())


@bp.delete("/<fault_id>")
def clear_fault(fault_id: str) -> Response:
    """It strikes no more; what it has struck stays so."""
    return _answer(abaco().faults.clear(fault_id))


def _actor_of(name: str) -> str:
    """What a fault is kept for, of whatever tenant: an id or an image."""
    actors = abaco().census.actors()
    tenants = {actor.key.tenant for actor in actors}
    return actor_named(name, actors, [alias for tenant in sorted(tenants) for alias in abaco().aliases.list(tenant)])


def _answer(faults: Sequence[Fault]) -> Response:
    return wire.bare({"faults": [fault.to_document() for fault in faults]})
