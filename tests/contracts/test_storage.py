"""What the rules and the workers need of the store, on every engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey, ActorStatus
from abacito.abaco.container import Mount
from abacito.abaco.errors import Malformed, SlotLost, Unknown
from abacito.abaco.execution import Execution, ExecutionKey, ExecutionStatus, Outcome
from abacito.abaco.message import Message
from abacito.abaco.permission import Level
from abacito.abaco.ports import Ring
from abacito.abaco.tokens import StoredToken
from abacito.abaco.worker import HALT_ALL, Hold, Slot, WorkerStatus
from abacito.aws.session import Storage

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
HOLD = Hold("ring-1", "token-1", "poller-1")


def an_actor(**fields: object) -> Actor:
    actor = Actor(ActorKey("T", ids.new_id()), "owner", "http://t", "image", NOW, NOW)
    return replace(actor, **fields)  # type: ignore[arg-type]


def an_execution(actor: Actor) -> Execution:
    return Execution(ExecutionKey(actor.key, ids.new_id()), "poster", "http://t", NOW)


def a_slot(actor: Actor, number: int = 0) -> Slot:
    return Slot(actor.key, number, ids.new_id(), WorkerStatus.REQUESTED, NOW)


OUTCOME = Outcome(3, {"Status": "exited"}, NOW, NOW + timedelta(seconds=2), 2, 50, 60)
MESSAGE = Message("hello", "str", None, {"a": "b"})


def test_an_actor_comes_back_as_it_was_put(stored: Storage) -> None:
    actor = an_actor(
        name="n", hints=("a", "b"), default_environment={"k": [1, None, {"é": True}]}, state={"s": 1.5},
        mounts=(Mount("/h", "/c", "ro"),), log_ex=5, max_workers=3, status="READY", token="true",
    )  # fmt: skip

    assert stored.actors.add(actor)
    assert stored.actors.get(actor.key) == actor
    assert not stored.actors.add(actor)


def test_an_actor_of_another_tenant_is_not_found(stored: Storage) -> None:
    actor = an_actor()
    stored.actors.add(actor)

    assert stored.actors.get(ActorKey("U", actor.id)) is None


def test_the_owner_has_update_and_others_have_no_entry(stored: Storage) -> None:
    actor = an_actor()
    stored.actors.add(actor)

    found, entries = stored.actors.get_for(actor.key, "owner")
    assert (found, [e.level for e in entries]) == (actor, [Level.UPDATE])
    assert stored.actors.get_for(actor.key, "other") == (actor, [])


def test_a_users_actors_are_listed_oldest_first(stored: Storage) -> None:
    actors = [an_actor(), an_actor(), an_actor(owner="other")]
    for actor in actors:
        stored.actors.add(actor)

    assert [found.id for found, _ in stored.actors.visible_to("T", "owner")] == [a.id for a in actors[:2]]


def test_a_status_is_not_written_over_a_deletion_or_a_newer_revision(stored: Storage) -> None:
    actor = an_actor()
    stored.actors.add(actor)

    assert stored.actors.set_status(actor.with_status(ActorStatus.READY, " "))
    assert not stored.actors.set_status(replace(actor, revision=2))
    assert stored.actors.begin_deletion(actor.key)
    assert not stored.actors.set_status(actor.with_status(ActorStatus.READY, " "))
    assert not stored.actors.begin_deletion(ActorKey("T", ids.new_id()))


def test_a_deleted_actor_is_in_no_list_any_more(stored: Storage) -> None:
    actor = an_actor()
    stored.actors.add(actor)

    stored.actors.delete(actor.key)

    assert stored.actors.get(actor.key) is None
    assert stored.actors.visible_to("T", "owner") == []


def test_a_token_comes_back_by_its_digest(stored: Storage) -> None:
    stored.tokens.put("d1", StoredToken("u", "T", NOW))

    assert stored.tokens.get("d1") == StoredToken("u", "T", NOW)
    assert stored.tokens.get("d2") is None


@pytest.mark.parametrize("size", [5, 300_000])
def test_an_execution_and_its_message_come_back_whatever_their_size(stored: Storage, size: int) -> None:
    execution = an_execution(an_actor())
    message = Message(None, "application/octet-stream", bytes(range(256)) * (size // 256 + 1), {})

    assert stored.executions.add(execution, message)
    assert stored.executions.get(execution.key) == execution
    assert stored.executions.message(execution.key) == message
    assert not stored.executions.add(execution, message)


def test_executions_are_listed_oldest_first_and_only_their_actors(stored: Storage) -> None:
    actor, other = an_actor(), an_actor()
    executions = [an_execution(actor) for _ in range(5)]
    for each in [*executions[::-1], an_execution(other)]:
        stored.executions.add(each, MESSAGE)

    listed = [found.id for found in stored.executions.list(actor.key)]

    assert listed == sorted((e.id for e in executions), key=ids.sort_key)


def test_a_word_that_is_no_id_stands_for_no_execution(stored: Storage) -> None:
    assert stored.executions.get(ExecutionKey(an_actor().key, "nope")) is None


@pytest.fixture
def held(stored: Storage) -> tuple[Actor, Slot]:
    """A READY actor whose first slot we hold."""
    actor = an_actor(status="READY")
    stored.actors.add(actor)
    stored.slots.add(a_slot(actor))
    slot = stored.slots.acquire(stored.slots.list(actor.key)[0], HOLD, is_new=False, drops=False)
    assert slot is not None
    return actor, slot


def claimed(stored: Storage, held: tuple[Actor, Slot]) -> Execution:
    execution = an_execution(held[0])
    stored.executions.add(execution, MESSAGE)
    assert stored.slots.claim(held[1], execution.key)
    return execution


def test_a_slot_comes_back_as_it_was_put(stored: Storage) -> None:
    slot = replace(a_slot(an_actor()), image="i", location="l", last_execution_time=NOW, halt="x", drain=True, beat=4)

    assert stored.slots.add(slot)
    assert stored.slots.list(slot.actor) == [slot]
    assert not stored.slots.add(slot)


def test_a_slot_is_held_once(stored: Storage, held: tuple[Actor, Slot]) -> None:
    idle = replace(held[1], ring=None, token=None, poller=None)

    assert stored.slots.acquire(idle, Hold("r", "t", "p"), is_new=False, drops=False) is None
    assert stored.slots.acquire(idle, Hold("r", "t", "p"), is_new=True, drops=False) is None


def test_a_slot_that_names_another_execution_than_was_seen_is_not_acquired(
    stored: Storage, held: tuple[Actor, Slot]
) -> None:
    execution = claimed(stored, held)
    stored.slots.park(held[1], execution.key, "reason")

    seen = stored.slots.list(held[0].key)[0]
    assert stored.slots.acquire(replace(seen, execution=None), HOLD, is_new=False, drops=False) is None
    taken = stored.slots.acquire(seen, HOLD, is_new=False, drops=True)
    assert taken is not None
    assert taken.execution is None


def test_a_takeover_is_refused_after_another(stored: Storage, held: tuple[Actor, Slot]) -> None:
    first = stored.slots.take_over(held[1], Hold("r2", "t2", "p2"), if_still=False)

    assert first is not None
    assert first.poller == "p2"
    assert stored.slots.take_over(held[1], Hold("r3", "t3", "p3"), if_still=False) is None


def test_a_sweeps_takeover_is_refused_once_the_holder_has_beaten(stored: Storage, held: tuple[Actor, Slot]) -> None:
    stored.slots.beat(held[1])

    assert stored.slots.take_over(held[1], Hold("r2", "t2", "p2"), if_still=True) is None


WRITES: dict[str, Callable[[Storage, Slot, ExecutionKey], object]] = {
    "beat": lambda s, held, x: s.slots.beat(held),
    "look": lambda s, held, x: s.slots.look(held),
    "claim": lambda s, held, x: s.slots.claim(held, x),
    "fail": lambda s, held, x: s.slots.fail(held),
    "park": lambda s, held, x: s.slots.park(held, x, "r"),
    "finish": lambda s, held, x: s.slots.finish(held, x, OUTCOME, "log", None),
    "abort": lambda s, held, x: s.slots.abort(held, x),
    "forget": lambda s, held, x: s.slots.forget(held),
    "release": lambda s, held, x: s.slots.release(held),
    "discard": lambda s, held, x: s.slots.discard(held),
}


@pytest.mark.parametrize("write", WRITES)
def test_whoever_lost_his_slot_writes_nothing(stored: Storage, held: tuple[Actor, Slot], write: str) -> None:
    execution = claimed(stored, held)
    stored.executions.set_running(execution.key)
    stored.slots.take_over(held[1], Hold("r2", "t2", "p2"), if_still=False)
    before = stored.slots.list(held[0].key), stored.executions.get(execution.key), stored.actors.get(held[0].key)

    with pytest.raises(SlotLost):
        WRITES[write](stored, held[1], execution.key)

    after = stored.slots.list(held[0].key), stored.executions.get(execution.key), stored.actors.get(held[0].key)
    assert after == before


def test_an_execution_is_claimed_once(stored: Storage, held: tuple[Actor, Slot]) -> None:
    """spec: execution #103"""
    execution = claimed(stored, held)

    assert not stored.slots.claim(held[1], execution.key)
    assert not stored.slots.claim(held[1], an_execution(held[0]).key)
    found = stored.executions.get(execution.key)
    assert found is not None
    assert found.worker_id == held[1].worker_id
    assert not stored.executions.undo(execution.key)


def test_an_unclaimed_execution_can_be_undone(stored: Storage) -> None:
    execution = an_execution(an_actor())
    stored.executions.add(execution, MESSAGE)

    assert stored.executions.undo(execution.key)
    assert stored.executions.get(execution.key) is None


@pytest.mark.parametrize("length", [10, 50_000])
def test_an_outcome_is_seen_whole_with_its_log(stored: Storage, held: tuple[Actor, Slot], length: int) -> None:
    """spec: execution #65"""
    execution = claimed(stored, held)
    stored.executions.set_running(execution.key)
    stored.executions.publish_log(execution.key, "so far", NOW + timedelta(hours=1))
    assert stored.executions.log(execution.key, NOW) == "so far"

    stored.slots.finish(held[1], execution.key, OUTCOME, "é" * length, NOW + timedelta(hours=1))

    found = stored.executions.get(execution.key)
    assert found == replace(execution, status=ExecutionStatus.COMPLETE, outcome=OUTCOME, worker_id=held[1].worker_id)
    assert stored.executions.log(execution.key, NOW) == "é" * length
    assert stored.executions.log(execution.key, NOW + timedelta(hours=1)) == ""
    actor = stored.actors.get(held[0].key)
    assert actor is not None
    assert (actor.totals.executions, actor.totals.runtime_s, actor.totals.cpu_ns, actor.totals.io_bytes) == (
        1,
        2,
        50,
        60,
    )


def test_an_outcome_is_recorded_once(stored: Storage, held: tuple[Actor, Slot]) -> None:
    execution = claimed(stored, held)
    stored.executions.set_running(execution.key)
    stored.slots.finish(held[1], execution.key, OUTCOME, "", None)

    with pytest.raises(SlotLost):
        stored.slots.finish(held[1], execution.key, OUTCOME, "", None)

    actor = stored.actors.get(held[0].key)
    assert actor is not None
    assert actor.totals.executions == 1


def test_an_outcome_is_recorded_though_the_actor_is_gone(stored: Storage, held: tuple[Actor, Slot]) -> None:
    execution = claimed(stored, held)
    stored.executions.set_running(execution.key)
    stored.actors.delete(held[0].key)

    stored.slots.finish(held[1], execution.key, OUTCOME, "", None)

    found = stored.executions.get(execution.key)
    assert found is not None
    assert found.status is ExecutionStatus.COMPLETE
    assert stored.actors.get(held[0].key) is None


def test_a_parked_execution_waits_in_error_and_runs_again_after_a_repair(
    stored: Storage, held: tuple[Actor, Slot]
) -> None:
    execution = claimed(stored, held)

    stored.slots.park(held[1], execution.key, "would not start")

    found, actor = stored.executions.get(execution.key), stored.actors.get(held[0].key)
    assert found is not None
    assert actor is not None
    assert (found.status, found.retryable, found.is_final) == (ExecutionStatus.ERROR, True, False)
    assert (actor.status, actor.status_message) == ("ERROR", "would not start")
    slot = stored.slots.list(held[0].key)[0]
    assert (slot.execution, slot.is_held) == (execution.id, False)
    stored.executions.set_running(execution.key)
    again = stored.executions.get(execution.key)
    assert again is not None
    assert (again.status, again.retryable) == (ExecutionStatus.RUNNING, False)


def test_an_aborted_execution_is_in_error_for_good(stored: Storage, held: tuple[Actor, Slot]) -> None:
    execution = claimed(stored, held)

    stored.slots.abort(held[1], execution.key)
    stored.executions.set_running(execution.key)

    found = stored.executions.get(execution.key)
    assert found is not None
    assert (found.status, found.is_final) == (ExecutionStatus.ERROR, True)


def test_failed_starts_are_counted_until_the_next_claim(stored: Storage, held: tuple[Actor, Slot]) -> None:
    claimed(stored, held)

    assert [stored.slots.fail(held[1]) for _ in range(3)] == [1, 2, 3]
    claimed(stored, held)
    assert stored.slots.fail(held[1]) == 1


def test_a_released_slot_is_idle_and_can_be_deleted_a_held_one_not(stored: Storage, held: tuple[Actor, Slot]) -> None:
    assert not stored.slots.delete_idle(held[1])
    stored.slots.release(held[1])

    slot = stored.slots.list(held[0].key)[0]
    assert (slot.is_held, slot.status) == (False, WorkerStatus.READY)
    assert stored.slots.delete_idle(slot)
    assert stored.slots.list(held[0].key) == []


def test_only_the_holder_of_an_execution_is_asked_to_halt_it(stored: Storage, held: tuple[Actor, Slot]) -> None:
    execution = claimed(stored, held)

    assert not stored.slots.halt(held[1], "another")
    assert stored.slots.halt(held[1], execution.id)
    assert stored.slots.look(held[1]).halt == execution.id
    assert stored.slots.halt(held[1], HALT_ALL)
    stored.slots.release(held[1])
    assert not stored.slots.halt(held[1], HALT_ALL)


def test_an_idle_worker_comes_up_and_a_held_one_keeps_its_status(stored: Storage, held: tuple[Actor, Slot]) -> None:
    idle = a_slot(held[0], 1)
    stored.slots.add(idle)
    for slot in (idle, held[1]):
        stored.slots.set_up(replace(slot, status=WorkerStatus.READY, image="i", location="l"))

    first, second = stored.slots.list(held[0].key)
    assert (first.status, second.status) == (WorkerStatus.REQUESTED, WorkerStatus.READY)
    assert (first.image, second.image, second.location) == ("i", "i", "l")


def test_results_are_taken_once_in_order(stored: Storage) -> None:
    key = an_execution(an_actor()).key
    for number, data in enumerate((b"one", b"", b"\0three")):
        stored.executions.add_result(key, number, data, NOW)
    stored.executions.add_result(key, 0, b"one", NOW)

    assert [stored.executions.take_result(key, NOW) for _ in range(4)] == [b"one", b"", b"\0three", None]


def test_two_readers_never_get_the_same_result(stored: Storage) -> None:
    """spec: execution #43"""
    key = an_execution(an_actor()).key
    for number in range(40):
        stored.executions.add_result(key, number, str(number).encode(), NOW)
    taken: list[bytes] = []

    def read() -> None:
        while (data := stored.executions.take_result(key, NOW)) is not None:
            taken.append(data)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert sorted(map(int, taken)) == list(range(40))


def test_deleting_logs_leaves_the_executions(stored: Storage, held: tuple[Actor, Slot]) -> None:
    execution = claimed(stored, held)
    stored.executions.set_running(execution.key)
    stored.slots.finish(held[1], execution.key, OUTCOME, "x" * 9000, None)

    stored.executions.delete_logs(held[0].key)

    assert stored.executions.log(execution.key, NOW) == ""
    assert stored.executions.get(execution.key) is not None


def test_a_mailbox_gives_one_message_of_a_group_at_a_time_in_order(stored: Storage) -> None:
    actor = an_actor().key
    stored.mailboxes.create(actor)
    for name in ("one", "two"):
        stored.mailboxes.send(actor, name, group="g")
    stored.mailboxes.send(actor, "other", group="h")

    first, second = (stored.mailboxes.receive(actor, 30) for _ in range(2))
    assert [d and d.execution_id for d in (first, second)] == ["one", "other"]
    assert stored.mailboxes.receive(actor, 30) is None
    assert first is not None
    stored.mailboxes.release(actor, first)
    again = stored.mailboxes.receive(actor, 30)
    assert again is not None
    assert again.execution_id == "one"
    stored.mailboxes.delete_message(actor, again)
    last = stored.mailboxes.receive(actor, 30)
    assert last is not None
    assert last.execution_id == "two"


def test_a_mailbox_counts_what_waits_and_what_is_in_hand(stored: Storage) -> None:
    actor = an_actor().key
    stored.mailboxes.create(actor)
    for name in ("one", "two"):
        stored.mailboxes.send(actor, name, group=name)
    stored.mailboxes.receive(actor, 30)

    assert stored.mailboxes.count(actor) == 2


def test_a_mailbox_that_is_gone_finds_nothing_and_takes_nothing(stored: Storage) -> None:
    actor = an_actor().key
    stored.mailboxes.create(actor)
    stored.mailboxes.send(actor, "one", group="g")
    delivery = stored.mailboxes.receive(actor, 30)
    assert delivery is not None
    stored.mailboxes.delete(actor)

    assert stored.mailboxes.receive(actor, 30) is None
    assert stored.mailboxes.count(actor) == 0
    stored.mailboxes.delete_message(actor, delivery)
    stored.mailboxes.release(actor, delivery)
    with pytest.raises(Unknown):
        stored.mailboxes.send(actor, "two", group="g")


def test_a_ring_comes_on_its_own_queue_and_once_it_is_deleted_no_more(stored: Storage) -> None:
    ring = Ring(an_actor().key, prepare=True, slot=3, token="t", beat=9)
    stored.rings.send("special", ring)

    assert stored.rings.receive("default", 0, 30) is None
    found = stored.rings.receive("special", 2, 30)
    assert found is not None
    assert (found.ring, found.queue) == (ring, "special")
    stored.rings.delete(found)
    stored.rings.delete(found)
    stored.rings.hide(found, 0)
    assert stored.rings.receive("special", 0, 30) is None


def test_a_ring_given_back_comes_again_under_the_same_id(stored: Storage) -> None:
    stored.rings.send("default", Ring(an_actor().key))
    first = stored.rings.receive("default", 2, 30)
    assert first is not None

    stored.rings.hide(first, 0)

    again = stored.rings.receive("default", 2, 30)
    assert again is not None
    assert again.id == first.id


def test_a_record_over_the_stores_limit_is_refused_in_words(stored: Storage) -> None:
    actor = an_actor()
    stored.actors.add(actor)

    with pytest.raises(Malformed, match="400 KB"):
        stored.actors.add(an_actor(description="x" * 500_000))
    with pytest.raises(Malformed, match="400 KB"):
        stored.actors.set_state(actor.key, "x" * 500_000)
    assert stored.actors.get(actor.key) == actor


def test_results_are_gone_20_minutes_after_one_was_last_sent_or_read(stored: Storage) -> None:
    """spec: execution #44"""
    key = an_execution(an_actor()).key
    for number in range(4):
        stored.executions.add_result(key, number, str(number).encode(), NOW + timedelta(minutes=number))

    taken = [stored.executions.take_result(key, NOW + timedelta(minutes=minutes)) for minutes in (22.5, 42, 62.1, 62.2)]

    assert taken == [b"0", b"1", None, None]
