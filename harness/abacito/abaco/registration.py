"""Registering an actor, finding it again, deleting it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from abacito.abaco import cron, ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus
from abacito.abaco.authorization import Authorization
from abacito.abaco.caller import Caller
from abacito.abaco.deletion import Deletion
from abacito.abaco.errors import Malformed, Unauthorized, Unknown
from abacito.abaco.linking import Linking
from abacito.abaco.message import LONGEST_STATE, as_text
from abacito.abaco.permission import Level, is_permitted
from abacito.abaco.ports import (
    ActorRecords,
    Clock,
    ExecutionRecords,
    Mailboxes,
    Pace,
    Ring,
    Rings,
    WorkerSlots,
)
from abacito.abaco.staffing import Staffing
from abacito.abaco.tenant import Tenant
from abacito.abaco.worker import Slot, WorkerStatus

log = logging.getLogger(__name__)

#: How long a deletion waits for the workers (Abaco 1.9: twenty looks, a second apart).
DELETION_WAIT_S = 20.0
DELETED = "Actor deleted successfully."
CLEANING_UP = "Actor deleted successfully, though Abaco is still cleaning up some of the actor's resources."

_UNABLE = "Invalid actor description: Unable to process the JSON description.: 400 Bad Request:"
_ONE_WORKER = "Invalid actor description: stateful actors can only have 1 worker."
#: What a registration may say and an update never changes.
_NEVER_UPDATED = ("name", "status")

_PRIVILEGES = {
    "privileged": "make privileged actors",
    "max_workers": "set max workers",
    "max_cpus": "set max CPUs",
    "mem_limit": "set mem limit",
    "queue": "set queue",
    "use_container_uid": "use container uid",
}
_CAMEL = {
    "max_workers": "maxWorkers",
    "max_cpus": "maxCpus",
    "mem_limit": "memLimit",
    "use_container_uid": "useContainerUid",
}


def check_privileges(caller: Caller, body: Mapping[str, Any]) -> None:
    """Refuse a body that sets, in either spelling, what only the privileged may (http-api §2.4, checks 1 and 2).

    Abaco 1.9 looks at the body of every POST and PUT, of messages too; any truthy value counts, ``"false"`` as well.
    """
    if caller.is_privileged:
        return
    for field, words in _PRIVILEGES.items():
        if body.get(field) or body.get(_CAMEL.get(field, field)):
            raise Unauthorized(f"Not authorized -- only admins and privileged users can {words}.")


@dataclass(frozen=True, slots=True)
class Description:
    """A registration as it was asked for: the actor's settings, by the names of Actor's fields.

    ``stateless`` and ``token`` are absent when not given: the tenant's defaults then count. ``forced``: an update
    that starts the actor anew even with the same image. ``keeps``: settings that an update leaves as they are when
    they are not given; all others return to their defaults.
    """

    settings: Mapping[str, Any]
    forced: bool = False
    keeps: frozenset[str] = frozenset()


class Registration:
    """Actors come and go here. ``pace`` is the real time in which a deletion waits."""

    def __init__(
        self,
        actors: ActorRecords,
        executions: ExecutionRecords,
        slots: WorkerSlots,
        mailboxes: Mailboxes,
        rings: Rings,
        clock: Clock,
        pace: Pace,
        linking: Linking,
        authorization: Authorization,
    ) -> None:
        self._actors, self._executions, self._slots = actors, executions, slots
        self._mailboxes, self._rings, self._clock, self._pace = mailboxes, rings, clock, pace
        self._linking, self._authorization = linking, authorization
        self._staffing = Staffing(slots, rings, clock)
        self._deletion = Deletion(actors, executions, slots, mailboxes)

    def register(self, caller: Caller, tenant: Tenant, description: Description) -> Actor:
        """A new actor, SUBMITTED, with a mailbox and a first worker requested; its image is not looked at yet.

        Raises Malformed for a description that contradicts itself or the tenant's settings.
        """
        settings = _complete(description.settings, tenant)
        self._check(settings, tenant, lambda link: self._linking.check(tenant.name, link))
        settings |= self._first_run(description, tenant)
        if settings.get("max_workers") and not settings["stateless"]:
            raise Malformed(_ONE_WORKER)
        actor = self._put(caller, tenant, settings)
        self._mailboxes.create(actor.key)
        for number in range(tenant.init_count):
            self._slots.add(first_slot(actor, number))
        self._rings.send(actor.queue, Ring(actor.key, prepare=True))
        log.info("actor %s registered by %s: %s", actor.id, caller.username, actor.image)
        return actor

    def update(self, caller: Caller, tenant: Tenant, actor: Actor, description: Description) -> Actor:
        """Replace an actor's settings; another image, or force, makes a new revision and starts it anew.

        Executions under way finish on the old image, whatever waits runs on the new one (execution.md §3.4).
        Raises Malformed like ``register``, Unknown when the actor is gone.
        """
        settings = self._updated(tenant, actor, description)
        starts_anew = description.forced or settings.get("image") != actor.image
        after = self._replaced(caller, tenant, actor, settings, starts_anew=starts_anew)
        says = "status_message" not in description.keeps
        if not self._actors.update(after, starts_anew=starts_anew, says=says):
            raise Unknown(f"No actor found with id: {actor.id}.")
        if caller.username != actor.owner:
            self._authorization.grant(actor.resource, caller.username, Level.UPDATE)
        if actor.state and "state" not in description.settings:
            log.warning("actor %s: an update without a state has emptied its state, as in Abaco", actor.id)
        if starts_anew:
            for slot in self._slots.list(actor.key):
                self._staffing.dismiss(slot)
            self._staffing.request(after)
            self._rings.send(after.queue, Ring(actor.key, prepare=True))
        log.info("actor %s updated by %s: revision %d", actor.id, caller.username, after.revision)
        return after

    def visible_to(self, caller: Caller) -> Sequence[Actor]:
        """The actors of his tenant that the caller may read, oldest first; no role widens it (http-api §2.3)."""
        found = self._actors.visible_to(caller.tenant, caller.username)
        return [actor for actor, entries in found if is_permitted(entries, Level.READ)]

    def check_stateful(self, actor: Actor) -> None:
        """Raises Unknown for an actor that keeps no state; Abaco answers 404 to that."""
        if actor.stateless:
            raise Unknown("actor is stateless.")

    def set_state(self, actor: Actor, value: Any) -> Actor:
        """Replace the state: the next execution that starts sees it; the last write wins.

        Raises Unknown when the actor has been deleted meanwhile.
        """
        if len(as_text(value) or "") > LONGEST_STATE:
            log.warning("the state of actor %s is too long for a variable: its executions will not start", actor.id)
        if not self._actors.set_state(actor.key, value):
            raise Unknown(f"No actor found with id: {actor.id}.")
        return replace(actor, state=value)

    def delete(self, key: ActorKey) -> str:
        """Stop and remove an actor; what to tell the user. What does not exist is deleted already.

        Blocks while its workers stop, at most DELETION_WAIT_S.
        """
        if not self._actors.begin_deletion(key):
            return DELETED
        self._executions.delete_logs(key)
        deadline = self._pace.monotonic() + DELETION_WAIT_S
        while not self._deletion.run_pass(key):
            if self._pace.monotonic() >= deadline:
                log.warning("actor %s: its workers have not stopped within %.0f s", key.id, DELETION_WAIT_S)
                return CLEANING_UP
            self._pace.sleep(0.05)
        log.info("actor %s deleted", key.id)
        return DELETED

    def _updated(self, tenant: Tenant, actor: Actor, description: Description) -> dict[str, Any]:
        kept = {name: getattr(actor, name) for name in description.keeps if name not in description.settings}
        settings = _complete({**kept, **description.settings}, tenant, forces_cron=False)
        for name in _NEVER_UPDATED:
            settings.pop(name, None)
        self._check(settings, tenant, lambda link: self._linking.check_update(actor.key, link))
        settings |= self._first_run(description, tenant)
        if settings["stateless"] and not actor.stateless:
            raise Malformed(
                "Invalid actor description: an actor that was not stateless cannot be updated to be stateless."
            )
        if settings.get("max_workers") and not actor.stateless:  # judged by what it was
            raise Malformed(_ONE_WORKER)
        return settings

    def _replaced(
        self, caller: Caller, tenant: Tenant, actor: Actor, settings: Mapping[str, Any], *, starts_anew: bool
    ) -> Actor:
        privileged = bool(settings.get("privileged"))
        return Actor(
            key=actor.key,
            owner=actor.owner,
            name=actor.name,
            api_server=tenant.api_server,
            create_time=actor.create_time,
            last_update_time=self._clock.now(tenant.name),
            mounts=tenant.mounts(actor.owner, settings.get("tasdir"), privileged=privileged),
            status=ActorStatus.SUBMITTED if starts_anew else actor.status,
            revision=actor.revision + starts_anew,
            totals=actor.totals,
            purged_before=actor.purged_before,
            **settings,
        )

    def _check(self, settings: Mapping[str, Any], tenant: Tenant, check_link: Callable[[str | None], object]) -> None:
        """In Abaco's order (http-api §2.4, 4 to 6)."""
        if settings.get("queue", "default") not in tenant.queues:
            raise Malformed(f"{_UNABLE} Invalid queue name.")
        check_link(settings.get("link"))
        for hint in settings.get("hints", ()):
            bad = next((c for c in "\"'{}[]" if c in hint), None)
            if bad:
                raise Malformed(
                    f"{_UNABLE} Hints must be simple stings or numbers, no lists or dicts. Error character: {bad}"
                )

    def _first_run(self, description: Description, tenant: Tenant) -> Mapping[str, str]:
        """The next cron execution by the schedule that was given; whatever else was said of it then does not count."""
        schedule = description.settings.get("cron_schedule")
        if schedule is None:
            return {}
        now = self._clock.now(tenant.name)
        cron.parse(schedule, now)
        return {"cron_next_ex": cron.first_run(schedule, now)}

    def _put(self, caller: Caller, tenant: Tenant, settings: Mapping[str, Any]) -> Actor:
        now = self._clock.now(tenant.name)
        mounts = tenant.mounts(caller.username, settings.get("tasdir"), privileged=bool(settings.get("privileged")))
        while True:
            actor = Actor(
                key=ActorKey(tenant.name, ids.new_id()),
                owner=caller.username,
                api_server=tenant.api_server,
                create_time=now,
                last_update_time=now,
                mounts=mounts,
                **settings,
            )
            if self._actors.add(actor):
                return actor


def first_slot(actor: Actor, number: int = 0) -> Slot:
    """The worker that a registration asks for, before it is up."""
    return Slot(actor.key, number, ids.new_id(), WorkerStatus.REQUESTED, actor.last_update_time)


def ready_slot(slot: Slot, actor: Actor, location: str) -> Slot:
    """The same worker once its image is at hand."""
    return replace(slot, status=WorkerStatus.READY, image=actor.image, location=location)


def _complete(settings: Mapping[str, Any], tenant: Tenant, *, forces_cron: bool = True) -> dict[str, Any]:
    complete = {"stateless": tenant.stateless_default, **settings}
    if complete.get("token") is None:  # Abaco shows the configuration's text, not a boolean (http-api §2.2)
        complete["token"] = "true" if tenant.default_token else "false"
    if tenant.actor_uid and not complete.get("use_container_uid"):
        complete |= {"uid": tenant.actor_uid, "gid": tenant.actor_gid}
    if forces_cron and complete.get("cron_schedule") is not None:
        complete["cron_on"] = True
    return complete
