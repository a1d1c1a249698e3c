"""``/actors`` and ``/actors/<id>``: registering, listing, reading and deleting actors over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from abacito.abaco.actor import Actor
from abacito.abaco.errors import Unauthorized
from abacito.abaco.permission import Level
from abacito.abaco.registration import Description, check_privileges
from abacito.api import parameters as p
from abacito.api import searching, wire
from abacito.api.caller import abaco, actor, actor_key, caller, tenant

bp = Blueprint("actors", __name__, url_prefix="/actors")

_PREFIX = "Invalid actor description"
_NOT_JSON = ": 400 Bad Request: The browser (or proxy) sent a request that this server could not understand."

#: In the order in which Abaco tries them (http-api §2.4, check 3); the texts are Abaco's where the spec has them.
REGISTRATION = (
    p.Parameter("name", p.text, "User defined name for this actor."),
    p.Parameter("image", p.text, "Reference to image on docker hub for this actor.", required=True),
    p.Parameter("stateless", p.boolean, "Whether the actor stores private state."),
    p.Parameter("type", p.text, "Return type (none, bin, json) for this actor. Default is none."),
    p.Parameter("link", p.text, "Actor identifier of actor to link this actors events too."),
    p.Parameter("token", p.boolean, "Whether this actor requires an OAuth access token."),
    p.Parameter("webhook", p.text, "URL to publish this actors events to."),
    p.Parameter("hints", p.text, "Hints for personal tagging or Abaco special hints", is_list=True),
    p.Parameter("description", p.text, "Description of this actor"),
    p.Parameter("privileged", p.boolean, "Whether this actor runs in privileged mode."),
    p.Parameter("max_workers", p.integer, "How many workers this actor is allowed at the same time."),
    p.Parameter("mem_limit", p.text, "maximum amount of memory this actor can use."),
    p.Parameter("max_cpus", p.integer, "Maximum number of CPUs (nanoCPUs) this actor will have available to it."),
    p.Parameter("use_container_uid", p.boolean, "Whether this actor runs as the UID set in the container."),
    p.Parameter("default_environment", p.json_object, "A dictionary of default environmental variables and values."),
    p.Parameter("status", p.text, "Current status of the actor."),
    p.Parameter("status_message", p.text, "Explanation of status."),
    p.Parameter("executions", p.json_object, "Executions for this actor."),
    p.Parameter("state", p.json_object, "Current state for this actor."),
    p.Parameter("revision", p.integer, "A monotonically increasing integer."),
    p.Parameter("queue", p.text, "The command channel that this actor uses."),
    p.Parameter("uid", p.text, "The uid to run the container as."),
    p.Parameter("gid", p.text, "The gid to run the container as."),
    p.Parameter("tasdir", p.text, "Absolute path to the TAS defined home directory."),
    p.Parameter("log_ex", p.integer, "Amount of time, in seconds, after which logs will expire"),
    p.Parameter("cron_on", p.boolean, "Whether cron is on or off"),
    p.Parameter("cron_schedule", p.text, "yyyy-mm-dd hh + <number> <unit of time>"),
    p.Parameter("cron_next_ex", p.text, "The next cron execution yyyy-mm-dd hh"),
    p.Parameter("run_as_executor", p.boolean, "Whether containers get a token of who posted, not of the owner."),
)
UPDATE = (*REGISTRATION, p.Parameter("force", p.anything, "Whether to force an update of the actor."))

# Parsed, and refused when ill-typed, but never stored from a request.
_COMPUTED = ("executions", "revision", "force")
_NO_NONCE = "Not authorized."
# What an update in camel case leaves alone unless it is given: Abaco's accident with its own snake keys (§2.5).
_KEPT_IN_CAMEL = frozenset({"status_message", "cron_schedule", "cron_next_ex"})


@bp.get("")
def list_actors() -> Response:
    """The actors of the caller's tenant that he may read, or with query arguments a search among his."""
    who = caller(Unauthorized(_NO_NONCE))
    if searching.is_asked():
        return searching.of_actors()
    found = abaco().registration.visible_to(who)
    return wire.ok([shown(each) for each in found], "Actors retrieved successfully.")


@bp.post("")
def register_actor() -> Response:
    """Register an image; the answer says SUBMITTED, whatever becomes of the image."""
    who = caller(Unauthorized(_NO_NONCE))
    check_privileges(who, p.body_for_checks())
    given = p.read(REGISTRATION, _PREFIX, _NOT_JSON)
    created = abaco().registration.register(who, tenant(), _description(given))
    return wire.ok(shown(created), "Actor created successfully.")


@bp.get("/<identifier>")
def get_actor(identifier: str) -> Response:
    """One actor."""
    found = actor(identifier, Level.READ, missing="No actor found with identifier: {}.")
    return wire.ok(shown(found), "Actor retrieved successfully.")


@bp.put("/<identifier>")
def update_actor(identifier: str) -> Response:
    """Replace an actor's settings; what is not given returns to its default."""
    found = actor(identifier, Level.UPDATE)
    given = p.read(UPDATE, _PREFIX, _NOT_JSON)
    updated = abaco().registration.update(caller(), tenant(), found, _update_description(given))
    return wire.ok(shown(updated), "Actor updated successfully.")


@bp.delete("/<identifier>")
def delete_actor(identifier: str) -> Response:
    """Stop and remove an actor; blocks while its workers go."""
    key = actor_key(identifier, Level.UPDATE)
    return wire.ok(None, abaco().registration.delete(key))


def shown(actor: Actor) -> dict[str, Any]:
    """An actor as users see it: 33 keys in snake, nulls dropped in camel, and what v3 has beside them."""
    times = {name: wire.time(getattr(actor, name)) for name in ("create_time", "last_update_time")}
    url = wire.actor_url(actor.api_server, actor.key)
    links = {
        "self": url,
        "owner": wire.profile_url(actor.api_server, actor.owner),
        "executions": f"{url}/executions",
    }
    return wire.shown({**fields(actor), **times, "_links": links})


def fields(actor: Actor) -> dict[str, Any]:
    """What everybody sees of an actor beside its times and links, by snake names."""
    mounts = [{"container_path": m.container_path, "host_path": m.host_path, "mode": m.mode} for m in actor.mounts]
    plain = {name: getattr(actor, name) for name in _SHOWN_AS_STORED}
    return {**plain, "hints": list(actor.hints), "mounts": mounts}


_SHOWN_AS_STORED = (
    "cron_next_ex", "cron_on", "cron_schedule", "default_environment", "description", "gid", "id", "image", "link",
    "log_ex", "max_cpus", "max_workers", "mem_limit", "name", "owner", "privileged", "queue", "revision", "state",
    "run_as_executor", "stateless", "status", "status_message", "tasdir", "token", "type", "uid", "use_container_uid",
    "webhook",
)  # fmt: skip


def _update_description(given: dict[str, Any]) -> Description:
    """An update; any non-empty ``force`` forces, the text ``false`` too (http-api §2.5)."""
    settings = dict(_description(given).settings)
    keeps = _KEPT_IN_CAMEL if wire.is_camel() else frozenset[str]()
    if wire.is_camel():
        settings.pop("status_message", None)
    return Description(settings, forced=bool(given.get("force")), keeps=keeps)


def _description(given: dict[str, Any]) -> Description:
    settings = {name: value for name, value in given.items() if name not in _COMPUTED}
    if settings.get("hints", ()) is None:  # Abaco 1.9 fails on null hints; here they are as good as not given
        del settings["hints"]
    return Description(settings)
