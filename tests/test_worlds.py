"""All that an emulator holds, taken and gone back to, here and from a file."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from abacito import Abaco, Emulator, Settings, Snapshot
from abacito.abaco.errors import Malformed, Misconfigured
from abacito.abaco.time import real_monotonic
from abacito.client import Actor, Execution, WaitedInVain

KEY = "q9-Iy0Bn3zNf8GvVd4jW0mZ5B6yqfXkq1T3kqv2a1Yw="
OTHER_KEY = "Z5B6yqfXkq1T3kqv2a1Ywq9-Iy0Bn3zNf8GvVd4jW0m="


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found
        found.check()


@pytest.fixture
def abaco(emulator: Emulator) -> Abaco:
    return emulator.client()


def tell(context: Any) -> None:
    """What a world's actor does: all that leaves something behind."""
    print("said", context.message, context.environment["_actor_configs"])
    print("long " * 2000)  # so long that it is an object
    context.send_result(b"\x00result")


def seeded(abaco: Abaco) -> Execution:
    """A world with something of everything in it."""
    actor = abaco.register(tell, name="teller", stateless=False, default_environment={"k": "v"})
    abaco.request("POST", "/actors/aliases", json={"alias": "known", "actorId": actor.id})
    config = {"name": "password", "value": "hush", "isSecret": True, "actors": "known"}
    abaco.request("POST", "/actors/configs", json=config)
    abaco.request("POST", f"{actor.path}/permissions", json={"user": "jdoe", "level": "UPDATE"})
    abaco.request("POST", f"{actor.path}/nonces", json={"level": "EXECUTE", "maxUses": 3})
    abaco.request("POST", f"{actor.path}/state", json={"count": 1})
    execution = actor.send(b"\xff\x00binary").wait()
    actor.send("text").wait()
    return execution


def everything(abaco: Abaco) -> dict[str, Any]:
    """All that can be asked for, as it is answered."""
    places = ["/actors", "/actors/aliases", "/actors/configs", "/actors/aliases/known/permissions"]
    for actor in abaco.actors:
        places += [f"{actor.path}{part}" for part in ("", "/executions", "/state", "/permissions", "/nonces")]
        for execution in actor.executions:
            places += [execution.path, f"{execution.path}/logs"]
    return {place: abaco.request("GET", place) for place in places}


def test_what_was_there_is_there_again_and_what_came_after_it_is_not(emulator: Emulator, abaco: Abaco) -> None:
    execution = seeded(abaco)
    world, before = emulator.snapshot(), everything(abaco)

    for _ in range(2):
        abaco.register(tell)
        execution.actor.send("more").wait()
        assert execution.results == [b"\x00result"]
        abaco.request("POST", f"{execution.actor.path}/state", json={"count": 2})
        abaco.request("DELETE", "/actors/aliases/known")
        emulator.clock.travel(timedelta(hours=3))
        execution.actor.delete()

        abaco.restore(world)

        assert everything(abaco) == before
        assert abs(emulator.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)

    assert execution.results == [b"\x00result"]
    again = execution.actor.send("again").wait()
    assert again.logs.startswith("said again {'password': 'hush'}\n")


def test_tokens_of_before_and_after_the_snapshot_stay_good(emulator: Emulator, abaco: Abaco) -> None:
    before = emulator.token_for("jdoe")
    world = emulator.snapshot()
    after = emulator.token_for("jdoe")

    emulator.restore(world)

    for token in (before, after):
        assert Abaco(emulator.url, token).request("GET", "/actors") == []


def test_a_reset_forgets_what_a_restore_keeps_and_lets_go_what_was_held(emulator: Emulator, abaco: Abaco) -> None:
    token = emulator.token_for("jdoe")
    emulator.pause()

    emulator.reset()

    with_old_token = Abaco(emulator.url, token)
    assert with_old_token.send("GET", "/actors").status_code == 401
    with_old_token.close()
    assert emulator.client().register(print).send("x").wait().status == "COMPLETE"


def test_start_over_leads_to_where_one_stayed_and_empty_to_nothing(emulator: Emulator, abaco: Abaco) -> None:
    emulator.start_over()
    assert abaco.actors == []
    actor = abaco.register(print)
    actor.wait()
    emulator.stay_here()
    abaco.register(print)

    emulator.start_over()
    assert [each.id for each in abaco.actors] == [actor.id]
    emulator.start_over(empty=True)
    assert abaco.actors == []
    emulator.start_over()
    assert [each.id for each in abaco.actors] == [actor.id]


def test_messages_that_wait_in_a_snapshot_wait_until_they_are_resumed_and_run_in_order(
    emulator: Emulator, abaco: Abaco
) -> None:
    seen: list[str] = []
    actor = abaco.register(lambda context: seen.append(context.message), stateless=False)
    actor.wait()
    abaco.pause()
    executions = [actor.send(str(number)) for number in range(5)]
    world = emulator.snapshot()
    abaco.resume()
    abaco.quiet()
    assert seen == ["0", "1", "2", "3", "4"]

    abaco.restore(world)
    assert (abaco.is_paused, actor.waiting) == (True, 5)
    with pytest.raises(WaitedInVain, match=r"nothing is begun until resume\(\)"):
        executions[0].wait(0.2)
    assert len(seen) == 5

    abaco.resume()
    abaco.quiet()
    assert seen == ["0", "1", "2", "3", "4"] * 2


def test_what_ran_when_the_snapshot_was_taken_is_in_error_as_after_a_crash(
    emulator: Emulator, abaco: Abaco, tmp_path: Path
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def waits(context: Any) -> None:
        started.set()
        while not (context.stopping.is_set() or go_on.is_set()):
            context.stopping.wait(0.01)

    execution = abaco.register(waits).send("x")
    assert started.wait(10)
    next(each for each in execution.watch(10) if each["status"] == "RUNNING")
    world = emulator.snapshot()
    go_on.set()
    assert execution.wait().status == "COMPLETE"

    emulator.restore(world)

    assert execution.wait().status == "ERROR"
    assert execution.actor.send("y").wait().status == "COMPLETE"
    other = loaded(world.save(tmp_path / "w"))
    try:
        client = other.client()
        assert Execution(client, Actor(client, execution.actor.id), execution.id).wait().status == "ERROR"
    finally:
        other.stop()


def test_a_message_that_a_worker_was_about_to_run_waits_too(emulator: Emulator, abaco: Abaco) -> None:
    abaco.faults.start_fails(times=2)  # so that it is claimed, and not begun, for a moment
    actor = abaco.register(print, stateless=False)
    actor.wait()
    execution = actor.send("x")
    deadline = real_monotonic() + 10
    while not (world := emulator.snapshot()).waiting or actor.waiting:
        assert real_monotonic() < deadline, "it was never seen in a worker's hand"
        assert execution.status != "COMPLETE"
    assert execution.wait().status == "COMPLETE"

    emulator.restore(world)

    assert (execution.status, emulator.is_paused) == ("SUBMITTED", True)
    emulator.resume()
    assert execution.wait().status == "COMPLETE"


@pytest.mark.docker
def test_a_container_that_runs_is_gone_after_a_restore() -> None:
    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        actor = emulator.client().register("sleeps").wait(within_s=60)
        world = emulator.snapshot()
        execution = actor.send("60")
        next(each for each in execution.watch(20) if each["status"] == "RUNNING")
        labelled = ["docker", "ps", "-aq", "--filter", f"label=abacito.execution={execution.id}"]
        assert subprocess.run(labelled, capture_output=True, text=True, check=True).stdout

        emulator.restore(world)

        assert actor.executions == []
        assert subprocess.run(labelled, capture_output=True, text=True, check=True).stdout == ""
        emulator.check()


def test_pause_lets_what_runs_end_and_begins_nothing(emulator: Emulator, abaco: Abaco) -> None:
    started, go_on = threading.Event(), threading.Event()

    def waits(context: Any) -> None:
        started.set()
        go_on.wait(10)

    actor = abaco.register(waits, stateless=False)
    running, waiting = actor.send("1"), actor.send("2")
    assert started.wait(10)
    abaco.pause()
    go_on.set()

    assert running.wait().status == "COMPLETE"
    other = abaco.register(print)
    with pytest.raises(WaitedInVain):
        waiting.wait(0.3)
    assert other.status == "SUBMITTED"
    abaco.resume()
    assert (waiting.wait().status, other.wait().status) == ("COMPLETE", "READY")


@contextmanager
def posting(emulator: Emulator, actors: list[str]) -> Iterator[list[tuple[int, str]]]:
    """Meanwhile messages are posted to these actors, one after the other; each answer's status and execution."""
    stopping, answers = threading.Event(), list[tuple[int, str]]()

    def post() -> None:
        client = emulator.client()
        for actor in itertools.cycle(actors):
            if stopping.is_set():
                break
            answer = client.send("POST", f"/actors/{actor}/messages", data={"message": "x"})
            answers.append((answer.status_code, (answer.json()["result"] or {}).get("executionId", "")))
        client.close()

    threads = [threading.Thread(target=post) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def test_a_snapshot_in_the_middle_of_everything_has_all_that_was_accepted(emulator: Emulator, abaco: Abaco) -> None:
    actors = [abaco.register(lambda context: None, stateless=stateless).wait() for stateless in (True, False, True)]
    worlds: list[tuple[set[str], Snapshot]] = []
    with posting(emulator, [actor.id for actor in actors]) as answers:
        while len(worlds) < 6:
            until_more(answers, 7)
            accepted = {execution for _, execution in list(answers)}
            worlds.append((accepted, emulator.snapshot()))
    abaco.quiet(60)
    assert {status for status, _ in answers} == {200}

    for accepted, world in worlds:
        abaco.restore(world)
        abaco.resume()
        abaco.quiet(60)
        found = {each["id"]: each["status"] for actor in actors for each in actor.listed_executions}
        assert {found[execution] for execution in accepted} <= {"COMPLETE", "ERROR"}
        # Those that ran just then; one that was being posted may be there without its message, as after a crash.
        statuses = list(found.values())
        assert (statuses.count("ERROR") <= 18, statuses.count("SUBMITTED") <= 3) == (True, True)
        assert [actor.send("after").wait().status for actor in actors] == ["COMPLETE"] * 3
        emulator.check()


def until_more(answers: list[Any], count: int) -> None:
    """There are so many more than now."""
    deadline, wanted = real_monotonic() + 20, len(answers) + count
    while len(answers) < wanted:
        assert real_monotonic() < deadline
        os.sched_yield()


def test_going_back_in_the_middle_of_everything_harms_nobody(emulator: Emulator, abaco: Abaco) -> None:
    there = abaco.register(lambda context: None).wait()
    world = emulator.snapshot()
    later = abaco.register(lambda context: None).wait()

    with posting(emulator, [there.id, later.id]) as answers:
        for _ in range(8):
            until_more(answers, 5)
            emulator.restore(world)
    assert {status for status, _ in answers} == {200, 404}  # an actor that is gone is not known
    emulator.resume()
    abaco.quiet(60)
    assert [actor.id for actor in abaco.actors] == [there.id]
    assert there.send("after").wait().status == "COMPLETE"


def test_worlds_leave_nothing_behind(emulator: Emulator, abaco: Abaco) -> None:
    seeded(abaco)
    world = emulator.snapshot()

    def left() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def use(times: int) -> None:
        for _ in range(times):
            abaco.restore(world)
            abaco.actors[0].send("x").wait()

    use(3)
    before = left()
    use(20)
    after = left()
    assert after[0] <= before[0] + 2  # threads of the pools come as they are needed
    assert after[1] <= before[1] + 2


# Files.


def loaded(file: Path, **settings: Any) -> Emulator:
    """Another emulator that holds what is in the file; to be stopped."""
    other = Emulator(Settings.read(port=0, runner="process", **settings))
    other.start()
    other.restore(file)
    return other


def test_a_file_has_all_of_it_for_another_emulator(emulator: Emulator, abaco: Abaco, tmp_path: Path) -> None:
    execution = seeded(abaco)
    before, url = everything(abaco), emulator.url
    file = emulator.snapshot().save(tmp_path / "world.abacito")
    assert file.stat().st_mode & 0o777 == 0o600

    other = loaded(file)
    try:
        client = other.client()
        there_too = everything(client)
        for seen in (before, there_too):
            assert seen["/actors/configs"][0].pop("value").startswith("gAAAA")  # each has its own key
        assert there_too == before
        assert url in before[execution.path]["_links"]["self"]  # as with Abaco: where it was registered
        there = Actor(client, execution.actor.id)
        assert Execution(client, there, execution.id).results == [b"\x00result"]
        other.stub(tell, before[there.path]["image"])
        assert there.send("again").wait().logs.startswith("said again {'password': 'hush'}\n")
        other.check()
    finally:
        other.stop()


def test_a_file_has_nobodys_tokens_nor_clients(emulator: Emulator, abaco: Abaco, tmp_path: Path) -> None:
    token, login = emulator.token, emulator.login("jdoe")
    text = gzip.decompress(emulator.snapshot().save(tmp_path / "w").read_bytes()).decode()

    items = json.loads(text)["items"]
    assert not [item for item in items if item["pk"]["S"].startswith(("K#", "O#", "Y#"))]
    assert not [secret for secret in (token, *login.values()) if secret in text]


def test_idle_workers_of_a_file_go_when_their_time_is_over(emulator: Emulator, abaco: Abaco, tmp_path: Path) -> None:
    actor = abaco.register(print)
    actor.send("x").wait()
    abaco.quiet()

    other = loaded(emulator.snapshot().save(tmp_path / "w"))
    try:
        there = Actor(other.client(), actor.id)
        assert there.workers == ["READY"]
        other.clock.travel(timedelta(seconds=10))
        deadline = real_monotonic() + 20
        while there.workers:
            assert real_monotonic() < deadline
    finally:
        other.stop()


def test_functions_that_a_file_does_not_hold_are_named(
    emulator: Emulator, abaco: Abaco, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.stub(tell, "stub/teller")
    abaco.register("stub/teller").wait()

    other = loaded(emulator.snapshot().save(tmp_path / "w"))
    other.stop()

    assert "Python functions are not in a file; register these again: stub/teller" in caplog.text


def test_time_goes_on_from_when_a_file_was_saved(tmp_path: Path) -> None:
    settings = Settings.read(port=0, runner="process", tenants=["OTHER"])
    with time_machine.travel(datetime(2030, 5, 1, 12, tzinfo=UTC), tick=True), Emulator(settings) as emulator:
        emulator.clock.travel(timedelta(hours=1))
        emulator.clock_of("OTHER").freeze(datetime(2031, 1, 1, tzinfo=UTC))
        execution = emulator.client().register(lambda _: print("said")).send("x").wait()
        file = emulator.snapshot().save(tmp_path / "w")

    with time_machine.travel(datetime(2031, 6, 1, tzinfo=UTC), tick=True):
        other = loaded(file, tenants=["OTHER"])
        try:
            now = other.clock.now()
            assert datetime(2030, 5, 1, 13, tzinfo=UTC) < now < datetime(2030, 5, 1, 13, 5, tzinfo=UTC)
            assert other.clock_of("OTHER").now() == datetime(2031, 1, 1, tzinfo=UTC)
            client = other.client()
            there = Execution(client, Actor(client, execution.actor.id), execution.id)
            assert there.logs == "said\n"
            other.clock.travel(timedelta(hours=25))
            assert there.logs == ""
            client.close()
        finally:
            other.stop()


@pytest.mark.parametrize("key", [None, KEY])
def test_secrets_are_read_again_by_whoever_has_their_key(key: str | None, tmp_path: Path) -> None:
    with Emulator(Settings.read(port=0, runner="process", encryption_key=key)) as emulator:
        seeded(emulator.client())
        file = emulator.snapshot().save(tmp_path / "w")
    told = json.loads(gzip.decompress(file.read_bytes()))
    assert ("key" in told, "key_mark" in told) == (key is None, key is not None)

    other = loaded(file, encryption_key=key)
    try:
        (actor,) = other.client().actors
        other.stub(tell, actor.details["image"])
        assert actor.send("x").wait().logs.startswith("said x {'password': 'hush'}\n")
    finally:
        other.stop()


def test_a_file_of_what_came_from_a_file_has_readable_secrets_too(
    emulator: Emulator, abaco: Abaco, tmp_path: Path
) -> None:
    seeded(abaco)
    second = loaded(emulator.snapshot().save(tmp_path / "first"))
    third = loaded(second.snapshot().save(tmp_path / "second"), encryption_key=KEY)
    fourth = loaded(third.snapshot().save(tmp_path / "third"), encryption_key=KEY)
    try:
        (actor,) = fourth.client().actors
        fourth.stub(tell, actor.details["image"])
        assert actor.send("x").wait().logs.startswith("said x {'password': 'hush'}\n")
    finally:
        for each in (second, third, fourth):
            each.stop()


def test_secrets_of_another_key_are_refused_and_nothing_is_done(emulator: Emulator, tmp_path: Path) -> None:
    with Emulator(Settings.read(port=0, runner="process", encryption_key=KEY)) as strict:
        seeded(strict.client())
        file = strict.snapshot().save(tmp_path / "w")
    actor = emulator.client().register(print)

    with pytest.raises(Misconfigured, match="encrypted with an encryption_key that is not this emulator's"):
        emulator.restore(file)

    assert [each.id for each in emulator.client().actors] == [actor.id]


def changed(file: Path, **fields: Any) -> bytes:
    return gzip.compress(json.dumps({**json.loads(gzip.decompress(file.read_bytes())), **fields}).encode())


def test_a_file_that_is_no_snapshot_is_refused_in_a_line_and_nothing_is_done(
    emulator: Emulator, abaco: Abaco, tmp_path: Path
) -> None:
    execution = seeded(abaco)
    file, before = emulator.snapshot().save(tmp_path / "w"), everything(abaco)
    whole = file.read_bytes()
    wrong = {
        "part of a snapshot": [whole[:-1], whole[: len(whole) // 2], whole[:20]],
        "damaged": [whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]],
        "no snapshot: abacito snapshot save": [b"", b"text", gzip.compress(b"{"), gzip.compress(b"[]"),
                                               gzip.compress(b"{}"), changed(file, abacito_snapshot="1")],
        "of version 2, by abacito 9.9; this one reads 1: update": [
            changed(file, abacito_snapshot=2, made_by="9.9", items="not known yet")],
        "though it says so: items.0.pk": [changed(file, items=[{"pk": 1}])],
        "though it says so: extra": [changed(file, extra=1)],
        "its key does not decrypt its secrets": [changed(file, key=OTHER_KEY), changed(file, key="none")],
    }  # fmt: skip
    for words, contents in wrong.items():
        for data in contents:
            with pytest.raises(Malformed, match=words) as refused:
                emulator.restore(data)
            assert "\n" not in str(refused.value)
    nothing: Any = None
    with pytest.raises(Malformed, match="None is no snapshot: give what snapshot"):
        emulator.restore(nothing)
    with pytest.raises(Misconfigured, match="nowhere cannot be read: No such file"):
        emulator.restore(tmp_path / "nowhere")

    assert everything(abaco) == before
    assert execution.actor.send("x").wait().status == "COMPLETE"


def test_a_file_that_is_refused_half_way_leaves_what_was_there(
    emulator: Emulator, abaco: Abaco, tmp_path: Path
) -> None:
    execution = seeded(abaco)
    file, before = emulator.snapshot().save(tmp_path / "w"), everything(abaco)
    items = json.loads(gzip.decompress(file.read_bytes()))["items"]
    too_large = {"pk": {"S": "A#x"}, "sk": {"S": "@"}, "doc": {"S": "x" * 500_000}}

    with pytest.raises(Malformed, match=r"no snapshot, though it says so: .*Item size has exceeded"):
        emulator.restore(changed(file, items=[*items, too_large]))
    with pytest.raises(Malformed, match=r"though it says so: items\.\d+: .*it has no pk and sk, which are texts"):
        emulator.restore(changed(file, items=[*items, {"pk": {"S": "A#x"}, "sk": {"N": "1"}}]))

    assert everything(abaco) == before
    assert execution.actor.send("x").wait().logs.startswith("said x {'password': 'hush'}\n")


def test_a_file_that_cannot_be_written_is_said_in_a_line(emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no/such/w cannot be written: No such file or directory"):
        emulator.snapshot().save(tmp_path / "no/such/w")
