"""``PUT /actors/<id>``: a full replacement, and what starts an actor anew."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from abacito.abaco.actor import ActorKey
from abacito.abaco.time import real_monotonic
from abacito.abaco.worker import Hold, Slot
from tests.api.conftest import Api


def put(api: Api, actor: str, user: str = "admin", **fields: Any) -> Any:
    """The actor after an update; ``image`` is its own unless given."""
    return api.result("PUT", f"/actors/{actor}", user=user, json=body(api, actor, **fields))


def body(api: Api, actor: str, **fields: Any) -> dict[str, Any]:
    image = api.result("GET", f"/actors/{actor}")["image"]
    return {"image": image, **{api.name(name): value for name, value in fields.items()}}


def shown(api: Api, actor: str) -> dict[str, Any]:
    return dict(api.result("GET", f"/actors/{actor}"))


def until_ready(api: Api, actor: str) -> dict[str, Any]:
    api.handle(actor).wait()
    return shown(api, actor)


def test_an_image_is_required(api: Api) -> None:
    """spec: http-api #52"""
    refusal = api.refusal("PUT", f"/actors/{api.actor()}", json={"description": "x"})

    assert refusal == "Invalid actor description: {'image': 'Reference to image on docker hub for this actor.'}"


def test_a_stateful_actor_stays_stateful(api: Api) -> None:
    """spec: http-api #53"""
    actor = api.actor(stateless=False)

    refusal = api.refusal("PUT", f"/actors/{actor}", json=body(api, actor))

    assert refusal == "Invalid actor description: an actor that was not stateless cannot be updated to be stateless."
    assert put(api, actor, stateless=False)["stateless"] is False


def test_a_stateless_actor_may_become_stateful(api: Api) -> None:
    assert put(api, api.actor(), stateless=False)["stateless"] is False


def test_a_stateful_actor_has_one_worker_by_what_it_was(api: Api) -> None:
    stateful, stateless = api.actor(stateless=False), api.actor()

    refusal = api.refusal("PUT", f"/actors/{stateful}", json=body(api, stateful, stateless=False, max_workers=2))

    assert refusal == "Invalid actor description: stateful actors can only have 1 worker."
    assert put(api, stateless, stateless=False, max_workers=2)[api.name("max_workers")] == 2


def test_the_same_image_changes_settings_and_nothing_else(api: Api) -> None:
    """spec: http-api #54"""
    actor = api.actor(description="old", default_environment={"a": "b"}, log_ex=5, webhook="http://127.0.0.1:9/")
    before = shown(api, actor)
    workers = api.result("GET", f"/actors/{actor}/workers")

    after = put(api, actor, hints=["new"])

    assert (after["revision"], after["status"]) == (before["revision"], "READY")
    assert after[api.name("last_update_time")] > before[api.name("last_update_time")]
    assert (after["description"], after[api.name("default_environment")], after["webhook"]) == ("", {}, "")
    assert after.get(api.name("log_ex")) is None
    assert after["hints"] == ["new"]
    assert shown(api, actor) == after
    assert api.result("GET", f"/actors/{actor}/workers") == workers


def test_an_update_without_a_state_empties_it(api: Api) -> None:
    """spec: http-api #55"""
    actor = api.actor(stateless=False)
    api.result("POST", f"/actors/{actor}/state", json={"kept": 1})

    assert put(api, actor, stateless=False, state={"given": 2})["state"] == {"given": 2}
    assert put(api, actor, stateless=False)["state"] == {}


def test_who_it_is_cannot_be_changed(api: Api) -> None:
    """spec: http-api #56"""
    actor = api.actor(name="first")
    before = shown(api, actor)

    put(api, actor, name="second", owner="jdoe", id="x", create_time="2000-01-01", tenant="T", revision=9)

    after = shown(api, actor)
    kept = ("name", "owner", "id", "revision", api.name("create_time"))
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_another_image_makes_a_new_revision_that_runs_the_next_message(api: Api) -> None:
    """spec: http-api #57"""
    actor = api.actor(lambda context: print("old"))

    after = put(api, actor, image=api.emulator.stub(lambda context: print("new")))

    assert (after["revision"], after["status"], after.get(api.name("status_message"))) == (
        2,
        "SUBMITTED",
        "" if api.case == "snake" else " ",
    )
    until_ready(api, actor)
    assert api.run(actor).logs == "new\n"


@pytest.mark.parametrize(
    ("force", "forces"),
    [(True, True), ("false", True), ("abc", True), (1, True), (False, False), (0, False), ("", False)],
)
def test_any_non_empty_force_forces(api: Api, force: Any, forces: bool) -> None:
    """spec: http-api #58; spec: execution #86"""
    actor = api.actor()

    after = put(api, actor, force=force)

    assert (after["revision"], after["status"]) == ((2, "SUBMITTED") if forces else (1, "READY"))


def test_force_counts_in_the_query_too(api: Api) -> None:
    actor = api.actor()

    assert api.result("PUT", f"/actors/{actor}?force=true", json=body(api, actor))["revision"] == 2


def test_whoever_updates_gets_update_and_the_owner_stays(api: Api) -> None:
    """spec: http-api #59"""
    actor = api.actor(user="jdoe")
    api.result("POST", f"/actors/{actor}/permissions", json={"user": "privileged", "level": "UPDATE"})

    assert put(api, actor, user="privileged")["owner"] == "jdoe"
    assert put(api, actor)["owner"] == "jdoe"
    entries = {"jdoe": "UPDATE", "privileged": "UPDATE", "admin": "UPDATE"}
    assert api.result("GET", f"/actors/{actor}/permissions") == entries


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("queue", "nope", "Invalid queue name."), ("hints", ["a{b"], "Hints must be simple stings")],
)
def test_bad_queue_or_hint_is_refused_as_at_registration(api: Api, field: str, value: Any, message: str) -> None:
    """spec: http-api #60"""
    actor = api.actor()
    before = shown(api, actor)

    refusal = api.refusal("PUT", f"/actors/{actor}", json=body(api, actor, **{field: value}))

    assert message in refusal
    assert shown(api, actor) == before


def test_an_actor_cannot_link_to_itself(api: Api) -> None:
    """spec: http-api #61; spec: http-api-more #99"""
    actor = api.actor()
    api.result("POST", "/actors/aliases", json={"alias": "me", api.name("actor_id"): actor})

    for link in (actor, "me"):
        refusal = api.refusal("PUT", f"/actors/{actor}", json=body(api, actor, link=link))
        assert refusal == "Invalid link parameter. An actor cannot link to itself."


def test_an_update_without_force_leaves_an_actor_in_error(api: Api) -> None:
    """spec: http-api #64"""
    actor = api.result("POST", "/actors", json={"image": "nobody/has:this"})["id"]
    until(lambda: shown(api, actor)["status"] == "ERROR")

    after = put(api, actor)

    assert after["status"] == "ERROR"
    message = after[api.name("status_message")]
    assert message == "" if api.case == "snake" else message.startswith("Spawner got an exception")


def test_an_update_brings_an_actor_out_of_error_and_its_messages_run(api: Api) -> None:
    """spec: http-api #65, #85; spec: execution #56"""
    actor = api.result("POST", "/actors", json={"image": "stub/late"})["id"]
    until(lambda: shown(api, actor)["status"] == "ERROR")
    execution = api.handle(actor).send("waits")
    api.emulator.stub(lambda context: print(context.message), "stub/late")

    after = put(api, actor, force=True)

    assert (after["status"], after["revision"]) == ("SUBMITTED", 2)
    until_ready(api, actor)
    assert execution.wait().logs == "waits\n"


def test_what_runs_finishes_on_the_old_image_and_what_waits_runs_on_the_new_one(api: Api) -> None:
    """spec: execution #85"""
    started, go = threading.Event(), threading.Event()

    def old(context: Any) -> None:
        started.set()
        go.wait(20)
        print("old")

    actor = api.actor(old, stateless=False)
    running = api.handle(actor).send("1")
    assert started.wait(20)
    waiting = api.handle(actor).send("2")

    put(api, actor, stateless=False, image=api.emulator.stub(lambda context: print("new")))
    go.set()

    assert (running.wait().logs, waiting.wait().logs) == ("old\n", "new\n")
    assert [each["status"] for each in workers_at_rest(api, actor)] == ["READY"]


def workers_at_rest(api: Api, actor: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def at_rest() -> bool:
        found[:] = api.result("GET", f"/actors/{actor}/workers")
        return all(each["status"] == "READY" for each in found)

    until(at_rest)
    return found


def test_a_slow_deletion_shows_shutting_down(api: Api) -> None:
    """spec: http-api #68"""
    actor = api.actor(stateless=False)
    stored = api.emulator.stored
    key = ActorKey(api.emulator.settings.tenant, actor)
    # A worker in somebody else's hand, who does not let go at once: its holder is not of this process.
    hold = Hold("ring", "token", "elsewhere")
    held: list[Slot | None] = [None]

    def acquired() -> bool:
        held[0] = stored.slots.acquire(stored.slots.list(key)[0], hold, is_new=False, drops=False)
        return held[0] is not None

    until(acquired)
    deleting = threading.Thread(target=api.send, args=("DELETE", f"/actors/{actor}"))
    deleting.start()
    try:
        until(lambda: shown(api, actor)["status"] == "SHUTTING_DOWN")
    finally:
        assert held[0] is not None
        stored.slots.discard(held[0])
        deleting.join(20)
    assert api.refusal("GET", f"/actors/{actor}", status=404) == f"No actor found with identifier: {actor}."


def test_a_schedule_is_kept_in_camel_and_cleared_in_snake_when_it_is_not_sent(api: Api) -> None:
    actor = api.actor(cron_schedule="2078-01-01 05 + 1 day")

    after = put(api, actor)

    kept = "2078-01-01 05 + 1 day" if api.case == "camel" else None
    assert (after.get(api.name("cron_schedule")), after[api.name("cron_on")]) == (kept, False)
    assert after.get(api.name("cron_next_ex")) == ("2078-01-01 05" if api.case == "camel" else None)


@pytest.mark.parametrize("field", ["privileged", "max_workers", "max_cpus", "mem_limit", "queue", "use_container_uid"])
def test_what_costs_the_host_something_needs_a_role(api: Api, field: str) -> None:
    actor = api.actor(user="jdoe")

    refusal = api.refusal("PUT", f"/actors/{actor}", user="jdoe", json=body(api, actor, **{field: "1"}))

    assert refusal.startswith("Not authorized -- only admins and privileged users can ")


def test_an_ordinary_users_update_takes_a_privilege_away(api: Api) -> None:
    actor = api.actor(privileged=True)
    api.result("POST", f"/actors/{actor}/permissions", json={"user": "jdoe", "level": "UPDATE"})

    assert put(api, actor, user="jdoe")["privileged"] is False


def until(condition: Any, within_s: float = 20) -> None:
    deadline = real_monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert real_monotonic() < deadline, "it did not come to that"
        pause.wait(0.01)


def test_an_update_while_the_actor_is_made_ready_leaves_it_to_become_so(api: Api) -> None:
    for _ in range(20):
        image = api.emulator.stub(print)
        actor = api.result("POST", "/actors", json={"image": image})["id"]
        for number in range(3):
            api.result("PUT", f"/actors/{actor}", json={"image": image, "description": str(number)})
        api.handle(actor).wait(within_s=10)
        assert shown(api, actor)["description"] == "2"


def test_an_update_does_not_take_a_newer_revision_back(api: Api) -> None:
    actor = api.actor()
    stored = api.emulator.stored.actors
    key = ActorKey(api.emulator.settings.tenant, actor)
    stale = stored.get(key)
    assert stale is not None
    put(api, actor, force=True)
    until_ready(api, actor)

    stored.update(stale, starts_anew=False, says=True)  # as by somebody who had read it before

    assert (shown(api, actor)["revision"], shown(api, actor)["status"]) == (2, "READY")
