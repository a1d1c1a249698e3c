from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_actors import MILLISECONDS

RFC_1123 = r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$"


def test_an_execution_goes_from_submitted_over_running_to_complete(api: Api) -> None:
    """spec: http-api #86, #87, #88; spec: execution #57, #58, #62"""
    may_end, runs = threading.Event(), threading.Event()

    def held(context: Any) -> None:
        runs.set()
        may_end.wait(10)

    image = api.emulator.stub(held)
    api.emulator.runner.stubs.register("late", held)
    actor = api.result("POST", "/actors", json={"image": image, "status": "SUBMITTED"})["id"]
    execution = api.handle(actor).send("m")
    assert runs.wait(10)
    running = _until(execution, "RUNNING")
    may_end.set()
    ended = execution.wait().details

    assert running["worker_id"]
    assert [running.get(name) for name in ("start_time", "finish_time", "exit_code", "final_state")] == [None] * 4
    assert [running[name] for name in ("cpu", "io", "runtime")] == [0, 0, 0]
    assert (ended["status"], ended["exit_code"], ended["final_state"]["Status"]) == ("COMPLETE", 0, "exited")
    times = [ended[name] for name in ("message_received_time", "start_time", "finish_time")]
    assert times == sorted(times)
    assert all(re.match(MILLISECONDS, moment) for moment in times)
    assert isinstance(ended["runtime"], int)


def _until(execution: Any, status: str) -> dict[str, Any]:
    for details in execution.watch(10):
        if details["status"] == status:
            return details
    raise AssertionError(f"never {status}, last {details}")


def test_a_submitted_execution_has_nulls_in_snake_and_no_such_keys_in_camel(api: Api) -> None:
    """spec: http-api #24, #86; spec: execution #67"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]
    execution = api.result("POST", f"/actors/{actor}/messages", data={"message": "m"})[api.name("execution_id")]

    found = api.result("GET", f"/actors/{actor}/executions/{execution}")

    names = [api.name(n) for n in ("worker_id", "start_time", "finish_time", "exit_code", "final_state")]
    assert found["status"] == "SUBMITTED"
    assert [name in found for name in names] == [api.case == "snake"] * 5
    assert not any(found.get(name) for name in names)


def test_an_exit_code_is_told_and_the_execution_complete_all_the_same(api: Api) -> None:
    """spec: http-api #89; spec: execution #59"""
    actor = api.actor(lambda context: context.exit(3))

    details = api.run(actor).details

    assert (details["status"], details["exit_code"]) == ("COMPLETE", 3)


def test_the_executor_is_who_posted(api: Api) -> None:
    """spec: http-api #90; spec: execution #66"""
    actor = api.actor(user="jdoe")

    details = api.run(actor).details

    assert details["executor"] == "admin"
    assert details["_links"]["owner"] == f"{api.emulator.url}/profiles/v2/admin"


def test_an_unknown_execution_and_one_of_another_actor_are_not_found(api: Api) -> None:
    """spec: http-api #91, #92"""
    one, other = api.actor(), api.actor()
    execution = api.run(one).id

    for actor, unknown in ((one, "nope"), (one, one), (other, execution)):
        text = f"No executions found with actor id of {actor} and execution id of {unknown}."
        assert api.refusal("GET", f"/actors/{actor}/executions/{unknown}") == text
        assert api.refusal("GET", f"/actors/{actor}/executions/{unknown}/logs") == text


def test_the_list_has_five_keys_each_and_the_totals(api: Api) -> None:
    """spec: http-api #25, #27, #93"""
    actor = api.actor()
    executions = [api.run(actor).id for _ in range(2)]

    response = api.send("GET", f"/actors/{actor}/executions").json()

    result = response["result"]
    assert response["message"] == "Actor executions retrieved successfully."
    assert [e["id"] for e in result["executions"]] == executions
    names = {api.name(n) for n in ("id", "status", "start_time", "finish_time", "message_received_time")}
    for item in result["executions"]:
        assert set(item) == names
        assert all(re.match(RFC_1123, item[n]) for n in names if "ime" in n)
    totals = ["total_executions", "total_runtime", "total_cpu", "total_io"]
    assert result[api.name("total_executions")] == 2
    assert all(isinstance(result[api.name(name)], int) for name in totals)
    assert (result["owner"], result[api.name("actor_id")]) == ("admin", actor)


ADDITION = {"runtime": "1", "cpu": "2", "io": "3"}
ADDITION_HELP = {
    "runtime": "Runtime, in milliseconds, of the execution.",
    "cpu": "CPU usage, in user jiffies, of the execution.",
    "io": "Block I/O usage, in number of 512-byte sectors read from and written to, by the execution.",
}


@pytest.mark.parametrize("missing", ["runtime", "cpu", "io"])
@pytest.mark.parametrize("how", ["json", "data", "params"])
def test_an_execution_added_by_hand_needs_three_figures(api: Api, missing: str, how: str) -> None:
    """spec: http-api #94"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]
    given = {name: value for name, value in ADDITION.items() if name != missing}

    message = api.refusal("POST", f"/actors/{actor}/executions", **{how: given})

    assert message == f"Invalid actor execution description: {{'{missing}': '{ADDITION_HELP[missing]}'}}"


def test_the_first_figure_that_is_missing_is_named(api: Api) -> None:
    """spec: http-api #94"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]

    message = api.refusal("POST", f"/actors/{actor}/executions")

    assert message == f"Invalid actor execution description: {{'runtime': '{ADDITION_HELP['runtime']}'}}"


@pytest.mark.parametrize("wrong", ["runtime", "cpu", "io"])
@pytest.mark.parametrize("value", ["x", "1.5", "", None, [[]]])
def test_the_figures_of_an_execution_added_by_hand_are_integers(api: Api, wrong: str, value: Any) -> None:
    """spec: http-api #94"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]

    message = api.refusal("POST", f"/actors/{actor}/executions", json={**ADDITION, wrong: value})

    assert message == f"Argument {wrong} must be an integer."


@pytest.mark.parametrize("body", [{"json": ADDITION}, {"data": ADDITION}, {"json": {"runtime": 1, "cpu": -2, "io": 0}}])
def test_no_execution_can_be_added_by_hand(api: Api, body: dict[str, Any]) -> None:
    """spec: http-api #94"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]

    assert api.refusal("POST", f"/actors/{actor}/executions", **body) == "Required field executor missing."
    assert api.result("GET", f"/actors/{actor}/executions")["executions"] == []


@pytest.mark.parametrize("body", [b"{", b"[1]", b"5"])
def test_an_execution_added_by_hand_is_a_json_object(api: Api, body: bytes) -> None:
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]
    headers = {"Content-Type": "application/json"}

    message = api.refusal("POST", f"/actors/{actor}/executions", data=body, headers=headers)

    assert message == "Invalid actor execution description: Unable to process the JSON description."


def test_adding_an_execution_by_hand_asks_for_update_before_its_figures(api: Api) -> None:
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]
    path = f"/actors/{actor}/executions"

    for level in ("READ", "EXECUTE"):
        api.result("POST", f"/actors/{actor}/permissions", json={"user": "jdoe", "level": level})
        nonce = api.result("POST", f"/actors/{actor}/nonces", json={"level": level})["id"]
        refusal = api.refusal("POST", path, user="jdoe", json={})
        assert refusal == "Not authorized -- you do not have access to this actor."
        assert "permissions level" in api.refusal("POST", f"{path}?x-nonce={nonce}", user=None, json={})
    api.result("POST", f"/actors/{actor}/permissions", json={"user": "jdoe", "level": "UPDATE"})
    assert api.refusal("POST", path, user="jdoe", json=ADDITION) == "Required field executor missing."
    api.result("DELETE", f"/actors/{actor}")
    assert api.refusal("POST", path, 404, json=ADDITION) == f"No actor found with id: {actor}."


def test_nulls_stay_in_the_list_in_both_cases(api: Api) -> None:
    """spec: http-api #25"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]
    api.result("POST", f"/actors/{actor}/messages", data={"message": "m"})

    item = api.result("GET", f"/actors/{actor}/executions")["executions"][0]

    assert item[api.name("start_time")] is None
    assert item[api.name("finish_time")] is None


def test_logs_are_there_when_complete_is_with_stdout_and_stderr_in_order(api: Api) -> None:
    """spec: http-api #97, #98; spec: execution #68"""
    import sys

    def speaks(context: Any) -> None:
        print("out")
        print("err", file=sys.stderr)
        print("out again")

    actor = api.actor(speaks)
    execution = api.run(actor)

    result = api.send("GET", f"/actors/{actor}/executions/{execution.id}/logs").json()

    url = f"{api.emulator.url}/actors/v2/{actor}/executions/{execution.id}"
    assert result["message"] == "Logs retrieved successfully."
    assert result["result"]["logs"] == "out\nerr\nout again\n"
    assert result["result"]["_links"] == {
        "self": f"{url}/logs",
        "owner": f"{api.emulator.url}/profiles/v2/admin",
        "execution": url,
    }


def test_no_output_is_an_empty_log(api: Api) -> None:
    """spec: execution #70"""
    assert api.run(api.actor(lambda context: None)).logs == ""


def test_a_log_over_the_limit_is_cut_with_abacos_notice(api: Api) -> None:
    """spec: http-api #101; spec: execution #71"""
    actor = api.actor(lambda context: print("x" * 1_000_001, end=""))

    logs = api.run(actor).logs

    assert logs == "x" * 1_000_000 + " LOG LIMIT EXCEEDED; this execution log was TRUNCATED!"


def test_the_log_of_a_raising_actor_has_its_traceback_and_the_exit_code_is_one(api: Api) -> None:
    def raises(context: Any) -> None:
        raise ValueError("no such thing")

    execution = api.run(api.actor(raises))

    assert "ValueError: no such thing" in execution.logs
    assert execution.exit_code == 1


def test_results_are_read_once_each_oldest_first(api: Api) -> None:
    """spec: http-api #102, #103; spec: execution #36, #37, #42"""

    def sends(context: Any) -> None:
        for data in (b"one", b"two\0", b"three"):
            context.send_result(data)

    actor = api.actor(sends)
    execution = api.run(actor)
    path = f"/actors/{actor}/executions/{execution.id}/results"

    answers = [api.send("GET", path) for _ in range(4)]

    assert [a.content for a in answers] == [b"one", b"two\0", b"three", b""]
    assert {(a.status_code, a.headers["Content-Type"]) for a in answers} == {(200, "application/octet-stream")}


def test_deleting_an_actor_deletes_its_logs_and_leaves_its_executions_to_the_admin(api: Api) -> None:
    """spec: http-api #66; spec: execution #76"""
    actor = api.actor(lambda context: print("said"))
    execution = api.run(actor)

    api.result("DELETE", f"/actors/{actor}")

    assert api.result("GET", f"/actors/{actor}/executions/{execution.id}")["status"] == "COMPLETE"
    assert "No actor found" in api.refusal("GET", f"/actors/{actor}/executions/{execution.id}/logs", 404)


def test_deleting_an_actor_stops_what_runs(api: Api) -> None:
    """spec: execution #96"""
    runs = threading.Event()

    def endless(context: Any) -> None:
        runs.set()
        context.stopping.wait(30)

    actor = api.actor(endless)
    execution = api.handle(actor).send("m")
    assert runs.wait(10)

    response = api.send("DELETE", f"/actors/{actor}")

    assert response.json()["message"] == "Actor deleted successfully."
    assert api.result("GET", f"/actors/{actor}/executions/{execution.id}")["status"] == "COMPLETE"


def test_a_running_execution_is_force_quit_and_the_next_message_runs(api: Api) -> None:
    """spec: http-api #95; spec: execution #92, #95"""
    runs = threading.Event()

    def waits(context: Any) -> None:
        runs.set()
        if context.message == "long":
            print("at work", flush=True)
            context.stopping.wait(30)

    actor = api.actor(waits)
    execution = api.handle(actor).send("long")
    assert runs.wait(10)
    _until(execution, "RUNNING")

    response = api.send("DELETE", f"/actors/{actor}/executions/{execution.id}").json()

    assert response["message"] == f"Issued force quit command for execution {execution.id}."
    assert response["result"] is None
    assert execution.wait().status == "COMPLETE"
    assert execution.logs == "at work\n"
    assert api.run(actor, "short").exit_code == 0


def test_only_a_running_execution_can_be_force_quit(api: Api) -> None:
    """spec: http-api #96; spec: execution #94"""
    actor = api.actor()
    execution = api.run(actor).id

    message = api.refusal("DELETE", f"/actors/{actor}/executions/{execution}")

    text = "Cannot force quit an execution not in RUNNING status. Execution was found in status: COMPLETE"
    assert message == text
    assert "No executions found" in api.refusal("DELETE", f"/actors/{actor}/executions/nope")


@pytest.mark.parametrize(
    "fields",
    [
        {"max_workers": -5},
        {"max_workers": 10**12},
        {"log_ex": -(10**30)},
        {"log_ex": 10**30},
        {"default_environment": None},
    ],
    ids=str,
)
def test_figures_out_of_all_range_stop_no_execution(api: Api, fields: dict[str, Any]) -> None:
    assert api.run(api.actor(lambda context: None, **fields)).status == "COMPLETE"


@pytest.mark.parametrize("environment", [{"A": "x\0y"}, {"A=B": "x"}], ids=ascii)
def test_variables_that_no_process_can_have_end_in_error_not_in_silence(api: Api, environment: dict[str, str]) -> None:
    body = {"image": "echo", api.name("default_environment"): environment}
    actor = api.handle(api.result("POST", "/actors", json=body)["id"]).wait()

    execution = actor.send("x").wait()

    assert execution.status in ("ERROR", "COMPLETE")
