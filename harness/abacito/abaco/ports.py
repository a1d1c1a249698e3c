"""What Abaco's rules and the workers need of the world, in their own words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from abacito.abaco.actor import Actor, ActorKey, Enrolment
from abacito.abaco.alias import Alias
from abacito.abaco.config import Config
from abacito.abaco.container import ContainerEnd, ContainerSpec
from abacito.abaco.events import Event
from abacito.abaco.execution import Execution, ExecutionKey, Outcome
from abacito.abaco.message import Message
from abacito.abaco.nonce import Nonce
from abacito.abaco.oauth import Client
from abacito.abaco.permission import Level, Permission, Resource
from abacito.abaco.time import Setting
from abacito.abaco.tokens import StoredToken
from abacito.abaco.worker import Hold, Slot


class Clock(Protocol):
    """Domain time, each tenant's own: what tokens, log expiry and shown times go by. It may be frozen or travelled."""

    def now(self, tenant: str) -> datetime:
        """The tenant's time, aware, in UTC."""


class MachineClock(Protocol):
    """The machine's time, from which the tenants' clocks may be off."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""


class ClockRecords(Protocol):
    """How each tenant's clock is set; the same for all processes of an emulator."""

    def get(self, tenant: str) -> Setting:
        """As it is now; not set at all: like the machine's."""

    def put(self, tenant: str, setting: Setting, seen: Setting) -> bool:
        """Set it; False when it is not as it was seen any more."""


class Pace(Protocol):
    """Real time: what leases, waits and run times go by. Nobody travels it."""

    def monotonic(self) -> float:
        """Seconds since some point that never moves."""

    def sleep(self, seconds: float) -> None:
        """Let real time pass."""


class ActorRecords(Protocol):
    """The actors, and who may do what with them."""

    def add(self, actor: Actor) -> bool:
        """Put a new actor, with UPDATE for its owner; False when the id is taken."""

    def get(self, key: ActorKey) -> Actor | None:
        """The actor as it is now."""

    def get_for(self, key: ActorKey, user: str) -> tuple[Actor | None, Sequence[Permission]]:
        """The actor, and those entries of its map that bear on this user: his own and the world's."""

    def visible_to(self, tenant: str, user: str) -> Sequence[tuple[Actor, Sequence[Permission]]]:
        """The actors whose map names the user or the world, oldest first, each with those entries."""

    def page_named(self, tenant: str, user: str, skip: int, limit: int) -> tuple[int, Sequence[Actor]]:
        """How many actors have an entry of this user's, and so many of them, oldest first."""

    def enrolled(self, tenant: str | None = None) -> Sequence[Enrolment]:
        """Every actor ever registered, deleted ones too, by tenant and age; of one tenant or of all."""

    def scheduled(self, tenant: str | None = None) -> Sequence[Actor]:
        """The actors that have a schedule, of one tenant or of all, oldest first; others cost nothing."""

    def get_many(self, keys: Iterable[ActorKey]) -> Sequence[Actor]:
        """Those of these actors that exist, oldest first."""

    def update(self, actor: Actor, *, starts_anew: bool, says: bool) -> bool:
        """Replace all that an update replaces; False when there is no such actor.

        Revision and status are written only when it ``starts_anew``, the status message then or when the update
        ``says`` it: a poller may be writing them at the same time.
        """

    def set_cron(self, actor: Actor) -> bool:
        """Store its next cron execution, if its schedule is still the one that it has here."""

    def set_status(self, actor: Actor) -> bool:
        """Store its status and message, if it is there, of this revision, and not being deleted; else False."""

    def set_state(self, key: ActorKey, state: object) -> bool:
        """Replace the state, any JSON value; False when there is no such actor."""

    def begin_deletion(self, key: ActorKey) -> bool:
        """SHUTTING_DOWN, from any status; False when there is no such actor."""

    def delete(self, key: ActorKey) -> None:
        """Remove the actor with its permissions and nonces. Its executions' records stay."""

    def purge(self, key: ActorKey, before: int, left: int) -> None:
        """Drop, from now on, messages of executions numbered below ``before``; ``left``: how many the queue holds."""

    def purge_left(self, key: ActorKey) -> int:
        """How many purged messages the queue still holds; for display."""

    def dropped(self, key: ActorKey) -> None:
        """One purged message has left the queue."""


class ExecutionRecords(Protocol):
    """The executions, with their messages, logs and results."""

    def add(self, execution: Execution, message: Message) -> bool:
        """Put a new execution with its message; False when the id is taken."""

    def undo(self, key: ExecutionKey) -> bool:
        """Remove it again unless a worker has claimed it; whether it was removed."""

    def get(self, key: ExecutionKey) -> Execution | None:
        """The execution as it is now."""

    def message(self, key: ExecutionKey) -> Message | None:
        """What it was started with; None when there is no such execution."""

    def list(self, actor: ActorKey, limit: int | None = None) -> Sequence[Execution]:
        """All executions ever, or the first so many, oldest first."""

    def count(self, actor: ActorKey) -> int:
        """How many there have ever been."""

    def set_running(self, key: ExecutionKey, had: Mapping[str, str | None] | None = None) -> None:
        """RUNNING, if it was SUBMITTED or waits for a repair; ``had``: the variables that it has of its actor."""

    def had(self, key: ExecutionKey) -> Mapping[str, str | None] | None:
        """The variables that it had of its actor; None when it has not run, or they were too long to be kept."""

    def publish_log(self, key: ExecutionKey, text: str, expires: datetime | None) -> None:
        """Show this much of the log while it runs."""

    def log(self, key: ExecutionKey, now: datetime) -> str:
        """The log; empty when there is none, or it has expired by ``now``."""

    def logs(self, actor: ActorKey, now: datetime) -> Iterator[tuple[Execution, str]]:
        """The executions that have a log at ``now``, an empty one too, each with it, oldest first."""

    def delete_logs(self, actor: ActorKey) -> None:
        """Remove the logs of all its executions."""

    def sweep_logs(self, tenant: str, now: datetime) -> int:
        """Remove what is stored of logs whose hour of expiry has gone by; how many."""

    def add_result(self, key: ExecutionKey, sequence: int, data: bytes, now: datetime) -> None:
        """Keep one result; the same sequence twice is one result."""

    def take_result(self, key: ExecutionKey, now: datetime) -> bytes | None:
        """The oldest result, which is thereby gone: no two readers get the same one. All are gone 20 minutes after
        one was last sent or read."""


class WorkerSlots(Protocol):
    """The worker slots, and every write that only the holder of one may make.

    What takes a ``held`` slot raises SlotLost when its token is not the stored one any more; then nothing was written.
    """

    def add(self, slot: Slot) -> bool:
        """Put a slot; False when that number exists."""

    def list(self, actor: ActorKey) -> Sequence[Slot]:
        """The actor's slots by number, as they are now."""

    def set_up(self, slot: Slot) -> None:
        """Store what is shown of a worker that has come up (image, location, status, times), if the slot is there."""

    def acquire(self, slot: Slot, hold: Hold, *, is_new: bool, drops: bool) -> Slot | None:
        """Hold a slot that was seen idle, or make it; None when it is not as it was seen.

        ``drops``: forget the parked execution that it names.
        """

    def take_over(self, seen: Slot, hold: Hold, *, if_still: bool) -> Slot | None:
        """Hold a slot whose holder is gone; ``if_still``: only if it has not beaten since it was seen."""

    def beat(self, held: Slot) -> Slot:
        """Show that we live; the slot as it is now."""

    def look(self, held: Slot) -> Slot:
        """The slot as it is now, with what others ask of it."""

    def claim(self, held: Slot, execution: ExecutionKey) -> bool:
        """One step: the execution gets this worker, the slot names the execution.

        False: somebody else has it, or it is not wanted any more.
        """

    def fail(self, held: Slot) -> int:
        """Count a failed start; how many there are now in a row."""

    def park(self, held: Slot, execution: ExecutionKey, reason: str) -> None:
        """One step: execution in ERROR but retryable, actor in ERROR for this reason, slot idle, still naming it."""

    def finish(self, held: Slot, key: ExecutionKey, outcome: Outcome, log: str, expires: datetime | None) -> None:
        """One step: log, outcome and COMPLETE, the actor's totals, the slot's time.

        Raises SlotLost also when the execution is not RUNNING.
        """

    def abort(self, held: Slot, execution: ExecutionKey) -> None:
        """The execution ends in ERROR, for good."""

    def forget(self, held: Slot) -> Slot:
        """The slot names no execution any more; the slot as it is now."""

    def release(self, held: Slot) -> Slot:
        """Idle and READY again; the slot as it is now."""

    def discard(self, held: Slot) -> None:
        """Delete the slot that we hold."""

    def delete_idle(self, slot: Slot) -> bool:
        """Delete a slot that nobody holds; False when somebody does, or it names another execution than was seen."""

    def drain(self, slot: Slot) -> bool:
        """SHUTDOWN_REQUESTED: it goes when the execution that it names is done. False when it is gone."""

    def shut_down(self, held: Slot) -> Slot:
        """SHUTTING_DOWN, for all to see: we know that we are to go. The slot as it is now."""

    def halt(self, slot: Slot, what: str) -> bool:
        """Ask the holder to stop that execution (``HALT_ALL``: and go). False when it is not held, or names another."""

    def heard(self, held: Slot, tell: Callable[[str], object]) -> AbstractContextManager[None]:
        """Meanwhile, ``tell`` is called at once with what this process asks by ``halt``; others are seen by a look."""


class PermissionRecords(Protocol):
    """Who may do what with actors, aliases and configs."""

    def list(self, resource: Resource) -> Sequence[Permission]:
        """The whole map."""

    def bearing_on(self, resource: Resource, user: str) -> Sequence[Permission]:
        """Those entries that bear on this user: his own and the world's."""

    def set(self, resource: Resource, user: str, level: Level) -> None:
        """Give this user this level; an entry that exists keeps its place in the order."""

    def delete_all(self, resource: Resource) -> None:
        """Forget the map."""


class AliasRecords(Protocol):
    """The aliases of all tenants."""

    def add(self, alias: Alias) -> bool:
        """Put a new alias; False when the tenant has one of that name."""

    def get(self, tenant: str, name: str) -> Alias | None:
        """The alias."""

    def list(self, tenant: str) -> Sequence[Alias]:
        """A tenant's aliases, by name."""

    def point(self, alias: Alias) -> bool:
        """Store the actor that it stands for now; False when it is gone."""

    def delete(self, tenant: str, name: str) -> None:
        """Remove it."""


class NonceRecords(Protocol):
    """The nonces of actors and aliases."""

    def add(self, nonce: Nonce) -> bool:
        """Put a new nonce; False when the id is taken."""

    def get(self, resource: Resource, nonce_id: str) -> Nonce | None:
        """The nonce, if it is of this actor or alias."""

    def list(self, resource: Resource) -> Sequence[Nonce]:
        """All of them, oldest first."""

    def spend(self, nonce: Nonce, now: datetime) -> bool:
        """Take one use; False when there is none left. No two calls get the same one."""

    def delete(self, resource: Resource, nonce_id: str) -> bool:
        """Remove it; whether it was there."""

    def delete_all(self, resource: Resource) -> None:
        """Remove all of them."""


class ConfigRecords(Protocol):
    """The configs of all tenants."""

    def add(self, config: Config) -> bool:
        """Put a new config; False when the tenant has one of that name."""

    def get(self, tenant: str, name: str) -> Config | None:
        """The config."""

    def list(self, tenant: str) -> Sequence[Config]:
        """A tenant's configs, by name."""

    def replace(self, config: Config) -> bool:
        """Store another content under the same name; False when it is gone."""

    def delete(self, tenant: str, name: str) -> None:
        """Remove it."""


class Cipher(Protocol):
    """Encryption of what is secret at rest."""

    def encrypt(self, text: str) -> str:
        """The ciphertext, as text."""

    def decrypt(self, ciphertext: str) -> str:
        """The text again. Raises Undecipherable."""


class TokenRecords(Protocol):
    """Access tokens, by the hash of their text."""

    def put(self, digest: str, token: StoredToken) -> None:
        """Keep a token."""

    def get(self, digest: str) -> StoredToken | None:
        """The token, expired or not."""

    def delete(self, digest: str) -> bool:
        """Forget it; whether it was there. Of two who ask at once, one is told yes."""


class ClientRecords(Protocol):
    """The OAuth clients, by key and by the user who made them."""

    def add(self, client: Client) -> bool:
        """Put a new client; False when its owner has one of that name, or anybody one of that key."""

    def get(self, key: str) -> Client | None:
        """The client with this consumer key."""

    def list(self, tenant: str, owner: str) -> Sequence[Client]:
        """A user's clients, by name."""

    def delete(self, client: Client) -> None:
        """Remove it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in hand, to be deleted or released."""

    execution_id: str
    receipt: str


class Mailboxes(Protocol):
    """One FIFO mailbox per actor. All but ``send`` do nothing and find nothing where there is none."""

    def create(self, actor: ActorKey) -> None:
        """Make the mailbox, if it is not there."""

    def send(self, actor: ActorKey, execution_id: str, group: str) -> None:
        """Put a message at the end. Raises Unknown when there is no mailbox."""

    def receive(self, actor: ActorKey, visibility_s: int) -> Delivery | None:
        """The next message of a group that has none in hand; it comes again after ``visibility_s`` unless deleted."""

    def delete_message(self, actor: ActorKey, delivery: Delivery) -> None:
        """Done with it."""

    def release(self, actor: ActorKey, delivery: Delivery) -> None:
        """Make it visible again, now, in its place."""

    def count(self, actor: ActorKey) -> int:
        """How many messages it holds, waiting or in hand."""

    def delete(self, actor: ActorKey) -> None:
        """Remove the mailbox with all that is in it."""


@dataclass(frozen=True, slots=True)
class Ring:
    """``actor X has mail``. ``prepare``: have its image at hand first, and make it READY.

    ``slot``, ``token``, ``beat``: a sweep's ring names the slot whose holder may be dead, as it was seen.
    """

    actor: ActorKey
    prepare: bool = False
    slot: int | None = None
    token: str | None = None
    beat: int | None = None


@dataclass(frozen=True, slots=True)
class RingInHand:
    """A ring received; ``id`` stays the same when it comes again."""

    ring: Ring
    id: str
    receipt: str
    queue: str


class Rings(Protocol):
    """One command queue per Abaco queue name (``default``, ``special`` …)."""

    def send(self, queue: str, ring: Ring, delay_s: int = 0) -> None:
        """Ring."""

    def receive(self, queue: str, wait_s: int, visibility_s: int) -> RingInHand | None:
        """The next ring, waiting for one if need be; it comes again after ``visibility_s`` unless deleted."""

    def hide(self, ring: RingInHand, seconds: int) -> None:
        """Keep it (0: give it back now). Nothing happens if it is not ours any more."""

    def count(self, queue: str) -> int:
        """How many wait."""

    def delete(self, ring: RingInHand) -> None:
        """Done with it. Nothing happens if it is not ours any more."""


@dataclass(frozen=True, slots=True)
class EventInHand:
    """An event received, to be deleted when it is delivered."""

    event: Event
    receipt: str


class EventQueue(Protocol):
    """Events on their way to links and webhooks, in the order of each actor's."""

    def send(self, event: Event, once: str) -> None:
        """Put it at the end; the same ``once`` again, within minutes, is the same event."""

    def receive(self, wait_s: int, visibility_s: int) -> EventInHand | None:
        """The next event of an actor that has none in hand; it comes again unless it is deleted."""

    def delete(self, event: EventInHand) -> None:
        """Done with it."""


class ContainerState(StrEnum):
    """Where a container stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Container(Protocol):
    """One container in a runner's hand: made once, started at most once, removed in the end."""

    @property
    def id(self) -> str:
        """The runner's own id; calls through this object mean this container, never a namesake."""

    @property
    def image_id(self) -> str:
        """What was run: the digest for Docker, a path or name elsewhere."""

    def state(self) -> ContainerState:
        """Looks now. Raises ContainerGone, RunnerAway."""

    def start(self) -> None:
        """Start it, once. Raises StartRefused (it never ran), ContainerGone, RunnerAway."""

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        """The end, as soon as there is one; None after ``timeout_s`` real seconds. Raises ContainerGone, RunnerAway.

        When it answers with an end, the log is complete and every result sent has been handed over.
        """

    def log(self) -> str:
        """stdout and stderr so far, in order, bad UTF-8 replaced; at most one character more than ``log_limit``."""

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask it to stop (the image's stop signal), kill it after ``grace_s``. Returns at once."""

    def remove(self) -> None:
        """Remove it, running or not, with its socket and pipe. Nothing happens if it is gone. Raises RunnerAway."""


class Runner(Protocol):
    """Where actors run. The only one who knows how."""

    @property
    def name(self) -> str:
        """``docker``, ``process`` or ``stub``."""

    @property
    def location(self) -> str:
        """The address shown as a worker's location, e.g. ``unix://var/run/docker.sock``."""

    def callback_host(self) -> str | None:
        """The address of this machine at which a container finds us; None: loopback. Raises RunnerAway."""

    def prepare(self, image: str) -> str:
        """Have the image at hand (look, build, pull if allowed); its id. Raises ImageUnavailable, RunnerAway."""

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Container:
        """Make the container, not started. ``on_result`` gets each result as it comes, in order, from one thread.

        Raises NameTaken, ImageUnavailable, CreationRefused, RunnerAway.
        """

    def find(self, name: str) -> Container | None:
        """The container of that name, whoever made it; None if there is none. Raises RunnerAway."""

    def names(self) -> Collection[str]:
        """The names of the containers that this emulator has here, whichever process made them. Raises RunnerAway."""

    def clear(self) -> None:
        """Remove every container that this runner has made; who waits for one sees it gone."""

    def close(self) -> None:
        """Clear, and give up what the runner itself holds: connections, threads, files."""
