"""The variables that a container sees, and from where each comes (execution.md §1.1-1.2)."""

from __future__ import annotations

from collections.abc import Mapping

from abacito.abaco.actor import Actor
from abacito.abaco.message import Message, as_text


def environment(
    actor: Actor,
    message: Message,
    worker_id: str,
    access_token: str,
    api_server: str,
    configs: Mapping[str, str | None],
) -> Mapping[str, str | None]:
    """All variables of one execution; None: absent, even if the image sets it.

    Lowest to highest: the actor's default environment, the message's own (query parameters, then what the API
    says of the request), what the worker says, MSG. An empty name is dropped: Docker would refuse the container.
    """
    own = {
        "_abaco_api_server": api_server,
        "_abaco_access_token": access_token,
        "_abaco_actor_dbid": actor.key.dbid,
        "_abaco_actor_id": actor.id,
        "_abaco_worker_id": worker_id,
        "_abaco_container_repo": actor.image or "",
        "_actor_configs": str(dict(configs)),
    }
    had = had_of(actor) if message.pinned is None else message.pinned
    theirs = {name: value for name, value in had.items() if name not in _PLATFORMS}
    variables = {**theirs, **message.variables, **own, **{name: had.get(name) for name in _PLATFORMS}}
    if message.binary is None:
        variables["MSG"] = message.text
    return {name: value for name, value in variables.items() if name}


def had_of(actor: Actor) -> Mapping[str, str | None]:
    """What an execution that starts now has of its actor: its default environment, and its state and name."""
    defaults = {name: as_text(value) for name, value in (actor.default_environment or {}).items()}
    return {**defaults, "_abaco_actor_state": as_text(actor.state), "_abaco_actor_name": str(actor.name)}


#: Those of ``had_of`` that no message overrides.
_PLATFORMS = ("_abaco_actor_state", "_abaco_actor_name")
