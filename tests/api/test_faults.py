"""Each fault over HTTP, on actors that are stubs: what it does, that it is counted, and that it is over."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from abacito.abaco.errors import Refusal
from abacito.abaco.faults import KINDS
from abacito.abaco.time import real_monotonic
from abacito.client import Execution
from tests.api.conftest import Api


def ask(api: Api, method: str, which: str = "", **arguments: Any) -> requests.Response:
    return requests.request(method, f"{api.emulator.url}/_abacito/faults{which}", timeout=20, **arguments)


def add(api: Api, kind: str, **fields: Any) -> dict[str, Any]:
    response = ask(api, "POST", json={"kind": kind, **fields})
    assert response.status_code == 200, response.text
    return dict(response.json())


def listed(api: Api) -> list[dict[str, Any]]:
    return list(ask(api, "GET").json()["faults"])


def counts(api: Api) -> list[tuple[int, int | None]]:
    return [(fault["struck"], fault["left"]) for fault in listed(api)]


def ending(api: Api, execution: Execution) -> tuple[str, int, bool]:
    seen = api.result("GET", f"/actors/{execution.actor.id}/executions/{execution.id}")
    state = seen[api.name("final_state")]
    assert state["ExitCode"] == seen[api.name("exit_code")]
    return seen["status"], seen[api.name("exit_code")], state["OOMKilled"]


def eventually(look: Any) -> Any:
    deadline = real_monotonic() + 20
    while not (seen := look()):
        assert real_monotonic() < deadline
    return seen


def test_a_fault_is_told_listed_counted_and_cleared(api: Api) -> None:
    actor = api.actor()

    made = add(api, "killed", actor=actor, times=2)

    assert made == {
        **{"id": made["id"], "kind": "killed", "actor": actor, "after_s": 0.0, "times": 2, "probability": 1.0},
        **{"seed": made["seed"], "struck": 0, "left": 2},
    }
    assert listed(api) == [made]
    api.run(actor)
    assert counts(api) == [(1, 1)]
    assert ask(api, "DELETE", f"/{made['id']}").json()["faults"] == [{**made, "struck": 1, "left": 1}]
    assert listed(api) == []
    assert ending(api, api.run(actor))[1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_set_and_all_are_cleared_at_once(api: Api, kind: str) -> None:
    made = [add(api, kind), add(api, kind, times=0, probability=0.5, seed=7)]

    assert [(each["kind"], each["left"]) for each in listed(api)] == [(kind, 1), (kind, None)]
    assert [each["id"] for each in ask(api, "DELETE").json()["faults"]] == [each["id"] for each in made]
    assert listed(api) == []


def test_a_reset_clears_them(api: Api) -> None:
    add(api, "runner_away", times=0)
    add(api, "answers", times=0)

    api.emulator.reset()

    assert listed(api) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"kind": "kiled"}, "did you mean 'killed'?"),
        ({"kind": "killed", "aktor": "x"}, "did you mean 'actor'?"),
        ({"kind": "killed", "actor": "greter"}, "did you mean 'greeter'?"),
        ({"kind": "killed", "actor": 5}, "actor = 5"),
        ({"kind": "killed", "times": "often"}, "times = 'often'"),
        ([], "a JSON object"),
        ("killed", "a JSON object"),
    ],
)
def test_what_is_no_fault_is_refused_with_the_nearest_and_sets_nothing(api: Api, body: Any, told: str) -> None:
    body_of_alias = {"alias": "greeter", api.name("actor_id"): api.actor()}
    api.result("POST", "/actors/aliases", json=body_of_alias)

    response = ask(api, "POST", json=body)

    assert (response.status_code, told in response.json()["message"]) == (400, True), response.text
    assert listed(api) == []


def test_clearing_what_is_not_set_is_refused(api: Api) -> None:
    assert ask(api, "DELETE", "/f0").status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_faults_are_set_by_this_machine_only(api: Api, method: str) -> None:
    response = ask(api, method, json={"kind": "killed"}, headers={"Origin": "http://evil.example"})

    assert (response.status_code, listed(api)) == (400, [])


def test_an_actor_is_meant_by_id_by_alias_or_by_image(api: Api) -> None:
    image = api.emulator.stub(lambda context: None)
    ids = [api.result("POST", "/actors", json={"image": image})["id"] for _ in range(2)]
    other = api.actor()
    api.result("POST", "/actors/aliases", json={"alias": "greeter", api.name("actor_id"): ids[0]})
    for name in (ids[0], "greeter", image):
        add(api, "exits", actor=name, exit_code=7)

    codes = [ending(api, api.run(each))[1] for each in (other, *ids, *ids, *ids)]

    assert codes == [0, 7, 7, 7, 0, 0, 0]
    assert counts(api) == [(1, 0)] * 3


def test_a_container_whose_start_fails_once_runs_at_the_next(api: Api) -> None:
    actor = api.actor(lambda context: print("said"))
    add(api, "start_fails", actor=actor)

    execution = api.run(actor)

    assert (execution.logs, ending(api, execution)) == ("said\n", ("COMPLETE", 0, False))
    assert counts(api) == [(1, 0)]


def test_six_starts_that_fail_put_the_actor_into_error(api: Api) -> None:
    actor = api.actor()
    made = add(api, "start_fails", actor=actor, times=6)

    execution = api.run(actor)

    seen = api.result("GET", f"/actors/{actor}")
    assert (execution.status, seen["status"]) == ("ERROR", "ERROR")
    assert f"fault {made['id']}" in seen[api.name("status_message")]
    assert counts(api) == [(6, 0)]


def test_a_killed_container_tells_137_whatever_its_program_said(api: Api) -> None:
    actor = api.actor(lambda context: context.stopping.wait(20))
    add(api, "killed", actor=actor, after_s=0.1)

    assert ending(api, api.run(actor)) == ("COMPLETE", 137, False)
    assert counts(api) == [(1, 0)]


def test_at_zero_seconds_it_is_killed_however_quick_it_is(api: Api) -> None:
    actor = api.actor(lambda context: None)
    add(api, "killed", actor=actor)

    assert ending(api, api.run(actor)) == ("COMPLETE", 137, False)


def test_a_container_that_ends_before_it_was_to_be_killed_was_not_struck(api: Api) -> None:
    actor = api.actor(lambda context: None)
    add(api, "killed", actor=actor, after_s=600)

    assert ending(api, api.run(actor)) == ("COMPLETE", 0, False)
    assert counts(api) == [(0, 1)]


def test_out_of_memory_is_told_as_docker_tells_it(api: Api) -> None:
    actor = api.actor(lambda context: context.stopping.wait(20))
    add(api, "out_of_memory", actor=actor)

    assert ending(api, api.run(actor)) == ("COMPLETE", 137, True)


def test_an_exit_code_is_told_in_place_of_its_own(api: Api) -> None:
    actor = api.actor(lambda context: print("all went well"))
    add(api, "exits", actor=actor, exit_code=3)

    execution = api.run(actor)

    assert (execution.logs, ending(api, execution)) == ("all went well\n", ("COMPLETE", 3, False))


def test_a_container_hangs_until_it_is_halted(api: Api) -> None:
    ended = threading.Event()
    actor = api.actor(lambda context: ended.set())
    add(api, "hangs", actor=actor)
    execution = api.handle(actor).send("x")
    assert ended.wait(20)
    eventually(lambda: execution.status == "RUNNING")

    api.result("DELETE", f"/actors/{actor}/executions/{execution.id}")

    assert ending(api, execution.wait()) == ("COMPLETE", 137, False)
    assert execution.details["runtime"] >= 0


def test_one_that_hangs_is_killed_in_its_time(api: Api) -> None:
    actor = api.actor(lambda context: None)
    add(api, "hangs", actor=actor)
    add(api, "out_of_memory", actor=actor, after_s=0.2)

    assert ending(api, api.run(actor)) == ("COMPLETE", 137, True)
    assert counts(api) == [(1, 0)] * 2


def test_a_reset_does_not_wait_for_one_that_hangs(api: Api) -> None:
    actor = api.actor(lambda context: None)
    add(api, "hangs", actor=actor)
    execution = api.handle(actor).send("x")
    eventually(lambda: execution.status == "RUNNING")
    began = real_monotonic()

    api.emulator.reset()

    assert real_monotonic() - began < 5


def test_results_are_lost_and_the_log_is_not(api: Api) -> None:
    actor = api.actor(lambda context: (context.send_result(b"kept"), print("said")))
    add(api, "loses_results", actor=actor)

    lost, kept = api.run(actor), api.run(actor)

    assert [(each.results, each.logs) for each in (lost, kept)] == [([], "said\n"), ([b"kept"], "said\n")]


def test_a_log_is_lost_and_the_results_are_not(api: Api) -> None:
    actor = api.actor(lambda context: (context.send_result(b"kept"), print("said")))
    add(api, "loses_logs", actor=actor)

    lost, kept = api.run(actor), api.run(actor)

    assert [(each.results, each.logs) for each in (lost, kept)] == [([b"kept"], ""), ([b"kept"], "said\n")]


def test_a_message_that_comes_twice_runs_once_and_has_one_record(api: Api) -> None:
    runs: list[str] = []
    for stateless in (True, False):
        actor = api.actor(lambda context: runs.append(context.message), stateless=stateless)
        add(api, "delivered_twice", actor=actor, times=2)
        for message in "abc":
            api.run(actor, message)
        mailbox = f"/actors/{actor}/messages"
        eventually(lambda mailbox=mailbox: api.result("GET", mailbox)["messages"] == 0)
        assert len(api.result("GET", f"/actors/{actor}/executions")["executions"]) == 3

    assert runs == ["a", "b", "c"] * 2
    assert counts(api) == [(2, 0)] * 2


def asks_for_itself(context: Any) -> None:
    """Its own actor, with its own token, until it is refused; each new answer is told."""
    variables = context.environment
    url = f"{variables['_abaco_api_server']}/actors/v2/{variables['_abaco_actor_id']}"
    headers = {"Authorization": f"Bearer {variables['_abaco_access_token']}"}
    seen: list[int] = []
    while 401 not in seen and not context.stopping.is_set():
        status = requests.get(url, headers=headers, timeout=10).status_code
        if status not in seen:
            seen.append(status)
            print(status)


@pytest.mark.parametrize(("after_s", "logs"), [(0, {"401\n"}), (0.5, {"401\n", "200\n401\n"})])
def test_a_containers_token_is_revoked_while_it_runs(api: Api, after_s: float, logs: set[str]) -> None:
    actor = api.actor(asks_for_itself, token=True)
    add(api, "token_revoked", actor=actor, after_s=after_s)

    execution = api.run(actor)

    assert execution.logs in logs
    assert ending(api, execution)[1] == 0
    assert counts(api) == [(1, 0)]


def test_an_actor_without_a_token_cannot_lose_one(api: Api) -> None:
    actor = api.actor(lambda context: None, token=False)
    add(api, "token_revoked", actor=actor)

    api.run(actor)

    assert counts(api) == [(0, 1)]


def test_nobodys_execution_fails_while_the_runner_is_away(api: Api) -> None:
    actor = api.actor(lambda context: print("said"))
    made = add(api, "runner_away", times=0)
    execution = api.handle(actor).send("x")
    eventually(lambda: listed(api)[0]["struck"])
    health = requests.get(f"{api.emulator.url}/_abacito/health", timeout=10)
    assert (health.status_code, f"fault {made['id']}" in health.json()["parts"]["runner"]) == (503, True)

    ask(api, "DELETE")

    assert (execution.wait().logs, ending(api, execution)[1]) == ("said\n", 0)


def test_the_runner_is_away_for_so_many_calls(api: Api) -> None:
    actor = api.actor(lambda context: None)
    add(api, "runner_away")

    assert ending(api, api.run(actor))[1] == 0
    assert counts(api) == [(1, 0)]


def statuses(api: Api, method: str, path: str, requests_: int = 3, **arguments: Any) -> list[int]:
    return [api.send(method, path, **arguments).status_code for _ in range(requests_)]


@pytest.mark.parametrize("face", ["/actors", "/actors/v2", "/v3/actors", "//actors/"])
def test_a_path_is_answered_so_often_with_an_error_by_whichever_name_it_goes(api: Api, face: str) -> None:
    add(api, "answers", path=face, method="GET", status=503, times=2)

    assert api.send("GET", "/actors/aliases").status_code == 200
    assert statuses(api, "GET", "/actors/v2") == [503, 503, 200]
    assert counts(api) == [(2, 0)]


def test_such_an_answer_is_in_the_envelope_and_nothing_was_done(api: Api) -> None:
    actor = api.actor(lambda context: None)
    made = add(api, "answers", path="/actors/*/messages", method="POST", status=502)

    response = api.send("POST", f"/actors/{actor}/messages", data={"message": "x" * 100_000})

    body = response.json()
    assert (response.status_code, body["status"], body["result"]) == (502, "error", None)
    assert made["id"] in body["message"]
    assert api.result("GET", f"/actors/{actor}/executions")["executions"] == []
    assert api.run(actor).status == "COMPLETE"


def test_the_body_of_a_struck_request_is_not_taken_for_the_next_one(api: Api) -> None:
    actor = api.actor(lambda context: None)
    add(api, "answers", method="POST", times=2)

    bodies = [iter([b"GET /nowhere HTTP/1.1\r\n", b"Host: x\r\n\r\n"]), b"x"]
    refused = [api.send("POST", f"/actors/{actor}/messages", data=each) for each in bodies]

    assert [(each.status_code, each.headers["Connection"]) for each in refused] == [(503, "close")] * 2
    assert statuses(api, "GET", f"/actors/{actor}") == [200] * 3


def test_a_seed_repeats_which_requests_are_struck(api: Api) -> None:
    first = add(api, "answers", path="/actors", probability=0.5, times=0)
    seen = statuses(api, "GET", "/actors", 30)
    ask(api, "DELETE")
    add(api, "answers", path="/actors", probability=0.5, times=0, seed=first["seed"])

    assert statuses(api, "GET", "/actors", 30) == seen
    assert {*seen} == {200, 503}


def test_a_slow_request_is_answered_after_its_time(api: Api) -> None:
    add(api, "slow", path="/actors", seconds=0.3)

    def took() -> float:
        began = real_monotonic()
        assert api.send("GET", "/actors").status_code == 200
        return real_monotonic() - began

    assert took() >= 0.3 > took()


def test_our_own_surface_is_never_struck(api: Api) -> None:
    add(api, "answers", times=0)

    assert statuses(api, "GET", "/_abacito/health", 1) == [200]
    assert statuses(api, "GET", "/actors", 1) == [503]
    assert ask(api, "DELETE").status_code == 200
    assert statuses(api, "GET", "/actors", 1) == [200]


def test_our_client_has_a_call_for_each_kind_whose_handle_tells_and_clears(api: Api) -> None:
    actor = api.handle(api.actor(lambda context: None))
    faults = api.emulator.client().faults
    of_actors = [
        *(faults.start_fails, faults.killed, faults.out_of_memory, faults.exits, faults.hangs, faults.token_revoked),
        *(faults.loses_results, faults.loses_logs, faults.delivered_twice),
    ]
    of_requests = [faults.answers, faults.slow]
    made = [
        *(call(actor, times=2) for call in of_actors),
        *(call("/actors/none", method="GET", times=2) for call in of_requests),
        faults.runner_away(times=2),
    ]

    assert {each.kind for each in made} == {*KINDS}
    assert [each.id for each in made] == [each["id"] for each in faults.list()]
    assert [(each.struck, each.left) for each in made] == [(0, 2)] * len(KINDS)
    made[0].clear()
    made[0].clear()
    assert (made[0].struck, made[0].left, len(faults.list())) == (0, 2, len(KINDS) - 1)
    assert len(faults.clear()) == len(KINDS) - 1


def test_a_context_clears_its_fault_and_the_count_stays(api: Api) -> None:
    faults = api.emulator.client().faults
    actor = api.actor(lambda context: None)

    with faults.exits(actor, 4, times=0) as fault:
        codes = [ending(api, api.run(actor))[1] for _ in range(2)]

    assert (codes, ending(api, api.run(actor))[1], fault.struck) == ([4, 4], 0, 2)
    assert faults.list() == []


def test_our_client_raises_what_is_refused(api: Api) -> None:
    with pytest.raises(Refusal, match=r"did you mean 'killed'\?"):
        api.emulator.client().faults.add("kiled")
