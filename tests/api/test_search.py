"""Searches over HTTP; what each operator does with each kind of value is in tests/abaco/test_search.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from abacito.abaco.container import ContainerEnd, ContainerSpec
from abacito.abaco.ports import Container
from abacito.containers.stub import StubRunner
from tests.api.conftest import Api
from tests.api.test_actors import FIELDS, MILLISECONDS
from tests.api.test_workers import FIELDS as SHOWN_OF_WORKERS
from tests.api.test_workers import eventually, staffed, statuses

TENANT = "TACC-PROD"
UNKNOWN = "no/such:image"
EXECUTION_FIELDS = {
    "_links",
    "actor_id",
    "cpu",
    "executor",
    "exit_code",
    "final_state",
    "finish_time",
    "id",
    "io",
    "message_received_time",
    "runtime",
    "start_time",
    "status",
    "worker_id",
}
WORKER_FIELDS = SHOWN_OF_WORKERS - {"tenant"} | {"actor_id"}

BAD_DATE = (
    "Inputted datetime was in an incorrect format. Please refer to docs and follow ISO 8601 formatting. "
    "e.g. '2020-05-01T14:45:41.591Z'"
)
NOT_TWO = "Between must have two variables seperated by a comma. Ex. io.between=20,40"
NOT_BOUNDS = "The values given to .between should be either float or ISO 8601 datetime."
MONGO = "pymongo.errors.OperationFailure"

Arguments = Mapping[str, Any] | Sequence[tuple[str, str]]


class Measuring(StubRunner):
    """Its containers all end with the same figures: 2.5 s, 5 ns of CPU time, 30 bytes received."""

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Container:
        return _Measured(super().create(spec, on_result))


class _Measured:
    def __init__(self, container: Container) -> None:
        self._container = container

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        end = self._container.wait(timeout_s)
        return end and replace(end, runtime_s=2.5, cpu_ns=5, io_bytes=30)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)


def search(api: Api, what: str, arguments: Arguments = (), user: str = "admin") -> dict[str, Any]:
    """The result of a search: through a type, or below the path of a list."""
    path = what if what.startswith("/") else f"/actors/search/{what}"
    return dict(api.result("GET", path, params=arguments, user=user))


def found(api: Api, what: str, arguments: Arguments = (), user: str = "admin") -> list[str]:
    """The names or, where there are none, the ids of what is found."""
    return [record.get("name") or record["id"] for record in search(api, what, arguments, user)["search"]]


def total(api: Api, what: str, arguments: Arguments = (), user: str = "admin") -> int:
    return int(search(api, what, arguments, user)["_metadata"][api.name("total_count")])


def registered(api: Api, name: str, image: str = UNKNOWN, user: str = "admin", **fields: Any) -> str:
    """The id of an actor whose image nobody waits for."""
    body = {"image": image, "name": name, **{api.name(field): value for field, value in fields.items()}}
    return str(api.result("POST", "/actors", json=body, user=user)["id"])


def one_of_three_done(api: Api, actor: str = "A", **variables: str) -> tuple[str, str]:
    """An actor and its first execution, which is COMPLETE with cpu 5 and io 30; two more are SUBMITTED and stay so."""
    runner = Measuring()
    runner.register("measured", lambda context: print("said"))
    with api.running_on(runner):
        identifier = registered(api, actor, "measured")
        handle = api.handle(identifier).wait()
        done = handle.send("m", **variables).wait()
        api.result("PUT", f"/actors/{identifier}", json={"image": UNKNOWN})
        handle.wait("ERROR")
        for _ in range(2):
            handle.send("m")
    return identifier, str(done.id)


# Pages.


def test_a_search_shows_a_hundred_and_counts_all(api: Api) -> None:
    """spec: http-api-more #64"""
    for name in ("a", "b"):
        registered(api, name)

    response = api.send("GET", "/actors/search/actors").json()

    assert response["message"] == "Search completed successfully."
    assert response["result"]["_metadata"] == {
        api.name("total_count"): 2,
        api.name("records_skipped"): 0,
        api.name("record_limit"): 100,
        api.name("count_returned"): 2,
    }
    assert found(api, "actors") == ["a", "b"]


def test_an_actor_is_found_with_all_its_fields_nulls_too_and_nothing_hidden(api: Api) -> None:
    """spec: http-api-more #64"""
    registered(api, "a")

    [record] = search(api, "actors")["search"]

    assert set(record) == {api.name(field) for field in FIELDS}
    assert record[api.name("log_ex")] is None
    assert {"_id", "permissions", "tenant", api.name("api_server"), "executions", api.name("db_id")} & set(record) == (
        set()
    )


@pytest.mark.parametrize(
    ("arguments", "skipped", "limit", "names"),
    [
        ({"skip": "4", "limit": "23"}, 4, 23, "EFGHIJ"),
        ({"limit": "3"}, 0, 3, "ABC"),
        ({"skip": "8", "limit": "1"}, 8, 1, "I"),
        ({"skip": "9"}, 9, 100, "J"),
        ({"skip": "10", "limit": "1"}, 10, 1, ""),
        ({"skip": "11"}, 11, 100, ""),
        ({"limit": "0"}, 0, 0, ""),
        ({"limit": "0", "skip": "3"}, 3, 0, ""),
    ],
    ids=str,
)
def test_a_page_is_cut_from_ten_in_order_of_creation(
    api: Api, arguments: dict[str, str], skipped: int, limit: int, names: str
) -> None:
    """spec: http-api-more #65, #66"""
    for name in "ABCDEFGHIJ":
        registered(api, name)

    for more in ({}, {"name.like": "^[A-J]$"}):  # with and without anything to filter by
        result = search(api, "actors", {**arguments, **more})

        metadata = {"total_count": 10, "records_skipped": skipped, "record_limit": limit, "count_returned": len(names)}
        assert result["_metadata"] == {api.name(name): value for name, value in metadata.items()}
        assert "".join(record["name"] for record in result["search"]) == names


def test_executions_are_paged_in_order_of_their_messages(api: Api) -> None:
    actor = registered(api, "A")
    executions = [api.handle(actor).send("m").id for _ in range(5)]

    for path in ("executions", f"/actors/{actor}/executions"):
        for more in ({}, {"status": "SUBMITTED"}):
            assert found(api, path, {"skip": "1", "limit": "3", **more}) == executions[1:4]
            assert total(api, path, {"skip": "1", "limit": "3", **more}) == 5
            assert found(api, path, {"limit": "0", **more}) == []
            assert found(api, path, {"skip": "5", **more}) == []


def test_the_total_counts_what_matches_before_the_page_is_cut(api: Api) -> None:
    for name in ("a1", "b1", "a2", "a3"):
        registered(api, name)

    result = search(api, "actors", {"name.like": "^a", "skip": "1", "limit": "1"})

    assert [record["name"] for record in result["search"]] == ["a2"]
    assert result["_metadata"][api.name("total_count")] == 3
    assert result["_metadata"][api.name("count_returned")] == 1


def test_of_a_repeated_argument_the_first_counts(api: Api) -> None:
    for name in ("a", "b"):
        registered(api, name)

    assert found(api, "actors", [("name", "a"), ("name", "b")]) == ["a"]
    assert found(api, "actors", [("limit", "1"), ("limit", "x")]) == ["a"]


# Refusals.


@pytest.mark.parametrize(
    ("argument", "text", "class_name", "message"),
    [
        ("limit", "abc", "ValueError", 'Inputted "limit" paramater must be an int. Received: abc'),
        ("limit", "1.5", "ValueError", 'Inputted "limit" paramater must be an int. Received: 1.5'),
        ("limit", "-1", "ValueError", 'Inputted "limit" must be positive. Received: -1'),
        ("skip", "abc", "ValueError", 'Inputted "skip" paramater must be an int. Received: abc'),
        ("skip", "-1", "ValueError", 'Inputted "skip" must be positive. Received: -1'),
        ("create_time", "yesterday", "ValueError", BAD_DATE),
        ("create_time.between", "2000-01-01", "ValueError", NOT_TWO),
        ("io.between", "20", "TypeError", "argument of type 'float' is not iterable"),
        ("io.between", "few,many", "ValueError", NOT_BOUNDS),
        ("io.between", "[20, 40]", "ValueError", NOT_BOUNDS),
        ("status.in", "COMPLETE", MONGO, "$in needs an array"),
        ("status.nin", "COMPLETE", MONGO, "$in needs an array"),
    ],
)
def test_a_value_that_no_search_can_have_is_refused_with_500_wherever_one_searches(
    api: Api, argument: str, text: str, class_name: str, message: str
) -> None:
    """spec: http-api-more #67, #73"""
    actor = registered(api, "A")
    execution = api.handle(actor).send("m").id
    lists = ["/actors", f"/actors/{actor}/executions", f"/actors/{actor}/workers"]
    types = [f"/actors/search/{kind}" for kind in ("actors", "executions", "workers", "logs")]

    for path in (*lists, *types, f"/actors/{actor}/executions/{execution}/logs"):
        refusal = api.refusal("GET", path, 500, params={argument: text})
        assert refusal == f"Unrecognized exception type: <class '{class_name}'>. Exception: {message}"


def test_a_pattern_that_is_none_is_refused_with_500(api: Api) -> None:
    refusal = api.refusal("GET", "/actors/search/actors", 500, params={"image.like": "("})

    assert refusal.startswith(f"Unrecognized exception type: <class '{MONGO}'>. Exception: ")


def test_an_unknown_type_is_refused_with_abacos_braces(api: Api) -> None:
    """spec: http-api-more #68"""
    for kind in ("nonces", "actor"):
        assert api.refusal("GET", f"/actors/search/{kind}", 500) == (
            "Unrecognized exception type: <class 'KeyError'>. Exception: "
            "'Inputted search_type is invalid, must be one of {list(store_dict.keys())}.'"
        )


@pytest.mark.parametrize("kind", ["ACTORS", "Executions", "wOrKeRs", "LOGS"])
def test_a_type_goes_by_its_name_in_any_case(api: Api, kind: str) -> None:
    assert search(api, kind)["search"] == []


def test_a_search_is_a_get(api: Api) -> None:
    for method in ("POST", "PUT", "DELETE"):
        api.refusal(method, "/actors/search/actors", 405)


# Operators.


def test_an_image_splits_the_actors_in_two(api: Api) -> None:
    """spec: http-api-more #69"""
    for name, image in (("A", "abacosamples/py3_func"), ("B", "abacosamples/test"), ("C", "busybox")):
        registered(api, name, image)

    assert found(api, "actors", {"image": "busybox"}) == ["C"]
    assert found(api, "actors", {"image.eq": "busybox"}) == ["C"]
    assert found(api, "actors", {"image.neq": "busybox"}) == ["A", "B"]
    assert found(api, "actors", {"image.like": "^abaco.*func"}) == ["A"]
    assert found(api, "actors", {"image.nlike": "^abaco.*func"}) == ["B", "C"]
    assert found(api, "actors", {"image.like": "samples", "name": "B"}) == ["B"]


def test_a_status_is_one_of_a_list_or_none_of_it(api: Api) -> None:
    """spec: http-api-more #70"""
    _, done = one_of_three_done(api)

    listed = '["COMPLETE","READY"]'
    assert found(api, "executions", {"status.in": listed}) == [done]
    assert found(api, "executions", {"status.in": listed.replace('"', "'")}) == [done]
    others = found(api, "executions", {"status.nin": listed})
    assert len(others) == 2
    assert done not in others
    assert found(api, "actors", {"status.in": listed}) == []
    assert found(api, "actors", {"status.nin": listed}) == ["A"]


@pytest.mark.parametrize("field", ["final_state.StartedAt", "final_state.FinishedAt", "start_time", "finish_time"])
def test_a_time_of_the_end_is_compared_with_dates(api: Api, field: str) -> None:
    """spec: http-api-more #71"""
    _, done = one_of_three_done(api)

    for early in ("2000-05:00", "2000-01-01T01:00:00.000Z", "2000-01-01T01:00+01:00", "2000-01-01T"):
        assert found(api, "executions", {f"{field}.gt": early}) == [done]
        assert found(api, "executions", {f"{field}.lt": early}) == []
    assert found(api, "executions", {f"{field}.lt": "2200"}) == [done]
    assert total(api, "executions", {f"{field}": "none"}) == 2


def test_all_executions_were_received_between_two_dates(api: Api) -> None:
    """spec: http-api-more #72"""
    one_of_three_done(api)

    def between(low: str, high: str) -> int:
        return total(api, "executions", {"message_received_time.between": f"{low},{high}"})

    assert between("2000-01-01T01:00", "2200-12-30T23:59:59.999Z") == 3
    assert between("2200-01-01", "2200-12-30T23:59:59.999Z") == 0


def test_a_time_is_found_by_what_is_shown_of_it(api: Api) -> None:
    _, done = one_of_three_done(api)
    [record] = search(api, "executions", {"status": "COMPLETE"})["search"]

    for name in ("start_time", "finish_time", "message_received_time"):
        shown = record[api.name(name)]
        assert re.match(MILLISECONDS, shown)
        last = f"{shown[:-1]}999Z"  # what is stored may be finer
        assert found(api, "executions", {f"{name}.between": f"{shown},{last}"}) == [done]


def test_all_actors_were_created_between_two_dates(api: Api) -> None:
    """spec: http-api-more #73"""
    registered(api, "A")

    assert found(api, "actors", {"create_time.between": "2000-01-01,2200-01-01"}) == ["A"]
    assert found(api, "actors", {"create_time.between": "2000-01-01,2001-01-01"}) == []
    assert found(api, "actors", {"last_update_time.gte": "2000"}) == ["A"]


def test_figures_are_compared_as_numbers(api: Api) -> None:
    """spec: http-api-more #74"""
    _, done = one_of_three_done(api)

    for argument, text in (
        ("io.between", "20,40"),
        ("io.between", "30,30"),
        ("io.gt", "29.5"),
        ("cpu", "5"),
        ("cpu", "5.0"),
        ("exit_code", "0"),
        ("final_state.ExitCode", "0"),
    ):
        assert found(api, "executions", {argument: text}) == [done]
    assert total(api, "executions", {"io.between": "31,40"}) == 0
    assert total(api, "executions", {"cpu.neq": "5"}) == 2
    assert total(api, "executions", {"io.lte": "0"}) == 2


def test_texts_filter_when_searched_exactly_and_else_rank(api: Api) -> None:
    """spec: http-api-more #75"""
    for name, image in (("A", "abacosamples/echo"), ("B", "abacosamples/sleep_loop"), ("C", "busybox")):
        registered(api, name, image)

    assert found(api, "actors", {"exactsearch": "abacosamples/sleep_loop"}) == ["B"]
    assert found(api, "actors", {"exactsearch": "NOTATHINGWORD"}) == []
    assert found(api, "actors", {"search": "sleep_loop"}) == ["B", "A", "C"]
    assert found(api, "actors", {"search": "sleep_loop", "limit": "1"}) == ["B"]
    assert total(api, "actors", {"search": "NOTATHINGWORD"}) == 3
    assert found(api, "actors", {"search": "-sleep_loop"}) == ["A", "C"]
    assert found(api, "actors", {"exactsearch": "samples", "search": "sleep_loop", "name.neq": "C"}) == ["B", "A"]


def test_a_text_of_digits_or_a_constants_name_is_found_in_quotes(api: Api) -> None:
    """spec: http-api-more #81"""
    for name in ("123", "true"):
        registered(api, name)

    assert found(api, "actors", {"name": "123"}) == []
    assert found(api, "actors", {"name": '"123"'}) == ["123"]
    assert found(api, "actors", {"name": "true"}) == []
    assert found(api, "actors", {"name": "'true'"}) == ["true"]


def test_a_defaulted_token_is_a_text(api: Api) -> None:
    registered(api, "defaulted")
    registered(api, "given", token=True)

    assert found(api, "actors", {"token": "true"}) == ["given"]
    assert found(api, "actors", {"token": '"true"'}) == ["defaulted"]


def test_lists_and_nested_fields_are_gone_into(api: Api) -> None:
    registered(api, "A", hints=["x", "y"], default_environment={"my_key": "v"})
    registered(api, "B")

    assert found(api, "actors", {"hints": "y"}) == ["A"]
    assert found(api, "actors", {"hints.neq": "y"}) == ["B"]
    assert found(api, "actors", {"default_environment.my_key": "v"}) == ["A"]
    assert found(api, "actors", {"_links.owner": f"{api.emulator.url}/profiles/v2/admin"}) == []


def test_an_object_is_a_literal_and_no_condition(api: Api) -> None:
    registered(api, "A")

    assert found(api, "actors", {"name": '{"$gt": ""}'}) == []


def test_an_actor_goes_by_its_stored_and_by_its_shown_id(api: Api) -> None:
    one, other = registered(api, "A"), registered(api, "B")
    execution = api.handle(one).send("m").id
    api.handle(other).send("m")

    assert found(api, "actors", {"_id": f"{TENANT}_{one}"}) == ["A"]
    assert found(api, "actors", {"db_id": f"{TENANT}_{one}"}) == ["A"]
    assert found(api, "actors", {"id": one}) == ["A"]
    assert total(api, "actors", {"tenant": TENANT}) == 2
    for identifier in (one, f"{TENANT}_{one}"):
        assert found(api, "executions", {"actor_id": identifier}) == [execution]


# Names in either case.


def test_metadata_and_fields_are_in_the_instances_case(api: Api) -> None:
    """spec: http-api-more #80"""
    registered(api, "A", default_environment={"my_key": "v"})

    result = search(api, "actors")

    wanted = {
        "camel": ["countReturned", "recordLimit", "recordsSkipped", "totalCount"],
        "snake": ["count_returned", "record_limit", "records_skipped", "total_count"],
    }
    assert sorted(result["_metadata"]) == wanted[api.case]
    assert result["search"][0][api.name("default_environment")] == {"my_key": "v"}


@pytest.mark.parametrize(
    ("camel", "snake", "text"),
    [
        ("messageReceivedTime.gt", "message_received_time.gt", "2000"),
        ("finalState.StartedAt.gt", "final_state.StartedAt.gt", "2000"),
        ("exitCode", "exit_code", "0"),
        ("workerId.neq", "worker_id.neq", "none"),
    ],
)
def test_camel_instances_take_both_spellings_of_an_argument(api: Api, camel: str, snake: str, text: str) -> None:
    """spec: http-api-more #80"""
    _, done = one_of_three_done(api)

    assert done in found(api, "executions", {snake: text})
    if api.case == "camel":
        assert found(api, "executions", {camel: text}) == found(api, "executions", {snake: text})


# Lists that become searches.


def test_a_list_of_actors_that_is_asked_anything_is_a_search(api: Api) -> None:
    """spec: http-api #49; spec: http-api-more #76"""
    mine = registered(api, "A")
    registered(api, "B")

    plain = api.send("GET", "/actors").json()
    asked = api.send("GET", "/actors?limit=1").json()

    assert (plain["message"], isinstance(plain["result"], list)) == ("Actors retrieved successfully.", True)
    assert asked["message"] == "Actors search completed successfully."
    assert [record["id"] for record in asked["result"]["search"]] == [mine]
    for query in ("anything=1", "pretty=true", "anything="):
        result = api.result("GET", f"/actors?{query}")
        assert (set(result), result["search"]) == ({"_metadata", "search"}, [])


def test_an_actors_lists_that_are_asked_anything_are_searches(api: Api) -> None:
    """spec: http-api-more #77"""
    actor, done = one_of_three_done(api)
    registered(api, "B")

    answers = {
        path: api.send("GET", f"/actors/{actor}/{path}").json()
        for path in ("executions?status=COMPLETE", "workers?limit=5", f"executions/{done}/logs?limit=5")
    }

    executions, workers, logs = answers.values()
    assert executions["message"] == "Executions search completed successfully."
    assert [record["id"] for record in executions["result"]["search"]] == [done]
    assert workers["message"] == "Workers search completed successfully."
    assert workers["result"]["_metadata"][api.name("record_limit")] == 5
    assert logs["message"] == "Log search completed successfully."
    assert [record["logs"] for record in logs["result"]["search"]] == ["said\n"]


def test_a_list_searches_one_actor_only(api: Api) -> None:
    one, other = registered(api, "A"), registered(api, "B")
    executions = {actor: api.handle(actor).send("m").id for actor in (one, other)}

    assert found(api, f"/actors/{one}/executions", {"limit": "9"}) == [executions[one]]
    assert found(api, f"/actors/{other}/executions", {"status": "SUBMITTED"}) == [executions[other]]
    assert found(api, "executions") == list(executions.values())


def test_an_argument_actor_id_replaces_the_actor_of_the_path(api: Api) -> None:
    one, other = registered(api, "A"), registered(api, "B")
    execution = api.handle(other).send("m").id

    for name in {"actor_id", api.name("actor_id")}:
        assert found(api, f"/actors/{one}/executions", {name: f"{TENANT}_{other}"}) == [execution]


def test_an_argument_actor_id_finds_another_actors_log_too(api: Api) -> None:
    actor, done = one_of_three_done(api)
    other = registered(api, "B")
    path = f"/actors/{other}/executions/{done}/logs"

    assert total(api, path, {"limit": "1"}) == 0
    assert total(api, path, {"actor_id": f"{TENANT}_{actor}"}) == 1
    assert total(api, f"/actors/{other}/executions/nope/logs", {"actor_id": f"{TENANT}_{actor}"}) == 0


def test_a_search_below_an_alias_is_one_of_its_actor(api: Api) -> None:
    actor, done = one_of_three_done(api)
    api.result("POST", "/actors/aliases", json={"alias": "jane", api.name("actor_id"): actor})
    with_worker = api.actor(stateless=False)
    api.result("POST", "/actors/aliases", json={"alias": "joe", api.name("actor_id"): with_worker})

    assert found(api, "/actors/jane/executions", {"status": "COMPLETE"}) == [done]
    assert total(api, "/actors/jane/executions", {"limit": "1"}) == 3
    assert total(api, f"/actors/jane/executions/{done}/logs", {"limit": "1"}) == 1
    assert total(api, "/actors/joe/workers", {"limit": "1"}) == 1


def test_below_an_actor_that_is_not_there_an_admin_finds_nothing_and_nobody_else_is_let_in(api: Api) -> None:
    actor = registered(api, "A", user="jdoe")
    execution = api.handle(actor, "jdoe").send("m").id
    api.result("DELETE", f"/actors/{actor}")

    for path in ("executions", "workers", f"executions/{execution}/logs"):
        assert total(api, f"/actors/{actor}/{path}", {"limit": "1"}) == 0
        refusal = api.refusal("GET", f"/actors/{actor}/{path}", params={"limit": "1"}, user="jdoe")
        assert refusal == f"Actor {TENANT}_{actor} does not exist"


def test_only_who_may_read_an_actor_searches_below_it(api: Api) -> None:
    actor = registered(api, "A")

    for path in ("executions", "workers", "executions/x/logs"):
        refusal = api.refusal("GET", f"/actors/{actor}/{path}", params={"limit": "1"}, user="jdoe")
        assert refusal == "Not authorized -- you do not have access to this actor."


def test_a_nonce_searches_below_its_actor_and_nowhere_else(api: Api) -> None:
    actor, done = one_of_three_done(api)
    nonce = api.result("POST", f"/actors/{actor}/nonces", json={"level": "READ"})["id"]

    asked = {"status": "COMPLETE", "x-nonce": nonce}
    result = api.result("GET", f"/actors/{actor}/executions", user=None, params=asked)
    lone = api.result("GET", f"/actors/{actor}/executions", user=None, params={"x-nonce": nonce})

    assert [record["id"] for record in result["search"]] == [done]
    assert len(lone["executions"]) == 3
    assert api.refusal("GET", "/actors", user=None, params=asked) == "Not authorized."
    assert api.refusal("GET", "/actors/search/actors", 404, user=None, params=asked) == (
        "'x-nonce' query parameter on the '/actors/search/{database}' endpoint does not resolve."
    )


# Who finds what.


def test_a_stranger_finds_nothing_and_an_admin_only_his_own(api: Api) -> None:
    """spec: http-api-more #78"""
    one_of_three_done(api, "theirs")
    registered(api, "mine", user="jdoe")

    for kind in ("actors", "executions", "workers", "logs"):
        assert total(api, kind, user="privileged") == 0
    assert found(api, "actors", user="jdoe") == ["mine"]
    assert found(api, "actors") == ["theirs"]
    assert (total(api, "executions", user="jdoe"), total(api, "executions")) == (0, 3)


def test_a_search_asks_for_a_role(api: Api) -> None:
    refusal = api.refusal("GET", "/actors/search/actors", user="nobody")

    assert refusal == "Not authorized -- missing required role."


@pytest.mark.parametrize("level", ["NONE", "READ", "EXECUTE", "UPDATE"])
def test_an_entry_of_any_level_makes_all_of_an_actor_searchable(api: Api, level: str) -> None:
    actor, done = one_of_three_done(api)
    other = api.actor(name="B", stateless=False)
    for each in (actor, other):
        api.result("POST", f"/actors/{each}/permissions", json={"user": "jdoe", "level": level})

    assert found(api, "actors", user="jdoe") == ["A", "B"]
    assert found(api, "executions", {"status": "COMPLETE"}, user="jdoe") == [done]
    assert total(api, "workers", user="jdoe") == 1
    assert [record["logs"] for record in search(api, "logs", user="jdoe")["search"]] == ["said\n"]


def test_the_world_is_not_named_after_anybody(api: Api) -> None:
    actor = registered(api, "A")
    api.result("POST", f"/actors/{actor}/permissions", json={"user": "ABACO_WORLD", "level": "UPDATE"})
    execution = api.handle(actor).send("m").id

    assert [each["id"] for each in api.result("GET", "/actors", user="jdoe")] == [actor]
    assert found(api, "actors", user="jdoe") == []
    assert total(api, f"/actors/{actor}/executions", {"limit": "1"}, user="jdoe") == 0
    assert total(api, f"/actors/{actor}/executions/{execution}/logs", {"limit": "1"}, user="jdoe") == 0


def test_another_tenant_is_another_world(api: Api) -> None:
    ours, theirs = registered(api, "ours"), registered(api, "theirs", user="far")
    for actor, user in ((ours, "admin"), (theirs, "far")):
        permission = {"user": "far" if user == "admin" else "admin", "level": "UPDATE"}
        api.result("POST", f"/actors/{actor}/permissions", json=permission, user=user)
    execution = api.result("POST", f"/actors/{theirs}/messages", data={"message": "m"}, user="far")

    assert found(api, "actors") == ["ours"]
    assert found(api, "actors", user="far") == ["theirs"]
    [record] = search(api, "executions", user="far")["search"]
    assert record["id"] == execution[api.name("execution_id")]
    assert record[api.name("actor_id")] == theirs  # though the tenant's name has an underscore
    assert found(api, "actors", {"db_id": f"OTHER_TENANT_{theirs}"}, user="far") == ["theirs"]


def test_what_a_deleted_actor_leaves_is_not_found(api: Api) -> None:
    """spec: http-api-more #82"""
    actor = api.actor(lambda context: print("said"), stateless=False)
    api.run(actor)
    kept, _ = one_of_three_done(api, "kept")
    counts = {kind: total(api, kind) for kind in ("actors", "executions", "workers", "logs")}

    api.result("DELETE", f"/actors/{actor}")

    assert counts == {"actors": 2, "executions": 4, "workers": 1, "logs": 2}
    assert {kind: total(api, kind) for kind in counts} == {"actors": 1, "executions": 3, "workers": 0, "logs": 1}
    assert found(api, "actors") == ["kept"]
    assert {record[api.name("actor_id")] for record in search(api, "executions")["search"]} == {kept}


# Shapes.


def test_an_execution_is_found_with_all_its_fields(api: Api) -> None:
    actor, done = one_of_three_done(api)

    records = search(api, "executions")["search"]

    assert all(set(record) == {api.name(field) for field in EXECUTION_FIELDS} for record in records)
    first, second, _ = records
    assert (first["id"], first[api.name("actor_id")], first["executor"]) == (done, actor, "admin")
    assert (first["cpu"], first["io"], first[api.name("exit_code")]) == (5, 30, 0)
    assert first[api.name("final_state")]["ExitCode"] == 0
    assert re.match(MILLISECONDS, first[api.name("final_state")]["StartedAt"])
    assert (second["status"], second[api.name("worker_id")], second[api.name("start_time")]) == (
        "SUBMITTED",
        None,
        None,
    )
    url = f"{api.emulator.url}/actors/v2/{actor}"
    assert first["_links"] == {  # the link to the logs is Abaco's own mistake
        "self": f"{url}/executions/{done}",
        "owner": f"{api.emulator.url}/profiles/v2/admin",
        "logs": f"{url}/logs",
    }


def test_a_worker_that_is_up_is_found_with_all_its_fields(api: Api) -> None:
    actor = staffed(api, 1)

    [before] = search(api, "workers")["search"]
    api.run(actor)
    eventually(lambda: statuses(api, actor), ["READY"])
    [after] = search(api, f"/actors/{actor}/workers", {"limit": "5"})["search"]

    for record in (before, after):
        assert set(record) == {api.name(field) for field in WORKER_FIELDS}
        assert record[api.name("actor_id")] == actor
        assert record[api.name("ch_name")] == f"worker_{record['id']}"
    assert before[api.name("last_execution_time")] == 0
    assert re.match(MILLISECONDS, after[api.name("last_execution_time")])
    assert found(api, "workers", {"last_execution_time.gt": "2000"}) == [after["id"]]


def test_a_log_is_found_with_its_text_and_three_links_until_it_expires(api: Api) -> None:
    """spec: http-api-more #79"""
    short = api.actor(lambda context: print("short"), log_ex=60)
    long = api.actor(lambda context: print("long"), log_ex=600)
    execution = api.run(short).id
    api.run(long)

    records = search(api, "logs")["search"]
    api.emulator.clock.travel(timedelta(seconds=61))
    after = search(api, "logs")["search"]

    url = f"{api.emulator.url}/actors/v2/{short}/executions/{execution}"
    assert records[0] == {
        "logs": "short\n",
        "_links": {"self": f"{url}/logs", "owner": f"{api.emulator.url}/profiles/v2/admin", "execution": url},
    }
    assert [record["logs"] for record in after] == ["long\n"]
    assert total(api, f"/actors/{short}/executions/{execution}/logs", {"limit": "1"}) == 0
    assert total(api, "executions") == 2


def test_each_finished_execution_has_a_log_even_an_empty_one(api: Api) -> None:
    actor = api.actor(lambda context: None)
    executions = [api.run(actor).id for _ in range(2)]

    assert [record["logs"] for record in search(api, "logs")["search"]] == ["", ""]
    assert total(api, "logs", {"_id": executions[0]}) == 1


# Worked examples.


def test_the_worked_example_of_an_actor(api: Api) -> None:
    api.emulator.stub(print, "abacosamples/py3_func")
    actor = registered(api, "f", "abacosamples/py3_func")
    created = api.handle(actor).wait().details
    registered(api, "g")

    result = search(api, "actors", {"image.like": "py3_func", "limit": "2"})

    url = f"{api.emulator.url}/actors/v2/{actor}"
    absent = ("gid", "uid", "tasdir", "cron_schedule", "cron_next_ex", "log_ex", "max_workers", "max_cpus", "mem_limit")
    record = {
        **{"id": actor, "name": "f", "image": "abacosamples/py3_func", "owner": "admin", "status": "READY"},
        **{"status_message": " ", "stateless": True, "token": "true", "hints": [], "revision": 1, "queue": "default"},
        **{"mounts": [], "create_time": created["create_time"], "last_update_time": created["last_update_time"]},
        **{"cron_on": False, "link": "", "webhook": "", "privileged": False, "description": ""},
        **{"default_environment": {}, "state": {}, "type": "none", "use_container_uid": False},
        **dict.fromkeys(absent),
        "_links": {
            "self": url,
            "owner": f"{api.emulator.url}/profiles/v2/admin",
            "executions": f"{url}/executions",
        },
    }
    metadata = {"count_returned": 1, "record_limit": 2, "records_skipped": 0, "total_count": 1}
    assert result == {
        "_metadata": {api.name(name): value for name, value in metadata.items()},
        "search": [{api.name(name): value for name, value in record.items()}],
    }


@pytest.mark.parametrize(
    ("path", "query", "total_count", "returned"),
    [
        ("/actors", "limit=1", 3, ["A"]),
        ("/actors/search/actors", "skip=3&limit=1", 3, []),
        ("/actors/search/actors", 'name.in=["A","B"]', 2, ["A", "B"]),
        ("/actors/search/actors", "name.neq=A", 2, ["B", "C"]),
        ("/actors/search/actors", "create_time.between=2000-01-01,2200-01-01", 3, ["A", "B", "C"]),
        ("/actors/search/actors", "revision.between=0,5&stateless=true", 3, ["A", "B", "C"]),
        ("/actors/search/executions", "io.between=20,40", 1, ["COMPLETE"]),
        ("/actors/search/executions", "final_state.StartedAt.gt=2000-05:00", 1, ["COMPLETE"]),
        ("/actors/search/executions", 'status.nin=["COMPLETE","READY"]', 2, ["SUBMITTED", "SUBMITTED"]),
        ("/actors/{A}/executions", "status=COMPLETE", 1, ["COMPLETE"]),
        ("/actors/{A}/executions/{e}/logs", "limit=5", 1, ["said\n"]),
    ],
)
def test_the_worked_examples_of_requests(
    api: Api, path: str, query: str, total_count: int, returned: list[str]
) -> None:
    actor, done = one_of_three_done(api, "A")
    for name in ("B", "C"):
        registered(api, name)

    result = api.result("GET", f"{path.format(A=actor, e=done)}?{query}")

    shown = [record.get("name") or record.get("status") or record["logs"] for record in result["search"]]
    asked = dict(part.split("=", 1) for part in query.split("&"))
    assert shown == returned
    assert result["_metadata"] == {
        api.name("total_count"): total_count,
        api.name("count_returned"): len(returned),
        api.name("records_skipped"): int(asked.get("skip", 0)),
        api.name("record_limit"): int(asked.get("limit", 100)),
    }


def test_the_worked_example_of_a_user_without_entries(api: Api) -> None:
    one_of_three_done(api)

    assert total(api, "logs", user="jdoe") == 0
