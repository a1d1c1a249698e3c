"""The key schema: every item of the one table, and every name in SQS and S3, is spelled here and nowhere else.

======================  =========================  ==============================================================
pk                      sk                         item
======================  =========================  ==============================================================
A#<tenant>#<actor>      @                          actor: what is conditional as attributes, the rest in ``doc``
A#<tenant>#<actor>      P#<user>                   permission
A#<tenant>#<actor>      E#<number of the id>       execution with its message
A#<tenant>#<actor>      W#<nn>                     worker slot
A#<tenant>#<actor>      N#<number of the id>       nonce
A#<tenant>#<actor>      #                          how many executions there have been
G#<execution>           @                          its log, unless it is long
R#<execution>           <sequence>                 one result
R#<execution>           used                       when one was last read
T                       A#<tenant>#<number>        every actor ever registered, deleted ones with their totals
D                       A#<tenant>#<number>        an actor that has a schedule
T#<tenant>              L#<alias>                  alias
T#<tenant>              C#<config>                 config
T#<tenant>              CLOCK                      how the tenant's clock is set
L#<tenant>#<alias>      P#<user>, N#<number>       the alias's permissions and nonces
C#<tenant>#<config>     P#<user>                   the config's permissions
U#<tenant>#<user>       A#<number of the id>       a permission on an actor, by user
U#<tenant>#<user>       #                          how many of these there are
K#<sha256 of a token>   @                          token, of access or refresh
O#<tenant>#<user>       <name>                     OAuth client
Y#<consumer key>        @                          the same client, by key
======================  =========================  ==============================================================

There is no index: every hot read is by key (``docs/protocol.md``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from abacito.abaco import ids
from abacito.abaco.actor import ActorKey
from abacito.abaco.execution import ExecutionKey
from abacito.abaco.permission import Resource, ResourceKind

Key: TypeAlias = tuple[str, str]

EXECUTION, SLOT, PERMISSION, ACTOR, NONCE, ALIAS, CONFIG = "E#", "W#", "P#", "A#", "N#", "L#", "C#"

#: Where every actor ever registered is listed.
REGISTER = "T"

#: Where the actors with a schedule are listed.
SCHEDULED = "D"

_PREFIX = {ResourceKind.ACTOR: ACTOR, ResourceKind.ALIAS: ALIAS, ResourceKind.CONFIG: CONFIG}

#: AWS: the name of a FIFO queue ends so (SQS developer guide, FIFO queues).
FIFO = ".fifo"

#: The longest text that stands in an item; longer bodies and logs go to the bucket.
INLINE_LIMIT_BYTES = 4096


def partition(actor: ActorKey) -> str:
    """Where all of one actor's items are."""
    return f"A#{actor.tenant}#{actor.id}"


def actor(key: ActorKey) -> Key:
    """The actor itself."""
    return partition(key), "@"


def resource(of: Resource) -> str:
    """Where permissions and nonces of an actor, alias or config are."""
    return f"{_PREFIX[of.kind]}{of.tenant}#{of.name}"


def permission(of: Resource, user: str) -> Key:
    """One user's entry of the map."""
    return resource(of), PERMISSION + user


def nonce(of: Resource, nonce_id: str) -> Key:
    """A nonce; its id ends in what decodes to the sort key. Raises ValueError for what is none."""
    return resource(of), NONCE + ids.sort_key(nonce_id.rpartition("_")[2])


def executions_count(key: ActorKey) -> Key:
    """The counter of an actor's executions."""
    return partition(key), "#"


def enrolment(key: ActorKey) -> Key:
    """An actor's line in the register of all that ever were."""
    return REGISTER, f"{of_tenant(key.tenant)}{ids.sort_key(key.id)}"


def scheduled(key: ActorKey) -> Key:
    """An actor's line in the list of those with a schedule."""
    return SCHEDULED, f"{of_tenant(key.tenant)}{ids.sort_key(key.id)}"


def enrolled_tenant(sort_key: str) -> str:
    """The tenant of a line in the register, by its sort key."""
    return sort_key.split("#")[1]


def of_tenant(name: str | None) -> str:
    """What a tenant's lines in either list begin with; None: all tenants'."""
    return ACTOR if name is None else f"{ACTOR}{name}#"


def tenant(name: str) -> str:
    """Where a tenant's aliases and configs are."""
    return f"T#{name}"


def clock(tenant_name: str) -> Key:
    """How the tenant's clock is set."""
    return tenant(tenant_name), "CLOCK"


def alias(tenant_name: str, name: str) -> Key:
    """An alias."""
    return tenant(tenant_name), ALIAS + name


def config(tenant_name: str, name: str) -> Key:
    """A config."""
    return tenant(tenant_name), CONFIG + name


def execution(key: ExecutionKey) -> Key:
    """An execution: its id decodes to the sort key. Raises ValueError for what is no id."""
    return partition(key.actor), EXECUTION + ids.sort_key(key.id)


def slot(key: ActorKey, number: int) -> Key:
    """A worker slot."""
    return partition(key), f"{SLOT}{number:04d}"


def log(execution_id: str) -> Key:
    """An execution's log, unless it is long."""
    return f"G#{execution_id}", "@"


def results(execution_id: str) -> str:
    """Where an execution's results are."""
    return f"R#{execution_id}"


#: Sorts behind every sequence.
RESULTS_USED = "used"


def results_used(execution_id: str) -> Key:
    """When a result of an execution was last read."""
    return results(execution_id), RESULTS_USED


def user(tenant_name: str, username: str) -> str:
    """Where a user's permissions on actors are."""
    return f"U#{tenant_name}#{username}"


def user_count(tenant_name: str, username: str) -> Key:
    """The counter of a user's permissions on actors."""
    return user(tenant_name, username), "#"


def user_permission(key: ActorKey, username: str) -> Key:
    """A user's permission on an actor, in his own list, which is in order of the actors' age."""
    return user(key.tenant, username), ACTOR + ids.sort_key(key.id)


def token(digest: str) -> Key:
    """A token, by its hash."""
    return f"K#{digest}", "@"


def body_object(execution_id: str) -> str:
    """The S3 key of a message that is too long for its item."""
    return f"bodies/{execution_id}"


def binary_object(execution_id: str) -> str:
    """The S3 key of a binary message that is too long for its item."""
    return f"bodies/{execution_id}.bin"


def log_object(key: ExecutionKey, expires: datetime | None) -> str:
    """The S3 key of a long log; a sweep finds what is due by the hour in it."""
    hour = expires.strftime("%Y%m%d%H") if expires else "never"
    return f"{logs(key.actor.tenant)}{hour}/{key.id}"


def logs(tenant_name: str, before: datetime | None = None) -> str:
    """What the S3 keys of a tenant's logs begin with; those of logs that expired in hours gone by are smaller."""
    return f"logs/{tenant_name}/{before.strftime('%Y%m%d%H') if before else ''}"


def queues(namespace: str) -> str:
    """What the names of all of an emulator's queues begin with."""
    return f"{namespace}-"


def mailboxes(namespace: str) -> str:
    """What the names of actors' queues begin with."""
    return f"{queues(namespace)}m-"


def mailbox_name(namespace: str, actor_id: str) -> str:
    """The name of an actor's FIFO queue."""
    return f"{mailboxes(namespace)}{actor_id}{FIFO}"


def commands(namespace: str) -> str:
    """What the names of command queues begin with."""
    return f"{queues(namespace)}c-"


def command_name(namespace: str, queue: str) -> str:
    """The name of a command queue; ``queue`` is Abaco's name for it."""
    return f"{commands(namespace)}{queue}"


def events_name(namespace: str) -> str:
    """The name of the FIFO queue of events."""
    return f"{queues(namespace)}events{FIFO}"


def clients(tenant_name: str, username: str) -> str:
    """Where a user's OAuth clients are."""
    return f"O#{tenant_name}#{username}"


def client(key: str) -> Key:
    """An OAuth client, by its key."""
    return f"Y#{key}", "@"


def is_credential(pk: str) -> bool:
    """Whether it is of what users log in with: tokens, and OAuth clients. They are the gateway's, not Abaco's."""
    return pk.startswith(("K#", "O#", "Y#"))
