from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_actors import FIELDS, MILLISECONDS
from tests.api.test_executions import RFC_1123
from tests.api.test_search import one_of_three_done, registered
from tests.api.test_workers import FIELDS as WORKER_FIELDS
from tests.api.test_workers import Held, ask_for, eventually, staffed, withheld

ADMIN_PATHS = ("/actors/admin", "/actors/admin/workers", "/actors/admin/executions")
WRONG_METHOD = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."
HIDDEN = {"api_server", "db_id", "executions", "messages", "runtime", "tenant", "workers"}
FIGURES = ("total_execution_cpu", "total_execution_io", "total_execution_runtime", "total_executions")


def summary(api: Api, of: str) -> dict[str, int]:
    """A summary, by the names of the instance's case."""
    return dict(api.result("GET", f"/actors/admin/{of}")["summary"])


def in_case(api: Api, figures: dict[str, Any]) -> dict[str, Any]:
    return {api.name(name): value for name, value in figures.items()}


def sums(which: str, actors: int, with_executions: int, executions: int, done: int) -> dict[str, int]:
    """Six of the twelve; each execution that is done took 2 s, 5 ns and 30 bytes."""
    return {
        f"total_actors_{which}": actors,
        f"total_actors_{which}_with_executions": with_executions,
        f"total_executions_{which}": executions,
        f"total_execution_runtime_{which}": 2 * done,
        f"total_execution_cpu_{which}": 5 * done,
        f"total_execution_io_{which}": 30 * done,
    }


# Who.


@pytest.mark.parametrize("path", [*ADMIN_PATHS, "/actors/admin/nothing"])
def test_only_admins_are_let_in(api: Api, path: str) -> None:
    """spec: http-api-more #83"""
    if path in ADMIN_PATHS:
        for user in ("jdoe", "privileged"):
            assert api.refusal("GET", path, user=user) == "Abaco Admin role required."
    assert api.send("GET", path).status_code == (200 if path in ADMIN_PATHS else 404)
    assert "role" in api.refusal("GET", ADMIN_PATHS[0], user="nobody")


def test_whatever_has_admin_in_its_path_is_for_admins(api: Api) -> None:
    actor = registered(api, "A", user="jdoe")
    api.result("POST", "/actors/aliases", json={"alias": "sysadmin", api.name("actor_id"): actor}, user="jdoe")

    for path in ("/actors/sysadmin", "/actors/sysadmin/executions", "/actors/aliases/sysadmin"):
        assert api.refusal("GET", path, user="jdoe") == "Abaco Admin role required."
        api.result("GET", path)


def test_these_paths_are_only_read(api: Api) -> None:
    for path in ADMIN_PATHS:
        for method in ("POST", "PUT", "DELETE"):
            for user in ("admin", "jdoe"):
                assert api.refusal(method, path, 405, user=user) == WRONG_METHOD
    assert api.refusal("POST", "/actors/utilization", 405) == WRONG_METHOD
    for method in ("PUT", "DELETE"):
        refusal = api.refusal(method, "/actors/utilization", 404, json={"image": "x"})
        assert refusal == "Actor with identifier 'utilization' not found"


# Actors.


def test_an_admin_sees_each_actor_with_all_that_belongs_to_it(api: Api) -> None:
    """spec: http-api-more #84"""
    actor, _ = one_of_three_done(api)

    response = api.send("GET", "/actors/admin").json()

    [found] = response["result"]
    assert response["message"] == "Actors retrieved successfully."
    assert set(found) == {api.name(field) for field in (FIELDS - {"_links"}) | HIDDEN}
    assert (found["id"], found["name"], found["tenant"]) == (actor, "A", "TACC-PROD")
    assert found[api.name("db_id")] == f"TACC-PROD_{actor}"
    assert found[api.name("api_server")] == api.emulator.url
    assert (found["messages"], found["executions"], found["runtime"], found["workers"]) == (2, 3, 2, [])
    assert found[api.name("log_ex")] is None
    for name in ("create_time", "last_update_time"):
        assert re.match(RFC_1123, found[api.name(name)])


def test_an_actors_workers_are_shown_as_they_are_stored(api: Api) -> None:
    """spec: http-api-more #84"""
    actor = staffed(api, 1)

    [before] = api.result("GET", "/actors/admin")[0]["workers"]
    execution = api.run(actor)
    eventually(lambda: api.result("GET", "/actors/admin")[0]["workers"][0]["status"], "READY")
    [after] = api.result("GET", "/actors/admin")[0]["workers"]

    for worker in (before, after):  # not in camel either: only the actor's own names are converted
        assert set(worker) | {"last_execution_time"} == WORKER_FIELDS | {"actor_id"}
        assert (worker["actor_id"], worker["tenant"]) == (f"TACC-PROD_{actor}", "TACC-PROD")
        assert re.match(RFC_1123, worker["create_time"])
        assert re.match(RFC_1123, worker["last_health_check_time"])
    assert not before.get("last_execution_time")
    assert re.match(RFC_1123, after["last_execution_time"])
    assert after["id"] == execution.details["worker_id"]


def test_a_worker_that_is_not_up_has_five_fields_as_it_is_stored(api: Api) -> None:
    with withheld(api):
        [worker] = api.result("GET", "/actors/admin")[0]["workers"]

    assert set(worker) == {"actor_id", "create_time", "id", "status", "tenant"}


def test_an_admin_sees_the_actors_of_all_tenants_and_no_deleted_ones(api: Api) -> None:
    """spec: http-api-more #84"""
    ours, theirs = registered(api, "ours", user="jdoe"), registered(api, "theirs", user="far")
    deleted = registered(api, "deleted")
    api.result("DELETE", f"/actors/{deleted}")

    for user in ("admin", "far"):
        listed = {actor["id"]: actor["tenant"] for actor in api.result("GET", "/actors/admin", user=user)}
        assert listed == {ours: "TACC-PROD", theirs: "OTHER_TENANT"}


# Workers.


def test_workers_are_counted_by_status(api: Api) -> None:
    """spec: http-api-more #85"""
    held = Held()
    idle = api.actor()  # stateless: its worker goes when it has nothing to do
    eventually(lambda: api.result("GET", f"/actors/{idle}/workers"), [])
    staffed(api, 2)
    execution = api.handle(staffed(api, 1, held)).send("m")
    held.has_begun()

    with withheld(api) as (actor, _):
        ask_for(api, actor, json={"num": 3})
        counted = summary(api, "workers")
    held.may_end.set()
    execution.wait()

    figures = {
        "total_workers": 6,
        "ready_workers": 2,
        "requested_workers": 3,
        "error_workers": 0,
        "busy_workers": 1,
        "actors_no_workers": 1,
    }
    assert counted == in_case(api, figures)


def test_each_worker_is_shown_with_its_actor_and_nulls(api: Api) -> None:
    """spec: http-api-more #85"""
    ready = staffed(api, 1)
    with withheld(api) as (requested, _):
        response = api.send("GET", "/actors/admin/workers").json()

    fields = {api.name(field) for field in WORKER_FIELDS | {"actor_id", "actor_dbid"}}
    workers = {worker[api.name("actor_id")]: worker for worker in response["result"]["workers"]}
    assert response["message"] == "Workers retrieved successfully."
    assert set(workers) == {ready, requested}
    for actor, worker in workers.items():
        assert set(worker) == fields
        assert (worker[api.name("actor_dbid")], worker["tenant"]) == (f"TACC-PROD_{actor}", "TACC-PROD")
        assert worker[api.name("last_execution_time")] == "None"
        assert re.match(MILLISECONDS, worker[api.name("create_time")])
    assert workers[ready]["status"] == "READY"
    assert workers[ready][api.name("ch_name")] == f"worker_{workers[ready]['id']}"
    assert workers[requested]["status"] == "REQUESTED"
    assert workers[requested]["cid"] is None
    assert workers[requested][api.name("last_health_check_time")] == "None"


def test_workers_of_all_tenants_are_counted(api: Api) -> None:
    with withheld(api):
        registered(api, "theirs", "on-its-way", user="far")
        result = api.result("GET", "/actors/admin/workers")

    assert {worker["tenant"] for worker in result["workers"]} == {"TACC-PROD", "OTHER_TENANT"}
    assert result["summary"][api.name("total_workers")] == 2


# Executions.


def test_an_empty_abaco_counts_to_nothing(api: Api) -> None:
    assert api.result("GET", "/actors/admin") == []
    assert set(summary(api, "workers").values()) == {0}
    assert set(summary(api, "executions").values()) == {0}
    assert set(api.result("GET", "/actors/utilization").values()) == {0}


def test_deleting_an_actor_takes_it_from_what_exists_and_not_from_all(api: Api) -> None:
    """spec: http-api-more #86"""
    first, _ = one_of_three_done(api, "A")
    second, _ = one_of_three_done(api, "B")
    registered(api, "never used")

    before = summary(api, "executions")
    api.result("DELETE", f"/actors/{first}")
    after = summary(api, "executions")
    api.result("DELETE", f"/actors/{second}")
    last = summary(api, "executions")

    assert len(before) == 12
    assert before == in_case(api, {**sums("all", 3, 2, 6, 2), **sums("existing", 3, 2, 6, 2)})
    assert after == in_case(api, {**sums("all", 3, 2, 6, 2), **sums("existing", 2, 1, 3, 1)})
    assert last == in_case(api, {**sums("all", 3, 2, 6, 2), **sums("existing", 1, 0, 0, 0)})


def test_executions_are_told_by_actor(api: Api) -> None:
    """spec: http-api-more #86"""
    actor, _ = one_of_three_done(api)
    unused, deleted = registered(api, "unused", user="jdoe"), registered(api, "deleted")
    api.result("DELETE", f"/actors/{deleted}")

    response = api.send("GET", "/actors/admin/executions").json()

    used = {
        "actor_id": actor,
        "owner": "admin",
        "image": "no/such:image",
        **dict(zip(FIGURES, (5, 30, 2, 3), strict=True)),
    }
    idle = {"actor_id": unused, "owner": "jdoe", "image": "no/such:image", **dict.fromkeys(FIGURES, 0)}
    assert response["message"] == "Executions retrieved successfully."
    assert response["result"]["actors"] == [in_case(api, used), in_case(api, idle)]


def test_executions_of_all_tenants_are_counted(api: Api) -> None:
    for user in ("admin", "far"):
        actor = registered(api, "A", user=user)
        api.result("POST", f"/actors/{actor}/messages", data={"message": "m"}, user=user)

    for user in ("admin", "far"):
        counted = api.result("GET", "/actors/admin/executions", user=user)["summary"]
        assert counted == in_case(api, {**sums("all", 2, 2, 2, 0), **sums("existing", 2, 2, 2, 0)})


# Utilization.


def test_utilization_is_four_figures_in_camel_case_always(api: Api) -> None:
    """spec: http-api-more #87"""
    with withheld(api) as (actor, _):
        ask_for(api, actor, json={"num": 3})
        deleted = registered(api, "deleted", user="far")
        before = api.send("GET", "/actors/utilization", user="jdoe").json()
        api.result("DELETE", f"/actors/{deleted}", user="far")
        after = api.result("GET", "/actors/utilization", user="jdoe")

    assert before["message"] == "Abaco utilization returned successfully."
    assert set(before["result"]) == {"currentActors", "totalActors", "workers", "commandQueue"}
    assert (before["result"]["currentActors"], before["result"]["totalActors"]) == (2, 2)
    assert (after["currentActors"], after["totalActors"], after["workers"]) == (1, 2, 3)
    assert isinstance(after["commandQueue"], int)


def test_utilization_is_for_everybody_with_a_role(api: Api) -> None:
    actor = registered(api, "A")
    nonce = api.result("POST", f"/actors/{actor}/nonces", json={})["id"]

    assert api.result("GET", "/actors/utilization", user="privileged")["totalActors"] == 1
    assert api.refusal("GET", "/actors/utilization", user="nobody") == "Not authorized -- missing required role."
    refusal = api.refusal("GET", f"/actors/utilization?x-nonce={nonce}", 404, user=None)
    assert refusal == "Actor with identifier 'utilization' not found"


def test_the_instance_is_told_in_prometheuss_words(api: Api) -> None:
    actor = api.actor(stateless=False)
    api.run(actor)

    response = api.send("GET", "/_abacito/metrics", user=None)

    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.text.splitlines()
    assert {"abaco_actors 1", "abaco_executions 1", "abaco_messages_waiting 0"} <= set(lines)
    assert next(line for line in lines if line.startswith("abaco_workers")) == 'abaco_workers{status="ready"} 1'
