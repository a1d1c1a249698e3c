"""The key schema: every item of the one table, and every name in SQS and S3, is spelled here and nowhere else.

======================  =========================  ==============================================================
pk                      sk                         item
======================  =========================  ==============================================================
A#<tenant>#<actor>      @                          actor: what is conditional as attributes, the rest in ``doc``
A#<tenant>#<actor>      P#<user>                   permission
A#<tenant>#<actor>      E#<number of the id>       execution with its message, small logs inline
A#<tenant>#<actor>      W#<nn>                     worker slot
R#<execution>           <sequence>                 one result
U#<tenant>#<user>       A#<number of the id>       the same permission, by user
K#<sha256 of a token>   @                          token
======================  =========================  ==============================================================

There is no index: every hot read is by key (``docs/protocol.md``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from abacito.abaco import ids
from abacito.abaco.actor import ActorKey
from abacito.abaco.execution import ExecutionKey

Key: TypeAlias = tuple[str, str]

EXECUTION, SLOT, PERMISSION, ACTOR = "E#", "W#", "P#", "A#"

#: The longest text that stands in an item; longer bodies and logs go to the bucket.
INLINE_LIMIT_BYTES = 4096


def partition(actor: ActorKey) -> str:
    """Where all of one actor's items are."""
    return f"A#{actor.tenant}#{actor.id}"


def actor(key: ActorKey) -> Key:
    """The actor itself."""
    return partition(key), "@"


def permission(key: ActorKey, user: str) -> Key:
    """One user's entry of the actor's map."""
    return partition(key), PERMISSION + user


def execution(key: ExecutionKey) -> Key:
    """An execution: its id decodes to the sort key. Raises ValueError for what is no id."""
    return partition(key.actor), EXECUTION + ids.sort_key(key.id)


def slot(key: ActorKey, number: int) -> Key:
    """A worker slot."""
    return partition(key), f"{SLOT}{number:04d}"


def results(execution_id: str) -> str:
    """Where an execution's results are."""
    return f"R#{execution_id}"


def user(tenant: str, username: str) -> str:
    """Where a user's permissions are."""
    return f"U#{tenant}#{username}"


def token(digest: str) -> Key:
    """A token, by its hash."""
    return f"K#{digest}", "@"


def body_object(execution_id: str) -> str:
    """The S3 key of a message that is too long for its item."""
    return f"bodies/{execution_id}"


def log_object(key: ExecutionKey, expires: datetime | None) -> str:
    """The S3 key of a long log; a sweep finds what is due by the hour in it."""
    hour = expires.strftime("%Y%m%d%H") if expires else "never"
    return f"logs/{key.actor.tenant}/{hour}/{key.id}"


def mailbox_name(namespace: str, actor_id: str) -> str:
    """The name of an actor's FIFO queue."""
    return f"{namespace}-m-{actor_id}.fifo"


def command_name(namespace: str, queue: str) -> str:
    """The name of a command queue; ``queue`` is Abaco's name for it."""
    return f"{namespace}-c-{queue}"
