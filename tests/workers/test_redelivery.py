"""A message that comes again: once, in its place, and only when a fault strikes it."""

from __future__ import annotations

import pytest

from abacito.abaco.actor import ActorKey
from abacito.abaco.faults import Fault, FaultKind, Faults
from abacito.aws.embedded import Engine
from abacito.aws.session import Storage, storage
from abacito.workers.redelivery import RepeatingMailboxes

KEY = ActorKey("T", "XaBc")


@pytest.fixture
def stored() -> Storage:
    stored = storage(Engine(), "test", "bucket")
    stored.set_up(["default"])
    stored.mailboxes.create(KEY)
    for execution in ("e1", "e2"):
        stored.mailboxes.send(KEY, execution, KEY.id)
    return stored


def received(mailboxes: RepeatingMailboxes) -> list[str]:
    """All that can be received, each deleted at once."""
    found: list[str] = []
    while (delivery := mailboxes.receive(KEY, 60)) is not None:
        found.append(delivery.execution_id)
        mailboxes.delete_message(KEY, delivery)
    return found


@pytest.mark.parametrize(
    ("times", "seen"),
    [(None, ["e1", "e2"]), (1, ["e1", "e1", "e2"]), (0, ["e1", "e1", "e2", "e2"])],
    ids=["no fault", "once", "until cleared"],
)
def test_a_struck_message_comes_twice_and_no_oftener(stored: Storage, times: int | None, seen: list[str]) -> None:
    faults = Faults()
    if times is not None:
        faults.add(Fault(FaultKind.DELIVERED_TWICE, times=times))

    mailboxes = RepeatingMailboxes(stored.mailboxes, faults, stored.actors)

    assert received(mailboxes) == seen
    assert mailboxes.count(KEY) == 0


def test_another_actors_messages_are_not_struck(stored: Storage) -> None:
    faults = Faults()
    faults.add(Fault(FaultKind.DELIVERED_TWICE, actor="another"))

    assert received(RepeatingMailboxes(stored.mailboxes, faults, stored.actors)) == ["e1", "e2"]
