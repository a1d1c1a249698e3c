"""A mailbox from which a message may come a second time on purpose, as SQS allows itself."""

from __future__ import annotations

import threading

from abacito.abaco.actor import ActorKey
from abacito.abaco.faults import FaultKind, Faults, Subject
from abacito.abaco.ports import ActorRecords, Delivery, Mailboxes


class RepeatingMailboxes:
    """Mailboxes whose deletions the ``faults`` may lose: the message is there again, in its place, once more."""

    def __init__(self, mailboxes: Mailboxes, faults: Faults, actors: ActorRecords) -> None:
        self._mailboxes, self._faults, self._actors = mailboxes, faults, actors
        self._lock = threading.Lock()
        self._repeated: set[str] = set()

    def create(self, actor: ActorKey) -> None:
        """Make the mailbox."""
        self._mailboxes.create(actor)

    def send(self, actor: ActorKey, execution_id: str, group: str) -> None:
        """Put a message at the end."""
        self._mailboxes.send(actor, execution_id, group)

    def receive(self, actor: ActorKey, visibility_s: int) -> Delivery | None:
        """The next message."""
        return self._mailboxes.receive(actor, visibility_s)

    def delete_message(self, actor: ActorKey, delivery: Delivery) -> None:
        """Done with it, or not yet."""
        if (self._repeated or self._faults.has(FaultKind.DELIVERED_TWICE)) and self._comes_again(actor, delivery):
            self._mailboxes.release(actor, delivery)
        else:
            self._mailboxes.delete_message(actor, delivery)

    def release(self, actor: ActorKey, delivery: Delivery) -> None:
        """Make it visible again."""
        self._mailboxes.release(actor, delivery)

    def count(self, actor: ActorKey) -> int:
        """How many messages it holds."""
        return self._mailboxes.count(actor)

    def delete(self, actor: ActorKey) -> None:
        """Remove the mailbox."""
        self._mailboxes.delete(actor)

    def _comes_again(self, key: ActorKey, delivery: Delivery) -> bool:
        """Whether a fault strikes it; none strikes its second delivery."""
        with self._lock:
            if delivery.execution_id in self._repeated:
                self._repeated.remove(delivery.execution_id)
                return False
            actor = self._actors.get(key)
            subject = Subject(key.id, actor.image or "" if actor else "")
            if self._faults.strike(FaultKind.DELIVERED_TWICE, subject) is None:
                return False
            self._repeated.add(delivery.execution_id)
            return True
