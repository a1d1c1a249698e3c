from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.conftest import Api

FIELDS = {
    "_links",
    "create_time",
    "cron_next_ex",
    "cron_on",
    "cron_schedule",
    "default_environment",
    "description",
    "gid",
    "hints",
    "id",
    "image",
    "last_update_time",
    "link",
    "log_ex",
    "max_cpus",
    "max_workers",
    "mem_limit",
    "mounts",
    "name",
    "owner",
    "privileged",
    "queue",
    "revision",
    "state",
    "stateless",
    "status",
    "status_message",
    "tasdir",
    "token",
    "type",
    "uid",
    "use_container_uid",
    "webhook",
}
MILLISECONDS = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
UNABLE = "Invalid actor description: Unable to process the JSON description.: 400 Bad Request:"


def test_registering_an_image_answers_its_defaults(api: Api) -> None:
    """spec: http-api #21, #27, #29"""
    response = api.send("POST", "/actors", json={"image": "abc"})

    actor = response.json()["result"]
    assert response.json()["message"] == "Actor created successfully."
    assert (actor["status"], actor["revision"], actor["stateless"]) == ("SUBMITTED", 1, True)
    assert (actor["type"], actor["queue"], actor["token"], actor["owner"]) == ("none", "default", "true", "admin")
    assert re.match(MILLISECONDS, actor[api.name("create_time")])
    assert actor["_links"] == {
        "self": f"{api.emulator.url}/actors/v2/{actor['id']}",
        "owner": f"{api.emulator.url}/profiles/v2/admin",
        "executions": f"{api.emulator.url}/actors/v2/{actor['id']}/executions",
    }


def test_an_actor_shows_its_33_fields_less_nulls_in_camel(api: Api) -> None:
    """spec: http-api #24, #30"""
    actor = api.result("POST", "/actors", json={"image": "abc"})

    if api.case == "snake":
        assert set(actor) == FIELDS
    else:
        assert len(actor) == 23
        assert set(actor) <= {api.name(field) if field[0] != "_" else field for field in FIELDS}


def test_an_image_is_required(api: Api) -> None:
    """spec: http-api #31"""
    message = api.refusal("POST", "/actors", json={"name": "x"})

    assert message == "Invalid actor description: {'image': 'Reference to image on docker hub for this actor.'}"


def test_json_beats_query_beats_form(api: Api) -> None:
    """spec: http-api #32"""
    form = api.result("POST", "/actors", data={"image": "form"})
    query = api.result("POST", "/actors?image=query", data={"image": "form"})
    body = api.result("POST", "/actors?image=query", json={"image": "json"})

    assert [form["image"], query["image"], body["image"]] == ["form", "query", "json"]


@pytest.mark.parametrize(("given", "taken"), [("True", True), ("false", False), ("1", True), ("0", False)])
def test_booleans_are_taken_as_text(api: Api, given: str, taken: bool) -> None:
    """spec: http-api #33"""
    assert api.result("POST", "/actors", data={"image": "x", "stateless": given})["stateless"] is taken


@pytest.mark.parametrize("given", ["yes", "", " true", 1, {}])
def test_what_is_no_boolean_is_refused_with_the_fields_help(api: Api, given: Any) -> None:
    """spec: http-api #33"""
    message = api.refusal("POST", "/actors", json={"image": "x", "stateless": given})

    assert message == "Invalid actor description: {'stateless': 'Whether the actor stores private state.'}"


@pytest.mark.parametrize("how", ["json", "data"])
def test_an_environment_must_be_a_json_object(api: Api, how: str) -> None:
    """spec: http-api #34"""
    field = api.name("default_environment")

    message = api.refusal("POST", "/actors", **{how: {"image": "x", field: '{"a": 1}'}})

    assert message == (
        f"Invalid actor description: {{'{field}': 'A dictionary of default environmental variables and values.'}}"
    )


def test_a_refusal_names_the_field_in_the_instances_case(api: Api) -> None:
    """spec: http-api #35"""
    field = api.name("use_container_uid")

    assert f"'{field}'" in api.refusal("POST", "/actors", json={"image": "x", field: "abcd"})


def test_a_stateful_actor_has_one_worker(api: Api) -> None:
    """spec: http-api #36; spec: execution #80"""
    body = {"image": "x", "stateless": False, api.name("max_workers"): 3}

    message = api.refusal("POST", "/actors", json=body)

    assert message == "Invalid actor description: stateful actors can only have 1 worker."


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("privileged", "make privileged actors"),
        ("max_workers", "set max workers"),
        ("max_cpus", "set max CPUs"),
        ("mem_limit", "set mem limit"),
        ("queue", "set queue"),
        ("use_container_uid", "use container uid"),
    ],
)
def test_what_costs_the_host_something_needs_a_role(api: Api, field: str, words: str) -> None:
    """spec: http-api #37"""
    value = {"queue": "special", "mem_limit": "64m", "max_workers": 2, "max_cpus": 10**9}.get(field, True)
    body = {"image": "x", api.name(field): value}

    message = api.refusal("POST", "/actors", user="jdoe", json=body)

    assert message == f"Not authorized -- only admins and privileged users can {words}."
    assert api.result("POST", "/actors", user="privileged", json=body)[api.name(field)] == value


def test_only_a_truthy_privilege_is_refused(api: Api) -> None:
    """spec: http-api #38"""
    api.result("POST", "/actors", user="jdoe", json={"image": "x", "privileged": False})

    assert "privileged actors" in api.refusal(
        "POST", "/actors", user="jdoe", data={"image": "x", "privileged": "false"}
    )


@pytest.mark.parametrize("queue", ["nowhere", "", None])
def test_an_unknown_queue_is_refused(api: Api, queue: str | None) -> None:
    """spec: http-api #39"""
    assert api.refusal("POST", "/actors", json={"image": "x", "queue": queue}) == f"{UNABLE} Invalid queue name."


def test_hints_are_a_list_of_plain_words(api: Api) -> None:
    """spec: http-api #40"""
    repeated = api.result("POST", "/actors", data=[("image", "x"), ("hints", "a"), ("hints", "b")])
    listed = api.result("POST", "/actors", json={"image": "x", "hints": ["a", 5]})
    absent = api.result("POST", "/actors", json={"image": "x", "hints": None})

    assert (repeated["hints"], listed["hints"], absent["hints"]) == (["a", "b"], ["a", "5"], [])
    message = api.refusal("POST", "/actors", json={"image": "x", "hints": ["{a}"]})
    assert message == (f"{UNABLE} Hints must be simple stings or numbers, no lists or dicts. Error character: {{")


def test_names_are_not_unique_and_ids_are(api: Api) -> None:
    """spec: http-api #41"""
    first, second = (api.result("POST", "/actors", json={"image": "x", "name": "n"}) for _ in range(2))

    assert first["name"] == second["name"]
    assert first["id"] != second["id"]


def test_computed_and_unknown_fields_are_ignored_and_a_status_is_honoured(api: Api) -> None:
    """spec: http-api #42, #43"""
    body = {"image": "x", "owner": "me", "revision": 7, "id": "z", "status": "READY", "whatever": 1}

    actor = api.result("POST", "/actors", json=body)

    assert (actor["owner"], actor["revision"], actor["status"]) == ("admin", 1, "READY")
    assert actor["id"] != "z"


def test_log_ex_is_an_integer_whatever_form_it_came_in(api: Api) -> None:
    """spec: http-api #46"""
    field = api.name("log_ex")

    assert api.result("POST", "/actors", data={"image": "x", field: "16000"})[field] == 16000


@pytest.mark.parametrize("value", ["x", "", "2.7", {}, "9" * 5000])
def test_what_is_no_integer_is_refused(api: Api, value: Any) -> None:
    field = api.name("log_ex")

    message = api.refusal("POST", "/actors", json={"image": "x", field: value})

    assert message.startswith(f"Invalid actor description: {{'{field}': ")


@pytest.mark.parametrize("body", [b"", b"{", b'{"image": }', b"\xff"])
def test_malformed_json_says_that_it_cannot_be_processed(api: Api, body: bytes) -> None:
    """spec: http-api #28"""
    message = api.refusal("POST", "/actors", data=body, headers={"Content-Type": "application/json"})

    assert message == f"{UNABLE} The browser (or proxy) sent a request that this server could not understand."


@pytest.mark.parametrize("body", [5, True, "text", ["x"], [[1, 2]]])
def test_json_of_the_wrong_kind_says_that_it_cannot_be_processed(api: Api, body: Any) -> None:
    message = api.refusal("POST", "/actors", json=body)

    assert message == "Invalid actor description: Unable to process the JSON description."


def test_who_registers_an_actor_may_do_everything_with_it(api: Api) -> None:
    """spec: http-api #44"""
    actor = api.actor(user="jdoe")

    assert api.result("GET", f"/actors/{actor}/permissions", user="jdoe") == {"jdoe": "UPDATE"}


def test_a_list_shows_what_its_reader_may_read_oldest_first(api: Api) -> None:
    """spec: http-api #47"""
    mine = [api.actor(user="jdoe"), api.actor(user="jdoe")]
    api.actor(user="admin")

    assert [found["id"] for found in api.result("GET", "/actors", user="jdoe")] == mine


def test_a_word_that_is_no_id_is_not_found_by_anybody(api: Api) -> None:
    """spec: http-api #50"""
    for user in ("admin", "jdoe"):
        assert api.refusal("GET", "/actors/a-word", 404, user=user) == "Actor with identifier 'a-word' not found"


def test_a_deleted_actor_is_gone_in_each_callers_words(api: Api) -> None:
    """spec: http-api #51, #66, #67"""
    actor = api.actor(user="jdoe")

    response = api.send("DELETE", f"/actors/{actor}", user="jdoe")

    assert (response.json()["message"], response.json()["result"]) == ("Actor deleted successfully.", None)
    assert api.refusal("GET", f"/actors/{actor}", 404) == f"No actor found with identifier: {actor}."
    missing = f"Actor TACC-PROD_{actor} does not exist"
    assert api.refusal("GET", f"/actors/{actor}", user="jdoe") == missing
    assert api.refusal("DELETE", f"/actors/{actor}", user="jdoe") == missing
    assert api.result("DELETE", f"/actors/{actor}") is None
    assert api.refusal("GET", f"/actors/{actor}/messages", 404) == f"No actor found with id: {actor}."


def test_an_image_that_cannot_be_had_ends_in_error_with_the_reason(api: Api) -> None:
    """spec: http-api #62; spec: execution #55"""
    actor = api.result("POST", "/actors", json={"image": "no/such:image"})["id"]

    with pytest.raises(TimeoutError):
        api.handle(actor).wait()

    message = api.handle(actor).details["status_message"]
    assert message.startswith(
        "Spawner got an exception from call to start_worker. Exception:Error pulling image no/such:image - exception: "
    )


def test_a_ready_actor_has_a_blank_status_message(api: Api) -> None:
    """spec: http-api #63; spec: execution #54"""
    assert api.handle(api.actor()).details["status_message"] == " "


def test_no_permission_is_a_refusal_and_the_admin_needs_none(api: Api) -> None:
    """spec: http-api #124, #128"""
    actor = api.actor(user="admin")

    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/messages"),
        ("POST", "/messages"),
        ("GET", "/executions"),
    ):
        message = api.refusal(method, f"/actors/{actor}{path}", user="jdoe")
        assert message == "Not authorized -- you do not have access to this actor."
    theirs = api.actor(user="jdoe")
    assert api.result("GET", f"/actors/{theirs}")["owner"] == "jdoe"


@pytest.mark.parametrize("field", ["image", "name", "status", "status_message", "description"])
def test_half_of_a_surrogate_pair_is_no_text(api: Api, field: str) -> None:
    body = f'{{"image": "x", "{api.name(field)}": "\\ud800"}}'.encode()

    message = api.refusal("POST", "/actors", data=body, headers={"Content-Type": "application/json"})

    assert message.startswith("Invalid actor description: Unable to process the JSON description.")


def test_an_actor_registered_in_error_stays_there_and_its_messages_wait(api: Api) -> None:
    actor = api.result("POST", "/actors", json={"image": "echo", "status": "ERROR"})["id"]
    execution = api.handle(actor).send("m")
    other = api.actor()  # its ring comes after the other's

    assert api.run(other).status == "COMPLETE"
    assert (api.handle(actor).status, execution.status) == ("ERROR", "SUBMITTED")
    assert api.result("GET", f"/actors/{actor}/messages")["messages"] == 1
