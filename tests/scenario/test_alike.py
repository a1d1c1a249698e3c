"""Two answers to one request: what makes them differ, and how that is shown."""

from __future__ import annotations

from typing import Any

import pytest

from abacito.scenario.alike import Alike, Unlike
from abacito.scenario.ask import Target
from abacito.scenario.play import StepReport
from abacito.scenario.references import Knowledge

OURS = {"actor": "mOOb5NbQBrEgv", "other": "7YYbV0bxNy0ma", "user": "admin", "host": "http://127.0.0.1:8088"}
THEIRS = {"actor": "R44B7X8z388Po", "other": "Z443Za7gg4RER", "user": "jsmith", "host": "https://api.tacc.cloud"}
NONCE, THEIR_NONCE = "TACC-PROD_pYJOKegBPLl1B", "SD2E_wwwjaj8GEJaWq"

Exchange = tuple[str, Any]


def side(host: str, exchanges: list[Exchange]) -> tuple[Knowledge, list[StepReport]]:
    knowledge = Knowledge(Target(host, "a-secret-token", {"jdoe": "another-secret"}))
    reports = [StepReport(1, 3, request=request, status_code=200, answer=answer) for request, answer in exchanges]
    for report in reports:
        knowledge.learn(report.request, report.answer)
    return knowledge, reports


def unlike(ours: list[Exchange], theirs: list[Exchange]) -> list[Unlike]:
    """The differences of two plays, whose requests are those of ours."""
    (mine, my_reports), (others, their_reports) = side(OURS["host"], ours), side(THEIRS["host"], theirs)
    alike = Alike(mine, others)
    return [found for pair in zip(my_reports, their_reports, strict=True) for found in alike.differences(*pair)]


def answers(request: str, ours: Any, theirs: Any) -> list[Unlike]:
    return unlike([(request, {"result": ours})], [(request, {"result": theirs})])


def an_actor(of: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "id": of["actor"],
        "owner": of["user"],
        "createTime": "2026-11-23T21:12:17.756Z",
        "lastUpdateTime": "2026-11-23T21:12:17.756Z",
        "_links": {
            "self": f"{of['host']}/actors/v2/{of['actor']}",
            "owner": f"{of['host']}/profiles/v2/{of['user']}",
        },
        **changes,
    }


LATER = {"createTime": "2031-02-03T04:05:06.789Z", "lastUpdateTime": "2031-02-03T04:05:06.789Z"}
GET = f"GET /actors/v2/{OURS['actor']}"


def test_ids_hosts_users_and_times_of_two_servers_are_alike() -> None:
    assert answers(GET, an_actor(OURS), an_actor(THEIRS, **LATER)) == []


def test_the_wrong_id_of_two_is_seen_wherever_it_stands() -> None:
    first, second = {"id": OURS["actor"]}, {"id": OURS["other"]}
    theirs = [{"result": {"id": THEIRS["actor"]}}, {"result": {"id": THEIRS["other"]}}]
    told = {"message": f"Actor {OURS['other']} is at /actors/v2/{OURS['other']}."}
    wrong = {"message": f"Actor {THEIRS['other']} is at /actors/v2/{THEIRS['actor']}."}

    found = unlike(
        [("POST /actors/v2", {"result": first}), ("POST /actors/v2", {"result": second}), (GET, told)],
        [("POST /actors/v2", theirs[0]), ("POST /actors/v2", theirs[1]), (GET, wrong)],
    )

    assert found == [
        Unlike(
            "message",
            '"Actor <actor 2> is at /actors/v2/<actor 2>."',
            '"Actor <actor 2> is at /actors/v2/<actor 1>."',
        )
    ]


def test_the_same_id_twice_is_not_like_two() -> None:
    ours = [("POST /actors/v2", {"result": {"id": OURS[name]}}) for name in ("actor", "other")]
    theirs = [("POST /actors/v2", {"result": {"id": THEIRS["actor"]}})] * 2

    assert unlike(ours, theirs) == [Unlike("result.id", '"<actor 2>"', '"<actor 1>"')]
    assert unlike(theirs, ours) == [Unlike("result.id", '"<actor 1>"', '"<actor 2>"')]


def test_that_two_times_of_one_thing_are_the_same_is_compared() -> None:
    theirs = an_actor(THEIRS, lastUpdateTime="2026-11-23T21:12:18.001Z")

    assert answers(GET, an_actor(OURS), theirs) == [Unlike("result.lastUpdateTime", '"<time 1>"', '"<time 2>"')]


def test_that_a_time_has_changed_since_is_compared() -> None:
    updated = {"lastUpdateTime": "2026-11-23T21:13:00.000Z"}
    ours = [(GET, {"result": an_actor(OURS)}), (GET, {"result": an_actor(OURS, **updated)})]
    theirs = [(GET, {"result": an_actor(THEIRS)})] * 2

    assert [found.path for found in unlike(ours, theirs)] == ["result.lastUpdateTime"]


def test_a_time_told_with_more_digits_first_is_the_same() -> None:
    theirs = [
        ("POST /actors/v2", {"result": an_actor(THEIRS, createTime="2026-11-23T21:12:17.756123")}),
        (GET, {"result": an_actor(THEIRS)}),
    ]

    found = unlike([("POST /actors/v2", {"result": an_actor(OURS)}), (GET, {"result": an_actor(OURS)})], theirs)

    assert found == [
        Unlike(
            "result.createTime",
            '"<time 1>" written 0000-00-00T00:00:00.000Z',
            '"<time 1>" written 0000-00-00T00:00:00.000000',
        )
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Mon, 23 Nov 2026 21:12:17 GMT", "Tue, 01 Dec 2026 01:02:03 GMT"),
        ("2026-11-23T21:12:17.756Z", "2031-02-03T04:05:06.789Z"),
        ("it was 2026-11-23 21:12:17", "it was 2031-02-03 04:05:06"),
        ("Tue Nov 24 18:53:36 UTC 2026", "Wed Nov  4 08:00:01 UTC 2026"),
        ("since 1763932337", "since 1763939999.25"),
        (f"in {'a1' * 32}", f"in {'b2' * 32}"),
    ],
)
def test_times_and_containers_in_texts_are_whatever_they_are(ours: str, theirs: str) -> None:
    assert answers("GET /x", {"text": ours}, {"text": theirs}) == []


def test_a_time_in_another_shape_is_a_difference() -> None:
    found = answers(
        "GET /x", {"finishTime": "2026-11-23T21:12:17.756Z"}, {"finishTime": "Mon, 23 Nov 2026 21:12:17 GMT"}
    )

    assert found[0].ours == '"<time 1>" written 0000-00-00T00:00:00.000Z'
    assert found[0].theirs == '"<time 2>" written Mon, 00 Jan 0000 00:00:00 GMT'


def test_epochs_are_times_in_fields_of_times_only() -> None:
    assert answers("GET /x", {"expires_at": 1763932337}, {"expires_at": 1763999999}) == []
    assert answers("GET /x", {"limit": 1763932337}, {"limit": 1763999999}) != []


def test_what_is_measured_has_to_be_there_and_of_its_kind() -> None:
    ours = {"cpu": 5, "io": 0, "runtime": 1, "totalCpu": 7}

    assert answers("GET /x", ours, {"cpu": 99, "io": 12, "runtime": 3, "totalCpu": 8}) == []
    assert answers("GET /x", ours, {"cpu": "99", "io": 12, "totalCpu": 8}) == [
        Unlike("result.cpu", '"<measured>"', '"99"'),
        Unlike("result.runtime", '"<measured>"', "nothing: there is no such key"),
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(1, True), (1, 1.0), (0, None), ("1", 1), ("", None), ([], {}), (True, False)]
)
def test_other_values_are_equal_and_of_one_type(ours: Any, theirs: Any) -> None:
    assert [found.path for found in answers("GET /x", {"x": ours}, {"x": theirs})] == ["result.x"]


def test_the_version_stays_visible() -> None:
    assert unlike([("GET /x", {"version": "1.9.1"})], [("GET /x", {"version": "1.6.0"})]) == [
        Unlike("version", '"1.9.1"', '"1.6.0"')
    ]


def test_headers_of_the_site_do_not_count() -> None:
    ours = StepReport(1, 1, request="GET /x", status_code=200, headers={"content-type": "a", "date": "x"})
    theirs = StepReport(1, 1, request="GET /x", status_code=200, headers={"content-type": "b", "via": "nginx"})

    found = Alike(side(OURS["host"], [])[0], side(THEIRS["host"], [])[0]).differences(ours, theirs)

    assert found == [Unlike("headers.content-type", '"a"', '"b"')]


def test_of_an_answer_and_a_refusal_only_that_is_told() -> None:
    ours = StepReport(1, 1, request="GET /x", status_code=200, answer={"message": "fine", "result": {"x": 1}})
    theirs = StepReport(1, 1, request="GET /x", status_code=400, answer={"message": "no", "status": "error"})

    found = Alike(side(OURS["host"], [])[0], side(THEIRS["host"], [])[0]).differences(ours, theirs)

    assert found == [Unlike("status_code", "200", "400"), Unlike("message", '"fine"', '"no"')]


def test_permissions_are_compared_by_who_the_users_are() -> None:
    path = f"{GET}/permissions"
    first = ((GET, {"result": an_actor(OURS)}), (GET, {"result": an_actor(THEIRS)}))

    def found(theirs: dict[str, str]) -> list[str]:
        ours = {"admin": "UPDATE", "jane": "READ"}
        return [
            each.path for each in unlike([first[0], (path, {"result": ours})], [first[1], (path, {"result": theirs})])
        ]

    assert found({"jsmith": "UPDATE", "jane": "READ"}) == []
    assert found({"jsmith": "READ", "jane": "READ"}) == ["result.admin"]


@pytest.mark.parametrize(
    ("path", "key", "is_ordered"),
    [
        (f"/actors/v2/{OURS['actor']}/workers", "", False),
        ("/actors/v2/search/executions", "search", False),
        ("/actors/v2/aliases", "", False),
        (f"/actors/v2/{OURS['actor']}/executions", "executions", True),
        (f"/actors/v2/{OURS['actor']}/nonces", "", True),
    ],
)
def test_lists_are_compared_in_order_where_abaco_promises_one(path: str, key: str, is_ordered: bool) -> None:
    def listed(*images: str) -> Any:
        items = [{"image": image} for image in images]
        return {key: items} if key else items

    assert (answers(f"GET {path}", listed("a", "b"), listed("b", "a")) != []) == is_ordered
    assert answers(f"GET {path}", listed("a", "b"), listed("b", "c")) != []
    assert answers(f"GET {path}", listed("a"), listed("a", "b")) != []
    assert answers(f"GET {path}", listed("a", "b"), listed("a")) != []


def test_a_users_own_list_is_in_order() -> None:
    assert answers("GET /x/state", {"state": [{"a": 1}, {"a": 2}]}, {"state": [{"a": 2}, {"a": 1}]}) != []


def test_in_any_order_means_each_once() -> None:
    ours, theirs = [{"image": "a"}, {"image": "a"}], [{"image": "a"}, {"image": "b"}]

    found = answers("GET /actors/v2/x/workers", ours, theirs)

    assert found == [Unlike("result.1.image", '"a"', '"b"')]


def test_actors_that_the_story_has_not_met_are_left_out_of_lists() -> None:
    ours = [("POST /actors/v2", {"result": an_actor(OURS)}), ("GET /actors/v2", {"result": [an_actor(OURS)]})]
    others = [{"id": "AAAAAAAAAAAAA"}, an_actor(THEIRS), {"id": "BBBBBBBBBBBBB"}]
    theirs = [("POST /actors/v2", {"result": an_actor(THEIRS)}), ("GET /actors/v2", {"result": others})]

    assert unlike(ours, theirs) == []


def test_a_thing_a_moment_further_in_its_life_is_like_it() -> None:
    running = {"id": "wwwjaj8GEJaWq", "status": "RUNNING", "startTime": None, "runtime": 0, "executor": "admin"}
    ended = {"id": "AGGOwx5woZXNO", "status": "COMPLETE", "startTime": LATER["createTime"], "exitCode": 0, "runtime": 1}
    path = f"{GET}/executions/wwwjaj8GEJaWq"

    assert answers(path, running, {**ended, "executor": "jsmith"}) == []
    assert [found.path for found in answers(path, running, {**ended, "runtime": "1"})] == ["result.runtime"]
    assert [found.path for found in answers(path, running, {**running, "status": "ERROR"})] == ["result.status"]


def test_what_a_registration_answers_is_no_matter_of_moments() -> None:
    found = answers("POST /actors/v2", an_actor(OURS, status="SUBMITTED"), an_actor(THEIRS, status="READY"))

    assert found == [Unlike("result.status", '"SUBMITTED"', '"READY"')]


SECRETS = {
    "nonce": (f"{GET}/nonces", {"id": NONCE, "level": "READ"}, {"id": THEIR_NONCE, "level": "UPDATE"}),
    "token": ("POST /token", {"access_token": "abcdefgh1234", "x": 1}, {"access_token": "hgfedcba4321", "x": 2}),
    "config": (
        "GET /x",
        {"isSecret": True, "value": "hunter2hunter2", "x": 1},
        {"isSecret": True, "value": "", "x": 2},
    ),
    "environment": ("GET /x", {"logs": "_abaco_access_token=abcdefgh1234\nx"}, {"logs": "_abaco_access_token=zyx\ny"}),
    "unheard of": ("GET /x", {"x": 1}, {"brandNewSecret": "hgfedcba4321", "x": 1}),
    "ours": ("GET /x", {"text": "got a-secret-token"}, {"text": "has another-secret"}),
    "jwt": (
        "GET /x",
        {"text": "a eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiI4Yi.SFbo_9jKl"},
        {"text": "b eyJhbGciOiJSUzI1NiJ9.eyJ9.x"},
    ),
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_shown(name: str) -> None:
    request, ours, theirs = SECRETS[name]

    shown = str(answers(request, ours, theirs))

    assert shown != "[]"
    for secret in (NONCE, THEIR_NONCE, "abcdefgh", "hgfedcba", "hunter2", "-secret", "eyJ"):
        assert secret not in shown


def test_of_long_texts_the_lines_that_differ_are_shown() -> None:
    lines = [f"line {n}" for n in range(1, 1000)]
    theirs = [*lines[:500], "another", *lines[501:]]

    found = answers("GET /x", {"logs": "\n".join(lines)}, {"logs": "\n".join(theirs)})

    assert found == [Unlike("result.logs", 'line 501: "line 501"', 'line 501: "another"')]


def test_text_that_ends_early_is_told() -> None:
    found = answers("GET /x", {"logs": "a\nb\n"}, {"logs": "a\n"})

    assert found == [Unlike("result.logs", 'line 2: "b"', "nothing from line 2 on")]
